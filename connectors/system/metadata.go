package system

import (
	"context"
	"iter"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/sql/types"
)

func metadataTables(catalogs Catalogs) []table {
	properties := func(name string) table {
		return table{name: name, rows: none, columns: cols("catalog_name", "property_name", "default_value", "type", "description")}
	}
	return []table{
		properties("analyze_properties"),
		{name: "catalogs", rows: catalogRows(catalogs), columns: cols("catalog_name", "connector_id", "connector_name")},
		properties("column_properties"),
		properties("materialized_view_properties"),
		{name: "materialized_views", rows: none, columns: join(
			cols("catalog_name", "schema_name", "name", "storage_catalog", "storage_schema", "storage_table", "freshness"),
			[]connectors.Column{colOf("last_fresh_time", types.TimestampTZOf(9))}, cols("comment", "definition"))},
		properties("schema_properties"),
		{name: "table_comments", columns: cols("catalog_name", "schema_name", "table_name", "comment"),
			rows: everywhere(catalogs, true, func(p place, yield func([]any) bool) bool {
				return yield([]any{p.catalog, p.schema, p.table, orNull(p.info.Comment)})
			})},
		properties("table_properties"),
	}
}

func catalogRows(catalogs Catalogs) func(context.Context, *request) iter.Seq2[[]any, error] {
	return func(_ context.Context, req *request) iter.Seq2[[]any, error] {
		return func(yield func([]any, error) bool) {
			w := req.wants(0)
			for _, name := range catalogs.List() {
				if w.is(name) && !yield([]any{name, name, catalogs.KindOf(name)}, nil) {
					return
				}
			}
		}
	}
}
