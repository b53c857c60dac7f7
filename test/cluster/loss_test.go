package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tuttidb/tutti/test/slt"
)

// heavy takes seconds on three workers and has a known answer: the generated
// rows of lineitem, counted through an exchange.
const heavy = "SELECT count(*), sum(c) FROM (SELECT orderkey, count(*) AS c FROM tpch.sf1.lineitem GROUP BY orderkey)"

// clusterOf starts a cluster of three workers that ends with the test.
func clusterOf(ctx context.Context, t *testing.T, name string) *Cluster {
	t.Helper()
	c, err := StartCluster(ctx, shared.config(filepath.Join(shared.dir, name), 3))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// TestWorkerLoss kills a worker while a query runs on it. What is lost runs
// again on those that are left, the rest does not, and the answer is right.
func TestWorkerLoss(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	c := clusterOf(ctx, t, "loss")
	type answer struct {
		res *slt.Result
		err error
	}
	got := make(chan answer, 1)
	s := session(t, c, "tpch", "tiny")
	go func() {
		res, err := s.Query(ctx, heavy)
		got <- answer{res, err}
	}()
	if err := c.busy(ctx, "worker-2"); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	c.Workers[1].Kill()
	if err := c.Await(ctx, 2); err != nil {
		t.Fatal(err)
	}
	if gone := time.Since(killed); gone > 4500*time.Millisecond { // its lease would have run out after 5 s
		t.Errorf("it took %s to notice that a worker's process is gone", gone)
	}
	a := <-got
	if a.err != nil {
		t.Fatal(a.err)
	}
	if row := strings.Join(a.res.Rows[0], " "); row != "1500000 6001215" {
		t.Errorf("answer after losing a worker is %s", row)
	}
	log, err := os.ReadFile(c.Coordinator.Log)
	if err != nil || !strings.Contains(string(log), "needed=true") {
		t.Errorf("nothing ran again (%v): the worker was killed too late to matter", err)
	}
	if strings.Contains(string(log), "run query again") {
		t.Error("the whole query ran again")
	}
	if err := c.AddWorker(); err != nil {
		t.Fatal(err)
	}
	if err := c.Await(ctx, 3); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Query(ctx, "SELECT count(*) FROM orders"); err != nil {
		t.Error(err)
	}
}

// TestNoWorkers: a coordinator alone answers what needs no worker, and says
// what is missing for the rest.
func TestNoWorkers(t *testing.T) {
	cfg := shared.config(filepath.Join(shared.dir, "alone"), 0)
	cfg.Env = append(cfg.Env, "TUTTI_WORKER_WAIT=200ms")
	c, err := StartCluster(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := session(t, c, "tpch", "tiny")
	if _, err := s.Query(t.Context(), "SELECT 1"); err != nil {
		t.Error(err)
	}
	_, err = s.Query(t.Context(), "SELECT count(*) FROM nation")
	var failure *slt.Failure
	if !errors.As(err, &failure) || failure.Name != "NO_NODES_AVAILABLE" {
		t.Errorf("query without workers: %v", err)
	}
	if err := c.Stop(); err != nil {
		t.Error(err)
	}
}

// busy waits until a node runs tasks, as the coordinator knows it: heartbeats
// would tell a second later.
func (c *Cluster) busy(ctx context.Context, node string) error { return busy(ctx, c.URL, node) }

func busy(ctx context.Context, url, node string) error {
	s, err := slt.NewSession(url, "system", "runtime")
	if err != nil {
		return err
	}
	for {
		res, err := s.Query(ctx, "SELECT count(*) FROM system.runtime.tasks WHERE node_id = '"+node+"' AND state = 'RUNNING'")
		if err != nil {
			return fmt.Errorf("%s never ran a task: %w", node, err)
		}
		if res.Rows[0][0] != "0" {
			return nil
		}
	}
}
