package schedule

import (
	"cmp"
	"slices"

	"github.com/tuttidb/tutti/coordinator/query"
	"github.com/tuttidb/tutti/planner/plan"
)

// startAgain places the attempts that take the place of lost ones, each where
// the least of its stage runs, of all stages where that is the same, and
// elsewhere than the lost one if there is a choice.
func startAgain(r *query.Run, nodes []Node) (out []Action) {
	var running map[query.Place]int
	for _, s := range r.Stages {
		for _, t := range s.Tasks {
			if !t.Unplaced || t.Awaits {
				continue
			}
			if running == nil {
				running = load(r)
			}
			n, ok := roomFor(r, s, t, nodes, running)
			if !ok {
				continue
			}
			t.Node, t.Place, t.Unplaced, t.Since = n.ID, n.Place(), false, r.Now
			if r.Fault == query.FaultGoneNode {
				t.Place = s.Superseded[len(s.Superseded)-1].Place
			}
			running[t.Place]++
			a := startAction(r, s, t, t.Partition, t.Partitions)
			a.Update.Splits, a.Update.NoMore = t.Splits, scansOf(s)
			// Rows of the root may have left. To find the rest its reader needs all
			// rows of this attempt, and needs them twice: they stay.
			a.Stream = false
			out = append(out, a)
		}
	}
	return out
}

// closeOpen closes the tasks of a stage to which no task will be added: those of
// an adopted run, to which the word did not come. What it was to bring is theirs.
func closeOpen(s *query.Stage) (out []Action) {
	for _, t := range s.Tasks {
		if t.Open && !t.Awaits && !t.Unplaced {
			t.Open = false
			out = append(out, Action{Task: t, Fragment: s.Fragment, Update: Update{Splits: t.Extra, NoMore: scansOf(s)}})
			t.Extra = nil
		}
	}
	return out
}

// load counts the tasks that have not ended, by place.
func load(r *query.Run) map[query.Place]int {
	n := map[query.Place]int{}
	for _, s := range r.Stages {
		for _, t := range s.Tasks {
			if !t.Unplaced && !t.Status.State.Done() {
				n[t.Place]++
			}
			if t.Twin != nil {
				n[t.Twin.Place]++
			}
		}
	}
	return n
}

// roomFor chooses the node for a new attempt; false: there is none.
func roomFor(r *query.Run, s *query.Stage, t *query.Task, nodes []Node, running map[query.Place]int) (Node, bool) {
	if s.Fragment.Spread == plan.OnCoordinator {
		return coordinator(r), true
	}
	if len(nodes) == 0 {
		return Node{}, false
	}
	others := slices.DeleteFunc(slices.Clone(nodes), func(n Node) bool { return n.ID == t.Avoid })
	if len(others) == 0 {
		others = nodes
	}
	return quietest(s, t, others, running), true
}

// quietest returns the node where the least of a stage runs, of all stages where
// that is the same.
func quietest(s *query.Stage, t *query.Task, nodes []Node, running map[query.Place]int) Node {
	key, same := t.ID.String(), map[query.Place]int{}
	for _, x := range s.Tasks {
		if !x.Unplaced && !x.Status.State.Done() {
			same[x.Place]++
		}
	}
	return slices.MinFunc(nodes, func(a, b Node) int {
		return cmp.Or(cmp.Compare(same[a.Place()], same[b.Place()]), cmp.Compare(running[a.Place()], running[b.Place()]), cmp.Compare(score(key, a.ID), score(key, b.ID)))
	})
}

// handBack asks tasks on nodes that are being drained for all that they have
// not begun, and gives them no more.
func handBack(r *query.Run, s *query.Stage) (out []Action) {
	if s.Complete || s.Fragment.Spread != plan.BySplits {
		return nil
	}
	for _, t := range s.Tasks {
		if t.Unplaced || t.Status.State.Done() || !r.Draining(t.Place) {
			continue
		}
		a := Action{Task: t, Fragment: s.Fragment}
		if n := t.Unstarted(); n > 0 && !t.Asked && r.Now-max(t.Since, t.AskedAt) >= stealAfter/2 {
			t.Asked, t.AskedAt = true, r.Now
			a.Update.TakeBack = ask(t, n)
		}
		if t.Open && !t.Asked {
			t.Open = false
			a.Update.NoMore = scansOf(s)
		}
		if !a.Update.empty() {
			out = append(out, a)
		}
	}
	return out
}
