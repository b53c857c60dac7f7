package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// endless runs for longer than any test waits.
const endless = "SELECT count(*), sum(linenumber) FROM tpch.sf1000.lineitem WHERE orderkey % 7 < 5"

// raw sends one request and returns the status, the headers and the body.
func raw(t *testing.T, method, uri, body string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, uri, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Trino-User", "hostile")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err.Error()
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil, err.Error()
	}
	return resp.StatusCode, resp.Header, string(text)
}

// begun sends a statement and returns its first answer.
func begun(t *testing.T, x *Coordinator, sql string) *readerPage {
	t.Helper()
	code, _, text := raw(t, http.MethodPost, x.URL()+"/v1/statement", sql)
	p := &readerPage{}
	if err := json.Unmarshal([]byte(text), p); code != http.StatusOK || err != nil || p.NextURI == "" {
		t.Fatalf("%s by way of %s: %d %.200s", sql, x.ID, code, text)
	}
	return p
}

// by is a URI as it is by way of another coordinator.
func by(x *Coordinator, uri string) string {
	_, path, _ := strings.Cut(strings.TrimPrefix(uri, "http://"), "/")
	return x.URL() + "/" + path
}

// TestHostileClients: what clients should not do, by way of any coordinator.
func TestHostileClients(t *testing.T) {
	t.Parallel()
	c := coordinatorsOf(t, "hostile", 2, "--client-timeout", "4s")
	if err := c.StartAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	lead := c.settle(t, 2)
	one, two := c.follower(lead), c.All[0]
	for _, x := range c.All {
		if x != lead && x != one {
			two = x
		}
	}
	t.Run("one page, many clients", func(t *testing.T) { samePages(t, c) })
	t.Run("forged URIs", func(t *testing.T) {
		p := begun(t, one, endless)
		parts := strings.Split(p.NextURI, "/")
		slug := parts[len(parts)-2]
		for _, x := range c.All {
			for what, uri := range map[string]string{
				"another id":   strings.Replace(p.NextURI, p.ID, "20260304_050607_00001_abcde", 1),
				"another slug": strings.Replace(p.NextURI, slug, strings.Repeat("0", len(slug)), 1),
				"no slug":      strings.Replace(p.NextURI, slug, "x", 1),
				"a word":       p.NextURI[:strings.LastIndex(p.NextURI, "/")] + "/one",
			} {
				for _, method := range []string{"GET", "HEAD", "DELETE"} {
					begin := time.Now()
					if code, _, text := raw(t, method, by(x, uri), ""); code != http.StatusNotFound && (what != "a word" || method != "DELETE") {
						t.Errorf("%s %s by way of %s: %d %s", method, what, x.ID, code, text)
					}
					if took := time.Since(begin); took > 5*time.Second {
						t.Errorf("%s %s was held for %s", method, what, took)
					}
				}
			}
			for _, token := range []string{"0", "-1", "99", "9223372036854775807"} {
				if code, _, text := raw(t, "GET", by(x, p.NextURI[:strings.LastIndex(p.NextURI, "/")+1]+token), ""); code != http.StatusGone && code != http.StatusNotFound {
					t.Errorf("token %s by way of %s: %d %.200s", token, x.ID, code, text)
				}
			}
		}
	})
	t.Run("ended by others, twice", func(t *testing.T) {
		p := begun(t, one, endless)
		for i, x := range []*Coordinator{two, one, lead, two} {
			if code, _, text := raw(t, "DELETE", by(x, p.NextURI), ""); code != http.StatusNoContent {
				t.Errorf("DELETE %d by way of %s: %d %s", i+1, x.ID, code, text)
			}
		}
		if code, _, text := raw(t, "GET", by(lead, p.NextURI), ""); code != http.StatusOK || !strings.Contains(text, "USER_CANCELED") {
			t.Errorf("%d %.300s", code, text)
		}
	})
	t.Run("long statements", func(t *testing.T) {
		for _, x := range c.All {
			if code, _, text := raw(t, "POST", x.URL()+"/v1/statement", "SELECT '"+strings.Repeat("x", 17<<20)+"'"); code != http.StatusRequestEntityTooLarge {
				t.Errorf("17 MB by way of %s: %d %.200s", x.ID, code, text)
			}
			for range 8 { // more than all memories would hold
				p := begun(t, x, "SELECT '"+strings.Repeat("xyz ", 3<<20)+"'")
				if code, _, text := raw(t, "GET", p.NextURI, ""); code != http.StatusOK || !strings.Contains(text, "QUERY_TEXT_TOO_LARGE") {
					t.Errorf("12 MB by way of %s: %d %.300s", x.ID, code, text)
				}
			}
			must(t, x.URL(), "SELECT 1", "1")
		}
	})
	t.Run("clients that leave", func(t *testing.T) { leavers(t, c, one) })
	t.Run("a leader that is stopped", func(t *testing.T) {
		for range 2 {
			stopped(t, c)
		}
	})
}

// samePages reads a result by way of all coordinators at once: each page has the
// same bytes for all, and the rows are all there once.
func samePages(t *testing.T, c *Coordinators) {
	const sql = "SELECT orderkey, linenumber FROM tpch.sf1.lineitem WHERE orderkey < 300000"
	uri := begun(t, c.All[0], sql).NextURI
	rows, pages := 0, 0
	for ; uri != ""; pages++ {
		type got struct {
			code int
			text string
		}
		answers := make(chan got, 2*len(c.All))
		for _, x := range append(c.All, c.All...) {
			go func() {
				code, _, text := raw(t, "GET", by(x, uri), "")
				answers <- got{code, text}
			}()
		}
		first := <-answers
		for range 2*len(c.All) - 1 {
			if next := <-answers; next != first {
				t.Fatalf("page %d: %d %.200s\nand %d %.200s", pages, first.code, first.text, next.code, next.text)
			}
		}
		p := &readerPage{}
		if err := json.Unmarshal([]byte(first.text), p); err != nil || p.Error != nil {
			t.Fatalf("%v %.300s", err, first.text)
		}
		rows, uri = rows+len(p.Data), p.NextURI
	}
	must(t, c.URL, "SELECT count(*) FROM ("+sql+")", fmt.Sprint(rows))
	if pages < 2 {
		t.Errorf("%d pages", pages)
	}
}

// leavers send statements, whole or in part, and do not wait for the answer.
// Nothing of them runs for longer than clients may stay away.
func leavers(t *testing.T, c *Coordinators, one *Coordinator) {
	sql := endless + " AND linenumber < 99"
	for _, x := range []*Coordinator{one, c.settle(t, 2)} {
		for i := range 12 {
			conn, err := net.Dial("tcp", x.HTTP)
			if err != nil {
				t.Fatal(err)
			}
			text := fmt.Sprintf("POST /v1/statement HTTP/1.1\r\nHost: x\r\nX-Trino-User: hostile\r\nContent-Length: %d\r\n\r\n%s", len(sql), sql)
			if i%3 == 0 {
				text = text[:len(text)-20]
			}
			_, _ = io.WriteString(conn, text)
			time.Sleep(time.Duration(i%4) * time.Millisecond)
			_ = conn.Close()
		}
	}
	gone(t, c, sql)
}

// gone waits until no query of a text runs.
func gone(t *testing.T, c *Coordinators, sql string) {
	t.Helper()
	r := &reader{url: c.URL, again: true}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		rows, err := r.query(t.Context(), "SELECT count(*) FROM system.runtime.queries WHERE state NOT IN ('FINISHED', 'FAILED') AND query = '"+sql+"'", nil)
		if err == nil && len(rows) == 1 && rows[0] == "0" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%v of them still run, %v", rows, err)
		}
	}
}

// stopped stops the leader for so long that another leads, and wakes it up. It
// does not know of that at first, and gets requests about statements that it has
// never heard of: they have their answers. A statement that it was sent while it
// was stopped, by a client that has left, does not run for ever.
func stopped(t *testing.T, c *Coordinators) {
	lead := c.settle(t, 2)
	other := c.follower(lead)
	shown := begun(t, other, "SELECT orderkey, comment FROM tpch.sf1.lineitem WHERE orderkey < 300000")
	sql := endless + " AND linenumber < 98"
	if err := lead.Pause(); err != nil {
		t.Fatal(err)
	}
	var ghosts []net.Conn
	for range 3 {
		conn, err := net.Dial("tcp", lead.HTTP) // the kernel takes it
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "POST /v1/statement HTTP/1.1\r\nHost: x\r\nX-Trino-User: hostile\r\nContent-Length: %d\r\n\r\n%s", len(sql), sql)
		ghosts = append(ghosts, conn)
	}
	var uris []string
	for range 4 { // each is held until there is a new leader
		p := begun(t, other, "SELECT count(*) FROM tpch.tiny.nation")
		uris = append(uris, p.NextURI)
	}
	code, _, text := raw(t, "GET", shown.NextURI, "") // and this one is ahead of what the old leader knows
	p := &readerPage{}
	if err := json.Unmarshal([]byte(text), p); code != http.StatusOK || err != nil || p.NextURI == "" {
		t.Fatalf("%d %.200s", code, text)
	}
	uris = append(uris, p.NextURI)
	type answer struct {
		uri, text string
		code      int
	}
	got := make(chan answer, len(uris))
	for _, uri := range uris {
		go func() { // sent before it wakes up, and so the first that it sees
			code, _, text := raw(t, "GET", by(lead, uri), "")
			got <- answer{uri, text, code}
		}()
	}
	time.Sleep(100 * time.Millisecond) // so that they are likely there; it must not matter
	if err := lead.Resume(); err != nil {
		t.Fatal(err)
	}
	for _, conn := range ghosts[1:] {
		_ = conn.Close()
	}
	for range uris {
		if a := <-got; a.code != http.StatusOK {
			t.Errorf("who was stopped answers %s: %d %.200s", a.uri, a.code, a.text)
		}
	}
	c.settle(t, 2)
	_ = ghosts[0].Close()
	gone(t, c, sql)
}

// TestPoisonedQuery kills each leader that runs a query. Those that hand over do
// not count; after the eighth in a row, none of which lived for long, the query
// ends with an error that says so. On a slow machine a few of these are lost by
// elections that nothing but its slowness has called for.
func TestPoisonedQuery(t *testing.T) {
	t.Parallel()
	c := coordinatorsOf(t, "poison", 1)
	if err := c.StartAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.settle(t, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	got := patient(ctx, c.URL, endless)
	old(ctx, t, c.URL, endless, false)
	var a result
	kills := 0
	for a.err == nil && a.rows == nil && kills < 30 { // on a slow machine some live for long
		if kills%4 == 1 {
			if out, err := admin(t, c.settle(t, 1), "transfer-leader"); err != nil {
				t.Errorf("%s %v", out, err)
			}
		}
		c.replace(ctx, t, c.settle(t, 1))
		kills++
		select {
		case a = <-got:
		case <-time.After(100 * time.Millisecond):
		}
	}
	if kills < 5 || a.err == nil || !strings.HasPrefix(a.err.Error(), "GENERIC_INTERNAL_ERROR") || !strings.Contains(a.err.Error(), "is given up: 8 coordinators") {
		t.Errorf("after %d kills: %v, %v", kills, a.rows, a.err)
	}
	gone(t, c, endless)
	must(t, c.URL, "SELECT 1", "1")
}

// TestCatalogsOfTakenOver: a query whose catalog is dropped, and made anew with
// other settings, goes on with the one it began with when its leader is killed;
// with leaders that were started since, which do not know that one, it ends with
// an error that names it. New queries see the new one only.
func TestCatalogsOfTakenOver(t *testing.T) {
	t.Parallel()
	c := coordinatorsOf(t, "takencatalogs", 2)
	if err := c.StartAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.settle(t, 2)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	r := &reader{url: c.URL, again: true}
	run := func(sql string) []string {
		t.Helper()
		rows, err := r.query(ctx, sql, nil)
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		return rows
	}
	// anew drops the catalog of a query that runs and makes another of its name.
	anew := func(sql string) <-chan result {
		t.Helper()
		run("DROP CATALOG IF EXISTS made")
		run("CREATE CATALOG made USING tpch")
		got := patient(ctx, c.URL, sql)
		old(ctx, t, c.URL, sql, true)
		run("DROP CATALOG made")
		if _, err := r.query(ctx, "SELECT count(*) FROM made.tiny.nation", nil); err == nil || !strings.HasPrefix(err.Error(), "CATALOG_NOT_FOUND") {
			t.Errorf("dropped: %v", err)
		}
		run(`CREATE CATALOG made USING tpch WITH ("column-naming" = 'standard')`)
		return got
	}
	fresh := func() {
		t.Helper()
		c.settle(t, 2)
		for _, x := range c.All {
			must(t, x.URL(), "SELECT count(n_name) FROM made.tiny.nation", "25")
			if _, err := (&reader{url: x.URL()}).query(ctx, "SELECT count(name) FROM made.tiny.nation", nil); err == nil || !strings.HasPrefix(err.Error(), "COLUMN_NOT_FOUND") {
				t.Errorf("%s: the old catalog's column: %v", x.ID, err)
			}
		}
	}

	sql := strings.ReplaceAll(longer, "tpch.", "made.")
	got := anew(sql)
	c.replace(ctx, t, c.settle(t, 2))
	fresh()
	a := <-got
	if want := run(longer); a.err != nil || len(a.rows) != 1 || a.rows[0] != want[0] {
		t.Errorf("taken over: %v %v, want %v", a.rows, a.err, want)
	}

	got = anew(strings.ReplaceAll(endless, "tpch.", "made."))
	lead := c.settle(t, 2)
	for i, x := range c.All {
		if x != lead {
			c.Kill(x)
			if err := c.Start(i); err != nil {
				t.Fatal(err)
			}
			c.settle(t, 2)
		}
	}
	c.replace(ctx, t, lead)
	if a := <-got; a.err == nil || !strings.HasPrefix(a.err.Error(), "CATALOG_NOT_FOUND") || !strings.Contains(a.err.Error(), "'made'") {
		t.Errorf("taken over by one that does not know its catalog: %v %v", a.rows, a.err)
	}
	fresh()
}
