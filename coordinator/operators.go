package coordinator

import (
	"github.com/tuttidb/tutti/planner/plan"
)

// Operators adds up the figures of a plan's operators, node by node, over all
// tasks that report them.
type Operators struct {
	plan  *plan.Plan
	order []operatorKey
	infos map[operatorKey]*OperatorInfo
	stage map[plan.NodeID]plan.FragmentID
}

type operatorKey struct {
	node plan.NodeID
	part string
}

// OperatorInfos starts from the figures given, if any.
func OperatorInfos(p *plan.Plan, start []OperatorInfo) *Operators {
	o := &Operators{plan: p, infos: map[operatorKey]*OperatorInfo{}, stage: map[plan.NodeID]plan.FragmentID{}}
	for _, f := range p.Fragments {
		plan.Walk(f.Root, func(n plan.Node) bool {
			o.describe(f.ID, n)
			return true
		})
	}
	for _, i := range start {
		o.Add(i)
	}
	return o
}

// describe notes a node of the plan, so that it shows before it has run.
func (o *Operators) describe(stage plan.FragmentID, n plan.Node) {
	base := n.Common()
	name, detail := plan.Describe(n)
	info := &OperatorInfo{Node: base.ID, Name: name, Detail: detail, Estimated: -1}
	if base.Est != nil {
		info.Estimated = base.Est.Rows
	}
	for _, in := range n.Inputs() {
		info.Parents = append(info.Parents, in.Common().ID)
	}
	o.stage[base.ID] = stage
	key := operatorKey{node: base.ID}
	o.order = append(o.order, key)
	o.infos[key] = info
}

// Add adds the figures of one operator of one task.
func (o *Operators) Add(f OperatorInfo) {
	base, known := o.infos[operatorKey{node: f.Node}]
	if !known {
		return
	}
	key := operatorKey{f.Node, f.Part}
	at := o.infos[key]
	if at == nil {
		if base.Part == "" {
			at = base // the node's first part takes its entry
		} else {
			at = &OperatorInfo{Node: f.Node, Name: base.Name, Detail: base.Detail, Estimated: -1}
			o.order = append(o.order, key)
		}
		at.Part = f.Part
		o.infos[key] = at
	}
	at.RowsIn += f.RowsIn
	at.RowsOut += f.RowsOut
	at.BytesOut += f.BytesOut
	at.Wall += f.Wall
	at.Blocked += f.Blocked
	at.PeakBytes += f.PeakBytes
	at.SpilledBytes += f.SpilledBytes
	at.PhysicalRows += f.PhysicalRows
	at.PhysicalBytes += f.PhysicalBytes
	at.Groups += f.Groups
	at.GroupsSkipped += f.GroupsSkipped
}

// Stages returns a stage for each fragment with its operators. All stages
// have the given state and the root the given figures, for executions that
// have no stages of their own.
func (o *Operators) Stages(state State, total Stats) []StageInfo {
	out := make([]StageInfo, len(o.plan.Fragments))
	for i, f := range o.plan.Fragments {
		out[i] = StageInfo{ID: f.ID, State: state, Spread: f.Spread.String(), Inputs: f.Inputs}
	}
	for _, key := range o.order {
		s := &out[o.stage[key.node]]
		s.Operators = append(s.Operators, *o.infos[key])
	}
	if len(out) > 0 {
		out[0].Stats = total
	}
	return out
}
