package kernel

import (
	"encoding/binary"
	"math"

	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// Compare compares row i of a with row j of b: negative, zero or positive.
type Compare func(a *vector.Vector, i int, b *vector.Vector, j int) int

// Comparator returns the order of sorting for t: NaN is larger than every
// number and equal to itself, -0.0 equals 0.0, and null is larger than
// everything. It takes any encoding but lazy and is for slow paths.
func Comparator(t types.Type) Compare { return comparator(t, false) }

// ExtremeOrder is the order in which min and max and those like them compare:
// Comparator's, but that for the largest value NaN is smaller than every
// number, so that it is never taken where there is one.
func ExtremeOrder(t types.Type, max bool) Compare { return comparator(t, max) }

func comparator(t types.Type, nanFirst bool) Compare {
	cmp := valueOrder(t, nanFirst)
	return func(a *vector.Vector, i int, b *vector.Vector, j int) int {
		switch x, y := a.IsNull(i), b.IsNull(j); {
		case x && y:
			return 0
		case x:
			return 1
		case y:
			return -1
		}
		return cmp(a, i, b, j)
	}
}

// valueOrder compares values that are not null.
func valueOrder(t types.Type, nanFirst bool) Compare {
	switch t.Physical() {
	case types.PhysBool:
		return numberOrder[uint8]
	case types.PhysInt8:
		return numberOrder[int8]
	case types.PhysInt16:
		return numberOrder[int16]
	case types.PhysInt32:
		return numberOrder[int32]
	case types.PhysInt64:
		return numberOrder[int64]
	case types.PhysFloat:
		return eitherOrder(nanFirst, nanFirstOrder[float32], floatOrder[float32])
	case types.PhysDouble:
		return eitherOrder(nanFirst, nanFirstOrder[float64], floatOrder[float64])
	case types.PhysInt128:
		order := wideOrder(t)
		return func(a *vector.Vector, i int, b *vector.Vector, j int) int {
			return order(vector.Value[types.Int128](a, i), vector.Value[types.Int128](b, j))
		}
	case types.PhysBytes:
		if t.Kind == types.Char {
			return func(a *vector.Vector, i int, b *vector.Vector, j int) int {
				return comparePadded(a.Bytes(i), b.Bytes(j))
			}
		}
		return stringOrder
	case types.PhysNull:
		return func(*vector.Vector, int, *vector.Vector, int) int { return 0 }
	}
	return nestedOrder(t, nanFirst)
}

func eitherOrder(first bool, a, b Compare) Compare {
	if first {
		return a
	}
	return b
}

func numberOrder[T fixed](a *vector.Vector, i int, b *vector.Vector, j int) int {
	return compare(vector.Value[T](a, i), vector.Value[T](b, j))
}

func floatOrder[T float32 | float64](a *vector.Vector, i int, b *vector.Vector, j int) int {
	return compareFloats(vector.Value[T](a, i), vector.Value[T](b, j))
}

func nanFirstOrder[T float32 | float64](a *vector.Vector, i int, b *vector.Vector, j int) int {
	x, y := vector.Value[T](a, i), vector.Value[T](b, j)
	if x != x || y != y {
		return boolInt(y != y) - boolInt(x != x)
	}
	return compare(x, y)
}

func compareFloats[T float32 | float64](x, y T) int {
	if x != x || y != y {
		return boolInt(x != x) - boolInt(y != y)
	}
	return compare(x, y)
}

func stringOrder(a *vector.Vector, i int, b *vector.Vector, j int) int {
	x, y := holder(a), holder(b)
	return compareViews(&vector.Values[vector.View](x)[a.At(i)], x.Heap, &vector.Values[vector.View](y)[b.At(j)], y.Heap)
}

// nestedOrder compares arrays and rows element by element, then by length.
// Maps, which SQL does not order, compare by their entries as they lie.
func nestedOrder(t types.Type, nanFirst bool) Compare {
	var elems []Compare
	for _, e := range t.Elems() {
		elems = append(elems, comparator(e, nanFirst))
	}
	return func(a *vector.Vector, i int, b *vector.Vector, j int) int {
		x, y := holder(a), holder(b)
		af, at := span(a, i)
		bf, bt := span(b, j)
		for k := range min(at-af, bt-bf) {
			for e, cmp := range elems {
				if c := cmp(x.Kids[e], int(af+k), y.Kids[e], int(bf+k)); c != 0 {
					return c
				}
			}
		}
		return compare(at-af, bt-bf)
	}
}

// keyPrefix is how many bytes of a string a sort key holds.
const keyPrefix = 12

// SortKeys encodes the columns of an ORDER BY as bytes that compare, as bytes,
// in the order wanted. Fixed-width columns are encoded whole. A string (or a
// nested value) is cut, so the key ends with the first such column: where two
// keys are equal, the columns from Tie on must be compared (Less does it).
type SortKeys struct {
	cols  []keyColumn
	width int
	tie   int
	cmp   []Compare
}

type keyColumn struct {
	typ              types.Type
	desc, nullsFirst bool
	at, width        int // of the value, behind its null byte
}

// NewSortKeys lays out keys for columns of the given types; desc and
// nullsFirst have an entry a column.
func NewSortKeys(ts []types.Type, desc, nullsFirst []bool) *SortKeys {
	k := &SortKeys{tie: len(ts)}
	for i, t := range ts {
		w := t.Physical().Width()
		exact := !typeIsBytes(t) && !t.IsNested()
		switch {
		case t.Kind == types.TimestampTZ || t.Kind == types.TimeTZ:
			w = 8
		case typeIsBytes(t):
			w = keyPrefix + 1
		}
		c := keyColumn{typ: t, desc: desc[i], nullsFirst: nullsFirst[i], at: k.width + 1, width: w}
		k.cols = append(k.cols, c)
		k.cmp = append(k.cmp, Comparator(t))
		if k.tie == len(ts) {
			k.width += 1 + w
			if !exact {
				k.tie = i
			}
		}
	}
	return k
}

// Width returns the bytes of a key.
func (k *SortKeys) Width() int { return k.width }

// Tie returns the first column that equal keys do not decide, or the number
// of columns when equal keys mean equal rows.
func (k *SortKeys) Tie() int { return k.tie }

// Encode writes the keys of the rows in sel (nil: all n) to dst, one after the
// other; dst has Width bytes for each. Columns are not lazy.
func (k *SortKeys) Encode(cols []*vector.Vector, sel []int32, n int, dst []byte) {
	for i := range min(k.tie+1, len(k.cols)) {
		k.encodeColumn(&k.cols[i], cols[i], sel, rows(sel, n), dst)
	}
}

// CompareTie compares the columns from Tie on of two rows whose keys are equal.
func (k *SortKeys) CompareTie(a []*vector.Vector, i int, b []*vector.Vector, j int) int {
	for c := k.tie; c < len(k.cols); c++ {
		if r := k.CompareColumn(c, a[c], i, b[c], j); r != 0 {
			return r
		}
	}
	return 0
}

// CompareColumn compares two rows of column c in the order wanted of it.
func (k *SortKeys) CompareColumn(c int, a *vector.Vector, i int, b *vector.Vector, j int) int {
	col := &k.cols[c]
	x, y := a.IsNull(i), b.IsNull(j)
	if x || y {
		r := boolInt(x) - boolInt(y)
		if col.nullsFirst {
			r = -r
		}
		return r
	}
	r := k.cmp[c](a, i, b, j)
	if col.desc {
		return -r
	}
	return r
}

func (k *SortKeys) encodeColumn(c *keyColumn, v *vector.Vector, sel []int32, count int, dst []byte) {
	put := putKey(c.typ, holder(v))
	null, value := byte(1), byte(0)
	if c.nullsFirst {
		null, value = 0, 1
	}
	for j := range count {
		i := j
		if sel != nil {
			i = int(sel[j])
		}
		key := dst[j*k.width+c.at-1:][:1+c.width]
		if v.IsNull(i) {
			key[0] = null
			clear(key[1:])
			continue
		}
		key[0] = value
		put(key[1:], v.At(i))
		if c.desc {
			for b := range key[1:] {
				key[1+b] = ^key[1+b]
			}
		}
	}
}

// putKey returns what encodes entry i of f.
func putKey(t types.Type, f *vector.Vector) func(dst []byte, i int) {
	switch t.Physical() {
	case types.PhysBool:
		vals := vector.Values[uint8](f)
		return func(dst []byte, i int) { dst[0] = vals[i] }
	case types.PhysInt8:
		vals := vector.Values[int8](f)
		return func(dst []byte, i int) { dst[0] = byte(vals[i]) ^ 0x80 }
	case types.PhysInt16:
		vals := vector.Values[int16](f)
		return func(dst []byte, i int) { binary.BigEndian.PutUint16(dst, uint16(vals[i])^1<<15) }
	case types.PhysInt32:
		vals := vector.Values[int32](f)
		return func(dst []byte, i int) { binary.BigEndian.PutUint32(dst, uint32(vals[i])^1<<31) }
	case types.PhysInt64:
		vals := vector.Values[int64](f)
		return func(dst []byte, i int) { binary.BigEndian.PutUint64(dst, uint64(vals[i])^1<<63) }
	case types.PhysFloat:
		vals := vector.Values[float32](f)
		return func(dst []byte, i int) {
			// A float's order survives in the upper half of its double's bits only
			// together with the lower, so floats are encoded on their own.
			binary.BigEndian.PutUint32(dst, orderedFloat(vals[i]))
		}
	case types.PhysDouble:
		vals := vector.Values[float64](f)
		return func(dst []byte, i int) { binary.BigEndian.PutUint64(dst, orderedDouble(vals[i])) }
	case types.PhysInt128:
		return putWideKey(t, vector.Values[types.Int128](f))
	case types.PhysBytes:
		return putStringKey(t, f)
	}
	return func([]byte, int) {}
}

// orderedDouble maps doubles to integers of the same order, NaN last.
func orderedDouble(f float64) uint64 {
	b := doubleBits(f)
	if b>>63 != 0 {
		return ^b
	}
	return b | 1<<63
}

func orderedFloat(f float32) uint32 {
	switch {
	case f == 0:
		f = 0
	case f != f:
		return math.MaxUint32
	}
	b := math.Float32bits(f)
	if f == 0 {
		b = 0
	}
	if b>>31 != 0 {
		return ^b
	}
	return b | 1<<31
}

func putWideKey(t types.Type, vals []types.Int128) func(dst []byte, i int) {
	switch t.Kind {
	case types.TimestampTZ:
		return func(dst []byte, i int) { binary.BigEndian.PutUint64(dst, vals[i].Lo^1<<63) }
	case types.TimeTZ:
		return func(dst []byte, i int) { binary.BigEndian.PutUint64(dst, uint64(utcTime(vals[i]))^1<<63) }
	}
	flip := uint64(1 << 63)
	if t.Kind == types.UUID {
		flip = 0
	}
	return func(dst []byte, i int) {
		binary.BigEndian.PutUint64(dst, uint64(vals[i].Hi)^flip)
		binary.BigEndian.PutUint64(dst[8:], vals[i].Lo)
	}
}

// putStringKey writes a prefix and how long the string is, up to one more than
// the prefix. A char is padded with spaces, its length does not count.
func putStringKey(t types.Type, f *vector.Vector) func(dst []byte, i int) {
	views, heap := vector.Values[vector.View](f), f.Heap
	return func(dst []byte, i int) {
		b := views[i].Bytes(heap)
		n := copy(dst[:keyPrefix], b)
		pad := byte(0)
		if t.Kind == types.Char {
			pad = ' '
		}
		for ; n < keyPrefix; n++ {
			dst[n] = pad
		}
		dst[keyPrefix] = byte(min(len(b), keyPrefix+1))
		if t.Kind == types.Char {
			dst[keyPrefix] = 0
		}
	}
}
