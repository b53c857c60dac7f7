package exec

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/tuttidb/tutti/planner/plan"
)

// OperatorStats count what the drivers of one plan node did in a task. All
// fields are updated atomically, once a batch; times are in nanoseconds.
type OperatorStats struct {
	// Node is the plan node; Name says which part of it ("HashJoin build").
	Node plan.NodeID
	Name string

	RowsIn, RowsOut   atomic.Int64
	BytesOut          atomic.Int64
	Batches           atomic.Int64
	Nanos             atomic.Int64 // inside the operator, its inputs excluded
	BlockedNanos      atomic.Int64 // waiting for storage, input or a build side
	PeakBytes         atomic.Int64 // of the operator's account
	SpilledBytes      atomic.Int64
	PhysicalBytes     atomic.Int64 // scans: read from storage or its cache
	PhysicalRows      atomic.Int64 // scans: looked at before any filter
	Groups, GroupSkip atomic.Int64 // scans: row groups looked at, skipped
}

// TaskStats are a task's operator stats, in the order in which they were added.
type TaskStats struct {
	mu  sync.Mutex
	ops []*OperatorStats

	// CPUNanos is time that drivers spent running, all operators together.
	CPUNanos atomic.Int64
	// SplitsDone counts scan splits read to the end.
	SplitsDone atomic.Int64
}

// Operator returns the stats of one part of a plan node, making them when
// first asked; all drivers of a pipeline share them.
func (s *TaskStats) Operator(node plan.NodeID, name string) *OperatorStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.ops {
		if o.Node == node && o.Name == name {
			return o
		}
	}
	o := &OperatorStats{Node: node, Name: name}
	s.ops = append(s.ops, o)
	return o
}

// Operators returns all operator stats so far.
func (s *TaskStats) Operators() []*OperatorStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.ops)
}
