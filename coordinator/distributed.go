package coordinator

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/coordinator/cluster"
	"github.com/tuttidb/tutti/coordinator/query"
	"github.com/tuttidb/tutti/coordinator/schedule"
	"github.com/tuttidb/tutti/exchange"
	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

const (
	// maxRuns is how often a query is run again after losing a worker.
	maxRuns = 4
	// endTimeout bounds how long nodes are waited for at a query's end.
	endTimeout = 2 * time.Second
)

// Distributed is the Executor that spreads a plan's tasks over workers.
type Distributed struct {
	Registry *cluster.Registry
	Conns    *exchange.Conns
	Auth     *exchange.Auth
	Catalogs *Catalogs
	// Account is charged for results on their way to clients.
	Account *mem.Account
	// Self is the address of this process's own gRPC door, where fragments run
	// that must run on the coordinator.
	Self string
	// WorkerWait is how long a query waits for a first worker to join.
	WorkerWait time.Duration
	Log        *slog.Logger
}

// Tasks is the number of live workers, at least 1.
func (d *Distributed) Tasks() int { return max(1, len(d.Registry.Live())) }

// Execute prepares a run; the first Next starts it.
func (d *Distributed) Execute(ctx context.Context, e *Execution) (Rows, error) {
	return &distributedRows{ctx: ctx, d: d, e: e, start: time.Now(), bad: map[string]bool{}}, nil
}

// distributedRows is a plan that runs on workers, several times if it must.
//
// The root task's output is fetched while the task runs. Its rows are given to
// the client once the task is committed, so that a lost worker costs a run and
// nothing else; or earlier, when as much has come as is kept here (resultAhead).
// From the first row on a loss is the client's to hear of.
type distributedRows struct {
	ctx   context.Context // of the whole execution
	d     *Distributed
	e     *Execution
	start time.Time
	bad   map[string]bool // nodes that failed this query
	runs  int

	mu    sync.Mutex // guards run against Snapshot
	run   *running
	given bool // a row has left
	over  bool
}

// running is one run of the plan.
type running struct {
	loop   *schedule.Loop
	state  *query.Run
	client *cluster.Client
	inputs *exchange.Inputs
	source exec.Operator
	cancel context.CancelFunc
	over   chan struct{} // closed when the run is committed or has failed
	failed atomic.Pointer[query.Failure]
	ended  bool
}

// resultAhead is how many bytes of a result the coordinator keeps before it
// gives rows of a task to the client that may still be lost.
const resultAhead = 16 << 20

// Next runs the plan if need be and returns the next rows of its result.
func (r *distributedRows) Next(ctx context.Context) (*vector.Batch, error) {
	for {
		if r.run == nil || r.run.ended {
			if err := r.begin(); err != nil {
				return nil, err
			}
		}
		b, err := r.run.source.Next(ctx)
		if err == nil {
			r.given = r.given || b != nil
			return b, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err := r.again(err); err != nil {
			return nil, err
		}
	}
}

// again ends the run, which has failed with err, and returns nil if the plan
// may be run once more.
func (r *distributedRows) again(err error) error {
	var lost *exchange.LostOutput
	retry := errors.As(err, &lost)
	f := r.run.failed.Load() // nil: the reader's own failure
	r.endRun()
	if f != nil {
		err, retry = f.Err, f.Retryable
		r.noteBad(r.run.state)
	}
	switch {
	case !retry || r.ctx.Err() != nil:
		return err
	case r.given && lost != nil || r.runs > maxRuns && lost != nil:
		return qerr.Wrap(qerr.RemoteHostGone, err, "the rest of the result was lost with a worker; run the query again").WithRetry()
	case r.given || r.runs > maxRuns:
		return err
	}
	r.d.Log.Warn("run query again", "query", r.e.Query, "run", r.runs, "cause", err.Error())
	return nil
}

// begin sets the plan going and opens its result.
func (r *distributedRows) begin() error {
	nodes, err := r.nodes(r.ctx)
	if err != nil {
		return err
	}
	x := &running{
		client: cluster.NewClient(r.d.Conns, r.withSelf(nodes), r.lost, r.settings()),
		state:  query.NewRun(r.e.Query, r.e.Plan, int32(r.runs), len(nodes)), over: make(chan struct{}),
	}
	x.loop = schedule.NewLoop(x.state, schedule.Deps{Client: x.client, Nodes: nodes, Splits: r.splits, Log: r.d.Log})
	x.inputs = exchange.NewInputs(exchange.InputsConfig{
		Task:  plan.TaskID{Stage: plan.StageID{Query: r.e.Query, Fragment: resultReader}},
		Conns: r.d.Conns, Auth: r.d.Auth, Log: r.d.Log, Ahead: resultAhead, FeedWhenFull: true,
	})
	node := &plan.RemoteSource{Fragments: []plan.FragmentID{0}, Columns: r.e.Plan.Root().Root.Outputs()}
	if x.source, err = x.inputs.Open(node, r.d.Account); err != nil {
		x.inputs.Close()
		return err
	}
	ctx, cancel := context.WithCancel(r.ctx)
	x.cancel = cancel
	r.runs++
	r.mu.Lock()
	r.run = x
	r.mu.Unlock()
	go x.drive(ctx)
	return nil
}

// drive runs the plan to its end, and tells the reader of the root task: first
// where it runs, then that it is committed.
func (x *running) drive(ctx context.Context) {
	defer close(x.over)
	named, stop := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(named)
		select {
		case <-x.loop.Root():
			id, node := x.loop.RootTask()
			x.name(&pb.Source{Task: exchange.TaskToProto(id), Address: x.client.Address(node)})
		case <-stop:
		}
	}()
	task, failure := x.loop.Drive(ctx)
	close(stop)
	<-named
	if failure != nil {
		x.failed.Store(failure)
		x.inputs.Fail(failure.Err)
		return
	}
	end := task.Status.End.Partitions[0]
	x.name(&pb.Source{
		Task: exchange.TaskToProto(task.ID), Address: x.client.Address(task.Node), Committed: true, Frames: end.Frames, Rows: end.Rows,
	})
}

// name tells the reader about the root task, the only one of its stage.
func (x *running) name(src *pb.Source) {
	if err := x.inputs.Update(&pb.Inputs{Sources: []*pb.Source{src}, Complete: []int32{0}}); err != nil {
		x.inputs.Fail(err)
	}
}

// lost tells of nodes that leave; the coordinator's own executor never does.
func (r *distributedRows) lost(node string) <-chan struct{} {
	if node == schedule.CoordinatorNode {
		return make(chan struct{})
	}
	return r.d.Registry.Lost(node)
}

// noteBad remembers the nodes whose tasks failed or vanished, to leave them
// out of the next run if others are there.
func (r *distributedRows) noteBad(run *query.Run) {
	live := map[string]bool{}
	for _, n := range r.d.Registry.Live() {
		live[n.ID] = true
	}
	for _, s := range run.Stages {
		for _, t := range s.Tasks {
			f := t.Status.Failure
			if !live[t.Node] || f != nil && f.Cause == query.CauseNode {
				r.bad[t.Node] = true
			}
		}
	}
}

// nodes returns the workers to use, waiting a while if there are none.
func (r *distributedRows) nodes(ctx context.Context) ([]schedule.Node, error) {
	deadline := time.NewTimer(r.d.WorkerWait)
	defer deadline.Stop()
	for {
		changed := r.d.Registry.Changed()
		live := r.d.Registry.Live()
		good := slices.DeleteFunc(slices.Clone(live), func(n schedule.Node) bool { return r.bad[n.ID] })
		switch {
		case len(good) > 0:
			return good, nil
		case len(live) > 0:
			return live, nil
		}
		select {
		case <-changed:
		case <-deadline.C:
			return nil, qerr.New(qerr.NoNodesAvailable, "No workers have joined the cluster: waited %s for one; start one with `tutti worker --join HOST:PORT`", r.d.WorkerWait).WithRetry()
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (r *distributedRows) withSelf(nodes []schedule.Node) []schedule.Node {
	return append(slices.Clone(nodes), schedule.Node{ID: schedule.CoordinatorNode, Address: r.d.Self})
}

func (r *distributedRows) splits(ctx context.Context, scan *plan.Scan) (connectors.SplitSource, error) {
	conn, err := r.d.Catalogs.Connector(ctx, scan.Catalog)
	if err != nil {
		return nil, err
	}
	return conn.Splits(ctx, scan.ScanSpec())
}

func (r *distributedRows) settings() *pb.Settings {
	s := r.e.Settings
	return &pb.Settings{
		Drivers: int32(s.Drivers), BatchRows: int32(s.BatchRows), PartialAggregation: s.PartialAggregation,
		DynamicFiltering: s.DynamicFiltering, QueryMemoryLimit: r.e.MemoryLimit, TimeZone: r.e.TimeZone,
		User: r.e.User, StartNanos: r.e.Start.UnixNano(), FilterWaitNanos: int64(r.e.FilterWait),
	}
}

// resultReader is the stage under which the coordinator reads a result.
const resultReader plan.FragmentID = -1

// endRun frees what the current run holds anywhere.
func (r *distributedRows) endRun() {
	r.mu.Lock()
	x := r.run
	r.mu.Unlock()
	if x == nil || x.ended {
		return
	}
	x.ended = true
	_ = x.source.Close() // closing a reader has nothing to report
	x.inputs.Close()
	x.cancel()
	<-x.over
	ctx, cancel := context.WithTimeout(context.Background(), endTimeout)
	defer cancel()
	x.loop.End(ctx)
}

// Close ends the execution on every node.
func (r *distributedRows) Close() error {
	if r.over {
		return nil
	}
	r.over = true
	r.endRun()
	return nil
}

// Snapshot fills in the figures so far.
func (r *distributedRows) Snapshot(info *QueryInfo) {
	r.mu.Lock()
	x := r.run
	r.mu.Unlock()
	if x == nil {
		return
	}
	x.loop.Snapshot(func(run *query.Run) { snapshotRun(run, info, time.Since(r.start)) })
}
