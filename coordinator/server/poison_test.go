package server

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/tuttidb/tutti/coordinator/meta"
	"github.com/tuttidb/tutti/internal/clock"
)

// newLoggedChain is a chain whose coordinators have a log, where losses are
// counted.
func newLoggedChain(t *testing.T) *chain {
	n, err := meta.Open(meta.Config{ID: "alone", Log: slog.New(slog.DiscardHandler), Clock: clock.System{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() }) // in memory only
	c := newChain(t, small)
	c.cluster.Log = n
	return c
}

// begun is how many queries a coordinator went on with.
func (l *link) begun() (n int) {
	l.engine.mu.Lock()
	defer l.engine.mu.Unlock()
	for _, q := range l.engine.queries {
		if q.from.Begun {
			n++
		}
	}
	return n
}

// TestPoison: a query that ends each coordinator which runs it goes round eight
// times. Then its client gets an error that says so, from this coordinator and
// from the next, and what was shown before can still be had. Who came later
// goes on.
func TestPoison(t *testing.T) {
	for _, shown := range []int{0, 1} {
		c := newLoggedChain(t)
		post := c.ask("POST", "/v1/statement", "endless", "").page
		uri, last := post.NextURI, post.NextURI
		for range shown {
			last, uri = uri, c.ask("GET", uri, "", "").page.NextURI
		}
		var later string
		for i := range 7 {
			if l := c.takeover(); l.begun() != 1 {
				t.Fatalf("takeover %d: %d queries go on", i+1, l.begun())
			}
			if i == 6 {
				later = c.ask("POST", "/v1/statement", "rows 5", "").page.NextURI
			}
		}
		var page *answer
		if shown > 0 {
			page = c.ask("GET", last, "", "")
		}
		for i := range 3 {
			l := c.takeover()
			if n := l.begun(); n != 1 {
				t.Errorf("takeover %d: %d queries go on, not the later one alone", i+8, n)
			}
			if page != nil {
				if err := page.same(c.ask("GET", last, "", "")); err != nil {
					t.Error("the page shown last:", err)
				}
			}
			if a := c.ask("GET", "/v1/query/"+post.ID, "", ""); !strings.Contains(a.body, `"state":"FAILED"`) {
				t.Errorf("takeover %d: it is shown as %s", i+8, a.body)
			}
		}
		a := c.ask("GET", uri, "", "")
		if e := a.page.Error; e == nil || e.ErrorName != "GENERIC_INTERNAL_ERROR" || a.page.NextURI != "" ||
			!strings.Contains(e.Message, "is given up: 8 coordinators that ran it were lost") || !strings.Contains(e.Message, a.page.ID) {
			t.Fatalf("%d %s", a.code, a.body)
		}
		if n := len(c.ask("GET", later, "", "").rows(t, 0)); n != 5 {
			t.Errorf("the later one has %d rows", n)
		}
		c.takeover()
		if err := a.same(c.ask("GET", uri, "", "")); err != nil {
			t.Error("the error asked for again:", err)
		}
		if a := c.ask("DELETE", uri, "", ""); a.code != http.StatusNoContent {
			t.Errorf("DELETE of what is given up: %d", a.code)
		}
	}
}
