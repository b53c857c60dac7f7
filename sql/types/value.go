package types

import (
	"fmt"
	"math/big"
	"strings"
	"time"
)

// FormatValue prints a constant's value (see expr.Const for its Go types) as
// the text that CAST(… AS varchar) gives for plain types, and as a literal
// with the type's name in front for dates and times. v is not nil.
func FormatValue(t Type, v any) string {
	switch t.Kind {
	case Decimal:
		return FormatDecimal(v, t.S)
	case Date:
		return "DATE '" + FormatDate(v.(int64)) + "'"
	case Timestamp:
		return "TIMESTAMP '" + FormatTimestamp(v.(int64), t) + "'"
	}
	return fmt.Sprint(v)
}

// FormatDate prints days since the epoch as YYYY-MM-DD.
func FormatDate(days int64) string {
	return time.Unix(days*86400, 0).UTC().Format("2006-01-02")
}

// FormatTimestamp prints a timestamp(p) value with p fractional digits.
func FormatTimestamp(v int64, t Type) string {
	per := t.UnitsPerSecond()
	sec, frac := v/per, v%per
	if frac < 0 {
		sec, frac = sec-1, frac+per
	}
	s := time.Unix(sec, frac*(1e9/per)).UTC()
	if t.P == 0 {
		return s.Format("2006-01-02 15:04:05")
	}
	return s.Format("2006-01-02 15:04:05." + strings.Repeat("0", int(t.P)))
}

// FormatDecimal prints an unscaled decimal (int64 or Int128) with its scale.
func FormatDecimal(v any, scale int32) string {
	var digits string
	switch v := v.(type) {
	case int64:
		digits = fmt.Sprint(v)
	case Int128:
		digits = v.Big().String()
	default:
		return fmt.Sprint(v)
	}
	if scale == 0 {
		return digits
	}
	sign := ""
	if digits[0] == '-' {
		sign, digits = "-", digits[1:]
	}
	if pad := int(scale) + 1 - len(digits); pad > 0 {
		digits = strings.Repeat("0", pad) + digits
	}
	cut := len(digits) - int(scale)
	return sign + digits[:cut] + "." + digits[cut:]
}

// Big returns a as a big integer.
func (a Int128) Big() *big.Int {
	b := new(big.Int).Lsh(big.NewInt(a.Hi), 64)
	return b.Add(b, new(big.Int).SetUint64(a.Lo))
}
