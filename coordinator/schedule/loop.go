package schedule

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/coordinator/query"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
)

// TaskClient talks to the nodes that run tasks. Its errors mean that the node
// could not be reached or is not what it was; what a task itself fails of comes
// as a status.
type TaskClient interface {
	// Start starts a task; Update tells it more, and returns the splits that it
	// gives back. Calls for one task come in order, one at a time. A node that
	// takes no tasks, but goes on with those it has, says so by Refused.
	Start(ctx context.Context, a Action) error
	Update(ctx context.Context, a Action) (Answer, error)
	// Watch reports the statuses of the query's tasks at a place until ctx ends
	// or the place is lost, which is the error.
	Watch(ctx context.Context, at query.Place, id plan.QueryID, report func(query.Status)) error
	// Copy has a node copy a task's committed output; it returns when all is there.
	Copy(ctx context.Context, to query.Place, of Copy) error
	// Release frees the outputs of tasks on a node, and stops those that run.
	Release(ctx context.Context, at query.Place, tasks []plan.TaskID) error
	// End stops the query's tasks on a node and frees what they hold there.
	End(ctx context.Context, at query.Place, id plan.QueryID) error
}

// Refused is the error of a node that takes no new tasks.
type Refused struct{ Err error }

// Error is the node's own word.
func (e *Refused) Error() string { return "the worker takes no tasks: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Refused) Unwrap() error { return e.Err }

// Deposed is the error of a node that has heard of another coordinator, which
// leads now: this one's word counts nowhere any more.
type Deposed struct{ Err error }

// Error is the node's own word.
func (e *Deposed) Error() string { return "another coordinator leads: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Deposed) Unwrap() error { return e.Err }

// Member is a worker of the cluster, as a run may use it.
type Member struct {
	Node
	// Draining workers get nothing new.
	Draining bool
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
	// Members are the workers now, and Changed is closed when they change.
	Members func() []Member
	Changed func() <-chan struct{}
	// Cut is query.Run's.
	Cut func(reader, source query.Place) (aside query.Place)
	// Coordinator is this process as a node.
	Coordinator Node
	// Wait is how long a run that has no worker waits for one.
	Wait time.Duration
	// Adopted are the places that a run which another coordinator began has
	// parts of; see query.Adopt.
	Adopted []query.Place
	// Splits opens the listing of a scan's splits.
	Splits func(ctx context.Context, scan *plan.Scan) (connectors.SplitSource, error)
	// Root is told, by one goroutine, where the root task runs, when it is
	// committed, and when another attempt takes its place.
	Root func(Source)
	Log  *slog.Logger
}

// outOfUse is how long a node is left alone that did not answer but is still a
// member: by then it has left, or it is well.
const outOfUse = 5 * time.Second

// Loop drives one Run: one goroutine owns the run's state, and everything
// that happens comes to it as an event.
type Loop struct {
	deps   Deps
	events chan func(*query.Run)

	mu  sync.Mutex // guards run, and waiting, against Snapshot
	run *query.Run
	// waiting says since when the run has had no worker.
	waiting time.Time

	began   time.Time
	told    Source // of the root
	working sync.WaitGroup
	senders map[plan.TaskID]*sender
	places  map[query.Place]*place
	// lives counts how often a node that stayed a member was given up.
	lives map[string]int
	until map[string]time.Time
}

// place is a process that the run has used.
type place struct {
	ctx    context.Context
	cancel context.CancelFunc
	gone   bool
}

// NewLoop prepares a loop for a run.
func NewLoop(r *query.Run, d Deps) *Loop {
	r.Coordinator, r.Cut = d.Coordinator.Place(), d.Cut
	return &Loop{
		deps: d, run: r, events: make(chan func(*query.Run), 64), began: time.Now(),
		senders: map[plan.TaskID]*sender{}, places: map[query.Place]*place{}, lives: map[string]int{}, until: map[string]time.Time{},
	}
}

// Drive runs until the root task's output has been read as a whole (see Held),
// or the run has failed. ctx ends the run; it must have ended before End is
// called, in either case.
func (l *Loop) Drive(ctx context.Context) *query.Failure {
	for _, at := range l.deps.Adopted {
		l.place(ctx, at)
	}
	l.list(ctx)
	tick := time.NewTicker(stealAfter)
	defer tick.Stop()
	for {
		changed := l.deps.Changed()
		l.step(ctx)
		switch {
		case l.run.Held && l.run.Result() != nil:
			return nil
		case l.run.Failure != nil:
			return l.run.Failure
		}
		select {
		case ev := <-l.events:
			l.apply(ev)
		case <-tick.C: // idle nodes look for work
		case <-changed:
		case <-ctx.Done():
			return &query.Failure{Cause: query.CauseCanceled, Err: qerr.From(context.Cause(ctx))}
		}
	}
}

// Held says that the reader has the root task's whole output.
func (l *Loop) Held(ctx context.Context, root plan.TaskID) {
	l.post(ctx, func(r *query.Run) { r.Held = r.Held || r.Task(root) != nil })
}

// Given says that rows have left, or are about to.
func (l *Loop) Given(ctx context.Context) {
	l.post(ctx, func(r *query.Run) { r.Given = true })
}

// Unrepeatable says that the reader cannot go on with another attempt of the
// root any more.
func (l *Loop) Unrepeatable(ctx context.Context) {
	l.post(ctx, func(r *query.Run) { r.Repeatable = false })
}

// LostOutput says that the reader cannot fetch the root task's output.
func (l *Loop) LostOutput(ctx context.Context, root plan.TaskID) {
	l.post(ctx, func(r *query.Run) { r.LoseOutput(root) })
}

// Waiting says since when the run has had no worker; zero if it has.
func (l *Loop) Waiting() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waiting
}

// usable returns the workers that tasks can be placed on. The caller holds mu.
func (l *Loop) usable() (nodes []Node) {
	for _, m := range l.deps.Members() {
		n := m.Node
		if now := time.Now(); l.lives[n.Incarnation] > 0 {
			if now.Before(l.until[n.Incarnation]) {
				continue
			}
			n.Incarnation += "~" + strconv.Itoa(l.lives[n.Incarnation])
		}
		switch {
		case m.Draining:
			l.run.Drain(n.Place())
		case !l.run.Gone(n.Place()) && !l.run.Draining(n.Place()):
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// wait notes whether the run waits for a worker, and fails it when it has
// waited for too long. The caller holds mu.
func (l *Loop) wait(nodes []Node) {
	switch {
	case len(nodes) > 0 || l.busy():
		l.waiting = time.Time{}
	case l.waiting.IsZero():
		l.waiting = time.Now()
		l.deps.Log.Warn("no worker: the query waits for one", "query", l.run.Query, "for", l.deps.Wait)
	case time.Since(l.waiting) >= l.deps.Wait && l.run.Failure == nil:
		l.run.Failure = &query.Failure{Cause: query.CauseNode, Err: qerr.New(qerr.NoNodesAvailable,
			"No worker is left in the cluster: waited %s for one to join; start one with `tutti worker --join HOST:PORT`", l.deps.Wait).WithRetry()}
	}
}

// busy reports whether any task runs, or all are done: a worker that is being
// drained may still bring the run to its end.
func (l *Loop) busy() bool {
	for _, s := range l.run.Stages {
		for _, t := range s.Tasks {
			if !t.Unplaced && !t.Status.State.Done() && !l.run.Gone(t.Place) && t.Node != CoordinatorNode {
				return true
			}
		}
	}
	return l.run.Result() != nil
}

// apply takes an event and all that are waiting behind it, so that a burst of
// statuses leads to one round of decisions.
func (l *Loop) apply(ev func(*query.Run)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	won := l.run.Twins.Won + l.run.Twins.Heirs
	for more := true; more; {
		ev(l.run)
		select {
		case ev = <-l.events:
		default:
			more = false
		}
	}
	if n := l.run.Twins.Won + l.run.Twins.Heirs - won; n > 0 {
		l.deps.Log.Info("twins of tasks that were behind count", "query", l.run.Query, "tasks", n)
	}
}

// step decides and sets the actions going.
func (l *Loop) step(ctx context.Context) {
	l.mu.Lock()
	l.run.Now = time.Since(l.began)
	CollectFilters(l.run)
	nodes := l.usable()
	l.wait(nodes)
	actions := Decide(l.run, nodes)
	unread, discards := l.run.Releasable(), l.run.Discards()
	root, news := l.root()
	l.mu.Unlock()
	if news {
		l.deps.Root(root)
	}
	for _, t := range discards {
		if !l.discard(t) {
			unread = append(unread, t)
		}
	}
	l.release(ctx, unread)
	for _, a := range actions {
		if a.Copy != (query.Place{}) {
			l.copy(ctx, a)
			continue
		}
		if a.Twin {
			l.deps.Log.Info("task is behind and gets a twin", "query", l.run.Query, "twin", a.Task.ID.String(), "worker", a.Task.Node)
		}
		l.send(l.place(ctx, a.Task.Place).ctx, l.sender(a.Task.ID), a)
	}
}

// root returns the root task as its reader should know it, and whether that is
// news. The caller holds mu.
func (l *Loop) root() (src Source, news bool) {
	tasks := l.run.Stages[0].Tasks
	if len(tasks) != 1 || tasks[0].Unplaced || tasks[0].Status.State == query.Planned {
		return Source{}, false
	}
	t := tasks[0]
	src = Source{Task: t.ID, Address: t.Place.Address, Committed: t.Committed}
	if t.Committed {
		src.End = t.Status.End.Partitions[0]
	}
	news = src != l.told
	l.told = src
	return src, news
}

// release frees outputs that nobody will read again. What fails to be freed
// now goes with the query's end.
func (l *Loop) release(ctx context.Context, tasks []*query.Task) {
	byPlace := map[query.Place][]plan.TaskID{}
	for _, t := range tasks {
		byPlace[t.Place] = append(byPlace[t.Place], t.ID)
	}
	for at, ids := range byPlace {
		l.free(ctx, at, ids)
	}
}

// free frees outputs at a place, in its own time.
func (l *Loop) free(ctx context.Context, at query.Place, ids []plan.TaskID) {
	if p := l.places[at]; p == nil || p.gone {
		return
	}
	l.working.Go(func() { l.freed(ctx, at, l.deps.Client.Release(ctx, at, ids)) })
}

// freed looks at what a place said to being asked to free outputs.
func (l *Loop) freed(ctx context.Context, at query.Place, err error) {
	var deposed *Deposed
	switch {
	case err == nil || ctx.Err() != nil:
	case errors.As(err, &deposed):
		l.post(ctx, depose(err))
	default:
		l.deps.Log.Warn("release outputs", "query", l.run.Query, "node", at.Node, "error", err)
	}
}

// lose gives up a place. The caller holds mu.
func (l *Loop) lose(r *query.Run, at query.Place, err error) {
	p := l.places[at]
	if p == nil || p.gone || at.Node == CoordinatorNode {
		r.Lose(at, nodeFailure(at.Node, err), false)
		return
	}
	p.gone = true
	p.cancel()
	before, copies := r.Again, r.Copies.Used
	needed := r.Lose(at, nodeFailure(at.Node, err), !r.Draining(at))
	base, _, _ := strings.Cut(at.Incarnation, "~")
	l.lives[base]++
	l.until[base] = time.Now().Add(outOfUse)
	l.deps.Log.Warn("worker lost", "query", r.Query, "worker", at.Node, "needed", needed, "tasks again", r.Again-before, "copies used", r.Copies.Used-copies, "cause", err.Error())
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

// place returns what the loop has for a place: a context that ends with it, and
// somebody who follows its statuses.
func (l *Loop) place(ctx context.Context, at query.Place) *place {
	if p := l.places[at]; p != nil {
		return p
	}
	p := &place{}
	p.ctx, p.cancel = context.WithCancel(ctx)
	l.mu.Lock()
	l.places[at] = p
	l.mu.Unlock()
	l.forsake(ctx, at)
	l.working.Go(func() {
		err := l.deps.Client.Watch(p.ctx, at, l.run.Query, func(st query.Status) {
			l.post(p.ctx, func(r *query.Run) { r.Hear(at, st) })
		})
		if p.ctx.Err() == nil {
			if err == nil {
				err = errors.New("the status stream ended")
			}
			var deposed *Deposed
			if errors.As(err, &deposed) {
				l.post(ctx, depose(err))
				return
			}
			l.post(ctx, func(r *query.Run) { l.lose(r, at, err) })
		}
	})
	return p
}

// depose ends a run whose coordinator does not lead any more.
func depose(err error) func(*query.Run) {
	return func(r *query.Run) {
		r.Failure = &query.Failure{Cause: query.CauseDeposed, Err: qerr.Wrap(qerr.ServerShuttingDown, err, "another coordinator goes on with the query")}
	}
}

// forsake frees what earlier lives of a node may still hold: it may be the same
// process, which was only out of reach, and its attempts count no more.
func (l *Loop) forsake(ctx context.Context, at query.Place) {
	var ids []plan.TaskID
	l.mu.Lock()
	for _, s := range l.run.Stages {
		for _, t := range s.Superseded {
			if t.Place.Node == at.Node && t.Place.Address == at.Address && t.Place != at {
				ids = append(ids, t.ID)
			}
		}
	}
	l.mu.Unlock()
	if len(ids) > 0 {
		l.free(ctx, at, ids)
	}
}

// list starts the listing of every scan's splits.
func (l *Loop) list(ctx context.Context) {
	for _, s := range l.run.Stages {
		plan.Walk(s.Fragment.Root, func(n plan.Node) bool {
			if scan, ok := n.(*plan.Scan); ok {
				for _, state := range s.Scans {
					if state.Node == scan.ID && !state.Listed {
						l.working.Add(1)
						go l.enumerate(ctx, s, scan, state)
					}
				}
			}
			return true
		})
	}
}

// splitBatch is how many splits are listed at a time.
const splitBatch = 1024

func (l *Loop) enumerate(ctx context.Context, s *query.Stage, scan *plan.Scan, state *query.Scan) {
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
		last := len(batch) == 0
		l.post(ctx, func(r *query.Run) { r.List(s, state, listed, last) })
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

// Leave ends the loop without a word to any worker: another coordinator goes on
// with the run. ctx, which Drive was called with, must have ended. Only what
// runs in this process is stopped.
func (l *Loop) Leave(ctx context.Context) {
	l.working.Wait()
	for at, p := range l.places {
		p.cancel()
		if at.Node == CoordinatorNode && !p.gone {
			if err := l.deps.Client.End(ctx, at, l.run.Query); err != nil {
				l.deps.Log.Warn("end query here", "query", l.run.Query, "error", err)
			}
		}
	}
}

// End stops everything the run has on any node and waits for the loop's own
// goroutines. ctx bounds how long the nodes are waited for. A node that is gone
// ends the query by itself when it comes back and says what it has.
func (l *Loop) End(ctx context.Context) {
	l.working.Wait()
	var ending sync.WaitGroup
	for at, p := range l.places {
		p.cancel()
		if p.gone {
			continue
		}
		ending.Go(func() {
			if err := l.deps.Client.End(ctx, at, l.run.Query); err != nil {
				l.deps.Log.Warn("end query on node", "query", l.run.Query, "node", at.Node, "error", err)
			}
		})
	}
	ending.Wait()
}
