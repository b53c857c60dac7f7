package cluster

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tuttidb/tutti/test/slt"
	"github.com/tuttidb/tutti/test/tpch"
)

// TestTPCH runs the 22 queries on three workers, over files in a folder and
// in the object store, and compares the answers exactly.
func TestTPCH(t *testing.T) {
	for _, c := range []struct {
		catalog string
		scale   tpch.Scale
	}{{"tpchstd", tpch.Tiny}, {"folder", tpch.Tiny}, {"s3", tpch.Tiny}, {"folder", tpch.SF1}, {"s3", tpch.SF1}} {
		t.Run(c.catalog+"-"+string(c.scale), func(t *testing.T) {
			start := time.Now()
			s := session(t, shared.Cluster, c.catalog, string(c.scale))
			tpch.Run(t, s, c.scale)
			t.Logf("22 queries in %s", time.Since(start).Round(time.Millisecond))
			if c.scale == tpch.Tiny { // small enough to be one task each
				start = time.Now()
				spread(t, s)
				tpch.Run(t, s, c.scale)
				t.Logf("22 queries, spread, in %s", time.Since(start).Round(time.Millisecond))
				if _, err := s.Query(t.Context(), "SET SESSION hash_partitions_per_worker = 3"); err != nil { // as large ones have
					t.Fatal(err)
				}
				tpch.Run(t, s, c.scale)
			}
		})
	}
}

// TestCorpus runs the SQL corpus on three workers. Without the memory catalog,
// which lives in a single process. Its queries are small: they are spread.
func TestCorpus(t *testing.T) {
	open := func() (slt.Executor, error) {
		s, err := slt.NewSession(shared.URL, "tpch", "tiny")
		if err == nil {
			_, err = s.Query(t.Context(), spreading)
		}
		return s, err
	}
	slt.RunCorpus(t, slt.Corpus(), open, slt.Options{Exclude: []string{"memory.slt"}})
}

// TestSmallest measures select 1 and a query of one small file.
func TestSmallest(t *testing.T) {
	s := session(t, shared.Cluster, "folder", "tiny")
	for _, sql := range []string{"SELECT 1", "SELECT count(*) FROM nation"} {
		var times []time.Duration
		for range 100 {
			start := time.Now()
			if _, err := s.Query(t.Context(), sql); err != nil {
				t.Fatal(err)
			}
			times = append(times, time.Since(start))
		}
		slices.Sort(times)
		t.Logf("%s: median %s, 90%% within %s", sql, times[50], times[90])
	}
}

// TestLimitEndsScans: a task that needs no more rows leaves splits unread, and
// that is no error.
func TestLimitEndsScans(t *testing.T) {
	s := session(t, shared.Cluster, "folder", "sf1")
	res, err := s.Query(t.Context(), "SELECT l_orderkey FROM lineitem LIMIT 5")
	if err != nil || len(res.Rows) != 5 {
		t.Fatalf("%v, %v", res, err)
	}
	res, err = s.Query(t.Context(), "SELECT count(*) FROM lineitem WHERE EXISTS (SELECT 1 FROM region WHERE r_name = 'MARS')")
	if err != nil || res.Rows[0][0] != "0" {
		t.Fatalf("%v, %v", res, err)
	}
}

// TestConcurrentClients: 64 clients at once lose no answer.
func TestConcurrentClients(t *testing.T) {
	const clients, each = 64, 5
	failed := make(chan error, clients)
	for range clients {
		s := session(t, shared.Cluster, "folder", "tiny")
		go func() {
			for range each {
				res, err := s.Query(t.Context(), "SELECT n_regionkey, count(*) FROM nation GROUP BY 1 ORDER BY 1")
				if err == nil && len(res.Rows) != 5 {
					err = &slt.Failure{Name: "WRONG_ANSWER", Message: strings.Join(res.Rows[0], ",")}
				}
				if err != nil {
					failed <- err
					return
				}
			}
			failed <- nil
		}()
	}
	for range clients {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
}
