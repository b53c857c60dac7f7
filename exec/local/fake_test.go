package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"sync"
	"testing"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/op/optest"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

var (
	bigint  = types.Of(types.BigInt)
	boolean = types.Of(types.Boolean)
	text    = types.VarcharType()
)

// unused are the methods of a connector that running a plan does not call.
type unused struct{ connectors.Connector }

// fakeTables is a catalog and a connector over tables in memory, cut into
// splits of splitRows rows. Methods that no execution calls panic.
type fakeTables struct {
	unused
	tables    map[string]optest.Table
	splitRows int
	form      optest.Form
	// onOpen, if set, is called for each split that is opened.
	onOpen func(scan *connectors.Scan, env *connectors.Env) error
	// pulled, if set, is called before each batch.
	pulled func() error
}

func (c *fakeTables) Connector(context.Context, string) (connectors.Connector, error) { return c, nil }

func (c *fakeTables) Splits(_ context.Context, scan *connectors.Scan) (connectors.SplitSource, error) {
	t, ok := c.tables[scan.Table]
	if !ok {
		return nil, fmt.Errorf("no table %s", scan.Table)
	}
	return &fakeSplits{rows: len(t.Rows), step: c.splitRows}, nil
}

type fakeSplits struct{ at, rows, step int }

func (s *fakeSplits) Next(_ context.Context, limit int) (out []connectors.Split, err error) {
	for ; s.at < s.rows && len(out) < min(limit, 2); s.at += s.step {
		out = append(out, connectors.Split{Payload: []byte(strconv.Itoa(s.at))})
	}
	return out, nil
}

func (s *fakeSplits) Close() error { return nil }

func (c *fakeTables) Open(_ context.Context, scan *connectors.Scan, split connectors.Split, env *connectors.Env) (connectors.Source, error) {
	if c.onOpen != nil {
		if err := c.onOpen(scan, env); err != nil {
			return nil, err
		}
	}
	from, err := strconv.Atoi(string(split.Payload))
	if err != nil {
		return nil, err
	}
	t := c.tables[scan.Table]
	part := optest.Table{}
	for _, col := range scan.Columns {
		part.Types = append(part.Types, col.Type)
	}
	for _, row := range t.Rows[from:min(from+c.splitRows, len(t.Rows))] {
		var out []any
		for _, col := range scan.Columns {
			out = append(out, row[col.Ordinal])
		}
		part.Rows = append(part.Rows, out)
	}
	s := optest.NewSource(env.Account, part, c.form)
	s.Pulled = c.pulled
	return &fakeSource{Source: s, rows: int64(len(part.Rows))}, nil
}

type fakeSource struct {
	*optest.Source
	rows int64
}

func (s *fakeSource) Stats() connectors.SourceStats {
	return connectors.SourceStats{PhysicalRows: s.rows, PhysicalBytes: 10 * s.rows}
}

// fakeOutput collects a task's rows by partition.
type fakeOutput struct {
	mu    sync.Mutex
	parts []optest.Rows
	full  int // rows after which nobody wants more; 0: never
}

func (o *fakeOutput) Partitions() int { return len(o.parts) }

func (o *fakeOutput) Write(_ context.Context, p int, b *vector.Batch) error {
	rows, err := optest.ReadBatch(b)
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.parts[p] = append(o.parts[p], rows...)
	return nil
}

func (o *fakeOutput) Wanted() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.full == 0 || len(o.all()) < o.full
}

func (o *fakeOutput) all() (rows optest.Rows) {
	for _, p := range o.parts {
		rows = append(rows, p...)
	}
	return rows
}

// planner makes plan nodes with fresh ids.
type planner struct {
	nodes plan.NodeID
	cols  expr.ColumnID
}

func (p *planner) base() plan.Base {
	p.nodes++
	return plan.Base{ID: p.nodes}
}

func (p *planner) column(name string, t types.Type) plan.Column {
	p.cols++
	return plan.Column{ID: p.cols, Name: name, Type: t}
}

// scan reads all columns of a table.
func (p *planner) scan(name string, t optest.Table) *plan.Scan {
	s := &plan.Scan{Base: p.base(), Catalog: "fake", Table: &connectors.Table{Name: name}, Limit: -1}
	for i, typ := range t.Types {
		col := fmt.Sprintf("%s%d", name, i)
		s.Table.Columns = append(s.Table.Columns, connectors.Column{Name: col, Type: typ})
		s.Columns = append(s.Columns, p.column(col, typ))
		s.Ordinals = append(s.Ordinals, i)
	}
	return s
}

func (p *planner) output(in plan.Node, cols ...plan.Column) *plan.Output {
	return &plan.Output{Base: p.base(), Input: in, Cols: cols}
}

func (p *planner) remote(f *plan.Fragment) *plan.RemoteSource {
	return &plan.RemoteSource{Base: p.base(), Fragments: []plan.FragmentID{f.ID}, Columns: f.Root.Outputs()}
}

// less is a < b over bigint columns.
func less(a, b expr.Expr) expr.Expr {
	return &expr.Call{Fn: &function.Scalar{Name: function.OpLt, Args: []types.Type{bigint, bigint}, Result: boolean}, Args: []expr.Expr{a, b}}
}

func constant(n int64) expr.Expr { return &expr.Const{Value: n, Typ: bigint} }

// quiet is a logger for tests that expect something worth logging.
func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func testDeps(t testing.TB, c *fakeTables, drivers int) (Deps, *mem.Pool) {
	pool := mem.NewPool()
	pool.Poison = true
	return Deps{
		Catalogs: c, Account: mem.NewRoot("query", 0, pool), Log: quiet(), Stats: &exec.TaskStats{},
		Settings: exec.Settings{Drivers: drivers, BatchRows: 100, DynamicFiltering: true},
	}, pool
}

// runPlan runs p and returns its rows, checking that nothing is left behind.
func runPlan(t testing.TB, p *plan.Plan, c *fakeTables, drivers int) (optest.Rows, *exec.TaskStats, error) {
	t.Helper()
	d, pool := testDeps(t, c, drivers)
	r, err := RunPlan(context.Background(), p, d)
	if err != nil {
		optest.CheckLeaks(t, pool, d.Account)
		return nil, d.Stats, err
	}
	rows, err := optest.Drain(r)
	optest.CheckLeaks(t, pool, d.Account)
	return rows, d.Stats, err
}

var errTest = errors.New("the test says no")
