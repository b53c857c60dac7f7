package parquet

import (
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// sink owns the vector that a column's values of one batch are decoded into.
// It begins undecided; the first values make it a dictionary vector or a flat
// one, and a dictionary vector turns flat when a page without dictionary
// follows. nullsMay are handled by the caller (see spread).
type sink struct {
	account *allocator
	v       vector.Vector
	width   int
	mode    sinkMode
	want    int // rows of the batch
	data    *mem.Buf
	idx     *mem.Buf
	bits    vector.Bitmap // backs v.Valid
	zero    [16]byte      // backs the value of a constant null
}

type sinkMode uint8

const (
	undecided sinkMode = iota
	asDict
	asFlat
)

// begin empties the sink for n rows of type t.
func (s *sink) begin(t types.Type, width, n int) {
	s.mode, s.want, s.width = undecided, n, width
	s.v.Type, s.v.Enc, s.v.N = t, vector.Flat, n
	s.v.Valid, s.v.Base, s.v.Idx, s.v.Data = nil, nil, nil, nil
	s.v.Heap = s.v.Heap[:0]
}

func (s *sink) close() {
	s.data.Release()
	s.idx.Release()
	s.data, s.idx = nil, nil
}

// need makes *buf hold n bytes. Buffers are as large as the largest batch so
// far, so they stop growing soon.
func (s *sink) need(buf **mem.Buf, n int) ([]byte, error) {
	if *buf == nil || (*buf).Cap() < n {
		(*buf).Release()
		*buf = nil
		b, err := s.account.Alloc(max(n, 64))
		if err != nil {
			return nil, err
		}
		*buf = b
	}
	(*buf).Resize(n)
	return (*buf).B, nil
}

// toDict makes the sink a dictionary vector over p's dictionary, if it is
// undecided; at rows, all null, come before. It reports whether it is one.
func (s *sink) toDict(p *pages, at int) (bool, error) {
	if s.mode != undecided {
		return s.mode == asDict, nil
	}
	idx, err := s.need(&s.idx, s.want*4)
	if err != nil {
		return false, err
	}
	s.mode = asDict
	s.v.Idx, s.v.Base = vector.Cast[int32](idx), p.dict
	clear(s.v.Idx[:at])
	return true, nil
}

// toFlat makes the sink a flat vector; its first at rows stay what they are.
func (s *sink) toFlat(p *pages, at int) error {
	if s.mode == asFlat {
		return nil
	}
	data, err := s.need(&s.data, s.want*s.width)
	if err != nil {
		return err
	}
	was := s.mode
	s.mode, s.v.Data = asFlat, data
	if len(s.v.Heap) == 0 {
		// Entry 0 is the dictionary's heap, so that its views can be copied.
		s.v.Heap = append(s.v.Heap, nil)
	}
	if was == undecided {
		clear(data[:at*s.width])
		return nil
	}
	s.gather(data, p.dict, s.v.Idx[:at])
	s.v.Idx, s.v.Base = nil, nil
	return nil
}

// gather writes the dictionary entries at idx to dst, flat.
func (s *sink) gather(dst []byte, dict *vector.Vector, idx []int32) {
	if len(idx) == 0 {
		return
	}
	switch s.width {
	case 1:
		pick(dst, dict.Data, idx)
	case 2:
		pick(vector.Cast[int16](dst), vector.Cast[int16](dict.Data), idx)
	case 4:
		pick(vector.Cast[int32](dst), vector.Cast[int32](dict.Data), idx)
	case 8:
		pick(vector.Cast[int64](dst), vector.Cast[int64](dict.Data), idx)
	case 16:
		pick(asWords(dst), asWords(dict.Data), idx)
		s.v.Heap[0] = dict.Heap[0]
	}
}

func pick[T any](dst, from []T, idx []int32) {
	if len(from) == 0 {
		return // all rows are null
	}
	for i, x := range idx {
		dst[i] = from[x]
	}
}

// values decodes the next m values of p's opened page, to rows at.. .
func (s *sink) values(p *pages, at, m int) error {
	v := &p.vals
	if v.kind == valDict {
		return s.dictValues(p, at, m)
	}
	if s.borrow(p, at, m) {
		return nil
	}
	if err := s.toFlat(p, at); err != nil {
		return err
	}
	dst := s.v.Data[at*s.width : (at+m)*s.width]
	switch {
	case v.kind == valDelta:
		return s.deltaValues(p, dst, m)
	case v.kind == valRLEBool:
		return boolRuns(&v.runs, dst)
	case p.layout.src == srcBool:
		err := plainBools(dst, v.b, v.at)
		v.at += m
		return err
	case p.layout.src == srcFixed:
		n := m * p.layout.srcW
		if n > len(v.b)-v.at {
			return corrupt("values are cut off")
		}
		src := v.b[v.at:]
		v.at += n
		return p.convert(dst, src, m)
	}
	return s.stringValues(p, dst, m)
}

// borrow makes the vector's data the page itself where nothing needs to be
// done to it: a whole batch of PLAIN numbers of the right form.
func (s *sink) borrow(p *pages, at, m int) bool {
	v := &p.vals
	n := m * s.width
	if s.mode != undecided || at != 0 || m != s.want || v.kind != valPlain || !p.layout.identity() || n > len(v.b)-v.at {
		return false
	}
	src := v.b[v.at : v.at+n : v.at+n]
	if !aligned(src, s.width) {
		return false
	}
	s.mode, s.v.Data = asFlat, src
	v.at += n
	p.pinned = true
	return true
}

// dictValues decodes indices, or gathers what they stand for into a vector
// that is flat already.
func (s *sink) dictValues(p *pages, at, m int) error {
	dict, err := s.toDict(p, at)
	if err != nil {
		return err
	}
	if !dict {
		buf, err := s.need(&s.idx, m*4)
		if err != nil {
			return err
		}
		idx := vector.Cast[int32](buf)[:m]
		if err := p.vals.runs.readIndices(idx, p.dict.N); err != nil {
			return err
		}
		s.gather(s.v.Data[at*s.width:], p.dict, idx)
		return nil
	}
	return p.vals.runs.readIndices(s.v.Idx[at:at+m], p.dict.N)
}

// deltaValues decodes DELTA_BINARY_PACKED numbers.
func (s *sink) deltaValues(p *pages, dst []byte, m int) error {
	if p.leaf.Kind == KindInt64 && p.layout.conv == nil {
		return p.vals.ints.read(vector.Cast[int64](dst))
	}
	if p.leaf.Kind == KindInt64 {
		buf, err := p.room(&p.scratch, m*8)
		if err != nil {
			return err
		}
		if err := p.vals.ints.read(vector.Cast[int64](buf)); err != nil {
			return err
		}
		return p.convert(dst, buf, m)
	}
	if p.layout.conv == nil {
		return readInt32s(&p.vals.ints, vector.Cast[int32](dst))
	}
	buf, err := p.room(&p.scratch, m*4)
	if err != nil {
		return err
	}
	if err := readInt32s(&p.vals.ints, vector.Cast[int32](buf)); err != nil {
		return err
	}
	return p.convert(dst, buf, m)
}

// boolRuns decodes booleans in runs.
func boolRuns(runs *hybrid, dst []byte) error {
	var part [256]int32
	for len(dst) > 0 {
		k := min(len(part), len(dst))
		if err := runs.read(part[:k]); err != nil {
			return err
		}
		for i, x := range part[:k] {
			dst[i] = uint8(x)
		}
		dst = dst[k:]
	}
	return nil
}

// stringValues decodes strings to views, or to the numbers they stand for.
func (s *sink) stringValues(p *pages, dst []byte, m int) error {
	if p.layout.fromBytes == nil {
		if p.heapAt < 0 {
			p.heapAt = len(s.v.Heap)
			s.v.Heap = append(s.v.Heap, p.body)
			p.pinned = true
		}
		return p.views(asWords(dst), p.heapAt)
	}
	buf, err := p.room(&p.scratch, m*16)
	if err != nil {
		return err
	}
	if err := p.views(asWords(buf), 0); err != nil {
		return err
	}
	return p.layout.fromBytes(dst, vector.Cast[vector.View](buf), [][]byte{p.body})
}

// views decodes len(dst) strings to views of heap buffer heap.
func (p *pages) views(dst []viewWords, heap int) (err error) {
	v := &p.vals
	switch {
	case v.kind == valLengths:
		n := len(dst)
		if n > len(v.lens) {
			return corrupt("there are fewer strings than expected")
		}
		v.at, err = lengthViews(dst, v.lens[:n], v.b, v.at, heap)
		v.lens = v.lens[n:]
		return err
	case p.layout.src == srcFixedBytes:
		n := len(dst) * p.layout.srcW
		if n > len(v.b)-v.at {
			return corrupt("values are cut off")
		}
		fixedViews(dst, v.b, v.at, p.layout.srcW, heap)
		v.at += n
		return nil
	}
	v.at, err = plainViews(dst, v.b, v.at, heap)
	return err
}

// spread moves the m values at row at.. to those of the n rows from there on
// that valid marks, and leaves what is safe to look at in the others.
func (s *sink) spread(p *pages, at, n, m int) error {
	if m == n {
		return nil
	}
	if s.mode == undecided {
		return nil // no value so far
	}
	if s.mode == asDict {
		spread(s.v.Idx[at:at+n], m, s.v.Valid, at)
		return nil
	}
	data := s.v.Data[at*s.width : (at+n)*s.width]
	switch s.width {
	case 1:
		spread(data, m, s.v.Valid, at)
	case 2:
		spread(vector.Cast[int16](data), m, s.v.Valid, at)
	case 4:
		spread(vector.Cast[int32](data), m, s.v.Valid, at)
	case 8:
		spread(vector.Cast[int64](data), m, s.v.Valid, at)
	case 16:
		spread(asWords(data), m, s.v.Valid, at)
	}
	return nil
}

// spread moves the first m entries of data to the entries whose bits, from
// bit at on, are set in valid. It runs backwards, in place. Entries of nulls
// repeat a neighbor's value, or are zero.
func spread[T any](data []T, m int, valid vector.Bitmap, at int) {
	j := m - 1
	i := len(data) - 1
	for ; i > j && j >= 0; i-- {
		data[i] = data[j]
		j -= int(valid[(at+i)>>6] >> (uint(at+i) & 63) & 1)
	}
	if j < 0 {
		clear(data[:i+1])
	}
}

// finish completes the vector of n rows, of which nulls are null.
func (s *sink) finish(n, nulls int) *vector.Vector {
	v := &s.v
	if nulls == 0 {
		v.Valid = nil
	}
	if s.mode == undecided && n > 0 {
		// Not one value: a constant null.
		v.Enc, v.Data = vector.Const, s.zero[:s.width]
		v.Valid = s.bits[:1]
		v.Valid[0] = 0
		return v
	}
	if s.mode == asDict {
		v.Enc = vector.Dict
	}
	return v
}

// validity returns the bitmap of the batch's n rows, for writing.
func (s *sink) validity(n int) vector.Bitmap {
	s.bits = s.bits.Resize(max(n, 1))
	s.v.Valid = s.bits
	return s.bits
}
