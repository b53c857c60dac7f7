package plancodec

import (
	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/planner/plan"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
	"github.com/tuttidb/tutti/sql/expr"
)

// node decodes a plan tree; after an error the result is not to be used.
func (d *decoder) node(m *pb.Node) plan.Node {
	if m == nil {
		d.fail("missing plan node")
		return nil
	}
	if !d.enter() {
		return nil
	}
	defer d.leave()
	in := make([]plan.Node, 0, len(m.Inputs))
	for _, i := range m.Inputs {
		in = append(in, d.node(i))
	}
	n := d.body(m)
	if d.err != nil {
		return nil
	}
	if want := inputCount(n); want >= 0 && want != len(in) || want < 0 && len(in) == 0 {
		d.fail("plan node %T with %d inputs", n, len(in))
		return nil
	}
	n = n.WithInputs(in)
	base := n.Common()
	base.ID = plan.NodeID(m.Id)
	if m.Estimated {
		base.Est = &plan.Estimate{Rows: m.Rows, Bytes: m.Bytes}
	}
	return n
}

// inputCount is how many inputs a node has; -1: one or more.
func inputCount(n plan.Node) int {
	switch n.(type) {
	case *plan.Scan, *plan.Values, *plan.RemoteSource:
		return 0
	case *plan.Join:
		return 2
	case *plan.Union, *plan.Exchange:
		return -1
	}
	return 1
}

// body decodes a node without its inputs.
func (d *decoder) body(m *pb.Node) plan.Node {
	switch n := m.Node.(type) {
	case *pb.Node_Scan:
		return d.scan(n.Scan)
	case *pb.Node_Values:
		return d.values(n.Values)
	case *pb.Node_Filter:
		return &plan.Filter{Predicate: d.need(n.Filter.GetPredicate())}
	case *pb.Node_Project:
		return d.project(n.Project)
	case *pb.Node_Aggregation:
		return d.aggregation(n.Aggregation)
	case *pb.Node_Join:
		return d.join(n.Join)
	case *pb.Node_Sort:
		return &plan.Sort{Keys: d.sortKeys(n.Sort.GetKeys()), Step: d.step(n.Sort.GetStep())}
	case *pb.Node_TopN:
		return &plan.TopN{Keys: d.sortKeys(n.TopN.GetKeys()), N: n.TopN.GetN(), Step: d.step(n.TopN.GetStep())}
	case *pb.Node_Limit:
		return &plan.Limit{N: n.Limit.GetN(), Offset: n.Limit.GetOffset(), Step: d.step(n.Limit.GetStep())}
	case *pb.Node_Union:
		return d.union(n.Union)
	case *pb.Node_SingleRow:
		return &plan.SingleRow{}
	}
	return d.rest(m)
}

// rest is the second half of body.
func (d *decoder) rest(m *pb.Node) plan.Node {
	switch n := m.Node.(type) {
	case *pb.Node_UniqueId:
		return &plan.UniqueID{Column: d.column(n.UniqueId.GetColumn())}
	case *pb.Node_RowNumber:
		return &plan.RowNumber{
			Partition: d.columns(n.RowNumber.GetPartition()), Keys: d.sortKeys(n.RowNumber.GetKeys()),
			Column: d.column(n.RowNumber.GetColumn()), Limit: n.RowNumber.GetLimit(),
		}
	case *pb.Node_MarkDistinct:
		return &plan.MarkDistinct{Keys: d.columns(n.MarkDistinct.GetKeys()), Column: d.column(n.MarkDistinct.GetColumn())}
	case *pb.Node_Unnest:
		return d.unnest(n.Unnest)
	case *pb.Node_Output:
		return &plan.Output{Cols: d.columns(n.Output.GetCols()), Names: n.Output.GetNames()}
	case *pb.Node_Write:
		return d.write(n.Write)
	case *pb.Node_Exchange:
		d.bound("exchange kind", n.Exchange.GetKind(), uint32(plan.RoundRobin))
		return &plan.Exchange{
			Kind: plan.ExchangeKind(n.Exchange.GetKind()), Keys: d.columns(n.Exchange.GetKeys()), OrderBy: d.sortKeys(n.Exchange.GetOrderBy()),
		}
	case *pb.Node_RemoteSource:
		return d.remoteSource(n.RemoteSource)
	}
	d.fail("plan node of unknown type")
	return nil
}

func (d *decoder) step(s uint32) plan.Step {
	d.bound("step", s, uint32(plan.Final))
	return plan.Step(s)
}

func (d *decoder) scan(m *pb.Scan) plan.Node {
	t := m.GetTable()
	n := &plan.Scan{
		Catalog: m.GetCatalog(), Columns: d.columns(m.GetColumns()), Predicate: d.expr(m.GetPredicate()), Hint: d.expr(m.GetHint()),
		Limit: m.GetLimit(),
		Table: &connectors.Table{
			Schema: t.GetSchema(), Name: t.GetName(), Handle: t.GetHandle(), Local: t.GetLocal(), Columns: d.tableColumns(t.GetColumns()),
		},
	}
	for _, o := range m.GetOrdinals() {
		if int(o) >= len(n.Table.Columns) || o < 0 {
			d.fail("scan of column %d of %d", o, len(n.Table.Columns))
		}
		n.Ordinals = append(n.Ordinals, int(o))
	}
	if len(n.Ordinals) != len(n.Columns) {
		d.fail("scan of %d columns with %d ordinals", len(n.Columns), len(n.Ordinals))
	}
	for _, id := range m.GetFilterOnly() {
		n.FilterOnly = append(n.FilterOnly, expr.ColumnID(id))
	}
	for _, u := range m.GetDynamic() {
		n.Dynamic = append(n.Dynamic, plan.DynamicUse{Filter: plan.DynamicID(u.GetFilter()), Column: expr.ColumnID(u.GetColumn())})
	}
	return n
}

func (d *decoder) tableColumns(ms []*pb.TableColumn) []connectors.Column {
	var out []connectors.Column
	for _, m := range ms {
		out = append(out, connectors.Column{
			Name: m.GetName(), Type: d.typ(m.GetType()), Hidden: m.GetHidden(), NotNull: m.GetNotNull(),
			Comment: m.GetComment(), Extra: m.GetExtra(),
		})
	}
	return out
}

func (d *decoder) values(m *pb.Values) plan.Node {
	n := &plan.Values{Columns: d.columns(m.GetColumns())}
	for _, r := range m.GetRows() {
		row := d.exprs(r.GetValues())
		if len(row) != len(n.Columns) {
			d.fail("row of %d values for %d columns", len(row), len(n.Columns))
		}
		n.Rows = append(n.Rows, row)
	}
	return n
}

func (d *decoder) project(m *pb.Project) plan.Node {
	n := &plan.Project{}
	for _, a := range m.GetCols() {
		n.Cols = append(n.Cols, plan.Assignment{Column: d.column(a.GetColumn()), Expr: d.need(a.GetExpr())})
	}
	return n
}

func (d *decoder) aggregation(m *pb.Aggregation) plan.Node {
	n := &plan.Aggregate{Keys: d.columns(m.GetKeys()), Step: d.step(m.GetStep())}
	for _, a := range m.GetAggs() {
		call := &expr.Aggregate{
			Fn: d.aggregate(a.GetFn()), Args: d.exprs(a.GetArgs()), Distinct: a.GetDistinct(), Filter: d.expr(a.GetFilter()),
		}
		for _, k := range a.GetOrderBy() {
			call.OrderBy = append(call.OrderBy, expr.SortKey{
				Expr: d.need(k.GetExpr()), Descending: k.GetDescending(), NullsFirst: k.GetNullsFirst(),
			})
		}
		n.Aggs = append(n.Aggs, plan.Agg{Column: d.column(a.GetColumn()), State: d.columns(a.GetState()), Call: call})
	}
	return n
}

func (d *decoder) join(m *pb.Join) plan.Node {
	d.bound("join kind", m.GetKind(), uint32(plan.MarkJoin))
	d.bound("distribution", m.GetDist(), uint32(plan.Broadcast))
	n := &plan.Join{
		Kind: plan.JoinKind(m.GetKind()), Filter: d.expr(m.GetFilter()), Mark: d.column(m.GetMark()),
		NullAware: m.GetNullAware(), Dist: plan.Distribution(m.GetDist()),
	}
	if !m.GetAllCols() {
		n.Cols = append([]plan.Column{}, d.columns(m.GetCols())...)
	}
	for _, k := range m.GetKeys() {
		n.Keys = append(n.Keys, plan.EquiKey{Left: d.column(k.GetLeft()), Right: d.column(k.GetRight())})
	}
	for _, s := range m.GetDynamic() {
		n.Dynamic = append(n.Dynamic, plan.DynamicSource{Filter: plan.DynamicID(s.GetFilter()), Column: d.column(s.GetColumn())})
	}
	return n
}

func (d *decoder) union(m *pb.Union) plan.Node {
	n := &plan.Union{Columns: d.columns(m.GetColumns())}
	for _, s := range m.GetSources() {
		cols := d.columns(s.GetColumns())
		if len(cols) != len(n.Columns) {
			d.fail("union of %d columns from %d", len(n.Columns), len(cols))
		}
		n.Sources = append(n.Sources, cols)
	}
	return n
}

func (d *decoder) unnest(m *pb.Unnest) plan.Node {
	n := &plan.Unnest{Replicate: d.columns(m.GetReplicate()), Exprs: d.columns(m.GetExprs()), Outer: m.GetOuter()}
	for _, c := range m.GetColumns() {
		n.Columns = append(n.Columns, d.columns(c.GetColumns()))
	}
	if m.GetOrdinality() != nil {
		c := d.column(m.GetOrdinality())
		n.Ordinality = &c
	}
	return n
}

func (d *decoder) write(m *pb.Write) plan.Node {
	n := &plan.Write{
		Catalog: m.GetCatalog(), Schema: m.GetSchema(), Table: m.GetTable(), Cols: d.columns(m.GetCols()), Count: d.column(m.GetCount()),
	}
	if m.GetCreate() {
		n.Create = append([]connectors.Column{}, d.tableColumns(m.GetColumns())...)
	}
	return n
}

func (d *decoder) remoteSource(m *pb.RemoteSource) plan.Node {
	d.bound("exchange kind", m.GetKind(), uint32(plan.RoundRobin))
	n := &plan.RemoteSource{
		Columns: d.columns(m.GetColumns()), Kind: plan.ExchangeKind(m.GetKind()), OrderBy: d.sortKeys(m.GetOrderBy()),
	}
	for _, f := range m.GetFragments() {
		n.Fragments = append(n.Fragments, plan.FragmentID(f))
	}
	return n
}
