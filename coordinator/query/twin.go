package query

import (
	"slices"
	"time"

	"github.com/tuttidb/tutti/planner/plan"
)

// An attempt that is far behind others of its stage may get a twin: another
// attempt of the same task that runs beside it, elsewhere. coordinator/schedule
// says when that pays; what makes it right is here.
//
// The rules:
//
//  1. Of an attempt and its twin the one that ends first is accepted, by the same
//     commit as any other; the other one is superseded and stopped, and its words
//     count no more. While both run the attempt is the one that counts.
//  2. Readers hear of a twin when it is accepted, or has taken the place of its
//     attempt. As operators are fed from committed attempts alone, what they have
//     fetched ahead of the loser is dropped unread: so it does not matter how much
//     that has given, and a twin makes nobody run again.
//  3. An attempt that has a twin keeps the splits that it has, neither more nor
//     fewer, for the twin has the same.
//  4. Numbers of attempts are the task's: a twin has the next one, and no other
//     attempt ever has it. A coordinator that takes over finds two attempts, of
//     which the highest counts as always: the twin goes on, the other one is
//     stopped.
//  5. A twin asks for nothing. If it fails, or its worker is lost, or an input that
//     it lacks, it is given up, and its attempt goes on as if it had never been.
//  6. If the attempt is lost while the twin runs, the twin takes its place.
//  7. Some tasks have none. That of the root: its rows leave as they come. Those of
//     the coordinator: they write, or read what is only there. Those of fragments
//     whose rows may be others when they are made again: once a second attempt was
//     used of one of these, no other coordinator can take the run over, which is
//     too much for a guess.

// Twins counts what became of twins.
type Twins struct {
	// Made were begun. Won were accepted, Heirs took the place of attempts that were
	// lost, Dropped were given up, or came second.
	Made, Won, Heirs, Dropped int
}

// MayTwin reports whether an attempt may have a twin: that it is right, not
// that it pays.
func (r *Run) MayTwin(t *Task) bool {
	s := r.Stages[t.ID.Stage.Fragment]
	switch {
	case r.Task(t.ID) != t, !r.Recovery.Tasks, r.Failure != nil:
		return false
	case s.Fragment.ID == 0, s.Fragment.Spread == plan.OnCoordinator, s.Fragment.Indeterminate:
		return false
	case t.Unplaced, t.Awaits, t.Unknown, t.Asked, len(t.Extra) > 0, t.Status.State != Running && t.Status.State != Flushing:
		return false
	case !s.Complete, t.Open:
		return false // it may get more splits, or give some away
	case t.Twin != nil, t.Twinned, (t.highest()+1)/AttemptsPerRun != r.Number:
		return false
	}
	return !r.starved(s, &Task{}) // of anything
}

// AddTwin begins a twin of an attempt at a place.
func (r *Run) AddTwin(t *Task, at Place) *Task {
	tw := r.next(t)
	tw.Node, tw.Place, tw.Twinned = at.Node, at, true
	t.Twin, t.Twinned = tw, true
	if t.Highest = tw.ID.Attempt; r.Fault == FaultTwinNumber {
		t.Highest = t.ID.Attempt
	}
	tw.Highest = t.Highest
	if r.Fault == FaultTwinSplits {
		tw.Splits = tw.Splits[:max(len(tw.Splits)-1, 0)]
	}
	r.Twins.Made++
	return tw
}

// highest is the highest number that an attempt of the task has.
func (t *Task) highest() int32 { return max(t.Highest, t.ID.Attempt) }

// DropStarved gives up twins that lack an input which cannot be had: it may be
// made again, but not for them.
func (r *Run) DropStarved() {
	for _, s := range r.Stages {
		for _, t := range s.Tasks {
			if t.Twin != nil && r.starved(s, t.Twin) {
				r.dropTwin(t)
			}
		}
	}
}

// starved reports whether an accepted input is not there that a task lacks.
func (r *Run) starved(s *Stage, t *Task) bool {
	if r.Fault == FaultTwinStarved {
		return false
	}
	for _, in := range s.Fragment.Inputs {
		for _, src := range r.Stages[in].Tasks {
			if src.Committed && !t.Has[PartOf(src.ID)] && !r.available(src) {
				return true
			}
		}
	}
	return false
}

// dropTwin gives up an attempt's twin, if it has one.
func (r *Run) dropTwin(t *Task) {
	tw := t.Twin
	if tw == nil {
		return
	}
	t.Twin = nil
	r.Twins.Dropped++
	r.supersede(tw)
}

// supersede notes that an attempt does not count, and is to be stopped where it
// is.
func (r *Run) supersede(t *Task) {
	s := r.Stages[t.ID.Stage.Fragment]
	s.Superseded = append(s.Superseded, t)
	r.dropCopy(t)
	if !t.Unplaced && !r.gone[t.Place] && (r.Fault != FaultTwinKept || !t.Twinned) {
		r.discards = append(r.discards, t)
	}
}

// twinned returns the attempt that has a twin of that name; nil: none has.
func (r *Run) twinned(id plan.TaskID) *Task {
	if id.Stage.Query != r.Query || id.Stage.Fragment < 0 || int(id.Stage.Fragment) >= len(r.Stages) {
		return nil
	}
	tasks := r.Stages[id.Stage.Fragment].Tasks
	if id.Task < 0 || int(id.Task) >= len(tasks) {
		return nil
	}
	if t := tasks[id.Task]; t.Twin != nil && t.Twin.ID == id {
		return t
	}
	return nil
}

// reportTwin takes a node's word about a twin.
func (r *Run) reportTwin(st Status) bool {
	t := r.twinned(st.Task)
	if t == nil || st.Version <= t.Twin.Status.Version {
		return false
	}
	tw := t.Twin
	st.Filters = addFilters(tw.Status.Filters, st.Filters)
	r.Stages[t.ID.Stage.Fragment].ShareFilters(st.Filters)
	tw.Status = st
	r.start(tw, st.RunningSplits+st.DoneSplits)
	r.consumed(tw, st.Consumed)
	switch {
	case st.State == Finished:
		r.win(t)
	case st.State.Done(), len(st.Lost) > 0:
		r.dropTwin(t)
	}
	return true
}

// win accepts a twin that has ended before its attempt.
func (r *Run) win(t *Task) {
	tw := t.Twin
	t.Twin = nil
	r.Twins.Won++
	if r.Fault == FaultTwinLoser {
		t.Status, t.Committed = tw.Status, true
		return
	}
	r.Stages[t.ID.Stage.Fragment].Tasks[t.ID.Task] = tw
	r.supersede(t)
	r.accept(tw)
}

// heir returns the twin of an attempt that is lost as what takes its place;
// nil: there is none, or, if changed, what it has read does not fit any more.
func (r *Run) heir(t *Task, changed bool) *Task {
	if changed {
		r.dropTwin(t)
	}
	tw := t.Twin
	if tw == nil {
		return nil
	}
	t.Twin = nil
	r.Twins.Heirs++
	tw.Tries, tw.Deaths = t.Tries, t.Deaths
	return tw
}

// loseTwins gives up the twins at a place. A task may be what its node died of.
func (r *Run) loseTwins(p Place, blame bool) {
	for _, s := range r.Stages {
		for _, t := range s.Tasks {
			if t.Twin == nil || t.Twin.Place != p {
				continue
			}
			if blame && t.Twin.Status.State != Planned {
				t.Deaths = append(slices.Clip(t.Deaths), p.Node)
			}
			r.dropTwin(t)
		}
	}
}

// Took is how long an accepted attempt has taken since a point in time, or
// since it was made, if that was later; false: nobody knows.
func (t *Task) Took(since time.Duration) (time.Duration, bool) {
	if !t.Committed || t.Ended <= 0 {
		return 0, false
	}
	return max(t.Ended-max(t.Since, since), 0), true
}
