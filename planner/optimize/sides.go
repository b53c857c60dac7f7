package optimize

import (
	"github.com/tuttidb/tutti/planner/plan"
)

// chooseSides makes the smaller side of each join the right one, where that
// only changes the join's kind, and decides how the sides meet in a cluster.
func (o *Optimizer) chooseSides(root plan.Node) (plan.Node, error) {
	return plan.Transform(root, func(n plan.Node) plan.Node {
		j, ok := n.(*plan.Join)
		if !ok {
			return n
		}
		c := *j
		if o.opts.ReorderJoins && len(j.Keys) > 0 {
			o.turnSides(&c)
		}
		c.Dist = o.distribution(&c)
		return &c
	}), nil
}

// turned is each kind of join with its sides exchanged.
var turned = map[plan.JoinKind]plan.JoinKind{
	plan.InnerJoin: plan.InnerJoin, plan.LeftJoin: plan.RightJoin, plan.RightJoin: plan.LeftJoin, plan.FullJoin: plan.FullJoin,
}

// turnSides exchanges the sides if the right one is clearly larger.
func (o *Optimizer) turnSides(j *plan.Join) {
	kind, ok := turned[j.Kind]
	if !ok || o.stats.Of(j.Right).Rows <= 1.2*o.stats.Of(j.Left).Rows {
		return
	}
	if j.Cols == nil {
		j.Cols = j.Outputs()
	}
	keys := make([]plan.EquiKey, len(j.Keys))
	for i, k := range j.Keys {
		keys[i] = plan.EquiKey{Left: k.Right, Right: k.Left}
	}
	j.Kind, j.Left, j.Right, j.Keys = kind, j.Right, j.Left, keys
}

// defaultBroadcastLimit is the size in bytes up to which a side is broadcast
// if the session does not say.
const defaultBroadcastLimit = 100 << 20

// distribution weighs what crosses the network: the right side once a task,
// or both sides once. What a hash table of a broadcast side takes in every
// task's memory is bounded by the limit.
func (o *Optimizer) distribution(j *plan.Join) plan.Distribution {
	if len(j.Keys) == 0 {
		return plan.Broadcast
	}
	if j.Kind == plan.RightJoin || j.Kind == plan.FullJoin {
		return plan.Partitioned
	}
	switch o.opts.Distribution {
	case "BROADCAST":
		return plan.Broadcast
	case "PARTITIONED":
		return plan.Partitioned
	}
	left, right := o.stats.Of(j.Left), o.stats.Of(j.Right)
	limit := o.opts.BroadcastLimit
	if limit <= 0 {
		limit = defaultBroadcastLimit
	}
	build := right.Bytes(needed(j, j.Right))
	if !right.Known || build > limit {
		return plan.Partitioned
	}
	if build*float64(max(1, o.opts.Tasks)) > left.Bytes(needed(j, j.Left))+build {
		return plan.Partitioned
	}
	return plan.Broadcast
}

// needed are the columns of one side that the join compares or passes on.
func needed(j *plan.Join, side plan.Node) []plan.Column {
	need := columnSet{}.with(j.Outputs()...).withExpr(j.Filter)
	for _, k := range j.Keys {
		need = need.with(k.Left, k.Right)
	}
	return need.among(side.Outputs())
}
