// Package exec is the contract of execution inside one process: what an
// operator is, how operators make pipelines, and what a running fragment
// needs from outside. It knows neither gRPC nor SQL text; exec/op has the
// operators, exec/local turns a plan fragment into pipelines, and the worker
// (or the coordinator's own small executor) supplies Task.
//
// # The pull model
//
// A pipeline is a chain of operators that ends in a sink. A driver is one
// goroutine that pulls batches through its own copy of the chain and pushes
// them into the sink; a pipeline has several drivers, which share only what
// is made to be shared (the split queue, a join's hash table, an
// aggregation's merge). Pipelines of a task feed each other through such
// shared parts: a hash join's build side is a pipeline that ends in the build
// sink, and the probe's first Next waits until that is complete.
//
// A task has finished when all its drivers have; it fails with the first
// error any of them returns, which cancels the rest.
package exec

import (
	"context"
	"log/slog"
	"time"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/planner/plan"
)

// Operator produces batches. It belongs to one driver and is used by one
// goroutine.
type Operator interface {
	// Next returns the next batch, or nil and no error at the end; after the
	// end it keeps returning nil. Batches have at least one row. The batch is
	// borrowed until the next call of Next or Close (see exec/vector); the
	// operator may have pulled its input in turn. ctx ends when the task does,
	// and Next returns ctx.Err() soon after.
	Next(ctx context.Context) (*vector.Batch, error)
	// Close releases everything, inputs included. It is idempotent, legal at
	// any time between calls of Next, and must not block.
	Close() error
}

// Sink takes the batches of a pipeline. One instance serves one driver, and
// shares state with its siblings through what made it.
type Sink interface {
	// Add takes a borrowed batch and copies what it keeps. more is false when
	// the sink wants no further rows; the driver then calls Finish.
	Add(ctx context.Context, b *vector.Batch) (more bool, err error)
	// Finish says that this driver has no more rows. The last sibling's Finish
	// completes the whole (publishes the hash table, ends the output).
	Finish(ctx context.Context) error
	// Close releases what Finish has not handed over. It is idempotent.
	Close() error
}

// Driver is one goroutine's share of a pipeline.
type Driver struct {
	Source Operator // top of the chain
	Sink   Sink
}

// Pipeline is a set of drivers that run side by side.
type Pipeline struct {
	// Name is for profiles: "scan lineitem", "build join 7".
	Name    string
	Drivers []Driver
}

// Splits hands a task's splits to its drivers.
type Splits interface {
	// Next returns the next split for a scan node, blocking until there is one
	// or it is known that there will be none (nil, nil). It is called by many
	// goroutines. The split counts as started when Next returns.
	Next(ctx context.Context, scan plan.NodeID) (*connectors.Split, error)
}

// Inputs opens the reading ends of exchanges.
type Inputs interface {
	// Open returns an operator over the task's share of the fragments' output
	// that the node reads. Several drivers may open the same node: together
	// they read each row once. With OrderBy set it is called once and merges.
	Open(node *plan.RemoteSource, account *mem.Account) (Operator, error)
	// OpenEach returns one operator for each producer task's stream of a node,
	// for merging sorted streams. It blocks until the producers are known.
	OpenEach(ctx context.Context, node *plan.RemoteSource, account *mem.Account) ([]Operator, error)
}

// Output takes a task's result, partition by partition.
type Output interface {
	// Partitions is the number of partitions: 1 for Gather and Replicate.
	Partitions() int
	// Write hands over rows of one partition. The batch is borrowed; what the
	// output keeps it copies or encodes before it returns. It is safe for
	// concurrent use, never waits for a consumer, and fails when neither
	// memory nor disk has room.
	Write(ctx context.Context, partition int, b *vector.Batch) error
	// Wanted reports whether any consumer still wants rows.
	Wanted() bool
}

// DynamicFilters connects the builds that make dynamic filters with the scans
// that use them, in this task and across tasks.
type DynamicFilters interface {
	// Publish hands over this task's part of a filter. Each task that builds it
	// publishes once.
	Publish(id plan.DynamicID, f *connectors.DynamicFilter)
	// Get returns the complete filter, or nil while it is not.
	Get(id plan.DynamicID) *connectors.DynamicFilter
	// Wait blocks until the filter is complete or will not help, at most as
	// long as the session allows.
	Wait(ctx context.Context, id plan.DynamicID)
}

// Catalogs opens the connectors that a fragment's scans and writes name.
type Catalogs interface {
	// Connector returns the connector of a catalog.
	Connector(ctx context.Context, catalog string) (connectors.Connector, error)
}

// Settings are the session's wishes for execution.
type Settings struct {
	// Drivers is the number of drivers of a parallel pipeline, ≥ 1.
	Drivers int
	// BatchRows is the number of rows that sources aim at, 1 to vector.MaxRows.
	BatchRows int
	// PartialAggregation and DynamicFiltering switch those off when false.
	PartialAggregation, DynamicFiltering bool
	// TimeZone is the name of the session's time zone; "" means UTC.
	TimeZone string
	// User is the name of the user that runs the query.
	User string
	// Start is the time at which the query began.
	Start time.Time
}

// Task is everything that a running fragment gets from outside.
type Task struct {
	ID       plan.TaskID
	Fragment *plan.Fragment
	Settings Settings
	Account  *mem.Account
	Splits   Splits
	Inputs   Inputs
	Output   Output
	Dynamic  DynamicFilters
	Catalogs Catalogs
	Stats    *TaskStats
	// Partition is the task's number within its stage, Partitions how many
	// tasks the stage has.
	Partition, Partitions int
	Log                   *slog.Logger
}
