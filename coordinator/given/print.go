package given

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"

	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// printer makes fingerprints of rows: 128 bits, of all columns' values as they
// lie in memory. A step multiplies two words of 64 bits, each with a key taken
// in, and keeps all of the product (as wyhash does, by Wang Yi, but for folding).
// Keys are drawn for each result, so that nobody can make rows that collide.
type printer struct {
	first, second uint64
	null          types.Int128
	out           []types.Int128 // of the rows of a batch
}

func newPrinter() printer {
	return printer{first: rand.Uint64(), second: rand.Uint64(), null: types.Int128{Lo: rand.Uint64(), Hi: rand.Int64()}}
}

// prints returns the fingerprints of a batch's rows, which are valid until the
// next call.
func (p *printer) prints(b *vector.Batch) ([]types.Int128, error) {
	if err := b.Load(); err != nil {
		return nil, err
	}
	p.out = p.out[:0]
	for range b.Rows() {
		p.out = append(p.out, types.Int128{})
	}
	for _, c := range b.Cols {
		p.column(c, b)
	}
	for i, x := range p.out { // so that all bits are as good
		p.out[i] = p.step(p.step(x, 0, 0), 0, 0)
	}
	return p.out, nil
}

// step takes two words into a fingerprint.
func (p *printer) step(x types.Int128, a, b uint64) types.Int128 {
	hi, lo := bits.Mul64(x.Lo^a^p.first, uint64(x.Hi)^b^p.second)
	return types.Int128{Lo: lo ^ uint64(x.Hi), Hi: int64(hi ^ x.Lo)}
}

// mix takes one word.
func (p *printer) mix(x types.Int128, word uint64) types.Int128 { return p.step(x, word, 0) }

// void takes a null, which no number is the same as: their second word is 0, or
// they are 128 bits wide, of which these are drawn.
func (p *printer) void(x types.Int128) types.Int128 { return p.step(x, p.null.Lo, uint64(p.null.Hi)) }

func (p *printer) column(v *vector.Vector, b *vector.Batch) {
	switch v.Type.Physical() {
	case types.PhysBool:
		fixed[uint8](p, v, b)
	case types.PhysInt8:
		fixed[int8](p, v, b)
	case types.PhysInt16:
		fixed[int16](p, v, b)
	case types.PhysInt32, types.PhysFloat:
		fixed[int32](p, v, b)
	case types.PhysInt64, types.PhysDouble:
		fixed[int64](p, v, b)
	case types.PhysBytes:
		p.texts(v, b)
	default:
		for i := range p.out {
			p.out[i] = p.value(p.out[i], v, b.Row(i))
		}
	}
}

// fixed takes a column of numbers, by their bits.
func fixed[T uint8 | int8 | int16 | int32 | int64](p *printer, v *vector.Vector, b *vector.Batch) {
	if v.Enc == vector.Flat && v.Valid == nil && b.Sel == nil {
		for i, x := range vector.Values[T](v)[:len(p.out)] {
			p.out[i] = p.mix(p.out[i], uint64(x))
		}
		return
	}
	for i := range p.out {
		p.out[i] = number[T](p, p.out[i], v, b.Row(i))
	}
}

func number[T vector.Fixed](p *printer, x types.Int128, v *vector.Vector, row int) types.Int128 {
	if v.IsNull(row) {
		return p.void(x)
	}
	switch n := any(vector.Value[T](v, row)).(type) {
	case uint8:
		return p.mix(x, uint64(n))
	case int8:
		return p.mix(x, uint64(n))
	case int16:
		return p.mix(x, uint64(n))
	case int32:
		return p.mix(x, uint64(n))
	case int64:
		return p.mix(x, uint64(n))
	case types.Int128:
		return p.step(x, n.Lo, uint64(n.Hi))
	}
	return x
}

// value takes one value of any type.
func (p *printer) value(x types.Int128, v *vector.Vector, row int) types.Int128 {
	if v.IsNull(row) {
		return p.void(x)
	}
	switch v.Type.Physical() {
	case types.PhysNull:
		return p.void(x)
	case types.PhysBool:
		return number[uint8](p, x, v, row)
	case types.PhysInt8:
		return number[int8](p, x, v, row)
	case types.PhysInt16:
		return number[int16](p, x, v, row)
	case types.PhysInt32, types.PhysFloat:
		return number[int32](p, x, v, row)
	case types.PhysInt64, types.PhysDouble:
		return number[int64](p, x, v, row)
	case types.PhysInt128:
		return number[types.Int128](p, x, v, row)
	case types.PhysBytes:
		return p.bytes(x, v.Bytes(row))
	}
	return p.nested(x, v, row)
}

// nested takes an array, a map or a row: how many there are, and each of them.
func (p *printer) nested(x types.Int128, v *vector.Vector, row int) types.Int128 {
	at := v.At(row)
	if v.Enc == vector.Dict {
		v = v.Base
	}
	from, to := at, at+1
	if v.Type.Physical() != types.PhysStruct {
		from, to = int(v.Offsets[at]), int(v.Offsets[at+1])
	}
	x = p.mix(x, uint64(to-from))
	for i := from; i < to; i++ {
		for _, kid := range v.Kids {
			x = p.value(x, kid, i)
		}
	}
	return x
}

// bytes takes a string: the view of a short one, else how long it is and then
// 16 bytes at a time.
func (p *printer) bytes(x types.Int128, b []byte) types.Int128 {
	n := uint64(len(b))
	if n <= vector.InlineLen {
		v := []vector.View{vector.InlineView(b)}
		word := vector.Cast[types.Int128](vector.AsBytes(v))[0]
		return p.step(x, word.Lo, uint64(word.Hi))
	}
	for ; len(b) > 16; b = b[16:] {
		x = p.step(x, binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:]))
	}
	var last [16]byte
	copy(last[:], b)
	x = p.step(x, binary.LittleEndian.Uint64(last[:]), binary.LittleEndian.Uint64(last[8:]))
	return p.step(x, n, 1)
}

// texts takes a column of strings.
func (p *printer) texts(v *vector.Vector, b *vector.Batch) {
	if v.Enc != vector.Flat || v.Valid != nil || b.Sel != nil {
		for i := range p.out {
			p.out[i] = p.value(p.out[i], v, b.Row(i))
		}
		return
	}
	views, words := vector.Values[vector.View](v)[:len(p.out)], vector.Values[types.Int128](v)
	for i := range views {
		if views[i].IsInline() {
			p.out[i] = p.step(p.out[i], words[i].Lo, uint64(words[i].Hi))
		} else {
			p.out[i] = p.bytes(p.out[i], views[i].Bytes(v.Heap))
		}
	}
}
