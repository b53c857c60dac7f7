package optimize

import (
	"maps"
	"slices"

	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// dependency is a functional dependency: rows that have identical values in
// all of from have identical values in all of to. Nothing in from: to is
// constant. Only what follows from the plan counts (groups, row numbers,
// equalities), not what statistics say of a table.
type dependency struct {
	from, to []expr.ColumnID
}

// dependencies are those that hold among n's rows. They may name columns that
// n does not put out: rows carry them, unseen, as far as dependencies go.
func dependencies(n plan.Node) []dependency {
	switch n := n.(type) {
	case *plan.Values:
		if len(n.Rows) <= 1 {
			return []dependency{{to: idsOf(n.Columns)}}
		}
	case *plan.Filter:
		return append(dependencies(n.Input), equated(expr.Conjuncts(n.Predicate))...)
	case *plan.Scan:
		return equated(expr.Conjuncts(n.Predicate))
	case *plan.Project:
		return append(dependencies(n.Input), assigned(n.Cols)...)
	case *plan.Aggregate:
		if len(n.Keys) == 0 {
			return []dependency{{to: idsOf(n.Outputs())}}
		}
		return append(dependencies(n.Input), dependency{idsOf(n.Keys), idsOf(n.Outputs())})
	case *plan.Join:
		return joinDependencies(n)
	case *plan.UniqueID:
		return append(dependencies(n.Input), dependency{[]expr.ColumnID{n.Column.ID}, idsOf(n.Input.Outputs())})
	case *plan.SingleRow:
		return []dependency{{to: idsOf(n.Outputs())}}
	case *plan.Sort, *plan.TopN, *plan.Limit, *plan.RowNumber, *plan.MarkDistinct, *plan.Unnest:
		return dependencies(n.Inputs()[0])
	}
	return nil
}

// identical reports whether values of a type that compare as equal are the
// same value: not so 0.0 and -0.0, or one instant in two time zones.
func identical(t types.Type) bool {
	return !t.IsFloat() && !t.IsNested() && t.Kind != types.TimestampTZ && t.Comparable()
}

// equated are the dependencies that conditions make which hold: column =
// constant, column = column.
func equated(conjuncts []expr.Expr) (out []dependency) {
	for _, e := range conjuncts {
		op, a, b, ok := comparison(e)
		if !ok || op != function.OpEq || !identical(a.Type()) {
			continue
		}
		x, isColumn := a.(*expr.Column)
		if !isColumn {
			continue
		}
		switch y := b.(type) {
		case *expr.Const:
			out = append(out, dependency{to: []expr.ColumnID{x.ID}})
		case *expr.Column:
			out = append(out, same2(x.ID, y.ID)...)
		}
	}
	return out
}

func same2(a, b expr.ColumnID) []dependency {
	return []dependency{{[]expr.ColumnID{a}, []expr.ColumnID{b}}, {[]expr.ColumnID{b}, []expr.ColumnID{a}}}
}

// assigned are the dependencies of computed columns on what they are made of.
func assigned(cols []plan.Assignment) (out []dependency) {
	for _, a := range cols {
		if c, ok := a.Expr.(*expr.Column); ok {
			if c.ID != a.Column.ID {
				out = append(out, same2(c.ID, a.Column.ID)...)
			}
			continue
		}
		if volatile(a.Expr) {
			continue
		}
		d := dependency{to: []expr.ColumnID{a.Column.ID}}
		expr.Columns(a.Expr, func(c *expr.Column) { d.from = append(d.from, c.ID) })
		out = append(out, d)
	}
	return out
}

// joinDependencies are those of the sides, as far as the nulls of an outer
// join leave them, and what the join's keys add.
func joinDependencies(n *plan.Join) []dependency {
	left := dependencies(n.Left)
	leftKeys, rightKeys := keyColumns(n)
	var out []dependency
	switch n.Kind {
	case plan.InnerJoin:
		out = append(left, dependencies(n.Right)...)
		for _, k := range n.Keys {
			if identical(k.Left.Type) {
				out = append(out, same2(k.Left.ID, k.Right.ID)...)
			}
		}
		return append(out, equated(expr.Conjuncts(n.Filter))...)
	case plan.LeftJoin:
		out = append(left, withNulls(n.Right, rightKeys)...)
		return append(out, filledBy(n, leftKeys, rightKeys)...)
	case plan.RightJoin:
		out = append(dependencies(n.Right), withNulls(n.Left, leftKeys)...)
		return append(out, filledBy(n, rightKeys, leftKeys)...)
	case plan.FullJoin:
		// Rows without a match are there on both sides, those of null keys too.
		return append(withNulls(n.Left, nil), withNulls(n.Right, nil)...)
	}
	return left
}

// withNulls are the dependencies of a side that still hold when an outer join
// adds rows of nulls: those from a column that is null in no other row, as it
// is never null or one of the given keys, which only matches have. What follows from them is added at once, for the steps may not hold.
func withNulls(side plan.Node, keys []plan.Column) (out []dependency) {
	cols, deps := side.Outputs(), dependencies(side)
	for _, d := range deps {
		if slices.ContainsFunc(d.from, func(id expr.ColumnID) bool {
			i := slices.IndexFunc(cols, func(c plan.Column) bool { return c.ID == id })
			return has(keys, id) || i >= 0 && notNull(side, cols[i])
		}) {
			out = append(out, dependency{d.from, determined(d.from, deps)})
		}
	}
	return out
}

// determined are the columns that the given ones determine.
func determined(from []expr.ColumnID, deps []dependency) []expr.ColumnID {
	set := columnSet{}
	for _, id := range from {
		set[id] = true
	}
	return slices.Sorted(maps.Keys(closure(set, deps)))
}

// filledBy says that the keys of the side that an outer join keeps decide
// those of the other side: equal, or null if there is no match. A further
// condition might make a difference between rows of the same keys.
func filledBy(n *plan.Join, kept, filled []plan.Column) []dependency {
	if n.Filter != nil || len(kept) == 0 || slices.ContainsFunc(kept, func(c plan.Column) bool { return !identical(c.Type) }) {
		return nil
	}
	return []dependency{{idsOf(kept), idsOf(filled)}}
}

// closure adds to a set all columns that it determines.
func closure(set columnSet, deps []dependency) columnSet {
	set = set.with()
	in := func(id expr.ColumnID) bool { return set[id] }
	for grown := true; grown; {
		grown = false
		for _, d := range deps {
			if slices.ContainsFunc(d.from, func(id expr.ColumnID) bool { return !in(id) }) {
				continue
			}
			for _, id := range d.to {
				grown = grown || !set[id]
				set[id] = true
			}
		}
	}
	return set
}

func idsOf(cols []plan.Column) []expr.ColumnID {
	out := make([]expr.ColumnID, len(cols))
	for i, c := range cols {
		out[i] = c.ID
	}
	return out
}
