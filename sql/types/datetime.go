package types

import "strconv"

// Limits of dates, in days since the epoch, and how days divide.
const (
	secondsPerDay = 86400
	nanosPerDay   = secondsPerDay * 1_000_000_000
	// MillisPerDay is the length of a day in the unit of IntervalDay.
	MillisPerDay = secondsPerDay * 1000
	// NanosPerDay is the length of a day in the unit of Time.
	NanosPerDay = nanosPerDay
)

// civilShift moves days so that 32800 years before 0000-03-01 is day 0, and
// all days within reach of an int32 count that have a plain answer are positive.
const (
	civilEras  = 82
	civilShift = civilEras*146097 + 719468
)

// Civil returns the proleptic Gregorian date of a day since 1970-01-01. Within
// 32 millennia it is Neri and Schneider's algorithm ("Euclidean affine
// functions and their application to calendar algorithms", 2022), beyond that
// Howard Hinnant's civil_from_days.
func Civil(days int64) (year int64, month, day int) {
	if uint64(days+civilShift) >= 2*civilEras*146097 {
		return civilFar(days)
	}
	n1 := 4*uint32(days+civilShift) + 3
	century := n1 / 146097
	n2 := n1%146097 | 3
	p2 := 2939745 * uint64(n2)
	z := uint32(p2 >> 32)
	doy := uint32(p2) / 2939745 / 4
	n3 := 2141*doy + 197913
	year = int64(100*century+z) - civilEras*400
	month = int(n3 >> 16)
	day = int(n3&0xffff)/2141 + 1
	if doy >= 306 {
		year++
		month -= 12
	}
	return year, month, day
}

func civilFar(days int64) (year int64, month, day int) {
	z := days + 719468
	era := floorDiv(z, 146097)
	doe := uint32(z - era*146097)
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	day = int(doy - (153*mp+2)/5 + 1)
	month = int(mp) + 3
	year = int64(yoe) + era*400
	if month > 12 {
		month -= 12
		year++
	}
	return year, month, day
}

// DaysOf returns the day since 1970-01-01 of a date; month is 1 to 12, day may
// lie outside its month.
func DaysOf(year int64, month, day int) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	era := floorDiv(year, 400)
	yoe := year - era*400
	doy := int64((153*(month-3)+2)/5 + day - 1)
	return era*146097 + yoe*365 + yoe/4 - yoe/100 + doy - 719468
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

// FloorDiv returns a/b rounded down; b > 0.
func FloorDiv(a, b int64) int64 { return floorDiv(a, b) }

// FloorMod returns a - b*FloorDiv(a, b), which is never negative; b > 0.
func FloorMod(a, b int64) int64 { return a - b*floorDiv(a, b) }

// IsLeapYear reports whether year has a 29th of February.
func IsLeapYear(year int64) bool { return year%4 == 0 && (year%100 != 0 || year%400 == 0) }

// DaysInMonth returns the length of a month, 1 to 12.
func DaysInMonth(year int64, month int) int {
	if month == 2 {
		if IsLeapYear(year) {
			return 29
		}
		return 28
	}
	return 30 + (month+month>>3)&1
}

// AddMonths moves a day by months, clamping to the end of the month.
func AddMonths(days, months int64) int64 {
	y, m, d := Civil(days)
	at := y*12 + int64(m) - 1 + months
	y, m = floorDiv(at, 12), int(FloorMod(at, 12))+1
	return DaysOf(y, m, min(d, DaysInMonth(y, m)))
}

// AppendDate appends a day as YYYY-MM-DD; years past 9999 have a plus sign.
func AppendDate(dst []byte, days int64) []byte {
	y, m, d := Civil(days)
	switch {
	case y > 9999:
		dst = append(dst, '+')
	case y < 0:
		dst = append(dst, '-')
		y = -y
	}
	dst = appendPadded(dst, uint64(y), 4)
	dst = append(dst, '-', byte('0'+m/10), byte('0'+m%10), '-')
	return append(dst, byte('0'+d/10), byte('0'+d%10))
}

// AppendTime appends nanoseconds of the day as HH:MM:SS and p fractional digits.
func AppendTime(dst []byte, nanos int64, p int32) []byte {
	s := nanos / 1e9
	dst = append(dst, byte('0'+s/36000), byte('0'+s/3600%10), ':', byte('0'+s/600%6), byte('0'+s/60%10), ':', byte('0'+s/10%6), byte('0'+s%10))
	if p <= 0 {
		return dst
	}
	dst = append(dst, '.')
	frac := nanos % 1e9
	return appendPadded(dst, uint64(frac/Pow10Int64(9-min(p, 9))), int(p))
}

// AppendTimestamp appends a value of timestamp type t.
func AppendTimestamp(dst []byte, v int64, t Type) []byte {
	per := t.UnitsPerSecond()
	day := floorDiv(v, per*secondsPerDay)
	dst = append(AppendDate(dst, day), ' ')
	return AppendTime(dst, (v-day*per*secondsPerDay)*(1e9/per), t.P)
}

// AppendTimestampTZ appends a value of timestamp with time zone type t: the
// local time of its zone and the zone's name.
func AppendTimestampTZ(dst []byte, v Int128, t Type) []byte {
	dst = AppendTimestamp(dst, LocalTimestamp(v, t), t)
	return append(append(dst, ' '), ZoneName(v.Hi)...)
}

// LocalTimestamp returns the local time of a timestamp with time zone in its
// own zone, in the unit of t.
func LocalTimestamp(v Int128, t Type) int64 {
	per := t.UnitsPerSecond()
	return v.Int64() + ZoneOffset(v.Hi, floorDiv(v.Int64(), per))*per
}

// RescaleTimestamp changes the precision and unit of a timestamp, rounding
// half up (towards the future on a tie).
func RescaleTimestamp(v int64, from, to Type) int64 {
	if from.UnitsPerSecond() < to.UnitsPerSecond() {
		v *= to.UnitsPerSecond() / from.UnitsPerSecond()
	}
	finer := max(from.UnitsPerSecond(), to.UnitsPerSecond())
	if step := finer / Pow10Int64(to.P); step > 1 && to.P < from.P {
		v = floorDiv(v+step/2, step) * step
	}
	return v / (finer / to.UnitsPerSecond())
}

// scanner reads fixed parts of date and time text.
type scanner struct {
	s  []byte
	ok bool
}

// number reads lo to hi digits.
func (sc *scanner) number(lo, hi int) int64 {
	n, i := int64(0), 0
	for i < len(sc.s) && i < hi && sc.s[i] >= '0' && sc.s[i] <= '9' {
		n = n*10 + int64(sc.s[i]-'0')
		i++
	}
	if i < lo {
		sc.ok = false
	}
	sc.s = sc.s[i:]
	return n
}

func (sc *scanner) take(c byte) bool {
	if len(sc.s) > 0 && sc.s[0] == c {
		sc.s = sc.s[1:]
		return true
	}
	return false
}

func (sc *scanner) need(c byte) {
	if !sc.take(c) {
		sc.ok = false
	}
}

// date reads [+-]Y…-M-D.
func (sc *scanner) date() int64 {
	neg := sc.take('-')
	if !neg {
		sc.take('+')
	}
	y := sc.number(1, 9)
	sc.need('-')
	m := int(sc.number(1, 2))
	sc.need('-')
	d := int(sc.number(1, 2))
	if neg {
		y = -y
	}
	if y > 5_000_000 || y < -5_000_000 || m < 1 || m > 12 || d < 1 || d > DaysInMonth(y, m) {
		sc.ok = false
		return 0
	}
	return DaysOf(y, m, d)
}

// clock reads H:M[:S[.F…]] as nanoseconds rounded half up to p digits, which
// may make it a whole day.
func (sc *scanner) clock(p int32) int64 {
	h := sc.number(1, 2)
	sc.need(':')
	m, s := sc.number(1, 2), int64(0)
	if sc.take(':') {
		s = sc.number(1, 2)
	}
	if h > 23 || m > 59 || s > 59 {
		sc.ok = false
	}
	n := (h*3600 + m*60 + s) * 1e9
	if !sc.take('.') {
		return n
	}
	return n + sc.fraction(p)
}

func (sc *scanner) fraction(p int32) int64 {
	frac, digits, round := int64(0), int32(0), false
	if len(sc.s) == 0 || sc.s[0] < '0' || sc.s[0] > '9' {
		sc.ok = false
	}
	for len(sc.s) > 0 && sc.s[0] >= '0' && sc.s[0] <= '9' {
		if digits < p {
			frac = frac*10 + int64(sc.s[0]-'0')
		} else if digits == p {
			round = sc.s[0] >= '5'
		}
		digits++
		sc.s = sc.s[1:]
	}
	if round {
		frac++
	}
	return frac * Pow10Int64(9-min(p, digits))
}

func trimSpace(s []byte) []byte {
	for len(s) > 0 && (s[0] == ' ' || s[0] >= '\t' && s[0] <= '\r') {
		s = s[1:]
	}
	for len(s) > 0 && (s[len(s)-1] == ' ' || s[len(s)-1] >= '\t' && s[len(s)-1] <= '\r') {
		s = s[:len(s)-1]
	}
	return s
}

// ParseDate reads a date as CAST(varchar AS date) does.
func ParseDate(text []byte) (days int64, ok bool) {
	sc := scanner{s: trimSpace(text), ok: true}
	days = sc.date()
	ok = sc.ok && len(sc.s) == 0 && int64(int32(days)) == days
	return days, ok
}

// ParseTime reads a time(p) as nanoseconds of the day.
func ParseTime(text []byte, p int32) (nanos int64, ok bool) {
	sc := scanner{s: text, ok: true}
	nanos = sc.clock(p)
	return nanos % nanosPerDay, sc.ok && len(sc.s) == 0
}

// ParseTimestamp reads a date, optionally a time and a zone, as a local time
// in the unit of t (a timestamp type, with or without time zone) and the
// zone's name, "" when there is none.
func ParseTimestamp(text []byte, t Type) (local int64, zone string, ok bool) {
	sc := scanner{s: trimSpace(text), ok: true}
	days := sc.date()
	if !sc.ok {
		return 0, "", false
	}
	var nanos int64
	if sc.take(' ') && len(sc.s) > 0 && sc.s[0] >= '0' && sc.s[0] <= '9' {
		nanos = sc.clock(min(t.P, MaxTimePrecision))
	} else if len(sc.s) > 0 && text[len(text)-len(sc.s)-1] != ' ' {
		return 0, "", false
	}
	zone = string(trimSpace(sc.s))
	per := t.UnitsPerSecond()
	if limit := int64(1<<63-1) / per / secondsPerDay; days >= limit || days <= -limit {
		return 0, "", false
	}
	return days*secondsPerDay*per + nanos/(1e9/per), zone, sc.ok
}

// ParseTimestampTZ reads a timestamp with time zone; text without a zone is
// local time in session, a zone key.
func ParseTimestampTZ(text []byte, t Type, session int64) (v Int128, ok bool) {
	local, name, ok := ParseTimestamp(text, t)
	if !ok {
		return v, false
	}
	zone := session
	if name != "" {
		if zone, ok = ZoneByName(name); !ok {
			return v, false
		}
	}
	return Int128{Lo: uint64(UTCOfLocal(local, t, zone)), Hi: zone}, true
}

// UTCOfLocal returns the instant of a local time in a zone, in the unit of t.
// A time that a change of the clocks skips moves forward by the gap; of two
// that it repeats, the first is taken.
func UTCOfLocal(local int64, t Type, zone int64) int64 {
	per := t.UnitsPerSecond()
	sec := floorDiv(local, per)
	before := ZoneOffset(zone, sec-secondsPerDay)
	if ZoneOffset(zone, sec-before) == before {
		return local - before*per
	}
	after := ZoneOffset(zone, sec-before)
	if ZoneOffset(zone, sec-after) == after {
		return local - after*per
	}
	return local - before*per
}

// AppendIntervalDay appends an interval day to second as "D HH:MM:SS.mmm".
func AppendIntervalDay(dst []byte, ms int64) []byte {
	u := uint64(ms)
	if ms < 0 {
		dst = append(dst, '-')
		u = -u
	}
	dst = append(strconv.AppendUint(dst, u/MillisPerDay, 10), ' ')
	return AppendTime(dst, int64(u%MillisPerDay)*1e6, 3)
}

// AppendIntervalYear appends an interval year to month as "Y-M".
func AppendIntervalYear(dst []byte, months int64) []byte {
	if months < 0 {
		dst = append(dst, '-')
		months = -months
	}
	dst = append(strconv.AppendInt(dst, months/12, 10), '-')
	return strconv.AppendInt(dst, months%12, 10)
}

// OffsetText returns an offset in minutes as ±HH:MM.
func OffsetText(minutes int64) string {
	if minutes == 0 {
		return "+00:00"
	}
	return ZoneName(minutes)
}

// ParseTimeTZ reads a time with time zone ("10:00:00.5+02:00"): local
// nanoseconds of the day in Lo, the offset in minutes in Hi.
func ParseTimeTZ(text []byte, p int32) (v Int128, ok bool) {
	sc := scanner{s: trimSpace(text), ok: true}
	nanos := sc.clock(p)
	off, ok := zoneOffsetKey(string(trimSpace(sc.s)))
	return Int128{Lo: uint64(nanos % nanosPerDay), Hi: off}, ok && sc.ok
}
