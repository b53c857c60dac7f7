package kernel

import (
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// kern is the code of a function for given argument types.
type kern struct {
	// eval fills c.out (already begun, its validity that of the arguments) for
	// the rows of c.sel. Arguments are flat or constant.
	eval func(c *call) error
	// strict kernels must only be shown rows without null arguments: those that
	// look at strings, whose views mean nothing in null rows, and those that
	// raise errors row by row.
	strict bool
	// fallible kernels can raise an error about the data.
	fallible bool
}

// binding is what a kernel may specialize on when it is made: constant
// arguments are vectors, others nil.
type binding struct {
	env  *Env
	args []*vector.Vector
}

// builder makes the kernel of a function.
type builder func(fn *function.Scalar, b *binding) (kern, error)

// call is one evaluation of a kernel.
type call struct {
	env  *Env
	args []*vector.Vector
	sel  []int32
	n    int
	out  *slot
	typ  types.Type
	// valid is the rows where no argument is null (nil: all), for kernels with
	// NullIfAnyNull.
	valid vector.Bitmap
	// result is what the call returns: the slot's vector unless the kernel built
	// a nested one.
	result *vector.Vector
	// safe is TRY_CAST: fail makes a row null instead of failing.
	safe bool
	// buf is scratch for making strings.
	buf []byte
}

// fail is what a strict kernel calls for row i that raises err.
func (c *call) fail(i int, err error) error {
	if c.safe && !isLimit(err) {
		c.out.setNull(i)
		return nil
	}
	return err
}

// each calls f for every selected row.
func (c *call) each(f func(i int) error) error {
	if c.sel != nil {
		for _, i := range c.sel {
			if err := f(int(i)); err != nil {
				return err
			}
		}
		return nil
	}
	for i := range c.n {
		if err := f(i); err != nil {
			return err
		}
	}
	return nil
}

// eachValid calls f for every selected row without a null argument, until it
// returns an error. It is how kernels that are not strict find an error that
// their flag promised; there may be none.
func (c *call) eachValid(f func(i int) error) error {
	return c.each(func(i int) error {
		if c.valid != nil && !c.valid.Get(i) {
			return nil
		}
		return f(i)
	})
}

// eachNested builds a nested result: f appends exactly one row to b for every
// selected row, the others become null.
func (c *call) eachNested(f func(b *vector.Builder, i int) error) error {
	b := c.out.build(c.typ)
	next := 0
	for i := range c.n {
		wanted := c.sel == nil
		if !wanted && next < len(c.sel) && int(c.sel[next]) == i {
			wanted = true
			next++
		}
		var err error
		if wanted {
			err = f(b, i)
		} else {
			err = b.AppendNull()
		}
		if err != nil {
			return err
		}
	}
	c.result = b.Vector()
	return nil
}

// callNode evaluates a function.
type callNode struct {
	args     []node
	k        kern
	lenient  bool // CalledOnNull
	volatile bool
	c        call
	vals     []*vector.Vector
	flat     []*slot
	narrow   rowBuf
	used     referred
	both     vector.Bitmap
	dict     vector.Vector
	dictNull vector.Bitmap
}

func (c *compiler) call(e *expr.Call, sc *scope) (node, error) {
	if n, err := c.special(e, sc); n != nil || err != nil {
		return n, err
	}
	args, err := c.nodes(e.Args, sc)
	if err != nil {
		return nil, err
	}
	b := &binding{env: c.env, args: make([]*vector.Vector, len(args))}
	for i, a := range args {
		b.args[i] = asConst(a)
	}
	k, err := lookup(e.Fn, b)
	if err != nil {
		return nil, err
	}
	n := c.callNode(k, args, e.Fn.Result)
	n.lenient = e.Fn.Nulls == function.CalledOnNull
	n.volatile = e.Fn.Volatile
	return n, nil
}

func (c *compiler) callNode(k kern, args []node, result types.Type) *callNode {
	n := &callNode{args: args, k: k, vals: make([]*vector.Vector, len(args)), flat: make([]*slot, len(args))}
	for i := range args {
		n.flat[i] = c.slot()
	}
	n.c = call{env: c.env, out: c.slot(), typ: result}
	return n
}

func (n *callNode) eval(r *run, sel []int32) (*vector.Vector, error) {
	dict, varying := -1, 0
	for i, a := range n.args {
		v, err := a.eval(r, sel)
		if err != nil {
			return nil, err
		}
		n.vals[i] = v
		if v.Enc != vector.Const {
			varying++
			dict = i
		} else if !n.lenient && v.IsNull(0) {
			return n.null(r.n)
		}
	}
	if varying == 0 && !n.volatile {
		if rows(sel, r.n) == 0 {
			return n.null(r.n)
		}
		v, err := n.run(1, nil)
		if err != nil {
			return nil, err
		}
		return n.c.out.asConst(v, r.n), nil
	}
	if varying == 1 && !n.volatile && n.vals[dict].Enc == vector.Dict && (!n.lenient || n.vals[dict].Valid == nil) {
		if base := n.vals[dict].Base; base.N <= rows(sel, r.n) {
			return n.viaDict(dict, r.n, sel)
		}
	}
	for i, v := range n.vals {
		if v.Enc == vector.Dict {
			f, err := flatten(v, sel, n.flat[i])
			if err != nil {
				return nil, err
			}
			n.vals[i] = f
		}
	}
	return n.run(r.n, sel)
}

// null returns a constant null of n rows.
func (n *callNode) null(rows int) (*vector.Vector, error) {
	if n.c.typ.IsNested() {
		b := n.c.out.build(n.c.typ)
		if err := b.AppendNull(); err != nil {
			return nil, err
		}
		return n.c.out.asConst(b.Vector(), rows), nil
	}
	if err := n.c.out.begin(n.c.typ, 1); err != nil {
		return nil, err
	}
	clear(n.c.out.v.Data)
	n.c.out.setNull(0)
	return n.c.out.asConst(&n.c.out.v, rows), nil
}

// run calls the kernel on flat and constant arguments of size rows.
func (n *callNode) run(size int, sel []int32) (*vector.Vector, error) {
	c := &n.c
	c.args, c.n, c.sel, c.valid = n.vals, size, sel, nil
	if !c.typ.IsNested() {
		if err := c.out.begin(c.typ, size); err != nil {
			return nil, err
		}
		c.result = &c.out.v
	}
	if !n.lenient {
		n.joinValid(size)
		c.out.setValid(c.valid)
		if c.valid != nil && (n.k.strict || c.typ.IsNested()) {
			c.sel = selectBits(c.valid, sel, size, n.narrow.room(size))
		}
	}
	if err := n.k.eval(c); err != nil {
		return nil, err
	}
	return c.result, nil
}

// joinValid sets c.valid to the rows where every argument is there.
func (n *callNode) joinValid(size int) {
	for _, v := range n.vals {
		if v.Valid == nil || v.Enc == vector.Const {
			continue
		}
		if n.c.valid == nil {
			n.c.valid = v.Valid
			continue
		}
		n.both = n.both.And(n.c.valid, v.Valid, size)
		n.c.valid = n.both
	}
}

// selectBits writes the rows of sel that are in set to dst.
func selectBits(set vector.Bitmap, sel []int32, n int, dst []int32) []int32 {
	k := 0
	if sel == nil {
		for i := range n {
			dst[k] = int32(i)
			k += int(set[i>>6] >> (uint(i) & 63) & 1)
		}
		return dst[:k]
	}
	for _, i := range sel {
		dst[k] = i
		k += int(set[i>>6] >> (uint(i) & 63) & 1)
	}
	return dst[:k]
}

// viaDict evaluates the kernel on the entries of the k-th argument's
// dictionary, all other arguments being constant. Entries that no row refers
// to are left out where they could raise an error or be no values at all.
func (n *callNode) viaDict(k, size int, sel []int32) (*vector.Vector, error) {
	v := n.vals[k]
	if v.Base.N == 0 {
		return n.null(size)
	}
	var entries []int32
	if n.k.fallible || v.Sparse {
		entries = n.used.entries(v, sel, size)
	}
	n.vals[k] = v.Base
	base, err := n.run(v.Base.N, entries)
	if err != nil {
		return nil, err
	}
	if n.k.strict && typeIsBytes(n.c.typ) {
		n.blank(base, entries != nil)
	}
	n.dict = vector.Vector{
		Type: n.c.typ, Enc: vector.Dict, N: size, Idx: v.Idx, Valid: v.Valid, Base: base,
		Sparse: entries != nil,
	}
	if base.Valid != nil {
		n.dict.Valid = n.throughIndex(base.Valid, v, sel, size)
		base.Valid = nil
	}
	return &n.dict, nil
}

// blank makes the entries empty that the kernel was not shown: whoever looks
// at the whole dictionary later must find strings there.
func (n *callNode) blank(base *vector.Vector, some bool) {
	if !some && base.Valid == nil {
		return
	}
	for i, views := 0, vector.Values[vector.View](base); i < base.N; i++ {
		if some && !n.used.marks.Get(i) || base.IsNull(i) {
			views[i] = vector.View{}
		}
	}
}

// throughIndex returns the rows that are there and whose entry is in valid.
func (n *callNode) throughIndex(valid vector.Bitmap, v *vector.Vector, sel []int32, size int) vector.Bitmap {
	n.dictNull = n.dictNull.Resize(size).ClearAll()
	for j := range rows(sel, size) {
		i := j
		if sel != nil {
			i = int(sel[j])
		}
		if (v.Valid == nil || v.Valid.Get(i)) && valid.Get(int(v.Idx[i])) {
			n.dictNull.Set(i)
		}
	}
	return n.dictNull
}
