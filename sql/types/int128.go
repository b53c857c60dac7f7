package types

import (
	"math"
	"math/bits"
	"strconv"
)

// pow10 are the powers of ten that fit 128 bits: pow10[i] = 10^i.
var pow10 = func() (p [39]Int128) {
	p[0] = Int128{Lo: 1}
	for i := 1; i < len(p); i++ {
		p[i], _ = p[i-1].Mul(Int128{Lo: 10})
	}
	return p
}()

// Pow10 returns 10^n for n of 0 to 38.
func Pow10(n int32) Int128 { return pow10[n] }

// Pow10Int64 returns 10^n for n of 0 to 18.
func Pow10Int64(n int32) int64 { return int64(pow10[n].Lo) }

// Add returns a+b, wrapping around.
func (a Int128) Add(b Int128) Int128 {
	lo, carry := bits.Add64(a.Lo, b.Lo, 0)
	return Int128{Lo: lo, Hi: a.Hi + b.Hi + int64(carry)}
}

// Sub returns a-b, wrapping around.
func (a Int128) Sub(b Int128) Int128 {
	lo, borrow := bits.Sub64(a.Lo, b.Lo, 0)
	return Int128{Lo: lo, Hi: a.Hi - b.Hi - int64(borrow)}
}

// AddOK returns a+b and whether it fits 128 bits.
func (a Int128) AddOK(b Int128) (Int128, bool) {
	s := a.Add(b)
	return s, (a.Hi^s.Hi)&(b.Hi^s.Hi) >= 0
}

// SubOK returns a-b and whether it fits 128 bits.
func (a Int128) SubOK(b Int128) (Int128, bool) {
	d := a.Sub(b)
	return d, (a.Hi^b.Hi)&(a.Hi^d.Hi) >= 0
}

// Neg returns -a, wrapping around.
func (a Int128) Neg() Int128 { return Int128{}.Sub(a) }

// Abs returns |a| (the smallest value stays itself, and is 2^127 unsigned).
func (a Int128) Abs() Int128 {
	if a.Hi < 0 {
		return a.Neg()
	}
	return a
}

// Sign returns -1, 0 or 1.
func (a Int128) Sign() int {
	switch {
	case a.Hi < 0:
		return -1
	case a.Hi == 0 && a.Lo == 0:
		return 0
	}
	return 1
}

// Cmp returns -1, 0 or 1 as a is less than, equal to or greater than b.
func (a Int128) Cmp(b Int128) int {
	switch {
	case a == b:
		return 0
	case a.Less(b):
		return -1
	}
	return 1
}

// Less reports whether a < b.
func (a Int128) Less(b Int128) bool { return a.Hi < b.Hi || a.Hi == b.Hi && a.Lo < b.Lo }

// IsInt64 reports whether a fits an int64.
func (a Int128) IsInt64() bool { return a.Hi == int64(a.Lo)>>63 }

// Int64 returns the low word as an int64: a itself when IsInt64.
func (a Int128) Int64() int64 { return int64(a.Lo) }

// MulInt64 returns the full product of two int64s.
func MulInt64(a, b int64) Int128 {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	return Int128{Lo: lo, Hi: int64(hi) - (a>>63)&b - (b>>63)&a}
}

// Mul returns a*b and whether it fits 128 bits.
func (a Int128) Mul(b Int128) (Int128, bool) {
	if a.IsInt64() && b.IsInt64() {
		return MulInt64(a.Int64(), b.Int64()), true
	}
	neg := (a.Hi < 0) != (b.Hi < 0)
	x, y := a.Abs(), b.Abs()
	hi, lo := bits.Mul64(x.Lo, y.Lo)
	h1, l1 := bits.Mul64(uint64(x.Hi), y.Lo)
	h2, l2 := bits.Mul64(x.Lo, uint64(y.Hi))
	hi, c1 := bits.Add64(hi, l1, 0)
	hi, c2 := bits.Add64(hi, l2, 0)
	ok := h1|h2|c1|c2 == 0 && (x.Hi == 0 || y.Hi == 0)
	p := Int128{Lo: lo, Hi: int64(hi)}
	if neg {
		p = p.Neg()
		return p, ok && (p.Hi < 0 || p == Int128{})
	}
	return p, ok && p.Hi >= 0
}

// QuoRem returns the quotient rounded towards zero and the remainder, which
// has a's sign. b is not zero.
func (a Int128) QuoRem(b Int128) (q, r Int128) {
	x, y := a.Abs(), b.Abs()
	q, r = udivrem(x, y)
	if (a.Hi < 0) != (b.Hi < 0) {
		q = q.Neg()
	}
	if a.Hi < 0 {
		r = r.Neg()
	}
	return q, r
}

// udivrem divides unsigned 128-bit numbers: long division by words, with
// Knuth's normalization (algorithm D) when the divisor has two.
func udivrem(x, y Int128) (q, r Int128) {
	if y.Hi == 0 {
		qh := uint64(x.Hi) / y.Lo
		ql, rem := bits.Div64(uint64(x.Hi)%y.Lo, x.Lo, y.Lo)
		return Int128{Lo: ql, Hi: int64(qh)}, Int128{Lo: rem}
	}
	n := uint(bits.LeadingZeros64(uint64(y.Hi)))
	yn := uint64(y.Hi)<<n | y.Lo>>1>>(63-n)
	// Half of x over the normalized top word estimates q from above, by at most one.
	est, _ := bits.Div64(uint64(x.Hi)>>1, uint64(x.Hi)<<63|x.Lo>>1, yn)
	est = est >> (63 - n)
	if est > 0 {
		est--
	}
	back, _ := Int128{Lo: est}.mulLow(y), true
	r = x.Sub(back)
	if !uless(r, y) {
		est++
		r = r.Sub(y)
	}
	return Int128{Lo: est}, r
}

func (a Int128) mulLow(b Int128) Int128 {
	hi, lo := bits.Mul64(a.Lo, b.Lo)
	return Int128{Lo: lo, Hi: int64(hi + uint64(a.Hi)*b.Lo + a.Lo*uint64(b.Hi))}
}

func uless(a, b Int128) bool {
	return uint64(a.Hi) < uint64(b.Hi) || a.Hi == b.Hi && a.Lo < b.Lo
}

// QuoRound returns a/b rounded half away from zero. b is not zero.
func (a Int128) QuoRound(b Int128) Int128 {
	q, r := a.QuoRem(b)
	// |r| ≥ |b|-|r| is 2|r| ≥ |b| without overflow.
	x, y := r.Abs(), b.Abs()
	if uless(x, y.Sub(x)) {
		return q
	}
	if (a.Hi < 0) != (b.Hi < 0) {
		return q.Sub(Int128{Lo: 1})
	}
	return q.Add(Int128{Lo: 1})
}

// FitsDecimal reports whether |a| has at most p digits, p ≤ 38.
func (a Int128) FitsDecimal(p int32) bool { return uless(a.Abs(), pow10[p]) }

// Rescale changes the scale of an unscaled decimal, rounding half up (away
// from zero) when it shrinks, and reports whether the result fits 128 bits.
func (a Int128) Rescale(from, to int32) (Int128, bool) {
	switch {
	case to == from:
		return a, true
	case to > from+38:
		return Int128{}, a == Int128{}
	case to > from:
		return a.Mul(pow10[to-from])
	case from-to > 38:
		return Int128{}, true
	}
	return a.QuoRound(pow10[from-to]), true
}

// AppendText appends a in decimal.
func (a Int128) AppendText(dst []byte) []byte {
	if a.IsInt64() {
		return strconv.AppendInt(dst, a.Int64(), 10)
	}
	if a.Hi < 0 {
		dst = append(dst, '-')
	}
	x := a.Abs()
	const e18 = 1_000_000_000_000_000_000
	var parts [3]uint64
	n := 0
	for ; x.Hi != 0 || x.Lo >= e18; n++ {
		var r Int128
		x, r = udivrem(x, Int128{Lo: e18})
		parts[n] = r.Lo
	}
	dst = strconv.AppendUint(dst, x.Lo, 10)
	for n--; n >= 0; n-- {
		dst = appendPadded(dst, parts[n], 18)
	}
	return dst
}

// String returns a in decimal.
func (a Int128) String() string { return string(a.AppendText(nil)) }

// appendPadded appends v with at least width digits.
func appendPadded(dst []byte, v uint64, width int) []byte {
	var buf [20]byte
	i := len(buf)
	for v > 0 || width > 0 {
		i--
		buf[i] = byte('0' + v%10)
		v /= 10
		width--
	}
	return append(dst, buf[i:]...)
}

// AppendDecimal appends an unscaled decimal with its scale.
func AppendDecimal(dst []byte, v Int128, scale int32) []byte {
	if scale == 0 {
		return v.AppendText(dst)
	}
	if v.Hi < 0 {
		dst = append(dst, '-')
		v = v.Neg()
	}
	start := len(dst)
	dst = v.AppendText(dst)
	digits := len(dst) - start
	for ; digits <= int(scale); digits++ {
		dst = append(dst, '0')
		copy(dst[start+1:], dst[start:])
		dst[start] = '0'
	}
	dst = append(dst, 0)
	cut := len(dst) - 1 - int(scale)
	copy(dst[cut+1:], dst[cut:])
	dst[cut] = '.'
	return dst
}

// DecimalToDouble returns the double nearest to an unscaled decimal.
func DecimalToDouble(v Int128, scale int32) float64 {
	if v.IsInt64() && scale <= 22 {
		if x := v.Int64(); x < 1<<53 && x > -1<<53 {
			return float64(x) / math.Pow10(int(scale))
		}
	}
	var buf [48]byte
	f, _ := strconv.ParseFloat(string(AppendDecimal(buf[:0], v, scale)), 64)
	return f
}

// DoubleToDecimal rounds f, half away from zero, to an unscaled decimal of the
// given precision and scale; ok is false for NaN, infinities and what does not
// fit. The digits rounded are those of f's exact binary value.
func DoubleToDecimal(f float64, precision, scale int32) (v Int128, ok bool) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return Int128{}, false
	}
	if f == 0 {
		return Int128{}, true
	}
	var buf [400]byte
	// 'f' with precision -1 would be the shortest text; the exact value of a
	// double has at most 1074 fractional digits, of which the ones behind the
	// scale matter only for a tie, which 60 digits settle within 38.
	text := strconv.AppendFloat(buf[:0], f, 'e', -1, 64)
	v, _, ok = ParseDecimal(text, scale)
	return v, ok && v.FitsDecimal(precision)
}

// ParseDecimal reads a decimal number (sign, digits, fraction, exponent) and
// rounds it half up to scale. number is false when text is no number; ok when
// it is none or does not fit 38 digits.
func ParseDecimal(text []byte, scale int32) (v Int128, number, ok bool) {
	d, number := scanDecimal(text)
	if !number {
		return Int128{}, false, false
	}
	v, ok = d.at(scale)
	return v, true, ok && v.FitsDecimal(MaxDecimal)
}

// scanned is a decimal number in text form: the digits without the point, and
// the power of ten of the last one.
type scanned struct {
	neg    bool
	digits []byte
	exp    int
}

func scanDecimal(s []byte) (d scanned, ok bool) {
	if len(s) > 0 && (s[0] == '-' || s[0] == '+') {
		d.neg = s[0] == '-'
		s = s[1:]
	}
	var buf [64]byte
	d.digits = buf[:0]
	seen, point := false, false
	i := 0
	for ; i < len(s); i++ {
		c := s[i]
		if c == '.' && !point {
			point = true
			continue
		}
		if c < '0' || c > '9' {
			break
		}
		seen = true
		if c != '0' || len(d.digits) > 0 {
			d.digits = append(d.digits, c)
		}
		if point {
			d.exp--
		}
	}
	if !seen {
		return d, false
	}
	if i == len(s) {
		return d, true
	}
	if s[i] != 'e' && s[i] != 'E' {
		return d, false
	}
	e, err := strconv.Atoi(string(s[i+1:]))
	if err != nil || e > 1<<20 || e < -1<<20 {
		return d, false
	}
	d.exp += e
	return d, true
}

// at returns the number's unscaled value at a scale, rounded half up.
func (d scanned) at(scale int32) (Int128, bool) {
	drop := -(d.exp + int(scale)) // digits behind the scale
	if len(d.digits) == 0 || drop > len(d.digits) {
		return Int128{}, true
	}
	keep, up := d.digits, false
	if drop > 0 {
		keep, up = d.digits[:len(d.digits)-drop], d.digits[len(d.digits)-drop] >= '5'
	}
	zeros := max(0, -drop)
	if len(keep)+zeros > 39 {
		return Int128{}, false
	}
	var v Int128
	for _, c := range keep {
		v = v.mulLow(Int128{Lo: 10}).Add(Int128{Lo: uint64(c - '0')})
	}
	if zeros > 38 || len(keep)+zeros > 38 && zeros > 0 {
		return Int128{}, len(keep) == 0
	}
	v = v.mulLow(pow10[zeros])
	if up {
		v = v.Add(Int128{Lo: 1})
	}
	if d.neg {
		v = v.Neg()
	}
	return v, !uless(pow10[38], v.Abs())
}
