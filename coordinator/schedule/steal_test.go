package schedule

import (
	"slices"
	"testing"
	"time"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/coordinator/query"
	"github.com/tuttidb/tutti/planner/plan"
)

// buildRun is a run whose stage 1 scans n splits and joins them with what the
// one task of stage 2 gives, which each task reads as a whole.
func buildRun(n int) *query.Run {
	scan := &plan.Scan{Dynamic: []plan.DynamicUse{{Filter: 1}}}
	scan.ID = 5
	build := &plan.RemoteSource{Fragments: []plan.FragmentID{2}, Kind: plan.Replicate}
	r := query.NewRun("q", &plan.Plan{Fragments: []*plan.Fragment{
		{ID: 0, Root: &plan.Aggregate{Input: gathered()}, Spread: plan.OneTask, Inputs: []plan.FragmentID{1}},
		{ID: 1, Root: &plan.Join{Left: scan, Right: build, Dynamic: []plan.DynamicSource{{Filter: 1}}}, Spread: plan.BySplits, Inputs: []plan.FragmentID{2}},
		{ID: 2, Root: &plan.Values{}, Spread: plan.OneTask, Output: plan.Partitioning{Kind: plan.Replicate}},
	}}, 0, 1)
	for i := range n {
		r.Stages[1].Scans[0].Pending = append(r.Stages[1].Scans[0].Pending, query.Split{ID: int64(i), Scan: 5, Split: connectors.Split{Bytes: 32 << 20}})
	}
	r.Stages[1].Scans[0].Listed = true
	return r
}

// TestWorth: what is moved is what the new task would start earlier, and
// nothing is taken from who has had no time to begin.
func TestWorth(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name    string
		inputs  time.Duration // when the last of them was there; negative: it is not
		started int
		began   time.Duration
		other   time.Duration // how long another node's task took to begin; 0: there is none
		now     time.Duration
		want    int // of 8 splits
	}{
		{"inputs are not there", -1, 0, 0, 0, time.Hour, 0},
		{"nobody has begun yet", 200 * ms, 0, 0, 0, 2 * time.Second, 0},
		{"nobody has begun for long", 200 * ms, 0, 0, 0, 2*time.Second + 200*ms, 4},
		{"it may yet begin", 200 * ms, 0, 0, 400 * ms, 999 * ms, 0},
		{"others have begun for long", 200 * ms, 0, 0, 400 * ms, 1000 * ms, 4},
		{"it is done by then", 0, 2, 400 * ms, 600 * ms, 600 * ms, 0},             // 6 splits in 600 ms
		{"some are left by then", 0, 2, 400 * ms, 400 * ms, 600 * ms, 1},          // 2 of 6 after 400 ms
		{"it is slow", 0, 2, 400 * ms, 100 * ms, 2400 * ms, 3},                    // 1 s each
		{"a new one begins at once", 0, 2, 400 * ms, 1 * ms, 600 * ms, 3},         // nothing to build
		{"it has only just begun", 0, 2, 400 * ms, 400 * ms, 400 * ms, 3},         // its pace is not known
		{"nothing is left to start", 0, 8, 400 * ms, 400 * ms, 1400 * ms, 0},      // of any
		{"it is stuck in its first", 0, 1, 400 * ms, 400 * ms, 10 * time.Hour, 4}, // of 7
	} {
		r := buildRun(0)
		s, up := r.Stages[1], r.Stages[2]
		src := r.AddTask(up, "w0", nil)
		up.Complete, src.Committed, up.Last = true, c.inputs >= 0, max(c.inputs, 0)
		victim := r.AddTask(s, "w0", make([]query.Split, 8))
		victim.Started, victim.Began = c.started, c.began
		nodes := workers(2, 1)
		if c.other > 0 {
			o := r.AddTask(s, "w1", nil)
			o.Place, o.Started, o.Began = nodes[1].Place(), 1, c.inputs+c.other
		}
		r.Now = c.now
		if got := worth(r, s, victim, nodes[1]); got != c.want {
			t.Errorf("%s: %d splits, want %d", c.name, got, c.want)
		}
	}
}

// TestPatience: a split that moves is left alone for longer each time.
func TestPatience(t *testing.T) {
	for _, c := range []struct {
		moves int
		want  time.Duration
	}{{0, stealAfter}, {1, 2 * stealAfter}, {5, 32 * stealAfter}, {100, 256 * stealAfter}} {
		task := &query.Task{Splits: []query.Split{{Moves: 9}, {Moves: c.moves}}}
		if got := patience(task); got != c.want {
			t.Errorf("after %d moves: %s, want %s", c.moves, got, c.want)
		}
	}
	r := scanRun(1, 1, &plan.Aggregate{Input: gathered()})
	Decide(r, workers(2, 1))
	r.Return(r.Stages[1].Tasks[0], []int64{0}, 0)
	if p := r.Stages[1].Scans[0].Pending; len(p) != 1 || p[0].Moves != 1 {
		t.Errorf("given back: %+v", p)
	}
}

// TestSlowBuilds: tasks that take long before they start their first split are
// not robbed of it, over and over, by new tasks that take as long: a stage of
// four nodes has few tasks, however long they build, and ends in good time.
func TestSlowBuilds(t *testing.T) {
	const step, perSplit = 20 * time.Millisecond, 100 * time.Millisecond
	for _, build := range []time.Duration{0, 150 * time.Millisecond, 2 * time.Second, 20 * time.Second} {
		for _, slow := range []int{1, 8} { // how much slower the first node is
			r, nodes := buildRun(101), workers(4, 1)
			ready := map[*query.Task]time.Duration{}
			deadline := 2*build*time.Duration(slow) + 12*time.Second
			for r.Now = 0; !r.Stages[1].Done() && r.Now < 2*deadline; r.Now += step {
				asks := Decide(r, nodes)
				for _, task := range r.Stages[1].Tasks {
					pace := 1
					if task.Node == "w0" {
						pace = slow
					}
					if ready[task] == 0 && r.Stages[2].Done() {
						ready[task] = r.Now + build*time.Duration(pace)
					}
					work(r, task, ready[task], perSplit*time.Duration(pace))
				}
				for _, a := range asks {
					giveBack(r, a)
				}
				if r.Now > 500*time.Millisecond { // what is joined comes late
					for _, task := range r.Stages[2].Tasks {
						r.Report(query.Status{Task: task.ID, Version: 1, State: query.Finished, End: &query.End{Partitions: make([]query.PartitionEnd, 1)}})
					}
				}
			}
			if n := len(r.Stages[1].Tasks); !r.Stages[1].Done() || r.Now > deadline || n > 6*len(nodes) {
				t.Errorf("builds of %s, first node %d times slower: %d tasks, done %v after %s, want %s; failure %v", build, slow, n, r.Stages[1].Done(), r.Now, deadline, r.Failure)
			}
		}
	}
}

// work lets a task that is ready since a time start a split each pace, end when
// it has had all, and report.
func work(r *query.Run, t *query.Task, ready, pace time.Duration) {
	if ready == 0 || r.Now < ready || t.Status.State.Done() {
		return
	}
	n := min(int((r.Now-ready)/pace)+1, len(t.Splits))
	n = max(n, t.Started)
	st := query.Status{Task: t.ID, Version: t.Status.Version + 1, State: query.Running, DoneSplits: n}
	if n == len(t.Splits) && !t.Open && r.Now-ready >= pace*time.Duration(n) {
		st.State, st.End = query.Finished, &query.End{Partitions: make([]query.PartitionEnd, 1)}
		for _, sp := range t.Splits {
			st.End.Splits = append(st.End.Splits, sp.ID)
		}
	}
	r.Report(st)
}

// giveBack answers a request for splits at once.
func giveBack(r *query.Run, a Action) {
	for _, ask := range a.Update.TakeBack {
		var ids []int64
		for _, sp := range slices.Backward(a.Task.Splits[a.Task.Started:]) {
			if len(ids) < ask.Count {
				ids = append(ids, sp.ID)
			}
		}
		r.Return(a.Task, ids, a.Task.Started)
	}
}
