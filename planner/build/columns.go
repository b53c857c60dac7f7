package build

import (
	"slices"

	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
)

// idSet is a set of columns.
type idSet map[expr.ColumnID]bool

func idsOf(cols []plan.Column) idSet {
	s := idSet{}
	for _, c := range cols {
		s[c.ID] = true
	}
	return s
}

// uses reports whether e refers to any of s.
func (s idSet) uses(e expr.Expr) bool {
	found := false
	expr.Columns(e, func(c *expr.Column) { found = found || s[c.ID] })
	return found
}

// usesAny reports whether any expression refers to any of s.
func (s idSet) usesAny(list []expr.Expr) bool { return slices.ContainsFunc(list, s.uses) }

// covers reports whether e refers to columns of s only.
func (s idSet) covers(e expr.Expr) bool {
	all := true
	expr.Columns(e, func(c *expr.Column) { all = all && s[c.ID] })
	return all
}

// refersTo reports whether anything in the tree under n refers to any of s.
// IDs are unique, so what the tree itself produces is not in s.
func refersTo(n plan.Node, s idSet) bool {
	found := false
	plan.Walk(n, func(n plan.Node) bool {
		references(n, func(id expr.ColumnID) { found = found || s[id] })
		return !found
	})
	return found
}

// references calls add for each column that n itself refers to.
func references(n plan.Node, add func(expr.ColumnID)) {
	m := mapper{
		expr: func(e expr.Expr) expr.Expr {
			expr.Columns(e, func(c *expr.Column) { add(c.ID) })
			return e
		},
		use: func(c plan.Column) plan.Column { add(c.ID); return c },
		def: func(c plan.Column) plan.Column { return c },
	}
	m.node(n)
}

// mapper rewrites what a node refers to and what it defines.
type mapper struct {
	expr func(expr.Expr) expr.Expr
	use  func(plan.Column) plan.Column
	def  func(plan.Column) plan.Column
}

// node returns a copy of n, over the same inputs, with everything mapped.
func (m mapper) node(n plan.Node) plan.Node {
	switch n := n.(type) {
	case *plan.Scan:
		c := *n
		c.Columns = each(n.Columns, m.def)
		return &c
	case *plan.Values:
		c := *n
		c.Columns = each(n.Columns, m.def)
		return &c
	case *plan.Filter:
		c := *n
		c.Predicate = m.expr(n.Predicate)
		return &c
	case *plan.Project:
		c := *n
		c.Cols = m.assignments(n.Cols)
		return &c
	case *plan.Aggregate:
		c := *n
		c.Keys, c.Aggs = each(n.Keys, m.use), each(n.Aggs, m.agg)
		return &c
	case *plan.Sort:
		c := *n
		c.Keys = each(n.Keys, m.key)
		return &c
	case *plan.Join:
		return m.join(n)
	case *apply:
		return m.apply(n)
	}
	return m.rest(n)
}

func (m mapper) rest(n plan.Node) plan.Node {
	switch n := n.(type) {
	case *plan.Union:
		c := *n
		c.Columns = each(n.Columns, m.def)
		c.Sources = each(n.Sources, func(s []plan.Column) []plan.Column { return each(s, m.use) })
		return &c
	case *plan.UniqueID:
		c := *n
		c.Column = m.def(n.Column)
		return &c
	case *plan.RowNumber:
		c := *n
		c.Partition, c.Keys, c.Column = each(n.Partition, m.use), each(n.Keys, m.key), m.def(n.Column)
		return &c
	case *plan.MarkDistinct:
		c := *n
		c.Keys, c.Column = each(n.Keys, m.use), m.def(n.Column)
		return &c
	case *plan.Unnest:
		return m.unnest(n)
	}
	return n // Limit and SingleRow have no columns of their own
}

func (m mapper) join(n *plan.Join) plan.Node {
	c := *n
	c.Keys = each(n.Keys, func(k plan.EquiKey) plan.EquiKey { return plan.EquiKey{Left: m.use(k.Left), Right: m.use(k.Right)} })
	if n.Filter != nil {
		c.Filter = m.expr(n.Filter)
	}
	if n.Kind == plan.MarkJoin {
		c.Mark = m.def(n.Mark)
	}
	return &c
}

func (m mapper) apply(n *apply) plan.Node {
	c := *n
	c.on = each(n.on, m.expr)
	if n.kind == applyMark {
		c.mark = m.def(n.mark)
	}
	return &c
}

func (m mapper) unnest(n *plan.Unnest) plan.Node {
	c := *n
	c.Replicate, c.Exprs = each(n.Replicate, m.use), each(n.Exprs, m.use)
	c.Columns = each(n.Columns, func(s []plan.Column) []plan.Column { return each(s, m.def) })
	if n.Ordinality != nil {
		o := m.def(*n.Ordinality)
		c.Ordinality = &o
	}
	return &c
}

// assignments maps a projection; what is passed through is a use, not a
// definition.
func (m mapper) assignments(list []plan.Assignment) []plan.Assignment {
	return each(list, func(a plan.Assignment) plan.Assignment {
		if c, ok := a.Expr.(*expr.Column); ok && c.ID == a.Column.ID {
			return plan.Assignment{Column: m.use(a.Column), Expr: m.expr(a.Expr)}
		}
		return plan.Assignment{Column: m.def(a.Column), Expr: m.expr(a.Expr)}
	})
}

func (m mapper) key(k plan.SortKey) plan.SortKey {
	k.Column = m.use(k.Column)
	return k
}

func (m mapper) agg(a plan.Agg) plan.Agg {
	call := *a.Call
	call.Args = each(call.Args, m.expr)
	if call.Filter != nil {
		call.Filter = m.expr(call.Filter)
	}
	call.OrderBy = each(call.OrderBy, func(k expr.SortKey) expr.SortKey {
		k.Expr = m.expr(k.Expr)
		return k
	})
	return plan.Agg{Column: m.def(a.Column), Call: &call}
}

func each[T any](list []T, f func(T) T) []T {
	if list == nil {
		return nil
	}
	out := make([]T, len(list))
	for i, v := range list {
		out[i] = f(v)
	}
	return out
}

// renaming maps columns to the new ones of a copy.
type renaming map[expr.ColumnID]plan.Column

func (r renaming) column(c plan.Column) plan.Column {
	if n, ok := r[c.ID]; ok {
		return n
	}
	return c
}

func (r renaming) expr(e expr.Expr) expr.Expr {
	return expr.Transform(e, func(e expr.Expr) expr.Expr {
		if c, ok := e.(*expr.Column); ok {
			if n, ok := r[c.ID]; ok {
				return n.Ref()
			}
		}
		return e
	})
}

// clone copies the tree under n with a new ID for every column that it
// defines, so that both can be part of one plan or the copy can take n's place
// under other names. References to columns from outside stay.
func (b *builder) clone(n plan.Node) (plan.Node, renaming) {
	r := renaming{}
	m := mapper{expr: r.expr, use: r.column, def: func(c plan.Column) plan.Column {
		n := b.like(c)
		r[c.ID] = n
		return n
	}}
	return cloneWith(n, m), r
}

// cloneWith copies bottom up; right sides come after left ones, to which they
// may refer.
func cloneWith(n plan.Node, m mapper) plan.Node {
	in := n.Inputs()
	if len(in) > 0 {
		out := make([]plan.Node, len(in))
		for i, c := range in {
			out[i] = cloneWith(c, m)
		}
		n = n.WithInputs(out)
	}
	return m.node(n)
}
