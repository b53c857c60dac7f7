package local

import (
	"context"
	"fmt"
	"testing"

	"github.com/tuttidb/tutti/exec/op/optest"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// sumPlan is k, sum(v), count(*) of a grouped by k, or of all, in one or two
// steps. With apart, something stands between the steps.
func sumPlan(c *fakeTables, step plan.Step, keyed, apart bool) *plan.Plan {
	p := &planner{}
	a := p.scan("a", c.tables["a"])
	var keys []plan.Column
	if keyed {
		keys = a.Columns[:1]
	}
	sum := &function.Aggregate{Name: "sum", Args: []types.Type{bigint}, Result: bigint, State: []types.Type{bigint}}
	count := &function.Aggregate{Name: "count", Result: bigint, State: []types.Type{bigint}, ZeroOnEmpty: true}
	s, n := p.column("s", bigint), p.column("n", bigint)
	call := func(fn *function.Aggregate, args ...plan.Column) *expr.Aggregate {
		e := &expr.Aggregate{Fn: fn}
		for _, c := range args {
			e.Args = append(e.Args, c.Ref())
		}
		return e
	}
	if step == plan.Single {
		agg := &plan.Aggregate{Base: p.base(), Input: a, Keys: keys, Aggs: []plan.Agg{
			{Column: s, Call: call(sum, a.Columns[1])}, {Column: n, Call: call(count)}}}
		return &plan.Plan{Fragments: []*plan.Fragment{{Root: agg}}}
	}
	ss, ns := p.column("s_state", bigint), p.column("n_state", bigint)
	part := &plan.Aggregate{Base: p.base(), Input: a, Keys: keys, Step: plan.Partial, Aggs: []plan.Agg{
		{State: []plan.Column{ss}, Call: call(sum, a.Columns[1])}, {State: []plan.Column{ns}, Call: call(count)}}}
	f := &plan.Fragment{ID: 1, Root: part}
	if apart {
		f.Root = &plan.Limit{Base: p.base(), Input: part, N: -1}
	}
	final := &plan.Aggregate{Base: p.base(), Input: p.remote(f), Keys: keys, Step: plan.Final, Aggs: []plan.Agg{
		{Column: s, Call: call(sum, ss)}, {Column: n, Call: call(count, ns)}}}
	return &plan.Plan{Fragments: []*plan.Fragment{{Root: final}, f}}
}

// sums is what sumPlan must give.
func sums(c *fakeTables, keyed bool) (out optest.Rows) {
	at := map[any]int{}
	if !keyed {
		at[nil] = 0
		out = optest.Rows{{nil, int64(0)}}
	}
	for _, r := range c.tables["a"].Rows {
		var k any
		if keyed {
			k = r[0]
		}
		i, ok := at[k]
		if !ok {
			i = len(out)
			at[k] = i
			out = append(out, []any{k, nil, int64(0)})
		}
		row := out[i][len(out[i])-2:]
		row[1] = row[1].(int64) + 1
		if r[1] != nil {
			have, _ := row[0].(int64)
			row[0] = have + r[1].(int64)
		}
	}
	return out
}

func TestAggregations(t *testing.T) {
	c := twoTables()
	for _, drivers := range []int{1, 4} {
		for _, keyed := range []bool{false, true} {
			for name, p := range map[string]*plan.Plan{
				"single": sumPlan(c, plan.Single, keyed, false), "two steps": sumPlan(c, plan.Final, keyed, false),
				"two steps apart": sumPlan(c, plan.Final, keyed, true),
			} {
				t.Run(fmt.Sprintf("%s/%d/%v", name, drivers, keyed), func(t *testing.T) {
					rows, _, err := runPlan(t, p, c, drivers)
					if err != nil {
						t.Fatal(err)
					}
					optest.Same(t, sums(c, keyed), rows)
				})
			}
		}
	}
}

// TestPartialAggregationCanBeOff counts what the partial step puts out: groups,
// or with the setting off each row as a group of its own.
func TestPartialAggregationCanBeOff(t *testing.T) {
	c := twoTables()
	p := sumPlan(c, plan.Final, true, true)
	partial := p.Fragments[1].Root.(*plan.Limit).Input.Common().ID
	rows := int64(len(c.tables["a"].Rows))
	for _, on := range []bool{true, false} {
		d, pool := testDeps(t, c, 2)
		d.Settings.PartialAggregation = on
		r, err := RunPlan(context.Background(), p, d)
		if err != nil {
			t.Fatal(err)
		}
		got, err := optest.Drain(r)
		if err != nil {
			t.Fatal(err)
		}
		optest.CheckLeaks(t, pool, d.Account)
		optest.Same(t, sums(c, true), got)
		if out := d.Stats.Operator(partial, "Aggregate").RowsOut.Load(); (out == rows) == on || out == 0 {
			t.Errorf("partial aggregation %v: %d of %d rows came out of it", on, out, rows)
		}
	}
}
