package fragment

import (
	"slices"

	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/types"
)

// Rows reach a task in another order each time it runs. Most operators do not
// mind; but array_agg collects in that order, min_by and arbitrary choose by it,
// and sums of floating numbers round by it. Such a value is in doubt: another
// attempt may find another one, though in the same row. While each row has one
// reader this does no harm, as that one takes all of one attempt. It does where
//
//   - rows are hashed by a value in doubt: another attempt sends them elsewhere;
//   - several tasks, or several places of the plan, read the same rows: they may
//     have them of two attempts, and compare them;
//   - a dynamic filter is made of them: it may be of another attempt than the rows
//     that it is to let pass.
//
// These make a fragment indeterminate.

// doubts are what is in doubt in the fragments that are cut.
type doubts struct {
	columns map[expr.ColumnID]bool
	// rows are the fragments of which it is in doubt which rows they give.
	rows map[plan.FragmentID]bool
	// filter says that a join makes a dynamic filter of what is in doubt.
	filter bool
}

// doubtful reports whether a fragment that is cut, and what reads it, is
// indeterminate since its values are in doubt. shared says that several places
// of the plan read it.
func (c *cutter) doubtful(f *plan.Fragment, shared bool) bool {
	d := &c.doubts
	d.filter = false
	d.rows[f.ID] = d.of(f.Root)
	read := d.rows[f.ID] || d.any(f.Root.Outputs())
	return d.filter || d.any(f.Output.Keys) || read && (shared || f.Output.Kind == plan.Replicate)
}

// of looks through the tree below n and reports whether it is in doubt which
// rows n gives.
func (d *doubts) of(n plan.Node) bool {
	var in []bool
	for _, x := range n.Inputs() {
		in = append(in, d.of(x))
	}
	rows := slices.Contains(in, true)
	switch n := n.(type) {
	case *plan.RemoteSource:
		return slices.ContainsFunc(n.Fragments, func(id plan.FragmentID) bool { return d.rows[id] })
	case *plan.Filter:
		return rows || d.in(n.Predicate)
	case *plan.Project:
		for _, a := range n.Cols {
			d.add(d.in(a.Expr), a.Column)
		}
	case *plan.Aggregate:
		return d.aggregate(n, rows)
	case *plan.Join:
		return d.join(n, in[0], in[1])
	case *plan.Union:
		for _, from := range n.Sources {
			for i, c := range n.Columns {
				d.add(d.columns[from[i].ID], c)
			}
		}
	case *plan.SingleRow:
		d.add(rows, n.Outputs()...)
		return false
	case *plan.MarkDistinct:
		d.add(rows || d.any(n.Keys), n.Column)
	case *plan.Unnest:
		rows = rows || d.any(n.Exprs)
		for _, cols := range n.Columns {
			d.add(rows, cols...)
		}
	}
	return rows
}

// aggregate is of for an aggregation over rows that may be in doubt.
func (d *doubts) aggregate(n *plan.Aggregate, rows bool) bool {
	rows = rows || d.any(n.Keys)
	for _, a := range n.Aggs {
		doubt := rows || byOrder(a.Call) || slices.ContainsFunc(a.Call.Args, d.in) || a.Call.Filter != nil && d.in(a.Call.Filter)
		d.add(doubt, a.State...)
		if n.Step != plan.Partial {
			d.add(doubt, a.Column)
		}
	}
	return rows && len(n.Keys) > 0
}

// join is of for a join of sides that may be in doubt.
func (d *doubts) join(n *plan.Join, left, right bool) bool {
	match := n.Filter != nil && d.in(n.Filter)
	for _, k := range n.Keys {
		match = match || d.columns[k.Left.ID] || d.columns[k.Right.ID]
	}
	for _, f := range n.Dynamic {
		d.filter = d.filter || right || d.columns[f.Column.ID]
	}
	switch n.Kind {
	case plan.MarkJoin:
		d.add(right || match, n.Mark)
		return left
	case plan.LeftJoin, plan.FullJoin: // nulls or not
		d.add(right || match, n.Right.Outputs()...)
	}
	if n.Kind == plan.RightJoin || n.Kind == plan.FullJoin {
		d.add(left || match, n.Left.Outputs()...)
	}
	return left || right || match
}

// add notes that columns are in doubt.
func (d *doubts) add(doubt bool, cols ...plan.Column) {
	if doubt {
		for _, c := range cols {
			d.columns[c.ID] = true
		}
	}
}

// any reports whether any of the columns is in doubt.
func (d *doubts) any(cols []plan.Column) bool {
	return slices.ContainsFunc(cols, func(c plan.Column) bool { return d.columns[c.ID] })
}

// in reports whether an expression is of a column in doubt.
func (d *doubts) in(e expr.Expr) (found bool) {
	expr.Columns(e, func(c *expr.Column) { found = found || d.columns[c.ID] })
	return found
}

// byOrder reports whether an aggregate's result depends on the order of its
// rows.
func byOrder(call *expr.Aggregate) bool {
	switch fn := call.Fn; {
	case fn.Indistinct: // min, max: one of the values
		return false
	case fn.Ordered:
		return !ordersArg(call)
	case fn.Name == "min_by", fn.Name == "max_by", fn.Name == "arbitrary", fn.Name == "any_value":
		return true
	default:
		floating := func(t types.Type) bool { return t.Kind == types.Double || t.Kind == types.Real }
		return floating(fn.Result) || slices.ContainsFunc(fn.State, floating)
	}
}

// ordersArg reports whether the values themselves are among the keys that they
// are ordered by, so that only equal ones change places.
func ordersArg(call *expr.Aggregate) bool {
	return slices.ContainsFunc(call.OrderBy, func(k expr.SortKey) bool {
		key, ok := k.Expr.(*expr.Column)
		arg, isColumn := call.Args[0].(*expr.Column)
		return ok && isColumn && key.ID == arg.ID
	})
}
