package query

import "github.com/tuttidb/tutti/planner/plan"

// What the places have of a task of a run that is to be adopted.

// found is what is known of a task.
type found struct {
	part Part
	// last is the highest number of an attempt, lowest the lowest that is known.
	last, lowest int32
	// at and attempt are the highest one that is somewhere; nil: none is.
	at      Place
	attempt *Attempt
	spare   Place     // where there is a copy of its output, beside; zero: nowhere
	rest    []located // the others
	low     bool      // a planted bug
}

// located is an attempt that is somewhere.
type located struct {
	at Place
	id plan.TaskID
}

// lost reports whether the attempt that counts is nowhere.
func (f *found) lost() bool {
	return f.attempt == nil || f.attempt.Status.Task.Attempt < f.last && !f.low
}

// take notes where an attempt is.
func (f *found) take(at Place, a *Attempt, fault Fault) {
	id := a.Status.Task
	switch {
	case f.attempt == nil:
	case id == f.attempt.Status.Task && a.Copy:
		f.beside(at)
		return
	case id == f.attempt.Status.Task && f.attempt.Copy:
		f.beside(f.at)
	case (a.Status.Task.Attempt > f.attempt.Status.Task.Attempt) == (fault != FaultAdoptLow):
		f.pass(f.at)
		if f.spare != (Place{}) {
			f.pass(f.spare)
			f.spare = Place{}
		}
	default:
		f.rest = append(f.rest, located{at, id})
		return
	}
	f.at, f.attempt = at, a
}

// beside notes a copy of the attempt's output: one of them is enough.
func (f *found) beside(at Place) {
	if f.spare != (Place{}) {
		f.pass(f.spare)
	}
	f.spare = at
}

// pass notes that what is of the attempt at a place is of no use.
func (f *found) pass(at Place) { f.rest = append(f.rest, located{at, f.attempt.Status.Task}) }
