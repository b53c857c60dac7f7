package optimize_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tuttidb/tutti/planner/fragment"
	"github.com/tuttidb/tutti/planner/optimize"
	"github.com/tuttidb/tutti/planner/plan"
)

// TestEquivalence runs random queries as they come from the builder and
// optimized, and compares the rows: with and without statistics, spread and
// in one task, with join orders as written.
func TestEquivalence(t *testing.T) {
	b := newBench(t, "tiny")
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	g := &generator{r: rand.New(rand.NewPCG(seed, 1))}
	const queries = 100
	full := 0
	for i := range queries {
		sql := g.query()
		n, err := b.build(sql)
		if err != nil {
			t.Fatalf("query %d: %s\n%v", i, sql, err)
		}
		want, err := b.answer(t, n, nil, true)
		if err != nil {
			t.Fatalf("query %d: %s\n%v", i, sql, err)
		}
		if len(want) > 0 {
			full++
		}
		for _, opts := range []optimize.Options{
			{ReorderJoins: true, DynamicFilters: true, Tasks: 1, ShareRows: 1, EagerRows: 1},
			{ReorderJoins: true, DynamicFilters: true, Tasks: 4, Distribution: "PARTITIONED", ShareRows: 1, EagerRows: 1},
			{Tasks: 4, Distribution: "BROADCAST"},
		} {
			got, err := b.answer(t, n, &opts, opts.Tasks == 1)
			if err != nil || !slices.Equal(got, want) {
				n, _ = optimize.Optimize(t.Context(), n, b, b, opts)
				t.Fatalf("seed %d, query %d: %s\n%v\ngot %d rows %.300s\nwant %d rows %.300s\n%s", seed, i, sql, err, len(got), got, len(want), want, plan.Format(n))
			}
		}
	}
	if full < queries/4 {
		t.Errorf("only %d of %d queries have rows", full, queries)
	}
}

// answer runs a plan, optimized if opts is not nil, and returns its rows sorted.
func (b *bench) answer(t *testing.T, n plan.Node, opts *optimize.Options, oneTask bool) ([]string, error) {
	var err error
	if opts != nil {
		if n, err = optimize.Optimize(t.Context(), n, b, b, *opts); err != nil {
			return nil, err
		}
	}
	p, err := fragment.Fragment(n, fragment.Options{OneTask: oneTask})
	if err != nil {
		return nil, err
	}
	rows, err := b.run(t, p)
	var out []string
	for _, r := range rows {
		out = append(out, strings.Join(r, "|"))
	}
	slices.Sort(out)
	return out, err
}

// generator writes random queries over small relations, some of which have
// nulls and repetitions.
type generator struct {
	r    *rand.Rand
	next int
}

// relations have columns a and b (bigint, may be null), c (varchar).
var relations = []string{
	"(SELECT nullif(n_regionkey, 2) a, n_nationkey b, n_name c FROM nation)",
	"(SELECT r_regionkey a, nullif(r_regionkey, 1) b, r_name c FROM region)",
	"(SELECT s_nationkey a, s_suppkey b, s_name c FROM supplier WHERE s_suppkey < 40)",
	"(SELECT s_nationkey a, count(*) b, max(s_name) c FROM supplier GROUP BY s_nationkey)",
	"(SELECT DISTINCT c_nationkey a, nullif(c_nationkey, 5) b, c_mktsegment c FROM customer WHERE c_custkey < 100)",
	"(SELECT n_nationkey a, n_regionkey b, n_name c FROM nation UNION ALL SELECT r_regionkey, 3, r_name FROM region)",
	"(SELECT p_size a, nullif(p_partkey, 7) b, p_brand c FROM part WHERE p_partkey < 60)",
	"(SELECT n_nationkey a, n_regionkey b, n_name c FROM nation ORDER BY n_name LIMIT 7)",
	"(SELECT x.s_nationkey a, nullif(y.n_nationkey, 4) b, y.n_name c FROM supplier x JOIN nation y ON x.s_nationkey = y.n_nationkey WHERE x.s_suppkey < 30)",
	"(VALUES (1, 2, 'x'), (2, NULL, 'y'), (NULL, 3, NULL), (3, 3, 'x')) ",
}

func (g *generator) pick(list ...string) string { return list[g.r.IntN(len(list))] }

func (g *generator) chance(percent int) bool { return g.r.IntN(100) < percent }

// relation returns a relation and its name.
func (g *generator) relation() (text, name string) {
	g.next++
	name = fmt.Sprintf("t%d", g.next)
	return g.pick(relations...) + " " + name + "(a, b, c)", name
}

func (g *generator) column(names []string) string {
	return g.pick(names...) + "." + g.pick("a", "b")
}

// condition is a boolean expression over the named relations.
func (g *generator) condition(names []string, depth int) string {
	if depth > 0 {
		x, y := g.condition(names, depth-1), g.condition(names, depth-1)
		switch g.r.IntN(8) {
		case 0, 1:
			return "(" + x + " AND " + y + ")"
		case 2, 3:
			return "(" + x + " OR " + y + ")"
		case 4:
			z := g.condition(names, depth-1)
			return "((" + x + " AND " + y + ") OR (" + z + " AND " + x + "))"
		case 5:
			return "(NOT " + x + ")"
		}
		return x
	}
	x := g.column(names)
	switch g.r.IntN(10) {
	case 0, 1, 2:
		return x + " = " + g.column(names)
	case 3:
		return fmt.Sprintf("%s = %d", x, g.r.IntN(6))
	case 4:
		return fmt.Sprintf("%s BETWEEN %d AND %d", x, g.r.IntN(6), g.r.IntN(12))
	case 5:
		return fmt.Sprintf("%s IN (%d, %d, 1 + %d)", x, g.r.IntN(6), g.r.IntN(12), g.r.IntN(5))
	case 6:
		return x + g.pick(" IS NULL", " IS NOT NULL")
	case 7:
		return g.pick(names...) + ".c " + g.pick("LIKE 'A%'", "< 'M'", "= 'x'", "<> 'CHINA'")
	case 8:
		return x + g.pick(" < ", " <> ", " >= ") + g.column(names)
	}
	return fmt.Sprintf("coalesce(%s, %d) %s %d", x, g.r.IntN(5), g.pick("<", ">", "="), g.r.IntN(8))
}

// subquery is a condition with a subquery, correlated or not.
func (g *generator) subquery(names []string) string {
	rel, name := g.relation()
	inner := " FROM " + rel + " WHERE " + g.condition([]string{name}, 0)
	link := fmt.Sprintf(" AND %s.a = %s", name, g.column(names))
	switch g.r.IntN(6) {
	case 0:
		return "EXISTS (SELECT 1" + inner + link + ")"
	case 1:
		return "NOT EXISTS (SELECT 1" + inner + link + ")"
	case 2:
		return fmt.Sprintf("%sEXISTS (SELECT 1%s%s AND %s.b %s %s)", g.pick("", "NOT "), inner, link, name, g.pick("<>", "<", ">="), g.column(names))
	case 3:
		return fmt.Sprintf("%s %sIN (SELECT %s.%s%s)", g.column(names), g.pick("", "NOT "), name, g.pick("a", "b"), inner)
	case 4:
		return fmt.Sprintf("(%s OR %s IN (SELECT %s.a%s))", g.condition(names, 0), g.column(names), name, inner)
	}
	return fmt.Sprintf("%s > (SELECT %s(%s.b)%s%s)", g.column(names), g.pick("min", "count", "sum"), name, inner, link)
}

func (g *generator) query() string {
	g.next = 0
	if g.chance(20) {
		return g.twice()
	}
	from, first := g.relation()
	names := []string{first}
	for range 1 + g.r.IntN(3) {
		rel, name := g.relation()
		on := fmt.Sprintf("%s = %s.%s", g.column(names), name, g.pick("a", "b"))
		names = append(names, name)
		if g.chance(30) {
			on += " AND " + g.condition(names, 1)
		}
		from += " " + g.pick("JOIN", "JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN") + " " + rel + " ON " + on
	}
	var where []string
	for range g.r.IntN(3) {
		where = append(where, g.condition(names, g.r.IntN(3)))
	}
	if g.chance(8) {
		where = append(where, names[len(names)-1]+".a IS NULL")
	}
	for range g.r.IntN(2) {
		where = append(where, g.subquery(names))
	}
	x, y := g.column(names), g.column(names)
	sql := "SELECT " + x + ", " + y + ", " + g.pick(names...) + ".c FROM " + from
	group := ""
	switch {
	case g.chance(30):
		sql = "SELECT " + x + ", count(*), min(" + y + ") FROM " + from
		group = " GROUP BY " + x
		if g.chance(40) {
			group += " HAVING " + x + " > 1"
		}
	case g.chance(20):
		sql = "SELECT DISTINCT " + x + ", " + y + " FROM " + from
	case g.chance(40): // aggregates of one table, which may be grouped before it is joined
		of := g.pick(names...)
		keys := x + ", " + y
		sql = "SELECT " + keys + ", count(*), count(" + of + ".b), max(" + of + ".c), sum(cast(" + of + ".a AS integer)), bool_or(" + of + ".b > 3) FROM " + from
		group = " GROUP BY 1, 2"
	case g.chance(40): // keys of which some may determine others
		keys := x + ", " + y + ", " + g.pick(names...) + ".c, " + g.column(names) + " + 1"
		sql = "SELECT " + keys + ", count(*), count(DISTINCT " + g.column(names) + ") FROM " + from
		group = " GROUP BY 1, 2, 3, 4"
	}
	if len(where) > 0 {
		sql += " WHERE " + strings.Join(where, " AND ")
	}
	return sql + group
}

// twice is a query that names a common table expression more than once.
func (g *generator) twice() string {
	rel, name := g.relation()
	where := g.condition([]string{name}, 1)
	inner := fmt.Sprintf("SELECT %s.a, %s(b), min(c) FROM %s WHERE %s GROUP BY 1", name, g.pick("sum", "max", "count"), rel, where)
	switch g.r.IntN(4) {
	case 0:
		other, with := g.relation()
		inner = fmt.Sprintf("SELECT %s.a, %s.b, %s.c FROM %s JOIN %s ON %s.a = %s.b", name, with, name, rel, other, name, with)
	case 1:
		inner = fmt.Sprintf("SELECT DISTINCT %s.b, %s.a + 1, c FROM %s WHERE %s", name, name, rel, where)
	}
	names := []string{"x", "y"}
	from := " FROM w x " + g.pick("JOIN", "LEFT JOIN", "FULL JOIN") + " w y ON x.a = y." + g.pick("a", "b")
	sql := "WITH w (a, b, c) AS (" + inner + ") "
	switch g.r.IntN(4) {
	case 0:
		return sql + "SELECT a, c FROM w WHERE b >= (SELECT " + g.pick("max", "min", "count") + "(b) FROM w)"
	case 1:
		return sql + "SELECT a FROM w UNION ALL SELECT b FROM w"
	case 2:
		return sql + "SELECT x.a, y.b, y.c" + from + " WHERE " + g.condition(names, 1)
	}
	return sql + "SELECT x.c, count(*), max(y.b)" + from + " WHERE x.a IN (SELECT b FROM w) GROUP BY x.c"
}
