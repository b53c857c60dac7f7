package op

import (
	"math"

	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// newAverage returns the mean: exact for decimals, rounded half up to their
// scale; of intervals in whole units; else in doubles. The state of each is the
// sum and the count.
func newAverage(a *mem.Account, fn *function.Aggregate) accumulator {
	switch t := fn.Args[0]; {
	case t.Kind == types.Decimal:
		return &decimalAvg{countedCells[types.Int128]{account: a}, fn.Result}
	case t.Kind == types.IntervalDay || t.Kind == types.IntervalYear:
		return &intervalAvg{countedCells[int64]{account: a}, t}
	}
	return &floatAvg{countedCells[float64]{account: a}}
}

// floatAvg averages numbers in doubles.
type floatAvg struct{ countedCells[float64] }

func (s *floatAvg) add(f *feed) error {
	countRows(s.counts.v, f)
	sumAsDouble(s.sums.v, f)
	return nil
}

func (s *floatAvg) merge(f *feed) error {
	sumAsDouble(s.sums.v, f)
	addCounts(s.counts.v, f, 1)
	return nil
}

func (s *floatAvg) result(list []uint32, out *vector.Builder) error {
	at, err := out.Extend(len(list))
	if err != nil {
		return err
	}
	real := out.Vector().Type.Kind == types.Real
	for i, g := range list {
		mean := s.sums.v[g] / float64(s.counts.v[g])
		if real {
			vector.Fill[float32](out)[at+i] = float32(mean)
		} else {
			vector.Fill[float64](out)[at+i] = mean
		}
	}
	nullUncounted(out, at, list, s.counts.v)
	return nil
}

// decimalAvg averages decimals.
type decimalAvg struct {
	countedCells[types.Int128]
	typ types.Type
}

func (s *decimalAvg) add(f *feed) error {
	countRows(s.counts.v, f)
	return addDecimals(s.sums.v, f)
}

func (s *decimalAvg) merge(f *feed) error {
	addCounts(s.counts.v, f, 1)
	return addDecimals(s.sums.v, f)
}

func (s *decimalAvg) result(list []uint32, out *vector.Builder) error {
	at, err := out.Extend(len(list))
	if err != nil {
		return err
	}
	for i, g := range list {
		n := s.counts.v[g]
		if n == 0 {
			continue
		}
		mean := s.sums.v[g].QuoRound(types.Int128Of(n))
		if s.typ.IsShortDecimal() {
			vector.Fill[int64](out)[at+i] = mean.Int64()
		} else {
			vector.Fill[types.Int128](out)[at+i] = mean
		}
	}
	nullUncounted(out, at, list, s.counts.v)
	return nil
}

// intervalAvg averages intervals, whose type is also that of the state's sum.
type intervalAvg struct {
	countedCells[int64]
	typ types.Type
}

func (s *intervalAvg) add(f *feed) error {
	countRows(s.counts.v, f)
	return addInts(s.sums.v, f, s.typ)
}

func (s *intervalAvg) merge(f *feed) error {
	addCounts(s.counts.v, f, 1)
	return addInts(s.sums.v, f, s.typ)
}

func (s *intervalAvg) state(list []uint32, out []*vector.Builder) error {
	if err := gatherInts(out[0], list, s.sums.v, nil, s.typ); err != nil {
		return err
	}
	return gatherCells(out[1], list, s.counts.v, nil)
}

func (s *intervalAvg) result(list []uint32, out *vector.Builder) error {
	at, err := out.Extend(len(list))
	if err != nil {
		return err
	}
	for i, g := range list {
		n := s.counts.v[g]
		if n == 0 {
			continue
		}
		mean := roundHalfUp(float64(s.sums.v[g]) / float64(n))
		if s.typ.Physical() == types.PhysInt32 {
			vector.Fill[int32](out)[at+i] = int32(mean)
		} else {
			vector.Fill[int64](out)[at+i] = mean
		}
	}
	nullUncounted(out, at, list, s.counts.v)
	return nil
}

// geoMeanAcc is the geometric mean. Its sums are of logarithms, and its state
// has the count first.
type geoMeanAcc struct{ countedCells[float64] }

func (s *geoMeanAcc) add(f *feed) error {
	countRows(s.counts.v, f)
	vals, c := vector.Values[float64](f.args[0].flat), &f.args[0]
	for i, g := range f.groups() {
		s.sums.v[g] += math.Log(vals[c.at(i)])
	}
	return nil
}

func (s *geoMeanAcc) merge(f *feed) error {
	addCounts(s.counts.v, f, 0)
	vals, c := vector.Values[float64](f.args[1].flat), &f.args[1]
	for i, g := range f.groups() {
		s.sums.v[g] += vals[c.at(i)]
	}
	return nil
}

func (s *geoMeanAcc) state(list []uint32, out []*vector.Builder) error {
	return s.countedCells.state(list, []*vector.Builder{out[1], out[0]})
}

func (s *geoMeanAcc) result(list []uint32, out *vector.Builder) error {
	at, err := out.Extend(len(list))
	if err != nil {
		return err
	}
	for i, g := range list {
		vector.Fill[float64](out)[at+i] = math.Exp(s.sums.v[g] / float64(s.counts.v[g]))
	}
	nullUncounted(out, at, list, s.counts.v)
	return nil
}
