package main

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/tuttidb/tutti/coordinator"
	"github.com/tuttidb/tutti/coordinator/backlog"
	"github.com/tuttidb/tutti/coordinator/journal"
	"github.com/tuttidb/tutti/coordinator/meta"
	"github.com/tuttidb/tutti/coordinator/reign"
	"github.com/tuttidb/tutti/coordinator/server"
	"github.com/tuttidb/tutti/internal/clock"
	"github.com/tuttidb/tutti/ui"
)

// government is what lives as long as a leadership of this process: the
// queries, their results, and the metrics of both. It is a reign.Reign.
type government struct {
	*server.Server
	seat        *seat
	epoch       uint64
	coordinator *coordinator.Coordinator
	journal     *journal.Journal
	metrics     *prometheus.Registry
}

// rule is the present government, if there is one.
type rule struct{ now atomic.Pointer[government] }

// known reports whether a query is none that workers should end. Who does not
// rule cannot tell, and says that it is.
func (r *rule) known(query string) bool {
	g := r.now.Load()
	return g == nil || g.coordinator.Running(query)
}

// epoch is that of the present government, 0 for none.
func (r *rule) epoch() uint64 {
	if g := r.now.Load(); g != nil {
		return g.epoch
	}
	return 0
}

// lead governs while this process leads.
func (s *seat) lead(ctx context.Context, l meta.Leadership) error {
	select {
	case <-s.wired:
	case <-ctx.Done():
		return ctx.Err()
	}
	go s.recordWorkers(ctx, l.Epoch)
	return s.router.Lead(ctx, func(context.Context) (reign.Reign, error) { return s.govern(l) })
}

// govern makes a government that goes on where the one before was lost.
func (s *seat) govern(l meta.Leadership) (*government, error) {
	begin := time.Now()
	entries, err := journal.Read(l.Remembered, s.node.State())
	if err != nil { // of single queries; the others go on
		s.p.log.Error("some queries of the coordinator before cannot be read", "error", err)
	}
	limits := server.Limits{ClientTimeout: s.p.cfg.ClientTimeout}
	j, err := journal.New(journal.Config{
		Memory: s.node, Epoch: l.Epoch, Alone: s.node.Alone(), Keep: server.DefaultLimits.Keep, ClientTimeout: s.p.cfg.ClientTimeout,
		Clock: clock.System{}, Log: s.p.log,
	})
	if err != nil {
		return nil, err
	}
	s.countLost(j, l, entries)
	s.front.definitions.follow(s.node.State()) // all that the coordinators before made
	d := s.front.deps()
	d.Epoch, d.Journal, d.Succeeded = l.Epoch, j, !s.node.Alone()
	workers := &coordinator.Distributed{
		Registry: s.registry, Conns: s.conns, Auth: s.auth, Account: s.p.account,
		Self: s.address, WorkerWait: s.p.cfg.WorkerWait, Log: s.p.log, Epoch: l.Epoch, Succeeded: !s.node.Alone(),
		Before: workersBefore(s.node.State()),
	}
	d.Cluster = workers
	g := &government{seat: s, epoch: l.Epoch, coordinator: s.front.begin(d), journal: j, metrics: prometheus.NewRegistry()}
	g.metrics.MustRegister(newNodeCollector(func() []nodeFigures { return workerFigures(s.registry) }),
		newBacklogCollector(func() (backlog.Figures, bool) { return measured(g.coordinator), true }))
	g.metrics.MustRegister(recoveryMetrics(s.registry, workers)...)
	g.Server, err = server.New(server.Config{
		Engine: g.coordinator, Journal: j, Log: s.p.log, Clock: clock.System{}, Version: version, NodeID: s.id, Environment: s.p.cfg.Environment,
		Registerer: g.metrics, Limits: limits, Named: true,
		More: map[string]http.Handler{"GET " + backlogPath: backlogHandler(func() backlog.Figures { return measured(g.coordinator) })},
	})
	if err != nil {
		g.coordinator.Abandon()
		j.Close()
		return nil, err
	}
	g.Server.Restore(entries)
	s.rule.now.Store(g) // from now on it knows all queries there are
	s.p.log.Info("goes on where the one before was lost", "epoch", l.Epoch, "statements", len(entries), "took", time.Since(begin).Round(time.Millisecond))
	return g, nil
}

// countLost notes that the leader before was lost with the queries it ran, if it
// was: before any of them goes on.
func (s *seat) countLost(j *journal.Journal, l meta.Leadership, entries []*journal.Entry) {
	if l.HandedOver {
		return
	}
	if err := j.Lost(context.Background(), entries); err != nil {
		s.p.log.Warn("count the coordinators that were lost with a query", "error", err)
	}
}

// Abandon drops everything where it stands: a successor goes on with it.
func (g *government) Abandon() {
	g.seat.rule.now.CompareAndSwap(g, nil) // before its queries are gone
	g.Server.Abandon()
	g.coordinator.Abandon()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	g.seat.manager.Abandon(ctx)
}

// serve answers HTTP until ctx ends or a client asks for the end.
func (s *seat) serve(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		newNodeCollector(func() []nodeFigures { return []nodeFigures{s.figures()} }))
	var err error
	s.local, err = server.NewLocal(server.Config{
		Log: s.p.log, Clock: clock.System{}, Version: version, NodeID: s.id, Environment: s.p.cfg.Environment, UI: ui.Files(),
		Ready: func() error { return s.router.Ready() }, Shutdown: func() { s.drain(ctx, drainTime); stop() },
	})
	if err != nil {
		return failure(err)
	}
	own := http.NewServeMux()
	own.Handle("/", s.local)
	own.Handle("GET /metrics", s.showMetrics(metrics))
	s.router = reign.New(reign.Config{
		NameHeader: server.StatementHeader,
		Node:       s.node, Local: own, IsLocal: reign.LocalPath, Log: s.p.log, HoldStatement: s.p.cfg.LeaderWait, Hold: 2 * s.p.cfg.LeaderWait,
	})
	metrics.MustRegister(s.leaderMetrics()...)
	defer s.router.Close()
	close(s.wired)
	if l := s.node.HTTPListener(); l != nil {
		inner := server.HTTP(s.router.Inner(), s.p.log)
		go func() { _ = inner.Serve(l) }() // ends with Close
		defer func() { _ = inner.Close() }()
	}
	s.door.gate.Open(s.router)
	if err := s.p.serveMetricsAPI(ctx, s.door.gate); err != nil {
		return err
	}
	announce(s.door.role, s.door.listener)
	select {
	case err = <-s.door.done:
		return failure(err)
	case <-s.node.Failed():
		return failure(s.node.Err())
	case <-ctx.Done():
	}
	return s.end()
}

// drain lets the clients of running statements read them where nobody else can
// go on with them, for a while. It returns false if some have not: their
// statements are left as they are, for whoever is started next.
func (s *seat) drain(ctx context.Context, patience time.Duration) (all bool) {
	g := s.rule.now.Load()
	if g == nil || !s.node.Alone() {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := g.Drain(ctx); err != nil {
		s.p.log.Warn("drain", "error", err)
		return false
	}
	if err := g.journal.Flush(ctx); err != nil {
		s.p.log.Warn("write down which statements have ended", "error", err)
	}
	return true
}

const (
	// handOverTime bounds how long a coordinator that ends looks for another to
	// lead, answerTime how long requests get that are being answered when the doors
	// close.
	handOverTime, answerTime = 5 * time.Second, 3 * time.Second
	// lastTime is how long one without peers that ends at once, by a signal, goes
	// on for clients of running statements.
	lastTime = 8 * time.Second
)

// end stops the process so that nobody notices: it says that it is not ready,
// has another coordinator lead, to which it forwards what still comes, asks its
// clients to connect to others, and then closes its doors. One without peers
// gives the clients of running statements a moment instead; who has not read his
// by then finds it again when the process is started again.
func (s *seat) end() error {
	s.local.End()
	if !s.node.Alone() {
		s.handOver()
		s.part()
	}
	over := s.drain(context.Background(), lastTime)
	ctx, cancel := context.WithTimeout(context.Background(), answerTime)
	defer cancel()
	defer func() { _ = s.node.Close() }() // with the reign, if there still is one: what that needs is still there
	if g := s.rule.now.Load(); g != nil && s.node.Alone() {
		if err := s.node.Resign(ctx); err != nil {
			s.p.log.Warn("write down that this is an orderly end", "error", err)
		}
		if over {
			g.Close() // answers those who wait
			defer g.coordinator.Close()
		}
	}
	err := s.door.http.Shutdown(ctx)
	if err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, context.DeadlineExceeded) {
		return failure(err)
	}
	return nil
}

// part lets clients leave for other coordinators.
func (s *seat) part() {
	ctx, cancel := context.WithTimeout(context.Background(), partingTime)
	defer cancel()
	s.door.parting.Part(ctx)
}

// handOver makes another coordinator lead if this one does, and waits until
// one has taken over, as far as that can be seen.
func (s *seat) handOver() {
	ctx, cancel := context.WithTimeout(context.Background(), handOverTime)
	defer cancel()
	if leader, _ := s.node.Leader(); leader != s.id {
		return
	}
	if err := s.node.HandOver(ctx, ""); err != nil {
		s.p.log.Warn("no other coordinator takes the lead", "error", err)
		return
	}
	if err := s.node.WaitLeader(ctx); err != nil {
		s.p.log.Warn("the next coordinator has not taken over yet", "error", err)
	}
}

// figures are this process's own.
func (s *seat) figures() nodeFigures {
	own, kept := s.p.figures(s.id), s.store.Figures()
	own.values["tutti_node_retained_bytes"] = float64(kept.MemoryBytes + kept.DiskBytes)
	own.values["tutti_node_queries"] = float64(len(s.manager.Queries()))
	return own
}
