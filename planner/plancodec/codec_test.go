package plancodec

import (
	"bytes"
	"testing"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

func column(id int, t types.Type) plan.Column {
	return plan.Column{ID: expr.ColumnID(id), Name: string(rune('a' + id)), Type: t}
}

// everyNode returns a fragment in which each node type, expression and kind
// of constant occurs.
func everyNode(t *testing.T) *plan.Fragment {
	t.Helper()
	big, str := types.Of(types.BigInt), types.VarcharOf(7)
	a, b, c := column(0, big), column(1, str), column(2, types.DecimalOf(38, 4))
	nested := types.RowOf([]types.Type{types.ArrayOf(big), types.MapOf(str, big)}, []string{"x", ""})
	add, err := function.ResolveScalar(function.OpAdd, []types.Type{big, big})
	if err != nil {
		t.Fatal(err)
	}
	sum, err := function.ResolveAggregate("sum", []types.Type{big})
	if err != nil {
		t.Fatal(err)
	}
	table := &connectors.Table{Schema: "s", Name: "t", Handle: []byte{1, 2}, Columns: []connectors.Column{
		{Name: "a", Type: big, NotNull: true}, {Name: "b", Type: str, Comment: "text"}, {Name: "c", Type: c.Type, Hidden: true},
	}}
	truth := &expr.Const{Value: true, Typ: types.Of(types.Boolean)}
	var scan plan.Node = &plan.Scan{
		Base: plan.Base{ID: 9, Est: &plan.Estimate{Rows: 5, Bytes: 40}}, Catalog: "lake", Table: table,
		Columns: []plan.Column{a, b, c}, Ordinals: []int{0, 1, 2}, Limit: -1, Predicate: truth,
		FilterOnly: []expr.ColumnID{2}, Dynamic: []plan.DynamicUse{{Filter: 3, Column: 0}},
	}
	consts := []expr.Expr{
		truth, &expr.Const{Typ: big}, &expr.Const{Value: int64(-5), Typ: big}, &expr.Const{Value: 1.5, Typ: types.Of(types.Double)},
		&expr.Const{Value: float32(2), Typ: types.Of(types.Real)}, &expr.Const{Value: types.Int128{Lo: 1, Hi: -1}, Typ: c.Type},
		&expr.Const{Value: "x\x00y", Typ: str}, &expr.Const{Value: []any{[]any{int64(1), nil}, [][2]any{{"k", int64(2)}}}, Typ: nested},
		&expr.Call{Fn: add, Args: []expr.Expr{a.Ref(), &expr.Cast{Arg: b.Ref(), Typ: big, Safe: true}}},
		&expr.Form{Op: expr.Case, Args: []expr.Expr{truth, a.Ref(), a.Ref()}, Typ: big}, &expr.Form{Op: expr.Field, Args: []expr.Expr{a.Ref()}, Index: 1, Typ: big},
	}
	var cols []plan.Assignment
	for i, x := range consts {
		cols = append(cols, plan.Assignment{Column: column(10+i, x.Type()), Expr: x})
	}
	keys := []plan.SortKey{{Column: a, Descending: true}, {Column: b, NullsFirst: true}}
	var n plan.Node = &plan.Project{Input: &plan.Filter{Input: scan, Predicate: truth}, Cols: cols}
	n = &plan.Aggregate{Input: n, Keys: []plan.Column{a}, Step: plan.Partial, Aggs: []plan.Agg{{
		Column: c, State: []plan.Column{c}, Call: &expr.Aggregate{Fn: sum, Args: []expr.Expr{a.Ref()}, Distinct: true, Filter: truth,
			OrderBy: []expr.SortKey{{Expr: a.Ref(), Descending: true}}},
	}}}
	n = &plan.Join{
		Kind: plan.MarkJoin, Left: n, Right: &plan.RemoteSource{Fragments: []plan.FragmentID{4, 5}, Columns: []plan.Column{b}, Kind: plan.Replicate, OrderBy: keys},
		Keys: []plan.EquiKey{{Left: a, Right: a}}, Filter: truth, Mark: column(5, truth.Typ), NullAware: true, Dist: plan.Broadcast,
		Dynamic: []plan.DynamicSource{{Filter: 1, Column: b}}, Cols: []plan.Column{},
	}
	n = &plan.TopN{Input: &plan.Sort{Input: n, Keys: keys, Step: plan.Partial}, Keys: keys, N: 10, Step: plan.Final}
	n = &plan.Union{In: []plan.Node{n, &plan.Values{Columns: []plan.Column{a}, Rows: [][]expr.Expr{{consts[2]}, {consts[1]}}}},
		Columns: []plan.Column{c}, Sources: [][]plan.Column{{a}, {b}}}
	n = &plan.UniqueID{Input: &plan.SingleRow{Input: &plan.Limit{Input: n, N: -1, Offset: 3}}, Column: a}
	n = &plan.RowNumber{Input: n, Partition: []plan.Column{a}, Keys: keys, Column: b, Limit: -1}
	n = &plan.MarkDistinct{Input: n, Keys: []plan.Column{a}, Column: b}
	n = &plan.Unnest{Input: n, Replicate: []plan.Column{a}, Exprs: []plan.Column{b}, Columns: [][]plan.Column{{c}}, Ordinality: &a, Outer: true}
	n = &plan.Exchange{In: []plan.Node{n}, Kind: plan.Hash, Keys: []plan.Column{a}, OrderBy: keys}
	n = &plan.Write{Input: n, Catalog: "c", Schema: "s", Table: "t", Create: []connectors.Column{{Name: "x", Type: nested}}, Cols: []plan.Column{a}, Count: b}
	n = &plan.Output{Input: n, Cols: []plan.Column{a}, Names: []string{"total"}}
	return &plan.Fragment{ID: 2, Root: n, Spread: plan.ByPartition, Output: plan.Partitioning{Kind: plan.Hash, Keys: []plan.Column{a}}, Inputs: []plan.FragmentID{4, 5}, Indeterminate: true, SameFilters: true}
}

// TestRoundTrip compares bytes and text, which between them show every field.
func TestRoundTrip(t *testing.T) {
	f := everyNode(t)
	b, err := EncodeFragment(f)
	if err != nil {
		t.Fatal(err)
	}
	g, err := DecodeFragment(Version, b)
	if err != nil {
		t.Fatal(err)
	}
	again, err := EncodeFragment(g)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b, again) {
		t.Error("encoding what was decoded gives other bytes")
	}
	if want, got := plan.Format(f.Root), plan.Format(g.Root); got != want {
		t.Errorf("decoded plan differs\ngot:\n%s\nwant:\n%s", got, want)
	}
	if g.ID != f.ID || g.Spread != f.Spread || g.Output.Kind != f.Output.Kind || !g.Indeterminate || !g.SameFilters || len(g.Inputs) != 2 {
		t.Errorf("fragment %+v, want %+v", g, f)
	}
}

func TestRefusesOtherVersion(t *testing.T) {
	if _, err := DecodeFragment(Version+1, nil); err == nil {
		t.Error("a plan of another version was read")
	}
}

// FuzzDecode feeds damaged plans to the reader: errors, never a panic.
func FuzzDecode(f *testing.F) {
	b, err := EncodeFragment(everyNode(&testing.T{}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		frag, err := DecodeFragment(Version, b)
		if err != nil {
			return
		}
		if _, err := EncodeFragment(frag); err != nil {
			t.Errorf("a plan that was read cannot be written: %v", err)
		}
	})
}
