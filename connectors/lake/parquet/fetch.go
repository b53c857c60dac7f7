package parquet

import (
	"context"
	"errors"
	"sync"
	"time"
	"unsafe"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/connectors/objstore"
	"github.com/tuttidb/tutti/exec/mem"
)

// accountBuffers is an objstore.BufferSource that takes its memory from an
// account.
type accountBuffers struct {
	account *mem.Account

	mu   sync.Mutex
	bufs map[*byte]*mem.Buf
}

// Get implements objstore.BufferSource.
func (a *accountBuffers) Get(n int) ([]byte, error) {
	buf, err := a.account.Alloc(n + slack)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.bufs[unsafe.SliceData(buf.B)] = buf
	return buf.B[:n], nil
}

// Put implements objstore.BufferSource.
func (a *accountBuffers) Put(b []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	at := unsafe.SliceData(b)
	a.bufs[at].Release()
	delete(a.bufs, at)
}

// allocator is an account that, before it refuses the decoders, gives up what was
// fetched ahead. It is for the reader's goroutine.
type allocator struct {
	account *mem.Account
	giveUp  func() bool
}

// Alloc returns a buffer of n bytes, as mem.Account has it.
func (a *allocator) Alloc(n int) (*mem.Buf, error) {
	b, err := a.account.Alloc(n)
	var limit *mem.LimitError
	if errors.As(err, &limit) && a.giveUp() {
		return a.account.Alloc(n)
	}
	return b, err
}

// dropAhead gives up the group that is being fetched ahead, if any.
func (r *Reader) dropAhead() bool {
	if r.ahead == nil {
		return false
	}
	r.ahead.release(&r.stats)
	r.ahead, r.aheadAt = nil, -1
	return true
}

// groupData is the data of a row group's wanted chunks, arriving.
type groupData struct {
	fetched *objstore.Fetched
	place   map[int]int // leaf index to range number
	ranges  []objstore.Range
	// ahead says that the fetch began while another group was being read, and
	// again are chunks fetched once more because there was no memory then.
	ahead bool
	again []*objstore.Fetched
}

// fetchGroup begins to read the chunks of leaves, which come in the order in
// which they will be wanted.
func (r *Reader) fetchGroup(g *Group, leaves []int) (*groupData, error) {
	d := &groupData{place: make(map[int]int, len(leaves))}
	d.ranges = make([]objstore.Range, len(leaves))
	for i, l := range leaves {
		c := &g.Chunks[l]
		d.place[l] = i
		d.ranges[i] = objstore.Range{Off: c.Off, Len: c.Len}
	}
	fetched, err := r.fetcher.Fetch(r.ctx, r.cfg.Bucket, r.cfg.Object, d.ranges)
	d.fetched = fetched
	return d, err
}

// bytes waits for a leaf's chunk. ctx ends the wait, and with it the reader.
func (d *groupData) bytes(ctx context.Context, r *Reader, leaf int) ([]byte, error) {
	i := d.place[leaf]
	if !d.fetched.Ready(i) {
		stop := context.AfterFunc(ctx, r.cancel)
		defer stop()
		defer func(t time.Time) { r.stats.ReadNanos += int64(time.Since(t)) }(time.Now())
	}
	b, err := d.fetched.Bytes(i)
	var limit *mem.LimitError
	if d.ahead && errors.As(err, &limit) {
		b, err = d.retry(r, i)
	}
	if err != nil && ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return b, err
}

// retry fetches range i again, now that the group before has given its memory
// back: reading ahead must not fail what would fit without it.
func (d *groupData) retry(r *Reader, i int) ([]byte, error) {
	f, err := r.fetcher.Fetch(r.ctx, r.cfg.Bucket, r.cfg.Object, d.ranges[i:i+1])
	if err != nil {
		return nil, err
	}
	d.again = append(d.again, f)
	return f.Bytes(0)
}

// release gives the data up, and books what it cost.
func (d *groupData) release(s *connectors.SourceStats) {
	if d == nil {
		return
	}
	for _, f := range append(d.again, d.fetched) {
		f.Release()
		s.PhysicalBytes += f.Stats().Bytes
	}
}
