package op

import (
	"context"
	"slices"

	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// RowNumber is what the drivers of the operator share that numbers the rows of
// each partition from 1, in the order in which they come. For numbers in the
// order of some keys, read from a Sort by those keys, in one driver; the
// partition need not be among them.
type RowNumber struct {
	set   *keySet
	limit int64
}

// NewRowNumber returns the shared state; partition are positions among columns
// of types in. Rows numbered higher than limit are dropped; negative: none.
func NewRowNumber(env *Env, in []types.Type, partition []int, limit int64) *RowNumber {
	return &RowNumber{set: newKeySet(env, in, partition), limit: limit}
}

// Operator returns one driver's operator. All must be made before any runs.
func (r *RowNumber) Operator(in exec.Operator) exec.Operator {
	return &numberer{
		in: in, look: newKeyLookup(r.set), limit: r.limit,
		numbers: vector.NewBuilder(r.set.env.Account, types.Of(types.BigInt)),
	}
}

type numberer struct {
	in      exec.Operator
	look    keyLookup
	limit   int64
	numbers *vector.Builder
	sel     []int32
	out     vector.Batch
}

// Next returns the next batch in which any row is within the limit.
func (n *numberer) Next(ctx context.Context) (*vector.Batch, error) {
	for {
		b, err := n.in.Next(ctx)
		if b == nil || err != nil {
			return nil, err
		}
		if err := n.look.load(b); err != nil {
			return nil, err
		}
		n.numbers.Reset()
		if _, err := n.numbers.Extend(b.N); err != nil {
			return nil, err
		}
		numbers := vector.Fill[int64](n.numbers)
		if err := n.number(b, numbers); err != nil {
			return nil, err
		}
		sel := n.within(b, numbers)
		if sel != nil && len(sel) == 0 {
			continue
		}
		n.out = vector.Batch{N: b.N, Sel: sel, Cols: append(append(n.out.Cols[:0], b.Cols...), n.numbers.Vector())}
		return &n.out, nil
	}
}

func (n *numberer) number(b *vector.Batch, numbers []int64) error {
	s := n.look.set
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := n.look.find(b); err != nil {
		return err
	}
	groups := 1
	if s.groups != nil {
		groups = s.groups.count()
	}
	if err := s.counts.grow(s.env.Account, groups); err != nil {
		return err
	}
	if b.Sel != nil {
		clear(numbers)
	}
	for i, g := range n.look.ids {
		s.counts.v[g]++
		numbers[b.Row(i)] = s.counts.v[g]
	}
	return nil
}

// within returns the selection of the rows up to the limit.
func (n *numberer) within(b *vector.Batch, numbers []int64) []int32 {
	if n.limit < 0 {
		return b.Sel
	}
	n.sel = slices.Grow(n.sel[:0], b.N)
	for i := range b.Rows() {
		if r := b.Row(i); numbers[r] <= n.limit {
			n.sel = append(n.sel, int32(r))
		}
	}
	if len(n.sel) == b.N {
		return nil
	}
	return n.sel
}

// Close closes the input.
func (n *numberer) Close() error {
	n.numbers.Release()
	n.look.close()
	return n.in.Close()
}
