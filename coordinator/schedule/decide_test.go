package schedule

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/coordinator/query"
	"github.com/tuttidb/tutti/planner/plan"
)

// joinPlan is root ← join by partition ← two scans.
func joinPlan() *plan.Plan {
	scan := func(id plan.NodeID) *plan.Scan {
		s := &plan.Scan{}
		s.ID = id
		return s
	}
	join := &plan.Join{
		Left:  &plan.RemoteSource{Fragments: []plan.FragmentID{2}},
		Right: &plan.RemoteSource{Fragments: []plan.FragmentID{3}},
	}
	return &plan.Plan{Fragments: []*plan.Fragment{
		{ID: 0, Root: &plan.RemoteSource{Fragments: []plan.FragmentID{1}}, Spread: plan.OneTask, Inputs: []plan.FragmentID{1}},
		{ID: 1, Root: join, Spread: plan.ByPartition, Inputs: []plan.FragmentID{2, 3}},
		{ID: 2, Root: scan(10), Spread: plan.BySplits, Output: plan.Partitioning{Kind: plan.Hash}},
		{ID: 3, Root: scan(11), Spread: plan.BySplits, Output: plan.Partitioning{Kind: plan.Hash}},
	}}
}

func workers(n, threads int) (out []Node) {
	for i := range n {
		out = append(out, Node{ID: fmt.Sprintf("w%d", i), Threads: threads})
	}
	return out
}

// model plays the nodes: it knows what each task was told and holds the
// scheduler to its promises.
type model struct {
	t     *testing.T
	run   *query.Run
	rng   *rand.Rand
	given map[int64]plan.TaskID // splits handed out
	tasks map[plan.TaskID]*told
}

// told is what one task has heard.
type told struct {
	task      *query.Task
	number    int64
	committed map[plan.TaskID]bool
	complete  map[plan.FragmentID]bool
	inputs    []plan.FragmentID
	fragment  *plan.Fragment
	noMore    int
}

// take receives actions as nodes would.
func (m *model) take(actions []Action) {
	for i := range actions {
		a := &actions[i]
		k := m.tasks[a.Task.ID]
		if a.Start != (k == nil) {
			m.t.Fatalf("task %s: start %v, known %v", a.Task.ID, a.Start, k != nil)
		}
		if k == nil {
			k = &told{task: a.Task, committed: map[plan.TaskID]bool{}, complete: map[plan.FragmentID]bool{}, inputs: a.Fragment.Inputs, fragment: a.Fragment}
			m.tasks[a.Task.ID] = k
		}
		if a.Update.Number != k.number+1 {
			m.t.Fatalf("task %s: update %d after %d", a.Task.ID, a.Update.Number, k.number)
		}
		k.number++
		m.hear(k, &a.Update)
	}
}

func (m *model) hear(k *told, u *Update) {
	for _, s := range u.Splits {
		if other, twice := m.given[s.ID]; twice {
			m.t.Fatalf("split %d given to %s and %s", s.ID, other, k.task.ID)
		}
		m.given[s.ID] = k.task.ID
	}
	k.noMore += len(u.NoMore)
	for _, s := range u.Sources {
		was, known := k.committed[s.Task]
		if known && was == s.Committed {
			m.t.Fatalf("task %s told twice of %s", k.task.ID, s.Task)
		}
		if was && !s.Committed {
			m.t.Fatalf("task %s: %s was committed before", k.task.ID, s.Task)
		}
		k.committed[s.Task] = s.Committed
	}
	for _, f := range u.Complete {
		if k.complete[f] {
			m.t.Fatalf("task %s told twice that stage %d is complete", k.task.ID, f)
		}
		k.complete[f] = true
		for _, src := range m.run.Stages[f].Tasks {
			if _, known := k.committed[src.ID]; !known {
				m.t.Fatalf("task %s: stage %d is complete without %s", k.task.ID, f, src.ID)
			}
		}
	}
}

// ready returns the tasks that could end: all inputs are committed.
func (m *model) ready() (out []*told) {
	for _, k := range m.tasks {
		if k.task.Status.State.Done() || k.noMore < len(m.run.Stages[k.fragment.ID].Scans) {
			continue
		}
		done := true
		for _, in := range k.inputs {
			done = done && k.complete[in]
		}
		for _, committed := range k.committed {
			done = done && committed
		}
		if done {
			out = append(out, k)
		}
	}
	slices.SortFunc(out, func(a, b *told) int { return slices.Compare([]byte(a.task.ID.String()), []byte(b.task.ID.String())) })
	return out
}

// finish ends a task well.
func (m *model) finish(k *told) {
	end := &query.End{}
	for id, task := range m.given {
		if task == k.task.ID {
			end.Splits = append(end.Splits, id)
		}
	}
	end.Partitions = make([]query.PartitionEnd, m.run.OutputPartitions(k.fragment))
	m.run.Report(query.Status{Task: k.task.ID, Version: k.task.Status.Version + 1, State: query.Finished, End: end})
	if m.run.Failure != nil {
		m.t.Fatal(m.run.Failure.Err)
	}
}

// TestDecideRandomly runs plans to their end under random listings, speeds and
// cluster sizes: every split is handed out once, every task hears of every
// source, the result comes.
func TestDecideRandomly(t *testing.T) {
	base := uint64(time.Now().UnixNano())
	for i := range uint64(300) {
		seed := base + i
		t.Run(fmt.Sprint("seed-", seed), func(t *testing.T) { simulate(t, rand.New(rand.NewPCG(seed, 0))) })
	}
}

func simulate(t *testing.T, rng *rand.Rand) {
	nodes := workers(1+rng.IntN(5), 1+rng.IntN(3))
	r := query.NewRun("q", joinPlan(), 0, len(nodes))
	m := &model{t: t, run: r, rng: rng, given: map[int64]plan.TaskID{}, tasks: map[plan.TaskID]*told{}}
	left := map[*query.Scan]int{}
	for _, s := range r.Stages {
		for _, scan := range s.Scans {
			left[scan] = rng.IntN(300)
		}
	}
	next, total := int64(0), 0
	for _, n := range left {
		total += n
	}
	for step := 0; r.Result() == nil; step++ {
		if step > 10_000 {
			t.Fatal("no end")
		}
		m.take(Decide(r, nodes))
		for _, s := range r.Stages {
			for _, scan := range s.Scans {
				if !scan.Listed && rng.IntN(3) == 0 {
					next = list(rng, scan, left, next)
				}
			}
		}
		if ready := m.ready(); len(ready) > 0 {
			m.finish(ready[rng.IntN(len(ready))])
		}
	}
	if len(m.given) != total {
		t.Fatalf("%d of %d splits were handed out", len(m.given), total)
	}
}

// list adds some of a scan's splits, or says that there are no more.
func list(rng *rand.Rand, scan *query.Scan, left map[*query.Scan]int, next int64) int64 {
	if left[scan] == 0 {
		scan.Listed = true
		return next
	}
	n := 1 + rng.IntN(left[scan])
	left[scan] -= n
	for range n {
		sp := query.Split{ID: next, Scan: scan.Node}
		if rng.IntN(2) == 0 {
			sp.Split = connectors.Split{Affinity: fmt.Sprint("file", rng.IntN(20))}
		}
		scan.Pending = append(scan.Pending, sp)
		next++
	}
	return next
}

// TestNothingAfterFailure: a run that has failed starts nothing.
func TestNothingAfterFailure(t *testing.T) {
	r := query.NewRun("q", joinPlan(), 0, 2)
	r.Failure = &query.Failure{Cause: query.CauseUser}
	if got := Decide(r, workers(2, 1)); len(got) != 0 {
		t.Errorf("%d actions after a failure", len(got))
	}
}

// TestEmptyTable: a scan without splits still has a task, whose empty output
// its consumers need.
func TestEmptyTable(t *testing.T) {
	r := query.NewRun("q", joinPlan(), 0, 2)
	for _, s := range r.Stages {
		for _, scan := range s.Scans {
			scan.Listed = true
		}
	}
	Decide(r, workers(2, 1))
	for _, f := range []int{2, 3} {
		if s := r.Stages[f]; len(s.Tasks) != 1 || !s.Complete {
			t.Errorf("stage %d has %d tasks, complete %v", f, len(s.Tasks), s.Complete)
		}
	}
}

// TestAffinity: the same file goes to the same node in every query, and most
// files stay where they were when a node joins.
func TestAffinity(t *testing.T) {
	three, four := workers(3, 1), workers(4, 1)
	moved := 0
	for i := range 1000 {
		sp := query.Split{Split: connectors.Split{Affinity: fmt.Sprint("file", i)}}
		was, is := home(sp, three), home(sp, four)
		if is != was && is != 3 {
			t.Fatalf("file %d moved from %d to %d, which were there before", i, was, is)
		}
		if is != was {
			moved++
		}
	}
	if moved < 150 || moved > 350 {
		t.Errorf("%d of 1000 files moved to a fourth node", moved)
	}
}
