package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"time"
)

// prober is the client that asks SELECT 1 only, which takes no worker: it finds
// when answers come again.
const prober = "probe"

// play is a performance: the cluster, its clients, and what was done to it.
type play struct {
	*stage
	o      *options
	loads  []*load
	phases []*phase
}

// failover runs all phases and reports. It is an error if a client was told
// anything wrong, or failed where it must not.
func (o *options) failover(ctx context.Context, out io.Writer) (err error) {
	s, err := o.start(ctx, "three")
	if s != nil {
		defer func() { err = errors.Join(err, s.Stop()) }()
	}
	if err != nil {
		return err
	}
	p := &play{stage: s, o: o}
	defer func() {
		for _, l := range p.loads {
			l.kill()
		}
	}()
	if err := p.startLoads(ctx); err != nil {
		return err
	}
	for _, step := range []struct {
		name string
		n    int
		run  func(context.Context, *phase) error
	}{{"undisturbed", 4, p.rest}, {"leader killed", o.kills, p.kill}, {"handed over", o.moves, p.move}, {"rolling upgrade", o.upgrades, p.upgrade}} {
		if step.n == 0 {
			continue
		}
		if err := p.perform(ctx, step.name, step.n, step.run); err != nil {
			return err
		}
	}
	for _, l := range p.loads {
		if err := l.stop(); err != nil {
			return err
		}
	}
	return p.report(out)
}

// startLoads starts the clients and waits until all know the answers.
func (p *play) startLoads(ctx context.Context) error {
	all, err := p.o.queries()
	if err != nil {
		return err
	}
	for _, spec := range p.o.clients {
		queries := all
		if len(spec) > len(prober) && spec[:len(prober)] == prober {
			queries = one
		}
		l, err := startLoad(p.o.dir, spec, p.URL, queries)
		if err != nil {
			return err
		}
		p.loads = append(p.loads, l)
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	for _, l := range p.loads {
		if err := l.await(ctx); err != nil {
			return err
		}
	}
	return nil
}

// perform runs a phase n times and counts leaderships.
func (p *play) perform(ctx context.Context, name string, n int, run func(context.Context, *phase) error) error {
	before, err := p.leaderships()
	if err != nil {
		return err
	}
	ph := &phase{name: name, begin: time.Now()}
	p.phases = append(p.phases, ph)
	for range n {
		if err := run(ctx, ph); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	ph.end = time.Now()
	after, err := p.leaderships()
	ph.spurious = after - before - ph.asked
	fmt.Printf("%s: %d times in %s\n", name, n, ph.end.Sub(ph.begin).Round(time.Second))
	return err
}

// until waits for a moment.
func until(ctx context.Context, t time.Time) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Until(t)):
		return nil
	}
}

// rest does nothing to the cluster, for comparison.
func (p *play) rest(ctx context.Context, ph *phase) error {
	begin := time.Now()
	err := until(ctx, begin.Add(p.o.moveEvery))
	ph.events = append(ph.events, event{begin: begin, end: time.Now()})
	return err
}

// kill takes the leader and brings it back, at once or two seconds later in
// turn.
func (p *play) kill(ctx context.Context, ph *phase) error {
	lead, err := p.settled(ctx)
	if err != nil {
		return err
	}
	begin := time.Now()
	p.Kill(lead)
	ph.asked++
	if len(ph.events)%2 == 1 {
		if err := until(ctx, begin.Add(2*time.Second)); err != nil {
			return err
		}
	}
	if err := p.Start(p.index(lead)); err != nil {
		return err
	}
	ph.events = append(ph.events, event{begin: begin, end: begin, what: lead.ID})
	return until(ctx, begin.Add(p.o.every))
}

// move hands the leadership on as an operator does.
func (p *play) move(ctx context.Context, ph *phase) error {
	lead, err := p.settled(ctx)
	if err != nil {
		return err
	}
	begin := time.Now()
	text, err := exec.CommandContext(ctx, p.o.binary, "admin", "--server", lead.Control, "transfer-leader").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, text)
	}
	ph.asked++
	ph.events = append(ph.events, event{begin: begin, end: time.Now(), what: lead.ID})
	return until(ctx, begin.Add(p.o.moveEvery))
}

// upgrade restarts each coordinator in turn, each when the one before is back.
func (p *play) upgrade(ctx context.Context, ph *phase) error {
	for i, x := range p.All {
		lead, err := p.settled(ctx)
		if err != nil {
			return err
		}
		begin := time.Now()
		if err := x.Stop(); err != nil {
			return err
		}
		if x == lead {
			ph.asked++
		}
		ph.events = append(ph.events, event{begin: begin, end: time.Now(), what: x.ID})
		if err := p.Start(i); err != nil {
			return err
		}
		if _, err := p.settled(ctx); err != nil {
			return err
		}
		if err := until(ctx, begin.Add(p.o.moveEvery)); err != nil {
			return err
		}
	}
	return nil
}
