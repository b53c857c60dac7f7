package stats

import (
	"maps"

	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
)

// Pair is an equality between a column of one side and one of another.
type Pair struct{ Left, Right Column }

// Domain returns the number of combinations of values that equal keys of two
// sides are drawn from: one over it is the selectivity of the equality. If a
// side's keys are unique, the other side refers to them, so it is their
// number; otherwise the larger number of the two.
func Domain(pairs []Pair) float64 {
	left, right := make([]Column, len(pairs)), make([]Column, len(pairs))
	out, uncut := 1.0, 1.0
	for i, p := range pairs {
		left[i], right[i] = p.Left, p.Right
		out = max(out, single(p))
		uncut *= 1 - min(p.Left.Cut, p.Right.Cut)
	}
	if len(pairs) > 1 {
		out = max(out, min(composite(left), composite(right)))
	}
	return max(1, out*uncut)
}

func single(p Pair) float64 {
	l, r := p.Left, p.Right
	switch {
	case l.Unique() && r.Unique():
		return max(1, min(l.Domain, r.Domain))
	case l.Unique():
		return max(1, l.Domain)
	case r.Unique():
		return max(1, r.Domain)
	}
	return max(1, l.Domain, r.Domain)
}

// Unique reports whether the column is (nearly) a key of its table.
func (c Column) Unique() bool { return c.sourceRows > 0 && c.Domain >= 0.9*c.sourceRows }

// composite is the number of combinations of several columns in their tables.
func composite(cols []Column) float64 {
	product, size := map[int]float64{}, map[int]float64{}
	out := 1.0
	for _, c := range cols {
		if c.source == 0 {
			out *= max(1, c.Domain)
			continue
		}
		if size[c.source] == 0 {
			product[c.source] = 1
		}
		product[c.source] *= max(1, c.Domain)
		size[c.source] = max(1, c.sourceRows)
	}
	for s, p := range product {
		out *= min(p, size[s])
	}
	return out
}

func join(n *plan.Join, left, right *Stats) *Stats {
	out := &Stats{Known: left.Known && right.Known, Columns: maps.Clone(left.Columns)}
	both := &Stats{Columns: maps.Clone(left.Columns)}
	maps.Copy(both.Columns, right.Columns)
	pairs := make([]Pair, len(n.Keys))
	for i, k := range n.Keys {
		pairs[i] = Pair{left.Column(k.Left), right.Column(k.Right)}
	}
	switch n.Kind {
	case plan.SemiJoin, plan.AntiJoin, plan.NullAwareAntiJoin:
		return existence(n, left, right, both, pairs)
	case plan.MarkJoin:
		out.Rows = left.Rows
		return out
	}
	inner := left.Rows * right.Rows
	if len(pairs) > 0 {
		inner /= Domain(pairs)
	}
	both.Rows = inner
	if n.Filter != nil {
		inner *= Selectivity(both, expr.Conjuncts(n.Filter))
	}
	out.Rows = kept(n.Kind, inner, left.Rows, right.Rows)
	out.Columns = joined(n, left, right, out.Rows)
	if n.Kind == plan.LeftJoin || n.Kind == plan.FullJoin {
		fill(out, right, 1-Matching(pairs, left, right))
	}
	if n.Kind == plan.RightJoin || n.Kind == plan.FullJoin {
		for i, p := range pairs {
			pairs[i] = Pair{p.Right, p.Left}
		}
		fill(out, left, 1-Matching(pairs, right, left))
	}
	return out
}

// fill gives the columns of a side the nulls that an outer join puts in its
// place, in that fraction of the rows.
func fill(out, side *Stats, fraction float64) {
	for id := range side.Columns {
		c := out.Columns[id]
		c.Nulls = max(c.Nulls, fraction, 0.05)
		out.Columns[id] = c
	}
}

// kept adds the rows that outer joins keep.
func kept(kind plan.JoinKind, inner, left, right float64) float64 {
	switch kind {
	case plan.LeftJoin:
		return max(inner, left)
	case plan.RightJoin:
		return max(inner, right)
	case plan.FullJoin:
		return max(inner, left, right)
	}
	return max(inner, min(1, left, right))
}

// joined are the columns of both sides in an output of so many rows.
func joined(n *plan.Join, left, right *Stats, rows float64) map[expr.ColumnID]Column {
	out := make(map[expr.ColumnID]Column, len(left.Columns)+len(right.Columns))
	for id, c := range left.Columns {
		out[id] = thinned(c, left.Rows, rows)
	}
	for id, c := range right.Columns {
		out[id] = thinned(c, right.Rows, rows)
	}
	if n.Kind == plan.InnerJoin {
		for _, k := range n.Keys {
			l, r := left.Column(k.Left), right.Column(k.Right)
			d := max(1, min(l.Distinct, r.Distinct))
			for id, c := range map[expr.ColumnID]Column{k.Left.ID: l, k.Right.ID: r} {
				c.Distinct, c.Nulls = min(d, max(rows, 1)), 0
				out[id] = c
			}
		}
	}
	for id, c := range out {
		c.Distinct = min(c.Distinct, max(rows, 1))
		out[id] = c
	}
	return out
}

// residualMatch is how much of a semi join's matches a further condition is
// taken to leave: many right rows give it many chances.
const residualMatch = 0.9

// existence estimates joins that only ask whether there is a match.
func existence(n *plan.Join, left, right, both *Stats, pairs []Pair) *Stats {
	match := Matching(pairs, left, right)
	if len(pairs) == 0 && right.Rows < 1 {
		match = right.Rows
	}
	if n.Filter != nil {
		match *= residualMatch
	}
	if n.Kind != plan.SemiJoin {
		match = max(1-match, 0.05)
	}
	out := &Stats{Rows: left.Rows * match, Known: left.Known && right.Known, Columns: map[expr.ColumnID]Column{}}
	if match > 0 {
		out.Rows = max(out.Rows, min(left.Rows, 1))
	}
	for id, c := range left.Columns {
		out.Columns[id] = thinned(c, left.Rows, out.Rows)
	}
	return out
}

// Matching is the fraction of rows on the left whose keys appear on the right: each
// key says how many of its domain's values the right side still has.
func Matching(pairs []Pair, left, right *Stats) float64 {
	if len(pairs) == 0 {
		return 1
	}
	have := make([]Column, len(pairs))
	for i, p := range pairs {
		have[i] = p.Right
		have[i].Domain = p.Right.Distinct
	}
	present := min(composite(have), right.Rows)
	return min(1, present/Domain(pairs))
}
