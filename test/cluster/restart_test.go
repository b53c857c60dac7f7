package cluster

import (
	"context"
	"slices"
	"strconv"
	"testing"
	"time"
)

// Queries outlive all coordinators at once: what of them is on disks and on
// workers is enough to go on.

type result struct {
	rows []string
	err  error
}

// patient runs a statement as a client does that tries again what was refused.
func patient(ctx context.Context, url, sql string) <-chan result {
	got := make(chan result, 1)
	go func() {
		rows, err := (&reader{url: url, again: true}).query(ctx, sql, nil)
		got <- result{rows, err}
	}()
	return got
}

// longer takes some seconds on two workers, and no memory.
const longer = "SELECT count(*), sum(linenumber) FROM tpch.sf100.lineitem WHERE orderkey % 7 < 5"

// shorter is done before a coordinator that was asked to end gives up on it.
const shorter = "SELECT count(*), sum(linenumber) FROM tpch.sf10.lineitem WHERE orderkey % 7 < 4"

// old waits until a statement of some text runs, and if wanted until it has done
// so for longer than it takes until it is on disks.
func old(ctx context.Context, t *testing.T, url, text string, wanted bool) {
	t.Helper()
	sql := "SELECT count(*) FROM system.runtime.queries WHERE state = 'RUNNING' AND query = '" + text + "'"
	for ; ; time.Sleep(10 * time.Millisecond) {
		if rows, err := (&reader{url: url}).query(ctx, sql, nil); err == nil && len(rows) == 1 && rows[0] != "0" {
			break
		}
		if ctx.Err() != nil {
			t.Fatal("it never runs: " + text)
		}
	}
	if wanted {
		time.Sleep(1500 * time.Millisecond)
	}
}

func check(t *testing.T, got <-chan result, url, sql string) {
	t.Helper()
	a := <-got
	if a.err != nil || len(a.rows) != 1 {
		t.Fatalf("%v, %v", a.rows, a.err)
	}
	if again := <-patient(t.Context(), url, sql); again.err != nil || len(again.rows) != 1 || again.rows[0] != a.rows[0] {
		t.Errorf("%v, and without a restart %v, %v", a.rows, again.rows, again.err)
	}
}

// TestAllKilled kills all coordinators at once while a query runs.
func TestAllKilled(t *testing.T) {
	t.Parallel()
	c := coordinatorsOf(t, "allkilled", 2)
	if err := c.StartAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	got := patient(ctx, c.URL, longer)
	old(ctx, t, c.URL, longer, true)
	for _, x := range c.All {
		c.Kill(x)
	}
	select {
	case a := <-got:
		t.Fatalf("it was too quick: %v", a)
	case <-time.After(time.Second):
	}
	killed := time.Now()
	for i := range c.All {
		if err := c.Start(i); err != nil {
			t.Fatal(err)
		}
	}
	if a := <-patient(ctx, c.URL, "SELECT 1"); a.err != nil {
		t.Error(a.err)
	}
	t.Logf("first answer %s after the start", time.Since(killed).Round(time.Millisecond))
	check(t, got, c.URL, longer)
	t.Logf("taken over %d, begun again %d, without workers %d", c.said(t, "run taken over"), c.said(t, "query begins again"), c.said(t, "without workers that have not joined"))
	if n := c.said(t, "query goes on"); n == 0 {
		t.Error("nobody went on with it")
	}
	if n := c.said(t, "without workers that have not joined"); n > 0 {
		t.Error("workers were not waited for")
	}
}

// TestOneRestarted ends a coordinator that has no peers while a query runs, at
// once and in an orderly way, and starts it again.
func TestOneRestarted(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"killed", "asked to end"} {
		t.Run(how, func(t *testing.T) {
			c := someCoordinators(t, "one-"+strconv.Itoa(len(how)), 1, 2)
			if err := c.StartAll(t.Context()); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			x := c.All[0]
			sql := longer
			if how != "killed" {
				sql = shorter
			}
			got := patient(ctx, x.URL(), sql)
			old(ctx, t, x.URL(), sql, how == "killed")
			if how == "killed" {
				c.Kill(x)
				select {
				case a := <-got:
					t.Fatalf("it was too quick: %v", a)
				case <-time.After(time.Second):
				}
			} else if err := x.Process.Stop(); err != nil {
				t.Fatal(err)
			}
			if err := c.Start(0); err != nil {
				t.Fatal(err)
			}
			check(t, got, x.URL(), sql)
			t.Logf("goes on %d, taken over %d, begun again %d", c.said(t, "query goes on"), c.said(t, "run taken over"), c.said(t, "query begins again"))
			if how == "killed" && c.said(t, "query goes on") == 0 {
				t.Error("it did not go on")
			}
		})
	}
}

// TestOneKilledWhileRead kills a coordinator without peers while rows are read:
// nobody remembers which the client has. It is told so, or has all of them;
// none comes twice.
func TestOneKilledWhileRead(t *testing.T) {
	t.Parallel()
	c := someCoordinators(t, "one-read", 1, 2)
	if err := c.StartAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	shown, killed := 0, false
	rows, err := (&reader{url: c.All[0].URL(), again: true}).query(ctx, "SELECT orderkey, linenumber, comment FROM tpch.sf1.lineitem", func(page int) {
		if shown++; shown < 8 || killed {
			time.Sleep(200 * time.Millisecond) // so that it is old
			return
		}
		killed = true
		c.Kill(c.All[0])
		if err := c.Start(0); err != nil {
			t.Error(err)
		}
	})
	if !killed {
		t.Error("it was not killed")
	}
	n := len(rows)
	slices.Sort(rows)
	if len(slices.Compact(rows)) != n {
		t.Error("rows came twice")
	}
	if err == nil && n != 6001215 {
		t.Errorf("%d rows, and no error", n)
	}
	t.Logf("%d rows, %v", n, err)
}
