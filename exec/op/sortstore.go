package op

import (
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// storeBits is how many bits of a row's number say its place in its chunk.
const storeBits = 16

// rowStore keeps rows column by column in chunks that never move. A row's
// number is its chunk's above and its place in it below.
type rowStore struct {
	account *mem.Account
	types   []types.Type
	chunks  []*storeChunk
	n       int
	rows    []int32
}

type storeChunk struct {
	builders []*vector.Builder
	cols     []*vector.Vector // once full or sealed
	n        int
}

func newRowStore(a *mem.Account, ts []types.Type) *rowStore {
	return &rowStore{account: a, types: ts}
}

// append copies the given rows of b, nil for all b.N.
func (s *rowStore) append(b *vector.Batch, rows []int32) error {
	for _, c := range b.Cols {
		if err := c.Load(rows); err != nil {
			return err
		}
	}
	if rows == nil && b.N <= s.space() {
		return s.appendSome(b, nil, b.N)
	}
	if rows == nil {
		rows = selection(s.rows, b)
		s.rows = rows
	}
	for len(rows) > 0 {
		n := min(len(rows), s.space())
		if err := s.appendSome(b, rows[:n], n); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// space is how many rows the chunk to append to takes.
func (s *rowStore) space() int {
	if len(s.chunks) == 0 {
		return 1 << storeBits
	}
	if left := 1<<storeBits - s.chunks[len(s.chunks)-1].n; left > 0 {
		return left
	}
	return 1 << storeBits
}

// appendSome appends n rows, which fit the chunk.
func (s *rowStore) appendSome(b *vector.Batch, rows []int32, n int) error {
	c := s.chunk()
	for i, col := range b.Cols {
		if err := appendRows(c.builders[i], col, rowsOf(col, rows, n)); err != nil {
			return err
		}
	}
	c.n += n
	s.n += n
	return nil
}

// rowsOf returns rows, or, of a null constant, any n, for which appendRows
// has no other way to tell.
func rowsOf(v *vector.Vector, rows []int32, n int) []int32 {
	if rows == nil && v.Enc == vector.Const {
		return zeroPlaces[:n]
	}
	return rows
}

// chunk returns the chunk to append to.
func (s *rowStore) chunk() *storeChunk {
	if k := len(s.chunks) - 1; k >= 0 && s.chunks[k].n < 1<<storeBits {
		return s.chunks[k]
	}
	c := &storeChunk{}
	for _, t := range s.types {
		c.builders = append(c.builders, vector.NewBuilder(s.account, t))
	}
	s.chunks = append(s.chunks, c)
	return c
}

// seal says that nothing is appended any more.
func (s *rowStore) seal() {
	for _, c := range s.chunks {
		c.cols = c.cols[:0]
		for _, b := range c.builders {
			c.cols = append(c.cols, b.Vector())
		}
	}
}

func (s *rowStore) release() {
	for _, c := range s.chunks {
		releaseAll(c.builders)
	}
	s.chunks, s.n = nil, 0
}

// gatherer copies rows of a sealed store, in any order, to vectors of its own.
// Long strings stay in the store, which has to outlive the vectors.
type gatherer struct {
	store *rowStore
	cols  []gatherColumn
	out   []*vector.Vector
}

type gatherColumn struct {
	builder *vector.Builder
	vec     vector.Vector
	src     []*vector.Vector // of each chunk
	nulls   bool
	heap    [][]byte // of all chunks
	heapAt  []int
	one     [1]int32
}

func newGatherer(s *rowStore) *gatherer {
	g := &gatherer{store: s, cols: make([]gatherColumn, len(s.types))}
	for k := range g.cols {
		c := &g.cols[k]
		c.builder = vector.NewBuilder(s.account, s.types[k])
		for _, chunk := range s.chunks {
			v := chunk.cols[k]
			c.src = append(c.src, v)
			c.nulls = c.nulls || v.Valid != nil
			c.heapAt = append(c.heapAt, len(c.heap))
			c.heap = append(c.heap, v.Heap...)
		}
	}
	return g
}

func (g *gatherer) release() {
	for k := range g.cols {
		g.cols[k].builder.Release()
	}
}

// gather returns the columns of the given rows, borrowed until the next call.
func (g *gatherer) gather(rows []uint32) ([]*vector.Vector, error) {
	g.out = g.out[:0]
	for k := range g.cols {
		v, err := g.cols[k].gather(rows)
		if err != nil {
			return nil, err
		}
		g.out = append(g.out, v)
	}
	return g.out, nil
}

func (c *gatherColumn) gather(rows []uint32) (*vector.Vector, error) {
	b := c.builder
	b.Reset()
	switch c.src[0].Type.Physical() {
	case types.PhysList, types.PhysMap, types.PhysStruct, types.PhysNull:
		return c.gatherNested(rows)
	}
	if _, err := b.Extend(len(rows)); err != nil {
		return nil, err
	}
	switch c.src[0].Type.Physical().Width() {
	case 1:
		pick(vector.Fill[uint8](b), c.src, rows)
	case 2:
		pick(vector.Fill[int16](b), c.src, rows)
	case 4:
		pick(vector.Fill[int32](b), c.src, rows)
	case 8:
		pick(vector.Fill[int64](b), c.src, rows)
	case 16:
		pick(vector.Fill[types.Int128](b), c.src, rows)
		if c.src[0].Type.Physical() == types.PhysBytes {
			c.rebase(vector.Fill[vector.View](b), rows)
		}
	}
	if c.nulls {
		for i, r := range rows {
			if c.src[r>>storeBits].IsNull(int(r & (1<<storeBits - 1))) {
				b.SetNull(i)
			}
		}
	}
	c.vec = *b.Vector()
	c.vec.Heap = c.heap
	return &c.vec, nil
}

// pick copies the rows' values.
func pick[T vector.Fixed](dst []T, src []*vector.Vector, rows []uint32) {
	if len(src) == 1 {
		vals := vector.Values[T](src[0])
		for i, r := range rows {
			dst[i] = vals[r]
		}
		return
	}
	var chunks [64][]T // of the lowest chunks, to save a look at the vector
	for i := range min(len(chunks), len(src)) {
		chunks[i] = vector.Values[T](src[i])
	}
	for i, r := range rows {
		if c := r >> storeBits; c < uint32(len(chunks)) {
			dst[i] = chunks[c][r&(1<<storeBits-1)]
		} else {
			dst[i] = vector.Values[T](src[c])[r&(1<<storeBits-1)]
		}
	}
}

// rebase makes views of long strings point into the heap of all chunks.
func (c *gatherColumn) rebase(views []vector.View, rows []uint32) {
	for i, r := range rows {
		if v := &views[i]; !v.IsInline() {
			buf, off := v.Ref()
			*v = v.Rebase(buf+c.heapAt[r>>storeBits], off)
		}
	}
}

func (c *gatherColumn) gatherNested(rows []uint32) (*vector.Vector, error) {
	for _, r := range rows {
		c.one[0] = int32(r & (1<<storeBits - 1))
		if err := c.builder.AppendRows(c.src[r>>storeBits], c.one[:]); err != nil {
			return nil, err
		}
	}
	return c.builder.Vector(), nil
}
