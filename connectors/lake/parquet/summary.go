package parquet

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/tuttidb/tutti/connectors/objstore"
	"github.com/tuttidb/tutti/sql/types"
)

// Summary adds up what footers say about one column of many files. The zero
// Summary has no rows.
type Summary struct {
	Rows int64
	// Nulls counts the nulls, and is right if NullsKnown.
	Nulls      int64
	NullsKnown bool
	// Min and Max bound the values, in the form of expr.Const, if BoundsKnown;
	// nil if there are no values.
	Min, Max    any
	BoundsKnown bool
	// Spans are the bounds of each row group that has values, for types kept
	// as whole numbers. They show whether the rows are sorted by the column.
	Spans []Span

	values int64 // of strings, nulls left out
	bytes  int64 // of pages, decompressed
	begun  bool
}

func (s *Summary) begin() {
	if !s.begun {
		s.begun, s.NullsKnown, s.BoundsKnown = true, true, true
	}
}

// AddMissing adds a file of rows rows that lacks the column.
func (s *Summary) AddMissing(rows int64) {
	s.begin()
	s.Rows += rows
	s.Nulls += rows
}

// Add adds a file's column f, as values of type t.
func (s *Summary) Add(file *File, f *Field, t types.Type) {
	s.begin()
	st := newStatReader(f, t)
	if st == nil {
		s.Rows += file.Rows
		s.NullsKnown, s.BoundsKnown = false, false
		return
	}
	for i := range file.Groups {
		c := &file.Groups[i].Chunks[st.leaf.Index]
		s.Rows += c.Values
		s.values += c.Values - max(c.Stats.Nulls, 0)
		s.bytes += c.Uncompressed
		if c.Stats.Nulls < 0 && st.leaf.MaxDef > 0 {
			s.NullsKnown = false
		}
		s.Nulls += max(c.Stats.Nulls, 0)
		s.widen(st.domain(&c.Stats, c.Values), t)
	}
}

// Span is the least and the greatest value of a row group.
type Span struct{ Min, Max int64 }

// spanOf returns a domain's bounds if they are whole numbers.
func spanOf(d Domain) (Span, bool) {
	lo, ok := d.Min.(int64)
	if !ok {
		return Span{}, false
	}
	hi, ok := d.Max.(int64)
	return Span{Min: lo, Max: hi}, ok
}

// GroupSpan returns the bounds of column f, as values of type t, in one row
// group; false if they are unknown or no whole numbers.
func (f *File) GroupSpan(group int, fd *Field, t types.Type) (Span, bool) {
	st := newStatReader(fd, t)
	if st == nil {
		return Span{}, false
	}
	c := &f.Groups[group].Chunks[st.leaf.Index]
	return spanOf(st.domain(&c.Stats, c.Values))
}

// widen makes the bounds include a domain's.
func (s *Summary) widen(d Domain, t types.Type) {
	if !d.Values {
		return
	}
	if d.Min == nil || d.Max == nil {
		s.BoundsKnown = false
		return
	}
	if sp, ok := spanOf(d); ok {
		s.Spans = append(s.Spans, sp)
	}
	if c, ok := compare(d.Min, s.Min, t); s.Min == nil || ok && c < 0 {
		s.Min = d.Min
	}
	if c, ok := compare(d.Max, s.Max, t); s.Max == nil || ok && c > 0 {
		s.Max = d.Max
	}
}

// ValueBytes estimates the average size of a value in memory.
func (s *Summary) ValueBytes(t types.Type) float64 {
	w := float64(t.Physical().Width())
	if t.Physical() != types.PhysBytes || s.values == 0 {
		return w
	}
	// What strings take in pages, though dictionaries make that too little.
	return w + float64(s.bytes)/float64(s.values)
}

// dictCounts remembers the sizes of dictionaries that were looked up.
type dictCounts struct {
	mu     sync.Mutex
	counts map[[2]int]int64
}

// dictPeek is how much of a chunk is read to find its dictionary's size.
const dictPeek = 256

// DictValues returns the number of entries of a leaf's dictionary in a group,
// -1 if it has none, and whether all values are in it. It reads the head of
// the chunk, once.
func (f *File) DictValues(ctx context.Context, b objstore.Bucket, obj objstore.ObjectInfo, group int, leaf *Leaf) (n int64, all bool, err error) {
	c := &f.Groups[group].Chunks[leaf.Index]
	if leaf.MaxRep > 0 || c.Len == 0 {
		return -1, false, nil
	}
	key := [2]int{group, leaf.Index}
	f.dicts.mu.Lock()
	n, known := f.dicts.counts[key]
	f.dicts.mu.Unlock()
	if known {
		return n, c.DictOnly, nil
	}
	buf := make([]byte, min(dictPeek, c.Len))
	got, err := b.GetRange(ctx, obj.Key, obj.ETag, c.Off, buf)
	if err != nil && !errors.Is(err, io.EOF) {
		return -1, false, err
	}
	n = -1
	if h, ok := peekHeader(buf[:got]); ok && h.kind == pageDict {
		n = int64(h.values)
	}
	f.dicts.mu.Lock()
	defer f.dicts.mu.Unlock()
	if f.dicts.counts == nil {
		f.dicts.counts = map[[2]int]int64{}
	}
	f.dicts.counts[key] = n
	return n, c.DictOnly, nil
}

// peekHeader parses a page header of which the page itself may be cut off.
func peekHeader(b []byte) (pageHeader, bool) {
	h := parsePageHeader(b)
	return h, h.size > 0 && h.values >= 0
}
