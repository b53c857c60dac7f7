package stats

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// source is what the estimator does not call.
type source = connectors.Connector

// fake is a connector of tables of which it knows rows and columns.
type fake struct {
	source
	tables map[string]connectors.TableStats
	err    error
	asked  int
}

func (f *fake) Connector(context.Context, string) (connectors.Connector, error) { return f, nil }

func (f *fake) Stats(_ context.Context, scan *connectors.Scan) (*connectors.TableStats, error) {
	f.asked++
	if f.err != nil {
		return nil, f.err
	}
	t := f.tables[scan.Table]
	out := &connectors.TableStats{Rows: t.Rows}
	for _, c := range scan.Columns {
		out.Columns = append(out.Columns, t.Columns[c.Ordinal])
	}
	return out, nil
}

var (
	bigint  = types.Of(types.BigInt)
	varchar = types.VarcharType()
	nan     = math.NaN()
)

// world has fact (1,000,000 rows) with keys of dim (1,000 rows) and pair
// (10,000 rows, two keys), and tables about which nothing is known.
func world() *fake {
	whole := func(d, lo, hi float64) connectors.ColumnStats {
		return connectors.ColumnStats{Distinct: d, Min: lo, Max: hi, Bytes: 8}
	}
	return &fake{tables: map[string]connectors.TableStats{
		"fact": {Rows: 1e6, Columns: []connectors.ColumnStats{whole(1000, 1, 1000), whole(500, 1, 500), whole(100, 0, 100), {Distinct: 10, NullFraction: 0.2, Min: nan, Max: nan, Bytes: 20}}},
		"dim":  {Rows: 1000, Columns: []connectors.ColumnStats{whole(1000, 1, 1000), whole(10, 1, 10)}},
		"pair": {Rows: 1e4, Columns: []connectors.ColumnStats{whole(1000, 1, 1000), whole(500, 1, 500)}},
		"mist": {Rows: nan, Columns: []connectors.ColumnStats{{Distinct: nan, NullFraction: nan, Min: nan, Max: nan, Bytes: nan}}},
	}}
}

// scan reads a table's first columns as #base+1, #base+2, ….
func scan(table string, base expr.ColumnID, ts ...types.Type) *plan.Scan {
	t := &connectors.Table{Schema: "s", Name: table}
	s := &plan.Scan{Catalog: "c", Table: t, Limit: -1}
	for i, typ := range ts {
		t.Columns = append(t.Columns, connectors.Column{Name: string(rune('a' + i)), Type: typ})
		s.Columns = append(s.Columns, plan.Column{ID: base + expr.ColumnID(i) + 1, Name: t.Columns[i].Name, Type: typ})
		s.Ordinals = append(s.Ordinals, i)
	}
	return s
}

func fact() *plan.Scan { return scan("fact", 0, bigint, bigint, bigint, varchar) }
func dim() *plan.Scan  { return scan("dim", 10, bigint, bigint) }
func pair() *plan.Scan { return scan("pair", 20, bigint, bigint) }

func number(v int64) expr.Expr { return &expr.Const{Value: v, Typ: bigint} }

func call(name string, a, b expr.Expr) expr.Expr {
	fn, err := function.ResolveScalar(name, []types.Type{a.Type(), b.Type()})
	if err != nil {
		panic(err)
	}
	return &expr.Call{Fn: fn, Args: []expr.Expr{a, b}}
}

func form(op expr.Op, args ...expr.Expr) expr.Expr {
	return &expr.Form{Op: op, Args: args, Typ: types.Of(types.Boolean)}
}

func where(n plan.Node, e expr.Expr) plan.Node { return &plan.Filter{Input: n, Predicate: e} }

func on(kind plan.JoinKind, l, r plan.Node, at ...int) *plan.Join {
	j := &plan.Join{Kind: kind, Left: l, Right: r}
	for i := 0; i < len(at); i += 2 {
		j.Keys = append(j.Keys, plan.EquiKey{Left: l.Outputs()[at[i]], Right: r.Outputs()[at[i+1]]})
	}
	return j
}

func near(got, want float64) bool { return math.Abs(got-want) <= 0.02*want+1e-9 }

func TestRows(t *testing.T) {
	f, d, p := fact(), dim(), pair()
	a, b, c, s := f.Columns[0].Ref(), f.Columns[1].Ref(), f.Columns[2].Ref(), f.Columns[3].Ref()
	text := &expr.Const{Value: "x", Typ: varchar}
	dimEq := call(function.OpEq, d.Columns[1].Ref(), number(3))
	for _, tc := range []struct {
		name string
		node plan.Node
		want float64
	}{
		{"table", f, 1e6},
		{"equal", where(f, call(function.OpEq, a, number(7))), 1e3},
		{"equal, out of bounds", where(f, call(function.OpEq, a, number(7000))), 0},
		{"not equal", where(f, call(function.OpNe, a, number(7))), 999e3},
		{"equal, nulls", where(f, call(function.OpEq, s, text)), 8e4},
		{"is null", where(f, form(expr.IsNull, s)), 2e5},
		{"is not null", where(f, form(expr.Not, form(expr.IsNull, s))), 8e5},
		{"in", where(f, form(expr.In, a, number(1), number(2), number(3))), 3e3},
		{"less", where(f, call(function.OpLt, c, number(25))), 25e4},
		{"between", where(f, form(expr.And, call(function.OpGe, c, number(20)), call(function.OpLe, c, number(30)))), 1e5},
		{"nothing between", where(f, form(expr.And, call(function.OpGe, c, number(30)), call(function.OpLe, c, number(20)))), 0},
		{"or", where(f, form(expr.Or, call(function.OpLt, c, number(50)), call(function.OpGt, c, number(50)))), 75e4},
		{"and, a little less than independent", where(f, form(expr.And, call(function.OpLt, c, number(50)), call(function.OpEq, b, number(1)))), 1e6 / 500 * math.Pow(0.5, 0.85)},
		{"false", where(f, &expr.Const{Value: false, Typ: types.Of(types.Boolean)}), 0},
		{"like", where(f, call(function.OpLike, s, text)), 1e5},

		{"join with a key", on(plan.InnerJoin, f, d, 0, 0), 1e6},
		{"join with a filtered key", on(plan.InnerJoin, f, where(d, dimEq), 0, 0), 1e5},
		{"both filtered", on(plan.InnerJoin, where(f, call(function.OpLt, c, number(10))), where(d, dimEq), 0, 0), 1e4},
		{"a key of two columns", on(plan.InnerJoin, f, p, 0, 0, 1, 1), 1e6},
		{"the same condition on both sides", on(plan.InnerJoin, where(f, call(function.OpLe, a, number(100))), where(d, call(function.OpLe, d.Columns[0].Ref(), number(100))), 0, 0), 1e5},
		{"the same value on both sides", on(plan.InnerJoin, where(f, call(function.OpEq, a, number(100))), where(d, call(function.OpEq, d.Columns[0].Ref(), number(100))), 0, 0), 1e3},
		{"cross", on(plan.InnerJoin, d, p), 1e7},
		{"left", on(plan.LeftJoin, f, where(d, dimEq), 0, 0), 1e6},
		{"right", on(plan.RightJoin, where(f, call(function.OpEq, a, number(1))), d, 0, 0), 1e3},
		{"semi", on(plan.SemiJoin, f, where(d, dimEq), 0, 0), 1e5},
		{"anti", on(plan.AntiJoin, f, where(d, dimEq), 0, 0), 9e5},
		{"mark", on(plan.MarkJoin, f, d, 0, 0), 1e6},

		{"group", &plan.Aggregate{Input: f, Keys: f.Columns[:1]}, 1e3},
		{"group by two", &plan.Aggregate{Input: f, Keys: f.Columns[:2]}, 5e5},
		{"group by more than there are", &plan.Aggregate{Input: f, Keys: f.Columns[:3]}, 1e6},
		{"group all", &plan.Aggregate{Input: f}, 1},
		{"limit", &plan.Limit{Input: f, N: 10}, 10},
		{"top", &plan.TopN{Input: d, N: 5000}, 1000},
		{"union", &plan.Union{In: []plan.Node{f, d}, Columns: f.Columns[:1], Sources: [][]plan.Column{f.Columns[:1], d.Columns[:1]}}, 1001e3},
		{"one of each", &plan.RowNumber{Input: f, Partition: f.Columns[:1], Limit: 1}, 1e3},
		{"single", &plan.SingleRow{Input: f}, 1},
		{"values", &plan.Values{Rows: make([][]expr.Expr, 3)}, 3},
	} {
		e := New(context.Background(), world())
		got := e.Of(tc.node)
		if !near(got.Rows, tc.want) {
			t.Errorf("%s: %.0f rows, want %.0f", tc.name, got.Rows, tc.want)
		}
		if !got.Known {
			t.Errorf("%s: not known", tc.name)
		}
	}
}

func TestColumns(t *testing.T) {
	f := fact()
	c := f.Columns[2]
	e := New(context.Background(), world())
	got := e.Of(where(f, form(expr.And, call(function.OpGe, c.Ref(), number(20)), call(function.OpLt, c.Ref(), number(40))))).Column(c)
	if got.Min != 20 || got.Max != 40 || got.Domain != 100 || got.Distinct < 15 || got.Distinct > 25 {
		t.Errorf("range: %+v", got)
	}
	got = e.Of(where(f, form(expr.In, c.Ref(), number(5), number(9)))).Column(c)
	if got.Min != 5 || got.Max != 9 || got.Distinct != 2 {
		t.Errorf("IN: %+v", got)
	}
	outer := on(plan.LeftJoin, f, where(dim(), call(function.OpEq, dim().Columns[1].Ref(), number(3))), 0, 0)
	if got := e.Of(outer).Column(dim().Columns[0]); !near(got.Nulls, 0.9) {
		t.Errorf("outer join: %+v", got)
	}
}

// TestResults describes what aggregates of fact by its first column (1000 rows
// a group) may be: the share of groups that a condition on the result keeps.
func TestResults(t *testing.T) {
	f := fact()
	for _, tc := range []struct {
		agg      string
		arg      int
		key      int
		op       string
		value    int64
		want     float64
		distinct float64
	}{
		{"count", 0, 0, function.OpGt, 1000, 1 / math.E, 1000},
		{"count", 0, 0, function.OpLt, 1000, 1 - 1/math.E, 1000},
		{"count", 3, 0, function.OpGt, 800, 1 / math.E, 1000}, // a fifth is null
		{"count", 0, 0, function.OpGt, 0, 1, 1000},
		{"count", 0, 0, function.OpGt, -5, 1, 1000},
		{"count", 0, 0, function.OpGt, 10000, 0.02, 1000},
		{"sum", 2, 0, function.OpGt, 100000, math.Exp(-2), 1000}, // 0 to 100, so 50 on average
		{"max", 2, 0, function.OpGt, 90, 0.1, 100},
		{"min", 2, 0, function.OpGt, 200, 0, 100},
		{"avg", 2, 0, function.OpLe, 25, 0.25, 1000},
		{"max", 3, 0, "", 0, 1, 10},
	} {
		fn, err := function.ResolveAggregate(tc.agg, []types.Type{f.Columns[tc.arg].Type})
		if err != nil {
			t.Fatal(err)
		}
		out := plan.Column{ID: 99, Type: fn.Result}
		group := &plan.Aggregate{Input: f, Keys: f.Columns[tc.key : tc.key+1], Aggs: []plan.Agg{
			{Column: out, Call: &expr.Aggregate{Fn: fn, Args: []expr.Expr{f.Columns[tc.arg].Ref()}}},
		}}
		e := New(context.Background(), world())
		if got := e.Of(group).Column(out).Distinct; !near(got, tc.distinct) {
			t.Errorf("%s of %v: %.0f different values, want %.0f", tc.agg, f.Columns[tc.arg], got, tc.distinct)
		}
		if tc.op == "" {
			continue
		}
		v := number(tc.value)
		if fn.Result.Kind == types.Double {
			v = &expr.Const{Value: float64(tc.value), Typ: fn.Result}
		}
		if got := Selectivity(e.Of(group), []expr.Expr{call(tc.op, out.Ref(), v)}); math.Abs(got-tc.want) > 0.01 {
			t.Errorf("%s of %v %s %d keeps %.3f, want %.3f", tc.agg, f.Columns[tc.arg], tc.op, tc.value, got, tc.want)
		}
	}
}

// TestFewGroups has groups of about one row, and counts that hardly differ.
func TestFewGroups(t *testing.T) {
	p := pair()
	fn, err := function.ResolveAggregate("count", nil)
	if err != nil {
		t.Fatal(err)
	}
	n := plan.Column{ID: 99, Type: bigint}
	group := &plan.Aggregate{Input: p, Keys: p.Columns, Aggs: []plan.Agg{{Column: n, Call: &expr.Aggregate{Fn: fn}}}}
	e := New(context.Background(), world())
	if got := e.Of(&plan.Aggregate{Input: group, Keys: []plan.Column{n}}).Rows; got > 10 {
		t.Errorf("%.0f different counts of single rows", got)
	}
}

func TestValues(t *testing.T) {
	row := func(v any, s any) []expr.Expr {
		return []expr.Expr{&expr.Const{Value: v, Typ: bigint}, &expr.Const{Value: s, Typ: varchar}}
	}
	a, s := plan.Column{ID: 1, Type: bigint}, plan.Column{ID: 2, Type: varchar}
	e := New(context.Background(), nil)
	v := e.Of(&plan.Values{Columns: []plan.Column{a, s}, Rows: [][]expr.Expr{row(int64(3), "x"), row(int64(7), "y"), row(int64(3), "x"), row(nil, nil)}})
	if c := v.Column(a); c.Distinct != 2 || c.Min != 3 || c.Max != 7 || c.Nulls != 0.25 {
		t.Errorf("numbers: %+v", c)
	}
	if c := v.Column(s); c.Distinct != 2 || !math.IsNaN(c.Min) || !math.IsNaN(c.Max) || c.Nulls != 0.25 {
		t.Errorf("texts: %+v", c)
	}
	nulls := e.Of(&plan.Values{Columns: []plan.Column{a, s}, Rows: [][]expr.Expr{row(nil, nil)}})
	if c := nulls.Column(a); c.Distinct != 1 || c.Nulls != 1 || !math.IsNaN(c.Min) {
		t.Errorf("nulls: %+v", c)
	}
	d := dim()
	e = New(context.Background(), world())
	if got := e.Of(on(plan.InnerJoin, d, &plan.Values{Columns: []plan.Column{a}, Rows: [][]expr.Expr{{number(3)}, {number(7)}}}, 0, 0)).Rows; !near(got, 2) {
		t.Errorf("two values pick %.0f rows", got)
	}
	var many [][]expr.Expr
	for i := range int64(5000) {
		many = append(many, row(i, "x"))
	}
	if c := e.Of(&plan.Values{Columns: []plan.Column{a, s}, Rows: many}).Column(a); c.Distinct != 5000 || !math.IsNaN(c.Max) {
		t.Errorf("many: %+v", c)
	}
}

// TestUnknown plans on without statistics, but says so.
func TestUnknown(t *testing.T) {
	mist := scan("mist", 30, bigint)
	broken := world()
	broken.err = errors.New("no footers today")
	for name, e := range map[string]*Estimator{
		"no rows": New(context.Background(), world()), "error": New(context.Background(), broken), "no catalogs": New(context.Background(), nil),
	} {
		n := on(plan.InnerJoin, where(mist, call(function.OpEq, mist.Columns[0].Ref(), number(1))), scan("mist", 40, bigint), 0, 0)
		got := e.Of(n)
		if got.Known || math.IsNaN(got.Rows) || got.Rows < 1 {
			t.Errorf("%s: %+v", name, got)
		}
		if est := e.Estimate(n); !math.IsNaN(est.Rows) {
			t.Errorf("%s: prints %v rows", name, est.Rows)
		}
		if _, known := e.TotalScanBytes(n); known {
			t.Errorf("%s: size known", name)
		}
	}
}

func TestTotalScanBytes(t *testing.T) {
	e := New(context.Background(), world())
	got, known := e.TotalScanBytes(on(plan.InnerJoin, where(fact(), call(function.OpEq, fact().Columns[0].Ref(), number(1))), dim(), 0, 0))
	if want := 1e6*44 + 1e3*16; got != float64(want) || !known {
		t.Errorf("%v bytes (known %v), want %v", got, known, want)
	}
}

func TestNumber(t *testing.T) {
	for _, tc := range []struct {
		c    expr.Const
		want float64
		ok   bool
	}{
		{expr.Const{Value: int64(5), Typ: bigint}, 5, true},
		{expr.Const{Value: int64(2400), Typ: types.DecimalOf(12, 2)}, 24, true},
		{expr.Const{Value: 1.5, Typ: types.Of(types.Double)}, 1.5, true},
		{expr.Const{Value: "x", Typ: varchar}, 0, false},
		{expr.Const{Typ: bigint}, 0, false},
	} {
		if got, ok := Number(&tc.c); got != tc.want || ok != tc.ok {
			t.Errorf("%s: %v %v", &tc.c, got, ok)
		}
	}
}

// TestAsksOnce repeats no question to a connector, though rules copy scans.
func TestAsksOnce(t *testing.T) {
	w := world()
	e := New(context.Background(), w)
	for range 3 {
		e.Of(where(fact(), call(function.OpEq, fact().Columns[0].Ref(), number(1))))
		e.Of(scan("fact", 50, bigint, bigint, bigint, varchar))
	}
	if w.asked != 2 {
		t.Errorf("asked %d times, want once with the filter and once without", w.asked)
	}
}
