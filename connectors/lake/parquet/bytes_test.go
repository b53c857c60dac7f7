package parquet

import (
	"context"
	"fmt"
	"math"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	pq "github.com/apache/arrow-go/v18/parquet"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/connectors/objstore"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// counting counts what is read of a bucket.
type counting struct {
	objstore.Bucket
	mu    sync.Mutex
	calls int
	bytes int64
}

func (c *counting) GetRange(ctx context.Context, key, etag string, off int64, dst []byte) (int, error) {
	n, err := c.Bucket.GetRange(ctx, key, etag, off, dst)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	c.bytes += int64(n)
	return n, err
}

// TestBytesRead counts the bytes that leave the store, by each means of not
// reading: columns, row groups by statistics, bloom filters and dictionaries,
// pages by their index.
func TestBytesRead(t *testing.T) {
	const rows = 40_000
	groups := pq.WithMaxRowGroupLength(rows / 10)
	paged := []pq.WriterProperty{groups, pq.WithDataPageSize(2000), pq.WithBatchSize(100), pq.WithDictionaryDefault(false), pq.WithPageIndexEnabled(true)}
	id := &expr.Column{ID: 0, Typ: types.Of(types.BigInt)}
	word := &expr.Column{ID: 1, Typ: types.VarcharType()}
	number := func(n int64) expr.Expr { return &expr.Const{Value: n, Typ: id.Typ} }
	str := func(s string) expr.Expr { return &expr.Const{Value: s, Typ: word.Typ} }
	tests := []struct {
		name    string
		opts    []pq.WriterProperty
		columns []string
		e       expr.Expr
		rows    int
		least   float64 // shares of the chunks of the columns
		most    float64
	}{
		{"everything", []pq.WriterProperty{groups}, []string{"id", "word", "text"}, nil, rows, 1, 1},
		{"one group by statistics", []pq.WriterProperty{groups}, []string{"id", "word", "text"}, call(t, function.OpLt, id, number(100)), 50, 0.08, 0.12},
		{"no group by statistics", []pq.WriterProperty{groups}, []string{"id", "word", "text"}, call(t, function.OpLt, id, number(-1)), 0, 0, 0},
		{"some pages of one group", paged, []string{"id", "word", "text"}, call(t, function.OpLt, id, number(200)), 100, 0.002, 0.01},
		{"pages amid the file", paged, []string{"id", "word", "text"}, form(expr.In, id, number(30_002), number(70_004)), 2, 0.0005, 0.02},
		{"pages of other columns only", paged, []string{"id", "word", "text"}, form(expr.And, call(t, function.OpGe, id, number(8000)), call(t, function.OpLt, id, number(9000))), 500, 0.01, 0.03},
		{"no page by its index", paged, []string{"id", "text"}, call(t, function.OpEq, id, number(3001)), 0, 0, 0.01},
		{"bloom filter", []pq.WriterProperty{groups, pq.WithBloomFilterEnabledFor("id", true), pq.WithBloomFilterNDV(4000), pq.WithDictionaryDefault(false)}, []string{"id", "word", "text"}, call(t, function.OpEq, id, number(4001)), 0, 0, 0.05},
		{"dictionaries", []pq.WriterProperty{groups}, []string{"id", "word", "text"}, call(t, function.OpEq, word, str("green1")), 0, 0, 0.35},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			tf := sortedFile(t, rows, tc.opts...)
			cfg := tf.config(tc.columns...)
			count := &counting{Bucket: tf.b}
			cfg.Bucket, cfg.Predicate = count, tc.e
			cfg.Fetcher = NewFetcher(tf.root, objstore.FetchOptions{Gap: -1, Target: 1 << 20})
			var chunks int64
			for i := range tf.file.Groups {
				for _, c := range cfg.Columns {
					chunks += tf.file.Groups[i].Chunks[c.Field.Leaf.Index].Len
				}
			}
			got, st := readAndCount(t, cfg)
			if got != tc.rows {
				t.Errorf("%d rows, want %d", got, tc.rows)
			}
			share := float64(count.bytes) / float64(chunks)
			if share < tc.least || share > tc.most || count.bytes < st.PhysicalBytes {
				t.Errorf("%d bytes of %d (%.4f) in %d reads, %d by the statistics; want %v to %v",
					count.bytes, chunks, share, count.calls, st.PhysicalBytes, tc.least, tc.most)
			}
		})
	}
}

// readAndCount is readCounted with all columns loaded.
func readAndCount(t testing.TB, cfg Config) (rows int, st connectors.SourceStats) {
	t.Helper()
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
		if err := b.Load(); err != nil {
			t.Fatal(err)
		}
		rows += b.Rows()
	}
}

// TestLimitReadsPages: with a page index, a limit reads the first pages only.
func TestLimitReadsPages(t *testing.T) {
	tf := sortedFile(t, 20_000, pq.WithMaxRowGroupLength(5000), pq.WithDataPageSize(2000), pq.WithBatchSize(100),
		pq.WithDictionaryDefault(false), pq.WithPageIndexEnabled(true))
	for _, tc := range []struct {
		limit, rows, most int64
	}{{1, 1, 10_000}, {10, 10, 10_000}, {5000, 5000, 300_000}, {5001, 5001, 310_000}, {1 << 40, 20_000, math.MaxInt64}, {0, 20_000, math.MaxInt64}} {
		cfg := tf.config()
		count := &counting{Bucket: tf.b}
		cfg.Bucket, cfg.Limit = count, tc.limit
		cfg.Fetcher = NewFetcher(tf.root, objstore.FetchOptions{Gap: -1})
		rows, st := readAndCount(t, cfg)
		if int64(rows) != tc.rows || st.PhysicalRows != tc.rows || count.bytes > tc.most {
			t.Errorf("limit %d: %d rows, %d decoded, %d bytes; want %d rows and at most %d bytes", tc.limit, rows, st.PhysicalRows, count.bytes, tc.rows, tc.most)
		}
	}
}

// TestPagesWithNulls reads the few rows that a condition leaves of columns with
// nulls, lists and strings, whose pages begin at different rows.
func TestPagesWithNulls(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			m := newMaker(seed, 0.3)
			fields := append(flatFields(true), nestedFields()...)
			fields = append([]arrow.Field{{Name: "k", Type: arrow.PrimitiveTypes.Int64}}, fields...)
			rec := makeOrdered(m, 3000, fields)
			tf := openBytes(t, write(t, rec, pq.WithMaxRowGroupLength(1000), pq.WithDataPageSize(300), pq.WithBatchSize(20),
				pq.WithPageIndexEnabled(true), pq.WithDictionaryDefault(seed%2 == 0), pq.WithDictionaryPageSizeLimit(700),
				pq.WithDataPageVersion(pq.DataPageVersion(seed%3%2))))
			all := arrowRows(rec)
			k := &expr.Column{ID: 0, Typ: types.Of(types.BigInt)}
			at := func(n int64) expr.Expr { return &expr.Const{Value: n, Typ: k.Typ} }
			for _, span := range [][2]int64{{0, 0}, {5, 7}, {999, 1000}, {1500, 1700}, {2990, 3100}, {0, 2999}} {
				cfg := tf.config()
				cfg.BatchRows = 100
				cfg.Fetcher = NewFetcher(tf.root, objstore.FetchOptions{Gap: -1})
				cfg.Predicate = form(expr.And, call(t, function.OpGe, k, at(span[0])), call(t, function.OpLe, k, at(span[1])))
				same(t, readRows(t, cfg), all[span[0]:min(span[1]+1, 3000)])
			}
		})
	}
}
