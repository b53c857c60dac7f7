package system

import (
	"context"
	"iter"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/sql/types"
)

// The tables of schema jdbc are what Trino's JDBC driver reads for
// DatabaseMetaData: columns and types as that driver expects them.

func jdbcTables(catalogs Catalogs) []table {
	return []table{
		{name: "attributes", rows: none, columns: mixed("type_cat type_schem type_name attr_name #data_type attr_type_name #attr_size #decimal_digits #num_prec_radix #nullable remarks attr_def #sql_data_type #sql_datetime_sub #char_octet_length #ordinal_position is_nullable scope_catalog scope_schema scope_table #source_data_type")},
		{name: "catalogs", rows: jdbcCatalogs(catalogs), columns: mixed("table_cat")},
		{name: "columns", rows: jdbcColumns(catalogs), columns: mixed("table_cat table_schem table_name column_name #data_type type_name #column_size #buffer_length #decimal_digits #num_prec_radix #nullable remarks column_def #sql_data_type #sql_datetime_sub #char_octet_length #ordinal_position is_nullable scope_catalog scope_schema scope_table #source_data_type is_autoincrement is_generatedcolumn")},
		{name: "procedure_columns", rows: none, columns: mixed("procedure_cat procedure_schem procedure_name column_name #column_type #data_type type_name #precision #length #scale #radix #nullable remarks column_def #sql_data_type #sql_datetime_sub #char_octet_length #ordinal_position is_nullable specific_name")},
		{name: "procedures", rows: none, columns: mixed("procedure_cat procedure_schem procedure_name remarks #procedure_type specific_name")},
		{name: "pseudo_columns", rows: none, columns: mixed("table_cat table_schem table_name column_name #data_type #column_size #decimal_digits #num_prec_radix column_usage remarks #char_octet_length #is_nullable")},
		{name: "schemas", rows: jdbcSchemas(catalogs), columns: mixed("table_schem table_catalog")},
		{name: "super_tables", rows: none, columns: mixed("table_cat table_schem table_name supertable_name")},
		{name: "super_types", rows: none, columns: mixed("type_cat type_schem type_name supertype_cat supertype_schem supertype_name")},
		{name: "table_types", rows: fixed([]any{"TABLE"}, []any{"VIEW"}), columns: mixed("table_type")},
		{name: "tables", rows: jdbcTableRows(catalogs), columns: mixed("table_cat table_schem table_name table_type remarks type_cat type_schem type_name self_referencing_col_name ref_generation")},
		{name: "types", rows: fixed(jdbcTypes()...), columns: mixed("type_name #data_type #precision literal_prefix literal_suffix create_params #nullable ?case_sensitive #searchable ?unsigned_attribute ?fixed_prec_scale ?auto_increment local_type_name #minimum_scale #maximum_scale #sql_data_type #sql_datetime_sub #num_prec_radix")},
		{name: "udts", rows: none, columns: mixed("type_cat type_schem type_name class_name data_type remarks base_type")},
	}
}

// mixed makes columns of names: # stands before those of bigint, ? before
// those of boolean, the rest are varchar.
func mixed(names string) []connectors.Column {
	var out []connectors.Column
	for _, n := range fields(names) {
		switch n[0] {
		case '#':
			out = append(out, bigint(n[1:]))
		case '?':
			out = append(out, boolean(n[1:]))
		default:
			out = append(out, col(n))
		}
	}
	return out
}

// fixed makes the same rows each time.
func fixed(rows ...[]any) func(context.Context, *request) iter.Seq2[[]any, error] {
	return func(context.Context, *request) iter.Seq2[[]any, error] {
		return func(yield func([]any, error) bool) {
			for _, r := range rows {
				if !yield(r, nil) {
					return
				}
			}
		}
	}
}

func jdbcCatalogs(catalogs Catalogs) func(context.Context, *request) iter.Seq2[[]any, error] {
	return func(_ context.Context, req *request) iter.Seq2[[]any, error] {
		return func(yield func([]any, error) bool) {
			w := req.wants(0)
			for _, name := range catalogs.List() {
				if w.is(name) && !yield([]any{name}, nil) {
					return
				}
			}
		}
	}
}

func jdbcSchemas(catalogs Catalogs) func(context.Context, *request) iter.Seq2[[]any, error] {
	return func(ctx context.Context, req *request) iter.Seq2[[]any, error] {
		return func(yield func([]any, error) bool) {
			w := &walker{req: req, catalogs: req.wants(1), schemas: req.wants(0), tables: &wanted{}}
			for catalog, conn := range w.eachCatalog(ctx, catalogs) {
				list, err := w.eachSchema(ctx, catalog, conn)
				if err != nil {
					yield(nil, err)
					return
				}
				for _, s := range list {
					if !yield([]any{s, catalog}, nil) {
						return
					}
				}
			}
		}
	}
}

// everywhere makes rows of the tables of all catalogs, whose catalog, schema
// and table are the first three columns.
func everywhere(catalogs Catalogs, describe bool, rows func(place, func([]any) bool) bool) func(context.Context, *request) iter.Seq2[[]any, error] {
	return func(ctx context.Context, req *request) iter.Seq2[[]any, error] {
		return func(yield func([]any, error) bool) {
			w := req.walk(0, 1, 2)
			for catalog, conn := range w.eachCatalog(ctx, catalogs) {
				for p, err := range w.places(ctx, catalog, conn, describe) {
					if err != nil {
						yield(nil, err)
						return
					}
					if !rows(p, func(row []any) bool { return yield(row, nil) }) {
						return
					}
				}
			}
		}
	}
}

func jdbcTableRows(catalogs Catalogs) func(context.Context, *request) iter.Seq2[[]any, error] {
	walk := everywhere(catalogs, false, func(p place, yield func([]any) bool) bool {
		return yield([]any{p.catalog, p.schema, p.table, tableType(p.info, "TABLE"), nil, nil, nil, nil, nil, nil})
	})
	return func(ctx context.Context, req *request) iter.Seq2[[]any, error] {
		if t := req.wants(3); !t.is("TABLE") && !t.is("VIEW") {
			return none(ctx, req)
		}
		return walk(ctx, req)
	}
}

func jdbcColumns(catalogs Catalogs) func(context.Context, *request) iter.Seq2[[]any, error] {
	return everywhere(catalogs, true, func(p place, yield func([]any) bool) bool {
		position := int64(0)
		for _, c := range p.info.Columns {
			if c.Hidden {
				continue
			}
			position++
			nullable := int64(1) // DatabaseMetaData.columnNullable
			if c.NotNull {
				nullable = 0
			}
			size := columnSize(c.Type)
			row := []any{p.catalog, p.schema, p.table, c.Name, jdbcType(c.Type), c.Type.String(), size, int64(0), digits(c.Type), radix(c.Type),
				nullable, orNull(c.Comment), nil, nil, nil, octets(c.Type), position, yesNo(!c.NotNull), nil, nil, nil, nil, nil, nil}
			if !yield(row) {
				return false
			}
		}
		return true
	})
}

// java.sql.Types' numbers.
const (
	sqlTinyInt    = -6
	sqlBigInt     = -5
	sqlVarbinary  = -3
	sqlChar       = 1
	sqlDecimal    = 3
	sqlInteger    = 4
	sqlSmallInt   = 5
	sqlReal       = 7
	sqlDouble     = 8
	sqlVarchar    = 12
	sqlBoolean    = 16
	sqlDate       = 91
	sqlTime       = 92
	sqlTimestamp  = 93
	sqlJavaObject = 2000
	sqlArray      = 2003
	sqlTimeTZ     = 2013
	sqlStampTZ    = 2014
)

// jdbcType returns the number that JDBC has for a type.
func jdbcType(t types.Type) int64 {
	switch t.Kind {
	case types.Boolean:
		return sqlBoolean
	case types.TinyInt:
		return sqlTinyInt
	case types.SmallInt:
		return sqlSmallInt
	case types.Integer:
		return sqlInteger
	case types.BigInt:
		return sqlBigInt
	case types.Real:
		return sqlReal
	case types.Double:
		return sqlDouble
	case types.Decimal:
		return sqlDecimal
	case types.Varchar:
		return sqlVarchar
	case types.Char:
		return sqlChar
	case types.Varbinary:
		return sqlVarbinary
	case types.Date:
		return sqlDate
	case types.Time:
		return sqlTime
	case types.TimeTZ:
		return sqlTimeTZ
	case types.Timestamp:
		return sqlTimestamp
	case types.TimestampTZ:
		return sqlStampTZ
	case types.Array:
		return sqlArray
	}
	return sqlJavaObject
}

// stampChars is the length of the longest timestamp without fraction that
// Trino thinks of, +10889-08-02 07:31:50; zoneChars that of the zone behind it.
const stampChars, zoneChars = int64(21), int64(34)

// columnSize returns JDBC's COLUMN_SIZE: digits (bits for floating point),
// characters, or the length of the longest text of a date or time.
func columnSize(t types.Type) any {
	fraction := int64(0)
	if t.P > 0 {
		fraction = int64(t.P) + 1
	}
	switch t.Kind {
	case types.TinyInt:
		return int64(3)
	case types.SmallInt:
		return int64(5)
	case types.Integer:
		return int64(10)
	case types.BigInt:
		return int64(19)
	case types.Real:
		return int64(24)
	case types.Double:
		return int64(53)
	case types.Decimal, types.Varchar, types.Char:
		return int64(t.P)
	case types.Varbinary:
		return int64(types.Unbounded)
	case types.Date:
		return int64(len("+5881580-07-11"))
	case types.Time:
		return int64(len("00:00:00")) + fraction
	case types.TimeTZ:
		return int64(len("00:00:00+00:00")) + fraction
	case types.Timestamp:
		return stampChars + fraction
	case types.TimestampTZ:
		return stampChars + zoneChars + fraction
	}
	return nil
}

func digits(t types.Type) any {
	switch t.Kind {
	case types.Decimal:
		return int64(t.S)
	case types.Time, types.TimeTZ, types.Timestamp, types.TimestampTZ:
		return int64(t.P)
	}
	return nil
}

func radix(t types.Type) any {
	switch {
	case t.IsFloat():
		return int64(2)
	case t.IsNumeric():
		return int64(10)
	}
	return nil
}

// octets returns JDBC's CHAR_OCTET_LENGTH.
func octets(t types.Type) any {
	if t.IsString() || t.Kind == types.Varbinary {
		return columnSize(t)
	}
	return nil
}

// jdbcTypes returns a row for each type. Like Trino it shows types with
// parameters by their name alone, as objects without a size.
func jdbcTypes() [][]any {
	const nullable, searchable, notSearchable = int64(1), int64(3), int64(0) // typeNullable, typeSearchable, typePredNone
	row := func(name string, number int64, size any, search int64, radix any) []any {
		return []any{name, number, size, nil, nil, nil, nullable, false, search, nil, false, nil, nil, int64(0), int64(0), nil, nil, radix}
	}
	var out [][]any
	for _, k := range []types.Kind{
		types.Unknown, types.Boolean, types.TinyInt, types.SmallInt, types.Integer, types.BigInt, types.Real, types.Double,
		types.Varbinary, types.Date, types.IntervalDay, types.IntervalYear, types.JSON, types.UUID,
	} {
		t := types.Of(k)
		out = append(out, row(k.Base(), jdbcType(t), columnSize(t), searchable, radix(t)))
	}
	out = append(out, row(types.Array.Base(), sqlArray, nil, notSearchable, nil))
	for _, k := range []types.Kind{
		types.Decimal, types.Char, types.Varchar, types.Time, types.TimeTZ, types.Timestamp, types.TimestampTZ, types.Map, types.Row,
	} {
		out = append(out, row(k.Base(), sqlJavaObject, nil, notSearchable, nil))
	}
	return out
}
