package schedule

import (
	"maps"
	"slices"

	"github.com/tuttidb/tutti/coordinator/query"
)

// copyJob is a copy that a process makes.
type copyJob struct {
	run      *query.Run
	task     *query.Task
	from, to query.Place
	epoch    int
}

// beginCopy takes a coordinator's word that an output is to be copied.
func (c *chaos) beginCopy(a Action, epoch int) {
	t := a.Task
	x := &copyJob{run: c.run, task: t, from: t.Place, to: a.Copy, epoch: epoch}
	if epoch != c.epoch {
		x.run = nil // nobody asks what became of it
	} else if p := c.at(x.to); p == nil || c.run.Gone(x.to) || c.run.Draining(x.to) || !t.Committed || t.Released || t.Place == x.to || t.ID.Stage.Fragment == 0 {
		c.violate("the output of %s at %v is to be copied to %v", t.ID, t.Place, x.to)
	}
	c.copies = append(c.copies, x)
}

// copyOn goes on with copies.
func (c *chaos) copyOn() {
	c.copies = slices.DeleteFunc(c.copies, func(x *copyJob) bool {
		if c.rng.IntN(4) > 0 {
			return false
		}
		whole := c.copyNow(x)
		if whole && c.rng.IntN(20) == 0 {
			whole = false // the answer is lost
		}
		if x.run == c.run {
			c.run.EndCopy(x.task, x.to, whole)
		}
		return true
	})
}

// copyNow copies an output, and what its place says of the attempt, if it can be
// had, and be put where it is to go.
func (c *chaos) copyNow(x *copyJob) bool {
	from, to, id := c.byAddress(x.from.Address), c.at(x.to), x.task.ID
	switch {
	case to == nil || !to.alive || to.frozen > 0 || x.epoch < to.epoch:
		return false
	case from == nil || !from.alive || from.frozen > 0 || c.cut[[2]int{to.n, from.n}] > 0 || x.epoch < from.epoch:
		return false
	}
	if old := to.tries[id]; old != nil {
		if !old.isCopy() || old.epoch == x.epoch && old.counts == x.epoch {
			return old.isCopy()
		}
		to.drop(id)
	}
	k := from.tries[id]
	if k == nil || !k.ended || k.epoch != x.epoch {
		return false
	}
	from.epoch, to.epoch = x.epoch, x.epoch
	spare := *k
	spare.counts, spare.copyAt, spare.inbox = x.epoch, x.to, nil
	spare.told, spare.at, spare.complete = maps.Clone(k.told), maps.Clone(k.at), maps.Clone(k.complete)
	to.tries[id] = &spare
	to.order = append(to.order, &spare)
	return true
}

// isCopy reports whether a try is no more than the copy of an output.
func (k *try) isCopy() bool { return k.copyAt != query.Place{} }
