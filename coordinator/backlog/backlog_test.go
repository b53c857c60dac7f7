package backlog

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tuttidb/tutti/coordinator"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func ago(d time.Duration) time.Time { return now.Add(-d) }

// waiting is a query that came a while ago and has not begun.
func waiting(state coordinator.State, age time.Duration) *coordinator.QueryInfo {
	return &coordinator.QueryInfo{State: state, Created: ago(age)}
}

// running is a query with splits: queued, running, done, and the processor time so far.
func running(queued, run, done int, cpu time.Duration) *coordinator.QueryInfo {
	return &coordinator.QueryInfo{State: coordinator.Running, Created: ago(time.Minute), Stats: coordinator.Stats{
		TotalSplits: queued + run + done, QueuedSplits: queued, RunningSplits: run, DoneSplits: done, CPU: cpu,
	}}
}

// ended is a query that ended a while ago.
func ended(state coordinator.State, since time.Duration, splits int, cpu time.Duration) *coordinator.QueryInfo {
	q := running(0, 0, splits, cpu)
	q.State, q.Ended = state, ago(since)
	q.Stages = []coordinator.StageInfo{{Tasks: []coordinator.TaskInfo{{Node: ""}}}, {Tasks: []coordinator.TaskInfo{{Node: "w1"}}}}
	return q
}

// alone makes a query one that the coordinator answered by itself.
func alone(q *coordinator.QueryInfo) *coordinator.QueryInfo {
	q.Stages = q.Stages[:1]
	return q
}

// held gives a query's operators time on threads.
func held(q *coordinator.QueryInfo, walls ...time.Duration) *coordinator.QueryInfo {
	for _, w := range walls {
		q.Stages = append(q.Stages, coordinator.StageInfo{Operators: []coordinator.OperatorInfo{{Wall: w}}})
	}
	return q
}

func worker(state string, threads, drivers int) coordinator.NodeInfo {
	return coordinator.NodeInfo{State: state, Threads: threads, RunningDrivers: drivers}
}

var boss = coordinator.NodeInfo{Coordinator: true, State: "active", Threads: 64, RunningDrivers: 64}

func TestMeasure(t *testing.T) {
	type queries = []*coordinator.QueryInfo
	type nodes = []coordinator.NodeInfo
	for _, c := range []struct {
		name    string
		queries queries
		nodes   nodes
		want    Figures
	}{
		{"nothing at all", nil, nil, Figures{}},
		{"idle workers", nil, nodes{boss, worker("active", 4, 0)}, Figures{Workers: 1, Threads: 4}},
		{
			"a cluster that keeps up has nothing waiting", queries{running(0, 8, 100, time.Hour), running(0, 0, 0, 0)}, nodes{worker("active", 4, 3)},
			Figures{Workers: 1, Threads: 4, Busy: 0.75},
		},
		{
			"no worker was ever seen", queries{waiting(coordinator.WaitingForResources, 7*time.Second)}, nodes{boss},
			Figures{Seconds: 1, ThreadSeconds: 1, OldestSeconds: 7, Queries: 1},
		},
		{
			"no worker now, but its size is known", queries{waiting(coordinator.WaitingForResources, time.Second)}, nodes{boss, worker("gone", 8, 0)},
			Figures{Seconds: 0.125, ThreadSeconds: 1, OldestSeconds: 1, Queries: 1},
		},
		{
			"the smallest that is known stands for the first", queries{waiting(coordinator.Queued, 0)}, nodes{worker("gone", 8, 0), worker("gone", 2, 0)},
			Figures{Seconds: 0.5, ThreadSeconds: 1, Queries: 1},
		},
		{
			"a worker that drains is no capacity", queries{waiting(coordinator.Queued, 0)}, nodes{worker("draining", 2, 2), worker("active", 2, 9)},
			Figures{Seconds: 0.5, ThreadSeconds: 1, Queries: 1, Workers: 1, Threads: 2, Busy: 1},
		},
		{
			"splits by their own query's measure", queries{running(100, 4, 8, 20*time.Second)}, nodes{worker("active", 5, 5), worker("active", 5, 0)},
			Figures{Seconds: 20, ThreadSeconds: 200, Splits: 100, Workers: 2, Threads: 10, Busy: 1},
		},
		{
			"time in operators beyond processor time is waiting for storage", queries{held(running(10, 0, 10, time.Second), 20*time.Second, 10*time.Second)},
			nodes{worker("active", 1, 1)}, Figures{Seconds: 30, ThreadSeconds: 30, Splits: 10, Workers: 1, Threads: 1, Busy: 1},
		},
		{
			"before the first split is done: what splits cost lately",
			queries{running(10, 2, 0, time.Second), ended(coordinator.Finished, time.Minute, 10, 20*time.Second)},
			nodes{worker("active", 1, 1)}, Figures{Seconds: 20, ThreadSeconds: 20, Splits: 10, Workers: 1, Threads: 1, Busy: 1},
		},
		{
			"unless those that run have taken longer already",
			queries{running(10, 2, 0, time.Minute), ended(coordinator.Finished, time.Minute, 10, 20*time.Second)},
			nodes{worker("active", 1, 1)}, Figures{Seconds: 300, ThreadSeconds: 300, Splits: 10, Workers: 1, Threads: 1, Busy: 1},
		},
		{
			"nothing begun and nothing known", queries{running(10, 0, 0, 0)}, nodes{worker("active", 1, 0)},
			Figures{Seconds: 10, ThreadSeconds: 10, Splits: 10, Workers: 1, Threads: 1},
		},
		{
			"queries that wait cost what queries cost lately",
			queries{
				waiting(coordinator.Queued, 3*time.Second), waiting(coordinator.Queued, 9*time.Second),
				ended(coordinator.Finished, time.Minute, 1, 30*time.Second), ended(coordinator.Finished, time.Minute, 5, 10*time.Second),
			},
			nodes{worker("active", 4, 0)}, Figures{Seconds: 10, ThreadSeconds: 40, OldestSeconds: 9, Queries: 2, Workers: 1, Threads: 4},
		},
		{
			"long ago, failed, or answered without workers: says nothing",
			queries{
				waiting(coordinator.Queued, 0), ended(coordinator.Finished, time.Hour, 1, time.Hour),
				ended(coordinator.Failed, time.Minute, 1, time.Hour), ended(coordinator.Finished, time.Minute, 0, time.Hour), alone(ended(coordinator.Finished, 0, 9, 0)),
			},
			nodes{worker("active", 1, 0)}, Figures{Seconds: 1, ThreadSeconds: 1, Queries: 1, Workers: 1, Threads: 1},
		},
		{
			"what waits is never nothing", queries{waiting(coordinator.Queued, 0), ended(coordinator.Finished, 0, 5, 0)}, nodes{worker("active", 1, 0)},
			Figures{Seconds: leastQuery, ThreadSeconds: leastQuery, Queries: 1, Workers: 1, Threads: 1},
		},
		{
			"a query that has lost all its workers counts its splits",
			queries{func() *coordinator.QueryInfo {
				q := running(60, 0, 30, time.Minute)
				q.State = coordinator.WaitingForResources
				return q
			}()},
			nodes{worker("gone", 4, 0)}, Figures{Seconds: 30, ThreadSeconds: 120, OldestSeconds: 60, Queries: 1, Splits: 60},
		},
		{
			"ended queries do not wait, whatever their figures say",
			queries{func() *coordinator.QueryInfo {
				q := running(60, 0, 30, time.Minute)
				q.State = coordinator.Failed
				return q
			}()},
			nodes{worker("active", 4, 0)}, Figures{Workers: 1, Threads: 4},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Measure(c.queries, c.nodes, now)
			for _, f := range []*float64{&got.Seconds, &got.ThreadSeconds} {
				*f = math.Round(*f*1e9) / 1e9
			}
			if got != c.want {
				t.Errorf("\n got %+v\nwant %+v", got, c.want)
			}
		})
	}
}

// TestScale plays an autoscaler: n workers become n × seconds/target. The
// number it comes to does not depend on where it begins, and it stays there.
func TestScale(t *testing.T) {
	for begin := 0; begin <= 20; begin++ {
		n := begin
		for range 3 {
			var nodes []coordinator.NodeInfo
			for range n {
				nodes = append(nodes, worker("active", 4, 4))
			}
			if n == 0 {
				nodes = append(nodes, worker("gone", 4, 0))
			}
			f := Measure([]*coordinator.QueryInfo{running(940, 0, 100, 100*time.Second)}, nodes, now)
			n = int(math.Ceil(float64(max(1, n)) * f.Seconds / 30))
		}
		if n != 8 { // 940 s over 4 threads each, within 30 s
			t.Errorf("from %d: %d workers", begin, n)
		}
	}
}

// TestAlwaysANumber: whatever a snapshot holds, the figures are finite, not
// negative, and zero exactly if nothing waits.
func TestAlwaysANumber(t *testing.T) {
	const seed = 7
	r := rand.New(rand.NewPCG(seed, seed))
	states := []coordinator.State{
		coordinator.Queued, coordinator.WaitingForResources, coordinator.Planning, coordinator.Starting, coordinator.Running,
		coordinator.Finishing, coordinator.Finished, coordinator.Failed,
	}
	for i := range 5000 {
		var queries []*coordinator.QueryInfo
		var nodes []coordinator.NodeInfo
		for range r.IntN(5) {
			q := running(r.IntN(3), r.IntN(3), r.IntN(3), time.Duration(r.IntN(2))*time.Second)
			q.State, q.Ended = states[r.IntN(len(states))], ago(time.Minute)
			queries = append(queries, q)
		}
		for range r.IntN(4) {
			nodes = append(nodes, worker([]string{"active", "gone", "draining"}[r.IntN(3)], r.IntN(3), r.IntN(5)))
		}
		f := Measure(queries, nodes, now)
		if math.IsNaN(f.Seconds) || math.IsInf(f.Seconds, 0) || f.Seconds < 0 || f.Busy > float64(f.Workers) || f.Busy < 0 {
			t.Fatalf("seed %d, %d: %+v", seed, i, f)
		}
		if f.Queries > 0 && f.Seconds <= 0 || (f.Seconds > 0) != (f.ThreadSeconds > 0) || f.Queries+f.Splits == 0 && f.Seconds != 0 {
			t.Fatalf("seed %d, %d: %+v", seed, i, f)
		}
	}
}

// TestJSON fixes the names, which autoscalers are configured with.
func TestJSON(t *testing.T) {
	b, err := json.Marshal(Figures{Seconds: 1.5, ThreadSeconds: 3, OldestSeconds: 2, Queries: 1, Splits: 4, Workers: 2, Threads: 8, Busy: 0.5})
	const want = `{"workWaitingSeconds":1.5,"threadSeconds":3,"oldestQueuedSeconds":2,"queriesWaiting":1,"splitsWaiting":4,"workers":2,"threads":8,"workersBusy":0.5}`
	if err != nil || string(b) != want {
		t.Errorf("%s (%v)", b, err)
	}
}
