package optimize

import "github.com/tuttidb/tutti/planner/plan"

// pushLimits makes a limit over a sort a TopN, and moves limits below what
// neither drops nor adds rows, down to the scans.
func (o *Optimizer) pushLimits(root plan.Node) (plan.Node, error) {
	return plan.Transform(root, func(n plan.Node) plan.Node {
		if l, ok := n.(*plan.Limit); ok && l.N >= 0 {
			return pushLimit(l)
		}
		return n
	}), nil
}

// pushLimit places one limit whose input has been placed already.
func pushLimit(l *plan.Limit) plan.Node {
	switch in := l.Input.(type) {
	case *plan.Sort:
		top := &plan.TopN{Base: l.Base, Input: in.Input, Keys: in.Keys, N: l.N + l.Offset}
		if l.Offset == 0 {
			return top
		}
		c := *l
		c.Input = top
		return &c
	case *plan.Project:
		below := *l
		below.Input = in.Input
		return in.WithInputs([]plan.Node{pushLimit(&below)})
	case *plan.Union:
		return limitUnion(l, in)
	case *plan.Scan:
		s := *in
		if s.Limit < 0 || s.Limit > l.N+l.Offset {
			s.Limit = l.N + l.Offset
		}
		c := *l
		c.Input = &s
		return &c
	}
	return l
}

// limitUnion limits each input too: none need give more than the whole.
func limitUnion(l *plan.Limit, u *plan.Union) plan.Node {
	in := make([]plan.Node, len(u.In))
	for i, x := range u.In {
		in[i] = pushLimit(&plan.Limit{Input: x, N: l.N + l.Offset, Step: plan.Partial})
	}
	c := *l
	c.Input = u.WithInputs(in)
	return &c
}
