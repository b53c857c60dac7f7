package plan

import "fmt"

// QueryID names a query: yyyymmdd_hhmmss_nnnnn_xxxxx, as Trino's do.
type QueryID string

// FragmentID numbers a query's fragments; 0 is the root, whose output is the
// query's result. A stage is a running fragment and has the same number.
type FragmentID int32

// StageID names a stage of a query.
type StageID struct {
	Query    QueryID
	Fragment FragmentID
}

// TaskID names one attempt of a task.
type TaskID struct {
	Stage   StageID
	Task    int32 // number within the stage, from 0
	Attempt int32 // from 0
}

// String prints query.stage.
func (s StageID) String() string { return fmt.Sprintf("%s.%d", s.Query, s.Fragment) }

// String prints query.stage.task.attempt.
func (t TaskID) String() string { return fmt.Sprintf("%s.%d.%d", t.Stage, t.Task, t.Attempt) }
