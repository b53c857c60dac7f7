package worker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/exchange"
	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/internal/clock"
	"github.com/tuttidb/tutti/planner/plan"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// coordinatorFake is the coordinator's end of Join.
type coordinatorFake struct {
	pb.UnimplementedClusterServer
	address string
	server  *grpc.Server
	hellos  chan *pb.Hello
	beats   chan *pb.Heartbeat
	orders  chan *pb.JoinResponse
	lease   time.Duration
	id      string // what it calls itself
}

func startCoordinator(t *testing.T, auth *exchange.Auth, address string) *coordinatorFake {
	t.Helper()
	return startNamed(t, auth, "", address)
}

// startNamed starts one that calls itself by a name.
func startNamed(t *testing.T, auth *exchange.Auth, id, address string) *coordinatorFake {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	c := &coordinatorFake{
		id: id, address: l.Addr().String(), hellos: make(chan *pb.Hello, 10), beats: make(chan *pb.Heartbeat, 1000), orders: make(chan *pb.JoinResponse, 10),
		lease: 2 * time.Second,
	}
	opts := append(exchange.ServerOptions(), grpc.UnaryInterceptor(auth.UnaryServer), grpc.StreamInterceptor(auth.StreamServer))
	c.server = grpc.NewServer(opts...)
	pb.RegisterClusterServer(c.server, c)
	go func() { _ = c.server.Serve(l) }()
	t.Cleanup(c.server.Stop)
	return c
}

func (c *coordinatorFake) Join(s grpc.BidiStreamingServer[pb.JoinRequest, pb.JoinResponse]) error {
	first, err := s.Recv()
	if err != nil {
		return err
	}
	c.hellos <- first.GetHello()
	if err := s.Send(&pb.JoinResponse{Message: &pb.JoinResponse_Welcome{Welcome: &pb.Welcome{Cluster: "c", CoordinatorId: c.id, LeaseNanos: int64(c.lease)}}}); err != nil {
		return err
	}
	if err := s.Send(&pb.JoinResponse{Message: &pb.JoinResponse_Catalogs{Catalogs: &pb.Catalogs{}}}); err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() {
		for {
			m, err := s.Recv()
			if err != nil {
				failed <- err
				return
			}
			c.beats <- m.GetHeartbeat()
		}
	}()
	for {
		select {
		case m := <-c.orders:
			if err := s.Send(m); err != nil {
				return err
			}
		case err := <-failed:
			return err
		case <-s.Context().Done():
			return s.Context().Err()
		}
	}
}

// beat waits for a heartbeat that is as wanted.
func (c *coordinatorFake) beat(t *testing.T, what string, wanted func(*pb.Heartbeat) bool) {
	t.Helper()
	timeout := time.After(10 * time.Second)
	for {
		select {
		case b := <-c.beats:
			if wanted(b) {
				return
			}
		case <-timeout:
			t.Fatalf("no heartbeat with %s", what)
		}
	}
}

// joined is a worker of a node that joins coordinators until stop.
func joined(t *testing.T, n *node, catalogs *Catalogs, join ...string) (w *Worker, stop func()) {
	t.Helper()
	w, err := New(Deps{
		Hello: &pb.Hello{NodeId: "n1", Address: n.address, Incarnation: "i"}, Join: join, Conns: n.conns, Manager: n.manager,
		Catalogs: catalogs, Slabs: n.pool.Slabs, Clock: clock.System{}, Log: quiet(),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = w.Run(ctx) }()
	var once sync.Once
	stop = func() { once.Do(func() { cancel(); <-done }) }
	t.Cleanup(stop)
	return w, stop
}

func newTestCatalogs(made *[]*numbers) *Catalogs {
	return NewCatalogs(func(def *pb.CatalogDefinition) (connectors.Connector, error) {
		if def.Connector == "broken" {
			return nil, errors.New("no such bucket")
		}
		c := &numbers{}
		*made = append(*made, c)
		return c, nil
	}, clock.System{}, quiet())
}

func TestJoin(t *testing.T) {
	var made []*numbers
	catalogs := newTestCatalogs(&made)
	n := startNode(t, nil, func(d *ManagerDeps) { d.Catalogs = catalogs })
	c := startCoordinator(t, n.auth, "127.0.0.1:0")
	w, stop := joined(t, n, catalogs, "127.0.0.1:1", c.address) // the first one does not answer
	if h := <-c.hellos; h.NodeId != "n1" || h.Address != n.address || h.Protocol != Protocol || h.Oldest != OldestProtocol {
		t.Errorf("hello %v", h)
	}
	c.beat(t, "figures", func(b *pb.Heartbeat) bool {
		return b.RssBytes > 0 && b.CpuNanos > 0 && b.Goroutines > 0 && b.OpenFiles > 0 && !b.Draining
	})
	c.orders <- &pb.JoinResponse{Message: &pb.JoinResponse_Catalogs{Catalogs: &pb.Catalogs{Generation: 1, Catalogs: []*pb.CatalogDefinition{{Name: "numbers"}}}}}
	for catalogs.Generation() != 1 {
		time.Sleep(time.Millisecond)
	}
	req := request(t, "lost", scanFragment(plan.Gather), 0, 1, 1)
	req.Update.Splits = []*pb.Split{{Scan: 1, Payload: []byte("0 10")}}
	if _, err := n.client.StartTask(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	c.beat(t, "the task", func(b *pb.Heartbeat) bool { return b.RunningTasks == 1 && len(b.Queries) == 1 && b.RunningDrivers == 2 })
	c.orders <- &pb.JoinResponse{Message: &pb.JoinResponse_Forget{Forget: &pb.ForgetQueries{Queries: []string{"lost"}}}}
	c.beat(t, "nothing", func(b *pb.Heartbeat) bool { return b.RunningTasks == 0 && len(b.Queries) == 0 })
	if err := w.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.beat(t, "draining", func(b *pb.Heartbeat) bool { return b.Draining })
	if _, err := n.client.StartTask(t.Context(), request(t, "late", scanFragment(plan.Gather), 0, 1, 1)); err == nil {
		t.Error("a draining worker took a task")
	}
	stop()
	if len(made) != 1 || !made[0].closed {
		t.Errorf("connectors %v", made)
	}
}

func TestRejoinAndLease(t *testing.T) {
	var made []*numbers
	catalogs := newTestCatalogs(&made)
	n := startNode(t, &numbers{}, nil)
	c := startCoordinator(t, n.auth, "127.0.0.1:0")
	joined(t, n, catalogs, c.address)
	<-c.hellos
	// Within the lease, the coordinator comes back and the task goes on.
	if _, err := n.client.StartTask(t.Context(), request(t, "q", scanFragment(plan.Gather), 0, 1, 1)); err != nil {
		t.Fatal(err)
	}
	c.beat(t, "the task", func(b *pb.Heartbeat) bool { return b.RunningTasks == 1 })
	c.server.Stop()
	c = startCoordinator(t, n.auth, c.address)
	<-c.hellos
	c.beat(t, "the task still", func(b *pb.Heartbeat) bool { return b.RunningTasks == 1 })
	// After it, the task is ended.
	c.server.Stop()
	deadline := time.Now().Add(10 * time.Second)
	for len(n.manager.Queries()) > 0 && time.Now().Before(deadline) {
		time.Sleep(5 * time.Millisecond)
	}
	if qs := n.manager.Queries(); len(qs) > 0 {
		t.Errorf("queries %v without a coordinator", qs)
	}
}

func TestDynamicFilters(t *testing.T) {
	right := passFragment().Root.(*plan.RemoteSource)
	join := &plan.Join{Left: scanFragment(plan.Gather).Root, Right: right, Dynamic: []plan.DynamicSource{{Filter: 1}}}
	bloom := connectors.NewBloom(100)
	connectors.BloomAdd(bloom, 42)
	f := &connectors.DynamicFilter{Min: int64(1), Max: int64(9), Values: []any{int64(1), int64(9)}, Bits: []uint64{1 | 1<<8}, Bloom: bloom}
	for _, local := range []bool{true, false} {
		right.Kind = plan.Hash
		if local {
			right.Kind = plan.Replicate
		}
		changes := 0
		d := newDynamicFilters(&plan.Fragment{Root: join}, 2, 50*time.Millisecond, func() { changes++ })
		d.Publish(1, f)
		if (d.Get(1) != nil) != local || changes != 1 || len(d.published()) != 1 {
			t.Errorf("local %v: complete %v, %d changes", local, d.Get(1), changes)
		}
		d.Wait(t.Context(), 1) // at most its patience
		if err := d.update(d.published()); err != nil {
			t.Fatal(err)
		}
		if got := d.Get(1); fmt.Sprint(*got) != fmt.Sprint(*f) || !connectors.BloomHas(got.Bloom, 42) {
			t.Errorf("got %v", got)
		}
	}
	d := newDynamicFilters(&plan.Fragment{Root: join}, 2, time.Hour, func() {})
	go func() { _ = d.update([]*pb.DynamicFilter{{Id: 5, Empty: true}}) }()
	if d.Wait(t.Context(), 5); !d.Get(5).Empty {
		t.Error("waited for nothing")
	}
	for _, n := range []int{1, 8, 31, 96} {
		if err := d.update([]*pb.DynamicFilter{{Id: 6, Bloom: make([]byte, n)}}); err == nil {
			t.Errorf("bloom filter of %d bytes accepted", n)
		}
		if err := d.update([]*pb.DynamicFilter{{Id: 6, Bits: make([]byte, n)}}); err == nil {
			t.Errorf("bits of %d bytes without bounds accepted", n)
		}
	}
}

// TestDirectUse is how a coordinator uses a manager in its own process.
func TestDirectUse(t *testing.T) {
	n := startNode(t, &numbers{}, nil)
	m := n.manager
	req := request(t, "q", scanFragment(plan.Gather), 0, 1, 1)
	req.Update.Splits, req.Update.NoMore = []*pb.Split{{Scan: 1, Payload: []byte("0 5000")}}, []int32{1}
	if _, err := m.StartTask(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	var last *pb.TaskStatus
	over := errors.New("over")
	err := m.Watch(t.Context(), &pb.WatchTasksRequest{Query: "q", Epoch: 1}, func(r *pb.WatchTasksResponse) error {
		if last = r.Tasks[0]; last.State >= pb.TaskState_TASK_STATE_FINISHED {
			return over
		}
		return nil
	})
	if !errors.Is(err, over) || last.State != pb.TaskState_TASK_STATE_FINISHED {
		t.Fatalf("%v, %v", last, err)
	}
	in := exchange.NewInputs(exchange.InputsConfig{Task: plan.TaskID{Stage: plan.StageID{Query: "q"}}, Store: n.store})
	src := sourceOf(n, last, 0)
	src.Address = ""
	if err := in.Update(&pb.Inputs{Sources: []*pb.Source{src}, Complete: []int32{2}}); err != nil {
		t.Fatal(err)
	}
	r := passFragment().Root.(*plan.RemoteSource)
	r.Kind = plan.Gather
	op, err := in.Open(r, n.root)
	if err != nil {
		t.Fatal(err)
	}
	if rows, _, err := readAll(t.Context(), op); rows != 5000 || err != nil {
		t.Errorf("%d rows, %v", rows, err)
	}
	_ = op.Close()
	in.Close()
	if _, err := m.EndQuery(t.Context(), &pb.EndQueryRequest{Query: "q", Epoch: 1}); err != nil {
		t.Error(err)
	}
	n.checkEmpty(t)
}

// TestShutdownFailsTasks says so to who watches.
func TestShutdownFailsTasks(t *testing.T) {
	n := startNode(t, &numbers{}, nil)
	req := request(t, "q", scanFragment(plan.Gather), 0, 1, 1)
	if _, err := n.client.StartTask(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	w := watch(t.Context(), n, "q")
	<-w.heard
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	n.manager.Close(ctx)
	<-w.over
	st := w.last[req.Task.String()]
	if st.GetState() != pb.TaskState_TASK_STATE_FAILED || st.Failure.Cause != pb.Failure_CAUSE_NODE || !st.Failure.Retryable {
		t.Errorf("status %v", st)
	}
}

var _ exec.DynamicFilters = (*dynamicFilters)(nil)
var _ exec.Splits = (*splitQueue)(nil)
var _ exec.Catalogs = (*Catalogs)(nil)
