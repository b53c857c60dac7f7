package query

import (
	"slices"
	"testing"

	"github.com/tuttidb/tutti/planner/plan"
)

func finished(t *Task, version int64, ids ...int64) Status {
	return Status{Task: t.ID, Version: version, State: Finished, End: &End{Splits: ids, Partitions: make([]PartitionEnd, 1)}}
}

// TestReturn: splits that a task gives back are no longer its own, whichever
// comes first, its end or its answer.
func TestReturn(t *testing.T) {
	for _, c := range []struct {
		name     string
		endFirst bool
		returned []int64
		end      []int64
		bad      bool
	}{
		{"answer, then end", false, []int64{3}, []int64{1, 2}, false},
		{"end, then answer", true, []int64{3}, []int64{1, 2}, false},
		{"nothing to return", true, nil, []int64{1, 2, 3}, false},
		{"returned and read", true, []int64{3}, []int64{1, 2, 3}, true},
		{"neither returned nor read", false, nil, []int64{1, 2}, true},
		{"not its own", false, []int64{9}, []int64{1, 2, 3}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := NewRun("q", scanAndRoot(), 0, 1)
			task := r.AddTask(r.Stages[1], "w", splits(1, 2, 3))
			task.Asked = true
			if c.endFirst {
				if r.Report(finished(task, 5, c.end...)) || task.Committed || task.Unstarted() != 0 {
					t.Fatal("judged before its answer")
				}
				r.Report(Status{Task: task.ID, Version: 6, State: Running})
			}
			r.Return(task, c.returned, 2)
			if !c.endFirst {
				r.Report(finished(task, 5, c.end...))
			}
			if (r.Failure != nil) != c.bad || !c.bad && !task.Committed {
				t.Fatalf("committed %v, failure %v", task.Committed, r.Failure)
			}
			if c.bad {
				return
			}
			pending := r.Stages[1].Scans[0].Pending
			if len(pending) != len(c.returned) || len(pending) > 0 && (pending[0].ID != 3 || pending[0].Avoid != "w") {
				t.Errorf("pending %v", pending)
			}
		})
	}
}

// TestUnstarted never counts less than there is.
func TestUnstarted(t *testing.T) {
	r := NewRun("q", scanAndRoot(), 0, 1)
	task := r.AddTask(r.Stages[1], "w", splits(1, 2, 3, 4))
	for i, c := range []struct{ running, done, want int }{{0, 0, 4}, {1, 0, 3}, {2, 1, 1}, {0, 1, 1}, {2, 2, 0}} {
		r.Report(Status{Task: task.ID, Version: int64(i + 1), State: Running, RunningSplits: c.running, DoneSplits: c.done})
		if got := task.Unstarted(); got != c.want {
			t.Errorf("%d running, %d done: %d unstarted, want %d", c.running, c.done, got, c.want)
		}
	}
}

// TestReleasable: an output goes when all who read it are committed, once, and
// not before; that of a root never.
func TestReleasable(t *testing.T) {
	p := &plan.Plan{Fragments: []*plan.Fragment{
		{ID: 0, Root: &plan.RemoteSource{Fragments: []plan.FragmentID{1, 2}}, Spread: plan.OneTask, Inputs: []plan.FragmentID{1, 2}},
		{ID: 1, Root: &plan.RemoteSource{Fragments: []plan.FragmentID{2}}, Spread: plan.ByPartition, Inputs: []plan.FragmentID{2}},
		{ID: 2, Root: &plan.Values{}, Spread: plan.OneTask}, // read twice
	}}
	r := NewRun("q", p, 0, 2)
	root := r.AddTask(r.Stages[0], "a", nil)
	mid := []*Task{r.AddTask(r.Stages[1], "a", nil), r.AddTask(r.Stages[1], "b", nil)}
	leaf := r.AddTask(r.Stages[2], "b", nil)
	for _, s := range r.Stages {
		s.Complete = true
	}
	for _, c := range []struct {
		ends *Task
		want []*Task
	}{{leaf, nil}, {mid[0], nil}, {mid[1], nil}, {root, []*Task{mid[0], mid[1], leaf}}, {nil, nil}} {
		if c.ends != nil {
			r.Report(finished(c.ends, 1))
		}
		if got := r.Releasable(); !slices.Equal(got, c.want) {
			t.Errorf("after %v: %d tasks released, want %d", c.ends, len(got), len(c.want))
		}
	}
	if r.Failure != nil {
		t.Fatal(r.Failure.Err)
	}
}

// TestRead: what a streaming root has read to the end can go, unless another
// stage reads it too.
func TestRead(t *testing.T) {
	r := NewRun("q", scanAndRoot(), 0, 1)
	root, a := r.AddTask(r.Stages[0], "a", nil), r.AddTask(r.Stages[1], "a", nil)
	b := r.AddTask(r.Stages[1], "b", nil)
	unknown := a.ID
	unknown.Task = 77
	r.Report(finished(a, 1))
	r.Report(Status{Task: root.ID, Version: 1, State: Running, Consumed: []plan.TaskID{a.ID, unknown}})
	if got := r.Releasable(); !slices.Equal(got, []*Task{a}) || b.Read {
		t.Errorf("released %v", got)
	}
	if got := r.Releasable(); got != nil {
		t.Errorf("released twice: %v", got)
	}
	r.Stages[1].Consumers = append(r.Stages[1].Consumers, 5)
	r.Report(Status{Task: root.ID, Version: 2, State: Running, Consumed: []plan.TaskID{b.ID}})
	if b.Read || r.Releasable() != nil {
		t.Error("an output with another reader was released")
	}
}

// TestOutputWaits is what the root last said, while it runs.
func TestOutputWaits(t *testing.T) {
	r := NewRun("q", scanAndRoot(), 0, 1)
	if r.OutputWaits() {
		t.Error("waits without a root")
	}
	root := r.AddTask(r.Stages[0], "a", nil)
	for i, waits := range []bool{true, false, true} {
		r.Report(Status{Task: root.ID, Version: int64(i + 1), State: Running, OutputWaits: waits})
		if r.OutputWaits() != waits {
			t.Errorf("%v, said %v", r.OutputWaits(), waits)
		}
	}
	r.Report(finished(root, 9))
	if r.OutputWaits() {
		t.Error("waits after its end")
	}
}
