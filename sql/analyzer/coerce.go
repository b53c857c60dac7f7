package analyzer

import (
	"strings"

	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/ast"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// call binds a function or operator by name; errors are at pos.
func (b *binder) call(pos qerr.Pos, name string, args ...expr.Expr) (expr.Expr, error) {
	fn, err := function.ResolveScalar(name, typesOf(args))
	if err != nil {
		return nil, at(pos, err)
	}
	return b.a.apply(fn, args...), nil
}

// apply calls fn with coerced arguments.
func (a *Analyzer) apply(fn *function.Scalar, args ...expr.Expr) expr.Expr {
	out := make([]expr.Expr, len(args))
	for i, arg := range args {
		out[i] = a.coerce(arg, fn.Args[i])
	}
	return &expr.Call{Fn: fn, Args: out}
}

// coerce converts e to t, to which its type coerces.
func (a *Analyzer) coerce(e expr.Expr, t types.Type) expr.Expr {
	if e.Type().Equal(t) {
		return e
	}
	c, ok := e.(*expr.Const)
	if !ok {
		return &expr.Cast{Arg: e, Typ: t}
	}
	if i, isParam := a.params[c]; isParam && t.Kind != types.Unknown {
		a.wanted[i] = t
	}
	if v, ok := widen(c.Value, c.Typ, t); ok {
		return &expr.Const{Value: v, Typ: t}
	}
	return &expr.Cast{Arg: e, Typ: t}
}

// widen converts constants where the value does not change; the rest is left
// to the optimizer, which can compute.
func widen(v any, from, to types.Type) (any, bool) {
	if v == nil {
		return nil, true
	}
	n, isInt := v.(int64)
	switch {
	case from.Kind == types.Varchar && to.Kind == types.Varchar && from.P <= to.P:
		return v, true
	case from.IsInteger() && to.IsInteger():
		return v, true
	case from.IsInteger() && to.Kind == types.Double && n < 1<<53 && n > -1<<53:
		return float64(n), true
	case isInt && to.IsShortDecimal() && (from.IsInteger() || from.Kind == types.Decimal && from.S <= to.S):
		for range to.S - from.S {
			n *= 10 // cannot overflow: the coercion has room for all of from's digits
		}
		limit := int64(1)
		for range to.P {
			limit *= 10
		}
		return n, n < limit && n > -limit
	}
	return nil, false
}

// coerceAll converts all of list to t, in place.
func (a *Analyzer) coerceAll(list []expr.Expr, t types.Type) {
	for i, e := range list {
		list[i] = a.coerce(e, t)
	}
}

func typesOf(list []expr.Expr) []types.Type {
	out := make([]types.Type, len(list))
	for i, e := range list {
		out[i] = e.Type()
	}
	return out
}

// commonType returns the type that all coerce to.
func commonType(list []expr.Expr) (types.Type, bool) {
	t := list[0].Type()
	for _, e := range list[1:] {
		var ok bool
		if t, ok = types.CommonSuper(t, e.Type()); !ok {
			return t, false
		}
	}
	return t, true
}

// unified binds expressions and coerces them to a common type; subject names
// them in the error.
func (b *binder) unified(list []ast.Expression, subject string) ([]expr.Expr, error) {
	args, err := b.expressions(list)
	if err != nil || len(args) == 0 {
		return args, err
	}
	t := args[0].Type()
	for i, e := range args[1:] {
		super, ok := types.CommonSuper(t, e.Type())
		if !ok {
			return nil, qerr.At(qerr.TypeMismatch, list[i+1].Pos(),
				"%s must be the same type or coercible to a common type. Cannot find common type between %s and %s, all types (without duplicates): [%s]",
				subject, t, e.Type(), distinctTypes(args))
		}
		t = super
	}
	b.a.coerceAll(args, t)
	return args, nil
}

func distinctTypes(list []expr.Expr) string {
	var names []string
	seen := map[string]bool{}
	for _, e := range list {
		if s := e.Type().String(); !seen[s] {
			seen[s] = true
			names = append(names, s)
		}
	}
	return strings.Join(names, ", ")
}
