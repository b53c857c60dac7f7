package meta

import (
	"encoding/binary"
	"fmt"
	"io"

	"go.etcd.io/bbolt"
)

// pageWalk goes through the pages that a bbolt file's current state consists
// of, and looks whether their headers make sense together: each is where it
// says it is, within the file, and part of one tree only. bbolt's writer
// trusts them: by a wrong number of pages in a header it fills all memory, by
// a page that two others refer to it ends the process.
//
// The layout is bbolt's file format, version 2, in the machine's byte order. A
// page begins with its number (8 bytes), kind (2), number of elements (2) and
// how many more pages it takes (4); an element has 16 bytes: in a branch page
// the place of its key from there (4), the key's length (4) and the page (8), in
// a leaf page its flags (4), the key's place (4) and length (4) and the length
// (4) of the value, which follows the key.
type pageWalk struct {
	file  io.ReaderAt
	size  int64  // of a page, in bytes
	pages uint64 // in use
	seen  map[uint64]bool
}

// The kinds of pages of a tree, and the mark of elements that are buckets.
const (
	pageHeader   = 16
	pageElement  = 16
	branchPage   = 0x01
	leafPage     = 0x02
	bucketInLeaf = 0x01
)

// checkPages walks the pages of the state that tx sees.
func checkPages(file io.ReaderAt, tx *bbolt.Tx) error {
	size := int64(tx.DB().Info().PageSize)
	w := &pageWalk{file: file, size: size, pages: uint64(tx.Size() / size), seen: map[uint64]bool{}}
	return w.page(uint64(tx.Cursor().Bucket().Root()))
}

func (w *pageWalk) page(id uint64) error {
	if id >= w.pages {
		return w.damaged(id, "lies beyond the end")
	}
	head := make([]byte, pageHeader)
	if _, err := w.file.ReadAt(head, int64(id)*w.size); err != nil {
		return err
	}
	kind, count := binary.NativeEndian.Uint16(head[8:]), int(binary.NativeEndian.Uint16(head[10:]))
	more := uint64(binary.NativeEndian.Uint32(head[12:]))
	if binary.NativeEndian.Uint64(head) != id || more >= w.pages-id {
		return w.damaged(id, "has a header that is not its own")
	}
	for p := id; p <= id+more; p++ {
		if w.seen[p] {
			return w.damaged(p, "is used twice")
		}
		w.seen[p] = true
	}
	if int64(pageHeader+count*pageElement) > int64(more+1)*w.size {
		return w.damaged(id, "has more elements than room")
	}
	elements := make([]byte, count*pageElement)
	if _, err := w.file.ReadAt(elements, int64(id)*w.size+pageHeader); err != nil {
		return err
	}
	if kind != branchPage && kind != leafPage {
		return w.damaged(id, "is of an unknown kind")
	}
	if !inside(kind, int64(more+1)*w.size, elements) {
		return w.damaged(id, "has an element beyond its end")
	}
	if kind == branchPage {
		return w.branch(elements)
	}
	return w.buckets(id, int64(more+1)*w.size, elements)
}

// inside reports whether the keys and values of all elements lie behind the
// elements, in a page of some bytes.
func inside(kind uint16, bytes int64, elements []byte) bool {
	least := int64(pageHeader + len(elements))
	for at := 0; at < len(elements); at += pageElement {
		var f [4]int64
		for i := range f {
			f[i] = int64(binary.NativeEndian.Uint32(elements[at+4*i:]))
		}
		pos, length := f[0], f[1]
		if kind == leafPage {
			if f[0] > bucketInLeaf {
				return false // flags that there are not
			}
			pos, length = f[1], f[2]+f[3]
		}
		if pos += int64(pageHeader + at); pos < least || pos+length > bytes {
			return false
		}
	}
	return true
}

// branch goes on with the pages that the elements of a branch page name.
func (w *pageWalk) branch(elements []byte) error {
	for at := 0; at < len(elements); at += pageElement {
		if err := w.page(binary.NativeEndian.Uint64(elements[at+8:])); err != nil {
			return err
		}
	}
	return nil
}

// buckets goes on with the trees of the buckets in a leaf page of some bytes.
func (w *pageWalk) buckets(id uint64, bytes int64, elements []byte) error {
	root := make([]byte, 8)
	for at := 0; at < len(elements); at += pageElement {
		e := elements[at:]
		if binary.NativeEndian.Uint32(e)&bucketInLeaf == 0 {
			continue
		}
		// A bucket's value begins with the number of its root page, 0 if its
		// content is right there.
		value := int64(pageHeader+at) + int64(binary.NativeEndian.Uint32(e[4:])) + int64(binary.NativeEndian.Uint32(e[8:]))
		if value+int64(len(root)) > bytes {
			return w.damaged(id, "has a bucket beyond its end")
		}
		if _, err := w.file.ReadAt(root, int64(id)*w.size+value); err != nil {
			return err
		}
		if r := binary.NativeEndian.Uint64(root); r != 0 {
			if err := w.page(r); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *pageWalk) damaged(id uint64, why string) error {
	return fmt.Errorf("the file is damaged: page %d %s", id, why)
}
