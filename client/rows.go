package client

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"math"
	"reflect"
	"strings"
)

// rows is a result of database/sql.
type rows struct {
	ctx      context.Context // of the QueryContext call: database/sql bounds the rows by it too
	q        *Query
	page     [][]any // rows fetched and not yet handed out
	err      error
	columns  []Column
	decoders []Decoder
}

var (
	_ driver.RowsColumnTypeDatabaseTypeName = (*rows)(nil)
	_ driver.RowsColumnTypeLength           = (*rows)(nil)
	_ driver.RowsColumnTypeNullable         = (*rows)(nil)
	_ driver.RowsColumnTypePrecisionScale   = (*rows)(nil)
	_ driver.RowsColumnTypeScanType         = (*rows)(nil)
)

// describe takes over the columns once they are known.
func (r *rows) describe() {
	r.columns = r.q.Columns()
	r.decoders = make([]Decoder, len(r.columns))
	for i, c := range r.columns {
		r.decoders[i] = c.Signature.Decoder()
	}
}

// Columns returns the names of the columns.
func (r *rows) Columns() []string {
	names := make([]string, len(r.columns))
	for i, c := range r.columns {
		names[i] = c.Name
	}
	return names
}

// Close ends the query if it runs still.
func (r *rows) Close() error { return r.q.Close() }

// Next fills dest with the next row, decoded as TypeSignature.Decoder says.
func (r *rows) Next(dest []driver.Value) error {
	for len(r.page) == 0 {
		if r.err != nil {
			return r.err
		}
		r.page, r.err = r.q.Next(r.ctx)
	}
	row := r.page[0]
	r.page = r.page[1:]
	for i, raw := range row {
		v, err := r.decoders[i](raw)
		if err != nil {
			return fmt.Errorf("column %q: %w", r.columns[i].Name, err)
		}
		dest[i] = v
	}
	return nil
}

// ColumnTypeDatabaseTypeName returns the upper-case base name of the type,
// such as "VARCHAR" or "TIMESTAMP WITH TIME ZONE".
func (r *rows) ColumnTypeDatabaseTypeName(i int) string {
	return strings.ToUpper(r.columns[i].Signature.RawType)
}

// ColumnTypeLength returns the length of varchar and char; unbounded text and
// varbinary have math.MaxInt64.
func (r *rows) ColumnTypeLength(i int) (int64, bool) {
	switch t := r.columns[i].Signature; t.RawType {
	case "varchar", "char":
		if n := t.longArg(0); n >= 0 && n != unboundedVarchar {
			return n, true
		}
		return math.MaxInt64, true
	case "varbinary":
		return math.MaxInt64, true
	}
	return 0, false
}

// ColumnTypeNullable is unknown: the protocol does not say.
func (r *rows) ColumnTypeNullable(int) (nullable, ok bool) { return true, false }

// ColumnTypePrecisionScale returns precision and scale of decimals, and the
// digits of a second for times.
func (r *rows) ColumnTypePrecisionScale(i int) (precision, scale int64, ok bool) {
	t := r.columns[i].Signature
	switch t.RawType {
	case "decimal":
		return t.longArg(0), max(t.longArg(1), 0), true
	case "time", "timestamp", "time with time zone", "timestamp with time zone":
		if p := t.longArg(0); p >= 0 {
			return p, 0, true
		}
	}
	return 0, 0, false
}

// ColumnTypeScanType returns a Go type that every value of the column, NULL
// included, can be scanned into.
func (r *rows) ColumnTypeScanType(i int) reflect.Type {
	switch r.columns[i].Signature.RawType {
	case "boolean":
		return reflect.TypeFor[sql.NullBool]()
	case "tinyint", "smallint", "integer", "bigint":
		return reflect.TypeFor[sql.NullInt64]()
	case "real", "double":
		return reflect.TypeFor[sql.NullFloat64]()
	case "varbinary":
		return reflect.TypeFor[[]byte]()
	case "date", "timestamp", "timestamp with time zone":
		return reflect.TypeFor[sql.NullTime]()
	case "array", "map", "row":
		return reflect.TypeFor[any]()
	}
	return reflect.TypeFor[sql.NullString]()
}

// Slice scans an SQL array into a Go slice of its elements; NULL gives nil.
// Elements are converted as database/sql does; for elements that may be NULL
// use pointers or the sql.Null types.
type Slice[T any] []T

// Scan implements sql.Scanner.
func (s *Slice[T]) Scan(src any) error {
	if src == nil {
		*s = nil
		return nil
	}
	in, ok := src.([]any)
	if !ok {
		return fmt.Errorf("cannot scan %T into a slice", src)
	}
	out := make([]T, len(in))
	for i, v := range in {
		if err := scanElement(&out[i], v); err != nil {
			return fmt.Errorf("element %d: %w", i+1, err)
		}
	}
	*s = out
	return nil
}

// scanElement lends database/sql's conversions, through sql.Null, to what is
// not of the right type already.
func scanElement[T any](dst *T, v any) error {
	if sc, ok := any(dst).(sql.Scanner); ok {
		return sc.Scan(v)
	}
	if x, ok := v.(T); ok {
		*dst = x
		return nil
	}
	if v == nil {
		if k := reflect.TypeFor[T]().Kind(); k == reflect.Pointer || k == reflect.Interface {
			return nil // dst is nil already
		}
		return fmt.Errorf("cannot scan NULL into %T", *dst)
	}
	var n sql.Null[T]
	if err := n.Scan(v); err != nil {
		return err
	}
	*dst = n.V
	return nil
}
