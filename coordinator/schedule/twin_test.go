package schedule

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/coordinator/query"
	"github.com/tuttidb/tutti/planner/plan"
)

// twinRun is a run of root ← a task for each partition ← one scan, which has
// ended after a second and gave partitions of so many bytes. The tasks run, the
// first on w0, the second on w1 and so on.
func twinRun(bytes ...int64) *query.Run {
	scan := &plan.Scan{}
	scan.ID = 5
	r := query.NewRun("q", &plan.Plan{Fragments: []*plan.Fragment{
		{ID: 0, Root: &plan.Aggregate{Input: gathered()}, Spread: plan.OneTask, Inputs: []plan.FragmentID{1}},
		{ID: 1, Root: &plan.RemoteSource{Fragments: []plan.FragmentID{2}, Kind: plan.Hash}, Spread: plan.ByPartition, Inputs: []plan.FragmentID{2}},
		{ID: 2, Root: scan, Spread: plan.BySplits, Output: plan.Partitioning{Kind: plan.Hash}},
	}}, 0, len(bytes))
	r.Recovery = query.Recovery{Tasks: true, Attempts: 4, Keep: 1 << 40, TwinAfter: 2 * time.Second}
	r.Stages[2].Scans[0].Listed = true
	nodes := workers(len(bytes), 1)
	Decide(r, nodes)
	r.Now = time.Second
	e := &query.End{}
	for _, n := range bytes {
		e.Partitions = append(e.Partitions, query.PartitionEnd{Bytes: n})
	}
	r.Report(query.Status{Task: r.Stages[2].Tasks[0].ID, Version: 1, State: query.Finished, End: e})
	for _, t := range append(slices.Clone(r.Stages[1].Tasks), r.Stages[0].Tasks...) {
		r.Report(query.Status{Task: t.ID, Version: 1, State: query.Running})
	}
	return r
}

// endAt ends a task of a run without splits at a time.
func endAt(r *query.Run, t *query.Task, at time.Duration) {
	r.Now = at
	s := r.Stages[t.ID.Stage.Fragment]
	r.Report(query.Status{
		Task: t.ID, Version: t.Status.Version + 1, State: query.Finished, End: &query.End{Partitions: make([]query.PartitionEnd, r.OutputPartitions(s.Fragment))},
	})
}

// twinsIn lists the twins that actions begin, as task@node.
func twinsIn(actions []Action) string {
	var out []string
	for _, a := range actions {
		if a.Twin {
			out = append(out, fmt.Sprintf("%d.%d@%s", a.Task.ID.Stage.Fragment, a.Task.ID.Task, a.Task.Node))
		}
	}
	return fmt.Sprint(out)
}

// TestBehind: who gets a twin, and where.
func TestBehind(t *testing.T) {
	const s = time.Second
	even := []int64{100, 100, 100, 100}
	for _, c := range []struct {
		name  string
		bytes []int64
		ended []time.Duration // when the first, second, ... has; the inputs have been there since 1 s
		now   time.Duration
		but   func(r *query.Run, nodes []Node) []Node
		want  string
	}{
		{"one of four, twice as long and 2 s more", even, []time.Duration{2 * s, 2 * s, 2 * s}, 4 * s, nil, "[1.3@w0]"},
		{"not yet 2 s more", even, []time.Duration{2 * s, 2 * s, 2 * s}, 3999 * time.Millisecond, nil, "[]"},
		{"2 s more, not yet twice as long", even, []time.Duration{11 * s, 11 * s, 11 * s}, 20 * s, nil, "[]"},
		{"twice as long", even, []time.Duration{11 * s, 11 * s, 11 * s}, 21 * s, nil, "[1.3@w0]"},
		{"by the median", even, []time.Duration{2 * s, 2 * s, 50 * s}, 51 * s, nil, "[1.3@w0]"},
		{"one of two", even[:2], []time.Duration{2 * s}, 4 * s, nil, "[1.1@w0]"},
		{"the only one", even[:1], nil, time.Hour, nil, "[]"},
		{"all are slow", even, nil, time.Hour, nil, "[]"},
		{"most are slow", even, []time.Duration{2 * s}, time.Hour, nil, "[]"},
		{"two of four, one at a time", even, []time.Duration{2 * s, 2 * s}, time.Hour, nil, "[1.2@w1]"},
		{"two of eight", append(slices.Clone(even), even...), []time.Duration{2 * s, 2 * s, 2 * s, 2 * s, 2 * s, 2 * s}, time.Hour, nil, "[1.6@w3 1.7@w0]"},
		{"it has ten times the input", []int64{100, 100, 100, 1000}, []time.Duration{2 * s, 2 * s, 2 * s}, 20 * s, nil, "[]"},
		{"it has ten times the input and is late", []int64{100, 100, 100, 1000}, []time.Duration{2 * s, 2 * s, 2 * s}, 21 * s, nil, "[1.3@w0]"},
		{"it has less input", []int64{100, 100, 100, 1}, []time.Duration{11 * s, 11 * s, 11 * s}, 20 * s, nil, "[]"},
		{"the session wants none", even, []time.Duration{2 * s, 2 * s, 2 * s}, 4 * s, func(r *query.Run, n []Node) []Node {
			r.Recovery.TwinAfter = 0
			return n
		}, "[]"},
		{"the client reads slowly", even, []time.Duration{2 * s, 2 * s, 2 * s}, 4 * s, func(r *query.Run, n []Node) []Node {
			r.Report(query.Status{Task: r.Stages[0].Tasks[0].ID, Version: 9, State: query.Running, OutputWaits: true})
			return n
		}, "[]"},
		{"nobody is idle", even, []time.Duration{2 * s, 2 * s, 2 * s}, 4 * s, func(_ *query.Run, n []Node) []Node { return n[3:] }, "[]"},
		{"only its own node in another life", even, []time.Duration{2 * s, 2 * s, 2 * s}, 4 * s, func(_ *query.Run, n []Node) []Node {
			return []Node{{ID: "w3", Threads: 1, Incarnation: "again"}, {ID: "w3", Threads: 1}}
		}, "[]"},
		{"where least runs", even, []time.Duration{2 * s, 2 * s, 2 * s}, 4 * s, func(r *query.Run, n []Node) []Node {
			r.Stages[0].Tasks[0].Place = n[0].Place()
			return n
		}, "[1.3@w2]"},
		{"an input is being made again", even, []time.Duration{2 * s, 2 * s, 2 * s}, 4 * s, func(r *query.Run, n []Node) []Node {
			r.Stages[2].Tasks[0].Committed = false
			return n
		}, "[]"},
		{"an input is gone", even, []time.Duration{2 * s, 2 * s, 2 * s}, 4 * s, func(r *query.Run, n []Node) []Node {
			r.Stages[2].Tasks[0].Released = true
			return n
		}, "[]"},
		{"others ended before this coordinator led", even, []time.Duration{2 * s, 2 * s, 2 * s}, 4 * s, func(r *query.Run, n []Node) []Node {
			for _, t := range r.Stages[1].Tasks {
				t.Ended = 0
			}
			return n
		}, "[]"},
		{"it was begun later", even, []time.Duration{2 * s, 2 * s, 2 * s}, 4 * s, func(r *query.Run, n []Node) []Node {
			r.Stages[1].Tasks[3].Since = 2 * s
			return n
		}, "[]"},
		{"other rows may come", even, []time.Duration{2 * s, 2 * s, 2 * s}, 4 * s, func(r *query.Run, n []Node) []Node {
			r.Stages[1].Fragment.Indeterminate = true
			return n
		}, "[]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := twinRun(c.bytes...)
			nodes := workers(len(c.bytes), 1)
			for i, at := range c.ended {
				endAt(r, r.Stages[1].Tasks[i], at)
			}
			r.Now = c.now
			if c.but != nil {
				nodes = c.but(r, nodes)
			}
			if got := twinsIn(startTwins(r, nodes)); got != c.want {
				t.Errorf("twins %s, want %s", got, c.want)
			}
			if got := twinsIn(startTwins(r, nodes)); got != "[]" {
				t.Errorf("twins again %s", got)
			}
		})
	}
}

// TestTwinIsToldAll: a twin starts with what its attempt was handed, and hears of
// all sources and filters; readers hear of it when it has ended, as committed.
func TestTwinIsToldAll(t *testing.T) {
	r, nodes := twinRun(100, 100), workers(2, 1)
	Decide(r, nodes)
	endAt(r, r.Stages[1].Tasks[0], 2*time.Second)
	r.Now = 5 * time.Second
	var start *Action
	for _, a := range Decide(r, nodes) {
		if a.Twin {
			start = &a
		}
	}
	if start == nil || !start.Start || start.Stream || start.Update.Number != 1 || start.Partition != 1 || start.Partitions != 2 ||
		len(start.Update.Sources) != 1 || !start.Update.Sources[0].Committed || fmt.Sprint(start.Update.Complete) != "[2]" {
		t.Fatalf("start %+v", start)
	}
	tw, a := start.Task, r.Stages[1].Tasks[1]
	if tw != a.Twin || tw.ID.Attempt != 1 || tw.Node != "w0" {
		t.Fatalf("twin %+v", tw)
	}
	if acts := Decide(r, nodes); len(acts) > 0 {
		t.Errorf("%d more actions, the first %+v", len(acts), acts[0])
	}
	endAt(r, tw, 6*time.Second)
	var told []string
	for _, act := range Decide(r, nodes) {
		for _, src := range act.Update.Sources {
			told = append(told, fmt.Sprintf("%d hears of %s %v", act.Fragment.ID, src.Task, src.Committed))
		}
	}
	if got := fmt.Sprint(told); got != "[0 hears of q.1.1.1 true]" {
		t.Errorf("told %s", got)
	}
	if d := r.Discards(); len(d) != 1 || d[0] != a {
		t.Errorf("stopped %v", d)
	}
}

// TestTwinOfScan: what a slow node has begun is read elsewhere, too, once it has
// nothing to give away; the splits are counted once.
func TestTwinOfScan(t *testing.T) {
	r, nodes := scanRun(8, 64<<20, &plan.Aggregate{Input: gathered()}), workers(2, 1)
	r.Recovery = query.Recovery{Tasks: true, Attempts: 4, TwinAfter: 2 * time.Second}
	say := func(x *query.Task, state query.TaskState) {
		st := query.Status{Task: x.ID, Version: x.Status.Version + 1, State: state, DoneSplits: len(x.Splits)}
		if state == query.Finished {
			st.End = &query.End{Partitions: make([]query.PartitionEnd, 1)}
			for _, sp := range x.Splits {
				st.End.Splits = append(st.End.Splits, sp.ID)
			}
		}
		r.Report(st)
	}
	got := ""
	for i := 0; i < 100 && got == ""; i++ {
		r.Now += 100 * time.Millisecond
		for _, a := range Decide(r, nodes) {
			if a.Twin {
				got = twinsIn([]Action{a})
			}
		}
		for _, x := range r.Stages[1].Tasks {
			switch {
			case x.Status.State.Done():
			case x.Open || x.Node == "w1":
				say(x, query.Running) // on w1 none ends
			default:
				say(x, query.Finished)
			}
		}
	}
	var slow *query.Task
	for _, x := range r.Stages[1].Tasks {
		if x.Twin != nil {
			slow = x
		}
	}
	if slow == nil || slow.Node != "w1" || slow.Twin.Node != "w0" || r.Now < 2*time.Second {
		t.Fatalf("twin %q after %s, slow %+v", got, r.Now, slow)
	}
	say(slow.Twin, query.Finished)
	seen := map[int64]int{}
	for _, x := range r.Stages[1].Tasks {
		for _, id := range x.Status.End.Splits {
			seen[id]++
		}
	}
	if len(seen) != 8 || !r.Stages[1].Done() || r.Failure != nil {
		t.Errorf("splits read %v, done %v, failure %v", seen, r.Stages[1].Done(), r.Failure)
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("split %d counts %d times", id, n)
		}
	}
}

// TestNoTwins: tasks that take as long as they do, by their input and by what
// else a node has to do, get no twins: not in short stages, whatever they do, and
// not in long ones that vary by 40 %.
func TestNoTwins(t *testing.T) {
	base := uint64(time.Now().UnixNano())
	for i := range uint64(2000) {
		rng := rand.New(rand.NewPCG(base+i, 3))
		n := 2 + rng.IntN(15)
		unit, spread := 50*time.Millisecond, 20.0 // of a task of TPC-H at SF1: some are 20 times as slow as others
		if i%2 == 0 {
			unit, spread = time.Duration(1+rng.IntN(60))*time.Second, 1.4
		}
		bytes := make([]int64, n)
		type end struct {
			task int
			at   time.Duration
		}
		var ends []end
		for k := range bytes {
			bytes[k] = 1000 + rng.Int64N(1000)
			if i%2 == 0 && rng.IntN(4) == 0 {
				bytes[k] *= 10 // skew
			}
			took := float64(unit) * float64(bytes[k]) / 1000 * math.Pow(spread, rng.Float64())
			ends = append(ends, end{k, time.Second + time.Duration(took)})
		}
		r, nodes := twinRun(bytes...), workers(n, 1)
		slices.SortFunc(ends, func(a, b end) int { return cmp.Compare(a.at, b.at) })
		for _, e := range ends {
			r.Now = e.at
			if got := twinsIn(Decide(r, nodes)); got != "[]" {
				t.Fatalf("seed %d: twins %s of %d tasks at %s, bytes %v, ends %v", base+i, got, n, e.at, bytes, ends)
			}
			endAt(r, r.Stages[1].Tasks[e.task], e.at)
		}
	}
}

// TestWork: what counts as a task's work.
func TestWork(t *testing.T) {
	r := twinRun(100, 700)
	for i, want := range []int64{101, 701} {
		if got := workOf(r, r.Stages[1], r.Stages[1].Tasks[i]); got != want {
			t.Errorf("task %d: %d bytes, want %d", i, got, want)
		}
	}
	scan := r.Stages[2].Tasks[0]
	scan.Splits = []query.Split{{Split: connectors.Split{Bytes: 5}}, {}}
	if got := workOf(r, r.Stages[2], scan); got != 6+unknownBytes {
		t.Errorf("scan: %d bytes", got)
	}
	r.Stages[2].Tasks[0].Status.End = nil // made again
	if got := workOf(r, r.Stages[1], r.Stages[1].Tasks[1]); got != 1 {
		t.Errorf("unknown input: %d bytes", got)
	}
}
