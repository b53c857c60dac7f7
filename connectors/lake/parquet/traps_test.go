package parquet

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	pq "github.com/apache/arrow-go/v18/parquet"

	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
)

func le64(x int64) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(x)) }

func le32(x uint32) []byte { return binary.LittleEndian.AppendUint32(nil, x) }

func leFloat(f float64) []byte { return le64(int64(math.Float64bits(f))) }

// TestStatisticsTraps reads with conditions under statistics as real writers
// have them, some of which mean less than they seem to: no row may be lost that
// a reader without statistics finds. pruned says that a condition that no
// row meets is known to be so from the statistics.
func TestStatisticsTraps(t *testing.T) {
	i64, f64, str := arrow.PrimitiveTypes.Int64, arrow.PrimitiveTypes.Float64, arrow.BinaryTypes.String
	nan, inf := math.NaN(), math.Inf(1)
	tests := []struct {
		name   string
		kind   arrow.DataType
		values []any // of a group, as Go values; nil is null
		stats  Stats
		probes []any // constants to compare with
		pruned bool  // something is
	}{
		{"exact", i64, []any{int64(3), int64(9)}, Stats{Min: le64(3), Max: le64(9)}, []any{int64(2), int64(3), int64(5), int64(9), int64(10)}, true},
		{"truncated strings", str, []any{"apple pie", "zebra crossing"}, Stats{Min: []byte("ap"), Max: []byte("zf")}, []any{"a", "ap", "apple pie", "zebra crossing", "zf", "zz"}, true},
		{"truncated to the same", str, []any{"aaaab", "aaaac"}, Stats{Min: []byte("aaaa"), Max: []byte("aaab")}, []any{"aaaa", "aaaab", "aaaac", "aaab", "b"}, true},
		{"maximum cut off without being raised is no maximum of ours", str, []any{"a", "b"}, Stats{Min: []byte("a")}, []any{"a", "b", "c", ""}, true},
		{"legacy strings in signed order", str, []any{"a", "\u00e9t\u00e9", "z"}, Stats{Min: []byte("\u00e9t\u00e9"), Max: []byte("z"), old: true}, []any{"a", "\u00e9t\u00e9", "z", "\u00e0"}, false},
		{"empty string is a minimum", str, []any{"", "b"}, Stats{Min: []byte{}, Max: []byte("b")}, []any{"", "a", "b", "c"}, true},
		{"bytes beyond UTF-8", str, []any{"a", "\xff\xff"}, Stats{Min: []byte("a"), Max: []byte("\xff\xff")}, []any{"a", "\xff\xff", "\xff"}, true},
		{"NaN among values, left out", f64, []any{1.0, 2.0, nan}, Stats{Min: leFloat(1), Max: leFloat(2)}, []any{0.0, 1.0, 2.0, 3.0, nan}, true},
		{"NaN as both bounds", f64, []any{1.0, nan, 5.0}, Stats{Min: leFloat(nan), Max: leFloat(nan)}, []any{0.0, 1.0, 5.0, 6.0, nan}, false},
		{"NaN as maximum", f64, []any{1.0, nan, 5.0}, Stats{Min: leFloat(1), Max: leFloat(nan)}, []any{0.0, 1.0, 5.0, 6.0}, true},
		{"zeros of both signs", f64, []any{math.Copysign(0, -1), 0.0, 1.0}, Stats{Min: leFloat(0), Max: leFloat(1)}, []any{math.Copysign(0, -1), 0.0, -1.0, 1.0}, true},
		{"negative zero as maximum", f64, []any{-1.0, 0.0}, Stats{Min: leFloat(-1), Max: leFloat(math.Copysign(0, -1))}, []any{math.Copysign(0, -1), 0.0, -1.0}, true},
		{"infinities", f64, []any{-inf, inf}, Stats{Min: leFloat(-inf), Max: leFloat(inf)}, []any{-inf, inf, 0.0}, true},
		{"no null count", i64, []any{int64(1), nil}, Stats{Min: le64(1), Max: le64(1), Nulls: -1}, []any{int64(0), int64(1)}, true},
		{"nulls only, placeholders as bounds", i64, []any{nil, nil}, Stats{Min: le64(0), Max: le64(0), Nulls: 2}, []any{int64(0), int64(1)}, true},
		{"bounds the wrong way round", i64, []any{int64(1), int64(9)}, Stats{Min: le64(9), Max: le64(1)}, []any{int64(1), int64(5), int64(9), int64(10)}, false},
		{"bounds of the wrong width", i64, []any{int64(1), int64(9)}, Stats{Min: []byte{1, 2, 3}, Max: le32(9)}, []any{int64(1), int64(9), int64(100)}, false},
		{"maximum only", i64, []any{int64(1), int64(9)}, Stats{Max: le64(9)}, []any{int64(0), int64(1), int64(9), int64(10)}, true},
		{"legacy numbers", i64, []any{int64(-5), int64(9)}, Stats{Min: le64(-5), Max: le64(9), old: true}, []any{int64(-6), int64(-5), int64(9), int64(10)}, true},
		{"legacy unsigned numbers in signed order", arrow.PrimitiveTypes.Uint32, []any{uint32(1), uint32(4_000_000_000)}, Stats{Min: le32(4_000_000_000), Max: le32(1), old: true}, []any{int64(1), int64(4_000_000_000), int64(5)}, false},
		{"unsigned numbers", arrow.PrimitiveTypes.Uint32, []any{uint32(1), uint32(4_000_000_000)}, Stats{Min: le32(1), Max: le32(4_000_000_000)}, []any{int64(0), int64(1), int64(4_000_000_000), int64(4_000_000_001)}, true},
		{"half-precision numbers, NaN as minimum", f64, []any{1.0}, Stats{Min: leFloat(nan), Max: leFloat(1)}, []any{1.0, 2.0}, true},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			tf := trapFile(t, tc.kind, tc.values)
			stats := &tf.file.Groups[0].Chunks[0].Stats
			skipped := false
			for _, x := range append(tc.probes, any(nil)) {
				for i, e := range trapConditions(t, tf, x) {
					*stats = Stats{Nulls: -1, Distinct: -1}
					cfg := tf.config()
					cfg.Predicate = e
					want := readRows(t, cfg)
					*stats = tc.stats
					got, st := readCounted(t, cfg)
					if got != len(want) {
						t.Errorf("%s: %d rows, without statistics %d", e, got, len(want))
					}
					skipped = skipped || st.GroupsSkipped > 0 && x != nil && i < comparisons
				}
			}
			if skipped != tc.pruned {
				t.Errorf("something was pruned: %v, want %v", skipped, tc.pruned)
			}
		})
	}
}

// trapFile has one row group of one column x without a dictionary, which would
// know better than statistics.
func trapFile(t *testing.T, kind arrow.DataType, values []any) *testFile {
	t.Helper()
	rb := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{{Name: "x", Type: kind, Nullable: true}}, nil))
	for _, v := range values {
		switch v := v.(type) {
		case nil:
			rb.Field(0).AppendNull()
		case int64:
			rb.Field(0).(*array.Int64Builder).Append(v)
		case uint32:
			rb.Field(0).(*array.Uint32Builder).Append(v)
		case float64:
			rb.Field(0).(*array.Float64Builder).Append(v)
		case string:
			rb.Field(0).(*array.StringBuilder).Append(v)
		}
	}
	return openBytes(t, write(t, rb.NewRecordBatch(), pq.WithDictionaryDefault(false)))
}

// comparisons is how many of trapConditions ask for bounds, the first ones.
const comparisons = 14

// trapConditions are all comparisons with a constant, and null tests.
func trapConditions(t *testing.T, tf *testFile, x any) (out []expr.Expr) {
	t.Helper()
	col := &expr.Column{ID: 0, Typ: tf.file.Fields[0].Type}
	c := &expr.Const{Value: x, Typ: col.Typ}
	for _, op := range []string{function.OpEq, function.OpNe, function.OpLt, function.OpLe, function.OpGt, function.OpGe} {
		e := call(t, op, col, c)
		out = append(out, e, form(expr.Not, e))
	}
	return append(out, form(expr.In, col, c), form(expr.Not, form(expr.In, col, c)), form(expr.IsNull, col), form(expr.Not, form(expr.IsNull, col)))
}

// TestFooterWithoutColumnOrders: what such a file says of its strings' bounds
// is in an order nobody knows.
func TestFooterWithoutColumnOrders(t *testing.T) {
	tf := trapFile(t, arrow.BinaryTypes.String, []any{"a", "b"})
	if tf.file.Groups[0].Chunks[0].Stats.old {
		t.Fatal("the writer leaves column orders out")
	}
	tf.file.distrust()
	cfg := tf.config()
	cfg.Predicate = trapConditions(t, tf, "c")[0]
	if n, st := readCounted(t, cfg); n != 0 || st.GroupsSkipped != 0 {
		t.Errorf("%d rows, %d groups skipped by bounds of no known order", n, st.GroupsSkipped)
	}
}

// TestEveryByte damages files byte by byte. Whatever is done to one, it is an
// error that names the file or an answer: no panic, no end of memory, no hang.
func TestEveryByte(t *testing.T) {
	for name, data := range smallestFiles(t) {
		t.Run(name, func(t *testing.T) {
			flips := []byte{0xff, 0x01, 0x80}
			if testing.Short() {
				flips = flips[:1]
			}
			for at := range data {
				for _, flip := range flips {
					damaged := append([]byte(nil), data...)
					damaged[at] ^= flip
					readDamaged(t, damaged)
				}
			}
			for n := range len(data) {
				readDamaged(t, data[:n])
			}
		})
	}
}

// smallestFiles are files of a few rows in several forms.
func smallestFiles(t *testing.T) map[string][]byte {
	i64, str := arrow.PrimitiveTypes.Int64, arrow.BinaryTypes.String
	fields := []arrow.Field{{Name: "i", Type: i64, Nullable: true}, {Name: "s", Type: str}}
	lists := []arrow.Field{{Name: "l", Type: arrow.ListOf(str), Nullable: true}, {Name: "m", Type: arrow.MapOf(str, i64), Nullable: true}}
	rec := func(fields []arrow.Field) arrow.RecordBatch { return makeRecord(newMaker(4, 0.3), 6, fields...) }
	return map[string][]byte{
		"dictionary": write(t, rec(fields)),
		"plain v2":   write(t, rec(fields), pq.WithDictionaryDefault(false), pq.WithDataPageVersion(pq.DataPageV2)),
		"page index": write(t, rec(fields), pq.WithPageIndexEnabled(true), pq.WithBatchSize(2), pq.WithDataPageSize(10), pq.WithDictionaryDefault(false)),
		"nested":     write(t, rec(lists)),
	}
}

// TestChecksums: in a file whose pages have checksums, damage anywhere in the
// pages is noticed, or does not matter.
func TestChecksums(t *testing.T) {
	for _, name := range []string{"checksums-v1", "checksums-v2"} {
		data := readFile(t, name)
		tf := openBytes(t, data)
		want := fmt.Sprint(readRows(t, tf.config()))
		caught := 0
		for at := 4; at < int(tf.file.Groups[0].End); at++ {
			damaged := append([]byte(nil), data...)
			damaged[at] ^= 1 << (at % 8)
			df := openBytes(t, damaged)
			rows, err := tryRows(df.config())
			if err != nil {
				checkError(t, err)
				caught++
			} else if got := fmt.Sprint(rows); got != want {
				t.Fatalf("%s: damage at byte %d gives other rows", name, at)
			}
		}
		if caught < int(tf.file.Groups[0].End)/2 {
			t.Errorf("%s: damage was noticed in %d places of %d", name, caught, tf.file.Groups[0].End)
		}
		damaged := append([]byte(nil), data...)
		damaged[tf.file.Groups[0].Chunks[0].Off+tf.file.Groups[0].Chunks[0].Len-1] ^= 1
		if _, err := tryRows(openBytes(t, damaged).config()); err == nil || !strings.Contains(err.Error(), "checksum") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
