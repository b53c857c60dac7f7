package op

import (
	"context"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/types"
)

// Aggregation is what the drivers of an aggregation share. One pipeline ends
// in its sinks, one sink a driver, each of which groups its rows in a table of
// its own; the next pipeline starts with its sources, any number of which
// share the result between them. What several drivers found is merged by the
// sources: few groups by one of them, many in partitions by hash, side by
// side.
//
//	agg, err := op.NewAggregation(env, spec)
//	… Sink: agg.Sink()   for each driver below
//	… Source: agg.Source() for each driver above
//
// All sinks and sources must be made before any runs. Without keys the result
// is one row, from whichever source comes first; also of no input, unless the
// step is Partial. An aggregation without aggregates is SELECT DISTINCT.
//
// For a Partial step that should not hold up its rows see PartialAggregation.
type Aggregation struct {
	env  *Env
	spec *AggSpec

	open  atomic.Int32  // sinks and sources not closed
	sinks atomic.Int32  // sinks not finished
	ready chan struct{} // closed when all sinks have finished

	mu     sync.Mutex
	tables []*aggTable // of finished sinks

	partitions int
	next       atomic.Int32 // partition to be taken
	left       atomic.Int32 // partitions not yet done
}

// NewAggregation returns an aggregation. The error is about what is not
// supported.
func NewAggregation(env *Env, spec *AggSpec) (*Aggregation, error) {
	if _, err := newAggTable(env.Account, spec); err != nil { // holds no memory yet
		return nil, err
	}
	return &Aggregation{env: env, spec: spec, ready: make(chan struct{})}, nil
}

// Sink returns the sink of one driver.
func (a *Aggregation) Sink() exec.Sink {
	a.open.Add(1)
	a.sinks.Add(1)
	return &aggSink{a: a}
}

// Source returns the source of one driver.
func (a *Aggregation) Source() exec.Operator {
	a.open.Add(1)
	return &aggSource{a: a, out: newAggOutput(a.env, a.spec)}
}

// closed is called once by each sink and source.
func (a *Aggregation) closed() {
	if a.open.Add(-1) == 0 {
		a.release()
	}
}

func (a *Aggregation) release() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, t := range a.tables {
		t.release()
	}
	a.tables = nil
}

// mergeGroups is the number of groups up to which one driver merges alone, and
// the number that a partition should have.
const (
	mergeGroups    = 1 << 14
	partitionSize  = 1 << 15
	maxPartitions  = 256
	partitionFloor = 16
)

// deliver takes a finished sink's table; the last one's opens the result.
func (a *Aggregation) deliver(t *aggTable) {
	a.mu.Lock()
	if t != nil {
		a.tables = append(a.tables, t)
	}
	a.mu.Unlock()
	if a.sinks.Add(-1) > 0 {
		return
	}
	total := 0
	for _, t := range a.tables {
		total += t.n
	}
	a.partitions = 1
	if total > mergeGroups && len(a.tables) > 1 {
		n := 1 << bits.Len(uint(total/partitionSize))
		a.partitions = max(partitionFloor, min(n, maxPartitions))
	}
	a.left.Store(int32(a.partitions))
	close(a.ready)
}

// aggSink groups the rows of one driver.
type aggSink struct {
	a        *Aggregation
	t        *aggTable
	finished bool
	closed   bool
}

// Add groups b's rows.
func (s *aggSink) Add(_ context.Context, b *vector.Batch) (bool, error) {
	if s.t == nil {
		t, err := newAggTable(s.a.env.Account, s.a.spec)
		if err != nil {
			return false, err
		}
		s.t = t
	}
	return true, s.t.add(b)
}

// Finish hands the groups over.
func (s *aggSink) Finish(context.Context) error {
	if !s.finished {
		s.finished = true
		s.a.deliver(s.t)
		s.t = nil
	}
	return nil
}

// Close releases what Finish has not handed over.
func (s *aggSink) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	if s.t != nil {
		s.t.release()
	}
	s.a.closed()
	return nil
}

// aggSource gives a share of the result.
type aggSource struct {
	waited
	a      *Aggregation
	out    *aggOutput
	own    *aggTable // merged by this source
	taken  bool      // a partition is in work
	closed bool
}

// Next returns the next groups.
func (s *aggSource) Next(ctx context.Context) (*vector.Batch, error) {
	if s.closed {
		return nil, nil
	}
	if err := s.wait(ctx); err != nil {
		return nil, err
	}
	for {
		if b, err := s.out.next(); b != nil || err != nil {
			return b, err
		}
		s.finishPartition()
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		p := int(s.a.next.Add(1)) - 1
		if p >= s.a.partitions {
			return nil, nil
		}
		s.taken = true
		if err := s.take(p); err != nil {
			return nil, err
		}
	}
}

func (s *aggSource) wait(ctx context.Context) error {
	select {
	case <-s.a.ready:
		return nil
	default:
	}
	start := time.Now()
	defer s.since(start)
	select {
	case <-s.a.ready:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// take starts the output of partition p, merging it if need be.
func (s *aggSource) take(p int) error {
	tables := s.a.tables
	switch {
	case len(tables) == 0:
		return s.takeNothing()
	case len(tables) == 1:
		s.out.start(tables[0])
		return nil
	case s.a.partitions == 1:
		for _, t := range tables[1:] {
			list := make([]uint32, t.n)
			for i := range list {
				list[i] = uint32(i)
			}
			if err := tables[0].absorb(t, list); err != nil {
				return err
			}
			t.release()
		}
		s.out.start(tables[0])
		return nil
	}
	return s.mergePartition(p)
}

// takeNothing gives the one row that an aggregation without keys has of no
// rows.
func (s *aggSource) takeNothing() error {
	if len(s.a.spec.Keys) > 0 || s.a.spec.Step == plan.Partial {
		return nil
	}
	t, err := newAggTable(s.a.env.Account, s.a.spec)
	if err != nil {
		return err
	}
	t.n, s.own = 1, t
	if err := t.grow(); err != nil {
		return err
	}
	s.out.start(t)
	return nil
}

// mergePartition merges what all tables have of partition p. It starts with
// another table than its siblings, so as not to meet them at each.
func (s *aggSource) mergePartition(p int) error {
	t, err := newAggTable(s.a.env.Account, s.a.spec)
	if err != nil {
		return err
	}
	s.own = t
	for i := range s.a.tables {
		from := s.a.tables[(i+p)%len(s.a.tables)]
		list, err := from.parts.list(from, s.a.partitions, p)
		if err != nil {
			return err
		}
		if err := t.absorb(from, list); err != nil {
			return err
		}
	}
	s.out.start(t)
	return nil
}

// finishPartition releases what the partition in work held. The last one
// releases the drivers' tables.
func (s *aggSource) finishPartition() {
	if !s.taken {
		return
	}
	s.taken = false
	if s.own != nil {
		s.own.release()
		s.own = nil
	}
	if s.a.left.Add(-1) == 0 {
		s.a.release()
	}
}

// Close releases what this source holds, and with the last sibling everything.
func (s *aggSource) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	s.out.release()
	if s.own != nil {
		s.own.release()
	}
	s.a.closed()
	return nil
}

// aggOutput turns a table's groups into batches.
type aggOutput struct {
	env   *Env
	t     *aggTable // nil: nothing to put out
	at    int
	types []types.Type
	cols  []*vector.Builder
	list  []uint32
	batch vector.Batch
}

func newAggOutput(env *Env, s *AggSpec) *aggOutput {
	return &aggOutput{env: env, types: s.OutputTypes()}
}

func (o *aggOutput) start(t *aggTable) { o.t, o.at = t, 0 }

// next returns the next batch, nil at the end of the table.
func (o *aggOutput) next() (*vector.Batch, error) {
	if o.t == nil || o.at == o.t.n {
		o.t = nil
		return nil, nil
	}
	n := min(o.env.rows(), o.t.n-o.at)
	o.list = o.list[:0]
	for g := o.at; g < o.at+n; g++ {
		o.list = append(o.list, uint32(g))
	}
	o.at += n
	if err := o.t.emit(o.list, o.builders()); err != nil {
		return nil, err
	}
	o.batch = vector.Batch{N: n, Cols: o.batch.Cols[:0]}
	for _, b := range o.cols {
		o.batch.Cols = append(o.batch.Cols, b.Vector())
	}
	return &o.batch, nil
}

// builders returns the output's columns, empty.
func (o *aggOutput) builders() []*vector.Builder {
	if o.cols == nil {
		for _, t := range o.types {
			o.cols = append(o.cols, vector.NewBuilder(o.env.Account, t))
		}
	}
	for _, b := range o.cols {
		b.Reset()
	}
	return o.cols
}

func (o *aggOutput) release() {
	releaseAll(o.cols)
	o.t, o.cols = nil, nil
}

// partIndex lists the groups of a table by partition. It is made when the
// first partition is merged.
type partIndex struct {
	once   sync.Once
	err    error
	groups cells[uint32]
	ends   [maxPartitions + 1]uint32
}

// list returns t's groups of partition p of n.
func (x *partIndex) list(t *aggTable, n, p int) ([]uint32, error) {
	x.once.Do(func() { x.err = x.build(t, n) })
	if x.err != nil {
		return nil, x.err
	}
	return x.groups.v[x.ends[p]:x.ends[p+1]], nil
}

// build sorts t's groups by partition, by counting.
func (x *partIndex) build(t *aggTable, n int) error {
	if err := x.groups.room(t.account, t.n); err != nil {
		return err
	}
	var hashes [1024]uint64
	each := func(visit func(g uint32, p uint64)) {
		for from := 0; from < t.n; from += len(hashes) {
			h := hashes[:min(len(hashes), t.n-from)]
			t.keys.hashes(from, h)
			for i, x := range h {
				visit(uint32(from+i), x>>partitionBit&uint64(n-1))
			}
		}
	}
	var at [maxPartitions]uint32
	each(func(_ uint32, p uint64) { x.ends[p+1]++ })
	for p := range n {
		at[p] = x.ends[p]
		x.ends[p+1] += x.ends[p]
	}
	each(func(g uint32, p uint64) {
		x.groups.v[at[p]] = g
		at[p]++
	})
	return nil
}

func (x *partIndex) release() { x.groups.release() }
