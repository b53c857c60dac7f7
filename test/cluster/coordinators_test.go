package cluster

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tuttidb/tutti/test/slt"
	"github.com/tuttidb/tutti/test/tpch"
)

// coordinatorsOf makes a cluster of three coordinators that ends with the test.
func coordinatorsOf(t *testing.T, name string, workers int, flags ...string) *Coordinators {
	t.Helper()
	return someCoordinators(t, name, 3, workers, flags...)
}

// someCoordinators is coordinatorsOf for any number of them.
func someCoordinators(t *testing.T, name string, coordinators, workers int, flags ...string) *Coordinators {
	t.Helper()
	c, err := NewCoordinators(shared.config(filepath.Join(shared.dir, name), workers), coordinators, flags...)
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

func (c *Coordinators) settle(t *testing.T, workers int) *Coordinator {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	lead, err := c.Settled(ctx, workers)
	if err != nil {
		t.Fatal(err)
	}
	return lead
}

// admin runs tutti admin against a coordinator.
func admin(t *testing.T, x *Coordinator, args ...string) (string, error) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), shared.binary, append([]string{"admin", "--server", x.Control}, args...)...).CombinedOutput()
	return string(out), err
}

func status(t *testing.T, url string) int {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

// must runs a statement that has one row.
func must(t *testing.T, url, sql, want string) {
	t.Helper()
	r := &reader{url: url}
	rows, err := r.query(t.Context(), sql, nil)
	if err != nil || len(rows) != 1 || rows[0] != want {
		t.Errorf("%s: %v, %v, want %s", sql, rows, err, want)
	}
}

const (
	count     = "SELECT count(*) FROM tpch.tiny.lineitem"
	countRows = "60175"
	heavyRows = "1500000 6001215"
)

// TestCoordinators is the life of a cluster with three coordinators. Its steps
// follow each other: the cluster is the same.
func TestCoordinators(t *testing.T) {
	t.Parallel() // with TestLeadersKilled, after all others
	c := coordinatorsOf(t, "three", 2, "--leader-wait", "2500ms")
	t.Run("a minority refuses", func(t *testing.T) {
		if err := c.Start(2); err != nil {
			t.Fatal(err)
		}
		x := c.All[2]
		ready := func() (code int, text string) {
			resp, err := http.Get(x.URL() + "/readyz")
			if err != nil {
				return 0, err.Error()
			}
			defer resp.Body.Close()
			b, _ := io.ReadAll(resp.Body)
			return resp.StatusCode, string(b)
		}
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			code, text := ready()
			if code == http.StatusServiceUnavailable && strings.Contains(text, "no coordinator leads") {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("ready is %d %s", code, text)
			}
		}
		_, err := (&reader{url: x.URL()}).query(t.Context(), "SELECT 1", nil)
		if err == nil || !strings.Contains(err.Error(), "No majority of coordinators: c1, c2 do not answer") {
			t.Errorf("alone: %v", err)
		}
	})
	t.Run("starts in any order", func(t *testing.T) {
		for range 2 {
			if err := c.AddWorker(); err != nil {
				t.Fatal(err)
			}
		}
		for _, i := range []int{1, 0} {
			time.Sleep(200 * time.Millisecond)
			if err := c.Start(i); err != nil {
				t.Fatal(err)
			}
		}
		c.settle(t, 2)
	})
	if t.Failed() {
		return
	}
	t.Run("any of them answers", func(t *testing.T) { anyAnswers(t, c) })
	t.Run("the leader is killed between statements", func(t *testing.T) {
		lead := c.settle(t, 2)
		c.Kill(lead)
		for _, x := range c.All {
			if x != lead {
				must(t, x.URL(), count, countRows)
			}
		}
		if err := c.Start(c.index(lead)); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("the leader is killed during a query", func(t *testing.T) { killDuring(t, c) })
	t.Run("the leader hands over", func(t *testing.T) { handOver(t, c) })
	t.Run("an emptied disk", func(t *testing.T) {
		lead := c.settle(t, 2)
		x := c.follower(lead)
		c.Kill(x)
		if err := x.Empty(); err != nil {
			t.Fatal(err)
		}
		if err := c.Start(c.index(x)); err != nil {
			t.Fatal(err)
		}
		voting := func() bool {
			out, err := admin(t, lead, "members")
			if err != nil || strings.Count(out, "follower") != 2 || strings.Count(out, "leader") != 1 {
				return false
			}
			want, err1 := lead.metric(t.Context(), "tutti_coordinator_applied")
			has, err2 := x.metric(t.Context(), "tutti_coordinator_applied")
			return err1 == nil && err2 == nil && has >= want-1 && has > 0
		}
		for deadline := time.Now().Add(30 * time.Second); !voting(); time.Sleep(50 * time.Millisecond) {
			if time.Now().After(deadline) {
				out, _ := admin(t, lead, "members")
				t.Fatalf("it does not come back:\n%s", out)
			}
		}
		must(t, x.URL(), count, countRows)
	})
	t.Run("a worker is drained", func(t *testing.T) { drained(t, c) })
	t.Run("a majority is lost", func(t *testing.T) {
		lead := c.settle(t, 2)
		last := c.follower(lead)
		for _, x := range c.All {
			if x != last {
				c.Kill(x)
			}
		}
		_, err := (&reader{url: last.URL()}).query(t.Context(), count, nil)
		if err == nil || !strings.Contains(err.Error(), "503") || !strings.Contains(err.Error(), "No majority of coordinators") {
			t.Errorf("%v", err)
		}
		if code := status(t, last.URL()+"/readyz"); code != http.StatusServiceUnavailable {
			t.Errorf("ready is %d", code)
		}
		if err := c.Start(c.index(lead)); err != nil {
			t.Fatal(err)
		}
		c.settle(t, 2)
		must(t, last.URL(), count, countRows)
		for i, x := range c.All {
			if !c.up(x) {
				if err := c.Start(i); err != nil {
					t.Fatal(err)
				}
			}
		}
		c.settle(t, 2)
	})
}

// anyAnswers asks each coordinator, and all through the door.
func anyAnswers(t *testing.T, c *Coordinators) {
	lead := c.settle(t, 2)
	for _, x := range c.All {
		for deadline := time.Now().Add(10 * time.Second); status(t, x.URL()+"/readyz") != http.StatusOK; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s is not ready", x.ID)
			}
		}
		must(t, x.URL(), count, countRows)
		must(t, x.URL(), "SELECT count(*) FROM system.runtime.nodes WHERE state = 'active'", "5")
		var nodes []struct {
			NodeID string `json:"nodeId"`
			Reason string `json:"reason"`
		}
		if err := getJSON(t.Context(), x.URL()+"/v1/node", &nodes); err != nil || len(nodes) != 5 {
			t.Errorf("%v, %v", nodes, err)
		}
		for _, n := range nodes {
			if (n.Reason == "leads") != (n.NodeID == lead.ID) {
				t.Errorf("%s %q, leader %s", n.NodeID, n.Reason, lead.ID)
			}
		}
	}
	must(t, c.URL, count, countRows)
	s, err := slt.NewSession(c.follower(lead).URL(), "folder", "tiny")
	if err != nil {
		t.Fatal(err)
	}
	tpch.Run(t, s, tpch.Tiny)
	out, err := admin(t, c.follower(lead), "members")
	if err != nil || strings.Count(out, "follower") != 2 || !strings.Contains(out, lead.ID+"           leader") {
		t.Errorf("%v\n%s", err, out)
	}
}

// killDuring kills the leader while a query runs that a client of another
// coordinator waits for: it has its answer, and nothing to do for it.
func killDuring(t *testing.T, c *Coordinators) {
	lead := c.settle(t, 2)
	x := c.follower(lead)
	type answer struct {
		rows []string
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		rows, err := (&reader{url: x.URL()}).query(t.Context(), heavy, nil)
		got <- answer{rows, err}
	}()
	if err := busy(t.Context(), lead.URL(), "worker-2"); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	c.Kill(lead)
	must(t, x.URL(), "SELECT 1", "1")
	t.Logf("next answer %s after the kill", time.Since(killed).Round(time.Millisecond))
	a := <-got
	if a.err != nil || len(a.rows) != 1 || a.rows[0] != heavyRows {
		t.Errorf("%v, %v", a.rows, a.err)
	}
	if err := c.Start(c.index(lead)); err != nil {
		t.Fatal(err)
	}
}

// handOver moves the leadership twice while a query runs: on an operator's
// word, and by the leader's orderly end. No request fails.
func handOver(t *testing.T, c *Coordinators) {
	lead := c.settle(t, 2)
	x := c.follower(lead)
	stop, failed := make(chan struct{}), make(chan error, 2)
	worst := time.Duration(0)
	go func() { // without any patience
		for {
			select {
			case <-stop:
				failed <- nil
				return
			default:
			}
			at := time.Now()
			if rows, err := (&reader{url: x.URL()}).query(t.Context(), "SELECT 1", nil); err != nil || len(rows) != 1 {
				failed <- fmt.Errorf("%v, %w", rows, err)
				return
			}
			worst = max(worst, time.Since(at))
		}
	}()
	go func() {
		rows, err := (&reader{url: x.URL()}).query(t.Context(), heavy, nil)
		if err == nil && (len(rows) != 1 || rows[0] != heavyRows) {
			err = fmt.Errorf("%v", rows)
		}
		failed <- err
	}()
	if err := busy(t.Context(), lead.URL(), "worker-2"); err != nil {
		t.Fatal(err)
	}
	var other *Coordinator
	for _, o := range c.All {
		if o != lead && o != x {
			other = o
		}
	}
	if out, err := admin(t, x, "transfer-leader", other.ID); err != nil || out != other.ID+" leads\n" {
		t.Errorf("%s %v", out, err)
	}
	if now := c.settle(t, 2); now != other {
		t.Errorf("%s leads", now.ID)
	}
	if err := other.Stop(); err != nil {
		t.Error(err)
	}
	if now := c.settle(t, 2); now == other {
		t.Error("who has stopped leads")
	}
	if err := <-failed; err != nil {
		t.Errorf("the query: %v", err)
	}
	close(stop)
	if err := <-failed; err != nil {
		t.Errorf("a small one: %v", err)
	}
	t.Logf("longest answer over two hand-overs: %s", worst.Round(time.Millisecond))
	if err := c.Start(c.index(other)); err != nil {
		t.Fatal(err)
	}
}

// drained has a worker drained by the state that coordinators keep, saves that
// state, and restores it.
func drained(t *testing.T, c *Coordinators) {
	lead := c.settle(t, 2)
	x, backup := c.follower(lead), filepath.Join(t.TempDir(), "backup")
	if out, err := admin(t, x, "drain", "worker-2", "--reason", "test"); err != nil {
		t.Fatalf("%s %v", out, err)
	}
	select {
	case <-c.Workers[1].ended:
	case <-time.After(20 * time.Second):
		t.Fatal("the worker does not end")
	}
	if code := c.Workers[1].cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("it ended with code %d", code)
	}
	must(t, x.URL(), count, countRows)
	if out, err := admin(t, lead, "backup", backup); err != nil {
		t.Errorf("%s %v", out, err)
	}
	if out, err := admin(t, x, "undrain", "worker-2"); err != nil {
		t.Errorf("%s %v", out, err)
	}
	if out, err := admin(t, x, "restore", backup); err != nil {
		t.Errorf("%s %v", out, err)
	}
	if out, err := admin(t, lead, "members"); err != nil || !strings.Contains(out, "drained: worker-2 test") {
		t.Errorf("%s %v", out, err)
	}
	if out, err := admin(t, x, "undrain", "worker-2"); err != nil {
		t.Errorf("%s %v", out, err)
	}
	w, err := c.startWorker(1)
	if err != nil {
		t.Fatal(err)
	}
	c.Workers[1] = w
	c.settle(t, 2)
}

// TestLeadersKilled kills the leader again and again (20 times in the long
// form) under a load of queries with known answers, through a door that knows
// nothing of who leads. All answers are right; figures are logged.
func TestLeadersKilled(t *testing.T) {
	t.Parallel()
	kills := 2
	if long {
		kills = 20
	}
	c := coordinatorsOf(t, "killed", 3)
	if err := c.StartAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	lead := c.settle(t, 3)
	ctx := t.Context()
	var over atomic.Bool
	var load sync.WaitGroup
	var retries, done, lost atomic.Int64
	for _, q := range []struct{ sql, want string }{
		{count, countRows},
		{"SELECT 1", "1"},
		{"SELECT count(*), sum(c) FROM (SELECT orderkey, count(*) AS c FROM tpch.tiny.lineitem GROUP BY orderkey)", "15000 60175"},
		{heavy, heavyRows},
	} {
		load.Go(func() {
			r := &reader{url: c.URL, again: true, retries: &retries}
			for !over.Load() {
				rows, err := r.query(ctx, q.sql, nil)
				switch {
				case err != nil && strings.Contains(err.Error(), "run it again"), err != nil && strings.Contains(err.Error(), "run the query again"):
					lost.Add(1)
					t.Logf("%s: %v", q.sql, err)
				case err != nil || len(rows) != 1 || rows[0] != q.want:
					t.Errorf("%s: %v, %v", q.sql, rows, err)
				default:
					done.Add(1)
				}
			}
		})
	}
	var gaps []time.Duration
	first, err := lead.metric(ctx, "tutti_coordinator_epoch")
	if err != nil {
		t.Fatal(err)
	}
	for range kills {
		time.Sleep(500 * time.Millisecond)
		killed := time.Now()
		c.Kill(lead)
		must(t, c.follower(lead).URL(), "SELECT 1", "1")
		gaps = append(gaps, time.Since(killed))
		if err := c.Start(c.index(lead)); err != nil {
			t.Fatal(err)
		}
		lead = c.settle(t, 3)
	}
	epoch, err := lead.metric(ctx, "tutti_coordinator_epoch")
	if err != nil {
		t.Fatal(err)
	}
	over.Store(true)
	load.Wait()
	slices.Sort(gaps)
	t.Logf("%d kills: next answer after %s (median), %s (worst); %d queries answered, %d requests sent again, %d queries to be run again by their clients, %.0f leaderships that no kill asked for",
		kills, gaps[len(gaps)/2].Round(time.Millisecond), gaps[len(gaps)-1].Round(time.Millisecond), done.Load(), retries.Load(), lost.Load(), epoch-first-float64(kills))
	if gaps[len(gaps)-1] > 15*time.Second || done.Load() == 0 {
		t.Errorf("gaps %v, %d queries answered", gaps, done.Load())
	}
}
