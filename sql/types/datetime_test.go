package types

import (
	"testing"
	"time"
)

// TestCivil compares with package time, day by day around the edges and in
// steps over all that a date can be.
func TestCivil(t *testing.T) {
	check := func(days int64) {
		t.Helper()
		y, m, d := Civil(days)
		want := time.Unix(days*86400, 0).UTC()
		if y != int64(want.Year()) || m != int(want.Month()) || d != want.Day() {
			t.Fatalf("Civil(%d) = %d-%d-%d, want %s", days, y, m, d, want.Format("2006-01-02"))
		}
		if back := DaysOf(y, m, d); back != days {
			t.Fatalf("DaysOf(%d, %d, %d) = %d, want %d", y, m, d, back, days)
		}
	}
	for days := int64(-150000); days < 150000; days++ {
		check(days)
	}
	for days := int64(-1 << 31); days < 1<<31; days += 99991 {
		check(days)
	}
	for _, edge := range []int64{-civilShift, 2*civilEras*146097 - civilShift} {
		for d := edge - 3; d <= edge+3; d++ {
			check(d)
		}
	}
}

func TestAddMonths(t *testing.T) {
	for _, test := range []struct {
		from   string
		months int64
		want   string
	}{
		{"2020-01-31", 1, "2020-02-29"}, {"2020-03-31", -1, "2020-02-29"}, {"2019-12-15", 1, "2020-01-15"},
		{"2020-02-29", 12, "2021-02-28"}, {"2020-01-31", -13, "2018-12-31"}, {"0001-01-01", -1, "0000-12-01"},
	} {
		d, ok := ParseDate([]byte(test.from))
		if got := string(AppendDate(nil, AddMonths(d, test.months))); !ok || got != test.want {
			t.Errorf("%s + %d months = %s, want %s", test.from, test.months, got, test.want)
		}
	}
}

func TestParseDate(t *testing.T) {
	for _, test := range []struct {
		text, want string // "" for an error
	}{
		{"2020-01-31", "2020-01-31"}, {" 2020-1-1\n", "2020-01-01"}, {"20-01-01", "0020-01-01"}, {"+20200-01-01", "+20200-01-01"},
		{"-0001-05-06", "-0001-05-06"}, {"2020-13-01", ""}, {"2021-02-29", ""}, {"2020-01", ""}, {"abc", ""}, {"", ""}, {"2020-01-01x", ""}, {"99999999-01-01", ""},
	} {
		d, ok := ParseDate([]byte(test.text))
		got := ""
		if ok {
			got = string(AppendDate(nil, d))
		}
		if got != test.want {
			t.Errorf("ParseDate(%q) = %q, want %q", test.text, got, test.want)
		}
	}
}

func TestParseTimestamp(t *testing.T) {
	ny, ok := ZoneByName("America/New_York")
	if !ok {
		t.Fatal("no zone America/New_York")
	}
	for _, test := range []struct {
		text string
		p    int32
		want string
	}{
		{"2020-01-01 10:11:12.98765", 3, "2020-01-01 10:11:12.988 America/New_York"},
		{"2020-01-01", 0, "2020-01-01 00:00:00 America/New_York"},
		{"2020-01-01 ", 0, "2020-01-01 00:00:00 America/New_York"},
		{"2020-01-01 1:2", 0, "2020-01-01 01:02:00 America/New_York"},
		{"2020-01-01 UTC", 0, "2020-01-01 00:00:00 UTC"},
		{"2020-01-01 10:11:12.9999 +05:30", 3, "2020-01-01 10:11:13.000 +05:30"},
		{"2020-12-31 23:59:59.9999 -08", 3, "2021-01-01 00:00:00.000 -08:00"},
		{"2020-01-01 00:00:00.123456789 Etc/GMT+5", 9, "2020-01-01 00:00:00.123456789 -05:00"},
		{"1960-06-01 10:00:00.5", 1, "1960-06-01 10:00:00.5 America/New_York"},
		{"2021-03-14 02:30:00", 0, "2021-03-14 03:30:00 America/New_York"},
		{"2021-11-07 01:30:00", 0, "2021-11-07 01:30:00 America/New_York"},
		{"2020-01-01T10:00:00", 0, ""}, {"2020-01-01 24:00:00", 0, ""}, {"2020-01-01 10", 0, ""}, {"2020-01-01 10:00 Mars", 0, ""}, {"", 0, ""},
	} {
		typ := TimestampTZOf(test.p)
		v, ok := ParseTimestampTZ([]byte(test.text), typ, ny)
		got := ""
		if ok {
			got = string(AppendTimestampTZ(nil, v, typ))
		}
		if got != test.want {
			t.Errorf("ParseTimestampTZ(%q) = %q, want %q", test.text, got, test.want)
		}
	}
}

func TestUTCOfLocal(t *testing.T) {
	ny, _ := ZoneByName("America/New_York")
	typ := TimestampOf(6)
	for _, test := range []struct{ local, utc string }{
		{"2021-03-14 01:59:59.0", "2021-03-14 06:59:59.0"},
		{"2021-03-14 02:30:00.0", "2021-03-14 07:30:00.0"}, // skipped: moved an hour
		{"2021-03-14 03:00:00.0", "2021-03-14 07:00:00.0"},
		{"2021-11-07 01:30:00.0", "2021-11-07 05:30:00.0"}, // twice: the first
		{"2021-11-07 02:00:00.0", "2021-11-07 07:00:00.0"},
	} {
		v, _, ok1 := ParseTimestamp([]byte(test.local), typ)
		want, _, ok2 := ParseTimestamp([]byte(test.utc), typ)
		if got := UTCOfLocal(v, typ, ny); !ok1 || !ok2 || got != want {
			t.Errorf("%s is %s UTC, want %s", test.local, AppendTimestamp(nil, got, typ), test.utc)
		}
	}
}

func TestRescaleTimestamp(t *testing.T) {
	for _, test := range []struct {
		v        int64
		from, to int32
		want     int64
	}{
		{1_999_600, 6, 3, 2_000_000}, {1_999_499, 6, 3, 1_999_000}, {-500, 6, 3, 0}, {-501, 6, 3, -1000},
		{1_234_567_891, 9, 6, 1_234_568}, {1_234_567, 6, 9, 1_234_567_000}, {1_500_000_000, 9, 0, 2_000_000},
	} {
		if got := RescaleTimestamp(test.v, TimestampOf(test.from), TimestampOf(test.to)); got != test.want {
			t.Errorf("RescaleTimestamp(%d, %d to %d) = %d, want %d", test.v, test.from, test.to, got, test.want)
		}
	}
}

func TestZones(t *testing.T) {
	for i, name := range zoneList {
		if _, err := time.LoadLocation(name); err != nil {
			t.Errorf("zone %s: %v", name, err)
		}
		if key, ok := ZoneByName(name); ok && key >= firstNamed && key != firstNamed+int64(i) {
			t.Errorf("zone %s: key %d, want %d", name, key, firstNamed+i)
		}
	}
	for name, want := range map[string]string{
		"UTC": "UTC", "Z": "UTC", "GMT": "UTC", "+00:00": "UTC", "+05:30": "+05:30", "-0800": "-08:00", "UTC+5": "+05:00",
		"Europe/Berlin": "Europe/Berlin", "Etc/GMT-3": "+03:00", "+15:00": "", "Mars/Base": "", "": "", "europe/berlin": "",
	} {
		key, ok := ZoneByName(name)
		got := ""
		if ok {
			got = ZoneName(key)
		}
		if got != want {
			t.Errorf("ZoneByName(%q) is %q, want %q", name, got, want)
		}
	}
}

func TestIntervals(t *testing.T) {
	for _, test := range []struct {
		text     string
		from, to IntervalField
		want     string
	}{
		{"1", DayField, DayField, "1 00:00:00.000"}, {"-1 10", DayField, HourField, "-1 10:00:00.000"},
		{"1 2:03:04.567", DayField, SecondField, "1 02:03:04.567"}, {"90", MinuteField, MinuteField, "0 01:30:00.000"},
		{"1.5", SecondField, SecondField, "0 00:00:01.500"}, {"1:30", HourField, MinuteField, "0 01:30:00.000"}, {"x", DayField, DayField, ""}, {"1 1", DayField, DayField, ""},
	} {
		v, ok := ParseIntervalDay(test.text, test.from, test.to)
		got := ""
		if ok {
			got = string(AppendIntervalDay(nil, v))
		}
		if got != test.want {
			t.Errorf("interval %q = %q, want %q", test.text, got, test.want)
		}
	}
	if v, ok := ParseIntervalYear("-1-2", YearField, MonthField); !ok || string(AppendIntervalYear(nil, v)) != "-1-2" {
		t.Errorf("interval -1-2 = %d, %v", v, ok)
	}
}

func FuzzParseTimes(f *testing.F) {
	for _, s := range []string{"2020-01-01 10:11:12.98765 +05:30", "2020-1-1", "10:11", "-1-2-3 ", "1 2:3:4.5"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if d, ok := ParseDate(b); ok {
			if again, ok := ParseDate(AppendDate(nil, d)); !ok || again != d {
				t.Errorf("date %q: %d reads back as %d, %v", b, d, again, ok)
			}
		}
		typ := TimestampTZOf(9)
		if v, ok := ParseTimestampTZ(b, typ, UTCZone); ok {
			text := AppendTimestampTZ(nil, v, typ)
			if again, ok := ParseTimestampTZ(text, typ, UTCZone); !ok || again.Hi != v.Hi {
				t.Errorf("timestamp %q: %s reads back as %v, %v", b, text, again, ok)
			}
		}
		ParseTime(b, 3)
		ParseTimeTZ(b, 3)
		ParseUUID(b)
		ParseIntervalDay(string(b), DayField, SecondField)
	})
}
