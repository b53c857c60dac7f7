package optimize

import (
	"testing"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

var bigint = types.Of(types.BigInt)

// table reads some columns (by ordinal) of a table of four, as #base+ordinal.
func table(name string, base expr.ColumnID, ordinals ...int) *plan.Scan {
	t := &connectors.Table{Schema: "s", Name: name}
	for _, c := range []string{"a", "b", "c", "d"} {
		t.Columns = append(t.Columns, connectors.Column{Name: c, Type: bigint})
	}
	s := &plan.Scan{Catalog: "c", Table: t, Limit: -1, Ordinals: ordinals}
	for _, o := range ordinals {
		s.Columns = append(s.Columns, plan.Column{ID: base + expr.ColumnID(o), Name: t.Columns[o].Name, Type: bigint})
	}
	return s
}

func num(v int64) expr.Expr { return &expr.Const{Value: v, Typ: bigint} }

func where(t *testing.T, in plan.Node, op string, col int, v int64) plan.Node {
	t.Helper()
	return &plan.Filter{Input: in, Predicate: compare(op, in.Outputs()[col].Ref(), num(v))}
}

func project(in plan.Node, cols ...plan.Assignment) plan.Node {
	return &plan.Project{Input: in, Cols: cols}
}

func pass(id expr.ColumnID, from plan.Column) plan.Assignment {
	return plan.Assignment{Column: plan.Column{ID: id, Type: from.Type}, Expr: from.Ref()}
}

func grouped(t *testing.T, in plan.Node, key int, id expr.ColumnID, name string, arg int) plan.Node {
	t.Helper()
	cols := in.Outputs()
	fn, err := function.ResolveAggregate(name, []types.Type{cols[arg].Type})
	if err != nil {
		t.Fatal(err)
	}
	return &plan.Aggregate{Input: in, Keys: cols[key : key+1], Aggs: []plan.Agg{
		{Column: plan.Column{ID: id, Type: fn.Result}, Call: &expr.Aggregate{Fn: fn, Args: []expr.Expr{cols[arg].Ref()}}},
	}}
}

func joined(l, r plan.Node, kind plan.JoinKind) *plan.Join {
	return &plan.Join{Kind: kind, Left: l, Right: r, Keys: []plan.EquiKey{{Left: l.Outputs()[0], Right: r.Outputs()[0]}}}
}

// TestUnify checks for pairs of plans which columns of the first stand for
// those of the second; none: they are not equal.
func TestUnify(t *testing.T) {
	random, err := function.ResolveScalar("random", nil)
	if err != nil {
		t.Fatal(err)
	}
	dice := plan.Assignment{Column: plan.Column{ID: 90, Type: types.Of(types.Double)}, Expr: &expr.Call{Fn: random}}
	limited := table("t", 1, 0)
	limited.Limit = 3
	handled := table("t", 11, 0)
	handled.Table.Handle = []byte("other")
	filterOnly := table("t", 11, 0, 1)
	filterOnly.FilterOnly = []expr.ColumnID{12}
	x, y := table("t", 1, 0, 1), table("t", 11, 0, 1)
	for _, tc := range []struct {
		name string
		a, b plan.Node
		want []expr.ColumnID
	}{
		{"scans", table("t", 1, 0, 1), table("t", 11, 0, 1), []expr.ColumnID{1, 2}},
		{"scans in another order", table("t", 1, 0, 1), table("t", 11, 1, 0), []expr.ColumnID{2, 1}},
		{"scans of different columns", table("t", 1, 0, 1), table("t", 11, 1, 3), []expr.ColumnID{2, 14}},
		{"other table", table("t", 1, 0), table("u", 11, 0), nil},
		{"other handle", table("t", 1, 0), handled, nil},
		{"limit", limited, table("t", 11, 0), nil},
		{"a column that only a predicate needs", table("t", 1, 0, 1), filterOnly, []expr.ColumnID{1, 2}},
		{"filter", where(t, table("t", 1, 0), function.OpEq, 0, 5), where(t, table("t", 11, 0), function.OpEq, 0, 5), []expr.ColumnID{1}},
		{"filter by another value", where(t, table("t", 1, 0), function.OpEq, 0, 5), where(t, table("t", 11, 0), function.OpEq, 0, 6), nil},
		{"filter by another operator", where(t, table("t", 1, 0), function.OpEq, 0, 5), where(t, table("t", 11, 0), function.OpLt, 0, 5), nil},
		{"filter on another column", where(t, table("t", 1, 0, 1), function.OpEq, 0, 5), where(t, table("t", 11, 0, 1), function.OpEq, 1, 5), nil},
		{"no filter", where(t, table("t", 1, 0), function.OpEq, 0, 5), table("t", 11, 0), nil},
		{"renamed", project(x, pass(5, x.Columns[0])), project(y, pass(15, y.Columns[0])), []expr.ColumnID{5}},
		// Once passed under its own name and once renamed: names must not change midway.
		{"passed twice", project(x, pass(5, x.Columns[0])), project(y, pass(11, y.Columns[0]), pass(16, y.Columns[0])), []expr.ColumnID{5, 5}},
		// What the first plan drops is passed on again, by the second one's name.
		{"passed again", project(x, pass(1, x.Columns[0])), project(y, pass(12, y.Columns[1])), []expr.ColumnID{12}},
		{"random", project(x, dice), project(y, dice), nil},
		{"grouped", grouped(t, table("t", 1, 0, 1), 0, 30, "sum", 1), grouped(t, table("t", 11, 0, 1), 0, 40, "sum", 1), []expr.ColumnID{1, 30}},
		{"grouped, another aggregate", grouped(t, table("t", 1, 0, 1), 0, 30, "sum", 1), grouped(t, table("t", 11, 0, 1), 0, 40, "max", 1), []expr.ColumnID{1, 40}},
		{"grouped by another key", grouped(t, table("t", 1, 0, 1), 0, 30, "sum", 1), grouped(t, table("t", 11, 0, 1), 1, 40, "sum", 1), nil},
		{"joined", joined(table("t", 1, 0), table("u", 5, 0, 1), plan.InnerJoin), joined(table("t", 11, 0), table("u", 15, 0, 1), plan.InnerJoin), []expr.ColumnID{1, 5, 6}},
		{"joined the other way", joined(table("t", 1, 0), table("u", 5, 0), plan.InnerJoin), joined(table("t", 11, 0), table("u", 15, 0), plan.LeftJoin), nil},
		{"joined in another order", joined(table("t", 1, 0), table("u", 5, 0), plan.InnerJoin), joined(table("u", 11, 0), table("t", 15, 0), plan.InnerJoin), nil},
		{"limits", &plan.Limit{Input: x, N: 5}, &plan.Limit{Input: y, N: 5}, []expr.ColumnID{1, 2}},
		{"other limits", &plan.Limit{Input: x, N: 5}, &plan.Limit{Input: y, N: 6}, nil},
		{"unique ids", &plan.UniqueID{Input: x, Column: plan.Column{ID: 7}}, &plan.UniqueID{Input: y, Column: plan.Column{ID: 17}}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			u, ok := unify(tc.a, tc.b)
			if ok != (tc.want != nil) {
				t.Fatalf("equal: %v", ok)
			}
			if !ok {
				return
			}
			for _, c := range tc.a.Outputs() {
				if !has(u.node.Outputs(), c.ID) {
					t.Errorf("%v of the first is missing in\n%s", c, plan.Format(u.node))
				}
			}
			for i, c := range tc.b.Outputs() {
				if got := u.names.of(c); got.ID != tc.want[i] || !has(u.node.Outputs(), got.ID) {
					t.Errorf("%v of the second is %v, want #%d, in\n%s", c, got, tc.want[i], plan.Format(u.node))
				}
			}
		})
	}
	u, _ := unify(filterOnly, table("t", 1, 0, 1))
	if s := u.node.(*plan.Scan); len(s.FilterOnly) != 0 {
		t.Errorf("the second needs what the first reads for its filter only: %v", s.FilterOnly)
	}
}
