package op

import (
	"math/bits"
	"unsafe"

	"github.com/tuttidb/tutti/exec/mem"
)

// number are the plain values that operators keep scratch arrays of.
type number interface {
	uint8 | uint16 | int32 | int64 | uint64
}

// slab is a scratch array in accounted memory. The zero slab is empty.
type slab[T number] struct {
	buf *mem.Buf
	v   []T
}

// grow makes v at least n long. What it held is lost if it has to move.
func (s *slab[T]) grow(a *mem.Account, n int) error {
	if len(s.v) >= n {
		return nil
	}
	s.release()
	n = 1 << bits.Len(uint(max(n, 512)-1))
	return s.alloc(a, n)
}

// alloc makes v exactly n long, n > 0, of undefined content.
func (s *slab[T]) alloc(a *mem.Account, n int) error {
	var zero T
	buf, err := a.Alloc(n * int(unsafe.Sizeof(zero)))
	if err != nil {
		return err
	}
	s.buf = buf
	s.v = unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(buf.B))), n)
	return nil
}

func (s *slab[T]) release() {
	s.buf.Release()
	s.buf, s.v = nil, nil
}
