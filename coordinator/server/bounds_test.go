package server

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tuttidb/tutti/internal/qerr"
)

// liveHeap returns the bytes in use once all garbage is gone.
func liveHeap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what finalizers and pools held
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestReadResultsAreSmall: a result that has been read takes no more than the
// limit for such results is told, whatever encoding the client asked for.
func TestReadResultsAreSmall(t *testing.T) {
	for _, encoding := range []string{"", "json", "json+lz4", "json+zstd"} {
		t.Run(encoding, func(t *testing.T) {
			h := newHarness(t, nil)
			h.header.Set("X-Trino-Query-Data-Encoding", encoding)
			const n = 400
			run := func() {
				for range n {
					h.read("rows 3")
				}
				h.engine.forget()
			}
			run()
			before := liveHeap()
			run()
			each := (liveHeap() - before) / n
			if each > resultBytes+2<<10 {
				t.Errorf("a result that has been read keeps %d bytes", each)
			}
			h.server.mu.Lock()
			defer h.server.mu.Unlock()
			if len(h.server.results) != 2*n || len(h.server.kept) != 2*n {
				t.Errorf("%d results, %d kept; the test wants all to be kept", len(h.server.results), len(h.server.kept))
			}
		})
	}
}

// read reads a statement's pages and looks at nothing.
func (h *harness) read(sql string) {
	h.t.Helper()
	for p, _, _ := h.page("POST", "/v1/statement", sql); p.NextURI != ""; {
		p, _, _ = h.page("GET", p.NextURI, "")
	}
}

// TestMemoryIsFlat: statement after statement, the server keeps no more than
// its limits say.
func TestMemoryIsFlat(t *testing.T) {
	h := newHarness(t, func(c *Config) { c.Limits.KeepBytes = 64 << 10 })
	run := func() {
		for i := range 600 {
			switch i % 4 {
			case 0:
				h.run("rows 3")
			case 1:
				h.run("error")
			case 2:
				p, _, _ := h.page("POST", "/v1/statement", "endless")
				h.do("DELETE", p.NextURI, "")
				h.page("GET", p.NextURI, "") // the error
			case 3:
				h.run("insert 3")
			}
		}
		h.engine.forget()
	}
	run()
	before, threads := liveHeap(), runtime.NumGoroutine()
	run()
	if more := liveHeap() - before; more > 256<<10 {
		t.Errorf("600 statements leave %d bytes", more)
	}
	if more := runtime.NumGoroutine() - threads; more > 20 {
		t.Errorf("600 statements leave %d goroutines", more)
	}
	if n := h.server.buffered.Load(); n != 0 {
		t.Errorf("%d bytes are buffered", n)
	}
}

// forget drops the queries that have ended, as a coordinator does.
func (e *fakeEngine) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, q := range e.queries {
		q.end(qerr.New(qerr.UserCanceled, "test ended"))
	}
	e.queries = nil
}

// TestMaxOpen: clients that never read are refused in the end, and taken again
// once they have read or left, or their time is up.
func TestMaxOpen(t *testing.T) {
	h := newHarness(t, func(c *Config) {
		c.Limits.MaxOpen, c.Limits.KeepBytes = 3, 1 // one read result is kept at least
	})
	var open []string
	for range 3 {
		p, _, _ := h.page("POST", "/v1/statement", "rows 1")
		open = append(open, p.NextURI)
	}
	refused := func() {
		t.Helper()
		resp, text := h.do("POST", "/v1/statement", "rows 1")
		if resp.StatusCode != 503 || !strings.Contains(text, errFull.Error()) || resp.Header.Get("Retry-After") == "" {
			t.Errorf("%s %s", resp.Status, text)
		}
	}
	refused()
	h.page("GET", open[0], "")
	p, _, _ := h.page("POST", "/v1/statement", "rows 1")
	refused()
	h.do("DELETE", p.NextURI, "")
	h.page("GET", p.NextURI, "")
	h.page("POST", "/v1/statement", "rows 1")
	refused()
}

// TestAbandoned: results that nobody reads are dropped after the client
// time-out.
func TestAbandoned(t *testing.T) {
	h := newHarness(t, func(c *Config) { c.Limits.ClientTimeout = 30 * time.Millisecond })
	for i := range 20 {
		h.page("POST", "/v1/statement", fmt.Sprint("rows ", i))
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		h.server.mu.Lock()
		left := len(h.server.results)
		h.server.mu.Unlock()
		if left == 0 && h.server.buffered.Load() == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d results, %d bytes are left", left, h.server.buffered.Load())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// TestKeepBytes: last pages are kept while there is room, the newest at least.
func TestKeepBytes(t *testing.T) {
	h := newHarness(t, func(c *Config) { c.Limits.KeepBytes = 3 * resultBytes })
	var uris []string
	for range 5 {
		p, _, _ := h.page("POST", "/v1/statement", "rows 1")
		h.page("GET", p.NextURI, "")
		uris = append(uris, p.NextURI)
	}
	for i, want := range []int{404, 404, 404, 200, 200} {
		if resp, _ := h.do("GET", uris[i], ""); resp.StatusCode != want {
			t.Errorf("page %d: %s", i, resp.Status)
		}
	}
	if resp, _ := h.do("DELETE", uris[4], ""); resp.StatusCode != http.StatusNoContent {
		t.Error(resp.Status)
	}
}
