package optimize

import (
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
)

// notNull reports whether a column of n's output is certainly never null: by
// its table, by a filter that drops nulls, as a join's key, or by what computes it.
func notNull(n plan.Node, col plan.Column) bool {
	switch n := n.(type) {
	case *plan.Scan:
		return scanNotNull(n, col)
	case *plan.Filter:
		return dropsNulls(expr.Conjuncts(n.Predicate), col) || notNull(n.Input, col)
	case *plan.Project:
		return projectNotNull(n, col)
	case *plan.Aggregate:
		for _, a := range n.Aggs {
			if a.Column.ID == col.ID {
				return a.Call.Fn.ZeroOnEmpty
			}
		}
		return notNull(n.Input, col)
	case *plan.Join:
		return joinNotNull(n, col)
	case *plan.Union:
		return unionNotNull(n, col)
	case *plan.UniqueID:
		return n.Column.ID == col.ID || notNull(n.Input, col)
	case *plan.RowNumber:
		return n.Column.ID == col.ID || notNull(n.Input, col)
	case *plan.Sort, *plan.TopN, *plan.Limit:
		return notNull(n.Inputs()[0], col)
	}
	return false
}

func dropsNulls(conjuncts []expr.Expr, col plan.Column) bool {
	return anyOf(conjuncts, func(e expr.Expr) bool { return rejectsNulls(e, []plan.Column{col}) })
}

func scanNotNull(n *plan.Scan, col plan.Column) bool {
	for i, c := range n.Columns {
		if c.ID == col.ID && n.Table.Columns[n.Ordinals[i]].NotNull {
			return true
		}
	}
	return dropsNulls(expr.Conjuncts(n.Predicate), col)
}

func projectNotNull(n *plan.Project, col plan.Column) bool {
	for _, a := range n.Cols {
		if a.Column.ID != col.ID {
			continue
		}
		if c, ok := a.Expr.(*expr.Column); ok {
			return notNull(n.Input, plan.Column{ID: c.ID, Name: c.Name, Type: c.Typ})
		}
		return neverNull(a.Expr)
	}
	return false
}

func joinNotNull(n *plan.Join, col plan.Column) bool {
	keepsLeft := n.Kind != plan.RightJoin && n.Kind != plan.FullJoin
	keepsRight := n.Kind == plan.InnerJoin || n.Kind == plan.RightJoin
	if n.Kind == plan.InnerJoin || n.Kind == plan.SemiJoin {
		for _, k := range n.Keys {
			if k.Left.ID == col.ID || k.Right.ID == col.ID {
				return true
			}
		}
	}
	switch {
	case n.Kind == plan.MarkJoin && n.Mark.ID == col.ID:
		return !n.NullAware
	case has(n.Left.Outputs(), col.ID):
		return keepsLeft && notNull(n.Left, col)
	}
	return keepsRight && notNull(n.Right, col)
}

func unionNotNull(n *plan.Union, col plan.Column) bool {
	for j, c := range n.Columns {
		if c.ID != col.ID {
			continue
		}
		for i, in := range n.In {
			if !notNull(in, n.Sources[i][j]) {
				return false
			}
		}
		return true
	}
	return false
}
