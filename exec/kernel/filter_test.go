package kernel

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
)

// lazyColumn loads v and records for which rows it was asked.
type lazyColumn struct {
	v      *vector.Vector
	loaded [][]int32
}

func (l *lazyColumn) vector() *vector.Vector {
	return &vector.Vector{Type: l.v.Type, Enc: vector.Lazy, N: l.v.N, Loader: l}
}

// Load implements vector.Loader.
func (l *lazyColumn) Load(v *vector.Vector, sel []int32) error {
	l.loaded = append(l.loaded, append([]int32(nil), sel...))
	*v = *l.v
	return nil
}

func TestFilterLoadsSurvivors(t *testing.T) {
	env := testEnv(t)
	a := &lazyColumn{v: column(t, env, bigT, int64(1), int64(2), int64(3), int64(4))}
	b := &lazyColumn{v: column(t, env, varcharT, "x", "y", "y", "y")}
	cond := form(expr.And, boolT, fn("$eq", boolT, col(1, varcharT), str("y")), fn("$gt", boolT, col(0, bigT), num(2)))
	f, err := CompileFilter(env, cond)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sel, err := f.Apply(&vector.Batch{N: 4, Cols: []*vector.Vector{a.vector(), b.vector()}})
	if err != nil || fmt.Sprint(sel) != "[2 3]" {
		t.Errorf("got %v, %v", sel, err)
	}
	if got := fmt.Sprint(a.loaded, b.loaded); got != "[[]] [[2 3]]" {
		t.Errorf("loaded %s, want the number for all rows and the string for those it left", got)
	}
}

func TestProgramLoadsOnceForAllRows(t *testing.T) {
	env := testEnv(t)
	a := &lazyColumn{v: column(t, env, bigT, int64(1), int64(0), int64(3))}
	unused := &lazyColumn{v: column(t, env, bigT, int64(1), int64(0), int64(3))}
	x := col(0, bigT)
	p, err := Compile(env, []expr.Expr{
		form(expr.Case, bigT, fn("$eq", boolT, num(1), num(1)), fn("$add", bigT, x, num(1)), x),
		fn("$add", bigT, x, num(2)), col(1, bigT),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	out, err := p.Eval(&vector.Batch{N: 3, Sel: []int32{0, 2}, Cols: []*vector.Vector{a.vector(), unused.vector()}})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(a.loaded); got != "[[0 2]]" {
		t.Errorf("loaded %s, want one load for the selection", got)
	}
	if out[2].Enc != vector.Lazy || len(unused.loaded) > 0 {
		t.Errorf("a plain column was loaded")
	}
}

func TestFilterKeepsGuards(t *testing.T) {
	env := testEnv(t)
	cols := []*vector.Vector{column(t, env, bigT, int64(0), int64(2), int64(4), nil)}
	x := col(0, bigT)
	guard := fn("$ne", boolT, x, num(0))
	risky := fn("$gt", boolT, fn("$divide", bigT, num(8), x), num(3))
	for _, cond := range []expr.Expr{form(expr.And, boolT, guard, risky), form(expr.And, boolT, risky, guard)} {
		f, err := CompileFilter(env, cond)
		if err != nil {
			t.Fatal(err)
		}
		if sel, err := f.Apply(&vector.Batch{N: 4, Cols: cols}); err != nil || fmt.Sprint(sel) != "[1]" {
			t.Errorf("%s: %v, %v", cond, sel, err)
		}
		f.Close()
	}
	or := form(expr.Or, boolT, fn("$eq", boolT, x, num(0)), risky)
	f, err := CompileFilter(env, or)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if sel, err := f.Apply(&vector.Batch{N: 4, Cols: cols}); err != nil || fmt.Sprint(sel) != "[0 1]" {
		t.Errorf("%s: %v, %v", or, sel, err)
	}
}

func TestFilterOfAllRows(t *testing.T) {
	env := testEnv(t)
	cols := []*vector.Vector{column(t, env, bigT, int64(1), int64(2))}
	f, err := CompileFilter(env, fn("$gt", boolT, col(0, bigT), num(0)))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if sel, err := f.Apply(&vector.Batch{N: 2, Cols: cols}); sel != nil || err != nil {
		t.Errorf("all rows pass: got %v, %v, want nil", sel, err)
	}
	if sel, err := f.Apply(&vector.Batch{N: 2, Sel: []int32{1}, Cols: cols}); fmt.Sprint(sel) != "[1]" || err != nil {
		t.Errorf("with a selection: got %v, %v", sel, err)
	}
	none, err := CompileFilter(env, nil)
	if err != nil {
		t.Fatal(err)
	}
	if sel, err := none.Apply(&vector.Batch{N: 2, Cols: cols}); sel != nil || err != nil {
		t.Errorf("no condition: got %v, %v", sel, err)
	}
}

// TestUnusedDictionaryEntries raises no error for an entry that no selected
// row refers to.
func TestUnusedDictionaryEntries(t *testing.T) {
	env := testEnv(t)
	d := dictionary(t, env, column(t, env, varcharT, "1", "x", "2", "1"))
	e := cast(col(0, varcharT), bigT)
	got, err := evalAll(t, env, e, &vector.Batch{N: 4, Sel: []int32{0, 2, 3}, Cols: []*vector.Vector{d}})
	if err != nil || fmt.Sprint(got) != "[1 2 1]" {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := evalAll(t, env, e, &vector.Batch{N: 4, Cols: []*vector.Vector{d}}); err == nil {
		t.Error("no error for an entry in use")
	}
}

// TestUnusedEntriesOfAComputedDictionary looks at all entries of a dictionary
// of which a function has computed only those in use.
func TestUnusedEntriesOfAComputedDictionary(t *testing.T) {
	env := testEnv(t)
	long := []any{"a long string, on the heap 1", "a long string, on the heap 2", "short", "short", nil, "short"}
	d := dictionary(t, env, column(t, env, varcharT, long...))
	f, err := CompileFilter(env, fn(function.OpLike, boolT, fn("reverse", varcharT, col(0, varcharT)), str("%paeh%")))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, tc := range []struct{ sel, want []int32 }{{[]int32{0, 1, 2, 3, 4}, []int32{0, 1}}, {[]int32{2, 3, 5}, nil}} {
		got, err := f.Apply(&vector.Batch{N: 6, Sel: tc.sel, Cols: []*vector.Vector{d}})
		if err != nil || len(got) != len(tc.want) {
			t.Errorf("%v: got %v, %v", tc.sel, got, err)
		}
	}
}

// TestLike compares the matcher with the regular expression that a pattern
// stands for.
func TestLike(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 3))
	random := func(alphabet string, n int) string {
		rs, out := []rune(alphabet), []rune{}
		for range r.IntN(n) {
			out = append(out, rs[r.IntN(len(rs))])
		}
		return string(out)
	}
	for range 50_000 {
		pattern, text := random("aab\u00f1%%_", 8), random("aab\u00f1", 10)
		l, err := compileLike([]byte(pattern), nil)
		if err != nil {
			t.Fatal(err)
		}
		re := regexp.MustCompile("^(?s:" + strings.NewReplacer("%", ".*", "_", ".").Replace(pattern) + ")$")
		if got, want := l.match([]byte(text)), re.MatchString(text); got != want {
			t.Fatalf("seed %d: %q LIKE %q is %v, want %v", seed, text, pattern, got, want)
		}
	}
}

func TestLikeEscape(t *testing.T) {
	for _, test := range []struct {
		text, pattern, escape string
		want                  bool
	}{
		{"a%b", `a\%b`, `\`, true}, {"axb", `a\%b`, `\`, false}, {"a_b", "a#_b", "#", true}, {`a\b`, `a\\b`, `\`, true}, {`a\b`, `a\b`, "", true},
	} {
		l, err := compileLike([]byte(test.pattern), []byte(test.escape))
		if err != nil || l.match([]byte(test.text)) != test.want {
			t.Errorf("%q LIKE %q ESCAPE %q is not %v (%v)", test.text, test.pattern, test.escape, test.want, err)
		}
	}
	for _, bad := range [][2]string{{"a", "xy"}, {`a\b`, `\`}, {`a\`, `\`}} {
		if _, err := compileLike([]byte(bad[0]), []byte(bad[1])); err == nil {
			t.Errorf("no error for pattern %q with escape %q", bad[0], bad[1])
		}
	}
}

func TestInSets(t *testing.T) {
	env := testEnv(t)
	var numbers, far, words []expr.Expr
	for i := range 40 {
		numbers = append(numbers, num(i*3))
		far = append(far, num(i*i*i*1_000_003))
		words = append(words, str(strings.Repeat("x", i)))
	}
	a := column(t, env, bigT, int64(3), int64(4), nil, int64(-1), int64(8*1_000_003), int64(1<<62))
	s := column(t, env, varcharT, "xx", "xy", nil, strings.Repeat("x", 39), strings.Repeat("x", 40), "")
	cols := []*vector.Vector{a, s}
	checkAll(t, env, form(expr.In, boolT, append([]expr.Expr{col(0, bigT)}, numbers...)...), cols, true, false, nil, false, false, false)
	checkAll(t, env, form(expr.In, boolT, append([]expr.Expr{col(0, bigT)}, far...)...), cols, false, false, nil, false, true, false)
	checkAll(t, env, form(expr.In, boolT, append([]expr.Expr{col(1, varcharT)}, words...)...), cols, true, false, nil, true, false, true)
}

// TestNoAllocations runs warm programs and filters.
func TestNoAllocations(t *testing.T) {
	env := testEnv(t)
	cols := []*vector.Vector{column(t, env, bigT, int64(1), int64(2), nil), column(t, env, varcharT, "a long string indeed", "b", nil)}
	b := &vector.Batch{N: 3, Cols: cols}
	p, err := Compile(env, []expr.Expr{fn("$add", bigT, col(0, bigT), num(1)), form(expr.Coalesce, varcharT, col(1, varcharT), str("nothing there at all"))})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	f, err := CompileFilter(env, form(expr.Or, boolT, fn("$like", boolT, col(1, varcharT), str("%long%")), fn("$lt", boolT, col(0, bigT), num(2))))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if n := testing.AllocsPerRun(100, func() {
		if _, err := p.Eval(b); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Apply(b); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations a batch", n)
	}
}

// TestCloseReleases checks that programs give all their memory back.
func TestCloseReleases(t *testing.T) {
	env := testEnv(t)
	cols := []*vector.Vector{column(t, env, varcharT, "1", "a long string indeed", nil), column(t, env, bigT, int64(1), int64(0), nil)}
	own := *env
	own.Account = env.Account.Child("program", 0)
	try := form(expr.Try, varcharT, fn("concat", varcharT, col(0, varcharT), cast(fn("$divide", bigT, num(1), col(1, bigT)), varcharT)))
	p, err := Compile(&own, []expr.Expr{try, tryCast(col(0, varcharT), bigT), fn("upper", varcharT, col(0, varcharT)), str("constant of some length")})
	if err != nil {
		t.Fatal(err)
	}
	f, err := CompileFilter(&own, fn("$eq", boolT, fn("upper", varcharT, col(0, varcharT)), str("x")))
	if err != nil {
		t.Fatal(err)
	}
	b := &vector.Batch{N: 3, Cols: cols}
	if _, err := p.Eval(b); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Apply(b); err != nil {
		t.Fatal(err)
	}
	if own.Account.Used() == 0 {
		t.Error("nothing was accounted")
	}
	p.Close()
	f.Close()
	p.Close()
	if used := own.Account.Used(); used != 0 {
		t.Errorf("%d bytes in use after Close", used)
	}
}
