package parquet

import (
	"encoding/binary"
	"math"

	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// layout says how a leaf's values become a vector's: what they are in a page
// and how they are converted.
type layout struct {
	src  srcKind
	srcW int // bytes of a value in a PLAIN page (srcFixed, srcFixedBytes)
	dstW int // bytes of a value in the vector
	// conv converts n values of srcFixed; nil: they are the same.
	conv func(dst, src []byte, n int) error
	// fromBytes converts values of srcBytes to numbers; nil: they stay strings.
	fromBytes func(dst []byte, views []vector.View, heap [][]byte) error
}

type srcKind uint8

const (
	srcBool       srcKind = iota // a bit
	srcFixed                     // numbers of srcW bytes
	srcBytes                     // strings with lengths
	srcFixedBytes                // strings of srcW bytes
)

// identity reports whether a PLAIN page's bytes are the vector's.
func (l *layout) identity() bool { return l.src == srcFixed && l.conv == nil }

// newLayout returns the layout for reading leaf as t, which is the leaf's own
// type or one that it widens to (see Widens).
func newLayout(leaf *Leaf, t types.Type) (layout, error) {
	l := layout{src: srcFixed, dstW: t.Physical().Width()}
	ok := Widens(leaf.Type, t)
	switch leaf.Kind {
	case KindBool:
		l.src = srcBool
	case KindInt32:
		l.srcW = 4
		l.conv = convInt32(leaf, t)
	case KindInt64:
		l.srcW = 8
		l.conv = convInt64(leaf, t)
	case KindInt96:
		l.srcW = 12
		l.conv = convInt96(t)
	case KindFloat:
		l.srcW = 4
		if t.Kind == types.Double {
			l.conv = each(func(x float32) float64 { return float64(x) })
		}
	case KindDouble:
		l.srcW = 8
	case KindFixed:
		l.srcW = leaf.Len
		switch {
		case leaf.logic.kind == logicDecimal:
			l.conv = convFixedDecimal(leaf, t)
		case leaf.logic.kind == logicFloat16:
			l.conv = convFloat16(t)
		case leaf.logic.kind == logicUUID:
			l.conv = convUUID
		default:
			l.src = srcFixedBytes
		}
	case KindBytes:
		l.src = srcBytes
		if leaf.logic.kind == logicDecimal {
			l.fromBytes = convBytesDecimal(leaf, t)
		}
	}
	if !ok || l.dstW == 0 {
		return l, unsupported("reading %s as %s", leaf.Type, t)
	}
	return l, nil
}

// Widens reports whether values of type from can be read as type to without
// loss: the same, a wider integer, double for real, a decimal with no fewer
// digits before and after the point, a finer timestamp, or an integer as a
// decimal that holds it.
func Widens(from, to types.Type) bool {
	if from.Equal(to) {
		return true
	}
	switch {
	case from.IsInteger() && to.IsInteger():
		return from.Kind < to.Kind
	case from.Kind == types.Real:
		return to.Kind == types.Double
	case from.Kind == types.Decimal && to.Kind == types.Decimal:
		return to.S >= from.S && to.P-to.S >= from.P-from.S
	case from.IsInteger() && to.Kind == types.Decimal:
		d := types.AsDecimal(from)
		return to.P-to.S >= d.P
	case from.Kind == to.Kind && (from.Kind == types.Timestamp || from.Kind == types.TimestampTZ || from.Kind == types.Time):
		return to.P >= from.P
	case from.IsString() && to.Kind == types.Varchar:
		return to.P >= from.P
	case from.IsNested() && from.Kind == to.Kind:
		return widensNested(from, to)
	}
	return false
}

// widensNested compares rows field by field by position: files are matched by
// name before (see the reader's columns).
func widensNested(from, to types.Type) bool {
	a, b := from.Elems(), to.Elems()
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !Widens(a[i], b[i]) {
			return false
		}
	}
	return true
}

// each makes a conversion of a function on single values.
func each[S, D vector.Fixed](f func(S) D) func(dst, src []byte, n int) error {
	return func(dst, src []byte, n int) error {
		from, to := castUnaligned[S](src, n), vector.Cast[D](dst)[:n]
		for i, x := range from {
			to[i] = f(x)
		}
		return nil
	}
}

// checked is each for functions that may fail.
func checked[S, D vector.Fixed](f func(S) (D, bool), what string) func(dst, src []byte, n int) error {
	return func(dst, src []byte, n int) error {
		from, to := castUnaligned[S](src, n), vector.Cast[D](dst)[:n]
		for i, x := range from {
			y, ok := f(x)
			if !ok {
				return corrupt("the value %v is out of range for a %s", x, what)
			}
			to[i] = y
		}
		return nil
	}
}

// convInt32 returns the conversion of INT32 values to type t.
func convInt32(leaf *Leaf, t types.Type) func(dst, src []byte, n int) error {
	unsigned := leaf.logic.kind == logicUnsigned
	switch t.Physical() {
	case types.PhysInt8:
		return each(func(x int32) int8 { return int8(x) })
	case types.PhysInt16:
		return each(func(x int32) int16 { return int16(x) })
	case types.PhysInt64:
		switch {
		case leaf.logic.kind == logicTime:
			return each(func(x int32) int64 { return int64(x) * 1e6 })
		case t.Kind == types.Decimal:
			return decimalFrom[int32](leaf, t)
		case unsigned && leaf.Type.Kind == types.BigInt:
			return each(func(x int32) int64 { return int64(uint32(x)) })
		}
		return each(func(x int32) int64 { return int64(x) })
	case types.PhysInt128:
		return decimalFrom[int32](leaf, t)
	}
	return nil
}

// convInt64 returns the conversion of INT64 values to type t.
func convInt64(leaf *Leaf, t types.Type) func(dst, src []byte, n int) error {
	switch leaf.logic.kind {
	case logicTime:
		factor := int64(1e9) / leaf.logic.unit
		return each(func(x int64) int64 { return x * factor })
	case logicTimestamp:
		return convTimestamp(leaf, t)
	case logicUnsigned:
		scale := types.Pow10(t.S)
		return checked(func(x int64) (types.Int128, bool) { return types.Int128{Lo: uint64(x)}.Mul(scale) }, t.String())
	}
	if t.Kind == types.Decimal && (t.S > leaf.logic.scale || t.IsLongDecimal()) {
		return decimalFrom[int64](leaf, t)
	}
	return nil
}

// convTimestamp returns the conversion of INT64 timestamps.
func convTimestamp(leaf *Leaf, t types.Type) func(dst, src []byte, n int) error {
	factor := t.UnitsPerSecond() / leaf.logic.unit
	limit := math.MaxInt64 / factor
	if t.Kind == types.TimestampTZ {
		return checked(func(x int64) (types.Int128, bool) {
			return types.Int128{Lo: uint64(x * factor), Hi: types.UTCZone}, x <= limit && x >= -limit
		}, t.String())
	}
	if factor == 1 {
		return nil
	}
	return checked(func(x int64) (int64, bool) { return x * factor, x <= limit && x >= -limit }, t.String())
}

// decimalFrom returns the conversion of integers that are decimals, or plain
// integers, to the decimal type t.
func decimalFrom[S int32 | int64](leaf *Leaf, t types.Type) func(dst, src []byte, n int) error {
	up := t.S - leaf.logic.scale
	if t.IsShortDecimal() {
		factor := types.Pow10Int64(up)
		if factor == 1 {
			return each(func(x S) int64 { return int64(x) })
		}
		limit := math.MaxInt64 / factor
		return checked(func(x S) (int64, bool) {
			return int64(x) * factor, int64(x) <= limit && int64(x) >= -limit
		}, t.String())
	}
	factor := types.Pow10(up)
	return checked(func(x S) (types.Int128, bool) { return types.Int128Of(int64(x)).Mul(factor) }, t.String())
}

// Days between the Julian day number's origin and the epoch.
const julianEpoch = 2440588

// convInt96 converts Impala's timestamps: nanoseconds of the day, then the
// Julian day. Nanoseconds are cut to microseconds where t is no finer.
func convInt96(t types.Type) func(dst, src []byte, n int) error {
	perSecond := t.UnitsPerSecond()
	return func(dst, src []byte, n int) error {
		out := vector.Cast[int64](dst)[:n]
		for i := range out {
			v := src[i*12 : i*12+12]
			nanos := int64(binary.LittleEndian.Uint64(v))
			days := int64(int32(binary.LittleEndian.Uint32(v[8:]))) - julianEpoch
			perDay := 86400 * perSecond
			if days > math.MaxInt64/perDay-1 || days < math.MinInt64/perDay+1 {
				return corrupt("an INT96 timestamp %d days from 1970 is out of range for a %s", days, t)
			}
			out[i] = days*perDay + types.FloorDiv(nanos, 1e9/perSecond)
		}
		return nil
	}
}

// bigEndian returns the two's complement number in b, or false if it has more
// than 128 bits.
func bigEndian(b []byte) (v types.Int128, ok bool) {
	for len(b) > 16 {
		// More bytes than digits need: they must all be the sign.
		if sign := byte(int8(b[1]) >> 7); b[0] != sign {
			return v, false
		}
		b = b[1:]
	}
	if len(b) == 0 {
		return v, true
	}
	v = types.Int128Of(int64(int8(b[0])))
	for _, c := range b[1:] {
		v.Hi = v.Hi<<8 | int64(v.Lo>>56)
		v.Lo = v.Lo<<8 | uint64(c)
	}
	return v, true
}

// putDecimal stores v, of scale from, as row i of type t.
func putDecimal(dst []byte, i int, v types.Int128, ok bool, from int32, t types.Type) error {
	if ok && t.S > from {
		v, ok = v.Mul(types.Pow10(t.S - from))
	}
	if !ok || t.IsShortDecimal() && !v.IsInt64() {
		return corrupt("a value is out of range for a %s", t)
	}
	if t.IsShortDecimal() {
		vector.Cast[int64](dst)[i] = v.Int64()
	} else {
		vector.Cast[types.Int128](dst)[i] = v
	}
	return nil
}

func convFixedDecimal(leaf *Leaf, t types.Type) func(dst, src []byte, n int) error {
	w, scale := leaf.Len, leaf.logic.scale
	return func(dst, src []byte, n int) error {
		for i := range n {
			v, ok := bigEndian(src[i*w : i*w+w])
			if err := putDecimal(dst, i, v, ok, scale, t); err != nil {
				return err
			}
		}
		return nil
	}
}

func convBytesDecimal(leaf *Leaf, t types.Type) func(dst []byte, views []vector.View, heap [][]byte) error {
	scale := leaf.logic.scale
	return func(dst []byte, views []vector.View, heap [][]byte) error {
		for i := range views {
			v, ok := bigEndian(views[i].Bytes(heap))
			if err := putDecimal(dst, i, v, ok, scale, t); err != nil {
				return err
			}
		}
		return nil
	}
}

func convUUID(dst, src []byte, n int) error {
	out := vector.Cast[types.Int128](dst)[:n]
	for i := range out {
		v := src[i*16 : i*16+16]
		out[i] = types.Int128{Hi: int64(binary.BigEndian.Uint64(v)), Lo: binary.BigEndian.Uint64(v[8:])}
	}
	return nil
}

func convFloat16(t types.Type) func(dst, src []byte, n int) error {
	if t.Kind == types.Double {
		return each(func(x int16) float64 { return float64(halfFloat(uint16(x))) })
	}
	return each(func(x int16) float32 { return halfFloat(uint16(x)) })
}

// halfFloat widens an IEEE 754 half-precision number.
func halfFloat(h uint16) float32 {
	sign, exp, frac := uint32(h>>15)<<31, uint32(h>>10&31), uint32(h&1023)
	switch exp {
	case 0: // zero and subnormal numbers: frac units of 2^-24
		f := float32(frac) * (1.0 / (1 << 24))
		return math.Float32frombits(math.Float32bits(f) | sign)
	case 31:
		return math.Float32frombits(sign | 0xff<<23 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+127-15)<<23 | frac<<13)
}
