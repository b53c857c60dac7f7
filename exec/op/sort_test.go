package op

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/op/optest"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// runSort sorts a case's input with the given number of drivers.
func runSort(c *optest.Case, s *Sort, drivers int) exec.Operator {
	l := &lanes{ops: []exec.Operator{s.Source()}}
	ins := c.Split(0, drivers)
	sinks := make([]exec.Sink, drivers)
	for i := range sinks {
		sinks[i] = s.Sink()
	}
	l.start = func(f *optest.Fleet) {
		for i, in := range ins {
			f.Start(in, sinks[i])
		}
	}
	return l
}

// naiveSort is what SQL says, by comparing values.
func naiveSort(keys []SortColumn, rows optest.Rows) optest.Rows {
	out := slices.Clone(rows)
	slices.SortStableFunc(out, func(a, b []any) int {
		for _, k := range keys {
			x, y := a[k.Column], b[k.Column]
			d := 0
			switch {
			case x == nil && y == nil:
			case x == nil || y == nil:
				d = 1
				if (x == nil) == k.NullsFirst {
					d = -1
				}
			default:
				d = compareAny(x, y)
				if k.Descending {
					d = -d
				}
			}
			if d != 0 {
				return d
			}
		}
		return 0
	})
	return out
}

// numbered adds a last column that makes rows unique, so that their order is.
func numbered(tab optest.Table) optest.Table {
	tab.Types = append(slices.Clone(tab.Types), bigint)
	for i := range tab.Rows {
		tab.Rows[i] = append(slices.Clone(tab.Rows[i]), int64(i))
	}
	return tab
}

func sortCases(r *rand.Rand) map[string][]SortColumn {
	last := len(aggTypes)
	cases := map[string][]SortColumn{
		"strings, dates": {{Column: 1}, {Column: 7, Descending: true}, {Column: last}},
		"bigint alone":   {{Column: last, Descending: true}},
		"wide first":     {{Column: 4, NullsFirst: true}, {Column: 0}, {Column: 10}, {Column: last}},
	}
	for k, t := range aggTypes {
		if t.Orderable() {
			c := SortColumn{Column: k, Descending: r.IntN(2) == 0, NullsFirst: r.IntN(2) == 0}
			cases[fmt.Sprintf("%s %v %v", t, c.Descending, c.NullsFirst)] = []SortColumn{c, {Column: last}}
		}
	}
	return cases
}

func TestSort(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	tab := numbered(optest.Random(r, aggTypes, 260, 40, 10))
	for name, keys := range sortCases(r) {
		spec := &SortSpec{Input: tab.Types, Keys: keys}
		want := naiveSort(keys, tab.Rows)
		for _, drivers := range []int{1, 3} {
			t.Run(fmt.Sprint(name, " ", drivers), func(t *testing.T) {
				optest.EachOrdered(t, []optest.Table{tab}, func(c *optest.Case) exec.Operator {
					return runSort(c, NewSort(testEnv(c), spec), drivers)
				}, want)
			})
		}
		for _, n := range []int{0, 10, 259, 5000} {
			t.Run(fmt.Sprint(name, " top ", n), func(t *testing.T) {
				optest.EachOrdered(t, []optest.Table{tab}, func(c *optest.Case) exec.Operator {
					return runSort(c, NewTopN(testEnv(c), spec, int64(n)), 2)
				}, want[:min(n, len(want))])
			})
		}
	}
}

// TestSortIsStable sees that rows with equal keys keep their order within a
// driver.
func TestSortIsStable(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	tab := numbered(optest.Random(r, []types.Type{types.Of(types.TinyInt), text}, 3000, 4, 10))
	for _, k := range []int{0, 1} {
		keys := []SortColumn{{Column: k}}
		optest.EachOrdered(t, []optest.Table{tab}, func(c *optest.Case) exec.Operator {
			return runSort(c, NewSort(testEnv(c), &SortSpec{Input: tab.Types, Keys: keys}), 1)
		}, naiveSort(keys, tab.Rows))
	}
}

func TestSortNothing(t *testing.T) {
	tab := optest.Table{Types: []types.Type{bigint}}
	optest.Each(t, []optest.Table{tab}, func(c *optest.Case) exec.Operator {
		return runSort(c, NewSort(testEnv(c), &SortSpec{Input: tab.Types, Keys: []SortColumn{{}}}), 2)
	}, nil)
}

// TestSortOfManyRows crosses chunks and goes through several rounds of radix.
func TestSortOfManyRows(t *testing.T) {
	const n = 140_000
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 3))
	ts := []types.Type{bigint, text, types.Of(types.Double), bigint}
	tab := optest.Table{Types: ts}
	for i := range n {
		k := r.Int64() >> r.IntN(64)
		f := float64(k) / 3
		if i%1000 == 0 {
			f = []float64{math.NaN(), math.Inf(1), math.Inf(-1)}[i/1000%3]
		}
		tab.Rows = append(tab.Rows, []any{k, "common prefix " + fmt.Sprint(k%5000), f, int64(i)})
	}
	for _, keys := range [][]SortColumn{
		{{Column: 0}, {Column: 3}},
		{{Column: 1, Descending: true}, {Column: 3}},
		{{Column: 2, Descending: true}, {Column: 3, Descending: true}},
	} {
		for _, top := range []int64{-1, 100, 20_000} {
			t.Run(fmt.Sprint(keys, top), func(t *testing.T) {
				account := optest.NewAccount(t)
				s := NewSort(&Env{Account: account}, &SortSpec{Input: ts, Keys: keys})
				if top >= 0 {
					s = NewTopN(&Env{Account: account}, s.spec, top)
				}
				sinks := []exec.Sink{s.Sink(), s.Sink()}
				source := s.Source()
				for i, sink := range sinks {
					part := optest.Table{Types: ts}
					for k := i; k < n; k += 2 {
						part.Rows = append(part.Rows, tab.Rows[k])
					}
					if err := optest.Drive(context.Background(), optest.NewSource(account, part, optest.Form{BatchRows: 7000}), sink); err != nil {
						t.Fatal(err)
					}
				}
				got, err := optest.Drain(source)
				if err != nil {
					t.Fatal(err)
				}
				checkSorted(t, keys, got, tab.Rows, top)
			})
		}
	}
}

// checkSorted checks that got is in order, unique and of the right length;
// with an order that is total it is then right if its last row is.
func checkSorted(t *testing.T, keys []SortColumn, got, all optest.Rows, top int64) {
	t.Helper()
	want := len(all)
	if top >= 0 {
		want = int(min(top, int64(want)))
	}
	if len(got) != want {
		t.Fatalf("%d rows, want %d", len(got), want)
	}
	before := func(a, b []any) int {
		for _, k := range keys {
			d := compareKeys(a[k.Column], b[k.Column])
			if k.Descending {
				d = -d
			}
			if d != 0 {
				return d
			}
		}
		return 0
	}
	for i := range got[1:] {
		if before(got[i], got[i+1]) >= 0 {
			t.Fatalf("row %d is %v, and %v follows", i, got[i], got[i+1])
		}
	}
	smaller := 0
	for _, r := range all {
		if before(r, got[len(got)-1]) <= 0 {
			smaller++
		}
	}
	if smaller != want {
		t.Fatalf("%d rows are up to the last, want %d", smaller, want)
	}
}

func compareKeys(a, b any) int {
	x, ok := a.(float64)
	if !ok {
		return compareAny(a, b)
	}
	y := b.(float64)
	switch {
	case x != x && y != y || x == y:
		return 0
	case x != x || x > y:
		return 1
	case y != y || x < y:
		return -1
	}
	return 0
}

func TestMerge(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 4))
	tab := numbered(optest.Random(r, aggTypes, 260, 20, 10))
	for name, keys := range sortCases(r) {
		spec := &SortSpec{Input: tab.Types, Keys: keys}
		want := naiveSort(keys, tab.Rows)
		sorted := optest.Table{Types: tab.Types, Rows: want}
		for _, n := range []int{1, 2, 5} {
			t.Run(fmt.Sprint(name, n), func(t *testing.T) {
				optest.EachOrdered(t, []optest.Table{sorted}, func(c *optest.Case) exec.Operator {
					return NewMerge(testEnv(c), c.Split(0, n), spec)
				}, want)
			})
		}
	}
	account := optest.NewAccount(t)
	if got, err := optest.Drain(NewMerge(&Env{Account: account}, nil, &SortSpec{})); got != nil || err != nil {
		t.Errorf("a merge of nothing gave %v, %v", got, err)
	}
}

// TestSortOfZonedTimes orders by instant, whatever the zone.
func TestSortOfZonedTimes(t *testing.T) {
	tab := optest.Tab([]types.Type{types.TimestampTZOf(3), bigint},
		types.Int128{Lo: 5, Hi: 2}, 1, types.Int128{Lo: 3, Hi: 9}, 2, types.Int128{Lo: ^uint64(0), Hi: 7}, 3, types.Int128{Lo: 5, Hi: 1}, 4)
	want := optest.Rows{tab.Rows[2], tab.Rows[1], tab.Rows[0], tab.Rows[3]}
	spec := &SortSpec{Input: tab.Types, Keys: []SortColumn{{Column: 0}, {Column: 1}}}
	optest.EachOrdered(t, []optest.Table{tab}, func(c *optest.Case) exec.Operator {
		return runSort(c, NewSort(testEnv(c), spec), 2)
	}, want)
}

func TestSortWithinLimit(t *testing.T) {
	pool := mem.NewPool()
	account := mem.NewRoot("small", 200<<10, pool)
	tab := optest.Random(rand.New(rand.NewPCG(5, 5)), []types.Type{bigint, text}, 20_000, 1<<40, 0)
	s := NewSort(&Env{Account: account}, &SortSpec{Input: tab.Types, Keys: []SortColumn{{}}})
	sink, source := s.Sink(), s.Source()
	err := optest.Drive(context.Background(), optest.NewSource(account, tab, optest.Form{BatchRows: 500}), sink)
	if err == nil || !strings.Contains(err.Error(), "memory limit") {
		t.Errorf("error %v", err)
	}
	source.Close()
	optest.CheckLeaks(t, pool, account)
}

// BenchmarkSort sorts rows by one bigint, one short string, or two columns.
func BenchmarkSort(b *testing.B) {
	r := rand.New(rand.NewPCG(6, 6))
	ts := []types.Type{bigint, text, types.Of(types.Date)}
	in := &benchBatches{n: benchRows / vector.DefaultRows}
	for range in.n {
		batch := &vector.Batch{N: vector.DefaultRows, Cols: []*vector.Vector{
			flatColumn(bigint, vector.DefaultRows, func(int) int64 { return r.Int64() }),
			flatColumn(text, vector.DefaultRows, func(int) vector.View { return vector.InlineView(fmt.Append(nil, r.Int32())) }),
			flatColumn(types.Of(types.Date), vector.DefaultRows, func(int) int32 { return r.Int32N(2500) }),
		}}
		in.batches = append(in.batches, batch)
	}
	for name, keys := range map[string][]SortColumn{
		"bigint":      {{Column: 0}},
		"string":      {{Column: 1}},
		"date bigint": {{Column: 2}, {Column: 0}},
	} {
		spec := &SortSpec{Input: ts, Keys: keys}
		b.Run(name, func(b *testing.B) { benchSort(b, in, spec, -1) })
		b.Run(name+" top 100", func(b *testing.B) { benchSort(b, in, spec, 100) })
	}
}

func benchSort(b *testing.B, in *benchBatches, spec *SortSpec, top int64) {
	account := mem.NewRoot("bench", 0, mem.NewPool())
	defer reportCPU(b)()
	for b.Loop() {
		s := NewSort(&Env{Account: account}, spec)
		if top >= 0 {
			s = NewTopN(&Env{Account: account}, spec, top)
		}
		sink, source := s.Sink(), s.Source()
		benchDrive(b, in.rewind(), sink)
		benchDrain(b, source)
	}
}
