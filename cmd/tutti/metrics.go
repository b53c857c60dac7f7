package main

import (
	"net/http"
	"os"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tuttidb/tutti/coordinator"
	"github.com/tuttidb/tutti/coordinator/cluster"
)

// nodeFigures is what a node holds at a moment, by the metric that shows it.
type nodeFigures struct {
	node   string
	values map[string]float64
}

// nodeMetrics are the gauges of the nodes, each labeled with the node's id.
// A node that has left is no longer among them.
var nodeMetrics = map[string]string{
	"tutti_node_memory_bytes":   "Memory accounted to queries and caches.",
	"tutti_node_retained_bytes": "Task outputs kept for consumers, in memory and on disk.",
	"tutti_node_slabs":          "Memory slabs in use.",
	"tutti_node_goroutines":     "Goroutines.",
	"tutti_node_open_files":     "Open file descriptors.",
	"tutti_node_tasks":          "Tasks that have not ended.",
	"tutti_node_queries":        "Queries that have anything on the node.",
	"tutti_node_resident_bytes": "Resident memory of the process.",
}

// nodeCollector exposes the figures of all nodes that a coordinator knows, or
// of one worker.
type nodeCollector struct {
	figures func() []nodeFigures
	descs   map[string]*prometheus.Desc
}

func newNodeCollector(figures func() []nodeFigures) *nodeCollector {
	c := &nodeCollector{figures: figures, descs: map[string]*prometheus.Desc{}}
	for name, help := range nodeMetrics {
		c.descs[name] = prometheus.NewDesc(name, help, []string{"node"}, nil)
	}
	return c
}

// Describe names the metrics.
func (c *nodeCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		out <- d
	}
}

// Collect reads the figures.
func (c *nodeCollector) Collect(out chan<- prometheus.Metric) {
	for _, n := range c.figures() {
		for name, v := range n.values {
			out <- prometheus.MustNewConstMetric(c.descs[name], prometheus.GaugeValue, v, n.node)
		}
	}
}

// figures are this process's own; what it does not have is not among them.
func (p *process) figures(node string) nodeFigures {
	return nodeFigures{node: node, values: map[string]float64{
		"tutti_node_memory_bytes":   float64(p.account.Used()),
		"tutti_node_slabs":          float64(p.pool.Slabs()),
		"tutti_node_goroutines":     float64(runtime.NumGoroutine()),
		"tutti_node_open_files":     float64(openFiles()),
		"tutti_node_resident_bytes": float64(residentBytes()),
	}}
}

// workerFigures are those of the workers, from their last heartbeats.
func workerFigures(r *cluster.Registry) (out []nodeFigures) {
	for _, m := range r.Members() {
		if m.Gone != "" {
			continue
		}
		out = append(out, nodeFigures{node: m.Hello.NodeId, values: map[string]float64{
			"tutti_node_memory_bytes":   float64(m.Load.MemoryUsed),
			"tutti_node_retained_bytes": float64(m.Load.RetainedBytes),
			"tutti_node_slabs":          float64(m.Load.Slabs),
			"tutti_node_goroutines":     float64(m.Load.Goroutines),
			"tutti_node_open_files":     float64(m.Load.OpenFiles),
			"tutti_node_tasks":          float64(m.Load.RunningTasks),
			"tutti_node_queries":        float64(len(m.Load.Queries)),
			"tutti_node_resident_bytes": float64(m.Load.RssBytes),
		}})
	}
	return out
}

// openFiles is the number of open file descriptors, 0 where unknown.
func openFiles() int {
	d, err := os.Open("/proc/self/fd")
	if err != nil {
		return 0
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return 0
	}
	return len(names) - 1 // without d itself
}

// showMetrics answers with the metrics of this process and, while it leads,
// those of its queries and of the workers.
func (s *seat) showMetrics(own prometheus.Gatherer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		all := prometheus.Gatherers{own}
		if g := s.rule.now.Load(); g != nil {
			all = append(all, g.metrics)
		}
		promhttp.HandlerFor(all, promhttp.HandlerOpts{EnableOpenMetrics: true}).ServeHTTP(w, r)
	}
}

// recoveryMetrics count what was lost and done again while a coordinator leads.
func recoveryMetrics(r *cluster.Registry, d *coordinator.Distributed) []prometheus.Collector {
	count := func(name, help string, value func() int64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(value()) })
	}
	return []prometheus.Collector{
		count("tutti_workers_lost_total", "Workers that were lost without having been drained.", r.LostWorkers),
		count("tutti_tasks_run_again_total", "Attempts that took the place of others.", func() int64 { return d.Recovered().Tasks }),
		count("tutti_queries_run_again_total", "Queries that began again, as a whole.", func() int64 { return d.Recovered().Queries }),
		count("tutti_queries_taken_over_total", "Queries that another coordinator had begun and that went on.", func() int64 { return d.Recovered().TakenOver }),
		count("tutti_task_twins_total", "Second attempts that were begun beside slow ones.", func() int64 { return d.Recovered().Twins }),
		count("tutti_task_twins_used_total", "Second attempts that came first.", func() int64 { return d.Recovered().TwinsUsed }),
		count("tutti_output_copies_total", "Finished outputs that were copied to another worker.", func() int64 { return d.Recovered().Copies }),
		count("tutti_output_copies_used_total", "Copies that took the place of lost outputs.", func() int64 { return d.Recovered().CopiesUsed }),
	}
}

// leaderMetrics tell who leads, as this process sees it.
func (s *seat) leaderMetrics() []prometheus.Collector {
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	return []prometheus.Collector{
		gauge("tutti_coordinator_leads", "1 while this coordinator leads.", func() float64 {
			if s.rule.now.Load() != nil {
				return 1
			}
			return 0
		}),
		gauge("tutti_coordinator_epoch", "The newest leadership that this coordinator knows of.", func() float64 { return float64(s.node.State().Epoch) }),
		gauge("tutti_coordinator_applied", "The last entry of the coordinators' log in this one's state.", func() float64 { return float64(s.node.State().Index) }),
		gauge("tutti_http_requests_held", "Requests that wait for a coordinator to lead.", func() float64 { return float64(s.router.Held()) }),
	}
}
