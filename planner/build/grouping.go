package build

import (
	"slices"

	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/analyzer"
	"github.com/tuttidb/tutti/sql/expr"
)

// grouping builds GROUP BY: a projection that makes keys and arguments plain
// columns, and the aggregation.
func (b *builder) grouping(n plan.Node, g *analyzer.Grouping) (plan.Node, error) {
	n, err := b.apply(n, g.Subqueries)
	if err != nil {
		return nil, err
	}
	p := &groupInput{b: b, ids: idsOf(n.Outputs())}
	agg := &plan.Aggregate{}
	for _, k := range g.Keys {
		p.add(column(k.Column), k.Expr)
		agg.Keys = append(agg.Keys, column(k.Column))
	}
	for _, a := range g.Aggregates {
		agg.Aggs = append(agg.Aggs, plan.Agg{Column: column(a.Column), Call: p.call(a.Call)})
	}
	agg.Input = p.over(n)
	return b.distinctAggregates(agg), nil
}

// groupInput collects the columns that an aggregation needs.
type groupInput struct {
	b    *builder
	ids  idSet // the columns that the input has
	cols []plan.Assignment
}

func (p *groupInput) add(c plan.Column, e expr.Expr) {
	for _, have := range p.cols {
		if have.Column.ID == c.ID {
			return
		}
	}
	p.cols = append(p.cols, plan.Assignment{Column: c, Expr: e})
}

// ref returns e as a column. A column from outside the query gets an ID of its
// own, like everything that the projection makes.
func (p *groupInput) ref(e expr.Expr) *expr.Column {
	if c, ok := e.(*expr.Column); ok && p.ids[c.ID] {
		p.add(plan.Column{ID: c.ID, Name: c.Name, Type: c.Typ}, e)
		return c
	}
	for _, have := range p.cols {
		if analyzer.Same(have.Expr, e) && !volatile(e) {
			return have.Column.Ref()
		}
	}
	c := p.b.column("expr", e.Type())
	p.add(c, e)
	return c.Ref()
}

// call returns the call over columns.
func (p *groupInput) call(a *expr.Aggregate) *expr.Aggregate {
	out := &expr.Aggregate{Fn: a.Fn, Distinct: a.Distinct}
	for _, arg := range a.Args {
		out.Args = append(out.Args, p.ref(arg))
	}
	if a.Filter != nil {
		out.Filter = p.ref(a.Filter)
	}
	for _, k := range a.OrderBy {
		k.Expr = p.ref(k.Expr)
		out.OrderBy = append(out.OrderBy, k)
	}
	return out
}

// over projects the collected columns, unless n has just these already.
func (p *groupInput) over(n plan.Node) plan.Node {
	if len(made(p.cols)) == 0 {
		return n
	}
	return &plan.Project{Input: n, Cols: p.cols}
}

// distinctAggregates replaces DISTINCT within aggregates. If all aggregates
// are over the same distinct values, these are grouped first; else each set of
// values gets a mark of its first occurrence, which becomes the filter.
func (b *builder) distinctAggregates(agg *plan.Aggregate) plan.Node {
	switch {
	case !slices.ContainsFunc(agg.Aggs, func(a plan.Agg) bool { return a.Call.Distinct }):
		return agg
	case sameDistinct(agg.Aggs):
		keys := slices.Clone(agg.Keys)
		agg.Input = &plan.Aggregate{Input: agg.Input, Keys: appendNew(keys, refColumns(agg.Aggs[0].Call.Args))}
		for i, a := range agg.Aggs {
			agg.Aggs[i].Call = &expr.Aggregate{Fn: a.Call.Fn, Args: a.Call.Args}
		}
		return agg
	}
	marks := map[string]plan.Column{}
	for i, a := range agg.Aggs {
		if a.Call.Distinct {
			agg.Aggs[i].Call = b.markedCall(agg, a.Call, marks)
		}
	}
	return agg
}

// sameDistinct reports whether all are DISTINCT over the same columns without
// filter and order.
func sameDistinct(aggs []plan.Agg) bool {
	for _, a := range aggs {
		if !a.Call.Distinct || a.Call.Filter != nil || len(a.Call.OrderBy) > 0 || !sameRefs(a.Call.Args, aggs[0].Call.Args) {
			return false
		}
	}
	return true
}

func sameRefs(a, b []expr.Expr) bool {
	return slices.EqualFunc(a, b, func(x, y expr.Expr) bool { return x.(*expr.Column).ID == y.(*expr.Column).ID })
}

// markedCall turns f(DISTINCT x) FILTER (WHERE p) into f(x) FILTER (WHERE mark
// AND p), where mark is true for the first row of each key, x and p.
func (b *builder) markedCall(agg *plan.Aggregate, call *expr.Aggregate, marks map[string]plan.Column) *expr.Aggregate {
	values := refColumns(call.Args)
	if call.Filter != nil {
		values = append(values, refColumns([]expr.Expr{call.Filter})...)
	}
	name := ""
	for _, v := range values {
		name += v.String() + ","
	}
	mark, ok := marks[name]
	if !ok {
		mark = b.column("distinct", boolean)
		keys := appendNew(slices.Clone(agg.Keys), values)
		agg.Input = &plan.MarkDistinct{Input: agg.Input, Keys: keys, Column: mark}
		if call.Filter != nil {
			both := b.column("filter", boolean)
			agg.Input = with(agg.Input, plan.Assignment{Column: both, Expr: and(mark.Ref(), call.Filter)})
			mark = both
		}
		marks[name] = mark
	}
	return &expr.Aggregate{Fn: call.Fn, Args: call.Args, Filter: mark.Ref(), OrderBy: call.OrderBy}
}

func refColumns(list []expr.Expr) []plan.Column {
	out := make([]plan.Column, len(list))
	for i, e := range list {
		c := e.(*expr.Column)
		out[i] = plan.Column{ID: c.ID, Name: c.Name, Type: c.Typ}
	}
	return out
}

// appendNew appends those columns that are not there yet.
func appendNew(cols, more []plan.Column) []plan.Column {
	for _, c := range more {
		if !slices.ContainsFunc(cols, func(have plan.Column) bool { return have.ID == c.ID }) {
			cols = append(cols, c)
		}
	}
	return cols
}
