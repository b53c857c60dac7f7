package plan

import (
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/tuttidb/tutti/sql/expr"
)

// Annotator adds a line of its own below a node's, such as run-time figures;
// "" adds none.
type Annotator func(n Node) []string

// Format prints a plan tree, one node a line, inputs indented below it.
func Format(n Node) string { return FormatWith(n, nil) }

// FormatWith is Format with further lines from note (which may be nil).
func FormatWith(n Node, note Annotator) string {
	var b strings.Builder
	p := printer{w: &b, note: note}
	p.node(n, 0)
	return b.String()
}

// FormatPlan prints every fragment of a distributed plan, root first.
func FormatPlan(p *Plan, note Annotator) string {
	var b strings.Builder
	for _, f := range p.Fragments {
		fmt.Fprintf(&b, "Fragment %d [%s]\n", f.ID, f.Spread)
		fmt.Fprintf(&b, "    Output: %s\n", f.Output)
		pr := printer{w: &b, note: note}
		pr.node(f.Root, 1)
		b.WriteByte('\n')
	}
	return b.String()
}

type printer struct {
	w    io.Writer
	note Annotator
	// shared are the classes whose input is printed already.
	shared map[int]bool
}

func (p *printer) node(n Node, depth int) {
	indent := strings.Repeat("    ", depth)
	name, detail := Describe(n)
	line := indent + "- " + name
	if detail != "" {
		line += "[" + detail + "]"
	}
	fmt.Fprintf(p.w, "%s => [%s]%s\n", line, columnList(n.Outputs()), estimate(n.Common().Est))
	for _, l := range nodeLines(n) {
		fmt.Fprintf(p.w, "%s      %s\n", indent, l)
	}
	if p.note != nil {
		for _, l := range p.note(n) {
			fmt.Fprintf(p.w, "%s      %s\n", indent, l)
		}
	}
	if s, ok := n.(*Shared); ok {
		if p.shared[s.Class] {
			return
		}
		if p.shared == nil {
			p.shared = map[int]bool{}
		}
		p.shared[s.Class] = true
	}
	for _, in := range n.Inputs() {
		p.node(in, depth+1)
	}
}

// estimate prints what the optimizer believes, if anything.
func estimate(e *Estimate) string {
	if e == nil || math.IsNaN(e.Rows) {
		return ""
	}
	return fmt.Sprintf(" {rows: %.0f}", e.Rows)
}

// Describe names a node and says what it does, for plans and profiles.
func Describe(n Node) (name, detail string) {
	switch n := n.(type) {
	case *Scan:
		return "TableScan", n.Catalog + "." + n.Table.Schema + "." + n.Table.Name
	case *Values:
		return "Values", fmt.Sprintf("%d rows", len(n.Rows))
	case *Filter:
		return "Filter", n.Predicate.String()
	case *Project:
		return "Project", ""
	case *Aggregate:
		return "Aggregate" + n.Step.suffix(), columnList(n.Keys)
	case *Join:
		return n.Kind.String(), joinDetail(n)
	case *Sort:
		return "Sort" + n.Step.suffix(), sortList(n.Keys)
	case *TopN:
		return "TopN" + n.Step.suffix(), fmt.Sprintf("%d by %s", n.N, sortList(n.Keys))
	case *Limit:
		return "Limit" + n.Step.suffix(), limitDetail(n)
	case *Union:
		return "Union", ""
	case *SingleRow:
		return "EnforceSingleRow", ""
	case *UniqueID:
		return "AssignUniqueId", ""
	}
	return describeRest(n)
}

func describeRest(n Node) (name, detail string) {
	switch n := n.(type) {
	case *RowNumber:
		detail = "partition by " + columnList(n.Partition) + " order by " + sortList(n.Keys)
		if n.Limit >= 0 {
			detail += fmt.Sprintf(" limit %d", n.Limit)
		}
		return "RowNumber", detail
	case *MarkDistinct:
		return "MarkDistinct", columnList(n.Keys)
	case *Unnest:
		return "Unnest", columnList(n.Exprs)
	case *Output:
		return "Output", strings.Join(n.Names, ", ")
	case *Write:
		return "TableWrite", n.Catalog + "." + n.Schema + "." + n.Table
	case *Shared:
		return "Shared", fmt.Sprint(n.Class)
	case *Exchange:
		return "Exchange", Partitioning{Kind: n.Kind, Keys: n.Keys}.String() + mergeDetail(n.OrderBy)
	case *RemoteSource:
		return "RemoteSource", fmt.Sprint(n.Fragments) + mergeDetail(n.OrderBy)
	}
	return fmt.Sprintf("%T", n), ""
}

func mergeDetail(keys []SortKey) string {
	if len(keys) == 0 {
		return ""
	}
	return ", merge " + sortList(keys)
}

func limitDetail(n *Limit) string {
	s := fmt.Sprint(n.N)
	if n.N < 0 {
		s = "all"
	}
	if n.Offset > 0 {
		s += fmt.Sprintf(" offset %d", n.Offset)
	}
	return s
}

func joinDetail(n *Join) string {
	parts := make([]string, len(n.Keys))
	for i, k := range n.Keys {
		parts[i] = k.Left.String() + " = " + k.Right.String()
	}
	s := strings.Join(parts, " AND ")
	if n.Dist != Undecided {
		s += ", " + n.Dist.String()
	}
	return strings.TrimPrefix(s, ", ")
}

// nodeLines prints what does not fit the node's own line.
func nodeLines(n Node) (lines []string) {
	switch n := n.(type) {
	case *Scan:
		return scanLines(n)
	case *Project:
		for _, a := range n.Cols {
			if c, ok := a.Expr.(*expr.Column); !ok || c.ID != a.Column.ID {
				lines = append(lines, a.Column.String()+" := "+a.Expr.String())
			}
		}
	case *Aggregate:
		for _, a := range n.Aggs {
			if n.Step == Partial {
				lines = append(lines, columnList(a.State)+" := "+a.Call.String())
			} else {
				lines = append(lines, a.Column.String()+" := "+a.Call.String())
			}
		}
	case *Join:
		if n.Filter != nil {
			lines = append(lines, "filter: "+n.Filter.String())
		}
		for _, d := range n.Dynamic {
			lines = append(lines, fmt.Sprintf("dynamic filter %d from %s", d.Filter, d.Column))
		}
	case *Values:
		for i, r := range n.Rows {
			if i == 3 {
				return append(lines, "…")
			}
			lines = append(lines, rowText(r))
		}
	}
	return lines
}

func scanLines(n *Scan) (lines []string) {
	if n.Predicate != nil {
		lines = append(lines, "predicate: "+n.Predicate.String())
	}
	if n.Hint != nil {
		lines = append(lines, "hint: "+n.Hint.String())
	}
	if n.Limit >= 0 {
		lines = append(lines, fmt.Sprintf("limit: %d", n.Limit))
	}
	for _, d := range n.Dynamic {
		lines = append(lines, fmt.Sprintf("dynamic filter %d on #%d", d.Filter, d.Column))
	}
	return lines
}

func rowText(row []expr.Expr) string {
	parts := make([]string, len(row))
	for i, e := range row {
		parts[i] = e.String()
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

// String prints the column's name and id.
func (c Column) String() string { return c.Ref().String() }

func columnList(cols []Column) string {
	parts := make([]string, len(cols))
	for i, c := range cols {
		parts[i] = c.String()
	}
	return strings.Join(parts, ", ")
}

func sortList(keys []SortKey) string {
	parts := make([]string, len(keys))
	for i, k := range keys {
		parts[i] = k.String()
	}
	return strings.Join(parts, ", ")
}

// String prints the key as in ORDER BY.
func (k SortKey) String() string {
	s := k.Column.String() + " ASC"
	if k.Descending {
		s = k.Column.String() + " DESC"
	}
	if k.NullsFirst {
		return s + " NULLS FIRST"
	}
	return s + " NULLS LAST"
}

// String names the step.
func (s Step) String() string { return [...]string{"SINGLE", "PARTIAL", "FINAL"}[s] }

func (s Step) suffix() string {
	if s == Single {
		return ""
	}
	return "(" + s.String() + ")"
}

// String names the kind of join, as EXPLAIN shows it.
func (k JoinKind) String() string {
	return [...]string{"InnerJoin", "LeftJoin", "RightJoin", "FullJoin", "SemiJoin", "AntiJoin", "NullAwareAntiJoin", "MarkJoin"}[k]
}

// String names the distribution.
func (d Distribution) String() string {
	return [...]string{"undecided", "PARTITIONED", "REPLICATED"}[d]
}

// String names the kind of exchange.
func (k ExchangeKind) String() string {
	return [...]string{"SINGLE", "HASH", "BROADCAST", "ROUND_ROBIN"}[k]
}

// String prints the kind and its keys.
func (p Partitioning) String() string {
	if len(p.Keys) == 0 {
		return p.Kind.String()
	}
	return p.Kind.String() + "(" + columnList(p.Keys) + ")"
}

// String names the spread as EXPLAIN shows it.
func (s Spread) String() string {
	return [...]string{"SINGLE", "SOURCE", "HASH", "COORDINATOR_ONLY"}[s]
}
