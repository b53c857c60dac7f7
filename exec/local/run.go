package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/internal/qerr"
)

// Run builds the task's pipelines, drives them all to the end and returns the
// first error. Everything that the pipelines held is released when it returns.
func Run(ctx context.Context, t *exec.Task) error {
	b, err := build(t)
	if err != nil {
		return err
	}
	defer b.settle()
	return start(ctx, b.pipelines, t.Log).wait()
}

// crew is the running drivers of a task.
type crew struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	log    *slog.Logger
	wg     sync.WaitGroup
	failed atomic.Bool
}

// errStopped is why a crew's context ends when nothing has failed.
var errStopped = errors.New("task stopped")

// start starts one goroutine for each driver.
func start(ctx context.Context, pipelines []exec.Pipeline, log *slog.Logger) *crew {
	c := &crew{log: log}
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	for _, p := range pipelines {
		for _, d := range p.Drivers {
			c.wg.Go(func() { c.drive(p.Name, d) })
		}
	}
	return c
}

// wait waits for all drivers and returns why they ended early, nil if they
// did not.
func (c *crew) wait() error {
	c.wg.Wait()
	defer c.cancel(errStopped)
	if !c.failed.Load() {
		return nil
	}
	return context.Cause(c.ctx)
}

// stop ends the drivers and waits until they have let go of everything.
func (c *crew) stop() {
	c.cancel(errStopped)
	c.wg.Wait()
}

// drive runs one driver and reports its error.
func (c *crew) drive(pipeline string, d exec.Driver) {
	err := c.guarded(pipeline, func() error { return pump(c.ctx, d) })
	for _, closing := range []func() error{d.Source.Close, d.Sink.Close} {
		if e := c.guarded(pipeline, closing); e != nil && err == nil {
			err = e
		}
	}
	if err != nil {
		c.failed.Store(true)
		c.cancel(fmt.Errorf("%s: %w", pipeline, err))
	}
}

// guarded runs f. A panic is a bug in an operator and fails this query alone,
// with its stack in the log; so does an access to memory that is gone.
func (c *crew) guarded(pipeline string, f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			if c.log != nil {
				c.log.Error("panic in a driver", "pipeline", pipeline, "panic", p, "stack", string(debug.Stack()))
			}
			err = qerr.New(qerr.GenericInternal, "internal error: %v", p)
		}
	}()
	return f()
}

// pump moves the source's rows into the sink until one of them has enough.
func pump(ctx context.Context, d exec.Driver) error {
	for {
		b, err := d.Source.Next(ctx)
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
		more, err := d.Sink.Add(ctx, b)
		if err != nil {
			return err
		}
		if !more {
			break
		}
	}
	return d.Sink.Finish(ctx)
}
