package kernel

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/types"
)

// dateField is a field of a date format.
type dateField uint8

const (
	fLiteral dateField = iota
	fYear
	fYear2
	fWeekYear
	fCentury
	fEra
	fMonth
	fMonthShort
	fMonthLong
	fDay
	fYearDay
	fWeekday
	fWeekdayShort
	fWeekdayLong
	fWeek
	fHour24  // 0-23
	fHour24K // 1-24
	fHour12  // 1-12
	fHour12K // 0-11
	fMinute
	fSecond
	fFraction
	fHalf // AM or PM
	fOffset
	fOffsetColon
	fZoneID
	fZoneShort
)

// step is a field with the least number of digits to write and the most to
// read (0: as many as there are), or literal text.
type step struct {
	field    dateField
	min, max int
	text     string
}

// layout is a compiled date format.
type layout []step

var (
	monthNames   = [...]string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}
	weekdayNames = [...]string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}
)

// mysqlFields are the specifiers of date_format and date_parse.
var mysqlFields = map[byte][]step{
	'a': {{field: fWeekdayShort}}, 'b': {{field: fMonthShort}}, 'c': {{field: fMonth, min: 1, max: 2}},
	'd': {{field: fDay, min: 2, max: 2}}, 'e': {{field: fDay, min: 1, max: 2}},
	'f': {{field: fFraction, min: 6, max: 9}}, 'H': {{field: fHour24, min: 2, max: 2}}, 'h': {{field: fHour12, min: 2, max: 2}},
	'I': {{field: fHour12, min: 2, max: 2}}, 'i': {{field: fMinute, min: 2, max: 2}}, 'j': {{field: fYearDay, min: 3, max: 3}},
	'k': {{field: fHour24, min: 1, max: 2}}, 'l': {{field: fHour12, min: 1, max: 2}}, 'M': {{field: fMonthLong}},
	'm': {{field: fMonth, min: 2, max: 2}}, 'p': {{field: fHalf}},
	'r': {{field: fHour12, min: 2, max: 2}, {text: ":"}, {field: fMinute, min: 2, max: 2}, {text: ":"}, {field: fSecond, min: 2, max: 2}, {text: " "}, {field: fHalf}},
	'S': {{field: fSecond, min: 2, max: 2}}, 's': {{field: fSecond, min: 2, max: 2}},
	'T': {{field: fHour24, min: 2, max: 2}, {text: ":"}, {field: fMinute, min: 2, max: 2}, {text: ":"}, {field: fSecond, min: 2, max: 2}},
	'v': {{field: fWeek, min: 2, max: 2}}, 'W': {{field: fWeekdayLong}}, 'x': {{field: fWeekYear, min: 4, max: 4}},
	'Y': {{field: fYear, min: 4, max: 4}}, 'y': {{field: fYear2, min: 2, max: 2}},
}

// mysqlLayout compiles a format of date_format and date_parse.
func mysqlLayout(format string) (layout, error) {
	var l layout
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			l = append(l, step{text: format[i : i+1]})
			continue
		}
		if i++; i == len(format) {
			break
		}
		c := format[i]
		switch {
		case mysqlFields[c] != nil:
			l = append(l, mysqlFields[c]...)
		case strings.IndexByte("DUuVwX", c) >= 0:
			return nil, invalid("%%%c not supported in date format string", c)
		default:
			_, n := utf8.DecodeRuneInString(format[i:])
			l = append(l, step{text: format[i : i+n]})
			i += n - 1
		}
	}
	return l, nil
}

// jodaLayout compiles a pattern of format_datetime and parse_datetime.
func jodaLayout(pattern string) (layout, error) {
	var l layout
	for i := 0; i < len(pattern); {
		c := pattern[i]
		if c == '\'' {
			text, n := quoted(pattern[i:])
			l = append(l, step{text: text})
			i += n
			continue
		}
		if c|0x20 < 'a' || c|0x20 > 'z' {
			l = append(l, step{text: pattern[i : i+1]})
			i++
			continue
		}
		n := 1
		for i+n < len(pattern) && pattern[i+n] == c {
			n++
		}
		s, ok := jodaField(c, n)
		if c == 'z' && n > 3 {
			return nil, qerr.NotSupported(qerr.Pos{}, "long names of time zones in date formats (zzzz)")
		}
		if !ok {
			return nil, invalid("Illegal pattern component: %s", pattern[i:i+n])
		}
		l = append(l, s)
		i += n
	}
	l.limitDigits()
	return l, nil
}

// quoted reads literal text in single quotes, in which two stand for one.
func quoted(s string) (text string, n int) {
	if strings.HasPrefix(s, "''") {
		return "'", 2
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] != '\'' {
			b.WriteByte(s[i])
			continue
		}
		if i+1 < len(s) && s[i+1] == '\'' {
			b.WriteByte('\'')
			i++
			continue
		}
		return b.String(), i + 1
	}
	return b.String(), len(s)
}

// jodaField returns what n times the letter c mean.
func jodaField(c byte, n int) (step, bool) {
	switch c {
	case 'y', 'Y':
		if n == 2 {
			return step{field: fYear2, min: 2, max: 2}, true
		}
		return step{field: fYear, min: n}, true
	case 'x':
		return step{field: fWeekYear, min: n}, true
	case 'C':
		return step{field: fCentury, min: n}, true
	case 'G':
		return step{field: fEra}, true
	case 'M':
		switch {
		case n >= 4:
			return step{field: fMonthLong}, true
		case n == 3:
			return step{field: fMonthShort}, true
		}
		return step{field: fMonth, min: n, max: 2}, true
	case 'E':
		if n >= 4 {
			return step{field: fWeekdayLong}, true
		}
		return step{field: fWeekdayShort}, true
	case 'S':
		return step{field: fFraction, min: n, max: n}, true
	case 'a':
		return step{field: fHalf}, true
	case 'z':
		return step{field: fZoneShort}, true
	case 'Z':
		return step{field: [...]dateField{fOffset, fOffsetColon, fZoneID}[min(n, 3)-1]}, true
	}
	f, ok := map[byte]dateField{
		'd': fDay, 'D': fYearDay, 'e': fWeekday, 'w': fWeek, 'H': fHour24, 'k': fHour24K, 'h': fHour12, 'K': fHour12K, 'm': fMinute, 's': fSecond,
	}[c]
	most := 2
	if c == 'D' {
		most = 3
	}
	return step{field: f, min: n, max: most}, ok
}

// limitDigits makes numbers that stand side by side read only the digits
// their letters count.
func (l layout) limitDigits() {
	for i := range l {
		if i+1 < len(l) && l[i].isNumber() && l[i+1].isNumber() {
			l[i].max = l[i].min
		}
	}
}

func (s step) isNumber() bool { return s.min > 0 }

// hasZone reports whether the format writes a zone.
func (l layout) hasZone() bool {
	for _, s := range l {
		if s.field >= fOffset {
			return true
		}
	}
	return false
}

// moment is a point in time taken apart: local date, nanoseconds of the day,
// zone and seconds since the epoch.
type moment struct {
	days, nanos, zone, sec int64
}

// append writes a moment.
func (l layout) append(dst []byte, m moment) []byte {
	for _, s := range l {
		dst = s.append(dst, m)
	}
	return dst
}

func (s step) append(dst []byte, m moment) []byte {
	y, mon, d := types.Civil(m.days)
	hour := m.nanos / 3.6e12
	switch s.field {
	case fLiteral:
		return append(dst, s.text...)
	case fYear2:
		return appendNumber(dst, types.FloorMod(y, 100), 2)
	case fEra:
		return append(dst, [...]string{"BC", "AD"}[boolInt(y > 0)]...)
	case fMonthShort:
		return append(dst, monthNames[mon-1][:3]...)
	case fMonthLong:
		return append(dst, monthNames[mon-1]...)
	case fWeekdayShort:
		return append(dst, weekdayNames[weekdayOf(m.days)-1][:3]...)
	case fWeekdayLong:
		return append(dst, weekdayNames[weekdayOf(m.days)-1]...)
	case fFraction:
		return appendFraction(dst, m.nanos%1e9, s.min)
	case fHalf:
		return append(dst, [...]string{"AM", "PM"}[hour/12]...)
	case fOffset, fOffsetColon, fZoneID, fZoneShort:
		return s.appendZone(dst, m)
	}
	var n int64
	switch s.field {
	case fYear:
		n = y
	case fWeekYear:
		n = weekYearOf(m.days)
	case fCentury:
		n = y / 100
	case fMonth:
		n = int64(mon)
	case fDay:
		n = int64(d)
	case fYearDay:
		n = yeardayOf(m.days)
	case fWeekday:
		n = weekdayOf(m.days)
	case fWeek:
		n = weekOf(m.days)
	case fHour24:
		n = hour
	case fHour24K:
		n = (hour+23)%24 + 1
	case fHour12:
		n = (hour+11)%12 + 1
	case fHour12K:
		n = hour % 12
	case fMinute:
		n = m.nanos / 6e10 % 60
	case fSecond:
		n = m.nanos / 1e9 % 60
	}
	return appendNumber(dst, n, s.min)
}

func appendNumber(dst []byte, n int64, width int) []byte {
	if n < 0 {
		dst, n = append(dst, '-'), -n
	}
	for w, p := 1, int64(10); w < width; w, p = w+1, p*10 {
		if n < p {
			dst = append(dst, '0')
		}
	}
	return strconv.AppendInt(dst, n, 10)
}

// appendFraction writes the milliseconds of a second to n digits.
func appendFraction(dst []byte, nanos int64, n int) []byte {
	ms := nanos / 1e6
	digits := [...]byte{byte('0' + ms/100), byte('0' + ms/10%10), byte('0' + ms%10)}
	for i := range n {
		if i < len(digits) {
			dst = append(dst, digits[i])
		} else {
			dst = append(dst, '0')
		}
	}
	return dst
}

func (s step) appendZone(dst []byte, m moment) []byte {
	switch s.field {
	case fZoneID:
		return append(dst, types.ZoneName(m.zone)...)
	case fZoneShort:
		return append(dst, zoneAbbreviation(m)...)
	}
	text := types.OffsetText(types.ZoneOffset(m.zone, m.sec) / 60)
	if s.field == fOffset {
		text = strings.Replace(text, ":", "", 1)
	}
	return append(dst, text...)
}
