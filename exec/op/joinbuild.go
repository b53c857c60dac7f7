package op

import (
	"context"
	"math/bits"
	"time"

	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/kernel"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// chunkRows is the most rows of a chunk: the unit of parallel building.
const chunkRows = 1 << 16

// joinChunk is a run of build rows that one driver collected.
type joinChunk struct {
	cols  []*vector.Builder // Join.kept
	n     int
	first int // number of its first row in the table
}

func (c *joinChunk) release() { releaseAll(c.cols) }

// joinSink collects one driver's build rows.
type joinSink struct {
	waited
	j       *Join
	chunks  []*joinChunk
	input   int
	sawNull bool
	keys    keyBounds
	sel     []int32 // rows without null keys
	vecs    []*vector.Vector
	hashes  slab[uint64]
	closed  bool
}

// Build returns the sink of one build driver.
func (j *Join) Build() exec.Sink {
	s := &joinSink{j: j}
	s.keys.only = j.intKey()
	return s
}

// intKey returns the position in kept of the join's only key if that is an
// integer, else -1.
func (j *Join) intKey() int {
	if len(j.spec.RightKeys) != 1 {
		return -1
	}
	k := j.spec.RightKeys[0]
	if !isInt(j.spec.Right[k].Physical()) {
		return -1
	}
	return j.slot[k]
}

func isInt(p types.Physical) bool { return p >= types.PhysInt8 && p <= types.PhysInt64 }

// Add copies b's rows, without those that cannot matter. When nobody is left
// to probe, it wants no more.
func (s *joinSink) Add(_ context.Context, b *vector.Batch) (bool, error) {
	if s.j.wanted.Load() == 0 {
		return false, nil
	}
	s.input += b.Rows()
	for _, k := range s.j.kept {
		if err := b.Cols[k].Load(b.Sel); err != nil {
			return false, err
		}
	}
	sel, none := s.matchable(b)
	if none {
		return true, nil
	}
	if sel == nil && b.N <= chunkRows-s.tail() {
		return true, s.append(b, nil, b.N)
	}
	if sel == nil {
		sel = s.allRows(b.N)
	}
	for len(sel) > 0 {
		n := min(len(sel), chunkRows-s.tail())
		if err := s.append(b, sel[:n], n); err != nil {
			return false, err
		}
		sel = sel[n:]
	}
	return true, nil
}

// matchable returns the selection of b's rows to keep; none says that there
// are none.
func (s *joinSink) matchable(b *vector.Batch) (sel []int32, none bool) {
	sel = b.Sel
	for _, k := range s.j.spec.RightKeys {
		col := b.Cols[k]
		if !mayHaveNulls(col) {
			continue
		}
		if s.j.keepsNullKeys() {
			s.sawNull = s.sawNull || anyNull(col, b)
			continue
		}
		before := len(sel)
		if sel == nil {
			before = b.N
		}
		s.sel = notNull(s.sel, col, sel, b.N)
		sel = s.sel
		s.sawNull = s.sawNull || len(sel) < before
	}
	return sel, sel != nil && len(sel) == 0
}

// mayHaveNulls reports whether any row of v may be null.
func mayHaveNulls(v *vector.Vector) bool {
	return v.Valid != nil || v.Type.Physical() == types.PhysNull
}

// isNull is v.IsNull for columns of type unknown as well.
func isNull(v *vector.Vector, i int) bool {
	return v.Type.Physical() == types.PhysNull || v.IsNull(i)
}

func anyNull(v *vector.Vector, b *vector.Batch) bool {
	for i := range b.Rows() {
		if isNull(v, b.Row(i)) {
			return true
		}
	}
	return false
}

// notNull returns the rows of sel (nil: n rows) at which v is not null, in
// dst's memory, which may be sel's own.
func notNull(dst []int32, v *vector.Vector, sel []int32, n int) []int32 {
	if cap(dst) < n {
		dst = make([]int32, 0, max(n, vector.DefaultRows))
	}
	out := dst[:0]
	if sel == nil {
		for i := range n {
			if !isNull(v, i) {
				out = append(out, int32(i))
			}
		}
		return out
	}
	for _, r := range sel {
		if !isNull(v, int(r)) {
			out = append(out, r)
		}
	}
	return out
}

func (s *joinSink) allRows(n int) []int32 {
	s.sel = s.sel[:0]
	for i := range n {
		s.sel = append(s.sel, int32(i))
	}
	return s.sel
}

// tail returns how many rows the last chunk has; a full one if there is none.
func (s *joinSink) tail() int {
	if len(s.chunks) == 0 || s.chunks[len(s.chunks)-1].n == chunkRows {
		return 0
	}
	return s.chunks[len(s.chunks)-1].n
}

// append copies n rows, which fit, to the last chunk.
func (s *joinSink) append(b *vector.Batch, rows []int32, n int) error {
	c, err := s.chunk()
	if err != nil {
		return err
	}
	for i, k := range s.j.kept {
		if err := c.cols[i].AppendRows(b.Cols[k], rows); err != nil {
			return err
		}
	}
	s.keys.add(c, n)
	c.n += n
	return nil
}

// chunk returns the chunk to append to. The first grows with its rows, since
// most build sides are small; later ones get their room at once.
func (s *joinSink) chunk() (*joinChunk, error) {
	last := len(s.chunks) - 1
	if last >= 0 && s.chunks[last].n < chunkRows {
		return s.chunks[last], nil
	}
	c := &joinChunk{}
	s.chunks = append(s.chunks, c)
	for _, k := range s.j.kept {
		b := vector.NewBuilder(s.j.env.Account, s.j.spec.Right[k])
		c.cols = append(c.cols, b)
		if last < 0 {
			continue
		}
		if _, err := b.Extend(chunkRows); err != nil {
			return nil, err
		}
		b.Reset()
	}
	return c, nil
}

// Finish delivers the rows and helps to build the table.
func (s *joinSink) Finish(ctx context.Context) error {
	start := time.Now()
	err := s.j.deliver(ctx, s)
	s.since(start)
	if err != nil {
		return err
	}
	return s.j.fill(ctx, s)
}

// Close releases what was not delivered.
func (s *joinSink) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	for _, c := range s.chunks {
		c.release()
	}
	s.hashes.release()
	s.j.unref()
	return nil
}

// keyBounds are the smallest and largest value of an integer key.
type keyBounds struct {
	only     int // index in Join.kept; -1: the key is no single integer
	min, max int64
	any      bool
}

// add takes the last n rows of a chunk into account.
func (k *keyBounds) add(c *joinChunk, n int) {
	if k.only < 0 || n == 0 {
		return
	}
	v := c.cols[k.only].Vector()
	switch v.Type.Physical() {
	case types.PhysInt8:
		bound(k, vector.Values[int8](v)[c.n:], v.Valid, c.n)
	case types.PhysInt16:
		bound(k, vector.Values[int16](v)[c.n:], v.Valid, c.n)
	case types.PhysInt32:
		bound(k, vector.Values[int32](v)[c.n:], v.Valid, c.n)
	case types.PhysInt64:
		bound(k, vector.Values[int64](v)[c.n:], v.Valid, c.n)
	}
}

type integer interface{ int8 | int16 | int32 | int64 }

// bound widens k to vals, which are rows first and on of a column whose
// validity is valid.
func bound[T integer](k *keyBounds, vals []T, valid vector.Bitmap, first int) {
	for i, x := range vals {
		if valid != nil && !valid.Get(first+i) {
			continue
		}
		k.merge(int64(x), int64(x))
	}
}

func (k *keyBounds) merge(lo, hi int64) {
	if !k.any {
		k.min, k.max, k.any = lo, hi, true
		return
	}
	k.min, k.max = min(k.min, lo), max(k.max, hi)
}

// place moves chunk i's columns to their place in the table and inserts its
// keys into the index.
func (j *Join) place(i int, s *joinSink) error {
	c := j.chunks[i]
	for k := range j.cols {
		j.cols[k].place(c.cols[k].Vector(), i, c.first)
	}
	if err := j.insert(c, s); err != nil {
		return err
	}
	for k := range j.cols {
		if j.cols[k].moved() {
			c.cols[k].Release()
		}
	}
	return nil
}

// insert puts a chunk's keys into the index.
func (j *Join) insert(c *joinChunk, s *joinSink) error {
	if len(j.spec.RightKeys) == 0 || c.n == 0 {
		return nil
	}
	s.vecs = s.vecs[:0]
	for _, k := range j.spec.RightKeys {
		s.vecs = append(s.vecs, c.cols[j.slot[k]].Vector())
	}
	if j.index.dense {
		j.index.insertDense(s.vecs[0], c.first)
		return nil
	}
	if err := s.hashes.grow(j.env.Account, c.n); err != nil {
		return err
	}
	kernel.Hash(s.vecs, nil, c.n, s.hashes.v)
	j.index.insertHashed(s.hashes.v[:c.n], s.vecs, c.first)
	return nil
}

// joinColumn is one build column of all rows.
type joinColumn struct {
	base    vector.Vector // flat, without nulls
	valid   vector.Bitmap // nil: none is null
	data    *mem.Buf
	heapAt  []int           // where each chunk's heap begins in base.Heap
	builder *vector.Builder // nested types, which are appended one chunk after the other
}

// newColumn makes room for column i of all chunks. One chunk alone stays
// where it is.
func (j *Join) newColumn(i int, t types.Type) (joinColumn, error) {
	c := joinColumn{base: vector.Vector{Type: t, Enc: vector.Flat, N: j.rows}}
	if len(j.chunks) == 1 {
		v := j.chunks[0].cols[i].Vector()
		c.base = *v
		c.base.Valid, c.valid = nil, v.Valid
		return c, nil
	}
	if t.IsNested() {
		c.builder = vector.NewBuilder(j.env.Account, t)
		return c, nil
	}
	if w := t.Physical().Width(); w > 0 && j.rows > 0 {
		var err error
		if c.data, err = j.env.Account.Alloc(j.rows * w); err != nil {
			return c, err
		}
		c.base.Data = c.data.B
	}
	for _, chunk := range j.chunks {
		v := chunk.cols[i].Vector()
		c.heapAt = append(c.heapAt, len(c.base.Heap))
		c.base.Heap = append(c.base.Heap, v.Heap...)
		c.takeNulls(v, chunk.first, j.rows)
	}
	return c, nil
}

// takeNulls clears the bits of a chunk's null rows.
func (c *joinColumn) takeNulls(v *vector.Vector, first, rows int) {
	if v.Valid == nil {
		return
	}
	if c.valid == nil {
		c.valid = vector.NewBitmap(rows)
	}
	for w, word := range v.Valid {
		nulls := ^word
		if left := v.N - w*64; left < 64 {
			nulls &= 1<<uint(left) - 1
		}
		for ; nulls != 0; nulls &= nulls - 1 {
			c.valid.Clear(first + w*64 + bits.TrailingZeros64(nulls))
		}
	}
}

// place copies a chunk's values to rows first and on.
func (c *joinColumn) place(v *vector.Vector, chunk, first int) {
	if c.data == nil {
		return
	}
	w := v.Type.Physical().Width()
	copy(c.base.Data[first*w:], v.Data)
	at := c.heapAt[chunk]
	if v.Type.Physical() != types.PhysBytes || at == 0 {
		return
	}
	views := vector.Values[vector.View](&c.base)[first : first+v.N]
	for i := range views {
		if !views[i].IsInline() {
			buf, off := views[i].Ref()
			views[i] = views[i].Rebase(buf+at, off)
		}
	}
}

// finishColumn appends the chunks of a nested column.
func (j *Join) finishColumn(i int) error {
	c := &j.cols[i]
	if c.builder == nil {
		return nil
	}
	for _, chunk := range j.chunks {
		if err := c.builder.AppendRows(chunk.cols[i].Vector(), nil); err != nil {
			return err
		}
	}
	c.base = *c.builder.Vector()
	c.valid, c.base.Valid = c.base.Valid, nil
	return nil
}

func (c *joinColumn) isNull(i int) bool {
	return c.base.Type.Physical() == types.PhysNull || c.valid != nil && !c.valid.Get(i)
}

// moved reports whether place has left nothing in the chunks: long strings
// stay in their heaps, nested values wait for finishColumn.
func (c *joinColumn) moved() bool {
	return c.data != nil && c.base.Type.Physical() != types.PhysBytes
}

func (c *joinColumn) release() {
	c.data.Release()
	if c.builder != nil {
		c.builder.Release()
	}
}
