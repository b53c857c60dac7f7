package cluster

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tuttidb/tutti/test/slt"
)

// summed takes seconds on three workers, and what it makes of its rows is little.
const summed = "SELECT returnflag, linestatus, count(*), sum(partkey), sum(suppkey), max(extendedprice), min(receiptdate) FROM tpch.sf60.lineitem GROUP BY 1, 2 ORDER BY 1, 2"

// TestCopies: what a worker has finished of a query that takes long, and is small,
// is not made again when the worker is killed: others have copies.
func TestCopies(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	c := clusterOf(ctx, t, "copies")
	s := session(t, c, "tpch", "tiny")
	want, err := s.Query(ctx, summed)
	if err != nil {
		t.Fatal(err)
	}
	type answer struct {
		res *slt.Result
		err error
	}
	got := make(chan answer, 1)
	go func() {
		res, err := s.Query(ctx, summed)
		got <- answer{res, err}
	}()
	finished(ctx, t, session(t, c, "system", "runtime"), "worker-2", 3500*time.Millisecond)
	c.Workers[1].Kill()
	a := <-got
	if a.err != nil || fmt.Sprint(a.res.Rows) != fmt.Sprint(want.Rows) {
		t.Fatalf("%v, %v, want %v", a.res, a.err, want.Rows)
	}
	log, err := os.ReadFile(c.Coordinator.Log)
	if err != nil {
		t.Fatal(err)
	}
	lost := regexp.MustCompile(`worker lost.*"copies used"=(\d+)`).FindStringSubmatch(string(log))
	if lost == nil || lost[1] == "0" || strings.Contains(string(log), "run query again") {
		t.Errorf("no copy was used: %q", lost)
	}
}

// TestCopiesTakenOver kills a worker whose outputs others have copies of, and then
// the coordinator that knew: the next one finds the copies in the place of what they
// are copies of, and goes on.
func TestCopiesTakenOver(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	c := coordinatorsOf(t, "copiestaken", 3)
	if err := c.StartAll(ctx); err != nil {
		t.Fatal(err)
	}
	c.settle(t, 3)
	sql := strings.Replace(summed, "sf60", "sf120", 1) // there is to be some of it left when all is under way again
	want, err := (&reader{url: c.URL}).query(ctx, sql, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := patient(ctx, c.URL, sql)
	s, err := slt.NewSession(c.URL, "system", "runtime")
	if err != nil {
		t.Fatal(err)
	}
	finished(ctx, t, s, "worker-2", 3500*time.Millisecond)
	c.Workers[1].Kill()
	for deadline := time.Now().Add(30 * time.Second); c.said(t, `"copies used"=`) == 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the loss was not noticed")
		}
	}
	unused := c.said(t, `"copies used"=0`)
	underWay(ctx, t, s)
	c.replace(ctx, t, c.Leader(ctx))
	a := <-got
	if a.err != nil || !slices.Equal(a.rows, want) {
		t.Fatalf("%v, %v, want %v", a.rows, a.err, want)
	}
	if n, again := c.said(t, "run taken over"), c.said(t, "query begins again"); unused > 0 || n == 0 || again > 0 {
		t.Errorf("copies unused %d, runs taken over %d, begun again %d", unused, n, again)
	}
}

// underWay waits until workers have all tasks of a query that were to run again: of
// what is lost with a worker and, before it is begun anew, with the coordinator, too,
// nobody knows what it was.
func underWay(ctx context.Context, t *testing.T, s *slt.Session) {
	t.Helper()
	for {
		res, err := s.Query(ctx, "SELECT count(*), count_if(state = 'PLANNED') FROM tasks WHERE query_id IN ("+summing+")")
		if err != nil {
			t.Fatal(err)
		}
		if res.Rows[0][0] == "0" {
			t.Fatal("the query is over")
		}
		if res.Rows[0][1] == "0" {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// summing are the queries that sum and run.
const summing = "SELECT query_id FROM queries WHERE state = 'RUNNING' AND query LIKE '%FROM tpch.sf%' AND query NOT LIKE '%query_id%'"

// finished waits until a query has run for a while, and has finished tasks on a
// worker, or is over.
func finished(ctx context.Context, t *testing.T, s *slt.Session, worker string, age time.Duration) {
	t.Helper()
	for began := time.Now(); ; {
		res, err := s.Query(ctx, "SELECT count(*), count_if(node_id = '"+worker+"' AND state = 'FINISHED') FROM tasks WHERE query_id IN ("+summing+")")
		if err != nil {
			t.Fatal(err)
		}
		if tasks, done := res.Rows[0][0] != "0", res.Rows[0][1] != "0"; time.Since(began) > age && (done || !tasks) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}
