// Package clienttest is a small, scripted server of the statement protocol
// for tests of what talks to one. It answers each statement with what a
// function of the test returns, records all requests, and can be told to fail
// some of them. It follows the protocol's rules itself: pages are repeatable,
// a page's successor is asked for by token, DELETE ends a query.
package clienttest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tuttidb/tutti/client"
)

// Answer is what a statement gives: its pages one by one, then the end.
type Answer struct {
	Columns []client.Column
	Pages   []Page
	// Error ends the query after its pages; it is sent as it is.
	Error *Failure
	// Header is added to the last answer.
	Header      http.Header
	UpdateType  string
	UpdateCount *int64
	Warnings    []client.Warning
	// Hold makes the query run, after its pages, until it is canceled. Its GETs
	// answer at once with fresh stats.
	Hold bool
}

// Page is the content of one answer.
type Page struct {
	Rows [][]any
	// Data, if set, stands in the answer's data field instead of Rows.
	Data  json.RawMessage
	Stats client.Stats
}

// Failure is a query's error on the wire.
type Failure struct {
	Message       string    `json:"message"`
	ErrorCode     int       `json:"errorCode"`
	ErrorName     string    `json:"errorName"`
	ErrorType     string    `json:"errorType"`
	SQLState      string    `json:"sqlState,omitempty"`
	ErrorLocation *Location `json:"errorLocation,omitempty"`
}

// Location is a place in a statement.
type Location struct {
	LineNumber   int `json:"lineNumber"`
	ColumnNumber int `json:"columnNumber"`
}

// Request is one recorded request.
type Request struct {
	Method, Path string
	Header       http.Header
	Body         string
}

// Server is the fake. Its methods are safe for concurrent use.
type Server struct {
	// URL is the base URL, once started.
	URL  string
	http *httptest.Server

	answer func(Request) Answer

	mu       sync.Mutex
	requests []Request
	queries  map[string]*query
	intrude  func(http.ResponseWriter, Request) bool
}

type query struct {
	answer   Answer
	canceled bool
	started  time.Time
}

// New starts a server on loopback that asks answer about each statement. The
// caller must Close it.
func New(answer func(Request) Answer) *Server {
	s := &Server{answer: answer, queries: map[string]*query{}}
	s.http = httptest.NewServer(s)
	s.URL = s.http.URL
	return s
}

// Close stops the server.
func (s *Server) Close() { s.http.Close() }

// Intrude sets a function that sees each request first and may answer it
// itself, in which case it returns true. Nil removes it.
func (s *Server) Intrude(f func(http.ResponseWriter, Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.intrude = f
}

// Requests returns the requests seen so far, oldest first, those with one of
// the methods given or all.
func (s *Server) Requests(methods ...string) []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Request
	for _, r := range s.requests {
		if len(methods) == 0 || slices.Contains(methods, r.Method) {
			out = append(out, r)
		}
	}
	return out
}

// Statements returns the texts of the statements seen so far.
func (s *Server) Statements() []string {
	var out []string
	for _, r := range s.Requests(http.MethodPost) {
		out = append(out, r.Body)
	}
	return out
}

// Canceled returns how many queries were canceled by a DELETE.
func (s *Server) Canceled() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, q := range s.queries {
		if q.canceled {
			n++
		}
	}
	return n
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, hr *http.Request) {
	body, err := io.ReadAll(hr.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r := Request{Method: hr.Method, Path: hr.URL.Path, Header: hr.Header.Clone(), Body: string(body)}
	s.mu.Lock()
	s.requests = append(s.requests, r)
	intrude := s.intrude
	s.mu.Unlock()
	if intrude != nil && intrude(w, r) {
		return
	}
	switch {
	case r.Path == "/v1/info":
		fmt.Fprint(w, `{"nodeVersion":{"version":"1"},"environment":"test","coordinator":true,"starting":false,"uptime":"1.00s"}`)
	case r.Path == "/v1/statement" && r.Method == http.MethodPost:
		s.post(w, r)
	case r.Path == "/v1/statement" && r.Method == http.MethodHead:
	case strings.HasPrefix(r.Path, "/v1/statement/"):
		s.page(w, r)
	default:
		http.NotFound(w, hr)
	}
}

func (s *Server) post(w http.ResponseWriter, r Request) {
	ans := s.answer(r)
	s.mu.Lock()
	id := fmt.Sprintf("q%d", len(s.queries)+1)
	s.queries[id] = &query{answer: ans, started: time.Now()}
	s.mu.Unlock()
	s.write(w, map[string]any{"id": id, "nextUri": s.uri(id, 0), "stats": client.Stats{State: "QUEUED", Queued: true}})
}

func (s *Server) uri(id string, token int) string {
	return fmt.Sprintf("%s/v1/statement/executing/%s/%d", s.URL, id, token)
}

func (s *Server) write(w http.ResponseWriter, m map[string]any) {
	m["infoUri"] = s.URL + "/ui/query.html?" + m["id"].(string)
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(m); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// page serves one token of a query. Tokens after the last page of a held
// query go on and on.
func (s *Server) page(w http.ResponseWriter, r Request) {
	parts := strings.Split(r.Path, "/")
	id := parts[len(parts)-2]
	token, err := strconv.Atoi(parts[len(parts)-1])
	s.mu.Lock()
	q := s.queries[id]
	canceled := q != nil && q.canceled
	if q != nil && r.Method == http.MethodDelete {
		q.canceled = true
	}
	s.mu.Unlock()
	switch {
	case q == nil || err != nil:
		http.Error(w, "no such query", http.StatusNotFound)
	case r.Method == http.MethodDelete:
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodHead:
	case canceled:
		http.Error(w, "query was canceled", http.StatusGone)
	default:
		s.get(w, id, token, q)
	}
}

func (s *Server) get(w http.ResponseWriter, id string, token int, q *query) {
	a := q.answer
	m := map[string]any{"id": id, "stats": client.Stats{State: "RUNNING", ElapsedTimeMillis: time.Since(q.started).Milliseconds()}}
	if a.Columns != nil {
		m["columns"] = a.Columns
	}
	if token < len(a.Pages) {
		p := a.Pages[token]
		if p.Stats.State != "" {
			m["stats"] = p.Stats
		}
		if p.Data != nil {
			m["data"] = p.Data
		} else if len(p.Rows) > 0 {
			m["data"] = p.Rows
		}
	}
	if a.Hold || token < len(a.Pages)-1 || (token < len(a.Pages) && a.Error != nil) {
		m["nextUri"] = s.uri(id, token+1)
	} else {
		s.last(w, m, a)
	}
	s.write(w, m)
}

func (s *Server) last(w http.ResponseWriter, m map[string]any, a Answer) {
	for k, v := range a.Header {
		w.Header()[http.CanonicalHeaderKey(k)] = v
	}
	if a.Error != nil {
		m["error"] = a.Error
	}
	if a.UpdateType != "" {
		m["updateType"] = a.UpdateType
	}
	if a.UpdateCount != nil {
		m["updateCount"] = *a.UpdateCount
	}
	if a.Warnings != nil {
		m["warnings"] = a.Warnings
	}
}

// Col makes a column from the SQL text of a simple type, such as "bigint",
// "decimal(12,2)" or "timestamp(3) with time zone".
func Col(name, typ string) client.Column {
	base, rest, _ := strings.Cut(typ, "(")
	args, suffix, _ := strings.Cut(rest, ")")
	sig := client.TypeSignature{RawType: base + suffix, Arguments: []client.TypeArgument{}}
	for _, a := range strings.Split(args, ",") {
		if n, err := strconv.ParseInt(strings.TrimSpace(a), 10, 64); err == nil {
			sig.Arguments = append(sig.Arguments, client.TypeArgument{Long: n})
		}
	}
	if typ == "varchar" {
		sig.Arguments = append(sig.Arguments, client.TypeArgument{Long: 1<<31 - 1})
	}
	return client.Column{Name: name, Type: typ, Signature: sig}
}
