package meta

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// greetAll answers each connection with the node's name, until it closes.
func greetAll(l net.Listener, id string) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			fmt.Fprintln(c, id)
			c.Close()
		}()
	}
}

// TestDialHTTP: followers reach the leader's listener, whoever it is, and
// know when it moves.
func TestDialHTTP(t *testing.T) {
	t.Parallel()
	g := newGroup(t, "c1", "c2", "c3")
	g.edit = func(c *Config) {
		id := c.ID
		c.About = func() *pb.MetaAbout { return &pb.MetaAbout{HttpAddress: id + ":8080"} }
	}
	g.openAll()
	for _, id := range g.ids {
		go greetAll(g.node(id).HTTPListener(), id)
	}
	g.settled()
	for range 2 {
		lead := g.leader()
		rest := g.others(lead)
		for _, n := range rest {
			g.until(n.ID()+" reaches the leader", func() error { return n.hears(t, lead.ID()) })
		}
		if _, err := lead.DialHTTP(within(t, time.Second), lead.ID()); !errors.Is(err, ErrInvalid) {
			t.Errorf("the leader dials itself: %v", err)
		}
		for _, m := range rest[0].Members(within(t, 5*time.Second)) {
			if m.About.GetHttpAddress() != m.ID+":8080" {
				t.Errorf("%s says of itself %v", m.ID, m.About)
			}
		}
		_, changed := rest[0].Leader()
		if err := rest[0].Transfer(within(t, 10*time.Second), rest[0].ID()); err != nil {
			t.Fatal(err)
		}
		select {
		case <-changed:
		case <-time.After(10 * time.Second):
			t.Fatal("nobody was told that the leader moved")
		}
		g.until("the new leader has taken over", func() error {
			if id, _ := rest[0].Leader(); id != rest[0].ID() || rest[0].Epoch() == 0 {
				return fmt.Errorf("%s leads in epoch %d", id, rest[0].Epoch())
			}
			return nil
		})
	}
	// A minority forgets who led.
	lead := g.leader()
	last := g.others(lead)[0]
	for _, n := range g.others(last) {
		g.kill(n.ID())
	}
	g.until("the last one knows no leader", func() error {
		if id, _ := last.Leader(); id != "" {
			return fmt.Errorf("%s leads", id)
		}
		return nil
	})
	if _, err := last.DialHTTP(within(t, time.Second), ""); !errors.Is(err, ErrNoLeader) {
		t.Errorf("to nobody: %v", err)
	}
}

// hears returns nil if the leader answers by its name.
func (n *Node) hears(t *testing.T, want string) error {
	t.Helper()
	id, _ := n.Leader()
	c, err := n.DialHTTP(within(t, 5*time.Second), id)
	if err != nil {
		return err
	}
	defer c.Close()
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil || line != want+"\n" || id != want {
		return fmt.Errorf("%q of %s, %w", line, id, err)
	}
	return nil
}

// TestLeaderAlone: a cluster of one leads, and has nobody to dial.
func TestLeaderAlone(t *testing.T) {
	n := single(t, "")
	if !n.Alone() || n.HTTPListener() != nil {
		t.Fatal("it has a network")
	}
	if err := n.WaitLeader(within(t, 10*time.Second)); err != nil {
		t.Fatal(err)
	}
	if id, _ := n.Leader(); id != n.ID() || n.Epoch() == 0 {
		t.Errorf("%q leads in epoch %d", id, n.Epoch())
	}
	if _, err := n.DialHTTP(context.Background(), n.ID()); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if id, _ := n.Leader(); id != "" {
		t.Errorf("%q leads what is closed", id)
	}
	if _, err := n.DialHTTP(context.Background(), n.ID()); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

// TestAnotherName: state is not taken over under another name, which would
// wait for itself for ever.
func TestAnotherName(t *testing.T) {
	dir := t.TempDir()
	if err := single(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	n, err := Open(Config{ID: "c2", Dir: dir, Timing: quick, Log: testLog()})
	if err == nil {
		n.Close()
		t.Fatal("c2 took the state of c1")
	}
	if !strings.Contains(err.Error(), "is that of coordinator c1, not of c2") {
		t.Error(err)
	}
}

// TestEpochOfAnother: a node that hears late of its leadership, when others have
// led since and it leads again, does not begin an epoch that it did not win.
func TestEpochOfAnother(t *testing.T) {
	t.Parallel()
	g := newGroup(t, "c1", "c2", "c3").openAll()
	g.settled()
	lead := g.leader()
	epoch := lead.ready.Load()
	for _, other := range []uint64{epoch - 1, epoch + 1} {
		if _, _, err := lead.takeOver(within(t, 10*time.Second), other); err == nil {
			t.Errorf("in term %d it begins epoch %d", epoch, other)
		}
	}
	if now := lead.State().Epoch; now != epoch {
		t.Errorf("epoch %d has begun", now)
	}
	if _, _, err := lead.takeOver(within(t, 10*time.Second), epoch); err != nil {
		t.Errorf("in term %d it does not begin its epoch: %v", epoch, err)
	}
}
