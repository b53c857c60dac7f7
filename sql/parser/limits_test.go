package parser

import (
	"strings"
	"testing"
	"time"

	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/ast"
)

// TestHugeInputs checks that no text makes the parser overflow its stack or
// take more than linear time. Each text is either parsed or refused with a
// clear error.
func TestHugeInputs(t *testing.T) {
	const n = 100_000
	rep := strings.Repeat
	for _, tc := range []struct {
		name, sql string
		tooLarge  bool
	}{
		{"AND chain", "select a" + rep(" and a", n), false},
		{"OR chain", "select a" + rep(" or a", n), false},
		{"mixed chain", "select a" + rep(" and a or b", n/2), false},
		{"IN list", "select a in (1" + rep(",1", n) + ")", false},
		{"arguments", "select f(1" + rep(",1", n) + ")", false},
		{"select list", "select 1" + rep(",1", n), false},
		{"values", "values (1)" + rep(",(1)", n), false},
		{"from list", "select 1 from t" + rep(",t", n), false},
		{"case", "select case" + rep(" when a then b", n/2) + " end", false},
		{"comments", rep("/* x */ -- y\n", n/2) + "select 1", false},
		{"plus chain", "select 1" + rep("+1", n), true},
		{"short plus chain", "select 1" + rep("+1", 5000), false},
		{"concat chain", "select a" + rep("||a", n), true},
		{"plus chains in parentheses", "select " + rep("(", 100) + "1" + rep(rep("+1", 1000)+")", 100), true},
		{"open parens", "select " + rep("(", n), true},
		{"parens", "select " + rep("(", n) + "1" + rep(")", n), true},
		{"deep parens that fit", "select " + rep("(", 4000) + "1" + rep(")", 4000), false},
		{"query parens", rep("(", n) + "select 1" + rep(")", n), true},
		{"scalar subqueries", "select " + rep("(", n) + "select 1" + rep(")", n), true},
		{"subquery or expression", "select " + rep("(", n) + "select 1" + rep(") + 1", n), true},
		{"relation parens", "select * from " + rep("(", n) + "t" + rep(")", n), true},
		{"relation or query parens", "select * from " + rep("(", n) + "select 1" + rep(") x", n), true},
		{"rows", "select " + rep("(1,", n) + "1" + rep(")", n), true},
		{"lambda parens", "select " + rep("(a,b,", n), true},
		{"not chain", "select " + rep("not ", n) + "a", true},
		{"minus chain", "select " + rep("- ", n) + "a", true},
		{"unions", "select 1" + rep(" union all select 1", 50_000), true},
		{"joins", "select * from t" + rep(" cross join t", 70_000), true},
		{"right joins", "select * from t" + rep(" join t", n), true},
		{"subscripts", "select a" + rep("[1]", n), true},
		{"dereferences", "select a" + rep(".a", n), true},
		{"calls", "select " + rep("f(", n), true},
		{"cases", "select " + rep("case when ", 90_000), true},
		{"lambdas", "select " + rep("x->", n) + "x", true},
		{"types", "select cast(a as " + rep("array(", n), true},
		{"type suffixes", "select cast(a as a" + rep(" array", n) + ")", true},
		{"rows of types", "select cast(a as " + rep("row(a ", n), true},
		{"explains", rep("explain ", n) + "select 1", true},
		{"withs", rep("with a as (", 80_000) + "select 1", true},
		{"dots", "select a" + rep(" . ", n), true},
		{"brackets", rep("[", n), true},
		{"quotes", "select " + rep("''", n/2), false},
		{"at time zones", "select a" + rep(" at time zone 'x'", 50_000), true},
	} {
		start := time.Now()
		s, err := ParseStatement(tc.sql)
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%s: took %v", tc.name, took)
		}
		if tc.tooLarge != (err != nil) {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if err != nil {
			if !qerr.Is(err, qerr.SyntaxError) {
				t.Errorf("%s: %v", tc.name, err)
			}
			continue
		}
		// What is accepted can be walked, printed and parsed again.
		checkRoundTrip(t, tc.name, s)
	}
}

func TestTooDeepMessages(t *testing.T) {
	_, err := ParseStatement("select " + strings.Repeat("(", 20_000))
	if err == nil || !strings.HasSuffix(err.Error(), "statement is too large: nested more than 10000 levels deep") {
		t.Errorf("%v", err)
	}
	_, err = ParseStatement("select 1" + strings.Repeat("+1", 20_000))
	if err == nil || err.Error() != "line 1:10: statement is too large: its syntax tree is 20004 levels high, more than 10000" {
		t.Errorf("%v", err)
	}
}

func TestChainsAreFlat(t *testing.T) {
	e, err := ParseExpression("a and b and (c and d) and not e or f or g")
	if err != nil {
		t.Fatal(err)
	}
	or, ok := e.(*ast.Logical)
	if !ok || or.Op != ast.Or || len(or.Terms) != 3 {
		t.Fatal(ast.Dump(e))
	}
	if and, ok := or.Terms[0].(*ast.Logical); !ok || and.Op != ast.And || len(and.Terms) != 4 {
		t.Error(ast.Dump(e))
	}
}
