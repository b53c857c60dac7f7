package op

import (
	"slices"

	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// run is a stretch of entries that belong to one group.
type run struct {
	group    uint32
	from, to int
}

// rowSet are rows that count, with their groups. It has one of two forms:
// entries in the order of the batch with a group each, or, where groups are
// few, entries sorted by group with the stretches that belong to each.
type rowSet struct {
	n    int
	rows []int32  // physical row of each entry; nil: entry i is row i
	ids  []uint32 // group of each entry; nil: see runs
	runs []run
}

// feed is what an aggregate sees of a batch: the rows that count for it, and
// its argument columns at those rows.
type feed struct {
	rowSet
	args   []colRef
	spread []uint32
}

// groups returns the group of each entry, whichever form the feed has.
func (f *feed) groups() []uint32 {
	if f.runs == nil {
		return f.ids[:f.n]
	}
	f.spread = slices.Grow(f.spread[:0], f.n)[:f.n]
	for _, r := range f.runs {
		for i := r.from; i < r.to; i++ {
			f.spread[i] = r.group
		}
	}
	return f.spread
}

// mask narrows a batch's rows for the aggregates that share it.
type mask struct {
	filter  int // boolean column; -1: none
	nonNull []int
	set     rowSet
	bufs    struct {
		rows []int32
		ids  []uint32
		runs []run
	}
	done bool // set is of this batch
}

// feeder makes the feeds of a batch. Aggregates with the same filter and the
// same columns that must not be null share a mask.
type feeder struct {
	masks []*mask
	of    []int // mask of each aggregate
	calls []feederCall
	runs  bool // sorting by group may pay
	base  rowSet
	order []int32
	list  []run
	keep  []int32
	bools []int32 // places of a filter's values
	out   feed
}

type feederCall struct {
	cols    []int
	scratch [][]int32
}

func newFeeder(s *AggSpec) *feeder {
	f := &feeder{runs: s.heavy() >= 2}
	for i := range s.Aggs {
		c := &s.Aggs[i]
		cols := c.Args
		for _, k := range c.OrderBy {
			cols = append(cols[:len(cols):len(cols)], k.Column)
		}
		f.calls = append(f.calls, feederCall{cols: cols, scratch: make([][]int32, len(cols))})
		f.of = append(f.of, f.mask(c.Filter, s.skips(c)))
	}
	return f
}

func (f *feeder) mask(filter int, nonNull []int) int {
	sorted := slices.Compact(slices.Sorted(slices.Values(nonNull)))
	for i, m := range f.masks {
		if m.filter == filter && slices.Equal(m.nonNull, sorted) {
			return i
		}
	}
	f.masks = append(f.masks, &mask{filter: filter, nonNull: sorted})
	return len(f.masks) - 1
}

// begin starts a batch whose rows have the given groups, nil for a single one.
func (f *feeder) begin(b *vector.Batch, ids []uint32, groups int) {
	for _, m := range f.masks {
		m.done = false
	}
	n := b.Rows()
	f.base = rowSet{n: n, rows: b.Sel, ids: ids}
	switch {
	case ids == nil:
		f.list = append(f.list[:0], run{0, 0, n})
		f.base.runs = f.list
	case f.runs && groups <= fewGroups && n >= 8*groups:
		f.sort(groups)
	}
}

// sort brings the rows into the order of their groups, by counting.
func (f *feeder) sort(groups int) {
	var at [fewGroups + 1]int32
	for _, g := range f.base.ids {
		at[g+1]++
	}
	f.list = f.list[:0]
	for g := range groups {
		if at[g+1] > 0 {
			f.list = append(f.list, run{uint32(g), int(at[g]), int(at[g] + at[g+1])})
		}
		at[g+1] += at[g]
	}
	n := f.base.n
	f.order = slices.Grow(f.order[:0], n)[:n]
	order := f.order
	if rows := f.base.rows; rows == nil {
		for i, g := range f.base.ids {
			order[at[g]] = int32(i)
			at[g]++
		}
	} else {
		for i, g := range f.base.ids {
			order[at[g]] = rows[i]
			at[g]++
		}
	}
	f.base.rows, f.base.ids, f.base.runs = order, nil, f.list
}

// feed returns what aggregate k sees of b.
func (f *feeder) feed(b *vector.Batch, k int) *feed {
	set := f.narrow(b, f.masks[f.of[k]])
	c := &f.calls[k]
	f.out.rowSet, f.out.args = *set, f.out.args[:0]
	for i, col := range c.cols {
		var ref colRef
		ref, c.scratch[i] = refer(b.Cols[col], set.rows, set.n, c.scratch[i])
		f.out.args = append(f.out.args, ref)
	}
	return &f.out
}

// narrow returns the rows that a mask leaves.
func (f *feeder) narrow(b *vector.Batch, m *mask) *rowSet {
	if m.done {
		return &m.set
	}
	m.done, m.set = true, f.base
	if m.filter >= 0 {
		f.keepTrue(b.Cols[m.filter], &m.set)
		m.pick(f.keep)
	}
	for _, c := range m.nonNull {
		if v := b.Cols[c]; mayHaveNulls(v) && m.set.n > 0 {
			f.keepValid(v, &m.set)
			m.pick(f.keep)
		}
	}
	return &m.set
}

// keepTrue sets keep to the entries of s at which v is true.
func (f *feeder) keepTrue(v *vector.Vector, s *rowSet) {
	f.keep = slices.Grow(f.keep[:0], s.n+1)[:s.n+1]
	keep, k := f.keep, 0
	var c colRef
	c, f.bools = refer(v, s.rows, s.n, f.bools)
	vals := vector.Values[uint8](c.flat)
	nullable := mayHaveNulls(v)
	for i := range s.n {
		keep[k] = int32(i)
		if vals[c.at(i)] != 0 && !(nullable && c.isNull(i)) {
			k++
		}
	}
	f.keep = keep[:k]
}

// keepValid sets keep to the entries of s at which v is not null.
func (f *feeder) keepValid(v *vector.Vector, s *rowSet) {
	f.keep = slices.Grow(f.keep[:0], s.n+1)[:s.n+1]
	keep, k := f.keep, 0
	switch {
	case v.Type.Physical() == types.PhysNull || v.Enc == vector.Const && v.IsNull(0):
	case v.Enc == vector.Const:
		for i := range s.n {
			keep[i] = int32(i)
		}
		k = s.n
	case s.rows == nil:
		for i := range s.n {
			keep[k] = int32(i)
			k += int(v.Valid[i>>6] >> (uint(i) & 63) & 1)
		}
	default:
		for i, r := range s.rows[:s.n] {
			keep[k] = int32(i)
			k += int(v.Valid[r>>6] >> (uint(r) & 63) & 1)
		}
	}
	f.keep = keep[:k]
}

// pick narrows the mask's set to the entries in keep, which are ascending.
func (m *mask) pick(keep []int32) {
	s, bufs := &m.set, &m.bufs
	if len(keep) == s.n {
		return
	}
	bufs.rows = slices.Grow(bufs.rows[:0], len(keep))[:len(keep)]
	if s.rows == nil {
		copy(bufs.rows, keep)
	} else {
		for i, k := range keep { // in place where rows are bufs.rows: k ≥ i
			bufs.rows[i] = s.rows[k]
		}
	}
	if s.ids != nil {
		bufs.ids = slices.Grow(bufs.ids[:0], len(keep))[:len(keep)]
		for i, k := range keep {
			bufs.ids[i] = s.ids[k]
		}
		s.ids = bufs.ids
	} else {
		bufs.runs = cutRuns(bufs.runs, s.runs, keep)
		s.runs = bufs.runs
	}
	s.rows, s.n = bufs.rows, len(keep)
}

// cutRuns returns runs narrowed to the entries in keep, in dst's memory, which
// may be that of runs.
func cutRuns(dst, runs []run, keep []int32) []run {
	out, at := dst[:0], 0
	for _, r := range runs {
		from := at
		for at < len(keep) && int(keep[at]) < r.to {
			at++
		}
		if at > from {
			out = append(out, run{r.group, from, at})
		}
	}
	return out
}
