package fragment

import (
	"slices"

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
	f.Indeterminate = c.doubtful(f, false) || output.Kind == plan.RoundRobin || c.indeterminate(f.Root)
	f.SameFilters = !c.doubts.filter && c.sameFilters(f)
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

// indeterminate reports whether a rerun of the tree below root may give other
// rows: by its own operators, or because what it reads may.
func (c *cutter) indeterminate(root plan.Node) bool {
	found := false
	plan.Walk(root, func(n plan.Node) bool {
		switch n := n.(type) {
		case *plan.RemoteSource:
			found = found || slices.ContainsFunc(n.Fragments, func(id plan.FragmentID) bool { return c.fragments[id].Indeterminate })
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

// sameFilters reports whether what the fragment's joins make dynamic filters of
// has the same rows in a rerun. What is above a join does not matter, such as the
// first rows of many by an order that has ties.
func (c *cutter) sameFilters(f *plan.Fragment) bool {
	same := true
	plan.Walk(f.Root, func(n plan.Node) bool {
		if j, ok := n.(*plan.Join); ok && len(j.Dynamic) > 0 {
			same = same && !c.indeterminate(j.Right)
		}
		return same
	})
	return same
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
