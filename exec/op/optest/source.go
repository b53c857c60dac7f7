package optest

import (
	"context"
	"math/rand/v2"

	"github.com/tuttidb/tutti/exec/kernel"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// Form is one way to cut and encode an input.
type Form struct {
	// Name says which, in a subtest's name.
	Name string
	// BatchRows is the number of rows a batch.
	BatchRows int
	// Decoys puts rows between the real ones that the selection skips.
	Decoys bool
	// Encoding is the columns' encoding; Const applies to the batches whose
	// rows happen to be equal, which BatchRows 1 makes all of them.
	Encoding vector.Encoding
	// Sparse dictionaries have entries that no row refers to, and to which null
	// rows do, that hold junk: nobody may look at them.
	Sparse bool
}

// Forms are those that every operator must agree on.
func Forms() []Form {
	return []Form{
		{Name: "flat", BatchRows: vector.DefaultRows},
		{Name: "flat 1", BatchRows: 1},
		{Name: "flat 3 selected", BatchRows: 3, Decoys: true},
		{Name: "flat selected", BatchRows: 4000, Decoys: true},
		{Name: "dict 7", BatchRows: 7, Encoding: vector.Dict},
		{Name: "dict selected", BatchRows: 1000, Decoys: true, Encoding: vector.Dict},
		{Name: "sparse dict 5 selected", BatchRows: 5, Decoys: true, Encoding: vector.Dict, Sparse: true},
		{Name: "sparse dict", BatchRows: 2000, Encoding: vector.Dict, Sparse: true},
		{Name: "const 1", BatchRows: 1, Encoding: vector.Const},
		{Name: "const 1 selected", BatchRows: 1, Decoys: true, Encoding: vector.Const},
		{Name: "lazy 3", BatchRows: 3, Encoding: vector.Lazy},
		{Name: "lazy selected", BatchRows: 5000, Decoys: true, Encoding: vector.Lazy},
	}
}

// Source is an operator over a Table. It lends each batch until the next call
// of Next or Close and then releases, so poisons, its memory.
type Source struct {
	table   Table
	form    Form
	account *mem.Account
	rng     *rand.Rand
	at      int
	lent    []*vector.Builder
	closed  bool
	// Pulls counts the calls of Next.
	Pulls int
	// Fail, if set, is returned by Next after FailAfter batches.
	Fail      error
	FailAfter int
	// Pulled, if set, is called by each Next, which returns its error.
	Pulled func() error
}

// NewSource returns a source of the table's rows in the given form.
func NewSource(account *mem.Account, table Table, form Form) *Source {
	return &Source{table: table, form: form, account: account, rng: rand.New(rand.NewPCG(1, uint64(len(table.Rows))))}
}

// Closed reports whether Close was called.
func (s *Source) Closed() bool { return s.closed }

// Next returns the next batch.
func (s *Source) Next(ctx context.Context) (*vector.Batch, error) {
	s.release()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.Pulls++
	if s.Fail != nil && s.Pulls > s.FailAfter {
		return nil, s.Fail
	}
	if s.Pulled != nil {
		if err := s.Pulled(); err != nil {
			return nil, err
		}
	}
	n := min(s.form.BatchRows, len(s.table.Rows)-s.at)
	if n <= 0 || s.closed {
		return nil, nil
	}
	rows := s.table.Rows[s.at : s.at+n]
	s.at += n
	return s.batch(rows)
}

// batch encodes rows, with decoys between them if the form says so.
func (s *Source) batch(rows Rows) (*vector.Batch, error) {
	b := &vector.Batch{}
	physical := make(Rows, 0, 2*len(rows))
	for _, row := range rows {
		if s.form.Decoys {
			for range s.rng.IntN(3) {
				physical = append(physical, s.decoy())
			}
			b.Sel = append(b.Sel, int32(len(physical)))
		}
		physical = append(physical, row)
	}
	b.N = len(physical)
	for k := range s.table.Types {
		v, err := s.column(physical, k, b.Sel)
		if err != nil {
			return nil, err
		}
		b.Cols = append(b.Cols, v)
	}
	return b, nil
}

// decoy is a row of the table, which must not show again.
func (s *Source) decoy() []any { return s.table.Rows[s.rng.IntN(len(s.table.Rows))] }

func (s *Source) column(rows Rows, k int, sel []int32) (*vector.Vector, error) {
	values := make([]any, len(rows))
	for i, r := range rows {
		values[i] = r[k]
	}
	switch enc := s.form.Encoding; {
	case enc == vector.Dict && s.form.Sparse && s.table.Types[k].Physical() != types.PhysNull:
		return s.sparse(values, k)
	case enc == vector.Dict && !s.table.Types[k].IsNested():
		return s.dict(values, k)
	case enc == vector.Const && allSame(values):
		v, err := s.flat(values[:1], k)
		if err != nil {
			return nil, err
		}
		c := *v
		c.Enc, c.N = vector.Const, len(values)
		return &c, nil
	case enc == vector.Lazy:
		v, err := s.flat(values, k)
		if err != nil {
			return nil, err
		}
		return &vector.Vector{Type: v.Type, Enc: vector.Lazy, N: v.N, Loader: &loader{v: v}}, nil
	}
	return s.flat(values, k)
}

func allSame(values []any) bool {
	for _, x := range values {
		if text(x) != text(values[0]) {
			return false
		}
	}
	return true
}

func (s *Source) flat(values []any, k int) (*vector.Vector, error) {
	b := vector.NewBuilder(s.account, s.table.Types[k])
	s.lent = append(s.lent, b)
	for _, x := range values {
		if err := kernel.AppendValue(b, s.table.Types[k], x); err != nil {
			return nil, err
		}
	}
	v := b.Vector()
	spoil(v)
	return v, nil
}

// spoil puts junk where v's nulls are: views that point nowhere, numbers that
// overflow. The value of a null row means nothing.
func spoil(v *vector.Vector) {
	w := v.Type.Physical().Width()
	for i := range v.N {
		if w > 0 && v.IsNull(i) {
			junk(v.Data[i*w : (i+1)*w])
		}
	}
}

// junk fills b with what released memory holds.
func junk(b []byte) {
	for i := range b {
		b[i] = 0xDB
	}
}

// sparse makes a dictionary of which every second entry is junk; null rows
// refer to such.
func (s *Source) sparse(values []any, k int) (*vector.Vector, error) {
	base := make([]any, 2*len(values)+1)
	out := &vector.Vector{Type: s.table.Types[k], Enc: vector.Dict, N: len(values), Sparse: true}
	for i, x := range values {
		at := 2*(len(values)-i) - 1 // backwards: an index is never by chance the row
		base[at] = x
		if x == nil {
			if out.Valid == nil {
				out.Valid = vector.NewBitmap(len(values))
			}
			out.Valid.Clear(i)
		}
		out.Idx = append(out.Idx, int32(at))
	}
	v, err := s.flat(base, k) // its nulls are the junk
	if err != nil {
		return nil, err
	}
	d := *v
	d.Valid = nil
	out.Base = &d
	return out, nil
}

// dict makes a dictionary of the distinct values in reverse, so that an index
// is never by chance the row.
func (s *Source) dict(values []any, k int) (*vector.Vector, error) {
	var base []any
	at := map[string]int32{}
	for i := len(values) - 1; i >= 0; i-- {
		if _, ok := at[text(values[i])]; !ok && values[i] != nil {
			at[text(values[i])] = int32(len(base))
			base = append(base, values[i])
		}
	}
	if len(base) == 0 {
		base = append(base, valueOf(s.table.Types[k], 1))
	}
	if base[0] == nil {
		return s.flat(values, k)
	}
	d, err := s.flat(base, k)
	if err != nil {
		return nil, err
	}
	v := &vector.Vector{Type: d.Type, Enc: vector.Dict, N: len(values), Base: d, Idx: make([]int32, len(values))}
	for i, x := range values {
		if x != nil {
			v.Idx[i] = at[text(x)]
			continue
		}
		if v.Valid == nil {
			v.Valid = vector.NewBitmap(len(values))
		}
		v.Valid.Clear(i)
	}
	return v, nil
}

// loader hands over its vector when asked, with the rows that were not asked
// for set to zero.
type loader struct{ v *vector.Vector }

func (l *loader) Load(v *vector.Vector, sel []int32) error {
	*v = *l.v
	if sel == nil || v.Type.IsNested() {
		return nil
	}
	wanted := vector.NewBitmap(v.N).ClearAll()
	for _, r := range sel {
		wanted.Set(int(r))
	}
	w := v.Type.Physical().Width()
	for i := range v.N {
		if !wanted.Get(i) {
			clear(v.Data[i*w : (i+1)*w])
		}
	}
	return nil
}

func (s *Source) release() {
	for _, b := range s.lent {
		b.Release()
	}
	s.lent = nil
}

// Close releases what is lent.
func (s *Source) Close() error {
	s.release()
	s.closed = true
	return nil
}
