package fuzz

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

var arrowTypes = map[Kind]arrow.DataType{
	Bigint: arrow.PrimitiveTypes.Int64, Integer: arrow.PrimitiveTypes.Int32, Double: arrow.PrimitiveTypes.Float64,
	Decimal: &arrow.Decimal128Type{Precision: 10, Scale: 2}, Wide: &arrow.Decimal128Type{Precision: 22, Scale: 3},
	Text: arrow.BinaryTypes.String, Date: arrow.FixedWidthTypes.Date32,
	Timestamp: &arrow.TimestampType{Unit: arrow.Microsecond}, Boolean: arrow.FixedWidthTypes.Boolean,
}

// writeTable writes a table's files into dir/<its name>.
func writeTable(t testing.TB, dir string, table *Table) {
	t.Helper()
	folder := filepath.Join(dir, table.Name)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	each := len(table.Rows)/table.Files + 1
	for f := range table.Files {
		from, to := min(f*each, len(table.Rows)), min((f+1)*each, len(table.Rows))
		if err := writeFile(filepath.Join(folder, fmt.Sprintf("%d.parquet", f)), table, from, to); err != nil {
			t.Fatal(err)
		}
	}
}

func writeFile(path string, table *Table, from, to int) error {
	fields := []arrow.Field{{Name: "u", Type: arrow.PrimitiveTypes.Int64}}
	for _, k := range kinds {
		fields = append(fields, arrow.Field{Name: string(k), Type: arrowTypes[Kind(k)], Nullable: true})
	}
	schema := arrow.NewSchema(fields, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for i := from; i < to; i++ {
		b.Field(0).(*array.Int64Builder).Append(int64(i))
		for c, k := range kinds {
			appendValue(b.Field(c+1), Kind(k), table.Rows[i][Kind(k)])
		}
	}
	rec := b.NewRecordBatch()
	defer rec.Release()
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	codec := compress.Codecs.Snappy
	if from > 0 {
		codec = compress.Codecs.Zstd
	}
	w, err := pqarrow.NewFileWriter(schema, out, parquet.NewWriterProperties(
		parquet.WithMaxRowGroupLength(int64(table.Group)), parquet.WithDataPageSize(int64(table.Page)), parquet.WithBatchSize(16),
		parquet.WithDictionaryDefault(table.Dictionary), parquet.WithCompression(codec), parquet.WithPageIndexEnabled(from > 0),
	), pqarrow.DefaultWriterProps())
	if err != nil {
		return err
	}
	if err := w.Write(rec); err != nil {
		return err
	}
	return w.Close()
}

func appendValue(b array.Builder, k Kind, v any) {
	if v == nil {
		b.AppendNull()
		return
	}
	switch k {
	case Bigint:
		b.(*array.Int64Builder).Append(v.(int64))
	case Integer:
		b.(*array.Int32Builder).Append(int32(v.(int64)))
	case Double:
		b.(*array.Float64Builder).Append(v.(float64))
	case Decimal, Wide:
		b.(*array.Decimal128Builder).Append(decimal128.FromI64(v.(int64)))
	case Text:
		b.(*array.StringBuilder).Append(v.(string))
	case Date:
		b.(*array.Date32Builder).Append(arrow.Date32(v.(int64)))
	case Timestamp:
		b.(*array.TimestampBuilder).Append(arrow.Timestamp(v.(int64)))
	case Boolean:
		b.(*array.BooleanBuilder).Append(v.(bool))
	}
}
