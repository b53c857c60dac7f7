package kernel

import (
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/types"
)

// merge puts a result together from parts of other vectors, each for its own
// rows, which keep their places. Rows that no part names are null.
type merge struct {
	slot *slot
	typ  types.Type
	n    int
	err  error
	// For nested types, rows are copied in order at the end: pick says which
	// part a row comes from (0: null).
	pick  []int16
	parts []*vector.Vector
	// deep holds copies of parts that do not outlive the next one; copy needs it.
	deep *slot
}

func (m *merge) begin(s *slot, t types.Type, n int) {
	m.slot, m.typ, m.n = s, t, n
	m.parts = m.parts[:0]
	if t.IsNested() {
		if cap(m.pick) < n {
			m.pick = make([]int16, n)
		}
		m.pick = m.pick[:n]
		clear(m.pick)
		if m.deep != nil {
			m.deep.build(t)
		}
		return
	}
	m.err = s.begin(t, n)
}

// add takes the given rows from v, which stays valid until finish.
func (m *merge) add(v *vector.Vector, rows []int32) error {
	if m.err != nil || len(rows) == 0 {
		return m.err
	}
	if m.typ.IsNested() {
		m.parts = append(m.parts, v)
		for _, i := range rows {
			m.pick[i] = int16(len(m.parts))
		}
		return nil
	}
	if v.Enc == vector.Const && v.IsNull(0) || v.Enc == vector.Dict && v.Base.N == 0 {
		m.null(rows)
		return nil
	}
	switch m.typ.Physical() {
	case types.PhysNull:
		m.null(rows)
	case types.PhysBool, types.PhysInt8:
		place(out[uint8](m.slot), v, rows)
	case types.PhysInt16:
		place(out[int16](m.slot), v, rows)
	case types.PhysInt32, types.PhysFloat:
		place(out[int32](m.slot), v, rows)
	case types.PhysInt64, types.PhysDouble:
		place(out[int64](m.slot), v, rows)
	case types.PhysInt128:
		place(out[types.Int128](m.slot), v, rows)
	case types.PhysBytes:
		m.placeViews(v, rows)
	}
	m.nulls(v, rows)
	return nil
}

// place copies the rows' values to the same rows of dst.
func place[T vector.Fixed](dst []T, v *vector.Vector, rows []int32) {
	vals := vector.Values[T](holder(v))
	switch v.Enc {
	case vector.Const:
		for _, i := range rows {
			dst[i] = vals[0]
		}
	case vector.Dict:
		for _, i := range rows {
			dst[i] = vals[v.Idx[i]]
		}
	default:
		for _, i := range rows {
			dst[i] = vals[i]
		}
	}
}

// placeViews copies views and makes them point into the slot's heap, which
// comes to hold v's buffers too.
func (m *merge) placeViews(v *vector.Vector, rows []int32) {
	dst := out[vector.View](m.slot)
	place(dst, v, rows)
	heap := holder(v).Heap
	base := m.slot.shareHeap(heap)
	m.slot.last = -1 // own chunks are no longer the heap's last
	if base == 0 || len(heap) == 0 {
		return
	}
	for _, i := range rows {
		if x := &dst[i]; !x.IsInline() && !v.IsNull(int(i)) {
			buf, off := x.Ref()
			*x = x.Rebase(buf+base, off)
		}
	}
}

func (m *merge) nulls(v *vector.Vector, rows []int32) {
	if v.Valid == nil || v.Enc == vector.Const {
		return
	}
	for _, i := range rows {
		if !v.Valid.Get(int(i)) {
			m.slot.setNull(int(i))
		}
	}
}

// copy is add for a vector that does not outlive the call. The rows of one
// copy come after those of the one before.
func (m *merge) copy(v *vector.Vector, rows []int32) error {
	switch {
	case m.typ.IsNested():
		return m.copyNested(v, rows)
	case !typeIsBytes(m.typ):
		return m.add(v, rows)
	case m.err != nil:
		return m.err
	}
	for _, i := range rows {
		if v.IsNull(int(i)) {
			m.slot.setNull(int(i))
		} else if err := m.slot.putBytes(int(i), v.Bytes(int(i))); err != nil {
			return err
		}
	}
	return nil
}

// copyNested appends the rows at their places to the copies so far.
func (m *merge) copyNested(v *vector.Vector, rows []int32) error {
	b := m.deep.builder
	var one [1]int32
	for _, i := range rows {
		for b.Len() < int(i) {
			if err := b.AppendNull(); err != nil {
				return err
			}
		}
		one[0] = i
		if err := appendRow(b, v, one[:]); err != nil {
			return err
		}
	}
	return m.add(b.Vector(), rows) // the same vector each time, which grows
}

// null makes rows null.
func (m *merge) null(rows []int32) {
	if m.typ.IsNested() || m.err != nil {
		return
	}
	for _, i := range rows {
		m.slot.setNull(int(i))
	}
}

// finish returns the result.
func (m *merge) finish() (*vector.Vector, error) {
	if m.err != nil || !m.typ.IsNested() {
		return &m.slot.v, m.err
	}
	b := m.slot.build(m.typ)
	var one [1]int32
	for i, p := range m.pick {
		var err error
		if p == 0 {
			err = b.AppendNull()
		} else {
			one[0] = int32(i)
			err = appendRow(b, m.parts[p-1], one[:])
		}
		if err != nil {
			return nil, err
		}
	}
	return b.Vector(), nil
}

// caseNode is CASE: each condition is asked about the rows that none before
// it took, each result computed for the rows that its condition took.
type caseNode struct {
	when  []pred
	then  []node
	other node
	typ   types.Type
	slot  *slot
	m     merge
	rest  rowBuf
	taken rowBuf
}

func (c *compiler) caseForm(f *expr.Form, sc *scope) (node, error) {
	n := &caseNode{typ: f.Typ, slot: c.slot()}
	last := len(f.Args) - 1
	for i := 0; i < last; i += 2 {
		if i > 0 {
			sc = newScope(sc)
		}
		p, err := c.pred(f.Args[i], sc, false)
		if err != nil {
			return nil, err
		}
		v, err := c.node(f.Args[i+1], newScope(sc))
		if err != nil {
			return nil, err
		}
		n.when, n.then = append(n.when, p), append(n.then, v)
	}
	other, err := c.node(f.Args[last], newScope(sc))
	n.other = other
	return n, err
}

func (n *caseNode) eval(r *run, sel []int32) (*vector.Vector, error) {
	n.m.begin(n.slot, n.typ, r.n)
	rest := keepAll(sel, n.rest.room(r.n), r.n)
	for i, p := range n.when {
		if len(rest) == 0 {
			break
		}
		taken, err := p.apply(r, rest, n.taken.room(r.n))
		if err != nil {
			return nil, err
		}
		if len(taken) == 0 {
			continue
		}
		if err := n.put(n.then[i], r, taken); err != nil {
			return nil, err
		}
		rest = subtract(rest, taken)
	}
	if len(rest) > 0 {
		if err := n.put(n.other, r, rest); err != nil {
			return nil, err
		}
	}
	return n.m.finish()
}

func (n *caseNode) put(arg node, r *run, rows []int32) error {
	v, err := arg.eval(r, rows)
	if err != nil {
		return err
	}
	return n.m.add(v, rows)
}

// coalesceNode is COALESCE: each argument is computed for the rows that all
// before it left null.
type coalesceNode struct {
	args []node
	typ  types.Type
	slot *slot
	m    merge
	rest rowBuf
	have rowBuf
}

func (c *compiler) coalesce(f *expr.Form, sc *scope) (node, error) {
	n := &coalesceNode{typ: f.Typ, slot: c.slot()}
	for i, a := range f.Args {
		if i > 0 {
			sc = newScope(sc)
		}
		arg, err := c.node(a, sc)
		if err != nil {
			return nil, err
		}
		n.args = append(n.args, arg)
	}
	return n, nil
}

func (n *coalesceNode) eval(r *run, sel []int32) (*vector.Vector, error) {
	first, err := n.args[0].eval(r, sel)
	if err != nil || first.Valid == nil {
		return first, err
	}
	n.m.begin(n.slot, n.typ, r.n)
	rest := keepAll(sel, n.rest.room(r.n), r.n)
	v := first
	for i, a := range n.args {
		if i > 0 {
			if len(rest) == 0 {
				break
			}
			if v, err = a.eval(r, rest); err != nil {
				return nil, err
			}
		}
		have := n.have.room(r.n)[:0]
		for _, i := range rest {
			if !v.IsNull(int(i)) {
				have = append(have, i)
			}
		}
		if err := n.m.add(v, have); err != nil {
			return nil, err
		}
		rest = subtract(rest, have)
	}
	n.m.null(rest)
	return n.m.finish()
}
