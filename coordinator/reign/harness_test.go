package reign

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/tuttidb/tutti/coordinator/meta"
)

// cluster is what the routers of a test think of who leads.
type cluster struct {
	t       *testing.T
	mu      sync.Mutex
	leader  string
	changed chan struct{}
	inner   map[string]string // id → address
	members []meta.Member
	// blind, if set, goes on seeing an old leader.
	blind map[string]string
	nodes map[string]*testNode
}

func newCluster(t *testing.T) *cluster {
	return &cluster{t: t, changed: make(chan struct{}), inner: map[string]string{}, blind: map[string]string{}, nodes: map[string]*testNode{}}
}

// lead makes a node the leader, in everybody's eyes.
func (c *cluster) lead(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leader = id
	close(c.changed)
	c.changed = make(chan struct{})
}

// testNode is a coordinator: a router, its door for clients and that for others.
type testNode struct {
	id     string
	c      *cluster
	router *Router
	web    *httptest.Server
	inner  *httptest.Server
}

func (n *testNode) ID() string { return n.id }

func (n *testNode) Leader() (string, <-chan struct{}) {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	if old := n.c.blind[n.id]; old != "" {
		return old, n.c.changed
	}
	return n.c.leader, n.c.changed
}

func (n *testNode) DialHTTP(ctx context.Context, id string) (net.Conn, error) {
	n.c.mu.Lock()
	address := n.c.inner[id]
	n.c.mu.Unlock()
	if address == "" {
		return nil, errors.New("nobody is there")
	}
	return (&net.Dialer{}).DialContext(ctx, "tcp", address)
}

func (n *testNode) Members(context.Context) []meta.Member { return n.c.members }

func (c *cluster) add(id string, edit func(*Config)) *testNode {
	n := &testNode{id: id, c: c}
	local := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "local "+id) })
	cfg := Config{Node: n, Local: local, IsLocal: LocalPath, Log: slog.New(slog.DiscardHandler), NameHeader: "X-Name"}
	if edit != nil {
		edit(&cfg)
	}
	n.router = New(cfg)
	n.web, n.inner = httptest.NewServer(n.router), httptest.NewServer(n.router.Inner())
	c.mu.Lock()
	c.inner[id], c.nodes[id] = n.inner.Listener.Addr().String(), n
	c.mu.Unlock()
	c.t.Cleanup(func() {
		n.router.Close()
		n.web.CloseClientConnections()
		n.web.Close()
		n.inner.CloseClientConnections()
		n.inner.Close()
	})
	return n
}

// throne is a Reign that answers as handle does, and can be abandoned.
type throne struct {
	ended  chan struct{}
	handle func(w http.ResponseWriter, r *http.Request, ended <-chan struct{}) bool
}

func (t *throne) Handle(w http.ResponseWriter, r *http.Request) bool { return t.handle(w, r, t.ended) }
func (t *throne) Abandon()                                           { close(t.ended) }

// rule begins a reign of a node and returns how to end it.
func (n *testNode) rule(handle func(w http.ResponseWriter, r *http.Request, ended <-chan struct{}) bool) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	begun := make(chan struct{})
	go func() {
		defer close(done)
		_ = n.router.Lead(ctx, func(context.Context) (Reign, error) {
			close(begun)
			return &throne{ended: make(chan struct{}), handle: handle}, nil
		})
	}()
	<-begun
	n.c.lead(n.id)
	end = sync.OnceFunc(func() { cancel(); <-done })
	n.c.t.Cleanup(end)
	return end
}

// says answers with a text and what was asked.
func says(text string) func(http.ResponseWriter, *http.Request, <-chan struct{}) bool {
	return func(w http.ResponseWriter, r *http.Request, _ <-chan struct{}) bool {
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s: %s %s %q", text, r.Method, r.URL.Path, b)
		return true
	}
}

type reply struct {
	code int
	text string
	http.Header
}

// ask sends a request as a client.
func (n *testNode) ask(method, path, body string) reply {
	n.c.t.Helper()
	req, err := http.NewRequest(method, n.web.URL+path, strings.NewReader(body))
	if err != nil {
		n.c.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return reply{text: err.Error()}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return reply{code: resp.StatusCode, text: "broken: " + err.Error()}
	}
	return reply{resp.StatusCode, strings.TrimSpace(string(b)), resp.Header}
}
