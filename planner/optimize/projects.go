package optimize

import (
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
)

// mergeProjects folds a projection into the one above it where that computes
// nothing twice, and drops projections that only pass columns through.
func (o *Optimizer) mergeProjects(root plan.Node) (plan.Node, error) {
	return plan.Transform(root, func(n plan.Node) plan.Node {
		p, ok := n.(*plan.Project)
		if !ok {
			return n
		}
		if below, ok := p.Input.(*plan.Project); ok {
			if merged := merge(p, below); merged != nil {
				p = merged
			}
		}
		if passesAll(p) {
			return p.Input
		}
		return p
	}), nil
}

// merge returns the two projections as one, or nil if some computed column
// is used more than once above, or if TRY above would hide its errors.
func merge(above, below *plan.Project) *plan.Project {
	computed := make(map[expr.ColumnID]expr.Expr, len(below.Cols))
	for _, a := range below.Cols {
		computed[a.Column.ID] = a.Expr
	}
	uses := map[expr.ColumnID]int{}
	for _, a := range above.Cols {
		expr.Columns(a.Expr, func(c *expr.Column) { uses[c.ID]++ })
		if hides(a.Expr, computed) {
			return nil
		}
	}
	for _, a := range below.Cols {
		if uses[a.Column.ID] > 1 && len(expr.Children(a.Expr)) > 0 || uses[a.Column.ID] != 1 && volatile(a.Expr) {
			return nil
		}
	}
	out := &plan.Project{Base: above.Base, Input: below.Input}
	for _, a := range above.Cols {
		out.Cols = append(out.Cols, plan.Assignment{Column: a.Column, Expr: expr.Substitute(a.Expr, computed)})
	}
	return out
}

// hides reports whether a TRY in e is of a column that is computed by what may
// fail: put in its place, the error would be none any more.
func hides(e expr.Expr, computed map[expr.ColumnID]expr.Expr) bool {
	found := false
	expr.Walk(e, func(x expr.Expr) bool {
		if f, ok := x.(*expr.Form); ok && f.Op == expr.Try {
			expr.Columns(f, func(c *expr.Column) {
				inner, ok := computed[c.ID]
				found = found || ok && mayFail(inner)
			})
		}
		return !found
	})
	return found
}

// passesAll reports whether p's outputs are its input's, in order.
func passesAll(p *plan.Project) bool {
	in := p.Input.Outputs()
	if len(in) != len(p.Cols) {
		return false
	}
	for i, a := range p.Cols {
		c, ok := a.Expr.(*expr.Column)
		if !ok || c.ID != a.Column.ID || c.ID != in[i].ID {
			return false
		}
	}
	return true
}
