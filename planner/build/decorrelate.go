package build

import (
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
)

// decorrelate replaces every apply under n, whose references are all within
// the tree, by joins. It goes from the top down: an apply within the right
// side of another one may refer to the outer one's left side, which becomes an
// input of its own when the outer one is gone.
func (b *builder) decorrelate(n plan.Node) (plan.Node, error) {
	if a, ok := n.(*apply); ok {
		return b.unnestApply(a)
	}
	in := n.Inputs()
	if len(in) == 0 {
		return n, nil
	}
	out := make([]plan.Node, len(in))
	same := true
	for i, c := range in {
		var err error
		if out[i], err = b.decorrelate(c); err != nil {
			return nil, err
		}
		same = same && out[i] == c
	}
	if same {
		return n, nil
	}
	return n.WithInputs(out), nil
}

// unnestApply replaces an apply whose left side has no reference outside. The
// result may have applies further down; they are replaced in turn.
func (b *builder) unnestApply(a *apply) (plan.Node, error) {
	left, err := b.decorrelate(a.left)
	if err != nil {
		return nil, err
	}
	c := *a
	c.left, c.right = left, c.simplified()
	outer := idsOf(left.Outputs())
	if c.kind >= applySemi {
		c.right = existential(c.right, outer)
	}
	if p, ok := b.pull(c.right, outer); ok && !p.needsMark(c.kind) {
		n, ok, err := b.joinPulled(&c, p)
		if err != nil {
			return nil, err
		}
		if ok {
			return b.decorrelate(n)
		}
	}
	n, err := b.pushApply(&c)
	if err != nil {
		return nil, err
	}
	return b.decorrelate(n)
}

// joinPulled makes the join for a right side that has been pulled apart; ok is
// false for the few forms that only pushing gets right.
func (b *builder) joinPulled(a *apply, p *pulled) (n plan.Node, ok bool, err error) {
	switch a.kind {
	case applyInner, applyLeft:
		return b.lateral(a, p), true, nil
	case applySingle:
		return b.single(a, p)
	}
	on := each(a.on, p.subst)
	if p.aggregated {
		return b.testOne(a, p, on), true, nil
	}
	switch a.kind {
	case applySemi:
		return b.equiJoin(plan.SemiJoin, a.left, limited(p, on), append(p.conds, on...)), true, nil
	case applyAnti:
		return b.anti(a, p, on), true, nil
	}
	return b.mark(a, p, on), true, nil
}

// limited keeps one row of a right side that is only asked whether it has any.
func limited(p *pulled, on []expr.Expr) plan.Node {
	if len(p.conds) == 0 && len(on) == 0 {
		return &plan.Limit{Input: p.node, N: 1}
	}
	return p.node
}

// lateral joins left and right rows.
func (b *builder) lateral(a *apply, p *pulled) plan.Node {
	kind := plan.InnerJoin
	if a.kind == applyLeft || p.aggregated && len(p.conds) > 0 {
		kind = plan.LeftJoin
	}
	return with(b.equiJoin(kind, a.left, p.node, p.conds), p.defs...)
}

// single joins with a scalar subquery, of which each left row may meet one row
// at most.
func (b *builder) single(a *apply, p *pulled) (n plan.Node, ok bool, err error) {
	switch {
	case p.aggregated || len(p.conds) > 0 && atMostOne(a.right):
		return with(b.equiJoin(plan.LeftJoin, a.left, p.node, p.conds), p.defs...), true, nil
	case len(p.conds) == 0 && len(p.defs) == 0:
		right := p.node
		if !exactlyOne(right) {
			right = &plan.SingleRow{Input: right}
		}
		return b.equiJoin(plan.InnerJoin, a.left, right, nil), true, nil
	case len(p.defs) > 0:
		return nil, false, nil
	}
	return b.singleGrouped(a, p)
}

// singleGrouped joins with the right side grouped by the columns that the left
// side is compared with; a group of several rows fails if a left row meets it.
func (b *builder) singleGrouped(a *apply, p *pulled) (n plan.Node, ok bool, err error) {
	right, names := b.clone(p.node) // the result takes the columns' own IDs
	renamed := &pulled{node: right, conds: each(p.conds, names.expr)}
	eq, ok := b.equalKeys(renamed, idsOf(a.left.Outputs()))
	if !ok {
		return nil, false, nil
	}
	agg := &plan.Aggregate{Input: eq.node, Keys: eq.keys}
	count, err := b.aggregate("count", nil)
	if err != nil {
		return nil, false, err
	}
	agg.Aggs = append(agg.Aggs, count)
	var back []plan.Assignment
	for _, v := range a.right.Outputs() {
		inner := names.column(v)
		if !idsOf(eq.keys)[inner.ID] { // a key has its value already
			one, err := b.aggregate("arbitrary", nil, inner)
			if err != nil {
				return nil, false, err
			}
			agg.Aggs = append(agg.Aggs, one)
			inner = one.Column
		}
		back = append(back, plan.Assignment{Column: v, Expr: inner.Ref()})
	}
	j := b.equiJoin(plan.LeftJoin, a.left, agg, eq.conds)
	one := coalesce(compare(function.OpLe, count.Column.Ref(), number(1)), constTrue())
	return with(filtered(j, failUnless(one)), back...), true, nil
}

// testOne is EXISTS or IN of a right side that always has one row: the row is
// joined and the condition is an ordinary one.
func (b *builder) testOne(a *apply, p *pulled, on []expr.Expr) plan.Node {
	n := with(b.equiJoin(plan.LeftJoin, a.left, p.node, p.conds), p.defs...)
	cond := and(a.on...)
	if cond == nil {
		cond = constTrue()
	}
	switch {
	case a.kind == applySemi:
		return filtered(n, cond)
	case a.kind == applyAnti && a.nulls:
		return filtered(n, not(cond))
	case a.kind == applyAnti, a.kind == applyMark && !a.nulls:
		cond = coalesce(cond, &expr.Const{Value: false, Typ: boolean})
	}
	if a.kind == applyAnti {
		return filtered(n, not(cond))
	}
	return with(n, plan.Assignment{Column: a.mark, Expr: cond})
}

// anti is NOT EXISTS, or NOT IN: no right row for which the comparison is true
// or null.
func (b *builder) anti(a *apply, p *pulled, on []expr.Expr) plan.Node {
	if !a.nulls {
		return b.equiJoin(plan.AntiJoin, a.left, limited(p, on), append(p.conds, on...))
	}
	if len(p.conds) == 0 && len(on) == 1 {
		j := b.equiJoin(plan.NullAwareAntiJoin, a.left, p.node, on)
		if len(j.Keys) == 1 && j.Filter == nil {
			return j
		}
	}
	return b.equiJoin(plan.AntiJoin, a.left, p.node, append(p.conds, coalesce(and(on...), constTrue())))
}

// mark is EXISTS or IN as a value.
func (b *builder) mark(a *apply, p *pulled, on []expr.Expr) plan.Node {
	if !a.nulls {
		return b.markJoin(a.left, limited(p, on), append(p.conds, on...), a.mark)
	}
	if len(p.conds) == 0 && len(on) == 1 {
		j := b.markJoin(a.left, p.node, on, a.mark)
		if len(j.Keys) == 1 && j.Filter == nil {
			j.NullAware = true
			return j
		}
	}
	// Without a match, a comparison that is null makes the result null: a second
	// join with a copy of the right side looks for one.
	match, unknown := b.column("match", boolean), b.column("unknown", boolean)
	n := b.markJoin(a.left, p.node, append(p.conds[:len(p.conds):len(p.conds)], on...), match)
	copied, names := b.clone(p.node)
	conds := append(each(p.conds, names.expr), isNull(names.expr(and(on...))))
	n = b.markJoin(n, copied, conds, unknown)
	value := caseWhen(match.Ref(), constTrue(), unknown.Ref(), &expr.Const{Typ: boolean}, &expr.Const{Value: false, Typ: boolean})
	return with(n, plan.Assignment{Column: a.mark, Expr: value})
}

func (b *builder) markJoin(left, right plan.Node, conds []expr.Expr, mark plan.Column) *plan.Join {
	j := b.equiJoin(plan.MarkJoin, left, right, conds)
	j.Mark = mark
	return j
}

// exactlyOne reports whether n has one row whatever its tables hold.
func exactlyOne(n plan.Node) bool {
	switch n := n.(type) {
	case *plan.Project:
		return exactlyOne(n.Input)
	case *plan.Aggregate:
		return len(n.Keys) == 0 && len(n.Aggs) > 0
	case *plan.Values:
		return len(n.Rows) == 1
	case *plan.SingleRow:
		return true
	case *apply:
		return n.kind == applySingle && exactlyOne(n.left)
	}
	return false
}

// atMostOne reports whether n has no more than one row whatever its tables
// hold.
func atMostOne(n plan.Node) bool {
	switch n := n.(type) {
	case *plan.Project:
		return atMostOne(n.Input)
	case *plan.Filter:
		return atMostOne(n.Input)
	case *plan.Sort:
		return atMostOne(n.Input)
	case *plan.Limit:
		return n.N >= 0 && n.N <= 1 || atMostOne(n.Input)
	case *apply:
		return (n.kind == applySingle || n.kind >= applySemi) && atMostOne(n.left)
	}
	return exactlyOne(n)
}
