package coordinator

import (
	"time"

	"github.com/tuttidb/tutti/coordinator/query"
)

// twinAfter is how far a task must be behind until it gets a twin: no task of a
// query in good order is, and below that a second one gains little.
const twinAfter = 2 * time.Second

// recovery says what is done again in a run on so many workers.
func (r *distributedRows) recovery(workers int) query.Recovery {
	rec := query.Recovery{Tasks: r.e.RetryPolicy == RetryTask, Attempts: r.e.TaskAttempts, Keep: int64(workers) * keepPerNode}
	if r.e.Twins {
		rec.TwinAfter = twinAfter
	}
	return rec
}
