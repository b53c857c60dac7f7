package op

import (
	"context"
	"fmt"
	"testing"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/kernel"
	"github.com/tuttidb/tutti/exec/op/optest"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/types"
)

// published keeps the filters that joins publish.
type published map[plan.DynamicID]*connectors.DynamicFilter

func (p published) Publish(id plan.DynamicID, f *connectors.DynamicFilter) { p[id] = f }
func (p published) Get(id plan.DynamicID) *connectors.DynamicFilter        { return p[id] }
func (p published) Wait(context.Context, plan.DynamicID)                   {}

// publishOf builds a join over the rows in two drivers and returns the
// filters on its two columns. Without probes, these close before it is built.
func publishOf(t *testing.T, tab optest.Table, probes bool) published {
	t.Helper()
	account := optest.NewAccount(t)
	got := published{}
	spec := JoinSpec{
		Kind: plan.InnerJoin, Left: tab.Types, Right: tab.Types, LeftKeys: []int{0}, RightKeys: []int{0},
		Dynamic: []JoinFilter{{ID: 1, Column: 0}, {ID: 2, Column: 1}},
	}
	j := NewJoin(&Env{Account: account, Stats: &exec.OperatorStats{}}, spec, got, 2, 1)
	p, err := j.Probe(optest.NewSource(account, tab, optest.Form{BatchRows: 100}))
	if err != nil {
		t.Fatal(err)
	}
	if !probes {
		p.Close()
	}
	half := len(tab.Rows) / 2
	var f optest.Fleet
	for _, rows := range []optest.Rows{tab.Rows[:half], tab.Rows[half:]} {
		f.Start(optest.NewSource(account, optest.Table{Types: tab.Types, Rows: rows}, optest.Form{BatchRows: 100}), j.Build())
	}
	if err := f.Wait(); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestDynamicFilterListsFewValues(t *testing.T) {
	ts := []types.Type{bigint, text}
	got := publishOf(t, optest.Tab(ts, 7, "b", -3, "a", 7, nil, nil, "never joined"), true)
	if f := got[1]; f.Min != int64(-3) || f.Max != int64(7) || fmt.Sprint(f.Values) != "[-3 7]" || f.Bloom != nil || f.Empty {
		t.Errorf("filter on numbers: %+v", f)
	}
	if f := got[2]; f.Min != nil || fmt.Sprint(f.Values) != "[a b]" {
		t.Errorf("filter on strings: %+v", f)
	}
	if f := publishOf(t, optest.Tab(ts, nil, "x"), true)[1]; !f.Empty {
		t.Errorf("filter on no values: %+v", f)
	}
}

func TestDynamicFilterOfManyValues(t *testing.T) {
	tab := optest.Table{Types: []types.Type{bigint, text}}
	for i := range 5000 {
		tab.Rows = append(tab.Rows, []any{int64(i * 2000), fmt.Sprintf("the string that is number %d", i*2)})
	}
	got := publishOf(t, tab, true)
	if f := got[1]; f.Values != nil || f.Min != int64(0) || f.Max != int64(9998000) || f.Bits != nil {
		t.Errorf("filter on numbers: min %v, max %v, %d values", f.Min, f.Max, len(f.Values))
	}
	hashes := make([]uint64, 10_000)
	kernel.Hash([]*vector.Vector{longs(10_000, func(i int) int64 { return int64(i) * 1000 })}, nil, 10_000, hashes)
	wrong := 0
	for i, h := range hashes {
		has := connectors.BloomHas(got[1].Bloom, h)
		if i%2 == 0 && !has {
			t.Fatalf("the filter does not have %d", i)
		}
		if i%2 == 1 && has {
			wrong++
		}
	}
	if wrong > 150 {
		t.Errorf("the filter has %d of 5000 others", wrong)
	}
	for _, i := range []int{0, 2, 9998} {
		h := kernel.HashValue([]byte(fmt.Sprintf("the string that is number %d", i)))
		if !connectors.BloomHas(got[2].Bloom, h) {
			t.Errorf("the filter on strings lacks number %d", i)
		}
	}
	for i := range tab.Rows {
		tab.Rows[i][0] = int64(i*3 - 70)
	}
	f := publishOf(t, tab, true)[1]
	for x := int64(-70); x <= f.Max.(int64); x++ {
		if f.Bloom != nil || f.Bits[(x+70)/64]>>((x+70)%64)&1 != 0 != ((x+70)%3 == 0) {
			t.Fatalf("bits of %d, bloom filter %v", x, f.Bloom != nil)
		}
	}
}

// TestNoDynamicFilterWithoutProbes: a build that nobody probes stops early, so
// what it knows is not complete and must not reach a scan.
func TestNoDynamicFilterWithoutProbes(t *testing.T) {
	if got := publishOf(t, optest.Tab([]types.Type{bigint, text}, 7, "b", 8, "c"), false); len(got) > 0 {
		t.Errorf("published %v", got)
	}
}
