package schedule

import (
	"fmt"
	"slices"
	"time"

	"github.com/tuttidb/tutti/coordinator/query"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
)

// step lets a process work, and its words reach the coordinator.
func (c *chaos) step(p *proc) {
	if !p.alive || c.rng.IntN(3) > 0 {
		return
	}
	if p.frozen > 0 {
		if p.frozen--; p.frozen == 0 && !p.joined {
			c.note("a stopped process wakes up as a new member")
			c.member(p, p.place.Node)
		}
		return
	}
	if p.slow = max(p.slow-1, 0); p.slow == 0 || c.rng.IntN(20) == 0 {
		for _, k := range slices.Clone(p.order) {
			c.work(p, k)
		}
	}
	if !p.joined { // cut off: nobody hears it
		return
	}
	for len(p.mail) > 0 && c.rng.IntN(3) > 0 {
		st := p.mail[0]
		if c.rng.IntN(8) > 0 { // else it is said again
			p.mail = p.mail[1:]
		}
		before := c.run.Again
		if c.run.Hear(p.place, st) {
			c.note(fmt.Sprint("report ", st.State))
		}
		if c.run.Again > before {
			c.note("attempts follow a report")
		}
	}
	for len(p.answers) > 0 && c.rng.IntN(2) == 0 {
		p.answers[0]()
		p.answers = p.answers[1:]
	}
}

// work lets an attempt do something.
func (c *chaos) work(p *proc, k *try) {
	for len(k.inbox) > 0 && c.rng.IntN(4) > 0 {
		a := k.inbox[0]
		k.inbox = k.inbox[1:]
		if a.epoch < p.epoch && c.bug != bugUnfenced {
			c.note("a word of an old coordinator is refused")
			continue
		}
		p.epoch = max(p.epoch, a.epoch)
		k.counts = max(k.counts, a.epoch)
		c.hear(p, k, a)
	}
	if k.number == 0 || k.ended || k.failed {
		return
	}
	for range 2 {
		if len(k.started) > k.done && c.rng.IntN(2) == 0 {
			k.rows = append(k.rows, rowsIn(k.running)...)
			k.done++
		}
		if len(k.waiting) > 0 && len(k.started) == k.done {
			k.started = append(k.started, k.waiting[0].ID)
			k.running = k.waiting[0].Split
			k.waiting = k.waiting[1:]
		}
	}
	for _, f := range k.f.Inputs {
		for _, part := range k.parts(f) {
			c.fetch(p, k, k.inputs[part])
			if k.failed {
				return
			}
		}
	}
	c.end(p, k)
	if !k.ended && len(p.mail) < 10 && c.rng.IntN(3) == 0 {
		c.say(p, k, query.Running, nil, nil)
	}
}

// parts lists a try's inputs from a fragment, in order: maps have none.
func (k *try) parts(f plan.FragmentID) (out []query.Part) {
	for part := range k.inputs {
		if part.Fragment == f {
			out = append(out, part)
		}
	}
	slices.SortFunc(out, func(a, b query.Part) int { return int(a.Task - b.Task) })
	return out
}

// hear applies an update as a task does.
func (c *chaos) hear(p *proc, k *try, w word) {
	u := &w.Update
	if u.Number <= k.number && c.bug != bugTwice {
		c.violate("task %s: update %d after %d", k.id, u.Number, k.number)
	}
	k.number = u.Number
	k.waiting = append(k.waiting, u.Splits...)
	k.handed = append(k.handed, u.Splits...)
	k.noMore = k.noMore || len(u.NoMore) > 0
	for _, src := range u.Sources {
		c.source(p, k, src)
	}
	if run := c.run; len(u.Moved) > 0 && w.epoch == c.epoch {
		p.answers = append(p.answers, func() {
			if c.run == run {
				run.Reached(w.Task, u.Moved)
			}
		})
	}
	for _, f := range u.Complete {
		k.complete[f] = true
	}
	for _, a := range u.TakeBack {
		var ids []int64
		for i := len(k.waiting) - 1; i >= 0 && a.Count > 0 && !k.ended; i-- {
			if k.waiting[i].Scan == a.Scan {
				ids = append(ids, k.waiting[i].ID)
				k.waiting = slices.Delete(k.waiting, i, i+1)
				a.Count--
			}
		}
		if len(ids) > 0 {
			c.note("splits given back")
			k.handed = slices.DeleteFunc(k.handed, func(sp query.Split) bool { return slices.Contains(ids, sp.ID) })
		}
		started, run := len(k.started), c.run
		if w.epoch == c.epoch {
			p.answers = append(p.answers, func() {
				if c.run == run {
					run.Return(w.Task, ids, started)
				}
			})
		}
	}
}

// source takes what is said about an attempt, as exchange.reading does.
func (c *chaos) source(p *proc, k *try, src Source) {
	part := query.PartOf(src.Task)
	k.told[src.Task], k.at[src.Task] = src.Committed, src.Address
	in := k.inputs[part]
	switch {
	case in == nil:
		k.inputs[part] = &input{src: src}
	case in.src.Task == src.Task:
		in.said = in.said && in.src.Address == src.Address
		in.src = src
	case in.src.Task.Attempt > src.Task.Attempt, in.whole:
	case in.has > 0 && c.bug == bugResume:
		in.src, in.said = src, false
	case in.has > 0:
		c.note("an attempt that was read is superseded")
		c.fail(p, k, in.src.Task)
	default:
		k.inputs[part] = &input{src: src}
	}
}

// fetch takes some of an input's rows.
func (c *chaos) fetch(p *proc, k *try, in *input) {
	if in.whole || !in.src.Committed && c.bug != bugEager || c.rng.IntN(3) == 0 {
		return
	}
	from := c.byAddress(in.src.Address)
	if from == nil || !from.alive || from.frozen > 0 || c.cut[[2]int{p.n, from.n}] > 0 {
		if c.rng.IntN(6) == 0 && in.src.Committed { // patience is over
			c.lose(p, k, in)
		}
		return
	}
	up := from.tries[in.src.Task]
	if up == nil {
		if in.src.Committed {
			c.lose(p, k, in)
		}
		return
	}
	if !up.ended {
		c.violate("task %s is fed from %s, which has not ended", k.id, in.src.Task)
		return
	}
	part := k.part
	if len(up.out) == 1 {
		part = 0
	}
	rows := up.out[part]
	n := 0
	if in.has <= len(rows) {
		n = len(rows) - in.has
	}
	if n > 0 && c.rng.IntN(3) == 0 {
		n = c.rng.IntN(n)
	}
	in.rows = append(in.rows, rows[in.has:in.has+n]...)
	in.has += n
	if in.has == len(rows) {
		in.whole = true
		k.consumed = append(k.consumed, in.src.Task)
		k.allConsumed = append(k.allConsumed, in.src.Task)
	}
}

// lose says that an input cannot be had, or fails.
func (c *chaos) lose(p *proc, k *try, in *input) {
	switch {
	case in.has > 0:
		c.fail(p, k, in.src.Task)
	case !in.said:
		in.said = true
		k.lost = append(k.lost, in.src.Task)
		k.allLost = append(k.allLost, in.src.Task)
		c.note("an input is said to be lost")
		c.say(p, k, query.Running, nil, nil)
	}
}

// setAside is what a registry may say of a reader that does not reach a source.
func (c *chaos) setAside(reader, source query.Place) query.Place {
	at := [...]query.Place{{}, reader, source}[c.rng.IntN(3)]
	if at == reader && reader.Node != CoordinatorNode {
		c.note("a reader's node is set aside")
	}
	return at
}

func (c *chaos) fail(p *proc, k *try, lost plan.TaskID) {
	k.failed = true
	c.say(p, k, query.Failed, nil, &query.Failure{Cause: query.CauseLostOutput, Retryable: true, Lost: lost, Err: qerr.New(qerr.PageTransportError, "lost")})
}

// end ends a try that has nothing left to do.
func (c *chaos) end(p *proc, k *try) {
	st := c.run.Stages[k.f.ID]
	if len(st.Scans) > 0 && !k.noMore || len(k.waiting) > 0 || k.done < len(k.started) || len(k.inbox) > 0 {
		return
	}
	for _, f := range k.f.Inputs {
		if !k.complete[f] {
			return
		}
		for _, part := range k.parts(f) {
			if !k.inputs[part].whole {
				return
			}
		}
	}
	for _, f := range k.f.Inputs {
		var rows []int
		for _, part := range k.parts(f) {
			rows = append(rows, k.inputs[part].rows...)
		}
		if c.run.Stages[f].Fragment.Output.Kind != plan.Replicate {
			k.rows = append(k.rows, rows...)
		}
	}
	if k.f.ID != 0 || !k.stream { // rows come in another order each time
		c.rng.Shuffle(len(k.rows), func(i, j int) { k.rows[i], k.rows[j] = k.rows[j], k.rows[i] })
	}
	k.ended = true
	k.out = make([][]int, k.outs)
	salt := 0
	if k.f.Indeterminate {
		salt = c.rng.IntN(k.outs)
	}
	e := &query.End{Splits: slices.Clone(k.started), Partitions: make([]query.PartitionEnd, k.outs)}
	for _, row := range k.rows {
		n := (row + salt) % k.outs
		k.out[n] = append(k.out[n], row)
		e.Partitions[n].Rows++
		e.Partitions[n].Bytes++
	}
	if c.bug == bugForeignEnd && len(e.Splits) > 0 && c.rng.IntN(10) == 0 {
		e.Splits[0] += 1000
	}
	c.say(p, k, query.Finished, e, nil)
}

// say queues a status.
func (c *chaos) say(p *proc, k *try, state query.TaskState, end *query.End, f *query.Failure) {
	k.version++
	k.end, k.failure = end, f
	p.mail = append(p.mail, query.Status{
		Task: k.id, Version: k.version, State: state, End: end, Failure: f, QueuedSplits: len(k.waiting),
		RunningSplits: len(k.started) - k.done, DoneSplits: k.done, Consumed: k.consumed, Lost: k.lost, CPU: time.Second,
	})
	k.consumed, k.lost = nil, nil
}

// harm does something bad, now and then.
func (c *chaos) harm() {
	if c.rng.IntN(8) > 0 {
		return
	}
	p := c.procs[c.rng.IntN(len(c.procs))]
	if root := c.byAddress(c.reader.src.Address); root != nil && len(c.reader.rows) > 0 && !c.run.Held && c.rng.IntN(2) == 0 {
		p = root // the one that most depends on
	}
	c.faults++
	if p.alive && p.joined && c.matters(p) {
		c.struck++
	}
	switch kind := c.rng.IntN(9); {
	case kind < 2 && p.alive:
		c.kill(p)
	case kind == 2 && p.alive && p.frozen == 0:
		c.note("stopped")
		p.frozen = 1 + c.rng.IntN(60)
		p.notice = 10 + c.rng.IntN(30)
	case kind == 3 && !p.alive && !p.joined:
		c.note("back under its old name")
		c.join(p.place.Node)
	case kind == 4:
		c.note("joins")
		c.join(fmt.Sprint("w", len(c.procs)))
	case kind == 5 && p.joined:
		c.note("drains")
		p.draining = true
	case kind == 6:
		c.note("cut off from a peer")
		c.cut[[2]int{p.n, c.rng.IntN(len(c.procs))}] = 5 + c.rng.IntN(60)
	case kind == 7 && p.alive && p.joined:
		c.note("out of the coordinator's sight")
		c.drop(p)
		p.frozen = 1 + c.rng.IntN(30)
	case kind == 8 && p.alive && p.slow == 0:
		c.note("slowed down")
		p.slow = 10 + c.rng.IntN(100)
	}
}

// kill ends a process, which is noticed soon.
func (c *chaos) kill(p *proc) {
	if !p.alive {
		return
	}
	c.note("killed")
	p.alive, p.tries, p.order, p.mail, p.answers = false, map[plan.TaskID]*try{}, nil, nil, nil
	p.notice = 1 + c.rng.IntN(5)
}

// matters reports whether anything that counts is on a process.
func (c *chaos) matters(p *proc) bool {
	for _, k := range p.order {
		if t := c.run.Task(k.id); t != nil && (!t.Committed || !t.Released) {
			return true
		}
	}
	return false
}

// drop makes the coordinator give a process up.
func (c *chaos) drop(p *proc) {
	p.joined, p.notice = false, 0
	before := c.run.Again
	c.run.Lose(p.place, lossOf(p), false)
	if c.run.Again > before {
		c.note("attempts follow a loss")
	}
}

// watch lets the coordinator notice what is gone, and time pass.
func (c *chaos) watch() {
	for _, p := range c.procs {
		if p.notice == 0 {
			continue
		}
		if p.notice--; p.notice == 0 && p.joined && (!p.alive || p.frozen > 0) {
			c.drop(p)
		}
	}
	for pair := range c.cut {
		if c.cut[pair]--; c.cut[pair] <= 0 {
			delete(c.cut, pair)
		}
	}
}

// heal ends all harm, and makes sure that somebody can work.
func (c *chaos) heal() {
	for _, p := range c.procs {
		if p.frozen > 0 {
			p.frozen = 1
		}
		p.slow = min(p.slow, 1)
		if !p.alive && p.joined {
			c.drop(p)
		}
	}
	clear(c.cut)
	c.join("last")
}

// lossOf is the failure of a place that is lost.
func lossOf(p *proc) *query.Failure {
	return &query.Failure{Cause: query.CauseNode, Retryable: true, Err: qerr.New(qerr.RemoteHostGone, "worker %s is gone", p.place.Node).WithRetry()}
}
