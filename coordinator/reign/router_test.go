package reign

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tuttidb/tutti/coordinator/meta"
)

func TestForward(t *testing.T) {
	c := newCluster(t)
	a, b := c.add("a", nil), c.add("b", nil)
	a.rule(says("a"))
	for _, x := range []struct{ method, path, body, want string }{
		{"GET", "/v1/query", "", `a: GET /v1/query ""`},
		{"POST", "/v1/statement", "INSERT INTO t VALUES 1", `a: POST /v1/statement "INSERT INTO t VALUES 1"`},
		{"DELETE", "/v1/statement/executing/q/s/1", "", `a: DELETE /v1/statement/executing/q/s/1 ""`},
		{"PUT", "/v1/query/q/killed", "because", `a: PUT /v1/query/q/killed "because"`},
		{"GET", "/ui/x.js", "", "local b"},
		{"GET", "/healthz", "", "local b"},
		{"GET", "/", "", "local b"},
		{"GET", "/v1/info/state", "", "local b"},
	} {
		if got := b.ask(x.method, x.path, x.body); got.code != 200 || got.text != x.want {
			t.Errorf("%s %s: %d %s", x.method, x.path, got.code, got.text)
		}
	}
	if got := a.ask("GET", "/v1/query", ""); got.text != `a: GET /v1/query ""` {
		t.Errorf("the leader itself: %s", got.text)
	}
}

// TestForwardKeeps: the leader sees which host the client asked for, and where
// the client is; what a proxy before said of that stays.
func TestForwardKeeps(t *testing.T) {
	c := newCluster(t)
	a, b := c.add("a", nil), c.add("b", nil)
	a.rule(func(w http.ResponseWriter, r *http.Request, _ <-chan struct{}) bool {
		w.Header().Add("X-Trino-Set-Session", "a=b")
		w.Header().Add("X-Trino-Set-Session", "c=d")
		w.Header().Set("Content-Encoding", "gzip")
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprintf(w, "%s %v %v %v %v %v", r.Host, r.Header["X-Forwarded-For"], r.Header["X-Forwarded-Proto"], r.Header["X-Forwarded-Host"], r.Header["Accept-Encoding"], r.Header["X-Trino-User"])
		return true
	})
	for _, x := range []struct {
		header map[string]string
		want   string
	}{
		{nil, "tutti.example [127.0.0.1] [] [] [identity] [ann]"},
		{map[string]string{"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "far.example"},
			"tutti.example [1.2.3.4] [https] [far.example] [identity] [ann]"},
	} {
		req, err := http.NewRequest("GET", b.web.URL+"/v1/node", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "tutti.example"
		req.Header.Set("X-Trino-User", "ann")
		req.Header.Set("Accept-Encoding", "identity")
		for k, v := range x.header {
			req.Header.Set(k, v)
		}
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if string(text) != x.want || resp.StatusCode != 202 || len(resp.Header["X-Trino-Set-Session"]) != 2 || resp.Header.Get("Content-Encoding") != "gzip" {
			t.Errorf("%d %v %s", resp.StatusCode, resp.Header, text)
		}
	}
}

// TestHeld: requests wait for a leader, and go on as soon as there is one.
func TestHeld(t *testing.T) {
	c := newCluster(t)
	a, b := c.add("a", nil), c.add("b", nil)
	got := make(chan reply, 4)
	go func() { got <- a.ask("GET", "/v1/query", "") }()
	go func() { got <- b.ask("GET", "/v1/query", "") }()
	go func() { got <- a.ask("POST", "/v1/statement", "INSERT") }()
	go func() { got <- b.ask("POST", "/v1/statement", "INSERT") }()
	for a.router.Held() < 2 || b.router.Held() < 2 {
		time.Sleep(time.Millisecond)
	}
	if a.router.Ready() == nil {
		t.Error("ready without a leader")
	}
	c.lead("a") // which takes over: still nobody answers
	time.Sleep(20 * time.Millisecond)
	if len(got) != 0 || a.router.Ready() == nil || b.router.Ready() != nil {
		t.Error("answered before anybody ruled", len(got), a.router.Ready(), b.router.Ready())
	}
	a.rule(says("a"))
	for range 4 {
		if r := <-got; r.code != 200 || !strings.HasPrefix(r.text, "a: ") {
			t.Errorf("%d %s", r.code, r.text)
		}
	}
	if a.router.Held() != 0 || b.router.Held() != 0 || a.router.Ready() != nil {
		t.Error("requests are still held")
	}
}

// TestNoMajority: after a while the client is told who is missing.
func TestNoMajority(t *testing.T) {
	for _, x := range []struct {
		members []meta.Member
		want    string
	}{
		{[]meta.Member{{ID: "c1", Reachable: true}, {ID: "c2"}, {ID: "c3"}}, "No majority of coordinators: c2, c3 do not answer"},
		{[]meta.Member{{ID: "c1", Reachable: true}, {ID: "c2", Reachable: true, Failure: "disk"}, {ID: "c3"}}, "No majority of coordinators: c2 (has failed), c3 do not answer"},
		{[]meta.Member{{ID: "c1", Reachable: true}, {ID: "c2"}}, "No majority of coordinators: c2 does not answer"},
		{[]meta.Member{{ID: "c1", Reachable: true}, {ID: "c2", Reachable: true}, {ID: "c3"}}, "The coordinators have not agreed yet on who leads; try again"},
	} {
		c := newCluster(t)
		c.members = x.members
		n := c.add("c1", func(cfg *Config) { cfg.Hold, cfg.HoldStatement = 30*time.Millisecond, 10*time.Millisecond })
		for _, method := range []string{"GET", "POST"} {
			r := n.ask(method, "/v1/statement", "SELECT 1")
			if r.code != 503 || r.text != x.want || r.Get("Retry-After") != "1" {
				t.Errorf("%s: %d %s %v", method, r.code, r.text, r.Header)
			}
		}
	}
}

// TestAbandoned: what waits in a reign that ends goes to the next one.
func TestAbandoned(t *testing.T) {
	waits := func(entered chan<- string) func(w http.ResponseWriter, r *http.Request, ended <-chan struct{}) bool {
		return func(w http.ResponseWriter, r *http.Request, ended <-chan struct{}) bool {
			b, _ := io.ReadAll(r.Body)
			w.Header().Set("X-Left", "over")
			entered <- string(b)
			<-ended
			return false
		}
	}
	c := newCluster(t)
	a, b := c.add("a", nil), c.add("b", nil)
	entered := make(chan string)
	end := a.rule(waits(entered))
	got := make(chan reply, 4)
	for _, n := range []*testNode{a, b} {
		go func() { got <- n.ask("GET", "/v1/statement/executing/q/0123456789abcdef0123456789abcdef/1", "") }()
		go func() { got <- n.ask("POST", "/v1/statement", "SELECT 1") }()
		<-entered
		<-entered
	}
	c.lead("")
	end()
	b.rule(says("b"))
	for range 4 {
		if r := <-got; r.code != 200 || !strings.HasPrefix(r.text, "b: ") || r.Get("X-Left") != "" {
			t.Errorf("%d %s %v", r.code, r.text, r.Header)
		}
	}
}

// TestNamed: a statement keeps its name wherever it is sent, which no client
// gives it.
func TestNamed(t *testing.T) {
	c := newCluster(t)
	a, b := c.add("a", nil), c.add("b", nil)
	seen := make(chan string, 10)
	note := func(r *http.Request) { seen <- fmt.Sprint(r.Header["X-Name"]) }
	end := a.rule(func(_ http.ResponseWriter, r *http.Request, ended <-chan struct{}) bool {
		note(r)
		<-ended
		return false
	})
	got := make(chan error, 1)
	go func() {
		req, err := http.NewRequest("POST", b.web.URL+"/v1/statement", strings.NewReader("INSERT INTO t VALUES 1"))
		if err != nil {
			got <- err
			return
		}
		req.Header.Set("X-Name", "mine")
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			resp.Body.Close()
		}
		got <- err
	}()
	first := <-seen
	c.lead("")
	end()
	b.rule(func(_ http.ResponseWriter, r *http.Request, _ <-chan struct{}) bool { note(r); return true })
	if err := <-got; err != nil {
		t.Fatal(err)
	}
	if len(first) != len("[]")+32 || strings.Contains(first, "mine") {
		t.Errorf("named %s", first)
	}
	if again := <-seen; again != first {
		t.Errorf("first %s, then %s", first, again)
	}
	b.ask("POST", "/v1/statement", "SELECT 1")
	if other := <-seen; other == first || len(other) != len(first) {
		t.Errorf("another statement is %s", other)
	}
	b.ask("GET", "/v1/query", "")
	if other := <-seen; other != "[]" {
		t.Errorf("another request is %s", other)
	}
}

// rude is a leader that closes connections in the middle, n times, then obeys.
type rude struct {
	mu    sync.Mutex
	n     int
	after string // what it says before
}

func (d *rude) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	d.mu.Lock()
	d.n--
	angry := d.n >= 0
	d.mu.Unlock()
	if !angry {
		fmt.Fprint(w, "at last")
		return
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	fmt.Fprint(conn, d.after)
	conn.Close()
}

// TestLostOnTheWay: the leader's connection breaks at different points. What
// can be sent again is, and its client sees nothing of it.
func TestLostOnTheWay(t *testing.T) {
	const half = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of the pa"
	for _, x := range []struct {
		name, method, body, after string
		code                      int
		want                      string
	}{
		{"get before", "GET", "", "", 200, "at last"},
		{"get in the head", "GET", "", "HTTP/1.1 200 OK\r\nCont", 200, "at last"},
		{"get in the page", "GET", "", half, 200, "at last"},
		{"delete", "DELETE", "", "", 200, "at last"},
		{"select", "POST", "-- all\nselect 1", half, 200, "at last"},
		{"insert", "POST", "INSERT INTO t VALUES 1", "", 200, "at last"},
		{"insert in the answer", "POST", "INSERT INTO t VALUES 1", half, 200, "at last"},
		{"not leading", "POST", "INSERT INTO t VALUES 1", "HTTP/1.1 421 Misdirected Request\r\n" + notLeading + ": a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", 200, "at last"},
	} {
		t.Run(x.name, func(t *testing.T) {
			c := newCluster(t)
			b := c.add("b", nil)
			s := httptest.NewServer(&rude{n: 3, after: x.after})
			defer s.Close()
			c.mu.Lock()
			c.inner["a"] = s.Listener.Addr().String()
			c.mu.Unlock()
			c.lead("a")
			if r := b.ask(x.method, "/v1/statement", x.body); r.code != x.code || !strings.Contains(r.text, x.want) {
				t.Errorf("%d %s", r.code, r.text)
			}
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		c := newCluster(t)
		b := c.add("b", nil)
		c.lead("a") // an address that is not known
		got := make(chan reply, 1)
		go func() { got <- b.ask("POST", "/v1/statement", "INSERT INTO t VALUES 1") }()
		for b.router.Held() == 0 {
			time.Sleep(time.Millisecond)
		}
		b.rule(says("b"))
		if r := <-got; r.code != 200 || !strings.HasPrefix(r.text, "b: ") {
			t.Errorf("%d %s", r.code, r.text)
		}
	})
}

// TestHungLeader: a leader that answers no more keeps nobody once another leads.
func TestHungLeader(t *testing.T) {
	c := newCluster(t)
	a, b := c.add("a", nil), c.add("b", nil)
	entered, never := make(chan struct{}, 1), make(chan struct{})
	a.rule(func(http.ResponseWriter, *http.Request, <-chan struct{}) bool {
		entered <- struct{}{}
		<-never
		return true
	})
	defer close(never)
	got := make(chan reply, 1)
	go func() { got <- b.ask("GET", "/v1/query", "") }()
	<-entered
	c.lead("")
	b.rule(says("b"))
	select {
	case r := <-got:
		if r.code != 200 || !strings.HasPrefix(r.text, "b: ") {
			t.Errorf("%d %s", r.code, r.text)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("it waits for the old leader")
	}
}

// TestNoEchoes: two that take each other for the leader do not send requests
// to and fro; a stranger to the reign says so.
func TestNoEchoes(t *testing.T) {
	c := newCluster(t)
	a, b := c.add("a", nil), c.add("b", nil)
	c.mu.Lock()
	c.blind["a"], c.blind["b"] = "b", "a"
	c.mu.Unlock()
	got := make(chan reply, 1)
	go func() { got <- a.ask("GET", "/v1/query", "") }()
	for a.router.Held() == 0 {
		time.Sleep(time.Millisecond)
	}
	if b.router.Held() != 0 {
		t.Error("b holds what a forwarded")
	}
	c.mu.Lock()
	clear(c.blind)
	c.mu.Unlock()
	b.rule(says("b"))
	if r := <-got; !strings.HasPrefix(r.text, "b: ") {
		t.Errorf("%d %s", r.code, r.text)
	}
}

// TestLongAnswers flow, and long bodies arrive.
func TestLongAnswers(t *testing.T) {
	c := newCluster(t)
	a, b := c.add("a", nil), c.add("b", func(cfg *Config) { cfg.MaxBody = 1 << 20 })
	a.rule(func(w http.ResponseWriter, r *http.Request, _ <-chan struct{}) bool {
		n, _ := io.Copy(io.Discard, r.Body)
		for range 2 * wholeBody / (1 << 20) {
			fmt.Fprint(w, strings.Repeat(fmt.Sprint(n%10), 1<<20))
		}
		return true
	})
	for _, size := range []int{7, 1 << 20, 1<<20 + 1, 3 << 20} {
		want := min(size, 1<<20+1)
		r := b.ask("POST", "/v1/statement", strings.Repeat("x", size))
		if len(r.text) != 2*wholeBody || r.text[:1] != fmt.Sprint(want%10) {
			t.Errorf("%d bytes: %d %.50s, %d bytes back", size, r.code, r.text, len(r.text))
		}
	}
}

// TestClientLeaves: nobody waits for a client that has gone.
func TestClientLeaves(t *testing.T) {
	c := newCluster(t)
	a, b := c.add("a", nil), c.add("b", nil)
	leave := func(n *testNode) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, "GET", n.web.URL+"/v1/query", nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			resp.Body.Close()
			t.Error("answered")
		}
	}
	leave(b) // while nobody leads
	left := make(chan struct{})
	a.rule(func(_ http.ResponseWriter, r *http.Request, _ <-chan struct{}) bool {
		<-r.Context().Done()
		close(left)
		return true
	})
	leave(b)
	select {
	case <-left:
	case <-time.After(5 * time.Second):
		t.Error("the leader was not told")
	}
	for b.router.Held() != 0 {
		time.Sleep(time.Millisecond)
	}
}

// TestClosed: a router that is closed holds nobody.
func TestClosed(t *testing.T) {
	c := newCluster(t)
	a := c.add("a", nil)
	got := make(chan reply, 1)
	go func() { got <- a.ask("GET", "/v1/query", "") }()
	for a.router.Held() == 0 {
		time.Sleep(time.Millisecond)
	}
	a.router.Close()
	if r := <-got; r.code != 503 || r.text != "this coordinator is shutting down" {
		t.Errorf("%d %s", r.code, r.text)
	}
}

// TestNoReign: who cannot begin one does not lead.
func TestNoReign(t *testing.T) {
	c := newCluster(t)
	a := c.add("a", nil)
	broken := errors.New("no memory")
	if err := a.router.Lead(t.Context(), func(context.Context) (Reign, error) { return nil, broken }); !errors.Is(err, broken) {
		t.Error(err)
	}
	if a.router.Ready() == nil {
		t.Error("ready")
	}
}

// TestSilentLeader: a leader that takes requests and answers none is given up,
// though nobody takes its place; so is one whose reign does not begin.
func TestSilentLeader(t *testing.T) {
	for _, begins := range []bool{true, false} {
		c := newCluster(t)
		a := c.add("a", nil)
		b := c.add("b", func(cfg *Config) { cfg.Answer, cfg.Hold = 50*time.Millisecond, 100*time.Millisecond })
		never := make(chan struct{})
		if begins {
			a.rule(func(http.ResponseWriter, *http.Request, <-chan struct{}) bool { <-never; return true })
		} else {
			c.lead("a")
		}
		got := make(chan reply, 1)
		go func() { got <- b.ask("GET", "/v1/query", "") }()
		select {
		case r := <-got:
			if r.code != http.StatusServiceUnavailable || r.Get("Retry-After") == "" {
				t.Errorf("%d %s", r.code, r.text)
			}
		case <-time.After(5 * time.Second):
			t.Errorf("begins %v: it waits for ever", begins)
		}
		close(never)
	}
}

// TestExpect: a client that asks whether to send its body is told once.
func TestExpect(t *testing.T) {
	c := newCluster(t)
	a, b := c.add("a", nil), c.add("b", nil)
	a.rule(says("a"))
	for _, n := range []*testNode{a, b} {
		conn, err := net.Dial("tcp", n.web.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprint(conn, "POST /v1/statement HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: 8\r\n\r\nSELECT 1")
		answer, err := io.ReadAll(conn)
		if err != nil || strings.Count(string(answer), "100 Continue") != 1 || !strings.HasSuffix(string(answer), `"SELECT 1"`) {
			t.Errorf("%s: %v %q", n.id, err, answer)
		}
	}
}
