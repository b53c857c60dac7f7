package analyzer

import (
	"strings"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/ast"
)

// TableName is a table's name with what was left to the session filled in, in
// lower case.
type TableName struct{ Catalog, Schema, Table string }

// String prints the name as messages show it: tpch.tiny.nation.
func (n TableName) String() string {
	return tableName{catalog: n.Catalog, schema: n.Schema, table: n.Table}.String()
}

// TableName completes a table's name, for statements that make or drop one.
// Errors are at pos.
func (a *Analyzer) TableName(name *ast.QualifiedName, pos qerr.Pos) (TableName, error) {
	n, err := a.qualify(name, pos)
	return TableName{n.catalog, n.schema, n.table}, err
}

// Table finds the table that a name means, for statements about tables, such
// as SHOW COLUMNS and SHOW STATS. A table, schema or catalog that does not
// exist is an error at pos.
func (a *Analyzer) Table(name *ast.QualifiedName, pos qerr.Pos) (TableName, *connectors.Table, error) {
	n, err := a.qualify(name, pos)
	if err != nil {
		return TableName{}, nil, err
	}
	found, err := a.lookup(n, pos)
	return TableName{n.catalog, n.schema, n.table}, found.table, err
}

// SchemaName is a schema's name with what was left to the session filled in,
// in lower case.
type SchemaName struct{ Catalog, Schema string }

// String prints the name as messages show it: tpch.tiny.
func (n SchemaName) String() string {
	return quoteUnlessPlain(n.Catalog) + "." + quoteUnlessPlain(n.Schema)
}

// CatalogName completes a catalog's name, nil for the session's, and checks
// that there is one. Errors are at pos.
func (a *Analyzer) CatalogName(name *ast.Identifier, pos qerr.Pos) (string, error) {
	catalog := strings.ToLower(a.session.Catalog)
	if name != nil {
		catalog = name.Fold()
	}
	if catalog == "" {
		return "", missingCatalog(pos)
	}
	return catalog, a.CatalogExists(catalog, pos)
}

// SchemaName completes a schema's name, nil for the session's, for statements
// that make one. Errors are at pos.
func (a *Analyzer) SchemaName(name *ast.QualifiedName, pos qerr.Pos) (SchemaName, error) {
	n := SchemaName{strings.ToLower(a.session.Catalog), strings.ToLower(a.session.Schema)}
	if name != nil {
		parts := name.Fold()
		if len(parts) > 2 {
			return n, qerr.At(qerr.SyntaxError, pos, "Too many parts in schema name: %s", name)
		}
		n.Schema = parts[len(parts)-1]
		if len(parts) == 2 {
			n.Catalog = parts[0]
		}
	}
	switch {
	case n.Catalog == "":
		return n, missingCatalog(pos)
	case n.Schema == "":
		return n, missingSchema(pos)
	}
	return n, nil
}

// Schema is SchemaName for statements about a schema that is there: a schema
// or catalog that does not exist is an error at pos.
func (a *Analyzer) Schema(name *ast.QualifiedName, pos qerr.Pos) (SchemaName, error) {
	n, err := a.SchemaName(name, pos)
	if err == nil {
		err = a.CatalogExists(n.Catalog, pos)
	}
	if err == nil {
		err = a.schemaExists(n.Catalog, n.Schema, pos)
	}
	return n, err
}

func missingCatalog(pos qerr.Pos) error {
	return qerr.At(qerr.MissingCatalogName, pos, "Catalog must be specified when session catalog is not set")
}

func missingSchema(pos qerr.Pos) error {
	return qerr.At(qerr.MissingSchemaName, pos, "Schema must be specified when session schema is not set")
}

// CatalogExists returns an error, with the nearest name, unless there is such
// a catalog.
func (a *Analyzer) CatalogExists(catalog string, pos qerr.Pos) error {
	ok, err := a.catalog.CatalogExists(a.ctx, catalog)
	switch {
	case err != nil:
		return at(pos, err)
	case !ok:
		return qerr.At(qerr.CatalogNotFound, pos, "Catalog '%s' not found%s", catalog, a.suggest(catalog, "", ""))
	}
	return nil
}

// schemaExists returns an error, with the nearest name, unless there is such
// a schema.
func (a *Analyzer) schemaExists(catalog, schema string, pos qerr.Pos) error {
	ok, err := a.catalog.SchemaExists(a.ctx, catalog, schema)
	switch {
	case err != nil:
		return at(pos, err)
	case !ok:
		return qerr.At(qerr.SchemaNotFound, pos, "Schema '%s' does not exist%s", schema, a.suggest(schema, catalog, ""))
	}
	return nil
}

// SuggestSchema returns "; did you mean '…'?" for the schema of a catalog
// whose name comes nearest, or nothing.
func (a *Analyzer) SuggestSchema(catalog, schema string) string {
	return a.suggest(schema, catalog, "")
}
