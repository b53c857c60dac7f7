package op

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/planner/plan"
)

// ScanConfig says what a Scan reads and with whose help. The drivers of a
// pipeline share one.
type ScanConfig struct {
	Env
	Node     plan.NodeID
	Spec     *connectors.Scan
	Catalog  string
	Catalogs exec.Catalogs
	Splits   exec.Splits
	// Dynamic gives the scan's dynamic filters; nil: none are used.
	Dynamic exec.DynamicFilters
	// Task counts the splits that are done; nil: nobody counts.
	Task *exec.TaskStats
	Log  *slog.Logger
}

// Scan reads splits one after the other until none is left. The connector's
// source applies the scan's predicate and its dynamic filters.
type Scan struct {
	waited
	cfg    *ScanConfig
	env    connectors.Env
	conn   connectors.Connector
	src    connectors.Source
	seen   connectors.SourceStats // of src, already counted
	began  bool
	ended  bool
	closed bool
}

// NewScan returns a scan, one of those that share cfg.
func NewScan(cfg *ScanConfig) *Scan {
	s := &Scan{cfg: cfg}
	s.env = connectors.Env{Account: cfg.Account, BatchRows: cfg.rows(), Dynamic: s.dynamic, Log: cfg.Log}
	return s
}

func (s *Scan) dynamic(id int32) *connectors.DynamicFilter {
	if s.cfg.Dynamic == nil {
		return nil
	}
	return s.cfg.Dynamic.Get(plan.DynamicID(id))
}

// Next returns the next batch of the current split or the one after.
func (s *Scan) Next(ctx context.Context) (*vector.Batch, error) {
	for !s.ended && !s.closed {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if s.src == nil {
			if err := s.open(ctx); err != nil {
				return nil, err
			}
			continue
		}
		b, err := s.src.Next(ctx)
		s.count()
		if err != nil {
			return nil, err
		}
		if b == nil {
			if err := s.endSplit(); err != nil {
				return nil, err
			}
			continue
		}
		if b.Rows() > 0 {
			return b, nil
		}
	}
	return nil, nil
}

// hopeless reports whether a dynamic filter says that no row can matter. The
// splits are taken all the same, for somebody counts them.
func (s *Scan) hopeless() bool {
	for _, d := range s.cfg.Spec.Dynamic {
		if f := s.dynamic(d.ID); f != nil && f.Empty {
			return true
		}
	}
	return false
}

// open takes the next split and opens it if it is worth that, or sets ended.
func (s *Scan) open(ctx context.Context) error {
	if !s.began {
		s.began = true
		s.await(ctx)
	}
	start := time.Now()
	split, err := s.cfg.Splits.Next(ctx, s.cfg.Node)
	s.since(start)
	if err != nil {
		return err
	}
	if split == nil {
		s.ended = true
		return nil
	}
	if s.hopeless() {
		s.done()
		return nil
	}
	if s.conn == nil {
		if s.conn, err = s.cfg.Catalogs.Connector(ctx, s.cfg.Catalog); err != nil {
			return err
		}
	}
	src, err := s.conn.Open(ctx, s.cfg.Spec, *split, &s.env)
	if err != nil {
		return fmt.Errorf("open a split of %s.%s: %w", s.cfg.Spec.Schema, s.cfg.Spec.Table, err)
	}
	s.src, s.seen = src, connectors.SourceStats{}
	return nil
}

// await gives the scan's dynamic filters their chance to arrive: what they
// skip later is usually worth more than a start right now.
func (s *Scan) await(ctx context.Context) {
	if s.cfg.Dynamic == nil {
		return
	}
	start := time.Now()
	for _, d := range s.cfg.Spec.Dynamic {
		s.cfg.Dynamic.Wait(ctx, plan.DynamicID(d.ID))
	}
	s.since(start)
}

// count adds what the source did since the last call to the statistics.
func (s *Scan) count() {
	now, st := s.src.Stats(), s.cfg.Stats
	st.PhysicalBytes.Add(now.PhysicalBytes - s.seen.PhysicalBytes)
	st.PhysicalRows.Add(now.PhysicalRows - s.seen.PhysicalRows)
	st.Groups.Add(now.Groups - s.seen.Groups)
	st.GroupSkip.Add(now.GroupsSkipped - s.seen.GroupsSkipped)
	s.total += time.Duration(now.ReadNanos - s.seen.ReadNanos)
	s.seen = now
}

func (s *Scan) endSplit() error {
	err := s.src.Close()
	s.src = nil
	s.done()
	return err
}

// done counts a split.
func (s *Scan) done() {
	if s.cfg.Task != nil {
		s.cfg.Task.SplitsDone.Add(1)
	}
}

// Close closes the split that is being read.
func (s *Scan) Close() error {
	s.closed = true
	if s.src == nil {
		return nil
	}
	err := s.src.Close()
	s.src = nil
	return err
}
