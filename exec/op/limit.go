package op

import (
	"context"
	"sync/atomic"

	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/vector"
)

// Limiter is the state that the drivers of a LIMIT share: how many rows are
// still to be skipped and passed.
type Limiter struct {
	skip, pass atomic.Int64
	endless    bool
}

// NewLimiter returns a limiter that skips offset rows and then passes n; a
// negative n passes all.
func NewLimiter(n, offset int64) *Limiter {
	l := &Limiter{endless: n < 0}
	l.skip.Store(offset)
	l.pass.Store(n)
	return l
}

// claim says which of the next n rows pass: those from `from` up to `to`.
func (l *Limiter) claim(n int) (from, to int) {
	from = take(&l.skip, n)
	if l.endless {
		return from, n
	}
	return from, from + take(&l.pass, n-from)
}

// done reports whether no further row will pass.
func (l *Limiter) done() bool { return !l.endless && l.pass.Load() <= 0 }

// take takes up to n from left and returns how many it got.
func take(left *atomic.Int64, n int) int {
	for {
		have := left.Load()
		if have <= 0 || n == 0 {
			return 0
		}
		got := min(have, int64(n))
		if left.CompareAndSwap(have, have-got) {
			return int(got)
		}
	}
}

// Limit passes the rows that its limiter lets through. When those are all
// gone it closes its input at once, so that nothing upstream works on.
type Limit struct {
	in    exec.Operator
	state *Limiter
	out   vector.Batch
	sel   []int32
	ended bool
}

// NewLimit returns one driver's part of a limit.
func NewLimit(in exec.Operator, state *Limiter) *Limit { return &Limit{in: in, state: state} }

// Next returns the next batch, cut to the rows that pass.
func (l *Limit) Next(ctx context.Context) (*vector.Batch, error) {
	for {
		if l.ended || l.state.done() {
			l.ended = true
			return nil, l.in.Close()
		}
		b, err := l.in.Next(ctx)
		if err != nil {
			return nil, err
		}
		if b == nil {
			l.ended = true
			return nil, nil
		}
		n := b.Rows()
		from, to := l.state.claim(n)
		if from == 0 && to == n {
			return b, nil
		}
		if from < to {
			return l.cut(b, from, to), nil
		}
	}
}

// cut returns rows from … to-1 of b.
func (l *Limit) cut(b *vector.Batch, from, to int) *vector.Batch {
	l.out = vector.Batch{N: b.N, Cols: b.Cols}
	if b.Sel != nil {
		l.out.Sel = b.Sel[from:to]
		return &l.out
	}
	l.sel = l.sel[:0]
	for r := from; r < to; r++ {
		l.sel = append(l.sel, int32(r))
	}
	l.out.Sel = l.sel
	return &l.out
}

// Close closes the input.
func (l *Limit) Close() error {
	l.ended = true
	return l.in.Close()
}
