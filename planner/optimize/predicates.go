package optimize

import (
	"slices"

	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
)

// pushPredicates moves every conjunct as far down as it can go, turns
// equalities between the sides of a join into its keys, and outer joins into
// inner ones where a conjunct above drops their null rows anyway.
func (o *Optimizer) pushPredicates(n plan.Node) (plan.Node, error) { return o.push(n, nil), nil }

// push returns n filtered by the conjuncts, which refer to its outputs.
func (o *Optimizer) push(n plan.Node, conjuncts []expr.Expr) plan.Node {
	switch n := n.(type) {
	case *plan.Filter:
		return o.push(n.Input, append(slices.Clone(conjuncts), expr.Conjuncts(n.Predicate)...))
	case *plan.Project:
		return o.pushProject(n, conjuncts)
	case *plan.Join:
		return o.pushJoin(n, conjuncts)
	case *plan.Aggregate:
		return o.pushBelow(n, conjuncts, n.Keys)
	case *plan.Union:
		return o.pushUnion(n, conjuncts)
	case *plan.Sort:
		return n.WithInputs([]plan.Node{o.push(n.Input, conjuncts)})
	case *plan.UniqueID:
		return o.pushBelow(n, conjuncts, n.Input.Outputs())
	case *plan.RowNumber:
		return o.pushBelow(n, conjuncts, n.Partition)
	case *plan.MarkDistinct:
		return o.pushBelow(n, conjuncts, n.Keys)
	case *plan.Unnest:
		return o.pushBelow(n, conjuncts, n.Replicate)
	}
	in := n.Inputs()
	out := make([]plan.Node, len(in))
	for i, x := range in {
		out[i] = o.push(x, nil)
	}
	if len(in) > 0 {
		n = n.WithInputs(out)
	}
	return filter(n, conjuncts)
}

// filter puts a Filter over n unless there is nothing to filter by. Guards get
// one of their own, below.
func filter(n plan.Node, conjuncts []expr.Expr) plan.Node {
	conjuncts, _ = partition(unique(conjuncts), func(e expr.Expr) bool { return !isTrue(e) })
	if len(conjuncts) == 0 {
		return n
	}
	guards, rest := partition(conjuncts, guards)
	if len(guards) > 0 && len(rest) > 0 {
		n, conjuncts = &plan.Filter{Input: n, Predicate: and(guards)}, rest
	}
	return &plan.Filter{Input: n, Predicate: and(conjuncts)}
}

// guards reports whether e is there to fail, as the check that a scalar
// subquery has one row: it sees all rows, before other conditions drop some.
func guards(e expr.Expr) bool {
	found := false
	expr.Walk(e, func(e expr.Expr) bool {
		c, ok := e.(*expr.Call)
		found = found || ok && c.Fn.Name == "fail"
		return !found
	})
	return found
}

// and joins conjuncts, of which there is at least one.
func and(conjuncts []expr.Expr) expr.Expr {
	if len(conjuncts) == 1 {
		return conjuncts[0]
	}
	return &expr.Form{Op: expr.And, Args: conjuncts, Typ: boolean}
}

// pushBelow pushes those conjuncts below a one-input node that refer to
// nothing but the given columns; the others stay above it.
func (o *Optimizer) pushBelow(n plan.Node, conjuncts []expr.Expr, cols []plan.Column) plan.Node {
	below, above := partition(conjuncts, func(e expr.Expr) bool {
		return !volatile(e) && refersOnly(e, cols) && hasColumns(e)
	})
	return filter(n.WithInputs([]plan.Node{o.push(n.Inputs()[0], below)}), above)
}

func (o *Optimizer) pushProject(n *plan.Project, conjuncts []expr.Expr) plan.Node {
	computed := make(map[expr.ColumnID]expr.Expr, len(n.Cols))
	fixed := true
	for _, a := range n.Cols {
		computed[a.Column.ID] = a.Expr
		fixed = fixed && !volatile(a.Expr)
	}
	if !fixed {
		return filter(n.WithInputs([]plan.Node{o.push(n.Input, nil)}), conjuncts)
	}
	above, conjuncts := partition(conjuncts, func(e expr.Expr) bool { return hides(e, computed) })
	below := make([]expr.Expr, len(conjuncts))
	for i, c := range conjuncts {
		below[i] = expr.Substitute(c, computed)
	}
	return filter(n.WithInputs([]plan.Node{o.push(n.Input, below)}), above)
}

func (o *Optimizer) pushUnion(n *plan.Union, conjuncts []expr.Expr) plan.Node {
	in := make([]plan.Node, len(n.In))
	for i, x := range n.In {
		m := make(map[expr.ColumnID]expr.Expr, len(n.Columns))
		for j, c := range n.Columns {
			m[c.ID] = n.Sources[i][j].Ref()
		}
		below := make([]expr.Expr, len(conjuncts))
		for j, c := range conjuncts {
			below[j] = expr.Substitute(c, m)
		}
		in[i] = o.push(x, below)
	}
	return n.WithInputs(in)
}

// partition splits a list by a test, keeping the order.
func partition[T any](list []T, test func(T) bool) (yes, no []T) {
	for _, x := range list {
		if test(x) {
			yes = append(yes, x)
		} else {
			no = append(no, x)
		}
	}
	return yes, no
}

// refersOnly reports whether all of e's columns are among cols.
func refersOnly(e expr.Expr, cols []plan.Column) bool {
	only := true
	expr.Columns(e, func(c *expr.Column) { only = only && has(cols, c.ID) })
	return only
}

func hasColumns(e expr.Expr) bool {
	any := false
	expr.Columns(e, func(*expr.Column) { any = true })
	return any
}

func has(cols []plan.Column, id expr.ColumnID) bool {
	for _, c := range cols {
		if c.ID == id {
			return true
		}
	}
	return false
}

func volatile(e expr.Expr) bool {
	found := false
	expr.Walk(e, func(e expr.Expr) bool {
		if c, ok := e.(*expr.Call); ok && c.Fn.Volatile {
			found = true
		}
		return !found
	})
	return found
}

// rejectsNulls reports whether e is certainly not true when all of cols are null.
func rejectsNulls(e expr.Expr, cols []plan.Column) bool {
	f, ok := e.(*expr.Form)
	if !ok {
		return nullFor(e, cols)
	}
	switch f.Op {
	case expr.And:
		return anyOf(f.Args, func(a expr.Expr) bool { return rejectsNulls(a, cols) })
	case expr.Or:
		return !anyOf(f.Args, func(a expr.Expr) bool { return !rejectsNulls(a, cols) })
	case expr.Not:
		if inner, ok := f.Args[0].(*expr.Form); ok && inner.Op == expr.IsNull {
			return nullFor(inner.Args[0], cols)
		}
	}
	return nullFor(e, cols)
}

// nullFor reports whether e is certainly null when all of cols are.
func nullFor(e expr.Expr, cols []plan.Column) bool {
	null := func(a expr.Expr) bool { return nullFor(a, cols) }
	switch e := e.(type) {
	case *expr.Column:
		return has(cols, e.ID)
	case *expr.Const:
		return e.Value == nil
	case *expr.Cast:
		return null(e.Arg)
	case *expr.Call:
		return e.Fn.Nulls == function.NullIfAnyNull && anyOf(e.Args, null)
	case *expr.Form:
		switch e.Op {
		case expr.Not, expr.In, expr.Field:
			return null(e.Args[0])
		case expr.And, expr.Or:
			return !anyOf(e.Args, func(a expr.Expr) bool { return !null(a) })
		}
	}
	return false
}

func anyOf(list []expr.Expr, test func(expr.Expr) bool) bool {
	for _, e := range list {
		if test(e) {
			return true
		}
	}
	return false
}
