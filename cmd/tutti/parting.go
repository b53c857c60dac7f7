package main

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// partingTime is how long a coordinator that ends goes on answering, so that
// clients learn in time to connect to another one.
const partingTime = time.Second

// parting is an HTTP handler that can ask its clients to leave. A server that
// just closes the connections that wait for requests breaks those on which one
// is on its way, and not every client sends that again. From Part on, each
// answer says that its connection closes: clients ask the next thing elsewhere.
type parting struct {
	http.Handler
	parted atomic.Bool

	mu    sync.Mutex
	conns map[net.Conn]struct{}
	left  chan struct{} // closed when the last connection is, after parted
}

func newParting(h http.Handler) *parting {
	return &parting{Handler: h, conns: map[net.Conn]struct{}{}, left: make(chan struct{})}
}

// Watch has p know the connections of a server. Call it before the server starts.
func (p *parting) Watch(s *http.Server) { s.ConnState = p.changed }

func (p *parting) changed(c net.Conn, state http.ConnState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch state {
	case http.StateNew:
		p.conns[c] = struct{}{}
	case http.StateClosed, http.StateHijacked:
		delete(p.conns, c)
		p.look()
	}
}

// look closes left if that is due; under mu.
func (p *parting) look() {
	if !p.parted.Load() || len(p.conns) > 0 {
		return
	}
	select {
	case <-p.left:
	default:
		close(p.left)
	}
}

// Part asks all clients to leave and waits until they have, or ctx ends. What
// they ask meanwhile is answered.
func (p *parting) Part(ctx context.Context) {
	p.mu.Lock()
	p.parted.Store(true)
	p.look()
	p.mu.Unlock()
	select {
	case <-p.left:
	case <-ctx.Done():
	}
}

// ServeHTTP answers a request.
func (p *parting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.Handler.ServeHTTP(&farewell{ResponseWriter: w, parting: p}, r)
}

// farewell is an answer that says whether its connection closes. That is
// decided when the answer begins, as requests wait for pages.
type farewell struct {
	http.ResponseWriter
	parting *parting
	begun   bool
}

// WriteHeader begins the answer.
func (f *farewell) WriteHeader(code int) {
	f.begin(code)
	f.ResponseWriter.WriteHeader(code)
}

// Write writes a part of the answer.
func (f *farewell) Write(b []byte) (int, error) {
	f.begin(http.StatusOK)
	return f.ResponseWriter.Write(b)
}

func (f *farewell) begin(code int) {
	if f.begun || code < http.StatusOK {
		return
	}
	f.begun = true
	if f.parting.parted.Load() {
		f.Header().Set("Connection", "close")
	}
}

// Unwrap is for http.ResponseController.
func (f *farewell) Unwrap() http.ResponseWriter { return f.ResponseWriter }
