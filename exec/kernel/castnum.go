package kernel

import (
	"encoding/binary"
	"math"
	"strings"

	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/types"
)

// castNumber casts among booleans, integers and floats.
func castNumber(from, to types.Type) (kern, bool) {
	switch from.Kind {
	case types.Boolean:
		return castInt[uint8](to)
	case types.TinyInt:
		return castInt[int8](to)
	case types.SmallInt:
		return castInt[int16](to)
	case types.Integer:
		return castInt[int32](to)
	case types.BigInt:
		return castInt[int64](to)
	case types.Real:
		return castFloat[float32](to, 32)
	}
	return castFloat[float64](to, 64)
}

func castInt[A uint8 | int8 | int16 | int32 | int64](to types.Type) (kern, bool) {
	switch to.Kind {
	case types.Boolean:
		return map1(func(a A) uint8 { return boolByte(a != 0) }), true
	case types.TinyInt:
		return narrowInt[A, int8]("tinyint"), true
	case types.SmallInt:
		return narrowInt[A, int16]("smallint"), true
	case types.Integer:
		return narrowInt[A, int32]("integer"), true
	case types.BigInt:
		return kern{eval: widenInts[A]}, true
	case types.Real:
		return map1(func(a A) float32 { return float32(a) }), true
	}
	return map1(func(a A) float64 { return float64(a) }), to.Kind == types.Double
}

// widenInts is the loop of casts to bigint.
func widenInts[A uint8 | int8 | int16 | int32 | int64](c *call) error {
	a, res := arg[A](c, 0), out[int64](c.out)
	if c.sel == nil {
		for i, x := range a.vals[:len(res)] {
			res[i] = int64(x)
		}
		return nil
	}
	for _, i := range c.sel {
		res[i] = int64(a.at(int(i)))
	}
	return nil
}

// narrowInt casts integers, collecting whether any did not fit.
func narrowInt[A uint8 | int8 | int16 | int32 | int64, R signed](name string) kern {
	return kern{strict: true, fallible: true, eval: func(c *call) error {
		a, res := arg[A](c, 0), out[R](c.out)
		return c.each(func(i int) error {
			x := a.at(i)
			res[i] = R(x)
			if int64(res[i]) != int64(x) {
				return c.fail(i, qerr.New(qerr.NumericValueOutOfRange, "Out of range for %s: %d", name, int64(x)))
			}
			return nil
		})
	}}
}

func castFloat[A float32 | float64](to types.Type, bits int) (kern, bool) {
	switch to.Kind {
	case types.Boolean:
		return map1(func(a A) uint8 { return boolByte(a != 0) }), true
	case types.TinyInt:
		return roundFloat[A, int8]("tinyint", bits, math.MinInt8, math.MaxInt8), true
	case types.SmallInt:
		return roundFloat[A, int16]("smallint", bits, math.MinInt16, math.MaxInt16), true
	case types.Integer:
		return roundFloat[A, int32]("integer", bits, math.MinInt32, math.MaxInt32), true
	case types.BigInt:
		return castToBigint[A](bits), true
	case types.Real:
		return map1(func(a A) float32 { return float32(a) }), true
	}
	return map1(func(a A) float64 { return float64(a) }), to.Kind == types.Double
}

func javaText(f float64, bits int) string { return string(types.AppendJavaDouble(nil, f, bits)) }

func kindOfBits(bits int) string {
	if bits == 32 {
		return "real"
	}
	return "double"
}

// roundHalfAway rounds to the nearest integer, ties away from zero.
func roundHalfAway(f float64) float64 { return math.Round(f) }

func roundFloat[A float32 | float64, R signed](name string, bits int, lo, hi float64) kern {
	return try1(func(a A) (R, error) {
		f := float64(a)
		if f != f {
			return 0, qerr.New(qerr.InvalidCastArgument, "Cannot cast %s NaN to %s", kindOfBits(bits), name)
		}
		r := roundHalfAway(f)
		if r < lo || r > hi {
			return 0, qerr.New(qerr.NumericValueOutOfRange, "Out of range for %s: %s", name, javaText(f, bits))
		}
		return R(r), nil
	})
}

// castToBigint fails for doubles out of range; reals saturate and NaN is an
// error, as in Trino.
func castToBigint[A float32 | float64](bits int) kern {
	return try1(func(a A) (int64, error) {
		f := float64(a)
		r := roundHalfAway(f)
		switch {
		case r >= math.MinInt64 && r < math.MaxInt64:
			return int64(r), nil
		case bits == 32 && f != f:
			return 0, qerr.New(qerr.InvalidCastArgument, "Cannot cast real NaN to bigint")
		case bits == 32 && r > 0:
			return math.MaxInt64, nil
		case bits == 32:
			return math.MinInt64, nil
		}
		return 0, qerr.New(qerr.InvalidCastArgument, "Unable to cast %s to bigint", javaText(f, bits))
	})
}

// decimalName prints a decimal type as error texts have it.
func decimalName(t types.Type) string {
	return strings.Replace(strings.ToUpper(t.String()), ",", ", ", 1)
}

func errCastDecimal(kind, value string, to types.Type) error {
	return qerr.New(qerr.InvalidCastArgument, "Cannot cast %s '%s' to %s", kind, value, decimalName(to))
}

func decimalText(v types.Int128, scale int32) string {
	return string(types.AppendDecimal(nil, v, scale))
}

func castToDecimal(from, to types.Type) (kern, bool) {
	switch from.Kind {
	case types.Decimal:
		return rescaleKernel(from, to), true
	case types.Boolean, types.TinyInt, types.SmallInt, types.Integer, types.BigInt:
		return intToDecimal(from, to), true
	case types.Real, types.Double:
		bits := 64
		if from.Kind == types.Real {
			bits = 32
		}
		return rowKern(func(c *call) func(i int) error {
			a, put := c.doubles(0), putWide(c)
			return func(i int) error {
				f := a(i)
				v, ok := floatToDecimal(f, bits, to)
				if !ok {
					return errCastDecimal(strings.ToUpper(kindOfBits(bits)), javaText(f, bits), to)
				}
				put(i, v)
				return nil
			}
		}), true
	}
	return kern{}, false
}

// floatToDecimal rounds the shortest text of a float.
func floatToDecimal(f float64, bits int, to types.Type) (types.Int128, bool) {
	if bits == 32 && !math.IsNaN(f) && !math.IsInf(f, 0) {
		v, _, ok := types.ParseDecimal(types.AppendJavaDouble(nil, f, 32), to.S)
		return v, ok && v.FitsDecimal(to.P)
	}
	return types.DoubleToDecimal(f, to.P, to.S)
}

func intToDecimal(from, to types.Type) kern {
	digits := map[types.Kind]int32{types.Boolean: 1, types.TinyInt: 3, types.SmallInt: 5, types.Integer: 10, types.BigInt: 19}[from.Kind]
	factor, name := types.Pow10(to.S), strings.ToUpper(from.String())
	if digits+to.S <= to.P && to.IsShortDecimal() {
		k := factor.Int64()
		return kern{eval: func(c *call) error {
			a, res := c.ints(0), out[int64](c.out)
			return c.each(func(i int) error {
				res[i] = a(i) * k
				return nil
			})
		}}
	}
	return rowKern(func(c *call) func(i int) error {
		a, put := c.ints(0), putWide(c)
		return func(i int) error {
			x := a(i)
			v, ok := types.Int128Of(x).Mul(factor)
			if !ok || !v.FitsDecimal(to.P) {
				return errCastDecimal(name, types.Int128Of(x).String(), to)
			}
			put(i, v)
			return nil
		}
	})
}

// rescaleKernel casts between decimals: a plain multiplication where every
// value fits.
func rescaleKernel(from, to types.Type) kern {
	if from.IsShortDecimal() && to.IsShortDecimal() && to.S >= from.S && to.P-to.S >= from.P-from.S {
		k := types.Pow10Int64(to.S - from.S)
		return kern{eval: func(c *call) error {
			a, res := arg[int64](c, 0), out[int64](c.out)
			return c.each(func(i int) error {
				res[i] = a.at(i) * k
				return nil
			})
		}}
	}
	return rowKern(func(c *call) func(i int) error {
		a, put := c.wides(0), putWide(c)
		return func(i int) error {
			x := a.at(i)
			v, ok := x.Rescale(from.S, to.S)
			if !ok || !v.FitsDecimal(to.P) {
				return errCastDecimal(decimalName(from), decimalText(x, from.S), to)
			}
			put(i, v)
			return nil
		}
	})
}

func castFromDecimal(from, to types.Type) (kern, bool) {
	switch to.Kind {
	case types.Boolean:
		return rowKern(func(c *call) func(i int) error {
			a, res := c.wides(0), out[uint8](c.out)
			return func(i int) error {
				res[i] = boolByte(a.at(i).Sign() != 0)
				return nil
			}
		}), true
	case types.TinyInt:
		return decimalToInt[int8](from, "TINYINT"), true
	case types.SmallInt:
		return decimalToInt[int16](from, "SMALLINT"), true
	case types.Integer:
		return decimalToInt[int32](from, "INTEGER"), true
	case types.BigInt:
		return decimalToInt[int64](from, "BIGINT"), true
	case types.Real:
		return decimalToReal(from), true
	case types.Double:
		return decimalToDouble(from), true
	}
	return kern{}, false
}

func decimalToInt[R signed](from types.Type, name string) kern {
	return rowKern(func(c *call) func(i int) error {
		a, res := c.wides(0), out[R](c.out)
		return func(i int) error {
			x := a.at(i)
			v, _ := x.Rescale(from.S, 0)
			res[i] = R(v.Int64())
			if !v.IsInt64() || int64(res[i]) != v.Int64() {
				text := decimalText(x, from.S)
				if from.IsShortDecimal() {
					text = v.String()
				}
				return qerr.New(qerr.InvalidCastArgument, "Cannot cast '%s' to %s", text, name)
			}
			return nil
		}
	})
}

// decimalToReal divides in 32 bits where the decimal is short, as Trino does.
func decimalToReal(from types.Type) kern {
	if from.IsShortDecimal() {
		div := float32(types.Pow10Int64(from.S))
		return map1(func(x int64) float32 { return float32(x) / div })
	}
	return map1(func(x types.Int128) float32 { return float32(types.DecimalToDouble(x, from.S)) })
}

func decimalToDouble(from types.Type) kern {
	if from.IsShortDecimal() {
		div := float64(types.Pow10Int64(from.S))
		return map1(func(x int64) float64 { return float64(x) / div })
	}
	return map1(func(x types.Int128) float64 { return types.DecimalToDouble(x, from.S) })
}

// castTime casts among dates, times and timestamps, and between strings of
// bytes.
func castTime(from, to types.Type, env *Env) (kern, bool) {
	zone := env.Session.Zone
	day := from.UnitsPerSecond() * 86400
	switch {
	case from.Kind == types.Date && to.Kind == types.Timestamp:
		per := to.UnitsPerSecond() * 86400
		return try1(func(d int32) (int64, error) { return addUnits(0, int64(d), per) }), true
	case from.Kind == types.Date && to.Kind == types.TimestampTZ:
		per := to.UnitsPerSecond() * 86400
		return try1(func(d int32) (types.Int128, error) {
			v, err := addUnits(0, int64(d), per)
			return zoned(types.UTCOfLocal(v, to, zone), zone), err
		}), true
	case from.Kind == types.Timestamp && to.Kind == types.Date:
		return map1(func(v int64) int32 { return int32(types.FloorDiv(v, day)) }), true
	case from.Kind == types.Timestamp && to.Kind == types.Time:
		unit := 1e9 / from.UnitsPerSecond()
		return map1(func(v int64) int64 { return roundTime(types.FloorMod(v, day)*unit, to.P) }), true
	case from.Kind == types.Timestamp && to.Kind == types.Timestamp:
		return map1(func(v int64) int64 { return types.RescaleTimestamp(v, from, to) }), true
	case from.Kind == types.Timestamp && to.Kind == types.TimestampTZ:
		return map1(func(v int64) types.Int128 {
			return zoned(types.UTCOfLocal(types.RescaleTimestamp(v, from, to), to, zone), zone)
		}), true
	case from.Kind == types.Time && to.Kind == types.Time:
		return map1(func(v int64) int64 { return roundTime(v, to.P) }), true
	case from.Kind == types.Time && to.Kind == types.Timestamp:
		today := today(env)
		return map1(func(v int64) int64 { return timeOnDay(v, today, to) }), true
	case from.Kind == types.Time && to.Kind == types.TimestampTZ:
		today := today(env)
		return map1(func(v int64) types.Int128 {
			return zoned(types.UTCOfLocal(timeOnDay(v, today, to), to, zone), zone)
		}), true
	case from.Kind == types.TimestampTZ:
		return castFromZoned(from, to)
	case typeIsBytes(from) && typeIsBytes(to):
		return kern{strict: true, eval: copyBytes}, true
	case from.Kind == types.UUID && to.Kind == types.Varbinary:
		return rowKern(func(c *call) func(i int) error {
			a := arg[types.Int128](c, 0)
			return func(i int) error { return c.out.putBytes(i, uuidBytes(a.at(i))) }
		}), true
	case from.Kind == types.Varbinary && to.Kind == types.UUID:
		return textKern(func(b []byte) error {
			return qerr.New(qerr.InvalidCastArgument, "Invalid UUID binary length: %d", len(b))
		}, uuidOfBytes), true
	}
	return kern{}, false
}

func castFromZoned(from, to types.Type) (kern, bool) {
	day := from.UnitsPerSecond() * 86400
	switch to.Kind {
	case types.Date:
		return map1(func(v types.Int128) int32 { return int32(types.FloorDiv(types.LocalTimestamp(v, from), day)) }), true
	case types.Time:
		unit := 1e9 / from.UnitsPerSecond()
		return map1(func(v types.Int128) int64 {
			return roundTime(types.FloorMod(types.LocalTimestamp(v, from), day)*unit, to.P)
		}), true
	case types.Timestamp:
		return map1(func(v types.Int128) int64 {
			return types.RescaleTimestamp(types.LocalTimestamp(v, from), from, to)
		}), true
	case types.TimestampTZ:
		return map1(func(v types.Int128) types.Int128 {
			return zoned(types.RescaleTimestamp(v.Int64(), from, to), v.Hi)
		}), true
	}
	return kern{}, false
}

func zoned(v, zone int64) types.Int128 { return types.Int128{Lo: uint64(v), Hi: zone} }

// roundTime rounds nanoseconds of the day half up to p digits, past midnight
// to zero.
func roundTime(nanos int64, p int32) int64 {
	step := types.Pow10Int64(9 - min(p, 9))
	return (nanos + step/2) / step * step % types.NanosPerDay
}

// today is the session's date, in days since the epoch.
func today(env *Env) int64 {
	sec := env.Session.Start.Unix()
	return types.FloorDiv(sec+types.ZoneOffset(env.Session.Zone, sec), 86400)
}

func timeOnDay(nanos, day int64, t types.Type) int64 {
	per := t.UnitsPerSecond()
	return day*86400*per + roundTime(nanos, t.P)/(1e9/per)
}

// copyBytes shares the argument's strings with the result.
func copyBytes(c *call) error {
	a, res := c.bytes(0), out[vector.View](c.out)
	c.out.shareHeap(a.heap)
	return c.each(func(i int) error {
		res[i] = a.views[i&a.mask]
		return nil
	})
}

func uuidOfBytes(b []byte) (types.Int128, bool) {
	if len(b) != 16 {
		return types.Int128{}, false
	}
	return types.Int128{Hi: int64(binary.BigEndian.Uint64(b)), Lo: binary.BigEndian.Uint64(b[8:])}, true
}

func uuidBytes(v types.Int128) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, uint64(v.Hi)), v.Lo)
}
