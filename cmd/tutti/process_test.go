package main

import (
	"math"
	"net"
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

// TestWebAddress: what other machines are told is an address that they can use.
func TestWebAddress(t *testing.T) {
	for _, c := range []struct{ listen, advertise, want string }{
		{"127.0.0.1:0", "", "127.0.0.1:"},
		{"127.0.0.1:0", "w1.example:8081", "127.0.0.1:"},
		{":0", "10.1.2.3:8081", "10.1.2.3:"},
		{"0.0.0.0:0", "w1.example:8081", "w1.example:"},
		{":0", "[2001:db8::1]:8081", "[2001:db8::1]:"},
		{":0", "", "[::]:"},
		{":0", "nonsense", "[::]:"},
	} {
		l, err := net.Listen("tcp", c.listen)
		if err != nil {
			t.Fatal(err)
		}
		_, port, _ := net.SplitHostPort(l.Addr().String())
		got := (&process{cfg: &config.Config{Advertise: c.advertise}}).webAddress(l)
		l.Close()
		if got != c.want+port {
			t.Errorf("%s advertised as %q: %s, want %s%s", c.listen, c.advertise, got, c.want, port)
		}
	}
}
