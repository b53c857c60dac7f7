package worker

import (
	"context"
	"slices"
	"sync"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/planner/plan"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// splitQueue hands a task's splits to its drivers: an exec.Splits. Splits that
// no driver has taken yet can be taken back.
type splitQueue struct {
	mu      sync.Mutex
	scans   map[plan.NodeID]*scanQueue
	started []int64
	queued  int
	over    bool          // the end was told: what waits counts as consumed
	news    chan struct{} // closed and replaced when splits come or end
	// low is called when fewer than low water splits wait and more may come.
	low   func()
	water int
}

type scanQueue struct {
	waiting []*pb.Split
	noMore  bool
}

// newSplitQueue returns an empty queue that calls low when fewer than water
// splits wait.
func newSplitQueue(water int, low func()) *splitQueue {
	return &splitQueue{scans: map[plan.NodeID]*scanQueue{}, news: make(chan struct{}), low: low, water: water}
}

// scan returns the queue of a scan. The caller holds mu.
func (q *splitQueue) scan(id plan.NodeID) *scanQueue {
	s := q.scans[id]
	if s == nil {
		s = &scanQueue{}
		q.scans[id] = s
	}
	return s
}

// add appends splits and notes which scans get no more.
func (q *splitQueue) add(splits []*pb.Split, noMore []int32) {
	if len(splits) == 0 && len(noMore) == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, s := range splits {
		scan := q.scan(plan.NodeID(s.Scan))
		scan.waiting = append(scan.waiting, s)
		q.queued++
	}
	for _, id := range noMore {
		q.scan(plan.NodeID(id)).noMore = true
	}
	close(q.news)
	q.news = make(chan struct{})
}

// takeBack removes up to n splits of a scan that were not started, the last
// ones first, and returns their ids; none once the end was told.
func (q *splitQueue) takeBack(scan plan.NodeID, n int) []int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.over {
		return nil
	}
	s := q.scan(scan)
	n = max(min(n, len(s.waiting)), 0)
	at := len(s.waiting) - n
	var ids []int64
	for _, x := range s.waiting[at:] {
		ids = append(ids, x.Id)
	}
	s.waiting = slices.Delete(s.waiting, at, len(s.waiting))
	q.queued -= n
	return ids
}

// Next returns the next split of a scan. See exec.Splits.
func (q *splitQueue) Next(ctx context.Context, scan plan.NodeID) (*connectors.Split, error) {
	for {
		split, news, low := q.poll(scan)
		if low {
			q.low()
		}
		if split != nil || news == nil {
			return split, nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// poll returns a split; or what to wait for; or neither at the end. low says
// that more should come soon.
func (q *splitQueue) poll(scan plan.NodeID) (split *connectors.Split, news <-chan struct{}, low bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.scan(scan)
	if len(s.waiting) > 0 {
		x := s.waiting[0]
		s.waiting = s.waiting[1:]
		q.queued--
		q.started = append(q.started, x.Id)
		low := !s.noMore && q.queued < q.water
		return &connectors.Split{Payload: x.Payload, Affinity: x.Affinity, Bytes: x.Bytes, Rows: x.Rows}, nil, low
	}
	if s.noMore {
		return nil, nil, false
	}
	return nil, q.news, false
}

// figures returns how many splits wait and how many were started.
func (q *splitQueue) figures() (queued, started int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.queued, len(q.started)
}

// consumed returns the ids of the splits that a task which ended well is done
// with: those that were started and those that its drivers turned out not to
// need (a limit was reached, a join's build side was empty). One that never
// arrived is not among them, which is what the coordinator checks. From now on
// none can be taken back.
func (q *splitQueue) consumed() []int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.over = true
	ids := slices.Clone(q.started)
	for _, s := range q.scans {
		for _, x := range s.waiting {
			ids = append(ids, x.Id)
		}
	}
	return ids
}
