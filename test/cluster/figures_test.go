package cluster

import "testing"

// TestGrown: a figure that stays up fails the check, one that wobbles or falls
// does not.
func TestGrown(t *testing.T) {
	const slabs, tasks, resident = `tutti_node_slabs{node="w"}`, `tutti_node_tasks{node="w"}`, `tutti_node_resident_bytes{node="w"}`
	for _, c := range []struct {
		name          string
		before, after Figures
		grown         bool
	}{
		{"same", Figures{slabs: 3, tasks: 0}, Figures{slabs: 3, tasks: 0}, false},
		{"less", Figures{slabs: 30}, Figures{slabs: 3}, false},
		{"within slack", Figures{slabs: 3}, Figures{slabs: 9}, false},
		{"leaked slabs", Figures{slabs: 3}, Figures{slabs: 40}, true},
		{"a task stays", Figures{tasks: 0}, Figures{tasks: 1}, true},
		{"a new node with a task", Figures{}, Figures{tasks: 1}, true},
		{"resident memory is not a leak", Figures{resident: 1}, Figures{resident: 1 << 40}, false},
	} {
		if err := Grown(c.before, c.after); (err != nil) != c.grown {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
