package schedule

import (
	"cmp"
	"slices"
	"strings"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/coordinator/query"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/types"
)

// maxValues is the largest value set of a merged filter.
const maxValues = 4096

// CollectFilters completes the dynamic filters whose builders are all
// committed: any one task's part where every task has the whole build side,
// the union of all parts where each has its own.
func CollectFilters(r *query.Run) {
	for _, s := range r.Stages {
		for id, copied := range builtBy(s.Fragment) {
			if _, have := s.Filters[id]; have {
				continue
			}
			if f := collect(s, id, copied); f != nil {
				s.Filters[id] = f
			}
		}
	}
}

// builtBy returns the filters that a fragment builds, and for each whether
// every task sees the whole build side.
func builtBy(f *plan.Fragment) map[plan.DynamicID]bool {
	out := map[plan.DynamicID]bool{}
	plan.Walk(f.Root, func(n plan.Node) bool {
		if j, ok := n.(*plan.Join); ok {
			for _, d := range j.Dynamic {
				out[d.Filter] = wholeSide(j.Right) || f.Spread == plan.OneTask || f.Spread == plan.OnCoordinator
			}
		}
		return true
	})
	return out
}

// wholeSide reports whether each task reads all rows of n.
func wholeSide(n plan.Node) bool {
	whole := true
	plan.Walk(n, func(n plan.Node) bool {
		switch n := n.(type) {
		case *plan.Scan:
			whole = false
		case *plan.RemoteSource:
			whole = whole && n.Kind == plan.Replicate
		}
		return whole
	})
	return whole
}

func collect(s *query.Stage, id plan.DynamicID, copied bool) *connectors.DynamicFilter {
	var parts []*connectors.DynamicFilter
	for _, t := range s.Tasks {
		for _, p := range t.Status.Filters {
			if p.ID != id {
				continue
			}
			if copied {
				return p.Filter
			}
			parts = append(parts, p.Filter)
		}
	}
	if !s.Complete || len(parts) == 0 || len(parts) < len(s.Tasks) {
		return nil
	}
	return union(parts)
}

// union returns the filter that passes what any part passes.
func union(parts []*connectors.DynamicFilter) *connectors.DynamicFilter {
	var out *connectors.DynamicFilter
	for _, p := range parts {
		switch {
		case p.Empty:
		case out == nil:
			c := *p
			out = &c
		default:
			merge(out, p)
		}
	}
	if out == nil {
		return &connectors.DynamicFilter{Empty: true}
	}
	return out
}

func merge(out, p *connectors.DynamicFilter) {
	out.Bits = connectors.UniteBits(out, p)
	out.Min, out.Max = extreme(out.Min, p.Min, -1), extreme(out.Max, p.Max, 1)
	if out.Values == nil || p.Values == nil || len(out.Values)+len(p.Values) > maxValues {
		out.Values = nil
	} else {
		all := append(slices.Clone(out.Values), p.Values...)
		slices.SortFunc(all, compare)
		out.Values = slices.CompactFunc(all, func(a, b any) bool { return compare(a, b) == 0 })
	}
	if len(out.Bloom) != len(p.Bloom) {
		out.Bloom = nil
		return
	}
	bloom := slices.Clone(out.Bloom)
	for i := range bloom {
		bloom[i] |= p.Bloom[i]
	}
	out.Bloom = bloom
}

// extreme returns the smaller (sign -1) or larger of two bounds; nil if
// either is unknown.
func extreme(a, b any, sign int) any {
	if a == nil || b == nil {
		return nil
	}
	if compare(a, b)*sign >= 0 {
		return a
	}
	return b
}

// compare orders two constants of one type, in the Go forms of expr.Const.
func compare(a, b any) int {
	switch x := a.(type) {
	case int64:
		return cmp.Compare(x, b.(int64))
	case float64:
		return cmp.Compare(x, b.(float64))
	case float32:
		return cmp.Compare(x, b.(float32))
	case string:
		return strings.Compare(x, b.(string))
	case types.Int128:
		y := b.(types.Int128)
		return cmp.Or(cmp.Compare(x.Hi, y.Hi), cmp.Compare(x.Lo, y.Lo))
	case bool:
		if x == b.(bool) {
			return 0
		}
		if x {
			return 1
		}
		return -1
	}
	return 0
}
