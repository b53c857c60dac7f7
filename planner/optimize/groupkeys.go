package optimize

import (
	"slices"

	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// dropGroupKeys groups by fewer columns where some of the keys determine the
// others (see dependency): what decorrelation numbers and groups by all its
// columns, groups joined to others, columns equal to constants. The others are
// carried along as some value of their group, of which there is one, or
// computed once a group.
//
// It runs after dynamic filters have been placed, for they pass through keys.
func (o *Optimizer) dropGroupKeys(root plan.Node) (plan.Node, error) {
	return plan.Transform(root, func(n plan.Node) plan.Node {
		switch n := n.(type) {
		case *plan.Aggregate:
			return o.fewerKeys(n)
		case *plan.MarkDistinct:
			c := *n
			c.Keys = decisive(n.Input, n.Keys)
			return &c
		case *plan.RowNumber:
			c := *n
			c.Partition = decisive(n.Input, n.Partition)
			return &c
		}
		return n
	}), nil
}

// fewerKeys carries the keys that others determine as aggregates.
func (o *Optimizer) fewerKeys(n *plan.Aggregate) plan.Node {
	keys := decisive(n.Input, n.Keys)
	if len(keys) == len(n.Keys) || n.Step != plan.Single {
		return n
	}
	out := &plan.Aggregate{Base: n.Base, Input: n.Input, Keys: keys, Aggs: slices.Clone(n.Aggs)}
	top := &plan.Project{Input: out}
	for _, k := range n.Keys {
		if has(keys, k.ID) {
			top.Cols = append(top.Cols, plan.Assignment{Column: k, Expr: k.Ref()})
			continue
		}
		if e := computedFrom(n.Input, k, keys); e != nil {
			top.Cols = append(top.Cols, plan.Assignment{Column: k, Expr: e})
			continue
		}
		fn, err := function.ResolveAggregate("arbitrary", []types.Type{k.Type})
		if err != nil {
			return n
		}
		c := o.newColumn(k.Name, k.Type)
		out.Aggs = append(out.Aggs, plan.Agg{Column: c, Call: &expr.Aggregate{Fn: fn, Args: []expr.Expr{k.Ref()}}})
		top.Cols = append(top.Cols, plan.Assignment{Column: k, Expr: c.Ref()})
	}
	for _, a := range n.Aggs {
		top.Cols = append(top.Cols, plan.Assignment{Column: a.Column, Expr: a.Column.Ref()})
	}
	return top
}

// computedFrom returns the expression that computes k, if it needs nothing but
// keys, which pass through the projection that computes it.
func computedFrom(in plan.Node, k plan.Column, keys []plan.Column) expr.Expr {
	p, ok := in.(*plan.Project)
	if !ok {
		return nil
	}
	var found expr.Expr
	passed := []plan.Column{}
	for _, a := range p.Cols {
		c, plain := a.Expr.(*expr.Column)
		switch {
		case a.Column.ID == k.ID:
			found = a.Expr
		case plain && c.ID == a.Column.ID && has(keys, c.ID) && identical(c.Typ):
			passed = append(passed, a.Column)
		}
	}
	if found == nil || volatile(found) || !refersOnly(found, passed) {
		return nil
	}
	return found
}

// decisive returns as few of the keys as determine all of them, at least one.
// Texts and other wide columns go first. Narrow ones by which a join below
// may have brought rows together stay: rows need not move again then.
func decisive(in plan.Node, keys []plan.Column) []plan.Column {
	if len(keys) < 2 {
		return keys
	}
	deps := dependencies(in)
	if len(deps) == 0 {
		return keys
	}
	order := slices.Clone(keys)
	joined := joinKeys(in)
	slices.SortStableFunc(order, func(a, b plan.Column) int { return dropFirst(b) - dropFirst(a) })
	kept := slices.Clone(keys)
	for _, k := range order {
		if dropFirst(k) == 0 && joined[k.ID] {
			continue
		}
		rest := slices.DeleteFunc(slices.Clone(kept), func(c plan.Column) bool { return c.ID == k.ID })
		if len(rest) == 0 {
			break
		}
		// Rows of a group have equal keys, not always identical ones.
		sure, _ := partition(rest, func(c plan.Column) bool { return identical(c.Type) })
		if closure(columnSet{}.with(sure...), deps)[k.ID] {
			kept = rest
		}
	}
	return kept
}

// dropFirst is larger for columns that cost more as keys.
func dropFirst(c plan.Column) int {
	switch {
	case c.Type.IsNested():
		return 2
	case c.Type.IsString() || c.Type.Kind == types.Varbinary:
		return 1
	}
	return 0
}

// joinKeys are the keys of the joins below n, down to the next grouping.
func joinKeys(n plan.Node) columnSet {
	out := columnSet{}
	plan.Walk(n, func(n plan.Node) bool {
		if j, ok := n.(*plan.Join); ok {
			for _, k := range j.Keys {
				out[k.Left.ID], out[k.Right.ID] = true, true
			}
		}
		_, grouped := n.(*plan.Aggregate)
		return !grouped
	})
	return out
}
