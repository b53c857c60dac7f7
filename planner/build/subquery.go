package build

import (
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/analyzer"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
)

// apply adds the results of subqueries to n, one after the other.
func (b *builder) apply(n plan.Node, subs []*analyzer.Subquery) (plan.Node, error) {
	for _, s := range subs {
		var err error
		if n, err = b.subquery(n, s); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// subquery adds the result of one subquery to n.
func (b *builder) subquery(n plan.Node, s *analyzer.Subquery) (plan.Node, error) {
	right, err := b.query(s.Query, false)
	if err != nil {
		return nil, err
	}
	result := column(s.Result)
	switch s.Kind {
	case analyzer.ScalarSubquery:
		value := plan.Assignment{Column: result, Expr: value(s.Query)}
		return &apply{kind: applySingle, left: n, right: &plan.Project{Input: right, Cols: []plan.Assignment{value}}}, nil
	case analyzer.ExistsSubquery:
		return &apply{kind: applyMark, left: n, right: right, mark: result}, nil
	case analyzer.InSubquery:
		return &apply{kind: applyMark, left: n, right: right, on: equalities(s), mark: result, nulls: true}, nil
	}
	return b.quantified(n, right, s, result)
}

// value is the value of a scalar subquery's row.
func value(q *analyzer.Query) expr.Expr {
	if len(q.Cols) == 1 {
		return q.Cols[0].Ref()
	}
	args, names := make([]expr.Expr, len(q.Cols)), make([]string, len(q.Cols))
	for i, c := range q.Cols {
		args[i], names[i] = c.Ref(), c.Name
	}
	return row(args, names)
}

// equalities are the comparisons of IN, one a column.
func equalities(s *analyzer.Subquery) []expr.Expr {
	out := make([]expr.Expr, len(s.Left))
	for i := range s.Left {
		out[i] = compare(function.OpEq, s.Left[i], s.Right[i])
	}
	return out
}

// where filters n. A subquery that is a condition of its own decides by a semi
// or anti join which rows stay; all others are evaluated first.
func (b *builder) where(n plan.Node, cond analyzer.Expression) (plan.Node, error) {
	if cond.Expr == nil {
		return n, nil
	}
	var plain, others []expr.Expr
	tests, byResult := []test{}, map[expr.ColumnID]*analyzer.Subquery{}
	for _, s := range cond.Subqueries {
		byResult[s.Result.ID] = s
	}
	results := idSet{}
	for _, s := range cond.Subqueries {
		results[s.Result.ID] = true
	}
	for _, c := range expr.Conjuncts(cond.Expr) {
		t, ok := testOf(c, byResult, cond)
		switch {
		case ok:
			tests = append(tests, t)
		case results.uses(c):
			others = append(others, c)
		default:
			plain = append(plain, c)
		}
	}
	n = filtered(n, plain...)
	// A test's value may hold subqueries, so the order of all stays.
	for _, s := range cond.Subqueries {
		var err error
		if t, ok := findTest(tests, s); ok {
			n, err = b.test(n, t)
		} else {
			n, err = b.subquery(n, s)
		}
		if err != nil {
			return nil, err
		}
	}
	return filtered(n, others...), nil
}

// test is a condition that is EXISTS or IN, or NOT of it.
type test struct {
	sub *analyzer.Subquery
	not bool
}

func findTest(tests []test, s *analyzer.Subquery) (test, bool) {
	for _, t := range tests {
		if t.sub == s {
			return t, true
		}
	}
	return test{}, false
}

// testOf recognizes a condition that is nothing but a subquery's result.
func testOf(c expr.Expr, subs map[expr.ColumnID]*analyzer.Subquery, cond analyzer.Expression) (test, bool) {
	t := test{}
	if f, ok := c.(*expr.Form); ok && f.Op == expr.Not {
		t.not, c = true, f.Args[0]
	}
	ref, ok := c.(*expr.Column)
	if !ok {
		return t, false
	}
	t.sub = subs[ref.ID]
	if t.sub == nil || t.sub.Kind != analyzer.ExistsSubquery && t.sub.Kind != analyzer.InSubquery {
		return t, false
	}
	return t, uses(cond, ref.ID) == 1
}

// uses counts the references to a result within a condition and its
// subqueries.
func uses(cond analyzer.Expression, id expr.ColumnID) int {
	n := 0
	count := func(c *expr.Column) {
		if c.ID == id {
			n++
		}
	}
	expr.Columns(cond.Expr, count)
	for _, s := range cond.Subqueries {
		for _, l := range s.Left {
			expr.Columns(l, count)
		}
	}
	return n
}

// test keeps the rows of n that pass.
func (b *builder) test(n plan.Node, t test) (plan.Node, error) {
	right, err := b.query(t.sub.Query, false)
	if err != nil {
		return nil, err
	}
	a := &apply{kind: applySemi, left: n, right: right, on: equalities(t.sub)}
	if t.not {
		a.kind, a.nulls = applyAnti, t.sub.Kind == analyzer.InSubquery
	}
	return a, nil
}

// quantified builds x op ANY|ALL (query) from the least and greatest value of
// the query and counts of its rows and values:
//
//	x < ANY: false of no rows; true if x < max; else null if any null; else false
//	x < ALL: true of no rows; false if not x < min; else null if any null; else true
//
// = ALL holds if x equals both ends, <> ANY is its negation. Rows with nulls in
// them are not null, but the comparison can be.
func (b *builder) quantified(n, right plan.Node, s *analyzer.Subquery, result plan.Column) (plan.Node, error) {
	value := s.Right[0]
	left := s.Left[0]
	if len(s.Right) > 1 {
		value, left = row(s.Right, nil), row(s.Left, nil)
	}
	v := b.column("value", value.Type())
	agg := &plan.Aggregate{Input: &plan.Project{Input: right, Cols: []plan.Assignment{{Column: v, Expr: value}}}}
	for _, f := range []struct {
		name string
		args []plan.Column
	}{{"min", []plan.Column{v}}, {"max", []plan.Column{v}}, {"count", nil}, {"count", []plan.Column{v}}} {
		a, err := b.aggregate(f.name, nil, f.args...)
		if err != nil {
			return nil, err
		}
		agg.Aggs = append(agg.Aggs, a)
	}
	ends := bounds{left: left, min: agg.Aggs[0].Column, max: agg.Aggs[1].Column, rows: agg.Aggs[2].Column, values: agg.Aggs[3].Column}
	a := &apply{kind: applySingle, left: n, right: agg}
	return with(a, plan.Assignment{Column: result, Expr: ends.compare(s.Op, s.All)}), nil
}

// bounds is what is known of the rows that a value is compared with.
type bounds struct {
	left                   expr.Expr
	min, max, rows, values plan.Column
}

func (e bounds) compare(op string, all bool) expr.Expr {
	if op == function.OpNe && !all { // x <> ANY is NOT (x = ALL)
		return not(e.compare(function.OpEq, true))
	}
	known := e.holds(op, all)
	null := &expr.Const{Typ: boolean}
	isFalse := &expr.Const{Value: false, Typ: boolean}
	empty := compare(function.OpEq, e.rows.Ref(), number(0))
	nulls := or(compare(function.OpNe, e.rows.Ref(), e.values.Ref()), isNull(e.left), isNull(known))
	if all {
		return caseWhen(empty, constTrue(), not(known), isFalse, nulls, null, constTrue())
	}
	return caseWhen(empty, isFalse, known, constTrue(), nulls, null, isFalse)
}

// holds compares with the end that decides.
func (e bounds) holds(op string, all bool) expr.Expr {
	switch {
	case op == function.OpEq:
		return and(compare(op, e.left, e.min.Ref()), compare(op, e.left, e.max.Ref()))
	case (op == function.OpLt || op == function.OpLe) == all:
		return compare(op, e.left, e.min.Ref())
	}
	return compare(op, e.left, e.max.Ref())
}
