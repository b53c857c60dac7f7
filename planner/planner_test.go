package planner_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/connectors/tpch"
	"github.com/tuttidb/tutti/connectors/tpch/dbgen"
	"github.com/tuttidb/tutti/planner"
	"github.com/tuttidb/tutti/planner/fragment"
	"github.com/tuttidb/tutti/planner/optimize"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/analyzer"
	"github.com/tuttidb/tutti/sql/parser"
)

// world has one catalog, whatever it is asked for.
type world struct {
	connectors.Connector
	blind bool // tells nothing of its tables' sizes
}

func (w world) CatalogExists(context.Context, string) (bool, error)        { return true, nil }
func (w world) SchemaExists(context.Context, string, string) (bool, error) { return true, nil }
func (w world) Table(ctx context.Context, _, schema, table string) (*connectors.Table, error) {
	return w.Connector.Table(ctx, schema, table)
}
func (w world) TableAt(context.Context, string, string) (string, *connectors.Table, error) {
	return "", nil, nil
}
func (w world) Names(context.Context, string, string) []string { return nil }

// sizeless hides the connector's statistics.
type sizeless struct{ connectors.Connector }

// connectorsOf opens the only connector.
type connectorsOf struct{ w world }

func (c connectorsOf) Connector(context.Context, string) (connectors.Connector, error) {
	if c.w.blind {
		return sizeless{c.w.Connector}, nil
	}
	return c.w.Connector, nil
}

// TestOneTask: a plan whose scans are known to be small is one fragment in one
// task; what is large, of unknown size, or not asked for is spread.
func TestOneTask(t *testing.T) {
	conn, err := tpch.New(tpch.Config{}, dbgen.NewText())
	if err != nil {
		t.Fatal(err)
	}
	const join = "SELECT c.name, count(*) FROM %[1]s.orders o JOIN %[1]s.customer c ON o.custkey = c.custkey GROUP BY 1"
	for _, c := range []struct {
		name, sql, schema string
		limit             int64
		blind, process    bool
		one               bool
	}{
		{"small", join, "tiny", 16 << 20, false, false, true},
		{"large", join, "sf1", 16 << 20, false, false, false},
		{"large, but asked for", join, "sf1", 1 << 40, false, false, true},
		{"a limit does not make it small", join + " LIMIT 1", "sf1", 16 << 20, false, false, false},
		{"rows without columns", "SELECT count(*) FROM %s.lineitem", "sf1", 16 << 20, false, false, false},
		{"a small cross join", "SELECT count(*) FROM %[1]s.orders, %[1]s.lineitem", "tiny", 16 << 20, false, false, false},
		{"one table of two is large", "SELECT count(*) FROM tiny.nation, %s.lineitem", "sf1", 16 << 20, false, false, false},
		{"unknown size", join, "tiny", 16 << 20, true, false, false},
		{"switched off", join, "tiny", 0, false, false, false},
		{"a single process", join, "sf1", 0, true, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := world{conn, c.blind}
			p := &planner.Planner{Catalog: w, Connectors: connectorsOf{w}}
			stmt, err := parser.ParseStatement(fmt.Sprintf(c.sql, c.schema))
			if err != nil {
				t.Fatal(err)
			}
			session := &analyzer.Session{Catalog: "tpch", Schema: c.schema, TimeZone: "UTC", Start: time.Unix(0, 0)}
			res, err := p.Plan(t.Context(), stmt, session, planner.Options{
				Optimize: optimize.Options{Tasks: 3}, Fragment: fragment.Options{OneTask: c.process}, OneTaskBytes: c.limit,
			})
			if err != nil {
				t.Fatal(err)
			}
			spread := 0
			for _, f := range res.Plan.Fragments {
				if f.Spread != plan.OneTask {
					spread++
				}
			}
			if one := spread == 0 && len(res.Plan.Fragments) == 1; one != c.one {
				t.Errorf("one task: %v, want %v\n%s", one, c.one, plan.FormatPlan(res.Plan, nil))
			}
		})
	}
}
