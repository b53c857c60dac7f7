package local

import (
	"context"
	"errors"
	"fmt"
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

// shape prints a tree as Type(inputs).
func shape(n plan.Node) string {
	s := fmt.Sprintf("%T", n)[len("*plan."):]
	if x, ok := n.(*shared); ok {
		return fmt.Sprintf("shared %d", x.fragment.ID)
	}
	if a, ok := n.(*plan.Aggregate); ok {
		s += fmt.Sprint(a.Step)
	}
	for i, in := range n.Inputs() {
		s += map[bool]string{true: "(", false: ", "}[i == 0] + shape(in)
	}
	if len(n.Inputs()) > 0 {
		s += ")"
	}
	return s
}

func TestStitch(t *testing.T) {
	c := twoTables()
	p := &planner{}
	a, b := p.scan("a", c.tables["a"]), p.scan("b", c.tables["b"])
	fa, fb := &plan.Fragment{ID: 1, Root: a}, &plan.Fragment{ID: 2, Root: b}
	keys := []plan.SortKey{{Column: a.Columns[0]}}
	sorted := &plan.Fragment{ID: 1, Root: &plan.Sort{Base: p.base(), Input: a, Keys: keys, Step: plan.Partial}}
	merging := func(f *plan.Fragment, keys []plan.SortKey) *plan.RemoteSource {
		r := p.remote(f)
		r.OrderBy = keys
		return r
	}
	both := p.remote(fa)
	both.Fragments = []plan.FragmentID{1, 2}
	state, sum := p.column("state", bigint), p.column("sum", bigint)
	partial := &plan.Aggregate{Base: p.base(), Input: a, Keys: a.Columns[:1], Step: plan.Partial,
		Aggs: []plan.Agg{{State: []plan.Column{state}, Call: &expr.Aggregate{Fn: &function.Aggregate{Name: "sum"}, Args: []expr.Expr{a.Columns[1].Ref()}}}}}
	fp := &plan.Fragment{ID: 1, Root: partial}
	final := func(arg plan.Column) plan.Node {
		return &plan.Aggregate{Base: p.base(), Input: p.remote(fp), Keys: a.Columns[:1], Step: plan.Final,
			Aggs: []plan.Agg{{Column: sum, Call: &expr.Aggregate{Fn: &function.Aggregate{Name: "sum"}, Args: []expr.Expr{arg.Ref()}}}}}
	}
	renamed := p.remote(fa)
	renamed.Columns = []plan.Column{p.column("x", bigint), p.column("y", bigint)}
	for name, tc := range map[string]struct {
		root plan.Node
		rest []*plan.Fragment
		want string
	}{
		"plain":               {p.output(p.remote(fa)), []*plan.Fragment{fa}, "Output(Scan)"},
		"renamed":             {p.output(renamed), []*plan.Fragment{fa}, "Output(Union(Scan))"},
		"two in one":          {p.output(both), []*plan.Fragment{fa, fb}, "Output(Union(Scan, Scan))"},
		"read twice":          {&plan.Union{In: []plan.Node{p.remote(fa), p.remote(fa)}}, []*plan.Fragment{fa}, "Union(shared 1, shared 1)"},
		"merge of sorts":      {merging(sorted, keys), []*plan.Fragment{sorted}, "Sort(Scan)"},
		"merge by other keys": {merging(sorted, []plan.SortKey{{Column: a.Columns[1]}}), []*plan.Fragment{sorted}, "Sort(Sort(Scan))"},
		"two steps":           {final(state), []*plan.Fragment{fp}, "AggregateSINGLE(Scan)"},
		"not its states":      {final(a.Columns[1]), []*plan.Fragment{fp}, "AggregateFINAL(AggregatePARTIAL(Scan))"},
	} {
		root, err := stitch(&plan.Plan{Fragments: append([]*plan.Fragment{{Root: tc.root}}, tc.rest...)})
		if err != nil {
			t.Fatal(err)
		}
		if got := shape(root); got != tc.want {
			t.Errorf("%s: stitched to %s, want %s", name, got, tc.want)
		}
	}
	if _, err := stitch(&plan.Plan{Fragments: []*plan.Fragment{{Root: p.remote(fb)}}}); err == nil {
		t.Error("a reader of a fragment that is not there was accepted")
	}
}

// fakeInputs serves each remote source a table, in parts to each opener.
type fakeInputs struct {
	exec.Inputs
	parts  []optest.Table
	opened int
}

func (f *fakeInputs) Open(_ *plan.RemoteSource, account *mem.Account) (exec.Operator, error) {
	if f.opened == len(f.parts) {
		return nil, errors.New("opened too often")
	}
	f.opened++
	return optest.NewSource(account, f.parts[f.opened-1], optest.Form{BatchRows: 9}), nil
}

func TestRemoteSourceIsOpenedByEachDriver(t *testing.T) {
	whole := twoTables().tables["a"]
	third := func(i int) optest.Table {
		return optest.Table{Types: whole.Types, Rows: whole.Rows[len(whole.Rows)*i/3 : len(whole.Rows)*(i+1)/3]}
	}
	p := &planner{}
	r := &plan.RemoteSource{Base: p.base(), Fragments: []plan.FragmentID{4}, Columns: []plan.Column{p.column("k", bigint), p.column("v", bigint)}}
	for _, drivers := range []int{3, 4} {
		pool := mem.NewPool()
		out := &fakeOutput{parts: make([]optest.Rows, 1)}
		task := &exec.Task{
			Fragment: &plan.Fragment{Root: r}, Settings: exec.Settings{Drivers: drivers}, Account: mem.NewRoot("t", 0, pool),
			Inputs: &fakeInputs{parts: []optest.Table{third(0), third(1), third(2)}}, Stats: &exec.TaskStats{}, Output: out, Log: quiet(),
		}
		err := Run(context.Background(), task)
		optest.CheckLeaks(t, pool, task.Account)
		if drivers == 4 {
			if err == nil {
				t.Error("a failed Open went unnoticed")
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		optest.Same(t, whole.Rows, out.all())
	}
}

// fakeTable is a table that can be written, beside those of fakeTables.
type fakeTable struct {
	*fakeTables
	rows optest.Rows
}

func (w *fakeTable) Connector(context.Context, string) (connectors.Connector, error) { return w, nil }
func (w *fakeTable) CreateTable(context.Context, string, string, []connectors.Column) error {
	return nil
}
func (w *fakeTable) DropTable(context.Context, string, string) error { return nil }
func (w *fakeTable) Insert(context.Context, string, string) (connectors.RowSink, error) {
	return w, nil
}
func (w *fakeTable) Append(_ context.Context, b *vector.Batch) error {
	rows, err := optest.ReadBatch(b)
	w.rows = append(w.rows, rows...)
	return err
}
func (w *fakeTable) Commit(context.Context) error { return nil }
func (w *fakeTable) Abort()                       {}

func TestUnnestAndWrite(t *testing.T) {
	list := types.ArrayOf(bigint)
	c := &fakeTables{splitRows: 10, form: optest.Form{BatchRows: 4}, tables: map[string]optest.Table{"l": {Types: []types.Type{bigint, list}}}}
	var want optest.Rows
	for i := range 50 {
		var elems []any
		for k := range i % 4 {
			elems = append(elems, int64(k*10))
			want = append(want, []any{int64(k * 10), int64(i)})
		}
		c.tables["l"] = optest.Table{Types: c.tables["l"].Types, Rows: append(c.tables["l"].Rows, []any{int64(i), elems})}
	}
	p := &planner{}
	s := p.scan("l", c.tables["l"])
	u := &plan.Unnest{Base: p.base(), Input: s, Replicate: s.Columns[:1], Exprs: s.Columns[1:], Columns: [][]plan.Column{{p.column("e", bigint)}}}
	w := &plan.Write{Base: p.base(), Input: u, Catalog: "fake", Cols: []plan.Column{u.Columns[0][0], s.Columns[0]}, Count: p.column("rows", bigint)}
	to := &fakeTable{fakeTables: c}
	d, pool := testDeps(t, c, 3)
	d.Catalogs = to
	r, err := RunPlan(context.Background(), &plan.Plan{Fragments: []*plan.Fragment{{Root: w}}}, d)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := optest.Drain(r)
	if err != nil {
		t.Fatal(err)
	}
	optest.CheckLeaks(t, pool, d.Account)
	optest.Same(t, optest.Rows{{int64(len(want))}}, rows)
	optest.Same(t, want, to.rows)
}
