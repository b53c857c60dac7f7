package exchange

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tuttidb/tutti/sql/types"
)

// Schema returns the Arrow schema of frames with columns of these types. It
// says how the bytes lie, not what they mean: both ends know the SQL types
// from the plan, so it never travels. Booleans are bytes, 128-bit values
// fixed-size binary, strings views, maps lists of key and value.
func Schema(ts []types.Type) *arrow.Schema {
	return arrow.NewSchema(fields(ts), nil)
}

func fields(ts []types.Type) []arrow.Field {
	out := make([]arrow.Field, len(ts))
	for i, t := range ts {
		out[i] = arrow.Field{Name: fmt.Sprint(i), Type: arrowType(t), Nullable: true}
	}
	return out
}

func arrowType(t types.Type) arrow.DataType {
	switch t.Physical() {
	case types.PhysBool:
		return arrow.PrimitiveTypes.Uint8
	case types.PhysInt8:
		return arrow.PrimitiveTypes.Int8
	case types.PhysInt16:
		return arrow.PrimitiveTypes.Int16
	case types.PhysInt32:
		return arrow.PrimitiveTypes.Int32
	case types.PhysInt64:
		return arrow.PrimitiveTypes.Int64
	case types.PhysFloat:
		return arrow.PrimitiveTypes.Float32
	case types.PhysDouble:
		return arrow.PrimitiveTypes.Float64
	case types.PhysInt128:
		return &arrow.FixedSizeBinaryType{ByteWidth: 16}
	case types.PhysBytes:
		return arrow.BinaryTypes.BinaryView
	case types.PhysList:
		return arrow.ListOf(arrowType(t.Elem(0)))
	case types.PhysMap:
		return arrow.ListOf(arrow.StructOf(fields(t.Elems())...))
	case types.PhysStruct:
		return arrow.StructOf(fields(t.Elems())...)
	}
	return arrow.Null
}
