package main

import (
	"math"
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/tuttidb/tutti/cmd/tutti/config"
)

// TestHeapBudget: a quarter beside the memory for queries, but never too
// little to plan in; the environment's word goes first.
func TestHeapBudget(t *testing.T) {
	for limit, want := range map[int64]int64{16 << 20: 256 << 20, 1 << 30: 256 << 20, 16 << 30: 4 << 30} {
		if got := heapBudget(limit); got != want {
			t.Errorf("%s has %s beside it, want %s", config.Size(limit), config.Size(got), config.Size(want))
		}
	}
	threads := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(threads)
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	cfg := &config.Config{Threads: 1, MemoryLimit: 8 << 30}
	t.Setenv("GOMEMLIMIT", "")
	newProcess(cfg)
	if got := debug.SetMemoryLimit(-1); got != 2<<30 {
		t.Errorf("the heap may have %d bytes", got)
	}
	debug.SetMemoryLimit(math.MaxInt64)
	t.Setenv("GOMEMLIMIT", "1GiB")
	newProcess(cfg)
	if got := debug.SetMemoryLimit(-1); got != math.MaxInt64 {
		t.Errorf("GOMEMLIMIT is overruled with %d bytes", got)
	}
}
