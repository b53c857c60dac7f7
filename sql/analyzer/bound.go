package analyzer

import (
	"slices"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/sql/ast"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/types"
)

// Column is a column of a relation.
type Column struct {
	ID expr.ColumnID
	// Name is the column's name as the user wrote it or the table has it; ""
	// for a column without name.
	Name string
	Type types.Type
}

// Ref returns an expression that refers to c.
func (c Column) Ref() *expr.Column { return &expr.Column{ID: c.ID, Typ: c.Type, Name: c.Name} }

// Assignment computes a column.
type Assignment struct {
	Column Column
	Expr   expr.Expr
}

// Expression is an expression with the subqueries whose results it refers to,
// in an order in which each may refer to the results of those before it.
type Expression struct {
	// Expr is nil where there is no expression (no WHERE).
	Expr       expr.Expr
	Subqueries []*Subquery
}

// Relation is a source of rows: *Scan, *Values, *Join, *Unnest,
// *SetOperation, *Select or *Query.
type Relation interface {
	// Columns returns the columns that the relation produces. A column may be
	// there twice (SELECT a, a).
	Columns() []Column
	relation()
}

// Scan reads a table.
type Scan struct {
	Catalog string
	Table   *connectors.Table
	// Cols has one column for each of Table.Columns, hidden ones included.
	Cols []Column
}

// Values are rows of expressions.
type Values struct {
	Cols []Column
	Rows []ValuesRow
}

// ValuesRow is one row of Values, coerced to the types of its columns.
type ValuesRow struct {
	Exprs      []expr.Expr
	Subqueries []*Subquery
}

// JoinKind is the kind of a Join.
type JoinKind uint8

// The kinds of join.
const (
	InnerJoin JoinKind = iota
	LeftJoin
	RightJoin
	FullJoin
)

// Join joins two relations. The right one may refer to columns of the left
// one (LATERAL, UNNEST) in inner and left joins.
type Join struct {
	Kind        JoinKind
	Left, Right Relation
	// On is the condition; without Expr, all pairs match.
	On Expression
	// Computed are columns over the joined ones, which USING makes.
	Computed []Assignment
}

// Unnest expands arrays and maps to rows, once for each row of the relation
// to its left, or once if there is none.
type Unnest struct {
	Exprs []Expression
	// Cols are the columns that each of Exprs becomes.
	Cols [][]Column
	// Ordinality is the row's number, counted from 1; nil if not asked for.
	Ordinality *Column
}

// SetOp is the kind of a SetOperation.
type SetOp uint8

// The set operations.
const (
	Union SetOp = iota
	Intersect
	Except
)

// SetOperation combines the rows of two relations.
type SetOperation struct {
	Op          SetOp
	All         bool
	Left, Right Relation
	// LeftExprs and RightExprs are each side's columns coerced to the types of
	// Cols.
	LeftExprs, RightExprs []expr.Expr
	Cols                  []Column
}

// Select is one SELECT … FROM … WHERE … GROUP BY … HAVING.
type Select struct {
	// From is nil for a SELECT without FROM, which has one row.
	From  Relation
	Where Expression
	// Grouping is nil for a query without grouping.
	Grouping *Grouping
	Having   Expression
	// Subqueries are what Items and Hidden refer to.
	Subqueries []*Subquery
	// Items are the selected columns. An item that is a plain column of this
	// query keeps that column's ID, and may be there twice.
	Items    []Assignment
	Distinct bool
	// Hidden are expressions of ORDER BY over the columns of FROM or Grouping
	// and over Items. There are none if Distinct.
	Hidden []Assignment
}

// Grouping groups rows and aggregates them. Without Keys there is one group,
// even of no rows.
type Grouping struct {
	// Subqueries are what Keys and Aggregates refer to.
	Subqueries []*Subquery
	// Keys keep the ID of what is a plain column.
	Keys       []Assignment
	Aggregates []Aggregate
}

// Aggregate is an aggregate function over a group. Its arguments, filter and
// order are any expressions over the grouping's input.
type Aggregate struct {
	Column Column
	Call   *expr.Aggregate
}

// SortKey is a column to sort by.
type SortKey struct {
	Column     Column
	Descending bool
	NullsFirst bool
}

// Query is a body with its order and limit.
type Query struct {
	Body Relation
	// OrderBy sorts by columns of Body, among them the Hidden ones of a Select.
	OrderBy []SortKey
	// Offset is the number of rows to skip.
	Offset int64
	// Limit is the number of rows to keep; -1 for all.
	Limit int64
	// WithTies keeps what equals the last kept row in OrderBy, too.
	WithTies bool
	// Cols are the columns of the result, all from Body.
	Cols []Column
	// Outputs say where the columns come from, for DESCRIBE OUTPUT.
	Outputs []Output
}

// SubqueryKind says what a subquery's value is.
type SubqueryKind uint8

// The kinds of subquery.
const (
	// ScalarSubquery is the value of the one row, null if there is none, a row
	// of the columns if there are several.
	ScalarSubquery SubqueryKind = iota
	// ExistsSubquery is whether there is any row.
	ExistsSubquery
	// InSubquery is whether Left is among the rows, with SQL's null rules.
	InSubquery
	// QuantifiedSubquery is whether Left compares with Op to all or any rows.
	QuantifiedSubquery
)

// Subquery is a query within an expression, whose value is the column Result.
type Subquery struct {
	Kind  SubqueryKind
	Query *Query
	// Result is the column by which the expression refers to the value.
	Result Column
	// Left are the values compared with the query's columns, and Right these
	// columns, coerced to the same types. For several columns the comparison
	// is that of rows.
	Left, Right []expr.Expr
	// Op is the comparison operator of a QuantifiedSubquery (function.OpLt…),
	// and All whether it must hold for all rows instead of any.
	Op  string
	All bool

	node ast.Expression
	// refs are the references to columns outside the subquery.
	refs []outerRef
}

// RefersTo reports whether the subquery's query refers to a column outside.
func (s *Subquery) RefersTo(id expr.ColumnID) bool {
	return slices.ContainsFunc(s.refs, func(r outerRef) bool { return r.id == id })
}

// Write is a CREATE TABLE AS or INSERT: the query's rows go to a table.
type Write struct {
	Catalog, Schema, Table string
	// Create are the columns of the table to make; nil for an INSERT.
	Create []connectors.Column
	// Exists says that CREATE TABLE IF NOT EXISTS has nothing to do.
	Exists bool
	Query  *Query
	// Values has an expression over Query's columns for each of the table's
	// columns in order, coerced to its type.
	Values []Assignment
	// Count is the result: the number of rows written.
	Count Column
}

// Columns returns the table's columns.
func (r *Scan) Columns() []Column { return r.Cols }

// Columns returns the rows' columns.
func (r *Values) Columns() []Column { return r.Cols }

// Columns returns the left, the right and the computed columns.
func (r *Join) Columns() []Column {
	out := append([]Column(nil), r.Left.Columns()...)
	out = append(out, r.Right.Columns()...)
	for _, c := range r.Computed {
		out = append(out, c.Column)
	}
	return out
}

// Columns returns the expanded columns and the ordinality.
func (r *Unnest) Columns() []Column {
	var out []Column
	for _, c := range r.Cols {
		out = append(out, c...)
	}
	if r.Ordinality != nil {
		out = append(out, *r.Ordinality)
	}
	return out
}

// Columns returns the result's columns.
func (r *SetOperation) Columns() []Column { return r.Cols }

// Columns returns the selected and the hidden columns.
func (r *Select) Columns() []Column {
	out := make([]Column, 0, len(r.Items)+len(r.Hidden))
	for _, i := range r.Items {
		out = append(out, i.Column)
	}
	for _, i := range r.Hidden {
		out = append(out, i.Column)
	}
	return out
}

// Columns returns the query's columns.
func (q *Query) Columns() []Column { return q.Cols }

func (*Scan) relation()         {}
func (*Values) relation()       {}
func (*Join) relation()         {}
func (*Unnest) relation()       {}
func (*SetOperation) relation() {}
func (*Select) relation()       {}
func (*Query) relation()        {}
