package schedule

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/coordinator/query"
	"github.com/tuttidb/tutti/planner/plan"
)

// client is a TaskClient of which starts on slow nodes take until it is told,
// and tasks report what the test says.
type client struct {
	mu     sync.Mutex
	said   []string // what was asked for, in order
	report map[string]func(query.Status)
	slow   map[string]chan struct{} // by node
	news   chan struct{}
}

func newClient() *client {
	return &client{report: map[string]func(query.Status){}, slow: map[string]chan struct{}{}, news: make(chan struct{}, 1000)}
}

func (c *client) say(what string) {
	c.mu.Lock()
	c.said = append(c.said, what)
	c.mu.Unlock()
	c.news <- struct{}{}
}

// await waits until something was asked for.
func (c *client) await(t *testing.T, what string) {
	t.Helper()
	for deadline := time.After(10 * time.Second); ; {
		c.mu.Lock()
		found, said := slices.Contains(c.said, what), slices.Clone(c.said)
		c.mu.Unlock()
		if found {
			return
		}
		select {
		case <-c.news:
		case <-deadline:
			t.Fatalf("%s never came: %v", what, said)
		}
	}
}

func (c *client) Start(ctx context.Context, a Action) error {
	c.say("start " + a.Task.ID.String())
	if wait := c.slow[a.Task.Node]; wait != nil && a.Twin {
		select {
		case <-wait:
		case <-ctx.Done():
		}
	}
	c.say("started " + a.Task.ID.String())
	return nil
}

func (c *client) Update(context.Context, Action) (Answer, error) { return Answer{}, nil }

func (c *client) Watch(ctx context.Context, at query.Place, _ plan.QueryID, report func(query.Status)) error {
	c.mu.Lock()
	c.report[at.Node] = report
	c.mu.Unlock()
	<-ctx.Done()
	return ctx.Err()
}

func (c *client) Copy(context.Context, query.Place, Copy) error { return nil }

func (c *client) Release(_ context.Context, _ query.Place, tasks []plan.TaskID) error {
	for _, id := range tasks {
		c.say("release " + id.String())
	}
	return nil
}

func (c *client) End(context.Context, query.Place, plan.QueryID) error { return nil }

// tell reports a status of a task on a node, once that is watched.
func (c *client) tell(t *testing.T, node string, st query.Status) {
	t.Helper()
	for range 1000 {
		c.mu.Lock()
		report := c.report[node]
		c.mu.Unlock()
		if report != nil {
			report(st)
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("node %s is not watched", node)
}

// TestTwinIsStoppedAfterItsStart: a twin whose attempt ends while the twin's start
// is on its way is stopped after that, not before: else it would run to the
// query's end.
func TestTwinIsStoppedAfterItsStart(t *testing.T) {
	r := query.NewRun("q", &plan.Plan{Fragments: []*plan.Fragment{
		{ID: 0, Root: &plan.Aggregate{Input: gathered()}, Spread: plan.OneTask, Inputs: []plan.FragmentID{1}},
		{ID: 1, Root: &plan.Values{}, Spread: plan.ByPartition},
	}}, 0, 2)
	r.Recovery = query.Recovery{Tasks: true, Attempts: 4, TwinAfter: time.Millisecond}
	nodes, c := workers(2, 1), newClient()
	c.slow["w0"] = make(chan struct{})
	l := NewLoop(r, Deps{
		Client: c, Changed: func() <-chan struct{} { return nil }, Wait: time.Minute, Log: slog.New(slog.DiscardHandler),
		Members: func() []Member { return []Member{{Node: nodes[0]}, {Node: nodes[1]}} },
		Splits:  func(context.Context, *plan.Scan) (connectors.SplitSource, error) { return nil, nil },
		Root:    func(Source) {},
	})
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan struct{})
	go func() {
		defer close(over)
		l.Drive(ctx)
	}()
	id := func(task, attempt int32) plan.TaskID {
		return plan.TaskID{Stage: plan.StageID{Query: "q", Fragment: 1}, Task: task, Attempt: attempt}
	}
	done := func(id plan.TaskID) query.Status {
		return query.Status{Task: id, Version: 2, State: query.Finished, End: &query.End{Partitions: make([]query.PartitionEnd, 1)}}
	}
	c.await(t, "started q.1.1.0")
	c.tell(t, "w0", done(id(0, 0)))
	c.tell(t, "w1", query.Status{Task: id(1, 0), Version: 1, State: query.Running})
	c.await(t, "start q.1.1.1")
	c.tell(t, "w1", done(id(1, 0)))
	for over := false; !over; { // the attempt counts
		l.Snapshot(func(r *query.Run) { over = r.Stages[1].Done() && r.Twins.Dropped == 1 })
		time.Sleep(time.Millisecond)
	}
	close(c.slow["w0"])
	c.await(t, "release q.1.1.1")
	cancel()
	<-over
	l.End(t.Context())
	started, released := slices.Index(c.said, "started q.1.1.1"), slices.Index(c.said, "release q.1.1.1")
	if started < 0 || released < started {
		t.Errorf("the twin is stopped before it has started: %v", c.said)
	}
}
