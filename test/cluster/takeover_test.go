package cluster

import (
	"context"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// said counts the lines of all coordinators' logs that have a text.
func (c *Coordinators) said(t *testing.T, text string) (n int) {
	t.Helper()
	for _, x := range c.All {
		b, err := os.ReadFile(x.Log)
		if err != nil {
			t.Fatal(err)
		}
		n += strings.Count(string(b), text)
	}
	return n
}

// replace kills the leader and waits until another one leads; the killed one
// comes back.
func (c *Coordinators) replace(ctx context.Context, t *testing.T, lead *Coordinator) {
	t.Helper()
	c.Kill(lead)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if x := c.Leader(ctx); x != nil && x != lead {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("nobody leads")
		}
	}
	if err := c.Start(c.index(lead)); err != nil {
		t.Fatal(err)
	}
}

// TestTakeover: what the workers of a query are doing is gone on with when the
// coordinator dies: in the middle of its computation, and in the middle of a
// result that is read, twice. No row is lost or doubled, and nothing runs again.
func TestTakeover(t *testing.T) {
	t.Parallel()
	c := coordinatorsOf(t, "takeover", 2)
	if err := c.StartAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.settle(t, 2)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	r := &reader{url: c.URL, again: true}
	before := c.said(t, "run taken over")

	t.Run("while rows are read", func(t *testing.T) {
		const rows = 1_000_000 // more than a coordinator keeps of a result
		kills := 0
		got, err := r.query(ctx, "SELECT orderkey, linenumber, comment FROM tpch.sf1.lineitem WHERE orderkey < 1000000", func(page int) {
			if page == 4 || page == 10 {
				kills++
				c.replace(ctx, t, c.Leader(ctx))
			}
		})
		if kills != 2 {
			t.Errorf("%d kills", kills)
		}
		if err != nil {
			t.Fatalf("after %d rows: %v", len(got), err)
		}
		slices.Sort(got)
		if n := len(got); n < rows/2 || len(slices.Compact(got)) != n {
			t.Errorf("%d rows, %d of them different", n, len(slices.Compact(got)))
		}
		must(t, c.URL, "SELECT count(*) FROM tpch.sf1.lineitem WHERE orderkey < 1000000", strconv.Itoa(len(got)))
	})
	t.Run("while it is computed", func(t *testing.T) {
		done := make(chan error, 1)
		var got []string
		go func() {
			var err error
			got, err = r.query(ctx, heavy, nil)
			done <- err
		}()
		lead := c.Leader(ctx)
		if err := busy(ctx, lead.URL(), "worker-2"); err != nil {
			t.Fatal(err)
		}
		c.replace(ctx, t, lead)
		if err := <-done; err != nil || len(got) != 1 || got[0] != heavyRows {
			t.Errorf("%v, %v", got, err)
		}
	})
	if n := c.said(t, "run taken over") - before; n < 3 {
		t.Errorf("%d runs were taken over; begun again: %d", n, c.said(t, "query begins again"))
	}
}
