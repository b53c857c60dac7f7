package fragment

import (
	"slices"

	"github.com/tuttidb/tutti/planner/plan"
)

// share places what several nodes read: once, behind an exchange of its own,
// whose output every reader takes. The exchange leaves the rows as they lie;
// a reader that needs them otherwise adds another one. Rows of the
// coordinator's own tables are at hand there and read each time.
func (b *builder) share(n *plan.Shared) placed {
	if p, done := b.shared[n.Class]; done {
		return p
	}
	in := b.place(n.Input)
	if in.at == coordinator {
		return in
	}
	e := &plan.Exchange{In: []plan.Node{in.node}, Kind: plan.RoundRobin}
	switch in.at {
	case oneTask:
		e.Kind = plan.Gather
	case hashed:
		e.Kind, e.Keys = plan.Hash, in.keys
	}
	p := in.with(&plan.Shared{Base: n.Base, Input: e, Class: n.Class})
	b.shared[n.Class] = p
	return p
}

// again reads the output of a class's fragment, which the first reader cuts.
func (c *cutter) again(n *plan.Shared, f *plan.Fragment) plan.Node {
	first, done := c.shared[n.Class]
	if !done {
		src := c.remote(n.Input.(*plan.Exchange), f).(*plan.RemoteSource)
		c.shared[n.Class] = src
		for _, id := range src.Fragments {
			producer := c.fragments[id]
			producer.Indeterminate = producer.Indeterminate || c.doubtful(producer, true)
		}
		return src
	}
	src := *first
	for _, id := range src.Fragments {
		if !slices.Contains(f.Inputs, id) {
			f.Inputs = append(f.Inputs, id)
		}
	}
	return &src
}

// ordered renumbers fragments so that each comes after all that read it.
func ordered(fragments []*plan.Fragment) []*plan.Fragment {
	var order []*plan.Fragment // producers first
	seen := make([]bool, len(fragments))
	var visit func(f *plan.Fragment)
	visit = func(f *plan.Fragment) {
		if seen[f.ID] {
			return
		}
		seen[f.ID] = true
		for _, in := range slices.Backward(f.Inputs) {
			visit(fragments[in])
		}
		order = append(order, f)
	}
	visit(fragments[0])
	slices.Reverse(order)
	now := make([]plan.FragmentID, len(fragments))
	for i, f := range order {
		now[f.ID] = plan.FragmentID(i)
	}
	for _, f := range order {
		f.ID = now[f.ID]
		renumber(f.Inputs, now)
		plan.Walk(f.Root, func(n plan.Node) bool {
			if r, ok := n.(*plan.RemoteSource); ok {
				r.Fragments = slices.Clone(r.Fragments)
				renumber(r.Fragments, now)
			}
			return true
		})
	}
	return order
}

func renumber(list []plan.FragmentID, now []plan.FragmentID) {
	for i, id := range list {
		list[i] = now[id]
	}
}
