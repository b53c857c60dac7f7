package kernel

import (
	"math"
	"strings"

	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// dateKernels are the functions of dates, times and timestamps.
var dateKernels = map[string]builder{
	"year": fieldOf(yearOf), "quarter": fieldOf(quarterOf), "month": fieldOf(monthOf),
	"week": fieldOf(weekOf), "week_of_year": fieldOf(weekOf), "year_of_week": fieldOf(weekYearOf), "yow": fieldOf(weekYearOf),
	"day": fieldOf(dayOf), "day_of_month": fieldOf(dayOf),
	"day_of_week": fieldOf(weekdayOf), "dow": fieldOf(weekdayOf), "day_of_year": fieldOf(yeardayOf), "doy": fieldOf(yeardayOf),
	"hour": clockField(3_600_000, 24), "minute": clockField(60_000, 60), "second": clockField(1000, 60), "millisecond": clockField(1, 1000),
	"timezone_hour": zoneField(60, 1<<40), "timezone_minute": zoneField(1, 60),
	"date": dateKernel, "last_day_of_month": lastDayKernel,
	"date_trunc": truncKernel, "date_add": dateAddKernel, "date_diff": dateDiffKernel,
	"from_unixtime": fromUnixtimeKernel, "to_milliseconds": fixedKern(map1(func(ms int64) int64 { return ms })), "to_unixtime": toUnixtimeKernel,
	"at_timezone": atTimezoneKernel, function.OpAtTimeZone: atTimezoneKernel, "with_timezone": withTimezoneKernel,
	"now": nowKernel,
}

func yearOf(days int64) int64 {
	y, _, _ := types.Civil(days)
	return y
}

func monthOf(days int64) int64 {
	_, m, _ := types.Civil(days)
	return int64(m)
}

func quarterOf(days int64) int64 { return (monthOf(days) + 2) / 3 }

func dayOf(days int64) int64 {
	_, _, d := types.Civil(days)
	return int64(d)
}

// weekdayOf is 1 for Monday to 7 for Sunday.
func weekdayOf(days int64) int64 { return types.FloorMod(days+3, 7) + 1 }

func yeardayOf(days int64) int64 { return days - types.DaysOf(yearOf(days), 1, 1) + 1 }

// weekYearOf is the ISO year, that of the week's Thursday.
func weekYearOf(days int64) int64 { return yearOf(days + 4 - weekdayOf(days)) }

// weekOf is the ISO week.
func weekOf(days int64) int64 { return (yeardayOf(days+4-weekdayOf(days))-1)/7 + 1 }

// daysArg returns the local date of the k-th argument.
func daysArg(c *call, k int) func(i int) int64 {
	t := c.args[k].Type
	perDay := t.UnitsPerSecond() * 86400
	switch t.Kind {
	case types.Timestamp:
		a := arg[int64](c, k)
		return func(i int) int64 { return types.FloorDiv(a.at(i), perDay) }
	case types.TimestampTZ:
		a := arg[types.Int128](c, k)
		return func(i int) int64 { return types.FloorDiv(types.LocalTimestamp(a.at(i), t), perDay) }
	}
	return c.ints(k)
}

// fieldOf is a field of a date, or of an interval where that has it.
func fieldOf(f func(days int64) int64) builder {
	return func(fn *function.Scalar, _ *binding) (kern, error) {
		switch fn.Args[0].Kind {
		case types.Date:
			return map1(func(d int32) int64 { return f(int64(d)) }), nil
		case types.IntervalYear:
			if fn.Name == "year" {
				return map1(func(m int32) int64 { return int64(m) / 12 }), nil
			}
			return map1(func(m int32) int64 { return int64(m) % 12 }), nil
		case types.IntervalDay:
			return map1(func(ms int64) int64 { return ms / types.MillisPerDay }), nil
		case types.Timestamp, types.TimestampTZ:
			return kern{strict: true, eval: func(c *call) error {
				days, res := daysArg(c, 0), out[int64](c.out)
				return c.each(func(i int) error {
					res[i] = f(days(i))
					return nil
				})
			}}, nil
		}
		return kern{}, unsupported(fn)
	}
}

// millisArg returns the milliseconds of the local day of the k-th argument, or
// an interval's milliseconds.
func millisArg(c *call, k int) func(i int) int64 {
	t := c.args[k].Type
	per := t.UnitsPerSecond() / 1000
	switch t.Kind {
	case types.Time:
		a := c.ints(k)
		return func(i int) int64 { return a(i) / 1e6 }
	case types.Timestamp:
		a := c.ints(k)
		return func(i int) int64 { return types.FloorMod(types.FloorDiv(a(i), per), types.MillisPerDay) }
	case types.TimestampTZ:
		a := arg[types.Int128](c, k)
		return func(i int) int64 {
			return types.FloorMod(types.FloorDiv(types.LocalTimestamp(a.at(i), t), per), types.MillisPerDay)
		}
	}
	return c.ints(k)
}

// clockField is a field of a time of day: milliseconds / unit modulo size.
func clockField(unit, size int64) builder {
	return rowwise(func(c *call) func(i int) error {
		ms, res := millisArg(c, 0), out[int64](c.out)
		return func(i int) error {
			res[i] = ms(i) / unit % size
			return nil
		}
	})
}

// zoneField is a field of a zone's offset: minutes / unit modulo size.
func zoneField(unit, size int64) builder {
	return rowwise(func(c *call) func(i int) error {
		a, res, per := arg[types.Int128](c, 0), out[int64](c.out), c.args[0].Type.UnitsPerSecond()
		return func(i int) error {
			v := a.at(i)
			minutes := types.ZoneOffset(v.Hi, types.FloorDiv(v.Int64(), per)) / 60
			res[i] = minutes / unit % size
			return nil
		}
	})
}

// dateKernel is CAST(… AS date) by another name.
func dateKernel(fn *function.Scalar, b *binding) (kern, error) {
	if fn.Args[0].Kind == types.Date {
		return map1(func(d int32) int32 { return d }), nil
	}
	return castKernel(fn.Args[0], fn.Result, b.env)
}

func lastDayKernel(*function.Scalar, *binding) (kern, error) {
	return kern{strict: true, eval: func(c *call) error {
		days, res := daysArg(c, 0), out[int32](c.out)
		return c.each(func(i int) error {
			y, m, _ := types.Civil(days(i))
			res[i] = int32(types.DaysOf(y, m, types.DaysInMonth(y, m)))
			return nil
		})
	}}, nil
}

// unit is a unit of date_trunc, date_add and date_diff: a number of
// milliseconds, or of months.
type unit struct {
	millis, months int64
	name           string
}

var units = map[string]unit{
	"millisecond": {millis: 1}, "second": {millis: 1000}, "minute": {millis: 60_000}, "hour": {millis: 3_600_000},
	"day": {millis: types.MillisPerDay}, "week": {millis: 7 * types.MillisPerDay},
	"month": {months: 1}, "quarter": {months: 3}, "year": {months: 12},
}

// isDate reports whether the unit is of whole days.
func (u unit) isDate() bool { return u.months > 0 || u.millis >= types.MillisPerDay }

// unitReader reads the unit argument, remembering the last.
type unitReader struct {
	names bytesCol
	kind  types.Kind
	last  string
	u     unit
}

func unitArg(c *call, k int) *unitReader {
	return &unitReader{names: c.bytes(0), kind: c.args[k].Type.Kind}
}

func (r *unitReader) at(i int) (unit, error) {
	text := r.names.at(i)
	if r.last == string(text) && r.last != "" {
		return r.u, nil
	}
	name := strings.ToLower(string(text))
	u, ok := units[name]
	bad := !ok || r.kind == types.Date && !u.isDate() || r.kind == types.Time && u.isDate()
	if bad {
		kind := strings.ToUpper(r.kind.Base())
		if r.kind == types.TimestampTZ {
			kind = "TIMESTAMP"
		}
		return u, invalid("'%s' is not a valid %s field", text, kind)
	}
	u.name, r.last, r.u = name, string(text), u
	r.u = u
	return u, nil
}

// truncDays rounds a date down.
func (u unit) truncDays(days int64) int64 {
	switch {
	case u.months > 0:
		y, m, _ := types.Civil(days)
		first := (int64(m)-1)/u.months*u.months + 1
		return types.DaysOf(y, int(first), 1)
	case u.millis > types.MillisPerDay:
		return days - weekdayOf(days) + 1
	}
	return days
}

// truncLocal rounds a local timestamp down; per is its units a second.
func (u unit) truncLocal(v, per int64) int64 {
	if u.isDate() {
		return u.truncDays(types.FloorDiv(v, per*86400)) * per * 86400
	}
	step := u.millis * per / 1000
	return types.FloorDiv(v, step) * step
}

func truncKernel(fn *function.Scalar, _ *binding) (kern, error) {
	t := fn.Args[1]
	per := t.UnitsPerSecond()
	switch t.Kind {
	case types.Date:
		return byUnit(1, func(u unit, v int32) (int32, error) { return int32(u.truncDays(int64(v))), nil }), nil
	case types.Time:
		return byUnit(1, func(u unit, v int64) (int64, error) { return v / (u.millis * 1e6) * (u.millis * 1e6), nil }), nil
	case types.Timestamp:
		return byUnit(1, func(u unit, v int64) (int64, error) { return u.truncLocal(v, per), nil }), nil
	case types.TimestampTZ:
		return byUnit(1, func(u unit, v types.Int128) (types.Int128, error) {
			local := types.LocalTimestamp(v, t)
			cut := u.truncLocal(local, per)
			if u.isDate() {
				return zoned(types.UTCOfLocal(cut, t, v.Hi), v.Hi), nil
			}
			return zoned(v.Int64()-(local-cut), v.Hi), nil
		}), nil
	}
	return kern{}, unsupported(fn)
}

// byUnit is a kernel of a unit's name and the k-th argument.
func byUnit[T int32 | int64 | types.Int128](k int, f func(u unit, v T) (T, error)) kern {
	return rowKern(func(c *call) func(i int) error {
		u, v, res := unitArg(c, k), arg[T](c, k), out[T](c.out)
		return func(i int) error {
			x, err := u.at(i)
			if err != nil {
				return err
			}
			res[i], err = f(x, v.at(i))
			return err
		}
	})
}

// addMillis moves a timestamp by n units of milliseconds and rounds it to its
// precision.
func (u unit) addMillis(v, n int64, t types.Type) (int64, error) {
	r, err := addUnits(v, n, u.millis*t.UnitsPerSecond()/1000)
	if err == nil && u.millis == 1 && t.P < 3 {
		full := t
		full.P = 6
		r = types.RescaleTimestamp(r, full, t)
	}
	return r, err
}

func dateAddKernel(fn *function.Scalar, _ *binding) (kern, error) {
	t := fn.Args[2]
	switch t.Kind {
	case types.Date:
		return addByUnit(func(u unit, n int64, v int32) (int32, error) {
			r := int64(v) + n*(u.millis/types.MillisPerDay)
			if u.months > 0 {
				r = types.AddMonths(int64(v), n*u.months)
			}
			if r != int64(int32(r)) || n > math.MaxInt32 || n < math.MinInt32 {
				return 0, errDateRange()
			}
			return int32(r), nil
		}), nil
	case types.Time:
		return addByUnit(func(u unit, n, v int64) (int64, error) {
			return roundTime(types.FloorMod(v+n%types.MillisPerDay*u.millis%types.MillisPerDay*1e6, types.NanosPerDay), t.P), nil
		}), nil
	case types.Timestamp:
		return addByUnit(func(u unit, n, v int64) (int64, error) {
			if u.months > 0 {
				return addMonths(v, n*u.months, t)
			}
			return u.addMillis(v, n, t)
		}), nil
	case types.TimestampTZ:
		return addByUnit(func(u unit, n int64, v types.Int128) (types.Int128, error) {
			switch {
			case u.months > 0:
				return addZonedMonths(v, n*u.months, t)
			case u.isDate():
				local, err := u.addMillis(types.LocalTimestamp(v, t), n, t)
				return zoned(types.UTCOfLocal(local, t, v.Hi), v.Hi), err
			}
			r, err := u.addMillis(v.Int64(), n, t)
			return zoned(r, v.Hi), err
		}), nil
	}
	return kern{}, unsupported(fn)
}

func addByUnit[T int32 | int64 | types.Int128](f func(u unit, n int64, v T) (T, error)) kern {
	return rowKern(func(c *call) func(i int) error {
		u, n, v, res := unitArg(c, 2), c.ints(1), arg[T](c, 2), out[T](c.out)
		return func(i int) error {
			x, err := u.at(i)
			if err != nil {
				return err
			}
			res[i], err = f(x, n(i), v.at(i))
			return err
		}
	})
}

func dateDiffKernel(fn *function.Scalar, _ *binding) (kern, error) {
	t := fn.Args[1]
	if t.Kind != types.Date && t.Kind != types.Time && t.Kind != types.Timestamp && t.Kind != types.TimestampTZ {
		return kern{}, unsupported(fn)
	}
	if t.Kind == types.Time {
		return timeDiffKernel(), nil
	}
	return rowKern(func(c *call) func(i int) error {
		u, a, b, res := unitArg(c, 1), instantArg(c, 1), instantArg(c, 2), out[int64](c.out)
		return func(i int) error {
			x, err := u.at(i)
			if err != nil {
				return err
			}
			res[i] = diff(x, a(i), b(i))
			return nil
		}
	}), nil
}

// timeDiffKernel counts whole units between times of day.
func timeDiffKernel() kern {
	return rowKern(func(c *call) func(i int) error {
		u, a, b, res := unitArg(c, 1), arg[int64](c, 1), arg[int64](c, 2), out[int64](c.out)
		return func(i int) error {
			x, err := u.at(i)
			if err == nil {
				res[i] = (b.at(i) - a.at(i)) / (x.millis * 1e6)
			}
			return err
		}
	})
}

// instant is a point in time in milliseconds, and where it lies on the clocks
// of its zone.
type instant struct {
	utc  int64
	zone int64
}

func (p instant) local() int64 { return p.localIn(p.zone) }

func (p instant) localIn(zone int64) int64 {
	return p.utc + types.ZoneOffset(zone, types.FloorDiv(p.utc, 1000))*1000
}

func instantArg(c *call, k int) func(i int) instant {
	t := c.args[k].Type
	per := t.UnitsPerSecond() / 1000
	switch t.Kind {
	case types.Date:
		a := c.ints(k)
		return func(i int) instant { return instant{utc: a(i) * types.MillisPerDay} }
	case types.Timestamp:
		a := c.ints(k)
		return func(i int) instant { return instant{utc: types.FloorDiv(a(i), per)} }
	}
	a := arg[types.Int128](c, k)
	return func(i int) instant {
		v := a.at(i)
		return instant{utc: types.FloorDiv(v.Int64(), per), zone: v.Hi}
	}
}

// diff counts whole units from a to b; the other way round it is the negative
// of the same count. Units of days and more are counted on a's clock.
func diff(u unit, a, b instant) int64 {
	if b.utc < a.utc {
		b.zone = a.zone
		return -diff(u, b, instant{utc: a.utc, zone: a.zone})
	}
	x, y := a.utc, b.utc
	if u.isDate() {
		x, y = a.local(), b.localIn(a.zone)
	}
	if u.months == 0 {
		return (y - x) / u.millis
	}
	xd, yd := types.FloorDiv(x, types.MillisPerDay), types.FloorDiv(y, types.MillisPerDay)
	xy, xm, _ := types.Civil(xd)
	yy, ym, _ := types.Civil(yd)
	months := (yy-xy)*12 + int64(ym-xm)
	moved := types.AddMonths(xd, months)*types.MillisPerDay + x - xd*types.MillisPerDay
	if moved > y {
		months--
	}
	return months / u.months
}

func fromUnixtimeKernel(fn *function.Scalar, b *binding) (kern, error) {
	if len(fn.Args) == 1 {
		zone := b.env.Session.Zone
		return try1(func(x float64) (types.Int128, error) { return unixInstant(x, zone) }), nil
	}
	return rowKern(func(c *call) func(i int) error {
		x, res := arg[float64](c, 0), out[types.Int128](c.out)
		zone := zoneArg(c)
		if len(fn.Args) == 3 {
			zone = offsetArg(c)
		}
		return func(i int) error {
			key, err := zone(i)
			if err == nil {
				res[i], err = unixInstant(x.at(i), key)
			}
			return err
		}
	}), nil
}

// unixInstant is the instant x seconds after 1970, to the millisecond.
func unixInstant(x float64, zone int64) (types.Int128, error) {
	ms := math.Floor(x*1000 + 0.5)
	if ms != ms {
		ms = 0
	}
	const limit = 1 << 51
	if ms > limit || ms < -limit {
		return types.Int128{}, invalid("Millis overflow: %s", javaText(ms, 64))
	}
	return zoned(int64(ms)*1000, zone), nil
}

// offsetArg reads the second and third argument: hours and minutes of an
// offset.
func offsetArg(c *call) func(i int) (int64, error) {
	hours, minutes := c.ints(1), c.ints(2)
	return func(i int) (int64, error) {
		h, m := hours(i), minutes(i)
		key, ok := types.OffsetZone(h*60 + m)
		if !ok || h > 14 || h < -14 || m > 59 || m < -59 {
			return 0, invalid("Invalid offset minutes %d", h*60+m)
		}
		return key, nil
	}
}

// toUnixtimeKernel takes a timestamp without zone as local time of the session.
func toUnixtimeKernel(fn *function.Scalar, b *binding) (kern, error) {
	t, zone := fn.Args[0], b.env.Session.Zone
	per := float64(t.UnitsPerSecond())
	switch t.Kind {
	case types.Timestamp:
		return map1(func(v int64) float64 { return float64(types.UTCOfLocal(v, t, zone)) / per }), nil
	case types.TimestampTZ:
		return map1(func(v types.Int128) float64 { return float64(v.Int64()) / per }), nil
	}
	return kern{}, unsupported(fn)
}

// zoneReader reads a zone argument, remembering the last.
type zoneReader struct {
	names bytesCol
	last  string
	key   int64
}

func (r *zoneReader) at(i int) (int64, error) {
	text := r.names.at(i)
	if r.last == string(text) && r.last != "" {
		return r.key, nil
	}
	key, ok := types.ZoneByName(string(text))
	if !ok {
		return 0, invalid("'%s' is not a valid time zone", text)
	}
	r.last, r.key = string(text), key
	return key, nil
}

func atTimezoneKernel(fn *function.Scalar, _ *binding) (kern, error) {
	if fn.Args[0].Kind != types.TimestampTZ {
		return kern{}, unsupported(fn)
	}
	return rowKern(func(c *call) func(i int) error {
		v, res := arg[types.Int128](c, 0), out[types.Int128](c.out)
		zone := zoneArg(c)
		return func(i int) error {
			key, err := zone(i)
			res[i] = zoned(v.at(i).Int64(), key)
			return err
		}
	}), nil
}

// zoneArg reads the second argument: a name, or an interval that is an offset.
func zoneArg(c *call) func(i int) (int64, error) {
	if c.args[1].Type.Kind != types.IntervalDay {
		z := &zoneReader{names: c.bytes(1)}
		return z.at
	}
	ms := c.ints(1)
	return func(i int) (int64, error) {
		key, ok := types.OffsetZone(ms(i) / 60_000)
		if !ok || ms(i)%60_000 != 0 {
			return 0, invalid("Invalid offset minutes %d", ms(i)/60_000)
		}
		return key, nil
	}
}

func withTimezoneKernel(fn *function.Scalar, _ *binding) (kern, error) {
	if fn.Args[0].Kind == types.TimestampTZ {
		return atTimezoneKernel(fn, nil)
	}
	t := fn.Result
	return rowKern(func(c *call) func(i int) error {
		v, res := arg[int64](c, 0), out[types.Int128](c.out)
		zone := zoneArg(c)
		return func(i int) error {
			key, err := zone(i)
			res[i] = zoned(types.UTCOfLocal(v.at(i), t, key), key)
			return err
		}
	}), nil
}

// nowKernel is the query's start, in the session's zone.
func nowKernel(fn *function.Scalar, b *binding) (kern, error) {
	start := zoned(b.env.Session.Start.UnixMilli()*1000, b.env.Session.Zone)
	return kern{eval: func(c *call) error {
		res := out[types.Int128](c.out)
		return c.each(func(i int) error {
			res[i] = start
			return nil
		})
	}}, nil
}
