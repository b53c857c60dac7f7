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
}

// CoordinatorNode is the ID of the coordinator's own executor.
const CoordinatorNode = ""

// Source names an output that a task reads.
type Source struct {
	Task      plan.TaskID
	Node      string
	Committed bool
	End       query.PartitionEnd // of the reader's partition, once committed
}

// Update is what a task learns after it was started, or along with it.
type Update struct {
	Number  int64
	Splits  []query.Split
	NoMore  []plan.NodeID
	Sources []Source
	// Complete are upstream stages of which all tasks are among the sources
	// told so far.
	Complete []plan.FragmentID
	Filters  []query.FilterPart
}

func (u *Update) empty() bool {
	return len(u.Splits)+len(u.NoMore)+len(u.Sources)+len(u.Complete)+len(u.Filters) == 0
}

// Action is something to do: start a task, or tell a running one more.
type Action struct {
	Task  *query.Task
	Start bool
	// For Start: what the task is.
	Fragment                                *plan.Fragment
	Partition, Partitions, OutputPartitions int
	Update                                  Update
}

const (
	// splitsPerThread bounds the splits of one task: a task is a second or so
	// of work, and what is left goes to whoever is done first.
	splitsPerThread = 16
	// tasksPerNode is how many tasks of one scan stage a node has at a time:
	// the second one is there when the first has no more splits to start.
	tasksPerNode = 2
)

// Decide returns what to do now. It changes the run as if it were done.
func Decide(r *query.Run, nodes []Node) []Action {
	if r.Failure != nil || len(nodes) == 0 && !onlyCoordinator(r) {
		return nil
	}
	var actions []Action
	for _, s := range r.Stages {
		actions = append(actions, startTasks(r, s, nodes)...)
	}
	for i := range actions {
		a := &actions[i]
		tell(r, r.Stages[a.Fragment.ID], a.Task, a.Partition, &a.Update)
	}
	started := map[*query.Task]bool{}
	for _, a := range actions {
		started[a.Task] = true
	}
	for _, s := range r.Stages {
		for i, t := range s.Tasks {
			if started[t] || t.Status.State.Done() {
				continue
			}
			u := Update{}
			tell(r, s, t, partitionOf(s, i), &u)
			if !u.empty() {
				t.Update++
				u.Number = t.Update
				actions = append(actions, Action{Task: t, Fragment: s.Fragment, Update: u})
			}
		}
	}
	return actions
}

func onlyCoordinator(r *query.Run) bool {
	return !slices.ContainsFunc(r.Stages, func(s *query.Stage) bool { return s.Fragment.Spread != plan.OnCoordinator })
}

// startTasks starts the tasks of a stage that can start now.
func startTasks(r *query.Run, s *query.Stage, nodes []Node) []Action {
	if s.Complete {
		return nil
	}
	switch s.Fragment.Spread {
	case plan.BySplits:
		return startBySplits(r, s, nodes)
	case plan.ByPartition:
		return startFixed(r, s, nodes, r.Partitions)
	case plan.OnCoordinator:
		return startFixed(r, s, []Node{{ID: CoordinatorNode}}, 1)
	}
	// One task: any node, but another one for each query and stage.
	best := slices.MaxFunc(nodes, func(a, b Node) int {
		return cmp.Compare(score(string(r.Query), a.ID), score(string(r.Query), b.ID))
	})
	return startFixed(r, s, []Node{best}, 1)
}

// startFixed starts all n tasks of a stage whose number is known. Scans in
// such a stage (a plan small enough for one task) give all splits to it.
func startFixed(r *query.Run, s *query.Stage, nodes []Node, n int) []Action {
	for _, scan := range s.Scans {
		if !scan.Listed {
			return nil
		}
	}
	var out []Action
	for i := range n {
		t := r.AddTask(s, nodes[i%len(nodes)].ID, nil)
		a := startAction(r, s, t, i, n)
		for _, scan := range s.Scans {
			t.Splits = append(t.Splits, scan.Pending...)
			a.Update.NoMore = append(a.Update.NoMore, scan.Node)
			scan.Pending = nil
		}
		a.Update.Splits = t.Splits
		out = append(out, a)
	}
	s.Complete = true
	return out
}

func startAction(r *query.Run, s *query.Stage, t *query.Task, partition, partitions int) Action {
	t.Update = 1
	return Action{
		Task: t, Start: true, Fragment: s.Fragment, Partition: partition, Partitions: partitions,
		OutputPartitions: r.OutputPartitions(s.Fragment), Update: Update{Number: 1},
	}
}

// startBySplits hands listed splits to new tasks on nodes with room. Each
// node first gets what its cache may hold (rendezvous hashing on the split's
// affinity), then an even share of what is left.
func startBySplits(r *query.Run, s *query.Stage, nodes []Node) []Action {
	listed, pending := true, 0
	for _, scan := range s.Scans {
		listed = listed && scan.Listed
		pending += len(scan.Pending)
	}
	var out []Action
	free := freeNodes(s, nodes)
	if len(free) > 0 && pending > 0 && (listed || pending >= len(nodes)*splitsPerThread) {
		out = share(r, s, free)
	}
	if listed && pending > 0 && len(out) > 0 {
		pending = 0
		for _, scan := range s.Scans {
			pending += len(scan.Pending)
		}
	}
	if listed && pending == 0 {
		if len(s.Tasks) == 0 { // an empty table still has a result: one task says so
			t := r.AddTask(s, nodes[0].ID, nil)
			a := startAction(r, s, t, 0, 1)
			for _, scan := range s.Scans {
				a.Update.NoMore = append(a.Update.NoMore, scan.Node)
			}
			out = append(out, a)
		}
		s.Complete = true
	}
	return out
}

// freeNodes are the nodes that may take another task of the stage.
func freeNodes(s *query.Stage, nodes []Node) []Node {
	busy := map[string]int{}
	for _, t := range s.Tasks {
		if !t.Status.State.Done() {
			busy[t.Node]++
		}
	}
	var out []Node
	for _, n := range nodes {
		if busy[n.ID] < tasksPerNode {
			out = append(out, n)
		}
	}
	return out
}

// share makes one task for each free node out of the pending splits.
func share(r *query.Run, s *query.Stage, free []Node) []Action {
	var all []query.Split
	for _, scan := range s.Scans {
		all = append(all, scan.Pending...)
		scan.Pending = nil
	}
	even := (len(all) + len(free) - 1) / len(free)
	given := make([][]query.Split, len(free))
	var left []query.Split
	for _, sp := range all {
		if i := home(sp, free); sp.Affinity != "" && len(given[i]) < min(even, limitOf(free[i])) {
			given[i] = append(given[i], sp)
		} else {
			left = append(left, sp)
		}
	}
	left = fill(given, left, free, even)
	for _, sp := range left {
		for _, scan := range s.Scans {
			if scan.Node == sp.Scan {
				scan.Pending = append(scan.Pending, sp)
			}
		}
	}
	var out []Action
	for i, splits := range given {
		if len(splits) == 0 {
			continue
		}
		t := r.AddTask(s, free[i].ID, splits)
		a := startAction(r, s, t, int(t.ID.Task), 0)
		a.Update.Splits = splits
		for _, scan := range s.Scans {
			a.Update.NoMore = append(a.Update.NoMore, scan.Node)
		}
		out = append(out, a)
	}
	return out
}

// fill gives what nobody's cache holds to the nodes with the least, and
// returns what no node has room for.
func fill(given [][]query.Split, left []query.Split, free []Node, even int) []query.Split {
	for len(left) > 0 {
		least := -1
		for i := range given {
			if len(given[i]) < limitOf(free[i]) && (least < 0 || len(given[i]) < len(given[least])) {
				least = i
			}
		}
		if least < 0 {
			return left
		}
		given[least] = append(given[least], left[0])
		left = left[1:]
	}
	return nil
}

func limitOf(n Node) int { return max(1, n.Threads) * splitsPerThread }

// home is the node that rendezvous hashing gives a split.
func home(sp query.Split, nodes []Node) int {
	best, top := 0, uint64(0)
	for i, n := range nodes {
		if sc := score(sp.Affinity, n.ID); sc >= top {
			best, top = i, sc
		}
	}
	return best
}

// score is a hash of a key and a node (FNV-1a, then a mixing step): the same
// in every process, so that a coordinator that starts again sends splits to
// where the last one put them.
func score(key, node string) uint64 {
	h := uint64(14695981039346656037)
	for _, part := range [2]string{key, node} {
		for i := range len(part) {
			h = (h ^ uint64(part[i])) * 1099511628211
		}
		h = (h ^ 0xff) * 1099511628211
	}
	h ^= h >> 32
	return h * 0x9E3779B97F4A7C15
}

// partitionOf is which partition of its inputs the i-th task of a stage reads.
func partitionOf(s *query.Stage, i int) int {
	if s.Fragment.Spread == plan.ByPartition {
		return i
	}
	return 0
}

// tell adds to u what t does not know yet: sources, complete stages, filters.
func tell(r *query.Run, s *query.Stage, t *query.Task, partition int, u *Update) {
	for _, in := range s.Fragment.Inputs {
		up := r.Stages[in]
		for _, src := range up.Tasks {
			tellSource(t, src, partition, u)
		}
		if up.Complete && !t.ToldComplete[in] {
			t.ToldComplete[in] = true
			u.Complete = append(u.Complete, in)
		}
	}
	for _, other := range r.Stages {
		for id, f := range other.Filters {
			if !t.ToldFilters[id] && uses(s.Fragment, id) {
				t.ToldFilters[id] = true
				u.Filters = append(u.Filters, query.FilterPart{ID: id, Filter: f})
			}
		}
	}
}

func tellSource(t, src *query.Task, partition int, u *Update) {
	if committed, known := t.Told[src.ID]; known && committed == src.Committed {
		return
	}
	t.Told[src.ID] = src.Committed
	from := Source{Task: src.ID, Node: src.Node, Committed: src.Committed}
	if src.Committed {
		parts := src.Status.End.Partitions
		from.End = parts[min(partition, len(parts)-1)]
	}
	u.Sources = append(u.Sources, from)
}

// uses reports whether a fragment's scans use a dynamic filter.
func uses(f *plan.Fragment, id plan.DynamicID) bool {
	found := false
	plan.Walk(f.Root, func(n plan.Node) bool {
		if scan, ok := n.(*plan.Scan); ok {
			found = found || slices.ContainsFunc(scan.Dynamic, func(d plan.DynamicUse) bool { return d.Filter == id })
		}
		return !found
	})
	return found
}
