package parquet

import (
	"cmp"
	"math"

	"github.com/tuttidb/tutti/exec/kernel"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// outcome is the set of truth values that a condition may have on some rows.
type outcome uint8

const (
	mayTrue outcome = 1 << iota
	mayFalse
	mayNull
	anything = mayTrue | mayFalse | mayNull
)

// Domain is what is known of a column's values in some rows.
type Domain struct {
	// Min and Max bound the values that are not null, in the form of
	// expr.Const; nil: unknown.
	Min, Max any
	// Nulls says that there may be nulls, and Values that there may be others.
	Nulls, Values bool
}

// unknown is the domain of a column that nothing is known about.
var unknown = Domain{Nulls: true, Values: true}

// MayMatch reports whether e may be true for a row of columns with the given
// domains. Where it cannot tell it says yes.
func MayMatch(e expr.Expr, domain func(expr.ColumnID) Domain) bool {
	return outcomes(e, domain)&mayTrue != 0
}

// outcomes returns the truth values that e may have.
func outcomes(e expr.Expr, domain func(expr.ColumnID) Domain) outcome {
	switch e := e.(type) {
	case *expr.Const:
		switch e.Value {
		case nil:
			return mayNull
		case true:
			return mayTrue
		case false:
			return mayFalse
		}
	case *expr.Column:
		return boolOutcomes(domain(e.ID))
	case *expr.Form:
		return formOutcomes(e, domain)
	case *expr.Call:
		if len(e.Args) == 2 {
			return compareOutcomes(e, domain)
		}
	}
	return anything
}

func boolOutcomes(d Domain) (o outcome) {
	if d.Nulls {
		o = mayNull
	}
	if d.Values && d.Max != false {
		o |= mayTrue
	}
	if d.Values && d.Min != true {
		o |= mayFalse
	}
	return o
}

func formOutcomes(e *expr.Form, domain func(expr.ColumnID) Domain) outcome {
	switch e.Op {
	case expr.And:
		return combine(e.Args, domain, mayFalse, mayTrue)
	case expr.Or:
		return combine(e.Args, domain, mayTrue, mayFalse)
	case expr.Not:
		o := outcomes(e.Args[0], domain)
		return o&mayNull | o&mayTrue<<1 | o&mayFalse>>1
	case expr.IsNull:
		d, ok := domainOf(e.Args[0], domain)
		if !ok {
			return mayTrue | mayFalse
		}
		var o outcome
		if d.Nulls {
			o |= mayTrue
		}
		if d.Values {
			o |= mayFalse
		}
		return o
	case expr.In:
		return inOutcomes(e, domain)
	}
	return anything
}

// combine is three-valued AND, or OR with the two values swapped: strong
// decides alone, weak only if all are it.
func combine(args []expr.Expr, domain func(expr.ColumnID) Domain, strong, weak outcome) outcome {
	var all outcome
	allWeak, noneStrong := true, true
	for _, a := range args {
		o := outcomes(a, domain)
		if o == strong {
			return strong
		}
		all |= o & (strong | mayNull)
		allWeak = allWeak && o&weak != 0
		noneStrong = noneStrong && o&(weak|mayNull) != 0
	}
	if allWeak {
		all |= weak
	}
	if !noneStrong {
		all &^= mayNull
	}
	return all
}

func inOutcomes(e *expr.Form, domain func(expr.ColumnID) Domain) outcome {
	d, ok := domainOf(e.Args[0], domain)
	if !ok {
		return anything
	}
	o := mayFalse
	if d.Nulls {
		o |= mayNull
	}
	for _, a := range e.Args[1:] {
		c, ok := a.(*expr.Const)
		switch {
		case !ok:
			return anything
		case c.Value == nil:
			o |= mayNull
		case d.Values && compareDomain(function.OpEq, d, c.Value, c.Typ)&mayTrue != 0:
			o |= mayTrue
		}
	}
	return o
}

// flipped are the comparisons with their arguments swapped.
var flipped = map[string]string{
	function.OpEq: function.OpEq, function.OpNe: function.OpNe,
	function.OpLt: function.OpGt, function.OpLe: function.OpGe,
	function.OpGt: function.OpLt, function.OpGe: function.OpLe,
}

// compareOutcomes judges column ⋈ constant and constant ⋈ column.
func compareOutcomes(e *expr.Call, domain func(expr.ColumnID) Domain) outcome {
	op, arg := e.Fn.Name, e.Args[0]
	c, ok := e.Args[1].(*expr.Const)
	if !ok {
		if c, ok = e.Args[0].(*expr.Const); !ok {
			return anything
		}
		op, arg = flipped[op], e.Args[1]
	}
	if _, known := flipped[op]; !known {
		return anything
	}
	if c.Value == nil {
		return mayNull
	}
	d, ok := domainOf(arg, domain)
	if !ok {
		return anything
	}
	var o outcome
	if d.Nulls {
		o = mayNull
	}
	if d.Values {
		o |= compareDomain(op, d, c.Value, c.Typ)
	}
	return o
}

// compareDomain judges value ⋈ x for the values of d that are not null.
func compareDomain(op string, d Domain, x any, t types.Type) outcome {
	lo, okLo := compare(d.Min, x, t)
	hi, okHi := compare(d.Max, x, t)
	below, above := !okLo || lo < 0, !okHi || hi > 0  // some value may be < x, > x
	equal := (!okLo || lo <= 0) && (!okHi || hi >= 0) // some may be = x
	differ := !(okLo && okHi && lo == 0 && hi == 0)   // some may be <> x
	var o outcome
	set := func(yes, no bool) {
		if yes {
			o |= mayTrue
		}
		if no {
			o |= mayFalse
		}
	}
	switch op {
	case function.OpEq:
		set(equal, differ)
	case function.OpNe:
		set(differ, equal)
	case function.OpLt:
		set(below, above || equal)
	case function.OpLe:
		set(below || equal, above)
	case function.OpGt:
		set(above, below || equal)
	case function.OpGe:
		set(above || equal, below)
	default:
		return anything
	}
	if t.IsFloat() {
		// Statistics leave NaN out. All comparisons with it are false but <>.
		if op == function.OpNe {
			return o | mayTrue
		}
		return o | mayFalse
	}
	return o
}

// compare compares two values of type t in the form of expr.Const; false if
// either is unknown or they have no order here.
func compare(a, b any, t types.Type) (int, bool) {
	switch x := a.(type) {
	case int64:
		y, ok := b.(int64)
		return cmp.Compare(x, y), ok
	case string:
		y, ok := b.(string)
		return cmp.Compare(x, y), ok && (t.Kind == types.Varchar || t.Kind == types.Varbinary)
	case float64:
		y, ok := b.(float64)
		return compareFloats(x, y, ok)
	case float32:
		y, ok := b.(float32)
		return compareFloats(float64(x), float64(y), ok)
	case bool:
		y, ok := b.(bool)
		return cmp.Compare(bit(x), bit(y)), ok
	case types.Int128:
		y, ok := b.(types.Int128)
		switch t.Kind {
		case types.Decimal:
			return x.Cmp(y), ok
		case types.TimestampTZ:
			return cmp.Compare(int64(x.Lo), int64(y.Lo)), ok
		}
	}
	return 0, false
}

func compareFloats(x, y float64, ok bool) (int, bool) {
	if math.IsNaN(x) || math.IsNaN(y) {
		return 0, false
	}
	switch {
	case x < y:
		return -1, ok
	case x > y:
		return 1, ok
	}
	return 0, ok
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// domainOf returns the domain of a column, also below casts that keep values
// and their order; false for anything else.
func domainOf(e expr.Expr, domain func(expr.ColumnID) Domain) (Domain, bool) {
	switch e := e.(type) {
	case *expr.Column:
		return domain(e.ID), true
	case *expr.Cast:
		d, ok := domainOf(e.Arg, domain)
		if !ok {
			return d, false
		}
		return castDomain(d, e.Arg.Type(), e.Typ)
	}
	return Domain{}, false
}

func castDomain(d Domain, from, to types.Type) (Domain, bool) {
	switch {
	case from.IsInteger() && to.IsInteger() && to.Kind >= from.Kind:
		return d, true
	case from.Kind == types.Varchar && to.Kind == types.Varchar && to.P >= from.P:
		return d, true
	case from.Kind == types.Date && to.Kind == types.Timestamp:
		perDay := 86400 * to.UnitsPerSecond()
		scale := func(v any) any {
			days, ok := v.(int64)
			if !ok || days > math.MaxInt64/perDay || days < math.MinInt64/perDay {
				return nil
			}
			return days * perDay
		}
		d.Min, d.Max = scale(d.Min), scale(d.Max)
		return d, true
	}
	return d, false
}

// statReader turns the statistics of a leaf into domains of values of the
// type that the reader returns.
type statReader struct {
	leaf   *Leaf
	typ    types.Type
	layout layout
	buf    [2]types.Int128
}

// newStatReader returns nil if the column's statistics are of no use.
func newStatReader(f *Field, t types.Type) *statReader {
	if f == nil || f.Leaf == nil || f.Leaf.MaxRep > 0 || f.Leaf.Kind == KindInt96 || f.Leaf.logic.kind == logicUUID {
		return nil
	}
	l, err := newLayout(f.Leaf, t)
	if err != nil {
		return nil
	}
	return &statReader{leaf: f.Leaf, typ: t, layout: l}
}

// domain decodes statistics of n values, nulls included.
func (r *statReader) domain(s *Stats, n int64) Domain {
	d := Domain{Nulls: s.Nulls != 0, Values: s.Nulls < 0 || s.Nulls < n}
	if s.old && !r.oldOrder() {
		return d
	}
	d.Min, d.Max = r.value(s.Min), r.value(s.Max)
	if c, ok := compare(d.Min, d.Max, r.typ); !ok || c > 0 {
		// Damaged, NaN, or one of the two is missing: each is a bound still,
		// unless they contradict each other.
		if ok {
			d.Min, d.Max = nil, nil
		}
	}
	return d
}

// oldOrder reports whether the deprecated statistics of the column are in
// order: they compared bytes and numbers as signed.
func (r *statReader) oldOrder() bool {
	switch r.leaf.Kind {
	case KindInt32, KindInt64, KindFloat, KindDouble:
		return r.leaf.logic.kind != logicUnsigned
	}
	return false
}

// value decodes a bound in PLAIN encoding (without a string's length); nil if
// it is missing or cannot be used.
func (r *statReader) value(b []byte) any {
	if b == nil {
		return nil
	}
	out := vector.AsBytes(r.buf[:1])
	switch r.layout.src {
	case srcBool:
		if len(b) != 1 {
			return nil
		}
		return b[0] != 0
	case srcFixed:
		if len(b) != r.layout.srcW || len(b) > 16 {
			return nil
		}
		// Copied, because it need not be aligned.
		src := vector.AsBytes(r.buf[1:])[:len(b)]
		copy(src, b)
		if r.layout.conv == nil {
			copy(out, src)
		} else if r.layout.conv(out, src, 1) != nil {
			return nil
		}
	default:
		if r.layout.fromBytes == nil {
			return string(b)
		}
		var view [1]vector.View
		viewOf(&castWords(view[:])[0], b, 0, len(b), 0)
		if r.layout.fromBytes(out, view[:], [][]byte{b}) != nil {
			return nil
		}
	}
	v := kernel.ValueAt(&vector.Vector{Type: r.typ, N: 1, Data: out[:r.layout.dstW]}, 0)
	if f, ok := v.(float64); ok && math.IsNaN(f) {
		return nil
	}
	if f, ok := v.(float32); ok && math.IsNaN(float64(f)) {
		return nil
	}
	return v
}
