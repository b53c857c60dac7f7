package local

import (
	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/op"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
)

func (b *builder) filter(n *plan.Filter) (*flow, error) {
	return b.over(n, "Filter", func(f *flow, p *part) (func(exec.Operator) (exec.Operator, error), error) {
		pred, err := renumber(n.Predicate, f.cols)
		if err != nil {
			return nil, err
		}
		return func(in exec.Operator) (exec.Operator, error) { return op.NewFilter(p.env, in, pred) }, nil
	})
}

// project computes columns, or only picks them where nothing is computed.
func (b *builder) project(n *plan.Project) (*flow, error) {
	f, err := b.flow(n.Input)
	if err != nil {
		return nil, err
	}
	if from := plainColumns(n); from != nil {
		return f, b.pick(f, n, "Project", from, n.Outputs())
	}
	exprs := make([]expr.Expr, len(n.Cols))
	for i, c := range n.Cols {
		if exprs[i], err = renumber(c.Expr, f.cols); err != nil {
			return nil, err
		}
	}
	p := b.part(n, "Project")
	return f, f.extend(p, n.Outputs(), func(in exec.Operator) (exec.Operator, error) {
		return op.NewProject(p.env, in, exprs)
	})
}

// plainColumns returns the columns that n picks, nil if it computes any.
func plainColumns(n *plan.Project) []plan.Column {
	out := make([]plan.Column, len(n.Cols))
	for i, a := range n.Cols {
		c, ok := a.Expr.(*expr.Column)
		if !ok {
			return nil
		}
		out[i] = plan.Column{ID: c.ID, Name: c.Name, Type: c.Typ}
	}
	return out
}
