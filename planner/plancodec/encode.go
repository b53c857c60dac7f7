package plancodec

import (
	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/planner/plan"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
	"github.com/tuttidb/tutti/sql/expr"
)

// node encodes a plan tree.
func (e *encoder) node(n plan.Node) *pb.Node {
	base := n.Common()
	m := &pb.Node{Id: int32(base.ID)}
	if base.Est != nil {
		m.Estimated, m.Rows, m.Bytes = true, base.Est.Rows, base.Est.Bytes
	}
	for _, in := range n.Inputs() {
		m.Inputs = append(m.Inputs, e.node(in))
	}
	e.body(m, n)
	return m
}

// body fills in what is particular to the node's type.
func (e *encoder) body(m *pb.Node, n plan.Node) {
	switch n := n.(type) {
	case *plan.Scan:
		m.Node = &pb.Node_Scan{Scan: e.scan(n)}
	case *plan.Values:
		m.Node = &pb.Node_Values{Values: e.values(n)}
	case *plan.Filter:
		m.Node = &pb.Node_Filter{Filter: &pb.Filter{Predicate: e.expr(n.Predicate)}}
	case *plan.Project:
		m.Node = &pb.Node_Project{Project: e.project(n)}
	case *plan.Aggregate:
		m.Node = &pb.Node_Aggregation{Aggregation: e.aggregation(n)}
	case *plan.Join:
		m.Node = &pb.Node_Join{Join: e.join(n)}
	case *plan.Sort:
		m.Node = &pb.Node_Sort{Sort: &pb.Sort{Keys: e.sortKeys(n.Keys), Step: uint32(n.Step)}}
	case *plan.TopN:
		m.Node = &pb.Node_TopN{TopN: &pb.TopN{Keys: e.sortKeys(n.Keys), N: n.N, Step: uint32(n.Step)}}
	case *plan.Limit:
		m.Node = &pb.Node_Limit{Limit: &pb.Limit{N: n.N, Offset: n.Offset, Step: uint32(n.Step)}}
	case *plan.Union:
		u := &pb.Union{Columns: e.columns(n.Columns)}
		for _, s := range n.Sources {
			u.Sources = append(u.Sources, &pb.Union_Source{Columns: e.columns(s)})
		}
		m.Node = &pb.Node_Union{Union: u}
	case *plan.SingleRow:
		m.Node = &pb.Node_SingleRow{SingleRow: &pb.SingleRow{}}
	default:
		e.rest(m, n)
	}
}

// rest is the second half of body.
func (e *encoder) rest(m *pb.Node, n plan.Node) {
	switch n := n.(type) {
	case *plan.UniqueID:
		m.Node = &pb.Node_UniqueId{UniqueId: &pb.UniqueId{Column: e.column(n.Column)}}
	case *plan.RowNumber:
		m.Node = &pb.Node_RowNumber{RowNumber: &pb.RowNumber{
			Partition: e.columns(n.Partition), Keys: e.sortKeys(n.Keys), Column: e.column(n.Column), Limit: n.Limit,
		}}
	case *plan.MarkDistinct:
		m.Node = &pb.Node_MarkDistinct{MarkDistinct: &pb.MarkDistinct{Keys: e.columns(n.Keys), Column: e.column(n.Column)}}
	case *plan.Unnest:
		m.Node = &pb.Node_Unnest{Unnest: e.unnest(n)}
	case *plan.Output:
		m.Node = &pb.Node_Output{Output: &pb.Output{Cols: e.columns(n.Cols), Names: n.Names}}
	case *plan.Write:
		m.Node = &pb.Node_Write{Write: &pb.Write{
			Catalog: n.Catalog, Schema: n.Schema, Table: n.Table, Create: n.Create != nil,
			Columns: e.tableColumns(n.Create), Cols: e.columns(n.Cols), Count: e.column(n.Count),
		}}
	case *plan.Exchange:
		m.Node = &pb.Node_Exchange{Exchange: &pb.Exchange{
			Kind: uint32(n.Kind), Keys: e.columns(n.Keys), OrderBy: e.sortKeys(n.OrderBy),
		}}
	case *plan.RemoteSource:
		r := &pb.RemoteSource{Columns: e.columns(n.Columns), Kind: uint32(n.Kind), OrderBy: e.sortKeys(n.OrderBy)}
		for _, f := range n.Fragments {
			r.Fragments = append(r.Fragments, int32(f))
		}
		m.Node = &pb.Node_RemoteSource{RemoteSource: r}
	default:
		e.fail("plan node %T", n)
	}
}

func (e *encoder) scan(n *plan.Scan) *pb.Scan {
	m := &pb.Scan{
		Catalog: n.Catalog, Columns: e.columns(n.Columns), Predicate: e.expr(n.Predicate), Hint: e.expr(n.Hint), Limit: n.Limit,
		Table: &pb.Table{
			Schema: n.Table.Schema, Name: n.Table.Name, Handle: n.Table.Handle, Local: n.Table.Local,
			Columns: e.tableColumns(n.Table.Columns),
		},
	}
	for _, o := range n.Ordinals {
		m.Ordinals = append(m.Ordinals, int32(o))
	}
	for _, id := range n.FilterOnly {
		m.FilterOnly = append(m.FilterOnly, int32(id))
	}
	for _, d := range n.Dynamic {
		m.Dynamic = append(m.Dynamic, &pb.Scan_DynamicUse{Filter: int32(d.Filter), Column: int32(d.Column)})
	}
	return m
}

func (e *encoder) tableColumns(cols []connectors.Column) []*pb.TableColumn {
	var out []*pb.TableColumn
	for _, c := range cols {
		out = append(out, &pb.TableColumn{
			Name: c.Name, Type: e.typ(c.Type), Hidden: c.Hidden, NotNull: c.NotNull, Comment: c.Comment, Extra: c.Extra,
		})
	}
	return out
}

func (e *encoder) values(n *plan.Values) *pb.Values {
	m := &pb.Values{Columns: e.columns(n.Columns)}
	for _, r := range n.Rows {
		m.Rows = append(m.Rows, &pb.Values_Row{Values: e.exprs(r)})
	}
	return m
}

func (e *encoder) project(n *plan.Project) *pb.Project {
	m := &pb.Project{}
	for _, a := range n.Cols {
		m.Cols = append(m.Cols, &pb.Project_Assignment{Column: e.column(a.Column), Expr: e.expr(a.Expr)})
	}
	return m
}

func (e *encoder) aggregation(n *plan.Aggregate) *pb.Aggregation {
	m := &pb.Aggregation{Keys: e.columns(n.Keys), Step: uint32(n.Step)}
	for _, a := range n.Aggs {
		c := &pb.Aggregation_Call{
			Column: e.column(a.Column), State: e.columns(a.State), Fn: e.aggregate(a.Call.Fn),
			Args: e.exprs(a.Call.Args), Distinct: a.Call.Distinct, Filter: e.expr(a.Call.Filter),
		}
		for _, k := range a.Call.OrderBy {
			c.OrderBy = append(c.OrderBy, e.sortExpr(k))
		}
		m.Aggs = append(m.Aggs, c)
	}
	return m
}

func (e *encoder) sortExpr(k expr.SortKey) *pb.Aggregation_SortExpr {
	return &pb.Aggregation_SortExpr{Expr: e.expr(k.Expr), Descending: k.Descending, NullsFirst: k.NullsFirst}
}

func (e *encoder) join(n *plan.Join) *pb.Join {
	m := &pb.Join{
		Kind: uint32(n.Kind), Filter: e.expr(n.Filter), Mark: e.column(n.Mark), NullAware: n.NullAware,
		Dist: uint32(n.Dist), Cols: e.columns(n.Cols), AllCols: n.Cols == nil,
	}
	for _, k := range n.Keys {
		m.Keys = append(m.Keys, &pb.Join_Key{Left: e.column(k.Left), Right: e.column(k.Right)})
	}
	for _, d := range n.Dynamic {
		m.Dynamic = append(m.Dynamic, &pb.Join_DynamicSource{Filter: int32(d.Filter), Column: e.column(d.Column)})
	}
	return m
}

func (e *encoder) unnest(n *plan.Unnest) *pb.Unnest {
	m := &pb.Unnest{Replicate: e.columns(n.Replicate), Exprs: e.columns(n.Exprs), Outer: n.Outer}
	for _, c := range n.Columns {
		m.Columns = append(m.Columns, &pb.Unnest_Columns{Columns: e.columns(c)})
	}
	if n.Ordinality != nil {
		m.Ordinality = e.column(*n.Ordinality)
	}
	return m
}
