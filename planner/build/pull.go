package build

import (
	"maps"
	"slices"

	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/analyzer"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
)

// pulled is a right side without references outside, and what makes up for
// them: a left row's right rows are those rows of node for which conds hold.
type pulled struct {
	node  plan.Node
	conds []expr.Expr
	// defs are columns of the right side that can only be computed once a left
	// row is there.
	defs []plan.Assignment
	// aggregated says that the right side is an aggregation without keys, which
	// always has one row: where node has none, defs give its values.
	aggregated bool
}

// needsMark reports whether an apply of that kind needs to tell left rows
// without right rows, so that their defs become null.
func (p *pulled) needsMark(kind applyKind) bool {
	return len(p.defs) > 0 && !p.aggregated && (kind == applyLeft || kind == applySingle)
}

// subst replaces columns of defs by what they compute.
func (p *pulled) subst(e expr.Expr) expr.Expr {
	if len(p.defs) == 0 {
		return e
	}
	m := map[expr.ColumnID]expr.Expr{}
	for _, d := range p.defs {
		m[d.Column.ID] = d.Expr
	}
	return expr.Substitute(e, m)
}

// defines is the set of columns that defs compute.
func (p *pulled) defines() idSet {
	s := idSet{}
	for _, d := range p.defs {
		s[d.Column.ID] = true
	}
	return s
}

// pull lifts the references to outer columns out of n; false if it cannot.
func (b *builder) pull(n plan.Node, outer idSet) (*pulled, bool) {
	if !refersTo(n, outer) {
		return &pulled{node: n}, true
	}
	switch n := n.(type) {
	case *plan.Filter:
		return b.pullFilter(n, outer)
	case *plan.Project:
		return b.pullProject(n, outer)
	case *plan.Join:
		return b.pullJoin(n, outer)
	case *apply:
		return b.pullApply(n, outer)
	case *plan.Aggregate:
		return b.pullAggregate(n, outer)
	case *plan.MarkDistinct:
		return b.pullMark(n, outer)
	case *plan.RowNumber:
		return b.pullNumber(n, outer)
	case *plan.Limit:
		return b.pullLimit(n, outer)
	case *plan.Sort:
		return b.pull(n.Input, outer) // without a limit above, order means nothing
	case *plan.Union:
		return b.pullUnion(n, outer)
	case *plan.Unnest:
		return b.pullUnnest(n, outer)
	}
	return nil, false
}

func (b *builder) pullFilter(n *plan.Filter, outer idSet) (*pulled, bool) {
	p, ok := b.pull(n.Input, outer)
	if !ok || p.aggregated || volatile(n.Predicate) {
		return nil, false
	}
	var inside []expr.Expr
	for _, c := range expr.Conjuncts(n.Predicate) {
		if c = p.subst(c); outer.uses(c) {
			p.conds = append(p.conds, c)
		} else {
			inside = append(inside, c)
		}
	}
	p.node = filtered(p.node, inside...)
	return p, true
}

// pullProject computes inside what it can, and passes through what conditions
// and definitions need.
func (b *builder) pullProject(n *plan.Project, outer idSet) (*pulled, bool) {
	p, ok := b.pull(n.Input, outer)
	if !ok {
		return nil, false
	}
	var inside, defs []plan.Assignment
	for _, a := range n.Cols {
		e := p.subst(a.Expr)
		switch {
		case volatile(e) && (p.aggregated || outer.uses(e)):
			return nil, false
		case p.aggregated, outer.uses(e):
			defs = append(defs, plan.Assignment{Column: a.Column, Expr: e})
		default:
			inside = append(inside, plan.Assignment{Column: a.Column, Expr: e})
		}
	}
	needed := idSet{}
	note := func(c *expr.Column) { needed[c.ID] = true }
	for _, c := range p.conds {
		expr.Columns(c, note)
	}
	for _, d := range defs {
		expr.Columns(d.Expr, note)
	}
	for _, a := range inside {
		delete(needed, a.Column.ID)
	}
	for _, c := range p.node.Outputs() {
		if needed[c.ID] {
			delete(needed, c.ID)
			inside = append(inside, plan.Assignment{Column: c, Expr: c.Ref()})
		}
	}
	return &pulled{node: &plan.Project{Input: p.node, Cols: inside}, conds: p.conds, defs: defs, aggregated: p.aggregated}, true
}

// pullJoin pulls both sides of an inner join and the left side of a left join.
func (b *builder) pullJoin(n *plan.Join, outer idSet) (*pulled, bool) {
	if n.Kind != plan.InnerJoin && n.Kind != plan.LeftJoin {
		return nil, false
	}
	l, ok := b.pull(n.Left, outer)
	if !ok || l.aggregated {
		return nil, false
	}
	r, ok := b.pull(n.Right, outer)
	if !ok || r.aggregated {
		return nil, false
	}
	var inside, conds []expr.Expr
	for _, c := range joinConditions(n) {
		if c = r.subst(l.subst(c)); outer.uses(c) {
			conds = append(conds, c)
		} else {
			inside = append(inside, c)
		}
	}
	if n.Kind == plan.LeftJoin && (len(r.conds) > 0 || len(r.defs) > 0 || len(conds) > 0) {
		return nil, false
	}
	return &pulled{
		node:  b.equiJoin(n.Kind, l.node, r.node, inside),
		conds: slices.Concat(l.conds, r.conds, conds),
		defs:  slices.Concat(l.defs, r.defs),
	}, true
}

// joinConditions are a join's keys and filter as conditions.
func joinConditions(n *plan.Join) []expr.Expr {
	var out []expr.Expr
	for _, k := range n.Keys {
		out = append(out, compare(function.OpEq, k.Left.Ref(), k.Right.Ref()))
	}
	return append(out, expr.Conjuncts(n.Filter)...)
}

// pullApply pulls the left side; the right one must refer to that alone.
func (b *builder) pullApply(n *apply, outer idSet) (*pulled, bool) {
	if n.kind == applyInner {
		return b.pullLateral(n, outer)
	}
	if refersTo(n.right, outer) || outer.usesAny(n.on) {
		return nil, false
	}
	p, ok := b.pull(n.left, outer)
	if !ok || p.aggregated {
		return nil, false
	}
	if s := p.defines(); refersTo(n.right, s) || s.usesAny(n.on) {
		return nil, false
	}
	c := *n
	c.left = p.node
	p.node = &c
	return p, true
}

// pullLateral pulls both sides of an inner apply, the right one from under the
// left one, too, which makes the apply a join.
func (b *builder) pullLateral(n *apply, outer idSet) (*pulled, bool) {
	l, ok := b.pull(n.left, outer)
	if !ok || l.aggregated {
		return nil, false
	}
	around := idsOf(n.left.Outputs())
	maps.Copy(around, outer)
	r, ok := b.pull(n.right, around)
	if !ok || r.aggregated {
		return nil, false
	}
	out := &pulled{conds: l.conds, defs: l.defs}
	var inside []expr.Expr
	for _, c := range r.conds {
		if c = l.subst(c); outer.uses(c) {
			out.conds = append(out.conds, c)
		} else {
			inside = append(inside, c)
		}
	}
	var computed []plan.Assignment
	for _, d := range r.defs {
		if d.Expr = l.subst(d.Expr); outer.uses(d.Expr) {
			out.defs = append(out.defs, d)
		} else {
			computed = append(computed, d)
		}
	}
	out.node = with(b.equiJoin(plan.InnerJoin, l.node, r.node, inside), computed...)
	return out, true
}

// keyed is a right side whose conditions are all that a key equals something
// outside.
type keyed struct {
	node  plan.Node
	keys  []plan.Column
	conds []expr.Expr
}

// equalKeys makes the inner sides of p's conditions columns; false if a
// condition is no equality.
func (b *builder) equalKeys(p *pulled, outer idSet) (*keyed, bool) {
	inner := sided{b: b, ids: idsOf(p.node.Outputs())}
	out := &keyed{}
	for _, c := range p.conds {
		x, y, ok := equality(c, inner.ids, outer)
		if !ok {
			return nil, false
		}
		k := inner.key(x)
		out.keys = appendNew(out.keys, []plan.Column{k})
		out.conds = append(out.conds, compare(function.OpEq, k.Ref(), y))
	}
	out.node = with(p.node, inner.made...)
	return out, true
}

// keyedInput pulls a node's input and makes its conditions keys; definitions
// must not be used by the node itself.
func (b *builder) keyedInput(n plan.Node, outer idSet) (*pulled, *keyed, bool) {
	p, ok := b.pull(n.Inputs()[0], outer)
	if !ok || p.aggregated {
		return nil, nil, false
	}
	defs := p.defines()
	used := false
	references(n, func(id expr.ColumnID) { used = used || defs[id] || outer[id] })
	if used {
		return nil, nil, false
	}
	eq, ok := b.equalKeys(p, outer)
	return p, eq, ok
}

// pullAggregate groups by the compared columns, too. An aggregation without
// keys gets some that way, and no longer has a row for no input: its columns
// become definitions over those of the grouping.
func (b *builder) pullAggregate(n *plan.Aggregate, outer idSet) (*pulled, bool) {
	p, eq, ok := b.keyedInput(n, outer)
	if !ok || len(p.defs) > 0 {
		return nil, false
	}
	agg := &plan.Aggregate{Input: eq.node, Keys: appendNew(slices.Clone(n.Keys), eq.keys), Aggs: n.Aggs}
	out := &pulled{node: agg, conds: eq.conds}
	if len(n.Keys) > 0 || len(n.Aggs) == 0 {
		return out, true
	}
	out.aggregated = true
	agg.Aggs = nil
	for _, a := range n.Aggs {
		inner := b.like(a.Column)
		agg.Aggs = append(agg.Aggs, plan.Agg{Column: inner, Call: a.Call})
		value := expr.Expr(inner.Ref())
		if a.Call.Fn.ZeroOnEmpty {
			value = coalesce(value, number(0))
		}
		out.defs = append(out.defs, plan.Assignment{Column: a.Column, Expr: value})
	}
	return out, true
}

func (b *builder) pullMark(n *plan.MarkDistinct, outer idSet) (*pulled, bool) {
	p, eq, ok := b.keyedInput(n, outer)
	if !ok {
		return nil, false
	}
	keys := appendNew(slices.Clone(n.Keys), eq.keys)
	return &pulled{node: &plan.MarkDistinct{Input: eq.node, Keys: keys, Column: n.Column}, conds: eq.conds, defs: p.defs}, true
}

func (b *builder) pullNumber(n *plan.RowNumber, outer idSet) (*pulled, bool) {
	p, eq, ok := b.keyedInput(n, outer)
	if !ok {
		return nil, false
	}
	c := *n
	c.Input, c.Partition = eq.node, appendNew(slices.Clone(n.Partition), eq.keys)
	return &pulled{node: &c, conds: eq.conds, defs: p.defs}, true
}

// pullLimit numbers the rows for each value of the compared columns.
func (b *builder) pullLimit(n *plan.Limit, outer idSet) (*pulled, bool) {
	ordered := orderedInput(n)
	p, eq, ok := b.keyedInput(ordered, outer)
	if !ok {
		return nil, false
	}
	return &pulled{node: b.numberedLimit(n, ordered.Keys, eq.node, eq.keys), conds: eq.conds, defs: p.defs}, true
}

// orderedInput is the sort below a limit, or one by nothing.
func orderedInput(n *plan.Limit) *plan.Sort {
	if s, ok := n.Input.(*plan.Sort); ok {
		return s
	}
	return &plan.Sort{Input: n.Input}
}

// numberedLimit keeps the limit's rows of each partition.
func (b *builder) numberedLimit(n *plan.Limit, keys []plan.SortKey, in plan.Node, partition []plan.Column) plan.Node {
	number, conds := b.limitNumber(n)
	rows := &plan.RowNumber{Input: in, Partition: partition, Keys: keys, Column: number, Limit: -1}
	if n.N >= 0 {
		rows.Limit = n.N + n.Offset
	}
	return filtered(rows, conds...)
}

// limitNumber is the column for a row's number and the condition that a
// limit's rows meet beyond RowNumber.Limit.
func (b *builder) limitNumber(n *plan.Limit) (plan.Column, []expr.Expr) {
	c := b.column("row", bigint)
	var conds []expr.Expr
	if n.Offset > 0 {
		conds = append(conds, compare(function.OpGt, c.Ref(), number(n.Offset)))
	}
	return c, conds
}

// pullUnion pulls all inputs, which must be compared with the same outside
// values: the compared columns become columns of the union.
func (b *builder) pullUnion(n *plan.Union, outer idSet) (*pulled, bool) {
	u := &plan.Union{Columns: slices.Clone(n.Columns)}
	var values []expr.Expr // compared with, of the first input
	var keys []plan.Column
	for i, in := range n.In {
		p, ok := b.pull(in, outer)
		if !ok || p.aggregated || len(p.defs) > 0 {
			return nil, false
		}
		inner := sided{b: b, ids: idsOf(p.node.Outputs())}
		sources := slices.Clone(n.Sources[i])
		for j, c := range p.conds {
			x, y, ok := equality(c, inner.ids, outer)
			switch {
			case !ok || i > 0 && (j >= len(values) || !analyzer.Same(values[j], y)):
				return nil, false
			case i == 0:
				values = append(values, y)
				keys = append(keys, b.column("key", y.Type()))
			}
			sources = append(sources, inner.key(x))
		}
		if len(p.conds) != len(values) {
			return nil, false
		}
		u.In, u.Sources = append(u.In, with(p.node, inner.made...)), append(u.Sources, sources)
	}
	out := &pulled{node: u}
	u.Columns = append(u.Columns, keys...)
	for i, k := range keys {
		out.conds = append(out.conds, compare(function.OpEq, k.Ref(), values[i]))
	}
	return out, true
}

// pullUnnest passes the columns of conditions along with the expanded ones.
func (b *builder) pullUnnest(n *plan.Unnest, outer idSet) (*pulled, bool) {
	p, ok := b.pull(n.Input, outer)
	if !ok || p.aggregated {
		return nil, false
	}
	defs := p.defines()
	if slices.ContainsFunc(n.Exprs, func(c plan.Column) bool { return defs[c.ID] || outer[c.ID] }) {
		return nil, false
	}
	c := *n
	c.Input, c.Replicate = p.node, p.node.Outputs()
	p.node = &c
	return p, true
}
