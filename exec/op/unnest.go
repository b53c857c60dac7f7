package op

import (
	"context"

	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// UnnestSpec says what an Unnest expands. The output's columns are the
// replicated ones, then those of each expression (an array's elements, or the
// fields of an array of rows; a map's keys and values), then the ordinality.
type UnnestSpec struct {
	// Replicate and Exprs are positions in the input.
	Replicate, Exprs []int
	// Ordinality adds a bigint column that numbers each row's elements from 1.
	Ordinality bool
	// Outer keeps rows without elements, beside nulls.
	Outer bool
}

// Unnest expands arrays and maps, side by side: a row becomes as many rows as
// its longest expression has elements. Elements are not copied: the output's
// columns are dictionaries over the input's.
type Unnest struct {
	env  *Env
	in   exec.Operator
	spec UnnestSpec

	batch *vector.Batch // in work; nil: pull the next
	row   int           // of the batch, by Batch.Row
	elem  int           // of that row

	rows    slab[int32] // by output row: its input row
	elems   slab[int32] // by output row: the element's number; -1: none
	present vector.Bitmap
	dicts   composer
	kept    []taken
	parts   []unnested
	ordinal *vector.Builder
	out     vector.Batch
}

// unnested is one column made of an expression's elements.
type unnested struct {
	taken
	expr  int // which of the expressions
	kid   int // which child of it
	field int // which field of the child, if that is a row; else -1
	idx   slab[int32]
	none  *vector.Vector
	row   vector.Bitmap // array of rows: the row is there
}

// NewUnnest returns the operator over an input of the given types.
func NewUnnest(env *Env, in exec.Operator, ts []types.Type, spec UnnestSpec) *Unnest {
	u := &Unnest{env: env, in: in, spec: spec, kept: make([]taken, len(spec.Replicate))}
	u.dicts.account = env.Account
	for i, e := range spec.Exprs {
		for k, t := range ts[e].Elems() {
			if t.Kind != types.Row || ts[e].Kind == types.Map {
				u.parts = append(u.parts, unnested{expr: i, kid: k, field: -1, none: nullVector(t)})
				continue
			}
			for f, ft := range t.Elems() {
				u.parts = append(u.parts, unnested{expr: i, kid: k, field: f, none: nullVector(ft)})
			}
		}
	}
	if spec.Ordinality {
		u.ordinal = vector.NewBuilder(env.Account, types.Of(types.BigInt))
	}
	return u
}

// Next returns the next batch of elements.
func (u *Unnest) Next(ctx context.Context) (*vector.Batch, error) {
	for {
		if u.batch == nil {
			b, err := u.in.Next(ctx)
			if b == nil || err != nil {
				return nil, err
			}
			if err := u.take(b); err != nil {
				return nil, err
			}
		}
		n, err := u.expand()
		if err != nil {
			return nil, err
		}
		if n > 0 {
			return u.emit(n)
		}
		u.batch = nil
	}
}

func (u *Unnest) take(b *vector.Batch) error {
	for _, cols := range [][]int{u.spec.Replicate, u.spec.Exprs} {
		for _, c := range cols {
			if err := b.Cols[c].Load(b.Sel); err != nil {
				return err
			}
		}
	}
	u.batch, u.row, u.elem = b, 0, 0
	return nil
}

// expand lists the next output rows and returns how many there are.
func (u *Unnest) expand() (int, error) {
	size := u.env.rows()
	for _, s := range []*slab[int32]{&u.rows, &u.elems} {
		if err := s.grow(u.env.Account, size); err != nil {
			return 0, err
		}
	}
	n := 0
	for ; u.row < u.batch.Rows(); u.row++ {
		r := u.batch.Row(u.row)
		longest := 0
		for _, e := range u.spec.Exprs {
			from, to := elements(u.batch.Cols[e], r)
			longest = max(longest, to-from)
		}
		if longest == 0 && u.spec.Outer {
			if n == size {
				return n, nil
			}
			u.rows.v[n], u.elems.v[n] = int32(r), -1
			n++
		}
		for ; u.elem < longest; u.elem++ {
			if n == size {
				return n, nil
			}
			u.rows.v[n], u.elems.v[n] = int32(r), int32(u.elem)
			n++
		}
		u.elem = 0
	}
	return n, nil
}

// elements returns the range of row r's elements in v's children.
func elements(v *vector.Vector, r int) (from, to int) {
	if isNull(v, r) {
		return 0, 0
	}
	at := v.At(r)
	if v.Enc == vector.Dict {
		v = v.Base
	}
	if len(v.Offsets) == 0 {
		return 0, 0
	}
	return int(v.Offsets[at]), int(v.Offsets[at+1])
}

// emit puts the columns of n output rows together.
func (u *Unnest) emit(n int) (*vector.Batch, error) {
	u.out.N, u.out.Cols = n, u.out.Cols[:0]
	rows := u.rows.v[:n]
	u.dicts.reset()
	for i, c := range u.spec.Replicate {
		v, err := u.kept[i].take(&u.dicts, u.batch.Cols[c], rows)
		if err != nil {
			return nil, err
		}
		u.out.Cols = append(u.out.Cols, v)
	}
	for i := range u.parts {
		v, err := u.column(&u.parts[i], n)
		if err != nil {
			return nil, err
		}
		u.out.Cols = append(u.out.Cols, v)
	}
	if u.ordinal != nil {
		if err := u.number(n); err != nil {
			return nil, err
		}
	}
	return &u.out, nil
}

// column assembles one column of an expression's elements.
func (u *Unnest) column(p *unnested, n int) (*vector.Vector, error) {
	if err := p.idx.grow(u.env.Account, n); err != nil {
		return nil, err
	}
	list := u.batch.Cols[u.spec.Exprs[p.expr]]
	idx := p.idx.v[:n]
	any, all := u.places(list, idx)
	p.none.N = n
	if !any {
		return p.none, nil
	}
	if list.Enc == vector.Dict {
		list = list.Base
	}
	src := list.Kids[p.kid]
	if p.field >= 0 {
		if holder := src; holder.Valid != nil {
			p.row = p.row.Resize(n)
			lookUpBits(p.row, holder.Valid, idx)
			u.present, all = u.present.And(u.present, p.row, n), false
		}
		src = src.Kids[p.field]
	}
	u.dicts.reset()
	v, err := p.take(&u.dicts, src, idx)
	if err != nil || all || v.Enc == vector.Const {
		return v, err
	}
	p.mask(u.present, n)
	return v, nil
}

// places sets idx to the places of the output rows' elements in the list's
// children, and present to the rows that have one: whether any and all do.
func (u *Unnest) places(list *vector.Vector, idx []int32) (any, all bool) {
	u.present = u.present.Resize(len(idx)).ClearAll()
	all = true
	for i := range idx {
		from, to := elements(list, int(u.rows.v[i]))
		at := from + int(u.elems.v[i])
		if u.elems.v[i] < 0 || at >= to {
			idx[i], all = 0, false
			continue
		}
		idx[i], any = int32(at), true
		u.present.Set(i)
	}
	return any, all
}

// number adds the ordinality column.
func (u *Unnest) number(n int) error {
	u.ordinal.Reset()
	if _, err := u.ordinal.Extend(n); err != nil {
		return err
	}
	nums := vector.Fill[int64](u.ordinal)
	for i, e := range u.elems.v[:n] {
		nums[i] = int64(e) + 1
		if e < 0 {
			u.ordinal.SetNull(i)
		}
	}
	u.out.Cols = append(u.out.Cols, u.ordinal.Vector())
	return nil
}

// Close releases the scratch space and closes the input.
func (u *Unnest) Close() error {
	u.batch = nil
	for _, s := range []*slab[int32]{&u.rows, &u.elems} {
		s.release()
	}
	for i := range u.parts {
		u.parts[i].idx.release()
	}
	u.dicts.release()
	if u.ordinal != nil {
		u.ordinal.Release()
	}
	return u.in.Close()
}
