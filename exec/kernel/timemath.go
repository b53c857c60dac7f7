package kernel

import (
	"math"

	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// timeSum is + and - (sign -1) with dates, times, timestamps and intervals.
func timeSum(fn *function.Scalar, b *binding, sign int64) (kern, error) {
	x, y := fn.Args[0], fn.Args[1]
	isInterval := x.Kind == types.IntervalDay || x.Kind == types.IntervalYear
	switch {
	case isInterval && x.Kind == y.Kind:
		return intervalSum(x.Kind, sign), nil
	case isInterval && sign > 0:
		flipped := &function.Scalar{Name: fn.Name, Args: []types.Type{y, x}, Result: fn.Result}
		k, err := timeSum(flipped, b, sign)
		return swapArgs(k), err
	case y.Kind == types.IntervalDay:
		return addDaySecond(x, sign, fn)
	case y.Kind == types.IntervalYear:
		return addYearMonth(x, sign, fn)
	case sign < 0 && x.Kind == y.Kind:
		return timeDifference(x, fn)
	}
	return kern{}, unsupported(fn)
}

// swapArgs makes a kernel of two arguments see them exchanged.
func swapArgs(k kern) kern {
	eval := k.eval
	k.eval = func(c *call) error {
		c.args[0], c.args[1] = c.args[1], c.args[0]
		return eval(c)
	}
	return k
}

func intervalSum(k types.Kind, sign int64) kern {
	if k == types.IntervalDay {
		return try2(func(a, b int64) (int64, error) {
			s, ok := types.Int128Of(a).AddOK(types.Int128Of(sign * b))
			if !ok || !s.IsInt64() {
				return 0, errIntervalOverflow(a, b, sign)
			}
			return s.Int64(), nil
		})
	}
	return try2(func(a, b int32) (int32, error) {
		s := int64(a) + sign*int64(b)
		if s != int64(int32(s)) {
			return 0, errIntervalOverflow(int64(a), int64(b), sign)
		}
		return int32(s), nil
	})
}

func errIntervalOverflow(a, b, sign int64) error {
	if sign < 0 {
		return qerr.New(qerr.NumericValueOutOfRange, "interval subtraction overflow: %d - %d", a, b)
	}
	return qerr.New(qerr.NumericValueOutOfRange, "interval addition overflow: %d + %d", a, b)
}

func errDateRange() error {
	return qerr.New(qerr.NumericValueOutOfRange, "date or timestamp out of range")
}

// addDaySecond adds an interval of milliseconds.
func addDaySecond(t types.Type, sign int64, fn *function.Scalar) (kern, error) {
	switch t.Kind {
	case types.Date:
		return try2(func(d int32, ms int64) (int32, error) {
			if ms%types.MillisPerDay != 0 {
				return 0, qerr.New(qerr.InvalidFunctionArgument, "Cannot %s hour, minutes or seconds %s a date", verb(sign), preposition(sign))
			}
			r := int64(d) + sign*(ms/types.MillisPerDay)
			if r != int64(int32(r)) {
				return 0, errDateRange()
			}
			return int32(r), nil
		}), nil
	case types.Time:
		return map2(func(v, ms int64) int64 {
			return types.FloorMod(v+sign*(ms%types.MillisPerDay)*1e6, types.NanosPerDay)
		}), nil
	case types.Timestamp:
		per := t.UnitsPerSecond() / 1000
		return try2(func(v, ms int64) (int64, error) { return addUnits(v, ms, sign*per) }), nil
	case types.TimestampTZ:
		per := t.UnitsPerSecond() / 1000
		return try2(func(v types.Int128, ms int64) (types.Int128, error) {
			r, err := addUnits(v.Int64(), ms, sign*per)
			return types.Int128{Lo: uint64(r), Hi: v.Hi}, err
		}), nil
	}
	return kern{}, unsupported(fn)
}

func verb(sign int64) string {
	if sign < 0 {
		return "subtract"
	}
	return "add"
}

func preposition(sign int64) string {
	if sign < 0 {
		return "from"
	}
	return "to"
}

// addUnits returns v + n*per.
func addUnits(v, n, per int64) (int64, error) {
	r, ok := types.MulInt64(n, per).AddOK(types.Int128Of(v))
	if !ok || !r.IsInt64() {
		return 0, errDateRange()
	}
	return r.Int64(), nil
}

// addYearMonth adds an interval of months, clamping to the end of the month.
func addYearMonth(t types.Type, sign int64, fn *function.Scalar) (kern, error) {
	switch t.Kind {
	case types.Date:
		return try2(func(d, months int32) (int32, error) {
			r := types.AddMonths(int64(d), sign*int64(months))
			if r != int64(int32(r)) {
				return 0, errDateRange()
			}
			return int32(r), nil
		}), nil
	case types.Timestamp:
		return try2(func(v int64, months int32) (int64, error) {
			return addMonths(v, sign*int64(months), t)
		}), nil
	case types.TimestampTZ:
		return try2(func(v types.Int128, months int32) (types.Int128, error) {
			return addZonedMonths(v, sign*int64(months), t)
		}), nil
	}
	return kern{}, unsupported(fn)
}

// addMonths moves a timestamp by months, keeping the time of day.
func addMonths(v, months int64, t types.Type) (int64, error) {
	perDay := t.UnitsPerSecond() * 86400
	day := types.FloorDiv(v, perDay)
	moved := types.AddMonths(day, months)
	if moved > math.MaxInt64/perDay-1 || moved < math.MinInt64/perDay+1 {
		return 0, errDateRange()
	}
	return moved*perDay + v - day*perDay, nil
}

// addZonedMonths moves the local time and finds the instant again.
func addZonedMonths(v types.Int128, months int64, t types.Type) (types.Int128, error) {
	local, err := addMonths(types.LocalTimestamp(v, t), months, t)
	return types.Int128{Lo: uint64(types.UTCOfLocal(local, t, v.Hi)), Hi: v.Hi}, err
}

// timeDifference is a - b as an interval day to second, rounded half up to
// milliseconds.
func timeDifference(t types.Type, fn *function.Scalar) (kern, error) {
	switch t.Kind {
	case types.Date:
		return map2(func(a, b int32) int64 { return (int64(a) - int64(b)) * types.MillisPerDay }), nil
	case types.Time:
		return map2(func(a, b int64) int64 { return roundMillis(a - b) }), nil
	case types.Timestamp:
		per := t.UnitsPerSecond() / 1000
		return map2(func(a, b int64) int64 { return types.FloorDiv(a-b+per/2, per) }), nil
	case types.TimestampTZ:
		per := t.UnitsPerSecond() / 1000
		return map2(func(a, b types.Int128) int64 {
			return types.FloorDiv(a.Int64()-b.Int64()+per/2, per)
		}), nil
	}
	return kern{}, unsupported(fn)
}

// roundMillis rounds nanoseconds half up to milliseconds.
func roundMillis(nanos int64) int64 { return types.FloorDiv(nanos+5e5, 1e6) }

// intervalScale is interval * number, number * interval and interval / number.
func intervalScale(fn *function.Scalar) (kern, error) {
	divide := fn.Name == function.OpDivide
	at := 0
	if fn.Args[0].IsNumeric() {
		at = 1
	}
	months := fn.Args[at].Kind == types.IntervalYear
	isFloat := fn.Args[1-at].IsFloat()
	return rowKern(func(c *call) func(i int) error {
		iv := c.ints(at)
		put := putInterval(c, months)
		if isFloat {
			f := c.doubles(1 - at)
			return func(i int) error { return scaleByDouble(put, i, iv(i), f(i), divide) }
		}
		k := c.ints(1 - at)
		return func(i int) error { return scaleByInt(put, i, iv(i), k(i), divide) }
	}), nil
}

func putInterval(c *call, months bool) func(i int, v int64) error {
	if months {
		res := out[int32](c.out)
		return func(i int, v int64) error {
			res[i] = int32(v)
			if v != int64(int32(v)) {
				return qerr.New(qerr.NumericValueOutOfRange, "Overflow multiplying interval")
			}
			return nil
		}
	}
	res := out[int64](c.out)
	return func(i int, v int64) error {
		res[i] = v
		return nil
	}
}

func scaleByInt(put func(int, int64) error, i int, v, k int64, divide bool) error {
	if divide {
		if k == 0 {
			return errDivisionByZero()
		}
		return put(i, v/k)
	}
	p := types.MulInt64(v, k)
	if !p.IsInt64() {
		return qerr.New(qerr.NumericValueOutOfRange, "Overflow multiplying interval")
	}
	return put(i, p.Int64())
}

func scaleByDouble(put func(int, int64) error, i int, v int64, f float64, divide bool) error {
	r := float64(v) * f
	if divide {
		r = float64(v) / f
	}
	if math.IsNaN(r) || r >= math.MaxInt64 || r <= math.MinInt64 {
		return qerr.New(qerr.NumericValueOutOfRange, "Overflow multiplying interval")
	}
	return put(i, int64(r))
}

// doubles returns the k-th argument, real or double, as float64.
func (c *call) doubles(k int) func(i int) float64 {
	if c.args[k].Type.Kind == types.Real {
		a := arg[float32](c, k)
		return func(i int) float64 { return float64(a.at(i)) }
	}
	a := arg[float64](c, k)
	return func(i int) float64 { return a.at(i) }
}
