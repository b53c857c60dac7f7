package query

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tuttidb/tutti/planner/plan"
)

// stopped lists what is to be stopped or freed, and where: stage.task.attempt@node.
func stopped(r *Run) (out []string) {
	for _, t := range r.Discards() {
		out = append(out, strings.TrimPrefix(t.ID.String(), "q.")+"@"+t.Place.Node)
	}
	return out
}

// TestCopies: what becomes of a copy of the output of scan task 2.1, which ran on
// b and has a copy on c, or is getting one.
func TestCopies(t *testing.T) {
	c := Place{Node: "c"}
	for _, x := range []struct {
		name    string
		half    bool // the copy is still being made
		after   func(r *Run, mid, scan []*Task)
		at      string // where the output is in the end
		copy    string // and its copy
		again   string
		stopped string
		moved   string // readers that have to be told anew
	}{
		{name: "nothing happens", after: func(*Run, []*Task, []*Task) {}, at: "b", copy: "c", again: "[]", stopped: "[]"},
		{name: "the output is lost", after: func(r *Run, _, _ []*Task) { r.Lose(Place{Node: "b"}, gone(), true) },
			at: "c", again: "[1.1.1]", stopped: "[]", moved: "1.0 1.1"},
		{name: "the output is lost while it is copied", half: true, after: func(r *Run, _, _ []*Task) { r.Lose(Place{Node: "b"}, gone(), true) },
			at: "", again: "[1.1.1 2.1.1]", stopped: "[2.1.0@c]"},
		{name: "the copy is lost", after: func(r *Run, _, _ []*Task) { r.Lose(c, gone(), true) }, at: "b", again: "[]", stopped: "[]"},
		{name: "the copy is lost while it is made", half: true, after: func(r *Run, _, _ []*Task) { r.Lose(c, gone(), true) },
			at: "b", again: "[]", stopped: "[]"},
		{name: "the copy's place is drained", after: func(r *Run, _, _ []*Task) { r.Drain(c) }, at: "b", again: "[]", stopped: "[2.1.0@c]"},
		{name: "it is drained while the copy is made", half: true, after: func(r *Run, _, _ []*Task) { r.Drain(c) },
			at: "b", again: "[]", stopped: "[2.1.0@c]"},
		{name: "the output's place is drained, and lost", after: func(r *Run, _, _ []*Task) {
			r.Drain(Place{Node: "b"})
			r.Lose(Place{Node: "b"}, gone(), true)
		}, at: "c", again: "[1.1.1]", stopped: "[]", moved: "1.0 1.1"},
		{name: "both are lost", after: func(r *Run, _, _ []*Task) {
			r.Lose(c, gone(), true)
			r.Lose(Place{Node: "b"}, gone(), true)
		}, at: "", again: "[1.1.1 2.1.1]", stopped: "[]"},
		{name: "both are lost, the output first", after: func(r *Run, _, _ []*Task) {
			r.Lose(Place{Node: "b"}, gone(), true)
			r.Lose(c, gone(), true)
		}, at: "", again: "[1.1.1 2.1.1]", stopped: "[]"},
		{name: "a reader does not reach the output", after: func(r *Run, mid, scan []*Task) {
			r.Report(Status{Task: mid[0].ID, Version: 5, State: Running, Lost: []plan.TaskID{scan[1].ID}})
		}, at: "c", again: "[]", stopped: "[]", moved: "1.0 1.1"},
		{name: "two do not", after: func(r *Run, mid, scan []*Task) {
			r.Report(Status{Task: mid[0].ID, Version: 5, State: Running, Lost: []plan.TaskID{scan[1].ID}})
			r.Report(Status{Task: mid[1].ID, Version: 5, State: Running, Lost: []plan.TaskID{scan[1].ID}})
		}, at: "c", again: "[]", stopped: "[]", moved: "1.0 1.1"},
		{name: "one that has read of it fails", after: func(r *Run, mid, scan []*Task) {
			r.Report(Status{Task: mid[0].ID, Version: 5, State: Failed, Failure: &Failure{Cause: CauseLostOutput, Retryable: true, Lost: scan[1].ID, Err: gone().Err}})
		}, at: "c", again: "[1.0.1]", stopped: "[1.0.0@a]", moved: "1.0 1.1"},
		{name: "nor does it reach the copy", after: func(r *Run, mid, scan []*Task) {
			for i := range 2 {
				r.Report(Status{Task: mid[0].ID, Version: int64(5 + i), State: Running, Lost: []plan.TaskID{scan[1].ID}})
				mid[0].Moved[scan[1].ID] = false
				r.Reached(mid[0], []plan.TaskID{scan[1].ID}) // it has been told anew
			}
		}, at: "", again: "[2.1.1]", stopped: "[2.1.0@b 2.1.0@c]"},
		{name: "all is read, and the result held", after: func(r *Run, mid, scan []*Task) {
			end(r, scan[0])
			for _, m := range mid {
				end(r, m)
			}
			end(r, r.Stages[0].Tasks[0])
			r.Held = true
			r.Releasable()
		}, at: "b", again: "[]", stopped: "[2.1.0@c]"},
	} {
		r, _, mid, scan := lossy(false)
		end(r, scan[1])
		for _, m := range mid {
			for _, s := range scan {
				m.Told[s.ID] = s.Committed
			}
		}
		if !r.MayCopy(scan[1]) || r.MayCopy(scan[0]) {
			t.Fatal("what has ended may be copied, what runs may not")
		}
		r.BeginCopy(scan[1], c)
		if !x.half {
			r.EndCopy(scan[1], c, true)
		}
		if r.MayCopy(scan[1]) {
			t.Errorf("%s: may be copied again", x.name)
		}
		x.after(r, mid, scan)
		if x.half {
			r.EndCopy(scan[1], c, true)
		}
		now, moved := r.Stages[2].Tasks[1], []string{}
		for i, m := range mid {
			if m.Moved[scan[1].ID] {
				moved = append(moved, fmt.Sprintf("1.%d", i))
			}
		}
		if now.Place.Node != x.at || now.Copy.Node != x.copy || fmt.Sprint(again(r)) != x.again || r.Failure != nil {
			t.Errorf("%s: at %q, copy at %q, again %v, failure %v", x.name, now.Place.Node, now.Copy.Node, again(r), r.Failure)
		}
		if s := fmt.Sprint(stopped(r)); s != x.stopped {
			t.Errorf("%s: stopped %s, want %s", x.name, s, x.stopped)
		}
		if m := strings.Join(moved, " "); x.moved != "" && m != x.moved {
			t.Errorf("%s: to be told anew: %s, want %s", x.name, m, x.moved)
		}
	}
}

// TestUncopied: an output that could not be copied is not copied, what came of it
// is freed.
func TestUncopied(t *testing.T) {
	r, root, mid, scan := lossy(false)
	end(r, scan[0])
	r.BeginCopy(scan[0], Place{Node: "c"})
	r.EndCopy(scan[0], Place{Node: "c"}, false)
	if s := fmt.Sprint(stopped(r)); r.MayCopy(scan[0]) || s != "[2.0.0@c]" || scan[0].Copy != (Place{}) {
		t.Errorf("may be copied %v, stopped %s", r.MayCopy(scan[0]), s)
	}
	end(r, scan[1])
	for _, m := range mid {
		end(r, m)
	}
	end(r, root)
	if r.MayCopy(root) {
		t.Error("the result may be copied")
	}
	r.Recovery.Tasks = false
	if r.MayCopy(scan[1]) {
		t.Error("copied, though nothing is done again")
	}
}
