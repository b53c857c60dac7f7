package meta

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/hashicorp/raft"

	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// A node that has just been started leaves it to others to lead, if there are
// any that were there before: they have what a leader needs at once, such as
// the workers that are joined to them. So its patience is longer, until it has
// heard of a leader, or learned that all others have just been started too, or
// has been up for as long.

// deferring is how much more patient a node is that was just started.
const deferring = 3

// deference is how long such a node leaves it to others.
func (n *Node) deference() time.Duration { return deferring * n.cfg.Timing.Election }

// deferToOthers ends the longer patience when its time has come.
func (n *Node) deferToOthers() {
	if n.raft.ReloadableConfig().HeartbeatTimeout == n.cfg.Timing.Election {
		n.seasoned.Store(true) // no patience was asked for
		return
	}
	// Those that were started together do not stand together.
	end := time.NewTimer(n.deference() + rand.N(n.cfg.Timing.Election))
	defer end.Stop()
	look := time.NewTicker(n.cfg.Timing.Election / 4)
	defer look.Stop()
	for waiting := true; waiting; {
		moved := n.moved.wait()
		if _, leader := n.raft.LeaderWithID(); leader != "" || n.allNew() {
			break
		}
		select {
		case <-moved:
		case <-look.C:
		case <-end.C:
			waiting = false
		case <-n.failed:
			return
		case <-n.ctx.Done():
			return
		}
	}
	n.seasoned.Store(true)
	c := n.raft.ReloadableConfig()
	c.HeartbeatTimeout, c.ElectionTimeout = n.cfg.Timing.Election, n.cfg.Timing.Election
	if err := n.raft.ReloadConfig(c); err != nil {
		n.cfg.Log.Error("raft keeps the patience of a new coordinator", "node", n.cfg.ID, "error", err)
	}
}

// allNew reports whether all others answer, and none of them knows more than
// this node of what was before.
func (n *Node) allNew() bool {
	ctx, cancel := context.WithTimeout(n.ctx, n.cfg.Timing.Election/2)
	defer cancel()
	answers := n.probeAll(ctx)
	for _, p := range answers {
		if !p.Fresh {
			return false
		}
	}
	return len(answers) == len(n.cfg.others())
}

// patience is how long raft waits for a leader at first: longer where others
// may have been there before.
func (n *Node) patience(c *raft.Config, known bool) {
	if known && !n.cfg.alone() {
		c.HeartbeatTimeout, c.ElectionTimeout = n.deference(), n.deference()
	}
}

// fresh notes in an answer that this node was just started.
func (n *Node) fresh(p *pb.MetaProbeResponse) { p.Fresh = !n.seasoned.Load() }
