package worker

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
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
	// minBackoff and maxBackoff bound the pause before joining again.
	minBackoff, maxBackoff = 100 * time.Millisecond, 2 * time.Second
	// endTimeout is how long queries that end get to let go of everything.
	endTimeout = 5 * time.Second
)

// Deps are what a Worker needs.
type Deps struct {
	// Hello introduces the worker to coordinators; its node id, address and
	// incarnation must be set, the protocol versions are filled in.
	Hello *pb.Hello
	// Join are the addresses of coordinators, tried in turn.
	Join []string
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

// Worker is a node of a cluster that runs tasks: a Manager and the stream to
// the coordinator.
type Worker struct {
	d       Deps
	manager *Manager
	drain   chan struct{} // closed by Drain
	once    sync.Once

	mu    sync.Mutex
	lease time.Duration
	last  time.Time // when a coordinator was last heard of
	cut   bool      // the lease has run out since
	in    bool      // joined to a coordinator now
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
	return &Worker{d: d, manager: d.Manager, drain: make(chan struct{}), lease: defaultLease, last: d.Clock.Now()}, nil
}

// Register adds the worker's services, control and Flight, to a gRPC server,
// which must have exchange.ServerOptions and guard the control plane with
// exchange.Auth's interceptors.
func (w *Worker) Register(s *grpc.Server) {
	w.manager.Register(s)
	exchange.NewService(w.manager.d.Store, w.manager.d.Auth).Register(s)
}

// Run keeps the worker joined to a coordinator until ctx ends; then it fails
// what still runs and closes the catalogs. Call Drain first to end gracefully.
func (w *Worker) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { w.watchLease(ctx) })
	pause := minBackoff
	for i := 0; ctx.Err() == nil; i++ {
		address := w.d.Join[i%len(w.d.Join)]
		joined, err := w.join(ctx, address)
		if ctx.Err() != nil {
			break
		}
		if joined {
			pause = minBackoff
		}
		w.d.Log.Warn("not joined to a coordinator", "address", address, "error", err)
		w.sleep(ctx, pause/2+rand.N(pause))
		if (i+1)%len(w.d.Join) == 0 {
			pause = min(2*pause, maxBackoff)
		}
	}
	wg.Wait()
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	w.manager.Close(end)
	w.d.Catalogs.Close()
	return nil
}

func (w *Worker) sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// join joins one coordinator and stays until the stream ends. joined says
// that the coordinator took the worker.
func (w *Worker) join(ctx context.Context, address string) (joined bool, err error) {
	conn, err := w.d.Conns.Get(address)
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	stream, err := pb.NewClusterClient(conn).Join(ctx)
	if err != nil {
		return false, err
	}
	if err := stream.Send(&pb.JoinRequest{Message: &pb.JoinRequest_Hello{Hello: w.d.Hello}}); err != nil {
		_, err = stream.Recv() // has the reason
		return false, err
	}
	wg.Go(func() { w.beat(ctx, stream, cancel) })
	defer w.setJoined(false)
	for {
		msg, err := stream.Recv()
		if err != nil {
			return joined, err
		}
		w.heard()
		if welcome := msg.GetWelcome(); welcome != nil {
			joined = true
			w.setJoined(true)
			w.welcome(address, welcome)
		}
		if c := msg.GetCatalogs(); c != nil {
			w.d.Catalogs.Set(c)
		}
		if f := msg.GetForget(); f != nil {
			wg.Go(func() { w.forget(ctx, f.Queries) })
		}
	}
}

// beat sends heartbeats until the stream ends.
func (w *Worker) beat(ctx context.Context, stream pb.Cluster_JoinClient, cancel context.CancelFunc) {
	defer cancel()
	tick := time.NewTicker(beat)
	defer tick.Stop()
	drain := w.drain
	for {
		if err := stream.Send(&pb.JoinRequest{Message: &pb.JoinRequest_Heartbeat{Heartbeat: w.heartbeat()}}); err != nil {
			return // Recv has the reason
		}
		w.heard()
		w.d.Catalogs.CloseRetired(w.manager.Oldest())
		select {
		case <-tick.C:
		case <-drain:
			drain = nil // said at once, and once
		case <-ctx.Done():
			return
		}
	}
}

func (w *Worker) setJoined(in bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.in = in
}

// Joined reports whether a coordinator has the worker now.
func (w *Worker) Joined() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.in
}

// Draining reports whether Drain was called.
func (w *Worker) Draining() bool { return w.manager.Draining() }

func (w *Worker) welcome(address string, m *pb.Welcome) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if m.LeaseNanos > 0 {
		w.lease = time.Duration(m.LeaseNanos)
	}
	w.d.Log.Info("joined coordinator", "address", address, "cluster", m.Cluster, "coordinator", m.CoordinatorId)
}

// heard notes that the stream to a coordinator lives: gRPC's keepalive ends
// one that does not.
func (w *Worker) heard() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last, w.cut = w.d.Clock.Now(), false
}

// forget ends queries that no coordinator knows.
func (w *Worker) forget(ctx context.Context, queries []string) {
	ctx, cancel := context.WithTimeout(ctx, endTimeout)
	defer cancel()
	for _, q := range queries {
		w.d.Log.Info("ending a query that no coordinator knows", "query", q)
		if err := w.manager.end(ctx, plan.QueryID(q), errQueryEnded); err != nil {
			w.d.Log.Warn("end a forgotten query", "query", q, "error", err)
		}
	}
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
