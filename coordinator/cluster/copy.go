package cluster

import (
	"context"

	"github.com/tuttidb/tutti/coordinator/query"
	"github.com/tuttidb/tutti/coordinator/schedule"
	"github.com/tuttidb/tutti/exchange"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// Copy has a worker copy a committed output, and returns when it has all of it. A
// worker of a release that knows no copies says so by an error.
func (c *Client) Copy(ctx context.Context, to query.Place, of schedule.Copy) error {
	w, err := c.worker(to)
	if err != nil {
		return err
	}
	ctx, done, err := c.whileThere(ctx, to)
	if err != nil {
		return err
	}
	defer done()
	req := &pb.CopyOutputRequest{Task: exchange.TaskToProto(of.Task), Address: of.Address, Epoch: c.Epoch}
	for _, e := range of.Ends {
		req.Partitions = append(req.Partitions, &pb.PartitionEnd{Frames: e.Frames, Rows: e.Rows, Bytes: e.Bytes})
	}
	_, err = w.CopyOutput(ctx, req)
	return typed(err)
}
