package vector

import "math/bits"

// Bitmap is a set of rows, bit i of word i/64 for row i: Arrow's validity
// bitmap on little-endian machines. Bits past the last row are undefined.
type Bitmap []uint64

// NewBitmap returns a bitmap of n rows with every bit set.
func NewBitmap(n int) Bitmap { return make(Bitmap, words(n)).SetAll() }

func words(n int) int { return (n + 63) / 64 }

// Get reports whether bit i is set.
func (b Bitmap) Get(i int) bool { return b[i>>6]>>(uint(i)&63)&1 != 0 }

// Set sets bit i.
func (b Bitmap) Set(i int) { b[i>>6] |= 1 << (uint(i) & 63) }

// Clear clears bit i.
func (b Bitmap) Clear(i int) { b[i>>6] &^= 1 << (uint(i) & 63) }

// SetAll sets every bit and returns b.
func (b Bitmap) SetAll() Bitmap {
	for i := range b {
		b[i] = ^uint64(0)
	}
	return b
}

// ClearAll clears every bit and returns b.
func (b Bitmap) ClearAll() Bitmap {
	clear(b)
	return b
}

// Count returns how many of the first n bits are set.
func (b Bitmap) Count(n int) int {
	total := 0
	for i := 0; i < n>>6; i++ {
		total += bits.OnesCount64(b[i])
	}
	if r := uint(n) & 63; r != 0 {
		total += bits.OnesCount64(b[n>>6] & (1<<r - 1))
	}
	return total
}

// Resize returns a bitmap for n rows, reusing b's memory when it is large
// enough. The content is undefined.
func (b Bitmap) Resize(n int) Bitmap {
	if w := words(n); cap(b) >= w {
		return b[:w]
	}
	return make(Bitmap, words(n))
}

// And sets b to the intersection of x and y over n rows, either of which may
// be nil for "all", and returns it; nil if both are nil.
func (b Bitmap) And(x, y Bitmap, n int) Bitmap {
	switch {
	case x == nil && y == nil:
		return nil
	case x == nil:
		x = y
	case y == nil:
		y = x
	}
	b = b.Resize(n)
	for i := range b {
		b[i] = x[i] & y[i]
	}
	return b
}
