package exchange

import (
	"context"
	"fmt"
	"net"
	"os"
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

// consume reads one node with several drivers, all of which have ended when it
// returns: a driver that could not be opened does not leave the others behind.
func consume(ctx context.Context, in *Inputs, node *plan.RemoteSource, account *mem.Account, drivers int) (rows, total int64, err error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range drivers {
		op, e := in.Open(node, account)
		if e != nil {
			wg.Wait()
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
