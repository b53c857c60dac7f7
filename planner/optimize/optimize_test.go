package optimize_test

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/connectors/tpch"
	"github.com/tuttidb/tutti/connectors/tpch/dbgen"
	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/kernel"
	"github.com/tuttidb/tutti/exec/local"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/planner/build"
	"github.com/tuttidb/tutti/planner/fragment"
	"github.com/tuttidb/tutti/planner/optimize"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/analyzer"
	"github.com/tuttidb/tutti/sql/ast"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/parser"
	"github.com/tuttidb/tutti/sql/types"
)

var update = flag.Bool("update", false, "write what is found as what is expected")

// bench is a catalog "tpch" and what it takes to plan and run queries on it.
type bench struct {
	conn   connectors.Connector
	root   *mem.Account
	schema string
	opts   optimize.Options
	// oneTask fragments for a single process.
	oneTask bool
}

func newBench(t testing.TB, schema string) *bench {
	t.Helper()
	conn, err := tpch.New(tpch.Config{ColumnNaming: "standard", DoubleTypeMapping: "decimal"}, dbgen.NewText())
	if err != nil {
		t.Fatal(err)
	}
	return &bench{
		conn: conn, root: mem.NewRoot("test", 0, mem.NewPool()), schema: schema,
		opts: optimize.Options{ReorderJoins: true, DynamicFilters: true, Tasks: 4, BroadcastLimit: 100 << 20},
	}
}

// Fold computes a constant.
func (b *bench) Fold(e expr.Expr) (*expr.Const, error) {
	return kernel.Fold(&kernel.Env{Account: b.root}, e)
}

// Connector returns the only connector.
func (b *bench) Connector(context.Context, string) (connectors.Connector, error) { return b.conn, nil }

// The methods of analyzer.Catalog: all catalogs are the same.
func (b *bench) CatalogExists(context.Context, string) (bool, error)        { return true, nil }
func (b *bench) SchemaExists(context.Context, string, string) (bool, error) { return true, nil }
func (b *bench) Table(ctx context.Context, _, schema, table string) (*connectors.Table, error) {
	return b.conn.Table(ctx, schema, table)
}
func (b *bench) TableAt(context.Context, string, string) (string, *connectors.Table, error) {
	return "", nil, nil
}

// Names lists nothing.
func (b *bench) Names(context.Context, string, string) []string { return nil }

// build returns the plan of a query as it comes to the optimizer.
func (b *bench) build(sql string) (plan.Node, error) {
	stmt, err := parser.ParseStatement(sql)
	if err != nil {
		return nil, err
	}
	alloc := &analyzer.Allocator{}
	session := &analyzer.Session{Catalog: "tpch", Schema: b.schema, User: "test", TimeZone: "UTC", Start: time.Unix(0, 0)}
	bound, err := analyzer.New(context.Background(), b, session, alloc).Query(stmt.(*ast.Query))
	if err != nil {
		return nil, err
	}
	return build.Query(bound, alloc)
}

// logical returns a query's optimized plan.
func (b *bench) logical(t testing.TB, sql string) plan.Node {
	t.Helper()
	n, err := b.build(sql)
	if err == nil {
		n, err = optimize.Optimize(t.Context(), n, b, b, b.opts)
	}
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// distributed returns a query's fragments.
func (b *bench) distributed(t testing.TB, sql string) *plan.Plan {
	t.Helper()
	p, err := fragment.Fragment(b.logical(t, sql), fragment.Options{OneTask: b.oneTask})
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return p
}

// run executes a plan in this process and returns its rows as text.
func (b *bench) run(t testing.TB, p *plan.Plan) ([][]string, error) {
	t.Helper()
	account := b.root.Child("query", 0)
	res, err := local.RunPlan(t.Context(), p, local.Deps{
		Query: "q", Catalogs: b, Account: account, Log: slog.New(slog.DiscardHandler),
		Settings: exec.Settings{Drivers: 2, BatchRows: 1024, PartialAggregation: true, DynamicFiltering: true},
	})
	if err != nil {
		return nil, err
	}
	defer res.Close()
	var out [][]string
	for {
		batch, err := res.Next(t.Context())
		if err != nil || batch == nil {
			return out, err
		}
		if err := batch.Load(); err != nil {
			return nil, err
		}
		for i := range batch.Rows() {
			row := make([]string, len(batch.Cols))
			for j, c := range batch.Cols {
				row[j] = text(c.Type, kernel.ValueAt(c, batch.Row(i)))
			}
			out = append(out, row)
		}
	}
}

func text(t types.Type, v any) string {
	switch v := v.(type) {
	case nil:
		return "NULL"
	case string:
		return v
	case float64:
		return fmt.Sprintf("%.6g", v)
	}
	s := types.FormatValue(t, v)
	if _, rest, ok := strings.Cut(s, "'"); ok {
		s = strings.TrimSuffix(rest, "'")
	}
	return s
}

// footers is a connector whose statistics are those of file footers: rows and
// bounds, but no distinct counts.
type footers struct{ *tpch.Connector }

func (f footers) Stats(ctx context.Context, scan *connectors.Scan) (*connectors.TableStats, error) {
	s, err := f.Connector.Stats(ctx, scan)
	if err == nil {
		for i := range s.Columns {
			s.Columns[i].Distinct = math.NaN()
		}
	}
	return s, err
}

// golden compares text with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	name = "testdata/" + name
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if got == string(want) {
		return
	}
	g, w := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range g {
		if i >= len(w) || g[i] != w[i] {
			t.Fatalf("%s:%d:\n got %s\nwant %s\n(-update writes what is found)", name, i+1, g[i], append(w, "the end")[min(i, len(w))])
		}
	}
	t.Fatalf("%s has %d more lines", name, len(w)-len(g))
}
