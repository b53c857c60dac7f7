package op

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/op/optest"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// aggTypes are the columns that aggregation tests have.
var aggTypes = []types.Type{
	bigint,                       // 0
	text,                         // 1
	types.Of(types.Double),       // 2
	types.DecimalOf(12, 2),       // 3
	types.DecimalOf(30, 2),       // 4
	boolean,                      // 5
	types.Of(types.Real),         // 6
	types.Of(types.Date),         // 7
	types.Of(types.SmallInt),     // 8
	types.Of(types.IntervalYear), // 9
	types.Of(types.IntervalDay),  // 10
	types.ArrayOf(bigint),        // 11
	types.Of(types.TinyInt),      // 12
}

// call makes an aggregate over columns of ts.
func call(t testing.TB, ts []types.Type, name string, args ...int) AggCall {
	t.Helper()
	var at []types.Type
	for _, a := range args {
		at = append(at, ts[a])
	}
	fn, err := function.ResolveAggregate(name, at)
	if err != nil {
		t.Fatal(err)
	}
	return AggCall{Fn: fn, Args: args, Filter: -1}
}

// fleetSource starts n sinks over parts of the case's input and reads sources.
func runAggregation(c *optest.Case, spec *AggSpec, sinks, sources int) exec.Operator {
	agg, err := NewAggregation(testEnv(c), spec)
	if err != nil {
		c.T.Fatal(err)
	}
	return aggLanes(agg, c.Split(0, sinks), sources)
}

func aggLanes(agg *Aggregation, ins []exec.Operator, sources int) exec.Operator {
	l := &lanes{}
	for range sources {
		l.ops = append(l.ops, agg.Source())
	}
	made := make([]exec.Sink, len(ins))
	for i := range made {
		made[i] = agg.Sink()
	}
	l.start = func(f *optest.Fleet) {
		for i, in := range ins {
			f.Start(in, made[i])
		}
	}
	return l
}

// inTurn runs one sink over in, and if that succeeds one source.
func inTurn(agg *Aggregation, in exec.Operator) (optest.Rows, error) {
	sink, source := agg.Sink(), agg.Source()
	if err := optest.Drive(context.Background(), in, sink); err != nil {
		return nil, errors.Join(err, source.Close())
	}
	return optest.Drain(source)
}

// twoSteps returns the partial and the final spec of a single one.
func twoSteps(s *AggSpec) (partial, final *AggSpec) {
	p := *s
	p.Step = plan.Partial
	f := AggSpec{Input: p.OutputTypes(), Step: plan.Final}
	for i := range s.Keys {
		f.Keys = append(f.Keys, i)
	}
	at := len(s.Keys)
	for _, a := range s.Aggs {
		c := AggCall{Fn: a.Fn, Filter: -1}
		for range a.Fn.State {
			c.Args = append(c.Args, at)
			at++
		}
		f.Aggs = append(f.Aggs, c)
	}
	return &p, &f
}

// runTwoSteps aggregates in streaming partial operators and then finally.
func runTwoSteps(c *optest.Case, spec *AggSpec) exec.Operator {
	partial, final := twoSteps(spec)
	ins := c.Split(0, 3)
	for i, in := range ins {
		one := *partial
		one.PassThrough = i == 1
		p, err := NewPartialAggregation(testEnv(c), in, &one)
		if err != nil {
			c.T.Fatal(err)
		}
		ins[i] = p
	}
	agg, err := NewAggregation(testEnv(c), final)
	if err != nil {
		c.T.Fatal(err)
	}
	return aggLanes(agg, ins, 2)
}

// exactCalls are aggregates whose result does not depend on order.
func exactCalls(t testing.TB) []AggCall {
	calls := []AggCall{{Fn: sure(function.ResolveAggregate("count", nil)), Filter: -1}}
	for k, typ := range aggTypes {
		calls = append(calls, call(t, aggTypes, "count", k))
		if typ.Orderable() {
			calls = append(calls, call(t, aggTypes, "min", k), call(t, aggTypes, "max", k))
		}
	}
	for _, k := range []int{0, 2, 3, 4, 6, 9, 10} {
		calls = append(calls, call(t, aggTypes, "sum", k), call(t, aggTypes, "avg", k))
	}
	for _, name := range []string{"bool_and", "bool_or", "every", "count_if"} {
		calls = append(calls, call(t, aggTypes, name, 5))
	}
	for _, name := range []string{"bitwise_and_agg", "bitwise_or_agg", "bitwise_xor_agg"} {
		calls = append(calls, call(t, aggTypes, name, 0))
	}
	filtered := []AggCall{call(t, aggTypes, "sum", 3), call(t, aggTypes, "count"), call(t, aggTypes, "max", 1)}
	for _, c := range filtered {
		c.Filter = 5
		calls = append(calls, c)
	}
	return calls
}

// sure returns x where an error would be the test's own fault.
func sure[T any](x T, err error) T {
	if err != nil {
		panic(err)
	}
	return x
}

func TestAggregation(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	for _, tc := range []struct {
		name            string
		keys            []int
		rows            int
		distinct, nulls int
	}{
		{"global", nil, 300, 50, 10},
		{"nothing", nil, 0, 1, 0},
		{"nothing by bigint", []int{0}, 0, 1, 0},
		{"bigint", []int{0}, 400, 40, 10},
		{"few", []int{8}, 1500, 3, 0},
		{"few nulls", []int{5}, 1000, 50, 20},
		{"double", []int{2}, 300, 20, 10},
		{"real", []int{6}, 300, 20, 10},
		{"date", []int{7}, 300, 20, 0},
		{"tiny", []int{12}, 300, 90, 5},
		{"string", []int{1}, 500, 40, 10},
		{"array", []int{11}, 300, 10, 10},
		{"wide", []int{4}, 300, 10, 10},
		{"wide before string", []int{4, 1}, 500, 5, 10},
		{"two", []int{5, 8}, 900, 4, 10},
		{"many", []int{1, 0, 7, 4, 5, 2, 12, 6, 8, 3}, 300, 2, 30},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tab := optest.Random(r, aggTypes, tc.rows, tc.distinct, tc.nulls)
			testAggregation(t, tab, &AggSpec{Input: aggTypes, Keys: tc.keys, Aggs: exactCalls(t)})
		})
	}
}

func testAggregation(t *testing.T, tab optest.Table, spec *AggSpec) {
	want := naiveAggregate(spec, tab.Rows)
	in := []optest.Table{tab}
	t.Run("single", func(t *testing.T) {
		optest.Each(t, in, func(c *optest.Case) exec.Operator { return runAggregation(c, spec, 1, 1) }, want)
	})
	t.Run("parallel", func(t *testing.T) {
		optest.Each(t, in, func(c *optest.Case) exec.Operator { return runAggregation(c, spec, 3, 2) }, want)
	})
	if slices.ContainsFunc(spec.Aggs, func(c AggCall) bool { return c.Distinct }) {
		return
	}
	t.Run("two steps", func(t *testing.T) {
		optest.Each(t, in, func(c *optest.Case) exec.Operator { return runTwoSteps(c, spec) }, want)
	})
}

func TestDistinctAggregates(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 2))
	tab := optest.Random(r, aggTypes, 500, 12, 10)
	var calls []AggCall
	for _, k := range []int{0, 1, 2, 3, 4, 11} {
		calls = append(calls, call(t, aggTypes, "count", k))
	}
	calls = append(calls, call(t, aggTypes, "sum", 3), call(t, aggTypes, "avg", 4), call(t, aggTypes, "sum", 0), call(t, aggTypes, "max", 1))
	filtered := call(t, aggTypes, "count", 1)
	filtered.Filter = 5
	calls = append(calls, filtered)
	for i := range calls {
		calls[i].Distinct = true
	}
	calls = append(calls, call(t, aggTypes, "count", 0))
	for _, keys := range [][]int{nil, {12}, {8, 5}, {1}} {
		t.Run(fmt.Sprint(keys), func(t *testing.T) {
			testAggregation(t, tab, &AggSpec{Input: aggTypes, Keys: keys, Aggs: calls})
		})
	}
}

func TestDistinctRows(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	tab := optest.Random(r, aggTypes[:4], 500, 3, 10)
	testAggregation(t, tab, &AggSpec{Input: aggTypes[:4], Keys: []int{0, 1, 2}})
}

// TestNestedKeys groups by rows and maps.
func TestNestedKeys(t *testing.T) {
	ts := []types.Type{
		types.RowOf([]types.Type{bigint, text, types.ArrayOf(types.Of(types.Double))}, nil),
		types.MapOf(text, types.Of(types.Date)), bigint,
	}
	tab := optest.Random(rand.New(rand.NewPCG(6, 6)), ts, 300, 9, 15)
	for _, keys := range [][]int{{0}, {1}, {1, 2, 0}} {
		testAggregation(t, tab, &AggSpec{Input: ts, Keys: keys, Aggs: []AggCall{call(t, ts, "count", 2), call(t, ts, "max", 2)}})
	}
}

// TestFewFlatKeys goes the short way for flat columns of few values, with and
// without nulls, and leaves it when there are many.
func TestFewFlatKeys(t *testing.T) {
	ts := []types.Type{text, types.Of(types.SmallInt), types.Of(types.Double), bigint}
	tab := optest.Table{Types: ts}
	for i := range 20_000 {
		row := []any{fmt.Sprint("s", i%5), int64(i % 3), []float64{0, math.Copysign(0, -1), 1}[i%3], int64(i)}
		if i%11 == 0 && i < 8000 {
			row[1] = nil
		}
		if i > 12_000 {
			row[0] = fmt.Sprint("string number ", i%500)
		}
		tab.Rows = append(tab.Rows, row)
	}
	for _, keys := range [][]int{{0}, {0, 1}, {1, 0}, {1, 2}} {
		spec := &AggSpec{Input: ts, Keys: keys, Aggs: []AggCall{call(t, ts, "sum", 3)}}
		positive := optest.Table{Types: ts}
		for _, row := range tab.Rows {
			positive.Rows = append(positive.Rows, []any{row[0], row[1], math.Abs(row[2].(float64)), row[3]})
		}
		for _, form := range []optest.Form{{BatchRows: 1000}, {BatchRows: 3000, Decoys: true}} {
			account := optest.NewAccount(t)
			got, err := inTurn(sure(NewAggregation(&Env{Account: account}, spec)), optest.NewSource(account, tab, form))
			if err != nil {
				t.Fatal(err)
			}
			optest.Same(t, naiveAggregate(spec, positive.Rows), got)
		}
	}
}

// TestAggregationOfManyGroups merges in partitions, grows tables, leaves the
// array path and comes back to it.
func TestAggregationOfManyGroups(t *testing.T) {
	const n = 60_000
	r := rand.New(rand.NewPCG(4, 4))
	ts := []types.Type{bigint, text, bigint}
	spread := map[string]func(i int) int64{
		"close":  func(i int) int64 { return int64(i % (n / 2)) },
		"far":    func(i int) int64 { return int64(i%(n/2)) * 1_000_003 },
		"random": func(int) int64 { return r.Int64() },
		"late":   func(i int) int64 { return int64(i/3) << (i / (n - 1) * 40) },
		"down":   func(i int) int64 { return int64(n-i) - n/2 },
		"ends":   func(i int) int64 { return []int64{math.MinInt64, math.MaxInt64, 0}[i%3] },
	}
	for name, key := range spread {
		tab := optest.Table{Types: ts}
		for i := range n {
			k := key(i)
			tab.Rows = append(tab.Rows, []any{k, fmt.Sprintf("key number %d", k), int64(i)})
		}
		for _, keys := range [][]int{{0}, {1}, {0, 1}} {
			spec := &AggSpec{Input: ts, Keys: keys, Aggs: []AggCall{call(t, ts, "sum", 2), call(t, ts, "max", 1)}}
			want := naiveAggregate(spec, tab.Rows)
			t.Run(fmt.Sprint(name, keys), func(t *testing.T) {
				account := optest.NewAccount(t)
				form := optest.Form{BatchRows: 4000}
				var ins []exec.Operator
				for k := range 3 {
					part := optest.Table{Types: ts}
					for i := k; i < n; i += 3 {
						part.Rows = append(part.Rows, tab.Rows[i])
					}
					ins = append(ins, optest.NewSource(account, part, form))
				}
				agg := sure(NewAggregation(&Env{Account: account}, spec))
				got, err := optest.Drain(aggLanes(agg, ins, 2))
				if err != nil {
					t.Fatal(err)
				}
				optest.Same(t, want, got)
			})
		}
	}
}

func TestSumsOverflow(t *testing.T) {
	max := types.Int128{Lo: math.MaxUint64, Hi: 1 << 61}
	for _, tc := range []struct {
		name string
		typ  types.Type
		vals []any
	}{
		{"bigint", bigint, []any{int64(math.MaxInt64), int64(1)}},
		{"bigint below", bigint, []any{int64(math.MinInt64), int64(-1)}},
		{"decimal", types.DecimalOf(38, 0), []any{types.Pow10(38).Sub(types.Int128{Lo: 1}), int64(1)}},
		{"decimal twice", types.DecimalOf(38, 0), []any{max, max, max, max}},
		{"months", types.Of(types.IntervalYear), []any{int64(math.MaxInt32), int64(1)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ts := []types.Type{tc.typ, bigint}
			tab := optest.Table{Types: ts}
			for _, v := range tc.vals {
				if x, ok := v.(int64); ok && tc.typ.Kind == types.Decimal {
					v = types.Int128Of(x)
				}
				tab.Rows = append(tab.Rows, []any{v, int64(1)})
			}
			for _, keys := range [][]int{nil, {1}} {
				account := optest.NewAccount(t)
				agg := sure(NewAggregation(&Env{Account: account}, &AggSpec{Input: ts, Keys: keys, Aggs: []AggCall{call(t, ts, "sum", 0)}}))
				_, err := inTurn(agg, optest.NewSource(account, tab, optest.Forms()[0]))
				if err == nil || !strings.Contains(err.Error(), "overflow") {
					t.Errorf("keys %v: error %v", keys, err)
				}
			}
		})
	}
}

// TestAggregationWithinLimit runs out of memory and gives everything back.
func TestAggregationWithinLimit(t *testing.T) {
	pool := mem.NewPool()
	account := mem.NewRoot("small", 600<<10, pool)
	r := rand.New(rand.NewPCG(5, 5))
	tab := optest.Random(r, []types.Type{bigint, text}, 20_000, 1<<40, 0)
	agg := sure(NewAggregation(&Env{Account: account}, &AggSpec{Input: tab.Types, Keys: []int{0, 1}, Aggs: []AggCall{call(t, tab.Types, "max", 1)}}))
	_, err := inTurn(agg, optest.NewSource(account, tab, optest.Form{BatchRows: 500}))
	var limit *mem.LimitError
	if !errors.As(err, &limit) {
		t.Errorf("error %v", err)
	}
	optest.CheckLeaks(t, pool, account)
}

// TestPartialStopsGrouping sees that a partial step without repeats turns to
// passing rows through.
func TestPartialStopsGrouping(t *testing.T) {
	account := optest.NewAccount(t)
	tab := optest.Table{Types: []types.Type{bigint, bigint}}
	for i := range partialTrial * 3 / 2 {
		tab.Rows = append(tab.Rows, []any{int64(i) * 7919, int64(i)})
	}
	spec := &AggSpec{Input: tab.Types, Keys: []int{0}, Aggs: []AggCall{call(t, tab.Types, "sum", 1)}}
	partial, final := twoSteps(spec)
	p := sure(NewPartialAggregation(&Env{Account: account}, optest.NewSource(account, tab, optest.Forms()[3]), partial))
	agg := sure(NewAggregation(&Env{Account: account}, final))
	got, err := optest.Drain(aggLanes(agg, []exec.Operator{p}, 1))
	if err != nil {
		t.Fatal(err)
	}
	if !p.passing {
		t.Error("still grouping")
	}
	optest.Same(t, tab.Rows, got)
}
