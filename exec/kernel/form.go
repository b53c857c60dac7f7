package kernel

import (
	"errors"
	"fmt"

	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/types"
)

// special compiles the calls that are conditions with loops of their own; nil
// for all others.
func (c *compiler) special(e *expr.Call, sc *scope) (node, error) {
	p, err := c.direct(e, sc, false)
	if p == nil || err != nil {
		return nil, err
	}
	return &boolNode{p: p, slot: c.slot()}, nil
}

func (c *compiler) form(f *expr.Form, sc *scope) (node, error) {
	switch f.Op {
	case expr.And, expr.Or:
		return c.logic(f, sc)
	case expr.Not:
		args, err := c.nodes(f.Args, sc)
		if err != nil {
			return nil, err
		}
		return c.callNode(kern{eval: notKernel}, args, f.Typ), nil
	case expr.Case:
		return c.caseForm(f, sc)
	case expr.Coalesce:
		return c.coalesce(f, sc)
	case expr.In:
		return c.in(f, sc)
	case expr.IsNull:
		n, err := c.node(f.Args[0], sc)
		return &isNullNode{p: nullPred{arg: n, null: true}, slot: c.slot()}, err
	case expr.Try:
		n, err := c.node(f.Args[0], newScope(nil))
		return &tryNode{c: c, arg: n, typ: f.Typ, slot: c.slot(), m: merge{deep: c.slot()}}, err
	case expr.Row:
		args, err := c.nodes(f.Args, sc)
		if err != nil {
			return nil, err
		}
		n := c.callNode(kern{eval: rowKernel}, args, f.Typ)
		n.lenient = true
		return n, nil
	case expr.Field:
		args, err := c.nodes(f.Args, sc)
		if err != nil {
			return nil, err
		}
		return c.callNode(kern{eval: fieldKernel(f.Index)}, args, f.Typ), nil
	}
	return nil, fmt.Errorf("compile: unknown form %d", f.Op)
}

func notKernel(c *call) error {
	res, a := out[uint8](c.out), vector.Values[uint8](c.args[0])
	if c.args[0].Enc == vector.Const {
		res[0] = a[0] ^ 1
		return nil
	}
	for i, x := range a[:c.n] {
		res[i] = x ^ 1
	}
	return nil
}

// logicNode is AND or OR as a value: three-valued, each argument evaluated
// only for the rows that earlier ones left open.
type logicNode struct {
	args   []node
	decide uint8 // the value that settles a row: 0 for AND, 1 for OR
	slot   *slot
	open   rowBuf
}

func (c *compiler) logic(f *expr.Form, sc *scope) (node, error) {
	n := &logicNode{decide: boolByte(f.Op == expr.Or), slot: c.slot()}
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

func (n *logicNode) eval(r *run, sel []int32) (*vector.Vector, error) {
	if err := n.slot.begin(types.Of(types.Boolean), r.n); err != nil {
		return nil, err
	}
	res := out[uint8](n.slot)
	for i := range res {
		res[i] = n.decide ^ 1
	}
	open := keepAll(sel, n.open.room(r.n), r.n)
	for _, a := range n.args {
		if len(open) == 0 {
			break
		}
		v, err := a.eval(r, open)
		if err != nil {
			return nil, err
		}
		open = n.settle(v, open, res)
	}
	return &n.slot.v, nil
}

// settle decides rows by one argument and returns those still open. A row is
// null while an argument was null and none decided it.
func (n *logicNode) settle(v *vector.Vector, open []int32, res []uint8) []int32 {
	vals := vector.Values[uint8](holder(v))
	k := 0
	for _, i := range open {
		if v.IsNull(int(i)) {
			n.slot.setNull(int(i))
		} else if vals[v.At(int(i))] == n.decide {
			res[i] = n.decide
			if n.slot.v.Valid != nil {
				n.slot.v.Valid.Set(int(i))
			}
			continue
		}
		open[k] = i
		k++
	}
	return open[:k]
}

// isNullNode is IS NULL as a value.
type isNullNode struct {
	p    nullPred
	slot *slot
	buf  rowBuf
}

func (n *isNullNode) eval(r *run, sel []int32) (*vector.Vector, error) {
	pass, err := n.p.apply(r, sel, n.buf.room(r.n))
	if err != nil {
		return nil, err
	}
	if err := n.slot.begin(types.Of(types.Boolean), r.n); err != nil {
		return nil, err
	}
	res := out[uint8](n.slot)
	clear(res)
	for _, i := range pass {
		res[i] = 1
	}
	return &n.slot.v, nil
}

// in compiles IN as a value.
func (c *compiler) in(f *expr.Form, sc *scope) (node, error) {
	p, err := c.inPred(f, sc, false)
	if err != nil {
		return nil, err
	}
	if p != nil {
		return &boolNode{p: p, unknown: inHasNull(f), slot: c.slot()}, nil
	}
	n := &logicNode{decide: 1, slot: c.slot()}
	arg, err := c.node(f.Args[0], sc)
	if err != nil {
		return nil, err
	}
	t := f.Args[0].Type()
	for i, a := range f.Args[1:] {
		if i > 0 {
			sc = newScope(sc)
		}
		k, err := c.node(a, sc)
		if err != nil {
			return nil, err
		}
		n.args = append(n.args, c.equalNode(arg, k, t))
	}
	return n, nil
}

// equalNode makes a = b as a value.
func (c *compiler) equalNode(a, b node, t types.Type) node {
	if t.Kind == types.Unknown || t.IsNested() {
		return c.callNode(nestedCompare(t, opEq), []node{a, b}, types.Of(types.Boolean))
	}
	if asConst(a) != nil && asConst(b) != nil {
		return &boolNode{p: &pairPred{op: opEq, a: a, b: b, typ: t, slots: [2]*slot{c.slot(), c.slot()}}, slot: c.slot()}
	}
	return &boolNode{p: c.compareNodes(opEq, a, b, t, false), slot: c.slot()}
}

// rowKernel builds a row of its arguments.
func rowKernel(c *call) error {
	var one [1]int32
	return c.eachNested(func(b *vector.Builder, i int) error {
		one[0] = int32(i)
		for k, v := range c.args {
			if err := appendRow(b.Kid(k), v, one[:]); err != nil {
				return err
			}
		}
		return b.CloseRow()
	})
}

// appendRow appends one row of v to b; a null constant may have no data.
func appendRow(b *vector.Builder, v *vector.Vector, row []int32) error {
	if v.IsNull(int(row[0])) {
		return b.AppendNull()
	}
	return b.AppendRows(v, row)
}

// fieldKernel takes a field out of a row: the field's own vector, null also
// where the row is.
func fieldKernel(index int) func(c *call) error {
	return func(c *call) error {
		v := c.args[0]
		kid := v.Kids[index]
		if v.Enc == vector.Const {
			return c.copyRow(kid, 0)
		}
		if c.typ.IsNested() || kid.Enc != vector.Flat {
			var one [1]int32
			return c.eachNested(func(b *vector.Builder, i int) error {
				one[0] = int32(i)
				return appendRow(b, kid, one[:])
			})
		}
		c.out.v.Data, c.out.v.Heap = kid.Data, append(c.out.v.Heap, kid.Heap...)
		if kid.Valid != nil {
			for i := range c.n {
				if kid.IsNull(i) {
					c.out.setNull(i)
				}
			}
		}
		return nil
	}
}

// copyRow makes row i of v the one row of the result.
func (c *call) copyRow(v *vector.Vector, i int) error {
	row := [1]int32{int32(i)}
	b := c.out.build(c.typ)
	if err := appendRow(b, v, row[:]); err != nil {
		return err
	}
	c.result = b.Vector()
	return nil
}

// tryNode is TRY: null where the argument fails.
type tryNode struct {
	c    *compiler
	arg  node
	typ  types.Type
	slot *slot
	m    merge
	all  rowBuf
}

func (n *tryNode) eval(r *run, sel []int32) (*vector.Vector, error) {
	n.c.seq++
	inner := run{cols: r.cols, n: r.n, load: r.load, seq: n.c.seq}
	v, err := n.arg.eval(&inner, sel)
	if err == nil || !isDataError(err) {
		return v, err
	}
	n.m.begin(n.slot, n.typ, r.n)
	if err := n.pieces(&inner, keepAll(sel, n.all.room(r.n), r.n)); err != nil {
		return nil, err
	}
	return n.m.finish()
}

// pieces evaluates the halves of rows until what fails is a single one.
func (n *tryNode) pieces(r *run, rows []int32) error {
	n.c.seq++
	r.seq = n.c.seq
	v, err := n.arg.eval(r, rows)
	switch {
	case err == nil:
		return n.m.copy(v, rows)
	case !isDataError(err):
		return err
	case len(rows) == 1:
		n.m.null(rows)
		return nil
	}
	half := len(rows) / 2
	if err := n.pieces(r, rows[:half]); err != nil {
		return err
	}
	return n.pieces(r, rows[half:])
}

// isDataError reports whether TRY turns err into null: errors that data cause.
func isDataError(err error) bool {
	var e *qerr.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code {
	case qerr.DivisionByZero, qerr.InvalidCastArgument, qerr.InvalidFunctionArgument, qerr.NumericValueOutOfRange:
		return true
	}
	return false
}
