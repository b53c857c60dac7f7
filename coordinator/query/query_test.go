package query

import (
	"strings"
	"testing"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
)

// scanAndRoot is a plan of a scan whose rows go by hash to a root task.
func scanAndRoot() *plan.Plan {
	scan := &plan.Scan{}
	scan.ID = 7
	return &plan.Plan{Fragments: []*plan.Fragment{
		{ID: 0, Root: &plan.RemoteSource{Fragments: []plan.FragmentID{1}}, Spread: plan.OneTask, Inputs: []plan.FragmentID{1}},
		{ID: 1, Root: scan, Spread: plan.BySplits, Output: plan.Partitioning{Kind: plan.Hash}},
	}}
}

func splits(ids ...int64) (out []Split) {
	for _, id := range ids {
		out = append(out, Split{ID: id, Scan: 7, Split: connectors.Split{}})
	}
	return out
}

// TestCommit: a finished attempt counts only if its end message says exactly
// what it was handed (rule 1).
func TestCommit(t *testing.T) {
	three := make([]PartitionEnd, 3)
	for _, c := range []struct {
		name string
		end  *End
		bad  string // part of the error; "": committed
	}{
		{"all", &End{Splits: []int64{1, 2}, Partitions: three}, ""},
		{"in another order", &End{Splits: []int64{2, 1}, Partitions: three}, ""},
		{"one is missing", &End{Splits: []int64{1}, Partitions: three}, "1 splits that are not the 2"},
		{"one too many", &End{Splits: []int64{1, 2, 3}, Partitions: three}, "3 splits"},
		{"one twice", &End{Splits: []int64{1, 1}, Partitions: three}, "2 splits"},
		{"another one", &End{Splits: []int64{1, 3}, Partitions: three}, "2 splits"},
		{"partitions", &End{Splits: []int64{1, 2}, Partitions: three[:1]}, "wrote 1 partitions of 3"},
		{"no end", nil, "without an end message"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := NewRun("q", scanAndRoot(), 0, 3)
			task := r.AddTask(r.Stages[1], "w", splits(1, 2))
			r.Report(Status{Task: task.ID, Version: 1, State: Finished, End: c.end})
			if c.bad == "" {
				if !task.Committed || r.Failure != nil {
					t.Fatalf("not committed: %v", r.Failure)
				}
				return
			}
			if task.Committed || r.Failure == nil || !strings.Contains(r.Failure.Err.Error()+" "+errText(r.Failure.Err), c.bad) {
				t.Fatalf("committed %v, failure %v, want %q", task.Committed, r.Failure, c.bad)
			}
		})
	}
}

func errText(err *qerr.Error) string {
	if inner := err.Unwrap(); inner != nil {
		return inner.Error()
	}
	return ""
}

// TestReport: what is old, foreign or late changes nothing.
func TestReport(t *testing.T) {
	r := NewRun("q", scanAndRoot(), 2, 1)
	task := r.AddTask(r.Stages[1], "w", nil)
	id := task.ID
	if id.Attempt != 2*AttemptsPerRun {
		t.Fatalf("attempt %d of run 2", id.Attempt)
	}
	foreign, older, beyond := id, id, id
	foreign.Stage.Query, older.Attempt, beyond.Task = "other", 1, 9
	outside := id
	outside.Stage.Fragment = 5
	for _, c := range []struct {
		name string
		st   Status
		want bool
		now  TaskState
	}{
		{"running", Status{Task: id, Version: 5, State: Running}, true, Running},
		{"an older version", Status{Task: id, Version: 4, State: Failed}, false, Running},
		{"the same version", Status{Task: id, Version: 5, State: Failed}, false, Running},
		{"another query's", Status{Task: foreign, Version: 9, State: Failed}, false, Running},
		{"an earlier run's", Status{Task: older, Version: 9, State: Failed}, false, Running},
		{"no such task", Status{Task: beyond, Version: 9, State: Failed}, false, Running},
		{"no such stage", Status{Task: outside, Version: 9, State: Failed}, false, Running},
		{"flushing", Status{Task: id, Version: 6, State: Flushing}, true, Flushing},
		{"finished", Status{Task: id, Version: 7, State: Finished, End: &End{Partitions: make([]PartitionEnd, 1)}}, true, Finished},
		{"after the end", Status{Task: id, Version: 8, State: Failed}, false, Finished},
	} {
		if got := r.Report(c.st); got != c.want || task.Status.State != c.now {
			t.Errorf("%s: changed %v, state %s", c.name, got, task.Status.State)
		}
	}
	if r.Failure != nil || !task.Committed {
		t.Errorf("committed %v, failure %v", task.Committed, r.Failure)
	}
}

// TestHear: only the place where an attempt is speaks for it.
func TestHear(t *testing.T) {
	r := NewRun("q", scanAndRoot(), 0, 1)
	r.Recovery = Recovery{Tasks: true, Attempts: 4}
	here, there := Place{Node: "a", Incarnation: "1"}, Place{Node: "a", Incarnation: "2"}
	task := r.AddTask(r.Stages[1], "a", nil)
	task.Place = here
	r.Stages[1].Complete = true
	hear := func(from Place, id plan.TaskID, version int64) bool {
		return r.Hear(from, Status{Task: id, Version: version, State: Running})
	}
	if hear(there, task.ID, 9) || !hear(here, task.ID, 1) {
		t.Error("an attempt is not what its place says it is")
	}
	twin := r.AddTwin(task, there)
	if hear(here, twin.ID, 9) || !hear(there, twin.ID, 1) || hear(there, task.ID, 9) {
		t.Error("a twin is not what its place says it is")
	}
	stranger := twin.ID
	stranger.Attempt += 7
	if hear(here, stranger, 1) {
		t.Error("an attempt that nobody knows was heard of")
	}
}

// TestFailures: the first failure stays, losing a node counts only if the run
// uses it.
func TestFailures(t *testing.T) {
	r := NewRun("q", scanAndRoot(), 0, 1)
	a := r.AddTask(r.Stages[1], "a", nil)
	r.AddTask(r.Stages[1], "b", nil)
	gone := &Failure{Cause: CauseNode, Retryable: true, Err: qerr.New(qerr.RemoteHostGone, "gone")}
	if r.Lose(Place{Node: "c"}, gone, true) || r.Failure != nil {
		t.Error("a node without tasks was missed")
	}
	if !r.Lose(Place{Node: "b"}, gone, true) || r.Failure != gone {
		t.Error("a node with a task was not missed")
	}
	r.Report(Status{Task: a.ID, Version: 1, State: Canceled})
	if r.Failure != gone {
		t.Errorf("failure is %v, want the first", r.Failure)
	}
}

// TestResult: there is one once the only task of the root stage is committed.
func TestResult(t *testing.T) {
	r := NewRun("q", scanAndRoot(), 0, 1)
	root := r.AddTask(r.Stages[0], "a", nil)
	r.Report(Status{Task: root.ID, Version: 1, State: Finished, End: &End{Partitions: make([]PartitionEnd, 1)}})
	if r.Result() != nil {
		t.Error("a result while tasks may still come")
	}
	r.Stages[0].Complete = true
	if r.Result() != root {
		t.Error("no result")
	}
	if got := r.Stages[1].Consumers; len(got) != 1 || got[0] != 0 {
		t.Errorf("consumers of the scan are %v", got)
	}
}
