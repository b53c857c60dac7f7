package ast

// GenericType is a type by name with its parameters: bigint, decimal(12,2),
// array(varchar), map(varchar, bigint). DOUBLE PRECISION is double, and the
// forms ARRAY<t> and t ARRAY are array(t).
type GenericType struct {
	Base
	Name *Identifier
	Args []TypeArgument
}

// TypeNumber is a number as a parameter of a type.
type TypeNumber struct {
	Base
	Value int64
}

// DateTimeKind is the base of a DateTimeType.
type DateTimeKind uint8

// The bases.
const (
	TimeType DateTimeKind = iota
	TimestampType
)

// String returns the keyword.
func (k DateTimeKind) String() string { return [...]string{"TIME", "TIMESTAMP"}[k] }

// DateTimeType is TIME or TIMESTAMP [(p)] [WITH TIME ZONE].
type DateTimeType struct {
	Base
	Kind DateTimeKind
	// Precision is a *TypeNumber, nil for the default (3).
	Precision TypeArgument
	WithZone  bool
}

// RowType is ROW(name type, …).
type RowType struct {
	Base
	Fields []*RowField
}

// RowField is a field of a RowType; Name may be nil.
type RowField struct {
	Base
	Name *Identifier
	Type DataType
}

// IntervalType is INTERVAL YEAR TO MONTH or INTERVAL DAY TO SECOND, or any
// other span of fields.
type IntervalType struct {
	Base
	From IntervalField
	// To is NoField when absent.
	To IntervalField
}

func (*GenericType) typeArgument()  {}
func (*DateTimeType) typeArgument() {}
func (*RowType) typeArgument()      {}
func (*IntervalType) typeArgument() {}
func (*TypeNumber) typeArgument()   {}
func (*GenericType) dataType()      {}
func (*DateTimeType) dataType()     {}
func (*RowType) dataType()          {}
func (*IntervalType) dataType()     {}
