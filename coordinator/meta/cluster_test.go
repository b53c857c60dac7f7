package meta

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// quick is a timing for tests on a busy machine: elections within a second.
var quick = Timing{
	Election: 400 * time.Millisecond, Call: time.Second, Grace: 500 * time.Millisecond,
	SnapshotEvery: 100 * time.Millisecond, SnapshotAfter: 500, Trailing: 100,
}

// proxy is a link from one node to another that can be cut.
type proxy struct {
	ln     net.Listener
	mu     sync.Mutex
	target string
	cut    bool
	conns  map[net.Conn]bool
}

func newProxy(t *testing.T) *proxy {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{ln: ln, conns: map[net.Conn]bool{}}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go p.carry(c)
		}
	}()
	t.Cleanup(func() { ln.Close(); p.set(true) })
	return p
}

func (p *proxy) carry(a net.Conn) {
	p.mu.Lock()
	target, cut := p.target, p.cut
	p.mu.Unlock()
	b, err := net.Dial("tcp", target)
	if cut || err != nil || !p.add(a, b) {
		a.Close()
		if b != nil {
			b.Close()
		}
		return
	}
	go func() { io.Copy(a, b); a.Close(); b.Close() }()
	io.Copy(b, a)
	a.Close()
	b.Close()
	p.mu.Lock()
	delete(p.conns, a)
	delete(p.conns, b)
	p.mu.Unlock()
}

func (p *proxy) add(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		p.conns[c] = true
	}
	return !p.cut
}

// set cuts the link or mends it.
func (p *proxy) set(cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = cut
	if cut {
		for c := range p.conns {
			c.Close()
		}
		p.conns = map[net.Conn]bool{}
	}
}

func (p *proxy) point(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
}

// group is nodes in one process, each link a proxy.
type group struct {
	t     *testing.T
	dir   string
	ids   []string
	links map[[2]string]*proxy
	edit  func(*Config)

	mu    sync.Mutex
	nodes map[string]*Node
	// led counts the times that each node led, remembered is what the last
	// leader started from.
	led  map[string]int
	last Leadership
}

func newGroup(t *testing.T, ids ...string) *group {
	g := &group{t: t, dir: t.TempDir(), ids: ids, links: map[[2]string]*proxy{}, nodes: map[string]*Node{}, led: map[string]int{}}
	for _, from := range ids {
		for _, to := range ids {
			g.links[[2]string{from, to}] = newProxy(t)
		}
	}
	t.Cleanup(func() {
		for _, id := range ids {
			g.stop(id)
		}
	})
	return g
}

// open starts a node on the folder it had before.
func (g *group) open(id string) *Node {
	g.t.Helper()
	n, err := g.try(id)
	if err != nil {
		g.t.Fatalf("open %s: %v", id, err)
	}
	return n
}

func (g *group) folder(id string) string { return filepath.Join(g.dir, id) }

func (g *group) try(id string) (*Node, error) {
	cfg := Config{ID: id, Listen: "127.0.0.1:0", Peers: map[string]string{}, Dir: g.folder(id), Timing: quick, Log: testLog()}
	for _, to := range g.ids {
		cfg.Peers[to] = g.links[[2]string{id, to}].ln.Addr().String()
	}
	cfg.Lead = func(ctx context.Context, l Leadership) error {
		g.mu.Lock()
		g.led[id]++
		g.last = l
		g.mu.Unlock()
		<-ctx.Done()
		return ctx.Err()
	}
	if g.edit != nil {
		g.edit(&cfg)
	}
	n, err := Open(cfg)
	if err != nil {
		return nil, err
	}
	for _, from := range g.ids {
		g.links[[2]string{from, id}].point(n.Addr())
	}
	g.mu.Lock()
	g.nodes[id] = n
	g.mu.Unlock()
	return n, nil
}

// testLog is silent unless TUTTI_TEST_LOG is set.
func testLog() *slog.Logger {
	if os.Getenv("TUTTI_TEST_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (g *group) openAll() *group {
	for _, id := range g.ids {
		g.open(id)
	}
	return g
}

func (g *group) node(id string) *Node {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.nodes[id]
}

// stop ends a node in an orderly way.
func (g *group) stop(id string) {
	if n := g.take(id); n != nil {
		n.Close()
	}
}

func (g *group) take(id string) *Node {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := g.nodes[id]
	delete(g.nodes, id)
	return n
}

// kill ends a node as if its process died: its links go first, nothing is
// handed over.
func (g *group) kill(id string) {
	g.isolate(id, true)
	if n := g.take(id); n != nil {
		n.closed.Do(n.shut)
	}
	g.isolate(id, false)
}

// isolate cuts all links of a node, or mends them.
func (g *group) isolate(id string, cut bool) {
	for _, other := range g.ids {
		if other != id {
			g.links[[2]string{id, other}].set(cut)
			g.links[[2]string{other, id}].set(cut)
		}
	}
}

// leader waits for a node that leads and has taken over.
func (g *group) leader() *Node {
	g.t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		g.mu.Lock()
		for _, n := range g.nodes {
			if n.ready.Load() != 0 && n.raft.VerifyLeader().Error() == nil {
				g.mu.Unlock()
				return n
			}
		}
		g.mu.Unlock()
	}
	g.t.Fatal("no leader within 20 s")
	return nil
}

// others returns the running nodes that are not n.
func (g *group) others(n *Node) (all []*Node) {
	for _, id := range g.ids {
		if o := g.node(id); o != nil && o != n {
			all = append(all, o)
		}
	}
	return all
}

// settled waits until every node that is up votes and has what the leader has.
func (g *group) settled() {
	g.t.Helper()
	lead := g.leader()
	g.until("all caught up with a vote", func() error {
		for _, m := range lead.Members(context.Background()) {
			if g.node(m.ID) != nil && (!m.Voter || !m.Reachable) {
				return fmt.Errorf("%s", m)
			}
		}
		want := lead.State().Index
		for _, n := range g.others(lead) {
			if n.State().Index < want {
				return fmt.Errorf("%s is at %d of %d", n.cfg.ID, n.State().Index, want)
			}
		}
		return nil
	})
}

// until waits for a condition, which the test's failure names.
func (g *group) until(what string, good func() error) {
	g.t.Helper()
	var err error
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if err = good(); err == nil {
			return
		}
	}
	g.t.Fatalf("not within 20 s: %s: %v", what, err)
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// apply applies commands or fails the test.
func apply(t *testing.T, n *Node, c ...Command) uint64 {
	t.Helper()
	index, err := n.Apply(within(t, 20*time.Second), c...)
	if err != nil {
		t.Fatalf("apply on %s: %v", n.cfg.ID, err)
	}
	return index
}
