package analyzer

import (
	"reflect"

	"github.com/tuttidb/tutti/sql/expr"
)

// Same reports whether two expressions are written alike: the same functions
// of the same columns and constants. Volatile functions are no exception.
func Same(a, b expr.Expr) bool { return same(a, b) }

func same(a, b expr.Expr) bool {
	if !a.Type().Equal(b.Type()) || !sameNode(a, b) {
		return false
	}
	x, y := expr.Children(a), expr.Children(b)
	if len(x) != len(y) {
		return false
	}
	for i := range x {
		if !same(x[i], y[i]) {
			return false
		}
	}
	return true
}

// sameNode compares without arguments and types.
func sameNode(a, b expr.Expr) bool {
	switch a := a.(type) {
	case *expr.Column:
		b, ok := b.(*expr.Column)
		return ok && a.ID == b.ID
	case *expr.Const:
		b, ok := b.(*expr.Const)
		return ok && reflect.DeepEqual(a.Value, b.Value)
	case *expr.Call:
		b, ok := b.(*expr.Call)
		return ok && a.Fn.Name == b.Fn.Name
	case *expr.Cast:
		b, ok := b.(*expr.Cast)
		return ok && a.Safe == b.Safe
	case *expr.Form:
		b, ok := b.(*expr.Form)
		return ok && a.Op == b.Op && a.Index == b.Index
	}
	return false
}
