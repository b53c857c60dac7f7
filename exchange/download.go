package exchange

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow/flight"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/tuttidb/tutti/planner/plan"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// download is a stream of a partition's frames from another node.
type download struct {
	stream grpc.ClientStream
	vigil  *vigil
}

// doGet asks the node at an address for the frames that a ticket names. The
// caller ends ctx when it wants no more of them.
func doGet(ctx context.Context, conns *Conns, auth *Auth, address string, t *pb.Ticket) (*download, error) {
	conn, err := conns.neighbor(address)
	if err != nil {
		return nil, err
	}
	ticket, err := auth.Ticket(t)
	if err != nil {
		return nil, err
	}
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, "/arrow.flight.protocol.FlightService/DoGet", grpc.ForceCodecV2(newCodec()))
	if err != nil {
		return nil, err
	}
	if err := stream.SendMsg(&flight.Ticket{Ticket: ticket}); err != nil && !errors.Is(err, io.EOF) { // receive says why
		return nil, err
	}
	if err := stream.CloseSend(); err != nil {
		return nil, err
	}
	return &download{stream: stream, vigil: conn.pulse.watch(ctx, conn)}, nil
}

// receive receives the next message. If it fails m has no memory.
func (d *download) receive(m *incoming) error {
	d.vigil.begin()
	err := d.stream.RecvMsg(m)
	d.vigil.stop()
	if err == nil {
		return nil
	}
	m.body.Release()
	if m.err != nil {
		return m.err
	}
	if errors.Is(err, io.EOF) {
		return status.Error(codes.Unavailable, "stream ended before its end message")
	}
	return err
}

// endOf reads the message that ends a stream.
func endOf(b []byte) (PartitionEnd, error) {
	var end pb.PartitionEnd
	if err := proto.Unmarshal(b, &end); err != nil {
		return PartitionEnd{}, fmt.Errorf("end of a stream: %w", err)
	}
	return PartitionEnd{Frames: end.Frames, Rows: end.Rows, Bytes: end.Bytes}, nil
}

// lostBy returns the loss of an attempt's output that a node's answer tells of;
// nil: it tells of none.
func lostBy(id plan.TaskID, err error) *LostOutput {
	st, _ := status.FromError(err)
	for _, d := range st.Details() {
		if f, ok := d.(*pb.Failure); ok && f.Cause == pb.Failure_CAUSE_LOST_OUTPUT {
			return &LostOutput{Task: id, Reason: f.Message}
		}
	}
	return nil
}
