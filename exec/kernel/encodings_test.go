package kernel

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// encoded says how a test column is made of values.
type encoded uint8

const (
	asFlat encoded = iota
	asJunk         // flat, with junk in null rows
	asDict
	asSparse // a dictionary with junk in the entries that no row refers to
	asLazy
	encodings
)

func (e encoded) String() string {
	return [...]string{"flat", "junk", "dictionary", "sparse", "lazy"}[e]
}

// cases makes the columns of one function's test. Everything it made is
// released by done.
type cases struct {
	t    *testing.T
	r    *rand.Rand
	env  *Env
	pool *mem.Pool
	made []*vector.Builder
}

func newCases(t *testing.T, r *rand.Rand) *cases {
	pool := mem.NewPool()
	pool.Poison = true
	env := testEnv(t)
	env.Account = mem.NewRoot("columns", 0, pool)
	return &cases{t: t, r: r, env: env, pool: pool}
}

func (c *cases) done() {
	for _, b := range c.made {
		b.Release()
	}
	c.made = nil
	defer c.pool.Trim(0) // there are thousands of pools
	if c.pool.Out() != 0 || c.env.Account.Used() != 0 {
		c.t.Errorf("%d bytes are out, %d accounted for", c.pool.Out(), c.env.Account.Used())
	}
}

func (c *cases) flat(typ types.Type, vals []any) *vector.Vector {
	c.t.Helper()
	b := vector.NewBuilder(c.env.Account, typ)
	c.made = append(c.made, b)
	for _, v := range vals {
		if err := AppendValue(b, typ, v); err != nil {
			c.t.Fatal(err)
		}
	}
	return b.Vector()
}

func (c *cases) column(typ types.Type, vals []any, as encoded) *vector.Vector {
	switch as {
	case asJunk:
		v := c.flat(typ, vals)
		spoilNulls(v)
		return v
	case asDict:
		return c.dict(typ, vals)
	case asSparse:
		return c.sparse(typ, vals)
	case asLazy:
		v := c.flat(typ, vals)
		return &vector.Vector{Type: typ, Enc: vector.Lazy, N: v.N, Loader: loaded{v}}
	}
	return c.flat(typ, vals)
}

// dict has each value once, in an order that is not the rows'.
func (c *cases) dict(typ types.Type, vals []any) *vector.Vector {
	out := &vector.Vector{Type: typ, Enc: vector.Dict, N: len(vals)}
	at, base := map[string]int32{}, []any{}
	for i := len(vals) - 1; i >= 0; i-- {
		key := fmt.Sprintf("%#v", vals[i])
		if _, ok := at[key]; !ok && vals[i] != nil {
			at[key] = int32(len(base))
			base = append(base, vals[i])
		}
	}
	if len(base) == 0 {
		return c.flat(typ, vals)
	}
	for i, x := range vals {
		out.Idx = append(out.Idx, at[fmt.Sprintf("%#v", x)])
		out.Valid = notNullAt(out.Valid, x == nil, i, len(vals))
	}
	out.Base = c.flat(typ, base)
	return out
}

// sparse has an entry of junk beside each value; null rows refer to such.
func (c *cases) sparse(typ types.Type, vals []any) *vector.Vector {
	out := &vector.Vector{Type: typ, Enc: vector.Dict, N: len(vals), Sparse: true}
	base := make([]any, 2*len(vals)+1)
	for i, x := range vals {
		base[2*(len(vals)-i)-1] = x
		out.Idx = append(out.Idx, int32(2*(len(vals)-i)-1))
		out.Valid = notNullAt(out.Valid, x == nil, i, len(vals))
	}
	d := *c.flat(typ, base)
	spoilNulls(&d)
	d.Valid = nil
	out.Base = &d
	return out
}

func notNullAt(valid vector.Bitmap, null bool, i, n int) vector.Bitmap {
	if !null {
		return valid
	}
	if valid == nil {
		valid = vector.NewBitmap(n)
	}
	valid.Clear(i)
	return valid
}

// spoilNulls puts junk where a flat column's nulls are.
func spoilNulls(v *vector.Vector) {
	w := v.Type.Physical().Width()
	for i := range v.N {
		for k := range w {
			if v.IsNull(i) {
				v.Data[i*w+k] = 0xDB
			}
		}
	}
}

// loaded is a lazy column's values.
type loaded struct{ v *vector.Vector }

func (l loaded) Load(v *vector.Vector, _ []int32) error {
	*v = *l.v
	return nil
}

// answer is what one row gives: a value or an error.
type answer struct {
	value any
	err   error
}

func (a answer) text() string { return fmt.Sprintf("%#v", a.value) }

// rowAnswers evaluates e over each row alone.
func (c *cases) rowAnswers(e expr.Expr, ts []types.Type, rows [][]any) []answer {
	out := make([]answer, len(rows))
	for i, row := range rows {
		b := &vector.Batch{N: 1}
		for k, x := range row {
			b.Cols = append(b.Cols, c.flat(ts[k], []any{x}))
		}
		vals, err := evalAll(c.t, c.env, e, b)
		if err != nil {
			out[i] = answer{err: err}
			continue
		}
		out[i] = answer{value: vals[0]}
	}
	return out
}

// TestEveryEncodingAnswersAsRowsDo evaluates every function over batches whose
// columns are encoded at random, some of them constant, under random
// selections, and compares with the rows one at a time, errors included. One
// program sees all batches, so that what it keeps of one shows in the next.
func TestEveryEncodingAnswersAsRowsDo(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for i, fn := range resolved(t) {
		if fn.Volatile {
			continue
		}
		c := newCases(t, rand.New(rand.NewPCG(seed, uint64(i))))
		c.function(fn)
		c.done()
	}
}

func callOf(fn *function.Scalar) expr.Expr {
	var refs []expr.Expr
	for k, typ := range fn.Args {
		refs = append(refs, col(k, typ))
	}
	return &expr.Call{Fn: fn, Args: refs}
}

func (c *cases) function(fn *function.Scalar) {
	e := callOf(fn)
	p, err := Compile(c.env, []expr.Expr{e})
	if err != nil {
		c.t.Errorf("%s%v: %v", fn.Name, fn.Args, err)
		return
	}
	defer p.Close()
	f := c.filter(e)
	if f != nil {
		defer f.Close()
	}
	for range 6 {
		rows := c.rows(fn.Args, 1+c.r.IntN(20))
		b, how := c.batch(fn.Args, rows)
		want := c.rowAnswers(e, fn.Args, rows)
		name := fmt.Sprintf("%s%v %v", fn.Name, fn.Args, how)
		if !c.check(name, p, b, rows, want) || f != nil && !c.checkFilter(name, f, b, want) {
			return
		}
	}
}

// rows makes random arguments; in some batches one column has one value.
func (c *cases) rows(ts []types.Type, n int) [][]any {
	rows := make([][]any, n)
	same := c.r.IntN(2*len(ts) + 1)
	for i := range rows {
		for k, typ := range ts {
			x := randomValue(c.r, typ)
			if i > 0 && k == same {
				x = rows[0][k]
			}
			rows[i] = append(rows[i], x)
		}
	}
	return rows
}

// batch encodes rows, each column in its own way, and selects some.
func (c *cases) batch(ts []types.Type, rows [][]any) (*vector.Batch, []string) {
	b := &vector.Batch{N: len(rows)}
	var how []string
	for k, typ := range ts {
		var vals []any
		for _, r := range rows {
			vals = append(vals, r[k])
		}
		as := encoded(c.r.IntN(int(encodings)))
		v, name := c.column(typ, vals, as), as.String()
		if allEqual(vals) && c.r.IntN(2) == 0 {
			k := *c.flat(typ, vals[:1])
			spoilNulls(&k)
			k.Enc, k.N = vector.Const, len(vals)
			v, name = &k, "constant"
		}
		b.Cols, how = append(b.Cols, v), append(how, name)
	}
	if c.r.IntN(2) == 0 {
		for i := range rows {
			if c.r.IntN(3) > 0 {
				b.Sel = append(b.Sel, int32(i))
			}
		}
		how = append(how, fmt.Sprint("selected ", b.Sel))
	}
	return b, how
}

func allEqual(vals []any) bool {
	for _, x := range vals {
		if fmt.Sprintf("%#v", x) != fmt.Sprintf("%#v", vals[0]) {
			return false
		}
	}
	return true
}

// expected returns the error texts of the rows that are there.
func expected(b *vector.Batch, want []answer) map[string]bool {
	errs := map[string]bool{}
	for i := range b.Rows() {
		if err := want[b.Row(i)].err; err != nil {
			errs[err.Error()] = true
		}
	}
	return errs
}

// check compares the program's answers with those of the rows.
func (c *cases) check(name string, p *Program, b *vector.Batch, rows [][]any, want []answer) bool {
	errs := expected(b, want)
	out, err := p.Eval(b)
	switch {
	case err != nil && !errs[err.Error()]:
		c.t.Errorf("%s: error %v, of the rows alone: %v", name, err, errs)
		return false
	case err == nil && len(errs) > 0:
		c.t.Errorf("%s: no error, of the rows alone: %v", name, errs)
		return false
	case err != nil:
		return true
	}
	if out[0].N != b.N {
		c.t.Errorf("%s: %d rows of %d", name, out[0].N, b.N)
		return false
	}
	for i := range b.Rows() {
		at := b.Row(i)
		if got := fmt.Sprintf("%#v", ValueAt(out[0], at)); got != want[at].text() {
			c.t.Errorf("%s: row %d of %v is %s, alone it is %s", name, at, rows[at], got, want[at].text())
			return false
		}
	}
	return true
}

// checkFilter compares the rows that a filter passes.
func (c *cases) checkFilter(name string, f *Filter, b *vector.Batch, want []answer) bool {
	errs := expected(b, want)
	sel, err := f.Apply(b)
	if len(errs) > 0 || err != nil {
		if err == nil || !errs[err.Error()] {
			c.t.Errorf("filter %s: error %v, of the rows alone: %v", name, err, errs)
			return false
		}
		return true
	}
	var pass, should []int
	for _, r := range sel {
		pass = append(pass, int(r))
	}
	if sel == nil {
		for i := range b.Rows() {
			pass = append(pass, b.Row(i))
		}
	}
	for i := range b.Rows() {
		if want[b.Row(i)].value == true {
			should = append(should, b.Row(i))
		}
	}
	if fmt.Sprint(pass) != fmt.Sprint(should) {
		c.t.Errorf("filter %s: rows %v pass, not %v", name, pass, should)
		return false
	}
	return true
}

// TestFunctionsFailWithoutMemory refuses each request of memory in turn: the
// answer is the memory's error, never a null by TRY, and nothing is kept.
func TestFunctionsFailWithoutMemory(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for i, fn := range resolved(t) {
		if fn.Volatile {
			continue
		}
		c := newCases(t, rand.New(rand.NewPCG(seed, uint64(i))))
		rows := c.rows(fn.Args, 12)
		b, how := c.batch(fn.Args, rows)
		e := form(expr.Try, fn.Result, callOf(fn))
		want, err := evalAll(t, c.env, e, b)
		if err == nil {
			c.refuse(fmt.Sprintf("%s%v %v", fn.Name, fn.Args, how), e, b, want)
		}
		c.done()
	}
}

func (c *cases) refuse(name string, e expr.Expr, b *vector.Batch, want []any) {
	for n := 1; n < 100; n++ {
		pool := mem.NewPool()
		pool.Trace = true
		env := *c.env
		env.Account = mem.NewRoot("refusing", 0, pool)
		asked := 0
		env.Account.Refuse = func(int64) bool { asked++; return asked == n }
		got, err := evalOnce(&env, e, b)
		var limit *mem.LimitError
		switch {
		case asked < n:
			return
		case err == nil && fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", want):
			c.t.Errorf("%s: request %d was refused, and the answer is\n%v, not\n%v", name, n, got, want)
		case err != nil && !errors.As(err, &limit):
			c.t.Errorf("%s: request %d was refused with %v", name, n, err)
		}
		if pool.Out() != 0 || env.Account.Used() != 0 {
			c.t.Errorf("%s: request %d was refused, %d bytes are out\n%s", name, n, pool.Out(), pool.Leaks(0))
			return
		}
		pool.Trim(0)
	}
}

// TestFiltersFailWithoutMemory is the same for conditions.
func TestFiltersFailWithoutMemory(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for i := range 150 {
		c := newCases(t, rand.New(rand.NewPCG(seed, uint64(i))))
		e := forgiving(trees{c.r}.of(boolT, 3))
		b, _ := c.batch(treeTypes, c.rows(treeTypes, 12))
		asked := 1
		for n := 1; asked >= n && n < 60; n++ {
			pool := mem.NewPool()
			env := *c.env
			env.Account = mem.NewRoot("refusing", 0, pool)
			asked = 0
			env.Account.Refuse = func(int64) bool { asked++; return asked == n }
			f, err := CompileFilter(&env, e)
			if err == nil {
				_, err = f.Apply(b)
				f.Close()
			}
			if err != nil && !isLimit(err) {
				t.Errorf("%s: request %d was refused with %v", e, n, err)
			}
			if pool.Out() != 0 || env.Account.Used() != 0 {
				t.Errorf("%s: request %d was refused, %d bytes are out", e, n, pool.Out())
			}
			pool.Trim(0)
		}
		c.done()
	}
}

// evalOnce is evalAll whose compilation may fail.
func evalOnce(env *Env, e expr.Expr, b *vector.Batch) (vals []any, err error) {
	p, err := Compile(env, []expr.Expr{e})
	if err != nil {
		return nil, err
	}
	defer p.Close()
	out, err := p.Eval(b)
	if err != nil {
		return nil, err
	}
	for i := range b.Rows() {
		vals = append(vals, ValueAt(out[0], b.Row(i)))
	}
	return vals, nil
}

// trees makes random expressions over three bigints, two strings and a boolean.
type trees struct{ r *rand.Rand }

var treeTypes = []types.Type{bigT, bigT, bigT, varcharT, varcharT, boolT}

// of makes an expression of a type, at most depth forms deep.
func (x trees) of(t types.Type, depth int) expr.Expr {
	if depth == 0 || x.r.IntN(6) == 0 {
		return x.leaf(t)
	}
	sub := func(t types.Type) expr.Expr { return x.of(t, depth-1) }
	switch x.r.IntN(6) {
	case 0:
		return form(expr.Case, t, sub(boolT), sub(t), sub(boolT), sub(t), sub(t))
	case 1:
		return form(expr.Coalesce, t, sub(t), sub(t))
	case 2:
		return form(expr.Try, t, sub(t))
	}
	switch t.Kind {
	case types.Boolean:
		return x.condition(sub)
	case types.BigInt:
		ops := []string{function.OpAdd, function.OpDivide, function.OpMultiply, function.OpModulus}
		if x.r.IntN(4) == 0 {
			return cast(sub(varcharT), bigT)
		}
		return fn(ops[x.r.IntN(len(ops))], bigT, sub(bigT), sub(bigT))
	}
	if x.r.IntN(3) == 0 {
		return fn([]string{"upper", "reverse", "trim"}[x.r.IntN(3)], varcharT, sub(varcharT))
	}
	return fn("concat", varcharT, sub(varcharT), sub(varcharT))
}

func (x trees) condition(sub func(types.Type) expr.Expr) expr.Expr {
	switch x.r.IntN(6) {
	case 0:
		return form(expr.And, boolT, sub(boolT), sub(boolT), sub(boolT))
	case 1:
		return form(expr.Or, boolT, sub(boolT), sub(boolT))
	case 2:
		return form(expr.Not, boolT, sub(boolT))
	case 3:
		return form(expr.IsNull, boolT, sub(varcharT))
	case 4:
		return fn(function.OpLe, boolT, sub(varcharT), sub(varcharT))
	}
	return fn([]string{function.OpLt, function.OpEq, function.OpDistinct}[x.r.IntN(3)], boolT, sub(bigT), sub(bigT))
}

func (x trees) leaf(t types.Type) expr.Expr {
	if x.r.IntN(4) == 0 {
		return lit(randomValue(x.r, t), t)
	}
	switch t.Kind {
	case types.BigInt:
		return col(x.r.IntN(3), bigT)
	case types.Varchar:
		return col(3+x.r.IntN(2), varcharT)
	}
	return col(5, boolT)
}

// filter compiles a boolean expression as a condition, nil for another.
func (c *cases) filter(e expr.Expr) *Filter {
	if e.Type().Kind != types.Boolean {
		return nil
	}
	f, err := CompileFilter(c.env, e)
	if err != nil {
		c.t.Fatalf("filter %s: %v", e, err)
	}
	return f
}

// forgiving wraps e so that which of several errors a batch shows, and whether
// AND and OR show one that another operand makes up for, cannot matter.
func forgiving(e expr.Expr) expr.Expr { return form(expr.Try, e.Type(), e) }

// TestTreesAnswerAsRowsDo evaluates random expressions, in which branches are
// taken by few rows and fail in some, as TestEveryEncodingAnswersAsRowsDo does.
func TestTreesAnswerAsRowsDo(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for i := range 150 {
		c := newCases(t, rand.New(rand.NewPCG(seed, uint64(i))))
		typ := []types.Type{bigT, varcharT, boolT}[c.r.IntN(3)]
		e := forgiving(trees{c.r}.of(typ, 3))
		p, err := Compile(c.env, []expr.Expr{e})
		if err != nil {
			t.Fatalf("%s: %v", e, err)
		}
		f := c.filter(e)
		for range 4 {
			rows := c.rows(treeTypes, 1+c.r.IntN(30))
			b, how := c.batch(treeTypes, rows)
			want, name := c.rowAnswers(e, treeTypes, rows), fmt.Sprint(e, how)
			if !c.check(name, p, b, rows, want) || f != nil && !c.checkFilter(name, f, b, want) {
				break
			}
			if got, err := evalAll(t, c.env, e, b); err == nil && i%15 == 0 {
				c.refuse(name, e, b, got)
			}
		}
		if f != nil {
			f.Close()
		}
		p.Close()
		c.done()
	}
}

func TestFunctionsOfTheSession(t *testing.T) {
	env := testEnv(t)
	for e, want := range map[expr.Expr]string{
		fn("to_milliseconds", bigT, lit(int64(90_061_001), dayT)):                             "90061001",
		fn("to_milliseconds", bigT, lit(nil, dayT)):                                           "<nil>",
		fn("now", types.TimestampTZOf(3)):                                                     fmt.Sprint(types.Int128{Lo: uint64(env.Session.Start.UnixMilli() * 1000), Hi: env.Session.Zone}),
		form(expr.Try, bigT, fn("$divide", bigT, num(1), num(0))):                             "<nil>",
		form(expr.Try, bigT, cast(str("no number"), bigT)):                                    "<nil>",
		fn("typeof", varcharT, lit(nil, types.ArrayOf(types.TimestampTZOf(3)))):               "array(timestamp(3) with time zone)",
		tryCast(str("2020-02-30"), dateT):                                                     "<nil>",
		form(expr.Coalesce, bigT, lit(nil, bigT), form(expr.Try, bigT, cast(str("7"), bigT))): "7",
	} {
		got, err := Fold(env, e)
		if err != nil || fmt.Sprint(got.Value) != want {
			t.Errorf("%s: %v, %v, want %s", e, got, err, want)
		}
	}
	for _, name := range []string{"random", "uuid"} {
		result := map[string]types.Type{"random": doubleT, "uuid": types.Of(types.UUID)}[name]
		vals, err := evalAll(t, env, fn(name, result), &vector.Batch{N: 50})
		distinct := map[string]bool{}
		for _, x := range vals {
			distinct[fmt.Sprint(x)] = true
		}
		if err != nil || len(distinct) != 50 {
			t.Errorf("%s: %d values in 50 rows, %v", name, len(distinct), err)
		}
		if f, ok := vals[0].(float64); ok && (f < 0 || f >= 1) {
			t.Errorf("random is %v", f)
		}
	}
}
