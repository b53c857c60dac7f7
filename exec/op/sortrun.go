package op

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/tuttidb/tutti/exec/kernel"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// sortKeys is what rows are compared by: normalized keys (kernel.SortKeys),
// whose first 12 bytes settle most comparisons.
type sortKeys struct {
	*kernel.SortKeys
	columns []int
	// exact says that the first 12 bytes are the whole key.
	exact bool
}

func newSortKeys(in []types.Type, keys []SortColumn) *sortKeys {
	k := &sortKeys{}
	var ts []types.Type
	var desc, first []bool
	for _, c := range keys {
		k.columns = append(k.columns, c.Column)
		ts, desc, first = append(ts, in[c.Column]), append(desc, c.Descending), append(first, c.NullsFirst)
	}
	k.SortKeys = kernel.NewSortKeys(ts, desc, first)
	k.exact = k.Width() <= pairBytes && k.Tie() == len(keys)
	return k
}

// of returns the key columns of a row's columns, in dst's memory.
func (k *sortKeys) of(dst, cols []*vector.Vector) []*vector.Vector {
	dst = dst[:0]
	for _, c := range k.columns {
		dst = append(dst, cols[c])
	}
	return dst
}

// pair is a row to be sorted: 12 bytes of its key, the most significant first,
// and its number.
type pair struct {
	hi uint64
	lo uint64 // 4 bytes of key above, the row below
}

const pairBytes = 12

func (p pair) row() uint32 { return uint32(p.lo) }

// less compares keys alone, as far as the pair has them.
func (p pair) compare(q pair) int {
	if p.hi != q.hi {
		return cmp.Compare(p.hi, q.hi)
	}
	return cmp.Compare(p.lo>>32, q.lo>>32)
}

// keyByte returns byte b of the key, 0 the most significant.
func (p pair) keyByte(b int) uint8 {
	if b < 8 {
		return uint8(p.hi >> (56 - 8*b))
	}
	return uint8(p.lo >> (56 - 8*(b-8)))
}

// sorter sorts the rows of a store. Rows with equal keys keep their order.
type sorter struct {
	account *mem.Account
	keys    *sortKeys
	store   *rowStore
	// full are the whole keys of each chunk where pairs do not hold them.
	full  []cells[uint8]
	ties  [2][]*vector.Vector
	buf   cells[uint8]
	pairs cells[pair]
	spare cells[pair]
}

// sort returns the store's rows in order, in memory of the sorter's.
func (s *sorter) sort() ([]pair, error) {
	if err := s.pairs.room(s.account, s.store.n); err != nil {
		return nil, err
	}
	if err := s.encode(); err != nil {
		return nil, err
	}
	if err := s.spare.room(s.account, s.store.n); err != nil {
		return nil, err
	}
	s.sortFrom(s.pairs.v, s.spare.v, 0)
	s.spare.release()
	return s.pairs.v, nil
}

// encode makes the pairs of all rows.
func (s *sorter) encode() error {
	w, at := s.keys.Width(), 0
	var cols []*vector.Vector
	for i, c := range s.store.chunks {
		cols = s.keys.of(cols, c.cols)
		dst, err := s.keyBytes(i, c.n*w)
		if err != nil {
			return err
		}
		s.keys.Encode(cols, nil, c.n, dst)
		for r := range c.n {
			s.pairs.v[at] = makePair(dst[r*w:(r+1)*w], uint32(i<<storeBits|r))
			at++
		}
	}
	return nil
}

// keyBytes returns n bytes for the keys of chunk i: kept if pairs do not say
// it all.
func (s *sorter) keyBytes(i, n int) ([]byte, error) {
	if s.keys.exact {
		err := s.buf.room(s.account, n)
		return s.buf.v, err
	}
	for len(s.full) <= i {
		s.full = append(s.full, cells[uint8]{})
	}
	err := s.full[i].room(s.account, n)
	return s.full[i].v, err
}

func makePair(key []byte, row uint32) pair {
	if len(key) >= pairBytes {
		return pair{binary.BigEndian.Uint64(key), uint64(binary.BigEndian.Uint32(key[8:]))<<32 | uint64(row)}
	}
	var b [pairBytes]byte
	copy(b[:], key)
	return pair{binary.BigEndian.Uint64(b[:]), uint64(binary.BigEndian.Uint32(b[8:]))<<32 | uint64(row)}
}

const (
	// sortSmall is the number of rows up to which comparing beats counting.
	sortSmall = 256
	// maxPasses bounds the bytes that one round counts by.
	maxPasses = 6
)

// sortFrom sorts p, whose key bytes before `from` are all equal. It sorts by
// as many of the next bytes as should tell the rows apart, least significant
// first (radix sort; bytes that do not differ are passed over), and then each
// stretch of rows that those bytes leave equal by what follows.
func (s *sorter) sortFrom(p, tmp []pair, from int) {
	if len(p) <= sortSmall {
		slices.SortFunc(p, s.order)
		return
	}
	by, last := varying(p, from)
	if len(by) == 0 {
		if !s.keys.exact {
			slices.SortFunc(p, s.order)
		}
		return
	}
	radix(p, tmp, by)
	if last == pairBytes-1 && s.keys.exact {
		return
	}
	for at := 0; at < len(p); {
		end := at + 1
		for end < len(p) && samePrefix(p[at], p[end], last) {
			end++
		}
		if end-at > 1 {
			s.sortFrom(p[at:end], tmp[at:end], last+1)
		}
		at = end
	}
}

// varying returns the first key bytes, from `from` on, in which the rows of p
// differ, as many as should tell them apart, and up to which byte they have
// been looked at.
func varying(p []pair, from int) (by []int, last int) {
	var diff pair
	for _, x := range p {
		diff.hi |= x.hi ^ p[0].hi
		diff.lo |= x.lo ^ p[0].lo
	}
	enough := min((bits.Len(uint(len(p)))+7)/8+1, maxPasses)
	last = pairBytes - 1
	for b := from; b < pairBytes; b++ {
		if diff.keyByte(b) == 0 {
			continue
		}
		if len(by) == enough {
			return by, b - 1
		}
		by = append(by, b)
	}
	return by, last
}

// samePrefix reports whether two keys agree in their bytes up to last.
func samePrefix(p, q pair, last int) bool {
	if last < 8 {
		return (p.hi^q.hi)>>(56-8*last) == 0
	}
	return p.hi == q.hi && (p.lo^q.lo)>>(56-8*(last-8)) == 0
}

// radix sorts p stably by the given key bytes, of which the first counts most.
func radix(p, tmp []pair, by []int) {
	src, dst := p, tmp[:len(p)]
	for i := len(by) - 1; i >= 0; i-- {
		if b := by[i]; b < 8 {
			countHigh(src, dst, uint(56-8*b))
		} else {
			countLow(src, dst, uint(56-8*(b-8)))
		}
		src, dst = dst, src
	}
	if len(by)%2 == 1 {
		copy(p, src)
	}
}

// countHigh sorts src into dst by the byte of hi that shift brings down.
func countHigh(src, dst []pair, shift uint) {
	var at [256]uint32
	for i := range src {
		at[uint8(src[i].hi>>shift)]++
	}
	starts(&at)
	for _, x := range src {
		k := uint8(x.hi >> shift)
		dst[at[k]] = x
		at[k]++
	}
}

func countLow(src, dst []pair, shift uint) {
	var at [256]uint32
	for i := range src {
		at[uint8(src[i].lo>>shift)]++
	}
	starts(&at)
	for _, x := range src {
		k := uint8(x.lo >> shift)
		dst[at[k]] = x
		at[k]++
	}
}

// starts turns counts into where each begins.
func starts(at *[256]uint32) {
	sum := uint32(0)
	for i, n := range at {
		at[i] = sum
		sum += n
	}
}

// order compares rows entirely; those with equal keys by their numbers.
func (s *sorter) order(p, q pair) int {
	if c := p.compare(q); c != 0 {
		return c
	}
	if !s.keys.exact {
		if c := s.rest(p.row(), q.row()); c != 0 {
			return c
		}
	}
	return cmp.Compare(p.row(), q.row())
}

// rest compares what pairs do not hold of the keys of two rows.
func (s *sorter) rest(p, q uint32) int {
	w := s.keys.Width()
	pi, qi := int(p&(1<<storeBits-1)), int(q&(1<<storeBits-1))
	if w > pairBytes {
		pk, qk := s.full[p>>storeBits].v[pi*w:][:w], s.full[q>>storeBits].v[qi*w:][:w]
		if c := bytes.Compare(pk[pairBytes:], qk[pairBytes:]); c != 0 {
			return c
		}
	}
	if s.keys.Tie() == len(s.keys.columns) {
		return 0
	}
	s.ties[0] = s.keys.of(s.ties[0], s.store.chunks[p>>storeBits].cols)
	s.ties[1] = s.keys.of(s.ties[1], s.store.chunks[q>>storeBits].cols)
	return s.keys.CompareTie(s.ties[0], pi, s.ties[1], qi)
}

// forget releases the keys and pairs.
func (s *sorter) forget() {
	for i := range s.full {
		s.full[i].release()
	}
	s.full = nil
	s.buf.release()
	s.pairs.release()
	s.spare.release()
}
