package fragment

import (
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
)

// aggregate places an aggregation over an input that is placed already. If
// the groups do not lie together yet, it aggregates in each task first and
// merges the states after the exchange, unless an aggregate must see all
// rows of its group at once.
func (b *builder) aggregate(n *plan.Aggregate, in placed) placed {
	together := in.single() || in.at == hashed && subset(in.keys, n.Keys)
	if together {
		return in.with(n.WithInputs([]plan.Node{in.node}))
	}
	if !splittable(n) {
		in = b.hash(in, n.Keys)
		return in.with(n.WithInputs([]plan.Node{in.node}))
	}
	partial, final := b.split(n, in.node)
	all := b.hash(placed{node: partial, at: anywhere}, n.Keys)
	return all.with(final.WithInputs([]plan.Node{all.node}))
}

// splittable reports whether states can be merged: not for DISTINCT
// aggregates, nor for those whose result depends on order.
func splittable(n *plan.Aggregate) bool {
	for _, a := range n.Aggs {
		if a.Call.Distinct && !a.Call.Fn.Indistinct || len(a.Call.OrderBy) > 0 {
			return false
		}
	}
	return true
}

// split returns the partial step over in and the final step without input.
func (b *builder) split(n *plan.Aggregate, in plan.Node) (partial, final *plan.Aggregate) {
	partial = &plan.Aggregate{Input: in, Keys: n.Keys, Step: plan.Partial}
	final = &plan.Aggregate{Base: n.Base, Keys: n.Keys, Step: plan.Final}
	for _, a := range n.Aggs {
		a.State = nil
		var merged []expr.Expr
		for _, t := range a.Call.Fn.State {
			c := plan.Column{ID: b.nextColumn, Name: a.Column.Name, Type: t}
			b.nextColumn++
			a.State = append(a.State, c)
			merged = append(merged, c.Ref())
		}
		partial.Aggs = append(partial.Aggs, a)
		final.Aggs = append(final.Aggs, plan.Agg{Column: a.Column, Call: &expr.Aggregate{Fn: a.Call.Fn, Args: merged}})
	}
	return partial, final
}
