package kernel

import (
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// pred is a compiled condition.
type pred interface {
	// apply writes the rows of sel (nil: all of r.n) for which the condition is
	// true to dst, ascending, and returns them. dst has room for r.n rows and
	// may be sel's own memory.
	apply(r *run, sel, dst []int32) ([]int32, error)
}

// inputs is a pred whose value is null exactly where one of its inputs is.
type inputs interface {
	pred
	// read returns the vectors that the last apply looked at.
	read() []*vector.Vector
}

// pred compiles a condition; with negate, its opposite (false where e is
// true, true where e is false; where e is null neither passes a row).
func (c *compiler) pred(e expr.Expr, sc *scope, negate bool) (pred, error) {
	if p, err := c.direct(e, sc, negate); p != nil || err != nil {
		return p, err
	}
	if f, ok := e.(*expr.Form); ok {
		switch f.Op {
		case expr.Not:
			return c.pred(f.Args[0], sc, !negate)
		case expr.And, expr.Or:
			return c.junction(f, sc, negate)
		case expr.IsNull:
			n, err := c.node(f.Args[0], sc)
			return &nullPred{arg: n, null: !negate}, err
		}
	}
	n, err := c.node(e, sc)
	return &valuePred{arg: n, want: boolByte(!negate)}, err
}

// direct compiles what has loops that write selections: comparisons, IN with
// constants and LIKE with a constant pattern; nil for the rest.
func (c *compiler) direct(e expr.Expr, sc *scope, negate bool) (inputs, error) {
	switch e := e.(type) {
	case *expr.Call:
		if op, ok := compareOps[e.Fn.Name]; ok {
			return c.comparison(op, e.Args[0], e.Args[1], sc, negate)
		}
		if e.Fn.Name == function.OpLike || e.Fn.Name == "starts_with" {
			return c.likePred(e, sc, negate)
		}
	case *expr.Form:
		if e.Op == expr.In {
			return c.inPred(e, sc, negate)
		}
	}
	return nil, nil
}

// junction compiles AND and OR. By De Morgan, NOT (a AND b) is (NOT a) OR (NOT
// b), nulls included, and in either form an argument is not evaluated for rows
// that earlier ones decided.
func (c *compiler) junction(f *expr.Form, sc *scope, negate bool) (pred, error) {
	var ps []pred
	for i, a := range f.Args {
		if i > 0 {
			sc = newScope(sc)
		}
		p, err := c.pred(a, sc, negate)
		if err != nil {
			return nil, err
		}
		ps = append(ps, p)
	}
	if (f.Op == expr.And) != negate {
		return &andPred{args: ps}, nil
	}
	return &orPred{args: ps}, nil
}

// andPred narrows the selection by each argument in turn.
type andPred struct{ args []pred }

func (p *andPred) apply(r *run, sel, dst []int32) ([]int32, error) {
	for _, a := range p.args {
		out, err := a.apply(r, sel, dst)
		if err != nil || len(out) == 0 {
			return dst[:0], err
		}
		sel = out
	}
	return sel, nil
}

// orPred passes what any argument does; each sees only what the earlier ones
// did not pass.
type orPred struct {
	args       []pred
	rest, pass rowBuf
}

func (p *orPred) apply(r *run, sel, dst []int32) ([]int32, error) {
	rest := p.rest.room(r.n)[:rows(sel, r.n)]
	if sel == nil {
		identity(rest)
	} else {
		copy(rest, sel)
	}
	done := dst[:0]
	for i, a := range p.args {
		pass, err := a.apply(r, rest, p.pass.room(r.n))
		if err != nil {
			return nil, err
		}
		if i < len(p.args)-1 {
			rest = subtract(rest, pass)
		}
		done = union(dst, done, pass)
		if len(rest) == 0 {
			break
		}
	}
	return done, nil
}

func identity(dst []int32) []int32 {
	for i := range dst {
		dst[i] = int32(i)
	}
	return dst
}

// subtract removes from a the rows that are in b, in place; both ascend and b
// is part of a.
func subtract(a, b []int32) []int32 {
	k, j := 0, 0
	for _, x := range a {
		if j < len(b) && b[j] == x {
			j++
			continue
		}
		a[k] = x
		k++
	}
	return a[:k]
}

// union merges two ascending, disjoint selections into dst, which holds a in
// front: from the back, so that nothing of a is overwritten before it is read.
func union(dst, a, b []int32) []int32 {
	i, j := len(a)-1, len(b)-1
	for k := len(a) + len(b) - 1; j >= 0; k-- {
		if i >= 0 && a[i] > b[j] {
			dst[k] = a[i]
			i--
		} else {
			dst[k] = b[j]
			j--
		}
	}
	return dst[:len(a)+len(b)]
}

// nullPred is IS [NOT] NULL.
type nullPred struct {
	arg  node
	null bool
}

func (p *nullPred) apply(r *run, sel, dst []int32) ([]int32, error) {
	v, err := p.arg.eval(r, sel)
	if err != nil {
		return nil, err
	}
	if v.Valid == nil || v.Enc == vector.Const {
		if v.IsNull(0) == p.null {
			return keepAll(sel, dst, r.n), nil
		}
		return dst[:0], nil
	}
	if !p.null {
		return selectBits(v.Valid, sel, r.n, dst), nil
	}
	k := 0
	for j := range rows(sel, r.n) {
		i := int32(j)
		if sel != nil {
			i = sel[j]
		}
		dst[k] = i
		k += int(v.Valid[i>>6]>>(uint(i)&63)&1 ^ 1)
	}
	return dst[:k], nil
}

// keepAll copies sel, or all of n rows, to dst.
func keepAll(sel, dst []int32, n int) []int32 {
	if sel == nil {
		return identity(dst[:n])
	}
	return dst[:copy(dst, sel)]
}

// valuePred selects by a boolean vector.
type valuePred struct {
	arg  node
	want uint8
}

func (p *valuePred) apply(r *run, sel, dst []int32) ([]int32, error) {
	v, err := p.arg.eval(r, sel)
	if err != nil {
		return nil, err
	}
	if v.Enc == vector.Const {
		if !v.IsNull(0) && v.Data[0] == p.want {
			return keepAll(sel, dst, r.n), nil
		}
		return dst[:0], nil
	}
	var out []int32
	if v.Enc == vector.Dict {
		if v.Base.N == 0 {
			return dst[:0], nil
		}
		out = byEntry(vector.Values[uint8](v.Base), p.want, v.Idx, sel, dst, r.n)
	} else {
		out = selectRange(vector.Values[uint8](v), p.want, p.want, 0, sel, r.n, dst)
	}
	if v.Valid != nil {
		out = selectBits(v.Valid, out, r.n, out)
	}
	return out, nil
}

// byEntry selects the rows whose dictionary entry is want in table.
func byEntry(table []uint8, want uint8, idx, sel, dst []int32, n int) []int32 {
	k := 0
	if sel == nil {
		for i, x := range idx[:n] {
			dst[k] = int32(i)
			k += boolInt(table[x] == want)
		}
		return dst[:k]
	}
	for _, i := range sel {
		dst[k] = i
		k += boolInt(table[idx[i]] == want)
	}
	return dst[:k]
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func boolByte(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

// test is a condition on the values of one vector.
type test interface {
	// pick writes the rows of sel whose value passes to dst, which may be sel's
	// own memory. v is flat; null rows are not looked at when strict says so, and
	// otherwise whether they pass means nothing.
	pick(v *vector.Vector, sel []int32, n int, dst []int32) []int32
	// strict reports whether pick must not see null rows.
	strict() bool
}

// testPred applies a test to the value of a node.
type testPred struct {
	arg   node
	t     test
	slot  *slot
	buf   rowBuf
	used  referred
	table []uint8
	last  [1]*vector.Vector
}

func (c *compiler) testPred(arg node, t test) *testPred {
	return &testPred{arg: arg, t: t, slot: c.slot()}
}

func (p *testPred) read() []*vector.Vector { return p.last[:] }

func (p *testPred) apply(r *run, sel, dst []int32) ([]int32, error) {
	v, err := p.arg.eval(r, sel)
	if err != nil {
		return nil, err
	}
	p.last[0] = v
	if v.Enc == vector.Const {
		if v.IsNull(0) || len(p.t.pick(v, nil, 1, p.buf.room(1))) == 0 {
			return dst[:0], nil
		}
		return keepAll(sel, dst, r.n), nil
	}
	if v.Enc == vector.Dict && v.Base.N <= rows(sel, r.n) {
		return p.viaDict(v, sel, dst, r.n), nil
	}
	if v.Enc == vector.Dict {
		if v, err = flatten(v, sel, p.slot); err != nil {
			return nil, err
		}
	}
	if v.Valid != nil && p.t.strict() {
		return p.t.pick(v, selectBits(v.Valid, sel, r.n, dst), r.n, dst), nil
	}
	out := p.t.pick(v, sel, r.n, dst)
	if v.Valid != nil {
		out = selectBits(v.Valid, out, r.n, out)
	}
	return out, nil
}

func (p *testPred) viaDict(v *vector.Vector, sel, dst []int32, n int) []int32 {
	size := v.Base.N
	if size == 0 {
		return dst[:0]
	}
	if cap(p.table) < size {
		p.table = make([]uint8, max(size, 256))
	}
	table := p.table[:size]
	var entries []int32
	if unsafeEntries(v) {
		entries = p.used.entries(v, sel, n)
	}
	pass := p.t.pick(v.Base, entries, size, p.buf.room(size))
	if len(pass) == 0 {
		return dst[:0]
	}
	clear(table)
	for _, i := range pass {
		table[i] = 1
	}
	out := byEntry(table, 1, v.Idx, sel, dst, n)
	if v.Valid != nil {
		out = selectBits(v.Valid, out, n, out)
	}
	return out
}

// boolNode turns a condition into a boolean vector.
type boolNode struct {
	p inputs
	// unknown makes what is not true null: IN with a null candidate, or NOT IN.
	unknown   bool
	slot      *slot
	buf       rowBuf
	one, both vector.Bitmap
}

func (n *boolNode) eval(r *run, sel []int32) (*vector.Vector, error) {
	pass, err := n.p.apply(r, sel, n.buf.room(r.n))
	if err != nil {
		return nil, err
	}
	if err := n.slot.begin(types.Of(types.Boolean), r.n); err != nil {
		return nil, err
	}
	bits := out[uint8](n.slot)
	clear(bits)
	for _, i := range pass {
		bits[i] = 1
	}
	n.slot.setValid(n.valid(r.n))
	if n.unknown {
		n.one = n.one.Resize(r.n).ClearAll()
		for _, i := range pass {
			n.one.Set(int(i))
		}
		n.slot.setValid(n.one)
	}
	return &n.slot.v, nil
}

// valid is where no input is null.
func (n *boolNode) valid(size int) vector.Bitmap {
	var all vector.Bitmap
	for _, v := range n.p.read() {
		valid := v.Valid
		if v.Enc == vector.Const {
			if !v.IsNull(0) {
				continue
			}
			n.one = n.one.Resize(size).ClearAll()
			valid = n.one
		}
		if all == nil {
			all = valid
		} else if valid != nil {
			n.both = n.both.And(all, valid, size)
			all = n.both
		}
	}
	return all
}
