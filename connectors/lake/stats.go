package lake

import (
	"context"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/connectors/lake/parquet"
	"github.com/tuttidb/tutti/sql/types"
)

// statsSample is the number of files up to which all footers are read for
// statistics; of more files it is a sample.
const statsSample = 64

// Stats implements connectors.Statistician. Rows, bounds and null counts are
// those of the footers, exact if all are read. Footers know no distinct
// counts; see distinct for how they are estimated.
func (l *Lake) Stats(ctx context.Context, scan *connectors.Scan) (*connectors.TableStats, error) {
	ls, _, err := l.snapshot(ctx, scan)
	if err != nil {
		return nil, err
	}
	files, err := l.prune(ls, scan)
	if err != nil {
		return nil, err
	}
	out := &connectors.TableStats{Columns: make([]connectors.ColumnStats, len(scan.Columns))}
	if len(files) == 0 {
		for i := range out.Columns {
			out.Columns[i] = connectors.ColumnStats{Min: math.NaN(), Max: math.NaN()}
		}
		return out, nil
	}
	picked := sample(files, statsSample)
	footers, err := l.footers(ctx, ls, picked)
	if err != nil {
		return nil, err
	}
	var rows, bytes, total int64
	for i, f := range footers {
		rows += f.Rows
		bytes += picked[i].Size
	}
	for i := range files {
		total += files[i].Size
	}
	// Files that were not looked at are taken to have as many rows a byte.
	grow := float64(total) / float64(max(bytes, 1))
	out.Rows = float64(rows) * grow
	dicts := l.dictSizes(ctx, ls, picked, footers, scan)
	for i, c := range scan.Columns {
		if k := ls.key(c.Name); k >= 0 {
			out.Columns[i] = keyStats(files, k, c.Type)
			continue
		}
		out.Columns[i] = columnStats(footers, c, out.Rows, len(picked) == len(files), dicts[i])
	}
	return out, nil
}

// keyStats are the exact statistics of partition column k.
func keyStats(files []file, k int, t types.Type) connectors.ColumnStats {
	seen := map[string]bool{}
	st := connectors.ColumnStats{Min: math.NaN(), Max: math.NaN(), Bytes: float64(t.Physical().Width())}
	nulls := 0
	for i := range files {
		v, err := partitionValue(t, files[i].values[k])
		if v == nil || err != nil {
			nulls++
			continue
		}
		seen[*files[i].values[k]] = true
		if x, ok := v.(int64); ok {
			if !(st.Min <= float64(x)) {
				st.Min = float64(x)
			}
			if !(st.Max >= float64(x)) {
				st.Max = float64(x)
			}
		}
	}
	st.Distinct = float64(len(seen))
	st.NullFraction = float64(nulls) / float64(len(files))
	return st
}

// dictSize is what the dictionary of one row group says about a column: so
// many different values in so many rows. all is false if the group has values
// that are not in the dictionary.
type dictSize struct {
	values, rows int64
	all          bool
	// span has the group's bounds, if spanned.
	span    parquet.Span
	spanned bool
}

// spread is by how much the table has more different values than the group
// because other groups have other ones: 1 if all groups draw from the same
// values, the number of groups if the table is sorted by the column.
func (d *dictSize) spread(groups []parquet.Span) float64 {
	if !d.spanned || len(groups) == 0 {
		return 1
	}
	shared := 0.0
	for _, g := range groups {
		lo, hi := max(g.Min, d.span.Min), min(g.Max, d.span.Max)
		if lo <= hi {
			shared += (float64(hi) - float64(lo) + 1) / (float64(g.Max) - float64(g.Min) + 1)
		}
	}
	return max(1, float64(len(groups))/max(shared, 1))
}

// columnStats adds up what footers say about a column. exact says that these
// are all footers.
func columnStats(footers []*parquet.File, c connectors.ScanColumn, rows float64, exact bool, dict *dictSize) connectors.ColumnStats {
	nan := math.NaN()
	st := connectors.ColumnStats{Distinct: nan, NullFraction: nan, Min: nan, Max: nan, Bytes: nan}
	var sum parquet.Summary
	for _, f := range footers {
		fd := field(f, c.Name)
		if fd == nil {
			sum.AddMissing(f.Rows)
			continue
		}
		sum.Add(f, fd, c.Type)
	}
	if sum.Rows == 0 {
		st.Distinct, st.NullFraction = 0, 0
		return st
	}
	if sum.NullsKnown {
		st.NullFraction = float64(sum.Nulls) / float64(sum.Rows)
	}
	st.Bytes = sum.ValueBytes(c.Type)
	if sum.BoundsKnown {
		st.Min, st.Max = number(sum.Min, c.Type), number(sum.Max, c.Type)
	}
	present := rows
	if sum.NullsKnown {
		present = rows * (1 - st.NullFraction)
	}
	st.Distinct = distinct(&sum, c.Type, present, dict)
	return st
}

// number returns a bound as ColumnStats has it; NaN for what has none.
func number(v any, t types.Type) float64 {
	switch v := v.(type) {
	case int64:
		if t.Kind == types.Decimal {
			return float64(v) / float64(types.Pow10Int64(t.S))
		}
		return float64(v)
	case float32:
		return float64(v)
	case float64:
		return v
	case types.Int128:
		return types.DecimalToDouble(v, t.S)
	}
	return math.NaN()
}

// distinct estimates the number of different values among n that are not
// null. Integers have no more than their range. A row group's dictionary
// gives the number in a sample: if values are drawn evenly from D, n draws
// show D(1−e^(−n/D)) of them, which is solved for D. Where groups have ranges
// of their own, as in a table sorted by the column, each has values of its own.
// Values that did not fit a dictionary are taken to be nearly all different.
func distinct(sum *parquet.Summary, t types.Type, n float64, dict *dictSize) float64 {
	most := n
	if lo, ok := sum.Min.(int64); ok && sum.BoundsKnown {
		if hi, ok := sum.Max.(int64); ok {
			most = min(most, float64(hi)-float64(lo)+1)
		}
	}
	if t.Kind == types.Boolean {
		most = min(most, 2)
	}
	if dict == nil || dict.rows == 0 {
		return most
	}
	if !dict.all {
		return most
	}
	spread := dict.spread(sum.Spans)
	domain := domainOf(float64(dict.values), float64(dict.rows))
	return min(most, spread*max(float64(dict.values), domain*-math.Expm1(-n/spread/domain)))
}

// domainOf solves d = D(1−e^(−n/D)) for D by bisection.
func domainOf(d, n float64) float64 {
	if d >= n*0.999 {
		return n * 1e6 // all different: nearly no bound
	}
	lo, hi := d, n*1e6
	for range 60 {
		mid := math.Sqrt(lo * hi)
		if mid*-math.Expm1(-n/mid) < d {
			lo = mid
		} else {
			hi = mid
		}
	}
	return hi
}

// field finds a column's field in a file; nil if it has none.
func field(f *parquet.File, name string) *parquet.Field {
	i := slices.IndexFunc(f.Fields, func(fd *parquet.Field) bool { return strings.EqualFold(fd.Name, name) })
	if i < 0 {
		return nil
	}
	return f.Fields[i]
}

// dictSizes looks up the sizes of the scan's columns' dictionaries in one
// file: the one whose row groups are largest. What cannot be read is nil.
func (l *Lake) dictSizes(ctx context.Context, ls *listing, files []file, footers []*parquet.File, scan *connectors.Scan) []*dictSize {
	out := make([]*dictSize, len(scan.Columns))
	at, group := largestGroup(footers)
	if group < 0 {
		return out
	}
	f := footers[at]
	slots := make(chan struct{}, footerReads)
	var wg sync.WaitGroup
	for i, c := range scan.Columns {
		fd := field(f, c.Name)
		if fd == nil || fd.Leaf == nil || ls.key(c.Name) >= 0 {
			continue
		}
		wg.Add(1)
		slots <- struct{}{}
		go func() {
			defer func() { <-slots; wg.Done() }()
			n, all, err := f.DictValues(ctx, ls.bucket, files[at].ObjectInfo, group, fd.Leaf)
			if err == nil && n >= 0 {
				chunk := &f.Groups[group].Chunks[fd.Leaf.Index]
				span, spanned := f.GroupSpan(group, fd, c.Type)
				out[i] = &dictSize{values: n, rows: chunk.Values - max(chunk.Stats.Nulls, 0), all: all, span: span, spanned: spanned}
			}
		}()
	}
	wg.Wait()
	return out
}

// largestGroup finds the row group with most rows; group is -1 if all are empty.
func largestGroup(footers []*parquet.File) (file, group int) {
	group = -1
	var rows int64
	for i, f := range footers {
		for k := range f.Groups {
			if n := f.Groups[k].Rows; n > rows {
				file, group, rows = i, k, n
			}
		}
	}
	return file, group
}
