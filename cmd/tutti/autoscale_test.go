package main

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tuttidb/tutti/cmd/tutti/config"
	"github.com/tuttidb/tutti/coordinator/backlog"
)

var someBacklog = backlog.Figures{Seconds: 12.5, OldestSeconds: 3, Queries: 2, Splits: 7, Workers: 1, Threads: 4, Busy: 0.5}

// TestBacklogMetrics: Prometheus sees the figures of who knows them, and
// nothing, rather than zeros, of who does not.
func TestBacklogMetrics(t *testing.T) {
	for _, known := range []bool{true, false} {
		r := prometheus.NewRegistry()
		r.MustRegister(newBacklogCollector(func() (backlog.Figures, bool) { return someBacklog, known }))
		w := httptest.NewRecorder()
		promhttp.HandlerFor(r, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		for _, line := range []string{
			"tutti_work_waiting_seconds 12.5", "tutti_oldest_queued_seconds 3", "tutti_queries_waiting 2", "tutti_splits_waiting 7", "tutti_workers_busy 0.5",
		} {
			if strings.Contains(w.Body.String(), line+"\n") != known {
				t.Errorf("known %v: %q in\n%s", known, line, w.Body)
			}
		}
	}
}

// TestAskBacklog: the metrics API's figures are those of whoever answers.
func TestAskBacklog(t *testing.T) {
	got, err := askBacklog(t.Context(), backlogHandler(func() backlog.Figures { return someBacklog }))
	if err != nil || len(got) != len(backlogMetrics) || got[0].Name != "tutti_work_waiting_seconds" || got[0].Value != 12.5 || got[4].Value != 0.5 {
		t.Errorf("%v (%v)", got, err)
	}
	for name, c := range map[string]struct {
		door http.HandlerFunc
		want string
	}{
		"nobody leads": {func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "nobody leads", http.StatusServiceUnavailable)
		}, "answers 503: nobody leads"},
		"nonsense": {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }, "backlog"},
		"nothing":  {func(http.ResponseWriter, *http.Request) {}, "backlog"},
		"the path": {func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, r.Method+" "+r.URL.Path+" "+r.Host, http.StatusNotFound)
		}, "GET /v1/backlog localhost"},
	} {
		if _, err := askBacklog(t.Context(), c.door); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

// freePort is an address that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestMetricsAPI serves the API as a coordinator does.
func TestMetricsAPI(t *testing.T) {
	door := backlogHandler(func() backlog.Figures { return someBacklog })
	serve := func(ctx context.Context, edit func(*config.Config)) (string, error) {
		cfg := &config.Config{MetricsAPIListen: freePort(t), Environment: "prod"}
		edit(cfg)
		return cfg.MetricsAPIListen, (&process{cfg: cfg, log: slog.New(slog.DiscardHandler)}).serveMetricsAPI(ctx, door)
	}
	ctx, cancel := context.WithCancel(t.Context())
	address, err := serve(ctx, func(*config.Config) {})
	if err != nil {
		t.Fatal(err)
	}
	closed, err := serve(ctx, func(c *config.Config) { c.MetricsAPIClientCA = config.FromKubernetes })
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	const path = "/apis/external.metrics.k8s.io/v1beta1/namespaces/any/tutti_work_waiting_seconds?labelSelector=environment%3D"
	for _, c := range []struct {
		url, want string
		status    int
	}{
		{"https://" + address + path + "prod", `"value":"12500m"`, 200},
		{"https://" + address + path + "test", `"items":[]`, 200},
		{"https://" + closed + path + "prod", `Unauthorized`, 401}, // this is no Pod: nobody is believed
		{"https://" + closed + "/healthz", ``, 200},
	} {
		resp, err := client.Get(c.url)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != c.status || !strings.Contains(string(b), c.want) {
			t.Errorf("%s: %d %s (%v), want %d with %q", c.url, resp.StatusCode, b, err, c.status, c.want)
		}
	}
	cancel()
	client.CloseIdleConnections()
	for { // the port is given back
		resp, err := client.Get("https://" + address + "/healthz")
		if err != nil {
			break
		}
		resp.Body.Close()
		client.CloseIdleConnections()
	}
	for name, edit := range map[string]func(*config.Config){
		"client-ca: ":   func(c *config.Config) { c.MetricsAPIClientCA = "/nowhere" },
		"cert: ":        func(c *config.Config) { c.MetricsAPICert, c.MetricsAPIKey = "/nowhere", "/nowhere" },
		"cannot listen": func(c *config.Config) { c.MetricsAPIListen = closed },
	} {
		ctx, cancel := context.WithCancel(t.Context())
		if name == "cannot listen" {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			edit = func(c *config.Config) { c.MetricsAPIListen = l.Addr().String() }
		}
		if _, err := serve(ctx, edit); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want %q", err, name)
		}
		cancel()
	}
	if err := (&process{cfg: &config.Config{}}).serveMetricsAPI(t.Context(), door); err != nil {
		t.Errorf("none: %v", err)
	}
}
