package server

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tuttidb/tutti/internal/clock"
)

// TestLocal: what is about the process is answered without an engine, and what
// is not is not there.
func TestLocal(t *testing.T) {
	var notReady error
	shutdown := make(chan struct{})
	registry := prometheus.NewRegistry()
	registry.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "tutti_test"}))
	l, err := NewLocal(Config{
		Clock: clock.System{}, Log: slog.New(slog.DiscardHandler), Version: "v", NodeID: "c2", Environment: "e", Gatherer: registry,
		UI: fstest.MapFS{"index.html": {Data: []byte("<p>page")}}, Ready: func() error { return notReady }, Shutdown: func() { close(shutdown) },
	})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(method, path, body string) (int, string) {
		t.Helper()
		w, r := httptest.NewRecorder(), httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("X-Trino-User", "ann")
		l.ServeHTTP(w, r)
		b, _ := io.ReadAll(w.Result().Body)
		return w.Code, strings.TrimSpace(string(b))
	}
	for _, c := range []struct {
		method, path, body string
		code               int
		want               string
	}{
		{"GET", "/healthz", "", 200, ""},
		{"GET", "/readyz", "", 200, ""},
		{"GET", "/v1/info", "", 200, `"nodeId":"c2"`},
		{"GET", "/v1/info/state", "", 200, `"ACTIVE"`},
		{"GET", "/v1/info/coordinator", "", 200, ""},
		{"GET", "/v1/status", "", 200, `"goroutines"`},
		{"GET", "/metrics", "", 200, "tutti_test 0"},
		{"GET", "/ui/", "", 200, "<p>page"},
		{"GET", "/", "", http.StatusFound, ""},
		{"GET", "/v1/query", "", 404, ""},
		{"POST", "/v1/statement", "SELECT 1", 404, ""},
		{"PUT", "/v1/info/state", `"ACTIVE"`, 400, ""},
	} {
		if code, text := ask(c.method, c.path, c.body); code != c.code || !strings.Contains(text, c.want) {
			t.Errorf("%s %s: %d %.100s", c.method, c.path, code, text)
		}
	}
	notReady = errors.New("nobody leads")
	if code, text := ask("GET", "/readyz", ""); code != 503 || text != "nobody leads" {
		t.Errorf("%d %s", code, text)
	}
	if _, text := ask("GET", "/v1/info/state", ""); text != `"STARTING"` {
		t.Error(text)
	}
	notReady = nil
	if l.Ending() {
		t.Error("ending")
	}
	if code, text := ask("PUT", "/v1/info/state", `"SHUTTING_DOWN"`); code != 200 {
		t.Errorf("%d %s", code, text)
	}
	<-shutdown
	if code, _ := ask("GET", "/readyz", ""); code != 503 || !l.Ending() {
		t.Errorf("ready is %d after the order to shut down", code)
	}
}
