package optest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tuttidb/tutti/sql/types"
)

// Rows are rows of values in the Go form of expr.Const.
type Rows [][]any

// Table is an operator's input: typed rows.
type Table struct {
	Types []types.Type
	Rows  Rows
}

// Tab makes a table from rows given one after the other: values has a
// multiple of len(ts) entries.
func Tab(ts []types.Type, values ...any) Table {
	t := Table{Types: ts}
	for i := 0; i+len(ts) <= len(values); i += len(ts) {
		row := make([]any, len(ts))
		for k := range ts {
			if row[k] = values[i+k]; row[k] != nil {
				row[k] = widen(row[k])
			}
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// widen lets tests write plain ints.
func widen(x any) any {
	if n, ok := x.(int); ok {
		return int64(n)
	}
	return x
}

// Random makes a table of n rows. Each column has about distinct values, and
// nulls of its rows in 100 are null.
func Random(r *rand.Rand, ts []types.Type, n, distinct, nulls int) Table {
	t := Table{Types: ts}
	for range n {
		row := make([]any, len(ts))
		for k, typ := range ts {
			if r.IntN(100) >= nulls {
				row[k] = valueOf(typ, r.Int64N(int64(distinct)))
			}
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// valueOf maps a small number to a value of type t, one to one where t allows.
func valueOf(t types.Type, n int64) any {
	switch t.Physical() {
	case types.PhysBool:
		return n%2 == 1
	case types.PhysInt8:
		return int64(int8(n))
	case types.PhysInt16, types.PhysInt32, types.PhysInt64:
		return n - 2
	case types.PhysFloat:
		return float32(n) / 2
	case types.PhysDouble:
		return float64(n) / 4
	case types.PhysInt128:
		return types.Int128{Lo: uint64(n), Hi: n % 3}
	case types.PhysBytes:
		if n%3 == 0 {
			return fmt.Sprintf("v%d", n)
		}
		return fmt.Sprintf("a string of some length %d", n)
	case types.PhysList:
		return slices.Repeat([]any{valueOf(t.Elem(0), n)}, int(n%4))
	case types.PhysStruct:
		out := make([]any, len(t.Elems()))
		for i, e := range t.Elems() {
			out[i] = valueOf(e, n)
		}
		return out
	case types.PhysMap:
		return [][2]any{{valueOf(t.Elem(0), n), valueOf(t.Elem(1), n)}}
	}
	return nil
}

// Strings prints each row on a line: "1|a|NULL".
func (r Rows) Strings() []string {
	out := make([]string, len(r))
	for i, row := range r {
		parts := make([]string, len(row))
		for k, x := range row {
			parts[k] = text(x)
		}
		out[i] = strings.Join(parts, "|")
	}
	return out
}

func text(x any) string {
	if x == nil {
		return "NULL"
	}
	return fmt.Sprint(x)
}

// Same fails the test unless got has want's rows, in any order.
func Same(t testing.TB, want, got Rows) {
	t.Helper()
	w, g := want.Strings(), got.Strings()
	slices.Sort(w)
	slices.Sort(g)
	compare(t, w, g)
}

// SameOrder fails the test unless got has want's rows in want's order.
func SameOrder(t testing.TB, want, got Rows) {
	t.Helper()
	compare(t, want.Strings(), got.Strings())
}

func compare(t testing.TB, want, got []string) {
	t.Helper()
	for i := range max(len(want), len(got)) {
		if i < len(want) && i < len(got) && want[i] == got[i] {
			continue
		}
		t.Fatalf("rows differ from line %d on (want %d rows, got %d)\nwant: %s\ngot:  %s",
			i, len(want), len(got), clip(want, i), clip(got, i))
	}
}

func clip(lines []string, from int) string {
	from = min(from, len(lines))
	return strings.Join(lines[from:min(from+12, len(lines))], "\n      ")
}
