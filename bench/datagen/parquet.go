package main

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/tuttidb/tutti/connectors/tpch/dbgen"
)

const (
	batchRows = 8192
	// groupRows is the size of a row group: some megabytes of the widest table.
	groupRows = 15 * batchRows
)

// writeParquet writes one file.
func writeParquet(ctx context.Context, w io.Writer, gen *dbgen.Generator, f file, written *atomic.Int64) error {
	cols := f.table.Columns()
	schema := arrowSchema(cols)
	props := parquet.NewWriterProperties(
		parquet.WithCompression(compress.Codecs.Snappy), parquet.WithMaxRowGroupLength(groupRows),
		parquet.WithStoreDecimalAsInteger(true), parquet.WithVersion(parquet.V2_LATEST), parquet.WithCreatedBy("tutti datagen"),
	)
	fw, err := pqarrow.NewFileWriter(schema, w, props, pqarrow.DefaultWriterProps())
	if err != nil {
		return err
	}
	ordinals := make([]int, len(cols))
	for i := range ordinals {
		ordinals[i] = i
	}
	scan, err := gen.Scan(f.table, ordinals, f.from, f.to)
	if err != nil {
		return err
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	batch, pending := dbgen.NewBatch(batchRows), 0
	for scan.Next(batch) {
		if err := ctx.Err(); err != nil {
			return err
		}
		for i, c := range cols {
			if err := appendColumn(b.Field(i), c, &batch.Columns[i], batch.Rows); err != nil {
				return err
			}
		}
		written.Add(int64(batch.Rows))
		if pending += batch.Rows; pending >= groupRows-batchRows {
			if err := flush(fw, b); err != nil {
				return err
			}
			pending = 0
		}
	}
	if pending > 0 {
		if err := flush(fw, b); err != nil {
			return err
		}
	}
	return fw.Close()
}

func flush(fw *pqarrow.FileWriter, b *array.RecordBuilder) error {
	rec := b.NewRecordBatch()
	defer rec.Release()
	return fw.Write(rec)
}

func arrowSchema(cols []dbgen.Column) *arrow.Schema {
	fields := make([]arrow.Field, len(cols))
	for i, c := range cols {
		fields[i] = arrow.Field{Name: c.Name, Type: arrowType(c)}
	}
	return arrow.NewSchema(fields, nil)
}

func arrowType(c dbgen.Column) arrow.DataType {
	switch c.Kind {
	case dbgen.Identifier:
		return arrow.PrimitiveTypes.Int64
	case dbgen.Integer:
		return arrow.PrimitiveTypes.Int32
	case dbgen.Date:
		return arrow.FixedWidthTypes.Date32
	case dbgen.Decimal:
		return &arrow.Decimal128Type{Precision: 15, Scale: 2}
	}
	return arrow.BinaryTypes.String
}

// appendColumn appends a generated column's rows.
func appendColumn(b array.Builder, c dbgen.Column, v *dbgen.Vector, rows int) error {
	switch b := b.(type) {
	case *array.Int64Builder:
		b.AppendValues(v.Int64[:rows], nil)
	case *array.Int32Builder:
		b.AppendValues(v.Int32[:rows], nil)
	case *array.Date32Builder:
		for _, d := range v.Int32[:rows] {
			b.Append(arrow.Date32(d))
		}
	case *array.Decimal128Builder:
		for _, cents := range v.Int64[:rows] {
			b.Append(decimal128.FromI64(cents))
		}
	case *array.StringBuilder:
		for i := range rows {
			if c.Layout == dbgen.Codes {
				b.Append(c.Values[v.Codes[i]])
			} else {
				b.Append(string(v.Text(i)))
			}
		}
	default:
		return fmt.Errorf("column %s has no writer for %T", c.Name, b)
	}
	return nil
}
