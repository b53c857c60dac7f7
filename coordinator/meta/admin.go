package meta

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/hashicorp/raft"

	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// Member is a coordinator as another sees it.
type Member struct {
	ID, Address string
	// Voter is whether it counts towards a majority; one that is catching up
	// does not.
	Voter, Leader bool
	// Reachable is whether it answered just now. The rest is its answer.
	Reachable bool
	// Applied is the last entry in its state, Term the newest leadership that
	// it heard of.
	Applied, Term uint64
	// Failure is what took it out of the cluster, empty for nothing.
	Failure string
	// About is what it says of itself, nil if nothing.
	About *pb.MetaAbout
}

// Members tells how the coordinators are, by id. It never fails: who does not
// answer before ctx ends is shown so.
func (n *Node) Members(ctx context.Context) []Member {
	ctx, cancel := context.WithTimeout(ctx, n.cfg.Timing.Call)
	defer cancel()
	return n.survey(ctx)
}

func (n *Node) survey(ctx context.Context) []Member {
	answers := n.probeAll(ctx)
	answers[n.cfg.ID] = n.health()
	_, leader := n.raft.LeaderWithID()
	voters := map[string]bool{}
	for _, s := range n.raft.GetConfiguration().Configuration().Servers {
		voters[string(s.ID)] = isVoter(s)
	}
	ids := n.cfg.names()
	if len(ids) == 0 {
		ids = []string{n.cfg.ID}
	}
	var all []Member
	for _, id := range ids {
		m := Member{ID: id, Address: n.cfg.Peers[id], Voter: voters[id], Leader: string(leader) == id}
		if p := answers[id]; p != nil {
			m.Reachable, m.Applied, m.Term, m.Failure = true, p.Applied, p.Term, p.Failure
			m.About = p.About
		}
		all = append(all, m)
	}
	return all
}

// Backup writes the state, as of now and as a whole, to w: see Restore.
// It asks the leader first, so that nothing acknowledged is missing.
func (n *Node) Backup(ctx context.Context, w io.Writer) error {
	s, err := n.Read(ctx)
	if err != nil {
		return err
	}
	return s.writeTo(w)
}

// Restore replaces the whole state, on all coordinators, with that of a
// backup. The cluster keeps its id. Queries that run now are no longer in the
// journal afterwards, those of the backup are as they were. A damaged backup
// changes nothing.
func (n *Node) Restore(ctx context.Context, r io.Reader) error {
	s, err := readState(r)
	if err != nil {
		return err
	}
	ctx, cancel := n.bounded(ctx)
	defer cancel()
	var index uint64
	err = n.persist(ctx, func(ctx context.Context, _ bool) (pb.MetaCode, string, error) {
		if n.raft.State() == raft.Leader {
			answer := n.restoreHere(ctx, s)
			index = answer.Index
			return answer.Code, answer.Message, nil
		}
		c, why := n.leader()
		if why != "" {
			return pb.MetaCode_META_CODE_NOT_LEADER, why, nil
		}
		answer, err := sendBackup(ctx, c, s)
		index = answer.GetIndex()
		return answer.GetCode(), answer.GetMessage(), err
	})
	if err != nil {
		return err
	}
	return n.waitIndex(ctx, index)
}

// sendBackup streams a backup to the leader.
func sendBackup(ctx context.Context, c pb.MetaClient, s *State) (*pb.MetaRestoreResponse, error) {
	stream, err := c.Restore(ctx)
	if err != nil {
		return nil, err
	}
	err = s.writeTo(chunks{stream})
	if err != nil && !errors.Is(err, io.EOF) { // the answer says why it ended
		return nil, err
	}
	return stream.CloseAndRecv()
}

// chunks is a stream as a writer.
type chunks struct{ stream pb.Meta_RestoreClient }

// Write sends b in pieces that fit a message.
func (c chunks) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		piece := b[:min(len(b), 1<<20)]
		if err := c.stream.Send(&pb.MetaRestoreRequest{Chunk: bytes.Clone(piece)}); err != nil {
			return 0, err
		}
		b = b[len(piece):]
	}
	return n, nil
}

// restoreHere restores a backup where this node leads. Done twice it ends the
// same, so it may be tried again.
func (n *Node) restoreHere(ctx context.Context, from *State) *pb.MetaRestoreResponse {
	if n.ready.Load() == 0 {
		return &pb.MetaRestoreResponse{Code: pb.MetaCode_META_CODE_NOT_LEADER, Message: errNotLeading.Error()}
	}
	// What belongs to this cluster's history stays this cluster's.
	now, last, s := n.State(), n.raft.LastIndex(), *from
	s.ClusterID, s.Epoch, s.Leader, s.Index = now.ClusterID, now.Epoch, now.Leader, last
	s.seen, s.before, s.seenFrom, s.beforeFrom = tree[*pb.MetaSeen]{}, tree[*pb.MetaSeen]{}, last, last
	var b bytes.Buffer
	if err := s.writeTo(&b); err != nil {
		return &pb.MetaRestoreResponse{Code: pb.MetaCode_META_CODE_INVALID, Message: err.Error()}
	}
	meta := &raft.SnapshotMeta{Version: raft.SnapshotVersionMax, Size: int64(b.Len())}
	if err := n.raft.Restore(meta, &b, n.restoreTime(ctx)); err != nil {
		return &pb.MetaRestoreResponse{Code: retryCode(err), Message: err.Error()}
	}
	n.cfg.Log.Info("the state was restored from a backup", "node", n.cfg.ID, "catalogs", s.catalogs.Len(), "queries", s.queries.Len())
	r := n.applyHere(ctx, &pb.MetaEntry{Id: newID(), Base: n.raft.LastIndex(), Commands: []Command{restored()}})
	return &pb.MetaRestoreResponse{Code: r.Code, Message: r.Message, Index: r.Index}
}

func (n *Node) restoreTime(ctx context.Context) time.Duration {
	if at, ok := ctx.Deadline(); ok {
		return max(time.Until(at), time.Millisecond)
	}
	return n.cfg.Timing.Apply
}

// String prints a member on one line.
func (m Member) String() string {
	role := "follower"
	switch {
	case m.Failure != "":
		role = "failed: " + m.Failure
	case !m.Reachable:
		role = "does not answer"
	case m.Leader:
		role = "leader"
	case !m.Voter:
		role = "catching up"
	}
	return fmt.Sprintf("%s %s %s, at entry %d of term %d", m.ID, m.Address, role, m.Applied, m.Term)
}
