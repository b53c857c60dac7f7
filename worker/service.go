package worker

import (
	"google.golang.org/grpc"

	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// service is a Manager as a gRPC service.
type service struct {
	*Manager
	unimplemented
}

// unimplemented answers calls that this release does not know. It lies one
// level deeper than the manager's methods, which therefore win.
type unimplemented struct{ pb.UnimplementedWorkerServer }

// WatchTasks streams what Watch reports.
func (s service) WatchTasks(req *pb.WatchTasksRequest, stream grpc.ServerStreamingServer[pb.WatchTasksResponse]) error {
	return s.Watch(stream.Context(), req, stream.Send)
}

// Register adds the control service to a gRPC server, which must guard it
// with exchange.Auth's interceptors.
func (m *Manager) Register(s grpc.ServiceRegistrar) { pb.RegisterWorkerServer(s, service{Manager: m}) }
