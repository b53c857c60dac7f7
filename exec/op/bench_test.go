package op

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/types"
)

// window is an operator over columns in memory, lending windows of them.
type window struct {
	cols    []*vector.Vector
	at, end int
	out     vector.Batch
	vecs    []vector.Vector
}

func newWindow(cols []*vector.Vector, from, to int) *window {
	s := &window{cols: cols, at: from, end: to, vecs: make([]vector.Vector, len(cols))}
	for i := range s.vecs {
		s.out.Cols = append(s.out.Cols, &s.vecs[i])
	}
	return s
}

func (s *window) Next(context.Context) (*vector.Batch, error) {
	n := min(vector.DefaultRows, s.end-s.at)
	if n <= 0 {
		return nil, nil
	}
	for i, c := range s.cols {
		w := c.Type.Physical().Width()
		s.vecs[i] = vector.Vector{Type: c.Type, N: n, Data: c.Data[s.at*w : (s.at+n)*w], Heap: c.Heap}
	}
	s.at += n
	s.out.N = n
	return &s.out, nil
}

func (s *window) Close() error { return nil }

func longs(n int, f func(i int) int64) *vector.Vector {
	vals := make([]int64, n)
	for i := range vals {
		vals[i] = f(i)
	}
	return &vector.Vector{Type: types.Of(types.BigInt), N: n, Data: vector.AsBytes(vals)}
}

// parts cuts n rows into one range for each of k drivers.
func parts(n, k int, f func(i, from, to int)) {
	for i := range k {
		f(i, n*i/k, n*(i+1)/k)
	}
}

// BenchmarkJoin is lineitem ⋈ orders in size: 6 M rows probe 1.5 M, both with
// one more column. It reports the time a probe row.
func BenchmarkJoin(b *testing.B) {
	const builds, probes = 1_500_000, 6_000_000
	key := func(i int) int64 { return int64(i/8*32 + i%8) } // as dbgen numbers orders
	mixed := func(k int64) int64 { return k * 0x5851F42D4C957F2D }
	r := rand.New(rand.NewPCG(1, 2))
	orders := make([]int, builds)
	for i := range orders {
		orders[i] = i
	}
	r.Shuffle(builds, func(i, j int) { orders[i], orders[j] = orders[j], orders[i] })
	payload := longs(probes, func(i int) int64 { return int64(i) })
	for _, bc := range []struct {
		name        string
		build, from *vector.Vector
		kind        plan.JoinKind
	}{
		{"dense ordered", longs(builds, key), longs(probes, func(i int) int64 { return key(i / 4) }), plan.InnerJoin},
		{"dense random", longs(builds, key), longs(probes, func(i int) int64 { return key(orders[i%builds]) }), plan.InnerJoin},
		{"hashed random", longs(builds, func(i int) int64 { return mixed(key(i)) }), longs(probes, func(i int) int64 { return mixed(key(orders[i%builds])) }), plan.InnerJoin},
		{"hashed tenth matches", longs(builds, func(i int) int64 { return mixed(key(i)) }), longs(probes, func(i int) int64 { return mixed(int64(r.IntN(builds * 40))) }), plan.InnerJoin},
		{"four matches each", longs(builds, func(i int) int64 { return mixed(int64(i / 4)) }), longs(probes, func(i int) int64 { return mixed(int64(orders[i%builds])) }), plan.InnerJoin},
		{"semi", longs(builds, func(i int) int64 { return mixed(int64(i / 4)) }), longs(probes, func(i int) int64 { return mixed(int64(orders[i%builds])) }), plan.SemiJoin},
	} {
		for _, drivers := range []int{1, 2} {
			b.Run(fmt.Sprintf("%s/drivers=%d", bc.name, drivers), func(b *testing.B) {
				account := mem.NewRoot("bench", 0, mem.NewPool())
				s := JoinSpec{
					Kind: bc.kind, Left: []types.Type{bigint, bigint}, Right: []types.Type{bigint, bigint},
					LeftKeys: []int{0}, RightKeys: []int{0}, Out: []int{0, 1, 3},
				}
				if bc.kind == plan.SemiJoin {
					s.Out = s.Out[:2]
				}
				for b.Loop() {
					benchJoin(b, account, s, []*vector.Vector{bc.build, payload}, builds, []*vector.Vector{bc.from, payload}, probes, drivers)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/probes, "ns/probe")
			})
		}
	}
}

func benchJoin(b *testing.B, account *mem.Account, s JoinSpec, right []*vector.Vector, builds int, left []*vector.Vector, probes, drivers int) {
	j := NewJoin(&Env{Account: account, Stats: &exec.OperatorStats{}}, s, nil, drivers, drivers)
	var wg sync.WaitGroup
	run := func(o exec.Operator, sink exec.Sink) {
		wg.Go(func() {
			for {
				batch, err := o.Next(context.Background())
				if err != nil {
					b.Error(err)
				}
				if batch == nil {
					break
				}
				if sink != nil {
					if _, err := sink.Add(context.Background(), batch); err != nil {
						b.Error(err)
					}
				}
			}
			if sink != nil {
				if err := sink.Finish(context.Background()); err != nil {
					b.Error(err)
				}
				sink.Close()
			}
			o.Close()
		})
	}
	parts(builds, drivers, func(_, from, to int) { run(newWindow(right, from, to), j.Build()) })
	parts(probes, drivers, func(_, from, to int) {
		p, err := j.Probe(newWindow(left, from, to))
		if err != nil {
			b.Fatal(err)
		}
		run(p, nil)
	})
	wg.Wait()
}

// sinkhole is an exchange that forgets.
type sinkhole struct{ parts int }

func (s *sinkhole) Partitions() int { return s.parts }
func (s *sinkhole) Wanted() bool    { return true }
func (s *sinkhole) Write(context.Context, int, *vector.Batch) error {
	return nil
}

func BenchmarkOutputPartitioner(b *testing.B) {
	const n = 1_000_000
	cols := []*vector.Vector{longs(n, func(i int) int64 { return int64(i) * 7919 }), longs(n, func(i int) int64 { return int64(i) })}
	for _, parts := range []int{2, 16, 200} {
		b.Run(fmt.Sprintf("partitions=%d", parts), func(b *testing.B) {
			o := NewOutput(&Env{}, &sinkhole{parts: parts}, plan.Hash, []int{0})
			for b.Loop() {
				in := newWindow(cols, 0, n)
				for {
					batch, _ := in.Next(context.Background())
					if batch == nil {
						break
					}
					if _, err := o.Add(context.Background(), batch); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/row")
		})
	}
}
