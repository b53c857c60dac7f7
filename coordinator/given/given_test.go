package given

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// account returns an account that must be empty at the end of the test.
func account(t *testing.T, limit int64) *mem.Account {
	t.Helper()
	a := mem.NewRoot("test", limit, mem.NewPool())
	t.Cleanup(func() {
		if n := a.Used(); n != 0 {
			t.Errorf("%d bytes are still held", n)
		}
	})
	return a
}

// numbers makes a batch of one column.
func numbers(t *testing.T, a *mem.Account, xs ...int64) *vector.Batch {
	t.Helper()
	b := vector.NewBuilder(a, types.Type{Kind: types.BigInt})
	t.Cleanup(b.Release)
	for _, x := range xs {
		if err := vector.Append(b, x); err != nil {
			t.Fatal(err)
		}
	}
	v := *b.Vector()
	return &vector.Batch{N: len(xs), Cols: []*vector.Vector{&v}}
}

// values are the rows of a batch that a selection has.
func values(b *vector.Batch, sel []int32) (out []int64) {
	for _, i := range sel {
		out = append(out, vector.Value[int64](b.Cols[0], int(i)))
	}
	return out
}

// TestRest: what is left of another attempt's rows is what has not left.
func TestRest(t *testing.T) {
	for _, c := range []struct {
		name       string
		left, came []int64
		rest       []int64
		missing    int64
		first      bool
	}{
		{name: "nothing has left", came: []int64{1, 2}, rest: []int64{1, 2}, first: true},
		{name: "the beginning", left: []int64{1, 2}, came: []int64{1, 2, 3, 4}, rest: []int64{3, 4}, first: true},
		{name: "another order", left: []int64{4, 2}, came: []int64{1, 2, 3, 4}, rest: []int64{1, 3}},
		{name: "another order at the beginning", left: []int64{2, 1}, came: []int64{1, 2, 3}, rest: []int64{3}, first: true},
		{name: "as often as it left", left: []int64{7, 7}, came: []int64{7, 7, 7, 7, 8}, rest: []int64{7, 7, 8}, first: true},
		{name: "all", left: []int64{3, 2, 1}, came: []int64{1, 2, 3}, first: true},
		{name: "one is not there", left: []int64{1, 9}, came: []int64{1, 2}, rest: []int64{2}, missing: 1, first: true},
		{name: "one is there once too few", left: []int64{1, 1}, came: []int64{1, 2}, rest: []int64{2}, missing: 1, first: true},
		{name: "nothing comes", left: []int64{1}, missing: 1, first: true},
	} {
		a := account(t, 0)
		l := NewLog(a, 100)
		if err := l.Add(numbers(t, a, c.left...)); err != nil {
			t.Fatal(err)
		}
		m, err := l.Match()
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second time is as the first
			m.Reset()
			var rest []int64
			for part := range slices.Chunk(c.came, 3) {
				b := numbers(t, a, part...)
				sel, err := m.Rest(b)
				if err != nil {
					t.Fatal(err)
				}
				rest = append(rest, values(b, sel)...)
			}
			if !slices.Equal(rest, c.rest) || m.Missing() != c.missing || m.First() != c.first {
				t.Errorf("%s: rest %v, %d missing, first %v; want %v, %d, %v", c.name, rest, m.Missing(), m.First(), c.rest, c.missing, c.first)
			}
		}
		l.Close()
	}
}

// TestAgainAndAgain: attempts are lost at any row, each in another order; each
// row leaves once.
func TestAgainAndAgain(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 1))
	for _, rows := range []int{0, 1, 10, 3000, 300_000} {
		a := account(t, 0)
		l := NewLog(a, 1<<20)
		want := make([]int64, rows)
		for i := range want {
			want[i] = rng.Int64N(int64(rows)) // some more than once
		}
		var has []int64
		for attempt := 0; len(has) < rows || attempt == 0; attempt++ {
			m, err := l.Match()
			if err != nil {
				t.Fatal(err)
			}
			came := slices.Clone(want)
			rng.Shuffle(rows, func(i, j int) { came[i], came[j] = came[j], came[i] })
			dies := len(has) + rows/4 + 1 + rng.IntN(rows+1)
			for part := range slices.Chunk(came, 5000) {
				b := numbers(t, a, part...)
				sel, err := m.Rest(b)
				if err != nil {
					t.Fatal(err)
				}
				sel = sel[:max(min(len(sel), dies-len(has)), 0)]
				some := &vector.Batch{N: b.N, Sel: sel, Cols: b.Cols}
				has = append(has, values(b, sel)...)
				if err := l.Add(some); err != nil {
					t.Fatal(err)
				}
			}
		}
		l.Close()
		slices.Sort(has)
		slices.Sort(want)
		if !slices.Equal(has, want) {
			t.Errorf("seed %d: %d rows left of %d, or others", seed, len(has), len(want))
		}
	}
}

// TestFull: a log that cannot hold more says so and can be closed; so can one
// that was never made.
func TestFull(t *testing.T) {
	a := account(t, 0)
	l := NewLog(a, 3)
	if err := errors.Join(l.Add(numbers(t, a, 1, 2)), l.Add(numbers(t, a, 3))); err != nil {
		t.Fatal(err)
	}
	if err := l.Add(numbers(t, a, 4)); !errors.Is(err, ErrFull) {
		t.Errorf("a fourth row: %v", err)
	}
	l.Close()
	tight := mem.NewRoot("tight", 1<<20+1<<10, mem.NewPool())
	l = NewLog(tight, 1<<20)
	b := numbers(t, a, make([]int64, 10_000)...)
	var full *mem.LimitError
	if err := l.Add(b); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Match(); !errors.As(err, &full) {
		t.Errorf("a match without memory: %v", err)
	}
	var err error
	for i := 0; i < 10 && err == nil; i++ {
		err = l.Add(b)
	}
	if !errors.As(err, &full) {
		t.Errorf("a second chunk without memory: %v", err)
	}
	l.Close()
	if tight.Used() != 0 {
		t.Errorf("%d bytes are still held", tight.Used())
	}
	(*Log)(nil).Close()
}

// printsOf are the fingerprints of single values of a type, by what fill appends.
func printOf(t *testing.T, p *printer, a *mem.Account, typ types.Type, fill func(b *vector.Builder) error) types.Int128 {
	t.Helper()
	b := vector.NewBuilder(a, typ)
	defer b.Release()
	if err := fill(b); err != nil {
		t.Fatal(err)
	}
	out, err := p.prints(&vector.Batch{N: 1, Cols: []*vector.Vector{b.Vector()}})
	if err != nil {
		t.Fatal(err)
	}
	return out[0]
}

// TestPrints: rows that differ in any value have other fingerprints, of every
// type; those that are the same have the same, however they are encoded.
func TestPrints(t *testing.T) {
	a := account(t, 0)
	p := newPrinter()
	array := types.ArrayOf(types.Type{Kind: types.BigInt})
	list := func(xs ...int64) func(b *vector.Builder) error {
		return func(b *vector.Builder) error {
			for _, x := range xs {
				if err := vector.Append(b.Kid(0), x); err != nil {
					return err
				}
			}
			return b.CloseRow()
		}
	}
	text := func(s string) func(b *vector.Builder) error {
		return func(b *vector.Builder) error { return b.AppendBytes([]byte(s)) }
	}
	null := (*vector.Builder).AppendNull
	for _, c := range []struct {
		typ   types.Type
		fills []func(b *vector.Builder) error
	}{
		{types.Type{Kind: types.BigInt}, []func(b *vector.Builder) error{null, number64(0), number64(1), number64(-1)}},
		{types.Type{Kind: types.Double}, []func(b *vector.Builder) error{null, float(0), float(1), float(-1)}},
		{types.Type{Kind: types.Boolean}, []func(b *vector.Builder) error{null, flag(0), flag(1)}},
		{types.Type{Kind: types.Decimal, P: 38}, []func(b *vector.Builder) error{null, wide(0, 0), wide(1, 0), wide(0, 1), wide(1, 1)}},
		{types.Type{Kind: types.Varchar}, []func(b *vector.Builder) error{
			null, text(""), text("\x00"), text("\x00\x00"), text("a"), text("exactly8"), text("exactly8\x00"), text("longer than a view holds"), text("longer than a view holds."),
		}},
		{array, []func(b *vector.Builder) error{null, list(), list(0), list(0, 0), list(1, 2), list(2, 1)}},
	} {
		seen := map[types.Int128]int{}
		for i, fill := range c.fills {
			x := printOf(t, &p, a, c.typ, fill)
			if other, twice := seen[x]; twice {
				t.Errorf("%v: values %d and %d have the same fingerprint", c.typ, i, other)
			}
			seen[x] = i
			if again := printOf(t, &p, a, c.typ, fill); again != x {
				t.Errorf("%v: value %d has two fingerprints", c.typ, i)
			}
		}
	}
}

func number64(x int64) func(b *vector.Builder) error {
	return func(b *vector.Builder) error { return vector.Append(b, x) }
}

func float(x float64) func(b *vector.Builder) error {
	return func(b *vector.Builder) error { return vector.Append(b, x) }
}

func flag(x uint8) func(b *vector.Builder) error {
	return func(b *vector.Builder) error { return vector.Append(b, x) }
}

func wide(lo uint64, hi int64) func(b *vector.Builder) error {
	return func(b *vector.Builder) error { return vector.Append(b, types.Int128{Lo: lo, Hi: hi}) }
}

// TestEncodings: a row's fingerprint is that of its values, whether they are
// flat, in a dictionary, the same in all rows or selected; and columns are told
// apart.
func TestEncodings(t *testing.T) {
	a := account(t, 0)
	p := newPrinter()
	flat := numbers(t, a, 5, 6, 5, 7)
	prints := func(b *vector.Batch) []types.Int128 {
		out, err := p.prints(b)
		if err != nil {
			t.Fatal(err)
		}
		return slices.Clone(out)
	}
	want := prints(flat)
	typ := flat.Cols[0].Type
	dict := &vector.Vector{Type: typ, Enc: vector.Dict, N: 4, Idx: []int32{1, 0, 1, 2}, Base: numbers(t, a, 6, 5, 7).Cols[0]}
	same := *numbers(t, a, 5).Cols[0]
	same.Enc, same.N = vector.Const, 4
	for _, c := range []struct {
		name string
		b    *vector.Batch
		want []types.Int128
	}{
		{"dictionary", &vector.Batch{N: 4, Cols: []*vector.Vector{dict}}, want},
		{"constant", &vector.Batch{N: 4, Cols: []*vector.Vector{&same}}, []types.Int128{want[0], want[0], want[0], want[0]}},
		{"selected", &vector.Batch{N: 4, Sel: []int32{1, 3}, Cols: flat.Cols}, []types.Int128{want[1], want[3]}},
	} {
		if got := prints(c.b); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	one, two := numbers(t, a, 1).Cols[0], numbers(t, a, 2).Cols[0]
	if fmt.Sprint(prints(&vector.Batch{N: 1, Cols: []*vector.Vector{one, two}})) == fmt.Sprint(prints(&vector.Batch{N: 1, Cols: []*vector.Vector{two, one}})) {
		t.Error("(1, 2) and (2, 1) have the same fingerprint")
	}
	if got := prints(&vector.Batch{N: 3}); len(got) != 3 {
		t.Errorf("%d fingerprints of three rows without columns", len(got))
	}
}

// BenchmarkAdd is what it costs to remember a row of four columns.
func BenchmarkAdd(b *testing.B) {
	a := mem.NewRoot("bench", 0, mem.NewPool())
	l := NewLog(a, 1<<40)
	v := vector.NewBuilder(a, types.Type{Kind: types.BigInt})
	s := vector.NewBuilder(a, types.Type{Kind: types.Varchar})
	for i := range vector.DefaultRows {
		if err := errors.Join(vector.Append(v, int64(i)), s.AppendBytes(fmt.Appendf(nil, "some text that is number %d", i))); err != nil {
			b.Fatal(err)
		}
	}
	batch := &vector.Batch{N: vector.DefaultRows, Cols: []*vector.Vector{v.Vector(), v.Vector(), v.Vector(), s.Vector()}}
	for b.Loop() {
		l.rows, l.free = 0, chunkRows*min(len(l.chunks), 1)
		if err := l.Add(batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/vector.DefaultRows, "ns/row")
}
