package op

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/types"
)

// JoinSpec says what a join does. Positions count the left input's columns,
// then the right input's, then the mark.
type JoinSpec struct {
	Kind plan.JoinKind
	// Left and Right are the inputs' column types.
	Left, Right []types.Type
	// LeftKeys and RightKeys are positions within their own side, pairwise of
	// one type. None of either makes a nested-loop join.
	LeftKeys, RightKeys []int
	// Filter is the rest of the condition, over positions; nil: none.
	Filter expr.Expr
	// NullAware gives a mark join the null rule of IN.
	NullAware bool
	// Out are the positions that are output, in order.
	Out []int
	// Dynamic are the dynamic filters to make of the build side.
	Dynamic []JoinFilter
}

// JoinFilter is a dynamic filter to make of a right column.
type JoinFilter struct {
	ID     plan.DynamicID
	Column int // position within the right side
}

// outer reports whether unmatched build rows are output.
func (s *JoinSpec) outer() bool { return s.Kind == plan.RightJoin || s.Kind == plan.FullJoin }

// nullAware reports whether null keys can make the answer unknown.
func (s *JoinSpec) nullAware() bool {
	return s.Kind == plan.NullAwareAntiJoin || s.Kind == plan.MarkJoin && s.NullAware
}

// exists reports whether the join only asks whether there is a match.
func (s *JoinSpec) exists() bool {
	switch s.Kind {
	case plan.SemiJoin, plan.AntiJoin, plan.NullAwareAntiJoin, plan.MarkJoin:
		return true
	}
	return false
}

// Join is what the drivers of a join share: the build side's rows and the
// index over their keys.
//
// Building goes in three steps. Each build driver copies its rows into chunks
// (joinSink.Add). When the last has no more rows, it decides on the kind of
// index and makes room (prepare). Then all build drivers together move the
// chunks' columns to their final place and insert the keys, each taking one
// chunk after the other, lock-free (joinChunk.place); the last to end
// publishes the table and its dynamic filters.
//
// Each output column of the build side is one flat vector of all build rows,
// so that a probe emits dictionary vectors over it and copies no values.
type Join struct {
	env     *Env
	spec    JoinSpec
	dynamic exec.DynamicFilters
	kept    []int // right positions that are kept, ascending
	slot    []int // right position → index in kept, or -1

	mu      sync.Mutex
	chunks  []*joinChunk
	waiting int // build drivers that have not delivered
	probes  int // probe drivers that have not ended
	seen    vector.Bitmap

	builds   int
	prepared chan struct{} // closed when index and columns have room
	claimed  atomic.Int32  // chunks taken
	working  atomic.Int32  // build drivers that still insert
	built    chan struct{} // closed when the table is complete
	err      error         // of prepare

	rows     int // rows kept
	input    int // rows that the build side had
	sawNull  bool
	nullRows []int32 // nullPairs: rows with a null key
	cols     []joinColumn
	index    joinIndex
	refs     atomic.Int32
	wanted   atomic.Int32 // probe drivers not yet closed
}

// NewJoin returns the shared state of a join with the given numbers of build
// and probe drivers, all of which must be made, run and closed. dynamic may
// be nil if the spec makes no dynamic filters.
func NewJoin(env *Env, spec JoinSpec, dynamic exec.DynamicFilters, builds, probes int) *Join {
	j := &Join{
		env: env, spec: spec, dynamic: dynamic, waiting: builds, builds: builds, probes: probes,
		prepared: make(chan struct{}), built: make(chan struct{}),
	}
	j.working.Store(int32(builds))
	j.refs.Store(int32(builds + probes))
	j.wanted.Store(int32(probes))
	j.keepColumns()
	return j
}

// keepColumns decides which build columns are needed: keys, what the filter
// looks at, and what is output.
func (j *Join) keepColumns() {
	left := len(j.spec.Left)
	need := make([]bool, len(j.spec.Right)+1)
	for _, k := range j.spec.RightKeys {
		need[k] = true
	}
	for _, d := range j.spec.Dynamic {
		need[d.Column] = true
	}
	if j.spec.Filter != nil {
		expr.Columns(j.spec.Filter, func(c *expr.Column) {
			if int(c.ID) >= left {
				need[int(c.ID)-left] = true
			}
		})
	}
	for _, o := range j.spec.Out {
		if o >= left && o < left+len(j.spec.Right) {
			need[o-left] = true
		}
	}
	j.slot = make([]int, len(j.spec.Right))
	for i := range j.slot {
		j.slot[i] = -1
		if need[i] {
			j.slot[i] = len(j.kept)
			j.kept = append(j.kept, i)
		}
	}
}

// keepsNullKeys reports whether build rows with a null key are kept: no equality
// finds them, but outer joins output them, and a null-aware filter looks at them.
func (j *Join) keepsNullKeys() bool {
	return j.spec.outer() || j.spec.nullAware() && j.spec.Filter != nil
}

// nullPairs reports whether a null-aware filter must see pairs with null keys.
func (j *Join) nullPairs() bool {
	return j.spec.nullAware() && j.spec.Filter != nil && len(j.spec.LeftKeys) > 0
}

// findNullKeys lists the build rows with a null key.
func (j *Join) findNullKeys() {
	for _, k := range j.spec.RightKeys {
		c := &j.cols[j.slot[k]]
		for i := range j.rows {
			if c.isNull(i) {
				j.nullRows = append(j.nullRows, int32(i))
			}
		}
	}
}

// deliver hands over a build driver's chunks. The last driver prepares the
// table; the others wait until it has.
func (j *Join) deliver(ctx context.Context, s *joinSink) error {
	j.mu.Lock()
	j.chunks = append(j.chunks, s.chunks...)
	s.chunks = nil
	j.input += s.input
	j.sawNull = j.sawNull || s.sawNull
	j.index.bound(&s.keys)
	j.waiting--
	last := j.waiting == 0
	j.mu.Unlock()
	if last {
		j.err = j.prepare()
		close(j.prepared)
	}
	select {
	case <-j.prepared:
		return j.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// prepare makes room for all rows' columns and their index.
func (j *Join) prepare() error {
	for _, c := range j.chunks {
		c.first = j.rows
		j.rows += c.n
	}
	if j.rows > maxJoinRows {
		return qerr.New(qerr.GenericResource, "build side of a join has %d rows, more than one task can hold (%d)", j.rows, maxJoinRows)
	}
	for i, k := range j.kept {
		c, err := j.newColumn(i, j.spec.Right[k])
		if err != nil {
			return err
		}
		j.cols = append(j.cols, c)
	}
	if len(j.spec.RightKeys) == 0 || j.rows == 0 {
		return nil
	}
	return j.index.alloc(j.env.Account, j.rows, j.builds > 1)
}

// maxJoinRows is what an int32 can number, with 0 left to mean "none".
const maxJoinRows = 1<<31 - 2

// fill takes chunks until none is left; the last driver publishes.
func (j *Join) fill(ctx context.Context, s *joinSink) error {
	for {
		i := int(j.claimed.Add(1)) - 1
		if i >= len(j.chunks) {
			break
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := j.place(i, s); err != nil {
			return err
		}
	}
	if j.working.Add(-1) > 0 {
		return nil
	}
	if err := j.complete(); err != nil {
		return err
	}
	close(j.built)
	return nil
}

// complete does what takes all rows: nested columns, dynamic filters.
func (j *Join) complete() error {
	for i := range j.cols {
		if err := j.finishColumn(i); err != nil {
			return err
		}
	}
	if len(j.spec.RightKeys) > 0 && j.rows > 0 {
		j.index.finish()
	}
	if j.nullPairs() {
		j.findNullKeys()
	}
	if j.spec.outer() {
		j.seen = vector.NewBitmap(j.rows).ClearAll()
	}
	return j.publish()
}

// wait blocks until the table is complete.
func (j *Join) wait(ctx context.Context) error {
	select {
	case <-j.built:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// barren reports whether no probe row can lead to an output row.
func (j *Join) barren() bool {
	switch j.spec.Kind {
	case plan.InnerJoin, plan.SemiJoin, plan.RightJoin:
		return j.rows == 0
	case plan.NullAwareAntiJoin:
		return j.sawNull && j.spec.Filter == nil
	}
	return false
}

// unref releases the table when the last of its drivers has closed.
func (j *Join) unref() {
	if j.refs.Add(-1) > 0 {
		return
	}
	for _, c := range j.chunks {
		c.release()
	}
	for i := range j.cols {
		j.cols[i].release()
	}
	j.index.release()
}
