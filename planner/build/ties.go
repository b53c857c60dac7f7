package build

import (
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/analyzer"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
)

// withTies keeps the rows of FETCH FIRST … WITH TIES, in any order. Rows are
// numbered in order and grouped by the sort keys: a group's first number is the
// rank of all its rows. The rows of the groups that begin within the limit are
// taken apart again.
func (b *builder) withTies(n plan.Node, q *analyzer.Query) (plan.Node, error) {
	own := n.Outputs()
	n, names := b.clone(n) // the result takes the columns' own IDs
	back := renaming{}
	for _, c := range own {
		back[names.column(c).ID] = c
	}
	keys := each(sortKeys(q.OrderBy), mapper{use: names.column}.key)
	position := b.column("row", bigint)
	numbered := &plan.RowNumber{Input: n, Keys: keys, Column: position, Limit: -1}
	cols := appendNew(nil, numbered.Outputs())
	refs := make([]expr.Expr, len(cols))
	for i, c := range cols {
		refs[i] = c.Ref()
	}
	whole := b.column("whole", row(refs, nil).Type())
	agg := &plan.Aggregate{Input: with(numbered, plan.Assignment{Column: whole, Expr: row(refs, nil)})}
	for _, k := range keys {
		agg.Keys = append(agg.Keys, k.Column)
	}
	rank, err := b.aggregate("min", nil, position)
	if err != nil {
		return nil, err
	}
	all, err := b.aggregate("array_agg", nil, whole)
	if err != nil {
		return nil, err
	}
	agg.Aggs = []plan.Agg{rank, all}
	groups := filtered(agg, compare(function.OpLe, rank.Column.Ref(), number(q.Offset+q.Limit)))
	apart := &plan.Unnest{Input: groups, Exprs: []plan.Column{all.Column}, Columns: [][]plan.Column{each(cols, b.like)}}
	out := &plan.Project{Input: apart}
	var first plan.Column
	for i, c := range cols {
		from := apart.Columns[0][i]
		if c.ID == position.ID {
			first = from
			continue
		}
		out.Cols = append(out.Cols, plan.Assignment{Column: back.column(c), Expr: from.Ref()})
	}
	if q.Offset > 0 {
		out.Input = filtered(apart, compare(function.OpGt, first.Ref(), number(q.Offset)))
	}
	return out, nil
}
