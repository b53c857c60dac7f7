package cluster

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// slowDown lets a worker run for a tenth of the time, in bits so short that its
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
			}{{worker.Pause, 450 * time.Millisecond}, {worker.Resume, 50 * time.Millisecond}} {
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
	c := clusterOf(ctx, t, "twins")
	answer := ""
	s := session(t, c, "tpch", "tiny")
	if _, err := s.Query(ctx, "SET SESSION join_distribution_type = 'PARTITIONED'"); err != nil {
		t.Fatal(err)
	}
	query := func() time.Duration {
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
	well := query()
	stop := slowDown(t, c.Workers[1])
	defer stop()
	var with time.Duration
	for tries := 0; !strings.Contains(log(), "twins of tasks that were behind count"); tries++ {
		if tries == 4 {
			t.Fatal("no twin has counted")
		}
		with = query()
	}
	stop()
	t.Logf("%s; with a worker that runs a tenth of the time, and %d twins, %s", well, strings.Count(log(), "gets a twin"), with)
	if strings.Contains(log(), "run query again") {
		t.Error("the query ran again")
	}
}
