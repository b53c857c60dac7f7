package client

import (
	"database/sql/driver"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Decimal is a statement argument of type decimal, such as "12.50".
type Decimal string

// Date is a statement argument of type date: the calendar day of the time in
// its own location.
type Date time.Time

// Timestamp is a statement argument of type timestamp without time zone: what
// a clock in the time's own location shows. A plain time.Time argument is a
// timestamp with time zone.
type Timestamp time.Time

// Literal returns the SQL text of a statement argument. It takes what
// database/sql arguments may be, the types of this package, slices (as
// arrays), and whatever implements driver.Valuer.
func Literal(v any) (string, error) {
	switch x := v.(type) {
	case nil:
		return "NULL", nil
	case bool:
		return strconv.FormatBool(x), nil
	case string:
		return quote(x), nil
	case []byte:
		if x == nil {
			return "NULL", nil
		}
		return "X'" + strings.ToUpper(hex.EncodeToString(x)) + "'", nil
	case json.Number:
		return numberLiteral(x)
	case Decimal:
		return decimalLiteral(string(x))
	case Date:
		return "DATE '" + time.Time(x).Format("2006-01-02") + "'", nil
	case Timestamp:
		return "TIMESTAMP '" + formatTime(time.Time(x)) + "'", nil
	case time.Time:
		return "TIMESTAMP '" + formatTime(x) + x.Format(" -07:00") + "'", nil
	case time.Duration:
		return "", fmt.Errorf("not supported: argument of type %T (pass a number or an interval's text)", v)
	case driver.Valuer:
		inner, err := x.Value()
		if err != nil {
			return "", err
		}
		return Literal(inner)
	}
	return reflectLiteral(v)
}

func reflectLiteral(v any) (string, error) {
	rv := reflect.ValueOf(v)
	switch rv.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if n := rv.Int(); n != math.MinInt64 {
			return strconv.FormatInt(n, 10), nil
		}
		return "BIGINT '-9223372036854775808'", nil // as a literal it would overflow before its sign
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if n := rv.Uint(); n > math.MaxInt64 {
			return "DECIMAL '" + strconv.FormatUint(n, 10) + "'", nil
		}
		return strconv.FormatUint(rv.Uint(), 10), nil
	case reflect.Float32:
		return floatLiteral(rv.Float(), 32), nil
	case reflect.Float64:
		return floatLiteral(rv.Float(), 64), nil
	case reflect.Bool:
		return strconv.FormatBool(rv.Bool()), nil
	case reflect.String:
		return quote(rv.String()), nil
	case reflect.Pointer:
		if rv.IsNil() {
			return "NULL", nil
		}
		return Literal(rv.Elem().Interface())
	case reflect.Slice, reflect.Array:
		return arrayLiteral(rv)
	}
	return "", fmt.Errorf("not supported: argument of type %T", v)
}

func arrayLiteral(rv reflect.Value) (string, error) {
	if rv.Kind() == reflect.Slice && rv.IsNil() {
		return "NULL", nil
	}
	if rv.Kind() == reflect.Slice && rv.Type().Elem().Kind() == reflect.Uint8 {
		return Literal(rv.Bytes())
	}
	items := make([]string, rv.Len())
	for i := range items {
		var err error
		if items[i], err = Literal(rv.Index(i).Interface()); err != nil {
			return "", err
		}
	}
	return "ARRAY[" + strings.Join(items, ", ") + "]", nil
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// floatLiteral writes a double (or real) with the fewest digits that read
// back as the same number.
func floatLiteral(f float64, bits int) string {
	typ := "DOUBLE"
	if bits == 32 {
		typ = "REAL"
	}
	switch {
	case math.IsNaN(f):
		return typ + " 'NaN'"
	case math.IsInf(f, 0):
		sign := ""
		if f < 0 {
			sign = "-"
		}
		return typ + " '" + sign + "Infinity'"
	}
	return typ + " '" + strconv.FormatFloat(f, 'E', -1, bits) + "'"
}

func numberLiteral(n json.Number) (string, error) {
	s := string(n)
	if i, err := n.Int64(); err == nil {
		return Literal(i)
	}
	if strings.ContainsAny(s, "eE") {
		f, err := n.Float64()
		return floatLiteral(f, 64), err
	}
	return decimalLiteral(s)
}

// decimalLiteral checks the text, as it goes into SQL as it is.
func decimalLiteral(s string) (string, error) {
	digits, points := 0, 0
	for i, c := range s {
		switch {
		case c >= '0' && c <= '9':
			digits++
		case c == '.':
			points++
		case (c == '-' || c == '+') && i == 0:
		default:
			return "", fmt.Errorf("%q is not a decimal", s)
		}
	}
	if digits == 0 || points > 1 {
		return "", fmt.Errorf("%q is not a decimal", s)
	}
	return "DECIMAL '" + s + "'", nil
}

// formatTime writes seconds with 3, 6 or 9 digits: the literal's digits are
// its type's precision, so that arguments of one program agree in type.
func formatTime(t time.Time) string {
	switch n := t.Nanosecond(); {
	case n%1e6 == 0:
		return t.Format("2006-01-02 15:04:05.000")
	case n%1e3 == 0:
		return t.Format("2006-01-02 15:04:05.000000")
	}
	return t.Format("2006-01-02 15:04:05.000000000")
}
