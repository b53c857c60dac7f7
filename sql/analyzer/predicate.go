package analyzer

import (
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/ast"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// comparisonFunctions are the functions of the comparison operators.
var comparisonFunctions = [...]string{
	ast.Equal: function.OpEq, ast.NotEqual: function.OpNe, ast.LessThan: function.OpLt,
	ast.LessThanOrEqual: function.OpLe, ast.GreaterThan: function.OpGt, ast.GreaterThanOrEqual: function.OpGe,
}

func (b *binder) comparison(e *ast.Comparison) (expr.Expr, error) {
	args, err := b.expressions([]ast.Expression{e.Left, e.Right})
	if err != nil {
		return nil, err
	}
	return b.call(e.Pos(), comparisonFunctions[e.Op], args...)
}

func (b *binder) logical(e *ast.Logical) (expr.Expr, error) {
	f := &expr.Form{Op: expr.And, Typ: boolean}
	if e.Op == ast.Or {
		f.Op = expr.Or
	}
	for _, t := range e.Terms {
		v, err := b.boolean(t, "Logical expression term")
		if err != nil {
			return nil, err
		}
		f.Args = append(f.Args, v)
	}
	return f, nil
}

// between is low <= value AND value <= high.
func (b *binder) between(e *ast.Between) (expr.Expr, error) {
	args, err := b.expressions([]ast.Expression{e.Value, e.Low, e.High})
	if err != nil {
		return nil, err
	}
	t, ok := commonType(args)
	if !ok || !t.Orderable() {
		return nil, qerr.At(qerr.TypeMismatch, e.Pos(), "Cannot check if %s is BETWEEN %s and %s",
			args[0].Type(), args[1].Type(), args[2].Type())
	}
	b.a.coerceAll(args, t)
	low, err := b.call(e.Pos(), function.OpGe, args[0], args[1])
	if err != nil {
		return nil, err
	}
	high, err := b.call(e.Pos(), function.OpLe, args[0], args[2])
	if err != nil {
		return nil, err
	}
	return notIf(e.Not, &expr.Form{Op: expr.And, Args: []expr.Expr{low, high}, Typ: boolean}), nil
}

func (b *binder) inList(e *ast.InList) (expr.Expr, error) {
	args, err := b.unified(append([]ast.Expression{e.Value}, e.Items...), "IN value and list items")
	if err != nil {
		return nil, err
	}
	if !args[0].Type().Comparable() {
		return nil, qerr.At(qerr.TypeMismatch, e.Pos(), "Type %s is not comparable, and therefore cannot be used in IN", args[0].Type())
	}
	if len(args) == 2 {
		eq, err := b.call(e.Pos(), function.OpEq, args...)
		if err != nil {
			return nil, err
		}
		return notIf(e.Not, eq), nil
	}
	return notIf(e.Not, &expr.Form{Op: expr.In, Args: args, Typ: boolean}), nil
}

func (b *binder) like(e *ast.Like) (expr.Expr, error) {
	list := []ast.Expression{e.Value, e.Pattern}
	subjects := []string{"Left side of LIKE expression", "Pattern for LIKE expression", "Escape for LIKE expression"}
	if e.Escape != nil {
		list = append(list, e.Escape)
	}
	args, err := b.expressions(list)
	if err != nil {
		return nil, err
	}
	for i, a := range args {
		if k := a.Type().Kind; k != types.Varchar && k != types.Unknown && (i > 0 || k != types.Char) {
			return nil, qerr.At(qerr.TypeMismatch, list[i].Pos(), "%s must evaluate to a varchar (actual: %s)", subjects[i], a.Type())
		}
	}
	match, err := b.call(e.Pos(), function.OpLike, args...)
	if err != nil {
		return nil, err
	}
	return notIf(e.Not, match), nil
}

func (b *binder) isDistinct(e *ast.IsDistinctFrom) (expr.Expr, error) {
	args, err := b.expressions([]ast.Expression{e.Left, e.Right})
	if err != nil {
		return nil, err
	}
	fn, err := function.ResolveScalar(function.OpDistinct, typesOf(args))
	if err != nil {
		return nil, qerr.At(qerr.TypeMismatch, e.Pos(), "Cannot check if %s is identical to %s", args[0].Type(), args[1].Type())
	}
	return notIf(e.Not, b.a.apply(fn, args...)), nil
}

func not(e expr.Expr) expr.Expr {
	return &expr.Form{Op: expr.Not, Args: []expr.Expr{e}, Typ: boolean}
}

func notIf(negate bool, e expr.Expr) expr.Expr {
	if negate {
		return not(e)
	}
	return e
}

func isNull(e expr.Expr) expr.Expr {
	return &expr.Form{Op: expr.IsNull, Args: []expr.Expr{e}, Typ: boolean}
}
