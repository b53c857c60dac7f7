package meta

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

	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// swamp is a door to an address; what has come in by then may sink in it.
type swamp struct {
	net.Listener
	sunk, doors atomic.Int64 // connections up to sunk lead nowhere any more
}

func (s *swamp) serve(t *testing.T, address string) {
	for {
		in, err := s.Accept()
		if err != nil {
			return
		}
		n := s.doors.Add(1)
		out, err := net.Dial("tcp", address)
		if err != nil {
			t.Error(err)
			return
		}
		pass := func(from, to net.Conn) {
			defer from.Close()
			defer to.Close()
			b := make([]byte, 4096)
			for {
				k, err := from.Read(b)
				if err != nil {
					return
				}
				if s.sunk.Load() >= n {
					continue
				}
				if _, err := to.Write(b[:k]); err != nil {
					return
				}
			}
		}
		go pass(in, out)
		go pass(out, in)
	}
}

// slowIndex answers after a while.
type slowIndex struct {
	pb.UnimplementedMetaServer
	wait atomic.Int64
}

func (s *slowIndex) Index(ctx context.Context, _ *pb.MetaIndexRequest) (*pb.MetaIndexResponse, error) {
	select {
	case <-time.After(time.Duration(s.wait.Load())):
		return &pb.MetaIndexResponse{}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// TestLine: a connection whose packets are lost is given up by the first call
// that waits in vain, and the next call has another one. One at which something
// comes, or at which nobody has waited for long, stays.
func TestLine(t *testing.T) {
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		return l
	}
	index, server, behind := &slowIndex{}, grpc.NewServer(), listen()
	pb.RegisterMetaServer(server, index)
	go func() { _ = server.Serve(behind) }()
	t.Cleanup(server.Stop)
	door := &swamp{Listener: listen()}
	go door.serve(t, behind.Addr().String())

	l := &line{patience: 300 * time.Millisecond}
	c, err := grpc.NewClient("passthrough:///door", grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithUnaryInterceptor(l.watch),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return l.made((&net.Dialer{}).DialContext(ctx, "tcp", door.Addr().String()))
		}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	call := func(limit time.Duration) codes.Code {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		_, err := pb.NewMetaClient(c).Index(ctx, &pb.MetaIndexRequest{}, grpc.WaitForReady(true))
		return status.Code(err)
	}
	for _, step := range []struct {
		what  string
		wait  time.Duration // of the server
		sink  bool
		limit time.Duration
		want  codes.Code
		doors int64
	}{
		{"a call", 0, false, 10 * time.Second, codes.OK, 1},
		{"one that had no time", time.Second, false, 50 * time.Millisecond, codes.DeadlineExceeded, 1},
		{"another", 0, false, 10 * time.Second, codes.OK, 1},
		{"packets are lost", 0, true, 500 * time.Millisecond, codes.DeadlineExceeded, 1},
		{"another connection", 0, false, 10 * time.Second, codes.OK, 2},
	} {
		index.wait.Store(int64(step.wait))
		if step.sink {
			door.sunk.Store(door.doors.Load())
		}
		if got := call(step.limit); got != step.want || door.doors.Load() != step.doors {
			t.Errorf("%s: %s by %d connections, want %s by %d", step.what, got, door.doors.Load(), step.want, step.doors)
		}
	}
}
