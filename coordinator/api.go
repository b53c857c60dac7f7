// Package coordinator turns SQL text into rows. A Coordinator takes a
// statement (Submit), strings the phases together (parse, analyze, plan,
// schedule) and hands back a Query: its state, its result and what it wants
// changed in the client's session.
//
// It plans and decides but computes nothing: constants are folded and plans
// that need no worker are run by what the binary passes in (Folder, Local),
// everything else by tasks on workers. How tasks are placed and retried is
// coordinator/schedule's, who is alive coordinator/cluster's.
package coordinator

import (
	"context"
	"time"

	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/types"
)

// Session is the context a client sends with each statement. The server
// keeps none of it between statements.
type Session struct {
	User, Source    string
	Catalog, Schema string // defaults for unqualified names; "" for none
	TimeZone        string // IANA name or offset; "" means UTC
	Language        string
	ClientInfo      string
	TraceToken      string
	ClientTags      []string
	UserAgent       string
	RemoteAddress   string
	// Properties are session properties by name, as text.
	Properties map[string]string
	// Prepared are the client's prepared statements by name.
	Prepared map[string]string
	// Transaction is the id of the client's transaction, or "".
	Transaction string
	// Capabilities are what the client says it understands.
	Capabilities []string
}

// Request is one statement to run.
type Request struct {
	SQL     string
	Session Session
}

// Query is a statement that was submitted. Its methods are safe for
// concurrent use, but only one goroutine may read the result.
type Query interface {
	// ID names the query.
	ID() plan.QueryID
	// Info returns a snapshot of its state and figures.
	Info() *QueryInfo
	// Columns waits until the result's columns are known. Statements without a
	// result have none. The error is the query's failure or ctx's end.
	Columns(ctx context.Context) ([]ResultColumn, error)
	// Next returns the next rows of the result, nil at its end. The batch is
	// flat or not, has the result's columns, and is borrowed until the next
	// call. The error is the query's failure or ctx's end; after the latter
	// Next may be called again.
	Next(ctx context.Context) (*vector.Batch, error)
	// Release gives the batch of the last Next back before the next call, so
	// that the query goes on computing. A reader that stops early calls it too.
	Release()
	// Effects says what the client's session must change; complete once the
	// columns are known.
	Effects() *Effects
	// Touch says that the client is still there; a query not touched for the
	// client time-out is abandoned.
	Touch()
	// Cancel fails the query with err unless it has ended, and frees what it
	// holds everywhere. It returns at once.
	Cancel(err *qerr.Error)
	// Delivered says that the client has the first n rows for good, even if
	// this coordinator is lost, and with last that it has the end of the result:
	// what was kept for the case that they are asked for again is let go.
	Delivered(n int64, last bool)
	// Done is closed when the query has ended, successfully once its last row
	// has been read.
	Done() <-chan struct{}
}

// ResultColumn is a column of a result.
type ResultColumn struct {
	Name string
	Type types.Type
}

// Effects are the changes to the client's session that a statement asks for.
type Effects struct {
	// UpdateType is Trino's name of the statement ("CREATE TABLE"), "" for
	// queries. UpdateCount is the number of rows it changed; nil: none to tell.
	UpdateType  string
	UpdateCount *int64

	SetCatalog, SetSchema, SetPath string
	SetSession                     map[string]string
	ClearSession                   []string
	AddedPrepare                   map[string]string
	DeallocatedPrepare             []string
	StartedTransaction             string
	ClearTransaction               bool
}

// State is where a query stands.
type State string

// The states of a query, in order; finished and failed are final.
const (
	Queued State = "QUEUED"
	// WaitingForResources: there is no worker to run on.
	WaitingForResources State = "WAITING_FOR_RESOURCES"
	Planning            State = "PLANNING"
	Starting            State = "STARTING"
	Running             State = "RUNNING"
	Finishing           State = "FINISHING"
	Finished            State = "FINISHED"
	Failed              State = "FAILED"
)

// Done reports whether the state is final.
func (s State) Done() bool { return s == Finished || s == Failed }

// QueryInfo is a snapshot of a query, as the web page, the protocol and the
// system tables show it. It is not shared: the receiver may keep it.
type QueryInfo struct {
	ID      plan.QueryID
	State   State
	SQL     string
	Session Session
	// Why says what a queued query, or one without workers, waits for, and QueuePosition where it stands,
	// 1 for the next; 0 if it does not wait.
	Why           string
	QueuePosition int
	// ReservedBytes is what the query reserved of each node's memory.
	ReservedBytes int64
	Error         *qerr.Error
	// Created to Ended are points in time; zero where not reached.
	Created, PlanningStarted, Started, Ended, LastHeartbeat time.Time
	// Queued, Analysis, Planning and Execution are durations so far.
	QueuedFor, AnalysisFor, PlanningFor, ElapsedFor time.Duration
	Stats                                           Stats
	// Stages is the tree of stages, root first; nil before scheduling.
	Stages []StageInfo
	// Plan is the distributed plan as text.
	Plan       string
	UpdateType string
}

// Stats are figures of a query, a stage or a task. Bytes and rows are counts,
// times are summed over all drivers.
type Stats struct {
	Nodes                                                int
	TotalSplits, QueuedSplits, RunningSplits, DoneSplits int
	CPU, Wall, Scheduled, Blocked                        time.Duration
	InputRows, InputBytes                                int64 // after the scan's filters
	PhysicalRows, PhysicalBytes                          int64 // looked at, read from storage
	OutputRows, OutputBytes                              int64
	InternalBytes                                        int64 // moved between nodes
	MemoryBytes, PeakMemoryBytes                         int64
	SpilledBytes                                         int64
	FailedTasks                                          int
	// Progress is between 0 and 100; negative while unknown.
	Progress float64
}

// StageInfo is a snapshot of one stage.
type StageInfo struct {
	ID     plan.FragmentID
	State  State
	Spread string
	// Inputs are the stages that feed it.
	Inputs    []plan.FragmentID
	Tasks     []TaskInfo
	Stats     Stats
	Operators []OperatorInfo
}

// TaskInfo is a snapshot of the latest attempt of a task.
type TaskInfo struct {
	ID    plan.TaskID
	State string
	Node  string
	Stats Stats
}

// OperatorInfo sums what one plan node's operators did over all tasks.
type OperatorInfo struct {
	Node    plan.NodeID
	Name    string // the plan node, as EXPLAIN names it
	Detail  string
	Part    string // which part of it, as exec.OperatorStats.Name has it
	Parents []plan.NodeID

	RowsIn, RowsOut, BytesOut   int64
	Wall, Blocked               time.Duration
	PeakBytes, SpilledBytes     int64
	PhysicalRows, PhysicalBytes int64
	Groups, GroupsSkipped       int64
	// Estimated is the optimizer's guess at RowsOut; negative if unknown.
	Estimated float64
}

// NodeInfo is a node of the cluster, as system.runtime.nodes shows it.
type NodeInfo struct {
	ID, Address, HTTPAddress, Version string
	Coordinator                       bool
	State                             string // active, draining, gone
	Reason                            string
	LastSeen                          time.Time
	RunningTasks, RunningDrivers      int
	MemoryUsed, MemoryLimit, RSS      int64
	RetainedBytes                     int64
	CPU                               time.Duration
	Threads                           int
}
