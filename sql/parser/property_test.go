package parser

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tuttidb/tutti/sql/ast"
)

// TestRandomTrees makes trees at random and checks that what they print as
// parses as the same tree.
func TestRandomTrees(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	g := &generator{rand.New(rand.NewPCG(seed, 0))}
	for range 5000 {
		checkRoundTrip(t, "random tree", g.query(4))
		if t.Failed() {
			return
		}
	}
}

// generator makes trees of the forms that the parser makes.
type generator struct{ *rand.Rand }

// some returns up to max-1 things, and at least min.
func some[T any](g *generator, min, max int, make func() T) []T {
	var list []T
	for range min + g.IntN(max-min) {
		list = append(list, make())
	}
	return list
}

func (g *generator) chance(percent int) bool { return g.IntN(100) < percent }

func (g *generator) ident() *ast.Identifier {
	names := []string{
		"a", "b", "C1", "t", "x y", `q"q`, "select", "date", "interval", "array", "row", "limit", "all", "any",
		"position", "substring", "try_cast", "time", "timestamp", "rows", "over", "at", "filter", "double",
		"precision", "partition", "nulls", "offset", "values", "é", "1a", "local", "both", "x", "u", "normalize",
	}
	name := names[g.IntN(len(names))]
	return &ast.Identifier{Name: name, Quoted: g.chance(20)}
}

func (g *generator) name() *ast.QualifiedName {
	return &ast.QualifiedName{Parts: some(g, 1, 4, g.ident)}
}

func (g *generator) text() string {
	texts := []string{"", "x", "it's", "a\nb", "é😀", `\`, "--", "/*", "2020-01-01", `"`}
	return texts[g.IntN(len(texts))]
}

func (g *generator) str() *ast.StringLiteral { return &ast.StringLiteral{Value: g.text()} }

func (g *generator) literal() ast.Expression {
	switch g.IntN(12) {
	case 0:
		return &ast.NullLiteral{}
	case 1:
		return &ast.BooleanLiteral{Value: g.chance(50)}
	case 2:
		return &ast.IntegerLiteral{Value: int64(g.Uint64())}
	case 3:
		texts := []string{"1.5", "-1.5", ".5", "2.", "-0.00"}
		return &ast.DecimalLiteral{Text: texts[g.IntN(len(texts))]}
	case 4:
		return &ast.DoubleLiteral{Value: g.NormFloat64() * 1e10}
	case 5:
		return &ast.BinaryLiteral{Value: []byte(g.text())}
	case 6:
		types := []string{"date", "timestamp", "double precision", "my type", "row", "interval", "double"}
		return &ast.GenericLiteral{Type: types[g.IntN(len(types))], Value: g.text()}
	case 7:
		return g.interval()
	case 8:
		return &ast.SessionValue{Field: ast.SessionField(g.IntN(4))}
	case 9:
		n := &ast.CurrentTime{Function: ast.TimeFunction(g.IntN(5))}
		if p := g.IntN(10); n.Function != ast.CurrentDate && g.chance(50) {
			n.Precision = &p
		}
		return n
	}
	return g.str()
}

func (g *generator) interval() *ast.IntervalLiteral {
	return &ast.IntervalLiteral{
		Value: g.text(), Negative: g.chance(30),
		From: ast.IntervalField(1 + g.IntN(6)), To: ast.IntervalField(g.IntN(7)),
	}
}

// exprs returns up to max-1 expressions, and at least min.
func (g *generator) exprs(depth, min, max int) []ast.Expression {
	return some(g, min, max, func() ast.Expression { return g.expr(depth - 1) })
}

func (g *generator) maybeExpr(depth int) ast.Expression {
	if g.chance(50) {
		return nil
	}
	return g.expr(depth - 1)
}

func (g *generator) expr(depth int) ast.Expression {
	if depth <= 0 {
		if g.chance(40) {
			return g.ident()
		}
		return g.literal()
	}
	e := func() ast.Expression { return g.expr(depth - 1) }
	switch g.IntN(20) {
	case 0:
		return &ast.Logical{Op: ast.LogicalOp(g.IntN(2)), Terms: g.exprs(depth, 2, 4)}
	case 1:
		return &ast.Not{Operand: e()}
	case 2, 3:
		return &ast.Comparison{Op: ast.ComparisonOp(g.IntN(6)), Left: e(), Right: e()}
	case 4, 5, 6:
		return &ast.Binary{Op: ast.BinaryOp(g.IntN(6)), Left: e(), Right: e()}
	case 7:
		return &ast.Unary{Op: ast.UnaryOp(g.IntN(2)), Operand: e()}
	case 8:
		return &ast.Dereference{Target: e(), Field: g.ident()}
	case 9:
		return &ast.Subscript{Target: e(), Index: e()}
	case 10:
		return &ast.AtTimeZone{Value: e(), Zone: g.str()}
	case 11:
		return &ast.Row{Items: g.exprs(depth, 1, 4)}
	case 12:
		return &ast.Array{Items: g.exprs(depth, 0, 3)}
	case 13, 14:
		return g.call(depth)
	case 15, 16:
		return g.predicate(depth)
	}
	return g.special(depth)
}

func (g *generator) predicate(depth int) ast.Expression {
	e := func() ast.Expression { return g.expr(depth - 1) }
	not := g.chance(50)
	switch g.IntN(8) {
	case 0:
		return &ast.Between{Not: not, Value: e(), Low: e(), High: e()}
	case 1:
		return &ast.InList{Not: not, Value: e(), Items: g.exprs(depth, 1, 4)}
	case 2:
		q := g.query(depth - 1)
		if _, bare := q.Body.(*ast.Query); bare {
			// a IN ((query)) is a list.
			return &ast.InList{Not: not, Value: e(), Items: []ast.Expression{&ast.ScalarSubquery{Query: q}}}
		}
		return &ast.InSubquery{Not: not, Value: e(), Query: q}
	case 3:
		return &ast.Like{Not: not, Value: e(), Pattern: e(), Escape: g.maybeExpr(depth)}
	case 4:
		return &ast.IsNull{Not: not, Value: e()}
	case 5:
		return &ast.IsDistinctFrom{Not: not, Left: e(), Right: e()}
	case 6:
		return &ast.QuantifiedComparison{
			Op: ast.ComparisonOp(g.IntN(6)), Quantifier: ast.Quantifier(g.IntN(3)), Value: e(), Query: g.query(depth - 1),
		}
	}
	return &ast.Exists{Query: g.query(depth - 1)}
}

func (g *generator) special(depth int) ast.Expression {
	switch g.IntN(8) {
	case 0:
		n := &ast.Case{Operand: g.maybeExpr(depth), Else: g.maybeExpr(depth)}
		n.Whens = some(g, 1, 3, func() *ast.When {
			return &ast.When{Condition: g.expr(depth - 1), Result: g.expr(depth - 1)}
		})
		return n
	case 1:
		return &ast.Cast{Try: g.chance(50), Expr: g.expr(depth - 1), Type: g.dataType(depth)}
	case 2:
		return &ast.Extract{Field: g.ident(), Value: g.expr(depth - 1)}
	case 3:
		return &ast.Trim{Mode: ast.TrimMode(g.IntN(3)), Chars: g.maybeExpr(depth), Source: g.expr(depth - 1)}
	case 4:
		return &ast.Lambda{Params: some(g, 0, 3, g.ident), Body: g.expr(depth - 1)}
	case 5:
		return &ast.Grouping{Args: some(g, 0, 3, g.name)}
	case 6:
		n := &ast.Listagg{Distinct: g.chance(50), Value: g.expr(depth - 1), OrderBy: g.orderBy(depth, 1), Filter: g.maybeExpr(depth)}
		if g.chance(50) {
			n.Separator = g.str()
		}
		return n
	}
	return &ast.ScalarSubquery{Query: g.query(depth - 1)}
}

func (g *generator) call(depth int) ast.Expression {
	n := &ast.FunctionCall{Name: g.name(), Filter: g.maybeExpr(depth)}
	if g.chance(10) {
		n.Star = true
	} else {
		n.Args = g.exprs(depth, 0, 4)
		n.Distinct = len(n.Args) > 0 && g.chance(30)
		n.OrderBy = g.orderBy(depth, 0)
	}
	switch g.IntN(3) {
	case 0:
		n.Over = &ast.WindowRef{Name: g.ident()}
	case 1:
		n.Over = g.window(depth)
	}
	if n.Over != nil {
		n.Nulls = ast.NullTreatment(g.IntN(3))
	}
	return n
}

func (g *generator) window(depth int) *ast.WindowSpec {
	n := &ast.WindowSpec{PartitionBy: g.exprs(depth, 0, 2), OrderBy: g.orderBy(depth, 0)}
	if g.chance(30) {
		n.Name = g.ident()
	}
	if g.chance(50) {
		n.Frame = &ast.WindowFrame{Unit: ast.FrameUnit(g.IntN(3)), Start: g.bound(depth)}
		if g.chance(50) {
			n.Frame.End = g.bound(depth)
		}
	}
	return n
}

func (g *generator) bound(depth int) *ast.FrameBound {
	n := &ast.FrameBound{Kind: ast.BoundKind(g.IntN(5))}
	if n.Kind == ast.Preceding || n.Kind == ast.Following {
		n.Value = g.expr(depth - 1)
	}
	return n
}

func (g *generator) orderBy(depth, min int) []*ast.SortItem {
	return some(g, min, min+2, func() *ast.SortItem {
		return &ast.SortItem{Expr: g.expr(depth - 1), Descending: g.chance(50), Nulls: ast.NullsOrder(g.IntN(3))}
	})
}

func (g *generator) dataType(depth int) ast.DataType {
	kinds := 7
	if depth <= 0 {
		kinds = 4
	}
	switch g.IntN(kinds) {
	case 0:
		return &ast.IntervalType{From: ast.IntervalField(1 + g.IntN(6)), To: ast.IntervalField(g.IntN(7))}
	case 1:
		n := &ast.DateTimeType{Kind: ast.DateTimeKind(g.IntN(2)), WithZone: g.chance(50)}
		if g.chance(50) {
			n.Precision = &ast.TypeNumber{Value: int64(g.IntN(13))}
		}
		return n
	case 2:
		args := []ast.TypeArgument{&ast.TypeNumber{Value: 12}, &ast.TypeNumber{Value: 2}}
		return &ast.GenericType{Name: &ast.Identifier{Name: "decimal"}, Args: args}
	case 3:
		return &ast.GenericType{Name: &ast.Identifier{Name: fmt.Sprintf("t%d", g.IntN(3)), Quoted: g.chance(30)}}
	case 4:
		return &ast.GenericType{Name: &ast.Identifier{Name: "array"}, Args: []ast.TypeArgument{g.dataType(depth - 1)}}
	case 5:
		args := []ast.TypeArgument{g.dataType(depth - 1), g.dataType(depth - 1)}
		return &ast.GenericType{Name: &ast.Identifier{Name: "map"}, Args: args}
	}
	return &ast.RowType{Fields: some(g, 1, 4, func() *ast.RowField {
		f := &ast.RowField{Type: g.dataType(depth - 1)}
		if g.chance(70) {
			f.Name = &ast.Identifier{Name: fmt.Sprintf("f%d", g.IntN(3))}
		}
		return f
	})}
}

func (g *generator) query(depth int) *ast.Query {
	n := &ast.Query{Body: g.body(depth)}
	if depth > 0 && g.chance(10) {
		n.With = &ast.With{Recursive: g.chance(30), Queries: some(g, 1, 3, func() *ast.NamedQuery {
			return &ast.NamedQuery{Name: g.ident(), Columns: some(g, 0, 3, g.ident), Query: g.query(depth - 1)}
		})}
	}
	n.OrderBy = g.orderBy(depth, 0)
	if g.chance(20) {
		n.Offset = &ast.Offset{Count: &ast.IntegerLiteral{Value: 3}}
	}
	switch g.IntN(8) {
	case 0:
		n.Limit = &ast.Limit{Count: &ast.IntegerLiteral{Value: 10}}
	case 1:
		n.Limit = &ast.Limit{}
	case 2:
		n.Fetch = &ast.FetchFirst{WithTies: g.chance(50)}
	}
	return n
}

func (g *generator) body(depth int) ast.QueryBody {
	if depth <= 0 {
		return &ast.TableBody{Name: g.name()}
	}
	switch g.IntN(6) {
	case 0:
		return &ast.Values{Rows: g.exprs(depth, 1, 4)}
	case 1:
		return &ast.SetOperation{
			Op: ast.SetOp(g.IntN(3)), All: g.chance(50), Corresponding: g.chance(10),
			Left: g.operand(depth), Right: g.operand(depth),
		}
	case 2:
		return g.query(depth - 1)
	}
	return g.selectBody(depth)
}

// operand returns an operand of a set operation: one that is a set operation
// itself needs parentheses, which make a Query.
func (g *generator) operand(depth int) ast.QueryBody {
	b := g.body(depth - 1)
	if s, ok := b.(*ast.SetOperation); ok {
		return &ast.Query{Body: s}
	}
	return b
}

func (g *generator) selectBody(depth int) *ast.Select {
	n := &ast.Select{Distinct: g.chance(20), Where: g.maybeExpr(depth), Having: g.maybeExpr(depth)}
	n.Items = some(g, 1, 4, func() ast.SelectItem {
		if g.chance(10) {
			return &ast.AllColumns{}
		}
		if g.chance(10) {
			return &ast.AllColumns{Target: &ast.Row{Items: g.exprs(depth, 1, 2)}, Aliases: some(g, 0, 2, g.ident)}
		}
		item := &ast.SingleColumn{Expr: g.expr(depth - 1)}
		if g.chance(50) {
			item.Alias = g.ident()
		}
		return item
	})
	n.From = some(g, 0, 3, func() ast.Relation { return g.relation(depth) })
	if g.chance(30) {
		n.GroupBy = g.groupBy(depth)
	}
	if g.chance(10) {
		n.Windows = []*ast.WindowDefinition{{Name: g.ident(), Spec: g.window(depth)}}
	}
	return n
}

func (g *generator) groupBy(depth int) *ast.GroupBy {
	if g.chance(20) {
		return &ast.GroupBy{All: true}
	}
	set := func() *ast.SimpleGroupBy { return &ast.SimpleGroupBy{Exprs: g.exprs(depth, 0, 3)} }
	return &ast.GroupBy{Distinct: g.chance(20), Elements: some(g, 1, 3, func() ast.GroupingElement {
		if g.chance(70) {
			return set()
		}
		return &ast.GroupingSets{Kind: ast.GroupingKind(g.IntN(3)), Sets: some(g, 1, 3, set)}
	})}
}

func (g *generator) relation(depth int) ast.Relation {
	if depth <= 0 {
		return &ast.Table{Name: g.name()}
	}
	r := func() ast.Relation { return g.relation(depth - 1) }
	switch g.IntN(10) {
	case 0:
		return &ast.SubqueryRelation{Query: g.query(depth - 1)}
	case 1:
		return &ast.Lateral{Query: g.query(depth - 1)}
	case 2:
		return &ast.Unnest{Exprs: g.exprs(depth, 1, 3), Ordinality: g.chance(50)}
	case 3:
		return &ast.Join{Type: ast.CrossJoin, Left: r(), Right: r()}
	case 4:
		return &ast.Join{Type: ast.JoinType(g.IntN(4)), Left: r(), Right: r(), On: g.expr(depth - 1)}
	case 5:
		return &ast.Join{Type: ast.JoinType(g.IntN(4)), Left: r(), Right: r(), Using: some(g, 1, 3, g.ident)}
	case 6:
		return &ast.Join{Type: ast.JoinType(g.IntN(4)), Left: r(), Right: r(), Natural: true}
	case 7:
		return &ast.Aliased{Relation: r(), Alias: g.ident(), Columns: some(g, 0, 3, g.ident)}
	case 8:
		return &ast.Sampled{Relation: r(), Method: ast.SampleMethod(g.IntN(2)), Percentage: g.expr(depth - 1)}
	}
	return &ast.FileTable{Path: g.text()}
}
