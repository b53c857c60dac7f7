package worker

import (
	"context"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tuttidb/tutti/exchange"
	"github.com/tuttidb/tutti/planner/plan"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// What an attempt is told is kept, but for what filters say, until its query
// ends: a coordinator that goes on where another one died builds what that one
// knew from it (Manager.AdoptQuery).

// told is what an attempt has been told. Its lock is the attempt's.
type told struct {
	splits   []*pb.Split // not given back
	noMore   []int32
	sources  map[plan.TaskID]*pb.Source // the last word about each
	complete []int32
	filters  []int32 // those it has or does not wait for
}

// add notes an update and the splits that were given back for it.
func (t *told) add(u *pb.TaskUpdate, returned []int64) {
	t.splits = append(t.splits, u.Splits...)
	if len(returned) > 0 {
		t.splits = slices.DeleteFunc(t.splits, func(s *pb.Split) bool { return slices.Contains(returned, s.Id) })
	}
	t.noMore = append(t.noMore, u.NoMore...)
	t.complete = append(t.complete, u.GetInputs().GetComplete()...)
	for _, src := range u.GetInputs().GetSources() {
		if t.sources == nil {
			t.sources = map[plan.TaskID]*pb.Source{}
		}
		t.sources[exchange.TaskFromProto(src.Task)] = src
	}
	for _, f := range u.Filters {
		t.filters = append(t.filters, f.Id)
	}
	t.filters = append(t.filters, u.NoFilters...)
}

// update is all that was told, as one update.
func (t *told) update(number int64) *pb.TaskUpdate {
	u := &pb.TaskUpdate{
		Number: number, Splits: slices.Clone(t.splits), NoMore: slices.Clone(t.noMore), Inputs: &pb.Inputs{Complete: slices.Clone(t.complete)},
	}
	for _, src := range t.sources {
		u.Inputs.Sources = append(u.Inputs.Sources, src)
	}
	return u
}

// AdoptQuery says what a query has here. It waits for words of older epochs
// that are being heard, and has those that come later refused, so that nothing
// of what it says changes but by the tasks' own doing.
func (m *Manager) AdoptQuery(_ context.Context, req *pb.AdoptQueryRequest) (*pb.AdoptQueryResponse, error) {
	m.hearing.Lock()
	defer m.hearing.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.fence(req.Epoch); err != nil {
		return nil, err
	}
	id := plan.QueryID(req.Query)
	last, ended := m.ended[id]
	resp := &pb.AdoptQueryResponse{Ended: ended}
	if ended {
		resp.NextAttempt = max(last+1, 0)
	}
	q := m.queries[id]
	if q == nil {
		return resp, nil
	}
	resp.NextAttempt = max(resp.NextAttempt, q.lastAttempt()+1)
	resp.Ended = q.isStopped() // else it has come back with another run
	for _, a := range q.attempts() {
		resp.Tasks = append(resp.Tasks, a.adopted(req.Epoch))
	}
	resp.Copies = m.adoptSpares(q, req.Epoch)
	return resp, nil
}

// adopted says what the attempt is and knows; from now on it belongs to an
// epoch. That the coordinator has asked does not mean that it has heard the
// answer, or counts the attempt: an update says so, be it an empty one.
func (a *attempt) adopted(epoch uint64) *pb.AdoptedTask {
	t := a.about()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.epoch = epoch
	return t
}

// about says what the attempt is and knows.
func (a *attempt) about() *pb.AdoptedTask {
	t := &pb.AdoptedTask{
		Status: a.status(), Partition: a.req.Partition, Partitions: a.req.Partitions, OutputPartitions: a.req.OutputPartitions,
	}
	t.Status.Filters = a.dynamic.published()
	t.Status.Consumed, t.Status.LostInputs, _ = a.inputsSince(0, 0)
	frames, rows, ok := a.m.d.Store.Dropped(a.id)
	t.DroppedFrames, t.DroppedRows, t.Released = frames, rows, !ok
	a.mu.Lock()
	defer a.mu.Unlock()
	t.Epoch, t.Chosen, t.ChosenEpoch = a.counts, a.chosen, a.chosenBy
	t.Told, t.Filters = a.told.update(a.number), slices.Clone(a.told.filters)
	return t
}

// choose notes that the client reads the attempt's output, as the coordinator of an
// epoch says.
func (a *attempt) choose(epoch uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.chosen, a.chosenBy = true, max(a.chosenBy, epoch)
}

// deposed is the answer to a coordinator that does not lead any more, which
// knows it by its detail.
func deposed(epoch, newest uint64) error {
	st := status.Newf(codes.FailedPrecondition, "coordinator of epoch %d, this worker has seen %d", epoch, newest)
	if typed, err := st.WithDetails(&pb.Failure{Cause: pb.Failure_CAUSE_DEPOSED, Message: st.Message()}); err == nil {
		st = typed
	}
	return st.Err()
}

// current returns the error that ends the watch of a coordinator that does not
// lead any more.
func (m *Manager) current(epoch uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if epoch < m.epoch {
		return deposed(epoch, m.epoch)
	}
	return nil
}
