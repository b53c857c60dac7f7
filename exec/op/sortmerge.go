package op

import (
	"bytes"
	"context"
	"errors"

	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/vector"
)

// tournament finds the first of several sorted sequences' next elements, with
// one comparison a level for each element taken: a tree of losers (Knuth,
// volume 3, 5.4.1). tree[0] is the winner; tree[k] the loser of the match at k.
type tournament struct {
	tree   []int
	before func(i, j int) bool
}

// start plays all matches between n sequences.
func (t *tournament) start(n int, before func(i, j int) bool) {
	t.before = before
	t.tree = make([]int, max(n, 1))
	if n > 1 {
		t.tree[0] = t.play(1)
	}
}

// play plays the matches below node k and returns the winner. Node k ≥ n is
// the leaf of sequence k−n.
func (t *tournament) play(k int) int {
	n := len(t.tree)
	if k >= n {
		return k - n
	}
	a, b := t.play(2*k), t.play(2*k+1)
	if t.before(b, a) {
		a, b = b, a
	}
	t.tree[k] = b
	return a
}

func (t *tournament) winner() int { return t.tree[0] }

// replay plays the winner's matches again, after its element was taken.
func (t *tournament) replay() {
	w := t.tree[0]
	for k := (w + len(t.tree)) / 2; k >= 1; k /= 2 {
		if t.before(t.tree[k], w) {
			w, t.tree[k] = t.tree[k], w
		}
	}
	t.tree[0] = w
}

// restAcross compares what pairs do not hold of a row of one run and one of
// another.
func restAcross(a *sorter, p uint32, b *sorter, q uint32) int {
	w := a.keys.Width()
	pi, qi := int(p&(1<<storeBits-1)), int(q&(1<<storeBits-1))
	if w > pairBytes {
		pk, qk := a.full[p>>storeBits].v[pi*w:][:w], b.full[q>>storeBits].v[qi*w:][:w]
		if c := bytes.Compare(pk[pairBytes:], qk[pairBytes:]); c != 0 {
			return c
		}
	}
	if a.keys.Tie() == len(a.keys.columns) {
		return 0
	}
	a.ties[0] = a.keys.of(a.ties[0], a.store.chunks[p>>storeBits].cols)
	a.ties[1] = a.keys.of(a.ties[1], b.store.chunks[q>>storeBits].cols)
	return a.keys.CompareTie(a.ties[0], pi, a.ties[1], qi)
}

// Merge merges sorted streams into one: the streams of a sort's tasks, for
// instance. Of equal rows those of the earlier input come first.
type Merge struct {
	env    *Env
	keys   *sortKeys
	inputs []mergeInput
	t      tournament
	cols   []*vector.Builder
	out    vector.Batch
	begun  bool
	// take are rows of input from that come next and are not yet copied.
	take []int32
	from int
	rows int // in cols and take
}

// mergeInput is one stream and its batch in hand.
type mergeInput struct {
	in   exec.Operator
	b    *vector.Batch // nil: at the end
	at   int           // next row, counted among those that are there
	keys []byte
	cols []*vector.Vector
}

// NewMerge returns a merge of inputs that are each sorted as spec says.
func NewMerge(env *Env, inputs []exec.Operator, spec *SortSpec) *Merge {
	m := &Merge{env: env, keys: newSortKeys(spec.Input, spec.Keys)}
	for _, in := range inputs {
		m.inputs = append(m.inputs, mergeInput{in: in})
	}
	for _, t := range spec.Input {
		m.cols = append(m.cols, vector.NewBuilder(env.Account, t))
	}
	return m
}

// Next returns the next rows in order.
func (m *Merge) Next(ctx context.Context) (*vector.Batch, error) {
	if len(m.inputs) == 0 {
		return nil, nil
	}
	if !m.begun {
		m.begun = true
		for i := range m.inputs {
			if err := m.advance(ctx, i); err != nil {
				return nil, err
			}
		}
		m.t.start(len(m.inputs), m.before)
	}
	for _, c := range m.cols {
		c.Reset()
	}
	m.rows = 0
	if err := m.fill(ctx); err != nil || m.rows == 0 {
		return nil, err
	}
	m.out = vector.Batch{N: m.rows, Cols: m.out.Cols[:0]}
	for _, c := range m.cols {
		m.out.Cols = append(m.out.Cols, c.Vector())
	}
	return &m.out, nil
}

// fill copies the next rows to the output.
func (m *Merge) fill(ctx context.Context) error {
	for m.rows < m.env.rows() {
		w := m.t.winner()
		in := &m.inputs[w]
		if in.b == nil {
			break
		}
		if w != m.from {
			if err := m.flush(); err != nil {
				return err
			}
			m.from = w
		}
		m.take = append(m.take, int32(in.b.Row(in.at)))
		m.rows++
		if in.at++; in.at == in.b.Rows() {
			if err := m.flush(); err != nil {
				return err
			}
			if err := m.advance(ctx, w); err != nil {
				return err
			}
		}
		m.t.replay()
	}
	return m.flush()
}

// flush copies the rows noted in take.
func (m *Merge) flush() error {
	if len(m.take) == 0 {
		return nil
	}
	for k, c := range m.cols {
		if err := appendRows(c, m.inputs[m.from].b.Cols[k], m.take); err != nil {
			return err
		}
	}
	m.take = m.take[:0]
	return nil
}

// advance gets input i's next batch and the keys of its rows.
func (m *Merge) advance(ctx context.Context, i int) error {
	in := &m.inputs[i]
	b, err := in.in.Next(ctx)
	in.b, in.at = b, 0
	if b == nil || err != nil {
		return err
	}
	if err := b.Load(); err != nil {
		return err
	}
	n := b.Rows() * m.keys.Width()
	if cap(in.keys) < n {
		in.keys = make([]byte, n)
	}
	in.keys = in.keys[:n]
	in.cols = m.keys.of(in.cols, b.Cols)
	m.keys.Encode(in.cols, b.Sel, b.N, in.keys)
	return nil
}

// before reports whether input i's next row comes before input j's.
func (m *Merge) before(i, j int) bool {
	a, b := &m.inputs[i], &m.inputs[j]
	if a.b == nil || b.b == nil {
		return a.b != nil
	}
	w := m.keys.Width()
	c := bytes.Compare(a.keys[a.at*w:(a.at+1)*w], b.keys[b.at*w:(b.at+1)*w])
	if c == 0 {
		c = m.keys.CompareTie(a.cols, a.b.Row(a.at), b.cols, b.b.Row(b.at))
	}
	return c < 0 || c == 0 && i < j
}

// Close closes the inputs.
func (m *Merge) Close() error {
	releaseAll(m.cols)
	var errs []error
	for i := range m.inputs {
		errs = append(errs, m.inputs[i].in.Close())
	}
	m.inputs = nil
	return errors.Join(errs...)
}
