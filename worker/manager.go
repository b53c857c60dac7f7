package worker

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tuttidb/tutti/exchange"
	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/internal/clock"
	"github.com/tuttidb/tutti/planner/plan"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// The versions of the control plane's protocol that this build speaks.
const (
	Protocol       = 1
	OldestProtocol = 1
)

const (
	// tombs is how many ended queries are remembered, so that a StartTask that
	// was under way when its query ended does not bring it back.
	tombs = 4096
	// defaultPatience is how long a scan waits for a dynamic filter.
	defaultPatience = time.Second
	// reportEvery is how often running tasks' figures are reported.
	reportEvery = 500 * time.Millisecond
)

// ManagerDeps are what a Manager needs.
type ManagerDeps struct {
	// Account is the process's; each query gets one below it.
	Account *mem.Account
	// Store keeps the outputs. Conns and Auth are for reading those of others,
	// and Self is the address by which others name this node.
	Store *exchange.Store
	Conns *exchange.Conns
	Auth  *exchange.Auth
	Self  string
	// Catalogs opens connectors: those of the generation that a query was
	// planned with, where they are Generations.
	Catalogs exec.Catalogs
	// Run runs a task (local.Run).
	Run func(ctx context.Context, t *exec.Task) error
	// Merge merges sorted inputs; see exchange.InputsConfig.
	Merge func(node *plan.RemoteSource, streams []exec.Operator, account *mem.Account) (exec.Operator, error)
	// Threads is the number of drivers of tasks that ask for none, ≥ 1.
	Threads int
	// Compression of frames.
	Compression exchange.Compression
	// FilterPatience is how long a scan waits for dynamic filters where the
	// session does not say; 0 means one second.
	FilterPatience time.Duration
	Clock          clock.Clock
	Log            *slog.Logger
}

// Generations are catalogs that change at run time.
type Generations interface {
	// At returns the catalogs of a generation, waiting a while if this node has
	// not heard of it yet; 0 stands for whatever there is.
	At(ctx context.Context, generation uint64) (exec.Catalogs, error)
}

// Manager runs the tasks of a node. Its methods take and return the messages
// of the control plane; their errors are gRPC statuses. It is safe for
// concurrent use.
type Manager struct {
	d   ManagerDeps
	cpu *cpuMeter

	// hearing is held for reading while a coordinator's word is carried out; see
	// AdoptQuery. It is taken before mu.
	hearing sync.RWMutex

	mu       sync.Mutex
	epoch    uint64
	queries  map[plan.QueryID]*query
	ended    map[plan.QueryID]int32 // to the last attempt that was known
	order    []plan.QueryID         // of ended, oldest first
	draining bool
	closed   bool
}

// NewManager returns a manager without tasks.
func NewManager(d ManagerDeps) *Manager {
	if d.FilterPatience <= 0 {
		d.FilterPatience = defaultPatience
	}
	d.Threads = max(d.Threads, 1)
	return &Manager{d: d, cpu: newCPUMeter(cpuNanos), queries: map[plan.QueryID]*query{}, ended: map[plan.QueryID]int32{}}
}

// drivers is the number of drivers that a task gets.
func (m *Manager) drivers(req *pb.StartTaskRequest) int {
	if n := int(req.GetSettings().GetDrivers()); n > 0 {
		return n
	}
	return m.d.Threads
}

// patience is how long a task's scans wait for dynamic filters.
func (m *Manager) patience(req *pb.StartTaskRequest) time.Duration {
	switch n := req.GetSettings().GetFilterWaitNanos(); {
	case n > 0:
		return time.Duration(n)
	case n < 0:
		return 0
	}
	return m.d.FilterPatience
}

// fence refuses coordinators of an older epoch. The caller holds mu.
func (m *Manager) fence(epoch uint64) error {
	if epoch < m.epoch {
		return deposed(epoch, m.epoch)
	}
	if epoch > m.epoch {
		m.epoch = epoch
		for _, q := range m.queries {
			q.changed() // whoever watches for an older one is told
		}
	}
	return nil
}

// StartTask begins an attempt, or returns its status if it has begun.
func (m *Manager) StartTask(_ context.Context, req *pb.StartTaskRequest) (*pb.StartTaskResponse, error) {
	if req.Task == nil || req.Task.Query == "" {
		return nil, status.Error(codes.InvalidArgument, "task without name")
	}
	if req.Protocol < OldestProtocol || req.Protocol > Protocol {
		return nil, status.Errorf(codes.FailedPrecondition, "coordinator speaks protocol %d, this worker %d to %d", req.Protocol, OldestProtocol, Protocol)
	}
	id := exchange.TaskFromProto(req.Task)
	m.hearing.RLock()
	a, fresh, err := m.admit(id, req)
	m.hearing.RUnlock()
	if err != nil {
		return nil, err
	}
	if fresh {
		a.start()
	}
	return &pb.StartTaskResponse{Status: a.status()}, nil
}

// admit returns the attempt, new if it is not known.
func (m *Manager) admit(id plan.TaskID, req *pb.StartTaskRequest) (a *attempt, fresh bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.fence(req.Epoch); err != nil {
		return nil, false, err
	}
	if q := m.queries[id.Stage.Query]; q != nil {
		if a := q.find(id); a != nil {
			if !a.by(req.Epoch) {
				return nil, false, refusal("an attempt of this number was started by another coordinator")
			}
			return a, false, nil
		}
		if s := q.spare(id); s != nil && !m.supplant(q, id, s) {
			return nil, false, refusal("an output of an attempt of this number was copied for another coordinator")
		}
	}
	if m.draining || m.closed {
		return nil, false, refusal("the node is draining")
	}
	q, err := m.query(id.Stage.Query, id.Attempt)
	if err != nil {
		return nil, false, err
	}
	q.limit(m.d.Account, req.GetSettings().GetQueryMemoryLimit())
	if a, err = newAttempt(m, q, id, req); err != nil {
		return nil, false, err
	}
	q.add(a)
	return a, true, nil
}

// refusal is the answer of a node that does not take a task, as it is being
// drained or has one of that name: the coordinator knows it by its detail, and
// goes on with the tasks that run here.
func refusal(why string) error {
	st, err := status.New(codes.Unavailable, why).WithDetails(&pb.Failure{
		Cause: pb.Failure_CAUSE_NODE, Retryable: true, Message: why,
	})
	if err != nil {
		return status.Error(codes.Unavailable, why)
	}
	return st.Err()
}

// query returns the query, made if need be. The caller holds mu.
func (m *Manager) query(id plan.QueryID, attempt int32) (*query, error) {
	if q := m.queries[id]; q != nil {
		if q.isStopped() {
			return nil, status.Errorf(codes.Unavailable, "query %s is being ended", id)
		}
		return q, nil
	}
	if last, ok := m.ended[id]; ok && attempt <= last {
		return nil, status.Errorf(codes.FailedPrecondition, "query %s has ended", id)
	}
	q := newQuery(id, m.d.Clock.Now())
	m.queries[id] = q
	return q, nil
}

func (m *Manager) find(id plan.TaskID, epoch uint64) (*attempt, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.fence(epoch); err != nil {
		return nil, err
	}
	if q := m.queries[id.Stage.Query]; q != nil {
		if a := q.find(id); a != nil {
			return a, nil
		}
	}
	return nil, status.Errorf(codes.NotFound, "no task %s on this worker", id)
}

// UpdateTask tells an attempt what is newly known.
func (m *Manager) UpdateTask(_ context.Context, req *pb.UpdateTaskRequest) (*pb.UpdateTaskResponse, error) {
	m.hearing.RLock()
	defer m.hearing.RUnlock()
	id := exchange.TaskFromProto(req.Task)
	a, err := m.find(id, req.Epoch)
	if err != nil && req.Update == nil && m.countSpare(id, req.Epoch) {
		return &pb.UpdateTaskResponse{}, nil
	}
	if err != nil {
		return nil, err
	}
	a.counted(req.Epoch)
	returned, err := a.update(req.Update)
	if err != nil {
		return nil, err
	}
	return &pb.UpdateTaskResponse{Returned: returned, Status: a.status()}, nil
}

// Watch reports the statuses of a query's attempts to emit: all at first,
// then those whose state changes at once, and those that run every half a
// second. It returns nil when the query has ended here and its last statuses
// are out, or the error of ctx or emit.
func (m *Manager) Watch(ctx context.Context, req *pb.WatchTasksRequest, emit func(*pb.WatchTasksResponse) error) error {
	q, err := m.watchable(req)
	if err != nil {
		return err
	}
	defer m.unwatched(q)
	return q.watch(ctx, req.Epoch, emit, func() error { return m.current(req.Epoch) })
}

// watchable returns the query to watch. One that is not known yet is about to
// be: watching may come before the first task.
func (m *Manager) watchable(req *pb.WatchTasksRequest) (*query, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.fence(req.Epoch); err != nil {
		return nil, err
	}
	q := m.queries[plan.QueryID(req.Query)]
	switch {
	case q != nil:
	case m.closed:
		return nil, status.Error(codes.Unavailable, errShutdown.Error())
	default:
		q = newQuery(plan.QueryID(req.Query), m.d.Clock.Now())
		m.queries[q.id] = q
	}
	q.watched(1)
	return q, nil
}

// unwatched forgets a query that was only watched.
func (m *Manager) unwatched(q *query) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if q.watched(-1) && m.queries[q.id] == q {
		delete(m.queries, q.id)
	}
}

// EndQuery cancels a query's attempts, waits until they have let go of
// everything and frees their outputs. If ctx ends first the rest happens
// later.
func (m *Manager) EndQuery(ctx context.Context, req *pb.EndQueryRequest) (*pb.EndQueryResponse, error) {
	m.hearing.RLock()
	m.mu.Lock()
	err := m.fence(req.Epoch)
	m.mu.Unlock()
	if err == nil {
		m.stop(plan.QueryID(req.Query), errQueryEnded)
	}
	m.hearing.RUnlock()
	if err != nil {
		return nil, err
	}
	if err := m.end(ctx, plan.QueryID(req.Query), errQueryEnded); err != nil {
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	return &pb.EndQueryResponse{}, nil
}

// stop sets the end of a query going, for a reason, and returns it; nil: there
// is none.
func (m *Manager) stop(id plan.QueryID, why error) *query {
	m.mu.Lock()
	defer m.mu.Unlock()
	q := m.queries[id]
	if q == nil {
		m.bury(id, -1)
		return nil
	}
	if q.stop(why) {
		go m.finish(q)
	}
	return q
}

// end ends a query for a reason.
func (m *Manager) end(ctx context.Context, id plan.QueryID, why error) error {
	q := m.stop(id, why)
	if q == nil {
		m.d.Store.ReleaseQuery(id)
		return nil
	}
	select {
	case <-q.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("tasks of query %s have not stopped yet: %w", id, ctx.Err())
	}
}

// finish waits for a stopped query's attempts and copies, and frees what they leave.
func (m *Manager) finish(q *query) {
	for _, a := range q.attempts() {
		<-a.done
	}
	for _, s := range q.copies() {
		<-s.done
	}
	m.d.Store.ReleaseQuery(q.id)
	if used := q.used(); used != 0 {
		m.d.Log.Error("memory accounted to a query after its end", "query", string(q.id), "bytes", used)
	}
	m.mu.Lock()
	delete(m.queries, q.id)
	m.bury(q.id, q.lastAttempt())
	m.mu.Unlock()
	close(q.done)
}

// bury remembers that a query has ended. The caller holds mu.
func (m *Manager) bury(id plan.QueryID, attempt int32) {
	last, known := m.ended[id]
	if !known {
		m.order = append(m.order, id)
		last = attempt
	}
	m.ended[id] = max(last, attempt)
	if len(m.order) > tombs {
		delete(m.ended, m.order[0])
		m.order = m.order[1:]
	}
}

// ReleaseOutputs frees the outputs of attempts, be they copies; an attempt that
// still runs, or a copy that is being made, is stopped.
func (m *Manager) ReleaseOutputs(_ context.Context, req *pb.ReleaseOutputsRequest) (*pb.ReleaseOutputsResponse, error) {
	m.hearing.RLock()
	defer m.hearing.RUnlock()
	m.mu.Lock()
	err := m.fence(req.Epoch)
	m.mu.Unlock()
	if err != nil {
		return nil, err
	}
	for _, d := range req.Delivered {
		id := exchange.TaskFromProto(d.Task)
		if a, err := m.find(id, req.Epoch); err == nil {
			a.choose(req.Epoch)
		}
		m.d.Store.Delivered(id, d.Rows)
	}
	for _, t := range req.Tasks {
		id := exchange.TaskFromProto(t)
		if a, err := m.find(id, req.Epoch); err == nil {
			a.cancel(errReleased)
		}
		m.releaseSpare(id)
		m.d.Store.Release(id)
	}
	return &pb.ReleaseOutputsResponse{}, nil
}

// endAll ends all queries for a reason and waits for them, at most until ctx
// ends.
func (m *Manager) endAll(ctx context.Context, why error) {
	var wg sync.WaitGroup
	for _, id := range m.Queries() {
		wg.Go(func() { _ = m.end(ctx, id, why) }) // an error says that it takes longer
	}
	wg.Wait()
}

// Queries returns the queries that have anything on this node.
func (m *Manager) Queries() []plan.QueryID {
	m.mu.Lock()
	defer m.mu.Unlock()
	ids := make([]plan.QueryID, 0, len(m.queries))
	for id := range m.queries {
		ids = append(ids, id)
	}
	return ids
}

// all returns the queries in no order.
func (m *Manager) all() []*query {
	m.mu.Lock()
	defer m.mu.Unlock()
	qs := make([]*query, 0, len(m.queries))
	for _, q := range m.queries {
		qs = append(qs, q)
	}
	return qs
}

// Running returns how many tasks have not ended, and their drivers.
func (m *Manager) Running() (tasks, drivers int) {
	for _, q := range m.all() {
		for _, a := range q.attempts() {
			if !a.ended() {
				tasks++
				drivers += a.task.Settings.Drivers
			}
		}
	}
	return tasks, drivers
}

// Oldest returns when the oldest of the queries on this node came, or now.
func (m *Manager) Oldest() time.Time {
	oldest := m.d.Clock.Now()
	for _, q := range m.all() {
		if q.since.Before(oldest) {
			oldest = q.since
		}
	}
	return oldest
}

// Drain makes the manager refuse new tasks.
func (m *Manager) Drain() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.draining = true
}

// Draining reports whether Drain was called.
func (m *Manager) Draining() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.draining
}

// Close fails all tasks, as those of a node that is going, and waits for them
// until ctx ends.
func (m *Manager) Close(ctx context.Context) {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.endAll(ctx, errShutdown)
}
