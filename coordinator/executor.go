package coordinator

import (
	"context"
	"time"

	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/planner/plan"
)

// Executor runs plans. The binary supplies one that runs everything in this
// process (over exec/local) and one that spreads tasks over workers (Cluster).
type Executor interface {
	// Execute starts a plan. ctx covers the execution's whole life.
	Execute(ctx context.Context, e *Execution) (Rows, error)
	// Tasks is how many tasks a spread stage would have now.
	Tasks() int
}

// RetryPolicy says what is done again when a worker is lost, in Trino's words.
type RetryPolicy string

// The policies.
const (
	RetryTask  RetryPolicy = "TASK"  // what was lost
	RetryQuery RetryPolicy = "QUERY" // the query, if no row has left
	RetryNone  RetryPolicy = "NONE"  // nothing: the query fails
)

// Execution is a plan to run and how.
type Execution struct {
	Query plan.QueryID
	Plan  *plan.Plan
	// Catalogs are those that the plan was made with. They stay open for as long
	// as the execution lasts.
	Catalogs *Catalogs
	// Settings have no drivers where each node takes as many as it has threads.
	Settings exec.Settings
	// RetryPolicy says what is done again when a worker is lost, TaskAttempts how
	// often a task may be tried, Twins whether those that are far behind get a
	// second attempt, WorkerWait how long the query waits when there is no worker
	// (0: the node's default).
	RetryPolicy  RetryPolicy
	TaskAttempts int
	Twins        bool
	WorkerWait   time.Duration
	// Partitions is how many tasks a worker has in stages that are spread by
	// partition; 0: as many as suits the query's size.
	Partitions int
	// MemoryLimit bounds the query's memory on each node, in bytes; 0: the
	// node's default.
	MemoryLimit int64
	// FilterWait is how long scans wait for dynamic filters; 0: the node's
	// default, negative: not at all.
	FilterWait time.Duration
	User       string
	TimeZone   string
	Start      time.Time
	// Progress is called when figures have changed, at most a few times a second.
	Progress func()
	// Bound, if set, is called when no successor of this coordinator can go on
	// with the execution any more, before rows leave that are why. It does not
	// block.
	Bound func()
	// Resume says that a coordinator which is no more began the query; nil: none did.
	Resume *Resume
}

// Resume is where an execution goes on that another coordinator began. What
// workers have of it is taken over where that is possible, else the plan runs
// again from its start.
type Resume struct {
	// Rows is how many rows of the result the client has for good: Next begins
	// after them. Where that cannot be, Next fails with an error that the client
	// may answer by running the query again.
	Rows int64
	// Epoch is the leadership in which the client was last shown rows; 0: not known.
	Epoch uint64
	// Replanned says that the plan is not surely the one that workers know of
	// the query: nothing of theirs may be taken over. Rows is 0 then.
	Replanned bool
}

// Rows is a running execution.
type Rows interface {
	// Next returns the next rows of the result, nil at the end; borrowed until
	// the next call. It is called by one goroutine.
	Next(ctx context.Context) (*vector.Batch, error)
	// Delivered says that the first n rows will not be asked for again, by a
	// successor of this coordinator either: what was kept for that may be let
	// go. It does not block, and n never falls.
	Delivered(n int64)
	// Abandon stops the execution without a word to any node: a successor goes on
	// with it. It may be called while Next is; Close, which must follow, frees
	// only what is in this process then.
	Abandon()
	// Snapshot fills the figures of the query and its stages.
	Snapshot(info *QueryInfo)
	// Close ends the execution and frees what it holds on every node, within
	// two seconds. It is idempotent.
	Close() error
}
