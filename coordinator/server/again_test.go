package server

import (
	"encoding/json"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
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
