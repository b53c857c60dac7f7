package lake

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	pq "github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/connectors/conntest"
	"github.com/tuttidb/tutti/exec/kernel"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// file writes a Parquet file of one record batch, given as JSON rows.
func writeFile(t testing.TB, path string, fields []arrow.Field, rows string, opts ...pq.WriterProperty) {
	t.Helper()
	rec, _, err := array.RecordFromJSON(memory.DefaultAllocator, arrow.NewSchema(fields, nil), strings.NewReader(rows))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w, err := pqarrow.NewFileWriter(rec.Schema(), &out, pq.NewWriterProperties(opts...), pqarrow.DefaultWriterProps())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(rec); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	put(t, path, out.Bytes())
}

func put(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func col(name string, t arrow.DataType) arrow.Field {
	return arrow.Field{Name: name, Type: t, Nullable: true}
}

var (
	i32, i64, f32, f64 = arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Int64, arrow.PrimitiveTypes.Float32, arrow.PrimitiveTypes.Float64
	str                = arrow.BinaryTypes.String
)

// events writes a table of n rows.
func events(t testing.TB, path string, from, n int, opts ...pq.WriterProperty) {
	t.Helper()
	var rows strings.Builder
	rows.WriteString("[")
	for i := from; i < from+n; i++ {
		if i > from {
			rows.WriteString(",")
		}
		name := fmt.Sprintf("%q", []string{"click", "view", "a rather long name of an event"}[i%3])
		if i%11 == 0 {
			name = "null"
		}
		fmt.Fprintf(&rows, `{"ID": %d, "name": %s, "score": %v, "tags": ["t%d", null]}`, i, name, float64(i)/4, i%5)
	}
	rows.WriteString("]")
	writeFile(t, path, []arrow.Field{col("ID", i64), col("name", str), col("score", f64), col("tags", arrow.ListOf(str))}, rows.String(), opts...)
}

// newLake returns a connector over a folder.
func newLake(t testing.TB, cfg Config) *Lake {
	t.Helper()
	root := mem.NewRoot("planning", 0, mem.NewPool())
	l, err := New(context.Background(), cfg, Deps{Account: root})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if n := root.Used(); n != 0 {
			t.Errorf("planning left %d bytes", n)
		}
	})
	return l
}

// warehouse makes a folder with tables of many kinds.
func warehouse(t testing.TB) string {
	dir := t.TempDir()
	small := pq.WithMaxRowGroupLength(100)
	events(t, filepath.Join(dir, "web", "Events", "a.parquet"), 0, 500, small)
	events(t, filepath.Join(dir, "web", "Events", "deep", "b.parquet"), 500, 700, small, pq.WithPageIndexEnabled(true), pq.WithDataPageSize(200))
	events(t, filepath.Join(dir, "web", "single.parquet"), 0, 10)
	events(t, filepath.Join(dir, "web", "empty", "none.parquet"), 0, 0)
	for d, n := range map[string]int{"day=2024-01-01/kind=x%2Fy": 30, "day=2024-01-02/kind=" + hiveNull: 20, "day=2024-02-01/kind=z": 10} {
		events(t, filepath.Join(dir, "web", "parts", d, "part-0.parquet"), n*100, n)
	}
	writeFile(t, filepath.Join(dir, "web", "evolved", "1.parquet"), []arrow.Field{col("a", i32), col("b", f32)}, `[{"a": 1, "b": 1.5}, {"a": null, "b": 2}]`)
	writeFile(t, filepath.Join(dir, "web", "evolved", "2.parquet"), []arrow.Field{col("c", str), col("A", i64), col("b", f64)}, `[{"a": 5000000000, "A": 5000000000, "b": 0.1, "c": "new"}]`)
	put(t, filepath.Join(dir, "web", "Events", "_temporary", "x.parquet"), []byte("not looked at"))
	put(t, filepath.Join(dir, "web", "Events", ".hidden.parquet"), []byte("not looked at"))
	put(t, filepath.Join(dir, "web", "Events", "README.md"), []byte("not looked at"))
	put(t, filepath.Join(dir, "web", "Events", "zero.parquet"), nil)
	put(t, filepath.Join(dir, ".git", "x"), []byte("x"))
	return dir
}

func TestConformance(t *testing.T) {
	dir := warehouse(t)
	conntest.Run(t, conntest.Config{
		New: func(t *testing.T) connectors.Connector { return newLake(t, Config{Warehouse: dir}) },
		Tables: []conntest.Table{
			{Schema: "web", Name: "events"}, {Schema: "web", Name: "single"}, {Schema: "web", Name: "empty"},
			{Schema: "web", Name: "parts"}, {Schema: "web", Name: "evolved"},
		},
		Paths: []string{dir + "/web/Events/a.parquet", dir + "/web/*/a.parquet", dir + "/web/parts", "file://" + dir + "/web/parts/**/*.parquet"},
	})
}

// read returns the rows of a table's visible columns.
func read(t testing.TB, l *Lake, tab *connectors.Table, predicate func(map[string]*expr.Column) expr.Expr, names ...string) (rows [][]any, err error) {
	t.Helper()
	scan := &connectors.Scan{Schema: tab.Schema, Table: tab.Name, Handle: tab.Handle, Limit: -1}
	cols := map[string]*expr.Column{}
	for _, n := range names {
		i := slices.IndexFunc(tab.Columns, func(c connectors.Column) bool { return c.Name == n })
		if i < 0 {
			t.Fatalf("no column %q", n)
		}
		cols[n] = &expr.Column{ID: expr.ColumnID(len(scan.Columns)), Typ: tab.Columns[i].Type, Name: n}
		scan.Columns = append(scan.Columns, connectors.ScanColumn{Ordinal: i, Name: n, Type: tab.Columns[i].Type})
	}
	if predicate != nil {
		scan.Predicate = predicate(cols)
	}
	src, err := l.Splits(t.Context(), scan)
	if err != nil {
		return nil, err
	}
	splits, err := src.Next(t.Context(), 1000)
	if err != nil {
		return nil, err
	}
	pool := mem.NewPool()
	env := &connectors.Env{Account: mem.NewRoot("test", 0, pool), BatchRows: vector.DefaultRows}
	for _, sp := range splits {
		if rows, err = readSplit(t, l, scan, sp, env, rows); err != nil {
			break
		}
	}
	if pool.Out() != 0 {
		t.Errorf("%d bytes were not released", pool.Out())
	}
	return rows, err
}

func readSplit(t testing.TB, l *Lake, scan *connectors.Scan, sp connectors.Split, env *connectors.Env, rows [][]any) ([][]any, error) {
	r, err := l.Open(t.Context(), scan, sp, env)
	if err != nil {
		return rows, err
	}
	defer r.Close()
	for {
		b, err := r.Next(t.Context())
		if b == nil || err != nil {
			return rows, err
		}
		if err := b.Load(); err != nil {
			return rows, err
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

// table describes a table and fails the test if it cannot.
func table(t testing.TB, l *Lake, schema, name string) *connectors.Table {
	t.Helper()
	tab, err := l.Table(t.Context(), schema, name)
	if err != nil || tab == nil {
		t.Fatalf("%s.%s: %v, %v", schema, name, tab, err)
	}
	return tab
}

func describe(tab *connectors.Table) string {
	var out []string
	for _, c := range tab.Columns {
		s := c.Name + " " + c.Type.String()
		if c.Extra != "" {
			s += " (" + c.Extra + ")"
		}
		if !c.Hidden {
			out = append(out, s)
		}
	}
	return strings.Join(out, ", ")
}

func TestDescribe(t *testing.T) {
	l := newLake(t, Config{Warehouse: warehouse(t)})
	for name, want := range map[string]string{
		"events":  "id bigint, name varchar, score double, tags array(varchar)",
		"EVENTS":  "id bigint, name varchar, score double, tags array(varchar)",
		"parts":   "id bigint, name varchar, score double, tags array(varchar), day date (partition key), kind varchar (partition key)",
		"evolved": "a bigint, b double, c varchar",
		"empty":   "id bigint, name varchar, score double, tags array(varchar)",
	} {
		if got := describe(table(t, l, "web", name)); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if tables, err := l.Tables(t.Context(), "web"); err != nil || fmt.Sprint(tables) != "[empty events evolved parts single]" {
		t.Errorf("tables: %v, %v", tables, err)
	}
	if schemas, err := l.Schemas(t.Context()); err != nil || fmt.Sprint(schemas) != "[web]" {
		t.Errorf("schemas: %v, %v", schemas, err)
	}
}

func TestEvolvedRows(t *testing.T) {
	l := newLake(t, Config{Warehouse: warehouse(t)})
	rows, err := read(t, l, table(t, l, "web", "evolved"), nil, "a", "b", "c")
	if got := fmt.Sprint(rows); err != nil || got != "[[1 1.5 <nil>] [<nil> 2 <nil>] [5000000000 0.1 new]]" {
		t.Errorf("%s, %v", got, err)
	}
}

// compareTo makes a predicate column op value.
func compareTo(t testing.TB, op, name string, value any) func(map[string]*expr.Column) expr.Expr {
	return func(cols map[string]*expr.Column) expr.Expr {
		c := cols[name]
		fn, err := function.ResolveScalar(op, []types.Type{c.Typ, c.Typ})
		if err != nil {
			t.Fatal(err)
		}
		return &expr.Call{Fn: fn, Args: []expr.Expr{c, &expr.Const{Value: value, Typ: c.Typ}}}
	}
}

// TestPartitionPruning counts the files that remain.
func TestPartitionPruning(t *testing.T) {
	l := newLake(t, Config{Warehouse: warehouse(t)})
	tab := table(t, l, "web", "parts")
	feb := types.DaysOf(2024, 2, 1)
	tests := []struct {
		predicate func(map[string]*expr.Column) expr.Expr
		files     int
		rows      int
	}{
		{nil, 3, 60},
		{compareTo(t, function.OpGe, "day", feb), 1, 10},
		{compareTo(t, function.OpEq, "kind", "x/y"), 1, 30},
		{compareTo(t, function.OpNe, "kind", "z"), 1, 30},
		{compareTo(t, function.OpLike, "$path", "%part-0%"), 3, 60},
		{compareTo(t, function.OpLike, "$path", "%kind=z%"), 1, 10},
	}
	for i, tc := range tests {
		cols := []string{"id", "day", "kind", "$path"}
		rows, err := read(t, l, tab, tc.predicate, cols...)
		if err != nil || len(rows) != tc.rows {
			t.Errorf("%d: %d rows, %v; want %d", i, len(rows), err, tc.rows)
		}
		scan := &connectors.Scan{Schema: tab.Schema, Table: tab.Name, Handle: tab.Handle, Limit: -1}
		refs := map[string]*expr.Column{}
		for k, n := range cols {
			o := slices.IndexFunc(tab.Columns, func(c connectors.Column) bool { return c.Name == n })
			refs[n] = &expr.Column{ID: expr.ColumnID(k), Typ: tab.Columns[o].Type}
			scan.Columns = append(scan.Columns, connectors.ScanColumn{Ordinal: o, Name: n, Type: tab.Columns[o].Type})
		}
		if tc.predicate != nil {
			scan.Hint = tc.predicate(refs)
		}
		if got := filesOf(t, l, scan); len(got) != tc.files {
			t.Errorf("%d: the splits have the files %v; want %d", i, got, tc.files)
		}
	}
}

// filesOf returns the keys of the files in a scan's splits.
func filesOf(t testing.TB, l *Lake, scan *connectors.Scan) (keys []string) {
	t.Helper()
	src, err := l.Splits(t.Context(), scan)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	for {
		splits, err := src.Next(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		if len(splits) == 0 {
			return keys
		}
		for _, sp := range splits {
			info, err := decodeSplit(sp.Payload)
			if err != nil {
				t.Fatal(err)
			}
			for i := range info.Files {
				keys = append(keys, string(info.Files[i].Key))
			}
		}
	}
}

// TestFreshListing: a new file is there for the next query, unless the catalog
// allows older listings.
func TestFreshListing(t *testing.T) {
	for _, stale := range []time.Duration{0, time.Hour} {
		dir := t.TempDir()
		events(t, filepath.Join(dir, "s", "t", "a.parquet"), 0, 5)
		l := newLake(t, Config{Warehouse: dir, ListingStaleness: stale})
		count := func() int {
			rows, err := read(t, l, table(t, l, "s", "t"), nil, "id")
			if err != nil {
				t.Fatal(err)
			}
			return len(rows)
		}
		if n := count(); n != 5 {
			t.Fatalf("%d rows", n)
		}
		events(t, filepath.Join(dir, "s", "t", "b.parquet"), 0, 7)
		want := map[time.Duration]int{0: 12, time.Hour: 5}[stale]
		if n := count(); n != want {
			t.Errorf("staleness %v: %d rows after a file was added, want %d", stale, n, want)
		}
	}
}

// TestChangedFile: a file that is replaced after planning fails the query.
func TestChangedFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "s", "t", "a.parquet")
	events(t, path, 0, 5)
	l := newLake(t, Config{Warehouse: dir})
	tab := table(t, l, "s", "t")
	events(t, path, 0, 9)
	l.deps.Footers = nil
	l2 := newLake(t, Config{Warehouse: dir})
	l.deps.Footers = l2.deps.Footers // no cached footer
	if _, err := read(t, l, tab, nil, "id"); !qerr.Is(err, qerr.LakeFileChanged) || !strings.Contains(err.Error(), "a.parquet") {
		t.Errorf("error %v", err)
	}
	if _, err := read(t, l2, tab, nil, "id"); !qerr.Is(err, qerr.LakeFileChanged) {
		t.Errorf("another instance: error %v", err)
	}
}

func TestErrors(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "s", "junk", "a.parquet"), []byte("this is not a parquet file"))
	put(t, filepath.Join(dir, "s", "tiny", "a.parquet"), []byte("x"))
	events(t, filepath.Join(dir, "s", "uneven", "k=1", "a.parquet"), 0, 1)
	events(t, filepath.Join(dir, "s", "uneven", "b.parquet"), 0, 1)
	writeFile(t, filepath.Join(dir, "s", "clash", "1.parquet"), []arrow.Field{col("x", i64)}, `[{"x": 1}]`)
	writeFile(t, filepath.Join(dir, "s", "clash", "2.parquet"), []arrow.Field{col("x", str)}, `[{"x": "a"}]`)
	writeFile(t, filepath.Join(dir, "s", "case", "1.parquet"), []arrow.Field{col("x", i64), col("X", i64)}, `[{"x": 1, "X": 2}]`)
	l := newLake(t, Config{Warehouse: dir})
	for name, want := range map[string]string{
		"junk":   "/s/junk/a.parquet: not a Parquet file: it does not end in PAR1",
		"tiny":   "/s/tiny/a.parquet: not a Parquet file: it has 1 bytes only",
		"uneven": "the files are not partitioned alike: ",
		"clash":  `column "x" is bigint in file://` + dir + `/s/clash/1.parquet but varchar in file://` + dir + `/s/clash/2.parquet`,
		"case":   `the columns "x" and "X" cannot be told apart`,
	} {
		if _, err := l.Table(t.Context(), "s", name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}

func TestPaths(t *testing.T) {
	dir, other := warehouse(t), t.TempDir()
	events(t, filepath.Join(other, "x.parquet"), 0, 3)
	events(t, filepath.Join(other, "sub", "y.parquet"), 0, 4)
	tests := []struct {
		cfg  Config
		path string
		want string // error, or number of rows
	}{
		{Config{Warehouse: dir}, dir + "/web/Events", "1200"},
		{Config{Warehouse: dir}, dir + "/web/Events/", "1200"},
		{Config{Warehouse: dir}, dir + "/web/Events/*.parquet", "500"},
		{Config{Warehouse: dir}, dir + "/web/Events/**/b.parquet", "700"},
		{Config{Warehouse: dir}, other + "/x.parquet", "PERMISSION_DENIED Access Denied"},
		{Config{Warehouse: dir}, dir + "/../secret.parquet", "PERMISSION_DENIED"},
		{Config{Warehouse: dir}, dir + "/*/../../secret.parquet", "PERMISSION_DENIED"},
		{Config{Warehouse: dir}, dir + "/web/nothing/*.parquet", "TABLE_NOT_FOUND no files match"},
		{Config{Warehouse: dir, AllowPaths: []string{other}}, other + "/x.parquet", "3"},
		{Config{Warehouse: dir, AllowPaths: []string{other + "/sub"}}, other + "/x.parquet", "PERMISSION_DENIED"},
		{Config{Warehouse: dir, AllowPaths: []string{other + "/sub"}}, other + "/sub/*", "4"},
		{Config{AllowAll: true}, other, "7"},
		{Config{AllowAll: true}, "gs://bucket/x", "NOT_SUPPORTED"},
		{Config{}, dir + "/web/Events/a.parquet", "PERMISSION_DENIED"},
	}
	for _, tc := range tests {
		l := newLake(t, tc.cfg)
		tab, err := l.TableAt(t.Context(), tc.path)
		got := ""
		if err == nil {
			rows, rerr := read(t, l, tab, nil, "id")
			got, err = fmt.Sprint(len(rows)), rerr
		}
		if err != nil {
			got = qerr.From(err).Code.Name + " " + err.Error()
		}
		if !strings.HasPrefix(got, tc.want) {
			t.Errorf("%s: %s, want %s", tc.path, got, tc.want)
		}
	}
}

// TestManyFiles plans a table of thousands of files quickly and reads few footers.
func TestManyFiles(t *testing.T) {
	dir := t.TempDir()
	events(t, filepath.Join(dir, "one.parquet"), 0, 3)
	data, err := os.ReadFile(filepath.Join(dir, "one.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	const n = 2000
	for i := range n {
		put(t, filepath.Join(dir, "s", "t", fmt.Sprintf("p=%d", i%10), fmt.Sprintf("%05d.parquet", i)), data)
	}
	l := newLake(t, Config{Warehouse: dir})
	tab := table(t, l, "s", "t")
	if len(tab.Handle) > 500 {
		t.Errorf("the handle has %d bytes", len(tab.Handle))
	}
	scan := &connectors.Scan{Schema: "s", Table: "t", Handle: tab.Handle}
	st, err := l.Stats(t.Context(), scan)
	if err != nil || st.Rows < 3*n*0.9 || st.Rows > 3*n*1.1 {
		t.Errorf("%v rows, %v", st, err)
	}
	rows, err := read(t, l, tab, compareTo(t, function.OpEq, "p", int64(3)), "id", "p")
	if err != nil || len(rows) != 3*n/10 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

func TestStats(t *testing.T) {
	dir := t.TempDir()
	events(t, filepath.Join(dir, "s", "t", "a.parquet"), 1, 3000, pq.WithMaxRowGroupLength(1000))
	l := newLake(t, Config{Warehouse: dir})
	tab := table(t, l, "s", "t")
	scan := &connectors.Scan{Schema: "s", Table: "t", Handle: tab.Handle}
	for i, c := range tab.Columns {
		scan.Columns = append(scan.Columns, connectors.ScanColumn{Ordinal: i, Name: c.Name, Type: c.Type})
	}
	st, err := l.Stats(t.Context(), scan)
	if err != nil || st.Rows != 3000 {
		t.Fatal(st, err)
	}
	id, name, score := st.Columns[0], st.Columns[1], st.Columns[2]
	if id.Distinct != 3000 || id.Min != 1 || id.Max != 3000 || id.NullFraction != 0 {
		t.Errorf("id: %+v", id)
	}
	if math.Abs(name.Distinct-3) > 0.1 || name.NullFraction < 0.08 || name.NullFraction > 0.1 {
		t.Errorf("name: %+v", name)
	}
	if score.Distinct < 2500 || score.Max != 750 {
		t.Errorf("score: %+v", score)
	}
}
