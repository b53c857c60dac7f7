package exchange

import (
	"context"
	"sync"

	"google.golang.org/grpc/stats"
)

// lent are the frames that gRPC is sending over one connection. gRPC gives
// each back when it is sent or its stream ends, but not always when the
// connection breaks; what is left then is released when the connection's
// writer has stopped, which is before gRPC reports its end.
type lent struct {
	mu     sync.Mutex
	frames map[*Held]struct{}
	ended  bool
}

// take notes that gRPC has f; false: the connection has ended.
func (l *lent) take(f *Held) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return false
	}
	l.frames[f] = struct{}{}
	return true
}

// giveBack releases f unless that has happened.
func (l *lent) giveBack(f *Held) {
	l.mu.Lock()
	_, out := l.frames[f]
	delete(l.frames, f)
	l.mu.Unlock()
	if out {
		f.Release()
	}
}

// end releases all that is out.
func (l *lent) end() {
	l.mu.Lock()
	left := l.frames
	l.frames, l.ended = nil, true
	l.mu.Unlock()
	for f := range left {
		f.Release()
	}
}

// lenders is a stats handler of gRPC that keeps the lent frames of each
// connection.
type lenders struct{}

type lentKey struct{}

// TagConn gives a new connection its list.
func (lenders) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context {
	return context.WithValue(ctx, lentKey{}, &lent{frames: map[*Held]struct{}{}})
}

// HandleConn ends the list with the connection.
func (lenders) HandleConn(ctx context.Context, s stats.ConnStats) {
	if _, ok := s.(*stats.ConnEnd); !ok {
		return
	}
	if l := lentOf(ctx); l != nil {
		l.end()
	}
}

// TagRPC does nothing.
func (lenders) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

// HandleRPC does nothing.
func (lenders) HandleRPC(context.Context, stats.RPCStats) {}

// lentOf returns the list of a call's connection; nil if the server was made
// without ServerOptions.
func lentOf(ctx context.Context) *lent {
	l, _ := ctx.Value(lentKey{}).(*lent)
	return l
}
