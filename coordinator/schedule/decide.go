// Package schedule decides what happens next in a running query: which tasks
// start where, which splits they get, what they are told. Decide is a pure
// function of the run and the live nodes to actions, so that every decision
// can be tested, and simulated, without a cluster; Loop carries the actions
// out through a TaskClient and feeds what comes back into the run.
package schedule

import (
	"cmp"
	"slices"

	"github.com/tuttidb/tutti/coordinator/query"
	"github.com/tuttidb/tutti/planner/plan"
)

// Node is a live worker, as far as placement cares.
type Node struct {
	ID      string
	Address string // of its gRPC door
	Threads int
	// Incarnation differs for each life of the node; see query.Place.
	Incarnation string
}

// Place is the node as a run knows it.
func (n Node) Place() query.Place {
	return query.Place{Node: n.ID, Address: n.Address, Incarnation: n.Incarnation}
}

// CoordinatorNode is the ID of the coordinator's own executor.
const CoordinatorNode = ""

// Source names an output that a task reads.
type Source struct {
	Task      plan.TaskID
	Address   string // of the node that has it
	Committed bool
	End       query.PartitionEnd // of the reader's partition, once committed
}

// Update is what a task learns after it was started, or along with it.
type Update struct {
	Number  int64
	Splits  []query.Split
	NoMore  []plan.NodeID
	Sources []Source
	// Moved are those of the sources that the task knew at another address.
	Moved []plan.TaskID
	// Complete are upstream stages of which all tasks are among the sources
	// told so far.
	Complete []plan.FragmentID
	Filters  []query.FilterPart
	// NoFilters are dynamic filters not to wait for.
	NoFilters []plan.DynamicID
	// TakeBack asks for splits that are not started.
	TakeBack []Ask
}

func (u *Update) empty() bool {
	return len(u.Splits)+len(u.NoMore)+len(u.Sources)+len(u.Complete)+len(u.Filters)+len(u.NoFilters)+len(u.TakeBack) == 0
}

// Action is something to do: start a task, or tell a running one more.
type Action struct {
	Task  *query.Task
	Start bool
	// For Start: what the task is.
	Fragment                                *plan.Fragment
	Partition, Partitions, OutputPartitions int
	// Stream says that the output goes to the client as the task runs, Twin that
	// another attempt runs as well.
	Stream, Twin bool
	Update       Update
	// Copy is where the task's output is to be copied to: nothing else is to be done.
	Copy    query.Place
	discard bool // nothing of that: stop the attempt
}

// Decide returns what to do now. It changes the run as if it were done.
func Decide(r *query.Run, nodes []Node) []Action {
	if r.Failure != nil {
		return nil
	}
	actions := startAgain(r, nodes)
	for _, s := range r.Stages {
		actions = append(actions, handBack(r, s)...)
		if len(nodes) > 0 || s.Fragment.Spread == plan.OnCoordinator {
			actions = append(actions, startTasks(r, s, nodes)...)
		}
	}
	actions = append(actions, startTwins(r, nodes)...)
	acted := map[*query.Task]bool{}
	for i := range actions {
		a := &actions[i]
		if acted[a.Task] { // splits and a request for splits
			number(a)
			continue
		}
		acted[a.Task] = true
		tell(r, r.Stages[a.Fragment.ID], a.Task, partitionOf(r.Stages[a.Fragment.ID], a.Task), &a.Update)
		if !a.Start {
			number(a)
		}
	}
	for _, s := range r.Stages {
		for _, t := range s.Tasks {
			for _, x := range [2]*query.Task{t, t.Twin} {
				if x == nil || acted[x] || x.Unplaced || x.Status.State.Done() {
					continue
				}
				a := Action{Task: x, Fragment: s.Fragment}
				tell(r, s, x, partitionOf(s, x), &a.Update)
				if !a.Update.empty() {
					number(&a)
					actions = append(actions, a)
				}
			}
		}
	}
	return append(actions, startCopies(r, nodes)...)
}

// number gives an update its place among its task's.
func number(a *Action) {
	a.Task.Update++
	a.Update.Number = a.Task.Update
}

// startTasks starts the tasks of a stage that can start now.
func startTasks(r *query.Run, s *query.Stage, nodes []Node) []Action {
	if s.Complete {
		return closeOpen(s)
	}
	switch s.Fragment.Spread {
	case plan.BySplits:
		return append(deal(r, s, nodes), steal(r, s, nodes)...)
	case plan.ByPartition:
		return startFixed(r, s, nodes, r.Partitions)
	case plan.OnCoordinator:
		return startFixed(r, s, []Node{coordinator(r)}, 1)
	}
	// One task: any node, but another one for each query and stage.
	best := slices.MaxFunc(nodes, func(a, b Node) int {
		return cmp.Compare(score(string(r.Query), a.ID), score(string(r.Query), b.ID))
	})
	return startFixed(r, s, []Node{best}, 1)
}

// coordinator is the coordinator's own executor as a node.
func coordinator(r *query.Run) Node {
	return Node{ID: CoordinatorNode, Address: r.Coordinator.Address, Incarnation: r.Coordinator.Incarnation}
}

// addTask adds a task on a node.
func addTask(r *query.Run, s *query.Stage, n Node, splits []query.Split) *query.Task {
	t := r.AddTask(s, n.ID, splits)
	t.Place = n.Place()
	return t
}

// startFixed starts all n tasks of a stage whose number is known. Scans in
// such a stage (a plan small enough for one task) give all splits to it.
func startFixed(r *query.Run, s *query.Stage, nodes []Node, n int) []Action {
	for _, scan := range s.Scans {
		if !scan.Listed {
			return nil
		}
		sortHome(scan, nodes)
	}
	var out []Action
	for i := range n {
		t := addTask(r, s, nodes[i%len(nodes)], nil)
		a := startAction(r, s, t, i, n)
		for _, scan := range s.Scans {
			t.Splits = append(t.Splits, takeAll(scan)...)
			a.Update.NoMore = append(a.Update.NoMore, scan.Node)
		}
		a.Update.Splits = t.Splits
		out = append(out, a)
	}
	s.Complete = true
	return out
}

// takeAll removes all of a scan's splits, in the order of their numbers.
func takeAll(scan *query.Scan) (all []query.Split) {
	for _, q := range scan.Homes {
		all = append(all, q...)
	}
	scan.Homes, scan.Left = nil, 0
	slices.SortFunc(all, func(a, b query.Split) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

func startAction(r *query.Run, s *query.Stage, t *query.Task, partition, partitions int) Action {
	t.Update = 1
	t.Partition, t.Partitions = partition, partitions
	return Action{
		Task: t, Start: true, Fragment: s.Fragment, Partition: partition, Partitions: partitions,
		OutputPartitions: r.OutputPartitions(s.Fragment), Stream: s == r.Stages[0], Update: Update{Number: 1},
	}
}

// partitionOf is which partition of its inputs a task reads.
func partitionOf(s *query.Stage, t *query.Task) int {
	if s.Fragment.Spread == plan.ByPartition {
		return int(t.ID.Task)
	}
	return 0
}

// tell adds to u what t does not know yet: sources, complete stages, filters.
func tell(r *query.Run, s *query.Stage, t *query.Task, partition int, u *Update) {
	for _, in := range s.Fragment.Inputs {
		up := r.Stages[in]
		all := up.Complete // a task that is not placed yet has still to be named
		for _, src := range up.Tasks {
			switch {
			case t.Has[query.PartOf(src.ID)]:
			case src.Unplaced:
				all = false
			default:
				tellSource(r, t, src, partition, u)
			}
		}
		if all && !t.ToldComplete[in] {
			t.ToldComplete[in] = true
			u.Complete = append(u.Complete, in)
		}
	}
	tellFilters(r, s, t, u)
}

func tellSource(r *query.Run, t, src *query.Task, partition int, u *Update) {
	if committed, known := t.Told[src.ID]; known && committed == src.Committed && !t.Moved[src.ID] {
		return
	}
	if t.Moved[src.ID] {
		t.Moved[src.ID] = false // until the node has answered
		u.Moved = append(u.Moved, src.ID)
	}
	if r.Fault == query.FaultStaleSource && src.ID.Attempt%query.AttemptsPerRun > 0 {
		return
	}
	t.Told[src.ID] = src.Committed
	from := Source{Task: src.ID, Address: src.Place.Address, Committed: src.Committed}
	if r.Fault == query.FaultUncommitted && !src.Committed {
		from.Committed, t.Told[src.ID] = true, true
	}
	if src.Committed {
		parts := src.Status.End.Partitions
		from.End = parts[min(partition, len(parts)-1)]
	}
	u.Sources = append(u.Sources, from)
}
