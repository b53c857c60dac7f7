package coordinator

import (
	"context"
	"errors"
	"testing"

	"github.com/tuttidb/tutti/internal/qerr"
)

// TestGateAdmitsInOrder: so many enter, the next wait in order, more are
// refused, and who gives up leaves no hole.
func TestGateAdmitsInOrder(t *testing.T) {
	g := newGate(2, 3)
	ctx := context.Background()
	for range 2 {
		if err := g.enter(ctx); err != nil {
			t.Fatal(err)
		}
	}
	entered := make(chan int, 3)
	impatient, giveUp := context.WithCancelCause(ctx)
	gone := make(chan error)
	wait := func(n int, ctx context.Context) {
		before := g.waiting()
		go func() {
			err := g.enter(ctx)
			if err != nil {
				gone <- err
				return
			}
			entered <- n
		}()
		for g.waiting() == before {
		}
	}
	wait(1, ctx)
	wait(2, impatient)
	wait(3, ctx)
	if err := g.enter(ctx); !qerr.Is(err, qerr.QueryQueueFull) {
		t.Errorf("a fourth waiter got %v, want QUERY_QUEUE_FULL", err)
	}
	cause := errors.New("enough")
	giveUp(cause)
	if err := <-gone; !errors.Is(err, cause) {
		t.Errorf("the impatient one got %v", err)
	}
	for _, want := range []int{1, 3} {
		g.leave()
		if n := <-entered; n != want {
			t.Errorf("%d entered, want %d", n, want)
		}
	}
	g.leave()
	g.leave()
	if g.running != 0 {
		t.Errorf("%d places are taken after all have left", g.running)
	}
}
