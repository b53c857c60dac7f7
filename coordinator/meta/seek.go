package meta

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// seek finds the place of a node with an empty disk, or of one that has no more
// on it than a cluster's beginning. Until it has one, raft is not heard in either
// direction, so that a node that has forgotten everything cannot vote as if it
// never knew. What the others say decides:
//
//   - somebody belongs to a cluster: ask its leader to be taken in, without a
//     vote until caught up;
//   - somebody is founding one, in which nothing can have been decided yet:
//     take part, as the voter that the founder named;
//   - all are empty, or after Grace a majority is and nobody says otherwise,
//     and this is the node with the lowest name: found one;
//   - otherwise wait.
//
// A founder that stops half-way goes on when it is started again: its disk has
// the list of voters and the id of the cluster, which the first leader's first
// entry gives to all.
func (n *Node) seek() {
	begin := time.Now()
	for pause := 20 * time.Millisecond; n.standing() != pb.MetaStanding_META_STANDING_MEMBER; pause = min(2*pause, 200*time.Millisecond) {
		if err := n.place(time.Since(begin) > n.cfg.Timing.Grace); err != nil {
			n.cfg.Log.Debug("seeking a cluster", "node", n.cfg.ID, "error", err)
		}
		select {
		case <-time.After(pause):
		case <-n.ctx.Done():
			return
		case <-n.failed:
			return
		}
	}
}

// place looks once. A node that has found its place goes on looking until raft
// has called: those that it waits for may lose their disks and begin another
// cluster.
func (n *Node) place(patient bool) error {
	ctx, cancel := context.WithTimeout(n.ctx, n.cfg.Timing.Call)
	defer cancel()
	answers := n.probeAll(ctx)
	empty := 1 // this node
	var founding, member *pb.MetaProbeResponse
	for _, p := range answers {
		switch p.Standing {
		case pb.MetaStanding_META_STANDING_MEMBER:
			if member == nil || p.Leader != "" && p.Term >= member.Term {
				member = p
			}
		case pb.MetaStanding_META_STANDING_FOUNDING:
			if founding == nil || p.Id < founding.Id {
				founding = p // the founder has the lowest name
			}
		case pb.MetaStanding_META_STANDING_EMPTY:
			empty++
		}
	}
	all := len(n.cfg.Peers)
	switch {
	case n.configured() && member != nil && member.Leader != "" && member.ClusterId != "":
		return n.belong(member.ClusterId)
	case n.configured(), member != nil && n.takesPart() && member.ClusterId == n.home():
		return nil // this node has its vote, or has asked for it
	case member != nil:
		return n.enter(ctx, member)
	case founding != nil:
		return n.takePart(founding)
	case n.cfg.names()[0] == n.cfg.ID && (empty == all || patient && empty > all/2):
		return n.found()
	}
	return nil
}

// takesPart reports whether this node waits for raft to call.
func (n *Node) takesPart() bool { return n.mux.voice.Load() }

// takePart waits to be called as the voter that a founder has named.
func (n *Node) takePart(founding *pb.MetaProbeResponse) error {
	if n.takesPart() && founding.ClusterId == n.home() {
		return nil
	}
	n.cfg.Log.Info("takes part in a new cluster", "node", n.cfg.ID, "founder", founding.Id, "cluster", founding.ClusterId)
	if err := n.unbar(); err != nil {
		return err
	}
	return n.belong(founding.ClusterId)
}

// unbar gives a node its vote in a new cluster that had begun to join one that is
// no more.
func (n *Node) unbar() error {
	if !n.barred.Load() {
		return nil
	}
	if err := n.stable.Set(joinKey, nil); err != nil {
		return err
	}
	n.barred.Store(false)
	return nil
}

// probeAll asks all others how they are, and returns the answers that came.
func (n *Node) probeAll(ctx context.Context) map[string]*pb.MetaProbeResponse {
	var mu sync.Mutex
	var wait sync.WaitGroup
	answers := map[string]*pb.MetaProbeResponse{}
	for _, id := range n.cfg.others() {
		wait.Go(func() {
			if p, err := n.probe(ctx, id); err == nil {
				mu.Lock()
				answers[id] = p
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	return answers
}

// found begins a cluster with all peers as voters.
func (n *Node) found() error {
	var conf raft.Configuration
	for _, id := range n.cfg.names() {
		conf.Servers = append(conf.Servers, raft.Server{ID: raft.ServerID(id), Address: raft.ServerAddress(n.cfg.Peers[id])})
	}
	if err := errors.Join(n.unbar(), n.belong(newID())); err != nil {
		return err
	}
	if err := n.raft.BootstrapCluster(conf).Error(); err != nil {
		return fmt.Errorf("founding a cluster: %w", err)
	}
	n.cfg.Log.Info("founds a cluster", "node", n.cfg.ID, "coordinators", serverNames(conf.Servers))
	return nil
}

// enter asks the leader of a cluster to take this node in.
func (n *Node) enter(ctx context.Context, member *pb.MetaProbeResponse) error {
	if member.Leader == "" || member.ClusterId == "" {
		return fmt.Errorf("coordinator %s belongs to cluster %s, which has no leader at present", member.Id, member.ClusterId)
	}
	c, err := n.client(member.Leader)
	if err != nil {
		return err
	}
	r, err := c.Join(ctx, &pb.MetaJoinRequest{Id: n.cfg.ID, Incarnation: n.incarnation})
	if err != nil {
		return err
	}
	if err := refusal(r.Code, r.Message); err != nil {
		return err
	}
	// On disk before raft is heard: see ballot.
	if err := n.stable.Set(joinKey, []byte(indexKey(r.Index))); err != nil {
		return err
	}
	n.barred.Store(true)
	n.cfg.Log.Info("joins the cluster with an empty disk", "node", n.cfg.ID, "cluster", member.ClusterId, "leader", member.Leader)
	return n.belong(member.ClusterId)
}

// standing is what this node knows of a cluster.
func (n *Node) standing() pb.MetaStanding {
	switch {
	case n.State().ClusterID != "":
		return pb.MetaStanding_META_STANDING_MEMBER
	case !n.configured():
		return pb.MetaStanding_META_STANDING_EMPTY
	case n.State().Index > 0 || n.raft.LastIndex() > foundingEntries:
		return pb.MetaStanding_META_STANDING_MEMBER
	}
	return pb.MetaStanding_META_STANDING_FOUNDING
}

// foundingEntries is how long a log may be in which nothing has been decided:
// the list of voters and the first entries of a first leader. A longer one
// that has not been applied yet is that of a member that has just started.
const foundingEntries = 3
