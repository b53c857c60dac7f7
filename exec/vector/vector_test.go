package vector

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unsafe"

	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/sql/types"
)

func TestBitmap(t *testing.T) {
	for _, n := range []int{0, 1, 7, 63, 64, 65, 127, 128, 200} {
		b := NewBitmap(n)
		if len(b) != (n+63)/64 || b.Count(n) != n {
			t.Errorf("%d rows: %d words, %d set", n, len(b), b.Count(n))
		}
		set := 0
		for i := range n {
			if i%3 == 0 {
				b.Clear(i)
				b.Clear(i)
			} else {
				set++
			}
		}
		for i := range n {
			if b.Get(i) != (i%3 != 0) {
				t.Fatalf("%d rows: bit %d is %v", n, i, b.Get(i))
			}
		}
		if b.Count(n) != set {
			t.Errorf("%d rows: %d set, want %d", n, b.Count(n), set)
		}
		for i := range n {
			b.Set(i)
		}
		if b.Count(n) != n || b.ClearAll().Count(n) != 0 || b.SetAll().Count(n) != n {
			t.Errorf("%d rows: counts after setting and clearing all are wrong", n)
		}
	}
}

func TestBitmapCountLooksAtNoBitPastTheEnd(t *testing.T) {
	b := NewBitmap(256)
	for n := range 257 {
		if b.Count(n) != n {
			t.Errorf("%d of 256 bits: %d", n, b.Count(n))
		}
	}
}

func TestBitmapResizeReusesMemory(t *testing.T) {
	b := NewBitmap(200)
	small := b.Resize(65)
	if len(small) != 2 || unsafe.SliceData(small) != unsafe.SliceData(b) {
		t.Error("a smaller bitmap is in other memory")
	}
	if back := small.Resize(200); len(back) != 4 || unsafe.SliceData(back) != unsafe.SliceData(b) {
		t.Error("the room was forgotten")
	}
	if large := b.Resize(1000); len(large) != 16 {
		t.Errorf("%d words for 1000 rows", len(large))
	}
	if none := Bitmap(nil).Resize(0); len(none) != 0 {
		t.Errorf("%d words for no rows", len(none))
	}
}

func TestBitmapAnd(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	for range 300 {
		n := 1 + r.IntN(300)
		x, y := randomBitmap(r, n), randomBitmap(r, n)
		got := Bitmap(nil).And(x, y, n)
		if (got == nil) != (x == nil && y == nil) {
			t.Fatalf("seed %d: %v and %v is %v", seed, x, y, got)
		}
		for i := range n {
			want := (x == nil || x.Get(i)) && (y == nil || y.Get(i))
			if got != nil && got.Get(i) != want {
				t.Fatalf("seed %d: bit %d of %d is %v", seed, i, n, got.Get(i))
			}
		}
		if x != nil { // in place
			if in := x.And(x, y, n); fmt.Sprint(in) != fmt.Sprint(got) {
				t.Fatalf("seed %d: in place %v, else %v", seed, in, got)
			}
		}
	}
}

func randomBitmap(r *rand.Rand, n int) Bitmap {
	if r.IntN(4) == 0 {
		return nil
	}
	b := make(Bitmap, words(n))
	for i := range b {
		b[i] = r.Uint64()
	}
	return b
}

func TestViews(t *testing.T) {
	heap := [][]byte{[]byte("....a string longer than twelve bytes"), []byte("thirteen chars of another")}
	for _, tc := range []struct {
		v      View
		want   string
		inline bool
	}{
		{InlineView(nil), "", true},
		{InlineView([]byte("a")), "a", true},
		{InlineView([]byte("abcd")), "abcd", true},
		{InlineView([]byte("twelve bytes")), "twelve bytes", true},
		{HeapView(heap[0][4:], 0, 4), "a string longer than twelve bytes", false},
		{HeapView(heap[1][:13], 1, 0), "thirteen char", false},
	} {
		if got := string(tc.v.Bytes(heap)); got != tc.want || tc.v.IsInline() != tc.inline || int(tc.v.Len) != len(tc.want) {
			t.Errorf("got %q of length %d, inline %v; want %q", got, tc.v.Len, tc.v.IsInline(), tc.want)
		}
		if prefix := string(tc.v.Prefix[:min(4, len(tc.want))]); prefix != tc.want[:min(4, len(tc.want))] {
			t.Errorf("the prefix of %q is %q", tc.want, prefix)
		}
	}
	if ab := InlineView([]byte("ab")); ab != InlineView([]byte("abc")[:2]) || ab == InlineView([]byte("ab\x00")) {
		t.Error("inline views are not equal as their strings are: what is unused must be zero, and the length count")
	}
}

func TestViewRebaseAndRef(t *testing.T) {
	s := []byte("a string longer than twelve bytes")
	v := HeapView(s, 3, 1<<20)
	if buf, off := v.Ref(); buf != 3 || off != 1<<20 {
		t.Errorf("points at %d, %d", buf, off)
	}
	w := v.Rebase(0, 2)
	if buf, off := w.Ref(); buf != 0 || off != 2 || w.Len != v.Len || w.Prefix != v.Prefix {
		t.Errorf("rebased to %d, %d: %+v", buf, off, w)
	}
	if got := w.Bytes([][]byte{append([]byte("xx"), s...)}); !bytes.Equal(got, s) {
		t.Errorf("rebased to %q", got)
	}
	if got := w.Bytes([][]byte{append([]byte("xx"), s...)}); cap(got) != len(got) {
		t.Error("appending to a string would write over its neighbor")
	}
}

// TestViewsAreArrows: the layout is part of what crosses nodes.
func TestViewsAreArrows(t *testing.T) {
	inline, heaped := InlineView([]byte("abc")), HeapView([]byte("0123456789abcdef"), 258, 772)
	for name, tc := range map[string]struct {
		v    []View
		want string
	}{
		"inline": {[]View{inline}, "\x03\x00\x00\x00abc\x00\x00\x00\x00\x00\x00\x00\x00\x00"},
		"heap":   {[]View{heaped}, "\x10\x00\x00\x000123\x02\x01\x00\x00\x04\x03\x00\x00"},
	} {
		if got := string(AsBytes(tc.v)); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

func TestCastAndAsBytes(t *testing.T) {
	xs := []int32{1, -1, 1 << 30}
	b := AsBytes(xs)
	if len(b) != 12 || b[0] != 1 || b[4] != 0xFF {
		t.Errorf("as bytes: %v", b)
	}
	if back := Cast[int32](b); fmt.Sprint(back) != fmt.Sprint(xs) {
		t.Errorf("back: %v", back)
	}
	if Cast[int64](nil) != nil || AsBytes([]View{}) != nil {
		t.Error("nothing is not nil")
	}
}

func TestBatchRows(t *testing.T) {
	all, some, none := &Batch{N: 5}, &Batch{N: 5, Sel: []int32{1, 4}}, &Batch{N: 5, Sel: []int32{}}
	for _, tc := range []struct {
		b    *Batch
		want []int
	}{{all, []int{0, 1, 2, 3, 4}}, {some, []int{1, 4}}, {none, nil}} {
		var got []int
		for i := range tc.b.Rows() {
			got = append(got, tc.b.Row(i))
		}
		if fmt.Sprint(got) != fmt.Sprint(tc.want) {
			t.Errorf("rows of %+v are %v", tc.b, got)
		}
	}
}

// lazy counts its loads and fills the vector with a constant, or fails.
type lazy struct {
	loads int
	sel   []int32
	err   error
}

func (l *lazy) Load(v *Vector, sel []int32) error {
	l.loads++
	l.sel = sel
	if l.err != nil {
		return l.err
	}
	*v = Vector{Type: v.Type, Enc: Const, N: v.N, Data: AsBytes([]int64{7})}
	return nil
}

func TestLazyColumnsAreLoadedOnceForTheSelection(t *testing.T) {
	bigint := types.Of(types.BigInt)
	l, flat := &lazy{}, &Vector{Type: bigint, N: 3, Data: AsBytes([]int64{1, 2, 3})}
	b := &Batch{N: 3, Sel: []int32{0, 2}, Cols: []*Vector{flat, {Type: bigint, Enc: Lazy, N: 3, Loader: l}}}
	for range 2 {
		if err := b.Load(); err != nil {
			t.Fatal(err)
		}
	}
	if l.loads != 1 || fmt.Sprint(l.sel) != "[0 2]" || b.Cols[1].Enc == Lazy || Value[int64](b.Cols[1], 2) != 7 {
		t.Errorf("%d loads for %v, column %+v", l.loads, l.sel, b.Cols[1])
	}
	bad := &lazy{err: fmt.Errorf("the file is gone")}
	b.Cols[1] = &Vector{Type: bigint, Enc: Lazy, N: 3, Loader: bad}
	if err := b.Load(); !errors.Is(err, bad.err) {
		t.Errorf("error %v", err)
	}
	builder := NewBuilder(mem.NewRoot("test", 0, mem.NewPool()), bigint)
	if err := builder.AppendRows(b.Cols[1], nil); !errors.Is(err, bad.err) || builder.Len() != 0 {
		t.Errorf("appended %d rows, %v", builder.Len(), err)
	}
	builder.Release()
}

func TestAccessorsOfEveryEncoding(t *testing.T) {
	bigint := types.Of(types.BigInt)
	flat := &Vector{Type: bigint, N: 3, Data: AsBytes([]int64{10, 20, 30}), Valid: Bitmap{0b101}}
	dict := &Vector{Type: bigint, Enc: Dict, N: 4, Idx: []int32{2, 0, 0, 1}, Valid: Bitmap{0b1011}, Base: &Vector{Type: bigint, N: 3, Data: AsBytes([]int64{5, 6, 7})}}
	konst := &Vector{Type: bigint, Enc: Const, N: 3, Data: AsBytes([]int64{8})}
	null := &Vector{Type: bigint, Enc: Const, N: 3, Data: AsBytes([]int64{8}), Valid: Bitmap{0}}
	for name, tc := range map[string]struct {
		v    *Vector
		want string
	}{"flat": {flat, "10 null 30"}, "dict": {dict, "7 5 null 6"}, "const": {konst, "8 8 8"}, "null": {null, "null null null"}} {
		var got []string
		for i := range tc.v.N {
			if tc.v.IsNull(i) {
				got = append(got, "null")
			} else {
				got = append(got, fmt.Sprint(Value[int64](tc.v, i)))
			}
		}
		if s := strings.Join(got, " "); s != tc.want || tc.v.HasNulls() != strings.Contains(s, "null") {
			t.Errorf("%s: %s, has nulls: %v", name, s, tc.v.HasNulls())
		}
	}
	text := &Vector{Type: types.VarcharType(), Enc: Dict, N: 2, Idx: []int32{1, 0}, Base: &Vector{
		Type: types.VarcharType(), N: 2, Heap: [][]byte{[]byte("one that is on the heap")},
		Data: AsBytes([]View{InlineView([]byte("short")), HeapView([]byte("one that is on the heap"), 0, 0)}),
	}}
	if string(text.Bytes(0)) != "one that is on the heap" || string(text.Bytes(1)) != "short" {
		t.Errorf("%q, %q", text.Bytes(0), text.Bytes(1))
	}
}
