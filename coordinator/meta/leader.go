package meta

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/hashicorp/raft"
)

// ErrNoLeader says that this node knows of no leader at present.
var ErrNoLeader = errors.New("there is no leader of the coordinators")

// ID returns this node's own id.
func (n *Node) ID() string { return n.cfg.ID }

// Alone reports whether this is a cluster of one.
func (n *Node) Alone() bool { return n.cfg.alone() }

// Epoch returns the leadership in which this node leads and has taken over, 0
// while it does not.
func (n *Node) Epoch() uint64 { return n.ready.Load() }

// Leader returns the id of the coordinator that leads as far as this node
// knows, empty for none, and a channel that is closed when that, or Epoch, may
// have changed. A leader may still be taking over; one that is cut off goes on
// being named until its time is up (Timing.Election).
func (n *Node) Leader() (id string, changed <-chan struct{}) {
	changed = n.moved.wait()
	_, leader := n.raft.LeaderWithID()
	if n.usable() != nil || string(leader) == n.cfg.ID && n.raft.State() != raft.Leader {
		return "", changed
	}
	return string(leader), changed
}

// DialHTTP connects to the HTTPListener of another coordinator. Both ends have
// proved who they are; what is said is encrypted if the configuration has TLS.
func (n *Node) DialHTTP(ctx context.Context, id string) (net.Conn, error) {
	switch {
	case n.usable() != nil:
		return nil, n.usable()
	case id == "":
		return nil, ErrNoLeader
	case id == n.cfg.ID || n.mux == nil:
		return nil, fmt.Errorf("coordinator %s is this one: %w", id, ErrInvalid)
	}
	return n.mux.dial(ctx, useHTTP, id)
}

// HTTPListener accepts what other coordinators connect to by DialHTTP. It is
// nil for a cluster of one, and closed with the node.
func (n *Node) HTTPListener() net.Listener {
	if n.mux == nil {
		return nil
	}
	return n.mux.http
}
