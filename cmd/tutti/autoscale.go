package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tuttidb/tutti/cmd/tutti/config"
	"github.com/tuttidb/tutti/coordinator"
	"github.com/tuttidb/tutti/coordinator/backlog"
	"github.com/tuttidb/tutti/coordinator/kubemetrics"
	"github.com/tuttidb/tutti/internal/clock"
)

// backlogPath is where a coordinator says as JSON what waits. One that does
// not lead passes the question on, as it does with all questions about queries.
const backlogPath = "/v1/backlog"

// backlogMetrics are the figures that autoscalers go by, under the names that
// they have in Prometheus and in the external metrics API.
var backlogMetrics = []struct {
	name, help string
	of         func(backlog.Figures) float64
}{
	{"tutti_work_waiting_seconds", "Time that the live workers need for the work that nobody has begun.", func(f backlog.Figures) float64 { return f.Seconds }},
	{"tutti_oldest_queued_seconds", "Age of the oldest query that waits for its turn, for memory or for a worker.", func(f backlog.Figures) float64 { return f.OldestSeconds }},
	{"tutti_queries_waiting", "Queries that wait for their turn, for memory or for a worker.", func(f backlog.Figures) float64 { return float64(f.Queries) }},
	{"tutti_splits_waiting", "Splits of running queries that are not begun.", func(f backlog.Figures) float64 { return float64(f.Splits) }},
	{"tutti_workers_busy", "Workers that the running tasks keep busy.", func(f backlog.Figures) float64 { return f.Busy }},
}

// measured reads the backlog of a coordinator.
func measured(c *coordinator.Coordinator) backlog.Figures {
	return backlog.Measure(c.Queries(), c.Nodes(), time.Now())
}

// backlogCollector shows the backlog to Prometheus; a coordinator that knows
// of none, since it does not lead, shows nothing.
type backlogCollector struct {
	figures func() (backlog.Figures, bool)
	descs   []*prometheus.Desc
}

func newBacklogCollector(figures func() (backlog.Figures, bool)) *backlogCollector {
	c := &backlogCollector{figures: figures}
	for _, m := range backlogMetrics {
		c.descs = append(c.descs, prometheus.NewDesc(m.name, m.help, nil, nil))
	}
	return c
}

// Describe names the metrics.
func (c *backlogCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		out <- d
	}
}

// Collect reads the figures.
func (c *backlogCollector) Collect(out chan<- prometheus.Metric) {
	f, known := c.figures()
	if !known {
		return
	}
	for i, m := range backlogMetrics {
		out <- prometheus.MustNewConstMetric(c.descs[i], prometheus.GaugeValue, m.of(f))
	}
}

// backlogHandler answers with the backlog as JSON.
func backlogHandler(figures func() backlog.Figures) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { sendJSON(w, figures()) })
}

// serveMetricsAPI serves the external metrics API of Kubernetes until ctx ends,
// if that is asked for. The figures are what door answers, which may be
// another coordinator's.
func (p *process) serveMetricsAPI(ctx context.Context, door http.Handler) error {
	if p.cfg.MetricsAPIListen == "" {
		return nil
	}
	api := kubemetrics.Config{
		Labels: map[string]string{"environment": p.cfg.Environment}, Clock: clock.System{}, Log: p.log,
		Source: func(ctx context.Context) ([]kubemetrics.Metric, error) { return askBacklog(ctx, door) },
	}
	for _, m := range backlogMetrics {
		api.Names = append(api.Names, m.name)
	}
	var err error
	switch ca := p.cfg.MetricsAPIClientCA; ca {
	case "":
	case config.FromKubernetes:
		api.Proxies = &kubemetrics.Proxies{}
		go api.Proxies.Follow(ctx, kubemetrics.InCluster(), p.log)
	default:
		if api.Proxies, err = kubemetrics.ReadProxies(ca); err != nil {
			return usage(fmt.Errorf("metrics-api-client-ca: %w", err))
		}
	}
	s, err := kubemetrics.Server(kubemetrics.New(api), p.cfg.MetricsAPICert, p.cfg.MetricsAPIKey, clock.System{})
	if err != nil {
		return usage(fmt.Errorf("metrics-api-cert: %w", err))
	}
	s.ErrorLog = slog.NewLogLogger(p.log.Handler(), slog.LevelDebug)
	l, err := listen("metrics-api-listen", p.cfg.MetricsAPIListen)
	if err != nil {
		return err
	}
	go func() { _ = s.ServeTLS(l, "", "") }()        // ends with Close
	context.AfterFunc(ctx, func() { _ = s.Close() }) // answers are short
	p.log.Info("metrics API", "address", l.Addr().String(), "metrics", len(api.Names))
	return nil
}

// askBacklog asks a handler for the backlog, as a client would.
func askBacklog(ctx context.Context, door http.Handler) ([]kubemetrics.Metric, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, backlogPath, nil)
	if err != nil {
		return nil, err
	}
	r.RemoteAddr, r.RequestURI, r.Host = "127.0.0.1:0", backlogPath, "localhost"
	w := &answer{header: http.Header{}, status: http.StatusOK}
	door.ServeHTTP(w, r)
	var f backlog.Figures
	if w.status != http.StatusOK {
		return nil, fmt.Errorf("the coordinator answers %d: %s", w.status, bytes.TrimSpace(w.body.Bytes()[:min(200, w.body.Len())]))
	}
	if err := json.Unmarshal(w.body.Bytes(), &f); err != nil {
		return nil, fmt.Errorf("the coordinator's backlog: %w", err)
	}
	var out []kubemetrics.Metric
	for _, m := range backlogMetrics {
		out = append(out, kubemetrics.Metric{Name: m.name, Value: m.of(f)})
	}
	return out, nil
}

// answer keeps what a handler says.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header is the answer's header.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader keeps the status.
func (a *answer) WriteHeader(status int) { a.status = status }

// Write keeps the body.
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }

// Flush has nothing to do.
func (a *answer) Flush() {}
