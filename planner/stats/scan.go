package stats

import (
	"fmt"
	"math"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/types"
)

// scan asks the connector and applies the predicate that it took over. hint
// is a filter above the scan, by which the connector may leave out whole
// files.
func (e *Estimator) scan(n *plan.Scan, hint expr.Expr) *Stats {
	e.sources++
	out := e.table(n, hint)
	for id, c := range out.Columns {
		c.source = e.sources
		out.Columns[id] = c
	}
	if n.Predicate != nil {
		out = Filtered(out, expr.Conjuncts(n.Predicate))
	}
	return limited(out, float64(n.Limit))
}

// table describes what the connector knows of the scan's table.
func (e *Estimator) table(n *plan.Scan, hint expr.Expr) *Stats {
	out := &Stats{Rows: guessedRows, Columns: make(map[expr.ColumnID]Column, len(n.Columns))}
	known := e.ask(n, hint)
	if known != nil && !math.IsNaN(known.Rows) {
		out.Rows, out.Known = known.Rows, true
	}
	for i, c := range n.Columns {
		col := unknownColumn(c, out.Rows)
		if out.Known && i < len(known.Columns) {
			col = columnOf(known.Columns[i], c, out.Rows)
		}
		if n.Table.Columns[n.Ordinals[i]].NotNull {
			col.Nulls = 0
		}
		out.Columns[c.ID] = col
	}
	return out
}

// ask returns the connector's statistics; nil if it has none, or cannot get
// them now: a query does not fail for want of an estimate. It asks once for
// the same columns and filter: footers may have to be read.
func (e *Estimator) ask(n *plan.Scan, hint expr.Expr) *connectors.TableStats {
	if e.catalogs == nil {
		return nil
	}
	conn, err := e.catalogs.Connector(e.ctx, n.Catalog)
	if err != nil {
		return nil
	}
	s, ok := conn.(connectors.Statistician)
	if !ok {
		return nil
	}
	all := *n
	all.Predicate, all.Hint, all.Limit = nil, hint, -1
	if hint == nil {
		all.Hint = n.Predicate
	}
	spec := all.ScanSpec()
	key := fmt.Sprintf("%s %s %s %x %v %v", n.Catalog, spec.Schema, spec.Table, spec.Handle, n.Ordinals, spec.Hint)
	known, seen := e.asked[key]
	if !seen {
		if known, err = s.Stats(e.ctx, spec); err != nil {
			known = nil
		}
		e.asked[key] = known
	}
	return known
}

// columnOf fills what the connector does not know.
func columnOf(s connectors.ColumnStats, c plan.Column, rows float64) Column {
	out := Column{Distinct: s.Distinct, Nulls: s.NullFraction, Min: s.Min, Max: s.Max, Bytes: s.Bytes, sourceRows: rows}
	if math.IsNaN(out.Nulls) {
		out.Nulls = 0
	}
	if math.IsNaN(out.Bytes) || out.Bytes <= 0 {
		out.Bytes = width(c.Type)
	}
	if math.IsNaN(out.Distinct) {
		out.Distinct = guessDistinct(c.Type, rows, out.Min, out.Max)
	}
	out.Distinct = max(min(out.Distinct, rows), min(rows, 1))
	out.Domain = out.Distinct
	return out
}

// unknownColumn describes a column about which nothing is known.
func unknownColumn(c plan.Column, rows float64) Column {
	nan := math.NaN()
	d := guessDistinct(c.Type, rows, nan, nan)
	return Column{Distinct: d, Domain: d, Min: nan, Max: nan, Bytes: width(c.Type), sourceRows: rows}
}

// guessDistinct guesses the number of different values. Whole numbers and
// dates have no more than their range; texts without further knowledge are
// taken to be categories, of which there are few.
func guessDistinct(t types.Type, rows, lo, hi float64) float64 {
	span := hi - lo
	switch {
	case t.Kind == types.Boolean:
		return min(rows, 2)
	case (t.IsInteger() || t.Kind == types.Date) && !math.IsNaN(span):
		return min(rows, span+1)
	case t.Kind == types.Decimal && !math.IsNaN(span):
		return min(rows, span*math.Pow10(int(t.S))+1)
	case t.IsString():
		return min(rows, max(10, min(50, math.Sqrt(rows))))
	}
	return max(1, rows/2)
}

// width is the size of a value in memory when nobody knows better.
func width(t types.Type) float64 {
	switch {
	case t.IsString(), t.Kind == types.Varbinary:
		return 32
	case t.IsNested():
		return 64
	}
	return max(1, float64(t.Physical().Width()))
}
