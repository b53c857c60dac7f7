package coordinator

import (
	"cmp"
	"context"
	"errors"
	"runtime/debug"
	"sync"
	"time"

	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
)

// activeQuery is one statement's way through the phases. One goroutine (run) does
// the work; the lock guards what snapshots read.
type activeQuery struct {
	c      *Coordinator
	id     plan.QueryID
	req    Request
	ctx    context.Context
	cancel context.CancelCauseFunc
	done   chan struct{}
	gone   chan struct{} // closed when nothing is left of it anywhere
	ready  chan struct{} // closed when columns and effects are known
	// from is what another coordinator left of the query, resume what its
	// execution is told of that; nil: it began here.
	from   *Resumption
	resume *Resume
	// settled is closed when nobody will ask for its rows again.
	settled chan struct{}
	once    sync.Once
	props   properties
	ticket  *ticket
	// catalogs are those that the query began with; run's alone.
	catalogs *Catalogs

	// The result goes from run to Next hand to hand: run offers a batch, and
	// pulls the next one when Next asks again, so nothing is copied.
	offer chan *vector.Batch
	more  chan struct{}
	taken bool // Next has a batch that run may not overwrite yet

	mu      sync.Mutex
	info    QueryInfo
	columns []ResultColumn
	effects Effects
	rows    Rows
	kept    Rows // ended, but for what a successor may need
	// abandoned: another coordinator goes on with it.
	abandoned bool
	touched   time.Time
	waiting   time.Time // since when for memory; zero while it does not

	weight int64 // in the history, of which the coordinator's lock is the guard
}

func newQuery(c *Coordinator, id plan.QueryID, req Request) *activeQuery {
	ctx, cancel := context.WithCancelCause(context.Background())
	now := c.deps.Clock.Now()
	return &activeQuery{
		c: c, id: id, req: req, ctx: ctx, cancel: cancel, touched: now,
		done: make(chan struct{}), gone: make(chan struct{}), settled: make(chan struct{}), ready: make(chan struct{}), ticket: c.door.ticket(),
		offer: make(chan *vector.Batch), more: make(chan struct{}),
		info: QueryInfo{
			ID: id, State: Queued, SQL: req.SQL, Session: req.Session, Created: now, LastHeartbeat: now,
			Stats: Stats{Progress: -1},
		},
	}
}

// ID names the query.
func (q *activeQuery) ID() plan.QueryID { return q.id }

// run takes the statement through its phases and delivers its rows.
func (q *activeQuery) run() {
	defer close(q.gone)
	err := q.guarded()
	q.finish(err)
	q.letGo()
	q.c.archive(q)
}

// guarded runs the query; a panic anywhere in it fails this query alone.
func (q *activeQuery) guarded() (err error) {
	defer func() {
		if p := recover(); p != nil {
			q.c.deps.Log.Error("panic in query", "query", q.id, "panic", p, "stack", string(debug.Stack()))
			err = qerr.New(qerr.GenericInternal, "internal error in query %s; the coordinator's log has the details", q.id)
		}
	}()
	if q.ctx.Err() != nil { // before it began
		return context.Cause(q.ctx)
	}
	if queues(q.req.SQL) {
		defer q.c.door.leave(q.ticket)
		if err := q.c.door.enter(q.ctx, q.ticket); err != nil {
			return err
		}
	}
	catalogs, release := q.view()
	defer release()
	q.catalogs = catalogs
	return q.execute()
}

// reserve waits until the memory that a plan is expected to need, or that was
// configured, is free on every node.
func (q *activeQuery) reserve(p *plan.Plan, tasks int) error {
	limits := q.c.deps.Limits
	bytes := reservation(p, tasks, q.c.capacity())
	if fixed := cmp.Or(q.props.reservedMemory, limits.ReservedMemory); fixed > 0 && bytes > 0 {
		bytes = fixed
	}
	for _, most := range []int64{q.props.maxMemory, limits.QueryMemory} {
		if most > 0 {
			bytes = min(bytes, most)
		}
	}
	start := q.c.deps.Clock.Now()
	q.mu.Lock()
	q.waiting = start
	q.mu.Unlock()
	held, err := q.c.door.reserve(q.ctx, q.ticket, bytes)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = time.Time{}
	q.info.QueuedFor += q.c.deps.Clock.Now().Sub(start)
	q.info.ReservedBytes = held
	return err
}

// finish makes the query's state final.
func (q *activeQuery) finish(err error) {
	if cause := context.Cause(q.ctx); err != nil && cause != nil && (errors.Is(err, context.Canceled) || errors.Is(cause, ErrAbandoned)) {
		err = cause
	}
	q.mu.Lock()
	now := q.c.deps.Clock.Now()
	q.snapshot(now)
	q.rows = nil
	// The history would keep each client's statements 200 times over.
	q.req.Session.Prepared, q.info.Session.Prepared = nil, nil
	q.info.Ended, q.info.State = now, Finished
	if err != nil {
		q.info.State, q.info.Error = Failed, qerr.From(err)
	} else {
		q.info.Stats.Progress = 100
	}
	for i := range q.info.Stages {
		if !q.info.Stages[i].State.Done() {
			q.info.Stages[i].State = q.info.State
		}
	}
	q.mu.Unlock()
	q.cancel(err)
	q.announce()
	close(q.done)
	q.logEnd()
}

func (q *activeQuery) logEnd() {
	info := q.Info()
	if info.Error != nil && errors.Is(info.Error, ErrAbandoned) {
		return
	}
	log := q.c.deps.Log.With("query", q.id, "user", info.Session.User, "state", info.State, "elapsed", info.ElapsedFor)
	if info.Error != nil {
		log.Info("query ended", "error", info.Error.Code.Name, "message", info.Error.Error())
		return
	}
	log.Info("query ended", "rows", info.Stats.OutputRows)
}

// announce lets Columns return.
func (q *activeQuery) announce() {
	q.mu.Lock()
	defer q.mu.Unlock()
	select {
	case <-q.ready:
	default:
		close(q.ready)
	}
}

// setState moves the query on and notes the time.
func (q *activeQuery) setState(s State) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.c.deps.Clock.Now()
	switch s {
	case Planning:
		q.info.PlanningStarted, q.info.QueuedFor = now, now.Sub(q.info.Created)
	case Starting:
		q.info.Started = now
	}
	q.info.State = s
}

// respond publishes the result's columns.
func (q *activeQuery) respond(columns []ResultColumn) {
	q.mu.Lock()
	q.columns = columns
	q.mu.Unlock()
	q.announce()
}

// effect changes what the client's session must do; before respond.
func (q *activeQuery) effect(change func(*Effects)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	change(&q.effects)
	q.info.UpdateType = q.effects.UpdateType
}

// deliver hands a batch to the reader and waits until it is done with it.
func (q *activeQuery) deliver(b *vector.Batch) error {
	q.mu.Lock()
	q.info.Stats.OutputRows += int64(b.Rows())
	q.mu.Unlock()
	select {
	case q.offer <- b:
	case <-q.ctx.Done():
		return context.Cause(q.ctx)
	}
	select {
	case <-q.more:
		return nil
	case <-q.ctx.Done():
	}
	// The reader may be looking at the batch at this moment, so its memory
	// stays until the reader is done with it, or has surely gone.
	select {
	case <-q.more:
	case <-time.After(readerGrace):
	}
	return context.Cause(q.ctx)
}

// readerGrace is how long a canceled query waits for its reader to give the
// last batch back.
const readerGrace = 500 * time.Millisecond

// Next returns the next rows; see Query.
func (q *activeQuery) Next(ctx context.Context) (*vector.Batch, error) {
	q.Release()
	select {
	case b := <-q.offer:
		q.taken = true
		return b, nil
	case <-q.done:
		return nil, q.failure()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Release gives the last batch back; see Query.
func (q *activeQuery) Release() {
	if !q.taken {
		return
	}
	q.taken = false
	select {
	case q.more <- struct{}{}:
	case <-q.done:
	}
}

// Columns waits for the result's columns; see Query.
func (q *activeQuery) Columns(ctx context.Context) ([]ResultColumn, error) {
	select {
	case <-q.ready:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.columns == nil && q.info.Error != nil {
		return nil, q.info.Error
	}
	return q.columns, nil
}

// Effects returns the changes to the session; see Query.
func (q *activeQuery) Effects() *Effects {
	q.mu.Lock()
	defer q.mu.Unlock()
	e := q.effects
	return &e
}

// failure returns the query's error once it has ended.
func (q *activeQuery) failure() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.info.Error != nil {
		return q.info.Error
	}
	return nil
}

// Info returns a snapshot; see Query.
func (q *activeQuery) Info() *QueryInfo {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.c.deps.Clock.Now()
	q.snapshot(now)
	info := q.info
	if info.State.Done() {
		return &info
	}
	if info.Why != "" { // said by the execution
		info.State = WaitingForResources
		return &info
	}
	if info.QueuePosition, info.Why = q.c.door.position(q.ticket); info.QueuePosition > 0 {
		info.State = Queued
		if !q.waiting.IsZero() {
			info.QueuedFor += now.Sub(q.waiting)
		}
	}
	return &info
}

// snapshot brings the figures up to date. The caller holds the lock.
func (q *activeQuery) snapshot(now time.Time) {
	if q.info.State.Done() {
		return
	}
	q.info.ElapsedFor = now.Sub(q.info.Created)
	if q.info.State == Queued {
		q.info.QueuedFor = q.info.ElapsedFor
	}
	if q.rows != nil {
		q.figures(q.rows)
	}
}

// figures takes over an execution's figures; the rows that were delivered are
// counted here. The caller holds the lock.
func (q *activeQuery) figures(rows Rows) {
	delivered := q.info.Stats.OutputRows
	rows.Snapshot(&q.info)
	q.info.Stats.OutputRows = delivered
}

// Touch notes that the client is there.
func (q *activeQuery) Touch() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.touched = q.c.deps.Clock.Now()
	q.info.LastHeartbeat = q.touched
}

// Cancel fails the query; see Query.
func (q *activeQuery) Cancel(err *qerr.Error) {
	q.cancel(err)
	q.settle()
}

// Done is closed when the query has ended.
func (q *activeQuery) Done() <-chan struct{} { return q.done }

func (q *activeQuery) ended() bool {
	select {
	case <-q.done:
		return true
	default:
		return false
	}
}

// over reports whether the query has ended and holds nothing any more.
func (q *activeQuery) over() bool {
	select {
	case <-q.gone:
		return true
	default:
		return false
	}
}

// expire fails the query if its client has gone or its time is up.
func (q *activeQuery) expire(now time.Time, clientTimeout time.Duration) {
	q.mu.Lock()
	touched, created, started, props := q.touched, q.info.Created, q.info.Started, q.props
	q.mu.Unlock()
	switch {
	case now.Sub(touched) > clientTimeout:
		q.Cancel(qerr.New(qerr.AbandonedQuery, "Query %s was abandoned by the client, as it may have exited or stopped checking for query results. Query results have not been accessed since %s",
			q.id, touched.UTC().Format(time.RFC3339)))
	case props.maxRunTime > 0 && now.Sub(created) > props.maxRunTime:
		q.Cancel(qerr.New(qerr.ExceededTimeLimit, "Query exceeded the maximum run time limit of %s", props.maxRunTime))
	case props.maxExecutionTime > 0 && !started.IsZero() && now.Sub(started) > props.maxExecutionTime:
		q.Cancel(qerr.New(qerr.ExceededTimeLimit, "Query exceeded the maximum execution time limit of %s", props.maxExecutionTime))
	}
}
