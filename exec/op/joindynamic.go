package op

import (
	"slices"
	"strings"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/exec/kernel"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

const (
	// maxFilterValues is how many values a dynamic filter lists at most.
	maxFilterValues = 1000
	// maxBloomRows is the largest build side that gets a bloom filter: one of
	// 16 MB, beyond which testing costs the scan more than it saves.
	maxBloomRows = 8 << 20
)

// publish makes the join's dynamic filters and hands them over.
func (j *Join) publish() error {
	if j.dynamic == nil || j.wanted.Load() == 0 {
		return nil // without probes the table may lack rows: see joinSink.Add
	}
	for _, d := range j.spec.Dynamic {
		f, err := j.filterOf(&j.cols[j.slot[d.Column]])
		if err != nil {
			return err
		}
		j.dynamic.Publish(d.ID, f)
	}
	return nil
}

// filterOf says what values a build column has.
func (j *Join) filterOf(c *joinColumn) (*connectors.DynamicFilter, error) {
	f := &connectors.DynamicFilter{}
	rows := make([]int32, 0, j.rows)
	for i := range j.rows {
		if !c.isNull(i) {
			rows = append(rows, int32(i))
		}
	}
	if len(rows) == 0 {
		f.Empty = true
		return f, nil
	}
	switch c.base.Type.Physical() {
	case types.PhysInt8:
		intFilter[int8](f, c, rows)
	case types.PhysInt16:
		intFilter[int16](f, c, rows)
	case types.PhysInt32:
		intFilter[int32](f, c, rows)
	case types.PhysInt64:
		intFilter[int64](f, c, rows)
	case types.PhysBytes:
		stringFilter(f, c, rows)
	}
	if f.Values == nil && f.Bits == nil && len(rows) <= maxBloomRows {
		return f, j.addBloom(f, c, rows)
	}
	return f, nil
}

// intFilter finds the bounds, and the values if there are few or not far apart.
func intFilter[T integer](f *connectors.DynamicFilter, c *joinColumn, rows []int32) {
	vals := vector.Values[T](&c.base)
	lo, hi := vals[rows[0]], vals[rows[0]]
	set := make(map[T]struct{})
	for _, r := range rows {
		x := vals[r]
		lo, hi = min(lo, x), max(hi, x)
		if len(set) <= maxFilterValues {
			set[x] = struct{}{}
		}
	}
	f.Min, f.Max = int64(lo), int64(hi)
	if len(set) > maxFilterValues {
		if f.Bits = connectors.NewBits(int64(lo), int64(hi), len(rows)); f.Bits != nil {
			for _, r := range rows {
				at := uint64(int64(vals[r]) - int64(lo))
				f.Bits[at>>6] |= 1 << (at & 63)
			}
		}
		return
	}
	sorted := make([]T, 0, len(set))
	for x := range set {
		sorted = append(sorted, x)
	}
	slices.Sort(sorted)
	for _, x := range sorted {
		f.Values = append(f.Values, int64(x))
	}
}

// stringFilter lists the values if there are few. Bounds need an order, which
// the engine and a file's statistics do not always share.
func stringFilter(f *connectors.DynamicFilter, c *joinColumn, rows []int32) {
	set := make(map[string]struct{})
	for _, r := range rows {
		set[string(c.base.Bytes(int(r)))] = struct{}{}
		if len(set) > maxFilterValues {
			return
		}
	}
	for x := range set {
		f.Values = append(f.Values, x)
	}
	slices.SortFunc(f.Values, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
}

// addBloom adds a bloom filter over the rows' hashes.
func (j *Join) addBloom(f *connectors.DynamicFilter, c *joinColumn, rows []int32) error {
	var hashes slab[uint64]
	defer hashes.release()
	if err := hashes.grow(j.env.Account, j.rows); err != nil {
		return err
	}
	kernel.Hash([]*vector.Vector{&c.base}, nil, j.rows, hashes.v)
	f.Bloom = connectors.NewBloom(len(rows))
	for _, r := range rows {
		connectors.BloomAdd(f.Bloom, hashes.v[r])
	}
	return nil
}
