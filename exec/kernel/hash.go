package kernel

import (
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// The hash is a chain of 64×64→128-bit multiplications folded by XOR, as in
// wyhash. The constants are fixed, so that every process of a cluster, and of
// the next version, puts a value in the same partition.
const (
	seed0    = 0xa0761d6478bd642f
	seed1    = 0xe7037ed1a0b428db
	seed2    = 0x8ebc6af09c88c6e3
	seed3    = 0x589965cc75374cc3
	nullHash = 0x1d8e4e27c47d124f
	nanBits  = 0x7ff8000000000001
)

func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^seed0, b^seed1)
	return hi ^ lo
}

// hashWord hashes one 64-bit word.
func hashWord(x uint64) uint64 { return mix(x, seed2) }

// hashNumber hashes a number by value: -0.0 as 0.0, and all NaNs alike.
func hashNumber[T fixed](x T) uint64 {
	if isFloat[T]() {
		return hashWord(doubleBits(float64(x)))
	}
	return hashWord(uint64(int64(x)))
}

func doubleBits(f float64) uint64 {
	if f == 0 {
		return 0
	}
	if f != f {
		return nanBits
	}
	return math.Float64bits(f)
}

func hashWide(x types.Int128) uint64 { return mix(x.Lo^seed2, uint64(x.Hi)^seed3) }

// hashBytes hashes a string by content. Up to InlineLen bytes it hashes the
// words of the string's view, so that short strings are never looked into.
func hashBytes(b []byte) uint64 {
	if len(b) <= vector.InlineLen {
		var w [16]byte
		binary.LittleEndian.PutUint32(w[:], uint32(len(b)))
		copy(w[4:], b)
		return mix(binary.LittleEndian.Uint64(w[:])^seed2, binary.LittleEndian.Uint64(w[8:])^seed3)
	}
	return hashLong(b)
}

// hashLong hashes more than 8 bytes, 16 at a time; the last 16 may overlap.
func hashLong(b []byte) uint64 {
	h := uint64(len(b)) * seed3
	n := len(b)
	for len(b) > 16 {
		h = mix(binary.LittleEndian.Uint64(b)^h, binary.LittleEndian.Uint64(b[8:])^seed2)
		b = b[16:]
	}
	if n < 16 {
		return mix(binary.LittleEndian.Uint64(b)^h, binary.LittleEndian.Uint64(b[n-8:])^seed3)
	}
	if len(b) >= 16 {
		return mix(binary.LittleEndian.Uint64(b)^h, binary.LittleEndian.Uint64(b[8:])^seed3)
	}
	var tail [16]byte
	copy(tail[:], b)
	return mix(binary.LittleEndian.Uint64(tail[:])^h, binary.LittleEndian.Uint64(tail[8:])^seed3)
}

// Hash writes one well-mixed hash a row to out: out[i] is that of the i-th
// row of sel (nil: all n rows) over all columns. Values that are not distinct
// have the same hash whatever the encoding, and in every process; a null
// hashes as a value of its own. Columns are not lazy.
func Hash(cols []*vector.Vector, sel []int32, n int, out []uint64) {
	out = out[:rows(sel, n)]
	if len(cols) == 0 {
		clear(out)
		return
	}
	for i, v := range cols {
		hashColumn(v, sel, out, i > 0)
	}
}

// hashColumn hashes a column, folding in what out holds already if more is set.
func hashColumn(v *vector.Vector, sel []int32, out []uint64, more bool) {
	f := holder(v)
	switch v.Type.Physical() {
	case types.PhysBool, types.PhysInt8:
		hashInts[int8](v, sel, out, more)
	case types.PhysInt16:
		hashInts[int16](v, sel, out, more)
	case types.PhysInt32:
		hashInts[int32](v, sel, out, more)
	case types.PhysInt64:
		hashInts[int64](v, sel, out, more)
	case types.PhysFloat:
		hashFixed(v, vector.Values[float32](f), hashNumber[float32], sel, out, more)
	case types.PhysDouble:
		hashFixed(v, vector.Values[float64](f), hashNumber[float64], sel, out, more)
	case types.PhysInt128:
		hashFixed(v, vector.Values[types.Int128](f), wideHash(v.Type), sel, out, more)
	case types.PhysBytes:
		hashStrings(v, sel, out, more)
	default:
		hashRows(v, sel, out, more, func(i int) uint64 { return hashNested(v, i) })
	}
}

func wideHash(t types.Type) func(types.Int128) uint64 {
	switch t.Kind {
	case types.TimestampTZ:
		return func(x types.Int128) uint64 { return hashWord(x.Lo) }
	case types.TimeTZ:
		return func(x types.Int128) uint64 { return hashWord(uint64(utcTime(x))) }
	}
	return hashWide
}

func fold(old, h uint64, more bool) uint64 {
	if more {
		return mix(old, h)
	}
	return h
}

// hashRows is the general loop.
func hashRows(v *vector.Vector, sel []int32, out []uint64, more bool, hash func(i int) uint64) {
	if v.Enc == vector.Const {
		h := uint64(nullHash)
		if !v.IsNull(0) {
			h = hash(0)
		}
		for j := range out {
			out[j] = fold(out[j], h, more)
		}
		return
	}
	for j := range out {
		i := j
		if sel != nil {
			i = int(sel[j])
		}
		h := uint64(nullHash)
		if v.Valid == nil || v.Valid.Get(i) {
			h = hash(i)
		}
		out[j] = fold(out[j], h, more)
	}
}

func hashFixed[T vector.Fixed](v *vector.Vector, vals []T, hash func(T) uint64, sel []int32, out []uint64, more bool) {
	if v.Enc == vector.Dict {
		hashRows(v, sel, out, more, func(i int) uint64 { return hash(vals[v.Idx[i]]) })
		return
	}
	hashRows(v, sel, out, more, func(i int) uint64 { return hash(vals[i]) })
}

// hashInts has direct loops for flat integers without nulls, the commonest keys.
func hashInts[T signed](v *vector.Vector, sel []int32, out []uint64, more bool) {
	if v.Enc != vector.Flat || v.Valid != nil {
		hashFixed(v, vector.Values[T](holder(v)), hashNumber[T], sel, out, more)
		return
	}
	vals := vector.Values[T](v)
	switch {
	case sel == nil && !more:
		for i, x := range vals[:len(out)] {
			out[i] = hashWord(uint64(int64(x)))
		}
	case sel == nil:
		for i, x := range vals[:len(out)] {
			out[i] = mix(out[i], hashWord(uint64(int64(x))))
		}
	case !more:
		for j, i := range sel {
			out[j] = hashWord(uint64(int64(vals[i])))
		}
	default:
		for j, i := range sel {
			out[j] = mix(out[j], hashWord(uint64(int64(vals[i]))))
		}
	}
}

// hashStrings hashes views: their own words when they are short.
func hashStrings(v *vector.Vector, sel []int32, out []uint64, more bool) {
	f := holder(v)
	words, views := vector.Values[types.Int128](f), vector.Values[vector.View](f)
	if v.Enc != vector.Flat || v.Valid != nil {
		hashRows(v, sel, out, more, func(i int) uint64 {
			k := v.At(i)
			return hashView(&words[k], &views[k], f.Heap)
		})
		return
	}
	for j := range out {
		i := j
		if sel != nil {
			i = int(sel[j])
		}
		h := hashView(&words[i], &views[i], f.Heap)
		if more {
			h = mix(out[j], h)
		}
		out[j] = h
	}
}

func hashView(w *types.Int128, v *vector.View, heap [][]byte) uint64 {
	if v.Len <= vector.InlineLen {
		return mix(w.Lo^seed2, uint64(w.Hi)^seed3)
	}
	return hashLong(v.Bytes(heap))
}

// hashValue hashes one row of any vector.
func hashValue(v *vector.Vector, i int) uint64 {
	if v.IsNull(i) {
		return nullHash
	}
	if v.Type.IsNested() {
		return hashNested(v, i)
	}
	var one [1]uint64
	row := [1]int32{int32(i)}
	hashColumn(v, row[:], one[:], false)
	return one[0]
}

// hashNested hashes an array, map or row. A map's entries are added up, for
// their order means nothing.
func hashNested(v *vector.Vector, i int) uint64 {
	if v.Type.Kind == types.Unknown {
		return nullHash
	}
	f := holder(v)
	from, to := span(v, i)
	h := hashWord(uint64(to - from))
	if v.Type.Kind == types.Map {
		var sum uint64
		for j := int(from); j < int(to); j++ {
			sum += mix(hashValue(f.Kids[0], j), hashValue(f.Kids[1], j))
		}
		return mix(h, sum)
	}
	for j := int(from); j < int(to); j++ {
		for _, kid := range f.Kids {
			h = mix(h, hashValue(kid, j))
		}
	}
	return h
}

// HashValue hashes bytes as Hash hashes a string column of that content.
func HashValue(b []byte) uint64 { return hashBytes(b) }
