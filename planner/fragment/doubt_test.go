package fragment

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

var double = types.Of(types.Double)

// call is an aggregate of columns.
func call(t *testing.T, name string, cols ...plan.Column) *expr.Aggregate {
	t.Helper()
	var args []types.Type
	c := &expr.Aggregate{}
	for _, col := range cols {
		args, c.Args = append(args, col.Type), append(c.Args, col.Ref())
	}
	fn, err := function.ResolveAggregate(name, args)
	if err != nil {
		t.Fatal(err)
	}
	c.Fn = fn
	return c
}

// measured groups rows of a table by #base and aggregates the double #base+1 as
// #base+50.
func measured(t *testing.T, fn string, base expr.ColumnID) *plan.Aggregate {
	s := scan("t", base)
	s.Columns[1].Type = double
	agg := call(t, fn, s.Columns[1])
	return &plan.Aggregate{Input: s, Keys: s.Columns[:1], Aggs: []plan.Agg{{Column: plan.Column{ID: base + 50, Name: "x", Type: agg.Fn.Result}, Call: agg}}}
}

// whole is the same over all rows.
func whole(t *testing.T, fn string, base expr.ColumnID) *plan.Aggregate {
	a := measured(t, fn, base)
	a.Keys = nil
	return a
}

// distinct are the different values of a column.
func distinct(in plan.Node, col plan.Column) *plan.Aggregate {
	return &plan.Aggregate{Input: in, Keys: []plan.Column{col}}
}

// having keeps groups by their aggregate.
func having(a *plan.Aggregate) *plan.Filter {
	return &plan.Filter{Input: a, Predicate: &expr.Form{Op: expr.IsNull, Typ: types.Of(types.Boolean), Args: []expr.Expr{a.Aggs[0].Column.Ref()}}}
}

// TestDoubt: where values that depend on the order of rows make a fragment
// indeterminate: nowhere while each row has one reader who does not move it.
func TestDoubt(t *testing.T) {
	dynamic := func(right plan.Node) plan.Node {
		j := join(scan("u", 30), right, plan.Partitioned)
		j.Dynamic = []plan.DynamicSource{{Filter: 1, Column: j.Keys[0].Right}}
		return output(j)
	}
	broadcast := func(right plan.Node) plan.Node { return output(join(scan("u", 30), right, plan.Broadcast)) }
	for _, c := range []struct {
		name string
		root plan.Node
		want string // the indeterminate fragments, as shape prints them, cut
	}{
		{"a sum of doubles that is only given", output(measured(t, "sum", 1)), ""},
		{"groups by a sum", func() plan.Node { a := measured(t, "sum", 1); return output(distinct(a, a.Aggs[0].Column)) }(),
			"SINGLE Output; HASH Aggregate(FINAL); HASH Aggregate(PARTIAL)"},
		{"groups by a smallest value", func() plan.Node { a := measured(t, "min", 1); return output(distinct(a, a.Aggs[0].Column)) }(), ""},
		{"groups by a count", func() plan.Node { a := measured(t, "count", 1); return output(distinct(a, a.Aggs[0].Column)) }(), ""},
		{"a sum that all tasks read", broadcast(measured(t, "sum", 1)), "SINGLE Output; SOURCE InnerJoin; HASH Aggregate(FINAL)"},
		{"a smallest value that all tasks read", broadcast(measured(t, "min", 1)), ""},
		{"one value that all tasks read", broadcast(&plan.SingleRow{Input: whole(t, "avg", 1)}), "SINGLE Output; SOURCE InnerJoin; SINGLE EnforceSingleRow"},
		{"groups chosen by a sum", output(having(measured(t, "sum", 1))), ""},
		{"groups chosen by a sum, that all tasks read", broadcast(having(measured(t, "sum", 1))), "SINGLE Output; SOURCE InnerJoin; HASH Filter"},
		{"a filter made of groups chosen by a sum", dynamic(having(measured(t, "sum", 1))), "SINGLE Output; HASH InnerJoin"},
		{"a filter made of groups", dynamic(measured(t, "sum", 1)), ""},
		{"a filter made of other groups", dynamic(having(measured(t, "max", 1))), ""},
		{"a sum that two places read", output(onKey(twice(measured(t, "sum", 1)))), "SINGLE Output; HASH InnerJoin; HASH Aggregate(FINAL)"},
		{"a largest value that two places read", output(onKey(twice(measured(t, "max", 1)))), ""},
		{"groups by whether there is a row with a sum", func() plan.Node {
			j := join(scan("u", 30), having(measured(t, "sum", 1)), plan.Partitioned)
			j.Kind, j.Mark = plan.MarkJoin, plan.Column{ID: 90, Name: "m", Type: types.Of(types.Boolean)}
			return output(distinct(j, j.Mark))
		}(), "SINGLE Output; HASH Aggregate(FINAL); HASH Aggregate(PARTIAL)"},
		{"groups by what an outer join may not find", func() plan.Node {
			j := join(scan("u", 30), having(measured(t, "sum", 1)), plan.Partitioned)
			j.Kind = plan.LeftJoin
			return output(distinct(j, j.Right.Outputs()[0]))
		}(), "SINGLE Output; HASH Aggregate(FINAL); HASH Aggregate(PARTIAL)"},
		{"groups by a computed sum", func() plan.Node {
			a := measured(t, "sum", 1)
			p := &plan.Project{Input: a, Cols: []plan.Assignment{{Column: plan.Column{ID: 91, Type: double}, Expr: a.Aggs[0].Column.Ref()}}}
			u := &plan.Union{In: []plan.Node{p, p}, Columns: []plan.Column{{ID: 92, Type: double}}, Sources: [][]plan.Column{p.Outputs(), p.Outputs()}}
			return output(distinct(u, u.Columns[0]))
		}(), "SINGLE Output; HASH Aggregate(FINAL); HASH Aggregate(PARTIAL); HASH Project; HASH Project"},
	} {
		p, err := Fragment(c.root, Options{})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var got []string
		for i, line := range strings.Split(strings.TrimSpace(shape(p)), "\n") {
			if p.Fragments[i].Indeterminate {
				name := strings.SplitN(line, " ", 2)
				top, _, _ := strings.Cut(strings.NewReplacer("(FINAL)", "[F]", "(PARTIAL)", "[P]").Replace(name[1]), "(")
				got = append(got, name[0]+" "+strings.NewReplacer("[F]", "(FINAL)", "[P]", "(PARTIAL)").Replace(top))
			}
		}
		if s := strings.Join(got, "; "); s != c.want {
			t.Errorf("%s:\n%s\nindeterminate: %s\nwant:          %s", c.name, shape(p), s, c.want)
		}
	}
}

// TestByOrder knows of each aggregate whether its result depends on the order of
// rows: one that is added has to be added here.
func TestByOrder(t *testing.T) {
	never := []string{
		"approx_distinct", "bitwise_and_agg", "bitwise_or_agg", "bitwise_xor_agg", "bool_and", "bool_or", "count", "count_if", "every", "max", "min",
	}
	always := []string{
		"any_value", "arbitrary", "array_agg", "corr", "covar_pop", "covar_samp", "geometric_mean", "kurtosis", "max_by", "min_by", "regr_intercept",
		"regr_slope", "skewness", "stddev", "stddev_pop", "stddev_samp", "var_pop", "var_samp", "variance",
	}
	bools, ints, doubles := types.Of(types.Boolean), types.Of(types.BigInt), types.Of(types.Double)
	seen := map[string]bool{}
	for _, f := range function.List() {
		if f.Kind != function.AggregateKind || seen[f.Name] || f.Name == "sum" || f.Name == "avg" {
			continue
		}
		seen[f.Name] = true
		found := false
		for _, args := range [][]types.Type{{ints}, {bools}, {doubles}, {doubles, doubles}} {
			fn, err := function.ResolveAggregate(f.Name, args)
			if err != nil || found {
				continue
			}
			found = true
			c := &expr.Aggregate{Fn: fn, Args: []expr.Expr{plan.Column{ID: 1, Type: args[0]}.Ref()}}
			if got := byOrder(c); got != slices.Contains(always, f.Name) || got == slices.Contains(never, f.Name) {
				t.Errorf("%s(%v) depends on the order of rows: %v", f.Name, args, got)
			}
		}
		if !found {
			t.Errorf("arguments of %s", f.Name)
		}
	}
	for kind, want := range map[types.Type]bool{ints: false, doubles: true, types.Of(types.Real): true, types.DecimalOf(12, 2): false} {
		if got := byOrder(call(t, "sum", plan.Column{ID: 1, Type: kind})); got != want {
			t.Errorf("sum(%v): %v", kind, got)
		}
	}
	a, b := plan.Column{ID: 1, Type: ints}, plan.Column{ID: 2, Type: ints}
	for _, c := range []struct {
		by   []plan.Column
		want bool
	}{{nil, true}, {[]plan.Column{b}, true}, {[]plan.Column{b, a}, false}, {[]plan.Column{a}, false}} {
		agg := call(t, "array_agg", a)
		for _, k := range c.by {
			agg.OrderBy = append(agg.OrderBy, expr.SortKey{Expr: k.Ref()})
		}
		if got := byOrder(agg); got != c.want {
			t.Errorf("array_agg ordered by %s: %v", fmt.Sprint(c.by), got)
		}
	}
}

// TestSameFilters: which fragments that may give other rows in a rerun make the
// same dynamic filters all the same.
func TestSameFilters(t *testing.T) {
	first := func(in plan.Node) plan.Node {
		return &plan.TopN{Input: in, N: 10, Keys: []plan.SortKey{{Column: in.Outputs()[0]}}}
	}
	dynamic := func(left, right plan.Node) plan.Node {
		j := join(left, right, plan.Partitioned)
		j.Dynamic = []plan.DynamicSource{{Filter: 1, Column: j.Keys[0].Right}}
		return j
	}
	for _, c := range []struct {
		name string
		root plan.Node
		same bool
	}{
		{"the first rows of a join", first(dynamic(scan("u", 30), scan("t", 1))), true},
		{"a join with the first rows", dynamic(scan("u", 30), first(scan("t", 1))), false},
		{"a join of the first rows with all", dynamic(first(scan("u", 30)), scan("t", 1)), true},
		{"the first rows of a join with groups chosen by a sum", first(dynamic(scan("u", 30), having(measured(t, "sum", 1)))), false},
	} {
		p, err := Fragment(output(c.root), Options{})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		found := false
		for _, f := range p.Fragments {
			plan.Walk(f.Root, func(n plan.Node) bool {
				if j, ok := n.(*plan.Join); ok && len(j.Dynamic) > 0 {
					found = true
					if !f.Indeterminate || f.SameFilters != c.same {
						t.Errorf("%s: indeterminate %v, same filters %v", c.name, f.Indeterminate, f.SameFilters)
					}
				}
				return true
			})
		}
		if !found {
			t.Errorf("%s: no filter in\n%s", c.name, shape(p))
		}
	}
}
