package objstore

import (
	"sync/atomic"
	"time"
)

// Metrics counts what buckets do. One Metrics may serve many buckets; the
// zero value is ready, and a nil *Metrics counts nothing. Read it with Snapshot.
type Metrics struct {
	gets, lists, stats, puts, deletes  atomic.Int64
	requests, retries, failures        atomic.Int64
	bytesRead, bytesWritten, timeNanos atomic.Int64
}

// Counters are the values of a Metrics at one moment. All only ever grow.
type Counters struct {
	// Gets, Lists, Stats, Puts and Deletes count calls (a List counts pages).
	Gets, Lists, Stats, Puts, Deletes int64
	// Requests counts what was sent to the store, Retries those of them that
	// were sent again after a failure, Failures the calls that failed in the
	// end (an object that is not there counts as a failure).
	Requests, Retries, Failures int64
	// BytesRead and BytesWritten count object data.
	BytesRead, BytesWritten int64
	// Time is the wall time of all calls added up, waits for retries included.
	Time time.Duration
}

// Snapshot returns the present values, each read atomically.
func (m *Metrics) Snapshot() Counters {
	if m == nil {
		return Counters{}
	}
	return Counters{
		Gets: m.gets.Load(), Lists: m.lists.Load(), Stats: m.stats.Load(),
		Puts: m.puts.Load(), Deletes: m.deletes.Load(),
		Requests: m.requests.Load(), Retries: m.retries.Load(), Failures: m.failures.Load(),
		BytesRead: m.bytesRead.Load(), BytesWritten: m.bytesWritten.Load(),
		Time: time.Duration(m.timeNanos.Load()),
	}
}

// op is a kind of call.
type op uint8

const (
	opGet op = iota
	opList
	opStat
	opPut
	opDelete
)

// String returns the name that fault scripts and messages use.
func (o op) String() string {
	return [...]string{"get", "list", "stat", "put", "delete"}[o]
}

// done records the end of a call that began at start.
func (m *Metrics) done(o op, start time.Time, err error) {
	if m == nil {
		return
	}
	[...]*atomic.Int64{&m.gets, &m.lists, &m.stats, &m.puts, &m.deletes}[o].Add(1)
	m.timeNanos.Add(int64(time.Since(start)))
	if err != nil {
		m.failures.Add(1)
	}
}

// sent records one request to the store; again marks a retry.
func (m *Metrics) sent(again bool) {
	if m == nil {
		return
	}
	m.requests.Add(1)
	if again {
		m.retries.Add(1)
	}
}

// read and wrote record bytes of object data.
func (m *Metrics) read(n int) {
	if m != nil {
		m.bytesRead.Add(int64(n))
	}
}

func (m *Metrics) wrote(n int64) {
	if m != nil {
		m.bytesWritten.Add(n)
	}
}
