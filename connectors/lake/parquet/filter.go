package parquet

import (
	"slices"

	"github.com/tuttidb/tutti/exec/kernel"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/types"
)

// filterSet applies the predicate and the dynamic filters to batches. What
// concerns one column and cannot fail comes first, column by column, so that
// it can be computed on dictionaries; then what needs several columns; last
// what can fail, in the order written, so that guards stand.
type filterSet struct {
	parts   []part
	dynamic []dynamicState
	// scratch are selections, used in turn: a part reads one and writes the next.
	scratch [2][]int32
	turn    int
	hashes  []uint64
	aside   *filterSet
}

// side returns scratch space for work on a dictionary in the middle of a
// batch, whose selection lies in the set's own.
func (fs *filterSet) side() *filterSet {
	if fs.aside == nil {
		fs.aside = &filterSet{}
	}
	return fs.aside
}

// part is a piece of the predicate.
type part struct {
	filter *kernel.Filter
	column int // the only column it needs; -1: several
	table  dictTable
	view   vector.Batch // for looking at dictionaries
}

// dictTable is a condition computed on a dictionary's entries.
type dictTable struct {
	dict *vector.Vector // the dictionary it was computed on; nil: none
	pass []uint8        // 1 for each entry that passes
	any  bool           // some entry passes
	null bool           // null passes
	// tested counts rows that were tested without the table in this group: once
	// there were enough, the table would have been cheaper.
	tested int
}

func (fs *filterSet) build(r *Reader) error {
	env := &kernel.Env{Account: r.cfg.Account, Session: r.cfg.Session}
	byColumn := map[int][]expr.Expr{}
	var columns []int
	var several, risky []expr.Expr
	for _, e := range expr.Conjuncts(r.cfg.Predicate) {
		k := firstColumn(e)
		switch {
		case kernel.CanFail(e):
			risky = append(risky, e)
		case k >= 0 && onlyColumn(e, k):
			if byColumn[k] == nil {
				columns = append(columns, k)
			}
			byColumn[k] = append(byColumn[k], e)
		default:
			several = append(several, e)
		}
	}
	slices.SortStableFunc(columns, func(a, b int) int {
		return testCost(r.cfg.Columns[a].Type) - testCost(r.cfg.Columns[b].Type)
	})
	add := func(es []expr.Expr, column int) error {
		if len(es) == 0 {
			return nil
		}
		f, err := kernel.CompileFilter(env, conjunction(es))
		if err != nil {
			return err
		}
		fs.parts = append(fs.parts, part{filter: f, column: column})
		return nil
	}
	for _, k := range columns {
		if err := add(byColumn[k], k); err != nil {
			return err
		}
	}
	for _, d := range r.cfg.Dynamic {
		fs.dynamic = append(fs.dynamic, dynamicState{id: d.ID, column: d.Column})
	}
	if err := add(several, -1); err != nil {
		return err
	}
	return add(risky, -1)
}

// firstColumn returns a column that e refers to, or -1.
func firstColumn(e expr.Expr) int {
	k := -1
	expr.Columns(e, func(c *expr.Column) { k = int(c.ID) })
	return k
}

// testCost ranks columns by what reading and testing them costs.
func testCost(t types.Type) int {
	switch {
	case t.IsNested():
		return 3
	case t.Physical() == types.PhysBytes:
		return 2
	case t.Physical() == types.PhysInt128:
		return 1
	}
	return 0
}

func conjunction(es []expr.Expr) expr.Expr {
	if len(es) == 1 {
		return es[0]
	}
	return &expr.Form{Op: expr.And, Args: es, Typ: types.Of(types.Boolean)}
}

// beginGroup forgets the last group's dictionaries, and reports whether those
// of the new one leave a chance for a row to pass.
func (fs *filterSet) beginGroup(r *Reader) (bool, error) {
	for i := range fs.dynamic {
		fs.dynamic[i].table.reset()
	}
	for i := range fs.parts {
		p := &fs.parts[i]
		p.table.reset()
		if p.column < 0 {
			continue
		}
		dict, err := r.wholeDict(p.column)
		if err != nil {
			return false, err
		}
		if dict == nil || p.fill(r, dict) != nil {
			continue
		}
		if !p.table.any && !p.table.null {
			return false, nil
		}
	}
	for i := range fs.dynamic {
		d := &fs.dynamic[i]
		if d.filter == nil {
			continue
		}
		dict, err := r.wholeDict(d.column)
		if err != nil {
			return false, err
		}
		if dict != nil && !d.fill(fs, dict) {
			return false, nil
		}
	}
	return true, nil
}

// peek reads the dictionaries of a group's chunks alone, where a condition on
// one column could exclude the group by them, and reports whether none does. It
// is a wait for the store that is worth it only if it often says no.
func (fs *filterSet) peek(r *Reader, g *Group) (bool, error) {
	for i := range fs.parts {
		p := &fs.parts[i]
		if p.column < 0 {
			continue
		}
		dict, err := r.peekDict(g, p.column)
		if err != nil {
			return false, err
		}
		if dict != nil && p.fill(r, dict) == nil && !p.table.any && !p.table.null {
			return false, nil
		}
	}
	for i := range fs.dynamic {
		d := &fs.dynamic[i]
		if d.filter == nil {
			continue
		}
		dict, err := r.peekDict(g, d.column)
		if err != nil || dict != nil && !d.fill(fs, dict) {
			return false, err
		}
	}
	return true, nil
}

// peekDict reads a chunk's dictionary if all values are in it and it is a small
// part of the chunk; nil otherwise. The column must be between groups.
func (r *Reader) peekDict(g *Group, column int) (*vector.Vector, error) {
	s := &r.slots[column]
	flat, ok := s.col.(*flatColumn)
	if !ok {
		return nil, nil
	}
	c := &g.Chunks[s.leaves[0]]
	if !c.DictOnly || c.Values == 0 || c.DictLen == 0 || c.DictLen > min(c.Len/2, maxIndex) {
		return nil, nil
	}
	b, err := r.small(r.asked, span{c.Off, c.DictLen})
	if err != nil {
		return nil, err
	}
	dict, err := flat.pages.startDict(c, b)
	if err != nil {
		return nil, inColumn(flat.pages.leaf.Path, err)
	}
	if dict == nil || dict.N > maxWholeDict {
		return nil, nil
	}
	return dict, nil
}

// maxWholeDict is the largest dictionary that is looked at before a group's
// rows are.
const maxWholeDict = 1 << 16

// wholeDict returns the dictionary of a column's chunk if it is certain that
// all its values are in there, and it is small.
func (r *Reader) wholeDict(column int) (*vector.Vector, error) {
	s := &r.slots[column]
	flat, ok := s.col.(*flatColumn)
	if !ok {
		return nil, nil
	}
	c := &r.group.Chunks[s.leaves[0]]
	if !c.DictOnly || c.Values == 0 {
		return nil, nil
	}
	if err := s.start(); err != nil {
		return nil, err
	}
	dict, err := flat.dictionary()
	if err != nil || dict == nil || dict.N > maxWholeDict {
		return nil, err
	}
	return dict, nil
}

func (t *dictTable) reset() { t.dict, t.tested = nil, 0 }

// room readies the table for a dictionary.
func (t *dictTable) room(dict *vector.Vector) {
	t.dict, t.any, t.null = dict, false, false
	if cap(t.pass) < dict.N {
		t.pass = make([]uint8, dict.N)
	}
	t.pass = t.pass[:dict.N]
	clear(t.pass)
}

// fill computes the part on a dictionary.
func (p *part) fill(r *Reader, dict *vector.Vector) error {
	t := &p.table
	t.room(dict)
	if p.view.Cols == nil {
		p.view.Cols = make([]*vector.Vector, len(r.slots))
	}
	null := vector.Vector{Type: dict.Type, Enc: vector.Const, N: 1, Valid: vector.Bitmap{0}, Data: make([]byte, 16)[:dict.Type.Physical().Width()]}
	p.view.Cols[p.column], p.view.N = &null, 1
	sel, err := p.filter.Apply(&p.view)
	if err != nil {
		t.dict = nil
		return err
	}
	t.null = sel == nil || len(sel) > 0
	for at := 0; at < dict.N; at += vector.MaxRows {
		v := slice(dict, at, min(vector.MaxRows, dict.N-at))
		p.view.Cols[p.column], p.view.N = &v, v.N
		sel, err := p.filter.Apply(&p.view)
		if err != nil {
			t.dict = nil
			return err
		}
		t.mark(sel, at, v.N)
	}
	return nil
}

// mark notes the entries of sel, nil for all n of them, as passing.
func (t *dictTable) mark(sel []int32, at, n int) {
	pass := t.pass[at : at+n]
	if sel == nil {
		fill(pass, 1)
	}
	for _, i := range sel {
		pass[i] = 1
	}
	t.any = t.any || sel == nil || len(sel) > 0
}

// slice returns n entries of a dictionary.
func slice(dict *vector.Vector, at, n int) vector.Vector {
	v := *dict
	w := dict.Type.Physical().Width()
	v.N, v.Data = n, dict.Data[at*w:(at+n)*w]
	return v
}

// apply returns the rows of b that pass everything; nil: all.
func (fs *filterSet) apply(r *Reader, b *vector.Batch) ([]int32, error) {
	view := vector.Batch{N: b.N, Cols: b.Cols}
	dynamicsDone := false
	for i := range fs.parts {
		p := &fs.parts[i]
		if p.column < 0 && !dynamicsDone {
			dynamicsDone = true
			if err := fs.applyDynamic(r, &view); err != nil || isEmpty(view.Sel) {
				return view.Sel, err
			}
		}
		sel, err := fs.test(r, p, &view)
		if err != nil {
			return nil, err
		}
		if view.Sel = narrowed(sel, b.N); isEmpty(view.Sel) {
			return view.Sel, nil
		}
	}
	if !dynamicsDone {
		if err := fs.applyDynamic(r, &view); err != nil {
			return nil, err
		}
	}
	return view.Sel, nil
}

// isEmpty reports whether a selection has no rows (nil has all).
func isEmpty(sel []int32) bool { return sel != nil && len(sel) == 0 }

// narrowed returns nil for a selection of all n rows.
func narrowed(sel []int32, n int) []int32 {
	if len(sel) == n {
		return nil
	}
	return sel
}

// test applies one part to the batch's selection.
func (fs *filterSet) test(r *Reader, p *part, b *vector.Batch) ([]int32, error) {
	if p.column < 0 {
		return p.filter.Apply(b)
	}
	v := b.Cols[p.column]
	if err := v.Load(b.Sel); err != nil {
		return nil, err
	}
	if v.Enc != vector.Dict {
		return p.filter.Apply(b)
	}
	if p.table.dict != v.Base {
		p.table.tested += b.Rows()
		if p.table.tested < v.Base.N/2 || p.fill(r, v.Base) != nil {
			return p.filter.Apply(b)
		}
	}
	return p.table.choose(v, b.Sel, fs.room(b.N)), nil
}

// room returns space for a selection of n rows, other than the last one.
func (fs *filterSet) room(n int) []int32 {
	fs.turn ^= 1
	if cap(fs.scratch[fs.turn]) < n {
		fs.scratch[fs.turn] = make([]int32, max(n, vector.DefaultRows))
	}
	return fs.scratch[fs.turn][:n]
}

// choose writes the rows of sel (nil: all) whose entries pass to dst, which
// may not be sel.
func (t *dictTable) choose(v *vector.Vector, sel, dst []int32) []int32 {
	pass, k := t.pass, 0
	switch {
	case v.Valid != nil:
		return t.chooseNullable(v, sel, dst)
	case sel == nil:
		for i, x := range v.Idx[:v.N] {
			dst[k] = int32(i)
			k += int(pass[x])
		}
	default:
		for _, i := range sel {
			dst[k] = i
			k += int(pass[v.Idx[i]])
		}
	}
	return dst[:k]
}

func (t *dictTable) chooseNullable(v *vector.Vector, sel, dst []int32) []int32 {
	null := uint8(bit(t.null))
	k := 0
	test := func(i int32) {
		dst[k] = i
		if v.Valid.Get(int(i)) {
			k += int(t.pass[v.Idx[i]])
		} else {
			k += int(null)
		}
	}
	if sel == nil {
		for i := range int32(v.N) {
			test(i)
		}
		return dst[:k]
	}
	for _, i := range sel {
		test(i)
	}
	return dst[:k]
}

func (fs *filterSet) close() {
	for i := range fs.parts {
		fs.parts[i].filter.Close()
	}
}
