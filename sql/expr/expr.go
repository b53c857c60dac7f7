// Package expr is the bound, typed expression tree that the planner rewrites,
// connectors receive as predicates, and the kernels compile.
//
// Columns are referred to by ColumnID, unique in a query, never by position:
// a rule that moves an expression through the plan changes nothing in it.
// Expressions are immutable; rewrite with Transform, which shares what did
// not change. Every implicit coercion of SQL is an explicit Cast here, so
// each node's argument types are exactly those its function asks for.
package expr

import (
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// ColumnID names a column of some plan node, unique within a query's plan.
// In a connector's ScanSpec it is the index into the spec's columns.
type ColumnID int32

// Expr is a typed expression: one of *Column, *Const, *Call, *Cast, *Form.
type Expr interface {
	// Type returns the SQL type of the value.
	Type() types.Type
	// String prints the expression as SQL-like text, as EXPLAIN shows it.
	String() string
	isExpr()
}

// Column refers to a column of the input.
type Column struct {
	ID   ColumnID
	Typ  types.Type
	Name string // for printing only
}

// Const is a constant. Value is nil for NULL, and otherwise by the type's
// physical layout: bool; int64 for every integer layout (tinyint to bigint,
// short decimals unscaled, date, time, timestamp, intervals); float32 for
// real; float64; types.Int128; string for varchar, char (no trailing spaces),
// varbinary and json; []any for arrays and rows; [][2]any for maps.
type Const struct {
	Value any
	Typ   types.Type
}

// Call applies a scalar function or operator. len(Args) == len(Fn.Args), or
// more for variadic functions, whose resolved Fn lists every argument.
type Call struct {
	Fn   *function.Scalar
	Args []Expr
}

// Cast converts a value to another type. Safe is TRY_CAST: null where CAST
// would fail. A cast between types of one physical value (varchar(5) to
// varchar) is still written, and costs nothing.
type Cast struct {
	Arg  Expr
	Typ  types.Type
	Safe bool
}

// Op is the operator of a Form.
type Op uint8

// The forms: what is not a function because it does not evaluate all its
// arguments for all rows, or has its own null rules.
const (
	// And and Or take two or more booleans; three-valued, order not promised
	// except that an argument is not evaluated for rows that earlier ones
	// decided (so a guard protects from an error).
	And Op = iota
	Or
	// Not takes one boolean.
	Not
	// Case takes when1, then1, when2, then2, …, else: the conditions are
	// booleans, the else is always there.
	Case
	// Coalesce takes one or more values of one type.
	Coalesce
	// In takes a value and one or more candidates of its type, with SQL's null rule.
	In
	// IsNull takes one value and is never null.
	IsNull
	// Try takes one value: null where evaluating it fails with a user error
	// about the data (division by zero, bad cast, overflow).
	Try
	// Row builds a row of its arguments.
	Row
	// Field takes a row; Form.Index says which field.
	Field
)

// Form is a special form; see Op.
type Form struct {
	Op    Op
	Args  []Expr
	Index int // Field only
	Typ   types.Type
}

// Aggregate is a call of an aggregate function. In a plan its arguments,
// filter and order are columns of the aggregation's input.
type Aggregate struct {
	Fn       *function.Aggregate
	Args     []Expr
	Distinct bool
	// Filter is a boolean that says which rows count; nil: all.
	Filter Expr
	// OrderBy is for functions whose result depends on order.
	OrderBy []SortKey
}

// SortKey is an expression to sort by.
type SortKey struct {
	Expr       Expr
	Descending bool
	NullsFirst bool
}

// Type returns the column's type.
func (c *Column) Type() types.Type { return c.Typ }

// Type returns the constant's type.
func (c *Const) Type() types.Type { return c.Typ }

// Type returns the function's result type.
func (c *Call) Type() types.Type { return c.Fn.Result }

// Type returns the target type.
func (c *Cast) Type() types.Type { return c.Typ }

// Type returns the form's result type.
func (f *Form) Type() types.Type { return f.Typ }

func (*Column) isExpr() {}
func (*Const) isExpr()  {}
func (*Call) isExpr()   {}
func (*Cast) isExpr()   {}
func (*Form) isExpr()   {}
