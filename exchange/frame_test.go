package exchange

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

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
				b.WriteString("(" + text(k, lo, min(hi, lo+1000)) + ")") // hostile lists may be long
			}
		default:
			w := v.Type.Physical().Width()
			fmt.Fprintf(&b, "%x", v.Data[i*w:(i+1)*w])
		}
		b.WriteByte(' ')
	}
	return b.String()
}

// encodeFrame encodes columns in memory of its own.
func encodeFrame(t testing.TB, cols []*vector.Vector, n int) Frame {
	t.Helper()
	var e encoder
	size, err := e.layout(cols, n)
	if err != nil {
		t.Fatal(err)
	}
	body := vector.AsBytes(make([]int64, (size+7)/8))[:size]
	return Frame{Header: e.fill(body), Body: body, Rows: n}
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
	return encodeFrame(t, cols, n), cols, func() {
		for _, b := range builders {
			b.Release()
		}
		if pool.Out() != 0 {
			t.Errorf("%d bytes leaked", pool.Out())
		}
	}
}

func TestFrameRoundTrip(t *testing.T) {
	for _, n := range []int{0, 1, 3, 64, 1000, 5000} {
		f, want, release := encodeAll(t, n)
		for _, trusted := range []bool{false, true} {
			d := &decoder{types: allTypes, trusted: trusted}
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
		}
		release()
	}
}

func TestCut(t *testing.T) {
	const n = 1000
	f, _, release := encodeAll(t, n)
	defer release()
	d := &decoder{types: allTypes}
	cols, _, err := d.decode(f)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range cols {
		var all strings.Builder
		var part vector.Vector
		for from := 0; from < n; from += 192 {
			cut(&part, c, from, min(192, n-from))
			all.WriteString(text(&part, 0, part.N))
		}
		if want := text(c, 0, n); all.String() != want {
			t.Errorf("%s:\n got %s\nwant %s", allTypes[i], all.String(), want)
		}
	}
}

// TestFrameIsArrow reads our frames with Arrow's own reader, and Arrow's with
// ours.
func TestFrameIsArrow(t *testing.T) {
	for _, n := range []int{0, 1, 100, 3000} {
		f, want, release := encodeAll(t, n)
		schema := ipc.GetSchemaPayload(Schema(allTypes), memory.DefaultAllocator)
		in := &messages{list: []*ipc.Message{
			ipc.NewMessage(memory.NewBufferBytes(schema.Meta().Bytes()), memory.NewBufferBytes(nil)),
			ipc.NewMessage(memory.NewBufferBytes(f.Header), memory.NewBufferBytes(f.Body)),
		}}
		r, err := ipc.NewReaderFromMessageReader(in)
		if err != nil {
			t.Fatal(err)
		}
		rec, err := r.Read()
		if err != nil {
			t.Fatalf("%d rows: Arrow refuses our frame: %v", n, err)
		}
		for i, c := range rec.Columns() {
			if c.DataType().ID() == arrow.NULL {
				continue // Arrow's own check wants a buffer that its format has not
			}
			if err := array.ValidateFull(c); err != nil {
				t.Fatalf("%d rows: column %d: %v", n, i, err)
			}
		}
		payload, err := ipc.GetRecordBatchPayload(rec)
		if err != nil {
			t.Fatal(err)
		}
		var body bytes.Buffer
		if err := payload.SerializeBody(&body); err != nil {
			t.Fatal(err)
		}
		d := &decoder{types: allTypes}
		got, rows, err := d.decode(Frame{Header: payload.Meta().Bytes(), Body: body.Bytes()})
		if err != nil || rows != n {
			t.Fatalf("%d rows: Arrow's frame gives %d, %v", n, rows, err)
		}
		for i := range want {
			if w, g := text(want[i], 0, n), text(got[i], 0, n); w != g {
				t.Errorf("%d rows of %s:\n got %s\nwant %s", n, allTypes[i], g, w)
			}
		}
		release()
	}
}

// messages is an Arrow message reader over a list.
type messages struct{ list []*ipc.Message }

func (m *messages) Message() (*ipc.Message, error) {
	if len(m.list) == 0 {
		return nil, io.EOF
	}
	next := m.list[0]
	m.list = m.list[1:]
	return next, nil
}
func (m *messages) Release() {}
func (m *messages) Retain()  {}

func TestDecodeRefuses(t *testing.T) {
	f, _, release := encodeAll(t, 20)
	defer release()
	var good recordMeta
	if err := good.unmarshal(f.Header); err != nil {
		t.Fatal(err)
	}
	for name, harm := range map[string]func(m *recordMeta, body []byte) []byte{
		"rows":             func(m *recordMeta, b []byte) []byte { m.rows = 1 << 40; return b },
		"rows of a column": func(m *recordMeta, b []byte) []byte { m.nodes[2].rows = 1 << 62; return b },
		"negative rows":    func(m *recordMeta, b []byte) []byte { m.rows = -1; return b },
		"rows of nulls":    func(m *recordMeta, b []byte) []byte { m.nodes[6].rows, m.nodes[6].nulls = 1<<50, 1<<50; return b },
		"nulls":            func(m *recordMeta, b []byte) []byte { m.nodes[0].nulls = 21; return b },
		"offset":           func(m *recordMeta, b []byte) []byte { m.buffers[1].off = 1 << 40; return b },
		"length":           func(m *recordMeta, b []byte) []byte { m.buffers[1].n = 1<<63 - 1; return b },
		"negative length":  func(m *recordMeta, b []byte) []byte { m.buffers[1].n = -8; return b },
		"heap buffers":     func(m *recordMeta, b []byte) []byte { m.variadic[0] = 1 << 37; return b },
		"no heap buffers":  func(m *recordMeta, b []byte) []byte { m.variadic[0] = 0; return b },
		"fewer columns":    func(m *recordMeta, b []byte) []byte { m.nodes = m.nodes[:4]; return b },
		"fewer buffers":    func(m *recordMeta, b []byte) []byte { m.buffers = m.buffers[:4]; return b },
		"short body":       func(m *recordMeta, b []byte) []byte { return b[:len(b)/2] },
		"bool of 2":        func(m *recordMeta, b []byte) []byte { b[m.buffers[1].off] = 2; return b },
		"view outside":     func(m *recordMeta, b []byte) []byte { b[m.buffers[11].off+19*16+3] = 0x7F; return b },
		"compressed":       func(m *recordMeta, b []byte) []byte { m.codec = codecLZ4; return b },
	} {
		m := good
		m.nodes, m.buffers, m.variadic = slices.Clone(good.nodes), slices.Clone(good.buffers), slices.Clone(good.variadic)
		body := harm(&m, bytes.Clone(f.Body))
		d := &decoder{types: allTypes}
		if _, _, err := d.decode(Frame{Header: m.marshal(), Body: body}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// FuzzDecode feeds damaged frames to the decoder: errors, never a panic or a
// read outside the frame.
func FuzzDecode(f *testing.F) {
	fr, _, release := encodeAll(f, 20)
	defer release()
	f.Add(fr.Header, fr.Body)
	f.Fuzz(func(t *testing.T, header, body []byte) {
		d := &decoder{types: allTypes}
		cols, rows, err := d.decode(Frame{Header: bytes.Clone(header), Body: bytes.Clone(body)})
		if err != nil {
			return
		}
		for _, c := range cols {
			_ = text(c, 0, min(rows, 1000))
		}
	})
}
