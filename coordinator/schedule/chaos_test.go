package schedule

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/tuttidb/tutti/coordinator/query"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
)

// chaos plays a cluster that falls apart against the run and the scheduler, by
// one seed: processes die, hang and wake up again, come back, join, drain;
// pairs of them lose sight of each other; the network delays, reorders between
// nodes, and repeats. Rows are numbers that go from splits through attempts'
// outputs to the client.
//
// It holds these to be true at every step:
//
//  1. Rows reach the client once each: none is lost or doubled.
//  2. Operators are fed from attempts that have ended and count.
//  3. Nobody is pointed to an output that is known to be lost.
//  4. No output is released that an attempt that counts has still to read.
//  5. An attempt is started once, where somebody lives, and never when it has
//     been accepted already.
//  6. The root does not run again when rows have left.
//  7. Every query ends: with its rows, or by a failure that is nobody's bug.
//  8. When it has ended, nothing that the run knows of is held by a process that
//     is told so.
type chaos struct {
	seed  uint64
	rng   *rand.Rand
	run   *query.Run
	procs []*proc
	cut   map[[2]int]int // steps for which one does not reach the other
	bug   modelBug
	big   bool // the result is large: rows leave before all are here
	want  []int
	split int64

	reader struct {
		src  Source
		has  int
		rows []int
	}
	root   plan.TaskID // at the last step, and whether rows had left by then
	given  bool
	broken error
	done   bool
	// What happened: faults, those that struck work or outputs that count, and
	// transitions.
	faults, struck int
	seen           map[string]int
}

// modelBug is a bug planted in the model of workers, for what the run cannot
// see itself.
type modelBug uint8

const (
	noBug         modelBug = iota
	bugEager               // operators are fed from attempts that have not ended
	bugResume              // a reader goes on inside another attempt
	bugTwice               // an update that is repeated is applied again
	bugForeignEnd          // an end names splits of another attempt
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
	notice   int // steps until the coordinator sees that it is gone; 0: nothing to see
	tries    map[plan.TaskID]*try
	order    []*try
	mail     []query.Status
	answers  []func()
}

// try is an attempt as its process knows it.
type try struct {
	task             *query.Task
	f                *plan.Fragment
	inbox            []Action
	number           int64
	noMore           bool
	waiting          []query.Split
	started          []int64
	done, part, outs int
	inputs           map[query.Part]*input
	complete         map[plan.FragmentID]bool
	consumed, lost   []plan.TaskID
	rows             []int
	version          int64
	ended, failed    bool
	out              [][]int
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
	c := &chaos{seed: seed, rng: rng, bug: bug, cut: map[[2]int]int{}, seen: map[string]int{}, big: rng.IntN(4) == 0}
	n := 1 + rng.IntN(4)
	c.run = query.NewRun("q", p, int32(rng.IntN(2)), n)
	c.run.Fault = fault
	c.run.Recovery = query.Recovery{Tasks: true, Attempts: 30, Keep: []int64{0, 20, 1 << 30}[rng.IntN(3)]}
	for range n {
		c.join(fmt.Sprint("w", len(c.procs)))
	}
	for _, s := range c.run.Stages {
		for _, scan := range s.Scans {
			c.enumerate(scan)
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

// enumerate lists a few splits of a scan.
func (c *chaos) enumerate(scan *query.Scan) {
	for range c.rng.IntN(9) {
		sp := query.Split{ID: c.split, Scan: scan.Node}
		sp.Bytes = int64(c.rng.IntN(64)) << 20
		if c.rng.IntN(2) == 0 {
			sp.Affinity = fmt.Sprint("f", c.split)
		}
		scan.Pending = append(scan.Pending, sp)
		c.split++
	}
	scan.Listed = true
}

// rowsOf are the rows that a fragment gives in all.
func (c *chaos) rowsOf(id plan.FragmentID) (rows []int) {
	s := c.run.Stages[id]
	for _, scan := range s.Scans {
		for _, sp := range scan.Pending {
			rows = append(rows, rowsIn(sp.ID)...)
		}
	}
	for _, in := range s.Fragment.Inputs {
		if c.run.Stages[in].Fragment.Output.Kind != plan.Replicate {
			rows = append(rows, c.rowsOf(in)...)
		}
	}
	return rows
}

func rowsIn(split int64) []int { return []int{int(split) * 3, int(split)*3 + 1, int(split)*3 + 2} }

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

// decide lets the scheduler act.
func (c *chaos) decide() {
	var nodes []Node
	for _, p := range c.procs {
		switch {
		case !p.joined || c.run.Gone(p.place):
		case p.draining:
			c.run.Drain(p.place)
		default:
			nodes = append(nodes, Node{ID: p.place.Node, Address: p.place.Address, Threads: 1, Incarnation: p.place.Incarnation})
		}
	}
	for _, a := range Decide(c.run, nodes) {
		c.deliver(a)
	}
	if now := c.rootID(); now != nil && c.run.Failure == nil {
		if c.given && *now != c.root {
			c.violate("the root runs again as %s though rows have left", now)
		}
		c.root, c.given = *now, c.run.Given
	}
	for _, t := range c.run.Releasable() {
		c.released(t)
	}
	for _, t := range c.run.Discards() {
		if c.rng.IntN(2) == 0 { // else the word is lost
			c.free(t)
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

// deliver puts an action into its process's inbox, and checks it.
func (c *chaos) deliver(a Action) {
	t := a.Task
	for _, src := range a.Update.Sources {
		up := c.run.Task(src.Task)
		if up == nil || src.Committed && (c.run.Gone(up.Place) || up.Released || up.Unreachable) {
			c.violate("task %s is told of %s, which is lost", t.ID, src.Task)
		}
	}
	p := c.at(t.Place)
	if a.Start {
		c.note("start")
		switch {
		case p == nil || c.run.Gone(t.Place):
			c.violate("task %s is started on a node that is gone", t.ID)
		case t.Committed:
			c.violate("task %s is started when it is committed", t.ID)
		case c.known(t.ID):
			c.violate("task %s is started twice", t.ID)
		}
	}
	if p == nil || !p.alive {
		return // it falls into the void; the loss will be noticed
	}
	k := p.tries[t.ID]
	if k == nil {
		if !a.Start {
			return
		}
		k = &try{task: t, f: a.Fragment, part: partitionOf(c.run.Stages[a.Fragment.ID], t), outs: a.OutputPartitions, inputs: map[query.Part]*input{}, complete: map[plan.FragmentID]bool{}}
		p.tries[t.ID] = k
		p.order = append(p.order, k)
	}
	k.inbox = append(k.inbox, a)
	if c.bug == bugTwice && !a.Start && c.rng.IntN(4) == 0 {
		k.inbox = append(k.inbox, a)
	}
}

func (c *chaos) known(id plan.TaskID) bool {
	return slices.ContainsFunc(c.procs, func(p *proc) bool { return p.tries[id] != nil })
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
			if reader.Committed || reader.Has[query.PartOf(t.ID)] {
				continue
			}
			c.violate("the output of %s is released while %s needs it", t.ID, reader.ID)
		}
	}
	c.free(t)
}

// free drops an attempt and its output.
func (c *chaos) free(t *query.Task) {
	if p := c.at(t.Place); p != nil {
		delete(p.tries, t.ID)
		p.order = slices.DeleteFunc(p.order, func(k *try) bool { return k.task.ID == t.ID })
	}
}

// tellReader names the root to the reader of the result, as a Loop does.
func (c *chaos) tellReader() {
	tasks := c.run.Stages[0].Tasks
	if len(tasks) != 1 || tasks[0].Unplaced || tasks[0].Status.State == query.Planned {
		return
	}
	t, r := tasks[0], &c.reader
	src := Source{Task: t.ID, Address: t.Place.Address, Committed: t.Committed}
	if src.Task != r.src.Task && c.run.Held {
		return
	}
	if src.Task != r.src.Task && r.has > 0 {
		c.note("rest of the result lost")
		c.run.LoseOutput(t.ID)
		c.done = true // the reader's own fence: the query fails and may be run again
		return
	}
	r.src = src
}

// read lets the reader of the result have some of it.
func (c *chaos) read() {
	r := &c.reader
	p := c.byAddress(r.src.Address)
	if r.src.Address == "" || p == nil || c.run.Held || !p.alive || p.frozen > 0 {
		return
	}
	k := p.tries[r.src.Task]
	if k == nil || !k.ended && !c.big || k.failed {
		return
	}
	rows := k.rows
	if k.ended {
		rows = k.out[0]
	}
	n := len(rows) - r.has
	switch {
	case c.rng.IntN(4) > 0:
		return
	case !r.src.Committed || c.big && c.rng.IntN(2) == 0:
		if !c.big || n == 0 {
			return
		}
		n = c.rng.IntN(n + 1)
	}
	r.rows = append(r.rows, rows[r.has:r.has+n]...)
	r.has += n
	if c.big && n > 0 {
		c.run.Given = true
		c.note("rows given early")
	}
	if r.src.Committed && k.ended && r.has == len(rows) {
		c.run.Held = true
	}
}

// finish compares what the client has with what it should have.
func (c *chaos) finish() {
	slices.Sort(c.reader.rows)
	if !slices.Equal(c.reader.rows, c.want) {
		c.violate("the client has %d rows, %v, of %d, %v", len(c.reader.rows), c.reader.rows, len(c.want), c.want)
	}
}

// play runs until the query has ended, and returns what is wrong.
func (c *chaos) play() error {
	const horizon, most = 250, 3000
	for i := 0; c.broken == nil && !c.done; i++ {
		if i > most {
			return fmt.Errorf("no end after %d steps: %s", most, c.stuck())
		}
		c.run.Now += stealAfter / 8
		c.decide()
		if c.run.Failure != nil {
			c.note("failed")
			return c.judge(c.run.Failure)
		}
		for _, p := range c.procs {
			c.step(p)
		}
		c.read()
		if c.run.Held && c.run.Result() != nil {
			c.finish()
			break
		}
		if i < horizon {
			c.harm()
		} else if i == horizon {
			c.heal()
		}
		c.watch()
	}
	return c.broken
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

// gone is the failure of a place that is lost.
func lossOf(p *proc) *query.Failure {
	return &query.Failure{Cause: query.CauseNode, Retryable: true, Err: qerr.New(qerr.RemoteHostGone, "worker %s is gone", p.place.Node).WithRetry()}
}
