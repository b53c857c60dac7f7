package optimize

import (
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// turnExistence turns semi and anti joins around whose right side is much
// larger than the left one. A hash table of the right side would be big; the
// right side grouped by its keys instead probes a table of the left side,
// whose keys then reach the right side's scans as a dynamic filter:
//
//	L semi R  =  group(R) inner L
//	L anti R  =  the rows of (group(R) right outer L) without a match
//
// A further condition that compares one column of R is one on its least or
// largest value in the group: some r.c <> l.x if min(r.c) <> l.x or
// max(r.c) <> l.x.
func (o *Optimizer) turnExistence(root plan.Node) (plan.Node, error) {
	return plan.Transform(root, func(n plan.Node) plan.Node {
		j, ok := n.(*plan.Join)
		if !ok || len(j.Keys) == 0 || j.Kind != plan.SemiJoin && j.Kind != plan.AntiJoin {
			return n
		}
		left, right := o.stats.Of(j.Left).Rows, o.stats.Of(j.Right).Rows
		if right < 2*left || o.stats.Of(&plan.Aggregate{Input: j.Right, Keys: rightKeys(j)}).Rows < 1.2*left {
			return n
		}
		if t := o.turn(j); t != nil {
			return t
		}
		return n
	}), nil
}

// rightKeys are the different right columns among a join's keys.
func rightKeys(j *plan.Join) (cols []plan.Column) {
	for _, k := range j.Keys {
		if !has(cols, k.Right.ID) {
			cols = append(cols, k.Right)
		}
	}
	return cols
}

// turn returns the join turned around, or nil if its condition does not allow it.
func (o *Optimizer) turn(j *plan.Join) plan.Node {
	group := &plan.Aggregate{Input: j.Right, Keys: rightKeys(j)}
	var match expr.Expr
	var keyed plan.Node = group
	switch {
	case j.Filter == nil && distinctOn(j.Right, group.Keys):
		keyed = j.Right
	case j.Filter != nil:
		if match = o.extremes(j, group); match == nil {
			return nil
		}
	}
	out := &plan.Join{Kind: plan.InnerJoin, Left: keyed, Right: j.Left}
	for _, k := range j.Keys {
		out.Keys = append(out.Keys, plan.EquiKey{Left: k.Right, Right: k.Left})
	}
	if j.Kind == plan.SemiJoin {
		out.Filter = match
		return out
	}
	out.Kind = plan.RightJoin
	if match == nil {
		none := &expr.Form{Op: expr.IsNull, Args: []expr.Expr{group.Keys[0].Ref()}, Typ: boolean}
		return filter(out, []expr.Expr{none})
	}
	met := &expr.Form{Op: expr.Coalesce, Args: []expr.Expr{match, constant(false)}, Typ: boolean}
	return filter(out, []expr.Expr{&expr.Form{Op: expr.Not, Args: []expr.Expr{met}, Typ: boolean}})
}

// extremes rewrites a join's condition to one on aggregates of the right
// column that it compares, which it adds to the group; nil if it cannot.
func (o *Optimizer) extremes(j *plan.Join, group *plan.Aggregate) expr.Expr {
	op, a, b, ok := comparison(j.Filter)
	if !ok {
		return nil
	}
	if c, isColumn := a.(*expr.Column); !isColumn || !has(j.Right.Outputs(), c.ID) {
		a, b, op = b, a, mirrored[op]
	}
	inner, isColumn := a.(*expr.Column)
	if !isColumn || !has(j.Right.Outputs(), inner.ID) || !refersOnly(b, j.Left.Outputs()) || !exactOrder(inner.Typ) || !inner.Typ.Orderable() {
		return nil
	}
	var parts []expr.Expr
	for _, name := range extremesOf[op] {
		fn, err := function.ResolveAggregate(name, []types.Type{inner.Typ})
		if err != nil {
			return nil
		}
		c := o.newColumn(name, fn.Result)
		group.Aggs = append(group.Aggs, plan.Agg{Column: c, Call: &expr.Aggregate{Fn: fn, Args: []expr.Expr{inner}}})
		cond := compare(op, c.Ref(), b)
		if cond == nil {
			return nil
		}
		parts = append(parts, cond)
	}
	if len(parts) == 0 {
		return nil
	}
	return or(parts)
}

// extremesOf are the aggregates of which one compares to a value by the
// operator if any row of the group does.
var extremesOf = map[string][]string{
	function.OpLt: {"min"}, function.OpLe: {"min"}, function.OpGt: {"max"}, function.OpGe: {"max"},
	function.OpNe: {"min", "max"},
}
