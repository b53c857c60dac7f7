package ast

// Dereference is target.field: a column of a table, a part of a longer name,
// or a field of a row, which only the analyzer can tell apart.
type Dereference struct {
	Base
	Target Expression
	Field  *Identifier
}

// Subscript is target[index].
type Subscript struct {
	Base
	Target, Index Expression
}

// Row is (a, b) or ROW(a, …).
type Row struct {
	Base
	Items []Expression
}

// Array is ARRAY[a, …].
type Array struct {
	Base
	Items []Expression
}

// UnaryOp is a sign.
type UnaryOp uint8

// The unary operators.
const (
	Negate UnaryOp = iota
	Plus
)

// String returns the operator's text.
func (o UnaryOp) String() string { return [...]string{"-", "+"}[o] }

// Unary is -x or +x, except where the sign belongs to a literal.
type Unary struct {
	Base
	Op      UnaryOp
	Operand Expression
}

// BinaryOp is an arithmetic operator or ||.
type BinaryOp uint8

// The binary operators.
const (
	Add BinaryOp = iota
	Subtract
	Multiply
	Divide
	Modulus
	Concat
)

// String returns the operator's text.
func (o BinaryOp) String() string { return [...]string{"+", "-", "*", "/", "%", "||"}[o] }

// Binary is left op right. Its position is that of the operator.
type Binary struct {
	Base
	Op          BinaryOp
	Left, Right Expression
}

// ComparisonOp is =, <> and so on.
type ComparisonOp uint8

// The comparison operators.
const (
	Equal ComparisonOp = iota
	NotEqual
	LessThan
	LessThanOrEqual
	GreaterThan
	GreaterThanOrEqual
)

// String returns the operator's text.
func (o ComparisonOp) String() string {
	return [...]string{"=", "<>", "<", "<=", ">", ">="}[o]
}

// Comparison is left op right. Its position is that of the operator.
type Comparison struct {
	Base
	Op          ComparisonOp
	Left, Right Expression
}

// Quantifier is ALL, ANY or SOME, which means ANY.
type Quantifier uint8

// The quantifiers.
const (
	All Quantifier = iota
	Any
	Some
)

// String returns the keyword.
func (q Quantifier) String() string { return [...]string{"ALL", "ANY", "SOME"}[q] }

// QuantifiedComparison is value op ALL|ANY|SOME (query). Its position is that
// of the operator.
type QuantifiedComparison struct {
	Base
	Op         ComparisonOp
	Quantifier Quantifier
	Value      Expression
	Query      *Query
}

// LogicalOp is AND or OR.
type LogicalOp uint8

// The logical operators.
const (
	And LogicalOp = iota
	Or
)

// String returns the keyword.
func (o LogicalOp) String() string { return [...]string{"AND", "OR"}[o] }

// Logical is a chain of two or more terms joined by the same operator. Terms
// are never a Logical of the same Op when parsed from a chain without
// parentheses; parenthesised groups keep their own node.
type Logical struct {
	Base
	Op    LogicalOp
	Terms []Expression
}

// Not is NOT operand.
type Not struct {
	Base
	Operand Expression
}

// Between is value [NOT] BETWEEN low AND high.
type Between struct {
	Base
	Not              bool
	Value, Low, High Expression
}

// InList is value [NOT] IN (a, …).
type InList struct {
	Base
	Not   bool
	Value Expression
	Items []Expression
}

// InSubquery is value [NOT] IN (query).
type InSubquery struct {
	Base
	Not   bool
	Value Expression
	Query *Query
}

// Like is value [NOT] LIKE pattern [ESCAPE escape]; Escape may be nil.
type Like struct {
	Base
	Not                    bool
	Value, Pattern, Escape Expression
}

// IsNull is value IS [NOT] NULL.
type IsNull struct {
	Base
	Not   bool
	Value Expression
}

// IsDistinctFrom is left IS [NOT] DISTINCT FROM right.
type IsDistinctFrom struct {
	Base
	Not         bool
	Left, Right Expression
}

// Exists is EXISTS (query).
type Exists struct {
	Base
	Query *Query
}

// ScalarSubquery is (query) as a value.
type ScalarSubquery struct {
	Base
	Query *Query
}

// AtTimeZone is value AT TIME ZONE zone; Zone is a *StringLiteral or an
// *IntervalLiteral. Its position is that of AT.
type AtTimeZone struct {
	Base
	Value, Zone Expression
}

// Case is CASE [operand] WHEN … THEN … [ELSE …] END. Without Operand the
// conditions of Whens are booleans, with it they are compared to it.
type Case struct {
	Base
	Operand Expression
	Whens   []*When
	Else    Expression
}

// When is one WHEN condition THEN result.
type When struct {
	Base
	Condition, Result Expression
}

// Cast is CAST(expr AS type) or TRY_CAST(expr AS type).
type Cast struct {
	Base
	// Try makes a failed conversion NULL instead of an error.
	Try  bool
	Expr Expression
	Type DataType
}

// Extract is EXTRACT(field FROM value). Field is any name; the analyzer
// checks it.
type Extract struct {
	Base
	Field *Identifier
	Value Expression
}

// TrimMode is the side that TRIM works on.
type TrimMode uint8

// The trim modes.
const (
	TrimBoth TrimMode = iota
	TrimLeading
	TrimTrailing
)

// String returns the keyword.
func (m TrimMode) String() string { return [...]string{"BOTH", "LEADING", "TRAILING"}[m] }

// Trim is TRIM([mode] [chars] FROM source) or TRIM(source[, chars]); Chars is
// nil for spaces.
type Trim struct {
	Base
	Mode          TrimMode
	Chars, Source Expression
}

// TimeFunction is the kind of a CurrentTime.
type TimeFunction uint8

// The functions of the current time.
const (
	CurrentDate TimeFunction = iota
	CurrentTimeOfDay
	CurrentTimestamp
	LocalTime
	LocalTimestamp
)

// String returns the keyword.
func (f TimeFunction) String() string {
	return [...]string{"CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "LOCALTIME", "LOCALTIMESTAMP"}[f]
}

// CurrentTime is CURRENT_DATE, CURRENT_TIMESTAMP(p) and the like.
type CurrentTime struct {
	Base
	Function TimeFunction
	// Precision is nil when not written.
	Precision *int
}

// SessionField is the kind of a SessionValue.
type SessionField uint8

// The session values.
const (
	CurrentUser SessionField = iota
	CurrentCatalog
	CurrentSchema
	CurrentPath
)

// String returns the keyword.
func (f SessionField) String() string {
	return [...]string{"CURRENT_USER", "CURRENT_CATALOG", "CURRENT_SCHEMA", "CURRENT_PATH"}[f]
}

// SessionValue is CURRENT_USER and the like.
type SessionValue struct {
	Base
	Field SessionField
}

// NullTreatment is IGNORE NULLS or RESPECT NULLS after a window function.
type NullTreatment uint8

// The null treatments.
const (
	NullTreatmentDefault NullTreatment = iota
	IgnoreNulls
	RespectNulls
)

// String returns the keywords, or "" for NullTreatmentDefault.
func (t NullTreatment) String() string {
	return [...]string{"", "IGNORE NULLS", "RESPECT NULLS"}[t]
}

// FunctionCall is name([DISTINCT] args [ORDER BY …]) [FILTER (WHERE …)]
// [IGNORE|RESPECT NULLS] [OVER window].
type FunctionCall struct {
	Base
	Name *QualifiedName
	// Star is f(*); Args is then empty.
	Star     bool
	Distinct bool
	Args     []Expression
	OrderBy  []*SortItem
	Filter   Expression
	Nulls    NullTreatment
	// Over is nil for a call without window.
	Over Window
}

// Listagg is LISTAGG([DISTINCT] value [, separator] [ON OVERFLOW …])
// WITHIN GROUP (ORDER BY …) [FILTER (WHERE …)].
type Listagg struct {
	Base
	Distinct bool
	Value    Expression
	// Separator is nil for the empty string.
	Separator *StringLiteral
	// Overflow is nil for the default, which is an error.
	Overflow *ListaggOverflow
	OrderBy  []*SortItem
	Filter   Expression
}

// ListaggOverflow is ON OVERFLOW ERROR, or
// ON OVERFLOW TRUNCATE ['filler'] WITH|WITHOUT COUNT.
type ListaggOverflow struct {
	Base
	Truncate bool
	// Filler is nil for the default, which is '...'.
	Filler    *StringLiteral
	WithCount bool
}

// Lambda is x -> body or (x, y) -> body.
type Lambda struct {
	Base
	Params []*Identifier
	Body   Expression
}

// Grouping is GROUPING(a, t.b, …); the arguments are names.
type Grouping struct {
	Base
	Args []*QualifiedName
}

func (*Identifier) expression()           {}
func (*Dereference) expression()          {}
func (*Subscript) expression()            {}
func (*Row) expression()                  {}
func (*Array) expression()                {}
func (*Unary) expression()                {}
func (*Binary) expression()               {}
func (*Comparison) expression()           {}
func (*QuantifiedComparison) expression() {}
func (*Logical) expression()              {}
func (*Not) expression()                  {}
func (*Between) expression()              {}
func (*InList) expression()               {}
func (*InSubquery) expression()           {}
func (*Like) expression()                 {}
func (*IsNull) expression()               {}
func (*IsDistinctFrom) expression()       {}
func (*Exists) expression()               {}
func (*ScalarSubquery) expression()       {}
func (*AtTimeZone) expression()           {}
func (*Case) expression()                 {}
func (*Cast) expression()                 {}
func (*Extract) expression()              {}
func (*Trim) expression()                 {}
func (*CurrentTime) expression()          {}
func (*SessionValue) expression()         {}
func (*FunctionCall) expression()         {}
func (*Listagg) expression()              {}
func (*Lambda) expression()               {}
func (*Grouping) expression()             {}
