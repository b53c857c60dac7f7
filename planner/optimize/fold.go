package optimize

import (
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/types"
)

// fold computes e if all its arguments are constants. What raises an error is
// left for the rows, if any, that evaluate it; what depends on the session is
// left to the worker, which knows it.
func (o *Optimizer) fold(e expr.Expr) expr.Expr {
	if o.folder == nil || e.Type().IsNested() {
		return e
	}
	switch e := e.(type) {
	case *expr.Column, *expr.Const:
		return e
	case *expr.Call:
		if e.Fn.Volatile || e.Fn.Stable {
			return e
		}
	case *expr.Cast:
		if types.CastNeedsSession(e.Arg.Type(), e.Typ) {
			return e
		}
	case *expr.Form:
		if e.Op == expr.Row || e.Op == expr.Try {
			return e
		}
	}
	for _, a := range expr.Children(e) {
		if _, ok := a.(*expr.Const); !ok {
			return e
		}
	}
	c, err := o.folder.Fold(e)
	if err != nil {
		return e
	}
	return c
}
