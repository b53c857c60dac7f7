package dbgen

import (
	"errors"
	"fmt"
)

// Rows of each table at scale factor 1 (clause 4.2.5.1) and the fixed ratios.
const (
	suppliersBase = 10_000
	customersBase = 150_000
	partsBase     = 200_000
	ordersBase    = 1_500_000
	clerksBase    = 1_000

	suppliersPerPart = 4
	linesPerOrder    = 7 // at most; 4 on average
)

// The scale factors that the definitions hold for.
const (
	MinScale = 0.0001 // one supplier
	MaxScale = 100_000
)

// ErrScale is wrapped by errors about scale factors out of range.
var ErrScale = errors.New("TPC-H scale factor out of range")

// Generator makes the tables of one scale factor. It is immutable.
type Generator struct {
	scale                               float64
	suppliers, customers, parts, orders int64
	clerks                              int64
	text                                *Text
}

// New returns the generator for a scale factor: 1 is about a gigabyte, 0.01 is
// Trino's schema tiny; any number between MinScale and MaxScale will do. text is
// where comments come from; nil stands for one of the generator's own.
func New(scale float64, text *Text) (*Generator, error) {
	if !(scale >= MinScale && scale <= MaxScale) {
		return nil, fmt.Errorf("%w: %v is not within %v and %v", ErrScale, scale, MinScale, MaxScale)
	}
	if text == nil {
		text = NewText()
	}
	return &Generator{
		scale:     scale,
		suppliers: int64(suppliersBase * scale),
		customers: int64(customersBase * scale),
		parts:     int64(partsBase * scale),
		orders:    int64(ordersBase * scale),
		clerks:    int64(max(clerksBase*scale, clerksBase)),
		text:      text,
	}, nil
}

// Scale returns the scale factor.
func (g *Generator) Scale() float64 { return g.scale }

// Units returns the number of units of a table: orders for lineitem, parts for
// partsupp, rows for all others.
func (g *Generator) Units(t Table) int64 {
	switch t {
	case Region:
		return int64(len(regionNames))
	case Nation:
		return int64(len(nationNames))
	case Supplier:
		return g.suppliers
	case Customer:
		return g.customers
	case Part, PartSupp:
		return g.parts
	}
	return g.orders
}

// Rows returns the number of rows of a table. It is exact for all tables but
// lineitem, where it is exact at the scale factors of clause 4.1.3.1, at tiny,
// and nowhere else: four lines per order is then right to within about 0.1 %
// for 10,000 orders and better for more. [Generator.CountLines] counts.
func (g *Generator) Rows(t Table) (rows int64, exact bool) {
	switch t {
	case PartSupp:
		return g.parts * suppliersPerPart, true
	case LineItem:
		if n, ok := knownLines[g.scale]; ok {
			return n, true
		}
		return g.orders * (linesPerOrder + 1) / 2, false
	}
	return g.Units(t), true
}

// knownLines is the lineitem column of clause 4.2.5.1, and Trino's tiny.
var knownLines = map[float64]int64{
	0.01:    60_175,
	1:       6_001_215,
	10:      59_986_052,
	30:      179_998_372,
	100:     600_037_902,
	300:     1_799_989_091,
	1_000:   5_999_989_709,
	3_000:   18_000_048_306,
	10_000:  59_999_994_267,
	30_000:  179_999_978_268,
	100_000: 599_999_969_200,
}

// CountLines counts the lines of the orders from … to−1, at some 300 million
// orders a second.
func (g *Generator) CountLines(from, to int64) int64 {
	from, to = max(from, 0), min(to, g.orders)
	s := lineCountStream(from)
	total := max(to-from, 0)
	for range total {
		total += pick(s.state, linesPerOrder)
		s.state = mulmod(s.state, s.jump)
	}
	return total
}

// Scan returns a scanner of the given columns (positions in Table.Columns, each
// at most once, possibly none) and of the units from … to−1.
func (g *Generator) Scan(t Table, columns []int, from, to int64) (*Scanner, error) {
	if int(t) >= len(schema) {
		return nil, fmt.Errorf("no TPC-H table %d", t)
	}
	if from < 0 || to < from || to > g.Units(t) {
		return nil, fmt.Errorf("range %d to %d of TPC-H table %s, which has %d units", from, to, t, g.Units(t))
	}
	var sel selection
	for i := range sel {
		sel[i] = -1
	}
	for i, c := range columns {
		if c < 0 || c >= len(t.Columns()) {
			return nil, fmt.Errorf("no column %d in TPC-H table %s", c, t)
		}
		if sel[c] >= 0 {
			return nil, fmt.Errorf("column %s of TPC-H table %s asked for twice", t.Columns()[c].Name, t)
		}
		sel[c] = i
	}
	r := &rows{g: g, sel: sel, width: len(columns), next: from, end: to}
	return &Scanner{rows: r, filler: newFiller(t, r)}, nil
}

// selection maps a column's position in the table to its position in the
// batch, −1 if it is not asked for.
type selection [numLineColumns]int

// rows is what the fillers of all tables share: what is left to do.
type rows struct {
	g         *Generator
	sel       selection
	width     int
	next, end int64
}

// wants reports whether column c is asked for.
func (r *rows) wants(c int) bool { return r.sel[c] >= 0 }

// out returns the vector of column c, nil if it is not asked for.
func (r *rows) out(b *Batch, c int) *Vector {
	if r.sel[c] < 0 {
		return nil
	}
	return &b.Columns[r.sel[c]]
}

// filler makes one table's rows.
type filler interface {
	// fill writes the columns asked for, for the units that begin at
	// rows.next, as many as fit in maxRows. It returns the numbers of units
	// and rows.
	fill(b *Batch, maxRows int) (units, rows int)
}

func newFiller(t Table, r *rows) filler {
	switch t {
	case Region:
		return newRegionFiller(r)
	case Nation:
		return newNationFiller(r)
	case Supplier:
		return newSupplierFiller(r)
	case Customer:
		return newCustomerFiller(r)
	case Part:
		return newPartFiller(r)
	case PartSupp:
		return newPartSuppFiller(r)
	case Orders:
		return newOrdersFiller(r)
	}
	return newLineItemFiller(r)
}

// Scanner makes the rows of a range, batch by batch. It is for one goroutine,
// holds nothing that needs closing, and may be left at any point.
type Scanner struct {
	rows   *rows
	filler filler
}

// Next fills b with the next rows and reports whether there were any; if not,
// b.Rows is 0 and b.Columns is as it was. Units are not split, so that a batch
// of lineitem may be up to six rows short of full.
func (s *Scanner) Next(b *Batch) bool {
	b.Rows = 0
	if s.rows.next >= s.rows.end {
		return false
	}
	if len(b.Columns) != s.rows.width {
		b.Columns = make([]Vector, s.rows.width)
	}
	units, rows := s.filler.fill(b, max(b.max, minBatchRows))
	s.rows.next += int64(units)
	b.Rows = rows
	return true
}

// Position returns the unit that the next batch begins with.
func (s *Scanner) Position() int64 { return s.rows.next }

// left returns how many units to fill when each is one row.
func (r *rows) left(maxRows int) int { return int(min(r.end-r.next, int64(maxRows))) }
