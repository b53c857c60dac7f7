package memory

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/exec/vector"
)

// Splits hands out one split a chunk.
func (c *Connector) Splits(_ context.Context, scan *connectors.Scan) (connectors.SplitSource, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	_, chunks, err := c.version(scan)
	if err != nil {
		return nil, err
	}
	return &splits{chunks: chunks}, nil
}

type splits struct {
	chunks []*chunk
	at     int
}

// Next returns the next chunks' splits.
func (s *splits) Next(ctx context.Context, limit int) (out []connectors.Split, err error) {
	for ; len(out) < limit && s.at < len(s.chunks); s.at++ {
		payload, err := json.Marshal(s.at)
		if err != nil {
			return nil, err
		}
		out = append(out, connectors.Split{Payload: payload, Rows: int64(s.chunks[s.at].rows)})
	}
	return out, ctx.Err()
}

// Close does nothing.
func (s *splits) Close() error { return nil }

// Open reads a chunk.
func (c *Connector) Open(_ context.Context, scan *connectors.Scan, split connectors.Split, _ *connectors.Env) (connectors.Source, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t, chunks, err := c.version(scan)
	if err != nil {
		return nil, err
	}
	var n int
	if err := json.Unmarshal(split.Payload, &n); err != nil || n < 0 || n >= len(chunks) {
		return nil, fmt.Errorf("memory split %q of %d chunks", split.Payload, len(chunks))
	}
	t.readers++
	s := &source{c: c, t: t, batch: vector.Batch{N: chunks[n].rows}}
	for _, col := range scan.Columns {
		s.batch.Cols = append(s.batch.Cols, chunks[n].cols[col.Ordinal])
	}
	return s, nil
}

// source returns a chunk as one batch: it is immutable, so nothing is copied.
type source struct {
	c      *Connector
	t      *table
	batch  vector.Batch
	given  bool
	closed bool
}

// Next returns the chunk, then nil.
func (s *source) Next(ctx context.Context) (*vector.Batch, error) {
	if s.given || s.batch.N == 0 {
		return nil, ctx.Err()
	}
	s.given = true
	return &s.batch, ctx.Err()
}

// Stats counts the rows.
func (s *source) Stats() connectors.SourceStats {
	if !s.given {
		return connectors.SourceStats{}
	}
	return connectors.SourceStats{PhysicalRows: int64(s.batch.N)}
}

// Close lets go of the table.
func (s *source) Close() error {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if !s.closed {
		s.closed = true
		s.t.readers--
		s.t.free()
	}
	return nil
}
