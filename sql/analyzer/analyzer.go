package analyzer

import (
	"context"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/ast"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/types"
)

// Analyzer binds one statement. Make a new one for each statement.
type Analyzer struct {
	ctx     context.Context
	catalog Catalog
	session *Session
	alloc   *Allocator

	// files remembers what the catalog answered, so that a query sees one
	// version of each table however often it names it.
	files map[string]fileTable
	// describing is set while only the statement's shape is asked for: a
	// parameter is then a null of unknown type, and wanted collects the types
	// that its places ask for.
	describing bool
	wanted     map[int]types.Type
	params     map[*expr.Const]int
	zone       sessionZone
	// relations and depth count towards the limits of limits.go.
	relations, depth int
}

type fileTable struct {
	catalog string
	table   *connectors.Table
}

// New returns an analyzer of one statement. alloc numbers its columns.
func New(ctx context.Context, catalog Catalog, session *Session, alloc *Allocator) *Analyzer {
	return &Analyzer{
		ctx: ctx, catalog: catalog, session: session, alloc: alloc,
		files:  map[string]fileTable{},
		wanted: map[int]types.Type{}, params: map[*expr.Const]int{},
	}
}

// Query binds a query statement. Errors are *qerr.Errors.
func (a *Analyzer) Query(q *ast.Query) (*Query, error) {
	if err := a.start(q); err != nil {
		return nil, err
	}
	return a.topQuery(q)
}

func (a *Analyzer) topQuery(q *ast.Query) (*Query, error) {
	r, err := a.query(q, nil, nil)
	if err != nil {
		return nil, err
	}
	return r.rel, nil
}

// start checks what concerns the whole statement.
func (a *Analyzer) start(stmt ast.Statement) error {
	if err := a.loadZone(); err != nil {
		return err
	}
	if a.describing {
		return nil
	}
	if want, have := ast.ParameterCount(stmt), len(a.session.Parameters); want != have {
		return qerr.At(qerr.InvalidParameterUsage, stmt.Pos(),
			"Incorrect number of parameters: expected %d but found %d", want, have)
	}
	return nil
}

// column makes a new column.
func (a *Analyzer) column(name string, t types.Type) Column {
	return Column{ID: a.alloc.New(), Name: name, Type: t}
}

// at gives err a position unless it has one.
func at(pos qerr.Pos, err error) error {
	e := qerr.From(err)
	if e == nil || e.Pos.IsValid() {
		return err
	}
	c := *e
	c.Pos = pos
	return &c
}
