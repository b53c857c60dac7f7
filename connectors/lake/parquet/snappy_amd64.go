package parquet

import (
	"encoding/binary"
	"unsafe"
)

// This is a decoder for Snappy blocks
// (https://github.com/google/snappy/blob/main/format_description.txt).
// Decompression is most of the work of reading many columns, and what makes it
// slow is mispredicted branches: text alternates between literals and copies
// without a pattern. So the inner loop, in assembly, has no branch that tells
// them apart: source and step are picked by conditional moves, and 32 bytes
// are moved whatever the length. It leaves alone what is rare (long
// literals, the ends of the buffers), which snappyStep does.

// snappyFast decodes elements until one is not for it, with s < sEnd and
// d < dEnd before each; d and s are the bytes written and read. It may write
// up to 64 bytes from the last d on, and reads no further than 72 from s.
//
//go:noescape
func snappyFast(dst, src unsafe.Pointer, d, s, dEnd, sEnd int, table *[256]uint32) (d2, s2 int)

// What snappyFast may touch beyond the position it checks.
const (
	snappySrcSlack = 72
	snappyDstSlack = 80
)

// snappyTable has for each tag the length in bits 0 to 7 (0: not for
// the loop's usual way) and in bits 16 and up the part of the offset that is in the tag;
// literals have 16 there, which passes all checks.
var snappyTable = func() (t [256]uint32) {
	for tag := range uint32(256) {
		switch n := tag>>2 + 1; {
		case tag&3 == 0 && n <= 60:
			t[tag] = n | 16<<16
		case tag&3 == 1:
			t[tag] = 4 + tag>>2&7 | tag>>5<<24
		case tag&3 == 2:
			t[tag] = n
		}
	}
	return t
}()

// snappyDecode decompresses src to dst, which must have the right length. It
// reports false if src is damaged.
func snappyDecode(dst, src []byte) bool {
	n, k := binary.Uvarint(src)
	if k <= 0 || n != uint64(len(dst)) {
		return false
	}
	src = src[k:]
	to, from := unsafe.Pointer(unsafe.SliceData(dst)), unsafe.Pointer(unsafe.SliceData(src))
	d, s := 0, 0
	var ok bool
	for s < len(src) {
		if sEnd, dEnd := len(src)-snappySrcSlack, len(dst)-snappyDstSlack; s < sEnd && d < dEnd {
			d, s = snappyFast(to, from, d, s, dEnd, sEnd, &snappyTable)
		}
		if d, s, ok = snappyStep(dst, src, d, s); !ok {
			return false
		}
	}
	return d == len(dst)
}

// snappyStep decodes any one element, of which src has the first byte.
func snappyStep(dst, src []byte, d, s int) (d2, s2 int, ok bool) {
	tag := int(src[s])
	s++
	n, extra := tag>>2+1, 0
	switch tag & 3 {
	case 0:
		extra = max(n-60, 0)
	case 1:
		n, extra = 4+tag>>2&7, 1
	default:
		extra = tag & 3 &^ 1 << (tag & 1) // 2 or 4
	}
	if extra > len(src)-s {
		return 0, 0, false
	}
	value := 0
	for i, c := range src[s : s+extra] {
		value |= int(c) << (8 * i)
	}
	s += extra
	if tag&3 != 0 {
		if tag&3 == 1 {
			value |= tag >> 5 << 8
		}
		return snappyCopy(dst, d, s, value, n)
	}
	if extra > 0 {
		n = value + 1
	}
	if n > len(src)-s || n > len(dst)-d {
		return 0, 0, false
	}
	copy(dst[d:], src[s:s+n])
	return d + n, s + n, true
}

// snappyCopy repeats n bytes from offset bytes back.
func snappyCopy(dst []byte, d, s, offset, n int) (d2, s2 int, ok bool) {
	if offset <= 0 || offset > d || n > len(dst)-d {
		return 0, 0, false
	}
	if offset >= n {
		copy(dst[d:d+n], dst[d-offset:])
		return d + n, s, true
	}
	for i := d; i < d+n; i++ {
		dst[i] = dst[i-offset]
	}
	return d + n, s, true
}
