package kernel

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// orderTypes are types of every layout.
func orderTypes() []types.Type {
	out := sampleTypes()
	return append(out, types.RowOf([]types.Type{doubleT, varcharT}, []string{"a", "b"}), types.ArrayOf(doubleT))
}

const orderRows = 40

func randomColumn(t *testing.T, env *Env, r *rand.Rand, typ types.Type) *vector.Vector {
	var vals []any
	for range orderRows {
		vals = append(vals, randomValue(r, typ))
	}
	return column(t, env, typ, vals...)
}

// TestHashAgreesWithEquality checks over random rows that what is not
// distinct has one hash, in any encoding, and that batch equality agrees with
// the comparator.
func TestHashAgreesWithEquality(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 4))
	env := testEnv(t)
	for _, typ := range orderTypes() {
		v := randomColumn(t, env, r, typ)
		d := dictionary(t, env, v)
		flat, dict := make([]uint64, orderRows), make([]uint64, orderRows)
		Hash([]*vector.Vector{v}, nil, orderRows, flat)
		Hash([]*vector.Vector{d}, nil, orderRows, dict)
		if fmt.Sprint(flat) != fmt.Sprint(dict) {
			t.Errorf("seed %d: %s: hashes differ by encoding", seed, typ)
		}
		sel := []int32{3, 7, 11}
		some := make([]uint64, 3)
		Hash([]*vector.Vector{v, d}, sel, orderRows, some)
		both := make([]uint64, orderRows)
		Hash([]*vector.Vector{d, v}, nil, orderRows, both)
		for j, i := range sel {
			if some[j] != both[i] {
				t.Errorf("seed %d: %s: hash of row %d differs with a selection", seed, typ, i)
			}
		}
		checkPairs(t, seed, typ, v, d, flat)
	}
}

func checkPairs(t *testing.T, seed uint64, typ types.Type, v, d *vector.Vector, hash []uint64) {
	t.Helper()
	cmp := Comparator(typ)
	for i := range orderRows {
		ai, bi, pos := make([]int32, orderRows), make([]int32, orderRows), make([]int32, orderRows)
		for j := range orderRows {
			ai[j], bi[j], pos[j] = int32(i), int32(j), int32(j)
		}
		same := map[int32]bool{}
		for _, p := range Equal(v, ai, d, bi, true, pos) {
			same[p] = true
		}
		for j := range orderRows {
			equal := typ.Kind == types.Map || cmp(v, i, d, j) == 0
			if typ.Kind == types.Map {
				equal, _ = equal3(typ, v, i, d, j, true)
			}
			if equal != same[int32(j)] {
				t.Fatalf("seed %d: %s: rows %v and %v: compare says equal %v, Equal %v", seed, typ, ValueAt(v, i), ValueAt(v, j), equal, same[int32(j)])
			}
			if equal && hash[i] != hash[j] {
				t.Fatalf("seed %d: %s: equal rows %v and %v differ in hash", seed, typ, ValueAt(v, i), ValueAt(v, j))
			}
		}
	}
}

// TestHashIsFixed pins the hash: nodes of a cluster must agree on it.
func TestHashIsFixed(t *testing.T) {
	env := testEnv(t)
	out := make([]uint64, 3)
	for _, test := range []struct {
		v    *vector.Vector
		want string
	}{
		{column(t, env, bigT, int64(0), int64(42), nil), pinnedLongs},
		{column(t, env, varcharT, "", "abc", "a string longer than a view"), pinnedStrings},
		{column(t, env, doubleT, 0.0, math.Copysign(0, -1), 1.5), pinnedDoubles},
	} {
		Hash([]*vector.Vector{test.v}, nil, 3, out)
		if got := fmt.Sprintf("%x", out); got != test.want {
			t.Errorf("hashes of %s: %s, want %s", test.v.Type, got, test.want)
		}
	}
	if got := HashValue([]byte("a string longer than a view")); fmt.Sprintf("%x", got) != pinnedStrings[len(pinnedStrings)-17:len(pinnedStrings)-1] {
		t.Errorf("HashValue differs from Hash: %x", got)
	}
}

func TestEqualForJoins(t *testing.T) {
	env := testEnv(t)
	v := column(t, env, doubleT, math.NaN(), nil, 1.0, 0.0)
	w := column(t, env, doubleT, math.NaN(), nil, 1.0, math.Copysign(0, -1))
	idx := []int32{0, 1, 2, 3}
	if got := Equal(v, idx, w, idx, false, []int32{0, 1, 2, 3}); fmt.Sprint(got) != "[2 3]" {
		t.Errorf("= keeps %v, want [2 3]", got)
	}
	if got := Equal(v, idx, w, idx, true, []int32{0, 1, 2, 3}); fmt.Sprint(got) != "[0 1 2 3]" {
		t.Errorf("IS NOT DISTINCT FROM keeps %v, want all", got)
	}
}

// TestSortKeys checks that keys order rows as comparing their columns does.
func TestSortKeys(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 5))
	env := testEnv(t)
	for _, typ := range orderTypes() {
		if !typ.Orderable() {
			continue
		}
		desc := []bool{r.IntN(2) == 0, r.IntN(2) == 0}
		first := []bool{r.IntN(2) == 0, r.IntN(2) == 0}
		k := NewSortKeys([]types.Type{typ, intT}, desc, first)
		cols := []*vector.Vector{randomColumn(t, env, r, typ), randomColumn(t, env, r, intT)}
		keys := make([]byte, orderRows*k.Width())
		k.Encode(cols, nil, orderRows, keys)
		for i := range orderRows {
			for j := range orderRows {
				want := k.CompareColumn(0, cols[0], i, cols[0], j)
				if want == 0 {
					want = k.CompareColumn(1, cols[1], i, cols[1], j)
				}
				got := bytes.Compare(keys[i*k.Width():][:k.Width()], keys[j*k.Width():][:k.Width()])
				if got == 0 {
					got = k.CompareTie(cols, i, cols, j)
				}
				if sign(got) != sign(want) {
					t.Fatalf("seed %d: %s desc %v nulls first %v: rows %v, %v and %v, %v: keys say %d, columns %d", seed, typ, desc, first,
						ValueAt(cols[0], i), ValueAt(cols[1], i), ValueAt(cols[0], j), ValueAt(cols[1], j), got, want)
				}
			}
		}
	}
}

func sign(n int) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}

const (
	pinnedLongs   = "[f9192aebc956dae2 23bff8782b55c181 1d8e4e27c47d124f]"
	pinnedStrings = "[12bc85e4b76af52f 10bf487131f45db eccadb7a44ccb216]"
	pinnedDoubles = "[f9192aebc956dae2 f9192aebc956dae2 99797d860f31333a]"
)
