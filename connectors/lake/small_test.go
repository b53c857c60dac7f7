package lake

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	pq "github.com/apache/arrow-go/v18/parquet"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/connectors/lake/parquet"
	"github.com/tuttidb/tutti/connectors/objstore"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
)

// smallFiles writes a table of n files of a few rows each.
func smallFiles(t testing.TB, dir string, n, rows int) {
	t.Helper()
	for i := range n {
		events(t, filepath.Join(dir, "s", "t", fmt.Sprintf("%05d.parquet", i)), i*rows, rows)
	}
}

// scanOf returns a scan of a table's named columns.
func scanOf(t testing.TB, l *Lake, schema, name string, columns ...string) *connectors.Scan {
	t.Helper()
	tab := table(t, l, schema, name)
	scan := &connectors.Scan{Schema: tab.Schema, Table: tab.Name, Handle: tab.Handle, Limit: -1}
	for _, want := range columns {
		for o, c := range tab.Columns {
			if c.Name == want {
				scan.Columns = append(scan.Columns, connectors.ScanColumn{Ordinal: o, Name: want, Type: c.Type})
			}
		}
	}
	if len(scan.Columns) != len(columns) {
		t.Fatalf("columns %v of %v", columns, describe(tab))
	}
	return scan
}

// splitsOf returns all splits of a scan.
func splitsOf(t testing.TB, l *Lake, scan *connectors.Scan) (out []connectors.Split) {
	t.Helper()
	src, err := l.Splits(t.Context(), scan)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	for {
		part, err := src.Next(t.Context(), 7)
		if err != nil {
			t.Fatal(err)
		}
		if len(part) == 0 {
			return out
		}
		out = append(out, part...)
	}
}

// drain reads a source to its end and returns its rows.
func drain(t testing.TB, src connectors.Source) (rows int, err error) {
	t.Helper()
	for {
		b, err := src.Next(t.Context())
		if b == nil || err != nil {
			return rows, err
		}
		if err := b.Load(); err != nil {
			return rows, err
		}
		rows += b.Rows()
	}
}

// scanAll reads all splits, one after the other, as one driver does.
func scanAll(t testing.TB, l *Lake, scan *connectors.Scan, account *mem.Account) (rows int) {
	t.Helper()
	env := &connectors.Env{Account: account, BatchRows: vector.DefaultRows}
	for _, sp := range splitsOf(t, l, scan) {
		src, err := l.Open(t.Context(), scan, sp, env)
		if err != nil {
			t.Fatal(err)
		}
		n, err := drain(t, src)
		if err != nil {
			t.Fatal(err)
		}
		rows += n
		if err := src.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return rows
}

// TestSplitSizes: small files are put together, large ones cut, and every byte
// is in one split.
func TestSplitSizes(t *testing.T) {
	const mb = 1 << 20
	tests := []struct {
		name     string
		sizes    []int64
		repeat   int
		splits   int
		maxFiles int // in a split
	}{
		{"one small file", []int64{1000}, 1, 1, 1},
		{"a few small files", []int64{1000}, 20, 3, 7},
		{"thousands", []int64{10_000}, 5000, 80, 63},
		{"one large file", []int64{640 * mb}, 1, 32, 1},
		{"a very large file", []int64{6400 * mb}, 1, 100, 1},
		{"large and small", []int64{300 * mb, 1000, 1000}, 2, 34, 2},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			src := &splitSource{root: "s3://b"}
			var total int64
			for range tc.repeat {
				for _, n := range tc.sizes {
					f := file{ObjectInfo: objstore.ObjectInfo{Key: fmt.Sprint(len(src.files)), Size: n}}
					src.files = append(src.files, f)
					total += f.weight()
				}
			}
			want := len(src.files)
			src.target = min(max(total/wantedSplits, minSplit), maxSplit)
			splits, err := src.Next(t.Context(), 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			covered, most := map[string]int64{}, 0
			for _, sp := range splits {
				info, err := decodeSplit(sp.Payload)
				if err != nil {
					t.Fatal(err)
				}
				most = max(most, len(info.Files))
				for _, f := range info.Files {
					if f.From != covered[string(f.Key)] {
						t.Fatalf("file %s: a split from %d after %d", f.Key, f.From, covered[string(f.Key)])
					}
					covered[string(f.Key)] = f.To
				}
			}
			for i := range tc.sizes {
				if got := covered[fmt.Sprint(i)]; got != tc.sizes[i] {
					t.Errorf("file %d of %d bytes is covered to %d", i, tc.sizes[i], got)
				}
			}
			if len(splits) != tc.splits || most != tc.maxFiles || len(covered) != want {
				t.Errorf("%d splits of up to %d files, %d files in all; want %d, %d, %d", len(splits), most, len(covered), tc.splits, tc.maxFiles, want)
			}
		})
	}
}

// TestLimit: a scan that needs a few rows plans few files and reads little.
func TestLimit(t *testing.T) {
	dir := t.TempDir()
	smallFiles(t, dir, 200, 50)
	events(t, filepath.Join(dir, "s", "big", "a.parquet"), 0, 60_000, pq.WithMaxRowGroupLength(10_000),
		pq.WithPageIndexEnabled(true), pq.WithDataPageSize(4000), pq.WithBatchSize(500), pq.WithDictionaryDefault(false))
	fi, err := os.Stat(filepath.Join(dir, "s", "big", "a.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		table    string
		limit    int64
		files    int
		rows     int   // that come
		maxRows  int64 // decoded
		maxBytes int64 // read of storage
	}{
		{"t", 0, 1, 0, 0, 200_000},
		{"t", 1, 1, 1, 1, 200_000},
		{"t", 50, 1, 50, 50, 200_000},
		{"t", 120, 3, 150, 150, 400_000},
		{"t", 401, 200, 450, 1000, 3_000_000}, // beyond the footers that planning looks at
		{"big", 10, 1, 10, 10, 120_000},       // a page of each column
		{"big", 15_000, 1, 15_000, 15_000, fi.Size() / 2},
		{"big", -1, 1, 60_000, 60_000, 2 * fi.Size()},
	}
	for _, tc := range tests {
		t.Run(fmt.Sprintf("%s limit %d", tc.table, tc.limit), func(t *testing.T) {
			metrics := &objstore.Metrics{}
			l := newLake(t, Config{Warehouse: dir, S3: objstore.Config{Metrics: metrics}})
			scan := scanOf(t, l, "s", tc.table, "id", "name", "score")
			scan.Limit = tc.limit
			if n := len(filesOf(t, l, scan)); n != tc.files {
				t.Errorf("%d files are planned, want %d", n, tc.files)
			}
			before := metrics.Snapshot().BytesRead
			rows, st := 0, connectors.SourceStats{}
			for _, sp := range splitsOf(t, l, scan) {
				src, err := l.Open(t.Context(), scan, sp, &connectors.Env{Account: mem.NewRoot("test", 0, mem.NewPool()), BatchRows: vector.DefaultRows})
				if err != nil {
					t.Fatal(err)
				}
				for tc.limit < 0 || int64(rows) < tc.limit { // as the operator above does
					b, err := src.Next(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					if b == nil {
						break
					}
					rows += b.Rows()
					if err := b.Load(); err != nil {
						t.Fatal(err)
					}
				}
				if err := src.Close(); err != nil {
					t.Fatal(err)
				}
				st = sum(st, src.Stats())
			}
			read := metrics.Snapshot().BytesRead - before
			if rows != tc.rows || st.PhysicalRows > tc.maxRows || read > tc.maxBytes {
				t.Errorf("%d rows (%d decoded), %d bytes; want %d, at most %d, at most %d", rows, st.PhysicalRows, read, tc.rows, tc.maxRows, tc.maxBytes)
			}
		})
	}
}

// TestLimitWithPredicate: rows are counted after the condition.
func TestLimitWithPredicate(t *testing.T) {
	dir := t.TempDir()
	smallFiles(t, dir, 20, 50)
	l := newLake(t, Config{Warehouse: dir})
	scan := scanOf(t, l, "s", "t", "id")
	cols := map[string]*expr.Column{"id": {ID: 0, Typ: scan.Columns[0].Type}}
	scan.Predicate, scan.Limit = compareTo(t, function.OpGe, "id", int64(700))(cols), 60
	if n := scanAll(t, l, scan, mem.NewRoot("test", 0, mem.NewPool())); n < 60 || n > 300 {
		t.Errorf("%d rows where 60 are wanted of 300", n)
	}
}

// slowly puts a delay in front of each request, and counts those that are
// under way at once.
type slowly struct {
	inner http.Handler
	delay atomic.Int64
	gets  atomic.Int64
	now   atomic.Int64
	most  atomic.Int64
}

func (s *slowly) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.gets.Add(1)
	n := s.now.Add(1)
	for m := s.most.Load(); n > m && !s.most.CompareAndSwap(m, n); m = s.most.Load() {
	}
	defer s.now.Add(-1)
	time.Sleep(time.Duration(s.delay.Load()))
	s.inner.ServeHTTP(w, r)
}

// slowS3 serves a folder from an S3 whose every answer takes some time.
func slowS3(t testing.TB, dir string, delay time.Duration) (Config, *slowly) {
	t.Helper()
	cfg, handler := s3Handler(t, dir)
	s := &slowly{inner: handler}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	cfg.S3.Endpoint = server.URL
	s.delay.Store(int64(delay))
	return cfg, s
}

// TestSmallFilesOverlap: the round trips of one file go on while others wait:
// a scan of many small files takes far less time than its requests one after
// the other. What it holds is accounted and stays in bounds.
func TestSmallFilesOverlap(t *testing.T) {
	dir := t.TempDir()
	const files, rows, delay = 60, 40, 20 * time.Millisecond
	smallFiles(t, dir, files, rows)
	cfg, slow := slowS3(t, dir, 0)
	l := newLake(t, cfg)
	scan := scanOf(t, l, "s", "t", "id", "name", "score", "tags")
	l.deps.Footers = parquet.NewCache(defaultFooters) // cold
	slow.delay.Store(int64(delay))
	slow.gets.Store(0)
	account := mem.NewRoot("test", 0, mem.NewPool())
	start := time.Now()
	if n := scanAll(t, l, scan, account); n != files*rows {
		t.Errorf("%d rows", n)
	}
	took, requests := time.Since(start), slow.gets.Load()
	if serial := time.Duration(requests) * delay; requests < 2*files || took > serial*2/3 {
		t.Errorf("%d requests of %v took %v", requests, delay, took)
	}
	if most := slow.most.Load(); most > 2*aheadFiles+1 {
		t.Errorf("%d requests at once", most)
	}
	if account.Used() != 0 || account.Peak() == 0 || account.Peak() > 16<<20 {
		t.Errorf("%d bytes are accounted after the scan, at most %d", account.Used(), account.Peak())
	}
}

// TestSmallFilesTightMemory: what is opened ahead is given up before the query
// is refused memory; with less than one file takes, the error names the table
// and no path.
func TestSmallFilesTightMemory(t *testing.T) {
	dir := t.TempDir()
	const files, rows = 30, 3000
	smallFiles(t, dir, files, rows)
	cfg, _ := slowS3(t, dir, time.Millisecond)
	l := newLake(t, cfg)
	scan := scanOf(t, l, "s", "t", "id", "name", "score", "tags")
	single := mem.NewRoot("single", 0, mem.NewPool())
	limited := *scan
	limited.Limit = rows
	if n := scanAll(t, l, &limited, single); n != rows {
		t.Fatalf("%d rows of one file", n)
	}
	alone := single.Peak() // of one file
	for _, limit := range []int64{0, 4 * alone, 2 * alone, alone + alone/8} {
		account := mem.NewRoot("tight", limit, mem.NewPool())
		if n := scanAll(t, l, scan, account); n != files*rows || account.Used() != 0 {
			t.Errorf("limit %d: %d rows, %d bytes left", limit, n, account.Used())
		}
	}
	account := mem.NewRoot("too tight", 20<<10, mem.NewPool())
	src, err := l.Open(t.Context(), scan, splitsOf(t, l, scan)[0], &connectors.Env{Account: account, BatchRows: vector.DefaultRows})
	if err != nil {
		t.Fatal(err)
	}
	_, err = drain(t, src)
	var limit *mem.LimitError
	if !errors.As(err, &limit) || strings.Contains(err.Error(), "/") || !strings.Contains(err.Error(), "memory limit of too tight") {
		t.Errorf("error %v", err)
	}
	if err := src.Close(); err != nil || account.Used() != 0 {
		t.Errorf("%v, %d bytes left", err, account.Used())
	}
}

// TestCloseWhileOpening: a source that is closed at any moment leaves nothing
// behind: no goroutine, no memory.
func TestCloseWhileOpening(t *testing.T) {
	dir := t.TempDir()
	smallFiles(t, dir, 20, 30)
	cfg, _ := slowS3(t, dir, 2*time.Millisecond)
	l := newLake(t, cfg)
	scan := scanOf(t, l, "s", "t", "id", "name")
	sp := splitsOf(t, l, scan)[0]
	account := mem.NewRoot("test", 0, mem.NewPool())
	before := runtime.NumGoroutine()
	for i := range 30 {
		l.deps.Footers = parquet.NewCache(1 << 20)
		src, err := l.Open(t.Context(), scan, sp, &connectors.Env{Account: account, BatchRows: 10})
		if err != nil {
			t.Fatal(err)
		}
		for range i % 7 {
			if _, err := src.Next(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if err := src.Close(); err != nil {
			t.Fatal(err)
		}
		if n := account.Used(); n != 0 {
			t.Fatalf("%d bytes are accounted after Close", n)
		}
	}
	_ = l.Close() // idle connections have goroutines
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before+40 && time.Now().Before(deadline); {
		runtime.Gosched()
	}
	if n := runtime.NumGoroutine(); n > before+40 { // those of the server's connections
		t.Errorf("%d goroutines, %d before", n, before)
	}
}

// BenchmarkSmallFiles scans 300 files of 20 KB over S3 with 30 ms a request.
// TUTTI_BENCH_S3 names the endpoint of a real store to use instead of the one
// in this process; its bucket "lake" must be there.
func BenchmarkSmallFiles(b *testing.B) {
	dir := b.TempDir()
	const files, rows = 300, 500
	smallFiles(b, dir, files, rows)
	cfg, slow := slowS3(b, dir, 0)
	if endpoint := os.Getenv("TUTTI_BENCH_S3"); endpoint != "" {
		slow.inner = upstream(b, endpoint, dir, &cfg)
	}
	l := newLake(b, cfg)
	scan := scanOf(b, l, "s", "t", "id", "name", "score")
	for _, delay := range []time.Duration{0, 20 * time.Millisecond, 50 * time.Millisecond} {
		for _, cold := range []bool{true, false} {
			b.Run(fmt.Sprintf("delay %v/cold %v", delay, cold), func(b *testing.B) {
				slow.delay.Store(int64(delay))
				account := mem.NewRoot("bench", 0, mem.NewPool())
				for range b.N {
					if cold {
						l.deps.Footers = parquet.NewCache(defaultFooters)
					}
					if n := scanAll(b, l, scan, account); n != files*rows {
						b.Fatal(n)
					}
				}
				b.ReportMetric(float64(account.Peak())/(1<<20), "peak-MiB")
			})
		}
	}
}

// upstream puts a folder's files in the bucket "lake" of a store and returns a
// handler that passes requests on to it.
func upstream(b *testing.B, endpoint, dir string, cfg *Config) http.Handler {
	b.Helper()
	u, err := url.Parse(endpoint)
	if err != nil {
		b.Fatal(err)
	}
	cfg.S3.AccessKey, cfg.S3.SecretKey = os.Getenv("TUTTI_BENCH_S3_KEY"), os.Getenv("TUTTI_BENCH_S3_SECRET")
	proxy := httputil.NewSingleHostReverseProxy(u)
	proxy.Transport = &http.Transport{MaxIdleConnsPerHost: 64}
	server := httptest.NewServer(proxy)
	defer server.Close()
	direct := *cfg
	direct.S3.Endpoint = server.URL
	bucket, err := objstore.NewS3(b.Context(), "lake", direct.S3)
	if err != nil {
		b.Fatal(err)
	}
	defer bucket.Close()
	names, err := filepath.Glob(filepath.Join(dir, "s", "t", "*.parquet"))
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := bucket.Put(b.Context(), "wh/s/t/"+filepath.Base(name), bytes.NewReader(data), int64(len(data)), objstore.PutOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	return proxy
}
