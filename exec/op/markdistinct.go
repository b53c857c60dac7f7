package op

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// keySet is a table of keys that several drivers look rows up in. It is
// released when the last of them closes.
type keySet struct {
	env    *Env
	keys   []int
	open   atomic.Int32
	mu     sync.Mutex
	groups groups // nil: no keys, one group
	counts cells[int64]
	failed error // of a find, after which the groups are not to be trusted
}

func newKeySet(env *Env, in []types.Type, keys []int) *keySet {
	s := &keySet{env: env, keys: keys}
	var ts []types.Type
	for _, k := range keys {
		ts = append(ts, in[k])
	}
	if len(keys) > 0 {
		s.groups = newGroups(env.Account, ts)
	}
	return s
}

func (s *keySet) closed() {
	if s.open.Add(-1) > 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.groups != nil {
		s.groups.release()
	}
	s.counts.release()
}

// keyLookup is one driver's way into a keySet.
type keyLookup struct {
	set     *keySet
	cols    []colRef
	scratch [][]int32
	ids     []uint32
	closed  bool
}

func newKeyLookup(s *keySet) keyLookup {
	s.open.Add(1)
	return keyLookup{set: s, cols: make([]colRef, len(s.keys)), scratch: make([][]int32, len(s.keys))}
}

// find sets ids to the groups of b's rows and returns how many groups there
// were before. The caller holds the set's lock.
func (l *keyLookup) find(b *vector.Batch) (before int, err error) {
	n := b.Rows()
	l.ids = slices.Grow(l.ids[:0], n)[:n]
	if l.set.groups == nil {
		clear(l.ids)
		return 0, nil
	}
	for i, k := range l.set.keys {
		l.cols[i], l.scratch[i] = refer(b.Cols[k], b.Sel, n, l.scratch[i])
	}
	if l.set.failed != nil { // a sibling's; the task is about to end
		return 0, l.set.failed
	}
	before = l.set.groups.count()
	l.set.failed = l.set.groups.find(l.cols, n, l.ids)
	return before, l.set.failed
}

// load loads the key columns.
func (l *keyLookup) load(b *vector.Batch) error {
	for _, k := range l.set.keys {
		if err := b.Cols[k].Load(b.Sel); err != nil {
			return err
		}
	}
	return nil
}

func (l *keyLookup) close() {
	if !l.closed {
		l.closed = true
		l.set.closed()
	}
}

// MarkDistinct is what the drivers of the operator share that adds a boolean
// column, true in the first row of each combination of keys.
type MarkDistinct struct{ set *keySet }

// NewMarkDistinct returns the shared state; keys are positions among columns
// of types in.
func NewMarkDistinct(env *Env, in []types.Type, keys []int) *MarkDistinct {
	return &MarkDistinct{set: newKeySet(env, in, keys)}
}

// Operator returns one driver's operator. All must be made before any runs.
func (m *MarkDistinct) Operator(in exec.Operator) exec.Operator {
	return &marker{
		in: in, look: newKeyLookup(m.set),
		marks: vector.NewBuilder(m.set.env.Account, types.Of(types.Boolean)),
	}
}

type marker struct {
	in    exec.Operator
	look  keyLookup
	marks *vector.Builder
	// marked says which of the keys that a batch has brought are marked.
	marked []bool
	out    vector.Batch
}

// Next returns the next batch with its marks.
func (m *marker) Next(ctx context.Context) (*vector.Batch, error) {
	b, err := m.in.Next(ctx)
	if b == nil || err != nil {
		return nil, err
	}
	if err := m.look.load(b); err != nil {
		return nil, err
	}
	m.marks.Reset()
	if _, err := m.marks.Extend(b.N); err != nil {
		return nil, err
	}
	if err := m.mark(b, vector.Fill[uint8](m.marks)); err != nil {
		return nil, err
	}
	m.out = vector.Batch{N: b.N, Sel: b.Sel, Cols: append(append(m.out.Cols[:0], b.Cols...), m.marks.Vector())}
	return &m.out, nil
}

// mark marks the first rows of keys not seen before.
func (m *marker) mark(b *vector.Batch, marks []uint8) error {
	s := m.look.set
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(marks)
	before, err := m.look.find(b)
	if err != nil {
		return err
	}
	if s.groups == nil { // the only key there is
		if len(s.counts.v) == 0 {
			marks[b.Row(0)] = 1
			return s.counts.grow(s.env.Account, 1)
		}
		return nil
	}
	n := s.groups.count() - before
	m.marked = slices.Grow(m.marked[:0], n)[:n]
	clear(m.marked)
	for i, g := range m.look.ids {
		if k := int(g) - before; k >= 0 && !m.marked[k] {
			marks[b.Row(i)], m.marked[k] = 1, true
		}
	}
	return nil
}

// Close closes the input.
func (m *marker) Close() error {
	m.marks.Release()
	m.look.close()
	return m.in.Close()
}
