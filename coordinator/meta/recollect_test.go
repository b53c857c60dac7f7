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

// show is a list as text, by key.
func (l list) show() string {
	var all []string
	for i, key := range l.keys {
		all = append(all, fmt.Sprint(key, "@", l.seqs[i]))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func listOf(entries ...*pb.MetaMemory) (l list) {
	for _, e := range entries {
		l.keys, l.seqs = append(l.keys, e.Key), append(l.seqs, e.Seq)
	}
	return l
}

// fill makes a memory of entries in epoch 1.
func fill(t *testing.T, entries ...*pb.MetaMemory) *memory {
	t.Helper()
	m := newMemory(clock.NewManual(time.Unix(1000, 0)), 1)
	if _, ok, err := m.put(1, entries, nil); !ok || err != nil {
		t.Fatal(ok, err)
	}
	return m
}

func TestLacks(t *testing.T) {
	m := fill(t, memo("b", 1*time.Second, 4), memo("a", 2*time.Second, 2), memo("d", time.Second, 9))
	l := listOf(memo("b", 0, 3), memo("a", 0, 7), memo("c", 0, 1), memo("d", 0, 9))
	if got := m.lacks(l); !slices.Equal(got, []string{"a", "c"}) {
		t.Fatalf("it asks for %v", got)
	}
	m.seal(8)
	if got := m.list().show(); got != "a@8 b@8 d@9" {
		t.Fatalf("sealed: %s", got)
	}
	m.seal(8) // at a second try
	if bodies, same := m.missing(l); same.show() != "" || keys(bodies) != "b a" {
		t.Fatalf("bodies %s, same %s", keys(bodies), same.show())
	}
}

// TestUnion: what comes when the union has been taken is no part of it.
func TestUnion(t *testing.T) {
	u := &union{lists: map[string]list{}}
	u.add("c2", listOf(memo("a", 0, 7)), []*pb.MetaMemory{memo("a", 0, 7)})
	u.add("c3", listOf(memo("a", 0, 8)), []*pb.MetaMemory{memo("a", 0, 8)})
	entries, lists := u.take()
	u.add("c4", list{}, []*pb.MetaMemory{memo("d", time.Second, 1)})
	if keys(entries) != "a" || len(u.entries) != 2 || len(lists) != 2 || lists["c2"].show() != "a@7" {
		t.Errorf("%v of %v", entries, lists)
	}
	m := fill(t, memo("a", time.Minute, 3))
	if _, ok, err := m.put(1, entries, nil); !ok || err != nil || m.list().show() != "a@8" {
		t.Errorf("%v %v, it has %s", ok, err, m.list().show())
	}
}

// TestStamp: entries that are as they were listed get the new seq, others are
// told; older epochs change nothing.
func TestStamp(t *testing.T) {
	for _, c := range []struct {
		name        string
		epoch       uint64
		listed      []*pb.MetaMemory
		lacks, want string
	}{
		{"all", 2, []*pb.MetaMemory{memo("a", 0, 3), memo("b", 0, 4)}, "", "a@100 b@100"},
		{"one that is older", 2, []*pb.MetaMemory{memo("a", 0, 5), memo("b", 0, 4)}, "a", "a@3 b@100"},
		{"one that is newer", 2, []*pb.MetaMemory{memo("a", 0, 2)}, "a", "a@3 b@4"},
		{"one that is not there", 2, []*pb.MetaMemory{memo("c", 0, 2)}, "c", "a@3 b@4"},
		{"nothing", 2, nil, "", "a@3 b@4"},
		{"for an older leader", 0, []*pb.MetaMemory{memo("a", 0, 3)}, "a", "a@3 b@4"},
	} {
		m := fill(t, memo("a", time.Minute, 3), memo("b", time.Minute, 4))
		lacks := m.stamp(c.epoch, listOf(c.listed...), 100)
		if got := m.list().show(); strings.Join(lacks, " ") != c.lacks || got != c.want {
			t.Errorf("%s: %s lacks %v, want %s lacks %q", c.name, got, lacks, c.want, c.lacks)
		}
	}
	m := fill(t, memo("a", time.Minute, 100)) // stamped before, by a call whose answer was lost
	if lacks := m.stamp(1, listOf(memo("a", 0, 3)), 100); len(lacks) != 0 {
		t.Errorf("stamped twice it lacks %v", lacks)
	}
}

// TestMissing: what a leader tells a peer after it has stamped its own.
func TestMissing(t *testing.T) {
	for _, c := range []struct {
		name         string
		there        []*pb.MetaMemory
		bodies, same string
	}{
		{"an empty one", nil, "a b new", ""},
		{"the same", []*pb.MetaMemory{memo("a", 0, 3), memo("b", 0, 4)}, "new", "a@3 b@4"},
		{"one was told before", []*pb.MetaMemory{memo("a", 0, 100), memo("b", 0, 4), memo("new", 0, 101)}, "", "b@4"},
		{"older", []*pb.MetaMemory{memo("a", 0, 2), memo("b", 0, 4)}, "a new", "b@4"},
		{"nobody's", []*pb.MetaMemory{memo("a", 0, 7), memo("b", 0, 4), memo("x", 0, 50)}, "a new", "b@4"},
		{"it was told of a newer one that is on its way", []*pb.MetaMemory{memo("a", 0, 3), memo("b", 0, 102)}, "new", "a@3"},
	} {
		m := fill(t, memo("a", time.Minute, 3), memo("b", time.Minute, 4))
		m.stamp(2, m.list(), 100)
		if _, ok, err := m.put(2, []*pb.MetaMemory{memo("new", time.Minute, 101)}, nil); !ok || err != nil {
			t.Fatal(ok, err)
		}
		bodies, same := m.missing(listOf(c.there...))
		slices.SortFunc(bodies, byKey)
		if keys(bodies) != c.bodies || same.show() != c.same {
			t.Errorf("%s: bodies %q and same %q, want %q and %q", c.name, keys(bodies), same.show(), c.bodies, c.same)
		}
	}
}

// TestMemoriesOf: a peer needs everything until it was told everything, and
// again if it missed something meanwhile or is another process.
func TestMemoriesOf(t *testing.T) {
	var m memories
	steps := []struct {
		name string
		do   func()
		want bool
	}{
		{"at first", func() {}, true},
		{"told something", func() { m.told("c2", 7) }, true},
		{"told all", func() { m.toldAll("c2", 7, m.misses("c2")) }, false},
		{"told something more", func() { m.told("c2", 7) }, false},
		{"it missed something", func() { m.missed("c2") }, true},
		{"it missed something while it was told all", func() { n := m.misses("c2"); m.missed("c2"); m.toldAll("c2", 7, n) }, true},
		{"told all again", func() { m.toldAll("c2", 7, m.misses("c2")) }, false},
		{"a new leadership", func() { m.reset() }, true},
	}
	for _, s := range steps {
		s.do()
		if got := m.other("c2", 7); got != s.want {
			t.Errorf("%s: %v", s.name, got)
		}
	}
	m.toldAll("c2", 7, 0)
	if !m.other("c2", 8) {
		t.Error("another process has all")
	}
}

// TestRecollect gives three nodes different memories, and has another lead: all
// have the same then, the newest of each, under one stamp.
func TestRecollect(t *testing.T) {
	t.Parallel()
	g := newGroup(t, "c1", "c2", "c3").openAll()
	g.settled()
	lead := g.leader()
	rest := g.others(lead)
	epoch := lead.ready.Load()
	ctx := within(t, 10*time.Second)
	for i := range 50 {
		if err := lead.Remember(ctx, epoch, page(fmt.Sprintf("q%02d", i), []byte("1"))); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range rest {
		g.until("all have all", func() error {
			if len(n.memory.list().keys) != 50 {
				return fmt.Errorf("%s has %d", n.cfg.ID, len(n.memory.list().keys))
			}
			return nil
		})
	}
	// What a majority had when its leader was lost in the middle of a call.
	told := func(n *Node, id, body string, seq uint64) {
		m := page(id, []byte(body))
		m.Seq = firstSeq(epoch) + seq
		if _, ok, err := n.memory.put(epoch, []*pb.MetaMemory{m}, nil); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	told(rest[0], "q00", "2", 1000)
	told(lead, "q00", "2", 1000)
	told(rest[0], "q01", "3", 1001)
	told(lead, "q01", "3", 1001)
	told(lead, "q50", "4", 1002)
	told(rest[0], "q50", "4", 1002)
	if err := lead.Transfer(ctx, rest[1].cfg.ID); err != nil { // who knows least
		t.Fatal(err)
	}
	g.until("it leads", func() error {
		if rest[1].ready.Load() == 0 {
			return fmt.Errorf("%s does not", rest[1].cfg.ID)
		}
		return nil
	})
	g.mu.Lock()
	start := g.last.Remembered
	g.mu.Unlock()
	want := map[string]string{"q00": "2", "q01": "3", "q50": "4"}
	for _, m := range start {
		if id := m.GetPage().GetQuery(); string(m.GetPage().GetBody()) != or(want[id], "1") {
			t.Errorf("it starts from %s %q", id, m.GetPage().GetBody())
		}
	}
	if len(start) != 51 {
		t.Errorf("it starts from %d entries", len(start))
	}
	stamp := firstSeq(rest[1].ready.Load())
	for _, n := range []*Node{lead, rest[0], rest[1]} {
		g.until("all have the same", func() error {
			got := n.memory.list()
			for i, seq := range got.seqs {
				if seq != stamp {
					return fmt.Errorf("%s has %s of %d, not %d", n.cfg.ID, got.keys[i], seq, stamp)
				}
			}
			for _, m := range n.memory.all() {
				if id := m.GetPage().GetQuery(); string(m.GetPage().GetBody()) != or(want[id], "1") {
					return fmt.Errorf("%s has %q of %s", n.cfg.ID, m.GetPage().GetBody(), id)
				}
			}
			if len(got.keys) != 51 {
				return fmt.Errorf("%s has %d", n.cfg.ID, len(got.keys))
			}
			return nil
		})
	}
}

func or(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

// before is a service as the release before had it: it sends entries where it
// is asked for a list, and does not compare.
type before struct{ *service }

func (s before) Collect(ctx context.Context, r *pb.MetaCollectRequest) (*pb.MetaCollectResponse, error) {
	return s.service.Collect(ctx, &pb.MetaCollectRequest{Epoch: r.Epoch})
}

func (s before) Remember(ctx context.Context, r *pb.MetaRememberRequest) (*pb.MetaRememberResponse, error) {
	answer, err := s.service.Remember(ctx, &pb.MetaRememberRequest{Epoch: r.Epoch, Entries: r.Entries, Forget: r.Forget})
	answer.Compared = false
	return answer, err
}

// TestRecollectFromAnOlderRelease: in the middle of an upgrade bodies travel,
// and all is right.
func TestRecollectFromAnOlderRelease(t *testing.T) {
	t.Parallel()
	g := newGroup(t, "c1", "c2", "c3")
	g.edit = func(c *Config) {
		if c.ID != "c1" {
			c.serve = func(n *Node) pb.MetaServer { return before{&service{node: n}} }
		}
	}
	g.openAll()
	g.settled()
	ctx := within(t, 20*time.Second)
	for _, to := range []string{"c2", "c1", "c3", "c1"} {
		lead := g.leader()
		if err := lead.Remember(ctx, lead.ready.Load(), page(to, bytes.Repeat([]byte("x"), 100))); err != nil {
			t.Fatal(err)
		}
		if lead.cfg.ID != to {
			if err := lead.Transfer(ctx, to); err != nil {
				t.Fatal(err)
			}
		}
		n := g.node(to)
		g.until(to+" leads with all", func() error {
			if n.ready.Load() == 0 || !strings.Contains(keys(n.memory.all()), "page/"+to) {
				return fmt.Errorf("it has %s", keys(n.memory.all()))
			}
			return nil
		})
	}
	for _, id := range g.ids {
		g.until("all have all", func() error {
			if got := keys(g.node(id).memory.all()); got != "page/c1 page/c2 page/c3" {
				return fmt.Errorf("%s has %s", id, got)
			}
			return nil
		})
	}
}

// TestUnionIsNoLarger: what several peers have counts once when a new leader
// makes room for it, whatever it had of that.
func TestUnionIsNoLarger(t *testing.T) {
	big := func(key string, seq uint64) *pb.MetaMemory {
		e := page(key, bytes.Repeat([]byte("x"), 8<<20))
		e.TtlMs, e.Seq = 60_000, seq
		return e
	}
	u := &union{lists: map[string]list{}}
	for i, id := range []string{"c2", "c3"} { // c3 has heard more
		var all []*pb.MetaMemory
		for k := range 5 {
			all = append(all, big(fmt.Sprint("q", k), uint64(10+i)))
		}
		u.add(id, listOf(all...), all)
	}
	entries, _ := u.take()
	m := newMemory(clock.System{}, 1)
	if _, ok, err := m.put(1, entries, nil); !ok || err != nil {
		t.Fatalf("%v, %v", ok, err)
	}
	if got := m.list().show(); got != "page/q0@11 page/q1@11 page/q2@11 page/q3@11 page/q4@11" {
		t.Errorf("it has %s", got)
	}
}

// TestSeqsGrow: a leader that takes over a second time in its epoch, as it could
// not lead at first, numbers on.
func TestSeqsGrow(t *testing.T) {
	t.Parallel()
	g := newGroup(t, "c1", "c2", "c3").openAll()
	g.settled()
	lead, ctx := g.leader(), within(t, 20*time.Second)
	epoch := lead.ready.Load()
	for _, body := range []string{"1", "2", "3"} {
		if err := lead.Remember(ctx, epoch, page("q", []byte(body))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := lead.recollect(ctx, epoch); err != nil {
		t.Fatal(err)
	}
	if err := lead.Remember(ctx, epoch, page("q", []byte("4"))); err != nil {
		t.Fatal(err)
	}
	if got := string(lead.memory.all()[0].GetPage().Body); got != "4" {
		t.Errorf("what was remembered last is %q", got)
	}
}

// TestMoreThanFull: memories that are full of different things do not keep a
// leader from following: it and the others remember all of it, and nothing more
// until there is room again.
func TestMoreThanFull(t *testing.T) {
	t.Parallel()
	g := newGroup(t, "c1", "c2", "c3").openAll()
	g.settled()
	lead := g.leader()
	for _, n := range g.others(lead) {
		for k := range 7 { // 56 MB each
			e := page(fmt.Sprint(n.ID(), k), bytes.Repeat([]byte("x"), 8<<20))
			e.TtlMs, e.Seq = 60_000, uint64(1+k)
			if _, ok, err := n.memory.put(lead.ready.Load(), []*pb.MetaMemory{e}, nil); !ok || err != nil {
				t.Fatal(ok, err)
			}
		}
	}
	rest := g.others(lead)
	g.kill(lead.ID())
	next := g.leader()
	for _, n := range rest {
		if got := len(n.memory.all()); got != 14 {
			t.Errorf("%s remembers %d pages", n.ID(), got)
		}
	}
	ctx, epoch := within(t, 10*time.Second), next.ready.Load()
	if err := next.Remember(ctx, epoch, page("q", nil)); !errors.Is(err, errMemoryFull) {
		t.Errorf("one more: %v", err)
	}
	if err := next.Remember(ctx, epoch); err != nil {
		t.Errorf("nothing more: %v", err)
	}
	id := strings.TrimPrefix(next.memory.all()[0].Key, "page/")
	if err := next.Settle(ctx, epoch, page(id, []byte("short"))); err != nil {
		t.Errorf("less: %v", err)
	}
	for _, n := range rest {
		for k := range 7 {
			if err := next.Forget(ctx, epoch, fmt.Sprint(n.ID(), k)); err != nil {
				t.Errorf("forget: %v", err)
			}
		}
	}
	if err := next.Remember(ctx, epoch, page("q", nil)); err != nil {
		t.Errorf("there is room again: %v", err)
	}
}
