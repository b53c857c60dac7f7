package exchange

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/planner/plan"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// reading is a task's reading of one RemoteSource: a stream for each producer
// task, whose frames go to whichever driver asks next, or, each by each, to
// the operator of that stream alone.
type reading struct {
	in      *Inputs
	node    *plan.RemoteSource
	account *mem.Account
	each    bool

	mu       sync.Mutex
	news     chan struct{} // closed and replaced when anything changes
	streams  []*stream     // in the order in which producers were named
	waiting  map[plan.FragmentID]bool
	running  int // streams that fetch, and of these the uncommitted ones
	eager    int
	open     int   // operators not yet closed
	err      error // why reading failed; sticks
	lastRead int   // the stream that gave the last frame
	feeding  bool  // from attempts that are not committed, too
}

func newReading(in *Inputs, node *plan.RemoteSource, account *mem.Account, each bool) *reading {
	r := &reading{in: in, node: node, account: account, each: each, news: make(chan struct{}), waiting: map[plan.FragmentID]bool{}}
	for _, id := range node.Fragments {
		r.waiting[id] = true
	}
	return r
}

func (r *reading) reads(id plan.FragmentID) bool { return slices.Contains(r.node.Fragments, id) }

// partition is the partition that the task reads of each producer.
func (r *reading) partition() int {
	if r.node.Kind == plan.Gather || r.node.Kind == plan.Replicate {
		return 0
	}
	return r.in.cfg.Partition
}

// changed wakes all that wait. The caller holds mu.
func (r *reading) changed() {
	close(r.news)
	r.news = make(chan struct{})
}

// completed says that all tasks of a fragment are named.
func (r *reading) completed(id plan.FragmentID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.waiting, id)
	r.changed()
}

// source takes what is said about an attempt. Of the attempts of one task
// the last counts: it was made because those before it are lost.
func (r *reading) source(src *pb.Source) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return
	}
	id := TaskFromProto(src.Task)
	i := slices.IndexFunc(r.streams, func(s *stream) bool { return s.id.Stage == id.Stage && s.id.Task == id.Task })
	if i < 0 {
		r.streams = append(r.streams, newStream(r, id, src))
	} else if err := r.supersede(i, id, src); err != nil {
		r.fail(err)
		return
	}
	r.start()
	r.changed()
}

// supersede applies news about a task that has a stream already.
func (r *reading) supersede(i int, id plan.TaskID, src *pb.Source) error {
	s := r.streams[i]
	switch {
	case s.id == id:
		s.name(src)
	case id.Attempt < s.id.Attempt, s.finished() && s.committed:
		// Old news; or all of an attempt that counted is here already.
	case s.fed > 0:
		// Rows of the old attempt were read: the new one's order is another.
		return &LostOutput{Task: s.id, Reason: "another attempt took its place while it was read"}
	default:
		s.drop()
		r.streams[i] = newStream(r, id, src)
		r.feeding = r.feeding && slices.ContainsFunc(r.streams, func(o *stream) bool { return o.fed > 0 })
	}
	return nil
}

// start lets streams fetch as far as the limits allow, committed ones first.
// The caller holds mu.
func (r *reading) start() {
	for _, committed := range []bool{true, false} {
		for _, s := range r.streams {
			if s.state != idle || s.committed != committed {
				continue
			}
			if !r.each && (r.running >= maxStreams || !committed && r.eager >= maxStreams/2) {
				continue
			}
			s.start()
		}
	}
}

// fail ends the reading with an error. The caller holds mu.
func (r *reading) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	for _, s := range r.streams {
		s.drop()
	}
	r.changed()
}

// stop ends the reading and gives back what was received.
func (r *reading) stop(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail(err)
}

// known waits until all producers are named and returns their streams.
func (r *reading) known(ctx context.Context) ([]*stream, error) {
	for {
		r.mu.Lock()
		news, waiting, err := r.news, len(r.waiting), r.err
		streams := slices.Clone(r.streams)
		r.mu.Unlock()
		if err != nil {
			return nil, err
		}
		if waiting == 0 {
			return streams, nil
		}
		if err := wait(ctx, news); err != nil {
			return nil, err
		}
	}
}

func wait(ctx context.Context, news <-chan struct{}) error {
	select {
	case <-news:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// next returns the next frame of the stream (nil: of any), waiting for it, or
// nil at the end. waited grows by the time spent.
func (r *reading) next(ctx context.Context, only *stream, waited *time.Duration) (*arrived, error) {
	for {
		f, news, err := r.poll(only)
		if f != nil || err != nil || news == nil {
			return f, err
		}
		from := time.Now()
		err = wait(ctx, news)
		*waited += time.Since(from)
		if err != nil {
			return nil, err
		}
	}
}

// poll returns a frame; or what to wait for; or neither at the end.
func (r *reading) poll(only *stream) (*arrived, <-chan struct{}, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return nil, nil, r.err
	}
	if only != nil {
		// Another attempt may have taken the stream's place since.
		only = r.streams[slices.IndexFunc(r.streams, only.sameTask)]
		return r.pollStream(only)
	}
	done := len(r.waiting) == 0
	for i := range r.streams {
		at := (r.lastRead + 1 + i) % len(r.streams)
		f, news, err := r.pollStream(r.streams[at])
		if err != nil {
			return nil, nil, err
		}
		if f != nil {
			r.lastRead = at
			return f, nil, nil
		}
		done = done && news == nil
	}
	if done {
		return nil, nil, nil
	}
	return nil, r.news, nil
}

func (r *reading) pollStream(s *stream) (*arrived, <-chan struct{}, error) {
	if !r.feeding && (!s.committed || r.in.cfg.WholeFirst && s.state != ended) {
		return nil, r.news, nil
	}
	if len(s.queue) > 0 {
		f := s.queue[0]
		s.queue = slices.Delete(s.queue, 0, 1)
		if s.fed++; s.fed == 1 && r.in.cfg.Feeds != nil {
			r.in.cfg.Feeds(s.id)
		}
		return f, nil, nil
	}
	if s.state == ended && s.committed {
		if s.err == nil {
			s.err = s.check()
		}
		if s.err != nil && s.forgo() {
			return nil, r.news, nil
		}
		if s.err != nil {
			r.fail(s.err)
		}
		return nil, nil, s.err
	}
	return nil, r.news, nil
}

// operator returns an operator over a stream, or over all.
func (r *reading) operator(s *stream) *source {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open++
	return newSource(r, s)
}

// closed says that an operator is done. With the last one goes what is left.
func (r *reading) closed(s *stream) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s != nil {
		if i := slices.IndexFunc(r.streams, s.sameTask); i >= 0 {
			r.streams[i].drop()
		}
	}
	if r.open--; r.open == 0 {
		r.fail(fmt.Errorf("node %d is closed", r.node.ID))
	}
}
