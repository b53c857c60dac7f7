package analyzer

import (
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/ast"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// The types that the analyzer itself asks for.
var (
	boolean = types.Of(types.Boolean)
	bigint  = types.Of(types.BigInt)
)

// binder binds the expressions of one clause.
type binder struct {
	a   *Analyzer
	env *withEnv
	// scope is nil where columns are not allowed.
	scope *scope
	// clause is how errors name the clause.
	clause string
	// group takes the clause's aggregates; nil where there may be none.
	group *grouping
	// inAggregate is set within the arguments of an aggregate.
	inAggregate bool
	// keep is told of each subquery that is bound; may be nil.
	keep func(node ast.Expression, result Column)
	// subs are the subqueries that the expressions refer to.
	subs []*Subquery
}

// constants makes a binder of expressions without columns.
func (a *Analyzer) constants() *binder { return &binder{a: a, clause: "Constant expression"} }

// condition binds a boolean expression; subject names it in the error.
func (b *binder) condition(e ast.Expression, subject string) (Expression, error) {
	if err := b.noAggregates(e); err != nil {
		return Expression{}, err
	}
	bound, err := b.expression(e)
	if err != nil {
		return Expression{}, err
	}
	bound, ok := b.asBoolean(bound)
	if !ok {
		return Expression{}, qerr.At(qerr.TypeMismatch, e.Pos(), "%s must evaluate to a boolean: actual type %s", subject, bound.Type())
	}
	return Expression{Expr: bound, Subqueries: b.subs}, nil
}

// noAggregates refuses aggregates where there may be none.
func (b *binder) noAggregates(e ast.Expression) error {
	if b.group != nil {
		return nil
	}
	if calls := aggregateCalls(e); len(calls) > 0 {
		return qerr.At(qerr.ExpressionNotScalar, e.Pos(),
			"%s cannot contain aggregations, window functions or grouping operations: [%s]", b.clause, texts(calls))
	}
	return nil
}

// asBoolean types a bare NULL as boolean; false for any other type.
func (b *binder) asBoolean(e expr.Expr) (expr.Expr, bool) {
	if e.Type().Kind == types.Unknown {
		return b.a.coerce(e, boolean), true
	}
	return e, e.Type().Kind == types.Boolean
}

// boolean binds an operand that must be boolean.
func (b *binder) boolean(e ast.Expression, subject string) (expr.Expr, error) {
	bound, err := b.expression(e)
	if err != nil {
		return nil, err
	}
	bound, ok := b.asBoolean(bound)
	if !ok {
		return nil, qerr.At(qerr.TypeMismatch, e.Pos(), "%s must evaluate to a boolean (actual: %s)", subject, bound.Type())
	}
	return bound, nil
}

// expressions binds a list.
func (b *binder) expressions(list []ast.Expression) ([]expr.Expr, error) {
	out := make([]expr.Expr, len(list))
	for i, e := range list {
		var err error
		if out[i], err = b.expression(e); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// expression binds any expression.
func (b *binder) expression(e ast.Expression) (expr.Expr, error) {
	switch e := e.(type) {
	case *ast.Identifier:
		return b.column(&ast.QualifiedName{Base: ast.At(e.Pos()), Parts: []*ast.Identifier{e}}, e)
	case *ast.Dereference:
		return b.dereference(e)
	case *ast.Subscript:
		return b.subscript(e)
	case *ast.Row:
		return b.row(e)
	case *ast.Array:
		return b.array(e)
	case *ast.Unary:
		return b.unary(e)
	case *ast.Binary:
		return b.binary(e)
	case *ast.AtTimeZone:
		return b.atTimeZone(e)
	case *ast.Case:
		return b.caseWhen(e)
	case *ast.Cast:
		return b.cast(e)
	case *ast.Extract:
		return b.extract(e)
	case *ast.Trim:
		return b.trim(e)
	case *ast.FunctionCall:
		return b.function(e)
	case *ast.Listagg:
		return b.listagg(e)
	case *ast.CurrentTime:
		return b.a.currentTime(e)
	case *ast.SessionValue:
		return b.a.sessionValue(e)
	case *ast.Parameter:
		return b.parameter(e)
	case *ast.Lambda:
		return nil, qerr.NotSupported(e.Pos(), "lambda expressions")
	case *ast.Grouping:
		return nil, qerr.NotSupported(e.Pos(), "GROUPING")
	}
	return b.predicate(e)
}

// predicate binds comparisons, conditions, subqueries and literals.
func (b *binder) predicate(e ast.Expression) (expr.Expr, error) {
	switch e := e.(type) {
	case *ast.Comparison:
		return b.comparison(e)
	case *ast.Logical:
		return b.logical(e)
	case *ast.Not:
		operand, err := b.boolean(e.Operand, "Value of logical NOT expression")
		if err != nil {
			return nil, err
		}
		return not(operand), nil
	case *ast.Between:
		return b.between(e)
	case *ast.InList:
		return b.inList(e)
	case *ast.Like:
		return b.like(e)
	case *ast.IsNull:
		v, err := b.expression(e.Value)
		if err != nil {
			return nil, err
		}
		return notIf(e.Not, isNull(v)), nil
	case *ast.IsDistinctFrom:
		return b.isDistinct(e)
	case *ast.ScalarSubquery:
		return b.scalarSubquery(e)
	case *ast.Exists:
		return b.exists(e)
	case *ast.InSubquery:
		return b.inSubquery(e)
	case *ast.QuantifiedComparison:
		return b.quantified(e)
	}
	return b.literal(e)
}

// dereference binds a.b: a qualified column, or a field of a row.
func (b *binder) dereference(e *ast.Dereference) (expr.Expr, error) {
	if name := ast.DereferenceName(e); name != nil {
		return b.column(name, e)
	}
	target, err := b.expression(e.Target)
	if err != nil {
		return nil, err
	}
	return dereference(target, e.Field, e, textOf(e.Target), e.Field.Fold())
}

// subscript binds array[i], map[key] and row[1].
func (b *binder) subscript(e *ast.Subscript) (expr.Expr, error) {
	target, err := b.expression(e.Target)
	if err != nil {
		return nil, err
	}
	index, err := b.expression(e.Index)
	if err != nil {
		return nil, err
	}
	if target.Type().Kind == types.Row {
		return rowSubscript(target, index, e)
	}
	fn, err := function.ResolveScalar(function.OpSubscript, []types.Type{target.Type(), index.Type()})
	if err != nil {
		return nil, qerr.At(qerr.TypeMismatch, e.Pos(), "Cannot use %s for subscript of %s", index.Type(), target.Type())
	}
	return b.a.apply(fn, target, index), nil
}

// rowSubscript is row[n] with a constant n, counted from 1.
func rowSubscript(target, index expr.Expr, e *ast.Subscript) (expr.Expr, error) {
	c, ok := index.(*expr.Const)
	if !ok || !c.Typ.IsInteger() || c.Value == nil {
		return nil, qerr.At(qerr.ExpressionNotConstant, e.Index.Pos(), "Subscript expression on ROW requires a constant index")
	}
	n := c.Value.(int64)
	if n < 1 || n > int64(len(target.Type().Elems())) {
		return nil, qerr.At(qerr.InvalidFunctionArgument, e.Index.Pos(), "ROW index out of bounds: %d", n)
	}
	return rowField(target, int(n-1)), nil
}

func (b *binder) row(e *ast.Row) (expr.Expr, error) {
	items, err := b.expressions(e.Items)
	if err != nil {
		return nil, err
	}
	row := rowOf(items, nil)
	return row, checkDepth(row.Type(), e.Pos())
}

func rowOf(items []expr.Expr, names []string) expr.Expr {
	return &expr.Form{Op: expr.Row, Args: items, Typ: types.RowOf(typesOf(items), names)}
}

func (b *binder) array(e *ast.Array) (expr.Expr, error) {
	items, err := b.unified(e.Items, "All ARRAY elements")
	if err != nil {
		return nil, err
	}
	list, err := b.call(e.Pos(), function.OpArray, items...)
	if err != nil {
		return nil, err
	}
	return list, checkDepth(list.Type(), e.Pos())
}

func (b *binder) unary(e *ast.Unary) (expr.Expr, error) {
	v, err := b.expression(e.Operand)
	if err != nil {
		return nil, err
	}
	if e.Op == ast.Plus {
		if k := v.Type(); !k.IsNumeric() && k.Kind != types.Unknown && k.Kind != types.IntervalDay && k.Kind != types.IntervalYear {
			return nil, qerr.At(qerr.TypeMismatch, e.Pos(), "Unary '+' operator cannot by applied to %s type", k)
		}
		return v, nil
	}
	fn, err := function.ResolveScalar(function.OpNegate, []types.Type{v.Type()})
	if err != nil {
		return nil, qerr.At(qerr.TypeMismatch, e.Pos(), "Cannot negate %s", v.Type())
	}
	return b.a.apply(fn, v), nil
}

// binaryFunctions are the functions of the binary operators.
var binaryFunctions = [...]string{
	ast.Add: function.OpAdd, ast.Subtract: function.OpSubtract, ast.Multiply: function.OpMultiply,
	ast.Divide: function.OpDivide, ast.Modulus: function.OpModulus, ast.Concat: function.OpConcatName,
}

func (b *binder) binary(e *ast.Binary) (expr.Expr, error) {
	args, err := b.expressions([]ast.Expression{e.Left, e.Right})
	if err != nil {
		return nil, err
	}
	return b.call(e.Pos(), binaryFunctions[e.Op], args...)
}

func (b *binder) atTimeZone(e *ast.AtTimeZone) (expr.Expr, error) {
	args, err := b.expressions([]ast.Expression{e.Value, e.Zone})
	if err != nil {
		return nil, err
	}
	switch args[0].Type().Kind {
	case types.Timestamp, types.TimestampTZ:
	case types.Time, types.TimeTZ:
		return nil, qerr.NotSupported(e.Pos(), "AT TIME ZONE of a time")
	default:
		return nil, qerr.At(qerr.TypeMismatch, e.Value.Pos(),
			"Type of value must be a time or timestamp with or without time zone (actual %s)", args[0].Type())
	}
	return b.call(e.Pos(), function.OpAtTimeZone, args...)
}

func (b *binder) cast(e *ast.Cast) (expr.Expr, error) {
	to, err := b.a.dataType(e.Type)
	if qerr.Is(err, qerr.TypeMismatch) {
		err = at(e.Pos(), err)
	}
	if err != nil {
		return nil, err
	}
	v, err := b.expression(e.Expr)
	if err != nil {
		return nil, err
	}
	if !types.CanCast(v.Type(), to) {
		return nil, qerr.At(qerr.TypeMismatch, e.Pos(), "Cannot cast %s to %s", v.Type(), to)
	}
	if v.Type().Equal(to) {
		return v, nil
	}
	if b.a.isParameter(v) {
		return b.a.coerce(v, to), nil
	}
	return &expr.Cast{Arg: v, Typ: to, Safe: e.Try}, nil
}

// caseWhen binds both forms of CASE; the first one repeats its operand.
func (b *binder) caseWhen(e *ast.Case) (expr.Expr, error) {
	var operand expr.Expr
	var err error
	if e.Operand != nil {
		if operand, err = b.expression(e.Operand); err != nil {
			return nil, err
		}
	}
	var conds []expr.Expr
	var results []ast.Expression
	for _, w := range e.Whens {
		cond, err := b.when(w, operand)
		if err != nil {
			return nil, err
		}
		conds, results = append(conds, cond), append(results, w.Result)
	}
	if e.Else != nil {
		results = append(results, e.Else)
	}
	values, err := b.unified(results, "All CASE results")
	if err != nil {
		return nil, err
	}
	return caseOf(conds, values), nil
}

func (b *binder) when(w *ast.When, operand expr.Expr) (expr.Expr, error) {
	if operand == nil {
		return b.boolean(w.Condition, "CASE WHEN clause")
	}
	v, err := b.expression(w.Condition)
	if err != nil {
		return nil, err
	}
	fn, err := function.ResolveScalar(function.OpEq, []types.Type{operand.Type(), v.Type()})
	if err != nil {
		return nil, qerr.At(qerr.TypeMismatch, w.Condition.Pos(),
			"CASE operand type does not match WHEN clause operand type: %s vs %s", operand.Type(), v.Type())
	}
	return b.a.apply(fn, operand, v), nil
}

// caseOf builds CASE; there may be one value more than conditions.
func caseOf(conds, values []expr.Expr) expr.Expr {
	t := values[0].Type()
	f := &expr.Form{Op: expr.Case, Typ: t}
	for i, c := range conds {
		f.Args = append(f.Args, c, values[i])
	}
	if len(values) > len(conds) {
		f.Args = append(f.Args, values[len(conds)])
	} else {
		f.Args = append(f.Args, &expr.Const{Typ: t})
	}
	return f
}

func (b *binder) extract(e *ast.Extract) (expr.Expr, error) {
	name, ok := extractFields[e.Field.Fold()]
	if !ok {
		return nil, qerr.At(qerr.SyntaxError, e.Pos(), "Invalid EXTRACT field %s, valid fields are: YEAR, QUARTER, MONTH, WEEK, DAY, "+
			"DAY_OF_MONTH, DAY_OF_WEEK, DOW, DAY_OF_YEAR, DOY, YEAR_OF_WEEK, YOW, HOUR, MINUTE, SECOND, TIMEZONE_MINUTE, TIMEZONE_HOUR", e.Field.Name)
	}
	v, err := b.expression(e.Value)
	if err != nil {
		return nil, err
	}
	fn, err := function.ResolveScalar(name, []types.Type{v.Type()})
	if err != nil || !fn.Args[0].Equal(v.Type()) { // a date has no hour, though it coerces to a timestamp
		return nil, qerr.At(qerr.TypeMismatch, e.Value.Pos(), "Cannot extract %s from %s", upper(e.Field.Name), v.Type())
	}
	return b.a.apply(fn, v), nil
}

// extractFields are EXTRACT's fields and the functions that they are.
var extractFields = map[string]string{
	"year": "year", "quarter": "quarter", "month": "month", "week": "week", "day": "day",
	"day_of_month": "day", "day_of_week": "day_of_week", "dow": "day_of_week",
	"day_of_year": "day_of_year", "doy": "day_of_year", "year_of_week": "year_of_week",
	"yow": "year_of_week", "hour": "hour", "minute": "minute", "second": "second",
	"timezone_minute": "timezone_minute", "timezone_hour": "timezone_hour",
}

// trimFunctions are TRIM's modes as functions.
var trimFunctions = [...]string{ast.TrimBoth: "trim", ast.TrimLeading: "ltrim", ast.TrimTrailing: "rtrim"}

func (b *binder) trim(e *ast.Trim) (expr.Expr, error) {
	list := []ast.Expression{e.Source}
	if e.Chars != nil {
		list = append(list, e.Chars)
	}
	args, err := b.expressions(list)
	if err != nil {
		return nil, err
	}
	return b.call(e.Pos(), trimFunctions[e.Mode], args...)
}
