package coordinator

import (
	"encoding/json"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tuttidb/tutti/internal/qerr"
)

// explainRow runs EXPLAIN and returns its one text.
func explainRow(t *testing.T, c *Coordinator, sql string) string {
	t.Helper()
	columns, rows, err := result(t, c, sql, session())
	if err != nil || len(rows) != 1 || !strings.HasPrefix(columns, "Query Plan varchar(") {
		t.Fatalf("%s: columns %s, %d rows, %v", sql, columns, len(rows), err)
	}
	return rows[0]
}

// jsonNode is a node as EXPLAIN (FORMAT JSON) prints it in Trino; a field too
// many or of another type is an error.
type jsonNode struct {
	ID         string            `json:"id"`
	Name       string            `json:"name"`
	Descriptor map[string]string `json:"descriptor"`
	Outputs    []struct {
		Type string `json:"type"`
		Name string `json:"name"`
	} `json:"outputs"`
	Details   []string   `json:"details"`
	Estimates []estimate `json:"estimates"`
	Children  []jsonNode `json:"children"`
}

type estimate struct {
	Rows    any `json:"outputRowCount"`
	Bytes   any `json:"outputSizeInBytes"`
	CPU     any `json:"cpuCost"`
	Memory  any `json:"memoryCost"`
	Network any `json:"networkCost"`
}

func decodeStrictly(t *testing.T, text string, into any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
}

// names lists the nodes, parents first.
func (n jsonNode) names() []string {
	out := []string{n.Name}
	for _, c := range n.Children {
		out = append(out, c.names()...)
	}
	return out
}

func (n jsonNode) find(name string) *jsonNode {
	if n.Name == name {
		return &n
	}
	for _, c := range n.Children {
		if found := c.find(name); found != nil {
			return found
		}
	}
	return nil
}

// columnNumber is what tells columns of one name apart; which number a column
// has is nobody's promise.
var columnNumber = regexp.MustCompile(`#[0-9]+`)

func TestExplainJSON(t *testing.T) {
	c := newStatements(t)
	for _, s := range []struct {
		sql, node  string
		descriptor map[string]string
		details    []string
	}{
		{"SELECT name AS n FROM nation", "Output", map[string]string{"columnNames": "[n]"}, nil},
		{"SELECT name FROM nation", "TableScan", map[string]string{"table": "tpch:tiny:nation"}, []string{"name# := tpch:name"}},
		{"SELECT count(*) FROM nation", "Aggregate", map[string]string{"type": "", "keys": "", "hash": "[]"}, nil},
		{"SELECT regionkey, max(name) FROM nation GROUP BY 1", "Aggregate", map[string]string{"type": "", "keys": "[regionkey#]"}, nil},
		{"SELECT 1 FROM nation n JOIN region r ON n.regionkey = r.regionkey", "InnerJoin", map[string]string{"criteria": "(regionkey# = regionkey#)"}, nil},
		{"SELECT 1 FROM nation n LEFT JOIN region r ON n.regionkey = r.regionkey AND n.name < r.name", "LeftJoin", map[string]string{"filter": "(name# < name#)"}, nil},
		{"SELECT 1 FROM nation, region", "CrossJoin", nil, nil},
		{"SELECT name FROM nation ORDER BY name", "Sort", map[string]string{"orderBy": "[name# ASC NULLS LAST]"}, nil},
		{"SELECT name FROM nation ORDER BY name DESC LIMIT 3", "TopN", map[string]string{"count": "3", "orderBy": "[name# DESC NULLS LAST]"}, nil},
		{"SELECT name FROM nation LIMIT 3", "Limit", map[string]string{"count": "3", "withTies": "", "inputPreSortedBy": "[]"}, nil},
		{"SELECT name FROM nation OFFSET 2", "Limit", map[string]string{"count": "", "offset": "2"}, nil},
		{"SELECT 1 UNION ALL SELECT nationkey FROM nation", "Union", nil, nil},
		{"VALUES 1, 2", "Values", map[string]string{}, []string{"(1)", "(2)"}},
		{"SELECT nationkey + 1 FROM nation", "Project", nil, nil},
		{"SELECT nationkey FROM nation WHERE nationkey % 2 = 1", "Filter", nil, nil},
		{"SELECT * FROM UNNEST(ARRAY[1, 2])", "Unnest", nil, nil},
		{"CREATE TABLE memory.default.x AS SELECT * FROM nation", "TableWriter", map[string]string{"target": "memory:default:x"}, nil},
	} {
		var logical jsonNode
		text := columnNumber.ReplaceAllString(explainRow(t, c, "EXPLAIN (TYPE LOGICAL, FORMAT JSON) "+s.sql), "#")
		decodeStrictly(t, text, &logical)
		n := logical.find(s.node)
		if n == nil {
			t.Errorf("%s: no node %s among %v", s.sql, s.node, logical.names())
			continue
		}
		for k, v := range s.descriptor {
			if n.Descriptor[k] != v {
				t.Errorf("%s: %s has %s %q, want %q", s.sql, s.node, k, n.Descriptor[k], v)
			}
		}
		if s.details != nil && !slices.Equal(n.Details, s.details) {
			t.Errorf("%s: %s has details %q, want %q", s.sql, s.node, n.Details, s.details)
		}
		if len(n.Estimates) != 1 || n.Estimates[0].CPU != "NaN" {
			t.Errorf("%s: %s has estimates %v", s.sql, s.node, n.Estimates)
		}
	}
}

// TestExplainJSONFragments: the distributed plan is an object of trees, whose
// numbers the remote sources name.
func TestExplainJSONFragments(t *testing.T) {
	c := newStatements(t)
	c.deps.Cluster = &fakeExecutor{tasks: 2}
	for _, sql := range []string{
		"EXPLAIN (FORMAT JSON) SELECT orderkey, count(*) FROM tpch.sf100.lineitem GROUP BY 1",
		"EXPLAIN (TYPE DISTRIBUTED, FORMAT JSON) SELECT comment FROM tpch.sf100.lineitem ORDER BY 1",
	} {
		var fragments map[string]jsonNode
		decodeStrictly(t, explainRow(t, c, sql), &fragments)
		read := map[string]bool{"0": true}
		seen := map[string]bool{}
		var visit func(n jsonNode)
		visit = func(n jsonNode) {
			if seen[n.ID] {
				t.Errorf("%s: two nodes are number %s", sql, n.ID)
			}
			seen[n.ID] = true
			for id := range strings.SplitSeq(strings.Trim(n.Descriptor["sourceFragmentIds"], "[]"), ", ") {
				read[id] = true
			}
			for _, c := range n.Children {
				visit(c)
			}
		}
		for _, f := range fragments {
			visit(f)
		}
		for id := range fragments {
			if !read[id] {
				t.Errorf("%s: nothing reads fragment %s", sql, id)
			}
		}
		if len(fragments) < 2 || fragments["0"].Name != "Output" {
			t.Errorf("%s: %d fragments, the root is %s", sql, len(fragments), fragments["0"].Name)
		}
	}
}

func TestExplainGraphviz(t *testing.T) {
	c := newStatements(t)
	got := explainRow(t, c, "EXPLAIN (TYPE LOGICAL, FORMAT GRAPHVIZ) SELECT name FROM nation WHERE name < 'x|\"y'")
	for _, want := range []string{
		"digraph logical_plan {\nsubgraph cluster_graphviz_plan {\nlabel = \"SINGLE\"\nplannode_1[label=\"{Output|columnNames = [name]}\", style=\"rounded, filled\", shape=record, fillcolor=white];\n",
		`'x\|\"y'`, "plannode_1 -> plannode_2;\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	c.deps.Cluster = &fakeExecutor{tasks: 2}
	got = explainRow(t, c, "EXPLAIN (FORMAT GRAPHVIZ) SELECT orderkey, count(*) FROM tpch.sf100.lineitem GROUP BY 1")
	for _, want := range []string{"digraph distributed_plan {\nsubgraph cluster_0 {\n", "subgraph cluster_2 {\nlabel = \"SOURCE\"\n", "fillcolor=gold"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Count(got, "{") != strings.Count(got, "}") || strings.Count(got, " -> ")+1 != strings.Count(got, "[label=") {
		t.Errorf("not a tree:\n%s", got)
	}
}

// TestExplainIO: the conditions on a table's columns as Trino prints them.
func TestExplainIO(t *testing.T) {
	c := newStatements(t)
	type end struct {
		Value *string `json:"value"`
		Bound string  `json:"bound"`
	}
	type table struct {
		Catalog     string `json:"catalog"`
		SchemaTable struct {
			Schema string `json:"schema"`
			Table  string `json:"table"`
		} `json:"schemaTable"`
	}
	type io struct {
		Inputs []struct {
			Table      table `json:"table"`
			Constraint struct {
				None    bool `json:"none"`
				Columns []struct {
					Name   string `json:"columnName"`
					Type   string `json:"type"`
					Domain struct {
						Nulls  bool `json:"nullsAllowed"`
						Ranges []struct {
							Low  end `json:"low"`
							High end `json:"high"`
						} `json:"ranges"`
					} `json:"domain"`
				} `json:"columnConstraints"`
			} `json:"constraint"`
			Estimate any `json:"estimate"`
		} `json:"inputTableColumnInfos"`
		Output   *table `json:"outputTable"`
		Estimate struct {
			Rows    any `json:"outputRowCount"`
			Bytes   any `json:"outputSizeInBytes"`
			CPU     any `json:"cpuCost"`
			Memory  any `json:"maxMemory"`
			Network any `json:"networkCost"`
		} `json:"estimate"`
	}
	text := func(e end) string {
		if e.Value == nil {
			return e.Bound
		}
		return e.Bound + " " + *e.Value
	}
	for _, s := range []struct{ where, want string }{
		{"nationkey > 3", "nationkey bigint: ABOVE 3 to BELOW"},
		{"3 >= nationkey", "nationkey bigint: ABOVE to EXACTLY 3"},
		{"nationkey IN (1, 2, 3, 9)", "nationkey bigint: EXACTLY 1 to EXACTLY 3, EXACTLY 9 to EXACTLY 9"},
		{"nationkey BETWEEN 2 AND 5 AND nationkey < 5", "nationkey bigint: EXACTLY 2 to BELOW 5"},
		{"nationkey < 2 OR nationkey > 20", "nationkey bigint: ABOVE to BELOW 2, ABOVE 20 to BELOW"},
		{"name = 'ASIA'", "name varchar(25): EXACTLY ASIA to EXACTLY ASIA"},
		{"name >= 'A' AND regionkey = 1", "name varchar(25): EXACTLY A to BELOW; regionkey bigint: EXACTLY 1 to EXACTLY 1"},
		{"name LIKE '%x%' AND nationkey + regionkey = 3", ""},
		{"nationkey = 1 OR regionkey = 2", ""},
	} {
		var got io
		decodeStrictly(t, explainRow(t, c, "EXPLAIN (TYPE IO) SELECT * FROM nation WHERE "+s.where), &got)
		var lines []string
		if len(got.Inputs) != 1 || got.Inputs[0].Table.SchemaTable.Table != "nation" || got.Output != nil {
			t.Errorf("%s: reads %+v", s.where, got.Inputs)
			continue
		}
		for _, col := range got.Inputs[0].Constraint.Columns {
			var spans []string
			for _, r := range col.Domain.Ranges {
				spans = append(spans, text(r.Low)+" to "+text(r.High))
			}
			lines = append(lines, col.Name+" "+col.Type+": "+strings.Join(spans, ", "))
		}
		if all := strings.Join(lines, "; "); all != s.want {
			t.Errorf("%s: %s, want %s", s.where, all, s.want)
		}
	}
	var got io
	decodeStrictly(t, explainRow(t, c, "EXPLAIN (TYPE IO, FORMAT JSON) CREATE TABLE memory.default.x AS SELECT o.orderkey FROM orders o JOIN customer c ON o.custkey = c.custkey"), &got)
	if len(got.Inputs) != 2 || got.Output == nil || got.Output.Catalog != "memory" || got.Output.SchemaTable.Table != "x" {
		t.Errorf("reads %d tables and writes %+v", len(got.Inputs), got.Output)
	}
	if _, _, err := result(t, c, "EXPLAIN (TYPE IO, FORMAT GRAPHVIZ) SELECT 1", session()); !qerr.Is(err, qerr.NotSupportedCode) {
		t.Errorf("GRAPHVIZ of IO: %v", err)
	}
}

// TestDomains: intersections and unions of ranges.
func TestDomains(t *testing.T) {
	at := func(v int64) *bound { return &bound{value: v} }
	open := func(v int64) *bound { return &bound{value: v, open: true} }
	text := func(d domain) string {
		var parts []string
		for _, s := range d.ranges {
			end := func(b *bound, open string) string {
				switch {
				case b == nil:
					return open
				case b.open:
					return "~" + numberText(float64(b.value.(int64)))
				}
				return numberText(float64(b.value.(int64)))
			}
			parts = append(parts, end(s.low, "-")+".."+end(s.high, "+"))
		}
		return strings.Join(parts, " ")
	}
	for _, c := range []struct {
		a, b    span
		and, or string
	}{
		{span{at(1), at(5)}, span{at(3), at(9)}, "3.0..5.0", "1.0..9.0"},
		{span{at(1), at(2)}, span{at(3), at(4)}, "", "1.0..4.0"},
		{span{at(1), at(2)}, span{at(5), at(6)}, "", "1.0..2.0 5.0..6.0"},
		{span{nil, open(3)}, span{open(3), nil}, "", "-..~3.0 ~3.0..+"},
		{span{nil, at(3)}, span{at(3), nil}, "3.0..3.0", "-..+"},
		{span{nil, open(3)}, span{at(3), nil}, "", "-..+"},
		{span{nil, nil}, span{at(3), open(4)}, "3.0..~4.0", "-..+"},
		{span{at(1), open(5)}, span{open(1), at(5)}, "~1.0..~5.0", "1.0..5.0"},
	} {
		a, b := domain{ranges: []span{c.a}}, domain{ranges: []span{c.b}}
		for range 2 {
			if and, or := text(a.and(b)), text(a.or(b)); and != c.and || or != c.or {
				t.Errorf("%s with %s: and %q, or %q; want %q and %q", text(a), text(b), and, or, c.and, c.or)
			}
			a, b = b, a
		}
	}
	if d := (domain{nulls: true}).and(domain{ranges: []span{{}}}); !d.empty() {
		t.Errorf("null and not null allow %+v", d)
	}
}

func TestJSONText(t *testing.T) {
	got := jsonText(object{
		{"empty", object{}}, {"none", list{}}, {"n", 3.0}, {"nan", math.NaN()}, {"small", 0.25}, {"yes", true},
		{"list", list{"a<b", object{{"x", "q\"\n"}}}},
	})
	want := `{
  "empty" : { },
  "none" : [ ],
  "n" : 3.0,
  "nan" : "NaN",
  "small" : 0.25,
  "yes" : true,
  "list" : [ "a<b", {
    "x" : "q\"\n"
  } ]
}`
	if got != want {
		t.Errorf("printed\n%s\nwant\n%s", got, want)
	}
}
