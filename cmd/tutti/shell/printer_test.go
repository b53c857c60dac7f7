package shell

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tuttidb/tutti/client"
	"github.com/tuttidb/tutti/client/clienttest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func num(s string) json.Number { return json.Number(s) }

// sampleResult has a column of each kind of value and the values that formats
// get wrong.
func sampleResult() ([]client.Column, [][]any) {
	bigint := client.TypeSignature{RawType: "bigint"}
	varchar := clienttest.Col("", "varchar").Signature
	cols := []client.Column{
		clienttest.Col("id", "bigint"), clienttest.Col("price", "decimal(38,2)"), clienttest.Col("name", "varchar"), clienttest.Col("name", "varchar"),
		clienttest.Col("ratio", "double"), clienttest.Col("raw", "varbinary"), clienttest.Col("doc", "json"),
		{Name: "tags", Signature: client.TypeSignature{RawType: "array", Arguments: []client.TypeArgument{{Type: &varchar}}}},
		{Name: "point", Signature: client.TypeSignature{RawType: "row", Arguments: []client.TypeArgument{{Type: &bigint, Name: "x"}, {Type: &varchar}}}},
		{Name: "props", Signature: client.TypeSignature{RawType: "map", Arguments: []client.TypeArgument{{Type: &varchar}, {Type: &bigint}}}},
	}
	return cols, [][]any{
		{num("1"), "12.50", "plain", "a,b \"q\"", num("0.25"), "3q2+7w==", `{"a":[1]}`, []any{"x", nil}, []any{num("1"), "p"}, client.Map{{Key: "z", Value: num("1")}, {Key: "a", Value: nil}}},
		{num("9007199254740993"), "-123456789012345678901234567890123456.78", "", "two\nlines\tand a tab", "NaN", "", `[]`, []any{}, nil, client.Map{}},
		{nil, nil, nil, "日本語 | \\N \x1b[31m", nil, nil, nil, nil, []any{nil, nil}, nil},
	}
}

func render(f Format, l look, cols []client.Column, batches ...[][]any) string {
	var b bytes.Buffer
	w := bufio.NewWriter(&b)
	p := newPrinter(f, w, l)
	p.begin(cols)
	for _, rows := range batches {
		p.rows(rows)
	}
	p.end()
	_ = w.Flush()
	return b.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs:\n%s\nwant:\n%s", file, got, want)
	}
}

func TestFormats(t *testing.T) {
	cols, rows := sampleResult()
	for _, f := range Formats() {
		got := render(f, look{}, cols, rows[:1], nil, rows[1:])
		golden(t, string(f), got)
		if strings.ContainsRune(got, '\x1b') && (f == Table || f == Vertical) {
			t.Errorf("%s lets a control character through to the terminal", f)
		}
	}
	golden(t, "table-narrow", render(Table, look{width: 100}, cols, rows))
	golden(t, "table-tiny", render(Table, look{width: 40}, cols, rows))
	golden(t, "table-color", render(Table, look{width: 60, color: true}, cols[:3], [][]any{rows[0][:3], rows[2][:3]}))
}

func TestEmptyResults(t *testing.T) {
	cols := []client.Column{clienttest.Col("a", "bigint"), clienttest.Col("b", "varchar")}
	for f, want := range map[Format]string{
		Table: "┌───┬───┐\n│ a │ b │\n├───┼───┤\n└───┴───┘\n", CSV: "a,b\n", TSV: "a\tb\n", JSON: "[]\n", JSONL: "", Vertical: "",
		Markdown: "| a | b |\n| ---: | --- |\n",
	} {
		if got := render(f, look{}, cols); got != want {
			t.Errorf("%s: %q, want %q", f, got, want)
		}
	}
}

func TestCSVReadsBack(t *testing.T) {
	cols, rows := sampleResult()
	records, err := csv.NewReader(strings.NewReader(render(CSV, look{}, cols, rows))).ReadAll()
	if err != nil || len(records) != 4 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	if got := records[2][3]; got != "two\nlines\tand a tab" {
		t.Errorf("field is %q", got)
	}
}

func TestJSONReadsBack(t *testing.T) {
	cols, rows := sampleResult()
	d := json.NewDecoder(strings.NewReader(render(JSON, look{}, cols, rows)))
	d.UseNumber()
	var got []map[string]any
	if err := d.Decode(&got); err != nil {
		t.Fatal(err)
	}
	if got[1]["id"] != num("9007199254740993") || got[1]["price"] != num("-123456789012345678901234567890123456.78") || got[0]["name_2"] != `a,b "q"` {
		t.Errorf("row is %v", got[1])
	}
	for i, line := range strings.Split(strings.TrimSpace(render(JSONL, look{}, cols, rows)), "\n") {
		if !json.Valid([]byte(line)) {
			t.Errorf("line %d is not JSON: %s", i+1, line)
		}
	}
}

func TestTableFitsTheTerminal(t *testing.T) {
	cols, rows := sampleResult()
	for width := 20; width < 240; width += 7 {
		for _, line := range strings.Split(render(Table, look{width: width}, cols, rows), "\n") {
			if w := textWidth(line); w > width && !strings.Contains(line, "not shown") {
				t.Fatalf("at %d columns a line takes %d: %s", width, w, line)
			}
		}
	}
}

func TestTableStreamsAfterTheSample(t *testing.T) {
	var b bytes.Buffer
	w := bufio.NewWriter(&b)
	p := newPrinter(Table, w, look{width: 40})
	p.begin([]client.Column{clienttest.Col("s", "varchar")})
	for range sampleRows - 1 {
		p.rows([][]any{{"short"}})
	}
	_ = w.Flush()
	if b.Len() != 0 {
		t.Fatal("printed before the sample was complete")
	}
	p.rows([][]any{{"short"}, {"longer than the sample"}})
	_ = w.Flush()
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != sampleRows+4 || lines[len(lines)-1] != "│ long… │" {
		t.Errorf("%d lines, the last %q", len(lines), lines[len(lines)-1])
	}
}

func TestTableShowsTextAsItIs(t *testing.T) {
	got := render(Table, look{width: 30}, []client.Column{clienttest.Col("Query Plan", "varchar")}, [][]any{{"Output[a]\n  Scan[a very long name of a table]\n"}})
	if got != "Output[a]\n  Scan[a very long name of a table]\n" {
		t.Errorf("got %q", got)
	}
}

func TestFailedResults(t *testing.T) {
	cols := []client.Column{clienttest.Col("a", "bigint")}
	for f, want := range map[Format]string{
		JSON: "[\n{\"a\":1}\n", Table: "┌───┐\n│ a │\n├───┤\n│ 1 │\n", CSV: "a\n1\n",
	} {
		var b bytes.Buffer
		w := bufio.NewWriter(&b)
		p := newPrinter(f, w, look{})
		p.begin(cols)
		p.rows([][]any{{num("1")}})
		p.fail()
		_ = w.Flush()
		if b.String() != want {
			t.Errorf("%s: %q, want %q", f, b.String(), want)
		}
	}
}

func TestParseFormat(t *testing.T) {
	if f, err := ParseFormat("CSV"); f != CSV || err != nil {
		t.Errorf("%s, %v", f, err)
	}
	if _, err := ParseFormat("xml"); err == nil || !strings.Contains(err.Error(), "table, csv, tsv, json, jsonl, markdown, vertical") {
		t.Errorf("error = %v", err)
	}
}
