package coordinator

import (
	"cmp"
	"slices"
	"strings"

	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// ioText is EXPLAIN (TYPE IO): the tables that a statement reads, with the
// conditions on their columns, and the table that it writes.
func ioText(root plan.Node) string {
	inputs := list{}
	var target *plan.Write
	var visit func(n plan.Node, filter expr.Expr)
	visit = func(n plan.Node, filter expr.Expr) {
		below := expr.Expr(nil)
		switch n := n.(type) {
		case *plan.Scan:
			inputs = append(inputs, inputJSON(n, filter))
		case *plan.Filter:
			below = n.Predicate
		case *plan.Project:
			below = filter // passes columns on under their own IDs
		case *plan.Write:
			target = n
		}
		for _, in := range n.Inputs() {
			visit(in, below)
		}
	}
	visit(root, nil)
	o := object{{"inputTableColumnInfos", inputs}}
	if target != nil {
		o = append(o, field{"outputTable", tableJSON(target.Catalog, target.Schema, target.Table)})
	}
	return jsonText(append(o, field{"estimate", estimateJSON(root, "maxMemory")}))
}

func tableJSON(catalog, schema, table string) object {
	return object{{"catalog", catalog}, {"schemaTable", object{{"schema", schema}, {"table", table}}}}
}

func inputJSON(n *plan.Scan, filter expr.Expr) object {
	conditions := map[expr.ColumnID]domain{}
	for _, e := range []expr.Expr{n.Predicate, n.Hint, filter} {
		if e == nil {
			continue
		}
		for _, c := range expr.Conjuncts(e) {
			if id, d, ok := domainOf(c); ok {
				if before, twice := conditions[id]; twice {
					d = before.and(d)
				}
				conditions[id] = d
			}
		}
	}
	none, constraints := false, list{}
	for _, c := range n.Columns {
		d, ok := conditions[c.ID]
		if !ok {
			continue
		}
		none = none || d.empty()
		constraints = append(constraints, object{{"columnName", c.Name}, {"type", c.Type.String()}, {"domain", d.json(c.Type)}})
	}
	if none {
		constraints = list{}
	}
	return object{
		{"table", tableJSON(n.Catalog, n.Table.Schema, n.Table.Name)},
		{"constraint", object{{"none", none}, {"columnConstraints", constraints}}},
		{"estimate", estimateJSON(n, "maxMemory")},
	}
}

// domain is what a condition allows of one column.
type domain struct {
	nulls  bool
	ranges []span // disjoint and in order
}

// span is a range of values; a nil bound is open.
type span struct{ low, high *bound }

type bound struct {
	value any // as in expr.Const
	open  bool
}

func (d domain) empty() bool { return !d.nulls && len(d.ranges) == 0 }

// domainOf reads a condition on one column with constants; ok is false for
// all others.
func domainOf(e expr.Expr) (id expr.ColumnID, d domain, ok bool) {
	switch e := e.(type) {
	case *expr.Call:
		return comparison(e)
	case *expr.Form:
		switch e.Op {
		case expr.In:
			return membership(e)
		case expr.IsNull:
			if c, isColumn := e.Args[0].(*expr.Column); isColumn {
				return c.ID, domain{nulls: true}, true
			}
		case expr.Not:
			if f, isForm := e.Args[0].(*expr.Form); isForm && f.Op == expr.IsNull {
				if c, isColumn := f.Args[0].(*expr.Column); isColumn {
					return c.ID, domain{ranges: []span{{}}}, true
				}
			}
		case expr.And, expr.Or:
			return combination(e)
		}
	}
	return 0, domain{}, false
}

// mirrored are the comparisons with their sides swapped.
var mirrored = map[string]string{
	function.OpEq: function.OpEq, function.OpLt: function.OpGt, function.OpGt: function.OpLt,
	function.OpLe: function.OpGe, function.OpGe: function.OpLe,
}

func comparison(e *expr.Call) (id expr.ColumnID, d domain, ok bool) {
	if mirrored[e.Fn.Name] == "" || len(e.Args) != 2 {
		return 0, domain{}, false
	}
	op := e.Fn.Name
	column, isColumn := e.Args[0].(*expr.Column)
	value, isConst := e.Args[1].(*expr.Const)
	if !isColumn {
		op = mirrored[op]
		column, isColumn = e.Args[1].(*expr.Column)
		value, isConst = e.Args[0].(*expr.Const)
	}
	if !isColumn || !isConst || !ordered(value.Value) {
		return 0, domain{}, false
	}
	s := span{}
	exact, open := &bound{value.Value, false}, &bound{value.Value, true}
	switch op {
	case function.OpEq:
		s = span{exact, exact}
	case function.OpLt:
		s.high = open
	case function.OpLe:
		s.high = exact
	case function.OpGt:
		s.low = open
	case function.OpGe:
		s.low = exact
	}
	return column.ID, domain{ranges: []span{s}}, true
}

func membership(e *expr.Form) (id expr.ColumnID, d domain, ok bool) {
	column, isColumn := e.Args[0].(*expr.Column)
	if !isColumn {
		return 0, domain{}, false
	}
	for _, a := range e.Args[1:] {
		c, isConst := a.(*expr.Const)
		if !isConst || !ordered(c.Value) {
			return 0, domain{}, false
		}
		b := &bound{c.Value, false}
		d = d.or(domain{ranges: []span{{b, b}}})
	}
	return column.ID, d, true
}

// combination reads an AND or OR of conditions on the same column.
func combination(e *expr.Form) (id expr.ColumnID, d domain, ok bool) {
	for i, a := range e.Args {
		other, next, ok := domainOf(a)
		switch {
		case !ok || i > 0 && other != id:
			return 0, domain{}, false
		case i == 0:
			id, d = other, next
		case e.Op == expr.And:
			d = d.and(next)
		default:
			d = d.or(next)
		}
	}
	return id, d, true
}

// ordered reports whether values of that kind can be compared here.
func ordered(v any) bool {
	switch v.(type) {
	case int64, float64, float32, string, types.Int128:
		return true
	}
	return false
}

// compare orders two values of one kind.
func compare(a, b any) int {
	switch a := a.(type) {
	case int64:
		return cmp.Compare(a, b.(int64))
	case float64:
		return cmp.Compare(a, b.(float64))
	case float32:
		return cmp.Compare(a, b.(float32))
	case types.Int128:
		return a.Cmp(b.(types.Int128))
	}
	return strings.Compare(a.(string), b.(string))
}

// lows orders lower bounds, highs upper ones.
func lows(a, b *bound) int { return bounds(a, b, -1) }

func highs(a, b *bound) int { return -bounds(b, a, 1) }

// bounds orders two bounds of one side; none is less than all for side -1 and
// more than all for side 1, and an open one lies inside a closed one.
func bounds(a, b *bound, side int) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return side
	case b == nil:
		return -side
	}
	if c := compare(a.value, b.value); c != 0 || a.open == b.open {
		return c
	}
	if a.open {
		return -side
	}
	return side
}

// and is the intersection of two domains.
func (d domain) and(o domain) domain {
	out := domain{nulls: d.nulls && o.nulls}
	for _, x := range d.ranges {
		for _, y := range o.ranges {
			s := x
			if lows(y.low, s.low) > 0 {
				s.low = y.low
			}
			if highs(y.high, s.high) < 0 {
				s.high = y.high
			}
			if s.valid() {
				out.ranges = append(out.ranges, s)
			}
		}
	}
	return out
}

// valid reports whether any value lies in the span.
func (s span) valid() bool {
	if s.low == nil || s.high == nil {
		return true
	}
	c := compare(s.low.value, s.high.value)
	return c < 0 || c == 0 && !s.low.open && !s.high.open
}

// or is the union of two domains.
func (d domain) or(o domain) domain {
	all := slices.Concat(d.ranges, o.ranges)
	slices.SortStableFunc(all, func(a, b span) int { return lows(a.low, b.low) })
	out := domain{nulls: d.nulls || o.nulls}
	for _, s := range all {
		if n := len(out.ranges); n > 0 && touches(out.ranges[n-1].high, s.low) {
			if highs(s.high, out.ranges[n-1].high) > 0 {
				out.ranges[n-1].high = s.high
			}
			continue
		}
		out.ranges = append(out.ranges, s)
	}
	return out
}

// touches reports whether no value lies between an upper and a lower bound.
func touches(high, low *bound) bool {
	if high == nil || low == nil {
		return true
	}
	if n, ok := high.value.(int64); ok && !high.open && !low.open && n+1 == low.value {
		return true
	}
	c := compare(high.value, low.value)
	return c > 0 || c == 0 && !(high.open && low.open)
}

func (d domain) json(t types.Type) object {
	ranges := list{}
	for _, s := range d.ranges {
		ranges = append(ranges, object{{"low", s.low.json(t, "ABOVE")}, {"high", s.high.json(t, "BELOW")}})
	}
	return object{{"nullsAllowed", d.nulls}, {"ranges", ranges}}
}

// json prints a bound; side is what an open or missing one is called.
func (b *bound) json(t types.Type, side string) object {
	if b == nil {
		return object{{"bound", side}}
	}
	text := plainText(t, b.value)
	if !b.open {
		side = "EXACTLY"
	}
	return object{{"value", text}, {"bound", side}}
}

// plainText prints a value without what would make it a literal.
func plainText(t types.Type, v any) string {
	switch v := v.(type) {
	case string:
		return v
	case int64:
		switch t.Kind {
		case types.Date:
			return types.FormatDate(v)
		case types.Timestamp:
			return types.FormatTimestamp(v, t)
		}
	}
	return types.FormatValue(t, v)
}
