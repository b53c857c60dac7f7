package query

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
)

// A run whose coordinator died goes on in another one. What was known of it is
// gone but for the plan; what workers know is still there: each attempt, with
// all that it was told. Adopt builds a Run from these that is as good as the
// one that was lost, or says why there is none.
//
// The rules:
//
//  1. Of a task's attempts the highest counts, be it only known by name, as a
//     source that one was told of that counts. One that the coordinator before did
//     not know of does not, and what it was told of that one may never have had: who
//     counts may be done without. Numbers of new attempts are above all.
//  2. An attempt that is where a worker lives goes on, or is judged by its end.
//     One that is not is lost, as when its worker is.
//  3. A stage is complete if its tasks are known by its kind, or if somebody was
//     told so. There may be splits nevertheless that were on their way to a task.
//  4. What tasks were handed is theirs; what the new listing has beside it waits
//     for tasks, unless the stage is complete. What they were handed and the new
//     listing does not have means that the query cannot go on (Run.List).
//  5. What a lost task was handed nobody knows. While nothing was made of it this
//     does not matter: it becomes an empty one, and its splits are listed as
//     nobody's. Nor does it if nobody needs it any more and its stage is complete.
//     Else the query cannot go on. Nor can it if something is made of a stage that
//     has to be listed again and has left no trace.
//  6. Where outputs may differ when they are made again, nothing may be lost that
//     anything was made of.
//  7. A copy of an output is as good as the attempt that made it, which has ended;
//     where both are it is the copy. Readers may know the output by another place.
//  8. The root's rows stay in their order: once some are the client's, only the
//     attempt that they came from can go on, and only with the rows after them.

// Inventory is what a query has at a place.
type Inventory struct {
	Place    Place
	Attempts []Attempt
	// Next is above the numbers of all attempts that were ever there.
	Next int32
	// Ended says that the query was ended there, so that what it had is gone.
	Ended bool
}

// Attempt is an attempt as its worker knows it.
type Attempt struct {
	Partition, Partitions, Outputs int
	// Epoch is that of the last coordinator that is known to count it.
	Epoch uint64
	// Update is the number of the last update that it has.
	Update int64
	// Splits are those it has not given back, NoMore the scans that get no more.
	Splits []Split
	NoMore []plan.NodeID
	// Told are the sources it knows of, with whether as committed, Addresses where it
	// knows them to be; Complete the upstream stages that it knows to be so; Filters
	// those that it has, or does not wait for.
	Told      map[plan.TaskID]bool
	Addresses map[plan.TaskID]string
	Complete  []plan.FragmentID
	Filters   []plan.DynamicID
	// Status has all filters, and all that was consumed or lost.
	Status Status
	// Released says that its output is gone. Of a streamed one the first frames
	// are, with so many rows.
	Released bool
	// Chosen says that the client has been given rows of its output, ChosenBy is the
	// last leadership that said so.
	Chosen                     bool
	ChosenBy                   uint64
	DroppedFrames, DroppedRows int64
	// Copy says that a copy of its output is what is here, beside what its worker said
	// of it when that was made.
	Copy bool
}

// Skipped is how much of the beginning of the root's output is not there.
type Skipped struct{ Frames, Rows int64 }

// Adoption says how a run is adopted.
type Adoption struct {
	Query plan.QueryID
	Plan  *plan.Plan
	// Epoch is the leadership of the coordinator that goes on.
	Epoch uint64
	// Rows is how many rows of the result the client has, Shown the last leadership that
	// gave it any; 0: not known.
	Rows  int64
	Shown uint64
	// Replanned says that the plan is not the one that was run, so that only the
	// numbers of attempts are of interest.
	Replanned bool
	// Partitions is the number of tasks of stages spread by partition, where no
	// attempt tells.
	Partitions int
	Recovery   Recovery
	// Fault is a planted bug; 0 but in tests.
	Fault Fault
}

// NotAdoptable says why a run cannot go on, and which number another run of the
// query has.
type NotAdoptable struct {
	Reason string
	Number int32
}

// Error is the reason.
func (e *NotAdoptable) Error() string { return "the run cannot be taken over: " + e.Reason }

// RunsPerEpoch is how far the numbers of runs that two leaderships begin are
// apart: a worker that does not answer may have had any of the one before.
const (
	RunsPerEpoch = 8
	maxEpochs    = 1 << 16 // until numbers begin again: attempts have 31 bits
)

// leap is how far the numbers of attempts are apart that two leaderships make in
// one run: a worker that is out of reach may have some that nobody else knows.
// They begin again after so many leaps.
const leap, leaps = 8, 400

// Adopt returns the run that the places have parts of.
func Adopt(a Adoption, places []Inventory) (*Run, *NotAdoptable) {
	b := &adopter{a: a, places: places, tasks: map[Part]*found{}, blank: map[plan.FragmentID]bool{}}
	reason := b.adopt()
	if reason != "" {
		return nil, &NotAdoptable{Reason: reason, Number: b.another()}
	}
	return b.run, nil
}

// adopter builds a run.
type adopter struct {
	a      Adoption
	places []Inventory
	run    *Run
	number int32
	tasks  map[Part]*found
	// complete are the stages that an attempt that counts knows to be so.
	complete map[plan.FragmentID]bool
	// committed are the tasks that an attempt that counts was told are.
	committed map[Part]bool
	// stale are the attempts that do not count as the coordinator before did not
	// know of them, known is the highest number that any attempt has.
	stale []located
	known int32
	// blank are the stages with a lost task of which nobody knows what it read.
	blank map[plan.FragmentID]bool
}

// another is the number of another run.
func (b *adopter) another() int32 {
	if b.a.Fault == FaultAdoptNumber {
		return b.number
	}
	return max(b.next(), int32(b.a.Epoch%maxEpochs)*RunsPerEpoch)
}

// next is a number above all that any worker knows.
func (b *adopter) next() int32 {
	n := int32(0)
	for _, inv := range b.places {
		n = max(n, (inv.Next+AttemptsPerRun-1)/AttemptsPerRun)
		for _, at := range inv.Attempts {
			n = max(n, at.Status.Task.Attempt/AttemptsPerRun+1)
		}
	}
	return n
}

// adopt returns why it cannot be done; "": it is.
func (b *adopter) adopt() string {
	if b.next() == 0 {
		return "no worker has anything of it"
	}
	if b.a.Replanned {
		return "it may have had another plan"
	}
	b.number = b.next() - 1
	for _, step := range []func() string{b.find, b.tell, b.build, b.judge, b.relist, b.lineage} {
		if reason := step(); reason != "" {
			return reason
		}
	}
	return ""
}

// find sorts the attempts by task.
func (b *adopter) find() string {
	stages := len(b.a.Plan.Fragments)
	newest := uint64(0)
	for _, inv := range b.places {
		for i := range inv.Attempts {
			if inv.Attempts[i].Status.Task.Attempt/AttemptsPerRun == b.number {
				newest = max(newest, inv.Attempts[i].Epoch)
			}
		}
	}
	if b.a.Fault == FaultAdoptEpoch {
		newest = 0
	}
	for _, inv := range b.places {
		if inv.Ended && inv.Next > b.number*AttemptsPerRun {
			return fmt.Sprintf("it was ended on worker %s", inv.Place.Node)
		}
		for i := range inv.Attempts {
			at := &inv.Attempts[i]
			id := at.Status.Task
			if id.Stage.Query != b.a.Query || id.Stage.Fragment < 0 || int(id.Stage.Fragment) >= stages || id.Task < 0 || id.Task >= maxTasks {
				return fmt.Sprintf("worker %s has a task %s, which the plan does not", inv.Place.Node, id)
			}
			if id.Attempt/AttemptsPerRun != b.number {
				continue
			}
			if at.Epoch < newest {
				b.stale = append(b.stale, located{inv.Place, id})
				continue
			}
			f := b.task(id)
			f.low = b.a.Fault == FaultAdoptLow
			f.take(inv.Place, at, b.a.Fault)
		}
	}
	return b.names(newest)
}

// names notes what attempts were told of others. What those say that do not
// count is about tasks that the coordinator before may never have had: nobody
// who counts would wait for them, but their numbers are not to come again.
func (b *adopter) names(newest uint64) string {
	for _, stale := range [2]bool{false, true} {
		for _, inv := range b.places {
			for i := range inv.Attempts {
				at := &inv.Attempts[i]
				if at.Status.Task.Attempt/AttemptsPerRun != b.number || (at.Epoch < newest) != stale {
					continue
				}
				if stale {
					b.named(at.Status.Task, stale)
				}
				for id := range at.Told {
					if id.Stage.Fragment < 0 || int(id.Stage.Fragment) >= len(b.a.Plan.Fragments) || id.Task < 0 || id.Task >= maxTasks {
						return fmt.Sprintf("worker %s knows a task %s, which the plan does not", inv.Place.Node, id)
					}
					b.named(id, stale)
				}
			}
		}
	}
	return ""
}

// named notes that an attempt was told of another one.
func (b *adopter) named(id plan.TaskID, stale bool) {
	b.known = max(b.known, id.Attempt)
	switch f := b.tasks[PartOf(id)]; {
	case b.a.Fault == FaultAdoptTold:
	case !stale:
		b.task(id)
	case f != nil:
		f.lowest = min(f.lowest, id.Attempt)
	}
}

// maxTasks bounds the tasks of a stage.
const maxTasks = 1 << 20

// task notes that there is, or was, an attempt.
func (b *adopter) task(id plan.TaskID) *found {
	f := b.tasks[PartOf(id)]
	if f == nil {
		f = &found{part: PartOf(id), last: id.Attempt, lowest: id.Attempt}
		b.tasks[f.part] = f
	}
	f.last, f.lowest = max(f.last, id.Attempt), min(f.lowest, id.Attempt)
	return f
}

// counting calls f for each attempt that counts and is somewhere.
func (b *adopter) counting(f func(*found, *Attempt)) {
	for _, x := range b.sorted() {
		if !x.lost() {
			f(x, x.attempt)
		}
	}
}

// sorted returns the tasks in an order that does not change.
func (b *adopter) sorted() []*found {
	return slices.SortedFunc(maps.Values(b.tasks), func(x, y *found) int {
		return cmp.Or(cmp.Compare(x.part.Fragment, y.part.Fragment), cmp.Compare(x.part.Task, y.part.Task))
	})
}

// tell collects what attempts that count were told of others.
func (b *adopter) tell() string {
	b.complete, b.committed = map[plan.FragmentID]bool{}, map[Part]bool{}
	b.counting(func(_ *found, a *Attempt) {
		for _, id := range a.Complete {
			b.complete[id] = true
		}
		for id, committed := range a.Told {
			if committed {
				b.committed[PartOf(id)] = true
			}
		}
	})
	return ""
}

// build makes the run with its stages' tasks.
func (b *adopter) build() string {
	partitions, reason := b.partitions()
	if reason != "" {
		return reason
	}
	r := NewRun(b.a.Query, b.a.Plan, b.number, partitions)
	r.Recovery, r.Fault, r.Given = b.a.Recovery, b.a.Fault, b.a.Rows > 0
	b.run = r
	known := max(b.known, b.number*AttemptsPerRun)
	for _, f := range b.tasks {
		known = max(known, f.last)
	}
	r.first = max(known+leap, b.number*AttemptsPerRun+int32(b.a.Epoch%leaps)*leap)
	if r.Fault == FaultAdoptFirst {
		r.first = b.number * AttemptsPerRun
	}
	if r.first/AttemptsPerRun != b.number {
		return "its tasks were tried too often"
	}
	for _, s := range r.Stages {
		if reason := b.stage(s); reason != "" {
			return reason
		}
	}
	b.others()
	return b.root()
}

// partitions is the number of tasks of stages spread by partition: what all
// that say so agree on.
func (b *adopter) partitions() (n int, reason string) {
	b.counting(func(f *found, a *Attempt) {
		fragment := b.a.Plan.Fragments[f.part.Fragment]
		says := 0
		switch {
		case fragment.Spread == plan.ByPartition:
			says = a.Partitions
		case fragment.Output.Kind == plan.Hash || fragment.Output.Kind == plan.RoundRobin:
			says = a.Outputs
		default:
			return
		}
		if n == 0 {
			n = says
		}
		if n != says {
			reason = fmt.Sprintf("task %s has %d partitions, others %d", a.Status.Task, says, n)
		}
	})
	if n == 0 {
		n = b.a.Partitions
	}
	return n, reason
}

// stage gives a stage its tasks.
func (b *adopter) stage(s *Stage) string {
	n := 0
	for part := range b.tasks {
		if part.Fragment == s.Fragment.ID {
			n = max(n, int(part.Task)+1)
		}
	}
	if n == 0 {
		return "" // it has not begun, as far as anybody knows
	}
	fixed := s.Fragment.Spread != plan.BySplits
	if fixed {
		want := 1
		if s.Fragment.Spread == plan.ByPartition {
			want = b.run.Partitions
		}
		if n > want {
			return fmt.Sprintf("stage %d has %d tasks, not %d", s.Fragment.ID, n, want)
		}
		n = want
	}
	s.Complete = fixed || b.complete[s.Fragment.ID]
	switch b.a.Fault {
	case FaultAdoptComplete:
		s.Complete = true
	case FaultAdoptOpen:
		s.Complete = fixed
	}
	for _, scan := range s.Scans {
		scan.Handed = map[string]int{}
	}
	for i := range n {
		f := b.tasks[Part{s.Fragment.ID, int32(i)}]
		if f == nil {
			f = &found{part: Part{s.Fragment.ID, int32(i)}, last: b.number * AttemptsPerRun}
		}
		if f.lost() {
			if !b.a.Recovery.Tasks {
				return "a task of it is lost, and lost tasks are not to be made again"
			}
			b.missing(s, f, n)
		} else {
			b.present(s, f)
		}
	}
	return b.hand(s)
}

// present adds an attempt that goes on, or has ended, where it is.
func (b *adopter) present(s *Stage, f *found) {
	a := f.attempt
	t := b.run.AddTask(s, f.at.Node, slices.Clone(a.Splits))
	t.ID, t.Place = a.Status.Task, f.at
	t.Partition, t.Partitions, t.Update, t.Released = a.Partition, a.Partitions, a.Update, a.Released
	open := f.open(s)
	t.Open = open && !a.Status.State.Done()
	// It may follow one that was accepted. Those that do get no more splits.
	t.Pinned = t.ID.Attempt > b.number*AttemptsPerRun && !open
	maps.Copy(t.Told, a.Told)
	for _, id := range a.Complete {
		t.ToldComplete[id] = true
	}
	for _, id := range a.Filters {
		t.ToldFilters[id] = true
	}
	if len(f.spares) > 0 {
		t.Copy, t.Left = f.spares[0], f.spares[1:] // somebody may read these
		if a.Status.State != Finished || a.Released {
			b.run.dropCopy(t)
		} else {
			b.run.Copies.Bytes += a.Status.outputBytes()
		}
	}
	if b.a.Fault == FaultAdoptHas {
		for id, committed := range a.Told {
			t.Has[PartOf(id)] = committed
		}
	}
}

// missing adds a task that has to be made again, if anybody needs it. n is how
// many tasks its stage has.
func (b *adopter) missing(s *Stage, f *found, n int) {
	t := b.run.AddTask(s, "", nil)
	t.ID.Attempt = max(f.last, b.number*AttemptsPerRun)
	t.Partition, t.Partitions = int(f.part.Task), n
	if s.Fragment.Spread == plan.BySplits {
		t.Partitions = 0
	}
	t.Unknown = len(s.Scans) > 0
	if b.committed[f.part] {
		t.Committed, t.Released = true, true
		t.Status.State = Finished
		return
	}
	t.Status.State = Aborted
}

// others lists the attempts that do not count.
func (b *adopter) others() {
	note := func(at Place, id plan.TaskID) {
		b.run.discards = append(b.run.discards, &Task{ID: id, Node: at.Node, Place: at})
	}
	for _, x := range b.stale {
		note(x.at, x.id)
	}
	for _, f := range b.sorted() {
		for _, x := range f.rest {
			note(x.at, x.id)
		}
		if f.attempt != nil && f.lost() {
			note(f.at, f.attempt.Status.Task)
			for _, spare := range f.spares {
				note(spare, f.attempt.Status.Task)
			}
		}
	}
	for _, inv := range b.places {
		for _, a := range inv.Attempts {
			if a.Status.Task.Attempt/AttemptsPerRun != b.number {
				note(inv.Place, a.Status.Task)
			}
		}
	}
}

// hand notes what a stage's tasks were handed: nothing twice.
func (b *adopter) hand(s *Stage) string {
	owner := map[int64]plan.TaskID{}
	for _, t := range s.Tasks {
		for _, sp := range t.Splits {
			if other, twice := owner[sp.ID]; twice {
				return fmt.Sprintf("tasks %s and %s have the same split", other, t.ID)
			}
			owner[sp.ID] = t.ID
			b.run.splits = max(b.run.splits, sp.ID+1)
			scan := s.scan(sp.Scan)
			if scan == nil {
				return fmt.Sprintf("task %s has a split of a scan that is not its own", t.ID)
			}
			if b.a.Fault != FaultAdoptRelist {
				scan.Handed[string(sp.Payload)]++
			}
			scan.Total++
		}
	}
	return ""
}

// root looks whether the result can go on where the client is.
func (b *adopter) root() string {
	tasks := b.run.Stages[0].Tasks
	if b.a.Rows == 0 || b.a.Fault == FaultAdoptRoot {
		b.run.Given = false
	}
	if len(tasks) == 1 && !b.lostRoot() {
		a := b.tasks[Part{}].attempt
		if b.a.Rows > 0 && (!a.Chosen || a.ChosenBy < b.a.Shown) && b.a.Fault != FaultAdoptRoot {
			return "the client's rows may be of another attempt at the result" // in another order
		}
		b.run.Skipped = Skipped{a.DroppedFrames, a.DroppedRows}
		if a.DroppedRows > b.a.Rows {
			return fmt.Sprintf("%d rows of the result are gone, of which the client has %d", a.DroppedRows, b.a.Rows)
		}
		return ""
	}
	if b.a.Rows > 0 && b.a.Fault != FaultAdoptRoot {
		return "the task that delivers the result is lost"
	}
	return ""
}

func (b *adopter) lostRoot() bool {
	f := b.tasks[Part{}]
	return f == nil || f.lost()
}

// mislead notes which attempts know outputs by places where they are no more.
func (b *adopter) mislead() {
	b.counting(func(_ *found, a *Attempt) {
		t := b.run.Task(a.Status.Task)
		for id, address := range a.Addresses {
			if src := b.run.Task(id); src != nil && src.Place.Address != address && src.Place != (Place{}) {
				t.misled(id)
			}
		}
	})
}

// judge lets each attempt that is somewhere report, sources first, and then has
// what is lost made again. What cannot be is a reason.
func (b *adopter) judge() string {
	r := b.run
	b.mislead()
	stages := slices.Clone(r.Stages)
	slices.SortStableFunc(stages, func(x, y *Stage) int { return cmp.Compare(y.Depth, x.Depth) })
	for _, s := range stages {
		for _, t := range slices.Clone(s.Tasks) {
			if f := b.tasks[PartOf(t.ID)]; f != nil && !f.lost() && r.Task(t.ID) == t {
				r.Report(f.attempt.Status)
			}
		}
	}
	f := &Failure{Cause: CauseNode, Retryable: true, Err: qerr.New(qerr.RemoteHostGone, "a worker was lost together with the coordinator").WithRetry()}
	for _, s := range stages {
		for _, t := range slices.Clone(s.Tasks) {
			if t.Status.State == Aborted && t.Place == (Place{}) && !t.Unplaced && s.Tasks[t.ID.Task] == t {
				if t.Unknown {
					b.blank[s.Fragment.ID] = true
				}
				r.revive(s, t, f)
			}
		}
	}
	r.repair(f)
	if r.Failure != nil && r.Failure.Unknown {
		return r.Failure.Err.Message
	}
	return "" // any other failure is the query's own
}
