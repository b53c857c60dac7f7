package system

import (
	"maps"
	"slices"
	"strings"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/exec/kernel"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// wanted says which values of one column a query can return.
type wanted struct {
	// names are the only values that can pass, sorted, if exact.
	names []string
	exact bool
	// tests are conditions on the column alone; column is its ID in them.
	tests  []expr.Expr
	column expr.ColumnID
	env    *kernel.Env
}

// wants looks at the hint of a scan for conditions on a column of the table,
// given by its ordinal.
func (r *request) wants(ordinal int) *wanted {
	w := &wanted{env: &kernel.Env{Account: r.account}}
	at := slices.IndexFunc(r.scan.Columns, func(c connectors.ScanColumn) bool { return c.Ordinal == ordinal })
	if at < 0 || r.scan.Hint == nil {
		return w
	}
	w.column = expr.ColumnID(at)
	for _, e := range expr.Conjuncts(r.scan.Hint) {
		if !onlyColumn(e, w.column) {
			continue
		}
		w.tests = append(w.tests, e)
		if names, ok := namesIn(e, w.column); ok {
			w.restrict(names)
		}
	}
	return w
}

// onlyColumn reports whether e is about one column and nothing else, and
// gives the same answer whenever it is asked.
func onlyColumn(e expr.Expr, id expr.ColumnID) bool {
	only, found := true, false
	expr.Walk(e, func(e expr.Expr) bool {
		switch e := e.(type) {
		case *expr.Column:
			only, found = only && e.ID == id, true
		case *expr.Call:
			only = only && !e.Fn.Volatile && !e.Fn.Stable
		}
		return only
	})
	return only && found
}

// restrict keeps the names that are also in more.
func (w *wanted) restrict(more []string) {
	more = slices.Compact(slices.Sorted(slices.Values(more)))
	if w.exact {
		more = slices.DeleteFunc(more, func(n string) bool { return !slices.Contains(w.names, n) })
	}
	w.names, w.exact = more, true
}

// namesIn returns the only values with which a condition can be true, if it
// lists them: column = 'x', column IN ('x', 'y'), column LIKE 'x' without
// wildcards.
func namesIn(e expr.Expr, id expr.ColumnID) ([]string, bool) {
	switch e := e.(type) {
	case *expr.Call:
		if len(e.Args) < 2 {
			return nil, false
		}
		if e.Fn.Name == function.OpLike && isColumn(e.Args[0], id) {
			return likeName(e.Args[1:])
		}
		if e.Fn.Name == function.OpEq && isColumn(e.Args[1], id) {
			return constants(e.Args[:1])
		}
		if e.Fn.Name == function.OpEq && isColumn(e.Args[0], id) {
			return constants(e.Args[1:])
		}
	case *expr.Form:
		switch e.Op {
		case expr.In:
			if isColumn(e.Args[0], id) {
				return constants(e.Args[1:])
			}
		case expr.Or:
			var all []string
			for _, a := range e.Args {
				names, ok := namesIn(a, id)
				if !ok {
					return nil, false
				}
				all = append(all, names...)
			}
			return all, true
		}
	}
	return nil, false
}

// isColumn reports whether e is the column, perhaps as a varchar of another
// length.
func isColumn(e expr.Expr, id expr.ColumnID) bool {
	if c, ok := e.(*expr.Cast); ok && c.Typ.Kind == types.Varchar && c.Typ.P == types.Unbounded {
		e = c.Arg
	}
	c, ok := e.(*expr.Column)
	return ok && c.ID == id && c.Typ.Kind == types.Varchar
}

// constants returns the texts of constants; a null equals nothing.
func constants(list []expr.Expr) ([]string, bool) {
	out := make([]string, 0, len(list))
	for _, e := range list {
		for {
			c, ok := e.(*expr.Cast)
			if !ok || c.Typ.Kind != types.Varchar || c.Arg.Type().Kind != types.Varchar || c.Typ.P < c.Arg.Type().P {
				break
			}
			e = c.Arg
		}
		c, ok := e.(*expr.Const)
		if !ok {
			return nil, false
		}
		switch v := c.Value.(type) {
		case nil:
		case string:
			if c.Typ.Kind != types.Varchar {
				return nil, false // char compares without its trailing spaces
			}
			out = append(out, v)
		default:
			return nil, false
		}
	}
	return out, true
}

// likeName returns the one text that a pattern without wildcards matches. args
// are the pattern and perhaps its escape.
func likeName(args []expr.Expr) ([]string, bool) {
	texts, ok := constants(args)
	if !ok || len(texts) != len(args) {
		return nil, false
	}
	escape := ""
	if len(texts) > 1 {
		escape = texts[1]
	}
	var b strings.Builder
	for pattern := []rune(texts[0]); len(pattern) > 0; pattern = pattern[1:] {
		switch {
		case escape != "" && string(pattern[0]) == escape:
			if len(pattern) < 2 {
				return nil, false // the engine complains
			}
			pattern = pattern[1:]
		case pattern[0] == '%' || pattern[0] == '_':
			return nil, false
		}
		b.WriteRune(pattern[0])
	}
	return []string{b.String()}, true
}

// is reports whether a value may pass.
func (w *wanted) is(name string) bool {
	if w.exact && !slices.Contains(w.names, name) {
		return false
	}
	value := map[expr.ColumnID]expr.Expr{w.column: &expr.Const{Value: name, Typ: types.VarcharType()}}
	for _, test := range w.tests {
		c, err := kernel.Fold(w.env, expr.Substitute(test, value))
		if err == nil && c.Value != true {
			return false
		}
	}
	return true
}

// of returns those of the names that list would give that may pass. A query
// that spells the names out spares the listing: sure says that such names are
// to be looked up one by one and need not exist.
func (w *wanted) of(list func() ([]string, error)) (names []string, sure bool, err error) {
	if w.exact {
		names, sure = slices.Clone(w.names), true
	} else if names, err = list(); err != nil {
		return nil, false, err
	}
	out := make([]string, 0, len(names))
	for _, n := range names {
		if w.is(n) {
			out = append(out, n)
		}
	}
	return out, sure, nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
