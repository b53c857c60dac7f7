package op

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// SortSpec says what to sort by. Columns are positions in the input, all of
// which are put out.
type SortSpec struct {
	// Input are the types of the input's columns.
	Input []types.Type
	Keys  []SortColumn
}

// Sort is what the drivers of a sort, or of a top-N, share. One pipeline ends
// in its sinks, one a driver; each keeps its rows and sorts them when they are
// complete. Source, which there is one of, merges the sorted runs. Every step
// is the same: Partial gives each task's rows in order, and Merge reads
// several such streams.
//
// Rows compare by normalized keys. A driver sorts pairs of 12 key bytes and a
// row number, by radix; only rows that those bytes do not tell apart are
// compared in full. The rows themselves move once, when they are put out.
type Sort struct {
	env   *Env
	spec  *SortSpec
	keys  *sortKeys
	limit int // rows wanted; math.MaxInt: all

	open  atomic.Int32  // sinks and sources not closed
	sinks atomic.Int32  // sinks not finished
	ready chan struct{} // closed when all sinks have finished

	bound atomic.Uint64 // TopN: no row above this prefix is wanted

	mu   sync.Mutex
	runs []*sortRun
}

// sortRun is one driver's rows in order.
type sortRun struct {
	store *rowStore
	s     *sorter
	pairs []pair
}

func (r *sortRun) release() {
	r.s.forget()
	r.store.release()
}

// NewSort returns a sort of all rows.
func NewSort(env *Env, spec *SortSpec) *Sort {
	s := &Sort{env: env, spec: spec, keys: newSortKeys(spec.Input, spec.Keys), limit: math.MaxInt, ready: make(chan struct{})}
	s.bound.Store(math.MaxUint64)
	return s
}

// Sink returns the sink of one driver.
func (s *Sort) Sink() exec.Sink {
	s.open.Add(1)
	s.sinks.Add(1)
	return &sortSink{s: s, run: s.newRun()}
}

// Source returns the operator that puts out the rows in order.
func (s *Sort) Source() exec.Operator {
	s.open.Add(1)
	return &sortSource{s: s}
}

func (s *Sort) newRun() *sortRun {
	store := newRowStore(s.env.Account, s.spec.Input)
	return &sortRun{store: store, s: &sorter{account: s.env.Account, keys: s.keys, store: store}}
}

func (s *Sort) closed() {
	if s.open.Add(-1) > 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.runs {
		r.release()
	}
	s.runs = nil
}

func (s *Sort) deliver(r *sortRun) {
	s.mu.Lock()
	if r != nil {
		s.runs = append(s.runs, r)
	}
	s.mu.Unlock()
	if s.sinks.Add(-1) == 0 {
		close(s.ready)
	}
}

// sortSink keeps the rows of one driver.
type sortSink struct {
	s        *Sort
	run      *sortRun
	filter   topFilter
	finished bool
	closed   bool
}

// Add keeps b's rows.
func (s *sortSink) Add(_ context.Context, b *vector.Batch) (bool, error) {
	if s.s.limit < math.MaxInt {
		return s.addTop(b)
	}
	return true, s.run.store.append(b, b.Sel)
}

// Finish sorts the rows and hands them over.
func (s *sortSink) Finish(context.Context) error {
	if s.finished {
		return nil
	}
	s.finished = true
	run := s.run
	if run.store.n == 0 {
		s.s.deliver(nil)
		return nil
	}
	run.store.seal()
	pairs, err := run.s.sort()
	if err != nil {
		return err
	}
	run.pairs = pairs[:min(len(pairs), s.s.limit)]
	s.run = nil
	s.s.deliver(run)
	return nil
}

// Close releases what Finish has not handed over.
func (s *sortSink) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	if s.run != nil {
		s.run.release()
	}
	s.s.closed()
	return nil
}

// sortSource merges the runs.
type sortSource struct {
	waited
	s      *Sort
	all    *rowStore // the chunks of all runs
	g      *gatherer
	merge  *runMerge
	left   int
	rows   []uint32
	out    vector.Batch
	closed bool
}

// Next returns the next rows in order.
func (s *sortSource) Next(ctx context.Context) (*vector.Batch, error) {
	if s.closed {
		return nil, nil
	}
	if s.merge == nil {
		if err := s.wait(ctx); err != nil {
			return nil, err
		}
		s.start()
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	n := min(s.s.env.rows(), s.left)
	s.rows = s.merge.take(s.rows[:0], n)
	s.left -= len(s.rows)
	if len(s.rows) == 0 {
		return nil, nil
	}
	cols, err := s.g.gather(s.rows)
	if err != nil {
		return nil, err
	}
	s.out = vector.Batch{N: len(s.rows), Cols: cols}
	return &s.out, nil
}

func (s *sortSource) wait(ctx context.Context) error {
	start := time.Now()
	defer s.since(start)
	select {
	case <-s.s.ready:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// start puts the runs' chunks together and lines up the merge.
func (s *sortSource) start() {
	s.left = s.s.limit
	s.all = &rowStore{account: s.s.env.Account, types: s.s.spec.Input}
	s.merge = &runMerge{}
	for _, r := range s.s.runs {
		s.merge.add(r, uint32(len(s.all.chunks)<<storeBits))
		s.all.chunks = append(s.all.chunks, r.store.chunks...)
	}
	s.merge.start()
	s.g = newGatherer(s.all)
}

// Close releases what this source holds, and if it is the last to close,
// everything.
func (s *sortSource) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	if s.g != nil {
		s.g.release()
	}
	s.s.closed()
	return nil
}

// runMerge merges sorted runs through a tournament.
type runMerge struct {
	runs []mergeRun
	t    tournament
}

type mergeRun struct {
	run   *sortRun
	pairs []pair // those not yet taken
	base  uint32 // number of the run's first chunk among all
}

func (m *runMerge) add(r *sortRun, base uint32) {
	m.runs = append(m.runs, mergeRun{r, r.pairs, base})
}

func (m *runMerge) start() { m.t.start(len(m.runs), m.before) }

// before reports whether run i's next row comes before run j's. Runs that are
// at their end come last; of equal rows the earlier run's comes first.
func (m *runMerge) before(i, j int) bool {
	a, b := &m.runs[i], &m.runs[j]
	if len(a.pairs) == 0 || len(b.pairs) == 0 {
		return len(a.pairs) > 0
	}
	p, q := a.pairs[0], b.pairs[0]
	c := p.compare(q)
	if c == 0 && !a.run.s.keys.exact {
		c = restAcross(a.run.s, p.row(), b.run.s, q.row())
	}
	return c < 0 || c == 0 && i < j
}

// take appends the numbers of the next rows, up to n, to dst.
func (m *runMerge) take(dst []uint32, n int) []uint32 {
	if len(m.runs) == 1 {
		r := &m.runs[0]
		n = min(n, len(r.pairs))
		for _, p := range r.pairs[:n] {
			dst = append(dst, p.row())
		}
		r.pairs = r.pairs[n:]
		return dst
	}
	for len(dst) < n && len(m.runs) > 0 {
		r := &m.runs[m.t.winner()]
		if len(r.pairs) == 0 {
			break
		}
		dst = append(dst, r.base+r.pairs[0].row())
		r.pairs = r.pairs[1:]
		m.t.replay()
	}
	return dst
}
