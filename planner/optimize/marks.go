package optimize

import (
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
)

// simplifyExistence makes the plain kinds of joins of the special ones: where
// neither side of NOT IN can be null, it is NOT EXISTS; a mark of which a
// filter keeps only true rows is a semi join, of which it keeps only false
// ones an anti join; so is a left join of which it keeps only the rows without
// a match.
func (o *Optimizer) simplifyExistence(root plan.Node) (plan.Node, error) {
	return plan.Transform(root, func(n plan.Node) plan.Node {
		switch n := n.(type) {
		case *plan.Join:
			return withoutNulls(n)
		case *plan.Filter:
			if j, ok := n.Input.(*plan.Join); ok && j.Kind == plan.MarkJoin {
				return withoutMark(n, j)
			} else if ok && j.Kind == plan.LeftJoin {
				return withoutMatch(n, j)
			}
		}
		return n
	}), nil
}

// withoutNulls drops the null rule of IN from a join whose keys are never null.
func withoutNulls(j *plan.Join) plan.Node {
	special := j.Kind == plan.NullAwareAntiJoin && j.Filter == nil || j.Kind == plan.MarkJoin && j.NullAware
	if !special {
		return j
	}
	for _, k := range j.Keys {
		if !notNull(j.Left, k.Left) || !notNull(j.Right, k.Right) {
			return j
		}
	}
	c := *j
	c.NullAware = false
	if c.Kind == plan.NullAwareAntiJoin {
		c.Kind = plan.AntiJoin
	}
	return &c
}

// withoutMark turns a mark join below a filter on its mark into a semi or
// anti join. Whoever still looks at the mark finds a constant.
func withoutMark(f *plan.Filter, j *plan.Join) plan.Node {
	var rest []expr.Expr
	kind, found := plan.MarkJoin, false
	for _, e := range expr.Conjuncts(f.Predicate) {
		if k, ok := markKind(e, j); ok && !found {
			kind, found = k, true
			continue
		}
		rest = append(rest, e)
	}
	if !found {
		return f
	}
	c := *j
	c.Kind, c.NullAware, c.Cols, c.Mark = kind, false, nil, plan.Column{}
	cols := append(identity(j.Left.Outputs()), plan.Assignment{Column: j.Mark, Expr: constant(kind == plan.SemiJoin)})
	return filter(&plan.Project{Input: &c, Cols: cols}, rest)
}

// markKind is the join that keeps the rows for which e, the mark or its
// negation, is true. NOT IN on a key among other conditions has none.
func markKind(e expr.Expr, j *plan.Join) (plan.JoinKind, bool) {
	if isMark(e, j) {
		return plan.SemiJoin, true
	}
	f, ok := e.(*expr.Form)
	if !ok || f.Op != expr.Not || !isMark(f.Args[0], j) {
		return 0, false
	}
	switch {
	case !j.NullAware:
		return plan.AntiJoin, true
	case len(j.Keys) == 1 && j.Filter == nil:
		return plan.NullAwareAntiJoin, true
	}
	return 0, false
}

func isMark(e expr.Expr, j *plan.Join) bool {
	c, ok := e.(*expr.Column)
	return ok && c.ID == j.Mark.ID
}

// withoutMatch turns a left join below a filter that asks for a null key of
// the right side, which no match has, into an anti join. The right side's
// columns are null then.
func withoutMatch(f *plan.Filter, j *plan.Join) plan.Node {
	_, rightKeys := keyColumns(j)
	var rest []expr.Expr
	found := false
	for _, e := range expr.Conjuncts(f.Predicate) {
		if is, ok := e.(*expr.Form); ok && is.Op == expr.IsNull {
			if c, ok := is.Args[0].(*expr.Column); ok && has(rightKeys, c.ID) {
				found = true
				continue
			}
		}
		rest = append(rest, e)
	}
	if !found {
		return f
	}
	c := *j
	c.Kind, c.Cols = plan.AntiJoin, nil
	return filter(extended(j, &c, j.Right), rest)
}
