package kernel

import (
	"bytes"
	"strconv"
	"unicode/utf8"

	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/types"
)

// appender appends the text of row i of a call's first argument.
type appender func(dst []byte, i int) []byte

// castToText casts to varchar(n) and char(n).
func castToText(from, to types.Type) (kern, bool) {
	if from.Kind == types.JSON {
		return jsonToText(to), true
	}
	if from.Kind == types.Varchar || from.Kind == types.Char {
		return castStrings(from, to), true
	}
	prepare, ok := textOf(from)
	if !ok {
		return kern{}, false
	}
	return rowKern(func(c *call) func(i int) error {
		text := prepare(c)
		return func(i int) error {
			c.buf = text(c.buf[:0], i)
			if len(c.buf) > int(to.P) {
				return tooLong(c, i, from, to)
			}
			return c.out.putBytes(i, c.buf)
		}
	}), true
}

func tooLong(c *call, i int, from, to types.Type) error {
	text := string(c.buf)
	if !from.IsFloat() {
		return qerr.New(qerr.InvalidCastArgument, "Value %s cannot be represented as %s", text, to)
	}
	bits := 64
	if from.Kind == types.Real {
		bits = 32
	}
	return qerr.New(qerr.InvalidCastArgument, "Value %s (%s) cannot be represented as %s", javaText(c.doubles(0)(i), bits), text, to)
}

// textOf returns how values of a type are written.
func textOf(t types.Type) (func(c *call) appender, bool) {
	switch t.Kind {
	case types.Boolean:
		return func(c *call) appender {
			a := arg[uint8](c, 0)
			return func(dst []byte, i int) []byte { return strconv.AppendBool(dst, a.at(i) != 0) }
		}, true
	case types.TinyInt, types.SmallInt, types.Integer, types.BigInt:
		return intText(func(dst []byte, v int64) []byte { return strconv.AppendInt(dst, v, 10) }), true
	case types.Real, types.Double:
		bits := 64
		if t.Kind == types.Real {
			bits = 32
		}
		return func(c *call) appender {
			a := c.doubles(0)
			return func(dst []byte, i int) []byte { return types.AppendDouble(dst, a(i), bits) }
		}, true
	case types.Decimal:
		return func(c *call) appender {
			a := c.wides(0)
			return func(dst []byte, i int) []byte { return types.AppendDecimal(dst, a.at(i), t.S) }
		}, true
	case types.Date:
		return intText(types.AppendDate), true
	case types.Time:
		return intText(func(dst []byte, v int64) []byte { return types.AppendTime(dst, v, t.P) }), true
	case types.Timestamp:
		return intText(func(dst []byte, v int64) []byte { return types.AppendTimestamp(dst, v, t) }), true
	case types.IntervalDay:
		return intText(types.AppendIntervalDay), true
	case types.IntervalYear:
		return intText(types.AppendIntervalYear), true
	case types.TimestampTZ:
		return wideText(func(dst []byte, v types.Int128) []byte { return types.AppendTimestampTZ(dst, v, t) }), true
	case types.TimeTZ:
		return wideText(func(dst []byte, v types.Int128) []byte {
			return append(types.AppendTime(dst, v.Int64(), t.P), types.OffsetText(v.Hi)...)
		}), true
	case types.UUID:
		return wideText(types.AppendUUID), true
	}
	return nil, false
}

func intText(f func(dst []byte, v int64) []byte) func(c *call) appender {
	return func(c *call) appender {
		a := c.ints(0)
		return func(dst []byte, i int) []byte { return f(dst, a(i)) }
	}
}

func wideText(f func(dst []byte, v types.Int128) []byte) func(c *call) appender {
	return func(c *call) appender {
		a := arg[types.Int128](c, 0)
		return func(dst []byte, i int) []byte { return f(dst, a.at(i)) }
	}
}

// castStrings casts between varchar and char: cut to the length, and for char
// without the spaces at the end. A char becomes a varchar with its padding.
func castStrings(from, to types.Type) kern {
	pad := from.Kind == types.Char && to.Kind == types.Varchar
	return kern{strict: true, eval: func(c *call) error {
		a, res := c.bytes(0), out[vector.View](c.out)
		base := c.out.shareHeap(a.heap)
		return c.each(func(i int) error {
			b := a.at(i)
			if pad {
				c.buf = padChar(append(c.buf[:0], b...), from)
				return c.out.putBytes(i, cutRunes(c.buf, int(to.P)))
			}
			short := cutRunes(b, int(to.P))
			if to.Kind == types.Char {
				short = bytes.TrimRight(short, " ")
			}
			res[i] = subView(&a.views[i&a.mask], short, 0, base)
			return nil
		})
	}}
}

// cutRunes returns at most n characters of b.
func cutRunes(b []byte, n int) []byte {
	if len(b) <= n {
		return b
	}
	at := 0
	for ; n > 0 && at < len(b); n-- {
		at += runeLen(b, at)
	}
	return b[:at]
}

// runeLen returns the length of the character at b[i]; a byte that is not
// UTF-8 counts as one.
func runeLen(b []byte, i int) int {
	if b[i] < utf8.RuneSelf {
		return 1
	}
	_, n := utf8.DecodeRune(b[i:])
	return n
}

// subView returns the view of part, which begins off bytes into the string of
// v, whose heap buffers are base further on in the result's heap.
func subView(v *vector.View, part []byte, off, base int) vector.View {
	if len(part) <= vector.InlineLen {
		return vector.InlineView(part)
	}
	buf, at := v.Ref()
	return vector.HeapView(part, buf+base, at+off)
}

// castFromText casts from varchar and char.
func castFromText(from, to types.Type, env *Env) (kern, bool) {
	switch to.Kind {
	case types.Boolean:
		return parseKern("BOOLEAN", parseBool), true
	case types.TinyInt:
		return parseKern("TINYINT", parseInt[int8](8)), true
	case types.SmallInt:
		return parseKern("SMALLINT", parseInt[int16](16)), true
	case types.Integer:
		return parseKern("INT", parseInt[int32](32)), true
	case types.BigInt:
		return parseKern("BIGINT", parseInt[int64](64)), true
	case types.Real:
		return parseKern("REAL", func(b []byte) (float32, bool) {
			f, ok := types.ParseDouble(string(bytes.TrimSpace(b)), 32)
			return float32(f), ok
		}), true
	case types.Double:
		return parseKern("DOUBLE", func(b []byte) (float64, bool) {
			return types.ParseDouble(string(bytes.TrimSpace(b)), 64)
		}), true
	case types.Decimal:
		return parseDecimalKern(to), true
	case types.Varbinary:
		return kern{strict: true, eval: copyBytes}, true
	case types.JSON:
		return textToJSON(), true
	}
	return parseTimes(to, env)
}

func parseTimes(to types.Type, env *Env) (kern, bool) {
	cannot := func(b []byte) error {
		return qerr.New(qerr.InvalidCastArgument, "Value cannot be cast to %s: %s", baseTime(to), b)
	}
	switch to.Kind {
	case types.Date:
		return textKern(cannot, func(b []byte) (int32, bool) {
			d, ok := types.ParseDate(b)
			return int32(d), ok
		}), true
	case types.Time:
		return textKern(cannot, func(b []byte) (int64, bool) { return types.ParseTime(b, to.P) }), true
	case types.Timestamp:
		return textKern(cannot, func(b []byte) (int64, bool) {
			v, zone, ok := types.ParseTimestamp(b, to)
			if ok && zone != "" {
				_, ok = types.ZoneByName(zone)
			}
			return v, ok
		}), true
	case types.TimestampTZ:
		return textKern(cannot, func(b []byte) (types.Int128, bool) {
			return types.ParseTimestampTZ(b, to, env.Session.Zone)
		}), true
	case types.TimeTZ:
		return textKern(cannot, func(b []byte) (types.Int128, bool) { return types.ParseTimeTZ(b, to.P) }), true
	case types.IntervalDay:
		return textKern(cannot, func(b []byte) (int64, bool) {
			return types.ParseIntervalDay(string(b), types.DayField, types.SecondField)
		}), true
	case types.IntervalYear:
		return textKern(cannot, func(b []byte) (int32, bool) {
			v, ok := types.ParseIntervalYear(string(b), types.YearField, types.MonthField)
			return int32(v), ok
		}), true
	case types.UUID:
		return textKern(func(b []byte) error {
			return qerr.New(qerr.InvalidCastArgument, "Cannot cast value to UUID: %s", b)
		}, types.ParseUUID), true
	}
	return kern{}, false
}

// baseTime is a time type's name in cast errors: without zone and precision.
func baseTime(t types.Type) string {
	switch t.Kind {
	case types.TimestampTZ:
		return types.Timestamp.Base()
	case types.TimeTZ:
		return types.Time.Base()
	}
	return t.Kind.Base()
}

// textKern is a kernel that parses strings.
func textKern[R vector.Fixed](cannot func(b []byte) error, parse func(b []byte) (R, bool)) kern {
	return kern{strict: true, fallible: true, eval: func(c *call) error {
		a, res := c.bytes(0), out[R](c.out)
		return c.each(func(i int) error {
			v, ok := parse(a.at(i))
			if !ok {
				if c.safe {
					c.out.setNull(i)
					return nil
				}
				return cannot(a.at(i))
			}
			res[i] = v
			return nil
		})
	}}
}

func parseKern[R vector.Fixed](name string, parse func(b []byte) (R, bool)) kern {
	return textKern(func(b []byte) error {
		return qerr.New(qerr.InvalidCastArgument, "Cannot cast '%s' to %s", b, name)
	}, parse)
}

func parseBool(b []byte) (uint8, bool) {
	switch {
	case len(b) == 1 && (b[0]|0x20 == 't' || b[0] == '1'), len(b) == 4 && bytes.EqualFold(b, []byte("true")):
		return 1, true
	case len(b) == 1 && (b[0]|0x20 == 'f' || b[0] == '0'), len(b) == 5 && bytes.EqualFold(b, []byte("false")):
		return 0, true
	}
	return 0, false
}

// parseInt reads a signed decimal integer of the given size, spaces around it
// allowed.
func parseInt[R signed](bits uint) func(b []byte) (R, bool) {
	limit := uint64(1) << (bits - 1)
	return func(b []byte) (R, bool) {
		b = bytes.TrimSpace(b)
		neg := len(b) > 0 && b[0] == '-'
		if neg || len(b) > 0 && b[0] == '+' {
			b = b[1:]
		}
		var n uint64
		for _, c := range b {
			if c < '0' || c > '9' || n > (1<<63)/10 {
				return 0, false
			}
			n = n*10 + uint64(c-'0')
		}
		if len(b) == 0 || n > limit || n == limit && !neg {
			return 0, false
		}
		if neg {
			return R(-int64(n)), true
		}
		return R(n), true
	}
}

func parseDecimalKern(to types.Type) kern {
	return rowKern(func(c *call) func(i int) error {
		a, put := c.bytes(0), putWide(c)
		return func(i int) error {
			v, number, ok := types.ParseDecimal(a.at(i), to.S)
			switch {
			case !number:
				return qerr.New(qerr.InvalidCastArgument, "Cannot cast VARCHAR '%s' to %s. Value is not a number.", a.at(i), decimalName(to))
			case !ok || !v.FitsDecimal(to.P):
				return qerr.New(qerr.InvalidCastArgument, "Cannot cast VARCHAR '%s' to %s. Value too large.", a.at(i), decimalName(to))
			}
			put(i, v)
			return nil
		}
	})
}
