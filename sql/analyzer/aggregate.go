package analyzer

import (
	"strings"

	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/ast"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// aggregate binds a call of an aggregate function: its arguments over FROM's
// columns, and the call itself as a column of the grouping.
func (b *binder) aggregate(e *ast.FunctionCall, name string) (expr.Expr, error) {
	args := e.Args
	inner, err := b.within(e, name, append(append([]ast.Expression(nil), args...), sortExpressions(e.OrderBy)...))
	if err != nil {
		return nil, err
	}
	if e.Nulls != ast.NullTreatmentDefault {
		return nil, qerr.NotSupported(e.Pos(), "IGNORE NULLS of aggregates")
	}
	call := &expr.Aggregate{Distinct: e.Distinct}
	if call.Args, err = inner.expressions(args); err != nil {
		return nil, err
	}
	if call.Fn, err = function.ResolveAggregate(name, typesOf(call.Args)); err != nil {
		return nil, at(e.Pos(), err)
	}
	if e.Distinct {
		if err := comparableArguments(e, call.Args); err != nil {
			return nil, err
		}
	}
	if call.OrderBy, err = inner.aggregateOrder(e, call); err != nil {
		return nil, err
	}
	for i := range call.Args {
		call.Args[i] = b.a.coerce(call.Args[i], call.Fn.Args[i])
	}
	if call.Distinct && call.Fn.Indistinct {
		call.Distinct = false
	}
	return b.addAggregate(inner, call, e.Filter)
}

// addAggregate binds the filter and adds the finished call to the grouping.
func (b *binder) addAggregate(inner *binder, call *expr.Aggregate, filter ast.Expression) (expr.Expr, error) {
	if filter != nil {
		var err error
		if call.Filter, err = inner.boolean(filter, "Filter expression"); err != nil {
			return nil, err
		}
	}
	b.group.out.Subqueries = append(b.group.out.Subqueries, inner.subs...)
	return b.group.aggregate(call).Ref(), nil
}

// within makes the binder of an aggregate's arguments, after checking that an
// aggregate may stand here and holds no other.
func (b *binder) within(e ast.Expression, name string, args []ast.Expression) (*binder, error) {
	for _, a := range args {
		if nested := aggregateCalls(a); len(nested) > 0 {
			return nil, qerr.At(qerr.NestedAggregation, e.Pos(), "Cannot nest aggregations inside aggregation '%s': [%s]", name, texts(nested))
		}
	}
	if err := b.noAggregates(e); err != nil {
		return nil, err
	}
	return &binder{a: b.a, env: b.env, scope: b.scope, clause: "aggregation", inAggregate: true}, nil
}

func sortExpressions(items []*ast.SortItem) []ast.Expression {
	out := make([]ast.Expression, len(items))
	for i, s := range items {
		out[i] = s.Expr
	}
	return out
}

func comparableArguments(e *ast.FunctionCall, args []expr.Expr) error {
	for _, a := range args {
		if !a.Type().Comparable() {
			return qerr.At(qerr.TypeMismatch, e.Pos(), "DISTINCT can only be applied to comparable types (actual: %s)", a.Type())
		}
	}
	return nil
}

// aggregateOrder binds the ORDER BY of an aggregate. It is dropped where the
// order cannot change the result.
func (b *binder) aggregateOrder(e *ast.FunctionCall, call *expr.Aggregate) ([]expr.SortKey, error) {
	keys, err := b.orderWithin(e.OrderBy)
	if err != nil {
		return nil, err
	}
	for i, k := range keys {
		found := false
		for _, a := range call.Args {
			found = found || same(a, k.Expr)
		}
		if e.Distinct && !found {
			return nil, qerr.At(qerr.ExpressionNotInDistinct, e.OrderBy[i].Pos(),
				"For aggregate function with DISTINCT, ORDER BY expressions must appear in arguments")
		}
	}
	if !call.Fn.Ordered {
		return nil, nil
	}
	return keys, nil
}

func (b *binder) orderWithin(items []*ast.SortItem) ([]expr.SortKey, error) {
	var keys []expr.SortKey
	for _, item := range items {
		v, err := b.expression(item.Expr)
		if err != nil {
			return nil, err
		}
		if !v.Type().Orderable() {
			return nil, qerr.At(qerr.TypeMismatch, item.Pos(),
				"ORDER BY can only be applied to orderable types (actual: %s)", v.Type())
		}
		keys = append(keys, expr.SortKey{Expr: v, Descending: item.Descending, NullsFirst: item.Nulls == ast.NullsFirst})
	}
	return keys, nil
}

// listagg binds LISTAGG as array_join over array_agg of the values that are
// not null; without any, both are null.
func (b *binder) listagg(e *ast.Listagg) (expr.Expr, error) {
	if e.Overflow != nil && e.Overflow.Truncate {
		return nil, qerr.NotSupported(e.Pos(), "LISTAGG with ON OVERFLOW TRUNCATE")
	}
	inner, err := b.within(e, "listagg", append(sortExpressions(e.OrderBy), e.Value))
	if err != nil {
		return nil, err
	}
	v, err := inner.expression(e.Value)
	if err != nil {
		return nil, err
	}
	if !types.CanCoerce(v.Type(), types.VarcharType()) {
		return nil, qerr.At(qerr.TypeMismatch, e.Value.Pos(), "LISTAGG value must evaluate to a varchar (actual: %s)", v.Type())
	}
	v = b.a.coerce(v, types.VarcharType())
	call := &expr.Aggregate{Distinct: e.Distinct, Args: []expr.Expr{v}}
	if call.Fn, err = function.ResolveAggregate("array_agg", typesOf(call.Args)); err != nil {
		return nil, at(e.Pos(), err)
	}
	if call.OrderBy, err = inner.orderWithin(e.OrderBy); err != nil {
		return nil, err
	}
	call.Filter = not(isNull(v))
	if e.Filter != nil {
		f, err := inner.boolean(e.Filter, "Filter expression")
		if err != nil {
			return nil, err
		}
		call.Filter = &expr.Form{Op: expr.And, Args: []expr.Expr{call.Filter, f}, Typ: boolean}
	}
	b.group.out.Subqueries = append(b.group.out.Subqueries, inner.subs...)
	separator := ""
	if e.Separator != nil {
		separator = e.Separator.Value
	}
	return b.call(e.Pos(), "array_join", b.group.aggregate(call).Ref(), constant(separator, types.VarcharType()))
}

func texts(list []ast.Expression) string {
	parts := make([]string, len(list))
	for i, e := range list {
		parts[i] = textOf(e)
	}
	return strings.Join(parts, ", ")
}
