package meta

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tuttidb/tutti/internal/clock"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// Config says how to open a node.
type Config struct {
	// ID is the coordinator's name; it must never change.
	ID string
	// Listen is HOST:PORT for the other coordinators. Not used without peers.
	Listen string
	// Peers are all coordinators, this one included, as ID → HOST:PORT where
	// others reach it: the same on each. Empty (or this one alone) is a
	// cluster of one, which uses no network.
	Peers map[string]string
	// Dir is the folder of the log and the snapshots; it is made where
	// missing. Empty keeps all in memory, for a node without peers only.
	Dir string
	// Secret is what the nodes of the cluster share; without it only peers on
	// the loopback are believed.
	Secret string
	// ServerTLS and ClientTLS, where given, encrypt what coordinators say.
	ServerTLS, ClientTLS *tls.Config
	// Lead is called when this node has become the leader and is ready. Its
	// context ends with the leadership: it must return soon after. An error
	// before that hands the leadership on. Nil does nothing.
	Lead func(ctx context.Context, l Leadership) error
	// About, if set, is what this coordinator tells the others of itself, for
	// people to see. It is called often, and must be quick.
	About func() *pb.MetaAbout
	// Log gets what an operator should know; Clock tells the time that
	// commands are stamped with.
	Log   *slog.Logger
	Clock clock.Clock
	// Timing has defaults for a network of a data center.
	Timing Timing

	// serve, if set, makes the service for the others: tests stand in for nodes
	// of other releases.
	serve func(*Node) pb.MetaServer
}

// Leadership is what a new leader starts from.
type Leadership struct {
	// Epoch grows with each leadership; no two nodes ever have the same. Give
	// it to workers to fence, and to ApplyAs.
	Epoch uint64
	// Remembered is what a majority of memories held between them: see
	// (*Node).Remember. It is remembered again in this epoch already.
	Remembered []*pb.MetaMemory
	// HandedOver says that the leadership before ended with nothing wrong: see
	// (*Node).HandOver and Resign.
	HandedOver bool
}

// Timing is how patient a node is. Zero fields get defaults.
type Timing struct {
	// Election is how long a follower hears nothing before it stands for
	// leader, and how long a vote may take: 800 ms. Less finds a dead leader
	// sooner, and may find a slow one dead.
	Election time.Duration
	// Lease is how long a leader goes on without hearing from a majority:
	// three quarters of Election.
	Lease time.Duration
	// Call bounds one call to a peer: 2 s.
	Call time.Duration
	// Apply bounds Apply and Read where their context has no deadline: 15 s.
	Apply time.Duration
	// Grace is how long the first coordinator of a new cluster waits for all
	// its peers before a majority is enough: 3 s.
	Grace time.Duration
	// SnapshotEvery is how often a node looks whether SnapshotAfter entries
	// came since the last snapshot: 20 s and 8192. Trailing is how many entries
	// stay for followers that were away: 4096.
	SnapshotEvery           time.Duration
	SnapshotAfter, Trailing uint64
}

func (t Timing) withDefaults() Timing {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&t.Election, 800*time.Millisecond)
	set(&t.Lease, t.Election*3/4)
	set(&t.Call, 2*time.Second)
	set(&t.Apply, 15*time.Second)
	set(&t.Grace, 3*time.Second)
	set(&t.SnapshotEvery, 20*time.Second)
	if t.SnapshotAfter == 0 {
		t.SnapshotAfter = 8192
	}
	if t.Trailing == 0 {
		t.Trailing = 4096
	}
	return t
}

func (c *Config) check() error {
	switch {
	case c.ID == "":
		return errors.New("a coordinator needs an id")
	case c.alone() && len(c.Peers) == 1 && c.Peers[c.ID] == "", len(c.Peers) > 1 && c.Peers[c.ID] == "":
		return fmt.Errorf("coordinator %s is not among its peers %s", c.ID, strings.Join(c.names(), ", "))
	case !c.alone() && c.Dir == "":
		return errors.New("a coordinator with peers needs a folder for its state")
	case !c.alone() && c.Listen == "":
		return errors.New("a coordinator with peers needs an address to listen on")
	case len(c.Peers) > 1 && len(c.Peers)%2 == 0:
		return fmt.Errorf("%d coordinators survive no more losses than %d: name 1, 3 or 5", len(c.Peers), len(c.Peers)-1)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Clock == nil {
		c.Clock = clock.System{}
	}
	if c.Lead == nil {
		c.Lead = func(context.Context, Leadership) error { return nil }
	}
	if c.serve == nil {
		c.serve = func(n *Node) pb.MetaServer { return &service{node: n} }
	}
	c.Timing = c.Timing.withDefaults()
	return nil
}

// alone reports whether this is a cluster of one.
func (c *Config) alone() bool { return len(c.Peers) <= 1 }

// names returns the ids of all coordinators, sorted.
func (c *Config) names() []string {
	var ids []string
	for id := range c.Peers {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// others returns the ids of all coordinators but this one, sorted.
func (c *Config) others() []string {
	return slices.DeleteFunc(c.names(), func(id string) bool { return id == c.ID })
}

func (c *Config) logFile() string { return filepath.Join(c.Dir, "raft.db") }
