package worker

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tuttidb/tutti/internal/clock"
	"github.com/tuttidb/tutti/planner/plan"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// names is a name service that tests change.
type names struct {
	mu  sync.Mutex
	ips map[string][]string
}

func (n *names) lookup(_ context.Context, host string) ([]string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if ips := n.ips[host]; ips != nil {
		return ips, nil
	}
	return nil, errors.New("no such host")
}

func (n *names) set(host string, ips ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ips[host] = ips
}

// workerOf is a worker of a node that runs until the test ends.
func workerOf(t *testing.T, n *node, edit func(*Deps), join ...string) *Worker {
	t.Helper()
	var made []*numbers
	d := Deps{
		Hello: &pb.Hello{NodeId: "n1", Address: n.address, Incarnation: "i"}, Join: join, Conns: n.conns, Manager: n.manager,
		Catalogs: newTestCatalogs(&made), Clock: clock.System{}, Log: quiet(),
	}
	if edit != nil {
		edit(&d)
	}
	w, err := New(d)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = w.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return w
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("never: " + what)
		}
	}
}

func (w *Worker) coordinators() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.joined)
}

// TestJoinsAll: a worker joins all coordinators, and keeps its tasks while any
// of them is there.
func TestJoinsAll(t *testing.T) {
	n := startNode(t, &numbers{}, nil)
	var cs []*coordinatorFake
	var addresses []string
	for _, id := range []string{"c1", "c2", "c3"} {
		c := startNamed(t, n.auth, id, "127.0.0.1:0")
		cs, addresses = append(cs, c), append(addresses, c.address)
	}
	w := workerOf(t, n, nil, addresses...)
	for _, c := range cs {
		<-c.hellos
		c.beat(t, "anything", func(*pb.Heartbeat) bool { return true })
	}
	eventually(t, "joined to three", func() bool { return w.coordinators() == 3 })
	if _, err := n.client.StartTask(t.Context(), request(t, "q", scanFragment(plan.Gather), 0, 1, 1)); err != nil {
		t.Fatal(err)
	}
	for _, c := range cs {
		c.beat(t, "the task", func(b *pb.Heartbeat) bool { return b.RunningTasks == 1 })
	}
	cs[0].server.Stop()
	cs[1].server.Stop()
	eventually(t, "joined to one", func() bool { return w.coordinators() == 1 })
	time.Sleep(cs[0].lease + 200*time.Millisecond) // longer than it would keep tasks without any
	if len(n.manager.Queries()) != 1 || !w.Joined() {
		t.Error("tasks were given up though a coordinator is there")
	}
	c := startNamed(t, n.auth, "c1", cs[0].address)
	<-c.hellos
	c.beat(t, "the task", func(b *pb.Heartbeat) bool { return b.RunningTasks == 1 })
	cs[2].server.Stop()
	c.server.Stop()
	eventually(t, "nothing left without coordinators", func() bool { return len(n.manager.Queries()) == 0 })
	if w.Joined() {
		t.Error("joined to nobody")
	}
}

// TestOneCoordinatorOnce: two addresses of one coordinator make one stream of
// heartbeats, and the other address serves when the first does not.
func TestOneCoordinatorOnce(t *testing.T) {
	n := startNode(t, &numbers{}, nil)
	a, b := startNamed(t, n.auth, "c", "127.0.0.1:0"), startNamed(t, n.auth, "c", "127.0.0.1:0")
	w := workerOf(t, n, nil, a.address, b.address)
	<-a.hellos
	<-b.hellos
	eventually(t, "joined", func() bool { return w.coordinators() == 1 })
	time.Sleep(1500 * time.Millisecond)
	if (len(a.beats) == 0) == (len(b.beats) == 0) {
		t.Fatalf("%d and %d heartbeats", len(a.beats), len(b.beats))
	}
	used, other := a, b
	if len(a.beats) == 0 {
		used, other = b, a
	}
	used.server.Stop()
	other.beat(t, "anything", func(*pb.Heartbeat) bool { return true })
}

// TestNames: a name's addresses are followed as they change; while the name
// service fails they stay.
func TestNames(t *testing.T) {
	n := startNode(t, &numbers{}, nil)
	dns := &names{ips: map[string][]string{}}
	a := startNamed(t, n.auth, "a", "127.0.0.1:0")
	_, port, _ := net.SplitHostPort(a.address)
	b := startNamed(t, n.auth, "b", net.JoinHostPort("127.0.0.2", port))
	w := workerOf(t, n, func(d *Deps) { d.Lookup = dns.lookup }, net.JoinHostPort("coordinators", port))
	time.Sleep(300 * time.Millisecond) // the name is not there yet
	dns.set("coordinators", "127.0.0.1")
	<-a.hellos
	eventually(t, "joined to a", w.Joined)
	dns.set("coordinators", "127.0.0.2", "127.0.0.1")
	<-b.hellos
	eventually(t, "joined to both", func() bool { return w.coordinators() == 2 })
	dns.mu.Lock()
	dns.ips = nil
	dns.mu.Unlock()
	b.server.Stop()
	eventually(t, "one left", func() bool { return w.coordinators() == 1 })
	b = startNamed(t, n.auth, "b", b.address)
	<-b.hellos // though nobody knows the name any more
	dns.mu.Lock()
	dns.ips = map[string][]string{"coordinators": {"127.0.0.1"}}
	dns.mu.Unlock()
	eventually(t, "b is not an address any more", func() bool { return !w.isWanted(b.address) })
	if w.coordinators() != 2 {
		t.Error("a stream was ended that still served")
	}
	b.server.Stop()
	b = startCoordinator(t, n.auth, b.address)
	select {
	case <-b.hellos:
		t.Error("an address that is none any more was joined")
	case <-time.After(1500 * time.Millisecond):
	}
}

// TestMoved: a coordinator that comes back at another address is joined there
// within a second of its name saying so, though names are looked up less often
// while all is well.
func TestMoved(t *testing.T) {
	n := startNode(t, &numbers{}, nil)
	a := startNamed(t, n.auth, "a", "127.0.0.1:0")
	_, port, _ := net.SplitHostPort(a.address)
	dns := &names{ips: map[string][]string{"coordinators": {"127.0.0.1"}}}
	var looked atomic.Int64
	w := workerOf(t, n, func(d *Deps) {
		d.Lookup = func(ctx context.Context, host string) ([]string, error) { looked.Add(1); return dns.lookup(ctx, host) }
	}, net.JoinHostPort("coordinators", port))
	<-a.hellos
	eventually(t, "joined", w.Joined)
	a.server.Stop()
	eventually(t, "lost", func() bool { return !w.Joined() })
	b := startNamed(t, n.auth, "a", net.JoinHostPort("127.0.0.3", port))
	before := looked.Load()
	time.Sleep(3 * lookSoon)
	if n := looked.Load() - before; n < 2 {
		t.Errorf("the name was looked up %d times", n)
	}
	begin := time.Now()
	dns.set("coordinators", "127.0.0.3")
	<-b.hellos
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("joined after %s", took)
	}
}

// TestDrainOrder: the order is obeyed once, from whomever it comes.
func TestDrainOrder(t *testing.T) {
	n := startNode(t, &numbers{}, nil)
	a, b := startNamed(t, n.auth, "a", "127.0.0.1:0"), startNamed(t, n.auth, "b", "127.0.0.1:0")
	var stops atomic.Int32
	stopped := make(chan struct{}, 2)
	workerOf(t, n, func(d *Deps) { d.Stop = func() { stops.Add(1); stopped <- struct{}{} } }, a.address, b.address)
	for _, c := range []*coordinatorFake{a, b, a} {
		c.orders <- &pb.JoinResponse{Message: &pb.JoinResponse_Drain{Drain: &pb.DrainOrder{Reason: "old"}}}
	}
	<-stopped
	for _, c := range []*coordinatorFake{a, b} { // all orders have been read when this one is obeyed
		c.orders <- &pb.JoinResponse{Message: &pb.JoinResponse_Forget{Forget: &pb.ForgetQueries{}}}
	}
	eventually(t, "orders taken", func() bool { return len(a.orders)+len(b.orders) == 0 })
	time.Sleep(100 * time.Millisecond)
	if stops.Load() != 1 {
		t.Errorf("stopped %d times", stops.Load())
	}
}

// TestDeposedForgets: a coordinator that leads no more cannot end what its
// successor runs.
func TestDeposedForgets(t *testing.T) {
	n := startNode(t, &numbers{}, nil)
	c := startCoordinator(t, n.auth, "127.0.0.1:0")
	workerOf(t, n, nil, c.address)
	<-c.hellos
	req := request(t, "q", scanFragment(plan.Gather), 0, 1, 1)
	req.Epoch = 7
	if _, err := n.client.StartTask(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	say := func(epoch uint64) {
		c.orders <- &pb.JoinResponse{Message: &pb.JoinResponse_Forget{Forget: &pb.ForgetQueries{Queries: []string{"q"}, Epoch: epoch}}}
	}
	say(6)
	time.Sleep(200 * time.Millisecond)
	if len(n.manager.Queries()) != 1 {
		t.Fatal("an old coordinator ended a query of a newer one")
	}
	say(7)
	eventually(t, "forgotten", func() bool { return len(n.manager.Queries()) == 0 })
}

// TestOrphanLease: what Welcome says of life without coordinators goes before
// the time in which heartbeats must come.
func TestOrphanLease(t *testing.T) {
	for _, c := range []struct {
		m    *pb.Welcome
		want time.Duration
	}{
		{&pb.Welcome{}, defaultLease},
		{&pb.Welcome{LeaseNanos: 5}, 5},
		{&pb.Welcome{LeaseNanos: 5, OrphanNanos: 9}, 9},
	} {
		n := startNode(t, &numbers{}, nil)
		w, err := New(Deps{Hello: &pb.Hello{NodeId: "n", Address: n.address, Incarnation: "i"}, Join: []string{"x:1"}, Conns: n.conns, Manager: n.manager, Clock: clock.System{}, Log: quiet()})
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := w.enter("a:1", c.m); !ok || w.lease != c.want {
			t.Errorf("%v: %s, want %s", c.m, w.lease, c.want)
		}
	}
}

// TestAnotherCluster: a cluster that was founded anew is obeyed, though its
// epochs are lower than those of the one before.
func TestAnotherCluster(t *testing.T) {
	n := startNode(t, &numbers{}, nil)
	c := startCoordinator(t, n.auth, "127.0.0.1:0")
	w := workerOf(t, n, nil, c.address)
	<-c.hellos
	start := func(query string, epoch uint64) error {
		req := request(t, query, scanFragment(plan.Gather), 0, 1, 1)
		req.Epoch = epoch
		_, err := n.client.StartTask(t.Context(), req)
		return err
	}
	cluster := func(name string) {
		c.orders <- &pb.JoinResponse{Message: &pb.JoinResponse_Catalogs{Catalogs: &pb.Catalogs{Cluster: name}}}
		eventually(t, "the cluster is "+name, func() bool { w.mu.Lock(); defer w.mu.Unlock(); return w.family == name })
	}
	cluster("old")
	if err := start("a", 9); err != nil {
		t.Fatal(err)
	}
	cluster("old")
	if err := start("b", 3); err == nil {
		t.Error("an old epoch was obeyed")
	}
	cluster("new")
	if err := start("c", 3); err != nil {
		t.Error(err)
	}
}
