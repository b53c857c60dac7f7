package kernel

import (
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// unsafeEntries reports whether entries of v's dictionary that no row refers
// to may point outside memory, so that not even a comparison may look at them.
func unsafeEntries(v *vector.Vector) bool {
	return v.Sparse && (v.Type.Physical() == types.PhysBytes || v.Type.IsNested())
}

// referred finds the entries of a dictionary that rows refer to. It owns its
// scratch space.
type referred struct {
	marks vector.Bitmap // by entry, of the last call
	rows  rowBuf
}

// entries lists the dictionary entries that the selected of n rows point to,
// ascending. The list is valid until the next call.
func (u *referred) entries(v *vector.Vector, sel []int32, n int) []int32 {
	u.marks = u.marks.Resize(v.Base.N).ClearAll()
	mark := func(i int) {
		if v.Valid == nil || v.Valid.Get(i) {
			u.marks.Set(int(v.Idx[i]))
		}
	}
	if sel == nil {
		for i := range n {
			mark(i)
		}
	} else {
		for _, i := range sel {
			mark(int(i))
		}
	}
	return selectBits(u.marks, nil, v.Base.N, u.rows.room(v.Base.N))
}
