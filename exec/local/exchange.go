package local

import (
	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/op"
	"github.com/tuttidb/tutti/planner/plan"
)

// remote opens the reading end of an exchange, once for each driver, or once
// in all where it has to merge sorted streams.
func (b *builder) remote(n *plan.RemoteSource) (*flow, error) {
	p := b.part(n, "RemoteSource")
	count := b.drivers()
	if n.OrderBy != nil {
		count = 1
	}
	f := b.keep(&flow{name: "remote source", cols: n.Columns})
	for range count {
		o, err := b.task.Inputs.Open(n, p.env.Account)
		if err != nil {
			return nil, err
		}
		f.tops = append(f.tops, newMeter(o, &clock{task: b.task.Stats}, p.stats))
	}
	return f, nil
}

// output ends f in the task's output.
func (b *builder) output(f *flow, frag *plan.Fragment) error {
	keys, err := f.lookUp(frag.Output.Keys)
	if err != nil {
		return err
	}
	p := b.part(frag.Root, "Output")
	var sinks []exec.Sink
	for range f.tops {
		sinks = append(sinks, op.NewOutput(p.env, b.task.Output, frag.Output.Kind, keys))
	}
	b.end(f, p, sinks)
	return nil
}
