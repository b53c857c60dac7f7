package op

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/op/optest"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// faultEnv is an environment whose batches are small, so that there are many.
func faultEnv(c *optest.Case) *Env {
	return &Env{Account: c.Account, Stats: &exec.OperatorStats{}, BatchRows: 30}
}

// alone is a job of one operator.
func alone(o exec.Operator) optest.Job { return optest.Job{Tops: []exec.Operator{o}} }

// made is optest.Made for a constructor's results and then its inputs.
func made[T exec.Operator](o T, err error) func(ins ...exec.Operator) exec.Operator {
	return func(ins ...exec.Operator) exec.Operator { return optest.Made(o, err, ins...) }
}

// scalar calls a scalar function.
func scalar(name string, result types.Type, args ...expr.Expr) expr.Expr {
	fn := &function.Scalar{Name: name, Result: result}
	for _, a := range args {
		fn.Args = append(fn.Args, a.Type())
	}
	return &expr.Call{Fn: fn, Args: args}
}

// sunk is a job whose drivers move ins into sinks and whose answer is tops'.
func sunk(ins []exec.Operator, sink func() exec.Sink, tops ...exec.Operator) optest.Job {
	j := optest.Job{Tops: tops}
	for _, in := range ins {
		j.Drivers = append(j.Drivers, exec.Driver{Source: in, Sink: sink()})
	}
	return j
}

// faultTable has a column of each kind of layout.
func faultTable(r *rand.Rand, n, distinct int) optest.Table {
	return optest.Random(r, []types.Type{bigint, bigint, text, types.ArrayOf(text), types.DecimalOf(30, 2)}, n, distinct, 10)
}

// seeded returns a source of randomness whose seed is in the test's log.
func seeded(t *testing.T) *rand.Rand {
	seed := rand.Uint64()
	t.Logf("table seed %d", seed)
	return rand.New(rand.NewPCG(seed, 77))
}

// mostRuns bounds how often Faults runs a job in each way.
const mostRuns = 24

func TestFaultsOfOperatorsOfOneInput(t *testing.T) {
	r := seeded(t)
	tab := faultTable(r, 120, 40)
	spec := &SortSpec{Input: tab.Types, Keys: []SortColumn{{Column: 2}, {Column: 0, Descending: true}}}
	str := &expr.Column{ID: 2, Typ: text}
	fixed := func(s string) expr.Expr { return &expr.Const{Value: s, Typ: text} }
	upper := scalar("upper", text, str)
	joined := scalar("concat", text, scalar("replace", text, str, fixed("some"), fixed("this or that")), fixed("the end of a string"), scalar("reverse", text, fixed("a constant to fold, long enough")))
	both := &expr.Form{Op: expr.Or, Typ: boolean, Args: []expr.Expr{compare(function.OpLt, 0, 1), scalar(function.OpLike, boolean, upper, fixed("%SOME%"))}}
	for name, make := range map[string]func(c *optest.Case) exec.Operator{
		"filter": func(c *optest.Case) exec.Operator {
			return made(NewFilter(faultEnv(c), c.Inputs[0], both))(c.Inputs[0])
		},
		"project": func(c *optest.Case) exec.Operator {
			return made(NewProject(faultEnv(c), c.Inputs[0], []expr.Expr{upper, both, joined}))(c.Inputs[0])
		},
		"limit":  func(c *optest.Case) exec.Operator { return NewLimit(c.Inputs[0], NewLimiter(50, 11)) },
		"select": func(c *optest.Case) exec.Operator { return NewSelect(c.Inputs[0], []int{3, 1}) },
		"unique id": func(c *optest.Case) exec.Operator {
			return NewUniqueID(faultEnv(c), c.Inputs[0], NewCounter(3))
		},
		"unnest": func(c *optest.Case) exec.Operator {
			return NewUnnest(faultEnv(c), c.Inputs[0], tab.Types, UnnestSpec{Replicate: []int{0, 2}, Exprs: []int{3}, Ordinality: true, Outer: true})
		},
		"mark distinct": func(c *optest.Case) exec.Operator {
			return NewMarkDistinct(faultEnv(c), tab.Types, []int{2, 0}).Operator(c.Inputs[0])
		},
		"row number": func(c *optest.Case) exec.Operator {
			return NewRowNumber(faultEnv(c), tab.Types, []int{2}, 2).Operator(c.Inputs[0])
		},
		"row number of all": func(c *optest.Case) exec.Operator {
			return NewRowNumber(faultEnv(c), tab.Types, nil, -1).Operator(c.Inputs[0])
		},
		"merge": func(c *optest.Case) exec.Operator { return NewMerge(faultEnv(c), c.Split(0, 1), spec) },
	} {
		t.Run(name, func(t *testing.T) {
			optest.Faults(t, []optest.Table{tab}, mostRuns, func(c *optest.Case) optest.Job { return alone(make(c)) })
		})
	}
}

func TestFaultsOfValuesConcatAndSingleRow(t *testing.T) {
	tab := faultTable(seeded(t), 40, 20)
	one := optest.Table{Types: tab.Types, Rows: tab.Rows[:1]}
	values := [][]expr.Expr{{&expr.Const{Value: "a string of some length", Typ: text}}, {&expr.Const{Typ: text}}}
	for name, make := range map[string]func(c *optest.Case) exec.Operator{
		"values":     func(c *optest.Case) exec.Operator { return NewValues(faultEnv(c), []types.Type{text}, values) },
		"concat":     func(c *optest.Case) exec.Operator { return NewConcat(append(c.Split(0, 2), c.Inputs[1])) },
		"single row": func(c *optest.Case) exec.Operator { return NewSingleRow(faultEnv(c), c.Inputs[1], tab.Types) },
		"no row": func(c *optest.Case) exec.Operator {
			return NewSingleRow(faultEnv(c), NewLimit(c.Inputs[0], NewLimiter(0, 0)), tab.Types)
		},
	} {
		t.Run(name, func(t *testing.T) {
			optest.Faults(t, []optest.Table{tab, one}, mostRuns, func(c *optest.Case) optest.Job { return alone(make(c)) })
		})
	}
}

// TestFaultsOfMergesAndSharedOperators runs those that drivers share.
func TestFaultsOfMergesAndSharedOperators(t *testing.T) {
	tab := faultTable(seeded(t), 120, 40)
	keys := []SortColumn{{Column: 2}, {Column: 0, Descending: true}}
	spec := &SortSpec{Input: tab.Types, Keys: keys}
	sorted := optest.Table{Types: tab.Types, Rows: naiveSort(keys, tab.Rows)}
	each := func(c *optest.Case, make func(in exec.Operator) exec.Operator) optest.Job {
		j := optest.Job{Loose: true}
		for _, in := range c.Split(0, 3) {
			j.Tops = append(j.Tops, make(in))
		}
		return j
	}
	for name, build := range map[string]func(c *optest.Case) optest.Job{
		"merge": func(c *optest.Case) optest.Job { return alone(NewMerge(faultEnv(c), c.Split(0, 3), spec)) },
		"mark distinct": func(c *optest.Case) optest.Job {
			return each(c, NewMarkDistinct(faultEnv(c), tab.Types, []int{2}).Operator)
		},
		"row number": func(c *optest.Case) optest.Job {
			return each(c, NewRowNumber(faultEnv(c), tab.Types, []int{2, 4}, -1).Operator)
		},
		"limit": func(c *optest.Case) optest.Job {
			l := NewLimiter(50, 20)
			return each(c, func(in exec.Operator) exec.Operator { return NewLimit(in, l) })
		},
	} {
		t.Run(name, func(t *testing.T) { optest.Faults(t, []optest.Table{sorted}, mostRuns, build) })
	}
}

func TestFaultsOfSorts(t *testing.T) {
	r := seeded(t)
	for size, n := range map[string]int{"small": 150, "large": 3000} {
		tab := faultTable(r, n, n)
		spec := &SortSpec{Input: tab.Types, Keys: []SortColumn{{Column: 2}, {Column: 4}, {Column: 0}, {Column: 1}}}
		for name, make := range map[string]func(c *optest.Case) *Sort{
			"sort":   func(c *optest.Case) *Sort { return NewSort(faultEnv(c), spec) },
			"top 20": func(c *optest.Case) *Sort { return NewTopN(faultEnv(c), spec, 20) },
			"top 0":  func(c *optest.Case) *Sort { return NewTopN(faultEnv(c), spec, 0) },
		} {
			t.Run(size+" "+name, func(t *testing.T) {
				optest.Faults(t, []optest.Table{tab}, mostRuns*150/n+4, func(c *optest.Case) optest.Job {
					s := make(c)
					j := sunk(c.Split(0, 2), s.Sink, s.Source())
					j.Loose = true // rows that are equal in all keys may differ in the array
					return j
				})
			})
		}
	}
}

// faultCalls are aggregates of every way to keep a state whose result does not
// depend on the order of rows.
func faultCalls(t testing.TB, ts []types.Type) []AggCall {
	distinct := call(t, ts, "count", 2)
	distinct.Distinct = true
	sums := call(t, ts, "sum", 1)
	sums.Distinct = true
	return []AggCall{
		{Fn: sure(function.ResolveAggregate("count", nil)), Filter: -1},
		call(t, ts, "sum", 1), call(t, ts, "avg", 4), call(t, ts, "min", 2), call(t, ts, "max", 4),
		call(t, ts, "max", 3), call(t, ts, "approx_distinct", 2), call(t, ts, "bitwise_xor_agg", 0), distinct, sums,
	}
}

func TestFaultsOfAggregations(t *testing.T) {
	r := seeded(t)
	tab := faultTable(r, 150, 40)
	ordered := call(t, tab.Types, "array_agg", 2)
	ordered.OrderBy = []SortColumn{{Column: 0}, {Column: 2}}
	all := append(faultCalls(t, tab.Types), ordered)
	for name, keys := range map[string][]int{"no keys": nil, "bigint": {0}, "string": {2}, "several": {0, 2, 4}, "nested": {3}} {
		for _, width := range []int{1, 3} {
			t.Run(fmt.Sprint(name, " ", width), func(t *testing.T) {
				spec := &AggSpec{Input: tab.Types, Keys: keys, Aggs: all}
				optest.Faults(t, []optest.Table{tab}, mostRuns, func(c *optest.Case) optest.Job {
					a := sure(NewAggregation(faultEnv(c), spec))
					j := optest.Job{}
					for range width {
						j.Tops = append(j.Tops, a.Source())
					}
					return sunk(c.Split(0, width), a.Sink, j.Tops...)
				})
			})
		}
	}
}

func TestFaultsOfTwoStepAggregations(t *testing.T) {
	tab := faultTable(seeded(t), 150, 40)
	for name, keys := range map[string][]int{"no keys": nil, "bigint": {0}, "several": {0, 2, 4}} {
		for _, pass := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " ", pass), func(t *testing.T) {
				partial, final := twoSteps(&AggSpec{Input: tab.Types, Keys: keys, Aggs: faultCalls(t, tab.Types)[:8]})
				partial.PassThrough = pass
				optest.Faults(t, []optest.Table{tab}, mostRuns, func(c *optest.Case) optest.Job {
					ins := c.Split(0, 2)
					for i, in := range ins {
						ins[i] = sure(NewPartialAggregation(faultEnv(c), in, partial))
					}
					a := sure(NewAggregation(faultEnv(c), final))
					return sunk(ins, a.Sink, a.Source(), a.Source())
				})
			})
		}
	}
}

// TestFaultsOfAccumulators runs each aggregate alone.
func TestFaultsOfAccumulators(t *testing.T) {
	ts := []types.Type{bigint, types.Of(types.Double), text, boolean, types.Of(types.Real), types.DecimalOf(12, 2), types.DecimalOf(30, 2), types.ArrayOf(bigint)}
	tab := optest.Random(seeded(t), ts, 100, 30, 10)
	for _, a := range []AggCall{
		call(t, ts, "sum", 1), call(t, ts, "avg", 0), call(t, ts, "avg", 5), call(t, ts, "avg", 6), call(t, ts, "sum", 6), call(t, ts, "sum", 4),
		call(t, ts, "min", 1), call(t, ts, "max", 2), call(t, ts, "min", 7), call(t, ts, "min_by", 2, 0), call(t, ts, "max_by", 7, 2),
		call(t, ts, "array_agg", 2), call(t, ts, "array_agg", 7), call(t, ts, "bool_and", 3), call(t, ts, "count_if", 3),
		call(t, ts, "stddev", 1), call(t, ts, "corr", 1, 1), call(t, ts, "approx_distinct", 2), call(t, ts, "skewness", 1), call(t, ts, "geometric_mean", 1),
		call(t, ts, "arbitrary", 2), call(t, ts, "any_value", 7), call(t, ts, "kurtosis", 1),
	} {
		t.Run(fmt.Sprint(a.Fn.Name, a.Args), func(t *testing.T) {
			spec := &AggSpec{Input: ts, Keys: []int{3}, Aggs: []AggCall{a}}
			optest.Faults(t, []optest.Table{tab}, 10, func(c *optest.Case) optest.Job {
				x := sure(NewAggregation(faultEnv(c), spec))
				j := sunk(c.Split(0, 2), x.Sink, x.Source())
				j.Loose = true // collections have the rows' order, floats their sums'
				return j
			})
		})
	}
}

// joinSpecs are the joins that faults are tried on, by name.
func joinSpecs(l, r optest.Table) map[string]JoinSpec {
	out := map[string]JoinSpec{}
	add := func(name string, kind plan.JoinKind, filter bool, keys ...int) {
		s := JoinSpec{Kind: kind, Left: l.Types, Right: r.Types, LeftKeys: keys, RightKeys: keys}
		if filter {
			s.Filter = &expr.Form{Op: expr.Or, Typ: boolean, Args: []expr.Expr{
				compare(function.OpLt, 1, len(s.Left)+1), scalar(function.OpLike, boolean, &expr.Column{ID: 2, Typ: text}, &expr.Const{Value: "%length 1%", Typ: text})}}
			name += " filtered"
		}
		s.Out = outOf(s)
		out[name] = s
	}
	for name, kind := range joinKinds {
		add(name+" by bigint", kind, false, 0)
		add(name+" by string", kind, true, 2)
		if kind != plan.NullAwareAntiJoin {
			add(name+" by two", kind, false, 2, 0)
			add(name+" of all", kind, true)
		}
	}
	in := out["mark by bigint"]
	in.NullAware = true
	out["null-aware mark by bigint"] = in
	return out
}

func TestFaultsOfJoins(t *testing.T) {
	r := seeded(t)
	left, right := faultTable(r, 80, 30), faultTable(r, 60, 30)
	for name, spec := range joinSpecs(left, right) {
		spec.Dynamic = []JoinFilter{{ID: 1, Column: 0}, {ID: 2, Column: 2}}
		for _, width := range []int{1, 2} {
			t.Run(fmt.Sprint(name, " ", width), func(t *testing.T) {
				optest.Faults(t, []optest.Table{left, right}, 10, func(c *optest.Case) optest.Job {
					j := NewJoin(faultEnv(c), spec, published{}, width, width)
					var tops []exec.Operator
					for _, in := range c.Split(0, width) {
						p, err := j.Probe(in)
						if err != nil { // then nothing of it runs
							return alone(optest.Made[exec.Operator](nil, err, append(tops, in)...))
						}
						tops = append(tops, p)
					}
					return sunk(c.Split(1, width), j.Build, tops...)
				})
			})
		}
	}
}

// large are forms for inputs of so many rows that few runs must do.
func large() []optest.Form { return []optest.Form{{BatchRows: 5000}} }

// TestFaultsOfLargeJoins has build sides of several chunks a driver, and keys
// that a dynamic filter does not list one by one.
func TestFaultsOfLargeJoins(t *testing.T) {
	r := seeded(t)
	ts := []types.Type{bigint, text}
	left, right := optest.Random(r, ts, 500, 1<<40, 3), optest.Random(r, ts, chunkRows*2+9000, 1<<40, 3)
	for _, key := range []int{0, 1} {
		spec := JoinSpec{Kind: plan.FullJoin, Left: ts, Right: ts, LeftKeys: []int{key}, RightKeys: []int{key}, Dynamic: []JoinFilter{{ID: 1, Column: key}}}
		spec.Out = outOf(spec)[:2]
		optest.FaultsIn(t, large(), []optest.Table{left, right}, 6, func(c *optest.Case) optest.Job {
			j := NewJoin(&Env{Account: c.Account, Stats: &exec.OperatorStats{}}, spec, published{}, 2, 2)
			var tops []exec.Operator
			for _, in := range c.Split(0, 2) {
				tops = append(tops, made(j.Probe(in))(in))
			}
			return sunk(c.Split(1, 2), j.Build, tops...)
		})
	}
}

// TestFaultsOfLargeAggregations merges so many groups that sources share them
// by partition, and puts out partial tables that grew too large.
func TestFaultsOfLargeAggregations(t *testing.T) {
	r := seeded(t)
	ts := []types.Type{bigint, bigint, text}
	tab := optest.Random(r, ts, 40_000, 1<<40, 3)
	for _, keys := range [][]int{{0}, {2, 0}} {
		spec := &AggSpec{Input: ts, Keys: keys, Aggs: []AggCall{call(t, ts, "sum", 1), call(t, ts, "max", 2), call(t, ts, "approx_distinct", 1)}}
		partial, final := twoSteps(spec)
		optest.FaultsIn(t, large(), []optest.Table{tab}, 6, func(c *optest.Case) optest.Job {
			ins := c.Split(0, 2)
			for i, in := range ins {
				ins[i] = made(NewPartialAggregation(&Env{Account: c.Account}, in, partial))(in)
			}
			a := sure(NewAggregation(&Env{Account: c.Account}, final))
			return sunk(ins, a.Sink, a.Source(), a.Source())
		})
	}
}

// TestFaultsOfScans has inputs that take memory of the scan's account.
func TestFaultsOfScans(t *testing.T) {
	tab := faultTable(seeded(t), 60, 30)
	optest.Faults(t, []optest.Table{tab}, mostRuns, func(c *optest.Case) optest.Job {
		f := &fakeScan{table: tab, splits: 4}
		j := optest.Job{}
		for range 2 {
			cfg := &ScanConfig{Env: *faultEnv(c), Spec: &connectors.Scan{}, Catalogs: f, Splits: f, Dynamic: f}
			j.Tops = append(j.Tops, NewScan(cfg))
		}
		return j
	})
}

// keptOutput is an exchange that keeps nothing.
type keptOutput struct{ parts int }

func (o keptOutput) Partitions() int                                 { return o.parts }
func (o keptOutput) Wanted() bool                                    { return true }
func (o keptOutput) Write(context.Context, int, *vector.Batch) error { return nil }

func TestFaultsOfOutputsAndWrites(t *testing.T) {
	tab := faultTable(seeded(t), 60, 30)
	optest.Faults(t, []optest.Table{tab}, mostRuns, func(c *optest.Case) optest.Job {
		sink := func() exec.Sink { return NewOutput(faultEnv(c), keptOutput{5}, plan.Hash, []int{0, 2}) }
		return sunk(c.Split(0, 2), sink)
	})
	optest.Faults(t, []optest.Table{tab}, mostRuns, func(c *optest.Case) optest.Job {
		w := &fakeWriter{}
		return alone(&committed{NewWrite(faultEnv(c), c.Inputs[0], w, WriteSpec{Cols: []int{2, 1}}), t, w})
	})
}

// committed checks that a write commits if and only if it does not fail.
type committed struct {
	*Write
	t *testing.T
	w *fakeWriter
}

func (c *committed) Next(ctx context.Context) (*vector.Batch, error) {
	b, err := c.Write.Next(ctx)
	if done := slices.Contains(c.w.log, "commit"); done != (err == nil) {
		c.t.Errorf("committed: %v, error: %v", done, err)
	}
	return b, err
}

// TestSiblingsOfAFailedLookUp have one driver refused memory in the middle of a
// batch, at each point, and let another look at what that has left behind.
func TestSiblingsOfAFailedLookUp(t *testing.T) {
	ts := []types.Type{text, bigint}
	tab := optest.Table{Types: ts}
	for i := range 400 { // long strings, on the heap
		tab.Rows = append(tab.Rows, []any{fmt.Sprintf("a string that is too long for a view: %d", i%300), int64(i)})
	}
	for name, share := range map[string]func(env *Env) func(in exec.Operator) exec.Operator{
		"mark distinct": func(env *Env) func(in exec.Operator) exec.Operator {
			return NewMarkDistinct(env, ts, []int{0}).Operator
		},
		"row number": func(env *Env) func(in exec.Operator) exec.Operator {
			return NewRowNumber(env, ts, []int{0, 1}, -1).Operator
		},
	} {
		refusals := 0
		for n := 1; n == refusals+1; n++ {
			root := optest.NewAccount(t)
			asked := 0
			account := root.Child("refusing", 0)
			account.Refuse = func(int64) bool { asked++; return asked == n }
			make := share(&Env{Account: account})
			form := optest.Form{BatchRows: 200}
			one, two := make(optest.NewSource(root, tab, form)), make(optest.NewSource(root, tab, form))
			_, err := one.Next(context.Background())
			if err == nil {
				_, err = one.Next(context.Background())
			}
			if err != nil {
				refusals++
			}
			for range 2 {
				if b, e := two.Next(context.Background()); e == nil && b == nil {
					t.Errorf("%s, request %d: neither rows nor an error", name, n)
				}
			}
			for _, o := range []exec.Operator{one, two} {
				if err := o.Close(); err != nil {
					t.Error(err)
				}
			}
		}
		if refusals < 5 {
			t.Errorf("%s: only %d refusals", name, refusals)
		}
	}
}
