package cluster

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/tuttidb/tutti/coordinator/query"
	"github.com/tuttidb/tutti/exchange"
	"github.com/tuttidb/tutti/internal/clock"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// hesitant is a worker that can be reached at the third try.
type hesitant struct {
	pb.UnimplementedWorkerServer
	asked atomic.Int32
	never bool
	other error // instead of an answer
}

func (h *hesitant) AdoptQuery(context.Context, *pb.AdoptQueryRequest) (*pb.AdoptQueryResponse, error) {
	if n := h.asked.Add(1); n < 3 || h.never {
		return nil, status.Error(codes.Unavailable, "not yet")
	}
	return &pb.AdoptQueryResponse{NextAttempt: 7}, h.other
}

// TestAdoptPersists: a worker that is there is asked until it answers; one that
// is lost, or says no, is not.
func TestAdoptPersists(t *testing.T) {
	for _, c := range []struct {
		name        string
		worker      *hesitant
		lost, gone  bool
		asked, next int32
	}{
		{"answers at last", &hesitant{}, false, false, 3, 7},
		{"never answers", &hesitant{never: true}, false, false, 2, 0},
		{"is lost meanwhile", &hesitant{never: true}, true, false, 0, 0},
		{"has left", &hesitant{}, false, true, 0, 0},
		{"refuses", &hesitant{other: status.Error(codes.FailedPrecondition, "no")}, false, false, 3, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			lis, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			s := grpc.NewServer()
			pb.RegisterWorkerServer(s, c.worker)
			go func() { _ = s.Serve(lis) }()
			defer s.Stop()
			conns := exchange.NewConns(exchange.NewAuth("secret", clock.System{}), insecure.NewCredentials())
			defer conns.Close()
			lost := make(chan struct{})
			if c.lost {
				time.AfterFunc(50*time.Millisecond, func() { close(lost) })
			}
			if c.gone {
				lost = nil
			}
			client := NewClient(ClientConfig{Conns: conns, Lost: func(query.Place) <-chan struct{} { return lost }, Epoch: 2})
			patience := 10 * time.Second
			if c.worker.never && !c.lost {
				patience = 5 * adoptPause / 2
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			inv, err := client.Adopt(ctx, query.Place{Node: "w", Address: lis.Addr().String()}, "q")
			if (err == nil) != (c.next > 0) || inv.Next != c.next || c.worker.asked.Load() < c.asked || c.gone && c.worker.asked.Load() > 0 {
				t.Errorf("%+v, %v, asked %d times", inv, err, c.worker.asked.Load())
			}
			if ctx.Err() != nil && !c.worker.never {
				t.Error("it took too long")
			}
		})
	}
}
