package reign

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tuttidb/tutti/coordinator/meta"
)

// Reign answers requests for as long as a leadership lasts.
type Reign interface {
	// Handle answers a request. It returns false, with nothing written, if the
	// reign was abandoned before the answer began.
	Handle(w http.ResponseWriter, r *http.Request) (answered bool)
	// Abandon ends the reign here. Requests that wait in Handle return.
	Abandon()
}

// Node is this process's part in the cluster of coordinators; *meta.Node is one.
type Node interface {
	ID() string
	// Leader returns who leads, empty for none, and a channel that is closed
	// when that may have changed.
	Leader() (id string, changed <-chan struct{})
	// DialHTTP connects to the HTTP listener of another coordinator.
	DialHTTP(ctx context.Context, id string) (net.Conn, error)
	// Members tells how all coordinators are.
	Members(ctx context.Context) []meta.Member
}

// Config is what a Router needs.
type Config struct {
	Node Node
	// Local answers what is about this process. IsLocal says which requests
	// those are.
	Local   http.Handler
	IsLocal func(*http.Request) bool
	// NameHeader is the header by which a reign knows a new statement again that
	// was sent before, to it or to a leader that was lost: it carries a name that
	// the router gives the statement. Clients cannot set it. Empty: statements
	// get none.
	NameHeader string
	// Hold is how long a request waits for somebody to lead, HoldStatement how
	// long a new statement does; 0: 30 s and 15 s.
	Hold, HoldStatement time.Duration
	// Answer is how long the coordinator that leads may take before its answer
	// begins, which includes a long poll and what it holds requests for; 0: 30 s.
	Answer time.Duration
	// MaxBody is the longest body that a request may have, in bytes; 0: 16 MB.
	// MaxBodies bounds the bodies of all requests that are being answered or
	// wait; 0: 256 MB.
	MaxBody, MaxBodies int64
	// MaxHeld is how many requests may wait for somebody to lead; 0: 10,000.
	MaxHeld int64
	Log     *slog.Logger
}

const (
	// pause is how long a request waits before it looks again who leads, if
	// nobody tells it that this has changed.
	pause = 100 * time.Millisecond
	// notLeading is the header of an answer by which a coordinator says that it
	// has done nothing with a request, since it does not lead.
	notLeading = "X-Tutti-Not-Leading"
	// nameBytes is how many random bytes the name of a statement has, which its
	// URIs carry.
	nameBytes = 16
)

// Router is the HTTP handler of a coordinator: see the package's comment. It
// is safe for concurrent use.
type Router struct {
	cfg     Config
	proxies proxies
	ctx     context.Context // ends with Close
	close   context.CancelFunc
	// held counts the requests that wait for somebody to lead, bodies the bytes
	// that all requests have.
	held, bodies atomic.Int64

	mu    sync.Mutex
	own   Reign         // while this process leads
	moved chan struct{} // closed and replaced when own changes
}

// New returns a router without a reign.
func New(cfg Config) *Router {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&cfg.Hold, 30*time.Second)
	set(&cfg.HoldStatement, 15*time.Second)
	set(&cfg.Answer, 30*time.Second)
	for _, n := range []struct {
		at *int64
		v  int64
	}{{&cfg.MaxBody, 16 << 20}, {&cfg.MaxBodies, 256 << 20}, {&cfg.MaxHeld, 10_000}} {
		if *n.at == 0 {
			*n.at = n.v
		}
	}
	r := &Router{cfg: cfg, moved: make(chan struct{})}
	r.ctx, r.close = context.WithCancel(context.Background())
	r.proxies = proxies{router: r, byID: map[string]*proxy{}}
	go r.watch()
	return r
}

// Close ends the router: requests that are held are refused.
func (r *Router) Close() { r.close() }

// Held returns how many requests wait for somebody to lead.
func (r *Router) Held() int64 { return r.held.Load() }

// Lead serves a reign until ctx, which is that of the leadership, ends. begin
// makes the reign; its error is Lead's.
func (r *Router) Lead(ctx context.Context, begin func(context.Context) (Reign, error)) error {
	own, err := begin(ctx)
	if err != nil {
		return err
	}
	r.set(own)
	<-ctx.Done()
	r.set(nil) // before the requests in it come back
	own.Abandon()
	return ctx.Err()
}

func (r *Router) set(own Reign) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.own = own
	close(r.moved)
	r.moved = make(chan struct{})
}

// reign returns the own reign, nil for none, and a channel that is closed when
// that changes.
func (r *Router) reign() (Reign, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.own, r.moved
}

// watch cuts the connections to those who no longer lead: what waits there
// must not wait for an answer that never comes.
func (r *Router) watch() {
	for {
		leader, changed := r.cfg.Node.Leader()
		if leader != "" { // while nobody leads, the last one may do so again
			r.proxies.keepOnly(leader)
		}
		select {
		case <-changed:
		case <-r.ctx.Done():
			r.proxies.keepOnly("")
			return
		}
	}
}

// Ready says why this process cannot serve clients now, or nil.
func (r *Router) Ready() error {
	own, _ := r.reign()
	leader, _ := r.cfg.Node.Leader()
	switch {
	case own != nil:
		return nil
	case leader == "":
		return errors.New("no coordinator leads at present")
	case leader == r.cfg.Node.ID():
		return errors.New("this coordinator is taking over")
	}
	return nil
}

// ServeHTTP answers a client's request.
func (r *Router) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if r.cfg.IsLocal(req) {
		r.cfg.Local.ServeHTTP(w, req)
		return
	}
	t := &travel{router: r, w: w, req: req, hold: r.cfg.Hold}
	if isStatement(req) {
		t.hold = r.cfg.HoldStatement
	}
	t.name()
	defer func() { r.bodies.Add(-int64(len(t.body))) }()
	switch err := t.pack(); {
	case errors.Is(err, errCrowded):
		unavailable(w, err.Error())
	case err != nil:
		refuse(w, http.StatusBadRequest, "The request ended early")
	default:
		t.run()
	}
}

// Inner answers requests that other coordinators forward to this one.
func (r *Router) Inner() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		for {
			own, moved := r.reign()
			if own != nil {
				if own.Handle(w, req) {
					return
				}
				break
			}
			leader, changed := r.cfg.Node.Leader()
			if leader != r.cfg.Node.ID() {
				break
			}
			select { // it is taking over
			case <-moved:
			case <-changed:
			case <-req.Context().Done():
				return
			case <-r.ctx.Done():
			}
			if r.ctx.Err() != nil {
				break
			}
		}
		w.Header().Set(notLeading, r.cfg.Node.ID())
		refuse(w, http.StatusMisdirectedRequest, "coordinator "+r.cfg.Node.ID()+" does not lead")
	})
}

// travel is a request on its way to somebody who answers it.
type travel struct {
	router *Router
	w      http.ResponseWriter
	req    *http.Request
	hold   time.Duration
	body   []byte // nil for none
	begun  time.Time
}

func isStatement(req *http.Request) bool {
	return req.Method == http.MethodPost && strings.TrimSuffix(req.URL.Path, "/") == "/v1/statement"
}

// name gives a new statement a name that nobody can guess.
func (t *travel) name() {
	t.req.Header.Del(t.router.cfg.NameHeader)
	if isStatement(t.req) && t.router.cfg.NameHeader != "" {
		var b [nameBytes]byte
		_, _ = rand.Read(b[:]) // never fails (crypto/rand)
		t.req.Header.Set(t.router.cfg.NameHeader, hex.EncodeToString(b[:]))
	}
}

// pack reads the request's body, so that it can be sent again. Of one that is
// too long so much is kept that its reader sees that.
func (t *travel) pack() error {
	if t.req.Body == nil || t.req.Body == http.NoBody || t.req.ContentLength == 0 {
		return nil
	}
	r, limited := t.router, io.LimitReader(t.req.Body, t.router.cfg.MaxBody+1)
	for chunk := make([]byte, 4<<10); ; {
		n, err := limited.Read(chunk)
		t.body = append(t.body, chunk[:n]...)
		if r.bodies.Add(int64(n)) > r.cfg.MaxBodies {
			return errCrowded
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// errCrowded refuses a request because the others' bodies fill the memory.
var errCrowded = errors.New("too many large requests wait for an answer; try again later")

// fresh returns the request as if it had just come.
func (t *travel) fresh() *http.Request {
	if t.body == nil {
		return t.req
	}
	req := *t.req
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(t.body)), nil }
	req.Body, _ = req.GetBody() // never fails
	req.ContentLength = int64(len(t.body))
	return &req
}

// run brings the request to whoever leads, again and again until there is an
// answer.
func (t *travel) run() {
	r := t.router
	ctx := t.req.Context()
	for {
		clear(t.w.Header()) // of a try that came to nothing
		own, moved := r.reign()
		leader, changed := r.cfg.Node.Leader()
		switch {
		case own != nil:
			if own.Handle(t.w, t.fresh()) {
				return
			}
		case leader != "" && leader != r.cfg.Node.ID():
			way := r.proxies.of(leader)
			if now, _ := r.cfg.Node.Leader(); now != "" && now != leader {
				r.proxies.keepOnly(now) // as watch did before, if it came first
			}
			err := way.forward(t.w, t.fresh())
			if err == nil || ctx.Err() != nil {
				return
			}
			r.cfg.Log.Debug("forwarding a request", "leader", leader, "path", t.req.URL.Path, "error", err)
		}
		if !t.wait(moved, changed) {
			return
		}
	}
}

// wait waits until the leadership may have moved. It returns false if that
// took too long, and has answered then.
func (t *travel) wait(moved, changed <-chan struct{}) bool {
	if t.begun.IsZero() {
		t.begun = time.Now()
	}
	left := t.hold - time.Since(t.begun)
	if left <= 0 {
		t.giveUp()
		return false
	}
	defer t.router.held.Add(-1)
	if t.router.held.Add(1) > t.router.cfg.MaxHeld {
		unavailable(t.w, "too many requests wait for a coordinator to lead; try again later")
		return false
	}
	if isMisspelled(t.req.URL.Path) {
		refuse(t.w, http.StatusNotFound, "Query not found")
		return false
	}
	again := time.NewTimer(min(pause, left))
	defer again.Stop()
	select {
	case <-moved:
	case <-changed:
	case <-again.C:
	case <-t.req.Context().Done():
		return false
	case <-t.router.ctx.Done():
		unavailable(t.w, "this coordinator is shutting down")
		return false
	}
	return true
}

// isMisspelled reports whether a path is that of a page, but of none that a
// coordinator could have named: nobody need wait to hear so.
func isMisspelled(path string) bool {
	rest, ok := strings.CutPrefix(path, "/v1/statement/")
	if !ok {
		return false
	}
	parts := strings.Split(rest, "/")
	if parts[0] != "queued" && parts[0] != "executing" {
		return false // others' to say
	}
	if len(parts) != 4 {
		return true
	}
	slug, err := hex.DecodeString(parts[2])
	token, bad := strconv.ParseInt(parts[3], 10, 64)
	return err != nil || len(slug) != nameBytes || bad != nil || token < 1
}

// giveUp says why nobody answers.
func (t *travel) giveUp() {
	ctx, cancel := context.WithTimeout(t.req.Context(), 500*time.Millisecond)
	defer cancel()
	unavailable(t.w, explain(t.router.cfg.Node.Members(ctx)))
}

// explain says in one line why no coordinator leads.
func explain(members []meta.Member) string {
	var silent []string
	for _, m := range members {
		switch {
		case !m.Reachable:
			silent = append(silent, m.ID)
		case m.Failure != "":
			silent = append(silent, m.ID+" (has failed)")
		}
	}
	if up := len(members) - len(silent); up <= len(members)/2 {
		verb := "do"
		if len(silent) == 1 {
			verb = "does"
		}
		return fmt.Sprintf("No majority of coordinators: %s %s not answer", strings.Join(silent, ", "), verb)
	}
	return "The coordinators have not agreed yet on who leads; try again"
}

// unavailable asks the client to come back.
func unavailable(w http.ResponseWriter, why string) {
	w.Header().Set("Retry-After", "1")
	refuse(w, http.StatusServiceUnavailable, why)
}

func refuse(w http.ResponseWriter, code int, why string) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, why+"\n") // the status says enough if this fails
}
