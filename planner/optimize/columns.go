package optimize

import (
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
)

// columnSet is a set of columns.
type columnSet map[expr.ColumnID]bool

func (s columnSet) with(cols ...plan.Column) columnSet {
	out := make(columnSet, len(s)+len(cols))
	for id := range s {
		out[id] = true
	}
	for _, c := range cols {
		out[c.ID] = true
	}
	return out
}

func (s columnSet) withExpr(exprs ...expr.Expr) columnSet {
	out := s.with()
	for _, e := range exprs {
		if e != nil {
			expr.Columns(e, func(c *expr.Column) { out[c.ID] = true })
		}
	}
	return out
}

func (s columnSet) among(cols []plan.Column) []plan.Column {
	out := []plan.Column{}
	for _, c := range cols {
		if s[c.ID] {
			out = append(out, c)
		}
	}
	return out
}

// pruneColumns drops columns that nobody above needs: from scans, from
// projections and aggregations, and from what joins output.
func (o *Optimizer) pruneColumns(root plan.Node) (plan.Node, error) {
	return prune(root, columnSet{}.with(root.Outputs()...)), nil
}

// prune returns n with at least the needed columns.
func prune(n plan.Node, need columnSet) plan.Node {
	switch n := n.(type) {
	case *plan.Scan:
		return pruneScan(n, need)
	case *plan.Values:
		return pruneValues(n, need)
	case *plan.Project:
		return pruneProject(n, need)
	case *plan.Aggregate:
		return pruneAggregate(n, need)
	case *plan.Join:
		return pruneJoin(n, need)
	case *plan.Union:
		return pruneUnion(n, need)
	case *plan.Unnest:
		c := *n
		c.Replicate = need.among(n.Replicate)
		c.Input = prune(n.Input, columnSet{}.with(c.Replicate...).with(n.Exprs...))
		return &c
	}
	in := n.Inputs()
	if len(in) == 0 {
		return n
	}
	return n.WithInputs([]plan.Node{prune(in[0], needs(n, need))})
}

// needs returns what a node with one input and no columns to drop needs of it.
func needs(n plan.Node, need columnSet) columnSet {
	switch n := n.(type) {
	case *plan.Filter:
		return need.withExpr(n.Predicate)
	case *plan.Sort:
		return need.with(sortColumns(n.Keys)...)
	case *plan.TopN:
		return need.with(sortColumns(n.Keys)...)
	case *plan.RowNumber:
		return need.with(n.Partition...).with(sortColumns(n.Keys)...)
	case *plan.MarkDistinct:
		return need.with(n.Keys...)
	case *plan.Output:
		return columnSet{}.with(n.Cols...)
	case *plan.Write:
		return columnSet{}.with(n.Cols...)
	}
	return need
}

func sortColumns(keys []plan.SortKey) []plan.Column {
	out := make([]plan.Column, len(keys))
	for i, k := range keys {
		out[i] = k.Column
	}
	return out
}

func pruneScan(n *plan.Scan, need columnSet) plan.Node {
	c := *n
	c.FilterOnly = nil
	for _, d := range n.Dynamic {
		need = need.with(plan.Column{ID: d.Column})
	}
	if n.Predicate != nil {
		above := need
		need = need.withExpr(n.Predicate)
		for _, col := range n.Columns {
			if need[col.ID] && !above[col.ID] {
				c.FilterOnly = append(c.FilterOnly, col.ID)
			}
		}
	}
	c.Columns, c.Ordinals = []plan.Column{}, []int{}
	for i, col := range n.Columns {
		if need[col.ID] {
			c.Columns, c.Ordinals = append(c.Columns, col), append(c.Ordinals, n.Ordinals[i])
		}
	}
	return &c
}

func pruneValues(n *plan.Values, need columnSet) plan.Node {
	c := *n
	c.Columns, c.Rows = need.among(n.Columns), make([][]expr.Expr, len(n.Rows))
	for i, col := range n.Columns {
		if !need[col.ID] {
			continue
		}
		for r := range n.Rows {
			c.Rows[r] = append(c.Rows[r], n.Rows[r][i])
		}
	}
	return &c
}

func pruneProject(n *plan.Project, need columnSet) plan.Node {
	c := *n
	c.Cols = nil
	below := columnSet{}
	for _, a := range n.Cols {
		if need[a.Column.ID] {
			c.Cols = append(c.Cols, a)
			below = below.withExpr(a.Expr)
		}
	}
	c.Input = prune(n.Input, below)
	return &c
}

func pruneAggregate(n *plan.Aggregate, need columnSet) plan.Node {
	c := *n
	c.Aggs = nil
	below := columnSet{}.with(n.Keys...)
	for _, a := range n.Aggs {
		if !need[a.Column.ID] {
			continue
		}
		c.Aggs = append(c.Aggs, a)
		below = below.withExpr(a.Call.Args...).withExpr(a.Call.Filter)
		for _, k := range a.Call.OrderBy {
			below = below.withExpr(k.Expr)
		}
	}
	if len(c.Keys)+len(c.Aggs) == 0 && len(n.Aggs) > 0 {
		return &plan.Values{Rows: [][]expr.Expr{{}}} // one row, whatever the input
	}
	c.Input = prune(n.Input, below)
	return &c
}

func pruneJoin(n *plan.Join, need columnSet) plan.Node {
	c := *n
	c.Cols = need.among(n.Outputs())
	below := need.withExpr(n.Filter)
	for _, k := range n.Keys {
		below = below.with(k.Left, k.Right)
	}
	c.Left, c.Right = prune(n.Left, below), prune(n.Right, below)
	return &c
}

func pruneUnion(n *plan.Union, need columnSet) plan.Node {
	c := *n
	c.Columns, c.Sources, c.In = need.among(n.Columns), make([][]plan.Column, len(n.In)), make([]plan.Node, len(n.In))
	for i := range n.In {
		for j, col := range n.Columns {
			if need[col.ID] {
				c.Sources[i] = append(c.Sources[i], n.Sources[i][j])
			}
		}
		c.In[i] = prune(n.In[i], columnSet{}.with(c.Sources[i]...))
	}
	return &c
}
