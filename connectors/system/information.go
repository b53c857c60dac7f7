package system

import (
	"context"
	"iter"
	"math"
	"slices"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/expr"
)

// informationName is the schema's name in every catalog.
const informationName = "information_schema"

// InformationSchema adds the schema information_schema to a catalog's
// connector. The result has all optional interfaces of connectors; what inner
// lacks behaves as if it were not there.
func InformationSchema(catalog string, inner connectors.Connector) connectors.Connector {
	w := &withInformation{inner: inner}
	w.own = newConnector(map[string][]table{informationName: informationTables(catalog, w)})
	return w
}

type withInformation struct{ inner, own connectors.Connector }

// Unwrap returns the catalog's own connector.
func (w *withInformation) Unwrap() connectors.Connector { return w.inner }

// of returns the connector that serves a schema.
func (w *withInformation) of(schema string) connectors.Connector {
	if schema == informationName {
		return w.own
	}
	return w.inner
}

// Schemas lists the catalog's schemas and information_schema.
func (w *withInformation) Schemas(ctx context.Context) ([]string, error) {
	list, err := w.inner.Schemas(ctx)
	if err != nil || slices.Contains(list, informationName) {
		return list, err
	}
	list = append(slices.Clone(list), informationName)
	slices.Sort(list)
	return list, nil
}

// Tables lists a schema's tables.
func (w *withInformation) Tables(ctx context.Context, schema string) ([]string, error) {
	return w.of(schema).Tables(ctx, schema)
}

// Table describes a table.
func (w *withInformation) Table(ctx context.Context, schema, name string) (*connectors.Table, error) {
	return w.of(schema).Table(ctx, schema, name)
}

// Splits cuts a scan into splits.
func (w *withInformation) Splits(ctx context.Context, scan *connectors.Scan) (connectors.SplitSource, error) {
	return w.of(scan.Schema).Splits(ctx, scan)
}

// Open reads a split.
func (w *withInformation) Open(ctx context.Context, scan *connectors.Scan, split connectors.Split, env *connectors.Env) (connectors.Source, error) {
	return w.of(scan.Schema).Open(ctx, scan, split, env)
}

// Close closes the catalog's connector.
func (w *withInformation) Close() error { return w.inner.Close() }

// Stats implements connectors.Statistician.
func (w *withInformation) Stats(ctx context.Context, scan *connectors.Scan) (*connectors.TableStats, error) {
	if s, ok := w.of(scan.Schema).(connectors.Statistician); ok {
		return s.Stats(ctx, scan)
	}
	nan := math.NaN()
	out := &connectors.TableStats{Rows: nan}
	for range scan.Columns {
		out.Columns = append(out.Columns, connectors.ColumnStats{Distinct: nan, NullFraction: nan, Min: nan, Max: nan, Bytes: nan})
	}
	return out, nil
}

// Enforce implements connectors.Enforcer.
func (w *withInformation) Enforce(ctx context.Context, scan *connectors.Scan, conjuncts []expr.Expr) ([]expr.Expr, error) {
	if e, ok := w.of(scan.Schema).(connectors.Enforcer); ok {
		return e.Enforce(ctx, scan, conjuncts)
	}
	return conjuncts, nil
}

// TableAt implements connectors.PathResolver.
func (w *withInformation) TableAt(ctx context.Context, path string) (*connectors.Table, error) {
	if r, ok := w.inner.(connectors.PathResolver); ok {
		return r.TableAt(ctx, path)
	}
	return nil, nil
}

// writer returns the connector that writes a schema's tables.
func (w *withInformation) writer(schema, what string) (connectors.Writer, error) {
	if out, ok := w.of(schema).(connectors.Writer); ok {
		return out, nil
	}
	return nil, qerr.New(qerr.NotSupportedCode, "This connector does not support %s", what)
}

// CreateTable implements connectors.Writer.
func (w *withInformation) CreateTable(ctx context.Context, schema, name string, columns []connectors.Column) error {
	out, err := w.writer(schema, "creating tables")
	if err != nil {
		return err
	}
	return out.CreateTable(ctx, schema, name, columns)
}

// DropTable implements connectors.Writer.
func (w *withInformation) DropTable(ctx context.Context, schema, name string) error {
	out, err := w.writer(schema, "dropping tables")
	if err != nil {
		return err
	}
	return out.DropTable(ctx, schema, name)
}

// Insert implements connectors.Writer.
func (w *withInformation) Insert(ctx context.Context, schema, name string) (connectors.RowSink, error) {
	out, err := w.writer(schema, "inserts")
	if err != nil {
		return nil, err
	}
	return out.Insert(ctx, schema, name)
}

// schemaWriter returns the connector that makes a schema.
func (w *withInformation) schemaWriter(schema, what string) (connectors.SchemaWriter, error) {
	if out, ok := w.of(schema).(connectors.SchemaWriter); ok {
		return out, nil
	}
	return nil, qerr.New(qerr.NotSupportedCode, "This connector does not support %s", what)
}

// CreateSchema implements connectors.SchemaWriter.
func (w *withInformation) CreateSchema(ctx context.Context, schema string) error {
	out, err := w.schemaWriter(schema, "creating schemas")
	if err != nil {
		return err
	}
	return out.CreateSchema(ctx, schema)
}

// DropSchema implements connectors.SchemaWriter.
func (w *withInformation) DropSchema(ctx context.Context, schema string) error {
	out, err := w.schemaWriter(schema, "dropping schemas")
	if err != nil {
		return err
	}
	return out.DropSchema(ctx, schema)
}

func informationTables(catalog string, conn connectors.Connector) []table {
	hidden := cols("comment", "extra_info")
	for i := range hidden {
		hidden[i].Hidden = true
	}
	return []table{
		{name: "applicable_roles", columns: cols("grantee", "grantee_type", "role_name", "is_grantable"), rows: none},
		{name: "columns", columns: append([]connectors.Column{
			col("table_catalog"), col("table_schema"), col("table_name"), col("column_name"), bigint("ordinal_position"),
			col("column_default"), col("is_nullable"), col("data_type"),
		}, hidden...), rows: columnRows(catalog, conn)},
		{name: "enabled_roles", columns: cols("role_name"), rows: none},
		{name: "roles", columns: cols("role_name"), rows: none},
		{name: "schemata", columns: cols("catalog_name", "schema_name"), rows: schemaRows(catalog, conn)},
		{name: "table_privileges", columns: cols("grantor", "grantor_type", "grantee", "grantee_type",
			"table_catalog", "table_schema", "table_name", "privilege_type", "is_grantable", "with_hierarchy"), rows: none},
		{name: "tables", columns: cols("table_catalog", "table_schema", "table_name", "table_type"), rows: tableRows(catalog, conn)},
		{name: "views", columns: cols("table_catalog", "table_schema", "table_name", "view_definition"), rows: none},
	}
}

func schemaRows(catalog string, conn connectors.Connector) func(context.Context, *request) iter.Seq2[[]any, error] {
	return func(ctx context.Context, req *request) iter.Seq2[[]any, error] {
		return func(yield func([]any, error) bool) {
			w := &walker{req: req, catalogs: req.wants(0), schemas: req.wants(1), tables: &wanted{}}
			if !w.catalogs.is(catalog) {
				return
			}
			list, err := conn.Schemas(ctx)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, s := range list {
				if w.schemas.is(s) && !yield([]any{catalog, s}, nil) {
					return
				}
			}
		}
	}
}

// inCatalog makes rows of the tables of one catalog, whose name, schema and
// table are the first three columns. Errors are the query's: it asked for this
// catalog alone.
func inCatalog(catalog string, conn connectors.Connector, describe bool, rows func(place, func([]any) bool) bool) func(context.Context, *request) iter.Seq2[[]any, error] {
	return func(ctx context.Context, req *request) iter.Seq2[[]any, error] {
		return func(yield func([]any, error) bool) {
			w := req.walk(0, 1, 2)
			if !w.catalogs.is(catalog) {
				return
			}
			w.catalogs = &wanted{exact: true, names: []string{catalog}}
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

func tableRows(catalog string, conn connectors.Connector) func(context.Context, *request) iter.Seq2[[]any, error] {
	return inCatalog(catalog, conn, false, func(p place, yield func([]any) bool) bool {
		return yield([]any{p.catalog, p.schema, p.table, tableType(p.info, "BASE TABLE")})
	})
}

// tableType returns VIEW for views, as far as it is known, else base.
func tableType(t *connectors.Table, base string) string {
	if t != nil && t.View {
		return "VIEW"
	}
	return base
}

func columnRows(catalog string, conn connectors.Connector) func(context.Context, *request) iter.Seq2[[]any, error] {
	return inCatalog(catalog, conn, true, func(p place, yield func([]any) bool) bool {
		position := int64(0)
		for _, c := range p.info.Columns {
			if c.Hidden {
				continue
			}
			position++
			if !yield([]any{p.catalog, p.schema, p.table, c.Name, position, nil, yesNo(!c.NotNull), c.Type.String(), orNull(c.Comment), orNull(c.Extra)}) {
				return false
			}
		}
		return true
	})
}

func yesNo(b bool) string {
	if b {
		return "YES"
	}
	return "NO"
}

// orNull returns s, or null for "".
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}
