package parquet

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	pq "github.com/apache/arrow-go/v18/parquet"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/exec/kernel"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

func call(t testing.TB, op string, args ...expr.Expr) expr.Expr {
	t.Helper()
	kinds := make([]types.Type, len(args))
	for i, a := range args {
		kinds[i] = a.Type()
	}
	fn, err := function.ResolveScalar(op, kinds)
	if err != nil {
		t.Fatal(err)
	}
	return &expr.Call{Fn: fn, Args: args}
}

func form(op expr.Op, args ...expr.Expr) expr.Expr {
	return &expr.Form{Op: op, Args: args, Typ: types.Of(types.Boolean)}
}

// randomPredicate returns a condition over the columns, with constants that
// occur in rows now and then.
func randomPredicate(t testing.TB, r *rand.Rand, cols []Column, rows [][]any, depth int) expr.Expr {
	if depth > 0 && r.IntN(3) > 0 {
		a, b := randomPredicate(t, r, cols, rows, depth-1), randomPredicate(t, r, cols, rows, depth-1)
		switch r.IntN(4) {
		case 0:
			return form(expr.Or, a, b)
		case 1:
			return form(expr.Not, a)
		}
		return form(expr.And, a, b)
	}
	i := r.IntN(len(cols))
	col := &expr.Column{ID: expr.ColumnID(i), Typ: cols[i].Type}
	constant := func() expr.Expr {
		return &expr.Const{Value: rows[r.IntN(len(rows))][i], Typ: cols[i].Type}
	}
	switch r.IntN(8) {
	case 0:
		return form(expr.IsNull, col)
	case 1:
		return form(expr.Not, form(expr.IsNull, col))
	case 2:
		return form(expr.In, col, constant(), constant(), constant())
	}
	ops := []string{function.OpEq, function.OpNe, function.OpLt, function.OpLe, function.OpGt, function.OpGe}
	args := []expr.Expr{col, constant()}
	if r.IntN(3) == 0 {
		args[0], args[1] = args[1], args[0]
	}
	return call(t, ops[r.IntN(len(ops))], args...)
}

// naive filters rows by evaluating the predicate on what a plain read returns.
func naive(t testing.TB, cfg Config, e expr.Expr) (rows [][]any) {
	t.Helper()
	cfg.Predicate, cfg.Hint = nil, nil
	f, err := kernel.CompileFilter(&kernel.Env{Account: cfg.Account}, e)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := NewReader(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		b, err := r.Next(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if b == nil {
			return rows
		}
		if err := b.Load(); err != nil {
			t.Fatal(err)
		}
		if b.Sel, err = f.Apply(b); err != nil {
			t.Fatal(err)
		}
		for i := range b.Rows() {
			row := make([]any, len(b.Cols))
			for c, v := range b.Cols {
				row[c] = kernel.ValueAt(v, b.Row(i))
			}
			rows = append(rows, row)
		}
	}
}

// TestPredicates compares reads with random predicates, with all pruning, to
// plain reads filtered afterwards.
func TestPredicates(t *testing.T) {
	kinds := []arrow.DataType{
		arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Int64, arrow.PrimitiveTypes.Float64,
		arrow.BinaryTypes.String, arrow.FixedWidthTypes.Date32, arrow.FixedWidthTypes.Boolean,
		&arrow.Decimal128Type{Precision: 12, Scale: 2}, &arrow.Decimal128Type{Precision: 30, Scale: 2},
		&arrow.TimestampType{Unit: arrow.Millisecond}, arrow.PrimitiveTypes.Uint64, arrow.PrimitiveTypes.Int8,
		&arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"},
	}
	fields := make([]arrow.Field, len(kinds))
	for i, k := range kinds {
		fields[i] = arrow.Field{Name: fmt.Sprintf("c%d", i), Type: k, Nullable: i%3 != 0}
	}
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 11))
			m := &maker{r: r, nulls: 0.1, few: []int{0, 3, 100}[seed%3]}
			rec := makeRecord(m, 2000, fields...)
			tf := openBytes(t, write(t, rec, pq.WithMaxRowGroupLength(300), pq.WithDataPageSize(500), pq.WithBatchSize(50),
				pq.WithPageIndexEnabled(seed%2 == 0), pq.WithBloomFilterEnabled(seed%4 < 2), pq.WithDictionaryPageSizeLimit(800)))
			rows := arrowRows(rec)
			for range 25 {
				cfg := tf.config()
				cfg.BatchRows = 1 + r.IntN(500)
				e := randomPredicate(t, r, cfg.Columns, rows, 3)
				want := naive(t, cfg, e)
				cfg.Predicate = e
				got := readRows(t, cfg)
				if len(got) != len(want) {
					t.Fatalf("%s: %d rows instead of %d", e, len(got), len(want))
				}
				same(t, got, want)
				cfg.Predicate, cfg.Hint = nil, e
				if n := len(readRows(t, cfg)); n < len(want) {
					t.Fatalf("hint %s: %d rows, %d match", e, n, len(want))
				}
			}
		})
	}
}

// sortedFile has n rows of an ascending number, a word of few and a long text.
func sortedFile(t testing.TB, n int, opts ...pq.WriterProperty) *testFile {
	rb := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int64}, {Name: "word", Type: arrow.BinaryTypes.String}, {Name: "text", Type: arrow.BinaryTypes.String},
	}, nil))
	for i := range n {
		rb.Field(0).(*array.Int64Builder).Append(int64(i) * 2)
		rb.Field(1).(*array.StringBuilder).Append([]string{"red", "green", "blue"}[i/7%3])
		rb.Field(2).(*array.StringBuilder).Append(strings.Repeat("x", i%50) + fmt.Sprint(i))
	}
	return openBytes(t, write(t, rb.NewRecordBatch(), opts...))
}

// readCounted reads with a predicate and returns the number of rows and the
// reader's statistics.
func readCounted(t testing.TB, cfg Config) (rows int, st connectors.SourceStats) {
	r, err := NewReader(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		b, err := r.Next(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if b == nil {
			return rows, r.Stats()
		}
		rows += b.Rows()
	}
}

// TestPruning checks what is skipped, by each means.
func TestPruning(t *testing.T) {
	id := &expr.Column{ID: 0, Typ: types.Of(types.BigInt)}
	word := &expr.Column{ID: 1, Typ: types.VarcharType()}
	number := func(n int64) expr.Expr { return &expr.Const{Value: n, Typ: id.Typ} }
	str := func(s string) expr.Expr { return &expr.Const{Value: s, Typ: word.Typ} }
	groups := pq.WithMaxRowGroupLength(1000)
	small := pq.WithDataPageSize(200)
	tests := []struct {
		name    string
		e       expr.Expr
		opts    []pq.WriterProperty
		rows    int
		skipped int64 // groups of 10
		tested  int64 // rows
	}{
		{"statistics", call(t, function.OpLt, id, number(500)), []pq.WriterProperty{groups}, 250, 9, 1000},
		{"none", call(t, function.OpGe, id, number(0)), []pq.WriterProperty{groups}, 10000, 0, 10000},
		{"page index", call(t, function.OpLt, id, number(100)), []pq.WriterProperty{groups, small, pq.WithBatchSize(100), pq.WithPageIndexEnabled(true), pq.WithDictionaryDefault(false)}, 50, 9, 100},
		{"bloom filter", call(t, function.OpEq, id, number(4001)), []pq.WriterProperty{groups, pq.WithBloomFilterEnabledFor("id", true), pq.WithDictionaryDefault(false)}, 0, 10, 0},
		{"bloom filter has it", form(expr.In, id, number(4001), number(4002)), []pq.WriterProperty{groups, pq.WithBloomFilterEnabledFor("id", true), pq.WithDictionaryDefault(false)}, 1, 9, 1000},
		{"dictionary", call(t, function.OpEq, word, str("green1")), []pq.WriterProperty{groups}, 0, 10, 0},
		{"dictionary function", call(t, function.OpLike, word, str("%gr_n%")), []pq.WriterProperty{groups}, 0, 10, 0},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			tf := sortedFile(t, 10000, tc.opts...)
			cfg := tf.config("id", "word")
			cfg.Predicate = tc.e
			rows, st := readCounted(t, cfg)
			if rows != tc.rows || st.GroupsSkipped != tc.skipped || st.PhysicalRows != tc.tested {
				t.Errorf("%d rows, %d groups skipped, %d rows tested; want %d, %d, %d", rows, st.GroupsSkipped, st.PhysicalRows, tc.rows, tc.skipped, tc.tested)
			}
		})
	}
}

// TestLateMaterialisation: a column that only survivors need is read for them.
func TestLateMaterialisation(t *testing.T) {
	tf := sortedFile(t, 20000, pq.WithDataPageSize(2000), pq.WithBatchSize(100), pq.WithDictionaryDefault(false))
	cfg := tf.config("id", "text")
	cfg.BatchRows = 1000
	id := &expr.Column{ID: 0, Typ: types.Of(types.BigInt)}
	cfg.Predicate = form(expr.In, id, &expr.Const{Value: int64(30002), Typ: id.Typ}, &expr.Const{Value: int64(30004), Typ: id.Typ})
	r, err := NewReader(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := r.Next(context.Background())
	if err != nil || b.Rows() != 2 {
		t.Fatal(b, err)
	}
	if b.Cols[1].Enc != vector.Lazy {
		t.Fatalf("the text was read before anybody asked")
	}
	if err := b.Load(); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"x15001", "xx15002"} {
		if got := string(b.Cols[1].Bytes(b.Row(i))); got != want {
			t.Errorf("row %d is %q, want %q", i, got, want)
		}
	}
	// All pages but the one or two of the survivors were passed over unopened.
	p := &r.slots[1].col.(*flatColumn).pages
	if n := len(p.spare) + len(p.keep); n > 2 {
		t.Errorf("%d pages were decompressed", n)
	}
	if b, err = r.Next(context.Background()); b != nil || err != nil {
		t.Fatal(b, err)
	}
}

// TestDynamic applies dynamic filters of each sort, which arrive late.
func TestDynamic(t *testing.T) {
	bloom := connectors.NewBloom(10)
	ten := &vector.Vector{Type: types.Of(types.BigInt), N: 1, Data: []byte{10, 0, 0, 0, 0, 0, 0, 0}}
	var hash [1]uint64
	kernel.Hash([]*vector.Vector{ten}, nil, 1, hash[:])
	connectors.BloomAdd(bloom, hash[0])
	tests := []struct {
		name   string
		column int
		f      connectors.DynamicFilter
		want   int // rows of 10000
	}{
		{"empty", 0, connectors.DynamicFilter{Empty: true}, 0},
		{"bounds", 0, connectors.DynamicFilter{Min: int64(100), Max: int64(198)}, 50},
		{"values", 0, connectors.DynamicFilter{Min: int64(3), Max: int64(9000), Values: []any{int64(3), int64(4), int64(9000)}}, 2},
		{"words", 1, connectors.DynamicFilter{Values: []any{"red", "violet"}}, 3336},
		{"bloom", 0, connectors.DynamicFilter{Bloom: bloom}, -1},
		{"bits", 0, connectors.DynamicFilter{Min: int64(100), Max: int64(230), Bits: []uint64{1 | 1<<2 | 1<<3, 0, 1 << 2}}, 3},
		{"too few bits", 0, connectors.DynamicFilter{Min: int64(100), Max: int64(198), Bits: []uint64{1}}, 50},
	}
	for _, dict := range []bool{true, false} {
		for _, tc := range tests {
			t.Run(fmt.Sprintf("%s/dictionary %v", tc.name, dict), func(t *testing.T) {
				tf := sortedFile(t, 10000, pq.WithMaxRowGroupLength(1000), pq.WithDictionaryDefault(dict))
				cfg := tf.config("id", "word")
				cfg.Dynamic = []connectors.DynamicUse{{ID: 5, Column: tc.column}}
				cfg.Filter = func(id int32) *connectors.DynamicFilter {
					if id != 5 {
						t.Errorf("asked for filter %d", id)
					}
					return &tc.f
				}
				rows, st := readCounted(t, cfg)
				if tc.want >= 0 && rows != tc.want || tc.want < 0 && (rows == 0 || rows > 400) {
					t.Errorf("%d rows, want %d", rows, tc.want)
				}
				if tc.name == "bounds" && st.GroupsSkipped != 9 {
					t.Errorf("%d groups skipped, want 9", st.GroupsSkipped)
				}
			})
		}
	}
}
