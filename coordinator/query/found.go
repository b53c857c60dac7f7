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
	spares  []Place   // where there are copies of its output, beside
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
	switch {
	case f.attempt == nil:
	case a.Status.Task == f.attempt.Status.Task && (a.Copy || f.attempt.Copy):
		if !a.better(f.attempt) {
			f.beside(at, a)
			return
		}
		f.beside(f.at, f.attempt)
	case (a.Status.Task.Attempt > f.attempt.Status.Task.Attempt) == (fault != FaultAdoptLow):
		f.drop(f.at)
		for _, spare := range f.spares {
			f.drop(spare)
		}
		f.spares = nil
	default:
		f.rest = append(f.rest, located{at, a.Status.Task})
		return
	}
	f.at, f.attempt = at, a
}

// better reports whether what is here of an attempt goes before what is elsewhere:
// its output, and then that it is its own.
func (a *Attempt) better(b *Attempt) bool {
	if a.Released != b.Released {
		return b.Released
	}
	return b.Copy && !a.Copy
}

// beside notes what else there is of the attempt.
func (f *found) beside(at Place, a *Attempt) {
	if a.Released {
		f.drop(at)
	} else {
		f.spares = append(f.spares, at)
	}
}

// drop notes that what is of the attempt at a place is of no use.
func (f *found) drop(at Place) { f.rest = append(f.rest, located{at, f.attempt.Status.Task}) }

// open reports whether the attempt was to get more splits as far as it knew, be it
// that it has failed since.
func (f *found) open(s *Stage) bool {
	return !f.lost() && s.Fragment.Spread == plan.BySplits && len(f.attempt.NoMore) == 0 && f.attempt.Status.State != Finished
}
