package coordinator

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/tuttidb/tutti/planner/plan"
)

// nodeText is a plan node in the words of Trino's EXPLAIN (FORMAT JSON), which
// tools read: its name, the fields of its descriptor, and further lines.
type nodeText struct {
	name       string
	descriptor []field
	details    []string
}

// textOf describes a node.
func textOf(n plan.Node) nodeText {
	switch n := n.(type) {
	case *plan.Output:
		return outputText(n)
	case *plan.Scan:
		return scanText(n)
	case *plan.Filter:
		return nodeText{name: "Filter", descriptor: []field{{"filterPredicate", n.Predicate.String()}}}
	case *plan.Project:
		return nodeText{name: "Project", details: plan.Lines(n)}
	case *plan.Aggregate:
		return nodeText{name: "Aggregate", descriptor: []field{{"type", stepText(n.Step)}, {"keys", keysText(n.Keys)}, {"hash", "[]"}}, details: plan.Lines(n)}
	case *plan.Join:
		return joinText(n)
	case *plan.Sort:
		name := "Sort"
		if n.Step == plan.Partial {
			name = "PartialSort"
		}
		return nodeText{name: name, descriptor: []field{{"orderBy", orderText(n.Keys)}}}
	case *plan.TopN:
		return nodeText{name: "TopN" + partialSuffix(n.Step), descriptor: []field{{"count", strconv.FormatInt(n.N, 10)}, {"orderBy", orderText(n.Keys)}}}
	case *plan.Limit:
		return nodeText{name: "Limit" + partialSuffix(n.Step), descriptor: limitFields(n)}
	case *plan.Exchange:
		return exchangeText(n)
	case *plan.RemoteSource:
		name := "RemoteSource"
		if len(n.OrderBy) > 0 {
			name = "RemoteMerge"
		}
		return nodeText{name: name, descriptor: []field{{"sourceFragmentIds", idsText(n.Fragments)}}}
	}
	return otherText(n)
}

// otherText describes the nodes that are seldom seen, by the names and texts
// of FORMAT TEXT.
func otherText(n plan.Node) nodeText {
	switch n := n.(type) {
	case *plan.RowNumber:
		fields := []field{{"partitionBy", listText(n.Partition)}, {"orderBy", orderText(n.Keys)}}
		if n.Limit >= 0 {
			fields = append(fields, field{"limit", strconv.FormatInt(n.Limit, 10)})
		}
		return nodeText{name: "RowNumber", descriptor: fields, details: []string{n.Column.String() + " := row_number()"}}
	case *plan.MarkDistinct:
		return nodeText{name: "MarkDistinct", descriptor: []field{{"distinct", listText(n.Keys)}, {"marker", n.Column.String()}}}
	case *plan.Unnest:
		return nodeText{name: "Unnest", descriptor: []field{{"replicate", listText(n.Replicate)}, {"unnest", listText(n.Exprs)}}}
	case *plan.Write:
		return nodeText{name: "TableWriter", descriptor: []field{{"target", n.Catalog + ":" + n.Schema + ":" + n.Table}}}
	case *plan.Values:
		return nodeText{name: "Values", details: plan.Lines(n)}
	}
	name, detail := plan.Describe(n)
	t := nodeText{name: name, details: plan.Lines(n)}
	if detail != "" {
		t.descriptor = []field{{"detail", detail}}
	}
	return t
}

func outputText(n *plan.Output) nodeText {
	t := nodeText{name: "Output", descriptor: []field{{"columnNames", "[" + strings.Join(n.Names, ", ") + "]"}}}
	for i, c := range n.Cols {
		if c.Name != n.Names[i] {
			t.details = append(t.details, n.Names[i]+" := "+c.String())
		}
	}
	return t
}

func scanText(n *plan.Scan) nodeText {
	t := nodeText{name: "TableScan", descriptor: []field{{"table", n.Catalog + ":" + n.Table.Schema + ":" + n.Table.Name}}}
	if n.Predicate != nil || len(n.Dynamic) > 0 {
		predicate := ""
		if n.Predicate != nil {
			predicate = n.Predicate.String()
		}
		t.name = "ScanFilter"
		t.descriptor = append(t.descriptor, field{"filterPredicate", predicate})
	}
	if len(n.Dynamic) > 0 {
		uses := make([]string, len(n.Dynamic))
		for i, d := range n.Dynamic {
			uses[i] = fmt.Sprintf("#%d = #df_%d", d.Column, d.Filter)
		}
		t.descriptor = append(t.descriptor, field{"dynamicFilters", "{" + strings.Join(uses, ", ") + "}"})
	}
	for i, c := range n.Columns {
		t.details = append(t.details, c.String()+" := "+n.Catalog+":"+n.Table.Columns[n.Ordinals[i]].Name)
	}
	return t
}

func joinText(n *plan.Join) nodeText {
	t := nodeText{name: n.Kind.String()}
	if len(n.Keys) == 0 && n.Filter == nil && n.Kind == plan.InnerJoin {
		t.name = "CrossJoin"
	}
	criteria := make([]string, len(n.Keys))
	for i, k := range n.Keys {
		criteria[i] = "(" + k.Left.String() + " = " + k.Right.String() + ")"
	}
	if len(criteria) > 0 {
		t.descriptor = append(t.descriptor, field{"criteria", strings.Join(criteria, " AND ")})
	}
	if n.Filter != nil {
		t.descriptor = append(t.descriptor, field{"filter", n.Filter.String()})
	}
	t.descriptor = append(t.descriptor, field{"hash", "[]"})
	if n.Dist != plan.Undecided {
		t.descriptor = append(t.descriptor, field{"distribution", n.Dist.String()})
		t.details = append(t.details, "Distribution: "+n.Dist.String())
	}
	if len(n.Dynamic) > 0 {
		made := make([]string, len(n.Dynamic))
		for i, d := range n.Dynamic {
			made[i] = fmt.Sprintf("%s -> #df_%d", d.Column, d.Filter)
		}
		t.details = append(t.details, "dynamicFilterAssignments = {"+strings.Join(made, ", ")+"}")
	}
	return t
}

func exchangeText(n *plan.Exchange) nodeText {
	kind := map[plan.ExchangeKind]string{plan.Gather: "GATHER", plan.Replicate: "REPLICATE"}[n.Kind]
	if kind == "" {
		kind = "REPARTITION"
	}
	t := nodeText{name: "RemoteExchange", descriptor: []field{{"type", kind}}}
	if len(n.OrderBy) > 0 {
		t = nodeText{name: "RemoteMerge", descriptor: []field{{"orderBy", orderText(n.OrderBy)}}}
	}
	if len(n.Keys) > 0 {
		t.descriptor = append(t.descriptor, field{"arguments", listText(n.Keys)})
	}
	return t
}

func limitFields(n *plan.Limit) []field {
	count := ""
	if n.N >= 0 {
		count = strconv.FormatInt(n.N, 10)
	}
	fields := []field{{"count", count}, {"withTies", ""}, {"inputPreSortedBy", "[]"}}
	if n.Offset > 0 {
		fields = append(fields, field{"offset", strconv.FormatInt(n.Offset, 10)})
	}
	return fields
}

func stepText(s plan.Step) string {
	if s == plan.Single {
		return ""
	}
	return s.String()
}

func partialSuffix(s plan.Step) string {
	if s == plan.Partial {
		return "Partial"
	}
	return ""
}

// keysText is listText, but nothing for no columns.
func keysText(cols []plan.Column) string {
	if len(cols) == 0 {
		return ""
	}
	return listText(cols)
}

func listText(cols []plan.Column) string {
	parts := make([]string, len(cols))
	for i, c := range cols {
		parts[i] = c.String()
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func orderText(keys []plan.SortKey) string {
	parts := make([]string, len(keys))
	for i, k := range keys {
		parts[i] = k.String()
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func idsText(ids []plan.FragmentID) string {
	parts := make([]string, len(ids))
	for i, id := range ids {
		parts[i] = strconv.Itoa(int(id))
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// estimateOf returns a node's estimate, NaN where nothing is known.
func estimateOf(n plan.Node) (rows, bytes float64) {
	if e := n.Common().Est; e != nil {
		return e.Rows, e.Bytes
	}
	return math.NaN(), math.NaN()
}
