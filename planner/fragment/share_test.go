package fragment

import (
	"testing"

	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
)

// twice is a cross join of a class's rows with themselves under other names.
func twice(in plan.Node) *plan.Join {
	again := &plan.Project{Input: &plan.Shared{Input: in, Class: 1}}
	for i, c := range in.Outputs() {
		again.Cols = append(again.Cols, plan.Assignment{Column: plan.Column{ID: expr.ColumnID(200 + i), Name: c.Name, Type: c.Type}, Expr: c.Ref()})
	}
	return &plan.Join{Kind: plan.InnerJoin, Left: &plan.Shared{Input: in, Class: 1}, Right: again}
}

// onKey makes it a partitioned join of the first columns.
func onKey(j *plan.Join) *plan.Join {
	j.Keys = []plan.EquiKey{{Left: j.Left.Outputs()[0], Right: j.Right.Outputs()[0]}}
	j.Dist = plan.Partitioned
	return j
}

func TestShared(t *testing.T) {
	local := scan("t", 1)
	local.Table.Local = true
	for _, tc := range []struct {
		name string
		root plan.Node
		one  bool
		want string
	}{
		{"rows that lie anywhere are cut evenly", output(twice(scan("t", 1))), false, `
SINGLE Output(RemoteSource[1]) > SINGLE
HASH InnerJoin(RemoteSource[3] RemoteSource[2]) > SINGLE
HASH Project(RemoteSource[3]) > BROADCAST
SOURCE TableScan > ROUND_ROBIN
`},
		{"hashed rows stay hashed, under either name", output(onKey(twice(group(t, scan("t", 1))))), false, `
SINGLE Output(RemoteSource[1]) > SINGLE
HASH InnerJoin(RemoteSource[2] Project(RemoteSource[2])) > SINGLE
HASH Aggregate(FINAL)(RemoteSource[3]) > HASH(a#1)
SOURCE Aggregate(PARTIAL)(TableScan) > HASH(a#1)
`},
		{"one task", output(onKey(twice(group(t, scan("t", 1))))), true, `
SINGLE Output(InnerJoin(RemoteSource[1] Project(RemoteSource[1]))) > SINGLE
SINGLE Aggregate(TableScan) > SINGLE
`},
		{"each reader hashes as it needs", output(group(t, onKey(twice(scan("t", 1))))), false, `
SINGLE Output(RemoteSource[1]) > SINGLE
HASH Aggregate(InnerJoin(RemoteSource[2] RemoteSource[3])) > SINGLE
HASH RemoteSource[4] > HASH(a#1)
HASH Project(RemoteSource[4]) > HASH(a#200)
SOURCE TableScan > ROUND_ROBIN
`},
		{"the coordinator's tables are read twice", output(twice(local)), false, `
COORDINATOR_ONLY Output(InnerJoin(TableScan Project(TableScan))) > SINGLE
`},
	} {
		p, err := Fragment(tc.root, Options{OneTask: tc.one})
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if got := shape(p); got != tc.want[1:] {
			t.Errorf("%s:\n%s\nwant%s", tc.name, got, tc.want)
		}
		checkOrder(t, tc.name, p)
	}
}

// checkOrder reports fragments that do not come after all that read them,
// inputs that no source reads, and inputs named twice.
func checkOrder(t *testing.T, name string, p *plan.Plan) {
	t.Helper()
	for i, f := range p.Fragments {
		if f.ID != plan.FragmentID(i) {
			t.Errorf("%s: fragment %d is numbered %d", name, i, f.ID)
		}
		read := map[plan.FragmentID]bool{}
		plan.Walk(f.Root, func(n plan.Node) bool {
			if r, ok := n.(*plan.RemoteSource); ok {
				for _, id := range r.Fragments {
					read[id] = true
				}
			}
			return true
		})
		named := map[plan.FragmentID]bool{}
		for _, id := range f.Inputs {
			if id <= f.ID || named[id] || !read[id] {
				t.Errorf("%s: fragment %d has inputs %v and reads %v", name, f.ID, f.Inputs, read)
			}
			named[id] = true
		}
		if len(named) != len(read) {
			t.Errorf("%s: fragment %d has inputs %v and reads %v", name, f.ID, f.Inputs, read)
		}
	}
}

// TestRenamed keeps a distribution over projections that rename its keys, and
// loses it where a key is gone.
func TestRenamed(t *testing.T) {
	in := scan("t", 1)
	a, b, x := in.Columns[0], in.Columns[1], plan.Column{ID: 9, Name: "x", Type: bigint}
	hashedOn := func(cols ...plan.Column) placed { return placed{node: in, at: hashed, keys: cols} }
	pass := func(c, from plan.Column) plan.Assignment { return plan.Assignment{Column: c, Expr: from.Ref()} }
	for _, tc := range []struct {
		name string
		in   placed
		cols []plan.Assignment
		want []plan.Column
	}{
		{"passed", hashedOn(a, b), []plan.Assignment{pass(b, b), pass(a, a)}, []plan.Column{a, b}},
		{"renamed", hashedOn(a), []plan.Assignment{pass(x, a)}, []plan.Column{x}},
		{"its own name first", hashedOn(a), []plan.Assignment{pass(x, a), pass(a, a)}, []plan.Column{a}},
		{"dropped", hashedOn(a, b), []plan.Assignment{pass(x, a)}, nil},
		{"computed", hashedOn(a), []plan.Assignment{{Column: x, Expr: &expr.Cast{Arg: a.Ref(), Typ: bigint}}}, nil},
		{"another column under its name", hashedOn(a), []plan.Assignment{pass(a, b)}, nil},
	} {
		got := tc.in.renamed(&plan.Project{Input: in, Cols: tc.cols})
		if !sameColumns(got.keys, tc.want) || (got.at == hashed) != (tc.want != nil) {
			t.Errorf("%s: %v at %d, want %v", tc.name, got.keys, got.at, tc.want)
		}
	}
	if got := (placed{node: in, at: oneTask}).renamed(&plan.Project{Input: in}); got.at != oneTask {
		t.Errorf("one task became %d", got.at)
	}
}
