package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tuttidb/tutti/coordinator"
	"github.com/tuttidb/tutti/coordinator/journal"
	"github.com/tuttidb/tutti/internal/clock"
	"github.com/tuttidb/tutti/planner/plan"
)

// small makes many pages of few rows.
var small = Limits{PageBytes: 3000, MaxPageBytes: 6000, LongPoll: 100 * time.Millisecond, Linger: time.Millisecond, Hold: 5 * time.Second}

var takeoverStatements = []string{"rows 0", "rows 1", "rows 9000", "effects", "insert 7", "error", "latefail", "local 1"}

// TestReplayAtEveryToken loses the leader after each page of each kind of
// result. The successor gives the same bytes for the token asked for last, and
// then the rest, as if nothing had been.
func TestReplayAtEveryToken(t *testing.T) {
	for _, sql := range takeoverStatements {
		for _, encoding := range []string{"", "json", "json+zstd"} {
			t.Run(sql+" "+encoding, func(t *testing.T) {
				want, pages := undisturbed(t, sql, encoding)
				for at := range pages + 1 {
					disturbed(t, sql, encoding, at, want)
				}
			})
		}
	}
}

// undisturbed runs a statement, and returns how many pages it took.
func undisturbed(t *testing.T, sql, encoding string) (*outcome, int) {
	c := newChain(t, small)
	o, pages := &outcome{}, 0
	for uri := c.ask("POST", "/v1/statement", sql, encoding).page.NextURI; uri != ""; pages++ {
		a := c.ask("GET", uri, "", "")
		o.add(t, a)
		uri = a.page.NextURI
	}
	return o, pages
}

// disturbed runs a statement and loses the leader after a page, 0 for none.
func disturbed(t *testing.T, sql, encoding string, at int, want *outcome) {
	t.Helper()
	c := newChain(t, small)
	o := &outcome{}
	uri := c.ask("POST", "/v1/statement", sql, encoding).page.NextURI
	if at == 0 {
		c.takeover()
	}
	for page := 1; uri != ""; page++ {
		a := c.ask("GET", uri, "", "")
		o.add(t, a)
		if page == at {
			c.takeover()
			if err := a.same(c.ask("GET", uri, "", "")); err != nil {
				t.Errorf("page %d asked for again: %v", page, err)
			}
			if resp := c.ask("HEAD", uri, "", ""); resp.code != http.StatusOK {
				t.Errorf("HEAD after a takeover: %d", resp.code)
			}
		}
		uri = a.page.NextURI
	}
	if err := want.same(o); err != nil {
		t.Errorf("undisturbed and with a takeover after page %d: %v", at, err)
	}
}

// TestLostAnswers: what the old leader has written down counts, whether or not
// anybody got the answer.
func TestLostAnswers(t *testing.T) {
	t.Run("of a POST", func(t *testing.T) {
		c := newChain(t, small)
		uri := c.ask("POST", "/v1/statement", "rows 5000", "").page.NextURI // the client would not know it
		l := c.takeover()
		if n := len(l.engine.queries); n != 1 || !l.engine.queries[0].from.Begun {
			t.Fatalf("%d queries go on", n)
		}
		if a := c.ask("GET", uri, "", ""); len(a.rows(t, 0)) == 0 {
			t.Error("no rows")
		}
	})
	t.Run("of a page", func(t *testing.T) {
		c := newChain(t, small)
		uri := c.ask("POST", "/v1/statement", "rows 5000", "json").page.NextURI
		first := c.ask("GET", uri, "", "")
		lost := c.ask("GET", first.page.NextURI, "", "")
		c.takeover()
		again := c.ask("GET", first.page.NextURI, "", "")
		if err := lost.same(again); err != nil {
			t.Error(err)
		}
		if a := c.ask("GET", uri, "", ""); a.code != http.StatusGone {
			t.Errorf("the page before: %d", a.code)
		}
		if a := c.ask("GET", strings.TrimSuffix(lost.page.NextURI, "3")+"4", "", ""); a.code != http.StatusGone {
			t.Errorf("a page too far: %d", a.code)
		}
		// The page after what the client has, and the next: nothing is doubled.
		n := len(first.rows(t, 0))
		m := len(again.rows(t, n))
		if next := c.ask("GET", again.page.NextURI, "", "").rows(t, n+m); next[0] != fmt.Sprint(n+m) {
			t.Errorf("after %d rows comes row %s", n+m, next[0])
		}
	})
}

// TestRestIsLost: a result that cannot go on says so, and that the query may be
// run again; what was shown can still be asked for.
func TestRestIsLost(t *testing.T) {
	c := newChain(t, small)
	first := c.ask("GET", c.ask("POST", "/v1/statement", "local 9000", "").page.NextURI, "", "")
	c.takeover()
	a := c.ask("GET", first.page.NextURI, "", "")
	if a.page.Error == nil || a.page.Error.ErrorName != "REMOTE_HOST_GONE" || a.page.NextURI != "" {
		t.Fatalf("%+v", a.page)
	}
	c.takeover()
	if err := a.same(c.ask("GET", first.page.NextURI, "", "")); err != nil {
		t.Error(err)
	}
}

// TestJournalRefuses: a page that nobody remembers is not shown; the request
// waits, and when it has waited long enough the client is asked to come back.
func TestJournalRefuses(t *testing.T) {
	limits := small
	limits.Hold = 60 * time.Millisecond
	c := newChain(t, limits)
	broken := errors.New("no majority answers")
	refuse := func(prefix string) {
		c.cluster.Fail(func(what string) error {
			if strings.HasPrefix(what, prefix) {
				return broken
			}
			return nil
		})
	}
	refuse("remember query/")
	a := c.ask("POST", "/v1/statement", "rows 3", "")
	if a.code != http.StatusServiceUnavailable || a.header.Get("Retry-After") != "1" || !strings.Contains(a.body, broken.Error()) {
		t.Fatalf("%d %v %q", a.code, a.header, a.body)
	}
	if l, _ := c.current(); len(l.engine.queries) != 0 || len(l.results) != 0 {
		t.Fatal("a query that nobody remembers was started")
	}
	c.cluster.Fail(nil)
	o, uri := &outcome{}, c.ask("POST", "/v1/statement", "rows 9000", "json").page.NextURI
	for page := 1; uri != ""; page++ {
		if page == 2 {
			refuse("remember page/")
			for range 2 {
				if a := c.ask("GET", uri, "", ""); a.code != http.StatusServiceUnavailable || a.header.Get("Retry-After") != "1" {
					t.Fatalf("%d %q", a.code, a.body)
				}
			}
			c.cluster.Fail(nil)
		}
		a := c.ask("GET", uri, "", "")
		o.add(t, a)
		uri = a.page.NextURI
	}
	if len(o.rows) != 9000 || o.rows[8999] != "8999" {
		t.Errorf("%d rows", len(o.rows))
	}
}

// TestRequestsAreHeld: when it fails for a moment only, clients do not notice.
func TestRequestsAreHeld(t *testing.T) {
	c := newChain(t, small)
	fail := func() {
		fails := 3
		c.cluster.Fail(func(string) error {
			if fails--; fails > 0 {
				return errors.New("no majority answers")
			}
			return nil
		})
	}
	fail()
	a := c.ask("POST", "/v1/statement", "rows 3000", "")
	for n := 0; a.page.NextURI != ""; {
		fail()
		if a = c.ask("GET", a.page.NextURI, "", ""); a.code != http.StatusOK {
			t.Fatalf("%d %s", a.code, a.body)
		}
		if n += len(a.rows(t, n)); a.page.NextURI == "" && n != 3000 {
			t.Errorf("%d rows", n)
		}
	}
}

// TestDeposed: who is superseded without knowing it shows nothing; its requests
// wait and are answered by the successor.
func TestDeposed(t *testing.T) {
	c := newChain(t, small)
	first := c.ask("GET", c.ask("POST", "/v1/statement", "rows 5000", "").page.NextURI, "", "")
	old, _ := c.current()
	c.cluster.Lead()
	got := make(chan *answer)
	go func() { got <- old.ask(t, "GET", first.page.NextURI, "", "") }()
	go func() { got <- old.ask(t, "POST", "/v1/statement", "rows 1", "") }()
	select {
	case a := <-got:
		t.Fatalf("a deposed server answers %d", a.code)
	case <-time.After(100 * time.Millisecond):
	}
	c.takeover()
	for range 2 {
		if a := <-got; a != nil {
			t.Errorf("an abandoned server answers %d %q", a.code, a.body)
		}
	}
	if a := old.ask(t, "GET", "/v1/query", "", ""); a != nil {
		t.Errorf("an abandoned server answers %d", a.code)
	}
	w := httptest.NewRecorder()
	old.ServeHTTP(w, httptest.NewRequest("GET", "/v1/info", nil))
	if w.Code != http.StatusOK && w.Code != http.StatusServiceUnavailable {
		t.Errorf("%d", w.Code)
	}
	if n := len(c.ask("GET", first.page.NextURI, "", "").rows(t, 0)); n == 0 {
		t.Error("no rows from the successor")
	}
}

// TestAbandonReturnsAtOnce: a request that waits for rows is left unanswered.
func TestAbandonReturnsAtOnce(t *testing.T) {
	limits := small
	limits.LongPoll = time.Minute
	c := newChain(t, limits)
	uri := c.ask("POST", "/v1/statement", "never", "").page.NextURI
	l, _ := c.current()
	got := make(chan *answer)
	go func() { got <- l.ask(t, "GET", uri, "", "") }()
	time.Sleep(20 * time.Millisecond) // so that it likely waits; it must not matter
	begin := time.Now()
	l.abandon()
	if a := <-got; a != nil || time.Since(begin) > 5*time.Second {
		t.Errorf("%v after %s", a, time.Since(begin))
	}
}

// TestCancelBeforeAndAfter: a canceled query is not run by a successor, which
// takes the DELETE again.
func TestCancelBeforeAndAfter(t *testing.T) {
	for _, pages := range []int{0, 1} {
		c := newChain(t, small)
		uri := c.ask("POST", "/v1/statement", "endless", "").page.NextURI
		for range pages {
			uri = c.ask("GET", uri, "", "").page.NextURI
		}
		if a := c.ask("DELETE", uri, "", ""); a.code != http.StatusNoContent {
			t.Fatal(a.code)
		}
		l := c.takeover()
		for _, q := range l.engine.queries {
			if q.from.Begun {
				t.Errorf("after %d pages: a canceled query goes on", pages)
			}
		}
		if a := c.ask("DELETE", uri, "", ""); a.code != http.StatusNoContent {
			t.Errorf("DELETE again: %d", a.code)
		}
		if a := c.ask("GET", uri, "", ""); a.page.Error == nil || a.page.Error.ErrorName != "USER_CANCELED" {
			t.Errorf("%d %s", a.code, a.body)
		}
	}
	c := newChain(t, small) // after the takeover
	uri := c.ask("POST", "/v1/statement", "endless", "").page.NextURI
	uri = c.ask("GET", uri, "", "").page.NextURI
	l := c.takeover()
	for range 2 {
		if a := c.ask("DELETE", uri, "", ""); a.code != http.StatusNoContent {
			t.Fatal(a.code)
		}
	}
	<-l.engine.last().Done()
	// A finished result takes a DELETE too, also when it was restored.
	done := c.ask("POST", "/v1/statement", "rows 1", "").page.NextURI
	for next := done; next != ""; {
		done, next = next, c.ask("GET", next, "", "").page.NextURI
	}
	c.takeover()
	for range 2 {
		if a := c.ask("DELETE", done, "", ""); a.code != http.StatusNoContent {
			t.Error(a.code)
		}
	}
}

// TestKillIsRemembered: so does a query that an administrator ended, whose
// client hears of it from the successor.
func TestKillIsRemembered(t *testing.T) {
	c := newChain(t, small)
	post := c.ask("POST", "/v1/statement", "endless", "")
	uri := c.ask("GET", post.page.NextURI, "", "").page.NextURI
	if a := c.ask("PUT", "/v1/query/"+post.page.ID+"/killed", "enough", ""); a.code != http.StatusAccepted {
		t.Fatal(a.code, a.body)
	}
	c.takeover()
	if a := c.ask("GET", uri, "", ""); a.page.Error == nil || !strings.Contains(a.page.Error.Message, "enough") {
		t.Errorf("%d %s", a.code, a.body)
	}
	if a := c.ask("GET", "/v1/query/"+post.page.ID, "", ""); a.code != http.StatusOK || !strings.Contains(a.body, "enough") {
		t.Errorf("the history: %d %s", a.code, a.body)
	}
}

// TestAllAreLost: after the loss of all memories only the log is left. A client
// that has seen no rows has lost nothing, whatever token it is at.
func TestAllAreLost(t *testing.T) {
	c := newChain(t, small)
	entry := func(slug string) *journal.Entry {
		return &journal.Entry{Known: true, Unsure: true, Logged: true, Statement: journal.Statement{
			ID: "q_1", Slug: slug, Request: coordinator.Request{SQL: "rows 3"},
		}}
	}
	for path, want := range map[string]int{"queued/q_1/s/1": 3, "queued/q_1/s/77": 3, "executing/q_1/s/2": 0} {
		c.cluster.Lose()
		l := c.takeoverFrom([]*journal.Entry{entry("s")})
		for deadline := time.Now().Add(10 * time.Second); want == 0; time.Sleep(time.Millisecond) { // the query ends first
			l.mu.Lock()
			r := l.results["q_1"]
			l.mu.Unlock()
			r.mu.Lock()
			ended := r.ended
			r.mu.Unlock()
			if ended || time.Now().After(deadline) {
				break
			}
		}
		a := c.ask("GET", "/v1/statement/"+path, "", "")
		if n := len(a.rows(t, 0)); n != want || (a.page.Error != nil) != (want == 0) {
			t.Errorf("%s: %d rows, %d %s", path, n, a.code, a.body)
		}
		if e := a.page.Error; e != nil && e.ErrorName != "REMOTE_HOST_GONE" {
			t.Errorf("%+v", e)
		}
		if err := a.same(c.ask("GET", "/v1/statement/"+path, "", "")); err != nil {
			t.Errorf("%s asked for again: %v", path, err)
		}
	}
}

// TestURITellsOfRows: it is under "queued" until rows have been shown.
func TestURITellsOfRows(t *testing.T) {
	c := newChain(t, small)
	for sql, want := range map[string]string{"never": "queued", "endless": "executing"} {
		uri := c.ask("POST", "/v1/statement", sql, "").page.NextURI
		for range 3 {
			uri = c.ask("GET", uri, "", "").page.NextURI
		}
		if !strings.Contains(uri, "/v1/statement/"+want+"/") {
			t.Errorf("%s: %s", sql, uri)
		}
	}
}

// TestDeliveredWhenWritten: what workers keep is let go after the page is
// remembered, and not before.
func TestDeliveredWhenWritten(t *testing.T) {
	c := newChain(t, small)
	uri := c.ask("POST", "/v1/statement", "rows 9000", "").page.NextURI
	l, _ := c.current()
	q, n := l.engine.last(), 0
	for uri != "" {
		ahead := false
		c.cluster.Fail(func(what string) error {
			q.mu.Lock()
			defer q.mu.Unlock()
			ahead = ahead || strings.Contains(what, " page/") && (q.shown > int64(n) || q.settled)
			return nil
		})
		a := c.ask("GET", uri, "", "")
		n += len(a.rows(t, n))
		uri = a.page.NextURI
		q.mu.Lock()
		if ahead || q.shown != int64(n) || q.settled != (uri == "") {
			t.Fatalf("after %d rows: delivered %d, settled %v, before it was written %v", n, q.shown, q.settled, ahead)
		}
		q.mu.Unlock()
	}
}

// TestWidePagesAreBounded: whatever the width of rows, a page is of a size that
// can be remembered.
func TestWidePagesAreBounded(t *testing.T) {
	c := newChain(t, Limits{LongPoll: 100 * time.Millisecond, Linger: time.Millisecond, PageBytes: 1 << 20})
	uri := c.ask("POST", "/v1/statement", "wide 20000", "").page.NextURI
	n := 0
	for uri != "" {
		a := c.ask("GET", uri, "", "")
		if len(a.body) > 5<<20 {
			t.Errorf("a page of %d bytes", len(a.body))
		}
		n += len(a.rows(t, n))
		uri = a.page.NextURI
	}
	if n != 20000 {
		t.Errorf("%d rows", n)
	}
}

// TestMetricsGoOn: counts are the process's, and outlive a server.
func TestMetricsGoOn(t *testing.T) {
	registry := prometheus.NewRegistry()
	for i := range 3 {
		s, err := New(Config{Engine: &fakeEngine{}, Log: slog.New(slog.DiscardHandler), Clock: clock.System{}, Registerer: registry, Gatherer: registry})
		if err != nil {
			t.Fatal(err)
		}
		s.metrics.submitted.Inc()
		if _, err := New(Config{Engine: &fakeEngine{}, Log: slog.New(slog.DiscardHandler), Clock: clock.System{}, Registerer: registry}); err == nil {
			t.Error("two servers at once")
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		if want := fmt.Sprintf("tutti_statements_total %d\n", i+1); !strings.Contains(w.Body.String(), strings.TrimSpace(want)) {
			t.Errorf("no %q in %s", want, w.Body)
		}
		s.Abandon()
	}
}

// TestChain is the model: clients that read results, ask twice, cancel and come
// late, against servers that are abandoned at any moment and a journal that
// fails at times. Each result is that of an undisturbed run.
func TestChain(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	c := newChain(t, small)
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	var clients, fate sync.WaitGroup
	over, takeovers := make(chan struct{}), 0
	fate.Go(func() {
		r := rand.New(rand.NewPCG(seed, 0))
		for {
			select {
			case <-over:
				return
			case <-time.After(time.Duration(r.IntN(40)) * time.Millisecond):
			}
			if r.IntN(3) == 0 {
				c.cluster.Fail(func(string) error { return errors.New("no majority") })
				time.Sleep(time.Duration(r.IntN(30)) * time.Millisecond)
				c.cluster.Fail(nil)
			} else {
				c.takeover()
				takeovers++
			}
		}
	})
	const each = 25
	done := make([]int, 4)
	for i := range done {
		clients.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(i+1)))
			for ; done[i] < each && ctx.Err() == nil; done[i]++ {
				c.client(r, i)
			}
		})
	}
	clients.Wait()
	close(over)
	fate.Wait()
	t.Logf("%v statements, %d takeovers", done, takeovers)
	if takeovers == 0 || slices.Max(done) < 2 {
		t.Error("too few to tell anything")
	}
}

// client runs one statement as a client with bad luck and checks its rows.
func (c *chain) client(r *rand.Rand, number int) {
	n := []int{0, 1, 500, 9000}[r.IntN(4)]
	encoding := []string{"", "json", "json+zstd"}[r.IntN(3)]
	a := c.ask("POST", "/v1/statement", fmt.Sprint("rows ", n), encoding)
	o := &outcome{}
	for uri := a.page.NextURI; uri != ""; uri = a.page.NextURI {
		if r.IntN(50) == 0 {
			if d := c.ask("DELETE", uri, "", ""); d.code != http.StatusNoContent {
				c.t.Errorf("client %d: DELETE: %d %s", number, d.code, d.body)
			}
			return
		}
		a = c.ask("GET", uri, "", "")
		if a.code != http.StatusOK {
			c.t.Errorf("client %d: GET %s: %d %s", number, uri, a.code, a.body)
			return
		}
		for range r.IntN(3) {
			if err := a.same(c.ask("GET", uri, "", "")); err != nil {
				c.t.Errorf("client %d: asked again: %v", number, err)
			}
		}
		o.add(c.t, a)
	}
	if len(o.rows) != n || o.err != "" {
		c.t.Errorf("client %d: %d rows of %d, error %q", number, len(o.rows), n, o.err)
		return
	}
	for i, v := range o.rows {
		if v != fmt.Sprint(i) {
			c.t.Errorf("client %d: row %d is %s", number, i, v)
			return
		}
	}
}

// TestHeartbeatsKeepPages: a client that only says that it is there has its
// page remembered, however long it does so; also one that another coordinator
// wrote down.
func TestHeartbeatsKeepPages(t *testing.T) {
	c := newChain(t, small)
	now := clock.NewManual(time.Unix(1000, 0))
	c.now.cfg.Clock = now // before its first request
	post := c.ask("POST", "/v1/statement", "rows 9000", "").page
	uri := c.ask("GET", post.NextURI, "", "").page.NextURI
	pages := func() (n int) {
		for _, what := range c.cluster.Calls() {
			if what == "remember page/"+post.ID {
				n++
			}
		}
		return n
	}
	beat := func(want int) {
		t.Helper()
		if a := c.ask("HEAD", uri, "", ""); a.code != http.StatusOK || pages() != want {
			t.Fatalf("%d; the page was written down %d times, want %d", a.code, pages(), want)
		}
	}
	beat(1)
	now.Advance(c.now.cfg.Limits.ClientTimeout/2 + time.Second)
	beat(2)
	beat(2)
	c.takeover()
	beat(3)
	beat(3)
	if a := c.ask("GET", uri, "", ""); len(a.rows(t, 0)) == 0 {
		t.Errorf("no rows: %d %s", a.code, a.body)
	}
}

// TestAbandonedLeavesNoTimers: a request that was under way when its server was
// abandoned does not keep that alive.
func TestAbandonedLeavesNoTimers(t *testing.T) {
	c := newChain(t, small)
	id := c.ask("POST", "/v1/statement", "never", "").page.ID
	l := c.now
	r := l.results[plan.QueryID(id)]
	c.takeover()
	r.touch()
	r.retire()
	r.timer.Stop()
	r.retire()
	if r.timer.Stop() {
		t.Error("its timer is set")
	}
}

// TestGonePages: that a page's body is not known goes from coordinator to
// coordinator.
func TestGonePages(t *testing.T) {
	for _, gone := range []bool{false, true} {
		if got := (&page{gone: gone, body: [][]byte{nil}}).entry().Gone; got != gone {
			t.Errorf("gone %v became %v", gone, got)
		}
	}
}
