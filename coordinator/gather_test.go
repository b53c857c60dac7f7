package coordinator

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/tuttidb/tutti/coordinator/cluster"
	"github.com/tuttidb/tutti/internal/clock"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// joinable is a registry that workers can join, and how to have one join. The
// worker stays until ctx ends.
func joinable(t *testing.T) (r *cluster.Registry, join func(ctx context.Context, node string)) {
	t.Helper()
	r = cluster.New(cluster.Config{
		Name: "test", NodeID: "c1", Lease: time.Minute, Clock: clock.System{}, Log: slog.New(slog.DiscardHandler),
		Catalogs: func() *pb.Catalogs { return &pb.Catalogs{} }, Known: func(string) bool { return true },
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	r.Register(s)
	go func() { _ = s.Serve(l) }() // ends with Stop
	t.Cleanup(s.Stop)
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // nothing is lost
	return r, func(ctx context.Context, node string) {
		stream, err := pb.NewClusterClient(conn).Join(ctx)
		if err != nil {
			t.Error(err)
			return
		}
		for _, m := range []*pb.JoinRequest{
			{Message: &pb.JoinRequest_Hello{Hello: &pb.Hello{NodeId: node, Address: node + ":1", Incarnation: "1", Protocol: cluster.Protocol, Oldest: cluster.Oldest}}},
			{Message: &pb.JoinRequest_Heartbeat{Heartbeat: &pb.Heartbeat{}}},
		} {
			if err := stream.Send(m); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestGather: a query that goes on waits for the workers that were there, no
// longer than it must.
func TestGather(t *testing.T) {
	t.Parallel()
	const patience = 300 * time.Millisecond
	ended := make(chan struct{})
	close(ended)
	for _, c := range []struct {
		name         string
		now, later   []string
		gone, before []string
		stop         chan struct{}
		missing      []string
		waits        bool
	}{
		{name: "nobody was there", now: []string{"w1"}},
		{name: "all are here", now: []string{"w1", "w2", "w3"}, before: []string{"w2", "w1"}},
		{name: "one comes later", now: []string{"w1"}, later: []string{"w2"}, before: []string{"w1", "w2"}},
		{name: "all come later", later: []string{"w1", "w2"}, before: []string{"w1", "w2"}},
		{name: "one is known to be gone", now: []string{"w1"}, gone: []string{"w2"}, before: []string{"w1", "w2"}},
		{name: "two never come", now: []string{"w1"}, before: []string{"w3", "w1", "w2"}, missing: []string{"w2", "w3"}, waits: true},
		{name: "another one comes", now: []string{"w1"}, later: []string{"w3"}, before: []string{"w1", "w2"}, missing: []string{"w2"}, waits: true},
		{name: "the execution has ended", before: []string{"w1"}, stop: ended, missing: []string{"w1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, join := joinable(t)
			wait := func(ok func(cluster.Member) bool, nodes []string) {
				for {
					changed, n := r.Changed(), 0
					for _, m := range r.Members() {
						if slices.Contains(nodes, m.Hello.NodeId) && ok(m) {
							n++
						}
					}
					if n == len(nodes) {
						return
					}
					select {
					case <-changed:
					case <-time.After(10 * time.Second):
						t.Fatalf("%d of %v", n, nodes)
					}
				}
			}
			ctx, leave := context.WithCancel(t.Context())
			for _, node := range c.gone {
				join(ctx, node)
			}
			wait(func(cluster.Member) bool { return true }, c.gone)
			leave()
			wait(func(m cluster.Member) bool { return m.Gone != "" }, c.gone)
			for _, node := range c.now {
				join(t.Context(), node)
			}
			wait(func(cluster.Member) bool { return true }, c.now)
			for _, node := range c.later {
				time.AfterFunc(50*time.Millisecond, func() { join(t.Context(), node) })
			}
			begin, long := time.Now(), patience
			if !c.waits {
				long = 10 * time.Second
			}
			missing := gather(r, c.before, long, c.stop)
			if !slices.Equal(missing, c.missing) {
				t.Errorf("missing are %v, want %v", missing, c.missing)
			}
			if took := time.Since(begin); took >= long != c.waits {
				t.Errorf("it took %s of %s", took, long)
			}
		})
	}
}
