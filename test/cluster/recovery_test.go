package cluster

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tuttidb/tutti/test/slt"
	"github.com/tuttidb/tutti/test/tpch"
)

// own starts a cluster that the test may break.
func own(t *testing.T, name string, workers int, env ...string) (*Cluster, context.Context) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	cfg := shared.config(filepath.Join(shared.dir, name), workers)
	cfg.Env = append(cfg.Env, env...)
	c, err := StartCluster(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	return c, ctx
}

// run begins the heavy query and returns where its end is told: nil if the
// answer is right.
func run(ctx context.Context, t *testing.T, c *Cluster) <-chan error {
	t.Helper()
	s, got := session(t, c, "tpch", "tiny"), make(chan error, 1)
	go func() {
		res, err := s.Query(ctx, heavy)
		if err == nil && strings.Join(res.Rows[0], " ") != "1500000 6001215" {
			err = fmt.Errorf("answer is %v", res.Rows[0])
		}
		got <- err
	}()
	return got
}

// wholeRuns fails the test if queries were run again as a whole more often than
// they may be: those may whose dynamic filters may have been made of rows that
// come out otherwise.
func wholeRuns(t *testing.T, c *Cluster, most int) {
	t.Helper()
	log, err := os.ReadFile(c.Coordinator.Log)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(log), "run query again"); n > most {
		t.Errorf("%d times a whole query ran again", n)
	}
	t.Logf("%d losses of workers were noticed by queries, %d of them needed", strings.Count(string(log), "worker lost"), strings.Count(string(log), "needed=true"))
}

// killsEach is how many kills one query may suffer in TestKillsUnderLoad: a task
// that was on three workers when they died is rightly suspected of killing them.
const killsEach = 2

// counting is an executor that counts the queries which have ended.
type counting struct {
	slt.Executor
	ended *atomic.Int64
}

func (c counting) Query(ctx context.Context, sql string) (*slt.Result, error) {
	defer c.ended.Add(1)
	return c.Executor.Query(ctx, sql)
}

// TestKillsUnderLoad kills workers at random moments while TPC-H runs, and
// starts them again under their old names: every answer is right.
func TestKillsUnderLoad(t *testing.T) {
	c, ctx := own(t, "kills", 3)
	ctx, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	kills, during, suffered := 0, int64(0), 0
	var ended atomic.Int64
	wg.Go(func() {
		for {
			select {
			case <-time.After(700*time.Millisecond + rand.N(time.Second)):
			case <-ctx.Done():
				return
			}
			if now := ended.Load(); now != during {
				during, suffered = now, 0
			}
			if suffered++; suffered > killsEach {
				continue
			}
			i := rand.IntN(3)
			c.Workers[i].Kill()
			kills++
			if err := c.Restart(i); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for round, until := 0, time.Now().Add(8*time.Second); round == 0 || long && round < 20 || time.Now().Before(until); round++ {
		s := session(t, c, "folder", string(tpch.SF1))
		spread(t, s)
		tpch.Run(t, counting{s, &ended}, tpch.SF1)
	}
	stop()
	wg.Wait()
	t.Logf("%d kills", kills)
	wholeRuns(t, c, kills/2)
}

// TestDownToTheLast kills all workers but one while a query runs, then the
// last one: the query waits until another joins.
func TestDownToTheLast(t *testing.T) {
	c, ctx := own(t, "last", 3)
	got := run(ctx, t, c)
	for i := range 3 {
		if err := c.busy(ctx, fmt.Sprint("worker-", i+1)); err != nil {
			t.Fatal(err)
		}
		c.Workers[i].Kill()
	}
	s, err := slt.NewSession(c.URL, "system", "runtime")
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; {
		res, err := s.Query(ctx, "SELECT count(*) FROM system.runtime.queries WHERE state = 'WAITING_FOR_RESOURCES'")
		if err != nil {
			t.Fatal(err)
		}
		if res.Rows[0][0] == "1" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the query does not say that it waits")
		}
	}
	if err := c.AddWorker(); err != nil {
		t.Fatal(err)
	}
	if err := <-got; err != nil {
		t.Error(err)
	}
	wholeRuns(t, c, 0)
}

// TestZombie stops a worker for longer than its lease: its work is done
// elsewhere, and when it wakes up it delivers nothing twice.
func TestZombie(t *testing.T) {
	c, ctx := own(t, "zombie", 3)
	got := run(ctx, t, c)
	if err := c.busy(ctx, "worker-2"); err != nil {
		t.Fatal(err)
	}
	worker, stopped := c.Workers[1].cmd.Process, time.Now()
	if err := worker.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	err := c.Await(ctx, 2)
	noticed := time.Since(stopped)
	next := run(ctx, t, c)
	if e := worker.Signal(syscall.SIGCONT); e != nil || err != nil {
		t.Fatal(e, err)
	}
	if noticed > 10*time.Second {
		t.Errorf("it took %s to notice that a worker hangs", noticed)
	}
	for _, q := range []<-chan error{got, next} {
		if err := <-q; err != nil {
			t.Error(err)
		}
	}
	if err := c.Await(ctx, 3); err != nil {
		t.Error(err)
	}
	if err := <-run(ctx, t, c); err != nil {
		t.Error(err)
	}
	t.Logf("noticed after %s", noticed)
	wholeRuns(t, c, 0)
}

// TestJoinInTheMiddle: a worker that joins while a query runs gets work of it.
func TestJoinInTheMiddle(t *testing.T) {
	c, ctx := own(t, "join", 1)
	s := session(t, c, "tpch", "sf30")
	const seconds = "SELECT count(*), sum(linenumber) FROM lineitem WHERE orderkey % 7 < 5" // more than a worker needs to start
	rows := func() string {
		res, err := s.Query(ctx, seconds)
		if err != nil {
			t.Error(err)
			return ""
		}
		return strings.Join(res.Rows[0], " ")
	}
	got := make(chan string, 1)
	go func() { got <- rows() }()
	if err := c.busy(ctx, "worker-1"); err != nil {
		t.Fatal(err)
	}
	if err := c.AddWorker(); err != nil {
		t.Fatal(err)
	}
	if err := c.busy(ctx, "worker-2"); err != nil {
		t.Error(err)
	}
	if with, alone := <-got, rows(); with != alone {
		t.Errorf("with a worker that joined: %s, else %s", with, alone)
	}
}

// TestRollingRestart shuts down every worker in turn while queries run, and
// starts it again: no query fails, and each worker exits with 0.
func TestRollingRestart(t *testing.T) {
	c, ctx := own(t, "rolling", 3)
	load, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	queries := make(chan int, 2)
	for range 2 {
		s := session(t, c, "folder", string(tpch.SF1))
		spread(t, s)
		wg.Go(func() {
			n := 0
			for ; load.Err() == nil; n++ {
				res, err := s.Query(ctx, "SELECT l_returnflag, count(*) FROM lineitem, orders WHERE l_orderkey = o_orderkey GROUP BY 1 ORDER BY 1")
				if err != nil || len(res.Rows) != 3 || res.Rows[1][1] != "3043852" {
					t.Errorf("%v, %v", res, err)
					break
				}
			}
			queries <- n
		})
	}
	for i := range c.Workers {
		w := c.Workers[i]
		if err := w.Stop(); err != nil {
			t.Error(err)
		}
		if code := w.cmd.ProcessState.ExitCode(); code != 0 {
			t.Errorf("%s exits with %d", w.Name, code)
		}
		if err := c.Restart(i); err != nil {
			t.Fatal(err)
		}
		if err := c.Await(ctx, 3); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	wg.Wait()
	t.Logf("%d queries", <-queries+<-queries)
	wholeRuns(t, c, 0)
}
