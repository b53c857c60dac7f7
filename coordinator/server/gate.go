package server

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Gate is the handler of a node from its first moment: until Open it says that
// the node lives but is not ready, and refuses everything else for a while.
// So a load balancer sees a node that is starting, rather than connections
// that hang. Statements wait for a moment before they are refused: they come
// through balancers that ask nobody, when a coordinator starts again at once.
type Gate struct {
	starting *Server // without routes to an engine
	open     atomic.Pointer[http.Handler]
	opened   chan struct{} // closed by the first Open
	once     sync.Once
	hold     time.Duration // for statements
}

// startHold is how long statements wait for a node that starts.
const startHold = 5 * time.Second

// NewGate returns a gate that is shut. Of cfg it uses what describes the node.
func NewGate(cfg Config) *Gate {
	g := &Gate{starting: &Server{cfg: cfg, started: cfg.Clock.Now()}, opened: make(chan struct{}), hold: startHold}
	g.starting.cfg.Ready = func() error { return errStarting }
	return g
}

// Open lets a handler answer from now on.
func (g *Gate) Open(h http.Handler) {
	g.open.Store(&h)
	g.once.Do(func() { close(g.opened) })
}

// ServeHTTP answers one request.
func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if g.open.Load() == nil && strings.HasPrefix(r.URL.Path, "/v1/statement") {
		g.wait(r.Context())
	}
	if h := g.open.Load(); h != nil {
		(*h).ServeHTTP(w, r)
		return
	}
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	switch path := r.URL.Path; {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		g.refuse(w)
	case path == "/healthz":
		w.WriteHeader(http.StatusOK)
	case path == "/v1/info":
		g.writeJSON(w, g.starting.infoNow())
	case path == "/v1/info/state":
		g.writeJSON(w, g.starting.stateNow())
	default:
		g.refuse(w)
	}
}

// wait waits until the gate is open, but not for long.
func (g *Gate) wait(ctx context.Context) {
	patience := time.NewTimer(g.hold)
	defer patience.Stop()
	select {
	case <-g.opened:
	case <-ctx.Done():
	case <-patience.C:
	}
}

// refuse asks the client to come back; Trino's clients do so by themselves.
func (g *Gate) refuse(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "1")
	plainError(w, http.StatusServiceUnavailable, errStarting.Error())
}

func (g *Gate) writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the client has gone if this fails
}

// HTTP returns an http.Server for a handler with the limits that a server on
// an open port needs. The caller listens and shuts it down.
func HTTP(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		IdleTimeout:       5 * time.Minute,
		MaxHeaderBytes:    4 << 20, // prepared statements travel in headers
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// drainLook is how often Drain looks whether clients have come for the rest.
const drainLook = 20 * time.Millisecond

// Drain takes no more statements and returns when the clients of all others
// have read them or left, or with an error when ctx ends. Requests are still
// answered after it; Close ends that.
func (s *Server) Drain(ctx context.Context) error {
	s.ending.Store(true)
	tick := time.NewTicker(drainLook)
	defer tick.Stop()
	for n := s.unread(); n > 0; n = s.unread() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d statements have not been read: %w", n, ctx.Err())
		case <-tick.C:
		}
	}
	return nil
}

// unread counts the statements whose clients are still to come.
func (s *Server) unread() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.results {
		if !r.read.Load() && !r.left.Load() {
			n++
		}
	}
	return n
}
