// Package server is the HTTP door of a coordinator: Trino's statement
// protocol, the JSON that the web page and dashboards read, health and
// metrics.
//
// # Statements
//
// A client POSTs SQL text to /v1/statement and gets an id and a nextUri at
// once. It then GETs nextUri after nextUri until an answer has none. Each GET
// waits up to a second for rows, so that a small query takes two requests: the
// POST, and one GET with columns, rows and no nextUri. The POST itself never
// carries rows: two drivers would lose them.
//
// Behind each statement stands a result: one goroutine pulls batches from the
// Query, writes rows as JSON into a buffer and stops when the buffer is a page
// full. A GET takes the buffer over as the page of its token and keeps it
// until the next token is asked for, so that a client whose connection broke
// can ask again and gets the same bytes. Nothing else is kept: sessions and
// prepared statements live in the client, which sends them with each request.
//
// # Successors
//
// Where another coordinator may take over, nothing is told to a client that a
// majority of coordinators has not in memory: that a statement was accepted,
// and each page with how far it goes (package journal). The next leader's
// server starts from that (Restore): it has the same results under the same
// URIs, gives the same bytes for the last token and the rows that follow for
// the next. A page that could not be written down is neither shown nor made
// again: the request waits, or asks the client to come back.
//
// A server whose leadership is over is abandoned: it says nothing more to
// anybody, and requests that wait in it come out of Handle unanswered.
//
// The URI of a token is under "queued" until rows have been shown, then under
// "executing". So even when all memories are gone it is known from the client's
// request whether its query may begin again.
//
// # Trust
//
// Without authentication the user is whoever the client says. The URIs of a
// statement hold a random slug, so that only who was told them can read it.
package server

import (
	"context"
	"io/fs"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tuttidb/tutti/coordinator"
	"github.com/tuttidb/tutti/coordinator/journal"
	"github.com/tuttidb/tutti/internal/clock"
	"github.com/tuttidb/tutti/planner/plan"
)

// Engine runs statements; *coordinator.Coordinator is one.
type Engine interface {
	// NewID names a query that is about to begin.
	NewID() plan.QueryID
	// Resume begins a query or goes on with one, and returns at once.
	Resume(coordinator.Resumption) coordinator.Query
	// Recall puts queries that ended under an earlier coordinator into the
	// history.
	Recall([]*coordinator.QueryInfo)
	// Query finds a query that runs or is remembered.
	Query(plan.QueryID) (coordinator.Query, bool)
	// Queries returns snapshots, newest first.
	Queries() []*coordinator.QueryInfo
	// Nodes lists the cluster's nodes.
	Nodes() []coordinator.NodeInfo
}

// Limits bound what clients may ask of the server; zero fields mean
// DefaultLimits'.
type Limits struct {
	// MaxOpen is how many statements may wait for their clients to read them,
	// running or not; more are refused.
	MaxOpen int
	// MaxBody is the longest request body, in bytes.
	MaxBody int64
	// MaxText is the longest SQL text that the engine takes, in characters: longer
	// ones it fails, and not all of them is written down.
	MaxText int
	// LongPoll is how long a GET waits for rows.
	LongPoll time.Duration
	// Linger is how long a page waits for more rows once it has some.
	Linger time.Duration
	// PageBytes is the size of rows at which a first page is full; pages double
	// from there to MaxPageBytes.
	PageBytes, MaxPageBytes int
	// BufferBytes is the memory for rows that clients have not yet taken, over
	// all queries; pages stay small when it runs short.
	BufferBytes int64
	// Keep is how long an ended statement's last page can be asked for again,
	// KeepBytes the memory for such pages.
	Keep      time.Duration
	KeepBytes int64
	// Hold is how long a request waits for the journal while a majority of
	// coordinators does not answer.
	Hold time.Duration
	// ClientTimeout is how long rows wait for a client that does not ask for
	// them; the coordinator's.
	ClientTimeout time.Duration
}

// DefaultLimits are fit for a node with a few GB.
var DefaultLimits = Limits{
	MaxOpen: 5000, MaxBody: 16 << 20, MaxText: coordinator.DefaultLimits.MaxText, LongPoll: time.Second, Linger: 100 * time.Millisecond,
	PageBytes: 1 << 20, MaxPageBytes: 16 << 20, BufferBytes: 256 << 20, Keep: time.Minute, KeepBytes: 32 << 20,
	Hold: 15 * time.Second, ClientTimeout: 5 * time.Minute,
}

// Config is what a server is made of.
type Config struct {
	Engine Engine
	// Journal is what a successor goes on from; nil: there will be none.
	Journal *journal.Journal
	Log     *slog.Logger
	Clock   clock.Clock
	Version string
	NodeID  string
	// Environment names the cluster in /v1/info.
	Environment string
	// UI are the web page's files, served at /ui/; nil for none.
	UI fs.FS
	// Registerer takes the server's metrics and Gatherer is what /metrics
	// shows; nil for none.
	Registerer prometheus.Registerer
	Gatherer   prometheus.Gatherer
	// More are handlers of the binary's, by pattern (see http.ServeMux).
	More map[string]http.Handler
	// Ready says why the node cannot take queries yet, or nil; nil: always ready.
	Ready func() error
	// Shutdown is called once, in a goroutine of its own, when PUT
	// /v1/info/state asks for a graceful shutdown; it should Drain the server
	// and end the process. nil: not allowed.
	Shutdown func()
	// Named says that requests come through somebody who names statements, and
	// lets no client do so: see StatementHeader.
	Named  bool
	Limits Limits
}

// Server answers HTTP requests. Make it with New; it is an http.Handler.
type Server struct {
	cfg     Config
	started time.Time
	handler http.Handler
	metrics *metrics
	ctx     context.Context
	stop    context.CancelFunc
	ending  atomic.Bool
	gone    atomic.Bool // abandoned
	// buffered counts the bytes of rows that wait for clients.
	buffered atomic.Int64

	mu      sync.Mutex
	results map[plan.QueryID]*result // all but those kept wait for their clients
	// kept are the results that have been read, oldest first.
	kept      []keptResult
	keptBytes int64
	// claimed are the names of statements that are being accepted; see claim.
	claimed map[string]chan struct{}
}

type keptResult struct {
	*result
	bytes int64
}

// New makes a server. It fails if its metrics are registered already.
func New(cfg Config) (*Server, error) {
	cfg.Limits = cfg.Limits.orDefault()
	s := &Server{cfg: cfg, started: cfg.Clock.Now(), results: map[plan.QueryID]*result{}, claimed: map[string]chan struct{}{}}
	s.ctx, s.stop = context.WithCancel(context.Background())
	m, err := newMetrics(s)
	if err != nil {
		return nil, err
	}
	s.metrics = m
	s.handler = s.guard(s.routes())
	return s, nil
}

func (l Limits) orDefault() Limits {
	d := DefaultLimits
	orDefault(&l.MaxOpen, d.MaxOpen)
	orDefault(&l.MaxBody, d.MaxBody)
	orDefault(&l.MaxText, d.MaxText)
	orDefault(&l.LongPoll, d.LongPoll)
	orDefault(&l.Linger, d.Linger)
	orDefault(&l.PageBytes, d.PageBytes)
	orDefault(&l.MaxPageBytes, d.MaxPageBytes)
	orDefault(&l.BufferBytes, d.BufferBytes)
	orDefault(&l.Keep, d.Keep)
	orDefault(&l.KeepBytes, d.KeepBytes)
	orDefault(&l.Hold, d.Hold)
	orDefault(&l.ClientTimeout, d.ClientTimeout)
	return l
}

func orDefault[T int | int64 | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}

// ServeHTTP answers one request; see Handle.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.Handle(w, r) {
		sorry(w, errAbandoned)
	}
}

// Close lets go of all results. Requests that wait are answered; the queries
// are the coordinator's to end.
func (s *Server) Close() {
	s.ending.Store(true)
	s.stop()
	s.clear()
}

// clear drops all results.
func (s *Server) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, r := range s.results {
		r.timer.Stop()
		delete(s.results, id)
	}
}

// resultBytes is about what a result takes besides its page.
const resultBytes = 4 << 10

// keep notes a result that has been read, and drops the oldest such ones that
// there is no room for.
func (s *Server) keep(r *result, size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = append(s.kept, keptResult{r, size + resultBytes})
	s.keptBytes += size + resultBytes
	for s.keptBytes > s.cfg.Limits.KeepBytes && len(s.kept) > 1 {
		s.kept[0].timer.Stop()
		delete(s.results, s.kept[0].id)
		s.cfg.Journal.Forget(s.kept[0].id)
		s.shift()
	}
}

// forget drops a result whose time is up.
func (s *Server) forget(r *result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.results, r.id)
	s.cfg.Journal.Forget(r.id)
	for len(s.kept) > 0 && s.results[s.kept[0].id] == nil {
		s.shift()
	}
}

// shift takes the oldest kept result off the list. The caller holds mu.
func (s *Server) shift() {
	s.keptBytes -= s.kept[0].bytes
	s.kept[0] = keptResult{}
	if s.kept = s.kept[1:]; len(s.kept) == 0 {
		s.kept = nil
	}
}

func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/statement", s.submit)
	mux.HandleFunc("HEAD /v1/statement", s.validate)
	for _, phase := range []string{"queued", "executing"} {
		path := "/v1/statement/" + phase + "/{id}/{slug}/{token}"
		mux.HandleFunc("GET "+path, s.fetch) // HEAD too
		mux.HandleFunc("DELETE "+path, s.cancel)
	}
	mux.HandleFunc("DELETE /v1/statement/partialCancel/{id}/{slug}", s.cancelPartly)
	s.mountLocal(mux)
	mux.HandleFunc("GET /v1/cluster", s.cluster)
	mux.HandleFunc("GET /v1/node", s.nodes)
	mux.HandleFunc("GET /v1/query", s.queries)
	mux.HandleFunc("GET /v1/query/{id}", s.query)
	mux.HandleFunc("DELETE /v1/query/{id}", s.cancelQuery)
	mux.HandleFunc("PUT /v1/query/{id}/killed", s.kill)
	for pattern, h := range s.cfg.More {
		mux.Handle(pattern, h)
	}
	return mux
}

func ok(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }
