package op

import (
	"context"
	"sync/atomic"

	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// Counter gives out the ids of one task: its number in the stage above, a
// running number below. A task would have to see 2^40 rows to reach another's.
type Counter struct {
	base int64
	next atomic.Int64
}

// taskBits is how far up the task's number stands in an id.
const taskBits = 40

// NewCounter returns the counter of a stage's task.
func NewCounter(task int) *Counter { return &Counter{base: int64(task) << taskBits} }

// reserve returns the first of n consecutive fresh ids.
func (c *Counter) reserve(n int) int64 { return c.base + c.next.Add(int64(n)) - int64(n) }

// UniqueID adds a bigint column that differs in every row of the stage.
type UniqueID struct {
	in    exec.Operator
	state *Counter
	ids   *vector.Builder
	out   vector.Batch
}

// NewUniqueID returns one driver's part of the operator; siblings share state.
func NewUniqueID(env *Env, in exec.Operator, state *Counter) *UniqueID {
	return &UniqueID{in: in, state: state, ids: vector.NewBuilder(env.Account, types.Of(types.BigInt))}
}

// Next returns the next batch with its ids.
func (u *UniqueID) Next(ctx context.Context) (*vector.Batch, error) {
	b, err := u.in.Next(ctx)
	if b == nil || err != nil {
		return nil, err
	}
	u.ids.Reset()
	if _, err := u.ids.Extend(b.N); err != nil {
		return nil, err
	}
	first := u.state.reserve(b.N)
	for i, ids := 0, vector.Fill[int64](u.ids); i < len(ids); i++ {
		ids[i] = first + int64(i)
	}
	u.out.N, u.out.Sel = b.N, b.Sel
	u.out.Cols = append(append(u.out.Cols[:0], b.Cols...), u.ids.Vector())
	return &u.out, nil
}

// Close releases the ids and closes the input.
func (u *UniqueID) Close() error {
	u.ids.Release()
	return u.in.Close()
}
