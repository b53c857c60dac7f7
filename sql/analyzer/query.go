package analyzer

import (
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/ast"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/types"
)

// boundQuery is a bound query with the names of its columns.
type boundQuery struct {
	rel    *Query
	fields []field
}

// body is the bound body of a query.
type body struct {
	rel    Relation
	fields []field
	// sel is set for a SELECT, whose ORDER BY sees more than its result.
	sel *selecting
}

// query binds a query within outer's columns (nil at the top) and the common
// table expressions of env.
func (a *Analyzer) query(q *ast.Query, outer *scope, env *withEnv) (*boundQuery, error) {
	if err := a.enterQuery(q.Pos()); err != nil {
		return nil, err
	}
	defer a.leaveQuery()
	env, err := a.with(q.With, outer, env)
	if err != nil {
		return nil, err
	}
	b, err := a.queryBody(q.Body, outer, env)
	if err != nil {
		return nil, err
	}
	out := &Query{Limit: -1}
	if out.OrderBy, err = a.orderBy(q, b, outer, env); err != nil {
		return nil, err
	}
	if err := a.limits(q, out); err != nil {
		return nil, err
	}
	out.Body = b.rel
	if b.sel != nil {
		b.fields = b.sel.fields
	}
	for _, f := range b.fields {
		out.Cols = append(out.Cols, f.col)
		out.Outputs = append(out.Outputs, f.output())
	}
	return &boundQuery{rel: out, fields: b.fields}, nil
}

// queryBody binds what a query's order and limit apply to.
func (a *Analyzer) queryBody(qb ast.QueryBody, outer *scope, env *withEnv) (*body, error) {
	switch qb := qb.(type) {
	case *ast.Select:
		return a.selectBody(qb, outer, env)
	case *ast.SetOperation:
		return a.setOperation(qb, outer, env)
	case *ast.Values:
		return a.values(qb, outer, env)
	case *ast.TableBody:
		rel, fields, err := a.table(&ast.Table{Base: ast.At(qb.Pos()), Name: qb.Name}, env)
		return &body{rel: rel, fields: visible(fields)}, err
	case *ast.Query:
		q, err := a.query(qb, outer, env)
		if err != nil {
			return nil, err
		}
		return &body{rel: q.rel, fields: unqualified(q.fields)}, nil
	}
	return nil, qerr.NotSupported(qb.Pos(), "this form of query")
}

// visible leaves out hidden fields.
func visible(fields []field) []field {
	var out []field
	for _, f := range fields {
		if !f.hidden {
			out = append(out, f)
		}
	}
	return out
}

// unqualified takes the relation's name off the fields.
func unqualified(fields []field) []field {
	out := make([]field, len(fields))
	for i, f := range fields {
		f.alias = nil
		out[i] = f
	}
	return out
}

// limits binds OFFSET, LIMIT and FETCH FIRST.
func (a *Analyzer) limits(q *ast.Query, out *Query) error {
	var err error
	if q.Offset != nil {
		if out.Offset, err = a.rowCount(q.Offset.Count, "OFFSET"); err != nil {
			return err
		}
	}
	switch {
	case q.Limit != nil && q.Limit.Count != nil:
		out.Limit, err = a.rowCount(q.Limit.Count, "LIMIT")
	case q.Fetch != nil:
		out.Limit = 1
		out.WithTies = q.Fetch.WithTies
		if q.Fetch.Count != nil {
			out.Limit, err = a.rowCount(q.Fetch.Count, "FETCH FIRST")
		}
		if err == nil && out.WithTies && len(q.OrderBy) == 0 {
			err = qerr.At(qerr.MissingOrderBy, q.Fetch.Pos(), "FETCH FIRST WITH TIES clause requires ORDER BY")
		}
		if err == nil && out.Limit == 0 {
			err = qerr.At(qerr.InvalidArguments, q.Fetch.Pos(), "FETCH FIRST row count must be positive (actual value: 0)")
		}
	}
	return err
}

// rowCount is the number in a LIMIT or OFFSET: a literal or a parameter.
func (a *Analyzer) rowCount(e ast.Expression, clause string) (int64, error) {
	if n, ok := e.(*ast.IntegerLiteral); ok {
		return n.Value, nil
	}
	v, err := a.constants().expression(e)
	if err != nil {
		return 0, err
	}
	c, ok := v.(*expr.Const)
	if a.describing && ok {
		if i, isParam := a.params[c]; isParam {
			a.wanted[i] = bigint
			return 0, nil
		}
	}
	if p, isParam := e.(*ast.Parameter); isParam && ok && !c.Typ.IsInteger() && c.Typ.Kind != types.Unknown {
		return 0, qerr.At(qerr.TypeMismatch, a.session.Parameters[p.Index].Pos(), "Cannot cast type %s to bigint", c.Typ)
	}
	if !ok || !c.Typ.IsInteger() || c.Value == nil {
		return 0, qerr.At(qerr.TypeMismatch, e.Pos(), "Non constant parameter value for %s: %s", clause, textOf(e))
	}
	n := c.Value.(int64)
	if n < 0 {
		return 0, qerr.At(qerr.InvalidArguments, e.Pos(), "%s row count must be greater or equal to 0 (actual value: %d)", clause, n)
	}
	return n, nil
}

// orderBy binds a query's ORDER BY.
func (a *Analyzer) orderBy(q *ast.Query, b *body, outer *scope, env *withEnv) ([]SortKey, error) {
	if b.sel != nil {
		return b.sel.finish(q.OrderBy)
	}
	if len(q.OrderBy) == 0 {
		return nil, nil
	}
	// The order of a set operation or VALUES sees its columns only; an
	// expression makes the body a SELECT of these columns.
	bd := &binder{a: a, env: env, scope: &scope{fields: b.fields, parent: outer}, clause: "ORDER BY"}
	sel := &Select{From: b.rel}
	seen := map[expr.ColumnID]bool{}
	for _, c := range b.rel.Columns() {
		if !seen[c.ID] {
			seen[c.ID] = true
			sel.Items = append(sel.Items, Assignment{c, c.Ref()})
		}
	}
	keys, err := bd.sortKeys(q.OrderBy, b.fields, func(item *ast.SortItem, e expr.Expr) (Column, error) {
		return hide(a, sel, e), nil
	})
	if err != nil {
		return nil, err
	}
	if len(sel.Hidden) > 0 {
		sel.Subqueries = bd.subs
		b.rel = sel
	}
	return keys, nil
}

// hide adds e to the hidden columns of sel, or returns the column that it is.
func hide(a *Analyzer, sel *Select, e expr.Expr) Column {
	if c, ok := e.(*expr.Column); ok {
		for _, i := range sel.Items {
			if i.Column.ID == c.ID {
				return i.Column
			}
		}
	}
	for _, h := range sel.Hidden {
		if same(h.Expr, e) {
			return h.Column
		}
	}
	c := a.column("", e.Type())
	sel.Hidden = append(sel.Hidden, Assignment{c, e})
	return c
}

// sortKeys binds the elements of ORDER BY: numbers of output columns, and
// expressions, for which column finds or makes the column to sort by.
func (b *binder) sortKeys(items []*ast.SortItem, outputs []field, column func(*ast.SortItem, expr.Expr) (Column, error)) ([]SortKey, error) {
	keys := make([]SortKey, 0, len(items))
	for _, item := range items {
		c, err := b.sortColumn(item, outputs, column)
		if err != nil {
			return nil, err
		}
		if !c.Type.Orderable() {
			return nil, qerr.At(qerr.TypeMismatch, item.Pos(),
				"Type %s is not orderable, and therefore cannot be used in ORDER BY: %s", c.Type, textOf(item.Expr))
		}
		keys = append(keys, SortKey{Column: c, Descending: item.Descending, NullsFirst: item.Nulls == ast.NullsFirst})
	}
	return keys, nil
}

func (b *binder) sortColumn(item *ast.SortItem, outputs []field, column func(*ast.SortItem, expr.Expr) (Column, error)) (Column, error) {
	if n, ok := item.Expr.(*ast.IntegerLiteral); ok {
		if n.Value < 1 || n.Value > int64(len(outputs)) {
			return Column{}, qerr.At(qerr.InvalidColumnReference, item.Expr.Pos(), "ORDER BY position %d is not in select list", n.Value)
		}
		return outputs[n.Value-1].col, nil
	}
	e, err := b.expression(item.Expr)
	if err != nil {
		return Column{}, err
	}
	return column(item, e)
}
