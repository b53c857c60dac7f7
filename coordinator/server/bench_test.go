package server

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tuttidb/tutti/coordinator/journal"
	"github.com/tuttidb/tutti/coordinator/journal/journaltest"
	"github.com/tuttidb/tutti/internal/clock"
)

// BenchmarkStatement is what the server itself adds to a small query: a POST
// and the GETs until its end, over an engine that answers at once. Without a
// journal, with that of a coordinator alone, and with that of one among
// several, whose network costs nothing here.
func BenchmarkStatement(b *testing.B) {
	for _, c := range []struct {
		name           string
		journal, alone bool
	}{{"none", false, false}, {"alone", true, true}, {"several", true, false}} {
		b.Run(c.name, func(b *testing.B) {
			h := newHarness(b, func(cfg *Config) {
				if c.journal {
					cfg.Journal = benchJournal(b, c.alone)
				}
			})
			for b.Loop() {
				uri := answerOf(b, h, http.MethodPost, "/v1/statement", "rows 1")
				for uri != "" {
					uri = answerOf(b, h, http.MethodGet, uri, "")
				}
			}
		})
	}
}

func benchJournal(b *testing.B, alone bool) *journal.Journal {
	cluster := &journaltest.Cluster{}
	epoch, _ := cluster.Lead()
	j, err := journal.New(journal.Config{
		Memory: cluster, Epoch: epoch, Alone: alone, Keep: time.Minute, ClientTimeout: time.Minute, Clock: clock.System{}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(j.Close)
	return j
}

// answerOf sends a request without a connection and returns the nextUri.
func answerOf(b *testing.B, h *harness, method, uri, body string) string {
	req := httptest.NewRequest(method, uri, strings.NewReader(body))
	req.Header.Set("X-Trino-User", "ann")
	w := httptest.NewRecorder()
	h.server.ServeHTTP(w, req)
	var page struct {
		NextURI string `json:"nextUri"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil {
		b.Fatal(w.Code, w.Body.String())
	}
	return page.NextURI
}
