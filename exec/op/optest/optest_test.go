package optest

import (
	"math/rand/v2"
	"testing"

	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// every type that has a layout of its own.
var allTypes = []types.Type{
	types.Of(types.Boolean), types.Of(types.TinyInt), types.Of(types.SmallInt), types.Of(types.Integer),
	types.Of(types.BigInt), types.Of(types.Real), types.Of(types.Double), types.DecimalOf(38, 2),
	types.VarcharType(), types.ArrayOf(types.Of(types.BigInt)),
	types.RowOf([]types.Type{types.Of(types.BigInt), types.VarcharType()}, nil),
	types.MapOf(types.VarcharType(), types.Of(types.Date)),
}

func TestSourceGivesItsRowsInEveryForm(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	tab := Random(r, allTypes, 500, 20, 15)
	EachOrdered(t, []Table{tab}, func(c *Case) exec.Operator { return c.Inputs[0] }, tab.Rows)
}

func TestReadBatchRefusesBrokenBatches(t *testing.T) {
	typ := types.Of(types.BigInt)
	flat := &vector.Vector{Type: typ, N: 2, Data: make([]byte, 16)}
	for name, b := range map[string]*vector.Batch{
		"no rows":        {N: 0},
		"selected twice": {N: 2, Sel: []int32{1, 1}, Cols: []*vector.Vector{flat}},
		"selected past":  {N: 2, Sel: []int32{2}, Cols: []*vector.Vector{flat}},
		"lengths differ": {N: 3, Cols: []*vector.Vector{flat}},
		"wild index":     {N: 1, Cols: []*vector.Vector{{Type: typ, Enc: vector.Dict, N: 1, Idx: []int32{2}, Base: flat}}},
	} {
		if _, err := ReadBatch(b); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestSplitSharesTheRows(t *testing.T) {
	tab := Tab([]types.Type{types.Of(types.BigInt)}, 1, 2, 3, 4, 5)
	c := &Case{T: t, Account: NewAccount(t), Form: Forms()[0], tables: []Table{tab}}
	got, err := DrainAll(c.Split(0, 3))
	if err != nil {
		t.Fatal(err)
	}
	Same(t, tab.Rows, got)
}
