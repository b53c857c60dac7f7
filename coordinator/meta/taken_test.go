package meta

import (
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"

	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// TestAddressesTaken gives the addresses of two dead coordinators to two of a
// new cluster with the same names, while the third still calls there: it must
// not take them in, whatever they know yet of their own cluster.
func TestAddressesTaken(t *testing.T) {
	t.Parallel()
	old := newGroup(t, "c1", "c2", "c3").openAll()
	old.settled()
	apply(t, old.node("c1"), SetCatalog("a", "old"))
	survivor := old.node("c1")
	addresses := map[string]string{}
	for _, id := range []string{"c2", "c3"} {
		addresses[id] = old.node(id).Addr()
		old.kill(id)
	}

	fresh := newGroup(t, "c1", "c2", "c3")
	fresh.edit = func(c *Config) {
		if a := addresses[c.ID]; a != "" {
			c.Listen = a
		}
	}
	for _, id := range []string{"c2", "c3", "c1"} { // the founder comes last
		fresh.open(id)
		time.Sleep(100 * time.Millisecond)
	}
	fresh.settled()
	apply(t, fresh.node("c1"), SetCatalog("b", "fresh"))
	if s, err := survivor.Read(within(t, 1500*time.Millisecond)); !errors.Is(err, ErrNoQuorum) {
		t.Fatalf("a reading by the third of the old cluster: %v, %v", s, err)
	}
	for _, id := range fresh.ids {
		fresh.until("the new cluster is one", func() error {
			s := fresh.node(id).State()
			if s.Catalog("a") != nil || s.Catalog("b") == nil || s.ClusterID == survivor.State().ClusterID {
				return fmt.Errorf("%s: %+v", id, s)
			}
			return nil
		})
	}
}

// TestFounderEmptied lets a node take part in a cluster whose founder forgets
// it and founds another.
func TestFounderEmptied(t *testing.T) {
	t.Parallel()
	g := newGroup(t, "c1", "c2", "c3")
	c2 := g.open("c2")
	if err := c2.takePart(&pb.MetaProbeResponse{Id: "c1", ClusterId: "forgotten"}); err != nil {
		t.Fatal(err)
	}
	g.open("c1")
	g.open("c3")
	g.settled()
	apply(t, g.leader(), SetCatalog("a", "x"))
	if s, err := c2.Read(within(t, 10*time.Second)); err != nil || s.Catalog("a") == nil || s.ClusterID == "forgotten" {
		t.Fatalf("%+v, %v", s, err)
	}
}

// TestFoundedTwice lets a node that was down while a cluster began come back to
// one that a founder which has forgotten the first has begun instead.
func TestFoundedTwice(t *testing.T) {
	t.Parallel()
	g := newGroup(t, "c1", "c2", "c3")
	c2 := g.open("c2")
	if err := c2.found(); err != nil { // as far as it goes alone, and as the founder would have it
		t.Fatal(err)
	}
	first := c2.home()
	g.kill("c2")
	g.open("c1")
	g.open("c3")
	apply(t, g.leader(), SetCatalog("a", "x"))
	c2 = g.open("c2")
	g.until("c2 is of the second cluster", func() error {
		if s := c2.State(); s.Catalog("a") == nil || s.ClusterID == first {
			return fmt.Errorf("home %s, first %s, state of %q", c2.home(), first, s.ClusterID)
		}
		return nil
	})
	g.settled()
}

// TestNamedLater restarts nodes whose disks do not say of which cluster they are,
// as those of older releases: they know once they have heard.
func TestNamedLater(t *testing.T) {
	t.Parallel()
	g := newGroup(t, "c1", "c2", "c3").openAll()
	g.settled()
	restart := func() {
		for _, id := range g.ids {
			g.kill(id)
		}
		g.openAll()
	}
	for _, id := range g.ids {
		if err := g.node(id).stable.Set(homeKey, nil); err != nil {
			t.Fatal(err)
		}
	}
	restart()
	g.settled()
	for _, id := range g.ids {
		g.until("the id is on disk", func() error {
			if v, err := g.node(id).stable.Get(homeKey); err != nil || string(v) != g.node(id).State().ClusterID {
				return fmt.Errorf("%s: %q, %w", id, v, err)
			}
			return nil
		})
	}
	for _, id := range g.ids {
		g.kill(id)
	}
	if n := g.open("c1"); n.home() == "" || n.claim(useRaft) == "" {
		t.Fatal("alone it does not know its cluster")
	}
}

// TestBarredElsewhere founds a cluster with nodes of which one, the founder or
// another, has begun to join another cluster and has no vote there.
func TestBarredElsewhere(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"c1", "c2"} {
		g := newGroup(t, "c1", "c2", "c3")
		if err := g.open(id).stable.Set(joinKey, []byte(indexKey(1000))); err != nil {
			t.Fatal(err)
		}
		g.kill(id)
		g.open("c1")
		g.open("c2")
		apply(t, g.leader(), SetCatalog("a", "x"))
	}
}

// TestStrangersMemory lets the leader of one cluster call where a node of another
// waits, which has no cluster yet: that remembers nothing for it.
func TestStrangersMemory(t *testing.T) {
	t.Parallel()
	old := newGroup(t, "c1", "c2", "c3").openAll()
	old.settled()
	lost := old.others(old.leader())[0]
	address, id := lost.Addr(), lost.ID()
	old.kill(id)
	fresh := newGroup(t, "c1", "c2", "c3")
	fresh.edit = func(c *Config) {
		if c.ID == id {
			c.Listen = address
		}
	}
	n := fresh.open(id)
	c, err := old.leader().client(id)
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Remember(within(t, 5*time.Second), &pb.MetaRememberRequest{Epoch: 99}, grpc.WaitForReady(true))
	if err != nil || r.Accepted {
		t.Fatalf("it remembers: %v, %v", r, err)
	}
	if _, err := c.Collect(within(t, 5*time.Second), &pb.MetaCollectRequest{Epoch: 99}); err == nil {
		t.Fatal("it tells what it remembers")
	}
	if _, ok := n.memory.fence(1); !ok {
		t.Fatal("it was fenced")
	}
}

// TestPart ends a connection that was made when the one called did not know
// its cluster, and turns out to be of another.
func TestPart(t *testing.T) {
	for _, c := range []struct {
		callers string
		ends    bool
	}{{"I", false}, {"", false}, {"J", true}} {
		peers := map[string]string{"a": "127.0.0.1:1", "b": ""}
		b := newEnd(t, "b", peers, func(e *end) { e.cluster = "" })
		peers["b"] = b.ln.Addr().String()
		a := newEnd(t, "a", peers, func(e *end) { e.cluster = c.callers })
		conn, err := a.dial(within(t, 5*time.Second), useGRPC, "b")
		if err != nil {
			t.Fatal(err)
		}
		talk(t, conn, b.door(useGRPC))
		b.part("I")
		_ = conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		_, err = conn.Read(make([]byte, 1))
		var late net.Error
		if alive := errors.As(err, &late) && late.Timeout(); alive == c.ends {
			t.Errorf("called by one of cluster %q: %v", c.callers, err)
		}
	}
}
