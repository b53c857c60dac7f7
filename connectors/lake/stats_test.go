package lake

import (
	"testing"

	"github.com/tuttidb/tutti/connectors/lake/parquet"
	"github.com/tuttidb/tutti/sql/types"
)

// TestDistinctOfSorted checks that sorted tables are seen to have more
// different values than any one row group, and others are not.
func TestDistinctOfSorted(t *testing.T) {
	spans := func(n int, of func(i int64) parquet.Span) []parquet.Span {
		out := make([]parquet.Span, n)
		for i := range out {
			out[i] = of(int64(i))
		}
		return out
	}
	sorted := spans(50, func(i int64) parquet.Span { return parquet.Span{Min: i * 1000, Max: i*1000 + 999} })
	same := spans(50, func(int64) parquet.Span { return parquet.Span{Min: 0, Max: 49_999} })
	outlier := spans(50, func(int64) parquet.Span { return parquet.Span{Min: 1, Max: 10} })
	outlier[7].Max = 1e15
	for _, c := range []struct {
		name   string
		spans  []parquet.Span
		dict   dictSize
		lo, hi float64
	}{
		{"sorted", sorted, dictSize{values: 250, rows: 1000, all: true}, 12_000, 14_000},
		{"drawn evenly", same, dictSize{values: 250, rows: 1000, all: true}, 250, 300},
		{"outlier", outlier, dictSize{values: 10, rows: 1000, all: true}, 10, 11},
		{"sample is the outlier", outlier, dictSize{values: 10, rows: 1000, all: true, span: outlier[7]}, 10, 11},
	} {
		if c.dict.spanned = true; c.dict.span == (parquet.Span{}) {
			c.dict.span = c.spans[3]
		}
		sum := &parquet.Summary{Min: int64(0), Max: int64(1e15), BoundsKnown: true, Spans: c.spans}
		if got := distinct(sum, types.Of(types.BigInt), 50_000, &c.dict); got < c.lo || got > c.hi {
			t.Errorf("%s: %v different values, want %v to %v", c.name, got, c.lo, c.hi)
		}
	}
}
