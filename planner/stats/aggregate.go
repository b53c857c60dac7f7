package stats

import (
	"math"

	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
)

// aggregate has a row for each combination of its keys. Keys keep their
// domain.
func aggregate(n *plan.Aggregate, in *Stats) *Stats {
	out := &Stats{Rows: 1, Known: in.Known, Columns: map[expr.ColumnID]Column{}}
	if len(n.Keys) > 0 {
		out.Rows = combinations(in, n.Keys, in.Rows)
	} else {
		out.Known = true
	}
	for _, k := range n.Keys {
		c := in.Column(k)
		c.Distinct = min(c.Distinct, out.Rows)
		out.Columns[k.ID] = c
	}
	for _, a := range n.Aggs {
		out.Columns[a.Column.ID] = result(a, in, out.Rows)
	}
	return out
}

// result describes an aggregate over so many groups: of what lies among the
// argument's values (as max) their bounds, of what grows with the group (count,
// sum) the average. If nothing is known, results are taken to be all different.
func result(a plan.Agg, in *Stats, groups float64) Column {
	all := max(1, groups)
	out := Column{Distinct: all, Domain: all, Min: math.NaN(), Max: math.NaN(), Bytes: width(a.Column.Type)}
	size := in.Rows / all
	var arg Column
	if len(a.Call.Args) > 0 {
		e, ok := a.Call.Args[0].(*expr.Column)
		if !ok {
			return out
		}
		arg = column(in, e)
	}
	switch a.Call.Fn.Name {
	case "min", "max", "any_value", "arbitrary":
		out.Distinct, out.Domain = min(all, max(1, arg.Distinct)), min(all, max(1, arg.Domain))
		out.Min, out.Max, out.Bytes = arg.Min, arg.Max, arg.Bytes
	case "avg":
		out.Min, out.Max = arg.Min, arg.Max
	case "count", "count_if":
		out.mean = size * (1 - arg.Nulls)
		out.Distinct = min(all, 2+countSpread*out.mean)
		out.Domain = out.Distinct
	case "sum":
		if arg.Min >= 0 && a.Call.Filter == nil && !a.Call.Distinct {
			out.mean = size * (1 - arg.Nulls) * (arg.Min + arg.Max) / 2
		}
	}
	return out
}

// countSpread is how many times the average the largest group is taken to be.
const countSpread = 5

// combinations is the number of different combinations of values, at most so
// many as there are rows. Columns of one table have no more than it has rows.
func combinations(in *Stats, cols []plan.Column, rows float64) float64 {
	list := make([]Column, len(cols))
	for i, k := range cols {
		list[i] = in.Column(k)
		list[i].Domain = list[i].Distinct
	}
	return max(min(composite(list), rows), min(rows, 1))
}

// project passes columns through and describes computed ones by their columns.
func project(n *plan.Project, in *Stats) *Stats {
	out := &Stats{Rows: in.Rows, Known: in.Known, Columns: make(map[expr.ColumnID]Column, len(n.Cols))}
	for _, a := range n.Cols {
		out.Columns[a.Column.ID] = computed(a, in)
	}
	return out
}

// computed describes an expression: it has no more values than the columns
// that it is made of.
func computed(a plan.Assignment, in *Stats) Column {
	if c, ok := a.Expr.(*expr.Column); ok {
		return column(in, c)
	}
	nan := math.NaN()
	out := Column{Distinct: 1, Domain: 1, Min: nan, Max: nan, Bytes: width(a.Column.Type)}
	if c, ok := a.Expr.(*expr.Const); ok {
		if v, known := Number(c); known {
			out.Min, out.Max = v, v
		}
		return out
	}
	if c, ok := a.Expr.(*expr.Cast); ok {
		if from, is := c.Arg.(*expr.Column); is {
			out = column(in, from)
			out.Bytes = width(a.Column.Type)
			return out
		}
	}
	expr.Columns(a.Expr, func(c *expr.Column) {
		st := column(in, c)
		out.Distinct *= max(1, st.Distinct)
		out.Domain *= max(1, st.Domain)
		out.source, out.sourceRows = st.source, max(out.sourceRows, st.sourceRows)
	})
	most := float64(valuesOf[functionOf(a.Expr)])
	if most == 0 {
		most = math.Inf(1)
	}
	out.Distinct = min(out.Distinct, max(1, in.Rows), most)
	out.Domain = max(out.Distinct, min(out.Domain, max(1, out.sourceRows), most))
	return out
}

// valuesOf are functions that have few values.
var valuesOf = map[string]int{
	"year": 10, "month": 12, "quarter": 4, "day": 31, "day_of_month": 31, "day_of_week": 7, "hour": 24, "minute": 60,
	"second": 60, "week": 53, "day_of_year": 366, "substring": 50, "substr": 50,
}

func functionOf(e expr.Expr) string {
	if c, ok := e.(*expr.Call); ok {
		return c.Fn.Name
	}
	return ""
}
