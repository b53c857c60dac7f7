package optimize

import (
	"slices"
	"testing"

	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// TestDependencies asks which of two columns determine which others, for
// plans over t (#1, #2), which has no keys, and g: u (#11, #12) grouped by
// #11 with #30 as its largest #12.
func TestDependencies(t *testing.T) {
	x := table("t", 1, 0, 1)
	a, b := x.Columns[0], x.Columns[1]
	g := grouped(t, table("u", 11, 0, 1), 0, 30, "max", 1)
	k, m := g.Outputs()[0], g.Outputs()[1]
	// h is g whose key is not null.
	notNulls := table("u", 11, 0, 1)
	notNulls.Table.Columns[0].NotNull = true
	h := grouped(t, notNulls, 0, 30, "max", 1)
	eq := func(l, r expr.Expr) expr.Expr { return compare(function.OpEq, l, r) }
	filtered := func(in plan.Node, e expr.Expr) plan.Node { return &plan.Filter{Input: in, Predicate: e} }
	sum, err := function.ResolveScalar(function.OpAdd, []types.Type{bigint, bigint})
	if err != nil {
		t.Fatal(err)
	}
	total := plan.Assignment{Column: plan.Column{ID: 40, Type: bigint}, Expr: &expr.Call{Fn: sum, Args: []expr.Expr{a.Ref(), num(1)}}}
	withFilter := joined(x, g, plan.LeftJoin)
	withFilter.Filter = compare(function.OpLt, b.Ref(), m.Ref())
	floats := table("f", 50, 0, 1)
	for i := range floats.Columns {
		floats.Columns[i].Type = types.Of(types.Double)
	}
	id := plan.Column{ID: 60, Type: bigint}
	for _, tc := range []struct {
		name string
		node plan.Node
		from []expr.ColumnID
		want []expr.ColumnID // of all columns seen
	}{
		{"a table has no keys", x, []expr.ColumnID{1}, nil},
		{"a group's key", g, []expr.ColumnID{11}, []expr.ColumnID{30}},
		{"a group's result is no key", g, []expr.ColumnID{30}, nil},
		{"no groups: one row", &plan.Aggregate{Input: x, Aggs: g.(*plan.Aggregate).Aggs}, nil, []expr.ColumnID{30}},
		{"constant", filtered(x, eq(a.Ref(), num(5))), nil, []expr.ColumnID{1}},
		{"less than a constant", filtered(x, compare(function.OpLt, a.Ref(), num(5))), nil, nil},
		{"equal columns", filtered(x, eq(a.Ref(), b.Ref())), []expr.ColumnID{2}, []expr.ColumnID{1}},
		{"equal floats are not identical", filtered(floats, eq(floats.Columns[0].Ref(), floats.Columns[1].Ref())), []expr.ColumnID{50}, nil},
		{"either of two constants", filtered(x, or([]expr.Expr{eq(a.Ref(), num(5)), eq(a.Ref(), num(6))})), nil, nil},
		{"computed", project(x, pass(1, a), total), []expr.ColumnID{1}, []expr.ColumnID{40}},
		{"not the other way", project(x, pass(1, a), total), []expr.ColumnID{40}, nil},
		{"renamed", project(g, pass(70, k), pass(71, m)), []expr.ColumnID{70}, []expr.ColumnID{11, 30, 71}},
		{"numbered", &plan.UniqueID{Input: x, Column: id}, []expr.ColumnID{60}, []expr.ColumnID{1, 2}},
		{"numbered, other columns", &plan.UniqueID{Input: x, Column: id}, []expr.ColumnID{1, 2}, nil},
		{"single row", &plan.SingleRow{Input: x}, nil, []expr.ColumnID{1, 2}},
		{"one row of values", &plan.Values{Columns: x.Columns, Rows: [][]expr.Expr{{num(1), num(2)}}}, nil, []expr.ColumnID{1, 2}},
		{"two rows of values", &plan.Values{Columns: x.Columns, Rows: [][]expr.Expr{{num(1), num(2)}, {num(1), num(2)}}}, nil, nil},
		{"inner join: keys both ways, and what they determine", joined(x, g, plan.InnerJoin), []expr.ColumnID{1}, []expr.ColumnID{11, 30}},
		{"inner join, from the right", joined(x, g, plan.InnerJoin), []expr.ColumnID{11}, []expr.ColumnID{1, 30}},
		{"inner join, not the rest of the left", joined(x, g, plan.InnerJoin), []expr.ColumnID{11, 30}, []expr.ColumnID{1}},
		{"left join: the left key", joined(x, g, plan.LeftJoin), []expr.ColumnID{1}, []expr.ColumnID{11, 30}},
		{"left join: the right key, not the left one", joined(x, g, plan.LeftJoin), []expr.ColumnID{11}, []expr.ColumnID{30}},
		{"left join on more than keys", withFilter, []expr.ColumnID{1}, nil},
		{"left join on more than keys, the right key", withFilter, []expr.ColumnID{11}, []expr.ColumnID{30}},
		{"right join: the kept side", joined(g, x, plan.RightJoin), []expr.ColumnID{1}, []expr.ColumnID{11, 30}},
		{"full join: the left key says nothing of the right", joined(x, g, plan.FullJoin), []expr.ColumnID{1}, nil},
		{"full join: a null key is a row's or nobody's", joined(x, g, plan.FullJoin), []expr.ColumnID{11}, nil},
		{"full join: a key that is never null", joined(x, h, plan.FullJoin), []expr.ColumnID{11}, []expr.ColumnID{30}},
		{"semi join: the left side alone", joined(g, x, plan.SemiJoin), []expr.ColumnID{11}, []expr.ColumnID{30}},
		{"union", &plan.Union{In: []plan.Node{g, g}, Columns: g.Outputs(), Sources: [][]plan.Column{g.Outputs(), g.Outputs()}}, []expr.ColumnID{11}, nil},
		{"limits drop rows only", &plan.Limit{Input: g, N: 5}, []expr.ColumnID{11}, []expr.ColumnID{30}},
	} {
		got := determined(tc.from, dependencies(tc.node))
		got = slices.DeleteFunc(got, func(id expr.ColumnID) bool { return slices.Contains(tc.from, id) })
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v determine %v, want %v", tc.name, tc.from, got, tc.want)
		}
	}
}
