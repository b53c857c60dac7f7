package optimize

import (
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
)

// simplifyOr flattens, drops FALSE and repetitions, turns equalities of one
// expression into IN, and takes common conjuncts out: (a AND b) OR (a AND c)
// is a AND (b OR c), also in three-valued logic. A join's keys may hide there.
func simplifyOr(f *expr.Form) expr.Expr {
	var kept []expr.Expr
	for _, a := range unique(disjuncts(f)) {
		switch {
		case isFalse(a):
		case isTrue(a) && !anyOf(kept, mayFail):
			return a
		default:
			kept = append(kept, a)
		}
	}
	if len(kept) == 0 {
		return constant(false)
	}
	kept = equalitiesToIn(kept)
	if common, rest := factor(kept); len(common) > 0 {
		return and(append(common, rest...))
	}
	return same(f, or(kept))
}

// factor splits a list of disjuncts into the conjuncts that all of them have
// and, if anything is left to decide, one OR of the rest. What may fail stays
// where it is: a conjunct before it may protect it.
func factor(list []expr.Expr) (common, rest []expr.Expr) {
	if len(list) < 2 {
		return nil, list
	}
	shared := map[string]bool{}
	for i, d := range list {
		here := map[string]bool{}
		for _, c := range expr.Conjuncts(d) {
			if s := c.String(); (i == 0 || shared[s]) && !mayFail(c) && !volatile(c) {
				here[s] = true
			}
		}
		shared = here
	}
	if len(shared) == 0 {
		return nil, list
	}
	var parts []expr.Expr
	for i, d := range list {
		taken, left := partition(expr.Conjuncts(d), func(e expr.Expr) bool { return shared[e.String()] })
		if i == 0 {
			common = unique(taken)
		}
		if len(left) == 0 {
			return common, nil // this disjunct is the common part alone: it decides
		}
		parts = append(parts, and(left))
	}
	merged := simplifyOr(&expr.Form{Op: expr.Or, Args: parts, Typ: boolean})
	return common, []expr.Expr{merged}
}

// equalitiesToIn merges x = 1, x = 2 and x IN (3, 4) into one IN, where the
// first of them stood.
func equalitiesToIn(list []expr.Expr) []expr.Expr {
	at := map[string]int{}
	var out []expr.Expr
	merged := map[int][]expr.Expr{} // by the index in out: x and all its values
	for _, e := range list {
		x, values, ok := candidates(e)
		if !ok {
			out = append(out, e)
			continue
		}
		i, seen := at[x.String()]
		if !seen {
			at[x.String()] = len(out)
			out = append(out, e)
			continue
		}
		if merged[i] == nil {
			_, before, _ := candidates(out[i])
			merged[i] = append([]expr.Expr{x}, before...)
		}
		merged[i] = append(merged[i], values...)
	}
	for i, args := range merged {
		out[i] = simplifyIn(&expr.Form{Op: expr.In, Args: args, Typ: boolean})
	}
	return out
}

// candidates recognizes x = constant and x IN (constants).
func candidates(e expr.Expr) (x expr.Expr, values []expr.Expr, ok bool) {
	if op, a, b, is := comparison(e); is && op == function.OpEq {
		x, values = a, []expr.Expr{b}
	} else if f, is := e.(*expr.Form); is && f.Op == expr.In {
		x, values = f.Args[0], f.Args[1:]
	} else {
		return nil, nil, false
	}
	for _, v := range values {
		if c, isConst := v.(*expr.Const); !isConst || c.Value == nil {
			return nil, nil, false
		}
	}
	return x, values, !volatile(x)
}

// implied returns what an OR says about one side alone: (l1 AND r1) OR (l2
// AND r2) implies l1 OR l2. nil if a disjunct says nothing about the side.
func implied(e expr.Expr, side []plan.Column) expr.Expr {
	list := disjuncts(e)
	if len(list) < 2 || volatile(e) {
		return nil
	}
	parts := make([]expr.Expr, len(list))
	for i, d := range list {
		about, _ := partition(expr.Conjuncts(d), func(c expr.Expr) bool {
			return hasColumns(c) && refersOnly(c, side) && !mayFail(c)
		})
		if len(about) == 0 {
			return nil
		}
		parts[i] = and(about)
	}
	e = simplifyOr(&expr.Form{Op: expr.Or, Args: parts, Typ: boolean})
	if isTrue(e) {
		return nil
	}
	return e
}

// impliedBy is implied for a list of conjuncts.
func impliedBy(list []expr.Expr, side []plan.Column) (out []expr.Expr) {
	for _, e := range list {
		if refersOnly(e, side) {
			continue
		}
		if i := implied(e, side); i != nil {
			out = append(out, expr.Conjuncts(i)...)
		}
	}
	return out
}
