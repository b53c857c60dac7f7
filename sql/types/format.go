package types

import (
	"strconv"
	"strings"
)

// baseNames are the raw type names of the protocol, by kind.
var baseNames = [KindCount]string{
	Unknown: "unknown", Boolean: "boolean", TinyInt: "tinyint", SmallInt: "smallint",
	Integer: "integer", BigInt: "bigint", Real: "real", Double: "double", Decimal: "decimal",
	Varchar: "varchar", Char: "char", Varbinary: "varbinary", Date: "date", Time: "time",
	Timestamp: "timestamp", TimestampTZ: "timestamp with time zone",
	IntervalDay: "interval day to second", IntervalYear: "interval year to month",
	Array: "array", Map: "map", Row: "row", JSON: "json", UUID: "uuid",
	TimeTZ: "time with time zone",
}

// Base returns the type's name without parameters, as the client protocol's
// rawType has it.
func (k Kind) Base() string {
	if k >= KindCount {
		return "unknown"
	}
	return baseNames[k]
}

// String returns Trino's text of the type.
func (t Type) String() string {
	var b strings.Builder
	t.print(&b)
	return b.String()
}

func (t Type) print(b *strings.Builder) {
	switch t.Kind {
	case Decimal:
		b.WriteString("decimal(" + itoa(t.P) + "," + itoa(t.S) + ")")
	case Varchar:
		b.WriteString("varchar")
		if t.P != Unbounded {
			b.WriteString("(" + itoa(t.P) + ")")
		}
	case Char:
		b.WriteString("char(" + itoa(t.P) + ")")
	case Time, Timestamp:
		b.WriteString(t.Kind.Base() + "(" + itoa(t.P) + ")")
	case TimestampTZ:
		b.WriteString("timestamp(" + itoa(t.P) + ") with time zone")
	case TimeTZ:
		b.WriteString("time(" + itoa(t.P) + ") with time zone")
	case Array, Map, Row:
		t.printNested(b)
	default:
		b.WriteString(t.Kind.Base())
	}
}

func (t Type) printNested(b *strings.Builder) {
	b.WriteString(t.Kind.Base() + "(")
	names := t.FieldNames()
	for i, e := range t.Elems() {
		if i > 0 {
			b.WriteString(", ")
		}
		if t.Kind == Row && names[i] != "" {
			b.WriteString(quoteField(names[i]) + " ")
		}
		e.print(b)
	}
	b.WriteByte(')')
}

// quoteField quotes a row field name that is not a plain identifier.
func quoteField(name string) string {
	for i, r := range name {
		plain := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || i > 0 && r >= '0' && r <= '9'
		if !plain {
			return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
		}
	}
	return name
}

func itoa(n int32) string { return strconv.Itoa(int(n)) }
