package coordinator

import (
	"math"
	"strings"

	"github.com/tuttidb/tutti/planner/plan"
)

const (
	// reserveFloor is what a query that runs on workers reserves at least: the
	// batches in its pipelines.
	reserveFloor = 16 << 20
	// reserveUnknown is the share of a node's memory that an operator of
	// unknown size is taken to need.
	reserveUnknown = 0.1
	// tableOverhead is how much larger rows are in a hash table than alone.
	tableOverhead = 2
)

// reservation is the memory that a plan is expected to need on one node, in
// bytes: what its joins, aggregations and sorts keep at once, by the
// optimizer's estimates. It decides when the query starts, not what it may
// use, so it errs to the high side: operators that in truth run one after the
// other all count. What the coordinator answers by itself (system tables,
// constants) has no estimates and needs next to nothing: it reserves only what
// is known.
func reservation(p *plan.Plan, tasks int, capacity int64) int64 {
	total, unknown := 0.0, 0.0
	if needsWorkers(p) {
		total, unknown = reserveFloor, reserveUnknown*float64(capacity)
	}
	for _, f := range p.Fragments {
		share := 1.0 // of the fragment's rows that one node has
		if f.Spread == plan.BySplits || f.Spread == plan.ByPartition {
			share = 1 / float64(max(1, tasks))
		}
		plan.Walk(f.Root, func(n plan.Node) bool {
			if kept, factor := keeps(n, share); kept != nil {
				total += factor * estimatedBytes(kept, unknown)
			}
			return true
		})
	}
	if capacity > 0 {
		total = min(total, float64(capacity))
	}
	return int64(min(total, math.MaxInt64/2))
}

// keeps returns the node whose rows an operator keeps in memory, and by what
// their size is multiplied; nil if it keeps none to speak of.
func keeps(n plan.Node, share float64) (plan.Node, float64) {
	switch n := n.(type) {
	case *plan.Join:
		if n.Dist == plan.Partitioned {
			return n.Right, tableOverhead * share
		}
		return n.Right, tableOverhead
	case *plan.Aggregate:
		if n.Step != plan.Partial && len(n.Keys) > 0 {
			return n, tableOverhead * share
		}
	case *plan.Sort:
		return n.Input, share
	case *plan.RowNumber:
		return n.Input, share
	case *plan.MarkDistinct:
		return n.Input, tableOverhead * share
	}
	return nil, 0
}

// estimatedBytes is the size of a node's output by the optimizer's estimate.
func estimatedBytes(n plan.Node, unknown float64) float64 {
	if e := n.Common().Est; e != nil && !math.IsNaN(e.Bytes) {
		return max(0, e.Bytes)
	}
	return unknown
}

// waitless are the statements that end at once and need no memory. They do
// not queue, so that a session can be set up and a query be killed when
// everything else waits.
var waitless = map[string]bool{
	"USE": true, "SET": true, "RESET": true, "START": true, "COMMIT": true, "ROLLBACK": true, "CALL": true, "DEALLOCATE": true,
}

// maxWaitless is the longest text of such a statement, in bytes: parsing a
// long one is work.
const maxWaitless = 4096

// queues reports whether a statement must be admitted. It goes by the first
// word, as nothing has been parsed yet.
func queues(sql string) bool {
	if len(sql) > maxWaitless {
		return true
	}
	word := strings.TrimSpace(sql)
	if i := strings.IndexFunc(word, func(r rune) bool { return (r|0x20 < 'a') || (r|0x20 > 'z') }); i >= 0 {
		word = word[:i]
	}
	return !waitless[strings.ToUpper(word)]
}
