package connectors

import "math/bits"

// A bloom filter here is split into blocks of 256 bits, one cache line at
// most, of which each value sets eight (Putze et al., "Cache-, Hash- and
// Space-Efficient Bloom Filters", as Parquet has it). The number of blocks is
// a power of two and a hash's upper bits choose one, so that a large filter
// folds into a small one and filters of different sizes can be united.

// bloomWords is the size of a block in words.
const bloomWords = 4

// bloomSalts spread a hash's lower half over a block's eight lanes.
var bloomSalts = [8]uint32{
	0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31,
}

// NewBloom returns an empty bloom filter for about n values: 10 to 20 bits
// each, at which fewer than one other value in a hundred seems to be there.
func NewBloom(n int) []uint64 {
	blocks := 1 << bits.Len(uint(max(n, 1)*10/256))
	return make([]uint64, blocks*bloomWords)
}

// bloomBlock returns the block that a hash belongs to.
func bloomBlock(bloom []uint64, hash uint64) []uint64 {
	// For 1<<k blocks this is hash >> (64−k); Go defines a shift by 64 as 0.
	shift := uint(bits.LeadingZeros64(uint64(len(bloom)/bloomWords)) + 1)
	at := int(hash>>shift) * bloomWords
	return bloom[at : at+bloomWords : at+bloomWords]
}

// BloomAdd adds a value by its hash.
func BloomAdd(bloom []uint64, hash uint64) {
	block := bloomBlock(bloom, hash)
	for i, salt := range bloomSalts {
		bit := uint32(hash) * salt >> 27
		block[i/2] |= 1 << (bit + uint32(i%2)*32)
	}
}

// BloomHas reports whether a value with this hash may have been added.
func BloomHas(bloom []uint64, hash uint64) bool {
	block := bloomBlock(bloom, hash)
	for i, salt := range bloomSalts {
		bit := uint32(hash) * salt >> 27
		if block[i/2]>>(bit+uint32(i%2)*32)&1 == 0 {
			return false
		}
	}
	return true
}

// BloomUnite returns a filter that has what either has, as large as the
// smaller one. It may change and return one of its arguments.
func BloomUnite(a, b []uint64) []uint64 {
	if len(a) > len(b) {
		a, b = b, a
	}
	fold := len(b) / len(a)
	for i := range len(b) / bloomWords {
		for w := range bloomWords {
			a[i/fold*bloomWords+w] |= b[i*bloomWords+w]
		}
	}
	return a
}
