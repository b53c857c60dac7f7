package exchange

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/arrow-go/v18/arrow/flight"
	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
)

const (
	// defaultQuiet is how long a stream waits for a message before the other node
	// is asked whether it is there, defaultPatience how long that may take.
	defaultQuiet    = time.Second
	defaultPatience = 2 * time.Second
	// keepQuiet and keepPatience are the same for connections that nobody waits
	// at, or only for control.
	keepQuiet    = 10 * time.Second
	keepPatience = 5 * time.Second
)

// pulse finds out whether the node at an address is still there when nothing
// comes from it: packets that are lost on the way, in either direction, end no
// connection by themselves. A node that does not answer a question within the
// patience, and of which no byte comes meanwhile, has its connection closed, so
// that all who wait for it hear of it and may connect anew.
//
// Bytes count, and not only the answer, for it may queue behind megabytes of
// frames on a slow link.
//
// It stands for gRPC's keepalive too, which goes by the time of day: when a
// node's clock is set back that takes all its connections for dead at once.
type pulse struct {
	quiet, patience time.Duration
	heard           atomic.Int64 // reads that brought something
	asking          atomic.Bool

	mu   sync.Mutex
	conn net.Conn // the last that was made
}

// dial makes a connection that tells what comes.
func (p *pulse) dial(ctx context.Context, address string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	p.conn = conn
	p.mu.Unlock()
	return &heardConn{Conn: conn, heard: &p.heard}, nil
}

// heardConn counts what it reads.
type heardConn struct {
	net.Conn
	heard *atomic.Int64
}

// Read implements net.Conn.
func (c *heardConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.heard.Add(1)
	}
	return n, err
}

// ask asks the node for anything, and hangs up on it if it is silent. Who comes
// while somebody asks already returns at once.
func (p *pulse) ask(ctx context.Context, node grpc.ClientConnInterface, patience time.Duration) {
	if !p.asking.CompareAndSwap(false, true) {
		return
	}
	defer p.asking.Store(false)
	before := p.heard.Load()
	p.mu.Lock()
	conn := p.conn
	p.mu.Unlock()
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	// No node has a schema to give; that it says so is what is asked for.
	err := node.Invoke(within, "/arrow.flight.protocol.FlightService/GetSchema", &flight.FlightDescriptor{}, &flight.SchemaResult{})
	if err == nil || within.Err() == nil || ctx.Err() != nil || p.heard.Load() != before || conn == nil {
		return
	}
	_ = conn.Close() // fails only if it is closed
}

// keep asks the node for as long as ctx lives whenever it has been silent for a
// while, if there is a connection to it.
func (p *pulse) keep(ctx context.Context, node *grpc.ClientConn, quiet, patience time.Duration) {
	tick := time.NewTicker(quiet)
	defer tick.Stop()
	for before := p.heard.Load(); ; before = p.heard.Load() {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if p.heard.Load() == before && node.GetState() == connectivity.Ready {
			p.ask(ctx, node, patience)
		}
	}
}

// vigil watches over one stream's waits for messages.
type vigil struct {
	p     *pulse
	ctx   context.Context
	node  grpc.ClientConnInterface
	timer *time.Timer

	mu      sync.Mutex
	waiting bool
}

// watch returns a watch that has not begun. It ends with stop, or ctx.
func (p *pulse) watch(ctx context.Context, node grpc.ClientConnInterface) *vigil {
	w := &vigil{p: p, ctx: ctx, node: node}
	w.timer = time.AfterFunc(time.Hour, w.quiet)
	w.timer.Stop()
	return w
}

// begin begins a wait, stop ends it.
func (w *vigil) begin() { w.set(true) }
func (w *vigil) stop()  { w.set(false) }

func (w *vigil) set(waiting bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting = waiting
	if waiting {
		w.timer.Reset(w.p.quiet)
	} else {
		w.timer.Stop()
	}
}

// quiet is called when a wait has lasted for a while.
func (w *vigil) quiet() {
	w.p.ask(w.ctx, w.node, w.p.patience)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiting && w.ctx.Err() == nil {
		w.timer.Reset(w.p.quiet)
	}
}
