package op

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"slices"

	"github.com/tuttidb/tutti/exec/kernel"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
)

// sketchAcc is approx_distinct: a HyperLogLog sketch for each group, with a
// standard error of 2.3 %. While a group has seen few values its sketch is a
// sorted list of 32 bits of their hashes, which makes small counts practically
// exact; after that it is one byte for each of 2048 registers.
//
// A sketch's bytes, which are also its state column: a form byte, then the
// hashes, 4 bytes each, or the registers.
type sketchAcc struct {
	account  *mem.Account
	sketches byteCells
	hashes   []uint64
	rows     []int32
	scratch  []uint32
}

const (
	sketchBits      = 11
	sketchRegisters = 1 << sketchBits
	sketchList      = 0 // form byte
	sketchDense     = 1
	// sketchMaxList is the longest list: half of what the registers take.
	sketchMaxList = sketchRegisters / 8
)

func (s *sketchAcc) grow(n int) error { return s.sketches.at.grow(s.account, n) }

func (s *sketchAcc) add(f *feed) error {
	if f.n == 0 {
		return nil
	}
	s.hashes = slices.Grow(s.hashes[:0], f.n)[:f.n]
	c := &f.args[0]
	s.rows = s.rows[:0]
	for i := range f.n {
		s.rows = append(s.rows, int32(c.row(i)))
	}
	kernel.Hash([]*vector.Vector{c.src}, s.rows, c.src.N, s.hashes)
	for i, g := range f.groups() {
		if err := s.insert(g, sketchHash(s.hashes[i])); err != nil {
			return err
		}
	}
	return nil
}

// sketchHash returns 32 bits of a hash stirred once more (MurmurHash3's
// finalizer): what is good enough for a hash table, where similar values may
// well lie evenly apart, is not for counting leading zeros.
func sketchHash(h uint64) uint32 {
	h ^= h >> 33
	h *= 0xFF51AFD7ED558CCD
	h ^= h >> 33
	h *= 0xC4CEB9FE1A85EC53
	return uint32(h >> 32)
}

// insert adds a value's hash.
func (s *sketchAcc) insert(g uint32, h uint32) error {
	b := s.sketches.get(g)
	if b == nil {
		b = []byte{sketchList}
	}
	if b[0] == sketchDense {
		raise(b[1:], h)
		return nil
	}
	n := len(b) / 4
	at := listSearch(b[1:], h)
	if at < n && binary.LittleEndian.Uint32(b[1+4*at:]) == h {
		return nil
	}
	if n == sketchMaxList {
		if err := s.densify(g); err != nil {
			return err
		}
		raise(s.sketches.get(g)[1:], h)
		return nil
	}
	return s.insertAt(g, b, at, h)
}

// listSearch returns the first place in a sorted list whose hash is not below h.
func listSearch(list []byte, h uint32) int {
	lo, hi := 0, len(list)/4
	for lo < hi {
		mid := (lo + hi) / 2
		if binary.LittleEndian.Uint32(list[4*mid:]) < h {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// insertAt puts h into the list of group g, whose bytes are b, at a place.
func (s *sketchAcc) insertAt(g uint32, b []byte, at int, h uint32) error {
	next, err := s.sketches.resize(s.account, g, len(b)+4)
	if err != nil {
		return err
	}
	copy(next[1+4*at+4:], b[1+4*at:])
	copy(next[:1+4*at], b)
	binary.LittleEndian.PutUint32(next[1+4*at:], h)
	return nil
}

// raise lifts the register that h belongs to.
func raise(registers []byte, h uint32) {
	rank := byte(bits.LeadingZeros32(h<<sketchBits|1<<(sketchBits-1)) + 1)
	if r := &registers[h>>(32-sketchBits)]; *r < rank {
		*r = rank
	}
}

// densify turns group g's list into registers.
func (s *sketchAcc) densify(g uint32) error {
	b := s.sketches.get(g)
	s.scratch = s.scratch[:0]
	for at := 1; at < len(b); at += 4 {
		s.scratch = append(s.scratch, binary.LittleEndian.Uint32(b[at:]))
	}
	dense, err := s.sketches.resize(s.account, g, 1+sketchRegisters)
	if err != nil {
		return err
	}
	clear(dense)
	dense[0] = sketchDense
	for _, h := range s.scratch {
		raise(dense[1:], h)
	}
	return nil
}

func (s *sketchAcc) merge(f *feed) error {
	c := &f.args[0]
	for i, g := range f.groups() {
		if err := s.mergeOne(g, c.src.Bytes(c.row(i))); err != nil {
			return err
		}
	}
	return nil
}

func (s *sketchAcc) mergeOne(g uint32, b []byte) error {
	switch {
	case len(b) > 0 && b[0] == sketchList && len(b)%4 == 1:
		for at := 1; at < len(b); at += 4 {
			if err := s.insert(g, binary.LittleEndian.Uint32(b[at:])); err != nil {
				return err
			}
		}
		return nil
	case len(b) == 1+sketchRegisters && b[0] == sketchDense:
		if mine := s.sketches.get(g); mine == nil {
			return s.sketches.set(s.account, g, b)
		} else if mine[0] == sketchList {
			if err := s.densify(g); err != nil {
				return err
			}
		}
		mine := s.sketches.get(g)
		for i, r := range b {
			mine[i] = max(mine[i], r)
		}
		return nil
	}
	return fmt.Errorf("merge approx_distinct: a state of %d bytes is no sketch", len(b))
}

func (s *sketchAcc) state(list []uint32, out []*vector.Builder) error {
	for _, g := range list {
		b := s.sketches.get(g)
		if b == nil {
			b = []byte{sketchList}
		}
		if err := out[0].AppendBytes(b); err != nil {
			return err
		}
	}
	return nil
}

func (s *sketchAcc) result(list []uint32, out *vector.Builder) error {
	at, err := out.Extend(len(list))
	if err != nil {
		return err
	}
	for i, g := range list {
		vector.Fill[int64](out)[at+i] = estimate(s.sketches.get(g))
	}
	return nil
}

// estimate returns how many different values a sketch has seen.
func estimate(b []byte) int64 {
	switch {
	case b == nil:
		return 0
	case b[0] == sketchList:
		return int64(len(b) / 4)
	}
	// Ertl's improved raw estimator (arXiv 1702.01284, algorithm 6), which needs
	// no correction tables. q is the number of bits that ranks are taken from.
	const q, m = 32 - sketchBits, sketchRegisters
	var counts [q + 2]float64
	for _, r := range b[1:] {
		counts[r]++
	}
	z := m * tau(1-counts[q+1]/m)
	for k := q; k >= 1; k-- {
		z = 0.5 * (z + counts[k])
	}
	z += m * sigma(counts[0]/m)
	return int64(math.Round(m * m / (2 * math.Ln2) / z))
}

func sigma(x float64) float64 {
	if x == 1 {
		return math.Inf(1)
	}
	y, z := 1.0, x
	for {
		x *= x
		before := z
		z += x * y
		y += y
		if z == before {
			return z
		}
	}
}

func tau(x float64) float64 {
	if x == 0 || x == 1 {
		return 0
	}
	y, z := 1.0, 1-x
	for {
		x = math.Sqrt(x)
		before := z
		y *= 0.5
		z -= (1 - x) * (1 - x) * y
		if z == before {
			return z / 3
		}
	}
}

func (s *sketchAcc) reset()   { s.sketches.empty() }
func (s *sketchAcc) release() { s.sketches.release() }
