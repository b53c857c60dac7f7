package op

import (
	"math"

	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// newAverage returns the mean: exact for decimals, rounded half up to their
// scale; of intervals in whole units; else in doubles.
func newAverage(a *mem.Account, fn *function.Aggregate) accumulator {
	switch t := fn.Args[0]; {
	case t.Kind == types.Decimal:
		return &decimalAvg{sum: decimalSum{account: a, scale: t.S}, typ: fn.Result}
	case t.Kind == types.IntervalDay || t.Kind == types.IntervalYear:
		return &intervalAvg{sum: intSum{account: a, typ: t}}
	}
	return &floatAvg{account: a}
}

// floatAvg averages numbers in doubles. Its state is the sum and the count.
type floatAvg struct {
	account *mem.Account
	sums    cells[float64]
	counts  cells[int64]
}

func (s *floatAvg) grow(n int) error {
	if err := s.sums.grow(s.account, n); err != nil {
		return err
	}
	return s.counts.grow(s.account, n)
}

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

func (s *floatAvg) state(list []uint32, out []*vector.Builder) error {
	if err := gatherCells(out[0], list, s.sums.v, nil); err != nil {
		return err
	}
	return gatherCells(out[1], list, s.counts.v, nil)
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

// nullUncounted makes null the rows, from at on, of groups without rows.
func nullUncounted(out *vector.Builder, at int, list []uint32, counts []int64) {
	for i, g := range list {
		if counts[g] == 0 {
			out.SetNull(at + i)
		}
	}
}

func (s *floatAvg) reset() {
	s.sums.empty()
	s.counts.empty()
}

func (s *floatAvg) release() {
	s.sums.release()
	s.counts.release()
}

// decimalAvg averages decimals. Its state is the sum and the count.
type decimalAvg struct {
	sum    decimalSum
	counts cells[int64]
	typ    types.Type
}

func (s *decimalAvg) grow(n int) error {
	if err := s.sum.grow(n); err != nil {
		return err
	}
	return s.counts.grow(s.sum.account, n)
}

func (s *decimalAvg) add(f *feed) error {
	countRows(s.counts.v, f)
	return s.sum.add(f)
}

func (s *decimalAvg) merge(f *feed) error {
	addCounts(s.counts.v, f, 1)
	return s.sum.add(f)
}

func (s *decimalAvg) state(list []uint32, out []*vector.Builder) error {
	if err := gatherCells(out[0], list, s.sum.sums.v, nil); err != nil {
		return err
	}
	return gatherCells(out[1], list, s.counts.v, nil)
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
		mean := s.sum.sums.v[g].QuoRound(types.Int128Of(n))
		if s.typ.IsShortDecimal() {
			vector.Fill[int64](out)[at+i] = mean.Int64()
		} else {
			vector.Fill[types.Int128](out)[at+i] = mean
		}
	}
	nullUncounted(out, at, list, s.counts.v)
	return nil
}

func (s *decimalAvg) reset() {
	s.sum.reset()
	s.counts.empty()
}

func (s *decimalAvg) release() {
	s.sum.release()
	s.counts.release()
}

// intervalAvg averages intervals. Its state is the sum and the count.
type intervalAvg struct {
	sum    intSum
	counts cells[int64]
}

func (s *intervalAvg) grow(n int) error {
	if err := s.sum.grow(n); err != nil {
		return err
	}
	return s.counts.grow(s.sum.account, n)
}

func (s *intervalAvg) add(f *feed) error {
	countRows(s.counts.v, f)
	return s.sum.add(f)
}

func (s *intervalAvg) merge(f *feed) error {
	addCounts(s.counts.v, f, 1)
	return s.sum.add(f)
}

func (s *intervalAvg) state(list []uint32, out []*vector.Builder) error {
	if err := s.sum.result(list, out[0]); err != nil {
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
		mean := roundHalfUp(float64(s.sum.sums.v[g]) / float64(n))
		if s.sum.typ.Physical() == types.PhysInt32 {
			vector.Fill[int32](out)[at+i] = int32(mean)
		} else {
			vector.Fill[int64](out)[at+i] = mean
		}
	}
	nullUncounted(out, at, list, s.counts.v)
	return nil
}

func (s *intervalAvg) reset() {
	s.sum.reset()
	s.counts.empty()
}

func (s *intervalAvg) release() {
	s.sum.release()
	s.counts.release()
}

// geoMeanAcc is the geometric mean. Its state is the count and the sum of
// logarithms.
type geoMeanAcc struct {
	account *mem.Account
	counts  cells[int64]
	logs    cells[float64]
}

func (s *geoMeanAcc) grow(n int) error {
	if err := s.counts.grow(s.account, n); err != nil {
		return err
	}
	return s.logs.grow(s.account, n)
}

func (s *geoMeanAcc) add(f *feed) error {
	countRows(s.counts.v, f)
	vals, c := vector.Values[float64](f.args[0].flat), &f.args[0]
	for i, g := range f.groups() {
		s.logs.v[g] += math.Log(vals[c.at(i)])
	}
	return nil
}

func (s *geoMeanAcc) merge(f *feed) error {
	addCounts(s.counts.v, f, 0)
	vals, c := vector.Values[float64](f.args[1].flat), &f.args[1]
	for i, g := range f.groups() {
		s.logs.v[g] += vals[c.at(i)]
	}
	return nil
}

func (s *geoMeanAcc) state(list []uint32, out []*vector.Builder) error {
	if err := gatherCells(out[0], list, s.counts.v, nil); err != nil {
		return err
	}
	return gatherCells(out[1], list, s.logs.v, nil)
}

func (s *geoMeanAcc) result(list []uint32, out *vector.Builder) error {
	at, err := out.Extend(len(list))
	if err != nil {
		return err
	}
	for i, g := range list {
		vector.Fill[float64](out)[at+i] = math.Exp(s.logs.v[g] / float64(s.counts.v[g]))
	}
	nullUncounted(out, at, list, s.counts.v)
	return nil
}

func (s *geoMeanAcc) reset() {
	s.counts.empty()
	s.logs.empty()
}

func (s *geoMeanAcc) release() {
	s.counts.release()
	s.logs.release()
}
