package objstore

import (
	"math/bits"
	"sync"
)

// BufferPool is a BufferSource that keeps returned buffers for the next Get, in
// size classes of which each is a quarter of a power of two above the last: at
// most a quarter of a buffer is unused.
type BufferPool struct {
	maxIdle int64

	mu   sync.Mutex
	free map[int][][]byte // by capacity
	idle int64            // bytes in free
}

// NewBufferPool returns a pool that keeps up to maxIdle bytes of buffers that
// are not in use.
func NewBufferPool(maxIdle int64) *BufferPool {
	return &BufferPool{maxIdle: maxIdle, free: map[int][][]byte{}}
}

// classOf returns the capacity of the buffers that serve n bytes.
func classOf(n int) int {
	if n <= 4096 {
		return 4096
	}
	step := 1 << (bits.Len(uint(n-1)) - 3)
	return (n + step - 1) / step * step
}

// Get implements BufferSource. It never fails.
func (p *BufferPool) Get(n int) ([]byte, error) {
	class := classOf(n)
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.free[class]
	if len(list) == 0 {
		return make([]byte, class)[:n], nil
	}
	buf := list[len(list)-1]
	list[len(list)-1] = nil
	p.free[class] = list[:len(list)-1]
	p.idle -= int64(class)
	return buf[:n], nil
}

// Put implements BufferSource.
func (p *BufferPool) Put(buf []byte) {
	class := cap(buf)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.idle+int64(class) > p.maxIdle || class != classOf(class) {
		return
	}
	p.free[class] = append(p.free[class], buf[:class])
	p.idle += int64(class)
}
