package analyzer_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/analyzer"
	"github.com/tuttidb/tutti/sql/analyzer/analyzertest"
	"github.com/tuttidb/tutti/sql/ast"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/parser"
	"github.com/tuttidb/tutti/test/slt"
	"github.com/tuttidb/tutti/test/tpch"
)

var update = flag.Bool("update", false, "write what is found as what is expected")

// parse parses a statement that must be right.
func parse(t testing.TB, sql string) ast.Statement {
	t.Helper()
	stmt, err := parser.ParseStatement(sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return stmt
}

func newAnalyzer(session *analyzer.Session) *analyzer.Analyzer {
	return analyzer.New(context.Background(), analyzertest.New(), session, &analyzer.Allocator{})
}

// query binds a query in catalog tpch.
func query(sql string) (*analyzer.Query, error) {
	stmt, err := parser.ParseStatement(sql)
	if err != nil {
		return nil, err
	}
	return newAnalyzer(analyzertest.Session("tpch")).Query(stmt.(*ast.Query))
}

func mustQuery(t *testing.T, sql string) *analyzer.Query {
	t.Helper()
	q, err := query(sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return q
}

// outcome binds any statement and prints the result's columns or the error.
func outcome(sql string) string {
	stmt, err := parser.ParseStatement(sql)
	if err != nil {
		return failure(err)
	}
	a := newAnalyzer(analyzertest.Session("tpch"))
	var q *analyzer.Query
	switch s := stmt.(type) {
	case *ast.Query:
		q, err = a.Query(s)
	case *ast.Insert:
		_, err = a.Insert(s)
	case *ast.CreateTableAs:
		_, err = a.CreateTableAs(s)
	}
	switch {
	case err != nil:
		return failure(err)
	case q == nil:
		return "OK"
	}
	var parts []string
	for i, o := range q.Outputs {
		parts = append(parts, fmt.Sprintf("('%s', '%s')", q.Names()[i], o.Type))
	}
	return "OK [" + strings.Join(parts, ", ") + "]"
}

func failure(err error) string {
	e := qerr.From(err)
	return "ERR " + e.Code.Name + " " + err.Error()
}

// matches reports whether got is want, in which … stands for anything.
func matches(got, want string) bool {
	head, tail, dots := strings.Cut(want, "…")
	if !dots {
		return got == want
	}
	return len(got) >= len(head)+len(tail) && strings.HasPrefix(got, head) && strings.HasSuffix(got, tail)
}

func TestStatements(t *testing.T) {
	const file = "testdata/statements.txt"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(data), "\n\n")
	for i, block := range blocks {
		block = strings.TrimSpace(block)
		if block == "" || strings.HasPrefix(block, "#") {
			continue
		}
		cut := strings.LastIndexByte(block, '\n')
		sql, want := block[:cut], block[cut+1:]
		got := outcome(sql)
		if matches(got, want) {
			continue
		}
		if *update {
			blocks[i] = sql + "\n" + got
			continue
		}
		t.Errorf("%s\n got %s\nwant %s", sql, got, want)
	}
	if len(blocks) < 300 {
		t.Errorf("only %d statements: the reader of the file is broken", len(blocks))
	}
	if *update {
		if err := os.WriteFile(file, []byte(strings.Join(blocks, "\n\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCorpus binds the queries of the SQL corpus that are about names, scopes
// and grouping, and compares columns and errors with those recorded.
func TestCorpus(t *testing.T) {
	for _, name := range []string{
		"cte", "error_name", "error_type", "group_by", "join_inner", "join_outer", "join_semi",
		"set_operation", "subquery_quantified", "subquery_scalar",
	} {
		f, err := slt.Corpus().Open(name + ".slt")
		if err != nil {
			t.Fatal(err)
		}
		records, err := slt.Parse(name, f)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			checkRecord(t, name, r)
		}
	}
}

func checkRecord(t *testing.T, name string, r slt.Record) {
	q, err := query(r.SQL)
	switch {
	case err != nil && r.Kind == slt.StatementError:
		e := qerr.From(err)
		if text := e.Code.Name + ": " + err.Error(); !r.Error.MatchString(text) {
			t.Errorf("%s:%d: %s\n got %s\nwant %s", name, r.Line, r.SQL, text, r.Error)
		}
	case err != nil && !qerr.Is(err, qerr.NotSupportedCode):
		t.Errorf("%s:%d: %s\n%v", name, r.Line, r.SQL, err)
	case err == nil && r.Columns != "" && !strings.Contains(r.Columns, "decimal(12"):
		var cols []string
		for i, o := range q.Outputs {
			cols = append(cols, q.Names()[i]+" "+o.Type.String())
		}
		plain := strings.NewReplacer(", ", ",", "timestamp(3)", "timestamp(0)")
		if got, want := plain.Replace(strings.Join(cols, ", ")), plain.Replace(r.Columns); got != want {
			t.Errorf("%s:%d: %s\n got %s\nwant %s", name, r.Line, r.SQL, got, want)
		}
	}
}

// varcharLength is left out of comparisons: the answers come from files, which
// know no lengths.
var varcharLength = regexp.MustCompile(`varchar\(\d+\)`)

func TestTPCH(t *testing.T) {
	for _, q := range tpch.Queries() {
		stmt := parse(t, q.SQL).(*ast.Query)
		bound, err := newAnalyzer(analyzertest.Session("tpchstd")).Query(stmt)
		if err != nil {
			t.Errorf("%s: %v", q.Name, err)
			continue
		}
		answer, err := tpch.Load(tpch.Tiny, q.Name)
		if err != nil {
			t.Fatal(err)
		}
		var types []string
		for _, o := range bound.Outputs {
			text := varcharLength.ReplaceAllString(o.Type.String(), "varchar")
			types = append(types, strings.ReplaceAll(text, ",", ", "))
		}
		if !slices.Equal(bound.Names(), answer.Names) || !slices.Equal(types, answer.Types) {
			t.Errorf("%s: columns %v %v, want %v %v", q.Name, bound.Names(), types, answer.Names, answer.Types)
		}
	}
}

// TestColumnsAreUnique checks that no two relations of a tree make the same
// column, though a CTE is used twice.
func TestColumnsAreUnique(t *testing.T) {
	q := mustQuery(t, `WITH c AS (SELECT nationkey k, count(*) n FROM nation GROUP BY nationkey)
		SELECT * FROM c a JOIN c b ON a.k = b.n WHERE a.k IN (SELECT k FROM c)`)
	ids := map[expr.ColumnID]bool{}
	scans := 0
	walk(q, func(s *analyzer.Scan) {
		scans++
		for _, c := range s.Cols {
			if ids[c.ID] {
				t.Errorf("column %d is made twice", c.ID)
			}
			ids[c.ID] = true
		}
	})
	if scans != 3 {
		t.Errorf("%d scans, want 3", scans)
	}
}

// walk calls visit for each scan in the tree.
func walk(r analyzer.Relation, visit func(*analyzer.Scan)) {
	switch r := r.(type) {
	case *analyzer.Scan:
		visit(r)
	case *analyzer.Join:
		walk(r.Left, visit)
		walk(r.Right, visit)
	case *analyzer.Query:
		walk(r.Body, visit)
	case *analyzer.Select:
		if r.From != nil {
			walk(r.From, visit)
		}
		for _, s := range r.Where.Subqueries {
			walk(s.Query, visit)
		}
	}
}

// TestOneLookup checks that a query asks for each table once.
func TestOneLookup(t *testing.T) {
	catalog := analyzertest.New()
	a := analyzer.New(context.Background(), catalog, analyzertest.Session("tpch"), &analyzer.Allocator{})
	stmt := parse(t, `SELECT count(*) FROM nation a, nation b, 's3://bucket/*.parquet' WHERE EXISTS
		(SELECT 1 FROM tpch.tiny.Nation, lake.files."s3://bucket/*.parquet" f WHERE f.name = a.name)`)
	if _, err := a.Query(stmt.(*ast.Query)); err != nil {
		t.Fatal(err)
	}
	if n := catalog.Lookups["tpch.tiny.nation"]; n != 1 {
		t.Errorf("%d look-ups of nation, want 1", n)
	}
}

func TestHiddenColumns(t *testing.T) {
	q := mustQuery(t, `SELECT * FROM memory.default.wide`)
	if slices.Contains(q.Names(), "$hidden") {
		t.Errorf("* selects a hidden column: %v", q.Names())
	}
	if q = mustQuery(t, `SELECT "$hidden", w."$hidden" FROM memory.default.wide w`); len(q.Cols) != 2 {
		t.Errorf("%d columns, want 2", len(q.Cols))
	}
}

func FuzzQuery(f *testing.F) {
	data, err := os.ReadFile("testdata/statements.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, block := range strings.Split(string(data), "\n\n") {
		sql, _, _ := strings.Cut(block, "\n")
		f.Add(sql)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		if len(sql) > 500 {
			return
		}
		if got := outcome(sql); strings.Contains(got, "GENERIC_INTERNAL_ERROR") {
			t.Errorf("%s: %s", sql, got)
		}
	})
}
