package main

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tuttidb/tutti/client"
	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/connectors/system"
	"github.com/tuttidb/tutti/coordinator"
	"github.com/tuttidb/tutti/sql/types"
)

// counted is a catalog whose tables are costly to describe, as a lake's are:
// it remembers which ones it was asked to.
type counted struct {
	mu        sync.Mutex
	described []string
	listed    int
}

func (*counted) Schemas(context.Context) ([]string, error) { return []string{"one", "other"}, nil }

func (c *counted) Tables(context.Context, string) (names []string, _ error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listed++
	for i := range 30 {
		names = append(names, fmt.Sprintf("t%02d", i))
	}
	return append(names, "wanted"), nil
}

func (c *counted) Table(_ context.Context, schema, name string) (*connectors.Table, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.described = append(c.described, schema+"."+name)
	return &connectors.Table{Schema: schema, Name: name, Columns: []connectors.Column{
		{Name: "id", Type: types.Of(types.BigInt)}, {Name: "name", Type: types.VarcharType()},
	}}, nil
}

func (*counted) Splits(context.Context, *connectors.Scan) (connectors.SplitSource, error) {
	return nil, fmt.Errorf("nothing is read here")
}

func (*counted) Open(context.Context, *connectors.Scan, connectors.Split, *connectors.Env) (connectors.Source, error) {
	return nil, fmt.Errorf("nothing is read here")
}

func (*counted) Close() error { return nil }

// taken returns what has been described since the last call, each once.
func (c *counted) taken() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.described
	c.described, c.listed = nil, 0
	slices.Sort(out)
	return slices.Compact(out)
}

// testFront is a front behind a port; stop ends it, ended gets its error.
type testFront struct {
	*front
	door  *door
	url   string
	stop  context.CancelFunc
	ended chan error
}

// newTestFront makes all of a server but lets nobody in yet: serve does.
func newTestFront(t *testing.T) *testFront {
	t.Helper()
	p, err := localProcess(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &testFront{door: p.openDoor("server", l, "n"), url: "http://" + l.Addr().String(), ended: make(chan error, 1)}
	nodes := func() []coordinator.NodeInfo { return []coordinator.NodeInfo{p.self("n", l)} }
	if f.front, err = newFront(p, "n", nodes, coordinator.NewCatalogs()); err != nil {
		t.Fatal(err)
	}
	f.begin(f.deps())
	return f
}

func (f *testFront) serve(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	f.stop = stop
	go func() {
		f.ended <- f.front.serve(ctx, f.door, func() []nodeFigures { return nil })
	}()
	t.Cleanup(stop)
	f.await(t, "/readyz", http.StatusOK)
}

// get asks for a path: status and text.
func (f *testFront) get(t *testing.T, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, f.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Trino-User", "ann")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, strings.TrimSpace(string(text))
}

func (f *testFront) await(t *testing.T, path string, want int) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		code, text := f.get(t, "GET", path, "")
		if code == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is %d %s", path, code, text)
		}
	}
}

// open returns a pool of connections of our own driver.
func (f *testFront) open(t *testing.T) *sql.DB {
	t.Helper()
	c, err := client.Driver{}.OpenConnector(strings.Replace(f.url, "http://", "http://ann@", 1) + "?catalog=counted&schema=one")
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(c)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// TestOneTablesColumns: the statements by which clients ask for the columns of
// one table describe that table and no other.
func TestOneTablesColumns(t *testing.T) {
	f := newTestFront(t)
	c := &counted{}
	if err := f.catalogs.Add("counted", "counted", system.InformationSchema("counted", c)); err != nil {
		t.Fatal(err)
	}
	f.serve(t)
	db := f.open(t)
	one := []string{"one.wanted"}
	for _, q := range []struct {
		who, sql  string
		args      []any
		rows      int
		described []string
	}{
		{who: "DESCRIBE", sql: "DESCRIBE wanted", rows: 2, described: one},
		{who: "SHOW COLUMNS", sql: "SHOW COLUMNS FROM counted.one.wanted LIKE 'n%'", rows: 1, described: one},
		{who: "JDBC getColumns", sql: `SELECT TABLE_CAT, TABLE_SCHEM, TABLE_NAME, COLUMN_NAME, DATA_TYPE, ORDINAL_POSITION FROM system.jdbc.columns
			WHERE TABLE_CAT = 'counted' AND TABLE_SCHEM LIKE 'one' ESCAPE '\' AND TABLE_NAME LIKE 'wanted' ESCAPE '\' AND COLUMN_NAME LIKE '%' ESCAPE '\'
			ORDER BY TABLE_CAT, TABLE_SCHEM, TABLE_NAME, ORDINAL_POSITION`, rows: 2, described: one},
		{who: "JDBC getColumns by pattern", sql: `SELECT COLUMN_NAME FROM system.jdbc.columns
			WHERE TABLE_CAT = 'counted' AND TABLE_SCHEM LIKE 'o_e' ESCAPE '\' AND TABLE_NAME LIKE 'want%' ESCAPE '\'`, rows: 2, described: one},
		{who: "SQLAlchemy get_columns", sql: `SELECT "column_name", "data_type", "column_default", UPPER("is_nullable") AS "is_nullable"
			FROM "information_schema"."columns" WHERE "table_schema" = 'one' AND "table_name" = 'wanted' ORDER BY "ordinal_position" ASC`, rows: 2, described: one},
		{who: "with parameters", sql: `SELECT column_name FROM information_schema.columns WHERE table_schema = ? AND table_name = ?`,
			args: []any{"one", "wanted"}, rows: 2, described: one},
		{who: "lower", sql: `SELECT column_name FROM information_schema.columns WHERE lower(table_schema) = 'one' AND lower(table_name) = 'wanted'`, rows: 2, described: one},
		{who: "IN", sql: `SELECT column_name FROM information_schema.columns WHERE table_schema = 'one' AND table_name IN ('wanted', 't03')`, rows: 4,
			described: []string{"one.t03", "one.wanted"}},
		{who: "comments", sql: `SELECT "table_name", "comment" FROM system.metadata.table_comments WHERE catalog_name = 'counted' AND schema_name = 'one' AND table_name = 'wanted'`,
			rows: 1, described: one},
		{who: "join as dbt has it", sql: `SELECT c.column_name FROM
			(SELECT table_catalog, table_schema, table_name FROM counted.information_schema.tables WHERE table_schema = 'one' AND table_name = 'wanted') t
			JOIN (SELECT * FROM counted.information_schema.columns WHERE table_schema = 'one' AND table_name = 'wanted') c
			ON t.table_catalog = c.table_catalog AND t.table_schema = c.table_schema AND t.table_name = c.table_name`, rows: 2, described: one},
		{who: "contradiction", sql: `SELECT column_name FROM information_schema.columns WHERE table_name = 'wanted' AND table_name = 't01'`},
		{who: "another catalog", sql: `SELECT column_name FROM system.jdbc.columns WHERE table_cat = 'memory'`, rows: -1},
		{who: "JDBC getTables", sql: `SELECT TABLE_NAME FROM system.jdbc.tables WHERE TABLE_CAT = 'counted' AND TABLE_SCHEM LIKE 'one' ESCAPE '\' AND TABLE_TYPE IN ('TABLE', 'VIEW')`,
			rows: 31},
		{who: "SHOW TABLES", sql: `SHOW TABLES`, rows: 31},
		{who: "tables", sql: `SELECT table_name FROM information_schema.tables WHERE table_schema = 'one' AND table_name LIKE 't0%'`, rows: 10},
	} {
		t.Run(q.who, func(t *testing.T) {
			c.taken()
			rows, err := db.QueryContext(t.Context(), q.sql, q.args...)
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for ; rows.Next(); n++ {
			}
			if err := rows.Err(); err != nil || q.rows >= 0 && n != q.rows {
				t.Errorf("%d rows, want %d: %v", n, q.rows, err)
			}
			if got := c.taken(); !slices.Equal(got, q.described) {
				t.Errorf("%d tables were described, want %v: %.200v", len(got), q.described, got)
			}
		})
	}
}

// TestFrontLife is the life of a server as probes see it: starting, ready,
// shutting down while a statement is still read, gone.
func TestFrontLife(t *testing.T) {
	f := newTestFront(t)
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 503, "/v1/query": 503} {
		if code, text := f.get(t, "GET", path, ""); code != want {
			t.Errorf("starting: %s: %d %s", path, code, text)
		}
	}
	early, db := make(chan error), f.open(t)
	go func() {
		one := 0
		early <- db.QueryRowContext(t.Context(), "SELECT 1").Scan(&one)
	}()
	f.serve(t)
	if err := <-early; err != nil {
		t.Errorf("a statement that came during the start: %v", err)
	}
	rows, err := f.open(t).QueryContext(t.Context(), "SELECT orderkey, comment FROM tpch.tiny.lineitem")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	if code, text := f.get(t, "PUT", "/v1/info/state", `"SHUTTING_DOWN"`); code != 200 {
		t.Fatalf("shutdown: %d %s", code, text)
	}
	if code, _ := f.get(t, "GET", "/readyz", ""); code != 503 {
		t.Errorf("shutting down: ready is %d", code)
	}
	if code, _ := f.get(t, "GET", "/healthz", ""); code != 200 {
		t.Errorf("shutting down: health is %d", code)
	}
	if _, text := f.get(t, "GET", "/v1/info/state", ""); text != `"SHUTTING_DOWN"` {
		t.Errorf("state is %s", text)
	}
	if code, text := f.get(t, "POST", "/v1/statement", "SELECT 1"); code != 503 {
		t.Errorf("a new statement: %d %s", code, text)
	}
	n := 0
	for ; rows.Next(); n++ {
	}
	if err := rows.Err(); err != nil || n != 60175 {
		t.Errorf("the statement that ran was cut off: %d rows, %v", n, err)
	}
	select {
	case err := <-f.ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it does not end")
	}
	if _, err := net.DialTimeout("tcp", strings.TrimPrefix(f.url, "http://"), time.Second); err == nil {
		t.Error("the port is still open")
	}
}

// TestStopWithStatements: a signal does not wait for clients.
func TestStopWithStatements(t *testing.T) {
	f := newTestFront(t)
	f.serve(t)
	if code, text := f.get(t, "POST", "/v1/statement", "SELECT count(*) FROM tpch.tiny.lineitem a, tpch.tiny.lineitem b, tpch.tiny.lineitem c WHERE a.comment < b.comment || c.comment"); code != 200 {
		t.Fatalf("%d %s", code, text)
	}
	f.stop()
	select {
	case err := <-f.ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it does not end")
	}
}

// TestPathsAreNotShown: what clients are told of things that are not there
// does not say where on the server's disk the lake is.
func TestPathsAreNotShown(t *testing.T) {
	f := newTestFront(t)
	f.serve(t)
	db := f.open(t)
	for _, q := range []string{
		"SELECT * FROM lake.default.nosuch", "SELECT * FROM lake.nosuch.t", "DESCRIBE lake.default.nosuch", "SHOW TABLES FROM lake.nosuch",
		"SELECT * FROM 'nosuch/*.parquet'", "SELECT * FROM 'file:///etc/passwd'", "CREATE SCHEMA tpch.x", "DROP TABLE lake.default.nosuch",
	} {
		_, err := db.ExecContext(t.Context(), q)
		if err == nil || strings.Contains(err.Error(), f.p.cfg.DataDir) || strings.Contains(err.Error(), ".go:") {
			t.Errorf("%s: %v", q, err)
		}
	}
	for _, path := range []string{"/v1/info", "/v1/status", "/v1/node", "/v1/cluster", "/v1/query", "/metrics", "/nosuch", "/ui/nosuch"} {
		if _, text := f.get(t, "GET", path, ""); strings.Contains(text, f.p.cfg.DataDir) {
			t.Errorf("%s shows where the data is: %.300s", path, text)
		}
	}
}
