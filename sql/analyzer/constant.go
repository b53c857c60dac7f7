package analyzer

import (
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/ast"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/types"
)

// Constant binds an expression without columns or subqueries, as SET SESSION
// and CALL have them.
func (a *Analyzer) Constant(e ast.Expression) (expr.Expr, error) {
	if err := a.loadZone(); err != nil {
		return nil, err
	}
	b := a.constants()
	bound, err := b.expression(e)
	if err != nil {
		return nil, err
	}
	if len(b.subs) > 0 {
		return nil, qerr.At(qerr.ExpressionNotConstant, e.Pos(), "Constant expression cannot contain a subquery")
	}
	return bound, nil
}

// CheckTimeZone returns an error unless name is a time zone's.
func CheckTimeZone(name string) error {
	if _, ok := types.ZoneByName(name); !ok {
		return qerr.New(qerr.InvalidSessionProperty, "Time zone not supported: %s", name)
	}
	return nil
}
