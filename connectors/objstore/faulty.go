package objstore

import (
	"context"
	"encoding/binary"
	"hash/fnv"
	"io"
	"iter"
	"path"
	"sync"
	"time"
)

// FaultKind is a way for a call to go wrong.
type FaultKind uint8

// The kinds of fault.
const (
	// FaultError fails the call with ErrUnavailable, or with Fault.Err.
	FaultError FaultKind = iota
	// FaultTruncate makes a read break off half way with ErrUnavailable.
	FaultTruncate
	// FaultShort makes an object look as if it ended in the middle of the read.
	FaultShort
	// FaultChange makes a read of a version fail with ErrChanged.
	FaultChange
	// FaultCorrupt flips one bit of what was read, and says nothing.
	FaultCorrupt
	// FaultHang blocks until the context ends.
	FaultHang
	// FaultDelay only delays the call, by Fault.Delay.
	FaultDelay
)

// Fault is a rule of a Faulty: which calls go wrong, how, and how often.
type Fault struct {
	Kind FaultKind
	// Op restricts the rule to one kind of call: get, list, stat, put or
	// delete. Empty means all.
	Op string
	// Key restricts it to keys that match this pattern of path.Match; for a
	// List, the prefix must match. Empty means all.
	Key string
	// After lets so many matching calls pass first.
	After int
	// Times is how many calls the rule strikes; 0 means no limit.
	Times int
	// Rate is the share of calls it strikes, by chance; 0 means every one.
	Rate float64
	// Delay is waited before the call.
	Delay time.Duration
	// Err is returned by FaultError instead of ErrUnavailable.
	Err error
}

// Faulty is a Bucket that makes another one go wrong on purpose, for tests and
// for chaos runs. What it does to a call depends on the seed, the rules and what
// the call asks for, but not on the order in which concurrent calls arrive.
type Faulty struct {
	inner Bucket
	seed  uint64

	mu    sync.Mutex
	rules []faultRule
	calls map[faultCall]uint64 // how often each call was made
}

// faultRule is a Fault with its counters.
type faultRule struct {
	Fault
	seen, struck int
}

// faultCall tells calls apart.
type faultCall struct {
	op  op
	key string
	off int64
}

// NewFaulty wraps a bucket. The first rule that strikes a call decides.
func NewFaulty(inner Bucket, seed uint64, rules ...Fault) *Faulty {
	f := &Faulty{inner: inner, seed: seed, calls: map[faultCall]uint64{}}
	f.SetFaults(rules...)
	return f
}

// SetFaults replaces the rules, with fresh counters; none makes the bucket sound.
func (f *Faulty) SetFaults(rules ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = nil
	for _, r := range rules {
		f.rules = append(f.rules, faultRule{Fault: r})
	}
}

// Struck returns how many calls have gone wrong under the present rules.
func (f *Faulty) Struck() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, r := range f.rules {
		n += r.struck
	}
	return n
}

// pick decides what happens to a call: a fault or nil, and a random number.
func (f *Faulty) pick(c faultCall) (*Fault, uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls[c]++
	for i := range f.rules {
		r := &f.rules[i]
		if !r.matches(c) {
			continue
		}
		r.seen++
		rnd := f.random(c, i)
		byChance := r.Rate > 0 && float64(rnd>>11)/(1<<53) >= r.Rate
		if r.seen <= r.After || r.Times > 0 && r.struck >= r.Times || byChance {
			continue
		}
		r.struck++
		fault := r.Fault
		return &fault, rnd
	}
	return nil, 0
}

// matches reports whether the rule is about such calls.
func (r *faultRule) matches(c faultCall) bool {
	if r.Op != "" && r.Op != c.op.String() {
		return false
	}
	if r.Key == "" {
		return true
	}
	ok, err := path.Match(r.Key, c.key)
	return ok && err == nil
}

// random hashes what makes the call and the rule what they are.
func (f *Faulty) random(c faultCall, rule int) uint64 {
	h := fnv.New64a()
	for _, v := range []uint64{f.seed, uint64(rule), uint64(c.op), uint64(c.off), f.calls[c]} {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], v)
		h.Write(b[:])
	}
	_, _ = io.WriteString(h, c.key) // a hash never fails
	// FNV's high bits differ too little for short inputs: mix once more
	// (the finalizer of MurmurHash3).
	x := h.Sum64()
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// before applies what happens ahead of a call. The fault it returns is left for
// the call to apply.
func (f *Faulty) before(ctx context.Context, c faultCall) (*Fault, uint64, error) {
	fault, rnd := f.pick(c)
	if fault == nil {
		return nil, 0, nil
	}
	name := nameOf(f.URL(), c.key)
	if fault.Delay > 0 && !sleep(ctx, fault.Delay) {
		return nil, 0, ctxErr(ctx, name)
	}
	switch {
	case fault.Kind == FaultHang:
		<-ctx.Done()
		return nil, 0, ctxErr(ctx, name)
	case fault.Kind == FaultError && fault.Err != nil:
		return nil, 0, fault.Err
	case fault.Kind == FaultError:
		return nil, 0, fail(ErrUnavailable, name, nil, "the object store failed (injected fault)")
	}
	return fault, rnd, nil
}

// URL implements Bucket.
func (f *Faulty) URL() string { return f.inner.URL() }

// Close implements Bucket.
func (f *Faulty) Close() error { return f.inner.Close() }

// GetRange implements Bucket.
func (f *Faulty) GetRange(ctx context.Context, key, etag string, off int64, dst []byte) (int, error) {
	fault, rnd, err := f.before(ctx, faultCall{opGet, key, off})
	if err != nil {
		return 0, err
	}
	if fault == nil || len(dst) == 0 {
		return f.inner.GetRange(ctx, key, etag, off, dst)
	}
	name := nameOf(f.URL(), key)
	switch fault.Kind {
	case FaultChange:
		if etag != "" {
			return 0, errChanged(name, nil)
		}
	case FaultTruncate, FaultShort:
		n, err := f.inner.GetRange(ctx, key, etag, off, dst[:int(rnd%uint64(len(dst)))])
		if err == nil && fault.Kind == FaultShort {
			err = io.EOF
		} else if err == nil {
			err = fail(ErrUnavailable, name, io.ErrUnexpectedEOF, "the answer was cut off (injected fault)")
		}
		return n, err
	}
	n, err := f.inner.GetRange(ctx, key, etag, off, dst)
	if fault.Kind == FaultCorrupt && n > 0 {
		bit := rnd % uint64(n*8)
		dst[bit/8] ^= 1 << (bit % 8)
	}
	return n, err
}

// Stat implements Bucket.
func (f *Faulty) Stat(ctx context.Context, key string) (ObjectInfo, error) {
	if _, _, err := f.before(ctx, faultCall{opStat, key, 0}); err != nil {
		return ObjectInfo{}, err
	}
	return f.inner.Stat(ctx, key)
}

// List implements Bucket. Each page is a call of its own.
func (f *Faulty) List(ctx context.Context, opts ListOptions) iter.Seq2[Page, error] {
	return func(yield func(Page, error) bool) {
		c := faultCall{opList, opts.Prefix, 0}
		if _, _, err := f.before(ctx, c); err != nil {
			yield(Page{}, err)
			return
		}
		for page, err := range f.inner.List(ctx, opts) {
			if !yield(page, err) || err != nil {
				return
			}
			if _, _, err := f.before(ctx, c); err != nil {
				yield(Page{}, err)
				return
			}
		}
	}
}

// Put implements Bucket.
func (f *Faulty) Put(ctx context.Context, key string, r io.Reader, size int64, opts PutOptions) (ObjectInfo, error) {
	if _, _, err := f.before(ctx, faultCall{opPut, key, 0}); err != nil {
		return ObjectInfo{}, err
	}
	return f.inner.Put(ctx, key, r, size, opts)
}

// Delete implements Bucket.
func (f *Faulty) Delete(ctx context.Context, key string) error {
	if _, _, err := f.before(ctx, faultCall{opDelete, key, 0}); err != nil {
		return err
	}
	return f.inner.Delete(ctx, key)
}
