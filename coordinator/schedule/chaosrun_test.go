package schedule

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tuttidb/tutti/coordinator/query"
)

var replay = flag.Uint64("chaos.seed", 0, "play only this failure schedule")

// schedules is how many failure schedules are played: TUTTI_SIM, or 10,000.
func schedules() uint64 {
	if n, err := strconv.ParseUint(os.Getenv("TUTTI_SIM"), 10, 64); err == nil {
		return n
	}
	return 10_000 / slowdown
}

// TestChaos plays random failure schedules; a violation is replayed with
// -chaos.seed.
func TestChaos(t *testing.T) {
	if *replay != 0 {
		if err := newChaos(*replay, query.NoFault, noBug).play(); err != nil {
			t.Fatal(err)
		}
		return
	}
	base, n := uint64(time.Now().UnixNano()), schedules()
	var next, faults, struck, given, failed atomic.Uint64
	var mu sync.Mutex
	seen := map[string]int{}
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := next.Add(1); i <= n && !t.Failed(); i = next.Add(1) {
				c := newChaos(base+i, query.NoFault, noBug)
				if err := c.play(); err != nil {
					t.Errorf("seed %d: %v", base+i, err)
				}
				faults.Add(uint64(c.faults))
				struck.Add(uint64(c.struck))
				if c.run.Given {
					given.Add(1)
				}
				if c.run.Failure != nil || c.done {
					failed.Add(1)
				}
				mu.Lock()
				for k, v := range c.seen {
					seen[k] += v
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	t.Logf("%d schedules from seed %d: %d faults, %d of them struck work or outputs that count; %d gave rows early; %d ended in a failure",
		n, base, faults.Load(), struck.Load(), given.Load(), failed.Load())
	for _, k := range slices.Sorted(maps.Keys(seen)) {
		t.Logf("%8d × %s", seen[k], k)
	}
	for _, k := range []string{
		"killed", "stopped", "joins", "drains", "cut off from a peer", "out of the coordinator's sight", "back under its old name",
		"a stopped process wakes up as a new member", "an attempt that was read is superseded", "an input is said to be lost", "splits given back",
		"a run is taken over", "attempts follow a takeover", "a word of an old coordinator is refused", "a split comes", "a split goes",
		"not taken over: no worker has anything of it", "a stage that is complete is not listed",
		"attempts follow a loss", "attempts follow a report", "release", "rows given early", "rest of the result lost", "the rest is looked up in another attempt",
		"the rest of a result is bound to its coordinator",
		"slowed down", "an output is copied", "a copy takes the place of a lost output", "a twin begins", "a twin wins", "a twin loses", "a twin takes the place of a lost attempt",
	} {
		if seen[k] == 0 && n >= 10_000 && !t.Failed() && k != "rest of the result lost" { // fewer may miss the rare ones
			t.Errorf("it never happened: %s", k)
		}
	}
	if struck.Load() < n/2 || failed.Load() > n/5 {
		t.Errorf("%d faults struck, %d queries failed: the schedules do not show what they should", struck.Load(), failed.Load())
	}
}

// TestChaosFindsBugs: each planted bug is found within as many schedules as
// TestChaos plays.
func TestChaosFindsBugs(t *testing.T) {
	type planted struct {
		fault query.Fault
		bug   modelBug
	}
	var all []planted
	for f := query.NoFault + 1; f < query.Faults; f++ {
		all = append(all, planted{f, noBug})
	}
	for b := noBug + 1; b < modelBugs; b++ {
		all = append(all, planted{query.NoFault, b})
	}
	if len(all) < 12 {
		t.Fatalf("only %d bugs are planted", len(all))
	}
	for _, p := range all {
		t.Run(fmt.Sprintf("%s, %s", p.fault, p.bug), func(t *testing.T) {
			t.Parallel()
			if slowdown > 1 {
				return // the same, at length
			}
			for seed := uint64(1); seed <= 10_000; seed++ {
				if err := newChaos(seed, p.fault, p.bug).playAll(); err != nil {
					t.Logf("found by seed %d: %.200s", seed, err)
					return
				}
			}
			t.Error("10,000 schedules with a planted bug went well")
		})
	}
}

// playAll is play with a bug that may panic.
func (c *chaos) playAll() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return c.play()
}
