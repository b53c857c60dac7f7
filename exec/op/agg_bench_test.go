package op

import (
	"context"
	"math/rand/v2"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// benchBatches are batches that a benchmark shows to an operator over and
// over.
type benchBatches struct {
	batches []*vector.Batch
	at, n   int
}

func (s *benchBatches) Next(context.Context) (*vector.Batch, error) {
	if s.at == s.n {
		return nil, nil
	}
	s.at++
	return s.batches[(s.at-1)%len(s.batches)], nil
}

func (s *benchBatches) Close() error { return nil }

func (s *benchBatches) rewind() exec.Operator {
	s.at = 0
	return s
}

func flatColumn[T vector.Fixed](t types.Type, n int, value func(i int) T) *vector.Vector {
	vals := make([]T, n)
	for i := range vals {
		vals[i] = value(i)
	}
	return &vector.Vector{Type: t, N: n, Data: vector.AsBytes(vals)}
}

const benchRows = 6 << 20

// benchQ1 makes batches like those that TPC-H's first query groups: two flags
// of one letter, four decimal columns and two decimals computed from them.
func benchQ1(flags func(letters string) *vector.Vector) *benchBatches {
	r := rand.New(rand.NewPCG(1, 1))
	s := &benchBatches{n: benchRows / vector.DefaultRows}
	short, long := types.DecimalOf(15, 2), types.DecimalOf(38, 4)
	for range 50 {
		b := &vector.Batch{N: vector.DefaultRows}
		b.Cols = append(b.Cols, flags("ANNNRR"), flags("FFO"))
		for _, n := range []int64{5000, 10_000_000, 11, 9} {
			b.Cols = append(b.Cols, flatColumn(short, b.N, func(int) int64 { return r.Int64N(n) }))
		}
		for range 2 {
			b.Cols = append(b.Cols, flatColumn(long, b.N, func(int) types.Int128 { return types.Int128Of(r.Int64N(1e15)) }))
		}
		s.batches = append(s.batches, b)
	}
	return s
}

func q1Spec(b *testing.B, in *benchBatches) *AggSpec {
	var ts []types.Type
	for _, c := range in.batches[0].Cols {
		ts = append(ts, c.Type)
	}
	spec := &AggSpec{Input: ts, Keys: []int{0, 1}}
	for _, k := range []int{2, 3, 6, 7} {
		spec.Aggs = append(spec.Aggs, call(b, ts, "sum", k))
	}
	for _, k := range []int{2, 3, 4} {
		spec.Aggs = append(spec.Aggs, call(b, ts, "avg", k))
	}
	spec.Aggs = append(spec.Aggs, call(b, ts, "count"))
	return spec
}

func benchAggregate(b *testing.B, in *benchBatches, spec *AggSpec) {
	account := mem.NewRoot("bench", 0, mem.NewPool())
	b.ReportAllocs()
	defer reportCPU(b)()
	for b.Loop() {
		agg := sure(NewAggregation(&Env{Account: account}, spec))
		sink, source := agg.Sink(), agg.Source()
		benchDrive(b, in.rewind(), sink)
		benchDrain(b, source)
	}
}

// reportCPU reports the processor time that a benchmark takes a row, which on
// a busy machine says more than the time that passes.
func reportCPU(b *testing.B) func() {
	cpu := func() int64 {
		var u unix.Rusage
		if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return u.Utime.Nano() + u.Stime.Nano()
	}
	before := cpu()
	return func() { b.ReportMetric(float64(cpu()-before)/float64(b.N)/benchRows, "cpu-ns/row") }
}

func benchDrive(b *testing.B, in exec.Operator, sink exec.Sink) {
	ctx := context.Background()
	for {
		batch, err := in.Next(ctx)
		if err != nil {
			b.Fatal(err)
		}
		if batch == nil {
			break
		}
		if _, err := sink.Add(ctx, batch); err != nil {
			b.Fatal(err)
		}
	}
	if err := sink.Finish(ctx); err != nil {
		b.Fatal(err)
	}
	sink.Close()
}

func benchDrain(b *testing.B, o exec.Operator) {
	for {
		batch, err := o.Next(context.Background())
		if err != nil {
			b.Fatal(err)
		}
		if batch == nil {
			break
		}
	}
	o.Close()
}

// BenchmarkAggregateFewGroups is TPC-H's first query, aggregation alone.
func BenchmarkAggregateFewGroups(b *testing.B) {
	r := rand.New(rand.NewPCG(2, 2))
	letter := func(letters string) byte { return letters[r.IntN(len(letters))] }
	b.Run("flat", func(b *testing.B) {
		in := benchQ1(func(letters string) *vector.Vector {
			return flatColumn(text, vector.DefaultRows, func(int) vector.View {
				return vector.InlineView([]byte{letter(letters)})
			})
		})
		benchAggregate(b, in, q1Spec(b, in))
	})
	b.Run("dictionary", func(b *testing.B) {
		in := benchQ1(func(letters string) *vector.Vector {
			base := flatColumn(text, 3, func(i int) vector.View { return vector.InlineView([]byte{"ANRFO"[i]}) })
			v := &vector.Vector{Type: text, Enc: vector.Dict, N: vector.DefaultRows, Base: base}
			for range v.N {
				v.Idx = append(v.Idx, int32(r.IntN(len(letters)/2)))
			}
			return v
		})
		benchAggregate(b, in, q1Spec(b, in))
	})
}

// BenchmarkAggregateManyGroups groups by 1.5 million keys.
func BenchmarkAggregateManyGroups(b *testing.B) {
	const keys = 1_500_000
	r := rand.New(rand.NewPCG(3, 3))
	for name, key := range map[string]func(i int) int64{
		"close":  func(int) int64 { return r.Int64N(keys) },
		"sorted": func(i int) int64 { return int64(i) / 4 * 4 },
		"spread": func(int) int64 { return r.Int64N(keys) * 1_000_003 },
	} {
		b.Run(name, func(b *testing.B) {
			in := &benchBatches{n: benchRows / vector.DefaultRows}
			for at := range in.n {
				cols := []*vector.Vector{
					flatColumn(bigint, vector.DefaultRows, func(i int) int64 { return key(at*vector.DefaultRows + i) }),
					flatColumn(types.DecimalOf(15, 2), vector.DefaultRows, func(int) int64 { return r.Int64N(10000) }),
				}
				in.batches = append(in.batches, &vector.Batch{N: vector.DefaultRows, Cols: cols})
			}
			ts := []types.Type{bigint, types.DecimalOf(15, 2)}
			benchAggregate(b, in, &AggSpec{Input: ts, Keys: []int{0}, Aggs: []AggCall{call(b, ts, "sum", 1)}})
		})
	}
}

// BenchmarkAggregateStrings groups by an integer and a string of 20 bytes,
// 300,000 in all.
func BenchmarkAggregateStrings(b *testing.B) {
	r := rand.New(rand.NewPCG(4, 4))
	in := &benchBatches{n: benchRows / vector.DefaultRows}
	for range in.n {
		heap := make([]byte, 0, 20*vector.DefaultRows)
		ints := make([]int64, vector.DefaultRows)
		views := flatColumn(text, vector.DefaultRows, func(i int) vector.View {
			ints[i] = r.Int64N(300_000)
			for k := range 20 {
				heap = append(heap, byte('a'+ints[i]>>(k%16)&15))
			}
			return vector.HeapView(heap[20*i:], 0, 20*i)
		})
		for i := range vector.DefaultRows {
			v := &vector.Values[vector.View](views)[i]
			*v = vector.HeapView(heap[20*i:20*i+20], 0, 20*i)
		}
		views.Heap = [][]byte{heap}
		cols := []*vector.Vector{views, flatColumn(bigint, vector.DefaultRows, func(i int) int64 { return ints[i] })}
		in.batches = append(in.batches, &vector.Batch{N: vector.DefaultRows, Cols: cols})
	}
	ts := []types.Type{text, bigint}
	benchAggregate(b, in, &AggSpec{Input: ts, Keys: []int{0, 1}, Aggs: []AggCall{call(b, ts, "sum", 1)}})
}

// BenchmarkAggregateGlobal sums without keys.
func BenchmarkAggregateGlobal(b *testing.B) {
	r := rand.New(rand.NewPCG(5, 5))
	in := benchQ1(func(string) *vector.Vector {
		return flatColumn(bigint, vector.DefaultRows, func(int) int64 { return r.Int64() })
	})
	spec := q1Spec(b, in)
	spec.Keys = nil
	benchAggregate(b, in, spec)
}
