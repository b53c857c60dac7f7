package meta

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// line is the connection to one other coordinator. Where packets are lost, in
// either direction, no connection ends by itself: one at which a call has run out
// of time without a byte having come meanwhile is closed, so that the next call
// makes another.
//
// This stands for gRPC's keepalive, which goes by the time of day: a clock that is
// set back makes it take all connections for dead.
type line struct {
	// patience is how long a call must have waited.
	patience time.Duration
	heard    atomic.Int64 // reads that brought something

	mu   sync.Mutex
	conn net.Conn // the last that was made
}

// made notes the connection, and returns it such that what comes is noticed.
func (l *line) made(conn net.Conn, err error) (net.Conn, error) {
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conn = conn
	return &heardConn{Conn: conn, line: l}, nil
}

// heardConn counts what it reads.
type heardConn struct {
	net.Conn
	line *line
}

// Read implements net.Conn.
func (c *heardConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.line.heard.Add(1)
	}
	return n, err
}

// watch is the interceptor of calls.
func (l *line) watch(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, call grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	l.mu.Lock()
	conn := l.conn // another one that is made meanwhile is not to blame
	l.mu.Unlock()
	begin, before := time.Now(), l.heard.Load()
	err := call(ctx, method, req, reply, cc, opts...)
	if conn != nil && status.Code(err) == codes.DeadlineExceeded && time.Since(begin) >= l.patience && l.heard.Load() == before {
		_ = conn.Close() // gRPC sees that it is gone
	}
	return err
}
