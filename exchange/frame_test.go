package exchange

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// sample builds a column of n rows, every third null, of any type.
func sample(t testing.TB, b *vector.Builder, typ types.Type, n int) {
	t.Helper()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		if i%3 == 2 {
			must(b.AppendNull())
			continue
		}
		switch typ.Physical() {
		case types.PhysBool:
			must(vector.Append(b, uint8(i&1)))
		case types.PhysInt32:
			must(vector.Append(b, int32(i)))
		case types.PhysInt64:
			must(vector.Append(b, int64(i)*1e9))
		case types.PhysDouble:
			must(vector.Append(b, float64(i)/3))
		case types.PhysInt128:
			must(vector.Append(b, types.Int128{Lo: uint64(i), Hi: -1}))
		case types.PhysBytes:
			must(b.AppendBytes([]byte(strings.Repeat("é", i%40))))
		case types.PhysNull:
			must(b.AppendNull())
		default:
			for k, e := range typ.Elems() {
				m := i % 4
				if typ.Kind == types.Row {
					m = 1
				}
				sample(t, b.Kid(k), e, m)
			}
			must(b.CloseRow())
		}
	}
}

var allTypes = []types.Type{
	types.Of(types.Boolean), types.Of(types.Date), types.Of(types.BigInt), types.Of(types.Double), types.DecimalOf(30, 2),
	types.VarcharType(), types.Of(types.Unknown), types.ArrayOf(types.VarcharType()), types.MapOf(types.Of(types.BigInt), types.Of(types.Double)),
	types.RowOf([]types.Type{types.Of(types.BigInt), types.ArrayOf(types.Of(types.Date))}, nil),
}

// text prints all of a vector, nested values included.
func text(v *vector.Vector, from, to int) string {
	var b strings.Builder
	for i := from; i < to; i++ {
		switch {
		case v.IsNull(i):
			b.WriteString("null")
		case v.Type.Physical() == types.PhysBytes:
			fmt.Fprintf(&b, "%q", v.Bytes(i))
		case v.Kids != nil:
			lo, hi := i, i+1
			if v.Offsets != nil {
				lo, hi = int(v.Offsets[i]), int(v.Offsets[i+1])
			}
			for _, k := range v.Kids {
				b.WriteString("(" + text(k, lo, hi) + ")")
			}
		default:
			w := v.Type.Physical().Width()
			fmt.Fprintf(&b, "%x", v.Data[i*w:(i+1)*w])
		}
		b.WriteByte(' ')
	}
	return b.String()
}

func encodeAll(t testing.TB, n int) (Frame, []*vector.Vector, func()) {
	pool := mem.NewPool()
	account := mem.NewRoot("test", 0, pool)
	var cols []*vector.Vector
	var builders []*vector.Builder
	for _, typ := range allTypes {
		b := vector.NewBuilder(account, typ)
		sample(t, b, typ, n)
		builders = append(builders, b)
		cols = append(cols, b.Vector())
	}
	f, err := encode(arrowSchema(allTypes), cols, n, func(n int) ([]byte, error) { return vector.AsBytes(make([]int64, (n+7)/8))[:n], nil })
	if err != nil {
		t.Fatal(err)
	}
	return f, cols, func() {
		for _, b := range builders {
			b.Release()
		}
		if pool.Out() != 0 {
			t.Errorf("%d bytes leaked", pool.Out())
		}
	}
}

func TestFrameRoundTrip(t *testing.T) {
	for _, n := range []int{0, 1, 3, 64, 1000} {
		f, want, release := encodeAll(t, n)
		d, err := newDecoder(allTypes)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // a decoder serves many frames
			got, rows, err := d.decode(f)
			if err != nil || rows != n {
				t.Fatalf("%d rows: got %d, %v", n, rows, err)
			}
			for i := range want {
				if w, g := text(want[i], 0, n), text(got[i], 0, n); w != g {
					t.Errorf("%d rows of %s:\n got %s\nwant %s", n, allTypes[i], g, w)
				}
			}
		}
		release()
	}
}

// FuzzDecode feeds damaged frames to the decoder: errors, never a panic or a
// read outside the frame.
func FuzzDecode(f *testing.F) {
	fr, _, release := encodeAll(f, 20)
	defer release()
	f.Add(fr.Header, fr.Body)
	f.Fuzz(func(t *testing.T, header, body []byte) {
		d, err := newDecoder(allTypes)
		if err != nil {
			t.Fatal(err)
		}
		cols, rows, err := d.decode(Frame{Header: bytes.Clone(header), Body: bytes.Clone(body)})
		if err != nil {
			return
		}
		for _, c := range cols {
			_ = text(c, 0, min(rows, 1000))
		}
	})
}
