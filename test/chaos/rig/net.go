package rig

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"time"
)

// Rule says what becomes of the bytes from one node to another. The zero Rule
// lets them pass.
type Rule struct {
	// Hold keeps back all bytes, the ends of connections too: as if packets were
	// lost. Who waits gets them when the rule is lifted, if it still waits.
	Hold bool
	// Refuse ends new connections at once.
	Refuse bool
	// Delay is added to each chunk of up to 32 kB.
	Delay time.Duration
	// Rate in bytes per second, of each connection; 0: no limit.
	Rate int
}

// Net is the network between the nodes of a cluster: each node has a door, a
// TCP proxy, at the address by which the others know it. Who comes to a door is
// known by its process, so that there is a rule for each pair and direction.
// Net is safe for concurrent use.
type Net struct {
	mu      sync.Mutex
	doors   map[string]*door
	pids    map[int]string
	rules   map[[2]string]Rule
	changed chan struct{} // closed and replaced when rules change
	links   map[*link]bool
	closed  chan struct{}
	wg      sync.WaitGroup
}

// door is where a node is reached.
type door struct {
	name   string
	listen net.Listener
	target string
}

// link is a connection through a door.
type link struct {
	from, to string
	a, b     net.Conn // of the one who came, and to the node; b nil until dialed
}

// NewNet returns a network without nodes.
func NewNet() *Net {
	return &Net{
		doors: map[string]*door{}, pids: map[int]string{}, rules: map[[2]string]Rule{}, changed: make(chan struct{}),
		links: map[*link]bool{}, closed: make(chan struct{}),
	}
}

// Door opens a node's door and returns its address. Connections that come
// before the node is there are refused.
func (n *Net) Door(ctx context.Context, name string) (string, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	d := &door{name: name, listen: l}
	n.mu.Lock()
	n.doors[name] = d
	n.mu.Unlock()
	n.wg.Go(func() { n.serve(d) })
	return l.Addr().String(), nil
}

// Place says where a node is behind its door, and by which process.
func (n *Net) Place(name, target string, pid int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.doors[name].target = target
	n.pids[pid] = name
}

// Set sets the rule for what goes from one node to another. Refuse also ends
// the connections that there are between them.
func (n *Net) Set(from, to string, r Rule) {
	n.mu.Lock()
	n.rules[[2]string{from, to}] = r
	n.news()
	n.mu.Unlock()
	if r.Refuse {
		n.Reset(from, to)
	}
}

// Both sets the rule for both directions.
func (n *Net) Both(a, b string, r Rule) {
	n.Set(a, b, r)
	n.Set(b, a, r)
}

// Heal lifts all rules.
func (n *Net) Heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.rules)
	n.news()
}

func (n *Net) news() {
	close(n.changed)
	n.changed = make(chan struct{})
}

// Reset ends all connections between two nodes, whoever made them, and returns
// how many there were.
func (n *Net) Reset(a, b string) int {
	n.mu.Lock()
	var hit []*link
	for l := range n.links {
		if l.from == a && l.to == b || l.from == b && l.to == a {
			hit = append(hit, l)
		}
	}
	n.mu.Unlock()
	for _, l := range hit {
		n.reset(l)
	}
	return len(hit)
}

func (n *Net) reset(l *link) {
	n.mu.Lock()
	b := l.b
	n.mu.Unlock()
	hangUp(l.a)
	if b != nil {
		hangUp(b)
	}
}

// hangUp closes a connection such that its peer sees a reset.
func hangUp(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // it is being closed
	}
	_ = c.Close() // fails only when it is closed
}

// Links counts the open connections from one node to another.
func (n *Net) Links(from, to string) (count int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for l := range n.links {
		if l.from == from && l.to == to {
			count++
		}
	}
	return count
}

// Close ends all doors and connections.
func (n *Net) Close() {
	close(n.closed)
	n.mu.Lock()
	links := make([]*link, 0, len(n.links))
	for _, d := range n.doors {
		_ = d.listen.Close() // nothing was written
	}
	for l := range n.links {
		links = append(links, l)
	}
	n.mu.Unlock()
	for _, l := range links {
		n.reset(l)
	}
	n.wg.Wait()
}

func (n *Net) serve(d *door) {
	for {
		conn, err := d.listen.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			n.wg.Go(func() { n.connect(d, conn) })
		}
	}
}

// who names the node that made a connection, "" if it is none of the cluster's.
func (n *Net) who(conn net.Conn) string {
	n.mu.Lock()
	pids := make([]int, 0, len(n.pids))
	for pid := range n.pids {
		pids = append(pids, pid)
	}
	n.mu.Unlock()
	pid := owner(conn, pids)
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.pids[pid]
}

// connect carries one connection until both its directions have ended.
func (n *Net) connect(d *door, a net.Conn) {
	l := &link{from: n.who(a), to: d.name, a: a}
	n.mu.Lock()
	n.links[l] = true
	n.mu.Unlock()
	defer func() {
		n.mu.Lock()
		delete(n.links, l)
		n.mu.Unlock()
	}()
	defer hangUp(a)
	// What opens a connection goes both ways.
	if n.gate(l.from, l.to, nil) != nil || n.gate(l.to, l.from, nil) != nil || n.refused(l) {
		return
	}
	n.mu.Lock()
	target := d.target
	n.mu.Unlock()
	b, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(context.Background(), "tcp4", target)
	if err != nil {
		return
	}
	defer hangUp(b)
	n.mu.Lock()
	l.b = b
	n.mu.Unlock()
	var wg sync.WaitGroup
	wg.Go(func() { n.pump(l.from, l.to, a, b) })
	wg.Go(func() { n.pump(l.to, l.from, b, a) })
	wg.Wait()
}

func (n *Net) refused(l *link) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.rules[[2]string{l.from, l.to}].Refuse
}

// pump carries one direction of a connection. What its end tells the two ends
// is subject to the rules, too: behind a cut nobody learns that the other has
// hung up.
func (n *Net) pump(from, to string, src, dst net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		k, err := src.Read(buf)
		if n.gate(from, to, buf[:k]) != nil {
			return
		}
		if k > 0 {
			if _, err := dst.Write(buf[:k]); err != nil {
				if n.gate(to, from, nil) == nil {
					hangUp(src)
				}
				return
			}
		}
		if err != nil {
			if tcp, ok := dst.(*net.TCPConn); ok && errors.Is(err, io.EOF) {
				_ = tcp.CloseWrite() // fails only when it is closed
				return
			}
			hangUp(dst)
			return
		}
	}
}

// gate returns when bytes may pass, later if they are slowed down.
func (n *Net) gate(from, to string, chunk []byte) error {
	for {
		n.mu.Lock()
		r, changed := n.rules[[2]string{from, to}], n.changed
		n.mu.Unlock()
		if !r.Hold {
			return n.slow(r, len(chunk))
		}
		select {
		case <-changed:
		case <-n.closed:
			return errClosed
		}
	}
}

func (n *Net) slow(r Rule, bytes int) error {
	pause := r.Delay
	if r.Rate > 0 {
		pause += time.Duration(bytes) * time.Second / time.Duration(r.Rate)
	}
	if pause == 0 || bytes == 0 {
		return nil
	}
	select {
	case <-time.After(pause):
		return nil
	case <-n.closed:
		return errClosed
	}
}

// Names returns the nodes that have doors, in order.
func (n *Net) Names() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []string
	for name := range n.doors {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// errClosed ends what waits for a network that is no more.
var errClosed = errors.New("the network is closed")
