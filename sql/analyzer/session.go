package analyzer

import (
	"context"
	"time"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/sql/ast"
	"github.com/tuttidb/tutti/sql/expr"
)

// Catalog finds tables. Names are in lower case. Its errors are those of
// connectors, with their codes; what is not there is no error.
type Catalog interface {
	// CatalogExists reports whether there is such a catalog.
	CatalogExists(ctx context.Context, catalog string) (bool, error)
	// SchemaExists reports whether there is such a schema.
	SchemaExists(ctx context.Context, catalog, schema string) (bool, error)
	// Table describes a table; nil if there is none.
	Table(ctx context.Context, catalog, schema, table string) (*connectors.Table, error)
	// TableAt describes the files that a path names, and returns the catalog
	// that reads them. catalog is the one that was asked for, or "" for any
	// that serves the path. The table is nil if that catalog reads no files.
	TableAt(ctx context.Context, catalog, path string) (string, *connectors.Table, error)
	// Names lists what exists, for suggestions: catalogs if catalog is "", the
	// catalog's schemas if schema is "", else the schema's tables. It may
	// return nothing.
	Names(ctx context.Context, catalog, schema string) []string
}

// Session is what a statement's meaning depends on besides its text.
type Session struct {
	// Catalog and Schema complete names; "" when not set.
	Catalog, Schema string
	// User is the value of CURRENT_USER.
	User string
	// TimeZone is the name of the session's zone, such as "Europe/Paris" or
	// "+02:00"; "" is UTC.
	TimeZone string
	// Start is the query's start, which all functions of the current time
	// return.
	Start time.Time
	// Version is what version() returns.
	Version string
	// Parameters are the values of EXECUTE … USING for the statement's ?.
	Parameters []ast.Expression
}

// Allocator gives out column IDs, each once. Analyzer and planner share the
// query's allocator. The zero Allocator is ready to use.
type Allocator struct{ last expr.ColumnID }

// New returns an ID that no column has; the first is 1.
func (a *Allocator) New() expr.ColumnID {
	a.last++
	return a.last
}
