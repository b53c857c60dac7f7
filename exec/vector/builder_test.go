package vector

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/sql/types"
)

var (
	bigintT  = types.Of(types.BigInt)
	varcharT = types.VarcharType()
)

// everyLayout has a type of each physical layout, nested ones in each other.
func everyLayout() []types.Type {
	row := types.RowOf([]types.Type{bigintT, varcharT}, nil)
	return []types.Type{
		types.Of(types.Unknown), types.Of(types.Boolean), types.Of(types.TinyInt), types.Of(types.SmallInt), types.Of(types.Integer), bigintT,
		types.Of(types.Real), types.Of(types.Double), types.DecimalOf(38, 2), varcharT, types.Of(types.Varbinary),
		types.ArrayOf(bigintT), types.ArrayOf(varcharT), row, types.MapOf(varcharT, bigintT),
		types.ArrayOf(row), types.MapOf(bigintT, types.ArrayOf(varcharT)), types.RowOf([]types.Type{types.ArrayOf(types.ArrayOf(bigintT)), row}, nil),
	}
}

// pooled returns an account over a poisoning pool that must be empty at the
// test's end.
func pooled(t testing.TB) *mem.Account {
	t.Helper()
	pool := mem.NewPool()
	pool.Poison, pool.Trace = true, true
	a := mem.NewRoot("test", 0, pool)
	t.Cleanup(func() {
		if pool.Out() != 0 || a.Used() != 0 {
			t.Errorf("%d bytes are out, %d accounted for\n%s", pool.Out(), a.Used(), pool.Leaks(0))
		}
	})
	return a
}

// random makes a value of type t in the plain form that show prints.
func random(r *rand.Rand, t types.Type) any {
	if r.IntN(5) == 0 || t.Physical() == types.PhysNull {
		return nil
	}
	switch t.Physical() {
	case types.PhysBytes:
		return strings.Repeat(string(rune('a'+r.IntN(26))), r.IntN(30))
	case types.PhysInt128:
		return types.Int128{Lo: r.Uint64(), Hi: r.Int64()}
	case types.PhysList, types.PhysMap:
		out := make([][]any, r.IntN(4))
		for i := range out {
			for _, e := range t.Elems() {
				out[i] = append(out[i], random(r, e))
			}
		}
		return out
	case types.PhysStruct:
		var out []any
		for _, e := range t.Elems() {
			out = append(out, random(r, e))
		}
		return out
	}
	return r.Int64N(100)
}

// appendValue appends what random made.
func appendValue(b *Builder, t types.Type, x any) error {
	if x == nil {
		return b.AppendNull()
	}
	switch x := x.(type) {
	case string:
		return b.AppendBytes([]byte(x))
	case types.Int128:
		return Append(b, x)
	case [][]any:
		for _, e := range x {
			for k := range e {
				if err := appendValue(b.Kid(k), t.Elem(k), e[k]); err != nil {
					return err
				}
			}
		}
		return b.CloseRow()
	case []any:
		for k := range x {
			if err := appendValue(b.Kid(k), t.Elem(k), x[k]); err != nil {
				return err
			}
		}
		return b.CloseRow()
	}
	n := x.(int64)
	switch t.Physical() {
	case types.PhysBool:
		return Append(b, uint8(n&1))
	case types.PhysInt8:
		return Append(b, int8(n))
	case types.PhysInt16:
		return Append(b, int16(n))
	case types.PhysInt32:
		return Append(b, int32(n))
	case types.PhysFloat:
		return Append(b, float32(n))
	case types.PhysDouble:
		return Append(b, float64(n))
	}
	return Append(b, n)
}

// show prints row i of v.
func show(v *Vector, i int) string {
	if v.Type.Physical() == types.PhysNull || v.IsNull(i) {
		return "null"
	}
	f, at := v.flat(), v.At(i)
	switch v.Type.Physical() {
	case types.PhysBool:
		return fmt.Sprint(Value[uint8](v, i))
	case types.PhysInt8:
		return fmt.Sprint(Value[int8](v, i))
	case types.PhysInt16:
		return fmt.Sprint(Value[int16](v, i))
	case types.PhysInt32:
		return fmt.Sprint(Value[int32](v, i))
	case types.PhysFloat:
		return fmt.Sprint(Value[float32](v, i))
	case types.PhysDouble:
		return fmt.Sprint(Value[float64](v, i))
	case types.PhysInt128:
		return fmt.Sprint(Value[types.Int128](v, i))
	case types.PhysBytes:
		return fmt.Sprintf("%q", v.Bytes(i))
	case types.PhysList, types.PhysMap:
		return "[" + showSpan(f, int(f.Offsets[at]), int(f.Offsets[at+1])) + "]"
	case types.PhysStruct:
		return showSpan(f, at, at+1)
	}
	return fmt.Sprint(Value[int64](v, i))
}

func showSpan(f *Vector, from, to int) string {
	var out []string
	for j := from; j < to; j++ {
		var fields []string
		for _, kid := range f.Kids {
			fields = append(fields, show(kid, j))
		}
		out = append(out, "("+strings.Join(fields, " ")+")")
	}
	return strings.Join(out, " ")
}

// shown prints a value as show prints its row.
func shown(t types.Type, x any) string {
	switch x := x.(type) {
	case nil:
		return "null"
	case string:
		return fmt.Sprintf("%q", x)
	case [][]any:
		var out []string
		for _, e := range x {
			out = append(out, "("+fieldsOf(t, e)+")")
		}
		return "[" + strings.Join(out, " ") + "]"
	case []any:
		return "(" + fieldsOf(t, x) + ")"
	case int64:
		if t.Physical() == types.PhysBool {
			x &= 1
		}
		return fmt.Sprint(x)
	}
	return fmt.Sprint(x)
}

func fieldsOf(t types.Type, xs []any) string {
	var out []string
	for k, x := range xs {
		out = append(out, shown(t.Elem(k), x))
	}
	return strings.Join(out, " ")
}

// check compares v's rows with values.
func check(t *testing.T, what string, v *Vector, want []any) {
	t.Helper()
	if v.N != len(want) {
		t.Fatalf("%s: %d rows, want %d", what, v.N, len(want))
	}
	if w := v.Type.Physical().Width(); w > 0 && len(v.Data) != v.N*w {
		t.Errorf("%s: %d bytes for %d rows of %d", what, len(v.Data), v.N, w)
	}
	for i, x := range want {
		if got, want := show(v, i), shown(v.Type, x); got != want {
			t.Fatalf("%s: row %d is %s, want %s", what, i, got, want)
		}
	}
}

// build appends values one by one to b, which it empties first.
func build(t *testing.T, b *Builder, typ types.Type, vals []any) *Vector {
	t.Helper()
	b.Reset()
	for _, x := range vals {
		if err := appendValue(b, typ, x); err != nil {
			t.Fatal(err)
		}
	}
	return b.Vector()
}

func randomValues(r *rand.Rand, typ types.Type, n int) []any {
	out := make([]any, n)
	for i := range out {
		out[i] = random(r, typ)
	}
	return out
}

// TestBuilderOfEveryLayout builds random rows again and again in one builder.
func TestBuilderOfEveryLayout(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for i, typ := range everyLayout() {
		t.Run(typ.String(), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			b := NewBuilder(pooled(t), typ)
			for range 8 {
				vals := randomValues(r, typ, r.IntN(500))
				check(t, "built", build(t, b, typ, vals), vals)
				if r.IntN(3) == 0 {
					b.Release()
				}
			}
			b.Release()
			b.Release()
		})
	}
}

// junk overwrites what no row may look at.
func junk(data []byte, width, i int) {
	for k := range width {
		data[i*width+k] = 0xDB
	}
}

// spoil puts junk where v's nulls are, children included.
func spoil(v *Vector) {
	for i := range v.N {
		if w := v.Type.Physical().Width(); w > 0 && v.IsNull(i) {
			junk(v.Data, w, i)
		}
	}
	for _, k := range v.Kids {
		spoil(k)
	}
}

// source is a column of some encoding, and the values of its rows.
type source struct {
	v    *Vector
	vals []any
	done func()
}

// loading is a lazy column that is right only in the rows it is asked for.
type loading struct{ from *Vector }

func (l loading) Load(v *Vector, sel []int32) error {
	*v = *l.from
	w := v.Type.Physical().Width()
	if sel == nil || w == 0 || v.Enc != Flat {
		return nil
	}
	data := slices.Clone(v.Data)
	for i := range v.N {
		if _, wanted := slices.BinarySearch(sel, int32(i)); !wanted {
			clear(data[i*w : (i+1)*w])
		}
	}
	v.Data = data
	return nil
}

// makeSource encodes n random rows in one of all ways.
func makeSource(t *testing.T, r *rand.Rand, a *mem.Account, typ types.Type, n int) source {
	t.Helper()
	b := NewBuilder(a, typ)
	vals := randomValues(r, typ, n)
	enc := r.IntN(5)
	switch {
	case enc == 1 && n > 0: // constant
		for i := range vals {
			vals[i] = vals[0]
		}
		c := *build(t, b, typ, vals[:1])
		spoil(&c)
		c.Enc, c.N = Const, n
		return source{&c, vals, b.Release}
	case enc == 2 && typ.Physical() != types.PhysNull: // sparse dictionary
		base, d := make([]any, 2*n+1), &Vector{Type: typ, Enc: Dict, N: n, Sparse: true}
		d.Valid = NewBitmap(n)
		for i, x := range vals {
			at := 2*(n-i) - 1
			base[at] = x
			d.Idx = append(d.Idx, int32(at))
			if x == nil {
				d.Valid.Clear(i)
			}
		}
		entries := *build(t, b, typ, base)
		spoil(&entries)
		entries.Valid = nil
		d.Base = &entries
		return source{d, vals, b.Release}
	case enc == 3:
		v := build(t, b, typ, vals)
		return source{&Vector{Type: typ, Enc: Lazy, N: n, Loader: loading{v}}, vals, b.Release}
	}
	v := build(t, b, typ, vals)
	spoil(v)
	return source{v, vals, b.Release}
}

// TestAppendRowsOfEveryEncoding appends selections of flat, constant, sparse
// dictionary and lazy columns, whose nulls and unused entries hold junk, to one
// builder and compares with what a slice of values would hold. What is appended
// does not depend on its source, which is then released and so overwritten.
func TestAppendRowsOfEveryEncoding(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for i, typ := range everyLayout() {
		t.Run(typ.String(), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			a := pooled(t)
			b := NewBuilder(a, typ)
			defer b.Release()
			for range 30 {
				var want []any
				b.Reset()
				for range r.IntN(6) {
					s := makeSource(t, r, a, typ, 1+r.IntN(150))
					rows := randomRows(r, len(s.vals))
					if err := b.AppendRows(s.v, rows); err != nil {
						t.Fatal(err)
					}
					if rows == nil {
						want = append(want, s.vals...)
					}
					for _, k := range rows {
						want = append(want, s.vals[k])
					}
					s.done()
					if r.IntN(3) == 0 { // single values between
						x := random(r, typ)
						want = append(want, x)
						if err := appendValue(b, typ, x); err != nil {
							t.Fatal(err)
						}
					}
				}
				check(t, "appended", b.Vector(), want)
			}
		})
	}
}

// randomRows selects some of n rows, ascending; nil is all.
func randomRows(r *rand.Rand, n int) []int32 {
	if r.IntN(3) == 0 {
		return nil
	}
	rows := []int32{}
	for i := range n {
		if r.IntN(2) == 0 {
			rows = append(rows, int32(i))
		}
	}
	return rows
}

// TestAppendRowsInAnyOrder: a gather repeats rows and goes back.
func TestAppendRowsInAnyOrder(t *testing.T) {
	a := pooled(t)
	from, to := NewBuilder(a, varcharT), NewBuilder(a, varcharT)
	defer from.Release()
	defer to.Release()
	v := build(t, from, varcharT, []any{"zero", nil, "two, which is long enough", "three"})
	if err := to.AppendRows(v, []int32{3, 2, 2, 1, 0, 2}); err != nil {
		t.Fatal(err)
	}
	long := "two, which is long enough"
	check(t, "gathered", to.Vector(), []any{"three", long, long, nil, "zero", long})
}

func TestSetNullAtAnyTime(t *testing.T) {
	for _, n := range []int{1, 63, 64, 65, 130} {
		b := NewBuilder(pooled(t), bigintT)
		if _, err := b.Extend(n); err != nil {
			t.Fatal(err)
		}
		clear(Fill[int64](b))
		if b.Vector().HasNulls() {
			t.Errorf("%d rows have nulls before any was set", n)
		}
		b.SetNull(n - 1)
		b.SetNull(0)
		if _, err := b.Extend(3); err != nil {
			t.Fatal(err)
		}
		v := b.Vector()
		for i := range v.N {
			if v.IsNull(i) != (i == 0 || i == n-1) {
				t.Errorf("%d rows and 3: row %d is null: %v", n, i, v.IsNull(i))
			}
		}
		b.Reset()
		if err := Append(b, int64(5)); err != nil || b.Vector().HasNulls() || b.Len() != 1 {
			t.Errorf("after Reset: %v, %d rows", err, b.Len())
		}
		b.Release()
	}
}

func TestStringsOfAllLengths(t *testing.T) {
	a := pooled(t)
	b := NewBuilder(a, varcharT)
	defer b.Release()
	var vals []any
	for _, n := range []int{0, 1, 11, 12, 13, 4095, 4096, 4097, 70_000, 1 << 20, 5} {
		vals = append(vals, strings.Repeat("x", n))
	}
	for range 3 { // chunks are reused, or replaced where they are too small
		check(t, "strings", build(t, b, varcharT, vals), vals)
		slices.Reverse(vals)
	}
}

// TestBuilderKeepsItsMemory: once warm, the same rows take no more.
func TestBuilderKeepsItsMemory(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 9))
	for _, typ := range everyLayout() {
		a := pooled(t)
		b := NewBuilder(a, typ)
		vals := randomValues(r, typ, 300)
		build(t, b, typ, vals)
		used := a.Used()
		a.Refuse = func(int64) bool { return true }
		for range 3 {
			check(t, "again", build(t, b, typ, vals), vals)
		}
		if a.Used() != used {
			t.Errorf("%s: %d bytes in use, first it was %d", typ, a.Used(), used)
		}
		b.Release()
	}
}

// TestBuilderRefusedMemory refuses each request in turn: the error is the
// account's, and all that was granted is given back.
func TestBuilderRefusedMemory(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for i, typ := range everyLayout() {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		feed := pooled(t)
		s := makeSource(t, r, feed, typ, 3000)
		for n := 1; ; n++ {
			a := pooled(t)
			asked := 0
			a.Refuse = func(int64) bool { asked++; return asked == n }
			b := NewBuilder(a, typ)
			err := b.AppendRows(s.v, nil)
			var limit *mem.LimitError
			if err != nil && !errors.As(err, &limit) {
				t.Errorf("%s: request %d: %v", typ, n, err)
			}
			if err == nil && asked >= n {
				t.Errorf("%s: request %d was refused without an error", typ, n)
			}
			b.Release()
			if asked < n {
				break
			}
			b.Reset()
			if err := b.AppendRows(s.v, nil); err != nil {
				t.Errorf("%s: after a refusal and Release: %v", typ, err)
			}
			check(t, "after a refusal", b.Vector(), s.vals)
			b.Release()
		}
		s.done()
	}
}
