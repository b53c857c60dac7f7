package kernel

import (
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/function"
)

// reverseArray is reverse of an array.
func reverseArray() kern {
	return arranged(func(_ *vector.Vector, from, to int, dst []int32) []int32 {
		for j := to - 1; j >= from; j-- {
			dst = append(dst, int32(j))
		}
		return dst
	})
}

// appendRange appends rows from to to of v, one by one.
func appendRange(b, elems *vector.Builder, v *vector.Vector, from, to int) error {
	for j := from; j < to; j++ {
		if err := appendOne(elems, v, j); err != nil {
			return err
		}
	}
	return b.CloseRow()
}

// sliceKernel is slice(a, start, length): from the start-th element, counted
// from the end if negative, as many as there are.
func sliceKernel(*function.Scalar, *binding) (kern, error) {
	return kern{strict: true, fallible: true, eval: func(c *call) error {
		l, start, length := c.list(0), c.ints(1), c.ints(2)
		return c.eachNested(func(b *vector.Builder, i int) error {
			from, to := l.at(i)
			at, n := start(i), length(i)
			size := int64(to - from)
			switch {
			case at == 0:
				return invalid("SQL array indices start at 1")
			case n < 0:
				return invalid("length must be greater than or equal to 0")
			case at < 0:
				at += size + 1
			}
			if at < 1 || at > size {
				return b.CloseRow()
			}
			first := from + int(at) - 1
			return appendRange(b, b.Kid(0), l.kid, first, first+int(min(n, size-at+1)))
		})
	}}, nil
}

// flattenKernel joins the arrays in an array, leaving out those that are null.
func flattenKernel(*function.Scalar, *binding) (kern, error) {
	return kern{strict: true, eval: func(c *call) error {
		l := c.list(0)
		return c.eachNested(func(b *vector.Builder, i int) error {
			from, to := l.at(i)
			for j := from; j < to; j++ {
				if l.kid.IsNull(j) {
					continue
				}
				first, last := span(l.kid, j)
				for k := first; k < last; k++ {
					if err := appendOne(b.Kid(0), holder(l.kid).Kids[0], int(k)); err != nil {
						return err
					}
				}
			}
			return b.CloseRow()
		})
	}}, nil
}

// maxRepeat is the most elements that repeat makes.
const maxRepeat = 10000

// repeatKernel is repeat(x, n): x may be null, n may not.
func repeatKernel(*function.Scalar, *binding) (kern, error) {
	return kern{fallible: true, eval: func(c *call) error {
		count := c.ints(1)
		return c.eachNested(func(b *vector.Builder, i int) error {
			if c.args[1].IsNull(i) {
				return b.AppendNull()
			}
			n := count(i)
			if n > maxRepeat {
				return invalid("count argument of repeat function must be less than or equal to 10000")
			}
			for ; n > 0; n-- {
				if err := appendOne(b.Kid(0), c.args[0], i); err != nil {
					return err
				}
			}
			return b.CloseRow()
		})
	}}, nil
}
