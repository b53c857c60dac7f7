package cluster

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/tuttidb/tutti/coordinator/query"
	"github.com/tuttidb/tutti/internal/clock"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// startRegistry serves a registry in memory and returns a client of it.
func startRegistry(t *testing.T, lease time.Duration, known ...string) (*Registry, pb.ClusterClient) {
	t.Helper()
	r := New(Config{
		Name: "test", NodeID: "c", Lease: lease, Clock: clock.System{}, Log: slog.New(slog.DiscardHandler),
		Catalogs: func() *pb.Catalogs { return &pb.Catalogs{Generation: 3} },
		Known:    func(q string) bool { return slices.Contains(known, q) },
	})
	l := bufconn.Listen(1 << 16)
	s := grpc.NewServer()
	r.Register(s)
	go func() { _ = s.Serve(l) }() // ends with Stop
	t.Cleanup(s.Stop)
	conn, err := grpc.NewClient("passthrough:x", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return l.Dial() }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return r, pb.NewClusterClient(conn)
}

// place is where a worker is now, or was last.
func place(r *Registry, id string) query.Place {
	for _, m := range r.Members() {
		if m.Hello.NodeId == id {
			return query.Place{Node: id, Address: m.Hello.Address, Incarnation: m.Life}
		}
	}
	return query.Place{}
}

func hello(id string) *pb.Hello {
	return &pb.Hello{NodeId: id, Address: id + ":1", Incarnation: id + "-1", Protocol: Protocol, Oldest: Oldest, Threads: 2}
}

// join joins as a worker and returns its stream after the first answers.
func join(t *testing.T, c pb.ClusterClient, h *pb.Hello) pb.Cluster_JoinClient {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	s, err := c.Join(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Send(&pb.JoinRequest{Message: &pb.JoinRequest_Hello{Hello: h}}); err != nil {
		t.Fatal(err)
	}
	// The first heartbeat makes it a member; it fails where the stream has ended.
	_ = s.Send(&pb.JoinRequest{Message: &pb.JoinRequest_Heartbeat{Heartbeat: &pb.Heartbeat{}}})
	return s
}

func welcomed(t *testing.T, s pb.Cluster_JoinClient) {
	t.Helper()
	first, err := s.Recv()
	if err != nil || first.GetWelcome().GetCluster() != "test" {
		t.Fatalf("first answer %v, %v", first, err)
	}
	second, err := s.Recv()
	if err != nil || second.GetCatalogs().GetGeneration() != 3 {
		t.Fatalf("second answer %v, %v", second, err)
	}
}

func beat(t *testing.T, s pb.Cluster_JoinClient, h *pb.Heartbeat) {
	t.Helper()
	if err := s.Send(&pb.JoinRequest{Message: &pb.JoinRequest_Heartbeat{Heartbeat: h}}); err != nil {
		t.Fatal(err)
	}
}

// until waits for changes of the registry until ok.
func until(t *testing.T, r *Registry, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(5 * time.Second)
	for {
		changed := r.Changed()
		if ok() {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("never: %s; members %v", what, r.Members())
		}
	}
}

func TestJoinDrainLeave(t *testing.T) {
	r, c := startRegistry(t, time.Minute)
	s := join(t, c, hello("a"))
	welcomed(t, s)
	until(t, r, "joined", func() bool { return len(r.Live()) == 1 })
	lost := r.Lost(place(r, "a"))
	beat(t, s, &pb.Heartbeat{Draining: true, MemoryUsed: 7})
	until(t, r, "draining", func() bool { return len(r.Live()) == 0 })
	if m := r.Members(); len(m) != 1 || m[0].Gone != "" || m[0].Load.MemoryUsed != 7 {
		t.Errorf("a draining worker is %v", m)
	}
	if err := s.CloseSend(); err != nil {
		t.Fatal(err)
	}
	until(t, r, "left", func() bool { return r.Members()[0].Gone != "" })
	select {
	case <-lost:
	case <-time.After(5 * time.Second):
		t.Error("nobody was told that the worker left")
	}
	if r.Lost(place(r, "a")) != nil || r.Lost(query.Place{Node: "nobody"}) != nil {
		t.Error("a worker that is gone can still be lost")
	}
}

func TestSilenceEndsTheLease(t *testing.T) {
	r, c := startRegistry(t, 50*time.Millisecond)
	s := join(t, c, hello("a"))
	welcomed(t, s)
	if _, err := s.Recv(); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("a silent worker's stream ends with %v", err)
	}
	until(t, r, "gone", func() bool { return len(r.Live()) == 0 })
}

func TestRestartReplaces(t *testing.T) {
	r, c := startRegistry(t, time.Minute)
	first := join(t, c, hello("a"))
	welcomed(t, first)
	until(t, r, "joined", func() bool { return len(r.Live()) == 1 })
	lost := r.Lost(place(r, "a"))
	again := hello("a")
	again.Incarnation, again.Address = "a-2", "a:2"
	welcomed(t, join(t, c, again))
	until(t, r, "replaced", func() bool { l := r.Live(); return len(l) == 1 && l[0].Address == "a:2" })
	select {
	case <-lost:
	case <-time.After(5 * time.Second):
		t.Error("tasks of the first process are not given up")
	}
	if _, err := first.Recv(); status.Code(err) != codes.AlreadyExists {
		t.Errorf("the first process hears %v", err)
	}
}

func TestRefused(t *testing.T) {
	_, c := startRegistry(t, time.Minute)
	future := hello("a")
	future.Protocol, future.Oldest = Protocol+5, Protocol+1
	for name, h := range map[string]*pb.Hello{"no name": {Address: "x:1", Protocol: Protocol}, "no address": {NodeId: "x", Protocol: Protocol}, "too new": future} {
		if _, err := join(t, c, h).Recv(); status.Code(err) != codes.InvalidArgument && status.Code(err) != codes.FailedPrecondition {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestForgetUnknownQueries(t *testing.T) {
	_, c := startRegistry(t, time.Minute, "known")
	s := join(t, c, hello("a"))
	welcomed(t, s)
	beat(t, s, &pb.Heartbeat{Queries: []string{"known"}})
	beat(t, s, &pb.Heartbeat{Queries: []string{"known", "stale"}})
	m, err := s.Recv()
	if err != nil || !slices.Equal(m.GetForget().GetQueries(), []string{"stale"}) {
		t.Errorf("told %v, %v", m, err)
	}
}

// TestDesertedAddress: connections to an address are given up when the last
// worker there has gone, not when another process of it has joined before.
func TestDesertedAddress(t *testing.T) {
	r, c := startRegistry(t, time.Minute)
	left := make(chan string, 8)
	r.cfg.Left = func(address string) { left <- address }
	first := hello("a")
	_ = join(t, c, first)
	await(t, r, 1)
	again := hello("a") // the same address, before the registry has seen the first one go
	again.Incarnation = "a-2"
	s := join(t, c, again)
	other := join(t, c, hello("b"))
	await(t, r, 2)
	if err := other.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if got := <-left; got != "b:1" {
		t.Errorf("%s is deserted", got)
	}
	if err := s.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if got := <-left; got != "a:1" {
		t.Errorf("%s is deserted", got)
	}
	if len(left) > 0 {
		t.Errorf("%s is deserted twice", <-left)
	}
}

// TestDesertedOnce has a process replaced by one that goes before the end of
// the old one is seen, in either order.
func TestDesertedOnce(t *testing.T) {
	for _, oldFirst := range []bool{true, false} {
		r, _ := startRegistry(t, time.Minute)
		var left []string
		r.cfg.Left = func(address string) { left = append(left, address) }
		old := r.add(hello("a"))
		heir := hello("a")
		heir.Incarnation = "a-2"
		m := r.add(heir)
		if oldFirst {
			r.remove(old, "replaced")
		}
		r.remove(m, "left")
		if !oldFirst {
			r.remove(old, "replaced")
		}
		if !slices.Equal(left, []string{"a:1"}) {
			t.Errorf("old one first: %v; deserted: %v", oldFirst, left)
		}
	}
}

// await waits until so many workers are live.
func await(t *testing.T, r *Registry, n int) {
	t.Helper()
	for deadline := time.After(10 * time.Second); len(r.Live()) != n; {
		select {
		case <-r.Changed():
		case <-time.After(5 * time.Millisecond):
		case <-deadline:
			t.Fatalf("%d workers of %d", len(r.Live()), n)
		}
	}
}

// TestFlapping: a worker that is lost again and again is set aside, with the
// reason, unless there is no other; each time that it joins is another life.
func TestFlapping(t *testing.T) {
	r, c := startRegistry(t, time.Minute)
	lives := map[string]bool{}
	for range flapLimit {
		s := join(t, c, hello("a"))
		welcomed(t, s)
		await(t, r, 1)
		lives[place(r, "a").Incarnation] = true
		if err := s.CloseSend(); err != nil {
			t.Fatal(err)
		}
		await(t, r, 0)
	}
	if len(lives) != flapLimit {
		t.Errorf("%d lives of %d", len(lives), flapLimit)
	}
	welcomed(t, join(t, c, hello("a")))
	until(t, r, "used where there is no other", func() bool { return len(r.Live()) == 1 })
	if m := r.Members()[0]; !strings.Contains(m.Aside, "lost 3 times") {
		t.Errorf("set aside because %q", m.Aside)
	}
	welcomed(t, join(t, c, hello("b")))
	until(t, r, "set aside", func() bool { l := r.Live(); return len(l) == 1 && l[0].ID == "b" })
}
