package vector

// Batch is a few thousand rows: columns of equal length and an optional
// selection. See the package comment for who owns it.
type Batch struct {
	// N is the number of physical rows, the same as every column's N; it
	// counts even when there are no columns.
	N int
	// Sel lists the rows that are there, ascending; nil: all N.
	Sel []int32
	// Cols are the columns.
	Cols []*Vector
}

// Rows returns the number of rows that are there: len(Sel), or N without a
// selection.
func (b *Batch) Rows() int {
	if b.Sel != nil {
		return len(b.Sel)
	}
	return b.N
}

// Row returns the physical row of the i-th row that is there.
func (b *Batch) Row(i int) int {
	if b.Sel != nil {
		return int(b.Sel[i])
	}
	return i
}

// Load loads every lazy column for the rows that are there.
func (b *Batch) Load() error {
	for _, c := range b.Cols {
		if err := c.Load(b.Sel); err != nil {
			return err
		}
	}
	return nil
}
