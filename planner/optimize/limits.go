package optimize

import (
	"math"
	"slices"

	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
)

// pushLimits makes a limit over a sort a TopN, and moves limits below what
// neither drops nor adds rows, down to the scans.
func (o *Optimizer) pushLimits(root plan.Node) (plan.Node, error) {
	return plan.Transform(root, func(n plan.Node) plan.Node {
		switch n := n.(type) {
		case *plan.Limit:
			if n.N >= 0 {
				return pushLimit(n)
			}
		case *plan.TopN:
			return pushTopN(n)
		}
		return n
	}), nil
}

// pushLimit places one limit whose input has been placed already.
func pushLimit(l *plan.Limit) plan.Node {
	switch in := l.Input.(type) {
	case *plan.Sort:
		top := &plan.TopN{Base: l.Base, Input: in.Input, Keys: in.Keys, N: reach(l), Step: l.Step}
		if l.Offset == 0 {
			return pushTopN(top)
		}
		c := *l
		c.Input = pushTopN(top)
		return &c
	case *plan.Project:
		below := *l
		below.Input = in.Input
		return in.WithInputs([]plan.Node{pushLimit(&below)})
	case *plan.Union:
		return limitUnion(l, in)
	case *plan.Join:
		return limitJoin(l, in)
	case *plan.Scan:
		s := *in
		if s.Limit < 0 || s.Limit > l.N+l.Offset {
			s.Limit = reach(l)
		}
		c := *l
		c.Input = &s
		return &c
	}
	return l
}

// reach is the number of rows that a limit reads.
func reach(l *plan.Limit) int64 {
	if l.N > math.MaxInt64-l.Offset {
		return math.MaxInt64
	}
	return l.N + l.Offset
}

// limitUnion limits each input too: none need give more than the whole.
func limitUnion(l *plan.Limit, u *plan.Union) plan.Node {
	in := make([]plan.Node, len(u.In))
	for i, x := range u.In {
		in[i] = pushLimit(&plan.Limit{Input: x, N: reach(l), Step: plan.Partial})
	}
	c := *l
	c.Input = u.WithInputs(in)
	return &c
}

// limitJoin limits the left side of a left join, too: each of its rows comes
// out at least once.
func limitJoin(l *plan.Limit, j *plan.Join) plan.Node {
	if j.Kind != plan.LeftJoin && j.Kind != plan.MarkJoin {
		return l
	}
	left := pushLimit(&plan.Limit{Input: j.Left, N: reach(l), Step: plan.Partial})
	c := *l
	c.Input = j.WithInputs([]plan.Node{left, j.Right})
	return &c
}

// pushTopN moves a TopN below projections, and places a copy of it below what
// keeps every row that could be among the first: in each input of a union, on
// the left side of a left join if the keys are there.
func pushTopN(t *plan.TopN) plan.Node {
	switch in := t.Input.(type) {
	case *plan.Project:
		return topOfProject(t, in)
	case *plan.Union:
		return topOfUnion(t, in)
	case *plan.Join:
		left := in.Left.Outputs()
		for _, k := range t.Keys {
			if !has(left, k.Column.ID) {
				return t
			}
		}
		if in.Kind != plan.LeftJoin && in.Kind != plan.MarkJoin {
			return t
		}
		top := pushTopN(&plan.TopN{Input: in.Left, Keys: t.Keys, N: t.N, Step: plan.Partial})
		return t.WithInputs([]plan.Node{in.WithInputs([]plan.Node{top, in.Right})})
	}
	return t
}

// topOfProject projects only what is left, if the keys are plain columns below.
func topOfProject(t *plan.TopN, p *plan.Project) plan.Node {
	below := map[expr.ColumnID]*expr.Column{}
	for _, a := range p.Cols {
		if c, ok := a.Expr.(*expr.Column); ok {
			below[a.Column.ID] = c
		} else if volatile(a.Expr) {
			return t
		}
	}
	keys := slices.Clone(t.Keys)
	for i, k := range keys {
		c := below[k.Column.ID]
		if c == nil {
			return t
		}
		keys[i].Column = plan.Column{ID: c.ID, Name: c.Name, Type: c.Typ}
	}
	top := &plan.TopN{Base: t.Base, Input: p.Input, Keys: keys, N: t.N, Step: t.Step}
	return p.WithInputs([]plan.Node{pushTopN(top)})
}

func topOfUnion(t *plan.TopN, u *plan.Union) plan.Node {
	in := make([]plan.Node, len(u.In))
	for i, x := range u.In {
		keys := slices.Clone(t.Keys)
		for k := range keys {
			j := slices.IndexFunc(u.Columns, func(c plan.Column) bool { return c.ID == keys[k].Column.ID })
			if j < 0 {
				return t
			}
			keys[k].Column = u.Sources[i][j]
		}
		in[i] = pushTopN(&plan.TopN{Input: x, Keys: keys, N: t.N, Step: plan.Partial})
	}
	return t.WithInputs([]plan.Node{u.WithInputs(in)})
}
