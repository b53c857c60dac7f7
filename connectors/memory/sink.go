package memory

import (
	"context"
	"sync"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/internal/qerr"
)

// sink collects the rows of one INSERT in chunks of up to vector.MaxRows.
type sink struct {
	c *Connector
	t *table

	mu     sync.Mutex
	chunks []*chunk
	done   bool
}

// Append copies the batch's rows.
func (s *sink) Append(_ context.Context, b *vector.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := checkNotNull(s.t.columns, b); err != nil {
		return err
	}
	ch := s.room(b.Rows())
	for i, col := range b.Cols {
		if err := ch.builders[i].AppendRows(col, b.Sel); err != nil {
			return err
		}
	}
	ch.rows += b.Rows()
	return nil
}

// checkNotNull refuses nulls in columns declared NOT NULL.
func checkNotNull(columns []connectors.Column, b *vector.Batch) error {
	for i, c := range columns {
		if !c.NotNull || !b.Cols[i].HasNulls() {
			continue
		}
		for r := range b.Rows() {
			if b.Cols[i].IsNull(b.Row(r)) {
				return qerr.New(qerr.ConstraintViolation, "NULL value not allowed for NOT NULL column: %s", c.Name)
			}
		}
	}
	return nil
}

// room returns the last chunk if n more rows fit, else a new one.
func (s *sink) room(n int) *chunk {
	if k := len(s.chunks); k > 0 && s.chunks[k-1].rows+n <= vector.MaxRows {
		return s.chunks[k-1]
	}
	ch := &chunk{}
	for _, c := range s.t.columns {
		ch.builders = append(ch.builders, vector.NewBuilder(s.c.account, c.Type))
	}
	s.chunks = append(s.chunks, ch)
	return ch
}

// Commit adds the rows to the table, all at once.
func (s *sink) Commit(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ch := range s.chunks {
		for _, b := range ch.builders {
			ch.cols = append(ch.cols, b.Vector())
		}
	}
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if s.c.tables[s.t.schema][s.t.name] != s.t {
		return qerr.New(qerr.TableNotFound, "Table '%s.%s' was dropped while rows were inserted", s.t.schema, s.t.name)
	}
	s.t.chunks = append(s.t.chunks, s.chunks...)
	s.done = true
	return nil
}

// Abort discards the rows unless they are committed.
func (s *sink) Abort() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		return
	}
	for _, ch := range s.chunks {
		ch.release()
	}
	s.chunks, s.done = nil, true
}
