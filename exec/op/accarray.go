package op

import (
	"sync"

	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// arrayAcc is array_agg: all elements in one column, and for each group a list
// through it. Its state is the array.
type arrayAcc struct {
	account    *mem.Account
	elems      *vector.Builder
	next       cells[int32] // the element after each, plus one; 0: none
	head, tail cells[int32] // of each group, plus one; 0: none
	rows       []int32
	mu         sync.Mutex // several drivers may read the state of one table
}

func newArrayAcc(a *mem.Account, elem types.Type) *arrayAcc {
	return &arrayAcc{account: a, elems: vector.NewBuilder(a, elem)}
}

func (s *arrayAcc) grow(n int) error {
	if err := s.head.grow(s.account, n); err != nil {
		return err
	}
	return s.tail.grow(s.account, n)
}

func (s *arrayAcc) add(f *feed) error {
	if f.n == 0 {
		return nil
	}
	c := &f.args[0]
	s.rows = s.rows[:0]
	for i := range f.n {
		s.rows = append(s.rows, int32(c.row(i)))
	}
	first, err := s.append(c.src, s.rows)
	if err != nil {
		return err
	}
	for i, g := range f.groups() {
		s.link(g, first+i)
	}
	return nil
}

// append copies the given rows of v to the elements and returns the first's
// number.
func (s *arrayAcc) append(v *vector.Vector, rows []int32) (int, error) {
	first := s.elems.Len()
	if n := first + len(rows); n > len(s.next.v) {
		if err := s.next.grow(s.account, max(n, len(s.next.v)*3/2)); err != nil {
			return 0, err
		}
	}
	clear(s.next.v[first : first+len(rows)])
	return first, appendRows(s.elems, v, rows)
}

// link puts an element at the end of a group's list.
func (s *arrayAcc) link(g uint32, elem int) {
	if last := s.tail.v[g]; last > 0 {
		s.next.v[last-1] = int32(elem + 1)
	} else {
		s.head.v[g] = int32(elem + 1)
	}
	s.tail.v[g] = int32(elem + 1)
}

func (s *arrayAcc) merge(f *feed) error {
	c := &f.args[0]
	kid := c.flat.Kids[0]
	for i, g := range f.groups() {
		at := c.at(i)
		s.rows = s.rows[:0]
		for e := c.flat.Offsets[at]; e < c.flat.Offsets[at+1]; e++ {
			s.rows = append(s.rows, e)
		}
		if len(s.rows) == 0 {
			continue
		}
		first, err := s.append(kid, s.rows)
		if err != nil {
			return err
		}
		for k := range s.rows {
			s.link(g, first+k)
		}
	}
	return nil
}

func (s *arrayAcc) state(list []uint32, out []*vector.Builder) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.result(list, out[0])
}

func (s *arrayAcc) result(list []uint32, out *vector.Builder) error {
	elems := s.elems.Vector()
	for _, g := range list {
		if s.head.v[g] == 0 {
			if err := out.AppendNull(); err != nil {
				return err
			}
			continue
		}
		s.rows = s.rows[:0]
		for e := s.head.v[g]; e > 0; e = s.next.v[e-1] {
			s.rows = append(s.rows, e-1)
		}
		if err := out.Kid(0).AppendRows(elems, s.rows); err != nil {
			return err
		}
		if err := out.CloseRow(); err != nil {
			return err
		}
	}
	return nil
}

func (s *arrayAcc) reset() {
	s.elems.Reset()
	s.head.empty()
	s.tail.empty()
}

func (s *arrayAcc) release() {
	s.elems.Release()
	s.next.release()
	s.head.release()
	s.tail.release()
}
