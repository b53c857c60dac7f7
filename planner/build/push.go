package build

import (
	"slices"

	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
)

// rows is a left side carried down into a right side.
//
// node has the columns of left and of the right side, a row for each pair. If
// mark is set, it also has one row for each left row without right rows, in
// which mark is null; mark is true in all others. The right side's columns
// mean nothing where mark is null, until guarded.
type rows struct {
	node plan.Node
	mark *plan.Column
}

// source is a left side on its way down. id numbers its rows; nil until
// somebody needs it.
type source struct {
	node plan.Node
	id   *plan.Column
}

func (b *builder) numberedSource(s source) source {
	if s.id != nil {
		return s
	}
	id := b.column("unique", bigint)
	return source{node: &plan.UniqueID{Input: s.node, Column: id}, id: &id}
}

// pushApply replaces an apply by carrying its left side into its right side.
func (b *builder) pushApply(a *apply) (plan.Node, error) {
	switch a.kind {
	case applyInner:
		r, err := b.push(source{node: a.left}, a.right, false)
		return r.node, err
	case applyLeft:
		return b.pushLeft(a)
	case applySingle:
		return b.pushSingle(a)
	}
	return b.pushTest(a)
}

// pushLeft keeps left rows without right rows, whose columns become null.
func (b *builder) pushLeft(a *apply) (plan.Node, error) {
	right, names := b.clone(a.right)
	r, err := b.push(source{node: a.left}, right, true)
	if err != nil {
		return nil, err
	}
	return with(r.node, guarded(*r.mark, a.right.Outputs(), names)...), nil
}

// guarded defines the original columns by those of a copy, null without mark.
func guarded(mark plan.Column, cols []plan.Column, names renaming) []plan.Assignment {
	var out []plan.Assignment
	seen := idSet{}
	for _, c := range cols {
		if !seen[c.ID] {
			seen[c.ID] = true
			out = append(out, plan.Assignment{Column: c, Expr: guard(mark, names.column(c).Ref())})
		}
	}
	return out
}

// pushSingle checks that each left row has one right row at most: the second
// row with the number of a left row fails.
func (b *builder) pushSingle(a *apply) (plan.Node, error) {
	if atMostOne(a.right) {
		return b.pushLeft(a)
	}
	left := b.numberedSource(source{node: a.left})
	n, err := b.pushLeft(&apply{kind: applyLeft, left: left.node, right: a.right})
	if err != nil {
		return nil, err
	}
	first := b.column("first", boolean)
	n = &plan.MarkDistinct{Input: n, Keys: []plan.Column{*left.id}, Column: first}
	return filtered(n, failUnless(first.Ref())), nil
}

// pushTest is EXISTS and IN: right rows are counted for each left row, those
// for which the comparison is true and those for which it is null.
func (b *builder) pushTest(a *apply) (plan.Node, error) {
	left := b.numberedSource(source{node: a.left})
	r, err := b.push(left, a.right, true)
	if err != nil {
		return nil, err
	}
	on := and(a.on...)
	if on == nil {
		on = constTrue()
	}
	match, unknown := b.column("match", boolean), b.column("unknown", boolean)
	n := with(r.node,
		plan.Assignment{Column: match, Expr: and(r.mark.Ref(), on)},
		plan.Assignment{Column: unknown, Expr: and(r.mark.Ref(), isNull(on))})
	agg := &plan.Aggregate{Input: n, Keys: left.node.Outputs()}
	for _, filter := range []*plan.Column{&match, &unknown} {
		count, err := b.aggregate("count", filter)
		if err != nil {
			return nil, err
		}
		agg.Aggs = append(agg.Aggs, count)
	}
	matched := compare(function.OpGt, agg.Aggs[0].Column.Ref(), number(0))
	nulls := compare(function.OpGt, agg.Aggs[1].Column.Ref(), number(0))
	switch {
	case a.kind == applySemi:
		return filtered(agg, matched), nil
	case a.kind == applyAnti && a.nulls:
		return filtered(agg, not(matched), not(nulls)), nil
	case a.kind == applyAnti:
		return filtered(agg, not(matched)), nil
	case !a.nulls:
		return with(agg, plan.Assignment{Column: a.mark, Expr: matched}), nil
	}
	value := caseWhen(matched, constTrue(), nulls, &expr.Const{Typ: boolean}, &expr.Const{Value: false, Typ: boolean})
	return with(agg, plan.Assignment{Column: a.mark, Expr: value}), nil
}

// push carries s into n. outer asks for the rows of s without match, too. The
// result may hold applies, whose left sides have no references outside.
func (b *builder) push(s source, n plan.Node, outer bool) (rows, error) {
	if p, ok := b.pull(n, idsOf(s.node.Outputs())); ok {
		return b.pushPulled(s, p, outer), nil
	}
	switch n := n.(type) {
	case *plan.Filter:
		return b.pushFilter(s, n, outer)
	case *plan.Project:
		return b.pushProject(s, n, outer)
	case *plan.Join:
		return b.pushJoin(s, n, outer)
	case *apply:
		return b.pushInnerApply(s, n, outer)
	case *plan.Aggregate:
		return b.pushAggregate(s, n, outer)
	case *plan.MarkDistinct:
		return b.pushMark(s, n, outer)
	case *plan.RowNumber:
		return b.pushNumber(s, n, outer)
	case *plan.Limit:
		return b.pushLimit(s, n, outer)
	case *plan.Sort:
		return b.push(s, n.Input, outer)
	case *plan.Union:
		return b.pushUnion(s, n, outer)
	case *plan.Unnest:
		return b.pushUnnest(s, n, outer)
	}
	return rows{}, qerr.NotSupported(qerr.Pos{}, "this correlated subquery (%T)", n)
}

// pushPulled joins with a right side that could be pulled apart.
func (b *builder) pushPulled(s source, p *pulled, outer bool) rows {
	if p.aggregated {
		n := with(b.equiJoin(plan.LeftJoin, s.node, p.node, p.conds), p.defs...)
		return b.always(n, outer)
	}
	if !outer {
		return rows{node: with(b.equiJoin(plan.InnerJoin, s.node, p.node, p.conds), p.defs...)}
	}
	mark := b.column("match", boolean)
	right := with(p.node, plan.Assignment{Column: mark, Expr: constTrue()})
	defs := each(p.defs, func(d plan.Assignment) plan.Assignment {
		return plan.Assignment{Column: d.Column, Expr: guard(mark, d.Expr)} // must not fail on a row that is none
	})
	return rows{node: with(b.equiJoin(plan.LeftJoin, s.node, right, p.conds), defs...), mark: &mark}
}

// always marks every row as a match.
func (b *builder) always(n plan.Node, outer bool) rows {
	if !outer {
		return rows{node: n}
	}
	mark := b.column("match", boolean)
	return rows{node: with(n, plan.Assignment{Column: mark, Expr: constTrue()}), mark: &mark}
}

// keep drops the rows of r for which ok is not true. In outer mode a left row
// that would lose all its rows keeps one, unmarked.
func (b *builder) keep(s source, r rows, ok expr.Expr, outer bool) rows {
	if !outer {
		return rows{node: filtered(r.node, ok)}
	}
	valid := b.column("match", boolean)
	n := with(r.node, plan.Assignment{Column: valid, Expr: caseWhen(ok, constTrue(), &expr.Const{Typ: boolean})})
	row := b.column("row", bigint)
	n = &plan.RowNumber{
		Input: n, Partition: []plan.Column{*s.id}, Column: row, Limit: -1,
		Keys: []plan.SortKey{{Column: valid}}, // nulls come last
	}
	n = filtered(n, or(not(isNull(valid.Ref())), compare(function.OpEq, row.Ref(), number(1))))
	return rows{node: n, mark: &valid}
}

// marked adds the mark, if any, to a condition.
func (r rows) marked(conds ...expr.Expr) expr.Expr {
	if r.mark != nil {
		conds = append([]expr.Expr{r.mark.Ref()}, conds...)
	}
	return and(conds...)
}

func (b *builder) pushFilter(s source, n *plan.Filter, outer bool) (rows, error) {
	if outer {
		s = b.numberedSource(s)
	}
	r, err := b.push(s, n.Input, outer)
	if err != nil {
		return rows{}, err
	}
	return b.keep(s, r, r.marked(n.Predicate), outer), nil
}

func (b *builder) pushProject(s source, n *plan.Project, outer bool) (rows, error) {
	r, err := b.push(s, n.Input, outer)
	if err != nil {
		return rows{}, err
	}
	var more []plan.Assignment
	for _, a := range made(n.Cols) {
		if r.mark != nil {
			a.Expr = guard(*r.mark, a.Expr) // must not fail on a row that is none
		}
		more = append(more, a)
	}
	r.node = with(r.node, more...)
	return r, nil
}

// pushJoin carries s into the left side, and the result into the right one.
func (b *builder) pushJoin(s source, n *plan.Join, outer bool) (rows, error) {
	switch n.Kind {
	case plan.FullJoin:
		return b.push(s, b.fullAsUnion(n), outer)
	case plan.LeftJoin:
		return b.pushLeftJoin(s, n, outer)
	case plan.InnerJoin:
	default:
		return rows{}, qerr.NotSupported(qerr.Pos{}, "this correlated subquery (%s)", n.Kind)
	}
	if outer {
		s = b.numberedSource(s)
	}
	l, err := b.push(s, n.Left, outer)
	if err != nil {
		return rows{}, err
	}
	r, err := b.push(source{node: l.node}, rightOf(n, l), outer)
	if err != nil || !outer {
		return r, err
	}
	return b.keep(s, r, r.mark.Ref(), outer), nil
}

// rightOf is the right side of a join as seen from a row of the left one.
func rightOf(n *plan.Join, l rows) plan.Node {
	conds := joinConditions(n)
	if l.mark != nil {
		conds = append(conds, l.mark.Ref())
	}
	return filtered(n.Right, conds...)
}

// pushLeftJoin makes the join a left apply, which comes after s is in its left
// side; left rows that are none meet no right rows.
func (b *builder) pushLeftJoin(s source, n *plan.Join, outer bool) (rows, error) {
	l, err := b.push(s, n.Left, outer)
	if err != nil {
		return rows{}, err
	}
	return rows{node: &apply{kind: applyLeft, left: l.node, right: rightOf(n, l)}, mark: l.mark}, nil
}

// fullAsUnion is a left join and the right rows without match.
func (b *builder) fullAsUnion(n *plan.Join) plan.Node {
	left := *n
	left.Kind = plan.LeftJoin
	copied, names := b.clone(n)
	other := copied.(*plan.Join)
	// Those right rows of the copy that no left row of the copy matches.
	rest := &apply{kind: applyAnti, left: other.Right, right: other.Left, on: joinConditions(other)}
	p := &plan.Project{Input: rest}
	for _, c := range n.Left.Outputs() {
		p.Cols = append(p.Cols, plan.Assignment{Column: b.like(c), Expr: &expr.Const{Typ: c.Type}})
	}
	for _, c := range n.Right.Outputs() {
		p.Cols = append(p.Cols, plan.Assignment{Column: names.column(c), Expr: names.column(c).Ref()})
	}
	// The union's columns are the join's, so the left join gets other names.
	renamed, to := b.clone(&left)
	return &plan.Union{
		In: []plan.Node{renamed, p}, Columns: n.Outputs(),
		Sources: [][]plan.Column{each(n.Outputs(), to.column), p.Outputs()},
	}
}

// pushInnerApply carries s into the left side of an apply within the right
// side: then that apply has all it refers to on its left.
func (b *builder) pushInnerApply(s source, n *apply, outer bool) (rows, error) {
	if !outer {
		r, err := b.push(s, n.left, false)
		if err != nil {
			return rows{}, err
		}
		c := *n
		c.left = r.node
		return rows{node: &c}, nil
	}
	switch n.kind {
	case applySemi, applyAnti:
		return b.pushOuterTest(s, n)
	case applyInner:
		s = b.numberedSource(s)
	}
	l, err := b.push(s, n.left, true)
	if err != nil {
		return rows{}, err
	}
	c := *n
	c.left = l.node
	if n.kind == applyMark {
		return rows{node: &c, mark: l.mark}, nil
	}
	c.right = filtered(n.right, l.mark.Ref())
	if n.kind != applyInner {
		return rows{node: &c, mark: l.mark}, nil
	}
	mark := b.column("match", boolean)
	c.kind, c.right = applyLeft, with(c.right, plan.Assignment{Column: mark, Expr: constTrue()})
	return b.keep(s, rows{node: &c}, mark.Ref(), true), nil
}

// pushOuterTest is a semi or anti apply as a mark and a filter.
func (b *builder) pushOuterTest(s source, n *apply) (rows, error) {
	c := *n
	c.kind, c.mark = applyMark, b.column("mark", boolean)
	cond := expr.Expr(c.mark.Ref())
	if n.kind == applyAnti {
		cond = not(cond)
	}
	return b.push(s, filtered(&c, cond), true)
}

// pushAggregate groups by the left rows, too.
func (b *builder) pushAggregate(s source, n *plan.Aggregate, outer bool) (rows, error) {
	s = b.numberedSource(s)
	global := len(n.Keys) == 0 && len(n.Aggs) > 0
	r, err := b.push(s, n.Input, outer || global)
	if err != nil {
		return rows{}, err
	}
	agg := &plan.Aggregate{Keys: appendNew(slices.Clone(s.node.Outputs()), n.Keys)}
	if !global {
		agg.Input, agg.Aggs = r.node, n.Aggs
		if r.mark != nil {
			agg.Keys = append(agg.Keys, *r.mark)
		}
		return rows{node: agg, mark: r.mark}, nil
	}
	agg.Input = r.node
	for _, a := range n.Aggs {
		call := *a.Call
		if call.Filter == nil {
			call.Filter = r.mark.Ref()
		} else {
			both := b.column("filter", boolean)
			agg.Input = with(agg.Input, plan.Assignment{Column: both, Expr: and(r.mark.Ref(), call.Filter)})
			call.Filter = both.Ref()
		}
		agg.Aggs = append(agg.Aggs, plan.Agg{Column: a.Column, Call: &call})
	}
	return b.always(agg, outer), nil
}

func (b *builder) pushMark(s source, n *plan.MarkDistinct, outer bool) (rows, error) {
	s = b.numberedSource(s)
	r, err := b.push(s, n.Input, outer)
	if err != nil {
		return rows{}, err
	}
	keys := append(slices.Clone(n.Keys), *s.id)
	r.node = &plan.MarkDistinct{Input: r.node, Keys: keys, Column: n.Column}
	return r, nil
}

func (b *builder) pushNumber(s source, n *plan.RowNumber, outer bool) (rows, error) {
	s = b.numberedSource(s)
	r, err := b.push(s, n.Input, outer)
	if err != nil {
		return rows{}, err
	}
	c := *n
	c.Input, c.Partition = r.node, append(slices.Clone(n.Partition), *s.id)
	r.node = &c
	return r, nil
}

// pushLimit numbers the right rows of each left row.
func (b *builder) pushLimit(s source, n *plan.Limit, outer bool) (rows, error) {
	s = b.numberedSource(s)
	ordered := orderedInput(n)
	r, err := b.push(s, ordered.Input, outer)
	if err != nil {
		return rows{}, err
	}
	row, conds := b.limitNumber(n)
	numbered := &plan.RowNumber{Input: r.node, Partition: []plan.Column{*s.id}, Keys: ordered.Keys, Column: row, Limit: -1}
	if n.N > 0 && n.Offset == 0 {
		numbered.Limit = n.N // which the one row of a left row without match passes
		return rows{node: numbered, mark: r.mark}, nil
	}
	if n.N >= 0 {
		conds = append(conds, compare(function.OpLe, row.Ref(), number(n.N+n.Offset)))
	}
	return b.keep(s, rows{node: numbered, mark: r.mark}, r.marked(conds...), outer), nil
}

// pushUnion makes a copy of each left row for each input of the union, with
// the input's number, and evaluates for it that input alone.
func (b *builder) pushUnion(s source, n *plan.Union, outer bool) (rows, error) {
	s = b.numberedSource(s)
	tag := b.column("input", bigint)
	tags := &plan.Values{Columns: []plan.Column{tag}}
	at := b.equiJoin(plan.InnerJoin, s.node, tags, nil)
	r := rows{node: at}
	var ok []expr.Expr
	for i, in := range n.In {
		tags.Rows = append(tags.Rows, []expr.Expr{number(int64(i))})
		is := compare(function.OpEq, tag.Ref(), number(int64(i)))
		next, err := b.push(source{node: r.node}, filtered(in, is), true)
		if err != nil {
			return rows{}, err
		}
		r.node = next.node
		ok = append(ok, and(is, next.mark.Ref()))
	}
	var cols []plan.Assignment
	for j, c := range n.Columns {
		var choice []expr.Expr
		last := len(n.In) - 1
		for i := range last {
			is := compare(function.OpEq, tag.Ref(), number(int64(i)))
			choice = append(choice, is, n.Sources[i][j].Ref())
		}
		choice = append(choice, n.Sources[last][j].Ref())
		cols = append(cols, plan.Assignment{Column: c, Expr: caseWhen(choice...)})
	}
	r.node = with(r.node, cols...)
	return b.keep(s, r, or(ok...), outer), nil
}

// pushUnnest expands beside the left rows' columns.
func (b *builder) pushUnnest(s source, n *plan.Unnest, outer bool) (rows, error) {
	if outer {
		s = b.numberedSource(s)
	}
	r, err := b.push(s, n.Input, outer)
	if err != nil {
		return rows{}, err
	}
	c := *n
	c.Input, c.Replicate = r.node, r.node.Outputs()
	if !outer {
		return rows{node: &c}, nil
	}
	c.Outer = true
	if c.Ordinality == nil {
		o := b.column("ordinality", bigint)
		c.Ordinality = &o
	}
	ok := r.marked(not(isNull(c.Ordinality.Ref())))
	if exactlyOne(n.Input) {
		mark := b.column("match", boolean)
		node := with(&c, plan.Assignment{Column: mark, Expr: caseWhen(ok, constTrue(), &expr.Const{Typ: boolean})})
		return rows{node: node, mark: &mark}, nil
	}
	return b.keep(s, rows{node: &c}, ok, true), nil
}
