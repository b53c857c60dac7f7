package cluster

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tuttidb/tutti/test/slt"
)

// bucket is CREATE CATALOG for the TPC-H tables in the object store.
func bucket(name string) string {
	return fmt.Sprintf(`CREATE CATALOG %s USING lake WITH ("warehouse" = 's3://tpch', "s3.endpoint" = '%s', "s3.region" = 'us-east-1',
		"s3.path-style" = 'true', "s3.access-key" = '${ENV:TEST_ACCESS_KEY}', "s3.secret-key" = '${ENV:TEST_SECRET_KEY}')`, name, shared.gateway.URL)
}

// rowsOf runs a statement that must be right and returns its rows.
func rowsOf(ctx context.Context, t *testing.T, s *slt.Session, sql string) [][]string {
	t.Helper()
	res, err := s.Query(ctx, sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return res.Rows
}

// refused runs a statement that must fail with an error that begins so.
func refused(ctx context.Context, t *testing.T, s *slt.Session, sql, want string) {
	t.Helper()
	if _, err := s.Query(ctx, sql); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%s: %v, want %s", sql, err, want)
	}
}

// lines counts the line items of a catalog's schema tiny, on all workers.
func lines(ctx context.Context, t *testing.T, s *slt.Session, catalog string) {
	t.Helper()
	sql := "SELECT count(*), count(DISTINCT l_orderkey) FROM " + catalog + ".tiny.lineitem"
	if rows := rowsOf(ctx, t, s, sql); strings.Join(rows[0], " ") != "60175 15000" {
		t.Errorf("%s: %v", catalog, rows)
	}
}

// TestCatalogsAtRunTime: a catalog that a statement makes is there for the next
// statement, on every worker, for tools, for workers that join later and after
// everything was started again; one that was dropped is not.
func TestCatalogsAtRunTime(t *testing.T) {
	c, ctx := own(t, "catalogs", 2)
	s := session(t, c, "", "")
	spread(t, s)
	for i := range 8 { // each time workers hear of it later than of the first tasks, or sooner
		name := fmt.Sprintf("made%d", i)
		rowsOf(ctx, t, s, bucket(name))
		lines(ctx, t, s, name)
		rowsOf(ctx, t, s, "DROP CATALOG "+name)
		refused(ctx, t, s, "SELECT * FROM "+name+".tiny.region", "CATALOG_NOT_FOUND: line 1:15: Catalog '"+name+"' not found")
	}
	rowsOf(ctx, t, s, bucket("made"))
	refused(ctx, t, s, bucket("made"), "ALREADY_EXISTS: Catalog 'made' already exists")
	refused(ctx, t, s, bucket("folder"), "ALREADY_EXISTS: Catalog 'folder' already exists")
	refused(ctx, t, s, "DROP CATALOG folder", "NOT_SUPPORTED: Catalog 'folder' comes from the file "+filepath.Join(shared.dir, "catalogs", "catalogs", "folder.yaml")+": remove it there")
	refused(ctx, t, s, "CREATE CATALOG m USING memory", "INVALID_CATALOG_PROPERTY: Catalog 'm' cannot be made: catalog m: the memory connector works in a single process only")

	// What tools ask for.
	for sql, want := range map[string]string{
		"SHOW CATALOGS LIKE 'made%'": "made",
		"SELECT connector_name FROM system.metadata.catalogs WHERE catalog_name = 'made'":                                                  "lake",
		"SELECT table_name FROM system.jdbc.tables WHERE table_cat = 'made' AND table_schem = 'tiny' AND table_name LIKE 'l%'":             "lineitem",
		"SELECT column_name FROM made.information_schema.columns WHERE table_schema = 'tiny' AND table_name = 'region' ORDER BY 1 LIMIT 1": "r_comment",
	} {
		if rows := rowsOf(ctx, t, s, sql); len(rows) != 1 || rows[0][0] != want {
			t.Errorf("%s: %v", sql, rows)
		}
	}
	shown := rowsOf(ctx, t, s, "SHOW CREATE CATALOG made")[0][0]
	if !strings.Contains(shown, "'${ENV:TEST_SECRET_KEY}'") || strings.Contains(shown, SecretKey) {
		t.Errorf("shown as %s", shown)
	}

	// A worker that joins later.
	if err := c.AddWorker(); err != nil {
		t.Fatal(err)
	}
	if err := c.Await(ctx, 3); err != nil {
		t.Fatal(err)
	}
	lines(ctx, t, s, "made")

	// Everything starts again.
	for _, p := range append([]*Process{c.Coordinator}, c.Workers...) {
		p.Kill()
	}
	var err error
	if c.Coordinator, err = Start(c.cfg.Dir, "coordinator", c.cfg.Env, c.cfg.Binary, c.Coordinator.cmd.Args[1:]...); err != nil {
		t.Fatal(err)
	}
	for i := range c.Workers {
		if err := c.Restart(i); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Await(ctx, 3); err != nil {
		t.Fatal(err)
	}
	lines(ctx, t, s, "made")
	rowsOf(ctx, t, s, "DROP CATALOG made")
	rowsOf(ctx, t, s, shown) // makes it again
	lines(ctx, t, s, "made")
	rowsOf(ctx, t, s, "DROP CATALOG IF EXISTS made")
	rowsOf(ctx, t, s, "DROP CATALOG IF EXISTS made")
	refused(ctx, t, s, "DROP CATALOG made", "CATALOG_NOT_FOUND: Catalog 'made' not found")
}

// TestCatalogDroppedInUse: a query that runs goes on with the catalog that it
// began with, tasks that start later included, whatever becomes of its name.
func TestCatalogDroppedInUse(t *testing.T) {
	c, ctx := own(t, "dropped", 2)
	s, other := session(t, c, "", ""), session(t, c, "", "")
	spread(t, s)
	rowsOf(ctx, t, s, "DROP CATALOG IF EXISTS made") // of an earlier round
	rowsOf(ctx, t, s, "CREATE CATALOG made USING tpch")
	got := make(chan error, 1)
	go func() {
		res, err := s.Query(ctx, strings.ReplaceAll(heavy, "tpch.", "made."))
		if err == nil && strings.Join(res.Rows[0], " ") != "1500000 6001215" {
			err = fmt.Errorf("answer is %v", res.Rows[0])
		}
		got <- err
	}()
	if err := c.busy(ctx, "worker-1"); err != nil {
		t.Fatal(err)
	}
	rowsOf(ctx, t, other, "DROP CATALOG made")
	rowsOf(ctx, t, other, "CREATE CATALOG made USING tpch WITH (\"column-naming\" = 'standard')")
	if rows := rowsOf(ctx, t, other, "SELECT count(n_name) FROM made.tiny.nation"); rows[0][0] != "25" {
		t.Errorf("the new catalog answers %v", rows)
	}
	select {
	case err := <-got:
		t.Fatalf("the query was over before its catalog was dropped: %v", err)
	default:
	}
	// A worker that never had the first one gets tasks of the query.
	if err := c.AddWorker(); err != nil {
		t.Fatal(err)
	}
	if err := <-got; err != nil {
		t.Error(err)
	}
	refused(ctx, t, other, "SELECT name FROM made.tiny.nation", "COLUMN_NOT_FOUND")
}
