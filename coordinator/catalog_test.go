package coordinator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"

	"github.com/tuttidb/tutti/internal/clock"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
)

// fakeDefinitions keep definitions in memory, and who asked for what.
type fakeDefinitions struct {
	defs  []CatalogDefinition
	asked []string
	fail  error
}

func (f *fakeDefinitions) at(name string) int {
	return slices.IndexFunc(f.defs, func(d CatalogDefinition) bool { return d.Name == name })
}

func (f *fakeDefinitions) Create(_ context.Context, by plan.QueryID, d CatalogDefinition) error {
	f.asked = append(f.asked, string(by))
	if f.fail != nil {
		return f.fail
	}
	if f.at(d.Name) >= 0 {
		return qerr.New(qerr.AlreadyExists, "Catalog '%s' already exists", d.Name)
	}
	f.defs = append(f.defs, d)
	return nil
}

func (f *fakeDefinitions) Drop(_ context.Context, by plan.QueryID, name string) error {
	f.asked = append(f.asked, string(by))
	i := f.at(name)
	if i < 0 {
		return qerr.New(qerr.CatalogNotFound, "Catalog '%s' not found", name)
	}
	f.defs = slices.Delete(f.defs, i, i+1)
	return nil
}

func (f *fakeDefinitions) Show(name string) (CatalogDefinition, bool) {
	i := f.at(name)
	if i < 0 {
		return CatalogDefinition{}, false
	}
	return f.defs[i], true
}

func newWithDefinitions(t *testing.T, d Definitions) *Coordinator {
	t.Helper()
	c := New(Deps{
		Catalogs: NewCatalogs(), Definitions: d, Folder: noFolder{}, Local: &fakeExecutor{}, Clock: clock.System{},
		Log: slog.New(slog.DiscardHandler), NodeID: "c1", Version: "test",
	})
	t.Cleanup(c.Close)
	addTPCH(t, c)
	return c
}

// run runs a statement without rows: its update type, or its error as NAME
// (line:column) message.
func run(t *testing.T, c *Coordinator, sql string, s Session) string {
	t.Helper()
	q := c.Submit(Request{SQL: sql, Session: s})
	if _, err := q.Columns(t.Context()); err != nil {
		e := qerr.From(err)
		at := ""
		if e.Pos.Line > 0 {
			at = fmt.Sprintf(" (%d:%d)", e.Pos.Line, e.Pos.Column)
		}
		return e.Code.Name + at + " " + e.Message
	}
	for {
		b, err := q.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if b == nil {
			return q.Effects().UpdateType
		}
	}
}

// TestCatalogStatements: what CREATE and DROP CATALOG ask for, and their
// errors, which are Trino's names and places.
func TestCatalogStatements(t *testing.T) {
	d := &fakeDefinitions{}
	c := newWithDefinitions(t, d)
	prepared := Session{User: "ann", Prepared: map[string]string{
		"p": `CREATE CATALOG q USING lake WITH ("warehouse" = ?)`,
	}}
	for _, s := range []struct{ sql, want string }{
		{`CREATE CATALOG plain USING tpch`, "CREATE CATALOG"},
		{`CREATE CATALOG "Lake" USING LAKE COMMENT 'it''s' WITH (Warehouse = 's3://b/x', "s3.path-style" = 'true')`, "CREATE CATALOG"},
		{`CREATE CATALOG plain USING lake`, "ALREADY_EXISTS Catalog 'plain' already exists"},
		{`CREATE CATALOG IF NOT EXISTS plain USING lake`, "CREATE CATALOG"},
		{`EXECUTE p USING 's3://c'`, "CREATE CATALOG"},
		{`EXECUTE IMMEDIATE 'DROP CATALOG q'`, "DROP CATALOG"},
		{`CREATE CATALOG x USING lake AUTHORIZATION ann`, "NOT_SUPPORTED CREATE CATALOG with AUTHORIZATION is not yet supported"},
		{`CREATE CATALOG x USING lake WITH ("a" = DEFAULT)`, "INVALID_CATALOG_PROPERTY (1:35) Catalog properties do not support DEFAULT value"},
		{`CREATE CATALOG x USING lake WITH ("a" = 'x', A = 'y')`, "DUPLICATE_PROPERTY (1:46) Duplicate property: a"},
		{`CREATE CATALOG x USING lake WITH ("a" = 5)`, "INVALID_CATALOG_PROPERTY Invalid value for catalog property 'a': Cannot convert [5] to varchar"},
		{`CREATE CATALOG x USING lake WITH ("a" = true)`, "INVALID_CATALOG_PROPERTY Invalid value for catalog property 'a': Cannot convert [TRUE] to varchar"},
		{`CREATE CATALOG x USING lake WITH ("a" = INTERVAL '5' SECOND)`, "INVALID_CATALOG_PROPERTY Invalid value for catalog property 'a': Cannot convert [INTERVAL '5' SECOND] to varchar"},
		{`CREATE CATALOG x USING lake WITH ("a" = ARRAY['b'])`, "INVALID_CATALOG_PROPERTY Invalid value for catalog property 'a': Cannot convert [ARRAY['b']] to varchar"},
		{`CREATE CATALOG x USING lake WITH ("a" = nosuch)`, "INVALID_CATALOG_PROPERTY Invalid value for catalog property 'a': Cannot convert [nosuch] to varchar"},
		{`CREATE CATALOG x USING lake WITH ("a" = NULL)`, "INVALID_CATALOG_PROPERTY Invalid null value for catalog property 'a' from [NULL]"},
		{`CREATE CATALOG x WITH ("a" = 'b')`, "SYNTAX_ERROR (1:18) mismatched input 'WITH'. Expecting: 'USING'"},
		{`CREATE CATALOG a.b USING lake`, "SYNTAX_ERROR (1:17) mismatched input '.'. Expecting: 'USING'"},
		{`DROP CATALOG plain CASCADE`, "NOT_SUPPORTED CASCADE is not yet supported for DROP CATALOG"},
		{`DROP CATALOG Plain RESTRICT`, "DROP CATALOG"},
		{`DROP CATALOG plain`, "CATALOG_NOT_FOUND Catalog 'plain' not found"},
		{`DROP CATALOG IF EXISTS plain`, "DROP CATALOG"},
		{`SHOW CREATE CATALOG nosuch`, "CATALOG_NOT_FOUND (1:1) Catalog 'nosuch' not found"},
		{`SHOW CREATE CATALOG tpch.tiny`, "SYNTAX_ERROR (1:1) Too many parts in catalog name: tpch.tiny"},
		{`SHOW CREATE CATALOG tpch`, "NOT_SUPPORTED (1:1) not supported: SHOW CREATE CATALOG for the catalog tpch"},
	} {
		if got := run(t, c, s.sql, prepared); got != s.want {
			t.Errorf("%s:\n got %s\nwant %s", s.sql, got, s.want)
		}
	}
	want := CatalogDefinition{Name: "lake", Connector: "lake", Comment: "it's", Properties: []CatalogProperty{{"warehouse", "s3://b/x"}, {"s3.path-style", "true"}}}
	if len(d.defs) != 1 || fmt.Sprint(d.defs[0]) != fmt.Sprint(want) {
		t.Errorf("defined %v, want %v", d.defs, want)
	}
	seen := map[string]bool{}
	for _, id := range d.asked {
		if id == "" || seen[id] {
			t.Errorf("two changes come with the id %q", id)
		}
		seen[id] = true
	}
}

// TestCatalogStatementFails: IF NOT EXISTS forgives nothing else.
func TestCatalogStatementFails(t *testing.T) {
	c := newWithDefinitions(t, &fakeDefinitions{fail: errors.New("disk on fire")})
	if got := run(t, c, "CREATE CATALOG IF NOT EXISTS x USING lake", session()); got != "GENERIC_INTERNAL_ERROR disk on fire" {
		t.Errorf("got %s", got)
	}
	none := newWithDefinitions(t, nil)
	for sql, want := range map[string]string{
		"CREATE CATALOG x USING lake": "NOT_SUPPORTED (1:1) not supported: CREATE CATALOG in a process that keeps no state",
		"DROP CATALOG IF EXISTS tpch": "NOT_SUPPORTED (1:1) not supported: DROP CATALOG in a process that keeps no state",
		"SHOW CREATE CATALOG tpch":    "NOT_SUPPORTED (1:1) not supported: SHOW CREATE CATALOG in a process that keeps no state",
	} {
		if got := run(t, none, sql, session()); got != want {
			t.Errorf("%s: %s", sql, got)
		}
	}
}

func TestShowCreateCatalog(t *testing.T) {
	d := &fakeDefinitions{}
	c := newWithDefinitions(t, d)
	for _, s := range []struct {
		def  CatalogDefinition
		want string
	}{
		{CatalogDefinition{Name: "tpch", Connector: "tpch"}, "CREATE CATALOG tpch USING tpch"},
		{CatalogDefinition{Name: "tpch", Connector: "lake", Comment: "it's", Properties: []CatalogProperty{
			{"warehouse", "s3://o'brien"}, {"s3.secret-key", "${ENV:KEY}"},
		}}, "CREATE CATALOG tpch USING lake\nCOMMENT 'it''s'\nWITH (\n   warehouse = 's3://o''brien',\n   \"s3.secret-key\" = '${ENV:KEY}'\n)"},
	} {
		d.defs = []CatalogDefinition{s.def}
		columns, rows, err := result(t, c, "SHOW CREATE CATALOG TPCH", session())
		if err != nil || len(rows) != 1 || rows[0] != s.want {
			t.Errorf("%v: %q, %v", s.def, rows, err)
		}
		if want := fmt.Sprintf("Create Catalog varchar(%d)", len(s.want)); columns != want {
			t.Errorf("columns %s, want %s", columns, want)
		}
		// What is shown makes the same catalog again.
		d.defs = nil
		if got := run(t, c, s.want, session()); got != "CREATE CATALOG" || fmt.Sprint(d.defs) != fmt.Sprint([]CatalogDefinition{s.def}) {
			t.Errorf("run again: %s, %v", got, d.defs)
		}
	}
}
