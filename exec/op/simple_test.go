package op

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/op/optest"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

func randomTable(n int) optest.Table {
	return optest.Random(rand.New(rand.NewPCG(2, 3)), []types.Type{bigint, bigint, text}, n, 30, 10)
}

// must fails the test if making an operator failed.
func must[T exec.Operator](t testing.TB) func(o T, err error) exec.Operator {
	return func(o T, err error) exec.Operator {
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
}

func TestFilterAndProject(t *testing.T) {
	tab := randomTable(300)
	var passed, computed optest.Rows
	for _, r := range tab.Rows {
		var lt any
		if r[0] != nil && r[1] != nil {
			lt = r[0].(int64) < r[1].(int64)
		}
		if lt == true {
			passed = append(passed, r)
		}
		computed = append(computed, []any{r[2], lt})
	}
	optest.EachOrdered(t, []optest.Table{tab}, func(c *optest.Case) exec.Operator {
		return must[*Filter](t)(NewFilter(testEnv(c), c.Inputs[0], compare(function.OpLt, 0, 1)))
	}, passed)
	optest.EachOrdered(t, []optest.Table{tab}, func(c *optest.Case) exec.Operator {
		return must[*Project](t)(NewProject(testEnv(c), c.Inputs[0], []expr.Expr{
			&expr.Column{ID: 2, Typ: text}, compare(function.OpLt, 0, 1)}))
	}, computed)
}

func TestLimit(t *testing.T) {
	tab := randomTable(50)
	for _, tc := range []struct{ n, offset int64 }{{10, 0}, {10, 7}, {0, 0}, {-1, 45}, {-1, 0}, {100, 3}, {5, 60}} {
		from := min(int(tc.offset), len(tab.Rows))
		to := len(tab.Rows)
		if tc.n >= 0 {
			to = min(to, from+int(tc.n))
		}
		optest.EachOrdered(t, []optest.Table{tab}, func(c *optest.Case) exec.Operator {
			return NewLimit(c.Inputs[0], NewLimiter(tc.n, tc.offset))
		}, tab.Rows[from:to])
	}
}

func TestLimitersAreShared(t *testing.T) {
	tab := randomTable(90)
	account := optest.NewAccount(t)
	l := NewLimiter(20, 30)
	var ops []exec.Operator
	for range 3 {
		ops = append(ops, NewLimit(optest.NewSource(account, tab, optest.Form{BatchRows: 7}), l))
	}
	rows, err := optest.DrainAll(ops)
	if err != nil || len(rows) != 20 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

func TestLimitClosesItsInputWhenItHasEnough(t *testing.T) {
	src := optest.NewSource(optest.NewAccount(t), randomTable(50), optest.Form{BatchRows: 5})
	l := NewLimit(src, NewLimiter(10, 0))
	for range 3 {
		if _, err := l.Next(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if !src.Closed() || src.Pulls != 2 {
		t.Errorf("closed %v after %d pulls", src.Closed(), src.Pulls)
	}
}

func TestSelectAndConcat(t *testing.T) {
	tab := randomTable(40)
	var want optest.Rows
	for range 2 {
		for _, r := range tab.Rows {
			want = append(want, []any{r[2], r[0], r[2]})
		}
	}
	optest.EachOrdered(t, []optest.Table{tab, tab}, func(c *optest.Case) exec.Operator {
		return NewConcat([]exec.Operator{NewSelect(c.Inputs[0], []int{2, 0, 2}), NewSelect(c.Inputs[1], []int{2, 0, 2})})
	}, want)
}

func TestSingleRow(t *testing.T) {
	ts := []types.Type{bigint, text}
	for _, tc := range []struct{ in, want optest.Rows }{
		{nil, optest.Rows{{nil, nil}}},
		{optest.Rows{{int64(4), "a rather long string"}}, optest.Rows{{int64(4), "a rather long string"}}},
	} {
		optest.Each(t, []optest.Table{{Types: ts, Rows: tc.in}}, func(c *optest.Case) exec.Operator {
			return NewSingleRow(testEnv(c), c.Inputs[0], ts)
		}, tc.want)
	}
	src := optest.NewSource(optest.NewAccount(t), optest.Tab(ts, 1, "a", 2, "b"), optest.Form{BatchRows: 1})
	o := NewSingleRow(&Env{Account: optest.NewAccount(t)}, src, ts)
	if _, err := o.Next(context.Background()); !qerr.Is(err, qerr.SubqueryMultipleRows) {
		t.Errorf("two rows: %v", err)
	}
	o.Close()
}

func TestUniqueIDsDifferAcrossTasks(t *testing.T) {
	tab := randomTable(100)
	account := optest.NewAccount(t)
	seen := map[any]bool{}
	for task := range 3 {
		src := optest.NewSource(account, tab, optest.Form{BatchRows: 7, Decoys: true})
		rows, err := optest.Drain(NewUniqueID(&Env{Account: account}, src, NewCounter(task)))
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range rows {
			optest.SameOrder(t, optest.Rows{tab.Rows[i]}, optest.Rows{r[:3]})
			seen[r[3]] = true
		}
	}
	if len(seen) != 300 {
		t.Errorf("%d distinct ids for 300 rows", len(seen))
	}
}

func TestValuesOfExpressions(t *testing.T) {
	div, err := function.ResolveScalar(function.OpDivide, []types.Type{bigint, bigint})
	if err != nil {
		t.Fatal(err)
	}
	quotient := func(a, b int64) []expr.Expr {
		return []expr.Expr{&expr.Call{Fn: div, Args: []expr.Expr{&expr.Const{Value: a, Typ: bigint}, &expr.Const{Value: b, Typ: bigint}}}}
	}
	env := &Env{Account: optest.NewAccount(t), BatchRows: 1}
	v := NewValues(env, []types.Type{bigint}, [][]expr.Expr{quotient(6, 3), quotient(1, 0)})
	defer v.Close()
	b, err := v.Next(context.Background())
	if err != nil || vector.Values[int64](b.Cols[0])[0] != 2 {
		t.Errorf("first row: %v", err)
	}
	if _, err := v.Next(context.Background()); !qerr.Is(err, qerr.DivisionByZero) {
		t.Errorf("second row: %v", err)
	}
}

func TestValues(t *testing.T) {
	ts := []types.Type{types.Of(types.SmallInt), text, types.ArrayOf(bigint)}
	tab := optest.Tab(ts, 1, "one", []any{int64(1), nil}, nil, nil, nil, 3, "three and then some more", []any{})
	var rows [][]expr.Expr
	for _, r := range tab.Rows {
		var row []expr.Expr
		for k, x := range r {
			row = append(row, &expr.Const{Value: x, Typ: ts[k]})
		}
		rows = append(rows, row)
	}
	optest.EachOrdered(t, []optest.Table{tab}, func(c *optest.Case) exec.Operator {
		return NewValues(testEnv(c), ts, rows)
	}, tab.Rows)
}

func TestUnnest(t *testing.T) {
	list, pairs := types.ArrayOf(text), types.MapOf(bigint, text)
	structs := types.ArrayOf(types.RowOf([]types.Type{bigint, text}, nil))
	tab := optest.Tab([]types.Type{bigint, list, pairs, structs},
		1, []any{"a", nil, "a string too long to inline"}, [][2]any{{int64(7), "seven"}}, []any{},
		2, nil, [][2]any{}, nil,
		3, []any{"b"}, [][2]any{{int64(8), nil}, {int64(9), "nine"}}, []any{[]any{int64(5), nil}, nil, []any{nil, "x"}},
		4, []any{}, nil, []any{[]any{int64(6), "six"}},
	)
	want := optest.Tab([]types.Type{bigint, text, bigint, text, bigint, text, bigint},
		1, "a", 7, "seven", nil, nil, 1,
		1, nil, nil, nil, nil, nil, 2,
		1, "a string too long to inline", nil, nil, nil, nil, 3,
		3, "b", 8, nil, 5, nil, 1,
		3, nil, 9, "nine", nil, nil, 2,
		3, nil, nil, nil, nil, "x", 3,
		4, nil, nil, nil, 6, "six", 1,
	).Rows
	spec := UnnestSpec{Replicate: []int{0}, Exprs: []int{1, 2, 3}, Ordinality: true}
	run := func(want optest.Rows) {
		optest.EachOrdered(t, []optest.Table{tab}, func(c *optest.Case) exec.Operator {
			return NewUnnest(testEnv(c), c.Inputs[0], tab.Types, spec)
		}, want)
	}
	run(want)
	spec.Outer = true
	run(append(append(append(optest.Rows{}, want[:3]...), []any{int64(2), nil, nil, nil, nil, nil, nil}), want[3:]...))
}

// fakeWriter is a catalog whose only table records what is done to it.
type fakeWriter struct {
	unused
	log    []string
	rows   optest.Rows
	refuse error
}

// unused are the methods of a connector that a Write does not call.
type unused struct{ connectors.Connector }

func (w *fakeWriter) Connector(context.Context, string) (connectors.Connector, error) { return w, nil }

func (w *fakeWriter) CreateTable(context.Context, string, string, []connectors.Column) error {
	w.log = append(w.log, "create")
	return nil
}

func (w *fakeWriter) DropTable(context.Context, string, string) error {
	w.log = append(w.log, "drop")
	return nil
}

func (w *fakeWriter) Insert(context.Context, string, string) (connectors.RowSink, error) {
	return w, nil
}

func (w *fakeWriter) Append(_ context.Context, b *vector.Batch) error {
	rows, err := optest.ReadBatch(b)
	w.rows = append(w.rows, rows...)
	return errors.Join(err, w.refuse)
}

func (w *fakeWriter) Commit(context.Context) error {
	w.log = append(w.log, "commit")
	return nil
}

func (w *fakeWriter) Abort() { w.log = append(w.log, "abort") }

func TestWrite(t *testing.T) {
	tab := randomTable(33)
	refused := errors.New("disk full")
	for name, tc := range map[string]struct {
		refuse error
		log    string
	}{
		"written": {nil, "[create commit abort]"},
		"refused": {refused, "[create abort drop]"},
	} {
		t.Run(name, func(t *testing.T) {
			account := optest.NewAccount(t)
			w := &fakeWriter{refuse: tc.refuse}
			o := NewWrite(&Env{Account: account}, optest.NewSource(account, tab, optest.Form{BatchRows: 7, Decoys: true}), w,
				WriteSpec{Create: []connectors.Column{{Name: "x"}}, Cols: []int{2, 1}})
			rows, err := optest.Drain(o)
			if !errors.Is(err, tc.refuse) {
				t.Fatal(err)
			}
			if got := logText(w.log); got != tc.log {
				t.Errorf("calls are %s, want %s", got, tc.log)
			}
			if err == nil {
				optest.Same(t, optest.Rows{{int64(33)}}, rows)
			}
		})
	}
}

func logText(log []string) string {
	s := "["
	for i, x := range log {
		if i > 0 {
			s += " "
		}
		s += x
	}
	return s + "]"
}

// collected is an exchange that keeps rows by partition.
type collected struct {
	parts []optest.Rows
	fail  error
}

func (o *collected) Partitions() int { return len(o.parts) }
func (o *collected) Wanted() bool    { return true }

func (o *collected) Write(_ context.Context, p int, b *vector.Batch) error {
	rows, err := optest.ReadBatch(b)
	o.parts[p] = append(o.parts[p], rows...)
	return errors.Join(err, o.fail)
}

func TestOutputSpreadsRows(t *testing.T) {
	tab := randomTable(500)
	for _, kind := range []plan.ExchangeKind{plan.Gather, plan.Replicate, plan.RoundRobin, plan.Hash} {
		home := map[any]int{}
		for _, f := range optest.Forms() {
			account := optest.NewAccount(t)
			to := &collected{parts: make([]optest.Rows, 5)}
			sink := NewOutput(&Env{Account: account}, to, kind, []int{0, 2})
			if err := optest.Drive(context.Background(), optest.NewSource(account, tab, f), sink); err != nil {
				t.Fatal(err)
			}
			var all optest.Rows
			for p, rows := range to.parts {
				all = append(all, rows...)
				for _, s := range rows.Strings() {
					if at, ok := home[s]; ok && at != p && kind == plan.Hash {
						t.Fatalf("row %s is in partition %d and, in form %s, in %d", s, at, f.Name, p)
					}
					home[s] = p
				}
			}
			optest.Same(t, tab.Rows, all)
			if kind == plan.Gather && len(to.parts[0]) != 500 {
				t.Errorf("gathered rows are not all in the first partition")
			}
		}
	}
}

// TestPartitionOfIsFixed pins the protocol between nodes: a change would send
// equal keys to different tasks while versions are mixed.
func TestPartitionOfIsFixed(t *testing.T) {
	for h, want := range map[uint64]int{0: 0, 1: 9, 1 << 63: 69, 0x123456789ABCDEF: 37, ^uint64(0): 12} {
		if got := PartitionOf(h, 100); got != want {
			t.Errorf("partition of %#x is %d, want %d", h, got, want)
		}
	}
}

func TestPartitionsAreEvenAndLeaveTheHashSpread(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 9))
	var counts [7]int
	var top [16]int // upper bits of the hashes within one partition
	for range 70_000 {
		h := r.Uint64()
		p := PartitionOf(h, 7)
		counts[p]++
		if p == 3 {
			top[h>>60]++
		}
	}
	for p, n := range counts {
		if n < 9_500 || n > 10_500 {
			t.Errorf("partition %d has %d rows of 70000", p, n)
		}
	}
	for i, n := range top {
		if n < 500 || n > 750 {
			t.Errorf("%d hashes of a partition start with %x", n, i)
		}
	}
}
