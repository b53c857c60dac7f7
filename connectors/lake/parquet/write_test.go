package parquet

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/float16"
	"github.com/apache/arrow-go/v18/arrow/memory"
	pq "github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/tuttidb/tutti/connectors/objstore"
	"github.com/tuttidb/tutti/exec/kernel"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// testFile is a file under test and what its readers share.
type testFile struct {
	t    testing.TB
	file *File
	b    *objstore.Mem
	obj  objstore.ObjectInfo
	pool *mem.Pool
	root *mem.Account
}

// openBytes opens a file in memory and fails the test on an error. When the
// test ends, no slab may be out.
func openBytes(t testing.TB, data []byte) *testFile {
	t.Helper()
	tf := stage(t, data)
	f, err := Open(context.Background(), tf.b, tf.obj)
	if err != nil {
		t.Fatal(err)
	}
	tf.file = f
	return tf
}

// stage puts a file in a bucket in memory.
func stage(t testing.TB, data []byte) *testFile {
	t.Helper()
	tf := &testFile{t: t, b: objstore.NewMem("b", nil), pool: mem.NewPool()}
	tf.pool.Poison = true
	tf.root = mem.NewRoot("test", 1<<30, tf.pool)
	obj, err := tf.b.Put(context.Background(), "f.parquet", bytes.NewReader(data), int64(len(data)), objstore.PutOptions{})
	if err != nil {
		t.Fatal(err)
	}
	tf.obj = obj
	t.Cleanup(func() {
		if n := tf.pool.Out(); n != 0 {
			t.Errorf("%d bytes of slabs were not released", n)
		}
	})
	return tf
}

// config returns the configuration for reading the named columns (none: all).
func (tf *testFile) config(names ...string) Config {
	cfg := Config{
		File: tf.file, Bucket: tf.b, Object: tf.obj, To: math.MaxInt64,
		Account: tf.root, BatchRows: vector.DefaultRows, Codecs: testCodecs,
	}
	if len(names) == 0 {
		for _, f := range tf.file.Fields {
			names = append(names, f.Name)
		}
	}
	for _, n := range names {
		for _, f := range tf.file.Fields {
			if f.Name == n {
				cfg.Columns = append(cfg.Columns, Column{Type: f.Type, Field: f})
			}
		}
	}
	return cfg
}

// readRows reads everything that cfg asks for, as rows of constants.
func readRows(t testing.TB, cfg Config) [][]any {
	t.Helper()
	rows, err := tryRows(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func tryRows(cfg Config) (rows [][]any, err error) {
	r, err := NewReader(cfg)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	for {
		b, err := r.Next(context.Background())
		if err != nil || b == nil {
			return rows, err
		}
		if err := b.Load(); err != nil {
			return rows, err
		}
		for i := range b.Rows() {
			row := make([]any, len(b.Cols))
			for c, v := range b.Cols {
				row[c] = kernel.ValueAt(v, b.Row(i))
			}
			rows = append(rows, row)
		}
		if len(rows) > maxTestRows {
			return rows, nil
		}
	}
}

// maxTestRows ends the reading of damaged files that claim to have billions
// of rows, which a run of one value may well be.
const maxTestRows = 300_000

// write writes records as a Parquet file.
func write(t testing.TB, rec arrow.RecordBatch, opts ...pq.WriterProperty) []byte {
	t.Helper()
	var out bytes.Buffer
	props := pq.NewWriterProperties(opts...)
	w, err := pqarrow.NewFileWriter(rec.Schema(), &out, props, pqarrow.DefaultWriterProps())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(rec); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// maker fills an array builder with random values.
type maker struct {
	r     *rand.Rand
	nulls float64 // share of nulls where the field is nullable
	few   int     // if set, values are drawn from so many
}

// draw returns a random number, one of a few if m.few is set.
func (m *maker) draw() int64 {
	if m.few > 0 {
		return int64(m.r.IntN(m.few)) * 7_777_777
	}
	return int64(m.r.Uint64()) >> m.r.IntN(60)
}

func (m *maker) text() string {
	n := m.draw()
	s := fmt.Sprintf("%d", n)
	for i := int64(0); i < n&7; i++ {
		s += " and again"
	}
	if n&15 == 3 {
		return ""
	}
	return s
}

// add appends one value to b, possibly null.
func (m *maker) add(b array.Builder, nullable bool) {
	if nullable && m.r.Float64() < m.nulls {
		b.AppendNull()
		return
	}
	x := m.draw()
	switch b := b.(type) {
	case *array.BooleanBuilder:
		b.Append(x&1 != 0)
	case *array.Int8Builder:
		b.Append(int8(x))
	case *array.Int16Builder:
		b.Append(int16(x))
	case *array.Int32Builder:
		b.Append(int32(x))
	case *array.Int64Builder:
		b.Append(x)
	case *array.Uint8Builder:
		b.Append(uint8(x))
	case *array.Uint16Builder:
		b.Append(uint16(x))
	case *array.Uint32Builder:
		b.Append(uint32(x))
	case *array.Uint64Builder:
		b.Append(uint64(x))
	case *array.Float16Builder:
		b.Append(float16.New(float32(x % 1000)))
	case *array.Float32Builder:
		b.Append(float32(x) / 3)
	case *array.Float64Builder:
		b.Append(float64(x) / 3)
	case *array.Date32Builder:
		b.Append(arrow.Date32(x % 100_000))
	case *array.Time32Builder:
		b.Append(arrow.Time32(uint64(x) % 86_400_000))
	case *array.Time64Builder:
		b.Append(arrow.Time64(uint64(x) % 86_400_000_000))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(x % 4_000_000_000_000))
	case *array.Decimal128Builder:
		m.decimal(b, x)
	default:
		m.addOther(b)
	}
}

func (m *maker) decimal(b *array.Decimal128Builder, x int64) {
	p := b.Type().(*arrow.Decimal128Type).Precision
	limit := int64(math.Pow10(int(min(p, 18))))
	v := decimal128.FromI64(x % limit)
	if p > 18 {
		v = v.Mul(decimal128.FromI64(1_000_000_007))
	}
	b.Append(v)
}

func (m *maker) addOther(b array.Builder) {
	switch b := b.(type) {
	case *array.StringBuilder:
		b.Append(m.text())
	case *array.BinaryBuilder:
		b.Append([]byte(m.text()))
	case *array.FixedSizeBinaryBuilder:
		w := b.Type().(*arrow.FixedSizeBinaryType).ByteWidth
		b.Append(append([]byte(m.text()), make([]byte, w)...)[:w])
	case *array.MapBuilder:
		b.Append(true)
		for i := range m.r.IntN(4) {
			_ = i
			m.add(b.KeyBuilder(), false)
			m.add(b.ItemBuilder(), true)
		}
	case *array.ListBuilder:
		b.Append(true)
		for range m.r.IntN(5) {
			m.add(b.ValueBuilder(), true)
		}
	case *array.StructBuilder:
		b.Append(true)
		for i := range b.NumField() {
			m.add(b.FieldBuilder(i), true)
		}
	default:
		panic(fmt.Sprintf("no values for %T", b))
	}
}

// makeRecord returns n rows of random values.
func makeRecord(m *maker, n int, fields ...arrow.Field) arrow.RecordBatch {
	rb := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(fields, nil))
	for i, f := range fields {
		for range n {
			m.add(rb.Field(i), f.Nullable)
		}
	}
	return rb.NewRecordBatch()
}

// arrowRows returns a record's rows as constants of the types that the
// reader is expected to give.
func arrowRows(rec arrow.RecordBatch) [][]any {
	rows := make([][]any, rec.NumRows())
	for i := range rows {
		rows[i] = make([]any, rec.NumCols())
		for c := range rows[i] {
			rows[i][c] = arrowValue(rec.Column(c), i)
		}
	}
	return rows
}

func arrowValue(a arrow.Array, i int) any {
	if a.IsNull(i) {
		return nil
	}
	switch a := a.(type) {
	case *array.Boolean:
		return a.Value(i)
	case *array.Int8:
		return int64(a.Value(i))
	case *array.Int16:
		return int64(a.Value(i))
	case *array.Int32:
		return int64(a.Value(i))
	case *array.Int64:
		return a.Value(i)
	case *array.Uint8:
		return int64(a.Value(i))
	case *array.Uint16:
		return int64(a.Value(i))
	case *array.Uint32:
		return int64(a.Value(i))
	case *array.Uint64:
		return types.Int128{Lo: a.Value(i)}
	case *array.Float16:
		return a.Value(i).Float32()
	case *array.Float32:
		return a.Value(i)
	case *array.Float64:
		return a.Value(i)
	case *array.Date32:
		return int64(a.Value(i))
	case *array.String:
		return a.Value(i)
	case *array.Binary:
		return string(a.Value(i))
	case *array.FixedSizeBinary:
		return string(a.Value(i))
	}
	return arrowOther(a, i)
}

func arrowOther(a arrow.Array, i int) any {
	switch a := a.(type) {
	case *array.Time32:
		return int64(a.Value(i)) * 1e6
	case *array.Time64:
		return int64(a.Value(i)) * int64(a.DataType().(*arrow.Time64Type).Unit.Multiplier())
	case *array.Timestamp:
		return arrowTimestamp(a, i)
	case *array.Decimal128:
		v := a.Value(i)
		if a.DataType().(*arrow.Decimal128Type).Precision <= types.MaxShortDecimal {
			return v.BigInt().Int64()
		}
		return types.Int128{Lo: v.LowBits(), Hi: v.HighBits()}
	case *array.Map:
		out := [][2]any{}
		from, to := a.ValueOffsets(i)
		for j := int(from); j < int(to); j++ {
			out = append(out, [2]any{arrowValue(a.Keys(), j), arrowValue(a.Items(), j)})
		}
		return out
	case *array.List:
		out := []any{}
		from, to := a.ValueOffsets(i)
		for j := int(from); j < int(to); j++ {
			out = append(out, arrowValue(a.ListValues(), j))
		}
		return out
	case *array.Struct:
		out := []any{}
		for k := range a.NumField() {
			out = append(out, arrowValue(a.Field(k), i))
		}
		return out
	}
	panic(fmt.Sprintf("no value of %T", a))
}

func arrowTimestamp(a *array.Timestamp, i int) any {
	t := a.DataType().(*arrow.TimestampType)
	v := int64(a.Value(i))
	if t.Unit == arrow.Millisecond {
		v *= 1000
	}
	if t.TimeZone != "" {
		return types.Int128{Lo: uint64(v)}
	}
	return v
}

// same reports the first difference between two sets of rows.
func same(t testing.TB, got, want [][]any) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d rows instead of %d", len(got), len(want))
	}
	for i := range want {
		for c := range want[i] {
			if reflect.DeepEqual(got[i][c], want[i][c]) {
				continue
			}
			if g, w := show(got[i][c]), show(want[i][c]); g != w {
				t.Fatalf("row %d column %d: %s instead of %s", i, c, g, w)
			}
		}
	}
}

func show(v any) string {
	if x, ok := v.(types.Int128); ok {
		return new(big.Int).Set(x.Big()).String()
	}
	return fmt.Sprintf("%T %v", v, v)
}

// testCodecs serves all tests: making decoders costs more than most tests.
var testCodecs = NewCodecs()

// newMaker returns a maker with a seed.
func newMaker(seed uint64, nulls float64) *maker {
	return &maker{r: rand.New(rand.NewPCG(seed, 77)), nulls: nulls, few: int(seed%3) * 9}
}

// makeOrdered is makeRecord whose first field, of integers, counts the rows.
func makeOrdered(m *maker, n int, fields []arrow.Field) arrow.RecordBatch {
	rb := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(fields, nil))
	for i := range n {
		rb.Field(0).(*array.Int64Builder).Append(int64(i))
	}
	for i, f := range fields[1:] {
		for range n {
			m.add(rb.Field(i+1), f.Nullable)
		}
	}
	return rb.NewRecordBatch()
}
