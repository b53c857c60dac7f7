package stats

import (
	"math"
	"slices"

	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// The selectivities of what cannot be computed.
const (
	rangeSelectivity   = 1.0 / 3 // x < ? on a column without bounds
	columnsSelectivity = 0.5     // a < b between columns
	equalSelectivity   = 0.05    // f(x) = ?
	likeSelectivity    = 0.1     // x LIKE '%a%'
	nullSelectivity    = 0.05    // f(x) IS NULL
	anySelectivity     = 1.0 / 3 // any other condition
	leastSelectivity   = 1.0 / 1e9
	leastOfGroups      = 0.02 // sum(x) > ?: how large groups are is a guess, too
)

func (e *Estimator) filter(n *plan.Filter) *Stats {
	in := e.Of(n.Input)
	if s, ok := n.Input.(*plan.Scan); ok && s.Predicate == nil && s.Limit < 0 {
		in = e.scan(s, n.Predicate)
	}
	return Filtered(in, expr.Conjuncts(n.Predicate))
}

// Filtered describes the rows of in for which all conjuncts are true.
func Filtered(in *Stats, conjuncts []expr.Expr) *Stats {
	if len(conjuncts) == 0 {
		return in
	}
	out := &Stats{Known: in.Known, Columns: make(map[expr.ColumnID]Column, len(in.Columns))}
	sel := Selectivity(in, conjuncts)
	out.Rows = in.Rows * sel
	if sel > 0 {
		out.Rows = max(out.Rows, min(in.Rows, 1))
	}
	for id, c := range in.Columns {
		out.Columns[id] = thinned(c, in.Rows, out.Rows)
	}
	for _, e := range conjuncts {
		narrow(out, in, e)
	}
	for id, c := range out.Columns {
		c.Distinct = min(c.Distinct, max(out.Rows, 1))
		out.Columns[id] = c
	}
	return out
}

// thinned describes a column after some of its rows were dropped at random:
// of d values with n/d rows each, one is still there unless all its rows went.
func thinned(c Column, before, after float64) Column {
	if before <= 0 || after >= before || c.Distinct <= 0 {
		return c
	}
	kept := after / before
	c.Distinct *= 1 - math.Pow(1-kept, max(1, before/c.Distinct))
	return c
}

// Selectivity returns the fraction of rows for which all conjuncts are true.
func Selectivity(in *Stats, conjuncts []expr.Expr) float64 {
	var list []float64
	var order []string
	ranges := map[string]*interval{}
	for _, e := range conjuncts {
		col, lo, hi, ok := rangeOf(e)
		if !ok {
			list = append(list, selectivity(in, e))
			continue
		}
		key := col.String()
		r := ranges[key]
		if r == nil {
			r = &interval{col: col, lo: math.Inf(-1), hi: math.Inf(1)}
			ranges[key], order = r, append(order, key)
		}
		r.lo, r.hi = max(r.lo, lo), min(r.hi, hi)
	}
	for _, key := range order {
		list = append(list, ranges[key].selectivity(in))
	}
	return conjunction(list)
}

// conjunction combines selectivities: the strictest counts in full, each
// further one a little less, since conditions that people write together tend
// to say similar things.
func conjunction(list []float64) float64 {
	slices.Sort(list)
	out, exponent := 1.0, 1.0
	for _, s := range list {
		if s <= 0 {
			return 0
		}
		out *= math.Pow(s, exponent)
		exponent = max(exponent-0.15, 0.4)
	}
	return max(out, leastSelectivity)
}

// interval is what range conditions leave of a column's values.
type interval struct {
	col    *expr.Column
	lo, hi float64
}

func (r *interval) selectivity(in *Stats) float64 {
	c := in.Column(plan.Column{ID: r.col.ID, Type: r.col.Typ})
	if c.mean > 0 && math.IsNaN(c.Min) && math.IsNaN(c.Max) {
		return max(above(r.lo, c.mean)-above(r.hi, c.mean), leastOfGroups) * (1 - c.Nulls)
	}
	if math.IsNaN(c.Min) || math.IsNaN(c.Max) {
		if math.IsInf(r.lo, -1) || math.IsInf(r.hi, 1) {
			return rangeSelectivity
		}
		return rangeSelectivity / 2
	}
	lo, hi := max(r.lo, c.Min), min(r.hi, c.Max)
	switch {
	case lo > hi:
		return 0
	case c.Max <= c.Min:
		return 1 - c.Nulls
	}
	return max((hi-lo)/(c.Max-c.Min), 1/max(c.Distinct, 1)) * (1 - c.Nulls)
}

// above is the share of values above a limit, if the values, none of them
// negative, fall off exponentially: of all spreads with that average it is the
// one that says least.
func above(limit, mean float64) float64 {
	return math.Exp(-max(limit, 0) / mean)
}

// rangeOf recognizes column < constant and the like, on types with numbers.
func rangeOf(e expr.Expr) (col *expr.Column, lo, hi float64, ok bool) {
	call, is := e.(*expr.Call)
	if !is || len(call.Args) != 2 {
		return nil, 0, 0, false
	}
	col = bare(call.Args[0])
	v, known := Number(call.Args[1])
	if col == nil || !known {
		return nil, 0, 0, false
	}
	switch call.Fn.Name {
	case function.OpLt, function.OpLe:
		return col, math.Inf(-1), v, true
	case function.OpGt, function.OpGe:
		return col, v, math.Inf(1), true
	}
	return nil, 0, 0, false
}

// Number returns a constant as the number that Column.Min and Max would have
// for it.
func Number(e expr.Expr) (float64, bool) {
	c, ok := e.(*expr.Const)
	if !ok {
		return 0, false
	}
	switch v := c.Value.(type) {
	case int64:
		if c.Typ.Kind == types.Decimal {
			return float64(v) / math.Pow10(int(c.Typ.S)), true
		}
		return float64(v), true
	case types.Int128:
		return types.DecimalToDouble(v, c.Typ.S), true
	case float64:
		return v, true
	case float32:
		return float64(v), true
	}
	return 0, false
}

// selectivity returns the fraction of rows for which e is true.
func selectivity(in *Stats, e expr.Expr) float64 {
	switch e := e.(type) {
	case *expr.Const:
		if e.Value == true {
			return 1
		}
		return 0
	case *expr.Column:
		return 0.5
	case *expr.Call:
		return ofCall(in, e)
	case *expr.Form:
		return ofForm(in, e)
	}
	return anySelectivity
}

func ofCall(in *Stats, e *expr.Call) float64 {
	switch e.Fn.Name {
	case function.OpEq:
		return ofEquality(in, e.Args[0], e.Args[1])
	case function.OpNe, function.OpDistinct:
		return 1 - ofEquality(in, e.Args[0], e.Args[1])
	case function.OpLt, function.OpLe, function.OpGt, function.OpGe:
		if col, lo, hi, ok := rangeOf(e); ok {
			return (&interval{col, lo, hi}).selectivity(in)
		}
		if _, isConst := e.Args[1].(*expr.Const); !isConst {
			return columnsSelectivity
		}
		return rangeSelectivity
	case function.OpLike, "starts_with":
		return likeSelectivity
	}
	return anySelectivity
}

// ofEquality is the selectivity of a = b.
func ofEquality(in *Stats, a, b expr.Expr) float64 {
	x, y := bare(a), bare(b)
	switch {
	case x != nil && y != nil:
		return 1 / max(1, column(in, x).Distinct, column(in, y).Distinct)
	case x != nil:
		return ofValue(in, x, b)
	case y != nil:
		return ofValue(in, y, a)
	}
	return equalSelectivity
}

// bare returns the column that e is, perhaps cast to a type in which its
// values are the same numbers or texts; nil if it is anything else.
func bare(e expr.Expr) *expr.Column {
	if c, ok := e.(*expr.Cast); ok {
		from, to := c.Arg.Type(), c.Typ
		if from.IsNumeric() && to.IsNumeric() || from.IsString() && to.IsString() || from.Kind == to.Kind {
			return bare(c.Arg)
		}
	}
	c, _ := e.(*expr.Column)
	return c
}

// ofValue is the selectivity of column = value.
func ofValue(in *Stats, x *expr.Column, value expr.Expr) float64 {
	c := column(in, x)
	if v, ok := Number(value); ok && (v < c.Min || v > c.Max) {
		return 0
	}
	return (1 - c.Nulls) / max(1, c.Distinct)
}

func column(in *Stats, c *expr.Column) Column {
	return in.Column(plan.Column{ID: c.ID, Type: c.Typ})
}

func ofForm(in *Stats, f *expr.Form) float64 {
	switch f.Op {
	case expr.And:
		return Selectivity(in, f.Args)
	case expr.Or:
		miss := 1.0
		for _, a := range f.Args {
			miss *= 1 - selectivity(in, a)
		}
		return 1 - miss
	case expr.Not:
		if inner, ok := f.Args[0].(*expr.Form); ok && inner.Op == expr.IsNull {
			return 1 - ofForm(in, inner)
		}
		return 1 - selectivity(in, f.Args[0])
	case expr.In:
		sum := 0.0
		for _, v := range f.Args[1:] {
			sum += ofEquality(in, f.Args[0], v)
		}
		return min(sum, 1)
	case expr.IsNull:
		if c, ok := f.Args[0].(*expr.Column); ok {
			return column(in, c).Nulls
		}
		return nullSelectivity
	}
	return anySelectivity
}

// narrow notes what a conjunct that holds says about a column's values.
func narrow(out, in *Stats, e expr.Expr) {
	if col, lo, hi, ok := rangeOf(e); ok {
		c, known := out.Columns[col.ID]
		if !known {
			return
		}
		c.Min, c.Max, c.Nulls = tighter(math.Max, c.Min, lo), tighter(math.Min, c.Max, hi), 0
		was := in.Columns[col.ID]
		if share := (c.Max - c.Min) / (was.Max - was.Min); share >= 0 && share < 1 {
			c.Distinct = min(c.Distinct, max(1, was.Distinct*share))
			c.Cut = 1 - (1-was.Cut)*max(share, 1/max(1, was.Distinct))
		}
		out.Columns[col.ID] = c
		return
	}
	x, values := equalTo(e)
	if x == nil || len(values) == 0 {
		return
	}
	c, known := out.Columns[x.ID]
	if !known {
		return
	}
	was := column(in, x).Distinct
	c.Distinct, c.Nulls = min(was, float64(len(values))), 0
	c.Cut = 1 - (1-c.Cut)*c.Distinct/max(1, was)
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		n, ok := Number(v)
		if !ok {
			lo, hi = math.NaN(), math.NaN()
			break
		}
		lo, hi = min(lo, n), max(hi, n)
	}
	if !math.IsNaN(lo) {
		c.Min, c.Max = lo, hi
	}
	out.Columns[x.ID] = c
}

// tighter is the stricter of two bounds of which the first may be unknown and
// the second infinite.
func tighter(pick func(a, b float64) float64, bound, limit float64) float64 {
	switch {
	case math.IsInf(limit, 0):
		return bound
	case math.IsNaN(bound):
		return limit
	}
	return pick(bound, limit)
}

// equalTo recognizes column = constant and column IN (constants).
func equalTo(e expr.Expr) (*expr.Column, []expr.Expr) {
	var args []expr.Expr
	switch e := e.(type) {
	case *expr.Call:
		if e.Fn.Name == function.OpEq {
			args = e.Args
		}
	case *expr.Form:
		if e.Op == expr.In {
			args = e.Args
		}
	}
	if len(args) < 2 {
		return nil, nil
	}
	x := bare(args[0])
	for _, v := range args[1:] {
		if _, isConst := v.(*expr.Const); !isConst {
			return nil, nil
		}
	}
	return x, args[1:]
}
