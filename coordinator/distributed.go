package coordinator

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
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
func (d *Distributed) Execute(_ context.Context, e *Execution) (Rows, error) {
	return &distributedRows{d: d, e: e, start: time.Now(), bad: map[string]bool{}}, nil
}

// distributedRows is a plan that runs on workers, several times if it must.
type distributedRows struct {
	d     *Distributed
	e     *Execution
	start time.Time
	bad   map[string]bool // nodes that failed this query
	runs  int

	mu     sync.Mutex // guards loop against Snapshot
	loop   *schedule.Loop
	inputs *exchange.Inputs
	source exec.Operator
	given  bool // a row has left
	over   bool
}

// Next runs the plan if need be and returns the next rows of its result.
func (r *distributedRows) Next(ctx context.Context) (*vector.Batch, error) {
	for {
		if r.source == nil {
			if err := r.run(ctx); err != nil {
				return nil, err
			}
		}
		b, err := r.source.Next(ctx)
		if err == nil {
			r.given = r.given || b != nil
			return b, nil
		}
		var lost *exchange.LostOutput
		if !errors.As(err, &lost) {
			return nil, err
		}
		r.endRun()
		if r.given || r.runs > maxRuns || ctx.Err() != nil {
			return nil, qerr.Wrap(qerr.RemoteHostGone, err, "the rest of the result was lost with a worker; run the query again").WithRetry()
		}
	}
}

// run drives the plan until its result is committed, again after losing a
// worker: nothing has reached the client yet.
func (r *distributedRows) run(ctx context.Context) error {
	for {
		nodes, err := r.nodes(ctx)
		if err != nil {
			return err
		}
		client := cluster.NewClient(r.d.Conns, r.withSelf(nodes), r.lost, r.settings())
		run := query.NewRun(r.e.Query, r.e.Plan, int32(r.runs), len(nodes))
		loop := schedule.NewLoop(run, schedule.Deps{Client: client, Nodes: nodes, Splits: r.splits, Log: r.d.Log})
		r.mu.Lock()
		r.loop = loop
		r.mu.Unlock()
		r.runs++
		task, failure := loop.Drive(ctx)
		if failure == nil {
			return r.open(task, client.Address(task.Node))
		}
		r.noteBad(run)
		r.endRun()
		if !failure.Retryable || r.runs > maxRuns || ctx.Err() != nil {
			return failure.Err
		}
		r.d.Log.Warn("run query again", "query", r.e.Query, "run", r.runs, "cause", failure.Err.Error())
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
		User: r.e.User, StartNanos: r.e.Start.UnixNano(),
	}
}

// resultReader is the stage under which the coordinator reads a result.
const resultReader plan.FragmentID = -1

// open begins to read the committed root task's output.
func (r *distributedRows) open(task *query.Task, address string) error {
	end := task.Status.End.Partitions[0]
	r.inputs = exchange.NewInputs(exchange.InputsConfig{
		Task:  plan.TaskID{Stage: plan.StageID{Query: r.e.Query, Fragment: resultReader}},
		Conns: r.d.Conns, Auth: r.d.Auth, Log: r.d.Log,
	})
	err := r.inputs.Update(&pb.Inputs{
		Sources: []*pb.Source{{
			Task: exchange.TaskToProto(task.ID), Address: address, Committed: true, Frames: end.Frames, Rows: end.Rows,
		}},
		Complete: []int32{0},
	})
	if err != nil {
		return err
	}
	node := &plan.RemoteSource{Fragments: []plan.FragmentID{0}, Columns: r.e.Plan.Root().Root.Outputs()}
	r.source, err = r.inputs.Open(node, r.d.Account)
	return err
}

// endRun frees what the current run holds anywhere.
func (r *distributedRows) endRun() {
	if r.source != nil {
		_ = r.source.Close() // closing a reader has nothing to report
		r.source = nil
	}
	if r.inputs != nil {
		r.inputs.Close()
		r.inputs = nil
	}
	if r.loop != nil {
		ctx, cancel := context.WithTimeout(context.Background(), endTimeout)
		defer cancel()
		r.loop.End(ctx)
	}
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
	loop := r.loop
	r.mu.Unlock()
	if loop == nil {
		return
	}
	loop.Snapshot(func(run *query.Run) { snapshotRun(run, info, time.Since(r.start)) })
}
