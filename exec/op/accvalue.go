package op

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// encodeValue appends row r of v, which is not null, to dst in a form that
// decodeValue reads: values of fixed width as they lie, strings and lists with
// their length in front, elements with a byte in front that is 1 for null. In
// the canonical form values that SQL holds equal encode to equal bytes; it
// makes nested values grouping keys.
func encodeValue(dst []byte, v *vector.Vector, r int, canonical bool) []byte {
	if v.Enc == vector.Dict {
		return encodeValue(dst, v.Base, int(v.Idx[r]), canonical)
	}
	if v.Enc == vector.Const {
		r = 0
	}
	switch p := v.Type.Physical(); p {
	case types.PhysBytes:
		b := v.Bytes(r)
		return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
	case types.PhysStruct:
		for _, k := range v.Kids {
			dst = encodeElement(dst, k, r, canonical)
		}
		return dst
	case types.PhysList:
		from, to := int(v.Offsets[r]), int(v.Offsets[r+1])
		dst = binary.AppendUvarint(dst, uint64(to-from))
		for i := from; i < to; i++ {
			dst = encodeElement(dst, v.Kids[0], i, canonical)
		}
		return dst
	case types.PhysMap:
		return encodeMap(dst, v, r, canonical)
	case types.PhysFloat:
		if canonical {
			return binary.LittleEndian.AppendUint32(dst, floatKey(vector.Values[float32](v)[r]))
		}
	case types.PhysDouble:
		if canonical {
			return binary.LittleEndian.AppendUint64(dst, doubleKey(vector.Values[float64](v)[r]))
		}
	}
	w := v.Type.Physical().Width()
	if canonical && v.Type.Kind == types.TimestampTZ {
		// The zone is not part of the value, but a value it must have.
		return append(append(dst, v.Data[r*w:r*w+8]...), make([]byte, 8)...)
	}
	return append(dst, v.Data[r*w:(r+1)*w]...)
}

func encodeElement(dst []byte, v *vector.Vector, r int, canonical bool) []byte {
	if isNull(v, r) {
		return append(dst, 1)
	}
	return encodeValue(append(dst, 0), v, r, canonical)
}

// encodeMap writes a map's entries; in the canonical form by ascending key.
func encodeMap(dst []byte, v *vector.Vector, r int, canonical bool) []byte {
	from, to := int(v.Offsets[r]), int(v.Offsets[r+1])
	dst = binary.AppendUvarint(dst, uint64(to-from))
	if !canonical {
		for i := from; i < to; i++ {
			dst = encodeElement(encodeElement(dst, v.Kids[0], i, false), v.Kids[1], i, false)
		}
		return dst
	}
	entries := make([][]byte, 0, to-from)
	for i := from; i < to; i++ {
		entries = append(entries, encodeElement(encodeElement(nil, v.Kids[0], i, true), v.Kids[1], i, true))
	}
	slices.SortFunc(entries, bytes.Compare)
	for _, e := range entries {
		dst = append(dst, e...)
	}
	return dst
}

// decodeValue appends the value of type t that src begins with to b and
// returns the rest of src.
func decodeValue(b *vector.Builder, t types.Type, src []byte) ([]byte, error) {
	p := t.Physical()
	switch p {
	case types.PhysBytes:
		n, rest := readLength(src)
		return rest[n:], b.AppendBytes(rest[:n])
	case types.PhysStruct:
		var err error
		for k, e := range t.Elems() {
			if src, err = decodeElement(b.Kid(k), e, src); err != nil {
				return nil, err
			}
		}
		return src, b.CloseRow()
	case types.PhysList, types.PhysMap:
		n, rest := readLength(src)
		var err error
		for range n {
			for k, e := range t.Elems() {
				if rest, err = decodeElement(b.Kid(k), e, rest); err != nil {
					return nil, err
				}
			}
		}
		return rest, b.CloseRow()
	case types.PhysNull:
		return src, b.AppendNull()
	}
	i, err := b.Extend(1)
	if err != nil {
		return nil, err
	}
	w := p.Width()
	copy(fillBytes(b, w)[i*w:], src[:w])
	return src[w:], nil
}

// fillBytes returns the data of a builder of width w as bytes.
func fillBytes(b *vector.Builder, w int) []byte {
	switch w {
	case 1:
		return vector.Fill[uint8](b)
	case 2:
		return vector.AsBytes(vector.Fill[int16](b))
	case 4:
		return vector.AsBytes(vector.Fill[int32](b))
	case 8:
		return vector.AsBytes(vector.Fill[int64](b))
	case 16:
		return vector.AsBytes(vector.Fill[types.Int128](b))
	}
	panic(fmt.Sprintf("no values are %d bytes wide", w))
}

func readLength(src []byte) (int, []byte) {
	n, used := binary.Uvarint(src)
	return int(n), src[used:]
}

func decodeElement(b *vector.Builder, t types.Type, src []byte) ([]byte, error) {
	if src[0] == 1 {
		return src[1:], b.AppendNull()
	}
	return decodeValue(b, t, src[1:])
}
