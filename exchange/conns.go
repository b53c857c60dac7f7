package exchange

import (
	"context"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
)

// Conns are a node's connections to others, one an address, made when first
// asked for and shared by all that talk to it. They are for control and data.
// A node that hangs is noticed within fifteen seconds, by who waits for frames
// of it sooner (pulse).
type Conns struct {
	opts []grpc.DialOption

	quiet, patience         time.Duration // see pulse
	keepQuiet, keepPatience time.Duration

	mu    sync.Mutex
	conns map[string]neighbor
}

// neighbor is the connection to a node.
type neighbor struct {
	*grpc.ClientConn
	pulse *pulse
	stop  context.CancelFunc // of the pulse
}

// Close implements io.Closer.
func (p neighbor) Close() error {
	p.stop()
	return p.ClientConn.Close()
}

// NewConns returns no connections yet. They will sign calls as auth says and
// be secured by creds.
func NewConns(auth *Auth, creds Transport) *Conns {
	return &Conns{opts: DialOptions(auth, creds), quiet: defaultQuiet, patience: defaultPatience,
		keepQuiet: keepQuiet, keepPatience: keepPatience, conns: map[string]neighbor{}}
}

// DialOptions are the options for connections between nodes.
func DialOptions(auth *Auth, creds Transport) []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithTransportCredentials(creds),
		grpc.WithUnaryInterceptor(auth.UnaryClient), grpc.WithStreamInterceptor(auth.StreamClient),
		grpc.WithStaticStreamWindowSize(streamWindow), grpc.WithStaticConnWindowSize(connWindow),
		grpc.WithReadBufferSize(ioBuffer), grpc.WithWriteBufferSize(ioBuffer),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Second},
			MinConnectTimeout: 3 * time.Second,
		}),
	}
}

// Get returns the connection to HOST:PORT. It may not be up yet.
func (c *Conns) Get(address string) (*grpc.ClientConn, error) {
	p, err := c.neighbor(address)
	return p.ClientConn, err
}

func (c *Conns) neighbor(address string) (neighbor, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p, ok := c.conns[address]; ok {
		return p, nil
	}
	p := neighbor{pulse: &pulse{quiet: c.quiet, patience: c.patience}}
	var err error
	p.ClientConn, err = grpc.NewClient("passthrough:///"+address, append(slices.Clip(c.opts), grpc.WithContextDialer(p.pulse.dial))...)
	if err != nil {
		return neighbor{}, err
	}
	var ctx context.Context
	ctx, p.stop = context.WithCancel(context.Background())
	go p.pulse.keep(ctx, p.ClientConn, c.keepQuiet, c.keepPatience)
	c.conns[address] = p
	return p, nil
}

// Forget closes the connection to a node that is gone.
func (c *Conns) Forget(address string) {
	c.mu.Lock()
	conn, ok := c.conns[address]
	delete(c.conns, address)
	c.mu.Unlock()
	if ok {
		_ = conn.Close() // fails only if it is closed
	}
}

// Close closes all connections.
func (c *Conns) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for a, conn := range c.conns {
		_ = conn.Close()
		delete(c.conns, a)
	}
}
