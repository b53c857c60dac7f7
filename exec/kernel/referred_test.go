package kernel

import (
	"fmt"
	"slices"
	"testing"

	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// sparse returns a dictionary column over texts whose other entries point
// nowhere, as a join makes it from a column of which only some rows were made.
func sparse(t *testing.T, env *Env, texts ...any) *vector.Vector {
	t.Helper()
	base := *column(t, env, varcharT, append([]any{"?", "?", "?"}, texts...)...)
	for i := range 3 * 16 {
		base.Data[i] = 0xDB // as released memory is
	}
	v := &vector.Vector{Type: varcharT, Enc: vector.Dict, Base: &base, Sparse: true, N: 3 * len(texts)}
	for i := range v.N {
		v.Idx = append(v.Idx, int32(3+i%len(texts)))
	}
	return v
}

// TestSparseDictionaries looks at no entry that no row refers to.
func TestSparseDictionaries(t *testing.T) {
	env := testEnv(t)
	const long = "a long string, on the heap"
	v, flat := sparse(t, env, long, "short"), column(t, env, varcharT, long, "short", long, "short", long, "short")
	for _, e := range []expr.Expr{
		fn(function.OpLike, boolT, col(0, varcharT), str("%r%")),
		fn(function.OpLike, boolT, col(0, varcharT), str("s_o%")),
		fn("$eq", boolT, col(0, varcharT), str("short")),
		fn("$eq", boolT, col(0, varcharT), str(long)),
		fn("$gt", boolT, col(0, varcharT), str("b")),
		fn(function.OpLike, boolT, fn("reverse", varcharT, col(0, varcharT)), str("t%")),
		fn("$eq", boolT, fn("upper", varcharT, col(0, varcharT)), str("SHORT")),
		fn("$eq", boolT, fn("length", bigT, col(0, varcharT)), num(5)),
	} {
		f, err := CompileFilter(env, e)
		if err != nil {
			t.Fatal(err)
		}
		for _, sel := range [][]int32{nil, {0, 1, 2, 3, 4}, {1, 3, 5}} {
			got, err := f.Apply(&vector.Batch{N: v.N, Sel: sel, Cols: []*vector.Vector{v}})
			if err != nil {
				t.Fatalf("%s: %v", e, err)
			}
			first := slices.Clone(got)
			want, err := f.Apply(&vector.Batch{N: v.N, Sel: sel, Cols: []*vector.Vector{flat}})
			if err != nil || fmt.Sprint(first) != fmt.Sprint(want) {
				t.Errorf("%s of %v: got %v, of a flat column %v, %v", e, sel, first, want, err)
			}
		}
		f.Close()
	}
	got, err := evalAll(t, env, fn("upper", varcharT, col(0, varcharT)), &vector.Batch{N: v.N, Cols: []*vector.Vector{v}})
	if want := "[A LONG STRING, ON THE HEAP SHORT A LONG STRING, ON THE HEAP SHORT A LONG STRING, ON THE HEAP SHORT]"; err != nil || fmt.Sprint(got) != want {
		t.Errorf("upper: got %v, %v", got, err)
	}
}

// TestSparseNumbers computes nothing from entries that no row refers to:
// nonsense may be no number of the type at all, such as a boolean of 219.
func TestSparseNumbers(t *testing.T) {
	env := testEnv(t)
	for _, tc := range []struct {
		typ   types.Type
		value any
		f     func(expr.Expr) expr.Expr
		want  string
	}{
		{boolT, true, func(e expr.Expr) expr.Expr { return cast(e, varcharT) }, "[true true]"},
		{types.Of(types.Date), int64(0), func(e expr.Expr) expr.Expr { return fn("year", bigT, e) }, "[1970 1970]"},
		{types.TimestampOf(6), int64(0), func(e expr.Expr) expr.Expr { return fn("year", bigT, e) }, "[1970 1970]"},
		{types.TimestampOf(6), int64(0), func(e expr.Expr) expr.Expr { return cast(e, varcharT) }, "[1970-01-01 00:00:00.000000 1970-01-01 00:00:00.000000]"},
	} {
		base := *column(t, env, tc.typ, tc.value, tc.value)
		for i := range len(base.Data) / 2 {
			base.Data[i] = 0xDB
		}
		v := &vector.Vector{Type: tc.typ, Enc: vector.Dict, Base: &base, Sparse: true, N: 2, Idx: []int32{1, 1}}
		got, err := evalAll(t, env, tc.f(col(0, tc.typ)), &vector.Batch{N: 2, Cols: []*vector.Vector{v}})
		if err != nil || fmt.Sprint(got) != tc.want {
			t.Errorf("%s: got %v, %v", tc.typ, got, err)
		}
	}
}
