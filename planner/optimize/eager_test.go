package optimize_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tuttidb/tutti/planner/optimize"
	"github.com/tuttidb/tutti/planner/plan"
)

// TestEager groups early wherever the form of a query allows it, and compares
// the rows with those of the plan as it was built: all kinds of joins, either
// side, keys of either side, null keys, rows without a match, keys that match
// several times.
func TestEager(t *testing.T) {
	b := newBench(t, "tiny")
	const (
		many = "(SELECT nullif(l_suppkey, 3) k, l_linenumber n, l_quantity q, nullif(l_shipmode, 'AIR') m, l_tax x FROM lineitem WHERE l_suppkey < 60) f"
		few  = "(SELECT nullif(s_suppkey, 5) % 70 k, s_name s, s_nationkey c FROM supplier WHERE s_suppkey > 7) d"
		aggs = "count(*), count(m), sum(q), sum(n), min(q), max(m), bool_or(n > 5), every(x < 0.05)"
	)
	fired := 0
	for _, kind := range []string{"JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"} {
		for _, sides := range [][2]string{{many, few}, {few, many}} {
			for _, key := range []string{"s", "f.k", "d.k", "s, n", "c + n", "c, f.k IS NULL"} {
				for _, on := range []string{"f.k = d.k", "f.k = d.k AND c > n"} {
					sql := fmt.Sprintf("SELECT %s, %s FROM %s %s %s ON %s GROUP BY %s", key, aggs, sides[0], kind, sides[1], on, key)
					if equalEager(t, b, sql) {
						fired++
					}
				}
			}
		}
	}
	for _, in := range []string{"IN", "NOT IN"} {
		if equalEager(t, b, "SELECT k, "+aggs+" FROM "+many+" WHERE k IS NOT NULL AND k "+in+" (SELECT s_suppkey FROM supplier WHERE s_suppkey > 3) GROUP BY k") {
			fired++
		}
	}
	if fired < 20 {
		t.Errorf("grouped early in %d queries only", fired)
	}
}

// equalEager compares the rows of a query with and without optimizing, and
// reports whether it was grouped early.
func equalEager(t *testing.T, b *bench, sql string) bool {
	t.Helper()
	n, err := b.build(sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	want, err := b.answer(t, n, nil, true)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	opts := &optimize.Options{ReorderJoins: true, DynamicFilters: true, Tasks: 4, EagerRows: 1}
	got, err := b.answer(t, n, opts, false)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	o, err := optimize.Optimize(t.Context(), n, b, b, *opts)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s:\ngot %d rows %.300s\nwant %d rows %.300s\n%s", sql, len(got), got, len(want), want, plan.Format(o))
	}
	return strings.Count(plan.Format(o), "Aggregate[") > 1
}
