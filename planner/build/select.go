package build

import (
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/analyzer"
	"github.com/tuttidb/tutti/sql/expr"
)

// selection builds a SELECT without its ORDER BY.
func (b *builder) selection(s *analyzer.Select) (plan.Node, error) {
	n := oneRow()
	var err error
	if s.From != nil {
		if n, err = b.relation(s.From); err != nil {
			return nil, err
		}
	}
	if n, err = b.where(n, s.Where); err != nil {
		return nil, err
	}
	if s.Grouping != nil {
		if n, err = b.grouping(n, s.Grouping); err != nil {
			return nil, err
		}
	}
	if n, err = b.where(n, s.Having); err != nil {
		return nil, err
	}
	return b.list(n, s)
}

// list builds the SELECT list and the hidden columns of ORDER BY.
func (b *builder) list(n plan.Node, s *analyzer.Select) (plan.Node, error) {
	items, hidden := assignments(s.Items), assignments(s.Hidden)
	early, late := lateSubqueries(s, items)
	n, err := b.apply(n, early)
	if err != nil {
		return nil, err
	}
	if !refersToMade(items, hidden) && len(late) == 0 {
		n = &plan.Project{Input: n, Cols: append(items, hidden...)}
	} else {
		// ORDER BY computes with columns that the SELECT list computes.
		n = with(n, made(items)...)
		if n, err = b.apply(n, late); err != nil {
			return nil, err
		}
		var cols []plan.Column
		for _, i := range items {
			cols = append(cols, i.Column)
		}
		n = &plan.Project{Input: n, Cols: append(passing(cols), hidden...)}
	}
	if s.Distinct {
		n = &plan.Aggregate{Input: n, Keys: n.Outputs()}
	}
	return n, nil
}

// made are the assignments that compute something.
func made(list []plan.Assignment) []plan.Assignment {
	var out []plan.Assignment
	for _, a := range list {
		if c, ok := a.Expr.(*expr.Column); !ok || c.ID != a.Column.ID {
			out = append(out, a)
		}
	}
	return out
}

func madeColumns(list []plan.Assignment) idSet {
	s := idSet{}
	for _, a := range made(list) {
		s[a.Column.ID] = true
	}
	return s
}

// refersToMade reports whether hidden columns refer to computed items.
func refersToMade(items, hidden []plan.Assignment) bool {
	s := madeColumns(items)
	for _, h := range hidden {
		if s.uses(h.Expr) {
			return true
		}
	}
	return false
}

// lateSubqueries are those of ORDER BY that refer to computed items.
func lateSubqueries(s *analyzer.Select, items []plan.Assignment) (early, late []*analyzer.Subquery) {
	ids := madeColumns(items)
	for _, sub := range s.Subqueries {
		if len(s.Hidden) > 0 && refersToAny(sub, ids) {
			ids[sub.Result.ID] = true
			late = append(late, sub)
			continue
		}
		early = append(early, sub)
	}
	return early, late
}

func refersToAny(s *analyzer.Subquery, ids idSet) bool {
	for id := range ids {
		if s.RefersTo(id) {
			return true
		}
	}
	return ids.usesAny(s.Left)
}
