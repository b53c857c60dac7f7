package schedule

import (
	"slices"

	"github.com/tuttidb/tutti/coordinator/query"
	"github.com/tuttidb/tutti/planner/plan"
)

// A stage that scans is fed: its splits wait here, and each task is given only
// what its threads will start next, so that what a slow node has not begun is
// the others'. When a task has had its lot it is closed and a new one opened,
// for a task is what is lost with a node and what consumers wait for.
const (
	// aheadSplits and aheadBytes are how far a task's splits go beyond those it
	// has started, a thread: a few splits, or more where they are small. A worker
	// asks for more when it has less than one a thread.
	aheadSplits = 2
	aheadBytes  = 32 << 20
	// lotSplits and lotBytes are the size of a task, a thread: whichever is
	// more, but no more than maxLot splits.
	lotSplits = 16
	lotBytes  = 64 << 20
	maxLot    = 1024
	// unreadLimit is how many bytes of rows on their way to the client may wait
	// for the root task before scans get no new splits.
	unreadLimit = 128 << 20
	// unknownBytes is the size of a split that does not say.
	unknownBytes = aheadBytes
	// tasksPerNode is how many tasks of one scan stage a node has at a time:
	// the second one is there when the first has no more splits to start.
	tasksPerNode = 2
)

func sizeOf(sp query.Split) int64 {
	if sp.Bytes <= 0 {
		return unknownBytes
	}
	return sp.Bytes
}

// dealer deals one stage's splits to its tasks.
type dealer struct {
	r     *query.Run
	s     *query.Stage
	nodes []Node
	flows bool // see flows
	seats []seat
}

// seat is a node, and the task there that may be given splits.
type seat struct {
	node Node
	task *query.Task // nil: a new one is to be made
	full bool
	// flows is the stage's; see flows.
	flows bool
	// grown is how much of a full lot the task gets, in sixteenths: the first
	// tasks of a stage whose rows go straight to the client are small.
	grown int
	// Of the task: what it has had, and what of it is not started.
	splits, unstarted int
	bytes, waiting    int64
	given             []query.Split
}

// deal gives splits to tasks, old and new, and returns what to do for it.
func deal(r *query.Run, s *query.Stage, nodes []Node) []Action {
	waiting, listed := 0, true
	for _, scan := range s.Scans {
		sortHome(scan, nodes)
		waiting += scan.Left
		listed = listed && scan.Listed
	}
	if waiting == 0 && !listed || waiting > 0 && r.OutputWaits() && len(s.Tasks) > 0 {
		return nil
	}
	d := &dealer{r: r, s: s, nodes: nodes, flows: flows(r, s)}
	if waiting > 0 && d.flows && unread(s) >= unreadLimit {
		return d.closeAll() // what they have can be read when they are committed
	}
	if waiting > 0 {
		d.seat()
		d.rounds()
	}
	return d.actions(listed)
}

// flows reports whether a stage's rows go to the client as they come: nothing
// on their way collects them.
func flows(r *query.Run, s *query.Stage) bool {
	return slices.Equal(s.Consumers, []plan.FragmentID{0}) && passes(s.Fragment.Root) && passes(r.Stages[0].Fragment.Root)
}

// unread is how many bytes of a stage's output the root has still to read.
func unread(s *query.Stage) (n int64) {
	for _, t := range s.Tasks {
		if !t.Read {
			n += t.Status.OutputBytes
		}
	}
	return n
}

func passes(root plan.Node) bool {
	flows := true
	plan.Walk(root, func(n plan.Node) bool {
		switch n := n.(type) {
		case *plan.Aggregate, *plan.Sort, *plan.TopN:
			flows = false
		case *plan.RemoteSource:
			flows = flows && n.OrderBy == nil
		}
		return flows
	})
	return flows
}

// sortHome puts new splits into the queues of the nodes whose caches may hold
// them (rendezvous hashing on the split's affinity).
func sortHome(scan *query.Scan, nodes []Node) {
	for key, left := range scan.Homes {
		if key != "" && !slices.ContainsFunc(nodes, func(n Node) bool { return n.ID == key }) {
			scan.Homes[""] = append(scan.Homes[""], left...) // the node is gone
			delete(scan.Homes, key)
		}
	}
	if len(scan.Pending) == 0 {
		return
	}
	if scan.Homes == nil {
		scan.Homes = map[string][]query.Split{}
	}
	for _, sp := range scan.Pending {
		key := ""
		if sp.Affinity != "" && sp.Avoid == "" {
			key = nodes[home(sp, nodes)].ID
		}
		scan.Homes[key] = append(scan.Homes[key], sp)
	}
	scan.Left += len(scan.Pending)
	scan.Pending = nil
}

// seat finds who can be given splits: on each node the open task, or a new one
// if there is room for it.
func (d *dealer) seat() {
	for _, n := range d.nodes {
		st, busy, idle, made := seat{node: n, grown: lotSplits, flows: d.flows}, 0, true, 0
		for _, t := range d.s.Tasks {
			if t.Place != n.Place() || t.Unplaced {
				continue
			}
			made++
			if t.Status.State.Done() {
				continue
			}
			busy++
			idle = idle && t.Unstarted() < max(n.Threads, 1)
			if t.Open {
				st.task = t
			}
		}
		if st.task != nil {
			made--
		}
		if d.flows {
			st.grown = min(1<<min(made, 8), lotSplits)
		}
		switch {
		case st.task != nil:
			st.count()
		case busy >= tasksPerNode || !idle:
			st.full = true
		}
		d.seats = append(d.seats, st)
	}
}

// count adds up what the seat's task has.
func (s *seat) count() {
	s.splits, s.unstarted = len(s.task.Splits), s.task.Unstarted()
	for i, sp := range s.task.Splits {
		s.bytes += sizeOf(sp)
		if i >= s.splits-s.unstarted { // drivers take splits in order
			s.waiting += sizeOf(sp)
		}
	}
}

// wants reports whether the seat has room for another split.
func (s *seat) wants() bool {
	threads := max(s.node.Threads, 1)
	switch {
	case s.full || s.lotIsFull():
		return false
	case s.flows: // the client may want no more
		return s.unstarted < threads
	}
	return s.unstarted < aheadSplits*threads || s.waiting < aheadBytes*int64(threads)
}

func (s *seat) lotIsFull() bool {
	threads := max(s.node.Threads, 1)
	return s.splits >= maxLot || s.splits >= s.grown*threads && s.bytes >= lotBytes/lotSplits*int64(s.grown*threads)
}

func (s *seat) give(sp query.Split) {
	s.given = append(s.given, sp)
	s.splits, s.unstarted = s.splits+1, s.unstarted+1
	s.bytes, s.waiting = s.bytes+sizeOf(sp), s.waiting+sizeOf(sp)
}

// rounds gives each seat that wants one a split, again and again, until there
// are no splits or no wants.
func (d *dealer) rounds() {
	for more := true; more; {
		more = false
		for i := range d.seats {
			st := &d.seats[i]
			if !st.wants() {
				continue
			}
			if sp, ok := d.take(st.node.ID); ok {
				st.give(sp)
				more = true
			}
		}
	}
}

// take removes a split for a node: one of its own, else one of nobody's, else
// one of the node that has most left.
func (d *dealer) take(node string) (query.Split, bool) {
	for _, scan := range d.s.Scans {
		if scan.Left == 0 {
			continue
		}
		most := ""
		for _, n := range d.nodes {
			if n.ID != node && len(scan.Homes[n.ID]) > len(scan.Homes[most]) || most == "" {
				most = n.ID
			}
		}
		for _, key := range [3]string{node, "", most} {
			if sp, ok := takeFrom(scan, key, node, len(d.nodes)); ok {
				return sp, true
			}
		}
	}
	return query.Split{}, false
}

// takeFrom removes the first split of a queue that the node may have.
func takeFrom(scan *query.Scan, key, node string, nodes int) (query.Split, bool) {
	q := scan.Homes[key]
	for i, sp := range q {
		if sp.Avoid == node && nodes > 1 {
			continue
		}
		if i == 0 {
			scan.Homes[key] = q[1:]
		} else {
			scan.Homes[key] = slices.Delete(q, i, i+1)
		}
		scan.Left--
		return sp, true
	}
	return query.Split{}, false
}

// actions turns what was given into tasks and updates, closes the tasks that
// will get no more, and notes when the stage is complete.
func (d *dealer) actions(listed bool) (out []Action) {
	left := 0
	for _, scan := range d.s.Scans {
		left += scan.Left
	}
	last := listed && left == 0
	for i := range d.seats {
		st := &d.seats[i]
		if len(st.given) == 0 {
			continue
		}
		out = append(out, d.hand(st, last))
	}
	if last {
		out = append(out, d.closeAll()...)
		if len(d.s.Tasks) == 0 { // an empty table still has a result: one task says so
			t := addTask(d.r, d.s, d.nodes[0], nil)
			a := startAction(d.r, d.s, t, 0, 1)
			a.Update.NoMore = scansOf(d.s)
			out = append(out, a)
		}
		d.s.Complete = settled(d.s, d.nodes)
	}
	return out
}

// hand gives a seat's splits to its task, which is closed if there are no more
// or it has its lot.
func (d *dealer) hand(st *seat, last bool) Action {
	closing := last || st.lotIsFull()
	if st.task == nil {
		t := addTask(d.r, d.s, st.node, st.given)
		t.Open = !closing
		a := startAction(d.r, d.s, t, int(t.ID.Task), 0)
		a.Update.Splits = st.given
		if closing {
			a.Update.NoMore = scansOf(d.s)
		}
		return a
	}
	t := st.task
	t.Splits = append(slices.Clip(t.Splits), st.given...)
	a := Action{Task: t, Fragment: d.s.Fragment, Update: Update{Splits: st.given}}
	if closing {
		t.Open = false
		a.Update.NoMore = scansOf(d.s)
	}
	return a
}

// closeAll tells the open tasks that there are no more splits.
func (d *dealer) closeAll() (out []Action) {
	for _, t := range d.s.Tasks {
		if t.Open {
			t.Open = false
			out = append(out, Action{Task: t, Fragment: d.s.Fragment, Update: Update{NoMore: scansOf(d.s)}})
		}
	}
	return out
}

func scansOf(s *query.Stage) (ids []plan.NodeID) {
	for _, scan := range s.Scans {
		ids = append(ids, scan.Node)
	}
	return ids
}

// settled reports whether no split can move any more, so that no task will be
// added: there is nobody else, or all are started.
func settled(s *query.Stage, nodes []Node) bool {
	for _, t := range s.Tasks {
		if t.Asked || len(nodes) > 1 && t.Unstarted() > 0 {
			return false
		}
	}
	return true
}

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
