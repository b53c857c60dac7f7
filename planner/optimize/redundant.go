package optimize

import (
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
)

// dropRedundant drops sorts whose order nobody sees (below a join, a grouping,
// another sort), and DISTINCT over rows that differ already.
func (o *Optimizer) dropRedundant(root plan.Node) (plan.Node, error) {
	return unsorted(root, true), nil
}

// unsorted drops redundant nodes from n down; seen says whether the order of
// n's rows matters above.
func unsorted(n plan.Node, seen bool) plan.Node {
	switch x := n.(type) {
	case *plan.Sort:
		if !seen {
			return unsorted(x.Input, false)
		}
		seen = false
	case *plan.TopN, *plan.Join, *plan.Union, *plan.Aggregate, *plan.SingleRow:
		seen = false
	case *plan.Limit:
		seen = true // which rows it keeps depends on the order
	case *plan.RowNumber:
		seen = len(x.Keys) == 0
	case *plan.Output, *plan.Write:
		seen = true
	}
	in := n.Inputs()
	if len(in) == 0 {
		return n
	}
	out, same := make([]plan.Node, len(in)), true
	for i, c := range in {
		out[i] = unsorted(c, seen)
		same = same && out[i] == c
	}
	if !same {
		n = n.WithInputs(out)
	}
	if a, ok := n.(*plan.Aggregate); ok && len(a.Aggs) == 0 && len(a.Keys) > 0 && distinctOn(a.Input, a.Keys) {
		return &plan.Project{Base: a.Base, Input: a.Input, Cols: identity(a.Keys)}
	}
	return n
}

// distinctOn reports whether no two rows of n agree in all of cols.
func distinctOn(n plan.Node, cols []plan.Column) bool {
	switch n := n.(type) {
	case *plan.Aggregate:
		for _, k := range n.Keys {
			if !has(cols, k.ID) {
				return false
			}
		}
		return true
	case *plan.Filter, *plan.Sort, *plan.TopN, *plan.Limit:
		return distinctOn(n.Inputs()[0], cols)
	case *plan.Project:
		var below []plan.Column
		for _, a := range n.Cols {
			if c, ok := a.Expr.(*expr.Column); ok && has(cols, a.Column.ID) {
				below = append(below, plan.Column{ID: c.ID, Name: c.Name, Type: c.Typ})
			}
		}
		return distinctOn(n.Input, below)
	case *plan.Join:
		switch n.Kind {
		case plan.SemiJoin, plan.AntiJoin, plan.NullAwareAntiJoin, plan.MarkJoin:
			return distinctOn(n.Left, cols)
		}
	case *plan.UniqueID:
		return has(cols, n.Column.ID) || distinctOn(n.Input, cols)
	case *plan.SingleRow:
		return true
	}
	return false
}
