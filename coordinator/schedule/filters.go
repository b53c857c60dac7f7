package schedule

import (
	"cmp"
	"math"
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
				for _, t := range s.Tasks {
					s.ShareFilters(t.Status.Filters)
				}
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

// tellFilters adds the complete filters that a task's scans use, and those that
// they need not wait for.
func tellFilters(r *query.Run, s *query.Stage, t *query.Task, u *Update) {
	for _, use := range usedBy(s.Fragment) {
		if t.ToldFilters[use.id] {
			continue
		}
		builder := builderOf(r, use.id)
		switch {
		case builder != nil && builder.Filters[use.id] != nil:
			if builder != s || u.Number == 1 && !builtBy(s.Fragment)[use.id] { // it makes its own, or has begun to
				u.Filters = append(u.Filters, query.FilterPart{ID: use.id, Filter: builder.Filters[use.id]})
			}
		case builder == nil || gone(builder, use.id) || builder != s && late(r, builder, s, use):
			u.NoFilters = append(u.NoFilters, use.id)
		default:
			continue
		}
		t.ToldFilters[use.id] = true
	}
}

// use is a scan's use of a dynamic filter.
type use struct {
	id   plan.DynamicID
	scan *plan.Scan
}

func usedBy(f *plan.Fragment) (out []use) {
	plan.Walk(f.Root, func(n plan.Node) bool {
		if scan, ok := n.(*plan.Scan); ok {
			for _, d := range scan.Dynamic {
				out = append(out, use{d.Filter, scan})
			}
		}
		return true
	})
	return out
}

// builderOf is the stage that builds a filter; nil: none does.
func builderOf(r *query.Run, id plan.DynamicID) *query.Stage {
	for _, s := range r.Stages {
		if buildOf(s.Fragment, id) != nil {
			return s
		}
	}
	return nil
}

// buildOf is the join of a fragment that builds a filter.
func buildOf(f *plan.Fragment, id plan.DynamicID) (join *plan.Join) {
	plan.Walk(f.Root, func(n plan.Node) bool {
		if j, ok := n.(*plan.Join); ok && slices.ContainsFunc(j.Dynamic, func(d plan.DynamicSource) bool { return d.Filter == id }) {
			join = j
		}
		return join == nil
	})
	return join
}

// gone reports whether a filter that is not complete cannot become so: a task
// that should have built a part has ended without (its probe side wanted no
// rows, or the part could not be sent).
func gone(builder *query.Stage, id plan.DynamicID) bool {
	if builtBy(builder.Fragment)[id] { // any task's will do
		return builder.Done()
	}
	return slices.ContainsFunc(builder.Tasks, func(t *query.Task) bool {
		return t.Status.State.Done() && !slices.ContainsFunc(t.Status.Filters, func(p query.FilterPart) bool { return p.ID == id })
	})
}

// late reports whether a filter is not worth waiting for: its build side waits
// for the stage that would wait for it, or has far more to read.
func late(r *query.Run, builder, s *query.Stage, u use) bool {
	build := buildOf(builder.Fragment, u.id).Right
	own := rowsOf(u.scan)
	return needs(r, build, s.Fragment.ID) || own > 0 && scanned(r, build) > slowFactor*own
}

// needs reports whether the rows of n depend on a stage's.
func needs(r *query.Run, n plan.Node, stage plan.FragmentID) bool {
	found := false
	plan.Walk(n, func(n plan.Node) bool {
		if src, ok := n.(*plan.RemoteSource); ok {
			for _, f := range src.Fragments {
				found = found || f == stage || needs(r, r.Stages[f].Fragment.Root, stage)
			}
		}
		return !found
	})
	return found
}

// slowFactor is how many times the rows of the scan that waits a build side may
// have to read: beyond it the scan is over before the filter is there.
const slowFactor = 4

// scanned is how many rows the scans below n are expected to give, other
// fragments' included. Unknown ones count as none.
func scanned(r *query.Run, n plan.Node) (rows float64) {
	plan.Walk(n, func(n plan.Node) bool {
		switch n := n.(type) {
		case *plan.Scan:
			rows += max(rowsOf(n), 0)
		case *plan.RemoteSource:
			for _, f := range n.Fragments {
				rows += scanned(r, r.Stages[f].Fragment.Root)
			}
		}
		return true
	})
	return rows
}

// rowsOf is how many rows a node is expected to give; negative: unknown.
func rowsOf(n plan.Node) float64 {
	est := n.Common().Est
	if est == nil || math.IsNaN(est.Rows) {
		return -1
	}
	return est.Rows
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
