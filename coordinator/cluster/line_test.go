package cluster

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/tuttidb/tutti/internal/clock"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// wishes are what a coordinator wants of workers, as it changes.
type wishes struct {
	mu         sync.Mutex
	generation uint64
	drained    map[string]string
	leads      atomic.Bool
}

func (w *wishes) set(edit func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	edit()
}

func (w *wishes) serve(t *testing.T) (*Registry, pb.ClusterClient) {
	t.Helper()
	r := New(Config{
		Name: "test", NodeID: "c", Lease: time.Minute, Orphan: time.Hour, Clock: clock.System{}, Log: slog.New(slog.DiscardHandler),
		Catalogs: func() *pb.Catalogs {
			w.mu.Lock()
			defer w.mu.Unlock()
			return &pb.Catalogs{Generation: w.generation}
		},
		Known: func(string) bool { return !w.leads.Load() }, Epoch: func() uint64 { return 7 },
		Drained: func(node string) (string, bool) {
			w.mu.Lock()
			defer w.mu.Unlock()
			reason, ok := w.drained[node]
			return reason, ok
		},
	})
	l, s := bufconn.Listen(1<<16), grpc.NewServer()
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

// hear reads one message, or says that there is none.
func hear(t *testing.T, s pb.Cluster_JoinClient) *pb.JoinResponse {
	t.Helper()
	m, err := s.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestMemberFromFirstBeat: a worker that has not sent a heartbeat is none yet.
func TestMemberFromFirstBeat(t *testing.T) {
	r, c := (&wishes{}).serve(t)
	s, err := c.Join(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Send(&pb.JoinRequest{Message: &pb.JoinRequest_Hello{Hello: hello("a")}}); err != nil {
		t.Fatal(err)
	}
	if w := hear(t, s).GetWelcome(); w.GetCoordinatorId() != "c" || w.GetOrphanNanos() != int64(time.Hour) || w.GetLeaseNanos() != int64(time.Minute) {
		t.Errorf("welcome %v", w)
	}
	if hear(t, s).GetCatalogs() == nil {
		t.Error("no catalogs")
	}
	if n := len(r.Members()); n != 0 {
		t.Errorf("%d members", n)
	}
	beat(t, s, &pb.Heartbeat{MemoryUsed: 5})
	until(t, r, "joined", func() bool { m := r.Members(); return len(m) == 1 && m[0].Load.MemoryUsed == 5 })
	// Who leaves before is not missed.
	gone, err := c.Join(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := gone.Send(&pb.JoinRequest{Message: &pb.JoinRequest_Hello{Hello: hello("b")}}); err != nil {
		t.Fatal(err)
	}
	hear(t, gone)
	if err := gone.CloseSend(); err != nil {
		t.Fatal(err)
	}
	hear(t, gone)
	if _, err := gone.Recv(); err == nil {
		t.Error("it goes on")
	}
	if n := len(r.Members()); n != 1 {
		t.Errorf("%d members", n)
	}
}

// TestNews: changed catalogs reach all workers once, and drains those they are
// about, whether they joined before or after.
func TestNews(t *testing.T) {
	w := &wishes{generation: 1, drained: map[string]string{}}
	r, c := w.serve(t)
	a, b := join(t, c, hello("a")), join(t, c, hello("b"))
	for _, s := range []pb.Cluster_JoinClient{a, b} {
		hear(t, s)
		if g := hear(t, s).GetCatalogs().GetGeneration(); g != 1 {
			t.Fatalf("generation %d", g)
		}
	}
	await(t, r, 2)
	r.CatalogsChanged() // nothing has
	w.set(func() { w.generation = 2 })
	r.CatalogsChanged()
	r.CatalogsChanged()
	for _, s := range []pb.Cluster_JoinClient{a, b} {
		if g := hear(t, s).GetCatalogs().GetGeneration(); g != 2 {
			t.Errorf("generation %d", g)
		}
	}
	changed := r.Changed()
	w.set(func() { w.drained["a"], w.drained["z"] = "old disk", "later" })
	r.DrainsChanged()
	<-changed
	if live := r.Live(); len(live) != 1 || live[0].ID != "b" {
		t.Errorf("live are %v", live)
	}
	if d := hear(t, a).GetDrain(); d.GetReason() != "old disk" {
		t.Errorf("told %v", d)
	}
	r.DrainsChanged() // it is not told twice
	w.set(func() { w.generation = 3 })
	r.CatalogsChanged()
	if g := hear(t, a).GetCatalogs().GetGeneration(); g != 3 {
		t.Error("told twice")
	}
	z := join(t, c, hello("z"))
	hear(t, z)
	hear(t, z)
	if d := hear(t, z).GetDrain(); d.GetReason() != "later" {
		t.Errorf("one that joins later hears %v", d)
	}
	w.set(func() { delete(w.drained, "z") })
	r.DrainsChanged()
	await(t, r, 2)
}

// TestFollowerEndsNothing: who does not lead knows no query, and says nothing;
// who does says by which right.
func TestFollowerEndsNothing(t *testing.T) {
	w := &wishes{}
	r, c := w.serve(t)
	s := join(t, c, hello("a"))
	hear(t, s)
	hear(t, s)
	beat(t, s, &pb.Heartbeat{Queries: []string{"q"}, MemoryUsed: 1})
	eventually(t, func() bool { m := r.Members(); return len(m) == 1 && m[0].Load.MemoryUsed == 1 })
	w.leads.Store(true)
	beat(t, s, &pb.Heartbeat{Queries: []string{"p"}})
	if f := hear(t, s).GetForget(); len(f.GetQueries()) != 1 || f.Queries[0] != "p" || f.Epoch != 7 {
		t.Errorf("told %v", f)
	}
}

// eventually waits for what nobody tells of.
func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("never")
		}
	}
}

// TestDeafWorker: one that reads nothing is let go rather than waited for.
func TestDeafWorker(t *testing.T) {
	l := &line{registry: New(Config{Log: slog.New(slog.DiscardHandler)}), hello: hello("a"), out: make(chan *pb.JoinResponse, 1)}
	if err := l.say(&pb.JoinResponse{}); err != nil {
		t.Fatal(err)
	}
	if err := l.say(&pb.JoinResponse{}); status.Code(err) != codes.ResourceExhausted {
		t.Error(err)
	}
}
