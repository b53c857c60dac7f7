package system

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/connectors/conntest"
	"github.com/tuttidb/tutti/exec/kernel"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// fake is a catalog with two schemas of three tables that counts what it is
// asked. Only asked-for schemas may be listed in the tests below.
type fake struct {
	schemas, tables, described atomic.Int64
	broken                     bool
}

func (f *fake) Schemas(context.Context) ([]string, error) {
	f.schemas.Add(1)
	if f.broken {
		return nil, errors.New("no such bucket")
	}
	return []string{"one", "two_x"}, nil
}

func (f *fake) Tables(_ context.Context, schema string) ([]string, error) {
	f.tables.Add(1)
	if f.broken {
		return nil, errors.New("no such bucket")
	}
	if schema != "one" && schema != "two_x" {
		return nil, nil
	}
	return []string{"a", "ab", "c_d"}, nil
}

func (f *fake) Table(_ context.Context, schema, name string) (*connectors.Table, error) {
	f.described.Add(1)
	if f.broken {
		return nil, errors.New("no such bucket")
	}
	if !slices.Contains([]string{"a", "ab", "c_d"}, name) || schema != "one" && schema != "two_x" {
		return nil, nil
	}
	return &connectors.Table{Schema: schema, Name: name, Comment: "about " + name, Columns: []connectors.Column{
		{Name: "id", Type: types.Of(types.BigInt), NotNull: true},
		{Name: "path", Type: types.VarcharType(), Hidden: true},
		{Name: "price", Type: types.DecimalOf(12, 2), Comment: "in cents", Extra: "partition key"},
	}}, nil
}

func (f *fake) Splits(context.Context, *connectors.Scan) (connectors.SplitSource, error) {
	return nil, errors.New("inner splits")
}

func (f *fake) Open(context.Context, *connectors.Scan, connectors.Split, *connectors.Env) (connectors.Source, error) {
	return nil, errors.New("inner open")
}

func (f *fake) Close() error { return nil }

// calls returns and resets the counts: schemas, tables, described.
func (f *fake) calls() [3]int64 {
	return [3]int64{f.schemas.Swap(0), f.tables.Swap(0), f.described.Swap(0)}
}

// fakeCatalogs are the catalogs fa and fb, and the system itself.
type fakeCatalogs struct {
	conns map[string]connectors.Connector
}

func (f fakeCatalogs) List() []string            { return sortedKeys(f.conns) }
func (f fakeCatalogs) KindOf(name string) string { return "kind of " + name }
func (f fakeCatalogs) Connector(_ context.Context, name string) (connectors.Connector, error) {
	if c, ok := f.conns[name]; ok {
		return c, nil
	}
	return nil, qerr.New(qerr.CatalogNotFound, "Catalog '%s' not found", name)
}

type fakeCluster struct{}

func (fakeCluster) Queries() []Query {
	at := time.UnixMilli(1_700_000_000_123)
	return []Query{
		{ID: "q1", State: "FAILED", User: "ann", Source: "cli", SQL: "select 1/0", Queued: 2 * time.Millisecond, Created: at, Ended: at, ErrorType: "USER_ERROR", ErrorCode: "DIVISION_BY_ZERO"},
		{ID: "q2", State: "RUNNING", User: "bob", SQL: "select 2", Created: at},
	}
}
func (fakeCluster) Nodes() []Node {
	return []Node{{ID: "n1", HTTPURI: "http://n1", Version: "1", Coordinator: true, State: "active"}}
}
func (fakeCluster) Tasks() []Task {
	return []Task{{Node: "n1", ID: "q2.0.0.0", Query: "q2", CPU: time.Second}}
}

type world struct {
	a, b     *fake
	catalogs fakeCatalogs
	account  *mem.Account
}

func newWorld(t *testing.T) *world {
	t.Helper()
	pool := mem.NewPool()
	w := &world{a: &fake{}, b: &fake{}, account: mem.NewRoot("test", 0, pool)}
	w.catalogs.conns = map[string]connectors.Connector{"fa": InformationSchema("fa", w.a), "fb": InformationSchema("fb", w.b)}
	w.catalogs.conns["system"] = InformationSchema("system", New(w.catalogs, fakeCluster{}))
	t.Cleanup(func() {
		if n := w.account.Used(); n != 0 {
			t.Errorf("%d bytes are still accounted", n)
		}
	})
	return w
}

// read returns the rows of a table under a condition made by where from the
// table's columns, each row's values joined by "|".
func (w *world) read(t *testing.T, catalog, schema, name string, where func(col func(string) expr.Expr) expr.Expr) ([]string, error) {
	t.Helper()
	ctx := context.Background()
	conn := w.catalogs.conns[catalog]
	info, err := conn.Table(ctx, schema, name)
	if err != nil || info == nil {
		t.Fatalf("table %s.%s: %v, %v", schema, name, info, err)
	}
	if !info.Local {
		t.Errorf("%s.%s is not local", schema, name)
	}
	scan := &connectors.Scan{Schema: schema, Table: name, Limit: -1}
	for i, c := range info.Columns {
		scan.Columns = append(scan.Columns, connectors.ScanColumn{Ordinal: i, Name: c.Name, Type: c.Type})
	}
	if where != nil {
		scan.Hint = where(func(n string) expr.Expr {
			i := slices.IndexFunc(info.Columns, func(c connectors.Column) bool { return c.Name == n })
			return &expr.Column{ID: expr.ColumnID(i), Typ: info.Columns[i].Type, Name: n}
		})
	}
	splits, err := conn.Splits(ctx, scan)
	if err != nil {
		t.Fatal(err)
	}
	list, err := splits.Next(ctx, 10)
	if more, _ := splits.Next(ctx, 10); err != nil || len(list) != 1 || len(more) != 0 {
		t.Fatalf("splits: %v, %v, %v", list, more, err)
	}
	src, err := conn.Open(ctx, scan, list[0], &connectors.Env{Account: w.account, BatchRows: 2, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var rows []string
	for {
		b, err := src.Next(ctx)
		if err != nil || b == nil {
			return rows, err
		}
		for i := range b.Rows() {
			parts := make([]string, len(b.Cols))
			for c := range b.Cols {
				parts[c] = fmt.Sprint(kernel.ValueAt(b.Cols[c], b.Row(i)))
			}
			rows = append(rows, strings.Join(parts, "|"))
		}
	}
}

func text(s string) expr.Expr { return &expr.Const{Value: s, Typ: types.VarcharType()} }

func call(op string, args ...expr.Expr) expr.Expr {
	ts := make([]types.Type, len(args))
	for i, a := range args {
		ts[i] = a.Type()
	}
	return &expr.Call{Fn: &function.Scalar{Name: op, Args: ts, Result: types.Of(types.Boolean)}, Args: args}
}

func eq(e expr.Expr, s string) expr.Expr { return call(function.OpEq, e, text(s)) }

func like(e expr.Expr, pattern string) expr.Expr {
	return call(function.OpLike, e, text(pattern), text(`\`))
}

func in(e expr.Expr, names ...string) expr.Expr {
	args := []expr.Expr{e}
	for _, n := range names {
		args = append(args, text(n))
	}
	return &expr.Form{Op: expr.In, Args: args, Typ: types.Of(types.Boolean)}
}

func and(args ...expr.Expr) expr.Expr {
	return &expr.Form{Op: expr.And, Args: args, Typ: types.Of(types.Boolean)}
}

func or(args ...expr.Expr) expr.Expr {
	return &expr.Form{Op: expr.Or, Args: args, Typ: types.Of(types.Boolean)}
}

// TestOnlyWhatIsAsked counts the calls on the catalogs: conditions on names
// must keep everything else from being listed.
func TestOnlyWhatIsAsked(t *testing.T) {
	type columns = func(string) expr.Expr
	cases := []struct {
		name  string
		where func(columns) expr.Expr
		rows  int
		a, b  [3]int64 // calls: schemas, tables, described
	}{
		{"everything", nil, 12, [3]int64{1, 2, 0}, [3]int64{1, 2, 0}},
		{"a catalog", func(c columns) expr.Expr { return eq(c("table_cat"), "fa") }, 6, [3]int64{1, 2, 0}, [3]int64{}},
		{"a schema", func(c columns) expr.Expr { return and(eq(c("table_cat"), "fa"), eq(c("table_schem"), "one")) }, 3, [3]int64{0, 1, 0}, [3]int64{}},
		{"a table", func(c columns) expr.Expr {
			return and(eq(c("table_cat"), "fa"), eq(c("table_schem"), "one"), eq(c("table_name"), "ab"))
		}, 1, [3]int64{0, 0, 1}, [3]int64{}},
		{"a table that is not there", func(c columns) expr.Expr {
			return and(eq(c("table_cat"), "fa"), eq(c("table_schem"), "one"), eq(c("table_name"), "zz"))
		}, 0, [3]int64{0, 0, 1}, [3]int64{}},
		{"LIKE without wildcards", func(c columns) expr.Expr {
			return and(like(c("table_cat"), "fb"), like(c("table_schem"), `two\_x`), like(c("table_name"), `c\_d`))
		}, 1, [3]int64{}, [3]int64{0, 0, 1}},
		{"LIKE with a wildcard", func(c columns) expr.Expr {
			return and(eq(c("table_cat"), "fb"), like(c("table_schem"), "tw%"), like(c("table_name"), "a%"))
		}, 2,
			[3]int64{}, [3]int64{1, 1, 0}},
		{"IN", func(c columns) expr.Expr {
			return and(eq(c("table_cat"), "fa"), in(c("table_schem"), "one", "nosuch"), in(c("table_name"), "a", "c_d", "x"))
		}, 2, [3]int64{0, 0, 6}, [3]int64{}},
		{"OR", func(c columns) expr.Expr {
			return and(in(c("table_cat"), "fa"), or(eq(c("table_schem"), "one"), eq(c("table_schem"), "two_x")))
		}, 6, [3]int64{0, 2, 0}, [3]int64{}},
		{"contradiction", func(c columns) expr.Expr { return and(eq(c("table_cat"), "fa"), eq(c("table_cat"), "fb")) }, 0, [3]int64{}, [3]int64{}},
		{"function of the name", func(c columns) expr.Expr {
			return and(in(c("table_cat"), "fa"), call(function.OpEq, call2("upper", c("table_schem")), text("ONE")))
		}, 3, [3]int64{1, 1, 0}, [3]int64{}},
		{"no views", func(c columns) expr.Expr { return eq(c("table_type"), "SYSTEM TABLE") }, 0, [3]int64{}, [3]int64{}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			rows, err := w.read(t, "system", "jdbc", "tables", func(col func(string) expr.Expr) expr.Expr {
				if c.where == nil {
					return nil
				}
				return c.where(col)
			})
			if err != nil {
				t.Fatal(err)
			}
			rows = slices.DeleteFunc(rows, func(r string) bool {
				return strings.HasPrefix(r, "system|") || strings.Contains(r, informationName)
			})
			a, b := w.a.calls(), w.b.calls()
			if len(rows) != c.rows || a != c.a || b != c.b {
				t.Errorf("%d rows, calls %v and %v; want %d, %v, %v\n%s", len(rows), a, b, c.rows, c.a, c.b, strings.Join(rows, "\n"))
			}
		})
	}
}

func call2(name string, arg expr.Expr) expr.Expr {
	return &expr.Call{Fn: &function.Scalar{Name: name, Args: []types.Type{arg.Type()}, Result: types.VarcharType()}, Args: []expr.Expr{arg}}
}

func TestInformationSchema(t *testing.T) {
	w := newWorld(t)
	rows, err := w.read(t, "fa", informationName, "columns", func(c func(string) expr.Expr) expr.Expr {
		return and(eq(c("table_schema"), "one"), eq(c("table_name"), "ab"))
	})
	want := []string{
		"fa|one|ab|id|1|<nil>|NO|bigint|<nil>|<nil>",
		"fa|one|ab|price|2|<nil>|YES|decimal(12,2)|in cents|partition key",
	}
	if err != nil || !reflect.DeepEqual(rows, want) {
		t.Errorf("columns: %v, %v", rows, err)
	}
	if got := w.a.calls(); got != [3]int64{0, 0, 1} {
		t.Errorf("calls: %v", got)
	}
	rows, err = w.read(t, "fa", informationName, "schemata", nil)
	if want := []string{"fa|information_schema", "fa|one", "fa|two_x"}; err != nil || !reflect.DeepEqual(rows, want) {
		t.Errorf("schemata: %v, %v", rows, err)
	}
	rows, err = w.read(t, "fa", informationName, "tables", func(c func(string) expr.Expr) expr.Expr { return eq(c("table_schema"), "one") })
	if want := []string{"fa|one|a|BASE TABLE", "fa|one|ab|BASE TABLE", "fa|one|c_d|BASE TABLE"}; err != nil || !reflect.DeepEqual(rows, want) {
		t.Errorf("tables: %v, %v", rows, err)
	}
	rows, err = w.read(t, "fa", informationName, "tables", func(c func(string) expr.Expr) expr.Expr { return eq(c("table_catalog"), "fb") })
	if err != nil || rows != nil {
		t.Errorf("another catalog: %v, %v", rows, err)
	}
	hidden, _ := w.catalogs.conns["fa"].Table(t.Context(), informationName, "columns")
	if c := hidden.Columns[8]; c.Name != "comment" || !c.Hidden {
		t.Errorf("comment is %+v", c)
	}
}

// TestBrokenCatalog: one that cannot be listed is left out, unless the query
// names it.
func TestBrokenCatalog(t *testing.T) {
	w := newWorld(t)
	w.a.broken = true
	rows, err := w.read(t, "system", "jdbc", "tables", func(c func(string) expr.Expr) expr.Expr { return in(c("table_cat"), "fa", "fb") })
	if err == nil {
		t.Errorf("named: %v", rows)
	}
	rows, err = w.read(t, "system", "jdbc", "schemas", nil)
	if err != nil || !slices.Contains(rows, "one|fb") || slices.Contains(rows, "one|fa") {
		t.Errorf("all: %v, %v", rows, err)
	}
	if _, err = w.read(t, "fa", informationName, "tables", nil); err == nil {
		t.Error("its own information_schema hides the error")
	}
}

func TestRuntimeAndMetadata(t *testing.T) {
	w := newWorld(t)
	cases := map[string][]string{
		"metadata.catalogs": {"fa|fa|kind of fa", "fb|fb|kind of fb", "system|system|kind of system"},
		"jdbc.catalogs":     {"fa", "fb", "system"},
		"jdbc.table_types":  {"TABLE", "VIEW"},
		"runtime.nodes":     {"n1|http://n1|1|true|active"},
		"runtime.queries": {
			"q1|FAILED|ann|cli|select 1/0|[global]|2|0|0|1700000000123000|<nil>|<nil>|1700000000123000|USER_ERROR|DIVISION_BY_ZERO",
			"q2|RUNNING|bob|<nil>|select 2|[global]|0|0|0|1700000000123000|<nil>|<nil>|<nil>|<nil>|<nil>",
		},
		"runtime.transactions": nil,
	}
	for name, want := range cases {
		schema, table, _ := strings.Cut(name, ".")
		got, err := w.read(t, "system", schema, table, nil)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n%s\n%v", name, strings.Join(got, "\n"), err)
		}
	}
	got, err := w.read(t, "system", "metadata", "table_comments", func(c func(string) expr.Expr) expr.Expr {
		return and(eq(c("catalog_name"), "fb"), eq(c("schema_name"), "one"), eq(c("table_name"), "a"))
	})
	if err != nil || !reflect.DeepEqual(got, []string{"fb|one|a|about a"}) {
		t.Errorf("table_comments: %v, %v", got, err)
	}
}

// TestEveryTableReads reads all tables of all schemas whole: each row must fit
// its columns.
func TestEveryTableReads(t *testing.T) {
	w := newWorld(t)
	conn := w.catalogs.conns["system"]
	schemas, err := conn.Schemas(t.Context())
	if err != nil || !reflect.DeepEqual(schemas, []string{"information_schema", "jdbc", "metadata", "runtime"}) {
		t.Fatalf("schemas: %v, %v", schemas, err)
	}
	count := map[string]int{}
	for _, schema := range schemas {
		tables, err := conn.Tables(t.Context(), schema)
		if err != nil || !slices.IsSorted(tables) {
			t.Fatalf("tables: %v, %v", tables, err)
		}
		count[schema] = len(tables)
		for _, table := range tables {
			if _, err := w.read(t, "system", schema, table, nil); err != nil {
				t.Errorf("%s.%s: %v", schema, table, err)
			}
		}
	}
	if want := map[string]int{"information_schema": 8, "jdbc": 13, "metadata": 8, "runtime": 5}; !reflect.DeepEqual(count, want) {
		t.Errorf("tables a schema: %v", count)
	}
}

// TestDriverColumns: the driver asks for these numbers of columns.
func TestDriverColumns(t *testing.T) {
	w := newWorld(t)
	for name, want := range map[string]int{
		"attributes": 21, "columns": 24, "procedure_columns": 20, "procedures": 6, "pseudo_columns": 12,
		"super_tables": 4, "super_types": 6, "tables": 10, "types": 18, "udts": 7, "schemas": 2,
	} {
		if info, _ := w.catalogs.conns["system"].Table(t.Context(), "jdbc", name); len(info.Columns) != want {
			t.Errorf("%s has %d columns, want %d", name, len(info.Columns), want)
		}
	}
	if info, _ := w.catalogs.conns["system"].Table(t.Context(), "runtime", "tasks"); len(info.Columns) != 24 {
		t.Errorf("tasks has %d columns", len(info.Columns))
	}
}

func TestJDBCNumbers(t *testing.T) {
	for _, c := range []struct {
		t                   types.Type
		number              int64
		size, digits, radix any
	}{
		{types.Of(types.BigInt), -5, int64(19), nil, int64(10)},
		{types.Of(types.Double), 8, int64(53), nil, int64(2)},
		{types.DecimalOf(12, 2), 3, int64(12), int64(2), int64(10)},
		{types.VarcharOf(79), 12, int64(79), nil, nil},
		{types.VarcharType(), 12, int64(2147483647), nil, nil},
		{types.Of(types.Date), 91, int64(14), nil, nil},
		{types.TimestampOf(3), 93, int64(25), int64(3), nil},
		{types.TimeOf(0), 92, int64(8), int64(0), nil},
		{types.ArrayOf(types.Of(types.BigInt)), 2003, nil, nil, nil},
		{types.Of(types.JSON), 2000, nil, nil, nil},
	} {
		if n, s, d, r := jdbcType(c.t), columnSize(c.t), digits(c.t), radix(c.t); n != c.number || s != c.size || d != c.digits || r != c.radix {
			t.Errorf("%s: %v %v %v %v", c.t, n, s, d, r)
		}
	}
}

// capable is a fake with every optional interface.
type capable struct {
	fake
	asked []string
}

func (c *capable) Stats(context.Context, *connectors.Scan) (*connectors.TableStats, error) {
	return &connectors.TableStats{Rows: 42}, nil
}
func (c *capable) Enforce(_ context.Context, _ *connectors.Scan, list []expr.Expr) ([]expr.Expr, error) {
	return list[1:], nil
}
func (c *capable) TableAt(_ context.Context, path string) (*connectors.Table, error) {
	return &connectors.Table{Name: path}, nil
}
func (c *capable) CreateTable(_ context.Context, _, name string, _ []connectors.Column) error {
	c.asked = append(c.asked, "create "+name)
	return nil
}
func (c *capable) DropTable(_ context.Context, _, name string) error {
	c.asked = append(c.asked, "drop "+name)
	return nil
}
func (c *capable) Insert(_ context.Context, _, name string) (connectors.RowSink, error) {
	c.asked = append(c.asked, "insert "+name)
	return nil, nil
}

func (c *capable) CreateSchema(_ context.Context, name string) error {
	c.asked = append(c.asked, "create schema "+name)
	return nil
}
func (c *capable) DropSchema(_ context.Context, name string) error {
	c.asked = append(c.asked, "drop schema "+name)
	return nil
}

// TestOptionalInterfaces: what the catalog can do reaches it, what it cannot
// is as if the interface were not there, and neither touches
// information_schema.
func TestOptionalInterfaces(t *testing.T) {
	ctx := t.Context()
	inner := &capable{}
	able, unable := InformationSchema("x", inner), InformationSchema("y", &fake{})
	scan := &connectors.Scan{Schema: "one", Table: "a", Columns: make([]connectors.ScanColumn, 2)}
	own := &connectors.Scan{Schema: informationName, Table: "tables"}
	two := []expr.Expr{text("p"), text("q")}

	stats := func(c connectors.Connector, s *connectors.Scan) float64 {
		out, err := c.(connectors.Statistician).Stats(ctx, s)
		if err != nil || len(out.Columns) != len(s.Columns) && out.Rows != 42 {
			t.Fatal(out, err)
		}
		return out.Rows
	}
	if stats(able, scan) != 42 || !math.IsNaN(stats(unable, scan)) || !math.IsNaN(stats(able, own)) {
		t.Error("statistics")
	}
	rest := func(c connectors.Connector, s *connectors.Scan) int {
		out, err := c.(connectors.Enforcer).Enforce(ctx, s, two)
		if err != nil {
			t.Fatal(err)
		}
		return len(out)
	}
	if rest(able, scan) != 1 || rest(unable, scan) != 2 || rest(able, own) != 2 {
		t.Error("enforcement")
	}
	if at, err := able.(connectors.PathResolver).TableAt(ctx, "p"); err != nil || at.Name != "p" {
		t.Error(at, err)
	}
	if at, err := unable.(connectors.PathResolver).TableAt(ctx, "p"); err != nil || at != nil {
		t.Error(at, err)
	}
	for schema, fails := range map[string]bool{"one": false, informationName: true} {
		w := able.(connectors.Writer)
		_, insert := w.Insert(ctx, schema, "t")
		for _, err := range []error{w.CreateTable(ctx, schema, "t", nil), w.DropTable(ctx, schema, "t"), insert} {
			if (err != nil) != fails || err != nil && !qerr.Is(err, qerr.NotSupportedCode) {
				t.Error(schema, err)
			}
		}
	}
	if err := unable.(connectors.Writer).CreateTable(ctx, "one", "t", nil); !qerr.Is(err, qerr.NotSupportedCode) {
		t.Error(err)
	}
	schemas := able.(connectors.SchemaWriter)
	if err := errors.Join(schemas.CreateSchema(ctx, "s"), schemas.DropSchema(ctx, "s")); err != nil {
		t.Error(err)
	}
	if err := schemas.DropSchema(ctx, informationName); !qerr.Is(err, qerr.NotSupportedCode) {
		t.Error(err)
	}
	if err := unable.(connectors.SchemaWriter).CreateSchema(ctx, "s"); !qerr.Is(err, qerr.NotSupportedCode) {
		t.Error(err)
	}
	if want := []string{"insert t", "create t", "drop t", "create schema s", "drop schema s"}; !reflect.DeepEqual(inner.asked, want) {
		t.Error(inner.asked)
	}
	if _, err := able.Splits(ctx, scan); err == nil || err.Error() != "inner splits" {
		t.Error(err)
	}
}

// TestConformance holds the connector to the contract of all connectors.
func TestConformance(t *testing.T) {
	conntest.Run(t, conntest.Config{
		New: func(t *testing.T) connectors.Connector { return newWorld(t).catalogs.conns["system"] },
		Tables: []conntest.Table{
			{Schema: "jdbc", Name: "types"}, {Schema: "runtime", Name: "nodes"},
			{Schema: informationName, Name: "schemata"}, {Schema: "metadata", Name: "table_comments"},
		},
	})
}
