package parquet

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// packBits packs values of width bits, least significant first.
func packBits(values []uint64, width int) []byte {
	out := make([]byte, (len(values)*width+7)/8)
	for i, v := range values {
		for k := range width {
			if v>>k&1 != 0 {
				bit := i*width + k
				out[bit/8] |= 1 << (bit % 8)
			}
		}
	}
	return out
}

// TestUnpack compares every way to unpack bits, of every width and at every
// offset, with packing by hand; buffers end where the values end.
func TestUnpack(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 13))
	for width := 1; width <= 64; width++ {
		values := make([]uint64, 200)
		for i := range values {
			values[i] = r.Uint64() & lowBits(width)
		}
		b := packBits(values, width)
		b = b[:len(b):len(b)]
		for i, want := range values {
			if got := loadBits(b, i*width, width); got != want {
				t.Fatalf("width %d: value %d is %d, want %d", width, i, got, want)
			}
		}
		if width > 32 {
			continue
		}
		for range 20 {
			at := r.IntN(len(values))
			dst := make([]int32, r.IntN(len(values)-at+1))
			unpackRun(dst, b, at, uint(width))
			for i, x := range dst {
				if uint32(x) != uint32(values[at+i]) {
					t.Fatalf("width %d: value %d of a run from %d is %d, want %d", width, i, at, uint32(x), values[at+i])
				}
			}
		}
	}
}

// TestHybridStream reads and skips runs of both kinds in pieces of any size.
func TestHybridStream(t *testing.T) {
	r := rand.New(rand.NewPCG(14, 14))
	for _, width := range []int{1, 2, 3, 7, 8, 13, 20, 30} {
		var b []byte
		var want []uint64
		for len(want) < 500 {
			if r.IntN(2) == 0 {
				v, n := r.Uint64()&lowBits(width), 1+r.IntN(40)
				b = append(b, byte(n<<1))
				for k := 0; k < (width+7)/8; k++ {
					b = append(b, byte(v>>(8*k)))
				}
				for range n {
					want = append(want, v)
				}
				continue
			}
			group := make([]uint64, 8*(1+r.IntN(5)))
			for i := range group {
				group[i] = r.Uint64() & lowBits(width)
			}
			b = append(append(b, byte(len(group)/8<<1|1)), packBits(group, width)...)
			want = append(want, group...)
		}
		var h hybrid
		h.reset(b, uint(width))
		for at := 0; at < len(want); {
			n := min(1+r.IntN(50), len(want)-at)
			if r.IntN(3) == 0 {
				if err := h.skip(n); err != nil {
					t.Fatal(err)
				}
				at += n
				continue
			}
			dst := make([]int32, n)
			if err := h.read(dst); err != nil {
				t.Fatal(err)
			}
			for i, x := range dst {
				if uint64(x) != want[at+i] {
					t.Fatalf("width %d: value %d is %d, want %d", width, at+i, x, want[at+i])
				}
			}
			at += n
		}
		if err := h.read(make([]int32, 1)); err == nil {
			t.Errorf("width %d: a value after the last", width)
		}
		var top uint64
		for _, v := range want {
			top = max(top, v)
		}
		for _, limit := range []int{int(top) + 1, int(top)} {
			h.reset(b, uint(width))
			err := h.readIndices(make([]int32, len(want)), limit)
			if fmt.Sprint(err != nil) != fmt.Sprint(limit <= int(top)) {
				t.Errorf("width %d: indices up to %d of a dictionary of %d: %v", width, top, limit, err)
			}
		}
	}
}
