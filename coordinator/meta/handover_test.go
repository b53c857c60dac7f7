package meta

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// TestHandedOver: the next leader knows whether the one before gave its office
// away or was lost.
func TestHandedOver(t *testing.T) {
	t.Parallel()
	g := newGroup(t, "c1", "c2", "c3").openAll()
	g.settled()
	for i, handOver := range []bool{true, false, true, true, false} {
		old := g.leader()
		to := g.others(old)[0]
		move := to.Transfer
		if handOver { // by way of a node that does not lead, as an operator may
			move = to.HandOver
		}
		if err := move(within(t, 10*time.Second), to.ID()); err != nil {
			t.Fatal(err)
		}
		next := g.leader()
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
			g.mu.Lock()
			l := g.last
			g.mu.Unlock()
			if l.Epoch == next.Epoch() {
				if l.HandedOver != handOver {
					t.Errorf("change %d, epoch %d: handed over %v, want %v", i, l.Epoch, l.HandedOver, handOver)
				}
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("epoch %d, and the last to lead has %d", next.Epoch(), l.Epoch)
			}
		}
	}
}

// TestResigned: so does a node without peers that is started again.
func TestResigned(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	begun := make(chan Leadership, 1)
	for i, want := range []bool{false, true, false, true} { // ended orderly, killed, orderly
		n, err := Open(Config{ID: "alone", Dir: dir, Lead: func(ctx context.Context, l Leadership) error {
			begun <- l
			<-ctx.Done()
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		if l := <-begun; l.HandedOver != want {
			t.Errorf("start %d, epoch %d: handed over %v", i+1, l.Epoch, l.HandedOver)
		}
		if i%2 == 0 {
			if err := n.Resign(within(t, 5*time.Second)); err != nil {
				t.Fatal(err)
			}
		}
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestHandOverToItself: a leader that is told to hand over to itself stays, and
// its loss later on is one.
func TestHandOverToItself(t *testing.T) {
	t.Parallel()
	g := newGroup(t, "c1", "c2", "c3").openAll()
	g.settled()
	lead := g.leader()
	for _, n := range append(g.others(lead), lead) {
		if err := n.HandOver(within(t, 10*time.Second), lead.ID()); err != nil {
			t.Fatal(err)
		}
		if lead.State().resigned() {
			t.Fatalf("told by %s, it has resigned", n.ID())
		}
	}
}

// TestHandOverFails: a leader whose office nobody took goes on, and its loss later
// on is one.
func TestHandOverFails(t *testing.T) {
	t.Parallel()
	g := newGroup(t, "c1", "c2", "c3").openAll()
	g.settled()
	lead := g.leader()
	others := g.others(lead)
	for _, to := range []string{"nobody", others[0].ID()} {
		if to != "nobody" {
			g.kill(to)
		}
		for _, n := range []*Node{others[1], lead} {
			if err := n.HandOver(within(t, 3*time.Second), to); err == nil {
				t.Fatalf("%s has handed over to %s", n.ID(), to)
			}
			g.until("it stays", func() error {
				if s, err := lead.Read(within(t, 10*time.Second)); err != nil || s.resigned() {
					return fmt.Errorf("told by %s to hand over to %s, it has resigned: %w", n.ID(), to, err)
				}
				return nil
			})
		}
	}
}
