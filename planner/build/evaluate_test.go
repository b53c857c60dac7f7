package build_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// lackingError says that the interpreter cannot run a query.
type lackingError struct{ what string }

func (e *lackingError) Error() string { return "the interpreter has no " + e.what }

func lacking(format string, args ...any) error { return &lackingError{fmt.Sprintf(format, args...)} }

// env evaluates expressions over rows of known columns.
type env struct{ at map[expr.ColumnID]int }

func newEnv(cols []plan.Column) *env {
	e := &env{at: map[expr.ColumnID]int{}}
	for i, c := range cols {
		e.at[c.ID] = i
	}
	return e
}

func (e *env) eval(x expr.Expr, row []any) (any, error) {
	switch x := x.(type) {
	case *expr.Const:
		return x.Value, nil
	case *expr.Column:
		i, ok := e.at[x.ID]
		if !ok {
			return nil, fmt.Errorf("no column %s", x)
		}
		return row[i], nil
	case *expr.Cast:
		v, err := e.eval(x.Arg, row)
		if err != nil || v == nil {
			return nil, err
		}
		return cast(v, x)
	case *expr.Call:
		return e.call(x, row)
	case *expr.Form:
		return e.form(x, row)
	}
	return nil, lacking("evaluation of %T", x)
}

func cast(v any, x *expr.Cast) (any, error) {
	from, to := x.Arg.Type(), x.Typ
	switch {
	case from.IsInteger() && to.IsInteger(), from.Kind == types.Varchar && to.Kind == types.Varchar, from.Kind == to.Kind && from.Kind != types.Decimal:
		return v, nil
	case from.IsInteger() && to.Kind == types.Double:
		return float64(v.(int64)), nil
	case from.IsInteger() && to.Kind == types.Varchar:
		return fmt.Sprint(v), nil
	}
	return nil, lacking("cast from %s to %s", from, to)
}

func (e *env) all(list []expr.Expr, row []any) ([]any, bool, error) {
	out := make([]any, len(list))
	null := false
	for i, a := range list {
		var err error
		if out[i], err = e.eval(a, row); err != nil {
			return nil, false, err
		}
		null = null || out[i] == nil
	}
	return out, null, nil
}

func (e *env) call(x *expr.Call, row []any) (any, error) {
	args, null, err := e.all(x.Args, row)
	if err != nil {
		return nil, err
	}
	switch x.Fn.Name {
	case function.OpDistinct:
		if args[0] == nil || args[1] == nil {
			return (args[0] == nil) != (args[1] == nil), nil
		}
		return compareValues(args[0], args[1]) != 0, nil
	case function.OpArray:
		return args, nil
	}
	if null {
		return nil, nil
	}
	if len(x.Args) == 2 && x.Fn.Name != "fail" && x.Args[0].Type().Kind != x.Args[1].Type().Kind {
		return nil, lacking("arithmetic of %s", x)
	}
	switch x.Fn.Name {
	case function.OpEq, function.OpNe:
		return equalValues(args[0], args[1], x.Fn.Name == function.OpNe), nil
	case function.OpLt:
		return compareValues(args[0], args[1]) < 0, nil
	case function.OpLe:
		return compareValues(args[0], args[1]) <= 0, nil
	case function.OpGt:
		return compareValues(args[0], args[1]) > 0, nil
	case function.OpGe:
		return compareValues(args[0], args[1]) >= 0, nil
	case "fail":
		return nil, errSubqueryRows
	}
	return compute(x.Fn.Name, args)
}

// equalValues compares rows field by field: a null field leaves it open unless
// another field differs.
func equalValues(a, b any, negate bool) any {
	x, ok := a.([]any)
	if !ok {
		return (compareValues(a, b) == 0) != negate
	}
	unknown := false
	for i, v := range b.([]any) {
		switch {
		case v == nil || x[i] == nil:
			unknown = true
		case compareValues(x[i], v) != 0:
			return negate
		}
	}
	if unknown {
		return nil
	}
	return !negate
}

func compute(name string, args []any) (any, error) {
	if a, ok := args[0].(int64); ok {
		if len(args) == 1 && name == function.OpNegate {
			return -a, nil
		}
		if b, ok := args[len(args)-1].(int64); ok {
			return arithmetic(name, a, b)
		}
	}
	switch name {
	case "concat":
		return args[0].(string) + args[1].(string), nil
	case "upper":
		return strings.ToUpper(args[0].(string)), nil
	case "length":
		return int64(len(args[0].(string))), nil
	}
	return nil, lacking("function %s", name)
}

func arithmetic(name string, a, b int64) (any, error) {
	switch name {
	case function.OpAdd:
		return a + b, nil
	case function.OpSubtract:
		return a - b, nil
	case function.OpMultiply:
		return a * b, nil
	case function.OpDivide, function.OpModulus:
		if b == 0 {
			return nil, errors.New("DIVISION_BY_ZERO")
		}
		if name == function.OpModulus {
			return a % b, nil
		}
		return a / b, nil
	}
	return nil, lacking("function %s", name)
}

func (e *env) form(f *expr.Form, row []any) (any, error) {
	switch f.Op {
	case expr.And, expr.Or:
		return e.logical(f, row)
	case expr.Case:
		for i := 0; i+1 < len(f.Args); i += 2 {
			cond, err := e.eval(f.Args[i], row)
			if err != nil {
				return nil, err
			}
			if cond == true {
				return e.eval(f.Args[i+1], row)
			}
		}
		return e.eval(f.Args[len(f.Args)-1], row)
	case expr.Coalesce:
		for _, a := range f.Args {
			if v, err := e.eval(a, row); v != nil || err != nil {
				return v, err
			}
		}
		return nil, nil
	}
	args, _, err := e.all(f.Args, row)
	if err != nil {
		return nil, err
	}
	switch {
	case f.Op == expr.IsNull:
		return args[0] == nil, nil
	case f.Op == expr.Row:
		return args, nil
	case args[0] == nil:
		return nil, nil
	case f.Op == expr.Not:
		return !args[0].(bool), nil
	case f.Op == expr.Field:
		return args[0].([]any)[f.Index], nil
	case f.Op == expr.In:
		var out any = false
		for _, a := range args[1:] {
			if a == nil {
				out = nil
			} else if compareValues(args[0], a) == 0 {
				return true, nil
			}
		}
		return out, nil
	}
	return nil, lacking("form %d", f.Op)
}

func (e *env) logical(f *expr.Form, row []any) (any, error) {
	decides := f.Op == expr.Or
	null := false
	for _, a := range f.Args {
		v, err := e.eval(a, row)
		switch {
		case err != nil:
			return nil, err
		case v == nil:
			null = true
		case v == decides:
			return decides, nil
		}
	}
	if null {
		return nil, nil
	}
	return !decides, nil
}

func (e *env) aggregate(a *expr.Aggregate, rows [][]any) (any, error) {
	if a.Distinct {
		return nil, errors.New("DISTINCT is left in a plan")
	}
	if a.Filter != nil {
		var kept [][]any
		for _, r := range rows {
			if v, err := e.eval(a.Filter, r); err != nil {
				return nil, err
			} else if v == true {
				kept = append(kept, r)
			}
		}
		rows = kept
	}
	if len(a.Args) == 0 {
		return int64(len(rows)), nil
	}
	var values []any
	for _, r := range e.ordered(a, rows) {
		v, err := e.eval(a.Args[0], r)
		if err != nil {
			return nil, err
		}
		if v != nil || a.Fn.Name == "array_agg" {
			values = append(values, v)
		}
	}
	return fold(a.Fn.Name, values)
}

func (e *env) ordered(a *expr.Aggregate, rows [][]any) [][]any {
	out := slices.Clone(rows)
	slices.SortStableFunc(out, func(x, y []any) int {
		for _, k := range a.OrderBy {
			at := e.at[k.Expr.(*expr.Column).ID]
			if c := compareNulls(x[at], y[at], plan.SortKey{Descending: k.Descending, NullsFirst: k.NullsFirst}); c != 0 {
				return c
			}
		}
		return 0
	})
	return out
}

func fold(name string, values []any) (any, error) {
	switch {
	case name == "count":
		return int64(len(values)), nil
	case len(values) == 0:
		return nil, nil
	}
	switch name {
	case "sum":
		total := int64(0)
		for _, v := range values {
			n, ok := v.(int64)
			if !ok {
				return nil, lacking("sum of %T", v)
			}
			total += n
		}
		return total, nil
	case "min":
		return slices.MinFunc(values, compareValues), nil
	case "max":
		return slices.MaxFunc(values, compareValues), nil
	case "arbitrary", "any_value":
		return values[0], nil
	case "array_agg":
		return values, nil
	}
	return nil, lacking("aggregate %s", name)
}
