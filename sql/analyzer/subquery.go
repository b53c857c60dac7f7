package analyzer

import (
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/ast"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// subquery binds the query of a subquery within an expression.
func (b *binder) subquery(kind SubqueryKind, q *ast.Query, node ast.Expression) (*Subquery, error) {
	s := &Subquery{Kind: kind, node: node}
	bound, err := b.a.query(q, &scope{parent: b.scope, refs: &s.refs}, b.env)
	if err != nil {
		return nil, err
	}
	s.Query = bound.rel
	if b.inAggregate {
		if err := b.noOutputs(s.refs); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// noOutputs refuses references to the SELECT list from within an aggregate,
// whose rows are those before grouping.
func (b *binder) noOutputs(refs []outerRef) error {
	for at := b.scope; at != nil && at.output; at = at.parent {
		for _, r := range refs {
			if at.holds(r.id) && (at.parent == nil || !at.parent.holds(r.id)) {
				return qerr.At(qerr.ColumnNotFound, r.node.Pos(), outputInAggregate)
			}
		}
	}
	return nil
}

// add gives the subquery its result column and makes the expression that
// refers to it. In a grouped query a subquery that is (part of) a key means
// the key.
func (b *binder) add(s *Subquery, t types.Type) expr.Expr {
	if b.group != nil {
		for _, k := range b.group.keySubqueries {
			if ast.Same(k.node, s.node) {
				return k.result.Ref()
			}
		}
	}
	s.Result = b.a.column("subquery", t)
	b.subs = append(b.subs, s)
	if b.keep != nil {
		b.keep(s.node, s.Result)
	}
	return s.Result.Ref()
}

func (b *binder) scalarSubquery(e *ast.ScalarSubquery) (expr.Expr, error) {
	s, err := b.subquery(ScalarSubquery, e.Query, e)
	if err != nil {
		return nil, err
	}
	cols := s.Query.Cols
	if len(cols) == 1 {
		return b.add(s, cols[0].Type), nil
	}
	t := rowType(cols)
	row := b.add(s, t)
	if len(s.refs) > 0 {
		return row, nil
	}
	// Without any row the value is a row of nulls.
	nulls := &expr.Form{Op: expr.Row, Typ: t}
	for _, c := range cols {
		nulls.Args = append(nulls.Args, &expr.Const{Typ: c.Type})
	}
	return &expr.Form{Op: expr.Coalesce, Args: []expr.Expr{row, nulls}, Typ: t}, nil
}

func (b *binder) exists(e *ast.Exists) (expr.Expr, error) {
	s, err := b.subquery(ExistsSubquery, e.Query, e)
	if err != nil {
		return nil, err
	}
	return b.add(s, boolean), nil
}

func (b *binder) inSubquery(e *ast.InSubquery) (expr.Expr, error) {
	s, err := b.compared(InSubquery, e, e.Value, e.Query)
	if err != nil {
		return nil, err
	}
	in := *e
	in.Not = false
	s.node = &in // so that x NOT IN (…) is NOT of x IN (…) in GROUP BY, too
	return notIf(e.Not, b.add(s, boolean)), nil
}

// quantified binds x op ANY|ALL (query); = ANY is IN and <> ALL is NOT IN.
func (b *binder) quantified(e *ast.QuantifiedComparison) (expr.Expr, error) {
	all := e.Quantifier == ast.All
	in := e.Op == ast.Equal && !all || e.Op == ast.NotEqual && all
	kind := QuantifiedSubquery
	if in {
		kind = InSubquery
	}
	s, err := b.compared(kind, e, e.Value, e.Query)
	if err != nil {
		return nil, err
	}
	if in {
		return notIf(all, b.add(s, boolean)), nil
	}
	s.Op, s.All = comparisonFunctions[e.Op], all
	for _, l := range s.Left {
		if !l.Type().Orderable() {
			return nil, qerr.At(qerr.TypeMismatch, e.Pos(), "Type [%s] must be orderable in order to be used in quantified comparison", l.Type())
		}
	}
	return b.add(s, boolean), nil
}

// compared binds a subquery whose rows are compared with a value.
func (b *binder) compared(kind SubqueryKind, node, value ast.Expression, q *ast.Query) (*Subquery, error) {
	v, err := b.expression(value)
	if err != nil {
		return nil, err
	}
	s, err := b.subquery(kind, q, node)
	if err != nil {
		return nil, err
	}
	cols := s.Query.Cols
	s.Left = rowParts(v, cols)
	mismatch := func() error {
		return qerr.At(qerr.TypeMismatch, node.Pos(), "Value expression and result of subquery must be of the same type: %s vs %s",
			types.RowOf(typesOf(s.Left), nil), rowType(cols))
	}
	if len(s.Left) != len(cols) {
		return nil, mismatch()
	}
	for i, c := range cols {
		fn, err := function.ResolveScalar(function.OpEq, []types.Type{s.Left[i].Type(), c.Type})
		if err != nil {
			return nil, mismatch()
		}
		s.Left[i] = b.a.coerce(s.Left[i], fn.Args[0])
		s.Right = append(s.Right, b.a.coerce(c.Ref(), fn.Args[1]))
	}
	return s, nil
}

// rowParts takes a row apart for a comparison with columns. What is no row, or
// is compared with one column of rows, stays whole; a NULL is one for each.
func rowParts(v expr.Expr, cols []Column) []expr.Expr {
	n, t := len(cols), v.Type()
	whole := n == 1 && (cols[0].Type.Kind == types.Row || len(t.Elems()) > 1)
	if t.Kind == types.Unknown && n > 1 {
		out := make([]expr.Expr, n)
		for i := range out {
			out[i] = v
		}
		return out
	}
	if f, ok := v.(*expr.Form); ok && f.Op == expr.Row && (!whole || len(f.Args) > 1) {
		return append([]expr.Expr(nil), f.Args...)
	}
	if t.Kind == types.Row && !whole {
		out := make([]expr.Expr, len(t.Elems()))
		for i := range out {
			out[i] = rowField(v, i)
		}
		return out
	}
	return []expr.Expr{v}
}

func rowType(cols []Column) types.Type {
	fields, names := make([]types.Type, len(cols)), make([]string, len(cols))
	for i, c := range cols {
		fields[i], names[i] = c.Type, c.Name
	}
	return types.RowOf(fields, names)
}
