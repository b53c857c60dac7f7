package kernel

import (
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/types"
)

func (c *compiler) cast(e *expr.Cast, sc *scope) (node, error) {
	arg, err := c.node(e.Arg, sc)
	if err != nil {
		return nil, err
	}
	from, to := e.Arg.Type(), e.Typ
	if sameValues(from, to) {
		return &relabelNode{arg: arg, typ: to}, nil
	}
	k, err := castKernel(from, to, c.env)
	if err != nil {
		return nil, err
	}
	n := c.callNode(k, []node{arg}, to)
	if !e.Safe {
		return n, nil
	}
	if to.IsNested() {
		return c.safeNested(n, arg, to), nil
	}
	n.c.safe = true
	return n, nil
}

// sameValues reports whether a cast changes the type alone.
func sameValues(from, to types.Type) bool {
	switch {
	case from.Equal(to):
		return true
	case from.Kind != to.Kind:
		return false
	case to.Kind == types.Varchar:
		return from.P <= to.P
	case to.Kind == types.Char:
		return from.P <= to.P
	case to.Kind == types.Decimal:
		return from.S == to.S && from.P <= to.P && from.Physical() == to.Physical()
	case to.Kind == types.Time:
		return from.P <= to.P
	case to.Kind == types.Timestamp || to.Kind == types.TimestampTZ:
		return from.P <= to.P && from.UnitsPerSecond() == to.UnitsPerSecond()
	}
	return false
}

// relabelNode changes the type of a vector whose values stay.
type relabelNode struct {
	arg  node
	typ  types.Type
	v    vector.Vector
	base vector.Vector
}

func (n *relabelNode) eval(r *run, sel []int32) (*vector.Vector, error) {
	v, err := n.arg.eval(r, sel)
	if err != nil {
		return nil, err
	}
	n.v = *v
	n.v.Type = n.typ
	if v.Enc == vector.Dict {
		n.base = *v.Base
		n.base.Type = n.typ
		n.v.Base = &n.base
	}
	return &n.v, nil
}

// argNode hands a vector that is already there to another node.
type argNode struct {
	arg node
	v   *vector.Vector
}

func (n *argNode) eval(r *run, sel []int32) (*vector.Vector, error) {
	if n.v != nil {
		return n.v, nil
	}
	return n.arg.eval(r, sel)
}

// safeNested is TRY_CAST to a nested type: as TRY of the cast alone, errors of
// its argument not included.
func (c *compiler) safeNested(cast *callNode, arg node, to types.Type) node {
	held := &argNode{arg: arg}
	cast.args[0] = held
	return &safeCastNode{held: held, try: &tryNode{c: c, arg: cast, typ: to, slot: c.slot(), m: merge{deep: c.slot()}}}
}

type safeCastNode struct {
	held *argNode
	try  *tryNode
}

func (n *safeCastNode) eval(r *run, sel []int32) (*vector.Vector, error) {
	n.held.v = nil
	v, err := n.held.arg.eval(r, sel)
	if err != nil {
		return nil, err
	}
	n.held.v = v
	return n.try.eval(r, sel)
}

// castKernel finds the code of a cast between different types.
func castKernel(from, to types.Type, env *Env) (kern, error) {
	if from.Kind == types.Unknown {
		return kern{eval: allNull}, nil
	}
	var k kern
	ok := false
	switch {
	case from.IsNested() || to.IsNested():
		return castNested(from, to, env)
	case to.Kind == types.Varchar || to.Kind == types.Char:
		k, ok = castToText(from, to)
	case from.Kind == types.Varchar || from.Kind == types.Char:
		k, ok = castFromText(from, to, env)
	case to.Kind == types.Decimal:
		k, ok = castToDecimal(from, to)
	case from.Kind == types.Decimal:
		k, ok = castFromDecimal(from, to)
	case isNumberOrBool(from) && isNumberOrBool(to):
		k, ok = castNumber(from, to)
	default:
		k, ok = castTime(from, to, env)
	}
	if !ok {
		return kern{}, qerr.NotSupported(qerr.Pos{}, "cast from %s to %s", from, to)
	}
	return k, nil
}

// allNull is the cast of nulls without a type.
func allNull(c *call) error {
	if c.typ.IsNested() {
		return c.eachNested(func(b *vector.Builder, _ int) error { return b.AppendNull() })
	}
	for i := range c.n {
		c.out.setNull(i)
	}
	return nil
}

func isNumberOrBool(t types.Type) bool {
	return t.IsInteger() || t.IsFloat() || t.Kind == types.Boolean
}

// castNested casts arrays, maps and rows element by element: the children are
// cast as whole vectors.
func castNested(from, to types.Type, env *Env) (kern, error) {
	if from.Kind != to.Kind || len(from.Elems()) != len(to.Elems()) {
		return kern{}, qerr.NotSupported(qerr.Pos{}, "cast from %s to %s", from, to)
	}
	c := newCompiler(env)
	casts := make([]*callNode, len(to.Elems()))
	helds := make([]*argNode, len(casts))
	for i, t := range to.Elems() {
		helds[i] = &argNode{}
		if sameValues(from.Elem(i), t) {
			continue
		}
		k, err := castKernel(from.Elem(i), t, env)
		if err != nil {
			return kern{}, err
		}
		casts[i] = c.callNode(k, []node{helds[i]}, t)
	}
	kids := make([]*vector.Vector, len(casts))
	return kern{strict: true, fallible: true, eval: func(call *call) error {
		defer c.close()
		for i, n := range casts {
			kids[i] = call.args[0].Kids[i]
			if n == nil {
				continue
			}
			kid, err := castKid(n, helds[i], call, i)
			if err != nil {
				return err
			}
			kids[i] = kid
		}
		return rebuild(call, kids)
	}}, nil
}

// castKid casts a child, only those of its rows that selected rows hold.
func castKid(n *callNode, held *argNode, c *call, k int) (*vector.Vector, error) {
	kid := c.args[0].Kids[k]
	held.v = kid
	var used []int32
	_ = c.each(func(i int) error {
		from, to := span(c.args[0], i)
		for j := from; j < to; j++ {
			used = append(used, j)
		}
		return nil
	})
	if used == nil {
		used = []int32{}
	}
	return n.eval(&run{n: kid.N}, used)
}

// span returns the rows of the children that belong to row i of a nested vector.
func span(v *vector.Vector, i int) (from, to int32) {
	i = v.At(i)
	if v.Type.Kind == types.Row {
		return int32(i), int32(i) + 1
	}
	offsets := holder(v).Offsets
	return offsets[i], offsets[i+1]
}

// rebuild makes the result of rows whose children are replaced by kids.
func rebuild(c *call, kids []*vector.Vector) error {
	v := c.args[0]
	var one [1]int32
	return c.eachNested(func(b *vector.Builder, i int) error {
		from, to := span(v, i)
		for j := from; j < to; j++ {
			one[0] = j
			for k, kid := range kids {
				if err := appendRow(b.Kid(k), kid, one[:]); err != nil {
					return err
				}
			}
		}
		return b.CloseRow()
	})
}
