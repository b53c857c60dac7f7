package build

import (
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/analyzer"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/types"
)

// Query returns the plan of a query: a plan.Output over relational operators,
// without any subquery. alloc is the allocator that the analyzer used. The
// only error is NOT_SUPPORTED.
func Query(q *analyzer.Query, alloc *analyzer.Allocator) (*plan.Output, error) {
	b := &builder{alloc: alloc}
	n, err := b.query(q, true)
	if err != nil {
		return nil, err
	}
	if n, err = b.decorrelate(n); err != nil {
		return nil, err
	}
	return &plan.Output{Input: n, Cols: columns(q.Cols), Names: q.Names()}, nil
}

// Write returns the plan of a CREATE TABLE AS or INSERT, whose result is the
// number of rows. w.Exists must be false: then there is nothing to plan.
func Write(w *analyzer.Write, alloc *analyzer.Allocator) (*plan.Output, error) {
	b := &builder{alloc: alloc}
	n, err := b.query(w.Query, false)
	if err != nil {
		return nil, err
	}
	if n, err = b.decorrelate(n); err != nil {
		return nil, err
	}
	values := assignments(w.Values)
	n = &plan.Project{Input: n, Cols: values}
	count := column(w.Count)
	write := &plan.Write{
		Input: n, Catalog: w.Catalog, Schema: w.Schema, Table: w.Table,
		Create: w.Create, Cols: n.Outputs(), Count: count,
	}
	return &plan.Output{Input: write, Cols: []plan.Column{count}, Names: []string{count.Name}}, nil
}

// builder builds one plan.
type builder struct{ alloc *analyzer.Allocator }

// column makes a new column.
func (b *builder) column(name string, t types.Type) plan.Column {
	return plan.Column{ID: b.alloc.New(), Name: name, Type: t}
}

// like makes a new column of the name and type of c.
func (b *builder) like(c plan.Column) plan.Column { return b.column(c.Name, c.Type) }

// relation builds what stands in FROM.
func (b *builder) relation(r analyzer.Relation) (plan.Node, error) {
	switch r := r.(type) {
	case *analyzer.Scan:
		return scan(r), nil
	case *analyzer.Values:
		return b.values(r)
	case *analyzer.Join:
		return b.join(r)
	case *analyzer.Unnest:
		return b.unnest(r)
	case *analyzer.SetOperation:
		return b.setOperation(r)
	case *analyzer.Select:
		return b.selection(r)
	case *analyzer.Query:
		return b.query(r, false)
	}
	return nil, qerr.NotSupported(qerr.Pos{}, "relation %T", r)
}

// query builds a query with its order and limit. An order without limit is
// dropped unless the query is the statement's outermost.
func (b *builder) query(q *analyzer.Query, root bool) (plan.Node, error) {
	n, err := b.queryBody(q, root)
	if err != nil {
		return nil, err
	}
	limited := q.Limit >= 0 || q.Offset > 0
	if q.WithTies {
		if n, err = b.withTies(n, q); err != nil {
			return nil, err
		}
		limited = false
	}
	if len(q.OrderBy) > 0 && (root || limited) {
		n = &plan.Sort{Input: n, Keys: sortKeys(q.OrderBy)}
	}
	if limited {
		n = &plan.Limit{Input: n, N: q.Limit, Offset: q.Offset}
	}
	return n, nil
}

// queryBody builds the body; the order of a query in parentheses stays where
// nothing above sets another one.
func (b *builder) queryBody(q *analyzer.Query, root bool) (plan.Node, error) {
	if inner, ok := q.Body.(*analyzer.Query); ok {
		return b.query(inner, root && len(q.OrderBy) == 0)
	}
	return b.relation(q.Body)
}

func sortKeys(keys []analyzer.SortKey) []plan.SortKey {
	out := make([]plan.SortKey, 0, len(keys))
	seen := idSet{}
	for _, k := range keys {
		if !seen[k.Column.ID] { // a column decides once
			seen[k.Column.ID] = true
			out = append(out, plan.SortKey{Column: column(k.Column), Descending: k.Descending, NullsFirst: k.NullsFirst})
		}
	}
	return out
}

func column(c analyzer.Column) plan.Column {
	return plan.Column{ID: c.ID, Name: c.Name, Type: c.Type}
}

func columns(list []analyzer.Column) []plan.Column {
	out := make([]plan.Column, len(list))
	for i, c := range list {
		out[i] = column(c)
	}
	return out
}

// assignments converts and drops repeats: SELECT a, a computes a once.
func assignments(list []analyzer.Assignment) []plan.Assignment {
	out := make([]plan.Assignment, 0, len(list))
	seen := idSet{}
	for _, a := range list {
		if !seen[a.Column.ID] {
			seen[a.Column.ID] = true
			out = append(out, plan.Assignment{Column: column(a.Column), Expr: a.Expr})
		}
	}
	return out
}

// constTrue is the constant true.
func constTrue() expr.Expr { return &expr.Const{Value: true, Typ: boolean} }
