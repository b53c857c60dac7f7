package parquet

import (
	"math"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/exec/kernel"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// dynamicState is a dynamic filter of the scan, and what has become of it.
type dynamicState struct {
	id     int32
	column int
	filter *connectors.DynamicFilter // nil: not there yet
	test   valueTest
	table  dictTable
	// in and out count rows tested and passed. A filter that lets nearly
	// everything pass is not worth testing rows with.
	in, out int
	off     bool
}

// valueTest is a dynamic filter in the form that loops need. Values are as
// int64 where the column is a number of up to 64 bits.
type valueTest struct {
	lo, hi  int64
	bits    []uint64 // which of lo+i, up to hi, are in; nil: see ints
	ints    map[int64]struct{}
	strings map[string]struct{}
	bloom   []uint64
	bounded bool // lo and hi hold
}

const (
	// maxBits is the largest range of integers whose members are kept as a bitmap.
	maxBits = 1 << 20
	// trialRows is after how many rows a filter is judged.
	trialRows = 1 << 16
)

// poll asks for the filters that have not arrived. It reports whether one of
// them says that nothing can match.
func (fs *filterSet) poll(r *Reader) (nothing bool) {
	for i := range fs.dynamic {
		d := &fs.dynamic[i]
		if d.filter != nil || r.cfg.Filter == nil {
			continue
		}
		f := r.cfg.Filter(d.id)
		if f == nil {
			continue
		}
		c := &r.cfg.Columns[d.column]
		d.filter = f
		d.test, d.off = compileTest(f, c.Type)
		if f.Empty || c.Field == nil && !meets(constantDomain(c.Value), f, c.Type) {
			return true
		}
		d.off = d.off || c.Field == nil
	}
	return false
}

// compileTest readies a filter for testing values of type t; useless is true
// if there is nothing that rows could be tested with.
func compileTest(f *connectors.DynamicFilter, t types.Type) (vt valueTest, useless bool) {
	vt.lo, vt.hi = math.MinInt64, math.MaxInt64
	if isInt(t) {
		if x, ok := f.Min.(int64); ok {
			vt.lo, vt.bounded = x, true
		}
		if x, ok := f.Max.(int64); ok {
			vt.hi, vt.bounded = x, true
		}
	}
	switch {
	case f.Values != nil:
		vt.bloom = f.Bloom
		vt.setValues(f.Values, t)
	case isInt(t) && vt.holds(f.Bits):
		vt.bits = f.Bits
	case len(f.Bloom) > 0:
		vt.bloom = f.Bloom
	}
	return vt, !vt.bounded && vt.bloom == nil && vt.ints == nil && vt.bits == nil && vt.strings == nil
}

// holds reports whether bits are there, one for each value from lo to hi.
func (vt *valueTest) holds(bits []uint64) bool {
	return bits != nil && vt.lo <= vt.hi && uint64(vt.hi-vt.lo)/64 < uint64(len(bits))
}

// isInt reports whether values of t are integers of up to 64 bits.
func isInt(t types.Type) bool {
	switch t.Physical() {
	case types.PhysInt8, types.PhysInt16, types.PhysInt32, types.PhysInt64:
		return true
	}
	return false
}

func (vt *valueTest) setValues(values []any, t types.Type) {
	if t.Physical() == types.PhysBytes {
		m := make(map[string]struct{}, len(values))
		for _, v := range values {
			s, ok := v.(string)
			if !ok {
				return
			}
			m[s] = struct{}{}
		}
		vt.strings = m
		return
	}
	if !isInt(t) {
		return
	}
	m := make(map[int64]struct{}, len(values))
	lo, hi := int64(math.MaxInt64), int64(math.MinInt64)
	for _, v := range values {
		x, ok := v.(int64)
		if !ok {
			return
		}
		m[x] = struct{}{}
		lo, hi = min(lo, x), max(hi, x)
	}
	vt.bounded, vt.lo, vt.hi, vt.ints = true, max(vt.lo, lo), min(vt.hi, hi), m
	if uint64(vt.hi-vt.lo) < maxBits && vt.lo <= vt.hi {
		vt.bits = make([]uint64, (vt.hi-vt.lo)/64+1)
		for x := range m {
			if x >= vt.lo && x <= vt.hi {
				vt.bits[(x-vt.lo)>>6] |= 1 << (uint(x-vt.lo) & 63)
			}
		}
	}
}

// hasInt reports whether x may match, but for the bloom filter.
func (vt *valueTest) hasInt(x int64) bool {
	if x < vt.lo || x > vt.hi {
		return false
	}
	if vt.bits != nil {
		i := uint64(x - vt.lo)
		return vt.bits[i>>6]>>(i&63)&1 != 0
	}
	if vt.ints != nil {
		_, ok := vt.ints[x]
		return ok
	}
	return true
}

// applyDynamic narrows b's selection by all filters that are there.
func (fs *filterSet) applyDynamic(r *Reader, b *vector.Batch) error {
	for i := range fs.dynamic {
		d := &fs.dynamic[i]
		if d.filter == nil || d.off {
			continue
		}
		v := b.Cols[d.column]
		if err := v.Load(b.Sel); err != nil {
			return err
		}
		rows := b.Rows()
		sel := d.choose(fs, v, b.Sel, b.N)
		d.judge(rows, len(sel))
		if b.Sel = narrowed(sel, b.N); isEmpty(b.Sel) {
			return nil
		}
	}
	return nil
}

// judge counts, and stops testing rows once it has shown to be of no use.
func (d *dynamicState) judge(in, out int) {
	d.in += in
	d.out += out
	if d.in >= trialRows {
		d.off = d.out > d.in/8*7
		d.in, d.out = 0, 0
	}
}

// choose returns the rows of sel (nil: all) that may match.
func (d *dynamicState) choose(fs *filterSet, v *vector.Vector, sel []int32, n int) []int32 {
	if v.Enc == vector.Dict {
		if d.table.dict != v.Base {
			d.table.tested += n
			if d.table.tested >= v.Base.N/2 {
				d.fill(fs, v.Base)
			}
		}
		if d.table.dict == v.Base {
			return d.table.choose(v, sel, fs.room(n))
		}
	}
	return d.test.choose(fs, v, sel, n)
}

// fill computes the filter on a dictionary and reports whether any entry passes.
func (d *dynamicState) fill(fs *filterSet, dict *vector.Vector) bool {
	d.table.room(dict)
	for at := 0; at < dict.N; at += vector.MaxRows {
		v := slice(dict, at, min(vector.MaxRows, dict.N-at))
		d.table.mark(d.test.choose(fs.side(), &v, nil, v.N), at, v.N)
	}
	return d.table.any
}

// choose returns the rows of sel (nil: all n) of a loaded vector that may match.
func (vt *valueTest) choose(fs *filterSet, v *vector.Vector, sel []int32, n int) []int32 {
	out := allOf(sel, fs.room(n))
	if v.Valid != nil {
		out = dropNulls(v, out)
	}
	switch v.Type.Physical() {
	case types.PhysInt8:
		out = chooseInts[int8](vt, v, out)
	case types.PhysInt16:
		out = chooseInts[int16](vt, v, out)
	case types.PhysInt32:
		out = chooseInts[int32](vt, v, out)
	case types.PhysInt64:
		out = chooseInts[int64](vt, v, out)
	case types.PhysBytes:
		out = vt.chooseStrings(v, out)
	}
	if vt.bloom != nil && len(out) > 0 {
		out = vt.chooseBloom(fs, v, out)
	}
	return out
}

// allOf copies a selection (nil: all rows) to dst, whose length is the batch's.
func allOf(sel, dst []int32) []int32 {
	if sel != nil {
		return dst[:copy(dst, sel)]
	}
	for i := range dst {
		dst[i] = int32(i)
	}
	return dst
}

func dropNulls(v *vector.Vector, sel []int32) []int32 {
	k := 0
	for _, i := range sel {
		if !v.IsNull(int(i)) {
			sel[k] = i
			k++
		}
	}
	return sel[:k]
}

// chooseInts narrows sel, in place, by bounds and listed values.
func chooseInts[T int8 | int16 | int32 | int64](vt *valueTest, v *vector.Vector, sel []int32) []int32 {
	if !vt.bounded {
		return sel
	}
	k := 0
	if v.Enc == vector.Flat && vt.bits != nil {
		return chooseBits(vector.Values[T](v), vt.bits, vt.lo, uint64(vt.hi-vt.lo), sel)
	}
	if v.Enc == vector.Flat && vt.ints == nil {
		vals := vector.Values[T](v)
		for _, i := range sel {
			x := int64(vals[i])
			sel[k] = i
			if x >= vt.lo && x <= vt.hi {
				k++
			}
		}
		return sel[:k]
	}
	for _, i := range sel {
		sel[k] = i
		if vt.hasInt(int64(vector.Value[T](v, int(i)))) {
			k++
		}
	}
	return sel[:k]
}

// chooseBits narrows sel, in place, to the values whose bit, counted from lo,
// is set. It does not branch on the answer, which may be any.
func chooseBits[T int8 | int16 | int32 | int64](vals []T, bits []uint64, lo int64, span uint64, sel []int32) []int32 {
	k := 0
	for _, i := range sel {
		at := uint64(int64(vals[i]) - lo)
		sel[k] = i
		if at <= span {
			k += int(bits[at>>6] >> (at & 63) & 1)
		}
	}
	return sel[:k]
}

func (vt *valueTest) chooseStrings(v *vector.Vector, sel []int32) []int32 {
	if vt.strings == nil {
		return sel
	}
	k := 0
	for _, i := range sel {
		if _, ok := vt.strings[string(v.Bytes(int(i)))]; ok {
			sel[k] = i
			k++
		}
	}
	return sel[:k]
}

func (vt *valueTest) chooseBloom(fs *filterSet, v *vector.Vector, sel []int32) []int32 {
	if cap(fs.hashes) < len(sel) {
		fs.hashes = make([]uint64, max(len(sel), vector.DefaultRows))
	}
	hashes := fs.hashes[:len(sel)]
	cols := [1]*vector.Vector{v}
	kernel.Hash(cols[:], sel, v.N, hashes)
	k := 0
	for j, i := range sel {
		sel[k] = i
		if connectors.BloomHas(vt.bloom, hashes[j]) {
			k++
		}
	}
	return sel[:k]
}
