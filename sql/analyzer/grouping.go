package analyzer

import (
	"slices"
	"strings"

	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/ast"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
)

// grouping is what a grouped query's expressions may refer to: keys and
// aggregates.
type grouping struct {
	s   *selecting
	out *Grouping
	// local are the columns of FROM and of the keys' subqueries, which
	// expressions above the grouping must not use unless they are keys.
	local map[expr.ColumnID]bool
	// keySubqueries are the subqueries within keys: the same subquery in the
	// SELECT list means the key.
	keySubqueries []keySubquery
}

type keySubquery struct {
	node   ast.Expression
	result Column
}

// groupBy decides whether the query is grouped and binds its keys.
func (s *selecting) groupBy(order []*ast.SortItem) error {
	n := s.node
	if n.GroupBy == nil && n.Having == nil && !s.aggregates(order) {
		return nil
	}
	g := &grouping{s: s, out: &Grouping{}, local: map[expr.ColumnID]bool{}}
	if n.GroupBy != nil {
		if err := g.keys(n.GroupBy); err != nil {
			return err
		}
	}
	for _, f := range s.source.fields {
		g.local[f.col.ID] = true
	}
	for _, k := range g.out.Keys {
		delete(g.local, k.Column.ID)
	}
	s.group = g
	return nil
}

// aggregates reports whether SELECT list or ORDER BY aggregate.
func (s *selecting) aggregates(order []*ast.SortItem) bool {
	for _, i := range s.items {
		if i.node != nil && len(aggregateCalls(i.node)) > 0 {
			return true
		}
	}
	for _, o := range order {
		if len(aggregateCalls(o.Expr)) > 0 {
			return true
		}
	}
	return false
}

// aggregateCalls lists the aggregates in e, without those of its subqueries
// and those within others.
func aggregateCalls(e ast.Node) []ast.Expression {
	var out []ast.Expression
	ast.Inspect(e, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Query:
			return false
		case *ast.FunctionCall:
			if n.Over == nil && function.IsAggregate(functionName(n.Name)) {
				out = append(out, n)
				return false
			}
		case *ast.Listagg:
			out = append(out, n)
			return false
		case *ast.Grouping:
			out = append(out, n)
		}
		return true
	})
	return out
}

// keys binds GROUP BY.
func (g *grouping) keys(n *ast.GroupBy) error {
	if n.All {
		return g.allKeys()
	}
	for _, e := range n.Elements {
		simple, ok := e.(*ast.SimpleGroupBy)
		if !ok {
			return qerr.NotSupported(e.Pos(), "GROUPING SETS, ROLLUP and CUBE")
		}
		for _, k := range simple.Exprs {
			if err := g.key(k); err != nil {
				return err
			}
		}
	}
	return nil
}

// allKeys is GROUP BY ALL: every selected expression without aggregates.
func (g *grouping) allKeys() error {
	for _, it := range g.s.items {
		if it.node != nil && len(aggregateCalls(it.node)) > 0 {
			continue
		}
		if err := g.keyOf(it); err != nil {
			return err
		}
	}
	return nil
}

// key binds one key: the number of a selected column or an expression.
func (g *grouping) key(e ast.Expression) error {
	n, ok := e.(*ast.IntegerLiteral)
	if !ok {
		return g.keyOf(item{node: e})
	}
	if n.Value < 1 || n.Value > int64(len(g.s.items)) {
		return qerr.At(qerr.InvalidColumnReference, e.Pos(), "GROUP BY position %d is not in select list", n.Value)
	}
	return g.keyOf(g.s.items[n.Value-1])
}

func (g *grouping) keyOf(it item) error {
	e := it.star
	if it.node != nil {
		b := g.s.binder("GROUP BY clause")
		b.keep = func(node ast.Expression, result Column) {
			g.keySubqueries = append(g.keySubqueries, keySubquery{node, result})
			g.local[result.ID] = true
		}
		err := b.noAggregates(it.node)
		if err != nil {
			return err
		}
		if e, err = b.expression(it.node); err != nil {
			return err
		}
		if !e.Type().Comparable() {
			return qerr.At(qerr.TypeMismatch, it.node.Pos(), "%s is not comparable, and therefore cannot be used in GROUP BY", e.Type())
		}
		g.out.Subqueries = append(g.out.Subqueries, b.subs...)
	}
	g.addKey(e)
	return nil
}

func (g *grouping) addKey(e expr.Expr) {
	for _, k := range g.out.Keys {
		if same(k.Expr, e) {
			return
		}
	}
	if f := g.s.fieldOf(e); f != nil {
		g.out.Keys = append(g.out.Keys, Assignment{f.col, e})
		return
	}
	g.out.Keys = append(g.out.Keys, Assignment{g.s.a.column("", e.Type()), e})
}

// rewrite turns an expression over FROM's columns into one over the
// grouping's.
func (g *grouping) rewrite(e expr.Expr, node ast.Expression) (expr.Expr, error) {
	out, ok := g.over(e)
	if !ok {
		return nil, qerr.At(qerr.ExpressionNotAggregate, node.Pos(),
			"'%s' must be an aggregate expression or appear in GROUP BY clause", textOf(node))
	}
	return out, nil
}

// rewriteStar is rewrite for a column that a star stands for.
func (g *grouping) rewriteStar(it item) (expr.Expr, error) {
	out, ok := g.over(it.star)
	if !ok {
		name := it.name
		if it.starField != nil && it.starField.alias != nil {
			name = strings.Join(it.starField.alias, ".") + "." + name
		}
		return nil, qerr.New(qerr.ExpressionNotAggregate, "Column '%s' not in GROUP BY clause", name)
	}
	return out, nil
}

// over rewrites e from the top: the largest part that is a key becomes the
// key. It is false if a column of FROM is left over.
func (g *grouping) over(e expr.Expr) (expr.Expr, bool) {
	for _, k := range g.out.Keys {
		if same(k.Expr, e) {
			return k.Column.Ref(), true
		}
	}
	if c, ok := e.(*expr.Column); ok {
		return e, !g.local[c.ID]
	}
	args := expr.Children(e)
	if len(args) == 0 {
		return e, true
	}
	out := make([]expr.Expr, len(args))
	for i, a := range args {
		var ok bool
		if out[i], ok = g.over(a); !ok {
			return nil, false
		}
	}
	return expr.WithChildren(e, out), true
}

// checkSubqueries refuses subqueries above the grouping that refer to columns
// of FROM which are not keys. It also rewrites what subqueries compare.
func (g *grouping) checkSubqueries(b *binder) error {
	for _, s := range b.subs {
		for _, r := range s.refs {
			if g.local[r.id] {
				return qerr.At(qerr.ExpressionNotAggregate, r.node.Pos(),
					"Subquery uses '%s' which must appear in GROUP BY clause", textOf(r.node))
			}
		}
		for i, l := range s.Left {
			over, ok := g.over(l)
			if !ok {
				return qerr.At(qerr.ExpressionNotAggregate, s.node.Pos(),
					"'%s' must be an aggregate expression or appear in GROUP BY clause", textOf(s.node))
			}
			s.Left[i] = over
		}
	}
	return nil
}

// aggregate adds an aggregate, or returns the column of an equal one.
func (g *grouping) aggregate(call *expr.Aggregate) Column {
	for _, a := range g.out.Aggregates {
		if sameAggregate(a.Call, call) {
			return a.Column
		}
	}
	c := g.s.a.column(call.Fn.Name, call.Fn.Result)
	g.out.Aggregates = append(g.out.Aggregates, Aggregate{Column: c, Call: call})
	return c
}

// sameAggregate reports whether two aggregates always have the same result.
func sameAggregate(a, b *expr.Aggregate) bool {
	sameKey := func(x, y expr.SortKey) bool {
		return same(x.Expr, y.Expr) && x.Descending == y.Descending && x.NullsFirst == y.NullsFirst
	}
	return a.Fn.Name == b.Fn.Name && a.Distinct == b.Distinct &&
		slices.EqualFunc(a.Args, b.Args, same) && slices.EqualFunc(a.OrderBy, b.OrderBy, sameKey) &&
		(a.Filter == nil) == (b.Filter == nil) && (a.Filter == nil || same(a.Filter, b.Filter))
}
