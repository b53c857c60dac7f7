package meta

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

// claim is what the node tells those it calls about its cluster: nothing while
// raft has not called, so that it still hears of another.
func (n *Node) claim() string {
	if r := n.running.Load(); r != nil && len(r.GetConfiguration().Configuration().Servers) == 0 {
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
// it for. A release before did not name a cluster that is only being founded:
// then nothing is known still.
func (n *Node) belong(cluster string) error {
	if cluster != "" && cluster != n.home() {
		if err := n.stable.Set(homeKey, []byte(cluster)); err != nil {
			return err
		}
		n.promised.Store(&cluster)
		n.mux.part(cluster)
	}
	n.mux.speak()
	return nil
}
