package analyzer

import (
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/ast"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/types"
)

// setOps are the bound kinds of the syntax's.
var setOps = [...]SetOp{ast.Union: Union, ast.Intersect: Intersect, ast.Except: Except}

// setOperation binds UNION, INTERSECT and EXCEPT.
func (a *Analyzer) setOperation(n *ast.SetOperation, outer *scope, env *withEnv) (*body, error) {
	if n.Corresponding {
		return nil, qerr.NotSupported(n.Pos(), "CORRESPONDING")
	}
	left, err := a.operand(n.Left, outer, env)
	if err != nil {
		return nil, err
	}
	right, err := a.operand(n.Right, outer, env)
	if err != nil {
		return nil, err
	}
	if len(left.fields) != len(right.fields) {
		return nil, qerr.At(qerr.TypeMismatch, n.Pos(), "%s query has different number of fields: %d, %d",
			n.Op, len(left.fields), len(right.fields))
	}
	out := &SetOperation{Op: setOps[n.Op], All: n.All, Left: left.rel, Right: right.rel}
	fields := make([]field, len(left.fields))
	for i, l := range left.fields {
		r := right.fields[i]
		t, ok := types.CommonSuper(l.col.Type, r.col.Type)
		if !ok {
			return nil, qerr.At(qerr.TypeMismatch, n.Pos(), "column %d in %s query has incompatible types: %s, %s",
				i+1, n.Op, l.col.Type, r.col.Type)
		}
		if !t.Comparable() && (out.Op != Union || !n.All) {
			return nil, qerr.At(qerr.TypeMismatch, n.Pos(), "Type %s is not comparable and therefore cannot be used in %s", t, n.Op)
		}
		c := a.column(l.name, t)
		out.Cols = append(out.Cols, c)
		out.LeftExprs = append(out.LeftExprs, a.coerce(l.col.Ref(), t))
		out.RightExprs = append(out.RightExprs, a.coerce(r.col.Ref(), t))
		fields[i] = field{name: l.name, col: c, aliased: l.aliased}
	}
	return &body{rel: out, fields: fields}, nil
}

// operand binds one side of a set operation.
func (a *Analyzer) operand(qb ast.QueryBody, outer *scope, env *withEnv) (*body, error) {
	b, err := a.queryBody(qb, outer, env)
	if err != nil || b.sel == nil {
		return b, err
	}
	if _, err := b.sel.finish(nil); err != nil {
		return nil, err
	}
	b.fields = b.sel.fields
	return b, nil
}

// values binds VALUES.
func (a *Analyzer) values(n *ast.Values, outer *scope, env *withEnv) (*body, error) {
	out := &Values{}
	var first []types.Type
	for _, r := range n.Rows {
		b := &binder{a: a, env: env, scope: outer, clause: "VALUES"}
		row, err := b.valuesRow(r)
		if err != nil {
			return nil, err
		}
		out.Rows = append(out.Rows, ValuesRow{Exprs: row, Subqueries: b.subs})
		if first == nil {
			first = typesOf(row)
			continue
		}
		if len(row) != len(first) {
			return nil, qerr.At(qerr.TypeMismatch, n.Pos(), "Values rows have mismatched sizes: %d vs %d", len(first), len(row))
		}
		if first, err = unifyRows(first, row, n.Pos()); err != nil {
			return nil, err
		}
	}
	var fields []field
	for i, t := range first {
		c := a.column("", t)
		out.Cols = append(out.Cols, c)
		fields = append(fields, field{col: c})
		for _, r := range out.Rows {
			r.Exprs[i] = a.coerce(r.Exprs[i], t)
		}
	}
	return &body{rel: out, fields: fields}, nil
}

// unifyRows returns the types to which the columns of all rows coerce.
func unifyRows(have []types.Type, row []expr.Expr, pos qerr.Pos) ([]types.Type, error) {
	out := make([]types.Type, len(have))
	for i, t := range have {
		var ok bool
		if out[i], ok = types.CommonSuper(t, row[i].Type()); !ok {
			return nil, qerr.At(qerr.TypeMismatch, pos, "Values rows have mismatched types: %s vs %s",
				types.RowOf(have, nil), types.RowOf(typesOf(row), nil))
		}
	}
	return out, nil
}

// valuesRow binds one row: the items of a row, or one expression, which may
// be of type row.
func (b *binder) valuesRow(e ast.Expression) ([]expr.Expr, error) {
	if r, ok := e.(*ast.Row); ok {
		return b.expressions(r.Items)
	}
	v, err := b.expression(e)
	if err != nil {
		return nil, err
	}
	if v.Type().Kind != types.Row {
		return []expr.Expr{v}, nil
	}
	out := make([]expr.Expr, len(v.Type().Elems()))
	for i := range out {
		out[i] = rowField(v, i)
	}
	return out, nil
}
