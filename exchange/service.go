package exchange

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/apache/arrow-go/v18/arrow/flight"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/planner/plan"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// Sizes of gRPC's buffers and windows. A stream's window holds at least two
// frames, so that one is on its way while another is used; a connection's is
// for several streams.
const (
	streamWindow = 4 << 20
	connWindow   = 64 << 20
	ioBuffer     = 1 << 20
)

// ServerOptions are the options that a gRPC server needs which serves a
// Service: its codec, and sizes made for large messages.
func ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.ForceServerCodecV2(newCodec()), grpc.StatsHandler(lenders{}),
		grpc.StaticStreamWindowSize(streamWindow), grpc.StaticConnWindowSize(connWindow),
		grpc.ReadBufferSize(ioBuffer), grpc.WriteBufferSize(ioBuffer),
		grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: math.MaxInt64}), // see pulse; hosts that are gone are TCP's to notice
	}
}

// Service serves the store's outputs by Arrow Flight. A server that has other
// uses for Flight embeds it and asks IsTicket.
type Service struct {
	flight.BaseFlightServer
	store *Store
	auth  *Auth
}

// NewService returns a service over a store. The gRPC server it is registered
// with must have ServerOptions.
func NewService(store *Store, auth *Auth) *Service { return &Service{store: store, auth: auth} }

// Register adds the service to a gRPC server.
func (s *Service) Register(r *grpc.Server) { flight.RegisterFlightServiceServer(r, s) }

// DoGet streams the frames that a ticket names, waiting for more while the
// attempt runs, and ends with a message whose metadata is a PartitionEnd. The
// error says by a Failure as its detail if the output is lost.
func (s *Service) DoGet(t *flight.Ticket, stream flight.FlightService_DoGetServer) error {
	ctx := stream.Context()
	ticket, err := s.auth.openTicket(ctx, t.GetTicket())
	if err != nil {
		return err
	}
	id := TaskFromProto(ticket.Task)
	r, err := s.store.Open(id, int(ticket.Partition), ticket.FromFrame)
	if err != nil {
		return toStatus(err)
	}
	lent := lentOf(ctx)
	for {
		f, err := r.Next(ctx, s.store.cfg.Account)
		if err != nil {
			return toStatus(err)
		}
		if f == nil {
			break
		}
		m := &outgoing{frame: f, lent: lent}
		if err := stream.SendMsg(m); err != nil {
			if !m.taken {
				f.Release()
			}
			return err
		}
	}
	end := r.End()
	b, err := proto.Marshal(&pb.PartitionEnd{Frames: end.Frames, Rows: end.Rows, Bytes: end.Bytes})
	if err != nil {
		return status.Error(codes.Internal, err.Error())
	}
	return stream.SendMsg(&outgoing{end: b})
}

// toStatus gives an error the code that the client acts on.
func toStatus(err error) error {
	var lost *LostOutput
	var full *mem.LimitError
	switch {
	case errors.As(err, &lost):
		st, e := status.New(codes.NotFound, err.Error()).WithDetails(&pb.Failure{
			Cause: pb.Failure_CAUSE_LOST_OUTPUT, Retryable: true, Message: err.Error(), Lost: TaskToProto(lost.Task),
		})
		if e != nil {
			return status.Error(codes.NotFound, err.Error())
		}
		return st.Err()
	case errors.As(err, &full):
		return status.Error(codes.Unavailable, err.Error()) // for the moment
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return status.FromContextError(err).Err()
	}
	return status.Error(codes.FailedPrecondition, err.Error())
}

// TaskToProto and TaskFromProto convert the name of an attempt.
func TaskToProto(t plan.TaskID) *pb.TaskId {
	return &pb.TaskId{Query: string(t.Stage.Query), Stage: int32(t.Stage.Fragment), Task: t.Task, Attempt: t.Attempt}
}

// TaskFromProto is the inverse of TaskToProto.
func TaskFromProto(t *pb.TaskId) plan.TaskID {
	return plan.TaskID{
		Stage: plan.StageID{Query: plan.QueryID(t.GetQuery()), Fragment: plan.FragmentID(t.GetStage())},
		Task:  t.GetTask(), Attempt: t.GetAttempt(),
	}
}
