package op

import (
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// newExtreme returns min or max of values of type t.
func newExtreme(a *mem.Account, t types.Type, max bool) accumulator {
	switch t.Physical() {
	case types.PhysBool:
		return &extreme[uint8]{account: a, max: max}
	case types.PhysInt8:
		return &extreme[int8]{account: a, max: max}
	case types.PhysInt16:
		return &extreme[int16]{account: a, max: max}
	case types.PhysInt32:
		return &extreme[int32]{account: a, max: max}
	case types.PhysInt64:
		return &extreme[int64]{account: a, max: max}
	case types.PhysFloat:
		return &extreme[float32]{account: a, max: max}
	case types.PhysDouble:
		return &extreme[float64]{account: a, max: max}
	}
	return newKeeper(a, []types.Type{t}, t, max)
}

type orderedFixed interface {
	uint8 | int8 | int16 | int32 | int64 | float32 | float64
}

// extreme is min or max of numbers. NaN is neither while there is any number.
type extreme[T orderedFixed] struct {
	account *mem.Account
	max     bool
	best    cells[T]
	seen    cells[uint8]
}

func (s *extreme[T]) grow(n int) error {
	if err := s.best.grow(s.account, n); err != nil {
		return err
	}
	return s.seen.grow(s.account, n)
}

func (s *extreme[T]) add(f *feed) error {
	c := &f.args[0]
	vals := vector.Values[T](c.flat)
	switch {
	case f.runs != nil:
		s.addRuns(f.runs, vals, c.pos)
	case s.max:
		for i, g := range f.ids[:f.n] {
			x, b := vals[c.at(i)], s.best.v[g]
			if x > b || s.seen.v[g] == 0 || b != b {
				s.best.v[g], s.seen.v[g] = x, 1
			}
		}
	default:
		for i, g := range f.ids[:f.n] {
			x, b := vals[c.at(i)], s.best.v[g]
			if x < b || s.seen.v[g] == 0 || b != b {
				s.best.v[g], s.seen.v[g] = x, 1
			}
		}
	}
	return nil
}

func (s *extreme[T]) addRuns(runs []run, vals []T, pos []int32) {
	for _, r := range runs {
		if r.from == r.to {
			continue
		}
		best := s.best.v[r.group]
		if s.seen.v[r.group] == 0 {
			s.seen.v[r.group] = 1
			best = vals[place(pos, 0, r.from)]
		}
		if s.max {
			best = largest(best, vals, pos, r)
		} else {
			best = smallest(best, vals, pos, r)
		}
		s.best.v[r.group] = best
	}
}

func largest[T orderedFixed](best T, vals []T, pos []int32, r run) T {
	if pos == nil {
		for _, x := range vals[r.from:r.to] {
			if x > best || best != best {
				best = x
			}
		}
		return best
	}
	for _, p := range pos[r.from:r.to] {
		if x := vals[p]; x > best || best != best {
			best = x
		}
	}
	return best
}

func smallest[T orderedFixed](best T, vals []T, pos []int32, r run) T {
	if pos == nil {
		for _, x := range vals[r.from:r.to] {
			if x < best || best != best {
				best = x
			}
		}
		return best
	}
	for _, p := range pos[r.from:r.to] {
		if x := vals[p]; x < best || best != best {
			best = x
		}
	}
	return best
}

func (s *extreme[T]) merge(f *feed) error { return s.add(f) }

func (s *extreme[T]) state(list []uint32, out []*vector.Builder) error { return s.result(list, out[0]) }

func (s *extreme[T]) result(list []uint32, out *vector.Builder) error {
	return gatherCells(out, list, s.best.v, s.seen.v)
}

func (s *extreme[T]) reset() {
	s.best.empty()
	s.seen.empty()
}

func (s *extreme[T]) release() {
	s.best.release()
	s.seen.release()
}
