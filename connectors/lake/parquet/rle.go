package parquet

import (
	"encoding/binary"
	"math"
	"math/bits"
	"unsafe"

	"github.com/tuttidb/tutti/exec/vector"
)

// hybrid decodes Parquet's RLE / bit-packing hybrid: levels, dictionary
// indices and booleans. It is a stream: read and skip continue where the last
// call ended, also within a run.
type hybrid struct {
	b     []byte // what follows the current run
	width uint
	left  int    // values left in the current run
	rle   bool   // the run repeats value; else it is packed:
	value uint32 // of an RLE run
	run   []byte // of a packed run, from its first value on
	at    int    // values of the packed run that were read
}

// reset starts decoding b with the given width in bits, at most 32.
func (h *hybrid) reset(b []byte, width uint) { *h = hybrid{b: b, width: width} }

// next moves to the next run.
func (h *hybrid) next() error {
	header, n := binary.Uvarint(h.b)
	if n <= 0 || header>>1 == 0 && header != 0 || header>>1 > 1<<31 {
		return corrupt("a run of levels or indices is damaged or missing")
	}
	h.b = h.b[n:]
	bytes := int(h.width+7) / 8
	if h.rle = header&1 == 0; h.rle {
		if len(h.b) < bytes {
			return corrupt("a run of levels or indices is cut off")
		}
		var word [4]byte
		copy(word[:], h.b[:bytes])
		h.value = binary.LittleEndian.Uint32(word[:])
		if h.width < 32 && h.value>>h.width != 0 {
			return corrupt("a run repeats a value of more than %d bits", h.width)
		}
		h.b, h.left = h.b[bytes:], int(header>>1)
		return nil
	}
	h.left = int(header>>1) * 8
	h.at = 0
	// The last run of a page may be cut short where its values end.
	size := min(h.left/8*int(h.width), len(h.b))
	h.run, h.b = h.b[:size], h.b[size:]
	if h.width > 0 {
		h.left = min(h.left, size*8/int(h.width))
	}
	return nil
}

// take makes sure that the current run has values and returns how many of n
// are in it.
func (h *hybrid) take(n int) (int, error) {
	for tries := 0; h.left == 0; tries++ {
		if tries > 0 && len(h.b) == 0 {
			return 0, corrupt("there are fewer levels or indices than values")
		}
		if err := h.next(); err != nil {
			return 0, err
		}
	}
	return min(n, h.left), nil
}

// advance passes over k values of the current run.
func (h *hybrid) advance(k int) {
	h.left -= k
	h.at += k
}

// read fills dst with values of fewer than 31 bits.
func (h *hybrid) read(dst []int32) error { return h.readIndices(dst, math.MaxInt32) }

// skip passes over n values.
func (h *hybrid) skip(n int) error {
	for n > 0 {
		k, err := h.take(n)
		if err != nil {
			return err
		}
		h.advance(k)
		n -= k
	}
	return nil
}

func fill[T any](dst []T, x T) {
	for i := range dst {
		dst[i] = x
	}
}

// unpackRun unpacks len(dst) values from value number at of a packed run on,
// all of which are there.
func unpackRun(dst []int32, run []byte, at int, width uint) {
	if width == 0 {
		clear(dst)
		return
	}
	for len(dst) > 0 && at&7 != 0 {
		dst[0] = int32(packed(run, at, width))
		dst, at = dst[1:], at+1
	}
	b := run[at/8*int(width):]
	for len(dst) >= 64 && len(b) >= int(width)*8 && unpack64(width, (*[64]int32)(dst), b) {
		dst, b = dst[64:], b[width*8:]
	}
	if len(dst) >= 8 && width <= maxUnpack {
		// Runs often end within a block of 64: unpack a padded copy of the rest.
		var in [maxUnpack * 8]byte
		var out [64]int32
		copy(in[:width*8], b)
		unpack64(width, &out, in[:])
		copy(dst, out[:])
		if len(dst) <= len(out) {
			return
		}
		dst, b = dst[64:], b[min(len(b), int(width)*8):]
	}
	for i := range dst {
		dst[i] = int32(packed(b, i, width))
	}
}

// maxUnpack is the widest packing that unpack64 knows.
const maxUnpack = 18

// readIndices fills dst with indices and checks that they are below n.
func (h *hybrid) readIndices(dst []int32, n int) error {
	// Indices of so few bits cannot be too large.
	safe := h.width < 31 && 1<<h.width <= n
	for len(dst) > 0 {
		k, err := h.take(len(dst))
		if err != nil {
			return err
		}
		if h.rle {
			if int64(h.value) >= int64(n) {
				return beyond(n)
			}
			fill(dst[:k], int32(h.value))
		} else {
			unpackRun(dst[:k], h.run, h.at, h.width)
			if !safe && !allBelow(dst[:k], n) {
				return beyond(n)
			}
		}
		h.advance(k)
		dst = dst[k:]
	}
	return nil
}

func beyond(n int) error {
	return corrupt("an index lies beyond the dictionary's %d values", n)
}

// allBelow reports whether all of x are in [0, n). It compares two at a time:
// in 2^31 + n-1 - x, bit 31 stays set exactly if x < n.
func allBelow(x []int32, n int) bool {
	if n <= 0 {
		return len(x) == 0
	}
	last := int32(n - 1)
	for len(x) > 0 && (!aligned(vector.AsBytes(x[:1]), 8) || len(x)&7 != 0) {
		if x[0] < 0 || x[0] > last {
			return false
		}
		x = x[1:]
	}
	const top = 1<<63 | 1<<31
	limit := uint64(last)<<32 | uint64(last) | top
	ok, neg := uint64(top), uint64(0)
	w := pairs(x)
	for ; len(w) >= 4; w = w[4:] {
		ok &= (limit - w[0]) & (limit - w[1]) & (limit - w[2]) & (limit - w[3])
		neg |= w[0] | w[1] | w[2] | w[3]
	}
	return ok&top == top && neg&top == 0
}

// pairs views an even number of values as words of two.
func pairs(x []int32) []uint64 {
	if len(x) == 0 {
		return nil
	}
	return unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(x))), len(x)/2)
}

// packed returns value i of packed bits.
func packed(b []byte, i int, width uint) uint32 {
	return uint32(loadBits(b, i*int(width), int(width)))
}

// bitmap decodes n one-bit values to bits at.. of dst, whose earlier bits
// stay, and returns how many are set.
func (h *hybrid) bitmap(dst vector.Bitmap, at, n int) (ones int, err error) {
	for n > 0 {
		k, err := h.take(n)
		if err != nil {
			return 0, err
		}
		switch {
		case h.rle && h.value != 0:
			setBits(dst, at, k)
			ones += k
		case h.rle:
			clearBits(dst, at, k)
		default:
			ones += copyBits(dst, at, h.run, h.at, k)
		}
		h.advance(k)
		at += k
		n -= k
	}
	return ones, nil
}

// countOnes passes over n one-bit values and returns how many are set.
func (h *hybrid) countOnes(n int) (ones int, err error) {
	for n > 0 {
		k, err := h.take(n)
		if err != nil {
			return 0, err
		}
		if h.rle {
			ones += k * int(h.value)
		} else {
			for i := 0; i < k; {
				m := min(k-i, 64)
				ones += bits.OnesCount64(loadBits(h.run, h.at+i, m))
				i += m
			}
		}
		h.advance(k)
		n -= k
	}
	return ones, nil
}

// setBits sets bits [at, at+n).
func setBits(dst vector.Bitmap, at, n int) {
	for n > 0 {
		off := uint(at) & 63
		k := min(n, 64-int(off))
		dst[at>>6] |= lowBits(k) << off
		at, n = at+k, n-k
	}
}

// clearBits clears bits [at, at+n).
func clearBits(dst vector.Bitmap, at, n int) {
	for n > 0 {
		off := uint(at) & 63
		k := min(n, 64-int(off))
		dst[at>>6] &^= lowBits(k) << off
		at, n = at+k, n-k
	}
}

// copyBits copies n bits of src from bit from on to bits at.. of dst and
// returns how many are set.
func copyBits(dst vector.Bitmap, at int, src []byte, from, n int) (ones int) {
	for n > 0 {
		off := uint(at) & 63
		k := min(n, 64-int(off))
		w := loadBits(src, from, k)
		ones += bits.OnesCount64(w)
		dst[at>>6] = dst[at>>6]&^(lowBits(k)<<off) | w<<off
		at, from, n = at+k, from+k, n-k
	}
	return ones
}

// lowBits returns a word with its k lowest bits set, k at most 64.
func lowBits(k int) uint64 { return ^uint64(0) >> (64 - uint(k)) }

// loadBits returns k bits, at most 64, from bit from on.
func loadBits(b []byte, from, k int) uint64 {
	b = b[from>>3:]
	off := uint(from) & 7
	if len(b) >= 9 {
		w := binary.LittleEndian.Uint64(b) >> off
		if off > 0 {
			w |= uint64(b[8]) << (64 - off)
		}
		return w & lowBits(k)
	}
	var w uint64
	for i, c := range b {
		if i == 8 {
			if off > 0 {
				w |= uint64(c) << (64 - off)
			}
			break
		}
		if shift := 8*i - int(off); shift >= 0 {
			w |= uint64(c) << shift
		} else {
			w |= uint64(c) >> -shift
		}
	}
	return w & lowBits(k)
}

// unpackOld turns levels in the deprecated BIT_PACKED encoding (most
// significant bit first, no runs) into the hybrid one, so that one decoder
// serves both. n is the number of levels.
func unpackOld(b []byte, n int, width uint) ([]byte, error) {
	size := (n*int(width) + 7) / 8
	if size > len(b) {
		return nil, corrupt("levels in BIT_PACKED encoding are cut off")
	}
	groups := (n + 7) / 8
	out := binary.AppendUvarint(make([]byte, 0, groups*int(width)+6), uint64(groups)<<1|1)
	head := len(out)
	out = out[:head+groups*int(width)]
	for i := range n * int(width) {
		// Bit i of the old order is bit width-1-i%width of value i/width.
		if b[i>>3]>>(7-uint(i)&7)&1 == 0 {
			continue
		}
		v := i / int(width)
		to := v*int(width) + int(width) - 1 - i%int(width)
		out[head+to>>3] |= 1 << (uint(to) & 7)
	}
	return out, nil
}
