package kernel

import (
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// arenaChunk is the size of the chunks that hold a slot's long strings.
const arenaChunk = 32 << 10

// slot owns the memory of one result vector and is filled anew each batch.
type slot struct {
	account *mem.Account
	v       vector.Vector
	data    *mem.Buf
	idx     *mem.Buf
	valid   vector.Bitmap
	owned   bool // v.Valid is valid, not another vector's
	chunks  []*mem.Buf
	used    int // chunks in use
	last    int // place of the last used chunk in v.Heap; -1: none
	builder *vector.Builder
	dict    vector.Vector // a dictionary vector over v
}

// begin makes the slot a flat vector of n rows without nulls, of undefined
// value. Nested types go through build instead.
func (s *slot) begin(t types.Type, n int) error {
	width := t.Physical().Width()
	if err := s.room(&s.data, max(n*width, 16)); err != nil {
		return err
	}
	s.v.Type, s.v.Enc, s.v.N = t, vector.Flat, n
	s.v.Data = s.data.B[:n*width]
	s.v.Valid, s.owned = nil, false
	s.v.Heap, s.used, s.last = s.v.Heap[:0], 0, -1
	return nil
}

func (s *slot) room(buf **mem.Buf, n int) error {
	if *buf == nil {
		b, err := s.account.Alloc(n)
		*buf = b
		return err
	}
	if n > (*buf).Cap() {
		next, err := s.account.Alloc(n)
		if err != nil {
			return err
		}
		(*buf).Release()
		*buf = next
		return nil
	}
	(*buf).Resize(n)
	return nil
}

// out returns the slot's data for writing.
func out[T vector.Fixed](s *slot) []T { return vector.Values[T](&s.v) }

// setValid makes valid, which is another vector's, the slot's validity.
func (s *slot) setValid(valid vector.Bitmap) { s.v.Valid, s.owned = valid, false }

// setNull makes row i null.
func (s *slot) setNull(i int) {
	if !s.owned {
		from := s.v.Valid
		s.valid = s.valid.Resize(s.v.N)
		if from == nil {
			s.valid.SetAll()
		} else {
			copy(s.valid, from)
		}
		s.v.Valid, s.owned = s.valid, true
	}
	s.v.Valid.Clear(i)
}

// putBytes sets row i to a copy of b.
func (s *slot) putBytes(i int, b []byte) error {
	views := out[vector.View](s)
	if len(b) <= vector.InlineLen {
		views[i] = vector.InlineView(b)
		return nil
	}
	dst, buf, off, err := s.alloc(len(b))
	if err != nil {
		return err
	}
	copy(dst, b)
	views[i] = vector.HeapView(dst, buf, off)
	return nil
}

// alloc makes place for n heap bytes; buf and off are what a view names.
func (s *slot) alloc(n int) (dst []byte, buf, off int, err error) {
	if s.last >= 0 {
		chunk := s.v.Heap[s.last]
		if off := len(chunk); off+n <= cap(chunk) {
			s.v.Heap[s.last] = chunk[:off+n]
			return chunk[off : off+n], s.last, off, nil
		}
	}
	if err := s.nextChunk(n); err != nil {
		return nil, 0, 0, err
	}
	b := s.chunks[s.used]
	s.used++
	s.last = len(s.v.Heap)
	s.v.Heap = append(s.v.Heap, b.B[:n:b.Cap()])
	return s.v.Heap[s.last], s.last, 0, nil
}

// nextChunk makes chunks[used] one of at least n bytes.
func (s *slot) nextChunk(n int) error {
	for s.used < len(s.chunks) {
		if c := s.chunks[s.used]; c.Cap() >= n {
			c.Resize(c.Cap())
			return nil
		}
		s.chunks[s.used].Release()
		s.chunks = append(s.chunks[:s.used], s.chunks[s.used+1:]...)
	}
	c, err := s.account.Alloc(max(n, arenaChunk))
	if err != nil {
		return err
	}
	c.Resize(c.Cap())
	s.chunks = append(s.chunks, c)
	return nil
}

// shareHeap makes the buffers of another heap reachable from the slot's views
// and returns the number to add to their buffer indices.
func (s *slot) shareHeap(heap [][]byte) int {
	base := len(s.v.Heap)
	s.v.Heap = append(s.v.Heap, heap...)
	return base
}

// build returns the slot's builder, empty, for a nested type.
func (s *slot) build(t types.Type) *vector.Builder {
	if s.builder == nil {
		s.builder = vector.NewBuilder(s.account, t)
	}
	s.builder.Reset()
	return s.builder
}

// asConst turns the slot's first row into a constant of n rows.
func (s *slot) asConst(v *vector.Vector, n int) *vector.Vector {
	s.dict = *v
	s.dict.Enc, s.dict.N = vector.Const, n
	if v.IsNull(0) {
		return &s.dict
	}
	s.dict.Valid = nil
	return &s.dict
}

// release gives the slot's memory back.
func (s *slot) release() {
	s.data.Release()
	s.idx.Release()
	for _, c := range s.chunks {
		c.Release()
	}
	if s.builder != nil {
		s.builder.Release()
	}
	*s = slot{account: s.account}
}

// flatten returns v as a flat vector (or v itself when it is flat already),
// right for the rows in sel. The result shares v's heap.
func flatten(v *vector.Vector, sel []int32, s *slot) (*vector.Vector, error) {
	if v.Enc == vector.Flat {
		return v, nil
	}
	if v.Type.IsNested() {
		return flattenNested(v, sel, s)
	}
	if err := s.begin(v.Type, v.N); err != nil {
		return nil, err
	}
	if v.Enc == vector.Const && v.IsNull(0) {
		s.valid = s.valid.Resize(v.N).ClearAll()
		s.v.Valid, s.owned = s.valid, true
		clear(s.v.Data)
		return &s.v, nil
	}
	if v.Enc == vector.Dict {
		s.setValid(v.Valid)
		if v.Base.N == 0 { // every row is null
			return &s.v, nil
		}
	}
	switch v.Type.Physical().Width() {
	case 1:
		spread(out[uint8](s), v, sel)
	case 2:
		spread(out[int16](s), v, sel)
	case 4:
		spread(out[int32](s), v, sel)
	case 8:
		spread(out[int64](s), v, sel)
	case 16:
		spread(out[types.Int128](s), v, sel)
		s.v.Heap = append(s.v.Heap, holder(v).Heap...)
	}
	return &s.v, nil
}

// holder returns the vector that has v's values: its dictionary or itself.
func holder(v *vector.Vector) *vector.Vector {
	if v.Enc == vector.Dict {
		return v.Base
	}
	return v
}

// spread writes the values of a dictionary or constant vector to dst.
func spread[T vector.Fixed](dst []T, v *vector.Vector, sel []int32) {
	vals := vector.Values[T](holder(v))
	switch {
	case v.Enc == vector.Const:
		for i := range dst {
			dst[i] = vals[0]
		}
	case sel == nil:
		for i, x := range v.Idx[:len(dst)] {
			dst[i] = vals[x]
		}
	default:
		for _, i := range sel {
			dst[i] = vals[v.Idx[i]]
		}
	}
}

func flattenNested(v *vector.Vector, sel []int32, s *slot) (*vector.Vector, error) {
	b := s.build(v.Type)
	if sel == nil {
		if err := b.AppendRows(v, nil); err != nil {
			return nil, err
		}
		return b.Vector(), nil
	}
	var one [1]int32
	next := 0
	for i := range v.N {
		var err error
		if next < len(sel) && int(sel[next]) == i {
			next++
			one[0] = int32(i)
			err = b.AppendRows(v, one[:])
		} else {
			err = b.AppendNull()
		}
		if err != nil {
			return nil, err
		}
	}
	return b.Vector(), nil
}
