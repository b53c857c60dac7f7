package server

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tuttidb/tutti/internal/clock"
)

// TestGate: a node that starts says so, and takes statements as soon as it is
// given a server.
func TestGate(t *testing.T) {
	g := NewGate(Config{Clock: clock.System{}, Version: "1.2", NodeID: "c", Environment: "test"})
	g.hold = time.Millisecond
	door := httptest.NewServer(g)
	defer door.Close()
	ask := func(method, path string) (int, string) {
		t.Helper()
		req, err := http.NewRequest(method, door.URL+path, strings.NewReader("rows 1"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Trino-User", "ann")
		resp, err := door.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") == "" && path != "/readyz" {
			t.Errorf("%s %s does not say when to try again", method, path)
		}
		return resp.StatusCode, strings.TrimSpace(string(text))
	}
	for _, c := range []struct {
		method, path string
		code         int
		text         string
	}{
		{"GET", "/healthz", 200, ""}, {"GET", "/readyz", 503, errStarting.Error()}, {"GET", "/v1/info/state", 200, `"STARTING"`},
		{"POST", "/v1/statement", 503, errStarting.Error()}, {"GET", "/v1/query", 503, errStarting.Error()},
		{"PUT", "/v1/info/state", 503, errStarting.Error()}, {"POST", "/healthz", 503, errStarting.Error()}, {"GET", "/", 503, errStarting.Error()},
	} {
		if code, text := ask(c.method, c.path); code != c.code || text != c.text {
			t.Errorf("%s %s: %d %s", c.method, c.path, code, text)
		}
	}
	var info apiInfo
	if _, text := ask("GET", "/v1/info"); json.Unmarshal([]byte(text), &info) != nil || !info.Starting || !info.Coordinator || info.NodeID != "c" {
		t.Errorf("info: %s", text)
	}

	g.Open(newHarness(t, nil).server)
	for path, want := range map[string]string{"/readyz": "", "/healthz": "", "/v1/info/state": `"ACTIVE"`} {
		if code, text := ask("GET", path); code != 200 || text != want {
			t.Errorf("open: %s: %d %s", path, code, text)
		}
	}
	if code, text := ask("POST", "/v1/statement"); code != 200 {
		t.Errorf("open: %d %s", code, text)
	}
}

// TestGateHolds: statements that come while the node starts are answered when it
// has, unless their clients leave.
func TestGateHolds(t *testing.T) {
	for _, path := range []string{"/v1/statement", "/v1/statement/executing/q/x/1"} {
		t.Run(path, func(t *testing.T) {
			g := NewGate(Config{Clock: clock.System{}})
			g.hold = time.Minute
			gone, leave := context.WithCancel(t.Context())
			leave()
			w := httptest.NewRecorder()
			g.ServeHTTP(w, httptest.NewRequestWithContext(gone, http.MethodPost, path, nil))
			if w.Code != http.StatusServiceUnavailable {
				t.Errorf("one that left: %d", w.Code)
			}
			answered := make(chan int)
			for range 3 {
				go func() {
					w := httptest.NewRecorder()
					g.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, nil))
					answered <- w.Code
				}()
			}
			select {
			case code := <-answered:
				t.Errorf("answered with %d before the gate opens", code)
			case <-time.After(10 * time.Millisecond):
			}
			for range 2 { // the second time changes who answers, and nothing else
				g.Open(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
			}
			for range 3 {
				if code := <-answered; code != http.StatusTeapot {
					t.Errorf("got %d", code)
				}
			}
		})
	}
}

// TestReadiness: the reasons why a node takes no statements, and what it says.
func TestReadiness(t *testing.T) {
	var reason error
	h := newHarness(t, func(c *Config) { c.Ready = func() error { return reason } })
	look := func(code int, state, text string) {
		t.Helper()
		resp, body := h.do("GET", "/readyz", "")
		if resp.StatusCode != code || strings.TrimSpace(body) != text {
			t.Errorf("%s %s, want %d %s", resp.Status, body, code, text)
		}
		if _, body := h.do("GET", "/v1/info/state", ""); strings.TrimSpace(body) != `"`+state+`"` {
			t.Errorf("state is %s, want %s", body, state)
		}
	}
	look(200, "ACTIVE", "")
	reason = errors.New("no workers")
	look(503, "STARTING", "no workers")
	reason = nil
	h.server.Close()
	look(503, "SHUTTING_DOWN", errEnding.Error())
	if resp, text := h.do("POST", "/v1/statement", "rows 1"); resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
		t.Error(resp.Status, text)
	}
}

// TestShutdownOverHTTP: who asks must have a name, and only the one state can
// be asked for; the hook is called once.
func TestShutdownOverHTTP(t *testing.T) {
	called := make(chan bool, 10)
	h := newHarness(t, func(c *Config) { c.Shutdown = func() { called <- true } })
	for _, body := range []string{``, `"ACTIVE"`, `SHUTTING_DOWN`, `{"state":"SHUTTING_DOWN"}`, strings.Repeat("x", 5000)} {
		if resp, text := h.do("PUT", "/v1/info/state", body); resp.StatusCode != 400 {
			t.Errorf("%.20s: %s %s", body, resp.Status, text)
		}
	}
	user := h.header.Get("X-Trino-User")
	h.header.Del("X-Trino-User")
	if resp, _ := h.do("PUT", "/v1/info/state", `"SHUTTING_DOWN"`); resp.StatusCode != 401 {
		t.Error(resp.Status)
	}
	h.header.Set("X-Trino-User", user)
	for range 3 {
		if resp, text := h.do("PUT", "/v1/info/state", `"SHUTTING_DOWN"`); resp.StatusCode != 200 {
			t.Error(resp.Status, text)
		}
	}
	<-called
	if resp, _ := h.do("POST", "/v1/statement", "rows 1"); resp.StatusCode != 503 || len(called) != 0 {
		t.Error(resp.Status, len(called))
	}
	if resp, _ := newHarness(t, nil).do("PUT", "/v1/info/state", `"SHUTTING_DOWN"`); resp.StatusCode != 403 {
		t.Error(resp.Status)
	}
}

// TestDrain: it waits for those who still read, not for those who have left.
func TestDrain(t *testing.T) {
	drained := func(s *Server, patience time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		return s.Drain(ctx)
	}
	h := newHarness(t, nil)
	h.run("rows 10")
	reading, _, _ := h.page("POST", "/v1/statement", "rows 10")
	leaving, _, _ := h.page("POST", "/v1/statement", "endless")
	if err := drained(h.server, 50*time.Millisecond); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "2 statements") {
		t.Errorf("it did not wait: %v", err)
	}
	if resp, _ := h.do("POST", "/v1/statement", "rows 1"); resp.StatusCode != 503 {
		t.Errorf("a new statement: %s", resp.Status)
	}
	if resp, _ := h.do("GET", "/readyz", ""); resp.StatusCode != 503 {
		t.Errorf("ready: %s", resp.Status)
	}
	if resp, _ := h.do("DELETE", leaving.NextURI, ""); resp.StatusCode != 204 {
		t.Error(resp.Status)
	}
	done := make(chan error, 1)
	go func() { done <- drained(h.server, 20*time.Second) }()
	p := reading
	for p.NextURI != "" {
		p, _, _ = h.page("GET", p.NextURI, "")
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestLimits: an http.Server from HTTP refuses headers without end and cuts
// off who is too slow to send them.
func TestLimits(t *testing.T) {
	s := HTTP(http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	if s.ReadHeaderTimeout <= 0 || s.ReadTimeout <= 0 || s.IdleTimeout <= 0 || s.MaxHeaderBytes <= 1<<20 || s.MaxHeaderBytes > 16<<20 {
		t.Errorf("limits are %+v", s)
	}
}
