package plan

import "slices"

func one(n Node) []Node { return []Node{n} }

// Inputs returns no nodes: scans are leaves.
func (n *Scan) Inputs() []Node { return nil }

// Inputs returns no nodes: values are leaves.
func (n *Values) Inputs() []Node { return nil }

// Inputs returns the nodes that feed this one.
func (n *Filter) Inputs() []Node { return one(n.Input) }

// Inputs returns the nodes that feed this one.
func (n *Project) Inputs() []Node { return one(n.Input) }

// Inputs returns the nodes that feed this one.
func (n *Aggregate) Inputs() []Node { return one(n.Input) }

// Inputs returns the probe side and the build side.
func (n *Join) Inputs() []Node { return []Node{n.Left, n.Right} }

// Inputs returns the nodes that feed this one.
func (n *Sort) Inputs() []Node { return one(n.Input) }

// Inputs returns the nodes that feed this one.
func (n *TopN) Inputs() []Node { return one(n.Input) }

// Inputs returns the nodes that feed this one.
func (n *Limit) Inputs() []Node { return one(n.Input) }

// Inputs returns the nodes that feed this one.
func (n *Union) Inputs() []Node { return n.In }

// Inputs returns the nodes that feed this one.
func (n *SingleRow) Inputs() []Node { return one(n.Input) }

// Inputs returns the nodes that feed this one.
func (n *UniqueID) Inputs() []Node { return one(n.Input) }

// Inputs returns the nodes that feed this one.
func (n *RowNumber) Inputs() []Node { return one(n.Input) }

// Inputs returns the nodes that feed this one.
func (n *MarkDistinct) Inputs() []Node { return one(n.Input) }

// Inputs returns the nodes that feed this one.
func (n *Unnest) Inputs() []Node { return one(n.Input) }

// Inputs returns the nodes that feed this one.
func (n *Output) Inputs() []Node { return one(n.Input) }

// Inputs returns the nodes that feed this one.
func (n *Write) Inputs() []Node { return one(n.Input) }

// Inputs returns the nodes that feed this one.
func (n *Shared) Inputs() []Node { return one(n.Input) }

// Inputs returns the exchange's producers.
func (n *Exchange) Inputs() []Node { return n.In }

// Inputs returns no nodes: other fragments feed a remote source.
func (n *RemoteSource) Inputs() []Node { return nil }

// WithInputs returns n.
func (n *Scan) WithInputs([]Node) Node { return n }

// WithInputs returns n.
func (n *Values) WithInputs([]Node) Node { return n }

// WithInputs returns n.
func (n *RemoteSource) WithInputs([]Node) Node { return n }

// WithInputs returns a copy over other inputs.
func (n *Filter) WithInputs(in []Node) Node { c := *n; c.Input = in[0]; return &c }

// WithInputs returns a copy over other inputs.
func (n *Project) WithInputs(in []Node) Node { c := *n; c.Input = in[0]; return &c }

// WithInputs returns a copy over other inputs.
func (n *Aggregate) WithInputs(in []Node) Node { c := *n; c.Input = in[0]; return &c }

// WithInputs returns a copy over other inputs.
func (n *Join) WithInputs(in []Node) Node { c := *n; c.Left, c.Right = in[0], in[1]; return &c }

// WithInputs returns a copy over other inputs.
func (n *Sort) WithInputs(in []Node) Node { c := *n; c.Input = in[0]; return &c }

// WithInputs returns a copy over other inputs.
func (n *TopN) WithInputs(in []Node) Node { c := *n; c.Input = in[0]; return &c }

// WithInputs returns a copy over other inputs.
func (n *Limit) WithInputs(in []Node) Node { c := *n; c.Input = in[0]; return &c }

// WithInputs returns a copy over other inputs.
func (n *Union) WithInputs(in []Node) Node { c := *n; c.In = in; return &c }

// WithInputs returns a copy over other inputs.
func (n *SingleRow) WithInputs(in []Node) Node { c := *n; c.Input = in[0]; return &c }

// WithInputs returns a copy over other inputs.
func (n *UniqueID) WithInputs(in []Node) Node { c := *n; c.Input = in[0]; return &c }

// WithInputs returns a copy over other inputs.
func (n *RowNumber) WithInputs(in []Node) Node { c := *n; c.Input = in[0]; return &c }

// WithInputs returns a copy over other inputs.
func (n *MarkDistinct) WithInputs(in []Node) Node { c := *n; c.Input = in[0]; return &c }

// WithInputs returns a copy over other inputs.
func (n *Unnest) WithInputs(in []Node) Node { c := *n; c.Input = in[0]; return &c }

// WithInputs returns a copy over other inputs.
func (n *Output) WithInputs(in []Node) Node { c := *n; c.Input = in[0]; return &c }

// WithInputs returns a copy over other inputs.
func (n *Write) WithInputs(in []Node) Node { c := *n; c.Input = in[0]; return &c }

// WithInputs returns a copy over other inputs.
func (n *Shared) WithInputs(in []Node) Node { c := *n; c.Input = in[0]; return &c }

// WithInputs returns a copy over other inputs.
func (n *Exchange) WithInputs(in []Node) Node { c := *n; c.In = in; return &c }

// Outputs returns the columns read.
func (n *Scan) Outputs() []Column { return n.Columns }

// Outputs returns the constant columns.
func (n *Values) Outputs() []Column { return n.Columns }

// Outputs returns the input's columns.
func (n *Filter) Outputs() []Column { return n.Input.Outputs() }

// Outputs returns the assigned columns.
func (n *Project) Outputs() []Column {
	out := make([]Column, len(n.Cols))
	for i, a := range n.Cols {
		out[i] = a.Column
	}
	return out
}

// Outputs returns the keys, then the results (Single, Final) or states
// (Partial) of each aggregate.
func (n *Aggregate) Outputs() []Column {
	out := slices.Clone(n.Keys)
	for _, a := range n.Aggs {
		if n.Step == Partial {
			out = append(out, a.State...)
		} else {
			out = append(out, a.Column)
		}
	}
	return out
}

// Outputs returns Cols, or everything the join's kind outputs.
func (n *Join) Outputs() []Column {
	if n.Cols != nil {
		return n.Cols
	}
	return appendOutputs(nil, n)
}

// appendOutputs adds n's outputs to a list: those of joins below joins without
// a list of their own each, which would make many joins cost their square.
func appendOutputs(out []Column, n Node) []Column {
	switch n := n.(type) {
	case *Filter:
		return appendOutputs(out, n.Input)
	case *Join:
		if n.Cols != nil {
			return append(out, n.Cols...)
		}
		out = appendOutputs(out, n.Left)
		switch n.Kind {
		case SemiJoin, AntiJoin, NullAwareAntiJoin:
			return out
		case MarkJoin:
			return append(out, n.Mark)
		}
		return appendOutputs(out, n.Right)
	}
	return append(out, n.Outputs()...)
}

// Outputs returns the input's columns.
func (n *Sort) Outputs() []Column { return n.Input.Outputs() }

// Outputs returns the input's columns.
func (n *TopN) Outputs() []Column { return n.Input.Outputs() }

// Outputs returns the input's columns.
func (n *Limit) Outputs() []Column { return n.Input.Outputs() }

// Outputs returns the union's own columns.
func (n *Union) Outputs() []Column { return n.Columns }

// Outputs returns the input's columns.
func (n *SingleRow) Outputs() []Column { return n.Input.Outputs() }

// Outputs returns the input's columns and the id.
func (n *UniqueID) Outputs() []Column { return append(slices.Clone(n.Input.Outputs()), n.Column) }

// Outputs returns the input's columns and the number.
func (n *RowNumber) Outputs() []Column { return append(slices.Clone(n.Input.Outputs()), n.Column) }

// Outputs returns the input's columns and the mark.
func (n *MarkDistinct) Outputs() []Column { return append(slices.Clone(n.Input.Outputs()), n.Column) }

// Outputs returns the replicated columns, the expanded ones and the ordinality.
func (n *Unnest) Outputs() []Column {
	out := slices.Clone(n.Replicate)
	for _, c := range n.Columns {
		out = append(out, c...)
	}
	if n.Ordinality != nil {
		out = append(out, *n.Ordinality)
	}
	return out
}

// Outputs returns the input's columns.
func (n *Shared) Outputs() []Column { return n.Input.Outputs() }

// Outputs returns the result's columns.
func (n *Output) Outputs() []Column { return n.Cols }

// Outputs returns the count.
func (n *Write) Outputs() []Column { return []Column{n.Count} }

// Outputs returns the exchanged columns.
func (n *Exchange) Outputs() []Column { return n.In[0].Outputs() }

// Outputs returns the received columns.
func (n *RemoteSource) Outputs() []Column { return n.Columns }
