package optimize

import (
	"math"

	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
)

// maxExhaustive is the number of leaves up to which all orders are weighed.
const maxExhaustive = 10

// reorderJoins takes trees of inner joins apart and puts them together in the
// order that costs least: all bushy trees without cross products by dynamic
// programming over subsets (Moerkotte and Neumann 2006, DPsub), above ten
// leaves greedily by the smallest result (Fegaras 1998, GOO). The smaller side
// of each join becomes the right one, from which the hash table is built.
// Outer joins stay where they are; semi and anti joins above inner ones go
// down to the leaf that they filter if that has no more rows than the result.
func (o *Optimizer) reorderJoins(root plan.Node) (plan.Node, error) {
	if !o.opts.ReorderJoins {
		return root, nil
	}
	return o.reorder(root), nil
}

// reorder starts a graph at the topmost join or filter: projections above it
// compute what they compute for the rows that are left.
func (o *Optimizer) reorder(n plan.Node) plan.Node {
	if _, above := n.(*plan.Project); !above && joins(n) {
		g := &joinGraph{}
		g.flatten(n, maxLeaves, o.reorderBelow)
		return o.assemble(g)
	}
	return o.reorderBelow(n)
}

// reorderBelow reorders the inputs of a node that is no part of a graph.
func (o *Optimizer) reorderBelow(n plan.Node) plan.Node {
	in := n.Inputs()
	if len(in) == 0 {
		return n
	}
	out, same := make([]plan.Node, len(in)), true
	for i, x := range in {
		out[i] = o.reorder(x)
		same = same && out[i] == x
	}
	if same {
		return n
	}
	return n.WithInputs(out)
}

// assemble makes the plan of a graph.
func (o *Optimizer) assemble(g *joinGraph) plan.Node {
	g.analyze(o.stats)
	all := leafSet(1)<<len(g.leaves) - 1
	o.placeExistence(g, all)
	tree := g.search(all)
	n := g.plan(tree)
	var above []expr.Expr
	for _, p := range g.preds {
		if p.leaves == 0 {
			above = append(above, p.cond)
		}
	}
	n = filter(n, above)
	for _, e := range g.existence {
		c := *e
		c.Left, c.Cols = n, nil
		n = &c
	}
	return n
}

// placeExistence moves semi and anti joins to leaves where that is cheaper
// than above all joins.
func (o *Optimizer) placeExistence(g *joinGraph, all leafSet) {
	var above []*plan.Join
	for _, e := range g.existence {
		at := g.existenceLeaves(e)
		if at.count() == 1 && g.stats[at.first()].Rows <= 1.5*g.card(all) {
			i := at.first()
			c := *e
			c.Left, c.Cols = g.leaves[i], nil
			g.leaves[i] = &c
			g.stats[i] = o.stats.Of(&c)
			clear(g.cards)
			continue
		}
		above = append(above, e)
	}
	g.existence = above
}

// existenceLeaves are the leaves whose columns a semi join compares.
func (g *joinGraph) existenceLeaves(e *plan.Join) (s leafSet) {
	for _, k := range e.Keys {
		s |= g.leavesOf(k.Left.Ref())
	}
	if e.Filter != nil {
		s |= g.leavesOf(e.Filter)
	}
	return s
}

// joinTree is an order of joins: a leaf, or two trees.
type joinTree struct {
	leaves      leafSet
	left, right *joinTree
	cost        float64
}

func leafTree(i int) *joinTree { return &joinTree{leaves: 1 << i} }

// search finds the cheapest tree.
func (g *joinGraph) search(all leafSet) *joinTree {
	if len(g.leaves) > maxExhaustive {
		return g.greedy()
	}
	best := map[leafSet]*joinTree{}
	for i := range g.leaves {
		best[1<<i] = leafTree(i)
	}
	for s := leafSet(1); s <= all; s++ {
		if s.count() < 2 {
			continue
		}
		low := s & -s
		for a := (s - 1) & s; a > 0; a = (a - 1) & s {
			if a&low == 0 || best[a] == nil || best[s&^a] == nil || !g.connected(a, s&^a) {
				continue
			}
			if t := g.combine(best[a], best[s&^a]); best[s] == nil || t.cost < best[s].cost {
				best[s] = t
			}
		}
	}
	if best[all] != nil {
		return best[all]
	}
	return g.cross(g.components(best, all))
}

// connected reports whether anything ties two sets: a class, a predicate over
// leaves of both alone, or that one has a single row anyway.
func (g *joinGraph) connected(a, b leafSet) bool {
	for _, c := range g.classes {
		if c.members.meets(a) && c.members.meets(b) {
			return true
		}
	}
	for _, p := range g.preds {
		if p.leaves.within(a|b) && p.leaves.meets(a) && p.leaves.meets(b) {
			return true
		}
	}
	return a.count() == 1 && g.oneRow(a.first()) || b.count() == 1 && g.oneRow(b.first())
}

// oneRow reports whether a leaf has one row at most, whatever its tables hold.
func (g *joinGraph) oneRow(i int) bool {
	n := g.leaves[i]
	for {
		switch x := n.(type) {
		case *plan.Project:
			n = x.Input
		case *plan.Filter:
			n = x.Input
		case *plan.Aggregate:
			return len(x.Keys) == 0
		case *plan.Values:
			return len(x.Rows) <= 1
		default:
			_, single := n.(*plan.SingleRow)
			return single
		}
	}
}

// combine joins two trees, the smaller one as the right side.
func (g *joinGraph) combine(a, b *joinTree) *joinTree {
	if g.card(a.leaves) < g.card(b.leaves) {
		a, b = b, a
	}
	s := a.leaves | b.leaves
	probe, build, out := g.card(a.leaves), g.card(b.leaves), g.card(s)
	cost := a.cost + b.cost + 0.5*probe + 1.5*build + out
	if !g.equal(a.leaves, b.leaves) {
		cost += probe * build
	}
	return &joinTree{leaves: s, left: a, right: b, cost: cost}
}

// equal reports whether a class gives the join of two sets a key.
func (g *joinGraph) equal(a, b leafSet) bool {
	for _, c := range g.classes {
		if c.members.meets(a) && c.members.meets(b) {
			return true
		}
	}
	return false
}

// greedy joins, again and again, the two trees with the smallest result.
func (g *joinGraph) greedy() *joinTree {
	var list []*joinTree
	for i := range g.leaves {
		list = append(list, leafTree(i))
	}
	for len(list) > 1 {
		x, y, least := 0, 1, math.Inf(1)
		for i := range list {
			for j := i + 1; j < len(list); j++ {
				n := g.card(list[i].leaves | list[j].leaves)
				if !g.connected(list[i].leaves, list[j].leaves) {
					n = math.MaxFloat64 * (1 - 1/(2+n)) // only if nothing else is left
				}
				if n < least {
					x, y, least = i, j, n
				}
			}
		}
		list[x] = g.combine(list[x], list[y])
		list = append(list[:y], list[y+1:]...)
	}
	return list[0]
}

// components are the largest trees found of a graph that is not connected.
func (g *joinGraph) components(best map[leafSet]*joinTree, all leafSet) (list []*joinTree) {
	for rest := all; rest != 0; {
		s := rest & -rest
		for grown := true; grown; {
			grown = false
			for i := range g.leaves {
				if rest.has(i) && !s.has(i) && g.connected(s, 1<<i) {
					s |= 1 << i
					grown = true
				}
			}
		}
		if best[s] == nil {
			s = rest & -rest
		}
		list = append(list, best[s])
		rest &^= s
	}
	return list
}

// cross joins trees that nothing ties, the smallest results first.
func (g *joinGraph) cross(list []*joinTree) *joinTree {
	for len(list) > 1 {
		x, y, least := 0, 1, math.Inf(1)
		for i := range list {
			for j := i + 1; j < len(list); j++ {
				if n := g.card(list[i].leaves | list[j].leaves); n < least {
					x, y, least = i, j, n
				}
			}
		}
		list[x] = g.combine(list[x], list[y])
		list = append(list[:y], list[y+1:]...)
	}
	return list[0]
}

// plan makes the joins of a tree.
func (g *joinGraph) plan(t *joinTree) plan.Node {
	if t.left == nil {
		return g.leaves[t.leaves.first()]
	}
	a, b := t.left.leaves, t.right.leaves
	j := &plan.Join{Kind: plan.InnerJoin, Left: g.plan(t.left), Right: g.plan(t.right)}
	for _, c := range g.classes {
		if l, r := c.members&a, c.members&b; l != 0 && r != 0 {
			j.Keys = append(j.Keys, plan.EquiKey{Left: c.column[l.first()], Right: c.column[r.first()]})
		}
	}
	var on []expr.Expr
	for _, p := range g.preds {
		if p.leaves.within(t.leaves) && p.leaves.meets(a) && p.leaves.meets(b) {
			on = append(on, p.cond)
		}
	}
	if len(on) > 0 {
		j.Filter = and(on)
	}
	return j
}
