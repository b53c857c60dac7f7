package inprocess

import (
	"testing"

	"github.com/tuttidb/tutti/test/slt"
	"github.com/tuttidb/tutti/test/tpch"
)

// shapes are ways to run the same statements. Small batches and several
// drivers bring out mistakes at the seams: state carried from batch to batch,
// selections, the merging of what drivers found.
var shapes = []struct {
	name       string
	properties map[string]string
}{
	{"usual", nil},
	{"tiny batches", map[string]string{"batch_rows": "3"}},
	{"four drivers", map[string]string{"task_concurrency": "4", "batch_rows": "500"}},
}

// TestCorpus holds every record of the corpus in every shape.
func TestCorpus(t *testing.T) {
	for _, shape := range shapes {
		t.Run(shape.name, func(t *testing.T) {
			tutti := Start(t)
			slt.RunCorpus(t, slt.Corpus(), func() (slt.Executor, error) {
				return tutti.Session(t, "tpch", "tiny", shape.properties)
			}, slt.Options{})
		})
	}
}

// TestTPCH holds the 22 queries of TPC-H to the recorded answers.
func TestTPCH(t *testing.T) {
	for _, shape := range shapes {
		t.Run(shape.name, func(t *testing.T) {
			session, err := Start(t).Session(t, "tpchstd", string(tpch.Tiny), shape.properties)
			if err != nil {
				t.Fatal(err)
			}
			tpch.Run(t, session, tpch.Tiny)
		})
	}
}
