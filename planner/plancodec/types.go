package plancodec

import (
	"github.com/tuttidb/tutti/planner/plan"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/types"
)

func (e *encoder) typ(t types.Type) *pb.Type {
	m := &pb.Type{Kind: uint32(t.Kind), P: t.P, S: t.S, Names: t.FieldNames()}
	m.Elems = e.types(t.Elems())
	return m
}

func (e *encoder) types(ts []types.Type) []*pb.Type {
	var out []*pb.Type
	for _, t := range ts {
		out = append(out, e.typ(t))
	}
	return out
}

func (d *decoder) typ(m *pb.Type) types.Type {
	if !d.enter() {
		return types.Type{}
	}
	defer d.leave()
	elems := d.types(m.GetElems())
	switch k := types.Kind(m.GetKind()); {
	case m.GetKind() >= uint32(types.KindCount):
		d.fail("unknown type kind %d", m.GetKind())
	case k == types.Array && len(elems) == 1:
		return types.ArrayOf(elems[0])
	case k == types.Map && len(elems) == 2:
		return types.MapOf(elems[0], elems[1])
	case k == types.Row && len(m.Names) == len(elems):
		return types.RowOf(elems, m.Names)
	case len(elems) > 0 || k == types.Array || k == types.Map || k == types.Row:
		d.fail("type %s with %d elements", k.Base(), len(elems))
	default:
		return types.Type{Kind: k, P: m.GetP(), S: m.GetS()}
	}
	return types.Type{}
}

func (d *decoder) types(ms []*pb.Type) []types.Type {
	var out []types.Type
	for _, m := range ms {
		out = append(out, d.typ(m))
	}
	return out
}

func (e *encoder) column(c plan.Column) *pb.Column {
	return &pb.Column{Id: int32(c.ID), Name: c.Name, Type: e.typ(c.Type)}
}

func (e *encoder) columns(cs []plan.Column) []*pb.Column {
	var out []*pb.Column
	for _, c := range cs {
		out = append(out, e.column(c))
	}
	return out
}

func (d *decoder) column(m *pb.Column) plan.Column {
	return plan.Column{ID: expr.ColumnID(m.GetId()), Name: m.GetName(), Type: d.typ(m.GetType())}
}

func (d *decoder) columns(ms []*pb.Column) []plan.Column {
	var out []plan.Column
	for _, m := range ms {
		out = append(out, d.column(m))
	}
	return out
}

func (e *encoder) sortKeys(keys []plan.SortKey) []*pb.SortKey {
	var out []*pb.SortKey
	for _, k := range keys {
		out = append(out, &pb.SortKey{Column: e.column(k.Column), Descending: k.Descending, NullsFirst: k.NullsFirst})
	}
	return out
}

func (d *decoder) sortKeys(ms []*pb.SortKey) []plan.SortKey {
	var out []plan.SortKey
	for _, m := range ms {
		out = append(out, plan.SortKey{Column: d.column(m.GetColumn()), Descending: m.GetDescending(), NullsFirst: m.GetNullsFirst()})
	}
	return out
}
