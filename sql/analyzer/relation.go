package analyzer

import (
	"slices"

	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/ast"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/types"
)

// from binds relations of one FROM clause.
type from struct {
	a     *Analyzer
	outer *scope // of the query: what subqueries see
	env   *withEnv
}

// fromList binds a FROM list, whose commas are cross joins.
func (a *Analyzer) fromList(list []ast.Relation, outer *scope, env *withEnv) (Relation, []field, error) {
	f := &from{a: a, outer: outer, env: env}
	rel, fields, err := f.relation(list[0], outer)
	if err != nil {
		return nil, nil, err
	}
	for _, r := range list[1:] {
		right, more, err := f.relation(r, &scope{parent: outer, fields: fields})
		if err != nil {
			return nil, nil, err
		}
		rel, fields = &Join{Left: rel, Right: right}, append(slices.Clip(fields), more...)
	}
	return rel, fields, nil
}

// relation binds one relation. beside is what LATERAL and UNNEST see: the
// relations to the left, and what is around the query.
func (f *from) relation(r ast.Relation, beside *scope) (Relation, []field, error) {
	switch r := r.(type) {
	case *ast.Table:
		return f.a.table(r, f.env)
	case *ast.FileTable:
		return f.a.fileTable(r)
	case *ast.Aliased:
		return f.aliased(r, beside)
	case *ast.SubqueryRelation:
		return f.derived(r.Query, f.outer)
	case *ast.Lateral:
		return f.derived(r.Query, beside)
	case *ast.Unnest:
		return f.unnest(r, beside)
	case *ast.Join:
		return f.join(r, beside)
	case *ast.Sampled:
		return nil, nil, qerr.NotSupported(r.Pos(), "TABLESAMPLE")
	case *ast.TableFunction:
		return nil, nil, qerr.NotSupported(r.Pos(), "table functions")
	}
	return nil, nil, qerr.NotSupported(r.Pos(), "this relation")
}

func (f *from) derived(q *ast.Query, outer *scope) (Relation, []field, error) {
	bound, err := f.a.query(q, outer, f.env)
	if err != nil {
		return nil, nil, err
	}
	return bound.rel, unqualified(bound.fields), nil
}

// aliased gives a relation's fields the alias's name and perhaps new names.
func (f *from) aliased(r *ast.Aliased, beside *scope) (Relation, []field, error) {
	rel, fields, err := f.relation(r.Relation, beside)
	if err != nil {
		return nil, nil, err
	}
	out := slices.Clone(fields)
	n := 0
	for i := range out {
		out[i].alias = []string{r.Alias.Fold()}
		if out[i].hidden {
			continue
		}
		if n < len(r.Columns) {
			out[i].name, out[i].aliased = r.Columns[n].Name, true
			out[i].col.Name = r.Columns[n].Name
		}
		n++
	}
	if len(r.Columns) > 0 && len(r.Columns) != n {
		return nil, nil, qerr.At(qerr.MismatchedColumnAliases, r.Pos(),
			"Column alias list has %d entries but '%s' has %d columns available", len(r.Columns), r.Alias.Fold(), n)
	}
	return rel, out, nil
}

// unnest binds UNNEST.
func (f *from) unnest(r *ast.Unnest, beside *scope) (Relation, []field, error) {
	out := &Unnest{}
	var fields []field
	for _, e := range r.Exprs {
		b := &binder{a: f.a, env: f.env, scope: beside, clause: "UNNEST"}
		v, err := b.expression(e)
		if err != nil {
			return nil, nil, err
		}
		cols, err := f.a.unnested(v)
		if err != nil {
			return nil, nil, at(e.Pos(), err)
		}
		out.Exprs = append(out.Exprs, Expression{Expr: v, Subqueries: b.subs})
		out.Cols = append(out.Cols, cols)
		for _, c := range cols {
			fields = append(fields, field{name: c.Name, col: c})
		}
	}
	if r.Ordinality {
		c := f.a.column("", bigint)
		out.Ordinality = &c
		fields = append(fields, field{col: c})
	}
	return out, fields, nil
}

// unnested makes the columns that an array or map becomes.
func (a *Analyzer) unnested(v expr.Expr) ([]Column, error) {
	t := v.Type()
	switch {
	case t.Kind == types.Array && t.Elem(0).Kind == types.Row:
		row := t.Elem(0)
		cols := make([]Column, len(row.Elems()))
		for i, e := range row.Elems() {
			cols[i] = a.column(row.FieldNames()[i], e)
		}
		return cols, nil
	case t.Kind == types.Array:
		return []Column{a.column("", t.Elem(0))}, nil
	case t.Kind == types.Map:
		return []Column{a.column("", t.Elem(0)), a.column("", t.Elem(1))}, nil
	}
	return nil, qerr.New(qerr.InvalidFunctionArgument, "Cannot unnest type: %s", t)
}

// joinKinds are the bound kinds of the syntax's.
var joinKinds = [...]JoinKind{
	ast.InnerJoin: InnerJoin, ast.LeftJoin: LeftJoin, ast.RightJoin: RightJoin, ast.FullJoin: FullJoin, ast.CrossJoin: InnerJoin,
}

func (f *from) join(r *ast.Join, beside *scope) (Relation, []field, error) {
	left, lf, err := f.relation(r.Left, beside)
	if err != nil {
		return nil, nil, err
	}
	lateral := &scope{parent: beside, fields: lf}
	if r.Type == ast.RightJoin || r.Type == ast.FullJoin {
		lateral.refused = r.Type.String()
	}
	right, rf, err := f.relation(r.Right, lateral)
	if err != nil {
		return nil, nil, err
	}
	j := &Join{Kind: joinKinds[r.Type], Left: left, Right: right}
	fields := append(slices.Clip(lf), rf...)
	switch {
	case r.On != nil:
		b := &binder{a: f.a, env: f.env, scope: &scope{parent: f.outer, fields: fields}, clause: "JOIN clause"}
		j.On, err = b.condition(r.On, "JOIN ON clause")
	case r.Natural:
		fields, err = f.using(j, commonNames(lf, rf), lf, rf)
	case len(r.Using) > 0:
		fields, err = f.using(j, r.Using, lf, rf)
	}
	return j, fields, err
}

// commonNames are the names that columns of both sides have, for NATURAL.
func commonNames(left, right []field) []*ast.Identifier {
	var out []*ast.Identifier
	for _, l := range visible(left) {
		for _, r := range visible(right) {
			if l.name != "" && l.key() == r.key() {
				out = append(out, &ast.Identifier{Name: l.name})
				break
			}
		}
	}
	return out
}

// using joins on columns of the same name. The result has these first, once
// each and without qualifier, then the rest of both sides.
func (f *from) using(j *Join, names []*ast.Identifier, left, right []field) ([]field, error) {
	var merged []field
	var conds []expr.Expr
	used := map[*field]bool{}
	seen := map[string]bool{}
	for _, id := range names {
		if seen[id.Fold()] {
			return nil, qerr.At(qerr.DuplicateColumnName, id.Pos(), "Column '%s' appears multiple times in USING clause", id.Fold())
		}
		seen[id.Fold()] = true
		l, err := usingField(left, id, "left")
		if err != nil {
			return nil, err
		}
		r, err := usingField(right, id, "right")
		if err != nil {
			return nil, err
		}
		used[l], used[r] = true, true
		cond, m, err := f.merge(j, id, l, r)
		if err != nil {
			return nil, err
		}
		merged, conds = append(merged, m), append(conds, cond)
	}
	switch len(conds) {
	case 0: // NATURAL without common columns is a cross join
	case 1:
		j.On.Expr = conds[0]
	default:
		j.On.Expr = &expr.Form{Op: expr.And, Args: conds, Typ: boolean}
	}
	return append(append(merged, unused(left, used)...), unused(right, used)...), nil
}

func unused(fields []field, used map[*field]bool) []field {
	var out []field
	for i := range fields {
		if !used[&fields[i]] {
			out = append(out, fields[i])
		}
	}
	return out
}

func usingField(fields []field, id *ast.Identifier, side string) (*field, error) {
	var found *field
	for i := range fields {
		if !fields[i].matches(nil, id.Fold()) {
			continue
		}
		if found != nil {
			return nil, qerr.At(qerr.AmbiguousName, id.Pos(), "Column '%s' is ambiguous", id.Fold())
		}
		found = &fields[i]
	}
	if found == nil {
		return nil, qerr.At(qerr.ColumnNotFound, id.Pos(), "Column '%s' is missing from %s side of join", id.Fold(), side)
	}
	return found, nil
}

// merge makes the equality and the merged column of one name of USING: the
// side that is never made up by the join, or whichever is not null.
func (f *from) merge(j *Join, id *ast.Identifier, l, r *field) (expr.Expr, field, error) {
	b := &binder{a: f.a}
	eq, err := b.call(id.Pos(), comparisonFunctions[ast.Equal], l.col.Ref(), r.col.Ref())
	if err != nil {
		return nil, field{}, err
	}
	sides := expr.Children(eq)
	value := sides[0]
	switch j.Kind {
	case RightJoin:
		value = sides[1]
	case FullJoin:
		value = &expr.Form{Op: expr.Coalesce, Args: sides, Typ: value.Type()}
	}
	m := field{name: l.name, origin: l.origin}
	if c, ok := value.(*expr.Column); ok {
		m.col = Column{ID: c.ID, Name: l.name, Type: c.Typ}
		return eq, m, nil
	}
	m.col = f.a.column(l.name, value.Type())
	j.Computed = append(j.Computed, Assignment{m.col, value})
	return eq, m, nil
}
