package local

import (
	"context"

	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/op"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/planner/plan"
)

// split ends f and starts a flow in which rows of equal keys are all in one
// driver. The rows between are spooled, for neither side may wait for the
// other: a consumer that merges its drivers would wait for one while the
// producers wait for the next.
func (b *builder) split(f *flow, n plan.Node, keys []plan.Column) (*flow, error) { //nolint:unused // no plan node asks for it yet
	if len(f.tops) == 1 {
		return f, nil
	}
	if len(keys) == 0 {
		return b.single(f, n), nil
	}
	at, err := f.lookUp(keys)
	if err != nil {
		return nil, err
	}
	p := b.part(n, "split")
	width := len(f.tops)
	spools := make([]*spool, width)
	sources := make([]exec.Operator, width)
	for i := range spools {
		spools[i] = newSpool(p.env.Account, typesOf(f.cols), width)
		sources[i] = spools[i].reader(1).source()
	}
	sinks := make([]exec.Sink, width)
	for i := range sinks {
		sinks[i] = newSplitSink(p.env, spools, at)
	}
	cols, name := f.cols, f.name
	b.end(f, p, sinks)
	return b.keep(b.source(p, "after "+name, sources, cols)), nil
}

// splitSink is one producer's end: it writes each row to the spool of the
// driver that its keys belong to.
type splitSink struct {
	*op.Output
	to []*spoolSink
}

func newSplitSink(env *op.Env, spools []*spool, keys []int) *splitSink {
	s := &splitSink{}
	for _, x := range spools {
		s.to = append(s.to, x.sink())
	}
	s.Output = op.NewSplit(env, splitOutput(s.to), keys)
	return s
}

// Finish ends the producer's part of every spool.
func (s *splitSink) Finish(ctx context.Context) error {
	for _, w := range s.to {
		if err := w.Finish(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Close releases what no spool has taken over.
func (s *splitSink) Close() error {
	for _, w := range s.to {
		if err := w.Close(); err != nil {
			return err
		}
	}
	return nil
}

// splitOutput shows one producer's spools as the partitions of an exchange.
type splitOutput []*spoolSink

// Partitions returns the number of spools.
func (o splitOutput) Partitions() int { return len(o) }

// Write copies b's rows to a spool.
func (o splitOutput) Write(ctx context.Context, p int, b *vector.Batch) error {
	_, err := o[p].Add(ctx, b)
	return err
}

// Wanted reports whether any spool is still read.
func (o splitOutput) Wanted() bool {
	for _, w := range o {
		if w.s.wanted() {
			return true
		}
	}
	return false
}
