package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/tuttidb/tutti/test/cluster"
	"github.com/tuttidb/tutti/test/slt"
)

// Bound is the longest time that a query may take, whatever strikes.
const Bound = 60 * time.Second

const (
	// settle is how soon after the end of a query nothing of it may be left.
	settle = 15 * time.Second
	// rejoin is how soon after the end of a fault all workers must be active.
	rejoin = 30 * time.Second
	// aftermath is how long after its end a fault may still be why a query fails.
	aftermath = 5 * time.Second
)

// Campaign strikes a world that is under load, fault after fault.
type Campaign struct {
	World *World
	Load  *Load
	// Plan draws the next faults to strike together, nil at the end.
	Plan func(rng *rand.Rand) []Fault
	Rng  *rand.Rand
	// Say tells of each strike and each violation.
	Say func(format string, args ...any)

	before  cluster.Figures
	records []*Record
}

// Record is one strike of a fault, or of two at a time.
type Record struct {
	Faults []Fault
	Note   string
	Began  time.Time
	Ended  time.Time
	// Struck is how many queries ran when it began.
	Struck int
	// Queries are those that ran for any time of it; Allowed of them failed as
	// they may.
	Queries, Allowed int
	// First is the time from the strike to the first right answer of a query
	// that began after it; Slowest the longest that a query took meanwhile.
	First, Slowest time.Duration
	// Slow is the name of the slowest.
	Slow string
	// Violations are what must not be.
	Violations []string
}

// Name joins the names of the faults.
func (r *Record) Name() string {
	var names []string
	for _, f := range r.Faults {
		names = append(names, f.Name)
	}
	return strings.Join(names, "+")
}

// Run strikes until the plan ends or ctx does, and returns what happened. The
// error is for a campaign that cannot go on.
func (c *Campaign) Run(ctx context.Context) ([]*Record, error) {
	if err := c.rest(ctx); err != nil {
		return nil, err
	}
	c.Load.Resume()
	for ctx.Err() == nil {
		faults := c.Plan(c.Rng)
		if faults == nil {
			break
		}
		r, err := c.strike(ctx, faults)
		c.records = append(c.records, r)
		c.tell(r)
		if err != nil {
			return c.records, err
		}
	}
	return c.records, nil
}

// rest measures what the nodes hold when nothing runs.
func (c *Campaign) rest(ctx context.Context) (err error) {
	c.Load.Pause()
	c.World.Store.CloseClientConnections() // pooled ones come and go
	for last := (cluster.Figures)(nil); ; {
		now, err := c.World.Cluster.Figures(ctx)
		if err != nil {
			return err
		}
		if last != nil && now["tutti_node_tasks"] == 0 && cluster.Grown(now, last) == nil {
			c.before = now
			return nil
		}
		last = now
		select {
		case <-time.After(1200 * time.Millisecond): // for another heartbeat
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// strike lets faults strike at the same time, each at workers of its own, and
// looks at what comes of it.
func (c *Campaign) strike(ctx context.Context, faults []Fault) (*Record, error) {
	r := &Record{Faults: faults}
	for range 200 { // a strike at nothing shows nothing
		if r.Struck = c.Load.Running(); r.Struck > 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(time.Duration(c.Rng.IntN(300)) * time.Millisecond)
	r.Began = time.Now()
	err := c.apply(ctx, r)
	r.Ended = time.Now()
	if err != nil {
		r.violate("%v", err)
	}
	back, cancel := context.WithTimeout(ctx, rejoin)
	defer cancel()
	if err := c.World.Cluster.Await(back, len(c.World.Cluster.Workers)); err != nil && ctx.Err() == nil {
		c.judge(r)
		r.violate("workers are not back %s after the end: %v", rejoin, err)
		return r, errors.New("the campaign ends: workers do not come back")
	}
	c.answered(ctx, r)
	c.Load.Pause()
	c.judge(r)
	c.World.Store.CloseClientConnections() // that a pool has grown is no leak
	if err := c.World.Cluster.Settled(ctx, c.before, settle); err != nil && ctx.Err() == nil {
		r.violate("still held %s after the last query: %v", settle, err)
	}
	c.Load.Resume()
	return r, nil
}

// apply lets the faults of a record begin, last and end.
func (c *Campaign) apply(ctx context.Context, r *Record) error {
	var errs []error
	var ends []func(context.Context) error
	free := c.Rng.Perm(len(c.World.Cluster.Workers))
	hold := time.Duration(0)
	var strikes []*Strike
	for _, f := range r.Faults {
		s := &Strike{World: c.World, Workers: free[:f.Targets], Rng: c.Rng}
		free = free[f.Targets:]
		strikes = append(strikes, s)
		for _, w := range s.Workers {
			s.Note += c.World.Cluster.Workers[w].Name + " "
		}
		end, err := f.Strike(ctx, s)
		errs = append(errs, err)
		if end != nil {
			ends = append(ends, end)
		}
		hold = max(hold, f.Hold[0]+time.Duration(c.Rng.Int64N(int64(f.Hold[1]-f.Hold[0])+1)))
	}
	select {
	case <-time.After(hold):
	case <-ctx.Done():
	}
	for _, end := range ends { // whatever happens, faults end
		errs = append(errs, end(context.WithoutCancel(ctx)))
	}
	for _, s := range strikes {
		r.Note += strings.TrimSpace(s.Note) + "; "
	}
	r.Note += fmt.Sprintf("%.1f s", hold.Seconds())
	return errors.Join(errs...)
}

// answered waits for a right answer to a query that began after the fault did.
func (c *Campaign) answered(ctx context.Context, r *Record) {
	for ctx.Err() == nil && time.Since(r.Ended) < Bound {
		for _, o := range c.Load.Since(r.Began) {
			if took := o.Ended.Sub(r.Began); o.Err == nil && o.Began.After(r.Began) && (r.First == 0 || took < r.First) {
				r.First = took
			}
		}
		if r.First > 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// judge looks at the queries that ran while faults struck.
func (c *Campaign) judge(r *Record) {
	for _, o := range c.Load.Since(r.Began) {
		r.Queries++
		if o.Took() > r.Slowest {
			r.Slowest, r.Slow = o.Took(), o.Query.Name
		}
		switch {
		case o.Err == nil:
		case o.Began.Before(r.Ended.Add(aftermath)) && allowed(r.Faults, o):
			r.Allowed++
		default:
			r.violate("%s after %.1f s: %v", o.Query.Name, o.Took().Seconds(), o.Err)
		}
	}
}

func (r *Record) violate(format string, args ...any) {
	r.Violations = append(r.Violations, fmt.Sprintf(format, args...))
}

// allowed reports whether a query may fail as it did.
func allowed(faults []Fault, o Outcome) bool {
	var f *slt.Failure
	if !errors.As(o.Err, &f) {
		return false
	}
	for _, fault := range faults {
		if slices.Contains(fault.Allow, f.Name) {
			return true
		}
	}
	return false
}

func (c *Campaign) tell(r *Record) {
	c.Say("%-32s %-40s %d running, %d queries, first answer %.1f s, slowest %.1f s (%s), %d failed as allowed",
		r.Name(), r.Note, r.Struck, r.Queries, r.First.Seconds(), r.Slowest.Seconds(), r.Slow, r.Allowed)
	for _, v := range r.Violations {
		c.Say("    VIOLATION %s", v)
	}
}

// Table sums records up, a line for each fault.
func Table(records []*Record) string {
	type line struct {
		strikes, idle, queries, allowed, violations int
		first, slowest                              []time.Duration
	}
	lines := map[string]*line{}
	var names []string
	total := &line{}
	for _, r := range records {
		l := lines[r.Name()]
		if l == nil {
			l = &line{}
			lines[r.Name()] = l
			names = append(names, r.Name())
		}
		for _, l := range []*line{l, total} {
			l.strikes++
			if r.Struck == 0 {
				l.idle++
			}
			l.queries += r.Queries
			l.allowed += r.Allowed
			l.violations += len(r.Violations)
			l.first = append(l.first, r.First)
			l.slowest = append(l.slowest, r.Slowest)
		}
	}
	slices.Sort(names)
	var b strings.Builder
	b.WriteString("| fault | strikes (at nothing) | queries | failed as allowed | violations | first answer after, median (max) | slowest query, median (max) |\n| --- | --- | --- | --- | --- | --- | --- |\n")
	write := func(name string, l *line) {
		fmt.Fprintf(&b, "| %s | %d (%d) | %d | %d | %d | %s | %s |\n", name, l.strikes, l.idle, l.queries, l.allowed, l.violations, spread(l.first), spread(l.slowest))
	}
	for _, name := range names {
		write(name, lines[name])
	}
	write("**all**", total)
	return b.String()
}

// spread is the median and the largest of some times.
func spread(times []time.Duration) string {
	if len(times) == 0 {
		return "-"
	}
	slices.Sort(times)
	return fmt.Sprintf("%.1f s (%.1f)", times[len(times)/2].Seconds(), times[len(times)-1].Seconds())
}
