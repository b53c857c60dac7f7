package objstore

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tuttidb/tutti/internal/qerr"
)

// Range is a part of an object: Len bytes from Off on.
type Range struct{ Off, Len int64 }

// BufferSource gives the memory that a Fetcher reads into. Both methods are
// called from many goroutines; neither may block for long.
type BufferSource interface {
	// Get returns a buffer of exactly n bytes, whose content does not matter,
	// or an error (such as a memory limit), which fails the fetch.
	Get(n int) ([]byte, error)
	// Put takes back a buffer that Get returned, as it was.
	Put(buf []byte)
}

// FetchOptions tune a Fetcher. A zero field takes its default.
type FetchOptions struct {
	// Gap is the largest number of unwanted bytes between two ranges that are
	// read along to save a request; 0 means 512 KiB, negative means none.
	Gap int64
	// Target is the size in bytes that requests are merged up to, and split
	// down to; 0 means 8 MiB.
	Target int64
	// Requests bounds the requests in flight; 0 means 8.
	Requests int
	// Ahead bounds the bytes that are held: being fetched, or fetched and not
	// yet freed. What a consumer waits for is fetched even beyond it. 0 means
	// 64 MiB.
	Ahead int64
	// Buffers is where memory comes from; nil means a pool of the Fetcher's own
	// that keeps up to Ahead bytes.
	Buffers BufferSource
}

// withDefaults fills in the fields left at 0.
func (o FetchOptions) withDefaults() FetchOptions {
	if o.Gap == 0 {
		o.Gap = 512 << 10
	}
	o.Gap = max(o.Gap, 0)
	if o.Target <= 0 {
		o.Target = 8 << 20
	}
	if o.Requests <= 0 {
		o.Requests = 8
	}
	if o.Ahead <= 0 {
		o.Ahead = 64 << 20
	}
	if o.Buffers == nil {
		o.Buffers = NewBufferPool(o.Ahead)
	}
	return o
}

// Fetcher reads many ranges of objects, within limits that all its fetches
// share: use one per scan, or one per worker. It has no goroutines but those
// of requests in flight.
type Fetcher struct {
	opts FetchOptions

	mu       sync.Mutex
	inFlight int        // requests
	held     int64      // bytes of groups that were started and not yet freed
	queue    []*Fetched // with pieces to start, oldest first
}

// NewFetcher returns a Fetcher.
func NewFetcher(opts FetchOptions) *Fetcher {
	return &Fetcher{opts: opts.withDefaults()}
}

// Fetched is the result of one Fetch, arriving. Its methods may be called from
// many goroutines. Release must be called once, whatever happened.
type Fetched struct {
	f      *Fetcher
	ctx    context.Context // bounds the requests, which outlive the call of Fetch
	cancel context.CancelCauseFunc
	bucket Bucket
	obj    ObjectInfo
	ranges []Range
	place  []int // the group of each range; -1 when it is empty

	groups  []*fetchGroup // in the order in which they are first wanted
	next    int           // the first group that may have pieces to start
	running sync.WaitGroup
	closed  bool // guarded by f.mu

	requests, bytes atomic.Int64
	waited          atomic.Int64 // nanoseconds
}

// FetchStats say what a Fetch has cost so far.
type FetchStats struct {
	// Requests and Bytes count what was read, gaps included.
	Requests, Bytes int64
	// Waited is the time that Bytes calls were blocked.
	Waited time.Duration
}

// fetchGroup is a run of neighboring ranges that share one buffer.
type fetchGroup struct {
	Range
	pieces int // requests it takes

	// Guarded by Fetcher.mu.
	started int  // pieces started
	left    int  // pieces not finished
	users   int  // ranges not yet freed
	wanted  bool // a consumer waits: limits on memory do not hold
	held    bool // counts in Fetcher.held

	alloc sync.Once
	buf   []byte // set within alloc; nil again when given back
	noMem error  // set within alloc
	err   error  // set before done is closed
	done  chan struct{}
}

// Fetch begins to read ranges of one version of an object. They should come in
// the order in which they will be consumed; they may overlap and may be empty.
// A range outside the object is an error at once, as is a context that has
// ended. ctx bounds the whole fetch.
func (f *Fetcher) Fetch(ctx context.Context, b Bucket, obj ObjectInfo, ranges []Range) (*Fetched, error) {
	name := nameOf(b.URL(), obj.Key)
	if ctx.Err() != nil {
		return nil, ctxErr(ctx, name)
	}
	for _, r := range ranges {
		if r.Off < 0 || r.Len < 0 || r.Off > obj.Size || r.Len > obj.Size-r.Off {
			return nil, qerr.New(qerr.LakeBadData, "%s: a read of %d bytes at %d lies outside of the file, which has %d bytes; the file is damaged", name, r.Len, r.Off, obj.Size)
		}
	}
	d := &Fetched{f: f, bucket: b, obj: obj, ranges: ranges}
	d.ctx, d.cancel = context.WithCancelCause(ctx)
	d.groups, d.place = coalesce(ranges, f.opts.Gap, f.opts.Target)
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(d.groups) > 0 {
		f.queue = append(f.queue, d)
		f.pump()
	}
	return d, nil
}

// Len returns the number of ranges.
func (d *Fetched) Len() int { return len(d.ranges) }

// Ready reports whether Bytes(i) would return at once.
func (d *Fetched) Ready(i int) bool {
	if d.place[i] < 0 {
		return true
	}
	select {
	case <-d.groups[d.place[i]].done:
		return true
	default:
		return d.ctx.Err() != nil
	}
}

// Bytes waits until range i is there and returns it. The slice is valid until
// Free(i) or Release; it may share memory with other ranges, so it must not be
// written to. After an error, ranges that had arrived are still returned.
func (d *Fetched) Bytes(i int) ([]byte, error) {
	if d.place[i] < 0 {
		return []byte{}, nil
	}
	g := d.groups[d.place[i]]
	if err := d.wait(g); err != nil {
		return nil, err
	}
	off := d.ranges[i].Off - g.Off
	return g.buf[off : off+d.ranges[i].Len : off+d.ranges[i].Len], nil
}

// wait blocks until g is there.
func (d *Fetched) wait(g *fetchGroup) error {
	select {
	case <-g.done:
		return g.err
	default:
	}
	defer func(t time.Time) { d.waited.Add(int64(time.Since(t))) }(time.Now())
	d.f.mu.Lock()
	g.wanted = true
	d.f.pump()
	d.f.mu.Unlock()
	select {
	case <-g.done:
		return g.err
	case <-d.ctx.Done():
	}
	select {
	case <-g.done: // both at once: what is there, is there
		return g.err
	default:
		return d.ended()
	}
}

// fetchFailure is the cause with which the first failed request cancels the
// others of a fetch.
type fetchFailure struct{ error }

// ended returns why the fetch is over: the first failure, or the context's end.
func (d *Fetched) ended() error {
	var failure fetchFailure
	if errors.As(context.Cause(d.ctx), &failure) {
		return failure.error
	}
	return ctxErr(d.ctx, nameOf(d.bucket.URL(), d.obj.Key))
}

// Free gives up range i, once; Bytes must not be called for it again. When no
// range of its buffer is left, the memory goes back and more is fetched ahead.
func (d *Fetched) Free(i int) {
	if d.place[i] < 0 {
		return
	}
	g := d.groups[d.place[i]]
	d.f.mu.Lock()
	g.users--
	buf := d.takeBuf(g)
	d.f.pump()
	d.f.mu.Unlock()
	if buf != nil {
		d.f.opts.Buffers.Put(buf)
	}
}

// takeBuf takes the buffer of a group that nobody needs and nobody writes to.
// The caller holds the lock.
func (d *Fetched) takeBuf(g *fetchGroup) []byte {
	if g.users > 0 && !d.closed || g.left > 0 && g.started > g.pieces-g.left {
		return nil
	}
	if g.held && (g.left == 0 || d.closed) {
		g.held = false
		d.f.held -= g.Len
		buf := g.buf
		g.buf = nil
		return buf
	}
	return nil
}

// Release ends the fetch: what is under way is canceled and waited for, and
// all memory goes back. Slices returned by Bytes are not valid any more.
func (d *Fetched) Release() {
	d.cancel(context.Canceled)
	d.f.mu.Lock()
	d.closed = true
	d.f.mu.Unlock()
	d.running.Wait()
	d.f.mu.Lock()
	var bufs [][]byte
	for _, g := range d.groups {
		if buf := d.takeBuf(g); buf != nil {
			bufs = append(bufs, buf)
		}
	}
	d.f.pump()
	d.f.mu.Unlock()
	for _, buf := range bufs {
		d.f.opts.Buffers.Put(buf)
	}
}

// Stats returns the cost so far.
func (d *Fetched) Stats() FetchStats {
	return FetchStats{Requests: d.requests.Load(), Bytes: d.bytes.Load(), Waited: time.Duration(d.waited.Load())}
}

// pump starts what the limits allow: first what consumers wait for, then what
// comes next in the oldest fetch. The caller holds the lock.
func (f *Fetcher) pump() {
	for f.inFlight < f.opts.Requests {
		d, g := f.choose()
		if g == nil {
			return
		}
		f.start(d, g)
	}
}

// choose returns the group whose next piece is to be started, or nil. Fetches
// that have nothing left to start leave the queue.
func (f *Fetcher) choose() (*Fetched, *fetchGroup) {
	live := f.queue[:0]
	var ahead *Fetched
	var want *Fetched
	var wantGroup *fetchGroup
	for _, d := range f.queue {
		if !d.pending() {
			continue
		}
		live = append(live, d)
		if ahead == nil {
			ahead = d
		}
		if wantGroup == nil {
			if g := d.wantedGroup(); g != nil {
				want, wantGroup = d, g
			}
		}
	}
	clear(f.queue[len(live):])
	f.queue = live
	switch {
	case wantGroup != nil:
		return want, wantGroup
	case ahead == nil:
		return nil, nil
	}
	g := ahead.groups[ahead.next]
	if !g.held && f.held > 0 && f.held+g.Len > f.opts.Ahead {
		return nil, nil
	}
	return ahead, g
}

// pending moves next on and reports whether there is anything to start. Groups
// that were freed before they were started are left out.
func (d *Fetched) pending() bool {
	if d.closed || d.ctx.Err() != nil {
		return false
	}
	for ; d.next < len(d.groups); d.next++ {
		g := d.groups[d.next]
		if g.started < g.pieces && (g.users > 0 || g.started > 0) {
			return true
		}
	}
	return false
}

// wantedGroup returns the first group a consumer waits for that has pieces to
// start, or nil.
func (d *Fetched) wantedGroup() *fetchGroup {
	for _, g := range d.groups[d.next:] {
		if g.wanted && g.started < g.pieces {
			return g
		}
	}
	return nil
}

// start sends the request for the next piece of g. The caller holds the lock.
func (f *Fetcher) start(d *Fetched, g *fetchGroup) {
	piece := g.started
	g.started++
	f.inFlight++
	if !g.held {
		g.held = true
		f.held += g.Len
	}
	d.running.Add(1)
	go func() {
		defer d.running.Done()
		err := d.fetchPiece(g, piece)
		f.finish(d, g, err)
	}()
}

// finish books the end of a piece.
func (f *Fetcher) finish(d *Fetched, g *fetchGroup, err error) {
	f.mu.Lock()
	f.inFlight--
	g.left--
	if err != nil && g.err == nil {
		d.cancel(fetchFailure{err}) // without effect when it is over already
		g.err = d.ended()
	}
	if g.left == 0 {
		close(g.done)
	}
	buf := d.takeBuf(g)
	f.pump()
	f.mu.Unlock()
	if buf != nil {
		f.opts.Buffers.Put(buf)
	}
}

// fetchPiece reads one piece of a group into its place in the group's buffer.
func (d *Fetched) fetchPiece(g *fetchGroup, piece int) error {
	g.alloc.Do(func() { g.buf, g.noMem = d.f.opts.Buffers.Get(int(g.Len)) })
	if g.noMem != nil {
		return g.noMem // about the query, not about the object
	}
	from, to := g.piece(piece)
	n, err := d.bucket.GetRange(d.ctx, d.obj.Key, d.obj.ETag, g.Off+from, g.buf[from:to:to])
	d.requests.Add(1)
	d.bytes.Add(int64(n))
	if errors.Is(err, io.EOF) {
		return errTooShort(d.bucket, d.obj, g.Off+from+int64(n))
	}
	return err
}

// piece returns the bounds of a piece within the group: equal parts, so that
// the last one is not a small rest.
func (g *fetchGroup) piece(i int) (from, to int64) {
	n := int64(g.pieces)
	return g.Len/n*int64(i) + min(g.Len%n, int64(i)), g.Len/n*int64(i+1) + min(g.Len%n, int64(i+1))
}
