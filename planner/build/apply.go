package build

import (
	"slices"

	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
)

// applyKind says what an apply does with the rows of its right side.
type applyKind uint8

const (
	// applyInner pairs each left row with its right rows.
	applyInner applyKind = iota
	// applyLeft does, too, and keeps left rows without right rows.
	applyLeft
	// applySingle is applyLeft and fails for a left row with several right rows.
	applySingle
	// applySemi keeps left rows with a right row for which on is true, applyAnti
	// those without.
	applySemi
	applyAnti
	// applyMark adds mark to each left row: whether on is true for a right row.
	// With nulls set it is null instead of false where on is null for one.
	applyMark
)

// apply evaluates its right side for each row of its left side, to whose
// columns the right side may refer. It is a plan.Node within this package
// only: decorrelation leaves none.
type apply struct {
	plan.Base
	kind        applyKind
	left, right plan.Node
	// on are conditions over both sides (semi, anti, mark).
	on    []expr.Expr
	mark  plan.Column
	nulls bool
}

// Inputs returns both sides.
func (a *apply) Inputs() []plan.Node { return []plan.Node{a.left, a.right} }

// WithInputs returns a copy over other sides.
func (a *apply) WithInputs(in []plan.Node) plan.Node {
	c := *a
	c.left, c.right = in[0], in[1]
	return &c
}

// Outputs returns the left columns and the right ones or the mark.
func (a *apply) Outputs() []plan.Column {
	out := slices.Clone(a.left.Outputs())
	switch a.kind {
	case applySemi, applyAnti:
		return out
	case applyMark:
		return append(out, a.mark)
	}
	return append(out, a.right.Outputs()...)
}

// simplified is the right side without what cannot change whether it has rows,
// if that is all that is asked.
func (a *apply) simplified() plan.Node {
	n := a.right
	if a.kind < applySemi || len(a.on) > 0 {
		return n
	}
	for {
		switch r := n.(type) {
		case *plan.Project:
			n = r.Input
		case *plan.Sort:
			n = r.Input
		case *plan.Aggregate:
			if len(r.Keys) == 0 {
				return n
			}
			n = r.Input
		case *plan.Limit:
			if r.N == 0 || r.Offset > 0 {
				return n
			}
			n = r.Input
		default:
			return n
		}
	}
}

// existential makes semi applies inner ones where a row more or less of the
// same kind makes no difference: below a test whether there are rows, and where
// the semi apply's right side refers to outer columns. Inner applies can be
// pulled apart.
func existential(n plan.Node, outer idSet) plan.Node {
	switch n := n.(type) {
	case *plan.Filter, *plan.Project, *plan.Sort:
		return n.WithInputs([]plan.Node{existential(n.Inputs()[0], outer)})
	case *apply:
		left := existential(n.left, outer)
		if n.kind == applySemi && (refersTo(n.right, outer) || outer.usesAny(n.on)) {
			right := existential(filtered(n.right, n.on...), outer)
			// The right side's columns stay inside: nothing above knows them.
			return &apply{kind: applyInner, left: left, right: right}
		}
		return n.WithInputs([]plan.Node{left, n.right})
	}
	return n
}
