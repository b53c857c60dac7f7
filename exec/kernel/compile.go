package kernel

import (
	"fmt"
	"strings"

	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// node computes one subexpression. The result is not lazy, is right for the
// rows in sel (nil: all of r.n), and stays valid until the node's next eval.
type node interface {
	eval(r *run, sel []int32) (*vector.Vector, error)
}

// compiler builds the nodes of one program or filter and owns their memory.
type compiler struct {
	env   *Env
	seq   uint64
	slots []*slot
}

func newCompiler(env *Env) *compiler { return &compiler{env: env} }

func (c *compiler) slot() *slot {
	s := &slot{account: c.env.Account, last: -1}
	c.slots = append(c.slots, s)
	return s
}

func (c *compiler) close() {
	for _, s := range c.slots {
		s.release()
	}
}

// scope holds the nodes that can be shared by what is compiled within it:
// whatever a scope or its parents hold has been evaluated, in the same pass
// and for at least the same rows, before anything compiled later in it.
type scope struct {
	parent *scope
	nodes  map[string]node
}

func newScope(parent *scope) *scope { return &scope{parent: parent, nodes: map[string]node{}} }

func (s *scope) find(key string) (node, bool) {
	for ; s != nil; s = s.parent {
		if n, ok := s.nodes[key]; ok {
			return n, true
		}
	}
	return nil, false
}

// node compiles e, or returns the node that already computes it in scope.
func (c *compiler) node(e expr.Expr, sc *scope) (node, error) {
	switch e := e.(type) {
	case *expr.Column:
		return &columnNode{column: int(e.ID)}, nil
	case *expr.Const:
		return c.constant(e.Value, e.Typ)
	}
	volatile := hasVolatile(e)
	var b strings.Builder
	if !volatile {
		writeKey(&b, e)
		if n, ok := sc.find(b.String()); ok {
			return n, nil
		}
	}
	n, err := c.build(e, sc)
	if err != nil || volatile {
		return n, err
	}
	if n, ok := c.fold(e, n); ok {
		return n, nil
	}
	n = &sharedNode{node: n}
	sc.nodes[b.String()] = n
	return n, nil
}

func (c *compiler) build(e expr.Expr, sc *scope) (node, error) {
	switch e := e.(type) {
	case *expr.Call:
		return c.call(e, sc)
	case *expr.Cast:
		return c.cast(e, sc)
	case *expr.Form:
		return c.form(e, sc)
	}
	return nil, fmt.Errorf("compile: unknown expression %T", e)
}

func (c *compiler) nodes(es []expr.Expr, sc *scope) ([]node, error) {
	out := make([]node, len(es))
	for i, e := range es {
		n, err := c.node(e, sc)
		if err != nil {
			return nil, err
		}
		out[i] = n
	}
	return out, nil
}

// fold evaluates a node without columns once. An error stays for run time,
// when the row that raises it may not be selected.
func (c *compiler) fold(e expr.Expr, n node) (node, bool) {
	constant := true
	expr.Columns(e, func(*expr.Column) { constant = false })
	if !constant {
		return nil, false
	}
	c.seq++
	v, err := n.eval(&run{n: 1, seq: c.seq}, nil)
	if err != nil {
		return nil, false
	}
	k := &constNode{v: *v}
	k.v.Enc = vector.Const
	if v.Enc == vector.Dict {
		return nil, false
	}
	if !v.IsNull(0) {
		k.v.Valid = nil
	}
	return k, true
}

// constant makes a node of a value as expr.Const has it.
func (c *compiler) constant(value any, t types.Type) (node, error) {
	b := vector.NewBuilder(c.env.Account, t)
	if err := AppendValue(b, t, value); err != nil {
		b.Release()
		return nil, err
	}
	c.slots = append(c.slots, &slot{account: c.env.Account, builder: b})
	k := &constNode{v: *b.Vector()}
	k.v.Enc = vector.Const
	return k, nil
}

func hasVolatile(e expr.Expr) bool {
	found := false
	expr.Walk(e, func(e expr.Expr) bool {
		if call, ok := e.(*expr.Call); ok && call.Fn.Volatile {
			found = true
		}
		return !found
	})
	return found
}

// writeKey writes text that two expressions share only if they are the same.
func writeKey(b *strings.Builder, e expr.Expr) {
	switch e := e.(type) {
	case *expr.Column:
		fmt.Fprintf(b, "#%d", e.ID)
		return
	case *expr.Const:
		fmt.Fprintf(b, "%T:%q:%s", e.Value, fmt.Sprint(e.Value), e.Typ)
		return
	case *expr.Call:
		b.WriteString(e.Fn.Name + ":" + e.Fn.Result.String())
	case *expr.Cast:
		fmt.Fprintf(b, "cast:%v:%s", e.Safe, e.Typ)
	case *expr.Form:
		fmt.Fprintf(b, "form%d:%d:%s", e.Op, e.Index, e.Typ)
	}
	b.WriteByte('(')
	for _, a := range expr.Children(e) {
		writeKey(b, a)
		b.WriteString(":" + a.Type().String() + ",")
	}
	b.WriteByte(')')
}

// columnNode reads a column of the batch.
type columnNode struct{ column int }

func (n *columnNode) eval(r *run, _ []int32) (*vector.Vector, error) {
	v := r.cols[n.column]
	if err := v.Load(r.load); err != nil {
		return nil, err
	}
	return v, nil
}

// constNode is a constant.
type constNode struct{ v vector.Vector }

func (n *constNode) eval(r *run, _ []int32) (*vector.Vector, error) {
	n.v.N = r.n
	return &n.v, nil
}

// sharedNode computes a subexpression that occurs more than once only once a pass.
type sharedNode struct {
	node node
	seq  uint64
	v    *vector.Vector
}

func (n *sharedNode) eval(r *run, sel []int32) (*vector.Vector, error) {
	if n.seq == r.seq {
		return n.v, nil
	}
	v, err := n.node.eval(r, sel)
	if err != nil {
		return nil, err
	}
	n.v, n.seq = v, r.seq
	return v, nil
}

// asConst returns a node's constant, or nil.
func asConst(n node) *vector.Vector {
	if k, ok := n.(*constNode); ok {
		return &k.v
	}
	return nil
}

// rowBuf is scratch space for a selection.
type rowBuf []int32

// room returns n entries of scratch.
func (b *rowBuf) room(n int) []int32 {
	if cap(*b) < n {
		*b = make([]int32, max(n, vector.DefaultRows))
	}
	return (*b)[:n]
}

// Supports reports whether there is code for a resolved function.
func Supports(fn *function.Scalar) bool {
	_, err := lookup(fn, &binding{env: &Env{}, args: make([]*vector.Vector, len(fn.Args))})
	return err == nil
}

// lookup finds the kernel of a function.
func lookup(fn *function.Scalar, b *binding) (kern, error) {
	build, ok := kernels[fn.Name]
	if !ok {
		return kern{}, unsupported(fn)
	}
	return build(fn, b)
}

func unsupported(fn *function.Scalar) error {
	parts := make([]string, len(fn.Args))
	for i, t := range fn.Args {
		parts[i] = t.String()
	}
	return qerr.NotSupported(qerr.Pos{}, "function %s(%s)", strings.TrimPrefix(fn.Name, "$"), strings.Join(parts, ", "))
}
