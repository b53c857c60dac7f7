// Package journal writes down what the successor of a coordinator needs to go
// on with its queries, and reads it again.
//
// # What is written where
//
// Package meta offers two places: the memory of a majority of coordinators,
// one round trip away, and the log on a majority of disks, which costs some
// milliseconds more. Of each query the memory holds
//
//   - that it was accepted: the statement, its session, its slug. The POST is
//     answered when a majority has it (Accept), so a client that knows a
//     query's URI knows one that no single loss makes disappear;
//   - its plan, if workers run it (Planned): with it a successor understands
//     what the workers have. It is written in the background, and is there
//     before a page is shown;
//   - the page that was shown last, by value, and how many rows were shown up
//     to its end (Page). A majority has each page before the client has any
//     byte of it. So a successor answers the client's last request with the
//     same bytes, and its next one with the rows that follow;
//   - that it is to end and how, if somebody ended it (Fail).
//
// The last page takes the place of all else, and is forgotten when the result
// is (Forget).
//
// Queries that are older than a second go into the log too, in the background
// and many at a time: then they survive the loss of all coordinators at once.
// Pages do not, so what can be done after that depends on whether the client
// has seen rows; the URI it asks for tells. What is in the log need not stay in
// the memory, where entries live a minute unless they are written again.
//
// # One coordinator alone
//
// has nobody who remembers for it: Accept, Page and Planned note where to find
// things and return at once, and nothing is encoded before a query is a second
// old. A nil *Journal does nothing at all.
package journal

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/tuttidb/tutti/coordinator"
	"github.com/tuttidb/tutti/coordinator/meta"
	"github.com/tuttidb/tutti/internal/clock"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/planner/plancodec"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// Memory is what coordinators know together; *meta.Node is one. Each call says
// in which epoch its caller leads, and fails with meta.ErrFenced if that is over.
type Memory interface {
	// Remember returns when a majority has the entries in memory.
	Remember(ctx context.Context, epoch uint64, entries ...*pb.MetaMemory) error
	// Settle remembers a query's last page in place of all else of it.
	Settle(ctx context.Context, epoch uint64, page *pb.MetaMemory) error
	// Forget removes what is remembered of queries.
	Forget(ctx context.Context, epoch uint64, queries ...string) error
	// ApplyAs writes commands to the log: all or none.
	ApplyAs(ctx context.Context, epoch uint64, commands ...meta.Command) (index uint64, err error)
}

var _ Memory = (*meta.Node)(nil)

// Config says how to make a Journal.
type Config struct {
	Memory Memory
	// Epoch is the leadership that the journal is kept for.
	Epoch uint64
	// Alone says that there is one coordinator only.
	Alone bool
	// Keep is how long a last page can be asked for again, ClientTimeout how
	// long a client may stay away before: the server's.
	Keep, ClientTimeout time.Duration
	Clock               clock.Clock
	Log                 *slog.Logger
}

const (
	// acceptedTTL is how long the memory holds what the log will soon have.
	acceptedTTL = time.Minute
	// slack is added to the time for which pages are kept, for elections.
	slack = time.Minute
	// maxBody is the size up to which a page's body is remembered; of larger
	// ones only how far they go.
	maxBody = 8 << 20
	// memoryBudget is what the pages of all queries may take: half of what a
	// node remembers for others. Pages get smaller when it runs short.
	memoryBudget = 32 << 20
	// maxPage is the size of a page's rows before they are compressed, minPage
	// the same when memory runs short.
	maxPage, minPage = 4 << 20, 128 << 10
	// planTime bounds the first try to remember a plan.
	planTime = 5 * time.Second
)

// Statement is a statement that a client sent.
type Statement struct {
	ID plan.QueryID
	// Slug is the secret part of the query's URIs.
	Slug    string
	Request coordinator.Request
	Created time.Time
	// Parametric and Encodings are how the client wants its rows.
	Parametric bool
	Encodings  []string
}

// Journal writes down what a successor needs. Make it with New; Close ends it.
// Its methods are safe for concurrent use, but those about one query are to be
// called by one goroutine at a time, but for Planned, Bound, Fail and Forget.
type Journal struct {
	cfg    Config
	codec  *codec
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	over   chan struct{}
	wake   chan struct{}
	// watching is who waits whether this leadership lasts.
	watching sync.WaitGroup

	mu      sync.Mutex
	queries map[plan.QueryID]*entry
	forget  []string
	bytes   int64 // of the pages remembered
	large   int64 // bytes of the large statements remembered
}

// entry is a query that has not been forgotten.
type entry struct {
	id       plan.QueryID
	st       *Statement // nil: known from its page only
	slug     string
	accepted bool  // and the client may know it
	large    int64 // its bytes, if they are many

	turn  chan struct{} // held while a page is being remembered
	page  *pb.MetaPage  // the last one that was
	bytes int64         // of it
	bound []byte        // the error after a page that is not the last

	plan     *plan.Plan // until it is encoded
	catalogs uint64     // the generation of its catalogs
	coded    *pb.MetaPlan
	fresh    chan struct{} // closed when the plan was remembered or could not be; nil without one
	acked    bool          // it was

	since     time.Time // when statement and plan were last remembered
	logged    bool      // the statement is in the log
	whole     bool      // so is the plan
	writing   bool      // the log is being written
	settled   bool      // the client has, or can have, the last page
	end       *ending   // to be logged
	forgotten bool      // but for that
}

type ending struct {
	state   pb.MetaQueryState
	failure *qerr.Error
}

// New starts a journal.
func New(cfg Config) (*Journal, error) {
	c, err := newCodec()
	if err != nil {
		return nil, err
	}
	j := &Journal{
		cfg: cfg, codec: c, over: make(chan struct{}), wake: make(chan struct{}, 1), queries: map[plan.QueryID]*entry{},
	}
	j.ctx, j.cancel = context.WithCancel(context.Background())
	go j.write()
	return j, nil
}

// Close ends the journal: calls that wait return, and nothing more is written.
func (j *Journal) Close() {
	if j == nil {
		return
	}
	j.cancel()
	<-j.over
	j.watching.Wait()
}

// on says whether there is anybody who remembers.
func (j *Journal) on() bool { return j != nil && !j.cfg.Alone }

// Remembers reports whether pages are written down, and so must be of a size
// that lets them.
func (j *Journal) Remembers() bool { return j.on() }

// PageLimit is the size at which a page's rows should make a page, before they
// are compressed.
func (j *Journal) PageLimit() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.bytes > memoryBudget/2 {
		return minPage
	}
	return maxPage
}

// call binds a request's context to the journal's.
func (j *Journal) call(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(j.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}

// get returns what is known of a query, made if need be.
func (j *Journal) get(id plan.QueryID) *entry {
	e := j.queries[id]
	if e == nil {
		e = &entry{id: id, turn: make(chan struct{}, 1)}
		j.queries[id] = e
		select {
		case j.wake <- struct{}{}:
		default:
		}
	}
	return e
}

// Accept writes down that a query was accepted. After an error it may be tried
// again; the query must not be started, and Forget be called at last.
func (j *Journal) Accept(ctx context.Context, st *Statement) error {
	if j == nil {
		return nil
	}
	j.mu.Lock()
	e := j.get(st.ID)
	e.st, e.slug, e.since, e.accepted = st, st.Slug, j.cfg.Clock.Now(), j.cfg.Alone
	j.mu.Unlock()
	if j.cfg.Alone {
		return nil
	}
	if err := j.accept(ctx, st); err != nil {
		return err
	}
	j.mu.Lock()
	e.accepted = true
	j.mu.Unlock()
	return nil
}

func (j *Journal) accept(ctx context.Context, st *Statement) error {
	m, err := j.codec.accepted(st)
	if err != nil {
		return err
	}
	if err := j.weigh(st.ID, int64(len(m.Plan))); err != nil {
		return err
	}
	ctx, cancel := j.call(ctx)
	defer cancel()
	return j.told(j.cfg.Memory.Remember(ctx, j.cfg.Epoch, meta.RememberQuery(m, acceptedTTL)))
}

// Leads returns nil if this journal's leadership was not over when it was called:
// what it does not know then, nobody knows. It asks a majority.
func (j *Journal) Leads(ctx context.Context) error {
	if !j.on() {
		return nil
	}
	ctx, cancel := j.call(ctx)
	defer cancel()
	return j.told(j.cfg.Memory.Remember(ctx, j.cfg.Epoch))
}

// told makes the error of a call that the journal's end has ended say so.
func (j *Journal) told(err error) error {
	if err != nil && j.ctx.Err() != nil {
		return errClosed
	}
	return err
}

// Planned notes a query's plan, and the generation of the catalogs that it was
// made with, and writes them down in the background. Nobody may write to the
// plan any more.
func (j *Journal) Planned(id plan.QueryID, p *plan.Plan, catalogs uint64) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	e := j.queries[id]
	if e == nil || e.st == nil || e.settled {
		return // not a client's, or over
	}
	e.plan, e.catalogs, e.coded, e.acked, e.whole = p, catalogs, nil, false, false
	if j.cfg.Alone {
		return
	}
	before, done := e.fresh, make(chan struct{})
	e.fresh = done
	go func() {
		defer close(done)
		if before != nil {
			<-before
		}
		ctx, cancel := context.WithTimeout(j.ctx, planTime)
		defer cancel()
		if err := j.rememberPlan(ctx, id, e); err != nil && j.ctx.Err() == nil {
			j.cfg.Log.Debug("remembering a plan", "query", id, "error", err)
		}
	}()
}

func (j *Journal) rememberPlan(ctx context.Context, id plan.QueryID, e *entry) error {
	m, err := j.encodePlan(id, e)
	if err != nil || m == nil {
		return err
	}
	if err := j.cfg.Memory.Remember(ctx, j.cfg.Epoch, meta.RememberPlan(m, acceptedTTL)); err != nil {
		return j.told(err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	e.acked = e.acked || e.coded == m
	return nil
}

// encodePlan returns a query's plan as it is written, nil if it has none.
func (j *Journal) encodePlan(id plan.QueryID, e *entry) (*pb.MetaPlan, error) {
	j.mu.Lock()
	p, catalogs, coded := e.plan, e.catalogs, e.coded
	j.mu.Unlock()
	if p == nil || coded != nil {
		return coded, nil
	}
	b, err := plancodec.EncodePlan(p)
	if err == nil {
		coded = &pb.MetaPlan{Query: string(id), Plan: j.codec.pack(b), Version: plancodec.Version, Catalogs: catalogs}
	} else {
		j.cfg.Log.Error("a plan cannot be written down: this query ends if its coordinator is lost", "query", id, "error", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if e.plan != p {
		return e.coded, nil // another goroutine was faster, or there is a newer one
	}
	e.plan, e.coded = nil, coded
	return coded, nil
}

// Bound says that nobody but this coordinator can go on with a query: a
// successor that finds a page of it which is written from now on shows that page
// and then the error.
func (j *Journal) Bound(id plan.QueryID, failure *qerr.Error) {
	if !j.on() {
		return
	}
	if e := j.find(id); e != nil {
		j.mu.Lock()
		e.bound = encodeError(failure)
		j.mu.Unlock()
	}
}

func (j *Journal) find(id plan.QueryID) *entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.queries[id]
}

// take waits for the turn to remember a page.
func (e *entry) take(ctx context.Context) (release func(), err error) {
	select {
	case e.turn <- struct{}{}:
		return func() { <-e.turn }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// planned returns when the query's plan, if it has one, is remembered.
func (j *Journal) planned(ctx context.Context, id plan.QueryID, e *entry) error {
	j.mu.Lock()
	fresh := e.fresh
	j.mu.Unlock()
	if fresh == nil {
		return nil
	}
	select {
	case <-fresh:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	j.mu.Lock()
	acked := e.acked || e.settled
	j.mu.Unlock()
	if acked {
		return nil
	}
	return j.rememberPlan(ctx, id, e) // the first try failed
}

// Fail writes down that a query ends with an error that its client has not been
// shown yet: a successor shows it instead of running the query.
func (j *Journal) Fail(ctx context.Context, id plan.QueryID, failure *qerr.Error) error {
	if !j.on() {
		return nil
	}
	e := j.find(id)
	if e == nil {
		return nil
	}
	ctx, cancel := j.call(ctx)
	defer cancel()
	release, err := e.take(ctx)
	if err != nil {
		return j.told(err)
	}
	defer release()
	j.mu.Lock()
	p, settled := e.page, e.settled
	j.mu.Unlock()
	if settled {
		return nil
	}
	m := &pb.MetaPage{Query: string(id), Slug: e.slug, Failure: encodeError(failure)}
	if p != nil {
		m.Token, m.Headers, m.Body, m.Packed, m.Rows, m.Epoch = p.Token, p.Headers, p.Body, p.Packed, p.Rows, p.Epoch
	}
	return j.told(j.rememberPage(ctx, id, e, m))
}

// End notes that a query is over for its client, with an error or nil. Its last
// page has been written down.
func (j *Journal) End(id plan.QueryID, failure *qerr.Error) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	e := j.queries[id]
	if e == nil {
		return
	}
	e.finish(failure)
	if j.cfg.Alone && !e.logged && !e.writing {
		delete(j.queries, id)
	}
}

func (e *entry) finish(failure *qerr.Error) {
	if e.end != nil {
		return
	}
	e.settled = true
	e.end = &ending{pb.MetaQueryState_META_QUERY_STATE_FINISHED, failure}
	switch {
	case failure == nil:
	case failure.Code == qerr.UserCanceled:
		e.end.state = pb.MetaQueryState_META_QUERY_STATE_CANCELED
	default:
		e.end.state = pb.MetaQueryState_META_QUERY_STATE_FAILED
	}
}

// Forget says that nobody can ask for a query's result any more. It does not
// block.
func (j *Journal) Forget(id plan.QueryID) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	e := j.queries[id]
	if e == nil {
		return
	}
	e.finish(qerr.New(qerr.AbandonedQuery, "the client did not come for the result"))
	j.bytes -= e.bytes
	e.bytes, e.forgotten = 0, true
	j.lighten(e)
	if e.logged || e.writing {
		e.st, e.page, e.plan, e.coded = nil, nil, nil, nil // the log is told of the end first
	} else {
		delete(j.queries, id)
	}
	if !j.cfg.Alone {
		j.forget = append(j.forget, string(id))
	}
}

// Restore takes over what was read, so that it is written on.
func (j *Journal) Restore(entries []*Entry) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, x := range entries {
		if x.Ended != nil && x.Page == nil {
			continue
		}
		e := j.get(x.ID)
		e.slug, e.logged = x.Slug, x.Logged
		if x.Known {
			st := x.Statement
			e.st, e.accepted = &st, true
		}
		if x.Page != nil {
			if e.page = x.coded; e.page == nil {
				e.page = j.codec.page(x.ID, x.Slug, x.Page)
			}
			e.bytes = int64(len(e.page.Body))
			j.bytes += e.bytes
			e.settled = x.Page.Last
		}
		if x.Ended != nil || e.settled {
			e.finish(x.Failure)
			e.logged = e.logged && x.Ended == nil // else there is nothing to tell the log
		}
	}
}

// errClosed is what calls return that the journal's end has ended.
var errClosed = errors.New("the journal is closed")
