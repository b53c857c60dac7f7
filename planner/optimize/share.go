package optimize

import (
	"math"
	"slices"
	"strings"

	"github.com/tuttidb/tutti/planner/plan"
)

// Sharing pays where much is read to compute little that is kept.
const (
	// shareRows is the number of rows below which computing twice is cheap, if
	// the options do not say.
	shareRows = 100_000
	// shareBytes bounds what one process keeps for the slower reader.
	shareBytes = 64 << 20
)

// shareSubplans computes once what the plan holds several times, as a common
// table expression that is named twice: subtrees that are equal but for the
// numbers of their columns and for which columns they pass on (see unifier).
// Of such subtrees the largest are found first.
//
// It runs after dynamic filters are placed, and keeps its hands off subtrees
// into which every place sends filters of its own: each then reads less than
// the whole.
func (o *Optimizer) shareSubplans(root plan.Node) (plan.Node, error) {
	s := &sharer{o: o, signs: map[plan.Node]string{}}
	out := s.share(root)
	if s.classes > 0 {
		out = withoutUnusedFilters(out)
	}
	return out, nil
}

// sharer finds equal subtrees.
type sharer struct {
	o       *Optimizer
	classes int
	signs   map[plan.Node]string
}

// candidate is a subtree that may be shared, with its place in pre-order.
type candidate struct {
	node       plan.Node
	begin, end int
	sign       string
}

// share replaces equal subtrees below root.
func (s *sharer) share(root plan.Node) plan.Node {
	list := s.candidates(root)
	instead := map[plan.Node]plan.Node{}
	var taken []candidate
	free := func(c candidate) bool {
		return !slices.ContainsFunc(taken, func(t candidate) bool { return c.begin < t.end && t.begin < c.end })
	}
	for i, first := range list {
		if !free(first) {
			continue
		}
		class := []candidate{first}
		end := first.end
		for _, c := range list[i+1:] {
			if c.sign == first.sign && c.begin >= end && free(c) {
				if _, ok := unify(first.node, c.node); ok {
					class, end = append(class, c), c.end
				}
			}
		}
		if len(class) > 1 && s.replace(class, instead) {
			taken = append(taken, class...)
		}
	}
	return replaced(root, instead)
}

// candidates are the subtrees worth sharing, from the top down.
func (s *sharer) candidates(root plan.Node) (list []candidate) {
	at := 0
	var walk func(n plan.Node)
	walk = func(n plan.Node) {
		begin, i := at, -1
		at++
		if s.worthwhile(n) {
			i = len(list)
			list = append(list, candidate{node: n, begin: begin, sign: s.sign(n)})
		}
		for _, in := range n.Inputs() {
			walk(in)
		}
		if i >= 0 {
			list[i].end = at
		}
	}
	walk(root)
	return list
}

// worthwhile reports whether n is a kind of node that takes work, reads much
// and gives little.
func (s *sharer) worthwhile(n plan.Node) bool {
	switch n.(type) {
	case *plan.Aggregate, *plan.Join, *plan.TopN, *plan.Filter:
	default:
		return false
	}
	least := s.o.opts.ShareRows
	if least <= 0 {
		least = shareRows
	}
	read, work := 0.0, false
	plan.Walk(n, func(n plan.Node) bool {
		switch n := n.(type) {
		case *plan.Scan:
			if n.Table.Local {
				read = math.NaN()
			}
			read += s.o.stats.Of(n).Rows
		case *plan.Aggregate, *plan.Join, *plan.TopN:
			work = true
		}
		return true
	})
	out := s.o.stats.Of(n)
	return work && out.Known && read >= least && 2*out.Rows <= read && out.Bytes(n.Outputs()) <= shareBytes
}

// sign is equal for subtrees that may be: its root's kind and all its tables.
func (s *sharer) sign(n plan.Node) string {
	if sign, ok := s.signs[n]; ok {
		return sign
	}
	name, _ := plan.Describe(n)
	parts := []string{name}
	plan.Walk(n, func(n plan.Node) bool {
		if scan, ok := n.(*plan.Scan); ok {
			parts = append(parts, scan.Catalog+"."+scan.Table.Schema+"."+scan.Table.Name)
		}
		return true
	})
	slices.Sort(parts[1:])
	s.signs[n] = strings.Join(parts, " ")
	return s.signs[n]
}

// replace notes what stands instead of a class's members. It is false if each
// of them is filtered from outside.
func (s *sharer) replace(class []candidate, instead map[plan.Node]plan.Node) bool {
	whole := slices.IndexFunc(class, func(c candidate) bool { return !filteredFromOutside(c.node) })
	if whole < 0 {
		return false
	}
	all := class[whole].node
	names := make([]columnNames, len(class))
	for i, c := range class {
		if i == whole {
			continue
		}
		u, ok := unify(all, c.node)
		if !ok { // it was equal to the first member, and is to no other: a wider one
			return false
		}
		all, names[i] = u.node, u.names
	}
	s.classes++
	id := s.classes
	all = s.share(all)
	for i, c := range class {
		p := &plan.Project{Input: &plan.Shared{Input: all, Class: id}}
		for _, col := range c.node.Outputs() {
			p.Cols = append(p.Cols, plan.Assignment{Column: col, Expr: names[i].of(col).Ref()})
		}
		instead[c.node] = p
		if passesAll(p) {
			instead[c.node] = p.Input
		}
	}
	return true
}

// filteredFromOutside reports whether a scan below n uses a dynamic filter
// that no join below n makes.
func filteredFromOutside(n plan.Node) bool {
	made := map[plan.DynamicID]bool{}
	var used []plan.DynamicID
	plan.Walk(n, func(n plan.Node) bool {
		switch n := n.(type) {
		case *plan.Join:
			for _, d := range n.Dynamic {
				made[d.Filter] = true
			}
		case *plan.Scan:
			for _, d := range n.Dynamic {
				used = append(used, d.Filter)
			}
		}
		return true
	})
	return slices.ContainsFunc(used, func(id plan.DynamicID) bool { return !made[id] })
}

// replaced puts nodes in the place of others, from the top down.
func replaced(n plan.Node, instead map[plan.Node]plan.Node) plan.Node {
	if r, ok := instead[n]; ok {
		return r
	}
	in := n.Inputs()
	out, same := make([]plan.Node, len(in)), true
	for i, x := range in {
		out[i] = replaced(x, instead)
		same = same && out[i] == x
	}
	if same {
		return n
	}
	return n.WithInputs(out)
}

// withoutUnusedFilters drops from joins the dynamic filters that no scan uses.
func withoutUnusedFilters(root plan.Node) plan.Node {
	used := map[plan.DynamicID]bool{}
	plan.Walk(root, func(n plan.Node) bool {
		if scan, ok := n.(*plan.Scan); ok {
			for _, d := range scan.Dynamic {
				used[d.Filter] = true
			}
		}
		return true
	})
	done := map[int]plan.Node{}
	var drop func(n plan.Node) plan.Node
	drop = func(n plan.Node) plan.Node {
		if s, ok := n.(*plan.Shared); ok {
			if done[s.Class] == nil {
				done[s.Class] = drop(s.Input)
			}
			return s.WithInputs([]plan.Node{done[s.Class]})
		}
		in := n.Inputs()
		if len(in) == 0 {
			return n
		}
		out := make([]plan.Node, len(in))
		for i, x := range in {
			out[i] = drop(x)
		}
		n = n.WithInputs(out)
		if j, ok := n.(*plan.Join); ok {
			j.Dynamic = slices.DeleteFunc(slices.Clone(j.Dynamic), func(d plan.DynamicSource) bool { return !used[d.Filter] })
		}
		return n
	}
	return drop(root)
}
