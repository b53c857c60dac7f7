package coordinator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/coordinator/cluster"
	"github.com/tuttidb/tutti/coordinator/given"
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
	// maxRuns is how often a query is run again, as a whole, after losing a worker.
	maxRuns = 4
	// resultRetry is how long the reader of a result goes on asking a node that
	// does not answer: by then it is known to be gone, and another attempt named.
	resultRetry = 20 * time.Second
	// keepPerNode is how many bytes of outputs stay, a worker, that nobody reads
	// but for recovery.
	keepPerNode = 512 << 20
	// endTimeout bounds how long nodes are waited for at a query's end.
	endTimeout = 2 * time.Second
)

// Distributed is the Executor that spreads a plan's tasks over workers.
type Distributed struct {
	Registry *cluster.Registry
	Conns    *exchange.Conns
	Auth     *exchange.Auth
	// Account is charged for results on their way to clients.
	Account *mem.Account
	// Self is the address of this process's own gRPC door, where fragments run
	// that must run on the coordinator.
	Self string
	// Epoch is the leadership that this executor works for: workers refuse the
	// word of an older one. 0 where there is one coordinator only.
	Epoch uint64
	// Succeeded says that another coordinator may take over: what a result
	// needs is kept until its rows are delivered.
	Succeeded bool
	// Before are the workers that the coordinator before had.
	Before []string
	// WorkerWait is how long a query waits for a first worker to join.
	WorkerWait time.Duration
	Log        *slog.Logger

	tally tally
}

// Tasks is the number of live workers, at least 1.
func (d *Distributed) Tasks() int { return max(1, len(d.Registry.Live())) }

// Execute prepares a run; the first Next starts it.
func (d *Distributed) Execute(ctx context.Context, e *Execution) (Rows, error) {
	r := &distributedRows{ctx: ctx, d: d, e: e, start: time.Now(), news: make(chan struct{}, 1), left: make(chan struct{})}
	if e.Resume != nil {
		r.at, r.given = e.Resume.Rows, e.Resume.Rows > 0
	}
	return r, nil
}

// distributedRows is a plan that runs on workers.
//
// What is lost with a worker is done again within a run (schedule.Loop). The
// root task's output is fetched while the task runs. Its rows are given to the
// client once all of them are here, so that nothing can be lost any more; or
// earlier, when as much has come as is kept here (resultAhead). From then on it
// is remembered which rows have left, and when the root task is lost the rest is
// looked up among the rows of another attempt (again.go). A run that cannot go
// on is followed by another if no row has left.
//
// An execution that another coordinator began goes on with the run that workers
// have parts of (adopt), or with another.
type distributedRows struct {
	ctx    context.Context // of the whole execution
	d      *Distributed
	e      *Execution
	start  time.Time
	runs   int
	number int32 // of the next run
	at     int64 // rows of the result that have left, those of other coordinators too
	skip   int64 // rows that come, and have left
	given  bool  // a row has left
	cut    vector.Batch
	part   vector.Batch

	delivered atomic.Int64
	news      chan struct{} // has one when more is delivered
	left      chan struct{} // closed by Abandon

	mu    sync.Mutex // guards run and over, against Snapshot and Abandon
	run   *running
	since time.Time // of the wait for a first worker
	over  bool
	// abandoned says that another coordinator goes on.
	abandoned bool
}

// running is one run of the plan.
type running struct {
	loop   *schedule.Loop
	state  *query.Run
	client *cluster.Client
	ctx    context.Context
	cancel context.CancelFunc
	over   chan struct{} // closed when the result is held or the run has failed
	failed atomic.Pointer[query.Failure]
	root   atomic.Pointer[schedule.Source] // as it was last named
	fed    atomic.Pointer[plan.TaskID]     // the attempt whose rows come
	held   atomic.Bool                     // all of the result is here
	chosen bool                            // the root's worker was told that its rows leave
	ended  bool

	mu     sync.Mutex // guards reader, least and dead against the goroutines of the run
	reader *reader
	least  int32 // the first attempt of the root that may be read
	dead   error // why nothing is read any more

	log     *given.Log   // of the rows that have left; nil: it is of no use
	full    bool         // not all of them are in it
	match   *given.Match // with the attempt that is read, if another was before
	matched plan.TaskID  // that attempt
	again   atomic.Bool  // rows of more than one leave
}

// reader reads the root's output.
type reader struct {
	inputs *exchange.Inputs
	source exec.Operator
}

// close ends the reading. Closing a reader has nothing to report.
func (r *reader) close() {
	_ = r.source.Close()
	r.inputs.Close()
}

// resultAhead is how many bytes of a result the coordinator keeps before it
// gives rows of a task to the client that may still be lost.
const resultAhead = 16 << 20

// Next runs the plan if need be and returns the next rows of its result.
func (r *distributedRows) Next(ctx context.Context) (*vector.Batch, error) {
	for {
		select {
		case <-r.left:
			return nil, errLeft
		default:
		}
		if r.run == nil || r.run.ended {
			if err := r.begin(); err != nil {
				return nil, err
			}
		}
		b, err := r.read(ctx)
		if err == nil && b == nil && r.skip > 0 {
			err = qerr.New(qerr.GenericInternal, "internal error: the result ended %d rows before what the client has of it", r.skip)
			return nil, err
		}
		if err == nil {
			if b = r.rest(b); b != nil && b.Rows() == 0 {
				continue // the client has these
			}
			if b != nil && !r.run.chosen {
				r.give(r.run)
			}
			return b, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if r.given {
			if err = r.goOn(ctx, err); err == nil {
				continue
			}
		}
		if err := r.again(err); err != nil {
			return nil, err
		}
	}
}

// give notes that rows of a run leave, before they do.
func (r *distributedRows) give(x *running) {
	x.chosen = true
	if !r.given {
		r.given = true
		x.loop.Given(x.ctx)
	}
	r.choose(x)
}

// again ends the run, which has failed with err, and returns nil if the plan
// may be run once more.
func (r *distributedRows) again(err error) error {
	var lost *exchange.LostOutput
	retry := errors.As(err, &lost)
	f := r.run.failed.Load() // nil: the reader's own failure
	select {
	case <-r.left:
		return errLeft
	default:
	}
	if f != nil && f.Cause == query.CauseDeposed {
		return r.deposed(f.Err)
	}
	r.endRun()
	if f != nil {
		err, retry = f.Err, f.Retryable
	}
	switch {
	case !retry || r.ctx.Err() != nil || r.e.RetryPolicy == RetryNone && r.e.Resume == nil:
		return err
	case r.given && lost != nil || r.runs > maxRuns && lost != nil:
		return restLost(err)
	case r.given || r.runs > maxRuns:
		return err
	}
	r.d.tally.add(Recovered{Queries: 1})
	r.d.Log.Warn("run query again", "query", r.e.Query, "run", r.runs, "cause", err.Error())
	return nil
}

// begin sets the plan going and opens its result.
func (r *distributedRows) begin() error {
	tasks, err := r.workers(r.ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(r.ctx)
	x := &running{
		ctx: ctx, cancel: cancel, over: make(chan struct{}),
		client: cluster.NewClient(cluster.ClientConfig{
			Conns: r.d.Conns, Lost: r.lost, Settings: r.settings(), Epoch: r.d.Epoch, Catalogs: r.e.Catalogs.Generation(),
			KeepSent: r.d.Succeeded,
		}),
	}
	adopted, err := r.state(x, tasks)
	if err != nil {
		cancel()
		return err
	}
	x.loop = schedule.NewLoop(x.state, schedule.Deps{
		Client: x.client, Members: r.d.Registry.Nodes, Changed: r.d.Registry.Changed, Cut: r.d.Registry.Cut, Wait: r.wait(),
		Coordinator: schedule.Node{ID: schedule.CoordinatorNode, Address: r.d.Self}, Splits: r.splits, Root: x.name, Log: r.d.Log,
		Adopted: adopted,
	})
	if err := r.open(x, 0, readStream); err != nil {
		cancel()
		return err
	}
	r.remember(x)
	r.runs++
	r.number = x.state.Number + 1
	r.mu.Lock()
	r.run = x
	if r.abandoned { // meanwhile
		cancel()
		x.fail(errLeft)
	}
	r.mu.Unlock()
	go func() {
		defer close(x.over)
		x.drive()
		r.d.tally.run(x.state)
	}()
	if r.d.Succeeded {
		go r.letGo(x)
	}
	return nil
}

// drive runs the plan until its result is here.
func (x *running) drive() {
	if failure := x.loop.Drive(x.ctx); failure != nil {
		x.failed.Store(failure)
		x.fail(failure.Err)
	}
}

// fail makes reading fail, from now on.
func (x *running) fail(err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.dead = err
	x.reader.inputs.Fail(err)
}

// name tells the reader about the root task, the only one of its stage: where
// it runs, that it is committed, that another attempt took its place.
func (x *running) name(root schedule.Source) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.root.Store(&root)
	x.tell(root)
}

// tell does so, unless the attempt is one of those not to be read any more. The
// caller holds mu.
func (x *running) tell(root schedule.Source) {
	if root.Task.Attempt < x.least {
		return
	}
	src := &pb.Source{
		Task: exchange.TaskToProto(root.Task), Address: root.Address, Committed: root.Committed, Frames: root.End.Frames, Rows: root.End.Rows,
		SkippedFrames: x.state.Skipped.Frames, SkippedRows: x.state.Skipped.Rows,
	}
	if err := x.reader.inputs.Update(&pb.Inputs{Sources: []*pb.Source{src}, Complete: []int32{0}}); err != nil {
		x.reader.inputs.Fail(err)
	}
}

// rootLost tells the run that the root task's output cannot be fetched.
func (x *running) rootLost(id plan.TaskID, _ error) {
	go x.loop.LostOutput(x.ctx, id)
}

// lost tells of places that are lost; the coordinator's own executor never is.
func (r *distributedRows) lost(at query.Place) <-chan struct{} {
	if at.Node == schedule.CoordinatorNode {
		return make(chan struct{})
	}
	return r.d.Registry.Lost(at)
}

// wait is how long the query waits for a worker where there is none.
func (r *distributedRows) wait() time.Duration {
	if r.e.WorkerWait > 0 {
		return r.e.WorkerWait
	}
	return r.d.WorkerWait
}

// workers returns the number of workers, waiting a while if there are none.
func (r *distributedRows) workers(ctx context.Context) (int, error) {
	deadline := time.NewTimer(r.wait())
	defer deadline.Stop()
	for since := time.Now(); ; {
		changed := r.d.Registry.Changed()
		if n := len(r.d.Registry.Live()); n > 0 {
			r.waiting(time.Time{})
			return n, nil
		}
		r.waiting(since)
		select {
		case <-changed:
		case <-deadline.C:
			return 0, qerr.New(qerr.NoNodesAvailable, "No workers have joined the cluster: waited %s for one; start one with `tutti worker --join HOST:PORT`", r.wait()).WithRetry()
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

func (r *distributedRows) waiting(since time.Time) {
	r.mu.Lock()
	r.since = since
	r.mu.Unlock()
}

func (r *distributedRows) splits(ctx context.Context, scan *plan.Scan) (connectors.SplitSource, error) {
	conn, err := r.e.Catalogs.Connector(ctx, scan.Catalog)
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

// endRun frees what the current run holds anywhere; if another coordinator goes
// on with it, in this process.
func (r *distributedRows) endRun() {
	r.mu.Lock()
	x, end := r.run, (*schedule.Loop).End
	if r.abandoned {
		end = (*schedule.Loop).Leave
	}
	if x == nil || x.ended {
		r.mu.Unlock()
		return
	}
	x.ended = true
	r.mu.Unlock()
	x.reader.close()
	x.log.Close()
	x.cancel()
	<-x.over
	ctx, cancel := context.WithTimeout(context.Background(), endTimeout)
	defer cancel()
	end(x.loop, ctx)
}

// Close ends the execution on every node.
func (r *distributedRows) Close() error {
	r.mu.Lock()
	first := !r.over
	r.over = true
	r.mu.Unlock()
	if first {
		r.endRun()
	}
	return nil
}

// Snapshot fills in the figures so far.
func (r *distributedRows) Snapshot(info *QueryInfo) {
	r.mu.Lock()
	x, since := r.run, r.since
	r.mu.Unlock()
	if x != nil {
		x.loop.Snapshot(func(run *query.Run) { snapshotRun(run, info, time.Since(r.start)) })
		since = x.loop.Waiting()
	}
	info.Why = ""
	if !since.IsZero() {
		info.Why = fmt.Sprintf("waits for a worker to join, since %s of at most %s", time.Since(since).Round(time.Second), r.wait())
	}
}
