package optimize

import (
	"slices"

	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

var boolean = types.Of(types.Boolean)

func constant(v bool) *expr.Const { return &expr.Const{Value: v, Typ: boolean} }

// isTrue and isFalse recognize the constants; isNever also takes NULL, which
// a filter treats like false.
func isTrue(e expr.Expr) bool  { c, ok := e.(*expr.Const); return ok && c.Value == true }
func isFalse(e expr.Expr) bool { c, ok := e.(*expr.Const); return ok && c.Value == false }
func isNever(e expr.Expr) bool {
	c, ok := e.(*expr.Const)
	return ok && (c.Value == nil || c.Value == false)
}

// or joins disjuncts, of which there is at least one.
func or(disjuncts []expr.Expr) expr.Expr {
	if len(disjuncts) == 1 {
		return disjuncts[0]
	}
	return &expr.Form{Op: expr.Or, Args: disjuncts, Typ: boolean}
}

// disjuncts splits nested ORs into their parts.
func disjuncts(e expr.Expr) []expr.Expr { return expr.Flatten(nil, e, expr.Or) }

// compare returns a comparison of two expressions of one type, which both
// are comparable by op (or one just like it) elsewhere in the plan.
func compare(op string, a, b expr.Expr) expr.Expr {
	fn, err := function.ResolveScalar(op, []types.Type{a.Type(), b.Type()})
	if err != nil {
		return nil
	}
	return &expr.Call{Fn: fn, Args: []expr.Expr{a, b}}
}

// comparison recognizes a call of one of the comparison operators.
func comparison(e expr.Expr) (op string, a, b expr.Expr, ok bool) {
	c, isCall := e.(*expr.Call)
	if !isCall || len(c.Args) != 2 {
		return "", nil, nil, false
	}
	if _, known := negations[c.Fn.Name]; !known {
		return "", nil, nil, false
	}
	return c.Fn.Name, c.Args[0], c.Args[1], true
}

// negations are the comparisons that hold where another does not, and mirrored
// those that say the same with the sides exchanged.
var (
	negations = map[string]string{
		function.OpEq: function.OpNe, function.OpNe: function.OpEq, function.OpLt: function.OpGe,
		function.OpGe: function.OpLt, function.OpGt: function.OpLe, function.OpLe: function.OpGt,
	}
	mirrored = map[string]string{
		function.OpEq: function.OpEq, function.OpNe: function.OpNe, function.OpLt: function.OpGt,
		function.OpGt: function.OpLt, function.OpLe: function.OpGe, function.OpGe: function.OpLe,
	}
)

// rewriteExprs applies f to every scalar expression of the plan.
func rewriteExprs(root plan.Node, f func(expr.Expr) expr.Expr) plan.Node {
	return plan.Transform(root, func(n plan.Node) plan.Node {
		switch n := n.(type) {
		case *plan.Filter:
			if e := f(n.Predicate); e != n.Predicate {
				return &plan.Filter{Base: n.Base, Input: n.Input, Predicate: e}
			}
		case *plan.Project:
			return rewriteProject(n, f)
		case *plan.Values:
			return rewriteValues(n, f)
		case *plan.Join:
			if n.Filter == nil {
				return n
			}
			if e := f(n.Filter); e != n.Filter {
				c := *n
				c.Filter = e
				return &c
			}
		}
		return n
	})
}

func rewriteValues(n *plan.Values, f func(expr.Expr) expr.Expr) plan.Node {
	rows, same := make([][]expr.Expr, len(n.Rows)), true
	for i, row := range n.Rows {
		rows[i] = row
		for j, e := range row {
			g := f(e)
			if g == e {
				continue
			}
			if &rows[i][0] == &row[0] {
				rows[i] = slices.Clone(row)
			}
			rows[i][j], same = g, false
		}
	}
	if same {
		return n
	}
	return &plan.Values{Base: n.Base, Columns: n.Columns, Rows: rows}
}

func rewriteProject(n *plan.Project, f func(expr.Expr) expr.Expr) plan.Node {
	cols, same := slices.Clone(n.Cols), true
	for i, a := range cols {
		cols[i].Expr = f(a.Expr)
		same = same && cols[i].Expr == a.Expr
	}
	if same {
		return n
	}
	return &plan.Project{Base: n.Base, Input: n.Input, Cols: cols}
}
