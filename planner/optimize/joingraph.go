package optimize

import (
	"math"
	"math/bits"

	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/planner/stats"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
)

// leafSet is a set of a graph's leaves, one bit each.
type leafSet uint64

func (s leafSet) has(i int) bool           { return s&(1<<i) != 0 }
func (s leafSet) within(all leafSet) bool  { return s&^all == 0 }
func (s leafSet) meets(other leafSet) bool { return s&other != 0 }
func (s leafSet) count() int               { return bits.OnesCount64(uint64(s)) }
func (s leafSet) first() int               { return bits.TrailingZeros64(uint64(s)) }

// maxLeaves is the most leaves that a graph has, as many as a leafSet can hold;
// trees of more are split.
const maxLeaves = 62

// joinGraph is a tree of inner joins taken apart: the leaves, which may come
// in any order, and what holds between them.
type joinGraph struct {
	leaves     []plan.Node
	equalities []plan.EquiKey
	conjuncts  []expr.Expr
	// existence are the semi and anti joins met on the way, innermost first:
	// they filter, wherever their left columns are at hand.
	existence []*plan.Join

	// What follows is filled in by analyze.
	stats   []*stats.Stats
	classes []keyClass
	preds   []predicate
	multi   []correction
	cards   map[leafSet]float64
}

// keyClass is a set of columns that are all equal, at most one of each leaf.
type keyClass struct {
	members leafSet
	column  map[int]plan.Column // by leaf
	domain  float64
}

// predicate is a condition over several leaves that is no equality of columns.
type predicate struct {
	cond        expr.Expr
	leaves      leafSet
	selectivity float64
}

// correction makes up for two leaves that share several classes: such keys
// are anything but independent.
type correction struct {
	leaves leafSet
	factor float64
}

// joins reports whether n is, or passes through, an inner join.
func joins(n plan.Node) bool {
	switch n := n.(type) {
	case *plan.Join:
		switch n.Kind {
		case plan.InnerJoin:
			return n.Filter == nil || !volatile(n.Filter)
		case plan.SemiJoin, plan.AntiJoin, plan.NullAwareAntiJoin:
			return (n.Filter == nil || !volatile(n.Filter)) && joins(n.Left)
		}
	case *plan.Filter:
		return !volatile(n.Predicate) && joins(n.Input)
	case *plan.Project:
		return joins(n.Input)
	}
	return false
}

// flatten adds the parts of n to the graph, as at most room leaves: what is
// deeper in a tree of more stays together as one of them. leaf makes a leaf of
// what is no part of the tree of joins.
func (g *joinGraph) flatten(n plan.Node, room int, leaf func(plan.Node) plan.Node) {
	if joins(n) && room > 1 {
		switch n := n.(type) {
		case *plan.Filter:
			g.conjuncts = append(g.conjuncts, expr.Conjuncts(n.Predicate)...)
			g.flatten(n.Input, room, leaf)
			return
		case *plan.Project:
			if g.flattenProject(n, room, leaf) {
				return
			}
		case *plan.Join:
			g.flattenJoin(n, room, leaf)
			return
		}
	}
	g.leaves = append(g.leaves, leaf(n))
}

// flattenJoin leaves room for the right side first: trees grow to the left.
func (g *joinGraph) flattenJoin(n *plan.Join, room int, leaf func(plan.Node) plan.Node) {
	if n.Kind != plan.InnerJoin {
		g.flatten(n.Left, room, leaf)
		c := *n
		c.Right = leaf(n.Right)
		g.existence = append(g.existence, &c)
		return
	}
	right := width(n.Right, room-1)
	g.flatten(n.Left, room-right, leaf)
	g.flatten(n.Right, right, leaf)
	g.equalities = append(g.equalities, n.Keys...)
	g.conjuncts = append(g.conjuncts, expr.Conjuncts(n.Filter)...)
}

// width is the number of leaves that flatten would find, at most limit.
func width(n plan.Node, limit int) int {
	if limit <= 1 || !joins(n) {
		return 1
	}
	switch n := n.(type) {
	case *plan.Filter:
		return width(n.Input, limit)
	case *plan.Project:
		return width(n.Input, limit)
	case *plan.Join:
		if n.Kind != plan.InnerJoin {
			return width(n.Left, limit)
		}
		right := width(n.Right, limit-1)
		return right + width(n.Left, limit-right)
	}
	return 1
}

// flattenProject goes through a projection if each computed column can be
// computed by one leaf; it changes nothing and is false if not.
func (g *joinGraph) flattenProject(n *plan.Project, room int, leaf func(plan.Node) plan.Node) bool {
	var computed []plan.Assignment
	for _, a := range n.Cols {
		if c, ok := a.Expr.(*expr.Column); ok && c.ID == a.Column.ID {
			continue
		}
		if volatile(a.Expr) || !hasColumns(a.Expr) {
			return false
		}
		computed = append(computed, a)
	}
	sub := &joinGraph{}
	sub.flatten(n.Input, room, leaf)
	add := make([][]plan.Assignment, len(sub.leaves))
	for _, a := range computed {
		at := sub.leavesOf(a.Expr)
		if at.count() != 1 {
			return false
		}
		add[at.first()] = append(add[at.first()], a)
	}
	for i, l := range sub.leaves {
		g.leaves = append(g.leaves, withColumns(l, add[i]))
	}
	g.equalities = append(g.equalities, sub.equalities...)
	g.conjuncts = append(g.conjuncts, sub.conjuncts...)
	g.existence = append(g.existence, sub.existence...)
	return true
}

// leavesOf is the set of leaves that an expression refers to.
func (g *joinGraph) leavesOf(e expr.Expr) (s leafSet) {
	expr.Columns(e, func(c *expr.Column) {
		if i := g.leafOf(c.ID); i >= 0 {
			s |= 1 << i
		}
	})
	return s
}

func (g *joinGraph) leafOf(id expr.ColumnID) int {
	for i, l := range g.leaves {
		if has(l.Outputs(), id) {
			return i
		}
	}
	return -1
}

// analyze groups the equalities into classes, hands conditions on one leaf to
// it, and gathers what the cardinality of any subset needs.
func (g *joinGraph) analyze(est *stats.Estimator) {
	g.classify()
	var rest []expr.Expr
	local := make([][]expr.Expr, len(g.leaves))
	for _, e := range g.conjuncts {
		if at := g.leavesOf(e); at.count() == 1 {
			local[at.first()] = append(local[at.first()], e)
		} else {
			rest = append(rest, e)
		}
	}
	g.spread(local)
	all := &stats.Stats{Columns: map[expr.ColumnID]stats.Column{}}
	for i := range g.leaves {
		g.leaves[i] = filter(g.leaves[i], local[i])
		st := est.Of(g.leaves[i])
		g.stats = append(g.stats, st)
		for id, c := range st.Columns {
			all.Columns[id] = c
		}
	}
	for i := range g.classes {
		g.classes[i].domain = g.domain(&g.classes[i])
	}
	for _, e := range rest {
		g.preds = append(g.preds, predicate{e, g.leavesOf(e), stats.Selectivity(all, []expr.Expr{e})})
	}
	g.correct()
	g.cards = map[leafSet]float64{}
}

// spread copies conditions on one column of a class to the other leaves of the
// class: their columns are equal to it.
func (g *joinGraph) spread(local [][]expr.Expr) {
	const any = expr.ColumnID(-1) // stands for the class
	for _, c := range g.classes {
		var about []expr.Expr
		have := make([]map[string]bool, len(g.leaves))
		for i := range g.leaves {
			col, ok := c.column[i]
			if !ok {
				continue
			}
			have[i] = map[string]bool{}
			for _, e := range append(leafConditions(g.leaves[i]), local[i]...) {
				if !hasColumns(e) || !refersOnly(e, []plan.Column{col}) || volatile(e) || mayFail(e) {
					continue
				}
				e = expr.Substitute(e, map[expr.ColumnID]expr.Expr{col.ID: &expr.Column{ID: any, Typ: col.Type}})
				have[i][e.String()] = true
				about = append(about, e)
			}
		}
		for i := range g.leaves {
			col, ok := c.column[i]
			for _, e := range unique(about) {
				if ok && !have[i][e.String()] {
					local[i] = append(local[i], expr.Substitute(e, map[expr.ColumnID]expr.Expr{any: col.Ref()}))
				}
			}
		}
	}
}

// leafConditions are the conditions right above a leaf's scan.
func leafConditions(n plan.Node) []expr.Expr {
	if f, ok := n.(*plan.Filter); ok {
		return expr.Conjuncts(f.Predicate)
	}
	return nil
}

// classify makes classes of the equalities. Two columns of one leaf in the
// same class become a condition on that leaf.
func (g *joinGraph) classify() {
	parent := map[expr.ColumnID]expr.ColumnID{}
	columns := map[expr.ColumnID]plan.Column{}
	var order []expr.ColumnID
	find := func(id expr.ColumnID) expr.ColumnID {
		for parent[id] != id {
			id = parent[id]
		}
		return id
	}
	for _, k := range g.equalities {
		for _, c := range []plan.Column{k.Left, k.Right} {
			if _, seen := parent[c.ID]; !seen {
				parent[c.ID], columns[c.ID] = c.ID, c
				order = append(order, c.ID)
			}
		}
		parent[find(k.Right.ID)] = find(k.Left.ID)
	}
	at := map[expr.ColumnID]int{}
	for _, id := range order {
		root := find(id)
		i, seen := at[root]
		if !seen {
			i, at[root] = len(g.classes), len(g.classes)
			g.classes = append(g.classes, keyClass{column: map[int]plan.Column{}})
		}
		g.join(&g.classes[i], columns[id])
	}
}

// join adds a column to a class.
func (g *joinGraph) join(c *keyClass, col plan.Column) {
	leaf := g.leafOf(col.ID)
	if other, taken := c.column[leaf]; taken {
		g.conjuncts = append(g.conjuncts, compare(function.OpEq, other.Ref(), col.Ref()))
		return
	}
	c.members |= 1 << leaf
	c.column[leaf] = col
}

// domain is the number of values that the class's columns are drawn from: that
// of a key, to which the others refer, or else the largest.
func (g *joinGraph) domain(c *keyClass) float64 {
	key, most, cut := math.Inf(1), 1.0, 1.0
	for i, col := range c.column {
		st := g.stats[i].Column(col)
		most, cut = max(most, st.Domain), min(cut, st.Cut)
		if st.Unique() {
			key = min(key, max(1, st.Domain))
		}
	}
	return max(1, min(key, most)*(1-cut))
}

// correct finds the pairs of leaves that share several classes.
func (g *joinGraph) correct() {
	for i := range g.leaves {
		for j := i + 1; j < len(g.leaves); j++ {
			var pairs []stats.Pair
			product := 1.0
			for _, c := range g.classes {
				if c.members.has(i) && c.members.has(j) {
					pairs = append(pairs, stats.Pair{Left: g.stats[i].Column(c.column[i]), Right: g.stats[j].Column(c.column[j])})
					product *= c.domain
				}
			}
			if len(pairs) > 1 {
				if d := stats.Domain(pairs); d < product {
					g.multi = append(g.multi, correction{1<<i | 1<<j, product / d})
				}
			}
		}
	}
}

// card estimates the rows of the join of a set of leaves. It depends on the
// set alone, not on the order of the joins.
func (g *joinGraph) card(s leafSet) float64 {
	if n, ok := g.cards[s]; ok {
		return n
	}
	n := 1.0
	for i, st := range g.stats {
		if s.has(i) {
			n *= st.Rows
		}
	}
	for _, c := range g.classes {
		for k := (c.members & s).count(); k > 1; k-- {
			n /= c.domain
		}
	}
	for _, p := range g.preds {
		if p.leaves.within(s) {
			n *= p.selectivity
		}
	}
	n *= g.corrections(s)
	g.cards[s] = max(n, 1e-3)
	return g.cards[s]
}

// corrections multiplies the factors of the pairs within s, of pairs that
// close a circle all but one.
func (g *joinGraph) corrections(s leafSet) float64 {
	factor := 1.0
	var groups []leafSet
	for _, m := range g.multi {
		if !m.leaves.within(s) {
			continue
		}
		merged, closed := m.leaves, false
		var rest []leafSet
		for _, have := range groups {
			switch {
			case m.leaves.within(have):
				closed = true
				rest = append(rest, have)
			case m.leaves.meets(have):
				merged |= have
			default:
				rest = append(rest, have)
			}
		}
		if !closed {
			factor *= m.factor
			rest = append(rest, merged)
		}
		groups = rest
	}
	return factor
}
