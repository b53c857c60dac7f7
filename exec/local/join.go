package local

import (
	"fmt"

	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/op"
	"github.com/tuttidb/tutti/planner/plan"
)

// join ends the right side's flow in a table and lengthens the left side's by
// probes of it.
func (b *builder) join(n *plan.Join) (*flow, error) {
	right, err := b.flow(n.Right)
	if err != nil {
		return nil, err
	}
	left, err := b.flow(n.Left)
	if err != nil {
		return nil, err
	}
	spec, err := joinSpec(n, left, right)
	if err != nil {
		return nil, err
	}
	var dynamic exec.DynamicFilters
	if b.task.Settings.DynamicFiltering {
		dynamic = b.task.Dynamic
	}
	build, probe := b.part(n, "HashJoin build"), b.part(n, "HashJoin")
	env := *probe.env
	env.Account = build.env.Account // the table outlives its builders
	j := op.NewJoin(&env, spec, dynamic, len(right.tops), len(left.tops))
	sinks := make([]exec.Sink, len(right.tops))
	for i := range sinks {
		sinks[i] = j.Build()
	}
	right.name = fmt.Sprintf("build join %d: %s", n.ID, right.name)
	b.end(right, build, sinks)
	return left, left.extend(probe, n.Outputs(), func(in exec.Operator) (exec.Operator, error) { return j.Probe(in) })
}

// joinSpec resolves a join's columns to positions.
func joinSpec(n *plan.Join, left, right *flow) (op.JoinSpec, error) {
	s := op.JoinSpec{
		Kind: n.Kind, Left: typesOf(left.cols), Right: typesOf(right.cols), NullAware: n.NullAware,
	}
	both := &flow{cols: append(append([]plan.Column{}, left.cols...), right.cols...)}
	var lk, rk, dk []plan.Column
	for _, k := range n.Keys {
		lk, rk = append(lk, k.Left), append(rk, k.Right)
	}
	for _, d := range n.Dynamic {
		dk = append(dk, d.Column)
	}
	var err error
	if s.Filter, err = renumber(n.Filter, both.cols); err != nil {
		return s, err
	}
	if s.LeftKeys, err = left.lookUp(lk); err != nil {
		return s, err
	}
	if s.RightKeys, err = right.lookUp(rk); err != nil {
		return s, err
	}
	at, err := right.lookUp(dk)
	if err != nil {
		return s, err
	}
	for i, d := range n.Dynamic {
		s.Dynamic = append(s.Dynamic, op.JoinFilter{ID: d.Filter, Column: at[i]})
	}
	if n.Kind == plan.MarkJoin {
		both.cols = append(both.cols, n.Mark)
	}
	s.Out, err = both.lookUp(n.Outputs())
	return s, err
}

// shared reads a fragment that several nodes read, through a spool that the
// first of them has made.
func (b *builder) shared(n *shared) (*flow, error) {
	p := b.part(n, "Spool")
	s := b.spools[n.fragment.ID]
	if s == nil {
		f, err := b.flow(n.fragment.Root)
		if err != nil {
			return nil, err
		}
		s = newSpool(p.env.Account, typesOf(f.cols), len(f.tops))
		sinks := make([]exec.Sink, len(f.tops))
		for i := range sinks {
			sinks[i] = s.sink()
		}
		b.end(f, p, sinks)
		if b.spools == nil {
			b.spools = map[plan.FragmentID]*spool{}
		}
		b.spools[n.fragment.ID] = s
	}
	r := s.reader(b.drivers())
	ops := make([]exec.Operator, b.drivers())
	for i := range ops {
		ops[i] = r.source()
	}
	return b.keep(b.source(p, "spool", ops, n.Outputs())), nil
}
