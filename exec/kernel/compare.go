package kernel

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// cmpOp is a comparison operator.
type cmpOp uint8

const (
	opEq cmpOp = iota
	opNe
	opLt
	opLe
	opGt
	opGe
)

// compareOps are the comparison operators by function name.
var compareOps = map[string]cmpOp{
	function.OpEq: opEq, function.OpNe: opNe, function.OpLt: opLt,
	function.OpLe: opLe, function.OpGt: opGt, function.OpGe: opGe,
}

// swapped is the operator with its sides exchanged.
func (op cmpOp) swapped() cmpOp {
	return [...]cmpOp{opEq: opEq, opNe: opNe, opLt: opGt, opLe: opGe, opGt: opLt, opGe: opLe}[op]
}

// holds reports whether the operator is true of two values that compare as c.
func (op cmpOp) holds(c int) bool {
	switch op {
	case opEq:
		return c == 0
	case opNe:
		return c != 0
	case opLt:
		return c < 0
	case opLe:
		return c <= 0
	case opGt:
		return c > 0
	}
	return c >= 0
}

// comparison compiles a comparison of two expressions; nil for nested types,
// which may be null where neither side is.
func (c *compiler) comparison(op cmpOp, left, right expr.Expr, sc *scope, negate bool) (inputs, error) {
	t := left.Type()
	if t.IsNested() || t.Kind == types.Unknown {
		return nil, nil
	}
	a, err := c.node(left, sc)
	if err != nil {
		return nil, err
	}
	b, err := c.node(right, sc)
	if err != nil {
		return nil, err
	}
	return c.compareNodes(op, a, b, t, negate), nil
}

func (c *compiler) compareNodes(op cmpOp, a, b node, t types.Type, negate bool) inputs {
	if asConst(a) != nil {
		a, b, op = b, a, op.swapped()
	}
	if k := asConst(b); k != nil {
		if k.IsNull(0) {
			return &nothing{arg: a, null: k}
		}
		return c.testPred(a, newTest(t, op, k, negate))
	}
	return &pairPred{op: op, negate: negate, a: a, b: b, typ: t, slots: [2]*slot{c.slot(), c.slot()}}
}

// newTest makes the test "value op constant" for a type that is not nested.
func newTest(t types.Type, op cmpOp, k *vector.Vector, negate bool) test {
	neg := boolByte(negate)
	if op == opNe {
		op, neg = opEq, neg^1
	}
	switch t.Physical() {
	case types.PhysBool:
		return intTest(op, vector.Values[uint8](k)[0], 0, math.MaxUint8, neg)
	case types.PhysInt8:
		return intTest(op, vector.Values[int8](k)[0], math.MinInt8, math.MaxInt8, neg)
	case types.PhysInt16:
		return intTest(op, vector.Values[int16](k)[0], math.MinInt16, math.MaxInt16, neg)
	case types.PhysInt32:
		return intTest(op, vector.Values[int32](k)[0], math.MinInt32, math.MaxInt32, neg)
	case types.PhysInt64:
		return intTest(op, vector.Values[int64](k)[0], math.MinInt64, math.MaxInt64, neg)
	case types.PhysFloat:
		x := vector.Values[float32](k)[0]
		inf := float32(math.Inf(1))
		return floatTest(op, x, math.Nextafter32(x, -inf), math.Nextafter32(x, inf), inf, neg)
	case types.PhysDouble:
		x := vector.Values[float64](k)[0]
		inf := math.Inf(1)
		return floatTest(op, x, math.Nextafter(x, -inf), math.Nextafter(x, inf), inf, neg)
	case types.PhysInt128:
		return &wideTest{op: op, k: vector.Values[types.Int128](k)[0], neg: neg == 1, order: wideOrder(t)}
	}
	b := append([]byte(nil), k.Bytes(0)...)
	if t.Kind == types.Char {
		return &charTest{op: op, k: b, neg: neg == 1}
	}
	if op == opEq {
		return newBytesEqual(b, neg)
	}
	return &bytesTest{op: op, k: b, neg: neg == 1}
}

// rangeTest passes values within [lo, hi], or with neg those outside.
type rangeTest[T fixed] struct {
	lo, hi T
	neg    uint8
}

func intTest[T fixed](op cmpOp, k, lowest, highest T, neg uint8) test {
	r := &rangeTest[T]{lo: lowest, hi: highest, neg: neg}
	switch op {
	case opEq:
		r.lo, r.hi = k, k
	case opLe:
		r.hi = k
	case opGe:
		r.lo = k
	case opLt:
		if k == lowest {
			r.lo, r.hi = highest, lowest
		} else {
			r.hi = k - 1
		}
	case opGt:
		if k == highest {
			r.lo, r.hi = highest, lowest
		} else {
			r.lo = k + 1
		}
	}
	return r
}

// floatTest makes an open bound closed by taking the next representable
// number. A NaN is in no range, as SQL's comparisons have it.
func floatTest[T float32 | float64](op cmpOp, k, below, above, inf T, neg uint8) test {
	r := &rangeTest[T]{lo: -inf, hi: inf, neg: neg}
	switch op {
	case opEq:
		r.lo, r.hi = k, k
	case opLe:
		r.hi = k
	case opGe:
		r.lo = k
	case opLt:
		r.hi = below
		if k == -inf {
			r.lo = inf
		}
	case opGt:
		r.lo = above
		if k == inf {
			r.hi = -inf
		}
	}
	if k != k {
		r.lo, r.hi = inf, -inf
	}
	return r
}

func (t *rangeTest[T]) strict() bool { return false }

func (t *rangeTest[T]) pick(v *vector.Vector, sel []int32, n int, dst []int32) []int32 {
	if t.lo > t.hi {
		return selectRange(vector.Values[T](v), t.lo, t.hi, t.neg, sel, n, dst)
	}
	switch lo, hi := any(t.lo), any(t.hi); vals := any(vector.Values[T](v)).(type) {
	case []int32:
		return selectSpan(vals, uint32(lo.(int32)), uint32(hi.(int32)), t.neg, sel, n, dst)
	case []int64:
		return selectSpan(vals, uint64(lo.(int64)), uint64(hi.(int64)), t.neg, sel, n, dst)
	}
	return selectRange(vector.Values[T](v), t.lo, t.hi, t.neg, sel, n, dst)
}

// selectSpan is selectRange for integers with lo ≤ hi: counted from lo, modulo
// the word, the range is what is at most hi-lo, which takes one comparison.
func selectSpan[T int32 | int64, U uint32 | uint64](vals []T, lo, hi U, neg uint8, sel []int32, n int, dst []int32) []int32 {
	k, flip, span := 0, int(neg), hi-lo
	if sel == nil {
		dst = dst[:n]
		for i, x := range vals[:n] {
			dst[k] = int32(i)
			k += boolInt(U(x)-lo <= span) ^ flip
		}
		return dst[:k]
	}
	for _, i := range sel {
		x := vals[i]
		dst[k] = i
		k += boolInt(U(x)-lo <= span) ^ flip
	}
	return dst[:k]
}

// selectRange writes the rows whose value lies in [lo, hi] (outside, with neg
// 1), without a branch a row.
func selectRange[T fixed](vals []T, lo, hi T, neg uint8, sel []int32, n int, dst []int32) []int32 {
	k, flip := 0, int(neg)
	if sel == nil {
		for i, x := range vals[:n] {
			dst[k] = int32(i)
			k += boolInt(x >= lo)&boolInt(x <= hi) ^ flip
		}
		return dst[:k]
	}
	for _, i := range sel {
		x := vals[i]
		dst[k] = i
		k += boolInt(x >= lo)&boolInt(x <= hi) ^ flip
	}
	return dst[:k]
}

// wideTest compares 16-byte numbers.
type wideTest struct {
	op    cmpOp
	k     types.Int128
	neg   bool
	order func(a, b types.Int128) int
}

func (t *wideTest) strict() bool { return false }

func (t *wideTest) pick(v *vector.Vector, sel []int32, n int, dst []int32) []int32 {
	vals := vector.Values[types.Int128](v)
	k := 0
	for j := range rows(sel, n) {
		i := int32(j)
		if sel != nil {
			i = sel[j]
		}
		dst[k] = i
		k += boolInt(t.op.holds(t.order(vals[i], t.k)) != t.neg)
	}
	return dst[:k]
}

// wideOrder returns how 16-byte values of t compare.
func wideOrder(t types.Type) func(a, b types.Int128) int {
	switch t.Kind {
	case types.TimestampTZ:
		return func(a, b types.Int128) int { return compare(a.Int64(), b.Int64()) }
	case types.TimeTZ:
		return func(a, b types.Int128) int { return compare(utcTime(a), utcTime(b)) }
	case types.UUID:
		return func(a, b types.Int128) int {
			if a.Hi != b.Hi {
				return compare(uint64(a.Hi), uint64(b.Hi))
			}
			return compare(a.Lo, b.Lo)
		}
	}
	return types.Int128.Cmp
}

// utcTime is the UTC nanosecond of the day of a time with time zone, whose Lo
// is local nanoseconds and whose Hi is an offset in minutes.
func utcTime(v types.Int128) int64 {
	return types.FloorMod(v.Int64()-v.Hi*60_000_000_000, types.NanosPerDay)
}

func compare[T fixed | uint64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// bytesEqual compares strings with a constant. The words of a view are its
// length and prefix, and the rest; short strings are equal when both are.
type bytesEqual struct {
	head uint64
	rest int64
	k    []byte
	neg  int
}

func newBytesEqual(k []byte, neg uint8) *bytesEqual {
	t := &bytesEqual{k: k, neg: int(neg)}
	v := vector.HeapView(k, 0, 0)
	if len(k) <= vector.InlineLen {
		v = vector.InlineView(k)
	}
	w := vector.Cast[types.Int128](vector.AsBytes([]vector.View{v}))[0]
	t.head, t.rest = w.Lo, w.Hi
	return t
}

func (t *bytesEqual) strict() bool { return len(t.k) > vector.InlineLen }

func (t *bytesEqual) pick(v *vector.Vector, sel []int32, n int, dst []int32) []int32 {
	words := vector.Values[types.Int128](v)
	if len(t.k) <= vector.InlineLen {
		return t.pickShort(words, sel, n, dst)
	}
	k, views := 0, vector.Values[vector.View](v)
	for j := range rows(sel, n) {
		i := int32(j)
		if sel != nil {
			i = sel[j]
		}
		eq := words[i].Lo == t.head && bytes.Equal(views[i].Bytes(v.Heap), t.k)
		dst[k] = i
		k += boolInt(eq) ^ t.neg
	}
	return dst[:k]
}

func (t *bytesEqual) pickShort(words []types.Int128, sel []int32, n int, dst []int32) []int32 {
	k, head, rest, neg := 0, t.head, t.rest, t.neg
	if sel == nil {
		for i := range words[:n] {
			dst[k] = int32(i)
			k += boolInt(words[i].Lo == head)&boolInt(words[i].Hi == rest) ^ neg
		}
		return dst[:k]
	}
	for _, i := range sel {
		dst[k] = i
		k += boolInt(words[i].Lo == head)&boolInt(words[i].Hi == rest) ^ neg
	}
	return dst[:k]
}

// bytesTest orders strings against a constant.
type bytesTest struct {
	op  cmpOp
	k   []byte
	neg bool
}

func (t *bytesTest) strict() bool { return true }

func (t *bytesTest) pick(v *vector.Vector, sel []int32, n int, dst []int32) []int32 {
	views, k := vector.Values[vector.View](v), 0
	var prefix [4]byte
	copy(prefix[:], t.k)
	mine := binary.BigEndian.Uint32(prefix[:])
	for j := range rows(sel, n) {
		i := int32(j)
		if sel != nil {
			i = sel[j]
		}
		c := compare(uint64(binary.BigEndian.Uint32(views[i].Prefix[:])), uint64(mine))
		if c == 0 {
			c = bytes.Compare(views[i].Bytes(v.Heap), t.k)
		}
		dst[k] = i
		k += boolInt(t.op.holds(c) != t.neg)
	}
	return dst[:k]
}

// charTest orders char values against a constant, as if padded with spaces.
type charTest struct {
	op  cmpOp
	k   []byte
	neg bool
}

func (t *charTest) strict() bool { return true }

func (t *charTest) pick(v *vector.Vector, sel []int32, n int, dst []int32) []int32 {
	views, k := vector.Values[vector.View](v), 0
	for j := range rows(sel, n) {
		i := int32(j)
		if sel != nil {
			i = sel[j]
		}
		dst[k] = i
		k += boolInt(t.op.holds(comparePadded(views[i].Bytes(v.Heap), t.k)) != t.neg)
	}
	return dst[:k]
}

// comparePadded compares two strings as if the shorter had spaces behind it.
func comparePadded(a, b []byte) int {
	n := min(len(a), len(b))
	if c := bytes.Compare(a[:n], b[:n]); c != 0 {
		return c
	}
	for _, x := range a[n:] {
		if x != ' ' {
			return compare(x, ' ')
		}
	}
	for _, x := range b[n:] {
		if x != ' ' {
			return compare(' ', x)
		}
	}
	return 0
}

// pairPred compares two vectors.
type pairPred struct {
	op     cmpOp
	negate bool
	a, b   node
	typ    types.Type
	slots  [2]*slot
	last   [2]*vector.Vector
}

func (p *pairPred) read() []*vector.Vector { return p.last[:] }

func (p *pairPred) apply(r *run, sel, dst []int32) ([]int32, error) {
	a, err := p.a.eval(r, sel)
	if err != nil {
		return nil, err
	}
	b, err := p.b.eval(r, sel)
	if err != nil {
		return nil, err
	}
	p.last = [2]*vector.Vector{a, b}
	if a.Enc == vector.Const && a.IsNull(0) || b.Enc == vector.Const && b.IsNull(0) {
		return dst[:0], nil
	}
	if a, err = flatten(a, sel, p.slots[0]); err != nil {
		return nil, err
	}
	if b, err = flatten(b, sel, p.slots[1]); err != nil {
		return nil, err
	}
	for _, v := range [2]*vector.Vector{a, b} {
		if v.Valid != nil {
			sel = selectBits(v.Valid, sel, r.n, dst)
		}
	}
	return p.pick(a, b, sel, r.n, dst), nil
}

func (p *pairPred) pick(a, b *vector.Vector, sel []int32, n int, dst []int32) []int32 {
	op, neg := p.op, p.negate
	if op == opGt || op == opGe {
		a, b, op = b, a, op.swapped()
	}
	flip := boolInt(neg)
	switch p.typ.Physical() {
	case types.PhysBool:
		return selectPairs(op, flip, vector.Values[uint8](a), vector.Values[uint8](b), sel, n, dst)
	case types.PhysInt8:
		return selectPairs(op, flip, vector.Values[int8](a), vector.Values[int8](b), sel, n, dst)
	case types.PhysInt16:
		return selectPairs(op, flip, vector.Values[int16](a), vector.Values[int16](b), sel, n, dst)
	case types.PhysInt32:
		return selectPairs(op, flip, vector.Values[int32](a), vector.Values[int32](b), sel, n, dst)
	case types.PhysInt64:
		return selectPairs(op, flip, vector.Values[int64](a), vector.Values[int64](b), sel, n, dst)
	case types.PhysFloat:
		return selectPairs(op, flip, vector.Values[float32](a), vector.Values[float32](b), sel, n, dst)
	case types.PhysDouble:
		return selectPairs(op, flip, vector.Values[float64](a), vector.Values[float64](b), sel, n, dst)
	case types.PhysInt128:
		order := wideOrder(p.typ)
		x, y := vector.Values[types.Int128](a), vector.Values[types.Int128](b)
		return selectBy(op, flip, sel, n, dst, func(i int32) int { return order(x[i], y[i]) })
	}
	x, y := vector.Values[vector.View](a), vector.Values[vector.View](b)
	if p.typ.Kind == types.Char {
		return selectBy(op, flip, sel, n, dst, func(i int32) int {
			return comparePadded(x[i].Bytes(a.Heap), y[i].Bytes(b.Heap))
		})
	}
	return selectBy(op, flip, sel, n, dst, func(i int32) int { return compareViews(&x[i], a.Heap, &y[i], b.Heap) })
}

// selectBy is the slow general form of selectPairs.
func selectBy(op cmpOp, flip int, sel []int32, n int, dst []int32, order func(i int32) int) []int32 {
	k := 0
	for j := range rows(sel, n) {
		i := int32(j)
		if sel != nil {
			i = sel[j]
		}
		c := order(i)
		dst[k] = i
		k += boolInt(op.holds(c)) ^ flip
	}
	return dst[:k]
}

// compareViews compares two strings, by their prefixes where that is enough.
func compareViews(a *vector.View, ah [][]byte, b *vector.View, bh [][]byte) int {
	if a.Prefix != b.Prefix {
		return compare(uint64(binary.BigEndian.Uint32(a.Prefix[:])), uint64(binary.BigEndian.Uint32(b.Prefix[:])))
	}
	return bytes.Compare(a.Bytes(ah), b.Bytes(bh))
}

// selectPairs writes the rows where a op b; op is one of =, <>, < and <=.
func selectPairs[T fixed](op cmpOp, flip int, a, b []T, sel []int32, n int, dst []int32) []int32 {
	if op == opNe {
		op, flip = opEq, flip^1
	}
	if sel != nil {
		return selectPairsIn(op, flip, a, b, sel, dst)
	}
	a, b = a[:n], b[:n]
	k := 0
	switch op {
	case opEq:
		for i, x := range a {
			dst[k] = int32(i)
			k += boolInt(x == b[i]) ^ flip
		}
	case opLt:
		for i, x := range a {
			dst[k] = int32(i)
			k += boolInt(x < b[i]) ^ flip
		}
	default:
		for i, x := range a {
			dst[k] = int32(i)
			k += boolInt(x <= b[i]) ^ flip
		}
	}
	return dst[:k]
}

func selectPairsIn[T fixed](op cmpOp, flip int, a, b []T, sel, dst []int32) []int32 {
	k := 0
	switch op {
	case opEq:
		for _, i := range sel {
			dst[k] = i
			k += boolInt(a[i] == b[i]) ^ flip
		}
	case opLt:
		for _, i := range sel {
			dst[k] = i
			k += boolInt(a[i] < b[i]) ^ flip
		}
	default:
		for _, i := range sel {
			dst[k] = i
			k += boolInt(a[i] <= b[i]) ^ flip
		}
	}
	return dst[:k]
}

// log2ceil returns the smallest k with 1<<k ≥ n.
func log2ceil(n int) int { return bits.Len(uint(max(n, 1) - 1)) }
