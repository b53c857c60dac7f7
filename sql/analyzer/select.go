package analyzer

import (
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/ast"
	"github.com/tuttidb/tutti/sql/expr"
)

// selecting is a SELECT on its way from syntax to bound tree. ORDER BY, which
// stands outside, comes last: see finish.
type selecting struct {
	a     *Analyzer
	node  *ast.Select
	outer *scope
	env   *withEnv

	out *Select
	// source is the scope of FROM's columns.
	source *scope
	items  []item
	// group is nil without grouping.
	group *grouping
	// fields are the result's columns.
	fields []field
}

// item is an element of the SELECT list, with stars already expanded.
type item struct {
	// node is the expression; nil if the item is the column of a star.
	node ast.Expression
	// star is the field or row field that a star stands for.
	star      expr.Expr
	starField *field
	alias     *ast.Identifier
	name      string
}

// selectBody binds a SELECT up to ORDER BY.
func (a *Analyzer) selectBody(n *ast.Select, outer *scope, env *withEnv) (*body, error) {
	s := &selecting{a: a, node: n, outer: outer, env: env, out: &Select{Distinct: n.Distinct}}
	if len(n.Windows) > 0 {
		return nil, qerr.NotSupported(n.Windows[0].Pos(), "window functions")
	}
	for _, step := range []func() error{s.from, s.where, s.expand} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return &body{rel: s.out, sel: s, fields: nil}, nil
}

// finish binds what depends on whether the query is grouped, which ORDER BY
// may decide, and then ORDER BY itself.
func (s *selecting) finish(order []*ast.SortItem) ([]SortKey, error) {
	if err := s.groupBy(order); err != nil {
		return nil, err
	}
	for _, step := range []func() error{s.having, s.list, s.distinct} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	keys, err := s.order(order)
	if err == nil && s.group != nil {
		s.out.Grouping = s.group.out
	}
	return keys, err
}

func (s *selecting) from() error {
	s.source = &scope{parent: s.outer}
	if len(s.node.From) == 0 {
		return nil
	}
	rel, fields, err := s.a.fromList(s.node.From, s.outer, s.env)
	if err != nil {
		return err
	}
	s.out.From, s.source.fields = rel, fields
	return nil
}

func (s *selecting) where() error {
	if s.node.Where == nil {
		return nil
	}
	b := &binder{a: s.a, env: s.env, scope: s.source, clause: "WHERE clause"}
	var err error
	s.out.Where, err = b.condition(s.node.Where, "WHERE clause")
	return err
}

// expand expands stars.
func (s *selecting) expand() error {
	for _, n := range s.node.Items {
		switch n := n.(type) {
		case *ast.SingleColumn:
			s.items = append(s.items, item{node: n.Expr, alias: n.Alias, name: itemName(n)})
		case *ast.AllColumns:
			if err := s.star(n); err != nil {
				return err
			}
		}
	}
	return nil
}

// itemName is the name that a column of the result gets.
func itemName(n *ast.SingleColumn) string {
	if n.Alias != nil {
		return n.Alias.Name
	}
	switch e := n.Expr.(type) {
	case *ast.Identifier:
		return e.Name
	case *ast.Dereference:
		if ast.DereferenceName(e) != nil {
			return e.Field.Name
		}
	}
	return ""
}

// star expands *, t.* or row.*.
func (s *selecting) star(n *ast.AllColumns) error {
	items, err := s.starItems(n)
	if err != nil {
		return err
	}
	if len(n.Aliases) > 0 {
		if len(n.Aliases) != len(items) {
			return qerr.At(qerr.MismatchedColumnAliases, n.Aliases[0].Pos(),
				"Column alias list has %d entries but relation has %d columns", len(n.Aliases), len(items))
		}
		for i, id := range n.Aliases {
			items[i].name, items[i].alias = id.Name, id
		}
	}
	s.items = append(s.items, items...)
	return nil
}

func (s *selecting) starItems(n *ast.AllColumns) ([]item, error) {
	if n.Target == nil {
		if s.out.From == nil {
			return nil, qerr.At(qerr.ColumnNotFound, n.Pos(), "SELECT * not allowed in queries without FROM clause")
		}
		items := fieldItems(s.source, nil)
		if len(items) == 0 {
			return nil, qerr.At(qerr.ColumnNotFound, n.Pos(), "SELECT * not allowed from relation that has no columns")
		}
		return items, nil
	}
	name := ast.DereferenceName(n.Target)
	if name != nil {
		for at := s.source; at != nil; at = at.parent {
			if items := fieldItems(at, name.Fold()); len(items) > 0 {
				return items, nil
			}
		}
	}
	return s.rowItems(n, name)
}

// fieldItems are the visible fields of a scope under an alias; nil for all.
func fieldItems(at *scope, alias []string) []item {
	var out []item
	for i := range at.fields {
		f := &at.fields[i]
		if !f.hidden && f.hasAlias(alias) {
			out = append(out, item{star: f.col.Ref(), starField: f, name: f.name})
		}
	}
	return out
}

// rowItems expands the fields of a row.
func (s *selecting) rowItems(n *ast.AllColumns, name *ast.QualifiedName) ([]item, error) {
	if name != nil {
		r, err := s.source.resolve(name)
		if err != nil {
			return nil, err
		}
		if r == nil || len(name.Parts) == 1 && r.field.col.Type.FieldNames() == nil {
			return nil, qerr.At(qerr.TableNotFound, n.Pos(), "Unable to resolve reference %s", name)
		}
	}
	if row, ok := n.Target.(*ast.Row); ok && len(aggregateCalls(row)) > 0 {
		items := make([]item, len(row.Items))
		for i, e := range row.Items {
			items[i] = item{node: e}
		}
		return items, nil
	}
	b := s.binder("SELECT")
	e, err := b.expression(n.Target)
	if err != nil {
		return nil, err
	}
	s.out.Subqueries = append(s.out.Subqueries, b.subs...)
	t := e.Type()
	if t.FieldNames() == nil {
		return nil, qerr.At(qerr.TypeMismatch, n.Target.Pos(), "expected expression of type Row")
	}
	items := make([]item, len(t.Elems()))
	for i, fieldName := range t.FieldNames() {
		items[i] = item{star: rowField(e, i), name: fieldName}
	}
	return items, nil
}

// binder makes the binder of a clause over FROM's columns, without
// aggregates.
func (s *selecting) binder(clause string) *binder {
	return &binder{a: s.a, env: s.env, scope: s.source, clause: clause}
}

// grouped makes the binder of a clause that may hold aggregates.
func (s *selecting) grouped(clause string) *binder {
	b := s.binder(clause)
	b.group = s.group
	return b
}

func (s *selecting) having() error {
	if s.node.Having == nil {
		return nil
	}
	b := s.grouped("HAVING clause")
	cond, err := b.condition(s.node.Having, "HAVING clause")
	if err != nil {
		return err
	}
	if cond.Expr, err = s.group.rewrite(cond.Expr, s.node.Having); err != nil {
		return err
	}
	s.out.Having = cond
	return s.group.checkSubqueries(b)
}

// list binds the SELECT list.
func (s *selecting) list() error {
	b := s.grouped("SELECT")
	for _, it := range s.items {
		e, err := s.item(b, it)
		if err != nil {
			return err
		}
		s.addItem(it, e)
	}
	s.out.Subqueries = append(s.out.Subqueries, b.subs...)
	if s.group != nil {
		return s.group.checkSubqueries(b)
	}
	return nil
}

func (s *selecting) item(b *binder, it item) (expr.Expr, error) {
	if it.node == nil {
		if s.group == nil {
			return it.star, nil
		}
		return s.group.rewriteStar(it)
	}
	e, err := b.expression(it.node)
	if err != nil || s.group == nil {
		return e, err
	}
	return s.group.rewrite(e, it.node)
}

// addItem adds a bound item to the result.
func (s *selecting) addItem(it item, e expr.Expr) {
	f := field{name: it.name, aliased: it.alias != nil}
	if src := s.fieldOf(e); src != nil {
		// A plain column of this query keeps its ID and its origin.
		f.col, f.origin = src.col, src.origin
		f.col.Name = it.name
		f.aliased = f.aliased || src.aliased
	} else {
		f.col = s.a.column(it.name, e.Type())
	}
	s.fields = append(s.fields, f)
	s.out.Items = append(s.out.Items, Assignment{f.col, e})
}

// fieldOf returns the field of FROM that e is, or nil.
func (s *selecting) fieldOf(e expr.Expr) *field {
	c, ok := e.(*expr.Column)
	if !ok {
		return nil
	}
	for i := range s.source.fields {
		if s.source.fields[i].col.ID == c.ID {
			return &s.source.fields[i]
		}
	}
	return nil
}

func (s *selecting) distinct() error {
	if !s.node.Distinct {
		return nil
	}
	for _, i := range s.out.Items {
		if !i.Column.Type.Comparable() {
			return qerr.At(qerr.TypeMismatch, s.node.Pos(),
				"DISTINCT can only be applied to comparable types (actual: %s): %s", i.Column.Type, i.Expr)
		}
	}
	return nil
}

// order binds ORDER BY, whose plain names mean columns of the result first and
// columns of FROM after that; qualified ones mean columns of FROM.
func (s *selecting) order(items []*ast.SortItem) ([]SortKey, error) {
	b := s.grouped("ORDER BY clause")
	b.scope = &scope{parent: s.source, fields: unqualified(s.fields), output: true}
	keys, err := b.sortKeys(items, s.fields, s.sortColumn)
	if err != nil {
		return nil, err
	}
	s.out.Subqueries = append(s.out.Subqueries, b.subs...)
	if s.group != nil {
		return keys, s.group.checkSubqueries(b)
	}
	return keys, nil
}

// sortColumn finds or makes the column for an expression of ORDER BY.
func (s *selecting) sortColumn(item *ast.SortItem, e expr.Expr) (Column, error) {
	if s.group != nil {
		var err error
		if e, err = s.group.rewrite(e, item.Expr); err != nil {
			return Column{}, err
		}
	}
	for _, i := range s.out.Items {
		c, ok := e.(*expr.Column)
		if ok && c.ID == i.Column.ID || same(i.Expr, e) {
			return i.Column, nil
		}
	}
	if s.out.Distinct {
		return Column{}, qerr.At(qerr.ExpressionNotInDistinct, s.node.Pos(),
			"For SELECT DISTINCT, ORDER BY expressions must appear in select list")
	}
	return hide(s.a, s.out, e), nil
}
