package server

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestSentAgain: a statement that is sent again under its name is the same
// statement; without the right to name statements, names mean nothing.
func TestSentAgain(t *testing.T) {
	const one, other = "00112233445566778899aabbccddeeff", "ffeeddccbbaa99887766554433221100"
	for _, c := range []struct {
		what         string
		named        bool
		first, again string // names
		same         bool
	}{
		{"again", true, one, one, true},
		{"another", true, one, other, false},
		{"no name", true, "", "", false},
		{"no right to it", false, one, one, false},
		{"a name that can be guessed", true, "1", "1", false},
		{"a name that is none", true, strings.Repeat("z", 32), strings.Repeat("z", 32), false},
	} {
		t.Run(c.what, func(t *testing.T) {
			h := newHarness(t, func(cfg *Config) { cfg.Named = c.named })
			post := func(name string) (id, next string) {
				r := httptest.NewRequest("POST", "/v1/statement", strings.NewReader("rows 3"))
				r.Header.Set("X-Trino-User", "ann")
				if name != "" {
					r.Header.Set(StatementHeader, name)
				}
				w := httptest.NewRecorder()
				h.server.ServeHTTP(w, r)
				var p struct{ ID, NextURI string }
				b, _ := io.ReadAll(w.Result().Body)
				if err := json.Unmarshal(b, &p); err != nil || w.Code != 200 {
					t.Fatalf("%d %s", w.Code, b)
				}
				return p.ID, p.NextURI
			}
			id, next := post(c.first)
			again, nextAgain := post(c.again)
			if (id == again) != c.same || (next == nextAgain) != c.same {
				t.Errorf("%s %s, then %s %s", id, next, again, nextAgain)
			}
			for uri := next; uri != ""; { // a request may wander for as long as that takes
				p, _, _ := h.page("GET", uri, "")
				uri = p.NextURI
			}
			if late, _ := post(c.first); (id == late) != c.same && c.first == c.again {
				t.Errorf("%s, and when it had been read %s", id, late)
			}
		})
	}
}

// TestSentAgainToTheNext: the answer to a statement is lost with its
// coordinator. The next one, which is sent it again, goes on with it; one that
// was never accepted begins. Each happens once.
func TestSentAgainToTheNext(t *testing.T) {
	const known, unknown = "00112233445566778899aabbccddeeff", "ffeeddccbbaa99887766554433221100"
	c := newChain(t, Limits{LongPoll: 200 * time.Millisecond, Linger: 5 * time.Millisecond})
	post := func(l *link, name string) *answer {
		t.Helper()
		l.cfg.Named = true // before its first request
		req := httptest.NewRequest("POST", "/v1/statement", strings.NewReader("rows 3"))
		req.Header.Set("X-Trino-User", "ann")
		req.Header.Set(StatementHeader, name)
		w := httptest.NewRecorder()
		if !l.Handle(w, req) || w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		a := &answer{code: w.Code, header: w.Header(), body: w.Body.String()}
		if err := json.Unmarshal(w.Body.Bytes(), &a.page); err != nil {
			t.Fatal(err)
		}
		return a
	}
	first := post(c.now, known)
	next := c.takeover()
	again := post(next, known)
	if again.page.ID != first.page.ID || again.page.NextURI != first.page.NextURI {
		t.Errorf("%s, sent again %s", first.body, again.body)
	}
	fresh := post(next, unknown)
	if fresh.page.ID == first.page.ID || !strings.Contains(fresh.page.NextURI, unknown) {
		t.Errorf("one that was never accepted: %s", fresh.body)
	}
	if n := len(next.engine.queries); n != 2 {
		t.Errorf("%d queries run", n)
	}
	for _, a := range []*answer{again, fresh} {
		rows := 0
		for uri := a.page.NextURI; uri != ""; {
			p := c.ask("GET", uri, "", "")
			rows += len(p.rows(t, rows))
			uri = p.page.NextURI
		}
		if rows != 3 {
			t.Errorf("%d rows", rows)
		}
	}
}

// TestSentAgainMeanwhile: a statement is sent again while the request that
// brought it first, whose connection broke, still has it accepted. It happens
// once, whether or not that works out.
func TestSentAgainMeanwhile(t *testing.T) {
	const name = "00112233445566778899aabbccddeeff"
	for _, broken := range []bool{false, true} {
		c := newChain(t, small)
		l := c.now
		l.cfg.Named = true // before its first request
		accepting, goOn := make(chan struct{}), make(chan struct{})
		var once sync.Once
		c.cluster.Fail(func(string) error {
			once.Do(func() { close(accepting); <-goOn })
			return nil
		})
		post := func(ctx context.Context) *httptest.ResponseRecorder {
			r := httptest.NewRequest("POST", "/v1/statement", strings.NewReader("rows 3")).WithContext(ctx)
			r.Header.Set("X-Trino-User", "ann")
			r.Header.Set(StatementHeader, name)
			w := httptest.NewRecorder()
			l.Handle(w, r)
			return w
		}
		ctx, cancel := context.WithCancel(context.Background())
		first, again := make(chan struct{}), make(chan *httptest.ResponseRecorder)
		go func() { post(ctx); close(first) }()
		<-accepting
		go func() { again <- post(context.Background()) }()
		select {
		case w := <-again:
			t.Fatalf("answered while nobody knows whether it was accepted: %d %s", w.Code, w.Body)
		case <-time.After(50 * time.Millisecond):
		}
		if broken {
			cancel()
		}
		close(goOn)
		<-first
		w := <-again
		cancel()
		var p struct{ ID string }
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if q := l.engine.queries; len(q) != 1 || string(q[0].id) != p.ID {
			t.Errorf("broken %v: %d queries run, the client is told of %s", broken, len(q), p.ID)
		}
	}
}

// TestClaimEnds: who waits for another to accept a statement does not wait
// longer than anybody is interested.
func TestClaimEnds(t *testing.T) {
	c := newChain(t, small)
	l := c.now
	release, err := l.claim(context.Background(), "s")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := l.claim(ctx, "s"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if other, err := l.claim(ctx, "other"); err != nil {
		t.Error(err)
	} else {
		other()
	}
	got := make(chan error)
	go func() { _, err := l.claim(context.Background(), "s"); got <- err }()
	c.takeover()
	if err := <-got; !errors.Is(err, errAbandoned) {
		t.Error(err)
	}
	release()
	if len(l.claimed) != 0 {
		t.Errorf("%d names are kept", len(l.claimed))
	}
}
