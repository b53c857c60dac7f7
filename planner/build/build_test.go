package build_test

import (
	"context"
	"errors"
	"flag"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/build"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/analyzer"
	"github.com/tuttidb/tutti/sql/analyzer/analyzertest"
	"github.com/tuttidb/tutti/sql/ast"
	"github.com/tuttidb/tutti/sql/parser"
	"github.com/tuttidb/tutti/test/slt"
	"github.com/tuttidb/tutti/test/tpch"
)

var update = flag.Bool("update", false, "write what is found as what is expected")

// records reads a file of queries and answers.
func records(t *testing.T, files fs.FS, name string) []slt.Record {
	t.Helper()
	f, err := files.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	list, err := slt.Parse(name, f)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// check runs a record through plan and interpreter. It is false if the
// interpreter lacks something that the query needs.
func check(t *testing.T, name string, r slt.Record) bool {
	t.Helper()
	rows, err := answer(r.SQL)
	var lacking *lackingError
	switch {
	case errors.As(err, &lacking), qerr.Is(err, qerr.NotSupportedCode) && r.Kind == slt.Query:
		return false
	case r.Kind == slt.StatementError:
		if err == nil || !r.Error.MatchString(err.Error()) {
			t.Errorf("%s:%d: %s\n got %v\nwant %s", name, r.Line, r.SQL, err, r.Error)
		}
		return true
	case err != nil:
		t.Errorf("%s:%d: %s\n%v", name, r.Line, r.SQL, err)
		return true
	}
	got, want := lines(rows, r.Sort), lines(r.Rows, r.Sort)
	if !slices.Equal(got, want) {
		t.Errorf("%s:%d: %s\n got %s\nwant %s", name, r.Line, r.SQL, got, want)
	}
	return true
}

func lines(rows [][]string, mode slt.SortMode) []string {
	var out []string
	for _, r := range rows {
		out = append(out, strings.Join(r, "|"))
	}
	if mode != slt.NoSort {
		slices.Sort(out)
	}
	return out
}

// TestCorrelated runs random queries whose answers another engine gave.
func TestCorrelated(t *testing.T) {
	list := records(t, os.DirFS("testdata"), "correlated.slt")
	for _, r := range list {
		if !check(t, "correlated.slt", r) {
			t.Errorf("line %d: not interpreted: %s", r.Line, r.SQL)
		}
	}
	if len(list) < 150 {
		t.Errorf("only %d queries", len(list))
	}
}

// TestCorpus runs the queries of the SQL corpus that the interpreter can run;
// the numbers are how many that are at least.
func TestCorpus(t *testing.T) {
	for _, c := range []struct {
		name    string
		atLeast int
	}{
		{"cte", 18}, {"join_inner", 41}, {"join_outer", 44}, {"join_semi", 47}, {"null_logic", 25},
		{"order_limit", 38}, {"set_operation", 32}, {"subquery_quantified", 25}, {"subquery_scalar", 43},
	} {
		n := 0
		for _, r := range records(t, slt.Corpus(), c.name+".slt") {
			if r.Kind == slt.Query && check(t, c.name, r) {
				n++
			}
		}
		if n < c.atLeast {
			t.Errorf("%s: %d queries interpreted, want at least %d", c.name, n, c.atLeast)
		}
	}
}

// TestTPCH plans the 22 queries and compares the plans with those recorded.
func TestTPCH(t *testing.T) {
	var b strings.Builder
	for _, q := range tpch.Queries() {
		n, err := planOf(q.SQL, "tpchstd")
		if err != nil {
			t.Errorf("%s: %v", q.Name, err)
			continue
		}
		b.WriteString("== " + q.Name + "\n\n" + shape(n) + "\n")
	}
	golden(t, "testdata/tpch.txt", b.String())
}

// TestPlans compares the plans of the queries in plans.sql with those recorded.
func TestPlans(t *testing.T) {
	text, err := os.ReadFile("testdata/plans.sql")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, sql := range strings.Split(strings.TrimSpace(string(text)), ";") {
		if sql = strings.TrimSpace(sql); sql == "" {
			continue
		}
		b.WriteString(sql + "\n\n")
		n, err := planOf(sql, "tpch")
		if err != nil {
			t.Errorf("%s: %v", sql, err)
			continue
		}
		b.WriteString(shape(n) + "\n")
	}
	golden(t, "testdata/plans.txt", b.String())
}

// shape prints a plan without the list of every node's columns.
func shape(n plan.Node) string {
	var out []string
	for _, l := range strings.Split(plan.Format(n), "\n") {
		if strings.HasPrefix(strings.TrimSpace(l), "- ") {
			l, _, _ = strings.Cut(l, " => [")
		}
		out = append(out, l)
	}
	return strings.Join(out, "\n")
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got == string(want) {
		return
	}
	g, w := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			t.Fatalf("%s:%d: got\n%s\nwant\n%s\n(-update writes what is found)", file, i+1, g[i], w[i])
		}
	}
	t.Fatalf("%s: %d lines, want %d", file, len(g), len(w))
}

func TestWrite(t *testing.T) {
	stmt, err := parser.ParseStatement("INSERT INTO memory.default.q SELECT nationkey FROM nation WHERE EXISTS (SELECT 1 FROM region WHERE name = nation.name)")
	if err != nil {
		t.Fatal(err)
	}
	alloc := &analyzer.Allocator{}
	a := analyzer.New(context.Background(), analyzertest.New(), analyzertest.Session("tpch"), alloc)
	w, err := a.Insert(stmt.(*ast.Insert))
	if err != nil {
		t.Fatal(err)
	}
	n, err := build.Write(w, alloc)
	if err != nil {
		t.Fatal(err)
	}
	write, ok := n.Input.(*plan.Write)
	if !ok || write.Schema != "default" || write.Table != "q" || len(write.Cols) != 1 || write.Create != nil {
		t.Fatalf("got %s", plan.Format(n))
	}
	if got := write.Cols[0].Type.String(); got != "integer" {
		t.Errorf("writes a %s, want an integer", got)
	}
	if n.Names[0] != "rows" || n.Cols[0].ID != write.Count.ID {
		t.Errorf("result is %v", n.Names)
	}
}

// TestNotSupported lists what cannot be planned.
func TestNotSupported(t *testing.T) {
	_, err := planOf(`SELECT * FROM (VALUES 1) t (a) FULL JOIN (VALUES 1) u (b) ON EXISTS (SELECT 1 WHERE a = b)`, "tpch")
	if err == nil || !strings.Contains(err.Error(), "not supported: a subquery in the condition of a FULL JOIN") {
		t.Errorf("got %v", err)
	}
}
