package server

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/tuttidb/tutti/coordinator"
	"github.com/tuttidb/tutti/coordinator/journal"
	"github.com/tuttidb/tutti/coordinator/journal/journaltest"
	"github.com/tuttidb/tutti/coordinator/meta"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/internal/clock"
	"github.com/tuttidb/tutti/internal/qerr"
)

// chain is a row of servers, each of which takes over from the one before, and
// the router before them: a request that one leaves unanswered goes to the next.
type chain struct {
	t       testing.TB
	cluster *journaltest.Cluster
	limits  Limits
	account *mem.Account

	mu    sync.Mutex
	now   *link
	moved chan struct{}
	made  int
}

// link is one server of a chain.
type link struct {
	*Server
	engine  *fakeEngine
	journal *journal.Journal
}

func newChain(t testing.TB, limits Limits) *chain {
	c := &chain{
		t: t, cluster: &journaltest.Cluster{}, limits: limits, moved: make(chan struct{}),
		account: mem.NewRoot("test", 0, mem.NewPool()),
	}
	c.takeover()
	t.Cleanup(func() {
		c.now.abandon()
		for deadline := time.Now().Add(10 * time.Second); c.account.Used() != 0; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d bytes are held at the end", c.account.Used())
			}
		}
	})
	return c
}

// takeover makes the next server of what is remembered, while the one before
// still believes that it leads; then that one is abandoned.
func (c *chain) takeover() *link { return c.takeoverFrom(nil) }

func (c *chain) takeoverFrom(more []*journal.Entry) *link {
	epoch, remembered := c.cluster.Lead()
	var log *meta.State
	if c.cluster.Log != nil {
		log = c.cluster.Log.State()
	}
	entries, err := journal.Read(remembered, log)
	if err != nil {
		c.t.Error(err)
	}
	l := &link{engine: &fakeEngine{name: fmt.Sprintf("r%03d", c.made), account: c.account}}
	c.made++
	quiet := slog.New(slog.DiscardHandler)
	if l.journal, err = journal.New(journal.Config{
		Memory: c.cluster, Epoch: epoch, Keep: time.Minute, ClientTimeout: time.Minute, Clock: clock.System{}, Log: quiet,
	}); err != nil {
		c.t.Error(err)
	}
	if c.cluster.Log != nil { // else there is nowhere to count
		if err := l.journal.Lost(c.t.Context(), entries); err != nil {
			c.t.Error(err)
		}
	}
	if l.Server, err = New(Config{Engine: l.engine, Journal: l.journal, Log: quiet, Clock: clock.System{}, Limits: c.limits}); err != nil {
		c.t.Error(err)
	}
	l.Restore(append(entries, more...))
	c.mu.Lock()
	old := c.now
	c.now = l
	close(c.moved)
	c.moved = make(chan struct{})
	c.mu.Unlock()
	if old != nil {
		old.abandon()
	}
	return l
}

// abandon ends a link as the process that holds it would.
func (l *link) abandon() {
	l.Abandon()
	l.engine.mu.Lock()
	queries := l.engine.queries
	l.engine.mu.Unlock()
	for _, q := range queries {
		q.end(qerr.From(coordinator.ErrAbandoned))
	}
}

func (c *chain) current() (*link, chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now, c.moved
}

// answer is what a client gets.
type answer struct {
	code   int
	header http.Header
	body   string
	page   struct {
		ID, NextURI string
		Columns     []any
		Data        json.RawMessage
		Error       *struct {
			ErrorName string
			Message   string
		}
		UpdateType  string
		UpdateCount *int64
		Stats       struct{ State string }
	}
}

// ask sends a request to whoever leads, until one of them answers.
func (c *chain) ask(method, uri, body, encoding string) *answer {
	c.t.Helper()
	for {
		l, moved := c.current()
		if a := l.ask(c.t, method, uri, body, encoding); a != nil {
			return a
		}
		<-moved
	}
}

// ask sends a request to one server; nil if it does not answer.
func (l *link) ask(t testing.TB, method, uri, body, encoding string) *answer {
	t.Helper()
	req := httptest.NewRequest(method, uri, strings.NewReader(body))
	req.Header.Set("X-Trino-User", "ann")
	if encoding != "" {
		req.Header.Set("X-Trino-Query-Data-Encoding", encoding)
	}
	w := httptest.NewRecorder()
	w.Header().Set("Server", "router")
	if !l.Handle(w, req) {
		if w.Body.Len() > 0 || len(w.Header()) != 1 || w.Header().Get("Server") != "router" {
			t.Errorf("an unanswered request left %v %q", w.Header(), w.Body)
		}
		return nil
	}
	a := &answer{code: w.Code, header: w.Header(), body: w.Body.String()}
	if a.code == http.StatusOK && a.body != "" && json.Unmarshal(w.Body.Bytes(), &a.page) != nil {
		t.Errorf("not JSON: %q", a.body)
	}
	return a
}

// same reports whether two answers are the same to a client.
func (a *answer) same(b *answer) error {
	if a.code != b.code || a.body != b.body || fmt.Sprint(a.header) != fmt.Sprint(b.header) {
		return fmt.Errorf("%d %v %.200q\nand then %d %v %.200q", a.code, a.header, a.body, b.code, b.header, b.body)
	}
	return nil
}

// rows returns the values of a page, which has one column, and checks that
// segments go on where the ones before ended.
func (a *answer) rows(t testing.TB, before int) []string {
	t.Helper()
	if len(a.page.Data) == 0 {
		return nil
	}
	data := []byte(a.page.Data)
	if data[0] == '{' {
		data = unpackSegment(t, data, before)
	}
	var rows [][]json.RawMessage
	if err := json.Unmarshal(data, &rows); err != nil {
		t.Fatalf("%v in %.200s", err, data)
	}
	out := make([]string, len(rows))
	for i, r := range rows {
		out[i] = string(r[0])
	}
	return out
}

func unpackSegment(t testing.TB, data []byte, before int) []byte {
	t.Helper()
	var d struct {
		Segments []struct {
			Data     string
			Metadata struct{ RowOffset, RowsCount, UncompressedSize int }
		}
	}
	if err := json.Unmarshal(data, &d); err != nil || len(d.Segments) != 1 {
		t.Fatalf("%v: %s", err, data)
	}
	s := d.Segments[0]
	if s.Metadata.RowOffset != before {
		t.Errorf("a segment begins at row %d, the one before ended at %d", s.Metadata.RowOffset, before)
	}
	text, err := base64.StdEncoding.DecodeString(s.Data)
	if err == nil && s.Metadata.UncompressedSize > 0 {
		z, zerr := zstd.NewReader(bytes.NewReader(text))
		if zerr != nil {
			t.Fatal(zerr)
		}
		defer z.Close()
		text, err = io.ReadAll(z)
	}
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// outcome is all that a client learns of a statement.
type outcome struct {
	rows    []string
	err     string
	update  string
	headers string
}

func (o *outcome) add(t testing.TB, a *answer) {
	t.Helper()
	o.rows = append(o.rows, a.rows(t, len(o.rows))...)
	if a.page.Error != nil {
		o.err = a.page.Error.ErrorName
	}
	if a.page.NextURI == "" {
		o.update = a.page.UpdateType
		if n := a.page.UpdateCount; n != nil {
			o.update += fmt.Sprint(" ", *n)
		}
		h := a.header.Clone()
		for name := range h {
			if !strings.HasPrefix(name, headerPrefix) || strings.HasSuffix(name, "Encoding") {
				h.Del(name)
			}
		}
		o.headers = fmt.Sprint(h)
	}
}

func (o *outcome) same(p *outcome) error {
	if fmt.Sprint(o.rows) != fmt.Sprint(p.rows) {
		return fmt.Errorf("%d rows and %d rows, or others", len(o.rows), len(p.rows))
	}
	if o.err != p.err || o.update != p.update || o.headers != p.headers {
		return fmt.Errorf("error %q, update %q, headers %s\nand error %q, update %q, headers %s", o.err, o.update, o.headers, p.err, p.update, p.headers)
	}
	return nil
}
