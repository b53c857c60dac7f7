package exchange

import (
	"context"
	"fmt"
	"time"

	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/planner/plan"
)

// source is the operator at the reading end of an exchange: it turns frames
// into batches that alias them.
type source struct {
	r      *reading
	only   *stream // nil: frames of all streams
	dec    decoder
	frame  *arrived
	cols   []*vector.Vector
	rows   int
	at     int
	out    vector.Batch
	waited time.Duration
	done   bool
	closed bool
}

func newSource(r *reading, only *stream) *source {
	s := &source{r: r, only: only}
	for _, c := range r.node.Columns {
		s.dec.types = append(s.dec.types, c.Type)
		s.out.Cols = append(s.out.Cols, &vector.Vector{})
	}
	return s
}

// Waited returns the time spent waiting for producers and the network.
func (s *source) Waited() time.Duration { return s.waited }

// Next returns the next rows of the frame at hand, or of the next frame.
func (s *source) Next(ctx context.Context) (*vector.Batch, error) {
	if s.closed {
		return nil, nil
	}
	for s.at >= s.rows {
		if s.done {
			return nil, nil
		}
		if err := s.load(ctx); err != nil {
			return nil, err
		}
	}
	n := min(s.r.in.cfg.BatchRows, s.rows-s.at)
	for i, c := range s.cols {
		cut(s.out.Cols[i], c, s.at, n)
	}
	s.out.N = n
	s.at += n
	return &s.out, nil
}

// load decodes the next frame.
func (s *source) load(ctx context.Context) error {
	s.drop()
	f, err := s.r.next(ctx, s.only, &s.waited)
	if err != nil {
		return err
	}
	if f == nil {
		s.done = true
		return nil
	}
	s.frame = f
	s.dec.trusted = f.trusted
	if s.cols, s.rows, err = s.dec.decode(f.Frame); err != nil {
		return fmt.Errorf("node %d: %w", s.r.node.ID, err)
	}
	return nil
}

func (s *source) drop() {
	if s.frame != nil {
		s.frame.release()
	}
	s.frame, s.cols, s.rows, s.at = nil, nil, 0, 0
}

// Close gives back the frame at hand.
func (s *source) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	s.drop()
	s.r.closed(s.only)
	return nil
}

// merging is the operator of a node whose producers are sorted: it waits for
// all of them to be known, then merges.
type merging struct {
	in      *Inputs
	node    *plan.RemoteSource
	account *mem.Account
	merged  exec.Operator
	waited  time.Duration
	closed  bool
}

// Next returns the next rows in order.
func (m *merging) Next(ctx context.Context) (*vector.Batch, error) {
	if m.closed {
		return nil, nil
	}
	if m.merged == nil {
		from := time.Now()
		streams, err := m.in.OpenEach(ctx, m.node, m.account)
		m.waited += time.Since(from)
		if err != nil {
			return nil, err
		}
		if m.merged, err = m.in.cfg.Merge(m.node, streams, m.account); err != nil {
			return nil, err
		}
	}
	return m.merged.Next(ctx)
}

// Waited returns the time spent waiting for the producers to be known.
func (m *merging) Waited() time.Duration { return m.waited }

// Close closes what it merges.
func (m *merging) Close() error {
	if m.closed {
		return nil
	}
	m.closed = true
	if m.merged == nil {
		return nil
	}
	return m.merged.Close()
}
