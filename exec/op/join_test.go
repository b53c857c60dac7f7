package op

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/kernel"
	"github.com/tuttidb/tutti/exec/op/optest"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

var (
	bigint  = types.Of(types.BigInt)
	boolean = types.Of(types.Boolean)
	text    = types.VarcharType()
)

// testEnv is the environment of a test case's operator.
func testEnv(c *optest.Case) *Env {
	return &Env{Account: c.Account, Stats: &exec.OperatorStats{}, BatchRows: c.Form.BatchRows}
}

// compare makes a comparison of two bigint columns by position.
func compare(op string, a, b int) expr.Expr {
	return &expr.Call{
		Fn: &function.Scalar{Name: op, Args: []types.Type{bigint, bigint}, Result: boolean},
		Args: []expr.Expr{
			&expr.Column{ID: expr.ColumnID(a), Typ: bigint},
			&expr.Column{ID: expr.ColumnID(b), Typ: bigint},
		},
	}
}

// lanes is a set of sibling operators read in turn as if they were one; work
// is started first and waited for at the end.
type lanes struct {
	fleet optest.Fleet
	start func(f *optest.Fleet)
	ops   []exec.Operator
	at    int
}

func (l *lanes) Next(ctx context.Context) (*vector.Batch, error) {
	if l.start != nil {
		l.start(&l.fleet)
		l.start = nil
	}
	for ; l.at < len(l.ops); l.at++ {
		if b, err := l.ops[l.at].Next(ctx); b != nil || err != nil {
			return b, err
		}
	}
	return nil, nil
}

func (l *lanes) Close() error {
	if l.start != nil {
		l.start(&l.fleet)
		l.start = nil
	}
	err := closeAll(l.ops)
	if e := l.fleet.Wait(); err == nil {
		err = e
	}
	return err
}

// newTestJoin joins a case's two inputs with the given numbers of drivers.
func newTestJoin(c *optest.Case, spec JoinSpec, builds, probes int) exec.Operator {
	j := NewJoin(testEnv(c), spec, nil, builds, probes)
	l := &lanes{}
	for _, in := range c.Split(0, probes) {
		p, err := j.Probe(in)
		if err != nil {
			c.T.Fatal(err)
		}
		l.ops = append(l.ops, p)
	}
	l.start = func(f *optest.Fleet) {
		for _, in := range c.Split(1, builds) {
			f.Start(in, j.Build())
		}
	}
	return l
}

// naiveJoin is what SQL says, row by row.
func naiveJoin(s JoinSpec, left, right optest.Table, filter func(l, r []any) bool) optest.Rows {
	var out optest.Rows
	seen := make([]bool, len(right.Rows))
	for _, l := range left.Rows {
		verdict := noMatch
		for i, r := range right.Rows {
			v := naiveKeys(s, l, r)
			if v != noMatch && filter != nil && !filter(l, r) {
				v = noMatch
			}
			verdict = max(verdict, v)
			if v == match {
				seen[i] = true
				if !s.exists() {
					out = append(out, naiveOut(s, l, r, nil))
				}
			}
		}
		out = append(out, naiveEnd(s, l, verdict)...)
	}
	for i, r := range right.Rows {
		if s.outer() && !seen[i] {
			out = append(out, naiveOut(s, make([]any, len(s.Left)), r, nil))
		}
	}
	return out
}

// naiveKeys says whether all keys are equal: match, noMatch, or unknown.
func naiveKeys(s JoinSpec, l, r []any) uint8 {
	v := match
	for i, k := range s.LeftKeys {
		a, b := l[k], r[s.RightKeys[i]]
		switch {
		case a == nil || b == nil:
			v = min(v, unknown)
		case fmt.Sprint(a) != fmt.Sprint(b):
			return noMatch
		}
	}
	return v
}

// naiveEnd is what a left row adds once all right rows are known.
func naiveEnd(s JoinSpec, l []any, v uint8) optest.Rows {
	right := make([]any, len(s.Right))
	row := optest.Rows{naiveOut(s, l, right, nil)}
	keep := false
	switch s.Kind {
	case plan.LeftJoin, plan.FullJoin, plan.AntiJoin:
		keep = v != match
	case plan.SemiJoin:
		keep = v == match
	case plan.NullAwareAntiJoin:
		keep = v == noMatch
	case plan.MarkJoin:
		var mark any = v == match
		if s.NullAware && v == unknown {
			mark = nil
		}
		return optest.Rows{naiveOut(s, l, right, mark)}
	}
	if !keep {
		return nil
	}
	return row
}

func naiveOut(s JoinSpec, l, r []any, mark any) []any {
	all := append(append(append([]any{}, l...), r...), mark)
	out := make([]any, len(s.Out))
	for i, p := range s.Out {
		out[i] = all[p]
	}
	return out
}

// outOf returns all positions that a kind of join puts out.
func outOf(s JoinSpec) (out []int) {
	for i := range s.Left {
		out = append(out, i)
	}
	if s.Kind == plan.MarkJoin {
		return append(out, len(s.Left)+len(s.Right))
	}
	for i := range s.Right {
		if !s.exists() {
			out = append(out, len(s.Left)+i)
		}
	}
	return out
}

var joinKinds = map[string]plan.JoinKind{
	"inner": plan.InnerJoin, "left": plan.LeftJoin, "right": plan.RightJoin, "full": plan.FullJoin,
	"semi": plan.SemiJoin, "anti": plan.AntiJoin, "null-aware anti": plan.NullAwareAntiJoin, "mark": plan.MarkJoin,
}

// joinCase is a pair of inputs, joined in every kind.
type joinCase struct {
	name        string
	left, right optest.Table
	keys        [][2]int
}

func joinCases() []joinCase {
	r := rand.New(rand.NewPCG(11, 12))
	two := []types.Type{bigint, bigint, text}
	random := func(ts []types.Type, n, distinct, nulls int) optest.Table {
		return optest.Random(r, ts, n, distinct, nulls)
	}
	sparse := func(t optest.Table) optest.Table {
		for _, row := range t.Rows {
			if row[0] != nil {
				row[0] = row[0].(int64) * 1_000_003
			}
		}
		return t
	}
	unique := optest.Table{Types: two}
	for i := range 40 {
		unique.Rows = append(unique.Rows, []any{int64(2 * i), int64(i % 7), fmt.Sprintf("row number %d of these", i)})
	}
	empty := optest.Table{Types: two}
	nulls := optest.Tab(two, nil, 1, "x", nil, 2, nil)
	one := optest.Tab(two, 5, 3, "the only one")
	key := [][2]int{{0, 0}}
	strs := []types.Type{text, bigint}
	return []joinCase{
		{"dense unique", random(two, 60, 90, 10), unique, key},
		{"dense repeated", random(two, 50, 20, 10), random(two, 60, 20, 10), key},
		{"dense no nulls", random(two, 50, 20, 0), random(two, 60, 30, 0), key},
		{"hashed unique", sparse(random(two, 60, 90, 10)), sparse(optest.Table{Types: two, Rows: cloneRows(unique.Rows)}), key},
		{"hashed repeated", sparse(random(two, 50, 20, 10)), sparse(random(two, 60, 20, 10)), key},
		{"strings", random(strs, 60, 25, 5), random(strs, 50, 25, 5), key},
		{"two keys", random(two, 60, 5, 10), random(two, 60, 5, 10), [][2]int{{0, 0}, {2, 2}}},
		{"small ints", random([]types.Type{types.Of(types.SmallInt), bigint}, 30, 12, 10), random([]types.Type{types.Of(types.SmallInt), bigint}, 40, 20, 10), key},
		{"doubles", random([]types.Type{types.Of(types.Double), bigint}, 30, 12, 10), random([]types.Type{types.Of(types.Double), bigint}, 40, 20, 10), key},
		{"long decimals", random([]types.Type{types.DecimalOf(30, 0), bigint}, 30, 12, 10), random([]types.Type{types.DecimalOf(30, 0), bigint}, 40, 20, 10), key},
		{"empty right", random(two, 20, 10, 20), empty, key},
		{"empty left", empty, random(two, 20, 10, 20), key},
		{"only null keys", random(two, 20, 10, 20), nulls, key},
		{"no keys", random(two, 25, 10, 20), random(two, 20, 10, 20), nil},
		{"no keys, one row", random(two, 25, 10, 20), one, nil},
		{"no keys, empty right", random(two, 25, 10, 20), empty, nil},
	}
}

func cloneRows(rows optest.Rows) optest.Rows {
	out := make(optest.Rows, len(rows))
	for i, r := range rows {
		out[i] = append([]any{}, r...)
	}
	return out
}

func TestJoins(t *testing.T) {
	for _, tc := range joinCases() {
		for name, kind := range joinKinds {
			if kind == plan.NullAwareAntiJoin && len(tc.keys) != 1 {
				continue
			}
			t.Run(tc.name+"/"+name, func(t *testing.T) { testJoin(t, tc, kind, false) })
		}
		if len(tc.keys) == 1 {
			t.Run(tc.name+"/null-aware mark", func(t *testing.T) { testJoin(t, tc, plan.MarkJoin, true) })
		}
	}
}

func testJoin(t *testing.T, tc joinCase, kind plan.JoinKind, nullAware bool) {
	s := JoinSpec{Kind: kind, Left: tc.left.Types, Right: tc.right.Types, NullAware: nullAware}
	for _, k := range tc.keys {
		s.LeftKeys, s.RightKeys = append(s.LeftKeys, k[0]), append(s.RightKeys, k[1])
	}
	s.Out = outOf(s)
	tables := []optest.Table{tc.left, tc.right}
	build := func(builds, probes int) func(c *optest.Case) exec.Operator {
		return func(c *optest.Case) exec.Operator { return newTestJoin(c, s, builds, probes) }
	}
	want := naiveJoin(s, tc.left, tc.right, nil)
	t.Run("alone", func(t *testing.T) { optest.Each(t, tables, build(1, 1), want) })
	t.Run("drivers", func(t *testing.T) { optest.Each(t, tables, build(3, 2), want) })
	s.Filter = compare(function.OpLt, 1, len(s.Left)+1)
	want = naiveJoin(s, tc.left, tc.right, func(l, r []any) bool {
		return l[1] != nil && r[1] != nil && l[1].(int64) < r[1].(int64)
	})
	t.Run("filter", func(t *testing.T) { optest.Each(t, tables, build(2, 2), want) })
}

// collidingKeys finds two bigints that a small table cannot tell apart by
// their hashes: same salt, same first entry.
func collidingKeys(t *testing.T) (a, b int64) {
	const n = 1 << 20
	r := rand.New(rand.NewPCG(31, 32))
	keys := longs(n, func(int) int64 { return int64(r.Uint64()) })
	hashes := make([]uint64, n)
	kernel.Hash([]*vector.Vector{keys}, nil, n, hashes)
	seen := make(map[uint64]int, n)
	for i, h := range hashes {
		what := h>>60<<32 | h&(1<<32-1)
		if k, ok := seen[what]; ok {
			return vector.Value[int64](keys, k), vector.Value[int64](keys, i)
		}
		seen[what] = i
	}
	t.Fatal("no two keys collide")
	return 0, 0
}

func TestJoinTellsKeysApartWhoseHashesCollide(t *testing.T) {
	a, b := collidingKeys(t)
	ts := []types.Type{bigint, bigint}
	probe := optest.Tab(ts, a, 1, b, 2, a, 3)
	for name, build := range map[string]optest.Table{
		"other alone": optest.Tab(ts, a, 10, 0, 11),
		"both":        optest.Tab(ts, a, 10, b, 11),
		"repeated":    optest.Tab(ts, a, 10, b, 11, a, 12, b, 13),
	} {
		for kindName, kind := range joinKinds {
			t.Run(name+"/"+kindName, func(t *testing.T) {
				testJoin(t, joinCase{name, probe, build, [][2]int{{0, 0}}}, kind, false)
			})
		}
	}
}
