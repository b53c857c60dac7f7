package meta

import (
	"context"
	"errors"

	"github.com/hashicorp/raft"

	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// service is what a node does for the others. The mux has made sure that the
// caller is one of them. Nothing here calls on: a request goes one hop.
type service struct {
	pb.UnimplementedMetaServer
	node *Node
}

// Apply proposes an entry.
func (s *service) Apply(ctx context.Context, r *pb.MetaApplyRequest) (*pb.MetaApplyResponse, error) {
	if err := s.node.usable(); err != nil {
		return &pb.MetaApplyResponse{Code: pb.MetaCode_META_CODE_NOT_LEADER, Message: err.Error()}, nil
	}
	if s.node.raft.State() != raft.Leader {
		return &pb.MetaApplyResponse{Code: pb.MetaCode_META_CODE_NOT_LEADER, Message: "this node does not lead"}, nil
	}
	if r.GetEntry().GetId() == "" {
		return &pb.MetaApplyResponse{Code: pb.MetaCode_META_CODE_INVALID, Message: "an entry needs an id"}, nil
	}
	return s.node.applyHere(ctx, r.Entry), nil
}

// Index confirms the leadership and tells how far the state is.
func (s *service) Index(context.Context, *pb.MetaIndexRequest) (*pb.MetaIndexResponse, error) {
	return s.node.indexHere(), nil
}

// Probe tells how this node is.
func (s *service) Probe(context.Context, *pb.MetaProbeRequest) (*pb.MetaProbeResponse, error) {
	return s.node.health(), nil
}

func (n *Node) health() *pb.MetaProbeResponse {
	_, leader := n.raft.LeaderWithID()
	p := &pb.MetaProbeResponse{
		Id: n.cfg.ID, Standing: n.standing(), ClusterId: n.home(), Leader: string(leader), Term: n.raft.CurrentTerm(),
		LastIndex: n.raft.LastIndex(), Applied: n.raft.AppliedIndex(), Incarnation: n.incarnation,
	}
	n.fresh(p)
	n.vacancy(p)
	if err := n.Err(); err != nil {
		p.Failure = err.Error()
	}
	if n.cfg.About != nil {
		p.About = n.cfg.About()
	}
	return p
}

// Join takes a node with an empty disk in.
func (s *service) Join(_ context.Context, r *pb.MetaJoinRequest) (*pb.MetaJoinResponse, error) {
	return s.node.join(r), nil
}

// Transfer hands the leadership on.
func (s *service) Transfer(ctx context.Context, r *pb.MetaTransferRequest) (*pb.MetaTransferResponse, error) {
	return s.node.transferHere(ctx, r.GetTo()), nil
}

// Remember keeps entries in memory.
func (s *service) Remember(_ context.Context, r *pb.MetaRememberRequest) (*pb.MetaRememberResponse, error) {
	answer := &pb.MetaRememberResponse{Incarnation: s.node.incarnation}
	if err := s.node.usable(); err != nil {
		answer.Message = err.Error()
		return answer, nil
	}
	if !s.node.takesPart() {
		answer.Message = "this node takes no part in a cluster"
		return answer, nil
	}
	limit := memoryLimit
	if r.GetStamp() != 0 { // of what older epochs remembered
		limit = heritage
	}
	var err error
	answer.Epoch, answer.Accepted, err = s.node.memory.change(r.GetEpoch(), r.GetEntries(), r.GetForget(), limit)
	if err != nil {
		answer.Message = err.Error()
	}
	if answer.Accepted && len(r.GetSame()) == len(r.GetSeqs()) {
		answer.Compared, answer.Lacks = true, s.node.memory.stamp(r.GetEpoch(), list{r.GetSame(), r.GetSeqs()}, r.GetStamp())
	}
	return answer, nil
}

// Collect returns what is remembered, to a newer leader: the keys and seqs of
// all, or some entries, or all.
func (s *service) Collect(_ context.Context, r *pb.MetaCollectRequest) (*pb.MetaCollectResponse, error) {
	if err := s.node.usable(); err != nil {
		return nil, err
	}
	if !s.node.takesPart() {
		return nil, errNotLeading
	}
	epoch, ok := s.node.memory.fence(r.GetEpoch())
	answer := &pb.MetaCollectResponse{Accepted: ok, Epoch: epoch, Incarnation: s.node.incarnation}
	switch {
	case !ok:
	case r.GetList():
		l := s.node.memory.list()
		answer.Listed, answer.Keys, answer.Seqs = true, l.keys, l.seqs
	case len(r.GetKeys()) > 0:
		answer.Entries = s.node.memory.some(r.GetKeys())
	default:
		answer.Entries = s.node.memory.all()
	}
	return answer, nil
}

// Restore replaces the state by a backup that comes in pieces.
func (s *service) Restore(stream pb.Meta_RestoreServer) error {
	r := joined(stream.Recv)
	defer func() { _ = r.Close() }() // never fails
	state, err := readState(r)
	if err != nil {
		return stream.SendAndClose(&pb.MetaRestoreResponse{Code: pb.MetaCode_META_CODE_INVALID, Message: err.Error()})
	}
	return stream.SendAndClose(s.node.restoreHere(stream.Context(), state))
}

var errNotLeading = errors.New("this node does not lead")
