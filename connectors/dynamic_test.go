package connectors

import (
	"math/rand/v2"
	"testing"
)

// bitsFilter returns the filter of the values, by bits or by a list.
func bitsFilter(values []int64, list bool) *DynamicFilter {
	lo, hi := values[0], values[0]
	f := &DynamicFilter{}
	for _, x := range values {
		lo, hi = min(lo, x), max(hi, x)
		if list {
			f.Values = append(f.Values, x)
		}
	}
	f.Min, f.Max = lo, hi
	if !list {
		f.Bits = NewBits(lo, hi, len(values))
		for _, x := range values {
			f.Bits[(x-lo)/64] |= 1 << ((x - lo) % 64)
		}
	}
	return f
}

func TestUniteBits(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	for range 300 {
		draw := func() (out []int64) {
			from := r.Int64N(1000) - 500
			for range 1 + r.IntN(20) {
				out = append(out, from+r.Int64N(300))
			}
			return out
		}
		x, y := draw(), draw()
		a, b := bitsFilter(x, r.IntN(3) == 0), bitsFilter(y, false)
		got := UniteBits(a, b)
		want := map[int64]bool{}
		for _, v := range append(x, y...) {
			want[v] = true
		}
		lo, hi := min(a.Min.(int64), b.Min.(int64)), max(a.Max.(int64), b.Max.(int64))
		for v := lo; v <= hi; v++ {
			if has := got[(v-lo)/64]>>((v-lo)%64)&1 != 0; has != want[v] {
				t.Fatalf("%v and %v: %d is in: %v", x, y, v, has)
			}
		}
	}
}

func TestUniteBitsUnknown(t *testing.T) {
	bits := bitsFilter([]int64{1, 5}, false)
	for name, f := range map[string]*DynamicFilter{
		"bounds only": {Min: int64(1), Max: int64(9)},
		"no bounds":   {Values: []any{int64(1)}},
		"strings":     {Min: int64(1), Max: int64(9), Values: []any{"a"}},
		"far apart":   bitsFilter([]int64{1 << 60}, false),
	} {
		if got := UniteBits(bits, f); got != nil {
			t.Errorf("%s: %v", name, got)
		}
	}
	if NewBits(-1<<62, 1<<62, 1<<30) != nil || NewBits(0, 1<<22, 10) != nil || NewBits(5, 4, 10) != nil {
		t.Error("bits for values far apart")
	}
	if len(NewBits(0, 1<<22, 1<<20)) != 1<<16+1 {
		t.Error("no bits for many values")
	}
}
