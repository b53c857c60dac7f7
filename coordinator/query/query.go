package query

import (
	"fmt"
	"slices"
	"time"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/planner/plan"
)

// Split is a split with its number in the query and the scan it belongs to.
type Split struct {
	ID   int64
	Scan plan.NodeID
	connectors.Split
	// Avoid is the node that gave the split back: another one takes it. Moves is
	// how often it was given back.
	Avoid string
	Moves int
}

// Place is a process that runs tasks: a node, in one of its lives. A node that
// comes back, even as the same process, is another place.
type Place struct{ Node, Address, Incarnation string }

// Part names a task of a query, whichever its attempt.
type Part struct {
	Fragment plan.FragmentID
	Task     int32
}

// PartOf is the task that an attempt is one of.
func PartOf(id plan.TaskID) Part { return Part{id.Stage.Fragment, id.Task} }

// Run is one try at running a query's plan. What is lost with a worker is done
// again within it (see Recovery); a query that cannot go on so gets another
// Run if its client has not seen a row.
type Run struct {
	Query plan.QueryID
	Plan  *plan.Plan
	// Number counts runs from 0: attempts of its tasks count from Number times
	// AttemptsPerRun.
	Number int32
	// Coordinator is where tasks run that must run on the coordinator.
	Coordinator Place
	// Recovery says what is done when a worker is lost.
	Recovery Recovery
	// Given says that rows have left for the client, Held that the reader of
	// the result has all of it, so that nothing is needed any more. Repeatable
	// says that the reader can tell the rows that have left from those of another
	// attempt of the root, so that there may be one.
	Given, Held, Repeatable bool
	// Again counts the attempts that were made because others were lost.
	Again  int
	Twins  Twins
	Copies Copies
	// Cut is told that a reader of an output cannot reach the node that has it, and
	// returns which of the two is set aside, if either is. nil: neither.
	Cut func(reader, source Place) (aside Place)
	// Fault is a planted bug; 0 but in tests.
	Fault Fault
	// Skipped is what is not there of the root's output, of an adopted run.
	Skipped  Skipped
	first    int32 // the least number of attempts made from now on
	splits   int64 // the next split's number
	gone     map[Place]bool
	discards []*Task
	draining map[Place]bool
	// Partitions is the number of tasks of stages spread by partition.
	Partitions int
	Stages     []*Stage
	Failure    *Failure
	// Now is the time since the run began, as whoever drives it says.
	Now time.Duration
}

// Stage is a running fragment.
type Stage struct {
	Fragment *plan.Fragment
	Tasks    []*Task
	// Scans are the scans whose splits the stage's tasks share.
	Scans []*Scan
	// Complete says that no further tasks will be added.
	Complete bool
	// Consumers are the stages that read the output.
	Consumers []plan.FragmentID
	// Filters are the complete dynamic filters that the stage's tasks built.
	Filters map[plan.DynamicID]*connectors.DynamicFilter
	// Superseded are the attempts that others took the place of.
	Superseded []*Task
	// Depth is how far the stage is from the root.
	Depth int
	// Last is when a task was committed last, by Run.Now.
	Last time.Duration
}

// Scan is the listing of one scan node's splits.
type Scan struct {
	Node plan.NodeID
	// Pending were listed, or given back, and not yet sorted into Homes.
	Pending []Split
	// Homes are splits that no task has, by the node whose cache may hold
	// them; "" for those of no node in particular. Left counts them.
	Homes map[string][]Split
	Left  int
	// Listed says that there will be no more.
	Listed bool
	Total  int
	// Handed counts, by payload, the splits that tasks of an adopted run have and
	// that were not listed again yet.
	Handed map[string]int
}

// Waiting is the number of listed splits that no task has.
func (s *Scan) Waiting() int { return len(s.Pending) + s.Left }

// Task is an attempt of a stage's share: the one that counts, if it is among
// the stage's Tasks. When it is lost, another Task takes its place.
type Task struct {
	ID    plan.TaskID
	Node  string // where it runs
	Place Place
	// Partition and Partitions are what it was started with.
	Partition, Partitions int
	// Unplaced says that this attempt waits for a node, preferably not Avoid.
	Unplaced bool
	Avoid    string
	// Tries counts earlier attempts that failed by themselves or with their
	// node, Deaths are the nodes that were lost while one ran there.
	Tries  int
	Deaths []string
	// Highest is the highest number that an attempt of the task has, if not this one's.
	Highest int32
	// Twin is another attempt that runs beside this one; Twinned says that it has, or
	// had, one, or is one.
	Twin    *Task
	Twinned bool
	// Has are the upstream tasks whose output is here as a whole.
	Has map[Part]bool
	// Unknown says that nobody knows which splits it was handed, so that it cannot
	// be made again; Awaits that it will have all that the listing shows and no
	// other task has, and is not placed before. Both occur in adopted runs only.
	Unknown, Awaits bool
	// Extra are those of its splits that it got so while it ran, to be told.
	Extra []Split
	// Pinned says that an earlier attempt was accepted: somebody may have its rows,
	// so this one must have the same splits.
	Pinned bool
	// Copy is where there is a copy of its output, Copying where one is being made;
	// zero: nowhere. Uncopied says that there will be none: it does not pay, or could
	// not be made. Left are the places where it was before a copy took its place.
	Copy, Copying Place
	Uncopied      bool
	Left          []Place
	// Unreachable says that its output cannot be fetched though its node lives.
	Unreachable bool
	// Splits are those it was handed and has not given back.
	Splits []Split
	// Open says that it may get more splits.
	Open bool
	// Since is when it was made, Ended when it was accepted, by Run.Now; 0: it was not,
	// or by another coordinator.
	Since, Ended time.Duration
	// Asked says that it was asked for splits and has not answered. If it ends
	// meanwhile it is judged when the answer is there.
	Asked   bool
	AskedAt time.Duration
	ended   *Status
	// Started is how many splits it is known to have started, Began when the
	// first of them was heard of, by Run.Now.
	Started int
	Began   time.Duration
	// Update is the number of the last update sent.
	Update    int64
	Status    Status
	Committed bool
	// Told are the sources that the task's node knows of, with whether as committed.
	Told map[plan.TaskID]bool
	// Moved are those that are elsewhere than the node may know, with whether it has
	// still to be told: what it says of them is about the place before.
	Moved map[plan.TaskID]bool
	// ToldComplete are the upstream stages it knows to be complete.
	ToldComplete map[plan.FragmentID]bool
	// ToldFilters are the dynamic filters it has, or knows not to wait for.
	ToldFilters map[plan.DynamicID]bool
	// Read says that its only reader, a root task that streams, has all of it.
	Read bool
	// Released says that its output was given up because nobody needs it again.
	Released bool
}

// NewRun prepares the stages of a plan.
func NewRun(id plan.QueryID, p *plan.Plan, number int32, partitions int) *Run {
	r := &Run{Query: id, Plan: p, Number: number, Partitions: partitions, first: number * AttemptsPerRun, gone: map[Place]bool{}, draining: map[Place]bool{}}
	for _, f := range p.Fragments {
		s := &Stage{Fragment: f, Filters: map[plan.DynamicID]*connectors.DynamicFilter{}}
		plan.Walk(f.Root, func(n plan.Node) bool {
			if scan, ok := n.(*plan.Scan); ok {
				s.Scans = append(s.Scans, &Scan{Node: scan.ID})
			}
			return true
		})
		r.Stages = append(r.Stages, s)
	}
	for _, f := range p.Fragments {
		for _, in := range f.Inputs {
			r.Stages[in].Consumers = append(r.Stages[in].Consumers, f.ID)
		}
	}
	r.deepen(0, 0)
	return r
}

// deepen sets how far a stage, and those that it reads, are from the root.
func (r *Run) deepen(id plan.FragmentID, depth int) {
	s := r.Stages[id]
	if depth > 0 && depth <= s.Depth {
		return
	}
	s.Depth = depth
	for _, in := range s.Fragment.Inputs {
		r.deepen(in, depth+1)
	}
}

// AddTask adds a task to a stage.
func (r *Run) AddTask(s *Stage, node string, splits []Split) *Task {
	t := &Task{
		ID: plan.TaskID{
			Stage: plan.StageID{Query: r.Query, Fragment: s.Fragment.ID}, Task: int32(len(s.Tasks)), Attempt: r.first,
		},
		Node: node, Place: Place{Node: node}, Splits: splits, Since: r.Now, Has: map[Part]bool{},
		Told: map[plan.TaskID]bool{}, ToldComplete: map[plan.FragmentID]bool{}, ToldFilters: map[plan.DynamicID]bool{},
	}
	s.Tasks = append(s.Tasks, t)
	return t
}

// Task finds an attempt that counts; nil for another run's and for one that
// another took the place of.
func (r *Run) Task(id plan.TaskID) *Task {
	if id.Stage.Query != r.Query || int(id.Stage.Fragment) >= len(r.Stages) || id.Stage.Fragment < 0 {
		return nil
	}
	tasks := r.Stages[id.Stage.Fragment].Tasks
	if id.Task < 0 || int(id.Task) >= len(tasks) {
		return nil
	}
	if t := tasks[id.Task]; t.ID == id || r.Fault == FaultNoFence {
		return t
	}
	return nil
}

// Hear takes a place's word about an attempt, as Report does, if the attempt is
// there: a coordinator before this one, which did not know of it or of whom this
// one does not know all, may have begun another one of the same name elsewhere.
func (r *Run) Hear(from Place, st Status) bool {
	t := r.Task(st.Task)
	if x := r.twinned(st.Task); x != nil {
		t = x.Twin
	}
	if t == nil || t.Place != from && r.Fault != FaultNoFence {
		return false
	}
	return r.Report(st)
}

// Report takes a node's word about an attempt and returns whether anything
// changed. A finished attempt is committed, or failed if its end does not
// match what it was handed.
func (r *Run) Report(st Status) bool {
	t := r.Task(st.Task)
	if t == nil {
		return r.reportTwin(st)
	}
	if t.Status.State.Done() || t.ended != nil || st.Version <= t.Status.Version {
		return false
	}
	// A worker reports each filter once; it stays known.
	st.Filters = addFilters(t.Status.Filters, st.Filters)
	r.Stages[t.ID.Stage.Fragment].ShareFilters(st.Filters)
	if st.State == Finished && t.Asked {
		t.ended = &st // Return judges it
		return false
	}
	t.Status = st
	r.start(t, st.RunningSplits+st.DoneSplits)
	r.consumed(t, st.Consumed)
	switch st.State {
	case Finished:
		if r.Fault != FaultTwinBoth {
			r.dropTwin(t)
		}
		r.accept(t)
	case Failed, Canceled, Aborted:
		r.broken(t, st.Failure)
	}
	for _, id := range st.Lost {
		r.unreached(t, id)
	}
	return true
}

// accept commits a finished attempt.
func (r *Run) accept(t *Task) {
	if err := t.commit(t.Status.End, r.outputs(t)); err != nil {
		r.fail(&Failure{Cause: CauseInternal, Err: internalError(err)})
	}
	t.Ended, r.Stages[t.ID.Stage.Fragment].Last = r.Now, r.Now
}

// consumed notes that a task has upstream outputs as a whole.
func (r *Run) consumed(t *Task, ids []plan.TaskID) {
	for _, id := range ids {
		t.Has[PartOf(id)] = true
		if src := r.Task(id); src != nil && t.ID.Stage.Fragment == 0 && slices.Equal(r.Stages[id.Stage.Fragment].Consumers, []plan.FragmentID{0}) {
			src.Read = true
		}
	}
}

// Return takes a task's answer to a request for splits: they are no longer its
// own and wait for another task. What the task does not return it has started
// or will; it has started that many so far.
func (r *Run) Return(t *Task, ids []int64, started int) {
	if r.Task(t.ID) != t && r.Fault != FaultLateReturn {
		return // another attempt has all its splits
	}
	t.Asked = false
	r.start(t, started)
	s := r.Stages[t.ID.Stage.Fragment]
	for _, id := range ids {
		i := slices.IndexFunc(t.Splits, func(sp Split) bool { return sp.ID == id })
		if i < 0 {
			r.fail(&Failure{Cause: CauseInternal, Err: internalError(fmt.Errorf("task %s returned split %d, which it does not have", t.ID, id))})
			return
		}
		sp := t.Splits[i]
		sp.Avoid, sp.Moves = t.Node, sp.Moves+1
		if r.Fault != FaultTakenBack {
			t.Splits = slices.Delete(slices.Clone(t.Splits), i, i+1)
		}
		for _, scan := range s.Scans {
			if scan.Node == sp.Scan {
				scan.Pending = append(scan.Pending, sp)
			}
		}
	}
	if st := t.ended; st != nil {
		t.ended = nil
		r.Report(*st)
	}
}

// start notes how many splits a task has started.
func (r *Run) start(t *Task, n int) {
	if t.Started == 0 && n > 0 {
		t.Began = r.Now
	}
	t.Started = max(t.Started, n)
}

// Unstarted is the most splits that the task can have that it has not started
// and that may be another's: it may have started some since it last reported.
func (t *Task) Unstarted() int {
	if t.Status.State.Done() || t.ended != nil || t.Unplaced || t.Pinned || t.Twin != nil {
		return 0
	}
	return max(len(t.Splits)-t.Started, 0)
}

// OutputWaits reports whether the client reads the result so slowly that it
// piles up: what feeds the root need not start yet (rule 6).
func (r *Run) OutputWaits() bool {
	root := r.Stages[0]
	return len(root.Tasks) == 1 && !root.Tasks[0].Status.State.Done() && root.Tasks[0].Status.OutputWaits
}

// addFilters returns the parts known so far and the new ones.
func addFilters(known, more []FilterPart) []FilterPart {
	for _, f := range more {
		if !slices.ContainsFunc(known, func(k FilterPart) bool { return k.ID == f.ID }) {
			known = append(known[:len(known):len(known)], f)
		}
	}
	return known
}

// ShareFilters lets go of what parts are in complete filters: a stage of many
// tasks would keep as many copies, each of which may take megabytes.
func (s *Stage) ShareFilters(parts []FilterPart) {
	for i, p := range parts {
		if f := s.Filters[p.ID]; f != nil {
			parts[i].Filter = f
		}
	}
}

// fail keeps the first failure: later ones are usually its consequence.
func (r *Run) fail(f *Failure) {
	if r.Failure == nil {
		r.Failure = f
	}
}

// commit accepts a finished attempt after checking its end message (rule 1).
func (t *Task) commit(end *End, partitions int) error {
	if end == nil {
		return fmt.Errorf("task %s finished without an end message", t.ID)
	}
	want := make([]int64, len(t.Splits))
	for i, s := range t.Splits {
		want[i] = s.ID
	}
	got := slices.Sorted(slices.Values(end.Splits))
	slices.Sort(want)
	if !slices.Equal(want, got) {
		return fmt.Errorf("task %s consumed %d splits that are not the %d it was handed", t.ID, len(got), len(want))
	}
	if len(end.Partitions) != partitions {
		return fmt.Errorf("task %s wrote %d partitions of %d", t.ID, len(end.Partitions), partitions)
	}
	t.Committed = true
	return nil
}

// outputs is the number of partitions that a task writes.
func (r *Run) outputs(t *Task) int {
	return r.OutputPartitions(r.Stages[t.ID.Stage.Fragment].Fragment)
}

// OutputPartitions is the number of partitions of a fragment's output.
func (r *Run) OutputPartitions(f *plan.Fragment) int {
	if f.Output.Kind == plan.Hash || f.Output.Kind == plan.RoundRobin {
		return r.Partitions
	}
	return 1
}

// Done reports whether every task of the stage is committed and none will be
// added.
func (s *Stage) Done() bool {
	return s.Complete && !slices.ContainsFunc(s.Tasks, func(t *Task) bool { return !t.Committed })
}

// Result returns the root task once it is committed.
func (r *Run) Result() *Task {
	root := r.Stages[0]
	if !root.Done() || len(root.Tasks) != 1 {
		return nil
	}
	return root.Tasks[0]
}
