package kernel

import (
	"bytes"
	"slices"

	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/types"
)

// linearIn is the number of candidates up to which IN looks at each of them.
const linearIn = 6

// inPred compiles IN with constant candidates; nil when there are others.
// Nothing is compiled before that is known: a node that no later evaluation is
// sure to reach must not be in the scope.
func (c *compiler) inPred(f *expr.Form, sc *scope, negate bool) (inputs, error) {
	t := f.Args[0].Type()
	if t.IsNested() || t.Kind == types.Unknown || slices.ContainsFunc(f.Args[1:], isVarying) {
		return nil, nil
	}
	var ks []*vector.Vector
	hasNull := false
	for _, a := range f.Args[1:] {
		n, err := c.node(a, sc)
		if err != nil {
			return nil, err
		}
		k := asConst(n)
		if k == nil {
			return nil, nil
		}
		if k.IsNull(0) {
			hasNull = true
			continue
		}
		ks = append(ks, k)
	}
	arg, err := c.node(f.Args[0], sc)
	if err != nil {
		return nil, err
	}
	if len(ks) == 0 || hasNull && negate {
		return &nothing{arg: arg}, nil
	}
	return c.testPred(arg, inTest(t, ks, negate)), nil
}

// isConstant reports whether an expression has neither columns nor functions
// that differ each time.
func isConstant(e expr.Expr) bool {
	constant := !hasVolatile(e)
	expr.Columns(e, func(*expr.Column) { constant = false })
	return constant
}

func isVarying(e expr.Expr) bool { return !isConstant(e) }

// inHasNull reports whether a candidate of an IN is a null constant.
func inHasNull(f *expr.Form) bool {
	for _, a := range f.Args[1:] {
		if k, ok := a.(*expr.Const); ok && k.Value == nil {
			return true
		}
		if cast, ok := a.(*expr.Cast); ok {
			if k, ok := cast.Arg.(*expr.Const); ok && k.Value == nil {
				return true
			}
		}
	}
	return false
}

// nothing is never true, but evaluates its argument: its errors count, and
// what shares its nodes relies on that.
type nothing struct {
	arg node
	// null is what makes the condition null, if anything.
	null *vector.Vector
	last []*vector.Vector
}

func (p *nothing) read() []*vector.Vector { return p.last }

func (p *nothing) apply(r *run, sel, dst []int32) ([]int32, error) {
	v, err := p.arg.eval(r, sel)
	p.last = append(p.last[:0], v)
	if p.null != nil {
		p.last = append(p.last, p.null)
	}
	return dst[:0], err
}

func inTest(t types.Type, ks []*vector.Vector, negate bool) test {
	if len(ks) == 1 {
		return newTest(t, opEq, ks[0], negate)
	}
	neg := boolInt(negate)
	switch t.Physical() {
	case types.PhysBool:
		return newNumberSet[uint8](ks, neg)
	case types.PhysInt8:
		return newNumberSet[int8](ks, neg)
	case types.PhysInt16:
		return newNumberSet[int16](ks, neg)
	case types.PhysInt32:
		return newNumberSet[int32](ks, neg)
	case types.PhysInt64:
		return newNumberSet[int64](ks, neg)
	case types.PhysFloat:
		return newNumberSet[float32](ks, neg)
	case types.PhysDouble:
		return newNumberSet[float64](ks, neg)
	case types.PhysInt128:
		return &wideSet{ks: constants[types.Int128](ks), order: wideOrder(t), neg: neg}
	}
	return newBytesSet(ks, t.Kind == types.Char, neg)
}

func constants[T vector.Fixed](ks []*vector.Vector) []T {
	out := make([]T, len(ks))
	for i, k := range ks {
		out[i] = vector.Values[T](k)[0]
	}
	return out
}

// numberSet is IN for numbers: a short list, a bitmap where the values lie
// close together, else an open-addressing hash set.
type numberSet[T fixed] struct {
	list []T
	// bitmap of values from lo on
	lo   T
	bits vector.Bitmap
	// table of size mask+1; used[i] says whether slots[i] is
	slots []T
	used  []bool
	mask  uint64
	neg   int
}

func newNumberSet[T fixed](ks []*vector.Vector, neg int) *numberSet[T] {
	s := &numberSet[T]{list: constants[T](ks), neg: neg}
	if len(s.list) <= linearIn {
		return s
	}
	lo, hi := s.list[0], s.list[0]
	for _, x := range s.list {
		lo, hi = min(lo, x), max(hi, x)
	}
	if span := float64(hi) - float64(lo); span < 1<<16 && !isFloat[T]() {
		s.lo = lo
		s.bits = make(vector.Bitmap, int(span)/64+1)
		for _, x := range s.list {
			s.bits.Set(int(x - lo))
		}
		return s
	}
	size := 2 << log2ceil(len(s.list))
	s.slots, s.used, s.mask = make([]T, size), make([]bool, size), uint64(size-1)
	for _, x := range s.list {
		at := s.hash(x)
		for s.used[at] && s.slots[at] != x {
			at = (at + 1) & s.mask
		}
		s.slots[at], s.used[at] = x, true
	}
	return s
}

// isFloat reports whether T has fractions.
func isFloat[T fixed]() bool {
	one := T(1)
	return one/2 != 0
}

func (s *numberSet[T]) hash(x T) uint64 { return hashNumber(x) & s.mask }

func (s *numberSet[T]) has(x T) bool {
	at := s.hash(x)
	for s.used[at] {
		if s.slots[at] == x {
			return true
		}
		at = (at + 1) & s.mask
	}
	return false
}

func (s *numberSet[T]) strict() bool { return false }

func (s *numberSet[T]) pick(v *vector.Vector, sel []int32, n int, dst []int32) []int32 {
	vals := vector.Values[T](v)
	k := 0
	for j := range rows(sel, n) {
		i := int32(j)
		if sel != nil {
			i = sel[j]
		}
		x, hit := vals[i], false
		switch {
		case s.bits != nil:
			hit = x >= s.lo && int64(x-s.lo) < int64(len(s.bits))*64 && int64(x-s.lo) >= 0 && s.bits.Get(int(x-s.lo))
		case s.slots != nil:
			hit = s.has(x)
		default:
			for _, y := range s.list {
				hit = hit || x == y
			}
		}
		dst[k] = i
		k += boolInt(hit) ^ s.neg
	}
	return dst[:k]
}

// wideSet is IN for 16-byte numbers.
type wideSet struct {
	ks    []types.Int128
	order func(a, b types.Int128) int
	neg   int
}

func (s *wideSet) strict() bool { return false }

func (s *wideSet) pick(v *vector.Vector, sel []int32, n int, dst []int32) []int32 {
	vals := vector.Values[types.Int128](v)
	k := 0
	for j := range rows(sel, n) {
		i := int32(j)
		if sel != nil {
			i = sel[j]
		}
		hit := false
		for _, y := range s.ks {
			hit = hit || s.order(vals[i], y) == 0
		}
		dst[k] = i
		k += boolInt(hit) ^ s.neg
	}
	return dst[:k]
}

// bytesSet is IN for strings: a hash set of the candidates.
type bytesSet struct {
	ks    [][]byte
	slots []int32 // place in ks plus one
	mask  uint64
	lens  uint64 // a bit for each length of a candidate, the last for 63 and more
	neg   int
}

func newBytesSet(ks []*vector.Vector, char bool, neg int) *bytesSet {
	s := &bytesSet{neg: neg}
	size := 2 << log2ceil(len(ks))
	s.slots, s.mask = make([]int32, size), uint64(size-1)
	for _, k := range ks {
		b := append([]byte(nil), k.Bytes(0)...)
		if char {
			b = bytes.TrimRight(b, " ")
		}
		if s.has(b) {
			continue
		}
		s.ks = append(s.ks, b)
		s.lens |= 1 << min(len(b), 63)
		at := hashBytes(b) & s.mask
		for s.slots[at] != 0 {
			at = (at + 1) & s.mask
		}
		s.slots[at] = int32(len(s.ks))
	}
	return s
}

func (s *bytesSet) has(b []byte) bool {
	if s.lens>>min(len(b), 63)&1 == 0 {
		return false
	}
	if len(s.ks) <= linearIn {
		for _, k := range s.ks {
			if bytes.Equal(k, b) {
				return true
			}
		}
		return false
	}
	at := hashBytes(b) & s.mask
	for s.slots[at] != 0 {
		if bytes.Equal(s.ks[s.slots[at]-1], b) {
			return true
		}
		at = (at + 1) & s.mask
	}
	return false
}

func (s *bytesSet) strict() bool { return true }

func (s *bytesSet) pick(v *vector.Vector, sel []int32, n int, dst []int32) []int32 {
	views := vector.Values[vector.View](v)
	k := 0
	for j := range rows(sel, n) {
		i := int32(j)
		if sel != nil {
			i = sel[j]
		}
		dst[k] = i
		k += boolInt(s.has(views[i].Bytes(v.Heap))) ^ s.neg
	}
	return dst[:k]
}
