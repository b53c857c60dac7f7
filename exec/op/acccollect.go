package op

import (
	"slices"
	"sync"

	"github.com/tuttidb/tutti/exec/kernel"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// collector is an aggregate with DISTINCT or ORDER BY, or both. It collects
// the rows that count, each combination of group and arguments once if they
// are to be distinct, and shows them to the aggregate proper, in order, when
// the result is wanted. That way merging two of them is collecting again.
type collector struct {
	account *mem.Account
	inner   accumulator
	n       int  // groups
	args    int  // columns that the inner aggregate sees; the rest are for order
	counts  bool // inner counts rows and does not look at them
	types   []types.Type
	order   *kernel.SortKeys // nil: any order

	// distinct are the combinations seen, keyed by group and arguments; nil: all
	// rows count.
	distinct *rowGroups
	keys     []colRef
	idVector vector.Vector
	found    []uint32

	// rows are the collected rows where distinct does not have them.
	rows   []*vector.Builder
	group  cells[uint32]
	picked []int32
	at     []int32
	// vectors are the rows' columns once all are collected.
	vectors []*vector.Vector

	settled bool
	index   groupIndex // of the collected rows, for merging
	once    sync.Once
	onceErr error
}

func newCollector(a *mem.Account, s *AggSpec, c *AggCall, inner accumulator) *collector {
	k := &collector{account: a, inner: inner, args: len(c.Args), counts: c.Fn.Name == "count"}
	for _, col := range c.Args {
		k.types = append(k.types, s.Input[col])
	}
	if c.Distinct && !c.Fn.Indistinct {
		k.distinct = newRowGroups(a, append([]types.Type{types.Of(types.Integer)}, k.types...))
	}
	if len(c.OrderBy) > 0 {
		var ts []types.Type
		var desc, first []bool
		for _, o := range c.OrderBy {
			ts, desc, first = append(ts, s.Input[o.Column]), append(desc, o.Descending), append(first, o.NullsFirst)
		}
		k.order = kernel.NewSortKeys(ts, desc, first)
		k.types = append(k.types, ts...)
	}
	if k.keepsRows() {
		for _, t := range k.types {
			k.rows = append(k.rows, vector.NewBuilder(a, t))
		}
	}
	return k
}

// keepsRows reports whether rows are kept beside the distinct combinations.
func (k *collector) keepsRows() bool { return k.distinct == nil || k.order != nil }

func (k *collector) grow(n int) error {
	k.n = n
	return nil
}

func (k *collector) add(f *feed) error {
	if f.n == 0 {
		return nil
	}
	ids := f.groups()
	k.picked = k.picked[:0]
	if k.distinct == nil {
		for i := range f.n {
			k.picked = append(k.picked, int32(i))
		}
	} else if err := k.pickNew(f, ids); err != nil {
		return err
	}
	if !k.keepsRows() || len(k.picked) == 0 {
		return nil
	}
	return k.keep(f, ids)
}

// pickNew sets picked to the entries whose combination is new. New groups of
// the table are numbered in the order of their first entries.
func (k *collector) pickNew(f *feed, ids []uint32) error {
	k.idVector = vector.Vector{Type: types.Of(types.Integer), N: f.n, Data: vector.AsBytes(asInts(ids))}
	k.keys = append(k.keys[:0], colRef{src: &k.idVector, flat: &k.idVector})
	k.keys = append(k.keys, f.args[:k.args]...)
	k.found = slices.Grow(k.found[:0], f.n)[:f.n]
	next := uint32(k.distinct.count())
	if err := k.distinct.find(k.keys, f.n, k.found); err != nil {
		return err
	}
	for i, x := range k.found {
		if x == next {
			k.picked = append(k.picked, int32(i))
			next++
		}
	}
	return nil
}

// keep copies the picked entries.
func (k *collector) keep(f *feed, ids []uint32) error {
	first := len(k.group.v)
	if err := k.group.grow(k.account, first+len(k.picked)); err != nil {
		return err
	}
	for i, e := range k.picked {
		k.group.v[first+i] = ids[e]
	}
	for c, b := range k.rows {
		k.at = k.at[:0]
		for _, e := range k.picked {
			k.at = append(k.at, int32(f.args[c].row(int(e))))
		}
		if err := appendRows(b, f.args[c].src, k.at); err != nil {
			return err
		}
	}
	return nil
}

// merge is never called: the Final step has no DISTINCT and no order.
func (k *collector) merge(f *feed) error { return k.add(f) }

func (k *collector) state([]uint32, []*vector.Builder) error { return errNoState }

// groupsOf returns the group of every collected row.
func (k *collector) groupsOf() ([]uint32, error) {
	if k.keepsRows() {
		return k.group.v, nil
	}
	n, w := k.distinct.count(), k.distinct.layout.words
	if err := k.group.grow(k.account, n); err != nil {
		return nil, err
	}
	field := k.distinct.layout.fieldOf(0)
	for i := range n {
		word := k.distinct.rows.v[i*w+field.at/8]
		k.group.v[i] = uint32(word >> (field.at % 8 * 8))
	}
	return k.group.v[:n], nil
}

func (k *collector) result(list []uint32, out *vector.Builder) error {
	if !k.settled {
		k.settled = true
		if err := k.settle(); err != nil {
			return err
		}
	}
	return k.inner.result(list, out)
}

// settle shows the collected rows to the inner aggregate.
func (k *collector) settle() error {
	if err := k.inner.grow(k.n); err != nil {
		return err
	}
	group, err := k.freeze()
	if err != nil {
		return err
	}
	var perm cells[int32]
	defer perm.release()
	if err := perm.room(k.account, len(group)); err != nil {
		return err
	}
	for i := range perm.v {
		perm.v[i] = int32(i)
	}
	if k.order != nil {
		k.sort(perm.v, group)
	}
	r := replay{from: k, to: k.inner.add}
	if !k.keepsRows() && !k.counts {
		r.emitted = k.emitters()
	}
	defer r.release()
	for _, row := range perm.v {
		if err := r.take(row, group[row]); err != nil {
			return err
		}
	}
	return r.flush()
}

// freeze notes that all rows are collected, and returns their groups.
func (k *collector) freeze() ([]uint32, error) {
	k.vectors = k.vectors[:0]
	for _, b := range k.rows {
		k.vectors = append(k.vectors, b.Vector())
	}
	return k.groupsOf()
}

// sort brings rows into the order wanted of them, group by group.
func (k *collector) sort(rows []int32, group []uint32) {
	cols := k.vectors[k.args:]
	slices.SortStableFunc(rows, func(a, b int32) int {
		if ga, gb := group[a], group[b]; ga != gb {
			return int(int64(ga) - int64(gb))
		}
		for c, v := range cols {
			if r := k.order.CompareColumn(c, v, int(a), v, int(b)); r != 0 {
				return r
			}
		}
		return 0
	})
}

// emitters returns builders for what columns reads from distinct.
func (k *collector) emitters() []*vector.Builder {
	out := []*vector.Builder{vector.NewBuilder(k.account, types.Of(types.Integer))}
	for _, t := range k.types[:k.args] {
		out = append(out, vector.NewBuilder(k.account, t))
	}
	return out
}

// columns sets f's columns to the given rows, collected by k: its own vectors,
// or what emitted gets of its distinct combinations; nil for no columns.
func (k *collector) columns(f *feed, rows []int32, emitted []*vector.Builder) error {
	f.args, f.rows = f.args[:0], nil
	if k.keepsRows() {
		f.rows = rows
		for _, v := range k.vectors {
			f.args = append(f.args, colRef{src: v, flat: v, rows: rows, pos: rows})
		}
		return nil
	}
	if emitted == nil {
		return nil
	}
	for _, b := range emitted {
		b.Reset()
	}
	if err := k.distinct.emit(asIDs(rows), emitted); err != nil {
		return err
	}
	for _, b := range emitted[1:] {
		v := b.Vector()
		f.args = append(f.args, colRef{src: v, flat: v})
	}
	return nil
}

// absorb collects the rows of the listed groups of another collector, which
// go to the groups ids. Several goroutines may absorb one collector.
func (k *collector) absorb(other accumulator, list, ids []uint32) error {
	o := other.(*collector)
	o.once.Do(func() { o.onceErr = o.makeIndex() })
	if o.onceErr != nil {
		return o.onceErr
	}
	r := replay{from: o, to: k.add}
	if !k.keepsRows() {
		r.emitted = k.emitters()
	}
	defer r.release()
	for i, g := range list {
		for _, row := range o.index.of(g) {
			if err := r.take(row, ids[i]); err != nil {
				return err
			}
		}
	}
	return r.flush()
}

// replay feeds rows that a collector has collected to an aggregate, a batch
// at a time.
type replay struct {
	from    *collector
	to      func(*feed) error
	emitted []*vector.Builder
	rows    []int32
	f       feed
}

func (r *replay) take(row int32, group uint32) error {
	r.rows = append(r.rows, row)
	r.f.ids = append(r.f.ids, group)
	if len(r.rows) == vector.DefaultRows {
		return r.flush()
	}
	return nil
}

func (r *replay) flush() error {
	r.f.n = len(r.rows)
	if r.f.n == 0 {
		return nil
	}
	if err := r.from.columns(&r.f, r.rows, r.emitted); err != nil {
		return err
	}
	err := r.to(&r.f)
	r.rows, r.f.ids = r.rows[:0], r.f.ids[:0]
	return err
}

func (r *replay) release() { releaseAll(r.emitted) }

func (k *collector) makeIndex() error {
	group, err := k.freeze()
	if err != nil {
		return err
	}
	return k.index.build(k.account, group, k.n)
}

func (k *collector) reset() {
	k.inner.reset()
	if k.distinct != nil {
		k.distinct.reset()
	}
	for _, b := range k.rows {
		b.Reset()
	}
	k.group.empty()
	k.settled = false
}

func (k *collector) release() {
	k.inner.release()
	if k.distinct != nil {
		k.distinct.release()
	}
	releaseAll(k.rows)
	k.group.release()
	k.index.release()
}

// groupIndex lists the rows of each group.
type groupIndex struct {
	starts cells[uint32]
	rows   cells[int32]
}

// build sorts the rows by their groups, of which there are n, by counting.
func (x *groupIndex) build(a *mem.Account, group []uint32, n int) error {
	if err := x.starts.grow(a, n+2); err != nil {
		return err
	}
	if err := x.rows.room(a, len(group)); err != nil {
		return err
	}
	at := x.starts.v[1:]
	for _, g := range group {
		at[g+1]++
	}
	for g := range n {
		at[g+1] += at[g]
	}
	// at[g] is where group g starts, and ends up as where it ends: the start of
	// the next; starts[g] is then the start of g.
	for r, g := range group {
		x.rows.v[at[g]] = int32(r)
		at[g]++
	}
	return nil
}

// of returns group g's rows in ascending order.
func (x *groupIndex) of(g uint32) []int32 { return x.rows.v[x.starts.v[g]:x.starts.v[g+1]] }

func (x *groupIndex) release() {
	x.starts.release()
	x.rows.release()
}
