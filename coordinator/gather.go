package coordinator

import (
	"slices"
	"time"

	"github.com/tuttidb/tutti/coordinator/cluster"
)

// A coordinator that begins to lead may not know all workers yet: it was just
// started, and they are about to join it. What it does not know counts as lost,
// so a query that goes on waits for them first, for a moment.

const (
	// gatherTime is how long the workers are waited for that the coordinator
	// before had; gatherRows how long if the client has rows, so that the query
	// fails if the worker that has the rest counts as lost.
	gatherTime, gatherRows = 2 * time.Second, 5 * time.Second
)

// gather waits until all workers of before have joined or are known to be gone,
// or for a while. It returns those that have done neither.
func gather(r *cluster.Registry, before []string, patience time.Duration, stop ...<-chan struct{}) (missing []string) {
	late := time.NewTimer(patience)
	defer late.Stop()
	stop = append(stop, nil, nil) // at least two
	for {
		changed := r.Changed()
		if missing = absent(r, before); len(missing) == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-late.C:
			return missing
		case <-stop[0]:
			return missing
		case <-stop[1]:
			return missing
		}
	}
}

// absent returns the workers of before that have never joined here.
func absent(r *cluster.Registry, before []string) (missing []string) {
	known := map[string]bool{}
	for _, m := range r.Members() {
		known[m.Hello.NodeId] = true
	}
	for _, node := range before {
		if !known[node] {
			missing = append(missing, node)
		}
	}
	slices.Sort(missing)
	return missing
}

// gather waits for the workers that may have parts of the execution, and
// returns how many there are.
func (r *distributedRows) gather() int {
	patience := gatherTime
	if r.at > 0 {
		patience = gatherRows
	}
	if missing := gather(r.d.Registry, r.d.Before, patience, r.ctx.Done(), r.left); len(missing) > 0 {
		r.d.Log.Warn("a query goes on without workers that have not joined", "query", r.e.Query, "workers", missing)
	}
	return r.d.Tasks()
}
