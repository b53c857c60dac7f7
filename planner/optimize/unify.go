package optimize

import (
	"bytes"
	"reflect"
	"slices"

	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/types"
)

// columnNames says by which column of a common plan another plan's column
// goes; what is not there goes by its own.
type columnNames map[expr.ColumnID]plan.Column

func (m columnNames) of(c plan.Column) plan.Column {
	if d, ok := m[c.ID]; ok {
		return d
	}
	return c
}

func (m columnNames) expr(e expr.Expr) expr.Expr {
	if e == nil {
		return nil
	}
	return expr.Transform(e, func(e expr.Expr) expr.Expr {
		if c, ok := e.(*expr.Column); ok {
			if d, renamed := m[c.ID]; renamed {
				return d.Ref()
			}
		}
		return e
	})
}

func (m columnNames) list(cols []plan.Column) []plan.Column {
	out := make([]plan.Column, len(cols))
	for i, c := range cols {
		out[i] = m.of(c)
	}
	return out
}

// unified is a plan that gives all columns of two equal ones: those of the
// first by their own names, those of the second by names.
type unified struct {
	node  plan.Node
	names columnNames
}

// unify returns a plan that stands for both a and b, if they have the same
// rows: the same tables, conditions, joins and groups. They may differ in the
// columns that they read, compute and pass on; the result has all of them.
func unify(a, b plan.Node) (unified, bool) {
	u := &unifier{names: columnNames{}}
	n := u.node(a, b)
	return unified{n, u.names}, n != nil
}

// unifier collects the names while it goes up; its methods return nil where
// the plans differ.
type unifier struct{ names columnNames }

func (u *unifier) node(a, b plan.Node) plan.Node {
	if reflect.TypeOf(a) != reflect.TypeOf(b) {
		return nil
	}
	x, y := a.Inputs(), b.Inputs()
	if len(x) != len(y) {
		return nil
	}
	in := make([]plan.Node, len(x))
	for i := range x {
		if in[i] = u.node(x[i], y[i]); in[i] == nil {
			return nil
		}
	}
	switch a := a.(type) {
	case *plan.Scan:
		return u.scan(a, b.(*plan.Scan))
	case *plan.Values:
		return u.values(a, b.(*plan.Values))
	case *plan.Filter:
		if volatile(a.Predicate) || !u.same(a.Predicate, b.(*plan.Filter).Predicate) {
			return nil
		}
		return a.WithInputs(in)
	case *plan.Project:
		return u.project(a, b.(*plan.Project), in)
	case *plan.Aggregate:
		return u.aggregate(a, b.(*plan.Aggregate), in)
	case *plan.Join:
		return u.join(a, b.(*plan.Join), in)
	case *plan.Union:
		return u.union(a, b.(*plan.Union), in)
	case *plan.TopN:
		y := b.(*plan.TopN)
		if a.N != y.N || a.Step != y.Step || !u.sameSort(a.Keys, y.Keys) {
			return nil
		}
		return a.WithInputs(in)
	case *plan.Limit:
		y := b.(*plan.Limit)
		if a.N != y.N || a.Offset != y.Offset || a.Step != y.Step {
			return nil
		}
		return a.WithInputs(in)
	case *plan.SingleRow:
		return a.WithInputs(in)
	}
	return nil
}

// scan unites the columns that two scans of one table read.
func (u *unifier) scan(a, b *plan.Scan) plan.Node {
	if a.Catalog != b.Catalog || a.Table.Schema != b.Table.Schema || a.Table.Name != b.Table.Name ||
		!bytes.Equal(a.Table.Handle, b.Table.Handle) || a.Limit != b.Limit {
		return nil
	}
	c := *a
	c.Columns, c.Ordinals, c.FilterOnly = slices.Clone(a.Columns), slices.Clone(a.Ordinals), nil
	needed := map[int]bool{}
	for i, o := range a.Ordinals {
		needed[o] = !slices.Contains(a.FilterOnly, a.Columns[i].ID)
	}
	for i, o := range b.Ordinals {
		needed[o] = needed[o] || !slices.Contains(b.FilterOnly, b.Columns[i].ID)
		if j := slices.Index(a.Ordinals, o); j >= 0 {
			u.names[b.Columns[i].ID] = a.Columns[j]
		} else {
			c.Columns, c.Ordinals = append(c.Columns, b.Columns[i]), append(c.Ordinals, o)
		}
	}
	for i, o := range c.Ordinals {
		if !needed[o] {
			c.FilterOnly = append(c.FilterOnly, c.Columns[i].ID)
		}
	}
	if !u.same(a.Predicate, b.Predicate) || !u.same(a.Hint, b.Hint) {
		return nil
	}
	return &c
}

func (u *unifier) values(a, b *plan.Values) plan.Node {
	if len(a.Columns) != len(b.Columns) || len(a.Rows) != len(b.Rows) {
		return nil
	}
	for i, row := range a.Rows {
		if slices.ContainsFunc(row, volatile) || !slices.EqualFunc(row, b.Rows[i], u.same) {
			return nil
		}
	}
	for i, c := range b.Columns {
		if !c.Type.Equal(a.Columns[i].Type) {
			return nil
		}
		u.names[c.ID] = a.Columns[i]
	}
	return a
}

// project takes over what only b computes. Names change all at once: those of
// the input hold for the expressions, those of the output above.
func (u *unifier) project(a, b *plan.Project, in []plan.Node) plan.Node {
	out := &plan.Project{Base: a.Base, Input: in[0], Cols: slices.Clone(a.Cols)}
	above := make([]plan.Column, len(b.Cols))
	for i, y := range b.Cols {
		if volatile(y.Expr) {
			return nil
		}
		j := slices.IndexFunc(out.Cols, func(x plan.Assignment) bool { return u.same(x.Expr, y.Expr) })
		if j < 0 {
			j = len(out.Cols)
			out.Cols = append(out.Cols, plan.Assignment{Column: y.Column, Expr: u.names.expr(y.Expr)})
		}
		above[i] = out.Cols[j].Column
	}
	for i, y := range b.Cols {
		u.names[y.Column.ID] = above[i]
	}
	if slices.ContainsFunc(a.Cols, func(x plan.Assignment) bool { return volatile(x.Expr) }) {
		return nil
	}
	return out
}

func (u *unifier) aggregate(a, b *plan.Aggregate, in []plan.Node) plan.Node {
	if a.Step != plan.Single || b.Step != plan.Single || !sameColumns(a.Keys, u.names.list(b.Keys)) {
		return nil
	}
	out := &plan.Aggregate{Base: a.Base, Input: in[0], Keys: a.Keys, Aggs: slices.Clone(a.Aggs)}
	if len(a.Aggs) == 0 != (len(b.Aggs) == 0) && len(a.Keys) == 0 {
		return nil
	}
	for _, y := range b.Aggs {
		i := slices.IndexFunc(out.Aggs, func(x plan.Agg) bool { return u.sameCall(x.Call, y.Call) })
		if i >= 0 {
			u.names[y.Column.ID] = out.Aggs[i].Column
			continue
		}
		out.Aggs = append(out.Aggs, plan.Agg{Column: y.Column, Call: u.call(y.Call)})
	}
	return out
}

func (u *unifier) sameCall(a, b *expr.Aggregate) bool {
	return a.Fn.Name == b.Fn.Name && slices.EqualFunc(a.Fn.Args, b.Fn.Args, types.Type.Equal) && a.Fn.Result.Equal(b.Fn.Result) &&
		a.Distinct == b.Distinct && slices.EqualFunc(a.Args, b.Args, u.same) && u.same(a.Filter, b.Filter) &&
		slices.EqualFunc(a.OrderBy, b.OrderBy, func(x, y expr.SortKey) bool {
			return x.Descending == y.Descending && x.NullsFirst == y.NullsFirst && u.same(x.Expr, y.Expr)
		})
}

// call translates an aggregate of the second plan.
func (u *unifier) call(a *expr.Aggregate) *expr.Aggregate {
	c := &expr.Aggregate{Fn: a.Fn, Distinct: a.Distinct, Filter: u.names.expr(a.Filter)}
	for _, e := range a.Args {
		c.Args = append(c.Args, u.names.expr(e))
	}
	for _, k := range a.OrderBy {
		k.Expr = u.names.expr(k.Expr)
		c.OrderBy = append(c.OrderBy, k)
	}
	return c
}

func (u *unifier) join(a, b *plan.Join, in []plan.Node) plan.Node {
	sameKeys := slices.EqualFunc(a.Keys, b.Keys, func(x, y plan.EquiKey) bool {
		return x.Left.ID == u.names.of(y.Left).ID && x.Right.ID == u.names.of(y.Right).ID
	})
	if a.Kind != b.Kind || a.NullAware != b.NullAware || !sameKeys || !u.same(a.Filter, b.Filter) || a.Filter != nil && volatile(a.Filter) {
		return nil
	}
	if a.Kind == plan.MarkJoin {
		u.names[b.Mark.ID] = a.Mark
	}
	out := a.WithInputs(in).(*plan.Join)
	out.Cols = slices.Clone(a.Outputs())
	for _, c := range u.names.list(b.Outputs()) {
		if !has(out.Cols, c.ID) {
			out.Cols = append(out.Cols, c)
		}
	}
	return out
}

func (u *unifier) union(a, b *plan.Union, in []plan.Node) plan.Node {
	out := &plan.Union{Base: a.Base, In: in, Columns: slices.Clone(a.Columns), Sources: make([][]plan.Column, len(in))}
	for i := range in {
		out.Sources[i] = slices.Clone(a.Sources[i])
	}
	above := slices.Clone(b.Columns)
	for j, col := range b.Columns {
		k := slices.IndexFunc(indexes(len(out.Columns)), func(k int) bool {
			for i := range in {
				if out.Sources[i][k].ID != u.names.of(b.Sources[i][j]).ID {
					return false
				}
			}
			return true
		})
		if k >= 0 {
			above[j] = out.Columns[k]
			continue
		}
		out.Columns = append(out.Columns, col)
		for i := range in {
			out.Sources[i] = append(out.Sources[i], u.names.of(b.Sources[i][j]))
		}
	}
	for j, col := range b.Columns {
		u.names[col.ID] = above[j]
	}
	return out
}

func indexes(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func (u *unifier) sameSort(a, b []plan.SortKey) bool {
	return slices.EqualFunc(a, b, func(x, y plan.SortKey) bool {
		return x.Descending == y.Descending && x.NullsFirst == y.NullsFirst && x.Column.ID == u.names.of(y.Column).ID
	})
}

func sameColumns(a, b []plan.Column) bool {
	return slices.EqualFunc(a, b, func(x, y plan.Column) bool { return x.ID == y.ID })
}

// same reports whether two expressions are one, b under the names of a. Both
// may be nil.
func (u *unifier) same(a, b expr.Expr) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	if !a.Type().Equal(b.Type()) {
		return false
	}
	switch x := a.(type) {
	case *expr.Column:
		y, ok := b.(*expr.Column)
		return ok && x.ID == u.names.of(plan.Column{ID: y.ID}).ID
	case *expr.Const:
		y, ok := b.(*expr.Const)
		return ok && reflect.DeepEqual(x.Value, y.Value)
	case *expr.Cast:
		y, ok := b.(*expr.Cast)
		return ok && x.Safe == y.Safe && u.same(x.Arg, y.Arg)
	case *expr.Call:
		y, ok := b.(*expr.Call)
		return ok && x.Fn.Name == y.Fn.Name && slices.EqualFunc(x.Fn.Args, y.Fn.Args, types.Type.Equal) && slices.EqualFunc(x.Args, y.Args, u.same)
	case *expr.Form:
		y, ok := b.(*expr.Form)
		return ok && x.Op == y.Op && x.Index == y.Index && slices.EqualFunc(x.Args, y.Args, u.same)
	}
	return false
}
