package op

import (
	"math"

	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// NewTopN returns a sort that keeps the first n rows. Each driver holds a few
// more than n and now and then throws away what cannot be among the first n.
// From then on it knows a bound: rows whose first key is beyond it are dropped
// a column at a time, before anything is copied. Drivers share the bound.
func NewTopN(env *Env, spec *SortSpec, n int64) *Sort {
	s := NewSort(env, spec)
	s.limit = int(min(n, math.MaxInt-1))
	return s
}

// topSlack is how many rows more than wanted are kept at least before some
// are thrown away.
const topSlack = 4096

// topFilter drops rows by their first key.
type topFilter struct {
	prefixes []uint64
	sel      []int32
	places   []int32
}

// addTop keeps those of b's rows that may be among the first.
func (s *sortSink) addTop(b *vector.Batch) (bool, error) {
	if s.s.limit <= 0 {
		return false, nil
	}
	sel := b.Sel
	if bound := s.s.bound.Load(); bound < math.MaxUint64 {
		first := s.s.spec.Keys[0]
		v := b.Cols[first.Column]
		if err := v.Load(b.Sel); err != nil {
			return false, err
		}
		sel = s.filter.keep(v, b, first, bound)
		if len(sel) == 0 {
			return true, nil
		}
	}
	if err := s.run.store.append(b, sel); err != nil {
		return false, err
	}
	if s.run.store.n-topSlack < s.s.limit || s.run.store.n/2 < s.s.limit {
		return true, nil
	}
	return true, s.shrink()
}

// shrink throws away the rows beyond the first n.
func (s *sortSink) shrink() error {
	old := s.run
	old.store.seal()
	pairs, err := old.s.sort()
	if err != nil {
		return err
	}
	g := newGatherer(old.store)
	defer g.release()
	s.run = s.s.newRun()
	defer old.release()
	var rows []uint32
	for pairs := pairs[:s.s.limit]; len(pairs) > 0; pairs = pairs[len(rows):] {
		rows = rows[:0]
		for _, p := range pairs[:min(len(pairs), vector.DefaultRows)] {
			rows = append(rows, p.row())
		}
		cols, err := g.gather(rows)
		if err != nil {
			return err
		}
		if err := s.run.store.append(&vector.Batch{N: len(rows), Cols: cols}, nil); err != nil {
			return err
		}
		s.lower(cols, len(rows))
	}
	return nil
}

// lower lowers the bound to the last of n rows in order.
func (s *sortSink) lower(cols []*vector.Vector, n int) {
	if s.run.store.n < s.s.limit {
		return
	}
	first := s.s.spec.Keys[0]
	last := s.filter.prefix(cols[first.Column], []int32{int32(n - 1)}, 1, first)[0]
	for {
		now := s.s.bound.Load()
		if last >= now || s.s.bound.CompareAndSwap(now, last) {
			return
		}
	}
}

// keep returns those of b's rows whose first key, in column v, is within the
// bound.
func (f *topFilter) keep(v *vector.Vector, b *vector.Batch, key SortColumn, bound uint64) []int32 {
	n := b.Rows()
	prefixes := f.prefix(v, b.Sel, n, key)
	if cap(f.sel) < n+1 {
		f.sel = make([]int32, max(n+1, vector.DefaultRows+1))
	}
	out, k := f.sel[:n+1], 0
	for i, p := range prefixes {
		r := int32(i)
		if b.Sel != nil {
			r = b.Sel[i]
		}
		out[k] = r
		if p <= bound {
			k++
		}
	}
	return out[:k]
}

// prefix returns 8 bytes of the sort keys of n rows of one column: a byte for
// null, then the first 7 of the value.
func (f *topFilter) prefix(v *vector.Vector, rows []int32, n int, key SortColumn) []uint64 {
	if cap(f.prefixes) < n {
		f.prefixes = make([]uint64, max(n, vector.DefaultRows))
	}
	out := f.prefixes[:n]
	var c colRef
	c, f.places = refer(v, rows, n, f.places)
	orderedPrefixes(out, &c)
	flip, null := uint64(0), uint64(0)
	if key.Descending {
		flip = math.MaxUint64
	}
	value := uint64(1) << 56
	if !key.NullsFirst {
		value, null = 0, 1<<56
	}
	for i, x := range out {
		out[i] = value | (x^flip)>>8
	}
	if mayHaveNulls(v) {
		for i := range out {
			if c.isNull(i) {
				out[i] = null
			}
		}
	}
	return out
}

// orderedPrefixes sets out to unsigned numbers in the order of c's values.
// Values that differ may have the same.
func orderedPrefixes(out []uint64, c *colRef) {
	switch v := c.flat; v.Type.Physical() {
	case types.PhysBool:
		for i, x := 0, vector.Values[uint8](v); i < len(out); i++ {
			out[i] = uint64(x[c.at(i)]) << 56
		}
	case types.PhysInt8:
		signedPrefixes(out, c, vector.Values[int8](v), 56)
	case types.PhysInt16:
		signedPrefixes(out, c, vector.Values[int16](v), 48)
	case types.PhysInt32:
		signedPrefixes(out, c, vector.Values[int32](v), 32)
	case types.PhysInt64:
		signedPrefixes(out, c, vector.Values[int64](v), 0)
	case types.PhysFloat:
		for i, x := 0, vector.Values[float32](v); i < len(out); i++ {
			out[i] = orderedDouble(float64(x[c.at(i)]))
		}
	case types.PhysDouble:
		for i, x := 0, vector.Values[float64](v); i < len(out); i++ {
			out[i] = orderedDouble(x[c.at(i)])
		}
	case types.PhysInt128:
		widePrefixes(out, c)
	case types.PhysBytes:
		stringPrefixes(out, c)
	default: // nested values are compared in full
		clear(out)
	}
}

// stringPrefixes leaves nulls out: their views may point nowhere.
func stringPrefixes(out []uint64, c *colRef) {
	v := c.flat
	views, nulls := vector.Values[vector.View](v), mayHaveNulls(c.src)
	for i := range out {
		if nulls && c.isNull(i) {
			out[i] = 0
			continue
		}
		out[i] = stringPrefix(views[c.at(i)].Bytes(v.Heap), v.Type.Kind == types.Char)
	}
}

func signedPrefixes[T int8 | int16 | int32 | int64](out []uint64, c *colRef, vals []T, shift uint) {
	for i := range out {
		out[i] = uint64(vals[c.at(i)])<<shift ^ 1<<63
	}
}

// orderedDouble maps doubles to integers of the same order, NaN last.
func orderedDouble(f float64) uint64 {
	b := doubleKey(f)
	if b>>63 != 0 {
		return ^b
	}
	return b | 1<<63
}

func widePrefixes(out []uint64, c *colRef) {
	vals := vector.Values[types.Int128](c.flat)
	switch c.flat.Type.Kind {
	case types.TimestampTZ:
		for i := range out {
			out[i] = vals[c.at(i)].Lo ^ 1<<63
		}
	case types.Decimal:
		for i := range out {
			out[i] = uint64(vals[c.at(i)].Hi) ^ 1<<63
		}
	case types.UUID:
		for i := range out {
			out[i] = uint64(vals[c.at(i)].Hi)
		}
	default: // a time with a zone is compared in full
		clear(out)
	}
}

// stringPrefix returns the first 8 bytes of s, padded as its order wants.
func stringPrefix(s []byte, padded bool) uint64 {
	var x uint64
	for i := range 8 {
		x <<= 8
		if i < len(s) {
			x |= uint64(s[i])
		} else if padded {
			x |= ' '
		}
	}
	return x
}
