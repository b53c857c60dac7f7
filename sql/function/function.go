// Package function knows every function and operator of the dialect by
// signature and properties, and picks the one that a call means. It computes
// nothing: exec/kernel has the code, and a test there checks that it covers
// every signature in this table.
//
// Operators are functions whose names start with "$" ("$add", "$eq"), so that
// overloads, coercions and kernels work the same for both while nobody can
// call an operator by name.
package function

import (
	"github.com/tuttidb/tutti/sql/types"
)

// Operator names. Comparison results are boolean.
const (
	OpAdd      = "$add"
	OpSubtract = "$subtract"
	OpMultiply = "$multiply"
	OpDivide   = "$divide"
	OpModulus  = "$modulus"
	OpNegate   = "$negate"
	OpEq       = "$eq"
	OpNe       = "$ne"
	OpLt       = "$lt"
	OpLe       = "$le"
	OpGt       = "$gt"
	OpGe       = "$ge"
	// OpDistinct is IS DISTINCT FROM: never null.
	OpDistinct = "$distinct"
	// OpLike is value LIKE pattern; with a third argument, ESCAPE.
	OpLike = "$like"
	// OpSubscript is array[i] or map[key].
	OpSubscript = "$subscript"
	// OpArray is the ARRAY[…] constructor.
	OpArray = "$array"
	// OpAtTimeZone is AT TIME ZONE.
	OpAtTimeZone = "$at_timezone"
)

// NullRule says what a function does with null arguments.
type NullRule uint8

// The null rules.
const (
	// NullIfAnyNull functions return null when any argument is null, and are
	// not called for such rows.
	NullIfAnyNull NullRule = iota
	// CalledOnNull functions see null arguments and decide themselves.
	CalledOnNull
)

// Scalar is a resolved scalar function or operator: one row of the table
// applied to argument types. It is immutable and shared.
type Scalar struct {
	// Name is the lower-case function name, or an operator name. Together with
	// the argument types it identifies the kernel.
	Name string
	// Args are the types that the arguments must be coerced to.
	Args []types.Type
	// Result is the type of the result.
	Result types.Type
	// Nulls is the null rule.
	Nulls NullRule
	// NonNull says that the result is never null when no argument is.
	NonNull bool
	// Volatile functions may return another value for the same arguments
	// (random, uuid); they are not folded, moved or evaluated twice.
	Volatile bool
	// Stable functions depend on the session or the query's start (now,
	// current_user); they are folded to constants before execution.
	Stable bool
}

// Aggregate is a resolved aggregate function.
type Aggregate struct {
	// Name is the lower-case function name.
	Name string
	// Args are the types that the arguments must be coerced to; none for count(*).
	Args []types.Type
	// Result is the type of the final result.
	Result types.Type
	// State are the types of the columns that carry a partial result between
	// the partial and the final step, in order.
	State []types.Type
	// Indistinct says that DISTINCT does not change the result (min, max).
	Indistinct bool
	// Ordered says that the result depends on the order of the input.
	Ordered bool
	// ZeroOnEmpty says that the result over no rows is not null (count).
	ZeroOnEmpty bool
}

// Kind tells scalar from aggregate and window functions, as SHOW FUNCTIONS
// prints them.
type Kind uint8

// The kinds of function.
const (
	ScalarKind Kind = iota
	AggregateKind
	WindowKind
)

// String returns the text that SHOW FUNCTIONS prints.
func (k Kind) String() string { return [...]string{"scalar", "aggregate", "window"}[k] }

// Info describes one signature for SHOW FUNCTIONS.
type Info struct {
	Name          string
	Result        string
	Args          string
	Kind          Kind
	Deterministic bool
	Description   string
}
