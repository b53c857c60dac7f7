package exchange

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/planner/plan"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

const (
	// defaultAhead is how many bytes a task receives ahead of its operators.
	defaultAhead = 32 << 20
	// maxStreams is how many sources of a node are read at the same time. Half
	// of them at most are of attempts that are not committed.
	maxStreams = 16
	// defaultRetry is how long a source may not answer before it is lost.
	defaultRetry = 3 * time.Second
)

// InputsConfig says who reads what, and from where.
type InputsConfig struct {
	// Task is the reader, Partition its number within its stage.
	Task      plan.TaskID
	Partition int
	// Store is this node's own, for sources in the same process; Self is its
	// address, by which others name it.
	Store *Store
	Self  string
	// Conns and Auth are for sources elsewhere.
	Conns *Conns
	Auth  *Auth
	// Ahead is how many bytes are received ahead of the operators; 0 means 32 MB.
	Ahead int64
	// BatchRows is the number of rows of a batch; 0 means vector.DefaultRows.
	BatchRows int
	// Retry is how long a source may not answer before it counts as lost; 0
	// means three seconds.
	Retry time.Duration
	// FeedWhenFull lets operators have frames of an attempt that is not
	// committed once Ahead bytes have come: for the reader of a query's result,
	// which has no other place for them. Whoever sets it must know what to do
	// when the attempt is lost after all.
	FeedWhenFull bool
	// WholeFirst lets operators have frames of a committed attempt only when all
	// have come, or Ahead bytes, if FeedWhenFull is set as well: what can still
	// be lost is not used before it must.
	WholeFirst bool
	// Read, if set, is told of each committed attempt that was received whole.
	// It must not block.
	Read func(plan.TaskID)
	// Feeds, if set, is told of each attempt of which operators get a first
	// frame, before they have it. It must not block.
	Feeds func(plan.TaskID)
	// Lost, if set, is told of each committed attempt that cannot be fetched and
	// of which operators have had nothing: the task waits for another attempt to
	// be named. Else, and if they have, reading fails. It must not block.
	Lost func(plan.TaskID, error)
	// Merge makes one sorted operator of sorted ones. It owns them, also when
	// it fails.
	Merge func(node *plan.RemoteSource, streams []exec.Operator, account *mem.Account) (exec.Operator, error)
	Log   *slog.Logger
}

// Inputs are the reading ends of a task's exchanges: an exec.Inputs. Update
// tells it what the coordinator says about producers.
type Inputs struct {
	cfg    InputsConfig
	ctx    context.Context
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup // fetching goroutines
	credit credit
	bytes  atomic.Int64

	mu       sync.Mutex
	feeds    map[plan.FragmentID]*feed
	readings map[plan.NodeID]*reading
	closed   bool
	failed   error
}

// feed is what is known of the tasks of a fragment that is read.
type feed struct {
	sources  []*pb.Source
	complete bool
}

var errInputsClosed = errors.New("inputs of the task are closed")

// NewInputs returns inputs that know of no producers yet. Close ends them.
func NewInputs(cfg InputsConfig) *Inputs {
	if cfg.Ahead <= 0 {
		cfg.Ahead = defaultAhead
	}
	if cfg.Retry <= 0 {
		cfg.Retry = defaultRetry
	}
	if cfg.BatchRows <= 0 {
		cfg.BatchRows = vector.DefaultRows
	}
	// Batches are cut at words of the validity bitmap.
	cfg.BatchRows = min((cfg.BatchRows+63)/64*64, vector.MaxRows)
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	in := &Inputs{cfg: cfg, feeds: map[plan.FragmentID]*feed{}, readings: map[plan.NodeID]*reading{}}
	in.ctx, in.cancel = context.WithCancelCause(context.Background())
	in.credit.limit = cfg.Ahead
	in.credit.news = make(chan struct{})
	return in
}

// Bytes returns how many bytes of frames have been received.
func (in *Inputs) Bytes() int64 { return in.bytes.Load() }

// Update adds what is newly known about producers.
func (in *Inputs) Update(u *pb.Inputs) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, src := range u.GetSources() {
		if src.GetTask().GetQuery() != string(in.cfg.Task.Stage.Query) {
			return fmt.Errorf("source %v of another query", src.GetTask())
		}
		f := in.feed(plan.FragmentID(src.Task.Stage))
		f.sources = append(f.sources, src)
		for _, r := range in.readings {
			if r.reads(plan.FragmentID(src.Task.Stage)) {
				r.source(src)
			}
		}
	}
	for _, stage := range u.GetComplete() {
		id := plan.FragmentID(stage)
		in.feed(id).complete = true
		for _, r := range in.readings {
			if r.reads(id) {
				r.completed(id)
			}
		}
	}
	return nil
}

func (in *Inputs) feed(id plan.FragmentID) *feed {
	f := in.feeds[id]
	if f == nil {
		f = &feed{}
		in.feeds[id] = f
	}
	return f
}

// Open returns an operator over the task's share of what node reads. See
// exec.Inputs.
func (in *Inputs) Open(node *plan.RemoteSource, account *mem.Account) (exec.Operator, error) {
	if node.OrderBy != nil {
		if in.cfg.Merge == nil {
			return nil, errors.New("not supported: merging exchange without a merge")
		}
		return &merging{in: in, node: node, account: account}, nil
	}
	r, err := in.reading(node, account, false)
	if err != nil {
		return nil, err
	}
	return r.operator(nil), nil
}

// OpenEach returns an operator for each producer task. See exec.Inputs.
func (in *Inputs) OpenEach(ctx context.Context, node *plan.RemoteSource, account *mem.Account) ([]exec.Operator, error) {
	r, err := in.reading(node, account, true)
	if err != nil {
		return nil, err
	}
	streams, err := r.known(ctx)
	if err != nil {
		return nil, err
	}
	var ops []exec.Operator
	for _, s := range streams {
		ops = append(ops, r.operator(s))
	}
	return ops, nil
}

// reading returns the reading of a node, which starts to fetch when it is
// first asked for.
func (in *Inputs) reading(node *plan.RemoteSource, account *mem.Account, each bool) (*reading, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closed {
		return nil, errInputsClosed
	}
	if in.failed != nil {
		return nil, in.failed
	}
	if r := in.readings[node.ID]; r != nil {
		if each || r.each {
			return nil, fmt.Errorf("node %d is read twice, once stream by stream", node.ID)
		}
		return r, nil
	}
	r := newReading(in, node, account, each)
	in.readings[node.ID] = r
	for _, id := range node.Fragments {
		f := in.feed(id)
		for _, src := range f.sources {
			r.source(src)
		}
		if f.complete {
			r.completed(id)
		}
	}
	return r, nil
}

// Close ends all fetching, waits for it and gives back what was received but
// not read. It may be called at any time; operators fail then.
func (in *Inputs) Close() {
	in.cancel(errInputsClosed)
	in.mu.Lock()
	in.closed = true
	rs := make([]*reading, 0, len(in.readings))
	for _, r := range in.readings {
		rs = append(rs, r)
	}
	in.mu.Unlock()
	for _, r := range rs {
		r.stop(errInputsClosed)
	}
	in.wg.Wait()
}

// Fail makes all operators fail with err, those that will be opened too.
func (in *Inputs) Fail(err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.failed = err
	for _, r := range in.readings {
		r.stop(err)
	}
}

// credit bounds the bytes that a task has received and not yet read.
type credit struct {
	mu    sync.Mutex
	used  int64
	limit int64
	news  chan struct{}
}

func (c *credit) take(n int64) {
	c.mu.Lock()
	c.used += n
	c.mu.Unlock()
}

func (c *credit) give(n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.used -= n
	close(c.news)
	c.news = make(chan struct{})
}

// full returns what to wait for if there is no credit left, else nil.
func (c *credit) full() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.used < c.limit {
		return nil
	}
	return c.news
}
