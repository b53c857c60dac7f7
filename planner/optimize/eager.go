package optimize

import (
	"slices"

	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// Grouping early pays where it leaves few rows of many.
const (
	eagerRows  = 100_000 // rows of a side below which there is little to gain, if the options do not say
	eagerShare = 0.15    // the most of its rows that may be left
	eagerLoss  = 1.1     // a join that drops more rows than this goes first
)

// groupEarly groups one side of a join before the join where that leaves few
// of its rows (Yan and Larson 1995, eager aggregation): SELECT d.name,
// sum(f.x) FROM f JOIN d ON f.k = d.k GROUP BY d.name sums up f by k first.
// The grouping above stays and adds up what the one below found, so nothing
// needs to be unique. A row below stands for rows that meet the same rows of
// the other side: the keys are all of the side's columns that are looked at
// later.
//
// It applies to aggregates that can be added up: counts, sums that cannot
// overflow on the way, and what is one of its arguments. Without keys there is
// no hash table to spare above.
func (o *Optimizer) groupEarly(root plan.Node) (plan.Node, error) {
	return plan.Transform(root, func(n plan.Node) plan.Node {
		if a, ok := n.(*plan.Aggregate); ok {
			return o.eager(a)
		}
		return n
	}), nil
}

// eagerPlan is an aggregation over a join, perhaps with a projection between.
type eagerPlan struct {
	agg      *plan.Aggregate
	computed map[expr.ColumnID]expr.Expr // by the projection
	join     *plan.Join
	left     bool // which side is grouped
	side     plan.Node
	// filled: the join fills the side with nulls where it has no match; every:
	// it keeps all rows of the side.
	filled, every bool
}

// eager groups below the join if that can be done and pays.
func (o *Optimizer) eager(a *plan.Aggregate) plan.Node {
	p := &eagerPlan{agg: a, computed: map[expr.ColumnID]expr.Expr{}}
	in := a.Input
	if project, ok := in.(*plan.Project); ok {
		for _, c := range project.Cols {
			if volatile(c.Expr) {
				return a
			}
			p.computed[c.Column.ID] = c.Expr
		}
		in = project.Input
	}
	j, ok := in.(*plan.Join)
	if !ok || len(a.Aggs) == 0 || len(a.Keys) == 0 || a.Step != plan.Single || len(j.Keys) == 0 || j.Filter != nil && volatile(j.Filter) {
		return a
	}
	p.join = j
	for _, left := range []bool{true, false} {
		if p.takes(left) && p.addable() {
			if n := o.grouped(p); n != nil {
				return n
			}
		}
	}
	return a
}

// takes looks at one side of the join; it is false if the kind of join does
// not allow to group it.
func (p *eagerPlan) takes(left bool) bool {
	p.left, p.side = left, p.join.Right
	if left {
		p.side = p.join.Left
	}
	p.filled, p.every = false, false
	switch p.join.Kind {
	case plan.InnerJoin:
	case plan.SemiJoin, plan.AntiJoin:
		return left
	case plan.LeftJoin:
		p.every, p.filled = left, !left
	case plan.RightJoin:
		p.every, p.filled = !left, left
	default:
		return false
	}
	return true
}

// source is the expression that a column of the aggregation's input is over
// the join's columns.
func (p *eagerPlan) source(e expr.Expr) expr.Expr { return expr.Substitute(e, p.computed) }

// addable reports whether all aggregates are of the side's columns alone and
// can be computed in two steps.
func (p *eagerPlan) addable() bool {
	cols := p.side.Outputs()
	for _, a := range p.agg.Aggs {
		if a.Call.Distinct && !a.Call.Fn.Indistinct || a.Call.Filter != nil || len(a.Call.OrderBy) > 0 || len(a.Call.Args) > 1 {
			return false
		}
		if _, ok := upper(a.Call.Fn); !ok || a.Call.Fn.Name == "sum" && !smallSum(p.source(a.Call.Args[0])) {
			return false
		}
		for _, e := range a.Call.Args {
			e = p.source(e)
			if !refersOnly(e, cols) || !hasColumns(e) || mayFail(e) && !p.every {
				return false
			}
		}
	}
	return true
}

// upper names the aggregate that makes one of the results of fn over parts.
func upper(fn *function.Aggregate) (name string, ok bool) {
	switch fn.Name {
	case "min", "max", "bool_and", "bool_or", "every", "any_value", "arbitrary":
		return fn.Name, len(fn.Args) == 1
	case "count", "sum":
		return "sum", true
	}
	return "", false
}

// smallSum reports whether no sum of so many rows as there may be overflows:
// that of a part must not where that of all does not. A real sum of real
// parts would lose digits.
func smallSum(e expr.Expr) bool {
	t := e.Type()
	if c, ok := e.(*expr.Cast); ok && t.Kind == types.BigInt {
		t = c.Arg.Type()
	}
	return t.Kind == types.Double || t.Kind == types.Decimal && t.P <= 28 || t.IsInteger() && t.Kind != types.BigInt
}

// grouped returns the plan grouped early, or nil if that does not pay.
func (o *Optimizer) grouped(p *eagerPlan) plan.Node {
	lower := &plan.Aggregate{Keys: p.keys()}
	if !o.paysOff(p, lower.Keys) {
		return nil
	}
	var args, states []plan.Assignment
	out := &plan.Aggregate{Base: p.agg.Base, Keys: p.agg.Keys}
	top := &plan.Project{Input: out, Cols: identity(p.agg.Keys)}
	for _, a := range p.agg.Aggs {
		call := &expr.Aggregate{Fn: a.Call.Fn}
		for _, e := range a.Call.Args {
			call.Args = append(call.Args, o.keyColumn(p.source(e), &args).Ref())
		}
		state := o.newColumn(a.Column.Name, a.Call.Fn.Result)
		lower.Aggs = append(lower.Aggs, plan.Agg{Column: state, Call: call})
		read := plan.Assignment{Column: state, Expr: state.Ref()}
		if p.filled && a.Call.Fn.Name == "count" {
			read.Column = o.newColumn(a.Column.Name, state.Type)
			read.Expr = &expr.Form{Op: expr.Coalesce, Args: []expr.Expr{state.Ref(), bigintOf(int64(1 - len(call.Args)))}, Typ: state.Type}
		}
		states = append(states, read)
		name, _ := upper(a.Call.Fn)
		fn, err := function.ResolveAggregate(name, []types.Type{state.Type})
		if err != nil || !fn.Result.Equal(a.Column.Type) {
			return nil
		}
		result := o.newColumn(a.Column.Name, fn.Result)
		out.Aggs = append(out.Aggs, plan.Agg{Column: result, Call: &expr.Aggregate{Fn: fn, Args: []expr.Expr{read.Column.Ref()}}})
		top.Cols = append(top.Cols, plan.Assignment{Column: a.Column, Expr: result.Ref()})
	}
	lower.Input = withColumns(p.side, args)
	out.Input = p.above(o.eager(lower), states)
	return top
}

func bigintOf(v int64) *expr.Const { return &expr.Const{Value: v, Typ: types.Of(types.BigInt)} }

// keys are the side's columns that anything but an aggregate looks at.
func (p *eagerPlan) keys() []plan.Column {
	need := columnSet{}.withExpr(p.join.Filter)
	left, right := keyColumns(p.join)
	need = need.with(left...).with(right...)
	for _, k := range p.agg.Keys {
		need = need.withExpr(p.source(k.Ref()))
	}
	return need.among(p.side.Outputs())
}

// paysOff estimates whether few rows are left, and that the join itself would
// not have dropped them.
func (o *Optimizer) paysOff(p *eagerPlan, keys []plan.Column) bool {
	side, join := o.stats.Of(p.side), o.stats.Of(p.join)
	least := o.opts.EagerRows
	if least <= 0 {
		least = eagerRows
	}
	if !side.Known || side.Rows < least || side.Rows > eagerLoss*join.Rows {
		return false
	}
	return o.stats.Of(&plan.Aggregate{Input: p.side, Keys: keys}).Rows <= eagerShare*side.Rows
}

// above joins the grouped side and computes what the grouping above needs.
func (p *eagerPlan) above(side plan.Node, states []plan.Assignment) plan.Node {
	j := *p.join
	j.Cols = nil
	if p.left {
		j.Left = side
	} else {
		j.Right = side
	}
	out := &plan.Project{Input: &j, Cols: slices.Clone(states)}
	for _, k := range p.agg.Keys {
		out.Cols = append(out.Cols, plan.Assignment{Column: k, Expr: p.source(k.Ref())})
	}
	return out
}
