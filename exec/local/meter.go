package local

import (
	"context"
	"time"

	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/op"
	"github.com/tuttidb/tutti/exec/vector"
)

// clock is one driver's time, split between the operators of its chain: while
// an operator runs, inner adds up what the operators below it took.
type clock struct {
	inner time.Duration
	task  *exec.TaskStats
}

// ran counts d, of which the operator spent blocked waiting.
func (c *clock) ran(s *exec.OperatorStats, d, blocked time.Duration) {
	d = max(d-blocked, 0)
	s.Nanos.Add(int64(d))
	s.BlockedNanos.Add(int64(blocked))
	c.task.CPUNanos.Add(int64(d))
}

// waits follows what a Waiter has waited so far.
type waits struct {
	on   op.Waiter // nil: never waits
	seen time.Duration
}

func waitsOf(x any) waits {
	w, _ := x.(op.Waiter)
	return waits{on: w}
}

// more returns what was waited since the last call.
func (w *waits) more() time.Duration {
	if w.on == nil {
		return 0
	}
	now := w.on.Waited()
	d := now - w.seen
	w.seen = now
	return d
}

// meter wraps an operator and takes its statistics: one clock reading before
// and one after each batch.
type meter struct {
	exec.Operator
	clock *clock
	stats *exec.OperatorStats
	above *exec.OperatorStats // counts what this one puts out as its input
	waits waits
}

func newMeter(o exec.Operator, c *clock, s *exec.OperatorStats) *meter {
	return &meter{Operator: o, clock: c, stats: s, waits: waitsOf(o)}
}

// Next passes the operator's next batch and counts it.
func (m *meter) Next(ctx context.Context) (*vector.Batch, error) {
	outer, start := m.clock.inner, time.Now()
	m.clock.inner = 0
	b, err := m.Operator.Next(ctx)
	total := time.Since(start)
	m.clock.ran(m.stats, total-m.clock.inner, m.waits.more())
	m.clock.inner = outer + total
	if b != nil {
		m.count(b)
	}
	return b, err
}

func (m *meter) count(b *vector.Batch) {
	rows := int64(b.Rows())
	m.stats.Batches.Add(1)
	m.stats.RowsOut.Add(rows)
	m.stats.BytesOut.Add(rows * rowBytes(b))
	if m.above != nil {
		m.above.RowsIn.Add(rows)
	}
}

// rowBytes is the width of a row's fixed part: what strings and nested values
// have beyond it would take a look at each row to know.
func rowBytes(b *vector.Batch) int64 {
	n := 0
	for _, c := range b.Cols {
		n += c.Type.Physical().Width()
	}
	return int64(n)
}

// meterSink takes a sink's time. Its rows were counted below.
type meterSink struct {
	exec.Sink
	clock *clock
	stats *exec.OperatorStats
	waits waits
}

func newMeterSink(s exec.Sink, c *clock, stats *exec.OperatorStats) *meterSink {
	return &meterSink{Sink: s, clock: c, stats: stats, waits: waitsOf(s)}
}

// Add passes the batch on.
func (m *meterSink) Add(ctx context.Context, b *vector.Batch) (bool, error) {
	start := time.Now()
	more, err := m.Sink.Add(ctx, b)
	m.clock.ran(m.stats, time.Since(start), m.waits.more())
	return more, err
}

// Finish passes the end on.
func (m *meterSink) Finish(ctx context.Context) error {
	start := time.Now()
	err := m.Sink.Finish(ctx)
	m.clock.ran(m.stats, time.Since(start), m.waits.more())
	return err
}

// bridge puts a chain with a clock of its own under an operator that has
// several inputs.
type bridge struct {
	exec.Operator
	outer *clock
}

// Next passes the chain's next batch.
func (x *bridge) Next(ctx context.Context) (*vector.Batch, error) {
	start := time.Now()
	b, err := x.Operator.Next(ctx)
	x.outer.inner += time.Since(start)
	return b, err
}
