package server

import (
	"context"
	"crypto/subtle"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tuttidb/tutti/coordinator"
	"github.com/tuttidb/tutti/coordinator/journal"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
)

// submit answers POST /v1/statement: it starts the query and says where its
// rows will be.
func (s *Server) submit(w http.ResponseWriter, r *http.Request) {
	session, err := sessionOf(r)
	if err != nil {
		refuse(w, err)
		return
	}
	if err := s.full(); err != nil {
		sorry(w, err)
		return
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.cfg.Limits.MaxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		plainError(w, http.StatusRequestEntityTooLarge, "SQL statement is too large")
		return
	case err != nil:
		plainError(w, http.StatusBadRequest, "The request ended early")
		return
	case !utf8.Valid(text):
		plainError(w, http.StatusBadRequest, "SQL statement is not UTF-8")
		return
	case strings.TrimSpace(string(text)) == "":
		plainError(w, http.StatusBadRequest, "SQL statement is empty")
		return
	}
	slug, named := s.slugOf(r)
	release, err := s.claim(r.Context(), slug)
	if err != nil {
		sorry(w, err)
		return
	}
	defer release()
	if named {
		if res := s.accepted(slug); res != nil {
			s.sendFirst(w, r, res)
			return
		}
	}
	parametric := slices.ContainsFunc(session.Capabilities, func(c string) bool { return strings.EqualFold(c, "PARAMETRIC_DATETIME") })
	st := &journal.Statement{
		ID: s.cfg.Engine.NewID(), Slug: slug, Request: coordinator.Request{SQL: string(text), Session: session}, Created: s.cfg.Clock.Now(),
		Parametric: parametric, Encodings: listOf(r, "Query-Data-Encoding"),
	}
	remembered := s.remembered(st)
	if err := s.hold(r.Context(), func(ctx context.Context) error { return s.cfg.Journal.Accept(ctx, remembered) }); err != nil {
		s.cfg.Journal.Forget(st.ID)
		sorry(w, err)
		return
	}
	s.metrics.submitted.Inc()
	s.sendFirst(w, r, s.begin(st))
}

// remembered is a statement as it is written down: of one that is too long for
// the engine so much that it is too long for the next one as well. Else a few of
// those, which anybody can send, would fill the memory of all coordinators.
func (s *Server) remembered(st *journal.Statement) *journal.Statement {
	text, most := st.Request.SQL, s.cfg.Limits.MaxText
	if len(text) <= most || utf8.RuneCountInString(text) <= most {
		return st
	}
	end := 0
	for range most + 1 {
		_, size := utf8.DecodeRuneInString(text[end:])
		end += size
	}
	short := *st
	short.Request.SQL = text[:end]
	return &short
}

// sendFirst tells a client where the rows of its statement will be.
func (s *Server) sendFirst(w http.ResponseWriter, r *http.Request, res *result) {
	body, err := res.first(baseOf(r))
	if err != nil {
		s.broken(w, r, err)
		return
	}
	s.send(w, r, &page{body: [][]byte{body}})
}

// full says why no statement can be taken now, or nil.
func (s *Server) full() error {
	if s.ending.Load() {
		return errEnding
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.results)-len(s.kept) >= s.cfg.Limits.MaxOpen {
		return errFull
	}
	return nil
}

// errFull refuses a statement because clients do not read those they sent.
var errFull = errors.New("too many statements wait for their clients; try again later")

// refuse answers a request whose headers are wrong.
func refuse(w http.ResponseWriter, err error) {
	var bad *badHeader
	if errors.As(err, &bad) {
		plainError(w, http.StatusBadRequest, bad.text)
		return
	}
	w.Header().Set("WWW-Authenticate", `Basic realm="Trino"`)
	plainError(w, http.StatusUnauthorized, err.Error())
}

// validate answers HEAD /v1/statement: whether statements would be taken.
func (s *Server) validate(w http.ResponseWriter, r *http.Request) {
	if userOf(r) == "" {
		refuse(w, noUser{})
		return
	}
	w.WriteHeader(http.StatusOK)
}

// leads reports whether this server's leadership is not over: only then what it
// does not know is nowhere. It answers the request itself if not. A process that
// was stopped for a while, or cut off, may not know yet that others go on with
// its clients.
func (s *Server) leads(w http.ResponseWriter, r *http.Request) bool {
	err := s.hold(r.Context(), s.cfg.Journal.Leads)
	if err != nil {
		sorry(w, err)
	}
	return err == nil
}

// unknown answers a request about a query that is not here.
func (s *Server) unknown(w http.ResponseWriter, r *http.Request) {
	if s.leads(w, r) {
		plainError(w, http.StatusNotFound, "Query not found")
	}
}

// result finds the result that a request's path names; it answers the request
// itself if there is none.
func (s *Server) result(w http.ResponseWriter, r *http.Request) *result {
	s.mu.Lock()
	res := s.results[plan.QueryID(r.PathValue("id"))]
	s.mu.Unlock()
	if res == nil || subtle.ConstantTimeCompare([]byte(res.slug), []byte(r.PathValue("slug"))) != 1 {
		s.unknown(w, r)
		return nil
	}
	res.touch()
	return res
}

// fetch answers GET and HEAD of a nextUri: the page, or that the query lives.
func (s *Server) fetch(w http.ResponseWriter, r *http.Request) {
	res := s.result(w, r)
	if res == nil {
		return
	}
	token, err := strconv.ParseInt(r.PathValue("token"), 10, 64)
	if err != nil {
		plainError(w, http.StatusNotFound, "Query not found")
		return
	}
	if r.Method == http.MethodHead {
		res.heartbeat(r.Context())
		w.WriteHeader(http.StatusOK)
		return
	}
	p, err := res.fetch(r.Context(), token, strings.HasPrefix(r.URL.Path, "/v1/statement/queued/"), baseOf(r))
	var later *unwritten
	switch {
	case r.Context().Err() != nil:
		return // nobody is there to answer
	case errors.Is(err, errGone):
		if s.leads(w, r) {
			plainError(w, http.StatusGone, err.Error())
		}
	case errors.Is(err, errAbandoned), errors.As(err, &later):
		sorry(w, err)
	case err != nil:
		s.broken(w, r, err)
	default:
		s.send(w, r, p)
		res.touch()
	}
}

// cancel answers DELETE of a nextUri.
func (s *Server) cancel(w http.ResponseWriter, r *http.Request) {
	if res := s.result(w, r); res != nil {
		res.left.Store(true)
		failure := qerr.New(qerr.UserCanceled, "Query was canceled")
		res.fail(failure)
		if err := s.hold(r.Context(), func(ctx context.Context) error { return s.cfg.Journal.Fail(ctx, res.id, failure) }); err != nil {
			sorry(w, err)
			return
		}
		s.cfg.Journal.End(res.id, failure)
		w.WriteHeader(http.StatusNoContent)
	}
}

// cancelPartly answers DELETE of a partialCancelUri: what is there is all.
func (s *Server) cancelPartly(w http.ResponseWriter, r *http.Request) {
	if res := s.result(w, r); res != nil {
		res.stopEarly()
		w.WriteHeader(http.StatusNoContent)
	}
}
