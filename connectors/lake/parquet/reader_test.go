package parquet

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	pq "github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"

	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/sql/types"
)

// flatFields are columns of every flat type, nullable or not.
func flatFields(nullable bool) []arrow.Field {
	kinds := []arrow.DataType{
		arrow.FixedWidthTypes.Boolean, arrow.PrimitiveTypes.Int8, arrow.PrimitiveTypes.Int16,
		arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Int64, arrow.PrimitiveTypes.Uint8,
		arrow.PrimitiveTypes.Uint16, arrow.PrimitiveTypes.Uint32, arrow.PrimitiveTypes.Uint64,
		arrow.FixedWidthTypes.Float16, arrow.PrimitiveTypes.Float32, arrow.PrimitiveTypes.Float64,
		arrow.FixedWidthTypes.Date32, arrow.FixedWidthTypes.Time32ms, arrow.FixedWidthTypes.Time64us,
		&arrow.TimestampType{Unit: arrow.Millisecond}, &arrow.TimestampType{Unit: arrow.Microsecond},
		&arrow.TimestampType{Unit: arrow.Nanosecond}, &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"},
		&arrow.Decimal128Type{Precision: 9, Scale: 2}, &arrow.Decimal128Type{Precision: 18, Scale: 4},
		&arrow.Decimal128Type{Precision: 38, Scale: 10}, arrow.BinaryTypes.String, arrow.BinaryTypes.Binary,
		&arrow.FixedSizeBinaryType{ByteWidth: 5}, &arrow.FixedSizeBinaryType{ByteWidth: 20},
	}
	fields := make([]arrow.Field, len(kinds))
	for i, k := range kinds {
		fields[i] = arrow.Field{Name: fmt.Sprintf("c%d", i), Type: k, Nullable: nullable}
	}
	return fields
}

// TestFlat reads all flat types in many physical forms, in batches of many sizes.
func TestFlat(t *testing.T) {
	forms := map[string][]pq.WriterProperty{
		"plain":      {pq.WithDictionaryDefault(false)},
		"dictionary": {pq.WithDictionaryDefault(true)},
		"fallback":   {pq.WithDictionaryDefault(true), pq.WithDictionaryPageSizeLimit(2000)},
		"v2":         {pq.WithDataPageVersion(pq.DataPageV2), pq.WithCompression(compress.Codecs.Zstd)},
		"v2 plain":   {pq.WithDataPageVersion(pq.DataPageV2), pq.WithDictionaryDefault(false), pq.WithCompression(compress.Codecs.Snappy)},
		"groups":     {pq.WithMaxRowGroupLength(400)},
	}
	for name, props := range forms {
		for _, nulls := range []float64{0, 0.3, 1} {
			for _, few := range []int{0, 1, 40} {
				t.Run(fmt.Sprintf("%s/nulls %v/few %d", name, nulls, few), func(t *testing.T) {
					m := &maker{r: rand.New(rand.NewPCG(1, uint64(few))), nulls: nulls, few: few}
					rec := makeRecord(m, 1500, flatFields(nulls > 0)...)
					tf := openBytes(t, write(t, rec, append(props, pq.WithDataPageSize(3000), pq.WithBatchSize(100))...))
					want := arrowRows(rec)
					for _, batch := range []int{1000, 8192, 63} {
						cfg := tf.config()
						cfg.BatchRows = batch
						same(t, readRows(t, cfg), want)
					}
				})
			}
		}
	}
}

func TestCodecs(t *testing.T) {
	m := &maker{r: rand.New(rand.NewPCG(2, 2)), nulls: 0.1}
	fields := []arrow.Field{
		{Name: "a", Type: arrow.PrimitiveTypes.Int64, Nullable: true}, {Name: "b", Type: arrow.BinaryTypes.String},
		{Name: "c", Type: arrow.PrimitiveTypes.Int32},
	}
	rec := makeRecord(m, 5000, fields...)
	for _, codec := range []compress.Compression{
		compress.Codecs.Uncompressed, compress.Codecs.Snappy, compress.Codecs.Gzip,
		compress.Codecs.Brotli, compress.Codecs.Zstd, compress.Codecs.Lz4Raw,
	} {
		for _, v := range []pq.DataPageVersion{pq.DataPageV1, pq.DataPageV2} {
			t.Run(fmt.Sprintf("%s v%d", codec, v+1), func(t *testing.T) {
				tf := openBytes(t, write(t, rec, pq.WithCompression(codec), pq.WithDataPageVersion(v), pq.WithDataPageSize(4000)))
				same(t, readRows(t, tf.config()), arrowRows(rec))
			})
		}
	}
}

func TestEncodings(t *testing.T) {
	cases := []struct {
		enc   pq.Encoding
		kinds []arrow.DataType
	}{
		{pq.Encodings.DeltaBinaryPacked, []arrow.DataType{arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Int64,
			arrow.PrimitiveTypes.Int8, &arrow.TimestampType{Unit: arrow.Millisecond}, arrow.FixedWidthTypes.Date32}},
		{pq.Encodings.DeltaLengthByteArray, []arrow.DataType{arrow.BinaryTypes.String}},
		{pq.Encodings.DeltaByteArray, []arrow.DataType{arrow.BinaryTypes.String, arrow.BinaryTypes.Binary}},
		{pq.Encodings.ByteStreamSplit, []arrow.DataType{arrow.PrimitiveTypes.Float32, arrow.PrimitiveTypes.Float64,
			arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Int64, &arrow.FixedSizeBinaryType{ByteWidth: 20}}},
		{pq.Encodings.RLE, []arrow.DataType{arrow.FixedWidthTypes.Boolean}},
	}
	for _, tc := range cases {
		for i, k := range tc.kinds {
			for _, nulls := range []float64{0, 0.2} {
				for _, v := range []pq.DataPageVersion{pq.DataPageV1, pq.DataPageV2} {
					t.Run(fmt.Sprintf("%s/%s/%v v%d", tc.enc, k, nulls, v+1), func(t *testing.T) {
						m := &maker{r: rand.New(rand.NewPCG(3, uint64(i))), nulls: nulls}
						rec := makeRecord(m, 4000, arrow.Field{Name: "x", Type: k, Nullable: nulls > 0})
						tf := openBytes(t, write(t, rec, pq.WithDictionaryDefault(false), pq.WithEncoding(tc.enc),
							pq.WithDataPageVersion(v), pq.WithDataPageSize(4000), pq.WithCompression(compress.Codecs.Snappy)))
						for _, batch := range []int{8192, 100} {
							cfg := tf.config()
							cfg.BatchRows = batch
							same(t, readRows(t, cfg), arrowRows(rec))
						}
					})
				}
			}
		}
	}
}

func nestedFields() []arrow.Field {
	i64, str := arrow.PrimitiveTypes.Int64, arrow.BinaryTypes.String
	list := arrow.ListOf(i64)
	row := arrow.StructOf(arrow.Field{Name: "a", Type: i64, Nullable: true}, arrow.Field{Name: "B", Type: str, Nullable: true},
		arrow.Field{Name: "l", Type: arrow.ListOf(str), Nullable: true})
	kinds := []arrow.DataType{
		list, arrow.ListOf(list), arrow.ListOf(str), row, arrow.ListOf(row), arrow.MapOf(str, i64),
		arrow.MapOf(arrow.PrimitiveTypes.Int32, arrow.ListOf(row)), arrow.StructOf(arrow.Field{Name: "in", Type: row, Nullable: true}),
		arrow.ListOf(arrow.MapOf(str, arrow.ListOf(i64))),
	}
	fields := make([]arrow.Field, len(kinds))
	for i, k := range kinds {
		fields[i] = arrow.Field{Name: fmt.Sprintf("n%d", i), Type: k, Nullable: true}
	}
	return fields
}

func TestNested(t *testing.T) {
	for _, v := range []pq.DataPageVersion{pq.DataPageV1, pq.DataPageV2} {
		for _, nulls := range []float64{0, 0.25, 1} {
			for _, few := range []int{0, 5} {
				t.Run(fmt.Sprintf("v%d/nulls %v/few %d", v+1, nulls, few), func(t *testing.T) {
					m := &maker{r: rand.New(rand.NewPCG(4, 4)), nulls: nulls, few: few}
					rec := makeRecord(m, 1200, nestedFields()...)
					tf := openBytes(t, write(t, rec, pq.WithDataPageVersion(v), pq.WithDataPageSize(2000), pq.WithBatchSize(50),
						pq.WithMaxRowGroupLength(500), pq.WithDictionaryPageSizeLimit(1500)))
					for _, batch := range []int{8192, 1, 77} {
						cfg := tf.config()
						cfg.BatchRows = batch
						same(t, readRows(t, cfg), arrowRows(rec))
					}
				})
			}
		}
	}
}

// TestTypes pins the SQL types of a file's columns.
func TestTypes(t *testing.T) {
	m := &maker{r: rand.New(rand.NewPCG(5, 5))}
	tf := openBytes(t, write(t, makeRecord(m, 3, append(flatFields(true), nestedFields()...)...)))
	want := []string{
		"boolean", "tinyint", "smallint", "integer", "bigint", "smallint", "integer", "bigint", "decimal(20,0)",
		"real", "real", "double", "date", "time(3)", "time(6)", "timestamp(3)", "timestamp(6)", "timestamp(9)",
		"timestamp(6) with time zone", "decimal(9,2)", "decimal(18,4)", "decimal(38,10)", "varchar", "varbinary",
		"varbinary", "varbinary",
		"array(bigint)", "array(array(bigint))", "array(varchar)", `row(a bigint, B varchar, l array(varchar))`,
		`array(row(a bigint, B varchar, l array(varchar)))`, "map(varchar, bigint)",
		`map(integer, array(row(a bigint, B varchar, l array(varchar))))`, `row(in row(a bigint, B varchar, l array(varchar)))`,
		"array(map(varchar, array(bigint)))",
	}
	for i, f := range tf.file.Fields {
		if got := f.Type.String(); got != want[i] {
			t.Errorf("%s is %s, want %s", f.Name, got, want[i])
		}
	}
}

// TestWidening reads columns as wider types, as happens when files differ.
func TestWidening(t *testing.T) {
	m := &maker{r: rand.New(rand.NewPCG(6, 6)), nulls: 0.1}
	cases := []struct {
		kind arrow.DataType
		to   types.Type
		want func(any) any
	}{
		{arrow.PrimitiveTypes.Int32, types.Of(types.BigInt), func(v any) any { return v }},
		{arrow.PrimitiveTypes.Int8, types.Of(types.Integer), func(v any) any { return v }},
		{arrow.PrimitiveTypes.Int32, types.DecimalOf(12, 2), func(v any) any { return v.(int64) * 100 }},
		{arrow.PrimitiveTypes.Int64, types.DecimalOf(38, 1), func(v any) any { return types.MulInt64(v.(int64), 10) }},
		{arrow.PrimitiveTypes.Float32, types.Of(types.Double), func(v any) any { return float64(v.(float32)) }},
		{&arrow.Decimal128Type{Precision: 9, Scale: 2}, types.DecimalOf(18, 4), func(v any) any { return v.(int64) * 100 }},
		{&arrow.Decimal128Type{Precision: 18, Scale: 4}, types.DecimalOf(30, 6), func(v any) any { return types.MulInt64(v.(int64), 100) }},
		{&arrow.TimestampType{Unit: arrow.Millisecond}, types.TimestampOf(9), func(v any) any { return v.(int64) * 1000 }},
	}
	for _, tc := range cases {
		t.Run(tc.kind.String()+" as "+tc.to.String(), func(t *testing.T) {
			rec := makeRecord(m, 500, arrow.Field{Name: "x", Type: tc.kind, Nullable: true})
			tf := openBytes(t, write(t, rec))
			cfg := tf.config()
			cfg.Columns[0].Type = tc.to
			want := arrowRows(rec)
			for _, row := range want {
				if row[0] != nil {
					row[0] = tc.want(row[0])
				}
			}
			same(t, readRows(t, cfg), want)
		})
	}
}

// TestRowFields reads a row as one with other fields: by name, whatever the
// order, with null for what the file lacks.
func TestRowFields(t *testing.T) {
	m := &maker{r: rand.New(rand.NewPCG(7, 7)), nulls: 0.2}
	row := arrow.StructOf(arrow.Field{Name: "a", Type: arrow.PrimitiveTypes.Int32, Nullable: true},
		arrow.Field{Name: "b", Type: arrow.BinaryTypes.String, Nullable: true})
	rec := makeRecord(m, 300, arrow.Field{Name: "x", Type: arrow.ListOf(row), Nullable: true})
	tf := openBytes(t, write(t, rec))
	cfg := tf.config()
	cfg.Columns[0].Type = types.ArrayOf(types.RowOf(
		[]types.Type{types.VarcharType(), types.Of(types.Date), types.Of(types.BigInt)}, []string{"B", "new", "A"}))
	want := arrowRows(rec)
	for _, r := range want {
		if list, ok := r[0].([]any); ok {
			for i, e := range list {
				if f, ok := e.([]any); ok {
					list[i] = []any{f[1], nil, f[0]}
				}
			}
		}
	}
	same(t, readRows(t, cfg), want)
}

// TestTightMemory reads with too little memory to fetch ahead, and with too
// little to read at all.
func TestTightMemory(t *testing.T) {
	tf := sortedFile(t, 200_000, pq.WithMaxRowGroupLength(50_000), pq.WithDictionaryDefault(false))
	whole := readRows(t, tf.config("id"))
	cfg := tf.config("id")
	cfg.Account = tf.root.Child("tight", 1<<20) // a group's numbers take 400 KB
	same(t, readRows(t, cfg), whole)
	cfg.Account = tf.root.Child("tighter", 100<<10)
	var limit *mem.LimitError
	if _, err := tryRows(cfg); !errors.As(err, &limit) {
		t.Errorf("error %v, want one about memory", err)
	}
}
