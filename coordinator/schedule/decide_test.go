package schedule

import (
	"fmt"
	"slices"
	"testing"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/coordinator/query"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
)

// joinPlan is root ← join by partition ← two scans.
func joinPlan() *plan.Plan {
	scan := func(id plan.NodeID) *plan.Scan {
		s := &plan.Scan{}
		s.ID = id
		return s
	}
	join := &plan.Join{
		Left:  &plan.RemoteSource{Fragments: []plan.FragmentID{2}},
		Right: &plan.RemoteSource{Fragments: []plan.FragmentID{3}},
	}
	return &plan.Plan{Fragments: []*plan.Fragment{
		{ID: 0, Root: &plan.RemoteSource{Fragments: []plan.FragmentID{1}}, Spread: plan.OneTask, Inputs: []plan.FragmentID{1}},
		{ID: 1, Root: join, Spread: plan.ByPartition, Inputs: []plan.FragmentID{2, 3}},
		{ID: 2, Root: scan(10), Spread: plan.BySplits, Output: plan.Partitioning{Kind: plan.Hash}},
		{ID: 3, Root: scan(11), Spread: plan.BySplits, Output: plan.Partitioning{Kind: plan.Hash}},
	}}
}

func workers(n, threads int) (out []Node) {
	for i := range n {
		out = append(out, Node{ID: fmt.Sprintf("w%d", i), Threads: threads})
	}
	return out
}

// TestNothingAfterFailure: a run that has failed starts nothing.
func TestNothingAfterFailure(t *testing.T) {
	r := query.NewRun("q", joinPlan(), 0, 2)
	r.Failure = &query.Failure{Cause: query.CauseUser}
	if got := Decide(r, workers(2, 1)); len(got) != 0 {
		t.Errorf("%d actions after a failure", len(got))
	}
}

// TestEmptyTable: a scan without splits still has a task, whose empty output
// its consumers need.
func TestEmptyTable(t *testing.T) {
	r := query.NewRun("q", joinPlan(), 0, 2)
	for _, s := range r.Stages {
		for _, scan := range s.Scans {
			scan.Listed = true
		}
	}
	Decide(r, workers(2, 1))
	for _, f := range []int{2, 3} {
		if s := r.Stages[f]; len(s.Tasks) != 1 || !s.Complete {
			t.Errorf("stage %d has %d tasks, complete %v", f, len(s.Tasks), s.Complete)
		}
	}
}

// TestAffinity: the same file goes to the same node in every query, and most
// files stay where they were when a node joins.
func TestAffinity(t *testing.T) {
	three, four := workers(3, 1), workers(4, 1)
	moved := 0
	for i := range 1000 {
		sp := query.Split{Split: connectors.Split{Affinity: fmt.Sprint("file", i)}}
		was, is := home(sp, three), home(sp, four)
		if is != was && is != 3 {
			t.Fatalf("file %d moved from %d to %d, which were there before", i, was, is)
		}
		if is != was {
			moved++
		}
	}
	if moved < 150 || moved > 350 {
		t.Errorf("%d of 1000 files moved to a fourth node", moved)
	}
}

// TestSharedByAll: the tasks of one stage that were on a lost node are shared by
// those that are left, whatever else runs there.
func TestSharedByAll(t *testing.T) {
	r := query.NewRun("q", joinPlan(), 0, 9)
	r.Recovery = query.Recovery{Tasks: true, Attempts: 4}
	for _, s := range r.Stages {
		for _, scan := range s.Scans {
			scan.Listed = true
		}
	}
	Decide(r, workers(3, 1))
	stage := r.Stages[1]
	if len(stage.Tasks) != 9 {
		t.Fatalf("%d tasks", len(stage.Tasks))
	}
	lost := stage.Tasks[0].Place
	r.Lose(lost, &query.Failure{Cause: query.CauseNode, Retryable: true, Err: qerr.New(qerr.RemoteHostGone, "gone")}, true)
	left := slices.DeleteFunc(workers(3, 1), func(n Node) bool { return n.Place() == lost })
	Decide(r, left)
	tasks := map[string]int{}
	for _, x := range stage.Tasks {
		tasks[x.Node]++
	}
	for _, n := range left {
		if k := tasks[n.ID]; k < 4 || k > 5 {
			t.Errorf("%v", tasks)
		}
	}
}
