package coordinator

import (
	"context"
	"fmt"
	"strings"

	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/analyzer"
	"github.com/tuttidb/tutti/sql/ast"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/types"
)

// CatalogDefinition is a catalog as CREATE CATALOG defines it.
type CatalogDefinition struct {
	Name, Connector, Comment string
	// Properties are the connector's settings, each name once.
	Properties []CatalogProperty
}

// CatalogProperty is a setting as it was written: secrets by reference.
type CatalogProperty struct{ Name, Value string }

// Definitions keep the catalogs that statements make, for all coordinators of
// a cluster. They check what they are given: the connector, its settings and
// that it can be opened.
//
// A statement may be run again by another coordinator when the first one was
// lost: a change comes with the query that makes it, and asked for again by
// the same query it ends as it ended before. Errors have codes.
type Definitions interface {
	// Create makes a catalog; qerr.AlreadyExists where there is one. When it
	// returns, Catalogs has it.
	Create(ctx context.Context, by plan.QueryID, def CatalogDefinition) error
	// Drop removes a catalog; qerr.CatalogNotFound where there is none.
	Drop(ctx context.Context, by plan.QueryID, name string) error
	// Show returns a catalog's definition, those of files included, with no
	// secret in it; false if there is no such catalog.
	Show(name string) (CatalogDefinition, bool)
}

// definitions returns where catalogs are defined, or why that cannot be.
func (q *activeQuery) definitions(s ast.Statement, what string) (Definitions, error) {
	d := q.c.deps.Definitions
	if d == nil {
		return nil, qerr.NotSupported(s.Pos(), "%s in a process that keeps no state", what)
	}
	return d, nil
}

// createCatalog runs CREATE CATALOG.
func (q *activeQuery) createCatalog(s *ast.CreateCatalog, params []ast.Expression) error {
	if s.Authorization != nil { // without a position, as Trino
		return qerr.New(qerr.NotSupportedCode, "CREATE CATALOG with AUTHORIZATION is not yet supported")
	}
	def := CatalogDefinition{Name: s.Name.Fold(), Connector: s.Connector.Fold()}
	if s.Comment != nil {
		def.Comment = s.Comment.Value
	}
	var err error
	if def.Properties, err = q.catalogProperties(s.Properties, params); err != nil {
		return err
	}
	d, err := q.definitions(s, "CREATE CATALOG")
	if err != nil {
		return err
	}
	err = d.Create(q.ctx, q.id, def)
	if err != nil && (!s.IfNotExists || !qerr.Is(err, qerr.AlreadyExists)) {
		return err
	}
	return q.control("CREATE CATALOG", nil)
}

// catalogProperties computes the properties of a catalog.
func (q *activeQuery) catalogProperties(list []*ast.Property, params []ast.Expression) (out []CatalogProperty, err error) {
	have := map[string]bool{}
	for _, p := range list {
		name := p.Name.Fold()
		switch {
		case p.Value == nil:
			return nil, qerr.At(qerr.InvalidCatalogProperty, p.Pos(), "Catalog properties do not support DEFAULT value")
		case have[name]:
			return nil, qerr.At(qerr.DuplicateProperty, p.Pos(), "Duplicate property: %s", name)
		}
		have[name] = true
		value, err := q.catalogProperty(name, p.Value, params)
		if err != nil {
			return nil, err
		}
		out = append(out, CatalogProperty{name, value})
	}
	return out, nil
}

// catalogProperty computes one property's value, which must be text. Its
// errors have no position, as Trino's.
func (q *activeQuery) catalogProperty(name string, e ast.Expression, params []ast.Expression) (string, error) {
	a := analyzer.New(q.ctx, q.catalogs, q.session(params), &analyzer.Allocator{})
	var c *expr.Const
	bound, err := a.Constant(e)
	if err == nil {
		c, err = q.c.deps.Folder.Fold(bound)
	}
	if err != nil || !c.Typ.IsString() && c.Typ.Kind != types.Unknown {
		return "", qerr.New(qerr.InvalidCatalogProperty, "Invalid value for catalog property '%s': Cannot convert [%s] to varchar", name, ast.Format(e))
	}
	text, ok := c.Value.(string)
	if !ok {
		return "", qerr.New(qerr.InvalidCatalogProperty, "Invalid null value for catalog property '%s' from [%s]", name, ast.Format(e))
	}
	return text, nil
}

// dropCatalog runs DROP CATALOG.
func (q *activeQuery) dropCatalog(s *ast.DropCatalog) error {
	if s.Cascade { // without a position, as Trino
		return qerr.New(qerr.NotSupportedCode, "CASCADE is not yet supported for DROP CATALOG")
	}
	d, err := q.definitions(s, "DROP CATALOG")
	if err != nil {
		return err
	}
	err = d.Drop(q.ctx, q.id, s.Name.Fold())
	if err != nil && (!s.IfExists || !qerr.Is(err, qerr.CatalogNotFound)) {
		return err
	}
	return q.control("DROP CATALOG", nil)
}

// showCreateCatalog runs SHOW CREATE CATALOG.
func (q *activeQuery) showCreateCatalog(s *ast.ShowCreate) error {
	if len(s.Name.Parts) > 1 {
		return qerr.At(qerr.SyntaxError, s.Pos(), "Too many parts in catalog name: %s", s.Name)
	}
	name := s.Name.Parts[0].Fold()
	if err := q.analyzer().CatalogExists(name, s.Pos()); err != nil {
		return err
	}
	d, err := q.definitions(s, "SHOW CREATE CATALOG")
	if err != nil {
		return err
	}
	def, ok := d.Show(name)
	if !ok { // the catalog system, which nobody defines
		return qerr.NotSupported(s.Pos(), "SHOW CREATE CATALOG for the catalog %s", name)
	}
	return q.answerText("Create Catalog", createCatalogText(def))
}

// createCatalogText is the statement that would make the catalog.
func createCatalogText(def CatalogDefinition) string {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE CATALOG %s USING %s", ast.QuoteIdentifier(def.Name), ast.QuoteIdentifier(def.Connector))
	if def.Comment != "" {
		b.WriteString("\nCOMMENT " + ast.QuoteString(def.Comment))
	}
	if len(def.Properties) == 0 {
		return b.String()
	}
	lines := make([]string, len(def.Properties))
	for i, p := range def.Properties {
		lines[i] = fmt.Sprintf("   %s = %s", ast.QuoteIdentifier(p.Name), ast.QuoteString(p.Value))
	}
	return b.String() + "\nWITH (\n" + strings.Join(lines, ",\n") + "\n)"
}
