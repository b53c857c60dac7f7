package types

import "testing"

// TestCastNeedsSession: what depends on the session's zone or date must not be
// computed where neither is known.
func TestCastNeedsSession(t *testing.T) {
	date, clock, zoned := Of(Date), TimeOf(3), TimestampTZOf(3)
	for _, tc := range []struct {
		from, to Type
		want     bool
	}{
		{date, zoned, true},
		{TimestampOf(6), zoned, true},
		{clock, zoned, true},
		{VarcharType(), zoned, true},
		{clock, TimestampOf(3), true},
		{zoned, TimestampTZOf(6), false},
		{zoned, TimestampOf(3), false},
		{zoned, date, false},
		{date, TimestampOf(3), false},
		{VarcharType(), TimestampOf(3), false},
		{Of(Integer), Of(BigInt), false},
		{ArrayOf(date), ArrayOf(zoned), true},
		{ArrayOf(date), ArrayOf(TimestampOf(3)), false},
		{RowOf([]Type{date, clock}, nil), RowOf([]Type{date, TimestampOf(0)}, nil), true},
		{RowOf([]Type{zoned}, nil), RowOf([]Type{date}, nil), false},
	} {
		if got := CastNeedsSession(tc.from, tc.to); got != tc.want {
			t.Errorf("%s to %s: %v, want %v", tc.from, tc.to, got, tc.want)
		}
	}
}

// TestIntervalTexts: fields at the end may be left out, others not.
func TestIntervalTexts(t *testing.T) {
	for _, tc := range []struct {
		text     string
		from, to IntervalField
		want     int64
		ok       bool
	}{
		{"45", MinuteField, SecondField, 45 * 60_000, true},
		{"45:30.5", MinuteField, SecondField, 45*60_000 + 30_500, true},
		{"-3", DayField, SecondField, -3 * MillisPerDay, true},
		{"3 2", DayField, SecondField, 3*MillisPerDay + 2*3_600_000, true},
		{"3 2:1", DayField, SecondField, 3*MillisPerDay + 2*3_600_000 + 60_000, true},
		{"45:12", DayField, SecondField, 0, false},
		{"45:", MinuteField, SecondField, 0, false},
		{"", MinuteField, SecondField, 0, false},
		{"1:2:3", HourField, MinuteField, 0, false},
	} {
		got, ok := ParseIntervalDay(tc.text, tc.from, tc.to)
		if ok != tc.ok || ok && got != tc.want {
			t.Errorf("%q from %d to %d: %d, %v; want %d, %v", tc.text, tc.from, tc.to, got, ok, tc.want, tc.ok)
		}
	}
	for text, want := range map[string]int64{"124": 1488, "1-13": 25, "-2-1": -25} {
		if got, ok := ParseIntervalYear(text, YearField, MonthField); !ok || got != want {
			t.Errorf("%q: %d, %v; want %d", text, got, ok, want)
		}
	}
}
