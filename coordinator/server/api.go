package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/tuttidb/tutti/coordinator"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
)

// The JSON of /v1 beyond statements, which docs/api.md describes. Times are
// RFC 3339, durations milliseconds, sizes bytes; what is not known is absent.

type apiInfo struct {
	NodeVersion struct {
		Version string `json:"version"`
	} `json:"nodeVersion"`
	NodeID      string `json:"nodeId"`
	Environment string `json:"environment"`
	Coordinator bool   `json:"coordinator"`
	Starting    bool   `json:"starting"`
	Uptime      string `json:"uptime"`
}

func (s *Server) infoNow() (i apiInfo) {
	i.NodeVersion.Version, i.NodeID, i.Environment = s.cfg.Version, s.cfg.NodeID, s.cfg.Environment
	i.Coordinator, i.Starting = true, s.notReady() != nil
	i.Uptime = durationText(s.cfg.Clock.Now().Sub(s.started))
	return i
}

// durationText prints a duration as Trino's clients know it: 1.50h, 37.10s.
func durationText(d time.Duration) string {
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}, {time.Millisecond, "ms"}} {
		if d >= u.unit {
			return fmt.Sprintf("%.2f%s", float64(d)/float64(u.unit), u.name)
		}
	}
	return fmt.Sprintf("%.2fns", float64(d))
}

func (s *Server) info(w http.ResponseWriter, r *http.Request) { s.sendJSON(w, r, s.infoNow()) }

func (s *Server) notReady() error {
	if s.cfg.Ready == nil {
		return nil
	}
	return s.cfg.Ready()
}

func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	err := s.notReady()
	if s.ending.Load() {
		err = errEnding
	}
	if err != nil {
		plainError(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	w.WriteHeader(http.StatusOK)
}

func (s *Server) state(w http.ResponseWriter, r *http.Request) { s.sendJSON(w, r, s.stateNow()) }

// stateNow returns the node's state in Trino's words.
func (s *Server) stateNow() string {
	switch {
	case s.ending.Load():
		return "SHUTTING_DOWN"
	case s.notReady() != nil:
		return "STARTING"
	}
	return "ACTIVE"
}

// Why a node takes no statements.
var (
	errStarting = errors.New("the server is starting")
	errEnding   = errors.New("the server is shutting down")
)

// setState begins a graceful shutdown: no new statements, and the process ends
// when the running ones have.
func (s *Server) setState(w http.ResponseWriter, r *http.Request) {
	if userOf(r) == "" {
		refuse(w, noUser{})
		return
	}
	var state string
	err := json.NewDecoder(io.LimitReader(r.Body, 1<<10)).Decode(&state)
	switch {
	case err != nil || state != "SHUTTING_DOWN":
		plainError(w, http.StatusBadRequest, `The only state to ask for is "SHUTTING_DOWN"`)
	case s.cfg.Shutdown == nil:
		plainError(w, http.StatusForbidden, "This server cannot be shut down over HTTP")
	default:
		if s.ending.CompareAndSwap(false, true) {
			s.cfg.Log.Info("shutting down", "user", userOf(r), "address", remoteOf(r))
			go s.cfg.Shutdown()
		}
		w.WriteHeader(http.StatusOK)
	}
}

type apiStatus struct {
	apiInfo
	Processors int   `json:"processors"`
	HeapUsed   int64 `json:"heapUsed"`
	HeapHeld   int64 `json:"heapAvailable"`
	Goroutines int   `json:"goroutines"`
}

func (s *Server) status(w http.ResponseWriter, r *http.Request) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	s.sendJSON(w, r, apiStatus{
		apiInfo: s.infoNow(), Processors: runtime.GOMAXPROCS(0),
		HeapUsed: int64(m.HeapAlloc), HeapHeld: int64(m.HeapSys - m.HeapReleased), Goroutines: runtime.NumGoroutine(),
	})
}

type apiCluster struct {
	RunningQueries int     `json:"runningQueries"`
	QueuedQueries  int     `json:"queuedQueries"`
	ActiveWorkers  int     `json:"activeWorkers"`
	RunningDrivers int     `json:"runningDrivers"`
	ReservedMemory int64   `json:"reservedMemory"`
	TotalInputRows int64   `json:"totalInputRows"`
	TotalCPUMillis float64 `json:"totalCpuMillis"`
	Version        string  `json:"version"`
	Uptime         string  `json:"uptime"`
}

func (s *Server) cluster(w http.ResponseWriter, r *http.Request) {
	c := apiCluster{Version: s.cfg.Version, Uptime: durationText(s.cfg.Clock.Now().Sub(s.started))}
	for _, q := range s.cfg.Engine.Queries() {
		switch {
		case q.State == coordinator.Queued:
			c.QueuedQueries++
		case !q.State.Done():
			c.RunningQueries++
		}
		c.TotalInputRows += q.Stats.PhysicalRows
		c.TotalCPUMillis += float64(q.Stats.CPU) / 1e6
	}
	for _, n := range s.cfg.Engine.Nodes() {
		if !n.Coordinator && n.State == "active" {
			c.ActiveWorkers++
		}
		c.RunningDrivers += n.RunningDrivers
		c.ReservedMemory += n.MemoryUsed
	}
	s.sendJSON(w, r, c)
}

type apiNode struct {
	NodeID         string     `json:"nodeId"`
	URI            string     `json:"uri"`
	Address        string     `json:"address,omitempty"`
	Version        string     `json:"version"`
	Coordinator    bool       `json:"coordinator"`
	State          string     `json:"state"`
	Reason         string     `json:"reason,omitempty"`
	LastSeen       *time.Time `json:"lastSeen,omitempty"`
	RunningTasks   int        `json:"runningTasks"`
	RunningDrivers int        `json:"runningDrivers"`
	MemoryUsed     int64      `json:"memoryUsed"`
	MemoryLimit    int64      `json:"memoryLimit"`
	RSS            int64      `json:"rss"`
	RetainedBytes  int64      `json:"retainedBytes"`
	CPUMillis      int64      `json:"cpuMillis"`
	Threads        int        `json:"threads"`
}

func (s *Server) nodes(w http.ResponseWriter, r *http.Request) {
	out := []apiNode{}
	for _, n := range s.cfg.Engine.Nodes() {
		out = append(out, apiNode{
			NodeID: n.ID, URI: uriOf(n.HTTPAddress), Address: n.Address, Version: n.Version, Coordinator: n.Coordinator, State: n.State, Reason: n.Reason,
			LastSeen: timeOf(n.LastSeen), RunningTasks: n.RunningTasks, RunningDrivers: n.RunningDrivers, MemoryUsed: n.MemoryUsed,
			MemoryLimit: n.MemoryLimit, RSS: n.RSS, RetainedBytes: n.RetainedBytes, CPUMillis: millis(n.CPU), Threads: n.Threads,
		})
	}
	s.sendJSON(w, r, out)
}

// uriOf makes an address a URI.
func uriOf(address string) string {
	if address == "" || strings.Contains(address, "://") {
		return address
	}
	return "http://" + address
}

func timeOf(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// queries answers GET /v1/query, newest first; state=, user= and q= (part of
// the text or id) narrow the list, limit= bounds it.
func (s *Server) queries(w http.ResponseWriter, r *http.Request) {
	form := r.URL.Query()
	limit := 1000
	if _, err := fmt.Sscanf(form.Get("limit"), "%d", &limit); form.Get("limit") != "" && (err != nil || limit < 0) {
		plainError(w, http.StatusBadRequest, "limit is not a number")
		return
	}
	part := strings.ToLower(form.Get("q"))
	out := []*apiQuery{}
	for _, q := range s.cfg.Engine.Queries() {
		switch {
		case len(out) >= limit,
			form.Get("state") != "" && !strings.EqualFold(form.Get("state"), string(q.State)),
			form.Get("user") != "" && form.Get("user") != q.Session.User,
			part != "" && !strings.Contains(strings.ToLower(q.SQL), part) && !strings.Contains(string(q.ID), part):
			continue
		}
		out = append(out, queryOf(q, false))
	}
	s.sendJSON(w, r, out)
}

// query answers GET /v1/query/{id}.
func (s *Server) query(w http.ResponseWriter, r *http.Request) {
	q, found := s.cfg.Engine.Query(plan.QueryID(r.PathValue("id")))
	if !found {
		s.unknown(w, r)
		return
	}
	info := q.Info()
	if err := s.failureOf(q); err != nil && !info.State.Done() {
		info.State, info.Error = coordinator.Failed, err // though its nodes still let go of it
	}
	s.sendJSON(w, r, queryOf(info, true))
}

// failureOf returns what the client of a query has been told of its failure,
// which may be before the query has ended on all nodes.
func (s *Server) failureOf(q coordinator.Query) *qerr.Error {
	s.mu.Lock()
	r := s.results[q.ID()]
	s.mu.Unlock()
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// cancelQuery answers DELETE /v1/query/{id}.
func (s *Server) cancelQuery(w http.ResponseWriter, r *http.Request) {
	id := plan.QueryID(r.PathValue("id"))
	if q, found := s.cfg.Engine.Query(id); found {
		if err := s.end(r.Context(), q, qerr.New(qerr.UserCanceled, "Query was canceled")); err != nil {
			sorry(w, err)
			return
		}
	} else if !s.leads(w, r) {
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// kill answers PUT /v1/query/{id}/killed, whose body may say why.
func (s *Server) kill(w http.ResponseWriter, r *http.Request) {
	q, found := s.cfg.Engine.Query(plan.QueryID(r.PathValue("id")))
	if !found {
		s.unknown(w, r)
		return
	}
	if q.Info().State.Done() {
		plainError(w, http.StatusConflict, "Query has ended")
		return
	}
	body, _ := io.ReadAll(io.LimitReader(r.Body, 4<<10)) // what arrived of the reason will do
	reason := strings.Trim(strings.TrimSpace(string(body)), `"`)
	message := "Query killed."
	if reason != "" {
		message += " Message: " + reason
	}
	if err := s.end(r.Context(), q, qerr.New(qerr.AdministrativelyKilled, "%s", message)); err != nil {
		sorry(w, err)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// end cancels a query and lets its client know at once, if it came over HTTP.
// It returns when no successor would run the query.
func (s *Server) end(ctx context.Context, q coordinator.Query, err *qerr.Error) error {
	s.mu.Lock()
	r := s.results[q.ID()]
	s.mu.Unlock()
	if r == nil {
		q.Cancel(err)
		return nil
	}
	if !r.fail(err) {
		return nil
	}
	return s.hold(ctx, func(ctx context.Context) error { return s.cfg.Journal.Fail(ctx, r.id, err) })
}
