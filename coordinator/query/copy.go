package query

import "github.com/tuttidb/tutti/planner/plan"

// An accepted attempt's output may be copied to another worker, frame by frame.
// When its own worker is lost the copy takes its place: it is the same attempt
// with the same frames, so whoever has read a part of it goes on where it was.
// What would have to be made again, with all that it was made of, need not be.
// coordinator/schedule says when a copy pays; what makes it right is here.
//
// The rules:
//
//  1. Only an output that is accepted and there is copied, and not the root's: its
//     rows leave as they come.
//  2. A copy counts when its place has said that it has all of it.
//  3. Readers hear of a copy when it has taken the place of its output, as of the
//     same attempt at another address.
//  4. A copy is freed when its output is, or is superseded, or its place is drained.
//  5. A copy's place can say of the attempt what its own worker could, so that another
//     coordinator may take the run over when that is gone (Adopt).

// Copies counts what became of copies.
type Copies struct {
	// Made were copied, Used took the place of outputs that were lost.
	Made, Used int
	// Bytes is the size of those made.
	Bytes int64
}

// MayCopy reports whether an attempt's output may be copied: that it is right,
// not that it pays.
func (r *Run) MayCopy(t *Task) bool {
	s := r.Stages[t.ID.Stage.Fragment]
	switch {
	case r.Task(t.ID) != t, !r.Recovery.Tasks, r.Failure != nil, r.Held:
		return false
	case len(s.Consumers) == 0, t.Place == r.Coordinator, !r.available(t):
		return false
	}
	return t.Copy == (Place{}) && t.Copying == (Place{}) && !t.Uncopied
}

// BeginCopy notes that an output is being copied to a place.
func (r *Run) BeginCopy(t *Task, to Place) { t.Copying = to }

// EndCopy takes the word of who copied an output: that all of it is there, or that
// it is not, and will not be tried again. What nobody wants any more, or is not
// whole, is freed.
func (r *Run) EndCopy(t *Task, to Place, whole bool) {
	wanted := r.Task(t.ID) == t && t.Copying == to && r.available(t) && !r.gone[to] && !r.draining[to]
	if t.Copying == to {
		t.Copying = Place{}
	}
	t.Uncopied = t.Uncopied || !whole
	if !wanted || !whole {
		r.free(t, to)
		return
	}
	t.Copy = to
	r.Copies.Made++
	r.Copies.Bytes += t.outputBytes()
}

// free has an attempt stopped, or its output freed, at a place.
func (r *Run) free(t *Task, at Place) {
	if r.gone[at] || r.Fault == FaultCopyKept {
		return
	}
	r.discards = append(r.discards, &Task{ID: t.ID, Node: at.Node, Place: at, Committed: true})
}

// dropCopy gives an output's copy up.
func (r *Run) dropCopy(t *Task) {
	if t.Copy != (Place{}) {
		r.free(t, t.Copy)
	}
	for _, at := range t.Left {
		r.free(t, at)
	}
	t.Copy, t.Copying, t.Left = Place{}, Place{}, nil
}

// loseCopies notes that the copies at a place are gone, and puts copies in the
// place of outputs that are. It returns how many.
func (r *Run) loseCopies(p Place) (moved int) {
	for _, s := range r.Stages {
		for _, t := range s.Tasks {
			if t.Copy == p {
				t.Copy = Place{}
			}
			if t.Copying == p {
				t.Copying = Place{}
			}
			if t.Place == p && r.move(t) {
				moved++
			}
		}
	}
	return moved
}

// move puts an output's copy in its place; false: there is none.
func (r *Run) move(t *Task) bool {
	if !t.Committed || t.Released || t.Copy == (Place{}) || r.gone[t.Copy] {
		return false
	}
	if !r.gone[t.Place] { // some may reach it, and have read a part
		t.Left = append(t.Left, t.Place)
	}
	t.Node, t.Place, t.Copy = t.Copy.Node, t.Copy, Place{}
	r.Copies.Used++
	if r.Fault == FaultCopyUntold {
		return true
	}
	for _, c := range r.Stages[t.ID.Stage.Fragment].Consumers {
		for _, reader := range r.Stages[c].Tasks {
			for _, x := range [2]*Task{reader, reader.Twin} {
				if x != nil {
					x.misled(t.ID)
				}
			}
		}
	}
	return true
}

// unreachable notes that an output cannot be fetched where it is.
func (r *Run) unreachable(t *Task) {
	if !r.move(t) {
		t.Unreachable = true
	}
}

// misled notes that an attempt knows an output by a place where it is no more.
func (t *Task) misled(id plan.TaskID) {
	if _, told := t.Told[id]; !told || t.Has[PartOf(id)] {
		return
	}
	if t.Moved == nil {
		t.Moved = map[plan.TaskID]bool{}
	}
	t.Moved[id] = true
}

// Reached notes that an attempt has been told where outputs are now: from now on
// it speaks of that place when it cannot have one.
func (r *Run) Reached(t *Task, ids []plan.TaskID) {
	for _, id := range ids {
		if again, ok := t.Moved[id]; ok && !again {
			delete(t.Moved, id)
		}
	}
}

// stale reports whether what an attempt says of an output may be about a place
// where that is no more.
func (t *Task) stale(id plan.TaskID) bool {
	_, moved := t.Moved[id]
	return moved
}
