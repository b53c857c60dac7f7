package mem

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// takers remembers who took each slab that is out.
type takers struct {
	mu    sync.Mutex
	next  uint64
	slabs map[*byte]taker
}

type taker struct {
	number uint64 // in the order of taking
	size   int
	stack  []uintptr
}

func (t *takers) note(b []byte) {
	stack := make([]uintptr, 24)
	stack = stack[:runtime.Callers(4, stack)] // from the caller of Account.Alloc
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.slabs == nil {
		t.slabs = map[*byte]taker{}
	}
	t.next++
	t.slabs[&b[0]] = taker{number: t.next, size: len(b), stack: stack}
}

func (t *takers) forget(b []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.slabs, &b[0])
}

// Mark returns a point in time for Leaks.
func (p *Pool) Mark() uint64 {
	p.takers.mu.Lock()
	defer p.takers.mu.Unlock()
	return p.takers.next
}

// Leaks describes the slabs that were taken after the mark and are still out,
// with the calls that took them, "" if there are none. It needs Trace.
func (p *Pool) Leaks(mark uint64) string {
	p.takers.mu.Lock()
	defer p.takers.mu.Unlock()
	var found []taker
	for _, t := range p.takers.slabs {
		if t.number > mark {
			found = append(found, t)
		}
	}
	slices.SortFunc(found, func(a, b taker) int { return int(a.number) - int(b.number) })
	var out strings.Builder
	for _, t := range found {
		fmt.Fprintf(&out, "%d bytes taken by\n", t.size)
		frames := runtime.CallersFrames(t.stack)
		for more := true; more; {
			var f runtime.Frame
			f, more = frames.Next()
			fmt.Fprintf(&out, "  %s:%d\n", f.Function, f.Line)
		}
	}
	return out.String()
}
