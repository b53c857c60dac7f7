package optimize

import (
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// simplifyExpressions computes constants and brings boolean expressions into
// a form in which the other rules find what they look for: NOT only above
// what cannot take it in, common conjuncts outside of ORs, equalities of one
// expression as IN. Three-valued results stay the same for every row.
func (o *Optimizer) simplifyExpressions(root plan.Node) (plan.Node, error) {
	return rewriteExprs(root, o.simplify), nil
}

// simplify rewrites e bottom up. Nested ANDs and ORs, of which the parser
// makes one a condition, are made one form first: going up through them level
// by level would look at each part once a level.
func (o *Optimizer) simplify(e expr.Expr) expr.Expr {
	args := expr.Children(e)
	flat := false
	if f, ok := e.(*expr.Form); ok && (f.Op == expr.And || f.Op == expr.Or) {
		if parts := expr.Flatten(nil, f, f.Op); len(parts) > len(args) {
			args, flat = parts, true
		}
	}
	out, changed := make([]expr.Expr, len(args)), flat
	for i, a := range args {
		out[i] = o.simplify(a)
		changed = changed || out[i] != a
	}
	if changed {
		e = expr.WithChildren(e, out)
	}
	return o.simplified(e)
}

// simplified rewrites an expression whose arguments are simple already.
func (o *Optimizer) simplified(e expr.Expr) expr.Expr {
	e = o.fold(e)
	switch e := e.(type) {
	case *expr.Form:
		return o.simplifyForm(e)
	case *expr.Call:
		return o.simplifyComparison(e)
	case *expr.Cast:
		if e.Arg.Type().Equal(e.Typ) {
			return e.Arg
		}
	}
	return e
}

func (o *Optimizer) simplifyForm(f *expr.Form) expr.Expr {
	switch f.Op {
	case expr.And:
		return simplifyAnd(f)
	case expr.Or:
		return simplifyOr(f)
	case expr.Not:
		return o.simplifyNot(f)
	case expr.In:
		return simplifyIn(f)
	case expr.Case:
		return simplifyCase(f)
	case expr.Coalesce:
		return simplifyCoalesce(f)
	case expr.IsNull:
		if _, isConst := f.Args[0].(*expr.Const); !isConst && neverNull(f.Args[0]) {
			return constant(false)
		}
	}
	return f
}

// simplifyAnd flattens, drops TRUE and repetitions, and is FALSE if an
// argument is that nothing before could fail in front of.
func simplifyAnd(f *expr.Form) expr.Expr {
	var kept []expr.Expr
	for _, a := range unique(expr.Conjuncts(f)) {
		switch {
		case isTrue(a):
		case isFalse(a) && !anyOf(kept, mayFail):
			return a
		default:
			kept = append(kept, a)
		}
	}
	if len(kept) == 0 {
		return constant(true)
	}
	return same(f, and(kept))
}

// same returns a unless it prints like f, so that what did not change is shared.
func same(f *expr.Form, a expr.Expr) expr.Expr {
	if g, ok := a.(*expr.Form); ok && g.Op == f.Op && len(g.Args) == len(f.Args) {
		for i := range g.Args {
			if g.Args[i] != f.Args[i] {
				return a
			}
		}
		return f
	}
	return a
}

// simplifyNot moves NOT inwards: over comparisons (not of floating-point
// order, where NaN makes neither true), AND, OR and another NOT.
func (o *Optimizer) simplifyNot(f *expr.Form) expr.Expr {
	if op, a, b, ok := comparison(f.Args[0]); ok {
		if op == function.OpEq || op == function.OpNe || exactOrder(a.Type()) {
			if e := compare(negations[op], a, b); e != nil {
				return e
			}
		}
		return f
	}
	inner, ok := f.Args[0].(*expr.Form)
	if !ok {
		return f
	}
	switch inner.Op {
	case expr.Not:
		return inner.Args[0]
	case expr.And, expr.Or:
		op := expr.And
		if inner.Op == expr.And {
			op = expr.Or
		}
		args := make([]expr.Expr, len(inner.Args))
		for i, a := range inner.Args {
			args[i] = o.simplifyNot(&expr.Form{Op: expr.Not, Args: []expr.Expr{a}, Typ: boolean})
		}
		return o.simplifyForm(&expr.Form{Op: op, Args: args, Typ: boolean})
	}
	return f
}

// exactOrder reports whether of two values of t that are not null, one is
// less than the other unless they are equal.
func exactOrder(t types.Type) bool { return !t.IsFloat() && !t.IsNested() }

// simplifyIn drops repeated candidates; one candidate is an equality.
func simplifyIn(f *expr.Form) expr.Expr {
	list := unique(f.Args[1:])
	if len(list) == 1 {
		if e := compare(function.OpEq, f.Args[0], list[0]); e != nil {
			return e
		}
	}
	if len(list) == len(f.Args)-1 {
		return f
	}
	return &expr.Form{Op: expr.In, Args: append([]expr.Expr{f.Args[0]}, list...), Typ: f.Typ}
}

// simplifyCase drops branches whose condition is never true, and what comes
// after one that always is.
func simplifyCase(f *expr.Form) expr.Expr {
	var args []expr.Expr
	last := len(f.Args) - 1
	otherwise := f.Args[last]
	for i := 0; i < last; i += 2 {
		if isNever(f.Args[i]) {
			continue
		}
		if isTrue(f.Args[i]) {
			otherwise = f.Args[i+1]
			break
		}
		args = append(args, f.Args[i], f.Args[i+1])
	}
	if len(args) == 0 {
		return otherwise
	}
	if len(args) == last {
		return f
	}
	return &expr.Form{Op: expr.Case, Args: append(args, otherwise), Typ: f.Typ}
}

// simplifyCoalesce drops nulls, and what comes after a value that is not.
func simplifyCoalesce(f *expr.Form) expr.Expr {
	var args []expr.Expr
	for _, a := range f.Args {
		c, ok := a.(*expr.Const)
		if ok && c.Value == nil {
			continue
		}
		args = append(args, a)
		if ok {
			break
		}
	}
	switch {
	case len(args) == 0:
		return &expr.Const{Typ: f.Typ}
	case len(args) == 1:
		return args[0]
	case len(args) == len(f.Args):
		return f
	}
	return &expr.Form{Op: expr.Coalesce, Args: args, Typ: f.Typ}
}

// neverNull recognizes what cannot be null whatever its columns are.
func neverNull(e expr.Expr) bool {
	switch e := e.(type) {
	case *expr.Const:
		return e.Value != nil
	case *expr.Form:
		switch e.Op {
		case expr.IsNull, expr.Row:
			return true
		case expr.Coalesce:
			return anyOf(e.Args, neverNull)
		}
	}
	return false
}

// simplifyComparison moves a constant to the right, and a comparison with
// NULL is NULL.
func (o *Optimizer) simplifyComparison(c *expr.Call) expr.Expr {
	op, a, b, ok := comparison(c)
	if !ok {
		return c
	}
	if isNull(a) && !mayFail(b) || isNull(b) && !mayFail(a) {
		return &expr.Const{Typ: boolean}
	}
	if _, left := a.(*expr.Const); left {
		if _, right := b.(*expr.Const); !right {
			if e := compare(mirrored[op], b, a); e != nil {
				return o.unwrap(e)
			}
		}
	}
	return o.unwrap(c)
}

func isNull(e expr.Expr) bool { c, ok := e.(*expr.Const); return ok && c.Value == nil }
