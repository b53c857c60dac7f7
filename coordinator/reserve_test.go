package coordinator

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
)

func scanOf(bytes float64, local bool) *plan.Scan {
	return &plan.Scan{Base: plan.Base{Est: &plan.Estimate{Bytes: bytes}}, Table: &connectors.Table{Local: local}}
}

// TestReservation: what operators keep counts, by how it is spread.
func TestReservation(t *testing.T) {
	const mb = 1 << 20
	scan, unknown := scanOf(100*mb, false), scanOf(math.NaN(), false)
	est := func(bytes float64) plan.Base { return plan.Base{Est: &plan.Estimate{Bytes: bytes}} }
	keys := []plan.Column{{ID: 1}}
	for _, c := range []struct {
		name   string
		root   plan.Node
		spread plan.Spread
		want   int64
	}{
		{"scan", scan, plan.BySplits, reserveFloor},
		{"broadcast join", &plan.Join{Left: scan, Right: scan, Dist: plan.Broadcast}, plan.BySplits, reserveFloor + 200*mb},
		{"partitioned join", &plan.Join{Left: scan, Right: scan, Dist: plan.Partitioned}, plan.ByPartition, reserveFloor + 50*mb},
		{"join of unknown size", &plan.Join{Left: scan, Right: unknown, Dist: plan.Broadcast}, plan.BySplits, reserveFloor + 2*100*mb},
		{"groups", &plan.Aggregate{Base: est(40 * mb), Input: scan, Keys: keys}, plan.ByPartition, reserveFloor + 20*mb},
		{"partial groups", &plan.Aggregate{Base: est(40 * mb), Input: scan, Keys: keys, Step: plan.Partial}, plan.BySplits, reserveFloor},
		{"no groups", &plan.Aggregate{Base: est(8), Input: scan}, plan.OneTask, reserveFloor},
		{"sort", &plan.Sort{Input: scan}, plan.OneTask, reserveFloor + 100*mb},
		{"top n", &plan.TopN{Input: scan, N: 10}, plan.OneTask, reserveFloor},
		{"too large", &plan.Sort{Input: scanOf(1e15, false)}, plan.OneTask, 1000 * mb},
		{"both in one", &plan.Sort{Input: &plan.Aggregate{Base: est(40 * mb), Input: scan, Keys: keys}}, plan.OneTask, reserveFloor + 120*mb},
		{"local", &plan.Sort{Input: scanOf(math.NaN(), true)}, plan.OneTask, 0},
		{"local of known size", &plan.Sort{Input: scanOf(3*mb, true)}, plan.OneTask, 3 * mb},
		{"constants", &plan.Values{}, plan.OneTask, 0},
	} {
		p := &plan.Plan{Fragments: []*plan.Fragment{{Root: c.root, Spread: c.spread}}}
		if got := reservation(p, 4, 1000*mb); got != c.want {
			t.Errorf("%s: reserves %s, want %s", c.name, size(got), size(c.want))
		}
	}
}

// waitUntil polls a condition that another goroutine brings about.
func waitUntil(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// TestQueuedForMemory: a query whose memory is not free is visible as queued
// with its place and since when, leaves at once when it is canceled, and runs
// when the memory is free.
func TestQueuedForMemory(t *testing.T) {
	f := &fakeExecutor{hang: make(chan struct{})}
	c, now := newTest(t, f, Limits{ReservedMemory: 60})
	addTPCH(t, c)
	c.deps.Nodes = func() []NodeInfo { return []NodeInfo{{ID: "c1", Coordinator: true, State: "active", MemoryLimit: 100}} }
	run := func(props map[string]string) Query {
		return c.Submit(Request{SQL: "SELECT name FROM tpch.tiny.nation ORDER BY name", Session: Session{User: "ann", Properties: props}})
	}
	state := func(q Query, s State) func() bool { return func() bool { return q.Info().State == s } }
	first := run(nil)
	waitUntil(t, "the first runs", state(first, Running))
	if got := first.Info().ReservedBytes; got != 60 {
		t.Errorf("the first reserved %d bytes, want 60", got)
	}
	second := run(nil)
	waitUntil(t, "the second waits", func() bool { return second.Info().QueuePosition == 1 })
	third := run(map[string]string{"query_reserved_memory_per_node": "10B"})
	waitUntil(t, "the third waits", func() bool { return third.Info().QueuePosition == 2 })
	now.Advance(7 * time.Second)
	info := second.Info()
	if info.State != Queued || info.QueuedFor != 7*time.Second || !strings.Contains(info.Why, "waits for 60B of memory, of which running queries hold 60B; number 1") {
		t.Errorf("the second is %s for %s and %s", info.State, info.QueuedFor, info.Why)
	}
	if free := submit(c, "SELECT 1"); true {
		waitUntil(t, "a query without need for memory runs", state(free, Running))
	}
	second.Cancel(qerr.New(qerr.UserCanceled, "Query was canceled"))
	<-second.Done()
	waitUntil(t, "the third runs", state(third, Running))
	if info := third.Info(); info.QueuePosition != 0 || info.Why != "" || info.QueuedFor != 7*time.Second || info.ReservedBytes != 10 {
		t.Errorf("the third is at %d, %q, after %s, with %d bytes", info.QueuePosition, info.Why, info.QueuedFor, info.ReservedBytes)
	}
	close(f.hang)
	for _, q := range []Query{first, third} {
		if _, err := drain(t, q); err != nil {
			t.Error(err)
		}
	}
}

// TestQueueFull: with all places and the queue taken the next query is
// refused; statements about the session and KILL are not.
func TestQueueFull(t *testing.T) {
	f := &fakeExecutor{hang: make(chan struct{})}
	c, _ := newTest(t, f, Limits{MaxRunning: 1, MaxQueued: 1})
	running := submit(c, "SELECT 1")
	if _, err := running.Columns(context.Background()); err != nil {
		t.Fatal(err)
	}
	queued := submit(c, "SELECT 2")
	waitUntil(t, "the second waits", func() bool { return queued.Info().QueuePosition == 1 })
	if why := queued.Info().Why; why != "waits for one of 1 running queries to end; number 1 in the queue" {
		t.Errorf("waits because it %s", why)
	}
	if _, err := drain(t, submit(c, "SELECT 3")); !qerr.Is(err, qerr.QueryQueueFull) {
		t.Errorf("the third got %v, want QUERY_QUEUE_FULL", err)
	}
	if _, err := drain(t, submit(c, "SET SESSION batch_rows = 7")); err != nil {
		t.Error(err)
	}
	if _, err := drain(t, submit(c, "CALL system.runtime.kill_query(query_id => '"+string(running.ID())+"', message => 'room')")); err != nil {
		t.Error(err)
	}
	waitUntil(t, "the second runs", func() bool { return queued.Info().State == Running })
	close(f.hang)
	if _, err := drain(t, queued); err != nil {
		t.Error(err)
	}
}

// TestQueuedOutOfTime: time limits hold in the queue, too.
func TestQueuedOutOfTime(t *testing.T) {
	f := &fakeExecutor{hang: make(chan struct{})}
	c, now := newTest(t, f, Limits{MaxRunning: 1, ClientTimeout: time.Minute})
	running := submit(c, "SELECT 1")
	if _, err := running.Columns(context.Background()); err != nil {
		t.Fatal(err)
	}
	queued := submit(c, "SELECT 2")
	waitUntil(t, "the second waits", func() bool { return queued.Info().QueuePosition == 1 })
	now.Advance(2 * time.Minute)
	running.Touch()
	waitUntil(t, "the second is abandoned", func() bool { return queued.Info().State == Failed })
	if err := queued.Info().Error; err.Code != qerr.AbandonedQuery {
		t.Errorf("ended with %v", err)
	}
	close(f.hang)
	if _, err := drain(t, running); err != nil {
		t.Error(err)
	}
}
