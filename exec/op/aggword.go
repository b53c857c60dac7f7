package op

import (
	"math"
	"math/bits"

	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// wordGroups is the table for a key that is a single value of at most 8 bytes.
// The key is kept as a word. While integer keys lie close together they index
// an array of groups directly; otherwise there is an index of salted entries,
// as in rowGroups. The array is tried again each time the index has to grow.
type wordGroups struct {
	account *mem.Account
	typ     types.Type
	phys    types.Physical
	keys    cells[uint64]
	n       int
	null    int // the null key's group; -1: none yet

	isDense bool
	lo, hi  int64         // bounds of the keys seen; lo > hi: none seen
	dense   cells[uint32] // group of key base+i, plus one
	base    int64

	entries cells[uint64]
	shift   uint

	combos combos
	words  []uint64
	where  []int32 // entries that are not null
	found  []uint32
}

func newWordGroups(a *mem.Account, t types.Type) *wordGroups {
	g := &wordGroups{account: a, typ: t, phys: t.Physical()}
	g.reset()
	return g
}

func (t *wordGroups) count() int { return t.n }

// ordered reports whether keys are numbers that can index an array.
func (t *wordGroups) ordered() bool { return t.phys == types.PhysBool || isInt(t.phys) }

func (t *wordGroups) find(cols []colRef, n int, ids []uint32) error {
	if t.combos.fit(cols, n) {
		return t.combos.find(cols, n, ids, t.findOne)
	}
	c := &cols[0]
	for from := 0; from < n; from += encodeRows {
		to := min(from+encodeRows, n)
		if err := t.findSome(c, from, to, ids[from:to]); err != nil {
			return err
		}
	}
	return nil
}

func (t *wordGroups) findOne(cols []colRef, ids []uint32) error {
	return t.findSome(&cols[0], 0, 1, ids)
}

// findSome finds the groups of entries from … to-1.
func (t *wordGroups) findSome(c *colRef, from, to int, ids []uint32) error {
	if t.words == nil {
		t.words = make([]uint64, encodeRows)
	}
	words := t.words[:to-from]
	t.read(words, c, from)
	if !mayHaveNulls(c.src) {
		return t.insert(words, ids)
	}
	return t.findNullable(c, from, words, ids)
}

// read sets words to the keys of the entries from `from` on.
func (t *wordGroups) read(words []uint64, c *colRef, from int) {
	pos := c.pos
	if pos != nil {
		pos = pos[from:]
	}
	switch t.phys {
	case types.PhysBool:
		readWords(words, vector.Values[uint8](c.flat), pos, from)
	case types.PhysInt8:
		readWords(words, vector.Values[int8](c.flat), pos, from)
	case types.PhysInt16:
		readWords(words, vector.Values[int16](c.flat), pos, from)
	case types.PhysInt32:
		readWords(words, vector.Values[int32](c.flat), pos, from)
	case types.PhysInt64:
		readWords(words, vector.Values[int64](c.flat), pos, from)
	case types.PhysFloat:
		vals := vector.Values[float32](c.flat)
		for i := range words {
			words[i] = uint64(floatKey(vals[place(pos, from, i)]))
		}
	case types.PhysDouble:
		vals := vector.Values[float64](c.flat)
		for i := range words {
			words[i] = doubleKey(vals[place(pos, from, i)])
		}
	}
}

func readWords[T uint8 | int8 | int16 | int32 | int64](words []uint64, vals []T, pos []int32, from int) {
	if pos == nil {
		vals = vals[from:][:len(words)]
		for i, x := range vals {
			words[i] = uint64(x)
		}
		return
	}
	for i, p := range pos[:len(words)] {
		words[i] = uint64(vals[p])
	}
}

// findNullable finds the others' groups apart from those of nulls.
func (t *wordGroups) findNullable(c *colRef, from int, words []uint64, ids []uint32) error {
	t.where = t.where[:0]
	for i := range words {
		if !c.isNull(from + i) {
			words[len(t.where)] = words[i]
			t.where = append(t.where, int32(i))
		}
	}
	if len(t.where) < len(words) {
		g, err := t.nullGroup()
		if err != nil {
			return err
		}
		for i := range words {
			ids[i] = g
		}
	}
	if t.found == nil {
		t.found = make([]uint32, encodeRows)
	}
	found := t.found[:len(t.where)]
	if err := t.insert(words[:len(found)], found); err != nil {
		return err
	}
	for i, at := range t.where {
		ids[at] = found[i]
	}
	return nil
}

func (t *wordGroups) nullGroup() (uint32, error) {
	if t.null < 0 {
		if err := t.reserveKeys(1); err != nil {
			return 0, err
		}
		t.null = t.n
		t.keys.v[t.n] = 0
		t.n++
	}
	return uint32(t.null), nil
}

func (t *wordGroups) reserveKeys(extra int) error {
	have := len(t.keys.v)
	if t.n+extra <= have {
		return nil
	}
	return t.keys.grow(t.account, max(t.n+extra, have+have/2))
}

// insert sets ids to the groups of keys that are not null.
func (t *wordGroups) insert(words []uint64, ids []uint32) error {
	if len(words) == 0 {
		return nil
	}
	if err := t.reserveKeys(len(words)); err != nil {
		return err
	}
	if t.ordered() {
		t.bound(words)
	}
	if t.isDense {
		if t.closeTogether(t.n) {
			if err := t.cover(); err != nil {
				return err
			}
			t.insertDense(words, ids)
			return nil
		}
		t.isDense = false
		t.dense.release()
	}
	if err := t.reserve(len(words)); err != nil {
		return err
	}
	if t.isDense { // again
		t.insertDense(words, ids)
		return nil
	}
	t.insertHashed(words, ids)
	return nil
}

// bound widens the bounds to words.
func (t *wordGroups) bound(words []uint64) {
	lo, hi := t.lo, t.hi
	for _, w := range words {
		lo, hi = min(lo, int64(w)), max(hi, int64(w))
	}
	t.lo, t.hi = lo, hi
}

const (
	// denseStart is the span of keys that always gets an array, of 4 bytes a
	// key: it fits the second-level cache.
	denseStart = 1 << 16
	// denseSpread is how many times as many places as groups an array may have:
	// the index it stands for takes 12 to 24 bytes a group.
	denseSpread = 6
)

// closeTogether reports whether an array is the better index for n groups.
func (t *wordGroups) closeTogether(n int) bool {
	span := uint64(t.hi) - uint64(t.lo)
	return span < denseStart || span/denseSpread < uint64(n)
}

// cover makes the array reach from lo to hi.
func (t *wordGroups) cover() error {
	if size := uint64(len(t.dense.v)); size > 0 && t.lo >= t.base && uint64(t.hi)-uint64(t.base) < size {
		return nil
	} else if size > 0 && t.lo >= t.base {
		want := uint64(t.hi) - uint64(t.base) + 1
		return t.dense.grow(t.account, int(max(want, size+size/2)))
	}
	return t.makeDense()
}

// makeDense builds the array anew, with some room on both sides.
func (t *wordGroups) makeDense() error {
	span := uint64(t.hi) - uint64(t.lo) + 1
	below := min(span/4, uint64(t.lo)-1<<63)
	above := min(span/4, uint64(math.MaxInt64)-uint64(t.hi))
	t.dense.release()
	if err := t.dense.grow(t.account, int(span+below+above)); err != nil {
		return err
	}
	clear(t.dense.v)
	t.base = t.lo - int64(below)
	for g, k := range t.keys.v[:t.n] {
		if g != t.null {
			t.dense.v[k-uint64(t.base)] = uint32(g + 1)
		}
	}
	t.isDense = true
	return nil
}

func (t *wordGroups) insertDense(words []uint64, ids []uint32) {
	dense, base := t.dense.v, uint64(t.base)
	ids = ids[:len(words)]
	for i, w := range words {
		g := dense[w-base]
		if g == 0 {
			t.keys.v[t.n] = w
			t.n++
			g = uint32(t.n)
			dense[w-base] = g
		}
		ids[i] = g - 1
	}
}

// reserve makes room in the index for extra more groups, or turns it into an
// array where that has become better.
func (t *wordGroups) reserve(extra int) error {
	if 3*(t.n+extra) <= 2*len(t.entries.v) {
		return nil
	}
	if t.ordered() && t.closeTogether(t.n/2) {
		t.entries.release()
		return t.makeDense()
	}
	size := max(minEntries, 1<<bits.Len(uint(3*(t.n+extra)/2-1)))
	t.entries.release()
	if err := t.entries.room(t.account, size); err != nil {
		return err
	}
	clear(t.entries.v)
	t.shift = uint(64 - bits.TrailingZeros(uint(size)))
	entries, mask := t.entries.v, uint64(size-1)
	for g, k := range t.keys.v[:t.n] {
		if g == t.null {
			continue
		}
		h := hashWord(k)
		at := h >> t.shift
		for entries[at&mask] != 0 {
			at++
		}
		entries[at&mask] = entry(h, g)
	}
	return nil
}

func (t *wordGroups) insertHashed(words []uint64, ids []uint32) {
	if len(t.entries.v) >= coldEntries {
		t.touch(words)
	}
	entries, mask, keys := t.entries.v, uint64(len(t.entries.v)-1), t.keys.v
	ids = ids[:len(words)]
	for i, w := range words {
		h := hashWord(w)
		for at := h >> t.shift; ; at++ {
			e := entries[at&mask]
			if e == 0 {
				entries[at&mask] = entry(h, t.n)
				keys[t.n] = w
				ids[i] = uint32(t.n)
				t.n++
				break
			}
			if g := uint32(e) - 1; e>>32 == h&(1<<32-1) && keys[g] == w {
				ids[i] = g
				break
			}
		}
	}
}

// touch reads ahead what words will look at; see rowGroups.touch.
func (t *wordGroups) touch(words []uint64) {
	mask := uint64(len(t.entries.v) - 1)
	var sum uint64
	var rows [64]uint32
	for len(words) > 0 {
		group := rows[:min(len(rows), len(words))]
		for i := range group {
			group[i] = uint32(t.entries.v[hashWord(words[i])>>t.shift&mask])
		}
		for _, r := range group {
			if r > 0 {
				sum += t.keys.v[r-1]
			}
		}
		words = words[len(group):]
	}
	keep(sum)
}

func (t *wordGroups) hashes(from int, out []uint64) {
	for i := range out {
		out[i] = hashWord(t.keys.v[from+i])
	}
	if at := t.null - from; t.null >= 0 && at >= 0 && at < len(out) {
		out[at] = 0
	}
}

func (t *wordGroups) absorb(other groups, list []uint32, ids []uint32) error {
	o := other.(*wordGroups)
	if t.words == nil {
		t.words = make([]uint64, encodeRows)
	}
	for len(list) > 0 {
		words := t.words[:0]
		null := -1
		n := min(len(list), encodeRows)
		for i, g := range list[:n] {
			if int(g) == o.null {
				null = i
				continue
			}
			words = append(words, o.keys.v[g])
		}
		if err := t.insert(words, ids); err != nil {
			return err
		}
		if null >= 0 {
			g, err := t.nullGroup()
			if err != nil {
				return err
			}
			copy(ids[null+1:n], ids[null:n-1])
			ids[null] = g
		}
		list, ids = list[n:], ids[n:]
	}
	return nil
}

func (t *wordGroups) emit(list []uint32, out []*vector.Builder) error {
	b := out[0]
	at, err := b.Extend(len(list))
	if err != nil {
		return err
	}
	switch keys := t.keys.v; t.phys.Width() {
	case 1:
		writeWords(vector.Fill[uint8](b)[at:], keys, list)
	case 2:
		writeWords(vector.Fill[int16](b)[at:], keys, list)
	case 4:
		if t.phys == types.PhysFloat {
			dst := vector.Fill[float32](b)[at:]
			for i, g := range list {
				dst[i] = math.Float32frombits(uint32(keys[g]))
			}
			break
		}
		writeWords(vector.Fill[int32](b)[at:], keys, list)
	case 8:
		// A double's key is its bits, which lie as an integer's do.
		writeWords(vector.Fill[int64](b)[at:], keys, list)
	}
	if t.null >= 0 {
		for i, g := range list {
			if int(g) == t.null {
				b.SetNull(at + i)
			}
		}
	}
	return nil
}

func writeWords[T uint8 | int16 | int32 | int64](dst []T, keys []uint64, list []uint32) {
	dst = dst[:len(list)]
	for i, g := range list {
		dst[i] = T(keys[g])
	}
}

func (t *wordGroups) reset() {
	t.n, t.null = 0, -1
	t.lo, t.hi = math.MaxInt64, math.MinInt64
	t.dense.release()
	t.entries.release()
	t.isDense = t.ordered()
}

func (t *wordGroups) release() {
	t.keys.release()
	t.dense.release()
	t.entries.release()
	t.n = 0
}
