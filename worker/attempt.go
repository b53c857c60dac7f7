package worker

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tuttidb/tutti/exchange"
	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/planner/plancodec"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
	"github.com/tuttidb/tutti/sql/types"
)

// attempt is one try of a task: its parts, and where it stands.
type attempt struct {
	m       *Manager
	q       *query
	id      plan.TaskID
	task    exec.Task
	splits  *splitQueue
	inputs  *exchange.Inputs
	output  *exchange.Output
	dynamic *dynamicFilters
	account *mem.Account
	ctx     context.Context
	cancel  context.CancelCauseFunc
	done    chan struct{} // closed when nothing of it runs
	// req is what the attempt was started with, but for the plan.
	req *pb.StartTaskRequest
	// catalogs is the generation of catalogs that the query was planned with.
	catalogs uint64

	change atomic.Int64 // counts what watchers must hear of at once
	// Upstream outputs that are here as a whole. Their lock is a leaf: inputs
	// tell of them under locks that update takes after mu.
	readMu   sync.Mutex
	readers  map[plan.FragmentID]int // how often the task reads a stage
	reads    map[plan.TaskID]int     // how often it has read an output as a whole
	consumed []*pb.TaskId
	lost     []lostInput
	stream   bool

	mu       sync.Mutex
	state    pb.TaskState
	version  int64 // of what status reports
	failure  *pb.Failure
	end      *pb.End
	began    time.Time
	finished time.Time
	waits    bool  // the output waits for its reader
	cpu      int64 // once it has ended
	told     told
	chosen   bool    // the client reads its output
	chosenBy uint64  // the epoch of the last coordinator that said so
	epoch    uint64  // of the coordinator that it belongs to
	counts   uint64  // of the last one that is known to count it
	number   int64   // of the last update
	returned []int64 // by that update
}

// newAttempt makes an attempt that has not begun.
func newAttempt(m *Manager, q *query, id plan.TaskID, req *pb.StartTaskRequest) (*attempt, error) {
	f, err := plancodec.DecodeFragment(req.PlanVersion, req.Fragment)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	a := &attempt{
		m: m, q: q, id: id, state: pb.TaskState_TASK_STATE_PLANNED, done: make(chan struct{}),
		account: q.account.Child(fmt.Sprintf("task %d.%d.%d", id.Stage.Fragment, id.Task, id.Attempt), 0),
	}
	a.ctx, a.cancel = context.WithCancelCause(context.Background())
	a.splits = newSplitQueue(m.drivers(req), a.news)
	a.dynamic = newDynamicFilters(f, int(req.Partitions), m.patience(req), a.news)
	a.readers, a.reads = readersOf(f), map[plan.TaskID]int{}
	a.stream, a.catalogs, a.epoch, a.counts = req.StreamOutput, req.Catalogs, req.Epoch, req.Epoch
	a.req = &pb.StartTaskRequest{Partition: req.Partition, Partitions: req.Partitions, OutputPartitions: req.OutputPartitions, Epoch: req.Epoch}
	a.inputs = exchange.NewInputs(exchange.InputsConfig{
		Read: a.read, Lost: a.lose, Task: id, Partition: int(req.Partition), Store: m.d.Store, Self: m.d.Self, Conns: m.d.Conns, Auth: m.d.Auth,
		BatchRows: int(req.GetSettings().GetBatchRows()), Merge: m.d.Merge, Log: m.d.Log,
	})
	a.output, err = m.d.Store.NewOutput(exchange.OutputConfig{
		Task: id, Types: typesOf(f.Root.Outputs()), Partitions: max(int(req.OutputPartitions), 1),
		Account: a.account.Child("output", 0), Compression: m.d.Compression, Stream: req.StreamOutput, KeepSent: req.KeepSent, Waits: a.outputWaits,
	})
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	a.fill(f, req)
	if _, err := a.update(req.Update); err != nil {
		a.output.Abort()
		a.inputs.Close()
		return nil, err
	}
	return a, nil
}

func typesOf(cols []plan.Column) []types.Type {
	ts := make([]types.Type, len(cols))
	for i, c := range cols {
		ts[i] = c.Type
	}
	return ts
}

// fill makes the task that the drivers get.
func (a *attempt) fill(f *plan.Fragment, req *pb.StartTaskRequest) {
	settings := settingsOf(req.GetSettings())
	settings.Drivers = a.m.drivers(req)
	a.task = exec.Task{
		ID: a.id, Fragment: f, Settings: settings, Account: a.account, Splits: a.splits, Inputs: a.inputs, Output: a.output,
		Dynamic: a.dynamic, Catalogs: a.m.d.Catalogs, Stats: &exec.TaskStats{},
		Partition: int(req.Partition), Partitions: max(int(req.Partitions), 1),
		Log: a.m.d.Log.With("task", a.id.String()),
	}
}

// settingsOf reads the session's wishes, with the default for a size of batches
// that cannot be.
func settingsOf(s *pb.Settings) exec.Settings {
	out := exec.Settings{
		Drivers: int(s.GetDrivers()), BatchRows: int(s.GetBatchRows()),
		PartialAggregation: s.GetPartialAggregation(), DynamicFiltering: s.GetDynamicFiltering(),
		TimeZone: s.GetTimeZone(), User: s.GetUser(), Start: time.Unix(0, s.GetStartNanos()),
	}
	if out.BatchRows <= 0 || out.BatchRows > vector.MaxRows {
		out.BatchRows = vector.DefaultRows
	}
	return out
}

// start runs the attempt in a goroutine of its own.
func (a *attempt) start() {
	a.mu.Lock()
	a.began = a.m.d.Clock.Now()
	a.mu.Unlock()
	a.m.cpu.add(a, a.task.Stats.CPUNanos.Load)
	a.enter(pb.TaskState_TASK_STATE_RUNNING)
	go func() {
		defer close(a.done)
		end, err := a.run()
		a.inputs.Close()
		a.dynamic.stop()
		if err != nil {
			a.output.Abort()
		} else {
			a.output.Close()
		}
		if used := a.account.Used(); used != 0 {
			a.task.Log.Error("memory accounted to a task after its end", "bytes", used)
		}
		a.conclude(end, err)
	}()
}

// run runs the task and ends its output. A panic that got past the drivers
// fails it.
func (a *attempt) run() (end *pb.End, err error) {
	defer func() {
		if p := recover(); p != nil {
			a.task.Log.Error("panic in a task", "panic", p, "stack", string(debug.Stack()))
			err = qerr.New(qerr.GenericInternal, "internal error: %v", p)
		}
	}()
	if err := a.openCatalogs(); err != nil {
		return nil, err
	}
	if err := a.m.d.Run(a.ctx, &a.task); err != nil {
		return nil, err
	}
	a.enter(pb.TaskState_TASK_STATE_FLUSHING)
	parts, err := a.output.Finish(a.ctx)
	if err != nil {
		return nil, err
	}
	end = &pb.End{Splits: a.splits.consumed()}
	for _, p := range parts {
		end.Partitions = append(end.Partitions, &pb.PartitionEnd{Frames: p.Frames, Rows: p.Rows, Bytes: p.Bytes})
	}
	return end, nil
}

// openCatalogs waits for the catalogs that the query was planned with.
func (a *attempt) openCatalogs() error {
	g, ok := a.m.d.Catalogs.(Generations)
	if !ok {
		return nil
	}
	at, err := g.At(a.ctx, a.catalogs)
	if err != nil {
		return err
	}
	a.task.Catalogs = at
	return nil
}

// conclude puts the attempt into its final state.
func (a *attempt) conclude(end *pb.End, err error) {
	state := pb.TaskState_TASK_STATE_FINISHED
	var f *pb.Failure
	if err != nil {
		end = nil
		cause := context.Cause(a.ctx)
		var ok bool
		if state, ok = stopped(cause); !ok {
			if cause != nil {
				err = cause
			}
			state, f = pb.TaskState_TASK_STATE_FAILED, classify(err, "query "+string(a.q.id))
			a.task.Log.Info("task failed", "cause", f.Cause.String(), "code", f.Name, "error", err)
		}
	}
	cpu := a.m.cpu.remove(a)
	a.mu.Lock()
	a.end, a.failure, a.cpu = end, f, cpu
	a.finished = a.m.d.Clock.Now()
	a.mu.Unlock()
	a.enter(state)
	a.cancel(nil) // frees the context
}

// enter changes the state.
func (a *attempt) enter(s pb.TaskState) {
	a.mu.Lock()
	a.state = s
	a.mu.Unlock()
	a.news()
}

// news tells watchers that something changed that they must hear of.
func (a *attempt) news() {
	a.change.Add(1)
	a.q.changed()
}

// readersOf counts the nodes that read each of a fragment's inputs: what several
// places of a plan share is read by each of them.
func readersOf(f *plan.Fragment) map[plan.FragmentID]int {
	n := map[plan.FragmentID]int{}
	plan.Walk(f.Root, func(x plan.Node) bool {
		if src, ok := x.(*plan.RemoteSource); ok {
			for _, id := range src.Fragments {
				n[id]++
			}
		}
		return true
	})
	return n
}

// read notes that an upstream output has been read by one of its readers: when
// the last one has it is not needed here any more.
func (a *attempt) read(id plan.TaskID) {
	a.readMu.Lock()
	a.reads[id]++
	whole := a.reads[id] >= a.readers[id.Stage.Fragment]
	if whole {
		a.consumed = append(a.consumed, exchange.TaskToProto(id))
	}
	a.readMu.Unlock()
	if !whole {
		return
	}
	if a.stream { // it can go at once; others' readers are told in their time
		a.news()
	}
}

// lose notes that an upstream output cannot be fetched.
func (a *attempt) lose(id plan.TaskID, err error) {
	a.task.Log.Info("waits for another attempt of an input", "input", id.String(), "error", err)
	a.readMu.Lock()
	a.lost = append(a.lost, lostInput{id: id})
	a.readMu.Unlock()
	a.news()
}

// lostInput is an upstream output that could not be fetched.
type lostInput struct {
	id plan.TaskID
	// found says that it was told to be elsewhere since: that it was lost is no
	// news any more.
	found bool
}

// found notes that the attempt is told once more where upstream outputs are, so that
// it tries again. The caller holds mu.
func (a *attempt) found(sources []*pb.Source) {
	a.readMu.Lock()
	defer a.readMu.Unlock()
	for _, src := range sources {
		id := exchange.TaskFromProto(src.Task)
		if a.told.sources[id] == nil {
			continue
		}
		for i := range a.lost {
			a.lost[i].found = a.lost[i].found || a.lost[i].id == id
		}
	}
}

// inputsSince returns the upstream outputs read after the first n, and those
// that are lost after the first m that were, with how many were by now.
func (a *attempt) inputsSince(n, m int) (read, lost []*pb.TaskId, losses int) {
	a.readMu.Lock()
	defer a.readMu.Unlock()
	for _, l := range a.lost[m:] {
		if !l.found {
			lost = append(lost, exchange.TaskToProto(l.id))
		}
	}
	return a.consumed[n:len(a.consumed):len(a.consumed)], lost, len(a.lost)
}

// outputWaits notes whether the output waits for its reader.
func (a *attempt) outputWaits(waits bool) {
	a.mu.Lock()
	a.waits = waits
	a.mu.Unlock()
	a.news()
}

// changes returns a number that grows with what watchers must hear of, and
// whether the attempt has ended.
func (a *attempt) changes() (n int64, over bool) {
	n = a.change.Load() // before the state: what comes between is told again
	a.mu.Lock()
	defer a.mu.Unlock()
	return n, a.state >= pb.TaskState_TASK_STATE_FINISHED
}

// ended reports whether the state is final.
func (a *attempt) ended() bool {
	_, over := a.changes()
	return over
}

// countedBy reports whether the coordinator of an epoch counts the attempt.
func (a *attempt) countedBy(epoch uint64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.epoch == epoch && a.counts == epoch
}

// succeeded reports whether the attempt has finished, and well.
func (a *attempt) succeeded() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.state == pb.TaskState_TASK_STATE_FINISHED
}

// of reports whether the attempt belongs to an epoch, whose coordinator began it
// or has taken it over.
func (a *attempt) of(epoch uint64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.epoch == epoch
}

// by reports whether the coordinator of an epoch began the attempt.
func (a *attempt) by(epoch uint64) bool { return a.req.Epoch == epoch }

// counted notes that the coordinator of an epoch counts the attempt.
func (a *attempt) counted(epoch uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.counts = max(a.counts, epoch)
}

// update applies an update once, in order, and returns the splits given back.
func (a *attempt) update(u *pb.TaskUpdate) ([]int64, error) {
	if u == nil {
		return nil, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case u.Number != 0 && u.Number == a.number:
		return a.returned, nil // said again: the answer was lost
	case u.Number != 0 && u.Number < a.number:
		return nil, nil
	case u.Number > a.number+1:
		return nil, status.Errorf(codes.FailedPrecondition, "task %s: update %d after %d", a.id, u.Number, a.number)
	}
	a.found(u.GetInputs().GetSources())
	if err := a.inputs.Update(u.Inputs); err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	if err := a.dynamic.update(u.Filters); err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	a.dynamic.giveUp(u.NoFilters)
	a.splits.add(u.Splits, u.NoMore)
	var returned []int64
	for _, t := range u.TakeBack {
		returned = append(returned, a.splits.takeBack(plan.NodeID(t.Scan), int(t.Count))...)
	}
	if u.Enough {
		a.output.Enough()
		a.cancel(errEnough)
	}
	a.told.add(u, returned)
	if u.Number != 0 {
		a.number, a.returned = u.Number, returned
	}
	return returned, nil
}

// status returns the attempt's state and figures, but for its filters.
func (a *attempt) status() *pb.TaskStatus {
	queued, started := a.splits.figures()
	done := int(a.task.Stats.SplitsDone.Load())
	rows, bytes := a.output.Figures()
	st := &pb.TaskStatus{
		Task: exchange.TaskToProto(a.id), CpuNanos: a.m.cpu.of(a),
		MemoryUsed: a.account.Used(), MemoryPeak: a.account.Peak(),
		QueuedSplits: int32(queued), RunningSplits: int32(max(started-done, 0)), DoneSplits: int32(done),
		OutputBytes: bytes, OutputRows: rows,
	}
	for _, o := range a.task.Stats.Operators() {
		st.Operators = append(st.Operators, operatorStats(o))
		st.SpilledBytes += o.SpilledBytes.Load()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.version++
	st.CpuNanos = max(st.CpuNanos, a.cpu)
	st.Version, st.State, st.Failure, st.End, st.OutputWaits = a.version, a.state, a.failure, a.end, a.waits
	switch {
	case a.began.IsZero():
	case a.finished.IsZero():
		st.WallNanos = int64(a.m.d.Clock.Now().Sub(a.began))
	default:
		st.WallNanos = int64(a.finished.Sub(a.began))
		st.RunningSplits = 0
	}
	return st
}

func operatorStats(o *exec.OperatorStats) *pb.OperatorStats {
	return &pb.OperatorStats{
		Node: int32(o.Node), Name: o.Name, RowsIn: o.RowsIn.Load(), RowsOut: o.RowsOut.Load(), BytesOut: o.BytesOut.Load(),
		Batches: o.Batches.Load(), Nanos: o.Nanos.Load(), BlockedNanos: o.BlockedNanos.Load(), PeakBytes: o.PeakBytes.Load(),
		SpilledBytes: o.SpilledBytes.Load(), PhysicalBytes: o.PhysicalBytes.Load(), PhysicalRows: o.PhysicalRows.Load(),
		Groups: o.Groups.Load(), GroupsSkipped: o.GroupSkip.Load(),
	}
}
