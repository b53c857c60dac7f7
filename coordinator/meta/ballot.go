package meta

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/hashicorp/raft"
)

// ballot is raft's transport, with one rule added. A node whose disk was
// emptied has forgotten whom it voted for and what it acknowledged; until it
// has caught up and been given its vote back, it neither votes nor stands for
// election, whatever an old part of the log says about its rights.
type ballot struct {
	*raft.NetworkTransport
	node *Node
	out  chan raft.RPC
}

var errNoVote = errors.New("this coordinator's disk was emptied: it has no vote until it has caught up")

// joinKey is where the index stands since which a node is a member without a
// vote, as the leader told it when it joined.
var joinKey = []byte("tutti.joined")

// start begins to pass raft what comes in.
func (b *ballot) start() {
	n := b.node
	n.wait.Go(func() {
		in := b.NetworkTransport.Consumer()
		for {
			select {
			case rpc := <-in:
				b.pass(rpc)
			case <-n.ctx.Done():
				return
			}
		}
	})
}

func (b *ballot) pass(rpc raft.RPC) {
	switch rpc.Command.(type) {
	case *raft.RequestVoteRequest, *raft.RequestPreVoteRequest, *raft.TimeoutNowRequest:
		if !b.node.mayVote() {
			rpc.Respond(nil, errNoVote)
			return
		}
	}
	select {
	case b.out <- rpc:
	case <-b.node.ctx.Done():
		rpc.Respond(nil, raft.ErrRaftShutdown)
	}
}

// Consumer returns what comes in for raft.
func (b *ballot) Consumer() <-chan raft.RPC { return b.out }

// RequestVote asks a peer for its vote, if this node may.
func (b *ballot) RequestVote(id raft.ServerID, target raft.ServerAddress, args *raft.RequestVoteRequest, resp *raft.RequestVoteResponse) error {
	if !b.node.mayVote() {
		return errNoVote
	}
	return b.NetworkTransport.RequestVote(id, target, args, resp)
}

// RequestPreVote asks a peer whether it would vote, if this node may.
func (b *ballot) RequestPreVote(id raft.ServerID, target raft.ServerAddress, args *raft.RequestPreVoteRequest, resp *raft.RequestPreVoteResponse) error {
	if !b.node.mayVote() {
		return errNoVote
	}
	return b.NetworkTransport.RequestPreVote(id, target, args, resp)
}

// mayVote reports whether the node has a vote that is worth something.
func (n *Node) mayVote() bool { return !n.barred.Load() }

// regain waits until a node that joined without a vote has been given one: it
// has applied the entry that made it a member without, and is a voter since.
// Then it forgets that it ever joined, so that after a restart of all nodes
// its vote counts at once.
func (n *Node) regain() {
	for n.barred.Load() {
		v, err := n.stable.Get(joinKey)
		if err == nil && len(v) == 8 && n.raft.AppliedIndex() >= binary.BigEndian.Uint64(v) && n.votes() {
			if err = n.stable.Set(joinKey, nil); err == nil {
				n.barred.Store(false)
				return
			}
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-n.failed:
			return
		case <-n.ctx.Done():
			return
		}
	}
}

// votes reports whether this node's newest list of members has it as a voter.
func (n *Node) votes() bool {
	for _, s := range n.raft.GetConfiguration().Configuration().Servers {
		if string(s.ID) == n.cfg.ID {
			return isVoter(s)
		}
	}
	return false
}

func isVoter(s raft.Server) bool { return s.Suffrage == raft.Voter }
