package coordinator

import (
	"math"
	"strconv"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/planner/stats"
	"github.com/tuttidb/tutti/sql/ast"
	"github.com/tuttidb/tutti/sql/types"
)

// showStats runs SHOW STATS: a row for each column and one for all rows.
func (q *activeQuery) showStats(s *ast.ShowStats) error {
	if s.Query != nil {
		return q.showQueryStats(s.Query)
	}
	n, t, err := q.analyzer().Table(s.Table, s.Pos())
	if err != nil {
		return err
	}
	conn, err := q.catalogs.Connector(q.ctx, n.Catalog)
	if err != nil {
		return err
	}
	scan := &connectors.Scan{Schema: t.Schema, Table: t.Name, Handle: t.Handle, Limit: -1}
	for i, c := range t.Columns {
		if !c.Hidden {
			scan.Columns = append(scan.Columns, connectors.ScanColumn{Ordinal: i, Name: c.Name, Type: c.Type})
		}
	}
	known := connectors.UnknownStats(len(scan.Columns))
	if st, ok := conn.(connectors.Statistician); ok {
		if known, err = st.Stats(q.ctx, scan); err != nil {
			return err
		}
	}
	var rows [][]any
	for i, c := range scan.Columns {
		rows = append(rows, statsRow(c.Name, c.Type, known.Rows, known.Columns[i]))
	}
	return q.answerStats(rows, known.Rows)
}

// showQueryStats answers with what the optimizer believes about the result of
// a query. It may be any query, where Trino allows simple ones only.
func (q *activeQuery) showQueryStats(query *ast.Query) error {
	res, _, err := q.plan(query, nil)
	if err != nil {
		return err
	}
	estimate := stats.New(q.ctx, q.catalogs).Of(res.Logical)
	total := estimate.Rows
	if !estimate.Known {
		total = math.NaN()
	}
	var rows [][]any
	for i, c := range res.Plan.Columns {
		rows = append(rows, statsRow(res.Plan.Names[i], c.Type, total, estimatedColumn(estimate, c)))
	}
	return q.answerStats(rows, total)
}

// estimatedColumn is what is believed of a column, without mere guesses.
func estimatedColumn(s *stats.Stats, c plan.Column) connectors.ColumnStats {
	known, ok := s.Columns[c.ID]
	if !ok || !s.Known {
		return connectors.UnknownStats(1).Columns[0]
	}
	return connectors.ColumnStats{Distinct: known.Distinct, NullFraction: known.Nulls, Min: known.Min, Max: known.Max, Bytes: known.Bytes}
}

func statsRow(name string, t types.Type, rows float64, s connectors.ColumnStats) []any {
	var size any
	if t.Physical() == types.PhysBytes {
		size = number(s.Bytes * rows)
	}
	return []any{name, size, number(s.Distinct), number(s.NullFraction), nil, boundText(s.Min, t), boundText(s.Max, t)}
}

// answerStats delivers the rows of the columns and the row of the whole.
func (q *activeQuery) answerStats(rows [][]any, total float64) error {
	cols := textColumns("column_name", "data_size", "distinct_values_count", "nulls_fraction", "row_count", "low_value", "high_value")
	for i := 1; i <= 4; i++ {
		cols[i].Type = types.Of(types.Double)
	}
	return q.answer(cols, append(rows, []any{nil, nil, nil, nil, number(total), nil, nil}))
}

func number(x float64) any {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return x
}

// boundText prints a column's smallest or largest value as its type does; nil
// for types without an order of numbers.
func boundText(x float64, t types.Type) any {
	switch {
	case math.IsNaN(x) || math.IsInf(x, 0):
		return nil
	case t.IsInteger():
		return strconv.FormatFloat(x, 'f', 0, 64)
	}
	switch t.Kind {
	case types.Decimal:
		return strconv.FormatFloat(x, 'f', int(t.S), 64)
	case types.Real, types.Double:
		return numberText(x)
	case types.Date:
		return types.FormatDate(int64(x))
	case types.Timestamp:
		return types.FormatTimestamp(int64(x), t)
	}
	return nil
}
