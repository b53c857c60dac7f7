package schedule

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/tuttidb/tutti/coordinator/query"
	"github.com/tuttidb/tutti/planner/plan"
)

// What a worker has finished is lost with it, and is made again as far as tasks
// need it that were lost with it, too. In a query that takes long this is most of
// what a lost worker costs, though what has to be kept of all the work, rows that
// were filtered, joined and summed up, is often little. So such outputs are copied
// to another worker (see query.Copies): those whose copying costs next to nothing
// beside the work that made them.
const (
	// byteCost and fetchCost are the processor time that a copied byte, and a
	// partition with anything in it, is taken to cost both nodes together.
	byteCost, fetchCost = 2 * time.Nanosecond, 100 * time.Microsecond
	// copyShare is what making an output took at least, in processor time, for each
	// unit that copying it costs.
	copyShare = 33
	// copyBytes is the largest output that is copied, copiesPerNode what copies of a
	// query may take for each worker: they are held as long as outputs are.
	copyBytes, copiesPerNode = 64 << 20, 128 << 20
	// copiesAtOnce is how many copies a worker makes at a time.
	copiesAtOnce = 2
)

// Copy is an output to be copied: an attempt's, where it is, and what each of its
// partitions has.
type Copy struct {
	Task    plan.TaskID
	Address string
	Ends    []query.PartitionEnd
}

// startCopies returns the outputs to copy now.
func startCopies(r *query.Run, nodes []Node) (out []Action) {
	if r.Recovery.CopyAfter <= 0 || r.Now < r.Recovery.CopyAfter || len(nodes) < 2 || r.Copies.Bytes >= int64(len(nodes))*copiesPerNode {
		return nil
	}
	making := copying(r)
	free := 0
	for _, n := range nodes {
		free += max(copiesAtOnce-making[n.Place()], 0)
	}
	for _, s := range r.Stages {
		if !slices.ContainsFunc(s.Consumers, func(c plan.FragmentID) bool { return !r.Stages[c].Done() }) {
			continue // nobody needs it any more
		}
		for _, t := range s.Tasks {
			if free <= 0 {
				return out
			}
			if !t.Committed || !r.MayCopy(t) {
				continue
			}
			if !copyPays(t) {
				t.Uncopied = true // it will not pay later
				continue
			}
			at, ok := copyNode(t, nodes, making)
			if !ok {
				continue
			}
			making[at]++
			free--
			r.BeginCopy(t, at)
			out = append(out, Action{Task: t, Fragment: s.Fragment, Copy: at})
		}
	}
	return out
}

// copyPays reports whether an output is worth a copy: it took long to make, and is
// small.
func copyPays(t *query.Task) bool {
	bytes, cost := int64(0), 3*fetchCost // for the word to copy it, what is asked about it, and the answers
	for _, p := range t.Status.End.Partitions {
		if bytes += p.Bytes; p.Frames > 0 {
			cost += fetchCost
		}
	}
	return bytes <= copyBytes && (cost+time.Duration(bytes)*byteCost)*copyShare <= t.Status.CPU
}

// copying counts the copies that each place is making.
func copying(r *query.Run) map[query.Place]int {
	n := map[query.Place]int{}
	for _, s := range r.Stages {
		for _, t := range s.Tasks {
			if t.Copying != (query.Place{}) {
				n[t.Copying]++
			}
		}
	}
	return n
}

// copyNode chooses the node for a copy: always the same one of those that are
// free, so that copies are spread over all; false: none is.
func copyNode(t *query.Task, nodes []Node, making map[query.Place]int) (query.Place, bool) {
	free := slices.DeleteFunc(slices.Clone(nodes), func(n Node) bool {
		return n.ID == t.Place.Node || n.Address == t.Place.Address || slices.Contains(t.Left, n.Place()) || making[n.Place()] >= copiesAtOnce
	})
	if len(free) == 0 {
		return query.Place{}, false
	}
	key := t.ID.String()
	return slices.MinFunc(free, func(a, b Node) int { return cmp.Compare(score(key, a.ID), score(key, b.ID)) }).Place(), true
}

// copy has an output copied, in its own time. That it fails is nobody's failure:
// copies are of use, not needed.
func (l *Loop) copy(ctx context.Context, a Action) {
	t, to := a.Task, a.Copy
	l.mu.Lock()
	of := Copy{Task: t.ID, Address: t.Place.Address, Ends: t.Status.End.Partitions}
	l.mu.Unlock()
	ctx = l.place(ctx, to).ctx
	l.working.Go(func() {
		err := l.deps.Client.Copy(ctx, to, of)
		if err != nil && ctx.Err() == nil {
			l.deps.Log.Debug("copy an output", "query", l.run.Query, "task", of.Task.String(), "to", to.Node, "error", err)
		}
		l.post(ctx, func(r *query.Run) { r.EndCopy(t, to, err == nil) })
	})
}
