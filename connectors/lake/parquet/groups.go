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
	ranges, err := r.pruner.rows(r, i)
	if err != nil || len(ranges) == 0 {
		return false, err
	}
	r.group, r.ranges, r.row, r.pending = g, ranges, 0, 0
	if r.data, err = r.takeData(i); err != nil {
		return false, err
	}
	for k := range r.slots {
		r.slots[k].started, r.slots[k].behind, r.slots[k].loaded = false, 0, false
	}
	r.batchRows = r.rowsFor(g)
	r.fetchAhead()
	return r.filter.beginGroup(r)
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

// takeData returns the data of group i: what was fetched ahead, if it was.
func (r *Reader) takeData(i int) (*groupData, error) {
	ahead, at := r.ahead, r.aheadAt
	r.ahead, r.aheadAt = nil, -1
	if ahead != nil && at == i {
		return ahead, nil
	}
	ahead.release(&r.stats)
	leaves := r.wantedLeaves()
	if len(leaves) == 0 {
		return nil, nil
	}
	return r.fetchGroup(&r.cfg.File.Groups[i], leaves)
}

// fetchAhead begins to fetch the next group that will be read as far as can be
// told now. What does not fit in memory now is fetched in its turn.
func (r *Reader) fetchAhead() {
	leaves := r.wantedLeaves()
	if len(leaves) == 0 {
		return
	}
	for i := r.next; i < len(r.cfg.File.Groups); i++ {
		g := &r.cfg.File.Groups[i]
		if !r.owns(i) || !r.pruner.wanted(r, g) {
			continue
		}
		if data, err := r.fetchGroup(g, leaves); err == nil {
			data.ahead = true
			r.ahead, r.aheadAt = data, i
		}
		return
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
		r.ahead.release(&r.stats)
		r.ahead = nil
	}
}
