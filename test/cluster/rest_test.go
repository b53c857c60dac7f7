package cluster

import (
	"context"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// killDeliverer kills the worker that delivers a result, and starts it again.
// It returns false if there is none.
func killDeliverer(ctx context.Context, t *testing.T, c *Cluster) bool {
	t.Helper()
	const sql = "SELECT node_id FROM tasks WHERE task_id LIKE '%.0.0._' AND node_id LIKE 'worker%' AND output_rows > 0 AND state IN ('RUNNING', 'FLUSHING')"
	res, err := session(t, c, "system", "runtime").Query(ctx, sql)
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Rows) == 0 {
		return false
	}
	for i, w := range c.Workers {
		if w.Name == res.Rows[0][0] {
			w.Kill()
			if err := c.Restart(i); err != nil {
				t.Fatal(err)
			}
		}
	}
	return true
}

// TestRestOfTheResult: the worker that delivers a result dies when the client
// has a part of it, and so does the next one. The client gets each row once.
func TestRestOfTheResult(t *testing.T) {
	c, ctx := own(t, "rest", 3)
	const from = " FROM tpch.sf1.lineitem WHERE orderkey < 1000000"
	// Far more than what the coordinator and the worker keep of it ahead of the client.
	const columns = "orderkey, linenumber, comment || comment || comment || comment || comment"
	for _, q := range []struct {
		name, columns, order string
		ordered              bool
	}{
		{"in any order", columns, "", false},
		{"in order", columns, " ORDER BY orderkey", true},
	} {
		kills, last := 0, time.Time{}
		rows, err := (&reader{url: c.URL}).query(ctx, "SELECT "+q.columns+from+q.order, func(page int) {
			if page >= 3 && kills < 2 && time.Since(last) > time.Second && killDeliverer(ctx, t, c) {
				kills, last = kills+1, time.Now()
			}
		})
		if err != nil {
			t.Fatalf("%s: after %d rows: %v", q.name, len(rows), err)
		}
		if kills == 0 {
			t.Errorf("%s: nobody delivered the result when the client had a part of it", q.name)
		}
		key := func(row string) int {
			text, _, _ := strings.Cut(row, " ")
			n, err := strconv.Atoi(text)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		if q.ordered && !slices.IsSortedFunc(rows, func(a, b string) int { return key(a) - key(b) }) {
			t.Errorf("%s: it is not", q.name)
		}
		slices.Sort(rows)
		if n := len(rows); len(slices.Compact(rows)) != n {
			t.Errorf("%s: %d rows, %d of them different", q.name, n, len(slices.Compact(rows)))
		}
		must(t, c.URL, "SELECT count(*)"+from, strconv.Itoa(len(rows)))
		if err := c.Await(ctx, 3); err != nil {
			t.Fatal(err)
		}
	}
	log, err := os.ReadFile(c.Coordinator.Log)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(log), "the rest of a result is looked up"); n < 2 {
		t.Errorf("the rest of a result was looked up %d times", n)
	}
	wholeRuns(t, c, 0)
}
