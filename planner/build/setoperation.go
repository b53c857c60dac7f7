package build

import (
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/analyzer"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
)

func (b *builder) setOperation(s *analyzer.SetOperation) (plan.Node, error) {
	if s.Op == analyzer.Union {
		return b.union(s)
	}
	left, right, err := b.sides(s)
	if err != nil {
		return nil, err
	}
	if s.All {
		// Numbering equal rows turns bags into sets: the i-th copy of a row is
		// in both sides, or in the left one only, exactly as often as ALL says.
		left, right = b.numbered(left), b.numbered(right)
	}
	return b.counted(s, left, right)
}

// sides builds both operands, each with just its coerced columns.
func (b *builder) sides(s *analyzer.SetOperation) (left, right plan.Node, err error) {
	if left, err = b.operand(s.Left, s.LeftExprs); err != nil {
		return nil, nil, err
	}
	right, err = b.operand(s.Right, s.RightExprs)
	return left, right, err
}

// operand projects fresh columns, one for each expression.
func (b *builder) operand(r analyzer.Relation, exprs []expr.Expr) (plan.Node, error) {
	n, err := b.relation(r)
	if err != nil {
		return nil, err
	}
	p := &plan.Project{Input: n}
	for _, e := range exprs {
		name := ""
		if c, ok := e.(*expr.Column); ok {
			name = c.Name
		}
		p.Cols = append(p.Cols, plan.Assignment{Column: b.column(name, e.Type()), Expr: e})
	}
	return p, nil
}

// union builds UNION, and its operands that are unions of the same kind, as
// one node.
func (b *builder) union(s *analyzer.SetOperation) (plan.Node, error) {
	u := &plan.Union{Columns: columns(s.Cols)}
	if err := b.unionInputs(u, s, s.All); err != nil {
		return nil, err
	}
	if s.All {
		return u, nil
	}
	return &plan.Aggregate{Input: u, Keys: u.Columns}, nil
}

func (b *builder) unionInputs(u *plan.Union, s *analyzer.SetOperation, all bool) error {
	for _, side := range []struct {
		rel   analyzer.Relation
		exprs []expr.Expr
	}{{s.Left, s.LeftExprs}, {s.Right, s.RightExprs}} {
		inner, ok := side.rel.(*analyzer.SetOperation)
		if ok && inner.Op == analyzer.Union && (inner.All || !all) && inOrder(inner.Cols, side.exprs) {
			if err := b.unionInputs(u, inner, all); err != nil {
				return err
			}
			continue
		}
		n, err := b.operand(side.rel, side.exprs)
		if err != nil {
			return err
		}
		u.In, u.Sources = append(u.In, n), append(u.Sources, n.Outputs())
	}
	return nil
}

// inOrder reports whether the expressions are just the columns.
func inOrder(cols []analyzer.Column, exprs []expr.Expr) bool {
	for i, e := range exprs {
		if c, ok := e.(*expr.Column); !ok || c.ID != cols[i].ID {
			return false
		}
	}
	return len(cols) == len(exprs)
}

// numbered adds the number of each row among its equals.
func (b *builder) numbered(n plan.Node) plan.Node {
	return &plan.RowNumber{Input: n, Partition: n.Outputs(), Column: b.column("copy", bigint), Limit: -1}
}

// counted builds INTERSECT and EXCEPT: the union of both sides, grouped by all
// columns, with a count for each side.
func (b *builder) counted(s *analyzer.SetOperation, left, right plan.Node) (plan.Node, error) {
	u := &plan.Union{Columns: columns(s.Cols)}
	if s.All {
		u.Columns = append(u.Columns, b.column("copy", bigint))
	}
	keys := u.Columns
	u.Columns = append(u.Columns[:len(keys):len(keys)], b.column("left", boolean), b.column("right", boolean))
	for i, n := range []plan.Node{left, right} {
		flags := []expr.Expr{&expr.Const{Typ: boolean}, &expr.Const{Typ: boolean}}
		flags[i] = constTrue()
		n = with(n,
			plan.Assignment{Column: b.column("left", boolean), Expr: flags[0]},
			plan.Assignment{Column: b.column("right", boolean), Expr: flags[1]})
		u.In, u.Sources = append(u.In, n), append(u.Sources, n.Outputs())
	}
	agg := &plan.Aggregate{Input: u, Keys: keys}
	var conds []expr.Expr
	for i, flag := range u.Columns[len(keys):] {
		count, err := b.aggregate("count", nil, flag)
		if err != nil {
			return nil, err
		}
		agg.Aggs = append(agg.Aggs, count)
		op := function.OpGt
		if i == 1 && s.Op == analyzer.Except {
			op = function.OpEq
		}
		conds = append(conds, compare(op, count.Column.Ref(), number(0)))
	}
	return &plan.Project{Input: filtered(agg, conds...), Cols: passing(columns(s.Cols))}, nil
}
