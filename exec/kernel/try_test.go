package kernel

import (
	"fmt"
	"testing"

	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/types"
)

// TestTryOfNestedValuesIsSmall has every second row fail, so that TRY puts its
// answer together from single rows: the memory for that is that of the answer,
// not of the answer for each row, and none is left.
func TestTryOfNestedValuesIsSmall(t *testing.T) {
	const n = 4000
	pool := mem.NewPool()
	env := testEnv(t)
	env.Account = mem.NewRoot("test", 0, pool)
	list := types.ArrayOf(bigT)
	steps := make([]any, n)
	for i := range steps {
		steps[i] = int64(i % 2) // a step of zero is an error
	}
	in := column(t, testEnv(t), bigT, steps...)
	e := form(expr.Try, list, fn("sequence", list, num(1), num(3), col(0, bigT)))
	p, err := Compile(env, []expr.Expr{e})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		out, err := p.Eval(&vector.Batch{N: n, Cols: []*vector.Vector{in}})
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			want := map[bool]string{false: "<nil>", true: "[1 2 3]"}[i%2 == 1]
			if got := fmt.Sprint(ValueAt(out[0], i)); got != want {
				t.Fatalf("row %d is %s, want %s", i, got, want)
			}
		}
	}
	if peak := env.Account.Peak(); peak > 64*n*8 {
		t.Errorf("%d bytes at the peak for %d short arrays", peak, n)
	}
	p.Close()
	if env.Account.Used() != 0 || pool.Out() != 0 {
		t.Errorf("%d bytes are still accounted for, %d out", env.Account.Used(), pool.Out())
	}
}
