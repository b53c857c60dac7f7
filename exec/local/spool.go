package local

import (
	"context"
	"sync"
	"time"

	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// spool keeps the rows of a fragment that several nodes read. Producers never
// wait; each reader (spoolReader) sees all rows, and a chunk is released when
// the last of them has passed it.
type spool struct {
	account *mem.Account
	ts      []types.Type

	mu      sync.Mutex
	chunks  []*spoolChunk
	readers []*spoolReader
	writers int
	news    chan struct{} // closed and replaced when anything changes
}

// spoolChunk is a batch that was copied.
type spoolChunk struct {
	cols  []*vector.Builder
	batch vector.Batch
	refs  int
}

func (c *spoolChunk) release() {
	for _, b := range c.cols {
		b.Release()
	}
}

func newSpool(account *mem.Account, ts []types.Type, writers int) *spool {
	return &spool{account: account, ts: ts, writers: writers, news: make(chan struct{})}
}

// changed wakes everybody that waits. The caller holds mu.
func (s *spool) changed() {
	close(s.news)
	s.news = make(chan struct{})
}

// publish hands a chunk to all readers and reports whether there are any.
func (s *spool) publish(c *spoolChunk) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.readers {
		if r.open > 0 {
			c.refs++
		}
	}
	if c.refs == 0 {
		c.release()
		return false
	}
	c.batch.N = c.cols[0].Len()
	for i := range s.ts {
		c.batch.Cols = append(c.batch.Cols, c.cols[i].Vector())
	}
	s.chunks = append(s.chunks, c)
	s.changed()
	return true
}

// wanted reports whether anybody still reads.
func (s *spool) wanted() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.readers {
		if r.open > 0 {
			return true
		}
	}
	return false
}

// unref gives back one reader's claim to a chunk. The caller holds mu.
func (s *spool) unref(c *spoolChunk) {
	if c.refs--; c.refs == 0 {
		c.release()
	}
}

// spoolSink is a producer's end.
type spoolSink struct {
	s        *spool
	chunk    *spoolChunk
	finished bool
}

func (s *spool) sink() *spoolSink { return &spoolSink{s: s} }

// Add copies b's rows.
func (w *spoolSink) Add(_ context.Context, b *vector.Batch) (bool, error) {
	if w.chunk == nil {
		w.chunk = &spoolChunk{}
		for _, t := range w.s.ts {
			w.chunk.cols = append(w.chunk.cols, vector.NewBuilder(w.s.account, t))
		}
		// Rows of no columns still count: a column of nothing counts them.
		if len(w.s.ts) == 0 {
			w.chunk.cols = append(w.chunk.cols, vector.NewBuilder(w.s.account, types.Of(types.Unknown)))
		}
	}
	for i, c := range w.chunk.cols {
		if err := appendRows(c, b, i); err != nil {
			return false, err
		}
	}
	if w.chunk.cols[0].Len()+vector.DefaultRows <= vector.MaxRows {
		return true, nil
	}
	return w.flush(), nil
}

func appendRows(c *vector.Builder, b *vector.Batch, i int) error {
	if len(b.Cols) == 0 {
		_, err := c.Extend(b.Rows())
		return err
	}
	return c.AppendRows(b.Cols[i], b.Sel)
}

func (w *spoolSink) flush() bool {
	c := w.chunk
	w.chunk = nil
	return c == nil || w.s.publish(c)
}

// Finish publishes the rest.
func (w *spoolSink) Finish(context.Context) error {
	if w.finished {
		return nil
	}
	w.finished = true
	w.flush()
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	w.s.writers--
	w.s.changed()
	return nil
}

// Close releases what was not published.
func (w *spoolSink) Close() error {
	if w.chunk != nil {
		w.chunk.release()
		w.chunk = nil
	}
	return nil
}

// spoolReader is one node's reading of a spool, shared by its drivers.
type spoolReader struct {
	s    *spool
	at   int
	open int // drivers not yet closed
}

// reader returns a reading for a number of drivers.
func (s *spool) reader(drivers int) *spoolReader {
	r := &spoolReader{s: s, open: drivers}
	s.readers = append(s.readers, r)
	return r
}

// source returns the operator of one of the reader's drivers.
func (r *spoolReader) source() *spoolSource { return &spoolSource{r: r} }

type spoolSource struct {
	r      *spoolReader
	chunk  *spoolChunk // lent
	total  time.Duration
	closed bool
}

// Next returns a chunk that no sibling has had, waiting for one if need be.
func (o *spoolSource) Next(ctx context.Context) (*vector.Batch, error) {
	s := o.r.s
	s.mu.Lock()
	defer s.mu.Unlock()
	o.giveBack()
	for !o.closed {
		if o.r.at < len(s.chunks) {
			o.chunk = s.chunks[o.r.at]
			s.dropPassed(o.r)
			return &o.chunk.batch, nil
		}
		if s.writers == 0 {
			return nil, nil
		}
		if err := o.wait(ctx, s.news); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// dropPassed moves r one chunk on. Chunks that all have passed are forgotten,
// each being released by the last that holds it.
func (s *spool) dropPassed(r *spoolReader) {
	r.at++
	low := len(s.chunks)
	for _, x := range s.readers {
		if x.open > 0 {
			low = min(low, x.at)
		}
	}
	for i := range low {
		s.chunks[i] = nil
	}
}

// wait waits for news without holding the lock.
func (o *spoolSource) wait(ctx context.Context, news <-chan struct{}) error {
	o.r.s.mu.Unlock()
	defer o.r.s.mu.Lock()
	start := time.Now()
	defer func() { o.total += time.Since(start) }()
	select {
	case <-news:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Waited returns the time spent waiting for producers.
func (o *spoolSource) Waited() time.Duration { return o.total }

func (o *spoolSource) giveBack() {
	if o.chunk != nil {
		o.r.s.unref(o.chunk)
		o.chunk = nil
	}
}

// Close gives the lent chunk back and, with the reader's last driver, all that
// it has not read.
func (o *spoolSource) Close() error {
	s := o.r.s
	s.mu.Lock()
	defer s.mu.Unlock()
	o.giveBack()
	if o.closed {
		return nil
	}
	o.closed = true
	if o.r.open--; o.r.open > 0 {
		return nil
	}
	for _, c := range s.chunks[o.r.at:] {
		s.unref(c)
	}
	o.r.at = len(s.chunks)
	return nil
}
