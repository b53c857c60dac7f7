package types

import "math"

// IntervalField is a field of an interval literal.
type IntervalField uint8

// The fields, from the largest.
const (
	YearField IntervalField = iota
	MonthField
	DayField
	HourField
	MinuteField
	SecondField
)

// millisOf is the length of a field of a day-time interval.
var millisOf = [...]int64{DayField: MillisPerDay, HourField: 3600_000, MinuteField: 60_000, SecondField: 1000}

// ParseIntervalYear reads the text of INTERVAL '…' YEAR, MONTH or YEAR TO
// MONTH as months. The months may be left out.
func ParseIntervalYear(text string, from, to IntervalField) (months int64, ok bool) {
	sc := scanner{s: trimSpace([]byte(text)), ok: true}
	neg := sc.take('-')
	if !neg {
		sc.take('+')
	}
	n := sc.number(1, 10)
	if from == YearField {
		n *= 12
		if to == MonthField && len(sc.s) > 0 {
			sc.need('-')
			n += sc.number(1, 10)
		}
	}
	if neg {
		n = -n
	}
	return n, sc.ok && len(sc.s) == 0 && n <= math.MaxInt32 && n >= math.MinInt32
}

// ParseIntervalDay reads the text of INTERVAL '…' DAY TO SECOND, or of any
// part of it, as milliseconds. Fields at the end may be left out.
func ParseIntervalDay(text string, from, to IntervalField) (ms int64, ok bool) {
	if from < DayField || to < from || to > SecondField {
		return 0, false
	}
	sc := scanner{s: trimSpace([]byte(text)), ok: true}
	neg := sc.take('-')
	if !neg {
		sc.take('+')
	}
	for f := from; f <= to; f++ {
		n := sc.number(1, 13)
		if n > math.MaxInt64/2/millisOf[f] {
			return 0, false
		}
		ms += n * millisOf[f]
		if f == SecondField && sc.take('.') {
			ms += sc.fraction(3) / 1e6
		}
		if len(sc.s) == 0 {
			break
		}
		if f < to {
			sc.need([...]byte{DayField: ' ', HourField: ':', MinuteField: ':'}[f])
		}
	}
	if neg {
		ms = -ms
	}
	return ms, sc.ok && len(sc.s) == 0
}
