package coordinator

import (
	"github.com/tuttidb/tutti/planner/plan"
)

// Stages that are spread by partition, such as joins and groupings whose rows are
// hashed, have one task a worker: more make small queries slower. With large ones
// that does not show, and more tasks are a gain: when a worker is lost its part
// is shared by all that are left, where one of them would have to do two workers'
// work; a worker that is slow has less to be done twice; and keys that many rows
// have are with fewer others.
const (
	// partitionsOfLarge is how many tasks a worker has in stages of large queries:
	// of four workers that are left with three each has four instead of three.
	partitionsOfLarge = 3
	// largeScan is how much a thread reads, in bytes of columns as they are in
	// memory, from which on a query is large: a second or more of its time.
	largeScan = 512 << 20
)

// partitions is the number of tasks of stages that are spread by partition.
func (r *distributedRows) partitions(workers int) int {
	if r.e.Partitions > 0 {
		return workers * r.e.Partitions
	}
	threads := 0
	for _, n := range r.d.Registry.Live() {
		threads += max(n.Threads, 1)
	}
	if isLarge(r.e.Plan, threads) {
		return workers * partitionsOfLarge
	}
	return workers
}

// isLarge reports whether so many threads will work on a plan for long.
func isLarge(p *plan.Plan, threads int) bool {
	return scanned(p) >= largeScan*float64(max(threads, 1))
}

// scanned is how many bytes the scans of a plan are expected to give; what is
// not known counts as nothing.
func scanned(p *plan.Plan) (bytes float64) {
	for _, f := range p.Fragments {
		plan.Walk(f.Root, func(n plan.Node) bool {
			if s, ok := n.(*plan.Scan); ok {
				bytes += estimatedBytes(s, 0)
			}
			return true
		})
	}
	return bytes
}
