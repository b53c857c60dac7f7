package coordinator

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/tuttidb/tutti/coordinator/query"
	"github.com/tuttidb/tutti/coordinator/schedule"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/internal/qerr"
)

// How an execution goes on in another coordinator. The successor asks all
// workers what they have of the query, which also has them refuse the words of
// the one that began it (cluster.Client.Adopt). From that and the plan query.Adopt
// builds the run anew, and a loop drives it on as if nothing had been. Where it
// cannot be done the plan runs again, under numbers that no worker has seen; but
// only if the client has no row yet, as its order would be another.
//
// So that rows can be read from any of them on, the root task's output stays on
// its worker until the client has them for good (Delivered).

const (
	// adoptTimeout is how long workers are asked what they have of a query: one
	// that does not answer counts as lost.
	adoptTimeout = 3 * time.Second
	// chooseTimeout bounds the first word to the result's worker.
	chooseTimeout = time.Second
	// letGoEvery is the least time between two words to a worker about what is
	// delivered.
	letGoEvery = 20 * time.Millisecond
	// deposedWait is how long an execution whose coordinator does not lead any
	// more waits to be abandoned.
	deposedWait = 30 * time.Second
)

// state gives x its run: the one that another coordinator began, if there is
// one that can go on, or a new one. It returns the places that have parts of it.
func (r *distributedRows) state(x *running, tasks int) ([]query.Place, error) {
	adopt := r.e.Resume != nil && r.runs == 0
	if adopt {
		tasks = r.gather()
	}
	recovery, partitions := r.recovery(tasks), r.partitions(tasks)
	if !adopt {
		x.state = query.NewRun(r.e.Query, r.e.Plan, r.number, partitions)
		x.state.Recovery = recovery
		return nil, nil
	}
	found, err := r.inventories(x)
	if err != nil {
		return nil, err
	}
	run, failed := query.Adopt(query.Adoption{
		Query: r.e.Query, Plan: r.e.Plan, Epoch: r.d.Epoch, Rows: r.at, Shown: r.e.Resume.Epoch, Replanned: r.e.Resume.Replanned, Partitions: partitions, Recovery: recovery,
	}, found)
	log := r.d.Log.With("query", r.e.Query, "epoch", r.d.Epoch, "workers", len(found), "rows", r.at)
	places := make([]query.Place, 0, len(found))
	for _, inv := range found {
		places = append(places, inv.Place)
	}
	if failed == nil {
		log.Info("run taken over", "again", run.Again)
		r.d.tally.add(Recovered{TakenOver: 1})
		x.state, r.skip = run, r.at-run.Skipped.Rows
		r.count(x, found)
		return places, nil
	}
	r.sweep(x, found)
	if r.at > 0 {
		return nil, qerr.Wrap(qerr.RemoteHostGone, failed, "the coordinator that ran the query was lost, and the rest of the result with it; run the query again").WithRetry()
	}
	r.d.tally.add(Recovered{Queries: 1})
	log.Info("query begins again", "run", failed.Number, "cause", failed.Reason)
	x.state = query.NewRun(r.e.Query, r.e.Plan, failed.Number, partitions)
	x.state.Recovery = recovery
	return nil, nil
}

// inventories asks all workers, and this process's own executor, what they have.
func (r *distributedRows) inventories(x *running) ([]query.Inventory, error) {
	ctx, cancel := context.WithTimeout(r.ctx, adoptTimeout)
	defer cancel()
	places := []query.Place{schedule.Node{ID: schedule.CoordinatorNode, Address: r.d.Self}.Place()}
	for _, m := range r.d.Registry.Nodes() {
		places = append(places, m.Place())
	}
	var mu sync.Mutex
	var found []query.Inventory
	var gone error
	var asking sync.WaitGroup
	for _, at := range places {
		asking.Go(func() {
			inv, err := x.client.Adopt(ctx, at, r.e.Query)
			mu.Lock()
			defer mu.Unlock()
			var deposed *schedule.Deposed
			switch {
			case errors.As(err, &deposed):
				gone = err
			case err != nil:
				r.d.Log.Warn("worker does not say what it has of a query", "query", r.e.Query, "worker", at.Node, "error", err)
			default:
				found = append(found, inv)
			}
		})
	}
	asking.Wait()
	if gone != nil {
		return nil, r.deposed(qerr.Wrap(qerr.ServerShuttingDown, gone, "another coordinator goes on with the query"))
	}
	return found, context.Cause(r.ctx)
}

// sweep ends what workers have of a query that begins again, or fails.
func (r *distributedRows) sweep(x *running, found []query.Inventory) {
	ctx, cancel := context.WithTimeout(r.ctx, endTimeout)
	defer cancel()
	var ending sync.WaitGroup
	for _, inv := range found {
		if inv.Next == 0 { // it never had anything
			continue
		}
		ending.Go(func() {
			if err := x.client.End(ctx, inv.Place, r.e.Query); err != nil {
				r.d.Log.Warn("end query on node", "query", r.e.Query, "node", inv.Place.Node, "error", err)
			}
		})
	}
	ending.Wait()
}

// rest returns the rows of b that have not left yet. nil stands for the end.
func (r *distributedRows) rest(b *vector.Batch) *vector.Batch {
	if b == nil {
		return nil
	}
	n := int64(b.Rows())
	if r.skip == 0 {
		r.at += n
		return b
	}
	gone := min(r.skip, n)
	r.skip -= gone
	r.at += n - gone
	r.cut = *b
	if b.Sel == nil {
		r.cut.Sel = make([]int32, b.N)
		for i := range r.cut.Sel {
			r.cut.Sel[i] = int32(i)
		}
	}
	r.cut.Sel = slices.Clip(r.cut.Sel[gone:])
	return &r.cut
}

// Delivered says how much of the result is the client's for good.
func (r *distributedRows) Delivered(n int64) {
	for {
		old := r.delivered.Load()
		if n <= old {
			return
		}
		if r.delivered.CompareAndSwap(old, n) {
			break
		}
	}
	select {
	case r.news <- struct{}{}:
	default:
	}
}

// choose tells the root task's worker that the client reads this attempt's rows:
// a successor goes on with no other, as their order is its own. If the word does
// not come through, none can.
func (r *distributedRows) choose(x *running) {
	root, fed := x.root.Load(), x.fed.Load()
	if !r.d.Succeeded || root == nil || fed == nil || root.Task != *fed {
		return // another attempt has taken its place: see goOn
	}
	ctx, cancel := context.WithTimeout(x.ctx, chooseTimeout)
	defer cancel()
	if err := x.client.Delivered(ctx, root.Address, root.Task, r.delivered.Load()); err != nil && x.ctx.Err() == nil {
		r.d.Log.Warn("say which result is read", "query", r.e.Query, "error", err)
	}
}

// letGo tells the root task's worker what is delivered, while the run goes on:
// the task waits when too much is not.
func (r *distributedRows) letGo(x *running) {
	pause := time.NewTicker(letGoEvery)
	defer pause.Stop()
	for {
		select {
		case <-r.news:
		case <-x.over:
			return
		}
		root, fed := x.root.Load(), x.fed.Load()
		if root == nil || fed == nil || root.Task != *fed || x.again.Load() {
			continue // nothing can have been delivered that it gave, or not only
		}
		if err := x.client.Delivered(x.ctx, root.Address, root.Task, r.delivered.Load()); err != nil && x.ctx.Err() == nil {
			r.d.Log.Warn("say what is delivered", "query", r.e.Query, "error", err)
		}
		select {
		case <-pause.C:
		case <-x.over:
			return
		}
	}
}

// deposed waits until the execution is abandoned, since another coordinator
// goes on with it: what is said here would be one word too many.
func (r *distributedRows) deposed(err error) error {
	t := time.NewTimer(deposedWait)
	defer t.Stop()
	select {
	case <-r.left:
	case <-r.ctx.Done():
		return context.Cause(r.ctx)
	case <-t.C:
	}
	return err
}

// errLeft is what a reader gets of an execution that was abandoned.
var errLeft = errors.New("the execution was abandoned: another coordinator goes on with it")

// Abandon stops the execution: from now on it says nothing to anybody. Close
// frees what it has in this process.
func (r *distributedRows) Abandon() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over || r.abandoned {
		return
	}
	r.abandoned = true
	close(r.left)
	if x := r.run; x != nil && !x.ended {
		x.cancel()
		x.fail(errLeft)
	}
}
