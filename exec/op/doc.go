// Package op has the operators: what turns batches into batches.
//
// Every operator follows exec.Operator: it pulls, it lends its output until
// the next pull, and once it is warm it allocates nothing. Columns are
// positions here; whoever builds the pipelines (exec/local) has resolved IDs.
// Constructors take an Env, the inputs and what is particular to the operator.
//
// # Shared state
//
// An operator belongs to one driver. What its siblings in other drivers have
// in common (a limit's counter, a join's table) is an object of its own that
// exec/local makes once and hands to each: Limiter, Join, Counter.
//
// # Joins
//
// Join is the build side's rows, in one vector a column, with an index over
// their keys. The probe emits build columns as dictionary vectors over those
// whole columns, and left columns as they came wherever each row matches at
// most once: joining copies no values. See Join.
//
// # Statistics
//
// Operators count what only they can know (bytes from storage, rows skipped).
// Rows, batches and time are taken by the meter that exec/local puts around
// each; an operator that waits for anything but its inputs implements Waiter.
package op

import (
	"time"

	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/kernel"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
)

// Env is what an operator gets from the task that runs it. All drivers'
// copies of the operator share it.
type Env struct {
	// Account is charged for all bulk memory of the operator.
	Account *mem.Account
	// Stats are the operator's own.
	Stats *exec.OperatorStats
	// BatchRows is the number of rows a batch to aim at; 0 means
	// vector.DefaultRows.
	BatchRows int
	// Session is what expressions may know of the query's session.
	Session kernel.Session
}

// kernel returns what expressions are compiled with.
func (e *Env) kernel() *kernel.Env { return &kernel.Env{Account: e.Account, Session: e.Session} }

// rows returns the number of rows that an output batch should hold.
func (e *Env) rows() int {
	if e.BatchRows <= 0 {
		return vector.DefaultRows
	}
	return min(e.BatchRows, vector.MaxRows)
}

// Waiter is an operator that waits for something beside its inputs: storage,
// a build side, another task.
type Waiter interface {
	// Waited returns how long it has waited so far in all.
	Waited() time.Duration
}

// waited counts time spent waiting; operators embed it to become Waiters.
type waited struct{ total time.Duration }

// Waited returns how long the operator has waited so far.
func (w *waited) Waited() time.Duration { return w.total }

func (w *waited) since(start time.Time) { w.total += time.Since(start) }
