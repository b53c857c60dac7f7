package exchange

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"runtime"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/planner/plan"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

func TestHashExchangeBothWays(t *testing.T) {
	const parts, each = 4, 250_000
	nodes := []*testNode{newNode(t, nodeConfig{secret: "s"}), newNode(t, nodeConfig{secret: "s"})}
	var sources [parts][]*pb.Source
	for i, n := range nodes {
		id := taskID(1, int32(i), 0)
		for p, end := range produce(t, n, id, parts, int64(i*each), int64((i+1)*each), None) {
			sources[p] = append(sources[p], sourceOf(n, id, end))
		}
	}
	var rows, total int64
	for p := range parts {
		n := nodes[p%2]
		in := n.inputs(p)
		if err := in.Update(&pb.Inputs{Sources: sources[p], Complete: []int32{1}}); err != nil {
			t.Fatal(err)
		}
		r, s, err := consume(t.Context(), in, remoteNode(plan.Hash, 1), n.root.Child("consumer", 0), 2)
		if err != nil {
			t.Fatal(err)
		}
		in.Close()
		rows, total = rows+r, total+s
	}
	if want := int64(2 * each); rows != want || total != want*(want-1)/2 {
		t.Errorf("%d rows with sum %d, want %d with %d", rows, total, want, want*(want-1)/2)
	}
}

func TestCompressedExchange(t *testing.T) {
	for _, c := range []Compression{LZ4, Zstd} {
		a, b := newNode(t, nodeConfig{}), newNode(t, nodeConfig{})
		ends := produce(t, a, taskID(1, 0, 0), 1, 0, 50_000, c)
		for _, n := range []*testNode{a, b} {
			in := n.inputs(0)
			if err := in.Update(&pb.Inputs{Sources: []*pb.Source{sourceOf(a, taskID(1, 0, 0), ends[0])}, Complete: []int32{1}}); err != nil {
				t.Fatal(err)
			}
			rows, _, err := consume(t.Context(), in, remoteNode(plan.Gather, 1), n.root, 1)
			in.Close()
			if rows != 50_000 || err != nil {
				t.Errorf("compression %d: %d rows, %v", c, rows, err)
			}
		}
	}
}

// TestNothingIsFedBeforeTheCommit fetches a running attempt, which then loses
// against another one.
func TestNothingIsFedBeforeTheCommit(t *testing.T) {
	a, b := newNode(t, nodeConfig{}), newNode(t, nodeConfig{})
	account := a.root.Child("task", 0)
	first, err := a.store.NewOutput(OutputConfig{Task: taskID(1, 0, 0), Types: rowTypes, Partitions: 1, Account: account})
	if err != nil {
		t.Fatal(err)
	}
	w := newWriter(account)
	defer w.release()
	for from := int64(0); from < 100_000; from += 1000 {
		if err := writeRows(t, first, w, from, 1000, 1); err != nil {
			t.Fatal(err)
		}
	}
	in := b.inputs(0)
	defer in.Close()
	op, err := in.Open(remoteNode(plan.Gather, 1), b.root)
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Update(&pb.Inputs{Sources: []*pb.Source{{Task: TaskToProto(taskID(1, 0, 0)), Address: a.address}}, Complete: []int32{1}}); err != nil {
		t.Fatal(err)
	}
	for in.Bytes() == 0 {
		runtime.Gosched() // fetched ahead
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if b, err := op.Next(ctx); b != nil || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("rows of an uncommitted attempt: %v, %v", b, err)
	}
	first.Abort()
	ends := produce(t, a, taskID(1, 0, 1), 1, 0, 5000, None)
	if err := in.Update(&pb.Inputs{Sources: []*pb.Source{sourceOf(a, taskID(1, 0, 1), ends[0])}}); err != nil {
		t.Fatal(err)
	}
	rows, _, err := sum(t.Context(), op)
	if rows != 5000 || err != nil {
		t.Errorf("%d rows, %v", rows, err)
	}
}

// TestFailureOfAnEarlyFetchIsNoLoss: a fetch that looked before there was an
// output fails just when the commit arrives.
func TestFailureOfAnEarlyFetchIsNoLoss(t *testing.T) {
	a := newNode(t, nodeConfig{})
	id := taskID(1, 0, 0)
	ends := produce(t, a, id, 1, 0, 1000, None)
	in := a.inputs(0)
	defer in.Close()
	op, err := in.Open(remoteNode(plan.Gather, 1), a.root)
	if err != nil {
		t.Fatal(err)
	}
	r := op.(*source).r
	early := newStream(r, id, &pb.Source{Task: TaskToProto(id), Address: a.address})
	early.state, early.early, early.eager = fetching, true, true
	r.streams, r.running, r.eager = []*stream{early}, 1, 1
	if err := in.Update(&pb.Inputs{Sources: []*pb.Source{sourceOf(a, id, ends[0])}, Complete: []int32{1}}); err != nil {
		t.Fatal(err)
	}
	early.finish(&LostOutput{Task: id, Reason: "the node does not have it"})
	if rows, _, err := sum(t.Context(), op); rows != 1000 || err != nil {
		t.Errorf("%d rows, %v", rows, err)
	}
}

// TestReadingWhileWriting commits only after all was fetched.
func TestReadingWhileWriting(t *testing.T) {
	a, b := newNode(t, nodeConfig{}), newNode(t, nodeConfig{})
	account := a.root.Child("task", 0)
	o, err := a.store.NewOutput(OutputConfig{Task: taskID(1, 0, 0), Types: rowTypes, Partitions: 1, Account: account})
	if err != nil {
		t.Fatal(err)
	}
	var ins []*Inputs
	var ops []exec.Operator
	for _, n := range []*testNode{a, b} {
		in := n.inputs(0)
		defer in.Close()
		if err := in.Update(&pb.Inputs{Sources: []*pb.Source{{Task: TaskToProto(taskID(1, 0, 0)), Address: a.address}}}); err != nil {
			t.Fatal(err)
		}
		op, err := in.Open(remoteNode(plan.Gather, 1), n.root)
		if err != nil {
			t.Fatal(err)
		}
		ins, ops = append(ins, in), append(ops, op)
	}
	w := newWriter(account)
	for from := int64(0); from < 200_000; from += 1000 {
		if err := writeRows(t, o, w, from, 1000, 1); err != nil {
			t.Fatal(err)
		}
	}
	w.release()
	ends, err := o.Finish(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, in := range ins {
		if err := in.Update(&pb.Inputs{Sources: []*pb.Source{sourceOf(a, taskID(1, 0, 0), ends[0])}, Complete: []int32{1}}); err != nil {
			t.Fatal(err)
		}
		if rows, _, err := sum(t.Context(), ops[i]); rows != 200_000 || err != nil {
			t.Errorf("%d rows, %v", rows, err)
		}
	}
}

func TestOrderOfOneWriterIsKept(t *testing.T) {
	a, b := newNode(t, nodeConfig{}), newNode(t, nodeConfig{})
	account := a.root.Child("task", 0)
	var sources []*pb.Source
	for i := range int32(2) {
		o, err := a.store.NewOutput(OutputConfig{Task: taskID(1, i, 0), Types: rowTypes, Partitions: 1, Account: account, Budget: 200_000})
		if err != nil {
			t.Fatal(err)
		}
		w := newWriter(account)
		for from := int64(0); from < 30_000; from += 1000 {
			if err := writeRows(t, o, w, from, 1000, 1); err != nil {
				t.Fatal(err)
			}
		}
		w.release()
		ends, err := o.Finish(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, sourceOf(a, taskID(1, i, 0), ends[0]))
	}
	in := b.inputs(0)
	defer in.Close()
	if err := in.Update(&pb.Inputs{Sources: sources, Complete: []int32{1}}); err != nil {
		t.Fatal(err)
	}
	ops, err := in.OpenEach(t.Context(), remoteNode(plan.Gather, 1), b.root)
	if err != nil || len(ops) != 2 {
		t.Fatalf("%d operators, %v", len(ops), err)
	}
	for _, op := range ops {
		next := int64(0)
		for {
			b, err := op.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if b == nil {
				break
			}
			for i := range b.N {
				if x := vector.Value[int64](b.Cols[0], i); x != next {
					t.Fatalf("row %d came where %d was due", x, next)
				}
				next++
			}
		}
		if next != 30_000 {
			t.Errorf("%d rows", next)
		}
		_ = op.Close()
	}
}

func TestLostOutputs(t *testing.T) {
	a, b := newNode(t, nodeConfig{}), newNode(t, nodeConfig{})
	id := taskID(1, 3, 2)
	ends := produce(t, a, id, 1, 0, 1000, None)
	gone := *b
	gone.address = "127.0.0.1:1"
	short := ends[0]
	short.Rows--
	for name, src := range map[string]*pb.Source{
		"unknown on another node": sourceOf(b, id, ends[0]),
		"unknown here":            sourceOf(a, taskID(1, 3, 7), ends[0]),
		"node does not answer":    sourceOf(&gone, id, ends[0]),
		"other figures":           sourceOf(a, id, short),
		"no such partition":       {Task: TaskToProto(id), Address: a.address, Committed: true},
	} {
		in := a.inputs(0)
		node := remoteNode(plan.Gather, 1)
		if name == "no such partition" {
			in = b.inputs(5)
			node.Kind = plan.Hash
		}
		if err := in.Update(&pb.Inputs{Sources: []*pb.Source{src}, Complete: []int32{1}}); err != nil {
			t.Fatal(err)
		}
		_, _, err := consume(t.Context(), in, node, a.root, 2)
		in.Close()
		var lost *LostOutput
		if !errors.As(err, &lost) || TaskToProto(lost.Task).String() != src.Task.String() {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestServerDiesInMidStream(t *testing.T) {
	a, b := newNode(t, nodeConfig{}), newNode(t, nodeConfig{})
	id := taskID(1, 0, 0)
	ends := produce(t, a, id, 1, 0, 500_000, None)
	in := b.inputs(0)
	defer in.Close()
	if err := in.Update(&pb.Inputs{Sources: []*pb.Source{sourceOf(a, id, ends[0])}, Complete: []int32{1}}); err != nil {
		t.Fatal(err)
	}
	op, err := in.Open(remoteNode(plan.Gather, 1), b.root)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := op.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.server.Stop()
	_, _, err = sum(t.Context(), op)
	var lost *LostOutput
	if !errors.As(err, &lost) || lost.Task != id {
		t.Errorf("got %v", err)
	}
}

func TestConnectionBreaksAndComesBack(t *testing.T) {
	a, b := newNode(t, nodeConfig{}), newNode(t, nodeConfig{})
	id := taskID(1, 0, 0)
	ends := produce(t, a, id, 1, 0, 500_000, None)
	in := b.inputs(0)
	defer in.Close()
	if err := in.Update(&pb.Inputs{Sources: []*pb.Source{sourceOf(a, id, ends[0])}, Complete: []int32{1}}); err != nil {
		t.Fatal(err)
	}
	op, err := in.Open(remoteNode(plan.Gather, 1), b.root)
	if err != nil {
		t.Fatal(err)
	}
	first, err := op.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rows := int64(first.N)
	a.server.Stop()
	l, err := net.Listen("tcp", a.address)
	if err != nil {
		t.Fatal(err)
	}
	again := grpc.NewServer(ServerOptions()...)
	NewService(a.store, a.auth).Register(again)
	served := make(chan struct{})
	go func() { defer close(served); _ = again.Serve(l) }()
	defer func() { again.Stop(); <-served }()
	more, _, err := sum(t.Context(), op)
	if rows += more; rows != 500_000 || err != nil {
		t.Errorf("%d rows, %v", rows, err)
	}
}

// TestCancelAtRandomMoments leaves nothing behind, whenever it happens; the
// nodes' clean-up checks slabs, accounts and files.
func TestCancelAtRandomMoments(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	a, b := newNode(t, nodeConfig{memory: 2 << 20, disk: 1 << 30, dir: dir}), newNode(t, nodeConfig{})
	before := 0
	for round := range int32(40) {
		if round == 3 {
			before = runtime.NumGoroutine() // with the connection's own
		}
		id := taskID(1, round, 0)
		ends := produce(t, a, id, 1, 0, 30_000, None)
		in := b.inputs(0)
		ctx, cancel := context.WithCancel(t.Context())
		if err := in.Update(&pb.Inputs{Sources: []*pb.Source{sourceOf(a, id, ends[0])}, Complete: []int32{1}}); err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _, _ = consume(ctx, in, remoteNode(plan.Gather, 1), b.root.Child("reader", 0), 2)
		}()
		time.Sleep(time.Duration(rnd.IntN(8000)) * time.Microsecond)
		switch round % 3 {
		case 0:
			cancel()
		case 1:
			in.Close()
		case 2:
			a.store.Release(id)
		}
		<-done
		in.Close()
		a.store.Release(id)
		cancel()
	}
	deadline := time.Now().Add(5 * time.Second)
	for runtime.NumGoroutine() > before+4 && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	if n := runtime.NumGoroutine(); n > before+4 {
		t.Errorf("%d goroutines, %d before", n, before)
	}
}
