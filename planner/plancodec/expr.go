package plancodec

import (
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
)

// expr encodes an expression; nil stays nil.
func (e *encoder) expr(x expr.Expr) *pb.Expr {
	switch x := x.(type) {
	case nil:
		return nil
	case *expr.Column:
		return &pb.Expr{Expr: &pb.Expr_Column{Column: &pb.Column{Id: int32(x.ID), Name: x.Name, Type: e.typ(x.Typ)}}}
	case *expr.Const:
		return &pb.Expr{Expr: &pb.Expr_Const_{Const: &pb.Expr_Const{Value: e.datum(x.Value), Type: e.typ(x.Typ)}}}
	case *expr.Call:
		return &pb.Expr{Expr: &pb.Expr_Call_{Call: &pb.Expr_Call{Fn: e.scalar(x.Fn), Args: e.exprs(x.Args)}}}
	case *expr.Cast:
		return &pb.Expr{Expr: &pb.Expr_Cast_{Cast: &pb.Expr_Cast{Arg: e.expr(x.Arg), Type: e.typ(x.Typ), Safe: x.Safe}}}
	case *expr.Form:
		return &pb.Expr{Expr: &pb.Expr_Form_{Form: &pb.Expr_Form{
			Op: uint32(x.Op), Args: e.exprs(x.Args), Index: int32(x.Index), Type: e.typ(x.Typ),
		}}}
	}
	e.fail("expression %T", x)
	return nil
}

func (e *encoder) exprs(xs []expr.Expr) []*pb.Expr {
	var out []*pb.Expr
	for _, x := range xs {
		out = append(out, e.expr(x))
	}
	return out
}

// expr decodes an expression; nil stays nil.
func (d *decoder) expr(m *pb.Expr) expr.Expr {
	if m == nil || !d.enter() {
		return nil
	}
	defer d.leave()
	switch x := m.Expr.(type) {
	case *pb.Expr_Column:
		return d.column(x.Column).Ref()
	case *pb.Expr_Const_:
		return &expr.Const{Value: d.datum(x.Const.GetValue()), Typ: d.typ(x.Const.GetType())}
	case *pb.Expr_Call_:
		return d.call(x.Call)
	case *pb.Expr_Cast_:
		return &expr.Cast{Arg: d.need(x.Cast.GetArg()), Typ: d.typ(x.Cast.GetType()), Safe: x.Cast.GetSafe()}
	case *pb.Expr_Form_:
		d.bound("form", x.Form.GetOp(), uint32(expr.Field))
		return &expr.Form{
			Op: expr.Op(x.Form.GetOp()), Args: d.exprs(x.Form.GetArgs()), Index: int(x.Form.GetIndex()), Typ: d.typ(x.Form.GetType()),
		}
	}
	d.fail("expression without content")
	return nil
}

func (d *decoder) call(m *pb.Expr_Call) expr.Expr {
	c := &expr.Call{Fn: d.scalar(m.GetFn()), Args: d.exprs(m.GetArgs())}
	if len(c.Args) != len(c.Fn.Args) {
		d.fail("%s with %d arguments for %d parameters", c.Fn.Name, len(c.Args), len(c.Fn.Args))
	}
	return c
}

// need decodes an expression that must be there.
func (d *decoder) need(m *pb.Expr) expr.Expr {
	if m == nil {
		d.fail("missing expression")
	}
	return d.expr(m)
}

func (d *decoder) exprs(ms []*pb.Expr) []expr.Expr {
	var out []expr.Expr
	for _, m := range ms {
		out = append(out, d.need(m))
	}
	return out
}

func (e *encoder) scalar(f *function.Scalar) *pb.Scalar {
	return &pb.Scalar{
		Name: f.Name, Args: e.types(f.Args), Result: e.typ(f.Result), Nulls: uint32(f.Nulls),
		NonNull: f.NonNull, Volatile: f.Volatile, Stable: f.Stable,
	}
}

func (d *decoder) scalar(m *pb.Scalar) *function.Scalar {
	d.bound("null rule", m.GetNulls(), uint32(function.CalledOnNull))
	return &function.Scalar{
		Name: m.GetName(), Args: d.types(m.GetArgs()), Result: d.typ(m.GetResult()), Nulls: function.NullRule(m.GetNulls()),
		NonNull: m.GetNonNull(), Volatile: m.GetVolatile(), Stable: m.GetStable(),
	}
}

func (e *encoder) aggregate(f *function.Aggregate) *pb.Aggregate {
	return &pb.Aggregate{
		Name: f.Name, Args: e.types(f.Args), Result: e.typ(f.Result), State: e.types(f.State),
		Indistinct: f.Indistinct, Ordered: f.Ordered, ZeroOnEmpty: f.ZeroOnEmpty,
	}
}

func (d *decoder) aggregate(m *pb.Aggregate) *function.Aggregate {
	return &function.Aggregate{
		Name: m.GetName(), Args: d.types(m.GetArgs()), Result: d.typ(m.GetResult()), State: d.types(m.GetState()),
		Indistinct: m.GetIndistinct(), Ordered: m.GetOrdered(), ZeroOnEmpty: m.GetZeroOnEmpty(),
	}
}
