package tpch

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/connectors/tpch/dbgen"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// Open generates the rows of a split.
func (c *Connector) Open(_ context.Context, scan *connectors.Scan, split connectors.Split, env *connectors.Env) (connectors.Source, error) {
	g, t, err := c.open(scan)
	if err != nil {
		return nil, err
	}
	var r unitRange
	if err := json.Unmarshal(split.Payload, &r); err != nil {
		return nil, fmt.Errorf("tpch split: %w", err)
	}
	s := &source{batch: dbgen.NewBatch(env.BatchRows), account: env.Account}
	ordinals := map[int]int{} // ordinal → column of the scanner
	var wanted []int
	for _, col := range scan.Columns {
		at, ok := ordinals[col.Ordinal]
		if !ok {
			at = len(wanted)
			ordinals[col.Ordinal] = at
			wanted = append(wanted, col.Ordinal)
		}
		s.add(t.Columns()[col.Ordinal], col.Type, at)
	}
	if s.scanner, err = g.Scan(t, wanted, r.From, r.To); err != nil {
		return nil, fmt.Errorf("tpch scan of %s: %w", t, err)
	}
	return s, nil
}

// source turns the generator's columns into vectors, most without copying.
type source struct {
	scanner *dbgen.Scanner
	batch   *dbgen.Batch
	account *mem.Account
	cols    []column
	out     vector.Batch
	rows    int64
	charged int64
}

// column makes one vector of one generated column.
type column struct {
	from    int // index into the generator's columns
	layout  dbgen.Layout
	vec     *vector.Vector
	idx     []int32
	doubles []float64
	views   []vector.View
}

func (s *source) add(col dbgen.Column, t types.Type, from int) {
	c := column{from: from, layout: col.Layout, vec: &vector.Vector{Type: t}}
	switch {
	case col.Layout == dbgen.Codes:
		c.vec.Enc, c.vec.Base = vector.Dict, dictionary(t, col.Values)
	case t.Kind == types.Double:
		c.doubles = make([]float64, 0)
	}
	s.cols = append(s.cols, c)
	s.out.Cols = append(s.out.Cols, c.vec)
}

// dictionary returns a flat vector of the values.
func dictionary(t types.Type, values []string) *vector.Vector {
	var heap []byte
	views := make([]vector.View, len(values))
	for i, v := range values {
		if len(v) <= vector.InlineLen {
			views[i] = vector.InlineView([]byte(v))
			continue
		}
		views[i] = vector.HeapView([]byte(v), 0, len(heap))
		heap = append(heap, v...)
	}
	return &vector.Vector{Type: t, N: len(values), Data: vector.AsBytes(views), Heap: [][]byte{heap}}
}

// Next generates a batch. The generator reuses its memory, so the batch is
// valid until the next call.
func (s *source) Next(ctx context.Context) (*vector.Batch, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !s.scanner.Next(s.batch) {
		return nil, nil
	}
	s.out.N = s.batch.Rows
	s.rows += int64(s.batch.Rows)
	size := int64(0)
	for i := range s.cols {
		s.cols[i].fill(s.batch)
		size += int64(len(s.cols[i].vec.Data) + 4*len(s.cols[i].vec.Idx))
	}
	if size > s.charged {
		if err := s.account.Grow(size - s.charged); err != nil {
			return nil, err
		}
		s.charged = size
	}
	return &s.out, nil
}

// fill points the vector at the generated values, or converts them.
func (c *column) fill(b *dbgen.Batch) {
	src, n := &b.Columns[c.from], b.Rows
	c.vec.N = n
	switch c.layout {
	case dbgen.Int32:
		c.vec.Data = vector.AsBytes(src.Int32[:n])
	case dbgen.Codes:
		c.idx = resize(c.idx, n)
		for i, code := range src.Codes[:n] {
			c.idx[i] = int32(code)
		}
		c.vec.Idx = c.idx
	case dbgen.Strings:
		c.fillStrings(src, n)
	default:
		if c.doubles == nil {
			c.vec.Data = vector.AsBytes(src.Int64[:n])
			return
		}
		c.doubles = resize(c.doubles, n)
		for i, cents := range src.Int64[:n] {
			c.doubles[i] = float64(cents) / 100
		}
		c.vec.Data = vector.AsBytes(c.doubles)
	}
}

func (c *column) fillStrings(src *dbgen.Vector, n int) {
	c.views = resize(c.views, n)
	for i := range n {
		from, to := src.Offsets[i], src.Offsets[i+1]
		if text := src.Bytes[from:to]; len(text) <= vector.InlineLen {
			c.views[i] = vector.InlineView(text)
		} else {
			c.views[i] = vector.HeapView(text, 0, int(from))
		}
	}
	c.vec.Data = vector.AsBytes(c.views)
	c.vec.Heap = append(c.vec.Heap[:0], src.Bytes)
}

func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// Stats counts the rows generated.
func (s *source) Stats() connectors.SourceStats { return connectors.SourceStats{PhysicalRows: s.rows} }

// Close gives the accounted memory back.
func (s *source) Close() error {
	s.account.Shrink(s.charged)
	s.charged = 0
	return nil
}
