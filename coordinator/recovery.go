package coordinator

import (
	"sync"
	"time"

	"github.com/tuttidb/tutti/coordinator/query"
)

// twinAfter is how far a task must be behind until it gets a twin: no task of a
// query in good order is, and below that a second one gains little.
const twinAfter = 2 * time.Second

// copyAfter is how long a query runs until outputs of its tasks are copied to other
// workers: what is over sooner is as well begun again.
const copyAfter = 2 * time.Second

// recovery says what is done again in a run on so many workers.
func (r *distributedRows) recovery(workers int) query.Recovery {
	rec := query.Recovery{
		Tasks: r.e.RetryPolicy == RetryTask, Attempts: r.e.TaskAttempts, Keep: int64(workers) * keepPerNode, CopyAfter: copyAfter,
	}
	if r.e.Twins {
		rec.TwinAfter = twinAfter
	}
	return rec
}

// Recovered counts what was done again, in all queries of a leadership that
// have ended or begun again.
type Recovered struct {
	// Tasks are attempts that took the place of others, Queries runs that followed
	// one that could not go on, TakenOver runs that another coordinator had begun.
	Tasks, Queries, TakenOver int64
	// Twins were begun beside slow attempts, TwinsUsed are those that counted.
	Twins, TwinsUsed int64
	// Copies of outputs were made, CopiesUsed took the place of what was lost.
	Copies, CopiesUsed int64
}

// tally is a Recovered that is counted in; safe for concurrent use.
type tally struct {
	mu    sync.Mutex
	total Recovered
}

// run adds what was done in a run that is over.
func (t *tally) run(r *query.Run) {
	t.add(Recovered{Tasks: int64(r.Again), Twins: int64(r.Twins.Made), TwinsUsed: int64(r.Twins.Won + r.Twins.Heirs),
		Copies: int64(r.Copies.Made), CopiesUsed: int64(r.Copies.Used)})
}

func (t *tally) add(x Recovered) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.total.Tasks += x.Tasks
	t.total.Queries += x.Queries
	t.total.TakenOver += x.TakenOver
	t.total.Twins += x.Twins
	t.total.TwinsUsed += x.TwinsUsed
	t.total.Copies += x.Copies
	t.total.CopiesUsed += x.CopiesUsed
}

// Recovered returns what was done again so far.
func (d *Distributed) Recovered() Recovered {
	d.tally.mu.Lock()
	defer d.tally.mu.Unlock()
	return d.tally.total
}
