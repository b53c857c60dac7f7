package exchange

import (
	"context"
	"sync"
)

const (
	// unsentLimit is how many bytes of a streamed output may wait to be sent
	// before its producer waits.
	unsentLimit = 32 << 20
	// keepSent is how many bytes stay after they were sent. What is in gRPC's
	// windows and buffers is less, so that whatever is dropped has arrived, and
	// a reader whose connection broke can go on where it was.
	keepSent = 2*streamWindow + 4*maxFrame
	// undelivered is how many bytes of an output that stays until it is delivered
	// there may be before its producer waits: as much as of one that does not.
	// It is more than its reader takes before it gives rows away.
	undelivered = unsentLimit + keepSent
)

// flow makes the producer of a streamed output wait for its reader. A nil flow
// never waits.
type flow struct {
	waits func(bool) // told when waiting begins and ends
	limit int64      // of bytes that are not sent, or not delivered

	mu      sync.Mutex
	unsent  int64
	waiting int           // producers
	news    chan struct{} // closed and replaced when bytes were sent
}

func newFlow(limit int64, waits func(bool)) *flow {
	if waits == nil {
		waits = func(bool) {}
	}
	return &flow{limit: limit, waits: waits, news: make(chan struct{})}
}

// add counts bytes that were made, or, if negative, sent or given up.
func (f *flow) add(n int64) {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.unsent += n
	if n < 0 {
		close(f.news)
		f.news = make(chan struct{})
	}
}

// wait returns when there is room for more.
func (f *flow) wait(ctx context.Context) error {
	if f == nil {
		return nil
	}
	news := f.full()
	if news == nil {
		return nil
	}
	f.count(1)
	defer f.count(-1)
	for news != nil {
		select {
		case <-news:
		case <-ctx.Done():
			return ctx.Err()
		}
		news = f.full()
	}
	return nil
}

// full returns what to wait for if there is no room, else nil.
func (f *flow) full() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.unsent < f.limit {
		return nil
	}
	return f.news
}

// count counts a producer that waits in or out.
func (f *flow) count(n int) {
	f.mu.Lock()
	before := f.waiting
	f.waiting += n
	tell := before == 0 || f.waiting == 0
	f.mu.Unlock()
	if tell {
		f.waits(n > 0)
	}
}
