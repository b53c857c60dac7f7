package kernel

import (
	"bytes"

	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// Equal keeps the positions p in pos, in place, for which row ai[p] of a
// equals row bi[p] of b. With distinct, rows are equal when they are not
// distinct (nulls alike, NaN equal to itself), as grouping needs; without,
// when SQL's = is true, as joins need. Vectors have one type and are not lazy.
func Equal(a *vector.Vector, ai []int32, b *vector.Vector, bi []int32, distinct bool, pos []int32) []int32 {
	if a.Valid != nil || b.Valid != nil {
		return equalNulls(a, ai, b, bi, distinct, pos)
	}
	return equalValues(a, ai, b, bi, distinct, pos)
}

// equalNulls settles the rows where a side is null, then compares the others.
func equalNulls(a *vector.Vector, ai []int32, b *vector.Vector, bi []int32, distinct bool, pos []int32) []int32 {
	eq := identical(a.Type, distinct)
	k := 0
	for _, p := range pos {
		x, y := a.IsNull(int(ai[p])), b.IsNull(int(bi[p]))
		same := x && y && distinct
		if !x && !y {
			same = eq(a, int(ai[p]), b, int(bi[p]))
		}
		pos[k] = p
		k += boolInt(same)
	}
	return pos[:k]
}

func equalValues(a *vector.Vector, ai []int32, b *vector.Vector, bi []int32, distinct bool, pos []int32) []int32 {
	switch a.Type.Physical() {
	case types.PhysBool, types.PhysInt8:
		return equalFixed[uint8](a, ai, b, bi, pos)
	case types.PhysInt16:
		return equalFixed[int16](a, ai, b, bi, pos)
	case types.PhysInt32:
		return equalFixed[int32](a, ai, b, bi, pos)
	case types.PhysInt64:
		return equalFixed[int64](a, ai, b, bi, pos)
	case types.PhysInt128:
		if a.Type.Kind == types.Decimal || a.Type.Kind == types.UUID {
			return equalFixed[types.Int128](a, ai, b, bi, pos)
		}
	case types.PhysBytes:
		if a.Type.Kind != types.Char {
			return equalStrings(a, ai, b, bi, pos)
		}
	}
	eq := identical(a.Type, distinct)
	k := 0
	for _, p := range pos {
		pos[k] = p
		k += boolInt(eq(a, int(ai[p]), b, int(bi[p])))
	}
	return pos[:k]
}

// equalFixed compares values of which equal ones have equal bits.
func equalFixed[T vector.Fixed](a *vector.Vector, ai []int32, b *vector.Vector, bi []int32, pos []int32) []int32 {
	x, y := vector.Values[T](holder(a)), vector.Values[T](holder(b))
	k := 0
	if a.Enc == vector.Flat && b.Enc == vector.Flat {
		for _, p := range pos {
			pos[k] = p
			k += boolInt(x[ai[p]] == y[bi[p]])
		}
		return pos[:k]
	}
	for _, p := range pos {
		pos[k] = p
		k += boolInt(x[a.At(int(ai[p]))] == y[b.At(int(bi[p]))])
	}
	return pos[:k]
}

// equalStrings compares lengths and prefixes first; the rest of a short
// string is in its view.
func equalStrings(a *vector.Vector, ai []int32, b *vector.Vector, bi []int32, pos []int32) []int32 {
	fa, fb := holder(a), holder(b)
	x, y := vector.Values[types.Int128](fa), vector.Values[types.Int128](fb)
	xv, yv := vector.Values[vector.View](fa), vector.Values[vector.View](fb)
	k := 0
	for _, p := range pos {
		i, j := a.At(int(ai[p])), b.At(int(bi[p]))
		same := x[i].Lo == y[j].Lo
		if same && xv[i].Len <= vector.InlineLen {
			same = x[i].Hi == y[j].Hi
		} else if same {
			same = bytes.Equal(xv[i].Bytes(fa.Heap), yv[j].Bytes(fb.Heap))
		}
		pos[k] = p
		k += boolInt(same)
	}
	return pos[:k]
}

// sameFunc compares two values that are not null.
type sameFunc func(a *vector.Vector, i int, b *vector.Vector, j int) bool

// identical returns equality of values: with distinct, that of IS NOT
// DISTINCT FROM, else that = is true.
func identical(t types.Type, distinct bool) sameFunc {
	if t.IsNested() {
		return func(a *vector.Vector, i int, b *vector.Vector, j int) bool {
			eq, unknown := equal3(t, a, i, b, j, distinct)
			return eq && !unknown
		}
	}
	cmp := valueOrder(t, false)
	if !t.IsFloat() || distinct {
		return func(a *vector.Vector, i int, b *vector.Vector, j int) bool { return cmp(a, i, b, j) == 0 }
	}
	return func(a *vector.Vector, i int, b *vector.Vector, j int) bool {
		return cmp(a, i, b, j) == 0 && !isNaNAt(t, a, i)
	}
}

func isNaNAt(t types.Type, v *vector.Vector, i int) bool {
	if t.Kind == types.Real {
		f := vector.Value[float32](v, i)
		return f != f
	}
	f := vector.Value[float64](v, i)
	return f != f
}

// equal3 compares two values with SQL's three-valued logic: a pair of nested
// values is unequal if any element is, else unknown if any is null.
func equal3(t types.Type, a *vector.Vector, i int, b *vector.Vector, j int, distinct bool) (eq, unknown bool) {
	if x, y := a.IsNull(i), b.IsNull(j); x || y {
		if distinct {
			return x && y, false
		}
		return false, true
	}
	switch t.Kind {
	case types.Array, types.Row:
		return equalElements(t, a, i, b, j, distinct)
	case types.Map:
		return equalMaps(t, a, i, b, j, distinct)
	}
	return identical(t, distinct)(a, i, b, j), false
}

func equalElements(t types.Type, a *vector.Vector, i int, b *vector.Vector, j int, distinct bool) (eq, unknown bool) {
	x, y := holder(a), holder(b)
	af, at := span(a, i)
	bf, bt := span(b, j)
	if at-af != bt-bf {
		return false, false
	}
	for k := range at - af {
		for e, et := range t.Elems() {
			same, dunno := equal3(et, x.Kids[e], int(af+k), y.Kids[e], int(bf+k), distinct)
			if !same && !dunno {
				return false, false
			}
			unknown = unknown || dunno
		}
	}
	return !unknown, unknown
}

// equalMaps looks for each entry of one map in the other.
func equalMaps(t types.Type, a *vector.Vector, i int, b *vector.Vector, j int, distinct bool) (eq, unknown bool) {
	x, y := holder(a), holder(b)
	af, at := span(a, i)
	bf, bt := span(b, j)
	if at-af != bt-bf {
		return false, false
	}
	for k := af; k < at; k++ {
		m := findKey(t.Elem(0), x.Kids[0], int(k), y.Kids[0], bf, bt)
		if m < 0 {
			return false, false
		}
		same, dunno := equal3(t.Elem(1), x.Kids[1], int(k), y.Kids[1], m, distinct)
		if !same && !dunno {
			return false, false
		}
		unknown = unknown || dunno
	}
	return !unknown, unknown
}

// findKey returns where in rows from..to of keys row i of v is, or -1.
func findKey(t types.Type, v *vector.Vector, i int, keys *vector.Vector, from, to int32) int {
	for m := int(from); m < int(to); m++ {
		if same, _ := equal3(t, v, i, keys, m, true); same {
			return m
		}
	}
	return -1
}
