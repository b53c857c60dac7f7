package mem

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestClassSizes(t *testing.T) {
	for n, want := range map[int]int{
		1: 4096, 4095: 4096, 4096: 4096, 4097: 5120, 5120: 5120, 5121: 6144, 6145: 7168, 7169: 8192, 8192: 8192, 8193: 10240,
		1 << 20: 1 << 20, 1<<20 + 1: 5 << 18, 3 << 30: 3 << 30,
	} {
		if got := classSize(n); got != want {
			t.Errorf("%d bytes take a slab of %d, want %d", n, got, want)
		}
	}
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	for range 10_000 {
		n := 1 + r.IntN(1<<r.IntN(40))
		size := classSize(n)
		if size < n || classSize(size) != size || n > minSlab && size-n > size/4 {
			t.Fatalf("seed %d: %d bytes take a slab of %d", seed, n, size)
		}
		if c := class(size); c < 0 || c >= classes || 1<<c < size || 1<<c >= 2*size {
			t.Fatalf("a slab of %d is of class %d", size, c)
		}
	}
}

// take takes slabs of the given sizes from an account over a pool.
func take(t *testing.T, a *Account, sizes ...int) []*Buf {
	t.Helper()
	var out []*Buf
	for _, n := range sizes {
		b, err := a.Alloc(n)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	return out
}

func checkPool(t *testing.T, what string, p *Pool, out, slabs, held int64) {
	t.Helper()
	if p.Out() != out || p.Slabs() != slabs || p.Held() != held {
		t.Errorf("%s: %d bytes in %d slabs out, %d held; want %d in %d, %d", what, p.Out(), p.Slabs(), p.Held(), out, slabs, held)
	}
}

func TestSlabsAreReusedBySize(t *testing.T) {
	p := NewPool()
	a := NewRoot("test", 0, p)
	bufs := take(t, a, 4096, 5000, 6000)
	checkPool(t, "taken", p, 4096+5120+6144, 3, 4096+5120+6144)
	where := &bufs[1].B[0]
	for _, b := range bufs {
		b.Release()
	}
	checkPool(t, "released", p, 0, 0, 4096+5120+6144)
	again := take(t, a, 5120)
	if &again[0].B[0] != where {
		t.Error("a slab of the same size was not reused")
	}
	checkPool(t, "reused", p, 5120, 1, 4096+5120+6144)
	more := take(t, a, 7000)
	checkPool(t, "of another size in the same class", p, 5120+7168, 2, 4096+5120+6144+7168)
	again[0].Release()
	more[0].Release()
}

func TestTrimReturnsIdleSlabsOnly(t *testing.T) {
	p := NewPool()
	a := NewRoot("test", 0, p)
	bufs := take(t, a, 4096, 1<<20, 4<<20)
	bufs[0].Release()
	bufs[1].Release()
	p.Trim(time.Hour)
	checkPool(t, "nothing is idle for an hour", p, 4<<20, 1, 4096+5<<20)
	p.Trim(0)
	checkPool(t, "trimmed", p, 4<<20, 1, 4<<20)
	bufs[2].B[0] = 1 // still mapped
	bufs[2].Release()
	p.Trim(0)
	checkPool(t, "all trimmed", p, 0, 0, 0)
	take(t, a, 4096)[0].Release()
	checkPool(t, "taken again", p, 0, 0, 4096)
}

func TestPoisonOverwritesWhatIsReleased(t *testing.T) {
	for _, poisons := range []bool{false, true} {
		p := NewPool()
		p.Poison = poisons
		b := take(t, NewRoot("test", 0, p), 100)[0]
		copy(b.B, "use after release")
		kept := b.B
		b.Release()
		if got := bytes.Equal(kept[:3], []byte{poison, poison, poison}); got != poisons {
			t.Errorf("poisons: %v, but the slab holds %x", poisons, kept[:3])
		}
	}
}

// leak takes a slab that a test then looks for.
func leak(t *testing.T, a *Account, n int) *Buf { return take(t, a, n)[0] }

func TestLeaksNamesWhoTookWhatIsOut(t *testing.T) {
	p := NewPool()
	p.Trace = true
	a := NewRoot("test", 0, p)
	before := leak(t, a, 4096)
	mark := p.Mark()
	if got := p.Leaks(mark); got != "" {
		t.Errorf("before anything was taken: %s", got)
	}
	released, one, two := leak(t, a, 100), leak(t, a, 5000), leak(t, a, 9000)
	released.Release()
	if err := two.Grow(50_000); err != nil { // takes another
		t.Fatal(err)
	}
	got := p.Leaks(mark)
	for _, want := range []string{"mem.leak:", "5120 bytes taken by", fmt.Sprint(two.Cap(), " bytes taken by"), "TestLeaksNamesWhoTookWhatIsOut"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	if n := strings.Count(got, "taken by"); n != 2 || strings.Contains(got, "10240 bytes") {
		t.Errorf("%d slabs are listed:\n%s", n, got)
	}
	if n := strings.Count(p.Leaks(0), "taken by"); n != 3 {
		t.Errorf("%d slabs are out since the beginning", n)
	}
	for _, b := range []*Buf{before, one, two} {
		b.Release()
	}
	if got := p.Leaks(0); got != "" {
		t.Errorf("after all were released: %s", got)
	}
}

// TestPoolGivesEachSlabToOne has goroutines write their number all over what
// they hold and look whether it stays.
func TestPoolGivesEachSlabToOne(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	p := NewPool()
	p.Trace = true
	a := NewRoot("test", 0, p)
	var wg sync.WaitGroup
	for g := range 6 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(g)))
			for range 400 {
				b, err := a.Alloc(1 + r.IntN(20_000))
				if err != nil {
					t.Error(err)
					return
				}
				for i := range b.B {
					b.B[i] = byte(g)
				}
				if r.IntN(20) == 0 {
					p.Trim(0)
				}
				for i := range b.B {
					if b.B[i] != byte(g) {
						t.Errorf("goroutine %d found %d's byte", g, b.B[i])
						return
					}
				}
				b.Release()
			}
		})
	}
	wg.Wait()
	checkPool(t, "at the end", p, 0, 0, p.Held())
}
