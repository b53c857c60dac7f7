package kernel

import (
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/function"
)

// mapKernels are the functions of maps.
var mapKernels = map[string]builder{
	"map": mapKernel, "map_keys": mapSide(0), "map_values": mapSide(1),
}

// mapKernel makes a map of two arrays, or an empty one.
func mapKernel(fn *function.Scalar, _ *binding) (kern, error) {
	return kern{strict: true, fallible: true, eval: func(c *call) error {
		if len(c.args) == 0 {
			return c.eachNested(func(b *vector.Builder, _ int) error { return b.CloseRow() })
		}
		keys, vals := c.list(0), c.list(1)
		return c.eachNested(func(b *vector.Builder, i int) error {
			kf, kt := keys.at(i)
			vf, vt := vals.at(i)
			if kt-kf != vt-vf {
				return invalid("Key and value arrays must be the same length")
			}
			for j := range kt - kf {
				if err := checkKey(fn, keys.kid, kf, kf+j); err != nil {
					return err
				}
				if err := appendOne(b.Kid(0), keys.kid, kf+j); err != nil {
					return err
				}
				if err := appendOne(b.Kid(1), vals.kid, vf+j); err != nil {
					return err
				}
			}
			return b.CloseRow()
		})
	}}, nil
}

// checkKey returns an error if the key at row j of v is null or one of those
// from row first on.
func checkKey(fn *function.Scalar, v *vector.Vector, first, j int) error {
	t := fn.Result.Elem(0)
	if v.IsNull(j) {
		return invalid("map key cannot be null")
	}
	if _, unknown := equal3(t, v, j, v, j, false); unknown {
		return invalid("map key cannot be indeterminate: %v", ValueAt(v, j))
	}
	if findKey(t, v, j, v, int32(first), int32(j)) >= 0 {
		return invalid("Duplicate map keys (%s) are not allowed", keyText(v, j))
	}
	return nil
}

// mapSide returns the keys or the values as an array.
func mapSide(side int) builder {
	return func(*function.Scalar, *binding) (kern, error) {
		return kern{strict: true, eval: func(c *call) error {
			kid := c.args[0].Kids[side]
			return c.eachNested(func(b *vector.Builder, i int) error {
				from, to := span(c.args[0], i)
				for j := from; j < to; j++ {
					if err := appendOne(b.Kid(0), kid, int(j)); err != nil {
						return err
					}
				}
				return b.CloseRow()
			})
		}}, nil
	}
}
