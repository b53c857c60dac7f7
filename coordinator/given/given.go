// Package given knows which rows of a result have left for the client, so that
// the rest can be had from another attempt at it.
//
// A task that delivers a result and is lost is followed by another attempt,
// which makes the same rows but, as a rule, in another order: the rows that
// the client has are anywhere among them. So a Log takes a fingerprint of 16
// bytes of each row that leaves. A Match compares all rows of the other attempt
// with them: if each of the client's rows is there, those that remain are the
// rest of the result. If one is not (the query has random numbers in it, say),
// the other attempt's rows are of no use.
//
// This holds for ordered results too: what the client has is the beginning of
// the result in one right order, and what remains of another right order, in
// which only equal keys stand otherwise, goes on where that beginning ends.
//
// It is not for concurrent use.
package given

import (
	"errors"
	"unsafe"

	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// printBytes is the size of a fingerprint, chunkRows how many are in a chunk.
const (
	printBytes = 16
	chunkRows  = 1 << 16
)

// ErrFull is the error of a Log that has as many rows as it may.
var ErrFull = errors.New("too many rows of the result have left to be remembered")

// Log is a list of rows that have left.
type Log struct {
	account *mem.Account
	limit   int64
	printer printer
	rows    int64
	table   *table     // of rows that a Match was made of
	chunks  []*mem.Buf // of those since
	free    int        // in the last chunk
}

// NewLog returns a log of at most limit rows, whose fingerprints account pays
// for.
func NewLog(account *mem.Account, limit int64) *Log {
	return &Log{account: account, limit: limit, printer: newPrinter()}
}

// Rows is how many rows have left.
func (l *Log) Rows() int64 { return l.rows }

// Add notes rows. After an error, ErrFull or that of the account, the log is of
// no use any more.
func (l *Log) Add(b *vector.Batch) error {
	prints, err := l.printer.prints(b)
	if err != nil {
		return err
	}
	if l.rows += int64(len(prints)); l.rows > l.limit {
		return ErrFull
	}
	for len(prints) > 0 {
		if l.free == 0 {
			buf, err := l.account.Alloc(chunkRows * printBytes)
			if err != nil {
				return err
			}
			l.chunks, l.free = append(l.chunks, buf), chunkRows
		}
		last := vector.Cast[types.Int128](l.chunks[len(l.chunks)-1].B[:chunkRows*printBytes])
		n := copy(last[chunkRows-l.free:], prints)
		l.free -= n
		prints = prints[n:]
	}
	return nil
}

// each calls f for the fingerprints, some at a time.
func (l *Log) each(f func([]types.Int128)) {
	if l.table != nil {
		f(l.table.entries)
	}
	for i, c := range l.chunks {
		all := vector.Cast[types.Int128](c.B[:chunkRows*printBytes])
		if i == len(l.chunks)-1 {
			all = all[:chunkRows-l.free]
		}
		f(all)
	}
}

// Match begins to compare the rows that have left so far with those of another
// attempt. The Match is valid until the next one is made, or the Log closed.
func (l *Log) Match() (*Match, error) {
	t, err := newTable(l)
	if err != nil {
		return nil, err
	}
	l.drop()
	l.table = t
	m := &Match{log: l, table: t}
	m.Reset()
	return m, nil
}

// drop frees the fingerprints.
func (l *Log) drop() {
	for _, c := range l.chunks {
		c.Release()
	}
	l.chunks, l.free = nil, 0
	l.table.release()
	l.table = nil
}

// Close frees what the log holds. A nil Log holds nothing.
func (l *Log) Close() {
	if l != nil {
		l.drop()
	}
}

// table finds fingerprints: they lie in buckets of about four, by their first
// bits.
type table struct {
	bufs    []*mem.Buf
	entries []types.Int128
	starts  []int32 // where each bucket begins, and the last one ends
	live    []int32 // how many of each bucket are not taken; they come first
	shift   int
}

func newTable(l *Log) (*table, error) {
	n, width := int(l.rows), 1
	for 1<<width < n/4 {
		width++
	}
	t := &table{shift: 64 - width}
	var err error
	if t.entries, err = alloc[types.Int128](t, l.account, n); err != nil {
		return nil, err
	}
	if t.starts, err = alloc[int32](t, l.account, 1<<width+1); err != nil {
		return nil, err
	}
	if t.live, err = alloc[int32](t, l.account, 1<<width); err != nil {
		return nil, err
	}
	l.each(func(prints []types.Int128) {
		for _, x := range prints {
			t.starts[t.bucket(x)+1]++
		}
	})
	for i := range t.live {
		t.starts[i+1] += t.starts[i]
	}
	l.each(func(prints []types.Int128) {
		for _, x := range prints {
			b := t.bucket(x)
			t.entries[t.starts[b]+t.live[b]] = x
			t.live[b]++
		}
	})
	return t, nil
}

// alloc returns n zeros.
func alloc[T vector.Fixed](t *table, account *mem.Account, n int) ([]T, error) {
	var zero T
	size := n * int(unsafe.Sizeof(zero))
	buf, err := account.Alloc(max(size, 1))
	if err != nil {
		t.release()
		return nil, err
	}
	t.bufs = append(t.bufs, buf)
	out := vector.Cast[T](buf.B[:size])
	clear(out)
	return out, nil
}

func (t *table) release() {
	if t == nil {
		return
	}
	for _, b := range t.bufs {
		b.Release()
	}
	t.bufs = nil
}

func (t *table) bucket(x types.Int128) int { return int(uint64(x.Hi) >> t.shift) }

// take takes one entry that is the same as x; false: there is none, or none is
// left.
func (t *table) take(x types.Int128) bool {
	b := t.bucket(x)
	from, n := t.starts[b], t.live[b]
	in := t.entries[from : from+n]
	for i := range in {
		if in[i] == x {
			last := n - 1
			in[i], in[last] = in[last], in[i]
			t.live[b] = last
			return true
		}
	}
	return false
}

// Match tells the rest of a result from the rows that have left.
type Match struct {
	log   *Log
	table *table
	left  int64
	more  bool // rows came that have not left
	mixed bool // and then such as have
	rest  []int32
}

// Rest returns which rows of a batch have not left, as a selection of it, which
// is valid until the next call.
func (m *Match) Rest(b *vector.Batch) ([]int32, error) {
	prints, err := m.log.printer.prints(b)
	if err != nil {
		return nil, err
	}
	m.rest = m.rest[:0]
	for i, x := range prints {
		if m.left > 0 && m.table.take(x) {
			m.left--
			m.mixed = m.mixed || m.more
		} else {
			m.more = true
			m.rest = append(m.rest, int32(b.Row(i)))
		}
	}
	return m.rest, nil
}

// Missing is how many of the rows that have left did not come yet.
func (m *Match) Missing() int64 { return m.left }

// First reports whether the rows that have left came before all others.
func (m *Match) First() bool { return !m.mixed }

// Reset begins the comparison again.
func (m *Match) Reset() {
	m.more, m.mixed = false, false
	t := m.table
	for i := range t.live {
		t.live[i] = t.starts[i+1] - t.starts[i]
	}
	m.left = int64(len(t.entries))
}
