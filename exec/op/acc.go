package op

import (
	"errors"
	"unsafe"

	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// accumulator is one aggregate's state of all groups of a table. It works on
// whole batches; the rows it is fed are those that count, so what SQL says of
// nulls and filters is settled before.
type accumulator interface {
	// grow makes room for n groups; those new have seen nothing. It is called
	// before the group numbers that a feed mentions.
	grow(n int) error
	// add takes rows; the feed's columns are the arguments.
	add(f *feed) error
	// merge takes partial results; the feed's columns are state columns.
	merge(f *feed) error
	// state appends the listed groups' partial results.
	state(list []uint32, out []*vector.Builder) error
	// result appends the listed groups' results.
	result(list []uint32, out *vector.Builder) error
	// reset forgets all groups.
	reset()
	release()
}

// absorber is an accumulator whose partial result has no column form: it
// merges the listed groups of another one of its kind, which go to ids.
type absorber interface {
	absorb(other accumulator, list, ids []uint32) error
}

// newAccumulator returns the state of one call.
func newAccumulator(a *mem.Account, s *AggSpec, c *AggCall) (accumulator, error) {
	if c.Distinct && !c.Fn.Indistinct || len(c.OrderBy) > 0 {
		if s.Step != plan.Single {
			return nil, qerr.NotSupported(qerr.Pos{}, "%s with DISTINCT or ORDER BY in two steps", c.Fn.Name)
		}
		inner, err := simpleAccumulator(a, c.Fn)
		if err != nil {
			return nil, err
		}
		return newCollector(a, s, c, inner), nil
	}
	return simpleAccumulator(a, c.Fn)
}

// simpleAccumulator returns the state of a function without DISTINCT and
// ORDER BY.
func simpleAccumulator(a *mem.Account, fn *function.Aggregate) (accumulator, error) {
	switch fn.Name {
	case "count", "count_if":
		return &countAcc{account: a, ifTrue: fn.Name == "count_if"}, nil
	case "sum":
		return newSum(a, fn.Args[0], fn.Result), nil
	case "avg":
		return newAverage(a, fn), nil
	case "min", "max":
		return newExtreme(a, fn.Args[0], fn.Name == "max"), nil
	case "min_by", "max_by":
		return newKeeper(a, fn.Args, fn.Args[1], fn.Name == "max_by"), nil
	case "arbitrary", "any_value":
		return newKeeper(a, fn.Args, types.Type{}, false), nil
	case "bool_and", "every":
		return newBits(a, bitAnd, fn.Result), nil
	case "bool_or":
		return newBits(a, bitOr, fn.Result), nil
	case "bitwise_and_agg":
		return newBits(a, bitAnd, fn.Result), nil
	case "bitwise_or_agg":
		return newBits(a, bitOr, fn.Result), nil
	case "bitwise_xor_agg":
		return newBits(a, bitXor, fn.Result), nil
	case "approx_distinct":
		return &sketchAcc{account: a}, nil
	case "array_agg":
		return newArrayAcc(a, fn.Args[0]), nil
	case "geometric_mean":
		return &geoMeanAcc{countedCells[float64]{account: a}}, nil
	}
	if s := newStatistic(a, fn.Name); s != nil {
		return s, nil
	}
	return nil, qerr.NotSupported(qerr.Pos{}, "the aggregate function %s", fn.Name)
}

// errNoState says that an aggregate has only a result.
var errNoState = errors.New("aggregate has no partial result")

// asInts and asIDs view group numbers as rows and back.
func asInts(ids []uint32) []int32 {
	return unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(ids))), len(ids))
}

func asIDs(rows []int32) []uint32 {
	return unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(rows))), len(rows))
}

// outOfRange is the error of a sum that its type cannot hold.
func outOfRange(what string) error {
	return qerr.New(qerr.NumericValueOutOfRange, "%s", what)
}

// gatherCells appends the listed groups' cells to out. With seen, groups that
// have seen nothing are null.
func gatherCells[T vector.Fixed](out *vector.Builder, list []uint32, cells []T, seen []uint8) error {
	at, err := out.Extend(len(list))
	if err != nil {
		return err
	}
	dst := vector.Fill[T](out)[at:]
	for i, g := range list {
		dst[i] = cells[g]
	}
	if seen != nil {
		nullUnseen(out, at, list, seen)
	}
	return nil
}

// nullUnseen makes null the rows, from at on, of groups that have seen nothing.
func nullUnseen(out *vector.Builder, at int, list []uint32, seen []uint8) {
	for i, g := range list {
		if seen[g] == 0 {
			out.SetNull(at + i)
		}
	}
}

// mark notes that the groups of f have seen something.
func mark(seen []uint8, f *feed) {
	if f.runs != nil {
		for _, r := range f.runs {
			seen[r.group] = 1
		}
		return
	}
	for _, g := range f.ids[:f.n] {
		seen[g] = 1
	}
}

// countAcc is count(*), count(x) and count_if(x).
type countAcc struct {
	account *mem.Account
	counts  cells[int64]
	ifTrue  bool
}

func (c *countAcc) grow(n int) error { return c.counts.grow(c.account, n) }

func (c *countAcc) add(f *feed) error {
	if c.ifTrue {
		return c.addTrue(f)
	}
	countRows(c.counts.v, f)
	return nil
}

// countRows adds each group's number of rows to counts.
func countRows(counts []int64, f *feed) {
	if f.runs != nil {
		for _, r := range f.runs {
			counts[r.group] += int64(r.to - r.from)
		}
		return
	}
	for _, g := range f.ids[:f.n] {
		counts[g]++
	}
}

func (c *countAcc) addTrue(f *feed) error {
	vals, col := vector.Values[uint8](f.args[0].flat), &f.args[0]
	for i, g := range f.groups() {
		c.counts.v[g] += int64(vals[col.at(i)])
	}
	return nil
}

func (c *countAcc) merge(f *feed) error {
	addCounts(c.counts.v, f, 0)
	return nil
}

// addCounts adds column k, counts, to the groups' counts.
func addCounts(counts []int64, f *feed, k int) {
	vals, col := vector.Values[int64](f.args[k].flat), &f.args[k]
	for i, g := range f.groups() {
		counts[g] += vals[col.at(i)]
	}
}

func (c *countAcc) state(list []uint32, out []*vector.Builder) error { return c.result(list, out[0]) }

func (c *countAcc) result(list []uint32, out *vector.Builder) error {
	return gatherCells(out, list, c.counts.v, nil)
}

func (c *countAcc) reset()   { c.counts.empty() }
func (c *countAcc) release() { c.counts.release() }
