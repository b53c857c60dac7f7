package types

// maxCharLength is the longest char(n) of Trino.
const maxCharLength = 65536

// CommonSuper returns the smallest type that both coerce to, as for the
// branches of a CASE or the sides of a comparison; ok is false if there is
// none. The rules are Trino's (TypeCoercion): integers widen, then become
// decimals, then real, then double; lengths and precisions take the larger.
func CommonSuper(a, b Type) (super Type, ok bool) {
	switch {
	case a.Equal(b) || b.Kind == Unknown:
		return a, true
	case a.Kind == Unknown:
		return b, true
	case a.IsNumeric() && b.IsNumeric():
		return superNumeric(a, b), true
	case a.IsString() && b.IsString():
		return superString(a, b), true
	case a.IsNested() && a.Kind == b.Kind:
		return superNested(a, b)
	}
	return superTime(a, b)
}

func superNumeric(a, b Type) Type {
	if a.Kind > b.Kind {
		a, b = b, a // kinds are ordered: integers, real, double, decimal
	}
	switch {
	case b.Kind == Decimal && a.IsFloat():
		return a
	case b.Kind == Decimal:
		return superDecimal(AsDecimal(a), b)
	}
	return b
}

func superDecimal(a, b Type) Type {
	scale := max(a.S, b.S)
	return DecimalOf(min(MaxDecimal, max(a.P-a.S, b.P-b.S)+scale), scale)
}

// AsDecimal returns the decimal type that holds every value of an integer
// type; decimals stay as they are.
func AsDecimal(t Type) Type {
	switch t.Kind {
	case TinyInt:
		return DecimalOf(3, 0)
	case SmallInt:
		return DecimalOf(5, 0)
	case Integer:
		return DecimalOf(10, 0)
	case BigInt:
		return DecimalOf(19, 0)
	}
	return t
}

func superString(a, b Type) Type {
	n := max(a.P, b.P)
	if a.Kind == Char || b.Kind == Char {
		return CharOf(min(n, maxCharLength))
	}
	return VarcharOf(n)
}

func superNested(a, b Type) (Type, bool) {
	if len(a.Elems()) != len(b.Elems()) {
		return Type{}, false
	}
	elems := make([]Type, len(a.Elems()))
	for i := range elems {
		e, ok := CommonSuper(a.Elem(i), b.Elem(i))
		if !ok {
			return Type{}, false
		}
		elems[i] = e
	}
	var names []string
	for i, n := range a.FieldNames() {
		if n != b.FieldNames()[i] {
			n = ""
		}
		names = append(names, n)
	}
	return Type{Kind: a.Kind, nested: &nested{elems: elems, names: names}}, true
}

// superTime covers dates, times and timestamps.
func superTime(a, b Type) (Type, bool) {
	if timeRank(a) > timeRank(b) {
		a, b = b, a
	}
	switch {
	case a.Kind == b.Kind && (a.Kind == Time || a.Kind == Timestamp || a.Kind == TimestampTZ || a.Kind == TimeTZ):
		a.P = max(a.P, b.P)
		return a, true
	case timeRank(a) > 0 && timeRank(b) > timeRank(a):
		if a.Kind != Date {
			b.P = max(a.P, b.P)
		}
		return b, true
	case a.Kind == Time && b.Kind == TimeTZ, a.Kind == TimeTZ && b.Kind == Time:
		return Type{Kind: TimeTZ, P: max(a.P, b.P)}, true
	}
	return Type{}, false
}

// timeRank orders the types that widen into each other: date, timestamp,
// timestamp with time zone.
func timeRank(t Type) int {
	switch t.Kind {
	case Date:
		return 1
	case Timestamp:
		return 2
	case TimestampTZ:
		return 3
	}
	return 0
}

// CanCoerce reports whether from becomes to without being asked.
func CanCoerce(from, to Type) bool {
	super, ok := CommonSuper(from, to)
	if !ok {
		return false
	}
	if from.Kind == Row && to.Kind == Row {
		return coercesFields(from, to)
	}
	return super.Equal(to)
}

// coercesFields ignores row field names, which any row type may rename.
func coercesFields(from, to Type) bool {
	if len(from.Elems()) != len(to.Elems()) {
		return false
	}
	for i, e := range from.Elems() {
		if !CanCoerce(e, to.Elem(i)) {
			return false
		}
	}
	return true
}

// CanCast reports whether CAST from → to exists.
func CanCast(from, to Type) bool {
	switch {
	case from.Kind == Unknown || from.Equal(to) || CanCoerce(from, to):
		return true
	case from.IsNested() || to.IsNested():
		return castsNested(from, to)
	case from.IsString():
		return castsFromString(to)
	case to.IsString():
		return from.Kind != Varbinary && to.Kind == Varchar
	case from.Kind == Boolean || to.Kind == Boolean:
		return (from.IsNumeric() || from.Kind == Boolean) && (to.IsNumeric() || to.Kind == Boolean)
	case from.IsNumeric() && to.IsNumeric():
		return true
	}
	return castsTime(from, to)
}

// CastNeedsSession reports whether the value of CAST from → to depends on the
// session: on its time zone, or on the date of the query's start.
func CastNeedsSession(from, to Type) bool {
	switch to.Kind {
	case TimestampTZ:
		return from.Kind != TimestampTZ
	case Timestamp:
		return from.Kind == Time
	}
	for i, e := range to.Elems() {
		if from.Kind != to.Kind || i < len(from.Elems()) && CastNeedsSession(from.Elem(i), e) {
			return true
		}
	}
	return false
}

func castsFromString(to Type) bool {
	switch to.Kind {
	case IntervalDay, IntervalYear, Varbinary, Unknown:
		return to.Kind == Varbinary
	}
	return true
}

func castsTime(from, to Type) bool {
	switch from.Kind {
	case Date:
		return timeRank(to) > 0
	case Time, TimeTZ:
		return to.Kind == Time || to.Kind == TimeTZ || timeRank(to) > 1
	case Timestamp, TimestampTZ:
		return timeRank(to) > 0 || to.Kind == Time || to.Kind == TimeTZ
	case UUID:
		return to.Kind == Varbinary
	case Varbinary:
		return to.Kind == UUID
	}
	return false
}

func castsNested(from, to Type) bool {
	if from.Kind != to.Kind || len(from.Elems()) != len(to.Elems()) {
		return from.Kind == JSON || to.Kind == JSON
	}
	for i, e := range from.Elems() {
		if !CanCast(e, to.Elem(i)) {
			return false
		}
	}
	return true
}
