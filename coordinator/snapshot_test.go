package coordinator

import (
	"testing"
	"time"

	"github.com/tuttidb/tutti/coordinator/query"
	"github.com/tuttidb/tutti/planner/plan"
)

// TestSnapshotAddsUp: the figures of a query are the sums of its stages', and
// those of its tasks'.
func TestSnapshotAddsUp(t *testing.T) {
	p := &plan.Plan{Fragments: []*plan.Fragment{
		{ID: 0, Inputs: []plan.FragmentID{1}, Root: &plan.RemoteSource{Fragments: []plan.FragmentID{1}}},
		{ID: 1, Root: &plan.Values{}},
	}}
	run := query.NewRun("q", p, 0, 2)
	for i, s := range run.Stages {
		for k := range i + 1 {
			s.Tasks = append(s.Tasks, &query.Task{Place: query.Place{Node: "n"}, Status: query.Status{
				State: query.Finished, CPU: time.Duration(10*i+k+1) * time.Second, Wall: time.Duration(10*i+k+1) * time.Minute,
				QueuedSplits: 1, RunningSplits: 2, DoneSplits: 3, OutputRows: 4, OutputBytes: 5,
			}})
		}
	}
	info := &QueryInfo{}
	snapshotRun(run, info, time.Hour)
	for i, want := range []time.Duration{1, 11 + 12} {
		if got := info.Stages[i].Stats; got.CPU != want*time.Second || got.Scheduled != want*time.Minute || got.DoneSplits != 3*(i+1) {
			t.Errorf("stage %d: %+v", i, got)
		}
	}
	got := info.Stats
	if got.CPU != 24*time.Second || got.Scheduled != 24*time.Minute || got.Wall != time.Hour || got.DoneSplits != 9 || got.QueuedSplits != 3 || got.Nodes != 1 {
		t.Errorf("query: %+v", got)
	}
	if task := info.Stages[1].Tasks[1].Stats; task.Scheduled != 12*time.Minute || task.CPU != 12*time.Second {
		t.Errorf("task: %+v", task)
	}
}
