package fragment

import (
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
)

// cutter turns a tree with exchanges into fragments, root first.
type cutter struct {
	fragments []*plan.Fragment
	oneTask   bool // scans too run in one task
	// shared are the sources of the classes of Shared nodes that are cut already.
	shared map[int]*plan.RemoteSource
	doubts doubts
}

// fragment cuts the tree below root and returns the fragment's ID. IDs are
// given top down, so the query's root fragment is 0.
func (c *cutter) fragment(root plan.Node, output plan.Partitioning) plan.FragmentID {
	f := &plan.Fragment{ID: plan.FragmentID(len(c.fragments)), Output: output}
	c.fragments = append(c.fragments, f)
	f.Root = c.cut(root, f)
	f.Spread = c.spreadOf(f.Root)
	f.Indeterminate = c.doubtful(f, false) || output.Kind == plan.RoundRobin || c.indeterminate(f)
	return f.ID
}

// cut replaces the exchanges nearest below n by remote sources.
func (c *cutter) cut(n plan.Node, f *plan.Fragment) plan.Node {
	switch n := n.(type) {
	case *plan.Exchange:
		return c.remote(n, f)
	case *plan.Shared:
		return c.again(n, f)
	}
	in := n.Inputs()
	if len(in) == 0 {
		return copyLeaf(n)
	}
	cutIn := make([]plan.Node, len(in))
	for i, x := range in {
		cutIn[i] = c.cut(x, f)
	}
	return n.WithInputs(cutIn)
}

// copyLeaf gives a leaf its own identity: a subtree that the plan holds twice
// must get two node IDs.
func copyLeaf(n plan.Node) plan.Node {
	switch n := n.(type) {
	case *plan.Scan:
		c := *n
		return &c
	case *plan.Values:
		c := *n
		return &c
	}
	return n
}

func (c *cutter) remote(e *plan.Exchange, f *plan.Fragment) plan.Node {
	src := &plan.RemoteSource{Base: e.Base, Columns: e.Outputs(), Kind: e.Kind, OrderBy: e.OrderBy}
	for _, in := range e.In {
		id := c.fragment(in, plan.Partitioning{Kind: e.Kind, Keys: e.Keys})
		src.Fragments = append(src.Fragments, id)
		f.Inputs = append(f.Inputs, id)
		for i, col := range c.fragments[id].Root.Outputs() {
			c.doubts.add(c.doubts.columns[col.ID], src.Columns[i])
		}
	}
	return src
}

// spreadOf finds what determines a fragment's tasks from its leaves.
func (c *cutter) spreadOf(root plan.Node) plan.Spread {
	spread := plan.OneTask
	plan.Walk(root, func(n plan.Node) bool {
		switch n := n.(type) {
		case *plan.Write:
			spread = plan.OnCoordinator
		case *plan.Scan:
			switch {
			case n.Table.Local:
				spread = plan.OnCoordinator
			case spread != plan.OnCoordinator && !c.oneTask:
				spread = plan.BySplits
			}
		case *plan.RemoteSource:
			if spread == plan.OneTask && (n.Kind == plan.Hash || n.Kind == plan.RoundRobin) {
				spread = plan.ByPartition
			}
		}
		return true
	})
	return spread
}

// indeterminate reports whether a rerun of f may give other rows: by its own
// operators, or because what it reads may.
func (c *cutter) indeterminate(f *plan.Fragment) bool {
	for _, id := range f.Inputs {
		if c.fragments[id].Indeterminate {
			return true
		}
	}
	found := false
	plan.Walk(f.Root, func(n plan.Node) bool {
		switch n := n.(type) {
		case *plan.Limit, *plan.UniqueID:
			found = true
		case *plan.TopN:
			found = true // ties at the edge
		case *plan.RowNumber:
			found = true
		case *plan.Filter:
			found = found || volatile(n.Predicate)
		case *plan.Join:
			found = found || n.Filter != nil && volatile(n.Filter)
		case *plan.Project:
			for _, a := range n.Cols {
				found = found || volatile(a.Expr)
			}
		}
		return !found
	})
	return found
}

func volatile(e expr.Expr) bool {
	found := false
	expr.Walk(e, func(e expr.Expr) bool {
		if c, ok := e.(*expr.Call); ok && c.Fn.Volatile {
			found = true
		}
		return !found
	})
	return found
}
