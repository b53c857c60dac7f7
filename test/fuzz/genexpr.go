package fuzz

import (
	"fmt"
	"strings"
)

// literal returns a value near those of the tables.
func (g *Gen) literal(k Kind) string {
	return Literal(k, randomValue(g.rng, k, spread{low: -6, high: 15}))
}

// expr returns an expression of a kind.
func (g *Gen) expr(k Kind, sc scope, depth int) string {
	columns := sc.of(k)
	if depth <= 0 || g.chance(0.4) {
		if len(columns) > 0 && g.chance(0.85) {
			return columns[g.rng.IntN(len(columns))].text
		}
		return g.literal(k)
	}
	switch g.rng.IntN(12) {
	case 0:
		return fmt.Sprintf("CASE WHEN %s THEN %s ELSE %s END", g.condition(sc, depth-1), g.expr(k, sc, depth-1), g.expr(k, sc, depth-1))
	case 1:
		return fmt.Sprintf("CASE %s WHEN %s THEN %s WHEN %s THEN %s END", g.expr(Integer, sc, depth-1), g.literal(Integer), g.expr(k, sc, depth-1), g.literal(Integer), g.expr(k, sc, depth-1))
	case 2:
		return fmt.Sprintf("coalesce(%s, %s)", g.expr(k, sc, depth-1), g.expr(k, sc, depth-1))
	case 3:
		return fmt.Sprintf("nullif(%s, %s)", g.expr(k, sc, depth-1), g.expr(k, sc, 0))
	case 4:
		if g.subs > 0 && g.chance(0.6) {
			return g.scalar(k, sc)
		}
	case 5:
		if !g.portableOnly {
			return fmt.Sprintf("%s(%s, %s)", g.pick("greatest", "least"), g.expr(k, sc, depth-1), g.expr(k, sc, depth-1))
		}
		return fmt.Sprintf("if(%s, %s, %s)", g.condition(sc, depth-1), g.expr(k, sc, depth-1), g.expr(k, sc, depth-1))
	}
	return g.own(k, sc, depth)
}

// own returns an expression with operators and functions of the kind.
func (g *Gen) own(k Kind, sc scope, depth int) string {
	e := func(k Kind) string { return g.expr(k, sc, depth-1) }
	small := fmt.Sprint(1 + g.rng.IntN(5))
	switch k {
	case Bigint:
		if !g.portableOnly && g.chance(0.01) { // may fail, and that must leave nothing behind
			return "(" + e(k) + " / " + e(k) + ")"
		}
		if !g.portableOnly && g.chance(0.1) { // of texts with a point, for one, DuckDB makes numbers
			return "TRY_CAST(" + e(Text) + " AS bigint)"
		}
		return g.pick("("+e(k)+" + "+e(k)+")", "("+e(k)+" - "+e(Integer)+")", "("+e(k)+" * "+small+")", "("+e(k)+" % "+small+")", "("+e(k)+" / "+small+")",
			"abs("+e(k)+")", "length("+e(Text)+")", "CAST("+e(Integer)+" AS bigint)", "CAST("+e(Decimal)+" AS bigint)", "date_diff('day', "+e(Date)+", "+e(Date)+")",
			"year("+e(Date)+")", "month("+e(Timestamp)+")", "-("+e(k)+")")
	case Integer:
		return g.pick("("+e(k)+" + "+e(k)+")", "("+e(k)+" - "+small+")", "("+e(k)+" % "+small+")", "abs("+e(k)+")", "-("+e(k)+")", "CAST("+e(Bigint)+" AS integer)",
			"CAST("+e(Boolean)+" AS integer)")
	case Double:
		return g.pick("("+e(k)+" + "+e(k)+")", "("+e(k)+" - "+e(k)+")", "("+e(k)+" * 2)", "("+e(k)+" / 4)", "abs("+e(k)+")", "floor("+e(k)+")", "CAST("+e(Bigint)+" AS double)",
			"ceil("+e(k)+")", "("+e(Integer)+" + "+e(k)+")")
	case Decimal:
		return "CAST(" + g.pick("("+e(k)+" + "+e(k)+")", "("+e(k)+" - "+e(Wide)+")", "("+e(k)+" * "+small+")", "-("+e(k)+")", "abs("+e(k)+")", e(Integer), e(Wide), "("+e(k)+" % 1.5)") + " AS decimal(10,2))"
	case Wide:
		return "CAST(" + g.pick("("+e(k)+" + "+e(k)+")", "("+e(k)+" - "+e(Decimal)+")", "("+e(k)+" * "+small+")", "-("+e(k)+")", "abs("+e(k)+")", e(Bigint), e(Decimal), "("+e(k)+" * 1.5)") + " AS decimal(22,3))"
	case Text:
		return g.text(e, small)
	case Date:
		day := "CAST(" + e(k) + g.pick(" + ", " - ") + "INTERVAL '" + small + "' " + g.pick("DAY", "MONTH", "YEAR") + " AS date)"
		return g.pick(day, "CAST("+e(Timestamp)+" AS date)", "CAST(date_trunc('month', "+e(k)+") AS date)")
	case Timestamp:
		return g.pick("CAST("+e(Date)+" AS timestamp(6))", "CAST(date_trunc('hour', "+e(k)+") AS timestamp(6))", "CAST("+e(k)+" + INTERVAL '"+small+"' HOUR AS timestamp(6))")
	}
	return "(" + g.condition(sc, depth-1) + ")"
}

func (g *Gen) text(e func(Kind) string, small string) string {
	s := e(Text)
	return g.pick(s+" || "+e(Text), "substr("+s+", "+small+")", "substr("+s+", 2, "+small+")", "upper("+s+")", "lower("+s+")", "trim("+s+")", "reverse("+s+")",
		"replace("+s+", 'a', 'long replacement text')", "concat(coalesce("+s+", ''), '-')", "CAST("+e(Bigint)+" AS varchar)", "CAST("+e(Decimal)+" AS varchar)",
		"CAST("+e(Date)+" AS varchar)", "CAST("+e(Boolean)+" AS varchar)", "lpad("+s+", 14, '*')", "rpad("+s+", "+small+", 'xy')")
}

// condition returns a boolean expression.
func (g *Gen) condition(sc scope, depth int) string {
	if depth > 0 && g.chance(0.4) {
		a, b := g.condition(sc, depth-1), g.condition(sc, depth-1)
		return g.pick("("+a+" AND "+b+")", "("+a+" OR "+b+")", "NOT ("+a+")", "("+a+" AND "+b+")")
	}
	if depth > 0 && g.subs > 0 && g.chance(0.22) {
		return g.subqueryCondition(sc)
	}
	k := g.kind()
	if len(sc) > 0 && g.chance(0.8) {
		k = sc[g.rng.IntN(len(sc))].kind
	}
	return g.test(k, sc, depth)
}

var comparisons = []string{" = ", " = ", " <> ", " < ", " <= ", " > ", " >= "}

// test returns a condition about values of a kind.
func (g *Gen) test(k Kind, sc scope, depth int) string {
	a := g.expr(k, sc, depth-1)
	switch n := g.rng.IntN(24); {
	case n < 2:
		return "(" + a + g.pick(" IS NULL", " IS NOT NULL") + ")"
	case n < 4:
		return "(" + a + g.pick(" IS DISTINCT FROM ", " IS NOT DISTINCT FROM ") + g.expr(k, sc, depth-1) + ")"
	case n < 6 && k != Boolean:
		return "(" + a + g.pick(" BETWEEN ", " NOT BETWEEN ") + g.expr(k, sc, 0) + " AND " + g.expr(k, sc, 0) + ")"
	case n < 9:
		return "(" + a + g.pick(" IN (", " NOT IN (") + g.list(k, sc) + "))"
	case n < 12 && k == Text:
		return "(" + a + g.pick(" LIKE ", " NOT LIKE ") + g.pick("'%a%'", "'a%'", "'%r'", "'_'", "'%'", "''", "'a long%'", "'%日%'", "'x#_y' ESCAPE '#'", "'50#%' ESCAPE '#'", "'%t%t%'", "'hello'") + ")"
	case n < 14 && k == Boolean:
		return a
	case n < 15:
		return "coalesce(" + g.test(k, sc, depth-1) + ", " + g.pick("TRUE", "FALSE") + ")"
	case n < 17:
		if other, ok := comparable[k]; ok {
			return "(" + a + comparisons[g.rng.IntN(len(comparisons))] + g.expr(Kind(other[g.rng.IntN(len(other))]), sc, depth-1) + ")"
		}
	case n < 20 && depth > 0:
		return "(" + a + comparisons[g.rng.IntN(len(comparisons))] + g.expr(k, sc, depth-1) + ")"
	}
	return "(" + a + comparisons[g.rng.IntN(len(comparisons))] + g.literal(k) + ")"
}

// comparable are the other kinds that a kind compares with.
var comparable = map[Kind]string{Bigint: "idnw", Integer: "kdnw", Double: "ki", Decimal: "kiw", Wide: "kin", Date: "c", Timestamp: "a"}

func (g *Gen) list(k Kind, sc scope) string {
	items := make([]string, 1+g.rng.IntN(5))
	for i := range items {
		switch {
		case g.chance(0.08):
			items[i] = "NULL"
		case g.chance(0.12):
			items[i] = g.expr(k, sc, 0)
		default:
			items[i] = g.literal(k)
		}
	}
	return strings.Join(items, ", ")
}

// Subqueries.

// inner returns a FROM and WHERE that may refer to the outer query, and the
// scope of the FROM.
func (g *Gen) inner(outer scope) (string, scope) {
	g.subs--
	defer func() { g.subs++ }()
	n := 1
	if g.chance(0.25) {
		n = 2
	}
	r := g.from(n)
	var conditions []string
	if len(outer) > 0 && g.chance(0.65) {
		conditions = append(conditions, g.equality(r.scope, outer))
	}
	if g.chance(0.5) {
		conditions = append(conditions, g.condition(r.scope, 1))
	}
	if len(outer) > 0 && g.chance(0.15) {
		k := g.kind()
		conditions = append(conditions, g.expr(k, r.scope, 0)+comparisons[g.rng.IntN(len(comparisons))]+g.expr(k, outer, 0))
	}
	where := ""
	if len(conditions) > 0 {
		where = " WHERE " + strings.Join(conditions, " AND ")
	}
	return " FROM " + r.text + where, r.scope
}

// scalar returns a subquery that is one value.
func (g *Gen) scalar(k Kind, outer scope) string {
	from, sc := g.inner(outer)
	subs := g.subs
	g.subs = 0
	defer func() { g.subs = subs }()
	x := g.expr(k, sc, 1)
	switch {
	case k == Bigint:
		return "(SELECT " + g.pick("count(*)", "count("+x+")", "sum("+x+")", "max("+x+")", "coalesce(sum("+x+"), 0)", "count(*) + 1") + from + ")"
	case k == Boolean:
		return "(SELECT bool_or(" + x + ")" + from + ")"
	}
	return "(SELECT " + g.pick("min(", "max(") + x + ")" + from + ")"
}

func (g *Gen) subqueryCondition(outer scope) string {
	from, sc := g.inner(outer)
	subs := g.subs
	g.subs = 0
	defer func() { g.subs = subs }()
	k := g.kind()
	switch g.rng.IntN(9) {
	case 0, 1, 2:
		return g.pick("", "NOT ") + "EXISTS (SELECT 1" + from + ")"
	case 3, 4, 5:
		return "(" + g.expr(k, outer, 1) + g.pick(" IN ", " NOT IN ") + "(SELECT " + g.expr(k, sc, 1) + from + "))"
	case 6:
		other := g.kind()
		return fmt.Sprintf("((%s, %s)%s(SELECT %s, %s%s))", g.expr(k, outer, 0), g.expr(other, outer, 0), g.pick(" IN ", " NOT IN "), g.expr(k, sc, 0), g.expr(other, sc, 0), from)
	case 7:
		return "(" + g.expr(k, outer, 1) + comparisons[g.rng.IntN(len(comparisons))] + g.pick("ANY ", "ALL ") + "(SELECT " + g.expr(k, sc, 0) + from + "))"
	}
	return "(" + g.expr(k, outer, 0) + comparisons[g.rng.IntN(len(comparisons))] + "(SELECT " + g.pick("min(", "max(") + g.expr(k, sc, 0) + ")" + from + "))"
}
