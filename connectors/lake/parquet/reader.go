package parquet

import (
	"context"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/connectors/objstore"
	"github.com/tuttidb/tutti/exec/kernel"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/types"
)

// Column is a column that a Reader returns.
type Column struct {
	// Type is the type to return, which the file's must widen to.
	Type types.Type
	// Field is the column in the file; nil: every row is Value.
	Field *Field
	// Value is the value of a column that is not in the file, in the form of
	// expr.Const; nil for null.
	Value any
	// Unread columns are returned as null without being read, unless the
	// predicate needs them.
	Unread bool
}

// Config says what a Reader reads. All fields but those marked optional must
// be set.
type Config struct {
	File    *File
	Bucket  objstore.Bucket
	Object  objstore.ObjectInfo
	Columns []Column
	// Predicate selects the rows to return: nil means all. Its expr.ColumnIDs
	// are positions in Columns.
	Predicate expr.Expr
	// Hint is a predicate that is used to skip data but not to select rows.
	Hint expr.Expr
	// From and To are the bytes of the file whose row groups are read: those
	// whose middle lies in them.
	From, To int64
	// Dynamic are filters that arrive while reading, by position in Columns, and
	// Filter returns one once it is there. Optional.
	Dynamic []connectors.DynamicUse
	Filter  func(id int32) *connectors.DynamicFilter

	Account   *mem.Account
	BatchRows int
	Codecs    *Codecs
	Session   kernel.Session
	// Fetcher does the reads; several readers may share one. Optional: the
	// reader makes its own.
	Fetcher *Fetcher
	// Limit is the number of rows after which no more are wanted; 0: all are.
	// The last batch may have more.
	Limit int64
	// GiveUp is called when memory is short, by the goroutine that reads. It
	// gives up what saves time only, and returns false if there was nothing.
	// Optional.
	GiveUp func() bool
	// Context ends the reader's requests when it ends. Optional.
	Context context.Context

	alloc *allocator
}

// Reader reads rows of a file. It belongs to one goroutine.
type Reader struct {
	cfg     Config
	ctx     context.Context // of the fetches: ends with Close
	cancel  context.CancelFunc
	fetcher *Fetcher
	stats   connectors.SourceStats

	slots  []slot
	batch  vector.Batch
	filter filterSet
	pruner pruner

	next    int // the next group to look at
	group   *Group
	data    *groupData
	row     int64 // rows of the group that were returned or passed over
	ranges  []rowRange
	ahead   *groupData // of group number next, if it was begun
	aheadAt int
	leaves  []int // what to fetch of each group
	// batchRows is the size of the group's batches: fewer rows than asked for
	// where rows have long lists.
	batchRows int64
	asked     context.Context // of the current or last call of Next
	pending   int             // rows of the last batch, not yet passed over
	peek      bool            // look at a group's dictionaries before it is fetched
	left      int64           // rows that are still wanted; -1: all
	done      bool
	failed    error
}

// slot is one column of the batches.
type slot struct {
	r        *Reader
	at       int // its place in Config.Columns
	v        vector.Vector
	out      *vector.Vector // what v was loaded from
	col      column         // nil: constant
	leaves   []int
	constant vector.Vector
	started  bool // for the current group
	behind   int  // rows of the group that went by before it was started
	loaded   bool // v was read for the current batch
	chunks   []chunkData
}

// NewReader returns a reader. Nothing is read yet. An error is about what is
// asked for: types that do not fit, predicates that have no code.
func NewReader(cfg Config) (*Reader, error) {
	r := &Reader{cfg: cfg, slots: make([]slot, len(cfg.Columns)), aheadAt: -1}
	parent := cfg.Context
	if parent == nil {
		parent = context.Background()
	}
	r.ctx, r.cancel = context.WithCancel(parent)
	r.cfg.alloc = &allocator{account: cfg.Account, giveUp: r.giveUp}
	if r.fetcher = cfg.Fetcher; r.fetcher == nil {
		r.fetcher = NewFetcher(cfg.Account, objstore.FetchOptions{})
	}
	if r.left = cfg.Limit; r.left == 0 {
		r.left = -1
	}
	r.asked = r.ctx
	if err := r.build(); err != nil {
		r.Close()
		return nil, named(cfg.File.Name, err)
	}
	return r, nil
}

func (r *Reader) build() error {
	used := map[expr.ColumnID]bool{}
	note := func(c *expr.Column) { used[c.ID] = true }
	if r.cfg.Predicate != nil {
		expr.Columns(r.cfg.Predicate, note)
	}
	r.batch.Cols = make([]*vector.Vector, len(r.slots))
	for i := range r.slots {
		s, c := &r.slots[i], &r.cfg.Columns[i]
		s.r, s.at = r, i
		r.batch.Cols[i] = &s.v
		if c.Field == nil || c.Unread && !used[expr.ColumnID(i)] {
			if err := s.setConstant(c.Type, c.Value); err != nil {
				return err
			}
			continue
		}
		col, err := newColumn(&r.cfg, c.Field, c.Type)
		if err != nil {
			return err
		}
		s.col = col
		s.leaves = leavesOf(c.Field, nil)
		s.chunks = make([]chunkData, len(s.leaves))
	}
	if err := r.pruner.build(&r.cfg); err != nil {
		return err
	}
	return r.filter.build(r)
}

// newColumn returns the reader of a field as type t.
func newColumn(cfg *Config, f *Field, t types.Type) (column, error) {
	if f.Leaf == nil || f.Leaf.MaxRep > 0 || f.Leaf.MaxDef > 1 {
		return newNested(cfg, f, t)
	}
	l, err := newLayout(f.Leaf, t)
	if err != nil {
		return nil, inColumn(f.Leaf.Path, err)
	}
	c := &flatColumn{}
	c.pages.setUp(cfg, f.Leaf, t, l)
	c.out.account = cfg.alloc
	return c, nil
}

// setUp readies p for reading chunks of leaf.
func (p *pages) setUp(cfg *Config, leaf *Leaf, t types.Type, l layout) {
	p.account, p.codecs, p.leaf, p.typ, p.layout = cfg.alloc, cfg.Codecs, leaf, t, l
	p.heapAt = -1
}

// leavesOf appends the indices of the leaves below f.
func leavesOf(f *Field, to []int) []int {
	if f.Leaf != nil {
		return append(to, f.Leaf.Index)
	}
	for _, k := range f.Kids {
		to = leavesOf(k, to)
	}
	return to
}

// setConstant makes the slot's column one value for all rows.
func (s *slot) setConstant(t types.Type, value any) error {
	b := vector.NewBuilder(s.r.cfg.Account, t)
	defer b.Release()
	if err := kernel.AppendValue(b, t, value); err != nil {
		return err
	}
	s.constant = heapCopy(b.Vector())
	s.constant.Enc = vector.Const
	return nil
}

// heapCopy copies a vector of a row or so to memory of the Go heap, so that
// nobody needs to release it.
func heapCopy(v *vector.Vector) vector.Vector {
	out := *v
	out.Data = vector.AsBytes(append([]types.Int128(nil), make([]types.Int128, (len(v.Data)+15)/16)...))[:len(v.Data)]
	copy(out.Data, v.Data)
	out.Valid = append(vector.Bitmap(nil), v.Valid...)
	if v.Valid == nil {
		out.Valid = nil
	}
	out.Offsets = append([]int32(nil), v.Offsets...)
	out.Heap = nil
	for _, h := range v.Heap {
		out.Heap = append(out.Heap, append([]byte(nil), h...))
	}
	out.Kids = nil
	for _, k := range v.Kids {
		kid := heapCopy(k)
		out.Kids = append(out.Kids, &kid)
	}
	return out
}

// Next returns the next batch, with at least one row, or nil at the end. It is
// borrowed until the next call of Next or Close.
func (r *Reader) Next(ctx context.Context) (*vector.Batch, error) {
	if r.done || r.failed != nil {
		return nil, r.failed
	}
	b, err := r.advance(ctx)
	if err != nil {
		r.failed = named(r.cfg.File.Name, err)
		return nil, r.failed
	}
	if b == nil {
		r.done = true
		r.endGroup()
		return nil, nil
	}
	if r.left > 0 {
		r.left = max(r.left-int64(b.Rows()), 0)
	}
	return b, nil
}

func (r *Reader) advance(ctx context.Context) (*vector.Batch, error) {
	r.asked = ctx
	for {
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		r.passBatch()
		if r.filter.poll(r) || r.left == 0 {
			return nil, nil // nothing can match, says a dynamic filter, or is wanted
		}
		n := r.nextRows()
		if n == 0 {
			more, err := r.nextGroup()
			if err != nil || !more {
				return nil, err
			}
			continue
		}
		b, err := r.read(n)
		if b != nil || err != nil {
			return b, err
		}
	}
}

// passBatch moves all columns behind the last batch.
func (r *Reader) passBatch() {
	n := r.pending
	r.pending = 0
	for i := range r.slots {
		s := &r.slots[i]
		if s.col == nil {
			continue
		}
		s.col.release()
		if n == 0 || s.loaded {
			continue
		}
		s.pass(n)
	}
	r.row += int64(n)
}

// pass moves a column over n rows that nobody asked for.
func (s *slot) pass(n int) {
	if s.started {
		s.col.skip(n)
	} else {
		s.behind += n
	}
}

// nextRows returns how many rows the next batch has, 0 at the group's end,
// after passing over rows that the page index excludes.
func (r *Reader) nextRows() int {
	if r.group == nil {
		return 0
	}
	for len(r.ranges) > 0 && r.row >= r.ranges[0].end {
		r.ranges = r.ranges[1:]
	}
	if len(r.ranges) == 0 {
		return 0
	}
	for gap := r.ranges[0].begin - r.row; gap > 0; gap = r.ranges[0].begin - r.row {
		n := int(min(gap, 1<<30))
		for i := range r.slots {
			if s := &r.slots[i]; s.col != nil {
				s.pass(n)
			}
		}
		r.row += int64(n)
	}
	return int(min(r.ranges[0].end-r.row, r.batchRows))
}

// read makes a batch of the next n rows and filters it; nil if none is left.
func (r *Reader) read(n int) (*vector.Batch, error) {
	r.pending = n
	r.stats.PhysicalRows += int64(n)
	for i := range r.slots {
		r.slots[i].reset(n)
	}
	r.batch.N, r.batch.Sel = n, nil
	sel, err := r.filter.apply(r, &r.batch)
	if err != nil {
		return nil, err
	}
	if sel != nil && len(sel) == 0 {
		return nil, nil
	}
	r.batch.Sel = sel
	return &r.batch, nil
}

// reset makes the slot's vector lazy, or constant, for a batch of n rows.
func (s *slot) reset(n int) {
	s.loaded = false
	if s.col == nil {
		s.v = s.constant
		s.v.N = n
		return
	}
	s.v = vector.Vector{Type: s.r.cfg.Columns[s.at].Type, Enc: vector.Lazy, N: n, Loader: s}
}

// Load implements vector.Loader.
func (s *slot) Load(v *vector.Vector, sel []int32) error {
	if err := s.load(v, sel); err != nil {
		s.r.failed = named(s.r.cfg.File.Name, err)
		return s.r.failed
	}
	return nil
}

func (s *slot) load(v *vector.Vector, sel []int32) error {
	if s.loaded { // through a copy of the vector
		*v = *s.out
		return nil
	}
	if err := s.start(); err != nil {
		return err
	}
	s.loaded = true
	out, err := s.col.read(v.N, sel)
	if err != nil {
		return err
	}
	s.out = out
	*v = *out
	return nil
}

// start gives the column its data, once a group.
func (s *slot) start() error {
	if s.started {
		return nil
	}
	for i, l := range s.leaves {
		parts, err := s.r.data.parts(s.r.asked, s.r, l)
		if err != nil {
			return err
		}
		s.chunks[i] = chunkData{l, &s.r.group.Chunks[l], parts}
	}
	s.started = true
	s.col.start(s.chunks)
	if s.behind > 0 {
		s.col.skip(s.behind)
		s.behind = 0
	}
	return nil
}

// Stats returns what was read so far.
func (r *Reader) Stats() connectors.SourceStats { return r.stats }

// Close releases everything. It is idempotent.
func (r *Reader) Close() error {
	r.done = true
	r.cancel()
	r.endGroup()
	for i := range r.slots {
		if c := r.slots[i].col; c != nil {
			c.release()
			c.close()
		}
	}
	r.filter.close()
	return nil
}
