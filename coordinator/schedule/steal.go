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
// two requests to the same task.
const stealAfter = 100 * time.Millisecond

// steal asks for unstarted splits on behalf of idle nodes, once all splits are
// handed out: each idle node makes one task, the one with most that is not
// started, give half of that back. What comes back waits to be dealt; until the
// answer is there the splits are the old task's (query.Run.Return).
func steal(r *query.Run, s *query.Stage, nodes []Node) (out []Action) {
	if s.Complete || r.OutputWaits() || slices.ContainsFunc(s.Scans, func(scan *query.Scan) bool { return !scan.Listed || scan.Waiting() > 0 }) {
		return nil
	}
	for _, n := range nodes {
		if !idle(s, n) {
			continue
		}
		t := laggard(r, s)
		if t == nil {
			break
		}
		t.Asked, t.AskedAt = true, r.Now
		out = append(out, Action{Task: t, Fragment: s.Fragment, Update: Update{TakeBack: ask(t, (t.Unstarted()+1)/2)}})
	}
	return out
}

// idle reports whether a node has nothing to do in the stage.
func idle(s *query.Stage, n Node) bool {
	return !slices.ContainsFunc(s.Tasks, func(t *query.Task) bool {
		return t.Place == n.Place() && !t.Unplaced && !t.Status.State.Done()
	})
}

// laggard is the task with the most splits that it has not started.
func laggard(r *query.Run, s *query.Stage) (most *query.Task) {
	for _, t := range s.Tasks {
		if t.Asked || r.Now-max(t.Since, t.AskedAt) < stealAfter || t.Unstarted() == 0 {
			continue
		}
		if most == nil || t.Unstarted() > most.Unstarted() {
			most = t
		}
	}
	return most
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
