package op

import (
	"slices"
	"testing"

	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// TestPrefixesOfNulls has null strings whose views point nowhere, as those
// that an expression leaves behind.
func TestPrefixesOfNulls(t *testing.T) {
	views := []vector.View{vector.InlineView([]byte("b")), vector.HeapView(make([]byte, 20), 3, 1000), vector.InlineView([]byte("a"))}
	v := &vector.Vector{Type: types.Of(types.Varchar), N: 3, Data: vector.AsBytes(views), Valid: vector.Bitmap{0b101}}
	for _, rows := range [][]int32{nil, {0, 1, 2}} {
		got := new(topFilter).prefix(v, rows, 3, SortColumn{})
		if !slices.IsSorted([]uint64{got[2], got[0], got[1]}) || got[1] != 1<<56 {
			t.Errorf("prefixes %x are not in the order of a, b, null", got)
		}
	}
}
