package optimize_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tuttidb/tutti/planner/plan"
)

// TestRules compares the optimized plans of the queries of each file of
// testdata/rules, which show one rule at work and where it does not apply,
// with those recorded beside it.
func TestRules(t *testing.T) {
	files, err := filepath.Glob("testdata/rules/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	b := newBench(t, "sf1")
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".sql"), func(t *testing.T) {
			queries, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			for _, sql := range strings.Split(string(queries), ";") {
				sql = strings.TrimSpace(sql)
				out.WriteString(sql + "\n\n" + brief(b.logical(t, sql)) + "\n")
			}
			golden(t, strings.TrimPrefix(strings.TrimSuffix(file, ".sql")+".txt", "testdata/"), out.String())
		})
	}
}

// TestJoinOrderAsWritten keeps the order if the session wants it so.
func TestJoinOrderAsWritten(t *testing.T) {
	b := newBench(t, "sf1")
	b.opts.ReorderJoins, b.opts.DynamicFilters = false, false
	got := plan.Format(b.logical(t, "SELECT count(*) FROM region JOIN nation ON r_regionkey = n_regionkey JOIN customer ON c_nationkey = n_nationkey"))
	region, nation, customer := strings.Index(got, ".region"), strings.Index(got, ".nation"), strings.Index(got, ".customer")
	if region > nation || nation > customer || strings.Contains(got, "dynamic") {
		t.Error(got)
	}
}
