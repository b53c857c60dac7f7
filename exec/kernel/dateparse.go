package kernel

import (
	"fmt"
	"strings"
	"time"

	"github.com/tuttidb/tutti/sql/types"
)

// zoneAbbreviation is a zone's short name at a moment, such as EST.
func zoneAbbreviation(m moment) string {
	name, _ := time.Unix(m.sec, 0).In(types.ZoneLocation(m.zone)).Zone()
	return name
}

// parsed collects the fields that a text gave; -1 stands for none where zero
// is a value.
type parsed struct {
	year, month, day, yearDay     int64
	weekYear, week, weekday       int64
	hour, half, minute, sec, nano int64
	zone                          int64
	hasZone                       bool
}

// parseError says where a text does not fit its format.
func parseError(text string, at int) error {
	switch {
	case at >= len(text) && at > 0:
		return invalid("Invalid format: \"%s\" is too short", text)
	case at == 0:
		return invalid("Invalid format: \"%s\"", text)
	}
	return invalid("Invalid format: \"%s\" is malformed at \"%s\"", text, text[at:])
}

// parse reads a text; missing fields are those of 1970-01-01 00:00.
func (l layout) parse(text string) (parsed, error) {
	p := parsed{year: 1970, month: 1, day: 1, yearDay: -1, weekYear: -1, week: -1, weekday: -1, half: -1}
	at := 0
	for _, s := range l {
		next, err := s.read(text, at, &p)
		if err != nil {
			return p, err
		}
		if next < 0 {
			return p, parseError(text, at)
		}
		at = next
	}
	if at < len(text) {
		return p, parseError(text, at)
	}
	return p, nil
}

// read reads a field at text[at:] and returns where it ends, -1 if it is not
// there.
func (s step) read(text string, at int, p *parsed) (int, error) {
	rest := text[at:]
	switch s.field {
	case fLiteral:
		if !strings.HasPrefix(rest, s.text) {
			return -1, nil
		}
		return at + len(s.text), nil
	case fMonthShort, fMonthLong:
		k, n := matchName(rest, monthNames[:])
		p.month = int64(k + 1)
		return ended(at, n), nil
	case fWeekdayShort, fWeekdayLong:
		k, n := matchName(rest, weekdayNames[:])
		p.weekday = int64(k + 1)
		return ended(at, n), nil
	case fHalf:
		k, n := matchName(rest, []string{"AM ", "PM "})
		p.half = int64(k)
		return ended(at, min(n, 2)), nil
	case fEra:
		_, n := matchName(rest, []string{"AD ", "BC "})
		return ended(at, min(n, 2)), nil
	case fFraction:
		return s.readFraction(text, at, p), nil
	case fOffset, fOffsetColon, fZoneID, fZoneShort:
		return readZone(text, at, p), nil
	}
	return s.readNumber(text, at, p)
}

func ended(at, n int) int {
	if n == 0 {
		return -1
	}
	return at + n
}

// matchName finds which name, long or its first three letters, s begins with.
func matchName(s string, names []string) (k, n int) {
	for k, name := range names {
		for _, w := range []string{name, name[:3]} {
			w = strings.TrimSpace(w)
			if len(s) >= len(w) && strings.EqualFold(s[:len(w)], w) {
				return k, len(w)
			}
		}
	}
	return 0, 0
}

func (s step) readFraction(text string, at int, p *parsed) int {
	scale, from := int64(100_000_000), at
	for at < len(text) && at-from < s.max && text[at] >= '0' && text[at] <= '9' {
		p.nano += int64(text[at]-'0') * scale
		scale /= 10
		at++
	}
	if at == from {
		return -1
	}
	return at
}

func readZone(text string, at int, p *parsed) int {
	end := at
	for end < len(text) && text[end] != ' ' && text[end] != ')' && text[end] != ']' {
		end++
	}
	key, ok := types.ZoneByName(text[at:end])
	if !ok {
		return -1
	}
	p.zone, p.hasZone = key, true
	return end
}

// numberRange is a numeric field's name in errors and its bounds.
type numberRange struct {
	name   string
	lo, hi int64
}

var numberRanges = map[dateField]numberRange{
	fMonth: {"monthOfYear", 1, 12}, fDay: {"dayOfMonth", 1, 31}, fYearDay: {"dayOfYear", 1, 366},
	fWeekday: {"dayOfWeek", 1, 7}, fWeek: {"weekOfWeekyear", 1, 53},
	fHour24: {"hourOfDay", 0, 23}, fHour24K: {"clockhourOfDay", 1, 24}, fHour12: {"clockhourOfHalfday", 1, 12},
	fHour12K: {"hourOfHalfday", 0, 11}, fMinute: {"minuteOfHour", 0, 59}, fSecond: {"secondOfMinute", 0, 59},
}

func (s step) readNumber(text string, at int, p *parsed) (int, error) {
	most := s.max
	if most == 0 {
		most = 9
	}
	from, neg := at, false
	if at < len(text) && (text[at] == '-' || text[at] == '+') && (s.field == fYear || s.field == fWeekYear) {
		neg = text[at] == '-'
		at++
		from++
	}
	var n int64
	for at < len(text) && at-from < most && text[at] >= '0' && text[at] <= '9' {
		n = n*10 + int64(text[at]-'0')
		at++
	}
	if at == from {
		return -1, nil
	}
	if neg {
		n = -n
	}
	if r, ok := numberRanges[s.field]; ok && (n < r.lo || n > r.hi) {
		return 0, invalid("Cannot parse \"%s\": Value %d for %s must be in the range [%d,%d]", text, n, r.name, r.lo, r.hi)
	}
	p.set(s.field, n)
	return at, nil
}

func (p *parsed) set(f dateField, n int64) {
	switch f {
	case fYear:
		p.year = n
	case fYear2:
		// Two digits are the year within 50 of 2020.
		p.year = 2000 + n
		if n >= 70 {
			p.year -= 100
		}
	case fWeekYear:
		p.weekYear = n
	case fMonth:
		p.month = n
	case fDay:
		p.day = n
	case fYearDay:
		p.yearDay = n
	case fWeekday:
		p.weekday = n
	case fWeek:
		p.week = n
	case fHour24:
		p.hour, p.half = n, -1
	case fHour24K:
		p.hour, p.half = n%24, -1
	case fHour12, fHour12K:
		p.hour = n % 12
		p.half = max(p.half, 0)
	case fMinute:
		p.minute = n
	case fSecond:
		p.sec = n
	}
}

// local returns the local date and nanoseconds of the day.
func (p *parsed) local(text string) (days, nanos int64, err error) {
	hour := p.hour
	if p.half == 1 && hour < 12 {
		hour += 12
	}
	nanos = (hour*3600+p.minute*60+p.sec)*1e9 + p.nano
	switch {
	case p.week > 0 || p.weekYear >= 0:
		year := p.weekYear
		if year < 0 {
			year = p.year
		}
		first := types.DaysOf(year, 1, 4)
		days = first - weekdayOf(first) + 1 + (max(p.week, 1)-1)*7 + max(p.weekday, 1) - 1
	case p.yearDay > 0:
		days = types.DaysOf(p.year, 1, 1) + p.yearDay - 1
	default:
		if last := int64(types.DaysInMonth(p.year, int(p.month))); p.day > last {
			return 0, 0, invalid("Cannot parse \"%s\": Value %d for dayOfMonth must be in the range [1,%d]", text, p.day, last)
		}
		days = types.DaysOf(p.year, int(p.month), int(p.day))
		if p.weekday > 0 {
			days += p.weekday - weekdayOf(days)
		}
	}
	return days, nanos, nil
}

// isoLayouts are the ISO 8601 forms, date part and time part.
var (
	isoDates = layoutsOf("yyyy-MM-dd", "yyyy-MM", "yyyy-DDD", "xxxx-'W'ww-e", "xxxx-'W'ww", "yyyy")
	isoTimes = layoutsOf("HH:mm:ss.SSSSSSSSS", "HH:mm:ss,SSSSSSSSS", "HH:mm:ss", "HH:mm", "HH")
)

func layoutsOf(patterns ...string) []layout {
	out := make([]layout, len(patterns))
	for i, p := range patterns {
		l, err := jodaLayout(p)
		if err != nil {
			panic(fmt.Sprintf("pattern %q: %v", p, err)) // a constant of this file
		}
		for k := range l {
			// ISO's years have four digits; an ordinal day has three, which no month
			// or day of the month may have.
			if f := l[k].field; f == fYear || f == fWeekYear || f == fYearDay {
				l[k].max = l[k].min
			}
		}
		out[i] = l
	}
	return out
}

// parseISODate reads an ISO 8601 date: calendar, week or ordinal.
func parseISODate(text string) (days int64, err error) {
	for _, l := range isoDates {
		if p, err := l.parse(text); err == nil && (p.yearDay < 0 || len(text) == len("2020-001")) {
			days, _, err = p.local(text)
			return days, err
		}
	}
	return 0, parseError(text, 0)
}

// parseISOTimestamp reads an ISO 8601 date and time with an optional zone;
// without one it is local time in session.
func parseISOTimestamp(text string, session int64) (types.Int128, error) {
	date, clock, hasTime := strings.Cut(text, "T")
	days, err := int64(0), error(nil)
	if date != "" {
		days, err = parseISODate(date)
	}
	if err != nil || date == "" && !hasTime {
		return types.Int128{}, parseError(text, 0)
	}
	zone, nanos := session, int64(0)
	if hasTime && clock != "" {
		if at := strings.IndexAny(clock, "Z+-"); at >= 0 {
			key, ok := types.ZoneByName(clock[at:])
			if !ok {
				return types.Int128{}, parseError(text, len(text)-len(clock)+at)
			}
			zone, clock = key, clock[:at]
		}
		if nanos, err = parseISOTime(clock); err != nil {
			return types.Int128{}, parseError(text, len(date)+1)
		}
	}
	t := types.TimestampTZOf(3)
	local := days*86400*1e6 + nanos/1e6*1000
	return zoned(types.UTCOfLocal(local, t, zone), zone), nil
}

func parseISOTime(text string) (int64, error) {
	for _, l := range isoTimes {
		p, err := l.parse(text)
		if err == nil {
			_, nanos, err := p.local(text)
			return nanos, err
		}
	}
	return 0, parseError(text, 0)
}
