package server

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tuttidb/tutti/coordinator"
	"github.com/tuttidb/tutti/internal/qerr"
)

// metrics are the server's figures, and the compressors that requests share.
type metrics struct {
	requests  *prometheus.CounterVec
	seconds   *prometheus.HistogramVec
	submitted prometheus.Counter
	done      *prometheus.CounterVec
	sent      prometheus.Counter

	own []prometheus.Collector // those that look at this server

	gzip gzipWriters
	pack compressors
}

func newMetrics(s *Server) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tutti_http_requests_total", Help: "HTTP requests by route, method and status.",
		}, []string{"route", "method", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tutti_http_request_seconds", Help: "Time to answer HTTP requests, long polls included, by route.",
			Buckets: []float64{.001, .003, .01, .03, .1, .3, 1, 3, 10},
		}, []string{"route"}),
		submitted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tutti_statements_total", Help: "Statements accepted over HTTP.",
		}),
		done: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tutti_statements_done_total", Help: "Statements that ended, by error type; none where it succeeded.",
		}, []string{"error_type"}),
		sent: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tutti_http_sent_bytes_total", Help: "Bytes of answers before compression.",
		}),
	}
	var err error
	if m.pack.zstd, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2), zstd.WithLowerEncoderMem(true)); err != nil {
		return nil, err
	}
	if s.cfg.Registerer == nil {
		return m, nil
	}
	buffered := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tutti_result_buffered_bytes", Help: "Bytes of rows that wait for clients.",
	}, func() float64 { return float64(s.buffered.Load()) })
	m.own = []prometheus.Collector{buffered, &engineCollector{s.cfg.Engine}}
	for _, c := range m.own {
		if err := s.cfg.Registerer.Register(c); err != nil {
			return nil, err
		}
	}
	return m, errors.Join(share(s.cfg.Registerer, &m.requests), share(s.cfg.Registerer, &m.seconds), share(s.cfg.Registerer, &m.submitted),
		share(s.cfg.Registerer, &m.done), share(s.cfg.Registerer, &m.sent))
}

// share registers a collector, or takes the one of a server before this one in
// its place: counts go on.
func share[C prometheus.Collector](r prometheus.Registerer, c *C) error {
	err := r.Register(*c)
	var already prometheus.AlreadyRegisteredError
	if errors.As(err, &already) {
		if old, ok := already.ExistingCollector.(C); ok {
			*c = old
			return nil
		}
	}
	return err
}

// unregister takes away what only this server can tell, so that the next one
// can.
func (m *metrics) unregister(r prometheus.Registerer) {
	for _, c := range m.own {
		r.Unregister(c)
	}
}

// mount serves /metrics.
func (m *metrics) mount(mux *http.ServeMux, g prometheus.Gatherer) {
	if g != nil {
		mux.Handle("GET /metrics", promhttp.HandlerFor(g, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	}
}

// request counts an answered request.
func (m *metrics) request(r *http.Request, code int, took time.Duration) {
	route := routeOf(r)
	m.requests.WithLabelValues(route, methodOf(r), strconv.Itoa(code)).Inc()
	m.seconds.WithLabelValues(route).Observe(took.Seconds())
}

// methodOf keeps made-up methods from making labels without end.
func methodOf(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodHead:
		return r.Method
	}
	return "other"
}

// ended counts a statement that ended.
func (m *metrics) ended(err *qerr.Error) {
	kind := "none"
	if err != nil {
		kind = err.Code.Kind.String()
	}
	m.done.WithLabelValues(kind).Inc()
}

// engineCollector shows how many queries and nodes there are, when asked.
type engineCollector struct{ engine Engine }

var (
	queriesDesc = prometheus.NewDesc("tutti_queries", "Queries that run or are remembered, by state.", []string{"state"}, nil)
	nodesDesc   = prometheus.NewDesc("tutti_nodes", "Nodes of the cluster, by role and state.", []string{"role", "state"}, nil)
	memoryDesc  = prometheus.NewDesc("tutti_memory_used_bytes", "Accounted memory of all nodes.", nil, nil)
)

// Describe lists the collector's metrics.
func (c *engineCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- queriesDesc
	ch <- nodesDesc
	ch <- memoryDesc
}

// Collect sends the figures of this moment.
func (c *engineCollector) Collect(ch chan<- prometheus.Metric) {
	states := map[coordinator.State]int{coordinator.Queued: 0, coordinator.Running: 0, coordinator.Finished: 0, coordinator.Failed: 0}
	for _, q := range c.engine.Queries() {
		states[q.State]++
	}
	for state, n := range states {
		ch <- prometheus.MustNewConstMetric(queriesDesc, prometheus.GaugeValue, float64(n), string(state))
	}
	type key struct{ role, state string }
	nodes, memory := map[key]int{}, int64(0)
	for _, n := range c.engine.Nodes() {
		nodes[key{roleOf(&n), n.State}]++
		memory += n.MemoryUsed
	}
	for k, n := range nodes {
		ch <- prometheus.MustNewConstMetric(nodesDesc, prometheus.GaugeValue, float64(n), k.role, k.state)
	}
	ch <- prometheus.MustNewConstMetric(memoryDesc, prometheus.GaugeValue, float64(memory))
}

func roleOf(n *coordinator.NodeInfo) string {
	if n.Coordinator {
		return "coordinator"
	}
	return "worker"
}
