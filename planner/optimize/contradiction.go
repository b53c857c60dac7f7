package optimize

import (
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
)

// maxCandidates is the number of values of an IN that are tried out.
const maxCandidates = 100

// excluded reports whether a filter's conjuncts cannot all be true of a row:
// a = 1 AND a = 2, a IN (1, 2) AND a > 5, a > 3 AND a < 3. Of a column that
// must have one of some values, each value is put into the other conditions
// on that column; ranges are compared with each other.
func (o *Optimizer) excluded(conjuncts []expr.Expr) bool {
	if o.folder == nil || len(conjuncts) < 2 {
		return false
	}
	about := map[expr.ColumnID][]expr.Expr{}
	for _, e := range conjuncts {
		if c := onlyColumn(e); c != nil && !volatile(e) {
			about[c.ID] = append(about[c.ID], e)
		}
	}
	for id, list := range about {
		if len(list) > 1 && (o.noCandidate(id, list) || o.emptyRange(list)) {
			return true
		}
	}
	return false
}

// onlyColumn returns the one column that e refers to, however often.
func onlyColumn(e expr.Expr) *expr.Column {
	var only *expr.Column
	several := false
	expr.Columns(e, func(c *expr.Column) {
		several = several || only != nil && only.ID != c.ID
		only = c
	})
	if several {
		return nil
	}
	return only
}

// noCandidate reports whether some condition names the column's values and
// the others allow none of them.
func (o *Optimizer) noCandidate(id expr.ColumnID, list []expr.Expr) bool {
	for i, e := range list {
		x, values, ok := candidates(e)
		if !ok || len(values) > maxCandidates {
			continue
		}
		if c, plain := x.(*expr.Column); !plain || !identical(c.Typ) {
			continue
		}
		left := values
		for j, other := range list {
			if j != i {
				left, _ = partition(left, func(v expr.Expr) bool {
					return !isNever(o.simplify(expr.Substitute(other, map[expr.ColumnID]expr.Expr{id: v})))
				})
			}
		}
		return len(left) == 0
	}
	return false
}

// emptyRange reports whether a lower bound is above an upper one.
func (o *Optimizer) emptyRange(list []expr.Expr) bool {
	lower := bounds(list, function.OpGt, function.OpGe)
	for _, upper := range bounds(list, function.OpLt, function.OpLe) {
		for _, l := range lower {
			if o.crossed(l, upper) {
				return true
			}
		}
	}
	return false
}

// bounds are the first of the comparisons by either of two operators.
func bounds(list []expr.Expr, strict, loose string) (out []*expr.Call) {
	for _, e := range list {
		if op, _, _, ok := comparison(e); ok && (op == strict || op == loose) && len(out) < maxCandidates/4 {
			out = append(out, e.(*expr.Call))
		}
	}
	return out
}

// crossed reports whether no value is above one bound of a column and below
// another.
func (o *Optimizer) crossed(lower, upper *expr.Call) bool {
	lo, hi := lower.Args[1], upper.Args[1]
	if !sameColumn(lower.Args[0], upper.Args[0]) || !lo.Type().Equal(hi.Type()) {
		return false
	}
	op := function.OpLe
	if lower.Fn.Name == function.OpGt || upper.Fn.Name == function.OpLt {
		op = function.OpLt
	}
	e := compare(op, lo, hi)
	return e != nil && isFalse(o.fold(e))
}

func sameColumn(a, b expr.Expr) bool {
	x, ok := a.(*expr.Column)
	y, also := b.(*expr.Column)
	return ok && also && x.ID == y.ID
}

// filterOrNothing drops conditions that are true; one that never is, or two
// that exclude each other, leave nothing. Conditions before them are not
// evaluated then, which may only spare an error.
func (o *Optimizer) filterOrNothing(n *plan.Filter) plan.Node {
	list := expr.Conjuncts(n.Predicate)
	if isEmpty(n.Input) || anyOf(list, isNever) || o.excluded(list) {
		return nothing(n)
	}
	if anyOf(list, isTrue) {
		return filter(n.Input, list)
	}
	return n
}
