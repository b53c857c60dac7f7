package ast

// NullLiteral is NULL.
type NullLiteral struct{ Base }

// BooleanLiteral is TRUE or FALSE.
type BooleanLiteral struct {
	Base
	Value bool
}

// StringLiteral is '…' or U&'…'. Value has quotes and escapes undone.
type StringLiteral struct {
	Base
	Value string
}

// BinaryLiteral is X'…'.
type BinaryLiteral struct {
	Base
	Value []byte
}

// IntegerLiteral is a whole number, decimal, hexadecimal, octal or binary. A
// sign directly in front belongs to it.
type IntegerLiteral struct {
	Base
	Value int64
}

// DecimalLiteral is a number with a decimal point and no exponent: 1.5.
type DecimalLiteral struct {
	Base
	// Text is the number without underscores, with its sign and with the
	// digits as written: 1.50, .5 and 2. are possible.
	Text string
}

// DoubleLiteral is a number with an exponent: 1.5e0.
type DoubleLiteral struct {
	Base
	// Value is an infinity when the number is too large, as in Trino.
	Value float64
}

// GenericLiteral is a type name and a string: DATE '2020-01-01', BIGINT '3'.
type GenericLiteral struct {
	Base
	// Type is the name of the type in lower case, such as "date", "timestamp"
	// or "double precision".
	Type  string
	Value string
}

// IntervalField is a unit of an interval.
type IntervalField uint8

// The interval fields, from the largest.
const (
	NoField IntervalField = iota
	Year
	Month
	Day
	Hour
	Minute
	Second
)

// String returns the keyword, or "" for NoField.
func (f IntervalField) String() string {
	return [...]string{"", "YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"}[f]
}

// IntervalLiteral is INTERVAL [+|-] 'value' from [TO to].
type IntervalLiteral struct {
	Base
	Value    string
	Negative bool
	From     IntervalField
	// To is NoField when absent.
	To IntervalField
}

// Parameter is a ? placeholder.
type Parameter struct {
	Base
	// Index counts from 0 in the order of the text.
	Index int
}

func (*NullLiteral) expression()     {}
func (*BooleanLiteral) expression()  {}
func (*StringLiteral) expression()   {}
func (*BinaryLiteral) expression()   {}
func (*IntegerLiteral) expression()  {}
func (*DecimalLiteral) expression()  {}
func (*DoubleLiteral) expression()   {}
func (*GenericLiteral) expression()  {}
func (*IntervalLiteral) expression() {}
func (*Parameter) expression()       {}
