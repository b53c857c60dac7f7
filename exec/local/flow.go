package local

import (
	"fmt"

	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/op"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/types"
)

// flow is a pipeline being built: a chain of operators for each driver and
// the columns that they all put out.
type flow struct {
	name string
	tops []*meter
	cols []plan.Column
}

// at returns the position of each column.
func (f *flow) at() map[expr.ColumnID]int { return positions(f.cols) }

func positions(cols []plan.Column) map[expr.ColumnID]int {
	at := make(map[expr.ColumnID]int, len(cols))
	for i, c := range cols {
		at[c.ID] = i
	}
	return at
}

func typesOf(cols []plan.Column) []types.Type {
	ts := make([]types.Type, len(cols))
	for i, c := range cols {
		ts[i] = c.Type
	}
	return ts
}

// lookUp returns the positions of cols among what f puts out.
func (f *flow) lookUp(cols []plan.Column) ([]int, error) {
	at := f.at()
	out := make([]int, len(cols))
	for i, c := range cols {
		p, ok := at[c.ID]
		if !ok {
			return nil, fmt.Errorf("column %s is not among the input's columns", c.Ref())
		}
		out[i] = p
	}
	return out, nil
}

// renumber turns an expression over IDs into one over positions.
func renumber(e expr.Expr, cols []plan.Column) (expr.Expr, error) {
	if e == nil {
		return nil, nil
	}
	at := positions(cols)
	var missing *expr.Column
	expr.Columns(e, func(c *expr.Column) {
		if _, ok := at[c.ID]; !ok {
			missing = c
		}
	})
	if missing != nil {
		return nil, fmt.Errorf("column %s of %s is not among the input's columns", missing, e)
	}
	return plan.Renumber(e, at), nil
}

// part is one operator of a node, as statistics and accounts know it.
type part struct {
	node  plan.Node
	stats *exec.OperatorStats
	env   *op.Env
}

// part names a part of a node; "" is the node itself.
func (b *builder) part(n plan.Node, name string) *part {
	id := n.Common().ID
	p := &part{node: n, stats: b.task.Stats.Operator(id, name)}
	p.env = &op.Env{
		Account:   b.task.Account.Child(fmt.Sprintf("%s %d", name, id), 0),
		Stats:     p.stats,
		BatchRows: b.task.Settings.BatchRows,
		Session:   b.session,
	}
	b.parts = append(b.parts, p)
	return p
}

// source starts a flow: ops are the sources of its drivers.
func (b *builder) source(p *part, name string, ops []exec.Operator, cols []plan.Column) *flow {
	f := &flow{name: name, cols: cols}
	for _, o := range ops {
		f.tops = append(f.tops, newMeter(o, &clock{task: b.task.Stats}, p.stats))
	}
	return f
}

// extend puts an operator on top of each of f's chains.
func (f *flow) extend(p *part, cols []plan.Column, make func(in exec.Operator) (exec.Operator, error)) error {
	for i, below := range f.tops {
		o, err := make(below)
		if err != nil {
			return err
		}
		below.above = p.stats
		f.tops[i] = newMeter(o, below.clock, p.stats)
	}
	f.cols = cols
	return nil
}

// end makes f a pipeline whose driver i ends in sinks[i].
func (b *builder) end(f *flow, p *part, sinks []exec.Sink) {
	pl := exec.Pipeline{Name: f.name}
	for i, top := range f.tops {
		top.above = p.stats
		pl.Drivers = append(pl.Drivers, exec.Driver{Source: top, Sink: newMeterSink(sinks[i], top.clock, p.stats)})
	}
	b.pipelines = append(b.pipelines, pl)
	b.forget(f)
}

// single makes f a flow of one chain.
func (b *builder) single(f *flow, n plan.Node) *flow {
	if len(f.tops) == 1 {
		return f
	}
	g := newGather(len(f.tops))
	sinks := make([]exec.Sink, len(f.tops))
	for i := range sinks {
		sinks[i] = g.sink()
	}
	p := b.part(n, "gather")
	cols, name := f.cols, f.name
	b.end(f, p, sinks)
	return b.keep(b.source(p, "after "+name, []exec.Operator{g.source()}, cols))
}
