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

// Fetcher fetches column chunks for the readers that share it, within common
// limits on requests and on bytes held, into memory of one account.
type Fetcher struct {
	inner *objstore.Fetcher
}

// NewFetcher returns a Fetcher; opts.Buffers is replaced.
func NewFetcher(account *mem.Account, opts objstore.FetchOptions) *Fetcher {
	opts.Buffers = &accountBuffers{account: account, bufs: map[*byte]*mem.Buf{}}
	return &Fetcher{inner: objstore.NewFetcher(opts)}
}

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
	for isLimit(err) && a.giveUp() {
		b, err = a.account.Alloc(n)
	}
	return b, err
}

// Grow makes room for n bytes in b, as mem.Buf has it.
func (a *allocator) Grow(b *mem.Buf, n int) error {
	err := b.Grow(n)
	for isLimit(err) && a.giveUp() {
		err = b.Grow(n)
	}
	return err
}

// isLimit reports whether err says that memory is short.
func isLimit(err error) bool {
	var limit *mem.LimitError
	return errors.As(err, &limit)
}

// giveUp gives back memory that only saves time, and reports whether there was
// any.
func (r *Reader) giveUp() bool {
	return r.DropAhead() || r.cfg.GiveUp != nil && r.cfg.GiveUp()
}

// DropAhead gives up the group that is being fetched ahead, if any: it will be
// fetched again in its turn.
func (r *Reader) DropAhead() bool {
	if r.ahead == nil {
		return false
	}
	r.ahead.release(&r.stats)
	r.ahead, r.aheadAt = nil, -1
	return true
}

// groupData is the wanted data of a row group, arriving.
type groupData struct {
	fetched *objstore.Fetched
	// rows are the rows of the group that are read, and leaves what is fetched
	// of the chunk of each leaf for them.
	rows   []rowRange
	leaves map[int][]piece
	ranges []objstore.Range
	// ahead says that the fetch began while something else was being read, and
	// again are ranges fetched once more because there was no memory then.
	ahead bool
	again []*objstore.Fetched
}

// piece is a part of a chunk, as a range of the fetch: see chunkPart.
type piece struct {
	place int // in ranges
	gap   int64
	rows  []int64
}

// fetchGroup begins to read what the given rows of a group need of the chunks
// of leaves, which come in the order in which they will be wanted.
func (r *Reader) fetchGroup(g *Group, leaves []int, rows []rowRange) (*groupData, error) {
	d := &groupData{rows: rows, leaves: make(map[int][]piece, len(leaves))}
	tables, err := r.offsetIndexes(g, leaves, rows)
	if err != nil {
		return nil, err
	}
	for _, l := range leaves {
		d.add(l, &g.Chunks[l], tables[l])
	}
	d.fetched, err = r.fetcher.inner.Fetch(r.ctx, r.cfg.Bucket, r.cfg.Object, d.ranges)
	return d, err
}

// add adds what is read of a leaf's chunk: the pages in the table that hold
// rows of the group that are read, or everything without a table.
func (d *groupData) add(leaf int, c *Chunk, table pageTable) {
	if table == nil {
		d.take(leaf, objstore.Range{Off: c.Off, Len: c.Len}, piece{})
		return
	}
	if n := table[0].at.off - c.Off; n > 0 { // the dictionary
		d.take(leaf, objstore.Range{Off: c.Off, Len: n}, piece{rows: []int64{}})
	}
	var run piece
	var span objstore.Range
	for i := range table {
		p := &table[i]
		if overlaps(d.rows, p.first, p.first+p.rows) {
			if len(run.rows) == 0 {
				span.Off = p.at.off
			}
			span.Len = p.at.off + p.at.len - span.Off
			run.rows = append(run.rows, p.rows)
			continue
		}
		if len(run.rows) > 0 {
			d.take(leaf, span, run)
			run = piece{}
		}
		run.gap += p.rows
	}
	if len(run.rows) > 0 {
		d.take(leaf, span, run)
	}
}

func (d *groupData) take(leaf int, at objstore.Range, p piece) {
	p.place = len(d.ranges)
	d.ranges = append(d.ranges, at)
	d.leaves[leaf] = append(d.leaves[leaf], p)
}

// overlaps reports whether some range has rows of begin to end-1.
func overlaps(ranges []rowRange, begin, end int64) bool {
	for _, r := range ranges {
		if r.begin < end && begin < r.end {
			return true
		}
	}
	return false
}

// maxIndexes is the largest run of indexes that is read at once.
const maxIndexes = 1 << 20

// offsetIndexes returns, for those leaves of a group of which pages may be left
// out, where their pages are. It reads them in one request at most.
func (r *Reader) offsetIndexes(g *Group, leaves []int, rows []rowRange) (map[int]pageTable, error) {
	if len(rows) == 1 && rows[0] == (rowRange{0, g.Rows}) {
		return nil, nil
	}
	lo, hi := r.cfg.File.Size, int64(0)
	var flat []int
	for _, l := range leaves {
		at := g.Chunks[l].offsetIndex
		if at.len > 0 && r.isFlat(l) {
			flat = append(flat, l)
			lo, hi = min(lo, at.off), max(hi, at.off+at.len)
		}
	}
	if len(flat) == 0 || hi-lo > maxIndexes {
		return nil, nil
	}
	all, err := r.small(r.asked, span{lo, hi - lo})
	if err != nil {
		return nil, err
	}
	tables := make(map[int]pageTable, len(flat))
	for _, l := range flat {
		c := &g.Chunks[l]
		from := c.offsetIndex.off - lo
		if t := parseOffsetIndex(all[from:from+c.offsetIndex.len], g.Rows); t.within(c) {
			tables[l] = t
		}
	}
	return tables, nil
}

// isFlat reports whether a leaf is read by a column whose rows are its values.
func (r *Reader) isFlat(leaf int) bool {
	for i := range r.slots {
		s := &r.slots[i]
		if len(s.leaves) == 1 && s.leaves[0] == leaf {
			_, flat := s.col.(*flatColumn)
			return flat
		}
	}
	return false
}

// within reports whether the pages lie in order within the chunk.
func (t pageTable) within(c *Chunk) bool {
	at, end := c.Off, c.Off+c.Len
	for i := range t {
		p := &t[i].at
		if p.off < at || p.len <= 0 || p.len > end-p.off {
			return false
		}
		at = p.off + p.len
	}
	return len(t) > 0
}

// parts waits for what is read of a leaf's chunk. ctx ends the wait, and with
// it the reader.
func (d *groupData) parts(ctx context.Context, r *Reader, leaf int) ([]chunkPart, error) {
	pieces := d.leaves[leaf]
	out := make([]chunkPart, len(pieces))
	for i, p := range pieces {
		b, err := d.bytes(ctx, r, p.place)
		if err != nil {
			return nil, err
		}
		out[i] = chunkPart{gap: p.gap, data: b, rows: p.rows}
	}
	return out, nil
}

// bytes waits for a range.
func (d *groupData) bytes(ctx context.Context, r *Reader, i int) ([]byte, error) {
	if !d.fetched.Ready(i) {
		stop := context.AfterFunc(ctx, r.cancel)
		defer stop()
		defer func(t time.Time) { r.stats.ReadNanos += int64(time.Since(t)) }(time.Now())
	}
	b, err := d.fetched.Bytes(i)
	if isLimit(err) && d.ahead {
		// The group before has given its memory back by now: reading ahead must
		// not fail what would fit without it.
		b, err = d.retry(r, i)
	}
	for isLimit(err) && r.giveUp() {
		b, err = d.retry(r, i)
	}
	if err != nil && ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return b, err
}

// retry fetches range i again.
func (d *groupData) retry(r *Reader, i int) ([]byte, error) {
	f, err := r.fetcher.inner.Fetch(r.ctx, r.cfg.Bucket, r.cfg.Object, d.ranges[i:i+1])
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
