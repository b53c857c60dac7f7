package op

import (
	"unsafe"

	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
)

// cells is a growing array in accounted memory that keeps its content, such as
// the state that an aggregate has for each group. T has no pointers. The zero
// cells is empty.
type cells[T any] struct {
	buf *mem.Buf
	// v are the cells made so far; growing may move them.
	v []T
}

// grow makes v at least n long. Cells that it adds are zero.
func (c *cells[T]) grow(a *mem.Account, n int) error {
	have := len(c.v)
	if n <= have {
		return nil
	}
	var zero T
	size := int(unsafe.Sizeof(zero))
	if c.buf == nil {
		b, err := a.Alloc(n * size)
		if err != nil {
			return err
		}
		c.buf = b
	} else if err := c.buf.Grow(n * size); err != nil {
		return err
	}
	c.v = unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(c.buf.B))), n)
	clear(c.v[have:])
	return nil
}

// room makes v exactly n long without promising its content.
func (c *cells[T]) room(a *mem.Account, n int) error {
	var zero T
	if size := n * int(unsafe.Sizeof(zero)); c.buf == nil || size > c.buf.Cap() {
		c.release()
		b, err := a.Alloc(max(size, 1))
		if err != nil {
			return err
		}
		c.buf = b
	}
	c.v = unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(c.buf.B))), n)
	return nil
}

// empty forgets all cells and keeps the memory.
func (c *cells[T]) empty() { c.v = c.v[:0] }

func (c *cells[T]) release() {
	c.buf.Release()
	c.buf, c.v = nil, nil
}

// seenCells is the state of aggregates that are null for groups without rows:
// a cell for each group, and whether the group has seen any row.
type seenCells[T any] struct {
	account *mem.Account
	vals    cells[T]
	seen    cells[uint8]
}

func (s *seenCells[T]) grow(n int) error {
	if err := s.vals.grow(s.account, n); err != nil {
		return err
	}
	return s.seen.grow(s.account, n)
}

func (s *seenCells[T]) reset() {
	s.vals.empty()
	s.seen.empty()
}

func (s *seenCells[T]) release() {
	s.vals.release()
	s.seen.release()
}

// countedCells is the state of means: a sum for each group and the number of
// its rows.
type countedCells[T vector.Fixed] struct {
	account *mem.Account
	sums    cells[T]
	counts  cells[int64]
}

func (s *countedCells[T]) grow(n int) error {
	if err := s.sums.grow(s.account, n); err != nil {
		return err
	}
	return s.counts.grow(s.account, n)
}

// state appends the sums and the counts.
func (s *countedCells[T]) state(list []uint32, out []*vector.Builder) error {
	if err := gatherCells(out[0], list, s.sums.v, nil); err != nil {
		return err
	}
	return gatherCells(out[1], list, s.counts.v, nil)
}

func (s *countedCells[T]) reset() {
	s.sums.empty()
	s.counts.empty()
}

func (s *countedCells[T]) release() {
	s.sums.release()
	s.counts.release()
}

// nullUncounted makes null the rows, from at on, of groups without rows.
func nullUncounted(out *vector.Builder, at int, list []uint32, counts []int64) {
	for i, g := range list {
		if counts[g] == 0 {
			out.SetNull(at + i)
		}
	}
}

// byteHeap holds byte strings, in chunks that never move.
type byteHeap struct {
	chunks []*mem.Buf
	// bufs are the chunks' bytes so far, as views refer to them.
	bufs [][]byte
	used int
}

// heapChunk bounds from below and above how much a heap takes at once; a
// string longer than that gets a chunk of its own.
const (
	heapChunkMin = 4 << 10
	heapChunkMax = 1 << 20
)

// room makes place for n bytes and says where it is.
func (h *byteHeap) room(a *mem.Account, n int) (dst []byte, buf, off int, err error) {
	if last := len(h.bufs) - 1; last >= 0 {
		if b := h.bufs[last]; len(b)+n <= cap(b) {
			off := len(b)
			h.bufs[last] = b[:off+n]
			return h.bufs[last][off:], last, off, nil
		}
	}
	size := min(max(h.used, heapChunkMin), heapChunkMax)
	c, err := a.Alloc(max(size, n))
	if err != nil {
		return nil, 0, 0, err
	}
	c.Resize(c.Cap())
	h.used += c.Cap()
	h.chunks = append(h.chunks, c)
	h.bufs = append(h.bufs, c.B[:n])
	return c.B[:n], len(h.bufs) - 1, 0, nil
}

func (h *byteHeap) release() {
	for _, c := range h.chunks {
		c.Release()
	}
	h.chunks, h.bufs, h.used = nil, nil, 0
}

// byteCells keeps a byte string for each group, which may be replaced. A
// string that fits where the one before lay takes its place; otherwise it gets
// twice the room it needs, so that what is wasted stays in proportion.
type byteCells struct {
	at   cells[byteCell]
	heap byteHeap
}

type byteCell struct {
	buf, off, len, cap uint32
}

// get returns group g's string, nil if it has none.
func (c *byteCells) get(g uint32) []byte {
	x := &c.at.v[g]
	if x.cap == 0 {
		return nil
	}
	return c.heap.bufs[x.buf][x.off : x.off+x.len : x.off+x.len]
}

// set makes b group g's string, copying it.
func (c *byteCells) set(a *mem.Account, g uint32, b []byte) error {
	dst, err := c.resize(a, g, len(b))
	copy(dst, b)
	return err
}

// resize makes group g's string n bytes long and returns it, its content
// undefined.
func (c *byteCells) resize(a *mem.Account, g uint32, n int) ([]byte, error) {
	x := &c.at.v[g]
	if int(x.cap) < n || x.cap == 0 {
		want := max(n, 1)
		if x.cap > 0 {
			want = 2 * n
		}
		dst, buf, off, err := c.heap.room(a, want)
		if err != nil {
			return nil, err
		}
		*x = byteCell{buf: uint32(buf), off: uint32(off), cap: uint32(len(dst))}
	}
	x.len = uint32(n)
	return c.heap.bufs[x.buf][x.off : x.off+x.len], nil
}

func (c *byteCells) empty() {
	c.at.empty()
	c.heap.release()
}

func (c *byteCells) release() {
	c.at.release()
	c.heap.release()
}
