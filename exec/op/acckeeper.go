package op

import (
	"sync"

	"github.com/tuttidb/tutti/exec/kernel"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// keeper keeps one row of its columns for each group: the one whose last
// column is smallest or largest (min_by, max_by, and min and max of what has
// no fixed-width order), or simply the first (arbitrary).
//
// While it goes through a batch it only notes which row is each group's; what
// is still wanted at the end is copied in one go. Rows that were replaced are
// swept out when they are the majority.
type keeper struct {
	account *mem.Account
	compare kernel.Compare // nil: keep the first
	sign    int            // 1: the largest, -1: the smallest
	kept    []*vector.Builder
	// at says where each group's row is: 0 nowhere, i+1 in row i of kept,
	// -(i+1) in entry i of the batch.
	at      cells[int32]
	touched []uint32 // groups whose row is in the batch
	rows    []int32
	mu      sync.Mutex // several drivers may read the state of one table
}

// newKeeper returns a keeper of columns of types ts, ordered by the last, of
// type order; Unknown for no order.
func newKeeper(a *mem.Account, ts []types.Type, order types.Type, max bool) *keeper {
	k := &keeper{account: a, sign: -1}
	if max {
		k.sign = 1
	}
	if order.Kind != types.Unknown {
		k.compare = kernel.ExtremeOrder(order, max)
	}
	for _, t := range ts {
		k.kept = append(k.kept, vector.NewBuilder(a, t))
	}
	return k
}

func (k *keeper) grow(n int) error { return k.at.grow(k.account, n) }

func (k *keeper) merge(f *feed) error { return k.add(f) }

func (k *keeper) add(f *feed) error {
	k.touched = k.touched[:0]
	if k.compare == nil {
		for i, g := range f.groups() {
			if k.at.v[g] == 0 {
				k.take(g, i)
			}
		}
		return k.copy(f)
	}
	last := len(f.args) - 1
	c, kept := &f.args[last], k.kept[last].Vector()
	for i, g := range f.groups() {
		switch at := k.at.v[g]; {
		case at == 0:
			k.take(g, i)
		case at > 0:
			if k.compare(c.src, c.row(i), kept, int(at)-1)*k.sign > 0 {
				k.take(g, i)
			}
		default:
			if k.compare(c.src, c.row(i), c.src, c.row(int(-at)-1))*k.sign > 0 {
				k.at.v[g] = int32(-i - 1)
			}
		}
	}
	return k.copy(f)
}

// take makes entry i of the batch group g's row.
func (k *keeper) take(g uint32, i int) {
	k.touched = append(k.touched, g)
	k.at.v[g] = int32(-i - 1)
}

// copy copies the batch's rows that groups hold.
func (k *keeper) copy(f *feed) error {
	if len(k.touched) == 0 {
		return nil
	}
	base := k.kept[0].Len()
	for c := range k.kept {
		k.rows = k.rows[:0]
		for _, g := range k.touched {
			k.rows = append(k.rows, int32(f.args[c].row(int(-k.at.v[g])-1)))
		}
		if err := appendRows(k.kept[c], f.args[c].src, k.rows); err != nil {
			return err
		}
	}
	for i, g := range k.touched {
		k.at.v[g] = int32(base + i + 1)
	}
	return k.sweep()
}

// appendRows is b.AppendRows for constants without data as well.
func appendRows(b *vector.Builder, v *vector.Vector, rows []int32) error {
	if v.Enc == vector.Const && v.IsNull(0) {
		for range rows {
			if err := b.AppendNull(); err != nil {
				return err
			}
		}
		return nil
	}
	return b.AppendRows(v, rows)
}

// sweepFrom is the number of rows below which sweeping is not worth it.
const sweepFrom = 4096

// sweep copies the rows that groups still hold when they are the minority.
func (k *keeper) sweep() error {
	if n := k.kept[0].Len(); n < sweepFrom || n < 2*len(k.at.v) {
		return nil
	}
	k.rows, k.touched = k.rows[:0], k.touched[:0]
	for g, at := range k.at.v {
		if at > 0 {
			k.rows = append(k.rows, at-1)
			k.touched = append(k.touched, uint32(g))
		}
	}
	for c, old := range k.kept {
		next := vector.NewBuilder(k.account, old.Vector().Type)
		if err := next.AppendRows(old.Vector(), k.rows); err != nil {
			next.Release()
			return err
		}
		old.Release()
		k.kept[c] = next
	}
	for i, g := range k.touched {
		k.at.v[g] = int32(i + 1)
	}
	return nil
}

func (k *keeper) state(list []uint32, out []*vector.Builder) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for c := range k.kept {
		if err := k.emit(list, c, out[c]); err != nil {
			return err
		}
	}
	return nil
}

func (k *keeper) result(list []uint32, out *vector.Builder) error { return k.emit(list, 0, out) }

// emit appends column c of the listed groups' rows, null for those without.
func (k *keeper) emit(list []uint32, c int, out *vector.Builder) error {
	kept := k.kept[c].Vector()
	for len(list) > 0 {
		k.rows = k.rows[:0]
		for len(k.rows) < len(list) && k.at.v[list[len(k.rows)]] > 0 {
			k.rows = append(k.rows, k.at.v[list[len(k.rows)]]-1)
		}
		if n := len(k.rows); n > 0 {
			if err := out.AppendRows(kept, k.rows); err != nil {
				return err
			}
			list = list[n:]
			continue
		}
		if err := out.AppendNull(); err != nil {
			return err
		}
		list = list[1:]
	}
	return nil
}

func (k *keeper) reset() {
	k.at.empty()
	for _, b := range k.kept {
		b.Reset()
	}
}

func (k *keeper) release() {
	k.at.release()
	releaseAll(k.kept)
}
