package analyzer

import (
	"strings"

	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/ast"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// functionName returns the lower-case name of a function: all are in
// system.builtin, which need not be written.
func functionName(n *ast.QualifiedName) string {
	parts := n.Fold()
	if len(parts) == 3 && parts[0] == "system" && parts[1] == "builtin" {
		return parts[2]
	}
	return strings.Join(parts, ".")
}

// windowFunctions have no meaning without OVER.
var windowFunctions = map[string]bool{
	"row_number": true, "rank": true, "dense_rank": true, "percent_rank": true, "cume_dist": true,
	"ntile": true, "lag": true, "lead": true, "first_value": true, "last_value": true, "nth_value": true,
}

// function binds a call.
func (b *binder) function(e *ast.FunctionCall) (expr.Expr, error) {
	name := functionName(e.Name)
	switch {
	case e.Over != nil:
		return nil, qerr.NotSupported(e.Pos(), "window functions")
	case windowFunctions[name]:
		return nil, qerr.At(qerr.MissingOver, e.Pos(), "Window function system.builtin.%s requires an OVER clause", name)
	case function.IsAggregate(name):
		return b.aggregate(e, name)
	case specialForm(name) == nil && !function.Exists(name):
		return nil, unknownFunction(e, name)
	case e.Filter != nil:
		return nil, qerr.At(qerr.FunctionNotAggregate, e.Pos(), "Filter is only valid for aggregation functions")
	case e.Distinct:
		return nil, qerr.At(qerr.FunctionNotAggregate, e.Pos(), "DISTINCT is not supported for non-aggregation functions")
	case len(e.OrderBy) > 0:
		return nil, qerr.At(qerr.FunctionNotAggregate, e.Pos(), "ORDER BY is only valid for aggregation functions")
	case e.Nulls != ast.NullTreatmentDefault:
		return nil, qerr.At(qerr.NullTreatmentNotAllowed, e.Pos(), "NULL treatment is not allowed for non-window functions")
	}
	if special := specialForm(name); special != nil {
		return special(b, e)
	}
	args, err := b.expressions(e.Args)
	if err != nil {
		return nil, err
	}
	return b.call(e.Pos(), name, args...)
}

// unknownFunction is the error for a name that no function has.
func unknownFunction(e *ast.FunctionCall, name string) error {
	near := nearest(name)
	for _, f := range function.List() {
		near.offer(f.Name)
	}
	return qerr.At(qerr.FunctionNotFound, e.Pos(), "Function '%s' not registered%s", name, didYouMean(near.best))
}

// specialForm builds what looks like a function but is none: it evaluates its
// arguments as needed, or is a constant of the session. nil if name is not one
// of them.
func specialForm(name string) func(*binder, *ast.FunctionCall) (expr.Expr, error) {
	switch name {
	case "coalesce":
		return (*binder).coalesce
	case "nullif":
		return (*binder).nullif
	case "if":
		return (*binder).ifElse
	case "try":
		return (*binder).try
	case "now":
		return (*binder).nowFunction
	case "current_timezone":
		return (*binder).currentTimezone
	case "version":
		return (*binder).version
	case "typeof":
		return (*binder).typeOf
	}
	return nil
}

func (b *binder) coalesce(e *ast.FunctionCall) (expr.Expr, error) {
	if len(e.Args) < 2 {
		return nil, qerr.At(qerr.SyntaxError, e.Pos(), "The 'coalesce' function must have at least two arguments")
	}
	args, err := b.unified(e.Args, "All COALESCE operands")
	if err != nil {
		return nil, err
	}
	return &expr.Form{Op: expr.Coalesce, Args: args, Typ: args[0].Type()}, nil
}

// nullif is CASE WHEN a = b THEN NULL ELSE a END.
func (b *binder) nullif(e *ast.FunctionCall) (expr.Expr, error) {
	if len(e.Args) != 2 {
		return nil, qerr.At(qerr.SyntaxError, e.Pos(), "Invalid number of arguments for 'nullif' function")
	}
	args, err := b.expressions(e.Args)
	if err != nil {
		return nil, err
	}
	fn, err := function.ResolveScalar(function.OpEq, typesOf(args))
	if err != nil {
		return nil, qerr.At(qerr.TypeMismatch, e.Pos(), "Types are not comparable with NULLIF: %s vs %s", args[0].Type(), args[1].Type())
	}
	null := &expr.Const{Typ: args[0].Type()}
	return caseOf([]expr.Expr{b.a.apply(fn, args...)}, []expr.Expr{null, args[0]}), nil
}

// ifElse is IF(condition, a[, b]).
func (b *binder) ifElse(e *ast.FunctionCall) (expr.Expr, error) {
	if len(e.Args) != 2 && len(e.Args) != 3 {
		return nil, qerr.At(qerr.SyntaxError, e.Pos(), "Invalid number of arguments for 'if' function")
	}
	cond, err := b.boolean(e.Args[0], "IF condition")
	if err != nil {
		return nil, err
	}
	values, err := b.expressions(e.Args[1:])
	if err != nil {
		return nil, err
	}
	t, ok := commonType(values)
	if !ok {
		return nil, qerr.At(qerr.TypeMismatch, e.Pos(), "Result types for IF must be the same: %s vs %s", values[0].Type(), values[1].Type())
	}
	b.a.coerceAll(values, t)
	return caseOf([]expr.Expr{cond}, values), nil
}

func (b *binder) try(e *ast.FunctionCall) (expr.Expr, error) {
	if len(e.Args) != 1 {
		return nil, qerr.At(qerr.SyntaxError, e.Pos(), "The 'try' function must have exactly one argument")
	}
	v, err := b.expression(e.Args[0])
	if err != nil {
		return nil, err
	}
	return &expr.Form{Op: expr.Try, Args: []expr.Expr{v}, Typ: v.Type()}, nil
}

// noArguments refuses arguments of a function that has none.
func noArguments(e *ast.FunctionCall, v expr.Expr) (expr.Expr, error) {
	if len(e.Args) > 0 || e.Star {
		name := functionName(e.Name)
		return nil, qerr.At(qerr.FunctionNotFound, e.Pos(), "Unexpected parameters for function %s. Expected: %s()", name, name)
	}
	return v, nil
}

func (b *binder) nowFunction(e *ast.FunctionCall) (expr.Expr, error) {
	return noArguments(e, b.a.now(3))
}

func (b *binder) currentTimezone(e *ast.FunctionCall) (expr.Expr, error) {
	return noArguments(e, constant(types.ZoneName(b.a.zone.key), types.VarcharType()))
}

func (b *binder) version(e *ast.FunctionCall) (expr.Expr, error) {
	return noArguments(e, constant(b.a.session.Version, types.VarcharType()))
}

// typeOf is known as soon as its argument is bound.
func (b *binder) typeOf(e *ast.FunctionCall) (expr.Expr, error) {
	args, err := b.expressions(e.Args)
	if err != nil {
		return nil, err
	}
	if len(args) != 1 {
		return b.call(e.Pos(), "typeof", args...)
	}
	return constant(args[0].Type().String(), types.VarcharType()), nil
}
