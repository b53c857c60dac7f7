package meta

import pb "github.com/tuttidb/tutti/proto/tutti/v1"

// A node knows which cluster it is of before raft is heard: whoever founds one
// names it, whoever takes part or joins has asked for the name. It is on disk,
// since the State has it only when the log has been applied again. Addresses
// are used again: without a name, a node that waits for its cluster's first
// entry could be taken over by the last survivor of another, which still calls
// where its own members were.

// homeKey is where the name of the cluster stands.
var homeKey = []byte("tutti.cluster")

// home returns the id of the cluster this node is of, empty while it looks for
// one.
func (n *Node) home() string {
	if id := n.State().ClusterID; id != "" {
		return id
	}
	if id := n.promised.Load(); id != nil {
		return *id
	}
	return ""
}

// claim is what the node tells those it calls about its cluster. Where it asks
// how they are that is nothing while nothing has been decided: so that it still
// hears of another cluster, which its founder, having lost its disk, has begun.
func (n *Node) claim(use string) string {
	if n.running.Load() != nil && use == useGRPC && n.standing() != pb.MetaStanding_META_STANDING_MEMBER {
		return ""
	}
	return n.home()
}

// recall reads the cluster's id from disk.
func (n *Node) recall() {
	if v, err := n.stable.Get(homeKey); err == nil && len(v) > 0 {
		id := string(v)
		n.promised.Store(&id)
	}
}

// belong makes a cluster this node's own, on disk, and ends what others called
// it for; then raft is heard. A release before did not name a cluster that is only
// being founded: that is none.
func (n *Node) belong(cluster string) error {
	if cluster != n.home() {
		if err := n.stable.Set(homeKey, []byte(cluster)); err != nil {
			return err
		}
		n.promised.Store(&cluster)
		n.mux.part(cluster)
	}
	n.mux.speak()
	return nil
}

// remain puts the cluster's id on disk where nobody has told it beforehand: a
// release before, or a cluster of one, or a leader that named it otherwise.
func (n *Node) remain() {
	if n.waitState(n.ctx, func(s *State) bool { return s.ClusterID != "" }) != nil {
		return
	}
	id := n.State().ClusterID
	if p := n.promised.Load(); (p == nil || *p != id) && n.stable.Set(homeKey, []byte(id)) == nil {
		n.promised.Store(&id)
	}
}
