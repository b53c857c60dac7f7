package cluster

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tuttidb/tutti/test/slt"
)

// spreading makes a session's queries as many tasks as large ones.
const spreading = "SET SESSION one_task_max_scan_size = '0B'"

func spread(t *testing.T, s *slt.Session) {
	t.Helper()
	if _, err := s.Query(t.Context(), spreading); err != nil {
		t.Fatal(err)
	}
}

// TestStoppedWorker stops a worker in the middle of a query for a while: the
// others read what it has not begun, and when it goes on the answer is right
// and the query has run once.
func TestStoppedWorker(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c := clusterOf(ctx, t, "stopped")
	s := session(t, c, "tpch", "tiny")
	got := make(chan error, 1)
	go func() {
		res, err := s.Query(ctx, heavy)
		if err == nil && strings.Join(res.Rows[0], " ") != "1500000 6001215" {
			err = fmt.Errorf("answer is %v", res.Rows[0])
		}
		got <- err
	}()
	if err := c.busy(ctx, "worker-2"); err != nil {
		t.Fatal(err)
	}
	worker := c.Workers[1].cmd.Process
	if err := worker.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	others, mine, err := c.othersRead(ctx, "worker-2")
	if e := worker.Signal(syscall.SIGCONT); err != nil || e != nil {
		t.Fatal(err, e)
	}
	if err := <-got; err != nil {
		t.Fatal(err)
	}
	taken, _, stayed, err := c.splits(ctx, "worker-2")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the stopped worker held %d splits of %d, the others had read %d", mine, stayed+taken, others)
	if others == 0 || others+mine < stayed+taken {
		t.Errorf("%d splits waited for the stopped worker beside the %d that it held", stayed+taken-others-mine, mine)
	}
	log, err := os.ReadFile(c.Coordinator.Log)
	if err != nil || strings.Contains(string(log), "run query again") {
		t.Errorf("the query ran again (%v)", err)
	}
}

// othersRead waits until the others have read all splits that they have and a
// second has brought no more, and says what splits does.
func (c *Cluster) othersRead(ctx context.Context, node string) (others, mine int, err error) {
	for last := 0; ; last = others {
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return 0, 0, ctx.Err()
		}
		var have int
		if others, have, mine, err = c.splits(ctx, node); err != nil || others > 0 && others == last && others == have {
			return others, mine, err
		}
	}
}

// splits says of the tasks that run or ran how many splits the given node has,
// and how many the others have and have read.
func (c *Cluster) splits(ctx context.Context, node string) (read, have, mine int, err error) {
	s, err := slt.NewSession(c.URL, "system", "runtime")
	if err != nil {
		return 0, 0, 0, err
	}
	res, err := s.Query(ctx, "SELECT sum(CASE WHEN node_id = '"+node+"' THEN 0 ELSE completed_splits END), sum(CASE WHEN node_id = '"+node+"' THEN 0 ELSE splits END), "+
		"sum(CASE WHEN node_id = '"+node+"' THEN splits ELSE 0 END) FROM system.runtime.tasks")
	if err != nil {
		return 0, 0, 0, err
	}
	_, err = fmt.Sscan(strings.Join(res.Rows[0], " "), &read, &have, &mine)
	return read, have, mine, err
}

// TestLargeResult: rows of a large result come while the query runs, and a
// client that reads slowly makes no node grow.
func TestLargeResult(t *testing.T) {
	if _, err := session(t, shared.Cluster, "s3", "sf1").Query(t.Context(), "SELECT max(l_orderkey) FROM lineitem"); err != nil {
		t.Fatal(err)
	}
	before := shared.calm(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	uri, err := post(ctx, shared.URL, "SELECT * FROM lineitem")
	for pages := 0; err == nil && uri != "" && pages < 5; pages++ {
		uri, err = get(ctx, uri)
	}
	if err != nil || uri == "" {
		t.Fatalf("the result ended early: %v", err)
	}
	deadline, most := time.Now().Add(4*time.Second), 0.0
	for time.Now().Before(deadline) {
		now, err := shared.Figures(ctx)
		if err != nil {
			t.Fatal(err)
		}
		total := 0.0
		for name, value := range now {
			if strings.HasPrefix(name, "tutti_node_retained_bytes") {
				total += value
			}
		}
		most = max(most, total)
		time.Sleep(100 * time.Millisecond)
	}
	t.Logf("at most %.0f MB retained for a client that does not read", most/(1<<20))
	if most > 600<<20 { // all rows are more than 1 GB
		t.Errorf("%.0f bytes retained", most)
	}
	shared.cancel(t, uri)
	if err := shared.Settled(t.Context(), before, 4*time.Second); err != nil {
		t.Error(err)
	}
}
