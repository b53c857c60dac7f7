package client_test

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // zones by name on machines without zone files

	"github.com/tuttidb/tutti/client"
	"github.com/tuttidb/tutti/client/clienttest"
)

func sig(t *testing.T, text string) client.TypeSignature {
	t.Helper()
	var s client.TypeSignature
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

const rowSig = `{"rawType":"row","arguments":[
 {"kind":"NAMED_TYPE","value":{"fieldName":{"name":"a"},"typeSignature":{"rawType":"bigint","arguments":[]}}},
 {"kind":"NAMED_TYPE","value":{"typeSignature":{"rawType":"array","arguments":[{"kind":"TYPE","value":{"rawType":"varbinary","arguments":[]}}]}}}]}`

const mapSig = `{"rawType":"map","arguments":[{"kind":"TYPE","value":{"rawType":"varchar","arguments":[{"kind":"LONG","value":2147483647}]}},
 {"kind":"TYPE","value":{"rawType":"double","arguments":[]}}]}`

func TestTypeText(t *testing.T) {
	for text, want := range map[string]string{
		rowSig: "row(a bigint, array(varbinary))",
		mapSig: "map(varchar, double)",
		`{"rawType":"decimal","arguments":[{"kind":"LONG","value":12},{"kind":"LONG","value":2}]}`: "decimal(12, 2)",
		`{"rawType":"timestamp with time zone","arguments":[{"kind":"LONG","value":3}]}`:           "timestamp(3) with time zone",
		`{"rawType":"varchar","arguments":[{"kind":"LONG","value":5}]}`:                            "varchar(5)",
	} {
		s := sig(t, text)
		if got := s.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		out, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if again := sig(t, string(out)); !reflect.DeepEqual(again, s) {
			t.Errorf("%s: round trip gives %+v", want, again)
		}
	}
}

func TestDecode(t *testing.T) {
	rome, err := time.LoadLocation("Europe/Rome")
	if err != nil {
		t.Fatal(err)
	}
	n := func(s string) json.Number { return json.Number(s) }
	for _, tc := range []struct {
		typ  string
		raw  any
		want any
	}{
		{"bigint", nil, nil},
		{"bigint", n("-9223372036854775808"), int64(math.MinInt64)},
		{"tinyint", n("7"), int64(7)},
		{"double", n("1.5e300"), 1.5e300},
		{"double", "-Infinity", math.Inf(-1)},
		{"real", "Infinity", math.Inf(1)},
		{"boolean", true, true},
		{"decimal(38,2)", "123456789012345678901234567890123456.78", "123456789012345678901234567890123456.78"},
		{"varchar", "x", "x"},
		{"json", `{"a":1}`, `{"a":1}`},
		{"varbinary", "3q2+7w==", []byte{0xde, 0xad, 0xbe, 0xef}},
		{"date", "2024-02-29", time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)},
		{"date", "-0044-03-15", time.Date(-44, 3, 15, 0, 0, 0, 0, time.UTC)},
		{"date", "+12345-01-02", time.Date(12345, 1, 2, 0, 0, 0, 0, time.UTC)},
		{"timestamp(0)", "2024-02-29 01:02:03", time.Date(2024, 2, 29, 1, 2, 3, 0, time.UTC)},
		{"timestamp(12)", "2024-02-29 01:02:03.123456789999", time.Date(2024, 2, 29, 1, 2, 3, 123456789, time.UTC)},
		{"timestamp(3) with time zone", "2024-07-01 01:02:03.120 Europe/Rome", time.Date(2024, 7, 1, 1, 2, 3, 120e6, rome)},
		{"timestamp(3) with time zone", "2024-07-01 01:02:03.120 UTC", time.Date(2024, 7, 1, 1, 2, 3, 120e6, time.UTC)},
		{"time(3)", "01:02:03.456", "01:02:03.456"},
		{"interval day to second", "3 00:00:00.000", "3 00:00:00.000"},
	} {
		got, err := clienttest.Col("c", tc.typ).Signature.Decoder()(tc.raw)
		if err != nil || !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s %v: got %v (%T), %v, want %v", tc.typ, tc.raw, got, got, err, tc.want)
		}
	}
	v, err := clienttest.Col("c", "timestamp(3) with time zone").Signature.Decoder()("2024-07-01 01:02:03.000 +05:30")
	if at, ok := v.(time.Time); err != nil || !ok || !at.Equal(time.Date(2024, 6, 30, 19, 32, 3, 0, time.UTC)) {
		t.Errorf("offset: %v, %v", v, err)
	}
	if v, err := clienttest.Col("c", "double").Signature.Decoder()("NaN"); err != nil || !math.IsNaN(v.(float64)) {
		t.Errorf("NaN: %v, %v", v, err)
	}
}

func TestDecodeNested(t *testing.T) {
	raw := []any{json.Number("4"), []any{"AQI=", nil}}
	s := sig(t, rowSig)
	got, err := s.Decoder()(raw)
	if want := []any{int64(4), []any{[]byte{1, 2}, nil}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("row: %v, %v", got, err)
	}
	if text := s.FormatValue(raw); text != "{a=4, [0x0102, null]}" {
		t.Errorf("row as text: %s", text)
	}
	m := sig(t, mapSig)
	raw2 := client.Map{{"z", json.Number("1.5")}, {"a", "NaN"}}
	got, err = m.Decoder()(raw2)
	if err != nil || got.(client.Map)[0] != (client.MapEntry{"z", 1.5}) {
		t.Errorf("map: %v, %v", got, err)
	}
	if text := m.FormatValue(raw2); text != "{z=1.5, a=NaN}" {
		t.Errorf("map as text: %s", text)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, tc := range []struct {
		typ string
		raw any
	}{
		{"bigint", "x"}, {"bigint", json.Number("1.5")}, {"bigint", json.Number("9223372036854775808")}, {"double", "x"}, {"double", true},
		{"varbinary", "%%"}, {"date", "2024-13-01"}, {"date", "x"}, {"timestamp(3)", "2024-01-01 xx"}, {"timestamp(3)", "2024-01-01 01:02:03.-1"},
		{"timestamp(3)", "2024-01-01 01:02:03."},
		{"timestamp(3) with time zone", "2024-01-01"}, {"timestamp(3) with time zone", "2024-01-01 01:02:03 Nowhere/Land"}, {"date", json.Number("1")},
	} {
		got, err := clienttest.Col("c", tc.typ).Signature.Decoder()(tc.raw)
		if err == nil || !strings.HasPrefix(err.Error(), "decode ") {
			t.Errorf("%s %v: got %v, %v", tc.typ, tc.raw, got, err)
		}
	}
	s := sig(t, rowSig)
	for _, raw := range []any{[]any{json.Number("1")}, "x", []any{json.Number("1"), []any{true}}} {
		if got, err := s.Decoder()(raw); err == nil {
			t.Errorf("row of %v: %v", raw, got)
		}
	}
}

func FuzzDecodeTimes(f *testing.F) {
	for _, s := range []string{"2024-02-29", "2024-02-29 01:02:03.123456 Europe/Rome", "-1-1-1 ", "1-1-1 1:1:1. +5"} {
		f.Add(s)
	}
	var decoders []client.Decoder
	for _, typ := range []string{"date", "timestamp(3)", "timestamp(3) with time zone"} {
		decoders = append(decoders, clienttest.Col("c", typ).Signature.Decoder())
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, d := range decoders {
			if v, err := d(s); err == nil {
				if _, ok := v.(time.Time); !ok {
					t.Errorf("%q gives %T", s, v)
				}
			}
		}
	})
}

func TestLiteral(t *testing.T) {
	at := time.Date(2024, 2, 29, 1, 2, 3, 120e6, time.FixedZone("", 5400))
	seven := 7
	for _, tc := range []struct {
		v    any
		want string
	}{
		{nil, "NULL"}, {true, "true"}, {42, "42"}, {int8(-3), "-3"}, {int64(math.MinInt64), "BIGINT '-9223372036854775808'"},
		{uint64(math.MaxUint64), "DECIMAL '18446744073709551615'"}, {uint32(5), "5"}, {&seven, "7"}, {(*int)(nil), "NULL"},
		{1.5, "DOUBLE '1.5E+00'"}, {float32(0.1), "REAL '1E-01'"}, {math.NaN(), "DOUBLE 'NaN'"}, {math.Inf(-1), "DOUBLE '-Infinity'"},
		{"O'X", "'O''X'"}, {[]byte{0xde, 1}, "X'DE01'"}, {json.RawMessage("a"), "X'61'"}, {[]byte(nil), "NULL"},
		{client.Decimal("-12.50"), "DECIMAL '-12.50'"}, {json.Number("12"), "12"}, {json.Number("1.5"), "DECIMAL '1.5'"}, {json.Number("1e3"), "DOUBLE '1E+03'"},
		{at, "TIMESTAMP '2024-02-29 01:02:03.120 +01:30'"}, {client.Timestamp(at.Add(5)), "TIMESTAMP '2024-02-29 01:02:03.120000005'"},
		{client.Date(at), "DATE '2024-02-29'"}, {[]string{"a", "b"}, "ARRAY['a', 'b']"}, {[]int{}, "ARRAY[]"},
	} {
		if got, err := client.Literal(tc.v); err != nil || got != tc.want {
			t.Errorf("%T %v: got %s, %v, want %s", tc.v, tc.v, got, err, tc.want)
		}
	}
	for _, v := range []any{client.Decimal("1'; DROP"), client.Decimal(""), client.Decimal("1.2.3"), struct{}{}, time.Second, json.Number("x"), map[string]int{}} {
		if got, err := client.Literal(v); err == nil {
			t.Errorf("%T %v: got %s", v, v, got)
		}
	}
}
