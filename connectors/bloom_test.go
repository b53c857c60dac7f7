package connectors

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestBloomHasWhatWasAdded(t *testing.T) {
	for _, n := range []int{0, 1, 25, 26, 1000, 50_000} {
		r := rand.New(rand.NewPCG(1, uint64(n)))
		bloom := NewBloom(n)
		in := make([]uint64, n)
		for i := range in {
			in[i] = r.Uint64()
			BloomAdd(bloom, in[i])
		}
		for _, h := range in {
			if !BloomHas(bloom, h) {
				t.Fatalf("%d values: hash %x was added and is not there", n, h)
			}
		}
		wrong := 0
		for range 10_000 {
			if BloomHas(bloom, r.Uint64()) {
				wrong++
			}
		}
		if wrong > 150 {
			t.Errorf("%d values: %d of 10000 others seem to be there", n, wrong)
		}
	}
}

func TestBloomUniteFoldsTheLargerFilter(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	small, large := NewBloom(100), NewBloom(9000)
	var in []uint64
	for i := range 1000 {
		h := r.Uint64()
		in = append(in, h)
		BloomAdd([][]uint64{small, large}[i%2], h)
	}
	for _, both := range [][]uint64{
		BloomUnite(slices.Clone(small), slices.Clone(large)),
		BloomUnite(slices.Clone(large), slices.Clone(small)),
	} {
		if len(both) != len(small) {
			t.Fatalf("united filter has %d words, want %d", len(both), len(small))
		}
		for _, h := range in {
			if !BloomHas(both, h) {
				t.Fatalf("hash %x got lost", h)
			}
		}
	}
}
