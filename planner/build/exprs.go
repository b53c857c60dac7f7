package build

import (
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// The types that the builder itself needs.
var (
	boolean = types.Of(types.Boolean)
	bigint  = types.Of(types.BigInt)
)

// compare builds a comparison of two expressions of one type.
func compare(op string, l, r expr.Expr) expr.Expr {
	t := l.Type()
	fn := &function.Scalar{Name: op, Args: []types.Type{t, t}, Result: boolean, NonNull: true}
	return &expr.Call{Fn: fn, Args: []expr.Expr{l, r}}
}

func number(n int64) expr.Expr { return &expr.Const{Value: n, Typ: bigint} }

func not(e expr.Expr) expr.Expr {
	return &expr.Form{Op: expr.Not, Args: []expr.Expr{e}, Typ: boolean}
}

func isNull(e expr.Expr) expr.Expr {
	return &expr.Form{Op: expr.IsNull, Args: []expr.Expr{e}, Typ: boolean}
}

// and joins conditions; nil for none.
func and(list ...expr.Expr) expr.Expr { return logical(expr.And, list) }

func or(list ...expr.Expr) expr.Expr { return logical(expr.Or, list) }

func logical(op expr.Op, list []expr.Expr) expr.Expr {
	switch len(list) {
	case 0:
		return nil
	case 1:
		return list[0]
	}
	return &expr.Form{Op: op, Args: list, Typ: boolean}
}

func coalesce(e, otherwise expr.Expr) expr.Expr {
	return &expr.Form{Op: expr.Coalesce, Args: []expr.Expr{e, otherwise}, Typ: e.Type()}
}

// caseWhen takes when1, then1, …, else.
func caseWhen(args ...expr.Expr) expr.Expr {
	return &expr.Form{Op: expr.Case, Args: args, Typ: args[len(args)-1].Type()}
}

// guard is e where the mark is true, else null.
func guard(mark plan.Column, e expr.Expr) expr.Expr {
	return caseWhen(mark.Ref(), e, &expr.Const{Typ: e.Type()})
}

// aggregate resolves an aggregate function over columns. The functions used
// here exist for all types; an error is a bug of the function table.
func (b *builder) aggregate(name string, filter *plan.Column, args ...plan.Column) (plan.Agg, error) {
	argTypes := make([]types.Type, len(args))
	call := &expr.Aggregate{}
	for i, a := range args {
		argTypes[i] = a.Type
		call.Args = append(call.Args, a.Ref())
	}
	if filter != nil {
		call.Filter = filter.Ref()
	}
	var err error
	if call.Fn, err = function.ResolveAggregate(name, argTypes); err != nil {
		return plan.Agg{}, err
	}
	return plan.Agg{Column: b.column(name, call.Fn.Result), Call: call}, nil
}

// tooManyRows is the text of SUBQUERY_MULTIPLE_ROWS, whose number is 28.
const (
	tooManyRows     = "Scalar sub-query has returned multiple rows"
	tooManyRowsCode = 28
)

// failUnless is true where cond is true and fails with SUBQUERY_MULTIPLE_ROWS
// elsewhere. The function is volatile so that it is not moved or folded.
func failUnless(cond expr.Expr) expr.Expr {
	varchar := types.VarcharType()
	fail := &function.Scalar{
		Name: "fail", Args: []types.Type{types.Of(types.Integer), varchar}, Result: boolean, Volatile: true,
	}
	call := &expr.Call{Fn: fail, Args: []expr.Expr{
		&expr.Const{Value: int64(tooManyRowsCode), Typ: types.Of(types.Integer)},
		&expr.Const{Value: tooManyRows, Typ: varchar},
	}}
	return caseWhen(cond, constTrue(), call)
}

// passing passes columns through a projection.
func passing(cols []plan.Column) []plan.Assignment {
	out := make([]plan.Assignment, len(cols))
	for i, c := range cols {
		out[i] = plan.Assignment{Column: c, Expr: c.Ref()}
	}
	return out
}

// with projects further columns beside all that n has.
func with(n plan.Node, more ...plan.Assignment) plan.Node {
	if len(more) == 0 {
		return n
	}
	return &plan.Project{Input: n, Cols: append(passing(n.Outputs()), more...)}
}

// filtered puts a filter over n unless there is no condition.
func filtered(n plan.Node, conds ...expr.Expr) plan.Node {
	cond := and(conds...)
	if cond == nil {
		return n
	}
	return &plan.Filter{Input: n, Predicate: cond}
}

// row builds a row; names may be nil.
func row(args []expr.Expr, names []string) expr.Expr {
	fields := make([]types.Type, len(args))
	for i, a := range args {
		fields[i] = a.Type()
	}
	return &expr.Form{Op: expr.Row, Args: args, Typ: types.RowOf(fields, names)}
}
