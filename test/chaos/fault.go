package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/tuttidb/tutti/test/chaos/rig"
	"github.com/tuttidb/tutti/test/cluster"
	"github.com/tuttidb/tutti/test/slt"
)

// Fault is a way to break a cluster.
type Fault struct {
	Name string
	// Targets is how many workers it strikes.
	Targets int
	// Hold is how long it lasts, from and to.
	Hold [2]time.Duration
	// Strike begins it and returns what ends it.
	Strike func(ctx context.Context, s *Strike) (end func(context.Context) error, err error)
	// Allow are the names of errors that queries may have then.
	Allow []string
	// Short says that the short form has it.
	Short bool
	// Store says that it is one of the object store, which has one at a time.
	Store bool
	// Alone says that no other strikes with it: it chooses its targets itself.
	Alone bool
	// Mounts says that it needs the right to mount.
	Mounts bool
	// Clocks says that it steps clocks.
	Clocks bool
}

// Strike is one application of a fault.
type Strike struct {
	World *World
	// Workers are the numbers of its targets.
	Workers []int
	Rng     *rand.Rand
	// Note says what exactly was done.
	Note string
}

func (s *Strike) name(i int) string              { return rig.Name(s.Workers[i]) }
func (s *Strike) process(i int) *cluster.Process { return s.World.Cluster.Workers[s.Workers[i]] }
func (s *Strike) net() *rig.Net                  { return s.World.Cluster.Net }
func (s *Strike) restart(ctx context.Context, i int) error {
	return s.World.Cluster.Restart(ctx, s.Workers[i])
}

// seconds makes a range of times.
func seconds(from, to float64) [2]time.Duration {
	return [2]time.Duration{time.Duration(from * float64(time.Second)), time.Duration(to * float64(time.Second))}
}

// Faults are all there are.
func Faults() []Fault {
	all := []Fault{
		{Name: "kill", Targets: 1, Hold: seconds(0, 3), Strike: kill, Short: true},
		{Name: "kill-two", Targets: 2, Hold: seconds(0, 2), Strike: kill},
		{Name: "kill-root", Targets: 1, Hold: seconds(0, 1), Strike: killRoot, Alone: true},
		{Name: "pause", Targets: 1, Hold: seconds(0.3, 4), Strike: pause},
		{Name: "zombie", Targets: 1, Hold: seconds(5.5, 9), Strike: pause, Short: true},
		{Name: "stutter", Targets: 1, Hold: seconds(2, 6), Strike: stutter},
		{Name: "drain", Targets: 1, Hold: seconds(0, 1), Strike: drain, Short: true},
		{Name: "disk-full", Targets: 1, Hold: seconds(2, 6), Strike: fillDisk, Mounts: true},
		{Name: "clock", Targets: 1, Hold: seconds(2, 6), Strike: stepClock, Clocks: true},
		{Name: "clock-coordinator", Hold: seconds(2, 6), Strike: stepClock, Clocks: true},
		{Name: "hog", Hold: seconds(0, 0), Strike: hog, Short: true},
	}
	return append(append(all, linkFaults()...), storeFaults()...)
}

// kill ends workers at once and starts them again under their old names.
func kill(_ context.Context, s *Strike) (func(context.Context) error, error) {
	for i := range s.Workers {
		s.process(i).Kill()
	}
	return func(ctx context.Context) error {
		var errs []error
		for i := range s.Workers {
			errs = append(errs, s.restart(ctx, i))
		}
		return errors.Join(errs...)
	}, nil
}

// killRoot kills the worker that delivers the result of a query, one with rows
// of it on their way if there is one soon.
func killRoot(ctx context.Context, s *Strike) (func(context.Context) error, error) {
	session, err := slt.NewSession(s.World.Cluster.URL, "system", "runtime")
	if err != nil {
		return nil, err
	}
	s.Note = "of nothing, " + s.name(0)
	patience := 2 * time.Second
	if s.World.Large {
		patience = 20 * time.Second
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		res, err := session.Query(ctx, "SELECT node_id, output_rows FROM tasks WHERE task_id LIKE '%.0.0._' AND node_id LIKE 'worker%' AND state IN ('RUNNING', 'FLUSHING') ORDER BY output_rows DESC LIMIT 1")
		if err != nil {
			return nil, err
		}
		for i, w := range s.World.Cluster.Workers {
			if len(res.Rows) == 1 && w.Name == res.Rows[0][0] {
				s.Workers = []int{i}
				s.Note = w.Name + " with " + res.Rows[0][1] + " rows of a result"
			}
		}
		if len(res.Rows) == 1 && len(res.Rows[0][1]) >= len("450000") && res.Rows[0][1] >= "450000" {
			break // more than what a coordinator keeps before it gives rows to the client
		}
	}
	return kill(ctx, s)
}

// pause stops a worker for a while; longer than its lease makes a zombie.
func pause(_ context.Context, s *Strike) (func(context.Context) error, error) {
	p := s.process(0)
	return func(context.Context) error { return p.Resume() }, p.Pause()
}

// stutter gives a worker a tenth of its time.
func stutter(_ context.Context, s *Strike) (func(context.Context) error, error) {
	p, stop, done := s.process(0), make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			err := p.Pause()
			time.Sleep(180 * time.Millisecond)
			err = errors.Join(err, p.Resume())
			select {
			case <-stop:
				done <- err
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return func(context.Context) error {
		close(stop)
		return <-done
	}, nil
}

// drainLimit is how long a worker may take to shut down under load.
const drainLimit = 45 * time.Second

// drain shuts a worker down as an operator does.
func drain(_ context.Context, s *Strike) (func(context.Context) error, error) {
	type end struct {
		code int
		err  error
	}
	p, ended := s.process(0), make(chan end, 1)
	began := time.Now()
	go func() {
		code, err := p.Terminate(drainLimit)
		ended <- end{code, err}
	}()
	return func(ctx context.Context) error {
		e := <-ended
		if e.err == nil && e.code != 0 {
			e.err = fmt.Errorf("%s exits with %d", p.Name, e.code)
		}
		s.Note += fmt.Sprintf(" took %.1f s", time.Since(began).Seconds())
		return errors.Join(e.err, s.restart(ctx, 0))
	}, nil
}

// fillDisk leaves a worker no space for outputs.
func fillDisk(_ context.Context, s *Strike) (func(context.Context) error, error) {
	disk := s.World.disks[s.Workers[0]]
	return func(context.Context) error { return disk.Free() }, disk.Fill()
}

// stepClock sets a node's clock ahead or back, by seconds or hours, and right
// again in the end.
func stepClock(_ context.Context, s *Strike) (func(context.Context) error, error) {
	name := "coordinator"
	if len(s.Workers) > 0 {
		name = s.name(0)
	}
	by := []time.Duration{10 * time.Second, 10 * time.Minute, 3 * time.Hour, 40 * 24 * time.Hour}[s.Rng.IntN(4)]
	if s.Rng.IntN(2) == 0 {
		by = -by
	}
	s.Note = fmt.Sprintf("%s by %s", name, by)
	clock := s.World.Cluster.Clock(name)
	return func(context.Context) error { return clock.Step(0) }, clock.Step(by)
}

// hog runs a query that needs more memory than it may have beside the others:
// it alone fails.
func hog(ctx context.Context, s *Strike) (func(context.Context) error, error) {
	session, err := slt.NewSession(s.World.Cluster.URL, "s3", "sf1")
	if err != nil {
		return nil, err
	}
	if _, err := session.Query(ctx, "SET SESSION query_max_memory_per_node = '12MB'"); err != nil {
		return nil, err
	}
	_, err = session.Query(ctx, "SELECT count(*) FROM (SELECT DISTINCT l_orderkey, l_partkey, l_suppkey, l_comment FROM lineitem)")
	var f *slt.Failure
	switch {
	case err == nil:
		s.Note = "spilled"
	case errors.As(err, &f) && (f.Name == "EXCEEDED_LOCAL_MEMORY_LIMIT" || f.Name == "EXCEEDED_SPILL_LIMIT"):
		s.Note = f.Name
	default:
		return nil, fmt.Errorf("the query that needs too much memory: %w", err)
	}
	return func(context.Context) error { return nil }, nil
}

// linkFaults are those of the network.
func linkFaults() []Fault {
	const c = "coordinator"
	pair := func(r rig.Rule, ways int) func(context.Context, *Strike) (func(context.Context) error, error) {
		return func(_ context.Context, s *Strike) (func(context.Context) error, error) {
			return s.link(s.name(0), s.name(1), r, ways), nil
		}
	}
	up := func(r rig.Rule, ways int) func(context.Context, *Strike) (func(context.Context) error, error) {
		return func(_ context.Context, s *Strike) (func(context.Context) error, error) {
			from, to := s.name(0), c
			if ways == 1 && s.Rng.IntN(2) == 0 {
				from, to = to, from
			}
			return s.link(from, to, r, ways), nil
		}
	}
	return []Fault{
		{Name: "peers-cut", Targets: 2, Hold: seconds(1, 25), Strike: pair(rig.Rule{Hold: true}, 2), Short: true},
		{Name: "peers-cut-long", Targets: 2, Hold: seconds(50, 55), Strike: pair(rig.Rule{Hold: true}, 2)},
		{Name: "peers-refuse", Targets: 2, Hold: seconds(1, 8), Strike: pair(rig.Rule{Refuse: true}, 2)},
		{Name: "peers-half-open", Targets: 2, Hold: seconds(1, 25), Strike: pair(rig.Rule{Hold: true}, 1)},
		{Name: "peers-slow", Targets: 2, Hold: seconds(2, 6), Strike: pair(rig.Rule{Delay: 10 * time.Millisecond, Rate: 2 << 20}, 2)},
		{Name: "peers-reset", Targets: 2, Strike: func(_ context.Context, s *Strike) (func(context.Context) error, error) {
			s.Note = fmt.Sprintf("%s %s: %d connections", s.name(0), s.name(1), s.net().Reset(s.name(0), s.name(1)))
			return func(context.Context) error { return nil }, nil
		}},
		{Name: "worker-cut", Targets: 1, Hold: seconds(1, 9), Strike: up(rig.Rule{Hold: true}, 2)},
		{Name: "worker-refused", Targets: 1, Hold: seconds(0.5, 5), Strike: up(rig.Rule{Refuse: true}, 2)},
		{Name: "worker-half-open", Targets: 1, Hold: seconds(1, 9), Strike: up(rig.Rule{Hold: true}, 1), Short: true},
		{Name: "worker-slow", Targets: 1, Hold: seconds(2, 6), Strike: up(rig.Rule{Delay: 40 * time.Millisecond, Rate: 4 << 20}, 2)},
		{Name: "worker-reset", Targets: 1, Short: true, Strike: func(_ context.Context, s *Strike) (func(context.Context) error, error) {
			s.Note = fmt.Sprintf("%s: %d connections", s.name(0), s.net().Reset(s.name(0), c))
			return func(context.Context) error { return nil }, nil
		}},
		{Name: "isolated", Targets: 1, Hold: seconds(1, 9), Strike: isolate},
	}
}

// link sets a rule between two nodes, in one way or both.
func (s *Strike) link(from, to string, r rig.Rule, ways int) func(context.Context) error {
	s.Note = from + " to " + to
	s.net().Set(from, to, r)
	if ways == 2 {
		s.net().Set(to, from, r)
	}
	return func(context.Context) error {
		s.net().Both(from, to, rig.Rule{})
		return nil
	}
}

// isolate cuts a worker off from everybody.
func isolate(_ context.Context, s *Strike) (func(context.Context) error, error) {
	all := func(r rig.Rule) {
		for _, other := range s.net().Names() {
			if other != s.name(0) {
				s.net().Both(s.name(0), other, r)
			}
		}
	}
	all(rig.Rule{Hold: true})
	return func(context.Context) error { all(rig.Rule{}); return nil }, nil
}

// storeFaults are those of the object store.
func storeFaults() []Fault {
	spoil := func(name string, hold [2]time.Duration, sp rig.Spoil, short bool, allow ...string) Fault {
		return Fault{Name: name, Hold: hold, Allow: allow, Short: short, Store: true, Strike: func(_ context.Context, s *Strike) (func(context.Context) error, error) {
			_, before := s.World.Store.Figures()
			s.World.Store.Set(sp)
			return func(context.Context) error {
				s.World.Store.Set(rig.Spoil{})
				_, after := s.World.Store.Figures()
				s.Note = fmt.Sprintf("%d requests", after-before)
				return nil
			}, nil
		}}
	}
	return []Fault{
		spoil("s3-500", seconds(2, 5), rig.Spoil{Share: 0.1, Status: http.StatusInternalServerError}, false),
		spoil("s3-503", seconds(2, 5), rig.Spoil{Share: 0.1, Status: http.StatusServiceUnavailable}, true),
		spoil("s3-reset", seconds(2, 5), rig.Spoil{Share: 0.1, Reset: true}, false),
		spoil("s3-cut", seconds(2, 5), rig.Spoil{Share: 0.1, Cut: true}, true),
		spoil("s3-cut-reset", seconds(2, 5), rig.Spoil{Share: 0.1, Cut: true, Reset: true}, false),
		spoil("s3-slow", seconds(2, 5), rig.Spoil{Share: 0.5, Rate: 4 << 20}, false),
		spoil("s3-stall", seconds(2, 4), rig.Spoil{Share: 0.05, Stall: 3 * time.Second}, false),
		spoil("s3-down", seconds(0.5, 2), rig.Spoil{Share: 1, Status: http.StatusServiceUnavailable}, false, storeDown),
	}
}

// storeDown is the error of queries whose store does not answer for long.
const storeDown = "HIVE_FILESYSTEM_ERROR"
