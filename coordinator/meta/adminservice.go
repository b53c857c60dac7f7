package meta

import (
	"bytes"
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// RegisterAdmin adds what operators may ask of the coordinators to a gRPC
// server, which must let nobody call who does not know the cluster's secret.
func RegisterAdmin(s grpc.ServiceRegistrar, n *Node) {
	pb.RegisterAdminServer(s, &adminService{node: n})
}

// adminService passes what it is asked on to the leader, as all of Node does.
type adminService struct {
	pb.UnimplementedAdminServer
	node *Node
}

// adminError gives an error the code that tells a script what to do about it.
func adminError(err error) error {
	code := codes.Internal
	switch {
	case errors.Is(err, ErrNotFound):
		code = codes.NotFound
	case errors.Is(err, ErrInvalid):
		code = codes.InvalidArgument
	case errors.Is(err, ErrNoQuorum), errors.Is(err, ErrClosed):
		code = codes.Unavailable
	}
	return status.Error(code, err.Error())
}

// Members tells how the coordinators are.
func (a *adminService) Members(ctx context.Context, _ *pb.AdminMembersRequest) (*pb.AdminMembersResponse, error) {
	out := &pb.AdminMembersResponse{}
	for _, m := range a.node.Members(ctx) {
		out.Members = append(out.Members, &pb.AdminMember{
			Id: m.ID, Address: m.Address, HttpAddress: m.About.GetHttpAddress(), Version: m.About.GetVersion(), Leader: m.Leader,
			Voter: m.Voter, Reachable: m.Reachable, Applied: m.Applied, Term: m.Term, Failure: m.Failure,
		})
	}
	for i := range a.node.State().Intents() {
		if i.Kind == pb.MetaIntentKind_META_INTENT_KIND_DRAIN {
			out.Drained = append(out.Drained, &pb.AdminDrained{Node: i.Node, Reason: i.Reason})
		}
	}
	return out, nil
}

// TransferLeader moves the leadership and returns who has it then.
func (a *adminService) TransferLeader(ctx context.Context, r *pb.AdminTransferLeaderRequest) (*pb.AdminTransferLeaderResponse, error) {
	if err := a.node.HandOver(ctx, r.To); err != nil {
		return nil, adminError(err)
	}
	if err := a.node.WaitLeader(ctx); err != nil {
		return nil, adminError(err)
	}
	leader, _ := a.node.Leader()
	return &pb.AdminTransferLeaderResponse{Leader: leader}, nil
}

// Drain wants a worker gone.
func (a *adminService) Drain(ctx context.Context, r *pb.AdminDrainRequest) (*pb.AdminDrainResponse, error) {
	if r.Node == "" {
		return nil, status.Error(codes.InvalidArgument, "which node?")
	}
	if _, err := a.node.Apply(ctx, Drain(r.Node, r.Reason, "admin")); err != nil {
		return nil, adminError(err)
	}
	return &pb.AdminDrainResponse{}, nil
}

// Undrain takes that back.
func (a *adminService) Undrain(ctx context.Context, r *pb.AdminUndrainRequest) (*pb.AdminUndrainResponse, error) {
	s, err := a.node.Read(ctx)
	if err != nil {
		return nil, adminError(err)
	}
	found := s.Intent(r.Node) != nil
	if _, err := a.node.Apply(ctx, Undrain(r.Node)); err != nil {
		return nil, adminError(err)
	}
	return &pb.AdminUndrainResponse{Found: found}, nil
}

// backupChunk is the size of the pieces that a backup goes in.
const backupChunk = 256 << 10

// Backup streams the state.
func (a *adminService) Backup(_ *pb.AdminBackupRequest, stream pb.Admin_BackupServer) error {
	if err := a.node.Backup(stream.Context(), pieces{stream}); err != nil {
		return adminError(err)
	}
	return nil
}

// pieces is a stream of a backup as a writer.
type pieces struct{ stream pb.Admin_BackupServer }

// Write sends b in pieces.
func (p pieces) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		piece := b[:min(len(b), backupChunk)]
		if err := p.stream.Send(&pb.AdminBackupResponse{Chunk: bytes.Clone(piece)}); err != nil {
			return n - len(b), err
		}
		b = b[len(piece):]
	}
	return n, nil
}

// Restore replaces the state by a backup that comes in pieces.
func (a *adminService) Restore(stream pb.Admin_RestoreServer) error {
	r := joined(stream.Recv)
	defer func() { _ = r.Close() }() // never fails
	if err := a.node.Restore(stream.Context(), r); err != nil {
		if code := status.Code(adminError(err)); code != codes.Internal {
			return adminError(err)
		}
		return status.Error(codes.InvalidArgument, err.Error()) // damaged, or no backup
	}
	return stream.SendAndClose(&pb.AdminRestoreResponse{Index: a.node.State().Index})
}

// joined is what comes in pieces as one text, which the caller closes.
func joined[M interface{ GetChunk() []byte }](recv func() (M, error)) io.ReadCloser {
	r, w := io.Pipe()
	go func() {
		for {
			m, err := recv()
			if err == nil {
				_, err = w.Write(m.GetChunk())
			}
			if err != nil {
				w.CloseWithError(err) // io.EOF is the end
				return
			}
		}
	}()
	return r
}
