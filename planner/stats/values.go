package stats

import (
	"math"

	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
)

// mostCounted is the number of rows of which constants are looked at.
const mostCounted = 1000

// values counts what is in constant rows. They are no table whose keys others
// refer to: joined with a table, they pick some of its rows.
func values(n *plan.Values) *Stats {
	rows := float64(len(n.Rows))
	out := &Stats{Rows: rows, Known: true, Columns: make(map[expr.ColumnID]Column, len(n.Columns))}
	looked := n.Rows[:min(len(n.Rows), mostCounted)]
	for i, c := range n.Columns {
		col := Column{Min: math.Inf(1), Max: math.Inf(-1), Bytes: width(c.Type)}
		different, nulls := map[string]bool{}, 0
		for _, row := range looked {
			v, known := Number(row[i])
			if k, ok := row[i].(*expr.Const); ok && k.Value == nil {
				nulls++
				continue
			} else if !known {
				v = math.NaN()
			}
			different[row[i].String()] = true
			col.Min, col.Max = math.Min(col.Min, v), math.Max(col.Max, v)
		}
		if len(different) == 0 || len(looked) < len(n.Rows) {
			col.Min, col.Max = math.NaN(), math.NaN()
		}
		scale := rows / max(1, float64(len(looked)))
		col.Distinct = max(min(rows, 1), float64(len(different))*scale)
		col.Domain, col.Nulls = col.Distinct, float64(nulls)/max(1, float64(len(looked)))
		out.Columns[c.ID] = col
	}
	return out
}
