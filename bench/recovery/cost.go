package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/tuttidb/tutti/test/chaos"
	"github.com/tuttidb/tutti/test/slt"
	"github.com/tuttidb/tutti/test/tpch"
)

// sample is one run of a query.
type sample struct {
	wall, cpu time.Duration
}

// pair is a run with recovery and one without, one right after the other.
type pair struct{ task, none sample }

// cost measures pairs of all queries, round by round, and prints the ratios.
func cost(ctx context.Context, w *chaos.World, o options) error {
	queries, err := named(o.queries)
	if err != nil {
		return err
	}
	c, err := newComparison(w, fmt.Sprintf("sf%d", o.scale))
	if err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(o.seed, 0))
	pairs := make([][]pair, len(queries))
	for round := range o.pairs + 1 { // the first warms up
		for i, q := range queries {
			p, err := c.pair(ctx, q, rng.IntN(2) == 0)
			if err != nil {
				return fmt.Errorf("%s: %w", q.Name, err)
			}
			if round > 0 {
				pairs[i] = append(pairs[i], p)
			}
		}
		fmt.Fprintf(os.Stderr, "round %d of %d\n", round, o.pairs)
	}
	fmt.Printf("\n## With recovery against without, TPC-H SF %d, %d workers, %d interleaved pairs a query\n\n%s", o.scale, o.workers, o.pairs, costTable(queries, pairs, o.seed))
	return nil
}

// comparison has two sessions that differ in their retry policy.
type comparison struct {
	w          *chaos.World
	task, none *slt.Session
	answers    map[string][][]string
}

func newComparison(w *chaos.World, schema string) (*comparison, error) {
	c := &comparison{w: w, answers: map[string][][]string{}}
	for policy, into := range map[string]**slt.Session{"TASK": &c.task, "NONE": &c.none} {
		s, err := slt.NewSession(w.Cluster.URL, "folder", schema)
		if err != nil {
			return nil, err
		}
		if _, err := s.Query(context.Background(), "SET SESSION retry_policy = '"+policy+"'"); err != nil {
			return nil, err
		}
		*into = s
	}
	return c, nil
}

// pair runs a query both ways. The answers must be the same.
func (c *comparison) pair(ctx context.Context, q tpch.Query, taskFirst bool) (p pair, err error) {
	order := []*slt.Session{c.task, c.none}
	if !taskFirst {
		slices.Reverse(order)
	}
	for _, s := range order {
		took, err := c.once(ctx, s, q)
		if err != nil {
			return p, err
		}
		if s == c.task {
			p.task = took
		} else {
			p.none = took
		}
	}
	return p, nil
}

// once runs a query and measures the time until its last row, and the processor
// time of all nodes until shortly after, when its outputs are gone.
func (c *comparison) once(ctx context.Context, s *slt.Session, q tpch.Query) (sample, error) {
	before, began := c.cpu(), time.Now()
	res, err := s.Query(ctx, q.SQL)
	if err != nil {
		return sample{}, err
	}
	wall := time.Since(began)
	time.Sleep(20 * time.Millisecond)
	out := sample{wall: wall, cpu: c.cpu() - before}
	if want := c.answers[q.Name]; want == nil {
		c.answers[q.Name] = res.Rows
	} else if !sameRows(want, res.Rows) {
		return out, fmt.Errorf("two answers: %d rows and %d that differ", len(want), len(res.Rows))
	}
	return out, nil
}

// cpu is what all nodes have used.
func (c *comparison) cpu() time.Duration {
	total := c.w.Cluster.Coordinator.CPU()
	for _, p := range c.w.Cluster.Workers {
		total += p.CPU()
	}
	return total
}

func sameRows(a, b [][]string) bool {
	return slices.EqualFunc(a, b, func(x, y []string) bool { return slices.Equal(x, y) })
}

// costTable has a line for each query, and the geometric mean of all.
func costTable(queries []tpch.Query, pairs [][]pair, seed uint64) string {
	var b strings.Builder
	b.WriteString("| query | wall TASK / NONE (ms, medians) | wall ratio (10 % to 90 %) | cpu TASK / NONE (ms, medians) | cpu ratio (10 % to 90 %) |\n| --- | --- | --- | --- | --- |\n")
	var walls, cpus [][]float64
	for i, q := range queries {
		var tw, nw, tc, nc, wall, cpu []float64
		for _, p := range pairs[i] {
			tw, nw = append(tw, ms(p.task.wall)), append(nw, ms(p.none.wall))
			tc, nc = append(tc, ms(p.task.cpu)), append(nc, ms(p.none.cpu))
			wall, cpu = append(wall, ms(p.task.wall)/ms(p.none.wall)), append(cpu, ms(p.task.cpu)/ms(p.none.cpu))
		}
		walls, cpus = append(walls, wall), append(cpus, cpu)
		fmt.Fprintf(&b, "| %s | %.0f / %.0f | %s | %.0f / %.0f | %s |\n", q.Name, median(tw), median(nw), ratios(wall), median(tc), median(nc), ratios(cpu))
	}
	fmt.Fprintf(&b, "| **geometric mean** | | **%s** | | **%s** |\n", interval(walls, seed), interval(cpus, seed))
	return b.String()
}

func ms(d time.Duration) float64 { return max(float64(d.Microseconds())/1000, 0.001) }

// ratios is the geometric mean of some ratios, and their spread.
func ratios(r []float64) string {
	return fmt.Sprintf("%.3f (%.2f to %.2f)", geomean(r), quantile(r, 0.1), quantile(r, 0.9))
}

// interval is the geometric mean over queries of theirs, with the range in which
// it lies with a probability of 95 % (by drawing pairs anew, 1,000 times).
func interval(r [][]float64, seed uint64) string {
	rng := rand.New(rand.NewPCG(seed, 9))
	over := func(draw func([]float64) []float64) float64 {
		var means []float64
		for _, one := range r {
			means = append(means, geomean(draw(one)))
		}
		return geomean(means)
	}
	var means []float64
	for range 1000 {
		means = append(means, over(func(one []float64) []float64 {
			drawn := make([]float64, len(one))
			for i := range drawn {
				drawn[i] = one[rng.IntN(len(one))]
			}
			return drawn
		}))
	}
	return fmt.Sprintf("%.3f (95 %%: %.3f to %.3f)", over(func(one []float64) []float64 { return one }), quantile(means, 0.025), quantile(means, 0.975))
}
