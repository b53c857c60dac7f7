package optest

import (
	"context"
	"math/rand/v2"

	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
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
}

// Forms are those that every operator must agree on.
func Forms() []Form {
	return []Form{
		{"flat", vector.DefaultRows, false, vector.Flat},
		{"flat 1", 1, false, vector.Flat},
		{"flat 3 selected", 3, true, vector.Flat},
		{"flat selected", 4000, true, vector.Flat},
		{"dict 7", 7, false, vector.Dict},
		{"dict selected", 1000, true, vector.Dict},
		{"const 1", 1, false, vector.Const},
		{"const 1 selected", 1, true, vector.Const},
		{"lazy 3", 3, false, vector.Lazy},
		{"lazy selected", 5000, true, vector.Lazy},
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
		if err := Append(b, s.table.Types[k], x); err != nil {
			return nil, err
		}
	}
	return b.Vector(), nil
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
