package analyzer

import (
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/ast"
)

// withEnv is the chain of common table expressions that can be named, the
// nearest first.
type withEnv struct {
	next  *withEnv
	name  string // in lower case
	query *ast.NamedQuery
	// outer and env are where the query was defined.
	outer *scope
	env   *withEnv
	// first is the query as bound at its definition, used for the first
	// reference; later ones bind it anew.
	first *boundQuery
	// recursive marks the name of a query within itself.
	recursive bool
}

// find returns the common table expression of that name, or nil.
func (e *withEnv) find(name string) *withEnv {
	for ; e != nil; e = e.next {
		if e.name == name {
			return e
		}
	}
	return nil
}

// with binds the queries of a WITH clause and adds them to env. Each is bound
// even if nothing refers to it, for its errors.
func (a *Analyzer) with(w *ast.With, outer *scope, env *withEnv) (*withEnv, error) {
	if w == nil {
		return env, nil
	}
	seen := map[string]bool{}
	for _, n := range w.Queries {
		name := n.Name.Fold()
		if seen[name] {
			return nil, qerr.At(qerr.DuplicateNamedQuery, n.Pos(), "WITH query name '%s' specified more than once", name)
		}
		seen[name] = true
		inner := env
		if w.Recursive {
			inner = &withEnv{next: env, name: name, query: n, recursive: true}
		}
		entry := &withEnv{next: env, name: name, query: n, outer: outer, env: inner}
		var err error
		if entry.first, err = a.named(entry); err != nil {
			return nil, err
		}
		env = entry
	}
	return env, nil
}

// named binds the query of a common table expression and names its columns.
func (a *Analyzer) named(e *withEnv) (*boundQuery, error) {
	q, err := a.query(e.query.Query, e.outer, e.env)
	if err != nil {
		return nil, err
	}
	if len(e.query.Columns) == 0 {
		return q, nil
	}
	if len(e.query.Columns) != len(q.fields) {
		return nil, qerr.At(qerr.MismatchedColumnAliases, e.query.Columns[0].Pos(),
			"Column alias list has %d entries but relation has %d columns", len(e.query.Columns), len(q.fields))
	}
	for i, c := range e.query.Columns {
		q.fields[i].name, q.fields[i].aliased = c.Name, true
	}
	return q, nil
}

// reference binds a reference to a common table expression.
func (a *Analyzer) reference(e *withEnv, t *ast.Table) (Relation, []field, error) {
	if e.recursive {
		return nil, nil, qerr.NotSupported(t.Pos(), "recursive common table expressions (%s)", e.name)
	}
	q := e.first
	e.first = nil
	if q == nil {
		var err error
		if q, err = a.named(e); err != nil {
			return nil, nil, err
		}
	}
	fields := unqualified(q.fields)
	for i := range fields {
		fields[i].alias = []string{e.name}
	}
	return q.rel, fields, nil
}
