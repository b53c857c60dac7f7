package local

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/planner/plan"
)

// Deps are what a plan needs to run in this process.
type Deps struct {
	// Query names the query in statistics.
	Query    plan.QueryID
	Catalogs exec.Catalogs
	Settings exec.Settings
	// Account is the query's; all memory is accounted below it.
	Account *mem.Account
	// Stats are filled while the plan runs; nil: nobody looks.
	Stats *exec.TaskStats
	Log   *slog.Logger
}

// Result is a running plan. Its owner pulls the rows, by one goroutine, and
// calls Close.
type Result struct {
	// Names and Columns are the result's columns, in order.
	Names   []string
	Columns []plan.Column
	// Stats are the statistics so far.
	Stats *exec.TaskStats

	build  *builder
	crew   *crew
	top    exec.Operator
	splits *splitQueue
	ended  bool
}

// RunPlan starts a plan of any number of fragments in this process. ctx
// covers its whole life. See the package comment for how fragments meet.
func RunPlan(ctx context.Context, p *plan.Plan, d Deps) (*Result, error) {
	root, err := stitch(p)
	if err != nil {
		return nil, err
	}
	if d.Stats == nil {
		d.Stats = &exec.TaskStats{}
	}
	splits := newSplitQueue(root, d.Catalogs)
	t := &exec.Task{
		ID:       plan.TaskID{Stage: plan.StageID{Query: d.Query}},
		Fragment: &plan.Fragment{Root: root}, Settings: d.Settings, Account: d.Account,
		Splits: splits, Dynamic: newFilters(), Catalogs: d.Catalogs, Stats: d.Stats,
		Partitions: 1, Log: d.Log,
	}
	b, err := newBuilder(t)
	if err != nil {
		return nil, err
	}
	f, err := b.flow(root)
	if err != nil {
		b.abandon()
		return nil, fmt.Errorf("build plan: %w", err)
	}
	f = b.single(f, root)
	return &Result{
		Names: p.Names, Columns: p.Columns, Stats: d.Stats,
		build: b, crew: start(ctx, b.pipelines, d.Log), top: f.tops[0], splits: splits,
	}, nil
}

// Next returns the next batch of the result, borrowed until the next call, or
// nil at the end. The error is the first that any part of the plan met.
func (r *Result) Next(ctx context.Context) (b *vector.Batch, err error) {
	if r.ended {
		return nil, nil
	}
	defer context.AfterFunc(ctx, func() { r.crew.cancel(context.Cause(ctx)) })()
	err = r.crew.guarded("result", func() (err error) {
		b, err = r.top.Next(r.crew.ctx)
		return err
	})
	if err != nil {
		r.ended = true
		if cause := context.Cause(r.crew.ctx); cause != nil {
			err = cause
		}
		return nil, err
	}
	r.ended = b == nil
	return b, nil
}

// Close ends the plan, finished or not, and releases everything. It waits for
// the drivers to let go, which they do soon. It is idempotent.
func (r *Result) Close() error {
	r.ended = true
	err := r.crew.guarded("result", r.top.Close)
	r.crew.stop()
	r.build.settle()
	if e := r.splits.close(); err == nil {
		err = e
	}
	return err
}

// splitQueue hands out the splits of a plan's scans as the connectors list them.
type splitQueue struct {
	catalogs exec.Catalogs
	scans    map[plan.NodeID]*scanSplits
}

// scanSplits is the listing of one scan.
type scanSplits struct {
	mu    sync.Mutex
	scan  *plan.Scan
	src   connectors.SplitSource
	ready []connectors.Split
	ended bool
}

// splitsAtOnce is how many splits are asked for at a time.
const splitsAtOnce = 64

func newSplitQueue(root plan.Node, catalogs exec.Catalogs) *splitQueue {
	q := &splitQueue{catalogs: catalogs, scans: map[plan.NodeID]*scanSplits{}}
	q.collect(root)
	return q
}

func (q *splitQueue) collect(root plan.Node) {
	plan.Walk(root, func(n plan.Node) bool {
		switch n := n.(type) {
		case *plan.Scan:
			q.scans[n.ID] = &scanSplits{scan: n}
		case *shared:
			q.collect(n.fragment.Root)
		}
		return true
	})
}

// Next returns the next split of a scan, nil if there is none.
func (q *splitQueue) Next(ctx context.Context, id plan.NodeID) (*connectors.Split, error) {
	s := q.scans[id]
	if s == nil {
		return nil, fmt.Errorf("no scan is numbered %d", id)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.ready) == 0 && !s.ended {
		if err := s.list(ctx, q.catalogs); err != nil {
			return nil, err
		}
	}
	if len(s.ready) == 0 {
		return nil, nil
	}
	split := s.ready[0]
	s.ready = s.ready[1:]
	return &split, nil
}

func (s *scanSplits) list(ctx context.Context, catalogs exec.Catalogs) (err error) {
	if s.src == nil {
		c, err := catalogs.Connector(ctx, s.scan.Catalog)
		if err != nil {
			return err
		}
		if s.src, err = c.Splits(ctx, s.scan.ScanSpec()); err != nil {
			return err
		}
	}
	if s.ready, err = s.src.Next(ctx, splitsAtOnce); err != nil {
		return err
	}
	s.ended = len(s.ready) == 0
	return nil
}

// close ends all listings. No call of Next runs or follows.
func (q *splitQueue) close() (first error) {
	for _, s := range q.scans {
		if s.src == nil {
			continue
		}
		if err := s.src.Close(); err != nil && first == nil {
			first = err
		}
		s.src, s.ended = nil, true
	}
	return first
}

// filters are the dynamic filters of a plan that one process runs: each has
// one build.
type filters struct {
	mu  sync.Mutex
	all map[plan.DynamicID]*filter
}

type filter struct {
	done chan struct{}
	f    *connectors.DynamicFilter
}

// filterPatience bounds how long a scan waits for a filter. In one process a
// build side that is worth a filter is worth waiting for; the bound is there
// for plans in which the build turns out to wait for the scan.
const filterPatience = 10 * time.Second

func newFilters() *filters { return &filters{all: map[plan.DynamicID]*filter{}} }

func (d *filters) filter(id plan.DynamicID) *filter {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.all[id] == nil {
		d.all[id] = &filter{done: make(chan struct{})}
	}
	return d.all[id]
}

// Publish completes a filter.
func (d *filters) Publish(id plan.DynamicID, f *connectors.DynamicFilter) {
	x := d.filter(id)
	x.f = f
	close(x.done)
}

// Get returns a filter if it is complete.
func (d *filters) Get(id plan.DynamicID) *connectors.DynamicFilter {
	x := d.filter(id)
	select {
	case <-x.done:
		return x.f
	default:
		return nil
	}
}

// Wait waits for a filter.
func (d *filters) Wait(ctx context.Context, id plan.DynamicID) {
	patience := time.NewTimer(filterPatience)
	defer patience.Stop()
	select {
	case <-d.filter(id).done:
	case <-patience.C:
	case <-ctx.Done():
	}
}

var (
	_ exec.Splits         = (*splitQueue)(nil)
	_ exec.DynamicFilters = (*filters)(nil)
)
