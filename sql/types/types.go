// Package types is the SQL type system: the types themselves, how they print,
// which coerce to which, how each is laid out in memory, and how values of
// them look as constants. It is a leaf: everything from the analyzer to the
// kernels shares it, and it knows none of them.
//
// A Type is a small value, compared with Equal (or == when neither side is
// nested). Its text form is Trino's, which clients read: "decimal(15,2)",
// "varchar", "timestamp(3) with time zone", "array(row(a bigint, b varchar))".
//
// Memory layout (see Physical) follows Arrow's but for two types that Arrow
// lacks: booleans take a byte a row (kernels then need no bit twiddling), and
// a timestamp with time zone is an instant beside a zone key, 16 bytes.
package types

import (
	"math"
	"slices"
)

// Kind is a type constructor without its parameters.
type Kind uint8

// The kinds of SQL type. The order is not meaningful; the numbers are part of
// the plan encoding, so new kinds go at the end.
const (
	Unknown Kind = iota // the type of a bare NULL
	Boolean
	TinyInt
	SmallInt
	Integer
	BigInt
	Real
	Double
	Decimal
	Varchar
	Char
	Varbinary
	Date
	Time
	Timestamp
	TimestampTZ
	IntervalDay  // interval day to second
	IntervalYear // interval year to month
	Array
	Map
	Row
	JSON
	UUID
	TimeTZ
	// KindCount is the number of kinds.
	KindCount
)

// Limits of type parameters.
const (
	// Unbounded is the length of varchar without a limit; Trino sends it as
	// 2147483647.
	Unbounded = math.MaxInt32
	// MaxDecimal is the largest decimal precision.
	MaxDecimal = 38
	// MaxShortDecimal is the largest decimal precision stored in an int64.
	MaxShortDecimal = 18
	// MaxTimePrecision is the largest precision of times and timestamps that
	// Tutti stores: nanoseconds.
	MaxTimePrecision = 9
)

// Type is a SQL type: a kind and its parameters. The zero Type is Unknown.
// Types are immutable values.
type Type struct {
	// Kind is the constructor.
	Kind Kind
	// P is the precision of a decimal (digits), time or timestamp (fractional
	// digits), or the length of a varchar or char (characters).
	P int32
	// S is the scale of a decimal.
	S int32
	// nested holds the element types of arrays, maps and rows.
	nested *nested
}

type nested struct {
	elems []Type
	names []string // rows only; "" for an anonymous field
}

// Of returns the parameterless type of kind k.
func Of(k Kind) Type { return Type{Kind: k} }

// DecimalOf returns decimal(p,s).
func DecimalOf(p, s int32) Type { return Type{Kind: Decimal, P: p, S: s} }

// VarcharOf returns varchar(n); n may be Unbounded.
func VarcharOf(n int32) Type { return Type{Kind: Varchar, P: n} }

// CharOf returns char(n).
func CharOf(n int32) Type { return Type{Kind: Char, P: n} }

// VarcharType is varchar without a limit.
func VarcharType() Type { return VarcharOf(Unbounded) }

// TimeOf returns time(p).
func TimeOf(p int32) Type { return Type{Kind: Time, P: p} }

// TimestampOf returns timestamp(p).
func TimestampOf(p int32) Type { return Type{Kind: Timestamp, P: p} }

// TimestampTZOf returns timestamp(p) with time zone.
func TimestampTZOf(p int32) Type { return Type{Kind: TimestampTZ, P: p} }

// ArrayOf returns array(elem).
func ArrayOf(elem Type) Type {
	return Type{Kind: Array, nested: &nested{elems: []Type{elem}}}
}

// MapOf returns map(key, value).
func MapOf(key, value Type) Type {
	return Type{Kind: Map, nested: &nested{elems: []Type{key, value}}}
}

// RowOf returns a row type. names may be nil (all anonymous) and must
// otherwise have as many entries as fields.
func RowOf(fields []Type, names []string) Type {
	if names == nil {
		names = make([]string, len(fields))
	}
	return Type{Kind: Row, nested: &nested{elems: slices.Clone(fields), names: slices.Clone(names)}}
}

// Elems returns the element types: one for arrays, key and value for maps,
// the fields for rows, nil for the rest. The caller must not change it.
func (t Type) Elems() []Type {
	if t.nested == nil {
		return nil
	}
	return t.nested.elems
}

// Elem returns the i-th element type.
func (t Type) Elem(i int) Type { return t.nested.elems[i] }

// FieldNames returns a row's field names, "" for anonymous ones.
func (t Type) FieldNames() []string {
	if t.nested == nil {
		return nil
	}
	return t.nested.names
}

// Equal reports whether two types are the same, row field names included.
func (t Type) Equal(o Type) bool {
	if t.Kind != o.Kind || t.P != o.P || t.S != o.S {
		return false
	}
	if t.nested == o.nested {
		return true
	}
	if t.nested == nil || o.nested == nil {
		return false
	}
	return slices.EqualFunc(t.nested.elems, o.nested.elems, Type.Equal) &&
		slices.Equal(t.nested.names, o.nested.names)
}

// IsNumeric reports whether t is an integer, real, double or decimal type.
func (t Type) IsNumeric() bool { return t.Kind >= TinyInt && t.Kind <= Decimal }

// IsInteger reports whether t is tinyint, smallint, integer or bigint.
func (t Type) IsInteger() bool { return t.Kind >= TinyInt && t.Kind <= BigInt }

// IsFloat reports whether t is real or double.
func (t Type) IsFloat() bool { return t.Kind == Real || t.Kind == Double }

// IsString reports whether t is varchar or char.
func (t Type) IsString() bool { return t.Kind == Varchar || t.Kind == Char }

// IsNested reports whether t is an array, map or row.
func (t Type) IsNested() bool { return t.Kind == Array || t.Kind == Map || t.Kind == Row }

// IsShortDecimal reports whether t is a decimal stored in an int64.
func (t Type) IsShortDecimal() bool { return t.Kind == Decimal && t.P <= MaxShortDecimal }

// IsLongDecimal reports whether t is a decimal stored in 128 bits.
func (t Type) IsLongDecimal() bool { return t.Kind == Decimal && t.P > MaxShortDecimal }

// Comparable reports whether = is defined on t.
func (t Type) Comparable() bool {
	for _, e := range t.Elems() {
		if !e.Comparable() {
			return false
		}
	}
	return true
}

// Orderable reports whether < is defined on t: all but maps and what holds them.
func (t Type) Orderable() bool {
	if t.Kind == Map || t.Kind == JSON {
		return false
	}
	for _, e := range t.Elems() {
		if !e.Orderable() {
			return false
		}
	}
	return true
}
