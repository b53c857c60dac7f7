//go:build unix

package main

import (
	"context"
	"database/sql"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tuttidb/tutti/client"
)

// serverProcess is tutti server as a process of its own.
type serverProcess struct {
	t    *testing.T
	db   *sql.DB
	stop func()
}

// startServer starts tutti server over a data folder and waits until it is ready.
func startServer(t *testing.T, dir string, args ...string) *serverProcess {
	t.Helper()
	address := freePort(t)
	cmd := command(t, dir, nil, append([]string{"server", "--http-listen", address, "--data-dir", "data"}, args...)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &serverProcess{t: t, stop: func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // fails only when it has ended
		_ = cmd.Wait()
	}}
	t.Cleanup(s.stop)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		resp, err := http.Get("http://" + address + "/readyz")
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				break
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("the server is not ready")
		}
	}
	c, err := client.NewConnector("http://ann@" + address)
	if err != nil {
		t.Fatal(err)
	}
	s.db = sql.OpenDB(c)
	return s
}

// text runs a statement and returns the first column of its rows, or its error.
func (s *serverProcess) text(statement string) string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 30*time.Second)
	defer cancel()
	rows, err := s.db.QueryContext(ctx, statement)
	if err != nil {
		return err.Error()
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var v string
		if err := rows.Scan(&v); err != nil {
			return err.Error()
		}
		out = append(out, v)
	}
	if err := rows.Err(); err != nil {
		return err.Error()
	}
	return strings.Join(out, " ")
}

// TestServerCatalogs: catalogs of tutti server outlive it; it takes literal
// secrets, which it does not show, and keeps what is its own from being dropped.
func TestServerCatalogs(t *testing.T) {
	dir := t.TempDir()
	s := startServer(t, dir)
	for _, c := range []struct{ statement, want string }{
		{`CREATE CATALOG mine USING memory`, ""},
		{`CREATE TABLE mine.default.t AS SELECT 'x' AS c`, "1"},
		{`CREATE CATALOG files USING lake WITH (warehouse = 'data/lake', "s3.access-key" = 'k', "s3.secret-key" = 'se' || 'cret')`, ""},
		{`SHOW CATALOGS`, "files lake memory mine system tpch"},
	} {
		if got := s.text(c.statement); got != c.want {
			t.Errorf("%s: %s", c.statement, got)
		}
	}
	s.stop()
	s = startServer(t, dir)
	for _, c := range []struct{ statement, want string }{
		{`SHOW CATALOGS`, "files lake memory mine system tpch"},
		{`SHOW TABLES FROM mine.default`, ""}, // what was in memory is gone
		{`SHOW CREATE CATALOG files`, "CREATE CATALOG files USING lake\nWITH (\n   warehouse = 'data/lake',\n   \"s3.access-key\" = 'k',\n   \"s3.secret-key\" = '********'\n)"},
		{`SHOW CREATE CATALOG memory`, "CREATE CATALOG memory USING memory"},
		{`DROP CATALOG files`, ""},
		{`SHOW CATALOGS LIKE 'f%'`, ""},
	} {
		if got := s.text(c.statement); got != c.want {
			t.Errorf("after a restart, %s: %s", c.statement, got)
		}
	}
	if got := s.text("DROP CATALOG memory"); !strings.Contains(got, "is one that every server has; it cannot be dropped") {
		t.Errorf("drop of its own: %s", got)
	}
	s.stop()
	s = startServer(t, dir, "--catalog-management", "static")
	if got := s.text("DROP CATALOG mine"); !strings.Contains(got, "DROP CATALOG is not supported by the static catalog store") {
		t.Errorf("static: %s", got)
	}
	if got := s.text("SHOW CATALOGS LIKE 'mi%'"); got != "mine" {
		t.Errorf("static: %s", got)
	}
}
