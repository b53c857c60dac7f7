package parser

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tuttidb/tutti/sql/ast"
)

// TestPositions marks with ^ where the node of the given type is reported.
func TestPositions(t *testing.T) {
	for _, tc := range []struct{ sql, mark, node string }{
		{"select a + b", "         ^", "Binary"},
		{"select a || b", "         ^", "Binary"},
		{"select (a) * b", "           ^", "Binary"},
		{"select a = b", "         ^", "Comparison"},
		{"select a = any (select 1)", "         ^", "QuantifiedComparison"},
		{"select (a) and b", "       ^", "Logical"},
		{"select not a", "       ^", "Not"},
		{"select a between 1 and 2", "         ^", "Between"},
		{"select a not between 1 and 2", "         ^", "Between"},
		{"select a in (1)", "         ^", "InList"},
		{"select a not in (select 1)", "         ^", "InSubquery"},
		{"select a like b", "         ^", "Like"},
		{"select a is not null", "         ^", "IsNull"},
		{"select a is distinct from b", "         ^", "IsDistinctFrom"},
		{"select a at time zone 'x'", "         ^", "AtTimeZone"},
		{"select -a", "       ^", "Unary"},
		{"select  -1", "        ^", "IntegerLiteral"},
		{"select (a).b", "       ^", "Dereference"},
		{"select a.b[1]", "       ^", "Subscript"},
		{"select s.f(x)", "       ^", "FunctionCall"},
		{"select (1, 2)", "       ^", "Row"},
		{"select (select 1)", "       ^", "ScalarSubquery"},
		{"select x -> y", "       ^", "Lambda"},
		{"select (x, y) -> y", "       ^", "Lambda"},
		{"select f(cast(a as b))", "         ^", "Cast"},
		{"select cast(a as  b)", "                  ^", "GenericType"},
		{"select date '2020'", "       ^", "GenericLiteral"},
		{"select 1, ?", "          ^", "Parameter"},
		{"select t.* from t", "       ^", "AllColumns"},
		{"select 1 union select 2", "         ^", "SetOperation"},
		{"select * from a x join b on true", "              ^", "Join"},
		{"select * from a x", "              ^", "Aliased"},
		{"select * from (select 1)", "              ^", "SubqueryRelation"},
		{"select a order by  b desc", "                   ^", "SortItem"},
		{"select a limit 1", "         ^", "Limit"},
		{"with a as (select 1) select 2", "     ^", "NamedQuery"},
		{"explain  select 1", "^", "Explain"},
	} {
		s, err := ParseStatement(tc.sql)
		if err != nil {
			t.Errorf("%s: %v", tc.sql, err)
			continue
		}
		want := fmt.Sprintf("1:%d", strings.Index(tc.mark, "^")+1)
		got := "none"
		ast.Inspect(s, func(n ast.Node) bool {
			if got == "none" && strings.HasSuffix(fmt.Sprintf("%T", n), "."+tc.node) {
				got = n.Pos().String()
			}
			return true
		})
		if got != want {
			t.Errorf("%s: %s at %s, want %s", tc.sql, tc.node, got, want)
		}
	}
}

// TestEveryNodeHasAPosition walks all golden statements.
func TestEveryNodeHasAPosition(t *testing.T) {
	for _, path := range glob(t, "testdata/statements/*.sql") {
		for _, sql := range lines(t, path) {
			s, err := ParseStatement(sql)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(s, func(n ast.Node) bool {
				if p := n.Pos(); !p.IsValid() || p.Line != 1 || p.Column > len(sql) {
					t.Errorf("%s: %T at %v", sql, n, p)
				}
				return true
			})
		}
	}
}

// TestParametersCountInOrder checks that indexes follow the text.
func TestParametersCountInOrder(t *testing.T) {
	sql := "with a as (select ? limit ?) select ?, f(?, ? order by ?) filter (where ?) over (partition by ? order by ?)" +
		" from a join b on ? where position(? in ?) and substring(? from ?) and x in (?, (select ?)) and ((select ?) + ?)" +
		" group by ? having ? order by ? offset ? limit ?"
	s, err := ParseStatement(sql)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := ast.ParameterCount(s), strings.Count(sql, "?"); got != want {
		t.Errorf("%d parameters, want %d", got, want)
	}
	ast.Inspect(s, func(n ast.Node) bool {
		if p, ok := n.(*ast.Parameter); ok {
			if want := strings.Count(sql[:p.Pos().Column-1], "?"); p.Index != want {
				t.Errorf("parameter at %v has index %d, want %d", p.Pos(), p.Index, want)
			}
		}
		return true
	})
}
