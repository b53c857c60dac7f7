package op

import (
	"math/bits"
	"unsafe"

	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// groups gives each different key a number, from 0 on in the order in which
// they were first seen.
type groups interface {
	// find sets ids to the groups of the n entries of cols, making groups for
	// keys not seen before.
	find(cols []colRef, n int, ids []uint32) error
	// count is the number of groups.
	count() int
	// hashes sets out to the hashes of groups from … from+len(out)-1.
	hashes(from int, out []uint64)
	// absorb sets ids to the groups that have the keys of the given groups of
	// another table of the same kind, making those that are missing.
	absorb(other groups, list []uint32, ids []uint32) error
	// emit appends the listed groups' keys to out.
	emit(list []uint32, out []*vector.Builder) error
	// reset forgets all groups and keeps the memory.
	reset()
	release()
}

// newGroups returns the table that suits keys of the given types.
func newGroups(a *mem.Account, ts []types.Type) groups {
	if len(ts) == 1 && !ts[0].IsNested() && ts[0].Physical().Width() > 0 && ts[0].Physical().Width() <= 8 {
		return newWordGroups(a, ts[0])
	}
	return newRowGroups(a, ts)
}

// rowGroups is the table for keys of any form: rows of words (keyLayout) and
// an index of 8-byte entries over them, the row's number plus one below and a
// salt of 32 hash bits above, probed linearly from the place that the hash's
// upper bits say.
type rowGroups struct {
	account *mem.Account
	layout  *keyLayout
	enc     *keyEncoder
	n       int
	rows    cells[uint64]
	heap    byteHeap
	entries cells[uint64]
	shift   uint
	combos  combos
	from    keyRows // scratch of absorb
	picked  cells[uint64]
}

func newRowGroups(a *mem.Account, ts []types.Type) *rowGroups {
	l := newKeyLayout(ts)
	return &rowGroups{account: a, layout: l, enc: newKeyEncoder(l), combos: combos{flat: true}}
}

func (t *rowGroups) count() int { return t.n }

func (t *rowGroups) find(cols []colRef, n int, ids []uint32) error {
	if t.combos.fit(cols, n) {
		return t.combos.find(cols, n, ids, t.findOne)
	}
	for from := 0; from < n; from += encodeRows {
		to := min(from+encodeRows, n)
		if err := t.enc.encode(t.account, cols, from, to); err != nil {
			return err
		}
		if err := t.insert(&t.enc.keyRows, to-from, ids[from:to]); err != nil {
			return err
		}
	}
	return nil
}

func (t *rowGroups) findOne(cols []colRef, ids []uint32) error {
	if err := t.enc.encode(t.account, cols, 0, 1); err != nil {
		return err
	}
	return t.insert(&t.enc.keyRows, 1, ids)
}

// minEntries is the size that an index starts with.
const minEntries = 1 << 10

// reserve makes room for extra more groups, at most two in three entries used.
func (t *rowGroups) reserve(extra int) error {
	have := len(t.rows.v) / t.layout.words
	if want := t.n + extra; want > have {
		if err := t.rows.grow(t.account, max(want, have+have/2)*t.layout.words); err != nil {
			return err
		}
	}
	if 3*(t.n+extra) <= 2*len(t.entries.v) {
		return nil
	}
	return t.rehash(max(minEntries, 1<<bits.Len(uint(3*(t.n+extra)/2-1))))
}

// rehash makes the index one of size entries.
func (t *rowGroups) rehash(size int) error {
	t.entries.release()
	if err := t.entries.room(t.account, size); err != nil {
		return err
	}
	clear(t.entries.v)
	t.shift = uint(64 - bits.TrailingZeros(uint(size)))
	entries, mask := t.entries.v, uint64(size-1)
	w := t.layout.words
	for g := range t.n {
		h := t.rows.v[g*w]
		at := h >> t.shift
		for entries[at&mask] != 0 {
			at++
		}
		entries[at&mask] = entry(h, g)
	}
	return nil
}

// entry is the index entry of group g.
func entry(h uint64, g int) uint64 { return h<<32 | uint64(g+1) }

// coldEntries is the size from which an index is out of the near caches, so
// that touching entries and rows ahead of their use pays.
const coldEntries = 1 << 15

// insert sets ids to the groups of the first n of keys.
func (t *rowGroups) insert(keys *keyRows, n int, ids []uint32) error {
	if err := t.reserve(n); err != nil {
		return err
	}
	if len(t.entries.v) >= coldEntries {
		t.touch(keys, n)
	}
	w, mask := t.layout.words, uint64(len(t.entries.v)-1)
	entries := t.entries.v
	for i := range n {
		row := keys.words[i*w : (i+1)*w]
		h := row[0]
		for at := h >> t.shift; ; at++ {
			e := entries[at&mask]
			if e == 0 {
				ids[i] = uint32(t.n)
				if err := t.add(row, keys.heaps); err != nil {
					return err
				}
				entries[at&mask] = entry(h, int(ids[i]))
				break
			}
			if e>>32 == h&(1<<32-1) && t.same(row, keys.heaps, int(uint32(e))-1) {
				ids[i] = uint32(e) - 1
				break
			}
		}
	}
	return nil
}

// touch reads the entries that n keys will look at and the rows those point
// to, so that the processor fetches them side by side.
func (t *rowGroups) touch(keys *keyRows, n int) {
	w, mask := t.layout.words, uint64(len(t.entries.v)-1)
	var sum uint64
	var rows [64]uint32
	for from := 0; from < n; from += len(rows) {
		group := rows[:min(len(rows), n-from)]
		for i := range group {
			group[i] = uint32(t.entries.v[keys.words[(from+i)*w]>>t.shift&mask])
		}
		for _, r := range group {
			if r > 0 {
				sum += t.rows.v[int(r-1)*w]
			}
		}
		for _, at := range t.layout.views {
			sum += t.touchStrings(group, at)
		}
	}
	keep(sum)
}

// touchStrings reads the beginning of the long strings that lie at word at of
// the given rows.
func (t *rowGroups) touchStrings(rows []uint32, at int) (sum uint64) {
	w := t.layout.words
	for _, r := range rows {
		if r == 0 {
			continue
		}
		v := (*vector.View)(unsafe.Pointer(&t.rows.v[int(r-1)*w+at]))
		if !v.IsInline() {
			buf, off := v.Ref()
			sum += uint64(t.heap.bufs[buf][off])
		}
	}
	return sum
}

// keep makes x count as used, so that reading what it was made of is not
// optimized away.
//
//go:noinline
func keep(uint64) {}

// add appends a key as the next group.
func (t *rowGroups) add(row []uint64, heaps [][][]byte) error {
	w := t.layout.words
	mine := t.rows.v[t.n*w : (t.n+1)*w]
	copy(mine, row)
	for v, at := range t.layout.views {
		if uint32(row[at]) <= vector.InlineLen {
			continue
		}
		from := (*vector.View)(unsafe.Pointer(&row[at]))
		view, err := heapView(t.account, &t.heap, from.Bytes(heaps[v]))
		if err != nil {
			return err
		}
		*(*vector.View)(unsafe.Pointer(&mine[at])) = view
	}
	t.n++
	return nil
}

// same reports whether a key is that of group g.
func (t *rowGroups) same(row []uint64, heaps [][][]byte, g int) bool {
	l := t.layout
	mine := t.rows.v[g*l.words:][:l.compared]
	row = row[:len(mine)]
	if row[0] != mine[0] {
		return false
	}
	for v, at := range l.views {
		if row[at] != mine[at] {
			return false
		}
		if row[at+1] == mine[at+1] && uint32(row[at]) <= vector.InlineLen {
			continue
		}
		if uint32(row[at]) <= vector.InlineLen || !sameLong(&row[at], heaps[v], &mine[at], t.heap.bufs) {
			return false
		}
	}
	for i := 1 + 2*len(l.views); i < len(mine); i++ {
		if row[i] != mine[i] {
			return false
		}
	}
	return true
}

// sameLong compares two long strings by their bytes.
func sameLong(a *uint64, ah [][]byte, b *uint64, bh [][]byte) bool {
	x, y := (*vector.View)(unsafe.Pointer(a)), (*vector.View)(unsafe.Pointer(b))
	return string(x.Bytes(ah)) == string(y.Bytes(bh))
}

func (t *rowGroups) hashes(from int, out []uint64) {
	w := t.layout.words
	for i := range out {
		out[i] = t.rows.v[(from+i)*w]
	}
}

func (t *rowGroups) absorb(other groups, list []uint32, ids []uint32) error {
	o, w := other.(*rowGroups), t.layout.words
	t.from.layout, t.from.heaps = t.layout, t.from.heaps[:0]
	for range t.layout.views {
		t.from.heaps = append(t.from.heaps, o.heap.bufs)
	}
	for len(list) > 0 {
		n := min(len(list), encodeRows)
		if err := t.picked.room(t.account, n*w); err != nil {
			return err
		}
		for i, g := range list[:n] {
			copy(t.picked.v[i*w:(i+1)*w], o.rows.v[int(g)*w:])
		}
		t.from.words = t.picked.v
		if err := t.insert(&t.from, n, ids[:n]); err != nil {
			return err
		}
		list, ids = list[n:], ids[n:]
	}
	return nil
}

func (t *rowGroups) reset() {
	t.n = 0
	t.heap.release()
	clear(t.entries.v)
}

func (t *rowGroups) release() {
	t.enc.release()
	t.rows.release()
	t.heap.release()
	t.entries.release()
	t.picked.release()
	t.n = 0
}

func (t *rowGroups) emit(list []uint32, out []*vector.Builder) error {
	for i := range t.layout.fields {
		f := &t.layout.fields[i]
		if err := t.emitField(f, list, out[f.key]); err != nil {
			return err
		}
	}
	return nil
}

func (t *rowGroups) emitField(f *keyField, list []uint32, out *vector.Builder) error {
	w := t.layout.words
	data := vector.AsBytes(asLongs(t.rows.v))
	null := func(g uint32) bool {
		return data[int(g)*w*8+t.layout.nulls+f.key/8]>>(f.key%8)&1 != 0
	}
	if f.nested {
		return t.emitNested(f, list, out, null)
	}
	at, err := out.Extend(len(list))
	if err != nil {
		return err
	}
	stride := w * 8
	switch {
	case f.view >= 0:
		err = t.emitStrings(f, list, out, at)
	case f.zone > 0:
		dst := vector.Fill[types.Int128](out)[at:]
		for i, g := range list {
			row := t.rows.v[int(g)*w:]
			dst[i] = types.Int128{Lo: row[f.zone], Hi: int64(row[f.zone+1])}
		}
	case f.width == 16:
		collect(vector.Fill[types.Int128](out)[at:], data[f.at:], stride, list)
	case f.width == 8:
		collect(vector.Fill[int64](out)[at:], data[f.at:], stride, list)
	case f.width == 4:
		collect(vector.Fill[int32](out)[at:], data[f.at:], stride, list)
	case f.width == 2:
		collect(vector.Fill[int16](out)[at:], data[f.at:], stride, list)
	case f.width == 1:
		collect(vector.Fill[uint8](out)[at:], data[f.at:], stride, list)
	}
	if err != nil {
		return err
	}
	for i, g := range list {
		if null(g) {
			out.SetNull(at + i)
		}
	}
	return nil
}

// collect reads the listed rows' values, stride bytes apart.
func collect[T vector.Fixed](dst []T, src []byte, stride int, list []uint32) {
	for i, g := range list {
		dst[i] = *(*T)(unsafe.Pointer(&src[int(g)*stride]))
	}
}

func (t *rowGroups) emitStrings(f *keyField, list []uint32, out *vector.Builder, at int) error {
	w := t.layout.words
	for i, g := range list {
		v := (*vector.View)(unsafe.Pointer(&t.rows.v[int(g)*w+f.at/8]))
		if err := out.SetBytes(at+i, v.Bytes(t.heap.bufs)); err != nil {
			return err
		}
	}
	return nil
}

func (t *rowGroups) emitNested(f *keyField, list []uint32, out *vector.Builder, null func(uint32) bool) error {
	w := t.layout.words
	for _, g := range list {
		if null(g) {
			if err := out.AppendNull(); err != nil {
				return err
			}
			continue
		}
		v := (*vector.View)(unsafe.Pointer(&t.rows.v[int(g)*w+f.at/8]))
		if _, err := decodeValue(out, t.layout.types[f.key], v.Bytes(t.heap.bufs)); err != nil {
			return err
		}
	}
	return nil
}
