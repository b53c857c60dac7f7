package kernel

import (
	"math"

	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// arithmeticKernels are + - * / % and unary minus.
var arithmeticKernels = map[string]builder{
	function.OpAdd:      addKernel,
	function.OpSubtract: subtractKernel,
	function.OpMultiply: multiplyKernel,
	function.OpDivide:   divideKernel,
	function.OpModulus:  modulusKernel,
	"mod":               modulusKernel,
	function.OpNegate:   negateKernel,
}

func addKernel(fn *function.Scalar, b *binding) (kern, error) {
	switch k := fn.Args[0].Kind; {
	case k == types.Decimal:
		return decimalSum(fn, false), nil
	case fn.Args[0].IsNumeric():
		return byNumber(fn, checked(addInts[int8], slowAdd, "addition", "+"), checked(addInts[int16], slowAdd, "addition", "+"),
			checked(addInts[int32], slowAdd, "addition", "+"), checked(addInts[int64], slowAdd, "addition", "+"),
			plain(addPlain[float32]), plain(addPlain[float64]))
	}
	return timeSum(fn, b, 1)
}

func subtractKernel(fn *function.Scalar, b *binding) (kern, error) {
	switch k := fn.Args[0].Kind; {
	case k == types.Decimal:
		return decimalSum(fn, true), nil
	case fn.Args[0].IsNumeric():
		return byNumber(fn, checked(subInts[int8], slowSub, "subtraction", "-"), checked(subInts[int16], slowSub, "subtraction", "-"),
			checked(subInts[int32], slowSub, "subtraction", "-"), checked(subInts[int64], slowSub, "subtraction", "-"),
			plain(subPlain[float32]), plain(subPlain[float64]))
	}
	return timeSum(fn, b, -1)
}

func multiplyKernel(fn *function.Scalar, _ *binding) (kern, error) {
	for _, t := range fn.Args {
		if t.Kind == types.IntervalDay || t.Kind == types.IntervalYear {
			return intervalScale(fn)
		}
	}
	if fn.Args[0].Kind == types.Decimal {
		return decimalProduct(fn), nil
	}
	return byNumber(fn, checked(mulInts[int8], slowMul, "multiplication", "*"), checked(mulInts[int16], slowMul, "multiplication", "*"),
		checked(mulInts[int32], slowMul, "multiplication", "*"), checked(mulLongs, slowMul, "multiplication", "*"),
		plain(mulPlain[float32]), plain(mulPlain[float64]))
}

func divideKernel(fn *function.Scalar, _ *binding) (kern, error) {
	switch fn.Args[0].Kind {
	case types.IntervalDay, types.IntervalYear:
		return intervalScale(fn)
	case types.Decimal:
		return decimalQuotient(fn), nil
	}
	return byNumber(fn, checked(divInts[int8], slowDiv, "division", "/"), checked(divInts[int16], slowDiv, "division", "/"),
		checked(divInts[int32], slowDiv, "division", "/"), checked(divInts[int64], slowDiv, "division", "/"),
		plain(divPlain[float32]), plain(divPlain[float64]))
}

func modulusKernel(fn *function.Scalar, _ *binding) (kern, error) {
	if fn.Args[0].Kind == types.Decimal {
		return decimalRemainder(fn), nil
	}
	return byNumber(fn, checked(modInts[int8], slowMod, "", "%"), checked(modInts[int16], slowMod, "", "%"),
		checked(modInts[int32], slowMod, "", "%"), checked(modInts[int64], slowMod, "", "%"),
		map2(func(a, b float32) float32 { return float32(math.Mod(float64(a), float64(b))) }), map2(math.Mod))
}

// byNumber picks among kernels by the type of the first argument.
func byNumber(fn *function.Scalar, k8, k16, k32, k64, real, double kern) (kern, error) {
	switch fn.Args[0].Kind {
	case types.TinyInt:
		return k8, nil
	case types.SmallInt:
		return k16, nil
	case types.Integer:
		return k32, nil
	case types.BigInt:
		return k64, nil
	case types.Real:
		return real, nil
	case types.Double:
		return double, nil
	}
	return kern{}, unsupported(fn)
}

// operands are two numeric arguments: a constant has one entry.
type operands[T fixed] struct {
	a, b, out []T
	sel       []int32
	aMask     int
	bMask     int
}

func operandsOf[T fixed](c *call) operands[T] {
	x, y := arg[T](c, 0), arg[T](c, 1)
	return operands[T]{a: x.vals, b: y.vals, out: out[T](c.out), sel: c.sel, aMask: x.mask, bMask: y.mask}
}

// plain makes a kernel of a loop that cannot fail.
func plain[T fixed](loop func(o operands[T])) kern {
	return kern{eval: func(c *call) error {
		loop(operandsOf[T](c))
		return nil
	}}
}

// checked makes a kernel of a loop over integers that says whether any row may
// have failed; then slow, which returns an error for the rows that truly did,
// looks at each.
func checked[T signed](loop func(o operands[T]) bool, slow func(a, b, lo, hi int64) failure, verb, sign string) kern {
	lo, hi, name := limits[T]()
	return kern{fallible: true, eval: func(c *call) error {
		o := operandsOf[T](c)
		if !loop(o) {
			return nil
		}
		return c.eachValid(func(i int) error {
			a, b := int64(o.a[i&o.aMask]), int64(o.b[i&o.bMask])
			switch slow(a, b, lo, hi) {
			case byZero:
				return errDivisionByZero()
			case overflow:
				return qerr.New(qerr.NumericValueOutOfRange, "%s %s overflow: %d %s %d", name, verb, a, sign, b)
			}
			return nil
		})
	}}
}

// failure is how an integer operation went.
type failure uint8

const (
	fine failure = iota
	overflow
	byZero
)

func errDivisionByZero() error { return qerr.New(qerr.DivisionByZero, "Division by zero") }

func limits[T signed]() (lo, hi int64, name string) {
	var zero T
	switch any(zero).(type) {
	case int8:
		return math.MinInt8, math.MaxInt8, "tinyint"
	case int16:
		return math.MinInt16, math.MaxInt16, "smallint"
	case int32:
		return math.MinInt32, math.MaxInt32, "integer"
	}
	return math.MinInt64, math.MaxInt64, "bigint"
}

func within(v types.Int128, lo, hi int64) failure {
	if !v.IsInt64() || v.Int64() < lo || v.Int64() > hi {
		return overflow
	}
	return fine
}

func slowAdd(a, b, lo, hi int64) failure {
	return within(types.Int128Of(a).Add(types.Int128Of(b)), lo, hi)
}

func slowSub(a, b, lo, hi int64) failure {
	return within(types.Int128Of(a).Sub(types.Int128Of(b)), lo, hi)
}

func slowMul(a, b, lo, hi int64) failure { return within(types.MulInt64(a, b), lo, hi) }

func slowDiv(a, b, lo, hi int64) failure {
	switch {
	case b == 0:
		return byZero
	case a == lo && b == -1:
		return overflow
	}
	return fine
}

func slowMod(_, b, _, _ int64) failure {
	if b == 0 {
		return byZero
	}
	return fine
}

// addInts adds and reports whether any sum wrapped around: the sign of a sum
// of equal signs changed.
func addInts[T signed](o operands[T]) bool {
	var bad T
	switch {
	case o.sel != nil:
		for _, i := range o.sel {
			x, y := o.a[int(i)&o.aMask], o.b[int(i)&o.bMask]
			s := x + y
			o.out[i] = s
			bad |= (x ^ s) & (y ^ s)
		}
	case o.bMask == 0:
		y := o.b[0]
		for i, x := range o.a[:len(o.out)] {
			s := x + y
			o.out[i] = s
			bad |= (x ^ s) & (y ^ s)
		}
	case o.aMask == 0:
		x := o.a[0]
		for i, y := range o.b[:len(o.out)] {
			s := x + y
			o.out[i] = s
			bad |= (x ^ s) & (y ^ s)
		}
	default:
		b, res := o.b[:len(o.out)], o.out
		for i, x := range o.a[:len(res)] {
			y := b[i]
			s := x + y
			res[i] = s
			bad |= (x ^ s) & (y ^ s)
		}
	}
	return bad < 0
}

// subInts subtracts and reports whether any difference wrapped around.
func subInts[T signed](o operands[T]) bool {
	var bad T
	switch {
	case o.sel != nil:
		for _, i := range o.sel {
			x, y := o.a[int(i)&o.aMask], o.b[int(i)&o.bMask]
			d := x - y
			o.out[i] = d
			bad |= (x ^ y) & (x ^ d)
		}
	case o.bMask == 0:
		y := o.b[0]
		for i, x := range o.a[:len(o.out)] {
			d := x - y
			o.out[i] = d
			bad |= (x ^ y) & (x ^ d)
		}
	case o.aMask == 0:
		x := o.a[0]
		for i, y := range o.b[:len(o.out)] {
			d := x - y
			o.out[i] = d
			bad |= (x ^ y) & (x ^ d)
		}
	default:
		b, res := o.b[:len(o.out)], o.out
		for i, x := range o.a[:len(res)] {
			y := b[i]
			d := x - y
			res[i] = d
			bad |= (x ^ y) & (x ^ d)
		}
	}
	return bad < 0
}

// mulInts multiplies integers of up to 32 bits in 64.
func mulInts[T int8 | int16 | int32](o operands[T]) bool {
	var bad int64
	if o.sel != nil {
		for _, i := range o.sel {
			p := int64(o.a[int(i)&o.aMask]) * int64(o.b[int(i)&o.bMask])
			o.out[i] = T(p)
			bad |= p ^ int64(T(p))
		}
		return bad != 0
	}
	for i := range o.out {
		p := int64(o.a[i&o.aMask]) * int64(o.b[i&o.bMask])
		o.out[i] = T(p)
		bad |= p ^ int64(T(p))
	}
	return bad != 0
}

// mulLongs multiplies in 128 bits: the high word must repeat the low one's sign.
func mulLongs(o operands[int64]) bool {
	var bad int64
	if o.sel != nil {
		for _, i := range o.sel {
			p := types.MulInt64(o.a[int(i)&o.aMask], o.b[int(i)&o.bMask])
			o.out[i] = p.Int64()
			bad |= p.Hi ^ p.Int64()>>63
		}
		return bad != 0
	}
	for i := range o.out {
		p := types.MulInt64(o.a[i&o.aMask], o.b[i&o.bMask])
		o.out[i] = p.Int64()
		bad |= p.Hi ^ p.Int64()>>63
	}
	return bad != 0
}

func divInts[T signed](o operands[T]) bool {
	bad := false
	one := func(i int) {
		x, y := o.a[i&o.aMask], o.b[i&o.bMask]
		if y == 0 {
			bad = true
			return
		}
		q := x / y
		bad = bad || y == -1 && x < 0 && q < 0
		o.out[i] = q
	}
	o.each(one)
	return bad
}

func modInts[T signed](o operands[T]) bool {
	bad := false
	o.each(func(i int) {
		if y := o.b[i&o.bMask]; y != 0 {
			o.out[i] = o.a[i&o.aMask] % y
		} else {
			bad = true
		}
	})
	return bad
}

func (o *operands[T]) each(f func(i int)) {
	if o.sel != nil {
		for _, i := range o.sel {
			f(int(i))
		}
		return
	}
	for i := range o.out {
		f(i)
	}
}

// addPlain, subPlain and mulPlain wrap around: they are for floats, and for
// decimals whose result has room for every value.
func addPlain[T fixed](o operands[T]) {
	switch {
	case o.sel != nil:
		for _, i := range o.sel {
			o.out[i] = o.a[int(i)&o.aMask] + o.b[int(i)&o.bMask]
		}
	case o.aMask == 0 || o.bMask == 0:
		a, k := o.a, o.b[0]
		if o.aMask == 0 {
			a, k = o.b, o.a[0]
		}
		if o.aMask == 0 && o.bMask == 0 {
			a = a[:1]
		}
		for i, x := range a[:len(o.out)] {
			o.out[i] = x + k
		}
	default:
		b, res := o.b[:len(o.out)], o.out
		for i, x := range o.a[:len(res)] {
			res[i] = x + b[i]
		}
	}
}

func subPlain[T fixed](o operands[T]) {
	switch {
	case o.sel != nil:
		for _, i := range o.sel {
			o.out[i] = o.a[int(i)&o.aMask] - o.b[int(i)&o.bMask]
		}
	case o.bMask == 0:
		k := o.b[0]
		for i, x := range o.a[:len(o.out)] {
			o.out[i] = x - k
		}
	case o.aMask == 0:
		k := o.a[0]
		for i, x := range o.b[:len(o.out)] {
			o.out[i] = k - x
		}
	default:
		b, res := o.b[:len(o.out)], o.out
		for i, x := range o.a[:len(res)] {
			res[i] = x - b[i]
		}
	}
}

func mulPlain[T fixed](o operands[T]) {
	switch {
	case o.sel != nil:
		for _, i := range o.sel {
			o.out[i] = o.a[int(i)&o.aMask] * o.b[int(i)&o.bMask]
		}
	case o.aMask == 0 || o.bMask == 0:
		a, k := o.a, o.b[0]
		if o.aMask == 0 {
			a, k = o.b, o.a[0]
		}
		for i, x := range a[:len(o.out)] {
			o.out[i] = x * k
		}
	default:
		b, res := o.b[:len(o.out)], o.out
		for i, x := range o.a[:len(res)] {
			res[i] = x * b[i]
		}
	}
}

func divPlain[T float32 | float64](o operands[T]) {
	o2 := o
	o2.each(func(i int) { o.out[i] = o.a[i&o.aMask] / o.b[i&o.bMask] })
}

func negateKernel(fn *function.Scalar, _ *binding) (kern, error) {
	switch fn.Args[0].Kind {
	case types.TinyInt:
		return negateInts[int8](), nil
	case types.SmallInt:
		return negateInts[int16](), nil
	case types.Integer:
		return negateInts[int32](), nil
	case types.BigInt:
		return negateInts[int64](), nil
	case types.IntervalYear:
		return map1(func(a int32) int32 { return -a }), nil
	case types.IntervalDay:
		return map1(func(a int64) int64 { return -a }), nil
	case types.Real:
		return map1(func(a float32) float32 { return -a }), nil
	case types.Double:
		return map1(func(a float64) float64 { return -a }), nil
	case types.Decimal:
		if physical(fn, 0) == types.PhysInt64 {
			return map1(func(a int64) int64 { return -a }), nil
		}
		return map1(types.Int128.Neg), nil
	}
	return kern{}, unsupported(fn)
}

func negateInts[T signed]() kern {
	lo, _, name := limits[T]()
	return kern{fallible: true, eval: func(c *call) error {
		a, res := arg[T](c, 0), out[T](c.out)
		bad := false
		_ = c.each(func(i int) error {
			x := a.at(i)
			bad = bad || int64(x) == lo
			res[i] = -x
			return nil
		})
		if !bad {
			return nil
		}
		return c.eachValid(func(i int) error {
			if int64(a.at(i)) == lo {
				return qerr.New(qerr.NumericValueOutOfRange, "%s negation overflow: %d", name, lo)
			}
			return nil
		})
	}}
}
