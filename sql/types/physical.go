package types

// Physical is the way values of a type lie in memory.
type Physical uint8

// The physical layouts. Fixed-width ones are little endian, as Arrow's.
const (
	PhysNull   Physical = iota // type unknown: no data, every row null
	PhysBool                   // one byte a row, 0 or 1
	PhysInt8                   // tinyint
	PhysInt16                  // smallint
	PhysInt32                  // integer, date (days since 1970-01-01), interval year to month (months)
	PhysInt64                  // bigint, decimal(p≤18), time (ns of day), timestamp, interval day to second (ms)
	PhysFloat                  // real
	PhysDouble                 // double
	PhysInt128                 // decimal(p>18); timestamp with time zone (see TimestampTZ values); uuid
	PhysBytes                  // varchar, char (without trailing spaces), varbinary, json: 16-byte views
	PhysList                   // array: offsets + one child
	PhysMap                    // map: offsets + key and value children
	PhysStruct                 // row: one child a field
)

// Physical returns the layout of t's values.
//
// Units: time counts nanoseconds of the day; timestamp(p) counts microseconds
// since the epoch for p ≤ 6 and nanoseconds for p of 7 to 9 (UnitsPerSecond);
// a timestamp with time zone is an Int128 whose Lo is that count in UTC and
// whose Hi is a zone key.
func (t Type) Physical() Physical {
	switch t.Kind {
	case Boolean:
		return PhysBool
	case TinyInt:
		return PhysInt8
	case SmallInt:
		return PhysInt16
	case Integer, Date, IntervalYear:
		return PhysInt32
	case BigInt, Time, Timestamp, IntervalDay:
		return PhysInt64
	case Decimal:
		if t.P > MaxShortDecimal {
			return PhysInt128
		}
		return PhysInt64
	case Real:
		return PhysFloat
	case Double:
		return PhysDouble
	case TimestampTZ, UUID, TimeTZ:
		return PhysInt128
	case Varchar, Char, Varbinary, JSON:
		return PhysBytes
	case Array:
		return PhysList
	case Map:
		return PhysMap
	case Row:
		return PhysStruct
	}
	return PhysNull
}

// Width returns the bytes one row takes in a flat vector's data: 16 for
// views, 0 for nested layouts and unknown.
func (p Physical) Width() int {
	switch p {
	case PhysBool, PhysInt8:
		return 1
	case PhysInt16:
		return 2
	case PhysInt32, PhysFloat:
		return 4
	case PhysInt64, PhysDouble:
		return 8
	case PhysInt128, PhysBytes:
		return 16
	}
	return 0
}

// UnitsPerSecond returns how many units of a timestamp value make a second.
func (t Type) UnitsPerSecond() int64 {
	if t.P > 6 {
		return 1e9
	}
	return 1e6
}

// Int128 is a 128-bit two's complement integer in Arrow's decimal128 layout:
// low word first.
type Int128 struct {
	Lo uint64
	Hi int64
}

// Int128Of widens v.
func Int128Of(v int64) Int128 { return Int128{Lo: uint64(v), Hi: v >> 63} }
