package fragment

import (
	"strings"
	"testing"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

var bigint = types.Of(types.BigInt)

// scan reads two columns, #base and #base+1.
func scan(name string, base expr.ColumnID) *plan.Scan {
	t := &connectors.Table{Schema: "s", Name: name, Columns: []connectors.Column{{Name: "a", Type: bigint}, {Name: "b", Type: bigint}}}
	return &plan.Scan{
		Catalog: "c", Table: t, Limit: -1, Ordinals: []int{0, 1},
		Columns: []plan.Column{{ID: base, Name: "a", Type: bigint}, {ID: base + 1, Name: "b", Type: bigint}},
	}
}

func join(l, r plan.Node, dist plan.Distribution) *plan.Join {
	return &plan.Join{
		Left: l, Right: r, Dist: dist,
		Keys: []plan.EquiKey{{Left: l.Outputs()[0], Right: r.Outputs()[0]}},
	}
}

func group(t *testing.T, in plan.Node) *plan.Aggregate {
	t.Helper()
	fn, err := function.ResolveAggregate("count", nil)
	if err != nil {
		t.Fatal(err)
	}
	return &plan.Aggregate{
		Input: in, Keys: in.Outputs()[:1],
		Aggs: []plan.Agg{{Column: plan.Column{ID: 100, Name: "n", Type: bigint}, Call: &expr.Aggregate{Fn: fn}}},
	}
}

func output(in plan.Node) plan.Node {
	out := &plan.Output{Input: in, Cols: in.Outputs()}
	for _, c := range out.Cols {
		out.Names = append(out.Names, c.Name)
	}
	return out
}

// shape prints a plan's fragments, node names and what they exchange on.
func shape(p *plan.Plan) string {
	var b strings.Builder
	for _, f := range p.Fragments {
		b.WriteString(f.Spread.String() + " ")
		var walk func(n plan.Node)
		walk = func(n plan.Node) {
			name, detail := plan.Describe(n)
			b.WriteString(name)
			if _, ok := n.(*plan.RemoteSource); ok {
				b.WriteString(detail)
			}
			if in := n.Inputs(); len(in) > 0 {
				b.WriteString("(")
				for i, x := range in {
					if i > 0 {
						b.WriteString(" ")
					}
					walk(x)
				}
				b.WriteString(")")
			}
		}
		walk(f.Root)
		b.WriteString(" > " + f.Output.String() + "\n")
	}
	return b.String()
}

func TestFragment(t *testing.T) {
	sortKeys := []plan.SortKey{{Column: scan("t", 1).Columns[0]}}
	for _, tc := range []struct {
		name string
		root plan.Node
		one  bool
		want string
	}{
		{"scan", output(scan("t", 1)), false, `
SINGLE Output(RemoteSource[1]) > SINGLE
SOURCE TableScan > SINGLE
`},
		{"one task", output(group(t, join(scan("t", 1), scan("u", 3), plan.Partitioned))), true, `
SINGLE Output(Aggregate(InnerJoin(TableScan TableScan))) > SINGLE
`},
		{"partitioned join, grouped by its key", output(group(t, join(scan("t", 1), scan("u", 3), plan.Partitioned))), false, `
SINGLE Output(RemoteSource[1]) > SINGLE
HASH Aggregate(InnerJoin(RemoteSource[2] RemoteSource[3])) > SINGLE
SOURCE TableScan > HASH(a#1)
SOURCE TableScan > HASH(a#3)
`},
		{"broadcast join, grouped", output(group(t, join(scan("t", 1), scan("u", 3), plan.Broadcast))), false, `
SINGLE Output(RemoteSource[1]) > SINGLE
HASH Aggregate(FINAL)(RemoteSource[2]) > SINGLE
SOURCE Aggregate(PARTIAL)(InnerJoin(TableScan RemoteSource[3])) > HASH(a#1)
SOURCE TableScan > BROADCAST
`},
		{"top", output(&plan.TopN{Input: scan("t", 1), Keys: sortKeys, N: 5}), false, `
SINGLE Output(TopN(FINAL)(RemoteSource[1])) > SINGLE
SOURCE TopN(PARTIAL)(TableScan) > SINGLE
`},
		{"partial limits stay where they are", output(&plan.Limit{N: 5, Input: join(&plan.Limit{Input: scan("t", 1), N: 5, Step: plan.Partial}, scan("u", 3), plan.Broadcast)}), false, `
SINGLE Output(Limit(RemoteSource[1])) > SINGLE
SOURCE Limit(PARTIAL)(InnerJoin(Limit(PARTIAL)(TableScan) RemoteSource[2])) > SINGLE
SOURCE TableScan > BROADCAST
`},
		{"partial top stays where it is", output(&plan.TopN{Keys: sortKeys, N: 5, Input: join(&plan.TopN{Input: scan("t", 1), Keys: sortKeys, N: 5, Step: plan.Partial}, scan("u", 3), plan.Broadcast)}), false, `
SINGLE Output(TopN(FINAL)(RemoteSource[1])) > SINGLE
SOURCE TopN(PARTIAL)(InnerJoin(TopN(PARTIAL)(TableScan) RemoteSource[2])) > SINGLE
SOURCE TableScan > BROADCAST
`},
		{"sort merges", output(&plan.Sort{Input: scan("t", 1), Keys: sortKeys}), false, `
SINGLE Output(RemoteSource[1], merge a#1 ASC NULLS LAST) > SINGLE
SOURCE Sort(PARTIAL)(TableScan) > SINGLE
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
	}
}

// TestNumbers gives each node of each fragment a number of its own.
func TestNumbers(t *testing.T) {
	shared := scan("t", 1)
	u := &plan.Union{
		In: []plan.Node{shared, shared}, Columns: []plan.Column{{ID: 9, Type: bigint}},
		Sources: [][]plan.Column{shared.Columns[:1], shared.Columns[:1]},
	}
	p, err := Fragment(output(u), Options{})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[plan.NodeID]bool{}
	for _, f := range p.Fragments {
		plan.Walk(f.Root, func(n plan.Node) bool {
			if id := n.Common().ID; id == 0 || seen[id] {
				t.Errorf("number %d twice or missing", id)
			} else {
				seen[id] = true
			}
			return true
		})
	}
}
