package analyzer

import (
	"slices"
	"strings"

	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/ast"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/types"
)

// field is a column that names can refer to.
type field struct {
	// alias is the name of the relation it belongs to, in lower case: the
	// alias, or the table's name with as many parts as were written. A
	// qualifier in a reference matches its last parts.
	alias []string
	// name is the column's name as written; "" if it cannot be referred to.
	name string
	col  Column
	// hidden fields are found by name but not by *.
	hidden bool
	// origin is the table's column that it is, if any.
	origin  *origin
	aliased bool
}

// origin names a column of a table.
type origin struct{ catalog, schema, table string }

func (f *field) key() string { return strings.ToLower(f.name) }

// matches reports whether qualifier.name names the field.
func (f *field) matches(qualifier []string, name string) bool {
	if f.name == "" || f.key() != name {
		return false
	}
	return f.hasAlias(qualifier)
}

// hasAlias reports whether qualifier is the end of the field's alias.
func (f *field) hasAlias(qualifier []string) bool {
	n := len(f.alias) - len(qualifier)
	return n >= 0 && slices.Equal(f.alias[n:], qualifier)
}

// scope is the columns that a name can mean, and those around it.
type scope struct {
	parent *scope
	fields []field
	// refs collects the references that leave a subquery through this scope;
	// nil where the scope is not the outermost of a subquery.
	refs *[]outerRef
	// refused is the kind of join ("RIGHT") whose left side may not be referred
	// to from its right side; "" if it may.
	refused string
	// output marks the columns of the SELECT list in the scope of ORDER BY.
	output bool
}

// outerRef is a reference from within a subquery to a column around it.
type outerRef struct {
	id   expr.ColumnID
	node ast.Expression
}

// resolved is what a name means: a field, and the names of row fields within.
type resolved struct {
	field *field
	scope *scope
	rest  []*ast.Identifier
}

// resolve finds what name means, innermost scope first. It returns nil if
// there is no such column.
func (s *scope) resolve(name *ast.QualifiedName) (*resolved, error) {
	parts := name.Fold()
	for at := s; at != nil; at = at.parent {
		f, n, err := at.lookup(name, parts)
		if err != nil {
			return nil, err
		}
		if f != nil {
			return &resolved{field: f, scope: at, rest: name.Parts[n:]}, nil
		}
	}
	return nil, nil
}

// lookup finds the longest beginning of parts that names a field of s, and
// returns the field and the number of parts.
func (s *scope) lookup(name *ast.QualifiedName, parts []string) (*field, int, error) {
	for n := len(parts); n > 0; n-- {
		var found *field
		for i := range s.fields {
			f := &s.fields[i]
			if !f.matches(parts[:n-1], parts[n-1]) {
				continue
			}
			if found != nil {
				return nil, 0, qerr.At(qerr.AmbiguousName, name.Pos(), "Column '%s' is ambiguous", strings.Join(parts[:n], "."))
			}
			found = f
		}
		if found != nil {
			return found, n, nil
		}
	}
	return nil, 0, nil
}

// column binds a reference to a column, perhaps to a field of a row column.
func (b *binder) column(name *ast.QualifiedName, node ast.Expression) (expr.Expr, error) {
	if b.scope == nil {
		return nil, qerr.At(qerr.ExpressionNotConstant, node.Pos(), "Constant expression cannot contain column references")
	}
	r, err := b.scope.resolve(name)
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, b.unknownColumn(name)
	}
	if err := b.crossed(r, node); err != nil {
		return nil, err
	}
	e := expr.Expr(r.field.col.Ref())
	done := len(name.Parts) - len(r.rest)
	for i, id := range r.rest {
		path := &ast.QualifiedName{Base: ast.At(name.Pos()), Parts: name.Parts[:done+i]}
		if e, err = dereference(e, id, node, strings.Join(path.Fold(), "."), strings.Join(path.Fold(), ".")+"."+id.Fold()); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// crossed notes the reference at each subquery that it leaves, and refuses
// those that SQL forbids.
func (b *binder) crossed(r *resolved, node ast.Expression) error {
	for at := b.scope; at != r.scope; at = at.parent {
		if at.refs != nil {
			*at.refs = append(*at.refs, outerRef{r.field.col.ID, node})
		}
	}
	switch {
	case r.scope.refused != "":
		return qerr.At(qerr.InvalidColumnReference, node.Pos(), "LATERAL reference not allowed in %s JOIN", r.scope.refused)
	case r.scope.output && b.inAggregate:
		return qerr.At(qerr.ColumnNotFound, node.Pos(), outputInAggregate)
	}
	return nil
}

const outputInAggregate = "Invalid reference to output projection attribute from ORDER BY aggregation"

// holds reports whether the column is a field of the scope.
func (s *scope) holds(id expr.ColumnID) bool {
	return slices.ContainsFunc(s.fields, func(f field) bool { return f.col.ID == id })
}

// unknownColumn is the error for a name that means nothing, with the nearest
// name that does.
func (b *binder) unknownColumn(name *ast.QualifiedName) error {
	parts := name.Fold()
	near := nearest(parts[len(parts)-1])
	for at := b.scope; at != nil; at = at.parent {
		for _, f := range at.fields {
			if !f.hidden && (len(parts) == 1 || f.hasAlias(parts[:len(parts)-1])) {
				near.offer(f.key())
			}
		}
	}
	suggestion := near.best
	if suggestion != "" && len(parts) > 1 {
		suggestion = strings.Join(parts[:len(parts)-1], ".") + "." + suggestion
	}
	return qerr.At(qerr.ColumnNotFound, name.Pos(), "Column '%s' cannot be resolved%s",
		strings.Join(parts, "."), didYouMean(suggestion))
}

// dereference is the field of a row. Errors name the row base and the whole
// reference full.
func dereference(e expr.Expr, id *ast.Identifier, node ast.Expression, base, full string) (expr.Expr, error) {
	t := e.Type()
	if t.Kind != types.Row {
		return nil, qerr.At(qerr.TypeMismatch, node.Pos(), "Expression %s is not of type ROW", base)
	}
	found := -1
	for i, n := range t.FieldNames() {
		if n == "" || !strings.EqualFold(n, id.Name) {
			continue
		}
		if found >= 0 {
			return nil, qerr.At(qerr.AmbiguousName, node.Pos(), "Ambiguous row field reference: %s", id.Name)
		}
		found = i
	}
	if found < 0 {
		return nil, qerr.At(qerr.InvalidColumnReference, node.Pos(), "Column reference '%s' is invalid", full)
	}
	return rowField(e, found), nil
}

func rowField(e expr.Expr, i int) expr.Expr {
	return &expr.Form{Op: expr.Field, Args: []expr.Expr{e}, Index: i, Typ: e.Type().Elem(i)}
}
