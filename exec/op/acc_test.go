package op

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/op/optest"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

var double = types.Of(types.Double)

// runStates runs spec over tab in one step, by several drivers and in two
// steps, and hands each result to check.
func runStates(t *testing.T, tab optest.Table, spec *AggSpec, check func(t *testing.T, got optest.Rows)) {
	t.Helper()
	for _, f := range []optest.Form{{BatchRows: 5}, {BatchRows: 1000, Decoys: true}} {
		for name, run := range map[string]func(in []exec.Operator, env *Env) exec.Operator{
			"single": func(in []exec.Operator, env *Env) exec.Operator {
				return aggLanes(sure(NewAggregation(env, spec)), in[:], 1)
			},
			"two steps": func(in []exec.Operator, env *Env) exec.Operator {
				partial, final := twoSteps(spec)
				for i := range in {
					in[i] = sure(NewPartialAggregation(env, in[i], partial))
				}
				return aggLanes(sure(NewAggregation(env, final)), in, 1)
			},
		} {
			t.Run(fmt.Sprint(name, f.BatchRows), func(t *testing.T) {
				account := optest.NewAccount(t)
				var ins []exec.Operator
				for i := range 3 {
					part := optest.Table{Types: tab.Types}
					for k := i; k < len(tab.Rows); k += 3 {
						part.Rows = append(part.Rows, tab.Rows[k])
					}
					ins = append(ins, optest.NewSource(account, part, f))
				}
				got, err := optest.Drain(run(ins, &Env{Account: account}))
				if err != nil {
					t.Fatal(err)
				}
				check(t, got)
			})
		}
	}
}

// TestStatistics compares with values computed by definition, in two passes.
func TestStatistics(t *testing.T) {
	ts := []types.Type{double, double, bigint}
	tab := optest.Table{Types: ts}
	r := rand.New(rand.NewPCG(1, 1))
	var xs, ys []float64
	for range 200 {
		x := 1e6 + r.NormFloat64()
		y := 3*x + r.ExpFloat64()
		xs, ys = append(xs, x), append(ys, y)
		tab.Rows = append(tab.Rows, []any{y, x, int64(1)})
	}
	tab.Rows = append(tab.Rows, []any{nil, 1.0, int64(1)}, []any{nil, nil, int64(2)})
	n := float64(len(xs))
	mx, my := mean(xs), mean(ys)
	sxx, syy, sxy := moment(xs, xs, mx, mx), moment(ys, ys, my, my), moment(xs, ys, mx, my)
	m3, m4 := power(ys, my, 3), power(ys, my, 4)
	logs := 0.0
	for _, y := range ys {
		logs += math.Log(y)
	}
	want := map[string]float64{
		"var_pop": syy / n, "var_samp": syy / (n - 1), "variance": syy / (n - 1),
		"stddev_pop": math.Sqrt(syy / n), "stddev": math.Sqrt(syy / (n - 1)), "stddev_samp": math.Sqrt(syy / (n - 1)),
		"covar_pop": sxy / n, "covar_samp": sxy / (n - 1), "corr": sxy / math.Sqrt(sxx*syy),
		"regr_slope": sxy / sxx, "regr_intercept": my - sxy/sxx*mx,
		"skewness":       math.Sqrt(n) * m3 / math.Pow(syy, 1.5),
		"kurtosis":       n*(n+1)/((n-1)*(n-2)*(n-3))*m4/math.Pow(syy/(n-1), 2) - 3*(n-1)*(n-1)/((n-2)*(n-3)),
		"geometric_mean": math.Exp(logs / n),
	}
	for name, w := range want {
		t.Run(name, func(t *testing.T) {
			args := []int{0, 1}
			if _, two := comomentResults[name]; !two {
				args = args[:1]
			}
			spec := &AggSpec{Input: ts, Keys: []int{2}, Aggs: []AggCall{call(t, ts, name, args...)}}
			runStates(t, tab, spec, func(t *testing.T, got optest.Rows) {
				for _, row := range got {
					if row[0] == int64(2) {
						if row[1] != nil {
							t.Errorf("of no values: %v", row[1])
						}
						continue
					}
					if x, ok := row[1].(float64); !ok || math.Abs(x-w) > 1e-5*math.Abs(w) {
						t.Errorf("got %v, want %v", row[1], w)
					}
				}
			})
		})
	}
}

func mean(xs []float64) float64 {
	s := 0.0
	for _, x := range xs {
		s += x
	}
	return s / float64(len(xs))
}

func moment(xs, ys []float64, mx, my float64) float64 {
	s := 0.0
	for i := range xs {
		s += (xs[i] - mx) * (ys[i] - my)
	}
	return s
}

func power(xs []float64, m float64, p float64) float64 {
	s := 0.0
	for _, x := range xs {
		s += math.Pow(x-m, p)
	}
	return s
}

// TestStatisticsOfFewValues holds what Trino returns below the least number of
// values.
func TestStatisticsOfFewValues(t *testing.T) {
	for _, tc := range []struct {
		name string
		n    int
		null bool
	}{
		{"var_pop", 1, false}, {"var_samp", 1, true}, {"stddev", 2, false}, {"covar_samp", 1, true}, {"covar_pop", 1, false},
		{"corr", 1, true}, {"corr", 2, false}, {"regr_slope", 1, true}, {"skewness", 2, true}, {"skewness", 3, false},
		{"kurtosis", 3, true}, {"kurtosis", 4, false},
	} {
		ts := []types.Type{double, double}
		tab := optest.Table{Types: ts}
		for i := range tc.n {
			tab.Rows = append(tab.Rows, []any{float64(i * i), float64(i)})
		}
		args := []int{0, 1}
		if _, two := comomentResults[tc.name]; !two {
			args = args[:1]
		}
		runStates(t, tab, &AggSpec{Input: ts, Aggs: []AggCall{call(t, ts, tc.name, args...)}}, func(t *testing.T, got optest.Rows) {
			if (got[0][0] == nil) != tc.null {
				t.Errorf("%s of %d values is %v", tc.name, tc.n, got[0][0])
			}
		})
	}
}

func TestApproxDistinct(t *testing.T) {
	ts := []types.Type{text, bigint}
	spec := &AggSpec{Input: ts, Keys: []int{1}, Aggs: []AggCall{call(t, ts, "approx_distinct", 0)}}
	for _, n := range []int{0, 1, 25, 250, 300, 2000, 20_000} {
		tab := optest.Table{Types: ts}
		for i := range 3 * n / 2 {
			tab.Rows = append(tab.Rows, []any{fmt.Sprint("value ", i%n), int64(7)})
		}
		tab.Rows = append(tab.Rows, []any{nil, int64(7)})
		runStates(t, tab, spec, func(t *testing.T, got optest.Rows) {
			x := got[0][1].(int64)
			if off := math.Abs(float64(x)/float64(max(n, 1)) - 1); n < 200 && x != int64(n) || n > 0 && off > 0.08 {
				t.Errorf("%d for %d values", x, n)
			}
		})
	}
}

func TestSketchStateIsChecked(t *testing.T) {
	ts := []types.Type{types.Of(types.Varbinary)}
	fn := sure(function.ResolveAggregate("approx_distinct", []types.Type{bigint}))
	for _, bad := range []string{"", "\x01", "\x00abc", "\x02aaaa"} {
		account := optest.NewAccount(t)
		spec := &AggSpec{Input: ts, Step: 2, Aggs: []AggCall{{Fn: fn, Args: []int{0}, Filter: -1}}}
		_, err := inTurn(sure(NewAggregation(&Env{Account: account}, spec)), optest.NewSource(account, optest.Tab(ts, bad), optest.Forms()[0]))
		if err == nil {
			t.Errorf("%q is taken for a sketch", bad)
		}
	}
}

// TestKeepers covers min_by, max_by and arbitrary with unique orders.
func TestKeepers(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	tab := numbered(optest.Random(r, aggTypes, 400, 30, 20))
	last := len(aggTypes)
	spec := &AggSpec{Input: tab.Types, Keys: []int{8}}
	for k := range aggTypes {
		spec.Aggs = append(spec.Aggs, call(t, tab.Types, "min_by", k, last), call(t, tab.Types, "max_by", k, last))
	}
	testAggregation(t, tab, spec)
}

func TestArbitrary(t *testing.T) {
	ts := []types.Type{text, bigint, types.ArrayOf(bigint)}
	tab := optest.Table{Types: ts}
	for i := range 100 {
		k := int64(i % 7)
		row := []any{fmt.Sprint("the only value of group ", k), k, []any{k, nil}}
		if i%3 == 0 || k == 5 {
			row[0], row[2] = nil, nil
		}
		tab.Rows = append(tab.Rows, row)
	}
	spec := &AggSpec{Input: ts, Keys: []int{1}, Aggs: []AggCall{call(t, ts, "arbitrary", 0), call(t, ts, "any_value", 2)}}
	var want optest.Rows
	for k := range int64(7) {
		if k == 5 {
			want = append(want, []any{k, nil, nil})
			continue
		}
		want = append(want, []any{k, fmt.Sprint("the only value of group ", k), []any{k, nil}})
	}
	runStates(t, tab, spec, func(t *testing.T, got optest.Rows) { optest.Same(t, want, got) })
}

func TestArrayAgg(t *testing.T) {
	ts := []types.Type{text, bigint, bigint}
	tab := optest.Table{Types: ts}
	r := rand.New(rand.NewPCG(5, 5))
	for i := range 300 {
		var x any = fmt.Sprint("element ", r.IntN(40))
		if r.IntN(5) == 0 {
			x = nil
		}
		tab.Rows = append(tab.Rows, []any{x, int64(i % 4), int64(i)})
	}
	in := []optest.Table{tab}
	plain := &AggSpec{Input: ts, Keys: []int{1}, Aggs: []AggCall{call(t, ts, "array_agg", 0)}}
	optest.Each(t, in, func(c *optest.Case) exec.Operator { return runAggregation(c, plain, 1, 1) }, naiveAggregate(plain, tab.Rows))

	ordered := call(t, ts, "array_agg", 0)
	ordered.OrderBy = []SortColumn{{Column: 2, Descending: true}}
	distinct := call(t, ts, "array_agg", 0)
	distinct.Distinct, distinct.OrderBy = true, []SortColumn{{Column: 0, NullsFirst: true}}
	spec := &AggSpec{Input: ts, Keys: []int{1}, Aggs: []AggCall{ordered, distinct}}
	want := naiveAggregate(&AggSpec{Keys: []int{1}, Aggs: []AggCall{ordered}}, naiveSort(ordered.OrderBy, tab.Rows))
	byValue := naiveAggregate(&AggSpec{Keys: []int{1}, Aggs: []AggCall{distinct}}, naiveSort(distinct.OrderBy, tab.Rows))
	for i := range want {
		for _, row := range byValue {
			if row[0] == want[i][0] {
				want[i] = append(want[i], row[1])
			}
		}
	}
	for _, drivers := range []int{1, 3} {
		optest.Each(t, in, func(c *optest.Case) exec.Operator { return runAggregation(c, spec, drivers, 2) }, want)
	}
}

// TestArrayAggInTwoSteps compares without order: a state's place among the
// others is left to chance.
func TestArrayAggInTwoSteps(t *testing.T) {
	ts := []types.Type{text, bigint}
	tab := optest.Table{Types: ts}
	for i := range 90 {
		tab.Rows = append(tab.Rows, []any{fmt.Sprint("element ", i), int64(i % 4)})
	}
	spec := &AggSpec{Input: ts, Keys: []int{1}, Aggs: []AggCall{call(t, ts, "array_agg", 0)}}
	runStates(t, tab, spec, func(t *testing.T, got optest.Rows) {
		seen := map[any]bool{}
		for _, row := range got {
			for _, x := range row[1].([]any) {
				seen[x] = true
			}
		}
		if len(got) != 4 || len(seen) != 90 {
			t.Errorf("%d arrays with %d elements", len(got), len(seen))
		}
	})
}

// TestExtremesOfNaN holds that NaN is the result only where there is no number.
func TestExtremesOfNaN(t *testing.T) {
	nan := math.NaN()
	ts := []types.Type{double, bigint}
	tab := optest.Tab(ts, nan, 1, 2.0, 1, 1.0, 1, nan, 1, nan, 2, nan, 2)
	spec := &AggSpec{Input: ts, Keys: []int{1}, Aggs: []AggCall{call(t, ts, "min", 0), call(t, ts, "max", 0)}}
	want := optest.Rows{{int64(1), 1.0, 2.0}, {int64(2), nan, nan}}
	runStates(t, tab, spec, func(t *testing.T, got optest.Rows) { optest.Same(t, want, got) })
}

// TestKeysThatSQLHoldsEqual groups zeros of either sign, NaNs of any bits, and
// instants of any zone.
func TestKeysThatSQLHoldsEqual(t *testing.T) {
	ts := []types.Type{double, types.Of(types.Real), types.TimestampTZOf(3), types.Of(types.TimeTZ)}
	a := []any{0.0, float32(0), types.Int128{Lo: 5, Hi: 1}, types.Int128{Lo: uint64(7200e9), Hi: 60}}
	b := []any{math.Copysign(0, -1), float32(math.Copysign(0, -1)), types.Int128{Lo: 5, Hi: 2}, types.Int128{Lo: uint64(3600e9), Hi: 0}}
	for k, typ := range ts {
		for _, keys := range [][]int{{0}, {0, 1}} {
			tab := optest.Table{Types: []types.Type{typ, bigint}, Rows: optest.Rows{{a[k], int64(1)}, {b[k], int64(1)}}}
			spec := &AggSpec{Input: tab.Types, Keys: keys, Aggs: []AggCall{call(t, tab.Types, "count", 1)}}
			account := optest.NewAccount(t)
			got, err := inTurn(sure(NewAggregation(&Env{Account: account}, spec)), optest.NewSource(account, tab, optest.Forms()[0]))
			if err != nil || len(got) != 1 || got[0][len(got[0])-1] != int64(2) || fmt.Sprint(got[0][0]) != fmt.Sprint(a[k]) {
				t.Errorf("%s: %v %v", typ, got, err)
			}
		}
	}
}

// TestEveryAggregateIsThere makes each function of the table for some type
// that it takes.
func TestEveryAggregateIsThere(t *testing.T) {
	account := optest.NewAccount(t)
	for _, info := range function.List() {
		if info.Kind != function.AggregateKind {
			continue
		}
		found := false
		for _, args := range [][]types.Type{nil, {double}, {bigint}, {types.Of(types.Boolean)}, {double, double}} {
			fn, err := function.ResolveAggregate(info.Name, args)
			if err != nil {
				continue
			}
			found = true
			if _, err := simpleAccumulator(account, fn); err != nil {
				t.Errorf("%s: %v", info.Name, err)
			}
		}
		if !found {
			t.Errorf("%s takes none of the types tried", info.Name)
		}
	}
	if _, err := simpleAccumulator(account, &function.Aggregate{Name: "mystery"}); err == nil || errors.Is(err, errNoState) {
		t.Errorf("an unknown function gave %v", err)
	}
}
