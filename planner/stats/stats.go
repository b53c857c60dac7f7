// Package stats estimates how many rows a plan's nodes produce and what the
// columns hold. The figures come from connectors at the scans and are carried
// upwards by pure functions, one a kind of node.
//
// The model is System R's (Selinger 1979), with what later systems learned:
// values spread evenly, filters are nearly independent (see conjunction), and
// a join's selectivity is one over the number of values in the key's domain.
// The domain of a column is the number of values in its table before any
// filter: it stays when filters above thin out the values, which is what makes
// the estimate of a join of two filtered tables right (as in DuckDB). A column
// remembers its table so that keys of several columns have no more
// combinations than the table has rows.
//
// There is always a number. Where a connector says nothing, it is a guess, and
// Stats.Known is false.
package stats

import (
	"context"
	"math"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
)

// guessedRows stands for the size of a table about which nothing is known.
const guessedRows = 1e5

// Stats describe the output of a node.
type Stats struct {
	// Rows is the number of rows.
	Rows float64
	// Known says that Rows goes back to what connectors know.
	Known bool
	// Columns describe the output's columns; what is not there is unknown.
	Columns map[expr.ColumnID]Column
}

// Column describes the values of a column.
type Column struct {
	// Distinct is the number of different values; Domain what it was in the
	// table, before any filter.
	Distinct, Domain float64
	// Nulls is the fraction of nulls.
	Nulls float64
	// Min and Max bound the values as in connectors.ColumnStats; NaN: unknown.
	Min, Max float64
	// Bytes is the average size of a value in memory.
	Bytes float64
	// Cut is the fraction of the domain that conditions on the column itself
	// ruled out. Where both sides of an equality have such a condition, it is
	// the same one, and must not count twice.
	Cut float64
	// mean is the average of values that no bounds are known of, as sums over
	// groups; 0: unknown.
	mean float64
	// source numbers the scan that the column comes from, 0 for none, and
	// sourceRows is its table's size.
	source     int
	sourceRows float64
}

// Catalogs gives access to the connectors that scans name.
type Catalogs interface {
	// Connector returns the connector of a catalog.
	Connector(ctx context.Context, catalog string) (connectors.Connector, error)
}

// Estimator computes and remembers the statistics of a plan's nodes. It is
// for one query and one goroutine.
type Estimator struct {
	ctx      context.Context
	catalogs Catalogs
	memo     map[plan.Node]*Stats
	asked    map[string]*connectors.TableStats // what connectors answered
	sources  int
}

// New returns an estimator; catalogs may be nil: nothing is known then.
func New(ctx context.Context, catalogs Catalogs) *Estimator {
	return &Estimator{ctx: ctx, catalogs: catalogs, memo: map[plan.Node]*Stats{}, asked: map[string]*connectors.TableStats{}}
}

// Of returns the statistics of n's output. The caller must not change them.
func (e *Estimator) Of(n plan.Node) *Stats {
	if s := e.memo[n]; s != nil {
		return s
	}
	s := e.compute(n)
	e.memo[n] = s
	return s
}

// Set makes s the statistics of n, for a node whose maker knows better.
func (e *Estimator) Set(n plan.Node, s *Stats) { e.memo[n] = s }

// Estimate returns what EXPLAIN prints about n, NaN where it is a mere guess.
func (e *Estimator) Estimate(n plan.Node) *plan.Estimate {
	s := e.Of(n)
	if !s.Known {
		return &plan.Estimate{Rows: math.NaN(), Bytes: math.NaN()}
	}
	return &plan.Estimate{Rows: s.Rows, Bytes: s.Bytes(n.Outputs())}
}

// TotalScanBytes returns the size of what the plan's scans read before
// filters, as it lies in memory; known is false if any table's size is not.
func (e *Estimator) TotalScanBytes(root plan.Node) (bytes float64, known bool) {
	known = true
	plan.Walk(root, func(n plan.Node) bool {
		if s, ok := n.(*plan.Scan); ok {
			all := *s
			all.Predicate = nil
			st := e.scan(&all, nil)
			bytes += st.Bytes(s.Columns)
			known = known && st.Known
		}
		return true
	})
	return bytes, known
}

// Bytes returns the size in memory of the given columns of the output.
func (s *Stats) Bytes(cols []plan.Column) float64 {
	width := 0.0
	for _, c := range cols {
		width += s.Column(c).Bytes
	}
	return s.Rows * width
}

// Column returns what is known of a column, or guesses.
func (s *Stats) Column(c plan.Column) Column {
	if st, ok := s.Columns[c.ID]; ok {
		return st
	}
	return unknownColumn(c, s.Rows)
}

func (e *Estimator) compute(n plan.Node) *Stats {
	switch n := n.(type) {
	case *plan.Scan:
		return e.scan(n, nil)
	case *plan.Values:
		return values(n)
	case *plan.Filter:
		return e.filter(n)
	case *plan.Project:
		return project(n, e.Of(n.Input))
	case *plan.Aggregate:
		return aggregate(n, e.Of(n.Input))
	case *plan.Join:
		return join(n, e.Of(n.Left), e.Of(n.Right))
	case *plan.Limit:
		return limited(e.Of(n.Input), float64(n.N))
	case *plan.TopN:
		return limited(e.Of(n.Input), float64(n.N))
	case *plan.Union:
		return e.union(n)
	case *plan.SingleRow:
		return &Stats{Rows: 1, Known: true, Columns: capped(e.Of(n.Input).Columns, 1)}
	case *plan.RowNumber:
		return rowNumber(n, e.Of(n.Input))
	case *plan.Unnest:
		return unnest(n, e.Of(n.Input))
	case *plan.Write:
		return &Stats{Rows: 1, Known: true, Columns: map[expr.ColumnID]Column{}}
	}
	if in := n.Inputs(); len(in) == 1 {
		return e.Of(in[0])
	}
	return &Stats{Rows: guessedRows, Columns: map[expr.ColumnID]Column{}}
}

// limited is an output cut after n rows; n < 0 cuts nothing.
func limited(in *Stats, n float64) *Stats {
	if n < 0 || n >= in.Rows {
		return in
	}
	return &Stats{Rows: n, Known: true, Columns: capped(in.Columns, n)}
}

// capped are columns of an output of so many rows.
func capped(cols map[expr.ColumnID]Column, rows float64) map[expr.ColumnID]Column {
	out := make(map[expr.ColumnID]Column, len(cols))
	for id, c := range cols {
		c.Distinct = min(c.Distinct, rows)
		out[id] = c
	}
	return out
}

// union adds its inputs up.
func (e *Estimator) union(n *plan.Union) *Stats {
	out := &Stats{Known: true, Columns: map[expr.ColumnID]Column{}}
	for i, in := range n.In {
		s := e.Of(in)
		for j, c := range n.Columns {
			add := s.Column(n.Sources[i][j])
			if i > 0 {
				add = merged(out.Columns[c.ID], add, out.Rows, s.Rows)
			}
			add.source = 0
			out.Columns[c.ID] = add
		}
		out.Rows += s.Rows
		out.Known = out.Known && s.Known
	}
	return out
}

// merged describes a column that has the values of two, in so many rows each.
func merged(a, b Column, rowsA, rowsB float64) Column {
	share := rowsA / max(rowsA+rowsB, 1)
	return Column{
		Distinct: max(a.Distinct, b.Distinct, min(a.Distinct+b.Distinct, 1.5*max(a.Distinct, b.Distinct))),
		Domain:   max(a.Domain, b.Domain),
		Nulls:    a.Nulls*share + b.Nulls*(1-share),
		Min:      math.Min(a.Min, b.Min), Max: math.Max(a.Max, b.Max),
		Bytes:      a.Bytes*share + b.Bytes*(1-share),
		sourceRows: a.sourceRows + b.sourceRows,
	}
}

func rowNumber(n *plan.RowNumber, in *Stats) *Stats {
	if n.Limit < 0 {
		return in
	}
	return limited(in, min(in.Rows, combinations(in, n.Partition, in.Rows)*float64(n.Limit)))
}

// elementsPerList is the length that an array or map is taken to have.
const elementsPerList = 3

func unnest(n *plan.Unnest, in *Stats) *Stats {
	out := &Stats{Rows: in.Rows * elementsPerList, Columns: map[expr.ColumnID]Column{}}
	for _, c := range n.Replicate {
		out.Columns[c.ID] = in.Column(c)
	}
	return out
}
