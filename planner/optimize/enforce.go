package optimize

import (
	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
)

// enforcePredicates hands the conjuncts right above a scan to its connector.
// What the connector will apply leaves the plan; the rest stays as a Filter
// and goes along as a hint.
func (o *Optimizer) enforcePredicates(root plan.Node) (plan.Node, error) {
	var failed error
	out := plan.Transform(root, func(n plan.Node) plan.Node {
		f, ok := n.(*plan.Filter)
		if !ok || failed != nil {
			return n
		}
		s, ok := f.Input.(*plan.Scan)
		if !ok {
			return n
		}
		var next plan.Node
		next, failed = o.enforce(f, s)
		return next
	})
	return out, failed
}

func (o *Optimizer) enforce(f *plan.Filter, s *plan.Scan) (plan.Node, error) {
	conn, err := o.catalogs.Connector(o.ctx, s.Catalog)
	if err != nil {
		return nil, err
	}
	fixed, rest := partition(expr.Conjuncts(f.Predicate), func(e expr.Expr) bool { return !volatile(e) })
	if len(fixed) == 0 {
		return f, nil
	}
	scan := *s
	enforcer, ok := conn.(connectors.Enforcer)
	if !ok {
		scan.Hint = and(fixed)
		return filter(&scan, append(fixed, rest...)), nil
	}
	at := make(map[expr.ColumnID]int, len(s.Columns))
	for i, c := range s.Columns {
		at[c.ID] = i
	}
	numbered := make([]expr.Expr, len(fixed))
	original := make(map[expr.Expr]expr.Expr, len(fixed))
	for i, e := range fixed {
		numbered[i] = plan.Renumber(e, at)
		original[numbered[i]] = e
	}
	refused, err := enforcer.Enforce(o.ctx, s.ScanSpec(), numbered)
	if err != nil {
		return nil, err
	}
	kept := map[expr.Expr]bool{}
	for i, e := range refused {
		kept[original[e]] = true
		refused[i] = original[e]
	}
	_, taken := partition(fixed, func(e expr.Expr) bool { return kept[e] })
	scan.Predicate, scan.Hint = nil, nil
	if len(taken) > 0 {
		scan.Predicate = and(append(expr.Conjuncts(s.Predicate), taken...))
	}
	if len(refused) > 0 {
		scan.Hint = and(refused)
	}
	return filter(&scan, append(refused, rest...)), nil
}
