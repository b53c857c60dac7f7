package kernel

import (
	"fmt"

	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// ValueAt returns row i of v in the form of expr.Const.Value: nil for null.
// v is not lazy. It allocates: for constants and tests.
func ValueAt(v *vector.Vector, i int) any {
	if v.IsNull(i) {
		return nil
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
	case types.PhysList, types.PhysMap, types.PhysStruct:
		return nestedAt(v, i)
	}
	return nil
}

func nestedAt(v *vector.Vector, i int) any {
	f := holder(v)
	from, to := span(v, i)
	if v.Type.Kind == types.Map {
		out := make([][2]any, 0, to-from)
		for j := int(from); j < int(to); j++ {
			out = append(out, [2]any{ValueAt(f.Kids[0], j), ValueAt(f.Kids[1], j)})
		}
		return out
	}
	out := make([]any, 0, to-from)
	for j := int(from); j < int(to); j++ {
		for _, kid := range f.Kids {
			out = append(out, ValueAt(kid, j))
		}
	}
	return out
}

// AppendValue appends a constant's value, in the form of expr.Const.Value, to
// a builder of type t.
func AppendValue(b *vector.Builder, t types.Type, value any) error {
	if value == nil {
		return b.AppendNull()
	}
	switch x := value.(type) {
	case bool:
		return vector.Append(b, boolByte(x))
	case int64:
		return appendInt(b, t, x)
	case float32:
		return vector.Append(b, x)
	case float64:
		return vector.Append(b, x)
	case types.Int128:
		return vector.Append(b, x)
	case string:
		return b.AppendBytes([]byte(x))
	case []any:
		return appendElements(b, t, x)
	case [][2]any:
		for _, e := range x {
			for k := range e {
				if err := AppendValue(b.Kid(k), t.Elem(k), e[k]); err != nil {
					return err
				}
			}
		}
		return b.CloseRow()
	}
	return fmt.Errorf("append constant: no value of type %s is a %T", t, value)
}

func appendInt(b *vector.Builder, t types.Type, x int64) error {
	switch t.Physical() {
	case types.PhysInt8:
		return vector.Append(b, int8(x))
	case types.PhysInt16:
		return vector.Append(b, int16(x))
	case types.PhysInt32:
		return vector.Append(b, int32(x))
	case types.PhysInt64:
		return vector.Append(b, x)
	case types.PhysInt128:
		return vector.Append(b, types.Int128Of(x))
	}
	return fmt.Errorf("append constant: no value of type %s is an int64", t)
}

func appendElements(b *vector.Builder, t types.Type, xs []any) error {
	for i, x := range xs {
		kid := 0
		if t.Kind == types.Row {
			kid = i
		}
		if err := AppendValue(b.Kid(kid), t.Elem(kid), x); err != nil {
			return err
		}
	}
	return b.CloseRow()
}
