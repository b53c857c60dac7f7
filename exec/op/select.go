package op

import (
	"context"

	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/vector"
)

// Select passes some of its input's columns, in another order.
type Select struct {
	in   exec.Operator
	cols []int
	out  vector.Batch
}

// NewSelect returns an operator whose column i is column cols[i] of in.
func NewSelect(in exec.Operator, cols []int) *Select {
	return &Select{in: in, cols: cols, out: vector.Batch{Cols: make([]*vector.Vector, len(cols))}}
}

// Next returns the next batch.
func (s *Select) Next(ctx context.Context) (*vector.Batch, error) {
	b, err := s.in.Next(ctx)
	if b == nil || err != nil {
		return nil, err
	}
	s.out.N, s.out.Sel = b.N, b.Sel
	for i, c := range s.cols {
		s.out.Cols[i] = b.Cols[c]
	}
	return &s.out, nil
}

// Close closes the input.
func (s *Select) Close() error { return s.in.Close() }

// Concat passes the rows of its inputs, one input after the other. Each is
// closed as soon as it has ended.
type Concat struct {
	in []exec.Operator
	at int
}

// NewConcat returns the concatenation of inputs whose columns are the same.
func NewConcat(in []exec.Operator) *Concat { return &Concat{in: in} }

// Next returns the next batch.
func (c *Concat) Next(ctx context.Context) (*vector.Batch, error) {
	for c.at < len(c.in) {
		b, err := c.in[c.at].Next(ctx)
		if b != nil || err != nil {
			return b, err
		}
		if err := c.in[c.at].Close(); err != nil {
			return nil, err
		}
		c.at++
	}
	return nil, nil
}

// Close closes all inputs.
func (c *Concat) Close() error {
	c.at = len(c.in)
	return closeAll(c.in)
}

// closeAll closes all of ops and returns the first error.
func closeAll(ops []exec.Operator) (first error) {
	for _, o := range ops {
		if err := o.Close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}
