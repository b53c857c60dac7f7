package local

import (
	"fmt"
	"slices"

	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/kernel"
	"github.com/tuttidb/tutti/exec/op"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/types"
)

// Build turns the task's fragment into pipelines, the last of which ends in
// the task's output. Each chain's operators are closed by closing its driver.
func Build(t *exec.Task) ([]exec.Pipeline, error) {
	b, err := build(t)
	if err != nil {
		return nil, err
	}
	return b.pipelines, nil
}

func build(t *exec.Task) (*builder, error) {
	b, err := newBuilder(t)
	if err != nil {
		return nil, err
	}
	f, err := b.flow(t.Fragment.Root)
	if err == nil {
		err = b.output(f, t.Fragment)
	}
	if err != nil {
		b.abandon()
		return nil, fmt.Errorf("build fragment %d: %w", t.Fragment.ID, err)
	}
	return b, nil
}

// settle writes what is known only at the end to the statistics.
func (b *builder) settle() {
	for _, p := range b.parts {
		p.stats.PeakBytes.Store(max(p.stats.PeakBytes.Load(), p.env.Account.Peak()))
	}
}

func newBuilder(t *exec.Task) (*builder, error) {
	b := &builder{task: t}
	b.session = kernel.Session{Zone: types.UTCZone, Start: t.Settings.Start, User: t.Settings.User}
	if name := t.Settings.TimeZone; name != "" {
		zone, ok := types.ZoneByName(name)
		if !ok {
			return nil, qerr.New(qerr.InvalidSessionProperty, "Time zone not supported: %s", name)
		}
		b.session.Zone = zone
	}
	return b, nil
}

// builder collects the pipelines of one task.
type builder struct {
	task      *exec.Task
	session   kernel.Session
	pipelines []exec.Pipeline
	// flows are those not yet part of a pipeline, to be closed if building fails.
	flows []*flow
	parts []*part
	// spools are the fragments that several nodes of a stitched plan read.
	spools map[plan.FragmentID]*spool
}

func (b *builder) drivers() int { return max(b.task.Settings.Drivers, 1) }

func (b *builder) keep(f *flow) *flow {
	b.flows = append(b.flows, f)
	return f
}

func (b *builder) forget(f *flow) {
	b.flows = slices.DeleteFunc(b.flows, func(x *flow) bool { return x == f })
}

// abandon closes all that was made: no pipeline will run.
func (b *builder) abandon() {
	for _, f := range b.flows {
		for _, t := range f.tops {
			_ = t.Close() // the build's own error is the one to report
		}
	}
	for _, p := range b.pipelines {
		for _, d := range p.Drivers {
			_ = d.Source.Close()
			_ = d.Sink.Close()
		}
	}
}

// flow builds the operators of n and everything below it.
func (b *builder) flow(n plan.Node) (*flow, error) {
	switch n := n.(type) {
	case *plan.Scan:
		return b.scan(n)
	case *plan.Values:
		return b.values(n)
	case *plan.Filter:
		return b.filter(n)
	case *plan.Project:
		return b.project(n)
	case *plan.Limit:
		return b.limit(n)
	case *plan.Union:
		return b.union(n)
	case *plan.SingleRow:
		return b.singleRow(n)
	case *plan.UniqueID:
		return b.uniqueID(n)
	case *plan.Output:
		return b.result(n)
	case *plan.RemoteSource:
		return b.remote(n)
	case *plan.Unnest:
		return b.unnest(n)
	case *plan.Write:
		return b.write(n)
	case *plan.Aggregate:
		return b.aggregate(n)
	case *plan.Join:
		return b.join(n)
	case *plan.Sort:
		return b.sort(n)
	case *plan.TopN:
		return b.topN(n)
	case *plan.RowNumber:
		return b.rowNumber(n)
	case *plan.MarkDistinct:
		return b.markDistinct(n)
	case *shared:
		return b.shared(n)
	}
	return nil, qerr.NotSupported(qerr.Pos{}, "running a plan node of type %T", n)
}

// over builds n's only input, extends it by what make returns for each driver
// and names the result's columns.
func (b *builder) over(n plan.Node, name string, make func(f *flow, p *part) (func(exec.Operator) (exec.Operator, error), error)) (*flow, error) {
	f, err := b.flow(n.Inputs()[0])
	if err != nil {
		return nil, err
	}
	p := b.part(n, name)
	each, err := make(f, p)
	if err != nil {
		return nil, err
	}
	return f, f.extend(p, n.Outputs(), each)
}

func (b *builder) scan(n *plan.Scan) (*flow, error) {
	p := b.part(n, "Scan")
	cfg := &op.ScanConfig{
		Env: *p.env, Node: n.ID, Spec: n.ScanSpec(), Catalog: n.Catalog, Catalogs: b.task.Catalogs,
		Splits: b.task.Splits, Task: b.task.Stats, Log: b.task.Log,
	}
	if b.task.Settings.DynamicFiltering {
		cfg.Dynamic = b.task.Dynamic
	}
	ops := make([]exec.Operator, b.drivers())
	for i := range ops {
		ops[i] = op.NewScan(cfg)
	}
	return b.keep(b.source(p, "scan "+n.Table.Name, ops, n.Outputs())), nil
}

func (b *builder) values(n *plan.Values) (*flow, error) {
	p := b.part(n, "Values")
	o := op.NewValues(p.env, typesOf(n.Columns), n.Rows)
	return b.keep(b.source(p, "values", []exec.Operator{o}, n.Columns)), nil
}

func (b *builder) limit(n *plan.Limit) (*flow, error) {
	return b.over(n, "Limit", func(*flow, *part) (func(exec.Operator) (exec.Operator, error), error) {
		l := op.NewLimiter(n.N, n.Offset)
		return func(in exec.Operator) (exec.Operator, error) { return op.NewLimit(in, l), nil }, nil
	})
}

// singleRow needs all rows in one operator, which counts them.
func (b *builder) singleRow(n *plan.SingleRow) (*flow, error) {
	f, err := b.flow(n.Input)
	if err != nil {
		return nil, err
	}
	f = b.single(f, n)
	p := b.part(n, "SingleRow")
	return f, f.extend(p, f.cols, func(in exec.Operator) (exec.Operator, error) {
		return op.NewSingleRow(p.env, in, typesOf(f.cols)), nil
	})
}

func (b *builder) uniqueID(n *plan.UniqueID) (*flow, error) {
	return b.over(n, "UniqueID", func(_ *flow, p *part) (func(exec.Operator) (exec.Operator, error), error) {
		ids := op.NewCounter(b.task.Partition)
		return func(in exec.Operator) (exec.Operator, error) { return op.NewUniqueID(p.env, in, ids), nil }, nil
	})
}

// result puts the query's columns in their order. The rows' order is that of
// the input, so nothing parallel may stand between.
func (b *builder) result(n *plan.Output) (*flow, error) {
	f, err := b.flow(n.Input)
	if err != nil {
		return nil, err
	}
	return f, b.pick(f, n, "Output", n.Cols, n.Cols)
}

// pick makes f put out the columns cols under the names of as.
func (b *builder) pick(f *flow, n plan.Node, name string, cols, as []plan.Column) error {
	at, err := f.lookUp(cols)
	if err != nil {
		return err
	}
	if isIdentity(at, len(f.cols)) {
		f.cols = as
		return nil
	}
	return f.extend(b.part(n, name), as, func(in exec.Operator) (exec.Operator, error) {
		return op.NewSelect(in, at), nil
	})
}

func isIdentity(at []int, n int) bool {
	for i, p := range at {
		if i != p {
			return false
		}
	}
	return len(at) == n
}

// union makes one flow of several: driver i reads chain i of each, one after
// the other.
func (b *builder) union(n *plan.Union) (*flow, error) {
	ins := make([]*flow, len(n.In))
	width := 0
	for i, in := range n.In {
		f, err := b.flow(in)
		if err != nil {
			return nil, err
		}
		if err := b.pick(f, n, "Union input", n.Sources[i], n.Columns); err != nil {
			return nil, err
		}
		ins[i], width = f, max(width, len(f.tops))
	}
	return b.concat(n, ins, width)
}

func (b *builder) concat(n plan.Node, ins []*flow, width int) (*flow, error) {
	p := b.part(n, "Union")
	out := &flow{name: "union", cols: n.Outputs()}
	for i := range width {
		c := &clock{task: b.task.Stats}
		var chain []exec.Operator
		for _, f := range ins {
			if i < len(f.tops) {
				f.tops[i].above = p.stats
				chain = append(chain, &bridge{Operator: f.tops[i], outer: c})
			}
		}
		out.tops = append(out.tops, newMeter(op.NewConcat(chain), c, p.stats))
	}
	for _, f := range ins {
		b.forget(f)
	}
	return b.keep(out), nil
}

// unnest expands arrays and maps in every chain.
func (b *builder) unnest(n *plan.Unnest) (*flow, error) {
	return b.over(n, "Unnest", func(f *flow, p *part) (func(exec.Operator) (exec.Operator, error), error) {
		spec := op.UnnestSpec{Ordinality: n.Ordinality != nil, Outer: n.Outer}
		var err error
		if spec.Replicate, err = f.lookUp(n.Replicate); err != nil {
			return nil, err
		}
		if spec.Exprs, err = f.lookUp(n.Exprs); err != nil {
			return nil, err
		}
		ts := typesOf(f.cols)
		return func(in exec.Operator) (exec.Operator, error) { return op.NewUnnest(p.env, in, ts, spec), nil }, nil
	})
}

// write is one operator: it commits once.
func (b *builder) write(n *plan.Write) (*flow, error) {
	f, err := b.flow(n.Input)
	if err != nil {
		return nil, err
	}
	f = b.single(f, n)
	at, err := f.lookUp(n.Cols)
	if err != nil {
		return nil, err
	}
	p := b.part(n, "Write")
	spec := op.WriteSpec{Catalog: n.Catalog, Schema: n.Schema, Table: n.Table, Create: n.Create, Cols: at}
	return f, f.extend(p, n.Outputs(), func(in exec.Operator) (exec.Operator, error) {
		return op.NewWrite(p.env, in, b.task.Catalogs, spec), nil
	})
}
