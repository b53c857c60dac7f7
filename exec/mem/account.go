// Package mem accounts for and recycles the bulk memory of queries.
//
// Accounts form a tree (process → query → task → operator). An operator asks
// its account before it takes memory; the request climbs to the root and is
// refused where a limit would be passed, which fails that one query and
// nothing else. Releasing climbs the same way. Peaks are kept on the way, for
// EXPLAIN ANALYZE.
//
// Buffers come from a Pool of recycled, pointer-free slabs that the garbage
// collector never scans. A Buf belongs to exactly one owner, who releases it
// once; in checking builds (Pool.Poison) a released slab is overwritten, so
// that a use after release shows, and the pool counts what is out, so that a
// leak does too.
//
// Accounts are the seam for spilling: an operator that can give memory back
// registers a Reclaimer, and an account that is about to refuse asks the
// reclaimers below the refusing limit first.
package mem

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// LimitError says that an account's limit would be passed. The layer that
// knows the query turns it into EXCEEDED_LOCAL_MEMORY_LIMIT.
type LimitError struct {
	// Account is the name of the account whose limit refused.
	Account string
	// Limit, Used and Wanted are in bytes.
	Limit, Used, Wanted int64
}

// Error says which limit refused how much.
func (e *LimitError) Error() string {
	return fmt.Sprintf("memory limit of %s reached: %d bytes in use of %d, %d more wanted", e.Account, e.Used, e.Limit, e.Wanted)
}

// Reclaimer is something that holds memory it can give back, such as an
// operator that spills.
type Reclaimer interface {
	// Reclaim tries to release at least want bytes from the account it is
	// registered with and returns how many it released. It may be called from
	// any goroutine and must not block on the caller.
	Reclaim(want int64) int64
}

// Account counts the bytes in use by one owner and all below it. It is safe
// for concurrent use.
type Account struct {
	// Refuse, if set, is asked before n bytes are accounted here, and refuses
	// them by returning true. It is for tests that refuse the n-th request, and
	// called by any goroutine. Set it before the first use.
	Refuse func(n int64) bool

	name   string
	parent *Account
	pool   *Pool
	limit  int64 // 0: none of its own
	used   atomic.Int64
	peak   atomic.Int64

	mu         sync.Mutex
	reclaimers []Reclaimer
}

// NewRoot returns the account of a process. limit 0 means no limit. Buffers
// allocated under it come from pool.
func NewRoot(name string, limit int64, pool *Pool) *Account {
	return &Account{name: name, limit: limit, pool: pool}
}

// Child returns a new account below a. limit 0 means none of its own.
func (a *Account) Child(name string, limit int64) *Account {
	return &Account{name: name, parent: a, limit: limit, pool: a.pool}
}

// Name returns the account's name, as shown in errors and profiles.
func (a *Account) Name() string { return a.name }

// Used returns the bytes now accounted to a and everything below it.
func (a *Account) Used() int64 { return a.used.Load() }

// Peak returns the largest Used so far.
func (a *Account) Peak() int64 { return a.peak.Load() }

// Limit returns the account's own limit in bytes, 0 for none.
func (a *Account) Limit() int64 { return a.limit }

// Grow accounts n more bytes to a and its ancestors, or to none of them and
// returns a *LimitError. n may be negative.
func (a *Account) Grow(n int64) error {
	if n <= 0 {
		a.Shrink(-n)
		return nil
	}
	for at := a; at != nil; at = at.parent {
		if err := at.take(n); err != nil {
			for back := a; back != at; back = back.parent {
				back.used.Add(-n)
			}
			return err
		}
	}
	return nil
}

// take adds n to this account alone, asking its reclaimers once if its limit
// stands in the way.
func (a *Account) take(n int64) error {
	if a.Refuse != nil && a.Refuse(n) {
		return &LimitError{Account: a.name, Limit: a.limit, Used: a.Used(), Wanted: n}
	}
	used, ok := a.add(n)
	if !ok && a.reclaim(used+n-a.limit) > 0 {
		used, ok = a.add(n)
	}
	if !ok {
		return &LimitError{Account: a.name, Limit: a.limit, Used: used, Wanted: n}
	}
	for peak := a.peak.Load(); used > peak; peak = a.peak.Load() {
		if a.peak.CompareAndSwap(peak, used) {
			break
		}
	}
	return nil
}

// add adds n if the limit has room for it and returns what is in use then. What
// does not fit is never added, not even for a moment: it would be in the way
// of others' requests that do fit.
func (a *Account) add(n int64) (used int64, ok bool) {
	if a.limit <= 0 {
		return a.used.Add(n), true
	}
	for {
		used = a.used.Load()
		if used+n > a.limit {
			return used, false
		}
		if a.used.CompareAndSwap(used, used+n) {
			return used + n, true
		}
	}
}

func (a *Account) reclaim(want int64) int64 {
	a.mu.Lock()
	rs := append([]Reclaimer(nil), a.reclaimers...)
	a.mu.Unlock()
	var freed int64
	for _, r := range rs {
		if freed += r.Reclaim(want - freed); freed >= want {
			break
		}
	}
	return freed
}

// Shrink gives n accounted bytes back, here and in every ancestor.
func (a *Account) Shrink(n int64) {
	for at := a; at != nil; at = at.parent {
		at.used.Add(-n)
	}
}

// Register adds r to those asked before this account or one above it refuses
// memory. It stays registered until the returned func is called.
func (a *Account) Register(r Reclaimer) (unregister func()) {
	for at := a; at != nil; at = at.parent {
		at.mu.Lock()
		at.reclaimers = append(at.reclaimers, r)
		at.mu.Unlock()
	}
	return func() {
		for at := a; at != nil; at = at.parent {
			at.drop(r)
		}
	}
}

func (a *Account) drop(r Reclaimer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, x := range a.reclaimers {
		if x == r {
			a.reclaimers = append(a.reclaimers[:i], a.reclaimers[i+1:]...)
			return
		}
	}
}

// Alloc returns a buffer of n bytes, n > 0, accounted to a. Its content is
// undefined. The caller owns it and calls Release once.
func (a *Account) Alloc(n int) (*Buf, error) {
	size := classSize(n)
	if err := a.Grow(int64(size)); err != nil {
		return nil, err
	}
	slab, err := a.pool.get(size)
	if err != nil {
		a.Shrink(int64(size))
		return nil, err
	}
	return &Buf{B: slab[:n], slab: slab, account: a}, nil
}

// Buf is a buffer from a Pool, accounted to one Account.
type Buf struct {
	// B is the memory, as long as was asked for. It must not be used after
	// Release.
	B       []byte
	slab    []byte
	account *Account
}

// Cap returns the bytes that the buffer could hold and is accounted for.
func (b *Buf) Cap() int { return len(b.slab) }

// Resize sets len(B) to n ≤ Cap without moving anything.
func (b *Buf) Resize(n int) { b.B = b.slab[:n] }

// Grow makes room for n bytes, keeping the content and moving it if need be.
func (b *Buf) Grow(n int) error {
	if n <= len(b.slab) {
		b.B = b.slab[:n]
		return nil
	}
	next, err := b.account.Alloc(max(n, 2*len(b.slab)))
	if err != nil {
		return err
	}
	copy(next.slab, b.B)
	b.giveBack()
	b.B, b.slab = next.slab[:n], next.slab
	return nil
}

// Move accounts the buffer to another account from now on. Both accounts
// must share a pool.
func (b *Buf) Move(to *Account) error {
	if err := to.Grow(int64(len(b.slab))); err != nil {
		return err
	}
	b.account.Shrink(int64(len(b.slab)))
	b.account = to
	return nil
}

// Release gives the memory back. Calling it again, or on nil, does nothing.
func (b *Buf) Release() {
	if b == nil || b.slab == nil {
		return
	}
	b.giveBack()
	b.B, b.slab = nil, nil
}

func (b *Buf) giveBack() {
	b.account.pool.put(b.slab)
	b.account.Shrink(int64(len(b.slab)))
}
