package optimize_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// list prints n things, numbered from 0.
func list(n int, separator, format string) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = strings.ReplaceAll(format, "%", fmt.Sprint(i))
	}
	return strings.Join(parts, separator)
}

// TestGrowth plans queries of one shape in two sizes, the second twice the
// first. The work, told by the bytes allocated and not by a clock that
// others' work shares, may grow with the size or, for joins, of which each
// looks at the columns of all below it, with its square: never faster.
func TestGrowth(t *testing.T) {
	const linear, square = 2.5, 5
	for _, tc := range []struct {
		name  string
		n     int
		limit float64
		sql   func(n int) string
	}{
		{"IN list of numbers", 20000, linear, func(n int) string {
			return "SELECT count(*) FROM orders WHERE o_orderkey IN (" + list(n, ", ", "%") + ")"
		}},
		{"IN list of texts", 20000, linear, func(n int) string {
			return "SELECT count(*) FROM orders WHERE o_comment NOT IN (" + list(n, ", ", "'%x'") + ")"
		}},
		{"OR of equalities", 2000, linear, func(n int) string {
			return "SELECT count(*) FROM orders WHERE " + list(n, " OR ", "o_orderkey = %")
		}},
		{"OR of two columns", 2000, linear, func(n int) string {
			return "SELECT count(*) FROM orders WHERE " + list(n, " OR ", "o_orderkey = % OR o_custkey = %")
		}},
		{"OR of conjunctions", 1000, linear, func(n int) string {
			return "SELECT count(*) FROM orders WHERE " + list(n, " OR ", "(o_orderkey = % AND o_custkey > %)")
		}},
		{"AND of inequalities", 2000, linear, func(n int) string {
			return "SELECT count(*) FROM orders WHERE " + list(n, " AND ", "o_orderkey <> %")
		}},
		{"AND of ranges", 2000, linear, func(n int) string {
			return "SELECT count(*) FROM orders WHERE " + list(n, " AND ", "o_orderkey > -% AND o_orderkey < 7000000 + %")
		}},
		{"CASE of many branches", 1000, linear, func(n int) string {
			return "SELECT CASE " + list(n, " ", "WHEN o_orderkey = % THEN %") + " END FROM orders"
		}},
		{"long sum", 2000, linear, func(n int) string { return "SELECT " + list(n, " + ", "o_orderkey") + " FROM orders" }},
		{"rows of VALUES", 10000, linear, func(n int) string {
			return "SELECT count(*) FROM (VALUES " + list(n, ", ", "(%, % + 1)") + ") t (a, b) WHERE a > 7"
		}},
		{"UNION ALL of many", 100, linear, func(n int) string {
			return "SELECT count(*) FROM (" + list(n, " UNION ALL ", "SELECT o_orderkey k FROM orders WHERE o_custkey = %") + ") WHERE k > 5"
		}},
		{"chain of joins", 50, square, func(n int) string {
			return "SELECT count(*) FROM orders o " + list(n, " ", "JOIN orders o% ON o.o_orderkey + % = o%.o_custkey")
		}},
		{"star of joins", 50, square, func(n int) string {
			return "SELECT count(*) FROM lineitem l, " + list(n, ", ", "orders o%") + " WHERE " + list(n, " AND ", "l.l_orderkey = o%.o_orderkey")
		}},
		{"left joins", 50, square, func(n int) string {
			return "SELECT count(*) FROM lineitem l " + list(n, " ", "LEFT JOIN orders o% ON l.l_orderkey = o%.o_orderkey")
		}},
		{"cross joins", 50, square, func(n int) string { return "SELECT count(*) FROM " + list(n, ", ", "region r%") }},
		{"EXISTS", 10, square, func(n int) string {
			return "SELECT count(*) FROM orders WHERE " + list(n, " AND ", "EXISTS (SELECT 1 FROM lineitem WHERE l_orderkey = o_orderkey AND l_linenumber = %)")
		}},
		{"a table expression named often", 25, square, func(n int) string {
			return "WITH r AS (SELECT l_suppkey k, sum(l_quantity) q FROM lineitem GROUP BY l_suppkey) SELECT " + list(n, ", ", "(SELECT max(q) + % FROM r)")
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t, "sf1")
			small, large := tc.sql(tc.n), tc.sql(2*tc.n)
			b.logical(t, small) // what is made once is not counted
			one, two := allocated(func() { b.logical(t, small) }), allocated(func() { b.logical(t, large) })
			t.Logf("%d: %.1f MB, %d: %.1f MB", tc.n, one/1e6, 2*tc.n, two/1e6)
			if two > tc.limit*one {
				t.Errorf("twice the query takes %.1f times the work, want at most %.1f", two/one, tc.limit)
			}
		})
	}
}

// TestLarge plans what is far above what people write. Work that grows with
// the cube would not end.
func TestLarge(t *testing.T) {
	b := newBench(t, "sf1")
	for name, sql := range map[string]string{
		"1 MB of IN": "SELECT count(*) FROM orders WHERE o_orderkey IN (" + list(130000, ", ", "%") + ")",
		"200 joins":  "SELECT count(*) FROM orders o " + list(200, " ", "JOIN orders o% ON o.o_orderkey = o%.o_custkey"),
		"200 left":   "SELECT count(*) FROM orders o " + list(200, " ", "LEFT JOIN orders o% ON o.o_orderkey = o%.o_custkey"),
		"20000 ORs":  "SELECT count(*) FROM orders WHERE " + list(20000, " OR ", "o_orderkey = % OR o_custkey = %"),
	} {
		var text string
		if mb := allocated(func() { text = brief(b.logical(t, sql)) }) / 1e6; mb > 500 {
			t.Errorf("%s: %.0f MB allocated", name, mb)
		}
		if !strings.Contains(text, "count(*)") {
			t.Errorf("%s: %.200s", name, text)
		}
	}
}

// allocated returns the bytes that f allocates, those freed again included.
func allocated(f func()) float64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return float64(after.TotalAlloc - before.TotalAlloc)
}
