package mem

import (
	"fmt"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// minSlab is the smallest size class: below it the bookkeeping costs more
	// than the memory.
	minSlab = 4 << 10
	// hugePage is the size from which the system is asked for huge pages.
	hugePage = 2 << 20
	classes  = 48
	// poison fills released slabs in checking builds.
	poison = 0xDB
)

// Pool recycles slabs by size class, outside the Go heap: fresh pages cost 70
// to 100 ns a row to fault in, recycled ones nothing, and the collector never
// looks at them. It is safe for concurrent use.
type Pool struct {
	// Poison overwrites slabs on release, to show uses after it. Set it before
	// the first allocation.
	Poison bool
	// Trace keeps the stack that took each slab, for Leaks. It is slow and for
	// tests only. Set it before the first allocation.
	Trace bool

	free   [classes]freeList
	takers takers
	out    atomic.Int64
	held   atomic.Int64
	count  atomic.Int64
}

type freeList struct {
	mu    sync.Mutex
	slabs []freeSlab
}

type freeSlab struct {
	b     []byte
	since time.Time
}

// NewPool returns an empty pool.
func NewPool() *Pool { return &Pool{} }

// Out returns the bytes of slabs now in use, and Slabs how many there are.
func (p *Pool) Out() int64 { return p.out.Load() }

// Slabs returns how many slabs are in use.
func (p *Pool) Slabs() int64 { return p.count.Load() }

// Held returns the bytes taken from the system, in use or waiting for reuse.
func (p *Pool) Held() int64 { return p.held.Load() }

// classSize rounds n up to its size class: four classes a power of two, so
// that at most a fifth of a slab is unused.
func classSize(n int) int {
	if n <= minSlab {
		return minSlab
	}
	step := 1 << (bits.Len(uint(n-1)) - 3)
	return (n + step - 1) &^ (step - 1)
}

// class numbers the powers of two; the few sizes within one share a list.
func class(size int) int { return bits.Len(uint(size - 1)) }

func (p *Pool) get(size int) ([]byte, error) {
	b, err := p.slab(size)
	if err != nil {
		return nil, err
	}
	p.out.Add(int64(size))
	p.count.Add(1)
	if p.Trace {
		p.takers.note(b)
	}
	return b, nil
}

// slab returns a recycled or a fresh slab.
func (p *Pool) slab(size int) ([]byte, error) {
	if b := p.free[class(size)].take(size); b != nil {
		return b, nil
	}
	b, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("take %d bytes from the system: %w", size, err)
	}
	if size >= hugePage {
		_ = unix.Madvise(b, unix.MADV_HUGEPAGE) // advice only: slower without, never wrong
	}
	p.held.Add(int64(size))
	return b, nil
}

func (f *freeList) take(size int) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := len(f.slabs) - 1; i >= 0; i-- {
		if len(f.slabs[i].b) == size {
			b := f.slabs[i].b
			f.slabs = append(f.slabs[:i], f.slabs[i+1:]...)
			return b
		}
	}
	return nil
}

func (p *Pool) put(b []byte) {
	if p.Trace {
		p.takers.forget(b)
	}
	if p.Poison {
		for i := range b {
			b[i] = poison
		}
	}
	p.out.Add(-int64(len(b)))
	p.count.Add(-1)
	f := &p.free[class(len(b))]
	f.mu.Lock()
	f.slabs = append(f.slabs, freeSlab{b: b, since: time.Now()})
	f.mu.Unlock()
}

// Trim returns slabs to the system that nobody has used for idle. A process
// calls it now and then, so that memory taken by a burst does not stay.
func (p *Pool) Trim(idle time.Duration) {
	before := time.Now().Add(-idle)
	for i := range p.free {
		for _, b := range p.free[i].stale(before) {
			p.held.Add(-int64(len(b)))
			_ = unix.Munmap(b) // fails only for memory that is not a mapping
		}
	}
}

func (f *freeList) stale(before time.Time) (out [][]byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	kept := f.slabs[:0]
	for _, s := range f.slabs {
		if s.since.After(before) {
			kept = append(kept, s)
		} else {
			out = append(out, s.b)
		}
	}
	clear(f.slabs[len(kept):])
	f.slabs = kept
	return out
}
