// Package engine is the wiring between the halves that may not know each
// other: it gives a coordinator the means to compute in its own process
// (constants, plans without workers), which the import rules keep out of
// package coordinator itself.
package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/tuttidb/tutti/coordinator"
	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/kernel"
	"github.com/tuttidb/tutti/exec/local"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
)

// Folder computes constants for the optimizer.
type Folder struct{ Account *mem.Account }

// Fold returns the value of an expression without columns.
func (f Folder) Fold(e expr.Expr) (*expr.Const, error) {
	return kernel.Fold(&kernel.Env{Account: f.Account}, e)
}

// Local runs whole plans in this process.
type Local struct {
	Account *mem.Account
	// Catalogs are for executions that bring none of their own.
	Catalogs exec.Catalogs
	// QueryLimit bounds the memory of each query, in bytes; 0: no limit.
	QueryLimit int64
	Log        *slog.Logger
}

// Tasks is 1: every stage is one task here.
func (l *Local) Tasks() int { return 1 }

// Execute starts a plan.
func (l *Local) Execute(ctx context.Context, e *coordinator.Execution) (coordinator.Rows, error) {
	limit := l.QueryLimit
	if e.MemoryLimit > 0 && (limit == 0 || e.MemoryLimit < limit) {
		limit = e.MemoryLimit
	}
	account := l.Account.Child("query "+string(e.Query), limit)
	catalogs := l.Catalogs
	if e.Catalogs != nil {
		catalogs = e.Catalogs
	}
	stats := &exec.TaskStats{}
	settings := e.Settings
	settings.TimeZone, settings.User, settings.Start = e.TimeZone, e.User, e.Start
	if settings.Drivers <= 0 {
		settings.Drivers = runtime.GOMAXPROCS(0)
	}
	res, err := local.RunPlan(ctx, e.Plan, local.Deps{
		Query: e.Query, Catalogs: catalogs, Settings: settings, Account: account, Stats: stats, Log: l.Log,
	})
	if err != nil {
		return nil, memoryError(err)
	}
	return &localRows{res: res, account: account, stats: stats, plan: e.Plan, start: time.Now()}, nil
}

// localRows is a plan that runs in this process.
type localRows struct {
	res     *local.Result
	account *mem.Account
	stats   *exec.TaskStats
	plan    *plan.Plan
	start   time.Time
}

// Next returns the next rows, all columns loaded: reading a lazy one may fail,
// which must fail the query and not whoever looks at the rows.
func (r *localRows) Next(ctx context.Context) (*vector.Batch, error) {
	b, err := r.res.Next(ctx)
	if err == nil && b != nil {
		err = b.Load()
	}
	if err != nil {
		return nil, memoryError(err)
	}
	return b, nil
}

// Close ends the plan and frees everything.
func (r *localRows) Close() error { return r.res.Close() }

// Delivered does nothing: what a plan in this process computes, no other can
// go on with.
func (r *localRows) Delivered(int64) {}

// Abandon ends the execution: all of it is here.
func (r *localRows) Abandon() { _ = r.res.Close() }

// memoryError gives a refused allocation the code and words that clients know.
func memoryError(err error) error {
	var limit *mem.LimitError
	if !errors.As(err, &limit) {
		return err
	}
	return qerr.Wrap(qerr.ExceededLocalMemory, err, "Query exceeded per-node memory limit of %s", bytesText(limit.Limit))
}

func bytesText(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.2fGB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.2fMB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%dB", n)
}

// Snapshot fills in the figures so far.
func (r *localRows) Snapshot(info *coordinator.QueryInfo) {
	s := &info.Stats
	*s = coordinator.Stats{Nodes: 1, Wall: time.Since(r.start), Progress: -1}
	s.CPU = time.Duration(r.stats.CPUNanos.Load())
	s.DoneSplits = int(r.stats.SplitsDone.Load())
	s.TotalSplits = s.DoneSplits
	s.MemoryBytes, s.PeakMemoryBytes = r.account.Used(), r.account.Peak()
	operators := coordinator.OperatorInfos(r.plan, nil)
	for _, o := range r.stats.Operators() {
		s.PhysicalRows += o.PhysicalRows.Load()
		s.PhysicalBytes += o.PhysicalBytes.Load()
		s.SpilledBytes += o.SpilledBytes.Load()
		s.Blocked += time.Duration(o.BlockedNanos.Load())
		operators.Add(figuresOf(o))
	}
	info.Stages = operators.Stages(info.State, *s)
}

// figuresOf copies the counters of one operator.
func figuresOf(o *exec.OperatorStats) coordinator.OperatorInfo {
	return coordinator.OperatorInfo{
		Node: o.Node, Part: o.Name,
		RowsIn: o.RowsIn.Load(), RowsOut: o.RowsOut.Load(), BytesOut: o.BytesOut.Load(),
		Wall: time.Duration(o.Nanos.Load()), Blocked: time.Duration(o.BlockedNanos.Load()),
		PeakBytes: o.PeakBytes.Load(), SpilledBytes: o.SpilledBytes.Load(),
		PhysicalRows: o.PhysicalRows.Load(), PhysicalBytes: o.PhysicalBytes.Load(),
		Groups: o.Groups.Load(), GroupsSkipped: o.GroupSkip.Load(),
	}
}
