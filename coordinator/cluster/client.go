package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/tuttidb/tutti/coordinator/query"
	"github.com/tuttidb/tutti/coordinator/schedule"
	"github.com/tuttidb/tutti/exchange"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/planner/plancodec"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// callTimeout bounds one control call: a worker that takes longer is treated
// as lost.
const callTimeout = 10 * time.Second

// Client carries the actions of one query to the workers. It implements
// schedule.TaskClient.
type Client struct {
	conns *exchange.Conns
	// addresses of the query's nodes, by node id.
	addresses map[string]string
	lost      func(node string) <-chan struct{}
	settings  *pb.Settings
	epoch     uint64
}

// NewClient returns a client for one query on the given nodes. lost tells of
// nodes that leave (Registry.Lost).
func NewClient(conns *exchange.Conns, nodes []schedule.Node, lost func(string) <-chan struct{}, settings *pb.Settings) *Client {
	c := &Client{conns: conns, addresses: map[string]string{}, lost: lost, settings: settings}
	for _, n := range nodes {
		c.addresses[n.ID] = n.Address
	}
	return c
}

// Address returns the address of a node's gRPC door.
func (c *Client) Address(node string) string { return c.addresses[node] }

func (c *Client) worker(node string) (pb.WorkerClient, error) {
	address, ok := c.addresses[node]
	if !ok {
		return nil, fmt.Errorf("no address of node %q", node)
	}
	conn, err := c.conns.Get(address)
	if err != nil {
		return nil, err
	}
	return pb.NewWorkerClient(conn), nil
}

// Start starts a task on its node.
func (c *Client) Start(ctx context.Context, a schedule.Action) error {
	w, err := c.worker(a.Task.Node)
	if err != nil {
		return err
	}
	encoded, err := plancodec.EncodeFragment(a.Fragment)
	if err != nil {
		return err
	}
	update, err := c.update(a.Update)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err = w.StartTask(ctx, &pb.StartTaskRequest{
		Task: exchange.TaskToProto(a.Task.ID), Protocol: Protocol, Epoch: c.epoch, PlanVersion: plancodec.Version,
		Fragment: encoded, Settings: c.settings, Partition: int32(a.Partition), Partitions: int32(a.Partitions),
		OutputPartitions: int32(a.OutputPartitions), Update: update, StreamOutput: a.Stream,
	})
	return err
}

// Update tells a running task more and returns what it gives back.
func (c *Client) Update(ctx context.Context, a schedule.Action) (schedule.Answer, error) {
	w, err := c.worker(a.Task.Node)
	if err != nil {
		return schedule.Answer{}, err
	}
	update, err := c.update(a.Update)
	if err != nil {
		return schedule.Answer{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	resp, err := w.UpdateTask(ctx, &pb.UpdateTaskRequest{Task: exchange.TaskToProto(a.Task.ID), Epoch: c.epoch, Update: update})
	if err != nil {
		return schedule.Answer{}, err
	}
	st := resp.GetStatus()
	return schedule.Answer{Returned: resp.Returned, Started: int(st.GetRunningSplits() + st.GetDoneSplits())}, nil
}

// Release frees the outputs of tasks on a node.
func (c *Client) Release(ctx context.Context, node string, tasks []plan.TaskID) error {
	w, err := c.worker(node)
	if err != nil {
		return err
	}
	req := &pb.ReleaseOutputsRequest{Epoch: c.epoch}
	for _, t := range tasks {
		req.Tasks = append(req.Tasks, exchange.TaskToProto(t))
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err = w.ReleaseOutputs(ctx, req)
	return err
}

// Watch reports statuses until ctx ends or the node is lost.
func (c *Client) Watch(ctx context.Context, node string, id plan.QueryID, report func(query.Status)) error {
	w, err := c.worker(node)
	if err != nil {
		return err
	}
	gone := c.lost(node)
	if gone == nil {
		return fmt.Errorf("worker %s has left the cluster", node)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-gone:
			cancel(fmt.Errorf("worker %s has left the cluster", node))
		case <-ctx.Done():
		}
	}()
	stream, err := w.WatchTasks(ctx, &pb.WatchTasksRequest{Query: string(id), Epoch: c.epoch})
	if err != nil {
		return err
	}
	for {
		msg, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && context.Cause(ctx) != nil:
			return context.Cause(ctx)
		case err != nil:
			return err
		}
		for _, t := range msg.Tasks {
			st, err := statusFromProto(t)
			if err != nil {
				return err
			}
			report(st)
		}
	}
}

// End stops the query's tasks on a node and frees what they hold.
func (c *Client) End(ctx context.Context, node string, id plan.QueryID) error {
	w, err := c.worker(node)
	if err != nil {
		return err
	}
	_, err = w.EndQuery(ctx, &pb.EndQueryRequest{Query: string(id), Epoch: c.epoch})
	return err
}
