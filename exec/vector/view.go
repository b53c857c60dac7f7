package vector

import (
	"encoding/binary"
	"unsafe"
)

// InlineLen is the longest string held in the view itself.
const InlineLen = 12

// View is a string in 16 bytes, Arrow's BinaryView layout: a length, then
// either up to InlineLen bytes (zero padded) or the first four bytes, the
// index of a heap buffer and the offset in it. Two views that differ in
// length or in their first four bytes are different strings, which settles
// most comparisons without touching the heap.
type View struct {
	Len    uint32
	Prefix [4]byte
	rest   [8]byte
}

// InlineView returns the view of a string of at most InlineLen bytes.
func InlineView(s []byte) View {
	var v View
	v.Len = uint32(len(s))
	copy((*[InlineLen]byte)(unsafe.Pointer(&v.Prefix))[:], s)
	return v
}

// HeapView returns the view of s, which lies at offset off of heap buffer buf
// and is longer than InlineLen.
func HeapView(s []byte, buf, off int) View {
	v := View{Len: uint32(len(s))}
	copy(v.Prefix[:], s)
	binary.LittleEndian.PutUint32(v.rest[:4], uint32(buf))
	binary.LittleEndian.PutUint32(v.rest[4:], uint32(off))
	return v
}

// IsInline reports whether the view holds its string itself.
func (v *View) IsInline() bool { return v.Len <= InlineLen }

// Ref returns where a view that is not inline points: heap buffer and offset.
func (v *View) Ref() (buf, off int) {
	return int(binary.LittleEndian.Uint32(v.rest[:4])), int(binary.LittleEndian.Uint32(v.rest[4:]))
}

// Rebase returns v pointing at another place that holds the same string.
func (v View) Rebase(buf, off int) View {
	binary.LittleEndian.PutUint32(v.rest[:4], uint32(buf))
	binary.LittleEndian.PutUint32(v.rest[4:], uint32(off))
	return v
}

// Bytes returns the string. For an inline view the result aliases the view's
// own memory, so v must be addressed in place (&views[i]) for as long as the
// result is used; called on a copy, the copy escapes and the result is still
// right but costs an allocation.
func (v *View) Bytes(heap [][]byte) []byte {
	if v.Len <= InlineLen {
		return (*[InlineLen]byte)(unsafe.Pointer(&v.Prefix))[:v.Len:v.Len]
	}
	buf, off := v.Ref()
	end := off + int(v.Len)
	return heap[buf][off:end:end]
}
