package op

import (
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/types"
)

// assembly puts the columns of output batches together, and those of the
// batches that the filter sees. It owns vector headers and index arrays; the
// values stay where they are, in the input batch and in the table.
type assembly struct {
	j *Join
	// left and rightCols are the positions that output or filter need, the
	// latter counted within the right side; filterLeft is the filter's part.
	left, rightCols, filterLeft []int
	filterCols                  []int // positions that the filter sees, in its order

	view    []*vector.Vector // by position: the column of the batch in hand
	headers []vector.Vector  // by position: build columns
	bits    []vector.Bitmap  // by position: build columns' nulls of this batch
	taken   []taken          // by position: left columns in pairs
	nulls   []*vector.Vector // by position: a constant null, once needed
	present vector.Bitmap    // left and full joins: rows that have a match
	idx     slab[int32]      // passing left columns: the build row of each row
	dicts   composer
	mark    *vector.Builder

	out, seen vector.Batch // handed on; given to the filter
}

func (a *assembly) init(j *Join) {
	a.j = j
	n := len(j.spec.Left) + len(j.spec.Right) + 1
	a.view = make([]*vector.Vector, n)
	a.headers, a.bits, a.nulls = make([]vector.Vector, n), make([]vector.Bitmap, n), make([]*vector.Vector, n)
	a.taken, a.dicts.account = make([]taken, len(j.spec.Left)), j.env.Account
	need, filter := make([]bool, n), make([]bool, n)
	for _, o := range j.spec.Out {
		need[o] = true
	}
	if j.spec.Filter != nil {
		expr.Columns(j.spec.Filter, func(c *expr.Column) { need[c.ID], filter[c.ID] = true, true })
	}
	for i := range n {
		if filter[i] {
			a.filterCols = append(a.filterCols, i)
		}
	}
	for i := range j.spec.Left {
		if need[i] {
			a.left = append(a.left, i)
		}
		if filter[i] {
			a.filterLeft = append(a.filterLeft, i)
		}
	}
	for i := range j.spec.Right {
		if need[len(j.spec.Left)+i] {
			a.rightCols = append(a.rightCols, i)
		}
	}
	a.out.Cols = make([]*vector.Vector, len(j.spec.Out))
	a.seen.Cols = make([]*vector.Vector, len(a.filterCols))
}

// filterExpr returns the join's filter over the columns that it sees.
func (a *assembly) filterExpr() expr.Expr {
	at := make(map[expr.ColumnID]int, len(a.filterCols))
	for i, p := range a.filterCols {
		at[expr.ColumnID(p)] = i
	}
	return plan.Renumber(a.j.spec.Filter, at)
}

// attach is called when the table is complete.
func (a *assembly) attach() {
	for _, i := range a.rightCols {
		p := len(a.j.spec.Left) + i
		a.headers[p] = vector.Vector{Type: a.j.spec.Right[i], Enc: vector.Dict, Base: &a.j.cols[a.j.slot[i]].base}
	}
}

// load loads left columns for all rows of b.
func (a *assembly) load(b *vector.Batch, cols []int) error {
	for _, c := range cols {
		if err := b.Cols[c].Load(b.Sel); err != nil {
			return err
		}
	}
	return nil
}

// passLeft makes the left columns those of b.
func (a *assembly) passLeft(b *vector.Batch) { copy(a.view, b.Cols) }

// pass assembles b's own columns with build row heads[i] beside row rows[i].
// Other rows get any build row.
func (a *assembly) pass(b *vector.Batch, rows, heads []int32) error {
	a.passLeft(b)
	had := len(a.idx.v)
	if err := a.idx.grow(a.j.env.Account, b.N); err != nil {
		return err
	}
	if len(a.idx.v) != had {
		clear(a.idx.v) // all rows must stay within the table
	}
	for i, r := range rows {
		a.idx.v[r] = heads[i]
	}
	return a.right(b.N, a.idx.v[:b.N], nil)
}

// mask makes the build columns null in all rows but those of sel.
func (a *assembly) mask(n int, sel []int32) {
	a.present = a.present.Resize(n).ClearAll()
	for _, r := range sel {
		a.present.Set(int(r))
	}
	_ = a.right(n, a.idx.v[:n], a.present) // cannot fail: it allocates nothing
}

// right assembles the build columns: row i shows build row idx[i], or null
// where present, if not nil, has no bit.
func (a *assembly) right(n int, idx []int32, present vector.Bitmap) error {
	for _, i := range a.rightCols {
		p := len(a.j.spec.Left) + i
		c := &a.j.cols[a.j.slot[i]]
		if c.base.Type.Physical() == types.PhysNull {
			a.view[p] = a.null(p, n)
			continue
		}
		h := &a.headers[p]
		h.N, h.Idx, h.Valid = n, idx, present
		if c.valid != nil {
			a.bits[p] = a.bits[p].Resize(n)
			lookUpBits(a.bits[p], c.valid, idx)
			h.Valid = a.bits[p].And(a.bits[p], present, n)
		}
		a.view[p] = h
	}
	return nil
}

// null returns position p's column as n nulls.
func (a *assembly) null(p, n int) *vector.Vector {
	if a.nulls[p] == nil {
		t := types.Of(types.Boolean)
		if l := len(a.j.spec.Left); p < l {
			t = a.j.spec.Left[p]
		} else if p < l+len(a.j.spec.Right) {
			t = a.j.spec.Right[p-l]
		}
		a.nulls[p] = nullVector(t)
	}
	a.nulls[p].N = n
	return a.nulls[p]
}

// nullVector returns a constant null.
func nullVector(t types.Type) *vector.Vector {
	v := &vector.Vector{Type: t, Enc: vector.Const, N: 1, Valid: vector.Bitmap{0}}
	if w := t.Physical().Width(); w > 0 {
		v.Data = make([]byte, w, 16)
	}
	if t.IsNested() {
		v.Offsets = make([]int32, 2)
	}
	for _, e := range t.Elems() {
		kid := nullVector(e)
		kid.Enc = vector.Flat
		v.Kids = append(v.Kids, kid)
	}
	return v
}

func (a *assembly) nullRight(n int) {
	for _, i := range a.rightCols {
		p := len(a.j.spec.Left) + i
		a.view[p] = a.null(p, n)
	}
}

func (a *assembly) nullLeft(n int) {
	for _, p := range a.left {
		a.view[p] = a.null(p, n)
	}
}

// pair assembles pairs of a row of b and a build row.
func (a *assembly) pair(b *vector.Batch, pr, br []int32) error {
	a.dicts.reset()
	for _, p := range a.left {
		v, err := a.taken[p].take(&a.dicts, b.Cols[p], pr)
		if err != nil {
			return err
		}
		a.view[p] = v
	}
	return a.right(len(pr), br, nil)
}

// batch returns what is assembled for the filter to look at.
func (a *assembly) batch(n int, sel []int32) *vector.Batch {
	a.seen.N, a.seen.Sel = n, sel
	for i, p := range a.filterCols {
		a.seen.Cols[i] = a.view[p]
	}
	return &a.seen
}

// emit returns what is assembled as an output batch.
func (a *assembly) emit(n int, sel []int32) *vector.Batch {
	a.out.N, a.out.Sel = n, sel
	for i, p := range a.j.spec.Out {
		a.out.Cols[i] = a.view[p]
	}
	return &a.out
}

// marked emits b with the mark of each row.
func (a *assembly) marked(b *vector.Batch, hits []uint8) (*vector.Batch, error) {
	if a.mark == nil {
		a.mark = vector.NewBuilder(a.j.env.Account, types.Of(types.Boolean))
	}
	a.mark.Reset()
	if _, err := a.mark.Extend(b.N); err != nil {
		return nil, err
	}
	marks := vector.Fill[uint8](a.mark)
	for i, h := range hits[:b.N] {
		marks[i] = h >> 1 // 1 for match, 0 for the others
		if h == unknown {
			a.mark.SetNull(i)
		}
	}
	a.view[len(a.view)-1] = a.mark.Vector()
	return a.emit(b.N, b.Sel), nil
}

func (a *assembly) release() {
	a.idx.release()
	a.dicts.release()
	if a.mark != nil {
		a.mark.Release()
	}
}
