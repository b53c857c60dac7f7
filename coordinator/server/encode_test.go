package server

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// build makes a vector by calls on a builder.
func build(t types.Type, fill func(*vector.Builder)) *vector.Vector {
	b := vector.NewBuilder(mem.NewRoot("test", 0, mem.NewPool()), t)
	fill(b)
	return b.Vector()
}

func flat[T vector.Fixed](t types.Type, values ...T) *vector.Vector {
	return &vector.Vector{Type: t, N: len(values), Data: vector.AsBytes(values)}
}

func texts(t types.Type, values ...string) *vector.Vector {
	return build(t, func(b *vector.Builder) {
		for _, v := range values {
			_ = b.AppendBytes([]byte(v)) // accounts without limit do not fail
		}
	})
}

func zone(name string) int64 {
	key, ok := types.ZoneByName(name)
	if !ok {
		panic(name)
	}
	return key
}

// encode returns a column's rows as JSON.
func encode(v *vector.Vector, parametric bool) string {
	e := newEncoder([]types.Type{v.Type}, parametric)
	b := &vector.Batch{N: v.N, Cols: []*vector.Vector{v}}
	e.bind(b)
	return string(e.rows(nil, b, 0, v.N, true))
}

// TestValues is the protocol's form of values of every type.
func TestValues(t *testing.T) {
	const noon = 1709208000 // 2024-02-29 12:00:00 UTC
	cases := []struct {
		v    *vector.Vector
		want string
		old  string // for clients without PARAMETRIC_DATETIME; "": the same
	}{
		{flat[uint8](types.Of(types.Boolean), 1, 0), "[true],[false]", ""},
		{flat[int8](types.Of(types.TinyInt), -128), "[-128]", ""},
		{flat[int16](types.Of(types.SmallInt), 300), "[300]", ""},
		{flat[int32](types.Of(types.Integer), -7), "[-7]", ""},
		{flat(types.Of(types.BigInt), int64(math.MaxInt64), int64(math.MinInt64)), "[9223372036854775807],[-9223372036854775808]", ""},
		{flat[float32](types.Of(types.Real), 1.5, 1e10), "[1.5],[1.0E10]", ""},
		{flat(types.Of(types.Double), 1.0, 0.001, 1e-5, 1e7, math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1)),
			`[1.0],[0.001],[1.0E-5],[1.0E7],["NaN"],["Infinity"],["-Infinity"],[-0.0]`, ""},
		{flat[int64](types.DecimalOf(12, 2), 123450, -5, 0, math.MinInt64), `["1234.50"],["-0.05"],["0.00"],["-92233720368547758.08"]`, ""},
		{flat[int64](types.DecimalOf(18, 0), -42), `["-42"]`, ""},
		{flat(types.DecimalOf(38, 3), types.Int128Of(-123450)), `["-123.450"]`, ""},
		{texts(types.VarcharType(), "", "plain text of some length", "quo\"te \\ back", "nl\n\r\t\x01", "é😀", "bad\xffend", "<&>\u2028"),
			`[""],["plain text of some length"],["quo\"te \\ back"],["nl\n\r\t\u0001"],["é😀"],["bad` + "\uFFFD" + `end"],["<&>` + "\u2028" + `"]`, ""},
		{texts(types.CharOf(3), "a", "é", ""), `["a  "],["é  "],["   "]`, ""},
		{texts(types.Of(types.Varbinary), "\x00\xff", ""), `["AP8="],[""]`, ""},
		{texts(types.Of(types.JSON), `{"a":1}`), `["{\"a\":1}"]`, ""},
		{flat[int32](types.Of(types.Date), 19782, -719528), `["2024-02-29"],["0000-01-01"]`, ""},
		{flat[int64](types.TimeOf(0), 45296e9), `["12:34:56"]`, `["12:34:56.000"]`},
		{flat[int64](types.TimeOf(9), 45296123456789, types.NanosPerDay-1), `["12:34:56.123456789"],["23:59:59.999999999"]`, `["12:34:56.123"],["00:00:00.000"]`},
		{flat(types.Type{Kind: types.TimeTZ, P: 3}, types.Int128{Lo: 45296e9, Hi: 120}), `["12:34:56.000+02:00"]`, ""},
		{flat[int64](types.TimestampOf(6), noon*1e6+123456, -1), `["2024-02-29 12:00:00.123456"],["1969-12-31 23:59:59.999999"]`,
			`["2024-02-29 12:00:00.123"],["1970-01-01 00:00:00.000"]`},
		{flat[int64](types.TimestampOf(9), noon*1e9+1), `["2024-02-29 12:00:00.000000001"]`, `["2024-02-29 12:00:00.000"]`},
		{flat[int64](types.TimestampOf(0), noon*1e6), `["2024-02-29 12:00:00"]`, `["2024-02-29 12:00:00.000"]`},
		{flat(types.TimestampTZOf(3), types.Int128{Lo: noon * 1e6, Hi: zone("Europe/Rome")}), `["2024-02-29 13:00:00.000 Europe/Rome"]`, ""},
		{flat(types.TimestampTZOf(6), types.Int128{Lo: noon*1e6 + 1600, Hi: zone("+05:30")}), `["2024-02-29 17:30:00.001600 +05:30"]`, `["2024-02-29 17:30:00.002 +05:30"]`},
		{flat[int64](types.Of(types.IntervalDay), 3*types.MillisPerDay, -1), `["3 00:00:00.000"],["-0 00:00:00.001"]`, ""},
		{flat[int32](types.Of(types.IntervalYear), 2, -14), `["0-2"],["-1-2"]`, ""},
		{flat(types.Of(types.UUID), types.Int128{Hi: 0x0123456789abcdef, Lo: 0x0123456789abcdef}), `["01234567-89ab-cdef-0123-456789abcdef"]`, ""},
		{&vector.Vector{Type: types.Type{}, N: 2, Valid: vector.Bitmap{0}}, "[null],[null]", ""},
		{arrayVector(), `[[1,null]],[[]],[null]`, ""},
		{mapVector(), `[{"1":["x"],"-2":[null]}]`, ""},
	}
	for _, c := range cases {
		if got := encode(c.v, true); got != c.want {
			t.Errorf("%s: got %s, want %s", c.v.Type, got, c.want)
		}
		if c.old == "" {
			c.old = c.want
		}
		if got := encode(c.v, false); got != c.old {
			t.Errorf("%s in milliseconds: got %s, want %s", c.v.Type, got, c.old)
		}
		if !json.Valid([]byte("[" + encode(c.v, true) + "]")) {
			t.Errorf("%s: not JSON", c.v.Type)
		}
	}
}

func arrayVector() *vector.Vector {
	return build(types.ArrayOf(types.Of(types.BigInt)), func(b *vector.Builder) {
		_ = vector.Append(b.Kid(0), int64(1))
		_ = b.Kid(0).AppendNull()
		_ = b.CloseRow()
		_ = b.CloseRow()
		_ = b.AppendNull()
	})
}

func mapVector() *vector.Vector {
	row := types.RowOf([]types.Type{types.VarcharType()}, nil)
	return build(types.MapOf(types.Of(types.Integer), row), func(b *vector.Builder) {
		for i, key := range []int32{1, -2} {
			_ = vector.Append(b.Kid(0), key)
			if i == 0 {
				_ = b.Kid(1).Kid(0).AppendBytes([]byte("x"))
			} else {
				_ = b.Kid(1).Kid(0).AppendNull()
			}
			_ = b.Kid(1).CloseRow()
		}
		_ = b.CloseRow()
	})
}

// TestEncodings: dictionary and constant vectors and selections give the rows
// of flat ones.
func TestEncodings(t *testing.T) {
	bigint := types.Of(types.BigInt)
	base := texts(types.VarcharType(), "a", "bb")
	dict := &vector.Vector{Type: types.VarcharType(), Enc: vector.Dict, N: 4, Idx: []int32{1, 0, 0, 1}, Base: base, Valid: vector.Bitmap{0b1011}}
	constant := &vector.Vector{Type: bigint, Enc: vector.Const, N: 4, Data: vector.AsBytes([]int64{7})}
	null := &vector.Vector{Type: bigint, Enc: vector.Const, N: 4, Data: vector.AsBytes([]int64{0}), Valid: vector.Bitmap{0}}
	b := &vector.Batch{N: 4, Sel: []int32{0, 2, 3}, Cols: []*vector.Vector{dict, constant, null}}
	e := newEncoder([]types.Type{dict.Type, bigint, bigint}, true)
	e.bind(b)
	if got, want := string(e.rows(nil, b, 0, 3, true)), `["bb",7,null],[null,7,null],["bb",7,null]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := string(e.rows(nil, b, 1, 2, false)), `,[null,7,null]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestTypeForms(t *testing.T) {
	row := types.RowOf([]types.Type{types.Of(types.BigInt), types.TimestampOf(6)}, []string{"a", "b c"})
	cases := []struct {
		t               types.Type
		parametric      bool
		text, signature string
	}{
		{types.Of(types.BigInt), true, "bigint", `{"rawType":"bigint","arguments":[]}`},
		{types.DecimalOf(12, 2), true, "decimal(12, 2)", `{"rawType":"decimal","arguments":[{"kind":"LONG","value":12},{"kind":"LONG","value":2}]}`},
		{types.VarcharType(), true, "varchar", `{"rawType":"varchar","arguments":[{"kind":"LONG","value":2147483647}]}`},
		{types.VarcharOf(5), true, "varchar(5)", `{"rawType":"varchar","arguments":[{"kind":"LONG","value":5}]}`},
		{types.TimestampTZOf(6), true, "timestamp(6) with time zone", `{"rawType":"timestamp with time zone","arguments":[{"kind":"LONG","value":6}]}`},
		{types.TimestampTZOf(6), false, "timestamp with time zone", `{"rawType":"timestamp with time zone","arguments":[]}`},
		{types.Of(types.IntervalDay), true, "INTERVAL DAY TO SECOND", `{"rawType":"interval day to second","arguments":[]}`},
		{types.MapOf(types.VarcharType(), types.DecimalOf(3, 1)), true, "map(varchar, decimal(3, 1))",
			`{"rawType":"map","arguments":[{"kind":"TYPE","value":{"rawType":"varchar","arguments":[{"kind":"LONG","value":2147483647}]}},` +
				`{"kind":"TYPE","value":{"rawType":"decimal","arguments":[{"kind":"LONG","value":3},{"kind":"LONG","value":1}]}}]}`},
		{types.ArrayOf(row), false, `array(row(a bigint, "b c" timestamp))`,
			`{"rawType":"array","arguments":[{"kind":"TYPE","value":{"rawType":"row","arguments":[` +
				`{"kind":"NAMED_TYPE","value":{"fieldName":{"name":"a"},"typeSignature":{"rawType":"bigint","arguments":[]}}},` +
				`{"kind":"NAMED_TYPE","value":{"fieldName":{"name":"b c"},"typeSignature":{"rawType":"timestamp","arguments":[]}}}]}}]}`},
		{types.RowOf([]types.Type{types.Of(types.Date)}, nil), true, "row(date)",
			`{"rawType":"row","arguments":[{"kind":"NAMED_TYPE","value":{"typeSignature":{"rawType":"date","arguments":[]}}}]}`},
		{types.Type{}, true, "unknown", `{"rawType":"unknown","arguments":[]}`},
	}
	for _, c := range cases {
		if got := typeText(c.t, c.parametric); got != c.text {
			t.Errorf("%s: text %s, want %s", c.t, got, c.text)
		}
		if got := string(appendSignature(nil, c.t, c.parametric)); got != c.signature {
			t.Errorf("%s: signature %s, want %s", c.t, got, c.signature)
		}
	}
}

// FuzzString: any bytes become a JSON string that reads back as what Java
// would have made of them.
func FuzzString(f *testing.F) {
	for _, s := range []string{"", "a", "12345678", "1234567\"", "é12345678\\", "\x1f1234567", "1234567\x80", strings.Repeat("x", 40) + "\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, s []byte) {
		var back string
		if err := json.Unmarshal(appendString(nil, s), &back); err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		want := string(s)
		if !utf8.Valid(s) {
			want = string([]rune(want)) // each wrong byte becomes U+FFFD
		}
		if back != want {
			t.Errorf("%q came back as %q", s, back)
		}
	})
}

// BenchmarkRows writes rows like TPC-H's lineitem. MB/s are of JSON.
func BenchmarkRows(b *testing.B) {
	const n = 8192
	keys, prices, days, names := make([]int64, n), make([]int64, n), make([]int32, n), make([]string, n)
	doubles := make([]float64, n)
	for i := range n {
		keys[i], prices[i], days[i] = int64(i*37), int64(i*7919), int32(9000+i%2500)
		doubles[i] = float64(i) * 1.25
		names[i] = fmt.Sprintf("deposits sleep furiously among the %d foxes", i)
	}
	cols := map[string]*vector.Vector{
		"bigint": flat(types.Of(types.BigInt), keys...), "decimal": flat(types.DecimalOf(12, 2), prices...), "date": flat(types.Of(types.Date), days...),
		"double": flat(types.Of(types.Double), doubles...), "varchar": texts(types.VarcharType(), names...),
	}
	all := []*vector.Vector{cols["bigint"], cols["bigint"], cols["decimal"], cols["decimal"], cols["date"], cols["varchar"]}
	run := func(name string, vs []*vector.Vector) {
		b.Run(name, func(b *testing.B) {
			ts := make([]types.Type, len(vs))
			for i, v := range vs {
				ts[i] = v.Type
			}
			e, batch := newEncoder(ts, true), &vector.Batch{N: n, Cols: vs}
			var dst []byte
			for b.Loop() {
				e.bind(batch)
				dst = e.rows(dst[:0], batch, 0, n, true)
			}
			b.SetBytes(int64(len(dst)))
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/row")
		})
	}
	for _, name := range []string{"bigint", "decimal", "date", "double", "varchar"} {
		run(name, []*vector.Vector{cols[name]})
	}
	run("lineitem", all)
}
