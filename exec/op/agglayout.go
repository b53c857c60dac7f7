package op

import (
	"math"
	"slices"
	"unsafe"

	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// colRef reads a column, whatever its encoding, at the rows that count: entry
// i is physical row rows[i] and its value is number pos[i] of flat.
type colRef struct {
	src  *vector.Vector
	flat *vector.Vector // src itself, or its dictionary
	rows []int32        // nil: entry i is row i
	pos  []int32        // nil: value i
}

// isNull reports whether entry i is null.
func (c *colRef) isNull(i int) bool {
	if c.rows != nil {
		i = int(c.rows[i])
	}
	return isNull(c.src, i)
}

// at returns the place of entry i's value.
func (c *colRef) at(i int) int {
	if c.pos != nil {
		return int(c.pos[i])
	}
	return i
}

// row returns entry i's physical row.
func (c *colRef) row(i int) int {
	if c.rows != nil {
		return int(c.rows[i])
	}
	return i
}

// zeroPlaces are the places of a constant's values.
var zeroPlaces [vector.MaxRows]int32

// zeroData is the value of what has none: a null constant.
var zeroData [2]uint64

// refer returns a colRef over n entries. scratch holds the places of
// dictionary columns and is returned, perhaps moved.
func refer(v *vector.Vector, rows []int32, n int, scratch []int32) (colRef, []int32) {
	c := colRef{src: v, flat: v, rows: rows, pos: rows}
	switch {
	case v.Enc == vector.Const:
		c.pos = zeroPlaces[:n]
		if v.IsNull(0) {
			c.flat = zeroVector(v.Type)
		}
	case v.Enc == vector.Dict && v.Base.N == 0:
		c.flat, c.pos = zeroVector(v.Type), zeroPlaces[:n]
	case v.Enc == vector.Dict:
		c.flat = v.Base
		if rows == nil {
			c.pos = v.Idx[:n]
			break
		}
		scratch = slices.Grow(scratch[:0], n)[:n]
		idx := v.Idx
		for i, r := range rows[:n] {
			scratch[i] = idx[r]
		}
		c.pos = scratch
	}
	return c, scratch
}

// zeroVector is a flat vector of one zero value. Nested types have no zero,
// and nobody looks at it.
func zeroVector(t types.Type) *vector.Vector {
	v := &vector.Vector{Type: t, N: 1}
	if w := t.Physical().Width(); w > 0 {
		v.Data = unsafe.Slice((*byte)(unsafe.Pointer(&zeroData)), w)
	}
	return v
}

// keyLayout says how a key of several columns lies in a row of 8-byte words:
// the hash, strings, the other values by descending width, a bit a column for
// nulls, and at the end what goes along without being part of the value (the
// zone of a timestamp). Two keys are the same if their compared words are, where the
// second word of a long string stands for its bytes.
type keyLayout struct {
	types    []types.Type
	fields   []keyField // strings, then the others by descending width
	views    []int      // word at which each string begins
	nulls    int        // byte at which the null bits begin
	compared int        // words
	words    int
}

type keyField struct {
	key    int // number of the column in the key
	phys   types.Physical
	at     int // byte of the value
	width  int
	zone   int // word of the full value of a time with a zone; 0: not one
	view   int // index in views; -1: not a string
	nested bool
}

// newKeyLayout lays out a key of the given types.
func newKeyLayout(ts []types.Type) *keyLayout {
	l := &keyLayout{types: ts}
	for i, t := range ts {
		f := keyField{key: i, phys: t.Physical(), width: t.Physical().Width(), view: -1, nested: t.IsNested()}
		switch {
		case t.Kind == types.TimestampTZ, t.Kind == types.TimeTZ:
			f.width = 8
		case f.nested:
			f.phys, f.width = types.PhysBytes, 16
		}
		l.fields = append(l.fields, f)
	}
	slices.SortStableFunc(l.fields, byPlace)
	at := 8
	for i := range l.fields {
		f := &l.fields[i]
		f.at = at
		if f.phys == types.PhysBytes {
			f.view = len(l.views)
			l.views = append(l.views, at/8)
		}
		at += f.width
	}
	l.nulls = at
	l.compared = (at + (len(ts)+7)/8 + 7) / 8
	l.words = l.compared
	for i := range l.fields {
		if k := ts[l.fields[i].key].Kind; k == types.TimestampTZ || k == types.TimeTZ {
			l.fields[i].zone = l.words
			l.words += 2
		}
	}
	return l
}

// byPlace orders fields as they lie in a row. Strings come before everything
// of their width: the hash and the comparison take them to be in front.
func byPlace(a, b keyField) int {
	if a.width != b.width {
		return b.width - a.width
	}
	text := func(f keyField) int {
		if f.phys == types.PhysBytes {
			return 0
		}
		return 1
	}
	return text(a) - text(b)
}

// fieldOf returns the field of a column of the key.
func (l *keyLayout) fieldOf(key int) *keyField {
	return &l.fields[slices.IndexFunc(l.fields, func(f keyField) bool { return f.key == key })]
}

// keyRows are keys in row form: those of a batch, or those of a table.
type keyRows struct {
	layout *keyLayout
	words  []uint64
	heaps  [][][]byte // of each string of the layout
}

// row returns the words of key i.
func (k *keyRows) row(i int) []uint64 {
	w := k.layout.words
	return k.words[i*w : (i+1)*w : (i+1)*w]
}

// keyEncoder brings the key columns of batches into row form.
type keyEncoder struct {
	keyRows
	buf     cells[uint64]
	nested  []byteHeap // encoded nested values, one heap a string
	scratch []byte
}

// encodeRows is how many rows are encoded at once: their words should stay in
// the first-level cache until they are looked up.
const encodeRows = 1024

func newKeyEncoder(l *keyLayout) *keyEncoder {
	e := &keyEncoder{nested: make([]byteHeap, len(l.views))}
	e.layout, e.heaps = l, make([][][]byte, len(l.views))
	return e
}

func (e *keyEncoder) release() {
	e.buf.release()
	for i := range e.nested {
		e.nested[i].release()
	}
}

// encode brings entries from … to-1 of cols into row form.
func (e *keyEncoder) encode(a *mem.Account, cols []colRef, from, to int) error {
	l, n := e.layout, to-from
	if err := e.buf.room(a, encodeRows*l.words); err != nil {
		return err
	}
	e.words = e.buf.v[:n*l.words]
	clear(e.words)
	for i := range l.fields {
		f := &l.fields[i]
		c := cols[f.key]
		if c.rows != nil {
			c.rows = c.rows[from:to]
		}
		if c.pos != nil {
			c.pos = c.pos[from:to]
		}
		if err := e.encodeField(a, f, &c, from, n); err != nil {
			return err
		}
	}
	e.hash(n)
	return nil
}

// encodeField writes n values of one column. With rows or pos of c nil, the
// first entry is row or place from.
func (e *keyEncoder) encodeField(a *mem.Account, f *keyField, c *colRef, from, n int) error {
	l := e.layout
	stride := l.words * 8
	data := vector.AsBytes(asLongs(e.words))
	switch {
	case f.nested:
		if err := e.encodeNested(a, f, c, from, n); err != nil {
			return err
		}
	case f.width == 0:
	case f.phys == types.PhysFloat:
		spreadFloats(data[f.at:], stride, vector.Values[float32](c.flat), c.pos, from, n)
	case f.phys == types.PhysDouble:
		spreadDoubles(data[f.at:], stride, vector.Values[float64](c.flat), c.pos, from, n)
	case f.zone > 0:
		e.encodeZoned(f, c, from, n)
	case f.width == 16:
		spreadFixed(data[f.at:], stride, vector.Values[types.Int128](c.flat), c.pos, from, n)
		if f.view >= 0 {
			e.heaps[f.view] = c.flat.Heap
		}
	case f.width == 8:
		spreadFixed(data[f.at:], stride, vector.Values[int64](c.flat), c.pos, from, n)
	case f.width == 4:
		spreadFixed(data[f.at:], stride, vector.Values[int32](c.flat), c.pos, from, n)
	case f.width == 2:
		spreadFixed(data[f.at:], stride, vector.Values[int16](c.flat), c.pos, from, n)
	default:
		spreadFixed(data[f.at:], stride, vector.Values[uint8](c.flat), c.pos, from, n)
	}
	if mayHaveNulls(c.src) {
		e.markNulls(f, c, from, n)
	}
	return nil
}

// encodeZoned writes the instant for comparing, and the value as it is.
func (e *keyEncoder) encodeZoned(f *keyField, c *colRef, from, n int) {
	vals := vector.Values[types.Int128](c.flat)
	clock := e.layout.types[f.key].Kind == types.TimeTZ
	for i := range n {
		x := vals[place(c.pos, from, i)]
		row := e.row(i)
		row[f.at/8], row[f.zone], row[f.zone+1] = x.Lo, x.Lo, uint64(x.Hi)
		if clock { // Lo is local time, Hi an offset in minutes
			row[f.at/8] = uint64(types.FloorMod(x.Int64()-x.Hi*60_000_000_000, types.NanosPerDay))
		}
	}
}

// place returns entry i's value's place, counting from entry from.
func place(pos []int32, from, i int) int {
	if pos != nil {
		return int(pos[i])
	}
	return from + i
}

// spreadFixed writes n values stride bytes apart.
func spreadFixed[T vector.Fixed](dst []byte, stride int, vals []T, pos []int32, from, n int) {
	if n == 0 {
		return
	}
	_ = dst[(n-1)*stride+int(unsafe.Sizeof(vals[0]))-1]
	p := unsafe.Pointer(unsafe.SliceData(dst))
	if pos == nil {
		for i, x := range vals[from : from+n] {
			*(*T)(unsafe.Add(p, i*stride)) = x
		}
		return
	}
	for i, at := range pos[:n] {
		*(*T)(unsafe.Add(p, i*stride)) = vals[at]
	}
}

func spreadDoubles(dst []byte, stride int, vals []float64, pos []int32, from, n int) {
	for i := range n {
		*(*uint64)(unsafe.Pointer(&dst[i*stride])) = doubleKey(vals[place(pos, from, i)])
	}
}

// doubleKey returns bits that are equal for doubles that SQL groups together.
func doubleKey(f float64) uint64 {
	switch {
	case f == 0:
		return 0
	case f != f:
		return math.Float64bits(math.NaN())
	}
	return math.Float64bits(f)
}

func spreadFloats(dst []byte, stride int, vals []float32, pos []int32, from, n int) {
	for i := range n {
		*(*uint32)(unsafe.Pointer(&dst[i*stride])) = floatKey(vals[place(pos, from, i)])
	}
}

func floatKey(f float32) uint32 {
	switch {
	case f == 0:
		return 0
	case f != f:
		return math.Float32bits(float32(math.NaN()))
	}
	return math.Float32bits(f)
}

// markNulls clears null values and sets their bits.
func (e *keyEncoder) markNulls(f *keyField, c *colRef, from, n int) {
	w := e.layout.words
	data := vector.AsBytes(asLongs(e.words))
	for i := range n {
		r := from + i
		if c.rows != nil {
			r = int(c.rows[i])
		}
		if !isNull(c.src, r) {
			continue
		}
		row := data[i*w*8:]
		clear(row[f.at : f.at+f.width])
		row[e.layout.nulls+f.key/8] |= 1 << (f.key % 8)
		if f.zone > 0 {
			clear(e.words[i*w+f.zone:][:2])
		}
	}
}

// encodeNested writes nested values as strings of their encoded form.
func (e *keyEncoder) encodeNested(a *mem.Account, f *keyField, c *colRef, from, n int) error {
	heap := &e.nested[f.view]
	heap.release()
	data := vector.AsBytes(asLongs(e.words))
	for i := range n {
		r := from + i
		if c.rows != nil {
			r = int(c.rows[i])
		}
		if isNull(c.src, r) {
			continue
		}
		e.scratch = encodeValue(e.scratch[:0], c.src, r, true)
		v, err := heapView(a, heap, e.scratch)
		if err != nil {
			return err
		}
		*(*vector.View)(unsafe.Pointer(&data[i*e.layout.words*8+f.at])) = v
	}
	e.heaps[f.view] = heap.bufs
	return nil
}

// heapView copies s to heap if it is long, and returns its view.
func heapView(a *mem.Account, heap *byteHeap, s []byte) (vector.View, error) {
	if len(s) <= vector.InlineLen {
		return vector.InlineView(s), nil
	}
	dst, buf, off, err := heap.room(a, len(s))
	if err != nil {
		return vector.View{}, err
	}
	copy(dst, s)
	return vector.HeapView(s, buf, off), nil
}

func asLongs(w []uint64) []int64 {
	return unsafe.Slice((*int64)(unsafe.Pointer(unsafe.SliceData(w))), len(w))
}

// hash fills the first word of n rows. Strings come first, so that a long one
// can be hashed by its bytes; the other words are hashed as they are.
func (e *keyEncoder) hash(n int) {
	l := e.layout
	after := 1 + 2*len(l.views)
	for i := range n {
		row := e.row(i)
		h := uint64(hashSeed)
		for v, at := range l.views {
			h = mix64(h^row[at], hashMul)
			if uint32(row[at]) > vector.InlineLen {
				view := (*vector.View)(unsafe.Pointer(&row[at]))
				h = hashLong(h, view.Bytes(e.heaps[v]))
			} else {
				h = mix64(h^row[at+1], hashMul)
			}
		}
		for _, w := range row[after:l.compared] {
			h = mix64(h^w, hashMul)
		}
		row[0] = h
	}
}
