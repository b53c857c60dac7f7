package exchange

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/apache/arrow-go/v18/arrow/flight"

	"github.com/tuttidb/tutti/planner/plan"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
	"github.com/tuttidb/tutti/sql/types"
)

// copyOf is the copy of an output that another node has.
func (n *testNode) copyOf(from *testNode, id plan.TaskID, ends []PartitionEnd) CopyConfig {
	return CopyConfig{Task: id, Address: from.address, Ends: ends, Account: n.root.Child("copy", 0), Conns: n.conns, Auth: n.auth}
}

// mustCopy copies an output.
func (n *testNode) mustCopy(t *testing.T, from *testNode, id plan.TaskID, ends []PartitionEnd) {
	t.Helper()
	if err := n.store.Copy(t.Context(), n.copyOf(from, id, ends)); err != nil {
		t.Fatal(err)
	}
}

// bodies are the bytes of all frames of a partition, headers first.
func bodies(t *testing.T, n *testNode, id plan.TaskID, part int) (all []string) {
	t.Helper()
	r, err := n.store.Open(id, part, 0)
	if err != nil {
		t.Fatal(err)
	}
	for {
		h, err := r.Next(t.Context(), n.root)
		if err != nil {
			t.Fatal(err)
		}
		if h == nil {
			return all
		}
		all = append(all, fmt.Sprintf("%d %x %s", h.Rows, h.Header, h.Body))
		h.Release()
	}
}

// readAll reads partitions of an output from a node, and returns the rows and
// the sum of their numbers.
func readAll(t *testing.T, reader, from *testNode, id plan.TaskID, ends []PartitionEnd) (rows, total int64) {
	t.Helper()
	for p, end := range ends {
		in := reader.inputs(p)
		if err := in.Update(&pb.Inputs{Sources: []*pb.Source{sourceOf(from, id, end)}, Complete: []int32{int32(id.Stage.Fragment)}}); err != nil {
			t.Fatal(err)
		}
		r, s, err := consume(t.Context(), in, remoteNode(plan.Hash, id.Stage.Fragment), reader.root.Child("reader", 0), 2)
		in.Close()
		if err != nil {
			t.Fatal(err)
		}
		rows, total = rows+r, total+s
	}
	return rows, total
}

// TestCopy: a copy has the same bytes, wherever they are kept, and is read as the
// output itself is, on its own node and from others, when that is gone.
func TestCopy(t *testing.T) {
	for _, c := range []struct {
		name  string
		with  Compression
		parts int
		rows  int64
		disk  bool
	}{
		{"plain", None, 3, 60_000, false},
		{"to disk", None, 3, 60_000, true},
		{"lz4", LZ4, 2, 30_000, false},
		{"zstd to disk", Zstd, 1, 30_000, true},
		{"a partition without rows", None, 4, 3, false},
		{"no rows", None, 2, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := nodeConfig{secret: "s"}
			if c.disk {
				cfg.memory, cfg.disk, cfg.dir = 100_000, 1<<30, t.TempDir()
			}
			a, b, other := newNode(t, nodeConfig{secret: "s"}), newNode(t, cfg), newNode(t, nodeConfig{secret: "s"})
			id := taskID(1, 0, 3)
			ends := produce(t, a, id, c.parts, 0, c.rows, c.with)
			b.mustCopy(t, a, id, ends)
			for p := range c.parts {
				if got, want := bodies(t, b, id, p), bodies(t, a, id, p); fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("partition %d: %d frames that are not the %d of the output", p, len(got), len(want))
				}
			}
			if f := b.store.Figures(); f.Outputs != 1 || c.disk && f.DiskBytes == 0 {
				t.Errorf("figures %+v", f)
			}
			a.server.Stop()
			a.store.Release(id)
			b.mustCopy(t, a, id, ends) // has been done
			for name, reader := range map[string]*testNode{"its own node": b, "another node": other} {
				if rows, total := readAll(t, reader, b, id, ends); rows != c.rows || total != c.rows*(c.rows-1)/2 {
					t.Errorf("on %s: %d rows with sum %d", name, rows, total)
				}
			}
			b.store.Release(id)
			if f := b.store.Figures(); f != (Figures{}) {
				t.Errorf("figures after the release %+v", f)
			}
		})
	}
}

// TestCopyOfACopy: a copy can be copied on.
func TestCopyOfACopy(t *testing.T) {
	a, b, c := newNode(t, nodeConfig{}), newNode(t, nodeConfig{}), newNode(t, nodeConfig{})
	id := taskID(1, 0, 0)
	ends := produce(t, a, id, 2, 0, 20_000, None)
	b.mustCopy(t, a, id, ends)
	a.store.Release(id)
	c.mustCopy(t, b, id, ends)
	if rows, total := readAll(t, a, c, id, ends); rows != 20_000 || total != 20_000*19_999/2 {
		t.Errorf("%d rows with sum %d", rows, total)
	}
	c.store.ReleaseQuery("q")
	b.store.ReleaseQuery("q")
}

// TestCopyFails: what cannot be had as it was committed is not kept.
func TestCopyFails(t *testing.T) {
	id := taskID(1, 0, 0)
	a := newNode(t, nodeConfig{})
	ends := produce(t, a, id, 2, 0, 20_000, None)
	running, err := a.store.NewOutput(OutputConfig{Task: taskID(2, 0, 0), Types: rowTypes, Partitions: 1, Account: a.root})
	if err != nil {
		t.Fatal(err)
	}
	defer running.Abort()
	with := func(p int, change func(*PartitionEnd)) func(*CopyConfig) {
		return func(c *CopyConfig) {
			c.Ends = append([]PartitionEnd(nil), ends...)
			change(&c.Ends[p])
		}
	}
	for name, c := range map[string]struct {
		change func(*CopyConfig)
		cfg    nodeConfig
		want   string
	}{
		"fewer frames are there":     {with(1, func(e *PartitionEnd) { e.Frames++ }), nodeConfig{}, "were committed"},
		"more frames are there":      {with(1, func(e *PartitionEnd) { e.Frames-- }), nodeConfig{}, "committed"},
		"other rows are there":       {with(0, func(e *PartitionEnd) { e.Rows-- }), nodeConfig{}, "were committed"},
		"rows in no frames":          {with(0, func(e *PartitionEnd) { e.Frames = 0 }), nodeConfig{}, "were committed"},
		"negative":                   {with(0, func(e *PartitionEnd) { e.Frames = -1 }), nodeConfig{}, "-1 frames"},
		"no partitions":              {func(c *CopyConfig) { c.Ends = nil }, nodeConfig{}, "without partitions"},
		"partitions that are none":   {func(c *CopyConfig) { c.Ends = append(ends[:2:2], ends[0]) }, nodeConfig{}, "has 2 partitions"},
		"an unknown attempt":         {func(c *CopyConfig) { c.Task.Attempt++ }, nodeConfig{}, "does not have it"},
		"nobody at the address":      {func(c *CopyConfig) { c.Address = "127.0.0.1:1" }, nodeConfig{}, "connection refused"},
		"no memory, and no disk":     {func(*CopyConfig) {}, nodeConfig{memory: 1000}, "memory limit"},
		"no room on disk":            {func(*CopyConfig) {}, nodeConfig{memory: 1000, disk: 1000, dir: t.TempDir()}, "disk limit"},
		"a secret that is not known": {func(*CopyConfig) {}, nodeConfig{secret: "other"}, ""},
		"an attempt that runs": {func(c *CopyConfig) {
			c.Task, c.Ends = taskID(2, 0, 0), []PartitionEnd{{Frames: 1, Rows: 1}}
		}, nodeConfig{}, "deadline"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newNode(t, c.cfg)
			cfg := b.copyOf(a, id, ends)
			c.change(&cfg)
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			err := b.store.Copy(ctx, cfg)
			if c.want == "" { // whoever has a secret believes none without; who has none believes the loopback
				if err != nil {
					t.Error(err)
				}
				b.store.Release(id)
				return
			}
			if err == nil || !strings.Contains(strings.ToLower(err.Error()), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			var lost *LostOutput
			if errors.As(err, &lost) != (name == "an unknown attempt") {
				t.Errorf("a loss: %v", err)
			}
			if f := b.store.Figures(); f != (Figures{}) {
				t.Errorf("left: %+v", f)
			}
		})
	}
}

// slowSource serves frames as it is told: a fake of a node.
type slowSource struct {
	flight.BaseFlightServer
	send func(n int, stream flight.FlightService_DoGetServer) error
	mu   sync.Mutex
	n    int
}

func (s *slowSource) DoGet(_ *flight.Ticket, stream flight.FlightService_DoGetServer) error {
	s.mu.Lock()
	s.n++
	n := s.n
	s.mu.Unlock()
	return s.send(n, stream)
}

// serveFake serves a fake node and returns its address.
func serveFake(t *testing.T, send func(n int, stream flight.FlightService_DoGetServer) error) string {
	t.Helper()
	server := grpc.NewServer()
	flight.RegisterFlightServiceServer(server, &slowSource{send: send})
	l := listen(t, "127.0.0.1:0")
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(l) }()
	t.Cleanup(func() { server.Stop(); <-served })
	return l.Addr().String()
}

// TestCopyOfMalformedFrames: frames that are none, or end where they should not,
// are not kept.
func TestCopyOfMalformedFrames(t *testing.T) {
	good := (&recordMeta{rows: 5, body: 8, codec: -1}).marshal()
	for name, messages := range map[string][]*flight.FlightData{
		"header of noise":   {{DataHeader: []byte("noise, and more noise"), DataBody: []byte("12345678")}},
		"no header":         {{DataBody: []byte("12345678")}},
		"no body":           {{DataHeader: good}},
		"negative rows":     {{DataHeader: (&recordMeta{rows: -5, codec: -1}).marshal(), DataBody: []byte("12345678")}},
		"too many rows":     {{DataHeader: (&recordMeta{rows: 1 << 40, codec: -1}).marshal(), DataBody: []byte("12345678")}},
		"no end":            {{DataHeader: good, DataBody: []byte("12345678")}},
		"an end of noise":   {{DataHeader: good, DataBody: []byte("12345678")}, {AppMetadata: []byte{0xff}}},
		"an end that lies":  {{DataHeader: good, DataBody: []byte("12345678")}, {AppMetadata: []byte{8, 9}}},
		"frames for ever":   {{DataHeader: good, DataBody: []byte("12345678")}, {DataHeader: good, DataBody: []byte("12345678")}},
		"end, with a frame": {{DataHeader: good, DataBody: []byte("12345678"), AppMetadata: []byte{8, 1, 16, 5}}},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t, nodeConfig{})
			address := serveFake(t, func(_ int, stream flight.FlightService_DoGetServer) error {
				for _, m := range messages {
					if err := stream.Send(m); err != nil {
						return err
					}
				}
				return nil
			})
			cfg := n.copyOf(n, taskID(1, 0, 0), []PartitionEnd{{Frames: 1, Rows: 5}})
			cfg.Address = address
			if err := n.store.Copy(t.Context(), cfg); err == nil {
				t.Error("it was copied")
			}
			if f := n.store.Figures(); f != (Figures{}) {
				t.Errorf("left: %+v", f)
			}
		})
	}
}

// TestForeignFramesAreChecked: a copy is counted, not looked into, so that who
// reads it in the same process must not believe it.
func TestForeignFramesAreChecked(t *testing.T) {
	n := newNode(t, nodeConfig{})
	neither := (&recordMeta{rows: 5, body: 8, codec: -1, nodes: []node{{5, 0}}, buffers: []span{{0, 0}, {0, 5}}}).marshal()
	address := serveFake(t, func(_ int, stream flight.FlightService_DoGetServer) error {
		if err := stream.Send(&flight.FlightData{DataHeader: neither, DataBody: []byte("trueorno")}); err != nil {
			return err
		}
		return stream.Send(&flight.FlightData{AppMetadata: []byte{8, 1, 16, 5}})
	})
	cfg := n.copyOf(n, taskID(1, 0, 0), []PartitionEnd{{Frames: 1, Rows: 5}})
	cfg.Address = address
	if err := n.store.Copy(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	in := n.inputs(0)
	defer in.Close()
	if err := in.Update(&pb.Inputs{Sources: []*pb.Source{sourceOf(n, taskID(1, 0, 0), cfg.Ends[0])}, Complete: []int32{1}}); err != nil {
		t.Fatal(err)
	}
	truths := &plan.RemoteSource{Base: plan.Base{ID: 9}, Fragments: []plan.FragmentID{1}, Kind: plan.Gather, Columns: []plan.Column{{Type: types.Of(types.Boolean)}}}
	op, err := in.Open(truths, n.root)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := op.Next(t.Context()); err == nil || !strings.Contains(err.Error(), "neither true nor false") {
		t.Errorf("read: %v, %v", b, err)
	}
	_ = op.Close()
}

// held is a node that sends one frame and then nothing before it is let go.
func held(t *testing.T) (address string, begun, let chan struct{}) {
	begun, let = make(chan struct{}), make(chan struct{})
	good := (&recordMeta{rows: 5, body: 8, codec: -1}).marshal()
	return serveFake(t, func(_ int, stream flight.FlightService_DoGetServer) error {
		if err := stream.Send(&flight.FlightData{DataHeader: good, DataBody: []byte("12345678")}); err != nil {
			return err
		}
		close(begun)
		select {
		case <-let:
		case <-stream.Context().Done():
			return stream.Context().Err()
		}
		return stream.Send(&flight.FlightData{AppMetadata: []byte{8, 1, 16, 5}})
	}), begun, let
}

// TestCopyUnderWay: while a copy is being made it cannot be read, nor made by
// another; it ends with its context, and when it is released.
func TestCopyUnderWay(t *testing.T) {
	id := taskID(1, 0, 0)
	for name, c := range map[string]struct {
		stop  func(n *testNode, cancel func())
		whole bool
	}{
		"is let go":         {func(*testNode, func()) {}, true},
		"canceled":          {func(_ *testNode, cancel func()) { cancel() }, false},
		"released":          {func(n *testNode, _ func()) { n.store.Release(id) }, false},
		"the query ends":    {func(n *testNode, _ func()) { n.store.ReleaseQuery("q") }, false},
		"the store closes":  {func(n *testNode, _ func()) { n.store.Close() }, false},
		"another takes its": {func(n *testNode, _ func()) { n.store.Release(id); produce(t, n, id, 1, 0, 10, None) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t, nodeConfig{})
			cfg := n.copyOf(n, id, []PartitionEnd{{Frames: 1, Rows: 5}})
			address, begun, let := held(t)
			cfg.Address = address
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			done := make(chan error, 1)
			go func() { done <- n.store.Copy(ctx, cfg) }()
			<-begun
			var lost *LostOutput
			if _, err := n.store.Open(id, 0, 0); !errors.As(err, &lost) {
				t.Errorf("it was opened: %v", err)
			}
			if err := n.store.Copy(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "still being made") {
				t.Errorf("a second copy: %v", err)
			}
			c.stop(n, cancel)
			close(let)
			if err := <-done; (err == nil) != c.whole {
				t.Errorf("copy: %v", err)
			}
			want := 0
			if c.whole || name == "another takes its" {
				want = 1
			}
			if f := n.store.Figures(); f.Outputs != want {
				t.Errorf("left: %+v", f)
			}
			n.store.Release(id)
		})
	}
}

// TestCopiesAtRandomMoments copies outputs that are released, read and evicted
// meanwhile; the nodes' clean-up checks slabs, accounts and files.
func TestCopiesAtRandomMoments(t *testing.T) {
	a, b := newNode(t, nodeConfig{}), newNode(t, nodeConfig{memory: 500_000, disk: 1 << 30, dir: t.TempDir()})
	for round := range int32(20) {
		id := taskID(1, round, 0)
		ends := produce(t, a, id, 3, 0, 20_000, None)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		copied := make(chan struct{})
		wg.Go(func() {
			defer close(copied)
			_ = b.store.Copy(ctx, b.copyOf(a, id, ends))
		})
		wg.Go(func() { _ = b.store.Copy(ctx, b.copyOf(a, id, ends)) })
		wg.Go(func() { b.store.Reclaim(1 << 20) })
		time.Sleep(time.Duration(round) * 300 * time.Microsecond)
		switch round % 4 {
		case 0:
			cancel()
		case 1:
			a.store.Release(id)
		case 2:
			b.store.Release(id)
		case 3:
			<-copied
		}
		wg.Wait()
		cancel()
		a.store.Release(id)
		b.store.Release(id)
		if f := b.store.Figures(); f != (Figures{}) {
			t.Fatalf("round %d left %+v", round, f)
		}
	}
}
