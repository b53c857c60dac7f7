package optimize

import (
	"slices"

	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
)

// dynamicFilters ties the keys of joins' build sides to scans below their
// probe sides: once the build side is there, the scan skips what cannot match.
// A filter goes down wherever dropping rows of other keys early leaves the
// join's result as it is: through filters, projections of the column, keys of
// groupings, unions, and to both sides of an equality; not below a limit.
func (o *Optimizer) dynamicFilters(root plan.Node) (plan.Node, error) {
	if !o.opts.DynamicFilters {
		return root, nil
	}
	d := &dynamics{o: o}
	return d.feed(root, nil), nil
}

// wanted are the filters that may be applied to a node's columns.
type wanted map[expr.ColumnID][]plan.DynamicID

// dynamics gives out the numbers.
type dynamics struct {
	o    *Optimizer
	last plan.DynamicID
}

// feed returns n with the filters wanted of its columns placed.
func (d *dynamics) feed(n plan.Node, want wanted) plan.Node {
	switch n := n.(type) {
	case *plan.Scan:
		return feedScan(n, want)
	case *plan.Join:
		return d.feedJoin(n, want)
	case *plan.Union:
		in := make([]plan.Node, len(n.In))
		for i, x := range n.In {
			in[i] = d.feed(x, want.below(n, i))
		}
		return n.WithInputs(in)
	}
	in := n.Inputs()
	if len(in) != 1 {
		return n
	}
	return n.WithInputs([]plan.Node{d.feed(in[0], passing(n, want))})
}

// passing are the filters that pass down through a node with one input.
func passing(n plan.Node, want wanted) wanted {
	switch n := n.(type) {
	case *plan.Filter, *plan.Sort:
		return want
	case *plan.Project:
		below := wanted{}
		for _, a := range n.Cols {
			if c, ok := a.Expr.(*expr.Column); ok {
				below.add(c.ID, want[a.Column.ID])
			}
		}
		return below
	case *plan.Aggregate:
		return want.of(n.Keys)
	case *plan.RowNumber:
		return want.of(n.Partition)
	case *plan.MarkDistinct:
		return want.of(n.Keys)
	case *plan.Unnest:
		return want.of(n.Replicate)
	}
	return nil
}

func (w wanted) add(id expr.ColumnID, filters []plan.DynamicID) {
	for _, f := range filters {
		if !slices.Contains(w[id], f) {
			w[id] = append(w[id], f)
		}
	}
}

// below are the filters on the columns of a union's input.
func (w wanted) below(n *plan.Union, input int) wanted {
	out := wanted{}
	for j, c := range n.Columns {
		out.add(n.Sources[input][j].ID, w[c.ID])
	}
	return out
}

// of are the filters on the given columns.
func (w wanted) of(cols []plan.Column) wanted {
	out := wanted{}
	for _, c := range cols {
		out.add(c.ID, w[c.ID])
	}
	return out
}

func feedScan(n *plan.Scan, want wanted) plan.Node {
	c := *n
	c.Dynamic = nil
	if n.Limit >= 0 {
		return &c
	}
	for _, col := range n.Columns {
		for _, id := range want[col.ID] {
			c.Dynamic = append(c.Dynamic, plan.DynamicUse{Filter: id, Column: col.ID})
		}
	}
	return &c
}

// feedJoin passes filters to the sides and adds those of its own build side.
func (d *dynamics) feedJoin(n *plan.Join, want wanted) plan.Node {
	c := *n
	c.Dynamic = nil
	left, right := splitWanted(n, want)
	switch n.Kind {
	case plan.InnerJoin, plan.SemiJoin, plan.RightJoin:
		for _, k := range n.Keys {
			if !d.worthwhile(n, k) || !reachesScan(n.Left, wanted{k.Left.ID: {0}}) {
				continue
			}
			d.last++
			c.Dynamic = append(c.Dynamic, plan.DynamicSource{Filter: d.last, Column: k.Right})
			left.add(k.Left.ID, []plan.DynamicID{d.last})
		}
	}
	c.Left, c.Right = d.feed(n.Left, left), d.feed(n.Right, right)
	return &c
}

// splitWanted says which side of a join filters on its output go to. An
// equality carries them over to the other side.
func splitWanted(n *plan.Join, want wanted) (left, right wanted) {
	left, right = wanted{}, wanted{}
	toLeft := n.Kind != plan.RightJoin && n.Kind != plan.FullJoin
	toRight := n.Kind == plan.InnerJoin || n.Kind == plan.RightJoin
	for id, f := range want {
		if toLeft && has(n.Left.Outputs(), id) {
			left.add(id, f)
		}
		if toRight && has(n.Right.Outputs(), id) {
			right.add(id, f)
		}
	}
	if n.Kind == plan.NullAwareAntiJoin || n.Kind == plan.MarkJoin && n.NullAware {
		return left, right // any null or any row at all on the right matters
	}
	leftKeys, rightKeys := keyColumns(n)
	fromLeft, fromRight := left.of(leftKeys), right.of(rightKeys)
	for _, k := range n.Keys {
		if toLeft {
			right.add(k.Right.ID, fromLeft[k.Left.ID])
		}
		if toRight {
			left.add(k.Left.ID, fromRight[k.Right.ID])
		}
	}
	return left, right
}

// worthwhile reports whether the build side's keys are few enough of all that
// the probe side may have.
func (d *dynamics) worthwhile(n *plan.Join, k plan.EquiKey) bool {
	left, right := d.o.stats.Of(n.Left), d.o.stats.Of(n.Right)
	if !left.Known || !right.Known {
		return true
	}
	l, r := left.Column(k.Left), right.Column(k.Right)
	return r.Distinct < 0.8*max(l.Distinct, r.Domain)
}

// reachesScan reports whether any of the filters would get to a scan.
func reachesScan(n plan.Node, want wanted) bool {
	if len(want) == 0 {
		return false
	}
	switch n := n.(type) {
	case *plan.Scan:
		return n.Limit < 0 && len(want.of(n.Columns)) > 0
	case *plan.Join:
		left, right := splitWanted(n, want)
		return reachesScan(n.Left, left) || reachesScan(n.Right, right)
	case *plan.Union:
		for i, x := range n.In {
			if reachesScan(x, want.below(n, i)) {
				return true
			}
		}
		return false
	}
	in := n.Inputs()
	return len(in) == 1 && reachesScan(in[0], passing(n, want))
}

func keyColumns(n *plan.Join) (left, right []plan.Column) {
	for _, k := range n.Keys {
		left, right = append(left, k.Left), append(right, k.Right)
	}
	return left, right
}
