package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/exchange"
	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/local"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/internal/clock"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/planner/plancodec"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/types"
)

var (
	bigint = types.Of(types.BigInt)
	text   = types.VarcharType()
)

// numbers is a connector with one table: the numbers of a split "from to" and
// a text for each. Methods that no execution calls panic.
type numbers struct {
	connectors.Connector
	// onNext, if set, is called before each batch.
	onNext func(ctx context.Context, at int64) error
	closed bool
}

func (c *numbers) Close() error { c.closed = true; return nil }

func (c *numbers) Open(_ context.Context, _ *connectors.Scan, split connectors.Split, env *connectors.Env) (connectors.Source, error) {
	s := &numberSource{c: c, x: vector.NewBuilder(env.Account, bigint), s: vector.NewBuilder(env.Account, text)}
	if _, err := fmt.Sscan(string(split.Payload), &s.at, &s.to); err != nil {
		return nil, err
	}
	return s, nil
}

type numberSource struct {
	c      *numbers
	at, to int64
	x, s   *vector.Builder
	batch  vector.Batch
}

func (s *numberSource) Next(ctx context.Context) (*vector.Batch, error) {
	if s.c.onNext != nil {
		if err := s.c.onNext(ctx, s.at); err != nil {
			return nil, err
		}
	}
	if s.at >= s.to {
		return nil, nil
	}
	s.x.Reset()
	s.s.Reset()
	n := min(s.to-s.at, 1000)
	for i := range n {
		if err := errors.Join(vector.Append(s.x, s.at+i), s.s.AppendBytes(fmt.Appendf(nil, "the number %d", s.at+i))); err != nil {
			return nil, err
		}
	}
	s.at += n
	s.batch = vector.Batch{N: int(n), Cols: []*vector.Vector{s.x.Vector(), s.s.Vector()}}
	return &s.batch, nil
}

func (s *numberSource) Stats() connectors.SourceStats { return connectors.SourceStats{} }

func (s *numberSource) Close() error {
	s.x.Release()
	s.s.Release()
	return nil
}

// catalog serves one connector under every name.
type oneCatalog struct{ c connectors.Connector }

func (o oneCatalog) Connector(context.Context, string) (connectors.Connector, error) { return o.c, nil }

// node is a worker on loopback.
type node struct {
	pool    *mem.Pool
	root    *mem.Account
	store   *exchange.Store
	conns   *exchange.Conns
	auth    *exchange.Auth
	manager *Manager
	server  *grpc.Server
	served  chan struct{}
	address string
	client  pb.WorkerClient
	dir     string
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func startNode(t testing.TB, c *numbers, change func(*ManagerDeps)) *node {
	t.Helper()
	n := &node{pool: mem.NewPool(), dir: t.TempDir(), served: make(chan struct{})}
	n.pool.Poison = true
	n.root = mem.NewRoot("process", 0, n.pool)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n.address = l.Addr().String()
	n.store, err = exchange.NewStore(exchange.StoreConfig{
		Account: n.root.Child("retained outputs", 0), MemoryLimit: 64 << 20, DiskLimit: 1 << 30, Dir: n.dir, Log: quiet(),
	})
	if err != nil {
		t.Fatal(err)
	}
	n.auth = exchange.NewAuth("secret", clock.System{})
	n.conns = exchange.NewConns(n.auth, insecure.NewCredentials())
	d := ManagerDeps{
		Account: n.root, Store: n.store, Conns: n.conns, Auth: n.auth, Self: n.address,
		Catalogs: oneCatalog{c}, Run: local.Run, Threads: 2, Clock: clock.System{}, Log: quiet(),
	}
	if change != nil {
		change(&d)
	}
	n.manager = NewManager(d)
	opts := append(exchange.ServerOptions(), grpc.UnaryInterceptor(n.auth.UnaryServer), grpc.StreamInterceptor(n.auth.StreamServer))
	n.server = grpc.NewServer(opts...)
	n.manager.Register(n.server)
	exchange.NewService(n.store, n.auth).Register(n.server)
	go func() { defer close(n.served); _ = n.server.Serve(l) }()
	conn, err := n.conns.Get(n.address)
	if err != nil {
		t.Fatal(err)
	}
	n.client = pb.NewWorkerClient(conn)
	t.Cleanup(func() { n.stop(t) })
	return n
}

// stop ends the node and checks that nothing is left.
func (n *node) stop(t testing.TB) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	n.manager.Close(ctx)
	n.conns.Close()
	n.server.Stop()
	<-n.served
	n.store.Close()
	n.checkEmpty(t)
}

func (n *node) checkEmpty(t testing.TB) {
	t.Helper()
	if n.pool.Out() != 0 || n.root.Used() != 0 {
		t.Errorf("node %s: %d bytes in %d slabs out, %d accounted", n.address, n.pool.Out(), n.pool.Slabs(), n.root.Used())
	}
	if f := n.store.Figures(); f != (exchange.Figures{}) {
		t.Errorf("node %s: store holds %+v", n.address, f)
	}
	if left, _ := os.ReadDir(n.dir); len(left) != 0 {
		t.Errorf("node %s: files left: %v", n.address, left)
	}
	if qs := n.manager.Queries(); len(qs) != 0 {
		t.Errorf("node %s: queries left: %v", n.address, qs)
	}
}

// Plans: numbers hashed to stage 1, which passes them on to the root's reader.

func column(id int, t types.Type) plan.Column {
	return plan.Column{ID: expr.ColumnID(id), Name: fmt.Sprint("c", id), Type: t}
}

func scanFragment(kind plan.ExchangeKind) *plan.Fragment {
	cols := []plan.Column{column(1, bigint), column(2, text)}
	table := &connectors.Table{Schema: "s", Name: "numbers", Columns: []connectors.Column{{Name: "x", Type: bigint}, {Name: "s", Type: text}}}
	scan := &plan.Scan{Base: plan.Base{ID: 1}, Catalog: "numbers", Table: table, Columns: cols, Ordinals: []int{0, 1}, Limit: -1}
	f := &plan.Fragment{ID: 2, Root: scan, Spread: plan.BySplits, Output: plan.Partitioning{Kind: kind}}
	if kind == plan.Hash {
		f.Output.Keys = cols[:1]
	}
	return f
}

func passFragment() *plan.Fragment {
	r := &plan.RemoteSource{Base: plan.Base{ID: 2}, Fragments: []plan.FragmentID{2}, Columns: []plan.Column{column(1, bigint), column(2, text)}, Kind: plan.Hash}
	return &plan.Fragment{ID: 1, Root: r, Spread: plan.ByPartition, Inputs: []plan.FragmentID{2}}
}

func request(t testing.TB, q string, f *plan.Fragment, task, tasks, outputs int32) *pb.StartTaskRequest {
	t.Helper()
	b, err := plancodec.EncodeFragment(f)
	if err != nil {
		t.Fatal(err)
	}
	return &pb.StartTaskRequest{
		Task: &pb.TaskId{Query: q, Stage: int32(f.ID), Task: task}, Protocol: Protocol, Epoch: 1, PlanVersion: plancodec.Version, Fragment: b,
		Settings:  &pb.Settings{Drivers: 2, BatchRows: 1000, DynamicFiltering: true, QueryMemoryLimit: 256 << 20},
		Partition: task, Partitions: tasks, OutputPartitions: outputs, Update: &pb.TaskUpdate{Number: 1},
	}
}

// watcher keeps the last status of each task of a query on a node.
type watcher struct {
	mu     sync.Mutex
	last   map[string]*pb.TaskStatus
	states map[string][]pb.TaskState
	gone   map[string]bool // inputs that a task said are lost
	news   chan struct{}
	err    error
	over   chan struct{}
	heard  chan struct{} // closed by the first message
}

func watch(ctx context.Context, n *node, q string) *watcher {
	w := &watcher{last: map[string]*pb.TaskStatus{}, states: map[string][]pb.TaskState{}, gone: map[string]bool{}, news: make(chan struct{}), over: make(chan struct{}), heard: make(chan struct{})}
	go func() {
		defer close(w.over)
		stream, err := n.client.WatchTasks(ctx, &pb.WatchTasksRequest{Query: q, Epoch: 1})
		for err == nil {
			var msg *pb.WatchTasksResponse
			if msg, err = stream.Recv(); err == nil {
				w.take(msg)
			}
		}
		w.err = err
	}()
	return w
}

func (w *watcher) take(msg *pb.WatchTasksResponse) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, st := range msg.Tasks {
		k := st.Task.String()
		if old := w.last[k]; old != nil && old.Version >= st.Version {
			panic(fmt.Sprintf("version %d after %d", st.Version, old.Version))
		}
		w.last[k] = st
		for _, id := range st.LostInputs {
			w.gone[id.String()] = true
		}
		if s := w.states[k]; len(s) == 0 || s[len(s)-1] != st.State {
			w.states[k] = append(s, st.State)
		}
	}
	close(w.news)
	w.news = make(chan struct{})
	select {
	case <-w.heard:
	default:
		close(w.heard)
	}
}

// await waits until a task has ended.
func (w *watcher) await(t testing.TB, id *pb.TaskId) *pb.TaskStatus {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		w.mu.Lock()
		st, news := w.last[id.String()], w.news
		w.mu.Unlock()
		if st != nil && st.State >= pb.TaskState_TASK_STATE_FINISHED {
			return st
		}
		select {
		case <-news:
		case <-w.over:
			t.Fatalf("watch ended (%v) before task %v, which is %v", w.err, id, st)
		case <-timeout:
			t.Fatalf("task %v does not end: %v", id, st)
		}
	}
}

// lost waits until a task has said that an input of it is lost.
func (w *watcher) lost(t testing.TB, id *pb.TaskId) {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		w.mu.Lock()
		gone, news := w.gone[id.String()], w.news
		w.mu.Unlock()
		if gone {
			return
		}
		select {
		case <-news:
		case <-timeout:
			t.Fatalf("nobody misses task %v", id)
		}
	}
}

func sourceOf(n *node, st *pb.TaskStatus, partition int) *pb.Source {
	p := st.End.Partitions[partition]
	return &pb.Source{Task: st.Task, Address: n.address, Committed: true, Frames: p.Frames, Rows: p.Rows}
}

// readAll reads the numbers of a node's inputs and returns how many there are
// and their sum.
func readAll(ctx context.Context, op exec.Operator) (rows, sum int64, err error) {
	for {
		b, err := op.Next(ctx)
		if b == nil || err != nil {
			return rows, sum, err
		}
		for i := range b.N {
			x := vector.Value[int64](b.Cols[0], i)
			if got, want := string(b.Cols[1].Bytes(i)), fmt.Sprintf("the number %d", x); got != want {
				return 0, 0, fmt.Errorf("%q with %d", got, x)
			}
			rows, sum = rows+1, sum+x
		}
	}
}
