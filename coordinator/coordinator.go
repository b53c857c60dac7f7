package coordinator

import (
	"crypto/rand"
	"encoding/base32"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tuttidb/tutti/internal/clock"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/optimize"
	"github.com/tuttidb/tutti/planner/plan"
)

// Limits bound what a coordinator takes on. Zero durations and counts mean
// the defaults of DefaultLimits.
type Limits struct {
	// MaxRunning queries run at once, MaxQueued more wait.
	MaxRunning, MaxQueued int
	// ReservedMemory is what a query reserves of each node's memory while it
	// runs, in bytes; 0: as much as its plan is expected to need. Queries wait
	// while what they would reserve does not fit. QueryMemory bounds the
	// memory of one query on a node and so the reservation; 0: no bound.
	ReservedMemory, QueryMemory int64
	// ClientTimeout is how long a client may stay away before its query is
	// abandoned.
	ClientTimeout time.Duration
	// MaxText is the longest SQL text, in characters.
	MaxText int
	// History is how many ended queries are remembered, HistoryBytes about how
	// much memory they may take, whose texts may be long.
	History      int
	HistoryBytes int64
}

// DefaultLimits are Trino's, where it has them.
var DefaultLimits = Limits{MaxRunning: 100, MaxQueued: 1000, ClientTimeout: 5 * time.Minute, MaxText: 1_000_000, History: 200, HistoryBytes: 32 << 20}

// Deps are what a coordinator needs.
type Deps struct {
	// Catalogs are the catalogs by name.
	Catalogs *Catalogs
	// Definitions keep the catalogs that statements make; nil: none can.
	Definitions Definitions
	// Folder computes constant expressions.
	Folder optimize.Folder
	// Local runs plans in this process; Cluster runs them on workers, nil in a
	// single process.
	Local, Cluster Executor
	// Nodes lists the cluster's nodes.
	Nodes  func() []NodeInfo
	Clock  clock.Clock
	Log    *slog.Logger
	Limits Limits
	// NodeID and Version are this process's.
	NodeID, Version string
	// Epoch is the leadership that this coordinator lives for; 0 where there is
	// one coordinator only.
	Epoch uint64
	// Journal is told what a successor needs; nil: there will be none.
	Journal Journal
	// Succeeded says that another coordinator may take over while workers run:
	// what they hold of a result stays there until the client has it for good.
	Succeeded bool
}

// Coordinator runs statements. Make it with New; Close ends it.
type Coordinator struct {
	deps Deps
	ids  idSource
	door *admission

	mu      sync.Mutex
	queries map[plan.QueryID]*activeQuery
	order   []plan.QueryID // oldest first
	history int64          // bytes of the ended ones, about
	// abandoned: another coordinator goes on with all of them.
	abandoned bool
	closed    chan struct{}
	closing   sync.Once
	janitor   sync.WaitGroup
}

// New starts a coordinator.
func New(d Deps) *Coordinator {
	d.Limits = d.Limits.orDefault()
	c := &Coordinator{
		deps:    d,
		ids:     idSource{clock: d.Clock, suffix: randomSuffix()},
		queries: map[plan.QueryID]*activeQuery{},
		closed:  make(chan struct{}),
	}
	c.door = newAdmission(d.Limits, c.capacity)
	c.janitor.Add(1)
	go c.clean()
	return c
}

func (l Limits) orDefault() Limits {
	d := DefaultLimits
	if l.MaxRunning > 0 {
		d.MaxRunning = l.MaxRunning
	}
	if l.MaxQueued > 0 {
		d.MaxQueued = l.MaxQueued
	}
	d.ReservedMemory, d.QueryMemory = l.ReservedMemory, l.QueryMemory
	if l.ClientTimeout > 0 {
		d.ClientTimeout = l.ClientTimeout
	}
	if l.MaxText > 0 {
		d.MaxText = l.MaxText
	}
	if l.History > 0 {
		d.History = l.History
	}
	if l.HistoryBytes > 0 {
		d.HistoryBytes = l.HistoryBytes
	}
	return d
}

// Query returns a query that is running or remembered.
func (c *Coordinator) Query(id plan.QueryID) (Query, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	q, ok := c.queries[id]
	if !ok {
		return nil, false
	}
	return q, true
}

// Queries returns snapshots of all queries that run or are remembered, newest
// first.
func (c *Coordinator) Queries() []*QueryInfo {
	c.mu.Lock()
	list := make([]*activeQuery, 0, len(c.order))
	for _, id := range slices.Backward(c.order) {
		list = append(list, c.queries[id])
	}
	c.mu.Unlock()
	out := make([]*QueryInfo, len(list))
	for i, q := range list {
		out[i] = q.Info()
	}
	return out
}

// Running reports whether a query of that id is running, or has ended and is
// to be kept on workers still.
func (c *Coordinator) Running(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	q, ok := c.queries[plan.QueryID(id)]
	return ok && !q.over()
}

// Nodes returns the cluster's nodes.
func (c *Coordinator) Nodes() []NodeInfo {
	if c.deps.Nodes == nil {
		return nil
	}
	return c.deps.Nodes()
}

// Catalogs returns the catalogs.
func (c *Coordinator) Catalogs() *Catalogs { return c.deps.Catalogs }

// Close fails all running queries and waits for the janitor.
func (c *Coordinator) Close() {
	c.shut()
	for _, q := range c.held() {
		q.Cancel(qerr.New(qerr.ServerShuttingDown, "the coordinator is shutting down"))
		<-q.gone
	}
}

// shut ends the janitor.
func (c *Coordinator) shut() {
	c.closing.Do(func() { close(c.closed) })
	c.janitor.Wait()
}

// live returns the queries that run.
func (c *Coordinator) live() []*activeQuery {
	return slices.DeleteFunc(c.held(), (*activeQuery).ended)
}

// held returns the queries that run or still hold something on workers.
func (c *Coordinator) held() (out []*activeQuery) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, q := range c.queries {
		if !q.over() {
			out = append(out, q)
		}
	}
	return out
}

// capacity is the memory of the smallest node that runs queries, in bytes; 0
// while none is known.
func (c *Coordinator) capacity() (least int64) {
	for _, n := range c.Nodes() {
		if n.Coordinator && c.deps.Cluster != nil || n.State == "gone" || n.MemoryLimit <= 0 {
			continue
		}
		if least == 0 || n.MemoryLimit < least {
			least = n.MemoryLimit
		}
	}
	return least
}

// clean abandons queries whose clients have gone and enforces time limits,
// once a second.
func (c *Coordinator) clean() {
	defer c.janitor.Done()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-c.closed:
			return
		case <-tick.C:
			c.door.look()
			now := c.deps.Clock.Now()
			for _, q := range c.held() {
				q.expire(now, c.deps.Limits.ClientTimeout)
			}
		}
	}
}

// idSource makes query IDs in Trino's form: time, number, coordinator.
type idSource struct {
	clock  clock.Clock
	suffix string

	mu   sync.Mutex
	n    int
	last time.Time // the latest there was
}

func (s *idSource) next() plan.QueryID {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.clock.Now().UTC(); now.After(s.last) { // a clock that is set back must not give an ID again
		if now.YearDay() != s.last.YearDay() {
			s.n = 0
		}
		s.last = now.Round(0) // the time of day, which may be set back, and not what has passed
	}
	id := fmt.Sprintf("%s_%05d_%s", s.last.Format("20060102_150405"), s.n, s.suffix)
	s.n++
	return plan.QueryID(id)
}

// randomSuffix tells the queries of one run of a coordinator from another's.
func randomSuffix() string {
	var b [5]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))[:5]
}
