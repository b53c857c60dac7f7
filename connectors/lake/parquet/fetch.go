package parquet

import (
	"context"
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

// groupData is the data of a row group's wanted chunks, arriving.
type groupData struct {
	fetched *objstore.Fetched
	place   map[int]int // leaf index to range number
}

// fetchGroup begins to read the chunks of leaves, which come in the order in
// which they will be wanted.
func (r *Reader) fetchGroup(g *Group, leaves []int) (*groupData, error) {
	d := &groupData{place: make(map[int]int, len(leaves))}
	ranges := make([]objstore.Range, len(leaves))
	for i, l := range leaves {
		c := &g.Chunks[l]
		d.place[l] = i
		ranges[i] = objstore.Range{Off: c.Off, Len: c.Len}
	}
	fetched, err := r.fetcher.Fetch(r.ctx, r.cfg.Bucket, r.cfg.Object, ranges)
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
	if err != nil && ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return b, err
}

// release gives the data up, and books what it cost.
func (d *groupData) release(s *connectors.SourceStats) {
	if d == nil {
		return
	}
	d.fetched.Release()
	s.PhysicalBytes += d.fetched.Stats().Bytes
}
