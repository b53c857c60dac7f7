package plancodec

import (
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
	"github.com/tuttidb/tutti/sql/types"
)

// datum encodes a constant's value in the Go forms of expr.Const.
func (e *encoder) datum(v any) *pb.Datum {
	switch v := v.(type) {
	case nil:
		return &pb.Datum{Value: &pb.Datum_Null{Null: true}}
	case bool:
		return &pb.Datum{Value: &pb.Datum_Boolean{Boolean: v}}
	case int64:
		return &pb.Datum{Value: &pb.Datum_Integer{Integer: v}}
	case float32:
		return &pb.Datum{Value: &pb.Datum_Real{Real: v}}
	case float64:
		return &pb.Datum{Value: &pb.Datum_Double{Double: v}}
	case types.Int128:
		return &pb.Datum{Value: &pb.Datum_Int128{Int128: &pb.Int128{Lo: v.Lo, Hi: v.Hi}}}
	case string:
		return &pb.Datum{Value: &pb.Datum_Bytes{Bytes: []byte(v)}}
	case []any:
		return &pb.Datum{Value: &pb.Datum_List_{List: e.list(v)}}
	case [][2]any:
		var flat []any
		for _, kv := range v {
			flat = append(flat, kv[0], kv[1])
		}
		return &pb.Datum{Value: &pb.Datum_Map{Map: e.list(flat)}}
	}
	e.fail("constant of Go type %T", v)
	return nil
}

func (e *encoder) list(vs []any) *pb.Datum_List {
	l := &pb.Datum_List{}
	for _, v := range vs {
		l.Values = append(l.Values, e.datum(v))
	}
	return l
}

func (d *decoder) datum(m *pb.Datum) any {
	if !d.enter() {
		return nil
	}
	defer d.leave()
	switch v := m.GetValue().(type) {
	case *pb.Datum_Null:
		return nil
	case *pb.Datum_Boolean:
		return v.Boolean
	case *pb.Datum_Integer:
		return v.Integer
	case *pb.Datum_Real:
		return v.Real
	case *pb.Datum_Double:
		return v.Double
	case *pb.Datum_Int128:
		return types.Int128{Lo: v.Int128.GetLo(), Hi: v.Int128.GetHi()}
	case *pb.Datum_Bytes:
		return string(v.Bytes)
	case *pb.Datum_List_:
		return d.list(v.List)
	case *pb.Datum_Map:
		flat := d.list(v.Map)
		if len(flat)%2 != 0 {
			d.fail("map constant with a key without value")
			return nil
		}
		out := make([][2]any, 0, len(flat)/2)
		for i := 0; i < len(flat); i += 2 {
			out = append(out, [2]any{flat[i], flat[i+1]})
		}
		return out
	}
	d.fail("constant without value")
	return nil
}

func (d *decoder) list(l *pb.Datum_List) []any {
	out := make([]any, 0, len(l.GetValues()))
	for _, v := range l.GetValues() {
		out = append(out, d.datum(v))
	}
	return out
}

// EncodeDatum encodes one value (see expr.Const), as dynamic filters carry it.
func EncodeDatum(v any) (*pb.Datum, error) {
	e := &encoder{}
	return e.datum(v), e.err
}

// DecodeDatum decodes what EncodeDatum made.
func DecodeDatum(m *pb.Datum) (any, error) {
	d := &decoder{}
	return d.datum(m), d.err
}
