package optimize_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tuttidb/tutti/connectors/tpch"
	"github.com/tuttidb/tutti/planner/plan"
	tpchtest "github.com/tuttidb/tutti/test/tpch"
)

// TestAnswers runs the 22 queries' plans and compares the rows, with full
// statistics and with those of footers.
func TestAnswers(t *testing.T) {
	for _, name := range []string{"full", "footers", "cluster"} {
		b := newBench(t, "tiny")
		b.oneTask = name != "cluster"
		if name == "footers" {
			b.conn = footers{b.conn.(*tpch.Connector)}
		}
		for _, q := range tpchtest.Queries() {
			t.Run(name+"/"+q.Name, func(t *testing.T) {
				want, err := tpchtest.Load(tpchtest.Tiny, q.Name)
				if err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				p := b.distributed(t, q.SQL)
				planned := time.Since(start)
				rows, err := b.run(t, p)
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("planned in %v, run in %v", planned.Round(time.Microsecond), (time.Since(start) - planned).Round(time.Millisecond))
				if err := want.Check(rows); err != nil {
					t.Errorf("%v\n%s", err, plan.FormatPlan(p, nil))
				}
			})
		}
	}
}

// TestPlans compares the plans of the 22 queries at scale 1 with those
// recorded, with full statistics and with those of footers.
func TestPlans(t *testing.T) {
	b := newBench(t, "sf1")
	var logical, distributed, lake strings.Builder
	for _, q := range tpchtest.Queries() {
		logical.WriteString("== " + q.Name + "\n\n" + brief(b.logical(t, q.SQL)) + "\n")
		distributed.WriteString("== " + q.Name + "\n\n" + plan.FormatPlan(b.distributed(t, q.SQL), nil) + "\n")
	}
	b.conn = footers{b.conn.(*tpch.Connector)}
	for _, q := range tpchtest.Queries() {
		lake.WriteString("== " + q.Name + "\n\n" + brief(b.logical(t, q.SQL)) + "\n")
	}
	golden(t, "tpch_logical.txt", logical.String())
	golden(t, "tpch_distributed.txt", distributed.String())
	golden(t, "tpch_footers.txt", lake.String())
}

// brief prints a plan without the lists of output columns.
func brief(n plan.Node) string {
	lines := strings.Split(plan.Format(n), "\n")
	for i, l := range lines {
		if head, tail, ok := strings.Cut(l, " => ["); ok {
			_, est, _ := strings.Cut(tail, "]")
			lines[i] = head + est
		}
	}
	return strings.Join(slices.Clone(lines), "\n")
}
