package coordinator

import (
	"math"
	"testing"

	"github.com/tuttidb/tutti/planner/plan"
)

// TestIsLarge: what the scans of all fragments are known to give counts, for
// each thread.
func TestIsLarge(t *testing.T) {
	scan := func(bytes float64) plan.Node {
		s := &plan.Scan{}
		s.Est = &plan.Estimate{Rows: 1, Bytes: bytes}
		return s
	}
	unknown := &plan.Scan{}
	limit := &plan.Limit{Input: scan(largeScan)}
	limit.Est = &plan.Estimate{Rows: 1, Bytes: 8}
	for _, c := range []struct {
		name    string
		roots   []plan.Node
		threads int
		want    bool
	}{
		{"nothing is read", []plan.Node{&plan.Values{}}, 1, false},
		{"little", []plan.Node{scan(1 << 20)}, 1, false},
		{"much", []plan.Node{scan(largeScan)}, 1, true},
		{"much, by many", []plan.Node{scan(largeScan)}, 2, false},
		{"two tables", []plan.Node{scan(largeScan), scan(largeScan)}, 2, true},
		{"of which little is left", []plan.Node{limit}, 1, true},
		{"nobody knows how much", []plan.Node{unknown}, 1, false},
		{"not a number", []plan.Node{scan(math.NaN())}, 1, false},
		{"no threads are known", []plan.Node{scan(largeScan)}, 0, true},
	} {
		p := &plan.Plan{}
		for i, root := range c.roots {
			p.Fragments = append(p.Fragments, &plan.Fragment{ID: plan.FragmentID(i), Root: root})
		}
		if got := isLarge(p, c.threads); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
