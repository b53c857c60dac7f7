package coordinator

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/tuttidb/tutti/planner/plan"
)

// logicalJSON is EXPLAIN (TYPE LOGICAL, FORMAT JSON): one tree of nodes.
func logicalJSON(root plan.Node) string {
	number := 0
	return jsonText(nodeJSON(root, func(plan.Node) int { number++; return number - 1 }))
}

// distributedJSON is EXPLAIN (FORMAT JSON): a tree for each fragment, under
// the fragment's number.
func distributedJSON(p *plan.Plan) string {
	var fragments object
	for _, f := range p.Fragments {
		fragments = append(fragments, field{strconv.Itoa(int(f.ID)), nodeJSON(f.Root, func(n plan.Node) int { return int(n.Common().ID) })})
	}
	return jsonText(fragments)
}

// nodeJSON describes a node and those below it; number gives them their IDs.
func nodeJSON(n plan.Node, number func(plan.Node) int) object {
	t, id := textOf(n), strconv.Itoa(number(n))
	outputs, details, children := list{}, list{}, list{}
	for _, c := range n.Outputs() {
		outputs = append(outputs, object{{"type", c.Type.String()}, {"name", c.String()}})
	}
	for _, d := range t.details {
		details = append(details, d)
	}
	for _, in := range n.Inputs() {
		children = append(children, nodeJSON(in, number))
	}
	return object{
		{"id", id}, {"name", t.name}, {"descriptor", object(t.descriptor)},
		{"outputs", outputs}, {"details", details}, {"estimates", list{estimateJSON(n, "memoryCost")}}, {"children", children},
	}
}

// estimateJSON has Trino's fields; costs are not estimated, only sizes.
func estimateJSON(n plan.Node, memory string) object {
	rows, bytes := estimateOf(n)
	return object{
		{"outputRowCount", rows}, {"outputSizeInBytes", bytes},
		{"cpuCost", math.NaN()}, {memory, math.NaN()}, {"networkCost", math.NaN()},
	}
}

// graph prints plans in the language of Graphviz's dot.
type graph struct {
	b     strings.Builder
	nodes int
	edges []string
	// roots are the numbers of the fragments' roots, readers the nodes that
	// read a fragment's output.
	roots   map[plan.FragmentID]int
	readers map[plan.FragmentID][]int
}

// logicalDot is EXPLAIN (TYPE LOGICAL, FORMAT GRAPHVIZ).
func logicalDot(root plan.Node) string {
	var g graph
	g.b.WriteString("digraph logical_plan {\nsubgraph cluster_graphviz_plan {\nlabel = \"SINGLE\"\n")
	g.node(root)
	g.b.WriteString("}\n" + strings.Join(g.edges, "") + "}\n")
	return g.b.String()
}

// distributedDot is EXPLAIN (FORMAT GRAPHVIZ): fragments are clusters.
func distributedDot(p *plan.Plan) string {
	g := graph{roots: map[plan.FragmentID]int{}, readers: map[plan.FragmentID][]int{}}
	g.b.WriteString("digraph distributed_plan {\n")
	for _, f := range p.Fragments {
		fmt.Fprintf(&g.b, "subgraph cluster_%d {\nlabel = %s\n", f.ID, dotString(f.Spread.String()))
		g.roots[f.ID] = g.node(f.Root)
		g.b.WriteString("}\n")
	}
	for _, f := range p.Fragments {
		for _, r := range g.readers[f.ID] {
			g.edges = append(g.edges, fmt.Sprintf("plannode_%d -> plannode_%d;\n", r, g.roots[f.ID]))
		}
	}
	g.b.WriteString(strings.Join(g.edges, "") + "}\n")
	return g.b.String()
}

// node prints n and what is below it, and returns its number.
func (g *graph) node(n plan.Node) int {
	g.nodes++
	at := g.nodes
	t := textOf(n)
	label := t.name
	for _, f := range t.descriptor {
		if s, _ := f.value.(string); s != "" && s != "[]" {
			label += "|" + recordText(f.name+" = "+s)
		}
	}
	fmt.Fprintf(&g.b, "plannode_%d[label=%s, style=\"rounded, filled\", shape=record, fillcolor=%s];\n", at, dotString("{"+label+"}"), color(n))
	if r, ok := n.(*plan.RemoteSource); ok {
		for _, f := range r.Fragments {
			g.readers[f] = append(g.readers[f], at)
		}
	}
	for _, in := range n.Inputs() {
		edge := len(g.edges)
		g.edges = append(g.edges, "")
		g.edges[edge] = fmt.Sprintf("plannode_%d -> plannode_%d;\n", at, g.node(in))
	}
	return at
}

// color tells kinds of nodes apart.
func color(n plan.Node) string {
	switch n.(type) {
	case *plan.Scan, *plan.Values:
		return "deepskyblue"
	case *plan.Exchange, *plan.RemoteSource:
		return "gold"
	case *plan.Join:
		return "orange"
	case *plan.Aggregate, *plan.MarkDistinct:
		return "chartreuse3"
	case *plan.Filter:
		return "yellow"
	case *plan.Project:
		return "bisque"
	case *plan.Sort, *plan.TopN, *plan.Limit:
		return "gray"
	}
	return "white"
}

// recordText escapes what divides the fields of a record's label.
func recordText(s string) string {
	return strings.NewReplacer(`\`, `\\`, "{", `\{`, "}", `\}`, "|", `\|`, "<", `\<`, ">", `\>`).Replace(s)
}

func dotString(s string) string {
	return `"` + strings.NewReplacer(`"`, `\"`, "\n", `\n`).Replace(s) + `"`
}
