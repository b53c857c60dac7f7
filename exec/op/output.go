package op

import (
	"context"
	"math/bits"

	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/kernel"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/planner/plan"
)

// PartitionOf returns the partition, of n, for rows whose keys hash to h. All
// producers of an exchange, in every process, must agree on it, so it is part
// of the protocol between nodes. It mixes h first: a consumer's hash tables
// index by the bits of h itself, which must still be spread within a
// partition.
func PartitionOf(h uint64, n int) int {
	h *= 0x9E3779B97F4A7C15 // 2^64 / the golden ratio: Fibonacci hashing
	h ^= h >> 32
	h *= 0xD6E8FEB86659FD93
	part, _ := bits.Mul64(h, uint64(n))
	return int(part)
}

// Output is the sink that hands a task's rows to its exchange.
type Output struct {
	env  *Env
	to   exec.Output
	kind plan.ExchangeKind
	keys []int

	next   int // round robin: the partition of the next batch
	cols   []*vector.Vector
	hashes []uint64
	rows   []int32 // grouped by partition
	ends   []int32
	part   []uint16
	out    vector.Batch
}

// NewOutput returns one driver's sink. keys are positions, for Hash.
func NewOutput(env *Env, to exec.Output, kind plan.ExchangeKind, keys []int) *Output {
	o := &Output{env: env, to: to, kind: kind, keys: keys}
	o.cols = make([]*vector.Vector, len(keys))
	return o
}

// Add writes b's rows to their partitions.
func (o *Output) Add(ctx context.Context, b *vector.Batch) (bool, error) {
	if !o.to.Wanted() {
		return false, nil
	}
	var err error
	switch n := o.to.Partitions(); {
	case n == 1 || o.kind == plan.Gather || o.kind == plan.Replicate:
		err = o.to.Write(ctx, 0, b)
	case o.kind == plan.RoundRobin:
		err = o.to.Write(ctx, o.next%n, b)
		o.next++
	default:
		err = o.scatter(ctx, b, n)
	}
	return true, err
}

// scatter writes each partition's rows of b as one selection.
func (o *Output) scatter(ctx context.Context, b *vector.Batch, n int) error {
	if err := b.Load(); err != nil {
		return err
	}
	if err := o.group(b, n); err != nil {
		return err
	}
	from := int32(0)
	for p, end := range o.ends {
		if end > from {
			o.out = vector.Batch{N: b.N, Cols: b.Cols, Sel: o.rows[from:end]}
			if err := o.to.Write(ctx, p, &o.out); err != nil {
				return err
			}
		}
		from = end
	}
	return nil
}

// group sorts b's rows by partition into rows, stably, by counting: ends[p]
// is where partition p's end.
func (o *Output) group(b *vector.Batch, n int) error {
	for i, k := range o.keys {
		o.cols[i] = b.Cols[k]
	}
	o.size(b.N, n)
	kernel.Hash(o.cols, b.Sel, b.N, o.hashes)
	clear(o.ends)
	part := o.part[:b.Rows()]
	for i := range part {
		p := PartitionOf(o.hashes[i], n)
		part[i] = uint16(p)
		o.ends[p]++
	}
	sum := int32(0)
	for p, c := range o.ends { // from counts to starts
		o.ends[p] = sum
		sum += c
	}
	for i, p := range part {
		o.rows[o.ends[p]] = int32(b.Row(i))
		o.ends[p]++
	}
	return nil
}

// size makes room for batches of rows physical rows and n partitions.
func (o *Output) size(rows, n int) {
	if len(o.hashes) < rows {
		rows = max(rows, vector.DefaultRows)
		o.hashes, o.rows, o.part = make([]uint64, rows), make([]int32, rows), make([]uint16, rows)
	}
	if len(o.ends) != n {
		o.ends = make([]int32, n)
	}
}

// Finish does nothing: the task ends the output when all drivers are done.
func (o *Output) Finish(context.Context) error { return nil }

// Close does nothing: the output belongs to the task.
func (o *Output) Close() error { return nil }
