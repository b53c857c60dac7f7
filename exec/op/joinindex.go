package op

import (
	"math/bits"
	"sync/atomic"

	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// joinIndex finds the build rows with a key. Rows are numbered from 1 in it,
// and 0 is none.
//
// A single integer key whose values lie close together gets the dense form:
// an array of rows by key, which needs neither hashing nor comparing. Others
// get an open-addressing table with linear probing. Its entries are 8 bytes:
// the row below and 32 bits of the hash, the salt, above, so that a probe
// touches the row's key only where it almost certainly matches. An entry's
// place comes from the hash's upper bits and the salt from its lower ones.
//
// Rows that meet in one entry are chained through next: those of one key, and
// those few whose hashes agree in salt and in the way to the entry. Keys are
// therefore compared for every row of a chain, but never while building.
//
// Several drivers insert at once, with compare-and-swap; which of a key's
// rows comes first is left to chance.
type joinIndex struct {
	keys     keyBounds
	dense    bool
	parallel bool
	heads    slab[int32]  // dense: the row of key min+i
	entries  slab[uint64] // hashed
	shift    uint         // hashed: 64 − log2 of the number of entries
	next     slab[int32]  // by row−1; released when no row has a successor
	repeated atomic.Bool
}

// bound takes one driver's key bounds into account.
func (x *joinIndex) bound(k *keyBounds) {
	x.keys.only = k.only
	if k.any {
		x.keys.merge(k.min, k.max)
	}
}

// denseFactor is how many times as many slots as rows a dense index may have.
// At 8 it takes what a hash table would, and still needs one look instead of
// two; TPC-H's order keys, of which every fourth value is used, fit with half
// of them filtered away.
const (
	denseFactor = 8
	denseFree   = 4096 // slots that are always fine
)

// alloc makes room for n rows, n > 0.
func (x *joinIndex) alloc(a *mem.Account, n int, parallel bool) error {
	x.parallel = parallel
	if err := x.next.alloc(a, n); err != nil {
		return err
	}
	if x.keys.only >= 0 && !x.keys.any {
		x.keys.merge(0, 0) // every key is null
	}
	if x.keys.only >= 0 {
		span := uint64(x.keys.max) - uint64(x.keys.min)
		if span < uint64(max(denseFactor*n, denseFree)) {
			x.dense = true
			err := x.heads.alloc(a, int(span)+2) // one more, which stays empty, for probes outside
			clear(x.heads.v)
			return err
		}
	}
	size := bits.Len(uint(n + n/2)) // between 1.5 and 3 entries a row
	size = max(size, 4)
	x.shift = uint(64 - size)
	err := x.entries.alloc(a, 1<<size)
	clear(x.entries.v)
	return err
}

// finish drops the chains where no key repeats.
func (x *joinIndex) finish() {
	if !x.repeated.Load() {
		x.next.release()
	}
}

// unique reports whether each key has at most one row.
func (x *joinIndex) unique() bool { return x.next.v == nil }

func (x *joinIndex) release() {
	x.heads.release()
	x.entries.release()
	x.next.release()
}

// insertDense inserts the rows of a chunk whose first row is number first.
func (x *joinIndex) insertDense(v *vector.Vector, first int) {
	switch v.Type.Physical() {
	case types.PhysInt8:
		denseInsert(x, vector.Values[int8](v), v, first)
	case types.PhysInt16:
		denseInsert(x, vector.Values[int16](v), v, first)
	case types.PhysInt32:
		denseInsert(x, vector.Values[int32](v), v, first)
	case types.PhysInt64:
		denseInsert(x, vector.Values[int64](v), v, first)
	}
}

func denseInsert[T integer](x *joinIndex, keys []T, v *vector.Vector, first int) {
	next := x.next.v[first : first+len(keys)]
	heads, repeated := x.heads.v, false
	for i, k := range keys {
		if v.Valid != nil && !v.Valid.Get(i) {
			next[i] = 0
			continue
		}
		slot := &heads[uint64(k)-uint64(x.keys.min)]
		row := int32(first + i + 1)
		var before int32
		if x.parallel {
			before = atomic.SwapInt32(slot, row)
		} else {
			before, *slot = *slot, row
		}
		next[i] = before
		repeated = repeated || before != 0
	}
	if repeated {
		x.repeated.Store(true)
	}
}

// ahead is how many entries are touched before the first of them is used, so
// that the processor fetches them side by side.
const ahead = 64

// insertHashed inserts the rows of a chunk by their hashes; rows with a null
// key are passed over.
func (x *joinIndex) insertHashed(hashes []uint64, keys []*vector.Vector, first int) {
	var touched uint64
	for from := 0; from < len(hashes); from += ahead {
		group := hashes[from:min(from+ahead, len(hashes))]
		for _, h := range group {
			touched += atomic.LoadUint64(&x.entries.v[h>>x.shift])
		}
		for i, h := range group {
			i += from
			if nullAt(keys, i) {
				x.next.v[first+i] = 0
				continue
			}
			x.insert(h, int32(first+i+1))
		}
	}
	if touched == 0 && len(hashes) > 0 {
		return // uses touched, so that the loads above are not dropped
	}
}

func nullAt(keys []*vector.Vector, i int) bool {
	for _, k := range keys {
		if mayHaveNulls(k) && isNull(k, i) {
			return true
		}
	}
	return false
}

// insert adds a row to the entry for its hash. An entry goes from empty to a
// salt and keeps that; so all rows of one hash end in the first entry on their
// way that has their salt, whatever the order of insertion.
func (x *joinIndex) insert(h uint64, row int32) {
	entries := x.entries.v
	mask := uint64(len(entries) - 1)
	mine := h<<32 | uint64(uint32(row))
	for at := h >> x.shift; ; at = (at + 1) & mask {
		for {
			e := atomic.LoadUint64(&entries[at])
			if e != 0 && e>>32 != mine>>32 {
				break
			}
			x.next.v[row-1] = int32(uint32(e))
			if e != 0 && !x.repeated.Load() {
				x.repeated.Store(true)
			}
			if !x.parallel {
				entries[at] = mine
				return
			}
			if atomic.CompareAndSwapUint64(&entries[at], e, mine) {
				return
			}
		}
	}
}

// The probes below find the first build row for each of rows: they write the
// probe rows that have one to found and those build rows, from 0, to heads,
// and return how many. They first fetch, in a loop without branches, what each
// row needs from the table, and only then look at it. A branch on something
// still on its way from memory would be guessed, now and then wrongly, and
// each wrong guess throws away all fetches begun after it.

// probeDense probes with a key column; row r has entry r of keys or, with
// idx, entry idx[r].
func probeDense[T integer](x *joinIndex, keys []T, idx, rows, found, heads []int32) int {
	lo, slots := uint64(x.keys.min), x.heads.v
	none := uint64(len(slots) - 1) // the last slot is always empty
	heads = heads[:len(rows)]
	if idx == nil {
		for i, r := range rows {
			heads[i] = slots[min(uint64(int64(keys[r]))-lo, none)]
		}
	} else {
		for i, r := range rows {
			heads[i] = slots[min(uint64(int64(keys[idx[r]]))-lo, none)]
		}
	}
	return compactHits(rows, found, heads)
}

// compactHits keeps the rows whose head is not 0, the mark of none.
func compactHits(rows, found, heads []int32) int {
	n := 0
	found = found[:len(rows)]
	for i, r := range rows {
		head := heads[i]
		found[n], heads[n] = r, head-1
		n += int(uint32(-head) >> 31) // 1 if head > 0
	}
	return n
}

// probeHashed probes by hash: hashes[i] is that of rows[i], and entries has
// room for as many.
func (x *joinIndex) probeHashed(hashes, fetched []uint64, rows, found, heads []int32) int {
	entries, shift := x.entries.v, x.shift
	hashes, fetched, heads = hashes[:len(rows)], fetched[:len(rows)], heads[:len(rows)]
	for i, h := range hashes {
		fetched[i] = entries[h>>shift]
	}
	mask := uint64(len(entries) - 1)
	for i, h := range hashes {
		e := fetched[i]
		for at := h >> shift; e != 0 && uint32(e>>32) != uint32(h); e = entries[at] {
			at = (at + 1) & mask
		}
		heads[i] = int32(uint32(e))
	}
	return compactHits(rows, found, heads)
}
