package server

import (
	"encoding/json"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestSentAgain: a statement that is sent again under its name is the same
// statement, as long as nobody has read its end; without the right to name
// statements, names mean nothing.
func TestSentAgain(t *testing.T) {
	const one, other = "00112233445566778899aabbccddeeff", "ffeeddccbbaa99887766554433221100"
	for _, c := range []struct {
		what         string
		named        bool
		first, again string // names
		mark         string
		same         bool
	}{
		{"again", true, one, one, "true", true},
		{"another", true, one, other, "true", false},
		{"not marked", true, one, one, "", false},
		{"no name", true, "", "", "true", false},
		{"no right to it", false, one, one, "true", false},
		{"a name that can be guessed", true, "1", "1", "true", false},
		{"a name that is none", true, strings.Repeat("z", 32), strings.Repeat("z", 32), "true", false},
	} {
		t.Run(c.what, func(t *testing.T) {
			h := newHarness(t, func(cfg *Config) { cfg.Named = c.named })
			post := func(name, mark string) (id, next string) {
				r := httptest.NewRequest("POST", "/v1/statement", strings.NewReader("rows 3"))
				r.Header.Set("X-Trino-User", "ann")
				if name != "" {
					r.Header.Set(StatementHeader, name)
				}
				if mark != "" {
					r.Header.Set(AgainHeader, mark)
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
			id, next := post(c.first, "")
			again, nextAgain := post(c.again, c.mark)
			if (id == again) != c.same || (next == nextAgain) != c.same {
				t.Errorf("%s %s, then %s %s", id, next, again, nextAgain)
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
	post := func(l *link, name, mark string) *answer {
		t.Helper()
		l.cfg.Named = true // before its first request
		req := httptest.NewRequest("POST", "/v1/statement", strings.NewReader("rows 3"))
		req.Header.Set("X-Trino-User", "ann")
		req.Header.Set(StatementHeader, name)
		if mark != "" {
			req.Header.Set(AgainHeader, mark)
		}
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
	first := post(c.now, known, "")
	next := c.takeover()
	again := post(next, known, "true")
	if again.page.ID != first.page.ID || again.page.NextURI != first.page.NextURI {
		t.Errorf("%s, sent again %s", first.body, again.body)
	}
	fresh := post(next, unknown, "true")
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
