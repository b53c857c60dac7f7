package kernel

import (
	"slices"

	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// arrayKernels are the functions of arrays, and the ones arrays share with maps.
var arrayKernels = map[string]builder{
	function.OpArray: arrayKernel, function.OpSubscript: elementKernel(true), "element_at": elementKernel(false),
	"cardinality": rowwise(cardinality), "contains": containsKernel, "array_position": positionKernel,
	"array_join": joinKernel, "array_sort": sortKernel, "array_distinct": distinctArray,
	"array_max": arrayExtreme(1), "array_min": arrayExtreme(-1), "sequence": sequenceKernel,
	"slice": sliceKernel, "flatten": flattenKernel, "repeat": repeatKernel,
}

// list reads an array argument row by row: the range of its child's rows.
type list struct {
	v    *vector.Vector
	kid  *vector.Vector
	mask int
}

func (c *call) list(k int) list {
	return list{v: c.args[k], kid: c.args[k].Kids[0], mask: maskOf(c.args[k])}
}

func (l *list) at(i int) (from, to int) {
	i &= l.mask
	return int(l.v.Offsets[i]), int(l.v.Offsets[i+1])
}

// appendOne appends row i of v.
func appendOne(b *vector.Builder, v *vector.Vector, i int) error {
	row := [1]int32{int32(i)}
	return appendRow(b, v, row[:])
}

func arrayKernel(*function.Scalar, *binding) (kern, error) {
	return kern{eval: func(c *call) error {
		return c.eachNested(func(b *vector.Builder, i int) error {
			for _, v := range c.args {
				if err := appendOne(b.Kid(0), v, i); err != nil {
					return err
				}
			}
			return b.CloseRow()
		})
	}}, nil
}

// concatArrays is || of arrays and elements.
func concatArrays(fn *function.Scalar) (kern, error) {
	return kern{strict: true, eval: func(c *call) error {
		return c.eachNested(func(b *vector.Builder, i int) error {
			for k, v := range c.args {
				if fn.Args[k].Kind != types.Array || !fn.Args[k].Equal(fn.Result) && fn.Args[k].Equal(fn.Result.Elem(0)) {
					if err := appendOne(b.Kid(0), v, i); err != nil {
						return err
					}
					continue
				}
				l := c.list(k)
				from, to := l.at(i)
				for j := from; j < to; j++ {
					if err := appendOne(b.Kid(0), l.kid, j); err != nil {
						return err
					}
				}
			}
			return b.CloseRow()
		})
	}}, nil
}

// elementKernel is a[i] and m[k] (strict) or element_at.
func elementKernel(strict bool) builder {
	return func(fn *function.Scalar, _ *binding) (kern, error) {
		switch fn.Args[0].Kind {
		case types.Array:
			return pickKernel(func(c *call) pick {
				l, index := c.list(0), c.ints(1)
				return func(i int) (*vector.Vector, int, error) {
					from, to := l.at(i)
					at, err := arrayIndex(index(i), int64(to-from), strict)
					if at < 0 || err != nil {
						return nil, 0, err
					}
					return l.kid, from + int(at), nil
				}
			}), nil
		case types.Map:
			key := fn.Args[0].Elem(0)
			return pickKernel(func(c *call) pick {
				return func(i int) (*vector.Vector, int, error) {
					from, to := span(c.args[0], i)
					m := findKey(key, c.args[1], i, c.args[0].Kids[0], from, to)
					if m >= 0 {
						return c.args[0].Kids[1], m, nil
					}
					if strict {
						return nil, 0, invalid("Key not present in map: %s", keyText(c.args[1], i))
					}
					return nil, 0, nil
				}
			}), nil
		}
		return kern{}, unsupported(fn)
	}
}

// arrayIndex turns a subscript into a place from 0, -1 for null.
func arrayIndex(k, size int64, strict bool) (int64, error) {
	switch {
	case k == 0:
		return 0, invalid("SQL array indices start at 1")
	case k < 0 && strict:
		return 0, invalid("Array subscript is negative: %d", k)
	case k > size && strict:
		return 0, invalid("Array subscript must be less than or equal to array length: %d > %d", k, size)
	case k > size || k < -size:
		return -1, nil
	case k < 0:
		return size + k, nil
	}
	return k - 1, nil
}

// keyText prints a map key in an error.
func keyText(v *vector.Vector, i int) string {
	prepare, ok := textOf(v.Type)
	if !ok {
		if typeIsBytes(v.Type) {
			return string(v.Bytes(i))
		}
		return v.Type.String()
	}
	c := &call{args: []*vector.Vector{v}}
	return string(prepare(c)(nil, i))
}

// pick says which row of which vector is the result of row i; nil means null.
type pick func(i int) (v *vector.Vector, row int, err error)

// pickKernel is a kernel whose result is, row by row, a row of another vector.
func pickKernel(prepare func(c *call) pick) kern {
	return kern{strict: true, fallible: true, eval: func(c *call) error {
		b, at := c.out.build(c.typ), prepare(c)
		err := c.fill(b, func(i int) error {
			v, j, err := at(i)
			if err != nil {
				return err
			}
			if v == nil {
				return b.AppendNull()
			}
			return appendOne(b, v, j)
		})
		c.result = b.Vector()
		return err
	}}
}

// fill calls f for every selected row, which appends one row to b, and makes
// the others null.
func (c *call) fill(b *vector.Builder, f func(i int) error) error {
	next := 0
	for i := range c.n {
		if c.sel != nil {
			if next == len(c.sel) || int(c.sel[next]) != i {
				if err := b.AppendNull(); err != nil {
					return err
				}
				continue
			}
			next++
		}
		if err := f(i); err != nil {
			return err
		}
	}
	return nil
}

func cardinality(c *call) func(i int) error {
	res := out[int64](c.out)
	return func(i int) error {
		from, to := span(c.args[0], i)
		res[i] = int64(to - from)
		return nil
	}
}

// containsKernel is contains: null if the value is not there but a null is.
func containsKernel(fn *function.Scalar, _ *binding) (kern, error) {
	t := fn.Args[1]
	return kern{strict: true, eval: func(c *call) error {
		l, res := c.list(0), out[uint8](c.out)
		return c.each(func(i int) error {
			from, to := l.at(i)
			found, unknown := false, false
			for j := from; j < to && !found; j++ {
				eq, dunno := equal3(t, l.kid, j, c.args[1], i, false)
				found, unknown = eq && !dunno, unknown || dunno
			}
			res[i] = boolByte(found)
			if !found && unknown {
				c.out.setNull(i)
			}
			return nil
		})
	}}, nil
}

func positionKernel(fn *function.Scalar, _ *binding) (kern, error) {
	t := fn.Args[1]
	return kern{strict: true, eval: func(c *call) error {
		l, res := c.list(0), out[int64](c.out)
		return c.each(func(i int) error {
			from, to := l.at(i)
			res[i] = 0
			for j := from; j < to; j++ {
				if eq, unknown := equal3(t, l.kid, j, c.args[1], i, false); eq && !unknown {
					res[i] = int64(j-from) + 1
					break
				}
			}
			return nil
		})
	}}, nil
}

// joinKernel is array_join: elements as CAST to varchar writes them, nulls
// left out or replaced by the third argument.
func joinKernel(fn *function.Scalar, _ *binding) (kern, error) {
	t := fn.Args[0].Elem(0)
	prepare, ok := textOf(t)
	if !ok && !typeIsBytes(t) && t.Kind != types.Unknown {
		return kern{}, qerr.NotSupported(qerr.Pos{}, "array_join of %s", fn.Args[0])
	}
	return rowKern(func(c *call) func(i int) error {
		l, sep := c.list(0), c.bytes(1)
		var text appender
		switch {
		case typeIsBytes(t):
			text = func(dst []byte, j int) []byte { return padElement(dst, l.kid.Bytes(j), t) }
		case prepare != nil:
			flat := *l.kid
			text = prepare(&call{args: []*vector.Vector{&flat}})
		}
		return func(i int) error {
			from, to := l.at(i)
			c.buf = c.buf[:0]
			first := true
			for j := from; j < to; j++ {
				null := l.kid.IsNull(j)
				if null && len(c.args) < 3 {
					continue
				}
				if !first {
					c.buf = append(c.buf, sep.at(i)...)
				}
				first = false
				if null {
					with := c.bytes(2)
					c.buf = append(c.buf, with.at(i)...)
				} else {
					c.buf = text(c.buf, j)
				}
			}
			return c.out.putBytes(i, c.buf)
		}
	}), nil
}

func padElement(dst, b []byte, t types.Type) []byte {
	if t.Kind == types.Char {
		return append(dst, padChar(append([]byte(nil), b...), t)...)
	}
	return append(dst, b...)
}

// arranged is a kernel that picks elements of an array: order returns the
// places wanted, in their order.
func arranged(order func(v *vector.Vector, from, to int, dst []int32) []int32) kern {
	var places []int32
	return kern{strict: true, eval: func(c *call) error {
		l := c.list(0)
		return c.eachNested(func(b *vector.Builder, i int) error {
			from, to := l.at(i)
			places = order(l.kid, from, to, places[:0])
			if len(places) > 0 {
				if err := b.Kid(0).AppendRows(l.kid, places); err != nil {
					return err
				}
			}
			return b.CloseRow()
		})
	}}
}

func sortKernel(fn *function.Scalar, _ *binding) (kern, error) {
	cmp := Comparator(fn.Args[0].Elem(0))
	return arranged(func(v *vector.Vector, from, to int, dst []int32) []int32 {
		for j := from; j < to; j++ {
			dst = append(dst, int32(j))
		}
		slices.SortStableFunc(dst, func(a, b int32) int { return cmp(v, int(a), v, int(b)) })
		return dst
	}), nil
}

// distinctArray keeps the first of elements that are not distinct, looking
// them up by hash.
func distinctArray(fn *function.Scalar, _ *binding) (kern, error) {
	t := fn.Args[0].Elem(0)
	seen := map[uint64][]int32{}
	return arranged(func(v *vector.Vector, from, to int, dst []int32) []int32 {
		clear(seen)
		for j := from; j < to; j++ {
			h := hashValue(v, j)
			known := slices.ContainsFunc(seen[h], func(k int32) bool {
				same, _ := equal3(t, v, int(k), v, j, true)
				return same
			})
			if !known {
				seen[h] = append(seen[h], int32(j))
				dst = append(dst, int32(j))
			}
		}
		return dst
	}), nil
}

// arrayExtreme is array_max (sign 1) or array_min (-1): null if any element
// is, or there is none; NaN loses against numbers.
func arrayExtreme(sign int) builder {
	return func(fn *function.Scalar, _ *binding) (kern, error) {
		t := fn.Args[0].Elem(0)
		order := valueOrder(t, sign > 0)
		return pickKernel(func(c *call) pick {
			l := c.list(0)
			return func(i int) (*vector.Vector, int, error) {
				from, to := l.at(i)
				if best := extremeOf(l.kid, from, to, sign, order); best >= 0 {
					return l.kid, best, nil
				}
				return nil, 0, nil
			}
		}), nil
	}
}

// extremeOf returns the row of the largest or smallest value, or -1.
func extremeOf(v *vector.Vector, from, to, sign int, order Compare) int {
	best := -1
	for j := from; j < to; j++ {
		switch {
		case v.IsNull(j):
			return -1
		case best < 0, order(v, j, v, best)*sign > 0:
			best = j
		}
	}
	return best
}

// maxSequence is the most elements that sequence makes.
const maxSequence = 10000

func sequenceKernel(fn *function.Scalar, _ *binding) (kern, error) {
	isDate := fn.Args[0].Kind == types.Date
	return kern{strict: true, fallible: true, eval: func(c *call) error {
		start, stop := c.ints(0), c.ints(1)
		var step func(i int) int64
		if len(c.args) > 2 {
			step = c.ints(2)
		}
		return c.eachNested(func(b *vector.Builder, i int) error {
			from, to, by := start(i), stop(i), int64(1)
			if from > to {
				by = -1
			}
			if step != nil {
				by = step(i)
			}
			if isDate && step != nil {
				if by%types.MillisPerDay != 0 {
					return invalid("sequence step must be a day interval if start and end values are dates")
				}
				by /= types.MillisPerDay
			}
			n, err := sequenceLength(from, to, by)
			if err != nil {
				return err
			}
			for ; n > 0; n-- {
				if isDate {
					err = vector.Append(b.Kid(0), int32(from))
				} else {
					err = vector.Append(b.Kid(0), from)
				}
				if err != nil {
					return err
				}
				from += by
			}
			return b.CloseRow()
		})
	}}, nil
}

func sequenceLength(from, to, by int64) (uint64, error) {
	if by == 0 {
		return 0, invalid("step must not be zero")
	}
	span, step := uint64(to)-uint64(from), uint64(by)
	if by < 0 {
		span, step = -span, -step
	}
	if by > 0 && to < from || by < 0 && to > from {
		return 0, invalid("sequence stop value should be greater than or equal to start value if step is greater than zero otherwise stop should be less than or equal to start")
	}
	if span/step >= maxSequence {
		return 0, invalid("result of sequence function must not have more than %d entries", maxSequence)
	}
	return span/step + 1, nil
}
