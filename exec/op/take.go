package op

import (
	"unsafe"

	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// taken is a column in which each row is some row of another: a dictionary
// over its values. It owns a header and bits, no values.
type taken struct {
	v    vector.Vector
	base vector.Vector // a flat vector without its nulls
	bits vector.Bitmap
}

// take returns the column whose row i is row rows[i] of src, which is not
// lazy. It is valid until the next take, and as long as src and rows are.
func (t *taken) take(c *composer, src *vector.Vector, rows []int32) (*vector.Vector, error) {
	n := len(rows)
	if src.Enc == vector.Const || src.Type.Physical() == types.PhysNull {
		t.v = *src
		t.v.N = n
		return &t.v, nil
	}
	if src.Enc == vector.Dict {
		idx, err := c.compose(src.Idx, rows)
		if err != nil {
			return nil, err
		}
		t.v = vector.Vector{Type: src.Type, Enc: vector.Dict, N: n, Idx: idx, Base: src.Base, Sparse: src.Sparse}
	} else {
		t.base = *src
		t.base.Valid = nil
		t.v = vector.Vector{Type: src.Type, Enc: vector.Dict, N: n, Idx: rows, Base: &t.base, Sparse: true}
	}
	if src.Valid != nil {
		t.bits = t.bits.Resize(n)
		lookUpBits(t.bits, src.Valid, rows)
		t.v.Valid = t.bits
	}
	return &t.v, nil
}

// mask makes the rows null that have no bit in present.
func (t *taken) mask(present vector.Bitmap, n int) {
	if t.v.Enc != vector.Dict {
		return
	}
	t.bits = t.bits.And(t.v.Valid, present, n)
	t.v.Valid = t.bits
}

// lookUpBits sets bit i of dst to bit idx[i] of src.
func lookUpBits(dst, src vector.Bitmap, idx []int32) {
	for w := range dst {
		var word uint64
		for k, x := range idx[w*64 : min(w*64+64, len(idx))] {
			word |= src[x>>6] >> (uint(x) & 63) & 1 << k
		}
		dst[w] = word
	}
}

// composer composes dictionary indices. Columns that share indices, as those
// of one join do, share the result.
type composer struct {
	account *mem.Account
	done    []composed
}

type composed struct {
	of  *int32 // the first of the indices composed with; nil: free
	idx slab[int32]
}

// reset forgets what was composed, for the next set of rows.
func (c *composer) reset() {
	for i := range c.done {
		c.done[i].of = nil
	}
}

// compose returns idx[rows[i]] for all i. All calls between two resets have
// the same rows.
func (c *composer) compose(idx, rows []int32) ([]int32, error) {
	of := unsafe.SliceData(idx)
	free := -1
	for i := range c.done {
		switch c.done[i].of {
		case of:
			return c.done[i].idx.v[:len(rows)], nil
		case nil:
			free = i
		}
	}
	if free < 0 {
		free = len(c.done)
		c.done = append(c.done, composed{})
	}
	d := &c.done[free]
	if err := d.idx.grow(c.account, len(rows)); err != nil {
		return nil, err
	}
	d.of = of
	for i, r := range rows {
		d.idx.v[i] = idx[r]
	}
	return d.idx.v[:len(rows)], nil
}

func (c *composer) release() {
	for i := range c.done {
		c.done[i].idx.release()
	}
	c.done = nil
}
