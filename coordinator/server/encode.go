package server

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// encoder writes rows of a result as JSON arrays, the values in the forms of
// Trino's protocol. It is for one goroutine.
type encoder struct {
	cols []column
}

// column writes the values of one column. bind points it at a batch's vector;
// append then writes one row. The switch on the type's layout is the only
// decision a value takes: there is no call through an interface.
type column struct {
	typ   types.Type // of the vector
	shown types.Type // what the client sees: times may have fewer digits
	pow   uint64     // of a short decimal's scale

	enc   vector.Encoding
	valid vector.Bitmap
	idx   []int32
	flat  *vector.Vector // where the values are
	kids  []column

	u8   []uint8
	i8   []int8
	i16  []int16
	i32  []int32
	i64  []int64
	f32  []float32
	f64  []float64
	i128 []types.Int128
	view []vector.View
}

// newEncoder returns an encoder for columns of the given types. Clients that
// are not parametric get times in milliseconds.
func newEncoder(ts []types.Type, parametric bool) *encoder {
	e := &encoder{cols: make([]column, len(ts))}
	for i, t := range ts {
		e.cols[i] = newColumn(t, parametric)
	}
	return e
}

func newColumn(t types.Type, parametric bool) column {
	c := column{typ: t, shown: clientType(t, parametric), pow: 1}
	if t.IsShortDecimal() {
		c.pow = uint64(types.Pow10Int64(t.S))
	}
	for _, e := range t.Elems() {
		c.kids = append(c.kids, newColumn(e, parametric))
	}
	return c
}

// bind points the encoder at a batch whose columns are loaded.
func (e *encoder) bind(b *vector.Batch) {
	for i := range e.cols {
		e.cols[i].bind(b.Cols[i])
	}
}

func (c *column) bind(v *vector.Vector) {
	c.enc, c.valid, c.idx, c.flat = v.Enc, v.Valid, v.Idx, v
	if v.Enc == vector.Dict {
		c.flat = v.Base
	}
	switch c.typ.Physical() {
	case types.PhysBool:
		c.u8 = vector.Values[uint8](c.flat)
	case types.PhysInt8:
		c.i8 = vector.Values[int8](c.flat)
	case types.PhysInt16:
		c.i16 = vector.Values[int16](c.flat)
	case types.PhysInt32:
		c.i32 = vector.Values[int32](c.flat)
	case types.PhysInt64:
		c.i64 = vector.Values[int64](c.flat)
	case types.PhysFloat:
		c.f32 = vector.Values[float32](c.flat)
	case types.PhysDouble:
		c.f64 = vector.Values[float64](c.flat)
	case types.PhysInt128:
		c.i128 = vector.Values[types.Int128](c.flat)
	case types.PhysBytes:
		c.view = vector.Values[vector.View](c.flat)
	case types.PhysList, types.PhysMap, types.PhysStruct:
		for i := range c.kids {
			c.kids[i].bind(c.flat.Kids[i])
		}
	}
}

// rows appends rows from up to to of the batch that bind was given, separated
// by commas; first says that none stands before them.
func (e *encoder) rows(dst []byte, b *vector.Batch, from, to int, first bool) []byte {
	for i := from; i < to; i++ {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(dst, '[')
		row := b.Row(i)
		for c := range e.cols {
			if c > 0 {
				dst = append(dst, ',')
			}
			dst = e.cols[c].append(dst, row)
		}
		dst = append(dst, ']')
	}
	return dst
}

// append appends the value at a row.
func (c *column) append(dst []byte, row int) []byte {
	at := row
	if c.enc == vector.Const {
		row, at = 0, 0
	}
	if c.valid != nil && !c.valid.Get(row) {
		return append(dst, "null"...)
	}
	if c.enc == vector.Dict {
		at = int(c.idx[row])
	}
	switch c.typ.Kind {
	case types.BigInt:
		return strconv.AppendInt(dst, c.i64[at], 10)
	case types.Integer:
		return strconv.AppendInt(dst, int64(c.i32[at]), 10)
	case types.Varchar, types.JSON:
		return appendString(dst, c.view[at].Bytes(c.flat.Heap))
	case types.Double:
		return appendDouble(dst, c.f64[at], 64)
	case types.Decimal:
		return c.appendDecimal(dst, at)
	case types.Boolean:
		return strconv.AppendBool(dst, c.u8[at] != 0)
	case types.TinyInt:
		return strconv.AppendInt(dst, int64(c.i8[at]), 10)
	case types.SmallInt:
		return strconv.AppendInt(dst, int64(c.i16[at]), 10)
	case types.Real:
		return appendDouble(dst, float64(c.f32[at]), 32)
	case types.Char:
		return appendChar(dst, c.view[at].Bytes(c.flat.Heap), int(c.typ.P))
	case types.Varbinary:
		dst = base64.StdEncoding.AppendEncode(append(dst, '"'), c.view[at].Bytes(c.flat.Heap))
		return append(dst, '"')
	case types.Array, types.Map, types.Row:
		return c.appendNested(dst, at)
	case types.Unknown:
		return append(dst, "null"...)
	}
	return append(c.appendTime(append(dst, '"'), at), '"')
}

// appendTime appends the plain text of a date, time, interval or uuid.
func (c *column) appendTime(dst []byte, at int) []byte {
	switch c.typ.Kind {
	case types.Date:
		return types.AppendDate(dst, int64(c.i32[at]))
	case types.Time:
		return types.AppendTime(dst, roundTime(c.i64[at], c.shown.P), c.shown.P)
	case types.TimeTZ:
		v := c.i128[at]
		dst = types.AppendTime(dst, roundTime(int64(v.Lo), c.shown.P), c.shown.P)
		return append(dst, types.OffsetText(v.Hi)...)
	case types.Timestamp:
		return types.AppendTimestamp(dst, c.timestamp(c.i64[at]), c.shown)
	case types.TimestampTZ:
		v := c.i128[at]
		v.Lo = uint64(c.timestamp(int64(v.Lo)))
		return types.AppendTimestampTZ(dst, v, c.shown)
	case types.IntervalDay:
		return types.AppendIntervalDay(dst, c.i64[at])
	case types.IntervalYear:
		return types.AppendIntervalYear(dst, int64(c.i32[at]))
	case types.UUID:
		return types.AppendUUID(dst, c.i128[at])
	}
	return dst
}

// timestamp returns v in the precision that the client sees.
func (c *column) timestamp(v int64) int64 {
	if c.typ.P <= c.shown.P {
		return v
	}
	return types.RescaleTimestamp(v, c.typ, c.shown)
}

// roundTime rounds nanoseconds of the day half up to p digits; past midnight
// it starts again at zero.
func roundTime(nanos int64, p int32) int64 {
	step := types.Pow10Int64(types.MaxTimePrecision - min(p, types.MaxTimePrecision))
	return (nanos + step/2) / step * step % types.NanosPerDay
}

func (c *column) appendDecimal(dst []byte, at int) []byte {
	dst = append(dst, '"')
	if !c.typ.IsShortDecimal() {
		return append(types.AppendDecimal(dst, c.i128[at], c.typ.S), '"')
	}
	v := c.i64[at]
	u := uint64(v)
	if v < 0 {
		dst = append(dst, '-')
		u = -u
	}
	dst = strconv.AppendUint(dst, u/c.pow, 10)
	if c.typ.S > 0 {
		dst = append(dst, '.')
		frac := u % c.pow
		for p := c.pow / 10; p > 0; p /= 10 {
			dst = append(dst, byte('0'+frac/p%10))
		}
	}
	return append(dst, '"')
}

// appendNested appends an array or row as a JSON array, a map as an object.
func (c *column) appendNested(dst []byte, at int) []byte {
	if c.typ.Kind == types.Row {
		dst = append(dst, '[')
		for i := range c.kids {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = c.kids[i].append(dst, at)
		}
		return append(dst, ']')
	}
	from, to := int(c.flat.Offsets[at]), int(c.flat.Offsets[at+1])
	if c.typ.Kind == types.Array {
		dst = append(dst, '[')
		for i := from; i < to; i++ {
			if i > from {
				dst = append(dst, ',')
			}
			dst = c.kids[0].append(dst, i)
		}
		return append(dst, ']')
	}
	dst = append(dst, '{')
	for i := from; i < to; i++ {
		if i > from {
			dst = append(dst, ',')
		}
		dst = append(c.kids[0].appendKey(dst, i), ':')
		dst = c.kids[1].append(dst, i)
	}
	return append(dst, '}')
}

// appendKey appends a map's key, which JSON wants to be a string.
func (c *column) appendKey(dst []byte, at int) []byte {
	start := len(dst)
	dst = c.append(dst, at)
	if dst[start] == '"' {
		return dst
	}
	text := string(dst[start:])
	return appendString(dst[:start], []byte(text))
}

// appendDouble appends a number as Java prints it, which is JSON, and what is
// no number as a string.
func appendDouble(dst []byte, f float64, bits int) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		dst = types.AppendDouble(append(dst, '"'), f, bits)
		return append(dst, '"')
	}
	return types.AppendJavaDouble(dst, f, bits)
}

// appendChar appends a char(n), which is stored without its trailing spaces.
func appendChar(dst, s []byte, n int) []byte {
	dst = appendString(dst, s)
	dst = dst[:len(dst)-1]
	for i := utf8.RuneCount(s); i < n; i++ {
		dst = append(dst, ' ')
	}
	return append(dst, '"')
}

const (
	lowBits  = 0x0101010101010101
	highBits = 0x8080808080808080
)

// special reports whether any of eight bytes needs a look: not ASCII, a
// control character, a quote or a backslash. (Zero-byte trick: x-1 borrows
// into the high bit only below a zero byte.)
func special(w uint64) bool {
	quote := w ^ lowBits*'"'
	slash := w ^ lowBits*'\\'
	return (w|(w-lowBits*0x20)|(quote-lowBits)|(slash-lowBits))&highBits != 0
}

// appendString appends s as a JSON string. Bytes that are not UTF-8 become
// U+FFFD, as in Java.
func appendString(dst, s []byte) []byte {
	dst = append(dst, '"')
	start, i := 0, 0
	for i < len(s) {
		if len(s)-i >= 8 && !special(binary.LittleEndian.Uint64(s[i:])) {
			i += 8
			continue
		}
		c := s[i]
		if c >= 0x20 && c < utf8.RuneSelf && c != '"' && c != '\\' {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			if r, n := utf8.DecodeRune(s[i:]); r != utf8.RuneError || n > 1 {
				i += n
				continue
			}
		}
		dst = appendEscape(append(dst, s[start:i]...), c)
		i++
		start = i
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// appendEscape appends a byte that may not stand in a JSON string as it is.
func appendEscape(dst []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	switch {
	case c == '"' || c == '\\':
		return append(dst, '\\', c)
	case c == '\n':
		return append(dst, `\n`...)
	case c == '\r':
		return append(dst, `\r`...)
	case c == '\t':
		return append(dst, `\t`...)
	case c >= utf8.RuneSelf:
		return append(dst, "\uFFFD"...)
	}
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}
