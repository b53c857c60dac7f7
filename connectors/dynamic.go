package connectors

// DynamicFilter is what the build side of a join says about the values that
// its probe side can match: complete, immutable, and built from committed
// build tasks only. Null never matches. A row may be dropped if any part
// excludes its value; the parts are independent.
type DynamicFilter struct {
	// Empty says that nothing can match.
	Empty bool
	// Min and Max bound the values, inclusive, in the Go form of expr.Const;
	// nil if not known.
	Min, Max any
	// Values are all the values, sorted, when there are few; else nil.
	Values []any
	// Bits say of integers which values there are: bit i that Min+i is one, up
	// to Max, with Min and Max as int64; nil if not known.
	Bits []uint64
	// Bloom is a split-block bloom filter over kernel.Hash of the value; nil if none.
	Bloom []uint64
}

const (
	// smallBits is the range of values, 128 kB of bits, that is always fine.
	smallBits = 1 << 20
	// mostBits is the largest range of values whose bits are kept: 16 MB.
	mostBits = 1 << 27
	// bitsEach is for how many bits a value the bits are still preferred to a
	// bloom filter: they take more memory, but one test without hashing.
	bitsEach = 64
)

// NewBits returns room for the bits of n integers between lo and hi; nil if
// they are too far apart.
func NewBits(lo, hi int64, n int) []uint64 {
	span := uint64(hi - lo)
	if lo > hi || span >= mostBits || span >= smallBits && span/bitsEach >= uint64(n) {
		return nil
	}
	return make([]uint64, span/64+1)
}

// UniteBits returns the bits of the filter that passes what a or b passes, of
// which the values must be known by bits or by a list; nil if they are not, or
// too far apart.
func UniteBits(a, b *DynamicFilter) []uint64 {
	if a.Bits == nil && b.Bits == nil {
		return nil
	}
	alo, ahi, ok := a.span()
	blo, bhi, ok2 := b.span()
	if !ok || !ok2 {
		return nil
	}
	lo := min(alo, blo)
	// As many values as would justify the bits that there are.
	out := NewBits(lo, max(ahi, bhi), len(a.Bits)+len(b.Bits))
	if out != nil && a.mark(out, lo) && b.mark(out, lo) {
		return out
	}
	return nil
}

// span returns the bounds if they are integers.
func (f *DynamicFilter) span() (lo, hi int64, ok bool) {
	lo, ok = f.Min.(int64)
	hi, ok2 := f.Max.(int64)
	return lo, hi, ok && ok2
}

// mark sets the bits of f's values in bits that begin at lo. It reports
// whether f knows its values.
func (f *DynamicFilter) mark(to []uint64, lo int64) bool {
	if f.Bits == nil {
		for _, v := range f.Values {
			x, ok := v.(int64)
			if !ok {
				return false
			}
			to[uint64(x-lo)/64] |= 1 << (uint64(x-lo) % 64)
		}
		return f.Values != nil
	}
	at := uint64(f.Min.(int64) - lo)
	for i, w := range f.Bits {
		if w == 0 {
			continue
		}
		to[at/64+uint64(i)] |= w << (at % 64)
		if over := w >> 1 >> (63 - at%64); over != 0 {
			to[at/64+uint64(i)+1] |= over
		}
	}
	return true
}
