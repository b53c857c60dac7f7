package cluster

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tuttidb/tutti/test/slt"
	"github.com/tuttidb/tutti/test/tpch"
)

// TestCancelLeaks kills many queries at random moments and then looks at what
// the nodes hold: goroutines, slabs, outputs, files, accounted bytes. It must
// be what they held before.
func TestCancelLeaks(t *testing.T) {
	count := 200
	if long {
		count = 1000
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	queries := tpch.Queries()
	warm := session(t, shared.Cluster, "s3", "sf1")
	for _, q := range queries {
		if _, err := warm.Query(t.Context(), q.SQL); err != nil {
			t.Fatal(err)
		}
	}
	before := shared.calm(t)
	var wg sync.WaitGroup
	slots := make(chan struct{}, 4)
	canceled := make(chan bool, count)
	for range count {
		slots <- struct{}{}
		sql, after := queries[rng.IntN(len(queries))].SQL, time.Duration(rng.Int64N(int64(300*time.Millisecond)))
		wg.Go(func() {
			defer func() { <-slots }()
			canceled <- shared.startAndCancel(t, sql, after)
		})
	}
	wg.Wait()
	close(canceled)
	killed := 0
	for c := range canceled {
		if c {
			killed++
		}
	}
	t.Logf("%d queries, %d ended by their cancel", count, killed)
	if killed < count/4 {
		t.Errorf("only %d of %d queries were canceled before their end", killed, count)
	}
	// Two seconds to let go, one more for a heartbeat to tell.
	if err := shared.Settled(t.Context(), before, 4*time.Second); err != nil {
		t.Errorf("still held after %d canceled queries:\n%v", count, err)
	}
}

// TestLeakCheckSeesLeaks plants one: a result that nobody reads.
func TestLeakCheckSeesLeaks(t *testing.T) {
	warm := session(t, shared.Cluster, "s3", "sf1") // connections, once made, stay
	for _, q := range tpch.Queries()[:5] {
		if _, err := warm.Query(t.Context(), q.SQL); err != nil {
			t.Fatal(err)
		}
	}
	before := shared.calm(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, shared.URL+"/v1/statement",
		strings.NewReader("SELECT * FROM s3.sf1.orders ORDER BY o_totalprice"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Trino-User", "leak")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var page struct{ ID, NextURI string }
	if err := decode(resp, &page); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		now, err := shared.Figures(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if Grown(before, now) != nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	shared.cancel(t, page.NextURI)
	if err := shared.Settled(t.Context(), before, 4*time.Second); err != nil {
		t.Errorf("still held after the cancel:\n%v", err)
	}
}

// calm returns the figures once nothing runs.
func (w *world) calm(t *testing.T) Figures {
	t.Helper()
	http.DefaultClient.CloseIdleConnections()
	idle := Figures{}
	deadline := time.Now().Add(20 * time.Second)
	for {
		now, err := w.Figures(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for name := range now {
			idle[name] = now[name]
			if strings.HasPrefix(name, "tutti_node_tasks") || strings.HasPrefix(name, "tutti_node_queries") {
				idle[name] = 0
			}
		}
		if Grown(idle, now) == nil {
			time.Sleep(1100 * time.Millisecond) // heartbeats tell of a second ago
			now, err = w.Figures(t.Context())
			if err == nil && Grown(idle, now) == nil {
				return now
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("the cluster never rests: %v", Grown(idle, now))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// startAndCancel runs a query as a client does and gives up after a time. It
// returns whether the query had not ended by then.
func (w *world) startAndCancel(t *testing.T, sql string, after time.Duration) bool {
	ctx, cancel := context.WithTimeout(t.Context(), after)
	defer cancel()
	uri, err := post(t.Context(), w.URL, sql)
	for err == nil && uri != "" {
		next, e := get(ctx, uri)
		if ctx.Err() != nil {
			w.cancel(t, uri)
			return true
		}
		uri, err = next, e
	}
	var failure *slt.Failure
	if err != nil && !errors.As(err, &failure) {
		t.Error(err)
	}
	return false
}

// cancel deletes a running statement, as clients do to cancel it.
func (w *world) cancel(t *testing.T, uri string) {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, uri, nil)
	if err != nil {
		t.Error(err)
		return
	}
	req.Header.Set("X-Trino-User", "cancel")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Error(err)
		return
	}
	resp.Body.Close()
	if resp.StatusCode >= 300 {
		t.Errorf("cancel: %s", resp.Status)
	}
}
