package kernel

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// testEnv returns an environment whose pool, at the test's end, must have got
// everything back.
func testEnv(t testing.TB) *Env {
	pool := mem.NewPool()
	pool.Poison = true
	zone, _ := types.ZoneByName("America/New_York")
	return &Env{Account: mem.NewRoot("test", 0, pool), Session: Session{
		Zone: zone, Start: time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC), User: "tester", Version: "test"}}
}

var (
	boolT    = types.Of(types.Boolean)
	tinyT    = types.Of(types.TinyInt)
	intT     = types.Of(types.Integer)
	bigT     = types.Of(types.BigInt)
	realT    = types.Of(types.Real)
	doubleT  = types.Of(types.Double)
	dateT    = types.Of(types.Date)
	dayT     = types.Of(types.IntervalDay)
	monthT   = types.Of(types.IntervalYear)
	varcharT = types.VarcharType()
)

// column builds a flat vector of values as expr.Const has them.
func column(t testing.TB, env *Env, typ types.Type, vals ...any) *vector.Vector {
	t.Helper()
	b := vector.NewBuilder(env.Account, typ)
	for _, v := range vals {
		if err := AppendValue(b, typ, v); err != nil {
			t.Fatal(err)
		}
	}
	return b.Vector()
}

// dictionary returns v with each row an index into a dictionary of its
// distinct values.
func dictionary(t testing.TB, env *Env, v *vector.Vector) *vector.Vector {
	t.Helper()
	out := &vector.Vector{Type: v.Type, Enc: vector.Dict, N: v.N, Valid: v.Valid}
	b := vector.NewBuilder(env.Account, v.Type)
	seen := map[string]int32{}
	for i := range v.N {
		if v.IsNull(i) {
			out.Idx = append(out.Idx, 0)
			continue
		}
		key := fmt.Sprintf("%#v", ValueAt(v, i))
		at, ok := seen[key]
		if !ok {
			at = int32(len(seen))
			seen[key] = at
			if err := b.AppendRows(v, []int32{int32(i)}); err != nil {
				t.Fatal(err)
			}
		}
		out.Idx = append(out.Idx, at)
	}
	out.Base = b.Vector()
	return out
}

func col(id int, typ types.Type) expr.Expr { return &expr.Column{ID: expr.ColumnID(id), Typ: typ} }
func lit(v any, typ types.Type) expr.Expr  { return &expr.Const{Value: v, Typ: typ} }
func str(s string) expr.Expr               { return lit(s, varcharT) }
func num(n int) expr.Expr                  { return lit(int64(n), bigT) }

// fn calls a function by name with the result type given.
func fn(name string, result types.Type, args ...expr.Expr) expr.Expr {
	f := &function.Scalar{Name: name, Result: result}
	for _, a := range args {
		f.Args = append(f.Args, a.Type())
	}
	switch name {
	case function.OpDistinct, function.OpArray, "concat_ws", "typeof", "format":
		f.Nulls = function.CalledOnNull
	case "random", "rand", "uuid", "shuffle":
		f.Volatile = true
	}
	return &expr.Call{Fn: f, Args: args}
}

func form(op expr.Op, typ types.Type, args ...expr.Expr) expr.Expr {
	return &expr.Form{Op: op, Args: args, Typ: typ}
}

func cast(e expr.Expr, to types.Type) expr.Expr    { return &expr.Cast{Arg: e, Typ: to} }
func tryCast(e expr.Expr, to types.Type) expr.Expr { return &expr.Cast{Arg: e, Typ: to, Safe: true} }

// evalAll evaluates e over b and returns the values of the selected rows.
func evalAll(t testing.TB, env *Env, e expr.Expr, b *vector.Batch) ([]any, error) {
	t.Helper()
	p, err := Compile(env, []expr.Expr{e})
	if err != nil {
		t.Fatalf("compile %s: %v", e, err)
	}
	defer p.Close()
	out, err := p.Eval(b)
	if err != nil {
		return nil, err
	}
	var vals []any
	for i := range b.Rows() {
		vals = append(vals, ValueAt(out[0], b.Row(i)))
	}
	return vals, nil
}

// checkAll evaluates e over the columns in every encoding and with a
// selection, and compares each with want.
func checkAll(t *testing.T, env *Env, e expr.Expr, cols []*vector.Vector, want ...any) {
	t.Helper()
	n := len(want)
	all := &vector.Batch{N: n, Cols: cols}
	var odd []int32
	var wantOdd []any
	for i := 1; i < n; i += 2 {
		odd = append(odd, int32(i))
		wantOdd = append(wantOdd, want[i])
	}
	var dicts []*vector.Vector
	for _, c := range cols {
		dicts = append(dicts, dictionary(t, env, c))
	}
	for _, test := range []struct {
		name string
		b    *vector.Batch
		want []any
	}{
		{"flat", all, want},
		{"selection", &vector.Batch{N: n, Sel: odd, Cols: cols}, wantOdd},
		{"dictionary", &vector.Batch{N: n, Cols: dicts}, want},
		{"dictionary and selection", &vector.Batch{N: n, Sel: odd, Cols: dicts}, wantOdd},
	} {
		got, err := evalAll(t, env, e, test.b)
		if err != nil {
			t.Errorf("%s, %s: %v", e, test.name, err)
			continue
		}
		if !sameRows(got, test.want) {
			t.Errorf("%s, %s:\n got %v\nwant %v", e, test.name, got, test.want)
		}
		if e.Type().Kind == types.Boolean {
			checkFilter(t, env, e, test.b, test.want)
		}
	}
}

// checkFilter compares a condition's filter with its values.
func checkFilter(t *testing.T, env *Env, e expr.Expr, b *vector.Batch, want []any) {
	t.Helper()
	for _, negate := range []bool{false, true} {
		cond := e
		if negate {
			cond = form(expr.Not, boolT, e)
		}
		f, err := CompileFilter(env, cond)
		if err != nil {
			t.Fatalf("filter %s: %v", cond, err)
		}
		sel, err := f.Apply(b)
		if err != nil {
			t.Errorf("filter %s: %v", cond, err)
		}
		if sel == nil && b.Sel == nil {
			for i := range b.N {
				sel = append(sel, int32(i))
			}
		}
		var wantSel []int32
		for i, w := range want {
			if w == !negate {
				wantSel = append(wantSel, int32(b.Row(i)))
			}
		}
		if fmt.Sprint(sel) != fmt.Sprint(wantSel) {
			t.Errorf("filter %s:\n got %v\nwant %v", cond, sel, wantSel)
		}
		f.Close()
	}
}

func sameRows(a, b []any) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		// As text, so that a NaN equals itself.
		if fmt.Sprintf("%#v", a[i]) != fmt.Sprintf("%#v", b[i]) {
			return false
		}
	}
	return true
}

func TestArithmetic(t *testing.T) {
	env := testEnv(t)
	a := column(t, env, bigT, int64(1), int64(5), nil, int64(-7))
	b := column(t, env, bigT, int64(2), int64(3), int64(4), int64(2))
	ab := []*vector.Vector{a, b}
	checkAll(t, env, fn("$add", bigT, col(0, bigT), col(1, bigT)), ab, int64(3), int64(8), nil, int64(-5))
	checkAll(t, env, fn("$subtract", bigT, num(10), col(1, bigT)), ab, int64(8), int64(7), int64(6), int64(8))
	checkAll(t, env, fn("$subtract", bigT, col(0, bigT), num(10)), ab, int64(-9), int64(-5), nil, int64(-17))
	checkAll(t, env, fn("$multiply", bigT, col(0, bigT), col(1, bigT)), ab, int64(2), int64(15), nil, int64(-14))
	checkAll(t, env, fn("$divide", bigT, col(0, bigT), col(1, bigT)), ab, int64(0), int64(1), nil, int64(-3))
	checkAll(t, env, fn("$modulus", bigT, col(0, bigT), col(1, bigT)), ab, int64(1), int64(2), nil, int64(-1))
	checkAll(t, env, fn("$negate", bigT, col(0, bigT)), ab, int64(-1), int64(-5), nil, int64(7))
}

func TestDecimals(t *testing.T) {
	env := testEnv(t)
	d152, d10 := types.DecimalOf(15, 2), types.DecimalOf(10, 0)
	price := column(t, env, d152, int64(12345), int64(-200), nil, int64(1))
	disc := column(t, env, d152, int64(5), int64(10), int64(7), int64(99))
	cols := []*vector.Vector{price, disc}
	one := lit(int64(1), d10)
	minus := fn("$subtract", types.DecimalOf(16, 2), one, col(1, d152))
	checkAll(t, env, minus, cols, int64(95), int64(90), int64(93), int64(1))
	w := func(v int64) any { return types.Int128Of(v) }
	prod := fn("$multiply", types.DecimalOf(31, 4), col(0, d152), minus)
	checkAll(t, env, prod, cols, w(12345*95), w(-200*90), nil, w(1))
	plus := fn("$add", types.DecimalOf(16, 2), one, col(1, d152))
	checkAll(t, env, fn("$multiply", types.DecimalOf(38, 6), prod, plus), cols, w(12345*95*105), w(-200*90*110), nil, w(199))
	checkAll(t, env, fn("$divide", types.DecimalOf(17, 2), col(0, d152), col(1, d152)), cols, int64(246900), int64(-2000), nil, int64(1))
	checkAll(t, env, cast(col(0, d152), types.DecimalOf(15, 1)), cols, int64(1235), int64(-20), nil, int64(0))
	checkAll(t, env, cast(col(0, d152), bigT), cols, int64(123), int64(-2), nil, int64(0))
	checkAll(t, env, cast(col(0, d152), doubleT), cols, 123.45, -2.0, nil, 0.01)
	checkAll(t, env, cast(col(0, d152), varcharT), cols, "123.45", "-2.00", nil, "0.01")
}

func TestConditions(t *testing.T) {
	env := testEnv(t)
	a := column(t, env, bigT, int64(1), int64(5), nil, int64(-7), int64(9), int64(5))
	s := column(t, env, varcharT, "MAIL", "a long string indeed", "SHIP", nil, "promo green tea", "")
	cols := []*vector.Vector{a, s}
	x, y := col(0, bigT), col(1, varcharT)
	lt := fn("$lt", boolT, x, num(5))
	checkAll(t, env, lt, cols, true, false, nil, true, false, false)
	checkAll(t, env, fn("$ge", boolT, num(5), x), cols, true, true, nil, true, false, true)
	checkAll(t, env, fn("$ne", boolT, x, num(5)), cols, true, false, nil, true, true, false)
	between := form(expr.And, boolT, fn("$ge", boolT, x, num(1)), fn("$le", boolT, x, num(5)))
	checkAll(t, env, between, cols, true, true, nil, false, false, true)
	checkAll(t, env, fn("$eq", boolT, y, str("SHIP")), cols, false, false, true, nil, false, false)
	checkAll(t, env, fn("$eq", boolT, y, str("a long string indeed")), cols, false, true, false, nil, false, false)
	checkAll(t, env, fn("$lt", boolT, y, str("a")), cols, true, false, true, nil, false, true)
	in := form(expr.In, boolT, y, str("MAIL"), str("SHIP"))
	checkAll(t, env, in, cols, true, false, true, nil, false, false)
	checkAll(t, env, form(expr.In, boolT, x, num(5), lit(nil, bigT)), cols, nil, true, nil, nil, nil, true)
	checkAll(t, env, form(expr.In, boolT, x, num(5), fn("$add", bigT, x, num(0))), cols, true, true, nil, true, true, true)
	checkAll(t, env, form(expr.IsNull, boolT, y), cols, false, false, false, true, false, false)
	checkAll(t, env, form(expr.Or, boolT, in, fn("$eq", boolT, x, num(9))), cols, true, false, true, nil, true, false)
	checkAll(t, env, form(expr.Or, boolT, fn("$eq", boolT, x, num(9)), form(expr.IsNull, boolT, x)), cols, false, false, true, false, true, false)
	checkAll(t, env, form(expr.And, boolT, lt, in), cols, true, false, nil, nil, false, false)
	checkAll(t, env, fn("$like", boolT, y, str("%green%")), cols, false, false, false, nil, true, false)
	checkAll(t, env, fn("$distinct", boolT, x, num(5)), cols, true, false, true, true, true, false)
}

func TestCase(t *testing.T) {
	env := testEnv(t)
	a := column(t, env, bigT, int64(1), int64(0), nil, int64(4))
	s := column(t, env, varcharT, "one", "a long string indeed", "three", nil)
	cols := []*vector.Vector{a, s}
	x := col(0, bigT)
	guarded := form(expr.Case, bigT, fn("$ne", boolT, x, num(0)), fn("$divide", bigT, num(8), x), num(-1))
	checkAll(t, env, guarded, cols, int64(8), int64(-1), int64(-1), int64(2))
	text := form(expr.Case, varcharT, fn("$eq", boolT, x, num(1)), str("a constant that is long"), fn("$eq", boolT, x, num(4)), lit(nil, varcharT), col(1, varcharT))
	checkAll(t, env, text, cols, "a constant that is long", "a long string indeed", "three", nil)
	checkAll(t, env, form(expr.Coalesce, varcharT, col(1, varcharT), str("nothing there at all")), cols, "one", "a long string indeed", "three", "nothing there at all")
	checkAll(t, env, form(expr.Coalesce, bigT, x, num(7)), cols, int64(1), int64(0), int64(7), int64(4))
	checkAll(t, env, form(expr.Try, bigT, fn("$divide", bigT, num(8), x)), cols, int64(8), nil, nil, int64(2))
}

func TestErrors(t *testing.T) {
	env := testEnv(t)
	maxBig, maxInt := lit(int64(math.MaxInt64), bigT), lit(int64(math.MaxInt32), intT)
	one := lit(int64(1), intT)
	for _, test := range []struct {
		e    expr.Expr
		want string
	}{
		{fn("$add", bigT, maxBig, num(1)), "bigint addition overflow: 9223372036854775807 + 1"},
		{fn("$add", intT, maxInt, one), "integer addition overflow: 2147483647 + 1"},
		{fn("$multiply", bigT, maxBig, num(2)), "bigint multiplication overflow: 9223372036854775807 * 2"},
		{fn("$divide", bigT, num(1), num(0)), "Division by zero"},
		{fn("$modulus", bigT, num(1), num(0)), "Division by zero"},
		{cast(str("abc"), bigT), "Cannot cast 'abc' to BIGINT"},
		{cast(str("abc"), intT), "Cannot cast 'abc' to INT"},
		{cast(str("abc"), dateT), "Value cannot be cast to date: abc"},
		{cast(num(300), tinyT), "Out of range for tinyint: 300"},
		{cast(lit(1e20, doubleT), bigT), "Unable to cast 1.0E20 to bigint"},
		{cast(lit(1e10, doubleT), types.VarcharOf(3)), "Value 1.0E10 (1.0E10) cannot be represented as varchar(3)"},
		{cast(lit(int64(12345), types.DecimalOf(5, 2)), types.DecimalOf(3, 2)), "Cannot cast DECIMAL(5, 2) '123.45' to DECIMAL(3, 2)"},
		{cast(str("x"), types.DecimalOf(3, 2)), "Cannot cast VARCHAR 'x' to DECIMAL(3, 2). Value is not a number."},
		{fn("$add", dateT, lit(int64(0), dateT), lit(int64(3600000), dayT)), "Cannot add hour, minutes or seconds to a date"},
	} {
		_, err := evalAll(t, env, test.e, &vector.Batch{N: 1})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got error %v, want %s", test.e, err, test.want)
		}
		if got, err := evalAll(t, env, test.e, &vector.Batch{N: 1, Sel: []int32{}}); err != nil {
			t.Errorf("%s without rows: %v, %v", test.e, got, err)
		}
	}
}

func TestDates(t *testing.T) {
	env := testEnv(t)
	days := func(s string) any {
		d, ok := types.ParseDate([]byte(s))
		if !ok {
			t.Fatal(s)
		}
		return d
	}
	d := column(t, env, dateT, days("2020-01-31"), days("1998-12-01"), nil)
	cols := []*vector.Vector{d}
	x := col(0, dateT)
	checkAll(t, env, fn("$add", dateT, x, lit(int64(1), monthT)), cols, days("2020-02-29"), days("1999-01-01"), nil)
	checkAll(t, env, fn("$subtract", dateT, x, lit(int64(90*86400000), dayT)), cols, days("2019-11-02"), days("1998-09-02"), nil)
	checkAll(t, env, cast(x, varcharT), cols, "2020-01-31", "1998-12-01", nil)
	checkAll(t, env, fn("$subtract", dayT, x, lit(days("2020-01-01"), dateT)), cols, int64(30*86400000), int64(-7701*86400000), nil)
}

// TestSharing evaluates programs whose expressions share subexpressions that
// one of them reaches for some rows only.
func TestSharing(t *testing.T) {
	env := testEnv(t)
	cols := []*vector.Vector{column(t, env, bigT, int64(1), int64(2), int64(3)), column(t, env, bigT, int64(10), int64(20), int64(30))}
	x, y := col(0, bigT), col(1, bigT)
	x1, y1 := fn("$add", bigT, x, num(1)), fn("$add", bigT, y, num(1))
	null := lit(nil, bigT)
	for _, first := range []expr.Expr{
		form(expr.In, boolT, num(2), x1, y1),
		form(expr.Or, boolT, fn("$eq", boolT, x1, num(2)), fn("$eq", boolT, y1, num(21))),
		form(expr.Or, boolT, fn("$eq", boolT, y1, null), fn("$eq", boolT, x, num(1)), fn("$eq", boolT, y1, num(21))),
		form(expr.Case, bigT, fn("$eq", boolT, x1, num(2)), y1, null),
		form(expr.Case, bigT, fn("$eq", boolT, y1, null), num(0), fn("$eq", boolT, x, num(2)), y1, num(0)),
		form(expr.Coalesce, bigT, form(expr.Case, bigT, fn("$lt", boolT, x, num(3)), x1, null), y1),
		form(expr.Try, bigT, fn("$divide", bigT, y1, fn("$subtract", bigT, x1, num(2)))),
	} {
		p, err := Compile(env, []expr.Expr{first, y1, x1, y1})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			out, err := p.Eval(&vector.Batch{N: 3, Cols: cols})
			if err != nil {
				t.Fatalf("%s: %v", first, err)
			}
			for i := range 3 {
				if got, want := ValueAt(out[1], i), int64(10*i+11); got != want {
					t.Errorf("after %s: row %d of y+1 is %v, want %d", first, i, got, want)
				}
				if got, want := ValueAt(out[2], i), int64(i+2); got != want {
					t.Errorf("after %s: row %d of x+1 is %v, want %d", first, i, got, want)
				}
			}
			if out[1] != out[3] {
				t.Errorf("after %s: y+1 was computed twice", first)
			}
		}
		p.Close()
	}
}
