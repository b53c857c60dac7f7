package op

import (
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// bitOp is what bitsAcc combines values with.
type bitOp uint8

const (
	bitAnd bitOp = iota
	bitOr
	bitXor
)

// bitsAcc combines bigints bit by bit, or booleans as numbers of one bit.
type bitsAcc struct {
	seenCells[int64]
	op  bitOp
	typ types.Type
}

func newBits(a *mem.Account, op bitOp, t types.Type) *bitsAcc {
	return &bitsAcc{seenCells: seenCells[int64]{account: a}, op: op, typ: t}
}

func (s *bitsAcc) grow(n int) error {
	have := len(s.vals.v)
	err := s.seenCells.grow(n)
	if s.op == bitAnd { // starts from all ones
		for i := have; i < len(s.vals.v); i++ {
			s.vals.v[i] = -1
		}
	}
	return err
}

func (s *bitsAcc) add(f *feed) error {
	mark(s.seen.v, f)
	if v := f.args[0].flat; s.typ.Kind == types.Boolean {
		combineBits(s, f, vector.Values[uint8](v))
	} else {
		combineBits(s, f, vector.Values[int64](v))
	}
	return nil
}

func combineBits[T uint8 | int64](s *bitsAcc, f *feed, vals []T) {
	c, ids, state := &f.args[0], f.groups(), s.vals.v
	switch s.op {
	case bitAnd:
		for i, g := range ids {
			state[g] &= int64(vals[c.at(i)])
		}
	case bitOr:
		for i, g := range ids {
			state[g] |= int64(vals[c.at(i)])
		}
	case bitXor:
		for i, g := range ids {
			state[g] ^= int64(vals[c.at(i)])
		}
	}
}

func (s *bitsAcc) merge(f *feed) error { return s.add(f) }

func (s *bitsAcc) state(list []uint32, out []*vector.Builder) error { return s.result(list, out[0]) }

func (s *bitsAcc) result(list []uint32, out *vector.Builder) error {
	if s.typ.Kind != types.Boolean {
		return gatherCells(out, list, s.vals.v, s.seen.v)
	}
	at, err := out.Extend(len(list))
	if err != nil {
		return err
	}
	dst := vector.Fill[uint8](out)[at:]
	for i, g := range list {
		dst[i] = uint8(s.vals.v[g] & 1)
	}
	nullUnseen(out, at, list, s.seen.v)
	return nil
}
