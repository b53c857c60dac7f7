package worker

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/tuttidb/tutti/exchange"
	"github.com/tuttidb/tutti/internal/clock"
	"github.com/tuttidb/tutti/planner/plan"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

const (
	// beat is the time between heartbeats.
	beat = time.Second
	// defaultLease is how long a worker that has not been told another one
	// keeps its tasks without a coordinator.
	defaultLease = 30 * time.Second
	// endTimeout is how long queries that end get to let go of everything.
	endTimeout = 5 * time.Second
)

// Deps are what a Worker needs.
type Deps struct {
	// Hello introduces the worker to coordinators; its node id, address and
	// incarnation must be set, the protocol versions are filled in.
	Hello *pb.Hello
	// Join are addresses of coordinators, HOST:PORT. All are joined, and of a
	// name all that it stands for.
	Join []string
	// Lookup finds the addresses of a name; nil: as the system does.
	Lookup func(ctx context.Context, host string) ([]string, error)
	// Stop is called, once, when the cluster wants the worker gone; it should
	// Drain the worker and end Run. nil: such orders are not obeyed.
	Stop func()
	// Conns connects to coordinators and other workers.
	Conns *exchange.Conns
	// Manager runs the tasks, with Catalogs as its catalogs.
	Manager  *Manager
	Catalogs *Catalogs
	// Slabs returns how many slabs are in use; nil: not reported.
	Slabs func() int64
	Clock clock.Clock
	Log   *slog.Logger
}

// Worker is a node of a cluster that runs tasks: a Manager and a stream to each
// coordinator.
type Worker struct {
	d       Deps
	manager *Manager
	drain   chan struct{} // closed by Drain
	once    sync.Once
	stop    sync.Once     // guards Deps.Stop
	lost    chan struct{} // has one when the stream to a coordinator has ended

	mu     sync.Mutex
	lease  time.Duration
	last   time.Time         // when a coordinator was last heard of
	cut    bool              // the lease has run out since
	joined map[string]string // coordinators joined now: id → address
	wanted map[string]bool   // addresses to keep joined
	family string            // the cluster that the coordinators are
}

// New returns a worker that has not joined yet.
func New(d Deps) (*Worker, error) {
	if d.Hello.GetNodeId() == "" || d.Hello.GetAddress() == "" || d.Hello.GetIncarnation() == "" {
		return nil, errors.New("worker without node id, address or incarnation")
	}
	if len(d.Join) == 0 {
		return nil, errors.New("worker without the address of a coordinator to join")
	}
	d.Hello.Protocol, d.Hello.Oldest = Protocol, OldestProtocol
	return &Worker{d: d, manager: d.Manager, drain: make(chan struct{}), lost: make(chan struct{}, 1), lease: defaultLease, last: d.Clock.Now(),
		joined: map[string]string{}, wanted: map[string]bool{}}, nil
}

// Register adds the worker's services, control and Flight, to a gRPC server,
// which must have exchange.ServerOptions and guard the control plane with
// exchange.Auth's interceptors.
func (w *Worker) Register(s *grpc.Server) {
	w.manager.Register(s)
	exchange.NewService(w.manager.d.Store, w.manager.d.Auth).Register(s)
}

// Run keeps the worker joined to all coordinators until ctx ends; then it fails
// what still runs and closes the catalogs. Call Drain first to end gracefully.
func (w *Worker) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { w.watchLease(ctx) })
	w.joinAll(ctx, &wg)
	wg.Wait()
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	w.manager.Close(end)
	w.d.Catalogs.Close()
	return nil
}

// Joined reports whether a coordinator has the worker now.
func (w *Worker) Joined() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.joined) > 0
}

// Draining reports whether Drain was called.
func (w *Worker) Draining() bool { return w.manager.Draining() }

// heard notes that the stream to a coordinator lives: gRPC's keepalive ends
// one that does not.
func (w *Worker) heard() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last, w.cut = w.d.Clock.Now(), false
}

// forget ends queries that no coordinator knows, unless a newer one has spoken
// since: what that one runs the older one cannot know.
func (w *Worker) forget(ctx context.Context, f *pb.ForgetQueries) {
	ctx, cancel := context.WithTimeout(ctx, endTimeout)
	defer cancel()
	for _, q := range f.Queries {
		if f.Epoch != 0 && w.manager.superseded(f.Epoch) { // 0: there is one coordinator only
			return
		}
		w.d.Log.Info("ending a query that no coordinator knows", "query", q)
		if err := w.manager.end(ctx, plan.QueryID(q), errQueryEnded); err != nil {
			w.d.Log.Warn("end a forgotten query", "query", q, "error", err)
		}
	}
}

// Abandon ends all queries that the manager has, for another coordinator goes on
// with them elsewhere. It may be given others at once.
func (m *Manager) Abandon(ctx context.Context) { m.endAll(ctx, errQueryEnded) }

// renew forgets which coordinator spoke last: those of another cluster count
// from the beginning.
func (m *Manager) renew() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.epoch = 0
}

// superseded reports whether a coordinator of a newer epoch has spoken.
func (m *Manager) superseded(epoch uint64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return epoch < m.epoch
}

// watchLease ends all queries when no coordinator was heard of for a lease.
func (w *Worker) watchLease(ctx context.Context) {
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if !w.leaseIsOver() {
			continue
		}
		if n := len(w.manager.Queries()); n > 0 {
			w.d.Log.Warn("no coordinator for a lease: ending all queries", "queries", n)
		}
		end, cancel := context.WithTimeout(ctx, endTimeout)
		w.manager.endAll(end, errQueryEnded)
		cancel()
	}
}

// leaseIsOver reports, once each time, that the lease has run out.
func (w *Worker) leaseIsOver() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut || w.d.Clock.Now().Sub(w.last) < w.lease {
		return false
	}
	w.cut = true
	return true
}

// Drain refuses new tasks, tells the coordinator so, and waits until no task
// runs and no output is retained, or ctx ends.
func (w *Worker) Drain(ctx context.Context) error {
	w.manager.Drain()
	w.once.Do(func() { close(w.drain) })
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		tasks, _ := w.manager.Running()
		if tasks == 0 && w.manager.d.Store.Figures().Outputs == 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
