package meta

import (
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

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
