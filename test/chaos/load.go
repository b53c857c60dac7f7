package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/tuttidb/tutti/test/slt"
)

// Outcome is how a query ended.
type Outcome struct {
	Query        Query
	Began, Ended time.Time
	// Err is nil for the right answer; a *slt.Failure for what the server said;
	// a *Wrong for a wrong answer.
	Err error
}

// Wrong is the error of a query that has a wrong answer.
type Wrong struct{ Err error }

// Error says what is wrong.
func (w *Wrong) Error() string { return "WRONG ANSWER: " + w.Err.Error() }

// Took is how long the query took.
func (o Outcome) Took() time.Duration { return o.Ended.Sub(o.Began) }

// Load runs queries from several clients, one after the other in each, until it
// is stopped.
type Load struct {
	url   string
	bound time.Duration
	next  func(rng *rand.Rand) Query

	wg       sync.WaitGroup
	cancel   context.CancelFunc
	mu       sync.Mutex
	outcomes []Outcome
	running  map[int]running
	paused   bool
	changed  *sync.Cond
}

type running struct {
	query Query
	began time.Time
}

// StartLoad starts so many clients. next chooses their queries, none of which
// may take longer than bound.
func StartLoad(ctx context.Context, url string, clients int, seed uint64, bound time.Duration, next func(*rand.Rand) Query) *Load {
	ctx, cancel := context.WithCancel(ctx)
	l := &Load{url: url, bound: bound, next: next, cancel: cancel, running: map[int]running{}}
	l.changed = sync.NewCond(&l.mu)
	for i := range clients {
		l.wg.Go(func() { l.client(ctx, i, rand.New(rand.NewPCG(seed, uint64(i)+100))) })
	}
	return l
}

func (l *Load) client(ctx context.Context, i int, rng *rand.Rand) {
	for l.admitted(ctx) {
		q := l.next(rng)
		began := time.Now()
		l.note(i, &running{q, began})
		err := Ask(ctx, l.url, q, l.bound)
		l.note(i, nil)
		if ctx.Err() != nil {
			return
		}
		l.mu.Lock()
		l.outcomes = append(l.outcomes, Outcome{Query: q, Began: began, Ended: time.Now(), Err: err})
		l.mu.Unlock()
		if err != nil {
			time.Sleep(100 * time.Millisecond) // a client that is refused does not hammer
		}
	}
}

// note keeps what a client runs.
func (l *Load) note(i int, r *running) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.running, i)
	if r != nil {
		l.running[i] = *r
	}
	l.changed.Broadcast()
}

// admitted waits while the load is paused and reports whether it goes on.
func (l *Load) admitted(ctx context.Context) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.paused && ctx.Err() == nil {
		l.changed.Wait()
	}
	return ctx.Err() == nil
}

// Ask runs a query, spread over the workers, and returns nil for the right
// answer.
func Ask(ctx context.Context, url string, q Query, bound time.Duration) error {
	s, err := slt.NewSession(url, q.Catalog, q.Schema)
	if err != nil {
		return err
	}
	within, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	// Small queries become as many tasks as large ones.
	_, err = s.Query(within, "SET SESSION one_task_max_scan_size = '0B'")
	var res *slt.Result
	if err == nil {
		res, err = s.Query(within, q.SQL)
	}
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			return fmt.Errorf("no answer within %s: %w", bound, err)
		}
		return err
	}
	if err := q.Check(res.Rows); err != nil {
		return &Wrong{err}
	}
	return nil
}

// Pause lets no query begin and waits until none runs.
func (l *Load) Pause() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.paused = true
	for len(l.running) > 0 {
		l.changed.Wait()
	}
}

// Resume lets queries begin again.
func (l *Load) Resume() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.paused = false
	l.changed.Broadcast()
}

// Running counts the queries that run.
func (l *Load) Running() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.running)
}

// Since returns the queries that ended after a time.
func (l *Load) Since(t time.Time) []Outcome {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []Outcome
	for _, o := range l.outcomes {
		if o.Ended.After(t) {
			out = append(out, o)
		}
	}
	return out
}

// Stop ends all clients and returns what there was.
func (l *Load) Stop() []Outcome {
	l.cancel()
	l.Resume()
	l.wg.Wait()
	return slices.Clone(l.outcomes)
}
