package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// instances are the types tried for each pattern of the signature table.
func instances(pattern string) []types.Type {
	pattern = strings.TrimSuffix(strings.TrimSpace(pattern), "...")
	switch {
	case len(pattern) == 1:
		return []types.Type{bigT, varcharT, doubleT}
	case pattern == "varchar(1)":
		return []types.Type{types.VarcharOf(1)}
	case strings.HasPrefix(pattern, "varchar"):
		return []types.Type{varcharT, types.VarcharOf(9)}
	case strings.HasPrefix(pattern, "char"):
		return []types.Type{types.CharOf(8)}
	case strings.HasPrefix(pattern, "decimal"):
		return []types.Type{types.DecimalOf(10, 2), types.DecimalOf(30, 4)}
	case strings.HasPrefix(pattern, "timestamp with") || strings.Contains(pattern, ") with time zone"):
		return []types.Type{types.TimestampTZOf(3), types.TimestampTZOf(9)}
	case strings.HasPrefix(pattern, "timestamp"):
		return []types.Type{types.TimestampOf(3), types.TimestampOf(9)}
	case strings.HasPrefix(pattern, "time"):
		return []types.Type{types.TimeOf(3)}
	case strings.HasPrefix(pattern, "array("):
		return arraysOf(instances(pattern[6 : len(pattern)-1]))
	case strings.HasPrefix(pattern, "map("):
		return []types.Type{types.MapOf(varcharT, bigT), types.MapOf(bigT, varcharT)}
	}
	for k := types.Unknown; k < types.KindCount; k++ {
		if k.Base() == pattern {
			return []types.Type{types.Of(k)}
		}
	}
	return nil
}

func arraysOf(ts []types.Type) (out []types.Type) {
	for _, t := range ts {
		out = append(out, types.ArrayOf(t))
	}
	return out
}

func splitArgs(s string) (out []string) {
	depth, from := 0, 0
	for i, c := range s {
		switch c {
		case '(':
			depth++
		case ')':
			depth--
		case ',':
			if depth == 0 {
				out = append(out, s[from:i])
				from = i + 1
			}
		}
	}
	if strings.TrimSpace(s[from:]) != "" {
		out = append(out, s[from:])
	}
	return out
}

// resolved returns calls of every scalar signature that users can write, and
// of every operator over every pair of types.
func resolved(t *testing.T) []*function.Scalar {
	t.Helper()
	var out []*function.Scalar
	seen := map[string]bool{}
	add := func(name string, args []types.Type) bool {
		fn, err := function.ResolveScalar(name, args)
		if err != nil {
			return false
		}
		key := name + fmt.Sprint(fn.Args)
		if !seen[key] {
			seen[key] = true
			out = append(out, fn)
		}
		return true
	}
	for _, info := range function.List() {
		if info.Kind != function.ScalarKind {
			continue
		}
		found := false
		for pick := range 3 {
			var args []types.Type
			for _, p := range splitArgs(info.Args) {
				ts := instances(p)
				if len(ts) == 0 {
					t.Fatalf("%s(%s): no type for %q", info.Name, info.Args, p)
				}
				args = append(args, ts[min(pick, len(ts)-1)])
			}
			found = add(info.Name, args) || found
		}
		if !found {
			t.Errorf("%s(%s): no instance resolves", info.Name, info.Args)
		}
	}
	ops := []string{function.OpAdd, function.OpSubtract, function.OpMultiply, function.OpDivide, function.OpModulus,
		function.OpEq, function.OpNe, function.OpLt, function.OpLe, function.OpGt, function.OpGe, function.OpDistinct,
		function.OpLike, function.OpSubscript, function.OpArray, function.OpAtTimeZone}
	for _, op := range ops {
		for _, a := range sampleTypes() {
			for _, b := range sampleTypes() {
				add(op, []types.Type{a, b})
			}
		}
	}
	for _, a := range sampleTypes() {
		add(function.OpNegate, []types.Type{a})
	}
	return out
}

func sampleTypes() []types.Type {
	return []types.Type{
		boolT, tinyT, types.Of(types.SmallInt), intT, bigT, realT, doubleT, types.DecimalOf(10, 2), types.DecimalOf(38, 4), types.DecimalOf(18, 0),
		varcharT, types.VarcharOf(5), types.CharOf(4), types.Of(types.Varbinary), dateT, types.TimeOf(3), types.TimestampOf(3), types.TimestampOf(9),
		types.TimestampTZOf(3), dayT, monthT, types.ArrayOf(bigT), types.ArrayOf(varcharT), types.MapOf(varcharT, bigT), types.RowOf([]types.Type{bigT, varcharT}, nil),
		types.Of(types.UUID),
	}
}

func TestEverySignatureIsSupported(t *testing.T) {
	fns := resolved(t)
	if len(fns) < 300 {
		t.Fatalf("only %d resolved functions: the table was not read", len(fns))
	}
	for _, fn := range fns {
		if !Supports(fn) {
			t.Errorf("no kernel for %s%v", fn.Name, fn.Args)
		}
	}
}

// TestEveryCastIsSupported tries, over all pairs of types, the casts that the
// type system has, in every encoding and as TRY_CAST.
func TestEveryCastIsSupported(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 6))
	env := testEnv(t)
	pairs := 0
	for _, from := range append(sampleTypes(), types.Of(types.Unknown)) {
		v := column(t, env, from, randomValue(r, from), randomValue(r, from), randomValue(r, from), randomValue(r, from))
		for _, to := range sampleTypes() {
			if !types.CanCast(from, to) {
				continue
			}
			pairs++
			if _, err := castKernel(from, to, env); err != nil && !sameValues(from, to) {
				t.Errorf("%s to %s: %v", from, to, err)
				continue
			}
			want, err := evalAll(t, env, form(expr.Try, to, cast(col(0, from), to)), &vector.Batch{N: 4, Cols: []*vector.Vector{v}})
			if err != nil {
				t.Errorf("%s to %s: %v", from, to, err)
				continue
			}
			checkAll(t, env, tryCast(col(0, from), to), []*vector.Vector{v}, want...)
		}
	}
	if pairs < 150 {
		t.Errorf("only %d casts", pairs)
	}
}

// randomValue makes a value as expr.Const has it, small enough that most
// functions do not fail.
func randomValue(r *rand.Rand, t types.Type) any {
	if r.IntN(8) == 0 {
		return nil
	}
	switch t.Kind {
	case types.Boolean:
		return r.IntN(2) == 1
	case types.TinyInt, types.SmallInt, types.Integer, types.BigInt:
		return int64(r.IntN(13) - 3)
	case types.Real:
		return float32(r.IntN(40)-10) / 4
	case types.Double:
		return [...]float64{0, 1, -1.5, 2.25, 1e10, math.NaN(), math.Inf(1), -0.25}[r.IntN(8)]
	case types.Decimal:
		v := int64(r.IntN(20000) - 5000)
		if t.IsLongDecimal() {
			return types.Int128Of(v)
		}
		return v
	case types.Varchar, types.Char:
		words := []string{"", "a", "ab", "day", "abcdefgh", "a\u00f1b", "12", "UTC", "a,b", "%a_", "2020-01-05", "abc, a longer string"}
		s := words[r.IntN(len(words))]
		if t.P < int32(len(s)) {
			s = "xy"
		}
		return s
	case types.Varbinary:
		return [...]string{"", "\x00\xff", "abc", "sixteen bytes or more"}[r.IntN(4)]
	case types.Date, types.IntervalYear:
		return int64(r.IntN(20000))
	case types.Time:
		return int64(r.IntN(86400000)) * 1e6
	case types.Timestamp:
		return int64(r.IntN(1<<30)) * t.UnitsPerSecond() / 1000 * 1000
	case types.IntervalDay:
		return int64(r.IntN(5)) * types.MillisPerDay
	case types.TimestampTZ:
		zone, _ := types.ZoneByName([...]string{"UTC", "America/New_York", "+05:30"}[r.IntN(3)])
		return types.Int128{Lo: uint64(int64(r.IntN(1<<30)) * t.UnitsPerSecond()), Hi: zone}
	case types.UUID:
		return types.Int128{Lo: r.Uint64N(3), Hi: int64(r.Uint64N(2)) << 63}
	}
	return randomNested(r, t)
}

func randomNested(r *rand.Rand, t types.Type) any {
	switch t.Kind {
	case types.Array:
		out := []any{}
		for range r.IntN(4) {
			out = append(out, randomValue(r, t.Elem(0)))
		}
		return out
	case types.Map:
		out := [][2]any{}
		for i := range r.IntN(3) {
			key := any(int64(i))
			switch t.Elem(0).Kind {
			case types.Varchar, types.Char, types.Varbinary:
				key = fmt.Sprint("key", i)
			case types.Double:
				key = float64(i)
			}
			out = append(out, [2]any{key, randomValue(r, t.Elem(1))})
		}
		return out
	case types.Row:
		out := []any{}
		for _, e := range t.Elems() {
			out = append(out, randomValue(r, e))
		}
		return out
	}
	return nil
}

// TestEncodingsAgree evaluates every function over random rows, flat, as
// dictionaries, with a selection and row by row from constants, in a TRY so
// that errors are nulls, and compares.
func TestEncodingsAgree(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	for _, fn := range resolved(t) {
		if fn.Volatile {
			continue
		}
		checkEncodings(t, r, fn)
	}
}

const encodingRows = 24

func checkEncodings(t *testing.T, r *rand.Rand, fn *function.Scalar) {
	t.Helper()
	env := testEnv(t)
	var cols, dicts []*vector.Vector
	var refs []expr.Expr
	var vals [][]any
	for k, typ := range fn.Args {
		var vs []any
		for range encodingRows {
			vs = append(vs, randomValue(r, typ))
		}
		vals = append(vals, vs)
		c := column(t, env, typ, vs...)
		cols, dicts, refs = append(cols, c), append(dicts, dictionary(t, env, c)), append(refs, col(k, typ))
	}
	e := form(expr.Try, fn.Result, &expr.Call{Fn: fn, Args: refs})
	flat, err := evalAll(t, env, e, &vector.Batch{N: encodingRows, Cols: cols})
	if err != nil {
		if strings.Contains(err.Error(), "comparison not supported") {
			return
		}
		t.Errorf("%s%v: %v", fn.Name, fn.Args, err)
		return
	}
	fromDict, err := evalAll(t, env, e, &vector.Batch{N: encodingRows, Cols: dicts})
	if err != nil || !equalText(flat, fromDict) {
		t.Errorf("%s%v: flat and dictionary differ (%v)\nargs %v\n%v\n%v", fn.Name, fn.Args, err, vals, flat, fromDict)
	}
	sel := []int32{1, 2, 5, 8, 13, 21}
	some, err := evalAll(t, env, e, &vector.Batch{N: encodingRows, Sel: sel, Cols: cols})
	for j, i := range sel {
		if err != nil || !equalText(flat[i:i+1], some[j:j+1]) {
			t.Errorf("%s%v: row %d differs with a selection (%v)\n%v\n%v", fn.Name, fn.Args, i, err, flat, some)
		}
	}
	for i := range encodingRows {
		var consts []expr.Expr
		for k, typ := range fn.Args {
			consts = append(consts, lit(vals[k][i], typ))
		}
		one, err := Fold(env, form(expr.Try, fn.Result, &expr.Call{Fn: fn, Args: consts}))
		if err != nil || !equalText(flat[i:i+1], []any{one.Value}) {
			t.Errorf("%s%v: constant row %v: %v, want %v (%v)", fn.Name, fn.Args, consts, one, flat[i], err)
			return
		}
	}
}

func equalText(a, b []any) bool { return fmt.Sprintf("%#v", a) == fmt.Sprintf("%#v", b) }
