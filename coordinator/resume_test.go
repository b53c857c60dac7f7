package coordinator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/internal/clock"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/planner/plancodec"
)

// watched is an executor that notes what it is told.
type watched struct {
	fakeExecutor
	mu    sync.Mutex
	begun []*Execution
	notes []string
	// begins, if set, is called for each execution.
	begins func(*Execution)
	more   chan struct{} // gets a message at each note
}

func (w *watched) note(s string) {
	w.mu.Lock()
	w.notes = append(w.notes, s)
	w.mu.Unlock()
	w.more <- struct{}{}
}

// await returns the notes when one is there.
func (w *watched) await(t *testing.T, note string) []string {
	t.Helper()
	for {
		w.mu.Lock()
		notes := slices.Clone(w.notes)
		w.mu.Unlock()
		if slices.Contains(notes, note) {
			return notes
		}
		select {
		case <-w.more:
		case <-time.After(20 * time.Second):
			t.Fatalf("no %q among %q", note, notes)
		}
	}
}

func (w *watched) Execute(ctx context.Context, e *Execution) (Rows, error) {
	w.mu.Lock()
	w.begun = append(w.begun, e)
	w.mu.Unlock()
	if w.begins != nil {
		w.begins(e)
	}
	rows, err := w.fakeExecutor.Execute(ctx, e)
	return &watchedRows{rows, w}, err
}

func (w *watched) last() *Execution {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.begun) == 0 {
		return nil
	}
	return w.begun[len(w.begun)-1]
}

type watchedRows struct {
	Rows
	w *watched
}

func (r *watchedRows) Delivered(n int64) { r.w.note(fmt.Sprint("delivered ", n)) }
func (r *watchedRows) Abandon()          { r.w.note("abandoned") }
func (r *watchedRows) Close() error {
	err := r.Rows.Close()
	r.w.note("closed")
	return err
}

// fakeJournal keeps plans.
type fakeJournal struct {
	mu    sync.Mutex
	plans map[plan.QueryID]*plan.Plan
	// generations are those of the plans' catalogs.
	generations map[plan.QueryID]uint64
}

// Bound notes nothing.
func (j *fakeJournal) Bound(plan.QueryID, *qerr.Error) {}

func (j *fakeJournal) Planned(id plan.QueryID, p *plan.Plan, catalogs uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.plans[id], j.generations[id] = p, catalogs
}

func (j *fakeJournal) generation(id plan.QueryID) uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.generations[id]
}

func (j *fakeJournal) plan(id plan.QueryID) *plan.Plan {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.plans[id]
}

// succeeded is a coordinator of a cluster in which others take over.
type succeeded struct {
	*Coordinator
	cluster *watched
	journal *fakeJournal
	clock   *clock.Manual
}

func newSucceeded(t *testing.T, rows int, change func(*Deps)) *succeeded {
	t.Helper()
	s := &succeeded{
		cluster: &watched{more: make(chan struct{}, 100)}, journal: &fakeJournal{plans: map[plan.QueryID]*plan.Plan{}, generations: map[plan.QueryID]uint64{}},
		clock: clock.NewManual(time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)),
	}
	s.cluster.fakeExecutor = fakeExecutor{pool: mem.NewPool(), batches: rows, tasks: 2}
	d := Deps{
		Catalogs: NewCatalogs(), Folder: noFolder{}, Local: &fakeExecutor{pool: s.cluster.pool}, Cluster: s.cluster, Clock: s.clock,
		Log: slog.New(slog.DiscardHandler), NodeID: "c1", Epoch: 7, Journal: s.journal, Succeeded: true,
	}
	if change != nil {
		change(&d)
	}
	s.Coordinator = New(d)
	addTPCH(t, s.Coordinator)
	t.Cleanup(func() {
		s.Close()
		if out := s.cluster.pool.Out(); out != 0 {
			t.Errorf("%d bytes are still out after the coordinator closed", out)
		}
	})
	return s
}

const onWorkers = "SELECT nationkey FROM nation"

func (s *succeeded) run(t *testing.T, r Resumption) (Query, int, error) {
	t.Helper()
	r.Request.Session = session()
	q := s.Resume(r)
	rows, err := drain(t, q)
	return q, rows, err
}

func TestPlansAreJournaled(t *testing.T) {
	s := newSucceeded(t, 1, nil)
	for sql, want := range map[string]bool{
		onWorkers: true, "EXECUTE p": true, "SELECT 1": false, "SHOW CATALOGS": false, "EXPLAIN ANALYZE " + onWorkers: false, "EXPLAIN " + onWorkers: false,
	} {
		ses := session()
		ses.Prepared = map[string]string{"p": onWorkers}
		q := s.Submit(Request{SQL: sql, Session: ses})
		if _, err := drain(t, q); err != nil {
			t.Fatal(sql, err)
		}
		if got := s.journal.plan(q.ID()) != nil; got != want {
			t.Errorf("%s: journaled %v", sql, got)
		}
		q.Delivered(1, true)
	}
}

// TestGoOn: with a plan a query goes on without being planned; without one it
// begins again, if the client has no rows.
func TestGoOn(t *testing.T) {
	first := newSucceeded(t, 1, nil)
	q, _, err := first.run(t, Resumption{ID: first.NewID(), Request: Request{SQL: onWorkers}})
	if err != nil {
		t.Fatal(err)
	}
	p := first.journal.plan(q.ID())
	encoded, err := plancodec.EncodePlan(p)
	if err != nil {
		t.Fatal(err)
	}
	created := time.Date(2026, 3, 4, 5, 0, 0, 123, time.UTC)
	for _, c := range []struct {
		name    string
		plan    []byte
		version uint32
		rows    int64
		sql     string
		want    *Resume // nil: the rest is lost
	}{
		{"from the plan", encoded, plancodec.Version, 0, onWorkers, &Resume{}},
		{"from the plan, after rows", encoded, plancodec.Version, 40, onWorkers, &Resume{Rows: 40}},
		{"the text is not looked at", encoded, plancodec.Version, 40, "SELECT nationkey FROM nosuch", &Resume{Rows: 40}},
		{"without a plan", nil, 0, 0, onWorkers, &Resume{Replanned: true}},
		{"without a plan, after rows", nil, 0, 1, onWorkers, nil},
		{"from a plan of another release", encoded, plancodec.Version + 1, 0, onWorkers, &Resume{Replanned: true}},
		{"the same after rows", encoded, plancodec.Version + 1, 1, onWorkers, nil},
		{"from a broken plan", []byte("no plan"), plancodec.Version, 0, onWorkers, &Resume{Replanned: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSucceeded(t, 1, nil)
			q, rows, err := s.run(t, Resumption{
				ID: "20260304_050000_00000_other", Begun: true, Created: created, Request: Request{SQL: c.sql}, Plan: c.plan, PlanVersion: c.version, Rows: c.rows,
			})
			info := q.Info()
			if !info.Created.Equal(created) || info.ID != "20260304_050000_00000_other" {
				t.Errorf("%s, created at %s", info.ID, info.Created)
			}
			e := s.cluster.last()
			if c.want == nil {
				if e != nil || err == nil || !qerr.Is(err, qerr.RemoteHostGone) || !qerr.From(err).Retryable {
					t.Errorf("%v, executed %v", err, e != nil)
				}
				return
			}
			if err != nil || rows != 1 || e.Resume == nil || *e.Resume != *c.want || !e.Start.Equal(created) {
				t.Fatalf("%d rows, %v, executed %+v", rows, err, e)
			}
			if got, want := plan.FormatPlan(e.Plan, nil), plan.FormatPlan(p, nil); got != want {
				t.Errorf("the plan is\n%s\nwas\n%s", got, want)
			}
			if columns, err := q.Columns(context.Background()); err != nil || len(columns) != 1 || columns[0].Name != "nationkey" {
				t.Errorf("%v, %v", columns, err)
			}
			if got := info.Stats.OutputRows; got != c.rows+1 {
				t.Errorf("%d rows of the result in all", got)
			}
			if s.journal.plan(q.ID()) == nil {
				t.Error("the plan is not journaled again")
			}
			q.Delivered(c.rows+1, true)
		})
	}
}

// TestNewQueriesResumeNothing: their executions are not told of a predecessor.
func TestNewQueriesResumeNothing(t *testing.T) {
	s := newSucceeded(t, 1, nil)
	q, _, err := s.run(t, Resumption{ID: s.NewID(), Request: Request{SQL: onWorkers}})
	if err != nil || s.cluster.last().Resume != nil {
		t.Errorf("%v, %+v", err, s.cluster.last())
	}
	q.Delivered(1, true)
}

// TestMayRepeat holds each kind of statement to the table in the architecture:
// which run again when the coordinator that ran them is lost.
func TestMayRepeat(t *testing.T) {
	yes := []string{
		"SELECT 1", "VALUES 1", "TABLE tpch.tiny.nation", "SHOW CATALOGS", "SHOW TABLES", "DESCRIBE nation", "EXPLAIN SELECT 1", "EXPLAIN ANALYZE " + onWorkers,
		"USE tpch.tiny", "SET SESSION query_max_run_time = '1h'", "RESET SESSION query_max_run_time", "SET TIME ZONE 'UTC'", "START TRANSACTION",
		"PREPARE p FROM SELECT 1", "EXECUTE p", "EXECUTE IMMEDIATE 'SELECT 1'", "DEALLOCATE PREPARE p", "DESCRIBE INPUT p", "DESCRIBE OUTPUT p",
	}
	no := []string{
		"INSERT INTO memory.s.t SELECT 1", "CREATE TABLE memory.s.t AS SELECT 1", "CREATE TABLE memory.s.t (a bigint)", "DROP TABLE memory.s.t",
		"CREATE SCHEMA memory.s", "DROP SCHEMA memory.s", "EXECUTE IMMEDIATE 'DROP TABLE memory.s.t'",
	}
	s := newSucceeded(t, 1, nil)
	single := newStatements(t)
	for i, sql := range append(slices.Clone(yes), no...) {
		r := Resumption{ID: plan.QueryID(fmt.Sprintf("20260304_050000_%05d_other", i)), Begun: true, Request: Request{SQL: sql, Session: session()}}
		r.Request.Session.Prepared = map[string]string{"p": "SELECT 1"}
		q := s.Resume(r)
		_, err := drain(t, q)
		q.Delivered(1, true)
		refused := err != nil && strings.Contains(err.Error(), "whether it has changed anything is not known")
		if want := i >= len(yes); refused != want || !want && err != nil {
			t.Errorf("%s: %v", sql, err)
		}
		if refused && qerr.From(err).Retryable {
			t.Errorf("%s: a client may run it again by itself", sql)
		}
		// What a process had in its memory is gone with it.
		if _, err := drain(t, single.Resume(r)); err != nil && strings.Contains(err.Error(), "not known") {
			t.Errorf("%s in a single process: %v", sql, err)
		}
	}
}

// TestKeptUntilDelivered: what workers hold of a result stays until the client
// has the end of it, or is known not to come.
func TestKeptUntilDelivered(t *testing.T) {
	for name, end := range map[string]func(*succeeded, Query){
		"delivered": func(_ *succeeded, q Query) { q.Delivered(3, true) },
		"canceled":  func(_ *succeeded, q Query) { q.Cancel(qerr.New(qerr.UserCanceled, "enough")) },
		"gone":      func(s *succeeded, _ Query) { s.clock.Advance(time.Hour) },
		"closed":    func(s *succeeded, _ Query) { s.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSucceeded(t, 3, nil)
			q, rows, err := s.run(t, Resumption{ID: s.NewID(), Request: Request{SQL: onWorkers}})
			if rows != 3 || err != nil {
				t.Fatal(rows, err)
			}
			<-q.Done()
			q.Delivered(3, false)
			if notes := s.cluster.await(t, "delivered 3"); slices.Contains(notes, "closed") {
				t.Fatalf("closed before the client has the end: %q", notes)
			}
			if info := q.Info(); info.State != Finished || info.Error != nil {
				t.Errorf("%s, %v", info.State, info.Error)
			}
			if !s.Running(string(q.ID())) {
				t.Error("workers would be told to forget it")
			}
			end(s, q)
			s.cluster.await(t, "closed")
			<-q.(*activeQuery).gone
			if s.Running(string(q.ID())) {
				t.Error("it is still to be kept")
			}
			if info := q.Info(); info.State != Finished || info.Error != nil {
				t.Errorf("afterwards: %s, %v", info.State, info.Error)
			}
		})
	}
}

// TestNothingIsKept where nobody succeeds, and of queries that failed.
func TestNothingIsKept(t *testing.T) {
	for name, change := range map[string]func(*Deps){
		"no successor": func(d *Deps) { d.Succeeded = false },
		"failed":       func(d *Deps) { d.Cluster.(*watched).fail = qerr.New(qerr.DivisionByZero, "by zero") },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSucceeded(t, 1, change)
			q, _, _ := s.run(t, Resumption{ID: s.NewID(), Request: Request{SQL: onWorkers}})
			<-q.Done()
			s.cluster.await(t, "closed")
		})
	}
}

// TestAbandon: no execution is closed before it was told that a successor goes
// on, and readers are told too.
func TestAbandon(t *testing.T) {
	for name, rows := range map[string]int{"while it runs": 0, "while rows are read": 5, "when all rows are read": 1} {
		t.Run(name, func(t *testing.T) {
			s := newSucceeded(t, rows, nil)
			if rows == 0 {
				s.cluster.hang = make(chan struct{})
			}
			q := s.Resume(Resumption{ID: s.NewID(), Request: Request{SQL: onWorkers, Session: session()}})
			waiting := s.Resume(Resumption{ID: s.NewID(), Request: Request{SQL: onWorkers, Session: session()}})
			if _, err := q.Columns(context.Background()); err != nil {
				t.Fatal(err)
			}
			if rows > 0 {
				if _, err := q.Next(context.Background()); err != nil {
					t.Fatal(err)
				}
				q.Release()
			}
			if rows == 1 {
				<-q.Done()
			}
			s.Abandon()
			_, err := drain(t, waiting)
			if !errors.Is(err, ErrAbandoned) {
				t.Errorf("the reader hears %v", err)
			}
			<-q.Done()
			notes := s.cluster.await(t, "closed")
			if slices.Index(notes, "abandoned") < 0 || slices.Index(notes, "abandoned") > slices.Index(notes, "closed") {
				t.Errorf("%q", notes)
			}
			s.Close()
		})
	}
}

// TestTooLate: a statement whose request was under way when the coordinator was
// abandoned is the successor's, which knows it as well.
func TestTooLate(t *testing.T) {
	s := newSucceeded(t, 1, nil)
	s.Abandon()
	for _, sql := range []string{onWorkers, "SELECT 1", "SHOW CATALOGS"} {
		q := s.Resume(Resumption{ID: s.NewID(), Request: Request{SQL: sql, Session: session()}})
		if _, err := drain(t, q); !errors.Is(err, ErrAbandoned) {
			t.Errorf("%s: the reader hears %v", sql, err)
		}
		<-q.Done()
	}
	if e := s.cluster.last(); e != nil {
		t.Errorf("%s was run", e.Query)
	}
}

// TestHistoryIsBoundedByBytes: the texts of queries may be long.
func TestHistoryIsBoundedByBytes(t *testing.T) {
	c, _ := newTest(t, &fakeExecutor{batches: 1}, Limits{HistoryBytes: 1 << 20, History: 1000})
	text := "SELECT 1 -- " + strings.Repeat("x", 100<<10)
	var first, last Query
	for range 40 {
		last = submit(c, text)
		if first == nil {
			first = last
		}
		if _, err := drain(t, last); err != nil {
			t.Fatal(err)
		}
		<-last.(*activeQuery).gone
	}
	if n := len(c.Queries()); n < 5 || n > 10 {
		t.Errorf("%d queries of 100 KB are remembered in 1 MB", n)
	}
	if _, ok := c.Query(first.ID()); ok {
		t.Error("the oldest is remembered")
	}
	if _, ok := c.Query(last.ID()); !ok {
		t.Error("the newest is not")
	}
	huge := submit(c, "SELECT 1 -- "+strings.Repeat("x", 900<<10)+strings.Repeat("y", 50<<10))
	if _, err := drain(t, huge); err != nil {
		t.Fatal(err)
	}
	<-huge.(*activeQuery).gone
	c.mu.Lock()
	total := c.history
	c.mu.Unlock()
	if n := len(c.Queries()); n > 2 || total > 1<<20 {
		t.Errorf("%d queries, %d bytes", n, total)
	}
}

func TestRecall(t *testing.T) {
	c, _ := newTest(t, &fakeExecutor{}, Limits{History: 3})
	var infos []*QueryInfo
	for i := range 5 {
		infos = append(infos, &QueryInfo{ID: plan.QueryID(fmt.Sprint("q", i)), State: Failed, SQL: "select x", Error: qerr.New(qerr.ColumnNotFound, "x")})
	}
	c.Recall(infos)
	got := c.Queries()
	if len(got) != 3 || got[0].ID != "q4" || got[0].State != Failed || got[0].Error.Code != qerr.ColumnNotFound || got[2].ID != "q2" {
		t.Fatalf("%d queries, first %+v", len(got), got[0])
	}
	q, ok := c.Query("q4")
	if !ok || c.Running("q4") {
		t.Error("it runs, or is not known")
	}
	if _, err := q.Next(context.Background()); !qerr.Is(err, qerr.ColumnNotFound) {
		t.Error(err)
	}
	q.Cancel(qerr.New(qerr.UserCanceled, "too late"))
	if q.Info().Error.Code != qerr.ColumnNotFound {
		t.Error("a query that has ended was canceled")
	}
}

// TestIDsDiffer: a coordinator never gives an id that one before it gave.
func TestIDsDiffer(t *testing.T) {
	c, _ := newTest(t, &fakeExecutor{batches: 1}, Limits{})
	old := c.NewID()
	if _, err := drain(t, c.Resume(Resumption{ID: old, Begun: true, Request: Request{SQL: "SELECT 1"}})); err != nil {
		t.Fatal(err)
	}
	suffix := func(id plan.QueryID) string { return string(id)[strings.LastIndex(string(id), "_"):] }
	if suffix(c.NewID()) == suffix(old) {
		t.Error("two coordinators give ids with the same suffix")
	}
}

// TestResumedIsNotRefused: it was accepted once.
func TestResumedIsNotRefused(t *testing.T) {
	hang := make(chan struct{})
	c, _ := newTest(t, &fakeExecutor{batches: 1, hang: hang}, Limits{MaxRunning: 1, MaxQueued: 1})
	running := submit(c, "SELECT 1")
	if _, err := running.Columns(context.Background()); err != nil {
		t.Fatal(err)
	}
	queued := submit(c, "SELECT 2")
	for deadline := time.Now().Add(10 * time.Second); queued.Info().QueuePosition != 1; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not queued")
		}
	}
	if _, err := drain(t, submit(c, "SELECT 3")); !qerr.Is(err, qerr.QueryQueueFull) {
		t.Fatal(err)
	}
	resumed := c.Resume(Resumption{ID: "20260304_050000_00000_other", Begun: true, Request: Request{SQL: "SELECT 4", Session: Session{User: "ann"}}})
	close(hang)
	for _, q := range []Query{running, queued, resumed} {
		if _, err := drain(t, q); err != nil {
			t.Error(err)
		}
	}
}

// TestGoOnWithItsCatalogs: a query that goes on sees the catalogs of its plan,
// not those that have taken their names; one that is not known any more ends it.
func TestGoOnWithItsCatalogs(t *testing.T) {
	made := map[string]*named{}
	catalogs := NewCatalogs()
	catalogs.Follow(4, []CatalogEntry{entry("a", 4, "a4", made), entry("b", 2, "b2", made)})
	catalogs.Follow(6, []CatalogEntry{entry("a", 6, "a6", made)})
	s := newSucceeded(t, 1, func(d *Deps) { d.Catalogs = catalogs })
	q, _, err := s.run(t, Resumption{ID: s.NewID(), Request: Request{SQL: onWorkers}})
	if err != nil {
		t.Fatal(err)
	}
	if e := s.cluster.last(); e.Catalogs.Generation() != 6 || s.journal.generation(q.ID()) != 6 {
		t.Errorf("a new query sees generation %d, and %d is written down", e.Catalogs.Generation(), s.journal.generation(q.ID()))
	}
	q.Delivered(1, true)
	encoded, err := plancodec.EncodePlan(s.journal.plan(q.ID()))
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		plan       []byte
		generation uint64
		at         uint64
		a, b       string
	}{
		{encoded, 5, 5, "a4", "b2"}, {encoded, 4, 4, "a4", "b2"}, {encoded, 3, 3, "", "b2"}, {encoded, 6, 6, "a6", ""},
		{encoded, 0, 6, "a6", ""}, // written by an older release
		{nil, 5, 6, "a6", ""},     // planned anew
	} {
		id := plan.QueryID(fmt.Sprintf("20260304_050000_0000%d_other", i))
		var seen []string
		s.cluster.begins = func(e *Execution) { // while the query has its view
			for _, name := range []string{"a", "b"} {
				conn, err := e.Catalogs.Connector(context.Background(), name)
				switch n, ok := conn.(*named); {
				case ok && !n.closed:
					seen = append(seen, n.schema)
				case qerr.Is(err, qerr.CatalogNotFound) && strings.Contains(err.Error(), "'"+name+"'"):
					seen = append(seen, "")
				default:
					seen = append(seen, fmt.Sprint(conn, err))
				}
			}
		}
		q, _, err := s.run(t, Resumption{
			ID: id, Begun: true, Request: Request{SQL: onWorkers}, Plan: c.plan, PlanVersion: plancodec.Version, Catalogs: c.generation,
		})
		if err != nil {
			t.Fatal(err)
		}
		if e := s.cluster.last(); e.Catalogs.Generation() != c.at || !slices.Equal(seen, []string{c.a, c.b}) {
			t.Errorf("plan of generation %d: sees %d, %q; want %d, %q %q", c.generation, e.Catalogs.Generation(), seen, c.at, c.a, c.b)
		}
		if got := s.journal.generation(id); got != c.at { // for the next coordinator
			t.Errorf("plan of generation %d: %d is written down", c.generation, got)
		}
		q.Delivered(1, true)
	}
}
