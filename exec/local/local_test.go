package local

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/op/optest"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/types"
)

// twoTables are tables a(k, v) and b(k, name).
func twoTables() *fakeTables {
	r := rand.New(rand.NewPCG(5, 6))
	return &fakeTables{
		splitRows: 37, form: optest.Form{BatchRows: 16, Decoys: true},
		tables: map[string]optest.Table{
			"a": optest.Random(r, []types.Type{bigint, bigint}, 500, 60, 5),
			"b": optest.Random(r, []types.Type{bigint, text}, 200, 60, 5),
		},
	}
}

// joined is what a join b on a.k = b.k must give: a.k, a.v, b.name.
func joined(c *fakeTables) (out optest.Rows) {
	for _, a := range c.tables["a"].Rows {
		for _, b := range c.tables["b"].Rows {
			if a[0] != nil && a[0] == b[0] {
				out = append(out, []any{a[0], a[1], b[1]})
			}
		}
	}
	return out
}

// joinPlan is a join b in three fragments, each side hashed.
func joinPlan(c *fakeTables, kind plan.JoinKind) *plan.Plan {
	p := &planner{}
	a, b := p.scan("a", c.tables["a"]), p.scan("b", c.tables["b"])
	a.Dynamic = []plan.DynamicUse{{Filter: 1, Column: a.Columns[0].ID}}
	fa := &plan.Fragment{ID: 1, Root: a, Output: plan.Partitioning{Kind: plan.Hash, Keys: a.Columns[:1]}}
	fb := &plan.Fragment{ID: 2, Root: b, Output: plan.Partitioning{Kind: plan.Hash, Keys: b.Columns[:1]}}
	j := &plan.Join{
		Base: p.base(), Kind: kind, Left: p.remote(fa), Right: p.remote(fb),
		Keys:    []plan.EquiKey{{Left: a.Columns[0], Right: b.Columns[0]}},
		Dynamic: []plan.DynamicSource{{Filter: 1, Column: b.Columns[0]}},
	}
	root := p.output(j, a.Columns[0], a.Columns[1], b.Columns[1])
	return &plan.Plan{Fragments: []*plan.Fragment{{Root: root}, fa, fb}, Columns: root.Cols}
}

func TestRunPlanJoinsFragments(t *testing.T) {
	c := twoTables()
	for _, drivers := range []int{1, 2, 5} {
		t.Run(fmt.Sprint(drivers), func(t *testing.T) {
			rows, stats, err := runPlan(t, joinPlan(c, plan.InnerJoin), c, drivers)
			if err != nil {
				t.Fatal(err)
			}
			optest.Same(t, joined(c), rows)
			checkStats(t, stats, len(rows))
		})
	}
}

func checkStats(t *testing.T, stats *exec.TaskStats, rows int) {
	t.Helper()
	got := map[string]*exec.OperatorStats{}
	for _, o := range stats.Operators() {
		got[fmt.Sprintf("%d %s", o.Node, o.Name)] = o
	}
	scan, join := got["1 Scan"], got["3 HashJoin"]
	if scan == nil || scan.RowsOut.Load() != 500 || scan.PhysicalRows.Load() != 500 {
		t.Errorf("statistics of the scan: %+v", scan)
	}
	if join == nil || join.RowsIn.Load() != 500 || join.RowsOut.Load() != int64(rows) {
		t.Errorf("statistics of the join: %+v", join)
	}
	if build := got["3 HashJoin build"]; build == nil || build.PeakBytes.Load() == 0 || build.RowsIn.Load() != 200 {
		t.Errorf("statistics of the build: %+v", build)
	}
	if stats.SplitsDone.Load() != 14+6 || stats.CPUNanos.Load() == 0 {
		t.Errorf("%d splits in %d ns", stats.SplitsDone.Load(), stats.CPUNanos.Load())
	}
}

func TestFullJoinEmitsUnmatchedBuildRowsOnce(t *testing.T) {
	c := twoTables()
	want := joined(c)
	seen := map[any]bool{}
	for _, a := range c.tables["a"].Rows {
		seen[a[0]] = true
	}
	other := map[any]bool{}
	for _, b := range c.tables["b"].Rows {
		other[b[0]] = true
		if b[0] == nil || !seen[b[0]] {
			want = append(want, []any{nil, nil, b[1]})
		}
	}
	for _, a := range c.tables["a"].Rows {
		if a[0] == nil || !other[a[0]] {
			want = append(want, []any{a[0], a[1], nil})
		}
	}
	rows, _, err := runPlan(t, joinPlan(c, plan.FullJoin), c, 4)
	if err != nil {
		t.Fatal(err)
	}
	optest.Same(t, want, rows)
}

func TestDynamicFilterReachesTheProbeScan(t *testing.T) {
	c := twoTables()
	var got atomic.Pointer[connectors.DynamicFilter]
	c.onOpen = func(scan *connectors.Scan, env *connectors.Env) error {
		if scan.Table == "a" {
			got.Store(env.Dynamic(1))
		}
		return nil
	}
	if _, _, err := runPlan(t, joinPlan(c, plan.InnerJoin), c, 3); err != nil {
		t.Fatal(err)
	}
	f := got.Load()
	if f == nil || f.Empty || f.Min != int64(-2) || len(f.Values) < 40 {
		t.Fatalf("dynamic filter is %+v", f)
	}
}

// TestSharedFragment reads one fragment from both sides of a join, which
// would deadlock if anything between waited.
func TestSharedFragmentFeedsBothSidesOfAJoin(t *testing.T) {
	c := twoTables()
	p := &planner{}
	a := p.scan("a", c.tables["a"])
	f := &plan.Fragment{ID: 1, Root: a}
	left, right := p.remote(f), p.remote(f)
	right.Columns = []plan.Column{p.column("k2", bigint), p.column("v2", bigint)}
	j := &plan.Join{
		Base: p.base(), Kind: plan.SemiJoin, Left: left, Right: right,
		Keys: []plan.EquiKey{{Left: left.Columns[0], Right: right.Columns[1]}},
	}
	pl := &plan.Plan{Fragments: []*plan.Fragment{{Root: p.output(j, left.Columns...)}, f}}
	values := map[any]bool{}
	for _, r := range c.tables["a"].Rows {
		values[r[1]] = true
	}
	var want optest.Rows
	for _, r := range c.tables["a"].Rows {
		if r[0] != nil && values[r[0]] {
			want = append(want, r)
		}
	}
	for _, drivers := range []int{1, 4} {
		rows, _, err := runPlan(t, pl, c, drivers)
		if err != nil {
			t.Fatal(err)
		}
		optest.Same(t, want, rows)
	}
}

func TestUnionValuesUniqueIDAndSingleRow(t *testing.T) {
	c := twoTables()
	p := &planner{}
	a := p.scan("a", c.tables["a"])
	v := &plan.Values{Base: p.base(), Columns: []plan.Column{p.column("x", bigint), p.column("y", bigint)},
		Rows: [][]expr.Expr{{constant(-77), constant(1)}}}
	u := &plan.Union{Base: p.base(), In: []plan.Node{a, v}, Columns: []plan.Column{p.column("u", bigint)},
		Sources: [][]plan.Column{a.Columns[1:], v.Columns[:1]}}
	ids := &plan.UniqueID{Base: p.base(), Input: u, Column: p.column("id", bigint)}
	root := p.output(ids, ids.Column, u.Columns[0])
	rows, _, err := runPlan(t, &plan.Plan{Fragments: []*plan.Fragment{{Root: root}}}, c, 3)
	if err != nil {
		t.Fatal(err)
	}
	var want, got optest.Rows
	distinct := map[any]bool{}
	for _, r := range c.tables["a"].Rows {
		want = append(want, r[1:])
	}
	for _, r := range rows {
		got, distinct[r[0]] = append(got, r[1:]), true
	}
	optest.Same(t, append(want, []any{int64(-77)}), got)
	if len(distinct) != len(rows) {
		t.Errorf("%d ids for %d rows", len(distinct), len(rows))
	}
	single := &plan.SingleRow{Base: p.base(), Input: a}
	_, _, err = runPlan(t, &plan.Plan{Fragments: []*plan.Fragment{{Root: single}}}, c, 3)
	if !qerr.Is(err, qerr.SubqueryMultipleRows) {
		t.Errorf("single row over 500: %v", err)
	}
}

// TestRunPartitionsItsOutput runs scan, filter, project and a hashed output
// as one task of a larger plan.
func TestRunPartitionsItsOutput(t *testing.T) {
	c := twoTables()
	p := &planner{}
	a := p.scan("a", c.tables["a"])
	f := &plan.Filter{Base: p.base(), Input: a, Predicate: less(a.Columns[1].Ref(), constant(20))}
	pr := &plan.Project{Base: p.base(), Input: f, Cols: []plan.Assignment{
		{Column: p.column("lt", boolean), Expr: less(a.Columns[0].Ref(), constant(5))},
		{Column: a.Columns[0], Expr: a.Columns[0].Ref()},
	}}
	frag := &plan.Fragment{ID: 3, Root: pr, Output: plan.Partitioning{Kind: plan.Hash, Keys: a.Columns[:1]}}
	pool := mem.NewPool()
	pool.Poison = true
	task := &exec.Task{
		Fragment: frag, Settings: exec.Settings{Drivers: 3}, Account: mem.NewRoot("t", 0, pool), Catalogs: c,
		Splits: newSplitQueue(pr, c), Stats: &exec.TaskStats{}, Log: quiet(),
	}
	out := &fakeOutput{parts: make([]optest.Rows, 4)}
	task.Output = out
	if err := Run(context.Background(), task); err != nil {
		t.Fatal(err)
	}
	optest.CheckLeaks(t, pool, task.Account)
	var want optest.Rows
	for _, r := range c.tables["a"].Rows {
		if r[1] != nil && r[1].(int64) < 20 {
			var lt any
			if r[0] != nil {
				lt = r[0].(int64) < 5
			}
			want = append(want, []any{lt, r[0]})
		}
	}
	optest.Same(t, want, out.all())
	home := map[any]int{}
	for i, part := range out.parts {
		if len(part) == 0 {
			t.Errorf("partition %d is empty", i)
		}
		for _, r := range part {
			if at, ok := home[r[1]]; ok && at != i {
				t.Fatalf("key %v is in partitions %d and %d", r[1], at, i)
			}
			home[r[1]] = i
		}
	}
}

func TestOutputThatWantsNoMoreStopsTheTask(t *testing.T) {
	c := twoTables()
	p := &planner{}
	a := p.scan("a", c.tables["a"])
	pool := mem.NewPool()
	task := &exec.Task{
		Fragment: &plan.Fragment{Root: a}, Settings: exec.Settings{Drivers: 2}, Account: mem.NewRoot("t", 0, pool), Catalogs: c,
		Splits: newSplitQueue(a, c), Stats: &exec.TaskStats{}, Log: quiet(), Output: &fakeOutput{parts: make([]optest.Rows, 1), full: 40},
	}
	if err := Run(context.Background(), task); err != nil {
		t.Fatal(err)
	}
	if n := len(task.Output.(*fakeOutput).all()); n < 40 || n > 100 {
		t.Errorf("%d rows were written", n)
	}
}

func TestLimitStopsItsProducers(t *testing.T) {
	c := twoTables()
	c.tables["a"] = optest.Table{Types: []types.Type{bigint, bigint}, Rows: make(optest.Rows, 100_000)}
	for i := range c.tables["a"].Rows {
		c.tables["a"].Rows[i] = []any{int64(i), int64(i)}
	}
	var opened atomic.Int32
	c.onOpen = func(*connectors.Scan, *connectors.Env) error { opened.Add(1); return nil }
	p := &planner{}
	a := p.scan("a", c.tables["a"])
	part := &plan.Fragment{ID: 1, Root: &plan.Limit{Base: p.base(), Input: a, N: 50, Step: plan.Partial}}
	final := &plan.Limit{Base: p.base(), Input: p.remote(part), N: 40, Offset: 10, Step: plan.Final}
	rows, _, err := runPlan(t, &plan.Plan{Fragments: []*plan.Fragment{{Root: p.output(final, a.Columns[0])}, part}}, c, 3)
	if err != nil || len(rows) != 40 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	if n := opened.Load(); n > 20 {
		t.Errorf("%d splits were opened for 40 rows", n)
	}
}

func TestFailuresEndThePlan(t *testing.T) {
	for name, tc := range map[string]struct {
		onOpen func(*connectors.Scan, *connectors.Env) error
		want   string
	}{
		"error in the probe's scan": {failOn("a"), "the test says no"},
		"error in the build's scan": {failOn("b"), "the test says no"},
		"panic": {func(s *connectors.Scan, _ *connectors.Env) error {
			if s.Table == "b" {
				panic("oh dear")
			}
			return nil
		}, "internal error: oh dear"},
	} {
		t.Run(name, func(t *testing.T) {
			c := twoTables()
			c.onOpen = tc.onOpen
			_, _, err := runPlan(t, joinPlan(c, plan.FullJoin), c, 3)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func failOn(table string) func(*connectors.Scan, *connectors.Env) error {
	var n atomic.Int32
	return func(s *connectors.Scan, _ *connectors.Env) error {
		if s.Table == table && n.Add(1) == 3 {
			return errTest
		}
		return nil
	}
}

func TestCancelAndEarlyClose(t *testing.T) {
	c := twoTables()
	d, pool := testDeps(t, c, 3)
	ctx, cancel := context.WithCancel(context.Background())
	r, err := RunPlan(ctx, joinPlan(c, plan.InnerJoin), d)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := r.Next(ctx); b == nil || err != nil {
		t.Fatal(b, err)
	}
	cancel()
	for err == nil {
		_, err = r.Next(ctx)
		if r.ended && err == nil {
			break
		}
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("after cancel: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	optest.CheckLeaks(t, pool, d.Account)

	r, err = RunPlan(context.Background(), joinPlan(c, plan.InnerJoin), d)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := r.Next(context.Background()); b == nil || err != nil {
		t.Fatal(b, err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	optest.CheckLeaks(t, pool, d.Account)
}

func TestMemoryLimitFailsThePlanAlone(t *testing.T) {
	c := twoTables()
	d, pool := testDeps(t, c, 3)
	root := d.Account
	d.Account = root.Child("small", 40<<10)
	r, err := RunPlan(context.Background(), joinPlan(c, plan.InnerJoin), d)
	if err != nil {
		t.Fatal(err)
	}
	_, err = optest.Drain(r)
	var limit *mem.LimitError
	if !errors.As(err, &limit) {
		t.Errorf("got %v", err)
	}
	optest.CheckLeaks(t, pool, root)
}

func TestBuildRefusesColumnsThatAreNotThere(t *testing.T) {
	c := twoTables()
	p := &planner{}
	a := p.scan("a", c.tables["a"])
	for name, n := range map[string]plan.Node{
		"output": p.output(a, p.column("gone", bigint)),
		"filter": &plan.Filter{Base: p.base(), Input: a, Predicate: less(p.column("gone", bigint).Ref(), constant(1))},
	} {
		if _, _, err := runPlan(t, &plan.Plan{Fragments: []*plan.Fragment{{Root: n}}}, c, 2); err == nil || !strings.Contains(err.Error(), "gone") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTimeZonesThatAreNotKnownAreRefused(t *testing.T) {
	c := twoTables()
	d, _ := testDeps(t, c, 1)
	d.Settings.TimeZone = "Mars/Olympus_Mons"
	if _, err := RunPlan(context.Background(), joinPlan(c, plan.InnerJoin), d); !qerr.Is(err, qerr.InvalidSessionProperty) {
		t.Errorf("got %v", err)
	}
}
