package schedule

import (
	"slices"

	"github.com/tuttidb/tutti/coordinator/query"
)

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
	another := src.Task != r.src.Task && r.src.Address != "" // after a takeover the reader knows of none
	if another && len(r.rows) > 0 && c.run.Repeatable {
		c.note("the rest is looked up in another attempt")
		r.again, r.rest, r.has = true, nil, 0
	} else if another && r.has > 0 {
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
	if k == nil || !k.ended && (!c.big || !k.stream) || k.failed {
		return
	}
	if r.again {
		c.lookUp(k)
		return
	}
	rows := k.rows
	if k.ended {
		rows = k.out[0]
	}
	if r.has < k.low || r.has > len(rows) {
		c.violate("row %d of the result is read; %d are gone of %d", r.has, k.low, len(rows))
		return
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
	if r.has > 0 {
		k.chosen, k.chosenBy = true, c.epoch
	}
	if c.bug == bugLowWater {
		k.low = r.has
	}
}

// lookUp gives the client rows of another attempt than the one that it has the
// first of: those that it does not have.
func (c *chaos) lookUp(k *try) {
	r := &c.reader
	if !k.ended || !r.src.Committed || c.rng.IntN(4) > 0 {
		return
	}
	if r.rest == nil {
		left := slices.Clone(r.rows)
		switch {
		case c.bug == bugForgetGiven:
			left = left[:len(left)-1]
		case c.bug == bugSkip && len(left) <= len(k.out[0]):
			left = slices.Clone(k.out[0][:len(left)])
		}
		r.rest = []int{}
		for _, row := range k.out[0] {
			if i := slices.Index(left, row); i >= 0 {
				left = slices.Delete(left, i, i+1)
			} else {
				r.rest = append(r.rest, row)
			}
		}
		if len(left) > 0 {
			c.note("another attempt has other rows")
			if len(c.loose) == 0 && !c.indeterminate {
				c.violate("attempt %s does not have %d rows that have left", k.id, len(left))
			}
			c.done = true
			return
		}
	}
	n := c.rng.IntN(len(r.rest) - r.has + 1)
	r.rows = append(r.rows, r.rest[r.has:r.has+n]...)
	if r.has += n; r.has == len(r.rest) {
		c.run.Held = true
	}
}

// page lets the client have some of the rows for good, and the root's worker
// hear of it.
func (c *chaos) page() {
	r := &c.reader
	if c.rng.IntN(4) > 0 || !c.big && !c.run.Held {
		return
	}
	before := c.delivered
	c.delivered += c.rng.IntN(len(r.rows) - c.delivered + 1)
	if c.run.Held && c.rng.IntN(2) == 0 {
		c.delivered = len(r.rows)
	}
	if c.delivered > before {
		c.shown = c.epoch
	}
	if r.again {
		c.bound = c.bound || c.delivered > before
		return
	}
	if p := c.byAddress(r.src.Address); p != nil && p.tries[r.src.Task] != nil && c.rng.IntN(2) == 0 {
		p.tries[r.src.Task].low = max(p.tries[r.src.Task].low, c.delivered)
	}
}

// finish compares what the client has with what it should have, and looks
// whether everything is freed.
func (c *chaos) finish() {
	rows := c.reader.rows
	for split, times := range c.loose {
		var of, whole []int
		rows = slices.DeleteFunc(rows, func(row int) bool {
			if row/3 == split {
				of = append(of, row)
			}
			return row/3 == split
		})
		for row := split * 3; row < split*3+3; row++ {
			whole = append(whole, slices.Repeat([]int{row}, times)...)
		}
		if slices.Sort(of); len(of) > 0 && !slices.Equal(of, whole) {
			c.violate("the client has rows %v of split %d, which came or went", of, split)
		}
	}
	c.dump("finish", c.run)
	slices.Sort(rows)
	if !slices.Equal(rows, c.want) {
		c.violate("the client has %d rows, %v, of %d, %v", len(rows), rows, len(c.want), c.want)
	}
	c.decide()
	all := !slices.ContainsFunc(c.run.Stages, func(s *query.Stage) bool { return !s.Done() })
	for _, p := range c.procs {
		if !p.alive || !p.joined || c.run.Gone(p.place) {
			continue
		}
		for _, k := range p.order {
			s := c.run.Stages[k.f.ID]
			switch {
			case k.copyAt == p.place && k.epoch == c.epoch && !c.unheard[k.id] && all:
				c.violate("the copy of the output of %s is still there when the query has ended", k.id)
			case k.isCopy():
			case c.unheard[k.id], k.f.ID == 0 && c.run.Task(k.id) != nil: // they go with the query
			case slices.ContainsFunc(s.Superseded, func(t *query.Task) bool { return t.ID == k.id && t.Place == p.place }):
				c.violate("attempt %s does not count, and is still there", k.id)
			case slices.ContainsFunc(s.Tasks, func(t *query.Task) bool { return t.ID == k.id && t.Place == p.place }) && all:
				c.violate("the output of %s is still there when the query has ended", k.id)
			case slices.ContainsFunc(s.Tasks, func(t *query.Task) bool { return t.Twin != nil && t.Twin.ID == k.id }) && all:
				c.violate("%s, a twin, is still there when the query has ended", k.id)
			}
		}
	}
}
