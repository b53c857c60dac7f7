// Package query is what a coordinator knows of a running query: its stages,
// their tasks and every attempt of each. It is pure data with transitions: no
// I/O, no goroutines, time passed in. coordinator/schedule decides what to do
// next by looking at it.
//
// # Rules
//
// The coordinator accepts exactly one attempt of each task (Commit), and only
// if its end message matches what it was handed: the splits, no more and no
// fewer. Consumers are told of an output only as what it is, running or
// committed, and feed their operators from committed ones alone.
package query

import (
	"time"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
)

// TaskState is where an attempt stands.
type TaskState uint8

// The states of an attempt. Finished to Failed are final.
const (
	Planned  TaskState = iota // decided, not yet acknowledged by its node
	Running                   // drivers run
	Flushing                  // drivers are done, output is being sealed
	Finished                  // the end message is there
	Canceled                  // by a user or the coordinator
	Aborted                   // because another task failed
	Failed
)

// Done reports whether the state is final.
func (s TaskState) Done() bool { return s >= Finished }

// String names the state as the web page and system tables show it.
func (s TaskState) String() string {
	return [...]string{"PLANNED", "RUNNING", "FLUSHING", "FINISHED", "CANCELED", "ABORTED", "FAILED"}[s]
}

// Cause says why an attempt failed; what to do about it follows from it.
type Cause uint8

// The causes.
const (
	CauseUnknown     Cause = iota
	CauseUser              // the query's own fault
	CauseOutOfMemory       // a limit of the query or the node
	CauseLostOutput        // an upstream output cannot be fetched
	CauseStorage           // the object store failed
	CauseCanceled          // somebody asked
	CauseInternal          // a bug
	CauseNode              // the worker is shutting down, broken or gone
	CauseDeposed           // another coordinator leads: this one has no say any more
)

// Failure is why an attempt failed.
type Failure struct {
	Cause     Cause
	Retryable bool
	Err       *qerr.Error
	// Lost is the upstream attempt whose output was lost, for CauseLostOutput.
	Lost plan.TaskID
	// Unknown says that the run cannot go on as the coordinator that began it
	// could: what died with that one is missing.
	Unknown bool
}

// PartitionEnd counts what an attempt put into one partition.
type PartitionEnd struct{ Frames, Rows, Bytes int64 }

// End is what a finished attempt says it did.
type End struct {
	// Splits are the ids of the splits consumed.
	Splits     []int64
	Partitions []PartitionEnd
}

// Figures are one operator's counters in one attempt; see exec.OperatorStats.
type Figures struct {
	Node                        plan.NodeID
	Part                        string
	RowsIn, RowsOut, BytesOut   int64
	Nanos, BlockedNanos         int64
	PeakBytes, SpilledBytes     int64
	PhysicalBytes, PhysicalRows int64
	Groups, GroupsSkipped       int64
}

// FilterPart is a dynamic filter as one task built it, or a complete one.
type FilterPart struct {
	ID     plan.DynamicID
	Filter *connectors.DynamicFilter
}

// Status is what a node reports about an attempt. Version grows with each
// change; an older status that arrives late is ignored.
type Status struct {
	Task      plan.TaskID
	Version   int64
	State     TaskState
	Failure   *Failure
	End       *End
	Operators []Figures
	CPU, Wall time.Duration

	MemoryUsed, MemoryPeak, SpilledBytes    int64
	QueuedSplits, RunningSplits, DoneSplits int
	OutputBytes, OutputRows                 int64
	// OutputWaits says that a streamed output waits for its reader.
	OutputWaits bool
	// Consumed are upstream attempts whose output has newly come as a whole, Lost
	// those that cannot be fetched and of which the task has used nothing: it
	// waits for other attempts of them.
	Consumed, Lost []plan.TaskID
	Filters        []FilterPart
}
