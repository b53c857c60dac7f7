package tpch

import (
	"testing"

	"github.com/tuttidb/tutti/test/slt"
)

// Run executes the 22 queries in a session whose schema holds the tables at
// the given scale, each as a subtest, and compares the answers.
func Run(t *testing.T, exec slt.Executor, scale Scale) {
	for _, q := range Queries() {
		t.Run(q.Name, func(t *testing.T) {
			answer, err := Load(scale, q.Name)
			if err != nil {
				t.Fatal(err)
			}
			got, err := exec.Query(t.Context(), q.SQL)
			if err != nil {
				t.Fatal(err)
			}
			if err := answer.Check(got.Rows); err != nil {
				t.Error(err)
			}
		})
	}
}
