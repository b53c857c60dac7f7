package parquet

import (
	"encoding/binary"
	"unsafe"

	"github.com/tuttidb/tutti/exec/vector"
)

// castUnaligned views the first n values in b, which need not be aligned: the
// values of a page begin anywhere, and every machine Go runs on that has
// vectors of ours reads them all the same. Under the race detector, which
// checks alignment, they are copied.
func castUnaligned[T vector.Fixed](b []byte, n int) []T {
	var zero T
	size := int(unsafe.Sizeof(zero))
	b = b[:n*size]
	if n == 0 {
		return nil
	}
	if aligned(b, size) || !checkPointers {
		return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), n)
	}
	out := make([]T, n)
	copy(vector.AsBytes(out), b)
	return out
}

// aligned reports whether b may be viewed as values of size bytes.
func aligned(b []byte, size int) bool {
	return uintptr(unsafe.Pointer(unsafe.SliceData(b)))%uintptr(min(size, 8)) == 0
}

// viewWords are the two words of a vector.View, which loops write directly.
type viewWords [2]uint64

// inlineMask keeps the bytes of an inline view of each length: those behind
// the length in the first word, and the second word.
var inlineMask = func() (m [vector.InlineLen + 1]viewWords) {
	for n := range m {
		m[n][0] = lowBits(8*min(n, 4)) << 32
		m[n][1] = lowBits(8 * max(n-4, 0))
	}
	return m
}()

// setView writes the view of the n bytes at b[at:], which are heap buffer
// buf. b must have 12 bytes from at on.
func setView(dst *viewWords, b []byte, at, n, buf int) {
	first := binary.LittleEndian.Uint64(b[at:])
	if n > vector.InlineLen {
		dst[0] = uint64(uint32(n)) | first<<32
		dst[1] = uint64(uint32(buf)) | uint64(at)<<32
		return
	}
	mask := &inlineMask[n]
	dst[0] = uint64(uint32(n)) | first<<32&mask[0]
	dst[1] = (first>>32 | uint64(binary.LittleEndian.Uint32(b[at+8:]))<<32) & mask[1]
}

// viewOf is setView without the demand for more bytes than there are.
func viewOf(dst *viewWords, b []byte, at, n, buf int) {
	v := (*vector.View)(unsafe.Pointer(dst))
	if s := b[at : at+n]; n <= vector.InlineLen {
		*v = vector.InlineView(s)
	} else {
		*v = vector.HeapView(s, buf, at)
	}
}

// plainViews writes views of len(dst) length-prefixed strings from b[at:] on,
// where b is heap buffer buf, and returns where the next one begins.
func plainViews(dst []viewWords, b []byte, at, buf int) (int, error) {
	// Buffers have room behind their end, so that the fast path serves the
	// last values too.
	wide := b[:cap(b)]
	for i := range dst {
		if at+4 > len(b) {
			return 0, corrupt("strings are cut off")
		}
		n := int(binary.LittleEndian.Uint32(b[at:]))
		at += 4
		if n > len(b)-at {
			return 0, corrupt("a string of %d bytes goes beyond its page", n)
		}
		if at+12 <= len(wide) {
			setView(&dst[i], wide, at, n, buf)
		} else {
			viewOf(&dst[i], b, at, n, buf)
		}
		at += n
	}
	return at, nil
}

// skipPlain passes over n length-prefixed strings.
func skipPlain(b []byte, at, n int) (int, error) {
	for range n {
		if at+4 > len(b) {
			return 0, corrupt("strings are cut off")
		}
		at += 4 + int(binary.LittleEndian.Uint32(b[at:]))
		if at > len(b) {
			return 0, corrupt("a string goes beyond its page")
		}
	}
	return at, nil
}

// lengthViews writes views of strings that follow each other from b[at:] on.
func lengthViews(dst []viewWords, lens []int32, b []byte, at, buf int) (int, error) {
	wide := b[:cap(b)]
	for i, n32 := range lens {
		n := int(n32)
		if n < 0 || n > len(b)-at {
			return 0, corrupt("a string of %d bytes goes beyond its page", n)
		}
		if at+12 <= len(wide) {
			setView(&dst[i], wide, at, n, buf)
		} else {
			viewOf(&dst[i], b, at, n, buf)
		}
		at += n
	}
	return at, nil
}

// fixedViews writes views of strings of w bytes from b[at:] on, which are there.
func fixedViews(dst []viewWords, b []byte, at, w, buf int) {
	for i := range dst {
		viewOf(&dst[i], b, at, w, buf)
		at += w
	}
}

// plainBools unpacks n bits from bit from on into bytes.
func plainBools(dst []uint8, b []byte, from int) error {
	if from+len(dst) > len(b)*8 {
		return corrupt("booleans are cut off")
	}
	for i := range dst {
		dst[i] = b[from>>3] >> (uint(from) & 7) & 1
		from++
	}
	return nil
}

// unsplit undoes BYTE_STREAM_SPLIT: byte k of value i is at src[k*n+i].
func unsplit(dst, src []byte, w int) {
	n := len(src) / w
	for k := range w {
		stream := src[k*n : k*n+n]
		for i, c := range stream {
			dst[i*w+k] = c
		}
	}
}
