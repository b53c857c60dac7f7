package parquet

import (
	"github.com/tuttidb/tutti/sql/expr"
)

// rowRange is a range of rows of a group, end exclusive.
type rowRange struct{ begin, end int64 }

// nextGroup begins the next row group that may have rows to return, and the
// fetch of the one after it. It reports whether there is one.
func (r *Reader) nextGroup() (bool, error) {
	r.endGroup()
	for r.next < len(r.cfg.File.Groups) {
		i := r.next
		r.next++
		if !r.owns(i) {
			continue
		}
		r.stats.Groups++
		used, err := r.beginGroup(i)
		if err != nil {
			return false, err
		}
		if used {
			return true, nil
		}
		r.stats.GroupsSkipped++
		r.endGroup()
	}
	return false, nil
}

// owns reports whether a group is the reader's: whether its middle lies in
// the range of bytes to read.
func (r *Reader) owns(i int) bool {
	g := &r.cfg.File.Groups[i]
	middle := g.Start + (g.End-g.Start)/2
	return g.Rows > 0 && middle >= r.cfg.From && middle < r.cfg.To
}

// beginGroup begins group i, unless it shows that no row of it is wanted.
func (r *Reader) beginGroup(i int) (bool, error) {
	g := &r.cfg.File.Groups[i]
	if !r.pruner.wanted(r, g) {
		return false, nil
	}
	data, err := r.takeData(i)
	if err != nil || data == nil {
		return false, err
	}
	r.group, r.data, r.ranges, r.row, r.pending = g, data, data.rows, 0, 0
	for k := range r.slots {
		r.slots[k].started, r.slots[k].behind, r.slots[k].loaded = false, 0, false
	}
	r.batchRows = r.rowsFor(g)
	used, err := r.filter.beginGroup(r)
	if used {
		r.fetchAhead(r.left - count(data.rows))
	}
	r.peek = !used // where one dictionary says no, the next may as well
	return used, err
}

// rowsOf returns the rows of group i that are to be read, of which left at most
// are wanted if r is sure.
func (r *Reader) rowsOf(i int, left int64) ([]rowRange, error) {
	rows, err := r.pruner.rows(r, i)
	if err == nil && r.sure() {
		rows = firstRows(rows, left)
	}
	return rows, err
}

// sure reports whether every row that is read is also returned, and only so
// many are wanted.
func (r *Reader) sure() bool {
	return r.left >= 0 && r.cfg.Predicate == nil && len(r.cfg.Dynamic) == 0
}

// count returns the number of rows in the ranges.
func count(ranges []rowRange) (n int64) {
	for _, x := range ranges {
		n += x.end - x.begin
	}
	return n
}

// firstRows returns the first n rows of the ranges.
func firstRows(ranges []rowRange, n int64) []rowRange {
	for i, x := range ranges {
		if have := x.end - x.begin; have < n {
			n -= have
			continue
		}
		out := append([]rowRange(nil), ranges[:i+1]...)
		out[i].end = x.begin + n
		return out
	}
	return ranges
}

// maxElements is about how many elements of lists a batch has at most.
const maxElements = 1 << 18

// rowsFor returns the number of rows of the group's batches.
func (r *Reader) rowsFor(g *Group) int64 {
	values := g.Rows
	for _, l := range r.wantedLeaves() {
		values = max(values, g.Chunks[l].Values)
	}
	perRow := (values + g.Rows - 1) / g.Rows
	return min(int64(r.cfg.BatchRows), max(maxElements/perRow, 1))
}

// takeData returns the data of group i, fetched ahead if it was; nil if no row
// of it is to be read.
func (r *Reader) takeData(i int) (*groupData, error) {
	if ahead := r.ahead; ahead != nil && r.aheadAt == i {
		r.ahead, r.aheadAt = nil, -1
		return ahead, nil
	}
	r.DropAhead()
	rows, err := r.rowsOf(i, r.left)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	if r.peek {
		if may, err := r.filter.peek(r, &r.cfg.File.Groups[i]); err != nil || !may {
			return nil, err
		}
	}
	return r.fetchGroup(&r.cfg.File.Groups[i], r.wantedLeaves(), rows)
}

// fetchAhead begins to fetch the next group that will be read as far as can be
// told now. What does not fit in memory now is fetched in its turn. left is the
// number of rows that are still wanted then, if r is sure.
func (r *Reader) fetchAhead(left int64) {
	leaves := r.wantedLeaves()
	if len(leaves) == 0 || r.sure() && left <= 0 {
		return
	}
	for i := r.next; i < len(r.cfg.File.Groups); i++ {
		g := &r.cfg.File.Groups[i]
		if !r.owns(i) || !r.pruner.wanted(r, g) {
			continue
		}
		rows, err := r.rowsOf(i, left)
		if err != nil {
			return // which its turn will show
		}
		if len(rows) == 0 {
			continue
		}
		if data, err := r.fetchGroup(g, leaves, rows); err == nil {
			data.ahead = true
			r.ahead, r.aheadAt = data, i
		}
		return
	}
}

// Prefetch begins to fetch the first row group, before anybody asks for a row.
// It may wait for the file's indexes. What goes wrong shows in Next.
func (r *Reader) Prefetch() {
	if !r.filter.poll(r) {
		r.fetchAhead(r.left)
	}
}

// wantedLeaves returns the leaves to fetch, each once: those of the predicate
// first.
func (r *Reader) wantedLeaves() []int {
	if r.leaves != nil {
		return r.leaves
	}
	seen := map[int]bool{}
	add := func(i int) {
		for _, l := range r.slots[i].leaves {
			if !seen[l] {
				seen[l] = true
				r.leaves = append(r.leaves, l)
			}
		}
	}
	for _, e := range expr.Conjuncts(r.cfg.Predicate) {
		expr.Columns(e, func(c *expr.Column) { add(int(c.ID)) })
	}
	for i := range r.slots {
		add(i)
	}
	return r.leaves
}

// endGroup gives up the current group's data.
func (r *Reader) endGroup() {
	r.data.release(&r.stats)
	r.data, r.group, r.ranges = nil, nil, nil
	if r.done {
		r.DropAhead()
	}
}
