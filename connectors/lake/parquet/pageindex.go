package parquet

// maxIndex is the largest page or bloom index that is worth reading.
const maxIndex = 4 << 20

// pageStats are one data page's place, rows and statistics, from the offset
// index and the column index.
type pageStats struct {
	at          span // of the page with its header, in the file
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
	table := parseOffsetIndex(where, rows)
	if table == nil || !readColumnIndex(&thrift{b: what}, table) {
		return nil
	}
	return table
}

// parseOffsetIndex reads an OffsetIndex: where the pages are and which rows of
// the group, rows in all, they hold. nil if it is damaged.
func parseOffsetIndex(where []byte, rows int64) pageTable {
	table := readOffsetIndex(&thrift{b: where})
	if len(table) == 0 || table[0].first != 0 {
		return nil
	}
	for i := range table {
		p := &table[i]
		end := rows
		if i+1 < len(table) {
			end = table[i+1].first
		}
		if p.first < 0 || end < p.first || end > rows {
			return nil
		}
		p.rows = end - p.first
	}
	return table
}

// readOffsetIndex returns each page's place and first row.
func readOffsetIndex(t *thrift) (table pageTable) {
	t.structure(wireStruct, func(id int, wire byte) bool {
		if id != 1 {
			return false
		}
		n, elem := t.list(wire)
		for i := 0; i < n && !t.bad; i++ {
			p := pageStats{first: -1, stats: Stats{Nulls: -1, Distinct: -1}}
			t.structure(elem, func(id int, wire byte) bool {
				switch id {
				case 1:
					p.at.off = t.integer(wire)
				case 2:
					p.at.len = t.integer(wire)
				case 3:
					p.first = t.integer(wire)
				default:
					return false
				}
				return true
			})
			table = append(table, p)
		}
		return true
	})
	if t.bad {
		return nil
	}
	return table
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
