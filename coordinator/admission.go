package coordinator

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/tuttidb/tutti/internal/qerr"
)

// admission decides when queries may go on: so many run at once, and what
// they reserve of each node's memory must fit it. Who cannot go on waits in
// one queue, in the order in which the queries came; who came first goes
// first, so that a large query is not held up for ever by small ones.
//
// A query comes twice: for a place among the running ones before it is
// planned (enter), and for its memory once the plan says how much that is
// (reserve). Queries that wait for memory keep their place, so they all stand
// before those that wait for one, and there are never more of them than may
// run.
type admission struct {
	maxRunning, maxWaiting int
	// capacity is the memory of the smallest node in bytes; 0: unlimited.
	capacity func() int64

	mu       sync.Mutex
	running  int
	reserved int64 // bytes a node, of all that run
	last     int64 // the newest ticket's number
	queue    []*ticket
}

// ticket is a query's stand with the admission. The admission's lock guards it.
type ticket struct {
	number int64
	// What it waits for: bytes of memory, or a place if that is 0.
	wants int64
	// What it holds: a place, and bytes of memory.
	placed bool
	holds  int64
	// turn is closed when it gets what it wants; nil while it does not wait.
	turn chan struct{}
	// accepted says that the query was let in once, by another coordinator, and
	// is not refused now.
	accepted bool
}

func newAdmission(l Limits, capacity func() int64) *admission {
	return &admission{maxRunning: l.MaxRunning, maxWaiting: l.MaxQueued, capacity: capacity}
}

// ticket numbers a query that came just now. It must be given to leave at the
// query's end.
func (a *admission) ticket() *ticket {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last++
	return &ticket{number: a.last}
}

// enter waits for a place among the running queries.
func (a *admission) enter(ctx context.Context, t *ticket) error {
	if err := a.line(t, 0); err != nil {
		return err
	}
	return a.await(ctx, t)
}

// reserve waits for memory on every node. What is more than a node has is cut
// to that, so that the largest queries run alone. It returns what was reserved.
func (a *admission) reserve(ctx context.Context, t *ticket, bytes int64) (int64, error) {
	if bytes <= 0 {
		return 0, nil
	}
	if err := a.line(t, bytes); err != nil {
		return 0, err
	}
	if err := a.await(ctx, t); err != nil {
		return 0, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return t.holds, nil
}

// line puts a ticket in the queue, for a place or for bytes of memory, and
// lets it go on if it can. Only who has no place yet is refused.
func (a *admission) line(t *ticket, bytes int64) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if bytes == 0 && len(a.queue) >= a.maxWaiting && !t.accepted {
		return qerr.New(qerr.QueryQueueFull, "Too many queued queries: %d are waiting. Try again later", len(a.queue)).WithRetry()
	}
	t.wants, t.turn = bytes, make(chan struct{})
	at, _ := slices.BinarySearchFunc(a.queue, t.number, func(t *ticket, n int64) int { return cmp.Compare(t.number, n) })
	a.queue = slices.Insert(a.queue, at, t)
	a.advance()
	return nil
}

// await waits for a ticket's turn.
func (a *admission) await(ctx context.Context, t *ticket) error {
	select {
	case <-t.turn:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// advance lets those go on whose turn it is. The caller holds the lock.
func (a *admission) advance() {
	if len(a.queue) == 0 {
		return
	}
	capacity := int64(-1) // asked for when it matters
	full := false         // nobody may overtake one who waits for memory
	a.queue = slices.DeleteFunc(a.queue, func(t *ticket) bool {
		if t.wants == 0 {
			if a.running >= a.maxRunning {
				return false
			}
			a.running++
			t.placed = true
			close(t.turn)
			return true
		}
		need := t.wants
		if capacity < 0 {
			capacity = a.capacity()
		}
		if capacity > 0 {
			need = min(need, capacity)
			full = full || a.reserved > 0 && a.reserved+need > capacity
		}
		if full {
			return false
		}
		a.reserved += need
		t.holds, t.wants = need, 0
		close(t.turn)
		return true
	})
}

// leave gives back what a query holds, and its stand in the queue.
func (a *admission) leave(t *ticket) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if i := slices.Index(a.queue, t); i >= 0 {
		a.queue = slices.Delete(a.queue, i, i+1)
	}
	if t.placed {
		a.running--
	}
	a.reserved -= t.holds
	*t = ticket{number: t.number}
	a.advance()
}

// look lets queries go on for which there is room since a node has joined.
func (a *admission) look() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.advance()
}

// position returns where a ticket stands in the queue, 1 for the first, and
// what it waits for; 0 if it does not wait.
func (a *admission) position(t *ticket) (int, string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	i := slices.Index(a.queue, t)
	switch {
	case i < 0:
		return 0, ""
	case t.wants == 0:
		return i + 1, fmt.Sprintf("waits for one of %d running queries to end; number %d in the queue", a.running, i+1)
	}
	return i + 1, fmt.Sprintf("waits for %s of memory, of which running queries hold %s; number %d in the queue", size(t.wants), size(a.reserved), i+1)
}
