package meta

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

func TestTurn(t *testing.T) {
	type p = pb.MetaProbeResponse
	voter := func(id string, lastTerm, lastIndex uint64) *p {
		return &p{Id: id, Term: 7, LastTerm: lastTerm, LastIndex: lastIndex, Vacant: true, Stands: true}
	}
	content := voter("c3", 6, 10)
	content.Vacant, content.Stands = false, false
	fresh := voter("c1", 6, 10)
	fresh.Stands = false
	later := voter("c3", 6, 10)
	later.Term = 8
	for _, c := range []struct {
		name   string
		own    *p
		others []*p
		need   int
		want   bool
	}{
		{"nobody answers", voter("c1", 6, 10), nil, 1, false},
		{"the other agrees, by name", voter("c1", 6, 10), []*p{voter("c2", 6, 10)}, 1, true},
		{"the other goes first, by name", voter("c2", 6, 10), []*p{voter("c1", 6, 10)}, 1, false},
		{"the other was just started", voter("c2", 6, 10), []*p{fresh}, 1, true},
		{"the other has a longer log", voter("c1", 6, 10), []*p{voter("c2", 6, 11)}, 1, false},
		{"the other has a newer log", voter("c1", 5, 99), []*p{voter("c2", 6, 10)}, 1, false},
		{"the other has an older log", voter("c2", 6, 10), []*p{voter("c1", 5, 99)}, 1, true},
		{"the other hears the leader", voter("c1", 6, 10), []*p{content}, 1, false},
		{"the other has voted since", voter("c1", 6, 10), []*p{later}, 1, false},
		{"two of five", voter("c1", 6, 10), []*p{voter("c2", 6, 10), content}, 2, false},
		{"three of five", voter("c1", 6, 10), []*p{voter("c2", 6, 10), voter("c4", 6, 9), content}, 2, true},
		{"three of five, of which one knows more", voter("c1", 6, 10), []*p{voter("c2", 6, 11), voter("c4", 6, 9)}, 2, false},
		{"four of five, of which one knows more", voter("c1", 6, 10), []*p{voter("c2", 6, 11), voter("c3", 6, 9), voter("c4", 6, 9)}, 2, true},
		{"alone of two that are left", voter("c2", 6, 11), []*p{voter("c4", 6, 9), voter("c1", 6, 10)}, 2, true},
	} {
		if got := turn(c.own, c.others, c.need); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// TestLossCounts: a leader's loss counts for its term, and again if nobody has
// followed it for a while.
func TestLossCounts(t *testing.T) {
	const ms = time.Millisecond
	at := time.Now()
	lost := &loss{office{"c1", 7}, at}
	for _, c := range []struct {
		name  string
		loss  *loss
		now   office
		heard time.Duration // after the loss
		since time.Duration
		want  bool
	}{
		{"nothing was lost", nil, office{"", 7}, -50 * ms, time.Hour, false},
		{"at once", lost, office{"c1", 7}, -50 * ms, 0, true},
		{"it leads again", lost, office{"c1", 8}, -50 * ms, 500 * ms, false},
		{"another leads", lost, office{"c2", 8}, -50 * ms, 500 * ms, false},
		{"somebody stands", lost, office{"", 8}, -50 * ms, 100 * ms, false},
		{"who stood has failed", lost, office{"", 8}, -50 * ms, 500 * ms, true},
		{"raft has given it up itself", lost, office{"", 7}, -50 * ms, 500 * ms, false},
		{"long ago", lost, office{"", 9}, -50 * ms, 5 * time.Second, false},
		{"its last words were late", lost, office{"c1", 7}, 150 * ms, 5 * time.Second, true},
		{"it is heard of again", lost, office{"c1", 7}, 250 * ms, 300 * ms, false},
	} {
		if got := c.loss.counts(c.now, at.Add(c.heard), c.since, 800*ms); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// direct has nodes reach each other at addresses where nobody listens when
// they are gone.
func direct(t *testing.T, g *group, timing Timing) {
	t.Helper()
	at := map[string]string{}
	for _, id := range g.ids {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		at[id] = l.Addr().String()
	}
	g.edit = func(c *Config) { c.Listen, c.Peers, c.Timing = at[c.ID], at, timing }
}

// patient is a timing by which nobody would miss a leader within a test.
var patient = Timing{Election: 8 * time.Second, Call: time.Second, Grace: 500 * time.Millisecond}

// TestGone kills leader after leader: the next one leads long before the silence
// of the one before could be noticed.
func TestGone(t *testing.T) {
	t.Parallel()
	g := newGroup(t, "c1", "c2", "c3")
	direct(t, g, patient)
	g.openAll()
	var took []time.Duration
	for range 3 {
		g.settled()
		lead := g.leader()
		rest := g.others(lead)
		epoch := lead.ready.Load()
		for _, n := range rest {
			g.until("all have heard of it", func() error {
				if id, _ := n.Leader(); id != lead.ID() || !n.seasoned.Load() {
					return fmt.Errorf("%s knows %q", n.ID(), id)
				}
				return nil
			})
		}
		begin := time.Now()
		g.kill(lead.ID())
		next := g.leader()
		took = append(took, time.Since(begin))
		if next.ready.Load() <= epoch {
			t.Fatalf("epoch %d after %d", next.ready.Load(), epoch)
		}
		g.open(lead.ID())
	}
	t.Logf("another leads after %v", took)
	for _, d := range took {
		if d > patient.Election*3/4 {
			t.Errorf("another leads after %s", d)
		}
	}
}

// TestNotGone ends connections of a leader that is well: it goes on.
func TestNotGone(t *testing.T) {
	t.Parallel()
	g := newGroup(t, "c1", "c2", "c3")
	direct(t, g, patient)
	g.openAll()
	g.settled()
	lead := g.leader()
	epoch := lead.ready.Load()
	for range 5 {
		lead.mux.drop(func(k *kept) bool { return k.use == useRaft })
		for _, n := range g.others(lead) {
			n.mux.ended(lead.ID())
			n.mux.ended("c9")
		}
		time.Sleep(100 * time.Millisecond) // more than it takes to replace one
		for _, n := range g.others(lead) {
			if n.vacant() || n.gone.Load() != nil {
				t.Fatalf("%s takes the leader for lost: %v", n.ID(), n.gone.Load())
			}
		}
	}
	apply(t, lead, SetSetting("still", "there"))
	if lead.ready.Load() != epoch {
		t.Fatalf("epoch %d after %d", lead.ready.Load(), epoch)
	}
}

// TestSilent cuts a leader off, whose process goes on: its silence tells, and
// the others agree on one of them.
func TestSilent(t *testing.T) {
	t.Parallel()
	g := newGroup(t, "c1", "c2", "c3", "c4", "c5").openAll()
	g.settled()
	old := g.leader()
	epoch := old.ready.Load()
	begin := time.Now()
	g.isolate(old.ID(), true)
	g.until("another leads", func() error {
		for _, n := range g.others(old) {
			if n.ready.Load() > epoch {
				return nil
			}
		}
		return errors.New("none does")
	})
	t.Logf("another leads after %s, with an election timeout of %s", time.Since(begin), quick.Election)
	if old.vacant() {
		g.until("who is cut off stays alone", func() error {
			if old.ready.Load() != 0 {
				return errors.New("it leads")
			}
			return nil
		})
	}
	g.isolate(old.ID(), false)
	g.settled()
}

// TestMinorityNeverStands: who is left alone does not raise the term again and
// again, by which it would end the leadership of others when it comes back.
func TestMinorityNeverStands(t *testing.T) {
	t.Parallel()
	g := newGroup(t, "c1", "c2", "c3")
	slow := quick
	slow.Election = 1500 * time.Millisecond // two of three on a busy machine must not lose each other
	g.edit = func(c *Config) { c.Timing = slow }
	g.openAll()
	g.settled()
	lead := g.leader()
	epoch := lead.ready.Load()
	lonely := g.others(lead)[0]
	g.isolate(lonely.ID(), true)
	g.until("it takes the leader for lost", func() error {
		if !lonely.vacant() {
			return errors.New("it does not")
		}
		return nil
	})
	for range 5 {
		lonely.succeed()
	}
	if term := lonely.raft.CurrentTerm(); term != epoch {
		t.Fatalf("it is in term %d, the others in %d", term, epoch)
	}
	g.isolate(lonely.ID(), false)
	g.settled()
	if lead.ready.Load() != epoch {
		t.Fatalf("epoch %d is over", epoch)
	}
}

// asked counts the questions of other nodes, and takes no leader for lost.
type asked struct {
	*service
	first, last atomic.Int64 // when, in nanoseconds; 0: never
}

func (s *asked) Probe(ctx context.Context, r *pb.MetaProbeRequest) (*pb.MetaProbeResponse, error) {
	now := time.Now().UnixNano()
	s.first.CompareAndSwap(0, now)
	s.last.Store(now)
	p, err := s.service.Probe(ctx, r)
	p.Vacant, p.Stands = false, false
	return p, err
}

// TestAsksAgain: who misses the leader asks the others for as long as it does,
// however the pauses between compare with the vigil's own ticking. They may find
// out later.
func TestAsksAgain(t *testing.T) {
	t.Parallel()
	g := newGroup(t, "c1", "c2", "c3")
	late := &asked{}
	direct(t, g, Timing{Election: 1600 * time.Millisecond, Call: time.Second, Grace: 500 * time.Millisecond}) // it ticks every 200 ms
	set := g.edit
	g.edit = func(c *Config) {
		if set(c); c.ID == "c3" {
			c.serve = func(n *Node) pb.MetaServer { late.service = &service{node: n}; return late }
		}
	}
	g.openAll()
	g.settled()
	if err := g.leader().Transfer(within(t, 10*time.Second), "c1"); err != nil {
		t.Fatal(err)
	}
	g.until("c1 leads two that know it", func() error {
		for _, id := range g.ids {
			if lead, _ := g.node(id).Leader(); lead != "c1" || !g.node(id).seasoned.Load() {
				return fmt.Errorf("%s knows %q", id, lead)
			}
		}
		return nil
	})
	g.kill("c1")
	late.first.Store(0)
	for end := time.Now().Add(1400 * time.Millisecond); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if first, last := late.first.Load(), late.last.Load(); first != 0 && last-first > int64(600*time.Millisecond) {
			return
		}
	}
	t.Fatalf("asked for the last time %s after the first", time.Duration(late.last.Load()-late.first.Load()))
}

// TestBehindADoor: nobody listens at a leader's address, as behind a firewall
// that refuses new connections; those it has made itself are there. It goes on.
func TestBehindADoor(t *testing.T) {
	t.Parallel()
	g := newGroup(t, "c1", "c2", "c3")
	direct(t, g, patient)
	g.openAll()
	g.settled()
	lead := g.leader()
	epoch := lead.ready.Load()
	for _, n := range g.others(lead) {
		g.until("it has connections of the leader", func() error {
			if !n.mux.hears(lead.ID()) {
				return errors.New("none")
			}
			return nil
		})
	}
	_ = lead.mux.ln.Close()
	for _, n := range g.others(lead) {
		n.suspect(lead.ID())
		if n.gone.Load() != nil {
			t.Errorf("%s takes the leader for gone", n.ID())
		}
	}
	apply(t, lead, SetSetting("still", "there"))
	if lead.ready.Load() != epoch {
		t.Fatalf("epoch %d after %d", lead.ready.Load(), epoch)
	}
}

// TestNotGoneAfterAll: a leader that was taken for gone and is heard of is not,
// until it goes.
func TestNotGoneAfterAll(t *testing.T) {
	t.Parallel()
	g := newGroup(t, "c1", "c2", "c3")
	direct(t, g, patient)
	g.openAll()
	g.settled()
	lead := g.leader()
	epoch := lead.ready.Load()
	n := g.others(lead)[0]
	g.until("all know who leads", func() error {
		for _, n := range g.others(lead) {
			if id, _ := n.Leader(); id != lead.ID() || !n.seasoned.Load() {
				return fmt.Errorf("%s knows %q", n.ID(), id)
			}
		}
		return nil
	})
	n.gone.Store(&loss{n.present(), time.Now()})
	if !n.vacant() {
		t.Fatal("a leader that has just gone is not missed")
	}
	g.until("the leader is heard again", func() error {
		if n.vacant() {
			return errors.New("it is missed")
		}
		return nil
	})
	if lead.ready.Load() != epoch {
		t.Fatalf("epoch %d after %d", lead.ready.Load(), epoch)
	}
	begin := time.Now()
	g.kill(lead.ID())
	if g.leader(); time.Since(begin) > patient.Election*3/4 {
		t.Errorf("another leads after %s", time.Since(begin))
	}
}
