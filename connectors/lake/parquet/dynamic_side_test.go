package parquet

import (
	"testing"

	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// TestDynamicFilterKeepsTheSelectionItReads: computing a filter on a large
// dictionary in the middle of a batch must not write over the selection that
// an earlier condition made.
func TestDynamicFilterKeepsTheSelectionItReads(t *testing.T) {
	const entries, rows = 20_000, 4096
	bigint := types.Of(types.BigInt)
	values := make([]int64, entries)
	for i := range values {
		values[i] = int64(i)
	}
	dict := &vector.Vector{Type: bigint, N: entries, Data: vector.AsBytes(values)}
	v := &vector.Vector{Type: bigint, Enc: vector.Dict, N: rows, Base: dict, Idx: make([]int32, rows)}
	for i := range v.Idx {
		v.Idx[i] = int32(i * 4)
	}
	fs := &filterSet{}
	sel := fs.room(rows)[:0]
	for i := int32(1); i < rows; i += 2 {
		sel = append(sel, i)
	}
	d := &dynamicState{test: valueTest{bounded: true, lo: 100, hi: 10_000}}
	d.table.tested = entries // the dictionary is worth testing now
	got := d.choose(fs, v, sel, rows)
	var want []int32
	for i := int32(1); i < rows; i += 2 {
		if x := int64(i) * 4; x >= 100 && x <= 10_000 {
			want = append(want, i)
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d rows chosen, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("row %d chosen at %d, want %d", got[i], i, want[i])
		}
	}
}
