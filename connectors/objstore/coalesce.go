package objstore

import (
	"cmp"
	"slices"
)

// coalesce merges ranges into groups of neighbors: a range joins the group
// before it when at most gap bytes lie between and the group stays within
// target bytes, or when they overlap. The groups come in the order in which the
// ranges first want them; place maps ranges to groups, with -1 for empty ones.
func coalesce(ranges []Range, gap, target int64) (groups []*fetchGroup, place []int) {
	order := make([]int, 0, len(ranges))
	place = make([]int, len(ranges))
	for i, r := range ranges {
		place[i] = -1
		if r.Len > 0 {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(ranges[a].Off, ranges[b].Off) })
	for _, i := range order {
		r := ranges[i]
		g := last(groups)
		if g == nil || !g.takes(r, gap, target) {
			g = &fetchGroup{Range: r, done: make(chan struct{})}
			groups = append(groups, g)
		}
		g.Len = max(g.Len, r.Off+r.Len-g.Off)
		g.users++
		place[i] = len(groups) - 1
	}
	for _, g := range groups {
		g.pieces = int((g.Len + target - 1) / target)
		g.left = g.pieces
	}
	return byFirstUse(groups, place), place
}

// last returns the last element, or nil.
func last(groups []*fetchGroup) *fetchGroup {
	if len(groups) == 0 {
		return nil
	}
	return groups[len(groups)-1]
}

// takes reports whether r, which does not begin before the group, belongs to it.
func (g *fetchGroup) takes(r Range, gap, target int64) bool {
	end := g.Off + g.Len
	if r.Off < end {
		return true
	}
	return r.Off-end <= gap && r.Off+r.Len-g.Off <= target
}

// byFirstUse sorts groups by the first range that wants them, adjusting place.
func byFirstUse(groups []*fetchGroup, place []int) []*fetchGroup {
	out := make([]*fetchGroup, 0, len(groups))
	moved := make([]int, len(groups))
	for i := range moved {
		moved[i] = -1
	}
	for i, g := range place {
		if g < 0 {
			continue
		}
		if moved[g] < 0 {
			moved[g] = len(out)
			out = append(out, groups[g])
		}
		place[i] = moved[g]
	}
	return out
}
