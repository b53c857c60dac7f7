package slt

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"
)

// fake answers from a table; it stands for a server.
type fake map[string]any // SQL → *Result or error

func (f fake) Query(_ context.Context, sql string) (*Result, error) {
	switch v := f[sql].(type) {
	case *Result:
		return v, nil
	case error:
		return nil, v
	}
	return nil, errors.New("fake does not know " + sql)
}

const sample = `# A theme.

# A comment of the record.
# -> name varchar(25), n bigint, x double
query TIR rowsort
SELECT a
FROM t
----
(empty)	2	0.5
\s two\s	NULL	1.0E10
a\tb\\n	1	NaN

statement ok
CREATE TABLE t

statement error TABLE_NOT_FOUND: line 1:15: Table '.*' does not exist
SELECT * FROM nowhere

query R
SELECT d
----
1.50
`

// good is what a right server answers to sample.
func good() fake {
	return fake{
		"SELECT a\nFROM t": &Result{
			Names: []string{"name", "n", "x"}, Types: []string{"varchar(25)", "bigint", "double"},
			Rows: [][]string{{"a\tb\\n", "1", "NaN"}, {"  two ", "NULL", "1.00000000001E10"}, {"(empty)", "2", "0.5"}},
		},
		"CREATE TABLE t":        &Result{},
		"SELECT * FROM nowhere": &Failure{"TABLE_NOT_FOUND", "line 1:15: Table 'tpch.tiny.nowhere' does not exist"},
		"SELECT d":              &Result{Names: []string{"d"}, Types: []string{"decimal(3, 2)"}, Rows: [][]string{{"1.50"}}},
	}
}

func parseSample(t *testing.T) []Record {
	t.Helper()
	records, err := Parse("sample", strings.NewReader(sample))
	if err != nil {
		t.Fatal(err)
	}
	if len(records) != 4 {
		t.Fatalf("%d records, want 4", len(records))
	}
	return records
}

func TestRightAnswersPass(t *testing.T) {
	for _, rec := range parseSample(t) {
		if err := Check(t.Context(), good(), &rec, Options{}); err != nil {
			t.Errorf("line %d: %v", rec.Line, err)
		}
	}
}

// TestPlantedMistakesAreFound changes one thing at a time in right answers.
func TestPlantedMistakesAreFound(t *testing.T) {
	const rows, ddl, bad, one = "SELECT a\nFROM t", "CREATE TABLE t", "SELECT * FROM nowhere", "SELECT d"
	for name, c := range map[string]struct {
		record int
		plant  func(f fake)
	}{
		"wrong value":        {0, func(f fake) { f[rows].(*Result).Rows[0][1] = "2" }},
		"null for value":     {0, func(f fake) { f[rows].(*Result).Rows[2][1] = "NULL" }},
		"value for null":     {0, func(f fake) { f[rows].(*Result).Rows[1][1] = "0" }},
		"blank lost":         {0, func(f fake) { f[rows].(*Result).Rows[1][0] = "  two" }},
		"double off":         {0, func(f fake) { f[rows].(*Result).Rows[2][2] = "0.50000001" }},
		"NaN lost":           {0, func(f fake) { f[rows].(*Result).Rows[0][2] = "0.0" }},
		"row lost":           {0, func(f fake) { r := f[rows].(*Result); r.Rows = r.Rows[1:] }},
		"row twice":          {0, func(f fake) { r := f[rows].(*Result); r.Rows = append(r.Rows, r.Rows[0]) }},
		"no rows":            {0, func(f fake) { f[rows].(*Result).Rows = nil }},
		"type":               {0, func(f fake) { f[rows].(*Result).Types[1] = "integer" }},
		"name":               {0, func(f fake) { f[rows].(*Result).Names[0] = "nam" }},
		"column lost":        {0, func(f fake) { f[rows] = &Result{Names: []string{"a"}, Types: []string{"bigint"}} }},
		"fails":              {0, func(f fake) { f[rows] = &Failure{"GENERIC_INTERNAL_ERROR", "oops"} }},
		"unreachable":        {0, func(f fake) { f[rows] = errors.New("connection refused") }},
		"statement fails":    {1, func(f fake) { f[ddl] = &Failure{"NOT_SUPPORTED", "oops"} }},
		"no error":           {2, func(f fake) { f[bad] = &Result{} }},
		"other error":        {2, func(f fake) { f[bad] = &Failure{"SYNTAX_ERROR", "line 1:15: Table 't' does not exist"} }},
		"error text longer":  {2, func(f fake) { f[bad] = &Failure{"TABLE_NOT_FOUND", "line 1:15: Table 't' does not exist!"} }},
		"transport error":    {2, func(f fake) { f[bad] = errors.New("TABLE_NOT_FOUND: line 1:15: Table 't' does not exist") }},
		"scale of a decimal": {3, func(f fake) { f[one].(*Result).Rows[0][0] = "1.5" }},
	} {
		f := good()
		c.plant(f)
		if err := Check(t.Context(), f, &parseSample(t)[c.record], Options{}); err == nil {
			t.Errorf("%s: not found", name)
		}
	}
}

func TestIgnoreColumns(t *testing.T) {
	f := good()
	f["SELECT a\nFROM t"].(*Result).Names[0] = "other"
	if err := Check(t.Context(), f, &parseSample(t)[0], Options{IgnoreColumns: true}); err != nil {
		t.Error(err)
	}
}

func TestSortModes(t *testing.T) {
	rows := [][]string{{"2", "a"}, {"1", "b"}}
	for mode, want := range map[SortMode]bool{NoSort: false, RowSort: true, ValueSort: true} {
		rec := Record{Kind: Query, SQL: "q", Letters: "IT", Sort: mode, Rows: [][]string{{"1", "b"}, {"2", "a"}}}
		f := fake{"q": &Result{Names: []string{"x", "y"}, Types: []string{"bigint", "varchar"}, Rows: rows}}
		if got := Check(t.Context(), f, &rec, Options{}) == nil; got != want {
			t.Errorf("%s: equal is %t, want %t", mode, got, want)
		}
	}
}

func TestValues(t *testing.T) {
	for _, c := range []struct {
		want, got string
		tolerance float64
		same      bool
	}{
		{"1.0", "1", 1e-9, true},
		{"1.0", "1", -1, false},
		{"0.1", "0.1000000000001", 1e-9, true},
		{"0.1", "0.10001", 1e-9, false},
		{"0.0", "-0.0", 1e-9, true},
		{"Infinity", "Infinity", 1e-9, true},
		{"Infinity", "-Infinity", 1e-9, false},
		{"NaN", "NaN", 1e-9, true},
		{"NaN", "NULL", 1e-9, false},
		{"1.0", "NULL", 1e-9, false},
		{"[0.1,null]", "[0.1000000000001,null]", 1e-9, true},
		{"[0.1,null]", "[0.1,0.1]", 1e-9, false},
		{"[0.1]", "[0.1,0.1]", 1e-9, false},
		{`{"a":[1.0]}`, `{"a":[1]}`, 1e-9, true},
		{`{"a":1.0}`, `{"b":1.0}`, 1e-9, false},
		{`["x",1.0]`, `["y",1.0]`, 1e-9, false},
	} {
		if got := sameValue(c.want, c.got, c.tolerance); got != c.same {
			t.Errorf("%s and %s within %g: %t, want %t", c.want, c.got, c.tolerance, got, c.same)
		}
	}
}

func TestEscape(t *testing.T) {
	for value, text := range map[string]string{
		"":        "",
		" ":       `\s`,
		"  a b ":  `\s\sa b\s`,
		"a\tb\nc": `a\tb\nc`,
		`\n`:      `\\n`,
		`\s`:      `\\s`,
		"é\r":     `é\r`,
	} {
		if got := Escape(value); got != text {
			t.Errorf("Escape(%q) is %q, want %q", value, got, text)
		}
		if got := unescape(text); got != value {
			t.Errorf("unescape(%q) is %q, want %q", text, got, value)
		}
	}
}

func TestParseRejects(t *testing.T) {
	for _, text := range []string{
		"SELECT 1\n",
		"query\nSELECT 1\n----\n1\n",
		"query X\nSELECT 1\n----\n1\n",
		"query I sorted\nSELECT 1\n----\n1\n",
		"query I nosort label\nSELECT 1\n----\n1\n",
		"query I\nSELECT 1\n",
		"query I\n----\n1\n",
		"query II\nSELECT 1, 2\n----\n1 2\n",
		"statement ok\n",
		"statement ok\nSELECT 1\n----\n1\n",
		"statement error (\nSELECT 1\n",
		"statement maybe\nSELECT 1\n",
		"halt\n",
	} {
		if _, err := Parse("bad", strings.NewReader(text)); err == nil {
			t.Errorf("%q: no error", text)
		} else if !strings.HasPrefix(err.Error(), "bad:1: ") {
			t.Errorf("%q: error %q does not say where", text, err)
		}
	}
}

// TestCorpusIsWellFormed parses every file of the corpus.
func TestCorpusIsWellFormed(t *testing.T) {
	names, err := fs.Glob(Corpus(), "*.slt")
	if err != nil {
		t.Fatal(err)
	}
	queries := 0
	for _, name := range names {
		f, err := Corpus().Open(name)
		if err != nil {
			t.Fatal(err)
		}
		records, err := Parse(name, f)
		if err != nil {
			t.Error(err)
		}
		queries += len(records)
	}
	if len(names) < 25 || queries < 1000 {
		t.Errorf("only %d records in %d files", queries, len(names))
	}
}
