package fuzz

import (
	"fmt"
	"strings"
)

// maxRows bounds the estimated rows of a join.
const maxRows = 20000

// from returns an item of FROM that joins up to n relations.
func (g *Gen) from(n int) relation {
	r := g.primary()
	for range g.rng.IntN(n) {
		r = g.join(r)
	}
	return r
}

// primary returns a relation that is no join.
func (g *Gen) primary() relation {
	switch n := g.rng.IntN(20); {
	case n < 13:
		return g.table(g.tables[g.rng.IntN(len(g.tables))])
	case n < 15:
		return g.values()
	case n < 17 && len(g.ctes) > 0:
		cte := g.ctes[g.rng.IntN(len(g.ctes))]
		alias := g.name("x")
		return relation{cte.text + " " + alias, cte.scope.qualified(alias), cte.rows}
	case n < 19 && g.subs > 0:
		g.subs--
		defer func() { g.subs++ }()
		body, kinds := g.body(2)
		alias := g.name("x")
		columns, sc := g.outputs(kinds)
		return relation{fmt.Sprintf("(%s) %s (%s)", body, alias, columns), sc.qualified(alias), 300}
	}
	return g.table(g.tables[g.rng.IntN(len(g.tables))])
}

func (g *Gen) table(t *Table) relation {
	alias := g.name("x")
	var sc scope
	for _, k := range kinds {
		sc = append(sc, column{alias + "." + string(k), Kind(k)})
	}
	return relation{"f." + t.Name + " " + alias, append(sc, column{alias + ".u", Bigint}), len(t.Rows)}
}

// values returns a few rows written out.
func (g *Gen) values() relation {
	alias := g.name("x")
	ks := []Kind{Bigint, g.kind(), g.kind()}
	columns, sc := g.outputs(ks)
	rows := make([]string, 1+g.rng.IntN(4))
	for i := range rows {
		cells := make([]string, len(ks))
		for c, k := range ks {
			cells[c] = g.literal(k)
			if g.chance(0.15) {
				cells[c] = Literal(k, nil)
			}
		}
		rows[i] = "(" + strings.Join(cells, ", ") + ")"
	}
	return relation{fmt.Sprintf("(VALUES %s) %s (%s)", strings.Join(rows, ", "), alias, columns), sc.qualified(alias), len(rows)}
}

// join joins one more relation to l.
func (g *Gen) join(l relation) relation {
	if g.chance(0.05) {
		return g.lateral(l)
	}
	r := g.primary()
	equi := g.chance(0.85)
	if g.tooBig(l, r, equi) {
		r = g.table(g.tables[1])
	}
	if g.tooBig(l, r, equi) {
		return l
	}
	both := l.scope.plus(r.scope)
	if g.chance(0.2) {
		l, r = r, l
	}
	rows := max(l.rows, r.rows, l.rows*r.rows/10)
	if !equi && g.chance(0.4) {
		return relation{l.text + " CROSS JOIN " + g.nested(r), both, l.rows * r.rows}
	}
	on := g.joinCondition(l.scope, r.scope, equi)
	kind := g.pick("JOIN", "JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN")
	if kind == "FULL JOIN" && !equi {
		kind = "LEFT JOIN"
	}
	return relation{l.text + " " + kind + " " + g.nested(r) + " ON " + on, both, rows}
}

// nested puts a join that is itself joined from the right in parentheses.
func (g *Gen) nested(r relation) string {
	if strings.Contains(r.text, " JOIN ") {
		return "(" + r.text + ")"
	}
	return r.text
}

func (g *Gen) tooBig(l, r relation, equi bool) bool {
	product := l.rows * r.rows
	if equi {
		product /= 10
	}
	return product > maxRows
}

func (g *Gen) joinCondition(l, r scope, equi bool) string {
	subs := g.subs
	g.subs = 0
	defer func() { g.subs = subs }()
	if !equi {
		return g.condition(l.plus(r), 1)
	}
	on := g.equality(l, r)
	for g.chance(0.25) {
		on += " AND " + g.equality(l, r)
	}
	if g.chance(0.35) {
		on += " AND " + g.condition(l.plus(r), 1)
	}
	if g.chance(0.1) {
		on += " AND " + g.condition(r, 1)
	}
	return on
}

// equality compares a column of either side.
func (g *Gen) equality(l, r scope) string {
	k := g.kind()
	for len(l.of(k)) == 0 || len(r.of(k)) == 0 || k == Boolean {
		k = Kind(kinds[g.rng.IntN(len(kinds))])
		if g.chance(0.2) { // they may have no kind in common
			return g.expr(Bigint, l, 1) + " = " + g.expr(Bigint, r, 1)
		}
	}
	a, b := l.of(k), r.of(k)
	if g.chance(0.1) {
		return g.expr(k, l, 1) + " = " + g.expr(k, r, 1)
	}
	if g.chance(0.1) { // across types
		if o := r.of(Integer); k == Bigint && len(o) > 0 {
			b = o
		} else if o := r.of(Wide); k == Decimal && len(o) > 0 {
			b = o
		}
	}
	operator := " = "
	if g.chance(0.04) {
		operator = " IS NOT DISTINCT FROM "
	}
	return a[g.rng.IntN(len(a))].text + operator + b[g.rng.IntN(len(b))].text
}

// lateral joins something that depends on each row.
func (g *Gen) lateral(l relation) relation {
	alias := g.name("x")
	if g.chance(0.5) {
		sc := l.scope.plus(scope{{alias + ".e", Bigint}})
		return relation{fmt.Sprintf("%s CROSS JOIN UNNEST(ARRAY[%s, %s]) AS %s (e)", l.text, g.expr(Bigint, l.scope, 1), g.literal(Bigint), alias), sc, l.rows * 2}
	}
	t := g.table(g.tables[1+g.rng.IntN(3)])
	text, k := g.aggregate(t.scope)
	where := g.equality(t.scope, l.scope)
	return relation{fmt.Sprintf("%s CROSS JOIN LATERAL (SELECT %s AS e FROM %s WHERE %s) %s", l.text, text, t.text, where, alias),
		l.scope.plus(scope{{alias + ".e", k}}), l.rows}
}
