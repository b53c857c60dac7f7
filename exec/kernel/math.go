package kernel

import (
	"math"
	"math/rand/v2"
	"strconv"

	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// mathKernels are the mathematical functions.
var mathKernels = map[string]builder{
	"abs": absKernel, "sign": signKernel,
	"ceil": wholeKernel(math.Ceil, 1), "ceiling": wholeKernel(math.Ceil, 1), "floor": wholeKernel(math.Floor, -1),
	"round": roundKernel, "truncate": truncateKernel,
	"sqrt": double1(math.Sqrt), "cbrt": double1(math.Cbrt), "exp": double1(math.Exp),
	"ln": double1(math.Log), "log2": double1(func(x float64) float64 { return math.Log(x) / math.Ln2 }), "log10": double1(math.Log10),
	"sin": double1(math.Sin), "cos": double1(math.Cos), "tan": double1(math.Tan),
	"asin": double1(math.Asin), "acos": double1(math.Acos), "atan": double1(math.Atan),
	"sinh": double1(math.Sinh), "cosh": double1(math.Cosh), "tanh": double1(math.Tanh),
	"degrees": double1(func(x float64) float64 { return x * 57.29577951308232 }),
	"radians": double1(func(x float64) float64 { return x * 0.017453292519943295 }),
	"power":   double2(math.Pow), "pow": double2(math.Pow), "atan2": double2(math.Atan2),
	"log": double2(func(base, x float64) float64 { return math.Log(x) / math.Log(base) }),
	"pi":  constantKernel(math.Pi), "e": constantKernel(math.E),
	"nan": constantKernel(math.NaN()), "infinity": constantKernel(math.Inf(1)),
	"is_nan":      isNaNKernel,
	"is_finite":   fixedKern(map1(func(x float64) uint8 { return boolByte(x-x == 0) })),
	"is_infinite": fixedKern(map1(func(x float64) uint8 { return boolByte(math.IsInf(x, 0)) })),
	"random":      randomKernel, "rand": randomKernel,
	"width_bucket": rowwise(widthBucket), "from_base": rowwise(fromBase), "to_base": rowwise(toBase),
	"bitwise_and":                    long2(func(a, b int64) int64 { return a & b }),
	"bitwise_or":                     long2(func(a, b int64) int64 { return a | b }),
	"bitwise_xor":                    long2(func(a, b int64) int64 { return a ^ b }),
	"bitwise_not":                    fixedKern(map1(func(a int64) int64 { return ^a })),
	"bitwise_left_shift":             shiftKernel(func(a int64, n uint, width uint) int64 { return a << n }),
	"bitwise_right_shift":            shiftKernel(func(a int64, n uint, width uint) int64 { return int64(uint64(a) << (64 - width) >> (64 - width) >> n) }),
	"bitwise_right_shift_arithmetic": shiftKernel(func(a int64, n uint, width uint) int64 { return a >> n }),
}

func double1(f func(float64) float64) builder      { return fixedKern(map1(f)) }
func double2(f func(a, b float64) float64) builder { return fixedKern(map2(f)) }
func long2(f func(a, b int64) int64) builder       { return fixedKern(map2(f)) }
func invalid(format string, args ...any) error {
	return qerr.New(qerr.InvalidFunctionArgument, format, args...)
}
func outOfRange(format string, args ...any) error {
	return qerr.New(qerr.NumericValueOutOfRange, format, args...)
}
func isNaNKernel(fn *function.Scalar, _ *binding) (kern, error) {
	if fn.Args[0].Kind == types.Real {
		return map1(func(x float32) uint8 { return boolByte(x != x) }), nil
	}
	return map1(func(x float64) uint8 { return boolByte(x != x) }), nil
}

// shiftKernel shifts an integer by a number of places. Counts of the type's
// width and more leave nothing, or the sign alone where that is shifted in;
// negative ones count modulo 64, or 32 for the smaller types, as Java's do.
func shiftKernel(f func(a int64, n, width uint) int64) builder {
	return func(fn *function.Scalar, _ *binding) (kern, error) {
		arithmetic := fn.Name == "bitwise_right_shift_arithmetic"
		switch fn.Args[0].Kind {
		case types.TinyInt:
			return shiftOf[int8](8, arithmetic, f), nil
		case types.SmallInt:
			return shiftOf[int16](16, arithmetic, f), nil
		case types.Integer:
			return shiftOf[int32](32, arithmetic, f), nil
		}
		return shiftOf[int64](64, arithmetic, f), nil
	}
}

func shiftOf[T signed](width uint, arithmetic bool, f func(a int64, n, width uint) int64) kern {
	return map2(func(a T, n int64) T {
		if n >= int64(width) {
			if arithmetic && a < 0 {
				return -1
			}
			return 0
		}
		return T(f(int64(a), uint(n)&max(31, width-1), width))
	})
}

func constantKernel(x float64) builder {
	return fixedKern(kern{eval: func(c *call) error {
		res := out[float64](c.out)
		for i := range res {
			res[i] = x
		}
		return nil
	}})
}

func absKernel(fn *function.Scalar, _ *binding) (kern, error) {
	switch fn.Args[0].Kind {
	case types.TinyInt:
		return absInt[int8](), nil
	case types.SmallInt:
		return absInt[int16](), nil
	case types.Integer:
		return absInt[int32](), nil
	case types.BigInt:
		return absInt[int64](), nil
	case types.Real:
		return map1(func(x float32) float32 { return float32(math.Abs(float64(x))) }), nil
	case types.Double:
		return map1(math.Abs), nil
	case types.Decimal:
		if fn.Args[0].IsShortDecimal() {
			return map1(func(x int64) int64 { return max(x, -x) }), nil
		}
		return map1(types.Int128.Abs), nil
	}
	return kern{}, unsupported(fn)
}

func absInt[T signed]() kern {
	lo, _, name := limits[T]()
	return try1(func(x T) (T, error) {
		if int64(x) == lo {
			return 0, outOfRange("Value %d is out of range for abs(%s)", x, name)
		}
		return max(x, -x), nil
	})
}

func signKernel(fn *function.Scalar, _ *binding) (kern, error) {
	switch fn.Args[0].Kind {
	case types.TinyInt:
		return map1(signOf[int8]), nil
	case types.SmallInt:
		return map1(signOf[int16]), nil
	case types.Integer:
		return map1(signOf[int32]), nil
	case types.BigInt:
		return map1(signOf[int64]), nil
	case types.Real:
		return map1(signOf[float32]), nil
	case types.Double:
		return map1(signOf[float64]), nil
	case types.Decimal:
		return rowKern(func(c *call) func(i int) error {
			a, put := c.wides(0), putWide(c)
			return func(i int) error {
				put(i, types.Int128Of(int64(a.at(i).Sign())))
				return nil
			}
		}), nil
	}
	return kern{}, unsupported(fn)
}

// signOf is -1, 0 or 1; zero and NaN stay themselves.
func signOf[T signed | float32 | float64](x T) T {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return x
}

// wholeKernel is ceil (direction 1) or floor (-1).
func wholeKernel(f func(float64) float64, direction int) builder {
	return func(fn *function.Scalar, _ *binding) (kern, error) {
		t := fn.Args[0]
		switch {
		case t.IsInteger():
			return identityKernel(t), nil
		case t.Kind == types.Real:
			return map1(func(x float32) float32 { return float32(f(float64(x))) }), nil
		case t.Kind == types.Double:
			return map1(f), nil
		case t.Kind == types.Decimal:
			return decimalMap(func(x types.Int128) (types.Int128, error) {
				q, r := x.QuoRem(types.Pow10(t.S))
				if r.Sign() == direction {
					q = q.Add(types.Int128Of(int64(direction)))
				}
				return q, nil
			}), nil
		}
		return kern{}, unsupported(fn)
	}
}

// decimalMap is a kernel of one decimal of either size.
func decimalMap(f func(x types.Int128) (types.Int128, error)) kern {
	return rowKern(func(c *call) func(i int) error {
		a, put := c.wides(0), putWide(c)
		return func(i int) error {
			v, err := f(a.at(i))
			if err == nil {
				put(i, v)
			}
			return err
		}
	})
}

// identityKernel copies its argument.
func identityKernel(t types.Type) kern {
	switch t.Physical() {
	case types.PhysInt8:
		return map1(func(x int8) int8 { return x })
	case types.PhysInt16:
		return map1(func(x int16) int16 { return x })
	case types.PhysInt32:
		return map1(func(x int32) int32 { return x })
	}
	return map1(func(x int64) int64 { return x })
}

func roundKernel(fn *function.Scalar, _ *binding) (kern, error) {
	t, digits := fn.Args[0], len(fn.Args) > 1
	switch {
	case t.IsInteger() && !digits:
		return identityKernel(t), nil
	case t.Kind == types.TinyInt:
		return roundInts[int8](), nil
	case t.Kind == types.SmallInt:
		return roundInts[int16](), nil
	case t.Kind == types.Integer:
		return roundInts[int32](), nil
	case t.Kind == types.BigInt:
		return roundInts[int64](), nil
	case t.Kind == types.Real && digits:
		return rowKern(func(c *call) func(i int) error {
			x, n, res := arg[float32](c, 0), c.ints(1), out[float32](c.out)
			return func(i int) error {
				res[i] = float32(roundDouble(float64(x.at(i)), n(i)))
				return nil
			}
		}), nil
	case t.Kind == types.Real:
		return map1(func(x float32) float32 { return float32(math.Round(float64(x))) }), nil
	case t.Kind == types.Double && digits:
		return rowKern(func(c *call) func(i int) error {
			x, n, res := arg[float64](c, 0), c.ints(1), out[float64](c.out)
			return func(i int) error {
				res[i] = roundDouble(x.at(i), n(i))
				return nil
			}
		}), nil
	case t.Kind == types.Double:
		return map1(math.Round), nil
	case t.Kind == types.Decimal && digits:
		return decimalDigits(t, fn.Result, types.Int128.QuoRound), nil
	case t.Kind == types.Decimal:
		return decimalMap(func(x types.Int128) (types.Int128, error) { return x.QuoRound(types.Pow10(t.S)), nil }), nil
	}
	return kern{}, unsupported(fn)
}

// roundDouble rounds to n decimals by way of a power of ten; where that would
// overflow, the number has no such decimals.
func roundDouble(x float64, n int64) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return x
	}
	factor := math.Pow(10, float64(n))
	scaled := x * factor
	if math.IsInf(scaled, 0) || factor == 0 {
		if n < 0 {
			return 0
		}
		return x
	}
	return math.Round(scaled) / factor
}

// roundInts rounds integers to -n digits before the end.
func roundInts[T signed]() kern {
	lo, hi, name := limits[T]()
	return rowKern(func(c *call) func(i int) error {
		x, n, res := arg[T](c, 0), c.ints(1), out[T](c.out)
		return func(i int) error {
			v, d := int64(x.at(i)), n(i)
			if d >= 0 {
				res[i] = T(v)
				return nil
			}
			if d < -18 {
				res[i] = 0
				return nil
			}
			unit := types.Pow10(int32(-d))
			r, _ := types.Int128Of(v).QuoRound(unit).Mul(unit)
			switch {
			case within(r, lo, hi) == fine:
				res[i] = T(r.Int64())
				return nil
			case name == "bigint":
				return outOfRange("numerical overflow: %d", v)
			}
			return outOfRange("Out of range for %s: %s", name, r)
		}
	})
}

// decimalDigits rounds or truncates a decimal to n digits behind the point;
// the scale stays.
func decimalDigits(from, to types.Type, divide func(a, b types.Int128) types.Int128) kern {
	return rowKern(func(c *call) func(i int) error {
		x, n, put := c.wides(0), c.ints(1), putWide(c)
		return func(i int) error {
			v, drop := x.at(i), int64(from.S)-n(i)
			switch {
			case drop > int64(from.P):
				v = types.Int128{}
			case drop > 0:
				unit := types.Pow10(int32(drop))
				r, ok := divide(v, unit).Mul(unit)
				if !ok || !r.FitsDecimal(to.P) {
					return outOfRange("decimal overflow: %s", decimalText(v, from.S))
				}
				v = r
			}
			put(i, v)
			return nil
		}
	})
}

func truncateKernel(fn *function.Scalar, _ *binding) (kern, error) {
	t := fn.Args[0]
	quo := func(a, b types.Int128) types.Int128 {
		q, _ := a.QuoRem(b)
		return q
	}
	switch {
	case t.Kind == types.Real:
		return map1(func(x float32) float32 { return float32(math.Trunc(float64(x))) }), nil
	case t.Kind == types.Double:
		return map1(math.Trunc), nil
	case t.Kind == types.Decimal && len(fn.Args) > 1:
		return decimalDigits(t, fn.Result, quo), nil
	case t.Kind == types.Decimal:
		return decimalMap(func(x types.Int128) (types.Int128, error) { return quo(x, types.Pow10(t.S)), nil }), nil
	}
	return kern{}, unsupported(fn)
}

func randomKernel(fn *function.Scalar, _ *binding) (kern, error) {
	var prepare func(c *call) func(i int) error
	switch {
	case len(fn.Args) == 0:
		prepare = func(c *call) func(i int) error {
			res := out[float64](c.out)
			return func(i int) error {
				res[i] = rand.Float64()
				return nil
			}
		}
	case len(fn.Args) == 1:
		prepare = func(c *call) func(i int) error {
			to, put := c.ints(0), putInt(c)
			return func(i int) error {
				if to(i) <= 0 {
					return invalid("bound must be positive")
				}
				put(i, rand.Int64N(to(i)))
				return nil
			}
		}
	default:
		prepare = func(c *call) func(i int) error {
			from, to, put := c.ints(0), c.ints(1), putInt(c)
			return func(i int) error {
				lo, hi := from(i), to(i)
				if lo >= hi {
					return invalid("start value must be less than stop value")
				}
				put(i, int64(uint64(lo)+rand.Uint64N(uint64(hi)-uint64(lo))))
				return nil
			}
		}
	}
	return rowKern(prepare), nil
}

// putInt writes an integer of the result's size.
func putInt(c *call) func(i int, v int64) {
	switch c.typ.Physical() {
	case types.PhysInt8:
		res := out[int8](c.out)
		return func(i int, v int64) { res[i] = int8(v) }
	case types.PhysInt16:
		res := out[int16](c.out)
		return func(i int, v int64) { res[i] = int16(v) }
	case types.PhysInt32:
		res := out[int32](c.out)
		return func(i int, v int64) { res[i] = int32(v) }
	}
	res := out[int64](c.out)
	return func(i int, v int64) { res[i] = v }
}

func widthBucket(c *call) func(i int) error {
	if len(c.args) == 2 {
		return bucketAmong(c)
	}
	x, lo, hi, n, res := c.doubles(0), c.doubles(1), c.doubles(2), c.ints(3), out[int64](c.out)
	return func(i int) (err error) {
		res[i], err = bucketOf(x(i), lo(i), hi(i), n(i))
		return err
	}
}

// bucketAmong looks up the bucket between ascending bounds, null counting as 0,
// as in Trino: only the bounds that the search meets are checked.
func bucketAmong(c *call) func(i int) error {
	x, l, res := c.doubles(0), c.list(1), out[int64](c.out)
	bounds := vector.Values[float64](holder(l.kid))
	bound := func(j int) float64 {
		if l.kid.IsNull(j) {
			return 0
		}
		return bounds[l.kid.At(j)]
	}
	return func(i int) error {
		from, to := l.at(i)
		switch v := x(i); {
		case from == to:
			return invalid("Bins cannot be an empty array")
		case v != v:
			return invalid("Operand cannot be NaN")
		default:
			n, err := searchBounds(v, to-from, func(k int) float64 { return bound(from + k) })
			res[i] = int64(n)
			return err
		}
	}
}

// searchBounds returns how many of n ascending bounds are at most v.
func searchBounds(v float64, n int, bound func(k int) float64) (int, error) {
	lower, upper := 0, n
	for lower < upper {
		if bound(lower) > bound(upper-1) {
			return 0, invalid("Bin values are not sorted in ascending order")
		}
		mid := (lower + upper) / 2
		b := bound(mid)
		if b-b != 0 {
			return 0, invalid("Bin value must be finite, got %s", javaText(b, 64))
		}
		if v < b {
			upper = mid
		} else {
			lower = mid + 1
		}
	}
	return lower, nil
}

func bucketOf(x, b1, b2 float64, n int64) (int64, error) {
	switch {
	case n <= 0:
		return 0, invalid("bucketCount must be greater than 0")
	case x != x:
		return 0, invalid("operand must not be NaN")
	case b1-b1 != 0:
		return 0, invalid("first bound must be finite")
	case b2-b2 != 0:
		return 0, invalid("second bound must be finite")
	case b1 == b2:
		return 0, invalid("bounds cannot equal each other")
	}
	lo, hi := min(b1, b2), max(b1, b2)
	var r int64
	switch {
	case x < lo:
		r = 0
	case x >= hi:
		if n == math.MaxInt64 {
			return 0, outOfRange("Bucket for value %s is out of range", javaText(x, 64))
		}
		r = n + 1
	default:
		r = int64(float64(n)*(x-lo)/(hi-lo) + 1)
	}
	if b1 > b2 {
		r = n - r + 1
	}
	return r, nil
}

func checkRadix(radix int64) error {
	if radix < 2 || radix > 36 {
		return invalid("Radix must be between 2 and 36")
	}
	return nil
}

func fromBase(c *call) func(i int) error {
	s, radix, res := c.bytes(0), c.ints(1), out[int64](c.out)
	return func(i int) error {
		if err := checkRadix(radix(i)); err != nil {
			return err
		}
		v, err := strconv.ParseInt(string(s.at(i)), int(radix(i)), 64)
		if err != nil {
			return invalid("Not a valid base-%d number: %s", radix(i), s.at(i))
		}
		res[i] = v
		return nil
	}
}

func toBase(c *call) func(i int) error {
	x, radix := c.ints(0), c.ints(1)
	return func(i int) error {
		if err := checkRadix(radix(i)); err != nil {
			return err
		}
		c.buf = strconv.AppendInt(c.buf[:0], x(i), int(radix(i)))
		return c.out.putBytes(i, c.buf)
	}
}
