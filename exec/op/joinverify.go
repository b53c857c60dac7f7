package op

import (
	"bytes"

	"github.com/tuttidb/tutti/exec/kernel"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// keyColumn is a probe key in a form that loops can index: row r is entry r of
// base, or entry idx[r] of it.
type keyColumn struct {
	v    *vector.Vector
	base *vector.Vector
	idx  []int32
}

// keyColumnOf decodes v, which is loaded. zeros has at least v.N zeros.
func keyColumnOf(v *vector.Vector, zeros []int32) keyColumn {
	switch v.Enc {
	case vector.Dict:
		return keyColumn{v: v, base: v.Base, idx: v.Idx}
	case vector.Const:
		return keyColumn{v: v, base: v, idx: zeros}
	}
	return keyColumn{v: v, base: v}
}

// keepEqual keeps those of the first n pairs of a probe row and a build row
// whose values of one key are equal, and returns how many. Neither is null.
// = is SQL's: a NaN equals nothing, and 0 equals -0.
func keepEqual(k keyColumn, right *vector.Vector, pr, br []int32, scratch *[]int32) int {
	switch right.Type.Kind {
	case types.TimestampTZ, types.TimeTZ:
		return keepCompared(k.v, right, pr, br, scratch)
	}
	switch right.Type.Physical() {
	case types.PhysBool:
		return keepSame[uint8](k, right, pr, br)
	case types.PhysInt8:
		return keepSame[int8](k, right, pr, br)
	case types.PhysInt16:
		return keepSame[int16](k, right, pr, br)
	case types.PhysInt32:
		return keepSame[int32](k, right, pr, br)
	case types.PhysInt64:
		return keepSame[int64](k, right, pr, br)
	case types.PhysFloat:
		return keepSame[float32](k, right, pr, br)
	case types.PhysDouble:
		return keepSame[float64](k, right, pr, br)
	case types.PhysInt128:
		return keepSame[types.Int128](k, right, pr, br)
	case types.PhysBytes:
		return keepSameBytes(k, right, pr, br)
	}
	return keepCompared(k.v, right, pr, br, scratch)
}

// block is how many pairs are compared before any is kept: comparing has no
// branch, so that the fetches of a block's build rows overlap.
const block = 256

// keepSame compares fixed-width values.
func keepSame[T vector.Fixed](k keyColumn, right *vector.Vector, pr, br []int32) int {
	a, b := vector.Values[T](k.base), vector.Values[T](right)
	var same [block]uint8
	n := 0
	for from := 0; from < len(pr); from += block {
		p, r := pr[from:min(from+block, len(pr))], br[from:min(from+block, len(pr))]
		if k.idx == nil {
			for i := range p {
				same[i&(block-1)] = boolByte(a[p[i]] == b[r[i]])
			}
		} else {
			for i := range p {
				same[i&(block-1)] = boolByte(a[k.idx[p[i]]] == b[r[i]])
			}
		}
		for i := range p {
			pr[n], br[n] = p[i], r[i]
			n += int(same[i&(block-1)])
		}
	}
	return n
}

func boolByte(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

func keepSameBytes(k keyColumn, right *vector.Vector, pr, br []int32) int {
	a, b := vector.Values[vector.View](k.base), vector.Values[vector.View](right)
	n := 0
	for i, r := range pr {
		at, row := r, br[i]
		if k.idx != nil {
			at = k.idx[r]
		}
		pr[n], br[n] = r, row
		if sameBytes(&a[at], k.base.Heap, &b[row], right.Heap) {
			n++
		}
	}
	return n
}

// sameBytes compares two strings; short ones by their views alone, and long
// ones mostly too.
func sameBytes(a *vector.View, ah [][]byte, b *vector.View, bh [][]byte) bool {
	if a.Len != b.Len || a.Prefix != b.Prefix {
		return false
	}
	if a.Len <= vector.InlineLen {
		return *a == *b
	}
	return bytes.Equal(a.Bytes(ah), b.Bytes(bh))
}

// keepCompared is for types whose values can be equal without being the same
// bytes: instants with time zones, and nested types.
func keepCompared(left, right *vector.Vector, pr, br []int32, scratch *[]int32) int {
	pos := (*scratch)[:0]
	for i := range pr {
		pos = append(pos, int32(i))
	}
	*scratch = pos
	pos = kernel.Equal(left, pr, right, br, false, pos)
	for n, p := range pos {
		pr[n], br[n] = pr[p], br[p]
	}
	return len(pos)
}
