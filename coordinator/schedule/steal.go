package schedule

import (
	"slices"
	"time"

	"github.com/tuttidb/tutti/coordinator/query"
	"github.com/tuttidb/tutti/planner/plan"
)

// Ask asks a task for unstarted splits of a scan.
type Ask struct {
	Scan  plan.NodeID
	Count int
}

// stealAfter is how long a task has run before splits are taken from it:
// below that the move costs more than the wait. It is also the time between
// two requests to the same task. It doubles with each move of a split, so that
// none is passed around for ever among tasks that all begin too slowly.
const (
	stealAfter = 100 * time.Millisecond
	maxDoubled = 8
)

// steal asks for unstarted splits on behalf of idle nodes, once all splits are
// handed out: each idle node makes one task, the one with most that is worth
// moving, give that back. What comes back waits to be dealt; until the answer is
// there the splits are the old task's (query.Run.Return).
func steal(r *query.Run, s *query.Stage, nodes []Node) (out []Action) {
	if s.Complete || r.OutputWaits() || slices.ContainsFunc(s.Scans, func(scan *query.Scan) bool { return !scan.Listed || scan.Waiting() > 0 }) {
		return nil
	}
	for _, n := range nodes {
		if !idle(s, n) {
			continue
		}
		t, count := laggard(r, s, n)
		if t == nil {
			continue
		}
		t.Asked, t.AskedAt = true, r.Now
		out = append(out, Action{Task: t, Fragment: s.Fragment, Update: Update{TakeBack: ask(t, count)}})
	}
	return out
}

// idle reports whether a node has nothing to do in the stage.
func idle(s *query.Stage, n Node) bool {
	return !slices.ContainsFunc(s.Tasks, func(t *query.Task) bool {
		return t.Place == n.Place() && !t.Unplaced && !t.Status.State.Done()
	})
}

// laggard is the task with the most splits that are worth moving to a node, and
// how many those are.
func laggard(r *query.Run, s *query.Stage, n Node) (most *query.Task, count int) {
	for _, t := range s.Tasks {
		if t.Asked || t.Unstarted() == 0 || r.Now-max(t.Since, t.AskedAt) < patience(t) {
			continue
		}
		if c := worth(r, s, t, n); c > count {
			most, count = t, c
		}
	}
	return most, count
}

// patience is how long a task is left alone with the last of its splits.
func patience(t *query.Task) time.Duration {
	return stealAfter << min(t.Splits[len(t.Splits)-1].Moves, maxDoubled)
}

// unknownStart is what a task that reads other stages is expected to take until
// it starts its first split, where nobody knows yet.
const unknownStart = time.Second

// worth is how many of a task's unstarted splits to move to a new task on a
// node. Before that one starts the first it has to do again what every task of
// the stage does, which is to build the tables that the scanned rows are joined
// with: by then the old task may have started the rest. So it keeps what it will
// start in that time, at its own pace, and half of what is left. One that has
// started none is given the time that the new one would take, twice.
func worth(r *query.Run, s *query.Stage, t *query.Task, n Node) int {
	ready, ok := inputsAt(r, s)
	start := startOf(s, n, ready)
	rest := t.Unstarted()
	if t.Started == 0 {
		if !ok || r.Now-max(t.Since, ready) < max(patience(t), 2*start) {
			return 0
		}
		return (rest + 1) / 2
	}
	if pace := (r.Now - t.Began) / time.Duration(t.Started); pace > 0 {
		rest -= int(min(start/pace, time.Duration(rest)))
	}
	return (rest + 1) / 2
}

// inputsAt is when the last of the stages was done that a stage reads; false:
// one is not yet.
func inputsAt(r *query.Run, s *query.Stage) (at time.Duration, ok bool) {
	for _, in := range s.Fragment.Inputs {
		if !r.Stages[in].Done() {
			return 0, false
		}
		at = max(at, r.Stages[in].Last)
	}
	return at, true
}

// startOf is how long a new task on a node is expected to take until it starts
// a split, once its inputs are there: what the last one there took, or else the
// quickest elsewhere.
func startOf(s *query.Stage, n Node, ready time.Duration) time.Duration {
	quickest := time.Duration(-1)
	for _, t := range slices.Backward(s.Tasks) {
		if t.Started == 0 {
			continue
		}
		took := max(t.Began-max(t.Since, ready), 0)
		if t.Place == n.Place() {
			return took
		}
		if quickest < 0 || took < quickest {
			quickest = took
		}
	}
	switch {
	case quickest >= 0:
		return quickest
	case len(s.Fragment.Inputs) > 0:
		return unknownStart
	}
	return 0
}

// ask is for the last n of a task's splits.
func ask(t *query.Task, n int) (asks []Ask) {
	for _, sp := range slices.Backward(t.Splits[len(t.Splits)-n:]) {
		i := slices.IndexFunc(asks, func(a Ask) bool { return a.Scan == sp.Scan })
		if i < 0 {
			i = len(asks)
			asks = append(asks, Ask{Scan: sp.Scan})
		}
		asks[i].Count++
	}
	return asks
}
