package optest

import (
	"fmt"

	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// Value returns row i of v, whatever its encoding but lazy.
func Value(v *vector.Vector, i int) any {
	if v.Type.Physical() == types.PhysNull || v.IsNull(i) {
		return nil
	}
	if v.Enc == vector.Dict {
		return Value(v.Base, int(v.Idx[i]))
	}
	if v.Enc == vector.Const {
		i = 0
	}
	switch v.Type.Physical() {
	case types.PhysBool:
		return vector.Value[uint8](v, i) != 0
	case types.PhysInt8:
		return int64(vector.Value[int8](v, i))
	case types.PhysInt16:
		return int64(vector.Value[int16](v, i))
	case types.PhysInt32:
		return int64(vector.Value[int32](v, i))
	case types.PhysInt64:
		return vector.Value[int64](v, i)
	case types.PhysFloat:
		return vector.Value[float32](v, i)
	case types.PhysDouble:
		return vector.Value[float64](v, i)
	case types.PhysInt128:
		return vector.Value[types.Int128](v, i)
	case types.PhysBytes:
		return string(v.Bytes(i))
	}
	return nestedValue(v, i)
}

func nestedValue(v *vector.Vector, i int) any {
	if v.Type.Physical() == types.PhysStruct {
		out := make([]any, len(v.Kids))
		for k, kid := range v.Kids {
			out[k] = Value(kid, i)
		}
		return out
	}
	from, to := int(v.Offsets[i]), int(v.Offsets[i+1])
	if v.Type.Physical() == types.PhysMap {
		out := make([][2]any, 0, to-from)
		for j := from; j < to; j++ {
			out = append(out, [2]any{Value(v.Kids[0], j), Value(v.Kids[1], j)})
		}
		return out
	}
	out := make([]any, 0, to-from)
	for j := from; j < to; j++ {
		out = append(out, Value(v.Kids[0], j))
	}
	return out
}

// Append appends x, in the Go form of expr.Const, to b, whose type is t.
func Append(b *vector.Builder, t types.Type, x any) error {
	if x == nil {
		return b.AppendNull()
	}
	switch t.Physical() {
	case types.PhysBool:
		n := uint8(0)
		if x.(bool) {
			n = 1
		}
		return vector.Append(b, n)
	case types.PhysInt8:
		return vector.Append(b, int8(x.(int64)))
	case types.PhysInt16:
		return vector.Append(b, int16(x.(int64)))
	case types.PhysInt32:
		return vector.Append(b, int32(x.(int64)))
	case types.PhysInt64:
		return vector.Append(b, x.(int64))
	case types.PhysFloat:
		return vector.Append(b, x.(float32))
	case types.PhysDouble:
		return vector.Append(b, x.(float64))
	case types.PhysInt128:
		return vector.Append(b, x.(types.Int128))
	case types.PhysBytes:
		return b.AppendBytes([]byte(x.(string)))
	}
	return appendNested(b, t, x)
}

func appendNested(b *vector.Builder, t types.Type, x any) error {
	switch t.Physical() {
	case types.PhysStruct:
		for k, f := range x.([]any) {
			if err := Append(b.Kid(k), t.Elem(k), f); err != nil {
				return err
			}
		}
	case types.PhysList:
		for _, e := range x.([]any) {
			if err := Append(b.Kid(0), t.Elem(0), e); err != nil {
				return err
			}
		}
	case types.PhysMap:
		for _, e := range x.([][2]any) {
			for k := range 2 {
				if err := Append(b.Kid(k), t.Elem(k), e[k]); err != nil {
					return err
				}
			}
		}
	default:
		return fmt.Errorf("append a value of type %s: no such layout", t)
	}
	return b.CloseRow()
}
