package local

import (
	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/op"
	"github.com/tuttidb/tutti/planner/plan"
)

// sort ends every chain in a sorted run; one source merges the runs.
func (b *builder) sort(n *plan.Sort) (*flow, error) {
	f, err := b.flow(n.Input)
	if err != nil {
		return nil, err
	}
	return b.sorted(f, b.part(n, "Sort"), n.Keys, -1)
}

// topN is sort for the first rows only.
func (b *builder) topN(n *plan.TopN) (*flow, error) {
	f, err := b.flow(n.Input)
	if err != nil {
		return nil, err
	}
	return b.sorted(f, b.part(n, "TopN"), n.Keys, n.N)
}

// sorted orders f by keys and keeps the first n rows (-1: all).
func (b *builder) sorted(f *flow, p *part, keys []plan.SortKey, n int64) (*flow, error) {
	spec, err := sortSpec(f, keys)
	if err != nil {
		return nil, err
	}
	if n < 0 {
		return b.through(f, p, "sort", op.NewSort(p.env, spec), f.cols, 1), nil
	}
	return b.through(f, p, "top rows", op.NewTopN(p.env, spec, n), f.cols, 1), nil
}

// sortSpec resolves sort keys to positions.
func sortSpec(f *flow, keys []plan.SortKey) (*op.SortSpec, error) {
	cols := make([]plan.Column, len(keys))
	for i, k := range keys {
		cols[i] = k.Column
	}
	at, err := f.lookUp(cols)
	if err != nil {
		return nil, err
	}
	spec := &op.SortSpec{Input: typesOf(f.cols)}
	for i, k := range keys {
		spec.Keys = append(spec.Keys, op.SortColumn{Column: at[i], Descending: k.Descending, NullsFirst: k.NullsFirst})
	}
	return spec, nil
}

// rowNumber numbers the rows of each partition, in order if there are keys.
func (b *builder) rowNumber(n *plan.RowNumber) (*flow, error) {
	f, err := b.flow(n.Input)
	if err != nil {
		return nil, err
	}
	p := b.part(n, "RowNumber")
	if len(n.Keys) > 0 {
		if f, err = b.sorted(f, b.part(n, "RowNumber sort"), n.Keys, -1); err != nil {
			return nil, err
		}
	}
	at, err := f.lookUp(n.Partition)
	if err != nil {
		return nil, err
	}
	x := op.NewRowNumber(p.env, typesOf(f.cols), at, n.Limit)
	return f, f.extend(p, n.Outputs(), func(in exec.Operator) (exec.Operator, error) { return x.Operator(in), nil })
}

// markDistinct marks the first row of each combination of keys.
func (b *builder) markDistinct(n *plan.MarkDistinct) (*flow, error) {
	return b.over(n, "MarkDistinct", func(f *flow, p *part) (func(exec.Operator) (exec.Operator, error), error) {
		at, err := f.lookUp(n.Keys)
		if err != nil {
			return nil, err
		}
		x := op.NewMarkDistinct(p.env, typesOf(f.cols), at)
		return func(in exec.Operator) (exec.Operator, error) { return x.Operator(in), nil }, nil
	})
}
