package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tuttidb/tutti/coordinator"
	"github.com/tuttidb/tutti/coordinator/journal"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/types"
)

// chunkRows is how many rows are written under the lock at a time.
const chunkRows = 512

// maxToken is beyond the token of any page.
const maxToken = 1 << 53

// errGone is the answer to a token whose page is no longer kept.
var errGone = errors.New("this page is gone: only the last one can be asked for again")

// result is one statement as its client reads it.
type result struct {
	srv        *Server
	id         plan.QueryID
	live       atomic.Pointer[coordinator.Query]
	slug       string
	parametric bool
	packer     *packer // nil: rows as plain JSON
	timer      *time.Timer

	// turn is held by the request that makes or repeats a page.
	turn chan struct{}
	page *page // the last one shown; guarded by turn, as are the next five
	made *page // the one to be shown next, if it could not be written down yet
	next int64 // the token after page's
	// shown is how many rows there were in all pages made.
	shown   int64
	written time.Time // when page was written down; zero: by another coordinator
	// unsure says that pages may have been shown of which nothing is known.
	unsure bool
	read   atomic.Bool // the last page has been made
	left   atomic.Bool // the client has canceled and will not come again

	// changed wakes the holder of turn, space the filler.
	changed, space chan struct{}

	mu      sync.Mutex
	columns []coordinator.ResultColumn
	known   bool // columns and effects are
	rows    buffer
	target  int // bytes at which rows make a page
	ended   bool
	partial bool // ended early because the client had enough
	err     *qerr.Error
	count   *int64 // the one bigint of a result of one row
}

// buffer holds encoded rows that wait for a page.
type buffer struct {
	json  []byte // rows, separated by commas
	n     int64
	since time.Time // when the first one came
}

// begin starts a statement's query and its result.
func (s *Server) begin(st *journal.Statement) *result {
	q := s.cfg.Engine.Resume(coordinator.Resumption{ID: st.ID, Created: st.Created, Request: st.Request})
	r := s.prepare(st.ID, st.Slug, st.Parametric, newPacker(st.Encodings, &s.metrics.pack))
	s.open(r, q)
	go r.fill(s.ctx, q)
	return r
}

func (s *Server) prepare(id plan.QueryID, slug string, parametric bool, p *packer) *result {
	return &result{
		srv: s, id: id, slug: slug, parametric: parametric, packer: p, next: 1,
		turn: make(chan struct{}, 1), changed: make(chan struct{}, 1), space: make(chan struct{}, 1),
		target: s.cfg.Limits.PageBytes,
	}
}

// open lets a result be found.
func (s *Server) open(r *result, q coordinator.Query) {
	r.live.Store(&q)
	s.mu.Lock()
	defer s.mu.Unlock()
	r.timer = time.AfterFunc(r.keep(), r.retire)
	s.results[r.id] = r
}

// slugBytes is how many random bytes a slug has.
const slugBytes = 16

func newSlug() string {
	var b [slugBytes]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}

// retire drops a result that has ended and that nobody has asked for lately.
// Running queries without a client are the coordinator's to abandon.
func (r *result) retire() {
	r.mu.Lock()
	ended := r.ended
	r.mu.Unlock()
	switch {
	case r.srv.gone.Load():
		return // another coordinator has it; a request that was under way has set the timer once more
	case !ended:
		r.timer.Reset(r.keep())
		return
	}
	r.srv.forget(r)
	r.mu.Lock()
	r.drop()
	r.mu.Unlock()
	r.query().Cancel(qerr.New(qerr.AbandonedQuery, "The client did not come for the result")) // lets go of what was kept for it
}

// query returns the query, or what is left of it once it has been read.
func (r *result) query() coordinator.Query { return *r.live.Load() }

// spent stands for a query that has been read, so that keeping its last page
// does not keep its plan.
type spent struct {
	coordinator.Query
	id plan.QueryID
}

// ID names the query.
func (s spent) ID() plan.QueryID { return s.id }

// Info is for a statement that comes again when it has been read.
func (s spent) Info() *coordinator.QueryInfo {
	return &coordinator.QueryInfo{ID: s.id, State: coordinator.Finished, Stats: coordinator.Stats{Progress: 100}}
}

// Touch does nothing: the query has ended.
func (s spent) Touch() {}

// Delivered does nothing: all is.
func (s spent) Delivered(int64, bool) {}

// Cancel does nothing: the query has ended.
func (s spent) Cancel(*qerr.Error) {}

// spend lets go of all but the last page, which is kept while there is room.
func (r *result) spend(p *page) {
	var q coordinator.Query = spent{id: r.id}
	r.live.Store(&q)
	r.read.Store(true)
	r.mu.Lock()
	r.columns = nil
	r.mu.Unlock()
	r.srv.keep(r, int64(p.size()))
	r.srv.cfg.Journal.End(r.id, p.failure)
}

// touch says that the client is there.
func (r *result) touch() {
	r.query().Touch()
	r.timer.Reset(r.keep())
}

// keep is how long the result lives without a request.
func (r *result) keep() time.Duration {
	if r.read.Load() {
		return r.srv.cfg.Limits.Keep
	}
	return r.srv.cfg.Limits.ClientTimeout
}

// drop forgets the rows in the buffer. The caller holds mu.
func (r *result) drop() {
	r.srv.buffered.Add(-int64(len(r.rows.json)))
	r.rows = buffer{}
}

// fill writes the query's rows into the buffer until it ends.
func (r *result) fill(ctx context.Context, q coordinator.Query) {
	err := r.pull(ctx, q)
	if err != nil && (r.srv.gone.Load() || errors.Is(err, coordinator.ErrAbandoned)) {
		return // this end is not the client's
	}
	r.mu.Lock()
	r.ended = true
	if err != nil && !r.partial && r.err == nil {
		r.err = qerr.From(err)
		r.drop()
	}
	failure := r.err
	r.mu.Unlock()
	wake(r.changed)
	r.srv.metrics.ended(failure)
}

// fail ends the query for its client at once: it need not wait until all nodes
// have let go of it. It does nothing, and returns false, once the query has ended.
func (r *result) fail(err *qerr.Error) bool {
	r.mu.Lock()
	failed := !r.ended
	if failed {
		r.ended, r.err = true, err
		r.drop()
	}
	r.mu.Unlock()
	r.query().Cancel(err) // after that, so that the filler does not come first
	wake(r.changed)
	wake(r.space)
	return failed
}

func (r *result) pull(ctx context.Context, q coordinator.Query) error {
	columns, err := q.Columns(ctx)
	r.mu.Lock()
	r.columns, r.known = columns, err == nil
	r.mu.Unlock()
	if err != nil {
		return err
	}
	ts := make([]types.Type, len(columns))
	for i, c := range columns {
		ts[i] = c.Type
	}
	enc := newEncoder(ts, r.parametric)
	for {
		if err := r.await(ctx, q); err != nil {
			return err
		}
		b, err := q.Next(ctx)
		if err != nil || b == nil {
			return err
		}
		err = r.add(ctx, q, enc, b)
		q.Release() // the query computes the next rows while these wait for a page
		if err != nil {
			return err
		}
	}
}

// add writes a batch into the buffer. Where pages are written down it does not
// let the buffer grow beyond one of them, however wide the rows are.
func (r *result) add(ctx context.Context, q coordinator.Query, enc *encoder, b *vector.Batch) error {
	if err := b.Load(); err != nil {
		return err
	}
	enc.bind(b)
	bounded, step := r.srv.cfg.Journal.Remembers(), chunkRows
	if bounded {
		step = chunkRows / 16
	}
	for from, n := 0, b.Rows(); from < n; from += step {
		if !r.write(enc, b, from, min(from+step, n)) {
			return errPartial
		}
		if bounded {
			if err := r.await(ctx, q); err != nil {
				return err
			}
		}
	}
	r.noteCount(b)
	wake(r.changed)
	return nil
}

// write writes some rows; false if nobody wants them any more.
func (r *result) write(enc *encoder, b *vector.Batch, from, to int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.partial || r.err != nil {
		return false
	}
	if r.rows.n == 0 {
		r.rows.since = r.srv.cfg.Clock.Now()
	}
	before := len(r.rows.json)
	r.rows.json = enc.rows(r.rows.json, b, from, to, r.rows.n == 0)
	r.rows.n += int64(to - from)
	r.srv.buffered.Add(int64(len(r.rows.json) - before))
	return true
}

// noteCount remembers the number that a statement which writes returns as its
// only row.
func (r *result) noteCount(b *vector.Batch) {
	if len(b.Cols) != 1 || b.Rows() != 1 || b.Cols[0].Type.Kind != types.BigInt || b.Cols[0].IsNull(b.Row(0)) {
		return
	}
	n := vector.Value[int64](b.Cols[0], b.Row(0))
	r.mu.Lock()
	r.count = &n
	r.mu.Unlock()
}

// await waits until the buffer is less than a page.
func (r *result) await(ctx context.Context, q coordinator.Query) error {
	for {
		r.mu.Lock()
		full, stop := len(r.rows.json) >= r.target, r.partial || r.err != nil
		r.mu.Unlock()
		switch {
		case stop:
			return errPartial
		case !full:
			return nil
		}
		wake(r.changed)
		select {
		case <-r.space:
		case <-q.Done():
			if info := q.Info(); info.Error != nil {
				return info.Error
			}
			select {
			case <-r.space:
			case <-ctx.Done():
				return ctx.Err()
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// errPartial ends the filling of a result whose client wants no more.
var errPartial = errors.New("the client wants no more rows")

// wake wakes whoever waits for c, now or next.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// fetch returns the page of a token: the one shown last, or the next one after
// waiting for rows for a while. blank says that the client has seen no rows.
func (r *result) fetch(ctx context.Context, token int64, blank bool, base string) (*page, error) {
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if r.unsure && token > 0 && token < maxToken {
		r.agree(token, blank)
	}
	switch {
	case r.page != nil && token == r.page.token && !r.page.gone:
		r.renew(ctx)
		return r.page, nil
	case token != r.next || r.page != nil && r.page.last:
		return nil, errGone
	}
	if r.made == nil {
		if err := r.gather(ctx); err != nil {
			return nil, err
		}
		if r.srv.gone.Load() {
			return nil, errAbandoned
		}
		p, err := r.makePage(token, base)
		if err != nil {
			return nil, err
		}
		r.made = p
	}
	return r.show(ctx, r.made)
}

// show writes a page down before anybody sees it.
func (r *result) show(ctx context.Context, p *page) (*page, error) {
	j := r.srv.cfg.Journal
	if j.Remembers() {
		entry := p.entry()
		if err := r.srv.hold(ctx, func(ctx context.Context) error { return j.Page(ctx, r.id, entry) }); err != nil {
			return nil, err
		}
		r.written = r.srv.cfg.Clock.Now()
	}
	r.page, r.made, r.next = p, nil, p.token+1
	if p.rows > 0 || p.last {
		r.query().Delivered(p.rows, p.last)
	}
	if p.last {
		r.spend(p)
	}
	return p, nil
}

// renew keeps a page remembered whose client asks for it again and again.
func (r *result) renew(ctx context.Context) {
	j := r.srv.cfg.Journal
	if now := r.srv.cfg.Clock.Now(); j.Remembers() && !r.page.last && now.Sub(r.written) > r.srv.cfg.Limits.ClientTimeout/2 {
		if j.Page(ctx, r.id, r.page.entry()) == nil { // else the next request will do
			r.written = now
		}
	}
}

// heartbeat keeps the last page remembered for a client that says that it is
// there but does not go on yet.
func (r *result) heartbeat(ctx context.Context) {
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	default:
		return // it asks for a page, too
	}
	if r.page != nil {
		r.renew(ctx)
	}
}

// agree learns from the client's request how far it is. If it has seen no rows
// its query, which has begun again, goes on from any token; else the rest of
// the result is lost.
func (r *result) agree(token int64, blank bool) {
	r.unsure, r.next = false, token
	if blank {
		return
	}
	lost := errLost()
	r.mu.Lock()
	r.ended, r.err = true, lost // even if the query has ended well: its rows are not the rest
	r.drop()
	r.mu.Unlock()
	r.query().Cancel(lost)
	wake(r.space)
}

// gather waits until there is something to tell: the end, a full page, some
// rows and no more for a moment, or the end of the client's patience.
func (r *result) gather(ctx context.Context) error {
	limits := &r.srv.cfg.Limits
	patience := time.NewTimer(limits.LongPoll)
	defer patience.Stop()
	var linger <-chan time.Time
	for {
		r.mu.Lock()
		ready, some := r.ended || len(r.rows.json) >= r.target, r.rows.n > 0
		wait := limits.Linger - r.srv.cfg.Clock.Now().Sub(r.rows.since)
		r.mu.Unlock()
		if ready {
			return nil
		}
		if some && linger == nil {
			t := time.NewTimer(max(wait, 0))
			defer t.Stop()
			linger = t.C
		}
		select {
		case <-r.changed:
		case <-patience.C:
			return nil
		case <-linger:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-r.srv.ctx.Done():
			return nil
		}
	}
}

// take empties the buffer into a page and lets the filler go on. It sizes the
// next page: twice as large while there is memory.
func (r *result) take() (rows buffer, ended bool, failure *qerr.Error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	rows, ended, failure = r.rows, r.ended, r.err
	full := len(rows.json) >= r.target
	r.drop()
	limits := &r.srv.cfg.Limits
	switch {
	case r.srv.buffered.Load() > limits.BufferBytes/2:
		r.target = max(limits.PageBytes/4, 1)
	case full:
		r.target = max(min(2*r.target, limits.MaxPageBytes), limits.PageBytes)
	}
	if j := r.srv.cfg.Journal; j.Remembers() {
		r.target = min(r.target, j.PageLimit())
	}
	if full && !ended {
		r.rows.json = make([]byte, 0, r.target+r.target/8)
	}
	wake(r.space)
	return rows, ended, failure
}

// stopEarly ends the result with the rows that are there.
func (r *result) stopEarly() {
	r.mu.Lock()
	if !r.ended {
		r.partial, r.ended = true, true
	}
	r.mu.Unlock()
	wake(r.changed)
	wake(r.space)
	r.query().Cancel(qerr.New(qerr.UserCanceled, "The client has enough rows"))
}

// page is an answer that can be given again.
type page struct {
	token  int64
	body   [][]byte
	header http.Header
	last   bool
	packed bool // rows are compressed already
	gone   bool // its body is not known any more
	// rows is how many rows were shown up to its end.
	rows    int64
	failure *qerr.Error
}

// entry is the page as the journal has it.
func (p *page) entry() *journal.Page {
	body := p.body[0]
	if len(p.body) > 1 {
		body = slices.Concat(p.body...)
	}
	return &journal.Page{Token: p.token, Header: p.header, Body: body, Gone: p.gone, Last: p.last, Packed: p.packed, Rows: p.rows, Failure: p.failure}
}

func (p *page) size() (n int) {
	for _, b := range p.body {
		n += len(b)
	}
	return n
}
