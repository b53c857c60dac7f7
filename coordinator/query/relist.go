package query

import (
	"fmt"
	"slices"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
)

// What an adopted run has of its scans, beside what the new listing shows.

// relist decides which stages are listed again, and looks whether that can be.
func (b *adopter) relist() string {
	for _, s := range b.run.Stages {
		if t := b.open(s); t != nil && s.Complete && s.awaiting() == nil && b.a.Fault != FaultAdoptOnWay {
			t.Awaits = true
		}
		// Nothing can be added to a stage that is complete, but to a task that awaits it.
		known := s.Complete && s.awaiting() == nil
		for _, scan := range s.Scans {
			scan.Listed = known && b.a.Fault != FaultAdoptOpen
		}
		if len(s.Scans) == 0 || b.a.Fault == FaultAdoptUnknown {
			continue
		}
		if t := s.eaten(); t != nil && !known {
			return fmt.Sprintf("nobody knows which splits task %s has read, and others are still to be read", t.ID)
		}
		if t := b.swallowed(s); t != nil && (!s.Complete || b.blank[s.Fragment.ID]) {
			return fmt.Sprintf("task %s is made of splits that nobody knows", t.ID)
		}
	}
	return ""
}

// lineage looks, where a rerun may give other rows, whether anything is lost,
// or was made again, that others were made of.
func (b *adopter) lineage() string {
	used, dirty := false, ""
	for part := range b.committed {
		used = used || b.a.Plan.Fragments[part.Fragment].Indeterminate
	}
	filters := b.indeterminateFilters()
	b.counting(func(_ *found, a *Attempt) {
		used = used || slices.ContainsFunc(a.Filters, func(id plan.DynamicID) bool { return filters[id] })
	})
	for _, s := range b.run.Stages {
		if !s.Fragment.Indeterminate {
			continue
		}
		for _, t := range s.Tasks {
			f := b.tasks[PartOf(t.ID)]
			if f == nil || f.lost() || f.last != f.lowest || f.last > b.number*AttemptsPerRun || b.run.Task(f.attempt.Status.Task) == nil {
				dirty = t.ID.String()
			}
		}
	}
	if used && dirty != "" {
		return fmt.Sprintf("the output of task %s may have other rows when it is made again", dirty)
	}
	return ""
}

// indeterminateFilters are the dynamic filters that are built from rows that
// may be others when they are made again.
func (b *adopter) indeterminateFilters() map[plan.DynamicID]bool {
	ids := map[plan.DynamicID]bool{}
	for _, f := range b.a.Plan.Fragments {
		plan.Walk(f.Root, func(n plan.Node) bool {
			if j, ok := n.(*plan.Join); ok && f.Indeterminate {
				for _, d := range j.Dynamic {
					ids[d.Filter] = true
				}
			}
			return true
		})
	}
	return ids
}

// eaten returns a task that is committed, of which nobody knows what it has read;
// nil: there is none.
func (s *Stage) eaten() *Task {
	for _, t := range s.Tasks {
		if t.Unknown && t.Committed {
			return t
		}
	}
	return nil
}

// swallowed returns a task that is made of all that a stage gave; nil: none is.
// One that is made again counts if somebody was told that it was committed: its
// reader may have the rows of the attempt that is lost, or still take them.
func (b *adopter) swallowed(s *Stage) *Task {
	for _, c := range s.Consumers {
		for _, t := range b.run.Stages[c].Tasks {
			if t.Committed || b.committed[PartOf(t.ID)] {
				return t
			}
		}
		if t := b.swallowed(b.run.Stages[c]); t != nil {
			return t
		}
	}
	return nil
}

// revive makes a lost task of an adopted run again, of which nobody was told
// that it was committed. If nobody knows what it was handed, the new attempt has
// nothing, or, where no other task may be added, all that no other one has.
func (r *Run) revive(s *Stage, t *Task, f *Failure) {
	unknown := t.Unknown
	t.Unknown = false
	r.again(t, f, false, false)
	n := s.Tasks[t.ID.Task]
	n.Pinned = true
	n.Awaits = unknown && s.Complete && s.awaiting() == nil
}

// open returns a task of a stage for which splits may have been on their way, be it
// another attempt by now; nil: there is none.
func (b *adopter) open(s *Stage) *Task {
	for _, t := range s.Tasks {
		if f := b.tasks[PartOf(t.ID)]; f != nil && f.open(s) && !t.Status.State.Done() {
			return t
		}
	}
	return nil
}

// awaiting returns the stage's task that waits for the listing; nil: none does.
func (s *Stage) awaiting() *Task {
	for _, t := range s.Tasks {
		if t.Awaits {
			return t
		}
	}
	return nil
}

// List takes the next splits of a scan's listing; last says that there are no
// more. Those that tasks of an adopted run have are theirs already.
func (r *Run) List(s *Stage, scan *Scan, listed []connectors.Split, last bool) {
	for _, sp := range listed {
		if len(scan.Handed) > 0 && scan.Handed[string(sp.Payload)] > 0 {
			scan.Handed[string(sp.Payload)]--
			continue
		}
		split := Split{ID: r.splits, Scan: scan.Node, Split: sp}
		if t := s.awaiting(); t != nil {
			t.Splits = append(t.Splits, split)
			if !t.Unplaced {
				t.Extra = append(t.Extra, split)
			}
		} else if !s.Complete {
			scan.Pending = append(scan.Pending, split)
		} else {
			continue // it was not there when all were dealt
		}
		r.splits++
		scan.Total++
	}
	if scan.Listed = last; last {
		r.listed(s, scan)
	}
}

// listed ends a scan's listing: all that tasks were handed must have been in it.
func (r *Run) listed(s *Stage, scan *Scan) {
	for _, n := range scan.Handed {
		if n > 0 {
			r.fail(&Failure{Cause: CauseStorage, Retryable: true, Unknown: true, Err: qerr.New(qerr.RemoteHostGone,
				"The coordinator that ran the query was lost, and the files of a table that it reads are not those that it read").WithRetry()})
			return
		}
	}
	scan.Handed = nil
	if t := s.awaiting(); t != nil && !slices.ContainsFunc(s.Scans, func(x *Scan) bool { return !x.Listed }) {
		t.Awaits = false
	}
}

func (s *Stage) scan(id plan.NodeID) *Scan {
	for _, scan := range s.Scans {
		if scan.Node == id {
			return scan
		}
	}
	return nil
}
