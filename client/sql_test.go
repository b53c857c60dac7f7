package client_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tuttidb/tutti/client"
	"github.com/tuttidb/tutti/client/clienttest"
)

func openDB(t *testing.T, params string, answer func(clienttest.Request) clienttest.Answer) (*clienttest.Server, *sql.DB) {
	t.Helper()
	s := clienttest.New(answer)
	t.Cleanup(s.Close)
	c, err := client.NewConnector(strings.Replace(s.URL, "http://", "http://ann@", 1) + "?" + params)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(c)
	t.Cleanup(func() { _ = db.Close() })
	return s, db
}

func TestSQLScan(t *testing.T) {
	arr := client.Column{Name: "arr", Signature: client.TypeSignature{RawType: "array", Arguments: []client.TypeArgument{{Type: &client.TypeSignature{RawType: "integer"}}}}}
	cols := []client.Column{
		clienttest.Col("n", "bigint"), clienttest.Col("d", "decimal(12,2)"), clienttest.Col("b", "varbinary"),
		clienttest.Col("at", "timestamp(3)"), clienttest.Col("s", "varchar"), clienttest.Col("f", "double"), arr,
	}
	_, db := openDB(t, "catalog=lake&schema=web", fixed(clienttest.Answer{Columns: cols, Pages: []clienttest.Page{
		{}, {Rows: [][]any{{1, "12.50", "3q2+7w==", "2024-02-29 01:02:03.120", nil, "NaN", []int{4, 5}}}}, {Rows: [][]any{{2, "0.00", "", "2024-02-29 00:00:00.000", "x", 2.5, nil}}},
	}}))
	rows, err := db.QueryContext(t.Context(), "SELECT 1")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var got []any
	for rows.Next() {
		var n int64
		var d string
		var b []byte
		var at time.Time
		var s sql.NullString
		var f float64
		var a client.Slice[int]
		if err := rows.Scan(&n, &d, &b, &at, &s, &f, &a); err != nil {
			t.Fatal(err)
		}
		got = append(got, n, d, len(b), at.Nanosecond(), s, f == f, a)
	}
	want := []any{
		int64(1), "12.50", 4, int(120e6), sql.NullString{}, false, client.Slice[int]{4, 5},
		int64(2), "0.00", 0, 0, sql.NullString{String: "x", Valid: true}, true, client.Slice[int](nil),
	}
	if rows.Err() != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, rows.Err())
	}
}

func TestSQLColumnTypes(t *testing.T) {
	_, db := openDB(t, "", fixed(clienttest.Answer{Columns: []client.Column{
		clienttest.Col("a", "decimal(12,2)"), clienttest.Col("b", "varchar(9)"), clienttest.Col("c", "timestamp(6) with time zone"), clienttest.Col("d", "varchar"),
	}}))
	rows, err := db.QueryContext(t.Context(), "SELECT 1 WHERE false")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil || len(types) != 4 {
		t.Fatalf("%d types, %v", len(types), err)
	}
	if p, s, ok := types[0].DecimalSize(); types[0].DatabaseTypeName() != "DECIMAL" || p != 12 || s != 2 || !ok {
		t.Errorf("decimal: %s %d %d", types[0].DatabaseTypeName(), p, s)
	}
	if n, ok := types[1].Length(); types[1].DatabaseTypeName() != "VARCHAR" || n != 9 || !ok {
		t.Errorf("varchar: %d", n)
	}
	if types[2].DatabaseTypeName() != "TIMESTAMP WITH TIME ZONE" || types[2].ScanType() != reflect.TypeFor[sql.NullTime]() {
		t.Errorf("timestamp: %s %s", types[2].DatabaseTypeName(), types[2].ScanType())
	}
	if n, ok := types[3].Length(); n < 1<<31 || !ok {
		t.Errorf("unbounded varchar: %d", n)
	}
	if _, ok := types[0].Nullable(); ok {
		t.Error("nullability is known")
	}
	if rows.Next() || rows.Err() != nil {
		t.Errorf("a row, or %v", rows.Err())
	}
}

func TestSQLArguments(t *testing.T) {
	for mode, want := range map[string]struct{ sql, header string }{
		"immediate": {"EXECUTE IMMEDIATE 'SELECT ?, ''a''' USING 3, 'x''y', DATE '2024-02-29'", ""},
		"header":    {"EXECUTE _tutti_go USING 3, 'x''y', DATE '2024-02-29'", "_tutti_go=" + url.QueryEscape("SELECT ?, 'a'")},
	} {
		s, db := openDB(t, "prepared="+mode, fixed(twoPages))
		day := client.Date(time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC))
		st, err := db.PrepareContext(t.Context(), "SELECT ?, 'a'")
		if err != nil {
			t.Fatal(err)
		}
		rows, err := st.QueryContext(t.Context(), 3, "x'y", day)
		if err != nil {
			t.Fatal(err)
		}
		_ = rows.Close()
		_ = st.Close()
		post := s.Requests(http.MethodPost)[0]
		if post.Body != want.sql || post.Header.Get("X-Trino-Prepared-Statement") != want.header {
			t.Errorf("%s: sent %s with %q", mode, post.Body, post.Header.Get("X-Trino-Prepared-Statement"))
		}
	}
	_, db := openDB(t, "", fixed(twoPages))
	if _, err := db.ExecContext(t.Context(), "SELECT ?", sql.Named("a", 1)); err == nil || !strings.Contains(err.Error(), "not supported: named argument") {
		t.Errorf("named argument: %v", err)
	}
}

func TestSQLExec(t *testing.T) {
	n := int64(5)
	_, db := openDB(t, "", func(r clienttest.Request) clienttest.Answer {
		if strings.HasPrefix(r.Body, "INSERT") {
			return clienttest.Answer{Columns: []client.Column{clienttest.Col("rows", "bigint")}, Pages: []clienttest.Page{{Rows: [][]any{{5}}}}, UpdateType: "INSERT", UpdateCount: &n}
		}
		return clienttest.Answer{UpdateType: "CREATE TABLE"}
	})
	res, err := db.ExecContext(t.Context(), "INSERT INTO t VALUES 1")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := res.RowsAffected(); got != 5 || err != nil {
		t.Errorf("rows affected: %d, %v", got, err)
	}
	if _, err := res.LastInsertId(); err == nil {
		t.Error("LastInsertId gave something")
	}
	if res, err = db.ExecContext(t.Context(), "CREATE TABLE t (a bigint)"); err != nil {
		t.Fatal(err)
	}
	if _, err := res.RowsAffected(); err == nil {
		t.Error("CREATE TABLE counted rows")
	}
}

func TestSQLTransaction(t *testing.T) {
	s, db := openDB(t, "", func(r clienttest.Request) clienttest.Answer {
		h := http.Header{}
		switch word, _, _ := strings.Cut(r.Body, " "); word {
		case "START":
			h.Set("X-Trino-Started-Transaction-Id", "tx1")
		case "COMMIT", "ROLLBACK":
			h.Set("X-Trino-Clear-Transaction-Id", "true")
		}
		return clienttest.Answer{Header: h}
	})
	for _, end := range []func(*sql.Tx) error{(*sql.Tx).Commit, (*sql.Tx).Rollback} {
		tx, err := db.BeginTx(t.Context(), &sql.TxOptions{Isolation: sql.LevelReadCommitted, ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec("SELECT 1"); err != nil {
			t.Fatal(err)
		}
		if err := end(tx); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, r := range s.Requests(http.MethodPost) {
		got = append(got, r.Body+" in "+r.Header.Get("X-Trino-Transaction-Id"))
	}
	start := "START TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY in NONE"
	want := []string{start, "SELECT 1 in tx1", "COMMIT in tx1", start, "SELECT 1 in tx1", "ROLLBACK in tx1"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("statements %q", got)
	}
	if _, err := db.BeginTx(t.Context(), &sql.TxOptions{Isolation: sql.LevelSnapshot}); err == nil {
		t.Error("snapshot isolation was taken")
	}
}

func TestSQLPoolResetsTheSession(t *testing.T) {
	s, db := openDB(t, "catalog=lake", func(r clienttest.Request) clienttest.Answer {
		if r.Body == "USE tpch.tiny" {
			return clienttest.Answer{Header: http.Header{"X-Trino-Set-Catalog": {"tpch"}, "X-Trino-Set-Schema": {"tiny"}}}
		}
		return clienttest.Answer{}
	})
	ctx := t.Context()
	one, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{"USE tpch.tiny", "SELECT 1"} {
		if _, err := one.ExecContext(ctx, q); err != nil {
			t.Fatal(err)
		}
	}
	_ = one.Close()
	if _, err := db.ExecContext(ctx, "SELECT 2"); err != nil {
		t.Fatal(err)
	}
	posts := s.Requests(http.MethodPost)
	if got := posts[1].Header.Get("X-Trino-Catalog"); got != "tpch" {
		t.Errorf("on the same connection: catalog %q", got)
	}
	if h := posts[2].Header; h.Get("X-Trino-Catalog") != "lake" || h.Get("X-Trino-Schema") != "" {
		t.Errorf("next user of the pool: catalog %q, schema %q", h.Get("X-Trino-Catalog"), h.Get("X-Trino-Schema"))
	}
}

func TestSQLContextCancels(t *testing.T) {
	s, db := openDB(t, "", fixed(clienttest.Answer{Columns: twoPages.Columns, Pages: twoPages.Pages, Hold: true}))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	rows, err := db.QueryContext(ctx, "SELECT 1")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for rows.Next() {
		if n++; n == 3 {
			cancel()
		}
	}
	if !errors.Is(rows.Err(), context.Canceled) {
		t.Errorf("rows end with %v", rows.Err())
	}
	_ = rows.Close()
	if s.Canceled() != 1 {
		t.Errorf("%d queries canceled at the server, want 1", s.Canceled())
	}
}

func TestSQLErrorAndPing(t *testing.T) {
	_, db := openDB(t, "", fixed(clienttest.Answer{Error: &clienttest.Failure{Message: "no", ErrorName: "TABLE_NOT_FOUND", ErrorCode: 46}}))
	if _, err := db.QueryContext(t.Context(), "SELECT 1"); !errors.Is(err, &client.Error{Name: "TABLE_NOT_FOUND"}) {
		t.Errorf("error = %v", err)
	}
	if err := db.PingContext(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestParseDSN(t *testing.T) {
	cfg, err := client.ParseDSN("https://ann:pw@h:8443/gate/?catalog=c&schema=s&session=a%3D1&session=b%3Dx%3Dy&role=lake%3DALL&client_tags=p,q&timezone=UTC&encoding=none&prepared=header")
	if err != nil {
		t.Fatal(err)
	}
	want := client.State{
		User: "ann", Source: "tutti-go", Catalog: "c", Schema: "s", TimeZone: "UTC", ClientTags: []string{"p", "q"},
		Properties: map[string]string{"a": "1", "b": "x=y"}, Roles: map[string]string{"lake": "ALL"},
	}
	if cfg.URL != "https://h:8443/gate" || !reflect.DeepEqual(cfg.Session, want) || cfg.Prepared != client.PreparedHeader ||
		cfg.Encodings == nil || len(cfg.Encodings) != 0 || cfg.Auth == nil {
		t.Errorf("config = %+v", cfg)
	}
	for dsn, want := range map[string]string{
		"ann@h":                  "want http[s]",
		"ftp://h":                "want http[s]",
		"http://ann:pw@h":        "needs https",
		"http://h?color=red":     `unknown key "color"`,
		"http://h?session=x":     "want name=value",
		"http://h?prepared=soon": "want immediate or header",
		"http://ann:pw@h:port":   "data source name",
	} {
		_, err := client.ParseDSN(dsn)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "pw") {
			t.Errorf("%s: error = %v", dsn, err)
		}
	}
}

func TestSliceScan(t *testing.T) {
	var p client.Slice[*string]
	if err := p.Scan([]any{"a", nil}); err != nil || len(p) != 2 || *p[0] != "a" || p[1] != nil {
		t.Errorf("%v, %v", p, err)
	}
	var n client.Slice[sql.NullInt64]
	if err := n.Scan([]any{int64(1), nil}); err != nil || n[0].Int64 != 1 || n[1].Valid {
		t.Errorf("%v, %v", n, err)
	}
	var s client.Slice[string]
	if s.Scan([]any{nil}) == nil || s.Scan("x") == nil {
		t.Error("scanned what does not fit")
	}
	var f client.Slice[float32]
	if err := f.Scan([]any{float64(1.5), json.Number("2")}); err != nil || f[0] != 1.5 || f[1] != 2 {
		t.Errorf("%v, %v", f, err)
	}
}
