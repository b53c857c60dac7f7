package reign

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

const someSlug = "0123456789abcdef0123456789abcdef"

// TestMisspelled: while nobody leads a page that no coordinator could have named
// is not waited for; one that could is.
func TestMisspelled(t *testing.T) {
	c := newCluster(t)
	n := c.add("a", func(cfg *Config) { cfg.Hold = 20 * time.Millisecond })
	page := func(rest string) string { return "/v1/statement/" + rest }
	for path, want := range map[string]int{
		page("executing/q/" + someSlug + "/1"):                                       503,
		page("queued/20260304_050607_00001_abcde/" + someSlug + "/9007199254740991"): 503,
		page("partialCancel/q/" + someSlug):                                          503,
		page("scheduled/q/" + someSlug + "/1"):                                       503, // some other release's
		page("executing/q/" + someSlug + "/0"):                                       404,
		page("executing/q/" + someSlug + "/-1"):                                      404,
		page("executing/q/" + someSlug + "/x"):                                       404,
		page("executing/q/" + someSlug + "/9223372036854775808"):                     404,
		page("executing/q/" + someSlug):                                              404,
		page("executing/q/" + someSlug + "/1/2"):                                     404,
		page("executing/q/" + someSlug[1:] + "/1"):                                   404,
		page("executing/q/" + someSlug + "00/1"):                                     404,
		page("executing/q/" + strings.Repeat("g", 32) + "/1"):                        404,
		page("executing/q/" + strings.Repeat("f", 1<<16) + "/1"):                     404,
		page("queued/"): 404,
	} {
		for _, method := range []string{"GET", "HEAD", "DELETE"} {
			if got := n.ask(method, path, ""); got.code != want {
				t.Errorf("%s %.100s: %d %s, want %d", method, path, got.code, got.text, want)
			}
		}
	}
	c.add("b", nil).rule(says("b"))
	if got := n.ask("GET", page("executing/q/s/1"), ""); got.code != 200 {
		t.Errorf("who leads was not asked: %d %s", got.code, got.text)
	}
}

// TestHeldIsBounded: requests beyond a number are refused rather than held, and
// those that are held are answered still.
func TestHeldIsBounded(t *testing.T) {
	c := newCluster(t)
	n := c.add("a", func(cfg *Config) { cfg.MaxHeld = 3 })
	got := make(chan reply, 3)
	for range 3 {
		go func() { got <- n.ask("GET", "/v1/query", "") }()
	}
	for n.router.Held() < 3 {
		time.Sleep(time.Millisecond)
	}
	for _, method := range []string{"GET", "POST", "DELETE"} {
		if r := n.ask(method, "/v1/statement", ""); r.code != 503 || r.Get("Retry-After") != "1" || !strings.HasPrefix(r.text, "too many requests wait") {
			t.Errorf("%s: %d %s %v", method, r.code, r.text, r.Header)
		}
	}
	n.rule(says("a"))
	for range 3 {
		if r := <-got; r.code != 200 {
			t.Errorf("%d %s", r.code, r.text)
		}
	}
	if r := n.ask("POST", "/v1/statement", "x"); r.code != 200 || n.router.Held() != 0 {
		t.Errorf("afterwards: %d %s, %d held", r.code, r.text, n.router.Held())
	}
}

// TestBodiesAreBounded: many large statements are refused, not kept until there
// is no memory left. What they took is free when they have gone, answered or not.
func TestBodiesAreBounded(t *testing.T) {
	c := newCluster(t)
	n := c.add("a", func(cfg *Config) { cfg.MaxBodies, cfg.HoldStatement = 1<<20, 300*time.Millisecond })
	large := strings.Repeat("x", 400<<10)
	got := make(chan reply, 8)
	for range 8 {
		go func() { got <- n.ask("POST", "/v1/statement", large) }()
	}
	refused := 0
	for range 8 {
		r := <-got
		if r.code != 503 || r.Get("Retry-After") != "1" {
			t.Errorf("%d %s", r.code, r.text)
		}
		if strings.HasPrefix(r.text, "too many large requests") {
			refused++
		}
	}
	if refused == 0 {
		t.Error("8 times 400 KB were held within 1 MB")
	}
	n.rule(says("a"))
	for range 4 {
		if r := n.ask("POST", "/v1/statement", large); r.code != 200 {
			t.Errorf("afterwards: %d %.100s", r.code, r.text)
		}
	}
	for deadline := time.Now().Add(10 * time.Second); n.router.bodies.Load() != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes are counted at the end", n.router.bodies.Load())
		}
	}
}

// TestHalfStatements: a client that disappears in the middle of its statement has
// not sent it, whether somebody leads or not.
func TestHalfStatements(t *testing.T) {
	c := newCluster(t)
	a, b := c.add("a", nil), c.add("b", nil)
	for _, leads := range []bool{false, true} {
		if leads {
			a.rule(func(w http.ResponseWriter, r *http.Request, _ <-chan struct{}) bool {
				if r.Method == http.MethodPost {
					t.Error("half a statement reached the leader")
				}
				return says("a")(w, r, nil)
			})
		}
		for _, n := range []*testNode{a, b} {
			for _, half := range []string{"Content-Length: 100\r\n\r\nSELECT", "Transfer-Encoding: chunked\r\n\r\n40\r\nSELECT", "Transfer-Encoding: chunked\r\n\r\n6\r\nSELECT\r\n"} {
				conn, err := net.Dial("tcp", n.web.Listener.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(conn, "POST /v1/statement HTTP/1.1\r\nHost: x\r\nX-Trino-User: a\r\n%s", half)
				if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
					t.Fatal(err)
				}
				_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
				if text, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(text), "HTTP/1.1 400") {
					t.Errorf("leads %v, %s, %q: %.80q %v", leads, n.id, half, text, err)
				}
				_ = conn.Close()
			}
		}
	}
	if a.router.bodies.Load() != 0 || b.router.bodies.Load() != 0 {
		t.Errorf("%d and %d bytes are counted at the end", a.router.bodies.Load(), b.router.bodies.Load())
	}
}

// TestNameCannotBeTakenOff: a client that declares the header of the name, or its
// user's, to be of its connection only does not get a statement without a name.
func TestNameCannotBeTakenOff(t *testing.T) {
	c := newCluster(t)
	a, b := c.add("a", nil), c.add("b", nil)
	names := make(chan string, 1)
	a.rule(func(w http.ResponseWriter, r *http.Request, _ <-chan struct{}) bool {
		names <- r.Header.Get("X-Name")
		return says("a")(w, r, nil)
	})
	for _, n := range []*testNode{a, b} {
		for _, connection := range []string{"X-Name", "x-name, keep-alive"} {
			req, err := http.NewRequest("POST", n.web.URL+"/v1/statement", strings.NewReader("SELECT 1"))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Connection", connection)
			req.Header.Set("X-Name", someSlug)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if name := <-names; len(name) != 2*nameBytes || name == someSlug {
				t.Errorf("by %s, Connection: %s: the statement's name is %q", n.id, connection, name)
			}
		}
	}
}
