package coordinator

import (
	"context"
	"errors"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/internal/clock"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/types"
)

// fakeExecutor gives every plan the same rows: batches of one bigint column.
type fakeExecutor struct {
	pool    *mem.Pool
	batches int
	tasks   int
	fail    error         // after the batches
	hang    chan struct{} // if set, Next waits for it or for ctx
	closed  chan struct{} // gets a message at each Close
}

func (f *fakeExecutor) Tasks() int { return max(1, f.tasks) }

func (f *fakeExecutor) Execute(context.Context, *Execution) (Rows, error) {
	return &fakeRows{f: f, b: vector.NewBuilder(mem.NewRoot("fake", 0, f.pool), types.Of(types.BigInt))}, nil
}

type fakeRows struct {
	f *fakeExecutor
	b *vector.Builder
	n int
}

func (r *fakeRows) Next(ctx context.Context) (*vector.Batch, error) {
	if r.n == r.f.batches {
		if r.f.hang != nil {
			select {
			case <-r.f.hang:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		return nil, r.f.fail
	}
	r.n++
	r.b.Reset()
	if err := vector.Append(r.b, int64(r.n)); err != nil {
		return nil, err
	}
	v := r.b.Vector()
	return &vector.Batch{N: v.N, Cols: []*vector.Vector{v}}, nil
}

func (r *fakeRows) Snapshot(*QueryInfo) {}
func (r *fakeRows) Delivered(int64)     {}
func (r *fakeRows) Abandon()            {}

func (r *fakeRows) Close() error {
	r.b.Release()
	if r.f.closed != nil {
		r.f.closed <- struct{}{}
	}
	return nil
}

type noFolder struct{}

func (noFolder) Fold(e expr.Expr) (*expr.Const, error) {
	if c, ok := e.(*expr.Const); ok {
		return c, nil
	}
	return nil, errors.New("not a constant")
}

func newTest(t *testing.T, f *fakeExecutor, limits Limits) (*Coordinator, *clock.Manual) {
	t.Helper()
	f.pool = mem.NewPool()
	now := clock.NewManual(time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC))
	c := New(Deps{
		Catalogs: NewCatalogs(), Folder: noFolder{}, Local: f, Clock: now,
		Log: slog.New(slog.DiscardHandler), Limits: limits, NodeID: "c1", Version: "test",
	})
	t.Cleanup(func() {
		c.Close()
		if out := f.pool.Out(); out != 0 {
			t.Errorf("%d bytes are still out after the coordinator closed", out)
		}
	})
	return c, now
}

func submit(c *Coordinator, sql string) Query {
	return c.Submit(Request{SQL: sql, Session: Session{User: "ann"}})
}

// drain reads a result to its end.
func drain(t *testing.T, q Query) (rows int, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for {
		b, err := q.Next(ctx)
		if err != nil || b == nil {
			return rows, err
		}
		rows += b.Rows()
	}
}

func TestQueryDeliversItsRows(t *testing.T) {
	c, _ := newTest(t, &fakeExecutor{batches: 5}, Limits{})
	q := submit(c, "SELECT 1 AS n")
	cols, err := q.Columns(context.Background())
	if err != nil || len(cols) != 1 || cols[0].Name != "n" {
		t.Fatalf("columns %v, %v", cols, err)
	}
	if rows, err := drain(t, q); rows != 5 || err != nil {
		t.Errorf("%d rows, %v; want 5", rows, err)
	}
	<-q.Done()
	info := q.Info()
	if info.State != Finished || info.Stats.OutputRows != 5 || info.Stats.Progress != 100 {
		t.Errorf("ended as %s with %d rows", info.State, info.Stats.OutputRows)
	}
	if !regexp.MustCompile(`^20260304_050607_00000_[a-z2-7]{5}$`).MatchString(string(q.ID())) {
		t.Errorf("id %s is not in Trino's form", q.ID())
	}
}

// TestNextAfterItsContextEnded: a long poll that times out loses no row.
func TestNextAfterItsContextEnded(t *testing.T) {
	f := &fakeExecutor{batches: 2, hang: make(chan struct{})}
	c, _ := newTest(t, f, Limits{})
	q := submit(c, "SELECT 1")
	for i := range 2 {
		if b, err := q.Next(context.Background()); err != nil || b == nil {
			t.Fatalf("batch %d: %v, %v", i, b, err)
		}
	}
	short, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if _, err := q.Next(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Next with a short context: %v", err)
	}
	close(f.hang)
	if rows, err := drain(t, q); rows != 0 || err != nil {
		t.Errorf("%d rows, %v after the time-out; want the end", rows, err)
	}
}

func TestFailures(t *testing.T) {
	boom := qerr.New(qerr.DivisionByZero, "Division by zero")
	for _, c := range []struct {
		sql  string
		code qerr.Code
		text string
	}{
		{"SELEC 1", qerr.SyntaxError, "line 1:1: mismatched input 'SELEC'"},
		{"SELECT nosuch", qerr.ColumnNotFound, "line 1:8: Column 'nosuch' cannot be resolved"},
		{"SELECT * FROM nowhere.s.t", qerr.CatalogNotFound, "Catalog 'nowhere' not found"},
		{"SELECT 1", qerr.DivisionByZero, "Division by zero"},
		{"SET SESSION nosuch = 1", qerr.InvalidSessionProperty, "Session property 'nosuch' does not exist"},
		{"EXECUTE nosuch", qerr.NotFound, "Prepared statement not found: nosuch"},
		{"COMMIT", qerr.NotInTransaction, "No transaction in progress"},
		{"CALL system.runtime.kill_query(query_id => 'x')", qerr.NotFound, "Target query not found: x"},
		{"ANALYZE t", qerr.NotSupportedCode, "not supported"},
		{"SELECT '" + strings.Repeat("x", 2000) + "'", qerr.QueryTextTooLarge, "exceeds the maximum length (1000)"},
	} {
		co, _ := newTest(t, &fakeExecutor{batches: 1, fail: boom}, Limits{MaxText: 1000})
		q := submit(co, c.sql)
		_, err := drain(t, q)
		if e := qerr.From(err); e == nil || e.Code != c.code || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%.40s: %v, want %s with %q", c.sql, err, c.code.Name, c.text)
		}
	}
}

func TestCancelFreesTheExecution(t *testing.T) {
	f := &fakeExecutor{batches: 1, hang: make(chan struct{}), closed: make(chan struct{}, 1)}
	c, _ := newTest(t, f, Limits{})
	q := submit(c, "SELECT 1")
	if _, err := q.Next(context.Background()); err != nil {
		t.Fatal(err)
	}
	q.Cancel(qerr.New(qerr.UserCanceled, "Query was canceled"))
	<-f.closed
	<-q.Done()
	if _, err := drain(t, q); !qerr.Is(err, qerr.UserCanceled) {
		t.Errorf("canceled query ended with %v", err)
	}
}

// TestAbandoned: a query whose client is silent for too long ends by itself.
func TestAbandoned(t *testing.T) {
	c, now := newTest(t, &fakeExecutor{hang: make(chan struct{})}, Limits{ClientTimeout: time.Minute})
	q := submit(c, "SELECT 1")
	if _, err := q.Columns(context.Background()); err != nil {
		t.Fatal(err)
	}
	now.Advance(50 * time.Second)
	q.Touch()
	now.Advance(50 * time.Second)
	q.(*activeQuery).expire(now.Now(), time.Minute)
	if q.(*activeQuery).ended() {
		t.Fatal("ended although its client was there")
	}
	now.Advance(11 * time.Second)
	q.(*activeQuery).expire(now.Now(), time.Minute)
	<-q.Done()
	if err := q.Info().Error; err == nil || err.Code != qerr.AbandonedQuery {
		t.Errorf("abandoned query ended with %v", err)
	}
}

func TestTimeLimits(t *testing.T) {
	for _, name := range []string{"query_max_run_time", "query_max_execution_time"} {
		c, now := newTest(t, &fakeExecutor{hang: make(chan struct{})}, Limits{})
		q := c.Submit(Request{SQL: "SELECT 1", Session: Session{User: "ann", Properties: map[string]string{name: "10s"}}})
		if _, err := q.Columns(context.Background()); err != nil {
			t.Fatal(err)
		}
		now.Advance(11 * time.Second)
		q.(*activeQuery).expire(now.Now(), time.Hour)
		<-q.Done()
		if err := q.Info().Error; err == nil || err.Code != qerr.ExceededTimeLimit {
			t.Errorf("%s: ended with %v", name, err)
		}
	}
}

func TestSessionEffects(t *testing.T) {
	c, _ := newTest(t, &fakeExecutor{}, Limits{})
	run := func(sql string, s Session) *Effects {
		t.Helper()
		q := c.Submit(Request{SQL: sql, Session: s})
		if _, err := drain(t, q); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		return q.Effects()
	}
	if e := run("SET SESSION retry_policy = 'NONE'", Session{}); e.UpdateType != "SET SESSION" || e.SetSession["retry_policy"] != "NONE" {
		t.Errorf("SET SESSION: %+v", e)
	}
	if e := run("RESET SESSION retry_policy", Session{}); len(e.ClearSession) != 1 {
		t.Errorf("RESET SESSION: %+v", e)
	}
	if e := run("PREPARE p FROM SELECT ? + 1", Session{}); e.AddedPrepare["p"] != "SELECT ? + 1" {
		t.Errorf("PREPARE: %+v", e)
	}
	if e := run("DEALLOCATE PREPARE p", Session{Prepared: map[string]string{"p": "SELECT 1"}}); len(e.DeallocatedPrepare) != 1 {
		t.Errorf("DEALLOCATE: %+v", e)
	}
	started := run("START TRANSACTION READ ONLY", Session{Transaction: "NONE"})
	if started.StartedTransaction == "" {
		t.Errorf("START TRANSACTION: %+v", started)
	}
	if e := run("ROLLBACK", Session{Transaction: started.StartedTransaction}); !e.ClearTransaction {
		t.Errorf("ROLLBACK: %+v", e)
	}
}

func TestKillQuery(t *testing.T) {
	c, _ := newTest(t, &fakeExecutor{hang: make(chan struct{})}, Limits{})
	victim := submit(c, "SELECT 1")
	if _, err := victim.Columns(context.Background()); err != nil {
		t.Fatal(err)
	}
	killer := submit(c, "CALL system.runtime.kill_query(query_id => '"+string(victim.ID())+"', message => 'too slow')")
	if _, err := drain(t, killer); err != nil {
		t.Fatal(err)
	}
	<-victim.Done()
	if err := victim.Info().Error; err == nil || err.Code != qerr.AdministrativelyKilled || !strings.Contains(err.Message, "too slow") {
		t.Errorf("killed query ended with %v", err)
	}
}

// TestHistoryIsBounded: ended queries are forgotten, running ones never.
func TestHistoryIsBounded(t *testing.T) {
	f := &fakeExecutor{batches: 1}
	c, _ := newTest(t, f, Limits{History: 3})
	for range 10 {
		if _, err := drain(t, submit(c, "SELECT 1")); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(c.Queries()); n > 4 {
		t.Errorf("%d queries remembered, want at most 4", n)
	}
}
