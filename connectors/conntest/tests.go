package conntest

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/exec/kernel"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// again reads the same scan twice.
func (s *subject) again(t *testing.T) {
	same(t, "a second read", s.read(t, s.c, s.scan(s.columns()...), 0), s.rows)
}

// otherInstance reads splits that one instance made with another, as workers do.
func (s *subject) otherInstance(t *testing.T) {
	if s.table.Local {
		return // is never read elsewhere
	}
	same(t, "another instance", s.read(t, open(t, s.cfg), s.scan(s.columns()...), 0), s.rows)
}

func (s *subject) smallBatches(t *testing.T) {
	for _, n := range []int{1, 100} {
		if n*5000 >= len(s.rows) {
			same(t, "small batches", s.read(t, s.c, s.scan(s.columns()...), n), s.rows)
		}
	}
}

// projections reads single columns, pairs, and all in reverse.
func (s *subject) projections(t *testing.T) {
	cols := s.columns()
	var sets [][]int
	for i := range cols {
		sets = append(sets, []int{i})
		if i > 0 {
			sets = append(sets, []int{i, i - 1})
		}
	}
	all := make([]int, len(cols))
	for i := range all {
		all[i] = len(cols) - 1 - i
	}
	for _, places := range append(sets, all) {
		ordinals := make([]int, len(places))
		for i, p := range places {
			ordinals[i] = cols[p]
		}
		same(t, "projection", s.read(t, s.c, s.scan(ordinals...), 0), s.project(places...))
	}
}

// noColumns is count(*): batches of rows without columns.
func (s *subject) noColumns(t *testing.T) {
	if n := len(s.read(t, s.c, s.scan(), 0)); n != len(s.rows) {
		t.Errorf("%d rows without columns, %d with", n, len(s.rows))
	}
}

// hidden reads the hidden columns with a visible one.
func (s *subject) hidden(t *testing.T) {
	for i, c := range s.table.Columns {
		if !c.Hidden {
			continue
		}
		rows := s.read(t, s.c, s.scan(s.columns()[0], i), 0)
		if len(rows) != len(s.rows) {
			t.Errorf("%d rows with the column %q", len(rows), c.Name)
		}
	}
}

// conditions returns predicates for the scan's columns: comparisons with a
// value from the middle of the truth, null tests, lists, and pairs of them.
func (s *subject) conditions(t *testing.T) (out []expr.Expr) {
	if len(s.rows) == 0 {
		return nil
	}
	boolean := types.Of(types.Boolean)
	for i, o := range s.columns() {
		col := &expr.Column{ID: expr.ColumnID(i), Typ: s.table.Columns[o].Type, Name: s.table.Columns[o].Name}
		out = append(out, &expr.Form{Op: expr.IsNull, Args: []expr.Expr{col}, Typ: boolean})
		middle := s.rows[len(s.rows)/2][i]
		if !col.Typ.Orderable() || col.Typ.IsNested() || middle == nil {
			continue
		}
		c := &expr.Const{Value: middle, Typ: col.Typ}
		for _, op := range []string{function.OpEq, function.OpNe, function.OpLt, function.OpGe} {
			fn, err := function.ResolveScalar(op, []types.Type{col.Typ, col.Typ})
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, &expr.Call{Fn: fn, Args: []expr.Expr{col, c}})
		}
		other := &expr.Const{Value: s.rows[0][i], Typ: col.Typ}
		out = append(out, &expr.Form{Op: expr.In, Args: []expr.Expr{col, c, other}, Typ: boolean})
	}
	for i := range out {
		if k := (i*7 + 3) % len(out); k != i && i%3 == 0 {
			op := []expr.Op{expr.And, expr.Or}[i/3%2]
			out = append(out, &expr.Form{Op: op, Args: []expr.Expr{out[i], out[k]}, Typ: boolean})
		}
	}
	return out
}

// matching returns the rows of the truth for which e is true.
func (s *subject) matching(t *testing.T, e expr.Expr) (out [][]any) {
	t.Helper()
	f, err := kernel.CompileFilter(&kernel.Env{Account: s.root}, e)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cols := s.columns()
	builders := make([]*vector.Builder, len(cols))
	b := vector.Batch{Cols: make([]*vector.Vector, len(cols))}
	for i, o := range cols {
		builders[i] = vector.NewBuilder(s.root, s.table.Columns[o].Type)
		defer builders[i].Release()
	}
	for from := 0; from < len(s.rows); from += vector.DefaultRows {
		part := s.rows[from:min(from+vector.DefaultRows, len(s.rows))]
		for i, o := range cols {
			builders[i].Reset()
			for _, r := range part {
				if err := kernel.AppendValue(builders[i], s.table.Columns[o].Type, r[i]); err != nil {
					t.Fatal(err)
				}
			}
			b.Cols[i] = builders[i].Vector()
		}
		b.N = len(part)
		sel, err := f.Apply(&b)
		if err != nil {
			t.Fatal(err)
		}
		if sel == nil {
			out = append(out, part...)
		}
		for _, i := range sel {
			out = append(out, part[i])
		}
	}
	return out
}

// predicates pushes what the connector accepts and compares with the truth,
// filtered here.
func (s *subject) predicates(t *testing.T) {
	enforcer, ok := s.c.(connectors.Enforcer)
	if !ok {
		return
	}
	for _, e := range s.conditions(t) {
		scan := s.scan(s.columns()...)
		rest, err := enforcer.Enforce(t.Context(), scan, []expr.Expr{e})
		if err != nil {
			t.Fatalf("enforce %s: %v", e, err)
		}
		if len(rest) > 0 {
			if rest[0] != e || len(rest) > 1 {
				t.Errorf("enforce %s returned something else: %v", e, rest)
			}
			continue
		}
		scan.Predicate = e
		same(t, e.String(), s.read(t, s.c, scan, 0), s.matching(t, e))
		s.filterOnly(t, scan)
	}
}

// filterOnly reads with the predicate's columns needed by it alone.
func (s *subject) filterOnly(t *testing.T, scan *connectors.Scan) {
	want := s.matching(t, scan.Predicate)
	out := make([][]any, len(want))
	for i, r := range want {
		out[i] = slices.Clone(r)
	}
	expr.Columns(scan.Predicate, func(c *expr.Column) {
		scan.Columns[c.ID].FilterOnly = true
		for _, r := range out {
			r[c.ID] = nil
		}
	})
	sortRows(out)
	same(t, "filter only "+scan.Predicate.String(), s.read(t, s.c, scan, 0), out)
}

// hints must lose no row that matches.
func (s *subject) hints(t *testing.T) {
	for _, e := range s.conditions(t) {
		scan := s.scan(s.columns()...)
		scan.Hint = e
		got := s.read(t, s.c, scan, 0)
		outer := s.rows
		s.rows = got
		kept := s.matching(t, e)
		s.rows = outer
		same(t, "hint "+e.String(), kept, s.matching(t, e))
	}
}

// limit says that few rows are wanted: at least those must come.
func (s *subject) limit(t *testing.T) {
	for _, n := range []int64{0, 1, 10} {
		scan := s.scan(s.columns()...)
		scan.Limit = n
		if got := len(s.read(t, s.c, scan, 0)); int64(got) < min(n, int64(len(s.rows))) {
			t.Errorf("limit %d: %d rows of %d", n, got, len(s.rows))
		}
	}
}

// cancel reads with a context that has ended.
func (s *subject) cancel(t *testing.T) {
	scan := s.scan(s.columns()...)
	all := splits(t, s.c, scan, 100)
	if len(all) == 0 {
		return
	}
	ctx, cancel := context.WithCancel(t.Context())
	src, err := s.c.Open(ctx, scan, all[0], s.env(1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := src.Next(ctx); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := src.Next(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("after a cancel: %v", err)
	}
	if err := src.Close(); err != nil {
		t.Error(err)
	}
	if src, err := s.c.Open(ctx, scan, all[0], s.env(0)); err == nil {
		if b, err := src.Next(ctx); err == nil && b != nil && len(s.rows) > 2*vector.DefaultRows {
			t.Errorf("a batch of %d rows after the context's end", b.N)
		}
		_ = src.Close()
	}
}

// closeEarly closes sources before, within and after reading.
func (s *subject) closeEarly(t *testing.T) {
	scan := s.scan(s.columns()...)
	for _, sp := range splits(t, s.c, scan, 100) {
		for stop := range 4 {
			seen := 0
			src, err := s.c.Open(t.Context(), scan, sp, s.env(10))
			if err != nil {
				t.Fatal(err)
			}
			for seen < stop {
				b, err := src.Next(t.Context())
				if err != nil || b == nil {
					break
				}
				if stop == 3 { // batches that nobody loads
					if err := b.Load(); err != nil {
						t.Error(err)
					}
				}
				seen++
			}
			if err := src.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	src, err := s.c.Splits(t.Context(), scan)
	if err != nil {
		t.Fatal(err)
	}
	if err := src.Close(); err != nil {
		t.Error(err)
	}
}

// statistics compares estimates with the truth, loosely.
func (s *subject) statistics(t *testing.T) {
	st, ok := s.c.(connectors.Statistician)
	if !ok {
		return
	}
	scan := s.scan(s.columns()...)
	got, err := st.Stats(t.Context(), scan)
	if err != nil || got == nil {
		t.Fatal(got, err)
	}
	n := float64(len(s.rows))
	if !math.IsNaN(got.Rows) && (got.Rows < n/2-10 || got.Rows > n*2+10) {
		t.Errorf("%v rows, there are %v", got.Rows, n)
	}
	if len(got.Columns) != len(scan.Columns) {
		t.Fatalf("statistics of %d columns, not %d", len(got.Columns), len(scan.Columns))
	}
	for i, c := range got.Columns {
		s.columnStatistics(t, i, scan.Columns[i].Name, scan.Columns[i].Type, c)
	}
}

// asNumber returns a value as statistics have it, if it is a number there.
func asNumber(v any, t types.Type) (float64, bool) {
	switch v := v.(type) {
	case int64:
		if t.Kind == types.Decimal {
			return float64(v) / float64(types.Pow10Int64(t.S)), true
		}
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

func (s *subject) columnStatistics(t *testing.T, i int, name string, typ types.Type, c connectors.ColumnStats) {
	n, nulls := float64(len(s.rows)), 0.0
	for _, r := range s.rows {
		if r[i] == nil {
			nulls++
		}
		if x, ok := asNumber(r[i], typ); ok && (c.Min > x || c.Max < x) {
			t.Errorf("column %q: %v lies outside of the bounds %v to %v", name, x, c.Min, c.Max)
			return
		}
	}
	if c.Distinct < 0 || c.Distinct > 2*n+1 || c.Bytes < 0 {
		t.Errorf("column %q: %v distinct values of %v, %v bytes", name, c.Distinct, n, c.Bytes)
	}
	if n > 0 && math.Abs(c.NullFraction-nulls/n) > 0.2 {
		t.Errorf("column %q: null fraction %v, it is %v", name, c.NullFraction, nulls/n)
	}
}

// dynamic filters may drop only rows that do not match, and one that excludes
// everything may drop all.
func (s *subject) dynamic(t *testing.T) {
	if len(s.rows) == 0 {
		return
	}
	for i, o := range s.columns() {
		x, ok := s.rows[len(s.rows)/2][i].(int64)
		if !ok {
			continue
		}
		scan := s.scan(s.columns()...)
		scan.Dynamic = []connectors.DynamicUse{{ID: 3, Column: i}}
		env := s.env(0)
		env.Dynamic = func(id int32) *connectors.DynamicFilter {
			return &connectors.DynamicFilter{Min: x, Max: x, Values: []any{x}}
		}
		found, want := 0, 0
		for _, r := range s.rows {
			if r[i] == any(x) {
				want++
			}
		}
		for _, sp := range splits(t, s.c, scan, 10) {
			s.readSplit(t, s.c, scan, sp, env, func(b *vector.Batch) bool {
				for _, r := range appendRows(t, nil, b, scan) {
					if r[i] == any(x) {
						found++
					}
				}
				return true
			})
		}
		if found != want {
			t.Errorf("column %q: a dynamic filter left %d of %d rows", s.table.Columns[o].Name, found, want)
		}
	}
}
