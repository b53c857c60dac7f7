package client_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tuttidb/tutti/client"
)

func TestDecodeRows(t *testing.T) {
	got, err := client.DecodeRows(` [ [1, -0.5e+3, "a\u00fc\ud83d\ude00\n\ud800x", null, true], [] ,[[1,[2]],{"z":1,"a":{"b":false}}] ] `)
	if err != nil {
		t.Fatal(err)
	}
	want := [][]any{
		{json.Number("1"), json.Number("-0.5e+3"), "aü😀\n\ufffdx", nil, true},
		{},
		{[]any{json.Number("1"), []any{json.Number("2")}}, client.Map{{"z", json.Number("1")}, {"a", client.Map{{"b", false}}}}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %#v\nwant %#v", got, want)
	}
}

func TestDecodeRowsManyKeepTheirCells(t *testing.T) {
	var b strings.Builder
	b.WriteString("[[0,0,0]")
	for i := 1; i < 5000; i++ {
		b.WriteString(",[1,null,\"x\"]")
	}
	b.WriteString("]")
	rows, err := client.DecodeRows(b.String())
	if err != nil || len(rows) != 5000 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for i, row := range rows[1:] {
		if !reflect.DeepEqual(row, []any{json.Number("1"), nil, "x"}) {
			t.Fatalf("row %d = %v", i+1, row)
		}
	}
	_ = append(rows[0], "over") // must not write into the next row
	if rows[1][0] != json.Number("1") {
		t.Error("rows share capacity")
	}
}

func TestDecodeRowsRefuses(t *testing.T) {
	for _, text := range []string{
		"", "[", "[[1]", "[[1]]x", "[1]", "{}", "[[01]]", "[[1.]]", "[[1e]]", "[[-]]", "[[nul]]", `[["a]]`, `[["\x"]]`, `[["\u12"]]`,
		"[[\"\n\"]]", `[[1,]]`, `[[{"a"}]]`, `[[{1:2}]]`, "[[1 2]]", `[["\`, strings.Repeat("[", 20000),
	} {
		if rows, err := client.DecodeRows(text); err == nil {
			t.Errorf("%.20q gives %v", text, rows)
		}
	}
}

// plainJSON turns our values into what encoding/json gives.
func plainJSON(v any) any {
	switch x := v.(type) {
	case []any:
		out := make([]any, len(x))
		for i := range x {
			out[i] = plainJSON(x[i])
		}
		return out
	case client.Map:
		out := map[string]any{}
		for _, e := range x {
			out[e.Key] = plainJSON(e.Value)
		}
		return out
	}
	return v
}

func FuzzDecodeRows(f *testing.F) {
	for _, s := range []string{`[[1,"a",null]]`, `[[{"a":[1.5e9,true]}],[]]`, `[["\ud83d\ude00\u00e9\ud800"]]`, `[[`, `[ ]`, `[[-0,1E5,"\\\""]]`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			return // encoding/json repairs it, DecodeRows keeps it
		}
		rows, err := client.DecodeRows(text)
		var want [][]any
		d := json.NewDecoder(bytes.NewReader([]byte(text)))
		d.UseNumber()
		wantErr := d.Decode(&want)
		if !json.Valid([]byte(text)) {
			wantErr = errors.New("not valid")
		}
		if want == nil || slices.ContainsFunc(want, func(r []any) bool { return r == nil }) {
			return // null stands for an empty list there, and is an error here
		}
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: error %v, encoding/json %v", text, err, wantErr)
		}
		if err != nil {
			return
		}
		if len(rows) != len(want) {
			t.Fatalf("%q: %d rows, encoding/json %d", text, len(rows), len(want))
		}
		for i := range rows {
			got := plainJSON(append([]any{}, rows[i]...))
			if !reflect.DeepEqual(got, append([]any{}, want[i]...)) {
				t.Fatalf("%q: row %d is %#v, encoding/json %#v", text, i, got, want[i])
			}
		}
	})
}

func BenchmarkDecodeRows(b *testing.B) {
	text := string(manyRows(10000))
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.DecodeRows(text); err != nil {
			b.Fatal(err)
		}
	}
}
