package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// cancelTimeout bounds the time that telling the server of a cancel may take.
const cancelTimeout = 5 * time.Second

// Query is a running statement and the stream of its rows. One goroutine
// reads it; Cancel and Close may be called from any.
type Query struct {
	client *Client
	unpack unpacker
	first  *results // the answer to the POST, until the first Next takes it
	err    error    // the end of the stream: io.EOF or a failure

	mu        sync.Mutex // guards what follows: Cancel, heartbeat and readers meet here
	id        string
	infoURI   string
	nextURI   string
	cancelURI string
	canceled  bool
	columns   []Column
	stats     Stats
	warnings  []Warning
	update    string
	count     *int64
	heartbeat *time.Timer
}

// ErrCanceled is the end of a stream whose query was canceled by Cancel or Close.
var ErrCanceled = errors.New("query was canceled")

// Next returns the rows of the server's next answer. An answer may bring no
// rows but news: call Next until io.EOF and look at Stats in between. A failed
// query is an *Error. When ctx ends, the query is canceled at the server and
// the cause of ctx's end is returned.
//
// A row has one value a column: nil, bool, json.Number (integers, real,
// double), []any (arrays, and rows field by field), Map, or string for all
// the rest, with decimals, dates, times and intervals in their SQL text,
// varbinary in base64 and the doubles NaN, Infinity and -Infinity by name.
// Rows belong to the caller.
func (q *Query) Next(ctx context.Context) ([][]any, error) {
	if q.err != nil {
		return nil, q.err
	}
	q.stopHeartbeat()
	rows, err := q.next(ctx)
	if err == nil {
		q.armHeartbeat()
		return rows, nil
	}
	q.err = err
	if !errors.Is(err, io.EOF) && ctx.Err() != nil {
		q.err = context.Cause(ctx)
	}
	// Whatever broke the stream, a query that could still run must not.
	_ = q.Cancel()
	q.unpack.close()
	return nil, q.err
}

func (q *Query) next(ctx context.Context) ([][]any, error) {
	res := q.first
	q.first = nil
	if res == nil {
		var err error
		if res, err = q.fetch(ctx); err != nil {
			return nil, err
		}
	}
	if res.Error != nil {
		q.finish()
		return nil, res.Error.toError(res.ID)
	}
	rows, err := q.unpack.decodeData(ctx, res.Data)
	if err != nil {
		return nil, fmt.Errorf("query %s: read rows: %w", res.ID, err)
	}
	for i, row := range rows {
		if n := len(q.columns); len(row) != n {
			return nil, fmt.Errorf("query %s: row %d of a page has %d values for %d columns", res.ID, i+1, len(row), n)
		}
	}
	return rows, nil
}

// fetch gets the next answer, or io.EOF when there is none.
func (q *Query) fetch(ctx context.Context) (*results, error) {
	q.mu.Lock()
	uri, canceled := q.nextURI, q.canceled
	q.mu.Unlock()
	if canceled {
		return nil, ErrCanceled
	}
	if uri == "" {
		return nil, io.EOF
	}
	ans, err := q.client.exchange(ctx, request{method: http.MethodGet, url: uri, repeatable: true})
	if err != nil {
		if q.isCanceled() {
			return nil, ErrCanceled
		}
		return nil, fmt.Errorf("query %s: fetch results: %w", q.ID(), err)
	}
	res, err := parseResults(ans.body)
	if err != nil {
		return nil, err
	}
	q.client.session().apply(ans.header)
	q.take(res)
	return res, nil
}

// take keeps what an answer says of the query.
func (q *Query) take(res *results) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.id, q.infoURI = res.ID, res.InfoURI
	q.nextURI, q.cancelURI = res.NextURI, res.PartialCancelURI
	q.stats = res.Stats
	if len(res.Columns) > 0 && q.columns == nil {
		q.columns = res.Columns
	}
	if len(res.Warnings) > 0 {
		q.warnings = res.Warnings
	}
	if res.UpdateType != "" {
		q.update = res.UpdateType
	}
	if res.UpdateCount != nil {
		q.count = res.UpdateCount
	}
}

// finish notes that the server has ended the query by itself.
func (q *Query) finish() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.nextURI = ""
}

// Cancel stops the query at the server if it may still run, and waits up to
// 5 s for the server to know. A Next under way fails soon with ErrCanceled.
func (q *Query) Cancel() error {
	q.mu.Lock()
	uri := q.nextURI
	q.nextURI = ""
	if uri != "" {
		q.canceled = true
	}
	q.mu.Unlock()
	q.stopHeartbeat()
	if uri == "" {
		return nil
	}
	// The caller's context is often what ended; the server must hear of it all the same.
	ctx, stop := context.WithTimeout(context.Background(), cancelTimeout)
	defer stop()
	_, err := q.client.exchange(ctx, request{method: http.MethodDelete, url: uri, repeatable: true})
	var he *HTTPError
	if errors.As(err, &he) && (he.StatusCode == http.StatusNotFound || he.StatusCode == http.StatusGone) {
		return nil // it ended in the meantime
	}
	if err != nil {
		return fmt.Errorf("cancel query %s: %w", q.ID(), err)
	}
	return nil
}

// Close ends the stream and cancels the query if it has not ended. It must
// not be called while a Next runs; use Cancel for that.
func (q *Query) Close() error {
	if q.err == nil {
		q.err = ErrCanceled
	}
	q.first = nil
	err := q.Cancel()
	q.unpack.close()
	return err
}

// PartialCancel stops the running stage, so that the query ends with the rows
// it has so far. It is an error if the server offers no such thing now.
func (q *Query) PartialCancel(ctx context.Context) error {
	q.mu.Lock()
	uri := q.cancelURI
	q.mu.Unlock()
	if uri == "" {
		return errors.New("not supported: partial cancel at this moment of the query")
	}
	_, err := q.client.exchange(ctx, request{method: http.MethodDelete, url: uri, repeatable: true})
	return err
}

// armHeartbeat starts the clock for an unread query.
func (q *Query) armHeartbeat() {
	every := q.client.Heartbeat
	if every == 0 {
		every = 30 * time.Second
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if every > 0 && q.nextURI != "" {
		q.heartbeat = time.AfterFunc(every, func() { q.beat(every) })
	}
}

func (q *Query) stopHeartbeat() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.heartbeat != nil {
		q.heartbeat.Stop()
		q.heartbeat = nil
	}
}

// beat tells the server that the query is wanted, and again after every. A
// server that knows no heartbeats (404, 405) is left alone from then on.
func (q *Query) beat(every time.Duration) {
	q.mu.Lock()
	uri := q.nextURI
	q.mu.Unlock()
	if uri == "" {
		return
	}
	ctx, stop := context.WithTimeout(context.Background(), every)
	defer stop()
	_, _, err := q.client.once(ctx, request{method: http.MethodHead, url: uri})
	var he *HTTPError
	if errors.As(err, &he) && !retriable(he.StatusCode) {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.heartbeat != nil {
		q.heartbeat.Reset(every)
	}
}

func (q *Query) isCanceled() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.canceled
}

// ID is the server's name of the query.
func (q *Query) ID() string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.id
}

// InfoURI is the address of the query's page for people.
func (q *Query) InfoURI() string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.infoURI
}

// Columns are the columns of the result, nil until the server has named them
// and for statements without a result.
func (q *Query) Columns() []Column {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.columns
}

// Stats is how the query stood at the last answer.
func (q *Query) Stats() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.stats
}

// Warnings are the server's remarks so far.
func (q *Query) Warnings() []Warning {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.warnings
}

// Update tells what kind of change the statement is ("INSERT", "SET SESSION",
// empty for a query) and, if counted is true, how many rows it changed.
func (q *Query) Update() (kind string, rows int64, counted bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.count == nil {
		return q.update, 0, false
	}
	return q.update, *q.count, true
}
