package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/tuttidb/tutti/cmd/tutti/config"
	"github.com/tuttidb/tutti/cmd/tutti/engine"
	"github.com/tuttidb/tutti/connectors/system"
	"github.com/tuttidb/tutti/coordinator"
	"github.com/tuttidb/tutti/coordinator/backlog"
	"github.com/tuttidb/tutti/coordinator/server"
	"github.com/tuttidb/tutti/internal/clock"
	"github.com/tuttidb/tutti/ui"
)

// front is the coordinating half of a process: catalogs, coordinator, HTTP.
type front struct {
	p           *process
	id          string
	nodes       func() []coordinator.NodeInfo
	catalogs    *coordinator.Catalogs
	definitions *definitions
	// now is the coordinator of this process's present reign, or of its last.
	now atomic.Pointer[coordinator.Coordinator]
}

// engine returns the coordinator; nil before there was one.
func (f *front) engine() *coordinator.Coordinator { return f.now.Load() }

// newFront reads the catalogs.
func newFront(p *process, id string, nodes func() []coordinator.NodeInfo, catalogs *coordinator.Catalogs) (*front, error) {
	f := &front{p: p, id: id, nodes: nodes, catalogs: catalogs}
	list, err := config.Catalogs(catalogDir(p.cfg))
	if err != nil {
		return nil, usage(err)
	}
	list = withDefaults(list, p.cfg, p.builder.singleProcess)
	for _, def := range list {
		conn, err := p.builder.build(def)
		if err != nil {
			return nil, usage(err)
		}
		if err := f.catalogs.Add(def.Name, def.Connector, system.InformationSchema(def.Name, conn)); err != nil {
			return nil, usage(err)
		}
	}
	view := engine.SystemView{Coordinator: f.engine}
	if err := f.catalogs.Add("system", "system", system.InformationSchema("system", system.New(f.catalogs, view))); err != nil {
		return nil, usage(fmt.Errorf("the catalog name system is taken: %w", err))
	}
	f.definitions = newDefinitions(definitionsDeps{files: list, builder: p.builder, catalogs: f.catalogs, static: p.cfg.StaticCatalogs(), clock: clock.System{}, log: p.log})
	return f, nil
}

// deps are what a coordinator of this process needs; plans run in the process.
func (f *front) deps() coordinator.Deps {
	p := f.p
	return coordinator.Deps{
		Catalogs: f.catalogs, Definitions: f.definitions, Folder: engine.Folder{Account: p.account},
		Local: &engine.Local{Account: p.account, Catalogs: f.catalogs, QueryLimit: int64(p.cfg.QueryMemoryLimit), Log: p.log},
		Nodes: f.nodes, Clock: clock.System{}, Log: p.log, NodeID: f.id, Version: version,
		Limits: coordinator.Limits{
			MaxRunning: p.cfg.MaxRunning, MaxQueued: p.cfg.MaxQueued, ClientTimeout: p.cfg.ClientTimeout,
			ReservedMemory: int64(p.cfg.ReservedMemory), QueryMemory: int64(p.cfg.QueryMemoryLimit),
		},
	}
}

// begin makes the coordinator, in place of an earlier one.
func (f *front) begin(d coordinator.Deps) *coordinator.Coordinator {
	c := coordinator.New(d)
	f.now.Store(c)
	return c
}

// door is a port that answers from the start of a process: that it is not
// ready, until a front serves it.
type door struct {
	role     string
	listener net.Listener
	gate     *server.Gate
	parting  *parting
	http     *http.Server
	done     chan error
}

// openDoor answers HTTP on l.
func (p *process) openDoor(role string, l net.Listener, id string) *door {
	d := &door{role: role, listener: l, done: make(chan error, 1), gate: server.NewGate(server.Config{
		Clock: clock.System{}, Version: version, NodeID: id, Environment: p.cfg.Environment,
	})}
	d.parting = newParting(d.gate)
	d.http = server.HTTP(d.parting, p.log)
	d.parting.Watch(d.http)
	go func() { d.done <- d.http.Serve(l) }()
	return d
}

// serve answers HTTP on d until ctx ends or a client asks for the end and the
// running statements have been read. figures are the metrics of the nodes.
func (f *front) serve(ctx context.Context, d *door, figures func() []nodeFigures) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var s *server.Server // that Shutdown drains
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), newNodeCollector(figures),
		newBacklogCollector(func() (backlog.Figures, bool) { return measured(f.engine()), true }))
	var err error
	s, err = server.New(server.Config{
		Shutdown: func() { f.drain(ctx, s); stop() }, Engine: f.engine(), Log: f.p.log, Clock: clock.System{}, Version: version, NodeID: f.id,
		Environment: f.p.cfg.Environment, Registerer: registry, Gatherer: registry,
		More: map[string]http.Handler{"GET " + backlogPath: backlogHandler(func() backlog.Figures { return measured(f.engine()) })},
		UI:   ui.Files(), Limits: server.Limits{ClientTimeout: f.p.cfg.ClientTimeout},
	})
	if err != nil {
		return failure(err)
	}
	d.gate.Open(s)
	if err := f.p.serveMetricsAPI(ctx, d.gate); err != nil {
		return err
	}
	announce(d.role, d.listener)
	select {
	case err := <-d.done:
		return failure(err)
	case <-ctx.Done():
	}
	s.Close()
	end, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	err = d.http.Shutdown(end)
	f.engine().Close()
	if err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, context.DeadlineExceeded) {
		return failure(err)
	}
	return nil
}

// drain waits for the clients of running statements, but not for ever.
func (f *front) drain(ctx context.Context, s *server.Server) {
	ctx, cancel := context.WithTimeout(ctx, drainTime)
	defer cancel()
	if err := s.Drain(ctx); err != nil {
		f.p.log.Warn("drain", "error", err)
	}
}

// announce tells a person how to connect.
func announce(role string, l net.Listener) {
	url := "http://" + l.Addr().String()
	fmt.Printf("Tutti %s is ready (%s)\n  web page   %s/ui/\n  shell      tutti sql --server %s\n  JDBC       jdbc:trino://%s\n", role, version, url, url, l.Addr())
}
