package local

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/op/optest"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/types"
)

// running is a plan as an operator: it starts with the first Next, under its
// context, and Close ends it.
type running struct {
	start func(ctx context.Context) (*Result, error)
	r     *Result
}

func (x *running) Next(ctx context.Context) (b *vector.Batch, err error) {
	if x.r == nil {
		if x.r, err = x.start(ctx); err != nil {
			return nil, err
		}
	}
	return x.r.Next(ctx)
}

func (x *running) Close() error {
	if x.r == nil {
		return nil
	}
	return x.r.Close()
}

// task is a fragment that Run runs within one Next; its rows go to an output.
type task struct {
	run  func(ctx context.Context) error
	done bool
}

func (x *task) Next(ctx context.Context) (*vector.Batch, error) {
	if x.done {
		return nil, nil
	}
	x.done = true
	return nil, x.run(ctx)
}

func (x *task) Close() error { return nil }

// faultTables are a(k, v) and b(k, name, list).
func faultTables(t *testing.T) *fakeTables {
	seed := rand.Uint64()
	t.Logf("table seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 5))
	return &fakeTables{
		splitRows: 17,
		tables: map[string]optest.Table{
			"a": optest.Random(r, []types.Type{bigint, bigint}, 90, 25, 5),
			"b": optest.Random(r, []types.Type{bigint, text, types.ArrayOf(text)}, 60, 25, 5),
		},
	}
}

// served is c in a case's form, with the case's faults.
func served(c *fakeTables, x *optest.Case) *fakeTables {
	return &fakeTables{tables: c.tables, splitRows: c.splitRows, form: x.Form, pulled: x.Pulled}
}

// settings are of small batches, so that there are many.
func settings(drivers int) exec.Settings {
	return exec.Settings{Drivers: drivers, BatchRows: 20, DynamicFiltering: true, PartialAggregation: true}
}

// planJob runs a plan as RunPlan does.
func planJob(p *plan.Plan, c *fakeTables, drivers int, loose bool) func(x *optest.Case) optest.Job {
	return func(x *optest.Case) optest.Job {
		from := served(c, x)
		return optest.Job{Loose: loose, Guarded: true, Tops: []exec.Operator{&running{start: func(ctx context.Context) (*Result, error) {
			return RunPlan(ctx, p, Deps{Catalogs: from, Account: x.Account, Log: quiet(), Settings: settings(drivers)})
		}}}}
	}
}

// faultPlans are plans of several pipelines; those marked loose may give other
// rows in each run.
func faultPlans(c *fakeTables) (plans map[string]*plan.Plan, loose map[string]bool) {
	plans = map[string]*plan.Plan{
		"sum": sumPlan(c, plan.Final, true, false), "sum in two steps": sumPlan(c, plan.Final, true, true), "sum of all": sumPlan(c, plan.Single, false, false),
		"shared twice": sharedPlan(c, 2), "shared thrice": sharedPlan(c, 3),
		"sorted": sortedPlan(c, -1), "top": sortedPlan(c, 7), "limit": limitPlan(c), "numbered": numberedPlan(c),
		"unnest": unnestPlan(c), "join of a join": twoJoins(c), "union": unionPlan(c),
	}
	for name, kind := range map[string]plan.JoinKind{"inner": plan.InnerJoin, "full": plan.FullJoin, "left": plan.LeftJoin, "right": plan.RightJoin} {
		plans[name+" join"] = joinPlan(c, kind)
	}
	return plans, map[string]bool{"limit": true, "numbered": true}
}

// sharedPlan joins a fragment with itself n-1 times.
func sharedPlan(c *fakeTables, n int) *plan.Plan {
	p := &planner{}
	a := p.scan("a", c.tables["a"])
	f := &plan.Fragment{ID: 1, Root: a}
	var top plan.Node = p.remote(f)
	key := a.Columns[0]
	for range n - 1 {
		right := p.remote(f)
		right.Columns = []plan.Column{p.column("k2", bigint), p.column("v2", bigint)}
		top = &plan.Join{Base: p.base(), Kind: plan.SemiJoin, Left: top, Right: right, Keys: []plan.EquiKey{{Left: key, Right: right.Columns[1]}}}
	}
	return &plan.Plan{Fragments: []*plan.Fragment{{Root: p.output(top, key)}, f}}
}

// sortedPlan sorts a by both columns, and keeps n rows if n ≥ 0.
func sortedPlan(c *fakeTables, n int64) *plan.Plan {
	p := &planner{}
	a := p.scan("a", c.tables["a"])
	keys := []plan.SortKey{{Column: a.Columns[1], Descending: true}, {Column: a.Columns[0]}}
	var top plan.Node = &plan.Sort{Base: p.base(), Input: a, Keys: keys}
	if n >= 0 {
		top = &plan.TopN{Base: p.base(), Input: a, Keys: keys, N: n}
	}
	return &plan.Plan{Fragments: []*plan.Fragment{{Root: top}}}
}

// limitPlan limits a join, so that the build side may be left alone.
func limitPlan(c *fakeTables) *plan.Plan {
	p := &planner{}
	a, b := p.scan("a", c.tables["a"]), p.scan("b", c.tables["b"])
	j := &plan.Join{Base: p.base(), Kind: plan.LeftJoin, Left: a, Right: b, Keys: []plan.EquiKey{{Left: a.Columns[0], Right: b.Columns[0]}}}
	part := &plan.Fragment{ID: 1, Root: &plan.Limit{Base: p.base(), Input: j, N: 12, Step: plan.Partial}}
	final := &plan.Limit{Base: p.base(), Input: p.remote(part), N: 10, Offset: 2, Step: plan.Final}
	return &plan.Plan{Fragments: []*plan.Fragment{{Root: p.output(final, a.Columns[0], b.Columns[1])}, part}}
}

// numberedPlan marks the distinct keys of a and numbers the rows of each.
func numberedPlan(c *fakeTables) *plan.Plan {
	p := &planner{}
	a := p.scan("a", c.tables["a"])
	m := &plan.MarkDistinct{Base: p.base(), Input: a, Keys: a.Columns[:1], Column: p.column("first", boolean)}
	n := &plan.RowNumber{Base: p.base(), Input: m, Partition: a.Columns[:1], Keys: []plan.SortKey{{Column: a.Columns[1]}}, Column: p.column("n", bigint), Limit: -1}
	return &plan.Plan{Fragments: []*plan.Fragment{{Root: n}}}
}

func unnestPlan(c *fakeTables) *plan.Plan {
	p := &planner{}
	b := p.scan("b", c.tables["b"])
	u := &plan.Unnest{Base: p.base(), Input: b, Replicate: b.Columns[:2], Exprs: b.Columns[2:], Columns: [][]plan.Column{{p.column("e", text)}}}
	return &plan.Plan{Fragments: []*plan.Fragment{{Root: u}}}
}

// twoJoins joins a with a join of a and b, with filters from both builds.
func twoJoins(c *fakeTables) *plan.Plan {
	p := &planner{}
	a, b, x := p.scan("a", c.tables["a"]), p.scan("b", c.tables["b"]), p.scan("a", c.tables["a"])
	x.Dynamic = []plan.DynamicUse{{Filter: 1, Column: x.Columns[0].ID}}
	a.Dynamic = []plan.DynamicUse{{Filter: 2, Column: a.Columns[0].ID}}
	inner := &plan.Join{Base: p.base(), Kind: plan.InnerJoin, Left: a, Right: b, Keys: []plan.EquiKey{{Left: a.Columns[0], Right: b.Columns[0]}},
		Dynamic: []plan.DynamicSource{{Filter: 2, Column: b.Columns[0]}}}
	outer := &plan.Join{Base: p.base(), Kind: plan.RightJoin, Left: x, Right: inner, Keys: []plan.EquiKey{{Left: x.Columns[0], Right: a.Columns[1]}},
		Filter: less(x.Columns[1].Ref(), a.Columns[0].Ref()), Dynamic: []plan.DynamicSource{{Filter: 1, Column: a.Columns[1]}}}
	return &plan.Plan{Fragments: []*plan.Fragment{{Root: p.output(outer, x.Columns[1], b.Columns[1], a.Columns[0])}}}
}

// unionPlan filters and computes over a, beside some constants.
func unionPlan(c *fakeTables) *plan.Plan {
	p := &planner{}
	a := p.scan("a", c.tables["a"])
	f := &plan.Filter{Base: p.base(), Input: a, Predicate: less(a.Columns[1].Ref(), constant(15))}
	v := &plan.Values{Base: p.base(), Columns: []plan.Column{p.column("x", bigint)}, Rows: [][]expr.Expr{{constant(-77)}, {constant(1)}}}
	u := &plan.Union{Base: p.base(), In: []plan.Node{f, v, f}, Columns: []plan.Column{p.column("u", bigint)},
		Sources: [][]plan.Column{a.Columns[1:], v.Columns, a.Columns[:1]}}
	pr := &plan.Project{Base: p.base(), Input: u, Cols: []plan.Assignment{{Column: p.column("lt", boolean), Expr: less(u.Columns[0].Ref(), constant(5))}}}
	return &plan.Plan{Fragments: []*plan.Fragment{{Root: pr}}}
}

// TestFaultsOfPlans refuses memory, cancels, fails scans and closes at every
// point of plans of several pipelines.
func TestFaultsOfPlans(t *testing.T) {
	c := faultTables(t)
	plans, loose := faultPlans(c)
	for name, p := range plans {
		for _, drivers := range []int{1, 3} {
			t.Run(fmt.Sprint(name, " ", drivers), func(t *testing.T) {
				optest.Faults(t, nil, 12, planJob(p, c, drivers, loose[name]))
			})
		}
	}
}

// TestFaultsOfTasks runs fragments that write to an output, as workers do.
func TestFaultsOfTasks(t *testing.T) {
	c := faultTables(t)
	plans, _ := faultPlans(c)
	for _, name := range []string{"join of a join", "sum of all", "top"} {
		root, err := stitch(plans[name])
		if err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) {
			optest.Faults(t, nil, 12, func(x *optest.Case) optest.Job {
				from := served(c, x)
				return optest.Job{Guarded: true, Tops: []exec.Operator{&task{run: func(ctx context.Context) error {
					return Run(ctx, &exec.Task{
						Fragment: &plan.Fragment{Root: root, Output: plan.Partitioning{Kind: plan.RoundRobin}}, Settings: settings(3),
						Account: x.Account, Catalogs: from, Splits: newSplitQueue(root, from), Stats: &exec.TaskStats{}, Dynamic: newFilters(),
						Log: quiet(), Output: &fakeOutput{parts: make([]optest.Rows, 3)},
					})
				}}}}
			})
		})
	}
}

// TestFaultsOfSpools has producers of rows that others read: each row by all
// of them, or by any.
func TestFaultsOfSpools(t *testing.T) {
	const width = 3
	tab := spoolTable(400)
	for name, build := range map[string]func(x *optest.Case) (sink func() exec.Sink, tops []exec.Operator){
		"spool": func(x *optest.Case) (func() exec.Sink, []exec.Operator) {
			s := newSpool(x.Account, tab.Types, width)
			one, two := s.reader(1), s.reader(2)
			return func() exec.Sink { return s.sink() }, []exec.Operator{one.source(), two.source(), two.source()}
		},
		"gather": func(*optest.Case) (func() exec.Sink, []exec.Operator) {
			g := newGather(width)
			return func() exec.Sink { return g.sink() }, []exec.Operator{g.source()}
		},
	} {
		t.Run(name, func(t *testing.T) {
			optest.Faults(t, []optest.Table{tab}, 20, func(x *optest.Case) optest.Job {
				sink, tops := build(x)
				j := optest.Job{Tops: tops}
				for _, in := range x.Split(0, width) {
					j.Drivers = append(j.Drivers, exec.Driver{Source: in, Sink: sink()})
				}
				return j
			})
		})
	}
}

// TestFaultsOfSplitsThatCannotBeOpened fails with the scan's own error.
func TestFaultsOfSplitsThatCannotBeOpened(t *testing.T) {
	c := faultTables(t)
	plans, _ := faultPlans(c)
	for name, p := range plans {
		t.Run(name, func(t *testing.T) {
			for _, table := range []string{"a", "b"} {
				from := &fakeTables{tables: c.tables, splitRows: c.splitRows, form: optest.Form{BatchRows: 4}}
				refused := false
				from.onOpen = failOn(table)
				on := from.onOpen
				from.onOpen = func(s *connectors.Scan, env *connectors.Env) error {
					err := on(s, env)
					refused = refused || err != nil
					return err
				}
				_, _, err := runPlan(t, p, from, 1)
				if refused && err == nil && name != "limit" {
					t.Errorf("a split of %s could not be opened, and nobody minds", table)
				}
			}
		})
	}
}
