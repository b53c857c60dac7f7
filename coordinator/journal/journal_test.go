package journal_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tuttidb/tutti/coordinator"
	"github.com/tuttidb/tutti/coordinator/journal"
	"github.com/tuttidb/tutti/coordinator/journal/journaltest"
	"github.com/tuttidb/tutti/coordinator/meta"
	"github.com/tuttidb/tutti/internal/clock"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/planner/plancodec"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// reign is a journal over a cluster, in an epoch of its own.
func reign(t *testing.T, c *journaltest.Cluster, alone bool) (*journal.Journal, []*journal.Entry) {
	t.Helper()
	epoch, remembered := c.Lead()
	j, err := journal.New(journal.Config{
		Memory: c, Epoch: epoch, Alone: alone, Keep: time.Minute, ClientTimeout: 5 * time.Minute, Clock: clock.System{}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(j.Close)
	return j, read(t, c, remembered)
}

func read(t *testing.T, c *journaltest.Cluster, remembered []*pb.MetaMemory) []*journal.Entry {
	t.Helper()
	var log *meta.State
	if c.Log != nil {
		log = c.Log.State()
	}
	entries, err := journal.Read(remembered, log)
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

// withLog gives a cluster a log: a node without peers or a disk.
func withLog(t *testing.T) *journaltest.Cluster {
	t.Helper()
	n, err := meta.Open(meta.Config{ID: "alone", Log: slog.New(slog.DiscardHandler), Clock: clock.System{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() }) // in memory only
	return &journaltest.Cluster{Log: n}
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// until waits for something that is done in the background.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not within 20 s: " + what)
		}
	}
}

// statement is one that was accepted some time ago.
func statement(id string, ago time.Duration) *journal.Statement {
	return &journal.Statement{
		ID: plan.QueryID(id), Slug: "slug-" + id, Created: time.Now().Add(-ago), Encodings: []string{"json"},
		Request: coordinator.Request{SQL: "select '" + id + "'", Session: coordinator.Session{User: "ann"}},
	}
}

func accept(t *testing.T, j *journal.Journal, st *journal.Statement) {
	t.Helper()
	if err := j.Accept(within(t, 5*time.Second), st); err != nil {
		t.Fatal(err)
	}
}

func show(t *testing.T, j *journal.Journal, id string, p *journal.Page) {
	t.Helper()
	p.Body = fmt.Appendf(nil, "page %d of %s", p.Token, id)
	if err := j.Page(within(t, 5*time.Second), plan.QueryID(id), p); err != nil {
		t.Fatal(err)
	}
}

func emptyPlan() *plan.Plan {
	return &plan.Plan{Fragments: []*plan.Fragment{{Root: &plan.Values{}}}}
}

func only(t *testing.T, entries []*journal.Entry) *journal.Entry {
	t.Helper()
	if len(entries) != 1 {
		t.Fatalf("%d entries", len(entries))
	}
	return entries[0]
}

// TestSuccessorReads goes through a query's life and looks at each point what
// a successor would know.
func TestSuccessorReads(t *testing.T) {
	c := &journaltest.Cluster{}
	j, none := reign(t, c, false)
	if len(none) != 0 {
		t.Fatal(none)
	}
	accept(t, j, statement("q", 0))
	j, entries := reign(t, c, false)
	e := only(t, entries)
	if e.ID != "q" || e.Slug != "slug-q" || !e.Known || e.Request.SQL != "select 'q'" || e.Request.Session.User != "ann" || e.Page != nil || e.Unsure || e.Logged {
		t.Fatalf("accepted: %+v", e)
	}
	j.Restore(entries)
	j.Planned("q", emptyPlan(), 7)
	show(t, j, "q", &journal.Page{Token: 1, Header: http.Header{"X-A": {"b"}}, Rows: 10})
	j, entries = reign(t, c, false)
	e = only(t, entries)
	if e.Page == nil || string(e.Page.Body) != "page 1 of q" || e.Page.Rows != 10 || e.Page.Header.Get("X-A") != "b" || !e.Known {
		t.Fatalf("a page shown: %+v", e)
	}
	if p, err := plancodec.DecodePlan(e.PlanVersion, e.Plan); err != nil || len(p.Fragments) != 1 {
		t.Fatalf("the plan, which must be there before a page is: %v", err)
	}
	j.Restore(entries)
	show(t, j, "q", &journal.Page{Token: 2, Rows: 12, Last: true})
	if got := c.Keys(); !slices.Equal(got, []string{"page/q"}) {
		t.Fatalf("after the last page %q is remembered", got)
	}
	j.End("q", nil)
	j, entries = reign(t, c, false)
	if e = only(t, entries); !e.Page.Last || e.Known || e.Slug != "slug-q" || e.Failure != nil {
		t.Fatalf("the last page shown: %+v", e)
	}
	j.Restore(entries)
	j.Forget("q")
	until(t, "nothing is remembered", func() bool { return len(c.Keys()) == 0 })
}

// TestFail: an end that the client has not been shown survives, beside the page
// that it has been.
func TestFail(t *testing.T) {
	for _, pages := range []int64{0, 1} {
		c := &journaltest.Cluster{}
		j, _ := reign(t, c, false)
		accept(t, j, statement("q", 0))
		if pages > 0 {
			show(t, j, "q", &journal.Page{Token: pages, Rows: 7})
		}
		if err := j.Fail(within(t, time.Second), "q", qerr.New(qerr.AdministrativelyKilled, "enough")); err != nil {
			t.Fatal(err)
		}
		_, entries := reign(t, c, false)
		e := only(t, entries)
		if e.Failure == nil || e.Failure.Code != qerr.AdministrativelyKilled || e.Failure.Message != "enough" || (e.Page != nil) != (pages > 0) {
			t.Fatalf("after %d pages: %+v", pages, e)
		}
		if pages > 0 && (e.Page.Last || string(e.Page.Body) != "page 1 of q" || e.Page.Rows != 7) {
			t.Fatalf("%+v", e.Page)
		}
	}
	c := &journaltest.Cluster{}
	j, _ := reign(t, c, false)
	accept(t, j, statement("q", 0))
	show(t, j, "q", &journal.Page{Token: 1, Last: true})
	if err := j.Fail(within(t, time.Second), "q", qerr.New(qerr.UserCanceled, "too late")); err != nil {
		t.Fatal(err)
	}
	if _, entries := reign(t, c, false); only(t, entries).Failure != nil || !entries[0].Page.Last {
		t.Fatal("a canceled query has lost its last page")
	}
}

func TestErrors(t *testing.T) {
	c := &journaltest.Cluster{}
	old, _ := reign(t, c, false)
	accept(t, old, statement("q", 0))
	j, entries := reign(t, c, false)
	j.Restore(entries)
	if err := old.Accept(within(t, time.Second), statement("p", 0)); !errors.Is(err, meta.ErrFenced) {
		t.Errorf("in an epoch that is over: %v", err)
	}
	if err := old.Page(within(t, time.Second), "q", &journal.Page{Token: 1}); !errors.Is(err, meta.ErrFenced) {
		t.Errorf("in an epoch that is over: %v", err)
	}
	broken := errors.New("no majority")
	c.Fail(func(string) error { return broken })
	if err := j.Accept(within(t, time.Second), statement("p", 0)); !errors.Is(err, broken) {
		t.Errorf("without a majority: %v", err)
	}
	c.Fail(func(string) error { <-time.After(time.Millisecond); return context.Canceled })
	j.Close()
	if err := j.Page(within(t, time.Second), "q", &journal.Page{Token: 1}); err == nil || err.Error() != "the journal is closed" {
		t.Errorf("after Close: %v", err)
	}
}

// TestPlanIsTriedAgain: no page is shown before the plan is remembered.
func TestPlanIsTriedAgain(t *testing.T) {
	c := &journaltest.Cluster{}
	j, _ := reign(t, c, false)
	accept(t, j, statement("q", 0))
	broken := errors.New("no majority")
	c.Fail(func(what string) error {
		if strings.HasPrefix(what, "remember plan/") {
			return broken
		}
		return nil
	})
	j.Planned("q", emptyPlan(), 7)
	for range 2 {
		if err := j.Page(within(t, time.Second), "q", &journal.Page{Token: 1}); !errors.Is(err, broken) {
			t.Fatalf("a page without a plan: %v", err)
		}
	}
	c.Fail(nil)
	show(t, j, "q", &journal.Page{Token: 1})
	if got := strings.Join(c.Keys(), " "); got != "page/q plan/q query/q" {
		t.Fatal(got)
	}
}

// TestLog: what is older than a second goes into the log, many at a time, and
// nothing younger does.
func TestLog(t *testing.T) {
	c := withLog(t)
	j, _ := reign(t, c, false)
	accept(t, j, statement("young", -time.Hour))
	for i := range 300 {
		accept(t, j, statement(fmt.Sprintf("q%03d", i), time.Minute))
	}
	until(t, "all are logged", func() bool { all, _ := c.Log.State().Len(); return all == 300 })
	if n := len(slices.DeleteFunc(c.Calls(), func(s string) bool { return s != "apply" })); n > 30 {
		t.Errorf("%d entries of the log for 300 queries", n)
	}
	j.Planned("q000", emptyPlan(), 7)
	until(t, "the plan is logged", func() bool {
		return c.Log.State().Query("q000").State == pb.MetaQueryState_META_QUERY_STATE_PLANNED
	})
	c.Lose() // all coordinators at once
	_, entries := reign(t, c, false)
	if len(entries) != 300 {
		t.Fatalf("%d entries", len(entries))
	}
	for i, e := range entries {
		if !e.Known || !e.Unsure || !e.Logged || e.Ended != nil || e.Request.SQL != "select '"+string(e.ID)+"'" || (e.Plan != nil) != (i == 0) {
			t.Fatalf("%+v", e)
		}
	}
}

// TestEndIsLogged: also of queries that were forgotten while they were being
// logged, or by a successor.
func TestEndIsLogged(t *testing.T) {
	c := withLog(t)
	j, _ := reign(t, c, false)
	for _, id := range []string{"done", "failed", "canceled", "forgotten", "left"} {
		accept(t, j, statement(id, time.Minute))
	}
	until(t, "all are logged", func() bool { all, _ := c.Log.State().Len(); return all == 5 })
	show(t, j, "done", &journal.Page{Token: 1, Last: true})
	j.End("done", nil)
	j.End("failed", qerr.New(qerr.DivisionByZero, "by zero"))
	j.End("canceled", qerr.New(qerr.UserCanceled, "Query was canceled"))
	j.Forget("forgotten")
	until(t, "four have ended", func() bool { _, ended := c.Log.State().Len(); return ended == 4 })

	j, entries := reign(t, c, false)
	j.Restore(entries)
	want := map[plan.QueryID]string{"done": "", "failed": "DIVISION_BY_ZERO", "canceled": "USER_CANCELED", "forgotten": "ABANDONED_QUERY"}
	for _, e := range entries {
		if e.ID == "left" {
			if e.Ended != nil || !e.Known {
				t.Errorf("left: %+v", e)
			}
			continue
		}
		name, ok := want[e.ID]
		delete(want, e.ID)
		got := ""
		if e.Ended != nil && e.Ended.Error != nil {
			got = e.Ended.Error.Code.Name
		}
		if !ok || e.Ended == nil || got != name || e.Ended.SQL != "select '"+string(e.ID)+"'" || e.Ended.Session.User != "ann" || e.Ended.Created.IsZero() {
			t.Errorf("%s ended as %+v", e.ID, e.Ended)
		}
	}
	if len(want) != 0 {
		t.Errorf("missing: %v", want)
	}
	j.Forget("left")
	until(t, "the last has ended", func() bool { _, ended := c.Log.State().Len(); return ended == 5 })
	until(t, "only the page is remembered", func() bool { return !slices.Contains(c.Keys(), "query/left") })
}

// TestForgottenWhileLogged plants the race: the log answers after the query was
// forgotten, and must hear of its end all the same.
func TestForgottenWhileLogged(t *testing.T) {
	for _, outcome := range []string{"made", "unknown"} {
		t.Run(outcome, func(t *testing.T) {
			c := withLog(t)
			j, _ := reign(t, c, false)
			reached, goOn := make(chan struct{}), make(chan struct{})
			first := true
			c.Fail(func(what string) error {
				if what != "apply" || !first {
					return nil
				}
				first = false
				close(reached)
				<-goOn
				if outcome == "made" {
					return nil
				}
				m, err := journalCommand("q")
				if err == nil {
					_, err = c.Log.Apply(context.Background(), m)
				}
				return errors.Join(err, meta.ErrUnknown) // made, but nobody heard
			})
			accept(t, j, statement("q", time.Minute))
			<-reached
			j.End("q", nil)
			j.Forget("q")
			close(goOn)
			until(t, "the query has ended in the log", func() bool { _, ended := c.Log.State().Len(); return ended == 1 })
		})
	}
}

func journalCommand(id string) (meta.Command, error) {
	return meta.AcceptQuery(&pb.MetaQuery{Id: id}), nil
}

// TestOneRefusalHurtsNoOther: a batch is all or nothing, so one that the log
// has already must not keep the others out.
func TestOneRefusalHurtsNoOther(t *testing.T) {
	c := withLog(t)
	j, _ := reign(t, c, false)
	if _, err := c.Log.Apply(within(t, 5*time.Second), meta.AcceptQuery(&pb.MetaQuery{Id: "q1"})); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		accept(t, j, statement(fmt.Sprint("q", i), time.Minute))
	}
	until(t, "the others are logged", func() bool { all, _ := c.Log.State().Len(); return all == 3 })
	for i := range 3 {
		j.End(plan.QueryID(fmt.Sprint("q", i)), nil)
	}
	until(t, "all have ended", func() bool { _, ended := c.Log.State().Len(); return ended == 3 })
}

// TestAlone: a coordinator without others remembers nothing, and logs what is old.
func TestAlone(t *testing.T) {
	c := withLog(t)
	j, _ := reign(t, c, true)
	accept(t, j, statement("young", -time.Hour))
	accept(t, j, statement("old", time.Minute))
	j.Planned("old", emptyPlan(), 7)
	show(t, j, "old", &journal.Page{Token: 1, Rows: 1})
	if err := j.Fail(within(t, time.Second), "old", qerr.New(qerr.UserCanceled, "x")); err != nil {
		t.Fatal(err)
	}
	until(t, "the old one is logged", func() bool { all, _ := c.Log.State().Len(); return all == 1 })
	j.End("young", nil)
	j.End("old", nil)
	if err := j.Flush(within(t, 10*time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, ended := c.Log.State().Len(); ended != 1 {
		t.Error("it has not ended in the log")
	}
	if got := slices.DeleteFunc(c.Calls(), func(s string) bool { return s == "apply" }); len(got) != 0 || len(c.Keys()) != 0 {
		t.Errorf("asked to %q", got)
	}
	if j.Remembers() {
		t.Error("alone, but pages are remembered")
	}
}

// TestNil: no journal does nothing.
func TestNil(t *testing.T) {
	var j *journal.Journal
	ctx := context.Background()
	if err := errors.Join(j.Accept(ctx, statement("q", 0)), j.Page(ctx, "q", &journal.Page{}), j.Fail(ctx, "q", nil)); err != nil || j.Remembers() {
		t.Fatal(err)
	}
	j.Planned("q", nil, 0)
	j.End("q", nil)
	j.Forget("q")
	j.Restore(nil)
	j.Close()
}

// TestPagesShrink: when many large pages are remembered, the next are smaller.
func TestPagesShrink(t *testing.T) {
	c := &journaltest.Cluster{}
	j, _ := reign(t, c, false)
	usual := j.PageLimit()
	var noise strings.Builder
	for i := range 400_000 {
		fmt.Fprintf(&noise, "%x", i*2654435761)
	}
	for i := range 12 {
		id := fmt.Sprint("q", i)
		accept(t, j, statement(id, 0))
		if err := j.Page(within(t, 5*time.Second), plan.QueryID(id), &journal.Page{Token: 1, Body: []byte(noise.String())}); err != nil {
			t.Fatal(err)
		}
	}
	if got := j.PageLimit(); got >= usual {
		t.Errorf("pages of %d bytes with much remembered, %d with nothing", got, usual)
	}
	for i := range 12 {
		j.Forget(plan.QueryID(fmt.Sprint("q", i)))
	}
	if got := j.PageLimit(); got != usual {
		t.Errorf("pages of %d bytes when all is forgotten, %d before", got, usual)
	}
}
