package lake

import (
	"context"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/exec/kernel"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/types"
)

// Enforce implements connectors.Enforcer: the reader applies every condition
// that there is code for and whose result does not depend on the session,
// which it does not know.
func (l *Lake) Enforce(_ context.Context, _ *connectors.Scan, conjuncts []expr.Expr) (rest []expr.Expr, err error) {
	for _, e := range conjuncts {
		if !sessionFree(e) || !l.compiles(e) {
			rest = append(rest, e)
		}
	}
	return rest, nil
}

// compiles reports whether the kernels have code for a condition.
func (l *Lake) compiles(e expr.Expr) bool {
	f, err := kernel.CompileFilter(&kernel.Env{Account: l.deps.Account}, e)
	if err != nil {
		return false
	}
	f.Close()
	return true
}

// sessionFree reports whether e has the same value whoever asks and when.
func sessionFree(e expr.Expr) bool {
	free := true
	expr.Walk(e, func(e expr.Expr) bool {
		switch e := e.(type) {
		case *expr.Call:
			free = free && !e.Fn.Volatile && !e.Fn.Stable && !zoned(e.Args...)
		case *expr.Cast:
			// Between local and zoned time the session's zone decides.
			free = free && hasZone(e.Typ) == hasZone(e.Arg.Type())
		}
		return free
	})
	return free
}

// zoned reports whether some, but not all, arguments have a time zone: such a
// function may look at the session's.
func zoned(args ...expr.Expr) bool {
	some, others := false, false
	for _, a := range args {
		if hasZone(a.Type()) {
			some = true
		} else if isTime(a.Type()) {
			others = true
		}
	}
	return some && others
}

func hasZone(t types.Type) bool { return t.Kind == types.TimestampTZ || t.Kind == types.TimeTZ }

func isTime(t types.Type) bool {
	return t.Kind == types.Timestamp || t.Kind == types.Time || t.Kind == types.Date
}
