package exchange

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/types"
)

const (
	// defaultBudget is what a task's rows may take before they are frames.
	defaultBudget = 32 << 20
	// minFrame and maxFrame bound the size that frames aim at. Large ones cost
	// the transport least; but all partitions' frames in the making must fit
	// the budget.
	minFrame, maxFrame = 64 << 10, 2 << 20
	// sliceRows is how many rows are added before a frame's size is looked at
	// again while rows are not known to be small.
	sliceRows = 256
)

// OutputConfig describes the output of a task attempt.
type OutputConfig struct {
	// Task is the attempt.
	Task plan.TaskID
	// Types are the columns' types.
	Types []types.Type
	// Partitions is the number of partitions, ≥ 1.
	Partitions int
	// Account pays for rows until they are frames.
	Account *mem.Account
	// Budget is about how many bytes of rows are collected before they become
	// frames, for all partitions together; 0 means 32 MB.
	Budget int64
	// Compression of frames.
	Compression Compression
	// Stream says that the output has one reader, outside the query, who reads
	// as it grows: frames are dropped a while after they were sent, and Write
	// waits while too many are not. Waits, if set, is told when that begins and
	// ends.
	Stream bool
	Waits  func(bool)
	// KeepSent says that frames of a streamed output stay until Store.Delivered
	// lets them go, so that another reader can go on where the first one died.
	// Write waits while too many stay.
	KeepSent bool
}

// Output takes an attempt's rows and retains them as frames. It is an
// exec.Output: its drivers share it.
type Output struct {
	cfg      OutputConfig
	to       *retained
	target   int64 // bytes of a frame
	parts    []collector
	held     atomic.Int64 // bytes of rows in collectors
	unwanted atomic.Bool
	rows     atomic.Int64
	bytes    atomic.Int64
}

// collector gathers the rows of one partition's next frame.
type collector struct {
	mu   sync.Mutex
	cols []*vector.Builder
	rows int
	size int64
	enc  encoder
	vecs []*vector.Vector
	// scratch is where frames are compressed.
	scratch []byte
}

// NewOutput makes an attempt's output in the store. The caller ends it with
// Finish or Abort.
func (s *Store) NewOutput(cfg OutputConfig) (*Output, error) {
	if cfg.Partitions < 1 {
		return nil, fmt.Errorf("output of task %s with %d partitions", cfg.Task, cfg.Partitions)
	}
	if cfg.Budget <= 0 {
		cfg.Budget = defaultBudget
	}
	r, err := s.add(cfg.Task, cfg.Partitions)
	if err != nil {
		return nil, err
	}
	if cfg.Stream {
		r.flow, r.keeps = newFlow(unsentLimit, cfg.Waits), cfg.KeepSent
		if cfg.KeepSent {
			r.flow.limit = undelivered
		}
	}
	o := &Output{cfg: cfg, to: r, parts: make([]collector, cfg.Partitions)}
	o.target = min(max(cfg.Budget/int64(2*cfg.Partitions), minFrame), maxFrame)
	return o, nil
}

// Partitions returns the number of partitions.
func (o *Output) Partitions() int { return len(o.parts) }

// Wanted reports whether any consumer still wants rows.
func (o *Output) Wanted() bool { return !o.unwanted.Load() }

// Enough says that no consumer wants more rows.
func (o *Output) Enough() { o.unwanted.Store(true) }

// Figures returns the rows written and the bytes of frames so far.
func (o *Output) Figures() (rows, bytes int64) { return o.rows.Load(), o.bytes.Load() }

// Write copies b's rows to a partition. See exec.Output.
func (o *Output) Write(ctx context.Context, part int, b *vector.Batch) error {
	if part < 0 || part >= len(o.parts) {
		return fmt.Errorf("write to partition %d of %d", part, len(o.parts))
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := o.to.flow.wait(ctx); err != nil {
		return err
	}
	c := &o.parts[part]
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open(o)
	rows := b.Rows()
	for from := 0; from < rows; {
		n := min(c.fit(o.target), rows-from)
		if err := c.add(b, from, n); err != nil {
			return err
		}
		from += n
		if err := o.grown(c, part); err != nil {
			return err
		}
	}
	o.rows.Add(int64(rows))
	if o.held.Load() > o.cfg.Budget {
		return o.shrink(c, part)
	}
	return nil
}

func (c *collector) open(o *Output) {
	if c.cols != nil {
		return
	}
	for _, t := range o.cfg.Types {
		c.cols = append(c.cols, vector.NewBuilder(o.cfg.Account, t))
	}
}

// fit returns how many rows to add before the size is looked at again: as
// many as fill the frame if they are like those before.
func (c *collector) fit(target int64) int {
	if c.rows == 0 || c.size <= 0 {
		return sliceRows
	}
	return max(int((target-c.size)/(c.size/int64(c.rows)+1)), sliceRows/4)
}

// add copies rows [from, from+n) of those that b has.
func (c *collector) add(b *vector.Batch, from, n int) error {
	c.rows += n
	sel := b.Sel
	switch {
	case sel != nil:
		sel = sel[from : from+n]
	case n < b.N:
		sel = ascending[from : from+n]
	}
	for i, col := range c.cols {
		if err := col.AppendRows(b.Cols[i], sel); err != nil {
			return err
		}
	}
	return nil
}

// ascending are the rows of a batch without selection.
var ascending = func() []int32 {
	rows := make([]int32, vector.MaxRows)
	for i := range rows {
		rows[i] = int32(i)
	}
	return rows
}()

// grown takes the new size of c and makes a frame of it when it is large
// enough.
func (o *Output) grown(c *collector, part int) error {
	now := int64(0)
	for _, col := range c.cols {
		now += vectorBytes(col.Vector())
	}
	o.held.Add(now - c.size)
	c.size = now
	if now >= o.target || c.rows >= maxFrameRows/2 {
		return o.flush(c, part)
	}
	return nil
}

// vectorBytes is the size of a flat vector in a frame.
func vectorBytes(v *vector.Vector) int64 {
	n := int64(len(v.Data)) + 4*int64(len(v.Offsets))
	if v.Valid != nil {
		n += int64(v.N / 8)
	}
	for _, h := range v.Heap {
		n += int64(len(h))
	}
	for _, k := range v.Kids {
		n += vectorBytes(k)
	}
	return n
}

// flush makes a frame of what c has collected. The caller holds c.mu.
func (o *Output) flush(c *collector, part int) error {
	if c.rows == 0 {
		return nil
	}
	c.vecs = c.vecs[:0]
	for _, col := range c.cols {
		c.vecs = append(c.vecs, col.Vector())
	}
	n, err := c.enc.layout(c.vecs, c.rows)
	if err != nil {
		return err
	}
	encode := o.encode
	if o.cfg.Compression != None {
		encode = o.encodeCompressed
	}
	header, buf, stays, err := encode(c, n)
	if err != nil {
		return err
	}
	o.bytes.Add(int64(len(buf.B)))
	err = o.to.append(part, header, c.rows, buf, stays)
	c.reset(o)
	return err
}

// encode writes the frame that c has laid out, of n bytes, to memory of the
// store.
func (o *Output) encode(c *collector, n int) (header []byte, buf *mem.Buf, stays bool, err error) {
	if buf, stays, err = o.to.store.alloc(max(n, 1), o.cfg.Account); err != nil {
		return nil, nil, false, err
	}
	return c.enc.fill(buf.B[:n]), buf, stays, nil
}

// encodeCompressed does so by way of two more copies.
func (o *Output) encodeCompressed(c *collector, n int) (header []byte, buf *mem.Buf, stays bool, err error) {
	plain, err := o.cfg.Account.Alloc(max(n, 1))
	if err != nil {
		return nil, nil, false, err
	}
	defer plain.Release()
	c.enc.fill(plain.B[:n])
	if header, c.scratch, err = c.enc.compress(o.cfg.Compression, plain.B[:n], c.scratch); err != nil {
		return nil, nil, false, err
	}
	if buf, stays, err = o.to.store.alloc(max(len(c.scratch), 1), o.cfg.Account); err != nil {
		return nil, nil, false, err
	}
	copy(buf.B, c.scratch)
	return header, buf, stays, nil
}

func (c *collector) reset(o *Output) {
	for _, col := range c.cols {
		col.Reset()
	}
	o.held.Add(-c.size)
	c.rows, c.size = 0, 0
}

// shrink brings the collectors' rows back under the budget: the one at hand
// becomes a frame if it has its share, else the largest that nobody writes to.
// The caller holds c.mu.
func (o *Output) shrink(c *collector, part int) error {
	if c.size >= o.cfg.Budget/int64(len(o.parts)) {
		return o.flush(c, part)
	}
	var largest *collector
	for i := range o.parts {
		x := &o.parts[i]
		if x == c || !x.mu.TryLock() {
			continue
		}
		switch {
		case largest == nil:
			largest, part = x, i
		case x.size > largest.size:
			largest.mu.Unlock()
			largest, part = x, i
		default:
			x.mu.Unlock()
		}
	}
	if largest == nil {
		return nil
	}
	defer largest.mu.Unlock()
	return o.flush(largest, part)
}

// Finish makes frames of what is left and says that nothing follows. It
// returns what each partition has. No Write may be under way.
func (o *Output) Finish(ctx context.Context) ([]PartitionEnd, error) {
	for i := range o.parts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		c := &o.parts[i]
		c.mu.Lock()
		err := o.flush(c, i)
		c.close()
		c.mu.Unlock()
		if err != nil {
			return nil, err
		}
	}
	return o.to.seal()
}

// close gives the collector's memory back. The caller holds mu.
func (c *collector) close() {
	for _, col := range c.cols {
		col.Release()
	}
	c.cols, c.rows, c.size = nil, 0, 0
}

// Abort gives up the output: it is released, and consumers get LostOutput. It
// is legal after Finish, which it undoes, and more than once.
func (o *Output) Abort() {
	o.to.store.Release(o.cfg.Task)
	o.Close()
}

// Close gives back the memory of rows that are not in frames. It is legal at
// any time when no Write is under way.
func (o *Output) Close() {
	for i := range o.parts {
		c := &o.parts[i]
		c.mu.Lock()
		c.close()
		c.mu.Unlock()
	}
}
