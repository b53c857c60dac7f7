package parser

import (
	"testing"

	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/ast"
)

// addSeeds adds the texts of testdata to a corpus.
func addSeeds(f *testing.F) {
	for _, path := range glob(f, "testdata/statements/*.sql") {
		for _, sql := range lines(f, path) {
			f.Add(sql)
		}
	}
	for _, path := range glob(f, "testdata/tpch/*.sql") {
		f.Add(readFile(f, path))
	}
	for _, sql := range []string{"", ";", "select 'x", "/*", "((((", "select U&'\\", "1x", "\xff", "select a.1e5.b"} {
		f.Add(sql)
	}
}

// FuzzParse checks that any text gives a tree or an error with a position,
// and that a tree survives printing and parsing.
func FuzzParse(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, sql string) {
		s, err := ParseStatement(sql)
		if err != nil {
			checkError(t, sql, err)
			return
		}
		checkRoundTrip(t, sql, s)
	})
}

// FuzzExpression does the same with expressions.
func FuzzExpression(f *testing.F) {
	for _, sql := range []string{"a + b", "((select 1) + 1)", "x -> y", "a in ((select 1))", "trim(both from a)", "position(a in b)"} {
		f.Add(sql)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		e, err := ParseExpression(sql)
		if err != nil {
			checkError(t, sql, err)
			return
		}
		again, err := ParseExpression(ast.Format(e))
		if err != nil || !ast.Same(e, again) {
			t.Errorf("%q prints as %q: %v", sql, ast.Format(e), err)
		}
	})
}

// FuzzType does the same with types.
func FuzzType(f *testing.F) {
	for _, text := range lines(f, "testdata/types.txt") {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		typ, err := ParseType(text)
		if err != nil {
			checkError(t, text, err)
			return
		}
		again, err := ParseType(ast.Format(typ))
		if err != nil || !ast.Same(typ, again) {
			t.Errorf("%q prints as %q: %v", text, ast.Format(typ), err)
		}
	})
}

// FuzzSplit checks that pieces and rest are parts of the text, in order.
func FuzzSplit(f *testing.F) {
	addSeeds(f)
	f.Add("select 1; select ';' -- ;\n; x")
	f.Fuzz(func(t *testing.T, text string) {
		pieces, _ := SplitStatements(text)
		end := 0
		for _, p := range pieces {
			if p.Offset < end || p.Offset+len(p.SQL) > len(text) || text[p.Offset:p.Offset+len(p.SQL)] != p.SQL {
				t.Fatalf("%q: piece %q at %d", text, p.SQL, p.Offset)
			}
			end = p.Offset + len(p.SQL)
		}
	})
}

func checkError(t *testing.T, sql string, err error) {
	t.Helper()
	e := qerr.From(err)
	if !e.Pos.IsValid() && e.Code != qerr.QueryTextTooLarge {
		t.Errorf("%q: no position in %v", sql, err)
	}
	if e.Code == qerr.GenericInternal {
		t.Errorf("%q: %v", sql, err)
	}
}
