package build_test

import (
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
)

// used lists the columns that a node itself refers to.
func used(n plan.Node) []int32 {
	var out []int32
	add := func(cols ...plan.Column) {
		for _, c := range cols {
			out = append(out, int32(c.ID))
		}
	}
	exprs := func(list ...expr.Expr) {
		for _, e := range list {
			if e != nil {
				expr.Columns(e, func(c *expr.Column) { out = append(out, int32(c.ID)) })
			}
		}
	}
	switch n := n.(type) {
	case *plan.Filter:
		exprs(n.Predicate)
	case *plan.Project:
		for _, a := range n.Cols {
			exprs(a.Expr)
		}
	case *plan.Aggregate:
		add(n.Keys...)
		for _, a := range n.Aggs {
			exprs(a.Call.Args...)
			exprs(a.Call.Filter)
			for _, k := range a.Call.OrderBy {
				exprs(k.Expr)
			}
		}
	case *plan.Join:
		for _, k := range n.Keys {
			add(k.Left, k.Right)
		}
		exprs(n.Filter)
	case *plan.Sort:
		for _, k := range n.Keys {
			add(k.Column)
		}
	case *plan.Union:
		for _, s := range n.Sources {
			add(s...)
		}
	case *plan.RowNumber:
		add(n.Partition...)
		for _, k := range n.Keys {
			add(k.Column)
		}
	case *plan.MarkDistinct:
		add(n.Keys...)
	case *plan.Unnest:
		add(n.Replicate...)
		add(n.Exprs...)
	case *plan.Output:
		add(n.Cols...)
	}
	return out
}
