package vector

import (
	"fmt"

	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/sql/types"
)

// Chunks that hold long strings grow up to heapChunk, from a size at which
// many builders of few rows each cost little.
const (
	firstChunk = 4 << 10
	heapChunk  = 64 << 10
)

// Builder owns the memory of one flat vector and fills it row by row or in
// bulk. An operator keeps one for each output column, calls Reset for each
// batch and hands out Vector, which stays valid until the next Reset or
// Release. Errors are *mem.LimitError. A Builder is for one goroutine.
type Builder struct {
	v       Vector
	account *mem.Account
	width   int
	data    *mem.Buf
	offsets *mem.Buf
	valid   Bitmap
	hasNull bool
	heap    []*mem.Buf
	used    int // heap chunks in use
	kids    []*Builder
}

// NewBuilder returns an empty builder for type t, accounted to account.
func NewBuilder(account *mem.Account, t types.Type) *Builder {
	b := &Builder{account: account, width: t.Physical().Width()}
	b.v = Vector{Type: t, Enc: Flat}
	for _, e := range t.Elems() {
		kid := NewBuilder(account, e)
		b.kids = append(b.kids, kid)
		b.v.Kids = append(b.v.Kids, &kid.v)
	}
	return b
}

// Reset empties the builder; its memory is kept for the next rows.
func (b *Builder) Reset() {
	b.v.N, b.hasNull, b.used = 0, false, 0
	b.v.Valid, b.v.Heap = nil, b.v.Heap[:0]
	for _, k := range b.kids {
		k.Reset()
	}
}

// Len returns the number of rows so far.
func (b *Builder) Len() int { return b.v.N }

// Vector returns the rows so far as a flat vector that aliases the builder.
func (b *Builder) Vector() *Vector {
	v := &b.v
	if b.data != nil {
		v.Data = b.data.B[:v.N*b.width]
	}
	if b.hasNull {
		v.Valid = b.valid[:words(v.N)]
	}
	if b.offsets != nil {
		v.Offsets = Cast[int32](b.offsets.B)[:v.N+1]
	}
	for _, k := range b.kids {
		k.Vector()
	}
	return v
}

// Release gives the memory back. The builder may be used again after Reset.
func (b *Builder) Release() {
	b.data.Release()
	b.offsets.Release()
	for _, h := range b.heap {
		h.Release()
	}
	for _, k := range b.kids {
		k.Release()
	}
	b.data, b.offsets, b.heap, b.valid = nil, nil, nil, nil
	b.v.Data, b.v.Offsets, b.v.Heap = nil, nil, nil
	b.Reset()
}

// Extend appends n rows of undefined value, none of them null, and returns
// the index of the first. For fixed-width types the caller fills them through
// Fill; for strings and nested types use the Append methods instead.
func (b *Builder) Extend(n int) (int, error) {
	at := b.v.N
	if b.width > 0 {
		if err := grow(b.account, &b.data, (at+n)*b.width); err != nil {
			return 0, err
		}
	}
	if hasOffsets(b.v.Type) {
		if err := grow(b.account, &b.offsets, (at+n+1)*4); err != nil {
			return 0, err
		}
		if at == 0 {
			Cast[int32](b.offsets.B)[0] = 0
		}
	}
	if b.hasNull {
		b.growValid(at + n)
		for i := at; i < at+n; i++ {
			b.valid.Set(i)
		}
	}
	b.v.N += n
	return at, nil
}

// hasOffsets reports whether rows of t span a range of their children.
func hasOffsets(t types.Type) bool { return t.Kind == types.Array || t.Kind == types.Map }

// Fill returns the data of all rows so far for writing. It is invalidated by
// the next Extend or Append.
func Fill[T Fixed](b *Builder) []T { return Cast[T](b.data.B[:b.v.N*b.width]) }

func grow(account *mem.Account, buf **mem.Buf, n int) error {
	if *buf == nil {
		next, err := account.Alloc(max(n, 64))
		if err != nil {
			return err
		}
		*buf = next
	}
	return (*buf).Grow(n)
}

func (b *Builder) growValid(n int) {
	for len(b.valid) < words(n) {
		b.valid = append(b.valid, ^uint64(0))
	}
}

// SetNull makes row i null. Its value stays as it is and means nothing.
func (b *Builder) SetNull(i int) {
	if !b.hasNull {
		b.hasNull = true
		b.growValid(b.v.N)
		b.valid.SetAll()
	}
	b.growValid(b.v.N)
	b.valid.Clear(i)
}

// AppendNull appends a null row.
func (b *Builder) AppendNull() error {
	i, err := b.Extend(1)
	if err != nil {
		return err
	}
	if b.width > 0 {
		clear(b.data.B[i*b.width : (i+1)*b.width])
	}
	b.SetNull(i)
	switch b.v.Type.Physical() {
	case types.PhysList, types.PhysMap:
		b.closeRow(i)
	case types.PhysStruct:
		for _, k := range b.kids {
			if err := k.AppendNull(); err != nil {
				return err
			}
		}
	}
	return nil
}

// Append appends a fixed-width value.
func Append[T Fixed](b *Builder, x T) error {
	i, err := b.Extend(1)
	if err != nil {
		return err
	}
	Cast[T](b.data.B)[i] = x
	return nil
}

// AppendBytes appends a string, copying it.
func (b *Builder) AppendBytes(s []byte) error {
	i, err := b.Extend(1)
	if err != nil {
		return err
	}
	return b.SetBytes(i, s)
}

// SetBytes sets row i, which Extend has made, to the string s, copying it.
func (b *Builder) SetBytes(i int, s []byte) error {
	if len(s) <= InlineLen {
		Cast[View](b.data.B)[i] = InlineView(s)
		return nil
	}
	v, err := b.addHeap(s)
	if err != nil {
		return err
	}
	Cast[View](b.data.B)[i] = v
	return nil
}

// addHeap copies a long string to the heap.
func (b *Builder) addHeap(s []byte) (View, error) {
	dst, buf, off, err := b.room(len(s))
	if err != nil {
		return View{}, err
	}
	copy(dst, s)
	return HeapView(s, buf, off), nil
}

// room makes place for n heap bytes: where they lie, and how a view names it.
func (b *Builder) room(n int) (dst []byte, buf, off int, err error) {
	if b.used > 0 {
		last := b.v.Heap[b.used-1]
		if off := len(last); off+n <= cap(last) {
			last = last[:off+n]
			b.v.Heap[b.used-1] = last
			return last[off:], b.used - 1, off, nil
		}
	}
	if err := b.nextChunk(n); err != nil {
		return nil, 0, 0, err
	}
	chunk := b.heap[b.used]
	b.used++
	b.v.Heap = append(b.v.Heap, chunk.B[:n:chunk.Cap()])
	return b.v.Heap[b.used-1], b.used - 1, 0, nil
}

// nextChunk makes heap[used] a chunk of at least n bytes.
func (b *Builder) nextChunk(n int) error {
	for b.used < len(b.heap) {
		c := b.heap[b.used]
		if c.Cap() >= n {
			c.Resize(c.Cap())
			return nil
		}
		c.Release()
		b.heap = append(b.heap[:b.used], b.heap[b.used+1:]...)
	}
	c, err := b.account.Alloc(max(n, min(firstChunk<<min(len(b.heap), 4), heapChunk)))
	if err != nil {
		return err
	}
	c.Resize(c.Cap())
	b.heap = append(b.heap, c)
	return nil
}

// Kid returns the builder of the i-th child of a nested column. Append the
// children of a row first, then call CloseRow.
func (b *Builder) Kid(i int) *Builder { return b.kids[i] }

// CloseRow ends a row of an array, map or row column: what was appended to
// the children since the last row belongs to it.
func (b *Builder) CloseRow() error {
	i, err := b.Extend(1)
	if err != nil {
		return err
	}
	if b.v.Type.Physical() != types.PhysStruct {
		b.closeRow(i)
	}
	return nil
}

func (b *Builder) closeRow(i int) {
	Cast[int32](b.offsets.B)[i+1] = int32(b.kids[0].Len())
}

// AppendRows appends the given physical rows of src, whatever its encoding;
// nil rows means all. A lazy src is loaded for those rows.
func (b *Builder) AppendRows(src *Vector, rows []int32) error {
	if err := src.Load(rows); err != nil {
		return err
	}
	n := len(rows)
	if rows == nil {
		n = src.N
	}
	switch src.Type.Physical() {
	case types.PhysList, types.PhysMap, types.PhysStruct:
		return b.appendNested(src, rows, n)
	case types.PhysNull:
		return b.appendNulls(n)
	}
	at, err := b.Extend(n)
	if err != nil {
		return err
	}
	if err := b.copyNulls(src, rows, at, n); err != nil {
		return err
	}
	switch b.width {
	case 1:
		gather(Cast[uint8](b.data.B)[at:], src, rows)
	case 2:
		gather(Cast[int16](b.data.B)[at:], src, rows)
	case 4:
		gather(Cast[int32](b.data.B)[at:], src, rows)
	case 8:
		gather(Cast[int64](b.data.B)[at:], src, rows)
	case 16:
		gather(Cast[types.Int128](b.data.B)[at:], src, rows)
		if src.Type.Physical() == types.PhysBytes {
			return b.copyHeap(src, at, n)
		}
	default:
		return fmt.Errorf("append rows of type %s: no width", src.Type)
	}
	return nil
}

func (b *Builder) appendNulls(n int) error {
	for range n {
		if err := b.AppendNull(); err != nil {
			return err
		}
	}
	return nil
}

// copyNulls marks rows at.. null as src's rows are.
func (b *Builder) copyNulls(src *Vector, rows []int32, at, n int) error {
	if src.Valid == nil {
		return nil
	}
	for i := range n {
		r := i
		if rows != nil {
			r = int(rows[i])
		}
		if src.IsNull(r) {
			b.SetNull(at + i)
		}
	}
	return nil
}

// gather copies the rows' values to dst.
func gather[T Fixed](dst []T, src *Vector, rows []int32) {
	vals := Values[T](src.flat())
	switch {
	case src.Enc == Const:
		n := src.N
		if rows != nil {
			n = len(rows)
		}
		dst = dst[:n]
		for i := range dst {
			dst[i] = vals[0]
		}
	case src.Enc == Dict && rows == nil:
		for i, x := range src.Idx[:src.N] {
			dst[i] = vals[x]
		}
	case src.Enc == Dict:
		for i, r := range rows {
			dst[i] = vals[src.Idx[r]]
		}
	case rows == nil:
		copy(dst, vals[:src.N])
	default:
		for i, r := range rows {
			dst[i] = vals[r]
		}
	}
}

// copyHeap copies the long strings of the n views at row at, which still
// point into src's heap, to b's own heap.
func (b *Builder) copyHeap(src *Vector, at, n int) error {
	views := Cast[View](b.data.B)[at : at+n]
	heap := src.flat().Heap
	for i := range views {
		v := &views[i]
		if v.Len <= InlineLen {
			continue
		}
		if b.hasNull && !b.valid.Get(at+i) {
			*v = View{}
			continue
		}
		dst, buf, off, err := b.room(int(v.Len))
		if err != nil {
			return err
		}
		copy(dst, v.Bytes(heap))
		*v = v.Rebase(buf, off)
	}
	return nil
}

// appendNested appends rows of an array, map or row column one by one:
// nested columns are rare and never hot.
func (b *Builder) appendNested(src *Vector, rows []int32, n int) error {
	for i := range n {
		r := i
		if rows != nil {
			r = int(rows[i])
		}
		if src.IsNull(r) {
			if err := b.AppendNull(); err != nil {
				return err
			}
			continue
		}
		if err := b.appendNestedRow(src.flat(), src.At(r)); err != nil {
			return err
		}
	}
	return nil
}

func (b *Builder) appendNestedRow(src *Vector, r int) error {
	from, to := int32(r), int32(r+1)
	if src.Type.Physical() != types.PhysStruct {
		from, to = src.Offsets[r], src.Offsets[r+1]
	}
	span := make([]int32, 0, to-from)
	for i := from; i < to; i++ {
		span = append(span, i)
	}
	for k, kid := range b.kids {
		if err := kid.AppendRows(src.Kids[k], span); err != nil {
			return err
		}
	}
	return b.CloseRow()
}
