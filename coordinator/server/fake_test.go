package server

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tuttidb/tutti/coordinator"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/internal/clock"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/types"
)

// fakeEngine answers statements by rules: the text's first word says what
// happens. It keeps all queries.
type fakeEngine struct {
	mu      sync.Mutex
	name    string
	queries []*fakeQuery
	made    int
	account *mem.Account
}

func (e *fakeEngine) NewID() plan.QueryID {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.made++
	return plan.QueryID(fmt.Sprintf("%s_%05d", cmp.Or(e.name, "q"), e.made-1))
}

func (e *fakeEngine) Recall(infos []*coordinator.QueryInfo) {
	for _, info := range infos {
		q := &fakeQuery{id: info.ID, req: coordinator.Request{SQL: info.SQL, Session: info.Session}, done: make(chan struct{}), state: info.State, err: info.Error}
		q.once.Do(func() { close(q.done) })
		e.mu.Lock()
		e.queries = append(e.queries, q)
		e.mu.Unlock()
	}
}

func (e *fakeEngine) Resume(r coordinator.Resumption) coordinator.Query {
	e.mu.Lock()
	defer e.mu.Unlock()
	q := &fakeQuery{
		id: r.ID, from: r, req: r.Request, done: make(chan struct{}), rows: make(chan *vector.Batch), back: make(chan struct{}),
		ready: make(chan struct{}), state: coordinator.Queued, account: e.account,
	}
	e.queries = append(e.queries, q)
	go q.run()
	return q
}

func (e *fakeEngine) Query(id plan.QueryID) (coordinator.Query, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, q := range e.queries {
		if q.id == id {
			return q, true
		}
	}
	return nil, false
}

func (e *fakeEngine) Queries() []*coordinator.QueryInfo {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []*coordinator.QueryInfo
	for i := len(e.queries) - 1; i >= 0; i-- {
		out = append(out, e.queries[i].Info())
	}
	return out
}

func (e *fakeEngine) Nodes() []coordinator.NodeInfo {
	return []coordinator.NodeInfo{{ID: "c", Coordinator: true, State: "active", HTTPAddress: "c:8080"}, {ID: "w", State: "active", MemoryUsed: 7}}
}

func (e *fakeEngine) last() *fakeQuery {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.queries[len(e.queries)-1]
}

// fakeQuery delivers batches of one bigint column.
type fakeQuery struct {
	id      plan.QueryID
	from    coordinator.Resumption
	req     coordinator.Request
	account *mem.Account
	done    chan struct{}
	ready   chan struct{}
	rows    chan *vector.Batch
	back    chan struct{}
	taken   bool

	mu      sync.Mutex
	state   coordinator.State
	columns []coordinator.ResultColumn
	effects coordinator.Effects
	err     *qerr.Error
	touched int
	shown   int64 // as Delivered said
	settled bool
	once    sync.Once
}

func (q *fakeQuery) Delivered(n int64, last bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if n < q.shown && !last {
		panic("rows were taken back")
	}
	q.shown, q.settled = max(n, q.shown), q.settled || last
}

// run obeys the statement: rows N, wide N, slow, endless, never, error, effects.
func (q *fakeQuery) run() {
	var word string
	n := 0
	_, _ = fmt.Sscan(q.req.SQL, &word, &n)
	q.mu.Lock()
	q.state = coordinator.Running
	q.columns = []coordinator.ResultColumn{{Name: "n", Type: types.Of(types.BigInt)}}
	switch word {
	case "effects":
		q.columns = []coordinator.ResultColumn{}
		q.effects = coordinator.Effects{
			UpdateType: "SET", SetCatalog: "c", SetSchema: "s", SetPath: "p", SetSession: map[string]string{"k": "a b,c"}, ClearSession: []string{"x"},
			AddedPrepare: map[string]string{"p 1": "select ?"}, DeallocatedPrepare: []string{"old one"}, StartedTransaction: "t1", ClearTransaction: true,
		}
	case "insert":
		q.effects.UpdateType, n = "INSERT", -n
	case "wide":
		q.columns[0].Type = types.VarcharType()
	}
	q.mu.Unlock()
	switch word {
	case "never":
		<-q.done
		return
	case "error":
		q.end(qerr.At(qerr.ColumnNotFound, qerr.Pos{Line: 1, Column: 8}, "Column 'nosuch' cannot be resolved"))
		return
	case "slow":
		time.Sleep(30 * time.Millisecond)
	}
	close(q.ready)
	switch word {
	case "endless":
		for i := 0; q.offer(i, 1000); i++ {
		}
		return
	case "latefail":
		q.offer(0, 10)
		q.end(qerr.New(qerr.DivisionByZero, "Division by zero"))
		return
	}
	if n < 0 { // one row
		q.offerValue(int64(-n))
	}
	if word == "local" && q.from.Rows > 0 {
		q.end(qerr.New(qerr.RemoteHostGone, "lost").WithRetry())
		return
	}
	for at := int(q.from.Rows); at < n; at += 1000 {
		if !q.offer(at, min(1000, n-at)) {
			return
		}
	}
	q.end(nil)
}

func (q *fakeQuery) offerValue(v int64) {
	q.send(&vector.Batch{N: 1, Cols: []*vector.Vector{{Type: q.columns[0].Type, N: 1, Data: vector.AsBytes([]int64{v})}}})
}

// offer sends n rows that count from at, false if the query has ended.
func (q *fakeQuery) offer(at, n int) bool {
	b := vector.NewBuilder(q.account, q.columns[0].Type)
	defer b.Release()
	for i := range n {
		if q.columns[0].Type.Kind == types.Varchar {
			_ = b.AppendBytes([]byte(strings.Repeat("x", 1000))) // accounts without limit do not fail
		} else {
			_ = vector.Append(b, int64(at+i))
		}
	}
	return q.send(&vector.Batch{N: n, Cols: []*vector.Vector{b.Vector()}})
}

// send hands a batch over and waits until it has been given back.
func (q *fakeQuery) send(b *vector.Batch) bool {
	select {
	case q.rows <- b:
		<-q.back
		return true
	case <-q.done:
		return false
	}
}

func (q *fakeQuery) end(err *qerr.Error) {
	q.once.Do(func() {
		q.mu.Lock()
		q.state, q.err = coordinator.Finished, err
		if err != nil {
			q.state = coordinator.Failed
		}
		q.mu.Unlock()
		close(q.done)
	})
}

func (q *fakeQuery) ID() plan.QueryID { return q.id }

func (q *fakeQuery) Info() *coordinator.QueryInfo {
	q.mu.Lock()
	defer q.mu.Unlock()
	return &coordinator.QueryInfo{
		ID: q.id, State: q.state, SQL: q.req.SQL, Session: q.req.Session, Error: q.err, ElapsedFor: time.Second, Created: time.Unix(1, 0),
		Stats: coordinator.Stats{TotalSplits: 4, DoneSplits: 2, RunningSplits: 1, Progress: 50, PhysicalRows: 10},
		Stages: []coordinator.StageInfo{
			{ID: 0, State: q.state, Inputs: []plan.FragmentID{1, 2}, Operators: []coordinator.OperatorInfo{{Node: 3, Name: "Output", Parents: []plan.NodeID{2}, Estimated: -1}}},
			{ID: 1, State: q.state, Inputs: []plan.FragmentID{2}, Tasks: []coordinator.TaskInfo{{State: "RUNNING", Node: "w"}}},
			{ID: 2, State: q.state},
		},
		Plan: "the plan",
	}
}

func (q *fakeQuery) Columns(ctx context.Context) ([]coordinator.ResultColumn, error) {
	select {
	case <-q.ready:
		return q.columns, nil
	case <-q.done:
		if q.err != nil {
			return nil, q.err
		}
		return q.columns, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (q *fakeQuery) Next(ctx context.Context) (*vector.Batch, error) {
	q.Release()
	select {
	case b := <-q.rows:
		q.taken = true
		return b, nil
	case <-q.done:
		if q.err != nil {
			return nil, q.err
		}
		return nil, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Release must come for each batch: the fake waits for it even if canceled.
func (q *fakeQuery) Release() {
	if q.taken {
		q.taken = false
		q.back <- struct{}{}
	}
}

func (q *fakeQuery) Effects() *coordinator.Effects {
	e := q.effects
	return &e
}

func (q *fakeQuery) Touch() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.touched++
}

func (q *fakeQuery) Cancel(err *qerr.Error) { q.end(err) }
func (q *fakeQuery) Done() <-chan struct{}  { return q.done }

// harness is a server over a fake engine behind a real connection.
type harness struct {
	*httptest.Server
	t      testing.TB
	engine *fakeEngine
	server *Server
	header http.Header
}

func newHarness(t testing.TB, change func(*Config)) *harness {
	t.Helper()
	h := &harness{t: t, engine: &fakeEngine{account: mem.NewRoot("test", 0, mem.NewPool())}, header: http.Header{}}
	registry := prometheus.NewRegistry()
	cfg := Config{
		Engine: h.engine, Log: slog.New(slog.DiscardHandler), Clock: clock.System{}, Version: "1.2", NodeID: "c", Environment: "test",
		Registerer: registry, Gatherer: registry, Limits: Limits{LongPoll: 200 * time.Millisecond, Linger: 5 * time.Millisecond},
	}
	if change != nil {
		change(&cfg)
	}
	var err error
	if h.server, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	h.Server = httptest.NewServer(h.server)
	h.header.Set("X-Trino-User", "ann")
	h.header.Set("X-Trino-Client-Capabilities", "PARAMETRIC_DATETIME")
	t.Cleanup(func() {
		for _, q := range h.engine.queries {
			q.end(qerr.New(qerr.UserCanceled, "test ended"))
		}
		h.server.Close()
		h.Close()
	})
	return h
}

// do sends a request; the body is read whole.
func (h *harness) do(method, uri, body string) (*http.Response, string) {
	h.t.Helper()
	if strings.HasPrefix(uri, "/") {
		uri = h.URL + uri
	}
	req, err := http.NewRequest(method, uri, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header = h.header.Clone()
	resp, err := h.Client().Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return resp, string(text)
}
