package optimize

import (
	"github.com/tuttidb/tutti/planner/plan"
)

// noteEstimates writes the estimates on copies of all nodes, for EXPLAIN and
// for whoever sizes what runs.
func (o *Optimizer) noteEstimates(root plan.Node) (plan.Node, error) { return o.noted(root), nil }

func (o *Optimizer) noted(n plan.Node) plan.Node {
	est := o.stats.Estimate(n)
	in := n.Inputs()
	out := make([]plan.Node, len(in))
	for i, x := range in {
		out[i] = o.noted(x)
	}
	n = copied(n, out)
	n.Common().Est = est
	return n
}

// copied is WithInputs that copies leaves, too.
func copied(n plan.Node, in []plan.Node) plan.Node {
	switch n := n.(type) {
	case *plan.Scan:
		c := *n
		return &c
	case *plan.Values:
		c := *n
		return &c
	}
	return n.WithInputs(in)
}
