package worker

import (
	"context"
	"sync"
	"time"

	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/planner/plan"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// query is what a query has on this node.
type query struct {
	id    plan.QueryID
	since time.Time
	done  chan struct{} // closed when nothing of it is left

	mu      sync.Mutex
	account *mem.Account
	tasks   []*attempt // in the order in which they came
	byID    map[plan.TaskID]*attempt
	// spares are copies of outputs that were made elsewhere, lastSpare the highest
	// number of an attempt of which there ever was one; -1: there was none.
	spares    map[plan.TaskID]*spare
	lastSpare int32
	stopped   error // why; nil: it goes on
	// watchers keep a query that has no tasks yet.
	watchers int
	news     chan struct{} // closed and replaced when a state changes
}

func newQuery(id plan.QueryID, now time.Time) *query {
	return &query{id: id, since: now, done: make(chan struct{}), byID: map[plan.TaskID]*attempt{}, lastSpare: -1, news: make(chan struct{})}
}

// limit makes the query's account, with the limit that its first task names.
func (q *query) limit(root *mem.Account, limit int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.account == nil {
		q.account = root.Child("query "+string(q.id), limit)
	}
}

func (q *query) used() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.account == nil {
		return 0
	}
	return q.account.Used()
}

func (q *query) find(id plan.TaskID) *attempt {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.byID[id]
}

func (q *query) add(a *attempt) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.tasks = append(q.tasks, a)
	q.byID[a.id] = a
	if q.stopped != nil {
		a.cancel(q.stopped)
	}
}

func (q *query) attempts() []*attempt {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.tasks[:len(q.tasks):len(q.tasks)]
}

// lastAttempt is the highest number of an attempt that is known here, be it by a
// copy of its output.
func (q *query) lastAttempt() int32 {
	q.mu.Lock()
	last := q.lastSpare
	q.mu.Unlock()
	for _, a := range q.attempts() {
		last = max(last, a.id.Attempt)
	}
	return last
}

// stop cancels all attempts and copies; true: it was the first to do so.
func (q *query) stop(why error) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.stopped != nil {
		return false
	}
	q.stopped = why
	for _, a := range q.tasks {
		a.cancel(why)
	}
	for _, s := range q.spares {
		s.cancel(why)
	}
	return true
}

func (q *query) isStopped() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.stopped != nil
}

// watched counts a watcher in or out, and reports whether nothing needs the
// query any more.
func (q *query) watched(n int) (idle bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.watchers += n
	return q.watchers == 0 && len(q.tasks) == 0 && q.lastSpare < 0 && q.stopped == nil
}

// changed wakes the watchers.
func (q *query) changed() {
	q.mu.Lock()
	defer q.mu.Unlock()
	close(q.news)
	q.news = make(chan struct{})
}

// watch reports statuses of an epoch's attempts while current says nothing; see
// Manager.Watch.
func (q *query) watch(ctx context.Context, epoch uint64, emit func(*pb.WatchTasksResponse) error, current func() error) error {
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	seen := map[*attempt]sight{}
	for ended, due := false, true; ; {
		q.mu.Lock()
		news := q.news
		q.mu.Unlock()
		if err := current(); err != nil {
			return err
		}
		if msg := q.report(epoch, seen, due); len(msg.Tasks) > 0 {
			if err := emit(msg); err != nil {
				return err
			}
		}
		if ended {
			return nil
		}
		due = false
		select {
		case <-news:
		case <-tick.C:
			due = true
		case <-q.done:
			ended = true
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// sight is what a watcher has heard of an attempt.
type sight struct {
	known  bool
	change int64
	// filters, consumed and lost count those that were reported.
	filters, consumed, lost int
}

// report returns the statuses of an epoch's attempts that have changed, or, when
// due, of all that run. Filters, which may be large, are reported once.
func (q *query) report(epoch uint64, seen map[*attempt]sight, due bool) *pb.WatchTasksResponse {
	msg := &pb.WatchTasksResponse{}
	for _, a := range q.attempts() {
		if !a.of(epoch) {
			continue // whoever watches has never heard of it, and may give its name to another one
		}
		last := seen[a]
		change, over := a.changes()
		if last.known && change == last.change && (!due || over) {
			continue
		}
		st := a.status()
		st.Filters = a.dynamic.published()[last.filters:]
		var losses int
		st.Consumed, st.LostInputs, losses = a.inputsSince(last.consumed, last.lost)
		seen[a] = sight{
			known: true, change: change, filters: last.filters + len(st.Filters),
			consumed: last.consumed + len(st.Consumed), lost: losses,
		}
		msg.Tasks = append(msg.Tasks, st)
	}
	return msg
}
