package objstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// stallClient is an HTTP client that ends an attempt which makes next to no
// progress: the clock starts with the request and begins anew when the headers
// of the answer arrive and with each stallBytes of body, sent or received.
// It does not follow redirects, for which signatures would not hold anyway.
type stallClient struct {
	rt    http.RoundTripper
	limit time.Duration
}

// stallBytes is what must flow within the limit.
const stallBytes = 64 << 10

// stallError ends an attempt that makes no progress. It asks for a retry.
type stallError struct{ limit time.Duration }

func (e *stallError) Error() string        { return fmt.Sprintf("no answer for %s", e.limit) }
func (e *stallError) Timeout() bool        { return true }
func (e *stallError) RetryableError() bool { return true }

// patienceKey is the context key of a factor on the limit.
type patienceKey struct{}

// withPatience lets the requests of ctx take factor times the limit. It is for
// requests that a store works on for long without sending anything.
func withPatience(ctx context.Context, factor int) context.Context {
	return context.WithValue(ctx, patienceKey{}, factor)
}

// patient returns the limit that holds for the requests of ctx.
func patient(ctx context.Context, limit time.Duration) time.Duration {
	if f, ok := ctx.Value(patienceKey{}).(int); ok {
		return limit * time.Duration(f)
	}
	return limit
}

// Do implements the SDK's HTTP client.
func (c *stallClient) Do(req *http.Request) (*http.Response, error) {
	w := newStallWatch(req.Context(), patient(req.Context(), c.limit))
	req = req.WithContext(w.ctx)
	if req.Body != nil && req.Body != http.NoBody {
		req.Body = &watchedBody{ReadCloser: req.Body, watch: w}
	}
	resp, err := c.rt.RoundTrip(req)
	if err != nil {
		err = w.explain(err)
		w.stop()
		return nil, err
	}
	w.reset()
	resp.Body = &watchedBody{ReadCloser: resp.Body, watch: w, last: true}
	return resp, nil
}

// stallWatch is the clock of one attempt.
type stallWatch struct {
	ctx    context.Context // of the one request the watch belongs to
	cancel context.CancelCauseFunc
	timer  *time.Timer
	limit  time.Duration
	bytes  atomic.Int64 // since the clock began anew
}

func newStallWatch(parent context.Context, limit time.Duration) *stallWatch {
	ctx, cancel := context.WithCancelCause(parent)
	w := &stallWatch{ctx: ctx, cancel: cancel, limit: limit}
	w.timer = time.AfterFunc(limit, func() { cancel(&stallError{limit}) })
	return w
}

// reset begins anew, unless time is up.
func (w *stallWatch) reset() {
	w.bytes.Store(0)
	w.timer.Reset(w.limit)
}

// moved notes n bytes of progress.
func (w *stallWatch) moved(n int) {
	if n > 0 && w.bytes.Add(int64(n)) >= stallBytes {
		w.reset()
	}
}

// stop ends the watch and frees what the request holds.
func (w *stallWatch) stop() {
	w.timer.Stop()
	w.cancel(nil)
}

// explain returns the stall that caused err, if one did.
func (w *stallWatch) explain(err error) error {
	if err == nil || isEnd(err) {
		return err
	}
	var s *stallError
	if errors.As(context.Cause(w.ctx), &s) {
		return s
	}
	return err
}

// watchedBody counts what is read from a body. Closing the last body of an
// attempt, the answer's, ends the watch.
type watchedBody struct {
	io.ReadCloser
	watch *stallWatch
	last  bool
}

// Read implements io.Reader.
func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.watch.moved(n)
	return n, b.watch.explain(err)
}

// Close implements io.Closer.
func (b *watchedBody) Close() error {
	err := b.ReadCloser.Close()
	if b.last {
		b.watch.stop()
	}
	return err
}
