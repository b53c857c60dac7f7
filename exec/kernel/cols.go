package kernel

import (
	"maps"

	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// kernels finds the code of each function by name.
var kernels = joined(arithmeticKernels, comparisonKernels, mathKernels, stringKernels, textKernels,
	regexpKernels, binaryKernels, dateKernels, dateFormatKernels, arrayKernels, mapKernels, failKernels)

func joined(sets ...map[string]builder) map[string]builder {
	all := map[string]builder{}
	for _, s := range sets {
		maps.Copy(all, s)
	}
	return all
}

// argCol reads a flat or constant argument row by row without a branch: a
// constant's mask sends every row to entry 0.
type argCol[T vector.Fixed] struct {
	vals []T
	mask int
}

func (c *argCol[T]) at(i int) T { return c.vals[i&c.mask] }

// arg returns the k-th argument of a call as an argCol.
func arg[T vector.Fixed](c *call, k int) argCol[T] {
	return argCol[T]{vals: vector.Values[T](c.args[k]), mask: maskOf(c.args[k])}
}

func maskOf(v *vector.Vector) int {
	if v.Enc == vector.Const {
		return 0
	}
	return -1
}

// bytesCol reads a string argument row by row.
type bytesCol struct {
	views []vector.View
	heap  [][]byte
	mask  int
}

func (c *bytesCol) at(i int) []byte { return c.views[i&c.mask].Bytes(c.heap) }

// bytes returns the k-th argument as strings.
func (c *call) bytes(k int) bytesCol {
	v := c.args[k]
	return bytesCol{views: vector.Values[vector.View](v), heap: v.Heap, mask: maskOf(v)}
}

// padded returns the k-th argument, of string type t, with the blanks that a char
// has. A text holds until the next one is asked for.
func (c *call) padded(k int, t types.Type) func(i int) []byte {
	a := c.bytes(k)
	if t.Kind != types.Char {
		return a.at
	}
	var wide []byte
	return func(i int) []byte {
		wide = padChar(append(wide[:0], a.at(i)...), t)
		return wide
	}
}

// ints returns the k-th argument, any integer layout, as int64.
func (c *call) ints(k int) func(i int) int64 {
	switch c.args[k].Type.Physical() {
	case types.PhysInt8:
		return widened[int8](c, k)
	case types.PhysInt16:
		return widened[int16](c, k)
	case types.PhysInt32:
		return widened[int32](c, k)
	case types.PhysBool:
		return widened[uint8](c, k)
	}
	return widened[int64](c, k)
}

// intsOr is ints of an argument that may be left out.
func (c *call) intsOr(k int, missing int64) func(i int) int64 {
	if k < len(c.args) {
		return c.ints(k)
	}
	return func(int) int64 { return missing }
}

func widened[T uint8 | int8 | int16 | int32 | int64](c *call, k int) func(i int) int64 {
	a := arg[T](c, k)
	return func(i int) int64 { return int64(a.at(i)) }
}

// wideCol reads decimals of either size as 128 bits.
type wideCol struct {
	short argCol[int64]
	long  argCol[types.Int128]
	isBig bool
}

func (c *wideCol) at(i int) types.Int128 {
	if c.isBig {
		return c.long.at(i)
	}
	return types.Int128Of(c.short.at(i))
}

// wides returns the k-th argument, a decimal, as 128-bit numbers.
func (c *call) wides(k int) wideCol {
	if c.args[k].Type.Physical() == types.PhysInt128 {
		return wideCol{long: arg[types.Int128](c, k), isBig: true}
	}
	return wideCol{short: arg[int64](c, k)}
}

// putWide writes a decimal of the result's size.
func putWide(c *call) func(i int, v types.Int128) {
	if c.typ.Physical() == types.PhysInt128 {
		res := out[types.Int128](c.out)
		return func(i int, v types.Int128) { res[i] = v }
	}
	res := out[int64](c.out)
	return func(i int, v types.Int128) { res[i] = v.Int64() }
}

// map1 is a kernel of one number that cannot fail.
func map1[A, R vector.Fixed](f func(a A) R) kern {
	return kern{eval: func(c *call) error {
		a, res := arg[A](c, 0), out[R](c.out)
		if c.sel == nil {
			for i := range res {
				res[i] = f(a.at(i))
			}
			return nil
		}
		for _, i := range c.sel {
			res[i] = f(a.at(int(i)))
		}
		return nil
	}}
}

// map2 is a kernel of two numbers that cannot fail.
func map2[A, B, R vector.Fixed](f func(a A, b B) R) kern {
	return kern{eval: func(c *call) error {
		a, b, res := arg[A](c, 0), arg[B](c, 1), out[R](c.out)
		if c.sel == nil {
			for i := range res {
				res[i] = f(a.at(i), b.at(i))
			}
			return nil
		}
		for _, i := range c.sel {
			res[i] = f(a.at(int(i)), b.at(int(i)))
		}
		return nil
	}}
}

// try1 and try2 are their forms that can fail.
func try1[A, R vector.Fixed](f func(a A) (R, error)) kern {
	return kern{strict: true, fallible: true, eval: func(c *call) error {
		a, res := arg[A](c, 0), out[R](c.out)
		return c.each(func(i int) (err error) {
			if res[i], err = f(a.at(i)); err != nil {
				return c.fail(i, err)
			}
			return nil
		})
	}}
}

func try2[A, B, R vector.Fixed](f func(a A, b B) (R, error)) kern {
	return kern{strict: true, fallible: true, eval: func(c *call) error {
		a, b, res := arg[A](c, 0), arg[B](c, 1), out[R](c.out)
		return c.each(func(i int) (err error) {
			if res[i], err = f(a.at(i), b.at(i)); err != nil {
				return c.fail(i, err)
			}
			return nil
		})
	}}
}

// rowwise is a strict kernel written as a function of the row; prepare reads
// the arguments once a batch.
func rowwise(prepare func(c *call) func(i int) error) builder {
	return func(*function.Scalar, *binding) (kern, error) { return rowKern(prepare), nil }
}

func rowKern(prepare func(c *call) func(i int) error) kern {
	return kern{strict: true, fallible: true, eval: func(c *call) error {
		f := prepare(c)
		return c.each(func(i int) error {
			if err := f(i); err != nil {
				return c.fail(i, err)
			}
			return nil
		})
	}}
}

// fixedKern makes the builder of a kernel that does not depend on types.
func fixedKern(k kern) builder {
	return func(*function.Scalar, *binding) (kern, error) { return k, nil }
}

// physical returns the layouts of a function's arguments.
func physical(fn *function.Scalar, k int) types.Physical {
	if k >= len(fn.Args) {
		return types.PhysNull
	}
	return fn.Args[k].Physical()
}
