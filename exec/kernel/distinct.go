package kernel

import (
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// comparisonKernels are the comparisons as functions: those of nested types,
// for others are compiled directly, and IS DISTINCT FROM.
var comparisonKernels = map[string]builder{
	function.OpEq:       compareBuilder(opEq),
	function.OpNe:       compareBuilder(opNe),
	function.OpLt:       compareBuilder(opLt),
	function.OpLe:       compareBuilder(opLe),
	function.OpGt:       compareBuilder(opGt),
	function.OpGe:       compareBuilder(opGe),
	function.OpDistinct: distinctKernel,
	function.OpLike:     likeKernel,
	"greatest":          extremeKernel(1),
	"least":             extremeKernel(-1),
}

func compareBuilder(op cmpOp) builder {
	return func(fn *function.Scalar, _ *binding) (kern, error) {
		return nestedCompare(fn.Args[0], op), nil
	}
}

// nestedCompare is a comparison that may be null where neither side is.
func nestedCompare(t types.Type, op cmpOp) kern {
	if op == opEq || op == opNe {
		return kern{strict: true, eval: func(c *call) error {
			res := out[uint8](c.out)
			return c.each(func(i int) error {
				eq, unknown := equal3(t, c.args[0], i, c.args[1], i, false)
				if unknown {
					c.out.setNull(i)
				}
				res[i] = boolByte(eq == (op == opEq))
				return nil
			})
		}}
	}
	order := valueOrder(t, false)
	return kern{strict: true, fallible: true, eval: func(c *call) error {
		res := out[uint8](c.out)
		return c.each(func(i int) error {
			if err := comparableNested(t, c.args[0], i, c.args[1], i); err != nil {
				return err
			}
			res[i] = boolByte(op.holds(order(c.args[0], i, c.args[1], i)))
			return nil
		})
	}}
}

// comparableNested returns the error of ordering values with null elements
// that decide.
func comparableNested(t types.Type, a *vector.Vector, i int, b *vector.Vector, j int) error {
	if !t.IsNested() {
		return nil
	}
	x, y := holder(a), holder(b)
	af, at := span(a, i)
	bf, bt := span(b, j)
	for k := range min(at-af, bt-bf) {
		for e, et := range t.Elems() {
			p, q := int(af+k), int(bf+k)
			if x.Kids[e].IsNull(p) || y.Kids[e].IsNull(q) {
				if t.Kind == types.Row {
					return qerr.New(qerr.NotSupportedCode, "ROW comparison not supported for fields with null elements")
				}
				return qerr.New(qerr.NotSupportedCode, "ARRAY comparison not supported for arrays with null elements")
			}
			if err := comparableNested(et, x.Kids[e], p, y.Kids[e], q); err != nil {
				return err
			}
			if valueOrder(et, false)(x.Kids[e], p, y.Kids[e], q) != 0 {
				return nil
			}
		}
	}
	return nil
}

// distinctKernel is IS DISTINCT FROM: never null.
func distinctKernel(fn *function.Scalar, _ *binding) (kern, error) {
	t := fn.Args[0]
	return kern{eval: func(c *call) error {
		res := out[uint8](c.out)
		return c.each(func(i int) error {
			same, _ := equal3(t, c.args[0], i, c.args[1], i, true)
			res[i] = boolByte(!same)
			return nil
		})
	}}, nil
}

// extremeKernel is greatest (sign 1) or least (sign -1): null if any argument
// is, and a NaN never wins over a number.
func extremeKernel(sign int) builder {
	return func(fn *function.Scalar, _ *binding) (kern, error) {
		t := fn.Args[0]
		order := valueOrder(t, sign > 0)
		var m merge
		picks := make([]rowBuf, len(fn.Args))
		return kern{strict: true, fallible: t.IsNested(), eval: func(c *call) error {
			for k := range picks {
				picks[k] = picks[k].room(c.n)[:0]
			}
			err := c.each(func(i int) error {
				best := 0
				for k := 1; k < len(c.args); k++ {
					if t.IsNested() {
						if err := comparableNested(t, c.args[k], i, c.args[best], i); err != nil {
							return err
						}
					}
					if order(c.args[k], i, c.args[best], i)*sign > 0 {
						best = k
					}
				}
				picks[best] = append(picks[best], int32(i))
				return nil
			})
			if err != nil {
				return err
			}
			return c.gather(&m, picks)
		}}, nil
	}
}

// gather makes the result of rows picked from the arguments: picks[k] lists
// those that come from argument k.
func (c *call) gather(m *merge, picks []rowBuf) error {
	valid := c.valid
	m.begin(c.out, c.typ, c.n)
	if !c.typ.IsNested() {
		c.out.setValid(valid)
	}
	for k, v := range c.args {
		if err := m.add(v, picks[k]); err != nil {
			return err
		}
	}
	v, err := m.finish()
	c.result = v
	return err
}
