package server

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tuttidb/tutti/coordinator"
	"github.com/tuttidb/tutti/coordinator/journal"
)

// TestStaleLeaderDoesNotKnow: a coordinator that was stopped for a while, and
// does not know yet that others lead, says of nothing that it is not there: not
// of statements that it has never heard of, nor of pages that it was not asked
// for. Those requests are the next leader's.
func TestStaleLeaderDoesNotKnow(t *testing.T) {
	c := newChain(t, small)
	post := c.ask("POST", "/v1/statement", "rows 9000", "")
	uri := c.ask("GET", post.page.NextURI, "", "").page.NextURI
	old, _ := c.current()

	// The next leader, which the old one has not heard of.
	epoch, remembered := c.cluster.Lead()
	entries, err := journal.Read(remembered, nil)
	if err != nil {
		t.Fatal(err)
	}
	next := &link{engine: &fakeEngine{name: "next", account: c.account}}
	if next.journal, err = journal.New(journal.Config{
		Memory: c.cluster, Epoch: epoch, Keep: time.Minute, ClientTimeout: time.Minute, Clock: old.cfg.Clock, Log: old.cfg.Log,
	}); err != nil {
		t.Fatal(err)
	}
	if next.Server, err = New(Config{Engine: next.engine, Journal: next.journal, Log: old.cfg.Log, Clock: old.cfg.Clock, Limits: small}); err != nil {
		t.Fatal(err)
	}
	next.Restore(entries)
	defer next.abandon()
	newer := next.ask(t, "POST", "/v1/statement", "rows 3", "").page
	ahead := next.ask(t, "GET", uri, "", "").page.NextURI

	requests := []struct{ method, uri string }{
		{"GET", newer.NextURI}, {"HEAD", newer.NextURI}, {"DELETE", newer.NextURI}, {"GET", ahead}, {"GET", "/v1/query/" + newer.ID},
		{"DELETE", "/v1/statement/partialCancel/" + newer.ID + "/" + strings.Split(newer.NextURI, "/")[6]}, {"PUT", "/v1/query/" + newer.ID + "/killed"},
		{"DELETE", "/v1/query/" + newer.ID},
	}
	got := make(chan string, len(requests))
	for _, r := range requests {
		go func() {
			if a := old.ask(t, r.method, r.uri, "", ""); a != nil {
				got <- fmt.Sprintf("%s %s: %d %s", r.method, r.uri, a.code, a.body)
				return
			}
			got <- ""
		}()
	}
	select {
	case text := <-got:
		t.Errorf("who does not lead any more answers: %s", text)
	case <-time.After(150 * time.Millisecond):
	}
	if a := old.ask(t, "GET", strings.TrimSuffix(uri, "2")+"1", "", ""); a == nil || a.code != http.StatusOK {
		t.Error("the page that was shown is as good as ever, and is not given")
	}
	old.abandon()
	for range requests {
		if text := <-got; text != "" {
			t.Errorf("who was abandoned answers: %s", text)
		}
	}
	if a := next.ask(t, "GET", newer.NextURI, "", ""); len(a.rows(t, 0)) != 3 {
		t.Errorf("%d %s", a.code, a.body)
	}
	for _, uri := range []string{strings.Replace(newer.NextURI, newer.ID, "nosuch", 1), newer.NextURI + "7"} {
		if a := next.ask(t, "GET", uri, "", ""); a.code != http.StatusNotFound && a.code != http.StatusGone {
			t.Errorf("who leads says of %s: %d", uri, a.code)
		}
	}
}

// TestHostileTokensAfterALoss: a client that says after the loss of everything
// that it was at an impossible page is not believed, and does not spoil the
// result for itself.
func TestHostileTokensAfterALoss(t *testing.T) {
	c := newChain(t, small)
	c.takeoverFrom([]*journal.Entry{{Known: true, Unsure: true, Logged: true, Statement: journal.Statement{
		ID: "q_1", Slug: "s", Request: coordinator.Request{SQL: "rows 3"},
	}}})
	for _, token := range []string{"0", "-1", "-9223372036854775808", "9223372036854775807", "9007199254740992"} {
		if a := c.ask("GET", "/v1/statement/queued/q_1/s/"+token, "", ""); a.code != http.StatusGone {
			t.Errorf("token %s: %d %s", token, a.code, a.body)
		}
	}
	a := c.ask("GET", "/v1/statement/queued/q_1/s/5", "", "")
	if len(a.rows(t, 0)) != 3 {
		t.Fatalf("%d %s", a.code, a.body)
	}
	if b := c.ask("GET", "/v1/statement/queued/q_1/s/6", "", ""); b.code != http.StatusGone {
		t.Errorf("after the last page: %d", b.code)
	}
}

// TestLongStatements: a statement that the engine will refuse for its length is
// not written down as a whole, by way of characters of any size; the engine sees
// all of it.
func TestLongStatements(t *testing.T) {
	limits := small
	limits.MaxText = 100
	for _, text := range []string{"error " + strings.Repeat("x", 94), "error " + strings.Repeat("é", 94), "error " + strings.Repeat("x", 5000), "error " + strings.Repeat("🎼", 5000)} {
		c := newChain(t, limits)
		c.ask("POST", "/v1/statement", text, "")
		l, _ := c.current()
		if got := l.engine.last().req.SQL; got != text {
			t.Errorf("the engine gets %d bytes of %d", len(got), len(text))
		}
		written := c.takeover().engine.last().req.SQL
		want := min(utf8.RuneCountInString(text), limits.MaxText+1)
		if !strings.HasPrefix(text, written) || utf8.RuneCountInString(written) != want {
			t.Errorf("%d characters: %d are written down, not %d", utf8.RuneCountInString(text), utf8.RuneCountInString(written), want)
		}
	}
}
