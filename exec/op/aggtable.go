package op

import (
	"fmt"
	"slices"

	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/planner/plan"
)

// aggTable has the groups that one driver, or one partition of a merge, has
// seen, and the state of every aggregate in each.
type aggTable struct {
	account *mem.Account
	spec    *AggSpec
	columns []int
	keys    groups // nil: one group of all rows
	accs    []accumulator
	n       int // groups
	rows    int64
	feeder  *feeder
	cols    []colRef
	scratch [][]int32 // places of key columns
	ids     []uint32
	parts   partIndex
}

func newAggTable(a *mem.Account, s *AggSpec) (*aggTable, error) {
	t := &aggTable{account: a, spec: s, columns: s.columns(), feeder: newFeeder(s)}
	for i := range s.Aggs {
		acc, err := newAccumulator(a, s, &s.Aggs[i])
		if err != nil {
			return nil, err
		}
		t.accs = append(t.accs, acc)
	}
	if len(s.Keys) > 0 {
		t.keys = newGroups(a, s.keyTypes())
		t.scratch = make([][]int32, len(s.Keys))
		t.cols = make([]colRef, len(s.Keys))
	}
	return t, nil
}

// add takes a batch.
func (t *aggTable) add(b *vector.Batch) error {
	for _, c := range t.columns {
		if err := b.Cols[c].Load(b.Sel); err != nil {
			return err
		}
	}
	t.rows += int64(b.Rows())
	ids, err := t.find(b)
	if err != nil {
		return err
	}
	return t.update(b, ids)
}

// find returns the group of each of b's rows, nil if there is only one.
func (t *aggTable) find(b *vector.Batch) ([]uint32, error) {
	if t.keys == nil {
		t.n = 1
		return nil, nil
	}
	n := b.Rows()
	t.ids = slices.Grow(t.ids[:0], n)[:n]
	for i, k := range t.spec.Keys {
		t.cols[i], t.scratch[i] = refer(b.Cols[k], b.Sel, n, t.scratch[i])
	}
	err := t.keys.find(t.cols, n, t.ids)
	t.n = t.keys.count()
	return t.ids, err
}

// update shows b's rows, whose groups are ids, to the aggregates.
func (t *aggTable) update(b *vector.Batch, ids []uint32) error {
	if err := t.grow(); err != nil {
		return err
	}
	t.feeder.begin(b, ids, t.n)
	for i, acc := range t.accs {
		f := t.feeder.feed(b, i)
		if f.n == 0 {
			continue
		}
		take := acc.add
		if t.spec.Step == plan.Final {
			take = acc.merge
		}
		if err := take(f); err != nil {
			return err
		}
	}
	return nil
}

// grow makes room for n groups in every aggregate.
func (t *aggTable) grow() error {
	for _, acc := range t.accs {
		if err := acc.grow(t.n); err != nil {
			return err
		}
	}
	return nil
}

// emit appends the listed groups to out: their keys, then results, or states
// in the Partial step.
func (t *aggTable) emit(list []uint32, out []*vector.Builder) error {
	if t.keys != nil {
		if err := t.keys.emit(list, out); err != nil {
			return err
		}
		out = out[len(t.spec.Keys):]
	}
	for i, acc := range t.accs {
		width := 1
		var err error
		if t.spec.Step == plan.Partial {
			width = len(t.spec.Aggs[i].Fn.State)
			err = acc.state(list, out[:width])
		} else {
			err = acc.result(list, out[0])
		}
		if err != nil {
			return fmt.Errorf("aggregate %s: %w", t.spec.Aggs[i].Fn.Name, err)
		}
		out = out[width:]
	}
	return nil
}

// absorbRows is how many groups are merged at once.
const absorbRows = 4096

// absorb merges the listed groups of another table. Several goroutines may
// absorb the same table.
func (t *aggTable) absorb(o *aggTable, list []uint32) error {
	states := t.stateBuilders()
	defer func() {
		for _, bs := range states {
			releaseAll(bs)
		}
	}()
	for len(list) > 0 {
		n := min(len(list), absorbRows)
		if err := t.absorbSome(o, list[:n], states); err != nil {
			return err
		}
		list = list[n:]
	}
	return nil
}

// stateBuilders returns builders for the states of each aggregate; none where
// it absorbs without.
func (t *aggTable) stateBuilders() [][]*vector.Builder {
	out := make([][]*vector.Builder, len(t.accs))
	for i, acc := range t.accs {
		if _, ok := acc.(absorber); ok {
			continue
		}
		for _, typ := range t.spec.Aggs[i].Fn.State {
			out[i] = append(out[i], vector.NewBuilder(t.account, typ))
		}
	}
	return out
}

func (t *aggTable) absorbSome(o *aggTable, list []uint32, states [][]*vector.Builder) error {
	t.ids = slices.Grow(t.ids[:0], len(list))[:len(list)]
	t.n = 1
	if t.keys == nil {
		clear(t.ids)
	} else {
		if err := t.keys.absorb(o.keys, list, t.ids); err != nil {
			return err
		}
		t.n = t.keys.count()
	}
	if err := t.grow(); err != nil {
		return err
	}
	for i, acc := range t.accs {
		if a, ok := acc.(absorber); ok {
			if err := a.absorb(o.accs[i], list, t.ids); err != nil {
				return err
			}
			continue
		}
		if err := t.mergeStates(acc, o.accs[i], i, list, states[i]); err != nil {
			return err
		}
	}
	return nil
}

// mergeStates merges another accumulator's states of the listed groups.
func (t *aggTable) mergeStates(acc, from accumulator, call int, list []uint32, states []*vector.Builder) error {
	for _, b := range states {
		b.Reset()
	}
	if err := from.state(list, states); err != nil {
		return err
	}
	f := feed{rowSet: rowSet{n: len(list), ids: t.ids}}
	if v := states[nullColumn(&t.spec.Aggs[call])].Vector(); v.Valid != nil {
		f.n, f.ids = 0, nil
		for i, id := range t.ids {
			if !v.IsNull(i) {
				f.rows, f.ids = append(f.rows, int32(i)), append(f.ids, id)
			}
		}
		if f.n = len(f.ids); f.n == 0 {
			return nil
		}
	}
	for _, b := range states {
		c, _ := refer(b.Vector(), f.rows, f.n, nil)
		f.args = append(f.args, c)
	}
	return acc.merge(&f)
}

// nullColumn is the state column that is null in groups that have seen
// nothing, as far as the aggregate has one.
func nullColumn(c *AggCall) int {
	if c.Fn.Name == "min_by" || c.Fn.Name == "max_by" {
		return 1
	}
	return 0
}

// reset forgets all groups and keeps the memory.
func (t *aggTable) reset() {
	if t.keys != nil {
		t.keys.reset()
	}
	for _, acc := range t.accs {
		acc.reset()
	}
	t.n, t.rows = 0, 0
}

// release gives the memory back. It is idempotent.
func (t *aggTable) release() {
	if t.keys != nil {
		t.keys.release()
	}
	for _, acc := range t.accs {
		acc.release()
	}
	t.parts.release()
}
