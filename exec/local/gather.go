package local

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/op"
	"github.com/tuttidb/tutti/exec/vector"
)

// gather merges the rows of several drivers into one operator, in any order.
// Nothing is copied or queued: a producer lends its batch to the consumer and
// waits until that asks for the next one. Waiting cannot deadlock here,
// because pipelines that are joined by gathers alone form a tree: a consumer
// never waits, not even through others, for a producer that waits for it.
type gather struct {
	lent chan loan
	// closed ends the producers when the consumer wants no more.
	closed chan struct{}
	once   sync.Once
	live   atomic.Int32
}

type loan struct {
	b    *vector.Batch
	back chan struct{}
}

func newGather(producers int) *gather {
	g := &gather{lent: make(chan loan), closed: make(chan struct{})}
	g.live.Store(int32(producers))
	return g
}

func (g *gather) close() { g.once.Do(func() { close(g.closed) }) }

// gatherSink is a producer's end.
type gatherSink struct {
	g        *gather
	back     chan struct{}
	total    time.Duration
	finished bool
}

func (g *gather) sink() *gatherSink { return &gatherSink{g: g, back: make(chan struct{}, 1)} }

// Add lends b to the consumer and waits to have it back. It does not give up
// when ctx ends in between: the consumer may be reading b, and gives it back
// no later than when it closes.
func (s *gatherSink) Add(ctx context.Context, b *vector.Batch) (bool, error) {
	start := time.Now()
	defer func() { s.total += time.Since(start) }()
	if err := b.Load(); err != nil { // a source is for its own goroutine only
		return false, err
	}
	select {
	case s.g.lent <- loan{b: b, back: s.back}:
		<-s.back
		return true, nil
	case <-s.g.closed:
		return false, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// Waited returns the time spent lending.
func (s *gatherSink) Waited() time.Duration { return s.total }

// Finish ends the consumer's input when all producers have called it.
func (s *gatherSink) Finish(context.Context) error {
	if !s.finished {
		s.finished = true
		if s.g.live.Add(-1) == 0 {
			close(s.g.lent)
		}
	}
	return nil
}

// Close does nothing: a producer that goes without Finish has failed, and its
// error ends the task.
func (s *gatherSink) Close() error { return nil }

// gatherSource is the consumer's end.
type gatherSource struct {
	g     *gather
	back  chan struct{} // of the batch in hand
	total time.Duration
	ended bool
}

func (g *gather) source() *gatherSource { return &gatherSource{g: g} }

// Next gives the last batch back and waits for another.
func (s *gatherSource) Next(ctx context.Context) (*vector.Batch, error) {
	s.giveBack()
	if s.ended {
		return nil, nil
	}
	start := time.Now()
	defer func() { s.total += time.Since(start) }()
	select {
	case l, ok := <-s.g.lent:
		if !ok {
			s.ended = true
			return nil, nil
		}
		s.back = l.back
		return l.b, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *gatherSource) giveBack() {
	if s.back != nil {
		s.back <- struct{}{}
		s.back = nil
	}
}

// Waited returns the time spent waiting for producers.
func (s *gatherSource) Waited() time.Duration { return s.total }

// Close gives the last batch back and tells the producers to stop.
func (s *gatherSource) Close() error {
	s.ended = true
	s.giveBack()
	s.g.close()
	return nil
}

var (
	_ exec.Sink     = (*gatherSink)(nil)
	_ exec.Operator = (*gatherSource)(nil)
	_ op.Waiter     = (*gatherSource)(nil)
)
