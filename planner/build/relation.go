package build

import (
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/analyzer"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
)

func scan(r *analyzer.Scan) plan.Node {
	n := &plan.Scan{Catalog: r.Catalog, Table: r.Table, Columns: columns(r.Cols), Limit: -1}
	for i := range r.Cols {
		n.Ordinals = append(n.Ordinals, i)
	}
	return n
}

// oneRow is the row of a SELECT without FROM.
func oneRow() plan.Node { return &plan.Values{Rows: [][]expr.Expr{{}}} }

// values builds VALUES: constants as they are, anything else as projections
// of one row each.
func (b *builder) values(r *analyzer.Values) (plan.Node, error) {
	if isConstant(r) {
		v := &plan.Values{Columns: columns(r.Cols)}
		for _, row := range r.Rows {
			v.Rows = append(v.Rows, row.Exprs)
		}
		return v, nil
	}
	u := &plan.Union{Columns: columns(r.Cols)}
	for _, row := range r.Rows {
		n, err := b.apply(oneRow(), row.Subqueries)
		if err != nil {
			return nil, err
		}
		p := &plan.Project{Input: n}
		for i, e := range row.Exprs {
			p.Cols = append(p.Cols, plan.Assignment{Column: b.like(u.Columns[i]), Expr: e})
		}
		if len(r.Rows) == 1 {
			for i, c := range u.Columns {
				p.Cols[i].Column = c
			}
			return p, nil
		}
		u.In, u.Sources = append(u.In, p), append(u.Sources, p.Outputs())
	}
	return u, nil
}

// isConstant reports whether no expression refers to a column.
func isConstant(r *analyzer.Values) bool {
	for _, row := range r.Rows {
		for _, e := range row.Exprs {
			if !(idSet{}).covers(e) {
				return false
			}
		}
	}
	return true
}

// join builds a join of FROM. A right join becomes a left one.
func (b *builder) join(r *analyzer.Join) (plan.Node, error) {
	left, err := b.relation(r.Left)
	if err != nil {
		return nil, err
	}
	right, err := b.relation(r.Right)
	if err != nil {
		return nil, err
	}
	n, err := b.joined(r, left, right)
	if err != nil {
		return nil, err
	}
	return with(n, assignments(r.Computed)...), nil
}

func (b *builder) joined(r *analyzer.Join, left, right plan.Node) (plan.Node, error) {
	switch r.Kind {
	case analyzer.InnerJoin:
		return b.innerJoin(left, right, r.On)
	case analyzer.LeftJoin:
		return b.leftJoin(left, right, r.On)
	case analyzer.RightJoin:
		return b.leftJoin(right, left, r.On)
	}
	return b.fullJoin(left, right, r.On)
}

// innerJoin joins, with subqueries of the condition evaluated over the pairs.
func (b *builder) innerJoin(left, right plan.Node, on analyzer.Expression) (plan.Node, error) {
	if refersTo(right, idsOf(left.Outputs())) {
		return b.where(&apply{kind: applyInner, left: left, right: right}, on)
	}
	if len(on.Subqueries) == 0 {
		return b.equiJoin(plan.InnerJoin, left, right, expr.Conjuncts(on.Expr)), nil
	}
	return b.where(b.equiJoin(plan.InnerJoin, left, right, nil), on)
}

// leftJoin joins; where the right side or a subquery of the condition refers
// to the left side, the condition is made part of the right side.
func (b *builder) leftJoin(left, right plan.Node, on analyzer.Expression) (plan.Node, error) {
	ids := idsOf(left.Outputs())
	inner, err := b.apply(right, on.Subqueries)
	if err != nil {
		return nil, err
	}
	if refersTo(inner, ids) {
		return &apply{kind: applyLeft, left: left, right: filtered(inner, expr.Conjuncts(on.Expr)...)}, nil
	}
	return b.equiJoin(plan.LeftJoin, left, inner, expr.Conjuncts(on.Expr)), nil
}

// fullJoin joins; subqueries of the condition belong to one side or the other.
func (b *builder) fullJoin(left, right plan.Node, on analyzer.Expression) (plan.Node, error) {
	for _, s := range on.Subqueries {
		n, err := b.apply(right, []*analyzer.Subquery{s})
		if err != nil {
			return nil, err
		}
		if !refersTo(n, idsOf(left.Outputs())) {
			right = n
			continue
		}
		if n, err = b.apply(left, []*analyzer.Subquery{s}); err != nil {
			return nil, err
		}
		if refersTo(n, idsOf(right.Outputs())) {
			return nil, qerr.NotSupported(qerr.Pos{}, "a subquery in the condition of a FULL JOIN that refers to both sides")
		}
		left = n
	}
	return b.equiJoin(plan.FullJoin, left, right, expr.Conjuncts(on.Expr)), nil
}

// equiJoin makes a join whose condition is taken apart into equalities of a
// left with a right expression, which become keys, and the rest.
func (b *builder) equiJoin(kind plan.JoinKind, left, right plan.Node, conds []expr.Expr) *plan.Join {
	j := &plan.Join{Kind: kind}
	l, r := sided{b: b, ids: idsOf(left.Outputs())}, sided{b: b, ids: idsOf(right.Outputs())}
	var rest []expr.Expr
	for _, c := range conds {
		x, y, ok := equality(c, l.ids, r.ids)
		if !ok {
			rest = append(rest, c)
			continue
		}
		j.Keys = append(j.Keys, plan.EquiKey{Left: l.key(x), Right: r.key(y)})
	}
	j.Left, j.Right, j.Filter = with(left, l.made...), with(right, r.made...), and(rest...)
	return j
}

// sided makes the key columns of one side of a join.
type sided struct {
	b    *builder
	ids  idSet
	made []plan.Assignment
}

func (s *sided) key(e expr.Expr) plan.Column {
	if c, ok := e.(*expr.Column); ok {
		return plan.Column{ID: c.ID, Name: c.Name, Type: c.Typ}
	}
	c := s.b.column("key", e.Type())
	s.made = append(s.made, plan.Assignment{Column: c, Expr: e})
	return c
}

// equality takes apart x = y with x over the one and y over the other columns.
func equality(e expr.Expr, left, right idSet) (x, y expr.Expr, ok bool) {
	c, isCall := e.(*expr.Call)
	if !isCall || c.Fn.Name != function.OpEq || volatile(e) {
		return nil, nil, false
	}
	x, y = c.Args[0], c.Args[1]
	if x.Type().IsNested() {
		return nil, nil, false // equal rows may still compare as unknown
	}
	switch {
	case left.uses(x) && left.covers(x) && right.uses(y) && right.covers(y):
		return x, y, true
	case left.uses(y) && left.covers(y) && right.uses(x) && right.covers(x):
		return y, x, true
	}
	return nil, nil, false
}

// volatile reports whether e may have another value each time.
func volatile(e expr.Expr) bool {
	found := false
	expr.Walk(e, func(e expr.Expr) bool {
		if c, ok := e.(*expr.Call); ok {
			found = found || c.Fn.Volatile
		}
		return !found
	})
	return found
}

// unnest builds UNNEST over one row that has the arrays; that row's
// expressions may refer to relations beside it.
func (b *builder) unnest(r *analyzer.Unnest) (plan.Node, error) {
	n := &plan.Unnest{}
	p := &plan.Project{Input: oneRow()}
	for i, e := range r.Exprs {
		var err error
		if p.Input, err = b.apply(p.Input, e.Subqueries); err != nil {
			return nil, err
		}
		c := b.column("array", e.Expr.Type())
		p.Cols = append(p.Cols, plan.Assignment{Column: c, Expr: e.Expr})
		n.Exprs, n.Columns = append(n.Exprs, c), append(n.Columns, columns(r.Cols[i]))
	}
	n.Input = p
	if r.Ordinality != nil {
		c := column(*r.Ordinality)
		n.Ordinality = &c
	}
	return n, nil
}
