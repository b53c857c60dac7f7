package exchange

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/internal/clock"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
	"github.com/tuttidb/tutti/sql/types"
)

// testNode is a node with a store that serves on loopback.
type testNode struct {
	pool    *mem.Pool
	root    *mem.Account
	store   *Store
	auth    *Auth
	conns   *Conns
	server  *grpc.Server
	address string
}

type nodeConfig struct {
	memory, disk int64
	dir          string
	secret       string
}

func newNode(t testing.TB, cfg nodeConfig) *testNode {
	t.Helper()
	n := &testNode{pool: mem.NewPool()}
	n.pool.Poison = true
	n.root = mem.NewRoot("process", 0, n.pool)
	if cfg.memory == 0 {
		cfg.memory = 1 << 30
	}
	var err error
	n.store, err = NewStore(StoreConfig{Account: n.root.Child("retained outputs", 0), MemoryLimit: cfg.memory, DiskLimit: cfg.disk, Dir: cfg.dir})
	if err != nil {
		t.Fatal(err)
	}
	n.auth = NewAuth(cfg.secret, clock.System{})
	n.conns = NewConns(n.auth, insecure.NewCredentials())
	n.server = grpc.NewServer(ServerOptions()...)
	NewService(n.store, n.auth).Register(n.server)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n.address = l.Addr().String()
	served := make(chan struct{})
	go func() { defer close(served); _ = n.server.Serve(l) }()
	t.Cleanup(func() {
		n.conns.Close()
		n.server.Stop()
		<-served
		n.store.Close()
		if out := n.pool.Out(); out != 0 {
			t.Errorf("%d bytes in %d slabs leaked", out, n.pool.Slabs())
		}
		if used := n.root.Used(); used != 0 {
			t.Errorf("%d bytes accounted at the end", used)
		}
		if f := n.store.Figures(); f != (Figures{}) {
			t.Errorf("store holds %+v at the end", f)
		}
		if cfg.dir != "" {
			if left, _ := os.ReadDir(cfg.dir); len(left) > 0 {
				t.Errorf("files left behind: %v", left)
			}
		}
	})
	return n
}

func taskID(stage, task, attempt int32) plan.TaskID {
	return plan.TaskID{Stage: plan.StageID{Query: "q", Fragment: plan.FragmentID(stage)}, Task: task, Attempt: attempt}
}

var rowTypes = []types.Type{types.Of(types.BigInt), types.VarcharType(), types.Of(types.Boolean), types.DecimalOf(30, 0), types.ArrayOf(types.Of(types.BigInt))}

// writer makes batches of rows that follow from their number.
type writer struct {
	account *mem.Account
	cols    []*vector.Builder
}

func newWriter(account *mem.Account) *writer {
	w := &writer{account: account}
	for _, t := range rowTypes {
		w.cols = append(w.cols, vector.NewBuilder(account, t))
	}
	return w
}

func (w *writer) release() {
	for _, c := range w.cols {
		c.Release()
	}
}

func rowText(x int64) string { return strings.Repeat(fmt.Sprint(x), int(x%5)) }

func (w *writer) batch(t testing.TB, from, n int64) *vector.Batch {
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	b := &vector.Batch{N: int(n)}
	for _, c := range w.cols {
		c.Reset()
	}
	for x := from; x < from+n; x++ {
		must(vector.Append(w.cols[0], x))
		if x%7 == 3 {
			must(w.cols[1].AppendNull())
		} else {
			must(w.cols[1].AppendBytes([]byte(rowText(x))))
		}
		must(vector.Append(w.cols[2], uint8(x&1)))
		must(vector.Append(w.cols[3], types.Int128{Lo: uint64(x), Hi: x}))
		for k := range x % 3 {
			must(vector.Append(w.cols[4].Kid(0), x+k))
		}
		must(w.cols[4].CloseRow())
	}
	for _, c := range w.cols {
		b.Cols = append(b.Cols, c.Vector())
	}
	return b
}

// checkRow says whether row i is what its number demands, and the number.
func checkRow(b *vector.Batch, i int) (int64, error) {
	x := vector.Value[int64](b.Cols[0], i)
	want := rowText(x)
	switch {
	case b.Cols[1].IsNull(i) != (x%7 == 3):
		return x, fmt.Errorf("row %d: null is %v", x, b.Cols[1].IsNull(i))
	case x%7 != 3 && string(b.Cols[1].Bytes(i)) != want:
		return x, fmt.Errorf("row %d: %q, want %q", x, b.Cols[1].Bytes(i), want)
	case vector.Value[uint8](b.Cols[2], i) != uint8(x&1):
		return x, fmt.Errorf("row %d: boolean", x)
	case vector.Value[types.Int128](b.Cols[3], i) != types.Int128{Lo: uint64(x), Hi: x}:
		return x, fmt.Errorf("row %d: decimal", x)
	}
	lo, hi := b.Cols[4].Offsets[i], b.Cols[4].Offsets[i+1]
	if int64(hi-lo) != x%3 {
		return x, fmt.Errorf("row %d: array of %d", x, hi-lo)
	}
	for k, v := range vector.Values[int64](b.Cols[4].Kids[0])[lo:hi] {
		if v != x+int64(k) {
			return x, fmt.Errorf("row %d: element %d is %d", x, k, v)
		}
	}
	return x, nil
}

// produce writes rows [from, to) to parts partitions by number, with several
// drivers, and ends the output.
func produce(t testing.TB, n *testNode, id plan.TaskID, parts int, from, to int64, c Compression) []PartitionEnd {
	t.Helper()
	account := n.root.Child("task", 0)
	o, err := n.store.NewOutput(OutputConfig{Task: id, Types: rowTypes, Partitions: parts, Account: account, Compression: c})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	const drivers = 3
	for d := range int64(drivers) {
		wg.Go(func() {
			w := newWriter(account)
			defer w.release()
			for at := from + d*1000; at < to; at += drivers * 1000 {
				if err := writeRows(t, o, w, at, min(1000, to-at), parts); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	ends, err := o.Finish(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if account.Used() != 0 {
		t.Errorf("%d bytes with the producer after its end", account.Used())
	}
	return ends
}

func writeRows(t testing.TB, o *Output, w *writer, from, n int64, parts int) error {
	b := w.batch(t, from, n)
	for p := range parts {
		sel := []int32{}
		for i := range b.N {
			if (from+int64(i))%int64(parts) == int64(p) {
				sel = append(sel, int32(i))
			}
		}
		if parts == 1 {
			sel = nil
		}
		if err := o.Write(context.Background(), p, &vector.Batch{N: b.N, Sel: sel, Cols: b.Cols}); err != nil {
			return err
		}
	}
	return nil
}

func remoteNode(kind plan.ExchangeKind, stages ...plan.FragmentID) *plan.RemoteSource {
	n := &plan.RemoteSource{Base: plan.Base{ID: 9}, Fragments: stages, Kind: kind}
	for _, t := range rowTypes {
		n.Columns = append(n.Columns, plan.Column{Type: t})
	}
	return n
}

func (n *testNode) inputs(partition int) *Inputs {
	return NewInputs(InputsConfig{
		Task: taskID(0, int32(partition), 0), Partition: partition, Store: n.store, Self: n.address, Conns: n.conns, Auth: n.auth,
		Ahead: 4 << 20, Retry: 300 * time.Millisecond,
	})
}

func sourceOf(n *testNode, id plan.TaskID, end PartitionEnd) *pb.Source {
	return &pb.Source{Task: TaskToProto(id), Address: n.address, Committed: true, Frames: end.Frames, Rows: end.Rows}
}

// sum reads an operator to its end and adds up the rows' numbers.
func sum(ctx context.Context, op exec.Operator) (rows, total int64, err error) {
	for {
		b, err := op.Next(ctx)
		if b == nil || err != nil {
			return rows, total, err
		}
		for i := range b.N {
			x, err := checkRow(b, i)
			if err != nil {
				return rows, total, err
			}
			rows++
			total += x
		}
	}
}

// consume reads one node with several drivers.
func consume(ctx context.Context, in *Inputs, node *plan.RemoteSource, account *mem.Account, drivers int) (rows, total int64, err error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range drivers {
		op, e := in.Open(node, account)
		if e != nil {
			return 0, 0, e
		}
		wg.Go(func() {
			n, s, e := sum(ctx, op)
			_ = op.Close()
			mu.Lock()
			defer mu.Unlock()
			rows, total = rows+n, total+s
			if e != nil {
				err = e
			}
		})
	}
	wg.Wait()
	return rows, total, err
}

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

func TestFramesOnDisk(t *testing.T) {
	n := newNode(t, nodeConfig{memory: 300_000, disk: 1 << 30, dir: t.TempDir()})
	other := newNode(t, nodeConfig{})
	ends := produce(t, n, taskID(1, 0, 0), 2, 0, 100_000, None)
	if f := n.store.Figures(); f.Files != 1 || f.DiskBytes == 0 || f.MemoryBytes > 300_000 {
		t.Errorf("figures %+v", f)
	}
	for _, reader := range []*testNode{n, other} {
		for p := range 2 {
			in := reader.inputs(p)
			if err := in.Update(&pb.Inputs{Sources: []*pb.Source{sourceOf(n, taskID(1, 0, 0), ends[p])}, Complete: []int32{1}}); err != nil {
				t.Fatal(err)
			}
			rows, _, err := consume(t.Context(), in, remoteNode(plan.Hash, 1), reader.root, 2)
			in.Close()
			if rows != 50_000 || err != nil {
				t.Errorf("%d rows, %v", rows, err)
			}
		}
	}
	n.store.ReleaseQuery("q")
	if f := n.store.Figures(); f != (Figures{}) {
		t.Errorf("figures after release %+v", f)
	}
}

func TestProcessShortOfMemoryMovesFramesToDisk(t *testing.T) {
	pool := mem.NewPool()
	root := mem.NewRoot("process", 24<<20, pool)
	s, err := NewStore(StoreConfig{Account: root.Child("retained", 0), MemoryLimit: 1 << 30, DiskLimit: 1 << 30, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	n := &testNode{pool: pool, root: root, store: s}
	ends := produce(t, n, taskID(1, 0, 0), 1, 0, 100_000, None)
	big, err := root.Alloc(20 << 20)
	if err != nil {
		t.Fatalf("retained outputs did not make room: %v", err)
	}
	if f := s.Figures(); f.DiskBytes == 0 {
		t.Errorf("figures %+v", f)
	}
	big.Release()
	in := n.inputs(0)
	if err := in.Update(&pb.Inputs{Sources: []*pb.Source{sourceOf(n, taskID(1, 0, 0), ends[0])}, Complete: []int32{1}}); err != nil {
		t.Fatal(err)
	}
	if rows, _, err := consume(t.Context(), in, remoteNode(plan.Gather, 1), root, 2); rows != 100_000 || err != nil {
		t.Errorf("%d rows, %v", rows, err)
	}
	in.Close()
	s.Close()
	if pool.Out() != 0 || root.Used() != 0 {
		t.Errorf("%d bytes leaked, %d accounted", pool.Out(), root.Used())
	}
}

func TestDiskLimit(t *testing.T) {
	for name, cfg := range map[string]nodeConfig{
		"disk limit of 1000kB":    {memory: 1, disk: 1000 << 10, dir: t.TempDir()},
		"there is no directory":   {memory: 1},
		"memory limit of 1000000": {memory: 1000000},
	} {
		n := newNode(t, cfg)
		o, err := n.store.NewOutput(OutputConfig{Task: taskID(1, 0, 0), Types: rowTypes, Partitions: 1, Account: n.root})
		if err != nil {
			t.Fatal(err)
		}
		w := newWriter(n.root)
		for from := int64(0); err == nil && from < 1_000_000; from += 1000 {
			err = writeRows(t, o, w, from, 1000, 1)
		}
		w.release()
		o.Abort()
		if !qerr.Is(err, qerr.ExceededSpillLimit) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLeftoversAreWiped(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/q-old.1.2.3", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	newNode(t, nodeConfig{dir: dir})
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

func TestTickets(t *testing.T) {
	signer, other := NewAuth("secret", clock.System{}), NewAuth("Secret", clock.System{})
	ticket := func() *pb.Ticket { return &pb.Ticket{Task: TaskToProto(taskID(1, 2, 3)), Partition: 4, FromFrame: 5} }
	good, err := signer.Ticket(ticket())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := signer.openTicket(t.Context(), good); err != nil || got.Partition != 4 {
		t.Errorf("good ticket: %v, %v", got, err)
	}
	forged := ticket()
	forged.Mac = signer.mac("ticket")
	unsigned, err := NewAuth("", clock.System{}).Ticket(ticket())
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"another secret": mustTicket(t, other, ticket()), "unsigned": unsigned, "empty": nil, "magic alone": []byte(ticketMagic), "not ours": []byte("ticket"),
		"cut": good[:len(good)-1],
	} {
		if _, err := signer.openTicket(t.Context(), b); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for i := range good {
		bad := []byte(string(good))
		bad[i] ^= 1
		if got, err := signer.openTicket(t.Context(), bad); err == nil && got.Task.String() != ticket().Task.String() {
			t.Errorf("byte %d changed: accepted as %v", i, got)
		}
	}
}

func mustTicket(t *testing.T, a *Auth, x *pb.Ticket) []byte {
	b, err := a.Ticket(x)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestForgedTicketIsRefused(t *testing.T) {
	a, b := newNode(t, nodeConfig{secret: "one"}), newNode(t, nodeConfig{secret: "two"})
	ends := produce(t, a, taskID(1, 0, 0), 1, 0, 100, None)
	in := b.inputs(0)
	defer in.Close()
	if err := in.Update(&pb.Inputs{Sources: []*pb.Source{sourceOf(a, taskID(1, 0, 0), ends[0])}, Complete: []int32{1}}); err != nil {
		t.Fatal(err)
	}
	if rows, _, err := consume(t.Context(), in, remoteNode(plan.Gather, 1), b.root, 1); err == nil || rows != 0 {
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
