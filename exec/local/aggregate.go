package local

import (
	"fmt"

	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/op"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
)

// breaker is the state between a pipeline that ends in sinks and one that
// starts with sources.
type breaker interface {
	Sink() exec.Sink
	Source() exec.Operator
}

// through ends f in the breaker's sinks and starts a flow of width sources.
func (b *builder) through(f *flow, p *part, name string, x breaker, cols []plan.Column, width int) *flow {
	sinks := make([]exec.Sink, len(f.tops))
	for i := range sinks {
		sinks[i] = x.Sink()
	}
	sources := make([]exec.Operator, width)
	for i := range sources {
		sources[i] = x.Source()
	}
	f.name = name + " of " + f.name
	b.end(f, p, sinks)
	return b.keep(b.source(p, "after "+name, sources, cols))
}

// aggregate lengthens the chains by a partial step, or ends them in a shared
// aggregation whose groups the next pipeline's drivers take.
func (b *builder) aggregate(n *plan.Aggregate) (*flow, error) {
	f, err := b.flow(n.Input)
	if err != nil {
		return nil, err
	}
	spec, err := aggSpec(n, f)
	if err != nil {
		return nil, err
	}
	p := b.part(n, "Aggregate")
	if n.Step == plan.Partial {
		spec.PassThrough = !b.task.Settings.PartialAggregation
		return f, f.extend(p, n.Outputs(), func(in exec.Operator) (exec.Operator, error) {
			return op.NewPartialAggregation(p.env, in, spec)
		})
	}
	agg, err := op.NewAggregation(p.env, spec)
	if err != nil {
		return nil, err
	}
	width := b.drivers()
	if len(n.Keys) == 0 {
		width = 1
	}
	return b.through(f, p, "aggregation", agg, n.Outputs(), width), nil
}

// aggSpec resolves an aggregation's columns to positions.
func aggSpec(n *plan.Aggregate, f *flow) (*op.AggSpec, error) {
	s := &op.AggSpec{Input: typesOf(f.cols), Step: n.Step}
	var err error
	if s.Keys, err = f.lookUp(n.Keys); err != nil {
		return nil, err
	}
	at := f.at()
	for _, a := range n.Aggs {
		c := op.AggCall{Fn: a.Call.Fn, Distinct: a.Call.Distinct, Filter: -1}
		for _, arg := range a.Call.Args {
			i, err := columnAt(at, arg)
			if err != nil {
				return nil, err
			}
			c.Args = append(c.Args, i)
		}
		// The Final step's rows are states: the filter was applied before.
		if a.Call.Filter != nil && n.Step != plan.Final {
			if c.Filter, err = columnAt(at, a.Call.Filter); err != nil {
				return nil, err
			}
		}
		for _, k := range a.Call.OrderBy {
			i, err := columnAt(at, k.Expr)
			if err != nil {
				return nil, err
			}
			c.OrderBy = append(c.OrderBy, op.SortColumn{Column: i, Descending: k.Descending, NullsFirst: k.NullsFirst})
		}
		s.Aggs = append(s.Aggs, c)
	}
	return s, nil
}

// columnAt returns the position of a plain column.
func columnAt(at map[expr.ColumnID]int, e expr.Expr) (int, error) {
	if c, ok := e.(*expr.Column); ok {
		if i, ok := at[c.ID]; ok {
			return i, nil
		}
	}
	return 0, fmt.Errorf("%s is not a column of the input", e)
}
