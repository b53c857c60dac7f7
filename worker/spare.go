package worker

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/tuttidb/tutti/exchange"
	"github.com/tuttidb/tutti/planner/plan"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// spare is a copy of an output that an attempt on another worker made. It belongs
// to the query as attempts do, and is found by the attempt's name.
type spare struct {
	// epoch is that of the coordinator that wanted it or has adopted it, counts that
	// of the last one that is known to count it. Their lock is the manager's.
	epoch, counts uint64
	ctx           context.Context
	cancel        context.CancelCauseFunc
	done          chan struct{} // closed when all of it is here, or none will be
	// To be read when done is closed: what the attempt's worker says of it, or why
	// nothing will be here.
	about *pb.AdoptedTask
	err   error
}

// over reports whether nothing is being copied any more.
func (s *spare) over() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// CopyOutput fetches a finished attempt's output from another worker and retains
// it under the same name; it returns when all is here and is what was committed.
// If ctx ends, the query does, or the output is released meanwhile, nothing is
// kept. Who asks for what is being copied already waits for that, and tries by
// itself if it comes to nothing. A copy that an older coordinator wanted is not
// taken for what a newer one means: both may have given the name to an attempt of
// their own.
func (m *Manager) CopyOutput(ctx context.Context, req *pb.CopyOutputRequest) (*pb.CopyOutputResponse, error) {
	if req.Task == nil || req.Task.Query == "" {
		return nil, status.Error(codes.InvalidArgument, "output without name")
	}
	for {
		s, fresh, err := m.admitSpare(ctx, req)
		switch {
		case err != nil:
			return nil, err
		case s == nil:
			return &pb.CopyOutputResponse{}, nil
		case fresh:
			return &pb.CopyOutputResponse{}, m.fill(s, req)
		}
		select {
		case <-s.done:
		case <-ctx.Done():
			return nil, status.FromContextError(ctx.Err()).Err()
		}
	}
}

// admitSpare returns a new spare to fill, or one to wait for, or none if all is
// here.
func (m *Manager) admitSpare(ctx context.Context, req *pb.CopyOutputRequest) (s *spare, fresh bool, err error) {
	m.hearing.RLock()
	defer m.hearing.RUnlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.fence(req.Epoch); err != nil {
		return nil, false, err
	}
	id := exchange.TaskFromProto(req.Task)
	if q := m.queries[id.Stage.Query]; q != nil {
		if a := q.find(id); a != nil {
			return nil, false, m.isOwn(a, req)
		}
		s := q.spare(id)
		switch {
		case s == nil:
		case s.epoch == req.Epoch && s.counts == req.Epoch && s.over():
			return nil, false, nil
		case s.epoch == req.Epoch && !s.over() || !m.supplant(q, id, s):
			return s, false, nil
		}
	}
	if m.draining || m.closed {
		return nil, false, refusal("the node is draining")
	}
	// Of a query that has come back with another run the names are known to be new
	// only if they are above those of the run before.
	if last, ok := m.ended[id.Stage.Query]; ok && (last < 0 || id.Attempt <= last) {
		return nil, false, status.Errorf(codes.FailedPrecondition, "query %s has ended", id.Stage.Query)
	}
	q, err := m.query(id.Stage.Query, id.Attempt)
	if err != nil {
		return nil, false, err
	}
	s = &spare{epoch: req.Epoch, counts: req.Epoch, done: make(chan struct{})}
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	q.keep(id, s)
	return s, true, nil
}

// isOwn returns an error unless an attempt's own output is here: it needs no copy.
func (m *Manager) isOwn(a *attempt, req *pb.CopyOutputRequest) error {
	if !a.countedBy(req.Epoch) {
		return refusal("an attempt of this number was started by another coordinator")
	}
	if err := m.d.Store.Whole(a.id, endsOf(req)); err != nil {
		return copyFailed(err)
	}
	return nil
}

// supplant frees a spare that an older coordinator wanted, so that its name can be
// used; false: it is being filled still, but not for long. The caller holds mu.
func (m *Manager) supplant(q *query, id plan.TaskID, s *spare) bool {
	s.cancel(errReleased)
	if !s.over() {
		return false
	}
	q.giveUp(id, s)
	m.d.Store.Release(id)
	return true
}

func endsOf(req *pb.CopyOutputRequest) []exchange.PartitionEnd {
	ends := make([]exchange.PartitionEnd, len(req.Partitions))
	for i, p := range req.Partitions {
		ends[i] = exchange.PartitionEnd{Frames: p.GetFrames(), Rows: p.GetRows(), Bytes: p.GetBytes()}
	}
	return ends
}

// fill copies the output, and says how that went to all who wait for it.
func (m *Manager) fill(s *spare, req *pb.CopyOutputRequest) error {
	defer close(s.done)
	id := exchange.TaskFromProto(req.Task)
	s.err = m.d.Store.Copy(s.ctx, exchange.CopyConfig{
		Task: id, Address: req.Address, Ends: endsOf(req), Account: m.d.Account.Child("copy of task "+id.String(), 0), Conns: m.d.Conns, Auth: m.d.Auth,
	})
	if s.err == nil { // the attempt has ended: nothing about it changes any more
		s.about, s.err = m.describe(s.ctx, req)
	}
	switch why := context.Cause(s.ctx); {
	case errors.Is(why, errReleased), errors.Is(why, errQueryEnded):
		s.err = status.Error(codes.Aborted, why.Error())
	case errors.Is(why, errShutdown):
		s.err = refusal(why.Error())
	case s.err != nil:
		s.err = copyFailed(s.err)
		m.d.Log.Debug("copy an output", "task", id.String(), "address", req.Address, "error", s.err)
	}
	s.cancel(nil) // frees the context
	if s.err != nil {
		m.d.Store.Release(id) // what has come nevertheless; nobody else has the name before done is closed
		m.mu.Lock()
		defer m.mu.Unlock()
		if q := m.queries[id.Stage.Query]; q != nil {
			q.giveUp(id, s)
		}
	}
	return s.err
}

// maxAbout bounds what is kept about the attempt whose output a spare is a copy of,
// in bytes: splits, sources and filters can be long.
const maxAbout = 256 << 10

// describe asks a worker about an attempt whose output is to be copied.
func (m *Manager) describe(ctx context.Context, req *pb.CopyOutputRequest) (*pb.AdoptedTask, error) {
	conn, err := m.d.Conns.Get(req.Address)
	if err != nil {
		return nil, err
	}
	resp, err := pb.NewWorkerClient(conn).DescribeTask(ctx, &pb.DescribeTaskRequest{Task: req.Task, Epoch: req.Epoch})
	switch {
	case err != nil:
		return nil, fmt.Errorf("describe task %s on %s: %w", exchange.TaskFromProto(req.Task), req.Address, err)
	case resp.GetTask().GetReleased():
		return nil, &exchange.LostOutput{Task: exchange.TaskFromProto(req.Task), Reason: "it has been released"}
	case resp.GetTask().GetStatus() == nil || proto.Size(resp) > maxAbout:
		return nil, fmt.Errorf("describe task %s on %s: an answer of %d bytes, at most %d are kept", exchange.TaskFromProto(req.Task), req.Address, proto.Size(resp), maxAbout)
	}
	return resp.Task, nil
}

// DescribeTask says of an attempt, as soon as it has finished, what AdoptQuery would,
// and changes nothing. Of an attempt whose output is here as a copy it says what was
// said when that was made.
func (m *Manager) DescribeTask(ctx context.Context, req *pb.DescribeTaskRequest) (*pb.DescribeTaskResponse, error) {
	id := exchange.TaskFromProto(req.Task)
	a, err := m.find(id, req.Epoch)
	if err == nil {
		select {
		case <-a.done:
		case <-ctx.Done():
			return nil, status.FromContextError(ctx.Err()).Err()
		}
		if !a.succeeded() || !a.of(req.Epoch) {
			return nil, status.Errorf(codes.FailedPrecondition, "task %s has failed, or is another coordinator's", id)
		}
		return &pb.DescribeTaskResponse{Task: a.about()}, nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if q := m.queries[id.Stage.Query]; q != nil {
		if s := q.spare(id); s != nil && s.whole() && s.epoch == req.Epoch {
			return &pb.DescribeTaskResponse{Task: s.about}, nil
		}
	}
	return nil, err
}

// whole reports whether all of the output is here.
func (s *spare) whole() bool { return s.over() && s.err == nil }

// countSpare notes that a coordinator counts the attempt of which there is a copy
// here; false: there is none, or it is another coordinator's.
func (m *Manager) countSpare(id plan.TaskID, epoch uint64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	q := m.queries[id.Stage.Query]
	if q == nil {
		return false
	}
	s := q.spare(id)
	if s == nil || !s.whole() || s.epoch != epoch {
		return false
	}
	s.counts = max(s.counts, epoch)
	return true
}

// adoptSpares says of which attempts there are copies here; from now on these belong
// to an epoch. Those that are still being made are none, and will be replaced if they
// are wanted. The caller holds the manager's lock.
func (m *Manager) adoptSpares(q *query, epoch uint64) (out []*pb.AdoptedTask) {
	for id, s := range q.copies() {
		if !s.whole() || q.find(id) != nil {
			continue
		}
		if _, _, there := m.d.Store.Dropped(id); !there {
			continue
		}
		about := proto.CloneOf(s.about)
		about.Epoch, s.epoch = s.counts, epoch
		out = append(out, about)
	}
	return out
}

// copyFailed is the answer when an output could not be copied. That it is lost
// where it was is said by a detail.
func copyFailed(err error) error {
	st := status.New(codes.Aborted, err.Error())
	var lost *exchange.LostOutput
	if !errors.As(err, &lost) {
		return st.Err()
	}
	if typed, err := st.WithDetails(classify(err, "")); err == nil {
		st = typed
	}
	return st.Err()
}

// releaseSpare stops copying an output and forgets the copy, which the caller
// then frees.
func (m *Manager) releaseSpare(id plan.TaskID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	q := m.queries[id.Stage.Query]
	if q == nil {
		return
	}
	if s := q.spare(id); s != nil {
		s.cancel(errReleased)
		if s.over() {
			q.giveUp(id, s)
		}
	}
}

// spare returns the copy of that name; nil: there is none.
func (q *query) spare(id plan.TaskID) *spare {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.spares[id]
}

// keep adds a copy.
func (q *query) keep(id plan.TaskID, s *spare) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.spares == nil {
		q.spares = map[plan.TaskID]*spare{}
	}
	q.spares[id] = s
	q.lastSpare = max(q.lastSpare, id.Attempt)
}

// giveUp forgets a copy.
func (q *query) giveUp(id plan.TaskID, s *spare) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.spares[id] == s {
		delete(q.spares, id)
	}
}

// copies returns the copies that there are, whole or not.
func (q *query) copies() map[plan.TaskID]*spare {
	q.mu.Lock()
	defer q.mu.Unlock()
	return maps.Clone(q.spares)
}
