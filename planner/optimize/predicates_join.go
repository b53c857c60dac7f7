package optimize

import (
	"slices"

	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// pushJoin distributes conjuncts from above a join, and the join's own
// condition, over its sides, its keys and its filter.
func (o *Optimizer) pushJoin(n *plan.Join, above []expr.Expr) plan.Node {
	j := *n
	left, right := n.Left.Outputs(), n.Right.Outputs()
	j.Kind = narrowed(j.Kind, above, left, right)
	on := expr.Conjuncts(j.Filter)
	if j.Kind == plan.InnerJoin {
		on, above = append(on, above...), nil
	}
	toLeft, toRight := impliedSides(j.Kind, on, above, left, right)
	if keepsRows(j.Kind, true) {
		var more []expr.Expr
		more, above = sideOnly(above, left)
		toLeft = append(toLeft, more...)
	}
	if keepsRows(j.Kind, false) {
		var more []expr.Expr
		more, above = sideOnly(above, right)
		toRight = append(toRight, more...)
	}
	if onFilters(j.Kind, true) {
		var more []expr.Expr
		more, on = sideOnly(on, left)
		toLeft = append(toLeft, more...)
	}
	if onFilters(j.Kind, false) {
		var more []expr.Expr
		more, on = sideOnly(on, right)
		toRight = append(toRight, more...)
	}
	leftKeys, rightKeys := o.takeKeys(&j, &on, left, right)
	toLeft, toRight = transfer(&j, toLeft, toRight)
	j.Left = o.push(withColumns(j.Left, leftKeys), toLeft)
	j.Right = o.push(withColumns(j.Right, rightKeys), toRight)
	j.Filter = nil
	if len(on) > 0 {
		j.Filter = and(on)
	}
	if j.Cols == nil && len(leftKeys)+len(rightKeys) > 0 {
		j.Cols = n.Outputs()
	}
	return filter(&j, above)
}

// impliedSides are conjuncts for one side that follow from those over both.
func impliedSides(kind plan.JoinKind, on, above []expr.Expr, left, right []plan.Column) (toLeft, toRight []expr.Expr) {
	if keepsRows(kind, true) {
		toLeft = impliedBy(above, left)
	}
	if keepsRows(kind, false) {
		toRight = impliedBy(above, right)
	}
	if onFilters(kind, true) {
		toLeft = append(toLeft, impliedBy(on, left)...)
	}
	if onFilters(kind, false) {
		toRight = append(toRight, impliedBy(on, right)...)
	}
	return toLeft, toRight
}

// narrowed turns an outer join into a smaller one if a conjunct above drops
// the rows that it fills with nulls.
func narrowed(kind plan.JoinKind, above []expr.Expr, left, right []plan.Column) plan.JoinKind {
	noLeftNulls := anyOf(above, func(e expr.Expr) bool { return rejectsNulls(e, left) && hasColumns(e) })
	noRightNulls := anyOf(above, func(e expr.Expr) bool { return rejectsNulls(e, right) && hasColumns(e) })
	switch {
	case kind == plan.FullJoin && noLeftNulls && noRightNulls:
		return plan.InnerJoin
	case kind == plan.FullJoin && noLeftNulls:
		return plan.LeftJoin
	case kind == plan.FullJoin && noRightNulls:
		return plan.RightJoin
	case kind == plan.LeftJoin && noRightNulls, kind == plan.RightJoin && noLeftNulls:
		return plan.InnerJoin
	}
	return kind
}

// keepsRows reports whether a conjunct from above on one side's columns may
// be applied to that side before the join.
func keepsRows(kind plan.JoinKind, left bool) bool {
	switch kind {
	case plan.RightJoin:
		return !left
	case plan.FullJoin:
		return false
	}
	return left
}

// onFilters reports whether a conjunct of the join's own condition on one
// side's columns may be applied to that side before the join: a side whose
// unmatched rows the join keeps must not lose rows by it.
func onFilters(kind plan.JoinKind, left bool) bool {
	switch kind {
	case plan.InnerJoin, plan.SemiJoin:
		return true
	case plan.LeftJoin, plan.AntiJoin, plan.NullAwareAntiJoin, plan.MarkJoin:
		return !left
	case plan.RightJoin:
		return left
	}
	return false
}

// sideOnly takes out the conjuncts that refer to nothing but cols.
func sideOnly(list []expr.Expr, cols []plan.Column) (side, rest []expr.Expr) {
	return partition(list, func(e expr.Expr) bool { return hasColumns(e) && refersOnly(e, cols) && !volatile(e) })
}

// takeKeys turns equalities between the two sides into join keys. Sides that
// are expressions become columns, returned for a projection below the join.
func (o *Optimizer) takeKeys(j *plan.Join, on *[]expr.Expr, left, right []plan.Column) (l, r []plan.Assignment) {
	if j.Kind == plan.NullAwareAntiJoin || j.Kind == plan.MarkJoin && j.NullAware {
		return nil, nil // the single key of IN is special
	}
	var rest []expr.Expr
	keys := slices.Clone(j.Keys)
	for _, e := range *on {
		a, b, ok := equality(e, left, right)
		if !ok {
			rest = append(rest, e)
			continue
		}
		key := plan.EquiKey{Left: o.keyColumn(a, &l), Right: o.keyColumn(b, &r)}
		if !slices.ContainsFunc(keys, func(k plan.EquiKey) bool { return k.Left.ID == key.Left.ID && k.Right.ID == key.Right.ID }) {
			keys = append(keys, key)
		}
	}
	j.Keys, *on = keys, rest
	return l, r
}

// equality recognizes x = y with x of the left side and y of the right.
func equality(e expr.Expr, left, right []plan.Column) (x, y expr.Expr, ok bool) {
	c, isCall := e.(*expr.Call)
	if !isCall || c.Fn.Name != function.OpEq || volatile(e) {
		return nil, nil, false
	}
	x, y = c.Args[0], c.Args[1]
	if refersOnly(x, right) && refersOnly(y, left) {
		x, y = y, x
	}
	return x, y, hasColumns(x) && hasColumns(y) && refersOnly(x, left) && refersOnly(y, right)
}

// keyColumn returns the column that holds e, adding one to cols if need be.
func (o *Optimizer) keyColumn(e expr.Expr, cols *[]plan.Assignment) plan.Column {
	if c, ok := e.(*expr.Column); ok {
		return plan.Column{ID: c.ID, Name: c.Name, Type: c.Typ}
	}
	c := o.newColumn("key", e.Type())
	*cols = append(*cols, plan.Assignment{Column: c, Expr: e})
	return c
}

// withColumns adds computed columns to n's outputs.
func withColumns(n plan.Node, cols []plan.Assignment) plan.Node {
	if len(cols) == 0 {
		return n
	}
	return &plan.Project{Input: n, Cols: append(identity(n.Outputs()), cols...)}
}

// identity passes columns through a projection.
func identity(cols []plan.Column) []plan.Assignment {
	out := make([]plan.Assignment, len(cols))
	for i, c := range cols {
		out[i] = plan.Assignment{Column: c, Expr: c.Ref()}
	}
	return out
}

// transfer copies conjuncts on a key column of one side to the other side's
// key, where the join drops rows that fail it anyway.
func transfer(j *plan.Join, toLeft, toRight []expr.Expr) (l, r []expr.Expr) {
	leftToRight := j.Kind == plan.InnerJoin || j.Kind == plan.LeftJoin || j.Kind == plan.SemiJoin || j.Kind == plan.AntiJoin
	rightToLeft := j.Kind == plan.InnerJoin || j.Kind == plan.RightJoin || j.Kind == plan.SemiJoin
	l, r = slices.Clone(toLeft), slices.Clone(toRight)
	for _, k := range j.Keys {
		if leftToRight {
			r = append(r, translate(toLeft, k.Left, k.Right)...)
		}
		if rightToLeft {
			l = append(l, translate(toRight, k.Right, k.Left)...)
		}
	}
	return unique(l), unique(r)
}

// translate rewrites the conjuncts that refer to from alone to refer to to.
func translate(list []expr.Expr, from, to plan.Column) (out []expr.Expr) {
	for _, e := range list {
		if refersOnly(e, []plan.Column{from}) && !mayFail(e) {
			out = append(out, expr.Substitute(e, map[expr.ColumnID]expr.Expr{from.ID: to.Ref()}))
		}
	}
	return out
}

// mayFail reports whether evaluating e can raise an error: then it must not
// be evaluated for rows that it was not written for.
func mayFail(e expr.Expr) bool {
	fails := false
	expr.Walk(e, func(e expr.Expr) bool {
		switch e := e.(type) {
		case *expr.Cast:
			fails = fails || !e.Safe && (e.Typ.Kind == types.Timestamp || !widens(e.Arg.Type(), e.Typ))
		case *expr.Call:
			fails = fails || !harmless[e.Fn.Name]
		}
		return !fails
	})
	return fails
}

// harmless are the functions that never fail.
var harmless = map[string]bool{
	function.OpEq: true, function.OpNe: true, function.OpLt: true, function.OpLe: true, function.OpGt: true,
	function.OpGe: true, function.OpDistinct: true, function.OpLike: true,
	"length": true, "lower": true, "upper": true, "trim": true, "substr": true, "substring": true, "starts_with": true,
	"year": true, "month": true, "day": true, "quarter": true,
}

// unique drops conjuncts that print alike.
func unique(list []expr.Expr) (out []expr.Expr) {
	seen := map[string]bool{}
	for _, e := range list {
		if s := e.String(); !seen[s] {
			seen[s] = true
			out = append(out, e)
		}
	}
	return out
}
