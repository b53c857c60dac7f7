package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// drainable is what a worker's door must know of the worker.
type drainable interface {
	Joined() bool
	Draining() bool
}

// workerDoor answers HTTP for a worker: how it is, its metrics, and the order
// to shut down gracefully, as Trino's users give it.
type workerDoor struct {
	mux     *http.ServeMux
	worker  drainable
	id      string
	started time.Time
	drain   func()
	once    sync.Once
	done    chan struct{} // closed when the worker has ended
	log     *slog.Logger
}

// newWorkerDoor returns a worker's HTTP handler. drain begins a graceful
// shutdown.
func newWorkerDoor(w drainable, id string, drain context.CancelFunc, log *slog.Logger, figures func() nodeFigures) *workerDoor {
	d := &workerDoor{mux: http.NewServeMux(), worker: w, id: id, started: time.Now(), drain: drain, done: make(chan struct{}), log: log}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		newNodeCollector(func() []nodeFigures { return []nodeFigures{figures()} }))
	d.mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	d.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	d.mux.HandleFunc("GET /readyz", d.ready)
	d.mux.HandleFunc("GET /v1/info", d.info)
	d.mux.HandleFunc("GET /v1/info/state", func(w http.ResponseWriter, _ *http.Request) { sendJSON(w, d.state()) })
	d.mux.HandleFunc("PUT /v1/info/state", d.setState)
	d.mux.HandleFunc("GET /v1/drain", d.await)
	return d
}

// ServeHTTP answers one request.
func (d *workerDoor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	d.mux.ServeHTTP(w, r)
}

// state is the worker's in Trino's words.
func (d *workerDoor) state() string {
	switch {
	case d.worker.Draining():
		return "SHUTTING_DOWN"
	case !d.worker.Joined():
		return "STARTING"
	}
	return "ACTIVE"
}

func (d *workerDoor) ready(w http.ResponseWriter, _ *http.Request) {
	switch d.state() {
	case "SHUTTING_DOWN":
		http.Error(w, "the worker is shutting down", http.StatusServiceUnavailable)
	case "STARTING":
		http.Error(w, "the worker is not joined to a coordinator", http.StatusServiceUnavailable)
	default:
		w.WriteHeader(http.StatusOK)
	}
}

func (d *workerDoor) info(w http.ResponseWriter, _ *http.Request) {
	sendJSON(w, map[string]any{
		"nodeVersion": map[string]string{"version": version}, "nodeId": d.id, "coordinator": false,
		"starting": d.state() == "STARTING", "uptime": fmt.Sprintf("%.2fm", time.Since(d.started).Minutes()),
	})
}

// setState begins the graceful shutdown for a client that says who it is.
func (d *workerDoor) setState(w http.ResponseWriter, r *http.Request) {
	user := named(w, r)
	if user == "" {
		return
	}
	var state string
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<10)).Decode(&state); err != nil || state != "SHUTTING_DOWN" {
		http.Error(w, `The only state to ask for is "SHUTTING_DOWN"`, http.StatusBadRequest)
		return
	}
	d.shut(user, r)
	w.WriteHeader(http.StatusOK)
}

// await is setState for those who can only ask and wait, such as a preStop
// hook: it answers when the worker has ended its work.
func (d *workerDoor) await(w http.ResponseWriter, r *http.Request) {
	user := named(w, r)
	if user == "" {
		return
	}
	c := http.NewResponseController(w) // the drain has its own limit
	_ = errors.Join(c.SetReadDeadline(time.Time{}), c.SetWriteDeadline(time.Time{}))
	d.shut(user, r)
	select {
	case <-d.done:
		w.WriteHeader(http.StatusOK)
	case <-r.Context().Done():
	}
}

// shut begins the graceful shutdown; the first one who asks counts.
func (d *workerDoor) shut(user string, r *http.Request) {
	d.once.Do(func() {
		d.log.Info("shutting down", "user", user, "address", r.RemoteAddr)
		d.drain()
	})
}

// named returns who a client says it is. One that does not say it is refused:
// a page of another site cannot make a browser send either header.
func named(w http.ResponseWriter, r *http.Request) string {
	user := strings.TrimSpace(r.Header.Get("X-Trino-User"))
	if name, _, ok := r.BasicAuth(); user == "" && ok {
		user = name
	}
	if user == "" {
		w.Header().Set("WWW-Authenticate", `Basic realm="Tutti"`)
		http.Error(w, "no user: send X-Trino-User or Basic authentication", http.StatusUnauthorized)
	}
	return user
}

// lastAnswers is how long a worker that has ended waits for its last answers
// to be sent.
const lastAnswers = time.Second

// end answers those who wait for the worker's end, and closes its server.
func (d *workerDoor) end(s *http.Server) {
	close(d.done)
	ctx, cancel := context.WithTimeout(context.Background(), lastAnswers)
	defer cancel()
	if s.Shutdown(ctx) != nil {
		_ = s.Close() // nothing is lost: answers are short
	}
}

func sendJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the client has gone if this fails
}
