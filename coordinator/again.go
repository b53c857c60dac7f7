package coordinator

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tuttidb/tutti/coordinator/given"
	"github.com/tuttidb/tutti/exchange"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
)

// How a result goes on of which rows have left when the task that delivers it
// is lost. Another attempt makes its rows again, in another order, and keeps
// them on its worker. When all are there they are read twice: first to see that
// the rows which have left are among them (given.Match), then for those that
// have not. So the client has each row of the other attempt once.
//
// A successor of this coordinator does not know which rows have left, only how
// many, and which attempt they are of as long as they are of one (choose). From
// the second one on it cannot go on (Execution.Bound).

// maxGiven is how many rows of a result are remembered, of 16 bytes each: with
// more the loss of the root task is the client's to hear of.
const maxGiven = 16 << 20

// reading says what is read of the root's output.
type reading uint8

const (
	// readStream: rows as they come, when all or as many as are kept here have.
	readStream reading = iota
	// readAll: the rows of an attempt that is complete, for comparison.
	readAll
	// readRest: the same, for those that have not left.
	readRest
)

// open begins to read the root's output, of attempts from least on.
func (r *distributedRows) open(x *running, least int32, what reading) error {
	cfg := exchange.InputsConfig{
		Task:  plan.TaskID{Stage: plan.StageID{Query: r.e.Query, Fragment: resultReader}},
		Conns: r.d.Conns, Auth: r.d.Auth, Log: r.d.Log, Ahead: resultAhead, FeedWhenFull: what == readStream, WholeFirst: what == readStream,
		Retry: resultRetry, Lost: x.rootLost, Feeds: func(id plan.TaskID) { x.fed.Store(&id) },
	}
	if what != readAll {
		cfg.Read = func(id plan.TaskID) {
			x.held.Store(true)
			go x.loop.Held(x.ctx, id)
		}
	}
	in := exchange.NewInputs(cfg)
	node := &plan.RemoteSource{Fragments: []plan.FragmentID{0}, Columns: r.e.Plan.Root().Root.Outputs()}
	source, err := in.Open(node, r.d.Account)
	if err != nil {
		in.Close()
		return err
	}
	x.mu.Lock()
	old := x.reader
	x.reader, x.least = &reader{in, source}, least
	x.fed.Store(nil)
	if root := x.root.Load(); root != nil {
		x.tell(*root)
	}
	if x.dead != nil {
		in.Fail(x.dead)
	}
	x.mu.Unlock()
	if old != nil {
		old.close()
	}
	return nil
}

// remember begins to remember which rows of a run leave, if that can be of use:
// not of a run that was taken over when some had.
func (r *distributedRows) remember(x *running) {
	if x.state.Recovery.Tasks && r.at == 0 {
		x.log, x.state.Repeatable = given.NewLog(r.d.Account, maxGiven), true
	}
}

// read returns rows that have not left, but for those of another coordinator.
func (r *distributedRows) read(ctx context.Context) (*vector.Batch, error) {
	x := r.run
	b, err := x.reader.source.Next(ctx)
	if err == nil && x.match != nil {
		b, err = r.remains(b)
	}
	if err != nil || b == nil {
		return nil, err
	}
	r.note(b)
	return b, nil
}

// note remembers rows that leave.
func (r *distributedRows) note(b *vector.Batch) {
	x := r.run
	if x.log == nil || x.full {
		return
	}
	if x.held.Load() { // nothing can be lost any more
		if x.match == nil {
			x.log.Close()
			x.log = nil
		}
		return
	}
	if err := x.log.Add(b); err != nil {
		x.full = true
		r.d.Log.Info("a result is too large for its rest to be looked up", "query", r.e.Query, "rows", x.log.Rows(), "cause", err)
		if x.match == nil {
			x.log.Close()
			x.log = nil
		}
		x.loop.Unrepeatable(x.ctx)
	}
}

// remains returns those rows of another attempt that have not left.
func (r *distributedRows) remains(b *vector.Batch) (*vector.Batch, error) {
	x := r.run
	if fed := x.fed.Load(); fed == nil || *fed != x.matched {
		return nil, &exchange.LostOutput{Task: x.matched, Reason: "another attempt took its place before it was read"}
	}
	if b == nil {
		if n := x.match.Missing(); n > 0 {
			return nil, qerr.New(qerr.GenericInternal, "internal error: %d rows of task %s that were there are not there any more", n, x.matched)
		}
		return nil, nil
	}
	sel, err := x.match.Rest(b)
	if err != nil {
		return nil, err
	}
	r.part = vector.Batch{N: b.N, Sel: sel, Cols: b.Cols}
	return &r.part, nil
}

// goOn goes on with another attempt of the root after err, if it says that the
// one which was read is lost. Else, and if it cannot be done, it returns the
// error that the client gets.
func (r *distributedRows) goOn(ctx context.Context, err error) error {
	x := r.run
	for {
		var lost *exchange.LostOutput
		if !errors.As(err, &lost) || x.failed.Load() != nil || x.log == nil || x.full || r.skip > 0 {
			return err
		}
		if !x.again.Swap(true) && r.d.Succeeded && r.e.Bound != nil {
			r.e.Bound()
		}
		r.d.Log.Warn("the rest of a result is looked up in another attempt", "query", r.e.Query, "rows", x.log.Rows(), "lost", lost.Task.String(), "cause", lost.Error())
		go x.loop.LostOutput(x.ctx, lost.Task)
		if err = r.compare(ctx, lost.Task.Attempt+1); err == nil {
			return nil
		}
	}
}

// compare waits for an attempt to be complete, from least on, compares its rows
// with those that have left, and begins to read the remaining ones.
func (r *distributedRows) compare(ctx context.Context, least int32) error {
	x := r.run
	x.match = nil
	if err := r.open(x, least, readAll); err != nil {
		return err
	}
	m, err := x.log.Match()
	if err != nil {
		return restLost(err)
	}
	for {
		b, err := x.reader.source.Next(ctx)
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
		if _, err := m.Rest(b); err != nil {
			return err
		}
	}
	fed := x.fed.Load()
	if n := m.Missing(); n > 0 || fed == nil || !m.First() && mixes(r.e.Plan) {
		return restLost(fmt.Errorf("another attempt at it has other rows: %d of the first %d are not among them", n, x.log.Rows()))
	}
	m.Reset()
	x.match, x.matched = m, *fed
	return r.open(x, fed.Attempt, readRest)
}

// restLost is the error of a result whose rest cannot be had.
func restLost(err error) error {
	return qerr.Wrap(qerr.RemoteHostGone, err, "the rest of the result was lost with a worker; run the query again").WithRetry()
}

// mixes reports whether a plan's result is ordered and may have other rows each
// time, so that what remains of it may belong between rows that have left.
func mixes(p *plan.Plan) bool {
	ordered := false
	plan.Walk(p.Root().Root, func(n plan.Node) bool {
		switch n := n.(type) {
		case *plan.Sort, *plan.TopN:
			ordered = true
		case *plan.RemoteSource:
			ordered = ordered || n.OrderBy != nil
		}
		return true
	})
	return ordered && slices.ContainsFunc(p.Fragments, func(f *plan.Fragment) bool { return f.Indeterminate })
}
