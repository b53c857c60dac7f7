package dbgen

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"
)

func mustNew(t testing.TB, scale float64, text *Text) *Generator {
	t.Helper()
	g, err := New(scale, text)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// data is a scan's whole output in one batch.
func data(t testing.TB, g *Generator, table Table, columns []int, from, to int64, batchRows int) *Batch {
	t.Helper()
	s, err := g.Scan(table, columns, from, to)
	if err != nil {
		t.Fatal(err)
	}
	sum := &Batch{Columns: make([]Vector, len(columns))}
	b := NewBatch(batchRows)
	for s.Next(b) {
		if b.Rows > max(batchRows, minBatchRows) {
			t.Fatalf("%s: batch of %d rows, capacity %d", table, b.Rows, batchRows)
		}
		for i, c := range columns {
			appendVector(t, &sum.Columns[i], &b.Columns[i], table.Columns()[c], b.Rows)
		}
		sum.Rows += b.Rows
	}
	return sum
}

func appendVector(t testing.TB, sum, v *Vector, c Column, rows int) {
	t.Helper()
	got := 0
	switch c.Layout {
	case Int64:
		sum.Int64, got = append(sum.Int64, v.Int64...), len(v.Int64)
	case Int32:
		sum.Int32, got = append(sum.Int32, v.Int32...), len(v.Int32)
	case Codes:
		sum.Codes, got = append(sum.Codes, v.Codes...), len(v.Codes)
	case Strings:
		if sum.Offsets == nil {
			sum.Offsets = []int32{0}
		}
		base := int32(len(sum.Bytes))
		for _, end := range v.Offsets[1:] {
			sum.Offsets = append(sum.Offsets, base+end)
		}
		sum.Bytes, got = append(sum.Bytes, v.Bytes...), len(v.Offsets)-1
	}
	if got != rows {
		t.Fatalf("%s: %d values in a batch of %d rows", c.Name, got, rows)
	}
}

// slice returns rows from … to−1 of a batch made by data.
func slice(b *Batch, from, to int) *Batch {
	out := &Batch{Rows: to - from, Columns: make([]Vector, len(b.Columns))}
	for i := range b.Columns {
		v, o := &b.Columns[i], &out.Columns[i]
		switch {
		case v.Int64 != nil:
			o.Int64 = v.Int64[from:to]
		case v.Int32 != nil:
			o.Int32 = v.Int32[from:to]
		case v.Codes != nil:
			o.Codes = v.Codes[from:to]
		default:
			for _, end := range v.Offsets[from : to+1] {
				o.Offsets = append(o.Offsets, end-v.Offsets[from])
			}
			o.Bytes = v.Bytes[v.Offsets[from]:v.Offsets[to]]
		}
	}
	return out
}

func equal(a, b *Batch) bool {
	if a.Rows == 0 && b.Rows == 0 {
		return true
	}
	return a.Rows == b.Rows && slices.EqualFunc(a.Columns, b.Columns, func(v, w Vector) bool {
		return slices.Equal(v.Int64, w.Int64) && slices.Equal(v.Int32, w.Int32) &&
			slices.Equal(v.Codes, w.Codes) && slices.Equal(v.Offsets, w.Offsets) &&
			bytes.Equal(v.Bytes, w.Bytes)
	})
}

func TestEachColumnAlone(t *testing.T) {
	text := NewText()
	for _, scale := range []float64{0.002, wideScale} {
		g := mustNew(t, scale, text)
		for _, table := range Tables() {
			to := min(g.Units(table), 2000)
			from := to / 3
			whole := data(t, g, table, all(table), from, to, 1000)
			for i, c := range table.Columns() {
				alone := data(t, g, table, []int{i}, from, to, 1000)
				if !equal(alone, &Batch{Rows: whole.Rows, Columns: whole.Columns[i : i+1]}) {
					t.Errorf("scale %v: %s asked for alone differs", scale, c.Name)
				}
			}
			if rows := data(t, g, table, nil, from, to, 1000).Rows; rows != whole.Rows {
				t.Errorf("scale %v: %s without columns has %d rows, want %d", scale, table, rows, whole.Rows)
			}
		}
	}
}

func TestColumnOrder(t *testing.T) {
	g := mustNew(t, 0.001, nil)
	columns := all(LineItem)
	slices.Reverse(columns)
	got := data(t, g, LineItem, columns, 0, 100, 64)
	slices.Reverse(got.Columns)
	if !equal(got, data(t, g, LineItem, all(LineItem), 0, 100, 64)) {
		t.Error("columns asked for in another order differ")
	}
}

func TestBatchSizes(t *testing.T) {
	g := mustNew(t, 0.001, nil)
	for _, table := range Tables() {
		want := data(t, g, table, all(table), 0, g.Units(table), 1<<16)
		for _, rows := range []int{-1, 1, 7, 8, 13, 1000} {
			if !equal(data(t, g, table, all(table), 0, g.Units(table), rows), want) {
				t.Errorf("%s in batches of %d rows differs", table, rows)
			}
		}
	}
}

// tables for ranges: all rows of a small database, and where each unit begins.
type rangeOracle struct {
	g     *Generator
	whole [LineItem + 1]*Batch
	first [LineItem + 1][]int
}

func newRangeOracle(t testing.TB, scale float64) *rangeOracle {
	o := &rangeOracle{g: mustNew(t, scale, nil)}
	for _, table := range Tables() {
		units := o.g.Units(table)
		o.whole[table] = data(t, o.g, table, all(table), 0, units, 4096)
		rows := 0
		for u := range units {
			o.first[table] = append(o.first[table], rows)
			rows += data(t, o.g, table, nil, u, u+1, 7).Rows
		}
		o.first[table] = append(o.first[table], rows)
	}
	return o
}

func (o *rangeOracle) check(t *testing.T, table Table, from, to int64, batchRows int) {
	t.Helper()
	got := data(t, o.g, table, all(table), from, to, batchRows)
	if !equal(got, slice(o.whole[table], o.first[table][from], o.first[table][to])) {
		t.Errorf("%s, units %d to %d in batches of %d: differs from the whole", table, from, to, batchRows)
	}
}

func TestRanges(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for _, scale := range []float64{0.0003, 0.001} {
		o := newRangeOracle(t, scale)
		for range 100 {
			table := Table(random.IntN(int(LineItem) + 1))
			from := random.Int64N(o.g.Units(table) + 1)
			to := from + random.Int64N(o.g.Units(table)-from+1)
			o.check(t, table, from, to, 1+random.IntN(300))
		}
	}
}

func TestWideRanges(t *testing.T) {
	g := mustNew(t, MaxScale, nil)
	for _, table := range []Table{Orders, LineItem} {
		first := g.Units(table) - 500
		columns := all(table)
		whole := data(t, g, table, columns, first, first+500, 500)
		rows := 0
		for at := first; at < first+500; at += 50 {
			part := data(t, g, table, columns, at, at+50, 20)
			if !equal(part, slice(whole, rows, rows+part.Rows)) {
				t.Errorf("%s at scale %d: orders from %d depend on the range", table, MaxScale, at)
			}
			rows += part.Rows
		}
		for i, stats := range g.Stats(table) {
			checkBounds(t, table.Columns()[i], stats, &whole.Columns[i])
		}
	}
}

// TestWideKeys compares with rows that begin a part of tpchgen-cli
// (-s 30000 --parts 10000000 --part 5000000).
func TestWideKeys(t *testing.T) {
	g := mustNew(t, wideScale, nil)
	const order = 4500 * 4_999_999
	lines := data(t, g, LineItem, []int{LOrderKey, LPartKey, LSuppKey, LExtendedPrice}, order, order+1, 7)
	want := [][]int64{
		{89999981989, 89999981989}, {3931481943, 4342053920}, {256481983, 142053921}, {6170816, 928415},
	}
	for i := range want {
		if !slices.Equal(lines.Columns[i].Int64, want[i]) {
			t.Errorf("lineitem column %d: %v, want %v", i, lines.Columns[i].Int64, want[i])
		}
	}
	orders := data(t, g, Orders, []int{OCustKey, OTotalPrice}, order, order+1, 7)
	if c, p := orders.Columns[0].Int64[0], orders.Columns[1].Int64[0]; c != 802569943 || p != 7293449 {
		t.Errorf("customer %d pays %d, want 802569943 and 7293449", c, p)
	}
}

func FuzzRange(f *testing.F) {
	o := newRangeOracle(f, 0.0005)
	f.Add(uint8(LineItem), uint16(0), uint16(10), uint16(7))
	f.Add(uint8(PartSupp), uint16(99), uint16(1), uint16(5))
	f.Fuzz(func(t *testing.T, table uint8, from, units, rows uint16) {
		tb := Table(table % uint8(LineItem+1))
		n := o.g.Units(tb)
		lo := int64(from) % (n + 1)
		o.check(t, tb, lo, min(lo+int64(units), n), int(rows))
	})
}

func TestNoAllocations(t *testing.T) {
	text := NewText()
	text.Prefill(2)
	g := mustNew(t, 1, text)
	for _, table := range Tables()[Supplier:] {
		s, err := g.Scan(table, all(table), 0, g.Units(table))
		if err != nil {
			t.Fatal(err)
		}
		b := NewBatch(70)
		for range 3 {
			s.Next(b)
		}
		if n := testing.AllocsPerRun(50, func() { s.Next(b) }); n > 0 {
			t.Errorf("%s: %v allocations a batch", table, n)
		}
	}
}

func TestCallersMemory(t *testing.T) {
	g := mustNew(t, 0.001, nil)
	s, err := g.Scan(LineItem, []int{LPartKey, LShipDate}, 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	keys, dates := make([]int64, 100), make([]int32, 100)
	b := NewBatch(100)
	b.Columns = []Vector{{Int64: keys[:0]}, {Int32: dates[:0]}}
	if !s.Next(b) || &b.Columns[0].Int64[0] != &keys[0] || &b.Columns[1].Int32[0] != &dates[0] {
		t.Error("values are not in the caller's memory")
	}
	if s.Next(b) || b.Rows != 0 || s.Position() != 10 {
		t.Errorf("after the end: %d rows, position %d", b.Rows, s.Position())
	}
}

func TestErrors(t *testing.T) {
	for _, scale := range []float64{0, -1, 0.00009, 100_001, nan()} {
		if _, err := New(scale, nil); !errors.Is(err, ErrScale) {
			t.Errorf("scale %v: error %v", scale, err)
		}
	}
	g := mustNew(t, MinScale, nil)
	for _, c := range []struct {
		table    Table
		columns  []int
		from, to int64
		want     string
	}{
		{LineItem + 1, nil, 0, 0, "no TPC-H table 8"},
		{Region, nil, -1, 0, "range -1 to 0 of TPC-H table region, which has 5 units"},
		{Region, nil, 0, 6, "range 0 to 6 of TPC-H table region, which has 5 units"},
		{Region, nil, 2, 1, "range 2 to 1 of TPC-H table region, which has 5 units"},
		{Region, []int{3}, 0, 1, "no column 3 in TPC-H table region"},
		{Region, []int{-1}, 0, 1, "no column -1 in TPC-H table region"},
		{Nation, []int{1, 1}, 0, 1, "column n_name of TPC-H table nation asked for twice"},
	} {
		if _, err := g.Scan(c.table, c.columns, c.from, c.to); fmt.Sprint(err) != c.want {
			t.Errorf("error %q, want %q", err, c.want)
		}
	}
}

func nan() float64 { var zero float64; return zero / zero }

func TestRowCounts(t *testing.T) {
	for _, c := range []struct {
		scale float64
		table Table
		rows  int64
		exact bool
	}{
		{MinScale, Supplier, 1, true},
		{0.01, Part, 2000, true},
		{0.01, PartSupp, 8000, true},
		{0.01, LineItem, 60_175, true},
		{0.02, LineItem, 120_000, false},
		{1, Region, 5, true},
		{1, Nation, 25, true},
		{1, Customer, 150_000, true},
		{100, Orders, 150_000_000, true},
		{100, LineItem, 600_037_902, true},
		{100_000, PartSupp, 80_000_000_000, true},
	} {
		rows, exact := mustNew(t, c.scale, nil).Rows(c.table)
		if rows != c.rows || exact != c.exact {
			t.Errorf("scale %v: %s has %d rows (exact: %t), want %d (%t)",
				c.scale, c.table, rows, exact, c.rows, c.exact)
		}
	}
}

func TestCountLines(t *testing.T) {
	for _, scale := range []float64{0.01, 1, 10} {
		g := mustNew(t, scale, nil)
		want, _ := g.Rows(LineItem)
		third := g.orders / 3
		if n := g.CountLines(-5, third) + g.CountLines(third, g.orders+5); n != want {
			t.Errorf("scale %v: %d lines, want %d", scale, n, want)
		}
	}
	if n := mustNew(t, 1, nil).CountLines(9, 3); n != 0 {
		t.Errorf("%d lines in an empty range", n)
	}
}

func TestParseTable(t *testing.T) {
	for _, table := range Tables() {
		if got, ok := ParseTable(table.String()); !ok || got != table {
			t.Errorf("ParseTable(%s) = %s, %t", table, got, ok)
		}
	}
	if _, ok := ParseTable("LINEITEM"); ok {
		t.Error("ParseTable takes upper case")
	}
}

func TestConcurrentScans(t *testing.T) {
	text := NewText()
	g := mustNew(t, 0.01, text)
	want := data(t, g, Customer, all(Customer), 0, 500, 100)
	text.Release()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if !equal(data(t, g, Customer, all(Customer), 0, 500, 100), want) {
				t.Error("a scan beside others differs")
			}
			text.Release()
		})
	}
	wg.Wait()
}

func TestStats(t *testing.T) {
	g := mustNew(t, 0.01, nil)
	for _, table := range Tables() {
		whole := data(t, g, table, all(table), 0, g.Units(table), 4096)
		stats := g.Stats(table)
		for i, c := range table.Columns() {
			checkBounds(t, c, stats[i], &whole.Columns[i])
			checkDistinct(t, c, stats[i], &whole.Columns[i])
		}
	}
	if g.Stats(LineItem+1) != nil {
		t.Error("statistics of a table that does not exist")
	}
}

// values returns a column as comparable values, and the bytes in its strings.
func values(c Column, v *Vector) (list []any, size int) {
	switch c.Layout {
	case Int64:
		for _, x := range v.Int64 {
			list = append(list, x)
		}
	case Int32:
		for _, x := range v.Int32 {
			list = append(list, int64(x))
		}
	case Codes:
		for _, x := range v.Codes {
			list, size = append(list, c.Values[x]), size+len(c.Values[x])
		}
	case Strings:
		for i := range len(v.Offsets) - 1 {
			list = append(list, string(v.Text(i)))
		}
		size = len(v.Bytes)
	}
	return list, size
}

func checkBounds(t *testing.T, c Column, s Stats, v *Vector) {
	t.Helper()
	list, _ := values(c, v)
	for _, x := range list {
		switch x := x.(type) {
		case int64:
			if x < s.Min || x > s.Max {
				t.Errorf("%s: %d is not within %d and %d", c.Name, x, s.Min, s.Max)
				return
			}
		case string:
			if len(x) > c.Size || s.MaxText != "" && (x < s.MinText || x > s.MaxText) {
				t.Errorf("%s: %q is longer than %d or not within %q and %q", c.Name, x, c.Size, s.MinText, s.MaxText)
				return
			}
		}
	}
}

func checkDistinct(t *testing.T, c Column, s Stats, v *Vector) {
	t.Helper()
	list, size := values(c, v)
	set := map[any]bool{}
	for _, x := range list {
		set[x] = true
	}
	if got, want := float64(len(set)), float64(s.Distinct); s.Distinct > 0 && (got < 0.97*want || got > 1.03*want) {
		t.Errorf("%s: %v different values, statistics say %v", c.Name, got, want)
	}
	average := float64(size) / float64(len(list))
	if len(list) > 1000 && size > 0 && (average < 0.94*s.AvgBytes || average > 1.06*s.AvgBytes) {
		t.Errorf("%s: average length %.2f, statistics say %.2f", c.Name, average, s.AvgBytes)
	}
}

func TestSchemaHangsTogether(t *testing.T) {
	for _, table := range Tables() {
		for _, c := range table.Columns() {
			text := c.Kind == Char || c.Kind == Varchar
			if text != (c.Size > 0) || text != (c.Layout == Codes || c.Layout == Strings) {
				t.Errorf("%s: kind %d, size %d, layout %d", c.Name, c.Kind, c.Size, c.Layout)
			}
			if (c.Layout == Codes) != (c.Values != nil) {
				t.Errorf("%s: layout %d with %d values", c.Name, c.Layout, len(c.Values))
			}
		}
	}
	names := []string{}
	for _, c := range LineItem.Columns() {
		names = append(names, c.Name)
	}
	if want := []string{
		"l_orderkey", "l_partkey", "l_suppkey", "l_linenumber", "l_quantity", "l_extendedprice",
		"l_discount", "l_tax", "l_returnflag", "l_linestatus", "l_shipdate", "l_commitdate",
		"l_receiptdate", "l_shipinstruct", "l_shipmode", "l_comment",
	}; !reflect.DeepEqual(names, want) {
		t.Errorf("lineitem has columns %v", names)
	}
}
