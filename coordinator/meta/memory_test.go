package meta

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tuttidb/tutti/internal/clock"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

func keys(entries []*pb.MetaMemory) string {
	var all []string
	for _, e := range entries {
		all = append(all, e.Key)
	}
	return strings.Join(all, " ")
}

func memo(key string, ttl time.Duration, seq uint64) *pb.MetaMemory {
	return &pb.MetaMemory{Key: key, TtlMs: ttl.Milliseconds(), Seq: seq}
}

func page(id string, body []byte) *pb.MetaMemory {
	return RememberPage(&pb.MetaPage{Query: id, Body: body}, time.Minute)
}

func TestMemory(t *testing.T) {
	c := clock.NewManual(time.Unix(1000, 0))
	m := newMemory(c, 5)
	put := func(epoch uint64, want bool, entries ...*pb.MetaMemory) {
		t.Helper()
		if newest, ok, err := m.put(epoch, entries, nil); ok != want || err != nil || newest < epoch {
			t.Fatalf("put in epoch %d: %v, newest %d: %v", epoch, ok, newest, err)
		}
	}
	put(4, false, memo("old", time.Minute, 1)) // the term on disk is a fence too
	put(5, true, memo("a", time.Minute, 1), memo("b", time.Second, 2))
	c.Advance(2 * time.Second)
	put(6, true, memo("c", time.Minute, 3))
	put(5, false, memo("d", time.Minute, 4))
	newest, ok := m.fence(7)
	got := m.all()
	if keys(got) != "a c" || !ok || newest != 7 || got[0].TtlMs != 58000 {
		t.Fatalf("collected %s, %v: %v", keys(got), ok, got)
	}
	put(6, false, memo("e", time.Minute, 5)) // what it still sends comes to nothing
	if newest, ok := m.fence(6); ok || newest != 7 {
		t.Fatal("an older leader may collect")
	}
	put(7, true, memo("a", time.Minute, 9))
	put(7, true, memo("a", time.Hour, 8)) // overtaken on its way
	if got := m.all(); got[0].TtlMs != 60000 {
		t.Fatalf("an older entry won: %v", got)
	}
	if _, ok, err := m.put(7, nil, []string{"a", "none"}); !ok || err != nil || keys(m.all()) != "c" {
		t.Fatalf("forgot: %s left", keys(m.all()))
	}
	c.Advance(time.Hour)
	if len(m.all()) != 0 || m.bytes != 0 {
		t.Fatalf("%d entries, %d bytes after all have expired", len(m.all()), m.bytes)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	m := newMemory(clock.System{}, 0)
	big := bytes.Repeat([]byte("x"), 8<<20)
	for i := range 7 {
		if _, ok, err := m.put(1, []*pb.MetaMemory{page(fmt.Sprint("q", i), big)}, nil); !ok || err != nil {
			t.Fatal(err)
		}
	}
	over := []*pb.MetaMemory{page("a", big), page("b", big)}
	if _, ok, err := m.put(1, over, nil); ok || !errors.Is(err, errMemoryFull) {
		t.Fatalf("over the limit: %v, %v", ok, err)
	}
	if got := m.all(); len(got) != 7 {
		t.Fatalf("%d entries: what was acknowledged must stay, what was refused must not", len(got))
	}
	if _, ok, err := m.put(1, over, []string{pageMemory("q0")}); ok || !errors.Is(err, errMemoryFull) || len(m.all()) != 7 {
		t.Fatalf("over the limit: %v, %v, %d entries left", ok, err, len(m.all()))
	}
	if _, ok, err := m.put(1, over, []string{pageMemory("q0"), pageMemory("q1"), pageMemory("q1")}); !ok || err != nil {
		t.Fatal(err)
	}
	again := []*pb.MetaMemory{page("a", big)} // counts instead of the one that is there
	if _, ok, err := m.put(1, again, nil); !ok || err != nil || m.bytes > memoryLimit {
		t.Fatalf("%v, %v, %d bytes", ok, err, m.bytes)
	}
}

// TestSettle: the last page takes the place of all else, on every node.
func TestSettle(t *testing.T) {
	g := newGroup(t, "c1", "c2", "c3").openAll()
	g.settled()
	lead := g.leader()
	epoch := lead.ready.Load()
	ctx := within(t, 5*time.Second)
	for _, id := range []string{"q", "other"} {
		err := lead.Remember(ctx, epoch, RememberQuery(&pb.MetaQuery{Id: id}, time.Minute), RememberPlan(&pb.MetaPlan{Query: id}, time.Minute), page(id, []byte("1")))
		if err != nil {
			t.Fatal(err)
		}
	}
	everywhere := func(want string) {
		t.Helper()
		for _, n := range append(g.others(lead), lead) {
			g.until("all remember "+want, func() error {
				if got := keys(n.memory.all()); got != want {
					return fmt.Errorf("%s remembers %q", n.cfg.ID, got)
				}
				return nil
			})
		}
	}
	everywhere("page/other page/q plan/other plan/q query/other query/q") // calls to the slower one are still under way
	if err := lead.Settle(ctx, epoch, page("q", []byte("2"))); err != nil {
		t.Fatal(err)
	}
	everywhere("page/other page/q plan/other query/other")
}

// TestRememberSurvives acknowledges entries and kills the leader at once: the
// next one starts from all of them, time after time.
func TestRememberSurvives(t *testing.T) {
	t.Parallel()
	g := newGroup(t, "c1", "c2", "c3").openAll()
	g.leader()
	want := map[string]bool{}
	for round := range 4 {
		g.settled()
		lead := g.leader()
		epoch := lead.ready.Load()
		for i := range 20 {
			id := fmt.Sprintf("q%d.%d", round, i)
			q := &pb.MetaQuery{Id: id, Slug: "s" + id, Sql: "select " + id}
			if err := lead.Remember(within(t, 5*time.Second), epoch, RememberQuery(q, time.Minute), page(id, []byte(id))); err != nil {
				t.Fatal(err)
			}
			want[id] = true
		}
		if err := lead.Remember(within(t, time.Second), epoch-1, memo("x", time.Minute, 0)); !errors.Is(err, ErrFenced) {
			t.Fatalf("in an older epoch: %v", err)
		}
		if err := lead.Forget(within(t, 5*time.Second), epoch, fmt.Sprintf("q%d.0", round)); err != nil {
			t.Fatal(err)
		}
		delete(want, fmt.Sprintf("q%d.0", round))
		id := lead.cfg.ID
		g.kill(id)
		next := g.leader()
		if err := next.Remember(within(t, time.Second), epoch, memo("x", time.Minute, 0)); !errors.Is(err, ErrFenced) {
			t.Fatalf("on behalf of the dead leader: %v", err)
		}
		g.mu.Lock()
		found := map[string]int{}
		for _, m := range g.last.Remembered {
			if q := m.GetAccepted(); q != nil && q.Sql == "select "+q.Id && q.Slug == "s"+q.Id {
				found[q.Id]++
			}
			if r := m.GetPage(); r != nil && string(r.Body) == r.Query {
				found[r.Query]++
			}
		}
		g.mu.Unlock()
		for id := range want {
			if found[id] != 2 {
				t.Fatalf("round %d: of query %s %d entries survived, of %d queries in all", round, id, found[id], len(want))
			}
		}
		g.open(id)
	}
}

// TestRememberRefills restarts a follower, whose memory is then empty, and
// kills the leader: the entries that only those two had are not lost.
func TestRememberRefills(t *testing.T) {
	t.Parallel()
	g := newGroup(t, "c1", "c2", "c3").openAll()
	g.settled()
	lead := g.leader()
	rest := g.others(lead)
	if err := lead.Remember(within(t, 5*time.Second), lead.ready.Load(), RememberQuery(&pb.MetaQuery{Id: "q"}, time.Minute)); err != nil {
		t.Fatal(err)
	}
	for _, n := range rest {
		g.kill(n.cfg.ID)
		again := g.open(n.cfg.ID)
		g.until("the memory is filled again", func() error {
			if got := keys(again.memory.all()); got != "query/q" {
				return fmt.Errorf("%s remembers %q", again.cfg.ID, got)
			}
			return nil
		})
	}
	g.kill(lead.cfg.ID)
	if g.leader(); keys(g.last.Remembered) != "query/q" {
		t.Fatalf("the new leader starts from %q", keys(g.last.Remembered))
	}
}

// TestRememberNeedsMajority cuts the leader off: nothing is acknowledged.
func TestRememberNeedsMajority(t *testing.T) {
	g := newGroup(t, "c1", "c2", "c3").openAll()
	g.settled()
	lead := g.leader()
	epoch := lead.ready.Load()
	g.isolate(lead.cfg.ID, true)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := lead.Remember(ctx, epoch, RememberQuery(&pb.MetaQuery{Id: "q"}, time.Minute)); err == nil {
		t.Fatal("a minority acknowledged")
	}
}

// TestRememberTakes measures what a small query pays before it is answered.
func TestRememberTakes(t *testing.T) {
	g := newGroup(t, "c1", "c2", "c3").openAll()
	g.settled()
	lead := g.leader()
	var took []time.Duration
	for i := range 300 {
		q := &pb.MetaQuery{Id: fmt.Sprint("q", i), Sql: strings.Repeat("x", 500)}
		begin := time.Now()
		if err := lead.Remember(within(t, 5*time.Second), lead.ready.Load(), RememberQuery(q, time.Minute)); err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	t.Logf("remembering takes %s (median), %s (p99)", took[150], took[297])
}

// TestRememberedByNobody: what a leader told itself only, as it was cut off,
// does not stand against what its successors acknowledged: neither when it
// hears of that nor when it leads again.
func TestRememberedByNobody(t *testing.T) {
	t.Parallel()
	g := newGroup(t, "c1", "c2", "c3").openAll()
	g.settled()
	old := g.leader()
	epoch := old.ready.Load()
	if err := old.Remember(within(t, 5*time.Second), epoch, page("q", []byte("1"))); err != nil {
		t.Fatal(err)
	}
	g.isolate(old.cfg.ID, true)
	for range 100 { // as requests try again and again
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		err := old.Remember(ctx, epoch, page("q", []byte("nobody's")))
		cancel()
		if err == nil {
			t.Fatal("a minority acknowledged")
		}
	}
	var next *Node
	g.until("another leads", func() error {
		for _, n := range g.others(old) {
			if n.ready.Load() > epoch {
				next = n
				return nil
			}
		}
		return errors.New("none leads")
	})
	if err := next.Remember(within(t, 5*time.Second), next.ready.Load(), page("q", []byte("2"))); err != nil {
		t.Fatal(err)
	}
	g.isolate(old.cfg.ID, false)
	g.until("the old leader has heard of it", func() error {
		if got := old.memory.all(); len(got) != 1 || string(got[0].GetPage().GetBody()) != "2" {
			return fmt.Errorf("it remembers %v", got)
		}
		return nil
	})
	if err := next.Transfer(within(t, 10*time.Second), old.cfg.ID); err != nil {
		t.Fatal(err)
	}
	g.until("it leads again", func() error {
		if old.ready.Load() != 0 {
			return nil
		}
		if id, _ := old.Leader(); id != "" && id != old.cfg.ID { // it was too slow for the others
			return errors.Join(errors.New("it does not"), next.Transfer(within(t, 10*time.Second), old.cfg.ID))
		}
		return errors.New("it does not")
	})
	g.mu.Lock()
	defer g.mu.Unlock()
	if got := g.last.Remembered; len(got) != 1 || string(got[0].GetPage().GetBody()) != "2" {
		t.Fatalf("it starts from %v", got)
	}
}
