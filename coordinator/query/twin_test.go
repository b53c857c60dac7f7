package query

import (
	"fmt"
	"testing"
	"time"

	"github.com/tuttidb/tutti/planner/plan"
)

// report is a running attempt's word.
func report(r *Run, t *Task, change func(*Status)) bool {
	st := Status{Task: t.ID, Version: t.Status.Version + 1, State: Running}
	if change != nil {
		change(&st)
	}
	return r.Report(st)
}

// twinned is lossy's run of which the second scan, on b, has a twin on c that
// runs.
func twinned(t *testing.T) (r *Run, mid, scan []*Task, tw *Task) {
	t.Helper()
	r, _, mid, scan = lossy(false)
	end(r, scan[0])
	if !r.MayTwin(scan[1]) {
		t.Fatal("it may have no twin")
	}
	tw = r.AddTwin(scan[1], Place{Node: "c"})
	report(r, tw, nil)
	return r, mid, scan, tw
}

// TestMayTwin: who may have a twin.
func TestMayTwin(t *testing.T) {
	for _, c := range []struct {
		name string
		what func(r *Run, root *Task, mid, scan []*Task) *Task
		want bool
	}{
		{"a scan", func(_ *Run, _ *Task, _, scan []*Task) *Task { return scan[0] }, true},
		{"a task of a partition", func(_ *Run, _ *Task, mid, _ []*Task) *Task { return mid[1] }, true},
		{"the root", func(_ *Run, root *Task, _, _ []*Task) *Task { return root }, false},
		{"the coordinator's", func(r *Run, _ *Task, mid, _ []*Task) *Task {
			r.Stages[1].Fragment.Spread = plan.OnCoordinator
			return mid[0]
		}, false},
		{"what may give other rows", func(r *Run, _ *Task, mid, _ []*Task) *Task {
			r.Stages[1].Fragment.Indeterminate = true
			return mid[0]
		}, false},
		{"if lost tasks are not made again", func(r *Run, _ *Task, mid, _ []*Task) *Task {
			r.Recovery.Tasks = false
			return mid[0]
		}, false},
		{"of a run that has failed", func(r *Run, _ *Task, mid, _ []*Task) *Task {
			r.fail(gone())
			return mid[0]
		}, false},
		{"one that ended", func(r *Run, _ *Task, _, scan []*Task) *Task {
			end(r, scan[0])
			return scan[0]
		}, false},
		{"one that does not count", func(r *Run, _ *Task, _, scan []*Task) *Task {
			r.Lose(scan[0].Place, gone(), false)
			return scan[0]
		}, false},
		{"one that waits for a node", func(r *Run, _ *Task, _, scan []*Task) *Task {
			r.Lose(scan[0].Place, gone(), false)
			return r.Stages[2].Tasks[0]
		}, false},
		{"one that nobody has heard of yet", func(_ *Run, _ *Task, _, scan []*Task) *Task {
			scan[0].Status = Status{}
			return scan[0]
		}, false},
		{"one that may get splits", func(_ *Run, _ *Task, _, scan []*Task) *Task {
			scan[0].Open = true
			return scan[0]
		}, false},
		{"of a stage that may get tasks", func(r *Run, _ *Task, _, scan []*Task) *Task {
			r.Stages[2].Complete = false
			return scan[0]
		}, false},
		{"one that was asked for splits", func(_ *Run, _ *Task, _, scan []*Task) *Task {
			scan[0].Asked = true
			return scan[0]
		}, false},
		{"one that is to be told of splits", func(_ *Run, _ *Task, _, scan []*Task) *Task {
			scan[0].Extra = splits(9)
			return scan[0]
		}, false},
		{"one whose splits nobody knows", func(_ *Run, _ *Task, _, scan []*Task) *Task {
			scan[0].Unknown = true
			return scan[0]
		}, false},
		{"one that has one", func(r *Run, _ *Task, _, scan []*Task) *Task {
			r.AddTwin(scan[0], Place{Node: "c"})
			return scan[0]
		}, false},
		{"one that had one", func(r *Run, _ *Task, _, scan []*Task) *Task {
			r.AddTwin(scan[0], Place{Node: "c"})
			r.Lose(Place{Node: "c"}, gone(), false)
			return scan[0]
		}, false},
		{"if inputs are there", func(r *Run, _ *Task, mid, scan []*Task) *Task {
			end(r, scan[0])
			return mid[0]
		}, true},
		{"if an input is gone that it has had", func(r *Run, _ *Task, mid, scan []*Task) *Task {
			end(r, scan[1])
			for _, m := range mid {
				report(r, m, func(st *Status) { st.Consumed = []plan.TaskID{scan[1].ID} })
			}
			r.Lose(Place{Node: "b"}, gone(), false)
			end(r, r.Stages[2].Tasks[0])
			r.Stages[2].Tasks[0].Released = true
			return mid[0]
		}, false},
		{"if there are no numbers left", func(_ *Run, _ *Task, _, scan []*Task) *Task {
			scan[0].Highest = AttemptsPerRun - 1
			return scan[0]
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, root, mid, scan := lossy(false)
			if got := r.MayTwin(c.what(r, root, mid, scan)); got != c.want {
				t.Errorf("may have a twin: %v, want %v", got, c.want)
			}
		})
	}
}

// TestTwin: of an attempt and its twin the first to end is accepted, once, and
// the other one is stopped and has no say.
func TestTwin(t *testing.T) {
	for _, c := range []struct {
		name          string
		what          func(r *Run, a, tw *Task)
		counts, stops string // attempts of the task; "": none
		committed     bool
		twins         Twins
	}{
		{"both run", func(*Run, *Task, *Task) {}, "q.2.1.0", "", false, Twins{Made: 1}},
		{"the attempt ends", func(r *Run, a, _ *Task) { end(r, a) }, "q.2.1.0", "q.2.1.1", true, Twins{Made: 1, Dropped: 1}},
		{"the twin ends", func(r *Run, _, tw *Task) { end(r, tw) }, "q.2.1.1", "q.2.1.0", true, Twins{Made: 1, Won: 1}},
		{"the attempt ends first", func(r *Run, a, tw *Task) { end(r, a); end(r, tw) }, "q.2.1.0", "q.2.1.1", true, Twins{Made: 1, Dropped: 1}},
		{"the twin ends first", func(r *Run, a, tw *Task) { end(r, tw); end(r, a) }, "q.2.1.1", "q.2.1.0", true, Twins{Made: 1, Won: 1}},
		{"the twin fails", func(r *Run, _, tw *Task) {
			report(r, tw, func(st *Status) { st.State, st.Failure = Failed, &Failure{Cause: CauseOutOfMemory, Err: gone().Err} })
		}, "q.2.1.0", "q.2.1.1", false, Twins{Made: 1, Dropped: 1}},
		{"the twin is stopped by its node", func(r *Run, _, tw *Task) {
			report(r, tw, func(st *Status) { st.State = Canceled })
		}, "q.2.1.0", "q.2.1.1", false, Twins{Made: 1, Dropped: 1}},
		{"the twin's node refuses it", func(r *Run, _, tw *Task) { r.Refuse(tw, gone()) }, "q.2.1.0", "q.2.1.1", false, Twins{Made: 1, Dropped: 1}},
		{"the twin's node is lost", func(r *Run, _, tw *Task) { r.Lose(tw.Place, gone(), true) }, "q.2.1.0", "", false, Twins{Made: 1, Dropped: 1}},
		{"the attempt's node is lost", func(r *Run, a, _ *Task) { r.Lose(a.Place, gone(), true) }, "q.2.1.1", "", false, Twins{Made: 1, Heirs: 1}},
		{"the attempt's node refuses it", func(r *Run, a, _ *Task) { r.Refuse(a, gone()) }, "q.2.1.1", "q.2.1.0", false, Twins{Made: 1, Heirs: 1}},
		{"the attempt fails with its node", func(r *Run, a, _ *Task) {
			report(r, a, func(st *Status) { st.State, st.Failure = Failed, gone() })
		}, "q.2.1.1", "q.2.1.0", false, Twins{Made: 1, Heirs: 1}},
		{"the attempt's node is lost, then the twin ends", func(r *Run, a, tw *Task) {
			r.Lose(a.Place, gone(), true)
			end(r, tw)
		}, "q.2.1.1", "", true, Twins{Made: 1, Heirs: 1}},
		{"old words of the twin", func(r *Run, _, tw *Task) {
			r.Report(Status{Task: tw.ID, Version: 1, State: Failed})
		}, "q.2.1.0", "", false, Twins{Made: 1}},
		{"both nodes are lost", func(r *Run, a, tw *Task) {
			r.Lose(tw.Place, gone(), true)
			r.Lose(a.Place, gone(), true)
		}, "q.2.1.2", "", false, Twins{Made: 1, Dropped: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, _, scan, tw := twinned(t)
			c.what(r, scan[1], tw)
			n := r.Stages[2].Tasks[1]
			stops := ""
			for _, d := range r.Discards() {
				if d.ID.Stage.Fragment == 2 {
					stops += d.ID.String()
				}
			}
			if n.ID.String() != c.counts || n.Committed != c.committed || stops != c.stops || r.Twins != c.twins || r.Failure != nil {
				t.Errorf("%s counts (committed %v), %q is stopped, twins %+v, failure %v\nwant %s (%v), %q, %+v",
					n.ID, n.Committed, stops, r.Twins, r.Failure, c.counts, c.committed, c.stops, c.twins)
			}
			if fmt.Sprint(n.Splits) != fmt.Sprint(scan[1].Splits) {
				t.Errorf("splits %v, want %v", n.Splits, scan[1].Splits)
			}
			for _, m := range r.Stages[1].Tasks {
				if m.ID.Attempt > 0 && m.Place.Node == "a" {
					t.Errorf("reader %s ran again", m.ID)
				}
			}
		})
	}
}

// TestTwinEnd: a twin's end is looked at as any other's.
func TestTwinEnd(t *testing.T) {
	r, _, _, tw := twinned(t)
	report(r, tw, func(st *Status) {
		st.State, st.End = Finished, &End{Splits: []int64{1}, Partitions: make([]PartitionEnd, 2)}
	})
	if r.Failure == nil || r.Failure.Cause != CauseInternal {
		t.Errorf("a twin that read other splits was accepted: %v", r.Failure)
	}
}

// TestTwinKeepsSplits: while there is a twin the attempt gives no split away.
func TestTwinKeepsSplits(t *testing.T) {
	r, _, _, scan := lossy(false)
	if n := scan[0].Unstarted(); n != 2 {
		t.Fatalf("%d unstarted splits", n)
	}
	tw := r.AddTwin(scan[0], Place{Node: "c"})
	if n := scan[0].Unstarted(); n != 0 {
		t.Errorf("%d splits may go while there is a twin", n)
	}
	r.Refuse(tw, gone())
	if n := scan[0].Unstarted(); n != 2 {
		t.Errorf("%d splits may go without a twin", n)
	}
}

// TestTwinStarves: a twin that lacks an input which is lost is given up; its
// attempt, which has it, goes on, and nothing is made again.
func TestTwinStarves(t *testing.T) {
	for _, has := range []bool{false, true} {
		r, root, mid, scan := lossy(false)
		_ = root
		end(r, scan[0])
		end(r, scan[1])
		all := []plan.TaskID{scan[0].ID, scan[1].ID}
		tw := r.AddTwin(mid[0], Place{Node: "c"})
		report(r, mid[0], func(st *Status) { st.Consumed = all })
		if has {
			report(r, tw, func(st *Status) { st.Consumed = all })
		}
		end(r, mid[1])
		scan[1].Released = true
		r.DropStarved()
		if kept := mid[0].Twin != nil; kept != has || len(again(r)) > 0 {
			t.Errorf("the twin has the input: %v, is kept: %v; again %v", has, kept, again(r))
		}
	}
	r, _, mid, scan := lossy(false)
	end(r, scan[0])
	tw := r.AddTwin(mid[0], Place{Node: "c"})
	report(r, tw, func(st *Status) { st.Lost = []plan.TaskID{scan[0].ID} })
	if mid[0].Twin != nil || scan[0].Unreachable || len(again(r)) > 0 {
		t.Errorf("twin %v, unreachable %v, again %v", mid[0].Twin, scan[0].Unreachable, again(r))
	}
}

// TestTwinKills: a task is blamed for the nodes that its twins died on.
func TestTwinKills(t *testing.T) {
	r, _, scan, tw := twinned(t)
	r.Lose(tw.Place, gone(), true)
	if got := fmt.Sprint(scan[1].Deaths); got != "[c]" {
		t.Errorf("deaths %s", got)
	}
	r.Lose(scan[1].Place, gone(), true)
	if got := fmt.Sprint(r.Stages[2].Tasks[1].Deaths); got != "[c b]" {
		t.Errorf("deaths of the next attempt: %s", got)
	}
}

// TestTwinOutlived: what an accepted twin gave is made again as any other when it
// is lost, by an attempt with another number.
func TestTwinOutlived(t *testing.T) {
	r, _, scan, tw := twinned(t)
	r.Now = 7 * time.Second
	end(r, tw)
	if took, ok := tw.Took(2 * time.Second); !ok || took != 5*time.Second {
		t.Errorf("it took %s, %v", took, ok)
	}
	if _, ok := scan[1].Took(0); ok {
		t.Error("who came second has ended")
	}
	r.Lose(tw.Place, gone(), true)
	if got := fmt.Sprint(again(r)); got != "[2.1.2]" || r.Failure != nil {
		t.Errorf("again %s, failure %v", got, r.Failure)
	}
}
