package server

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"time"

	"github.com/tuttidb/tutti/coordinator"
	"github.com/tuttidb/tutti/coordinator/journal"
	"github.com/tuttidb/tutti/internal/qerr"
)

// holdPause is the time between two tries to write something down, at first.
const holdPause = 10 * time.Millisecond

// errAbandoned ends requests that another coordinator will answer.
var errAbandoned = errors.New("another coordinator answers")

// Handle answers one request. It returns false, with nothing written, if the
// server was abandoned before the answer began: then another coordinator may
// answer it, on the same w.
func (s *Server) Handle(w http.ResponseWriter, r *http.Request) (answered bool) {
	var before http.Header
	if h := w.Header(); len(h) > 0 {
		before = maps.Clone(h)
	}
	rec := &recorder{ResponseWriter: w, gone: &s.gone}
	s.handler.ServeHTTP(rec, r)
	if rec.dropped {
		clear(w.Header())
		maps.Copy(w.Header(), before)
	}
	return !rec.dropped
}

// Abandon drops all results where they stand, for another coordinator goes on
// with them: clients hear nothing of it, and requests that wait return from
// Handle unanswered. The journal is closed.
func (s *Server) Abandon() {
	// First this, so that what comes of the rest is not shown to anybody.
	s.gone.Store(true)
	s.stop()
	s.cfg.Journal.Close()
	s.clear()
	s.metrics.unregister(s.cfg.Registerer)
}

// hold tries to write something down until it works. While it does not, the
// request waits: for a majority of coordinators to answer again, or for this
// server to be abandoned.
func (s *Server) hold(ctx context.Context, write func(context.Context) error) error {
	err := write(ctx)
	if err == nil {
		return nil
	}
	patience := time.NewTimer(s.cfg.Limits.Hold)
	defer patience.Stop()
	for pause := holdPause; err != nil; pause = min(2*pause, 500*time.Millisecond) {
		select {
		case <-s.ctx.Done():
			return errAbandoned
		case <-ctx.Done():
			return ctx.Err()
		case <-patience.C:
			return &unwritten{err}
		case <-time.After(pause):
		}
		err = write(ctx)
	}
	return nil
}

// unwritten is an answer that could not be given, as nobody would remember it.
type unwritten struct{ cause error }

func (u *unwritten) Error() string {
	return "The coordinators cannot write this down at the moment, try again: " + u.cause.Error()
}

// sorry answers a request that could not be held for longer. If the server was
// abandoned, this answer is dropped like any other.
func sorry(w http.ResponseWriter, err error) {
	w.Header().Set("Retry-After", "1")
	plainError(w, http.StatusServiceUnavailable, err.Error())
}

// Restore takes over the results of an earlier coordinator, whose queries go
// on. Call it once, before the first request.
func (s *Server) Restore(entries []*journal.Entry) {
	s.cfg.Journal.Restore(entries)
	var ended []*coordinator.QueryInfo
	for _, e := range entries {
		if e.Ended != nil {
			ended = append(ended, e.Ended)
		}
	}
	s.cfg.Engine.Recall(ended)
	for _, e := range entries {
		if e.Ended == nil || e.Page != nil {
			s.restore(e)
		}
	}
}

// restore makes the result of one query, as its client last saw it.
func (s *Server) restore(e *journal.Entry) {
	r := s.prepare(e.ID, e.Slug, e.Parametric, newPacker(e.Encodings, &s.metrics.pack))
	if p := e.Page; p != nil {
		r.next, r.shown = p.Token+1, p.Rows
		if r.packer != nil {
			r.packer.rows = p.Rows
		}
		r.page = &page{token: p.Token, body: [][]byte{p.Body}, header: p.Header, last: p.Last, packed: p.Packed, rows: p.Rows}
		r.page.gone = p.Gone
	}
	switch failure := endOf(e); {
	case e.Page != nil && e.Page.Last:
		r.ended = true
		s.open(r, spent{id: e.ID})
		r.spend(r.page)
		r.touch()
	case failure != nil:
		r.ended, r.err = true, failure
		s.open(r, s.failed(e, failure))
	default:
		r.unsure = e.Unsure
		q := s.cfg.Engine.Resume(coordinator.Resumption{
			ID: e.ID, Created: e.Created, Request: e.Request, Begun: true, Plan: e.Plan, PlanVersion: e.PlanVersion,
			Catalogs: e.Catalogs, Rows: r.shown, Epoch: epochOf(e.Page),
		})
		s.open(r, q)
		go r.fill(s.ctx, q)
	}
}

// epochOf is the leadership in which a page was shown; 0: not known, or there is none.
func epochOf(p *journal.Page) uint64 {
	if p == nil {
		return 0
	}
	return p.Epoch
}

// endOf returns how a query has ended whose client does not know it yet, nil if
// it goes on.
func endOf(e *journal.Entry) *qerr.Error {
	switch {
	case e.Failure != nil:
		return e.Failure
	case e.Ended != nil && e.Ended.Error != nil:
		return e.Ended.Error
	case e.Ended != nil || !e.Known:
		return errLost()
	}
	return nil
}

// errLost is the end of a result whose rest nobody knows.
func errLost() *qerr.Error {
	return qerr.New(qerr.RemoteHostGone, "the coordinator that ran this query was lost before its result was complete; run it again").WithRetry()
}

// failed puts a query that ended with an error into the history.
func (s *Server) failed(e *journal.Entry, failure *qerr.Error) coordinator.Query {
	if e.Ended == nil {
		now := s.cfg.Clock.Now()
		s.cfg.Engine.Recall([]*coordinator.QueryInfo{{
			ID: e.ID, State: coordinator.Failed, SQL: e.Request.SQL, Session: e.Request.Session, Error: failure,
			Created: e.Created, Ended: now, LastHeartbeat: now, Stats: coordinator.Stats{Progress: -1},
		}})
	}
	if q, ok := s.cfg.Engine.Query(e.ID); ok {
		return q
	}
	return spent{id: e.ID}
}
