package optest

import (
	"context"
	"fmt"
	"testing"

	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/kernel"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
)

// Case is one run of an operator: an account and the inputs in some form.
type Case struct {
	T       testing.TB
	Account *mem.Account
	Form    Form
	// Inputs are sources of the tables, in order.
	Inputs []exec.Operator
	// Pulled, if set, is called before each batch of an input.
	Pulled func() error
	tables []Table
	feed   *mem.Account // of the inputs' memory; nil: Account
}

// source returns a source of a table in the case's form.
func (c *Case) source(t Table) *Source {
	account := c.feed
	if account == nil {
		account = c.Account
	}
	s := NewSource(account, t, c.Form)
	s.Pulled = c.Pulled
	return s
}

// Split returns n sources that share input i's rows between them, as the
// drivers of a pipeline do.
func (c *Case) Split(i, n int) []exec.Operator {
	out := make([]exec.Operator, n)
	for k := range out {
		part := Table{Types: c.tables[i].Types}
		for r := k; r < len(c.tables[i].Rows); r += n {
			part.Rows = append(part.Rows, c.tables[i].Rows[r])
		}
		out[k] = c.source(part)
	}
	return out
}

// NewAccount returns an account over a fresh poisoning pool, and fails the
// test at its end if anything taken from it is still out.
func NewAccount(t testing.TB) *mem.Account {
	t.Helper()
	pool := mem.NewPool()
	pool.Poison = true
	account := mem.NewRoot("test", 0, pool)
	t.Cleanup(func() { CheckLeaks(t, pool, account) })
	return account
}

// CheckLeaks fails the test if anything is still out.
func CheckLeaks(t testing.TB, pool *mem.Pool, account *mem.Account) {
	t.Helper()
	if pool.Out() != 0 {
		t.Errorf("%d bytes in %d slabs were not released", pool.Out(), pool.Slabs())
	}
	if account.Used() != 0 {
		t.Errorf("%d bytes are still accounted for", account.Used())
	}
}

// Each runs the operator that build makes over the tables in each of Forms
// and compares what it gives with want, in any order.
func Each(t *testing.T, tables []Table, build func(c *Case) exec.Operator, want Rows) {
	t.Helper()
	each(t, tables, build, func(t testing.TB, got Rows) { Same(t, want, got) })
}

// EachOrdered is Each for operators whose output has an order.
func EachOrdered(t *testing.T, tables []Table, build func(c *Case) exec.Operator, want Rows) {
	t.Helper()
	each(t, tables, build, func(t testing.TB, got Rows) { SameOrder(t, want, got) })
}

func each(t *testing.T, tables []Table, build func(c *Case) exec.Operator, check func(testing.TB, Rows)) {
	t.Helper()
	for _, f := range Forms() {
		t.Run(f.Name, func(t *testing.T) {
			c := &Case{T: t, Account: NewAccount(t), Form: f, tables: tables}
			for _, tab := range tables {
				c.Inputs = append(c.Inputs, c.source(tab))
			}
			o := build(c)
			got, err := Drain(o)
			if err != nil {
				t.Fatal(err)
			}
			for _, in := range c.Inputs {
				in.Close() // those that build did not use
			}
			check(t, got)
		})
	}
}

// Drain pulls all rows, checks every batch and the end, and closes o.
func Drain(o exec.Operator) (Rows, error) {
	rows, err := drain(context.Background(), o)
	if e := o.Close(); err == nil {
		err = e
	}
	if e := o.Close(); err == nil && e != nil {
		err = fmt.Errorf("second Close: %w", e)
	}
	return rows, err
}

func drain(ctx context.Context, o exec.Operator) (Rows, error) {
	var rows Rows
	for {
		b, err := o.Next(ctx)
		if err != nil {
			return rows, err
		}
		if b == nil {
			break
		}
		got, err := ReadBatch(b)
		if err != nil {
			return rows, err
		}
		rows = append(rows, got...)
	}
	b, err := o.Next(ctx)
	if err != nil {
		return rows, fmt.Errorf("Next after the end: %w", err)
	}
	if b != nil {
		return rows, fmt.Errorf("Next after the end returned a batch of %d rows", b.Rows())
	}
	return rows, nil
}

// ReadBatch checks b and returns its rows.
func ReadBatch(b *vector.Batch) (Rows, error) {
	if b.Rows() < 1 || b.N > vector.MaxRows {
		return nil, fmt.Errorf("batch of %d rows, %d of them selected", b.N, b.Rows())
	}
	for i, r := range b.Sel {
		if int(r) >= b.N || r < 0 || i > 0 && b.Sel[i-1] >= r {
			return nil, fmt.Errorf("selection is not ascending within %d rows: %v", b.N, b.Sel)
		}
	}
	if err := b.Load(); err != nil {
		return nil, err
	}
	for k, c := range b.Cols {
		if err := checkVector(c, b.N); err != nil {
			return nil, fmt.Errorf("column %d of type %s: %w", k, c.Type, err)
		}
	}
	rows := make(Rows, b.Rows())
	for i := range rows {
		row := make([]any, len(b.Cols))
		for k, c := range b.Cols {
			row[k] = kernel.ValueAt(c, b.Row(i))
		}
		rows[i] = row
	}
	return rows, nil
}

func checkVector(v *vector.Vector, n int) error {
	if v.N != n {
		return fmt.Errorf("%d rows in a batch of %d", v.N, n)
	}
	if v.Enc == vector.Lazy {
		return fmt.Errorf("still lazy after Load")
	}
	if v.Enc != vector.Dict {
		return nil
	}
	if v.Base == nil || v.Base.Enc != vector.Flat || v.Base.Valid != nil {
		return fmt.Errorf("the dictionary is not a flat vector without nulls")
	}
	for i, x := range v.Idx[:n] {
		if x < 0 || int(x) >= v.Base.N {
			return fmt.Errorf("index %d of row %d is outside the dictionary of %d", x, i, v.Base.N)
		}
	}
	return nil
}
