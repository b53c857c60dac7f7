package analyzer_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/analyzer/analyzertest"
	"github.com/tuttidb/tutti/sql/ast"
	"github.com/tuttidb/tutti/sql/parser"
)

// doubling is a chain of n WITH queries that each name the one before twice.
func doubling(n int) string {
	var b strings.Builder
	b.WriteString("WITH t0 AS (SELECT 1 x)")
	for i := range n {
		fmt.Fprintf(&b, ", t%d AS (SELECT a.x FROM t%d a, t%d b)", i+1, i, i)
	}
	fmt.Fprintf(&b, " SELECT count(*) FROM t%d", n)
	return b.String()
}

func nested(open, inner, shut string, n int) string {
	return strings.Repeat(open, n) + inner + strings.Repeat(shut, n)
}

func listOf(n int, item func(i int) string) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = item(i)
	}
	return strings.Join(parts, ", ")
}

// TestHostileStatements: whatever the parser lets through is bound or refused,
// with memory in proportion to the text. Want is "" for statements that are
// bound, and else what the error says.
func TestHostileStatements(t *testing.T) {
	number := func(i int) string { return fmt.Sprint(i) }
	for _, c := range []struct{ name, sql, want string }{
		{"parentheses", "SELECT " + nested("(", "1", ")", 9_000), ""},
		{"too many parentheses", "SELECT " + nested("(", "1", ")", 10_000), "nested more than 10000 levels deep"},
		{"NOT", "SELECT " + nested("NOT ", "true", "", 9_000), ""},
		{"too many NOT", "SELECT " + nested("NOT ", "true", "", 10_000), "nested more than 10000 levels deep"},
		{"CASE", "SELECT " + nested("CASE WHEN true THEN ", "1", " END", 3_000), ""},
		{"too many CASE", "SELECT " + nested("CASE WHEN true THEN ", "1", " END", 10_000), "more than 10000"},
		{"minus", "SELECT " + nested("- ", "1", "", 9_000), ""},
		{"calls", "SELECT " + nested("abs(", "1", ")", 4_000), ""},
		{"casts", "SELECT " + nested("CAST(", "1", " AS bigint)", 3_000), ""},
		{"sum", "SELECT " + nested("1 + ", "1", "", 9_000), ""},
		{"subqueries", "SELECT " + nested("(SELECT ", "1", ")", 290), ""},
		{"too many subqueries", "SELECT " + nested("(SELECT ", "1", ")", 3_000), "line 1:2401: statement is too large: queries are nested more than 300 levels deep"},
		{"tables", "SELECT * FROM " + nested("(SELECT * FROM ", "nation", ")", 290), ""},
		{"too many tables", "SELECT * FROM " + nested("(SELECT * FROM ", "nation", ")", 1_000), "queries are nested more than 300 levels deep"},
		{"EXISTS", "SELECT 1 WHERE " + nested("EXISTS (SELECT 1 WHERE ", "true", ")", 290), ""},
		{"too many EXISTS", "SELECT 1 WHERE " + nested("EXISTS (SELECT 1 WHERE ", "true", ")", 1_000), "queries are nested more than 300 levels deep"},
		{"WITH doubled", doubling(9), ""},
		{"WITH doubled too often", doubling(40), "it reads more than 5000 tables and subqueries, those of WITH counted as often as they are named"},
		{"arrays", "SELECT " + nested("ARRAY[", "1", "]", 90), ""},
		{"too many arrays", "SELECT " + nested("ARRAY[", "1", "]", 2_000), "a type is nested more than 100 levels deep"},
		{"too many rows", "SELECT " + nested("ROW(", "1", ")", 2_000), "a type is nested more than 100 levels deep"},
		{"too deep a type", "SELECT CAST(NULL AS " + nested("array(", "bigint", ")", 2_000) + ")", "a type is nested more than 100 levels deep"},
		{"too deep a row type", "SELECT CAST(NULL AS " + nested("row(a ", "bigint", ")", 2_000) + ")", "a type is nested more than 100 levels deep"},
		{"long IN list", "SELECT 1 FROM nation WHERE nationkey IN (" + listOf(120_000, number) + ")", ""},
		{"long IN list of texts", "SELECT 1 FROM nation WHERE name IN (" + listOf(60_000, func(i int) string { return fmt.Sprintf("'n%d'", i) }) + ")", ""},
		{"long IN list of expressions", "SELECT 1 FROM nation WHERE nationkey IN (" + listOf(60_000, func(int) string { return "nationkey+1" }) + ")", ""},
		{"AND chain", "SELECT 1 WHERE " + nested("true AND ", "true", "", 50_000), ""},
		{"5,000 columns", "SELECT " + listOf(5_000, func(i int) string { return fmt.Sprintf("nationkey + %d AS c%d", i, i) }) + " FROM nation", ""},
		{"200 joins", "SELECT count(*) FROM nation n0" + func() (s string) {
			for i := 1; i <= 200; i++ {
				s += fmt.Sprintf(" JOIN nation n%d ON n%d.nationkey = n%d.nationkey", i, i, i-1)
			}
			return s
		}(), ""},
		{"1,000 unions", "SELECT 1" + nested(" UNION ALL SELECT 1", "", "", 1_000), ""},
		{"huge integer", "SELECT " + strings.Repeat("9", 100_000), "line 1:8: Invalid numeric literal: 999"},
		{"huge decimal", "SELECT " + strings.Repeat("9", 38) + ".5", "line 1:8: '99999999999999999999999999999999999999.5' is not a valid DECIMAL literal"},
		{"tiny decimal", "SELECT 0." + strings.Repeat("0", 100_000) + "1", "is not a valid DECIMAL literal"},
		{"huge exponent", "SELECT 1e999999999", ""},
		{"string without end", "SELECT 'abc", "line 1:8: mismatched input '''"},
		{"name without end", "SELECT \"abc", "line 1:8: mismatched input '\"'"},
		{"comment without end", "SELECT 1 /* abc", "line 1:10: mismatched input '/*'"},
		{"NUL", "SELECT 'a\x00b', 1\x00", "line 1:16: mismatched input"},
		{"NUL in a name", "SELECT \"a\x00b\" FROM nation", "line 1:8: Column 'a\x00b' cannot be resolved"},
		{"no UTF-8", "SELECT '\xff\xfe'", ""},
		{"quoted Unicode", "SELECT 1 AS \"ünï 日本 🎉\"", ""},
		{"bare Unicode", "SELECT 日本 FROM nation", "line 1:8: mismatched input '日'"},
		{"surrogate", `SELECT U&'\D800'`, "Escaped character is a surrogate"},
		{"no code point", `SELECT U&'\+110000'`, "Invalid escaped character: 110000"},
		{"long name", "SELECT " + strings.Repeat("a", 900_000), "cannot be resolved"},
		{"parameters", "SELECT " + listOf(100_000, func(int) string { return "?" }), "expected 100000 but found 0"},
		{"too long", "SELECT '" + strings.Repeat("x", 1_000_000) + "'", "Query text length (1000009) exceeds the maximum length (1000000)"},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := bindText(c.sql)
		runtime.ReadMemStats(&after)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %.300s", c.name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %.300v, want %s", c.name, err, c.want)
		case err != nil && qerr.From(err).Code.Kind != qerr.User:
			t.Errorf("%s: the error's type is %v", c.name, qerr.From(err).Code.Kind)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 600<<20 {
			t.Errorf("%s: took %d MB of memory in all", c.name, took>>20)
		}
	}
}

// bindText parses and binds a query, as a coordinator would.
func bindText(sql string) error {
	stmt, err := parser.ParseStatement(sql)
	if err != nil {
		return err
	}
	_, err = newAnalyzer(analyzertest.Session("tpch")).Query(stmt.(*ast.Query))
	return err
}
