package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// slowDown lets a worker run for a 25th of the time, in bits so short that its
// heartbeats come, until the function that it returns is called.
func slowDown(t *testing.T, worker *Process) (stop func()) {
	t.Helper()
	over, done := make(chan struct{}), sync.WaitGroup{}
	say := func(err error) {
		if err != nil {
			t.Error(err)
		}
	}
	done.Go(func() {
		defer func() { say(worker.Resume()) }()
		for {
			for _, x := range []struct {
				signal func() error
				length time.Duration
			}{{worker.Pause, 480 * time.Millisecond}, {worker.Resume, 20 * time.Millisecond}} {
				say(x.signal())
				select {
				case <-time.After(x.length):
				case <-over:
					return
				}
			}
		}
	})
	return sync.OnceFunc(func() { close(over); done.Wait() })
}

// meeting joins a table with itself, twice, each task a partition of all three:
// what a slow worker has of these cannot be moved, and is most of the work.
const meeting = "SELECT count(*), sum(a.linenumber * b.linenumber * c.linenumber) FROM tpch.sf1.lineitem a " +
	"JOIN tpch.sf1.lineitem b ON a.orderkey = b.orderkey JOIN tpch.sf1.lineitem c ON a.orderkey = c.orderkey"

// TestTwins: a worker that is slow, and is there all the same, does not hold up
// a query: what it has begun is done elsewhere, too, and counted once.
func TestTwins(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	c, err := StartCluster(ctx, shared.config(filepath.Join(shared.dir, "twins"), 3))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	answer := ""
	query := func(speculate bool) time.Duration {
		s := session(t, c, "tpch", "tiny")
		for _, set := range []string{fmt.Sprintf("speculative_execution = %v", speculate), "join_distribution_type = 'PARTITIONED'"} {
			if _, err := s.Query(ctx, "SET SESSION "+set); err != nil {
				t.Fatal(err)
			}
		}
		began := time.Now()
		res, err := s.Query(ctx, meeting)
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(res.Rows[0], " ")
		if answer == "" {
			answer = got
		}
		if got != answer {
			t.Fatalf("answer is %s, before it was %s", got, answer)
		}
		return time.Since(began)
	}
	log := func() string {
		text, err := os.ReadFile(c.Coordinator.Log)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	well := query(true)
	stop := slowDown(t, c.Workers[1])
	defer stop()
	without := query(false)
	if text := log(); strings.Contains(text, "gets a twin") {
		t.Error("a task got a twin though the session wants none")
	}
	var with time.Duration
	for tries := 0; !strings.Contains(log(), "twins of tasks that were behind count"); tries++ {
		if tries == 4 {
			t.Fatal("no twin has counted")
		}
		with = query(true)
	}
	stop()
	t.Logf("%s; with a worker that runs a 25th of the time %s, with %d twins %s", well, without, strings.Count(log(), "gets a twin"), with)
	if with >= without {
		t.Error("twins gain nothing")
	}
	for _, bad := range []string{"run query again", "worker lost"} {
		if strings.Contains(log(), bad) {
			t.Errorf("the coordinator says: %s", bad)
		}
	}
}
