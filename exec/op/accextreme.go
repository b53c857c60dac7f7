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
		return &extreme[uint8]{seenCells[uint8]{account: a}, max}
	case types.PhysInt8:
		return &extreme[int8]{seenCells[int8]{account: a}, max}
	case types.PhysInt16:
		return &extreme[int16]{seenCells[int16]{account: a}, max}
	case types.PhysInt32:
		return &extreme[int32]{seenCells[int32]{account: a}, max}
	case types.PhysInt64:
		return &extreme[int64]{seenCells[int64]{account: a}, max}
	case types.PhysFloat:
		return &extreme[float32]{seenCells[float32]{account: a}, max}
	case types.PhysDouble:
		return &extreme[float64]{seenCells[float64]{account: a}, max}
	}
	return newKeeper(a, []types.Type{t}, t, max)
}

type orderedFixed interface {
	uint8 | int8 | int16 | int32 | int64 | float32 | float64
}

// extreme is min or max of numbers. NaN is neither while there is any number.
type extreme[T orderedFixed] struct {
	seenCells[T]
	max bool
}

func (s *extreme[T]) add(f *feed) error {
	c := &f.args[0]
	vals := vector.Values[T](c.flat)
	switch {
	case f.runs != nil:
		s.addRuns(f.runs, vals, c.pos)
	case s.max:
		for i, g := range f.ids[:f.n] {
			x, b := vals[c.at(i)], s.vals.v[g]
			if x > b || s.seen.v[g] == 0 || b != b {
				s.vals.v[g], s.seen.v[g] = x, 1
			}
		}
	default:
		for i, g := range f.ids[:f.n] {
			x, b := vals[c.at(i)], s.vals.v[g]
			if x < b || s.seen.v[g] == 0 || b != b {
				s.vals.v[g], s.seen.v[g] = x, 1
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
		best := s.vals.v[r.group]
		if s.seen.v[r.group] == 0 {
			s.seen.v[r.group] = 1
			best = vals[place(pos, 0, r.from)]
		}
		if s.max {
			best = largest(best, vals, pos, r)
		} else {
			best = smallest(best, vals, pos, r)
		}
		s.vals.v[r.group] = best
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
	return gatherCells(out, list, s.vals.v, s.seen.v)
}
