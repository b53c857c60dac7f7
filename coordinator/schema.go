package coordinator

import (
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/analyzer"
	"github.com/tuttidb/tutti/sql/ast"
)

// existingCatalog completes a schema's name; its catalog must be there.
func (q *activeQuery) existingCatalog(name *ast.QualifiedName, pos qerr.Pos) (analyzer.SchemaName, error) {
	a := q.analyzer()
	n, err := a.SchemaName(name, pos)
	if err == nil {
		err = a.CatalogExists(n.Catalog, pos)
	}
	return n, err
}

// createSchema runs CREATE SCHEMA.
func (q *activeQuery) createSchema(s *ast.CreateSchema) error {
	if s.Authorization != nil || len(s.Properties) > 0 {
		return qerr.NotSupported(s.Pos(), "AUTHORIZATION and properties of schemas")
	}
	n, err := q.existingCatalog(s.Name, s.Pos())
	if err != nil {
		return err
	}
	w, err := q.catalogs.SchemaWriter(n.Catalog)
	if err != nil {
		return err
	}
	exists, err := q.catalogs.SchemaExists(q.ctx, n.Catalog, n.Schema)
	switch {
	case err != nil:
		return err
	case exists && !s.IfNotExists:
		return qerr.At(qerr.SchemaAlreadyExists, s.Pos(), "Schema '%s' already exists", n)
	case !exists:
		if err := w.CreateSchema(q.ctx, n.Schema); err != nil {
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
	n, err := q.existingCatalog(s.Name, s.Pos())
	if err != nil {
		return err
	}
	exists, err := q.catalogs.SchemaExists(q.ctx, n.Catalog, n.Schema)
	switch {
	case err != nil:
		return err
	case !exists && s.IfExists:
		return q.control("DROP SCHEMA", nil)
	case !exists:
		return qerr.At(qerr.SchemaNotFound, s.Pos(), "Schema '%s' does not exist", n)
	}
	tables, err := q.catalogs.Tables(q.ctx, n.Catalog, n.Schema)
	switch {
	case err != nil:
		return err
	case len(tables) > 0:
		return qerr.At(qerr.SchemaNotEmpty, s.Pos(), "Cannot drop non-empty schema '%s'", n.Schema)
	}
	w, err := q.catalogs.SchemaWriter(n.Catalog)
	if err != nil {
		return err
	}
	if err := w.DropSchema(q.ctx, n.Schema); err != nil {
		return err
	}
	return q.control("DROP SCHEMA", nil)
}
