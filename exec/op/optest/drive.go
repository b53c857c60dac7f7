package optest

import (
	"context"
	"errors"
	"sync"

	"github.com/tuttidb/tutti/exec"
)

// Drive runs one driver: it moves o's rows into s, finishes and closes both.
func Drive(ctx context.Context, o exec.Operator, s exec.Sink) error {
	err := drive(ctx, o, s)
	return errors.Join(err, o.Close(), s.Close())
}

func drive(ctx context.Context, o exec.Operator, s exec.Sink) error {
	for more := true; more; {
		b, err := o.Next(ctx)
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
		if more, err = s.Add(ctx, b); err != nil {
			return err
		}
	}
	return s.Finish(ctx)
}

// Fleet is a set of drivers that run side by side, as those of a task's
// pipelines do.
type Fleet struct {
	wg   sync.WaitGroup
	mu   sync.Mutex
	errs []error
}

// Start runs a driver that moves o's rows into s.
func (f *Fleet) Start(o exec.Operator, s exec.Sink) {
	f.wg.Go(func() { f.report(Drive(context.Background(), o, s)) })
}

func (f *Fleet) report(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.errs = append(f.errs, err)
}

// Wait waits for all drivers and returns their errors.
func (f *Fleet) Wait() error {
	f.wg.Wait()
	return errors.Join(f.errs...)
}

// DrainAll drains several operators at once, one goroutine each, and returns
// all their rows.
func DrainAll(ops []exec.Operator) (Rows, error) {
	parts := make([]Rows, len(ops))
	errs := make([]error, len(ops))
	var wg sync.WaitGroup
	for i, o := range ops {
		wg.Go(func() { parts[i], errs[i] = Drain(o) })
	}
	wg.Wait()
	var all Rows
	for _, p := range parts {
		all = append(all, p...)
	}
	return all, errors.Join(errs...)
}
