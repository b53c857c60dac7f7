package optimize

import (
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/types"
)

// unwrap moves a widening cast from a column to the constant that it is
// compared with: CAST(x AS bigint) = 5 is x = 5, which connectors understand
// and statistics are about. It applies where the cast keeps the order and the
// constant comes back unchanged from the column's type.
func (o *Optimizer) unwrap(e expr.Expr) expr.Expr {
	op, a, b, ok := comparison(e)
	if !ok || o.folder == nil {
		return e
	}
	c, isCast := a.(*expr.Cast)
	v, isConst := b.(*expr.Const)
	if !isCast || !isConst || v.Value == nil || !widens(c.Arg.Type(), c.Typ) {
		return e
	}
	narrow, err := o.folder.Fold(&expr.Cast{Arg: v, Typ: c.Arg.Type(), Safe: true})
	if err != nil || narrow.Value == nil {
		return e
	}
	back, err := o.folder.Fold(&expr.Cast{Arg: narrow, Typ: c.Typ})
	if err != nil || back.String() != v.String() {
		return e
	}
	if out := compare(op, c.Arg, narrow); out != nil {
		return out
	}
	return e
}

// widens reports whether every value of from is one of to, in the same order.
func widens(from, to types.Type) bool {
	switch {
	case from.IsInteger() && to.IsInteger():
		return from.Kind < to.Kind
	case from.IsInteger() && to.Kind == types.Decimal:
		d := types.AsDecimal(from)
		return to.P-to.S >= d.P
	case from.Kind == types.Decimal && to.Kind == types.Decimal:
		return to.S >= from.S && to.P-to.S >= from.P-from.S
	case from.Kind == types.Varchar && to.Kind == types.Varchar:
		return to.P >= from.P || to.P == types.Unbounded
	case from.Kind == types.Date && to.Kind == types.Timestamp:
		return true
	case from.Kind == types.Timestamp && to.Kind == types.Timestamp:
		return to.P >= from.P
	}
	return (from.Kind == types.Integer || from.Kind == types.SmallInt || from.Kind == types.TinyInt) && to.Kind == types.Double
}
