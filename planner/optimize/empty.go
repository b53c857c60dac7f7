package optimize

import (
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
)

// dropEmpty replaces what certainly has no rows (a filter that is never true,
// LIMIT 0) by Values without rows, and what follows from it upwards: a join
// with an empty side, a union's empty inputs.
func (o *Optimizer) dropEmpty(root plan.Node) (plan.Node, error) {
	return plan.Transform(root, func(n plan.Node) plan.Node {
		switch n := n.(type) {
		case *plan.Filter:
			return o.filterOrNothing(n)
		case *plan.Limit:
			if n.N == 0 {
				return nothing(n)
			}
		case *plan.TopN:
			if n.N == 0 {
				return nothing(n)
			}
		case *plan.Join:
			return joinOrLess(n)
		case *plan.Union:
			return unionOrLess(n)
		case *plan.Aggregate:
			if len(n.Keys) == 0 {
				return n
			}
		case *plan.Output, *plan.Write, *plan.SingleRow:
			return n
		}
		if in := n.Inputs(); len(in) == 1 && isEmpty(in[0]) {
			return nothing(n)
		}
		return n
	}), nil
}

// nothing has n's columns and no rows.
func nothing(n plan.Node) plan.Node { return &plan.Values{Columns: n.Outputs()} }

func isEmpty(n plan.Node) bool {
	v, ok := n.(*plan.Values)
	return ok && len(v.Rows) == 0
}

func joinOrLess(n *plan.Join) plan.Node {
	left, right := isEmpty(n.Left), isEmpty(n.Right)
	if n.Filter != nil && anyOf(expr.Conjuncts(n.Filter), isNever) {
		right = right || n.Kind != plan.RightJoin && n.Kind != plan.FullJoin
	}
	switch n.Kind {
	case plan.InnerJoin:
		if left || right {
			return nothing(n)
		}
	case plan.SemiJoin:
		if left || right {
			return nothing(n)
		}
	case plan.LeftJoin:
		if left {
			return nothing(n)
		}
		if right {
			return extended(n, n.Left, n.Right)
		}
	case plan.RightJoin:
		if right {
			return nothing(n)
		}
		if left {
			return extended(n, n.Right, n.Left)
		}
	case plan.AntiJoin, plan.NullAwareAntiJoin:
		if left {
			return nothing(n)
		}
		if right {
			return n.Left
		}
	case plan.MarkJoin:
		if left {
			return nothing(n)
		}
		if right {
			return withColumns(n.Left, []plan.Assignment{{Column: n.Mark, Expr: constant(false)}})
		}
	case plan.FullJoin:
		if left && right {
			return nothing(n)
		}
	}
	return n
}

// extended is the kept side of an outer join with nulls for the empty one.
func extended(n *plan.Join, kept, empty plan.Node) plan.Node {
	p := &plan.Project{Input: kept}
	for _, c := range n.Outputs() {
		a := plan.Assignment{Column: c, Expr: c.Ref()}
		if has(empty.Outputs(), c.ID) {
			a.Expr = &expr.Const{Typ: c.Type}
		}
		p.Cols = append(p.Cols, a)
	}
	return p
}

// unionOrLess drops empty inputs; a single one left needs no union.
func unionOrLess(n *plan.Union) plan.Node {
	c := *n
	c.In, c.Sources = nil, nil
	for i, in := range n.In {
		if !isEmpty(in) {
			c.In, c.Sources = append(c.In, in), append(c.Sources, n.Sources[i])
		}
	}
	switch len(c.In) {
	case len(n.In):
		return n
	case 0:
		return nothing(n)
	case 1:
		p := &plan.Project{Input: c.In[0]}
		for j, col := range n.Columns {
			p.Cols = append(p.Cols, plan.Assignment{Column: col, Expr: c.Sources[0][j].Ref()})
		}
		return p
	}
	return &c
}
