package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/types"
)

const benchRows = vector.DefaultRows

// benchColumn makes rows of small numbers, or of strings of about 27 bytes
// like TPC-H's comments.
func benchColumn(b *testing.B, env *Env, t types.Type) *vector.Vector {
	b.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	bl := vector.NewBuilder(env.Account, t)
	for range benchRows {
		var err error
		switch {
		case typeIsBytes(t):
			err = bl.AppendBytes(fmt.Appendf(nil, "carefully final deposits %d detect", r.IntN(1000)))
		case t.Physical() == types.PhysInt128:
			err = vector.Append(bl, types.Int128Of(r.Int64N(1e10)))
		case t.Physical() == types.PhysInt32:
			err = vector.Append(bl, int32(r.IntN(10000)))
		case t.Kind == types.Double:
			err = vector.Append(bl, r.Float64())
		default:
			err = vector.Append(bl, r.Int64N(100000))
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	return bl.Vector()
}

// BenchmarkEval reports nanoseconds a row and, after warming up, no allocations.
func BenchmarkEval(b *testing.B) {
	d := types.DecimalOf(15, 2)
	one := lit(int64(1), types.DecimalOf(10, 0))
	disc := fn("$subtract", types.DecimalOf(16, 2), one, col(1, d))
	for _, bench := range []struct {
		name string
		ts   []types.Type
		e    expr.Expr
	}{
		{"bigint add", []types.Type{bigT, bigT}, fn("$add", bigT, col(0, bigT), col(1, bigT))},
		{"bigint add const", []types.Type{bigT}, fn("$add", bigT, col(0, bigT), num(3))},
		{"bigint multiply", []types.Type{bigT, bigT}, fn("$multiply", bigT, col(0, bigT), col(1, bigT))},
		{"double multiply", []types.Type{doubleT, doubleT}, fn("$multiply", doubleT, col(0, doubleT), col(1, doubleT))},
		{"1 - decimal", []types.Type{d, d}, disc},
		{"decimal multiply to long", []types.Type{d, d}, fn("$multiply", types.DecimalOf(31, 4), col(0, d), disc)},
		{"decimal multiply long", []types.Type{d, types.DecimalOf(31, 4)}, fn("$multiply", types.DecimalOf(38, 6), col(1, types.DecimalOf(31, 4)), col(0, d))},
		{"decimal divide", []types.Type{d, d}, form(expr.Try, types.DecimalOf(17, 2), fn("$divide", types.DecimalOf(17, 2), col(0, d), num2(7, d)))},
		{"year of date", []types.Type{dateT}, fn("year", bigT, col(0, dateT))},
		{"substr", []types.Type{varcharT}, fn("substr", varcharT, col(0, varcharT), num(1), num(15))},
		{"upper", []types.Type{varcharT}, fn("upper", varcharT, col(0, varcharT))},
		{"case", []types.Type{bigT, bigT}, form(expr.Case, bigT, fn("$lt", boolT, col(0, bigT), num(50000)), col(1, bigT), num(0))},
		{"decimal to varchar", []types.Type{d}, cast(col(0, d), varcharT)},
	} {
		b.Run(bench.name, func(b *testing.B) {
			env := testEnv(b)
			batch := &vector.Batch{N: benchRows}
			for _, t := range bench.ts {
				batch.Cols = append(batch.Cols, benchColumn(b, env, t))
			}
			p, err := Compile(env, []expr.Expr{bench.e})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Eval(batch); err != nil {
					b.Fatal(err)
				}
			}
			perRow(b)
		})
	}
}

func num2(n int64, t types.Type) expr.Expr { return lit(n, t) }

func perRow(b *testing.B) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchRows, "ns/row")
}

func BenchmarkFilter(b *testing.B) {
	d := types.DecimalOf(15, 2)
	for _, bench := range []struct {
		name string
		ts   []types.Type
		e    expr.Expr
	}{
		{"bigint <", []types.Type{bigT}, fn("$lt", boolT, col(0, bigT), num(50000))},
		{"decimal between", []types.Type{d}, form(expr.And, boolT, fn("$ge", boolT, col(0, d), num2(20000, d)), fn("$le", boolT, col(0, d), num2(40000, d)))},
		{"bigint = bigint", []types.Type{bigT, bigT}, fn("$eq", boolT, col(0, bigT), col(1, bigT))},
		{"varchar =", []types.Type{varcharT}, fn("$eq", boolT, col(0, varcharT), str("SHIP"))},
		{"like %x%", []types.Type{varcharT}, fn("$like", boolT, col(0, varcharT), str("%99%"))},
		{"like %x%y%", []types.Type{varcharT}, fn("$like", boolT, col(0, varcharT), str("%final%detect%"))},
		{"like x%", []types.Type{varcharT}, fn("$like", boolT, col(0, varcharT), str("carefully%"))},
		{"in 3", []types.Type{bigT}, form(expr.In, boolT, col(0, bigT), num(1), num(2), num(3))},
		{"or", []types.Type{bigT, bigT}, form(expr.Or, boolT, fn("$lt", boolT, col(0, bigT), num(50000)), fn("$gt", boolT, col(1, bigT), num(50000)))},
	} {
		b.Run(bench.name, func(b *testing.B) {
			env := testEnv(b)
			batch := &vector.Batch{N: benchRows}
			for _, t := range bench.ts {
				batch.Cols = append(batch.Cols, benchColumn(b, env, t))
			}
			f, err := CompileFilter(env, bench.e)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := f.Apply(batch); err != nil {
					b.Fatal(err)
				}
			}
			perRow(b)
		})
	}
}

func BenchmarkHash(b *testing.B) {
	for _, t := range []types.Type{bigT, dateT, varcharT, types.DecimalOf(30, 2)} {
		b.Run(t.String(), func(b *testing.B) {
			env := testEnv(b)
			cols := []*vector.Vector{benchColumn(b, env, t)}
			out := make([]uint64, benchRows)
			b.ReportAllocs()
			for b.Loop() {
				Hash(cols, nil, benchRows, out)
			}
			perRow(b)
		})
	}
}

func BenchmarkSortKeys(b *testing.B) {
	env := testEnv(b)
	cols := []*vector.Vector{benchColumn(b, env, bigT), benchColumn(b, env, varcharT)}
	k := NewSortKeys([]types.Type{bigT, varcharT}, []bool{false, true}, []bool{false, false})
	dst := make([]byte, k.Width()*benchRows)
	b.ReportAllocs()
	for b.Loop() {
		k.Encode(cols, nil, benchRows, dst)
	}
	perRow(b)
}
