package server

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

// raw is a server on a port as a process has it, for clients that send bytes.
// It is as patient as that: of a header that is cut where its time is up Go's
// server may take the half line for a malformed one, and answer 400.
type raw struct {
	*harness
	address string
}

func newRaw(t *testing.T, change func(*http.Server)) *raw {
	t.Helper()
	h := newHarness(t, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := HTTP(h.server, slog.New(slog.DiscardHandler))
	if change != nil {
		change(s)
	}
	go func() { _ = s.Serve(l) }() // ends with Close
	t.Cleanup(func() { _ = s.Close() })
	return &raw{h, l.Addr().String()}
}

func (r *raw) dial() *net.TCPConn {
	r.t.Helper()
	c, err := net.Dial("tcp", r.address)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		r.t.Fatal(err)
	}
	return c.(*net.TCPConn)
}

// send sends bytes and returns the answer's status, 0 if there is none, and
// text. The server may hang up before all is sent.
func (r *raw) send(text string) (int, string) {
	r.t.Helper()
	c := r.dial()
	defer c.Close()
	_, _ = io.WriteString(c, text)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0, ""
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body) // as far as it came
	return resp.StatusCode, string(body)
}

func post(header, body string) string {
	return fmt.Sprintf("POST /v1/statement HTTP/1.1\r\nHost: x\r\nX-Trino-User: ann\r\n%sContent-Length: %d\r\n\r\n%s", header, len(body), body)
}

func get(path string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: x\r\nX-Trino-User: ann\r\nConnection: close\r\n\r\n"
}

// TestHostileRequests: what no client of good will sends gets a clear refusal
// and changes nothing.
func TestHostileRequests(t *testing.T) {
	r := newRaw(t, nil)
	for _, c := range []struct {
		name, send string
		want       int
	}{
		{"no HTTP", "hello\r\n\r\n", 400},
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400},
		{"no host", "GET /healthz HTTP/1.1\r\n\r\n", 400},
		{"two hosts", "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
		{"host with markup", "GET /healthz HTTP/1.1\r\nHost: <script>\r\n\r\n", 400},
		{"another version", "GET /healthz HTTP/3.7\r\nHost: x\r\n\r\n", 505},
		{"negative length", "POST /v1/statement HTTP/1.1\r\nHost: x\r\nX-Trino-User: a\r\nContent-Length: -1\r\n\r\n", 400},
		{"two lengths", "POST /v1/statement HTTP/1.1\r\nHost: x\r\nX-Trino-User: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nrows 1", 400},
		{"bad chunks", "POST /v1/statement HTTP/1.1\r\nHost: x\r\nX-Trino-User: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nrows 1\r\n", 400},
		{"unknown encoding", "POST /v1/statement HTTP/1.1\r\nHost: x\r\nX-Trino-User: a\r\nTransfer-Encoding: rot13\r\n\r\nrows 1", 501},
		{"giant header", post("X-Trino-Client-Info: "+strings.Repeat("x", 5<<20)+"\r\n", "rows 1"), 431},
		{"many headers", post(strings.Repeat("X-Trino-Client-Tags: aaaaaaaaaaaaaaa\r\n", 200_000), "rows 1"), 431},
		{"giant path", get("/v1/query/" + strings.Repeat("x", 5<<20)), 431},
		{"line break in a header", post("X-Trino-Source: a\rb\r\n", "rows 1"), 400},
		{"zero in a header", post("X-Trino-Source: a\x00b\r\n", "rows 1"), 400},
		{"header without a name", post(": x\r\n", "rows 1"), 400},

		{"SQL that is not UTF-8", post("", "rows 1 \xff\xfe"), 400},
		{"SQL cut within a character", post("", "rows 1 \xc3"), 400},
		{"SQL of blanks", post("", " \t\r\n\u00a0"), 400},
		{"prepared without value", post("X-Trino-Prepared-Statement: p\r\n", "rows 1"), 400},
		{"prepared without name", post("X-Trino-Prepared-Statement: =select\r\n", "rows 1"), 400},
		{"prepared with half an escape", post("X-Trino-Prepared-Statement: p=%4\r\n", "rows 1"), 400},
		{"prepared that is not UTF-8", post("X-Trino-Prepared-Statement: p=select+%FF%FE\r\n", "rows 1"), 400},
		{"prepared name that is not UTF-8", post("X-Trino-Prepared-Statement: %FF=select+1\r\n", "rows 1"), 400},
		{"one good, one bad prepared", post("X-Trino-Prepared-Statement: p=select+1, q\r\n", "rows 1"), 400},
		{"session without name", post("X-Trino-Session: =1\r\n", "rows 1"), 400},
		{"session value that is not UTF-8", post("X-Trino-Session: a=%FF\r\n", "rows 1"), 400},
		{"user of blanks", strings.Replace(post("", "rows 1"), "X-Trino-User: ann", "X-Trino-User:   ", 1), 401},
		{"bad Basic authentication", "POST /v1/statement HTTP/1.1\r\nHost: x\r\nAuthorization: Basic !!!\r\nContent-Length: 6\r\n\r\nrows 1", 401},

		{"method that does not fit", strings.Replace(post("", "rows 1"), "POST", "PATCH", 1), 405},
		{"made-up method", strings.Replace(get("/v1/info"), "GET", "BREW", 1), 405},
		{"TRACE", strings.Replace(get("/v1/info"), "GET", "TRACE", 1), 405},
		{"POST to a page", strings.Replace(post("", ""), "/v1/statement", "/v1/statement/executing/q/s/1", 1), 405},
		{"path out of the tree", get("/v1/statement/../../etc/passwd"), 404},
		{"encoded path out of the tree", get("/ui/%2e%2e/%2e%2e/etc/passwd"), 404},
		{"zero in a path", get("/v1/query/%00"), 404},
		{"half an escape in a path", get("/v1/query/%4"), 400},
		{"query that is not there", get("/v1/query/<script>alert(1)</script>"), 404},
		{"list without end", get("/v1/query?limit=-1"), 400},
		{"list by a word", get("/v1/query?limit=all"), 400},
		{"unknown partial cancel", strings.Replace(get("/v1/statement/partialCancel/q/s"), "GET", "DELETE", 1), 404},
		{"kill without a query", strings.Replace(get("/v1/query/nosuch/killed"), "GET", "PUT", 1), 404},
	} {
		before := r.engine.count()
		code, text := r.send(c.send)
		if code == 301 || code == 307 {
			code = 404 // sent to a cleaned path, outside of what is served
		}
		if code == 0 && c.want == 431 {
			code = 431 // it hung up while we still sent, and the answer got lost
		}
		if code != c.want {
			t.Errorf("%s: %d %.200s, want %d", c.name, code, text, c.want)
		}
		if strings.Contains(text, ".go:") || strings.Contains(text, "goroutine") || strings.Contains(text, "<script>") {
			t.Errorf("%s: the answer tells too much: %.200s", c.name, text)
		}
		if n := r.engine.count(); n != before {
			t.Errorf("%s: a statement was run", c.name)
		}
	}
	if code, _ := r.send(get("/healthz")); code != 200 {
		t.Errorf("afterwards: %d", code)
	}
}

func (e *fakeEngine) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.made
}

// TestOddButGood: unusual requests that must work.
func TestOddButGood(t *testing.T) {
	r := newRaw(t, nil)
	for _, c := range []struct{ name, send string }{
		{"large prepared statement", post("X-Trino-Prepared-Statement: p="+strings.Repeat("x", 2<<20)+"\r\n", "rows 1")},
		{"chunks", "POST /v1/statement HTTP/1.1\r\nHost: x\r\nX-Trino-User: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nrows\r\n2\r\n 1\r\n0\r\n\r\n"},
		{"HTTP/1.0", "POST /v1/statement HTTP/1.0\r\nX-Trino-User: a\r\nContent-Length: 6\r\n\r\nrows 1"},
		{"user in Latin-1", strings.Replace(post("", "rows 1"), "ann", "Ren\xe9e", 1)},
		{"tags with gaps", post("X-Trino-Client-Tags: ,,a,,b,\r\n", "rows 1")},
		{"unknown encoding of rows", post("X-Trino-Query-Data-Encoding: morse\r\n", "rows 1")},
		{"unknown headers", post("X-Trino-Nosuch: 1\r\nX-Presto-User: b\r\n", "rows 1")},
	} {
		if code, text := r.send(c.send); code != 200 {
			t.Errorf("%s: %d %.200s", c.name, code, text)
		}
	}
	for _, q := range r.engine.queries {
		if user := q.req.Session.User; user != "a" && user != "ann" && user != "Renée" {
			t.Errorf("user is %q", user)
		}
	}
}

// TestHostileTokens: pages that are not the last one or the next one.
func TestHostileTokens(t *testing.T) {
	h := newHarness(t, nil)
	p, _, _ := h.page("POST", "/v1/statement", "endless")
	cut := strings.LastIndexByte(p.NextURI, '/')
	base := p.NextURI[:cut+1]
	for _, c := range []struct {
		token string
		want  int
	}{
		{"0", 410}, {"-1", 410}, {"2", 410}, {"3", 410}, {"9223372036854775807", 410}, {"-9223372036854775808", 410},
		{"9223372036854775808", 404}, {"1e3", 404}, {"0x1", 404}, {"one", 404}, {"%31%00", 404}, {"1%2F2", 404}, {"%20", 404}, {"1%20", 404},
		{"١", 404}, {"1_0", 404}, {"1", 200}, {"01", 200}, {"0", 410},
	} {
		if resp, text := h.do("GET", base+c.token, ""); resp.StatusCode != c.want {
			t.Errorf("token %q: %s %.100s, want %d", c.token, resp.Status, text, c.want)
		}
	}
	// The page that was asked for is there again, the next one follows, and
	// the one before the last is gone.
	first, _, again := h.page("GET", base+"1", "")
	if _, _, text := h.page("GET", base+"1", ""); text != again {
		t.Error("the page differs the second time")
	}
	second, _, _ := h.page("GET", first.NextURI, "")
	if resp, _ := h.do("GET", base+"1", ""); resp.StatusCode != http.StatusGone {
		t.Errorf("the page before the last: %s", resp.Status)
	}
	if resp, _ := h.do("GET", second.NextURI+"0", ""); resp.StatusCode != http.StatusGone {
		t.Errorf("a page far ahead: %s", resp.Status)
	}
	h.page("GET", second.NextURI, "")
}

// TestHostileSlugs: without the slug nobody sees or ends a statement.
func TestHostileSlugs(t *testing.T) {
	h := newHarness(t, nil)
	p, _, _ := h.page("POST", "/v1/statement", "endless")
	parts := strings.Split(p.NextURI, "/")
	slug := parts[len(parts)-2]
	for _, wrong := range []string{
		"x", strings.ToUpper(slug) + "0", slug + "0", slug[:len(slug)-1], strings.Repeat("0", len(slug)), strings.Repeat("f", 1<<16), "%00", "%2e%2e", "*",
	} {
		for _, method := range []string{"GET", "HEAD", "DELETE"} {
			uri := strings.Replace(p.NextURI, "/"+slug+"/", "/"+wrong+"/", 1)
			if resp, text := h.do(method, uri, ""); resp.StatusCode != http.StatusNotFound || strings.Contains(text, slug) {
				t.Errorf("%s with slug %.40q: %s %.100s", method, wrong, resp.Status, text)
			}
		}
		if resp, _ := h.do("DELETE", "/v1/statement/partialCancel/"+p.ID+"/"+wrong, ""); resp.StatusCode != http.StatusNotFound {
			t.Errorf("partial cancel with slug %.40q: %s", wrong, resp.Status)
		}
	}
	if q, _, _ := h.page("GET", p.NextURI, ""); q.NextURI == "" {
		t.Error("somebody has ended the statement")
	}
}

// TestBrokenConnections: clients that vanish, close half of the connection or
// send too slowly leave nothing behind.
func TestBrokenConnections(t *testing.T) {
	r := newRaw(t, func(s *http.Server) { s.ReadHeaderTimeout, s.ReadTimeout = 300*time.Millisecond, 600*time.Millisecond })
	p, _, _ := r.page("POST", "/v1/statement", "never")
	path := strings.TrimPrefix(p.NextURI, r.URL)
	threads := runtime.NumGoroutine()
	for _, c := range []struct {
		name, send string
		half       bool
	}{
		{"nothing sent", "", false},
		{"nothing sent, half closed", "", true},
		{"half a request line", "GET /v1/in", true},
		{"half a header", "GET /v1/info HTTP/1.1\r\nHost: x\r\nX-Tri", false},
		{"half a body", strings.TrimSuffix(post("", strings.Repeat("x", 100)), strings.Repeat("x", 60)), true},
		{"half a body, gone", strings.TrimSuffix(post("", strings.Repeat("x", 100)), strings.Repeat("x", 60)), false},
		{"half a chunk", "POST /v1/statement HTTP/1.1\r\nHost: x\r\nX-Trino-User: a\r\nTransfer-Encoding: chunked\r\n\r\n40\r\nrows", true},
		{"long poll, half closed", get(path), true},
		{"long poll, gone", get(path), false},
		{"many requests at once, gone", strings.Repeat(strings.Replace(get(path), "Connection: close\r\n", "", 1), 50), false},
	} {
		before := r.engine.count()
		for range 10 {
			conn := r.dial()
			_, _ = io.WriteString(conn, c.send)
			if c.half {
				if err := conn.CloseWrite(); err != nil {
					t.Fatal(err)
				}
				answer, _ := io.ReadAll(conn) // until the server hangs up, within the connection's deadline
				if len(answer) > 0 && !strings.HasPrefix(string(answer), "HTTP/1.1 4") && !strings.HasPrefix(string(answer), "HTTP/1.1 200") {
					t.Errorf("%s: %.100s", c.name, answer)
				}
			}
			_ = conn.Close()
		}
		if n := r.engine.count(); n != before {
			t.Errorf("%s: %d statements were run", c.name, n-before)
		}
	}
	slow := r.dial() // sends nothing and stays: the server ends it
	defer slow.Close()
	if n, err := slow.Read(make([]byte, 1)); err == nil || n != 0 {
		t.Errorf("a silent connection got %d bytes, %v", n, err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for runtime.NumGoroutine() > threads+5 {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), threads)
		}
		time.Sleep(10 * time.Millisecond)
	}
	if q, _, _ := r.page("GET", p.NextURI, ""); q.NextURI == "" {
		t.Error("the statement has ended")
	}
}
