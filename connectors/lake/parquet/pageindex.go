package parquet

// maxIndex is the largest page or bloom index that is worth reading.
const maxIndex = 4 << 20

// pageStats are one page's statistics from the column index.
type pageStats struct {
	first, rows int64
	stats       Stats
}

// pageTable is a column chunk's page index.
type pageTable []pageStats

// keep returns the ranges of rows in pages that want accepts, joined where
// they touch.
func (t pageTable) keep(want func(*pageStats) bool) (out []rowRange) {
	for i := range t {
		p := &t[i]
		if p.rows == 0 || !want(p) {
			continue
		}
		if n := len(out); n > 0 && out[n-1].end == p.first {
			out[n-1].end += p.rows
			continue
		}
		out = append(out, rowRange{p.first, p.first + p.rows})
	}
	return out
}

// pageIndex reads the page index of a chunk; nil if it is of no use. A damaged
// index is as good as none.
func (r *Reader) pageIndex(g *Group, c *Chunk) (pageTable, error) {
	if c.columnIndex.len > maxIndex || c.offsetIndex.len > maxIndex {
		return nil, nil
	}
	where, err := r.small(r.asked, c.offsetIndex)
	if err != nil {
		return nil, err
	}
	what, err := r.small(r.asked, c.columnIndex)
	if err != nil {
		return nil, err
	}
	return parsePageIndex(where, what, g.Rows), nil
}

// parsePageIndex reads an OffsetIndex and a ColumnIndex of a chunk of rows
// rows; nil if they are damaged or contradict each other.
func parsePageIndex(where, what []byte, rows int64) pageTable {
	firsts := readOffsetIndex(&thrift{b: where})
	if len(firsts) == 0 || firsts[0] != 0 {
		return nil
	}
	table := make(pageTable, len(firsts))
	for i, first := range firsts {
		end := rows
		if i+1 < len(firsts) {
			end = firsts[i+1]
		}
		if first < 0 || end < first || end > rows {
			return nil
		}
		table[i] = pageStats{first: first, rows: end - first, stats: Stats{Nulls: -1, Distinct: -1}}
	}
	if !readColumnIndex(&thrift{b: what}, table) {
		return nil
	}
	return table
}

// readOffsetIndex returns the number of each page's first row.
func readOffsetIndex(t *thrift) (firsts []int64) {
	t.structure(wireStruct, func(id int, wire byte) bool {
		if id != 1 {
			return false
		}
		n, elem := t.list(wire)
		for i := 0; i < n && !t.bad; i++ {
			first := int64(-1)
			t.structure(elem, func(id int, wire byte) bool {
				if id != 3 {
					return false
				}
				first = t.integer(wire)
				return true
			})
			firsts = append(firsts, first)
		}
		return true
	})
	if t.bad {
		return nil
	}
	return firsts
}

// readColumnIndex fills in the pages' statistics.
func readColumnIndex(t *thrift, table pageTable) bool {
	fits := true
	each := func(wire byte, f func(p *pageStats, elem byte)) {
		n, elem := t.list(wire)
		if n != len(table) {
			fits = false
		}
		for i := 0; i < n && !t.bad; i++ {
			var spare pageStats
			p := &spare
			if i < len(table) {
				p = &table[i]
			}
			f(p, elem)
		}
	}
	var empty []bool
	t.structure(wireStruct, func(id int, wire byte) bool {
		switch id {
		case 1:
			each(wire, func(_ *pageStats, _ byte) { empty = append(empty, t.byte() == wireTrue) })
		case 2:
			each(wire, func(p *pageStats, elem byte) { p.stats.Min = nonNil(t.binary(elem)) })
		case 3:
			each(wire, func(p *pageStats, elem byte) { p.stats.Max = nonNil(t.binary(elem)) })
		case 5:
			each(wire, func(p *pageStats, elem byte) { p.stats.Nulls = t.integer(elem) })
		default:
			return false
		}
		return true
	})
	if t.bad || !fits || len(empty) != len(table) {
		return false
	}
	for i := range table {
		if empty[i] { // nulls only: min and max are placeholders
			table[i].stats = Stats{Nulls: table[i].rows, Distinct: -1}
		}
	}
	return true
}
