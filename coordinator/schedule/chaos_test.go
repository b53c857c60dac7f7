package schedule

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/coordinator/query"
	"github.com/tuttidb/tutti/planner/plan"
)

// chaos plays a cluster that falls apart against the run and the scheduler, by
// one seed: processes die, hang and wake up again, slow down while their words come
// as ever, come back, join, drain; pairs of them lose sight of each other; the
// network delays, reorders between nodes, and repeats. Coordinators die as well: the
// run is dropped, and built again from what the processes that answer have, while
// the old one may go on for a while with those that have not heard of the new one.
// Rows are numbers that go from splits through attempts' outputs to the client.
//
// It holds these to be true at every step:
//  1. Rows reach the client once each: none is lost or doubled.
//  2. Operators are fed from attempts that have ended and count.
//  3. Nobody is pointed to an output that is known to be lost.
//  4. No output is released that an attempt that counts has still to read.
//  5. An attempt is started once, where somebody lives, and never when it has
//     been accepted already.
//  6. The root does not run again when rows have left, unless its reader can tell
//     them from the others; then they are among those of the other attempt. What
//     another coordinator goes on with is what the client's rows are the beginning
//     of.
//  7. Every query ends: with its rows, or by a failure that is nobody's bug.
//  8. When it has ended, all outputs but the root's have been released, and all
//     attempts that do not count have been stopped where they were known of.
//  9. Of coordinators only the last one's word counts, once a process has heard it.
//  10. Of a task's attempts one is accepted; another one only when its output is
//     not there any more, or may not be used. Nothing of the root, or of what may
//     give other rows when it runs again, has a twin.
type chaos struct {
	seed   uint64
	rng    *rand.Rand
	run    *query.Run
	procs  []*proc
	cut    map[[2]int]int // steps for which one does not reach the other
	bug    modelBug
	big    bool // the result is large: rows leave before all are here
	want   []int
	split  int64
	tables map[plan.NodeID][]connectors.Split
	// loose are splits that came or went while the query ran: their rows are in
	// the result, or are not.
	loose    map[int]int // how often, if at all
	unlisted []func()    // listings that go on
	epoch    int
	zombies  []*zombie
	// delivered is how many rows the client has for good, shown the epoch in which it
	// got the last of them.
	delivered, shown int
	unheard          map[plan.TaskID]bool // attempts that should have been stopped, but the word was lost
	taken            int                  // times that a run was taken over, and that it was not
	dropped          int
	adopted          bool       // the run is another coordinator's
	answers          []func()   // to what was delivered
	copies           []*copyJob // that are being made
	accepted         map[query.Part]*query.Task
	twins            query.Twins // as last noted, of the run
	copied           query.Copies
	twinsOf          *query.Run

	reader struct {
		src  Source
		has  int
		rows []int
		// again says that rows of an attempt have left which was lost, rest are those
		// of another one that have not.
		again bool
		rest  []int
	}
	// bound says that it was written down that no other coordinator can go on.
	bound, indeterminate, repeatable bool
	root                             plan.TaskID // at the last step, and whether rows had left by then
	given                            bool
	broken                           error
	done                             bool
	// What happened: faults, those that struck work or outputs that count, and
	// transitions.
	faults, struck int
	seen           map[string]int
}

// modelBug is a bug planted in the model of workers, for what the run cannot
// see itself.
type modelBug uint8

const (
	noBug          modelBug = iota
	bugEager                // operators are fed from attempts that have not ended
	bugResume               // a reader goes on inside another attempt
	bugTwice                // an update that is repeated is applied again
	bugForeignEnd           // an end names splits of another attempt
	bugUnfenced             // words of coordinators that do not lead any more count
	bugLowWater             // the root's rows go when they were sent
	bugForgetGiven          // a row that has left is not remembered
	bugSkip                 // as many rows of another attempt are skipped as have left
	modelBugs
)

// proc is a worker's process.
type proc struct {
	n        int
	place    query.Place
	alive    bool
	joined   bool
	draining bool
	frozen   int
	slow     int // steps for which it does little
	notice   int // steps until the coordinator sees that it is gone; 0: nothing to see
	tries    map[plan.TaskID]*try
	order    []*try
	mail     []query.Status
	answers  []func()
	epoch    int   // the newest that it has heard of
	tomb     int32 // the last attempt of what was ended here
}

// word is an action on its way.
type word struct {
	Action
	epoch int
}

// try is an attempt as its process knows it.
type try struct {
	id               plan.TaskID
	f                *plan.Fragment
	epoch            int
	counts           int // the last epoch whose coordinator is known to count it
	inbox            []word
	partitions       int
	handed           []query.Split
	told             map[plan.TaskID]bool
	at               map[plan.TaskID]string // where it was told they are
	allConsumed      []plan.TaskID
	allLost          []plan.TaskID
	end              *query.End
	failure          *query.Failure
	chosen           bool
	chosenBy         int
	low              int  // rows of the root's that are gone
	stream           bool // rows leave while it runs
	number           int64
	noMore           bool
	waiting          []query.Split
	running          connectors.Split
	started          []int64
	done, part, outs int
	inputs           map[query.Part]*input
	complete         map[plan.FragmentID]bool
	consumed, lost   []plan.TaskID
	rows             []int
	version          int64
	ended, failed    bool
	out              [][]int
	copyAt           query.Place // of the output of an attempt elsewhere, which is all there is
}

// input is what a try has of one upstream task.
type input struct {
	src   Source
	has   int
	whole bool
	said  bool
	rows  []int
}

func (c *chaos) violate(format string, args ...any) {
	if c.broken == nil {
		c.broken = fmt.Errorf(format, args...)
	}
}

func (c *chaos) note(what string) { c.seen[what]++ }

// chaosPlans are the shapes of plans that are played.
func chaosPlans() []*plan.Plan {
	scan := func(id plan.NodeID) *plan.Scan {
		s := &plan.Scan{}
		s.ID = id
		return s
	}
	from := func(ids ...plan.FragmentID) *plan.Aggregate {
		return &plan.Aggregate{Input: &plan.RemoteSource{Fragments: ids}}
	}
	hash := plan.Partitioning{Kind: plan.Hash}
	ids := func(n ...plan.FragmentID) []plan.FragmentID { return n }
	return []*plan.Plan{
		{Fragments: []*plan.Fragment{ // a join
			{ID: 0, Root: from(1), Inputs: ids(1)}, {ID: 1, Root: from(2, 3), Spread: plan.ByPartition, Inputs: ids(2, 3)},
			{ID: 2, Root: scan(10), Spread: plan.BySplits, Output: hash}, {ID: 3, Root: scan(11), Spread: plan.BySplits, Output: hash},
		}},
		{Fragments: []*plan.Fragment{ // a chain
			{ID: 0, Root: from(1), Inputs: ids(1)}, {ID: 1, Root: from(2), Spread: plan.ByPartition, Inputs: ids(2)},
			{ID: 2, Root: from(3), Spread: plan.ByPartition, Inputs: ids(3), Output: hash}, {ID: 3, Root: scan(10), Spread: plan.BySplits, Output: hash},
		}},
		{Fragments: []*plan.Fragment{ // what is read twice
			{ID: 0, Root: from(1, 2), Inputs: ids(1, 2)}, {ID: 1, Root: from(3), Spread: plan.ByPartition, Inputs: ids(3)},
			{ID: 2, Root: from(3), Spread: plan.ByPartition, Inputs: ids(3)},
			{ID: 3, Root: from(4), Spread: plan.ByPartition, Inputs: ids(4), Output: hash}, {ID: 4, Root: scan(10), Spread: plan.BySplits, Output: hash},
		}},
		{Fragments: []*plan.Fragment{ // a small side that every task has
			{ID: 0, Root: from(1), Inputs: ids(1)},
			{ID: 1, Root: &plan.Join{Left: scan(10), Right: &plan.RemoteSource{Fragments: ids(2), Kind: plan.Replicate}}, Spread: plan.BySplits, Inputs: ids(2)},
			{ID: 2, Root: from(3), Inputs: ids(3), Output: plan.Partitioning{Kind: plan.Replicate}},
			{ID: 3, Root: scan(11), Spread: plan.BySplits},
		}},
		{Fragments: []*plan.Fragment{ // rows straight from the scan to the client
			{ID: 0, Root: &plan.RemoteSource{Fragments: ids(1)}, Inputs: ids(1)}, {ID: 1, Root: scan(10), Spread: plan.BySplits},
		}},
	}
}

func newChaos(seed uint64, fault query.Fault, bug modelBug) *chaos {
	rng := rand.New(rand.NewPCG(seed, 99))
	plans := chaosPlans()
	p := plans[rng.IntN(len(plans))]
	if rng.IntN(3) == 0 {
		for _, f := range p.Fragments {
			f.Indeterminate = true
		}
	}
	indeterminate := p.Fragments[0].Indeterminate
	c := &chaos{seed: seed, rng: rng, bug: bug, cut: map[[2]int]int{}, seen: map[string]int{}, big: rng.IntN(4) == 0,
		tables: map[plan.NodeID][]connectors.Split{}, unheard: map[plan.TaskID]bool{}, loose: map[int]int{}, indeterminate: indeterminate, repeatable: seed%4 > 0}
	n := 1 + rng.IntN(4)
	partitions := n
	if seed%5 == 0 && fault == query.NoFault && bug == noBug { // as large queries have; it takes its time
		partitions = 3 * n
	}
	c.run = query.NewRun("q", p, int32(rng.IntN(2)), partitions)
	c.run.Fault, c.run.Cut, c.run.Repeatable = fault, c.setAside, c.repeatable
	c.run.Recovery = query.Recovery{Tasks: true, Attempts: 30, Keep: []int64{0, 20, 1 << 30}[rng.IntN(3)], TwinAfter: []time.Duration{0, 1, stealAfter}[rng.IntN(3)],
		CopyAfter: []time.Duration{0, 1}[seed%2]}
	if fault != query.NoFault && fault < query.FaultCopyUntold {
		c.run.Recovery.CopyAfter = 0 // copies save what other bugs lose
	}
	for range n {
		c.join(fmt.Sprint("w", len(c.procs)))
	}
	for _, s := range c.run.Stages {
		for _, scan := range s.Scans {
			c.enumerate(scan)
			c.run.List(s, scan, c.tables[scan.Node], true)
		}
	}
	c.want = c.rowsOf(0)
	slices.Sort(c.want)
	return c
}

// join starts a process and makes it a member.
func (c *chaos) join(node string) {
	p := &proc{n: len(c.procs), alive: true, tries: map[plan.TaskID]*try{}}
	c.procs = append(c.procs, p)
	c.member(p, node)
}

// member makes a process a member, in a new life.
func (c *chaos) member(p *proc, node string) {
	p.joined, p.notice = true, 0
	p.place = query.Place{Node: node, Address: fmt.Sprint(p.n), Incarnation: fmt.Sprint(p.n, "#", c.rng.IntN(1<<30))}
}

// enumerate makes the few splits of a scan.
func (c *chaos) enumerate(scan *query.Scan) {
	for range c.rng.IntN(9) {
		c.tables[scan.Node] = append(c.tables[scan.Node], c.newSplit())
	}
}

func (c *chaos) newSplit() connectors.Split {
	sp := connectors.Split{Payload: fmt.Append(nil, c.split), Bytes: int64(c.rng.IntN(64)) << 20}
	if c.rng.IntN(2) == 0 {
		sp.Affinity = fmt.Sprint("f", c.split)
	}
	c.split++
	return sp
}

// rowsOf are the rows that a fragment gives in all.
func (c *chaos) rowsOf(id plan.FragmentID) (rows []int) {
	s := c.run.Stages[id]
	for _, scan := range s.Scans {
		for _, sp := range c.tables[scan.Node] {
			rows = append(rows, rowsIn(sp)...)
		}
	}
	for _, in := range s.Fragment.Inputs {
		if c.run.Stages[in].Fragment.Output.Kind != plan.Replicate {
			rows = append(rows, c.rowsOf(in)...)
		}
	}
	return rows
}

func rowsIn(split connectors.Split) []int {
	n, err := strconv.Atoi(string(split.Payload))
	if err != nil {
		panic(err)
	}
	return []int{n * 3, n*3 + 1, n*3 + 2}
}

// at finds the process of a place.
func (c *chaos) at(p query.Place) *proc {
	for _, x := range c.procs {
		if x.place == p {
			return x
		}
	}
	return nil
}

func (c *chaos) byAddress(address string) *proc {
	for _, x := range c.procs {
		if x.place.Address == address {
			return x
		}
	}
	return nil
}

// nodes are the processes that a coordinator can use.
func (c *chaos) nodes(r *query.Run) (nodes []Node) {
	for _, p := range c.procs {
		switch {
		case !p.joined || r.Gone(p.place):
		case p.draining:
			r.Drain(p.place)
		case !r.Draining(p.place):
			nodes = append(nodes, Node{ID: p.place.Node, Address: p.place.Address, Threads: 1, Incarnation: p.place.Incarnation})
		}
	}
	return nodes
}

// decide lets the scheduler act.
func (c *chaos) decide() {
	for _, a := range Decide(c.run, c.nodes(c.run)) {
		c.deliver(a, c.epoch)
	}
	for _, answer := range c.answers {
		answer()
	}
	c.answers = nil
	if now := c.rootID(); now != nil && c.run.Failure == nil {
		if c.given && *now != c.root && !c.run.Repeatable {
			c.violate("the root runs again as %s though rows have left", now)
		}
		c.root, c.given = *now, c.run.Given
	}
	for _, t := range c.run.Releasable() {
		c.released(t)
	}
	for _, t := range c.run.Discards() {
		if c.rng.IntN(2) == 0 {
			c.free(t, c.epoch)
		} else {
			c.unheard[t.ID] = true // the word is lost
		}
	}
	c.tellReader()
}

func (c *chaos) rootID() *plan.TaskID {
	if tasks := c.run.Stages[0].Tasks; len(tasks) == 1 {
		id := tasks[0].ID
		return &id
	}
	return nil
}

// deliver puts an action of a coordinator into its process's inbox, and checks
// it if it is the one that leads.
func (c *chaos) deliver(a Action, epoch int) {
	t := a.Task
	if a.Copy != (query.Place{}) {
		c.beginCopy(a, epoch)
		return
	}
	p := c.at(t.Place)
	if epoch == c.epoch {
		c.check(a, p)
	}
	if p == nil || !p.alive {
		return // it falls into the void; the loss will be noticed
	}
	k := p.tries[t.ID]
	switch {
	case !a.Start:
	case epoch < p.epoch && c.bug != bugUnfenced:
		c.note("a word of an old coordinator is refused")
		return
	case epoch == c.epoch && t.ID.Attempt < p.tomb:
		c.note("an attempt is refused where the run was ended once")
		c.answers = append(c.answers, func() {
			if p.place == t.Place && !c.run.Gone(t.Place) {
				c.run.Lose(t.Place, lossOf(p), false)
				c.member(p, p.place.Node)
			}
		})
		return
	case k != nil && k.epoch < epoch: // another coordinator's
		c.note("an attempt of another coordinator is in the way")
		c.answers = append(c.answers, func() {
			c.run.Drain(t.Place)
			c.run.Refuse(t, lossOf(p))
		})
		return
	}
	if k == nil {
		if !a.Start {
			return
		}
		k = &try{
			id: t.ID, f: a.Fragment, epoch: epoch, counts: epoch, part: partitionOf(c.run.Stages[a.Fragment.ID], t), partitions: a.Partitions, outs: a.OutputPartitions,
			stream: a.Stream, inputs: map[query.Part]*input{}, complete: map[plan.FragmentID]bool{}, told: map[plan.TaskID]bool{}, at: map[plan.TaskID]string{},
		}
		p.tries[t.ID] = k
		p.order = append(p.order, k)
	}
	k.inbox = append(k.inbox, word{a, epoch})
	if c.bug == bugTwice && !a.Start && c.rng.IntN(4) == 0 {
		k.inbox = append(k.inbox, word{a, epoch})
	}
}

// check looks at an action of the coordinator that leads.
func (c *chaos) check(a Action, p *proc) {
	t := a.Task
	for _, src := range a.Update.Sources {
		up := c.run.Task(src.Task)
		if up == nil || src.Committed && (c.run.Gone(up.Place) || up.Released || up.Unreachable) {
			c.violate("task %s is told of %s, which is lost", t.ID, src.Task)
		}
	}
	if !a.Start {
		return
	}
	c.note("start")
	switch {
	case p == nil || c.run.Gone(t.Place):
		c.violate("task %s is started on a node that is gone", t.ID)
	case t.Committed:
		c.violate("task %s is started when it is committed", t.ID)
	case a.Twin && (a.Stream || a.Fragment.ID == 0 || a.Fragment.Indeterminate):
		c.violate("task %s has a twin", t.ID)
	case c.known(t.ID):
		c.violate("task %s is started twice", t.ID)
	case !c.adopted && t.ID.Attempt < p.tomb:
		c.violate("task %s is started where one of this number was ended", t.ID)
	}
}

// known reports whether an attempt that this coordinator started, or took over,
// is anywhere.
func (c *chaos) known(id plan.TaskID) bool {
	return slices.ContainsFunc(c.procs, func(p *proc) bool { return p.tries[id] != nil && p.tries[id].epoch == c.epoch })
}

// released drops an output, and looks whether anybody still needs it.
func (c *chaos) released(t *query.Task) {
	c.note("release")
	for _, id := range c.run.Stages[t.ID.Stage.Fragment].Consumers {
		s := c.run.Stages[id]
		if !s.Complete {
			c.violate("the output of %s is released before all that read it are there", t.ID)
		}
		for _, reader := range s.Tasks {
			if tw := reader.Twin; tw != nil && !tw.Has[query.PartOf(t.ID)] {
				c.violate("the output of %s is released while %s, a twin, needs it", t.ID, tw.ID)
			}
			if reader.Committed || reader.Has[query.PartOf(t.ID)] {
				continue
			}
			c.violate("the output of %s is released while %s needs it", t.ID, reader.ID)
		}
	}
	c.free(t, c.epoch)
}

// free drops an attempt and its output.
func (c *chaos) free(t *query.Task, epoch int) {
	if p := c.at(t.Place); p != nil && (epoch >= p.epoch || c.bug == bugUnfenced) {
		p.drop(t.ID)
	}
}

func (p *proc) drop(id plan.TaskID) {
	delete(p.tries, id)
	p.order = slices.DeleteFunc(p.order, func(k *try) bool { return k.id == id })
}

// play runs until the query has ended, and returns what is wrong.
func (c *chaos) play() error {
	const horizon, most = 250, 20_000 // dozens of tasks that are left to one process take thousands
	for i := 0; c.broken == nil && !c.done; i++ {
		if i > most {
			c.dump("stuck", c.run)
			c.dumpProcs()
			return fmt.Errorf("no end after %d steps: %s", most, c.stuck())
		}
		c.run.Now += stealAfter / 8
		c.decide()
		if c.run.Failure != nil {
			c.note("failed")
			return c.judge(c.run.Failure)
		}
		c.accept()
		for _, p := range c.procs {
			c.step(p)
		}
		c.copyOn()
		c.read()
		c.page()
		if c.run.Held && c.run.Result() != nil && c.delivered == len(c.reader.rows) {
			c.finish()
			break
		}
		c.list()
		if i < horizon {
			c.harm()
			c.succeed()
		} else if i == horizon {
			c.heal()
		}
		c.watch()
	}
	return c.broken
}

// accept looks which attempts count as committed, and what became of twins.
func (c *chaos) accept() {
	run := c.run
	if c.twinsOf != run {
		c.twinsOf, c.twins, c.copied, c.accepted = run, query.Twins{}, query.Copies{}, map[query.Part]*query.Task{}
	}
	for _, s := range run.Stages {
		for _, t := range s.Tasks {
			old := c.accepted[query.PartOf(t.ID)]
			if !t.Committed || old == t {
				continue
			}
			c.accepted[query.PartOf(t.ID)] = t
			if old != nil && !c.indeterminate && !old.Released && !old.Unreachable && !run.Gone(old.Place) {
				c.violate("%s is accepted, and %s was", t.ID, old.ID)
			}
		}
	}
	for _, n := range []struct {
		was, is int
		what    string
	}{
		{c.twins.Made, run.Twins.Made, "a twin begins"}, {c.twins.Won, run.Twins.Won, "a twin wins"},
		{c.twins.Heirs, run.Twins.Heirs, "a twin takes the place of a lost attempt"}, {c.twins.Dropped, run.Twins.Dropped, "a twin loses"},
		{c.copied.Made, run.Copies.Made, "an output is copied"}, {c.copied.Used, run.Copies.Used, "a copy takes the place of a lost output"},
	} {
		if n.is > n.was {
			c.seen[n.what] += n.is - n.was
		}
	}
	c.twins, c.copied = run.Twins, run.Copies
}

// judge says whether a query may fail so.
func (c *chaos) judge(f *query.Failure) error {
	if c.broken != nil {
		return c.broken
	}
	if f.Cause == query.CauseInternal {
		return fmt.Errorf("the run failed: %w", f.Err.Unwrap())
	}
	return nil
}

// stuck describes what does not end.
func (c *chaos) stuck() (text string) {
	for _, s := range c.run.Stages {
		for _, t := range s.Tasks {
			if !t.Committed {
				text += fmt.Sprintf("%s %s on %v unplaced %v, ", t.ID, t.Status.State, t.Place, t.Unplaced)
			}
		}
	}
	for _, p := range c.procs {
		text += fmt.Sprintf("%v alive %v joined %v frozen %d mail %d, ", p.place, p.alive, p.joined, p.frozen, len(p.mail))
	}
	return text
}
