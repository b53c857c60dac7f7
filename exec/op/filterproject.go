package op

import (
	"context"

	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/kernel"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/expr"
)

// Filter passes the rows for which a predicate is true, by narrowing the
// selection: nothing is copied.
type Filter struct {
	in   exec.Operator
	pred *kernel.Filter
	out  vector.Batch
}

// NewFilter returns a filter. pred's columns are positions in the input.
func NewFilter(env *Env, in exec.Operator, pred expr.Expr) (*Filter, error) {
	f, err := kernel.CompileFilter(env.kernel(), pred)
	if err != nil {
		return nil, err
	}
	return &Filter{in: in, pred: f}, nil
}

// Next returns the next batch in which any row passes.
func (f *Filter) Next(ctx context.Context) (*vector.Batch, error) {
	for {
		b, err := f.in.Next(ctx)
		if b == nil || err != nil {
			return nil, err
		}
		sel, err := f.pred.Apply(b)
		if err != nil {
			return nil, err
		}
		if sel == nil || len(sel) == b.Rows() {
			return b, nil
		}
		if len(sel) > 0 {
			f.out = vector.Batch{N: b.N, Sel: sel, Cols: b.Cols}
			return &f.out, nil
		}
	}
}

// Close closes the input.
func (f *Filter) Close() error {
	f.pred.Close()
	return f.in.Close()
}

// Project computes columns.
type Project struct {
	in  exec.Operator
	prg *kernel.Program
	out vector.Batch
}

// NewProject returns a projection. The expressions' columns are positions in
// the input; plain columns pass through.
func NewProject(env *Env, in exec.Operator, exprs []expr.Expr) (*Project, error) {
	p, err := kernel.Compile(env.kernel(), exprs)
	if err != nil {
		return nil, err
	}
	return &Project{in: in, prg: p}, nil
}

// Next returns the next batch.
func (p *Project) Next(ctx context.Context) (*vector.Batch, error) {
	b, err := p.in.Next(ctx)
	if b == nil || err != nil {
		return nil, err
	}
	cols, err := p.prg.Eval(b)
	if err != nil {
		return nil, err
	}
	p.out = vector.Batch{N: b.N, Sel: b.Sel, Cols: cols}
	return &p.out, nil
}

// Close closes the input.
func (p *Project) Close() error {
	p.prg.Close()
	return p.in.Close()
}
