package op

import (
	"context"

	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/types"
)

// SingleRow passes the one row of its input: a scalar subquery's value. No row
// becomes a row of nulls; a second one is the user's error.
type SingleRow struct {
	in    exec.Operator
	row   []*vector.Builder
	out   vector.Batch
	ended bool
}

// NewSingleRow returns the operator over an input of the given column types.
func NewSingleRow(env *Env, in exec.Operator, ts []types.Type) *SingleRow {
	s := &SingleRow{in: in}
	for _, t := range ts {
		s.row = append(s.row, vector.NewBuilder(env.Account, t))
	}
	return s
}

// Next returns the row, once.
func (s *SingleRow) Next(ctx context.Context) (*vector.Batch, error) {
	if s.ended {
		return nil, nil
	}
	s.ended = true
	n := 0
	for {
		b, err := s.in.Next(ctx)
		if err != nil {
			return nil, err
		}
		if b == nil {
			break
		}
		if n += b.Rows(); n > 1 {
			return nil, qerr.New(qerr.SubqueryMultipleRows, "Scalar sub-query has returned multiple rows")
		}
		if err := s.keep(b); err != nil {
			return nil, err
		}
	}
	return s.emit(n == 0)
}

// keep copies b's only row: the next pull takes b away.
func (s *SingleRow) keep(b *vector.Batch) error {
	row := []int32{int32(b.Row(0))}
	for i, c := range b.Cols {
		if err := s.row[i].AppendRows(c, row); err != nil {
			return err
		}
	}
	return nil
}

func (s *SingleRow) emit(none bool) (*vector.Batch, error) {
	s.out.N = 1
	for _, r := range s.row {
		if none {
			if err := r.AppendNull(); err != nil {
				return nil, err
			}
		}
		s.out.Cols = append(s.out.Cols, r.Vector())
	}
	return &s.out, nil
}

// Close releases the row and closes the input.
func (s *SingleRow) Close() error {
	s.ended = true
	releaseAll(s.row)
	return s.in.Close()
}

func releaseAll(bs []*vector.Builder) {
	for _, b := range bs {
		b.Release()
	}
}
