package local

import (
	"fmt"
	"slices"

	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
)

// shared reads the output of a fragment that several nodes read.
type shared struct {
	plan.Base
	fragment *plan.Fragment
}

// Inputs returns no nodes: the fragment is built on its own.
func (n *shared) Inputs() []plan.Node { return nil }

// WithInputs returns n.
func (n *shared) WithInputs([]plan.Node) plan.Node { return n }

// Outputs returns the fragment's columns.
func (n *shared) Outputs() []plan.Column { return n.fragment.Root.Outputs() }

// stitch puts a plan's fragments back into one tree: each node that reads
// another fragment's output is replaced by that fragment, or by a shared node
// where it is not the only reader.
func stitch(p *plan.Plan) (plan.Node, error) {
	s := &stitcher{plan: p, readers: make([]int, len(p.Fragments))}
	for _, f := range p.Fragments {
		plan.Walk(f.Root, func(n plan.Node) bool {
			if r, ok := n.(*plan.RemoteSource); ok {
				s.count(r)
			}
			return true
		})
	}
	if s.err != nil {
		return nil, s.err
	}
	return s.expand(p.Root().Root), s.err
}

type stitcher struct {
	plan    *plan.Plan
	readers []int // by fragment
	err     error
}

func (s *stitcher) count(r *plan.RemoteSource) {
	for _, id := range r.Fragments {
		if int(id) <= 0 || int(id) >= len(s.readers) {
			s.err = fmt.Errorf("node %d reads fragment %d of %d", r.ID, id, len(s.readers))
			return
		}
		s.readers[id]++
	}
}

func (s *stitcher) expand(n plan.Node) plan.Node {
	return plan.Transform(n, func(n plan.Node) plan.Node {
		switch n := n.(type) {
		case *plan.RemoteSource:
			return s.replace(n)
		case *plan.Aggregate:
			return oneStep(n)
		}
		return n
	})
}

// oneStep makes one aggregation of a final one and the partial one right
// below it: the exchange between them, for which there were two, is gone, and
// a single aggregation is as parallel.
func oneStep(final *plan.Aggregate) plan.Node {
	part, ok := final.Input.(*plan.Aggregate)
	if !ok || final.Step != plan.Final || part.Step != plan.Partial ||
		len(final.Aggs) != len(part.Aggs) || !slices.EqualFunc(final.Keys, part.Keys, sameColumn) {
		return final
	}
	one := *final
	one.Input, one.Step, one.Aggs = part.Input, plan.Single, slices.Clone(part.Aggs)
	for i := range one.Aggs {
		if !readsStates(final.Aggs[i], part.Aggs[i].State) {
			return final
		}
		one.Aggs[i].Column, one.Aggs[i].State = final.Aggs[i].Column, nil
	}
	return &one
}

// readsStates reports whether a final aggregate merges just these columns.
func readsStates(final plan.Agg, states []plan.Column) bool {
	return slices.EqualFunc(final.Call.Args, states, func(e expr.Expr, c plan.Column) bool {
		ref, ok := e.(*expr.Column)
		return ok && ref.ID == c.ID
	})
}

func (s *stitcher) replace(r *plan.RemoteSource) plan.Node {
	u := &plan.Union{Base: r.Base, Columns: r.Columns}
	for _, id := range r.Fragments {
		in := s.input(s.plan.Fragments[id], r)
		u.In = append(u.In, in)
		u.Sources = append(u.Sources, in.Outputs())
	}
	var n plan.Node = u
	if len(u.In) == 1 && slices.EqualFunc(u.Columns, u.Sources[0], sameColumn) {
		n = u.In[0]
	}
	if r.OrderBy == nil {
		return n
	}
	// The merge of streams that are each sorted is, here, one sort of all: if
	// the stream's own sort is at hand, that one does it.
	if part, ok := n.(*plan.Sort); ok && slices.EqualFunc(part.Keys, r.OrderBy, sameKey) {
		n = part.Input
	}
	return &plan.Sort{Base: r.Base, Input: n, Keys: r.OrderBy, Step: plan.Single}
}

func sameColumn(a, b plan.Column) bool { return a.ID == b.ID }

func sameKey(a, b plan.SortKey) bool {
	return a.Column.ID == b.Column.ID && a.Descending == b.Descending && a.NullsFirst == b.NullsFirst
}

// input returns what stands for a fragment's output.
func (s *stitcher) input(f *plan.Fragment, r *plan.RemoteSource) plan.Node {
	if s.readers[f.ID] > 1 {
		return &shared{Base: r.Base, fragment: &plan.Fragment{ID: f.ID, Root: s.expand(f.Root)}}
	}
	return s.expand(f.Root)
}
