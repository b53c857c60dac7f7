package kernel

import (
	"math/big"

	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// Decimal arithmetic takes its operands at their own scales; the result type
// is the function's. Where a result of at most 18 digits has room for every
// value, the loops run on int64 and check nothing.

func errDecimalOverflow() error { return qerr.New(qerr.NumericValueOutOfRange, "Decimal overflow") }

// decimalSum is + and -: both sides at the result's scale.
func decimalSum(fn *function.Scalar, minus bool) kern {
	a, b, r := fn.Args[0], fn.Args[1], fn.Result
	if r.IsShortDecimal() {
		return shortSum(types.Pow10Int64(r.S-a.S), types.Pow10Int64(r.S-b.S), minus)
	}
	fa, fb := types.Pow10(r.S-a.S), types.Pow10(r.S-b.S)
	one := types.Int128{Lo: 1}
	return kern{fallible: true, eval: func(c *call) error {
		x, y, res := c.wides(0), c.wides(1), out[types.Int128](c.out)
		bad := false
		sum := func(i int) (types.Int128, bool) {
			p, q, ok1, ok2 := x.at(i), y.at(i), true, true
			if fa != one {
				p, ok1 = p.Mul(fa)
			}
			if fb != one {
				q, ok2 = q.Mul(fb)
			}
			if minus {
				q = q.Neg()
			}
			s, ok3 := p.AddOK(q)
			return s, ok1 && ok2 && ok3 && s.FitsDecimal(types.MaxDecimal)
		}
		_ = c.each(func(i int) error {
			s, ok := sum(i)
			res[i] = s
			bad = bad || !ok
			return nil
		})
		if !bad {
			return nil
		}
		return c.eachValid(func(i int) error {
			if _, ok := sum(i); !ok {
				return errDecimalOverflow()
			}
			return nil
		})
	}}
}

// shortSum computes a*fa ± b*fb in 64 bits.
func shortSum(fa, fb int64, minus bool) kern {
	if fa == 1 && fb == 1 {
		if minus {
			return plain(subPlain[int64])
		}
		return plain(addPlain[int64])
	}
	if minus {
		fb = -fb
	}
	return plain(func(o operands[int64]) { scaledSum(o, fa, fb) })
}

func scaledSum(o operands[int64], fa, fb int64) {
	switch {
	case o.sel != nil:
		for _, i := range o.sel {
			o.out[i] = o.a[int(i)&o.aMask]*fa + o.b[int(i)&o.bMask]*fb
		}
	case o.aMask == 0:
		k := o.a[0] * fa
		for i, y := range o.b[:len(o.out)] {
			o.out[i] = k + y*fb
		}
	case o.bMask == 0:
		k := o.b[0] * fb
		for i, x := range o.a[:len(o.out)] {
			o.out[i] = x*fa + k
		}
	default:
		b, res := o.b[:len(o.out)], o.out
		for i, x := range o.a[:len(res)] {
			res[i] = x*fa + b[i]*fb
		}
	}
}

// decimalProduct is *: the scales add up.
func decimalProduct(fn *function.Scalar) kern {
	a, b, r := fn.Args[0], fn.Args[1], fn.Result
	switch {
	case r.IsShortDecimal():
		return plain(mulPlain[int64])
	case a.IsShortDecimal() && b.IsShortDecimal():
		return kern{eval: mulWide}
	}
	return kern{fallible: true, eval: func(c *call) error {
		x, y := c.wides(0), c.wides(1)
		if !x.isBig {
			x, y = y, x
		}
		ok := false
		if y.isBig {
			ok = mulLongLong(c, x, y)
		} else {
			ok = mulLongShort(c, x.long, y.short)
		}
		if ok {
			return nil
		}
		return c.eachValid(func(i int) error {
			if p, ok := x.at(i).Mul(y.at(i)); !ok || !p.FitsDecimal(types.MaxDecimal) {
				return errDecimalOverflow()
			}
			return nil
		})
	}}
}

// mulWide multiplies short decimals to a long one, which always fits.
func mulWide(c *call) error {
	x, y, res := arg[int64](c, 0), arg[int64](c, 1), out[types.Int128](c.out)
	switch {
	case c.sel != nil:
		for _, i := range c.sel {
			res[i] = types.MulInt64(x.at(int(i)), y.at(int(i)))
		}
	case x.mask == 0 || y.mask == 0:
		for i := range res {
			res[i] = types.MulInt64(x.at(i), y.at(i))
		}
	default:
		b := y.vals[:len(res)]
		for i, v := range x.vals[:len(res)] {
			res[i] = types.MulInt64(v, b[i])
		}
	}
	return nil
}

// mulLongShort multiplies a long decimal by a short one; false if any row,
// null or not, does not fit. A product of two int64s always does.
func mulLongShort(c *call, x argCol[types.Int128], y argCol[int64]) bool {
	res, good := out[types.Int128](c.out), true
	one := func(i int) {
		v, k := x.at(i), y.at(i)
		if v.IsInt64() {
			res[i] = types.MulInt64(v.Int64(), k)
			return
		}
		p, ok := v.Mul(types.Int128Of(k))
		res[i] = p
		good = good && ok && p.FitsDecimal(types.MaxDecimal)
	}
	if c.sel != nil {
		for _, i := range c.sel {
			one(int(i))
		}
		return good
	}
	for i := range res {
		one(i)
	}
	return good
}

func mulLongLong(c *call, x, y wideCol) bool {
	res, good := out[types.Int128](c.out), true
	_ = c.each(func(i int) error {
		p, ok := x.long.at(i).Mul(y.long.at(i))
		res[i] = p
		good = good && ok && p.FitsDecimal(types.MaxDecimal)
		return nil
	})
	return good
}

// decimalQuotient is /, rounded half away from zero at the result's scale.
func decimalQuotient(fn *function.Scalar) kern {
	up := fn.Result.S - fn.Args[0].S + fn.Args[1].S
	if fn.Args[0].IsShortDecimal() && fn.Args[1].IsShortDecimal() && fn.Result.IsShortDecimal() && up <= types.MaxShortDecimal {
		return shortQuotient(up)
	}
	return rowKern(func(c *call) func(i int) error {
		x, y, put := c.wides(0), c.wides(1), putWide(c)
		return func(i int) error {
			q, err := divideDecimal(x.at(i), y.at(i), up)
			if err == nil {
				put(i, q)
			}
			return err
		}
	})
}

// shortQuotient divides in 64 bits where the dividend, scaled up, fits them.
func shortQuotient(up int32) kern {
	unit := types.Pow10Int64(up)
	return kern{strict: true, fallible: true, eval: func(c *call) error {
		x, y, res := arg[int64](c, 0), arg[int64](c, 1), out[int64](c.out)
		return c.each(func(i int) error {
			b := y.at(i)
			p := types.MulInt64(x.at(i), unit)
			if p.IsInt64() && uint64(b+1) > 1 { // neither 0 nor -1
				res[i] = roundedQuotient(p.Int64(), b)
				return nil
			}
			q, err := divideDecimal(types.Int128Of(x.at(i)), types.Int128Of(b), up)
			if err != nil {
				return c.fail(i, err)
			}
			res[i] = q.Int64()
			return nil
		})
	}}
}

func divideDecimal(a, b types.Int128, up int32) (types.Int128, error) {
	if b == (types.Int128{}) {
		return b, errDivisionByZero()
	}
	if up <= 38 {
		if p, ok := a.Mul(types.Pow10(up)); ok {
			if p.IsInt64() && b.IsInt64() && b.Int64() != -1 {
				return types.Int128Of(roundedQuotient(p.Int64(), b.Int64())), nil
			}
			q := p.QuoRound(b)
			if !q.FitsDecimal(types.MaxDecimal) {
				return q, errDecimalOverflow()
			}
			return q, nil
		}
	}
	return divideBig(a, b, up)
}

// roundedQuotient divides rounding half away from zero; b is not 0 or -1.
func roundedQuotient(a, b int64) int64 {
	q, r := a/b, a%b
	if r == 0 {
		return q
	}
	x, y := uint64(max(r, -r)), uint64(b)
	if b < 0 {
		y = -y
	}
	if x >= y-x {
		if (a < 0) != (b < 0) {
			return q - 1
		}
		return q + 1
	}
	return q
}

// divideBig is the rare case whose dividend does not fit 128 bits.
func divideBig(a, b types.Int128, up int32) (types.Int128, error) {
	n := new(big.Int).Mul(a.Big(), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(up)), nil))
	d := b.Big()
	q, r := new(big.Int).QuoRem(n, d, new(big.Int))
	if r.Abs(r).Lsh(r, 1).CmpAbs(d) >= 0 {
		if a.Sign()*b.Sign() < 0 {
			q.Sub(q, big.NewInt(1))
		} else {
			q.Add(q, big.NewInt(1))
		}
	}
	v, ok := fromBig(q)
	if !ok || !v.FitsDecimal(types.MaxDecimal) {
		return v, errDecimalOverflow()
	}
	return v, nil
}

func fromBig(b *big.Int) (types.Int128, bool) {
	if b.BitLen() > 127 {
		return types.Int128{}, false
	}
	abs := new(big.Int).Abs(b)
	lo := new(big.Int).And(abs, new(big.Int).SetUint64(^uint64(0))).Uint64()
	v := types.Int128{Lo: lo, Hi: int64(new(big.Int).Rsh(abs, 64).Uint64())}
	if b.Sign() < 0 {
		v = v.Neg()
	}
	return v, true
}

// decimalRemainder is %, with the dividend's sign.
func decimalRemainder(fn *function.Scalar) kern {
	a, b := fn.Args[0], fn.Args[1]
	scale := max(a.S, b.S)
	ua, ub := scale-a.S, scale-b.S
	return rowKern(func(c *call) func(i int) error {
		x, y, put := c.wides(0), c.wides(1), putWide(c)
		return func(i int) error {
			q, err := remainderDecimal(x.at(i), y.at(i), ua, ub)
			if err == nil {
				put(i, q)
			}
			return err
		}
	})
}

func remainderDecimal(a, b types.Int128, ua, ub int32) (types.Int128, error) {
	if b == (types.Int128{}) {
		return b, errDivisionByZero()
	}
	p, ok1 := a.Mul(types.Pow10(ua))
	q, ok2 := b.Mul(types.Pow10(ub))
	if ok1 && ok2 {
		_, r := p.QuoRem(q)
		return r, nil
	}
	ten := big.NewInt(10)
	n := new(big.Int).Mul(a.Big(), new(big.Int).Exp(ten, big.NewInt(int64(ua)), nil))
	d := new(big.Int).Mul(b.Big(), new(big.Int).Exp(ten, big.NewInt(int64(ub)), nil))
	v, ok := fromBig(n.Rem(n, d))
	if !ok {
		return v, errDecimalOverflow()
	}
	return v, nil
}
