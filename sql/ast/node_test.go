package ast

import (
	"math"
	"strings"
	"testing"
)

func id(name string) *Identifier { return &Identifier{Name: name} }

func TestDereferenceName(t *testing.T) {
	chain := &Dereference{Target: &Dereference{Target: id("A"), Field: id("b")}, Field: id("C")}
	name := DereferenceName(chain)
	if name == nil || name.String() != "A.b.C" || strings.Join(name.Fold(), ".") != "a.b.c" || name.Last().Name != "C" {
		t.Errorf("DereferenceName = %v", name)
	}
	if n := DereferenceName(id("x")); n == nil || n.String() != "x" {
		t.Errorf("DereferenceName of an identifier = %v", n)
	}
	if n := DereferenceName(&Dereference{Target: &Row{}, Field: id("x")}); n != nil {
		t.Errorf("DereferenceName of a row's field = %v", n)
	}
}

func TestQuoting(t *testing.T) {
	for name, want := range map[string]string{
		"a": "a", "Abc_1": "Abc_1", "_x": "_x", "date": "date", "limit": "limit", "name": "name",
		"select": `"select"`, "Select": `"Select"`, "1a": `"1a"`, "a b": `"a b"`, `a"b`: `"a""b"`,
		"": `""`, "é": `"é"`, "array": `"array"`, "a.b": `"a.b"`, "a-b": `"a-b"`,
	} {
		if got := QuoteIdentifier(name); got != want {
			t.Errorf("QuoteIdentifier(%q) = %s, want %s", name, got, want)
		}
	}
	if got := QuoteString("it's"); got != "'it''s'" {
		t.Errorf("QuoteString = %s", got)
	}
	if !IsReserved("Select") || IsReserved("date") {
		t.Error("IsReserved")
	}
}

func TestSame(t *testing.T) {
	a := &Binary{Op: Add, Left: id("x"), Right: &IntegerLiteral{Value: 1}}
	b := &Binary{Op: Add, Left: &Identifier{Name: "x", Quoted: true}, Right: &IntegerLiteral{Value: 1}}
	if !Same(a, b) {
		t.Error("quoting must not matter")
	}
	for _, other := range []Node{
		&Binary{Op: Subtract, Left: id("x"), Right: &IntegerLiteral{Value: 1}},
		&Binary{Op: Add, Left: id("y"), Right: &IntegerLiteral{Value: 1}},
		&Binary{Op: Add, Left: id("x"), Right: &DecimalLiteral{Text: "1"}},
		&Binary{Op: Add, Left: id("x")},
		&Row{Items: []Expression{id("x")}},
		nil,
	} {
		if Same(a, other) || other != nil && Same(other, a) {
			t.Errorf("Same(%s, %v)", Dump(a), other)
		}
	}
	if Same(&Row{Items: []Expression{id("x")}}, &Row{Items: []Expression{id("x"), id("y")}}) {
		t.Error("lengths must matter")
	}
}

func TestDump(t *testing.T) {
	precision := 3
	for _, tc := range []struct {
		node Node
		want string
	}{
		{id("a"), "a"},
		{&Identifier{Name: "a b", Quoted: true}, `"a b"`},
		{&Binary{Op: Multiply, Left: id("a"), Right: &StringLiteral{Value: "x"}}, `(Binary op: * left: a right: (StringLiteral value: "x"))`},
		{&IsNull{Not: true, Value: id("a")}, "(IsNull not value: a)"},
		{&BinaryLiteral{Value: []byte{0xab, 1}}, "(BinaryLiteral value: ab01)"},
		{&CurrentTime{Function: LocalTime, Precision: &precision}, "(CurrentTime function: LOCALTIME precision: 3)"},
		{&Row{}, "(Row)"},
		{&Row{Items: []Expression{id(strings.Repeat("a", 60)), id(strings.Repeat("b", 60))}},
			"(Row\n  items: [\n    " + strings.Repeat("a", 60) + "\n    " + strings.Repeat("b", 60) + "])"},
	} {
		if got := Dump(tc.node); got != tc.want {
			t.Errorf("Dump = %s, want %s", got, tc.want)
		}
	}
}

// TestFormatByHand prints trees that the parser would not make in this form:
// the printer has to protect them.
func TestFormatByHand(t *testing.T) {
	one := &IntegerLiteral{Value: 1}
	for _, tc := range []struct {
		node Node
		want string
	}{
		{&Unary{Op: Negate, Operand: one}, "-(1)"},
		{&Unary{Op: Negate, Operand: &IntegerLiteral{Value: -1}}, "-(-1)"},
		{&Unary{Op: Negate, Operand: &Unary{Op: Negate, Operand: id("x")}}, "-(-x)"},
		{&Dereference{Target: one, Field: id("x")}, "(1).x"},
		{&Binary{Op: Subtract, Left: id("a"), Right: &Binary{Op: Subtract, Left: id("b"), Right: id("c")}}, "a - (b - c)"},
		{&Binary{Op: Multiply, Left: &Binary{Op: Add, Left: id("a"), Right: one}, Right: id("c")}, "(a + 1) * c"},
		{&Comparison{Left: &IsNull{Value: id("a")}, Right: id("b")}, "(a IS NULL) = b"},
		{&Not{Operand: &Logical{Op: And, Terms: []Expression{id("a"), id("b")}}}, "NOT (a AND b)"},
		{&Logical{Op: Or, Terms: []Expression{
			&Logical{Op: Or, Terms: []Expression{id("a"), id("b")}}, &Not{Operand: id("c")}}}, "(a OR b) OR NOT c"},
		{&Binary{Op: Add, Left: &Lambda{Params: []*Identifier{id("x")}, Body: id("x")}, Right: one}, "(x -> x) + 1"},
		{&DoubleLiteral{Value: math.Inf(1)}, "1E999"},
		{&DoubleLiteral{Value: math.Inf(-1)}, "-1E999"},
		{&DoubleLiteral{Value: -1.5e-7}, "-1.5E-7"},
		{&GenericLiteral{Type: "my type", Value: "x"}, `"my type" 'x'`},
		{&Identifier{Name: "from"}, `"from"`},
		{Name("a", "b c"), `a."b c"`},
		{&SetOperation{Op: Intersect, Left: &SetOperation{Op: Union, Left: body("a"), Right: body("b")}, Right: body("c")},
			"(TABLE a UNION TABLE b) INTERSECT TABLE c"},
		{&SetOperation{Op: Except, All: true, Left: body("a"), Right: &SetOperation{Op: Union, Left: body("b"), Right: body("c")}},
			"TABLE a EXCEPT ALL (TABLE b UNION TABLE c)"},
		{&Aliased{Alias: id("z"), Relation: &Join{Type: CrossJoin, Left: &Table{Name: Name("a")}, Right: &Table{Name: Name("b")}}},
			"(a CROSS JOIN b) AS z"},
		{&SortItem{Expr: id("a"), Descending: true, Nulls: NullsFirst}, "a DESC NULLS FIRST"},
		{&When{Condition: id("a"), Result: one}, "WHEN a THEN 1"},
		{&FrameBound{Kind: Following, Value: one}, "1 FOLLOWING"},
		{&ListaggOverflow{}, "ON OVERFLOW ERROR"},
		{&LikePattern{Pattern: "a%"}, "LIKE 'a%'"},
		{&With{Queries: []*NamedQuery{{Name: id("a"), Query: &Query{Body: body("b")}}}}, "WITH a AS (TABLE b)"},
	} {
		if got := Format(tc.node); got != tc.want {
			t.Errorf("Format = %s, want %s", got, tc.want)
		}
	}
}

func body(table string) QueryBody { return &TableBody{Name: Name(table)} }
