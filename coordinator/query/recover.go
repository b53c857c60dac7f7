package query

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
)

const (
	// AttemptsPerRun is how far the attempt numbers of two runs are apart: a
	// worker that has ended one run of a query takes no task of it any more.
	AttemptsPerRun = 4000
	// maxDeaths is how many nodes may be lost while attempts of one task run
	// there, until the task counts as what kills them.
	maxDeaths = 3
	// againBase and againPerTask bound the attempts that a run makes because
	// others were lost.
	againBase, againPerTask = 100, 4
)

// Recovery says what happens when a worker is lost.
type Recovery struct {
	// Tasks says that lost tasks run again; else the run fails.
	Tasks bool
	// Attempts is how many attempts a task may have that fail by themselves or
	// with their node.
	Attempts int
	// Keep is how many bytes of outputs stay that nobody reads, for the case
	// that their readers' own outputs are lost.
	Keep int64
	// TwinAfter is how far an attempt must be behind others to get a twin; 0: none
	// gets one.
	TwinAfter time.Duration
	// CopyAfter is how long a run goes on until outputs are copied; 0: none is.
	CopyAfter time.Duration
}

// Fault is a bug planted by a test, to see that it is found.
type Fault uint8

// The planted bugs.
const (
	NoFault            Fault = iota
	FaultNoFence             // words of superseded attempts count
	FaultLateReturn          // splits that a superseded attempt gives back count
	FaultReleaseEarly        // outputs go while somebody reads them
	FaultKeepLost            // committed outputs that are lost are not made again
	FaultNoRecursion         // inputs that were released are not made again for a new attempt
	FaultForgetSplits        // a new attempt gets one split less
	FaultDoubleSplits        // a lost attempt's splits are dealt, too
	FaultSameAttempt         // a new attempt has the number of the lost one
	FaultKeepCommit          // a new attempt counts as committed
	FaultRootAgain           // the root runs again though rows have left
	FaultStaleSource         // readers are not told of new attempts
	FaultUncommitted         // running attempts are told as committed
	FaultIndeterminate       // what indeterminate outputs have fed is kept
	FaultTakenBack           // splits that are given back stay the task's, too
	FaultUnpinned            // an attempt that follows an accepted one gives splits away
	FaultGoneNode            // tasks are placed on nodes that are gone
	FaultAdoptLow            // of a task's attempts the lowest is adopted
	FaultAdoptTold           // attempts that are only known as sources are forgotten
	FaultAdoptComplete       // stages are complete before anybody was told
	FaultAdoptOpen           // stages that somebody was told are complete are not
	FaultAdoptRelist         // splits that tasks have are dealt again
	FaultAdoptUnknown        // what was read of a task whose splits nobody knows is kept
	FaultAdoptRoot           // another root delivers the rest of a result
	FaultAdoptNumber         // another run has the number of the one that could not go on
	FaultAdoptHas            // a task that was told of an output counts as having it
	FaultAdoptFirst          // new attempts have the numbers after those that count
	FaultAdoptEpoch          // attempts count that the coordinator before did not know of
	FaultAdoptOnWay          // splits that were on their way to a task are forgotten
	FaultKeepForever         // outputs stay though nothing can need them again
	FaultTwinBoth            // a twin that ends after its attempt is accepted, too
	FaultTwinLoser           // the end of a twin is taken for its attempt's
	FaultTwinSplits          // a twin gets one split less
	FaultTwinNumber          // new attempts may have the number of a twin
	FaultTwinStarved         // twins are told of inputs that are lost
	FaultTwinKept            // who comes second is not stopped
	FaultCopyUntold          // readers are not told that a copy took the place of its output
	FaultCopyKept            // copies are not freed
	Faults
)

// Lose notes that a place is gone, and all that was there. blame says that it
// may have died of what it ran. It returns whether the run needed it.
func (r *Run) Lose(p Place, f *Failure, blame bool) bool {
	if r.gone[p] {
		return false
	}
	r.gone[p] = true
	r.loseTwins(p, blame)
	needed := r.loseCopies(p) > 0
	for _, t := range r.at(p) {
		switch {
		case !r.Recovery.Tasks:
			r.fail(f)
			return true
		case t.Committed:
			continue // repair looks whether anybody needs it
		}
		needed = true
		if t.Status.State != Planned && blame {
			t.Deaths = append(slices.Clip(t.Deaths), p.Node)
		}
		t.Status.State, t.Status.Failure = Aborted, f
		r.again(t, f, true, false)
	}
	return r.repair(f) || needed
}

// at returns the attempts that count at a place.
func (r *Run) at(p Place) (out []*Task) {
	for _, s := range r.Stages {
		for _, t := range s.Tasks {
			if t.Place == p && !t.Unplaced {
				out = append(out, t)
			}
		}
	}
	return out
}

// Gone reports whether a place was lost.
func (r *Run) Gone(p Place) bool { return r.gone[p] }

// Drain notes that a place shall get nothing new, and gives back what it has
// not begun. Copies there are freed: they would hold it up.
func (r *Run) Drain(p Place) {
	if r.draining[p] {
		return
	}
	r.draining[p] = true
	for _, s := range r.Stages {
		for _, t := range s.Tasks {
			if t.Copy == p {
				r.free(t, p)
				t.Copy = Place{}
			}
		}
	}
}

// Draining reports whether a place shall get nothing new.
func (r *Run) Draining(p Place) bool { return r.draining[p] }

// Refuse notes that a place did not take a task: it runs elsewhere.
func (r *Run) Refuse(t *Task, f *Failure) {
	if x := r.twinned(t.ID); x != nil {
		r.dropTwin(x)
	}
	if r.Task(t.ID) != t || t.Status.State.Done() {
		return
	}
	if !r.Recovery.Tasks {
		r.fail(f)
		return
	}
	r.again(t, f, false, false)
	r.repair(f)
}

// LoseOutput notes that the reader of the result cannot fetch the root task's
// committed output.
func (r *Run) LoseOutput(id plan.TaskID) {
	if t := r.Task(id); t != nil && t.Committed && !t.Unreachable {
		r.cut(r.Coordinator, t)
		r.loseOutput(t)
	}
}

// loseOutput notes that a committed output cannot be fetched by one who needs
// it.
func (r *Run) loseOutput(t *Task) {
	r.unreachable(t)
	f := lostOutput(t)
	if !r.Recovery.Tasks {
		r.fail(f)
		return
	}
	r.repair(f)
}

func lostOutput(t *Task) *Failure {
	return &Failure{Cause: CauseLostOutput, Retryable: true, Lost: t.ID, Err: qerr.New(qerr.PageTransportError,
		"The output of task %s could not be fetched from worker %s", t.ID, t.Node).WithRetry()}
}

// unreached notes that an attempt cannot fetch an output of a node that lives:
// the output is made again elsewhere; or, where it is the reader's node that is
// set aside, the reader is.
func (r *Run) unreached(t *Task, id plan.TaskID) {
	src := r.Task(id)
	if src == nil || !src.Committed || src.Unreachable || t.stale(id) {
		return
	}
	if !r.cut(t.Place, src) || !r.Recovery.Tasks || r.Task(t.ID) != t || t.Status.State.Done() || t.ID.Stage.Fragment == 0 && r.Given {
		r.loseOutput(src)
		return
	}
	f := lostOutput(src)
	r.again(t, f, false, false)
	r.repair(f)
}

// cut tells that a reader does not reach the node of an output, and reports
// whether it is the reader that is to be elsewhere.
func (r *Run) cut(reader Place, src *Task) bool {
	if r.Cut == nil || r.gone[reader] || r.gone[src.Place] {
		return false
	}
	return r.Cut(reader, src.Place) == reader
}

// broken decides what follows from an attempt that has ended badly.
func (r *Run) broken(t *Task, f *Failure) {
	if f == nil { // stopped by its node, which thought that nobody wants it
		f = &Failure{Cause: CauseNode, Retryable: true, Err: qerr.New(qerr.RemoteTaskError, "Task %s was stopped by worker %s", t.ID, t.Node).WithRetry()}
	}
	switch {
	case !r.Recovery.Tasks:
		r.fail(f)
		return
	case f.Cause == CauseLostOutput:
		if src := r.Task(f.Lost); src != nil && src.Committed && !src.Unreachable && !t.stale(f.Lost) && !r.cut(t.Place, src) {
			r.unreachable(src)
		}
	case f.Cause != CauseNode:
		r.fail(f)
		return
	}
	r.again(t, f, true, false)
	r.repair(f)
}

// available reports whether a task's output is there to be read.
func (r *Run) available(t *Task) bool {
	return t.Committed && !t.Released && !t.Unreachable && !r.gone[t.Place]
}

// needed reports whether anybody will still read a task's output.
func (r *Run) needed(s *Stage, t *Task) bool {
	if len(s.Consumers) == 0 {
		return !r.Held
	}
	for _, c := range s.Consumers {
		stage := r.Stages[c]
		if !stage.Complete {
			return true
		}
		for _, reader := range stage.Tasks {
			if !reader.Committed && !reader.Has[PartOf(t.ID)] && (!reader.Unplaced || r.Fault != FaultNoRecursion) {
				return true
			}
		}
	}
	return false
}

// repair runs committed tasks again whose outputs are not there and needed,
// and whatever these need, towards the sources (rule 4). It returns whether
// there were any.
func (r *Run) repair(f *Failure) (any bool) {
	if r.Fault == FaultKeepLost {
		return false
	}
	for more := true; more && r.Failure == nil; {
		more = false
		for _, s := range r.Stages {
			for _, t := range slices.Clone(s.Tasks) {
				if t.Committed && !r.available(t) && r.needed(s, t) {
					r.again(t, f, false, false)
					more, any = true, true
				}
			}
		}
	}
	return any
}

// again puts a new attempt into a task's place, or its twin. counts says
// that the old one is one of the few that may fail, changed that the new one
// may have other input.
func (r *Run) again(t *Task, f *Failure, counts, changed bool) {
	s := r.Stages[t.ID.Stage.Fragment]
	if r.Failure != nil || s.Tasks[t.ID.Task] != t {
		return
	}
	if t.Unknown && r.Fault != FaultAdoptUnknown {
		r.fail(&Failure{Cause: f.Cause, Retryable: true, Unknown: true, Err: qerr.Wrap(qerr.RemoteHostGone, f.Err,
			"What task %s has read is not known since the coordinator that ran the query was lost", t.ID).WithRetry()})
		return
	}
	n := r.heir(t, changed)
	if n == nil {
		n = r.follow(t)
	}
	if counts {
		n.Tries++
	}
	if f := r.limits(s, n, f); f != nil {
		r.fail(f)
		return
	}
	r.plant(s, t, n)
	r.Again++
	s.Tasks[t.ID.Task] = n
	r.supersede(t)
	if s.Fragment.ID == 0 { // what the old root has read the new one has not
		for _, in := range s.Fragment.Inputs {
			for _, src := range r.Stages[in].Tasks {
				src.Read = false
			}
		}
	}
	if !s.Fragment.Indeterminate || r.Fault == FaultIndeterminate {
		return
	}
	if r.sifted(s, t) {
		r.fail(&Failure{Cause: f.Cause, Retryable: true, Err: f.Err})
		return
	}
	if t.Committed || t.Pinned {
		r.invalidate(s, t, f, changed)
	}
}

// follow makes an attempt that is to take another one's place. It is to be
// placed.
func (r *Run) follow(t *Task) *Task {
	n := r.next(t)
	n.Unplaced, n.Avoid, n.Awaits = true, t.Place.Node, t.Awaits
	n.Pinned = t.Pinned || t.Committed && r.Fault != FaultUnpinned
	return n
}

// next makes another attempt of a task, with what is the task's and not the
// attempt's.
func (r *Run) next(t *Task) *Task {
	n := &Task{
		ID: t.ID, Splits: slices.Clone(t.Splits), Since: r.Now, Tries: t.Tries, Deaths: t.Deaths, Pinned: t.Pinned,
		Partition: t.Partition, Partitions: t.Partitions, Has: map[Part]bool{},
		Told: map[plan.TaskID]bool{}, ToldComplete: map[plan.FragmentID]bool{}, ToldFilters: map[plan.DynamicID]bool{},
	}
	n.ID.Attempt = max(t.highest()+1, r.first)
	return n
}

// sifted reports whether a dynamic filter is complete that was, or may have
// been, made of what a task gave or, not yet committed, has built: scans have
// dropped rows by it, or will, that another attempt's rows may match. Of what
// comes out the same each time a new attempt builds the same filter.
func (r *Run) sifted(s *Stage, t *Task) bool {
	for _, b := range r.Stages {
		for id := range b.Filters {
			built := b == s && !s.Fragment.SameFilters && slices.ContainsFunc(t.Status.Filters, func(p FilterPart) bool { return p.ID == id })
			if built || (t.Committed || t.Pinned) && r.feeds(s.Fragment.ID, b.Fragment) {
				return true
			}
		}
	}
	return false
}

// feeds reports whether a fragment is made, in any number of steps, of another
// one's rows.
func (r *Run) feeds(id plan.FragmentID, f *plan.Fragment) bool {
	return slices.ContainsFunc(f.Inputs, func(in plan.FragmentID) bool {
		return in == id || r.feeds(id, r.Stages[in].Fragment)
	})
}

// Discards returns, each once, the attempts that others took the place of and
// that may still run, or hold an output, where they are.
func (r *Run) Discards() []*Task {
	out := r.discards
	r.discards = nil
	return out
}

// plant does what a planted bug does to a new attempt.
func (r *Run) plant(s *Stage, t, n *Task) {
	switch r.Fault {
	case FaultForgetSplits:
		n.Splits = n.Splits[:max(len(n.Splits)-1, 0)]
	case FaultDoubleSplits:
		for _, scan := range s.Scans {
			if !s.Complete {
				scan.Pending = append(scan.Pending, t.Splits...)
			}
		}
	case FaultSameAttempt:
		n.ID.Attempt = t.ID.Attempt
	case FaultKeepCommit:
		n.Committed, n.Status = t.Committed, t.Status
	}
}

// limits returns why there must be no attempt n, which would be made for f.
func (r *Run) limits(s *Stage, n *Task, f *Failure) *Failure {
	tasks := 0
	for _, s := range r.Stages {
		tasks += len(s.Tasks)
	}
	switch {
	case s.Fragment.ID == 0 && r.Given && !r.Repeatable && r.Fault != FaultRootAgain:
		return &Failure{Cause: f.Cause, Retryable: true, Lost: n.ID, Err: qerr.Wrap(qerr.RemoteHostGone, f.Err,
			"the rest of the result was lost with a worker; run the query again").WithRetry()}
	case len(n.Deaths) >= maxDeaths:
		return &Failure{Cause: f.Cause, Err: qerr.Wrap(qerr.RemoteHostGone, f.Err,
			"Task %s ran on %d workers when they were lost (%s), and may be why: it is not tried on another", n.ID, len(n.Deaths), strings.Join(n.Deaths, ", "))}
	case n.Tries >= max(r.Recovery.Attempts, 1):
		return &Failure{Cause: f.Cause, Err: qerr.Wrap(f.Err.Code, f.Err, "Task %s failed %d times, the last time: %s", n.ID, n.Tries, f.Err.Message)}
	case r.Again >= againBase+againPerTask*tasks, n.ID.Attempt/AttemptsPerRun != r.Number:
		return &Failure{Cause: f.Cause, Err: qerr.Wrap(f.Err.Code, f.Err, "%d tasks of the query were run again, the last one because: %s", r.Again, f.Err.Message)}
	}
	return nil
}

// invalidate deals with a committed output that is made again and may then
// have other rows in its partitions (rule 3): whoever may have taken any of it
// runs again too. A single reader takes all of one attempt or fails, which is
// enough while the input is the same; if that has changed, what the reader has
// of other tasks does not fit any more. A filter that the attempt built a part of
// may be complete by now.
func (r *Run) invalidate(s *Stage, t *Task, f *Failure, changed bool) {
	if len(t.Status.Filters) > 0 && !s.Fragment.SameFilters {
		r.fail(&Failure{Cause: f.Cause, Retryable: true, Err: f.Err})
		return
	}
	readers := 0
	for _, c := range s.Consumers {
		readers += len(r.Stages[c].Tasks) * r.Stages[c].reads(s.Fragment.ID)
		if !r.Stages[c].Complete {
			readers++
		}
	}
	if readers <= 1 && !changed {
		return
	}
	for _, c := range s.Consumers {
		for _, reader := range slices.Clone(r.Stages[c].Tasks) {
			if reader.mayHave(PartOf(t.ID)) {
				r.again(reader, f, false, true)
			}
		}
	}
}

// reads is how many nodes of a stage read another one: each takes all of one
// attempt, but not necessarily of the same.
func (s *Stage) reads(id plan.FragmentID) (n int) {
	plan.Walk(s.Fragment.Root, func(x plan.Node) bool {
		if src, ok := x.(*plan.RemoteSource); ok && slices.Contains(src.Fragments, id) {
			n++
		}
		return true
	})
	return n
}

// mayHave reports whether a task, or an attempt of it that was accepted before,
// may have used rows of an upstream task.
func (t *Task) mayHave(part Part) bool {
	if t.Pinned {
		return true
	}
	for id, committed := range t.Told {
		if committed && PartOf(id) == part {
			return true
		}
	}
	return false
}

// Releasable returns the tasks whose outputs go now, each once: those that
// nobody will read again, or only if another output is lost as well, where
// more of them is kept than is wanted. The farthest from the root goes first.
func (r *Run) Releasable() (out []*Task) {
	var idle []*Task
	kept := int64(0)
	for _, s := range r.Stages {
		if len(s.Consumers) == 0 {
			continue
		}
		done, over := r.readers(s)
		if r.Fault == FaultReleaseEarly {
			done, over = s.Done(), true
		}
		for _, t := range s.Tasks {
			switch {
			case t.Released || !t.Committed && !t.Read:
			case done && over, t.Read && (r.Given && !r.Repeatable || !r.Recovery.Tasks):
				out = append(out, t)
			case done || t.Read:
				idle = append(idle, t)
				kept += t.outputBytes()
			}
		}
	}
	if kept > r.Recovery.Keep {
		slices.SortStableFunc(idle, func(a, b *Task) int {
			return cmp.Compare(r.Stages[b.ID.Stage.Fragment].Depth, r.Stages[a.ID.Stage.Fragment].Depth)
		})
		for _, t := range idle {
			if kept <= r.Recovery.Keep {
				break
			}
			kept -= t.outputBytes()
			out = append(out, t)
		}
	}
	for _, t := range out {
		t.Released = true
		r.dropCopy(t)
	}
	return out
}

// readers reports whether all that read a stage's outputs are committed, and
// whether none of them can have to run again.
func (r *Run) readers(s *Stage) (done, over bool) {
	if !s.Done() {
		return false, false
	}
	over = true
	for _, c := range s.Consumers {
		stage := r.Stages[c]
		if !stage.Done() {
			return false, false
		}
		if len(stage.Consumers) == 0 {
			over = over && r.Held
		} else {
			_, rest := r.readers(stage)
			over = over && rest
		}
	}
	return true, (over || !r.Recovery.Tasks) && r.Fault != FaultKeepForever
}

func (t *Task) outputBytes() int64 { return t.Status.outputBytes() }

func (st *Status) outputBytes() (n int64) {
	if st.End == nil {
		return st.OutputBytes
	}
	for _, p := range st.End.Partitions {
		n += p.Bytes
	}
	return n
}

// String names the planted bug by its number.
func (f Fault) String() string { return fmt.Sprintf("fault %d", uint8(f)) }
