package schedule

import (
	"fmt"
	"testing"
	"time"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/coordinator/query"
	"github.com/tuttidb/tutti/planner/plan"
)

// scanRun is a run of one scan of n splits of a size, whose rows go to the root.
func scanRun(n int, size int64, root plan.Node) *query.Run {
	scan := &plan.Scan{}
	scan.ID = 5
	r := query.NewRun("q", &plan.Plan{Fragments: []*plan.Fragment{
		{ID: 0, Root: root, Spread: plan.OneTask, Inputs: []plan.FragmentID{1}},
		{ID: 1, Root: scan, Spread: plan.BySplits},
	}}, 0, 1)
	for i := range n {
		r.Stages[1].Scans[0].Pending = append(r.Stages[1].Scans[0].Pending, query.Split{ID: int64(i), Scan: 5, Split: connectors.Split{Bytes: size}})
	}
	r.Stages[1].Scans[0].Listed = true
	return r
}

func gathered() plan.Node { return &plan.RemoteSource{Fragments: []plan.FragmentID{1}} }

// progress says that the tasks of the scan have started all they have, and ends
// those that get no more.
func progress(r *query.Run) {
	for _, t := range r.Stages[1].Tasks {
		if t.Status.State.Done() {
			continue
		}
		st := query.Status{Task: t.ID, Version: t.Status.Version + 1, State: query.Running, DoneSplits: len(t.Splits), OutputBytes: int64(len(t.Splits)) << 20}
		if !t.Open {
			st.State, st.End = query.Finished, &query.End{Partitions: make([]query.PartitionEnd, 1)}
			for _, sp := range t.Splits {
				st.End.Splits = append(st.End.Splits, sp.ID)
			}
		}
		r.Report(st)
	}
}

// TestAhead: a node is given little more than it starts, by number or by size.
func TestAhead(t *testing.T) {
	for _, c := range []struct {
		threads int
		size    int64
		want    int
	}{
		{1, 64 << 20, aheadSplits}, {4, 64 << 20, 4 * aheadSplits},
		{1, 1 << 20, aheadBytes >> 20}, {2, 0, 2 * aheadSplits}, {1, 1, lotBytes},
	} {
		r := scanRun(2000, c.size, &plan.Aggregate{Input: gathered()})
		Decide(r, workers(1, c.threads))
		want := min(c.want, maxLot)
		if got := len(r.Stages[1].Tasks[0].Splits); got != want {
			t.Errorf("%d threads, splits of %d bytes: %d at first, want %d", c.threads, c.size, got, want)
		}
	}
}

// TestLots: a task is closed when it has its lot; where rows go straight to the
// client the first ones are small.
func TestLots(t *testing.T) {
	for _, c := range []struct {
		root plan.Node
		want []int
	}{
		{&plan.Aggregate{Input: gathered()}, []int{16, 16, 16, 16}},
		{&plan.RemoteSource{Fragments: []plan.FragmentID{1}, OrderBy: []plan.SortKey{{}}}, []int{16, 16, 16, 16}},
		{gathered(), []int{1, 2, 4, 8, 16, 16}},
		{&plan.Limit{Input: &plan.Filter{Input: gathered()}}, []int{1, 2, 4, 8, 16, 16}},
	} {
		r := scanRun(200, 8<<20, c.root)
		for range 300 {
			Decide(r, workers(1, 1))
			for _, task := range r.Stages[1].Tasks {
				task.Read = true // the root keeps up
			}
			progress(r)
		}
		var got []int
		for _, task := range r.Stages[1].Tasks[:len(c.want)] {
			got = append(got, len(task.Splits))
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) || !r.Stages[1].Done() {
			t.Errorf("%T: lots %v, want %v; done %v, failure %v", c.root, got, c.want, r.Stages[1].Done(), r.Failure)
		}
	}
}

// TestSlowReader: while a result piles up scans get no new splits, and go on
// when it is read.
func TestSlowReader(t *testing.T) {
	splits := func(r *query.Run) (n int) {
		for _, task := range r.Stages[1].Tasks {
			n += len(task.Splits)
		}
		return n
	}
	settle := func(r *query.Run) int {
		for range 200 {
			Decide(r, workers(2, 1))
			progress(r)
		}
		return splits(r)
	}
	r := scanRun(2000, 64<<20, gathered())
	held := settle(r)
	if held >= 2000 || held < unreadLimit>>20 {
		t.Fatalf("%d of 2000 splits were started for a root that reads nothing", held)
	}
	for _, task := range r.Stages[1].Tasks {
		if !task.Committed {
			t.Errorf("task %s cannot be read: it is open", task.ID)
		}
		task.Read = true
	}
	root := r.Stages[0].Tasks[0]
	r.Report(query.Status{Task: root.ID, Version: 1, State: query.Running, OutputWaits: true})
	if got := settle(r); got != held {
		t.Errorf("%d splits more for a client that does not read", got-held)
	}
	r.Report(query.Status{Task: root.ID, Version: 2, State: query.Running})
	if got := settle(r); got <= held {
		t.Error("it does not go on when the client reads")
	}
}

// TestSteal: an idle node takes half of what the slowest has not begun, after
// a while, once, and not from who has nothing.
func TestSteal(t *testing.T) {
	r := scanRun(8, 16<<20, &plan.Aggregate{Input: gathered()})
	nodes := workers(2, 2) // each may have four ahead
	Decide(r, nodes)
	slow, fast := r.Stages[1].Tasks[0], r.Stages[1].Tasks[1]
	r.Report(query.Status{Task: fast.ID, Version: 1, State: query.Finished, DoneSplits: 4,
		End: &query.End{Splits: []int64{1, 3, 5, 7}, Partitions: make([]query.PartitionEnd, 1)}})
	asked := func() (n int) {
		for _, a := range Decide(r, nodes) {
			for _, b := range a.Update.TakeBack {
				if a.Task != slow {
					t.Errorf("task %s is asked", a.Task.ID)
				}
				n += b.Count
			}
		}
		return n
	}
	for _, c := range []struct {
		at   time.Duration
		want int
	}{{stealAfter / 2, 0}, {stealAfter, 2}, {2 * stealAfter, 0}} {
		r.Now = c.at
		if got := asked(); got != c.want {
			t.Errorf("after %s: asked for %d splits, want %d", c.at, got, c.want)
		}
	}
	if r.Stages[1].Complete {
		t.Error("the stage is complete while splits move")
	}
	r.Return(slow, []int64{4, 6}, 2)
	if got := asked(); got != 0 || len(r.Stages[1].Tasks) != 3 || r.Stages[1].Tasks[2].Node != "w1" || len(r.Stages[1].Tasks[2].Splits) != 2 {
		t.Errorf("asked for %d more; tasks %d", got, len(r.Stages[1].Tasks))
	}
	if !r.Stages[1].Complete && r.Stages[1].Tasks[2].Unstarted() == 0 {
		t.Error("not complete")
	}
}
