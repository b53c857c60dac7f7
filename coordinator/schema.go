package coordinator

import (
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/ast"
)

// schemaName completes a schema's name from the session.
func (q *activeQuery) schemaName(name *ast.QualifiedName, pos qerr.Pos) (catalog, schema string, err error) {
	parts := name.Fold()
	switch {
	case len(parts) > 2:
		return "", "", qerr.At(qerr.SyntaxError, pos, "Too many parts in schema name: %s", name)
	case len(parts) == 2:
		return parts[0], parts[1], nil
	case q.req.Session.Catalog == "":
		return "", "", qerr.At(qerr.MissingCatalogName, pos, "Catalog must be specified when session catalog is not set")
	}
	return q.req.Session.Catalog, parts[0], nil
}

// createSchema runs CREATE SCHEMA.
func (q *activeQuery) createSchema(s *ast.CreateSchema) error {
	if s.Authorization != nil || len(s.Properties) > 0 {
		return qerr.NotSupported(s.Pos(), "AUTHORIZATION and properties of schemas")
	}
	catalog, schema, err := q.schemaName(s.Name, s.Pos())
	if err != nil {
		return err
	}
	w, err := q.c.deps.Catalogs.SchemaWriter(catalog)
	if err != nil {
		return err
	}
	exists, err := q.c.deps.Catalogs.SchemaExists(q.ctx, catalog, schema)
	switch {
	case err != nil:
		return err
	case exists && !s.IfNotExists:
		return qerr.At(qerr.SchemaAlreadyExists, s.Pos(), "Schema '%s.%s' already exists", catalog, schema)
	case !exists:
		if err := w.CreateSchema(q.ctx, schema); err != nil {
			return err
		}
	}
	return q.control("CREATE SCHEMA", nil)
}

// dropSchema runs DROP SCHEMA.
func (q *activeQuery) dropSchema(s *ast.DropSchema) error {
	if s.Cascade {
		return qerr.NotSupported(s.Pos(), "DROP SCHEMA with CASCADE")
	}
	catalog, schema, err := q.schemaName(s.Name, s.Pos())
	if err != nil {
		return err
	}
	exists, err := q.c.deps.Catalogs.SchemaExists(q.ctx, catalog, schema)
	switch {
	case err != nil:
		return err
	case !exists && s.IfExists:
		return q.control("DROP SCHEMA", nil)
	case !exists:
		return qerr.At(qerr.SchemaNotFound, s.Pos(), "Schema '%s.%s' does not exist", catalog, schema)
	}
	tables, err := q.c.deps.Catalogs.Tables(q.ctx, catalog, schema)
	switch {
	case err != nil:
		return err
	case len(tables) > 0:
		return qerr.At(qerr.SchemaNotEmpty, s.Pos(), "Cannot drop non-empty schema '%s'", schema)
	}
	w, err := q.c.deps.Catalogs.SchemaWriter(catalog)
	if err != nil {
		return err
	}
	if err := w.DropSchema(q.ctx, schema); err != nil {
		return err
	}
	return q.control("DROP SCHEMA", nil)
}
