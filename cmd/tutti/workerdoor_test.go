package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

type fakeWorker struct{ joined, draining bool }

func (f *fakeWorker) Joined() bool   { return f.joined }
func (f *fakeWorker) Draining() bool { return f.draining }

// TestWorkerDoor: what a worker says of itself, and who may shut it down.
func TestWorkerDoor(t *testing.T) {
	f, drained := &fakeWorker{}, 0
	d := newWorkerDoor(f, "w1", func() { drained++; f.draining = true }, slog.New(slog.DiscardHandler), func() nodeFigures {
		return nodeFigures{node: "w1", values: map[string]float64{"tutti_node_tasks": 3}}
	})
	s := httptest.NewServer(d)
	defer s.Close()
	ask := func(method, path, body, user string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Trino-User", user)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(text)
	}
	for _, c := range []struct {
		before                   func()
		method, path, body, user string
		status                   int
		want                     string
	}{
		{nil, "GET", "/healthz", "", "", 200, ""},
		{nil, "GET", "/readyz", "", "", 503, "not joined"},
		{nil, "GET", "/v1/info/state", "", "", 200, `"STARTING"`},
		{func() { f.joined = true }, "GET", "/readyz", "", "", 200, ""},
		{nil, "GET", "/v1/info/state", "", "", 200, `"ACTIVE"`},
		{nil, "GET", "/v1/info", "", "", 200, `"coordinator":false`},
		{nil, "GET", "/metrics", "", "", 200, `tutti_node_tasks{node="w1"} 3`},
		{nil, "PUT", "/v1/info/state", `"SHUTTING_DOWN"`, "", 401, "no user"},
		{nil, "PUT", "/v1/info/state", `"ACTIVE"`, "me", 400, "SHUTTING_DOWN"},
		{nil, "PUT", "/v1/info/state", `{`, "me", 400, ""},
		{nil, "GET", "/v1/drain", "", "", 401, "no user"},
		{nil, "POST", "/v1/drain", "", "me", 405, ""},
		{nil, "GET", "/readyz", "", "", 200, ""},
		{nil, "POST", "/v1/statement", "SELECT 1", "me", 404, ""},
		{nil, "PUT", "/v1/info/state", `"SHUTTING_DOWN"`, "me", 200, ""},
		{nil, "PUT", "/v1/info/state", `"SHUTTING_DOWN"`, "me", 200, ""},
		{nil, "GET", "/v1/info/state", "", "", 200, `"SHUTTING_DOWN"`},
		{nil, "GET", "/readyz", "", "", 503, "shutting down"},
	} {
		if c.before != nil {
			c.before()
		}
		if status, text := ask(c.method, c.path, c.body, c.user); status != c.status || !strings.Contains(text, c.want) {
			t.Errorf("%s %s %s: %d %s, want %d with %q", c.method, c.path, c.body, status, text, c.status, c.want)
		}
	}
	if drained != 1 {
		t.Errorf("drained %d times", drained)
	}
}

// TestWorkerDoorAwaits: a hook that asks for the end is answered at the end.
func TestWorkerDoorAwaits(t *testing.T) {
	f, asked := &fakeWorker{joined: true}, make(chan struct{})
	d := newWorkerDoor(f, "w1", func() { close(asked) }, slog.New(slog.DiscardHandler), func() nodeFigures { return nodeFigures{} })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: d, ReadTimeout: 20 * time.Millisecond, WriteTimeout: 20 * time.Millisecond}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	ask := func(ctx context.Context) (int, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+l.Addr().String()+"/v1/drain", nil)
		if err != nil {
			return 0, err
		}
		req.Header.Set("X-Trino-User", "kubelet")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0, err
		}
		return resp.StatusCode, resp.Body.Close()
	}
	// One who gives up changes nothing for the next.
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	if _, err := ask(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	answered := make(chan int, 1)
	go func() {
		code, err := ask(t.Context())
		if err != nil {
			t.Error(err)
		}
		answered <- code
	}()
	select {
	case code := <-answered:
		t.Fatalf("answered %d before the end", code)
	case <-time.After(50 * time.Millisecond):
	}
	d.end(s)
	if code := <-answered; code != http.StatusOK {
		t.Errorf("answered %d", code)
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
}
