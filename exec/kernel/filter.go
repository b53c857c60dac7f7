package kernel

import (
	"slices"

	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// Filter is a compiled condition. It is for one goroutine.
type Filter struct {
	compiler *compiler
	conj     []pred
	run      run
	// bufs are used in turn: a part's input selection is also what columns are
	// loaded for, so its output must not overwrite it.
	bufs [2]rowBuf
}

// CompileFilter compiles a condition whose columns' IDs are positions in the
// input batch. A nil condition passes every row.
//
// The parts of an AND narrow the selection one after the other: first those
// that cannot raise an error, cheapest first, then the others in the order
// written, so that a guard still stands before what it guards.
func CompileFilter(env *Env, e expr.Expr) (*Filter, error) {
	f := &Filter{compiler: newCompiler(env)}
	sc := newScope(nil)
	for _, part := range fuseRanges(orderConjuncts(expr.Conjuncts(e))) {
		p, err := f.compiler.conjunct(part, sc)
		if err != nil {
			f.Close()
			return nil, err
		}
		f.conj = append(f.conj, p)
	}
	return f, nil
}

// Apply returns the rows of b, within b.Sel, for which the condition is true,
// ascending; nil means all of b.N, and is returned only if b has no selection.
// Lazy columns are loaded for the rows that earlier parts of the condition
// left. The result is borrowed until the next Apply.
func (f *Filter) Apply(b *vector.Batch) ([]int32, error) {
	sel := b.Sel
	for i, p := range f.conj {
		f.compiler.seq++
		f.run = run{cols: b.Cols, n: b.N, load: sel, seq: f.compiler.seq}
		out, err := p.apply(&f.run, sel, f.bufs[i&1].room(b.N))
		if err != nil {
			return nil, err
		}
		if len(out) == 0 {
			return out, nil
		}
		if sel != nil || len(out) < b.N {
			sel = out
		}
	}
	return sel, nil
}

// Close releases the filter's memory. It is idempotent.
func (f *Filter) Close() { f.compiler.close() }

// conjunct compiles one part of an AND. Parts share no nodes: each pass may
// look at fewer rows than the last and loads only those.
func (c *compiler) conjunct(part conjunct, _ *scope) (pred, error) {
	sc := newScope(nil)
	if part.upper == nil {
		return c.pred(part.e, sc, false)
	}
	lower, err := c.pred(part.e, sc, false)
	if err != nil {
		return nil, err
	}
	upper, err := c.pred(part.upper, sc, false)
	if err != nil {
		return nil, err
	}
	if a, ok := lower.(*testPred); ok {
		if b, ok := upper.(*testPred); ok {
			if t := intersect(a.t, b.t); t != nil {
				a.t = t
				return a, nil
			}
		}
	}
	return &andPred{args: []pred{lower, upper}}, nil
}

// conjunct is a part of an AND; upper, if set, is a second comparison of the
// same column, to be tested in the same loop.
type conjunct struct {
	e, upper expr.Expr
}

// orderConjuncts sorts by class: what cannot fail by cost, then what can.
func orderConjuncts(es []expr.Expr) []expr.Expr {
	out := slices.Clone(es)
	slices.SortStableFunc(out, func(a, b expr.Expr) int { return rank(a) - rank(b) })
	return out
}

// mayFail is the rank of what can raise an error.
const mayFail = 1 << 20

// rank is the rough cost of a condition.
func rank(e expr.Expr) int {
	if canFail(e) {
		return mayFail
	}
	cost := 0
	expr.Walk(e, func(e expr.Expr) bool {
		switch e := e.(type) {
		case *expr.Column:
			cost += columnCost(e.Typ)
		case *expr.Call:
			cost += callCost(e.Fn)
		case *expr.Cast, *expr.Form:
			cost += 2
		}
		return true
	})
	return cost
}

func columnCost(t types.Type) int {
	switch {
	case t.IsNested():
		return 100
	case typeIsBytes(t):
		return 10
	}
	return 2
}

func callCost(fn *function.Scalar) int {
	if _, ok := compareOps[fn.Name]; ok {
		return 1
	}
	if fn.Name == function.OpLike {
		return 40
	}
	return 20
}

// canFail reports whether evaluating e can raise an error about the data.
func canFail(e expr.Expr) bool {
	found := false
	expr.Walk(e, func(e expr.Expr) bool {
		switch e := e.(type) {
		case *expr.Call:
			found = found || callCanFail(e)
		case *expr.Cast:
			found = found || !e.Safe && !sameValues(e.Arg.Type(), e.Typ) && castCanFail(e.Arg.Type(), e.Typ)
		case *expr.Form:
			if e.Op == expr.Try {
				return false
			}
		}
		return !found
	})
	return found
}

func callCanFail(e *expr.Call) bool {
	if _, ok := compareOps[e.Fn.Name]; ok {
		return e.Args[0].Type().IsNested()
	}
	if e.Fn.Name == function.OpLike {
		for _, a := range e.Args[1:] {
			if _, ok := a.(*expr.Const); !ok {
				return true
			}
		}
		return false
	}
	k, err := lookup(e.Fn, &binding{env: &Env{}, args: make([]*vector.Vector, len(e.Args))})
	return err != nil || k.fallible || e.Fn.Volatile
}

func castCanFail(from, to types.Type) bool {
	k, err := castKernel(from, to, &Env{})
	return err != nil || k.fallible
}

// fuseRanges pairs comparisons of one column with constants: a lower with an
// upper bound.
func fuseRanges(es []expr.Expr) []conjunct {
	var out []conjunct
	open := map[expr.ColumnID]int{}
	for _, e := range es {
		col, ok := rangeColumn(e)
		if at, seen := open[col]; ok && seen && out[at].upper == nil {
			out[at].upper = e
			continue
		}
		if ok {
			open[col] = len(out)
		}
		out = append(out, conjunct{e: e})
	}
	return out
}

// rangeColumn returns the column that e bounds: column < constant and the like.
func rangeColumn(e expr.Expr) (expr.ColumnID, bool) {
	call, ok := e.(*expr.Call)
	if !ok {
		return 0, false
	}
	if op, ok := compareOps[call.Fn.Name]; !ok || op == opNe || op == opEq {
		return 0, false
	}
	for i, a := range call.Args {
		if col, ok := a.(*expr.Column); ok {
			k, ok := call.Args[1-i].(*expr.Const)
			return col.ID, ok && k.Value != nil
		}
	}
	return 0, false
}

// intersect makes one range of two; nil if they are not ranges of one layout.
func intersect(a, b test) test {
	if t := intersectRanges[int64](a, b); t != nil {
		return t
	}
	if t := intersectRanges[int32](a, b); t != nil {
		return t
	}
	if t := intersectRanges[float64](a, b); t != nil {
		return t
	}
	if t := intersectRanges[int16](a, b); t != nil {
		return t
	}
	if t := intersectRanges[float32](a, b); t != nil {
		return t
	}
	return intersectRanges[int8](a, b)
}

func intersectRanges[T fixed](a, b test) test {
	x, ok1 := a.(*rangeTest[T])
	y, ok2 := b.(*rangeTest[T])
	if !ok1 || !ok2 || x.neg != 0 || y.neg != 0 {
		return nil
	}
	return &rangeTest[T]{lo: max(x.lo, y.lo), hi: min(x.hi, y.hi)}
}
