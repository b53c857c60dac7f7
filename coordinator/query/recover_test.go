package query

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
)

// lossy is a run of root ← two middle tasks ← two scan tasks, one of each on
// either of two nodes, that does lost tasks again. Scan tasks have splits.
func lossy(indeterminate bool) (r *Run, root *Task, mid, scan []*Task) {
	leaf := &plan.Scan{}
	leaf.ID = 7
	p := &plan.Plan{Fragments: []*plan.Fragment{
		{ID: 0, Root: &plan.RemoteSource{Fragments: []plan.FragmentID{1}}, Spread: plan.OneTask, Inputs: []plan.FragmentID{1}},
		{ID: 1, Root: &plan.RemoteSource{Fragments: []plan.FragmentID{2}}, Spread: plan.ByPartition, Inputs: []plan.FragmentID{2}, Indeterminate: indeterminate},
		{ID: 2, Root: leaf, Spread: plan.BySplits, Output: plan.Partitioning{Kind: plan.Hash}, Indeterminate: indeterminate},
	}}
	r = NewRun("q", p, 0, 2)
	r.Recovery = Recovery{Tasks: true, Attempts: 4, Keep: 1 << 30}
	root = r.AddTask(r.Stages[0], "a", nil)
	mid = []*Task{r.AddTask(r.Stages[1], "a", nil), r.AddTask(r.Stages[1], "b", nil)}
	scan = []*Task{r.AddTask(r.Stages[2], "a", splits(1, 2)), r.AddTask(r.Stages[2], "b", splits(3))}
	for _, s := range r.Stages {
		s.Complete = true
		for _, t := range s.Tasks {
			r.Report(Status{Task: t.ID, Version: 1, State: Running})
		}
	}
	return r, root, mid, scan
}

// end finishes a task well.
func end(r *Run, t *Task) {
	e := &End{Partitions: make([]PartitionEnd, r.outputs(t))}
	for i := range e.Partitions {
		e.Partitions[i].Bytes = 10
	}
	for _, sp := range t.Splits {
		e.Splits = append(e.Splits, sp.ID)
	}
	r.Report(Status{Task: t.ID, Version: t.Status.Version + 1, State: Finished, End: e})
}

// again lists the tasks that wait to be placed: stage.task.attempt.
func again(r *Run) (out []string) {
	for _, s := range r.Stages {
		for _, t := range s.Tasks {
			if t.Unplaced {
				out = append(out, strings.TrimPrefix(t.ID.String(), "q."))
			}
		}
	}
	return out
}

func gone() *Failure {
	return &Failure{Cause: CauseNode, Retryable: true, Err: qerr.New(qerr.RemoteHostGone, "gone").WithRetry()}
}

// TestOnlyWhatIsLost runs again what was lost and is needed, and nothing else.
func TestOnlyWhatIsLost(t *testing.T) {
	for _, c := range []struct {
		name          string
		indeterminate bool
		before        func(r *Run, root *Task, mid, scan []*Task)
		want          string
	}{
		{"all run", false, func(*Run, *Task, []*Task, []*Task) {}, "[1.1.1 2.1.1]"},
		{"a committed output that all need", false, func(r *Run, _ *Task, _, scan []*Task) { end(r, scan[1]) }, "[1.1.1 2.1.1]"},
		{"one that the other reader has", false, func(r *Run, _ *Task, mid, scan []*Task) {
			end(r, scan[1])
			r.Report(Status{Task: mid[0].ID, Version: 2, State: Running, Consumed: []plan.TaskID{scan[1].ID}})
		}, "[1.1.1 2.1.1]"},
		{"one that all readers have taken", false, func(r *Run, _ *Task, mid, scan []*Task) {
			end(r, scan[0])
			end(r, scan[1])
			end(r, mid[0])
			end(r, mid[1])
		}, "[1.1.1 2.1.1]"}, // its middle task's output is needed, and that needs the scan's
		{"nothing that is needed", false, func(r *Run, root *Task, mid, scan []*Task) {
			for _, x := range slices.Concat(scan, mid) {
				end(r, x)
			}
			r.Report(Status{Task: root.ID, Version: 2, State: Running, Consumed: []plan.TaskID{mid[0].ID, mid[1].ID}})
		}, "[]"},
		{"one that was released", false, func(r *Run, _ *Task, mid, scan []*Task) {
			for _, x := range slices.Concat(scan, mid) {
				end(r, x)
			}
			r.Recovery.Keep = 0
			if len(r.Releasable()) != 2 {
				t.Error("the scans' outputs are kept")
			}
		}, "[1.1.1 2.0.1 2.1.1]"}, // the new middle task needs all its inputs again
		{"indeterminate, told to both readers", true, func(r *Run, _ *Task, mid, scan []*Task) {
			end(r, scan[1])
			mid[0].Told[scan[1].ID], mid[1].Told[scan[1].ID] = true, true
		}, "[1.0.1 1.1.1 2.1.1]"},
		{"indeterminate, not told to anybody", true, func(r *Run, _ *Task, _, scan []*Task) { end(r, scan[1]) }, "[1.1.1 2.1.1]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, root, mid, scan := lossy(c.indeterminate)
			c.before(r, root, mid, scan)
			r.Lose(Place{Node: "b"}, gone(), true)
			if got := fmt.Sprint(again(r)); got != c.want || r.Failure != nil {
				t.Errorf("again %s, want %s; failure %v", got, c.want, r.Failure)
			}
			before := r.Again
			r.Lose(Place{Node: "b"}, gone(), true)
			if r.Again != before {
				t.Error("lost twice")
			}
		})
	}
}

// TestNewAttempt: it has the splits of the lost one, whose words count no more.
func TestNewAttempt(t *testing.T) {
	r, _, _, scan := lossy(false)
	scan[1].Asked = true
	r.Lose(Place{Node: "b"}, gone(), true)
	n := r.Stages[2].Tasks[1]
	if n.ID.Attempt != 1 || len(n.Splits) != 1 || n.Asked || n.Avoid != "b" || len(n.Deaths) != 1 || n.Tries != 1 {
		t.Fatalf("new attempt %+v", n)
	}
	r.Return(scan[1], []int64{3}, 0)
	end(r, scan[1])
	if len(n.Splits) != 1 || len(r.Stages[2].Scans[0].Pending) != 0 || n.Committed || r.Task(scan[1].ID) != nil {
		t.Error("a lost attempt still has a say")
	}
	n.Unplaced, n.Place = false, Place{Node: "a"}
	end(r, n)
	if !n.Committed || r.Failure != nil {
		t.Errorf("failure %v", r.Failure)
	}
}

// TestFailuresOfAttempts: what an attempt's failure leads to.
func TestFailuresOfAttempts(t *testing.T) {
	for _, c := range []struct {
		name  string
		cause Cause
		state TaskState
		again string
		fails bool
	}{
		{"user", CauseUser, Failed, "[]", true}, {"memory", CauseOutOfMemory, Failed, "[]", true},
		{"store", CauseStorage, Failed, "[]", true}, {"bug", CauseInternal, Failed, "[]", true},
		{"node", CauseNode, Failed, "[1.0.1]", false}, {"lost output", CauseLostOutput, Failed, "[1.0.1 2.1.1]", false},
		{"stopped by its node", CauseUnknown, Canceled, "[1.0.1]", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, _, mid, scan := lossy(false)
			end(r, scan[1])
			st := Status{Task: mid[0].ID, Version: 5, State: c.state}
			if c.state == Failed {
				st.Failure = &Failure{Cause: c.cause, Lost: scan[1].ID, Err: qerr.New(qerr.GenericInternal, "x")}
			}
			r.Report(st)
			if got := fmt.Sprint(again(r)); got != c.again || (r.Failure != nil) != c.fails {
				t.Errorf("again %s, failure %v", got, r.Failure)
			}
			off, _, mid, _ := lossy(false)
			off.Recovery.Tasks = false
			st.Task = mid[0].ID
			off.Report(st)
			if off.Failure == nil || len(again(off)) > 0 {
				t.Error("without recovery it must fail")
			}
		})
	}
}

// TestLostInputs: an output that cannot be fetched is made again once, on
// another node.
func TestLostInputs(t *testing.T) {
	r, _, mid, scan := lossy(false)
	end(r, scan[1])
	for i, m := range mid {
		r.Report(Status{Task: m.ID, Version: int64(5 + i), State: Running, Lost: []plan.TaskID{scan[1].ID}})
	}
	if got := fmt.Sprint(again(r)); got != "[2.1.1]" || r.Stages[2].Tasks[1].Avoid != "b" {
		t.Errorf("again %s", got)
	}
	off, _, mid, scan := lossy(false)
	off.Recovery.Tasks = false
	end(off, scan[1])
	off.Report(Status{Task: mid[0].ID, Version: 5, State: Running, Lost: []plan.TaskID{scan[1].ID}})
	if off.Failure == nil || off.Failure.Cause != CauseLostOutput {
		t.Errorf("failure %v", off.Failure)
	}
}

// TestUnreached: where two nodes do not reach each other either the output is
// made again or its reader is, as that one's node or the other is set aside.
func TestUnreached(t *testing.T) {
	const none = "none"
	for _, c := range []struct {
		name  string
		aside string // none: nobody is told
		given bool   // the reader is the root, and rows have left
		ended bool   // the reader says so with its end
		again string
	}{
		{"nobody is told", none, false, false, "[2.1.1]"},
		{"neither is", "", false, false, "[2.1.1]"},
		{"the source's is", "b", false, false, "[2.1.1]"},
		{"the reader's is", "a", false, false, "[1.0.1]"},
		{"the source's is, and the reader has failed", "b", false, true, "[1.0.1 2.1.1]"},
		{"the reader's is, and it has failed", "a", false, true, "[1.0.1]"},
		{"the reader is a root that cannot run again", "a", true, false, "[1.1.1]"},
	} {
		r, root, mid, scan := lossy(false)
		asked := ""
		if c.aside != none {
			r.Cut = func(reader, source Place) Place {
				asked += reader.Node + source.Node
				if c.aside == "" {
					return Place{}
				}
				return Place{Node: c.aside}
			}
		}
		reader, source := mid[0], scan[1]
		end(r, source)
		if c.given {
			reader, source = root, mid[1]
			for _, x := range []*Task{scan[0], mid[0], mid[1]} {
				end(r, x)
			}
			r.Given = true
			r.consumed(mid[1], []plan.TaskID{scan[0].ID, scan[1].ID})
		}
		st := Status{Task: reader.ID, Version: 5, State: Running, Lost: []plan.TaskID{source.ID}}
		if c.ended {
			st.State, st.Lost = Failed, nil
			st.Failure = &Failure{Cause: CauseLostOutput, Lost: source.ID, Err: qerr.New(qerr.PageTransportError, "lost")}
		}
		r.Report(st)
		if got := fmt.Sprint(again(r)); got != c.again || r.Failure != nil || (asked != "ab") != (c.aside == none) {
			t.Errorf("%s: again %s, asked %q, failure %v", c.name, got, asked, r.Failure)
		}
		if n := r.Stages[1].Tasks[0]; n.Unplaced && n.Avoid != "a" {
			t.Errorf("%s: the reader avoids %q", c.name, n.Avoid)
		}
	}
}

// TestLimits: what fails again and again ends the query, and says so.
func TestLimits(t *testing.T) {
	lose := func(r *Run, i int, blame bool) {
		n := r.Stages[1].Tasks[1]
		if i > 0 {
			n.Unplaced, n.Node, n.Place = false, fmt.Sprint("n", i), Place{Node: fmt.Sprint("n", i)}
			r.Report(Status{Task: n.ID, Version: 1, State: Running})
		}
		r.Lose(n.Place, gone(), blame)
	}
	for _, c := range []struct {
		name  string
		blame bool
		times int
		want  string
	}{
		{"deaths", true, 3, "ran on 3 workers when they were lost (b, n1, n2)"},
		{"attempts", false, 4, "failed 4 times, the last time: gone"},
	} {
		r, _, _, _ := lossy(false)
		for i := range c.times {
			if r.Failure != nil {
				t.Errorf("%s: fails after %d losses: %v", c.name, i, r.Failure.Err)
			}
			lose(r, i, c.blame)
		}
		if r.Failure == nil || !strings.Contains(r.Failure.Err.Message, c.want) || r.Failure.Retryable {
			t.Errorf("%s: %v", c.name, r.Failure)
		}
	}
}

// TestLostRoot: the root runs again until rows have left, or after that if its
// reader can tell them from others; when all of it is
// held nothing is needed.
func TestLostRoot(t *testing.T) {
	for _, c := range []struct {
		given, held, committed bool
		repeatable             bool
		again, fails           bool
	}{
		{again: true}, {committed: true, again: true}, {given: true, fails: true}, {given: true, committed: true, fails: true},
		{given: true, held: true, committed: true}, {given: true, repeatable: true, again: true},
		{given: true, committed: true, repeatable: true, again: true}, {given: true, held: true, committed: true, repeatable: true},
	} {
		r, root, mid, scan := lossy(false)
		if c.committed {
			for _, x := range slices.Concat(scan, mid, []*Task{root}) {
				end(r, x)
			}
		}
		r.Given, r.Held, r.Repeatable = c.given, c.held, c.repeatable
		r.Lose(Place{Node: "a"}, gone(), true)
		if got := len(again(r)) > 0; got != c.again && r.Failure == nil || (r.Failure != nil) != c.fails || c.fails && !r.Failure.Retryable {
			t.Errorf("%+v: again %v, failure %v", c, again(r), r.Failure)
		}
	}
}

// TestFiltersOfIndeterminate: a filter may be in use anywhere, so that its
// build side must not come out otherwise.
func TestFiltersOfIndeterminate(t *testing.T) {
	r, _, _, scan := lossy(true)
	end(r, scan[1])
	scan[1].Status.Filters = []FilterPart{{ID: 1}}
	r.Lose(Place{Node: "b"}, gone(), true)
	if r.Failure == nil || !r.Failure.Retryable {
		t.Errorf("failure %v", r.Failure)
	}
}

// TestCompleteFilters: where rows may come out otherwise, no filter stays that
// was made of those that are lost, be it by a task that was not committed.
func TestCompleteFilters(t *testing.T) {
	for _, c := range []struct {
		name           string
		indeterminate  bool
		same           bool // filters come out the same
		complete, told bool
		lose           string
		fails          bool
	}{
		{"the same rows come again", false, true, true, true, "s", false},
		{"no filter is complete", true, false, false, true, "s", false},
		{"a running task built it of them", true, false, true, true, "s", true},
		{"that task is lost with them", true, false, true, true, "sj", true},
		{"nothing was made of them", true, false, true, false, "p", false},
		{"what built it is lost", true, false, true, true, "j", true},
		{"what built it is lost, and builds it again", true, true, true, true, "j", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			probe := &plan.Scan{}
			probe.ID = 7
			build := &plan.RemoteSource{Fragments: []plan.FragmentID{2}, Kind: plan.Replicate}
			p := &plan.Plan{Fragments: []*plan.Fragment{
				{ID: 0, Root: &plan.RemoteSource{Fragments: []plan.FragmentID{1}}, Spread: plan.OneTask, Inputs: []plan.FragmentID{1}},
				{ID: 1, Root: &plan.Join{Left: probe, Right: build, Dynamic: []plan.DynamicSource{{Filter: 1}}}, Spread: plan.BySplits,
					Inputs: []plan.FragmentID{2}, Indeterminate: c.indeterminate, SameFilters: c.same},
				{ID: 2, Root: &plan.Limit{Input: &plan.Values{}}, Spread: plan.OneTask, Indeterminate: c.indeterminate && !c.same},
			}}
			r := NewRun("q", p, 0, 2)
			r.Recovery = Recovery{Tasks: true, Attempts: 4, Keep: 1 << 30}
			r.AddTask(r.Stages[0], "root", nil)
			j := r.AddTask(r.Stages[1], "j", splits(1))
			r.AddTask(r.Stages[1], "p", splits(2))
			src := r.AddTask(r.Stages[2], "s", nil)
			if c.lose == "sj" {
				src.Node, src.Place, c.lose = "j", Place{Node: "j"}, "j"
			}
			r.Stages[0].Complete, r.Stages[2].Complete = true, true
			end(r, src)
			st := Status{Task: j.ID, Version: 1, State: Running}
			if c.told {
				j.Told[src.ID] = true
				st.Filters = []FilterPart{{ID: 1, Filter: &connectors.DynamicFilter{}}}
			}
			r.Report(st)
			if c.complete && c.told {
				r.Stages[1].Filters[1] = st.Filters[0].Filter
			}
			r.Lose(Place{Node: c.lose}, gone(), true)
			if (r.Failure != nil) != c.fails || c.fails && !r.Failure.Retryable {
				t.Errorf("failure %v, again %v", r.Failure, again(r))
			}
		})
	}
}

// TestReadTwice: a task that reads an output in two places of its plan may have
// it of two attempts, which must have the same rows.
func TestReadTwice(t *testing.T) {
	for _, c := range []struct {
		places int
		want   string
	}{{1, "[1.0.1]"}, {2, "[0.0.1 1.0.1]"}} {
		root := &plan.Union{}
		for range c.places {
			root.In = append(root.In, &plan.RemoteSource{Fragments: []plan.FragmentID{1}})
		}
		r := NewRun("q", &plan.Plan{Fragments: []*plan.Fragment{
			{ID: 0, Root: root, Spread: plan.OneTask, Inputs: []plan.FragmentID{1}, Indeterminate: true},
			{ID: 1, Root: &plan.Limit{Input: &plan.Values{}}, Spread: plan.OneTask, Indeterminate: true},
		}}, 0, 1)
		r.Recovery = Recovery{Tasks: true, Attempts: 4, Keep: 1 << 30}
		reader, src := r.AddTask(r.Stages[0], "a", nil), r.AddTask(r.Stages[1], "b", nil)
		r.Stages[0].Complete, r.Stages[1].Complete = true, true
		r.Report(Status{Task: reader.ID, Version: 1, State: Running})
		end(r, src)
		reader.Told[src.ID] = true
		r.Lose(Place{Node: "b"}, gone(), true)
		if got := fmt.Sprint(again(r)); got != c.want || r.Failure != nil {
			t.Errorf("%d places: again %s, want %s, failure %v", c.places, got, c.want, r.Failure)
		}
	}
}

// TestKeep: outputs stay for recovery as far as there is room, those nearest
// to the root longest.
func TestKeep(t *testing.T) {
	for _, c := range []struct {
		keep      int64
		tasks     bool
		given     bool
		repeats   bool
		wantScans int
		wantMid   int
	}{
		{1000, true, false, false, 0, 0}, {30, true, false, false, 2, 0}, {0, true, false, false, 2, 2}, {1000, false, false, false, 2, 2},
		{1000, true, true, false, 0, 2}, {1000, true, true, true, 0, 0}, {0, true, true, true, 2, 2},
	} {
		r, root, mid, scan := lossy(false)
		r.Recovery.Keep, r.Recovery.Tasks, r.Given = c.keep, c.tasks, c.given
		r.Repeatable = c.repeats
		for _, x := range slices.Concat(scan, mid) {
			end(r, x)
		}
		r.Report(Status{Task: root.ID, Version: 2, State: Running, Consumed: []plan.TaskID{mid[0].ID, mid[1].ID}})
		scans, mids := 0, 0
		for _, x := range r.Releasable() {
			if x.ID.Stage.Fragment == 2 {
				scans++
			} else {
				mids++
			}
		}
		if scans != c.wantScans || mids != c.wantMid {
			t.Errorf("keep %d, recovery %v, given %v: released %d scans and %d middle tasks", c.keep, c.tasks, c.given, scans, mids)
		}
	}
}
