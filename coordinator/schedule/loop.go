package schedule

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/coordinator/query"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
)

// TaskClient talks to the nodes that run tasks. Its errors mean that the node
// could not be reached or refused; what a task itself fails of comes as a
// status.
type TaskClient interface {
	// Start starts a task; Update tells it more, and returns the splits that it
	// gives back. Calls for one task come in order, one at a time.
	Start(ctx context.Context, a Action) error
	Update(ctx context.Context, a Action) (Answer, error)
	// Watch reports the statuses of the query's tasks on a node until ctx ends
	// or the node is lost, which is the error.
	Watch(ctx context.Context, node string, id plan.QueryID, report func(query.Status)) error
	// Release frees the outputs of tasks on a node.
	Release(ctx context.Context, node string, tasks []plan.TaskID) error
	// End stops the query's tasks on a node and frees what they hold there.
	End(ctx context.Context, node string, id plan.QueryID) error
}

// Answer is what a task says to an update.
type Answer struct {
	// Returned are the splits given back, Started how many it has started.
	Returned []int64
	Started  int
}

// Deps are what a Loop needs.
type Deps struct {
	Client TaskClient
	// Nodes are the workers to use, fixed for the run.
	Nodes []Node
	// Splits opens the listing of a scan's splits.
	Splits func(ctx context.Context, scan *plan.Scan) (connectors.SplitSource, error)
	Log    *slog.Logger
}

// Loop drives one Run: one goroutine owns the run's state, and everything
// that happens comes to it as an event.
type Loop struct {
	deps   Deps
	events chan func(*query.Run)

	mu  sync.Mutex // guards run against Snapshot
	run *query.Run

	began   time.Time
	root    chan struct{} // closed when the root task runs
	working sync.WaitGroup
	senders map[plan.TaskID]*sender
	watched map[string]bool
}

// NewLoop prepares a loop for a run.
func NewLoop(r *query.Run, d Deps) *Loop {
	return &Loop{
		deps: d, run: r, events: make(chan func(*query.Run), 64), began: time.Now(), root: make(chan struct{}),
		senders: map[plan.TaskID]*sender{}, watched: map[string]bool{},
	}
}

// Drive runs until the root task is committed, which it returns, or the run
// has failed. ctx ends the run; it must have ended before End is called, in
// either case.
func (l *Loop) Drive(ctx context.Context) (*query.Task, *query.Failure) {
	l.list(ctx)
	tick := time.NewTicker(stealAfter)
	defer tick.Stop()
	for {
		l.step(ctx)
		if t := l.run.Result(); t != nil {
			return t, nil
		}
		if l.run.Failure != nil {
			return nil, l.run.Failure
		}
		select {
		case ev := <-l.events:
			l.apply(ev)
		case <-tick.C: // idle nodes look for work
		case <-ctx.Done():
			return nil, &query.Failure{Cause: query.CauseCanceled, Err: qerr.From(context.Cause(ctx))}
		}
	}
}

// apply takes an event and all that are waiting behind it, so that a burst of
// statuses leads to one round of decisions.
func (l *Loop) apply(ev func(*query.Run)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		ev(l.run)
		select {
		case ev = <-l.events:
		default:
			return
		}
	}
}

// step decides and sets the actions going.
func (l *Loop) step(ctx context.Context) {
	l.mu.Lock()
	l.run.Now = time.Since(l.began)
	CollectFilters(l.run)
	actions := Decide(l.run, l.deps.Nodes)
	unread := l.run.Releasable()
	l.noteRoot()
	l.mu.Unlock()
	l.release(ctx, unread)
	for _, a := range actions {
		l.watch(ctx, a.Task.Node)
		s := l.senders[a.Task.ID]
		if s == nil {
			s = &sender{}
			l.senders[a.Task.ID] = s
		}
		l.send(ctx, s, a)
	}
}

// noteRoot notes that the root task runs. The caller holds mu.
func (l *Loop) noteRoot() {
	tasks := l.run.Stages[0].Tasks
	if len(tasks) != 1 || tasks[0].Status.State == query.Planned {
		return
	}
	select {
	case <-l.root:
	default:
		close(l.root)
	}
}

// Root is closed when the root task runs, so that its output can be asked for.
func (l *Loop) Root() <-chan struct{} { return l.root }

// RootTask returns the root task once Root is closed.
func (l *Loop) RootTask() (id plan.TaskID, node string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.run.Stages[0].Tasks[0]
	return t.ID, t.Node
}

// release frees outputs that nobody will read again. What fails to be freed
// now goes with the query's end.
func (l *Loop) release(ctx context.Context, tasks []*query.Task) {
	byNode := map[string][]plan.TaskID{}
	for _, t := range tasks {
		byNode[t.Node] = append(byNode[t.Node], t.ID)
	}
	for node, ids := range byNode {
		l.working.Go(func() {
			if err := l.deps.Client.Release(ctx, node, ids); err != nil && ctx.Err() == nil {
				l.deps.Log.Warn("release outputs", "query", l.run.Query, "node", node, "error", err)
			}
		})
	}
}

// sender keeps the actions of one task in order.
type sender struct {
	mu    sync.Mutex
	queue []Action
	busy  bool
}

// send queues an action for its task's node.
func (l *Loop) send(ctx context.Context, s *sender, a Action) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = append(s.queue, a)
	if s.busy {
		return
	}
	s.busy = true
	l.working.Add(1)
	go l.work(ctx, s)
}

// work carries out a task's actions until there are none.
func (l *Loop) work(ctx context.Context, s *sender) {
	defer l.working.Done()
	for {
		s.mu.Lock()
		if len(s.queue) == 0 {
			s.busy = false
			s.mu.Unlock()
			return
		}
		a := s.queue[0]
		s.queue = s.queue[1:]
		s.mu.Unlock()
		if err := l.carryOut(ctx, a); err != nil {
			l.post(ctx, func(r *query.Run) { r.Lose(a.Task.Node, nodeFailure(a.Task.Node, err)) })
			return
		}
	}
}

// carryOut does one action.
func (l *Loop) carryOut(ctx context.Context, a Action) error {
	if a.Start {
		return l.deps.Client.Start(ctx, a)
	}
	answer, err := l.deps.Client.Update(ctx, a)
	if err == nil && len(a.Update.TakeBack) > 0 {
		l.post(ctx, func(r *query.Run) { r.Return(a.Task, answer.Returned, answer.Started) })
	}
	return err
}

// post hands an event to the loop unless it has ended.
func (l *Loop) post(ctx context.Context, ev func(*query.Run)) {
	select {
	case l.events <- ev:
	case <-ctx.Done():
	}
}

// nodeFailure is what losing a node means for the query.
func nodeFailure(node string, err error) *query.Failure {
	e := qerr.Wrap(qerr.RemoteHostGone, err, "worker %s is gone or cannot be reached; run the query again", node).WithRetry()
	return &query.Failure{Cause: query.CauseNode, Retryable: true, Err: e}
}

// watch follows a node's statuses, once a node.
func (l *Loop) watch(ctx context.Context, node string) {
	if l.watched[node] {
		return
	}
	l.watched[node] = true
	l.working.Add(1)
	go func() {
		defer l.working.Done()
		err := l.deps.Client.Watch(ctx, node, l.run.Query, func(st query.Status) {
			l.post(ctx, func(r *query.Run) { r.Report(st) })
		})
		if ctx.Err() == nil {
			if err == nil {
				err = fmt.Errorf("the status stream ended")
			}
			l.post(ctx, func(r *query.Run) { r.Lose(node, nodeFailure(node, err)) })
		}
	}()
}

// list starts the listing of every scan's splits.
func (l *Loop) list(ctx context.Context) {
	next := int64(0)
	var mu sync.Mutex
	number := func(n int) int64 {
		mu.Lock()
		defer mu.Unlock()
		next += int64(n)
		return next - int64(n)
	}
	for _, s := range l.run.Stages {
		plan.Walk(s.Fragment.Root, func(n plan.Node) bool {
			if scan, ok := n.(*plan.Scan); ok {
				for _, state := range s.Scans {
					if state.Node == scan.ID {
						l.working.Add(1)
						go l.enumerate(ctx, scan, state, number)
					}
				}
			}
			return true
		})
	}
}

// splitBatch is how many splits are listed at a time.
const splitBatch = 1024

func (l *Loop) enumerate(ctx context.Context, scan *plan.Scan, state *query.Scan, number func(int) int64) {
	defer l.working.Done()
	src, err := l.deps.Splits(ctx, scan)
	if err != nil {
		l.post(ctx, failRun(err))
		return
	}
	defer func() { _ = src.Close() }() // a listing has nothing to report at its end
	// A batch is passed on with the knowledge whether it is the last.
	batch, err := src.Next(ctx, splitBatch)
	for err == nil {
		listed := slices.Clone(batch)
		if len(listed) > 0 {
			if batch, err = src.Next(ctx, splitBatch); err != nil {
				break
			}
		}
		first, last := number(len(listed)), len(batch) == 0
		l.post(ctx, func(*query.Run) {
			for i, sp := range listed {
				state.Pending = append(state.Pending, query.Split{ID: first + int64(i), Scan: scan.ID, Split: sp})
			}
			state.Total += len(listed)
			state.Listed = last
		})
		if last {
			return
		}
	}
	l.post(ctx, failRun(err))
}

func failRun(err error) func(*query.Run) {
	return func(r *query.Run) {
		if r.Failure == nil {
			r.Failure = &query.Failure{Cause: query.CauseStorage, Err: qerr.From(err)}
		}
	}
}

// Snapshot calls f with the run's state, which f must not keep.
func (l *Loop) Snapshot(f func(*query.Run)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f(l.run)
}

// End stops everything the run has on any node and waits for the loop's own
// goroutines. ctx bounds how long the nodes are waited for.
func (l *Loop) End(ctx context.Context) {
	l.working.Wait()
	var ending sync.WaitGroup
	for node := range l.watched {
		ending.Add(1)
		go func() {
			defer ending.Done()
			if err := l.deps.Client.End(ctx, node, l.run.Query); err != nil {
				l.deps.Log.Warn("end query on node", "query", l.run.Query, "node", node, "error", err)
			}
		}()
	}
	ending.Wait()
}
