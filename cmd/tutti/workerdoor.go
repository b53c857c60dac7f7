package main

import (
	"context"
	"encoding/json"
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
	log     *slog.Logger
}

// newWorkerDoor returns a worker's HTTP handler. drain begins a graceful
// shutdown.
func newWorkerDoor(w drainable, id string, drain context.CancelFunc, log *slog.Logger, figures func() nodeFigures) *workerDoor {
	d := &workerDoor{mux: http.NewServeMux(), worker: w, id: id, started: time.Now(), drain: drain, log: log}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		newNodeCollector(func() []nodeFigures { return []nodeFigures{figures()} }))
	d.mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	d.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	d.mux.HandleFunc("GET /readyz", d.ready)
	d.mux.HandleFunc("GET /v1/info", d.info)
	d.mux.HandleFunc("GET /v1/info/state", func(w http.ResponseWriter, _ *http.Request) { sendJSON(w, d.state()) })
	d.mux.HandleFunc("PUT /v1/info/state", d.setState)
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
	user := strings.TrimSpace(r.Header.Get("X-Trino-User"))
	if name, _, ok := r.BasicAuth(); user == "" && ok {
		user = name
	}
	var state string
	switch err := json.NewDecoder(io.LimitReader(r.Body, 1<<10)).Decode(&state); {
	case user == "":
		w.Header().Set("WWW-Authenticate", `Basic realm="Tutti"`)
		http.Error(w, "no user: send X-Trino-User or Basic authentication", http.StatusUnauthorized)
	case err != nil || state != "SHUTTING_DOWN":
		http.Error(w, `The only state to ask for is "SHUTTING_DOWN"`, http.StatusBadRequest)
	default:
		d.once.Do(func() {
			d.log.Info("shutting down", "user", user, "address", r.RemoteAddr)
			d.drain()
		})
		w.WriteHeader(http.StatusOK)
	}
}

func sendJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the client has gone if this fails
}
