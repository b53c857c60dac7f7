package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

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

// adoptPause is the time between two questions to a worker that is not reached.
const adoptPause = 100 * time.Millisecond

// Client carries the actions of one query to the workers. It implements
// schedule.TaskClient.
type Client struct {
	ClientConfig
}

// ClientConfig is what a Client needs.
type ClientConfig struct {
	Conns *exchange.Conns
	// Lost tells of places that are lost (Registry.Lost).
	Lost func(at query.Place) <-chan struct{}
	// Settings are the session's wishes.
	Settings *pb.Settings
	// Epoch is the leadership that the query is run in: workers refuse the word
	// of an older one than they have seen.
	Epoch uint64
	// Catalogs is the generation of catalogs that the query was planned with.
	Catalogs uint64
	// KeepSent says that a result stays on its worker until it is delivered.
	KeepSent bool
}

// NewClient returns a client for one query.
func NewClient(cfg ClientConfig) *Client { return &Client{cfg} }

func (c *Client) worker(at query.Place) (pb.WorkerClient, error) {
	if at.Address == "" {
		return nil, fmt.Errorf("no address of node %q", at.Node)
	}
	conn, err := c.Conns.Get(at.Address)
	if err != nil {
		return nil, err
	}
	return pb.NewWorkerClient(conn), nil
}

// Start starts a task on its node.
func (c *Client) Start(ctx context.Context, a schedule.Action) error {
	w, err := c.worker(a.Task.Place)
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
		Task: exchange.TaskToProto(a.Task.ID), Protocol: Protocol, Epoch: c.Epoch, PlanVersion: plancodec.Version,
		Fragment: encoded, Settings: c.Settings, Partition: int32(a.Partition), Partitions: int32(a.Partitions),
		OutputPartitions: int32(a.OutputPartitions), Update: update, StreamOutput: a.Stream, Catalogs: c.Catalogs,
		KeepSent: a.Stream && c.KeepSent,
	})
	return typed(err)
}

// typed makes errors of their own of what workers say by a failure as the
// detail: that they take no tasks, or that another coordinator leads.
func typed(err error) error {
	if err == nil {
		return nil
	}
	for _, d := range status.Convert(err).Details() {
		if f, ok := d.(*pb.Failure); ok {
			switch f.Cause {
			case pb.Failure_CAUSE_NODE:
				return &schedule.Refused{Err: err}
			case pb.Failure_CAUSE_DEPOSED:
				return &schedule.Deposed{Err: err}
			}
		}
	}
	return err
}

// Update tells a running task more and returns what it gives back.
func (c *Client) Update(ctx context.Context, a schedule.Action) (schedule.Answer, error) {
	w, err := c.worker(a.Task.Place)
	if err != nil {
		return schedule.Answer{}, err
	}
	update, err := c.update(a.Update)
	if err != nil {
		return schedule.Answer{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	resp, err := w.UpdateTask(ctx, &pb.UpdateTaskRequest{Task: exchange.TaskToProto(a.Task.ID), Epoch: c.Epoch, Update: update})
	if err != nil {
		return schedule.Answer{}, typed(err)
	}
	st := resp.GetStatus()
	return schedule.Answer{Returned: resp.Returned, Started: int(st.GetRunningSplits() + st.GetDoneSplits())}, nil
}

// Release frees the outputs of tasks on a node.
func (c *Client) Release(ctx context.Context, at query.Place, tasks []plan.TaskID) error {
	w, err := c.worker(at)
	if err != nil {
		return err
	}
	req := &pb.ReleaseOutputsRequest{Epoch: c.Epoch}
	for _, t := range tasks {
		req.Tasks = append(req.Tasks, exchange.TaskToProto(t))
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err = w.ReleaseOutputs(ctx, req)
	return typed(err)
}

// Delivered says that a task's output is the result that the client reads, and
// that its first rows, if any, will not be read again.
func (c *Client) Delivered(ctx context.Context, address string, root plan.TaskID, rows int64) error {
	w, err := c.worker(query.Place{Address: address})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err = w.ReleaseOutputs(ctx, &pb.ReleaseOutputsRequest{
		Epoch: c.Epoch, Delivered: []*pb.DeliveredRows{{Task: exchange.TaskToProto(root), Rows: rows}},
	})
	return typed(err)
}

// Adopt asks a worker what it has of a query, and has it refuse the words of
// older epochs from then on. While the worker is there but its door cannot be
// reached it is asked again, until ctx ends: what it does not say counts as lost.
func (c *Client) Adopt(ctx context.Context, at query.Place, id plan.QueryID) (query.Inventory, error) {
	w, err := c.worker(at)
	if err != nil {
		return query.Inventory{}, err
	}
	ctx, cancel, err := c.whileThere(ctx, at)
	if err != nil {
		return query.Inventory{}, err
	}
	defer cancel()
	for {
		resp, err := w.AdoptQuery(ctx, &pb.AdoptQueryRequest{Query: string(id), Epoch: c.Epoch})
		if err == nil {
			return inventoryFromProto(at, resp)
		}
		if status.Code(err) != codes.Unavailable {
			return query.Inventory{}, typed(err)
		}
		select {
		case <-time.After(adoptPause):
		case <-ctx.Done():
			return query.Inventory{}, err
		}
	}
}

// Count tells a worker that an attempt which another coordinator began counts:
// whoever leads next may build on it.
func (c *Client) Count(ctx context.Context, at query.Place, task plan.TaskID) error {
	w, err := c.worker(at)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err = w.UpdateTask(ctx, &pb.UpdateTaskRequest{Task: exchange.TaskToProto(task), Epoch: c.Epoch})
	return typed(err)
}

// whileThere returns a context that ends when a place is lost.
func (c *Client) whileThere(ctx context.Context, at query.Place) (context.Context, func(), error) {
	gone := c.Lost(at)
	if gone == nil {
		return nil, nil, fmt.Errorf("worker %s has left the cluster", at.Node)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-gone:
			cancel(fmt.Errorf("worker %s has left the cluster", at.Node))
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }, nil
}

// Watch reports statuses until ctx ends or the place is lost.
func (c *Client) Watch(ctx context.Context, at query.Place, id plan.QueryID, report func(query.Status)) error {
	w, err := c.worker(at)
	if err != nil {
		return err
	}
	ctx, cancel, err := c.whileThere(ctx, at)
	if err != nil {
		return err
	}
	defer cancel()
	stream, err := w.WatchTasks(ctx, &pb.WatchTasksRequest{Query: string(id), Epoch: c.Epoch})
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
			return typed(err)
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
func (c *Client) End(ctx context.Context, at query.Place, id plan.QueryID) error {
	w, err := c.worker(at)
	if err != nil {
		return err
	}
	_, err = w.EndQuery(ctx, &pb.EndQueryRequest{Query: string(id), Epoch: c.Epoch})
	return typed(err)
}
