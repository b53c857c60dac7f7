package meta

import (
	"testing"
	"time"
)

// TestNewcomersDefer kills the leader and starts it again at once: as often as
// that is done, one of those that stayed leads (but once at most: a machine may
// be too busy for those).
func TestNewcomersDefer(t *testing.T) {
	t.Parallel()
	g := newGroup(t, "c1", "c2", "c3").openAll()
	g.settled()
	rounds, won := 8, 0
	if raced {
		rounds = 3
	}
	for range rounds {
		old := g.leader()
		g.kill(old.ID())
		back := g.open(old.ID())
		if back.seasoned.Load() || !back.health().Fresh {
			t.Fatal("it is not new")
		}
		if now := g.leader(); now == back {
			won++
		}
		g.settled()
		g.until("it is as patient as the others", func() error {
			if back.seasoned.Load() && !back.health().Fresh && back.raft.ReloadableConfig().HeartbeatTimeout == quick.Election {
				return nil
			}
			return errNotLeading
		})
	}
	if won > 1 {
		t.Errorf("who was just started leads, %d times of %d", won, rounds)
	}
}

// TestAllNew: where all were started again nobody waits for others; where one
// is missing it is not waited for longer than long.
func TestAllNew(t *testing.T) {
	t.Parallel()
	g := newGroup(t, "c1", "c2", "c3").openAll()
	g.settled()
	restart := func(ids ...string) time.Duration {
		for _, id := range g.ids {
			g.kill(id)
		}
		begin := time.Now()
		for _, id := range ids {
			g.open(id)
		}
		g.leader()
		return time.Since(begin).Round(time.Millisecond)
	}
	all, two := restart("c1", "c2", "c3"), restart("c2", "c3")
	t.Logf("all three lead again after %s, two of them after %s", all, two)
	if two < 2*quick.Election {
		t.Errorf("two of three waited for nobody: %s", two)
	}
	alone := single(t, "")
	if err := alone.WaitLeader(within(t, 10*time.Second)); err != nil {
		t.Fatal(err)
	}
}
