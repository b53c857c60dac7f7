package lake

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/connectors/lake/parquet"
	"github.com/tuttidb/tutti/connectors/objstore"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/function"
)

// outcomeOf reads a table whole and returns its number of rows, or the error's
// code and text.
func outcomeOf(t *testing.T, l *Lake, find func() (*connectors.Table, error)) string {
	t.Helper()
	tab, err := find()
	if err == nil && tab == nil {
		return "no table"
	}
	if err == nil {
		var rows [][]any
		if rows, err = read(t, l, tab, nil, tab.Columns[0].Name); err == nil {
			return fmt.Sprint(len(rows), " rows")
		}
	}
	q := qerr.From(err)
	return fmt.Sprintf("%s retry=%v %s", q.Code.Name, q.Retryable, err)
}

// TestBadFiles: each sort of damage is its own error that names the file, and
// the connector goes on working.
func TestBadFiles(t *testing.T) {
	dir := t.TempDir()
	events(t, filepath.Join(dir, "good.parquet"), 0, 100)
	good, err := os.ReadFile(filepath.Join(dir, "good.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	edit := func(f func(b []byte) []byte) []byte { return f(slices.Clone(good)) }
	tests := []struct {
		name string
		data []byte
		want string
	}{
		{"good", good, "100 rows"},
		{"text", []byte("id,name\n1,a\n"), "HIVE_BAD_DATA retry=false FILE: not a Parquet file: it does not end in PAR1"},
		{"short", []byte("PAR1"), "HIVE_BAD_DATA retry=false FILE: not a Parquet file: it has 4 bytes only"},
		{"magic only", []byte("PAR1\x00\x00\x00\x00PAR1"), "HIVE_BAD_DATA retry=false FILE: the footer"},
		{"cut off", good[:len(good)/2], "HIVE_BAD_DATA retry=false FILE: not a Parquet file: it does not end in PAR1"},
		{"encrypted", edit(func(b []byte) []byte { return append(b[:len(b)-4], "PARE"...) }), "HIVE_UNSUPPORTED_FORMAT retry=false FILE: not supported: Parquet files with encryption"},
		{"huge footer", edit(func(b []byte) []byte { copy(b[len(b)-8:], "\xff\xff\xff\x7f"); return b }), "HIVE_BAD_DATA retry=false FILE: the footer is said to have 2147483647 bytes"},
		{"zeroed footer", edit(func(b []byte) []byte { clear(b[len(b)-200 : len(b)-8]); return b }), "HIVE_BAD_DATA retry=false FILE: "},
		{"zeroed pages", edit(func(b []byte) []byte { clear(b[4:200]); return b }), "HIVE_BAD_DATA retry=false FILE: column \"ID\": "},
	}
	l := newLake(t, Config{Warehouse: dir})
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			table := strings.ReplaceAll(tc.name, " ", "_")
			path := filepath.Join(dir, "s", table, "a b.parquet")
			put(t, path, tc.data)
			got := outcomeOf(t, l, func() (*connectors.Table, error) { return l.Table(t.Context(), "s", table) })
			if want := strings.ReplaceAll(tc.want, "FILE", "file://"+path); !strings.HasPrefix(got, want) {
				t.Errorf("%s\nwant %s", got, want)
			}
		})
	}
}

// TestSchemaMismatch: what files of one table may differ in, and what not.
func TestSchemaMismatch(t *testing.T) {
	list, i16 := arrow.ListOf(i32), arrow.PrimitiveTypes.Int16
	row := func(fields ...arrow.Field) arrow.DataType { return arrow.StructOf(fields...) }
	ts := func(u arrow.TimeUnit) arrow.DataType { return &arrow.TimestampType{Unit: u} }
	dec := func(p, s int32) arrow.DataType { return &arrow.Decimal128Type{Precision: p, Scale: s} }
	tests := []struct {
		name     string
		a, b     arrow.DataType
		va, vb   string
		want     string // the column's type, or an error with FIRST and SECOND
		wantRows string
	}{
		{"wider integer", i32, i64, "1", "5000000000", "bigint", "[[1] [5000000000]]"},
		{"narrower integer", i64, i16, "5000000000", "7", "bigint", "[[5000000000] [7]]"},
		{"real and double", f32, f64, "1.5", "0.1", "double", "[[1.5] [0.1]]"},
		{"decimals", dec(9, 2), dec(12, 4), `"1.25"`, `"2.0001"`, "decimal(12,4)", "[[12500] [20001]]"},
		{"integer and decimal", i32, dec(12, 2), "7", `"1.25"`, "decimal(12,2)", "[[700] [125]]"},
		{"timestamps", ts(arrow.Millisecond), ts(arrow.Microsecond), `"2024-01-01 00:00:00.001"`, `"2024-01-01 00:00:00.000001"`, "timestamp(6)", "[[1704067200001000] [1704067200000001]]"},
		{"lists", list, arrow.ListOf(i64), "[1]", "[5000000000]", "array(bigint)", "[[[1]] [[5000000000]]]"},
		{"rows of other fields", row(col("x", i32)), row(col("y", str)), `{"x": 1}`, `{"y": "b"}`, "row(x integer, y varchar)", "[[[1 <nil>]] [[<nil> b]]]"},
		{"number and text", i64, str, "1", `"a"`, `HIVE_PARTITION_SCHEMA_MISMATCH column "x" is bigint in FIRST but varchar in SECOND`, ""},
		{"integer and double", i64, f64, "1", "1.5", `HIVE_PARTITION_SCHEMA_MISMATCH column "x" is bigint in FIRST but double in SECOND`, ""},
		{"list and value", list, i32, "[1]", "1", `HIVE_PARTITION_SCHEMA_MISMATCH column "x" is array(integer) in FIRST but integer in SECOND`, ""},
		{"date and timestamp", arrow.FixedWidthTypes.Date32, ts(arrow.Millisecond), `"2024-01-01"`, `"2024-01-01 00:00:00.000"`, `HIVE_PARTITION_SCHEMA_MISMATCH column "x" is date in FIRST but timestamp(3) in SECOND`, ""},
	}
	dir := t.TempDir()
	l := newLake(t, Config{Warehouse: dir})
	for i, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			name := fmt.Sprint("t", i)
			first, second := filepath.Join(dir, "s", name, "1.parquet"), filepath.Join(dir, "s", name, "2.parquet")
			writeFile(t, first, []arrow.Field{col("x", tc.a)}, `[{"x": `+tc.va+`}]`)
			writeFile(t, second, []arrow.Field{col("x", tc.b)}, `[{"x": `+tc.vb+`}]`)
			tab, err := l.Table(t.Context(), "s", name)
			if err != nil {
				got := qerr.From(err).Code.Name + " " + err.Error()
				if want := strings.NewReplacer("FIRST", "file://"+first, "SECOND", "file://"+second).Replace(tc.want); got != want {
					t.Errorf("%s\nwant %s", got, want)
				}
				return
			}
			rows, err := read(t, l, tab, nil, "x")
			if got := tab.Columns[0].Type.String(); got != tc.want || fmt.Sprint(rows) != tc.wantRows || err != nil {
				t.Errorf("%s, %v, %v; want %s, %s", got, rows, err, tc.want, tc.wantRows)
			}
		})
	}
}

// TestMismatchBeyondSample: a file that planning did not look at and that does
// not fit is an error of its reader, which names it.
func TestMismatchBeyondSample(t *testing.T) {
	dir := t.TempDir()
	for i := range 100 {
		kind, v := i64, "1"
		if i == 50 {
			kind, v = str, `"a"`
		}
		writeFile(t, filepath.Join(dir, "s", "t", fmt.Sprintf("%03d.parquet", i)), []arrow.Field{col("x", kind)}, `[{"x": `+v+`}]`)
	}
	l := newLake(t, Config{Warehouse: dir})
	got := outcomeOf(t, l, func() (*connectors.Table, error) { return l.Table(t.Context(), "s", "t") })
	want := "HIVE_PARTITION_SCHEMA_MISMATCH retry=false file://" + dir + `/s/t/050.parquet: column "x" is varchar here, and bigint in the table as other files have it`
	if got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// TestOddNames: names with anything in them are read, in a folder and on S3,
// and partition values mean what Hive means by them.
func TestOddNames(t *testing.T) {
	dir := t.TempDir()
	files := map[string][]any{ // path below the table to the values of the keys
		"k=a b/v=1+1/x y.parquet":                         {"a b", "1+1"},
		"k=50%/v=100%25/a%20b.parquet":                    {"50%", "100%"},
		"k=a=b/v==/=.parquet":                             {"a=b", "="},
		"k=\u00e4\u00f6/v=%C3%BC/\u4e2d\u6587.parquet":    {"\u00e4\u00f6", "\u00fc"},
		"k=" + hiveNull + "/v=/empty.parquet":             {nil, ""},
		"k=%2F/v=%3D%3d/slash #1.parquet":                 {"/", "=="},
		"k=%FF/v=%zz/q'uote\"&<>.PARQUET":                 {"%FF", "%zz"},
		"k=00/v=-0/folder with.dots/deep/p[1]{a}.parquet": {"00", "-0"},
	}
	i := 0
	for name := range files {
		events(t, filepath.Join(dir, "s", "t", filepath.FromSlash(name)), i, 1)
		i++
	}
	for _, hidden := range []string{"_SUCCESS", "_temporary/k=x/v=y/a.parquet", ".x.parquet.crc", "k=a b/_old.parquet", "k=a b/.hidden/v=1/a.parquet", "README", "a.parquet.tmp"} {
		put(t, filepath.Join(dir, "s", "t", filepath.FromSlash(hidden)), []byte("not looked at"))
	}
	for name, cfg := range map[string]Config{"folder": {Warehouse: dir}, "s3": s3Config(t, dir)} {
		t.Run(name, func(t *testing.T) {
			l := newLake(t, cfg)
			tab := table(t, l, "s", "t")
			if got := describe(tab); !strings.HasSuffix(got, "k varchar (partition key), v varchar (partition key)") {
				t.Errorf("columns %s", got)
			}
			rows, err := read(t, l, tab, nil, "$path", "k", "v", "id")
			if err != nil || len(rows) != len(files) {
				t.Fatalf("%d rows, %v", len(rows), err)
			}
			for _, r := range rows {
				_, rel, _ := strings.Cut(r[0].(string), "/s/t/")
				want, ok := files[rel]
				if !ok || r[1] != want[0] || r[2] != want[1] {
					t.Errorf("%s has the keys %q, want %q", rel, r[1:3], want)
				}
				// A path that the engine shows can be read again as it is, where it is no pattern.
				if objstore.HasMeta(r[0].(string)) {
					continue
				}
				if again, err := l.TableAt(t.Context(), r[0].(string)); err != nil || again == nil {
					t.Errorf("%s: %v", r[0], err)
				}
			}
			for _, v := range []string{"a b", "a=b", "/", "50%"} {
				if rows, err := read(t, l, tab, compareTo(t, function.OpEq, "k", v), "id", "k"); err != nil || len(rows) != 1 {
					t.Errorf("k = %q: %v, %v", v, rows, err)
				}
			}
		})
	}
}

// TestPartitionTypes: the type of a partition column follows from all its
// values: what does not parse makes it text, not an error.
func TestPartitionTypes(t *testing.T) {
	null := hiveNull
	tests := []struct {
		values []string
		want   string
	}{
		{[]string{"1", "2", null}, "bigint"}, {[]string{"1", "x"}, "varchar"}, {[]string{"2024-01-01", "2024-12-31"}, "date"},
		{[]string{"2024-01-01", "2024-13-01"}, "varchar"}, {[]string{"1", "2024-01-01"}, "varchar"}, {[]string{null}, "varchar"},
		{[]string{"9223372036854775808"}, "varchar"}, {[]string{"+1"}, "varchar"}, {[]string{"1.5"}, "varchar"}, {[]string{"true"}, "varchar"},
		{[]string{"", "1"}, "varchar"}, {[]string{"-5", "0"}, "bigint"},
	}
	for _, tc := range tests {
		dir := t.TempDir()
		for i, v := range tc.values {
			events(t, filepath.Join(dir, "s", "t", "p="+v, "a.parquet"), i, 2)
		}
		l := newLake(t, Config{Warehouse: dir})
		tab := table(t, l, "s", "t")
		rows, err := read(t, l, tab, nil, "p")
		if got := describe(tab); !strings.HasSuffix(got, ", p "+tc.want+" (partition key)") || err != nil || len(rows) != 2*len(tc.values) {
			t.Errorf("%q: %s, %d rows, %v; want %s", tc.values, got, len(rows), err, tc.want)
		}
	}
}

// TestLocalLimits: a local catalog reads nothing outside of its warehouse and
// allow-paths, whatever names, ".." or links say.
func TestLocalLimits(t *testing.T) {
	base := t.TempDir()
	wh, other, secret := filepath.Join(base, "wh"), filepath.Join(base, "other"), filepath.Join(base, "secret")
	events(t, filepath.Join(wh, "s", "t", "a.parquet"), 0, 3)
	events(t, filepath.Join(other, "o.parquet"), 0, 4)
	events(t, filepath.Join(secret, "x.parquet"), 0, 5)
	put(t, filepath.Join(wh, "s", "empty.parquet"), nil)
	for link, to := range map[string]string{
		"s/linked": other, "s/leak": secret, "s/file/a.parquet": filepath.Join(secret, "x.parquet"), "s/inside": filepath.Join(wh, "s", "t"),
		"s/up": base, "s/circle": filepath.Join(wh, "s"),
	} {
		path := filepath.Join(wh, filepath.FromSlash(link))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(to, path); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(wh, "s", "dir.parquet"), 0o755); err != nil {
		t.Fatal(err)
	}
	viaLink := filepath.Join(base, "wh-link")
	if err := os.Symlink(wh, viaLink); err != nil {
		t.Fatal(err)
	}
	const denied = "PERMISSION_DENIED retry=false Access Denied"
	tests := []struct{ what, want string }{
		{"s.t", "3 rows"}, {"s.inside", "3 rows"}, {"s.linked", "4 rows"}, // allow-paths names its target
		{"s.leak", denied}, {"s.file", denied}, {"s.up", denied}, {"s.dir.parquet", "no table"},
		{"...", "no table"}, {"s...", "no table"}, {"...s", "no table"},
		{wh + "/s/t", "3 rows"}, {wh + "/s/t/*.parquet", "3 rows"}, {other, "4 rows"}, {"file://" + other + "/*", "4 rows"},
		{secret, denied}, {wh + "/../secret", denied}, {wh + "/s/../../secret/x.parquet", denied}, {wh + "/*/../../secret/*", denied},
		{wh + "/s/leak", denied}, {wh + "/s/leak/*.parquet", denied}, {wh + "/s/le*/*.parquet", denied}, {wh + "/s/file/a.parquet", denied},
		{wh + "-link/s/t", denied}, {base + "/wh2", denied},
		{wh + "/s/dir.parquet", "TABLE_NOT_FOUND"}, {wh + "/s/empty.parquet", "HIVE_BAD_DATA retry=false file://" + wh + "/s/empty.parquet: not a Parquet file: it is empty"},
		{wh + "/s/none", "TABLE_NOT_FOUND"},
	}
	check := func(l *Lake, what, want string) {
		t.Helper()
		got := outcomeOf(t, l, func() (*connectors.Table, error) {
			if schema, name, ok := strings.Cut(what, "."); ok && !strings.Contains(what, "/") {
				return l.Table(t.Context(), schema, name)
			}
			return l.TableAt(t.Context(), what)
		})
		if !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s\nwant %s", what, got, want)
		}
	}
	l := newLake(t, Config{Warehouse: wh, AllowPaths: []string{other}})
	for _, tc := range tests {
		check(l, tc.what, tc.want)
	}
	// The warehouse may itself be a link, and --local may read everything.
	check(newLake(t, Config{Warehouse: viaLink}), "s.t", "3 rows")
	check(newLake(t, Config{Warehouse: wh}), "s.linked", denied)
	check(newLake(t, Config{Warehouse: wh, AllowAll: true}), "s.leak", "5 rows")
	check(newLake(t, Config{AllowAll: true}), secret, "5 rows")
}

// trouble is an S3 that answers some requests otherwise.
type trouble struct {
	inner http.Handler
	mu    sync.Mutex
	hit   int
	// do may answer instead, n counts the requests it was asked about.
	do func(w http.ResponseWriter, r *http.Request, n int) bool
}

func (x *trouble) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x.mu.Lock()
	do := x.do
	if do != nil {
		x.hit++
	}
	n := x.hit
	x.mu.Unlock()
	if do == nil || !do(w, r, n) {
		x.inner.ServeHTTP(w, r)
	}
}

func (x *trouble) set(do func(w http.ResponseWriter, r *http.Request, n int) bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.do, x.hit = do, 0
}

// status answers with an S3 error document.
func status(w http.ResponseWriter, code int, name string) bool {
	w.WriteHeader(code)
	fmt.Fprintf(w, `<?xml version="1.0"?><Error><Code>%s</Code><Message>injected</Message></Error>`, name)
	return true
}

// TestTroubleWithS3 reads a table while the store misbehaves: what may pass is
// retried and not noticed, the rest is an error that says what and where.
func TestTroubleWithS3(t *testing.T) {
	dir := t.TempDir()
	events(t, filepath.Join(dir, "s", "t", "a.parquet"), 0, 20_000)
	events(t, filepath.Join(dir, "s", "t", "b.parquet"), 20_000, 10)
	cfg, handler := s3Handler(t, dir)
	x := &trouble{inner: handler}
	server := httptest.NewServer(x)
	t.Cleanup(server.Close)
	cfg.S3.Endpoint, cfg.S3.Attempts = server.URL, 8
	cfg.S3.Backoff, cfg.S3.StallTimeout = time.Millisecond, 300*time.Millisecond
	ranged := func(r *http.Request) bool { return r.Header.Get("Range") != "" }
	const file = "s3://lake/wh/s/t/"
	cut := func(n int) func(w http.ResponseWriter, r *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			rec := httptest.NewRecorder()
			handler.ServeHTTP(rec, r)
			for k, v := range rec.Header() {
				w.Header()[k] = v
			}
			w.Header().Set("Content-Length", strconv.Itoa(rec.Body.Len()))
			w.WriteHeader(rec.Code)
			_, _ = w.Write(rec.Body.Bytes()[:min(n, rec.Body.Len())])
			panic(http.ErrAbortHandler)
		}
	}
	tests := []struct {
		name string
		do   func(w http.ResponseWriter, r *http.Request, n int) bool
		want string
	}{
		{"500 for a while", func(w http.ResponseWriter, _ *http.Request, n int) bool {
			return n <= 4 && status(w, 500, "InternalError")
		}, "20010 rows"},
		{"503 now and then", func(w http.ResponseWriter, _ *http.Request, n int) bool {
			return n%2 == 0 && status(w, 503, "SlowDown")
		}, "20010 rows"},
		{"bodies cut off", func(w http.ResponseWriter, r *http.Request, n int) bool {
			return ranged(r) && n%2 == 0 && cut(70_000)(w, r)
		}, "20010 rows"},
		{"always 500", func(w http.ResponseWriter, r *http.Request, _ int) bool {
			return ranged(r) && status(w, 500, "InternalError")
		}, "HIVE_FILESYSTEM_ERROR retry=true " + file},
		{"always 503", func(w http.ResponseWriter, _ *http.Request, _ int) bool { return status(w, 503, "SlowDown") }, "HIVE_FILESYSTEM_ERROR retry=true s3://lake"},
		{"bodies always cut off", func(w http.ResponseWriter, r *http.Request, _ int) bool { return ranged(r) && cut(10)(w, r) }, "HIVE_FILESYSTEM_ERROR retry=true " + file},
		{"no answer", func(_ http.ResponseWriter, r *http.Request, _ int) bool {
			if ranged(r) {
				<-r.Context().Done()
			}
			return ranged(r)
		}, "HIVE_FILESYSTEM_ERROR retry=true " + file},
		{"403 for listings", func(w http.ResponseWriter, _ *http.Request, _ int) bool { return status(w, 403, "AccessDenied") }, "HIVE_FILESYSTEM_ERROR retry=false s3://lake/wh/s/t/: access denied (403)"},
		{"403 for files", func(w http.ResponseWriter, r *http.Request, _ int) bool {
			return ranged(r) && status(w, 403, "AccessDenied")
		}, "HIVE_FILESYSTEM_ERROR retry=false " + file},
		{"404 for files", func(w http.ResponseWriter, r *http.Request, _ int) bool {
			return ranged(r) && status(w, 404, "NoSuchKey")
		}, "HIVE_FILE_CHANGED retry=true " + file},
		{"404 for the bucket", func(w http.ResponseWriter, _ *http.Request, _ int) bool { return status(w, 404, "NoSuchBucket") }, "HIVE_FILESYSTEM_ERROR retry=false s3://lake: no such bucket (404)"},
		{"412", func(w http.ResponseWriter, r *http.Request, _ int) bool {
			return r.Header.Get("If-Match") != "" && status(w, 412, "PreconditionFailed")
		}, "HIVE_FILE_CHANGED retry=true " + file},
		{"fine again", nil, "20010 rows"},
	}
	changed := qerr.LakeFileChanged.Name
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			x.set(tc.do)
			l := newLake(t, cfg)
			got := outcomeOf(t, l, func() (*connectors.Table, error) { return l.Table(t.Context(), "s", "t") })
			if want := strings.ReplaceAll(tc.want, "HIVE_FILE_CHANGED", changed); !strings.HasPrefix(got, want) {
				t.Errorf("%s\nwant %s", got, want)
			}
		})
	}
}

// TestReplacedOnS3: a file that is replaced between planning and reading, or
// while it is read, fails the query; run again, it reads the new version.
func TestReplacedOnS3(t *testing.T) {
	dir := t.TempDir()
	events(t, filepath.Join(dir, "s", "t", "a.parquet"), 0, 20_000)
	events(t, filepath.Join(dir, "new.parquet"), 0, 7)
	cfg := s3Config(t, dir)
	data, err := os.ReadFile(filepath.Join(dir, "new.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	for _, after := range []int{0, 1} { // batches read before the file is replaced
		l := newLake(t, cfg)
		l.deps.Footers = parquet.NewCache(1 << 20)
		scan := scanOf(t, l, "s", "t", "id", "name", "score", "tags")
		splits := splitsOf(t, l, scan)
		b, err := objstore.NewS3(t.Context(), "lake", cfg.S3)
		if err != nil {
			t.Fatal(err)
		}
		old, err := b.Stat(t.Context(), "wh/s/t/a.parquet")
		if err != nil {
			t.Fatal(err)
		}
		whole, err := objstore.ReadAll(t.Context(), b, old)
		if err != nil {
			t.Fatal(err)
		}
		replace := func(data []byte) {
			if _, err := b.Put(t.Context(), "wh/s/t/a.parquet", strings.NewReader(string(data)), int64(len(data)), objstore.PutOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		if after == 0 {
			replace(data)
		}
		account := mem.NewRoot("test", 0, mem.NewPool())
		src, err := l.Open(t.Context(), scan, splits[0], &connectors.Env{Account: account, BatchRows: vector.DefaultRows})
		if err != nil {
			t.Fatal(err)
		}
		for range after {
			if _, err := src.Next(t.Context()); err != nil { // its columns are not fetched one by one: all of the old version
				t.Fatal(err)
			}
			replace(data)
		}
		n, err := drain(t, src)
		if after == 0 && (!qerr.Is(err, qerr.LakeFileChanged) || !qerr.From(err).Retryable || !strings.Contains(err.Error(), "s3://lake/wh/s/t/a.parquet")) {
			t.Errorf("%d rows, error %v", n, err)
		}
		if after > 0 && err != nil && !qerr.Is(err, qerr.LakeFileChanged) {
			t.Errorf("%d rows, error %v", n, err)
		}
		if err := src.Close(); err != nil || account.Used() != 0 {
			t.Errorf("%v, %d bytes left", err, account.Used())
		}
		if rows := scanAll(t, l, scanOf(t, l, "s", "t", "id"), account); rows != 7 {
			t.Errorf("%d rows of the new version", rows)
		}
		replace(whole)
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
