package op

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/op/optest"
	"github.com/tuttidb/tutti/planner/plan"
)

// fakeScan is catalog, connector and split queue of one table of equal splits.
type fakeScan struct {
	unused
	table  optest.Table
	splits int
	refuse error // of Open

	mu      sync.Mutex
	opened  int
	filters map[plan.DynamicID]*connectors.DynamicFilter
	waited  []plan.DynamicID
}

func (f *fakeScan) Connector(context.Context, string) (connectors.Connector, error) { return f, nil }

func (f *fakeScan) Next(context.Context, plan.NodeID) (*connectors.Split, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.splits == 0 {
		return nil, nil
	}
	f.splits--
	return &connectors.Split{}, nil
}

func (f *fakeScan) Open(_ context.Context, _ *connectors.Scan, _ connectors.Split, env *connectors.Env) (connectors.Source, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuse != nil {
		return nil, f.refuse
	}
	f.opened++
	return &countedSource{Source: optest.NewSource(env.Account, f.table, optest.Form{BatchRows: env.BatchRows})}, nil
}

func (f *fakeScan) Publish(plan.DynamicID, *connectors.DynamicFilter) {}
func (f *fakeScan) Get(id plan.DynamicID) *connectors.DynamicFilter   { return f.filters[id] }
func (f *fakeScan) Wait(_ context.Context, id plan.DynamicID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waited = append(f.waited, id)
}

// countedSource says that it read what it was asked for.
type countedSource struct{ *optest.Source }

func (s *countedSource) Stats() connectors.SourceStats {
	n := int64(s.Pulls)
	return connectors.SourceStats{PhysicalBytes: 100 * n, PhysicalRows: 10 * n, Groups: n, GroupsSkipped: 2 * n, ReadNanos: 5 * n}
}

func (f *fakeScan) config(t *testing.T) *ScanConfig {
	return &ScanConfig{
		Env:      Env{Account: optest.NewAccount(t), Stats: &exec.OperatorStats{}, BatchRows: 10},
		Spec:     &connectors.Scan{Schema: "s", Table: "t", Dynamic: []connectors.DynamicUse{{ID: 3}, {ID: 4}}},
		Catalogs: f, Splits: f, Dynamic: f, Task: &exec.TaskStats{},
	}
}

func TestScansShareSplits(t *testing.T) {
	f := &fakeScan{table: randomTable(25), splits: 7}
	cfg := f.config(t)
	rows, err := optest.DrainAll([]exec.Operator{NewScan(cfg), NewScan(cfg), NewScan(cfg)})
	if err != nil {
		t.Fatal(err)
	}
	var want optest.Rows
	for range 7 {
		want = append(want, f.table.Rows...)
	}
	optest.Same(t, want, rows)
	st := cfg.Stats
	if n := cfg.Task.SplitsDone.Load(); n != 7 || f.opened != 7 {
		t.Errorf("%d splits opened, %d counted", f.opened, n)
	}
	// Each split is pulled four times: three batches and the end.
	if st.PhysicalBytes.Load() != 2800 || st.PhysicalRows.Load() != 280 || st.Groups.Load() != 28 || st.GroupSkip.Load() != 56 {
		t.Errorf("statistics are %d bytes, %d rows, %d groups, %d skipped",
			st.PhysicalBytes.Load(), st.PhysicalRows.Load(), st.Groups.Load(), st.GroupSkip.Load())
	}
	if len(f.waited) != 6 {
		t.Errorf("three scans waited for filters %v", f.waited)
	}
}

func TestScanSkipsAllWhenNothingCanMatch(t *testing.T) {
	f := &fakeScan{table: randomTable(25), splits: 7, filters: map[plan.DynamicID]*connectors.DynamicFilter{4: {Empty: true}}}
	cfg := f.config(t)
	rows, err := optest.Drain(NewScan(cfg))
	if err != nil || len(rows) != 0 || f.opened != 0 || cfg.Task.SplitsDone.Load() != 7 {
		t.Errorf("%d rows, %v; %d splits opened, %d counted", len(rows), err, f.opened, cfg.Task.SplitsDone.Load())
	}
}

func TestScanErrors(t *testing.T) {
	f := &fakeScan{splits: 1, refuse: errors.New("gone")}
	if _, err := optest.Drain(NewScan(f.config(t))); !errors.Is(err, f.refuse) || !strings.Contains(err.Error(), "s.t") {
		t.Errorf("a refused Open gives %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	f = &fakeScan{table: randomTable(5), splits: 1}
	s := NewScan(f.config(t))
	if _, err := s.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("after cancel: %v", err)
	}
	s.Close()
}

func TestScanClosedHalfWayClosesItsSource(t *testing.T) {
	f := &fakeScan{table: randomTable(50), splits: 2}
	s := NewScan(f.config(t)) // whose account checks for leaks
	if b, err := s.Next(context.Background()); b == nil || err != nil {
		t.Fatal(b, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if b, err := s.Next(context.Background()); b != nil || err != nil {
		t.Errorf("after Close: %v, %v", b, err)
	}
}
