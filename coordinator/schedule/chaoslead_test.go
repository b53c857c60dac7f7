package schedule

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/coordinator/query"
	"github.com/tuttidb/tutti/planner/plan"
)

// zombie is a coordinator that does not know yet that another one leads.
type zombie struct {
	run   *query.Run
	epoch int
	steps int
}

// succeed lets the coordinator die, now and then, and coordinators that died
// say their last words.
func (c *chaos) succeed() {
	for _, z := range c.zombies {
		c.haunt(z)
	}
	c.zombies = slices.DeleteFunc(c.zombies, func(z *zombie) bool { return z.steps <= 0 || z.run.Failure != nil })
	if c.taken+c.dropped < 4 && !c.done && c.broken == nil && c.run.Failure == nil && c.rng.IntN(50) == 0 {
		c.takeover()
	}
}

// haunt lets a coordinator that does not lead any more act.
func (c *chaos) haunt(z *zombie) {
	z.steps--
	z.run.Now += stealAfter
	if p := c.procs[c.rng.IntN(len(c.procs))]; c.rng.IntN(8) == 0 {
		z.run.Lose(p.place, lossOf(p), false)
	}
	for _, a := range Decide(z.run, c.nodes(z.run)) {
		c.deliver(a, z.epoch)
	}
	for _, t := range append(z.run.Releasable(), z.run.Discards()...) {
		c.free(t, z.epoch)
	}
}

// takeover puts another coordinator into the place of the one that leads, as
// what workers have lets it.
func (c *chaos) takeover() {
	c.note("the coordinator dies")
	if c.bound {
		c.note("the rest of a result is bound to its coordinator")
		c.done = true
		return
	}
	if c.rng.IntN(2) == 0 {
		c.zombies = append(c.zombies, &zombie{run: c.run, epoch: c.epoch, steps: 1 + c.rng.IntN(20)})
	}
	c.epoch++
	c.unlisted = nil
	if c.rng.IntN(3) == 0 {
		c.kill(c.procs[c.rng.IntN(len(c.procs))])
	}
	if c.rng.IntN(6) == 0 {
		c.change()
	}
	var found []query.Inventory
	for _, p := range c.procs {
		if p.joined && p.alive && p.frozen == 0 && c.rng.IntN(15) > 0 {
			found = append(found, c.inventory(p))
		}
	}
	old := c.run
	c.dump("before", old)
	c.dumpFound(found)
	run, failed := query.Adopt(query.Adoption{
		Query: "q", Plan: old.Plan, Epoch: uint64(c.epoch), Rows: int64(c.delivered), Shown: uint64(c.shown), Replanned: c.rng.IntN(50) == 0 && c.delivered == 0,
		Partitions: 1 + c.rng.IntN(4), Recovery: old.Recovery, Fault: old.Fault,
	}, found)
	r := &c.reader
	r.rows, r.has, r.src, r.again, r.rest = r.rows[:c.delivered], c.delivered, Source{}, false, nil
	c.given, c.adopted = false, failed == nil
	if failed == nil {
		c.taken++
		c.note("a run is taken over")
		if run.Again > 0 {
			c.note("attempts follow a takeover")
		}
		c.noteCopies(found)
		c.run = run
		for _, inv := range found { // most hear that they count
			for _, k := range c.at(inv.Place).order {
				if t := run.Task(k.id); t != nil && (t.Place == inv.Place || t.Copy == inv.Place) && c.rng.IntN(20) > 0 {
					k.counts = c.epoch
				}
			}
		}
		c.run.Repeatable = c.repeatable && c.delivered == 0
		c.dump("adopted", run)
		c.relist()
		return
	}
	c.dropped++
	if strings.Contains(failed.Reason, "of the result are gone") {
		c.violate("rows went before they were delivered: %s", failed.Reason)
	}
	c.note("not taken over: " + reasonOf(failed.Reason))
	if c.delivered > 0 {
		c.note("the rest of a result is lost with its coordinator")
		c.done = true
		return
	}
	for _, inv := range found { // they are told to end what they have
		c.endAll(c.at(inv.Place))
	}
	n := 1 + c.rng.IntN(4)
	c.run = query.NewRun("q", old.Plan, failed.Number, n)
	c.run.Fault, c.run.Recovery, c.run.Cut, c.run.Repeatable = old.Fault, old.Recovery, c.setAside, c.repeatable
	c.relist()
}

// noteCopies notes what became of copies that places have.
func (c *chaos) noteCopies(found []query.Inventory) {
	for _, inv := range found {
		for _, a := range inv.Attempts {
			switch t := c.run.Task(a.Status.Task); {
			case t == nil || !a.Copy:
			case t.Place == inv.Place:
				c.note("a copy is taken over in the place of its output")
			case t.Copy == inv.Place:
				c.note("a copy is taken over beside its output")
			}
		}
	}
}

// reasonOf is a reason without its numbers.
func reasonOf(text string) string {
	return string(slices.DeleteFunc([]rune(text), func(r rune) bool { return r >= '0' && r <= '9' || r == '.' }))
}

// endAll ends all that a process has.
func (c *chaos) endAll(p *proc) {
	for _, k := range p.order {
		p.tomb = max(p.tomb, k.id.Attempt+1)
	}
	p.tries, p.order, p.mail, p.answers = map[plan.TaskID]*try{}, nil, nil, nil
}

// inventory is what a process says that it has; it hears of the new coordinator.
func (c *chaos) inventory(p *proc) query.Inventory {
	if c.bug != bugUnfenced {
		p.epoch = c.epoch
	}
	p.mail, p.answers = nil, nil
	inv := query.Inventory{Place: p.place, Next: p.tomb, Ended: p.tomb > 0 && len(p.order) == 0}
	for _, k := range slices.Clone(p.order) {
		if k.number == 0 { // its start is a word of the old coordinator
			if c.bug != bugUnfenced {
				p.drop(k.id)
			}
			continue
		}
		if c.bug != bugUnfenced {
			k.inbox = nil
		}
		inv.Next = max(inv.Next, k.id.Attempt+1)
		inv.Attempts = append(inv.Attempts, k.tells(c))
		k.epoch = c.epoch
	}
	return inv
}

// tells is what a try says about itself.
func (k *try) tells(c *chaos) query.Attempt {
	a := query.Attempt{
		Epoch: uint64(k.counts), Chosen: k.chosen, ChosenBy: uint64(k.chosenBy), Partition: k.part, Partitions: k.partitions, Outputs: k.outs, Update: k.number, Splits: slices.Clone(k.handed),
		Told: map[plan.TaskID]bool{}, Addresses: maps.Clone(k.at), DroppedRows: int64(k.low), DroppedFrames: int64(k.low), Copy: k.isCopy(),
	}
	for id, committed := range k.told {
		a.Told[id] = committed
	}
	for _, f := range k.f.Inputs {
		if k.complete[f] {
			a.Complete = append(a.Complete, f)
		}
	}
	if k.noMore {
		for _, scan := range c.run.Stages[k.f.ID].Scans {
			a.NoMore = append(a.NoMore, scan.Node)
		}
	}
	k.version++
	a.Status = query.Status{
		Task: k.id, Version: k.version, State: query.Running, QueuedSplits: len(k.waiting), RunningSplits: len(k.started) - k.done, DoneSplits: k.done,
		Consumed: slices.Clone(k.allConsumed), Lost: slices.Clone(k.allLost),
	}
	switch {
	case k.ended:
		a.Status.State, a.Status.End = query.Finished, k.end
	case k.failed:
		a.Status.State, a.Status.Failure = query.Failed, k.failure
	}
	k.consumed, k.lost = nil, nil
	return a
}

// change makes a split come, or go.
func (c *chaos) change() {
	for _, s := range c.run.Stages {
		for _, scan := range s.Scans {
			table := c.tables[scan.Node]
			if c.rng.IntN(2) == 0 || len(table) == 0 {
				c.note("a split comes")
				sp := c.newSplit()
				c.tables[scan.Node] = append(table, sp)
				c.loosen(sp)
				return
			}
			if c.rng.IntN(2) == 0 {
				c.note("a split goes")
				i := c.rng.IntN(len(table))
				c.loosen(table[i])
				c.tables[scan.Node] = slices.Delete(slices.Clone(table), i, i+1)
				return
			}
		}
	}
}

// loosen takes a split's rows from those that must be in the result.
func (c *chaos) loosen(sp connectors.Split) {
	first := rowsIn(sp)[0]
	split := first / 3
	c.loose[split] = 0
	for _, row := range c.rowsOf(0) { // a row may be in the result more than once
		if row == first {
			c.loose[split]++
		}
	}
	c.want = slices.DeleteFunc(c.want, func(row int) bool { return row/3 == split })
}

// relist begins to list the splits of a run's scans.
func (c *chaos) relist() {
	run := c.run
	for _, s := range run.Stages {
		for _, scan := range s.Scans {
			if scan.Listed {
				c.note("a stage that is complete is not listed")
				continue
			}
			listed := slices.Clone(c.tables[scan.Node])
			c.rng.Shuffle(len(listed), func(i, j int) { listed[i], listed[j] = listed[j], listed[i] })
			at := c.rng.IntN(len(listed) + 1)
			c.unlisted = append(c.unlisted, func() { run.List(s, scan, listed[:at], false) }, func() { run.List(s, scan, listed[at:], true) })
		}
	}
}

// list goes on with listings.
func (c *chaos) list() {
	for len(c.unlisted) > 0 && c.rng.IntN(2) == 0 {
		c.unlisted[0]()
		c.unlisted = c.unlisted[1:]
	}
}

// String names a planted bug.
func (b modelBug) String() string { return fmt.Sprintf("model %d", uint8(b)) }
