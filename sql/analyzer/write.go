package analyzer

import (
	"fmt"
	"strings"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/ast"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// CreateTableAs binds CREATE TABLE … AS. A table that is there already is an
// error, or nothing to do with IF NOT EXISTS (see Write.Exists).
func (a *Analyzer) CreateTableAs(n *ast.CreateTableAs) (*Write, error) {
	if err := a.start(n); err != nil {
		return nil, err
	}
	switch {
	case n.OrReplace:
		return nil, qerr.NotSupported(n.Pos(), "CREATE OR REPLACE TABLE")
	case len(n.Properties) > 0:
		return nil, qerr.NotSupported(n.Pos(), "table properties")
	}
	name, err := a.qualify(n.Name, n.Pos())
	if err != nil {
		return nil, err
	}
	existing, err := a.existing(name, n.Pos())
	if err != nil {
		return nil, err
	}
	w := &Write{Catalog: name.catalog, Schema: name.schema, Table: name.table, Count: a.column("rows", bigint)}
	if existing != nil {
		if !n.IfNotExists {
			return nil, qerr.At(qerr.TableAlreadyExists, n.Pos(), "Destination table '%s' already exists", name)
		}
		w.Exists = true
		return w, nil
	}
	if ok, err := a.catalog.SchemaExists(a.ctx, name.catalog, name.schema); err != nil || !ok {
		if err == nil {
			err = qerr.New(qerr.SchemaNotFound, "Schema %s not found", name.schema)
		}
		return nil, at(n.Pos(), err)
	}
	q, err := a.query(n.Query, nil, nil)
	if err != nil {
		return nil, err
	}
	return w, a.createColumns(w, q, n)
}

// createColumns derives the new table's columns from the query.
func (a *Analyzer) createColumns(w *Write, q *boundQuery, n *ast.CreateTableAs) error {
	if len(n.Columns) > 0 && len(n.Columns) != len(q.fields) {
		return qerr.At(qerr.MismatchedColumnAliases, n.Columns[0].Pos(),
			"Column alias list has %d entries but relation has %d columns", len(n.Columns), len(q.fields))
	}
	seen := map[string]bool{}
	for i, f := range q.fields {
		name := f.key()
		if len(n.Columns) > 0 {
			name = n.Columns[i].Fold()
		}
		switch {
		case name == "":
			return qerr.At(qerr.MissingColumnName, n.Pos(), "Column name not specified at position %d", i+1)
		case seen[name]:
			return qerr.At(qerr.DuplicateColumnName, n.Pos(), "Column name '%s' specified more than once", name)
		case f.col.Type.Kind == types.Unknown:
			return qerr.At(qerr.ColumnTypeUnknown, n.Pos(), "Column type is unknown: %s", name)
		}
		seen[name] = true
		w.Create = append(w.Create, connectors.Column{Name: name, Type: f.col.Type})
		w.Values = append(w.Values, Assignment{a.column(name, f.col.Type), f.col.Ref()})
	}
	w.Query = q.rel
	if n.NoData {
		w.Query.Limit = 0
	}
	return nil
}

// Insert binds INSERT INTO. Columns that are not named become null.
func (a *Analyzer) Insert(n *ast.Insert) (*Write, error) {
	if err := a.start(n); err != nil {
		return nil, err
	}
	name, err := a.qualify(n.Table, n.Pos())
	if err != nil {
		return nil, err
	}
	found, err := a.lookup(name, n.Pos())
	if err != nil {
		return nil, err
	}
	cols := insertable(found.table)
	places, err := insertColumns(n, cols)
	if err != nil {
		return nil, err
	}
	q, err := a.query(n.Query, nil, nil)
	if err != nil {
		return nil, err
	}
	w := &Write{Catalog: name.catalog, Schema: name.schema, Table: name.table, Query: q.rel, Count: a.column("rows", bigint)}
	for _, c := range cols {
		w.Values = append(w.Values, Assignment{a.column(c.Name, c.Type), &expr.Const{Typ: c.Type}})
	}
	return w, a.insertValues(w, q, n, places)
}

// insertable are a table's columns but for the hidden ones.
func insertable(t *connectors.Table) []connectors.Column {
	var out []connectors.Column
	for _, c := range t.Columns {
		if !c.Hidden {
			out = append(out, c)
		}
	}
	return out
}

// insertColumns returns the places in the table of the columns to fill.
func insertColumns(n *ast.Insert, cols []connectors.Column) ([]int, error) {
	var places []int
	if len(n.Columns) == 0 {
		for i := range cols {
			places = append(places, i)
		}
		return places, nil
	}
	seen := map[string]bool{}
	for _, id := range n.Columns {
		at, near := -1, nearest(id.Fold())
		for i, c := range cols {
			near.offer(strings.ToLower(c.Name))
			if strings.EqualFold(c.Name, id.Name) {
				at = i
			}
		}
		if at < 0 {
			return nil, qerr.At(qerr.ColumnNotFound, n.Pos(), "Insert column name does not exist in target table: %s%s",
				id.Fold(), didYouMean(near.best))
		}
		if seen[id.Fold()] {
			return nil, qerr.At(qerr.DuplicateColumnName, n.Pos(), "Insert column name is specified more than once: %s", id.Fold())
		}
		seen[id.Fold()] = true
		places = append(places, at)
	}
	return places, nil
}

// insertValues coerces the query's columns to the table's. Beyond implicit
// coercions, values of the same family are converted with a check of their
// size (varchar(10) into varchar(5), bigint into integer), as in Trino.
func (a *Analyzer) insertValues(w *Write, q *boundQuery, n *ast.Insert, places []int) error {
	mismatch := func() error {
		var table, query []string
		for _, p := range places {
			table = append(table, w.Values[p].Column.Type.String())
		}
		for _, f := range q.fields {
			query = append(query, f.col.Type.String())
		}
		return qerr.At(qerr.TypeMismatch, n.Pos(), "Insert query has mismatched column types: Table: [%s], Query: [%s]",
			strings.Join(table, ", "), strings.Join(query, ", "))
	}
	if len(places) != len(q.fields) {
		return mismatch()
	}
	for i, f := range q.fields {
		v := &w.Values[places[i]]
		if !assignable(f.col.Type, v.Column.Type) {
			return mismatch()
		}
		var err error
		if v.Expr, err = a.store(f.col.Ref(), v.Column.Type); err != nil {
			return err
		}
	}
	return nil
}

// store converts a value to a column's type. Text that is too long may lose
// blanks at its end only, where CAST would cut off anything.
func (a *Analyzer) store(e expr.Expr, to types.Type) (expr.Expr, error) {
	from := e.Type()
	stored := a.coerce(e, to)
	if !from.IsString() || !to.IsString() || from.P <= to.P {
		return stored, nil
	}
	text := a.coerce(e, types.VarcharType())
	for _, name := range []string{"rtrim", "length"} {
		fn, err := function.ResolveScalar(name, []types.Type{text.Type()})
		if err != nil {
			return nil, err
		}
		text = a.apply(fn, text)
	}
	size := &expr.Form{Op: expr.Coalesce, Args: []expr.Expr{text, constant(int64(0), bigint)}, Typ: bigint}
	le, err := function.ResolveScalar(function.OpLe, []types.Type{bigint, bigint})
	if err != nil {
		return nil, err
	}
	fits := a.apply(le, size, constant(int64(to.P), bigint))
	fail := &expr.Call{
		Fn: &function.Scalar{Name: "fail", Args: []types.Type{types.Of(types.Integer), types.VarcharType()}, Result: to, Volatile: true},
		Args: []expr.Expr{
			constant(int64(qerr.InvalidCastArgument.Number), types.Of(types.Integer)),
			constant(fmt.Sprintf("Cannot truncate non-space characters when casting from %s to %s on INSERT", from, to), types.VarcharType()),
		},
	}
	return &expr.Form{Op: expr.Case, Args: []expr.Expr{fits, stored, fail}, Typ: to}, nil
}

// assignable reports whether a value of one type may be stored as another.
func assignable(from, to types.Type) bool {
	if types.CanCoerce(from, to) {
		return true
	}
	switch {
	case from.IsNumeric() && to.IsNumeric(), from.IsString() && to.IsString():
		return true
	case from.Kind == types.Array && to.Kind == types.Array:
		return assignable(from.Elem(0), to.Elem(0))
	case from.Kind == types.Timestamp && to.Kind == types.Timestamp,
		from.Kind == types.TimestampTZ && to.Kind == types.TimestampTZ:
		return true
	}
	return false
}
