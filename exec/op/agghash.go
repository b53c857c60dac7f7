package op

import (
	"encoding/binary"
	"math/bits"
)

// Group tables hash by multiplying to 128 bits and folding the halves, as
// wyhash does (Wang Yi). The constants are odd random numbers. A hash serves
// three ends with bits of its own for each: a table's slots take the upper
// ones, the partitions of a merge those from bit 32 on, and the salt that
// entries carry the lower 32.
const (
	hashSeed = 0x9E3779B97F4A7C15
	hashMul  = 0xD6E8FEB86659FD93
	hashMul2 = 0xA0761D6478BD642F
)

func mix64(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// hashWord hashes a key that is a single word.
func hashWord(x uint64) uint64 { return mix64(x^hashSeed, hashMul) }

// hashLong hashes a string of more than 8 bytes on top of h.
func hashLong(h uint64, b []byte) uint64 {
	tail := b[len(b)-8:]
	for ; len(b) > 16; b = b[16:] {
		h = mix64(binary.LittleEndian.Uint64(b)^h, binary.LittleEndian.Uint64(b[8:])^hashMul2)
	}
	if len(b) > 8 {
		h = mix64(binary.LittleEndian.Uint64(b)^h, hashMul)
	}
	return mix64(binary.LittleEndian.Uint64(tail)^h, hashMul2)
}

// partitionBit is the lowest bit of a hash that chooses a partition.
const partitionBit = 32
