package op

import (
	"math"
	"math/bits"

	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// newSum returns the sum of values of type arg. Integers and intervals are
// summed in 64 bits, decimals in 128, both with a check for overflow.
func newSum(a *mem.Account, arg, result types.Type) accumulator {
	switch {
	case arg.Kind == types.Decimal:
		return &decimalSum{seenCells[types.Int128]{account: a}}
	case arg.IsFloat():
		return &floatSum{seenCells[float64]{account: a}}
	}
	return &intSum{seenCells: seenCells[int64]{account: a}, typ: result}
}

// intSum sums bigints and intervals.
type intSum struct {
	seenCells[int64]
	typ types.Type
}

func (s *intSum) add(f *feed) error {
	mark(s.seen.v, f)
	return addInts(s.vals.v, f, s.typ)
}

// addInts adds column 0, of type t, to the groups' sums.
func addInts(sums []int64, f *feed, t types.Type) error {
	ok := false
	if t.Physical() == types.PhysInt32 {
		ok = sumInts(sums, f, vector.Values[int32](f.args[0].flat))
	} else {
		ok = sumInts(sums, f, vector.Values[int64](f.args[0].flat))
	}
	if !ok {
		return outOfRange(t.String() + " addition overflow")
	}
	return nil
}

// sumInts adds column 0, whose values are vals, to the groups' sums and
// reports whether all sums fit. A group's stretch is summed in 128 bits;
// otherwise the signs tell overflow, and are looked at once in the end.
func sumInts[T int32 | int64](sums []int64, f *feed, vals []T) bool {
	pos := f.args[0].pos
	if f.runs != nil {
		return sumIntRuns(sums, f.runs, vals, pos)
	}
	var over int64
	ids := f.ids[:f.n]
	if pos == nil {
		vals = vals[:len(ids)]
		for i, g := range ids {
			x, s := int64(vals[i]), sums[g]
			t := s + x
			over |= (s ^ t) & (x ^ t)
			sums[g] = t
		}
		return over >= 0
	}
	pos = pos[:len(ids)]
	for i, g := range ids {
		x, s := int64(vals[pos[i]]), sums[g]
		t := s + x
		over |= (s ^ t) & (x ^ t)
		sums[g] = t
	}
	return over >= 0
}

func sumIntRuns[T int32 | int64](sums []int64, runs []run, vals []T, pos []int32) bool {
	ok := true
	for _, r := range runs {
		t := types.Int128Of(sums[r.group]).Add(sumRun(vals, pos, r))
		sums[r.group] = t.Int64()
		ok = ok && t.IsInt64()
	}
	return ok
}

// sumRun sums the values of a stretch of entries.
func sumRun[T int32 | int64](vals []T, pos []int32, r run) types.Int128 {
	var lo, carry uint64
	var hi int64
	if pos == nil {
		for _, x := range vals[r.from:r.to] {
			lo, carry = bits.Add64(lo, uint64(x), 0)
			hi += int64(x)>>63 + int64(carry)
		}
		return types.Int128{Lo: lo, Hi: hi}
	}
	for _, p := range pos[r.from:r.to] {
		x := vals[p]
		lo, carry = bits.Add64(lo, uint64(x), 0)
		hi += int64(x)>>63 + int64(carry)
	}
	return types.Int128{Lo: lo, Hi: hi}
}

func (s *intSum) merge(f *feed) error { return s.add(f) }

func (s *intSum) state(list []uint32, out []*vector.Builder) error { return s.result(list, out[0]) }

func (s *intSum) result(list []uint32, out *vector.Builder) error {
	return gatherInts(out, list, s.vals.v, s.seen.v, s.typ)
}

// gatherInts is gatherCells for sums of type t, which may be narrower.
func gatherInts(out *vector.Builder, list []uint32, sums []int64, seen []uint8, t types.Type) error {
	if t.Physical() == types.PhysInt64 {
		return gatherCells(out, list, sums, seen)
	}
	at, err := out.Extend(len(list))
	if err != nil {
		return err
	}
	dst := vector.Fill[int32](out)[at:]
	for i, g := range list {
		if sums[g] != int64(int32(sums[g])) {
			return outOfRange(t.String() + " addition overflow")
		}
		dst[i] = int32(sums[g])
	}
	if seen != nil {
		nullUnseen(out, at, list, seen)
	}
	return nil
}

// decimalSum sums decimals of either width.
type decimalSum struct{ seenCells[types.Int128] }

func (s *decimalSum) add(f *feed) error {
	mark(s.seen.v, f)
	return addDecimals(s.vals.v, f)
}

// addDecimals adds column 0, a decimal, to the groups' sums.
func addDecimals(sums []types.Int128, f *feed) error {
	if !sumDecimals(sums, f) {
		return outOfRange("Decimal overflow")
	}
	return nil
}

// sumDecimals is addDecimals; it reports whether the sums still fit 128 bits.
func sumDecimals(sums []types.Int128, f *feed) bool {
	c := &f.args[0]
	if c.flat.Type.IsLongDecimal() {
		return sumLong(sums, f, vector.Values[types.Int128](c.flat))
	}
	sumShort(sums, f, vector.Values[int64](c.flat))
	return true
}

func sumShort(sums []types.Int128, f *feed, vals []int64) {
	pos := f.args[0].pos
	if f.runs != nil {
		for _, r := range f.runs {
			sums[r.group] = sums[r.group].Add(sumRun(vals, pos, r))
		}
		return
	}
	ids := f.ids[:f.n]
	if pos == nil {
		vals = vals[:len(ids)]
		for i, g := range ids {
			addShort(&sums[g], vals[i])
		}
		return
	}
	pos = pos[:len(ids)]
	for i, g := range ids {
		addShort(&sums[g], vals[pos[i]])
	}
}

func addShort(s *types.Int128, x int64) {
	lo, carry := bits.Add64(s.Lo, uint64(x), 0)
	s.Lo, s.Hi = lo, s.Hi+x>>63+int64(carry)
}

func sumLong(sums []types.Int128, f *feed, vals []types.Int128) bool {
	c := &f.args[0]
	if f.runs != nil {
		return sumLongRuns(sums, f.runs, vals, c.pos)
	}
	var over int64
	for i, g := range f.ids[:f.n] {
		s, x := sums[g], vals[c.at(i)]
		t := s.Add(x)
		over |= (s.Hi ^ t.Hi) & (x.Hi ^ t.Hi)
		sums[g] = t
	}
	return over >= 0
}

func sumLongRuns(sums []types.Int128, runs []run, vals []types.Int128, pos []int32) bool {
	var over int64
	for _, r := range runs {
		s := sums[r.group]
		lo, hi := s.Lo, s.Hi
		for i := r.from; i < r.to; i++ {
			at := i
			if pos != nil {
				at = int(pos[i])
			}
			x := vals[at]
			sum, carry := bits.Add64(lo, x.Lo, 0)
			top := hi + x.Hi + int64(carry)
			over |= (hi ^ top) & (x.Hi ^ top)
			lo, hi = sum, top
		}
		sums[r.group] = types.Int128{Lo: lo, Hi: hi}
	}
	return over >= 0
}

func (s *decimalSum) merge(f *feed) error { return s.add(f) }

func (s *decimalSum) state(list []uint32, out []*vector.Builder) error { return s.result(list, out[0]) }

func (s *decimalSum) result(list []uint32, out *vector.Builder) error {
	for _, g := range list {
		if !s.vals.v[g].FitsDecimal(types.MaxDecimal) {
			return outOfRange("Decimal overflow")
		}
	}
	return gatherCells(out, list, s.vals.v, s.seen.v)
}

// floatSum sums reals and doubles, both as doubles.
type floatSum struct{ seenCells[float64] }

func (s *floatSum) add(f *feed) error {
	mark(s.seen.v, f)
	sumAsDouble(s.vals.v, f)
	return nil
}

// sumAsDouble adds column 0, a number other than a decimal, to the groups'
// sums.
func sumAsDouble(sums []float64, f *feed) {
	switch v := f.args[0].flat; v.Type.Physical() {
	case types.PhysFloat:
		sumFloats(sums, f, vector.Values[float32](v))
	case types.PhysDouble:
		sumFloats(sums, f, vector.Values[float64](v))
	case types.PhysInt32:
		sumFloats(sums, f, vector.Values[int32](v))
	case types.PhysInt64:
		sumFloats(sums, f, vector.Values[int64](v))
	}
}

func sumFloats[T float32 | float64 | int32 | int64](sums []float64, f *feed, vals []T) {
	pos := f.args[0].pos
	if f.runs != nil {
		for _, r := range f.runs {
			if pos == nil {
				sums[r.group] += sumFloatRun(vals[r.from:r.to])
			} else {
				sums[r.group] += sumFloatPicked(vals, pos[r.from:r.to])
			}
		}
		return
	}
	ids := f.ids[:f.n]
	if pos == nil {
		vals = vals[:len(ids)]
		for i, g := range ids {
			sums[g] += float64(vals[i])
		}
		return
	}
	pos = pos[:len(ids)]
	for i, g := range ids {
		sums[g] += float64(vals[pos[i]])
	}
}

// sumFloatRun sums with four sums side by side, so that an addition does not
// wait for the one before.
func sumFloatRun[T float32 | float64 | int32 | int64](vals []T) float64 {
	var a, b, c, d float64
	for ; len(vals) >= 4; vals = vals[4:] {
		a += float64(vals[0])
		b += float64(vals[1])
		c += float64(vals[2])
		d += float64(vals[3])
	}
	for _, x := range vals {
		a += float64(x)
	}
	return (a + b) + (c + d)
}

func sumFloatPicked[T float32 | float64 | int32 | int64](vals []T, pos []int32) float64 {
	var a, b, c, d float64
	for ; len(pos) >= 4; pos = pos[4:] {
		a += float64(vals[pos[0]])
		b += float64(vals[pos[1]])
		c += float64(vals[pos[2]])
		d += float64(vals[pos[3]])
	}
	for _, p := range pos {
		a += float64(vals[p])
	}
	return (a + b) + (c + d)
}

func (s *floatSum) merge(f *feed) error { return s.add(f) }

func (s *floatSum) state(list []uint32, out []*vector.Builder) error { return s.result(list, out[0]) }

func (s *floatSum) result(list []uint32, out *vector.Builder) error {
	if out.Vector().Type.Kind == types.Double {
		return gatherCells(out, list, s.vals.v, s.seen.v)
	}
	at, err := out.Extend(len(list))
	if err != nil {
		return err
	}
	dst := vector.Fill[float32](out)[at:]
	for i, g := range list {
		dst[i] = float32(s.vals.v[g])
	}
	nullUnseen(out, at, list, s.seen.v)
	return nil
}

// roundHalfUp rounds as Java's Math.round does, which is what Trino averages
// intervals with.
func roundHalfUp(x float64) int64 { return int64(math.Floor(x + 0.5)) }
