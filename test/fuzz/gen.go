package fuzz

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// Gen makes random queries. It is for one goroutine; the same seed makes the
// same queries.
type Gen struct {
	rng          *rand.Rand
	portableOnly bool // leaves out what DuckDB understands differently
	tables       []*Table
	names        int
	subs         int // how deep subqueries may still be nested
	ctes         []relation
}

// NewGen returns a generator of queries over tables, named f.NAME.
func NewGen(seed uint64, tables []*Table) *Gen {
	return &Gen{rng: rand.New(rand.NewPCG(seed, 0xf022)), tables: tables}
}

// Portable returns a generator of what DuckDB understands in the same way.
func (g *Gen) Portable() *Gen {
	p := *g
	p.portableOnly, p.tables = true, g.tables[:len(g.tables)-1]
	return &p
}

// column is something that an expression may refer to.
type column struct {
	text string
	kind Kind
}

// scope are the columns in sight, own first and then those of outer queries.
type scope []column

// of returns the columns of one kind.
func (s scope) of(k Kind) scope {
	var out scope
	for _, c := range s {
		if c.kind == k {
			out = append(out, c)
		}
	}
	return out
}

func (s scope) plus(o scope) scope { return append(s[:len(s):len(s)], o...) }

// relation is an item of FROM.
type relation struct {
	text  string
	scope scope
	rows  int // an estimate, which keeps joins small
}

func (g *Gen) chance(p float64) bool { return g.rng.Float64() < p }

func (g *Gen) pick(choices ...string) string { return choices[g.rng.IntN(len(choices))] }

func (g *Gen) name(prefix string) string {
	g.names++
	return fmt.Sprintf("%s%d", prefix, g.names)
}

func (g *Gen) kind() Kind { return Kind("kkkiidnwssacb"[g.rng.IntN(13)]) }

// Select is a query whose parts the oracles take apart.
type Select struct {
	With, Items, From, Where string
	Kinds                    []Kind
	// Predicate is a condition over From that is not part of the query.
	Predicate string
}

// SQL returns the query with more conditions and another list of items, ""
// for its own.
func (s *Select) SQL(items string, conditions ...string) string {
	if items == "" {
		items = s.Items
	}
	if s.Where != "" {
		conditions = append([]string{s.Where}, conditions...)
	}
	where := ""
	if len(conditions) > 0 {
		where = " WHERE (" + strings.Join(conditions, ") AND (") + ")"
	}
	return s.With + "SELECT " + items + " FROM " + s.From + where
}

// Select returns a random query for rows, with a predicate.
func (g *Gen) Select() *Select {
	g.names, g.ctes, g.subs = 0, nil, 2
	s := &Select{With: g.with()}
	r := g.from(3)
	s.From = r.text
	if g.chance(0.4) {
		s.Where = g.condition(r.scope, 2)
	}
	s.Predicate = g.condition(r.scope, 3)
	s.Items, s.Kinds, _ = g.items(r.scope, 1+g.rng.IntN(4))
	return s
}

// Query returns a random query and whether it fixes the order of its rows.
// The multiset of its rows is fixed in any case.
func (g *Gen) Query() (sql string, ordered bool) {
	g.names, g.ctes, g.subs = 0, nil, 2
	with := g.with()
	body, kinds := g.body(3)
	if g.chance(0.35) {
		tail := " ORDER BY " + g.order(len(kinds))
		if g.chance(0.6) {
			tail += g.limit()
		}
		return with + "SELECT * FROM (" + body + ") q" + tail, true
	}
	return with + body, false
}

func (g *Gen) limit() string {
	offset := ""
	if g.chance(0.3) {
		offset = fmt.Sprintf(" OFFSET %d", g.rng.IntN(12))
	}
	return offset + fmt.Sprintf(" LIMIT %d", g.rng.IntN(30))
}

// order orders by all n columns.
func (g *Gen) order(n int) string {
	keys := make([]string, n)
	for i, at := range g.rng.Perm(n) {
		keys[i] = fmt.Sprint(at+1) + g.pick("", " DESC", " NULLS FIRST", " DESC NULLS LAST", " DESC NULLS FIRST", " ASC")
	}
	return strings.Join(keys, ", ")
}

func (g *Gen) with() string {
	if !g.chance(0.2) {
		return ""
	}
	var parts []string
	for range 1 + g.rng.IntN(2) {
		body, kinds := g.body(1)
		name := g.name("w")
		columns, sc := g.outputs(kinds)
		parts = append(parts, fmt.Sprintf("%s (%s) AS (%s)", name, columns, body))
		g.ctes = append(g.ctes, relation{name, sc, 300})
	}
	return "WITH " + strings.Join(parts, ", ") + " "
}

// outputs names n columns c0, c1, ….
func (g *Gen) outputs(kinds []Kind) (string, scope) {
	names, sc := make([]string, len(kinds)), scope{}
	for i, k := range kinds {
		names[i] = fmt.Sprintf("c%d", i)
		sc = append(sc, column{names[i], k})
	}
	return strings.Join(names, ", "), sc
}

// qualified returns the scope's columns under an alias.
func (s scope) qualified(alias string) scope {
	out := make(scope, len(s))
	for i, c := range s {
		out[i] = column{alias + "." + c.text, c.kind}
	}
	return out
}

// body returns a query without ORDER BY.
func (g *Gen) body(tables int) (string, []Kind) {
	switch n := g.rng.IntN(20); {
	case n < 7:
		return g.rows(tables, 0, nil)
	case n < 13:
		return g.grouped(tables)
	case n < 16:
		return g.setOperation(tables)
	case n < 18:
		return g.global(tables)
	}
	inner, kinds := g.rows(tables, 0, nil)
	columns, _ := g.outputs(kinds)
	return fmt.Sprintf("SELECT * FROM (%s) %s (%s) ORDER BY %s%s", inner, g.name("l"), columns, g.order(len(kinds)), g.limit()), kinds
}

// rows returns a query without grouping: of the given kinds, or of n columns.
func (g *Gen) rows(tables, n int, kinds []Kind) (string, []Kind) {
	r := g.from(tables)
	var items string
	if kinds != nil {
		items = g.itemsOf(r.scope, kinds)
	} else {
		if n == 0 {
			n = 1 + g.rng.IntN(4)
		}
		items, kinds, _ = g.items(r.scope, n)
	}
	return "SELECT " + g.pick("", "", "", "DISTINCT ") + items + " FROM " + r.text + g.where(r.scope), kinds
}

func (g *Gen) where(sc scope) string {
	if g.chance(0.3) {
		return ""
	}
	return " WHERE " + g.condition(sc, 3)
}

func (g *Gen) items(sc scope, n int) (string, []Kind, []string) {
	ks, texts := make([]Kind, n), make([]string, n)
	for i := range n {
		ks[i] = g.kind()
		texts[i] = g.expr(ks[i], sc, 2)
	}
	return named(texts), ks, texts
}

func named(texts []string) string {
	out := make([]string, len(texts))
	for i, t := range texts {
		out[i] = fmt.Sprintf("%s AS c%d", t, i)
	}
	return strings.Join(out, ", ")
}

func (g *Gen) itemsOf(sc scope, kinds []Kind) string {
	texts := make([]string, len(kinds))
	for i, k := range kinds {
		texts[i] = g.expr(k, sc, 2)
	}
	return named(texts)
}

// grouped returns a query with GROUP BY.
func (g *Gen) grouped(tables int) (string, []Kind) {
	r := g.from(tables)
	where := g.where(r.scope)
	var texts, keys []string
	var ks []Kind
	subs := g.subs
	g.subs = 0 // a subquery as a key could not be named in HAVING
	for i := range 1 + g.rng.IntN(3) {
		k := g.kind()
		key := g.expr(k, r.scope, 1)
		if c := r.scope.of(k); len(c) > 0 && g.chance(0.7) {
			key = c[g.rng.IntN(len(c))].text
		}
		texts, ks, keys = append(texts, key), append(ks, k), append(keys, fmt.Sprint(i+1))
	}
	after := scope{}
	for range g.rng.IntN(4) {
		text, k := g.aggregate(r.scope)
		texts, ks, after = append(texts, text), append(ks, k), append(after, column{text, k})
	}
	group := strings.Join(keys, ", ")
	if g.chance(0.02) {
		group = g.pick("ROLLUP (", "CUBE (") + group + ")"
	} else if g.chance(0.01) {
		group = "GROUPING SETS ((" + group + "), (" + keys[0] + "), ())"
	}
	having := ""
	if len(after) > 0 && g.chance(0.35) {
		having = " HAVING " + g.condition(after, 1)
	}
	g.subs = subs
	return "SELECT " + named(texts) + " FROM " + r.text + where + " GROUP BY " + group + having, ks
}

// global returns a query that aggregates all rows into one.
func (g *Gen) global(tables int) (string, []Kind) {
	r := g.from(tables)
	where := g.where(r.scope)
	var texts []string
	var ks []Kind
	for range 1 + g.rng.IntN(4) {
		text, k := g.aggregate(r.scope)
		texts, ks = append(texts, text), append(ks, k)
	}
	return "SELECT " + named(texts) + " FROM " + r.text + where, ks
}

func (g *Gen) setOperation(tables int) (string, []Kind) {
	text, kinds := g.rows(max(tables-1, 1), 0, nil)
	for range 1 + g.rng.IntN(2) {
		next, _ := g.rows(max(tables-1, 1), 0, kinds)
		text = fmt.Sprintf("(%s) %s (%s)", text, g.pick("UNION ALL", "UNION", "INTERSECT", "EXCEPT", "INTERSECT ALL", "EXCEPT ALL"), next)
	}
	return text, kinds
}

// aggregate returns an aggregate of columns in sight.
func (g *Gen) aggregate(sc scope) (string, Kind) {
	subs := g.subs
	g.subs = 0
	defer func() { g.subs = subs }()
	k := g.kind()
	x := g.expr(k, sc, 1)
	filter := ""
	if g.chance(0.2) {
		filter = " FILTER (WHERE " + g.condition(sc, 1) + ")"
	}
	distinct := ""
	if g.chance(0.2) {
		distinct = "DISTINCT "
	}
	switch n := g.rng.IntN(10); {
	case n < 2:
		return "count(*)" + filter, Bigint
	case n < 4:
		return "count(" + distinct + x + ")" + filter, Bigint
	case n < 6:
		return g.pick("min(", "max(") + x + ")" + filter, k
	case k == Boolean:
		return g.pick("bool_and(", "bool_or(") + x + ")" + filter, Boolean
	case n < 9 && (k == Bigint || k == Integer):
		return "sum(" + distinct + x + ")" + filter, Bigint
	case n < 9 && k == Double:
		return "sum(" + distinct + x + ")" + filter, Double
	case n < 9 && (k == Decimal || k == Wide):
		return "CAST(sum(" + distinct + x + ")" + filter + " AS decimal(22,3))", Wide
	case k == Bigint || k == Integer || k == Double:
		return "avg(" + distinct + x + ")" + filter, Double
	case g.portableOnly:
		return "count(*)", Bigint
	case n < 8:
		return "cardinality(array_agg(" + distinct + x + ")" + filter + ")", Bigint
	}
	return "count_if(" + g.condition(sc, 1) + ")", Bigint
}
