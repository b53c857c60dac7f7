package exchange

import (
	"fmt"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// arrowType returns the Arrow type that carries a SQL type's physical layout
// between nodes. It says how the bytes lie, not what they mean: both ends
// know the SQL types from the plan. Booleans travel as bytes and 128-bit
// values as fixed-size binary.
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
		return arrow.ListOf(structOf(t.Elems()))
	case types.PhysStruct:
		return structOf(t.Elems())
	}
	return arrow.Null
}

func structOf(elems []types.Type) arrow.DataType {
	fields := make([]arrow.Field, len(elems))
	for i, e := range elems {
		fields[i] = arrow.Field{Name: fmt.Sprint(i), Type: arrowType(e), Nullable: true}
	}
	return arrow.StructOf(fields...)
}

// arrowSchema returns the schema of frames with columns of these types.
func arrowSchema(ts []types.Type) *arrow.Schema {
	fields := make([]arrow.Field, len(ts))
	for i, t := range ts {
		fields[i] = arrow.Field{Name: fmt.Sprint(i), Type: arrowType(t), Nullable: true}
	}
	return arrow.NewSchema(fields, nil)
}

// toArrow wraps a flat vector without copying; the result is valid as long as v.
func toArrow(v *vector.Vector) *array.Data {
	if v.Type.Physical() == types.PhysNull {
		return array.NewData(arrow.Null, v.N, []*memory.Buffer{nil}, nil, v.N, 0)
	}
	valid, nulls := validity(v)
	switch v.Type.Physical() {
	case types.PhysBytes:
		bufs := []*memory.Buffer{valid, memory.NewBufferBytes(v.Data)}
		for _, h := range v.Heap {
			bufs = append(bufs, memory.NewBufferBytes(h))
		}
		return array.NewData(arrowType(v.Type), v.N, bufs, nil, nulls, 0)
	case types.PhysList:
		bufs := []*memory.Buffer{valid, offsets(v)}
		return array.NewData(arrowType(v.Type), v.N, bufs, kids(v), nulls, 0)
	case types.PhysMap:
		entries := arrowType(v.Type).(*arrow.ListType).Elem()
		inner := array.NewData(entries, v.Kids[0].N, []*memory.Buffer{nil}, kids(v), 0, 0)
		return array.NewData(arrowType(v.Type), v.N, []*memory.Buffer{valid, offsets(v)}, []arrow.ArrayData{inner}, nulls, 0)
	case types.PhysStruct:
		return array.NewData(arrowType(v.Type), v.N, []*memory.Buffer{valid}, kids(v), nulls, 0)
	}
	return array.NewData(arrowType(v.Type), v.N, []*memory.Buffer{valid, memory.NewBufferBytes(v.Data)}, nil, nulls, 0)
}

func kids(v *vector.Vector) []arrow.ArrayData {
	out := make([]arrow.ArrayData, len(v.Kids))
	for i, k := range v.Kids {
		out[i] = toArrow(k)
	}
	return out
}

func offsets(v *vector.Vector) *memory.Buffer {
	if len(v.Offsets) == 0 {
		return memory.NewBufferBytes(make([]byte, 4))
	}
	return memory.NewBufferBytes(vector.AsBytes(v.Offsets))
}

func validity(v *vector.Vector) (*memory.Buffer, int) {
	if v.Valid == nil {
		return nil, 0
	}
	words := []uint64(v.Valid)
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), len(words)*8)
	return memory.NewBufferBytes(bytes[:(v.N+7)/8]), v.N - v.Valid.Count(v.N)
}

// fromArrow wraps a decoded array as a flat vector that aliases its buffers.
// Every length and offset is checked: the bytes come from the network.
func fromArrow(d arrow.ArrayData, t types.Type) (*vector.Vector, error) {
	v := &vector.Vector{Type: t, Enc: vector.Flat, N: d.Len()}
	bufs := d.Buffers()
	if d.Offset() != 0 || d.Len() < 0 {
		return nil, fmt.Errorf("array with offset %d, length %d", d.Offset(), d.Len())
	}
	if t.Physical() == types.PhysNull {
		v.Valid = make(vector.Bitmap, (v.N+63)/64)
		return v, nil
	}
	if err := setValidity(v, d, bufs); err != nil {
		return nil, err
	}
	switch p := t.Physical(); p {
	case types.PhysList, types.PhysMap, types.PhysStruct:
		return v, fromNested(v, d)
	default:
		return v, fromFlat(v, bufs, p.Width())
	}
}

// setValidity copies the validity bitmap: it is small, and words need an
// alignment that bytes from the network may lack.
func setValidity(v *vector.Vector, d arrow.ArrayData, bufs []*memory.Buffer) error {
	if len(bufs) == 0 || bufs[0] == nil || d.NullN() == 0 {
		return nil
	}
	src := bufs[0].Bytes()
	if len(src) < (v.N+7)/8 {
		return fmt.Errorf("validity of %d bytes for %d rows", len(src), v.N)
	}
	v.Valid = make(vector.Bitmap, (v.N+63)/64)
	words := []uint64(v.Valid)
	if len(words) > 0 {
		copy(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), len(words)*8), src[:(v.N+7)/8])
	}
	return nil
}

func fromFlat(v *vector.Vector, bufs []*memory.Buffer, width int) error {
	if v.N == 0 {
		return nil
	}
	if len(bufs) < 2 || bufs[1] == nil || bufs[1].Len() < v.N*width {
		return fmt.Errorf("too little data for %d rows of %s", v.N, v.Type)
	}
	v.Data = aligned(bufs[1].Bytes()[:v.N*width])
	if v.Type.Physical() != types.PhysBytes {
		return nil
	}
	for _, h := range bufs[2:] {
		v.Heap = append(v.Heap, h.Bytes())
	}
	return checkViews(v)
}

// aligned returns b, or a copy of it if values of 8 bytes may not lie there.
func aligned(b []byte) []byte {
	if uintptr(unsafe.Pointer(unsafe.SliceData(b)))%8 == 0 {
		return b
	}
	out := vector.AsBytes(make([]types.Int128, (len(b)+15)/16))[:len(b)]
	copy(out, b)
	return out
}

// checkViews makes sure that every view points into the heap.
func checkViews(v *vector.Vector) error {
	views := vector.Values[vector.View](v)
	for i := range views {
		if views[i].IsInline() {
			continue
		}
		buf, off := views[i].Ref()
		if buf >= len(v.Heap) || off+int(views[i].Len) > len(v.Heap[buf]) {
			if v.IsNull(i) {
				views[i] = vector.View{}
				continue
			}
			return fmt.Errorf("string of row %d lies outside its buffers", i)
		}
	}
	return nil
}

func fromNested(v *vector.Vector, d arrow.ArrayData) error {
	children := d.Children()
	if v.Type.Physical() != types.PhysStruct {
		if err := setOffsets(v, d.Buffers()); err != nil {
			return err
		}
		if v.Type.Physical() == types.PhysMap {
			if len(children) != 1 {
				return fmt.Errorf("map with %d children", len(children))
			}
			children = children[0].Children()
		}
	}
	if len(children) != len(v.Type.Elems()) {
		return fmt.Errorf("%s with %d children", v.Type, len(children))
	}
	for i, c := range children {
		kid, err := fromArrow(c, v.Type.Elem(i))
		if err != nil {
			return err
		}
		v.Kids = append(v.Kids, kid)
	}
	return checkKids(v)
}

func setOffsets(v *vector.Vector, bufs []*memory.Buffer) error {
	if v.N == 0 {
		v.Offsets = []int32{0}
		return nil
	}
	if len(bufs) < 2 || bufs[1] == nil || bufs[1].Len() < (v.N+1)*4 {
		return fmt.Errorf("too few offsets for %d rows", v.N)
	}
	v.Offsets = vector.Cast[int32](aligned(bufs[1].Bytes()[:(v.N+1)*4]))
	return nil
}

// checkKids makes sure that the children are as long as their parent says.
func checkKids(v *vector.Vector) error {
	want := v.N
	if v.Offsets != nil {
		for i := range v.N {
			if v.Offsets[i] < 0 || v.Offsets[i+1] < v.Offsets[i] {
				return fmt.Errorf("offsets of row %d run backwards", i)
			}
		}
		want = int(v.Offsets[v.N])
	}
	for _, k := range v.Kids {
		if k.N < want {
			return fmt.Errorf("child of %d rows where %d are needed", k.N, want)
		}
	}
	return nil
}
