package op

import (
	"slices"

	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// AggSpec says what an aggregation computes. Columns are positions in the
// input. The output has the keys first, in order, and then each aggregate's
// result, or in the Partial step each aggregate's state columns.
type AggSpec struct {
	// Input are the types of the input's columns.
	Input []types.Type
	Keys  []int
	Aggs  []AggCall
	Step  plan.Step
	// PassThrough makes a PartialAggregation with keys give each row as a group
	// of its own from the start.
	PassThrough bool
}

// AggCall is one aggregate.
type AggCall struct {
	Fn *function.Aggregate
	// Args are the arguments; in the Final step the state columns.
	Args []int
	// Distinct counts equal arguments of a group once. Single step only.
	Distinct bool
	// Filter is a boolean column that is true in the rows that count; -1: all
	// do. Not in the Final step.
	Filter int
	// OrderBy is the order in which the function sees its rows. Single step only.
	OrderBy []SortColumn
}

// SortColumn is a column to sort by.
type SortColumn struct {
	// Column is its position in the input.
	Column                 int
	Descending, NullsFirst bool
}

// OutputTypes returns the types of the columns that the aggregation puts out.
func (s *AggSpec) OutputTypes() []types.Type {
	out := s.keyTypes()
	for i := range s.Aggs {
		if s.Step == plan.Partial {
			out = append(out, s.Aggs[i].Fn.State...)
		} else {
			out = append(out, s.Aggs[i].Fn.Result)
		}
	}
	return out
}

func (s *AggSpec) keyTypes() []types.Type {
	out := make([]types.Type, len(s.Keys))
	for i, k := range s.Keys {
		out[i] = s.Input[k]
	}
	return out
}

// columns returns the columns that the aggregation reads.
func (s *AggSpec) columns() []int {
	out := slices.Clone(s.Keys)
	for i := range s.Aggs {
		c := &s.Aggs[i]
		out = append(out, c.Args...)
		if c.Filter >= 0 {
			out = append(out, c.Filter)
		}
		for _, k := range c.OrderBy {
			out = append(out, k.Column)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// skips returns those of the call's argument columns whose nulls exclude a
// row.
func (s *AggSpec) skips(c *AggCall) []int {
	if s.Step == plan.Final {
		if n := c.Fn.Name; n == "min_by" || n == "max_by" {
			return c.Args[1:]
		}
		return c.Args[:1]
	}
	switch c.Fn.Name {
	case "array_agg":
		return nil
	case "min_by", "max_by":
		return c.Args[1:]
	}
	return c.Args
}

// fewGroups is the number of groups up to which a batch's rows are sorted by
// group before the aggregates see them: each then sums a group's rows in
// registers, instead of loading and storing a state for every row.
const fewGroups = 64

// heavy counts the aggregates that look at an argument.
func (s *AggSpec) heavy() int {
	n := 0
	for i := range s.Aggs {
		if c := &s.Aggs[i]; len(c.Args) > 0 && c.Fn.Name != "count" {
			n++
		}
	}
	return n
}
